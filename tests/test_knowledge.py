"""Knowledge gains against stored answers of R, arithmetic written out, and the inputs that break other packages."""

import itertools
import json
import math
import random
import re
from collections import Counter
from fractions import Fraction
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

import plain_evaluation as plain
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.evaluation import evaluate
from safeguarding_analytics.follow_up import follow_up_gains, follow_up_retention, rating_gains
from safeguarding_analytics.knowledge import (
    all_attended,
    answers_given,
    at_maximum,
    gain_by_course,
    gain_by_starting_score,
    knowledge_gain,
    left_open,
    one_question_right,
    with_margins,
)
from safeguarding_analytics.nonresponse import answered_once, gain_under_assumptions
from safeguarding_analytics.paired import COLUMNS as OF_MEAN_CHANGE
from safeguarding_analytics.paired import FEWEST_PAIRS
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.questions import item_changes, rating_answers
from safeguarding_analytics.shapes import MEAN_CHANGE, shape_of
from safeguarding_analytics.shrinkage import shrunken_gains
from safeguarding_analytics.sizes import change_tests, effect_sizes

SHARED = Path(__file__).parents[2] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

ONE_ITEM = pl.DataFrame({"item": ["score"], "minimum": [-1e6], "maximum": [1e6], "reversed": [False]})
COLUMNS = {
    "session": pl.String,
    "person": pl.String,
    "agency": pl.String,
    "wave": pl.String,
    "item": pl.String,
    "score": pl.Float64,
}
EMPTY = pl.DataFrame(schema=COLUMNS)
NO_INTERVAL = ("lower", "upper", "standard_error", "degrees_of_freedom")


def evaluation_oracle(name: str) -> dict:
    return json.loads((SHARED / "data" / "evaluation" / "oracles.json").read_text())[name]


def stored_scores(name: str, session: str | None = None) -> pl.DataFrame:
    """A stored table of pre and post, one row per person and wave."""
    path = SHARED / "data" / "evaluation" / "csv" / f"{name}.csv"
    wide = pl.read_csv(path, schema_overrides={"id": pl.String, "pre": pl.Float64, "post": pl.Float64})
    return (
        wide.with_columns(pl.col(session) if session else pl.lit("s1").alias("session"))
        .rename({session: "session"} if session else {})
        .unpivot(["pre", "post"], index=["session", "id"], variable_name="wave", value_name="score")
        .rename({"id": "person"})
        .with_columns(pl.lit("score").alias("item"))
    )


def paired(sessions: dict[str, list[tuple[float | None, float | None]]]) -> pl.DataFrame:
    """Scores of one item from (pre, post) per person, by session; None = not answered."""
    return pl.DataFrame(
        [
            (session, f"{session} p{number:03}", "Health", wave, "score", score)
            for session, people in sessions.items()
            for number, answers in enumerate(people)
            for wave, score in zip(("pre", "post"), answers, strict=True)
            if score is not None
        ],
        schema=COLUMNS,
        orient="row",
    )


def one_row(table: pl.DataFrame) -> dict:
    assert table.height == 1
    return table.row(0, named=True)


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "student_sleep",
        "darwin_zea_mays",
        "stata_fuel",
        "anorexia_FT",
        "anorexia_Cont",
        "sai_calm_score",
        "ugly_pratt_ties",
    ],
)
def test_pairs_and_t_interval_equal_r(name):
    oracle = evaluation_oracle(name)
    found = one_row(knowledge_gain(stored_scores(name), ONE_ITEM, cluster=None))
    names = {"n_pairs": "n_paired", "n_pre": "n_pre", "n_post": "n_post"}
    names |= {count: count for count in ("n_up", "n_same", "n_down")}
    assert {ours: found[ours] for ours in names} == {ours: oracle[theirs] for ours, theirs in names.items()}
    assert found["mean_change"] == pytest.approx(oracle["mean_gain"], abs=1e-9)
    assert found["mean_pre"] == pytest.approx(oracle["mean_pre"], abs=1e-9)
    assert found["mean_post"] == pytest.approx(oracle["mean_post"], abs=1e-9)
    assert [found["lower"], found["upper"]] == pytest.approx(oracle["t_test"]["ci95"], abs=1e-9)
    assert found["degrees_of_freedom"] == oracle["t_test"]["df"]
    assert found["n_clusters"] is None


def test_student_1908_as_published():
    # Extra hours of sleep under two drugs; help page of t.test in R: mean 1.58, interval 0.7001 to 2.4599, 9 df.
    first = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0]
    second = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4]
    found = one_row(knowledge_gain(paired({"s1": list(zip(first, second, strict=True))}), ONE_ITEM))
    assert [round(found[name], 4) for name in ("mean_change", "lower", "upper")] == [1.58, 0.7001, 2.4599]
    assert [found["n_up"], found["n_same"], found["n_down"]] == [9, 1, 0]
    assert (found["n_clusters"], found["degrees_of_freedom"]) == (1, 9)


@needs_shared
def test_thirteen_studies_as_clusters_equal_clubsandwich():
    oracle = evaluation_oracle("cluster_sai")
    found = one_row(knowledge_gain(stored_scores("sai_calm_score", session="study"), ONE_ITEM))
    assert found["n_clusters"] == oracle["k"]
    assert found["degrees_of_freedom"] == pytest.approx(oracle["CR2_df_satt"], abs=1e-9)
    assert found["mean_change"] == pytest.approx(oracle["mean"], abs=1e-9)
    assert found["standard_error"] == pytest.approx(oracle["se_CR2"], abs=1e-9)
    assert [found["lower"], found["upper"]] == pytest.approx(oracle["CR2_ci95"], abs=1e-9)


@needs_shared
def test_items_of_the_anxiety_scale_add_up_to_its_score():
    # sai_calm_score.csv holds, per person and wave, the mean of the 20 items keyed towards calm (1 to 4, the anxious
    # items reversed), and only of complete answers: 20 times that is our sum, so the gains are 20 times theirs.
    oracle = evaluation_oracle("sai_calm_score")
    anxious = [
        "tense",
        "regretful",
        "upset",
        "worrying",
        "anxious",
        "nervous",
        "jittery",
        "high.strung",
        "worried",
        "rattled",
    ]
    path = SHARED / "data" / "evaluation" / "csv" / "sai_items_long.csv"
    wide = pl.read_csv(path, null_values="NA").filter(pl.col("time").is_in([1, 2]))
    questions = [name for name in wide.columns if name not in ("study", "time", "id")]
    scores = wide.select(
        session="study",
        person=pl.format("{} {}", "study", "id"),
        wave=pl.col("time").replace_strict({1: "pre", 2: "post"}),
        **{name: name for name in questions},
    ).unpivot(questions, index=["session", "person", "wave"], variable_name="item", value_name="score")
    items = pl.DataFrame({"item": questions, "minimum": 1, "maximum": 4, "reversed": [q in anxious for q in questions]})
    found = one_row(knowledge_gain(scores, items))
    assert (found["n_pairs"], found["n_pre"], found["n_post"]) == (
        oracle["n_paired"],
        oracle["n_pre"],
        oracle["n_post"],
    )
    assert found["mean_change"] / 20 == pytest.approx(oracle["mean_gain"], abs=1e-9)
    assert found["standard_error"] / 20 == pytest.approx(evaluation_oracle("cluster_sai")["se_CR2"], abs=1e-9)


# Three sessions, twelve pairs; gains 1 2 3 2 | 0 1 1 2 | 3 5 4 0, sums 8, 4, 12, mean 24/12 = 2.
THREE_SESSIONS = {
    "s1": [(1, 2), (2, 4), (0, 3), (3, 5), (4, None)],
    "s2": [(5, 5), (1, 2), (2, 3), (0, 2)],
    "s3": [(1, 4), (0, 5), (2, 6), (3, 3), (None, 4), (None, 5)],
}


