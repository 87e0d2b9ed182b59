"""Child protection work on time: initial conferences after a section 47 enquiry, and reviews of plans."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.dates import check_reporting_years, last_day, reporting_year
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.groups import check_rows, count_rows, divide, fetch, group_columns, open_days, with_totals
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.shapes import COUNT, PROPORTION
from safeguarding_analytics.working_days import FIRST, LAST, outside_calendar, working_days_between

TIME_PERIOD, BAND = "time_period", "band"
BANDS = {"0 to 10": (0, 10), "11 to 15": (11, 15), "16 to 20": (16, 20), "21 or more": (21, None)}
NO_BAND = "no band"
DENOMINATORS = ("all", "banded")
"""Every conference held; or those whose section 47 enquiry is known to have started on or before the day."""
ROWS, TOOK, MISSED = "_rows", "_working_days", "_missed"
"""Columns of our own beside those of the caller."""


def conferences_on_time(
    conferences: IntoFrame,
    by: str | Sequence[str] = ("time_period",),
    *,
    working_days: int = 15,
    denominator: str = "all",
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Share of the initial child protection conferences held in time after their section 47 enquiry started.

    Parameters
    ----------
    conferences
        One row per enquiry or conference: ``conference``, ``section_47_start`` (day of the strategy discussion; null
        where none is known), ``conference_date`` (null where none was held).
    by
        Group columns: columns of `conferences`, or ``time_period``, the reporting year of ``conference_date``. None for
        one row overall.
    working_days
        Working days after the day of the strategy discussion by which a conference is in time.
    denominator
        ``"all"``: every conference that was held, also without a start of an enquiry, or with one after the conference;
        ``"banded"``: only those that took a known number of days. None of the others is ever in the numerator.
    confidence
        Of the Wilson interval, between 0 and 1.
    totals
        Whether to add rows "Total" for every group column.

    Returns
    -------
    pl.DataFrame
        One row per group in which a conference was held, sorted by the group columns. Not suppressed.

        - ``numerator``: conferences in time; ``denominator``: conferences
        - ``proportion``, ``lower``, ``upper``: 0 to 1; null where the denominator is 0

    Raises
    ------
    TableError
        A column is missing or holds no dates; a conference stands twice or lacks its identifier; days lie outside the
        calendar of bank holidays.
    ParameterError
        A group column is unknown, `working_days` is below 0, or `denominator` is another word.

    Notes
    -----
    Working days are Monday to Friday without the bank holidays of England, counted from the day after the strategy
    discussion: show `working_days.calendar_shown` beside the result. Every conference counts, two of one child twice,
    also those of children who move in with a plan. The Department's published share is of all conferences: England 2023
    (6,850 + 51,480) ÷ 74,380 = 78.4%; over those with a band, 74,350, it would be 78.5%. The interval takes conferences
    as independent; those of siblings are held together, so the true one is wider.

    References
    ----------
    Working Together to Safeguard Children; DfE, Children in need statistics, table C4.

    Examples
    --------
    2 and 3 June 2022 were bank holidays, so the 24th is the 15th working day. Of one conference no start is known.

    >>> conferences = pl.DataFrame(
    ...     {
    ...         "conference": ["c1", "c2", "c3"],
    ...         "section_47_start": [date(2022, 6, 2), date(2022, 6, 2), None],
    ...         "conference_date": [date(2022, 6, 24), date(2022, 6, 27), date(2022, 6, 27)],
    ...     }
    ... )
    >>> conferences_on_time(conferences).select("time_period", "numerator", "denominator").row(0)
    ('2023', 1, 3)
    >>> conferences_on_time(conferences, denominator="banded").select("numerator", "denominator").row(0)
    (1, 2)
    """
    if working_days < 0:
        raise ParameterError(f"working_days must be 0 or more. Found: {working_days}.")
    if denominator not in DENOMINATORS:
        raise ParameterError(f'denominator must be "all" or "banded". Found: "{denominator}".')
    held, groups = _held(conferences, by, list(PROPORTION.columns))
    counted = pl.col(ROWS) if denominator == "all" else pl.col(ROWS).filter(pl.col(TOOK).is_not_null())
    counts = [
        pl.col(ROWS).filter(pl.col(TOOK) <= working_days).sum().alias("numerator"),
        counted.sum().alias("denominator"),
    ]
    found = held.group_by(groups).agg(counts).sort(groups) if groups else held.select(counts)
    return _with_share(with_totals(found, groups) if totals else found, confidence)


