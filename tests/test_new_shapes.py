"""Coverage, need, progress, mix and cost under disclosure control: what is hidden stays so, what is rounded adds up.

The reader who attacks is no part of the library: `whole_number_reader`, which is told what everybody knows of the
counts of these shapes.
"""

from __future__ import annotations

import itertools
from datetime import date, timedelta
from math import ceil, isclose

import fastexcel
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.answers import show_table
from safeguarding_analytics.auditing import audit
from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.exports import write_csv, write_parquet, write_workbook
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.programme import cumulative_reach, inter_agency_mix, running_totals
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import SHAPES, shape_of
from safeguarding_analytics.sources.published_tables import read_published_table
from safeguarding_analytics.tables import TOTAL
from safeguarding_analytics.training import attendance
from whole_number_reader import RULES, Rules, broken_promises

DFE, NHS, ROUND5, ROUND10 = Policy.dfe(), Policy.nhs(), Policy.round5(), Policy.round10()
EVERY_POLICY = pytest.mark.parametrize("policy", [DFE, NHS, ROUND5, ROUND10], ids=["dfe", "nhs", "round5", "round10"])
HIDING = pytest.mark.parametrize("policy", [DFE, NHS], ids=["dfe", "nhs"])

SYMBOL = Policy(threshold=3)
SMALL_POLICIES = st.sampled_from([SYMBOL, Policy(threshold=3, protect="point"), Policy(threshold=3, zeros="hidden")])


# The tables, worked out here from counts alone


def divided(count, by):
    return None if count is None or not by else count / by


def coverage_of(rows):
    """(agency, places, people, eligible staff) with shares and reach; "Total" is no part of the sum of places."""
    everyone = sum(places for agency, places, *_ in rows if agency != TOTAL)
    full = []
    for agency, places, people, staff in rows:
        known = bool(staff) and people <= staff
        reach = (people / staff, *wilson(people, staff)) if known else (None, None, None)
        full.append((agency, places, people, staff, divided(places, everyone), *reach))
    kinds = {"agency": pl.String} | dict.fromkeys(("places", "people", "eligible_staff"), pl.Int64)
    kinds |= dict.fromkeys(("share_of_places", "reach", "lower", "upper"), pl.Float64)
    return pl.DataFrame(full, schema=kinds, orient="row")


def what_it_takes(need, per_session, cost):
    number = None if need is None else ceil(need / per_session)
    return number, None if number is None else number * cost


def need_of(rows, per_session=25.5, cost=100.25):
    """(agency, eligible staff, up to date): nobody knows a need where more are up to date than are eligible."""
    needs = {}
    for agency, staff, current in rows:
        known = staff is not None and current <= staff
        parts = list(needs.values()) if agency == TOTAL else [staff - current if known else None]
        needs[agency] = None if None in parts else sum(parts)
    full = []
    for agency, staff, current in rows:
        number, price = what_it_takes(needs[agency], per_session, cost)
        full.append((agency, staff, current, needs[agency], per_session, number, cost, price))
    kinds = {"agency": pl.String} | dict.fromkeys(("eligible_staff", "current", "need"), pl.Int64)
    kinds |= {
        "per_session": pl.Float64,
        "sessions_needed": pl.Int64,
        "cost_per_session": pl.Float64,
        "cost": pl.Float64,
    }
    return pl.DataFrame(full, schema=kinds, orient="row")


def progress_of(rows, per_session=25.5, cost=100.25):
    """(district, target, reached); "Total" does not say what it needs, or it would tell who has passed a target."""
    full = []
    for district, target, reached in rows:
        missing = None if target is None or district == TOTAL else max(0, target - reached)
        number, price = what_it_takes(missing, per_session, cost)
        full.append((district, target, reached, missing, per_session, number, cost, price))
    kinds = {"district": pl.String} | dict.fromkeys(("target", "reached", "still_needed"), pl.Int64)
    kinds |= {
        "per_session": pl.Float64,
        "sessions_needed": pl.Int64,
        "cost_per_session": pl.Float64,
        "cost": pl.Float64,
    }
    return pl.DataFrame(full, schema=kinds, orient="row")


def mix_of(rows):
    kinds = {"session": pl.String, "attended": pl.Int64, "agencies_present": pl.Int64}
    kinds |= {"share_of_agencies": pl.Float64, "effective_agencies": pl.Int64}
    full = [(session, came, agencies, divided(agencies, 10), effective) for session, came, agencies, effective in rows]
    return pl.DataFrame(full, schema=kinds, orient="row")


def cost_of(rows):
    """(course, places, people, sessions, costed, £)."""
    full = [(*row, divided(row[5], row[1]), divided(row[5], row[2])) for row in rows]
    kinds = {"course": pl.String} | dict.fromkeys(("places", "people", "sessions", "sessions_costed"), pl.Int64)
    kinds |= dict.fromkeys(("total_cost", "cost_per_place", "cost_per_person"), pl.Float64)
    return pl.DataFrame(full, schema=kinds, orient="row")


