"""A training programme as it goes on, against plain Python that only knows dictionaries, sets and loops."""

import random
from collections import Counter
from datetime import date, datetime
from fractions import Fraction
from itertools import product
from math import ceil, floor

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.programme import (
    coverage_needed,
    cumulative_reach,
    inter_agency_mix,
    programme_targets,
    progress_by,
    running_totals,
    training_cost,
)
from safeguarding_analytics.registers import (
    average_session,
    of_the_area,
    open_registers,
    taking_places,
    with_what_it_takes,
)
from safeguarding_analytics.shapes import COST, COUNT, MIX, PROGRESS, shape_of
from safeguarding_analytics.tables import LEARNERS, STATUSES

BOOKINGS = {
    "session": pl.String,
    "person": pl.String,
    "agency": pl.String,
    "target_group": pl.Int64,
    "status": pl.String,
    "booked": pl.Boolean,
    "learner": pl.String,
}
SESSIONS = {
    "session": pl.String,
    "course": pl.String,
    "training_level": pl.Int64,
    "district": pl.String,
    "date": pl.Date,
    "capacity": pl.Int64,
    "cost": pl.Float64,
    "kind": pl.String,
}
AGENCIES = pl.DataFrame({"agency": ["Health", "Police", "School", "Housing"]})


def bookings(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=BOOKINGS, orient="row")


def sessions(*rows: tuple) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=SESSIONS, orient="row")


REGISTER = bookings(
    ("s1", "p1", "Health", 1, "attended", True, "local"),
    ("s1", "p2", "Health", 1, "attended", False, None),  # a walk-in
    ("s1", "p3", "Police", 2, "did_not_attend", True, None),
    ("s1", "t1", "Health", None, "attended", True, "trainer"),
    ("s1", "x1", "Health", None, "attended", True, "test"),
    ("s1", "o1", "Police", 2, "attended", True, "out_of_area"),
    ("s1", "p4", None, 1, "attended", True, "local"),  # of no known agency
    ("s2", "p1", "Health", 1, "attended", True, "local"),  # in two districts
    ("s2", "p1", "School", 1, "attended", True, "local"),  # and in two agencies
    ("s2", "p2", "Health", 1, "cancelled", True, None),
    ("s2", "p3", "Police", 2, "waitlisted", True, None),
    ("s2", "p5", "Police", 2, "attended", True, None),
    ("s3", "p5", "Police", 2, "attended", True, None),
    ("s3", "p6", "Elsewhere", 1, "attended", False, None),  # no agency of the board
    ("s4", "p1", "Health", 1, "attended", True, None),
    ("s4", "p3", "Police", 2, "attended", False, None),
    ("s4", "o1", "Police", 2, "attended", True, "out_of_area"),
    ("s5", "p7", "School", 1, "attended", True, None),
    ("s5", "t1", "Health", None, "cancelled", True, "trainer"),
    ("s6", "p8", "School", 1, "booked", True, None),  # still to come
    ("s9", "p9", "Health", 1, "attended", True, None),  # a session nobody knows
)
HELD = sessions(
    ("s1", "Core", 3, "Dover", date(2011, 5, 10), 50, 300.50, "workshop"),
    ("s2", "Core", 3, "Swale", date(2011, 5, 11), 50, None, None),
    ("s3", "Core", 3, None, date(2011, 6, 20), 0, 0.0, None),
    ("s4", "Referral", 2, "Dover", date(2011, 7, 4), 25, 120.25, "mop_up"),
    ("s5", "Referral", 2, "Swale", None, 25, None, "workshop"),
    ("s6", "Referral", 2, "Thanet", date(2011, 7, 19), 50, 99.99, "workshop"),
)


def relations(*frames):
    return [duckdb.from_arrow(frame.to_arrow()) for frame in frames]


# Plain Python


def takes_a_place(row):
    return row["status"] == "attended" and row.get("learner") not in ("trainer", "test")


def is_reached(row):
    return takes_a_place(row) and row.get("learner") != "out_of_area"


def facts_of(row, held):
    """A booking with what is known of its session; agency and target group are the booking's."""
    session = held.get(row["session"], {})
    day = session.get("date")
    facts = {**session, **row}
    facts["time_period"] = str(day.year + (day.month > 3)) if day else None
    facts["month"] = f"{day:%Y-%m}" if day else None
    return facts


def by_name(sessions_frame):
    return {row["session"]: row for row in sessions_frame.iter_rows(named=True)}


def group_of(facts, by):
    return tuple(facts.get(name) for name in by)


def nulls_first(group):
    return [(value is not None, value if value is not None else "") for value in group]


def cumulative_in_plain_python(register, held_frame, by, every):
    held = by_name(held_frame)
    days = sorted({row["date"] for row in held.values() if row["date"]})
    if every == "month" and days:
        first, last = (day.year * 12 + day.month - 1 for day in (days[0], days[-1]))
        days = [f"{number // 12}-{number % 12 + 1:02}" for number in range(first, last + 1)]
    came = [facts_of(row, held) for row in register.iter_rows(named=True) if is_reached(row)]
    came = [facts for facts in came if facts.get("date")]
    groups = {group_of(facts, by) for facts in came} if by else {()}
    if by and {*by} <= {*SESSIONS, "time_period", "month"}:  # groups to which nobody came are there too
        groups = {group_of(facts_of({"session": name}, held), by) for name in held}
    rows = []
    for group in sorted(groups, key=nulls_first):
        for day in days:
            people = {
                (facts["agency"], facts["person"])
                for facts in came
                if group_of(facts, by) == group and (facts["month"] if every == "month" else facts["date"]) <= day
            }
            rows.append((*group, day, len(people)))
    return rows


