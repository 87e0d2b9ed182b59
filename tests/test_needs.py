"""Who is still to be trained, what that takes, and what nobody knows, against plain Python."""

from collections import Counter
from math import ceil

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.currency import KIRKLEES_2011, rule_levels, training_currency
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.needs import (
    CONSEQUENCES,
    NO_GROUP,
    NO_RETURN,
    NO_STAFF,
    RULELESS,
    UNRETURNED,
    training_gaps,
    training_needs,
)
from safeguarding_analytics.shapes import NEED, shape_of
from safeguarding_analytics.tables import CURRENT, NO_RULE, STAGES

UP_TO_DATE, DUE, STARTER, LATE, *_, NONE = STAGES
LEVELS = rule_levels(KIRKLEES_2011)
STATUS = {
    "agency": pl.String,
    "person": pl.String,
    "target_group": pl.Int64,
    "training_level": pl.Int64,
    "stage": pl.String,
}
WORKFORCE = {
    "agency": pl.String,
    "training_level": pl.Int64,
    "target_group": pl.Int64,
    "time_period": pl.String,
    "eligible_staff": pl.Int64,
}


def frame(schema, *rows):
    return pl.DataFrame(rows, schema=schema, orient="row")


STATUS_ROWS = frame(
    STATUS,
    ("Health", "p1", 1, 1, UP_TO_DATE),
    ("Health", "p2", 2, None, DUE),  # level of the return: 2
    ("Health", "p3", 2, 3, STARTER),  # level of the staff record
    ("Health", "p4", 2, 2, LATE),
    ("Health", "p5", 7, 1, NO_RULE),
    ("Health", "p6", None, None, NO_RULE),
    ("Police", "p1", 1, None, UP_TO_DATE),  # no level is returned
    ("Library", "p7", 3, None, UP_TO_DATE),  # no return at all
    ("School", "p8", 2, None, NONE),
    ("School", "p9", 1, None, UP_TO_DATE),  # a group of which none was returned
    (None, "p10", 2, 2, UP_TO_DATE),  # no agency
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
# Two sessions were held, of 3 and 2: 2.5 each. Costs are known of two: 100 and 120.50, 110.25 each.
BOOKINGS = frame(
    {"session": pl.String, "person": pl.String, "status": pl.String, "learner": pl.String},
    ("s1", "p1", "attended", None),
    ("s1", "p2", "attended", None),
    ("s1", "p3", "attended", "out_of_area"),
    ("s1", "t1", "attended", "trainer"),
    ("s2", "p1", "attended", None),
    ("s2", "p2", "attended", None),
    ("s2", "p3", "cancelled", None),
    ("s3", "p3", "booked", None),
)
SESSIONS = pl.DataFrame({"session": ["s1", "s2", "s3"], "cost": [100.0, None, 120.50]})
PER_SESSION, COST = 2.5, 110.25


def need_frame(groups, rows, per_session=PER_SESSION, cost=COST):
    """Expected needs of eligible staff and people up to date."""
    full = []
    for *group, staff, current, need in rows:
        sessions = None if need is None or not per_session else ceil(need / per_session)
        price = None if sessions is None or cost is None else sessions * cost
        full.append((*group, staff, current, need, per_session, sessions, cost, price))
    kinds = dict.fromkeys(("eligible_staff", "current", "need"), pl.Int64)
    kinds |= {
        "per_session": pl.Float64,
        "sessions_needed": pl.Int64,
        "cost_per_session": pl.Float64,
        "cost": pl.Float64,
    }
    return frame(groups | kinds, *full)


def needs(status=STATUS_ROWS, workforce=RETURNS, bookings=BOOKINGS, sessions=SESSIONS, **options):
    return training_needs(status, workforce, bookings, sessions, **{"levels": LEVELS} | options)


def test_needs_by_agency_and_level():
    # Health: level 1: p1 of 4. Level 2: p2 of 6 (p4 is out of date). Level 3: p3 by the staff record, of none returned.
    # Police and Library made no return: nobody knows. School: nobody of 5 at level 2; p9 at level 1, of none returned.
    rows = [
        (None, 2, None, 1, None),
        ("Health", 1, 4, 1, 3),
        ("Health", 2, 6, 1, 5),
        ("Health", 3, None, 1, None),
        ("Housing", 2, 7, 0, 7),
        ("Library", 2, None, 1, None),
        ("Police", 1, None, 1, None),
        ("School", 1, None, 1, None),
        ("School", 2, 5, 0, 5),
    ]
    found = needs()
    assert_frame_equal(found, need_frame({"agency": pl.String, "training_level": pl.Int64}, rows))
    assert shape_of(found.columns) is NEED


def test_all_of_the_workforce_is_needed_where_no_level_is_given():
    # Group 7 of Health is in it: 99 at level 3, where p3 stands. Library and School have a level neither of the staff
    # record nor of a return.
    found = needs(levels=None).select("agency", "training_level", "eligible_staff", "current", "need")
    assert found.rows() == [
        (None, 2, None, 1, None),
        ("Health", 1, 4, 1, 3),
        ("Health", 2, 6, 1, 5),
        ("Health", 3, 99, 1, 98),
        ("Housing", 2, 7, 0, 7),
        ("Library", None, None, 1, None),
        ("Police", 1, None, 1, None),
        ("School", None, None, 1, None),
        ("School", 2, 5, 0, 5),
    ]


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        (("agency",), [("Health", 10, 3, 7), ("Housing", 7, 0, 7), ("School", 5, 0, 5)]),
        (("target_group",), [(1, 4, 1, 3), (2, 18, 2, 16)]),
        ((), [(22, 3, 19)]),
    ],
)
def test_needs_of_agencies_that_made_a_full_return(by, rows):
    full = pl.col("agency").is_in(["Health", "Housing", "School"]) & (pl.col("person") != "p9")
    returned = pl.col("agency").is_in(["Health", "Housing", "School"])
    found = needs(STATUS_ROWS.filter(full), RETURNS.filter(returned), by=by)
    assert_frame_equal(found, need_frame({name: WORKFORCE[name] for name in by}, rows))


