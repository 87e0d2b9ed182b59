"""Attendance that reconciles, and reach that adds up, against arithmetic written out and plain Python."""

import random
from collections import Counter
from datetime import date
from itertools import product

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.groups import with_totals
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.shapes import ATTENDANCE, PROPORTION, shape_of
from safeguarding_analytics.tables import STATUSES
from safeguarding_analytics.training import attendance, training_reach

BOOKINGS = {
    "session": pl.String,
    "person": pl.String,
    "agency": pl.String,
    "target_group": pl.Int64,
    "status": pl.String,
    "booked": pl.Boolean,
}
SESSIONS = {
    "session": pl.String,
    "course": pl.String,
    "training_level": pl.Int64,
    "district": pl.String,
    "date": pl.Date,
    "capacity": pl.Int64,
}
WORKFORCE = {
    "agency": pl.String,
    "training_level": pl.Int64,
    "target_group": pl.Int64,
    "time_period": pl.String,
    "eligible_staff": pl.Int64,
}


def bookings(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=BOOKINGS, orient="row")


def sessions(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SESSIONS, orient="row")


def workforce(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=WORKFORCE, orient="row")


REGISTER = bookings(
    ("s1", "p1", "Health", 1, "attended", True),
    ("s1", "p2", "Health", 1, "did_not_attend", True),
    ("s1", "p3", "Police", 2, "cancelled", True),
    ("s1", "p4", "Police", 2, "attended", False),
    ("s1", "p5", "Police", 2, "waitlisted", True),
    ("s2", "p1", "Health", 1, "attended", True),
    ("s2", "p1", "School", 1, "attended", True),
    ("s2", "p6", "School", 2, "booked", True),
    ("s9", "p7", "Health", 1, "attended", True),
)
HELD = sessions(
    ("s1", "Core", 3, "Dover", date(2011, 3, 31), 4),
    ("s2", "Core", 3, None, date(2011, 4, 1), 6),
    ("s3", "Exploitation", 3, "Dover", date(2011, 5, 1), 10),
)
STAFF = workforce(
    ("Health", 3, 1, "2011", 5),
    ("Health", 3, 2, "2011", 3),
    ("Housing", 3, 1, "2011", 7),
    ("School", 3, 1, "2011", None),
    ("School", 3, 2, "2011", 2),
)


def attendance_frame(groups: dict, rows: list[tuple]) -> pl.DataFrame:
    kinds = dict.fromkeys([*ATTENDANCE.counts], pl.Int64)
    kinds |= {"attendance_rate": pl.Float64, "capacity": pl.Int64, "take_up": pl.Float64, "share_of_places": pl.Float64}
    return pl.DataFrame(rows, schema=groups | kinds, orient="row")


def reach_frame(groups: dict, rows: list[tuple]) -> pl.DataFrame:
    """Expected reach from group values, numerator and denominator; the interval is tested in test_intervals."""
    full = []
    for *group, numerator, denominator in rows:
        known = denominator is not None and denominator > 0 and numerator <= denominator
        share = (numerator / denominator, *wilson(numerator, denominator)) if known else (None, None, None)
        full.append((*group, numerator, denominator, *share))
    kinds = dict.fromkeys(["numerator", "denominator"], pl.Int64)
    kinds |= dict.fromkeys(["proportion", "lower", "upper"], pl.Float64)
    return pl.DataFrame(full, schema=groups | kinds, orient="row")


def test_llr_figures_reconcile_and_the_rate_is_not_the_printed_one():
    # Leicester, Leicestershire and Rutland, quarter 1 of 2016-17: 318 registered − 20 did not attend − 29 cancelled =
    # 269 = 304 attended − 35 walk-ins; capacity 393. 269/318 = 84.6% (printed: 96% = 304/318), 304/393 = 77.4%.
    outcomes = [*[("attended", True)] * 269, *[("attended", False)] * 35]
    outcomes += [*[("did_not_attend", True)] * 20, *[("cancelled", True)] * 29]
    register = bookings(*(("q1", f"p{i}", "Health", 1, status, booked) for i, (status, booked) in enumerate(outcomes)))
    found = attendance(register, sessions(("q1", "All courses", 3, None, date(2016, 4, 1), 393)))
    expected = attendance_frame(
        {"course": pl.String}, [("All courses", 318, 304, 35, 20, 29, 269 / 318, 393, 304 / 393, 1.0)]
    )
    assert_frame_equal(found, expected)
    assert round(found["attendance_rate"][0], 3) == 0.846
    assert round(found["take_up"][0], 3) == 0.774
    assert shape_of(found.columns) is ATTENDANCE


