"""Child protection plans: how many are open, start, end and last two years; rates; whether counts fit together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.dates import (
    check_reporting_years,
    covered_years,
    day_in_words,
    first_day,
    last_day,
    part_year,
)
from safeguarding_analytics.errors import ParameterError, TableError, in_words, numbered, require_columns, shorten
from safeguarding_analytics.groups import check_rows, count_rows, divide, fetch, group_columns, open_days, open_frame
from safeguarding_analytics.intervals import byar, wilson
from safeguarding_analytics.shapes import COUNT, PROPORTION, RATE
from safeguarding_analytics.tables import CATEGORIES, TOTAL

TIME_PERIOD, DAY, FLOW, MEASURE, CATEGORY = "time_period", "day", "flow", "measure", "category"
AT_START, STARTED, ENDED, AT_END = "open at the start", "started", "ended", "open at the end"
OPEN_AT_31_MARCH, ENDED_IN_YEAR = "open at 31 March", "ended in the year"
STOCKS_AND_FLOWS = {AT_START: "open_at_start", STARTED: "started", ENDED: "ended", AT_END: "open_at_end"}
"""How the kinds of count are called as rows, and as columns."""
LONGER_THAN = 729
"""Calendar days, first and last included, above which a plan counts as two years or longer."""
OPEN = date(9999, 12, 31)
"""Stands for the end of a plan that is still open."""
START, END = nw.col("start_date"), nw.col("end_date")
PER = 10_000


def plans_open(
    plans: IntoFrame,
    days: Sequence[date],
    by: str | Sequence[str] = (),
    *,
    complete_from: date | None = None,
    complete_to: date | None = None,
    totals: bool = False,
) -> pl.DataFrame:
    """How many plans were open at the end of a day.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``start_date``, ``end_date`` (null while it is open).
    days
        Days to count on, such as 31 March of some years.
    by
        Group columns of `plans`.
    complete_from
        Every plan that had not ended before this day is in the table; None where that is not known.
    complete_to
        Last day up to which starts and ends are recorded; None where that is not known.
    totals
        Whether to add rows "Total" for every column of `by`.

    Returns
    -------
    pl.DataFrame
        One row per day and group of the table, sorted: ``day``, the columns of `by`, ``count``: plans, 0 where none was
        open. Not suppressed.

    Raises
    ------
    TableError
        A column is missing or holds no dates; a plan stands twice, lacks its identifier or start, or ends before it
        starts.
    ParameterError
        A day lies outside what is complete, or stands twice; a group column is unknown.

    Notes
    -----
    Open: started on or before the day, and not ended on or before it. So a plan that ends on 31 March is not one of the
    plans at 31 March, and a plan that starts and ends on one day is never open at the end of a day. This is taken to be
    the Department's way; its published counts do not say how they treat a plan that ends on the day. Plans are counted,
    which is children as long as nobody has two at once.

    References
    ----------
    DfE, Children in need statistics, table D1, plans at 31 March.

    Examples
    --------
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2", "p3"],
    ...         "start_date": [date(2007, 4, 2), date(2008, 3, 31), date(2007, 6, 1)],
    ...         "end_date": [None, None, date(2008, 3, 31)],
    ...     }
    ... )
    >>> plans_open(plans, [date(2008, 3, 31)]).rows()
    [(datetime.date(2008, 3, 31), 2)]
    """
    _check_days(days, complete_from, complete_to)
    table = _open_plans(plans)
    groups = group_columns(by, table.collect_schema().names(), "plans", [DAY, *COUNT.columns])
    counts = count_rows(table, groups, {str(day): _open_on(day) for day in days}, totals=totals)
    return _long(counts, groups, [({DAY: day}, {"count": str(day)}) for day in days])


def plan_flow(
    plans: IntoFrame,
    years: Sequence[str],
    by: str | Sequence[str] = (),
    *,
    complete_from: date | None = None,
    complete_to: date | None = None,
    totals: bool = False,
) -> pl.DataFrame:
    """How many plans were open at both ends of a reporting year, started in it and ended in it.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``start_date``, ``end_date`` (null while it is open).
    years
        Reporting years, named by the year they end in, such as ``"2008"``.
    by
        Group columns of `plans`.
    complete_from, complete_to
        See `plans_open`; a year that is not wholly between the two is refused.
    totals
        Whether to add rows "Total" for every column of `by`.

    Returns
    -------
    pl.DataFrame
        One row per year, group of the table and kind, sorted: ``time_period``, the columns of `by`, ``flow`` ("open at
        the start", "started", "ended", "open at the end"), ``count``: plans. Not suppressed.

    Raises
    ------
    TableError
        See `plans_open`.
    ParameterError
        A year is not fully covered, stands twice or is none; a group column is unknown.

    Notes
    -----
    Each of the four is counted on its own, so that `flow_gaps` has something to find. Open at the start is open at the
    end of the 31 March before. A plan that starts and ends in the year is both; one that does so on a single day too.

    References
    ----------
    DfE, Children in need statistics, table D1.

    Examples
    --------
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2", "p3"],
    ...         "start_date": [date(2006, 4, 2), date(2007, 4, 1), date(2007, 6, 1)],
    ...         "end_date": [None, None, date(2008, 3, 31)],
    ...     }
    ... )
    >>> plan_flow(plans, ["2008"]).select("flow", "count").rows()
    [('ended', 1), ('open at the end', 2), ('open at the start', 1), ('started', 2)]
    """
    _check_years(years, complete_from, complete_to)
    table = _open_plans(plans)
    groups = group_columns(by, table.collect_schema().names(), "plans", [TIME_PERIOD, FLOW, *COUNT.columns])
    kinds = {
        (year, kind): flag
        for year in years
        for kind, flag in {
            AT_START: _open_on(first_day(year) - timedelta(days=1)),
            STARTED: START.is_between(nw.lit(first_day(year)), nw.lit(last_day(year))),
            ENDED: END.is_between(nw.lit(first_day(year)), nw.lit(last_day(year))),
            AT_END: _open_on(last_day(year)),
        }.items()
    }
    counts = count_rows(table, groups, {f"{year} {kind}": flag for (year, kind), flag in kinds.items()}, totals=totals)
    return _long(
        counts, groups, [({TIME_PERIOD: year, FLOW: kind}, {"count": f"{year} {kind}"}) for year, kind in kinds]
    )


def flow_gaps(flow: IntoFrame, *, rounded_to: int = 1) -> pl.DataFrame:
    """Whether the plans at the end of each year are those at its start, plus those that started, less those that ended.

    Parameters
    ----------
    flow
        Either one row per ``time_period`` (and other columns that name its row) with ``open_at_start``, ``started``,
        ``ended`` and ``open_at_end``, such as a table typed from a report; or what `plan_flow` gives.
    rounded_to
        What the counts are rounded to, such as 10; 1 where they are not rounded.

    Returns
    -------
    pl.DataFrame
        The rows, sorted by the columns that name them. Not suppressed.

        - ``open_at_start``, ``started``, ``ended``, ``open_at_end``: plans
        - ``gap``: open at the end − (open at the start + started − ended); below 0 where plans are missing at the end,
          null where a count is
        - ``message``: the same in words, with the sum written out

    Raises
    ------
    TableError
        A column is missing.
    ParameterError
        `rounded_to` is below 1.

    Notes
    -----
    A gap has ordinary causes as well as slips: late recording, moves between authorities, counts taken on other days.
    Four counts rounded to 10 each may leave a gap of up to 20.

    References
    ----------
    Kent Safeguarding Children Board, Annual Report 2007-08, Kent Child Protection Register.

    Examples
    --------
    Kent 2007/08 printed 960.

    >>> printed = {"time_period": ["2008"], "open_at_start": [864], "started": [920], "ended": [813]}
    >>> gaps = flow_gaps(pl.DataFrame({**printed, "open_at_end": [960]}))
    >>> gaps["gap"].item(), gaps["message"].item()
    (-11, '864 + 920 − 813 = 971, but 960 are counted at the end: 11 too few.')
    """
    if rounded_to < 1:
        raise ParameterError(f"rounded_to must be 1 or more, such as 10. Found: {rounded_to}.")
    counts = list(STOCKS_AND_FLOWS.values())
    found = fetch(open_frame(flow, [TIME_PERIOD], "flow"))
    if FLOW in found.columns:
        found = _wide(found)
    require_columns(found.columns, counts, "flow")
    names = [name for name in found.columns if name not in (*counts, "gap", "message")]
    rounding = 0 if rounded_to == 1 else 2 * rounded_to
    gaps = [_gap(row, rounding) for row in found.select(counts).iter_rows()]
    return (
        found.select(*names, pl.col(counts).cast(pl.Int64))
        .with_columns(
            pl.Series("gap", [gap for gap, _ in gaps], pl.Int64),
            pl.Series("message", [message for _, message in gaps], pl.String),
        )
        .sort(names)
    )


def stock_and_flow(start: int, joined: int, left: int, end: int) -> int:
    """How many more children a published end count holds than its start, joiners and leavers account for.

    Parameters
    ----------
    start, end
        Children on a plan on the first and on the last day.
    joined, left
        Plans that started and that ended in between.

    Returns
    -------
    int
        end − (start + joined − left). 0 where the counts fit together; below 0 where children are missing at the end.

    Notes
    -----
    A gap has ordinary causes as well as slips: late recording, moves between authorities, counts taken on other days.

    References
    ----------
    Kent Safeguarding Children Board, Annual Report 2007-08, Kent Child Protection Register.

    Examples
    --------
    Kent 2007/08: 864 + 920 − 813 = 971, printed 960.

    >>> stock_and_flow(864, 920, 813, 960)
    -11
    """
    return end - (start + joined - left)


def plans_per_10000(
    counts: IntoFrame,
    population: IntoFrame,
    *,
    by: str | Sequence[str] = ("time_period",),
    confidence: float = 0.95,
) -> pl.DataFrame:
    """Plans per 10,000 children aged 0 to 17 of the area.

    Parameters
    ----------
    counts
        One row per group, such as `plans_open` or `plan_flow` give: the columns of `by`, and ``count``.
    population
        One row per authority (and district) and mid-year: ``mid_year`` such as ``"2007"``, ``children``, and
        ``authority``, ``district`` (null for the whole authority) where there are such columns.
    by
        Columns of `counts` that tell its rows apart: ``time_period`` or ``day``, and any others. ``authority`` and
        ``district`` among them are looked up in `population`; without ``district``, or where it is "Total", the row of
        the whole authority is.
    confidence
        Of the interval, between 0 and 1.

    Returns
    -------
    pl.DataFrame
        One row per row of `counts`, sorted by the columns of `by`. Not suppressed.

        - ``count``: plans; ``population``: children, null where none is known for the mid-year
        - ``rate``: count ÷ population × 10,000; null where either is
        - ``lower``, ``upper``: its interval (Byar, exact Poisson below 10), per 10,000

    Raises
    ------
    TableError
        A column is missing, or the population of an area and mid-year stands twice.
    ParameterError
        `by` names no time, does not tell the rows of `counts` apart or is unknown; or `population` holds several
        authorities while `by` names none.

    Notes
    -----
    The population is that of the mid-year before the reporting year ended: 2008, 1 April 2007 to 31 March 2008, takes
    mid-2007. This is the rule that gives the Department's published rates. Another year's population is never taken
    instead: with that of the year itself few of them come out. Estimates are revised after a census, so a rate has the
    date of its population estimate as well as its own. Plans "open at the start" of a year are those at the end of the
    year before: take their rate from there, with that year's population.

    References
    ----------
    DfE, Children in need statistics, rates per 10,000 children; Office for National Statistics, mid-year population
    estimates.

    Examples
    --------
    960 plans open on 31 March 2008, in an area of 309,677 children:

    >>> population = pl.DataFrame({"authority": ["Kent"], "mid_year": ["2007"], "children": [309677]})
    >>> rate = plans_per_10000(pl.DataFrame({"time_period": ["2008"], "count": [960]}), population)
    >>> rate.select(pl.col("rate", "lower", "upper").round(2)).row(0)
    (31.0, 29.07, 33.02)
    """
    counted = fetch(open_frame(counts, ["count"], "counts"))
    groups = group_columns(by, [name for name in counted.columns if name != "count"], "counts", list(RATE.columns))
    _check_told_apart(counted, groups)
    area = [name for name in ("authority", "district") if name in groups]
    people = _population(population, area)
    lower, upper = byar(pl.col("count"), confidence)
    children = pl.col("population")
    return (
        counted.select(*groups, pl.col("count").cast(pl.Int64), _mid_year(groups).alias("mid_year"))
        .join(people, on=[*area, "mid_year"], how="left")
        .with_columns(
            (divide(pl.col("count"), children) * PER).alias("rate"),
            (divide(lower, children) * PER).alias("lower"),
            (divide(upper, children) * PER).alias("upper"),
        )
        .select(*groups, *RATE.columns)
        .sort(groups)
    )


def plans_by_category(
    plans: IntoFrame,
    by: str | Sequence[str] = (),
    *,
    days: Sequence[date] = (),
    years: Sequence[str] = (),
    which: str = "initial",
    complete_from: date | None = None,
    complete_to: date | None = None,
    totals: bool = False,
) -> pl.DataFrame:
    """How many plans there were of each category of abuse: open on days, or started in reporting years.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``start_date``, ``end_date``, and ``category`` or ``latest_category``.
    by
        Group columns of `plans`.
    days, years
        One of the two: days on which open plans are counted, or reporting years of whose starts are.
    which
        ``"initial"``, the category at the start (``category``), or ``"latest"`` (``latest_category``).
    complete_from, complete_to
        See `plans_open`.
    totals
        Whether to add rows "Total" for every column of `by` and for the category.

    Returns
    -------
    pl.DataFrame
        One row per day or year, group of the table and category, sorted: ``day`` or ``time_period``, the columns of
        `by`, ``category`` (NEG, PHY, SAB, EMO, MUL, 0 where there was none; null for plans without one where there
        are any), ``count``: plans. Not suppressed.

    Raises
    ------
    TableError
        See `plans_open`.
    ParameterError
        Neither days nor years are given, or both; one of them is not fully covered; `which` is another word; a group
        column is unknown.

    Notes
    -----
    The Department does not recommend "multiple" (MUL), and authorities use it unevenly.
    The latest category is that known when the table was made, not on the day that is counted.

    References
    ----------
    DfE, Children in need statistics, tables D2 and D4.

    Examples
    --------
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2"],
    ...         "category": ["NEG", "EMO"],
    ...         "start_date": [date(2007, 4, 2), date(2007, 6, 1)],
    ...         "end_date": [None, date(2008, 1, 1)],
    ...     }
    ... )
    >>> plans_by_category(plans, years=["2008"]).rows()[:2]
    [('2008', 'EMO', 1), ('2008', 'MUL', 0)]
    """
    columns = {"initial": "category", "latest": "latest_category"}
    if which not in columns:
        raise ParameterError(f'which must be "initial" or "latest". Found: "{which}".')
    if bool(days) == bool(years):
        raise ParameterError("give days, on which open plans are counted, or years, whose starts are: one of the two.")
    kinds: dict[Any, nw.Expr]
    if days:
        _check_days(days, complete_from, complete_to)
        time, kinds = DAY, {day: _open_on(day) for day in days}
    else:
        _check_years(years, complete_from, complete_to)
        time, kinds = (
            TIME_PERIOD,
            {year: START.is_between(nw.lit(first_day(year)), nw.lit(last_day(year))) for year in years},
        )
    table = _open_plans(plans, columns[which])
    known = [name for name in table.collect_schema().names() if name != CATEGORY]
    groups = group_columns(by, known, "plans", [time, CATEGORY, *COUNT.columns])
    table = table.with_columns(nw.col(columns[which]).alias(CATEGORY))
    counts = count_rows(table, [*groups, CATEGORY], {str(kind): flag for kind, flag in kinds.items()}, totals=totals)
    rows = [({time: kind}, {"count": str(kind)}) for kind in kinds]
    return _long(_every_category(counts, groups), [*groups, CATEGORY], rows)


def long_plans(
    plans: IntoFrame,
    years: Sequence[str],
    by: str | Sequence[str] = (),
    *,
    complete_from: date | None = None,
    complete_to: date | None = None,
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Share of the plans that lasted two years or longer: of those open at 31 March, and of those that ended in a year.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``start_date``, ``end_date`` (null while it is open).
    years
        Reporting years, named by the year they end in.
    by
        Group columns of `plans`.
    complete_from, complete_to
        See `plans_open`; a year that is not wholly between the two is refused.
    confidence
        Of the Wilson interval, between 0 and 1.
    totals
        Whether to add rows "Total" for every column of `by`.

    Returns
    -------
    pl.DataFrame
        One row per year, group of the table and measure, sorted: ``time_period``, the columns of `by`, ``measure``
        ("ended in the year", "open at 31 March"). Not suppressed.

        - ``numerator``: plans of more than 729 days; ``denominator``: plans
        - ``proportion``, ``lower``, ``upper``: 0 to 1; null where the denominator is 0

    Raises
    ------
    TableError
        See `plans_open`.
    ParameterError
        A year is not fully covered, stands twice or is none; a group column is unknown.

    Notes
    -----
    Two years or longer is the Department's "more than 729 calendar days, the day of cessation included": both the first
    and the last day count, so end − start + 1 > 729. An open plan lasts until 31 March, that day included. Low is good
    but zero is not to be expected; and a low share may be bought with plans that end too early and start again, so it
    belongs beside the share of second or subsequent plans.

    References
    ----------
    DfE, Children in need statistics, tables D5 (open) and D7 (ended).

    Examples
    --------
    Of two plans that ended on 30 March 2008, one started on 1 April 2006: 730 days.

    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2"],
    ...         "start_date": [date(2006, 4, 1), date(2006, 4, 2)],
    ...         "end_date": [date(2008, 3, 30), date(2008, 3, 30)],
    ...     }
    ... )
    >>> long_plans(plans, ["2008"]).select("measure", "numerator", "denominator").row(0)
    ('ended in the year', 1, 2)
    """
    _check_years(years, complete_from, complete_to)
    table = _open_plans(plans)
    groups = group_columns(by, table.collect_schema().names(), "plans", [TIME_PERIOD, MEASURE, *PROPORTION.columns])
    counts = count_rows(_with_730th_day(table), groups, dict(_long_flags(years)), totals=totals)
    rows = [
        (
            {TIME_PERIOD: year, MEASURE: measure},
            {"numerator": f"{year} {measure}, long", "denominator": f"{year} {measure}"},
        )
        for year in years
        for measure in (OPEN_AT_31_MARCH, ENDED_IN_YEAR)
    ]
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    return _long(counts, groups, rows).with_columns(
        divide(numerator, denominator).alias("proportion"), *wilson(numerator, denominator, confidence)
    )


