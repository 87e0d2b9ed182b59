"""Working days of England, against published bank holidays, worked examples and a count of days one by one."""

import csv
import random
from datetime import date, datetime, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.working_days import (
    FIRST,
    LAST,
    add_working_days,
    bank_holidays,
    calendar_shown,
    working_day_calendar,
    working_days_between,
)

CALENDAR = Path(__file__).parents[2] / "shared" / "data" / "cin" / "england_wales_bank_holidays_d2i.csv"
needs_shared = pytest.mark.skipif(not CALENDAR.exists(), reason="../shared is not beside the project")

ONE_OFF = [
    date(2011, 4, 29),  # wedding of Prince William
    date(2012, 6, 4),  # spring bank holiday, moved beside the Diamond Jubilee
    date(2012, 6, 5),  # Diamond Jubilee
    date(2020, 5, 8),  # early May bank holiday, moved to VE day
    date(2022, 6, 2),  # spring bank holiday, moved
    date(2022, 6, 3),  # Platinum Jubilee
    date(2022, 9, 19),  # funeral of Queen Elizabeth II
    date(2023, 5, 8),  # coronation
]
SUBSTITUTES = [date(2010, 12, 28), date(2011, 1, 3), date(2016, 12, 27), date(2021, 12, 28), date(2022, 1, 3)]
PAIRS = {"began": pl.Date, "held": pl.Date}


def pairs(*rows):
    return pl.DataFrame(rows, schema=PAIRS, orient="row")


@needs_shared
def test_bank_holidays_are_those_published_from_2022_to_2027():
    with CALENDAR.open(encoding="utf-8") as lines:
        published = [date.fromisoformat(row["date"]) for row in csv.DictReader(lines)]
    assert len(published) == 51
    assert [day for day in bank_holidays() if day.year >= 2022] == sorted(published)


@pytest.mark.parametrize("day", [*ONE_OFF, *SUBSTITUTES])
def test_bank_holidays_proclaimed_once_and_substitute_days_are_known(day):
    assert day in bank_holidays()


@pytest.mark.parametrize(
    "day",
    [
        date(2012, 5, 28),  # the last Monday of May gave way to the jubilee
        date(2020, 5, 4),  # the first Monday of May gave way to VE day
        date(2012, 1, 2) + timedelta(1),  # 3 January 2012 is a holiday of Scotland alone
        date(2012, 3, 19),  # St Patrick's day, of Northern Ireland alone
    ],
)
def test_days_that_moved_or_belong_to_other_countries_are_working_days(day):
    assert day not in bank_holidays()


def test_every_year_has_eight_bank_holidays_and_more_where_one_was_proclaimed():
    # 2006 begins with the substitute of New Year's Day; a substitute may fall into the next year, New Year's Day of
    # 2028 is a Saturday, whose substitute is beyond the calendar.
    more = {2011: 9, 2012: 9, 2022: 10, 2023: 9}  # two of 2022: jubilee and funeral
    counted = {year: sum(day.year == year for day in bank_holidays()) for year in range(2006, 2028)}
    assert counted == {year: more.get(year, 8) for year in range(2006, 2028)}


def test_calendar_is_named_with_its_years_and_the_version_of_its_source():
    from importlib.metadata import version

    assert calendar_shown() == f"England, bank holidays of 2006 to 2027 (holidays {version('holidays')})"


def test_calendar_has_a_row_per_day_and_counts_as_one_counts_days():
    calendar = working_day_calendar()
    holidays, counted, expected = set(bank_holidays()), 0, []
    for shift in range((LAST - FIRST).days + 1):
        day = FIRST + timedelta(shift)
        counted += day.weekday() < 5 and day not in holidays
        expected.append((day, counted))
    assert calendar.rows() == expected
    assert calendar.schema == {"day": pl.Date, "working_days_so_far": pl.Int64}


def test_fifteen_working_days_after_2_june_2022_is_24_june():
    # Without the bank holidays of 2 and 3 June it would be the 23rd.
    assert add_working_days(date(2022, 6, 2), 15) == date(2022, 6, 24)


def test_conference_of_17_june_2022_took_10_working_days():
    found = working_days_between(pairs((date(2022, 6, 2), date(2022, 6, 17))), "began", "held")
    assert found["working_days"].to_list() == [10]  # without the bank holidays 11, another band