def targets_in_plain_python(held_frame, target, by):
    places = {}
    for row in held_frame.iter_rows(named=True):
        if row.get("kind") != "mop_up":
            places.setdefault(row[by], []).append(row["capacity"])
    names = sorted(places, key=lambda name: nulls_first([name]))
    every = [capacity for capacities in places.values() for capacity in capacities]
    if None in every or sum(every) == 0:
        return [(name, None) for name in names]
    exact = {name: Fraction(target * sum(places[name]), sum(every)) for name in names}
    shares = {name: floor(exact[name]) for name in names}
    while sum(shares.values()) < target:
        largest = max(exact[name] - shares[name] for name in names)
        shares[next(name for name in names if exact[name] - shares[name] == largest)] += 1
    return list(shares.items())


def average_in_plain_python(register, held_frame):
    """Places a session, to one decimal, and what one costs, to a hair."""
    took = Counter(row["session"] for row in register.iter_rows(named=True) if takes_a_place(row))
    average = float(round(Fraction(sum(took.values()), len(took)), 1)) if took else None
    costs = [Fraction(str(cost)) for cost in held_frame["cost"].drop_nulls().to_list()]
    return average, float(sum(costs) / len(costs)) if costs else None


def need_in_plain_python(register, held_frame, targets, by, cost, per_session=None):
    held = by_name(held_frame)
    average, _ = average_in_plain_python(register, held_frame)
    size = per_session or average
    reached = {}
    for row in register.iter_rows(named=True):
        if is_reached(row):
            reached.setdefault(held.get(row["session"], {}).get(by), set()).add((row["agency"], row["person"]))
    wanted_of = dict(targets.select(by, "target").rows())
    rows = []
    for name in sorted({*reached, *wanted_of, *(row[by] for row in held.values())}, key=lambda one: nulls_first([one])):
        came, wanted = len(reached.get(name, ())), wanted_of.get(name)
        need = None if wanted is None else max(0, wanted - came)
        number = None if need is None or not size else ceil(need / Fraction(str(size)))
        price = None if number is None or cost is None else number * cost
        rows.append((name, wanted, came, need, size, number, cost, price))
    return rows


def mix_in_plain_python(register, held_frame, agencies, by):
    held, board = by_name(held_frame), set(agencies["agency"].drop_nulls())
    rooms = {group_of(facts_of({"session": name}, held), by): Counter() for name in held} if by else {(): Counter()}
    for row in register.iter_rows(named=True):
        if takes_a_place(row):
            rooms.setdefault(group_of(facts_of(row, held), by), Counter())[row["agency"]] += 1
    rows = []
    for group in sorted(rooms, key=nulls_first):
        known = {agency: count for agency, count in rooms[group].items() if agency is not None}
        attended = sum(rooms[group].values())
        if not known:
            rows.append((*group, attended, None, None, None))
            continue
        effective = Fraction(sum(known.values()) ** 2, sum(count**2 for count in known.values()))
        share = len(board & set(known)) / len(board)
        rows.append((*group, attended, len(known), share, floor(effective + Fraction(1, 2))))
    return rows


def cost_in_plain_python(register, held_frame, by):
    held = by_name(held_frame)
    found = {}
    for name, session in held.items():
        group = group_of(facts_of({"session": name}, held), by)
        one = found.setdefault(group, {"places": 0, "people": set(), "sessions": 0, "costs": []})
        one["sessions"] += 1
        one["costs"] += [] if session["cost"] is None else [Fraction(str(session["cost"]))]
    for row in register.iter_rows(named=True):
        if takes_a_place(row) and held.get(row["session"], {}).get("cost") is not None:
            one = found[group_of(facts_of({"session": row["session"]}, held), by)]
            one["places"] += 1
            one["people"] |= {(row["agency"], row["person"])} if is_reached(row) else set()
    rows = []
    for group in sorted(found, key=nulls_first):
        one = found[group]
        places, people, known = one["places"], len(one["people"]), len(one["costs"])
        total = sum(one["costs"]) if known else None
        per_place, per_person = (float(total / by) if known and by else None for by in (places, people))
        spent = None if total is None else float(total)
        rows.append((*group, places, people, one["sessions"], known, spent, per_place, per_person))
    return rows


def frame_of(shape, groups, rows):
    """An expected frame: numbers of people whole, the rest with decimals."""
    decimals = {"share_of_agencies", "per_session", "cost_per_session", "cost", "total_cost", "cost_per_place"}
    decimals |= {"cost_per_person"}
    kinds = {name: pl.Float64 if name in decimals else pl.Int64 for name in shape.columns}
    return pl.DataFrame(rows, schema=groups | kinds, orient="row")


# People reached to date


def test_reach_to_date_counts_a_person_once_and_only_dated_sessions():
    # 10 May: p1, p2 and the one without an agency (the trainer, the test user and the one from elsewhere are nobody's).
    # 11 May: p1 came again, p1 of School and p5 are new. 20 June: p6. 4 July: p3. 19 July: nobody. s5 has no date.
    days = [date(2011, 5, 10), date(2011, 5, 11), date(2011, 6, 20), date(2011, 7, 4), date(2011, 7, 19)]
    expected = pl.DataFrame({"to_date": days, "count": [3, 5, 6, 7, 7]})
    found = cumulative_reach(REGISTER, HELD)
    assert_frame_equal(found, expected)
    assert shape_of(found.columns) is COUNT


def test_reach_by_month_has_a_row_for_a_month_without_a_session():
    held = HELD.filter(pl.col("session") != "s3")
    expected = pl.DataFrame({"month": ["2011-05", "2011-06", "2011-07"], "count": [5, 5, 6]})
    assert_frame_equal(cumulative_reach(REGISTER, held, every="month"), expected)


def test_reach_by_month_goes_on_over_the_turn_of_the_year():
    held = sessions(
        ("s1", "Core", 3, "Dover", date(2010, 11, 30), 50, None, None),
        ("s2", "Core", 3, "Dover", date(2011, 2, 1), 50, None, None),
    )
    register = REGISTER.filter(pl.col("session").is_in(["s1", "s2"]))
    expected = pl.DataFrame({"month": ["2010-11", "2010-12", "2011-01", "2011-02"], "count": [3, 3, 3, 5]})
    assert_frame_equal(cumulative_reach(register, held, every="month"), expected)


