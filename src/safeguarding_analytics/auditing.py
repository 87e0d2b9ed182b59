"""The audit of published tables: what a reader can work out about hidden numbers when they lay them side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import polars as pl

from safeguarding_analytics.disclosure import Policy, Safe, check_adds_up, refuse_identifying
from safeguarding_analytics.findings import Finding, hidden_cells_narrowed
from safeguarding_analytics.ledger import Promise, Sheet, is_hidden, open_ledger, sheet_of
from safeguarding_analytics.tables import SHAPES, Shape, shape_of

HIDING_MARKS = frozenset({"[c]", "c", "*"})
"""Marks of other publishers that mean "hidden to protect someone"; others ([x] not available) promise nothing."""


def audit(
    tables: Sequence[Safe | pl.DataFrame] | Mapping[str, Safe | pl.DataFrame], *, one_system: bool = False
) -> pl.DataFrame:
    """What a reader can work out about hidden numbers from these published tables together.

    Parameters
    ----------
    tables
        Published tables: `Safe`, or frames with a column ``mark``; with names, if given as a mapping.
    one_system
        Whether all tables of a shape are known to count the same things, as those of one measure in a release.
        Then a contradiction between them is an error, and not a sign that they are of different topics.

    Returns
    -------
    pl.DataFrame
        One row per table and hidden count that is known too well, in the order of the tables; no row = nothing to say.
        ``table`` (its name, else "table 1"), ``cell`` (group values), ``column``, ``low`` and ``high`` (smallest and
        largest whole number possible, Int64; high is null where nothing bounds it), ``because`` (one sentence).

    Raises
    ------
    DisclosureError
        When a table has an identifying column, or tables of one system contradict each other.

    Notes
    -----
    Only what is published is used. A hidden count is reported when (a) it is shown in another table; (b) only one whole
    number is possible, other than a public zero; or (c) it is surely small (its largest possible value
    is below the threshold) and not every value that the mark promises is possible: 1 to threshold - 1, or from the
    number of its hidden non-zero parts on where it is a total. One that may be 4 to 8, say, is not reported, because it
    may be a large count that protects others. Policies that protect to the ``"point"`` promise (b) only. Also
    reported, as a cell "all others", is a small count that a total exceeds its shown rows by.

    Tables of the same shape are one system where their shared cells agree; tables that disagree about a cell, or whose
    totals are not the sums of the others' rows, are of different topics and are attacked apart. So are tables that
    share no shown cell, unless the group columns of one contain the other's. Frames without a policy are held to
    `Policy.dfe`. A row whose numbers are null with another mark (``[x]``) or none is unknown to all: no total that
    contains it is used. Percentages and rounded numbers are not yet attacked.

    Examples
    --------
    >>> year = pl.DataFrame({"district": ["D01"], "count": [23], "mark": [""]})
    >>> quarters = pl.DataFrame(
    ...     {"district": ["D01"] * 2, "half": ["H1", "H2"], "count": [20, None], "mark": ["", "[c]"]}
    ... )
    >>> audit({"year": year, "halves": quarters}).select("table", "cell", "low", "high").row(0)
    ('halves', 'district=D01, half=H2', 3, 3)
    """
    named = dict(tables) if isinstance(tables, Mapping) else {f"table {n}": one for n, one in enumerate(tables, 1)}
    by_shape: dict[str, list[tuple[Sheet, Policy]]] = {}
    for name, table in named.items():
        shape, sheet, policy = _published(name, table)
        if shape.name != "ranking":
            by_shape.setdefault(shape.name, []).append((sheet, policy))
    found: list[Finding] = []
    for shape_name, members in by_shape.items():
        if one_system:
            check_adds_up(open_ledger([sheet for sheet, _ in members]))
        for system in [members] if one_system else _of_one_topic(members):
            promise = _common_promise([policy for _, policy in system])
            found += hidden_cells_narrowed([sheet for sheet, _ in system], SHAPES[shape_name], promise)
    position = {name: number for number, name in enumerate(named)}
    found.sort(key=lambda one: (position[one.table], one.cell, one.column))
    schema = {"table": pl.String, "cell": pl.String, "column": pl.String, "low": pl.Int64, "high": pl.Int64}
    return pl.DataFrame(found, schema={**schema, "because": pl.String}, orient="row")


def _published(name: str, table: Safe | pl.DataFrame) -> tuple[Shape, Sheet, Policy]:
    """A published table as its reader sees it, and the policy it is held to."""
    frame, policy = (table.frame(), table.policy) if isinstance(table, Safe) else (table, None)
    refuse_identifying(frame)
    shape = shape_of(frame.columns)
    marks = frozenset({policy.mark}) if policy else HIDING_MARKS
    return shape, sheet_of(frame, name, shape, marks), policy or Policy.dfe()


def _common_promise(policies: list[Policy]) -> Promise:
    """What the marks of several policies promise together: the largest threshold, and else what all of them promise."""
    return Promise(
        max(policy.threshold for policy in policies),
        zeros_shown=all(policy.zeros == "shown" for policy in policies),
        exact_only=all(policy.protect == "point" for policy in policies),
    )


def _of_one_topic(members: list[tuple[Sheet, Policy]]) -> list[list[tuple[Sheet, Policy]]]:
    """Split tables of one shape into systems: those that speak of the same topic."""
    systems: list[list[tuple[Sheet, Policy]]] = []
    for member in members:
        related = [system for system in systems if any(_same_topic(member[0], other[0]) for other in system)]
        systems = [system for system in systems if system not in related]
        systems.append([*(one for system in related for one in system), member])
    return systems


def _same_topic(one: Sheet, other: Sheet) -> bool:
    """Whether two tables do not contradict each other, and share a shown cell or the group columns of one."""
    ledger = open_ledger([one, other])
    if ledger.disagreements:
        return False
    across = [relation for relation in ledger.relations if not ledger.tables_with_all_of(relation)]
    if any(ledger.certain(relation) and not ledger.adds_up(relation) for relation in across):
        return False
    if set(one.groups) <= set(other.groups) or set(other.groups) <= set(one.groups):
        return True
    cells, other_cells = one.placed(ledger.groups), other.placed(ledger.groups)
    return any(
        all(
            count is not None and not is_hidden(count) for count in (*cells[cell].values(), *other_cells[cell].values())
        )
        for cell in cells.keys() & other_cells.keys()
    )
