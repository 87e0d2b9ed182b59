"""Clustered means against R (clubSandwich, lme4), written-out matrices, and simulated coverage."""

import json
import math
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from safeguarding_analytics.clustered import clustered_mean, random_effects, standard_errors
from safeguarding_analytics.errors import ParameterError

EVALUATION = Path(__file__).parents[2] / "shared" / "data" / "evaluation"
needs_shared = pytest.mark.skipif(not EVALUATION.exists(), reason="../shared is not beside the project")

# Extra hours of sleep under drug 2 over drug 1, of ten patients (Student 1908, Biometrika 6:1).
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]

CLUSTERS = st.lists(st.lists(st.integers(-9, 9), min_size=1, max_size=8), min_size=2, max_size=8)


def oracle(name):
    return json.loads((EVALUATION / "oracles.json").read_text())[name]


def gains(name):
    table = pl.read_csv(EVALUATION / "csv" / f"{name}.csv", infer_schema_length=None).drop_nulls(["pre", "post"])
    return table.with_columns((pl.col("post") - pl.col("pre")).cast(pl.Float64).alias("gain"))


def summed(clusters):
    """Sums, sizes and squares of clusters that are given value by value."""
    return (
        [sum(part) for part in clusters],
        [len(part) for part in clusters],
        sum(x * x for part in clusters for x in part),
    )


def thirteen_studies():
    table = gains("sai_calm_score")
    studies = table.group_by("study", maintain_order=True).agg(pl.col("gain").sum(), pl.len().alias("size"))
    return studies["gain"].to_list(), studies["size"].to_list(), (table["gain"] ** 2).sum()


def matrices_of_cr2(clusters):
    """CR2 and its degrees of freedom from the matrices of Bell & McCaffrey (2002), nothing simplified."""
    values = np.concatenate([np.array(part, dtype=float) for part in clusters])
    ones, n = np.ones((len(values), 1)), len(values)
    hat, bread = ones @ ones.T / n, 1 / n
    ends = np.cumsum([0, *map(len, clusters)])
    rows = [slice(*pair) for pair in pairwise(ends)]
    residuals, meat, made = values - values.mean(), 0.0, []
    for row in rows:
        size, vectors = np.linalg.eigh(np.eye(row.stop - row.start) - hat[row, row])
        adjusted = vectors @ np.diag(size**-0.5) @ vectors.T
        meat += float(ones[row, 0] @ adjusted @ residuals[row]) ** 2
        made.append(((np.eye(n) - hat)[row].T @ adjusted @ ones[row, 0]) * bread)
    products = np.array(made) @ np.array(made).T
    return math.sqrt(meat) * bread, np.trace(products) ** 2 / np.sum(products**2)


def restricted_likelihood(clusters, sd_between, sd_within):
    """Minus twice the restricted log likelihood, from the covariance matrix of all values."""
    values = np.concatenate([np.array(part, dtype=float) for part in clusters])
    whose = np.repeat(np.arange(len(clusters)), [len(part) for part in clusters])
    covariance = sd_between**2 * (whose[:, None] == whose) + sd_within**2 * np.eye(len(values))
    inverse = np.linalg.inv(covariance)
    information = inverse.sum()
    mean = inverse.sum(axis=0) @ values / information
    left = values - mean
    return np.linalg.slogdet(covariance)[1] + math.log(information) + left @ inverse @ left


@needs_shared
def test_standard_errors_equal_clubsandwich_on_thirteen_studies():
    expected, found = oracle("cluster_sai"), standard_errors(*thirteen_studies())
    for name in ("iid", "CR0", "CR1", "CR2", "CR3"):
        assert getattr(found, name.lower()) == pytest.approx(expected[f"se_{name}"], abs=1e-12)
    assert found.satterthwaite_df == pytest.approx(expected["CR2_df_satt"], rel=1e-9)


@needs_shared
def test_clustered_mean_gives_the_cr2_interval_of_clubsandwich():
    expected, found = oracle("cluster_sai"), clustered_mean(*thirteen_studies())
    assert found.mean == pytest.approx(expected["mean"], abs=1e-12)
    assert found.standard_error == pytest.approx(expected["se_CR2"], abs=1e-12)
    assert found.degrees_of_freedom == pytest.approx(expected["CR2_df_satt"], rel=1e-9)
    assert (found.lower, found.upper) == pytest.approx(expected["CR2_ci95"], abs=1e-9)


