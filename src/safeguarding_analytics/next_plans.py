"""Time to the next plan: how many children whose protection ended have another plan within so many months."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Sequence
from datetime import date
from itertools import repeat
from typing import Any, NamedTuple

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.errors import ParameterError, TableError, numbered
from safeguarding_analytics.groups import fetch, open_days, open_frame
from safeguarding_analytics.intervals import normal_quantile
from safeguarding_analytics.survival import CurvePoint, cumulative_incidence, kaplan_meier
from safeguarding_analytics.tables import PLACEHOLDERS

NEXT_PLAN = "second or subsequent plan"
DIED_OR_MOVED = "died or moved away"
HAD_NOBODY_LEFT = "second or subsequent plan if nobody had died or moved away"
"""What the rows of `time_to_next_plan` are of: its group column ``event``."""

MONTHS = (3, 6, 9, 12, 15, 18, 21, 24)
KEPT_MONTHS = (12, 24)
"""Months that are told rather than others, where not all can be."""

DAYS_OF_MONTH = 365.25 / 12
OPEN = date(9999, 12, 31)
"""Stands for the end of a plan that is still open, so that it is later than any day."""

SCHEMA = {
    "event": pl.String,
    "months": pl.Int64,
    "n": pl.Int64,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}
LEAVING = ("death_date", "moved_date")
START, END = nw.col("start_date"), nw.col("end_date")
OTHER_START, OTHER_END, STILL_OPEN = "_other_start", "_other_end", "_still_open"
NEXT, DEATH, MOVED = "_next_start", "_death", "_moved"
"""Columns of our own beside those of the caller."""


class _Way(NamedTuple):
    """Points that may be told, and how good that is: how many of those to keep, how many, how late."""

    kept: int
    number: int
    late: int
    points: tuple[int, ...]

    def further(self, point: int, keep: Collection[int]) -> _Way:
        return _Way(self.kept + (point in keep), self.number + 1, self.late + point, (*self.points, point))


def time_to_next_plan(
    plans: IntoFrame,
    until: date,
    *,
    since: date | None = None,
    months: Sequence[int] = MONTHS,
    competing: bool = True,
    confidence: float = 0.95,
    fewest: int = 10,
    threshold: int = 6,
) -> pl.DataFrame:
    """Share of ends of protection after which the child had another plan within so many months.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``child``, ``start_date``, ``end_date`` (null while the plan is open). With a column
        ``authority``, only a plan of the same authority is a next plan. Optional: ``death_date`` (on one or all rows of
        the child), ``moved_date`` (the child moved to another authority, after this plan).
    until
        Last day of which every start, end, death and move is in the table, such as the day of the extract. Whatever is
        later is taken as not known yet.
    since
        First day of the ends that count; None for all. Give the day from which every plan that started is in the table:
        after an earlier end, the next plan may be missing.
    months
        After how many months the shares are given, 1 or more. 12 months are 365.25 days.
    competing
        Whether death and move, after which this authority starts no plan, count as what else may happen; `plans` then
        needs a column of one of them. False takes these children as no longer followed.
    confidence
        Of the intervals, between 0 and 1.
    fewest
        The line stops where fewer, or fewer than `threshold`, are still followed.
    threshold
        The smallest number of ends between two months that may be told, other than 0.

    Returns
    -------
    pl.DataFrame
        One row per ``event`` and ``months`` that may be told, sorted by them; ``months`` from 0. Without rows where too
        few ends can be counted: `why_not_told` says why. Events: "second or subsequent plan" and "died or moved away",
        of all ends; "second or subsequent plan if nobody had died or moved away". Without `competing`, the first
        alone, worked out as the last.

        - ``n``: ends of protection still followed just before that time, the same for every event
        - ``estimate``: the share by that time, 0 to 1; at 0 months 0, so that a plan of the same day comes later
        - ``lower``, ``upper``: its interval, 0 to 1; null where the share is 0 or 1

        `estimate` is rounded to 0.001, the interval outwards. Not suppressed beyond `fewest` and `threshold`.

    Raises
    ------
    TableError
        A column is missing or holds no dates; a plan stands twice, has no identifier, child or start (or authority,
        where there is such a column), or ends before it starts; a child has two days of death, or a plan after it, or
        a placeholder for a pseudonym; a move is before the start of its plan.
    ParameterError
        `since` is after `until`; `months` are not whole, 1 or more and different; `fewest` or `threshold` is below 1;
        `confidence` is not between 0 and 1; with `competing`, nothing is known of deaths and moves.

    Notes
    -----
    **What is followed** is an end of protection: a day on which a plan of a child ended while no earlier plan of that
    child ran on. The earlier end of overlapping plans is none; plans that ended on one day are one. A child may come
    several times.

    **The next plan** is the child's first that starts later, or on that very day and runs beyond it: that is a second
    or subsequent plan after 0 days. A death or move on the day of the end happens after 0 days too; a move while the
    plan ran is taken as of its end, since from then on a plan would be another authority's. Of a next plan and a move
    on one day the plan counts; a plan after a move back does not.

    **The estimates.** The first two events have cumulative incidences (Aalen-Johansen, complementary log-log interval):
    with those to whom nothing has happened yet they make up all. The third is 1 − Kaplan-Meier (log-log interval), with
    the dead and those who moved as no longer followed. It is larger, and of a world in which nobody dies or moves.
    Those whose plan ended lately, and who are followed for a short time, are taken to be like the others. Intervals
    take ends as independent; siblings and children who come several times make the true ones wider.

    **Few ends.** From n and the shares a reader can work out how many had a plan, died or moved, or were no longer
    followed between two months. So months are told only where each of these numbers since the last month told is 0 or
    `threshold` and more: 12 and 24 rather than others, then as many as possible (`told_points`). Rounding hides a
    single end only among a thousand and more; it is for reading, not for protection.

    References
    ----------
    Kaplan & Meier 1958, JASA 53:457; Aalen & Johansen 1978, Scandinavian J. Statistics 5:141; Putter, Fiocco & Geskus
    2007, Statistics in Medicine 26:2389 (why 1 − Kaplan-Meier is too large). Number at risk: R's survival::survfit.

    Examples
    --------
    Of four plans that ended, one child had a plan again after five months and one moved away after seven. (So few may
    not be told: `fewest` and `threshold` are for the example.)

    >>> from datetime import date
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2", "p3", "p4", "p5"],
    ...         "child": ["a", "a", "b", "c", "d"],
    ...         "start_date": [date(2006, 1, 9), date(2007, 9, 3), *3 * [date(2006, 5, 8)]],
    ...         "end_date": [date(2007, 4, 2), None, *3 * [date(2007, 4, 2)]],
    ...         "moved_date": [None, None, date(2007, 11, 5), None, None],
    ...     }
    ... )
    >>> found = time_to_next_plan(plans, date(2008, 4, 30), months=[12], fewest=1, threshold=1)
    >>> found.filter(months=12).select("event", "n", "estimate").rows()[:2]
    [('died or moved away', 2, 0.25), ('second or subsequent plan', 2, 0.25)]
    """
    normal_quantile(confidence)
    ordered = _checked_parameters(until, since, months, fewest, threshold)
    followed = _followed(plans, until, since, competing)
    told = _months_told(followed, ordered, competing, fewest, threshold)
    if not told:
        return pl.DataFrame(schema=SCHEMA)
    rows = [
        row
        for event, points in _lines(followed, told, competing, confidence).items()
        for row in [(event, 0, followed.height, 0.0, None, None), *map(_row, repeat(event), told, points)]
    ]
    return pl.DataFrame(rows, schema=SCHEMA, orient="row").sort("event", "months")


def why_not_told(
    plans: IntoFrame,
    until: date,
    *,
    since: date | None = None,
    months: Sequence[int] = MONTHS,
    competing: bool = True,
    fewest: int = 10,
    threshold: int = 6,
) -> str:
    """Why `time_to_next_plan` gives no rows, in a sentence without counts; empty where it gives some.

    Parameters
    ----------
    plans, until, since, months, competing, fewest, threshold
        As for `time_to_next_plan`.

    Returns
    -------
    str
        One sentence, or an empty text.

    Raises
    ------
    TableError, ParameterError
        As `time_to_next_plan`.

    Examples
    --------
    >>> from datetime import date
    >>> days = {"start_date": [date(2007, 1, 8)], "end_date": [date(2007, 9, 3)]}
    >>> plans = pl.DataFrame({"plan": ["p1"], "child": ["a"], **days})
    >>> why_not_told(plans, date(2008, 3, 31), competing=False)
    'Fewer than 10 plans ended in this time, too few to say when the next one starts.'
    """
    ordered = _checked_parameters(until, since, months, fewest, threshold)
    followed = _followed(plans, until, since, competing)
    if _months_told(followed, ordered, competing, fewest, threshold):
        return ""
    if followed.is_empty():
        return "No plan ended in this time."
    smallest, first = max(fewest, threshold), ordered[0]
    if followed.height < smallest:
        return f"Fewer than {smallest} plans ended in this time, too few to say when the next one starts."
    if _at_risk(followed, first * DAYS_OF_MONTH) < smallest:
        return f"Fewer than {smallest} children were followed for {numbered(first, 'month')} after their plan."
    return (
        f"By each of the months asked for, fewer than {threshold} children had a next plan, died or moved away, or "
        "were no longer followed, so that no share can be told. Ask for plans that ended in a longer time."
    )


def told_points(counts: Sequence[Sequence[int]], keep: Collection[int] = (), *, threshold: int = 6) -> list[int]:
    """Which points of a line may be told, so that nothing between two of them happened to few.

    Parameters
    ----------
    counts
        For each point in order, how often each of several things has happened by then. Before the first point none had.
    keep
        Positions of points that are told rather than others.
    threshold
        The smallest number, other than 0, that may have happened between two points told.

    Returns
    -------
    list[int]
        Positions, ascending: as many of those to keep as possible, then as many points as possible, then later ones.
        Empty where no point may be told.

    Notes
    -----
    What happened after the last point told is not told apart. Numbers between points that do not follow each other are
    sums of 0 and numbers of `threshold` and more.

    Examples
    --------
    By the second point it had happened to 4, too few to be told; to 9 by the third, 15 by the fourth.

    >>> told_points([[0], [4], [9], [15]])
    [0, 2, 3]
    """
    best: list[_Way] = []
    for point, here in enumerate(counts):
        ways = [way for way in best if _tells_of_no_few(here, counts[way.points[-1]], threshold)]
        if _tells_of_no_few(here, [0] * len(here), threshold):
            ways.append(_Way(0, 0, 0, ()))
        if ways:
            best.append(max(way.further(point, keep) for way in ways))
    return list(max(best).points) if best else []


def _tells_of_no_few(later: Sequence[int], earlier: Sequence[int], threshold: int) -> bool:
    """Whether each of the numbers that lie between is 0 or large enough."""
    return all(after == before or after - before >= threshold for after, before in zip(later, earlier, strict=True))


def _checked_parameters(
    until: date, since: date | None, months: Sequence[int], fewest: int, threshold: int
) -> list[int]:
    """The months in order, or a message with all that is wrong with the parameters."""
    problems = []
    if since is not None and since > until:
        problems.append(f"since must not be after until. Found: {since} and {until}.")
    if not months or any(not isinstance(month, int) or month < 1 for month in months):
        problems.append(f"months must be whole numbers of 1 or more. Found: {list(months)}.")
    elif len(set(months)) < len(months):
        problems.append(f"months: one stands twice. Found: {list(months)}.")
    problems += [
        f"{name} must be 1 or more. Found: {number}."
        for name, number in (("fewest", fewest), ("threshold", threshold))
        if number < 1
    ]
    if problems:
        raise ParameterError(" ".join(problems))
    return sorted(months)


def _followed(plans: IntoFrame, until: date, since: date | None, competing: bool) -> pl.DataFrame:
    """One row per end of protection: days followed, and what ended them (1 a plan, 2 death or move, 0 nothing)."""
    table = _open(plans, competing)
    _check_rows(table)
    found = fetch(_ends(table, until, since))
    end, until_day = pl.col("end_date"), pl.lit(until)
    plan = pl.when(pl.col(NEXT) <= until_day).then(pl.col(NEXT))
    left = pl.min_horizontal(DEATH, MOVED)
    left = pl.when(left <= until_day).then(pl.max_horizontal(left, end))
    plan_first = plan.is_not_null() & (plan <= left).fill_null(True)
    day = pl.when(plan_first).then(plan).otherwise(pl.coalesce(left, until_day))
    cause = pl.when(plan_first).then(1).when(left.is_not_null()).then(2).otherwise(0)
    return found.select((day - end).dt.total_days().alias("days"), cause.cast(pl.Int64).alias("cause"))


def _open(plans: IntoFrame, competing: bool) -> nw.LazyFrame[Any]:
    """Open the plans where they live, check the columns used, and keep those."""
    leaving = [name for name in LEAVING if name in open_frame(plans, [], "plans").collect_schema().names()]
    table = open_days(plans, ["plan", "child"], ["start_date", "end_date", *leaving], "plans")
    if competing and not leaving:
        raise ParameterError(
            "competing: plans has no column death_date or moved_date, so it is not known who could not have a next "
            "plan. Add one, or give competing=False."
        )
    return table.select(
        *("plan", *_child_keys(table), "start_date", "end_date", *leaving),
        *(nw.lit(None, nw.Date).alias(name) for name in LEAVING if name not in leaving),
    )


def _child_keys(table: nw.LazyFrame[Any]) -> list[str]:
    """Columns that make two plans those of one child: the pseudonym, and the authority that gave it if it is known."""
    return ["child", *({"authority"} & set(table.collect_schema().names()))]


def _check_rows(table: nw.LazyFrame[Any]) -> None:
    """Refuse rows that would be followed wrongly without a sign, all that is wrong in one message."""
    death, moved, needed = nw.col(DEATH), nw.col("moved_date"), ["plan", *_child_keys(table), "start_date"]
    complete = "Complete them, or leave these rows out and say so"
    wrong = {f"have no {name}. {complete}": nw.col(name).is_null() for name in needed} | {
        "end before they start. Correct one of the days": END < START,
        "start or end after the child died. Correct one of the days": (death < START) | (death < END).fill_null(False),
        "have another death_date than a plan of the same child. Give one": nw.col("death_date") > death,
        "have a moved_date before their start. It belongs to the plan after which the child moved": moved < START,
    }
    if table.collect_schema()["child"] == nw.String:
        nobody = nw.col("child").str.to_lowercase().is_in(PLACEHOLDERS)
        wrong['have a placeholder such as "unknown" for the child. Leave these rows out and say so'] = nobody
    counts = [flag.cast(nw.Int64).sum().alias(f"_wrong_{place}") for place, flag in enumerate(wrong.values())]
    rows, different = nw.len().alias("_rows"), nw.col("plan").n_unique().alias("_different")
    size, plans, *found = fetch(_with_first_death(table).select(rows, different, *counts)).row(0)
    problems = [f"{count:,} of {size:,} rows {what}." for what, count in zip(wrong, found, strict=True) if count]
    if size and size > plans:  # of no rows, some engines count null different plans
        problems.append(f"{size:,} rows stand for {numbered(plans, 'different plan')}. Keep one row per plan.")
    if problems:
        raise TableError(f"plans: {' '.join(problems)}")


def _with_first_death(table: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add the day of the child's death, the earliest where plans have several; null where none has one."""
    keys = _child_keys(table)
    died = table.filter(~nw.col("death_date").is_null())
    return table.join(died.group_by(*keys).agg(nw.col("death_date").min().alias(DEATH)), on=keys, how="left")