def test_reach_to_date_by_district_counts_who_came_in_two_districts_in_each():
    days = [date(2011, 5, 10), date(2011, 5, 11), date(2011, 6, 20), date(2011, 7, 4), date(2011, 7, 19)]
    counts = {None: [0, 0, 2, 2, 2], "Dover": [3, 3, 3, 4, 4], "Swale": [0, 3, 3, 3, 3], "Thanet": [0] * 5}
    rows = [
        (district, day, count) for district, numbers in counts.items() for day, count in zip(days, numbers, strict=True)
    ]
    schema = {"district": pl.String, "to_date": pl.Date, "count": pl.Int64}
    assert_frame_equal(cumulative_reach(REGISTER, HELD, by="district"), pl.DataFrame(rows, schema=schema, orient="row"))


def test_reach_to_date_by_agency_keeps_those_without_one_apart():
    found = cumulative_reach(REGISTER, HELD, by="agency").filter(to_date=date(2011, 7, 19))
    assert found.select("agency", "count").rows() == [
        (None, 1),
        ("Elsewhere", 1),
        ("Health", 2),
        ("Police", 2),
        ("School", 1),
    ]


def test_nothing_held_or_nobody_there_is_no_row_or_nought():
    assert cumulative_reach(REGISTER.clear(), HELD.clear()).height == 0
    assert cumulative_reach(REGISTER.clear(), HELD.clear(), every="month").height == 0
    assert cumulative_reach(REGISTER.clear(), HELD)["count"].to_list() == [0] * 5
    nobody = cumulative_reach(REGISTER.clear(), HELD, by="district")
    assert nobody["district"].unique().sort().to_list() == [None, "Dover", "Swale", "Thanet"]
    assert nobody["count"].to_list() == [0] * 4 * 5
    assert cumulative_reach(REGISTER, HELD.with_columns(date=pl.lit(None, pl.Date))).height == 0


def test_two_sessions_of_one_day_are_one_day_whatever_their_hour():
    held = pl.DataFrame({"session": ["s1", "s2"], "date": [datetime(2011, 5, 10, 9), datetime(2011, 5, 10, 14)]})
    found = cumulative_reach(REGISTER.filter(pl.col("session").is_in(["s1", "s2"])), held)
    assert found["count"].to_list() == [5]
    assert found["to_date"].cast(pl.Date).to_list() == [date(2011, 5, 10)]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"every": "week"}, 'every must be "to_date" or "month".*Found: "week"'),
        ({"every": "months"}, 'Did you mean "month"'),
        ({"by": "person"}, "names people one by one"),
        ({"by": "to_date"}, "is a column of the result"),
        ({"by": "month", "every": "month"}, "is a column of the result"),
        ({"by": "distrct"}, 'Did you mean "district"'),
    ],
)
def test_reach_to_date_refuses_what_it_cannot_group_by(options, message):
    with pytest.raises(ParameterError, match=message):
        cumulative_reach(REGISTER, HELD, **options)


@pytest.mark.parametrize(
    ("register", "held", "message"),
    [
        (REGISTER, pl.concat([HELD, HELD.head(1)]), "sessions: 1 of 6 stand in more than one row: s1"),
        (REGISTER, HELD.drop("date"), "sessions: column date missing"),
        (REGISTER, HELD.with_columns(pl.col("date").cast(pl.String)), "column date holds String"),
        (REGISTER.with_columns(status=pl.lit("Attnded")), HELD, '21 of 21 rows have a status .*Found: "Attnded"'),
        (REGISTER.with_columns(person=pl.lit(None, pl.String)), HELD, "21 of 21 rows have no person"),
    ],
)
def test_reach_to_date_refuses_bad_tables(register, held, message):
    with pytest.raises(TableError, match=message):
        cumulative_reach(register, held)


def test_running_totals_name_every_first_day_within_every_total():
    table = pl.DataFrame({"to_date": [3, 1, 2, 1], "count": [1, 1, 1, 1]})
    expected = pl.DataFrame({"first_to_date": [1, 1, 1, 2, 2, 3], "to_date": [1, 2, 3, 2, 3, 3]})
    assert_frame_equal(running_totals(table), expected)
    with pytest.raises(TableError, match="column month missing"):
        running_totals(table, "month")


# Targets


def kent_workshops():
    """The plan of 2011: 12 districts, two half-day sessions each, about 50 places a session; and three mop-ups."""
    days = {
        "Tunbridge Wells": (5, 10),
        "Dover": (5, 11),
        "Shepway": (5, 13),
        "Dartford": (5, 17),
        "Gravesham": (5, 18),
        "Ashford": (5, 24),
        "Sevenoaks": (6, 7),
        "Thanet": (6, 10),
        "Swale": (6, 16),
        "Maidstone": (6, 20),
        "Canterbury": (6, 21),
        "Tonbridge and Malling": (6, 28),
    }
    workshops = [
        (f"{name} {half}", "Thresholds", 3, name, date(2011, *day), 50, 0.0, "workshop")
        for name, day in days.items()
        for half in ("morning", "afternoon")
    ]
    mop_ups = [
        (f"{name} mop-up {half}", "Thresholds", 3, name, date(2011, 7, day), 50, 0.0, "mop_up")
        for name, day in {"Gravesham": 4, "Shepway": 15, "Maidstone": 19}.items()
        for half in ("morning", "afternoon")
    ]
    return sessions(*workshops, *mop_ups)


