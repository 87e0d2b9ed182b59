"""Whose training is up to date on a day, person by person, against plain Python that counts months on a calendar."""

import calendar
import random
from collections import Counter
from datetime import date, datetime, timedelta

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.auditing import audit
from safeguarding_analytics.currency import (
    KIRKLEES_2011,
    TrainingRule,
    currency_ageing,
    induction_on_time,
    rule_levels,
    training_currency,
    training_status,
    with_returns,
)
from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.shapes import COUNT, PROPORTION, shape_of
from safeguarding_analytics.tables import STAGES
from whole_number_reader import broken_promises

UP_TO_DATE, DUE, STARTER, LATE, LONG, OTHER, NONE = STAGES
AS_AT = date(2011, 7, 1)

BOOKINGS = {
    "session": pl.String,
    "person": pl.String,
    "agency": pl.String,
    "target_group": pl.Int64,
    "status": pl.String,
    "learner": pl.String,
}
SESSIONS = {"session": pl.String, "date": pl.Date, "training_level": pl.Int64}
RECORDS = {
    "person": pl.String,
    "agency": pl.String,
    "target_group": pl.Int64,
    "training_level": pl.Int64,
    "completed": pl.Date,
}
STAFF = {
    "person": pl.String,
    "agency": pl.String,
    "training_level": pl.Int64,
    "target_group": pl.Int64,
    "start_date": pl.Date,
    "leaving_date": pl.Date,
}
WORKFORCE = {
    "agency": pl.String,
    "training_level": pl.Int64,
    "target_group": pl.Int64,
    "time_period": pl.String,
    "eligible_staff": pl.Int64,
}
STATUS = {
    "agency": pl.String,
    "person": pl.String,
    "target_group": pl.Int64,
    "training_level": pl.Int64,
    "last_trained": pl.Date,
    "due": pl.Date,
    "stage": pl.String,
}


def frame(schema, *rows):
    return pl.DataFrame(rows, schema=schema, orient="row")


def trained(group, *courses, person="p1", agency="Health"):
    """Bookings and sessions of one person: each course a day and a level."""
    booked = [(f"s{n}", person, agency, group, "attended", None) for n in range(len(courses))]
    held = [(f"s{n}", day, level) for n, (day, level) in enumerate(courses)]
    return frame(BOOKINGS, *booked), frame(SESSIONS, *held)


def stage_of(group, *courses, as_at=AS_AT, **options):
    return training_status(*trained(group, *courses), as_at=as_at, **options)["stage"].item()


# Plain Python


def months_later(day, months):
    """The same day some months later; the last day of a month that is too short."""
    number = day.year * 12 + day.month - 1 + months
    year, month = number // 12, number % 12 + 1
    return date(year, month, min(day.day, calendar.monthrange(year, month)[1]))


def stage_in_plain_python(rule, events, start, as_at):
    """Last course that counts, the last day on which all is in date, and the stage, of one person."""
    if rule is None:
        return None, None, "no rule"
    counting = [day for day, level in events if level is not None and level >= rule.training_level]
    last = max(counting, default=None)
    due = None if last is None else months_later(last, rule.refresh_months)
    if rule.yearly_level is not None:
        yearly = [day for day, level in events if level is not None and level >= rule.yearly_level]
        due = min(due, months_later(max(yearly), 12)) if due is not None and yearly else None
    if due is not None and due >= as_at:
        stage = DUE if due <= months_later(as_at, 3) else UP_TO_DATE
    elif start is not None and as_at <= months_later(start, 3):
        stage = STARTER
    elif due is not None:
        stage = LATE if due >= months_later(as_at, -12) else LONG
    else:
        stage = OTHER if events else NONE
    return last, due, stage