def _check_years(years: Sequence[str], complete_from: date | None, complete_to: date | None) -> None:
    """Refuse what is no reporting year, stands twice, or is not fully covered."""
    check_reporting_years(years)
    early = [year for year in years if complete_from is not None and first_day(year) < complete_from]
    late = [year for year in years if complete_to is not None and last_day(year) > complete_to]
    refused = sorted({*early, *late})
    if refused:
        raise ParameterError(
            f"years: {in_words(refused)} {'is' if len(refused) == 1 else 'are'} not fully covered. "
            f"{_coverage(complete_from, complete_to)} A count of part of a year is no count of the year: leave "
            f"{'it' if len(refused) == 1 else 'them'} out."
        )


def _check_days(days: Sequence[date], complete_from: date | None, complete_to: date | None) -> None:
    """Refuse what is no day, stands twice, or is not covered: the end of the day before the first one is."""
    wrong = [day for day in days if type(day) is not date]
    if not days or wrong:
        raise ParameterError(f"days: give a list of at least one day as a date. Found: {shorten(wrong) or 'none'}.")
    if len(set(days)) < len(days):
        raise ParameterError("days: a day stands twice. Name each once.")
    before = None if complete_from is None else complete_from - timedelta(days=1)
    early = [day for day in days if before is not None and day < before]
    late = [day for day in days if complete_to is not None and day > complete_to]
    refused = [day_in_words(day) for day in sorted({*early, *late})]
    if refused:
        raise ParameterError(
            f"days: {shorten(refused)} {'is' if len(refused) == 1 else 'are'} not covered. "
            f"{_coverage(complete_from, complete_to)} Choose days in between."
        )


