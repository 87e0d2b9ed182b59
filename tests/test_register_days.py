"""From which day to which a register is complete: as stated, else as far as its plans let one guess."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.register_days import RegisterDays, days_of_register

FROM, TO = date(2024, 4, 1), date(2025, 3, 31)


def plans(*days):
    """Start and end of each plan."""
    return pl.DataFrame(list(days), schema={"start_date": pl.Date, "end_date": pl.Date}, orient="row")


def first(*days, **kwargs):
    return days_of_register(plans(*days), **kwargs).first


def last(*days, **kwargs):
    return days_of_register(plans(*days), **kwargs).last


LONG = (date(2003, 1, 9), date(2009, 1, 9))


def test_days_that_are_stated_are_taken_as_they_are():
    found = days_of_register(plans((date(2024, 6, 3), None)), FROM, TO)
    assert found == RegisterDays(FROM, TO, "")


@pytest.mark.parametrize(
    ("end", "expected"),
    [
        (date(2007, 4, 1), date(2007, 4, 1)),
        (date(2007, 5, 13), date(2007, 4, 1)),  # 42 days after it
        (date(2007, 5, 14), date(2008, 4, 1)),
        (date(2008, 3, 31), date(2008, 4, 1)),
    ],
)
def test_register_begins_with_the_reporting_year_in_whose_first_six_weeks_a_plan_first_ended(end, expected):
    assert first((date(2005, 6, 1), end), (date(2008, 12, 1), None), LONG) == expected


def test_register_in_which_no_plan_starts_after_that_year_begins_with_the_month_of_its_first_end():
    # A return of October to March: the 1 April before the first end is too early, the one after it too late.
    found = days_of_register(plans((date(2023, 1, 9), date(2024, 10, 3)), (date(2025, 3, 26), None)))
    assert (found.first, found.last) == (date(2024, 10, 1), date(2025, 3, 31))


def test_a_start_after_the_last_day_that_is_stated_says_nothing_of_the_first():
    known = ((date(2023, 1, 9), date(2024, 10, 3)), (date(2025, 3, 26), None), (date(2025, 4, 10), None))
    assert first(*known) == date(2025, 4, 1)
    assert first(*known, plans_to=TO) == date(2024, 10, 1)


def test_register_in_which_no_plan_has_ended_begins_with_the_month_of_its_first_start():
    assert first((date(2007, 4, 3), None), (date(2008, 4, 3), None)) == date(2007, 4, 1)
    assert first((date(2007, 5, 13), None)) == date(2007, 4, 1)
    assert first((date(2007, 5, 14), None)) == date(2007, 5, 1)


@pytest.mark.parametrize(
    ("day", "expected"),
    [
        (date(2008, 3, 16), date(2008, 2, 29)),
        (date(2008, 3, 17), date(2008, 3, 31)),
        (date(2008, 3, 31), date(2008, 3, 31)),
        (date(2008, 4, 1), date(2008, 3, 31)),
        (date(2007, 12, 17), date(2007, 12, 31)),  # no day of one child is told
        (date(2008, 2, 29), date(2008, 2, 29)),
    ],
)
def test_register_whose_last_start_or_end_lies_late_in_march_runs_to_its_end(day, expected):
    assert last((date(2007, 4, 2), None), (day, None)) == expected
    assert last((date(2007, 4, 2), day), (date(2007, 6, 1), None), (date(2006, 6, 1), date(2007, 4, 20))) == expected


def test_register_without_a_plan_has_only_the_days_that_are_stated():
    assert days_of_register(plans()) == RegisterDays(None, None)
    assert days_of_register(plans(), FROM) == RegisterDays(FROM, None)
    assert days_of_register(plans(), None, TO) == RegisterDays(None, TO)
    assert days_of_register(plans(), FROM, TO) == RegisterDays(FROM, TO)


def test_first_day_stated_after_all_plans_is_the_last_day_too():
    found = days_of_register(plans((date(2006, 4, 3), date(2007, 4, 30))), FROM)
    assert (found.first, found.last) == (FROM, FROM)


def test_last_day_stated_before_all_plans_is_the_first_day_too():
    found = days_of_register(plans((date(2026, 4, 3), date(2026, 4, 30))), None, TO)
    assert (found.first, found.last) == (TO, TO)


def test_what_is_taken_is_said_with_what_to_state():
    known = plans((date(2006, 4, 3), date(2007, 4, 30)), (date(2008, 3, 28), None))
    assert days_of_register(known).taken == (
        "the register is taken to be complete from 1 April 2007 to 31 March 2008, by its first and last days; state it "
        "under [child_protection] in board.toml (plans_from and plans_to)"
    )
    assert days_of_register(known, date(2006, 4, 1)).taken.endswith("(plans_to)")
    assert "from 1 April 2006 to 31 March 2008" in days_of_register(known, date(2006, 4, 1)).taken
    assert days_of_register(known, None, date(2008, 3, 31)).taken.endswith("(plans_from)")
    assert days_of_register(known, date(2006, 4, 1), date(2008, 3, 31)).taken == ""


DAYS = st.dates(date(2000, 1, 1), date(2012, 12, 31))
PLANS = st.lists(
    st.tuples(DAYS, st.none() | st.integers(0, 900)).map(
        lambda each: (each[0], None if each[1] is None else each[0] + timedelta(days=each[1]))
    ),
    min_size=1,
    max_size=8,
)


@settings(deadline=None)
@given(PLANS, st.none() | DAYS, st.none() | DAYS)
def test_the_first_day_is_never_after_the_last(rows, plans_from, plans_to):
    if plans_from and plans_to and plans_from > plans_to:
        plans_from, plans_to = plans_to, plans_from
    found = days_of_register(plans(*rows), plans_from, plans_to)
    assert found.first <= found.last
    assert plans_from is None or found.first == plans_from
    assert plans_to is None or found.last == plans_to
    assert bool(found.taken) == (plans_from is None or plans_to is None)


@settings(deadline=None)
@given(PLANS, st.randoms())
def test_the_order_of_rows_does_not_matter(rows, random):
    mixed = random.sample(rows, len(rows))
    assert days_of_register(plans(*mixed)) == days_of_register(plans(*rows))


@settings(deadline=None)
@given(st.dates(date(2000, 4, 1), date(2006, 4, 1)), st.integers(3, 6))
def test_extract_of_a_full_register_is_found_to_begin_and_end_with_its_reporting_years(day, years):
    # A plan starts and one ends every 10 days; the extract holds those open at some time since 1 April.
    begin = date(day.year, 4, 1)
    until = date(begin.year + years, 3, 31)
    starts = [begin - timedelta(days=400) + timedelta(days=10 * n) for n in range(40 + 37 * years)]
    spans = [(start, start + timedelta(days=300)) for start in starts if start <= until]
    extract = [(start, end if end <= until else None) for start, end in spans if end >= begin]
    found = days_of_register(plans(*extract))
    assert (found.first, found.last) == (begin, until)
