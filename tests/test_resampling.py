"""Intervals that allow for skew against R (boot), scipy's BCa, and the formulas written out."""

import json
import math
from collections import Counter
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import bootstrap, norm

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.resampling import abc_interval, bca_interval

EVALUATION = Path(__file__).parents[2] / "shared" / "data" / "evaluation"
needs_shared = pytest.mark.skipif(not EVALUATION.exists(), reason="../shared is not beside the project")
SETS = ["student_sleep", "darwin_zea_mays", "stata_fuel", "anorexia_FT", "anorexia_Cont", "sai_calm_score",
        "partial_sleep", "ugly_fall", "ugly_post_ceiling", "ugly_pratt_ties", "ugly_n2"]  # fmt: skip
WITHOUT_SPREAD = ["ugly_all_zero", "ugly_constant_gain", "ugly_constant_scores", "ugly_all_ceiling", "ugly_n1"]

# Student 1908, Biometrika 6:1: extra hours of sleep under drug 2 over drug 1.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
# Stata manual [R] signrank, fuel.dta: miles per gallon with and without the additive.
FUEL = [4, 2, 0, -3, 5, 1, -1, 4, 4, 3, -2, 4]

GAINS = st.lists(st.integers(-4, 4), min_size=2, max_size=30)


def oracle(name):
    return json.loads((EVALUATION / "oracles.json").read_text())[name]


def gains(name):
    table = pl.read_csv(EVALUATION / "csv" / f"{name}.csv", infer_schema_length=None)
    return (
        table.drop_nulls(["pre", "post"]).select(pl.col("post") - pl.col("pre")).to_series().cast(pl.Float64).to_list()
    )


def counted(values):
    """Distinct values and their counts."""
    counts = Counter(values)
    return list(counts), list(counts.values())


def standard_error(values):
    return np.std(values, ddof=1) / math.sqrt(len(values))


def one_step(values):
    """The distance of neighbouring means of as many people drawn anew, where gains are whole numbers."""
    whole = np.array(values) * 20
    return np.gcd.reduce(np.round(whole).astype(int)) / 20 / len(values)


@needs_shared
@pytest.mark.parametrize("name", SETS)
def test_abc_is_within_a_thousandth_of_a_standard_error_of_r(name):
    # R's abc.ci takes slopes by differences; the closed form has none, so 0.0008 standard errors lie between them.
    values = gains(name)
    assert abc_interval(*counted(values)) == pytest.approx(
        oracle(name)["abc_ci_deterministic"], abs=1e-3 * standard_error(values)
    )


@pytest.mark.parametrize(
    ("values", "expected"),
    [(SLEEP, (1.051144558494, 2.640675462212)), (FUEL, (0.1151616122501, 3.068339886573))],
)
def test_abc_of_published_tables_is_that_of_r(values, expected):
    # boot::abc.ci of R on the same gains.
    assert abc_interval(*counted(values)) == pytest.approx(expected, abs=1e-6)


@settings(max_examples=100, deadline=None)
@given(GAINS, st.floats(0.5, 0.99))
def test_abc_is_its_formula_on_a_stream_of_moments(values, confidence):
    assume(len(set(values)) > 1)
    n = mean = second = third = 0
    for value in values:  # Terriberry's one pass over the values
        n += 1
        delta = value - mean
        share = delta / n
        third += delta * share * share * (n - 1) * (n - 2) - 3 * share * second
        second += delta * share * (n - 1)
        mean += share
    a, sigma, z = third / (6 * second**1.5), math.sqrt(second) / n, norm.ppf(0.5 + confidence / 2)
    expected = [mean + sigma * w / (1 - a * w) ** 2 for w in (a - z, a + z)]
    assert abc_interval(*counted(values), confidence) == pytest.approx(expected, rel=1e-9, abs=1e-9)


def test_gains_spread_alike_to_both_sides_give_the_plain_normal_interval():
    # a = 0: mean ± 1.959964·√(Σe²)/n; Σe² = 20.
    assert abc_interval([-1, 1], [10, 10]) == pytest.approx(
        (-1.959964 * 20**0.5 / 20, 1.959964 * 20**0.5 / 20), rel=1e-6
    )


def test_a_fall_with_skew_reaches_further_down_than_up():
    lower, upper = abc_interval([-5, 0, 1], [2, 10, 8])
    mean = -2 / 20
    assert mean - lower > upper - mean


@needs_shared
@pytest.mark.parametrize("name", SETS)
def test_bca_equals_scipy_to_a_tenth_of_a_standard_error(name):
    # Both count resampled means equal to the mean half; 10,000 resamples there, 100,000 here.
    values = gains(name)
    found = bca_interval(*counted(values), resamples=100_000, seed=1)
    assert found == pytest.approx(oracle(name)["python"]["scipy_boot_bca_10000"], abs=0.1 * standard_error(values))


@needs_shared
@pytest.mark.parametrize("name", SETS)
def test_bca_equals_r_to_a_tenth_of_a_standard_error_or_one_possible_mean(name):
    # R does not count resampled means equal to the mean half, so that with few distinct gains its ends jump to the next
    # possible mean: on ugly_fall −0.5 against −0.375, on stata_fuel 0 and 3 against 1/12 and 37/12.
    values = gains(name)
    found = bca_interval(*counted(values), resamples=100_000, seed=1)
    allowed = max(0.1 * standard_error(values), one_step(values)) + 1e-9
    assert found == pytest.approx(oracle(name)["boot_bca_10000_seed1"]["bca"], abs=allowed)