def test_clustered_interval_by_hand():
    # Sessions of one size, where CR2 is CR1. Deviations of the sums from 4 × 2: 0, −4, 4;
    # CR1 = √(0 + 16 + 16)/12 × √(3/2) = √48/12 = 0.5773503 = 1/√3.
    # Student's t on 2 degrees of freedom, two-sided 95%: 4.3026527; 2 ± 2.4841377.
    # Pre of the pairs: (1+2+0+3) + (5+1+2+0) + (1+0+2+3) = 20, 20/12; post 20 + 24 = 44, 44/12.
    # Squares before 14 + 30 + 14 = 58, so s₁² = (58 − 400/12)/11 = 74/33; after (4+16+9+25) + (25+4+9+4) + (16+25+36+9)
    # = 182, so s₂² = (182 − 1936/12)/11 = 62/33; average 68/33.
    # J(11) = Γ(5.5)/(√5.5 Γ(5)) = 52.3427778/(2.3452079 × 24).
    correction = 52.34277778455352 / (math.sqrt(5.5) * 24)
    standardised = correction / math.sqrt(68 / 33)
    reach = 4.302652729911275 / math.sqrt(3)
    expected = pl.DataFrame(
        {
            "n_pairs": [12],
            "mean_pre": [20 / 12],
            "mean_post": [44 / 12],
            "mean_change": [2.0],
            "lower": [2 - 4.3026527 / math.sqrt(3)],
            "upper": [2 + 4.3026527 / math.sqrt(3)],
            "n_pre": [13],
            "n_post": [14],
            "n_up": [10],
            "n_same": [2],
            "n_down": [0],
            "n_clusters": [3],
            "degrees_of_freedom": [2.0],
            "standard_error": [1 / math.sqrt(3)],
            "verdict": [None],
            "g_av": [2 * standardised],
            "g_av_lower": [(2 - reach) * standardised],
            "g_av_upper": [(2 + reach) * standardised],
        },
        schema_overrides={"verdict": pl.String},
    )
    found = knowledge_gain(paired(THREE_SESSIONS), ONE_ITEM)
    assert_frame_equal(found, expected, abs_tol=1e-7)
    assert found.columns == list(OF_MEAN_CHANGE)
    assert [*found.columns, "shrunken"] == list(MEAN_CHANGE.columns)
    assert shape_of(found.columns) is MEAN_CHANGE


def test_groups_are_rows_in_order_and_a_group_without_pairs_is_kept():
    scores = paired(THREE_SESSIONS | {"s0": [(1, None), (None, 3)]})
    found = knowledge_gain(scores, ONE_ITEM, by=("session",))
    # Gains of s1: 1 2 3 2, of s2: 0 1 1 2, of s3: 3 5 4 0. Four pairs each: means, and no interval.
    expected = pl.DataFrame(
        {
            "session": ["s0", "s1", "s2", "s3"],
            "n_pairs": [0, 4, 4, 4],
            "mean_pre": [None, 6 / 4, 8 / 4, 6 / 4],
            "mean_post": [None, 14 / 4, 12 / 4, 18 / 4],
            "mean_change": [None, 2.0, 1.0, 3.0],
            "lower": [None] * 4,
            "upper": [None] * 4,
            "n_pre": [1, 5, 4, 4],
            "n_post": [1, 4, 4, 6],
            "n_up": [0, 4, 3, 3],
            "n_same": [0, 0, 1, 1],
            "n_down": [0, 0, 0, 0],
            "n_clusters": [0, 1, 1, 1],
            "degrees_of_freedom": [None] * 4,
            "standard_error": [None] * 4,
            "verdict": [None] * 4,
        },
        schema_overrides=dict.fromkeys(NO_INTERVAL, pl.Float64) | {"verdict": pl.String},
    )
    assert_frame_equal(found.drop("g_av", "g_av_lower", "g_av_upper"), expected)
    # s1: before 1 2 0 3, after 2 4 3 5, variances 5/3 both; J(3) = Γ(1.5)/(√1.5 Γ(1)) = 0.7236012545583.
    assert found["g_av"].to_list()[:2] == [None, pytest.approx(2 / math.sqrt(5 / 3) * 0.7236012545583)]
    assert found["g_av_lower"].to_list() == [None] * 4


def test_duckdb_gives_the_same_as_polars():
    scores = paired(THREE_SESSIONS)
    relation = duckdb.from_arrow(scores.to_arrow())
    for by in ((), ("session",), ("agency", "session")):
        expected = knowledge_gain(scores, ONE_ITEM, by=by, meaningful_gain=1)
        assert_frame_equal(knowledge_gain(relation, ONE_ITEM, by=by, meaningful_gain=1), expected)
        assert_frame_equal(knowledge_gain(scores.lazy(), ONE_ITEM.lazy(), by=by, meaningful_gain=1), expected)


def test_reversed_items_are_counted_from_the_other_end():
    # On a scale of 1 to 5, an answer of 4 to a reversed item is 1 + 5 − 4 = 2 points; so pre 2 + 2, post 5 + 4.
    scores = pl.DataFrame(
        {
            "session": ["s1"] * 4,
            "person": ["p1"] * 4,
            "wave": ["pre", "pre", "post", "post"],
            "item": ["q1", "q2", "q1", "q2"],
            "score": [2, 4, 5, 2],
        }
    )
    items = pl.DataFrame({"item": ["q1", "q2"], "minimum": [1, 1], "maximum": [5, 5], "reversed": [False, True]})
    found = one_row(knowledge_gain(scores, items))
    assert (found["mean_pre"], found["mean_post"], found["mean_change"]) == (4.0, 9.0, 5.0)


def test_answers_with_an_item_missing_or_empty_leave_that_wave():
    rows = [
        *[("p1", wave, item, 1) for wave in ("pre", "post") for item in ("q1", "q2")],  # complete twice
        ("p2", "pre", "q1", 1),  # q2 never asked
        *[("p2", "post", item, 2) for item in ("q1", "q2")],
        *[("p3", "pre", item, 3) for item in ("q1", "q2")],
        ("p3", "post", "q1", 3),
        ("p3", "post", "q2", None),  # q2 left empty
    ]
    scores = pl.DataFrame(rows, schema=["person", "wave", "item", "score"], orient="row").with_columns(
        pl.lit("s1").alias("session")
    )
    items = pl.DataFrame({"item": ["q1", "q2"], "minimum": 0, "maximum": 5, "reversed": False})
    found = one_row(knowledge_gain(scores, items))
    assert (found["n_pairs"], found["n_pre"], found["n_post"]) == (1, 2, 2)
    assert (found["mean_pre"], found["mean_post"]) == (2.0, 2.0)


def test_follow_up_and_retrospective_waves_are_not_used():
    scores = paired(THREE_SESSIONS)
    later = scores.filter(wave="post").with_columns(pl.lit("follow_up").alias("wave"), pl.lit(99.0).alias("score"))
    then = scores.filter(wave="pre").with_columns(pl.lit("then").alias("wave"), pl.lit(-99.0).alias("score"))
    assert_frame_equal(knowledge_gain(pl.concat([scores, later, then]), ONE_ITEM), knowledge_gain(scores, ONE_ITEM))


def test_pairs_are_matched_within_the_session():
    # p1 answered before in s1 and after in s2: two half pairs, no pair.
    rows = [("s1", "p1", "Health", "pre", "score", 1.0), ("s2", "p1", "Health", "post", "score", 5.0)]
    scores = pl.DataFrame(rows, schema=COLUMNS, orient="row")
    found = one_row(knowledge_gain(scores, ONE_ITEM))
    assert (found["n_pairs"], found["n_pre"], found["n_post"], found["mean_change"]) == (0, 1, 1, None)