COVERAGE = coverage_of(
    [
        ("Health", 130, 102, 1_204),
        ("Police", 43, 40, 312),
        ("Housing", 3, 3, 61),
        ("School", 51, 38, 25),  # more came than the return says are eligible
        ("Probation", 29, 22, 87),
        ("Fire", 0, 0, 14),
        (TOTAL, 256, 205, 1_703),
    ]
)
NEED = need_of(
    [
        ("Health", 204, 102),
        ("Police", 112, 40),
        ("Housing", 61, 4),
        ("School", 90, 87),
        ("Fire", 40, 31),
        (TOTAL, 507, 264),
    ]
)
PROGRESS = progress_of(
    [("Dover", 100, 62), ("Swale", 100, 4), ("Thanet", 100, 117), ("Ashford", 83, 51), (TOTAL, 383, 234)]
)
MIX = mix_of([("s1", 48, 9, 7), ("s2", 3, 2, 2), ("s3", 8, 3, 2), ("s4", 12, 1, 1), ("s5", 0, None, None)])
COST = cost_of(
    [
        ("Core", 84, 71, 3, 3, 301.25),
        ("Neglect", 4, 4, 1, 1, 120.0),
        ("Referral", 38, 33, 2, 1, 99.99),
        ("Online", 26, 26, 1, 1, 0.0),
        (TOTAL, 152, 134, 7, 6, 521.24),
    ]
)
TABLES = {"coverage": COVERAGE, "need": NEED, "progress": PROGRESS, "mix": MIX, "cost": COST}
EVERY_TABLE = pytest.mark.parametrize("name", TABLES)
SMALL_ROW = {"coverage": "Housing", "need": "Housing", "progress": "Swale", "mix": "s2", "cost": "Neglect"}
"""The row of each table with a count below 6."""

WORKED_OUT = {
    "coverage": ("share_of_places", "reach", "lower", "upper"),
    "need": ("sessions_needed", "cost"),
    "progress": ("still_needed", "sessions_needed", "cost"),
    "mix": ("agencies_present", "share_of_agencies", "effective_agencies"),
    "cost": ("cost_per_place", "cost_per_person"),
}
COUNTS = {
    "coverage": ("places", "people", "eligible_staff"),
    "need": ("eligible_staff", "current", "need"),
    "progress": ("reached",),
    "mix": ("attended",),
    "cost": ("places", "people"),
}


def by_group(frame):
    return {row[frame.columns[0]]: row for row in frame.iter_rows(named=True)}


# What stands in a table


@EVERY_TABLE
def test_shapes_are_recognised_by_their_columns(name):
    assert shape_of(TABLES[name].columns) is SHAPES[name]
    assert {*COUNTS[name], *WORKED_OUT[name]} <= set(SHAPES[name].columns)
    assert SHAPES[name].all_counts == COUNTS[name]


@HIDING
@EVERY_TABLE
def test_hidden_row_shows_no_number_but_what_everybody_may_know(name, policy):
    table = suppress(TABLES[name], policy)
    row = by_group(table.frame())[SMALL_ROW[name]]
    assert row["mark"] == policy.mark
    assert {row[column] for column in (*COUNTS[name], *WORKED_OUT[name])} == {None}
    context = {
        "need": ("per_session", "cost_per_session"),
        "progress": ("target", "per_session", "cost_per_session"),
        "cost": ("sessions", "sessions_costed", "total_cost"),
    }
    for column in context.get(name, ()):
        assert row[column] == by_group(TABLES[name])[SMALL_ROW[name]][column]
    for one in table.frame().iter_rows(named=True):
        if one["mark"] == "":
            assert None not in [one[column] for column in COUNTS[name]]


@EVERY_TABLE
@EVERY_POLICY
def test_audit_of_what_was_suppressed_finds_nothing(name, policy):
    safe = suppress(TABLES[name], policy)
    assert audit(safe).height == 0
    assert audit(safe, effort="full").height == 0


@HIDING
def test_total_less_the_other_rows_does_not_tell_the_hidden_one(policy):
    for name in ("coverage", "need", "progress", "cost"):
        table = suppress(TABLES[name], policy)
        assert table.hidden >= (2 if policy.round is None else 1), name


def test_mix_of_a_small_room_is_hidden_though_its_people_are_not():
    # 8 people are no small number, but too few for a mean; the mix of fewer than 10 could name an agency's few.
    rows = by_group(suppress(MIX, DFE).frame())
    assert (rows["s3"]["attended"], rows["s3"]["mark"]) == (8, "[c]")
    assert [rows["s3"][column] for column in WORKED_OUT["mix"]] == [None] * 3
    assert (rows["s1"]["agencies_present"], rows["s1"]["effective_agencies"], rows["s1"]["mark"]) == (9, 7, "")
    assert (rows["s5"]["attended"], rows["s5"]["mark"]) == (0, "")


def test_more_people_than_eligible_staff_are_shown_without_a_reach():
    table = coverage_of([("Health", 130, 102, 1_204), ("School", 51, 38, 25)])
    row = by_group(suppress(table, DFE).frame())["School"]
    assert (row["places"], row["people"], row["eligible_staff"], row["reach"]) == (51, 38, 25, None)
    assert (row["mark"], row["share_of_places"]) == ("", pytest.approx(51 / 181))
    assert audit(suppress(table, DFE)).height == 0