def _coverage(complete_from: date | None, complete_to: date | None) -> str:
    """What is covered, in one or two sentences."""
    since = "" if complete_from is None else f" from {day_in_words(complete_from)}"
    until = "" if complete_to is None else f" to {day_in_words(complete_to)}"
    words = f"The table is complete{since}{until}."
    if complete_from is None or complete_to is None:
        return words
    full = covered_years(complete_from, complete_to)
    part = part_year(complete_from, complete_to)
    return f"{words} Full years: {shorten(full) if full else 'none'}{f'; parts: {part}' if part else ''}."


def _open_plans(plans: IntoFrame, *columns: str) -> nw.LazyFrame[Any]:
    """Open and check the plans, with a far day for the end of those still open."""
    table = open_days(plans, ["plan", *columns], ["start_date", "end_date"], "plans")
    check_rows(table, "plan", ["start_date"], "plans")
    backwards = fetch(table.select((END < START).cast(nw.Int64).sum().alias("rows"))).item()
    if backwards:
        raise TableError(
            f"plans: {numbered(backwards, 'plan')} {'ends' if backwards == 1 else 'end'} before the day of the start. "
            "Correct the days, or leave these rows out and say so."
        )
    return table.with_columns(nw.when(END.is_null()).then(nw.lit(OPEN)).otherwise(END).alias("end_date"))