def test_person_whose_agency_is_filled_once_stays_a_pair():
    scores = paired({"s1": [(1, 2)]}).with_columns(
        pl.when(pl.col("wave") == "pre").then("agency").alias("agency")  # the second form did not ask
    )
    found = one_row(knowledge_gain(scores, ONE_ITEM, by=("agency",)))
    assert (found["agency"], found["n_pairs"]) == ("Health", 1)


@pytest.mark.parametrize(
    ("pairs", "has_interval"), [(FEWEST_PAIRS - 1, False), (FEWEST_PAIRS, True), (FEWEST_PAIRS + 1, True)]
)
def test_fewer_than_ten_pairs_have_counts_and_no_interval(pairs, has_interval):
    scores = paired({"s1": [(0, number % 3) for number in range(pairs)]})
    found = one_row(knowledge_gain(scores, ONE_ITEM, meaningful_gain=1))
    assert found["n_pairs"] == pairs
    assert found["mean_change"] is not None
    assert all((found[name] is not None) == has_interval for name in (*NO_INTERVAL, "verdict"))


@pytest.mark.parametrize(
    ("meaningful_gain", "verdict"),
    [
        (None, None),
        # The interval of THREE_SESSIONS is 2 ± 2.4841377 (see above): −0.484 to 4.484.
        (-0.485, "clearly at least"),
        (-0.484, "could be either"),
        (2, "could be either"),
        (4.484, "could be either"),
        (4.485, "clearly less"),
    ],
)
def test_verdict_compares_the_interval_with_the_gain_fixed_beforehand(meaningful_gain, verdict):
    found = one_row(knowledge_gain(paired(THREE_SESSIONS), ONE_ITEM, meaningful_gain=meaningful_gain))
    assert found["verdict"] == verdict


def test_an_interval_that_ends_at_the_gain_that_matters_holds_it():
    scores = paired(THREE_SESSIONS)
    row = one_row(knowledge_gain(scores, ONE_ITEM))
    verdicts = [
        one_row(knowledge_gain(scores, ONE_ITEM, meaningful_gain=row[end]))["verdict"] for end in ("lower", "upper")
    ]
    assert verdicts == ["clearly at least", "could be either"]


@needs_shared
@pytest.mark.parametrize(
    "name", ["ugly_empty", "ugly_no_pairs", "ugly_n1", "ugly_n2", "ugly_fall", "ugly_post_ceiling"]
)
def test_small_stored_cases_have_counts_and_means_and_no_interval(name):
    oracle = evaluation_oracle(name)
    found = one_row(knowledge_gain(stored_scores(name), ONE_ITEM, meaningful_gain=1))
    assert [found[count] for count in ("n_pairs", "n_pre", "n_post")] == [
        oracle[count] for count in ("n_paired", "n_pre", "n_post")
    ]
    assert [found[count] for count in ("n_up", "n_same", "n_down")] == [
        oracle[count] for count in ("n_up", "n_same", "n_down")
    ]
    assert found["mean_change"] == (None if oracle["mean_gain"] is None else pytest.approx(oracle["mean_gain"]))
    assert found["mean_pre"] == (None if oracle["mean_gain"] is None else pytest.approx(oracle["mean_pre"]))
    assert [found[column] for column in (*NO_INTERVAL, "verdict")] == [None] * 5
    # Below three pairs there is none: with two the correction is 0, and so is what it corrects.
    wanted = oracle["g_av_df_n_minus_1"] if oracle["n_paired"] > 2 else None
    assert found["g_av"] == (None if wanted is None else pytest.approx(wanted, abs=1e-9))


@needs_shared
@pytest.mark.parametrize("name", ["ugly_all_zero", "ugly_constant_gain", "ugly_constant_scores", "ugly_all_ceiling"])
def test_equal_gains_of_many_people_have_no_spread_and_no_interval(name):
    # The stored cases are smaller than ten pairs; with five copies of their people the number of pairs is no reason.
    once = stored_scores(name)
    scores = pl.concat(
        once.with_columns(pl.format("{} copy {}", "person", pl.lit(number)).alias("person")) for number in range(5)
    )
    found = one_row(knowledge_gain(scores, ONE_ITEM, meaningful_gain=1))
    assert found["n_pairs"] >= FEWEST_PAIRS
    assert found["mean_change"] == pytest.approx(evaluation_oracle(name)["mean_gain"])
    assert found["standard_error"] == 0.0
    assert [found[column] for column in ("lower", "upper", "degrees_of_freedom", "verdict")] == [None] * 4


def test_everyone_gaining_the_same_decimals_is_no_spread():
    # 0.3 − 0.2 and 0.4 − 0.3 differ in their last binary digits, not in points; 0.1 × 12 is not 1.2 either.
    scores = paired({"s1": [(0.2, 0.3), (0.3, 0.4)] * 6, "s2": [(0.7, 0.8)] * 6})
    for cluster in ("session", None):
        found = one_row(knowledge_gain(scores, ONE_ITEM, cluster=cluster))
        assert found["mean_change"] == pytest.approx(0.1)
        assert found["standard_error"] == 0.0
        assert [found[column] for column in ("lower", "upper", "degrees_of_freedom")] == [None] * 3


def test_clusters_that_gained_the_same_on_average_have_no_interval():
    # Both sessions gain 2 on average, so that the variance between them is 0: an interval of no width would be a claim.
    scores = paired({"s1": [(0, 1), (0, 3)] * 3, "s2": [(0, 0), (0, 4)] * 3})
    found = one_row(knowledge_gain(scores, ONE_ITEM))
    assert (found["n_pairs"], found["mean_change"], found["n_clusters"]) == (12, 2.0, 2)
    assert [found[column] for column in NO_INTERVAL] == [None] * 4
    assert one_row(knowledge_gain(scores, ONE_ITEM, cluster=None))["lower"] is not None


def test_scores_that_differ_only_in_rounding_are_the_same():
    # 0.1 + 0.2 = 0.30000000000000004 before, 0.3 + 0 after.
    rows = [("pre", "q1", 0.1), ("pre", "q2", 0.2), ("post", "q1", 0.3), ("post", "q2", 0.0)]
    scores = pl.DataFrame(rows, schema=["wave", "item", "score"], orient="row").with_columns(
        pl.lit("s1").alias("session"), pl.lit("p1").alias("person")
    )
    items = pl.DataFrame({"item": ["q1", "q2"], "minimum": 0, "maximum": 1, "reversed": False})
    found = one_row(knowledge_gain(scores, items))
    assert (found["n_up"], found["n_same"], found["n_down"]) == (0, 1, 0)


def test_a_fall_is_a_negative_change():
    found = one_row(knowledge_gain(paired({"s1": [(8, 7), (7, 7), (9, 8), (7, 6)] * 3}), ONE_ITEM, meaningful_gain=0))
    # Gains −1, 0, −1, −1, three times.
    assert (found["mean_change"], found["n_up"], found["n_same"], found["n_down"]) == (-0.75, 0, 3, 9)
    assert found["verdict"] == "clearly less"


def test_empty_frame_gives_one_row_overall_and_none_by_group():
    found = one_row(knowledge_gain(EMPTY, ONE_ITEM))
    zero = {"n_pairs", "n_pre", "n_post", "n_up", "n_same", "n_down", "n_clusters"}
    assert found == {name: 0 if name in zero else None for name in OF_MEAN_CHANGE}
    by_agency = knowledge_gain(EMPTY, ONE_ITEM, by="agency")
    assert by_agency.columns == ["agency", *OF_MEAN_CHANGE]
    assert by_agency.height == 0


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 9), st.integers(0, 9)), min_size=10, max_size=40),
    st.randoms(use_true_random=False),
)
def test_row_order_and_names_change_nothing(answers, random):
    sessions: dict[str, list] = {}
    for session, pre, post in answers:
        sessions.setdefault(f"s{session}", []).append((pre, post))
    scores = paired(sessions)
    expected = knowledge_gain(scores, ONE_ITEM)
    order = list(range(scores.height))
    random.shuffle(order)
    renamed = scores[order].with_columns(
        pl.format("x{}", "person").alias("person"), pl.format("y{}", "session").alias("session")
    )
    found = knowledge_gain(renamed, ONE_ITEM)
    assert_frame_equal(found, expected)
    row = one_row(found)
    assert row["n_up"] + row["n_same"] + row["n_down"] == row["n_pairs"]
    assert row["mean_change"] == pytest.approx(row["mean_post"] - row["mean_pre"])
    if row["lower"] is not None:
        assert row["lower"] <= row["mean_change"] <= row["upper"]


