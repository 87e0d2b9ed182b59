"""Dates as booking systems write them: in either order of day and month, with times, or as a spreadsheet's numbers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import polars as pl

from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.worksheets import Mistake, say_rows

Order = Literal["day_first", "month_first"]

CLOCK = "Europe/London"
"""The clock by which anything closes."""

DATE_WANTED = "a date such as 10/05/2011 or 2011-05-10, with or without a time"

_TIME = (
    r"(?:(?:,? +|t)\d{1,2}[:.]\d{2}(?:[:.]\d{2}(?:\.\d+)?)? *(?:[ap]\.?m\.?)?(?: *(?:z|utc|gmt|bst|[+-]\d\d:?\d\d))?)?$"
)
_TIME_OF_DAY = (
    r"[\d,][ t](\d{1,2})[:.](\d{2})(?:[:.](\d{2})(?:\.\d+)?)? *(?:([ap])\.?m\.?)?"
    r"(?: *(z|utc|gmt|bst|[+-]\d\d:?\d\d))?$"
)
_WEEKDAY = r"^(?:mon|tue|wed|thu|fri|sat|sun)[a-z]*[,.]? +"
_ISO = rf"^(?<year>\d{{4}})[-/.](?<month>\d{{1,2}})[-/.](?<day>\d{{1,2}}){_TIME}"
_NUMBERS = rf"^(?<first>\d{{1,2}}) ?[/.-] ?(?<second>\d{{1,2}}) ?[/.-] ?(?<year>\d{{4}}|\d{{2}}){_TIME}"
_DAY_NAMED = rf"^(?<day>\d{{1,2}})(?:st|nd|rd|th)?[ /-]+(?<month>[a-z]{{3,9}})\.?[ ,/-]+(?<year>\d{{4}}|\d{{2}}){_TIME}"
_MONTH_NAMED = rf"^(?<month>[a-z]{{3,9}})\.?[ -]+(?<day>\d{{1,2}})(?:st|nd|rd|th)?[ ,-]+(?<year>\d{{4}}|\d{{2}}){_TIME}"
_SERIAL = r"^(\d{5})(?:\.\d+)?$"
_MONTHS = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_MONTH_NUMBERS = {word: number for number, month in enumerate(_MONTHS, 1) for word in (month, month[:3], month[:4])} | {
    "sept": 9
}


@dataclass(frozen=True)
class Days:
    """Columns of dates, null where a cell holds none, with `ROW`; what is wrong; what was taken for granted."""

    frame: pl.DataFrame
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]


def parse_days(texts: pl.DataFrame, headings: Mapping[str, str], order: Order | None) -> Days:
    """Read columns of dates, whose order of day and month is worked out from each column as a whole.

    Parameters
    ----------
    texts
        Columns of text, and `ROW`.
    headings
        Heading of each column, for notes.
    order
        Order of day and month where it is known; None to work it out.

    Notes
    -----
    A first number above 12 anywhere says that days come first, a second one above 12 that months do. A column in which
    neither stands takes the order of the other columns, if they have one and the same. A year of two digits is one of
    1970 to 2069. Five digits are days since 30 December 1899, as spreadsheets count. Times are left out.

    Examples
    --------
    >>> import polars as pl
    >>> texts = pl.DataFrame({"date": ["5/13/11 09:30", "5/6/11"], "row_number": [2, 3]})
    >>> [str(day) for day in parse_days(texts, {"date": "Start"}, None).frame["date"]]
    ['2011-05-13', '2011-05-06']
    """
    parts = {name: _parts(texts.select(ROW, name), name) for name in headings}
    found = {name: _order_of(each) for name, each in parts.items()}
    others: set[str] = {each for each in found.values() if each in ("day_first", "month_first")}
    frame, mistakes, notes = texts.select(ROW), [], []
    for name, each in parts.items():
        chosen, mistake = _choose(name, each, found[name], order, others)
        mistakes += [mistake] if mistake else []
        notes += _say_order(headings[name], found[name], chosen, order) + _suspect(each, headings[name])
        known = set(mistake.rows) if mistake else set()
        bad = each.filter(pl.col("text").is_not_null() & _day(chosen).is_null() & ~pl.col(ROW).is_in(known))
        if bad.height:
            with_order = "" if chosen == "none" else f", with the {chosen.replace('_', ' ')}"
            mistakes.append(Mistake(name, DATE_WANTED + with_order, tuple(bad[ROW].to_list())))
        frame = frame.join(each.select(ROW, _day(chosen).alias(name)), on=ROW, how="left", maintain_order="left")
    return Days(frame, tuple(mistakes), tuple(notes))


def _choose(
    name: str, parts: pl.DataFrame, found: str, order: Order | None, others: set[str]
) -> tuple[str, Mistake | None]:
    """The order in which a column is read, and what is wrong with it. Where it is not known, one is taken to go on."""
    if order is not None:
        return order, None
    if found == "open":
        return next(iter(others), "day_first"), None if len(others) == 1 else Mistake(name, _ASK)
    if found == "both":
        days, months = (parts.filter(one)[ROW].to_list() for one in (_day_first(), _month_first()))
        more, fewer = ("day_first", months) if len(months) <= len(days) else ("month_first", days)
        return more, Mistake(name, _CLASH, tuple(fewer))
    return found, None


def _say_order(heading: str, found: str, chosen: str, order: Order | None) -> list[str]:
    if found == "open" and order is None:
        return [
            f"column {heading} is read with the {chosen.replace('_', ' ')}, as other dates of the export are, "
            "because no number in it tells days from months"
        ]
    return [f"column {heading} is read with the month first, as in 05/31/2011"] if found == "month_first" else []


_ASK = (
    "dates of which it can be told whether the day or the month comes first: no number in them is above 12. "
    'Set date_order = "day_first" or "month_first" under [bookings_export] in board.toml'
)
_CLASH = (
    "one order of day and month in the whole column. Some dates have a first number above 12 and others a second one; "
    "these rows are the fewer. Correct them, or set date_order under [bookings_export] in board.toml"
)


def _parts(texts: pl.DataFrame, name: str) -> pl.DataFrame:
    """Each cell taken apart: `iso` if it says which is which, `first`, `second` and `year` if it does not."""
    different = (
        texts.select(pl.col(name).alias("text"))
        .unique()
        .drop_nulls()
        .with_columns(_plain(pl.col("text")).alias("plain"))
    )
    cells = different.with_columns(
        pl.col("plain").str.extract_groups(_NUMBERS).alias("numbers"),
        pl.col("plain").str.extract_groups(_ISO).alias("iso"),
        pl.col("plain").str.extract_groups(_DAY_NAMED).alias("day_named"),
        pl.col("plain").str.extract_groups(_MONTH_NAMED).alias("month_named"),
        pl.col("plain").str.extract(_SERIAL).cast(pl.Int64, strict=False).alias("serial"),
    )
    iso, named, other = (pl.col(each).struct for each in ("iso", "day_named", "month_named"))
    numbers = pl.col("numbers").struct
    serial = pl.when(pl.col("serial").is_between(20_000, 73_050)).then(
        pl.date(1899, 12, 30) + pl.duration(days=pl.col("serial"))
    )
    return texts.rename({name: "text"}).join(
        cells.select(
            "text",
            pl.coalesce(
                _date(iso.field("year"), iso.field("month"), iso.field("day")),
                _date(_year(named.field("year")), _month(named.field("month")), named.field("day")),
                _date(_year(other.field("year")), _month(other.field("month")), other.field("day")),
                serial.cast(pl.Date),
            ).alias("iso"),
            numbers.field("first").cast(pl.Int64, strict=False).alias("first"),
            numbers.field("second").cast(pl.Int64, strict=False).alias("second"),
            _year(numbers.field("year")).alias("year"),
        ),
        on="text",
        how="left",
        maintain_order="left",
    )


def _year(text: pl.Expr) -> pl.Expr:
    number = text.cast(pl.Int64, strict=False)
    return (
        pl.when(text.str.len_chars() > 2)
        .then(number)
        .otherwise(number + pl.when(number < 70).then(2000).otherwise(1900))
    )


def _month(word: pl.Expr) -> pl.Expr:
    return word.replace_strict(_MONTH_NUMBERS, default=None, return_dtype=pl.Int64)


def _date(year: pl.Expr, month: pl.Expr, day: pl.Expr) -> pl.Expr:
    text = pl.format("{}-{}-{}", year.cast(pl.String), month.cast(pl.String), day.cast(pl.String))
    parsed = text.str.to_date("%Y-%m-%d", strict=False)
    return pl.when(parsed.dt.year().is_between(1900, 2100)).then(parsed)


def _numeric() -> pl.Expr:
    return pl.col("iso").is_null() & pl.col("first").is_not_null()


def _day_first() -> pl.Expr:
    return _numeric() & (pl.col("first") > 12) & (pl.col("second") <= 12)


def _month_first() -> pl.Expr:
    return _numeric() & (pl.col("second") > 12) & (pl.col("first") <= 12)


def _order_of(parts: pl.DataFrame) -> Literal["day_first", "month_first", "both", "open", "none"]:
    """What the cells of a column say of its order; "none" where none of them needs one."""
    days, months, either = parts.select(
        _day_first().any().alias("days"),
        _month_first().any().alias("months"),
        (_numeric() & (pl.col("first") != pl.col("second"))).any().alias("either"),
    ).row(0)
    if days and months:
        return "both"
    if days or months:
        return "day_first" if days else "month_first"
    return "open" if either else "none"


def _day(order: str | None) -> pl.Expr:
    """The day of a cell; null where it is not a date, or the order is not known."""
    first, second = pl.col("first"), pl.col("second")
    day_first, month_first = _date(pl.col("year"), second, first), _date(pl.col("year"), first, second)
    match order:
        case "day_first":
            return pl.coalesce("iso", day_first)
        case "month_first":
            return pl.coalesce("iso", month_first)
        case _:
            return pl.coalesce("iso", pl.when(first == second).then(day_first))


def _suspect(parts: pl.DataFrame, heading: str) -> list[str]:
    """Say where real dates may have day and month swapped: all that could not be swapped have stayed text."""
    typed = parts.filter(pl.col("text").str.contains(r"^\d{4}-\d\d-\d\d 00:00:00$"))
    written = parts.filter(_numeric())
    if written.is_empty() or typed.height < 2:
        return []
    swappable = typed.select((pl.col("iso").dt.day() <= 12).all()).item()
    decided = written.select((_day_first() | _month_first()).all()).item()
    rows = typed[ROW].to_list()
    return (
        [
            f"column {heading} holds dates up to the 12th of a month as dates and all others as text ({len(rows):,} "
            f"rows: {say_rows(rows)}): a spreadsheet may have swapped day and month in them. Compare a few with the "
            "booking system"
        ]
        if swappable and decided
        else []
    )


def second_of_day(text: pl.Expr) -> pl.Expr:
    """The second of its day at which something was submitted, of a time as forms and spreadsheets write it; else 0.

    A time zone behind it is left out: `clock_seconds` reckons with it.

    Examples
    --------
    >>> times = pl.DataFrame({"at": ["24/09/2015 9:30:05 p.m.", "Fri 25.09.2015 16:30", "42271.5", "2015-09-24"]})
    >>> times.select(second_of_day(pl.col("at")))["at"].to_list()
    [77405, 59400, 43200, 0]
    """
    plain = _plain(text)
    hour, minute, second = (plain.str.extract(_TIME_OF_DAY, part).cast(pl.Int64, strict=False) for part in (1, 2, 3))
    half = plain.str.extract(_TIME_OF_DAY, 4)
    hours = pl.when(half.is_null()).then(hour).otherwise(hour % 12 + pl.when(half == "p").then(12).otherwise(0))
    serial = plain.str.extract(r"^\d{5}(\.\d+)$").cast(pl.Float64, strict=False) * 86_400
    return pl.coalesce(hours * 3600 + minute * 60 + second.fill_null(0), serial.round().cast(pl.Int64), 0).alias("at")


def clock_seconds(day: pl.Expr, text: pl.Expr) -> pl.Expr:
    """Seconds from 1970 to when something was submitted, as a clock on the wall in `CLOCK` shows them.

    Parameters
    ----------
    day
        The day that was read of each text.
    text
        A day with a time. One with a zone behind it (Z, UTC, GMT, BST, +02:00) is turned to `CLOCK`; one without is
        taken as that clock shows it.

    Examples
    --------
    >>> day = pl.col("at").str.head(10).str.to_date()
    >>> times = pl.DataFrame({"at": ["2015-09-25 16:30Z", "2015-12-25 16:30Z", "2015-09-25 16:30"]})
    >>> seconds = times.select(clock_seconds(day, pl.col("at")))["at"]
    >>> (seconds % 86_400 / 3600).to_list()
    [17.5, 16.5, 16.5]
    """
    zone = _plain(text).str.extract(_TIME_OF_DAY, 5)
    sign = pl.when(zone.str.starts_with("-")).then(-1).otherwise(1)
    hours, minutes = (zone.str.extract(r"(\d\d):?(\d\d)", part).cast(pl.Int64, strict=False) for part in (1, 2))
    named = zone.replace_strict({"z": 0, "utc": 0, "gmt": 0, "bst": 3600}, default=None, return_dtype=pl.Int64)
    ahead = pl.coalesce(named, sign * (hours * 3600 + minutes * 60))
    written = day.cast(pl.Int32).cast(pl.Int64) * 86_400 + second_of_day(text)
    return pl.when(ahead.is_null()).then(written).otherwise(on_the_clock(written - ahead)).alias("at")


def on_the_clock(seconds: pl.Expr) -> pl.Expr:
    """Seconds since 1970 in universal time → as a clock on the wall in `CLOCK` shows them.

    Examples
    --------
    >>> pl.select(on_the_clock(pl.lit(0))).item()  # in 1970 London kept summer time all the year
    3600
    """
    moment = pl.from_epoch(seconds.cast(pl.Int64)).dt.replace_time_zone("UTC").dt.convert_time_zone(CLOCK)
    return moment.dt.replace_time_zone(None).dt.epoch("s").cast(pl.Int64)


def _plain(text: pl.Expr) -> pl.Expr:
    """A date whatever its case and spaces, without the day of the week before it."""
    return text.str.to_lowercase().str.replace_all(r"\s+", " ").str.replace(_WEEKDAY, "")