def test_attendance_by_course_keeps_courses_nobody_booked_and_bookings_of_unknown_sessions():
    # Core: s1 and s2; registered p1, p2, p3 and twice p1; attended those but p2 and p3, and p4, who walked in.
    expected = attendance_frame(
        {"course": pl.String},
        [
            (None, 1, 1, 0, 0, 0, 1.0, None, None, 1 / 5),
            ("Core", 5, 4, 1, 1, 1, 3 / 5, 10, 4 / 10, 4 / 5),
            ("Exploitation", 0, 0, 0, 0, 0, None, 10, 0.0, 0.0),
        ],
    )
    assert_frame_equal(attendance(REGISTER, HELD), expected)


def test_attendance_by_agency_has_no_capacity_because_places_are_not_offered_by_agency():
    expected = attendance_frame(
        {"agency": pl.String},
        [
            ("Health", 4, 3, 0, 1, 0, 3 / 4, None, None, 3 / 5),
            ("Police", 1, 1, 1, 0, 1, 0.0, None, None, 1 / 5),
            ("School", 1, 1, 0, 0, 0, 1.0, None, None, 1 / 5),
        ],
    )
    assert_frame_equal(attendance(REGISTER, HELD, by="agency"), expected)


def test_attendance_overall_is_one_row():
    expected = attendance_frame({}, [(6, 5, 1, 1, 1, 4 / 6, 20, 5 / 20, 1.0)])
    assert_frame_equal(attendance(REGISTER, HELD, by=()), expected)


def test_attendance_by_session_shows_the_session_of_bookings_that_is_not_held():
    found = attendance(REGISTER, HELD, by="session").select("session", "attended", "capacity")
    assert found.rows() == [("s1", 2, 4), ("s2", 2, 6), ("s3", 0, 10), ("s9", 1, None)]


def test_attendance_by_reporting_year_turns_over_on_the_first_of_april():
    found = attendance(REGISTER, HELD, by="time_period").select("time_period", "attended", "capacity")
    assert found.rows() == [(None, 1, None), ("2011", 2, 4), ("2012", 2, 16)]


def test_unknown_capacity_makes_the_capacity_of_the_group_unknown():
    held = HELD.with_columns(pl.when(pl.col("session") != "s2").then("capacity").alias("capacity"))
    found = attendance(REGISTER, held).select("course", "capacity", "take_up")
    assert found.rows() == [(None, None, None), ("Core", None, None), ("Exploitation", 10, 0.0)]


def test_zero_capacity_has_no_take_up():
    held = sessions(("s1", "Core", 3, "Dover", date(2011, 3, 31), 0))
    found = attendance(REGISTER.filter(session="s1"), held).row(0, named=True)
    assert (found["attended"], found["capacity"], found["take_up"]) == (2, 0, None)


def test_attendance_totals_are_the_sums_of_their_groups():
    found = attendance(REGISTER.filter(pl.col("session") != "s9"), HELD, by=("course", "training_level"), totals=True)
    core = (5, 4, 1, 1, 1, 3 / 5, 10, 4 / 10, 1.0)
    exploitation = (0, 0, 0, 0, 0, None, 10, 0.0, 0.0)
    both = (5, 4, 1, 1, 1, 3 / 5, 20, 4 / 20, 1.0)
    rows = [("Core", *core), ("Exploitation", *exploitation), ("Total", *both)]
    expected = [(course, level, *rest) for course, *rest in rows for level in ("3", "Total")]
    assert_frame_equal(found, attendance_frame({"course": pl.String, "training_level": pl.String}, expected))


def test_reach_counts_people_once_and_keeps_groups_on_either_side():
    # Health: p1 (twice) and p7 of 5 + 3. Housing: nobody of 7. Police came and is not in the workforce.
    # School: p1, who works there too, of an incomplete return.
    expected = reach_frame(
        {"agency": pl.String},
        [("Health", 2, 8), ("Housing", 0, 7), ("Police", 1, None), ("School", 1, None)],
    )
    found = training_reach(REGISTER, HELD, STAFF)
    assert_frame_equal(found, expected)
    assert shape_of(found.columns) is PROPORTION


def test_reach_by_group_of_the_booking_and_level_of_the_session():
    # Group 1: p1 of Health, p1 of School; p7 came to s9, of unknown level. Group 2: p4 of Police.
    # School and Police made no return, so how many are eligible is known in neither group.
    staff = STAFF.filter(pl.col("agency") != "School")
    expected = reach_frame(
        {"target_group": pl.Int64, "training_level": pl.Int64}, [(1, None, 1, None), (1, 3, 2, None), (2, 3, 1, None)]
    )
    assert_frame_equal(training_reach(REGISTER, HELD, staff, by=("target_group", "training_level")), expected)