@EVERY_POLICY
def test_eligible_staff_may_be_unknown(policy):
    table = coverage_of([("Health", 130, 102, 1_204), ("Voluntary", 40, 31, None), (TOTAL, 170, 133, None)])
    row = by_group(suppress(table, policy).frame())["Voluntary"]
    assert (row["eligible_staff"], row["reach"], row["mark"]) == (None, None, "")
    assert row["people"] is not None


@EVERY_POLICY
def test_target_may_be_unknown(policy):
    table = progress_of([("Dover", 100, 60), ("Swale", None, 40)])
    row = by_group(suppress(table, policy).frame())["Swale"]
    assert (row["target"], row["reached"], row["still_needed"], row["mark"]) == (None, 40, None, "")


@EVERY_POLICY
def test_more_up_to_date_than_eligible_are_shown_without_a_need(policy):
    table = need_of([("Health", 100, 60), ("School", 20, 30), (TOTAL, 120, 90)])
    found = suppress(table, policy)
    row = by_group(found.frame())["School"]
    assert (row["eligible_staff"], row["current"], row["need"], row["cost"], row["mark"]) == (20, 30, None, None, "")
    assert audit(found).height == 0


def test_few_who_still_need_training_are_hidden_as_few_who_had_it_are():
    # School: 90 eligible less 87 are 3, who could be named as well as the 4 of Housing.
    rows = by_group(suppress(NEED, DFE).frame())
    assert {rows["School"][column] for column in COUNTS["need"]} == {None}


# What is refused


@pytest.mark.parametrize("policy", [DFE, ROUND5])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (COST.with_columns(people=pl.col("places") + 1), "people is more than places: 5 of 5 rows are wrong"),
        (COVERAGE.with_columns(people=pl.col("places") + 1), "people is more than places: 7 of 7 rows are wrong"),
        (COST.with_columns(places=-pl.col("places")), "places: 5 of 5 rows are negative"),
        (PROGRESS.with_columns(reached=pl.col("reached") + 0.5), "reached: 5 of 5 rows are fractional"),
        (PROGRESS.with_columns(reached=pl.lit(None, pl.Int64)), "reached: 5 of 5 rows are missing"),
        (NEED.with_columns(need=pl.col("need") + 1), "6 of 6 rows are wrong"),
        (MIX.with_columns(attended=pl.lit(None, pl.Int64)), "attended: 5 of 5 rows are missing"),
        (COST.with_columns(people=pl.lit(None, pl.Int64)), "people: 5 of 5 rows are missing"),
        (COST.with_columns(women=3), "women is no column of a cost table"),
        (COVERAGE.with_columns(managers=3), "managers is no column of a coverage table"),
        (MIX.with_columns(person=pl.lit("p1")), "person identifies people"),
        (pl.concat([NEED, NEED.head(1)]), "1 of 7 rows repeats a group that stands above"),
        (COVERAGE.with_columns(places=pl.when(agency=TOTAL).then(400).otherwise("places")), "does not add up"),
        (COST.with_columns(course=pl.col("course").replace(TOTAL, "All courses")), "reads as a total"),
    ],
)
def test_what_cannot_be_is_refused(table, message, policy):
    with pytest.raises(DisclosureError, match=message):
        suppress(table, policy)


def small(frame, change):
    """Rows that show all they may; then one thing that they may not."""
    return frame.with_columns(mark=pl.lit("")).with_columns(**change)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (small(COVERAGE.head(2), {"people": None}), "reach: 2 of 2 rows are shown without people and eligible_staff"),
        (small(COVERAGE.head(2), {"eligible_staff": None}), "upper: 2 of 2 rows are shown without people and"),
        (small(COVERAGE.head(2), {"places": None}), "share_of_places: 2 of 2 rows are shown without places"),
        (small(PROGRESS.head(1), {"reached": None}), "still_needed: 1 of 1 rows is shown without reached"),
        (
            small(PROGRESS.head(1), {"reached": None, "still_needed": None}),
            "sessions_needed: 1 of 1 rows is shown without",
        ),
        (small(NEED.head(1), {"need": None}), "sessions_needed: 1 of 1 rows is shown without need"),
        (small(NEED.head(1), {"need": None, "sessions_needed": None}), "cost: 1 of 1 rows is shown without need"),
        (small(PROGRESS[1:2], {}), "reached: 1 of 1 rows is shown that the policy hides"),
        (small(NEED[3:4], {}), "need: 1 of 1 rows is shown that the policy hides"),
        (small(COST.head(1), {"places": None}), "cost_per_place: 1 of 1 rows is shown without places"),
        (small(COST.head(1), {"people": None}), "cost_per_person: 1 of 1 rows is shown without people"),
        (
            small(MIX.head(1), {"attended": pl.lit(None, pl.Int64)}),
            "attended: 1 of 1 rows is too small for the mean that is shown",
        ),
        (small(MIX[2:3], {}), "attended: 1 of 1 rows is too small for the mean that is shown"),
        (small(MIX[1:2], {}), "attended: 1 of 1 rows is shown that the policy hides"),
        (small(COVERAGE.head(1), {"mark": pl.lit("[c]")}), "1 of 1 marked rows still have numbers in them"),
        (
            small(PROGRESS.head(1), {"reached": None, "mark": pl.lit("[c]")}),
            "1 of 1 marked rows still have numbers in them",
        ),
    ],
)
def test_safe_table_made_by_hand_with_a_number_beside_a_hidden_count_is_refused(table, message):
    with pytest.raises(DisclosureError, match=message):
        Safe(table, DFE)


