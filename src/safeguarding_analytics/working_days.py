"""England's working days, from a calendar of bank holidays."""

from __future__ import annotations

from datetime import date, timedelta
from functools import lru_cache
from typing import Any

import narwhals as nw
import polars as pl
from narwhals.typing import IntoFrame

from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.groups import fetch, open_days, open_frame

FIRST, LAST = date(2006, 1, 1), date(2027, 12, 31)
"""The days that are counted: of later ones the bank holidays are not certain, of earlier ones nobody asked."""
DAY, SO_FAR = "day", "working_days_so_far"
FROM, UNTIL = "_from", "_until"
"""Columns of our own beside those of the caller."""


@lru_cache(maxsize=1)
def bank_holidays() -> tuple[date, ...]:
    """Bank holidays of England that fall on Monday to Friday, substitute days included, 2006 to 2027.

    Returns
    -------
    tuple[date, ...]
        In order.

    References
    ----------
    Banking and Financial Dealings Act 1971 and royal proclamations, as kept by the package ``holidays``.

    Examples
    --------
    The royal wedding of 2011 was one, and the coronation of 2023.

    >>> date(2011, 4, 29) in bank_holidays(), date(2023, 5, 8) in bank_holidays()
    (True, True)
    """
    from holidays import country_holidays

    days = country_holidays("GB", subdiv="ENG", years=range(FIRST.year, LAST.year + 1))
    return tuple(sorted(day for day in days if day.weekday() < 5))


def calendar_shown() -> str:
    """The calendar in words, to be shown with every number that counts working days.

    Returns
    -------
    str
        Country, years and the version of the package that lists the bank holidays.

    Examples
    --------
    >>> calendar_shown().startswith("England, bank holidays of 2006 to 2027 (holidays ")
    True
    """
    from holidays.version import __version__

    return f"England, bank holidays of {FIRST.year} to {LAST.year} (holidays {__version__})"


def outside_calendar(what: str) -> str:
    """The message that days are not in the calendar.

    Parameters
    ----------
    what
        What lies outside, with its verb.

    Returns
    -------
    str
        Two sentences and what to do.

    Examples
    --------
    >>> outside_calendar("1 June 1970 lies").partition(":")[0]
    '1 June 1970 lies outside the calendar'
    """
    return (
        f"{what} outside the calendar: {calendar_shown()}. Counted without bank holidays, working days would be wrong. "
        "Correct the days, or leave these rows out and say so."
    )


@lru_cache(maxsize=1)
def working_day_calendar() -> pl.DataFrame:
    """Working days since the first day of the calendar, for every day of it.

    Returns
    -------
    pl.DataFrame
        One row per day from 1 January 2006 to 31 December 2027, in order: ``day``, and ``working_days_so_far``, the
        working days up to and including it. The difference of two days is the number of working days from one to the
        other, the first not counted.

    Examples
    --------
    Easter 2012: Thursday, Good Friday, Saturday, Sunday, Easter Monday, Tuesday.

    >>> easter = working_day_calendar().filter(pl.col("day").is_between(date(2012, 4, 5), date(2012, 4, 10)))
    >>> (easter["working_days_so_far"] - easter["working_days_so_far"][0]).to_list()
    [0, 0, 0, 0, 0, 1]
    """
    days = pl.date_range(FIRST, LAST, eager=True).alias(DAY)
    working = (days.dt.weekday() <= 5) & ~days.is_in(bank_holidays())
    return pl.DataFrame([days, working.cast(pl.Int64).cum_sum().alias(SO_FAR)])


