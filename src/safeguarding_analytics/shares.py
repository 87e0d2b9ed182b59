"""Percentages and rates that are shown beside counts that are not: what they tell of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.dimensions import values_of
from safeguarding_analytics.shapes import Shape

MOST_DECIMALS = 12
"""Decimals above which a share counts as printed in full."""


class Share(NamedTuple):
    """What a share tells of the counts of its row: each sum of factors times columns is at least a number."""

    column: str
    at_least: tuple[tuple[dict[str, float], float], ...]


def shares_of(
    frame: pl.DataFrame, shape: Shape, groups: tuple[str, ...], hiding_marks: frozenset[str]
) -> Iterator[tuple[tuple[str, ...], Share]]:
    """The shares of rows in which a count is hidden, by row.

    A share p of n in N, printed to a whole number of decimals, says that n lies between (p - e) N and (p + e) N, where
    e is half a unit of the last decimal: a line in n and N, also where both are hidden.
    """
    parts = {
        column: (above, below)
        for column, above, below in SHARES.get(shape.name, ())
        if column in frame.columns and frame[column].dtype.is_float()
    }
    if "mark" not in frame.columns or not parts:
        return
    half = {column: half_a_unit(frame[column]) for column in parts}
    for row in frame.filter(pl.col("mark").is_in(list(hiding_marks))).iter_rows(named=True):
        values = values_of(row[group] for group in groups)
        for column, (above, below) in parts.items():
            share = row[column]
            if share is None:
                continue
            least = {**above, below[0]: above.get(below[0], 0.0) - (share - half[column]) / below[1]}
            most = {name: -factor for name, factor in above.items()}
            most[below[0]] = most.get(below[0], 0.0) + (share + half[column]) / below[1]
            lines = [_with_context(line, row, shape) for line in (least, most)]
            yield values, Share(column, tuple(line for line in lines if line is not None))


SHARES: dict[str, tuple[tuple[str, dict[str, float], tuple[str, float]], ...]] = {
    "proportion": (("proportion", {"numerator": 1.0}, ("denominator", 1.0)),),
    "rate": (("rate", {"count": 1.0}, ("population", 10_000.0)),),
    "coverage": (("reach", {"people": 1.0}, ("eligible_staff", 1.0)),),
    "cost": (
        ("cost_per_place", {"total_cost": 1.0}, ("places", 1.0)),
        ("cost_per_person", {"total_cost": 1.0}, ("people", 1.0)),
    ),
    "attendance": (
        ("attendance_rate", {"attended": 1.0, "walk_ins": -1.0}, ("registered", 1.0)),
        ("take_up", {"attended": 1.0}, ("capacity", 1.0)),
    ),
    "item_change": (
        ("share_before", {"n_same_high": 1.0, "n_down": 1.0}, ("n_pairs", 1.0)),
        ("share_after", {"n_same_high": 1.0, "n_up": 1.0}, ("n_pairs", 1.0)),
    ),
}
"""Of each shape: the share, what stands above its line, what below it, and per how many."""


def half_a_unit(shares: pl.Series) -> float:
    """Half a unit of the last decimal to which a column is printed."""
    known = shares.drop_nulls()
    for decimals in range(MOST_DECIMALS):
        if bool(((known.round(decimals) - known).abs() < 10.0 ** -(MOST_DECIMALS + 1)).all()):
            return float(0.5 * 10.0**-decimals)
    return 1e-9


def _with_context(
    line: dict[str, float], row: dict[str, object], shape: Shape
) -> tuple[dict[str, float], float] | None:
    """A line in counts alone: what everybody knows (a population) goes to the other side."""
    known = 0.0
    for column in shape.context:
        if column in line:
            value = row.get(column)
            if not isinstance(value, int | float):
                return None
            known += line.pop(column) * float(value)
    return ({column: factor for column, factor in line.items() if factor}, -known)