def _ends(table: nw.LazyFrame[Any], until: date, since: date | None) -> nw.LazyFrame[Any]:
    """One row per end of protection: its day, the next plan's start, death and move; null where there is none.

    By a self-join, which gives the same rows on every engine and needs no ordered window.
    """
    keys = _child_keys(table)
    until_then = nw.lit(until) >= END
    in_time = until_then if since is None else until_then & (nw.lit(since) <= END)
    ends = table.filter(in_time).group_by(*keys, "end_date").agg(nw.col("moved_date").min().alias(MOVED))
    others = table.select(
        *keys,
        START.alias(OTHER_START),
        nw.when(END.is_null()).then(nw.lit(OPEN)).otherwise(END).alias(OTHER_END),
        nw.col("death_date").alias(DEATH),
    )
    start, runs_on = nw.col(OTHER_START), nw.col(OTHER_END) > END
    follows = (start > END) | ((start == END) & runs_on)
    return (
        ends.join(others, on=keys, how="inner")
        .with_columns(
            ((start < END) & runs_on).cast(nw.Int64).alias(STILL_OPEN),
            nw.when(follows).then(start).alias(NEXT),
        )
        .group_by(*keys, "end_date")
        .agg(nw.col(STILL_OPEN).max(), nw.col(NEXT, DEATH, MOVED).min())
        .filter(nw.col(STILL_OPEN) == 0)
        .select("end_date", NEXT, DEATH, MOVED)
    )


