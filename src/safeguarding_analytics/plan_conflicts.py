"""Child protection plans that cannot all be right: two of a child at once, or one after the child's death."""

from __future__ import annotations

import polars as pl

from safeguarding_analytics.contracts import PROBLEMS, Checked
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.tables import PLACEHOLDERS

_OPEN = 10**6
"""Stands for the end of an open plan, in days since 1970: later than any day."""

_ROWS = 2**32
"""More than any row's number, so that a day and a row fit into one whole number."""

MEND = "Correct the days where they are recorded, or leave out the plan that is not one"
"""What to do about plans that cannot all be right."""


_NEEDED = ("plan", "child", "start_date", "end_date", "death_date")


def conflicts_of(checked: Checked, places: pl.DataFrame | None = None) -> pl.DataFrame:
    """Report conflicts of plans that the contract can tell apart and whose days it can read.

    A day that cannot be read is null, as that of an open plan is, and a plan that stands twice is reported as that.
    """
    broken = checked.problems.filter(pl.col("column").is_in(_NEEDED))
    whole = broken["row"].null_count() > 0
    rows = broken.select(pl.col("row").alias(ROW))
    readable = checked.frame.clear() if whole else checked.frame.join(rows, on=ROW, how="anti", maintain_order="left")
    return plan_conflicts(readable, places)


def plan_conflicts(plans: pl.DataFrame, places: pl.DataFrame | None = None) -> pl.DataFrame:
    """Plans that contradict another plan of the child, or the day it died: each would be counted wrongly.

    Parameters
    ----------
    plans
        One row per plan, as the contract of the table plans parses it: ``authority``, ``child``, ``start_date``,
        ``end_date`` (null while it is open), ``death_date``, and the row's number in its file.
    places
        Where each row stands, in words (``place``), by its number; None where "row 12" says it.

    Returns
    -------
    pl.DataFrame
        One row per rule and plan that breaks it, with the columns of `check_board`, sorted by row and rule: 8915 and
        8920 of both days of a plan, 8935 of every open plan of a child that has several, 8940 of the plan that starts
        while another one lasts, unless both are open. Not suppressed, but no date and no identifier is in it.

    Notes
    -----
    A plan lasts from its start to the day before its end, so one that starts on the day another one ends is none of
    these. Of plans that start on one day the one that lasts longest comes first. Plans of different authorities are not
    compared, nor are those without a child, or with a word for "unknown" in its place.

    References
    ----------
    DfE, Children in need census: validation rules 8915, 8920, 8935 and 8940.

    Examples
    --------
    >>> from datetime import date
    >>> plans = pl.DataFrame(
    ...     {
    ...         "authority": ["Kent", "Kent"],
    ...         "child": ["A", "A"],
    ...         "start_date": [date(2007, 4, 2), date(2007, 9, 1)],
    ...         "end_date": [date(2007, 9, 3), None],
    ...         "death_date": pl.Series([None, None], dtype=pl.Date),
    ...         ROW: [2, 3],
    ...     }
    ... )
    >>> plan_conflicts(plans).select("row", "column", "found").rows()
    [(3, 'start_date', 'it starts before the plan of row 2 ends')]
    """
    known = plans.filter(~pl.col("child").str.to_lowercase().is_in(PLACEHOLDERS))
    start, end, death = pl.col("start_date"), pl.col("end_date"), pl.col("death_date")
    after_death = pl.lit("it lies after the day of death")
    several = known.filter(end.is_null() & start.is_not_null()).filter(pl.struct("authority", "child").is_duplicated())
    of_child = pl.len().over("authority", "child")
    found = [
        _report(
            plans.filter(start > death), "8915", "start_date", "a plan starts no later than the child died", after_death
        ),
        _report(plans.filter(end > death), "8920", "end_date", "a plan ends no later than the child died", after_death),
        _report(
            several,
            "8935",
            "end_date",
            "a child has at most one open plan",
            pl.format("(empty) in {} plans of one child", of_child),
        ),
        _overlaps(known, places),
    ]
    return pl.concat(found).sort("row", "rule", "column")


def _overlaps(plans: pl.DataFrame, places: pl.DataFrame | None) -> pl.DataFrame:
    """Plans that start before an earlier one of the child ends.

    By the latest end of those before, so that thousands of rows under one identifier take no thousand times longer.
    """
    child, last_day = ["authority", "child"], pl.col("end_date").to_physical().cast(pl.Int64).fill_null(_OPEN)
    latest = (pl.col("_end") * _ROWS + pl.col(ROW)).cum_max().shift(1).over(child)
    ordered = (
        plans.filter(pl.col("start_date").is_not_null() & pl.struct(child).is_duplicated())
        .with_columns(last_day.alias("_end"))
        .sort(*child, "start_date", "_end", ROW, descending=[False, False, False, True, False])
        .with_columns(latest.alias("_latest"))
        .with_columns((pl.col("_latest") // _ROWS).alias("_latest_end"), (pl.col("_latest") % _ROWS).alias("_other"))
    )
    during = pl.col("_latest_end") > pl.col("start_date").to_physical().cast(pl.Int64)
    both_open = (pl.col("_latest_end") == _OPEN) & pl.col("end_date").is_null()
    broken = ordered.filter(during & ~both_open)
    if places is not None:
        others = places.select(pl.col(ROW).alias("_other"), pl.col("place").alias("_place"))
        broken = broken.join(others, on="_other", how="left", maintain_order="left")
    else:
        broken = broken.with_columns(pl.format("row {}", "_other").alias("_place"))
    said = pl.format("it starts before the plan of {} ends", "_place")
    return _report(broken, "8940", "start_date", "no plan starts while another one of the child lasts", said)


def _report(broken: pl.DataFrame, code: str, column: str, wanted: str, found: pl.Expr) -> pl.DataFrame:
    rule = f"{code}: {wanted}. {MEND}"
    return broken.select(
        pl.lit("plans").alias("table"),
        pl.col(ROW).alias("row"),
        pl.lit(column).alias("column"),
        pl.lit(rule).alias("rule"),
        found.alias("found"),
    ).match_to_schema(PROBLEMS)