def test_agency_without_a_return_makes_the_need_of_its_groups_unknown_as_it_does_its_currency():
    status = STATUS_ROWS.filter(pl.col("agency").is_in(["Health", "Library"]))
    staff = RETURNS.filter(agency="Health")
    assert needs(status, staff, by=()).select("eligible_staff", "current", "need").rows() == [(None, 4, None)]
    assert training_currency(status, staff, by=()).select("numerator", "denominator").rows() == [(4, None)]
    found = needs(status, staff, by="target_group").select("target_group", "eligible_staff", "current", "need")
    assert found.rows() == [(1, 4, 1, 3), (2, 6, 2, 4), (3, None, 1, None)]


def test_total_needs_the_sessions_of_all_together_because_agencies_share_them():
    returned = pl.col("agency").is_in(["Housing", "School"])
    found = needs(STATUS_ROWS.filter(agency="School", person="p8"), RETURNS.filter(returned), by="agency", totals=True)
    # 7 and 5 at 2.5 a session: 3 and 2 sessions; 12 in all: 5. 6 and 5 people: 3 and 2 sessions, 11 in all: 5.
    rows = [("Housing", 7, 0, 7), ("School", 5, 0, 5), ("Total", 12, 0, 12)]
    assert_frame_equal(found, need_frame({"agency": pl.String}, rows))
    assert found["sessions_needed"].to_list() == [3, 2, 5]
    total = needs(by="agency", totals=True).filter(agency="Total").row(0, named=True)
    assert (total["eligible_staff"], total["current"], total["need"], total["cost"]) == (None, 7, None, None)