def _open_on(day: date) -> nw.Expr:
    return (nw.lit(day) >= START) & (nw.lit(day) < END)


def _with_730th_day(table: nw.LazyFrame[Any]) -> nw.LazyFrame[Any]:
    """Add the first day on which a plan has lasted more than 729 days, its first day being day 1."""
    return table.with_columns(START.dt.offset_by(f"{LONGER_THAN}d").cast(nw.Date).alias("_day_730"))


def _long_flags(years: Sequence[str]) -> Iterator[tuple[str, nw.Expr]]:
    """Per year and measure, what is counted in the denominator and in the numerator."""
    day_730 = nw.col("_day_730")
    for year in years:
        is_open = _open_on(last_day(year))
        ended = END.is_between(nw.lit(first_day(year)), nw.lit(last_day(year)))
        yield f"{year} {OPEN_AT_31_MARCH}", is_open
        yield f"{year} {OPEN_AT_31_MARCH}, long", is_open & (day_730 <= nw.lit(last_day(year)))
        yield f"{year} {ENDED_IN_YEAR}", ended
        yield f"{year} {ENDED_IN_YEAR}, long", ended & (day_730 <= END)


def _long(
    counts: pl.DataFrame,
    groups: Sequence[str],
    kinds: Sequence[tuple[Mapping[str, object], Mapping[str, str]]],
) -> pl.DataFrame:
    """Counts beside each other → below each other: per kind its labels, time first, and the columns it has."""
    parts = []
    for labels, columns in kinds:
        literals = [pl.lit(label).alias(name) for name, label in labels.items()]
        values = [pl.col(column).alias(name) for name, column in columns.items()]
        parts.append(counts.select(literals[0], *groups, *literals[1:], *values))
    names = [name for name in parts[0].columns if name not in kinds[0][1]]
    return pl.concat(parts).sort(names)