def test_reach_overall_is_one_row():
    # p1 of Health, p1 of School, p4, p7 of 5 + 3 + 7 + 2 and the 4 of Police.
    staff = pl.concat([STAFF.drop_nulls(), workforce(("Police", 3, 2, "2011", 4))])
    assert_frame_equal(training_reach(REGISTER, HELD, staff, by=()), reach_frame({}, [(4, 21)]))


def test_agency_that_came_and_made_no_return_leaves_the_overall_share_unknown():
    staff = STAFF.drop_nulls().filter(pl.col("agency") == "Health")
    found = training_reach(REGISTER, HELD, staff, by=())
    assert_frame_equal(found, reach_frame({}, [(4, None)]))
    with_totals = training_reach(REGISTER, HELD, staff, totals=True).filter(agency="Total")
    assert_frame_equal(with_totals.drop("agency"), found)


def test_reach_of_nobody_asked_and_nobody_there_is_unknown():
    expected = reach_frame({}, [(0, None)])
    assert_frame_equal(training_reach(REGISTER.clear(), HELD.clear(), STAFF.clear(), by=()), expected)
    assert training_reach(REGISTER.clear(), HELD.clear(), STAFF.clear()).height == 0
    assert attendance(REGISTER.clear(), HELD.clear()).height == 0


def test_empty_register_leaves_every_agency_at_zero():
    expected = reach_frame({"agency": pl.String}, [("Health", 0, 8), ("Housing", 0, 7), ("School", 0, None)])
    assert_frame_equal(training_reach(REGISTER.clear(), HELD, STAFF), expected)


@pytest.mark.parametrize(("eligible", "proportion"), [(0, None), (1, None), (2, 1.0), (3, 2 / 3), (None, None)])
def test_reach_is_null_where_nobody_is_eligible_or_more_came_than_are(eligible, proportion):
    staff = workforce(("Health", 3, 1, "2011", eligible))
    found = training_reach(REGISTER.filter(agency="Health"), HELD, staff).row(0, named=True)
    assert (found["numerator"], found["denominator"], found["proportion"]) == (2, eligible, proportion)
    assert (found["lower"] is None) == (found["upper"] is None) == (proportion is None)


def test_periods_are_refused_unless_they_are_groups():
    staff = pl.concat([STAFF, STAFF.with_columns(time_period=pl.lit("2012"))])
    with pytest.raises(ParameterError, match=r"2 time periods \(2011, 2012\).*count the same staff"):
        training_reach(REGISTER, HELD, staff)
    # p1 of Health came on 31 March and on 1 April 2011: in each year once. p7's session has no date.
    expected = reach_frame(
        {"agency": pl.String, "time_period": pl.String},
        [
            ("Health", None, 1, None),
            ("Health", "2011", 1, 8),
            ("Health", "2012", 1, 8),
            ("Housing", "2011", 0, 7),
            ("Housing", "2012", 0, 7),
        ],
    )
    some = pl.col("agency").is_in(["Health", "Housing"])
    found = training_reach(REGISTER.filter(some), HELD, staff.filter(some), by=("agency", "time_period"))
    assert_frame_equal(found, expected)


def test_reach_totals_add_up_and_an_incomplete_return_makes_them_unknown():
    found = training_reach(REGISTER, HELD, STAFF, totals=True)
    rows = [("Health", 2, 8), ("Housing", 0, 7), ("Police", 1, None), ("School", 1, None), ("Total", 4, None)]
    assert_frame_equal(found, reach_frame({"agency": pl.String}, rows))
    staff = pl.concat([STAFF.drop_nulls(), workforce(("Police", 3, 2, "2011", 9))])
    total = training_reach(REGISTER, HELD, staff, totals=True).filter(agency="Total")
    assert_frame_equal(total, reach_frame({"agency": pl.String}, [("Total", 4, 8 + 7 + 2 + 9)]))


def test_reach_by_district_of_the_workforce():
    staff = workforce(("Health", 3, 1, "2011", 4)).with_columns(district=pl.lit("Dover"))
    found = training_reach(REGISTER, HELD, staff, by="district")
    # Dover: s1, p1 and p4. The rest came to a session without a district, or to one that is not in sessions.
    # p4 is of Police, whose eligible staff are not known.
    assert_frame_equal(found, reach_frame({"district": pl.String}, [(None, 3, None), ("Dover", 2, None)]))
    without_police = training_reach(REGISTER.filter(pl.col("agency") != "Police"), HELD, staff, by="district")
    assert_frame_equal(without_police, reach_frame({"district": pl.String}, [(None, 3, None), ("Dover", 1, 4)]))


