"""Indicators in their surroundings: every authority of a year in a funnel, and counts over time in a control chart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import polars as pl

from safeguarding_analytics.cells import rounded
from safeguarding_analytics.errors import ParameterError, TableError, numbered, require_columns, shorten
from safeguarding_analytics.overdispersion import (
    Dispersion,
    Limits,
    dispersion,
    funnel_limits,
    poisson_limits,
    proportion_limits,
)
from safeguarding_analytics.process_control import ControlChart, Desired, Ruleset, xmr
from safeguarding_analytics.tables import TOTAL

Kind = Literal["proportion", "rate"]
Period = Literal["month", "quarter", "time_period"]

COUNTS: dict[Kind, tuple[str, str]] = {
    "proportion": ("numerator", "denominator"),
    "rate": ("count", "population"),
}
"""By kind of figure, the columns of what is observed and of what it is measured on."""

PER = {"proportion": 1.0, "rate": 10_000.0}
LEVEL = "local authority"
INSIDE = "inside"
POSITIONS = ("below 99.8%", "below 95%", INSIDE, "above 95%", "above 99.8%")
"""Where an area lies: of the adjusted limits the furthest that it is beyond."""

FORMS: dict[Period, tuple[str, str, int]] = {
    "month": (r"(\d{4})-(0[1-9]|1[0-2])", "2011-05", 12),
    "quarter": (r"(\d{4})-(01 to \1-03|04 to \1-06|07 to \1-09|10 to \1-12)", "2011-04 to 2011-06", 4),
    "time_period": (r"(\d{4})()", "2011", 1),
}
"""By period, how it is written, an example, and how many there are in a year."""


@dataclass(frozen=True)
class AreaFunnel:
    """All areas of a year in one funnel: ``table`` of shape funnel, and what is to be said of all of them.

    ``average`` is that of all areas together, 0 to 1 or per 10,000; φ (``phi``) and τ² (``tau2``) say how far areas lie
    apart; ``left_out`` are the names of areas without a number. Outside and inside are counted by the 99.8% limits:
    of chance alone (``plain``), and with the variation between areas (``adjusted``).
    """

    table: pl.DataFrame
    kind: Kind
    time_period: str
    areas: int
    left_out: tuple[str, ...]
    average: float
    phi: float
    tau2: float
    inside_plain: int
    outside_plain: int
    outside_adjusted: int

    @property
    def notes(self) -> tuple[str, ...]:
        """Sentences for beside the funnel: how misleading plain limits are, how they were widened, who is left out."""
        areas = numbered(self.areas, "area")
        left_out = numbered(len(self.left_out), "area")
        times = f"{rounded(self.phi, 1)} times what" if self.phi > 1 else "no more than"
        return (
            f"{self.outside_plain:,} of {areas} lie outside the 99.8% limits of chance alone. The spread between areas "
            f"is {times} chance alone would make it.",
            f"With limits that allow for the ordinary differences between areas, {self.outside_adjusted:,} of {areas} "
            "lie outside.",
            *([f"{left_out} without a number left out: {shorten(self.left_out)}."] if self.left_out else []),
        )

    @property
    def spread(self) -> str:
        """How far the areas lie apart, by the names of the method: for the definition of the funnel."""
        return (
            f"φ = {rounded(self.phi, 2)}: how many times as much the areas vary as they would by chance alone; "
            f"τ² = {rounded(self.tau2, 5)}: the variance between areas that chance does not explain."
        )


class CountChart(NamedTuple):
    """Counts of equal periods: ``table`` of shape control_chart, and the ``chart`` with its notes and its rule set."""

    table: pl.DataFrame
    chart: ControlChart


def funnel_of_areas(
    published: pl.DataFrame, *, kind: Kind = "proportion", time_period: str, share: float = 0.1
) -> AreaFunnel:
    """All local authorities of a year, each beside the limits within which chance and ordinary variation keep them.

    Parameters
    ----------
    published
        One row per area and year with ``time_period``, ``geographic_level``, ``area``, and ``numerator`` and
        ``denominator``, or for rates ``count`` and ``population``. Other levels and columns are left out.
    kind
        ``"proportion"`` for shares, ``"rate"`` for numbers per 10,000.
    time_period
        Reporting year such as ``"2025"``. Put the population of the mid-year before beside it.
    share
        Of the areas at either end, how many are drawn in (winsorised) before φ is taken; 0 for none.

    Returns
    -------
    AreaFunnel
        ``table`` has one row per local authority with numbers, sorted by ``area``. Published figures: suppressed by
        their publisher, not by this function.

        - ``observed``, ``size``: counts; ``value``: observed ÷ size, 0 to 1 or per 10,000
        - ``average``: that of all the areas in the table together, in every row
        - ``lower_95``, ``upper_95``, ``lower_998``, ``upper_998``: limits at this size, adjusted for the variation
          between areas
        - ``plain_lower_998``, ``plain_upper_998``: limits of chance alone
        - ``position``: one of `POSITIONS`, by the adjusted limits

    Raises
    ------
    TableError
        A column is missing, an area stands twice, its numbers cannot be, or there is nothing to compare.
    ParameterError
        The kind is not known, or there is no local authority in that year.

    Notes
    -----
    Spiegelhalter's additive model, of shares on the arcsine scale. Rates are taken as ratios to the number that the
    average of all areas makes one expect, on the square-root scale: there the standard error of a count is the same
    whatever its size, and areas without events have a place. Its limits are squared. The plain limits are those of the
    score test (of shares), and of the exact Poisson test (of rates), so that an area lies outside just when its Wilson
    or exact Poisson interval does not hold the average.

    An area outside is unlike the others by more than ordinary variation. That says nothing of why, and is no verdict.

    References
    ----------
    Spiegelhalter 2005, Quality and Safety in Health Care 14:347; PHE/OHID technical guidance.

    Examples
    --------
    >>> published = pl.DataFrame(
    ...     {
    ...         "time_period": ["2025"] * 4,
    ...         "geographic_level": ["national", *["local authority"] * 3],
    ...         "area": ["England", "Kent", "Kirklees", "Rutland"],
    ...         "numerator": [15130, 310, 173, None],
    ...         "denominator": [61840, 1274, 623, 30],
    ...     }
    ... )
    >>> funnel = funnel_of_areas(published, time_period="2025")
    >>> funnel.table.select("area", "observed", "size", "position").rows()
    [('Kent', 310, 1274, 'inside'), ('Kirklees', 173, 623, 'inside')]
    >>> funnel.left_out
    ('Rutland',)
    """
    if kind not in COUNTS:
        raise ParameterError(f"kind must be one of {', '.join(COUNTS)}. Found: {kind}.")
    known, left_out = _areas(published, COUNTS[kind], time_period)
    observed, size = known["observed"], known["size"]
    areas = known["area"].to_list()
    if kind == "proportion":
        found = dispersion(observed.to_list(), size.to_list(), scale="arcsine", share=share, names=areas)
        average, measured_on = found.average, size.to_list()
        plain = proportion_limits(measured_on, average, confidence=0.998)
    else:
        average = int(observed.sum()) / int(size.sum())
        measured_on = (size * average).to_list()
        found = dispersion(observed.to_list(), measured_on, scale="square_root", share=share, names=areas)
        plain = poisson_limits(measured_on, confidence=0.998)
    table = _with_limits(known, measured_on, found, plain, kind, average)
    outside_plain = table.filter(~pl.col("value").is_between("plain_lower_998", "plain_upper_998")).height
    return AreaFunnel(
        table=table,
        kind=kind,
        time_period=time_period,
        areas=table.height,
        left_out=tuple(left_out),
        average=average * PER[kind],
        phi=found.phi,
        tau2=found.tau2,
        inside_plain=table.height - outside_plain,
        outside_plain=outside_plain,
        outside_adjusted=table.filter(pl.col("position").is_in([POSITIONS[0], POSITIONS[-1]])).height,
    )


def _areas(published: pl.DataFrame, counts: tuple[str, str], time_period: str) -> tuple[pl.DataFrame, list[str]]:
    """The local authorities of the year that have both numbers, and the names of those that have not."""
    require_columns(published.columns, ("time_period", "geographic_level", "area", *counts), "published")
    authorities = published.filter(pl.col("geographic_level") == LEVEL)
    of_year = authorities.filter(pl.col("time_period") == time_period).sort("area")
    if of_year.is_empty():
        years = authorities["time_period"].unique().sort().to_list()
        raise ParameterError(
            f'time_period: no {LEVEL} in "{time_period}". There are some in: {shorten(years) if years else "no year"}.'
        )
    twice = of_year.filter(~pl.col("area").is_first_distinct())["area"].unique().sort().to_list()
    if twice:
        raise TableError(
            f"published: {numbered(len(twice), 'area')} more than once in {time_period}: {shorten(twice)}. "
            "Keep one row of each."
        )
    observed, size = (pl.col(name) for name in counts)
    whole = of_year.with_columns(observed=observed.cast(pl.Int64), size=size.cast(pl.Int64))
    # No one to count among: there is no share, and no rate.
    has_both = pl.col("observed").is_not_null() & pl.col("size").is_not_null() & (pl.col("size") != 0)
    known = whole.filter(has_both).select("area", "observed", "size")
    if not known["observed"].sum():
        raise TableError(
            f"published: nothing to compare in {time_period}: of {numbered(of_year.height, 'area')} "
            f"{known.height:,} have both {counts[0]} and {counts[1]}, and none of them an event."
        )
    return known, whole.filter(~has_both)["area"].to_list()


def _with_limits(
    known: pl.DataFrame,
    measured_on: Sequence[float],
    found: Dispersion,
    plain: Limits,
    kind: Kind,
    average: float,
) -> pl.DataFrame:
    """The areas with their values and limits in the order of the shape."""
    # Limits of rates are ratios to the average.
    unit = PER[kind] if kind == "proportion" else PER[kind] * average
    limits = {
        name: funnel_limits(
            measured_on, scale=found.scale, average=found.average, tau2=found.tau2, confidence=confidence
        )
        for name, confidence in (("95", 0.95), ("998", 0.998))
    }
    value = pl.col("observed") / pl.col("size") * PER[kind]
    ends = {f"{end}_{name}": getattr(pair, end) for name, pair in limits.items() for end in ("lower", "upper")}
    ends |= {"plain_lower_998": plain.lower, "plain_upper_998": plain.upper}
    lowest, low, inside, high, highest = (pl.lit(position) for position in POSITIONS)
    return known.with_columns(
        value=value,
        average=pl.lit(average * PER[kind]),
        **{name: pl.Series(numbers * unit, dtype=pl.Float64) for name, numbers in ends.items()},
    ).with_columns(
        position=pl.when(pl.col("value") < pl.col("lower_998"))
        .then(lowest)
        .when(pl.col("value") > pl.col("upper_998"))
        .then(highest)
        .when(pl.col("value") < pl.col("lower_95"))
        .then(low)
        .when(pl.col("value") > pl.col("upper_95"))
        .then(high)
        .otherwise(inside)
    )


def control_chart_of(
    counts: pl.DataFrame,
    *,
    period: Period = "month",
    count: str = "count",
    covered: tuple[str, str] | None = None,
    ruleset: Ruleset = "nhsrplotthedots_0_2_2",
    desired: Desired = "low",
    screening: bool = True,
    baseline: int | None = None,
    rebase: Sequence[str] = (),
    target: float | None = None,
) -> CountChart:
    """Counts of equal periods beside the limits within which they varied so far, and which of them stand out.

    Parameters
    ----------
    counts
        One row per period with the columns ``period`` and ``count``. A margin ("Total") is left out. Take counts as
        they are shown: limits worked out of hidden ones would help to work those out.
    period
        The column of periods, which says what they are: ``"month"`` (``"2011-05"``), ``"quarter"``
        (``"2011-04 to 2011-06"``) or ``"time_period"`` (``"2011"``).
    count
        The column of counts.
    covered
        First and last period in which every event would be in the data: periods without a row between them had none
        and count 0. Where it is not given a gap is refused, since it may be one in the data.
    ruleset, desired, screening, baseline, target
        As in `process_control.xmr`.
    rebase
        Periods with which a phase with limits of its own starts.

    Returns
    -------
    CountChart
        ``table`` has one row per period, in their order, with ``value`` (the count), ``mean``, ``lower``, ``upper``,
        ``near_lower``, ``near_upper``, ``rule`` and ``direction`` as in `process_control.xmr`, the last two null for
        ordinary variation. Not suppressed.

    Raises
    ------
    TableError
        A column is missing; periods are not written as such, stand twice, have no count or are missing; or there is
        none.
    ParameterError
        A setting is not known, or a period named in ``covered`` or ``rebase`` is none of the series.

    Examples
    --------
    >>> counts = pl.DataFrame({"month": ["2011-04", "2011-05", "2011-07"], "count": [6, 8, 7]})
    >>> control_chart_of(counts, covered=("2011-04", "2011-08")).table["value"].to_list()
    [6, 8, 0, 7, 0]
    """
    if period not in FORMS:
        raise ParameterError(f"period must be one of {', '.join(FORMS)}. Found: {period}.")
    require_columns(counts.columns, (period, count), "counts")
    rows = counts.filter(pl.col(period).cast(pl.String).ne_missing(TOTAL))
    values = _series(rows[period].cast(pl.String).to_list(), rows[count], period)
    series = _without_gaps(values, period, covered)
    names = list(series)
    unknown = [one for one in rebase if one not in series]
    if unknown:
        raise ParameterError(
            f"rebase names periods that are not in the series: {shorten(unknown)}. "
            f"It runs from {names[0]} to {names[-1]}."
        )
    chart = xmr(
        list(series.values()),
        ruleset=ruleset,
        desired=desired,
        screening=screening,
        baseline=baseline,
        rebase=[names.index(one) + 1 for one in rebase],
        target=target,
    )
    table = chart.points.select(
        pl.Series(period, names, dtype=pl.String),
        pl.col("value").cast(pl.Int64),
        *("mean", "lower", "upper", "near_lower", "near_upper"),
        # A file of a release tells no empty text from nothing.
        *(pl.col(name).replace("", None) for name in ("rule", "direction")),
    )
    return CountChart(table, chart)


def _series(names: list[str | None], counts: pl.Series, period: Period) -> dict[str, int]:
    """The count of each period as given; periods that are none, stand twice or have no count are all named."""
    pattern, example, _ = FORMS[period]
    found = [one if one is not None else "nothing" for one in names]
    numbers = counts.cast(pl.Float64)
    wrong = ~numbers.is_finite() | (numbers < 0) | (numbers != numbers.round())
    several = {
        f"not written as {example}": [one for one in found if not re.fullmatch(pattern, one)],
        "in more than one row; keep one value of the other columns": sorted(
            {one for place, one in enumerate(found) if one in found[:place]}
        ),
        "without a count; where it is hidden, chart longer periods": [
            one for one, missing in zip(found, counts.is_null(), strict=True) if missing
        ],
        "with a count that is no whole number of 0 or more": [
            one for one, is_wrong in zip(found, wrong, strict=True) if is_wrong
        ],
    }
    problems = [
        f"counts: {numbered(len(which), 'row' if what.startswith('not') else 'period')} {what}: {shorten(which)}."
        for what, which in several.items()
        if which
    ]
    if not found and not problems:
        problems = [f"counts: no {period} in the table. Wanted: a row per {period}."]
    if problems:
        raise TableError("\n".join(problems))
    return {one: int(number) for one, number in zip(found, numbers, strict=True)}


def _without_gaps(values: dict[str, int], period: Period, covered: tuple[str, str] | None) -> dict[str, int]:
    """The series in order; what is covered and has no row counts 0, any other gap is refused."""
    by_place = {_place(name, period): count for name, count in values.items()}
    if covered is None:
        first, last = min(by_place), max(by_place)
    else:
        first, last = _window(covered, period)
        beyond = sorted(name for name in values if not first <= _place(name, period) <= last)
        if beyond:
            raise ParameterError(
                f"covered runs from {covered[0]} to {covered[1]}, and there are counts beyond it: {shorten(beyond)}. "
                "Leave those out, or widen it."
            )
    names = {_place(name, period): name for name in values}
    gaps = [_name(place, period) for place in range(first, last + 1) if place not in by_place]
    if gaps and covered is None:
        raise TableError(
            f"counts: {numbered(len(gaps), 'period')} missing between {names[first]} and {names[last]}: "
            f"{shorten(gaps)}. Where nothing happened in them, say so with covered=(first, last); where they are "
            "missing from the data, start behind the gap."
        )
    return {names.get(place, _name(place, period)): by_place.get(place, 0) for place in range(first, last + 1)}


def _window(covered: tuple[str, str], period: Period) -> tuple[int, int]:
    pattern, example, _ = FORMS[period]
    wrong = [one for one in covered if not re.fullmatch(pattern, one)]
    if wrong:
        raise ParameterError(f"covered is a first and a last period such as {example}. Found: {shorten(wrong)}.")
    first, last = (_place(one, period) for one in covered)
    if last < first:
        raise ParameterError(f"covered ends before it starts: {covered[0]} to {covered[1]}.")
    return first, last


def _place(name: str, period: Period) -> int:
    """The place of a period among all of its kind.

    Examples
    --------
    >>> _place("2012-01", "month") - _place("2011-12", "month"), _place("2011-04 to 2011-06", "quarter")
    (1, 8045)
    """
    pattern, _, in_year = FORMS[period]
    year, part = re.fullmatch(pattern, name).groups()  # type: ignore[union-attr]  # every name was matched before
    return int(year) * in_year + (int(part[:2] or 1) - 1) * in_year // 12


def _name(place: int, period: Period) -> str:
    """A period as it is written.

    Examples
    --------
    >>> _name(_place("2011-12", "month") + 1, "month"), _name(8045, "quarter"), _name(2011, "time_period")
    ('2012-01', '2011-04 to 2011-06', '2011')
    """
    in_year = FORMS[period][2]
    year, part = divmod(place, in_year)
    first, last = part * 12 // in_year + 1, (part + 1) * 12 // in_year
    names = {
        "month": f"{year}-{first:02}",
        "quarter": f"{year}-{first:02} to {year}-{last:02}",
        "time_period": f"{year}",
    }
    return names[period]