def test_kents_target_is_twelve_times_two_times_fifty_with_mop_ups_counted_apart():
    # Kent district safeguarding workshops plan, 2011: about 1,200 professionals by the end of June = 12 × 2 × 50.
    held = kent_workshops()
    assert held.filter(pl.col("kind") != "mop_up")["capacity"].sum() == 12 * 2 * 50 == 1_200
    assert held["capacity"].sum() == 1_500  # three mop-ups of two sessions each would add 300 places
    targets = programme_targets(held, 1_200)
    assert targets.rows() == [(district, 100) for district in sorted(held["district"].unique())]
    assert targets["target"].sum() == 1_200


def test_kents_mop_ups_are_where_people_are_missing():
    # By the end of June every district has reached 88 of 100, two sessions of 44; Dover only 40, in two of 20. Then
    # 12 are missing in eleven districts and 60 in Dover. At 50 a session: one session each, and two in Dover.
    held = kent_workshops()
    register = bookings(
        *(
            (row["session"], f"{row['session']} {number}", "Health", 1, "attended", True, None)
            for row in held.filter(pl.col("kind") != "mop_up").iter_rows(named=True)
            for number in range(20 if row["district"] == "Dover" else 44)
        )
    )
    found = coverage_needed(register, held, programme_targets(held, 1_200), per_session=50, totals=True)
    dover, total = (found.filter(district=name).row(0, named=True) for name in ("Dover", "Total"))
    assert (dover["target"], dover["reached"], dover["still_needed"], dover["sessions_needed"]) == (100, 40, 60, 2)
    assert (total["target"], total["reached"], total["still_needed"]) == (1_200, 11 * 88 + 40, None)
    others = found.filter(~pl.col("district").is_in(["Dover", "Total"]))
    assert others.select("still_needed", "sessions_needed").unique().rows() == [(12, 1)]
    # On 30 June 1,008 of the 1,200 have been reached, and the mop-ups of July have changed nothing by then.
    reached = cumulative_reach(register, held)
    assert reached.filter(pl.col("to_date") <= date(2011, 6, 30))["count"].max() == 1_008
    assert reached["to_date"].max() == date(2011, 7, 19)


@pytest.mark.parametrize(
    ("capacities", "target", "expected"),
    [
        ({"A": 1, "B": 1, "C": 1}, 4, [2, 1, 1]),  # a tie goes to the first in the order of the alphabet
        ({"B": 1, "A": 1, "C": 1}, 5, [2, 2, 1]),
        ({"A": 50, "B": 0, "C": 50}, 3, [2, 0, 1]),  # no place, no target
        ({"A": 2, "B": 3, "C": 95}, 10, [0, 0, 10]),  # 0.2, 0.3 and 9.5
        ({"A": 10, "B": 20, "C": 30}, 1, [0, 0, 1]),
        ({None: 5, "A": 5}, 3, [2, 1]),
        ({"A": 0, "B": 0}, 10, [None, None]),
        ({"A": 5, "B": None}, 10, [None, None]),
        ({}, 10, []),
    ],
)
def test_targets_are_shared_out_by_the_largest_remainder(capacities, target, expected):
    held = sessions(*((f"s {name}", "Core", 3, name, None, places, None, None) for name, places in capacities.items()))
    names = sorted(capacities, key=lambda name: nulls_first([name]))
    schema = {"district": pl.String, "target": pl.Int64}
    assert_frame_equal(
        programme_targets(held, target),
        pl.DataFrame(list(zip(names, expected, strict=True)), schema=schema, orient="row"),
    )


def test_capacity_unknown_of_a_mop_up_alone_does_no_harm():
    held = HELD.with_columns(capacity=pl.when(pl.col("session") != "s4").then("capacity"))
    # Without s4: Dover 50, Swale 75, Thanet 50, no district 0, of 175: 10 × 50 ÷ 175 = 2.86, 4.29, 2.86, 0.
    assert programme_targets(held, 10).rows() == [(None, 0), ("Dover", 3), ("Swale", 4), ("Thanet", 3)]
    assert programme_targets(held.drop("kind"), 10)["target"].to_list() == [None] * 4


@pytest.mark.parametrize("target", [0, -3])
def test_target_of_nobody_is_refused(target):
    with pytest.raises(ParameterError, match="target"):
        programme_targets(HELD, target)


def test_targets_of_the_boards_own_are_taken_as_they_are():
    found = programme_targets(HELD, 1_200, own={"Swale": 90, "Dover": 120})
    assert_frame_equal(found, pl.DataFrame({"district": ["Dover", "Swale"], "target": [120, 90]}))
    assert_frame_equal(
        programme_targets(HELD, None, own={"Dover": 5}), pl.DataFrame({"district": "Dover", "target": 5})
    )
    for own in ({}, None):
        assert programme_targets(HELD, None, own=own)["target"].to_list() == [None] * 4


def test_targets_need_their_columns():
    with pytest.raises(TableError, match=r'sessions: column distrct missing.*Did you mean "district"'):
        programme_targets(HELD, 10, by="distrct")
    with pytest.raises(TableError, match="sessions: column capacity missing"):
        programme_targets(HELD.drop("capacity"), 10)


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from(["A", "B", "C", "D", None]), st.integers(0, 60)), max_size=9),
    st.integers(1, 3_000),
    st.randoms(use_true_random=False),
)
def test_targets_add_up_and_are_within_one_of_their_share(places, target, shuffler):
    held = sessions(*((f"s{n}", "Core", 3, name, None, size, None, None) for n, (name, size) in enumerate(places)))
    found = programme_targets(held, target)
    assert found.rows() == targets_in_plain_python(held, target, "district")
    every = sum(size for _, size in places)
    if every:
        assert found["target"].sum() == target
    order = list(range(held.height))
    shuffler.shuffle(order)
    assert_frame_equal(programme_targets(held[order].lazy(), target), found)


# Coverage that is still needed