def status_in_plain_python(bookings, sessions, as_at, rules, records=None, staff=None):
    held = {row["session"]: row for row in sessions.iter_rows(named=True)}
    events = []
    for row in bookings.iter_rows(named=True):
        session = held.get(row["session"], {})
        if row["status"] == "attended" and row.get("learner") not in ("trainer", "test", "out_of_area"):
            events.append(
                (row["person"], row["agency"], row["target_group"], session.get("date"), session.get("training_level"))
            )
    for row in records.iter_rows(named=True) if records is not None else ():
        events.append((row["person"], row["agency"], row["target_group"], row["completed"], row["training_level"]))
    events = [event for event in events if event[3] is not None and event[3] <= as_at]
    people, recorded = {}, set()
    for row in staff.iter_rows(named=True) if staff is not None else ():
        recorded.add((row["agency"], row["person"]))
        if row["start_date"] <= as_at and (row["leaving_date"] is None or row["leaving_date"] >= as_at):
            people[row["agency"], row["person"]] = (row["target_group"], row["training_level"], row["start_date"])
    for person, agency, *_ in events:
        if (agency, person) not in recorded:
            groups = [(day, group) for who, of, group, day, _ in events if (who, of) == (person, agency) and group]
            people[agency, person] = (max(groups)[1] if groups else None, None, None)
    by_group = {rule.target_group: rule for rule in rules}
    rows = []
    for (agency, person), (group, level, start) in sorted(people.items(), key=lambda one: (one[0][0] or "", one[0][1])):
        own = [(day, level) for who, _, _, day, level in events if who == person]
        rows.append((agency, person, group, level, *stage_in_plain_python(by_group.get(group), own, start, as_at)))
    return rows


# One person


@pytest.mark.parametrize(
    ("last", "stage"),
    # Every three years: a course of 1 July 2008 counts up to 1 July 2011, that day included.
    [
        (date(2011, 7, 1), UP_TO_DATE),
        (date(2008, 10, 2), UP_TO_DATE),  # to 2 October 2011, one day after the three months
        (date(2008, 10, 1), DUE),
        (date(2008, 7, 1), DUE),  # the last day
        (date(2008, 6, 30), LATE),
        (date(2007, 7, 1), LATE),  # due 1 July 2010: a year ago to the day
        (date(2007, 6, 30), LONG),
        (date(1999, 1, 1), LONG),
    ],
)
def test_refresher_counts_for_three_years_with_its_last_day(last, stage):
    assert stage_of(2, (last, 2)) == stage


def test_refresher_of_a_leap_day_is_due_at_the_end_of_february():
    status = training_status(*trained(2, (date(2008, 2, 29), 2)), as_at=date(2011, 2, 28))
    assert status.select("due", "stage").row(0) == (date(2011, 2, 28), DUE)
    status = training_status(*trained(2, (date(2008, 2, 29), 2)), as_at=date(2011, 3, 1))
    assert status["stage"].item() == LATE


@pytest.mark.parametrize(
    ("group", "level", "stage"),
    # Kirklees 2011-14: group 1 needs level 1, groups 2 and 3 level 2; level 3 in its place counts.
    [(1, 1, UP_TO_DATE), (1, 4, UP_TO_DATE), (2, 1, OTHER), (2, 2, UP_TO_DATE), (3, 3, UP_TO_DATE), (3, 1, OTHER)],
)
def test_higher_level_counts_and_lower_does_not(group, level, stage):
    assert stage_of(group, (date(2011, 1, 1), level)) == stage


@pytest.mark.parametrize("group", [5, 6, 7, 8, None])
def test_groups_for_which_nothing_is_printed_have_no_rule(group):
    status = training_status(*trained(group, (date(2011, 1, 1), 3)), as_at=AS_AT)
    assert status.select("target_group", "due", "stage").row(0) == (group, None, "no rule")


@pytest.mark.parametrize(
    ("courses", "stage"),
    # Group 4: level 2 every three years, and a level 3 course each year.
    [
        ([(date(2010, 7, 1), 3)], DUE),  # the yearly one is due on 1 July 2011
        ([(date(2010, 10, 2), 3)], UP_TO_DATE),  # on 2 October 2011: one day after the three months
        ([(date(2010, 6, 30), 3)], LATE),
        ([(date(2011, 1, 1), 2)], OTHER),  # never a level 3 course
        ([(date(2010, 12, 1), 3), (date(2007, 1, 1), 2)], UP_TO_DATE),  # level 3 refreshes level 2
        ([(date(2009, 1, 1), 3), (date(2011, 5, 1), 2)], LONG),  # due 1 January 2010
    ],
)
def test_group_4_attends_a_level_3_course_each_year(courses, stage):
    assert stage_of(4, *courses) == stage