def test_bca_is_within_one_possible_mean_of_the_whole_bootstrap_distribution():
    # All 12¹² resamples of the fuel table: the distribution of a sum of twelve draws, gain by gain.
    n, mean = len(FUEL), sum(FUEL) / 12
    one = np.bincount(np.array(FUEL) + 3, minlength=9) / n
    whole = np.ones(1)
    for _ in range(n):
        whole = np.convolve(whole, one)
    means = np.arange(len(whole)) / n - 3
    middle = norm.ppf(whole[means < mean - 1e-9].sum() + whole[abs(means - mean) < 1e-9].sum() / 2)
    deviations = np.array(FUEL) - mean
    a = (deviations**3).sum() / (6 * (deviations**2).sum() ** 1.5)
    for end, z in zip(bca_interval(*counted(FUEL), seed=1), (-1.959964, 1.959964), strict=True):
        place = norm.cdf(middle + (middle + z) / (1 - a * (middle + z)))
        assert end == pytest.approx(means[np.searchsorted(np.cumsum(whole), place)], abs=1 / n + 1e-9)


@pytest.mark.parametrize("values", [SLEEP, FUEL])
def test_bca_of_published_tables_equals_scipy_computed_here(values):
    expected = bootstrap((np.array(values),), np.mean, n_resamples=40_000, method="BCa", rng=np.random.default_rng(5))
    found = bca_interval(*counted(values), resamples=40_000, seed=5)
    allowed = max(0.1 * standard_error(values), one_step(values)) + 1e-9
    assert found == pytest.approx(tuple(expected.confidence_interval), abs=allowed)


def test_bca_works_where_every_gain_is_another():
    values = np.random.default_rng(3).gamma(2.0, size=1_500).tolist()
    found = bca_interval(values, [1] * len(values), resamples=5_000, seed=1)
    # With so many people skew hardly matters: ABC is the same interval.
    assert found == pytest.approx(abc_interval(values, [1] * len(values)), abs=0.1 * standard_error(values))


def test_bca_of_100_thousand_people_draws_counts_and_not_people():
    values, counts = [-2, -1, 0, 1, 2, 3], [5_000, 10_000, 20_000, 30_000, 25_000, 10_000]
    people = np.repeat(values, counts)
    assert bca_interval(values, counts, seed=2) == pytest.approx(
        abc_interval(values, counts), abs=0.1 * standard_error(people)
    )


def test_the_same_seed_gives_the_same_interval():
    found = bca_interval([0, 1, 5], [9, 9, 9], seed=4)
    assert bca_interval([5, 0, 1], [9, 9, 9], seed=4) == found
    assert bca_interval([5, 1, 0] * 9, [1] * 27, seed=4) == found


@needs_shared
@pytest.mark.parametrize("name", WITHOUT_SPREAD)
def test_sets_without_spread_have_no_interval(name):
    values = counted(gains(name))
    assert abc_interval(*values) is None
    assert bca_interval(*values, seed=1) is None


@pytest.mark.parametrize(
    ("values", "counts"),
    [([], []), ([3], [1]), ([1], [4]), ([0], [9]), ([1, 2], [7, 0]), ([0.3 - 0.2, 0.1], [5, 5])],
)
def test_too_few_people_and_no_spread_have_no_interval(values, counts):
    assert abc_interval(values, counts) is None
    assert bca_interval(values, counts, seed=1) is None


def test_two_people_have_an_interval_as_in_r():
    # boot::abc.ci(c(0, 2)): −0.3859 to 2.3859. Mean 1, Σe² = 2, a = 0: 1 ± 1.959964·√2/2.
    assert abc_interval([0, 2], [1, 1]) == pytest.approx((-0.3859038, 2.3859038), abs=1e-6)


@settings(max_examples=60, deadline=None)
@given(GAINS, st.integers(-9, 9))
def test_intervals_move_and_mirror_with_the_gains(values, points):
    assume(len(set(values)) > 1)
    lower, upper = abc_interval(*counted(values))
    assert lower < sum(values) / len(values) < upper
    assert abc_interval(*counted([value + points for value in values])) == pytest.approx(
        (lower + points, upper + points), abs=1e-9
    )
    assert abc_interval(*counted([-value for value in values])) == pytest.approx((-upper, -lower), abs=1e-9)


@settings(max_examples=60, deadline=None)
@given(GAINS)
def test_one_row_per_person_or_per_gain_makes_no_difference(values):
    assume(len(set(values)) > 1)
    assert abc_interval(values, [1] * len(values)) == pytest.approx(abc_interval(*counted(values)), abs=1e-12)


def test_bca_ends_are_means_that_can_be_drawn():
    # Eight people who lose a point or not: every mean is a whole number of eighths.
    ends = bca_interval([-1, 0], [6, 2], seed=1)
    assert ends == pytest.approx([round(end * 8) / 8 for end in ends], abs=1e-12)
    assert -1 <= ends[0] < ends[1] <= 0


def test_bad_parameters_are_refused():
    with pytest.raises(ParameterError, match="between 0 and 1"):
        abc_interval([1, 2], [1, 1], 95)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        bca_interval([1, 2], [1, 1], seed=1, confidence=1.0)
    with pytest.raises(ParameterError, match="99 are too few"):
        bca_interval([1, 2], [1, 1], seed=1, resamples=99)
    with pytest.raises(ParameterError, match="2 and 1 values"):
        abc_interval([1, 2], [1])