GOOD = paired({"s1": [(1, 2), (3, 4)]})


@pytest.mark.parametrize(
    ("scores", "items", "message"),
    [
        (GOOD.drop("person"), ONE_ITEM, "scores: column person missing"),
        (GOOD, ONE_ITEM.drop("reversed"), "items: column reversed missing"),
        (GOOD.with_columns(item=pl.lit("scor")), ONE_ITEM, r'4 of 4 rows have an item .*"scor".*Did you mean "score"'),
        (GOOD.with_columns(wave=pl.lit("Pre")), ONE_ITEM, r'4 of 4 rows have a wave .*"Pre".*Did you mean "pre"'),
        (GOOD.with_columns(person=pl.lit(None, pl.String)), ONE_ITEM, "4 of 4 rows have no person"),
        (GOOD.with_columns(session=pl.lit(None, pl.String)), ONE_ITEM, "2 of 2 pairs have no session"),
        (GOOD.with_columns(score=pl.lit("good")), ONE_ITEM, "score holds String. Wanted: numbers"),
        (pl.concat([GOOD, GOOD.head(1)]), ONE_ITEM, "1 of 4 questionnaires hold an item more than once"),
        (GOOD, ONE_ITEM.with_columns(maximum=pl.lit(3.0)), "outside of minimum to maximum of their item. Items: score"),
        (GOOD, pl.concat([ONE_ITEM, ONE_ITEM]), "items: 1 stand in more than one row: score"),
        (GOOD, ONE_ITEM.with_columns(reversed=pl.lit(None, pl.Boolean)), "1 of 1 rows lack item, minimum"),
    ],
)
def test_bad_tables_are_refused_without_naming_a_person(scores, items, message):
    with pytest.raises(TableError, match=message) as caught:
        knowledge_gain(scores, items)
    assert "p000" not in str(caught.value)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"by": ("agenci",)}, 'Did you mean "agency"'),
        ({"by": ("person",)}, "names people one by one"),
        ({"by": ("wave",)}, "not a column of scores that groups can be made of"),
        ({"by": ("agency", "agency")}, "stands twice"),
        ({"cluster": "sesion"}, 'Did you mean "session"'),
        ({"confidence": 95}, "between 0 and 1"),
    ],
)
def test_bad_parameters_are_refused(options, message):
    with pytest.raises(ParameterError, match=message):
        knowledge_gain(GOOD, ONE_ITEM, **options)


# Against plain Python, on random boards.


BOARDS = settings(max_examples=25, deadline=None, derandomize=True)


@BOARDS
@given(st.integers(0, 10**6))
def test_random_boards_have_the_gains_that_plain_python_counts(seed):
    board = plain.random_board(seed, people=24)
    for by in ((), ("agency",), ("session",), ("session", "agency")):
        for cluster in ("session", None):
            wanted = plain.knowledge_gain(board.answers, board.items, by, cluster, meaningful_gain=0.5)
            plain.assert_rows(
                knowledge_gain(board.scores, board.questions, by=by, cluster=cluster, meaningful_gain=0.5), wanted
            )


@BOARDS
@given(st.integers(0, 10**6), st.permutations(plain.WAVES), st.sampled_from([0.5, 0.9, 0.99]))
def test_any_two_waves_and_any_confidence_equal_plain_python(seed, waves, confidence):
    board = plain.random_board(seed, people=24)
    waves = tuple(waves[:2])
    wanted = plain.knowledge_gain(board.answers, board.items, waves=waves, confidence=confidence)
    plain.assert_rows(knowledge_gain(board.scores, board.questions, waves=waves, confidence=confidence), wanted)


ALL_WAYS = list(itertools.product(("yes", "no"), repeat=2))


def expected_answers_given(board):
    """Count of each way of answering, people as sets, by the definition in words."""
    before, after = (set(plain.totals(board.answers, board.items, wave)) for wave in plain.WAVES[:2])
    attended = {
        (one.session, one.person)
        for one in board.bookings
        if one.status == "attended" and one.learner not in ("trainer", "test")
    }
    answered = before | after
    # Of codes that people made up nobody knows whose they are: all of them came, and the others never answered.
    never = len(attended - answered) if answered & attended else max(len(attended) - len(answered), 0)
    single = {
        ("yes", "yes"): len(before & after),
        ("yes", "no"): len(before - after),
        ("no", "yes"): len(after - before),
        ("no", "no"): never,
    }
    rows = [{"before": one, "after": other, "count": count} for (one, other), count in single.items()]
    return [*rows, {"before": "Total", "after": "Total", "count": sum(single.values())}]


@BOARDS
@given(st.integers(0, 10**6))
def test_answers_given_on_random_boards_equal_plain_python(seed):
    board = plain.random_board(seed, people=8, open_share=0.15)
    plain.assert_rows(answers_given(board.booked, board.scores, board.questions), expected_answers_given(board))
    # The same answers under codes that people made up: nobody is found in the bookings.
    coded = [one._replace(person=f"code {one.person}") for one in board.answers]
    unlinked = plain.Board(coded, board.items, board.bookings)
    plain.assert_rows(answers_given(board.booked, unlinked.scores, board.questions), expected_answers_given(unlinked))


ONE_CHOICE = [plain.Item("q0", "Which tier?", "choice", 0, 3, reversed=False)]


def one_answer(session, person, wave, score=1, *, agency="Health", course="Core", item="q0"):
    return plain.Answer(session, person, agency, course, wave, item, None if score is None else Fraction(score))


def test_each_way_of_answering_is_counted_once():
    # Eight ways of answering three times, of which two count here; p6 answered at follow-up alone, p7 never.
    ways = list(itertools.product((True, False), repeat=3))
    answers = [
        one_answer("s1", f"p{number}", wave)
        for number, way in enumerate(ways)
        for wave, gave in zip(plain.WAVES[:3], way, strict=True)
        if gave
    ]
    bookings = [plain.Booking("s1", f"p{number}", "attended", None) for number in range(8)]
    board = plain.Board(answers, ONE_CHOICE, bookings)
    found = answers_given(board.booked, board.scores, board.questions)
    assert found.rows() == [*((before, after, 2) for before, after in ALL_WAYS), ("Total", "Total", 8)]
    with_all = with_margins(found.with_columns(mark=pl.lit("")), Policy.dfe())
    assert with_all.head(5).drop("mark").equals(found)
    margins = [("yes", "Total", 4, ""), ("no", "Total", 4, ""), ("Total", "yes", 4, ""), ("Total", "no", 4, "")]
    assert with_all.tail(4).rows() == margins


def test_a_margin_of_which_a_part_is_hidden_is_hidden():
    counts = [20, None, None, 9, 44]
    shown = pl.DataFrame(
        [(*way, count) for way, count in zip([*ALL_WAYS, ("Total", "Total")], counts, strict=True)],
        schema={"before": pl.String, "after": pl.String, "count": pl.Int64},
        orient="row",
    ).with_columns(mark=pl.when(pl.col("count").is_null()).then(pl.lit("[c]")).otherwise(pl.lit("")))
    assert with_margins(shown, Policy.dfe())["count"].to_list() == [*counts, None, None, None, None]
    assert with_margins(shown, Policy.dfe())["mark"].to_list()[5:] == ["[c]"] * 4


