"""A register of child protection plans in the periods it covers: every measure of it, of the same plans and days.

A year that the register does not wholly cover is in no table by year. Where it covers no whole year, as a return of six
months does, its one period is named by its days, so that nobody takes a six-month rate for a year's.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from safeguarding_analytics.areas import Area
from safeguarding_analytics.child_protection import repeat_plan_rate
from safeguarding_analytics.dates import AGE_BANDS, covered_years, day_in_words, part_year
from safeguarding_analytics.errors import (
    ParameterError,
    TableError,
    in_words,
    nearest,
    numbered,
    require_columns,
    shorten,
)
from safeguarding_analytics.next_plans import LEAVING, time_to_next_plan, why_not_told
from safeguarding_analytics.plan_indicators import (
    AT_END,
    AT_START,
    long_plans,
    plan_flow,
    plans_by_category,
    plans_per_10000,
)
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.register_days import RegisterDays
from safeguarding_analytics.shapes import PROPORTION, RATE
from safeguarding_analytics.tables import CATEGORY_WORDS, IDENTIFYING, TOTAL

ON_THE_PAGE = ("category", "latest_category", "age_band", "authority", "time_period", "quarter", "month")
"""Groups that stand on the page by themselves, or say the same of all plans."""


@dataclass(frozen=True)
class PlanRegister:
    """The plans of one authority, and the days for which they are complete.

    ``years`` are the reporting years wholly covered, ``period`` is the one closest looked at: the year asked for or the
    latest, or the days themselves where no whole year is covered. ``area`` is set where only the plans of one area are
    in it: those that its children had elsewhere are not, so that nothing is told of the time between two plans.
    """

    plans: pl.DataFrame
    first: date
    last: date
    years: tuple[str, ...]
    period: str
    cluster: str
    area: str = ""

    @property
    def is_year(self) -> bool:
        """Whether the period looked at is a reporting year."""
        return bool(self.years)

    @property
    def words(self) -> str:
        """The period in words."""
        return f"year to 31 March {self.period}" if self.is_year else self.period


NOT_OF_AN_AREA = "Not told for one area: the plan before or after may have been in another, and is not among these."
"""Why nothing is said of the time between two plans where the register holds one area alone."""


def open_register(plans: pl.DataFrame, days: RegisterDays, *, time_period: str = "", area: str = "") -> PlanRegister:
    """Open a register for the periods it covers.

    Parameters
    ----------
    plans
        The plans of one authority: the table of the board.
    days
        As `Board.register_days` gives it.
    time_period
        Reporting year to look at closely; empty for the latest.
    area
        The area of which alone the plans are; empty for the whole authority.

    Returns
    -------
    PlanRegister
        See there. Siblings are taken as one cluster where the table names families, else each child is one.

    Raises
    ------
    ParameterError
        There is no plan, there are plans of several authorities, or the year asked for is not wholly covered.

    Notes
    -----
    A plan is a child's second or later by the plans of its own authority, so a register is that of one. Names that
    differ in spelling are taken for different authorities: their histories would not be joined.

    Examples
    --------
    >>> plans = pl.DataFrame({"plan": ["p1"], "authority": ["Kent"], "start_date": [date(2007, 4, 2)]})
    >>> open_register(plans, RegisterDays(date(2006, 10, 1), date(2008, 6, 30))).years
    ('2008',)
    """
    require_columns(plans.columns, ["authority"], "plans")
    if plans.is_empty() or days.first is None or days.last is None:
        raise ParameterError(
            "plans: there is no plan of the authority asked for. Correct [board] authority in board.toml, or the "
            "parameter authority: the name as the plans spell it."
        )
    authorities = plans["authority"].drop_nulls().unique().sort().to_list()
    if len(authorities) > 1:
        raise ParameterError(
            f"plans: there are plans of {len(authorities):,} authorities. A register is one authority's: set [board] "
            "authority in board.toml, or spell the name alike in every row."
        )
    years = covered_years(days.first, days.last)
    if time_period and time_period not in years:
        raise ParameterError(
            f"time_period: the register does not cover the whole year to 31 March {time_period}. "
            f"Whole years covered: {shorten(years, most=20) if years else 'none'}."
        )
    period = time_period or (years[-1] if years else _days_in_words(days.first, days.last))
    named = "family" in plans.columns and plans["family"].count() > 0
    return PlanRegister(plans, days.first, days.last, tuple(years), period, "family" if named else "child", area)


def _days_in_words(first: date, last: date) -> str:
    """The days of a register that holds no whole year; they may lie in two."""
    parts = part_year(first, last)
    return parts if ";" not in parts else f"{day_in_words(first)} to {day_in_words(last)}"


def checked_group(group: str, plans: pl.DataFrame) -> str:
    """A group column to compare beside category and age: one of words.

    Parameters
    ----------
    group
        Name of a column of `plans`.
    plans
        The board's table of plans.

    Returns
    -------
    str
        The name.

    Raises
    ------
    ParameterError
        The column is not there, stands on the page anyway, or holds days or numbers, which tell of single children.
    """
    words = [
        name for name in plans.columns if plans[name].dtype == pl.String and name not in (*IDENTIFYING, *ON_THE_PAGE)
    ]
    if group not in words:
        raise ParameterError(
            f'group: "{group}" cannot be compared{" (it stands on the page anyway)" if group in ON_THE_PAGE else ""}.'
            f"{nearest(group, words)} Columns of words: {', '.join(words)}."
        )
    return group


def of_several(table: pl.DataFrame) -> pl.DataFrame:
    """A table by period and one group as it is; without rows where one group alone is known, which compares nothing.

    Parameters
    ----------
    table
        As `repeat_plans` gives it by one group, with its total.

    Returns
    -------
    pl.DataFrame
        The same columns.
    """
    return table if table.height > 2 else table.clear()


def repeat_plans(
    register: PlanRegister, by: Sequence[str] = (), *, within_months: int | None = None, totals: bool = False
) -> pl.DataFrame:
    """Second or subsequent plans among those that started, by period and further groups.

    Parameters
    ----------
    register
        The register.
    by
        Further groups, as for `repeat_plan_rate`.
    within_months
        As for `repeat_plan_rate`. Only periods for which the answer is known for every plan are in the table: with so
        many months, years that start that long after the first day, and none where no whole year is covered.
    totals
        Whether to add rows "Total" for every group of `by`.

    Returns
    -------
    pl.DataFrame
        As `repeat_plan_rate` gives it, with ``time_period`` first; a year in which no plan started has no row.
        Categories are in words, ages in their order. Not suppressed.

    Raises
    ------
    ParameterError, TableError
        As `repeat_plan_rate`.

    Examples
    --------
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2"],
    ...         "child": ["a", "b"],
    ...         "authority": ["Kent", "Kent"],
    ...         "start_date": [date(2007, 4, 2), date(2007, 6, 1)],
    ...         "previous_plans": [0, 1],
    ...     }
    ... )
    >>> register = open_register(plans, RegisterDays(date(2007, 4, 1), date(2008, 3, 31)))
    >>> repeat_plans(register).select("time_period", "numerator", "denominator").rows()
    [('2008', 1, 2)]
    """
    days = [name for name in by if name in register.plans.columns and register.plans[name].dtype.is_temporal()]
    if days:
        raise ParameterError(
            f"group: {in_words(days)} holds days, and a day would tell of single children. Group by words such as "
            "district, category or age_band."
        )
    found = repeat_plan_rate(
        register.plans,
        by=("time_period", *by) if register.is_year else tuple(by),
        within_months=within_months,
        cluster=register.cluster,
        totals=totals,
        complete_from=register.first,
        complete_to=register.last,
    )
    if not register.is_year:
        told = found if within_months is None else found.clear()
        one = told.filter(pl.col("denominator") > 0).select(pl.lit(register.period).alias("time_period"), pl.all())
        return _for_readers(one)
    known_from = register.first if within_months is None else _later(register.first, within_months)
    return _for_readers(found.filter(pl.col("time_period").is_in(covered_years(known_from, register.last))))


def _for_readers(found: pl.DataFrame) -> pl.DataFrame:
    """Categories in words, and ages in their order."""
    if "category" in found.columns:
        found = found.with_columns(pl.col("category").replace(CATEGORY_WORDS))
    if "age_band" not in found.columns:
        return found
    places = {band: place for place, band in enumerate((*AGE_BANDS, TOTAL))}
    place = pl.col("age_band").replace_strict(places, default=len(places), return_dtype=pl.Int64)
    return found.sort("time_period", place, maintain_order=True)


def _later(day: date, months: int) -> date:
    """The first of a month, so many months later."""
    past = day if day.day == 1 else date(day.year + day.month // 12, day.month % 12 + 1, 1)
    number = past.year * 12 + past.month - 1 + months
    return date(number // 12, number % 12 + 1, 1)


def within_to_tell(within: pl.DataFrame, ever: pl.DataFrame, policy: Policy) -> pl.DataFrame:
    """The years whose repeats within some months may be told beside those whenever.

    Parameters
    ----------
    within
        One row per ``time_period``, as `repeat_plans` gives it with `within_months`.
    ever
        The same without, as it is shown: from a table that went through `suppress`.
    policy
        The policy of the board.

    Returns
    -------
    pl.DataFrame
        Those rows of `within`, sorted by ``time_period``. Not suppressed.

    Raises
    ------
    ParameterError
        A year stands twice in one of the two.

    Notes
    -----
    What one table has and the other has not are plans that came later than those months. A reader who takes one from
    the other must not learn of so few that their count itself would be hidden. So a year is told where later plans are
    as many as may be shown, or none and a zero may be shown; not where `ever` hides it, or counts other plans.

    Where `ever` is rounded, the later plans are taken to be as few as its rounding allows, and must then be as many as
    may be shown and as the base of the rounding: a zero is not told either.

    Examples
    --------
    Of the plans of 2007, four came later than the months: too few to be told.

    >>> ever = pl.DataFrame({"time_period": ["2007", "2008"], "numerator": [40, 50], "denominator": [300, 310]})
    >>> within = ever.with_columns(numerator=pl.Series([36, 41]))
    >>> within_to_tell(within, ever, Policy.dfe())["time_period"].to_list()
    ['2008']
    """
    for name, table in (("within", within), ("ever", ever)):
        if table["time_period"].is_duplicated().any():
            raise ParameterError(f"{name}: a time_period stands twice. Give one row per time_period, without groups.")
    off = _furthest_off(policy)
    beside = ever.select("time_period", whenever=pl.col("numerator"), all_plans=pl.col("denominator"))
    later = pl.col("whenever").cast(pl.Int64) - pl.col("numerator").cast(pl.Int64)
    same_plans = (pl.col("all_plans").cast(pl.Int64) - pl.col("denominator").cast(pl.Int64)).abs() <= off
    enough = later - off >= max(policy.threshold, policy.round or 1)
    none = (later == 0) & (not policy.hides(0) and policy.round is None)
    told = (enough | none) & same_plans
    return within.join(beside, on="time_period", how="left").filter(told).select(within.columns).sort("time_period")


def _furthest_off(policy: Policy) -> int:
    """How far a shown count may lie from the true one; rounding that adds up may take the multiple after the next."""
    if policy.round is None:
        return 0
    return 2 * policy.round - 1 if policy.controlled else policy.round // 2


def register_rates(register: PlanRegister, population: pl.DataFrame) -> pl.DataFrame:
    """Plans that started, ended and were open at the end of every year, per 10,000 children.

    Parameters
    ----------
    register
        The register.
    population
        The board's table of children at mid-year: ``authority``, in any case, ``district`` (null for the whole
        authority, whose rows alone are used), ``mid_year``, ``children``. May be empty: then there are counts and no
        rates. A mid-year that it lacks gives no rate either.

    Returns
    -------
    pl.DataFrame
        Shape ``rate`` by ``time_period`` and ``flow`` ("started", "ended", "open at the end"); the year before the
        first with what was open at its end alone. No rows where no whole year is covered. Not suppressed.

    Raises
    ------
    TableError
        The population has no row of the whole authority, or two of one mid-year; or as `plan_flow`.

    Examples
    --------
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2"],
    ...         "authority": ["Kent", "Kent"],
    ...         "start_date": [date(2006, 4, 3), date(2007, 6, 1)],
    ...         "end_date": [None, date(2008, 1, 1)],
    ...     }
    ... )
    >>> register = open_register(plans, RegisterDays(date(2007, 4, 1), date(2008, 3, 31)))
    >>> population = pl.DataFrame({"authority": ["Kent"], "mid_year": ["2007"], "children": [20_000]})
    >>> register_rates(register, population).select("time_period", "flow", "count", "rate").rows()[-1]
    ('2008', 'started', 1, 0.5)
    """
    if not register.years:
        columns = {"time_period": pl.String, "flow": pl.String, **dict.fromkeys(RATE.columns, pl.Float64)}
        return pl.DataFrame(schema={**columns, "count": pl.Int64, "population": pl.Int64})
    flow = plan_flow(register.plans, register.years, complete_from=register.first, complete_to=register.last)
    earliest = register.years[0]
    before = flow.filter(pl.col("flow") == AT_START, pl.col("time_period") == earliest)
    stock = before.with_columns(time_period=pl.lit(str(int(earliest) - 1)), flow=pl.lit(AT_END))
    counts = pl.concat([stock, flow.filter(pl.col("flow") != AT_START)])
    return plans_per_10000(counts, _children_of(register, population), by=("time_period", "flow"))


def _children_of(register: PlanRegister, population: pl.DataFrame) -> pl.DataFrame:
    """The children of the whole authority by mid-year, or those of the district of which alone the plans are."""
    require_columns(population.columns, ["authority", "mid_year", "children"], "population")
    name = str(register.plans["authority"].drop_nulls().first())
    own = population.filter(_plain(pl.col("authority")) == _plain(pl.lit(name)))
    area = Area.of(register.area) if register.area else None
    district = area.value if area and area.column == "district" else None
    whole = own.filter(pl.col("district").eq_missing(district)) if "district" in population.columns else own
    if whole.is_empty() and not population.is_empty():
        if own.is_empty():
            names = population["authority"].drop_nulls().unique().sort().to_list()
            what = f'no row of the authority "{name}", which the plans are of. Found: {shorten(names)}.'
            raise TableError(f"population: there is {what}{nearest(name, names)} Spell it alike, or add its rows.")
        raise TableError(
            f'population: of {numbered(own.height, "row")} of "{name}" every one is of a district. '
            "Add a row of the whole authority, with an empty district, for each mid-year."
        )
    return whole.select("mid_year", "children")


def _plain(name: pl.Expr) -> pl.Expr:
    """A name without regard to case and outer spaces."""
    return name.str.strip_chars().str.to_lowercase()


def open_by_category(register: PlanRegister) -> pl.DataFrame:
    """Plans open on 31 March of every year by latest category of abuse, or by the initial one where it is not known.

    Parameters
    ----------
    register
        The register.

    Returns
    -------
    pl.DataFrame
        Shape ``count`` by ``time_period``, ``flow`` ("open at the end", as `register_rates` calls the same plans) and
        ``category`` (in words, and "not recorded" where there are such plans), with the totals; where no whole year is
        covered, of those open on the last day of the register. Not suppressed.

    Raises
    ------
    TableError
        As `plans_by_category`.

    Notes
    -----
    The latest category is that known when the table was made, not that of the day. "Multiple" is used unevenly.
    """
    known = [name for name in ("latest_category", "category") if name in register.plans.columns]
    latest = pl.coalesce(*known, pl.lit("not recorded"))
    days = {date(int(year), 3, 31): year for year in register.years} or {register.last: register.period}
    found = plans_by_category(
        register.plans.with_columns(latest_category=latest),
        days=list(days),
        which="latest",
        complete_from=register.first,
        complete_to=register.last,
        totals=True,
    )
    named = pl.col("day").replace_strict(days, return_dtype=pl.String)
    columns = (named.alias("time_period"), pl.lit(AT_END).alias("flow"), "category", "count")
    return _for_readers(found.select(columns)).sort("time_period", "category")


def long_lasting_plans(register: PlanRegister) -> pl.DataFrame:
    """Plans of two years or longer, by year and measure.

    Parameters
    ----------
    register
        The register.

    Returns
    -------
    pl.DataFrame
        As `long_plans` gives it; no rows where no whole year is covered. Not suppressed.

    Raises
    ------
    TableError
        As `long_plans`.
    """
    if not register.years:
        columns = {
            "time_period": pl.String,
            "measure": pl.String,
            **dict.fromkeys(list(PROPORTION.columns)[:5], pl.Float64),
        }
        return pl.DataFrame(schema={**columns, "numerator": pl.Int64, "denominator": pl.Int64})
    return long_plans(register.plans, register.years, complete_from=register.first, complete_to=register.last)


def next_plans_of(register: PlanRegister, policy: Policy) -> tuple[pl.DataFrame, str]:
    """Time to the next plan of all whose protection ended while the register is complete, and why it is not told.

    Parameters
    ----------
    register
        The register.
    policy
        The policy of the board: how few may be told.

    Returns
    -------
    tuple
        As `time_to_next_plan` gives it, and a sentence where that has no rows, else an empty text. Not suppressed.

    Raises
    ------
    TableError
        As `time_to_next_plan`.

    Notes
    -----
    Death and move count as what else may happen where one of either is recorded; else nobody is known to have left.
    Shares are not rounded as counts are, so under a policy that rounds, numbers below its base are not told either.
    """
    left = any(register.plans[name].count() for name in LEAVING if name in register.plans.columns)
    fewest, threshold = policy.minimum_mean, max(policy.threshold, policy.round or 1)
    found = time_to_next_plan(
        register.plans, register.last, since=register.first, competing=left, fewest=fewest, threshold=threshold
    )
    if register.area:
        return found.clear(), NOT_OF_AN_AREA
    if not found.is_empty():
        return found, ""
    why = why_not_told(
        register.plans, register.last, since=register.first, competing=left, fewest=fewest, threshold=threshold
    )
    return found, why
