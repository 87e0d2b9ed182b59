"""Process control: the limits within which a series varied so far (XmR), and which of its points stand out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import fsum, isfinite
from typing import Literal, NamedTuple

import polars as pl

from safeguarding_analytics.errors import ParameterError, TableError, numbered, shorten

Ruleset = Literal["nhsrplotthedots_0_2_2", "making_data_count_2023"]
Desired = Literal["low", "high", "neutral"]
RULESETS: tuple[Ruleset, ...] = ("nhsrplotthedots_0_2_2", "making_data_count_2023")
DESIRED: tuple[Desired, ...] = ("low", "high", "neutral")

OUTSIDE = "outside the limits"
TREND = "trend of seven"
TWO_IN_THREE = "two of three near a limit"
ONE_SIDE = "seven on one side of the mean"
RULES = (OUTSIDE, TREND, TWO_IN_THREE, ONE_SIDE)
"""In the order in which a point takes the first that it meets."""

HIGH, LOW, IMPROVEMENT, CONCERN = "high", "low", "improvement", "concern"
PASS, FAIL, INCONSISTENT = "consistent pass", "consistent fail", "inconsistent"

RUN = 7
FEWEST = 12
"""Limits of fewer points are trial limits."""

TO_LIMITS, TO_SCREEN = 2.66, 3.267
"""Three sigma, and the largest moving range that chance is likely to make, in mean moving ranges of two points."""

SCHEMA: dict[str, type[pl.DataType]] = {
    "position": pl.Int64,
    "phase": pl.Int64,
    "value": pl.Float64,
    "mean": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
    "near_lower": pl.Float64,
    "near_upper": pl.Float64,
    "moving_range": pl.Float64,
    "side_of_mean": pl.Int64,
    "outside": pl.Boolean,
    "near": pl.Boolean,
    "rule": pl.String,
    "side": pl.String,
    "direction": pl.String,
}


@dataclass(frozen=True)
class ControlChart:
    """A series with its limits: ``points`` as `xmr` describes them, and what is to be said of all of them.

    ``ruleset`` names the rules; ``trial`` is whether a phase has limits of fewer than 12 points; ``assurance`` is what
    the latest limits promise of the target, None without one; ``notes`` are sentences for beside the chart.
    """

    points: pl.DataFrame
    ruleset: Ruleset
    desired: Desired
    target: float | None
    assurance: str | None
    trial: bool
    notes: tuple[str, ...]


class _Limits(NamedTuple):
    """The mean and the mean moving range of a phase; None where it has one point and so no range."""

    mean: float
    mean_range: float | None

    def away(self, sigmas: int) -> float | None:
        """The value so many sigmas away from the mean, below it where they are negative."""
        return None if self.mean_range is None else self.mean + sigmas / 3 * TO_LIMITS * self.mean_range


def xmr(
    values: Sequence[float],
    *,
    ruleset: Ruleset = "nhsrplotthedots_0_2_2",
    desired: Desired = "low",
    screening: bool = True,
    baseline: int | None = None,
    rebase: Sequence[int] = (),
    target: float | None = None,
) -> ControlChart:
    """Process limits of a series of equal periods (XmR chart), and the points that ordinary variation does not explain.

    Parameters
    ----------
    values
        One number per period, in their order, without gaps.
    ruleset
        ``"nhsrplotthedots_0_2_2"``: two of three count as near a limit only if they lie between the near limit and
        the limit. ``"making_data_count_2023"``: all points beyond the near limit count, as in the workbook of NHS
        England since November 2023. They differ in nothing else.
    desired
        Whether low or high values are wanted, or neither (``"neutral"``).
    screening
        Whether moving ranges of 3.267 times their mean or more are left out and the mean taken again, so that one leap
        does not widen the limits. NHSRplotthedots does, the workbook of NHS England does not.
    baseline
        Limits are those of the first so many points of each phase; None for all of them.
    rebase
        Positions, counted from 1, of the points with which a phase with limits of its own starts.
    target
        A value to be kept, of which the limits say whether it will be.

    Returns
    -------
    ControlChart
        ``points`` has one row per value, in their order.

        - ``position``, ``phase``: counted from 1; ``value``: as given
        - ``mean``; ``lower``, ``upper``: limits, three sigma; ``near_lower``, ``near_upper``: two sigma. They may lie
          below 0 where values cannot. All but the mean are null in a phase of one point
        - ``moving_range``: distance to the value before; null at the start of a phase
        - ``side_of_mean``: -1 below, 0 on it, 1 above; ``outside``: strictly beyond a limit; ``near``: what counts for
          two of three
        - ``rule``: the first of `RULES` that the point meets, ``""`` for ordinary variation
        - ``side``: whether the rule found it high or low (of a trend: rising or falling), else ``""``
        - ``direction``: ``"improvement"`` or ``"concern"`` by what is desired; the side where that is neutral

    Raises
    ------
    TableError
        There is no value, or one that is missing or no number.
    ParameterError
        A choice is not known, or a baseline or a position is none; all of them are named.

    Notes
    -----
    Mean ± 2.66 times the mean moving range; near limits at two thirds of it. Trend: six steps in the same direction, a
    tie ends it, all seven points are named. Two of three: three points in a row on one side of the mean, two of them or
    all near a limit; those are named. Seven in a row on one side, all are named; a point on the mean ends it. Neither
    limits nor runs cross phases. Where a point belongs to a rise and a fall, it counts for the one that came first.

    If screening leaves no range that is above 0, as in a series that mostly repeats one value, the limits are those of
    all ranges, and a note says so. Limits of fewer than 12 points are trial limits: they will move with every point.

    References
    ----------
    NHS England, Making Data Count; NHSRplotthedots 0.2.2; Provost & Murray 2011, The Health Care Data Guide.

    Examples
    --------
    >>> chart = xmr([5, 6, 5, 4, 6, 5, 7, 4, 5, 6, 5, 11], desired="low")
    >>> chart.points.row(-1, named=True)["rule"], chart.points.row(-1, named=True)["direction"], chart.trial
    ('outside the limits', 'concern', False)
    """
    _check(values, ruleset, desired, baseline, rebase)
    starts = [1, *sorted(rebase), len(values) + 1]
    phases = [[float(one) for one in values[a - 1 : b - 1]] for a, b in pairwise(starts)]
    rows: list[dict[str, object]] = []
    notes: list[str] = []
    for number, phase in enumerate(phases, start=1):
        of_phase = f"Phase {number}: " if len(phases) > 1 else ""
        based = phase[:baseline]
        limits, said = _limits(based, screening)
        notes += [f"{of_phase}{one}" if of_phase else one[0].upper() + one[1:] for one in (*_trial_notes(based), *said)]
        rows += [
            {"position": starts[number - 1] + place, "phase": number, **row}
            for place, row in enumerate(_rows(phase, limits, ruleset, desired))
        ]
    return ControlChart(
        points=pl.DataFrame(rows, schema=SCHEMA),
        ruleset=ruleset,
        desired=desired,
        target=target,
        assurance=_assurance(target, limits, desired),
        trial=any(len(phase[:baseline]) < FEWEST for phase in phases),
        notes=tuple(notes),
    )


def _check(values: Sequence[float], ruleset: str, desired: str, baseline: int | None, rebase: Sequence[int]) -> None:
    if not len(values):
        raise TableError("a control chart needs at least one value. Found: none.")
    wrong = [place for place, one in enumerate(values, start=1) if one is None or not isfinite(one)]
    if wrong:
        raise TableError(
            f"a control chart needs a number for every period. Found: {numbered(len(wrong), 'value')} of "
            f"{len(values):,} missing or no number, at position {shorten(wrong)}. "
            "Chart longer periods, or start behind the gap."
        )
    problems = [
        f"{name} must be one of {', '.join(allowed)}. Found: {found}."
        for name, found, allowed in (("ruleset", ruleset, RULESETS), ("desired", desired, DESIRED))
        if found not in allowed
    ]
    if baseline is not None and baseline < 2:
        problems.append(f"baseline is a number of points, 2 or more: a range needs two. Found: {baseline}.")
    outside = [one for one in rebase if not 2 <= one <= len(values)]
    if outside:
        problems.append(
            f"rebase holds positions at which a phase starts, from 2 to {len(values):,}. Found: {shorten(outside)}."
        )
    if len(set(rebase)) < len(rebase):
        problems.append(f"rebase names a position twice. Found: {shorten(sorted(rebase))}.")
    if problems:
        raise ParameterError("\n".join(problems))


def _mean(numbers: Sequence[float]) -> float:
    # A sum without rounding on the way, so that the mean of equal values is that value.
    return fsum(numbers) / len(numbers)


def _ranges(phase: Sequence[float]) -> list[float]:
    return [abs(after - before) for before, after in pairwise(phase)]


def _limits(based: Sequence[float], screening: bool) -> tuple[_Limits, list[str]]:
    """The limits of these points, and what is to be said of them."""
    mean, ranges = _mean(based), _ranges(based)
    if not ranges:
        return _Limits(mean, None), ["there is one point, and so no limits."]
    all_of_them = _mean(ranges)
    if all_of_them == 0:
        return _Limits(mean, 0.0), ["all values are the same; the limits have no width."]
    kept = [one for one in ranges if one < TO_SCREEN * all_of_them] if screening else ranges
    if any(kept):
        return _Limits(mean, _mean(kept)), []
    said = "screening would leave no variation at all; the limits are worked out of all moving ranges."
    return _Limits(mean, all_of_them), [said]


def _trial_notes(based: Sequence[float]) -> list[str]:
    said = f"trial limits, worked out of {numbered(len(based), 'point')}, fewer than {FEWEST}."
    return [said] if 1 < len(based) < FEWEST else []


def _rows(phase: Sequence[float], limits: _Limits, ruleset: Ruleset, desired: Desired) -> list[dict[str, object]]:
    lower, near_lower, near_upper, upper = (limits.away(sigmas) for sigmas in (-3, -2, 2, 3))
    sides = [_sign(one - limits.mean) for one in phase]
    outside = [_beyond(one, lower, upper) for one in phase]
    also_outside = ruleset == "making_data_count_2023"
    near = [
        _beyond(one, near_lower, near_upper) and (also_outside or not out)
        for one, out in zip(phase, outside, strict=True)
    ]
    found = {
        OUTSIDE: [side * out for side, out in zip(sides, outside, strict=True)],
        TREND: _trends(phase),
        TWO_IN_THREE: _two_in_three(sides, near),
        ONE_SIDE: _runs(sides),
    }
    ranges = [None, *_ranges(phase)]
    rows: list[dict[str, object]] = []
    for place, value in enumerate(phase):
        rule = next((name for name in RULES if found[name][place]), "")
        side = {1: HIGH, -1: LOW, 0: ""}[found[rule][place] if rule else 0]
        rows.append(
            {
                "value": value,
                "mean": limits.mean,
                "lower": lower,
                "upper": upper,
                "near_lower": near_lower,
                "near_upper": near_upper,
                "moving_range": ranges[place],
                "side_of_mean": sides[place],
                "outside": outside[place],
                "near": near[place],
                "rule": rule,
                "side": side,
                "direction": _direction(side, desired),
            }
        )
    return rows


def _sign(number: float) -> int:
    return (number > 0) - (number < 0)


def _beyond(value: float, lower: float | None, upper: float | None) -> bool:
    return lower is not None and upper is not None and not lower <= value <= upper


def _direction(side: str, desired: Desired) -> str:
    if not side or desired == "neutral":
        return side
    return IMPROVEMENT if side == desired else CONCERN


def _trends(phase: Sequence[float]) -> list[int]:
    """1 for the points of a rise of seven or more, -1 of a fall, 0 for others."""
    steps = [_sign(after - before) for before, after in pairwise(phase)]
    found = [0] * len(phase)
    for start in range(len(steps) - RUN + 2):
        window = steps[start : start + RUN - 1]
        if window[0] and len(set(window)) == 1:
            for place in range(start, start + RUN):
                found[place] = found[place] or window[0]
    return found


def _two_in_three(sides: Sequence[int], near: Sequence[bool]) -> list[int]:
    """The side of the points near a limit where, of three in a row on one side of the mean, two are or all; else 0."""
    found = [0] * len(sides)
    for start in range(len(sides) - 2):
        places = range(start, start + 3)
        if abs(sum(sides[place] for place in places)) == 3 and sum(near[place] for place in places) >= 2:
            for place in places:
                found[place] = found[place] or sides[place] * near[place]
    return found


def _runs(sides: Sequence[int]) -> list[int]:
    """The side of the points of seven in a row, or more, on one side of the mean; else 0."""
    found = [0] * len(sides)
    for start in range(len(sides) - RUN + 1):
        if abs(sum(sides[start : start + RUN])) == RUN:
            found[start : start + RUN] = sides[start : start + RUN]
    return found


def _assurance(target: float | None, latest: _Limits, desired: Desired) -> str | None:
    """What the latest limits promise of the target: that it is always kept, never, or now and then."""
    lower, upper = latest.away(-3), latest.away(3)
    if target is None or desired == "neutral" or lower is None or upper is None:
        return None
    if lower <= target <= upper:
        return INCONSISTENT
    return FAIL if (target > upper) == (desired == "high") else PASS