def test_trainers_test_users_and_repeated_bookings_are_not_counted_as_attending():
    bookings = [
        plain.Booking("s1", "p1", "attended", None),
        plain.Booking("s1", "p1", "attended", "local"),  # booked twice
        plain.Booking("s1", "p2", "attended", "out_of_area"),
        plain.Booking("s1", "p3", "attended", "trainer"),
        plain.Booking("s1", "p4", "attended", "test"),
        plain.Booking("s1", "p5", "did_not_attend", None),
        plain.Booking("s2", "p1", "attended", None),  # the same person in another session
    ]
    board = plain.Board([one_answer("s1", "p1", "pre")], ONE_CHOICE, bookings)
    found = answers_given(board.booked, board.scores, board.questions)
    # p1 in s1, p2, and p1 in s2.
    assert found["count"].to_list() == [0, 1, 0, 2, 3]
    assert all_attended(board.booked, board.scores)


def test_who_answered_without_standing_in_the_bookings_is_counted_and_said():
    bookings = [plain.Booking("s1", "p1", "attended", None), plain.Booking("s1", "p2", "did_not_attend", None)]
    answers = [one_answer("s1", person, "pre") for person in ("p1", "p2", "p3")]
    board = plain.Board(answers, ONE_CHOICE, bookings)
    found = answers_given(board.booked, board.scores, board.questions)
    assert found.filter(before="Total", after="Total")["count"].to_list() == [3]
    assert not all_attended(board.booked, board.scores)


def test_nobody_answered_and_nobody_was_booked():
    board = plain.Board([], ONE_CHOICE, [plain.Booking("s1", "p1", "attended", None)])
    found = answers_given(board.booked, board.scores, board.questions)
    assert found.columns == ["before", "after", "count"]
    assert found["count"].to_list() == [0, 0, 0, 1, 1]
    assert answers_given(board.booked.clear(), board.scores, board.questions)["count"].to_list() == [0] * 5


@BOARDS
@given(st.integers(0, 10**6))
def test_questionnaires_with_a_question_left_open_equal_plain_python(seed):
    board = plain.random_board(seed, people=8, open_share=0.3)
    wanted = []
    for wave, name in zip(plain.WAVES, ("before", "after", "follow-up"), strict=False):
        given_by = plain.answered(board.answers, board.items, wave)
        if given_by:
            lacking = sum(len(given) < len(board.items) for given in given_by.values())
            wanted.append({"wave": name, "count": lacking})
    plain.assert_rows(left_open(board.scores, board.questions), wanted)


@BOARDS
@given(st.integers(0, 10**6))
def test_share_at_the_maximum_equals_plain_python(seed):
    board = plain.random_board(seed, items=plain.random_items(random.Random(seed), most=2), people=10)
    before, after = (plain.totals(board.answers, board.items, wave) for wave in plain.WAVES[:2])
    both = set(before) & set(after)
    most = sum(item.maximum for item in board.items)
    wanted = []
    for wave, of in (("before", before), ("after", after)):
        full = sum(of[who] == most for who in both)
        lower, upper = plain.wilson(full, len(both))
        share = full / len(both) if both else None
        wanted.append({"wave": wave, "numerator": full, "denominator": len(both), "proportion": share})
        wanted[-1] |= {"lower": lower, "upper": upper}
    plain.assert_rows(at_maximum(board.scores, board.questions), wanted)


def in_band(name, score):
    """Whether a score belongs to a band, by its name alone."""
    kind, words = name.split(": ")
    if kind == "Lowest":
        return score <= float(words.removesuffix(" or less")) + 1e-9
    if kind == "Top":
        return score >= float(words.removesuffix(" or more")) - 1e-9
    ends = [float(word) for word in words.split(" to ")]
    return ends[0] - 1e-9 <= score <= ends[-1] + 1e-9


@BOARDS
@given(st.integers(0, 10**6), st.sampled_from(["tenths", "quarter points", "ten", "right or wrong", "around nought"]))
def test_bands_of_the_starting_score_hold_whom_their_names_say(seed, kind):
    items = plain.random_items(random.Random(seed), kinds=(kind,), most=3)
    board = plain.random_board(seed, items=items, people=24)
    first, second = (plain.totals(board.answers, board.items, wave) for wave in plain.WAVES[:2])
    both = set(first) & set(second)
    clusters = plain.label(board.answers, "session", plain.WAVES[:2])
    found = gain_by_starting_score(board.scores, board.questions)
    names = found["starting_score"].to_list()
    wanted, members = [], []
    for name in names:
        others = [band for band in names if band != name]
        ours = {who for who in both if in_band(name, first[who])}
        assert not any(in_band(band, first[who]) for who in ours for band in others), names
        parts = [{who: of[who] for who in ours} for of in (first, second)]
        wanted.append({"starting_score": name} | plain.mean_change(*parts, clusters))
        members.append(ours)
    plain.assert_rows(found, wanted)
    assert sum(map(len, members)) == len(both)
    assert names == sorted(names)


@pytest.mark.parametrize("pairs", range(1, 13))
def test_starting_scores_that_all_differ_make_thirds(pairs):
    found = gain_by_starting_score(paired({"s1": [(number, 0) for number in range(pairs)]}), ONE_ITEM)
    sizes = found["n_pairs"].to_list()
    assert sum(sizes) == pairs
    assert max(sizes) - min(sizes) <= 1
    assert len(sizes) == min(pairs, 3)


def test_equal_starting_scores_are_in_one_band_however_they_came_about():
    # 0.1 + 0.2, 0.3 + 0 and 0.2 + 0.1 are not the same to a computer.
    parts = [("0.1", "0.2"), ("0.3", "0"), ("0.2", "0.1")] * 3
    items = [plain.Item(f"q{number}", "?", "choice", 0, 1, reversed=False) for number in range(2)]
    answers = [
        one_answer("s1", f"p{person}", wave, score, item=item.item)
        for person, scores in enumerate(parts)
        for wave in ("pre", "post")
        for item, score in zip(items, scores, strict=True)
    ]
    found = gain_by_starting_score(plain.Board(answers, items).scores, plain.frame_of(items))
    assert found.select("starting_score", "n_pairs").rows() == [("Lowest: 0.3 or less", 9)]


def test_large_starting_scores_are_named_in_full():
    scores = paired({"s1": [(1_234_560 + number, 1_234_560) for number in range(9)]})
    found = gain_by_starting_score(scores, ONE_ITEM.with_columns(maximum=pl.lit(1e7)))
    numbers = [re.sub(r"[^0-9 ]", "", name).split() for name in found["starting_score"]]
    assert numbers == [["1234562"], ["1234563", "1234565"], ["1234566"]]


def test_courses_are_scored_by_their_own_questions():
    items = [
        plain.Item("n1", "?", "choice", 0, 1, reversed=False, course="Neglect"),
        plain.Item("n2", "?", "choice", 0, 3, reversed=True, course="Neglect"),
        plain.Item("t1", "?", "choice", 0, 5, reversed=False, course="Thresholds"),
        plain.Item("c1", "How sure?", "likert", 1, 5, reversed=False),  # asked everywhere; no part of the scores
        plain.Item("e1", "?", "likert", 1, 5, reversed=False, course="Exploitation"),
    ]
    dice, answers = random.Random(4), []
    for number in range(90):
        course = ("Neglect", "Thresholds", "Exploitation")[number % 3]
        asked = [item for item in items if item.course in (course, None)]
        who = (f"s{number % 6}", f"p{number}", "Health", course)
        answers += [
            plain.Answer(*who, wave, item.item, Fraction(dice.randint(item.minimum, item.maximum)))
            for wave in ("pre", "post")
            for item in asked
            if dice.random() < 0.98
        ]
    found = gain_by_course(plain.Board(answers, items).scores, plain.frame_of(items))
    wanted = []
    for course in ("Exploitation", "Neglect", "Thresholds"):
        asked = plain.scored([item for item in items if item.course in (course, None)])
        wanted += plain.knowledge_gain([one for one in answers if one.course == course], asked, ("course",))
    assert [row["course"] for row in wanted] == ["Exploitation", "Neglect", "Thresholds"]
    plain.assert_rows(found, wanted)
    # Exploitation has ratings alone: both of them make its score, 2 to 10 points.
    assert 2 <= wanted[0]["mean_pre"] <= 10


