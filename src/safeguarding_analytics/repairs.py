"""Published tables that together give a hidden number away → the same tables with more of them hidden.

Nothing is known here of what is hidden: that what is shown more than is safe is hidden too follows from the published
tables alone.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

import numpy as np
import polars as pl

from safeguarding_analytics import attacker, linked
from safeguarding_analytics.auditing import Lookups, Member, systems_of, with_atoms
from safeguarding_analytics.dimensions import read_lookups, values_of
from safeguarding_analytics.disclosure import Within
from safeguarding_analytics.errors import DisclosureError, numbered
from safeguarding_analytics.findings import known_too_well
from safeguarding_analytics.ledger import MOST_ATOMS, Ledger, Name, is_hidden, open_ledger
from safeguarding_analytics.masking import with_correction, with_what_follows
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.protection import protect
from safeguarding_analytics.safe import Safe, number_columns
from safeguarding_analytics.systems import write_down


def repair(
    tables: Mapping[str, Safe], *, within: Within = (), fixed: Collection[str] = (), one_system: bool = False
) -> dict[str, Safe]:
    """The same tables with so much more hidden that nothing can be worked out of them together.

    Parameters
    ----------
    tables
        Published tables by name.
    within
        Which groups lie within which others; see `audit`.
    fixed
        Names of those that cannot be changed, because they are public already.
    one_system
        Whether all tables of a shape are known to count the same things; see `audit`.

    Returns
    -------
    dict[str, Safe]
        Every table under its name, the fixed ones as they were.

    Raises
    ------
    DisclosureError
        When the tables cannot be repaired: what is fixed gives a number away, whatever the others hide.

    Notes
    -----
    To protect the tables together where they are made (``suppress([one, other], policy)``) may hide fewer cells: it
    knows which counts are small.
    """
    lookups = read_lookups(within)
    done = dict(tables)
    members = {
        name: (linked.sheet_of_safe(table, name), table.policy or Policy.dfe())
        for name, table in tables.items()
        if table.shape.all_counts
    }
    for system in systems_of(list(members.values()), lookups, one_system):
        hidden = _further_hidden(system, lookups, set(fixed))
        for sheet, _ in system:
            if sheet.name not in fixed:
                done[sheet.name] = _with_more_hidden(tables[sheet.name], hidden.get(sheet.name, set()))
        mended = [linked.sheet_of_safe(done[sheet.name], sheet.name) for sheet, _ in system]
        promise = linked.common_promise(policy for _, policy in system)
        left = known_too_well(_as_full_as_can_be(open_ledger(mended, lookups), lookups), promise)
        if left:
            why = "the tables that are public already give them away" if fixed else "the tables are too small"
            raise DisclosureError(
                f"{numbered(len(left), 'hidden number')} could still be worked out, however much more is hidden: "
                f"{why}. Publish the new tables with fewer or wider groups."
            )
    return done


def _further_hidden(
    system: list[Member], lookups: Lookups, fixed: set[str]
) -> dict[str, set[tuple[tuple[str, ...], str]]]:
    """What must be hidden besides, by table: group values and columns."""
    sheets = [sheet for sheet, _ in system]
    seen = open_ledger(sheets, lookups)
    # What one table hides another must not show.
    twice = {
        name
        for name, prints in seen.prints.items()
        if any(is_hidden(sheets[one.sheet].cells[one.values][one.column]) for one in prints)
    }
    hidden = [
        sheet if sheet.name in fixed else sheet.without(_printed(seen, twice).get(sheet.name, set()))
        for sheet in sheets
    ]
    ledger = _as_full_as_can_be(open_ledger(hidden, lookups, keys=seen.keys, incomplete=seen.incomplete), lookups)
    written = write_down(ledger, linked.common_promise(policy for _, policy in system))
    table = attacker.consistent_table(written.system)
    if table is None:
        raise DisclosureError(
            "the published tables contradict each other, so that they cannot be repaired. Check the totals."
        )
    is_open = np.isnan(written.system.values)
    # What a fixed table shows stays shown.
    bound = [
        not is_hidden(ledger.counts[name])
        and any(sheets[one.sheet].name in fixed for one in ledger.prints.get(name, ()))
        for name in written.names
    ]
    unit = written.system.unit.copy()
    unit[: len(bound)][bound] = -1
    complete = replace(
        written.system,
        values=table,
        unit=unit,
        seen_low=np.where(is_open, table, written.system.seen_low),
        seen_high=np.where(is_open, table, written.system.seen_high),
    )
    found = protect(complete, start=is_open | complete.free)
    names = {name for name, flag in zip(written.names, found[: len(written.names)], strict=True) if flag}
    return _printed(ledger, names | twice)


def _as_full_as_can_be(ledger: Ledger, lookups: Lookups) -> Ledger:
    """The ledger with every combination of groups as a cell, where there are not too many."""
    several = len(ledger.sheets) > 1 and linked.atoms(ledger) <= MOST_ATOMS
    return with_atoms(ledger, lookups) if several else ledger


def _printed(ledger: Ledger, names: set[Name]) -> dict[str, set[tuple[tuple[str, ...], str]]]:
    """Where some numbers are printed, by table."""
    found: dict[str, set[tuple[tuple[str, ...], str]]] = {}
    for name in names:
        for one in ledger.prints.get(name, ()):
            found.setdefault(ledger.sheets[one.sheet].name, set()).add((one.values, one.column))
    return found


def _with_more_hidden(table: Safe, hidden: set[tuple[tuple[str, ...], str]]) -> Safe:
    """A safe table with more numbers null, and the mark on their rows."""
    frame, shape = table.frame(), table.shape
    groups = shape.group_columns(frame.columns)
    rows = [values_of(row) for row in frame.select(groups).rows()] if groups else [()] * frame.height
    lead = shape.counts[0]
    columns = number_columns(frame, shape)
    flags = with_what_follows(
        {column: [(row, lead) in hidden or (row, column) in hidden for row in rows] for column in columns}, shape
    )
    known = [column for column in columns if frame[column].null_count() < frame.height]
    newly = [
        any(flags[column][place] and frame[column][place] is not None for column in known)
        for place in range(frame.height)
    ]
    if not any(newly):
        return table
    mark = table.policy.mark if table.policy else Policy.dfe().mark
    fewer = frame.with_columns(
        *(pl.when(~pl.Series(flags[column])).then(column).alias(column) for column in columns),
        pl.when(pl.Series(newly)).then(pl.lit(mark)).otherwise("mark").alias("mark"),
    )
    return Safe(with_correction(fewer), table.policy, table.source)