# Rounding


def is_same(one, other):
    return one == other or (None not in (one, other) and isclose(one, other))


def is_multiple(value, base):
    return value is None or value % base == 0


@pytest.mark.parametrize(("policy", "base"), [(NHS, 5), (ROUND5, 5), (ROUND10, 10)], ids=["nhs", "round5", "round10"])
@EVERY_TABLE
def test_every_derived_number_is_worked_out_of_the_rounded_counts(name, policy, base):
    found = suppress(TABLES[name], policy).frame()
    group = found.columns[0]
    for row in found.iter_rows(named=True):
        assert all(is_multiple(row[column], base) for column in COUNTS[name])
    shown = found.filter(pl.col("mark") == "") if name != "mix" else found
    rows = [tuple(row[column] for column in (group, *COUNTS[name])) for row in shown.iter_rows(named=True)]
    if name == "coverage":
        whole = None not in found["places"].to_list()
        expected = coverage_of(rows).with_columns(share_of_places=pl.col("share_of_places") if whole else None)
    elif name == "need":  # the need is a count and rounded itself
        needs = [(need, *what_it_takes(need, 25.5, 100.25)) for need in shown["need"]]
        expected = pl.DataFrame(needs, schema=["need", *WORKED_OUT[name]], orient="row")
    elif name == "progress":
        pairs = zip(shown["district"], shown["target"], shown["reached"], strict=True)
        expected = progress_of(list(pairs))
        if shown.height < found.height:  # the rows of the total are not all there to add up
            shown, expected = (one.filter(pl.col(group) != TOTAL) for one in (shown, expected))
    elif name == "cost":
        context = shown.select("sessions", "sessions_costed", "total_cost").rows()
        expected = cost_of([(*row, *more) for row, more in zip(rows, context, strict=True)])
    else:  # numbers of agencies are as they were, where the room is large enough to show them
        small_rooms = pl.col("session").is_in(["s2", "s3", "s5"])
        expected = MIX.with_columns(pl.when(~small_rooms).then(column) for column in WORKED_OUT[name])
    for column in WORKED_OUT[name]:
        pairs = zip(shown[column].to_list(), expected[column].to_list(), strict=True)
        assert all(is_same(one, other) for one, other in pairs), column


@pytest.mark.parametrize("policy", [ROUND5, ROUND10])
@pytest.mark.parametrize("name", ["coverage", "need", "progress", "cost"])
def test_rounded_counts_add_up(name, policy):
    found = suppress(TABLES[name], policy).frame()
    total = pl.col(found.columns[0]) == TOTAL
    for column in COUNTS[name]:
        assert found.filter(total)[column].item() == found.filter(~total)[column].sum()
    if "people" in COUNTS[name]:
        assert (found["people"] <= found["places"]).all()


@pytest.mark.parametrize("policy", [NHS, ROUND5, ROUND10])
def test_rounding_makes_nothing_up_for_a_total_that_does_not_say_what_it_needs(policy):
    # Nothing is rounded here: 100 − 60 = 40 are missing in Dover, and Swale has 40 too many that are no help to Dover.
    table = progress_of([("Dover", 100, 60), ("Swale", 50, 90), (TOTAL, 150, 150)], per_session=20.0)
    assert table["still_needed"].to_list() == [40, 0, None]
    found = suppress(table, policy).frame()
    assert found["still_needed"].to_list() == [40, 0, None]
    assert found["sessions_needed"].to_list() == [2, 0, None]


@pytest.mark.parametrize("measure", ["coverage", "attendance"])
def test_shares_of_rounded_places_do_not_tell_the_place_that_is_hidden(measure):
    # 100, 50 and 3 places: to the nearest 5 they are 100, 50 and 5. A share of 100 ÷ 155 would say that the hidden one
    # was rounded to 5, so that it is 3 to 7, and not 1 or 2.
    table = coverage_of([("Health", 100, 90, 200), ("Police", 50, 40, 100), ("Housing", 3, 3, 20)])
    if measure == "attendance":
        places = pl.col("places")
        nobody = {column: pl.lit(0) for column in ("walk_ins", "did_not_attend", "cancelled")}
        table = table.select("agency", registered=places, attended=places, **nobody, share_of_places="share_of_places")
    found = suppress(table, NHS).frame()
    assert found["mark"].to_list() == ["", "", "*"]
    for count, share in found.select(found.columns[1], "share_of_places").drop_nulls().rows():
        assert not isclose(count / share, 155)


