"""Laws that hold for every table. Order of rows, pseudonyms and bounds are tried where each measure is tested."""

from datetime import date, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics import knowledge_gain, repeat_plan_rate, training_reach

NAMES = ("North", "South", "West")
STAFF = (5, 9, 40)
GROUP = st.integers(0, 2)
FIRST_DAY = date(2007, 4, 2)
ITEM = pl.DataFrame({"item": ["q"], "minimum": [0.0], "maximum": [30.0], "reversed": [False]})
SESSIONS = pl.DataFrame({"session": ["s0", "s1", "s2"]})

# person, agency, session, whether the person came
BOOKINGS = st.lists(st.tuples(st.integers(0, 6), GROUP, st.integers(0, 2), st.booleans()), max_size=25)
# child, district, day of the start, earlier plans as recorded
PLANS = st.lists(
    st.tuples(st.integers(0, 6), GROUP, st.integers(0, 500), st.sampled_from([None, 0, 0, 1])), max_size=25
)
# agency, session, points before and after; None where the person did not answer
POINTS = st.none() | st.integers(0, 9)
ANSWERS = st.lists(st.tuples(GROUP, st.integers(0, 4), POINTS, POINTS), max_size=40)


def bookings_of(rows, names):
    came = {True: "attended", False: "did_not_attend"}
    data = [(f"p{person}", names[agency], f"s{session}", came[attended]) for person, agency, session, attended in rows]
    return pl.DataFrame(data, dict.fromkeys(["person", "agency", "session", "status"], pl.String), orient="row")


def reach(rows, names, by=("group",)):
    """Reach of agencies; the group column is called group, as in the other measures here."""
    staff = pl.DataFrame({"agency": names, "group": names, "eligible_staff": STAFF})
    bookings = bookings_of(rows, names).with_columns(pl.col("agency").alias("group"))
    return training_reach(bookings, SESSIONS, staff, by=by)


def repeats(rows, names, by=("group",)):
    data = [
        (f"plan{number}", f"c{child}", names[district], FIRST_DAY + timedelta(days), earlier)
        for number, (child, district, days, earlier) in enumerate(rows)
    ]
    schema = {
        "plan": pl.String,
        "child": pl.String,
        "group": pl.String,
        "start_date": pl.Date,
        "previous_plans": pl.Int64,
    }
    return repeat_plan_rate(pl.DataFrame(data, schema, orient="row"), by)


def gain(rows, names, by=("group",)):
    data = [
        (f"s{session}", f"p{number}", names[agency], wave, "q", score)
        for number, (agency, session, *scores) in enumerate(rows)
        for wave, score in zip(("pre", "post"), scores, strict=True)
        if score is not None
    ]
    schema = dict.fromkeys(["session", "person", "group", "wave", "item"], pl.String) | {"score": pl.Int64}
    return knowledge_gain(pl.DataFrame(data, schema, orient="row"), ITEM, by)


MEASURES = {"reach": (reach, BOOKINGS), "repeats": (repeats, PLANS), "gain": (gain, ANSWERS)}
COUNTS = {
    "reach": ["numerator", "denominator"],
    "repeats": ["numerator", "denominator"],
    "gain": ["n_pairs", "n_pre", "n_post", "n_up", "n_same", "n_down"],
}

every_measure = pytest.mark.parametrize("name", MEASURES)


@every_measure
@settings(max_examples=30, deadline=None)
@given(data=st.data(), new=st.permutations(["West", "an agency", "Żory, St. Ann's"]))
def test_renaming_groups_renames_rows_and_nothing_else(name, data, new):
    measure, tables = MEASURES[name]
    rows = data.draw(tables)
    renamed = measure(rows, NAMES).with_columns(pl.col("group").replace_strict(NAMES, new, return_dtype=pl.String))
    assert_frame_equal(measure(rows, new), renamed.sort("group"))


@every_measure
@settings(max_examples=30, deadline=None)
@given(data=st.data())
def test_counts_of_groups_add_up_to_the_whole(name, data):
    measure, tables = MEASURES[name]
    rows = data.draw(tables)
    assert_frame_equal(
        measure(rows, NAMES).select(pl.col(COUNTS[name]).sum()), measure(rows, NAMES, by=()).select(COUNTS[name])
    )


@settings(max_examples=30, deadline=None)
@given(BOOKINGS, st.integers(0, 2))
def test_coming_again_reaches_nobody_new(rows, session):
    again = [(person, agency, session, True) for person, agency, _, attended in rows if attended]
    assert_frame_equal(reach([*rows, *again], NAMES), reach(rows, NAMES))


@settings(max_examples=30, deadline=None)
@given(BOOKINGS)
def test_one_more_person_adds_one_to_the_agency(rows):
    before, after = reach(rows, NAMES), reach([*rows, (99, 1, 0, True)], NAMES)
    assert (after["numerator"] - before["numerator"]).to_list() == [0, 1, 0]
    assert_frame_equal(after.select("denominator"), before.select("denominator"))


@settings(max_examples=30, deadline=None)
@given(PLANS)
def test_an_earlier_plan_on_record_never_makes_fewer_repeats(rows):
    recorded = [(child, district, day, None if earlier is None else 1) for child, district, day, earlier in rows]
    before, after = repeats(rows, NAMES), repeats(recorded, NAMES)
    assert (after["numerator"] >= before["numerator"]).all()
    assert_frame_equal(after.select("numerator"), after.select(numerator="denominator"))  # all are repeats now
    assert_frame_equal(after.select("group", "denominator"), before.select("group", "denominator"))


@settings(max_examples=30, deadline=None)
@given(ANSWERS)
def test_swapping_before_and_after_turns_a_gain_into_the_same_fall(rows):
    forth = gain(rows, NAMES)
    back = gain([(agency, session, post, pre) for agency, session, pre, post in rows], NAMES)
    mirrored = back.with_columns(
        mean_change=-pl.col("mean_change"),
        lower=-pl.col("upper"),
        upper=-pl.col("lower"),
        mean_pre="mean_post",
        mean_post="mean_pre",
        n_pre="n_post",
        n_post="n_pre",
        n_up="n_down",
        n_down="n_up",
        g_av=-pl.col("g_av"),
        g_av_lower=-pl.col("g_av_upper"),
        g_av_upper=-pl.col("g_av_lower"),
    )
    assert_frame_equal(mirrored, forth, abs_tol=1e-9)


@settings(max_examples=30, deadline=None)
@given(ANSWERS, st.integers(1, 20))
def test_points_given_to_everybody_both_times_change_no_gain(rows, points):
    def more(score):
        return None if score is None else score + points

    higher = gain([(agency, session, more(pre), more(post)) for agency, session, pre, post in rows], NAMES)
    levels = ["mean_pre", "mean_post"]
    before = gain(rows, NAMES).with_columns(pl.col(levels) + points)
    assert_frame_equal(higher, before, abs_tol=1e-9)