def test_coverage_needed_keeps_districts_of_either_table():
    # Dover: p1, p2, the one without an agency and p3. Swale: p1 twice (two agencies), p5, p7. No district: p5, p6 and
    # p9 of s9. Thanet: nobody yet. Places: s1 has 4, s2 3, s3 2, s4 3, s5 1, s9 1, so 14 in 6 sessions = 2.3 each.
    # Costs: (300.50 + 0 + 120.25 + 99.99) ÷ 4 = 130.185.
    targets = pl.DataFrame({"district": ["Dover", "Swale", "Ashford"], "target": [10, 3, 4]})
    found = coverage_needed(REGISTER, HELD, targets)
    cost = found["cost_per_session"][0]
    assert cost == pytest.approx(130.185, abs=0.0051)
    rows = [
        (None, None, 3, None, 2.3, None, cost, None),
        ("Ashford", 4, 0, 4, 2.3, 2, cost, 2 * cost),
        ("Dover", 10, 4, 6, 2.3, 3, cost, 3 * cost),
        ("Swale", 3, 4, 0, 2.3, 0, cost, 0.0),
        ("Thanet", None, 0, None, 2.3, None, cost, None),
    ]
    assert_frame_equal(found, frame_of(PROGRESS, {"district": pl.String}, rows))
    assert shape_of(found.columns) is PROGRESS


def test_too_many_in_one_district_do_not_make_up_for_another():
    targets = pl.DataFrame({"district": [None, "Dover", "Swale", "Thanet"], "target": [0, 10, 3, 5]})
    found = coverage_needed(REGISTER, HELD.drop("cost"), targets, per_session=4, totals=True)
    rows = [
        (None, 0, 3, 0, 4.0, 0, None, None),
        ("Dover", 10, 4, 6, 4.0, 2, None, None),
        ("Swale", 3, 4, 0, 4.0, 0, None, None),
        ("Thanet", 5, 0, 5, 4.0, 2, None, None),
        ("Total", 18, 11, None, 4.0, None, None, None),  # 6 + 5 are needed, and 18 − 11 = 7 would be too few
    ]
    assert_frame_equal(found, frame_of(PROGRESS, {"district": pl.String}, rows))


def test_group_without_a_name_keeps_what_it_needs_beside_a_total():
    targets = pl.DataFrame({"district": [None, "Dover"], "target": [10, 10]})
    register = REGISTER.filter(pl.col("session").is_in(["s1", "s3"]))
    held = HELD.filter(pl.col("session").is_in(["s1", "s3"]))
    found = coverage_needed(register, held, targets, totals=True)
    assert found.select("district", "still_needed").rows() == [(None, 8), ("Dover", 7), ("Total", None)]


def test_total_with_a_district_without_a_target_is_unknown():
    targets = pl.DataFrame({"district": ["Dover", "Swale"], "target": [10, 3]})
    total = coverage_needed(REGISTER, HELD, targets, totals=True).filter(district="Total").row(0, named=True)
    assert (total["target"], total["reached"], total["still_needed"], total["sessions_needed"]) == (
        None,
        11,
        None,
        None,
    )


def test_nobody_has_come_yet_so_nobody_knows_how_many_a_session_trains():
    targets = pl.DataFrame({"district": ["Dover"], "target": [10]})
    found = coverage_needed(REGISTER.clear(), HELD.filter(district="Dover"), targets)
    cost = (300.50 + 120.25) / 2
    assert found.row(0) == ("Dover", 10, 0, 10, None, None, pytest.approx(cost, abs=0.0051), None)


@pytest.mark.parametrize(
    ("need", "per_session", "sessions_needed"),
    # 5.6 × 15 = 84, 8.2 × 15 = 123, 9.2 × 15 = 138, 5.1 × 30 = 153: exactly, and one more where one is left over.
    [(84, 5.6, 15), (123, 8.2, 15), (138, 9.2, 15), (153, 5.1, 30), (85, 5.6, 16), (50, 50, 1), (51, 50, 2), (0, 5, 0)],
)
def test_sessions_needed_are_the_fewest_that_are_enough(need, per_session, sessions_needed):
    counts = pl.DataFrame({"agency": ["A"], "need": [need]})
    found = with_what_it_takes(counts, "need", float(per_session), 10.0)
    expected = {"agency": "A", "need": need, "per_session": per_session, "cost_per_session": 10.0}
    expected |= {"sessions_needed": sessions_needed, "cost": 10.0 * sessions_needed}
    assert found.row(0, named=True) == expected


def test_what_a_need_takes_is_unknown_where_no_session_was_held_or_the_need_is():
    counts = pl.DataFrame({"need": [10, None]}, schema={"need": pl.Int64})
    for per_session in (None, 0.0):
        found = with_what_it_takes(counts, "need", per_session, 5.0)
        assert found.select("sessions_needed", "cost").rows() == [(None, None)] * 2
    found = with_what_it_takes(counts, "need", 4.0, None)
    assert found.select("sessions_needed", "cost").rows() == [(3, None), (None, None)]


def test_average_session_is_of_those_that_somebody_attended():
    booked, held = open_registers(REGISTER, HELD, ["session"], ["session"])
    average, cost = average_session(booked, held)
    assert average == 2.3  # 14 ÷ 6
    assert cost == pytest.approx(130.185, abs=0.0051)
    assert average_session(*open_registers(REGISTER.clear(), HELD.drop("cost"), [], [])) == (None, None)


def test_average_session_of_a_published_year():
    # NSCB annual report 2014-15: 1,547 attendances at 90 events, 17.2 each.
    held = sessions(*((f"s{n}", "All", 3, None, None, None, None, None) for n in range(90)))
    rows = ((f"s{n % 90}", f"p{n}", "Health", 1, "attended", True, None) for n in range(1_547))
    assert average_session(*open_registers(bookings(*rows), held, [], [])) == (17.2, None)


