"""Reporting years end on 31 March, and are covered wholly or not at all."""

from datetime import date, timedelta

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_plans as plain
from safeguarding_analytics.dates import (
    AGE_BANDS,
    age_band,
    check_reporting_years,
    covered_years,
    day_in_words,
    first_day,
    last_day,
    month,
    part_year,
    period_in_words,
    quarter,
    reporting_year,
)
from safeguarding_analytics.errors import ParameterError


def years(days: list[date | None]) -> list[str | None]:
    frame = nw.from_native(pl.DataFrame({"day": days}, schema={"day": pl.Date}))
    return frame.select(reporting_year(nw.col("day")))["day"].to_list()


@pytest.mark.parametrize(
    ("day", "year"),
    [
        # DfE children in need census: 1 April to 31 March, named by the year it ends in.
        (date(2007, 4, 1), "2008"),
        (date(2007, 12, 31), "2008"),
        (date(2008, 1, 1), "2008"),
        (date(2008, 2, 29), "2008"),
        (date(2008, 3, 31), "2008"),
        (date(2008, 4, 1), "2009"),
    ],
)
def test_reporting_year_runs_from_april_to_march(day, year):
    assert years([day]) == [year]


def test_unknown_day_has_no_reporting_year():
    assert years([None, date(2011, 5, 10)]) == [None, "2012"]


def test_no_day_gives_no_year():
    assert years([]) == []


def test_duckdb_gives_the_same_years():
    days = pl.DataFrame({"day": [date(2008, 3, 31), date(2008, 4, 1), None]})
    relation = nw.from_native(duckdb.from_arrow(days.to_arrow()))
    found = relation.select(reporting_year(nw.col("day")).alias("year")).collect("polars").to_native()
    assert sorted(found["year"].to_list(), key=str) == ["2008", "2009", None]


@settings(max_examples=50, deadline=None)
@given(st.dates(date(1900, 1, 1), date(2200, 12, 31)))
def test_every_day_lies_between_the_ends_of_its_year(day):
    year = int(years([day])[0])
    assert date(year - 1, 4, 1) <= day <= date(year, 3, 31)
    assert years([date(year, 3, 31) + timedelta(days=1)]) == [str(year + 1)]


def test_days_are_written_for_readers():
    assert day_in_words(date(2011, 5, 3)) == "3 May 2011"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("2003-04", "Apr 2003"),
        ("2003-12", "Dec 2003"),
        ("2003-01 to 2003-03", "Jan to Mar 2003"),
        ("2003-10 to 2003-12", "Oct to Dec 2003"),
        ("2004", "2004"),
        ("1 October 2024 to 31 March 2025, 6 months", "1 October 2024 to 31 March 2025, 6 months"),
        ("2003-13", "2003-13"),
        ("Total", "Total"),
    ],
)
def test_months_and_quarters_are_written_so_that_no_one_reads_a_financial_year(name, written):
    assert period_in_words(name) == written


@settings(max_examples=50, deadline=None)
@given(st.dates(date(1900, 1, 1), date(2200, 12, 31)))
def test_months_and_quarters_of_files_are_those_that_are_written(day):
    days = nw.from_native(pl.DataFrame({"day": [day]}))
    names = days.select(month=month(nw.col("day")), quarter=quarter(nw.col("day"))).to_native().row(0)
    begin = (day.month - 1) // 3 * 3 + 1
    ends = [f"{date(day.year, number, 1):%b}" for number in (begin, begin + 2)]
    assert [period_in_words(name) for name in names] == [f"{day:%b} {day.year}", f"{' to '.join(ends)} {day.year}"]


def test_first_and_last_day_of_a_reporting_year():
    assert (first_day("2008"), last_day("2008")) == (date(2007, 4, 1), date(2008, 3, 31))


@pytest.mark.parametrize(
    ("years", "message"),
    [
        ([], "at least one reporting year"),
        ("2008", "give a list"),
        (["2008", "07/08", 2009], "Found: 07/08, 2009"),
        (["2008", "2008"], "a year stands twice"),
    ],
)
def test_what_is_no_list_of_reporting_years_is_refused(years, message):
    with pytest.raises(ParameterError, match=message):
        check_reporting_years(years)


@pytest.mark.parametrize(
    ("first", "last", "years"),
    [
        (date(2007, 4, 1), date(2008, 3, 31), ["2008"]),
        (date(2007, 4, 2), date(2008, 3, 31), []),
        (date(2007, 4, 1), date(2008, 3, 30), []),
        (date(2006, 1, 1), date(2008, 12, 31), ["2007", "2008"]),
        (date(2007, 1, 1), date(2007, 12, 31), []),
        (None, date(2008, 3, 31), []),
        (date(2007, 4, 1), None, []),
        (date(2009, 4, 1), date(2008, 3, 31), []),
    ],
)
def test_covered_years_are_those_wholly_inside(first, last, years):
    assert covered_years(first, last) == years