def _every_category(counts: pl.DataFrame, groups: Sequence[str]) -> pl.DataFrame:
    """Add rows of zeros for the categories that a group has no plan of."""
    found = counts[CATEGORY].to_list()
    categories = pl.DataFrame({CATEGORY: list(dict.fromkeys([*CATEGORIES, *found]))}, schema={CATEGORY: pl.String})
    every = counts.select(groups).unique().join(categories, how="cross") if groups else categories
    keys = [*groups, CATEGORY]
    values = [name for name in counts.columns if name not in keys]
    return every.join(counts, on=keys, how="left", nulls_equal=True).with_columns(pl.col(values).fill_null(0))


def _wide(flow: pl.DataFrame) -> pl.DataFrame:
    """Turn what `plan_flow` gives into one row per year, a column per kind."""
    require_columns(flow.columns, ["count"], "flow")
    names = [name for name in flow.columns if name not in (FLOW, "count")]
    wide = flow.pivot(on=FLOW, index=names, values="count")
    return wide.rename({kind: column for kind, column in STOCKS_AND_FLOWS.items() if kind in wide.columns})


def _gap(counts: Sequence[int | None], rounding: int) -> tuple[int | None, str]:
    """The gap of one row, and the same in words."""
    known = [count for count in counts if count is not None]
    if len(known) < len(counts):
        return None, "A count is not known, so it cannot be said whether they fit together."
    at_start, started, ended, at_end = known
    gap = stock_and_flow(at_start, started, ended, at_end)
    added = f"{at_start:,} + {started:,} − {ended:,} = {at_start + started - ended:,}"
    if gap == 0:
        return gap, f"{added}, as counted at the end."
    off = f"{abs(gap):,} too {'few' if gap < 0 else 'many'}"
    excused = ", which rounding alone may do" if abs(gap) <= rounding else ""
    return gap, f"{added}, but {at_end:,} are counted at the end: {off}{excused}."