def test_trainers_and_test_users_take_no_place_and_those_from_elsewhere_are_nobodys_staff():
    booked, _ = open_registers(REGISTER, HELD, [], [])
    without = {"t1", "x1"}
    places, area = (keep(booked).collect().to_native()["person"].to_list() for keep in (taking_places, of_the_area))
    assert sorted(places) == sorted(person for person in REGISTER["person"] if person not in without)
    assert sorted(area) == sorted(person for person in REGISTER["person"] if person not in {*without, "o1"})
    plain, _ = open_registers(REGISTER.drop("learner"), HELD, [], [])
    assert of_the_area(plain).collect().to_native().height == REGISTER.height


@pytest.mark.parametrize("per_session", [0, -1])
def test_session_that_trains_nobody_is_refused(per_session):
    targets = pl.DataFrame({"district": ["Dover"], "target": [10]})
    with pytest.raises(ParameterError, match="per_session"):
        coverage_needed(REGISTER, HELD, targets, per_session=per_session)


@pytest.mark.parametrize(
    "targets",
    [
        pl.DataFrame({"district": ["Dover", "Dover"], "target": [10, 20]}),
        pl.DataFrame({"district": ["Dover"], "target": [-10]}),
        pl.DataFrame({"district": ["Dover"], "target": [10.5]}),
    ],
)
def test_targets_that_cannot_be_are_refused(targets):
    with pytest.raises(TableError, match="targets"):
        coverage_needed(REGISTER, HELD, targets)


def test_coverage_needed_names_the_column_that_is_missing():
    targets = pl.DataFrame({"district": ["Dover"], "target": [10]})
    with pytest.raises(TableError, match="targets: column target missing"):
        coverage_needed(REGISTER, HELD, targets.drop("target"))
    with pytest.raises(TableError, match="sessions: column area missing"):
        coverage_needed(REGISTER, HELD, targets, by="area")


@pytest.mark.parametrize("by", ["person", "agency"])
def test_coverage_needed_is_by_columns_of_sessions_that_name_nobody(by):
    targets = pl.DataFrame({by: ["p1"], "target": [10]})
    with pytest.raises(ParameterError, match=by):
        coverage_needed(REGISTER, HELD.with_columns(pl.lit("p1").alias(by)), targets, by=by)


def test_areas_need_what_their_districts_need_and_share_a_session():
    # East: 6 + 0 + 5 of Dover, Swale and Thanet at 4 a session: 3 sessions, and not 2 + 0 + 2. West: one district whose
    # number is hidden. A district in no area, and the total, are left out.
    areas = pl.DataFrame(
        {
            "district": ["Dover", "Swale", "Thanet", "Ashford", "Nowhere"],
            "area": ["East", "East", "East", "West", "Far"],
        }
    )
    table = pl.DataFrame(
        {
            "district": ["Ashford", "Dover", "Swale", "Thanet", "Elsewhere", "Total"],
            "target": [50, 10, 3, 5, 9, 77],
            "reached": [None, 4, 4, 0, 8, 30],
            "still_needed": [None, 6, 0, 5, 1, None],
            "per_session": [4.0] * 6,
            "cost_per_session": [10.5] * 6,
            "mark": ["[c]", "", "", "", "", ""],
        }
    )
    rows = [("East", 18, 8, 11, 4.0, 3, 10.5, 31.5, ""), ("West", 50, None, None, 4.0, None, 10.5, None, "[c]")]
    expected = frame_of(PROGRESS, {"area": pl.String}, [row[:-1] for row in rows])
    expected = expected.with_columns(mark=pl.Series([row[-1] for row in rows]))
    assert_frame_equal(progress_by(table, areas), expected)
    assert_frame_equal(progress_by(table.drop("mark")[::-1], areas[::-1]), expected.drop("mark"))
    assert progress_by(table.clear(), areas).height == 0
    for column in ("district", "reached", "per_session"):
        with pytest.raises(TableError, match=f"progress: column {column} missing"):
            progress_by(table.drop(column), areas)


# The mix of agencies


def test_mix_of_each_session():
    # s1: Health 2, Police 1, and one of no known agency: 9 ÷ 5 = 1.8. s2: three of one each. s3: Elsewhere is no agency
    # of the board. s4: Health 1, Police 2: 9 ÷ 5. s5 and s9: one agency. s6: nobody yet. Four agencies of the board.
    rows = [
        ("s1", 4, 2, 2 / 4, 2),
        ("s2", 3, 3, 3 / 4, 3),
        ("s3", 2, 2, 1 / 4, 2),
        ("s4", 3, 2, 2 / 4, 2),
        ("s5", 1, 1, 1 / 4, 1),
        ("s6", 0, None, None, None),
        ("s9", 1, 1, 1 / 4, 1),
    ]
    found = inter_agency_mix(REGISTER, HELD, AGENCIES)
    assert_frame_equal(found, frame_of(MIX, {"session": pl.String}, rows))
    assert shape_of(found.columns) is MIX


@pytest.mark.parametrize(
    ("sizes", "effective"),
    [
        ([10], 1),
        ([10, 10], 2),
        ([19, 1], 1),  # 400 ÷ 362 = 1.1
        ([6, 1, 1, 1, 1], 3),  # 100 ÷ 40 = 2.5
        ([7, 3], 2),  # 100 ÷ 58 = 1.7
        ([1] * 7, 7),
        ([50, *[1] * 9], 1),  # 3,481 ÷ 2,509 = 1.4: ten agencies, and hardly more than one
    ],
)
def test_effective_agencies_are_as_many_as_if_all_were_of_one_size(sizes, effective):
    rows = (
        ("s1", f"p{agency} {number}", f"A{agency}", 1, "attended", True, None)
        for agency, size in enumerate(sizes)
        for number in range(size)
    )
    found = inter_agency_mix(bookings(*rows), HELD.head(1), pl.DataFrame({"agency": ["A0", "Z"]})).row(0, named=True)
    assert found["agencies_present"] == len(sizes)
    assert found["share_of_agencies"] == 0.5
    assert found["effective_agencies"] == effective