def test_rule_whose_yearly_course_is_of_a_lower_level_is_due_with_the_first_of_the_two():
    rule = TrainingRule(1, 3, refresh_months=24, yearly_level=1)
    options = {"rules": [rule], "as_at": AS_AT}
    assert stage_of(1, (date(2009, 8, 1), 3), (date(2011, 6, 1), 1), **options) == DUE
    assert stage_of(1, (date(2011, 6, 1), 1), **options) == OTHER


def test_training_after_the_day_does_not_count_so_any_day_can_be_tried():
    courses = [(date(2008, 6, 1), 2), (date(2011, 7, 2), 2)]
    assert stage_of(2, *courses) == LATE
    assert stage_of(2, *courses, as_at=date(2011, 7, 2)) == UP_TO_DATE
    assert training_status(*trained(2, (date(2011, 7, 2), 2)), as_at=AS_AT).height == 0


@pytest.mark.parametrize(
    ("start", "stage"),
    [
        (date(2011, 4, 1), STARTER),  # three months to 1 July, that day included
        (date(2011, 3, 31), NONE),  # to 30 June
        (date(2011, 7, 1), STARTER),
        (date(2011, 3, 30), NONE),
    ],
)
def test_starters_have_three_months(start, stage):
    staff = frame(STAFF, ("p1", "Health", 2, 2, start, None))
    empty = frame(BOOKINGS), frame(SESSIONS)
    status = training_status(*empty, as_at=AS_AT, staff=staff)
    assert status.rows() == [("Health", "p1", 2, 2, None, None, stage)]


def test_starter_whose_training_is_out_of_date_has_three_months_too():
    staff = frame(STAFF, ("p1", "Health", 2, 2, date(2011, 5, 1), None))
    assert stage_of(2, (date(2007, 1, 1), 2), staff=staff) == STARTER
    assert stage_of(2, (date(2011, 1, 1), 2), staff=staff) == UP_TO_DATE


@pytest.mark.parametrize(
    ("start", "leaving", "there"),
    [
        (date(2011, 7, 2), None, False),
        (date(2011, 7, 1), None, True),
        (date(2001, 1, 1), date(2011, 6, 30), False),
        (date(2001, 1, 1), date(2011, 7, 1), True),  # the last day is a day there
    ],
)
def test_who_has_left_or_not_yet_started_is_left_out_though_trained(start, leaving, there):
    staff = frame(STAFF, ("p1", "Health", 2, 2, start, leaving))
    found = training_status(*trained(2, (date(2011, 1, 1), 2)), as_at=AS_AT, staff=staff)
    assert found.height == there


def test_group_and_level_of_the_staff_record_come_first():
    staff = frame(STAFF, ("p1", "Health", 3, 4, date(2001, 1, 1), None))
    found = training_status(*trained(1, (date(2011, 6, 1), 2)), as_at=AS_AT, staff=staff)
    assert found.select("target_group", "training_level", "stage").row(0) == (4, 3, OTHER)


def test_group_is_the_latest_one_given():
    bookings, sessions = trained(1, (date(2009, 1, 1), 2), (date(2011, 1, 1), 2), (date(2011, 2, 1), 2))
    bookings = bookings.with_columns(target_group=pl.Series([1, 7, None]))
    assert training_status(bookings, sessions, as_at=AS_AT)["target_group"].item() == 7
    records = frame(RECORDS, ("p1", "Health", 3, 1, date(2011, 3, 1)))
    assert training_status(bookings, sessions, as_at=AS_AT, records=records)["target_group"].item() == 3


def test_two_groups_of_one_day_do_not_depend_on_the_order_of_rows():
    bookings, sessions = trained(2, (date(2011, 1, 1), 2), (date(2011, 1, 1), 2))
    bookings = bookings.with_columns(target_group=pl.Series([2, 7]))
    one, other = (training_status(rows, sessions, as_at=AS_AT) for rows in (bookings, bookings[::-1]))
    assert_frame_equal(one, other)


def test_training_counts_for_a_person_in_every_agency():
    bookings = pl.concat([trained(2, (date(2011, 1, 1), 2))[0], trained(2, (date(2011, 1, 1), 2), agency="School")[0]])
    sessions = frame(SESSIONS, ("s0", date(2011, 1, 1), 2))
    staff = frame(STAFF, ("p1", "Police", 2, 3, date(2001, 1, 1), None), ("p2", "Police", 2, 3, date(2001, 1, 1), None))
    found = training_status(bookings, sessions, as_at=AS_AT, staff=staff)
    assert found.select("agency", "person", "stage").rows() == [
        ("Health", "p1", UP_TO_DATE),
        ("Police", "p1", UP_TO_DATE),
        ("Police", "p2", NONE),
        ("School", "p1", UP_TO_DATE),
    ]


