"""Child protection plans: how many are a child's second or later, and whether published counts fit together."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.dates import reporting_year
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.groups import fetch, group_columns, open_frame, with_totals
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.shapes import PROPORTION

TIME_PERIOD = "time_period"
OPEN = date(9999, 12, 31)
"""Stands for the end of a plan that is still open, so that it is the latest of all ends."""
START = nw.col("start_date")
END, EARLIER, LATEST_END = "_end", "_earlier_plans", "_latest_end"
"""Columns of our own beside those of the caller."""


def repeat_plan_rate(
    plans: IntoFrame,
    by: str | Sequence[str] = ("time_period",),
    within_months: int | None = None,
    *,
    confidence: float = 0.95,
    totals: bool = False,
) -> pl.DataFrame:
    """Share of the plans that started which are a second or subsequent plan of their child.

    Parameters
    ----------
    plans
        One row per plan: ``plan``, ``child``, ``start_date``, ``previous_plans`` (earlier plans of the child, as
        recorded at the start), and ``end_date`` (null while the plan is open) where `within_months` is given. With a
        column ``authority``, an earlier plan counts only in the authority of the later one.
    by
        Group columns: columns of `plans`, or ``time_period``, the reporting year of ``start_date`` (a column of that
        name in `plans` is not used). None for one row overall.
    within_months
        None counts a repeat however long ago the earlier plan was. A number k of months counts it only when an earlier
        plan of the child ended within k months before the start, or had not ended by then.
    confidence
        Of the Wilson interval, between 0 and 1.
    totals
        Whether to add rows "Total" for every group column.

    Returns
    -------
    pl.DataFrame
        One row per group in which a plan started, sorted by the group columns. Not suppressed.

        - ``numerator``: second or subsequent plans; ``denominator``: plans that can be counted
        - ``proportion``: numerator ÷ denominator, 0 to 1; null where the denominator is 0
        - ``lower``, ``upper``: its interval, 0 to 1; null where the denominator is 0

    Raises
    ------
    TableError
        A column is missing or holds no dates, a plan stands twice, or a plan has no identifier, child or start (or
        authority, where there is such a column).
    ParameterError
        A group column is unknown; `within_months` is below 1, or the table lacks the earlier plans it needs.

    Notes
    -----
    The Department's definition (no `within_months`) counts plans, not children: a child with two plans in a year
    counts twice. A plan is second or subsequent when ``previous_plans`` is above 0 or an earlier plan of the child (by
    start, then identifier) of the same authority stands in the table. A plan with unknown ``previous_plans`` is in
    neither count: unknown is not 0.

    `within_months` needs the history of each child, since a count of earlier plans says nothing about when they
    ended; the two definitions must not be mixed in one series. Months are calendar months, a day that the month lacks
    becomes its last: 6 months before 31 August is 28 or 29 February. An earlier plan that ended on that very day
    counts.

    The interval takes plans as independent. Siblings start plans together, and one child may have several, so the true
    interval is a little wider. A high share is not simply bad: it may show that risk is noticed again, a low one that
    plans run long. The definition knows only an authority's own plans. Without a column ``authority``, give those of
    one: a child who moved would count as a repeat, and pseudonyms of two authorities may clash.

    References
    ----------
    DfE, Children in need statistics, table D3; formerly national indicator 65.

    Examples
    --------
    Of four plans that started in the year to 31 March 2008, one is a second plan, and one cannot be counted.

    >>> from datetime import date
    >>> plans = pl.DataFrame(
    ...     {
    ...         "plan": ["p1", "p2", "p3", "p4"],
    ...         "child": ["a", "a", "b", "c"],
    ...         "start_date": [date(2007, 4, 2), date(2008, 3, 3), date(2007, 6, 1), date(2007, 7, 1)],
    ...         "previous_plans": [0, 1, 0, None],
    ...     }
    ... )
    >>> repeat_plan_rate(plans).select("time_period", "numerator", "denominator").row(0)
    ('2008', 1, 3)
    """
    if within_months is not None and within_months < 1:
        raise ParameterError(f"within_months must be 1 or more, or None for ever. Found: {within_months}.")
    table = _open(plans, linked=within_months is not None)
    groups = group_columns(by, [*table.collect_schema().names(), TIME_PERIOD], "plans", list(PROPORTION.columns))
    _check_rows(table)
    with_earlier = _with_earlier_plans(table.with_columns(reporting_year(START).alias(TIME_PERIOD)), groups)
    if within_months is None:
        is_repeat = (nw.col("previous_plans") > 0) | ~nw.col(EARLIER).is_null()
    else:
        _check_history(with_earlier)
        is_repeat = _ended_within(within_months)
    counts = _count(with_earlier, groups, is_repeat)
    if totals:
        counts = with_totals(counts, groups)
    numerator, denominator = pl.col("numerator"), pl.col("denominator")
    return counts.with_columns(
        pl.when(denominator > 0).then(numerator / denominator).alias("proportion"),
        *wilson(numerator, denominator, confidence),
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


def _open(plans: IntoFrame, *, linked: bool) -> nw.LazyFrame[Any]:
    """Open the plans where they live (frames in memory become polars) and check the columns used."""
    dates = ["start_date", "end_date"] if linked else ["start_date"]
    table = open_frame(plans, ["plan", "child", *dates, "previous_plans"], "plans")
    schema = table.collect_schema()
    for name in dates:
        if schema[name] not in (nw.Date, nw.Datetime):
            raise TableError(f"plans: {name} must hold dates. Found: {schema[name]}. Parse it before.")
    if not schema["previous_plans"].is_integer():
        raise TableError(f"plans: previous_plans must hold whole numbers. Found: {schema['previous_plans']}.")
    end = nw.col("end_date").cast(nw.Date) if linked else nw.lit(OPEN)
    end_or_open = nw.when(end.is_null()).then(nw.lit(OPEN)).otherwise(end)
    return table.with_columns(nw.col("start_date").cast(nw.Date), end_or_open.alias(END))


def _check_rows(table: nw.LazyFrame[Any]) -> None:
    """Refuse rows that would be counted wrongly without a sign: a self-join finds no earlier plan of a null child."""
    needed = [*_child_keys(table), "plan", "start_date"]
    found = fetch(
        table.select(
            nw.len().alias("rows"),
            nw.col("plan").n_unique().alias("plans"),
            *(nw.col(name).is_null().cast(nw.Int64).sum().alias(f"empty_{name}") for name in needed),
        )
    ).row(0, named=True)
    for name in needed:
        if found[f"empty_{name}"]:
            raise TableError(
                f"plans: {found[f'empty_{name}']:,} of {found['rows']:,} rows have no {name}. "
                "Complete them, or leave these rows out and say so."
            )
    if found["rows"] and found["rows"] > found["plans"]:  # of no rows, some engines count null different plans
        raise TableError(
            f"plans: {found['rows']:,} rows stand for {found['plans']:,} different plans. Keep one row per plan."
        )


def _child_keys(table: nw.LazyFrame[Any]) -> list[str]:
    """Columns that make two plans those of one child: the pseudonym, and the authority that gave it if it is known."""
    return ["child", *({"authority"} & set(table.collect_schema().names()))]


def _with_earlier_plans(table: nw.LazyFrame[Any], groups: Sequence[str]) -> nw.LazyFrame[Any]:
    """Add the number of the child's earlier plans in the table, and the latest of their ends; null where none is.

    By a self-join, which gives the same rows on every engine and needs no ordered window.
    """
    keys = _child_keys(table)
    earlier = table.select(
        *keys,
        nw.col("plan").alias("_earlier_plan"),
        nw.col("start_date").alias("_earlier_start"),
        nw.col(END).alias(LATEST_END),
    )
    same_day = nw.col("_earlier_start") == START
    found = (
        table.select("plan", *keys, "start_date")
        .join(earlier, on=keys, how="inner")
        .filter((nw.col("_earlier_start") < START) | (same_day & (nw.col("_earlier_plan") < nw.col("plan"))))
        .group_by("plan")
        .agg(nw.len().alias(EARLIER), nw.col(LATEST_END).max())
    )
    used = dict.fromkeys([*groups, "plan", "start_date", "previous_plans"])
    return table.select(*used).join(found, on="plan", how="left")


def _check_history(with_earlier: nw.LazyFrame[Any]) -> None:
    lost = (nw.col("previous_plans") > 0) & nw.col(EARLIER).is_null()
    found = fetch(with_earlier.select(nw.len().alias("plans"), lost.cast(nw.Int64).sum().alias("lost"))).row(
        0, named=True
    )
    if found["lost"]:
        raise ParameterError(
            f"within_months: {found['lost']:,} of {found['plans']:,} plans had a plan before (previous_plans above 0) "
            "that is not in the table, so the time since it ended is unknown. "
            "Give the earlier plans too, or leave within_months out."
        )


def _ended_within(months: int) -> nw.Expr:
    """Whether the latest end of an earlier plan is not before the start less some calendar months.

    Compared as month and day of month, because engines do not agree on subtracting months: the day that many months
    back is the start's day of the month, or the month's last where it has no such day.
    """
    end = nw.col(LATEST_END)
    month_back = _month_number(START) - months
    late_enough = (end.dt.day() >= START.dt.day()) | _is_last_of_month(end)
    return (_month_number(end) > month_back) | ((_month_number(end) == month_back) & late_enough)


def _month_number(day: nw.Expr) -> nw.Expr:
    return day.dt.year().cast(nw.Int64) * 12 + day.dt.month().cast(nw.Int64)


def _is_last_of_month(day: nw.Expr) -> nw.Expr:
    year, month, number = day.dt.year(), day.dt.month(), day.dt.day()
    leap_year = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return (
        (number == 31)
        | ((number == 30) & month.is_in([4, 6, 9, 11]))
        | ((month == 2) & ((number == 29) | ((number == 28) & ~leap_year)))
    )


def _count(with_earlier: nw.LazyFrame[Any], groups: Sequence[str], is_repeat: nw.Expr) -> pl.DataFrame:
    """Count the plans whose number of previous plans is known, and the repeats among them, by group."""
    countable = ~nw.col("previous_plans").is_null()
    flags = with_earlier.with_columns(
        (countable & is_repeat.fill_null(False)).cast(nw.Int64).alias("numerator"),
        countable.cast(nw.Int64).alias("denominator"),
    )
    counts = nw.col("numerator", "denominator").sum()
    counted = fetch(flags.group_by(*groups).agg(counts) if groups else flags.select(counts))
    return (counted.sort(groups) if groups else counted).with_columns(
        pl.col("numerator", "denominator").cast(pl.Int64).fill_null(0)
    )