def conference_bands(
    conferences: IntoFrame, by: str | Sequence[str] = ("time_period",), *, totals: bool = False
) -> pl.DataFrame:
    """How many initial child protection conferences took how many working days after their section 47 enquiry started.

    Parameters
    ----------
    conferences, by
        See `conferences_on_time`.
    totals
        Whether to add rows "Total" for every group column and for the band.

    Returns
    -------
    pl.DataFrame
        One row per group and band, sorted: the columns of `by`, ``band`` ("0 to 10", "11 to 15", "16 to 20", "21 or
        more" working days; "no band" where the start of the enquiry is not known or after the conference), ``count``:
        conferences, 0 where there was none. Not suppressed.

    Raises
    ------
    TableError
        See `conferences_on_time`.
    ParameterError
        A group column is unknown.

    References
    ----------
    DfE, Children in need statistics, table C4: the bands are the Department's; it does not print those without one.

    Examples
    --------
    >>> conferences = pl.DataFrame(
    ...     {
    ...         "conference": ["c1", "c2"],
    ...         "section_47_start": [date(2022, 6, 2), date(2022, 6, 28)],
    ...         "conference_date": [date(2022, 6, 17), date(2022, 6, 27)],
    ...     }
    ... )
    >>> conference_bands(conferences, ()).filter(pl.col("count") > 0).rows()
    [('0 to 10', 1), ('no band', 1)]
    """
    held, groups = _held(conferences, by, [BAND, *COUNT.columns])
    took = pl.col(TOOK)
    bands = {
        name: pl.col(ROWS).filter((took >= least) if most is None else took.is_between(least, most)).sum()
        for name, (least, most) in BANDS.items()
    }
    bands[NO_BAND] = pl.col(ROWS).filter(took.is_null()).sum()
    counts = [count.alias(name) for name, count in bands.items()]
    wide = held.group_by(groups).agg(counts) if groups else held.select(counts)
    found = wide.unpivot(on=list(bands), index=groups, variable_name=BAND, value_name="count")
    return with_totals(found, [*groups, BAND]) if totals else found.sort(*groups, BAND)