@needs_shared
@pytest.mark.parametrize("name", ["student_sleep", "darwin_zea_mays", "stata_fuel", "anorexia_FT", "anorexia_Cont"])
def test_one_cluster_gives_the_paired_t_interval_of_r(name):
    expected, gain = oracle(name), gains(name)["gain"]
    found = clustered_mean([gain.sum()], [len(gain)], (gain**2).sum())
    assert found.mean == pytest.approx(expected["mean_gain"], abs=1e-9)
    assert found.degrees_of_freedom == expected["t_test"]["df"]
    assert found.mean / found.standard_error == pytest.approx(expected["t_test"]["t"], abs=1e-9)
    assert (found.lower, found.upper) == pytest.approx(expected["t_test"]["ci95"], abs=1e-9)


def test_student_1908_as_published():
    # Help page of t.test in R: mean 1.58, interval 0.7001 to 2.4599.
    found = clustered_mean([sum(SLEEP)], [10], sum(hours * hours for hours in SLEEP))
    assert [round(found.mean, 2), round(found.lower, 4), round(found.upper, 4)] == [1.58, 0.7001, 2.4599]


@pytest.mark.parametrize("clusters", [[[1, 4], [2], [9, 9, 3]], [[0] * 30 + [1], [5, 2]], [[1, 2, 3], [4, 4, 9]]])
def test_cr2_and_its_degrees_of_freedom_equal_the_matrices_they_come_from(clusters):
    error, freedom = matrices_of_cr2(clusters)
    found = standard_errors(*summed(clusters))
    assert found.cr2 == pytest.approx(error, rel=1e-12)
    assert found.satterthwaite_df == pytest.approx(freedom, rel=1e-9)


def test_clusters_of_one_size_give_cr1_with_one_degree_of_freedom_less_than_clusters():
    # (1, 3), (2, 2), (0, 2), (4, 4): e = −0.5, −0.5, −2.5, 3.5; √(0.25 + 0.25 + 6.25 + 12.25)/8 × √(4/3).
    sums = summed([(1, 3), (2, 2), (0, 2), (4, 4)])
    found = clustered_mean(*sums)
    assert found.standard_error == pytest.approx(math.sqrt(19) / 8 * math.sqrt(4 / 3), rel=1e-14)
    assert found.standard_error == pytest.approx(standard_errors(*sums).cr1, rel=1e-14)
    assert found.degrees_of_freedom == 3.0
    # Student's t on 3 degrees of freedom, two-sided 95%: 3.182446 (any table).
    assert found.upper - found.mean == pytest.approx(3.182446 * found.standard_error, rel=1e-6)


def test_persons_as_their_own_clusters_give_the_one_sample_interval():
    # CR2 with clusters of one: √(Σe²/(1 − 1/n))/n = sd/√n.
    values = [1.0, 4.0, 2.0, 9.0]
    of_persons = clustered_mean(values, [1, 1, 1, 1], 0.0)
    in_one = clustered_mean([sum(values)], [4], sum(value * value for value in values))
    assert of_persons == pytest.approx(in_one)


def test_nobody_and_one_person_have_no_interval():
    assert clustered_mean([], [], 0.0) == (None, None, None, None, None)
    assert clustered_mean([0, 0], [0, 0], 0.0) == (None, None, None, None, None)
    assert clustered_mean([2.0], [1], 4.0) == (2.0, None, None, None, None)
    assert standard_errors([2.0], [1], 4.0) == (None,) * 6
    assert standard_errors([2.0, 4.0], [2, 0], 2.0)[1:] == (None,) * 5


def test_values_without_spread_have_no_width():
    for sums, sizes in (([6.0], [6]), ([2.0, 4.0], [2, 4])):
        found = clustered_mean(sums, sizes, 6.0)
        assert (found.standard_error, found.lower, found.upper) == (0.0, 1.0, 1.0)


def test_a_session_without_answers_changes_nothing():
    assert clustered_mean([4, 0, 9], [2, 0, 3], 40.0) == clustered_mean([4, 9], [2, 3], 40.0)
    assert random_effects([4, 0, 9], [2, 0, 3], 40.0)[:4] == random_effects([4, 9], [2, 3], 40.0)[:4]


@pytest.mark.parametrize("confidence", [0, 1, 95])
def test_confidence_outside_zero_to_one_is_refused(confidence):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        clustered_mean([1, 2], [1, 1], 5.0, confidence)


@settings(max_examples=60, deadline=None)
@given(CLUSTERS, st.randoms(use_true_random=False))
def test_order_of_clusters_changes_nothing(clusters, random):
    mixed = random.sample(clusters, len(clusters))
    assert clustered_mean(*summed(mixed)) == pytest.approx(clustered_mean(*summed(clusters)), rel=1e-12, abs=1e-12)


