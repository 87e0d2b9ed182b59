"""Attendance and reach are the same numbers on polars, DuckDB and PySpark, and those that plain Python counts.

The reference below knows dictionaries, sets and loops only. Frames are read from several Parquet files, and PySpark
shuffles into several partitions that are never put together again: with one file and one partition an engine that adds
up distinct counts per partition looks right.
"""

import math
import os
import random
from collections import Counter, defaultdict
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from itertools import combinations
from pathlib import Path
from statistics import NormalDist

import duckdb
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.child_protection import repeat_plan_rate
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.tables import LEARNERS, STATUSES
from safeguarding_analytics.training import attendance, training_reach
from test_child_protection import QUESTIONS, expected, files_of_plans  # noqa: F401  # a fixture, called files

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
}
WORKFORCE = {
    "agency": pl.String,
    "target_group": pl.Int64,
    "course": pl.String,
    "training_level": pl.Int64,
    "district": pl.String,
    "time_period": pl.String,
    "month": pl.String,
    "eligible_staff": pl.Int64,
}
"""More columns than the contract has, so that reach can be grouped by each of them."""

TEXT_OR_NUMBER = BOOKINGS | SESSIONS | WORKFORCE
TOTAL = "Total"


@dataclass(frozen=True)
class Register:
    """Rows as dictionaries, and the folder in which they lie as Parquet files."""

    bookings: list[dict]
    sessions: list[dict]
    workforce: list[dict]
    folder: os.PathLike | None = None


def rows(schema, *values):
    return [dict(zip(schema, row, strict=True)) for row in values]


REGISTER = Register(
    bookings=rows(
        BOOKINGS,
        # p1 came twice on one day and stands in the first session twice; p1 of the School is another member of staff.
        ("s1", "p1", "Health", 1, "attended", True, None),
        ("s1", "p1", "Health", 1, "attended", True, None),
        ("s2", "p1", "Health", 1, "attended", True, "local"),
        ("s2", "p1", "School", 1, "attended", True, None),
        ("s1", "p2", "Health", 2, "did_not_attend", True, None),
        ("s3", "p2", "Health", 2, "cancelled", True, None),
        ("s3", "p2", "Health", None, "attended", False, None),  # walked in, and the group is not known
        ("s1", "p3", "health", 8, "attended", True, None),  # another agency than Health
        ("s2", "p4", "Police", 2, "waitlisted", True, None),
        ("s2", "p5", "Police", 2, "booked", True, None),
        ("s9", "p5", "Police", 2, "attended", True, None),  # a session that nobody recorded
        ("s3", "p6", None, 3, "attended", True, None),
        (None, "p6", None, 3, "attended", True, None),
        (None, "p7", "Housing", None, "did_not_attend", True, None),
        ("s1", "p8", "Trainers Ltd", 4, "attended", True, "trainer"),
        ("s2", "p9", "Health", 1, "attended", True, "test"),
        ("s2", "p10", "Medway", 5, "attended", True, "out_of_area"),
        ("s4", "p11", "Éducation", 5, "attended", False, None),
        ("s4", "p12", "Probation", 6, "attended", True, None),
        ("s4", "p13", "Probation", 6, "attended", True, None),
    ),
    sessions=rows(
        SESSIONS,
        ("s1", "Core", 3, "Dover", date(2011, 3, 31), 20),
        ("s2", "Core", 3, None, date(2011, 4, 1), 30),
        ("s3", "Working together", 2, "Swale", date(2011, 4, 1), None),
        ("s4", "Core", 3, "Dover", date(2011, 3, 31), 0),
        ("s5", "Exploitation", 3, "Thanet", date(2011, 5, 1), 12),  # nobody booked it
    ),
    workforce=rows(
        WORKFORCE,
        ("Health", 1, "Core", 3, "Dover", "2011", "2011-03", 5),
        ("Health", 2, "Core", 3, "Dover", "2011", "2011-03", 3),
        ("School", 1, "Core", 3, "Swale", "2011", "2011-04", None),  # no return
        ("School", 2, "Core", 3, "Swale", "2011", "2011-04", 2),
        ("Housing", 1, "Exploitation", 2, None, "2011", "2011-05", 7),
        ("health", 8, "Core", 3, "Dover", "2011", "2011-03", 0),
        ("Éducation", 5, "Core", 3, "Dover", "2012", "2011-03", 1),
        ("Probation", 6, "Core", 3, "Dover", "2012", "2011-03", 1),  # two came
    ),
)
OF_REACH = [
    ("agency",),
    ("target_group",),
    ("course",),
    ("district",),
    ("time_period",),
    ("month",),
    (),
    ("agency", "target_group"),
    ("training_level", "time_period"),
]
OF_ATTENDANCE = [
    ("agency",),
    ("target_group",),
    ("course",),
    ("district",),
    ("time_period",),
    ("month",),
    (),
    ("session",),
    ("course", "district"),
    ("district", "agency"),
]