def test_mix_of_those_whose_agency_nobody_knows_is_unknown():
    register = REGISTER.filter(session="s1").with_columns(agency=pl.lit(None, pl.String))
    assert inter_agency_mix(register, HELD.head(1), AGENCIES).rows() == [("s1", 4, None, None, None)]


def test_mix_overall_is_one_row_and_a_board_without_agencies_has_no_share():
    # Health p1 and p2 in s1, p1 in s2 and s4, p9; Police o1 twice, p5 twice, p3; School 2; Elsewhere 1: 13, and one of
    # no known agency. 169 ÷ (25 + 25 + 4 + 1) = 3.07.
    assert inter_agency_mix(REGISTER, HELD, AGENCIES, by=()).rows() == [(14, 4, 3 / 4, 3)]
    assert inter_agency_mix(REGISTER, HELD, AGENCIES.clear(), by=()).rows() == [(14, 4, None, 3)]
    assert inter_agency_mix(REGISTER.clear(), HELD, AGENCIES, by=()).rows() == [(0, None, None, None)]
    assert inter_agency_mix(REGISTER.clear(), HELD.clear(), AGENCIES).height == 0


def test_mix_is_that_of_a_room():
    with pytest.raises(ParameterError, match='"agency" is not a column of sessions'):
        inter_agency_mix(REGISTER, HELD, AGENCIES, by="agency")
    with pytest.raises(ParameterError, match='"attended" is a column of the result'):
        inter_agency_mix(REGISTER, HELD.with_columns(attended=1), AGENCIES, by="attended")


def test_mix_refuses_words_that_are_no_status_and_agencies_without_a_name():
    with pytest.raises(TableError, match=r'21 of 21 rows have a status .*Found: "Attnded"'):
        inter_agency_mix(REGISTER.with_columns(status=pl.lit("Attnded")), HELD, AGENCIES)
    with pytest.raises(TableError, match="agencies: column agency missing"):
        inter_agency_mix(REGISTER, HELD, AGENCIES.rename({"agency": "name"}))


# Costs


def test_cost_of_what_is_known_alone():
    # Core: s1 (300.50; 4 places: p1, p2, o1 and the one without an agency) and s3 (0; p5 and p6). s2 is not known.
    # Referral: s4 (120.25; p1, p3, o1) and s6 (99.99; nobody). s5 is not known. o1 takes places and is not reached.
    rows = [
        ("Core", 6, 5, 3, 2, 300.50, 300.50 / 6, 300.50 / 5),
        ("Referral", 3, 2, 3, 2, 220.24, 220.24 / 3, 220.24 / 2),
    ]
    found = training_cost(REGISTER, HELD)
    assert_frame_equal(found, frame_of(COST, {"course": pl.String}, rows))
    assert shape_of(found.columns) is COST


def test_cost_by_district_is_null_where_none_is_known_and_in_kind_is_nought():
    # Dover: s1 and s4, where p1 and o1 came twice: 7 places, 4 local people.
    rows = [
        (None, 2, 2, 1, 1, 0.0, 0.0, 0.0),
        ("Dover", 7, 4, 2, 2, 420.75, 420.75 / 7, 420.75 / 4),
        ("Swale", 0, 0, 2, 0, None, None, None),
        ("Thanet", 0, 0, 1, 1, 99.99, None, None),
        ("Total", 9, 6, 6, 4, 520.74, 520.74 / 9, 520.74 / 6),
    ]
    found = training_cost(REGISTER, HELD, by="district", totals=True)
    assert_frame_equal(found, frame_of(COST, {"district": pl.String}, rows))


def test_cost_overall_is_one_row_with_each_person_once():
    # p1 (s1, s4), p2, o1 (s1, s4), the one without an agency, p5, p6, p3: 9 places, 6 people without o1.
    rows = [(9, 6, 6, 4, 520.74, 520.74 / 9, 520.74 / 6)]
    assert_frame_equal(training_cost(REGISTER, HELD, by=()), frame_of(COST, {}, rows))
    assert training_cost(REGISTER.clear(), HELD.clear(), by=()).rows() == [(0, 0, 0, 0, None, None, None)]
    assert training_cost(REGISTER.clear(), HELD.clear()).height == 0


def test_pence_add_up():
    # 10 × 0.10 + 0.20 is 1.20, which floating point makes 1.2000000000000002.
    held = (
        HELD.head(1)
        .drop("session", "cost")
        .join(pl.DataFrame({"session": [f"s{n}" for n in range(11)], "cost": [0.10] * 10 + [0.20]}), how="cross")
    )
    assert training_cost(REGISTER, held)["total_cost"].to_list() == [1.2]


def test_cost_is_that_of_sessions():
    with pytest.raises(ParameterError, match='"agency" is not a column of sessions'):
        training_cost(REGISTER, HELD, by="agency")
    with pytest.raises(TableError, match="sessions: column cost missing"):
        training_cost(REGISTER, HELD.drop("cost"))


# Laws, on boards of every kind


def random_board(seed):
    """Sessions without date, district, capacity or cost, sessions to come, mop-ups; bookings of every kind."""
    chance = random.Random(seed)
    agencies = ["Health", "Police", "School", "Elsewhere", None]
    number = chance.randint(1, 8)
    held = sessions(
        *(
            (
                f"s{n}",
                chance.choice(["Core", "Referral"]),
                chance.randint(2, 3),
                chance.choice(["Dover", "Swale", "Thanet", None]),
                chance.choice([date(2010, 12, 30), date(2011, 3, 31), date(2011, 4, 1), date(2011, 6, 20), None]),
                chance.choice([0, 10, 25, None]),
                chance.choice([0.0, 99.99, 250.5, None]),
                chance.choice(["workshop", "mop_up", None]),
            )
            for n in range(number)
        )
    )
    keys = list(product(range(number + 1), range(9), agencies))
    rows = []
    for session, person, agency in chance.sample(keys, min(len(keys), chance.randint(0, 60))):
        booked = chance.random() < 0.8
        status = chance.choice([*STATUSES, "attended", "attended"]) if booked else "attended"
        learner = chance.choice([None, None, *LEARNERS])
        rows.append((f"s{session}", f"p{person}", agency, chance.choice([1, 2, None]), status, booked, learner))
    return bookings(*rows), held


