"""One sentence per shape: the headline of a table, with its counts and its interval.

Only a `Safe` can be put into words, so a sentence never says what the table hides.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any

import polars as pl

from safeguarding_analytics.cells import HIDDEN_NOTE, rounded
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, in_words, shorten
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.tables import TOTAL

HIDDEN = f"The figure is {HIDDEN_NOTE}."


def percent(share: float, denominator: int | None = None) -> str:
    """A share as per cent: no decimals under a denominator of 100, one from there on.

    Examples
    --------
    >>> percent(0.19239, 920), percent(7 / 38, 38)
    ('19.2%', '18%')

    A half is rounded away from 0, as charts and spreadsheets do:

    >>> percent(5 / 400, 400), percent(1 / 8, 8)
    ('1.3%', '13%')
    """
    return f"{rounded(share * 100, decimals_of_share(denominator))}%"


def decimals_of_share(denominator: int | None = None) -> int:
    """How many decimals a share has as per cent: none under a denominator of 100, one from there on.

    Examples
    --------
    >>> decimals_of_share(99), decimals_of_share(100), decimals_of_share()
    (0, 1, 1)
    """
    return 0 if denominator is not None and denominator < 100 else 1


def say_proportion(
    table: Safe, *, of: str, have: str, where: Mapping[str, str] | None = None, if_empty: str = ""
) -> str:
    """Put one row of a table of shares into words.

    Parameters
    ----------
    table
        Of shape ``proportion``.
    of, have
        What the denominator counts ("eligible staff") and what the numerator has ("attended a workshop").
    where
        Group values of the row; those not named are ``"Total"``. May be left out where the table has one row.
    if_empty
        What to say of a table without rows.

    Raises
    ------
    ParameterError
        When no row, or more than one, has those group values, and nothing is to be said of an empty table.
    """
    if if_empty and table.frame().is_empty():
        return if_empty
    row = row_of(table, where)
    if row["mark"]:
        hidden = HIDDEN.removeprefix("The figure is hidden")
        return f"How many of the {of} {have} is hidden{hidden}"
    if row["numerator"] is None and row["denominator"] is not None:
        return f"How many of {row['denominator']:,} {of} {have} is not known, so no overall share can be given."
    if row["denominator"] is None:
        counted = "" if row["numerator"] is None else f"{row['numerator']:,} {have}. "
        return f"{counted}How many {of} there are in all is not known, so no overall share can be given."
    if row["proportion"] is None:
        return (
            f"{row['numerator']:,} of {row['denominator']:,} {of} {have}: no share can be worked out from these counts."
        )
    size = row["denominator"]
    interval = f" ({_interval(row)})" if row["lower"] is not None else ""
    return f"{row['numerator']:,} of {size:,} {of} {have}: {percent(row['proportion'], size)}{interval}."


def say_range(table: Safe, *, groups: str) -> str:
    """Say from where to where the shares of the groups that are shown run, with the interval of both ends.

    Parameters
    ----------
    table
        Of shape ``proportion`` with one group column.
    groups
        What the groups are, such as ``"agencies"``.
    """
    frame = table.frame()
    (column,) = table.shape.group_columns(frame.columns)
    shown = frame.filter(pl.col("proportion").is_not_null(), pl.col(column).cast(pl.String) != TOTAL)
    if shown.height < 2:
        return f"Too few {groups} have a figure that can be shown to compare them."
    ends = shown.sort("proportion", column)
    heading = f"{column.replace('_', ' ')} " if shown[column].cast(pl.String).str.contains(r"^\d{1,2}$").all() else ""
    low, high = (
        f"{percent(row['proportion'], row['denominator'])} "
        f"({heading}{row[column]}{f'; {_interval(row)}' if row['lower'] is not None else ''})"
        for row in (ends.row(0, named=True), ends.row(-1, named=True))
    )
    return f"Among the {shown.height:,} {groups} whose figures can be shown, the share runs from {low} to {high}."


def _interval(row: Mapping[str, Any]) -> str:
    lower, upper = (percent(row[end], row["denominator"]) for end in ("lower", "upper"))
    return f"95% interval {lower} to {upper}"


def cuts_of(quadrants: pl.DataFrame) -> tuple[float | None, float | None]:
    """The cut lines of urgency and importance that a table of quadrants was made with; None where it has none."""
    urgent, important = (
        next(iter(quadrants[name].drop_nulls()), None) if name in quadrants.columns else None
        for name in ("urgent_from", "important_from")
    )
    return urgent, important


def with_wider_interval(frame: pl.DataFrame) -> pl.DataFrame:
    """The wider ends of the two intervals of a share, where there is one that allows for siblings and repeats."""
    if not {"lower_clustered", "upper_clustered"} <= set(frame.columns):
        return frame
    lower, upper = pl.min_horizontal("lower", "lower_clustered"), pl.max_horizontal("upper", "upper_clustered")
    return frame.with_columns(lower=lower, upper=upper)


def row_of(table: Safe, where: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The one row of a table, or that of some groups; of those not named, the row of the total."""
    frame = table.frame()
    groups = table.shape.group_columns(frame.columns)
    wanted = {column: (where or {}).get(column, TOTAL) for column in groups}
    rows = (
        frame
        if frame.height == 1 and not where
        else frame.filter(*(pl.col(column).cast(pl.String) == value for column, value in wanted.items()))
    )
    if frame.is_empty():
        raise ParameterError(
            "nothing was counted for what was asked for: the table has no rows. "
            "Check the parameters, such as the period, against the data."
        )
    if rows.height != 1:
        words = ", ".join(f"{column} {value}" for column, value in wanted.items())
        there = "; ".join(f"{column}: {shorten(frame[column].unique().sort().to_list(), 12)}" for column in wanted)
        raise ParameterError(f"{rows.height} rows of the table have {words}. Wanted exactly one. There are {there}.")
    return dict(rows.row(0, named=True))