def test_training_of_somebody_without_an_agency_is_not_lost():
    found = training_status(*trained(2, (date(2011, 1, 1), 2), agency=None), as_at=AS_AT)
    assert found.rows() == [(None, "p1", 2, None, date(2011, 1, 1), date(2014, 1, 1), UP_TO_DATE)]


@pytest.mark.parametrize("learner", ["trainer", "test", "out_of_area"])
def test_trainers_test_users_and_learners_from_elsewhere_are_nobodys_staff(learner):
    bookings, sessions = trained(2, (date(2011, 1, 1), 2))
    assert training_status(bookings.with_columns(learner=pl.lit(learner)), sessions, as_at=AS_AT).height == 0


def test_rules_of_kirklees_and_one_rule_for_each_group():
    # Kirklees Safeguarding Children Board, Multi-agency Learning and Development Strategy 2011-14.
    assert rule_levels(KIRKLEES_2011) == {1: 1, 2: 2, 3: 2, 4: 2}
    assert [rule.refresh_months for rule in KIRKLEES_2011] == [36] * 4
    assert [rule.yearly_level for rule in KIRKLEES_2011] == [None, None, None, 3]
    with pytest.raises(ParameterError, match="target group 2 has 2 rules"):
        stage_of(2, (date(2011, 1, 1), 2), rules=[TrainingRule(2, 2), TrainingRule(2, 3)])
    assert stage_of(2, (date(2011, 1, 1), 2), rules=[]) == "no rule"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"bookings": frame(BOOKINGS).drop("target_group")}, "bookings: column target_group missing"),
        ({"sessions": frame(SESSIONS).drop("training_level")}, "sessions: column training_level missing"),
        (
            {"sessions": frame(SESSIONS, ("s0", AS_AT, 2), ("s0", AS_AT, 2))},
            "sessions: 1 of 1 stand in more than one row",
        ),
        ({"records": frame(RECORDS).drop("completed")}, "training_records: column completed missing"),
        ({"staff": frame(STAFF).drop("leaving_date")}, "staff: column leaving_date missing"),
        ({"bookings": frame(BOOKINGS, ("s0", "p1", "A", 1, "came", None))}, "1 of 1 rows have a status"),
        ({"bookings": frame(BOOKINGS, ("s0", None, "A", 1, "attended", None))}, "1 of 1 rows have no person"),
    ],
)
def test_bad_tables_are_refused(change, message):
    bookings, sessions = trained(2, (date(2011, 1, 1), 2))
    with pytest.raises(TableError, match=message):
        training_status(**{"bookings": bookings, "sessions": sessions, "as_at": AS_AT} | change)


# All of them at once


def random_world(seed):
    """Sessions, records and staff of a few people; no two trainings of a person on one day, so that no group ties."""
    chance = random.Random(seed)
    first = date(2005, 1, 1)
    days = [first + timedelta(day) for day in chance.sample(range(2_400), 10)]
    held = [(f"s{n}", days[n] if chance.random() < 0.9 else None, chance.choice([1, 2, 3, 4])) for n in range(8)]
    agencies, groups = ["Health", "Police", "School"], [1, 2, 3, 4, 4, 7, None]
    booked = {
        (f"s{chance.randrange(9)}", f"p{chance.randrange(8)}"): (
            chance.choice(agencies),
            chance.choice(groups),
            chance.choice(["attended", "attended", "attended", "cancelled", "booked"]),
            chance.choice([None, None, None, "local", "trainer", "out_of_area"]),
        )
        for _ in range(chance.randrange(40))
    }
    records = {
        (f"p{chance.randrange(8)}", days[8 + chance.randrange(2)]): (
            chance.choice(agencies),
            chance.choice(groups),
            chance.randint(1, 4),
        )
        for _ in range(chance.randrange(6))
    }
    staff = {
        (f"p{chance.randrange(12)}", chance.choice(agencies)): (
            chance.randint(1, 3),
            chance.choice([1, 2, 3, 4, 8]),
            start := first + timedelta(chance.randrange(2_300)),
            chance.choice([None, None, start + timedelta(chance.randrange(900))]),
        )
        for _ in range(chance.randrange(12))
    }
    return (
        frame(BOOKINGS, *((*key, *rest) for key, rest in booked.items())),
        frame(SESSIONS, *held),
        frame(RECORDS, *((person, *rest, day) for (person, day), rest in records.items())),
        frame(STAFF, *((*key, *rest) for key, rest in staff.items())),
    )


