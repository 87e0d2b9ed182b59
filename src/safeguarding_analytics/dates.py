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


def day_in_words(day: date) -> str:
    """Write a day as it is written in British texts.

    Examples
    --------
    >>> from datetime import date
    >>> day_in_words(date(2011, 5, 3))
    '3 May 2011'
    """
    return f"{day.day} {day:%B %Y}"
