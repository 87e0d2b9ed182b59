"""Reporting years end on 31 March."""

from datetime import date, timedelta

import duckdb
import narwhals as nw
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.dates import day_in_words, reporting_year


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
