"""Two tables of the same groups of which one holds the other: an old area and the new one, this month and the last."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import permutations

from safeguarding_analytics.findings import Finding, in_row
from safeguarding_analytics.ledger import Sheet, is_hidden

MET = 2
"""Shown rows in which two tables must meet, so that one can be said to hold the other."""


def small_differences(systems: Sequence[Sequence[tuple[Sheet, int]]]) -> list[Finding]:
    """Small counts that are left when one table is taken from another that is nowhere smaller.

    Tables that contradict each other cannot be laid side by side as one system. But where one of them shows no number
    that is smaller than in the other, it may count all that the other does, and more: the people of a larger area, or
    the same people some months later. Who takes one from the other then sees the few that have been added.

    Parameters
    ----------
    systems
        Tables that go together, each with the threshold of its policy.
    """
    found = []
    for one, other in permutations(systems, 2):
        for larger, threshold in one:
            for smaller, own in other:
                found += _left(larger, smaller, max(threshold, own))
    return found


def _left(larger: Sheet, smaller: Sheet, threshold: int) -> list[Finding]:
    if larger.shape.name != smaller.shape.name or set(larger.groups) != set(smaller.groups):
        return []
    if larger.slack != (0, 0) or smaller.slack != (0, 0):
        return []
    rows = {frozenset(row.items()): counts for row, counts in zip(smaller.rows(), smaller.cells.values(), strict=True)}
    pairs = [
        (values, column, count, rows[frozenset(row.items())].get(column))
        for row, (values, counts) in zip(larger.rows(), larger.cells.items(), strict=True)
        if frozenset(row.items()) in rows
        for column, count in counts.items()
    ]
    shown = [
        (values, column, count - other)
        for values, column, count, other in pairs
        if count is not None and other is not None and not is_hidden(count) and not is_hidden(other)
    ]
    if len({values for values, _, _ in shown}) < MET or any(left < 0 for _, _, left in shown):
        return []
    because = (
        f"{larger.name} minus {smaller.name} leaves {{}}, if it counts all that the other does: nothing in it is less."
    )
    return [
        Finding(larger.name, in_row(larger, values), column, int(left), int(left), because.format(int(left)))
        for values, column, left in shown
        if 0 < left < threshold
    ]