@settings(max_examples=60, deadline=None)
@given(CLUSTERS, st.integers(-20, 20))
def test_points_added_to_all_move_the_interval_and_turned_signs_mirror_it(clusters, points):
    found = clustered_mean(*summed(clusters))
    moved = clustered_mean(*summed([[value + points for value in part] for part in clusters]))
    mirrored = clustered_mean(*summed([[-value for value in part] for part in clusters]))
    near = {"rel": 1e-9, "abs": 1e-9}
    assert (moved.mean - points, moved.lower - points, moved.upper - points) == pytest.approx(
        (found.mean, found.lower, found.upper), **near
    )
    assert (-mirrored.mean, -mirrored.upper, -mirrored.lower) == pytest.approx(
        (found.mean, found.lower, found.upper), **near
    )


@settings(max_examples=60, deadline=None)
@given(CLUSTERS)
def test_standard_errors_grow_from_cr0_to_cr3_and_degrees_of_freedom_stay_below_clusters(clusters):
    found = standard_errors(*summed(clusters))
    assert found.cr0 <= found.cr1 + 1e-12
    assert found.cr0 <= found.cr2 + 1e-12
    assert found.cr2 <= found.cr3 + 1e-12
    assert 1 - 1e-9 <= found.satterthwaite_df <= len(clusters) - 1 + 1e-9


def coverage(sizes, correlation, runs, seed):
    """Share of intervals that hold the true mean, 0, where people of one session are alike to this degree."""
    draw, numbers = np.random.default_rng(seed), np.array(sizes)
    shape = (runs, len(sizes))
    shared, own = math.sqrt(correlation) * draw.normal(size=shape), math.sqrt(1 - correlation) * draw.normal(size=shape)
    sums = numbers * shared + np.sqrt(numbers) * own
    found = (clustered_mean(row, sizes, 0.0) for row in sums.tolist())
    return sum(mean.lower <= 0 <= mean.upper for mean in found) / runs


@pytest.mark.parametrize("sessions", [3, 12, 24])
def test_the_interval_holds_the_truth_as_often_as_it_says_with_sessions_of_one_size(sessions):
    # 50 people a session, intraclass correlation 0.05. An interval that ignores sessions holds it in 71 of 100.
    assert 0.94 <= coverage([50] * sessions, 0.05, 10_000, seed=1) <= 0.96


@pytest.mark.parametrize("sessions", [3, 12, 24])
def test_the_interval_holds_the_truth_about_as_often_with_sessions_of_ten_to_ninety(sessions):
    # A little too often with three sessions (96.3%), 94.6% with twelve, 94.8% with 24.
    sizes = np.linspace(10, 90, sessions).round().astype(int).tolist()
    assert 0.94 <= coverage(sizes, 0.05, 10_000, seed=2) <= 0.97


@needs_shared
def test_random_effects_equal_lme4_on_thirteen_studies():
    expected, found = oracle("cluster_sai")["reml"], random_effects(*thirteen_studies())
    assert (found.mean, found.standard_error, found.sd_between, found.sd_within) == pytest.approx(
        [expected[name] for name in ("mean", "se", "sd_between", "sd_within")], rel=1e-6
    )


@needs_shared
def test_random_effects_equal_lme4_where_nothing_lies_between_clusters():
    expected = oracle("Dyestuff2")
    table = pl.read_csv(EVALUATION / "csv" / "Dyestuff2.csv")
    batches = table.group_by("Batch", maintain_order=True).agg(pl.col("Yield").sum(), pl.len().alias("size"))
    found = random_effects(batches["Yield"].to_list(), batches["size"].to_list(), (table["Yield"] ** 2).sum())
    assert found.sd_between == 0.0
    assert (found.mean, found.standard_error, found.sd_within) == pytest.approx(
        [expected[name] for name in ("mean", "se", "sd_within")], rel=1e-6
    )
    assert found.shrunken == pytest.approx([found.mean] * 6, rel=1e-14)