def random_register(seed):
    """A few hundred bookings with everything that a register can lack."""
    chance = random.Random(seed)
    agencies = ["Health", "health", "Police", "School", "Housing", "Probation"]
    courses, districts = ["Core", "Exploitation", "core"], ["Dover", "Swale", "Thanet", None]
    days = [date(2011, 3, 25) + timedelta(days=chance.randrange(12)) for _ in range(9)]
    sessions = [
        (
            f"s{i}",
            chance.choice(courses),
            chance.randint(2, 3),
            chance.choice(districts),
            day,
            chance.choice([0, 9, 20]),
        )
        for i, day in enumerate([*days, None])
    ]
    sessions[3] = (*sessions[3][:-1], chance.choice([None, 15]))
    bookings = []
    for _ in range(chance.randrange(40, 160)):
        person, booked = chance.randrange(30), chance.random() < 0.8
        agency = chance.choice([agencies[person % 6], agencies[person % 6], chance.choice(agencies), "Nowhere", None])
        session = chance.choice([*(f"s{i}" for i in range(10)), "s99", None])
        status = chance.choice([*STATUSES, "attended", "attended"]) if booked else "attended"
        learner = chance.choice([None, None, None, *LEARNERS])
        group = chance.choice([1, 2, 8, None])
        bookings.append((session, f"p{person:02}", agency, group, status, booked, learner))
    workforce = [
        (agency, group, chance.choice(courses), level, chance.choice(districts), period, month, staff)
        for agency in agencies[:5]
        for group in (1, 2)
        for level in (2, 3)
        for period, month in (("2011", "2011-03"), ("2012", "2011-04"))
        for staff in [chance.choice([0, 2, 20, 50, 50, None])]
        if chance.random() < 0.9
    ]
    return Register(rows(BOOKINGS, *bookings), rows(SESSIONS, *sessions), rows(WORKFORCE, *workforce))


def staff_of_interest(register, by):
    """The staff of 2011 alone, unless years are told apart."""
    if "time_period" in by:
        return register.workforce
    return [row for row in register.workforce if row["time_period"] == "2011"]


# The reference: loops over dictionaries.


def facts_of(register):
    """Each booking with what is known of its session. An empty or unknown session is no session."""
    held = {row["session"]: row for row in register.sessions}
    for booking in register.bookings:
        session = held.get(booking["session"], {})
        yield {**session, **with_dates(session), **booking}


def with_dates(session):
    day = session.get("date")
    if day is None:
        return {"time_period": None, "month": None}
    ends_in = day.year + 1 if (day.month, day.day) >= (4, 1) else day.year
    return {"time_period": str(ends_in), "month": f"{day.year}-{day.month:02}"}


def group_of(facts, by):
    return tuple(facts.get(name) for name in by)


def added(values):
    """The sum; unknown if one of the values is, or if there is none."""
    values = list(values)
    return None if not values or None in values else sum(values)


def with_margins(counts, by):
    """Counts per group as text, and every combination of groups replaced by their total."""
    found = {tuple(None if value is None else str(value) for value in group): row for group, row in counts.items()}
    margins = defaultdict(list)
    for size in range(1, len(by) + 1):
        for places in combinations(range(len(by)), size):
            for group, row in found.items():
                key = tuple(TOTAL if place in places else value for place, value in enumerate(group))
                margins[key].append(row)
    sums = {group: tuple(map(added, zip(*each, strict=True))) for group, each in margins.items()}
    return found | sums


def in_order(counts):
    return sorted(counts, key=lambda group: [(value is not None, value) for value in group])


def group_schema(by, totals):
    kinds = TEXT_OR_NUMBER | {"time_period": pl.String, "month": pl.String}
    return {name: pl.String if totals else kinds[name] for name in by}


def share(count, of):
    return count / of if of else None