@pytest.mark.parametrize(
    ("kinds", "ends", "points"),
    [
        (["choice"], [(0, 1)], 1.0),
        (["choice", "choice", "likert"], [(0, 1), (1, 3), (1, 5)], 2.0),
        (["likert"], [(1, 5)], None),
        ([], [], None),
    ],
)
def test_one_question_right_is_the_most_that_a_question_gives(kinds, ends, points):
    items = pl.DataFrame(
        {"kind": kinds, "minimum": [least for least, _ in ends], "maximum": [most for _, most in ends]},
        schema={"kind": pl.String, "minimum": pl.Float64, "maximum": pl.Float64},
    )
    assert one_question_right(items) == points


# What every measure of the answers has in common: engines, bad input, laws, precision.


BOARD = plain.random_board(36, people=20)


def given_in_bookings(scores, items):
    return answers_given(BOARD.booked, scores, items)


def by_agency(scores, items):
    return knowledge_gain(scores, items, by="agency", meaningful_gain=1)


def shrunken_by_agency(scores, items):
    return shrunken_gains(scores, items, "agency")


MEASURES = [
    *(knowledge_gain, by_agency, gain_by_course, gain_by_starting_score, at_maximum, given_in_bookings, left_open),
    *(effect_sizes, change_tests, item_changes, rating_answers, answered_once, gain_under_assumptions),
    *(follow_up_retention, follow_up_gains, rating_gains, shrunken_by_agency),
]


def as_pyarrow(frame):
    return frame.to_arrow()


def as_categories(frame):
    return frame.with_columns(pl.col(pl.String).cast(pl.Categorical))


def on_duckdb(frame):
    held = duckdb.connect()
    held.register("held", frame.to_arrow())
    return held.sql("select * from held")


ENGINES = {
    "polars, lazy": pl.DataFrame.lazy,
    "polars, categories": as_categories,
    "DuckDB": on_duckdb,
    "pyarrow": as_pyarrow,
}


def same(found, wanted):
    """Whether two results are equal, to rounding in the order of sums."""
    if isinstance(wanted, pl.DataFrame):
        assert_frame_equal(found, wanted, rel_tol=1e-12, abs_tol=1e-12)
    else:
        assert found == wanted


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("measure", MEASURES)
def test_every_engine_gives_the_same(measure, engine):
    on = ENGINES[engine]
    same(measure(on(BOARD.scores), on(BOARD.questions)), measure(BOARD.scores, BOARD.questions))


def test_pandas_gives_the_same():
    pytest.importorskip("pandas", reason="pandas is not installed")
    for measure in MEASURES:
        same(measure(BOARD.scores.to_pandas(), BOARD.questions.to_pandas()), measure(BOARD.scores, BOARD.questions))


@BOARDS
@given(st.integers(0, 10**6), st.sampled_from(["session", "agency", None]), st.sampled_from([None, 1]))
def test_the_whole_evaluation_is_what_the_single_measures_give(seed, cluster, meaningful_gain):
    board = plain.random_board(seed, people=16, labels=False)
    board.answers = [one._replace(agency=one.agency or "None") for one in board.answers]
    given_to = board.scores, board.questions
    found = evaluate(*given_to, cluster, meaningful_gain, confidence=0.9)
    same(found.gain, knowledge_gain(*given_to, (), cluster, meaningful_gain, confidence=0.9))
    same(found.effect_sizes, effect_sizes(*given_to, cluster=cluster, confidence=0.9))
    same(found.tests, change_tests(*given_to))
    same(found.at_maximum, at_maximum(*given_to, confidence=0.9))
    same(found.by_starting_score, gain_by_starting_score(*given_to, cluster=cluster, confidence=0.9))
    same(found.assumptions, gain_under_assumptions(*given_to, cluster=cluster, confidence=0.9))
    same(found.answered_once, answered_once(*given_to, cluster=cluster, confidence=0.9))


@pytest.mark.parametrize("engine", ENGINES)
def test_bookings_on_every_engine_give_the_same(engine):
    on = ENGINES[engine]
    same(
        answers_given(on(BOARD.booked), on(BOARD.scores), on(BOARD.questions)),
        answers_given(BOARD.booked, BOARD.scores, BOARD.questions),
    )
    assert all_attended(on(BOARD.booked), on(BOARD.scores)) == all_attended(BOARD.booked, BOARD.scores)


@pytest.mark.parametrize("kind", [pl.Int64, pl.Int8, pl.UInt8, pl.UInt64, pl.Float32, pl.Decimal(8, 2)])
@pytest.mark.parametrize("measure", MEASURES)
def test_points_of_any_kind_of_number_are_counted(measure, kind):
    # Scales that begin below nought, turned round: −5 − 3 must not wrap round in numbers without a sign.
    items = plain.frame_of(
        [
            plain.Item("q1", "?", "choice", -5, 5, reversed=True),
            plain.Item("q2", "How sure?", "likert", 0, 100, reversed=True),
        ]
    )
    rows = [
        (f"s{person % 3}", f"p{person}", "Health", "Core", wave, item, (person * 7 + place) % 5)
        for person in range(14)
        for place, wave in enumerate(plain.WAVES)
        for item in ("q1", "q2")
    ]
    scores = pl.DataFrame(rows, schema=[*plain.Answer._fields], orient="row")
    same(measure(scores.with_columns(pl.col("score").cast(kind)), items), measure(scores, items))


SOME = plain.random_board(27, items=[plain.Item(f"q{n}", f"Q{n}?", "choice", 0, 5, n == 1) for n in (0, 1)], people=12)
FIRST = pl.int_range(pl.len()) == 0


@pytest.mark.parametrize("board", [BOARD, SOME])
def test_the_boards_looked_at_here_hold_enough_of_everything(board):
    gain = one_row(knowledge_gain(board.scores, board.questions))
    assert gain["lower"] is not None
    assert gain["n_clusters"] >= 3
    assert gain_under_assumptions(board.scores, board.questions).height >= 7
    assert follow_up_gains(board.scores, board.questions)["n_pairs"].min() >= 4
    assert rating_answers(BOARD.scores, BOARD.questions)["count"].sum() > 0


def first_is(column, value):
    return SOME.scores.with_columns(pl.when(FIRST).then(pl.lit(value)).otherwise(column).alias(column))


def with_items(**columns):
    return SOME.questions.with_columns(**columns)