def around(tables, chance):
    """A day on which much happens: a training, or when one falls due, and a day either way."""
    dates = [
        *tables[1]["date"].drop_nulls(),
        *tables[2]["completed"],
        *tables[3]["start_date"],
        *tables[3]["leaving_date"].drop_nulls(),
    ]
    day = months_later(chance.choice(dates or [AS_AT]), chance.choice([0, 3, 12, 24, 33, 36, 48]))
    return day + timedelta(chance.choice([-1, 0, 1]))


WORLDS = st.integers(0, 10**6).map(random_world)


@settings(max_examples=150, deadline=None)
@given(WORLDS, st.randoms(use_true_random=False), st.booleans(), st.booleans())
def test_status_equals_plain_python_whatever_the_order_of_rows(tables, chance, with_records, with_staff):
    bookings, sessions, records, staff = tables
    options = {"records": records if with_records else None, "staff": staff if with_staff else None}
    as_at = around(tables, chance)
    rules = chance.choice(
        [KIRKLEES_2011, (TrainingRule(1, 2, 18, 1), TrainingRule(7, 1, 6), TrainingRule(2, 3, 48, 4))]
    )
    found = training_status(bookings, sessions, as_at=as_at, rules=rules, **options)
    assert_frame_equal(found, frame(STATUS, *status_in_plain_python(bookings, sessions, as_at, rules, **options)))
    turned = {name: None if table is None else table[::-1].lazy() for name, table in options.items()}
    again = training_status(bookings[::-1].lazy(), sessions[::-1].lazy(), as_at=as_at, rules=rules, **turned)
    assert_frame_equal(again, found)


@pytest.mark.parametrize("seed", range(5))
def test_status_on_duckdb_and_of_hours_is_the_same(seed):
    tables = random_world(seed)
    bookings, sessions, records, staff = tables
    found = training_status(bookings, sessions, as_at=date(2010, 1, 1), records=records, staff=staff)
    relations = [duckdb.from_arrow(table.to_arrow()) for table in tables]
    again = training_status(*relations[:2], as_at=date(2010, 1, 1), records=relations[2], staff=relations[3])
    assert_frame_equal(again, found)
    hours = sessions.with_columns(pl.col("date").cast(pl.Datetime) + timedelta(hours=14))
    assert_frame_equal(training_status(bookings, hours, as_at=date(2010, 1, 1), records=records, staff=staff), found)


# Shares and stages


def status_of(*rows):
    """(agency, person, target group, stage)."""
    full = [(agency, person, group, None, None, None, stage) for agency, person, group, stage in rows]
    return frame(STATUS, *full)


PEOPLE = status_of(
    ("Health", "p1", 1, UP_TO_DATE),
    ("Health", "p2", 2, DUE),
    ("Health", "p3", 2, STARTER),
    ("Health", "p4", 2, LATE),
    ("Health", "p5", 7, "no rule"),
    ("Health", "p6", None, "no rule"),
    ("Police", "p1", 1, UP_TO_DATE),
    ("Police", "p7", 1, OTHER),
    ("School", "p8", 2, LONG),
    ("School", "p9", 2, NONE),
    ("Library", "p10", 2, UP_TO_DATE),
)
RETURNS = frame(
    WORKFORCE,
    ("Health", 1, 1, "2012", 4),
    ("Health", 2, 2, "2012", 6),
    ("Health", 3, 7, "2012", 99),  # no rule
    ("Police", 1, 1, "2012", None),  # no return
    ("School", 2, 2, "2012", 5),
    ("Housing", 2, 2, "2012", 7),
)


