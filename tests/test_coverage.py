"""Places, people and eligible staff side by side, against plain Python and the published figures that mix them up."""

from collections import Counter
from datetime import date

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.registers import with_sector
from safeguarding_analytics.shapes import COVERAGE, shape_of
from safeguarding_analytics.training import attendance, training_coverage, training_reach
from test_programme import (
    BOARDS,
    BOOKINGS,
    GROUPS,
    HELD,
    REGISTER,
    SHUFFLERS,
    bookings,
    by_name,
    facts_of,
    group_of,
    is_reached,
    nulls_first,
    random_board,
    sessions,
    shuffled,
    takes_a_place,
)

WORKFORCE = {
    "agency": pl.String,
    "training_level": pl.Int64,
    "target_group": pl.Int64,
    "time_period": pl.String,
    "eligible_staff": pl.Int64,
}


def workforce(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=WORKFORCE, orient="row")


STAFF = workforce(
    ("Health", 3, 1, "2012", 5),
    ("Health", 3, 2, "2012", 3),
    ("Police", 3, 2, "2012", 2),
    ("Housing", 3, 1, "2012", 7),  # nobody came
    ("School", 3, 1, "2012", None),  # no return
    ("School", 3, 2, "2012", 2),
)


def coverage_frame(groups, rows):
    """Expected coverage of places, people and staff; the shares are of the sum of all rows but totals."""
    everyone = sum(row[-3] for row in rows if "Total" not in row)
    full = []
    for *group, places, people, staff in rows:
        known = bool(staff) and people <= staff
        reach = (people / staff, *wilson(people, staff)) if known else (None, None, None)
        full.append((*group, places, people, staff, places / everyone if everyone else None, *reach))
    kinds = dict.fromkeys(["places", "people", "eligible_staff"], pl.Int64)
    kinds |= dict.fromkeys(["share_of_places", "reach", "lower", "upper"], pl.Float64)
    return pl.DataFrame(full, schema=groups | kinds, orient="row")


def coverage_in_plain_python(register, held_frame, staff, by):
    held = by_name(held_frame)
    places, people, eligible, returned = Counter(), set(), {}, set()
    for row in register.iter_rows(named=True):
        facts = facts_of(row, held)
        if takes_a_place(row):
            places[group_of(facts, by)] += 1
        if is_reached(row):
            people.add((group_of(facts, by), row["agency"], row["person"]))
    if staff is not None and set(by) <= set(staff.columns):
        for row in staff.iter_rows(named=True):
            eligible.setdefault(group_of(row, by), []).append(row["eligible_staff"])
            returned.add((group_of(row, by), row["agency"]))
        if not by:
            eligible.setdefault((), [None])  # of nobody asked nothing is known
        for group, agency, _ in people:
            if (group, agency) not in returned:
                eligible.setdefault(group, []).append(None)
    came = Counter(group for group, _, _ in people)
    rows = []
    for group in sorted({*places, *came, *eligible} or ({()} if not by else set()), key=nulls_first):
        counts = eligible.get(group, [None])
        rows.append((*group, places[group], came[group], None if None in counts else sum(counts)))
    return rows


def test_three_denominators_side_by_side():
    # Health: p1 in s1, s2 and s4, p2, p9 of s9: 5 places, 3 people of 5 + 3. Police: o1 twice, p5 twice, p3: 5 places,
    # and 2 people of 2, as o1 is from out of the area. School: p1 and p7 of an incomplete return. Elsewhere and the one
    # of no known agency are not in the workforce. Housing: nobody. 14 places in all.
    expected = coverage_frame(
        {"agency": pl.String},
        [
            (None, 1, 1, None),
            ("Elsewhere", 1, 1, None),
            ("Health", 5, 3, 8),
            ("Housing", 0, 0, 7),
            ("Police", 5, 2, 2),
            ("School", 2, 2, None),
        ],
    )
    found = training_coverage(REGISTER, HELD, STAFF)
    assert_frame_equal(found, expected)
    assert shape_of(found.columns) is COVERAGE


def test_out_of_area_learners_alone_are_places_of_nobodys_staff():
    found = training_coverage(REGISTER.filter(learner="out_of_area"), HELD, STAFF.filter(agency="Police"))
    assert_frame_equal(found, coverage_frame({"agency": pl.String}, [("Police", 2, 0, 2)]))