def _months_told(
    followed: pl.DataFrame, months: Sequence[int], competing: bool, fewest: int, threshold: int
) -> list[int]:
    """The months at which enough are followed, and between which nothing happened to few: `told_points`."""
    long_enough = [
        month
        for month in months
        if _at_risk(followed, month * DAYS_OF_MONTH) >= max(fewest, threshold)
        and _tells_of_no_few(_on_the_day(followed, month), (0, 0), threshold)
    ]
    counts = [_happened(followed, month * DAYS_OF_MONTH, competing) for month in long_enough]
    kept = [place for place, month in enumerate(long_enough) if month in KEPT_MONTHS]
    return [long_enough[place] for place in told_points(counts, kept, threshold=threshold)]


def _at_risk(followed: pl.DataFrame, days: float) -> int:
    return followed.filter(pl.col("days") >= days).height


def _happened(followed: pl.DataFrame, days: float, competing: bool) -> list[int]:
    """How many had a plan by then, died or moved by then, and were no longer followed before; the latter two as one."""
    by_then = followed.filter(pl.col("days") <= days)["cause"]
    plan, left = int((by_then == 1).sum()), int((by_then == 2).sum())
    lost = followed.filter((pl.col("days") < days) & (pl.col("cause") == 0)).height
    return [plan, left, lost] if competing else [plan, left + lost]