def say_unknown(table: Safe, *, what: str) -> str:
    """Name the groups whose denominator is not known, such as agencies that made no return.

    Parameters
    ----------
    table
        Of shape ``proportion`` with one group column.
    what
        What is not known of them, such as ``"how many eligible staff they have"``.

    Returns
    -------
    str
        Empty where there is no such group.
    """
    frame = table.frame()
    (column,) = table.shape.group_columns(frame.columns)
    group = pl.col(column).cast(pl.String)
    unknown = frame.filter(pl.col("numerator").is_not_null(), pl.col("denominator").is_null(), group != TOTAL)
    names = unknown[column].cast(pl.String).sort().to_list()
    if names and all(name is not None and name.isdecimal() for name in names):
        names = [f"{column.replace('_', ' ')} {name}" for name in names]
    return f"It is not known {what}: {in_words(names)}." if names else ""


def say_target(table: Safe, *, target: int | None, by_day: date | None, first: date | None, last: date | None) -> str:
    """Set the people reached against the programme's target.

    Parameters
    ----------
    table
        Of shape ``proportion``; its ``numerator`` in the Total row counts the people reached.
    target, by_day
        People to be trained, and the day by which; None where the board set none.
    first, last
        Days of the first and the last session that is counted; None where there is none.

    Returns
    -------
    str
        Empty where the board set no target.
    """
    if target is None:
        return ""
    reached = row_of(table, None)["numerator"]
    when = f" by {day_in_words(by_day)}" if by_day else ""
    if first is None or last is None:
        return f"The target was {target:,} people{when}; no session is counted yet."
    if reached is None:
        return f"The target was {target:,} people{when}. {HIDDEN}"
    gap = target - reached
    end = f"{gap:,} fewer than the target" if gap > 0 else f"{-gap:,} more than the target" if gap < 0 else "the target"
    late = " Some of these sessions were held after that day." if by_day and last > by_day else ""
    return (
        f"The target was {target:,} people{when}; {reached:,} were reached, {end}, "
        f"in the sessions from {day_in_words(first)} to {day_in_words(last)}.{late}"
    )


def say_stock_and_flow(start: int, joined: int, left: int, end: int, gap: int) -> str:
    """Put a stock, its joiners and leavers, and the gap that is left, into words.

    Parameters
    ----------
    start, joined, left, end
        Counts as printed: the stock before, those who joined and left, and the stock after.
    gap
        ``end`` less what the flows give, from `stock_and_flow`.

    Examples
    --------
    >>> say_stock_and_flow(864, 920, 813, 960, -11)
    '864 + 920 − 813 = 971, but 960 is printed: 11 fewer than the flows give.'
    """
    sum_of_flows = f"{start:,} + {joined:,} − {left:,} = {start + joined - left:,}"
    if gap == 0:
        return f"{sum_of_flows}, as printed."
    return f"{sum_of_flows}, but {end:,} is printed: {abs(gap):,} {'more' if gap > 0 else 'fewer'} than the flows give."
