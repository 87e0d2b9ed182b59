"""Knowledge gains against stored answers of R, arithmetic written out, and the inputs that break other packages."""

import json
import math
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.knowledge import FEWEST_PAIRS, knowledge_gain
from safeguarding_analytics.tables import MEAN_CHANGE, shape_of

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
    assert found["degrees_of_freedom"] == oracle["k"] - 1
    assert found["mean_change"] == pytest.approx(oracle["mean"], abs=1e-9)
    assert found["standard_error"] == pytest.approx(oracle["se_CR1"], abs=1e-9)
    # Student's t on 12 degrees of freedom, two-sided 95%: 2.178813 (any table).
    assert found["upper"] == pytest.approx(oracle["mean"] + 2.178813 * oracle["se_CR1"], abs=1e-7)


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
    assert found["standard_error"] / 20 == pytest.approx(evaluation_oracle("cluster_sai")["se_CR1"], abs=1e-9)


# Three sessions, twelve pairs; gains 1 2 3 2 | 0 1 1 2 | 3 5 4 0, sums 8, 4, 12, mean 24/12 = 2.
THREE_SESSIONS = {
    "s1": [(1, 2), (2, 4), (0, 3), (3, 5), (4, None)],
    "s2": [(5, 5), (1, 2), (2, 3), (0, 2)],
    "s3": [(1, 4), (0, 5), (2, 6), (3, 3), (None, 4), (None, 5)],
}


def test_clustered_interval_by_hand():
    # Deviations of the sums from 4 × 2: 0, −4, 4; CR1 = √(0 + 16 + 16)/12 × √(3/2) = √48/12 = 0.5773503 = 1/√3.
    # Student's t on 2 degrees of freedom, two-sided 95%: 4.3026527; 2 ± 2.4841377.
    # Pre of the pairs: (1+2+0+3) + (5+1+2+0) + (1+0+2+3) = 20, 20/12; post 20 + 24 = 44, 44/12.
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
        },
        schema_overrides={"verdict": pl.String},
    )
    found = knowledge_gain(paired(THREE_SESSIONS), ONE_ITEM)
    assert_frame_equal(found, expected, abs_tol=1e-7)
    assert found.columns == list(MEAN_CHANGE.columns)
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
    assert_frame_equal(found, expected)


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
    assert [found[column] for column in (*NO_INTERVAL, "verdict")] == [None] * 5


def test_everyone_gaining_the_same_decimals_is_no_spread():
    # 0.3 − 0.2 and 0.4 − 0.3 differ in their last binary digits, not in points; 0.1 × 12 is not 1.2 either.
    scores = paired({"s1": [(0.2, 0.3), (0.3, 0.4)] * 6, "s2": [(0.7, 0.8)] * 6})
    for cluster in ("session", None):
        found = one_row(knowledge_gain(scores, ONE_ITEM, cluster=cluster))
        assert found["mean_change"] == pytest.approx(0.1)
        assert [found[column] for column in NO_INTERVAL] == [None] * 4


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
    assert found == {name: 0 if name in zero else None for name in MEAN_CHANGE.columns}
    by_agency = knowledge_gain(EMPTY, ONE_ITEM, by="agency")
    assert by_agency.columns == ["agency", *MEAN_CHANGE.columns]
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
