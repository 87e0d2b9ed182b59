"""What is wrong with published tables, in sentences: the one attack behind `suppress` and `audit`."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from safeguarding_analytics import attacker
from safeguarding_analytics.errors import shorten
from safeguarding_analytics.ledger import (
    Cell,
    Ledger,
    Promise,
    Relation,
    Sheet,
    in_words,
    is_hidden,
    open_ledger,
    system_of,
)
from safeguarding_analytics.tables import Shape


class Finding(NamedTuple):
    """A hidden number that is known too well; ``high`` is None where nothing bounds it."""

    table: str
    cell: str
    column: str
    low: int | None
    high: int | None
    because: str


def hidden_cells_narrowed(sheets: list[Sheet], shape: Shape, promise: Promise) -> list[Finding]:
    """Attack published tables of one shape as one system."""
    ledger = open_ledger(sheets)
    return [
        *_shown_elsewhere(sheets, ledger),
        *_left_over(ledger, promise),
        *_worked_out(sheets, ledger, shape, promise),
    ]


def _shown_elsewhere(sheets: list[Sheet], ledger: Ledger) -> list[Finding]:
    """Numbers that are hidden in one table and shown in another."""
    found = []
    for sheet in sheets:
        for cell, counts in sheet.placed(ledger.groups).items():
            for column, value in counts.items():
                known = ledger.cells[cell][column]
                if is_hidden(value) and known is not None and not is_hidden(known):
                    others = shorten([name for name in ledger.tables[cell] if name != sheet.name])
                    sentence = f"It is hidden here and shown in {others}."
                    found.append(_finding(sheet, cell, ledger, column, int(known), int(known), sentence))
    return found


def _left_over(ledger: Ledger, promise: Promise) -> list[Finding]:
    """Totals of a table that exceed its rows by a small count: a group was left out, and can be worked out."""
    found = []
    for relation in ledger.relations:
        total, shown, hidden = ledger.total_and_sum(relation)
        if total is None or hidden or not ledger.certain(relation):
            continue
        tables = ledger.tables_with_all_of(relation)
        if tables and 0 < total - shown < promise.threshold:
            left = int(total - shown)
            cell = in_words(ledger.by_group(relation.total) | {relation.along: "all others"})
            sentence = f"{_less_its_rows(relation, ledger)} leaves {left} that no row shows."
            found.append(Finding(min(tables), cell, relation.column, left, left, sentence))
    return found


def _worked_out(sheets: list[Sheet], ledger: Ledger, shape: Shape, promise: Promise) -> list[Finding]:
    """Hidden numbers that the linear programmes narrow down, or one sentence where the tables contradict each other."""
    system, names, relations = system_of(ledger, shape, promise)
    table = attacker.consistent_table(system)
    if table is None:
        sentence = "The published numbers contradict each other, so that nothing can be proven; check the totals."
        return [Finding(sheets[0].name, "all", "", None, None, sentence)]
    hidden = system.free | np.isnan(system.values)
    reader = attacker.Reader(system, hidden, table)
    found = []
    for narrow in attacker.weakest(system, hidden, [table]):
        cell, column = names[narrow.number]
        low, high = reader.interval(narrow.number)
        combined = [relations[row] for row in reader.reasons(narrow.number) if row < len(relations)]
        sentence = _because(combined, ledger, low, high)
        found += [
            _finding(sheet, cell, ledger, column, low, high, sentence)
            for sheet in sheets
            if sheet.name in ledger.tables[cell] and is_hidden(sheet.placed(ledger.groups)[cell].get(column))
        ]
    return found


def _finding(
    sheet: Sheet, cell: Cell, ledger: Ledger, column: str, low: int, high: int | None, because: str
) -> Finding:
    by_group = ledger.by_group(cell)
    own = in_words({group: by_group[group] for group in sheet.groups})
    return Finding(sheet.name, own, column, low, high, because)


def _because(relations: list[Relation], ledger: Ledger, low: int, high: int | None) -> str:
    """One sentence: which totals bound a number, and what they leave for it."""
    values = f"exactly {low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
    ways = list(dict.fromkeys(_less_its_rows(relation, ledger) for relation in relations))
    if not ways:
        return f"The counts of its own row that are shown leave {values}."
    if len(ways) == 1:
        return f"{ways[0]} leaves {values}."
    return f"{shorten(ways, most=4).replace(', ', '; ')} together leaves {values}."


def _less_its_rows(relation: Relation, ledger: Ledger) -> str:
    """A total and what is taken from it, with the tables where they stand if there are several."""
    members = (relation.total, *relation.children)
    tables = list(dict.fromkeys(name for cell in members for name in ledger.tables[cell]))
    where = f" ({' and '.join(tables)})" if len(tables) > 1 else ""
    total = in_words(ledger.by_group(relation.total))
    return f"The total {total} minus its shown rows by {relation.along}{where}"