def _check_told_apart(counted: pl.DataFrame, groups: Sequence[str]) -> None:
    """Refuse counts without a time, and those of which several rows would be one."""
    if len({TIME_PERIOD, DAY} & set(groups)) != 1:
        raise ParameterError(
            f"by: a rate needs time_period or day, one of them. Found: {', '.join(groups) or 'no column'}."
        )
    twice = counted.select(groups).is_duplicated().sum()
    if twice:
        others = [name for name in counted.columns if name not in (*groups, "count")]
        raise ParameterError(
            f"by: {twice:,} of {counted.height:,} rows of counts share {in_words(list(groups))} with another. "
            + (f"Add what tells them apart: {', '.join(others)}." if others else "Keep one row of each.")
        )


def _mid_year(groups: Sequence[str]) -> pl.Expr:
    """The mid-year before the reporting year ended; null for "Total"."""
    if DAY in groups:
        ended = pl.col(DAY).dt.year().cast(pl.Int64) + (pl.col(DAY).dt.month() > 3).cast(pl.Int64)
    else:
        ended = pl.col(TIME_PERIOD).cast(pl.String).cast(pl.Int64, strict=False)
    return (ended - 1).cast(pl.String)


def _population(population: IntoFrame, area: Sequence[str]) -> pl.DataFrame:
    """Children by area and mid-year; the whole authority where no district is asked for."""
    people = fetch(open_frame(population, [*area, "mid_year", "children"], "population"))
    if "authority" not in area and "authority" in people.columns and people["authority"].n_unique() > 1:
        raise ParameterError(
            f"population: holds {people['authority'].n_unique():,} authorities, and by names none. "
            "Keep the rows of one, or add authority to by."
        )
    if "district" in area:
        people = people.with_columns(pl.col("district").fill_null(TOTAL))
    elif "district" in people.columns:
        people = people.filter(pl.col("district").is_null())
    keys = [*area, "mid_year"]
    found = people.select(*area, pl.col("mid_year").cast(pl.String), pl.col("children").alias("population"))
    twice = found.select(keys).is_duplicated().sum()
    if twice:
        raise TableError(
            f"population: {twice:,} of {found.height:,} rows share {in_words(keys)} with another. Keep one row of each."
        )
    return found
