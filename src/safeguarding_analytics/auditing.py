"""The audit of published tables: what a reader can work out about hidden numbers when they lay them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Literal

import polars as pl

from safeguarding_analytics import linked
from safeguarding_analytics.attacker import consistent_table
from safeguarding_analytics.differences import small_differences
from safeguarding_analytics.dimensions import Lookup, check_lookups, geography_of, read_lookups
from safeguarding_analytics.disclosure import Within, check_adds_up, one_system_each
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.findings import Finding, known_too_well
from safeguarding_analytics.inputs import check_bases, check_effort, tables_to_audit
from safeguarding_analytics.ledger import MOST_ATOMS, Ledger, Sheet, in_one_table, is_hidden, open_ledger, sheet_of
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import shape_of
from safeguarding_analytics.systems import write_down
from safeguarding_analytics.tables import TOTAL

Effort = Literal["fast", "full"]
EFFORTS: tuple[Effort, ...] = ("fast", "full")
Member = tuple[Sheet, Policy]
Lookups = list[tuple[str, Lookup]]

HIDING_MARKS = frozenset({"[c]", "c", "*"})
"""Marks of other publishers that mean "hidden to protect someone"; others ([x] not available) promise nothing."""


def audit(
    tables: Safe | pl.DataFrame | Sequence[Safe | pl.DataFrame] | Mapping[str, Safe | pl.DataFrame],
    *,
    within: Within = (),
    rounded: Mapping[str, int] | None = None,
    effort: Effort = "fast",
    one_system: bool = False,
) -> pl.DataFrame:
    """What a reader can work out about hidden numbers from these published tables together.

    Parameters
    ----------
    tables
        Published tables, or one: `Safe`, or frames with a column ``mark`` where a count is missing (a null in it counts
        as ``""``); with names, if given as a mapping.
    within
        Which groups lie within which others, if no table has both columns: a frame (or several) whose first column
        lies within each of the others. Where areas overlap, a district has several rows.
    rounded
        To which multiple the counts of a table were rounded, by its name. A `Safe` knows its own.
    effort
        ``"fast"``: totals, sums and differences of what is printed. ``"full"``: every combination of groups beside, so
        that also is found what follows from tables of which none lies within the other.
    one_system
        Whether all tables of a shape are known to count the same things, as those of one measure in a release.
        Then a contradiction between them is an error, and not a sign that they are of different topics.

    Returns
    -------
    pl.DataFrame
        One row per table and count that is known too well, in the order of the tables; no row = nothing to say.
        ``table`` (its name, else "table 1"), ``cell`` (group values), ``column``, ``low`` and ``high`` (smallest and
        largest whole number possible, Int64; high is null where nothing bounds it), ``because`` (one sentence).

    Raises
    ------
    DisclosureError
        When a table has an identifying column, counts that are no whole numbers of 0 or more, a group that stands
        twice, a misspelled margin, or missing counts and no ``mark``: all that is wrong with all tables is said at
        once. When tables of one system contradict each other, or the groups have too many combinations for the full
        audit.
    TableError
        When something is neither a `Safe` nor a polars DataFrame, or has none of the shapes.
    ParameterError
        When the effort, a name in ``rounded`` or a lookup is not what it should be.

    Notes
    -----
    Only what is published is used. A hidden count is reported when (a) it is shown in another table; (b) only one whole
    number is possible, other than a public zero; or (c) it is surely small (its largest possible value
    is below the threshold) and not every value that the mark promises is possible: 1 to threshold - 1, or from the
    number of its hidden non-zero parts on where it is a total. One that may be 4 to 8, say, is not reported, because it
    may be a large count that protects others. Policies that protect to the ``"point"`` promise (b) only. Also
    reported, with the group "all others", is a count that no table prints (what a total holds beyond the groups that
    are listed; in the full audit any combination of groups) and a rounded one, where it is surely 1 or more, surely
    small, and better known than a mark or the rounding would say.

    Tables are one system where they count the same and do not contradict each other. Of two tables of the same groups
    that do, one is taken from the other where it is nowhere larger, and small differences are reported. Frames without
    a policy are held to `Policy.dfe`. A row whose numbers are null with another mark (``[x]``) or none is unknown to
    all: no total that contains it is used. A percentage or rate beside a hidden count is taken as exact to the last
    decimal that its column has.

    Examples
    --------
    >>> year = pl.DataFrame({"district": ["D01"], "count": [23], "mark": [""]})
    >>> quarters = pl.DataFrame(
    ...     {"district": ["D01"] * 2, "half": ["H1", "H2"], "count": [20, None], "mark": ["", "[c]"]}
    ... )
    >>> audit({"year": year, "halves": quarters}).select("table", "cell", "low", "high").row(0)
    ('halves', 'district=D01, half=H2', 3, 3)
    """
    check_effort(effort, EFFORTS)
    lookups = read_lookups(within)
    named = tables_to_audit(tables)
    bases = {} if rounded is None else rounded
    check_bases(bases, list(named))
    members = [member for name, one in named.items() if (member := _published(name, one, bases.get(name, 1)))]
    if not one_system:
        check_lookups([row for sheet, _ in members for row in sheet.rows()], lookups)
    systems = systems_of(members, lookups, one_system)
    found = [finding for system in systems for finding in _attack(system, lookups, effort, one_system)]
    found += small_differences([[(sheet, policy.threshold) for sheet, policy in system] for system in systems])
    position = {name: number for number, name in enumerate(named)}
    found.sort(key=lambda one: (position[one.table], one.cell, one.column))
    schema = {"table": pl.String, "cell": pl.String, "column": pl.String, "low": pl.Int64, "high": pl.Int64}
    return pl.DataFrame(found, schema={**schema, "because": pl.String}, orient="row")


def _published(name: str, table: Safe | pl.DataFrame, base: int) -> Member | None:
    """A published table as its reader sees it, and the policy it is held to; None for one without counts."""
    if isinstance(table, Safe):
        sheet, policy = linked.sheet_of_safe(table, name), table.policy or Policy.dfe()
        return (sheet, policy) if sheet.shape.all_counts else None
    shape = shape_of(table.columns)
    # Which way a half was rounded is not known.
    slack = (base // 2, base // 2) if base > 1 else (0, 0)
    sheet = sheet_of(table, name, shape, HIDING_MARKS, slack, exact_zeros=False)
    return (sheet, Policy.dfe()) if shape.all_counts else None


def systems_of(members: list[Member], lookups: Lookups, one_system: bool) -> list[list[Member]]:
    """Split tables into systems: those that count the same and do not contradict each other."""
    found: list[list[Member]] = []
    for positions in one_system_each([sheet for sheet, _ in members]):
        own = [members[position] for position in positions]
        found += [own] if one_system else _of_one_topic(own, lookups)
    return found


def _of_one_topic(members: list[Member], lookups: Lookups) -> list[list[Member]]:
    """Tables that can be laid side by side: those that have groups in common and do not contradict each other."""
    systems: list[list[Member]] = []
    for member in members:
        joined = [member]
        apart: list[list[Member]] = []
        for system in systems:
            fits = _have_common_groups(system, [member], lookups) and _agree([*system, *joined], lookups)
            joined, apart = ([*system, *joined], apart) if fits else (joined, [*apart, system])
        systems = [*apart, joined]
    return systems


def _have_common_groups(one: list[Member], other: list[Member], lookups: Lookups) -> bool:
    """Whether tables can be linked at all: by a group column, by what it lies in, or by the total of all."""
    geography = geography_of([row for sheet, _ in [*one, *other] for row in sheet.rows()], lookups)
    ways = [geography.linked_by(*([sheet.groups for sheet, _ in members])) for members in (one, other)]
    totals = [any(_prints_grand_total(sheet) for sheet, _ in members) for members in (one, other)]
    return bool(ways[0] & ways[1]) or all(totals)


def _prints_grand_total(sheet: Sheet) -> bool:
    return any(set(values) <= {TOTAL} for values in sheet.cells)


def _agree(members: list[Member], lookups: Lookups) -> bool:
    """Whether tables do not contradict each other.

    No count stands with two values, no total is less than its rows, and some whole numbers fit all that is shown.
    """
    sheets = [sheet for sheet, _ in members]
    ledger = open_ledger(sheets, lookups, together=False)
    if ledger.disagreements:
        return False
    for relation in ledger.relations:
        total, shown, _ = ledger.total_and_sum(relation)
        names = [(relation.total, relation.key), *((part, relation.key) for part in relation.parts)]
        known = all(ledger.counts[name] is not None for name in names)
        less, _ = ledger.reach(relation)
        if total is None or is_hidden(total) or not known or in_one_table(ledger.prints, names):
            continue
        if total < shown - less:
            return False
    promise = linked.common_promise(policy for _, policy in members)
    return consistent_table(write_down(ledger, promise).system) is not None


def _attack(system: list[Member], lookups: Lookups, effort: Effort, one_system: bool) -> list[Finding]:
    sheets = [sheet for sheet, _ in system]
    ledger = open_ledger(sheets, lookups, together=one_system)
    if one_system:
        check_adds_up(ledger)
    promise = linked.common_promise(policy for _, policy in system)
    found = known_too_well(ledger, promise)
    if effort == "fast" or len(sheets) == 1:
        return found
    # What the fast pass finds too it explains better: by the tables alone, without combinations that none prints.
    explained = {one[:5]: one for one in found}
    return [explained.get(one[:5], one) for one in known_too_well(with_atoms(ledger, lookups), promise)]


def with_atoms(ledger: Ledger, lookups: Lookups) -> Ledger:
    """The ledger of the same tables in which every combination of groups is a cell.

    Raises
    ------
    DisclosureError
        When there are too many.
    """
    size = linked.atoms(ledger)
    if size > MOST_ATOMS:
        raise DisclosureError(
            f"{size:,} combinations of groups are too many for the full audit: at most {MOST_ATOMS:,}. "
            'Use effort="fast", or audit fewer tables together.'
        )
    return open_ledger(
        ledger.sheets, lookups, keys=ledger.keys, incomplete=ledger.incomplete, together=ledger.together, full=True
    )
