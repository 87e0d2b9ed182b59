"""Reporting years, months, and the day of an evaluation."""

from __future__ import annotations

from datetime import date

import narwhals as nw
import polars as pl

from safeguarding_analytics.errors import ParameterError, shorten


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


def month(day: nw.Expr) -> nw.Expr:
    """The month a day falls in.

    Parameters
    ----------
    day
        Expression that gives a date.

    Returns
    -------
    nw.Expr
        Text such as ``"2011-05"``; null for a null day.

    Examples
    --------
    >>> from datetime import date
    >>> import narwhals as nw, polars as pl
    >>> days = nw.from_native(pl.DataFrame({"day": [date(2011, 5, 10), date(2011, 12, 1)]}))
    >>> days.select(month(nw.col("day")))["day"].to_list()
    ['2011-05', '2011-12']
    """
    return day.dt.to_string("%Y-%m")


def in_reporting_year(frame: pl.DataFrame, column: str, time_period: str, *, wanted: str = "") -> pl.DataFrame:
    """The rows of a frame whose day falls in a reporting year.

    Parameters
    ----------
    frame
        One row per session, plan or other thing with a day.
    column
        Column of the day.
    time_period
        Reporting year, named by the year it ends in; empty for all rows.
    wanted
        What the rows are, such as ``"sessions"``, where a year without any is a mistake.

    Returns
    -------
    pl.DataFrame
        Those rows, in their order.

    Raises
    ------
    ParameterError
        When there is none, and some are wanted.

    Examples
    --------
    >>> from datetime import date
    >>> sessions = pl.DataFrame({"session": ["S1", "S2"], "date": [date(2011, 3, 31), date(2011, 4, 1)]})
    >>> in_reporting_year(sessions, "date", "2012")["session"].to_list()
    ['S2']
    """
    if not time_period:
        return frame
    found = nw.from_native(frame).filter(reporting_year(nw.col(column)) == time_period).to_native()
    if wanted and found.is_empty():
        years = nw.from_native(frame).select(reporting_year(nw.col(column)).alias("year")).to_native()["year"]
        known = years.drop_nulls().unique().sort().to_list()
        raise ParameterError(
            f"time_period: no {wanted} in the year to 31 March {time_period}. There are {wanted} in: "
            f"{shorten(known) if known else 'no year'}."
        )
    return found


def evaluation_day(as_at: str, *others: date | None) -> date:
    """The day an evaluation is made for.

    Parameters
    ----------
    as_at
        A day such as ``"2011-07-01"``; empty for the first of the others that is known.
    others
        Days to take instead, such as the one in `board.toml` and that of the last session.

    Returns
    -------
    date
        The day.

    Raises
    ------
    ParameterError
        When the text is no day, or no day is known.

    Examples
    --------
    >>> from datetime import date
    >>> evaluation_day("", None, date(2011, 7, 1))
    datetime.date(2011, 7, 1)
    """
    if as_at.strip():
        try:
            return date.fromisoformat(as_at.strip())
        except ValueError:
            raise ParameterError(f'as_at must be a day such as 2011-07-01. Found: "{as_at}".') from None
    known = [day for day in others if day is not None]
    if not known:
        raise ParameterError("as_at: no day is known. Give one, or set [board] as_at in board.toml.")
    return known[0]


def latest_period(periods: pl.Series, sessions: pl.DataFrame, day: date) -> str:
    """The latest reporting year of a workforce in which a session had been held by a day.

    Parameters
    ----------
    periods
        Reporting years, such as the time_period of the workforce.
    sessions
        One row per session, with a column date.
    day
        The day of the evaluation.

    Returns
    -------
    str
        A year such as ``"2012"``; the latest of them where no session was held in any.

    Examples
    --------
    >>> from datetime import date
    >>> sessions = pl.DataFrame({"date": [date(2011, 5, 10)]})
    >>> latest_period(pl.Series(["2012", "2013"]), sessions, date(2011, 7, 1))
    '2012'
    """
    held = nw.from_native(sessions.filter(pl.col("date") <= day)).select(year=reporting_year(nw.col("date")))
    years = periods.drop_nulls().unique().sort().to_list()
    known = [year for year in years if year in held["year"].to_list()]
    return str((known or years)[-1])


def held_by(sessions: pl.DataFrame, day: date) -> pl.DataFrame:
    """The sessions that had been held by a day.

    Parameters
    ----------
    sessions
        One row per session, with a column date.
    day
        The day of the evaluation.

    Returns
    -------
    pl.DataFrame
        Those rows, in their order.

    Raises
    ------
    ParameterError
        When there is none: then there is nothing to evaluate.

    Examples
    --------
    >>> from datetime import date
    >>> sessions = pl.DataFrame({"session": ["S1", "S2"], "date": [date(2011, 5, 10), date(2011, 7, 4)]})
    >>> held_by(sessions, date(2011, 7, 1))["session"].to_list()
    ['S1']
    """
    held = sessions.filter(pl.col("date") <= day)
    if held.is_empty():
        first = sessions["date"].min()
        planned = f" The first is on {day_in_words(first)}." if isinstance(first, date) else ""
        raise ParameterError(
            f"no session of the year chosen had been held by {day_in_words(day)}, so there is nothing to evaluate."
            f"{planned} Choose another time_period or as_at."
        )
    return held


def day_in_words(day: date) -> str:
    """Write a day as it is written in British texts.

    Parameters
    ----------
    day
        The day.

    Returns
    -------
    str
        Such as ``"3 May 2011"``.

    Examples
    --------
    >>> from datetime import date
    >>> day_in_words(date(2011, 5, 3))
    '3 May 2011'
    """
    return f"{day.day} {day:%B %Y}"