def test_more_up_to_date_than_eligible_leave_the_need_unknown():
    staff = frame(WORKFORCE, ("Health", 2, 1, "2012", 1), ("Health", 2, 2, "2012", 1))
    found = needs(STATUS_ROWS.filter(agency="Health"), staff, by="agency").row(0, named=True)
    assert (found["eligible_staff"], found["current"], found["need"], found["sessions_needed"]) == (2, 3, None, None)


def test_level_of_a_group_that_stands_at_two_levels_is_the_rules():
    staff = frame(WORKFORCE, ("Health", 2, 2, "2012", 5), ("Health", 3, 2, "2012", 5), ("Health", 3, 3, "2012", 5))
    status = frame(STATUS, ("Health", "p1", 2, None, UP_TO_DATE), ("Health", "p2", 3, None, UP_TO_DATE))
    found = needs(status, staff).select("training_level", "eligible_staff", "current", "need").rows()
    assert found == [(2, 5, 1, 4), (3, 10, 1, 9)]


def test_no_session_was_held_and_no_cost_is_known():
    found = needs(bookings=BOOKINGS.clear(), sessions=SESSIONS.drop("cost"), by="agency").filter(agency="Housing")
    assert_frame_equal(found, need_frame({"agency": pl.String}, [("Housing", 7, 0, 7)], per_session=None, cost=None))


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"status": STATUS_ROWS.drop("stage")}, TableError, "status: column stage missing"),
        ({"workforce": RETURNS.drop("target_group")}, TableError, "workforce: column target_group missing"),
        ({"bookings": BOOKINGS.drop("status")}, TableError, "bookings: column status missing"),
        ({"bookings": BOOKINGS.with_columns(status=pl.lit("came"))}, TableError, "8 of 8 rows have a status"),
        ({"sessions": pl.concat([SESSIONS] * 2)}, TableError, "sessions: 3 of 3 stand in more than one row"),
        ({"by": "sector"}, ParameterError, '"sector" is not a column of status and workforce'),
        ({"by": "person"}, ParameterError, "names people one by one"),
        (
            {"workforce": pl.concat([RETURNS, RETURNS.with_columns(time_period=pl.lit("2011"))])},
            ParameterError,
            "2 time periods",
        ),
    ],
)
def test_what_cannot_be_counted_is_refused(change, error, message):
    with pytest.raises(error, match=message) as caught:
        needs(**change)
    assert "p1" not in str(caught.value)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(
        st.tuples(st.sampled_from(["A", "B", "C"]), st.sampled_from([1, 2, 3]), st.sampled_from([*STAGES, UP_TO_DATE])),
        max_size=14,
    ),
    st.dictionaries(
        st.tuples(st.sampled_from(["A", "B"]), st.sampled_from([1, 2, 3])), st.integers(0, 9) | st.none(), min_size=1
    ),
    st.sampled_from([("agency",), ("target_group",), ("training_level",), (), ("agency", "target_group")]),
    st.randoms(use_true_random=False),
)
def test_needs_equal_plain_python_whatever_the_order_of_rows(people, returns, by, shuffler):
    rows = [(agency, f"p{n}", group, LEVELS[group], stage) for n, (agency, group, stage) in enumerate(people)]
    staff = [(agency, LEVELS[group], group, "2012", count) for (agency, group), count in returns.items()]
    current, eligible = Counter(), {}
    for row in staff:
        facts = dict(zip(WORKFORCE, row, strict=True))
        eligible.setdefault(tuple(facts[name] for name in by), []).append(facts["eligible_staff"])
    returned = {(tuple(dict(zip(WORKFORCE, row, strict=True))[name] for name in by), row[0]) for row in staff}
    for row in rows:
        facts = dict(zip(STATUS, row, strict=True))
        group = tuple(facts[name] for name in by)
        if facts["stage"] in CURRENT:
            current[group] += 1
            if (group, facts["agency"]) not in returned:
                eligible.setdefault(group, []).append(None)
    expected = []
    for group in sorted(eligible):
        counts = None if None in eligible[group] else sum(eligible[group])
        known = counts is not None and current[group] <= counts
        expected.append((*group, counts, current[group], counts - current[group] if known else None))
    found = needs(frame(STATUS, *rows), frame(WORKFORCE, *staff), by=by)
    assert_frame_equal(found, need_frame({name: WORKFORCE[name] for name in by}, expected))
    shuffler.shuffle(rows)
    shuffler.shuffle(staff)
    assert_frame_equal(needs(frame(STATUS, *rows), frame(WORKFORCE, *staff), by=by), found)


