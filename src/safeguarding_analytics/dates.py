"""Years as the Department for Education counts them."""

from __future__ import annotations

from datetime import date

import narwhals as nw
import polars as pl


def reporting_year(day: nw.Expr) -> nw.Expr:
    """The reporting year a day falls in: 1 April to 31 March, named by the year it ends in.

    Parameters
    ----------
    day
        Expression that gives a date.

    Returns
    -------
    nw.Expr
        Text such as ``"2008"`` for 1 April 2007 to 31 March 2008; null for a null day.

    References
    ----------
    DfE, Children in need statistics: years ending 31 March.

    Examples
    --------
    >>> from datetime import date
    >>> import narwhals as nw, polars as pl
    >>> days = nw.from_native(pl.DataFrame({"day": [date(2008, 3, 31), date(2008, 4, 1)]}))
    >>> days.select(reporting_year(nw.col("day")))["day"].to_list()
    ['2008', '2009']
    """
    return (day.dt.year().cast(nw.Int64) + (day.dt.month().cast(nw.Int64) > 3).cast(nw.Int64)).cast(nw.String)


def in_reporting_year(frame: pl.DataFrame, column: str, time_period: str) -> pl.DataFrame:
    """The rows of a frame whose day falls in a reporting year.

    Parameters
    ----------
    frame
        One row per session, plan or other thing with a day.
    column
        Column of the day.
    time_period
        Reporting year, named by the year it ends in; empty for all rows.

    Returns
    -------
    pl.DataFrame
        Those rows, in their order.

    Examples
    --------
    >>> from datetime import date
    >>> sessions = pl.DataFrame({"session": ["S1", "S2"], "date": [date(2011, 3, 31), date(2011, 4, 1)]})
    >>> in_reporting_year(sessions, "date", "2012")["session"].to_list()
    ['S2']
    """
    if not time_period:
        return frame
    return nw.from_native(frame).filter(reporting_year(nw.col(column)) == time_period).to_native()


def day_in_words(day: date) -> str:
    """Write a day as it is written in British texts.

    Examples
    --------
    >>> from datetime import date
    >>> day_in_words(date(2011, 5, 3))
    '3 May 2011'
    """
    return f"{day.day} {day:%B %Y}"