def proportion_frame(groups, rows):
    full = []
    for *group, numerator, denominator in rows:
        known = bool(denominator) and numerator <= denominator
        share = (numerator / denominator, *wilson(numerator, denominator)) if known else (None, None, None)
        full.append((*group, numerator, denominator, *share))
    kinds = groups | dict.fromkeys(["numerator", "denominator"], pl.Int64)
    kinds |= dict.fromkeys(["proportion", "lower", "upper"], pl.Float64)
    return frame(kinds, *full)


def test_currency_is_a_share_of_all_eligible_staff_of_groups_with_a_rule():
    # Health: p1, p2 and p3 of 4 + 6. Housing: nobody of 7. Library came and made no return, Police an empty one.
    rows = [("Health", 3, 10), ("Housing", 0, 7), ("Library", 1, None), ("Police", 1, None), ("School", 0, 5)]
    found = training_currency(PEOPLE, RETURNS)
    assert_frame_equal(found, proportion_frame({"agency": pl.String}, rows))
    assert shape_of(found.columns) is PROPORTION
    total = training_currency(PEOPLE, RETURNS, totals=True).filter(agency="Total")
    assert_frame_equal(total, proportion_frame({"agency": pl.String}, [("Total", 5, None)]))


def test_currency_by_target_group_and_overall_is_unknown_where_somebody_made_no_return():
    some = pl.col("agency").is_in(["Health", "School", "Housing"])
    rows = [(1, 1, 4), (2, 2, 18)]
    found = training_currency(PEOPLE.filter(some), RETURNS.filter(some), by="target_group")
    assert_frame_equal(found, proportion_frame({"target_group": pl.Int64}, rows))
    assert_frame_equal(
        training_currency(PEOPLE.filter(some), RETURNS.filter(some), by=()), proportion_frame({}, [(3, 22)])
    )
    assert_frame_equal(training_currency(PEOPLE, RETURNS, by=()), proportion_frame({}, [(5, None)]))
    rows = [(1, 2, None), (2, 3, None)]
    assert_frame_equal(
        training_currency(PEOPLE, RETURNS, by="target_group"), proportion_frame({"target_group": pl.Int64}, rows)
    )


@pytest.mark.parametrize(("staff", "proportion"), [(0, None), (2, None), (3, 1.0), (None, None)])
def test_more_up_to_date_than_eligible_have_no_share(staff, proportion):
    returns = frame(WORKFORCE, ("Health", 2, 1, "2012", staff), ("Health", 2, 2, "2012", 0))
    found = training_currency(PEOPLE.filter(agency="Health"), returns).row(0, named=True)
    assert (found["numerator"], found["denominator"], found["proportion"]) == (3, staff, proportion)


def test_years_are_not_added_up_and_unknown_columns_are_named():
    years = pl.concat([RETURNS, RETURNS.with_columns(time_period=pl.lit("2011"))])
    with pytest.raises(ParameterError, match="2 time periods"):
        training_currency(PEOPLE, years)
    with pytest.raises(ParameterError, match='"sector" is not a column of status and workforce'):
        training_currency(PEOPLE, RETURNS, by="sector")
    with pytest.raises(ParameterError, match="names people one by one"):
        training_currency(PEOPLE, RETURNS.with_columns(person=pl.lit("p1")), by="person")
    with pytest.raises(TableError, match="status: column stage missing"):
        training_currency(PEOPLE.drop("stage"), RETURNS)
    with pytest.raises(TableError, match="workforce: column eligible_staff missing"):
        training_currency(PEOPLE, RETURNS.drop("eligible_staff"))


def test_with_returns_keeps_whom_the_returns_are_about():
    people, returns = with_returns(PEOPLE, RETURNS)
    # Police and Library made no full return; group 2 of Health is in it, no group is not.
    assert people["person"].to_list() == ["p1", "p2", "p3", "p4", "p5", "p8", "p9"]
    assert returns["agency"].to_list() == ["Health", "Health", "Health", "School", "Housing"]
    found = training_currency(people, returns, totals=True).filter(agency="Total")
    assert found.select("numerator", "denominator").rows() == [(3, 22)]