BAD_TABLES = {
    "score NaN": (first_is("score", math.nan), SOME.questions, "scores: 1 of .* score"),
    "score infinite": (first_is("score", math.inf), SOME.questions, "scores: "),
    "score above its scale": (first_is("score", 5.5), SOME.questions, "minimum to maximum"),
    "score below its scale": (first_is("score", -0.5), SOME.questions, "minimum to maximum"),
    "score as text": (SOME.scores.with_columns(pl.col("score").cast(pl.String)), SOME.questions, "Wanted: numbers"),
    "score true or false": (SOME.scores.with_columns(pl.col("score") > 1), SOME.questions, "Wanted: numbers"),
    "wave unknown": (first_is("wave", "Post"), SOME.questions, 'Found: "Post"'),
    "wave empty": (first_is("wave", None), SOME.questions, "Found: empty"),
    "wave a number": (SOME.scores.with_columns(wave=pl.lit(1)), SOME.questions, "wave"),
    "item unknown": (first_is("item", "q9"), SOME.questions, '"q9"'),
    "item empty": (first_is("item", None), SOME.questions, "Found: empty"),
    "item a number in scores": (SOME.scores.with_columns(item=pl.lit(1)), SOME.questions, "item"),
    "item a number in items": (SOME.scores, with_items(item=pl.int_range(pl.len())), "item"),
    "person missing": (first_is("person", None), SOME.questions, "1 of .* no person"),
    "person blank": (
        SOME.scores.with_columns(person=pl.col("person").replace({SOME.answers[0].person: " "})),
        SOME.questions,
        "blank person",
    ),
    "question asked twice": (SOME.scores, pl.concat([SOME.questions, SOME.questions]), "items: 2 stand"),
    "maximum NaN": (SOME.scores, with_items(maximum=pl.lit(math.nan)), "items: "),
    "minimum infinite": (SOME.scores, with_items(minimum=pl.lit(-math.inf)), "items: "),
    "maximum as text": (SOME.scores, with_items(maximum=pl.col("maximum").cast(pl.String)), "items: .*maximum"),
    "reversed 0 or 1": (SOME.scores, with_items(reversed=pl.col("reversed").cast(pl.Int64)), "items: .*reversed"),
    "reversed as text": (SOME.scores, with_items(reversed=pl.lit("no")), "items: .*reversed"),
    "reversed empty": (SOME.scores, with_items(reversed=pl.lit(None, pl.Boolean)), "items: "),
    "no questions": (SOME.scores, SOME.questions.clear(), '"q0"'),
    **{
        f"scores without {column}": (SOME.scores.drop(column), SOME.questions, f"scores: column {column} missing")
        for column in ("session", "person", "wave", "item", "score")
    },
    **{
        f"items without {column}": (SOME.scores, SOME.questions.drop(column), f"items: column {column} missing")
        for column in ("item", "minimum", "maximum", "reversed")
    },
}


@pytest.mark.parametrize("bad", BAD_TABLES)
@pytest.mark.parametrize("measure", MEASURES)
def test_tables_that_no_score_can_be_made_of_are_refused_in_words(measure, bad):
    scores, items, message = BAD_TABLES[bad]
    if measure is rating_answers and "kind" in items.columns:
        items = items.with_columns(kind=pl.lit("likert"))
    refusal = TableError
    if measure is gain_by_course and bad == "no questions":
        refusal, message = ParameterError, "no question is asked in"
    with pytest.raises(refusal, match=message) as caught:
        measure(scores, items)
    said = str(caught.value)
    assert not any(re.search(rf"\b{person}\b", said) for person in SOME.scores["person"].unique())


@pytest.mark.parametrize("measure", MEASURES)
def test_an_answer_that_stands_twice_is_refused(measure):
    again = pl.concat([SOME.scores, SOME.scores.filter(wave="pre").head(1)])
    items = SOME.questions.with_columns(kind=pl.lit("likert")) if measure is rating_answers else SOME.questions
    with pytest.raises(TableError, match="hold an item more than once"):
        measure(again, items)


EMPTY_TABLES = {
    "no scores": (SOME.scores.clear(), SOME.questions),
    "no scores and no questions": (SOME.scores.clear(), SOME.questions.clear()),
    "no scores, of no kind": (pl.DataFrame({name: [] for name in SOME.scores.columns}), SOME.questions),
    "nothing, of no kind": tuple(
        pl.DataFrame({name: [] for name in table.columns}) for table in (SOME.scores, SOME.questions)
    ),
    "scores all empty": (SOME.scores.with_columns(score=pl.lit(None, pl.Float64)), SOME.questions),
    "scores all empty, of no kind": (SOME.scores.with_columns(score=pl.lit(None)), SOME.questions),
    "one person": (SOME.scores.filter(pl.col("person") == pl.col("person").min()), SOME.questions),
    "one answer": (SOME.scores.drop_nulls().head(1), SOME.questions),
}


@pytest.mark.parametrize("empty", EMPTY_TABLES)
@pytest.mark.parametrize("measure", MEASURES)
def test_empty_tables_and_single_people_are_answered(measure, empty):
    found = measure(*EMPTY_TABLES[empty])
    if isinstance(found, pl.DataFrame):
        for column in found.select(pl.col(pl.Float64)):
            assert column.drop_nulls().is_finite().all()
    else:
        assert all(value is None or math.isfinite(value) for value in found)


OWN_NAMES = [
    *("first", "second", "gain", "pre", "post", "follow_up", "then", "some_pre", "variance_pre", "total", "size"),
    *("squares", "least", "most", "points", "given", "times", "starting_score", "comparison", "spread", "count", "len"),
    *("n_pairs", "mean_change", "lower", "literal", "rows", "nobody", "endless", "answered", "item", "wave", "score"),
]


@pytest.mark.parametrize("name", OWN_NAMES)
def test_columns_called_as_a_measure_calls_its_own_are_refused_or_do_no_harm(name):
    if name in ("item", "wave", "score"):
        grouped = taught = SOME.scores
    else:
        grouped = SOME.scores.rename({"agency": name})
        taught = SOME.scores.with_columns(pl.col("session").alias(name))
    calls = [
        (lambda: knowledge_gain(grouped, SOME.questions, by=name), by_agency, True),
        (lambda: shrunken_gains(grouped, SOME.questions, name), shrunken_by_agency, True),
    ]
    calls += [
        (lambda measure=measure: measure(taught, SOME.questions, cluster=name), measure, False)
        for measure in (
            *(knowledge_gain, gain_by_starting_score, effect_sizes, answered_once, gain_under_assumptions),
            *(follow_up_gains, rating_gains),
        )
    ]
    said = []
    for call, measure, is_group in calls:
        try:
            found = call()
        except ParameterError as refused:
            said.append(str(refused))
            continue
        wanted = measure(SOME.scores, SOME.questions)
        found = found.rename({name: "agency"}) if is_group else found
        columns = [column for column in found.columns if column != "verdict"]
        same(found.select(columns), wanted.select(columns))
    assert all(f'"{name}"' in one for one in said)


@pytest.mark.parametrize(
    "options",
    [
        {"waves": ("pre", "pre")},
        {"waves": ("pre",)},
        {"waves": ("pre", "post", "post")},
        {"waves": ("pre", 3)},
        {"waves": ("pre", "later")},
        {"waves": "pre"},
        {"meaningful_gain": math.nan},
        {"meaningful_gain": math.inf},
        {"meaningful_gain": "2"},
        {"confidence": math.nan},
        {"confidence": 0},
        {"confidence": 1},
        {"confidence": "95%"},
        {"by": ("nothing",)},
        {"by": ("first",)},
        {"cluster": "second"},
    ],
)
def test_parameters_that_make_no_sense_are_refused(options):
    for scores in (SOME.scores, SOME.scores.clear()):
        with pytest.raises(ParameterError):
            knowledge_gain(scores, SOME.questions, **options)


@pytest.mark.parametrize(
    "bookings",
    [
        BOARD.booked.drop("status"),
        BOARD.booked.drop("person"),
        BOARD.booked.drop("session"),
        BOARD.booked.with_columns(pl.col("person").str.slice(1).cast(pl.Int64)),
    ],
)
def test_bookings_that_cannot_be_matched_are_refused(bookings):
    with pytest.raises(TableError):
        answers_given(bookings, BOARD.scores, BOARD.questions)
    with pytest.raises(TableError):
        all_attended(bookings, BOARD.scores)


def test_bookings_without_rows_are_answered_of_any_kind():
    untyped = pl.DataFrame({"session": [], "person": [], "status": []})
    found = answers_given(untyped, BOARD.scores, BOARD.questions)
    same(found, answers_given(BOARD.booked.clear(), BOARD.scores, BOARD.questions))
    assert all_attended(untyped, BOARD.scores)