def add_working_days(day: date, n: int) -> date:
    """The working day that is so many working days after a day.

    Parameters
    ----------
    day
        Any day of the calendar; it is not counted itself.
    n
        Working days, 0 or more; 0 gives the day itself.

    Returns
    -------
    date
        The nth working day after it.

    Raises
    ------
    ParameterError
        `n` is below 0, or the days lie outside the calendar.

    Examples
    --------
    A section 47 enquiry that started on 2 June 2022, itself a bank holiday as the 3rd was:

    >>> add_working_days(date(2022, 6, 2), 15)
    datetime.date(2022, 6, 24)
    """
    if n < 0:
        raise ParameterError(f"n must be 0 or more working days. Found: {n}.")
    if not FIRST <= day <= LAST:
        raise ParameterError(outside_calendar(f"{day_in_words(day)} lies"))
    found = day
    while n > 0:
        found += timedelta(days=1)
        if found > LAST:
            raise ParameterError(outside_calendar(f"the day asked for, counted from {day_in_words(day)}, lies"))
        n -= found.weekday() < 5 and found not in bank_holidays()
    return found


def working_days_between(
    frame: IntoFrame,
    start: str,
    end: str,
    *,
    calendar: IntoFrame | None = None,
    table: str = "the table",
    name: str = "working_days",
) -> Any:
    """Add how many working days after one day another one is.

    Parameters
    ----------
    frame
        Any frame with the two columns of days.
    start, end
        Names of those columns. The start is not counted, the end is, where it is a working day.
    calendar
        None for that of `working_day_calendar`, where `frame` is one of polars. A frame of another engine, such as a
        DuckDB relation, needs that calendar as a table of the same engine.
    table
        What the frame is called in messages.
    name
        Name of the column that is added.

    Returns
    -------
    Any
        A frame of the same kind, lazy where `frame` was, rows in any order, with the column `name`: working days, 0 or
        more; null where a day is missing or the end is before the start.

    Raises
    ------
    TableError
        A column is missing or holds no dates, or days lie outside the calendar: counted without bank holidays they
        would come out wrong.
    ParameterError
        No calendar for this engine.

    Examples
    --------
    2 and 3 June 2022 were bank holidays; without them it would be 11.

    >>> enquiries = pl.DataFrame({"section_47_start": [date(2022, 6, 2)], "conference_date": [date(2022, 6, 17)]})
    >>> working_days_between(enquiries, "section_47_start", "conference_date")["working_days"].item()
    10
    """
    opened = open_days(frame, [], [start, end], table)
    columns = opened.collect_schema().names()
    days = _calendar_on(opened, calendar)
    counted = opened.join(days.rename({DAY: start, SO_FAR: FROM}), on=start, how="left").join(
        days.rename({DAY: end, SO_FAR: UNTIL}), on=end, how="left"
    )
    _check_inside(counted, start, end, table)
    between = nw.when(nw.col(end) >= nw.col(start)).then(nw.col(UNTIL) - nw.col(FROM)).cast(nw.Int64)
    found = counted.with_columns(between.alias(name)).select(*dict.fromkeys([*columns, name]))
    return found.to_native() if isinstance(nw.from_native(frame), nw.LazyFrame) else fetch(found)


def _calendar_on(opened: nw.LazyFrame[Any], calendar: IntoFrame | None) -> nw.LazyFrame[Any]:
    """The calendar as a table of the engine the frame lives on."""
    if calendar is None:
        days = open_frame(working_day_calendar(), [], "calendar")
    else:
        days = open_days(calendar, [SO_FAR], [DAY], "calendar").select(DAY, SO_FAR)
    if days.implementation != opened.implementation:
        raise ParameterError(
            f"calendar: the table lives on {opened.implementation}, the calendar on {days.implementation}. "
            "Give working_day_calendar() as a table of the same engine, or collect the table into polars."
        )
    return days


def _check_inside(counted: nw.LazyFrame[Any], start: str, end: str, table: str) -> None:
    """Refuse days between which is to be counted, and which the calendar does not hold."""
    lost = (nw.col(end) >= nw.col(start)) & (nw.col(FROM).is_null() | nw.col(UNTIL).is_null())
    found = fetch(counted.select(nw.len().alias("rows"), lost.cast(nw.Int64).sum().alias("lost"))).row(0, named=True)
    if found["lost"]:
        rows = f"{start} or {end} of {found['lost']:,} of {found['rows']:,} rows"
        raise TableError(f"{table}: {outside_calendar(f'{rows} lies')}")