# What is not known

AGENCIES = pl.DataFrame({"agency": ["School", "Health", "Police", "Housing", "Library", None]})
STAFF = pl.DataFrame({"agency": ["Health", "Health", "School"], "person": ["p3", "p4", "p8"]})


def test_gaps_are_listed_and_not_filled():
    expected = [
        (NO_RETURN, "Library"),
        (NO_RETURN, "Police"),
        (NO_GROUP, "Health"),
        (UNRETURNED, "School"),
        (NO_STAFF, "Housing"),
        (NO_STAFF, "Library"),
        (NO_STAFF, "Police"),
        (RULELESS, "Health"),
    ]
    found = training_gaps(AGENCIES, RETURNS, STATUS_ROWS, staff=STAFF)
    assert found.select("gap", "agency").rows() == expected
    assert found["consequence"].to_list() == [CONSEQUENCES[gap] for gap, _ in expected]
    assert found.schema == dict.fromkeys(("gap", "agency", "consequence"), pl.String)


def test_board_without_staff_records_lacks_those_of_every_agency():
    found = training_gaps(AGENCIES, RETURNS, STATUS_ROWS).filter(gap=NO_STAFF)["agency"].to_list()
    assert found == ["Health", "Housing", "Library", "Police", "School"]


def test_one_empty_head_count_makes_a_return_incomplete():
    workforce = pl.concat([RETURNS, frame(WORKFORCE, ("Housing", 3, 3, "2012", None))])
    found = training_gaps(AGENCIES, workforce, STATUS_ROWS.clear(), staff=STAFF).filter(gap=NO_RETURN)
    assert found["agency"].to_list() == ["Housing", "Library", "Police"]


def test_nothing_missing_is_an_empty_list():
    known = pl.col("agency").is_in(["Health"]) & pl.col("person").is_in(["p1", "p2", "p3", "p4"])
    agencies = AGENCIES.filter(agency="Health")
    found = training_gaps(agencies, RETURNS.filter(agency="Health"), STATUS_ROWS.filter(known), staff=STAFF)
    assert (found.height, found.columns) == (0, ["gap", "agency", "consequence"])


def test_gaps_hold_no_number_and_nobody():
    found = training_gaps(AGENCIES, RETURNS, STATUS_ROWS, staff=STAFF)
    text = " ".join(cell for row in found.rows() for cell in row)
    assert not any(character.isdigit() for character in text)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"agencies": AGENCIES.rename({"agency": "name"})}, TableError, "agencies: column agency missing"),
        ({"status": STATUS_ROWS.drop("stage")}, TableError, "status: column stage missing"),
        (
            {"workforce": pl.concat([RETURNS, RETURNS.with_columns(time_period=pl.lit("2011"))])},
            ParameterError,
            "2 time periods",
        ),
        ({"workforce": RETURNS.drop("eligible_staff")}, TableError, "workforce: column eligible_staff missing"),
        ({"staff": STAFF.drop("agency")}, TableError, "staff: column agency missing"),
    ],
)
def test_gaps_of_bad_tables_are_refused(change, error, message):
    with pytest.raises(error, match=message):
        training_gaps(**{"agencies": AGENCIES, "workforce": RETURNS, "status": STATUS_ROWS, "staff": STAFF} | change)
