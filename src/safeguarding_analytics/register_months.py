"""A register month by month, and beside it: control chart of starts, what followed soon, conferences and reviews."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta

import narwhals as nw
import polars as pl

from safeguarding_analytics.dates import covered_years, day_in_words, month, quarter, reporting_year
from safeguarding_analytics.indicators import control_chart_of
from safeguarding_analytics.next_plans import DAYS_OF_MONTH
from safeguarding_analytics.plan_indicators import ENDED, STARTED
from safeguarding_analytics.plan_register import NOT_OF_AN_AREA, PlanRegister, repeat_plans
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.process_control import Ruleset
from safeguarding_analytics.tables import TOTAL
from safeguarding_analytics.timeliness import conferences_on_time, reviews_on_time
from safeguarding_analytics.working_days import FIRST, LAST

SIX_WEEKS = timedelta(days=42)
"""Where the first conference lies this soon after 1 April, the table is taken to cover the year."""

STANDS_OUT = (
    "A month stands out where it lies beyond a limit, where two of three in a row lie near one, and where seven in a "
    "row rise, fall, or lie on one side of the mean."
)
"""What the rules of a control chart look for."""


def monthly_starts(register: PlanRegister, policy: Policy) -> pl.DataFrame:
    """Plans that started in every month of the years covered, or in the whole months of a part of a year.

    Parameters
    ----------
    register
        The register.
    policy
        The policy of the board.

    Returns
    -------
    pl.DataFrame
        Shape ``count`` by ``time_period`` and ``month`` ("2008-03"), with a total for each period; 0 where none did.
        Without rows where a month has a small number: the limits of a chart would tell hidden months.
        Not suppressed.
    """
    names = pl.DataFrame({"month": _months(register)}, schema={"month": pl.String})
    period = _year_of(pl.col("month")) if register.is_year else pl.lit(register.period)
    started = register.plans.select(pl.col("start_date").dt.strftime("%Y-%m").alias("month"))
    counts = started.group_by("month").agg(pl.len().cast(pl.Int64).alias("count"))
    every = names.join(counts, on="month", how="left").select(
        period.alias("time_period"), "month", pl.col("count").fill_null(0)
    )
    if every["count"].is_between(_fewest(policy), policy.threshold - 1).any():
        return every.clear()
    totals = every.group_by("time_period").agg(pl.lit(TOTAL).alias("month"), pl.col("count").sum())
    return pl.concat([every, totals]).sort("time_period", "month")


def stock_to_tell(
    rates: pl.DataFrame,
    categories: pl.DataFrame,
    policy: Policy,
    *,
    long: pl.DataFrame,
    next_plans: pl.DataFrame,
    last: date,
    shown: Sequence[pl.DataFrame] = (),
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """What may be told of a register beside its starts: three of a year's stock and flows give the fourth.

    Parameters
    ----------
    rates
        As `register_rates` gives them.
    categories
        As `open_by_category` gives them: their totals are the stock.
    policy
        The policy of the board.
    long
        As `long_lasting_plans` gives them: of all that were open, and of all that ended.
    next_plans
        As `next_plans_of` gives them: of all that ended, and of those still followed.
    last
        Last day of the register.
    shown
        The tables of starts as they are shown, after `suppress`: by ``time_period`` or ``quarter`` and one group.

    Returns
    -------
    tuple
        All four as they are, but: where one of the counts of `rates` is small, what started alone of `rates`, and
        nothing of `categories` and `long`; where all starts of a year would tell how few there were in the one group
        that is hidden, what ended alone in their place; under a policy that only rounds, nothing of `long` where a
        count is less than its base, and no starts where they are; of `next_plans` only months at which those still
        followed, and all that ended by then, do not tell of few, and nothing under a policy that rounds. Not
        suppressed.
    """
    stock, flows = rates, rates["count"].to_list()
    if any(map(policy.hides, flows)):
        rates = rates.filter(pl.col("flow") == STARTED)
    started = stock.filter(pl.col("flow") == STARTED).select("time_period", "count")
    starts = {year: count for year, count in started.iter_rows() if not policy.hides(count)}
    if any(policy.hides(count) for table in shown for count in _left_over(table, starts)):
        rates = rates.filter(pl.col("flow") == ENDED)
    if rates.height < stock.height:
        categories, long = categories.clear(), long.clear()
    if policy.controlled:  # a few that one table rounds to 0 and another one up are surely few, and somebody
        few = stock.filter(pl.col("count").is_between(1, (policy.round or 1) - 1))
        long = long.clear() if few.height else long
        rates = rates.filter(pl.col("flow") != STARTED) if STARTED in few["flow"] else rates
    return rates, categories, long, _next_to_tell(next_plans, stock, last, policy)


def _left_over(shown: pl.DataFrame, starts: Mapping[str, int]) -> Iterator[int]:
    """Of each year in which one group alone is hidden, and so is their total: all starts without those shown."""
    group = shown.columns[shown.columns.index("numerator") - 1]
    if group == "time_period":
        return
    year = pl.col("time_period") if "time_period" in shown.columns else _year_of(pl.col("quarter").str.slice(0, 7))
    parts = shown.with_columns(year.alias("year")).filter(pl.col(group).cast(pl.String).ne_missing(TOTAL))
    for (name,), rows in parts.group_by("year", maintain_order=True):
        if rows["denominator"].null_count() and str(name) in starts:
            yield starts[str(name)] - int(rows["denominator"].sum())


def _next_to_tell(next_plans: pl.DataFrame, stock: pl.DataFrame, last: date, policy: Policy) -> pl.DataFrame:
    """The months of which those still followed do not tell of few, beside all that ended by a 31 March."""
    if policy.round is not None or next_plans.is_empty():
        return next_plans.clear()  # shares with the few decimals that rounded counts leave would mislead
    ended = stock.filter(pl.col("flow") == ENDED).sort("time_period")
    by_then, all_ended = {last: 0}, 0
    for year, count in ended.select("time_period", "count").iter_rows():
        all_ended += count
        by_then[date(int(year), 3, 31)] = all_ended
    followed = dict(next_plans.select("months", "n").iter_rows())
    if all_ended and policy.hides(abs(followed[0] - all_ended)):
        return next_plans.clear()
    few = [
        months
        for months, n in followed.items()
        for day, count in by_then.items()
        if months and abs((last - day).days - months * DAYS_OF_MONTH) <= 1 and policy.hides(count - n)
    ]
    return next_plans.filter(~pl.col("months").is_in(few))


def months_and_quarters(register: PlanRegister) -> list[pl.DataFrame]:
    """Which month lies in which quarter, and which quarter in which year: lookups for `suppress`.

    Parameters
    ----------
    register
        The register.

    Returns
    -------
    list[pl.DataFrame]
        One with ``month`` and ``quarter``, one with ``quarter`` and ``time_period``, both from the year before the
        first on, whose stock is known; empty where no year is covered.
    """
    if not register.is_year:
        return []
    before = int(register.years[0]) - 1
    names = [*_month_names(date(before - 1, 4, 1), date(before, 3, 31)), *_months(register)]
    days = pl.DataFrame({"day": [date.fromisoformat(f"{name}-01") for name in names]})
    day = nw.col("day")
    named = nw.from_native(days).with_columns(
        month(day).alias("month"), quarter(day).alias("quarter"), reporting_year(day).alias("time_period")
    )
    lookup = named.to_native()
    pairs = (("month", "quarter"), ("quarter", "time_period"))
    return [lookup.select(pair).unique().sort(pair) for pair in pairs]


def starts_in_control(shown: pl.DataFrame, *, ruleset: Ruleset, rebase: str = "") -> tuple[pl.DataFrame, list[str]]:
    """The control chart of monthly starts, worked out of what is shown of them, and what is to be said of it.

    Parameters
    ----------
    shown
        As `monthly_starts` gives them, after `suppress`.
    ruleset
        As for `control_chart_of`.
    rebase
        Months with which limits of their own start, separated by commas; empty for none.

    Returns
    -------
    tuple
        The table of `control_chart_of`, and sentences. Without rows where a month is hidden: limits worked out of
        hidden numbers would help to work those out.

    Raises
    ------
    ParameterError, TableError
        As `control_chart_of`.
    """
    counts = shown.filter(pl.col("month") != TOTAL).select("month", "count")
    if counts["count"].null_count() or counts.is_empty():
        nothing = control_chart_of(pl.DataFrame({"month": ["2000-01"], "count": [0]})).table.clear()
        few = "in some months few plans started" if counts.is_empty() else "some months are hidden"
        return nothing, [f"Not shown: {few}, and limits would help to work those out."]
    months = [each.strip() for each in rebase.split(",") if each.strip()]
    found = control_chart_of(counts, ruleset=ruleset, desired="neutral", rebase=months)
    return found.table, [STANDS_OUT, *found.chart.notes]


def plans_within(register: PlanRegister, months: int) -> tuple[pl.DataFrame, str]:
    """Plans within some months of the end of the one before, by year, and a sentence where that cannot be known.

    Parameters
    ----------
    register
        The register.
    months
        As ``within_months`` of `repeat_plan_rate`.

    Returns
    -------
    tuple
        As `repeat_plans` gives it, and a sentence where the period looked at is not in it. Not suppressed.
    """
    why = (
        f"Within {months} months: this takes linked history of starts and ends from {months} months before the period "
        f"on, and the register is complete from {day_in_words(register.first)} only; the number of earlier plans says "
        "nothing about when they ended."
    )
    if register.area:
        return repeat_plans(register).clear(), NOT_OF_AN_AREA
    if not register.is_year:  # of a part of a year nothing is known so many months back
        return repeat_plans(register).clear(), why
    known = covered_years(_months_later(register.first, months), register.last)
    return repeat_plans(register, within_months=months), "" if register.period in known else why


def say_leaving(plans: pl.DataFrame) -> str:
    """Say that deaths and moves are not recorded, where they are not: what happens after a plan depends on them.

    Parameters
    ----------
    plans
        The board's table of plans.

    Returns
    -------
    str
        A sentence without numbers; empty where one of the two is recorded.
    """
    if any(plans[name].count() for name in ("death_date", "moved_date") if name in plans.columns):
        return ""
    return (
        "No death and no move to another authority is recorded, so children who left are taken to be still there: of "
        "those who could have had another plan, more had one than the share says."
    )


def conferences_in_time(register: PlanRegister, conferences: pl.DataFrame, *, working_days: int) -> pl.DataFrame:
    """Conferences held in time, by year, of the years that the table of conferences covers.

    Parameters
    ----------
    register
        The register.
    conferences
        The board's table of conferences; may be empty.
    working_days
        As for `conferences_on_time`.

    Returns
    -------
    pl.DataFrame
        As `conferences_on_time` gives it: the years of the register from that on in whose first six weeks the first
        conference was held, as far as the calendar of bank holidays goes; where no whole year is covered, its one
        period. Not suppressed.
    """
    own = conferences.filter(pl.col("authority").is_in(register.plans["authority"].unique().to_list()))
    held = own.filter(pl.col("conference_date").is_between(FIRST, LAST), pl.col("conference_date") <= register.last)
    begin = held["conference_date"].min()
    years = [
        year for year in register.years if isinstance(begin, date) and begin <= date(int(year) - 1, 4, 1) + SIX_WEEKS
    ]
    known = pl.col("section_47_start").is_between(FIRST, LAST)
    inside = held.with_columns(pl.when(known).then("section_47_start").alias("section_47_start"))
    if register.is_year:
        return conferences_on_time(inside, working_days=working_days).filter(pl.col("time_period").is_in(years))
    inside = inside.filter(pl.col("conference_date") >= register.first)
    found = conferences_on_time(inside, (), working_days=working_days).filter(pl.col("denominator") > 0)
    return found.select(pl.lit(register.period).alias("time_period"), pl.all())


def reviews_in_time(
    register: PlanRegister, reviews: pl.DataFrame, policy: Policy, *, first_days: int, later_days: int
) -> tuple[pl.DataFrame, str]:
    """Plans reviewed in time, of those open on 31 March of the year looked at, and why they are not told.

    Parameters
    ----------
    register
        The register.
    reviews
        The board's table of reviews, all of the plans open then; may be empty.
    policy
        The policy of the board.
    first_days, later_days
        As for `reviews_on_time`.

    Returns
    -------
    tuple
        As `reviews_on_time` gives it, of one year, and an empty text; without rows where there is no review, or no
        whole year is covered. Without rows and with a sentence where few plans had started in the last three months and
        were open, or had ended: all that are open without those told of are the former. Not suppressed.
    """
    own = reviews.filter(pl.col("plan").is_in(register.plans["plan"].to_list()))
    found = reviews_on_time(register.plans, own, [register.years[-1] if register.years else "2000"])
    if not register.is_year or own.is_empty():
        return found.clear(), ""
    begin, end = date(int(register.period), 1, 1), date(int(register.period), 3, 31)
    started = register.plans.filter(pl.col("start_date").is_between(begin, end))
    ended = started.filter(pl.col("end_date") <= end).height
    if policy.round is None and any(map(policy.hides, (ended, started.height - ended))):
        return found.clear(), (
            "Reviews in time are not told: beside all plans that started and were open, they would tell of the few of "
            "the last three months that were open, or had ended."
        )
    return reviews_on_time(register.plans, own, [register.period], first_days=first_days, later_days=later_days), ""


def _months(register: PlanRegister) -> list[str]:
    """The months of the years covered, or those that lie wholly in a part of a year."""
    if register.is_year:
        return _month_names(date(int(register.years[0]) - 1, 4, 1), date(int(register.years[-1]), 3, 31))
    return _month_names(register.first, register.last)


def _year_of(month: pl.Expr) -> pl.Expr:
    """The reporting year of a month such as "2008-03"."""
    return (month.str.slice(0, 4).cast(pl.Int64) + (month.str.slice(5) > "03").cast(pl.Int64)).cast(pl.String)


def _month_names(first: date, last: date) -> list[str]:
    """The months that lie wholly between two days."""
    begin, end = _months_later(first, 0), last + timedelta(days=1)
    numbers = range(begin.year * 12 + begin.month - 1, end.year * 12 + end.month - 1)
    return [f"{number // 12}-{number % 12 + 1:02}" for number in numbers]


def _months_later(day: date, months: int) -> date:
    """The first of a month on or after a day, so many months later."""
    number = day.year * 12 + day.month - 1 + (day.day > 1) + months
    return date(number // 12, number % 12 + 1, 1)


def _fewest(policy: Policy) -> int:
    """The smallest number that is hidden."""
    return 0 if policy.hides(0) else 1