@pytest.mark.parametrize(
    ("first", "last", "words"),
    [
        (date(2024, 10, 1), date(2025, 3, 31), "1 October 2024 to 31 March 2025, 6 months"),
        (date(2024, 4, 1), date(2025, 3, 31), ""),
        (
            date(2023, 10, 1),
            date(2025, 6, 30),
            "1 October 2023 to 31 March 2024, 6 months; 1 April 2025 to 30 June 2025, 3 months",
        ),
        (
            date(2025, 1, 1),
            date(2025, 5, 12),
            "1 January 2025 to 31 March 2025, 3 months; 1 April 2025 to 12 May 2025, 1 month and 12 days",
        ),
        (date(2024, 9, 15), date(2025, 3, 14), "15 September 2024 to 14 March 2025, 6 months"),
        (date(2024, 1, 31), date(2024, 2, 29), "31 January 2024 to 29 February 2024, 1 month and 1 day"),
        (date(2024, 5, 3), date(2024, 5, 3), "3 May 2024 to 3 May 2024, 1 day"),
    ],
)
def test_part_of_a_year_is_told_with_its_days_and_length(first, last, words):
    assert part_year(first, last) == words


def test_part_year_that_ends_before_it_starts_is_refused():
    with pytest.raises(ParameterError, match="complete_from, 2 May 2024, is after complete_to, 1 May 2024"):
        part_year(date(2024, 5, 2), date(2024, 5, 1))


def quarters(days):
    frame = nw.from_native(pl.DataFrame({"day": days}, schema={"day": pl.Date}))
    return frame.select(quarter(nw.col("day")))["day"].to_list()


@pytest.mark.parametrize(
    ("day", "named"),
    [
        (date(2008, 1, 1), "2008-01 to 2008-03"),
        (date(2008, 3, 31), "2008-01 to 2008-03"),
        (date(2007, 4, 1), "2007-04 to 2007-06"),
        (date(2007, 6, 30), "2007-04 to 2007-06"),
        (date(2007, 7, 1), "2007-07 to 2007-09"),
        (date(2007, 9, 30), "2007-07 to 2007-09"),
        (date(2007, 10, 1), "2007-10 to 2007-12"),
        (date(2007, 12, 31), "2007-10 to 2007-12"),
        (None, None),
    ],
)
def test_quarters_start_in_january_april_july_and_october(day, named):
    assert quarters([day]) == [named]


def test_names_of_quarters_sort_in_time():
    days = [date(1999, 11, 1) + timedelta(days=30 * number) for number in range(60)]
    named = quarters(days)
    assert named == sorted(named)


def bands(pairs):
    frame = nw.from_native(pl.DataFrame(pairs, schema={"birth": pl.Date, "day": pl.Date}, orient="row"))
    return frame.select(band=age_band(nw.col("birth"), nw.col("day")))["band"].to_list()


@pytest.mark.parametrize(
    ("birth", "day", "band"),
    [
        (date(2013, 4, 2), date(2013, 4, 1), "Unborn"),
        (date(2014, 1, 1), date(2013, 12, 31), "Unborn"),
        (date(2013, 4, 1), date(2013, 4, 1), "Under 1"),
        (date(2012, 4, 2), date(2013, 4, 1), "Under 1"),
        (date(2012, 4, 1), date(2013, 4, 1), "1 to 4"),
        (date(2008, 4, 2), date(2013, 4, 1), "1 to 4"),
        (date(2008, 4, 1), date(2013, 4, 1), "5 to 9"),
        (date(2003, 4, 2), date(2013, 4, 1), "5 to 9"),
        (date(2003, 4, 1), date(2013, 4, 1), "10 to 15"),
        (date(1997, 4, 2), date(2013, 4, 1), "10 to 15"),
        (date(1997, 4, 1), date(2013, 4, 1), "16 and over"),
        (date(2012, 2, 29), date(2013, 2, 28), "Under 1"),  # the birthday is on 1 March
        (date(2012, 2, 29), date(2013, 3, 1), "1 to 4"),
        (date(1996, 2, 29), date(2012, 2, 28), "10 to 15"),
        (date(1996, 2, 29), date(2012, 2, 29), "16 and over"),
        (None, date(2013, 4, 1), None),
        (date(2012, 2, 29), None, None),
    ],
)
def test_age_band_changes_on_the_birthday(birth, day, band):
    assert bands([(birth, day)]) == [band]
    assert band is None or band in AGE_BANDS


def test_duckdb_gives_the_same_quarters_and_age_bands():
    births = [date(2004, 2, 29), date(2008, 2, 29), date(1999, 12, 31), date(2013, 3, 2), None]
    days = [date(2013, 2, 27) + timedelta(days=number) for number in range(5)] + [date(2012, 2, 29), None]
    pairs = [(birth, day) for birth in births for day in days]
    frame = pl.DataFrame(pairs, schema={"birth": pl.Date, "day": pl.Date}, orient="row")
    columns = (age_band(nw.col("birth"), nw.col("day")).alias("band"), quarter(nw.col("day")).alias("quarter"))
    relation = nw.from_native(duckdb.from_arrow(frame.to_arrow())).select("birth", "day", *columns)
    for birth, day, band, named in relation.collect("polars").to_native().rows():
        assert band == (plain.age_band(birth, day) if day else None)
        assert named == (plain.quarter(day) if day else None)


@settings(max_examples=50, deadline=None)
@given(st.dates(date(1980, 1, 1), date(2030, 12, 31)), st.dates(date(1980, 1, 1), date(2030, 12, 31)))
def test_ages_are_the_birthdays_that_have_been(birth, day):
    assert bands([(birth, day)]) == [plain.age_band(birth, day)]