def expected_attendance(register, by, totals):
    counts = defaultdict(Counter)
    if not by:
        counts[()] = Counter()
    for facts in facts_of(register):
        if facts["learner"] in ("trainer", "test"):
            continue
        status, booked, row = facts["status"], facts["booked"], counts[group_of(facts, by)]
        row["registered"] += booked and status in ("attended", "did_not_attend", "cancelled")
        row["attended"] += status == "attended"
        row["walk_ins"] += status == "attended" and not booked
        row["did_not_attend"] += booked and status == "did_not_attend"
        row["cancelled"] += booked and status == "cancelled"
    places = defaultdict(list)
    if not {"agency", "target_group"} & set(by):  # places are not offered by agency
        for session in register.sessions:
            places[group_of({**session, **with_dates(session)}, by)].append(session["capacity"])
    names = ("registered", "attended", "walk_ins", "did_not_attend", "cancelled")
    found = {group: (*(counts[group][name] for name in names), added(places[group])) for group in {*counts, *places}}
    everyone = sum(row[1] for row in found.values())
    if totals:
        found = with_margins(found, by)
    full = []
    for group in in_order(found):
        registered, attended, walk_ins, missed, cancelled, capacity = found[group]
        rate = share(attended - walk_ins, registered)
        counted = (registered, attended, walk_ins, missed, cancelled)
        full.append((*group, *counted, rate, capacity, share(attended, capacity), share(attended, everyone)))
    kinds = dict.fromkeys(names, pl.Int64) | {"attendance_rate": pl.Float64, "capacity": pl.Int64}
    kinds |= {"take_up": pl.Float64, "share_of_places": pl.Float64}
    return pl.DataFrame(full, schema=group_schema(by, totals) | kinds, orient="row")


def expected_reach(register, by, totals):
    staff = staff_of_interest(register, by)
    people, returns, eligible = defaultdict(set), set(), defaultdict(list)
    for row in staff:
        returns.add((group_of(row, by), row["agency"]))
        eligible[group_of(row, by)].append(row["eligible_staff"])
    for facts in facts_of(register):
        if facts["status"] == "attended" and facts["learner"] in (None, "local"):
            people[group_of(facts, by)].add((facts["agency"], facts["person"]))
    found = {}
    for group in {*people, *eligible} | ({()} if not by else set()):
        all_returned = all((group, agency) in returns for agency, _ in people[group])
        found[group] = (len(people[group]), added(eligible[group]) if all_returned else None)
    if totals:
        found = with_margins(found, by)
    full = [(*group, *found[group], *share_and_interval(*found[group])) for group in in_order(found)]
    kinds = {"numerator": pl.Int64, "denominator": pl.Int64}
    kinds |= dict.fromkeys(["proportion", "lower", "upper"], pl.Float64)
    return pl.DataFrame(full, schema=group_schema(by, totals) | kinds, orient="row")


def share_and_interval(came, staff):
    """Share and Wilson interval as in Wilson 1927: the shares p with |p̂ − p| ≤ z √(p (1 − p) / n)."""
    if not staff or came > staff:
        return (None, None, None)
    z, p = NormalDist().inv_cdf(0.975), came / staff
    middle = (p + z * z / (2 * staff)) / (1 + z * z / staff)
    half = z / (1 + z * z / staff) * math.sqrt(p * (1 - p) / staff + z * z / (4 * staff * staff))
    return (p, max(middle - half, 0.0), min(middle + half, 1.0))


# The engines.


def written(register, folder):
    """The same register with its tables as Parquet, each in three files of which one may be empty."""
    tables = {
        "bookings": (register.bookings, BOOKINGS),
        "sessions": (register.sessions, SESSIONS),
        "workforce": (register.workforce, WORKFORCE),
        "workforce of 2011": (staff_of_interest(register, by=()), WORKFORCE),
    }
    for name, (rows_of_it, schema) in tables.items():
        table = pl.DataFrame(rows_of_it, schema=schema, orient="row")
        (folder / name).mkdir(parents=True)
        for part in range(3):
            table[part::3].write_parquet(folder / name / f"{part}.parquet")
    return Register(register.bookings, register.sessions, register.workforce, folder)


def files(register, name):
    return sorted(register.folder.glob(f"{name}/*.parquet"))


def in_memory(register, name):
    return pl.read_parquet(files(register, name))


def lazily(register, name):
    return pl.scan_parquet(files(register, name))


def on_duckdb(register, name):
    return duckdb.read_parquet([str(path) for path in files(register, name)])


@cache
def duckdb_file(folder):
    """A DuckDB file with the tables of a register, opened to be read only: one connection for all of them."""
    with duckdb.connect(folder / "board.duckdb") as connection:
        for table in folder.glob("*/"):
            connection.execute(f"CREATE TABLE \"{table.name}\" AS FROM '{table}/*.parquet'")
    return duckdb.connect(folder / "board.duckdb", read_only=True)