@pytest.mark.parametrize(
    ("day", "n", "found"),
    [
        (date(2023, 5, 5), 0, date(2023, 5, 5)),
        (date(2023, 5, 6), 0, date(2023, 5, 6)),  # a Saturday stays one
        (date(2023, 5, 5), 1, date(2023, 5, 9)),  # Friday before the coronation's Monday
        (date(2023, 5, 8), 1, date(2023, 5, 9)),
        (date(2011, 4, 21), 3, date(2011, 4, 28)),  # Easter, then the wedding on the 29th
        (date(2011, 4, 21), 4, date(2011, 5, 3)),
        (date(2027, 12, 30), 1, date(2027, 12, 31)),
    ],
)
def test_working_days_are_added_over_weekends_and_bank_holidays(day, n, found):
    assert add_working_days(day, n) == found


@pytest.mark.parametrize(("day", "n"), [(date(1970, 6, 2), 1), (date(2028, 1, 1), 0), (date(2027, 12, 31), 1)])
def test_days_outside_the_calendar_are_refused_when_added_to(day, n):
    with pytest.raises(ParameterError, match="outside the calendar: England, bank holidays of 2006 to 2027"):
        add_working_days(day, n)


def test_fewer_than_no_working_days_are_refused():
    with pytest.raises(ParameterError, match=r"n must be 0 or more working days. Found: -1\."):
        add_working_days(date(2022, 6, 2), -1)


def test_days_between_on_every_engine_are_those_counted_one_by_one():
    chance = random.Random(6)
    rows = []
    for _ in range(300):
        began = FIRST + timedelta(chance.randrange((LAST - FIRST).days - 60))
        held = None if chance.random() < 0.1 else began + timedelta(chance.randrange(-20, 60))
        rows.append((None if chance.random() < 0.1 else began, max(held, FIRST) if held else None))
    frame = pairs(*rows).with_row_index("row")
    holidays = set(bank_holidays())
    expected = []
    for began, held in rows:
        known = began is not None and held is not None and held >= began
        days = [began + timedelta(shift + 1) for shift in range((held - began).days)] if known else []
        expected.append(sum(day.weekday() < 5 and day not in holidays for day in days) if known else None)
    found = working_days_between(frame, "began", "held")
    assert found.columns == ["row", "began", "held", "working_days"]
    assert found.sort("row")["working_days"].to_list() == expected
    lazy = working_days_between(frame.lazy(), "began", "held")
    assert isinstance(lazy, pl.LazyFrame)
    assert lazy.collect().sort("row")["working_days"].to_list() == expected
    with duckdb.connect() as connection:
        table = connection.from_arrow(frame.to_arrow())
        calendar = connection.from_arrow(working_day_calendar().to_arrow())
        timed = working_days_between(table, "began", "held", calendar=calendar, name="took")
        assert timed.pl().sort("row")["took"].to_list() == expected


def test_end_before_the_start_or_unknown_has_no_working_days():
    frame = pairs((date(2022, 6, 6), date(2022, 6, 5)), (None, date(2022, 6, 5)), (date(2022, 6, 6), None))
    assert working_days_between(frame, "began", "held")["working_days"].to_list() == [None] * 3


def test_same_day_is_no_working_day_and_saturday_to_sunday_neither():
    frame = pairs((date(2022, 6, 6), date(2022, 6, 6)), (date(2022, 6, 11), date(2022, 6, 12)))
    assert working_days_between(frame, "began", "held")["working_days"].to_list() == [0, 0]


def test_times_of_day_are_cut_off():
    frame = pl.DataFrame({"began": [datetime(2022, 6, 6, 23)], "held": [datetime(2022, 6, 7, 1)]})
    assert working_days_between(frame, "began", "held")["working_days"].to_list() == [1]


def test_empty_frame_gains_the_column():
    found = working_days_between(pairs(), "began", "held")
    assert_frame_equal(found, pl.DataFrame(schema={**PAIRS, "working_days": pl.Int64}))


def test_days_of_1970_are_refused_and_counted_but_not_printed():
    # The dates of a public sample of the children in need census.
    frame = pairs((date(1970, 6, 2), date(1970, 6, 17)), (date(2022, 6, 2), date(2028, 1, 4)), (date(2022, 6, 2), None))
    with pytest.raises(
        TableError, match=r"enquiries: began or held of 2 of 3 rows lies outside the calendar"
    ) as raised:
        working_days_between(frame, "began", "held", table="enquiries")
    assert "would be wrong" in str(raised.value)
    assert "1970" not in str(raised.value)


def test_calendar_must_live_where_the_table_does():
    with duckdb.connect() as connection:
        table = connection.from_arrow(pairs().to_arrow())
        with pytest.raises(ParameterError, match=r"the table lives on .*duckdb.*, the calendar on .*polars"):
            working_days_between(table, "began", "held")