def _on_the_day(followed: pl.DataFrame, month: int) -> tuple[int, int]:
    """How many had a plan, and died or moved, on the very day: still in n, and in the shares already."""
    on_it = followed.filter(pl.col("days") == month * DAYS_OF_MONTH)["cause"]
    return int((on_it == 1).sum()), int((on_it == 2).sum())


def _lines(
    followed: pl.DataFrame, months: Sequence[int], competing: bool, confidence: float
) -> dict[str, list[CurvePoint]]:
    """The share of every event at these months."""
    days, causes = followed["days"].to_numpy(), followed["cause"].to_numpy()
    at = [month * DAYS_OF_MONTH for month in months]
    had_nobody_left = [_turned(point) for point in kaplan_meier(days, causes == 1, at, confidence)]
    if not competing:
        return {NEXT_PLAN: had_nobody_left}
    shares = cumulative_incidence(days, causes, at, confidence, kinds=2)
    return {NEXT_PLAN: shares[1], DIED_OR_MOVED: shares[2], HAD_NOBODY_LEFT: had_nobody_left}


def _turned(point: CurvePoint) -> CurvePoint:
    """The share to whom it has happened instead of that to whom it has not."""
    share, lower, upper = (None if end is None else 1 - end for end in (point.estimate, point.upper, point.lower))
    return point._replace(estimate=share, lower=lower, upper=upper)


def _row(event: str, month: int, point: CurvePoint) -> tuple[str, int, int, float | None, float | None, float | None]:
    """A row of the result, its shares rounded."""
    share = None if point.estimate is None else round(point.estimate, 3)
    return event, month, point.at_risk, share, _outwards(point.lower, math.floor), _outwards(point.upper, math.ceil)


def _outwards(end: float | None, to_whole: Callable[[float], int]) -> float | None:
    """An end of an interval to 0.001; what is a thousandth but for the last digits of a computer stays."""
    return None if end is None else to_whole(round(end * 1000, 6)) / 1000