def ageing_rows(counts):
    """Expected rows of one group: counts in the order of the stages; None has no row, nor what depends on it."""
    standings = ["up to date"] * 3 + ["not up to date"] * 4
    rows = []
    for standing in ("up to date", "not up to date"):
        inner = [(stage, count) for own, stage, count in zip(standings, STAGES, counts, strict=True) if own == standing]
        rows += [(standing, *one) for one in inner]
        numbers = [count for _, count in inner]
        rows.append((standing, "Total", None if None in numbers else sum(numbers)))
    rows.append(("Total", "Total", None if None in counts else sum(counts)))
    return [row for row in rows if row[-1] is not None]


AGEING = {"standing": pl.String, "stage": pl.String, "count": pl.Int64}


def test_stages_add_up_to_the_eligible_staff():
    # 22 eligible of Health, School and Housing with a rule; one each at four stages of Health, one of School long out
    # of date; who has no training recorded is all the others, p9 among them: 22 − 5 = 17.
    some = pl.col("agency").is_in(["Health", "School", "Housing"])
    found = currency_ageing(PEOPLE.filter(some), RETURNS.filter(some))
    assert_frame_equal(found, frame(AGEING, *ageing_rows([1, 1, 1, 1, 1, 0, 17])))
    assert shape_of(found.columns) is COUNT


def test_stages_by_agency_leave_out_what_depends_on_a_missing_return():
    found = currency_ageing(PEOPLE, RETURNS, by="agency")
    counts = {
        "Health": [1, 1, 1, 1, 0, 0, 6],
        "Housing": [0, 0, 0, 0, 0, 0, 7],
        "Library": [1, 0, 0, 0, 0, 0, None],
        "Police": [1, 0, 0, 0, 0, 1, None],
        "School": [0, 0, 0, 0, 1, 0, 4],
    }
    rows = [(agency, *row) for agency, one in counts.items() for row in ageing_rows(one)]
    assert_frame_equal(found, frame({"agency": pl.String} | AGEING, *rows))


def test_more_known_than_eligible_leave_no_number_without_training():
    returns = frame(WORKFORCE, ("Health", 2, 1, "2012", 1), ("Health", 2, 2, "2012", 2))
    found = currency_ageing(PEOPLE.filter(agency="Health"), returns)
    assert_frame_equal(found, frame(AGEING, *ageing_rows([1, 1, 1, 1, 0, 0, None])))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from("AB"), st.sampled_from([1, 2, 7]), st.sampled_from(STAGES)), max_size=12),
    st.lists(st.integers(0, 12), min_size=4, max_size=4),
    st.sampled_from([(), ("agency",), ("target_group",)]),
)
def test_stages_hold_everybody_once(people, sizes, by):
    rows = [
        (agency, f"p{n}", group, stage if group != 7 else "no rule") for n, (agency, group, stage) in enumerate(people)
    ]
    returns = frame(
        WORKFORCE,
        *((agency, 2, group, "2012", sizes[2 * n + group - 1]) for n, agency in enumerate("AB") for group in (1, 2)),
    )
    found = currency_ageing(status_of(*rows), returns, by)
    counted, eligible = Counter(), Counter()
    for agency, _, group, stage in rows:
        if group != 7 and stage != NONE:
            counted[(agency,) if by == ("agency",) else (group,) if by else (), stage] += 1
    for row in returns.iter_rows(named=True):
        eligible[tuple(row[name] for name in by)] += row["eligible_staff"]
    expected = []
    for group in sorted(eligible):
        stages = [counted[group, stage] for stage in STAGES]
        left = eligible[group] - sum(stages)
        expected += [(*group, *row) for row in ageing_rows([*stages[:-1], left if left >= 0 else None])]
    kinds = {name: WORKFORCE[name] for name in by} | AGEING
    assert_frame_equal(found, frame(kinds, *expected))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([0, 0, 1, 2, 3, 5, 8]), min_size=7, max_size=7))
def test_stages_can_be_published_with_their_standings(counts):
    table = frame(AGEING, *ageing_rows(counts))
    lookup = table.filter(pl.col("stage") != "Total").select("stage", "standing")
    policy = Policy(threshold=3)
    safe = suppress(table, policy, within=lookup)
    assert audit(safe, within=lookup).height == 0
    # Rows that happen to be sorted by their numbers come back sorted by their names; the reader wants their order.
    places = table.select("standing", "stage")
    published = places.join(safe.frame(), on=places.columns, how="left", maintain_order="left")
    assert broken_promises([table], [published], policy, [lookup]) == []


# Induction


