"""Reporting years and whether days cover them; quarters, months and how they are written; ages; an evaluation's day."""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import narwhals as nw
import polars as pl

from safeguarding_analytics.errors import ParameterError, in_words, numbered, shorten

AGE_BANDS = ("Unborn", "Under 1", "1 to 4", "5 to 9", "10 to 15", "16 and over")
"""The Department's age bands of children in need, youngest first."""


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
        Text such as ``"2011-05"``, the form of files, which sorts by time; null for a null day. `period_in_words`
        writes it for readers.

    Examples
    --------
    >>> from datetime import date
    >>> import narwhals as nw, polars as pl
    >>> days = nw.from_native(pl.DataFrame({"day": [date(2011, 5, 10), date(2011, 12, 1)]}))
    >>> days.select(month(nw.col("day")))["day"].to_list()
    ['2011-05', '2011-12']
    """
    return day.dt.to_string("%Y-%m")


def quarter(day: nw.Expr) -> nw.Expr:
    """The quarter of a year a day falls in, named by its first and last month.

    Parameters
    ----------
    day
        Expression that gives a date.

    Returns
    -------
    nw.Expr
        Text such as ``"2007-04 to 2007-06"``, the form of files, which sorts by time; null for a null day.
        `period_in_words` writes it for readers.

    Notes
    -----
    Quarters start in January, April, July and October, so that the reporting year has four whole ones.

    Examples
    --------
    >>> from datetime import date
    >>> import narwhals as nw, polars as pl
    >>> days = nw.from_native(pl.DataFrame({"day": [date(2007, 6, 30), date(2007, 7, 1)]}))
    >>> days.select(quarter(nw.col("day")))["day"].to_list()
    ['2007-04 to 2007-06', '2007-07 to 2007-09']
    """
    year, number = day.dt.year().cast(nw.String), day.dt.month()

    def named(first: str, last: str) -> nw.Expr:
        return nw.concat_str(year, nw.lit(f"-{first} to "), year, nw.lit(f"-{last}"))

    autumn_or_winter = nw.when(number < 10).then(named("07", "09")).otherwise(named("10", "12"))
    rest = nw.when(number < 7).then(named("04", "06")).otherwise(autumn_or_winter)
    return nw.when(number < 4).then(named("01", "03")).otherwise(rest)


def age_band(birth: nw.Expr, day: nw.Expr) -> nw.Expr:
    """The Department's age band of a child on a day.

    Parameters
    ----------
    birth
        Expression that gives the day the child was born or, before the birth, is expected.
    day
        Expression that gives the day on which the age is wanted.

    Returns
    -------
    nw.Expr
        One of `AGE_BANDS`; ``"Unborn"`` where the birth is after the day; null where either is null.

    Notes
    -----
    A child reaches an age at the start of that birthday (Family Law Reform Act 1969, section 9). No statute says which
    day that is for a child born on 29 February in a year without one. It is taken to be 1 March, the common reading in
    England: the anniversary cannot come before as many whole years are over.

    References
    ----------
    DfE, Children in need statistics, tables by age; Family Law Reform Act 1969, section 9.

    Examples
    --------
    >>> from datetime import date
    >>> import narwhals as nw, polars as pl
    >>> births = [date(2012, 2, 29), date(2013, 6, 1), None]
    >>> children = nw.from_native(pl.DataFrame({"birth": births, "day": [date(2013, 2, 28)] * 3}))
    >>> children.select(band=age_band(nw.col("birth"), nw.col("day")))["band"].to_list()
    ['Under 1', 'Unborn', None]
    """
    birthday_to_come = _day_of_year(day) < _day_of_year(birth)
    age = day.dt.year().cast(nw.Int64) - birth.dt.year().cast(nw.Int64) - birthday_to_come.cast(nw.Int64)
    band = nw.when(age < 16).then(nw.lit("10 to 15")).otherwise(nw.lit("16 and over"))
    for below, name in ((10, "5 to 9"), (5, "1 to 4"), (1, "Under 1"), (0, "Unborn")):
        band = nw.when(age < below).then(nw.lit(name)).otherwise(band)
    return nw.when(~age.is_null()).then(band)


def _day_of_year(day: nw.Expr) -> nw.Expr:
    """Month and day as one number, 229 for 29 February, that grows through the year."""
    return day.dt.month().cast(nw.Int64) * 100 + day.dt.day().cast(nw.Int64)


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


def month_in_words(name: str, form: str = "%B %Y") -> str:
    """Write a month for readers; any other text stays as it is.

    Parameters
    ----------
    name
        Such as ``"2011-05"``, as `month` gives it.
    form
        As for ``strftime``.

    Returns
    -------
    str
        Such as ``"May 2011"``.

    Examples
    --------
    >>> month_in_words("2011-05"), month_in_words("2011-05", "%b"), month_in_words("Q1")
    ('May 2011', 'May', 'Q1')
    """
    try:
        return datetime.strptime(name, "%Y-%m").strftime(form)
    except ValueError:
        return name


def period_in_words(name: str, month: str = "%b") -> str:
    """Write a month or a quarter for readers, who may take "2003-04" for a financial year.

    Parameters
    ----------
    name
        Such as ``"2003-04"`` or ``"2003-04 to 2003-06"``, as `month` and `quarter` give them. Any other text, such as a
        year, stays as it is.
    month
        How a month is written, as for ``strftime``: ``"%b"``, short, or ``"%B"``, in full.

    Returns
    -------
    str
        Such as ``"Apr 2003"`` or ``"Apr to Jun 2003"``.

    Examples
    --------
    >>> [period_in_words(name) for name in ("2003-04", "2003-04 to 2003-06", "2004")]
    ['Apr 2003', 'Apr to Jun 2003', '2004']
    """
    first, to, last = name.partition(" to ")
    end = month_in_words(last or first, f"{month} %Y")
    return f"{month_in_words(first, month)}{to}{end}" if to else end


def first_day(year: str) -> date:
    """The first day of a reporting year.

    Examples
    --------
    >>> first_day("2008")
    datetime.date(2007, 4, 1)
    """
    return date(int(year) - 1, 4, 1)


def last_day(year: str) -> date:
    """The last day of a reporting year.

    Examples
    --------
    >>> last_day("2008")
    datetime.date(2008, 3, 31)
    """
    return date(int(year), 3, 31)


def check_reporting_years(years: Sequence[str]) -> None:
    """Refuse what is no list of reporting years, or names one twice.

    Raises
    ------
    ParameterError
        When it does.

    Examples
    --------
    >>> check_reporting_years(["2007/08"])
    Traceback (most recent call last):
    safeguarding_analytics.errors.ParameterError: years: reporting years are text such as "2008". Found: 2007/08.
    """
    if not years or isinstance(years, str):
        raise ParameterError('years: give a list of at least one reporting year, such as ["2008"].')
    wrong = [year for year in years if not isinstance(year, str) or not re.fullmatch(r"[12]\d{3}", year)]
    if wrong:
        raise ParameterError(f'years: reporting years are text such as "2008". Found: {shorten(wrong)}.')
    if len(set(years)) < len(years):
        raise ParameterError(f"years: a year stands twice. Found: {shorten(years)}. Name each once.")


def covered_years(complete_from: date | None, complete_to: date | None) -> list[str]:
    """The reporting years that lie wholly between two days.

    Parameters
    ----------
    complete_from, complete_to
        First and last day for which a table is complete; None where that is not known.

    Returns
    -------
    list[str]
        Years such as ``"2008"``, in order; none where a day is not known.

    Examples
    --------
    >>> covered_years(date(2022, 10, 1), date(2025, 3, 31)), covered_years(date(2022, 10, 1), date(2025, 3, 30))
    (['2024', '2025'], ['2024'])
    """
    if complete_from is None or complete_to is None:
        return []
    years = (str(year) for year in range(complete_from.year, complete_to.year + 2))
    return [year for year in years if complete_from <= first_day(year) and last_day(year) <= complete_to]


def part_year(complete_from: date, complete_to: date) -> str:
    """What a table covers besides full reporting years, in words.

    Parameters
    ----------
    complete_from, complete_to
        First and last day for which the table is complete.

    Returns
    -------
    str
        Days and length of each part of a year, joined by "; "; empty where only full years are covered.

    Raises
    ------
    ParameterError
        The first day is after the last.

    Examples
    --------
    >>> part_year(date(2024, 10, 1), date(2025, 3, 31))
    '1 October 2024 to 31 March 2025, 6 months'
    """
    if complete_from > complete_to:
        raise ParameterError(
            f"complete_from, {day_in_words(complete_from)}, is after complete_to, {day_in_words(complete_to)}."
        )
    years = (str(year) for year in range(complete_from.year, complete_to.year + 2))
    windows = [(max(complete_from, first_day(year)), min(complete_to, last_day(year))) for year in years]
    full = {(first_day(year), last_day(year)) for year in covered_years(complete_from, complete_to)}
    parts = [(first, last) for first, last in windows if first <= last and (first, last) not in full]
    return "; ".join(
        f"{day_in_words(first)} to {day_in_words(last)}, {_length_in_words(first, last)}" for first, last in parts
    )


def _length_in_words(first: date, last: date) -> str:
    """Months from the first day on, and the days left over, both days counted; within a reporting year."""
    after = last + timedelta(days=1)
    months = (after.year - first.year) * 12 + after.month - first.month - (after.day < first.day)
    years, month = divmod(first.month - 1 + months, 12)
    year, month = first.year + years, month + 1
    since = date(year, month, min(first.day, monthrange(year, month)[1]))
    lengths = ((months, "month"), ((after - since).days, "day"))
    return in_words([numbered(count, noun) for count, noun in lengths if count])