def test_pairs_without_a_session_are_refused_only_where_sessions_matter():
    # One session alone, so that nobody stands twice in what is left.
    scores = SOME.scores.filter(session="s0").with_columns(session=pl.lit(None, pl.String))
    with pytest.raises(TableError, match="no session"):
        knowledge_gain(scores, SOME.questions)
    assert knowledge_gain(scores, SOME.questions, cluster=None)["n_pairs"].item() > 0


def numbers_of(found):
    return found if not isinstance(found, pl.DataFrame) else found.select(pl.exclude(pl.String))


@pytest.mark.parametrize("measure", [one for one in MEASURES if one is not given_in_bookings])
def test_new_names_another_order_and_two_halves_change_nothing(measure):
    wanted = measure(BOARD.scores, BOARD.questions)
    same(measure(BOARD.scores.sample(fraction=1, shuffle=True, seed=4), BOARD.questions), wanted)
    halves = pl.concat([BOARD.scores[1::2], BOARD.scores[::2]], rechunk=False)
    assert halves.n_chunks() > 1
    same(measure(halves, BOARD.questions), wanted)
    renamed = BOARD.scores.with_columns(
        pl.format("z{}", pl.col("person").str.reverse()).alias("person"),
        pl.format("a{}", pl.col("session").str.reverse()).alias("session"),
    )
    same(measure(renamed, BOARD.questions), wanted)


@pytest.mark.parametrize("step", [Fraction(1, 10), 1], ids=["tenths", "whole"])
@pytest.mark.parametrize("measure", MEASURES)
def test_the_same_table_gives_the_same_digits_each_time(measure, step):
    dice = random.Random(8)
    rows = [
        (f"s{person % 24}", f"p{person}", f"a{person % 7}", "Core", wave, "q0", float(dice.randint(0, 30) * step))
        for person in range(1500)
        for wave in plain.WAVES
    ]
    scores = pl.DataFrame(rows, schema=[*plain.Answer._fields], orient="row")
    items = plain.frame_of([plain.Item("q0", "?", "choice", 0, 30, reversed=False)])
    once = measure(scores, items)
    for _ in range(6):
        again = measure(scores, items)
        assert again.equals(once) if isinstance(once, pl.DataFrame) else again == once


def turned(scores, items, name):
    """An item answered the other way round, and said to be so: the same points."""
    one = items.filter(item=name)
    ends = one["minimum"].item() + one["maximum"].item()
    this = pl.col("item") == name
    return (
        scores.with_columns(pl.when(this).then(ends - pl.col("score")).otherwise("score").alias("score")),
        items.with_columns(pl.when(this).then(~pl.col("reversed")).otherwise("reversed").alias("reversed")),
    )


@pytest.mark.parametrize("measure", [one for one in MEASURES if one is not rating_answers])
def test_an_item_asked_the_other_way_round_changes_nothing(measure):
    same(measure(*turned(BOARD.scores, BOARD.questions, "q0")), measure(BOARD.scores, BOARD.questions))


SHIFTED = (
    "n_pairs",
    "mean_change",
    "lower",
    "upper",
    "standard_error",
    "n_up",
    "n_same",
    "n_down",
    "g_av",
    "g_av_upper",
)


@pytest.mark.parametrize("questions", [60, 400])
def test_long_questionnaires_of_reversed_questions_are_added_up(questions):
    names = [f"q{number}" for number in range(questions)]
    items = pl.DataFrame({"item": names, "minimum": 1, "maximum": 5, "reversed": True})
    rows = [("s1", "p1", wave, name, score) for wave, score in (("pre", 5), ("post", 3)) for name in names]
    scores = pl.DataFrame(rows, schema=["session", "person", "wave", "item", "score"], orient="row")
    found = one_row(knowledge_gain(scores, items))
    assert (found["mean_pre"], found["mean_post"]) == (1.0 * questions, 3.0 * questions)


@BOARDS
@given(st.integers(0, 10**6), st.integers(-1000, 1000))
def test_as_much_added_before_and_after_changes_no_gain(seed, constant):
    board = plain.random_board(seed, people=16)
    items = board.questions.with_columns(pl.col("minimum", "maximum") + constant)
    found = knowledge_gain(board.scores.with_columns(pl.col("score") + constant), items)
    wanted = knowledge_gain(board.scores, board.questions)
    assert_frame_equal(found.select(SHIFTED), wanted.select(SHIFTED), abs_tol=1e-9)


@BOARDS
@given(st.integers(0, 10**6))
def test_before_and_after_exchanged_turn_the_sign(seed):
    board = plain.random_board(seed, people=16)
    there = knowledge_gain(board.scores, board.questions).row(0, named=True)
    back = knowledge_gain(board.scores, board.questions, waves=("post", "pre")).row(0, named=True)
    swapped = {"mean_pre": "mean_post", "n_pre": "n_post", "n_up": "n_down"}
    swapped |= {theirs: ours for ours, theirs in swapped.items()}
    wanted = {name: there[swapped.get(name, name)] for name in there}
    signs = {"mean_change": "mean_change", "lower": "upper", "upper": "lower", "g_av": "g_av"}
    signs |= {"g_av_lower": "g_av_upper", "g_av_upper": "g_av_lower"}
    wanted |= {ours: None if there[theirs] is None else -there[theirs] for ours, theirs in signs.items()}
    assert all(plain.close(back[name], wanted[name]) for name in wanted), (back, wanted)


@pytest.mark.parametrize("cluster", ["session", None])
def test_a_hundred_thousand_pairs_around_a_million_keep_nine_digits(cluster):
    dice, pairs = random.Random(5), []
    for _ in range(100_000):
        before = dice.randint(0, 30)
        pairs.append((before, before + dice.randint(-2, 4), dice.randint(0, 19)))
    # Eighths have an exact binary form; in whole eighths the reference is exact.
    scores = pl.concat(
        pl.DataFrame(
            {
                "session": [f"s{pair[2]}" for pair in pairs],
                "person": [f"p{number}" for number in range(len(pairs))],
                "wave": [wave] * len(pairs),
                "item": ["score"] * len(pairs),
                "score": [1e6 + pair[place] / 8 for pair in pairs],
            }
        )
        for place, wave in enumerate(("pre", "post"))
    )
    items = ONE_ITEM.with_columns(maximum=pl.lit(2e6))
    found = one_row(knowledge_gain(scores, items, cluster=cluster))
    n = len(pairs)
    gains = [after - before for before, after, _ in pairs]
    mean = Fraction(sum(gains), n)
    if cluster:
        sums, sizes = Counter(), Counter()
        for gain, (_, _, session) in zip(gains, pairs, strict=True):
            sums[session] += gain
            sizes[session] += 1
        squared = sum((sums[one] - sizes[one] * mean) ** 2 / (1 - Fraction(sizes[one], n)) for one in sums) / n**2
    else:
        squared = (sum(gain * gain for gain in gains) - n * mean**2) / (n - 1) / n
    spread = sum(
        (sum(pair[place] ** 2 for pair in pairs) - Fraction(sum(pair[place] for pair in pairs) ** 2, n)) / (n - 1) / 2
        for place in (0, 1)
    )
    assert found["mean_change"] == pytest.approx(float(mean) / 8, rel=1e-12)
    assert found["standard_error"] == pytest.approx(math.sqrt(squared) / 8, rel=1e-9)
    wanted = (
        float(mean)
        / math.sqrt(spread)
        * math.exp(math.lgamma((n - 1) / 2) - math.log(math.sqrt((n - 1) / 2)) - math.lgamma((n - 2) / 2))
    )
    assert found["g_av"] == pytest.approx(wanted, rel=1e-8)