def induction(rows, courses=(), *, as_at=AS_AT, by=("agency",), **options):
    staff = frame(STAFF, *((person, agency, 2, 2, start, leaving) for person, agency, start, leaving in rows))
    booked = [(f"s{n}", person, "Elsewhere", 2, "attended", None) for n, (person, _) in enumerate(courses)]
    held = [(f"s{n}", day, 1) for n, (_, day) in enumerate(courses)]
    found = induction_on_time(staff, frame(BOOKINGS, *booked), frame(SESSIONS, *held), as_at=as_at, by=by, **options)
    return [row[:-3] for row in found.rows()]


START = date(2011, 1, 31)


@pytest.mark.parametrize(
    ("day", "in_time"),
    # Three months from 31 January end on 30 April, that day included.
    [(START, 1), (date(2011, 4, 30), 1), (date(2011, 5, 1), 0), (date(2011, 1, 30), 0)],
)
def test_induction_is_any_course_from_the_first_day_to_the_same_day_three_months_later(day, in_time):
    assert induction([("p1", "Health", START, None)], [("p1", day)]) == [("Health", in_time, 1)]


@pytest.mark.parametrize(
    ("start", "leaving", "counted"),
    [
        (date(2011, 4, 1), None, True),  # three months are over on 1 July
        (date(2011, 4, 2), None, False),
        (date(2010, 7, 1), None, True),  # a year before
        (date(2010, 6, 30), None, False),
        (date(2011, 1, 1), date(2011, 3, 31), False),  # left within the three months
        (date(2011, 1, 1), date(2011, 4, 1), True),
    ],
)
def test_starters_are_those_whose_three_months_are_over_and_who_stayed(start, leaving, counted):
    assert induction([("p1", "Health", start, leaving)]) == ([("Health", 0, 1)] if counted else [])


def test_since_another_day():
    rows = [("p1", "Health", date(2009, 1, 1), None), ("p2", "Health", date(2011, 1, 1), None)]
    assert induction(rows) == [("Health", 0, 1)]
    assert induction(rows, since=date(2008, 1, 1)) == [("Health", 0, 2)]


def test_induction_counts_a_person_once_in_each_agency_and_courses_however_many():
    rows = [("p1", "Health", START, None), ("p1", "Police", START, None), ("p2", "Police", START, None)]
    courses = [("p1", date(2011, 2, 1)), ("p1", date(2011, 3, 1)), ("p3", date(2011, 3, 1))]
    assert induction(rows, courses) == [("Health", 1, 1), ("Police", 1, 2)]
    assert induction(rows, courses, by=()) == [(2, 3)]
    assert induction(rows, courses, totals=True) == [("Health", 1, 1), ("Police", 1, 2), ("Total", 2, 3)]


def test_induction_elsewhere_counts_and_a_share_has_its_interval():
    records = frame(RECORDS, ("p1", "Health", 2, 1, date(2011, 2, 2)))
    staff = frame(STAFF, ("p1", "Health", 2, 2, START, None), ("p2", "Health", 2, 2, START, None))
    found = induction_on_time(staff, frame(BOOKINGS), frame(SESSIONS), as_at=AS_AT, records=records)
    assert_frame_equal(found, proportion_frame({"agency": pl.String}, [("Health", 1, 2)]))


def test_induction_of_nobody_and_by_what_is_not_there():
    assert induction([]) == []
    with pytest.raises(ParameterError, match='Did you mean "agency"'):
        induction([], by="agncy")
    with pytest.raises(ParameterError, match="names people one by one"):
        induction([], by="person")
    sessions = frame(SESSIONS).with_columns(pl.col("date").cast(pl.String))
    with pytest.raises(TableError, match="column date holds String"):
        induction_on_time(frame(STAFF), frame(BOOKINGS), sessions, as_at=AS_AT)


def test_a_day_with_an_hour_is_that_day():
    staff = frame(STAFF, ("p1", "Health", 2, 2, START, None))
    bookings = frame(BOOKINGS, ("s1", "p1", "Health", 2, "attended", None))
    sessions = pl.DataFrame({"session": ["s1"], "date": [datetime(2011, 4, 30, 14)], "training_level": [1]})
    assert induction_on_time(staff, bookings, sessions, as_at=AS_AT)["numerator"].item() == 1