def test_column_of_both_tables_is_the_sessions_unless_it_describes_the_person():
    held = HELD.with_columns(agency=pl.lit("Host"), area=pl.lit("East"))
    register = REGISTER.with_columns(area=pl.lit("West"))
    assert attendance(register, held, by="agency")["agency"].to_list() == ["Health", "Police", "School"]
    assert attendance(register, held, by="area")["area"].to_list() == [None, "East"]


def random_board(seed: int) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """A few hundred bookings with unknown sessions and agencies, people of two agencies, and zero head-counts."""
    chance = random.Random(seed)
    agencies, districts = ["Health", "Police", "School", "Housing"], ["Dover", "Swale", None]
    held = sessions(
        *(
            (f"s{i}", chance.choice("AB"), chance.randint(2, 3), chance.choice(districts), date(2010, 3 + i % 3, 30), i)
            for i in range(12)
        )
    )
    keys = chance.sample(list(product(range(14), range(40))), 300)
    rows = []
    for session, person in keys:
        booked = chance.random() < 0.8
        status = chance.choice(STATUSES) if booked else "attended"
        agency = chance.choice([*agencies[:3], "Unknown", agencies[person % 3], agencies[person % 3]])
        rows.append((f"s{session}", f"p{person}", agency, chance.choice([1, 2, 8, None]), status, booked))
    staff = workforce(
        *(
            (agency, level, group, period, chance.choice([0, 3, 20, 50]))
            for agency, level, group, period in product(agencies, (2, 3), (1, 2), ("2010", "2011"))
        )
    )
    return bookings(*rows), held, staff


def reach_in_plain_python(register, held, staff, by) -> list[tuple]:
    held_by_name = {row["session"]: row for row in held.iter_rows(named=True)}
    people, eligible = set(), Counter()
    for row in register.iter_rows(named=True):
        if row["status"] != "attended":
            continue
        session = held_by_name.get(row["session"], {})
        day = session.get("date")
        facts = {**session, "agency": row["agency"], "target_group": row["target_group"]}
        facts["time_period"] = str(day.year + (day.month > 3)) if day else None
        people.add((tuple(facts.get(name) for name in by), row["agency"], row["person"]))
    for row in staff.iter_rows(named=True):
        eligible[tuple(row[name] for name in by)] += row["eligible_staff"]
    for group in {group for group, agency, _ in people if agency not in set(staff["agency"])}:
        eligible[group] = None  # somebody came from an agency that made no return
    came = Counter(group for group, _, _ in people)
    groups = sorted({*came, *eligible}, key=lambda group: [(value is not None, str(value)) for value in group])
    return [(*group, came[group], eligible.get(group)) for group in groups]


@pytest.mark.parametrize(
    "by", [("agency",), ("training_level", "target_group"), ("time_period", "agency"), ("time_period",)]
)
def test_polars_and_duckdb_equal_plain_python_on_random_data(by):
    register, held, staff = random_board(seed=20110510)
    if "time_period" not in by:
        staff = staff.filter(time_period="2011")
    expected = reach_frame({name: WORKFORCE[name] for name in by}, reach_in_plain_python(register, held, staff, by))
    assert_frame_equal(training_reach(register, held, staff, by=by), expected)
    assert_frame_equal(training_reach(register.lazy(), held.lazy(), staff.lazy(), by=by), expected)
    relations = [duckdb.from_arrow(frame.to_arrow()) for frame in (register, held, staff)]
    assert_frame_equal(training_reach(*relations, by=by), expected)
    assert_frame_equal(training_reach(relations[0], held, staff, by=by), expected)
    assert_frame_equal(training_reach(register.to_arrow(), held.to_arrow(), staff.to_arrow(), by=by), expected)


@pytest.mark.parametrize(
    "by", [(), ("course",), ("district", "agency"), ("session",), ("time_period", "training_level")]
)
def test_attendance_on_duckdb_equals_polars_and_reconciles(by):
    register, held, _ = random_board(seed=1)
    found = attendance(register, held, by=by)
    relations = [duckdb.from_arrow(frame.to_arrow()) for frame in (register, held)]
    assert_frame_equal(attendance(*relations, by=by), found)
    as_booked = found["attended"] - found["walk_ins"]
    assert (found["registered"] == as_booked + found["did_not_attend"] + found["cancelled"]).all()
    assert found["attended"].sum() == register.filter(status="attended").height
    assert found["share_of_places"].sum() == pytest.approx(1)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.randoms(use_true_random=False))