def reviews_on_time(
    plans: IntoFrame,
    reviews: IntoFrame,
    years: Sequence[str],
    *,
    by: str | Sequence[str] = (),
    first_days: int = 91,
    later_days: int = 183,
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Share of the plans open at 31 March whose every review was held in time.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``start_date``, ``end_date`` (null while it is open).
    reviews
        One row per review: ``plan``, ``review_date``. All since the start of each plan: with only the latest, or with
        those of one year, plans look late that were not.
    years
        Reporting years, named by the year they end in, such as ``"2008"``.
    by
        Group columns of `plans`.
    first_days
        Days after the start of the plan by which the first review is due.
    later_days
        Days after a review by which the next one is due.
    confidence
        Of the Wilson interval, between 0 and 1.
    totals
        Whether to add rows "Total" for every column of `by`.

    Returns
    -------
    pl.DataFrame
        One row per year and group of the table, sorted: ``time_period``, the columns of `by`. Not suppressed.

        - ``numerator``: plans with every review in time; ``denominator``: plans open for at least three months
        - ``proportion``, ``lower``, ``upper``: 0 to 1; null where the denominator is 0

    Raises
    ------
    TableError
        A column is missing or holds no dates; a plan stands twice, or lacks its identifier or start; a review lacks its
        plan or day.
    ParameterError
        A year is none or stands twice; a limit is below 1; a group column is unknown.

    Notes
    -----
    In the denominator: plans that had started on or before 31 December, so that three calendar months have passed, and
    that had not ended on or before 31 March. Every review that was due before 31 March must have been held by the day
    it was due: the first within `first_days` of the start, each later one within `later_days` of the one before. One
    that was not due yet is not missed. Reviews dated on or before the start of the plan are not counted.

    The guidance speaks of three and of six months. The limits in days, 91 and 183, are NOT confirmed by the
    Department's specification of its own report: name them with the result.

    References
    ----------
    Working Together to Safeguard Children; DfE, Children in need statistics, table D6.

    Examples
    --------
    Two plans from 1 October 2007. The first review of one was a day late, 92 days after.

    >>> plans = pl.DataFrame(
    ...     {"plan": ["p1", "p2"], "start_date": [date(2007, 10, 1)] * 2, "end_date": [None, date(2008, 4, 1)]}
    ... )
    >>> reviews = pl.DataFrame({"plan": ["p1", "p2"], "review_date": [date(2007, 12, 31), date(2008, 1, 1)]})
    >>> reviews_on_time(plans, reviews, ["2008"]).select("time_period", "numerator", "denominator").row(0)
    ('2008', 1, 2)
    """
    _check_limits(years, first_days, later_days)
    opened, held = _open_reviewed(plans, reviews)
    groups = group_columns(by, opened.collect_schema().names(), "plans", [TIME_PERIOD, *PROPORTION.columns])
    missed = _first_missed(opened, held, first_days, later_days)
    counts = count_rows(missed, groups, _review_flags(years), totals=totals)
    rows = [
        counts.select(
            pl.lit(year).alias(TIME_PERIOD),
            *groups,
            pl.col(f"{year} on time").alias("numerator"),
            pl.col(f"{year} open").alias("denominator"),
        )
        for year in years
    ]
    return _with_share(pl.concat(rows).sort(TIME_PERIOD, *groups), confidence)


def _held(conferences: IntoFrame, by: str | Sequence[str], taken: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """The conferences held, counted by group and working days they took (null = no band), and the group columns."""
    opened = open_days(conferences, ["conference"], ["section_47_start", "conference_date"], "conferences")
    groups = group_columns(by, [*opened.collect_schema().names(), TIME_PERIOD], "conferences", taken)
    check_rows(opened, "conference", [], "conferences")
    began, day = nw.col("section_47_start"), nw.col("conference_date")
    known = nw.when(began <= day).then(began).alias("section_47_start")
    # Conferences of a group with the same two days are one row here: so the calendar need not go where the table is.
    keys = dict.fromkeys([*groups, "section_47_start", "conference_date"])
    held = opened.filter(~day.is_null()).with_columns(known, reporting_year(day).alias(TIME_PERIOD))
    found = fetch(held.group_by(*keys).agg(nw.len().alias(ROWS)))
    outside = found.filter(
        (pl.col("section_47_start") < FIRST)
        | (pl.col("section_47_start").is_not_null() & (pl.col("conference_date") > LAST))
    )[ROWS].sum()
    if outside:
        rows = f"section_47_start or conference_date of {outside:,} of {found[ROWS].sum():,} conferences held"
        raise TableError(f"conferences: {outside_calendar(f'{rows} lies')}")
    return working_days_between(found, "section_47_start", "conference_date", name=TOOK), groups


def _with_share(counts: pl.DataFrame, confidence: float) -> pl.DataFrame:
    """Add the share and its interval to counts."""
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    return counts.with_columns(pl.col("numerator", "denominator").cast(pl.Int64)).with_columns(
        divide(numerator, denominator).alias("proportion"), *wilson(numerator, denominator, confidence)
    )


def _check_limits(years: Sequence[str], first_days: int, later_days: int) -> None:
    """Refuse years that are none, and limits of no day."""
    check_reporting_years(years)
    for name, days in (("first_days", first_days), ("later_days", later_days)):
        if days < 1:
            raise ParameterError(f"{name} must be 1 day or more. Found: {days}.")


def _open_reviewed(plans: IntoFrame, reviews: IntoFrame) -> tuple[nw.LazyFrame[Any], nw.LazyFrame[Any]]:
    """Open and check plans and reviews on one engine."""
    opened = open_days(plans, ["plan"], ["start_date", "end_date"], "plans")
    check_rows(opened, "plan", ["start_date"], "plans")
    held = open_days(reviews, ["plan"], ["review_date"], "reviews").select("plan", "review_date")
    check_rows(held, None, ["plan", "review_date"], "reviews")
    if opened.implementation != held.implementation:
        return nw.from_native(fetch(opened)).lazy(), nw.from_native(fetch(held)).lazy()
    return opened, held


def _first_missed(
    opened: nw.LazyFrame[Any], held: nw.LazyFrame[Any], first_days: int, later_days: int
) -> nw.LazyFrame[Any]:
    """Add to each plan the first day by which a review was due and not held.

    The start and each review make the next one due. By joins, which give the same rows on every engine and need no
    ordered window; and whatever 31 March is asked about, a plan is on time as long as that day has not passed.
    """
    review = nw.col("review_date")
    counted = held.join(opened.select("plan", "start_date"), on="plan", how="inner").filter(
        review > nw.col("start_date")
    )
    starts = opened.select("plan", nw.col("start_date").alias("_since"), _due(nw.col("start_date"), first_days))
    later = counted.select("plan", review.alias("_since"), _due(review, later_days))
    awaited = nw.concat([starts, later], how="vertical")
    followed = (
        awaited.select("plan", "_since")
        .join(counted.select("plan", "review_date"), on="plan", how="inner")
        .filter(review > nw.col("_since"))
        .group_by("plan", "_since")
        .agg(review.min().alias("_next"))
    )
    missed = (
        awaited.join(followed, on=["plan", "_since"], how="left")
        .filter(nw.col("_next").is_null() | (nw.col("_next") > nw.col(MISSED)))
        .group_by("plan")
        .agg(nw.col(MISSED).min())
    )
    return opened.join(missed, on="plan", how="left")


def _due(since: nw.Expr, days: int) -> nw.Expr:
    return since.dt.offset_by(f"{days}d").cast(nw.Date).alias(MISSED)


def _review_flags(years: Sequence[str]) -> dict[str, nw.Expr]:
    """Per year, whether a plan had been open for three months on 31 March, and whether it was on time then."""
    flags = {}
    for year in years:
        day, three_months_before = nw.lit(last_day(year)), nw.lit(date(int(year) - 1, 12, 31))
        not_ended = nw.col("end_date").is_null() | (nw.col("end_date") > day)
        is_open = (nw.col("start_date") <= three_months_before) & not_ended
        flags[f"{year} open"] = is_open
        flags[f"{year} on time"] = is_open & (nw.col(MISSED).is_null() | (nw.col(MISSED) >= day))
    return flags