# Together with the reach of the same people


@EVERY_POLICY
def test_coverage_and_reach_of_the_same_people_meet_the_same_fate(policy):
    names = {"people": "numerator", "eligible_staff": "denominator", "reach": "proportion"}
    reach = COVERAGE.select("agency", *names, "lower", "upper").rename(names)
    one, other = suppress([COVERAGE, reach], policy)
    pairs = {"people": "numerator", "eligible_staff": "denominator", "reach": "proportion", "mark": "mark"}
    for column, same in pairs.items():
        assert one.frame()[column].to_list() == other.frame()[same].to_list()
    assert audit([one, other]).height == 0
    assert audit({"coverage": one, "reach": other}, effort="full").height == 0


def test_reach_that_was_suppressed_alone_gives_the_coverage_away_and_the_audit_says_so():
    reach = COVERAGE.select("agency", numerator="people", denominator="eligible_staff", proportion="reach")
    shown = reach.with_columns(mark=pl.lit(""))
    found = audit({"coverage": suppress(COVERAGE, DFE), "reach": shown})
    assert found.filter(pl.col("cell") == "agency=Housing", column="people").select("low", "high").row(0) == (3, 3)


@HIDING
def test_coverage_by_two_groupings_of_the_same_people_is_protected_together(policy):
    by_sector = coverage_of(
        [("Health and CFE", 181, 140, 1_229), ("All other sectors", 75, 65, 474), (TOTAL, 256, 205, 1_703)]
    ).rename({"agency": "sector_group"})
    sectors = pl.DataFrame(
        {
            "agency": ["Health", "School", "Police", "Housing", "Probation", "Fire"],
            "sector_group": [*["Health and CFE"] * 2, *["All other sectors"] * 4],
        }
    )
    # "All other sectors" reads as a total of them; as a group of its own it is refused, and so it must be named apart.
    with pytest.raises(DisclosureError, match="reads as a total"):
        suppress([COVERAGE, by_sector], policy)
    other = pl.col("sector_group").replace("All other sectors", "Other sectors")
    tables = suppress([COVERAGE, by_sector.with_columns(other)], policy, within=sectors.with_columns(other))
    assert audit(tables, within=sectors.with_columns(other)).height == 0


# The reader who tries all whole numbers


@pytest.fixture(scope="module", autouse=True)
def reader_knows_the_new_shapes():
    """Tell the reader what everybody knows of the counts of a row. It knows all places as "attended"."""
    rules = {
        "agencies_present": Rules((("attended",),)),
        "still_needed": Rules((("reached",),)),
        "current": Rules(
            (("eligible_staff", "current", "need"),), (), ({"eligible_staff": 1, "current": -1, "need": -1},)
        ),
        # Nobody takes a place without being somebody: where there are places there are people.
        "total_cost": Rules(
            (("attended", "people"),), ({"attended": 1, "people": -1}, {"people": 1_000, "attended": -1})
        ),
        "people": Rules(
            (("attended", "people", "eligible_staff"),),
            ({"attended": 1, "people": -1}, {"eligible_staff": 1, "people": -1}),
        ),
    }
    before = dict(RULES)
    RULES.update(rules)
    yield
    RULES.clear()
    RULES.update(before)


def as_read(frame):
    """A table as the reader knows it: a count that is unknown in every row tells nothing."""
    unknown = [name for name in ("eligible_staff", "need") if name in frame.columns and frame[name].is_null().all()]
    counts = {name for columns in COUNTS.values() for name in columns} | {
        "share_of_places",
        "total_cost",
        "still_needed",
    }
    kept = [name for name in frame.columns if frame.schema[name] == pl.String or name in {*counts, "agencies_present"}]
    return frame.select(name for name in kept if name not in unknown).rename({"places": "attended"}, strict=False)


def leaks(table, policy):
    published = suppress(table, policy).frame()
    return broken_promises([as_read(table)], [as_read(published)], policy)


def with_total(rows, with_it):
    """Rows of a name and counts, and their sum."""
    sums = [None if None in column else sum(column) for column in zip(*(row[1:] for row in rows), strict=True)]
    return [*rows, (TOTAL, *sums)] if with_it else rows


NUMBER = st.sampled_from([0, 0, 1, 1, 2, 2, 3, 4, 5, 6])
NAMES = ("A", "B", "C", "D")


def rows_of(counts, size=(1, 4)):
    return st.lists(counts, min_size=size[0], max_size=size[1]).map(
        lambda drawn: [(name, *one) for name, one in zip(NAMES, drawn, strict=False)]
    )


PLACES_AND_PEOPLE = st.tuples(NUMBER, NUMBER).map(lambda pair: (max(pair), min(pair)))
"""People of nought beside places: of learners from out of the area alone."""
COSTED = PLACES_AND_PEOPLE.map(lambda pair: (pair[0], max(pair[1], min(pair[0], 1))))
COVERED = st.tuples(PLACES_AND_PEOPLE, NUMBER).map(lambda one: (*one[0], one[0][1] + one[1]))


def laws(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True)