def in_duckdb_file(register, name):
    return duckdb_file(register.folder).table(f'"{name}"')


FAST = {"polars": in_memory, "polars, lazy": lazily, "DuckDB": on_duckdb, "DuckDB file": in_duckdb_file}


def on_spark(session):
    def opened(register, name):
        return session.read.parquet(*map(str, files(register, name)))

    return opened


@pytest.fixture(scope="session")
def small(tmp_path_factory):
    return written(REGISTER, tmp_path_factory.mktemp("small") / "register")


def found_attendance(opened, register, by, totals):
    return attendance(opened(register, "bookings"), opened(register, "sessions"), by=by, totals=totals)


def found_reach(opened, register, by, totals):
    staff = opened(register, "workforce" if "time_period" in by else "workforce of 2011")
    return training_reach(opened(register, "bookings"), opened(register, "sessions"), staff, by=by, totals=totals)


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("by", OF_REACH, ids=str)
def test_reach_on_polars_and_duckdb_is_what_plain_python_counts(small, by, engine):
    for totals in (False, True):
        found = found_reach(FAST[engine], small, by, totals)
        assert_frame_equal(found, expected_reach(small, by, totals))


@pytest.mark.parametrize("engine", FAST)
@pytest.mark.parametrize("by", OF_ATTENDANCE, ids=str)
def test_attendance_on_polars_and_duckdb_is_what_plain_python_counts(small, by, engine):
    for totals in (False, True):
        found = found_attendance(FAST[engine], small, by, totals)
        assert_frame_equal(found, expected_attendance(small, by, totals))


@pytest.mark.parametrize("seed", range(8))
def test_random_registers_are_the_same_on_polars_and_duckdb(tmp_path, seed):
    register = written(random_register(seed), tmp_path / "register")
    for opened in FAST.values():
        for by in OF_REACH:
            assert_frame_equal(found_reach(opened, register, by, True), expected_reach(register, by, True))
        for by in OF_ATTENDANCE:
            assert_frame_equal(found_attendance(opened, register, by, True), expected_attendance(register, by, True))


def test_tables_on_two_engines_are_counted_too(small):
    for by in (("agency",), ("course", "agency")):
        mixed = attendance(on_duckdb(small, "bookings"), in_memory(small, "sessions"), by=by)
        assert_frame_equal(mixed, expected_attendance(small, by, False))


def test_dask_frame_is_refused_in_one_plain_sentence_as_the_page_says():
    dask = type("DataFrame", (), {"__module__": "dask.dataframe.dask_expr._collection"})()
    with pytest.raises(TableError) as told:
        attendance(dask, dask)
    page = (Path(__file__).parents[1] / "ENGINES.md").read_text(encoding="utf-8")
    assert f'"{told.value}"' in " ".join(page.split())
    with pytest.raises(TableError, match=r"^plans: a Dask frame would be counted wrongly without a sign"):
        repeat_plan_rate(dask)


def test_reference_counts_the_small_register_as_a_reader_does():
    # Health, 2011: p1 and p2 of 5 + 3; p9 is a test user. Probation: two came of one, so the return is wrong.
    reach = expected_reach(REGISTER, ("agency",), False).select("agency", "numerator", "denominator", "proportion")
    assert reach.rows() == [
        (None, 1, None, None),
        ("Health", 2, 8, 2 / 8),
        ("Housing", 0, 7, 0.0),
        ("Police", 1, None, None),
        ("Probation", 2, None, None),
        ("School", 1, None, None),
        ("health", 1, 0, None),
        ("Éducation", 1, None, None),
    ]
    # Core of s1, s2 and s4: 9 registered and attended but p2; p10 took a place, p8 and p9 did not; p11 walked in.
    core = expected_attendance(REGISTER, ("course",), False).filter(course="Core").drop("course")
    assert core.rows() == [(9, 9, 1, 1, 0, 8 / 9, 50, 9 / 50, 9 / 13)]


@pytest.mark.spark
@pytest.mark.parametrize("by", OF_REACH, ids=str)
def test_reach_on_spark_is_what_plain_python_counts(spark, small, by):
    totals = len(by) == 2
    assert_frame_equal(found_reach(on_spark(spark), small, by, totals), expected_reach(small, by, totals))


