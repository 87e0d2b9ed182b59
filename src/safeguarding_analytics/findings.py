"""What is wrong with published tables, in sentences: the one attack behind `suppress`, `audit` and `repair`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from safeguarding_analytics import attacker
from safeguarding_analytics.dimensions import spoken
from safeguarding_analytics.errors import in_words, shorten
from safeguarding_analytics.ledger import Ledger, Name, Relation, Sheet, in_one_table, is_hidden
from safeguarding_analytics.systems import Promise, write_down

MOST_WAYS = 3
"""Sums and differences that one sentence names; where it takes more, it names the tables."""


class Finding(NamedTuple):
    """A number that is known too well; ``high`` is None where nothing bounds it."""

    table: str
    cell: str
    column: str
    low: int | None
    high: int | None
    because: str


def known_too_well(ledger: Ledger, promise: Promise) -> list[Finding]:
    """Attack published tables as one system."""
    return [*_shown_elsewhere(ledger), *_less_than_its_rows(ledger), *_worked_out(ledger, promise)]


def _less_than_its_rows(ledger: Ledger) -> list[Finding]:
    """Totals of a table that are less than its rows: whoever takes them as they are can prove nothing."""
    found = []
    for relation in ledger.relations:
        total, shown, hidden = ledger.total_and_sum(relation)
        names = [(relation.total, relation.key), *((part, relation.key) for part in relation.parts)]
        less, _ = ledger.reach(relation)
        if total is None or is_hidden(total) or not hidden or not in_one_table(ledger.prints, names):
            continue
        if total < shown - less:
            one = ledger.prints[names[0]][0]
            words = f"{_capital(ledger.total_in_words(relation.total))} is less than its shown rows by {relation.along}"
            sheet = ledger.sheets[one.sheet]
            sentence = f"{words}: they contradict each other, so that nothing can be proven of them; check the totals."
            found.append(Finding(sheet.name, in_row(sheet, one.values), one.column, None, None, sentence))
    return found


def _shown_elsewhere(ledger: Ledger) -> list[Finding]:
    """Numbers that are hidden in one table and shown in another."""
    found = []
    for name, prints in ledger.prints.items():
        known = ledger.counts[name]
        if known is None or is_hidden(known) or name in ledger.slack:
            continue
        for one in prints:
            sheet = ledger.sheets[one.sheet]
            if is_hidden(sheet.cells[one.values][one.column]):
                others = shorten([other for other in ledger.tables_of(name) if other != sheet.name])
                row = in_row(sheet, one.values)
                sentence = f"It is hidden here and shown in {others}."
                found.append(Finding(sheet.name, row, one.column, int(known), int(known), sentence))
    return found


def _worked_out(ledger: Ledger, promise: Promise) -> list[Finding]:
    """Numbers that the linear programmes narrow down, or one sentence where the tables contradict each other."""
    written = write_down(ledger, promise)
    system = written.system
    table = attacker.consistent_table(system)
    if table is None:
        sentence = "The published numbers contradict each other, so that nothing can be proven; check the totals."
        return [Finding(ledger.sheets[0].name, "all", "", None, None, sentence)]
    hidden = np.isnan(system.values) | system.free
    reader = attacker.Reader(system, hidden, table)
    found: list[Finding] = []
    for narrow in attacker.weakest(system, hidden, [table]):
        name = written.names[narrow.number]
        low, high = reader.interval(narrow.number)
        reasons = [written.relations[row] for row in reader.reasons(narrow.number) if row < len(written.relations)]
        found += _findings(ledger, name, low, high, reasons)
    return found


def _findings(ledger: Ledger, name: Name, low: int, high: int | None, reasons: list[Relation]) -> list[Finding]:
    """A finding for every table that prints a number; where none does, for the first of those it follows from."""
    because = _because(reasons, ledger, low, high)
    found = [
        Finding(sheet.name, in_row(sheet, one.values), one.column, low, high, because)
        for one in ledger.prints.get(name, ())
        if is_hidden((sheet := ledger.sheets[one.sheet]).cells[one.values][one.column]) or name in ledger.slack
    ]
    if found:
        return found
    tables = _tables_behind(reasons, ledger) or [ledger.sheets[0].name]
    column = next((column for (_, column), key in ledger.keys.items() if key == name[1]), "")
    return [Finding(tables[0], ledger.words(name[0]), column, low, high, because)]


def in_row(sheet: Sheet, values: tuple[str, ...]) -> str:
    """A row of a table as a message names it."""
    return spoken(", ".join(f"{group}={value}" for group, value in zip(sheet.groups, values, strict=True))) or "all"


def _because(reasons: list[Relation], ledger: Ledger, low: int, high: int | None) -> str:
    """One sentence: which totals bound a number, and what they leave for it."""
    values = f"exactly {low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
    ways = list(dict.fromkeys(_less_its_parts(relation, ledger) for relation in reasons))
    if not ways:
        return f"The counts and percentages of its own row that are shown leave {values}."
    if len(ways) == 1:
        return f"{_capital(ways[0])} leaves {values}."
    if len(ways) <= MOST_WAYS and all((relation.total, relation.key) in ledger.prints for relation in reasons):
        return f"{_capital('; '.join(ways))} together leave {values}."
    return f"{in_words(_tables_behind(reasons, ledger))} together leave {values}."


def _tables_behind(reasons: list[Relation], ledger: Ledger) -> list[str]:
    """Names of the tables that show a number of some relations."""
    names = [
        (cell, relation.key)
        for relation in reasons
        for cell in (relation.total, *relation.parts)
        if not _is_unseen(ledger.counts[cell, relation.key])
    ]
    named = {table for name in names for table in ledger.tables_of(name)}
    return [sheet.name for sheet in ledger.sheets if sheet.name in named]


def _less_its_parts(relation: Relation, ledger: Ledger) -> str:
    """A total and what is taken from it, with the tables where they stand if there are several."""
    total = (relation.total, relation.key)
    shown = [(part, relation.key) for part in relation.parts if not _is_unseen(ledger.counts[part, relation.key])]
    inside = list(dict.fromkeys(table for name in shown for table in ledger.tables_of(name)))
    of, by = (_in_tables(tables) if len(ledger.sheets) > 1 else "" for tables in (ledger.tables_of(total), inside))
    position = next((p for p, node in enumerate(relation.parts[0]) if node != relation.total[p]), 0)
    rows = [spoken(part[position][1]) for part, _ in shown]
    listed = f"{relation.along}={shorten(rows)}" if 0 < len(rows) <= 5 else f"its shown rows by {relation.along}"
    return f"{ledger.total_in_words(relation.total)}{'' if of == by else of} minus {listed}{by}"


def _capital(sentence: str) -> str:
    return sentence[0].upper() + sentence[1:]


def _is_unseen(count: float | None) -> bool:
    return count is None or is_hidden(count)


def _in_tables(tables: list[str]) -> str:
    return f" ({shorten(tables, most=4)})" if tables else ""