@laws(40)
@given(rows_of(COVERED), st.booleans(), SMALL_POLICIES)
def test_coverage_keeps_the_promise(rows, with_it, policy):
    assert leaks(coverage_of(with_total(rows, with_it)).drop("share_of_places"), policy) == []


@laws(40)
@given(rows_of(COVERED, (1, 3)), st.booleans(), SMALL_POLICIES)
def test_coverage_with_shares_of_places_keeps_the_promise(rows, with_it, policy):
    assert leaks(coverage_of(with_total(rows, with_it)), policy) == []


@laws(40)
@given(rows_of(PLACES_AND_PEOPLE), st.booleans(), SMALL_POLICIES)
def test_coverage_of_unknown_staff_keeps_the_promise(rows, with_it, policy):
    table = coverage_of(with_total([(*row, None) for row in rows], with_it)).drop("share_of_places")
    assert leaks(table, policy) == []


@laws(40)
@given(rows_of(COSTED), st.booleans(), SMALL_POLICIES)
def test_cost_keeps_the_promise(rows, with_it, policy):
    full = [(*row, 1, 1, 10.0) for row in with_total(rows, with_it)]
    assert leaks(cost_of(full), policy) == []


@laws(40)
@given(rows_of(NUMBER.map(lambda count: (count,))), st.booleans(), SMALL_POLICIES)
def test_mix_keeps_the_promise(rows, with_it, policy):
    full = [(name, came, 1 if came else None, 1 if came else None) for name, came in with_total(rows, with_it)]
    assert leaks(mix_of(full), policy) == []


@laws(40)
@given(rows_of(st.tuples(NUMBER, NUMBER).map(lambda pair: (sum(pair), pair[0]))), st.booleans(), SMALL_POLICIES)
def test_need_keeps_the_promise(rows, with_it, policy):
    assert leaks(need_of(with_total(rows, with_it)), policy) == []


@laws(40)
@given(rows_of(NUMBER.map(lambda count: (None, count))), st.booleans(), SMALL_POLICIES)
def test_need_of_unknown_staff_keeps_the_promise(rows, with_it, policy):
    assert leaks(need_of(with_total(rows, with_it)), policy) == []


@laws(30)
@given(rows_of(NUMBER.map(lambda count: (None, count))), st.booleans(), SMALL_POLICIES)
def test_reached_without_a_target_keep_the_promise(rows, with_it, policy):
    assert leaks(progress_of(with_total(rows, with_it)), policy) == []


@pytest.mark.parametrize(
    "table",
    [
        mix_of([("A", 2, 1, 1), ("B", 3, 1, 1), ("C", 40, 4, 3), (TOTAL, 45, 5, 3)]),
        cost_of(
            [("A", 2, 2, 1, 1, 9.0), ("B", 3, 3, 1, 1, 9.0), ("C", 40, 40, 1, 1, 9.0), (TOTAL, 45, 45, 3, 3, 27.0)]
        ),
        cost_of(
            [("A", 20, 2, 1, 1, 9.0), ("B", 3, 3, 1, 1, 9.0), ("C", 40, 30, 1, 1, 9.0), (TOTAL, 63, 35, 3, 3, 27.0)]
        ),
        coverage_of([("A", 2, 2, None), ("B", 3, 3, None), ("C", 40, 40, None), (TOTAL, 45, 45, None)]),
        need_of([("A", None, 2), ("B", None, 3), ("C", None, 40), (TOTAL, None, 45)]),
        progress_of([("A", None, 2), ("B", None, 3), ("C", None, 40), (TOTAL, None, 45)]),
    ],
    ids=["mix", "cost", "people of places", "coverage of unknown staff", "need of unknown staff", "progress"],
)
def test_two_hidden_rows_of_somebody_each_are_not_told_by_their_sum(table):
    # 45 − 40 = 5 of A and B together, and each has one at least, as a zero would be shown: A is 1 to 4, and never 5.
    assert leaks(table, DFE) == []


@laws(40)
@given(rows_of(st.tuples(NUMBER, NUMBER)), st.booleans(), SMALL_POLICIES)
def test_progress_keeps_the_promise_though_targets_are_known(rows, with_it, policy):
    assert leaks(progress_of(with_total(rows, with_it)), policy) == []


# Running totals


def running(increments, first=date(2011, 5, 10)):
    totals = list(itertools.accumulate(increments))
    days = [first + timedelta(number) for number in range(len(totals))]
    return pl.DataFrame({"to_date": days, "count": totals}, schema={"to_date": pl.Date, "count": pl.Int64})


def told_differences(published, threshold):
    """Small numbers of people between two days whose running totals are both shown; from nobody to a total too."""
    shown = [0, *(count for count in published["count"].to_list() if count is not None)]
    pairs = itertools.combinations(shown, 2)
    return [later - earlier for earlier, later in pairs if 0 < later - earlier < threshold]


def test_running_totals_without_their_lookup_tell_small_differences():
    # Each total is large; 19 − 17 = 2 came on the second day.
    table = running([17, 2, 30])
    assert told_differences(suppress(table, DFE).frame(), 6) == [2]
    assert told_differences(suppress(table, DFE, within=running_totals(table)).frame(), 6) == []