def test_row_order_and_pseudonyms_change_nothing(seed, shuffler):
    register, held, staff = random_board(seed)
    order = list(range(register.height))
    shuffler.shuffle(order)
    renamed = register[order].with_columns(pl.format("x{}", "person").alias("person"))
    found = training_reach(renamed, held[::-1], staff[::-1], by=("agency", "time_period"))
    assert_frame_equal(found, training_reach(register, held, staff, by=("agency", "time_period")))
    known = found.drop_nulls("proportion")
    assert (known["lower"] <= known["proportion"] + 1e-12).all()
    assert (known["proportion"] <= known["upper"] + 1e-12).all()


def test_totals_stand_for_every_combination_of_groups():
    counts = pl.DataFrame({"district": ["D", "D", "S"], "level": [1, 2, 1], "count": [3, 4, 5]})
    expected = [
        *[("D", "1", 3), ("D", "2", 4), ("D", "Total", 7), ("S", "1", 5), ("S", "Total", 5)],
        *[("Total", "1", 8), ("Total", "2", 4), ("Total", "Total", 12)],
    ]
    assert with_totals(counts, ("district", "level")).rows() == expected


def test_total_of_nothing_is_nothing_and_without_groups_there_is_no_margin():
    assert with_totals(pl.DataFrame({"agency": [], "count": []}), ["agency"]).height == 0
    assert with_totals(pl.DataFrame({"count": [3]}), []).rows() == [(3,)]


def test_group_called_total_is_refused():
    with pytest.raises(TableError, match='a group is called "Total"'):
        with_totals(pl.DataFrame({"agency": ["Total"], "count": [1]}), ["agency"])


@pytest.mark.parametrize(
    ("register", "held", "message"),
    [
        (REGISTER.rename({"status": "statuss"}), HELD, 'bookings: column status missing.*Did you mean "statuss"'),
        (REGISTER, HELD.drop("session"), "sessions: column session missing"),
        (REGISTER, pl.concat([HELD, HELD.head(1)]), "sessions: 1 of 3 stand in more than one row: s1"),
        (
            REGISTER.with_columns(status=pl.col("status").replace("attended", "Attnded")),
            HELD,
            r'5 of 9 rows have a status .*Found: "Attnded"\. Allowed: attended, .*Did you mean "attended"',
        ),
        (REGISTER.with_columns(status=pl.lit(None, pl.String)), HELD, "9 of 9 rows have a status .*Found: empty"),
        (
            REGISTER.with_columns(person=pl.col("person").replace("p1", None)),
            HELD,
            "bookings: 3 of 9 rows have no person",
        ),
    ],
)
def test_bad_tables_are_refused_without_naming_a_person(register, held, message):
    with pytest.raises(TableError, match=message) as caught:
        training_reach(register, held, STAFF)
    assert "p1" not in str(caught.value)


def test_attendance_refuses_what_is_neither_booked_nor_a_walk_in():
    with pytest.raises(TableError, match="9 of 9 rows have an empty booked"):
        attendance(REGISTER.with_columns(booked=pl.lit(None, pl.Boolean)), HELD)
    with pytest.raises(TableError, match="booked holds String"):
        attendance(REGISTER.with_columns(booked=pl.lit("yes")), HELD)


def test_dates_that_are_text_are_refused():
    with pytest.raises(TableError, match="date holds String"):
        attendance(REGISTER, HELD.with_columns(pl.col("date").cast(pl.String)), by="time_period")


def test_keys_of_two_types_are_refused():
    with pytest.raises(TableError, match="training_level: one table holds Int64, the other String"):
        training_reach(
            REGISTER, HELD, STAFF.with_columns(pl.col("training_level").cast(pl.String)), by="training_level"
        )


@pytest.mark.parametrize(
    ("by", "message"),
    [
        ("agenci", 'not a column of bookings or sessions.*Did you mean "agency"'),
        ("district", "eligible staff by district are not known. Add a column district to workforce"),
        ("person", "names people one by one"),
        (("agency", "agency"), "stands twice"),
    ],
)
def test_bad_groups_are_refused(by, message):
    with pytest.raises(ParameterError, match=message):
        training_reach(REGISTER, HELD, STAFF, by=by)


def test_result_columns_cannot_be_groups():
    with pytest.raises(ParameterError, match="is a column of the result"):
        attendance(REGISTER, HELD, by="capacity")