def test_more_reached_than_eligible_are_shown_without_a_reach():
    staff = STAFF.with_columns(eligible_staff=pl.when(pl.col("agency") == "Health").then(1).otherwise("eligible_staff"))
    rows = training_coverage(REGISTER, HELD, staff).filter(pl.col("agency").is_in(["Health", "Police"]))
    # Health: 1 + 1 eligible, 3 reached. Police 2 of 2.
    assert rows.select("agency", "people", "eligible_staff", "reach", "lower").rows()[0] == ("Health", 3, 2, None, None)
    assert rows["reach"].to_list() == [None, 1.0]


def test_nobody_eligible_has_no_reach():
    found = training_coverage(REGISTER.filter(agency="Health"), HELD, workforce(("Health", 3, 1, "2012", 0)))
    assert_frame_equal(found, coverage_frame({"agency": pl.String}, [("Health", 5, 3, 0)]))


@pytest.mark.parametrize("staff", [None, STAFF], ids=["no workforce", "a workforce without districts"])
def test_eligible_staff_that_nobody_counted_are_unknown(staff):
    # Dover: s1 4 places and s4 3, of which o1 two; p1 twice. No district: s3 and the unknown s9.
    expected = coverage_frame(
        {"district": pl.String}, [(None, 3, 3, None), ("Dover", 7, 4, None), ("Swale", 4, 4, None)]
    )
    assert_frame_equal(training_coverage(REGISTER, HELD, staff, by="district"), expected)


def test_total_is_the_sum_of_its_rows_and_unknown_with_one_of_them():
    found = training_coverage(REGISTER, HELD, STAFF, totals=True)
    total = found.filter(agency="Total").row(0, named=True)
    assert (total["places"], total["people"], total["eligible_staff"]) == (14, 9, None)
    assert (total["share_of_places"], total["reach"]) == (1.0, None)
    known = pl.col("agency").is_in(["Health", "Police"])
    rows = [("Health", 5, 3, 8), ("Police", 5, 2, 2), ("Total", 10, 5, 10)]
    found = training_coverage(REGISTER.filter(known), HELD, STAFF.filter(known), totals=True)
    assert_frame_equal(found, coverage_frame({"agency": pl.String}, rows))


def test_overall_is_one_row_with_people_of_each_agency_once():
    assert_frame_equal(training_coverage(REGISTER, HELD, by=()), coverage_frame({}, [(14, 9, None)]))
    assert_frame_equal(training_coverage(REGISTER.clear(), HELD, by=()), coverage_frame({}, [(0, 0, None)]))
    assert training_coverage(REGISTER.clear(), HELD).height == 0


def test_by_year_and_month_of_the_session():
    register = REGISTER.filter(pl.col("session").is_in(["s1", "s2", "s5"]))
    held = HELD.with_columns(date=pl.when(session="s1").then(date(2011, 3, 31)).otherwise("date"))
    expected = coverage_frame(
        {"time_period": pl.String}, [(None, 1, 1, None), ("2011", 4, 3, None), ("2012", 3, 3, None)]
    )
    assert_frame_equal(training_coverage(register, held, by="time_period"), expected)
    months = training_coverage(register, held, by="month").select("month", "places").rows()
    assert months == [(None, 1), ("2011-03", 4), ("2011-05", 3)]


def test_places_are_those_of_attendance_walk_ins_and_all():
    # LLR, quarter 1 of 2016-17: 318 registered − 20 no-shows − 29 cancelled = 269, and 35 walked in: 304 places. Here
    # every second place was taken by somebody who had been before, which a register of places does not show.
    outcomes = [*[("attended", True)] * 269, *[("attended", False)] * 35]
    outcomes += [*[("did_not_attend", True)] * 20, *[("cancelled", True)] * 29]
    register = bookings(
        *(
            (f"q{number % 2}", f"p{number // 2}", "Health", 1, status, booked, None)
            for number, (status, booked) in enumerate(outcomes)
        )
    )
    held = sessions(*((f"q{n}", "All", 3, None, date(2016, 4, 1), 200 - 7 * n, None, None) for n in range(2)))
    found = training_coverage(register, held, workforce(("Health", 3, 1, "2017", 1_520)))
    assert found.select("places", "people", "eligible_staff", "reach").rows() == [(304, 152, 1_520, 0.1)]
    counted = attendance(register, held, by=()).row(0, named=True)
    assert (counted["attended"], counted["registered"], counted["walk_ins"]) == (304, 318, 35)
    assert (counted["capacity"], round(counted["take_up"], 3)) == (393, 0.774)