def test_random_effects_of_clusters_of_one_size_are_those_of_analysis_of_variance():
    # (1, 3), (2, 2), (0, 2), (4, 4): means 2, 2, 1, 4; MSB = 2·(0.25² + 0.25² + 1.25² + 1.75²)/3 = 19/6, MSW = 4/4.
    found = random_effects(*summed([(1, 3), (2, 2), (0, 2), (4, 4)]))
    assert found.mean == pytest.approx(2.25, rel=1e-12)
    assert found.sd_within == pytest.approx(1, rel=1e-10)
    assert found.sd_between**2 == pytest.approx((19 / 6 - 1) / 2, rel=1e-10)
    assert found.standard_error == pytest.approx(math.sqrt(19 / 6 / 8), rel=1e-10)
    # Each mean keeps 1 − MSW/MSB = 13/19 of its distance from 2.25.
    assert found.shrunken == pytest.approx([2.25 + 13 / 19 * (mean - 2.25) for mean in (2, 2, 1, 4)], rel=1e-10)


@settings(max_examples=60, deadline=None)
@given(CLUSTERS)
def test_no_other_standard_deviations_make_the_values_likelier(clusters):
    found = random_effects(*summed(clusters))
    assume(found is not None and found.sd_within > 0)
    best = restricted_likelihood(clusters, found.sd_between, found.sd_within)
    for between in (0.0, 0.1, 0.7, 0.999, 1.001, 1.5, 10.0):
        for within in (0.5, 0.999, 1.001, 2.0):
            other = found.sd_between * between if found.sd_between else found.sd_within * between
            assert best <= restricted_likelihood(clusters, other, found.sd_within * within) + 1e-9


@settings(max_examples=60, deadline=None)
@given(CLUSTERS, st.integers(-20, 20))
def test_random_effects_move_and_mirror_with_the_values(clusters, points):
    found = random_effects(*summed(clusters))
    assume(found is not None)
    moved = random_effects(*summed([[points - value for value in part] for part in clusters]))
    assert moved.mean == pytest.approx(points - found.mean, abs=1e-7)
    assert moved[1:4] == pytest.approx(found[1:4], abs=1e-7)
    assert moved.shrunken == pytest.approx([points - mean for mean in found.shrunken], abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(CLUSTERS)
def test_shrunken_means_lie_between_their_own_and_the_overall_mean(clusters):
    found = random_effects(*summed(clusters))
    assume(found is not None)
    for part, shrunken in zip(clusters, found.shrunken, strict=True):
        low, high = sorted((sum(part) / len(part), found.mean))
        assert low - 1e-9 <= shrunken <= high + 1e-9


def test_what_lies_between_clusters_is_not_known_of_one_cluster_or_of_clusters_of_one():
    assert random_effects([], [], 0.0) is None
    assert random_effects([5], [3], 20.0) is None
    assert random_effects([1, 2, 4], [1, 1, 1], 21.0) is None


def test_clusters_whose_people_all_agree_are_not_shrunken():
    # Means 1, 2, 6: mean 3, standard deviation √((4 + 1 + 9)/2).
    found = random_effects([2, 6, 12], [2, 3, 2], 2 + 12 + 72)
    assert found[:4] == pytest.approx((3.0, math.sqrt(7 / 3), math.sqrt(7), 0.0), rel=1e-12)
    assert found.shrunken == (1.0, 2.0, 6.0)


def test_values_without_spread_have_no_random_effects():
    assert random_effects([2.0, 3.0], [2, 3], 5.0) == (1.0, 0.0, 0.0, 0.0, (1.0, 1.0))
    assert random_effects([0.0, 0.0], [2, 3], 0.0) == (0.0, 0.0, 0.0, 0.0, (0.0, 0.0))
    tenths = random_effects([0.1 + 0.1, 0.1 + 0.1 + 0.1], [2, 3], 5 * 0.1 * 0.1)
    assert tenths[1:4] == (0.0, 0.0, 0.0)


def test_squares_smaller_than_the_sums_allow_are_refused():
    with pytest.raises(ParameterError, match="squares: 3 is less"):
        random_effects([4, 9], [2, 3], 3.0)


def test_random_effects_of_very_unlike_and_very_alike_clusters_are_found():
    # One size, so analysis of variance gives the answer: means 0, 1000, 5000 and a variance within of 2e-6.
    clusters = [[mean - 1e-3, mean + 1e-3] for mean in (0.0, 1_000.0, 5_000.0)]
    found = random_effects(*summed(clusters))
    assert found.sd_between == pytest.approx(math.sqrt(7_000_000), rel=1e-6)
    assert found.shrunken == pytest.approx([0, 1_000, 5_000], abs=1e-3)
    # Between sessions the variance is smaller than chance alone makes it: exactly 0, as in 55 of 60 simulated sets.
    alike = random_effects(*summed([[-1.0, 1.1], [-1.1, 1.0], [-1.0, 1.0]]))
    assert alike.sd_between == 0.0