GROUPS = {name: kind for schema in (SESSIONS, BOOKINGS) for name, kind in schema.items()}
GROUPS |= {"time_period": pl.String, "month": pl.String}
BOARDS = st.integers(0, 10**6).map(random_board)
SHUFFLERS = st.randoms(use_true_random=False)
laws = settings(max_examples=40, deadline=None)


def shuffled(frame, shuffler):
    order = list(range(frame.height))
    shuffler.shuffle(order)
    return frame[order]


@laws
@given(
    BOARDS,
    st.sampled_from([(), ("district",), ("agency",), ("course", "target_group"), ("time_period",)]),
    st.sampled_from(["to_date", "month"]),
    SHUFFLERS,
)
def test_reach_to_date_equals_plain_python_never_falls_and_ends_at_the_distinct_people(board, by, every, shuffler):
    register, held = board
    found = cumulative_reach(register, held, by, every=every)
    kinds = {name: GROUPS[name] for name in by} | {every: pl.String if every == "month" else pl.Date, "count": pl.Int64}
    expected = pl.DataFrame(cumulative_in_plain_python(register, held, by, every), schema=kinds, orient="row")
    assert_frame_equal(found, expected)
    assert_frame_equal(cumulative_reach(shuffled(register, shuffler).lazy(), held[::-1].lazy(), by, every=every), found)
    facts = [facts_of(row, by_name(held)) for row in register.iter_rows(named=True) if is_reached(row)]
    for (*group, _), one in found.group_by([*by, pl.lit(1)], maintain_order=True) if found.height else ():
        counts = one["count"].to_list()
        people = {
            (row["agency"], row["person"]) for row in facts if row.get("date") and group_of(row, by) == tuple(group)
        }
        assert counts == sorted(counts)
        assert counts[-1] == len(people)


@laws
@given(BOARDS, st.integers(1, 60), st.sampled_from([None, 5.6, 7]), SHUFFLERS)
def test_coverage_needed_equals_plain_python(board, target, per_session, shuffler):
    register, held = board
    targets = programme_targets(held, target)
    assert targets.rows() == targets_in_plain_python(held, target, "district")
    found = coverage_needed(register, held, targets, per_session=per_session)
    cost = found["cost_per_session"].drop_nulls().first()
    assert cost == pytest.approx(average_in_plain_python(register, held)[1], abs=0.0051)  # half a penny either way
    rows = need_in_plain_python(register, held, targets, "district", cost, per_session)
    assert_frame_equal(found, frame_of(PROGRESS, {"district": pl.String}, rows))
    assert (found["still_needed"].drop_nulls() >= 0).all()
    again = coverage_needed(shuffled(register, shuffler).lazy(), held[::-1].lazy(), targets, per_session=per_session)
    assert_frame_equal(again, found)


@laws
@given(BOARDS, st.sampled_from([(), ("session",), ("district",), ("course", "time_period")]), SHUFFLERS)
def test_mix_equals_plain_python_and_is_between_one_and_the_agencies_present(board, by, shuffler):
    register, held = board
    found = inter_agency_mix(register, held, AGENCIES, by)
    rows = mix_in_plain_python(register, held, AGENCIES, by)
    assert_frame_equal(found, frame_of(MIX, {name: GROUPS[name] for name in by}, rows))
    known = found.drop_nulls("effective_agencies")
    assert (known["effective_agencies"] >= 1).all()
    assert (known["effective_agencies"] <= known["agencies_present"]).all()
    assert (known["agencies_present"] <= known["attended"]).all()
    assert_frame_equal(inter_agency_mix(shuffled(register, shuffler).lazy(), held[::-1].lazy(), AGENCIES, by), found)


@laws
@given(BOARDS, st.sampled_from([(), ("course",), ("district", "time_period"), ("session",)]), SHUFFLERS)
def test_cost_equals_plain_python_and_nobody_takes_less_than_one_place(board, by, shuffler):
    register, held = board
    found = training_cost(register, held, by)
    rows = cost_in_plain_python(register, held, by)
    assert_frame_equal(found, frame_of(COST, {name: GROUPS[name] for name in by}, rows))
    assert (found["people"] <= found["places"]).all()
    assert (found["sessions_costed"] <= found["sessions"]).all()
    assert_frame_equal(training_cost(shuffled(register, shuffler).lazy(), held[::-1].lazy(), by), found)


@pytest.mark.parametrize("seed", [1, 20110510, 7])
def test_duckdb_gives_the_same(seed):
    register, held = random_board(seed)
    booked, sat = relations(register, held)
    targets = programme_targets(held, 30)
    assert_frame_equal(programme_targets(sat, 30), targets)
    for by in ((), ("district",), ("agency", "time_period")):
        assert_frame_equal(cumulative_reach(booked, sat, by), cumulative_reach(register, held, by))
        months = cumulative_reach(register, held, by, every="month")
        assert_frame_equal(cumulative_reach(booked, sat, by, every="month"), months)
    assert_frame_equal(coverage_needed(booked, sat, targets), coverage_needed(register, held, targets))
    (board,) = relations(AGENCIES)
    assert_frame_equal(inter_agency_mix(booked, sat, board), inter_agency_mix(register, held, AGENCIES))
    assert_frame_equal(training_cost(booked, sat), training_cost(register, held))
    assert_frame_equal(training_cost(booked, held), training_cost(register, held))