@pytest.mark.parametrize(
    "increments",
    [[7, 2, 2], [30, 2, 0, 3], [5, 2, 3, 2, 30], [12, 7, 3, 1], [30, 3, 7, 0, 3, 0], [2, 30, 2, 1, 30, 5]],
    ids=str,
)
def test_two_small_days_in_a_row_do_not_tell_their_sum(increments):
    table = running(increments)
    assert told_differences(suppress(table, DFE, within=running_totals(table)).frame(), 6) == []


INCREMENTS = st.lists(st.sampled_from([0, 0, 1, 2, 3, 5, 6, 7, 12, 30]), min_size=1, max_size=7)


@laws(60)
@given(INCREMENTS, st.sampled_from([DFE, Policy(protect="point"), Policy(threshold=4)]))
def test_no_difference_of_two_running_totals_is_small(increments, policy):
    table = running(increments)
    lookup = running_totals(table)
    safe = suppress(table, policy, within=lookup)
    assert told_differences(safe.frame(), policy.threshold) == []
    assert audit(safe, within=lookup).height == 0


@laws(25)
@given(st.lists(INCREMENTS, min_size=2, max_size=3))
def test_running_totals_of_districts_tell_no_small_difference(districts):
    length = min(map(len, districts))
    tables = [
        running(one[:length]).select(pl.lit(name).alias("district"), "to_date", "count")
        for name, one in zip(NAMES, districts, strict=False)
    ]
    table = pl.concat(tables)
    lookup = running_totals(table)
    safe = suppress(table, DFE, within=lookup)
    for _, one in safe.frame().group_by("district"):
        assert told_differences(one, 6) == []
    assert audit(safe, within=lookup).height == 0


@laws(25)
@given(st.lists(st.sampled_from([0, 6, 7, 12, 30]), min_size=1, max_size=7))
def test_running_totals_that_rise_by_enough_are_all_shown(increments):
    table = running(increments)
    assert suppress(table, DFE, within=running_totals(table)).hidden == 0


def test_reach_to_date_as_it_is_measured_can_be_protected():
    days = [date(2011, 5, 10), date(2011, 5, 11), date(2011, 5, 13)]
    sizes = [20, 2, 15]
    bookings = pl.DataFrame(
        [(f"s{n}", f"p{n} {one}", "Health", "attended") for n, size in enumerate(sizes) for one in range(size)],
        schema=["session", "person", "agency", "status"],
        orient="row",
    )
    sessions = pl.DataFrame({"session": ["s0", "s1", "s2"], "date": days})
    table = cumulative_reach(bookings, sessions)
    assert table["count"].to_list() == [20, 22, 37]
    safe = suppress(table, DFE, within=running_totals(table))
    # 22 − 20 = 2 must not be told: either of the two goes, and with the other 37 − 20 = 17 or 37 − 22 = 15 are left.
    assert safe.frame()["count"].to_list() in ([20, None, 37], [None, 22, 37])


# As files and on pages


def as_float(value):
    return value if value is None or isinstance(value, str) else float(value)


@EVERY_TABLE
@EVERY_POLICY
@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_tables_can_be_written_and_read_again(name, policy, ending, tmp_path):
    safe = suppress(TABLES[name], policy)
    file = tmp_path / f"{name}.{ending}"
    {"csv": write_csv, "parquet": write_parquet, "xlsx": write_workbook}[ending](safe, file)
    again, frame = read_published_table(file), safe.frame()
    assert shape_of(again.columns) is SHAPES[name]
    for column in frame.drop("mark").columns:
        pairs = zip(again[column].to_list(), frame[column].to_list(), strict=True)
        for one, other in pairs:
            assert as_float(one) == (other if isinstance(other, str | None) else pytest.approx(other)), column
    hidden = (frame["mark"] != "").to_list()
    assert [mark == "[c]" for mark in again["mark"]] == hidden
    assert audit({"again": again}, rounded={"again": policy.round} if policy.round else None).height == 0


@HIDING
@EVERY_TABLE
def test_files_hold_the_mark_and_not_the_hidden_number(name, policy, tmp_path):
    safe = suppress(TABLES[name], policy)
    write_csv(safe, tmp_path / "one.csv")
    write_workbook(safe, tmp_path / "one.xlsx", title="Training")
    text = (tmp_path / "one.csv").read_text(encoding="utf-8-sig")
    line = next(line for line in text.splitlines() if line.startswith(SMALL_ROW[name]))
    shown = len(SHAPES[name].context)
    assert line.endswith(f",{policy.mark}")
    assert line.count(policy.mark) == 1
    sheet = fastexcel.read_excel(tmp_path / "one.xlsx").load_sheet(0, header_row=None, dtypes="string")
    cells = [list(row) for row in sheet.to_polars().rows()]
    row = next(row for row in cells if row[0] == SMALL_ROW[name])
    assert row.count(policy.mark) == len(SHAPES[name].columns) - shown