def test_kents_76_per_cent_are_a_share_of_places_and_no_reach():
    # Kent Annual Report 2007-08: 1,053 places, of which health and CFE took 76%: 800 ÷ 1,053 = 75.97%. How many people
    # that were, and of how many, is not printed; here 400 people came twice, of 8,000.
    sizes = {"Health and CFE": 800, "All others": 253}
    register = bookings(
        *(
            (f"c{number // 400}", f"p{number % 400}", agency, 1, "attended", True, None)
            for agency, size in sizes.items()
            for number in range(size)
        )
    )
    held = sessions(*((f"c{n}", "All", 3, None, date(2007, 6, 1), None, None, None) for n in range(2)))
    staff = workforce(("Health and CFE", 3, 1, "2008", 8_000), ("All others", 3, 1, "2008", 253))
    found = training_coverage(register, held, staff)
    assert_frame_equal(
        found,
        coverage_frame({"agency": pl.String}, [("All others", 253, 253, 253), ("Health and CFE", 800, 400, 8_000)]),
    )
    assert found["places"].sum() == 1_053
    assert found["share_of_places"].round(2).to_list() == [0.24, 0.76]
    assert found["reach"].to_list() == [1.0, 0.05]


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"by": "person"}, ParameterError, "names people one by one"),
        ({"by": "places"}, ParameterError, "is a column of the result"),
        ({"by": "agncy"}, ParameterError, 'Did you mean "agency"'),
        (
            {"workforce": pl.concat([STAFF, STAFF.with_columns(time_period=pl.lit("2011"))])},
            ParameterError,
            "2 time per",
        ),
        ({"workforce": STAFF.drop("eligible_staff")}, TableError, "workforce: column eligible_staff missing"),
        ({"sessions": pl.concat([HELD, HELD.head(1)])}, TableError, "sessions: 1 of 6 stand in more than one row"),
        ({"bookings": REGISTER.with_columns(status=pl.lit("came"))}, TableError, "21 of 21 rows have a status"),
        (
            {"bookings": REGISTER.with_columns(person=pl.lit(None, pl.String))},
            TableError,
            "21 of 21 rows have no person",
        ),
        ({"bookings": REGISTER.drop("agency")}, TableError, "bookings: column agency missing"),
    ],
)
def test_what_cannot_be_counted_is_refused(change, error, message):
    with pytest.raises(error, match=message) as caught:
        training_coverage(**{"bookings": REGISTER, "sessions": HELD, "workforce": STAFF} | change)
    assert "p1" not in str(caught.value)


def test_confidence_is_that_of_the_interval():
    found = training_coverage(REGISTER, HELD, STAFF, confidence=0.5).filter(agency="Health").row(0, named=True)
    assert (found["lower"], found["upper"]) == pytest.approx(wilson(3, 8, 0.5))


# Sectors

AGENCIES = pl.DataFrame(
    {
        "agency": ["Health", "CFE", "Police", "Charity"],
        "sector": ["Health", "Children, families and education", "Police", None],
    }
)
TOGETHER = {"Health and CFE": ["Health", "Children, families and education"]}


def test_sectors_and_what_is_shown_together_keep_the_order_of_rows():
    rows = pl.DataFrame({"agency": ["Police", "Unknown", "Charity", "Health", None, "CFE"], "sector": "old"})
    found = with_sector(rows, AGENCIES, TOGETHER)
    sectors = ["Police", None, None, "Health", None, "Children, families and education"]
    groups = ["Other sectors", "Other sectors", "Other sectors", "Health and CFE", "Other sectors", "Health and CFE"]
    assert_frame_equal(found, pl.DataFrame({"agency": rows["agency"], "sector": sectors, "sector_group": groups}))
    plain = with_sector(rows, AGENCIES)["sector_group"].to_list()
    assert plain == [sector or "Sector not stated" for sector in sectors]


@pytest.mark.parametrize(
    ("agencies", "together", "error", "message"),
    [
        (AGENCIES, {"A": ["Helth"]}, ParameterError, 'no agency has the sector "Helth".*Did you mean "Health"'),
        (AGENCIES, {"A": ["Health"], "B": ["Health"]}, ParameterError, '"Health" is in more than one group'),
        (pl.concat([AGENCIES] * 2), TOGETHER, TableError, "an agency stands in more than one row"),
        (AGENCIES.drop("sector"), TOGETHER, TableError, "agencies: column sector missing"),
    ],
)
def test_sectors_that_nobody_has_or_that_stand_twice_are_refused(agencies, together, error, message):
    with pytest.raises(error, match=message):
        with_sector(pl.DataFrame({"agency": ["Health"]}), agencies, together)