@pytest.mark.spark
@pytest.mark.parametrize("by", OF_ATTENDANCE, ids=str)
def test_attendance_on_spark_is_what_plain_python_counts(spark, small, by):
    totals = len(by) == 2
    assert_frame_equal(found_attendance(on_spark(spark), small, by, totals), expected_attendance(small, by, totals))


@pytest.mark.spark
@pytest.mark.parametrize("seed", range(100, 104))
def test_random_registers_are_the_same_on_spark(spark, tmp_path, seed):
    register, opened = written(random_register(seed), tmp_path / "register"), on_spark(spark)
    reach_by, attendance_by = ("agency", "time_period"), ("course", "district")
    assert_frame_equal(found_reach(opened, register, reach_by, True), expected_reach(register, reach_by, True))
    expected = expected_attendance(register, attendance_by, True)
    assert_frame_equal(found_attendance(opened, register, attendance_by, True), expected)


@pytest.mark.spark
def test_spark_reads_several_files_and_shuffles_into_several_partitions(spark, small):
    frame = on_spark(spark)(small, "bookings")
    assert frame.rdd.getNumPartitions() >= 2
    assert frame.groupBy("agency", "person").count().rdd.getNumPartitions() == 4  # as asked for in conftest


@pytest.mark.spark
def test_bookings_on_spark_go_with_other_tables_in_memory(spark, small):
    found = training_reach(
        on_spark(spark)(small, "bookings"), in_memory(small, "sessions"), in_memory(small, "workforce of 2011")
    )
    assert_frame_equal(found, expected_reach(small, ("agency",), False))


def changed(register, place, **values):
    """The register with one booking, or one session, changed."""
    bookings = [row | values if number == place else row for number, row in enumerate(register.bookings)]
    return Register(bookings, register.sessions, register.workforce)


BROKEN = {
    "no person": (
        changed(REGISTER, 3, person=None),
        "bookings: 1 of 20 rows have no person. Give every row a pseudonym, or leave those rows out and say so.",
    ),
    "no person, nor a booking that counts": (
        changed(REGISTER, 14, person=None),
        "bookings: 1 of 20 rows have no person. Give every row a pseudonym, or leave those rows out and say so.",
    ),
    "a word that is no status": (
        changed(REGISTER, 19, status="Attnded"),
        'bookings: 1 of 20 rows have a status that is not allowed. Found: "Attnded". '
        f'Allowed: {", ".join(STATUSES)}. Did you mean "attended"?',
    ),
    "no status": (
        changed(REGISTER, 7, status=None),
        f"bookings: 1 of 20 rows have a status that is not allowed. Found: empty. Allowed: {', '.join(STATUSES)}.",
    ),
    "a session twice": (
        Register(REGISTER.bookings, [*REGISTER.sessions, REGISTER.sessions[0]], REGISTER.workforce),
        "sessions: 1 of 5 stand in more than one row: s1. "
        "Keep one row per session, or its bookings would count more than once.",
    ),
}


def refusals(opened, folder):
    """What an engine says of each broken register."""
    said = {}
    for name, (register, _) in BROKEN.items():
        with pytest.raises(TableError) as refused:
            found_reach(opened, written(register, folder / name), ("agency",), False)
        said[name] = str(refused.value)
    return said


@pytest.mark.parametrize("engine", FAST)
def test_broken_registers_are_refused_in_the_same_words(tmp_path, engine):
    assert refusals(FAST[engine], tmp_path) == {name: message for name, (_, message) in BROKEN.items()}


@pytest.mark.spark
@pytest.mark.parametrize("question", [name for name in QUESTIONS if "within" in name or name == "ever, by year"])
def test_ten_thousand_plans_on_spark_are_what_plain_python_counts(spark, files, question):
    by, within_months, options = QUESTIONS[question]
    plans = spark.read.parquet(*map(str, files(question)))
    assert_frame_equal(repeat_plan_rate(plans, by, within_months, **options), expected(question), abs_tol=1e-12)


@pytest.mark.spark
def test_broken_registers_are_refused_on_spark_in_the_same_words(spark, tmp_path):
    assert refusals(on_spark(spark), tmp_path) == {name: message for name, (_, message) in BROKEN.items()}


@pytest.mark.parametrize("engine", FAST)
def test_attendance_refuses_a_booking_of_which_nobody_knows_whether_it_was_one(tmp_path, engine):
    register = written(changed(REGISTER, 5, booked=None), tmp_path / "register")
    with pytest.raises(TableError, match="1 of 18 rows have an empty booked"):  # trainers and test users are left out
        found_attendance(FAST[engine], register, ("course",), False)