@EVERY_TABLE
@EVERY_POLICY
def test_tables_are_shown_with_their_marks_explained(name, policy):
    safe = suppress(TABLES[name], policy)
    shown = show_table(safe, caption="Training")
    lines = shown.text.splitlines()
    for group in TABLES[name][TABLES[name].columns[0]]:
        assert any(line.startswith(f"{group} | ") for line in lines)
    if not policy.controlled:
        row = next(line for line in lines if line.startswith(f"{SMALL_ROW[name]} | "))
        assert policy.mark in row.split(" | ")
        assert f"{policy.mark} = hidden because the number is small" in shown.text
    if policy.round:
        assert f"Counts are rounded to multiples of {policy.round}" in shown.text
    assert "null" not in shown.html
    assert "None" not in shown.html


def test_reach_and_its_interval_are_shown_in_per_cent():
    # Health: 102 of 1,204 is 8.5%, interval 7.0% to 10.2%; 130 of 173 places are 75.1%.
    lower, upper = wilson(102, 1_204)
    assert (round(100 * lower, 1), round(100 * upper, 1)) == (7.0, 10.2)
    table = coverage_of([("Health", 130, 102, 1_204), ("Police", 43, 40, 312)])
    text = show_table(suppress(table, DFE), caption="Coverage").text
    row = next(line for line in text.splitlines() if line.startswith("Health | "))
    assert row.split(" | ")[4:] == ["75.1%", "8.5%", "7.0% to 10.2%"]


def test_share_of_agencies_is_shown_in_per_cent_and_money_in_pounds_and_pence():
    mix = show_table(suppress(MIX, DFE), caption="Mix").text
    assert "90%" in next(line for line in mix.splitlines() if line.startswith("s1 | "))
    cost = show_table(suppress(COST, DFE), caption="Cost").text
    assert "301.25" in next(line for line in cost.splitlines() if line.startswith("Core | "))


# The tables of a training page, side by side


def training_page(missed=3):
    """Four sessions in two districts; the register holds each of those who came, and who did not."""
    sizes = {"s1": 30, "s2": 3, "s3": 25, "s4": 20}
    agencies = ["Health", "Police", "School"]
    rows = [
        (session, f"{session} p{number}", agencies[number % 3], "attended", True)
        for session, size in sizes.items()
        for number in range(size)
    ]
    rows += [("s1", f"m{number}", "Health", "did_not_attend", True) for number in range(missed)]
    bookings = pl.DataFrame(rows, schema=["session", "person", "agency", "status", "booked"], orient="row")
    sessions = pl.DataFrame(
        {"session": list(sizes), "district": ["Dover", "Dover", "Swale", "Swale"], "capacity": [50] * 4}
    )
    return bookings, sessions, pl.DataFrame({"agency": agencies})


def told_of_s2(places, mixed):
    """What a district less its other sessions leaves for the second session of Dover."""
    dover, s1 = by_group(places)["Dover"]["count"], by_group(mixed)["s1"]["attended"]
    return None if None in (dover, s1) else dover - s1


@pytest.mark.parametrize("order", ["pm", "mp", "apm", "pam", "pma", "mpa"])
@pytest.mark.parametrize("missed", [0, 8])
def test_sessions_that_lie_in_districts_are_protected_with_them_in_any_order(missed, order):
    # 33 places in Dover less the 30 of its first session are the 3 of its second.
    bookings, sessions, agencies = training_page(missed)
    places = attendance(bookings, sessions, by="district", totals=True).select("district", count="attended")
    mixed = inter_agency_mix(bookings, sessions, agencies)
    tables = {"p": places, "m": mixed, "a": attendance(bookings, sessions, by=()).drop("share_of_places")}
    safes = suppress([tables[name] for name in order], DFE, within=sessions.select("session", "district"))
    found = {name: safe.frame() for name, safe in zip(order, safes, strict=True)}
    assert told_of_s2(found["p"], found["m"]) is None
    naive = suppress(places, DFE), suppress(mixed, DFE)
    assert told_of_s2(*(one.frame() for one in naive)) == 3


def test_few_who_missed_a_session_can_be_protected_beside_the_places_by_district():
    bookings, sessions, _ = training_page(missed=1)
    places = attendance(bookings, sessions, by="district", totals=True).select("district", count="attended")
    one_row = attendance(bookings, sessions, by=())
    safe_places, safe_row = suppress([places, one_row], DFE)
    assert safe_row.frame()["did_not_attend"].to_list() == [None]
    assert audit([safe_places, safe_row]).height == 0


@pytest.mark.parametrize("missed", [0, 1, 3, 8])
def test_attendance_by_district_and_the_mix_of_its_sessions_are_protected_together(missed):
    bookings, sessions, agencies = training_page(missed)
    by_district = attendance(bookings, sessions, by="district", totals=True)
    lookup = sessions.select("session", "district")
    safes = suppress([by_district, inter_agency_mix(bookings, sessions, agencies)], DFE, within=lookup)
    districts, rooms = (safe.frame() for safe in safes)
    assert told_of_s2(districts.rename({"attended": "count"}), rooms) is None
    assert audit(safes, within=lookup).height == 0
    assert audit(safes, within=lookup, effort="full").height == 0