def test_coverage_by_sectors_shown_together():
    # Health: 5 places, 3 people of 8; Police: 5 places, 2 of 2. Elsewhere, School and none are in no sector: 4 places
    # and 4 people, of a School that made no full return.
    agencies = pl.DataFrame({"agency": ["Health", "Police", "Housing"], "sector": ["Health", "Police", "Councils"]})
    together = {"Health and police": ["Health", "Police"]}
    found = training_coverage(
        with_sector(REGISTER, agencies, together), HELD, with_sector(STAFF, agencies, together), by="sector_group"
    )
    rows = [("Health and police", 10, 5, 10), ("Other sectors", 4, 4, None)]
    assert_frame_equal(found, coverage_frame({"sector_group": pl.String}, rows))


# Laws

RETURNS = st.lists(
    st.tuples(
        st.sampled_from(["Health", "Police", "School", "Housing"]),
        st.integers(2, 3),
        st.sampled_from([1, 2]),
        st.just("2011"),
        st.sampled_from([0, 3, 20, 50, None]),
    ),
    unique_by=lambda row: row[:3],
).map(lambda rows: workforce(*rows))
BY = st.sampled_from([("agency",), (), ("district",), ("agency", "training_level"), ("target_group",), ("course",)])
laws = settings(max_examples=60, deadline=None)


@laws
@given(BOARDS, st.none() | RETURNS, BY, SHUFFLERS)
def test_coverage_equals_plain_python_whatever_the_order_of_rows(board, staff, by, shuffler):
    register, held = board
    found = training_coverage(register, held, staff, by)
    groups = {name: GROUPS[name] for name in by}
    assert_frame_equal(found, coverage_frame(groups, coverage_in_plain_python(register, held, staff, by)))
    lazy = staff if staff is None else staff[::-1].lazy()
    again = training_coverage(shuffled(register, shuffler).lazy(), held[::-1].lazy(), lazy, by)
    assert_frame_equal(again, found)


@laws
@given(
    BOARDS, RETURNS, st.sampled_from([("agency",), (), ("agency", "training_level"), ("target_group",)]), st.booleans()
)
def test_coverage_has_the_people_of_training_reach_and_the_places_of_attendance(board, staff, by, totals):
    register, held = board
    found = training_coverage(register, held, staff, by, totals=totals)
    reach = training_reach(register, held, staff, by, totals=totals)
    came = found.rename({"people": "numerator", "eligible_staff": "denominator", "reach": "proportion"})
    # A group of which only learners from out of the area came is in the coverage alone.
    groups = reach.select(by)
    shared = came.join(groups, on=by, how="semi", nulls_equal=True) if by else came
    assert_frame_equal(shared.select(reach.columns), reach)
    others = came.join(groups, on=by, how="anti", nulls_equal=True) if by else came.clear()
    inner = others.filter(pl.all_horizontal(pl.col(by).cast(pl.String).ne_missing("Total"))) if by else others
    assert set(inner.select("numerator", "denominator").rows()) <= {(0, None)}
    assert set(others.select("numerator", "denominator").rows()) <= {(0, None), (0, 0)}  # a total of nobody's staff
    assert set(reach.select(by).rows()) <= set(found.select(by).rows())
    counted = attendance(register, held, by, totals=totals).filter(pl.col("attended") > 0)
    places = found.filter(pl.col("places") > 0)
    assert places.select(*by, "places").rows() == counted.select(*by, "attended").rows()
    assert places["share_of_places"].to_list() == pytest.approx(counted["share_of_places"].to_list())
    assert (found["people"] <= found["places"]).all()


@pytest.mark.parametrize("seed", [1, 20110510, 7])
@pytest.mark.parametrize("by", [("agency",), (), ("district", "time_period"), ("training_level", "target_group")])
def test_duckdb_gives_the_same(seed, by):
    register, held = random_board(seed)
    tables = [duckdb.from_arrow(frame.to_arrow()) for frame in (register, held, STAFF)]
    expected = training_coverage(register, held, STAFF, by, totals=True)
    assert_frame_equal(training_coverage(*tables, by, totals=True), expected)
    assert_frame_equal(training_coverage(tables[0], held, STAFF, by, totals=True), expected)


def test_a_register_without_a_column_of_learners_has_local_learners_alone():
    local = pl.col("learner").is_null() | (pl.col("learner") == "local")
    register = REGISTER.filter(local)
    assert "learner" in BOOKINGS
    assert_frame_equal(
        training_coverage(register.drop("learner"), HELD, STAFF), training_coverage(register, HELD, STAFF)
    )
