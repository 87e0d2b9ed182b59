"""Two-wave maximum likelihood against R (nlme), and against the likelihood of all answers written out."""

import json
import math
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.two_waves import two_wave_change

EVALUATION = Path(__file__).parents[2] / "shared" / "data" / "evaluation"
needs_shared = pytest.mark.skipif(not EVALUATION.exists(), reason="../shared is not beside the project")

# Student 1908, Biometrika 6:1: hours of sleep gained under drug 1 and drug 2, of ten patients.
SLEEP = [(0.7, 1.9), (-1.6, 0.8), (-0.2, 1.1), (-1.2, 0.1), (-0.1, -0.1), (3.4, 4.4), (3.7, 5.5), (0.8, 1.6),
         (0.0, 4.6), (2.0, 3.4)]  # fmt: skip

SCORE = st.integers(0, 9)
PAIRS = st.lists(st.tuples(SCORE, SCORE), min_size=3, max_size=12)
SINGLES = st.lists(SCORE, max_size=8)


def oracle(name):
    return json.loads((EVALUATION / "oracles.json").read_text())[name]


def answers(name):
    """Pairs, answers before only and answers after only of a stored set."""
    table = pl.read_csv(EVALUATION / "csv" / f"{name}.csv", infer_schema_length=None)
    before, after = pl.col("pre"), pl.col("post")
    pairs = table.drop_nulls(["pre", "post"]).select("pre", "post").to_numpy()
    only = (table.filter(after.is_null()), "pre"), (table.filter(before.is_null()), "post")
    return pairs, *(part[wave].drop_nulls().to_numpy() for part, wave in only)


def likelihood(pairs, before_only, after_only):
    """Minus twice the restricted log likelihood of three numbers, from the matrices of generalised least squares.

    The three are the logarithms of both standard deviations and the inverse hyperbolic tangent of the correlation.
    Gives the value, the two means and their covariance.
    """
    groups = [(np.array(pairs, dtype=float).reshape(-1, 2), [0, 1])]
    groups += [
        (np.array(part, dtype=float).reshape(-1, 1), [wave]) for wave, part in ((0, before_only), (1, after_only))
    ]

    def at(place):
        first, second, correlation = math.exp(place[0]), math.exp(place[1]), math.tanh(place[2])
        whole = np.array([[first**2, first * second * correlation], [first * second * correlation, second**2]])
        information, weighted, value = np.zeros((2, 2)), np.zeros(2), 0.0
        for values, waves in groups:
            design, covariance = np.eye(2)[waves], whole[np.ix_(waves, waves)]
            inverse = np.linalg.inv(covariance)
            information += len(values) * design.T @ inverse @ design
            weighted += design.T @ inverse @ values.sum(axis=0)
            value += len(values) * np.linalg.slogdet(covariance)[1] + np.sum(values @ inverse * values)
        means = np.linalg.solve(information, weighted)
        return value - means @ weighted + np.linalg.slogdet(information)[1], means, np.linalg.inv(information)

    return at


@needs_shared
def test_unpaired_answers_of_thirteen_studies_as_in_nlme():
    expected = oracle("unpaired_sai")["mmrm_gls_unstructured_REML"]
    found = two_wave_change(*answers("sai_calm_score"))
    assert found.n_people == oracle("unpaired_sai")["n_people"]
    assert found.change == pytest.approx(expected["gain"], rel=1e-6)
    assert found.correlation == pytest.approx(expected["rho"], rel=1e-6)
    # gls stops a little before the highest point: its error differs by 1.1 millionths. See the next test.
    assert found.standard_error == pytest.approx(expected["se"], rel=2e-6)


@needs_shared
def test_partial_sleep_as_in_nlme():
    expected = oracle("partial_sleep")["gls_unstructured_REML"]
    found = two_wave_change(*answers("partial_sleep"))
    assert (found.change, found.standard_error) == pytest.approx((expected["gain"], expected["se"]), rel=1e-6)
    assert found.n_people == 12


def highest_point(parts):
    """Change, error and correlation at the highest point of the likelihood, searched by other means."""
    at = likelihood(*parts)
    pairs = np.array(parts[0], dtype=float)
    start = [*np.log(pairs.std(axis=0)), math.atanh(np.corrcoef(pairs.T)[0, 1])]
    options = {"xatol": 1e-9, "fatol": 1e-13, "maxiter": 5_000, "maxfev": 5_000}
    place = minimize(lambda place: at(place)[0], start, method="Nelder-Mead", options=options).x
    _, means, covariance = at(place)
    contrast = np.array([-1, 1])
    return contrast @ means, math.sqrt(contrast @ covariance @ contrast), math.tanh(place[2])


@pytest.mark.parametrize(
    ("before_only", "after_only"),
    [([1.0, 2.5], [4.0]), ([0.0, 9.0, 3.0, 3.5], []), ([], [8.0, 1.0]), ([5.0], [2.0, 2.0, 7.0, 9.0])],
)
def test_the_answer_is_the_highest_point_of_the_likelihood_of_all_answers(before_only, after_only):
    # The search by simplex is good to about the root of the floating-point precision.
    parts = SLEEP, before_only, after_only
    assert two_wave_change(*parts)[:3] == pytest.approx(highest_point(parts), rel=2e-6)


@needs_shared
def test_the_highest_point_lies_here_and_not_where_gls_stopped():
    parts = answers("sai_calm_score")
    found, searched = two_wave_change(*parts), highest_point(parts)
    assert found[:3] == pytest.approx(searched, rel=2e-7)
    expected = oracle("unpaired_sai")["mmrm_gls_unstructured_REML"]["se"]
    assert abs(found.standard_error - searched[1]) < abs(expected - searched[1]) / 3


def test_pairs_alone_give_the_paired_t_test():
    # Student 1908: mean 1.58, and t = 4.062128 as in the help page of t.test in R.
    found = two_wave_change(SLEEP, [], [])
    assert found.change == pytest.approx(1.58, rel=1e-12)
    assert found.change / found.standard_error == pytest.approx(4.062127683382, rel=1e-10)
    assert found.correlation == pytest.approx(0.7951702058336, rel=1e-10)
    assert found.n_people == 10


def test_answers_before_only_shift_the_mean_before_by_regression():
    # Where only answers after are missing, the mean after is the regression on all answers before (Anderson 1957),
    # the slope being that of the pairs; so it is for restricted likelihood.
    pairs = np.array(SLEEP)
    before_only = [1.0, 5.0, 2.0, 4.0]
    slope = np.cov(pairs.T)[0, 1] / pairs[:, 0].var(ddof=1)
    of_all = np.mean([*pairs[:, 0], *before_only])
    after = pairs[:, 1].mean() + slope * (of_all - pairs[:, 0].mean())
    assert two_wave_change(SLEEP, before_only, []).change == pytest.approx(after - of_all, rel=1e-10)


def test_uncorrelated_waves_are_two_independent_means():
    # Correlation exactly 0 by symmetry: each wave has its own mean of all its answers.
    pairs = [(0, 0), (0, 2), (2, 0), (2, 2)]
    found = two_wave_change(pairs, [0, 2], [0, 2, 1])
    assert found.correlation == pytest.approx(0, abs=1e-12)
    assert found.change == pytest.approx(0, abs=1e-12)
    # Squares about the means: 6 of 6 answers and 6 of 7, each over one less.
    assert found.standard_error == pytest.approx(math.sqrt(6 / 5 / 6 + 6 / 6 / 7), rel=1e-2)


@settings(max_examples=25, deadline=None)
@given(PAIRS, SINGLES, SINGLES)
def test_no_answer_near_by_is_likelier(pairs, before_only, after_only):
    found = two_wave_change(pairs, before_only, after_only)
    assume(found is not None)
    at = likelihood(pairs, before_only, after_only)
    place = best_place(at, found)
    best, means, covariance = at(place)
    assert means[1] - means[0] == pytest.approx(found.change, abs=1e-4)
    assert covariance[0, 0] + covariance[1, 1] - 2 * covariance[0, 1] == pytest.approx(
        found.standard_error**2, rel=1e-3
    )
    for nudge in np.vstack([np.eye(3), -np.eye(3)]) * 0.05:
        assert best <= at(place + nudge)[0] + 1e-7


def best_place(at, found):
    """The standard deviations that go best with the correlation found."""
    correlation = math.atanh(found.correlation)
    options = {"xatol": 1e-7, "fatol": 1e-12, "maxiter": 2_000}
    tried = minimize(lambda place: at([*place, correlation])[0], [0.5, 0.5], method="Nelder-Mead", options=options)
    return np.array([*tried.x, correlation])


@settings(max_examples=40, deadline=None)
@given(PAIRS, SINGLES, SINGLES, st.integers(-20, 20), st.integers(1, 9))
def test_moving_scaling_and_swapping_waves_does_the_same_to_the_change(pairs, before_only, after_only, points, factor):
    found = two_wave_change(pairs, before_only, after_only)
    assume(found is not None)
    near = {"rel": 1e-6, "abs": 1e-7}
    moved = two_wave_change(
        [(before * factor + points, after * factor + points) for before, after in pairs],
        [value * factor + points for value in before_only],
        [value * factor + points for value in after_only],
    )
    assert moved[:3] == pytest.approx((found[0] * factor, found[1] * factor, found[2]), **near)
    swapped = two_wave_change([(after, before) for before, after in pairs], after_only, before_only)
    assert swapped[:3] == pytest.approx((-found[0], found[1], found[2]), **near)


@settings(max_examples=40, deadline=None)
@given(PAIRS, SINGLES, SINGLES, st.randoms(use_true_random=False))
def test_order_of_people_changes_nothing(pairs, before_only, after_only, random):
    found = two_wave_change(pairs, before_only, after_only)
    assume(found is not None)
    mixed = (random.sample(part, len(part)) for part in (pairs, before_only, after_only))
    assert two_wave_change(*mixed) == pytest.approx(found, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("seed", range(30))
def test_few_pairs_that_contradict_many_single_answers_still_settle(seed):
    draw = np.random.default_rng(seed)
    before_only, after_only = (
        draw.normal(size=int(10 ** draw.uniform(0, 4))) * 10 ** draw.uniform(-2, 2) + 10 * draw.normal() for _ in "ab"
    )
    pairs = np.round(draw.normal(size=(int(draw.integers(3, 9)), 2)) * 3)
    found = two_wave_change(pairs, before_only, after_only)
    if found is not None:
        assert -1 < found.correlation < 1
        assert found.standard_error > 0


@pytest.mark.parametrize(
    "pairs",
    [
        [],
        [(1, 2), (2, 4)],
        [(1, 2), (1, 3), (1, 5)],
        [(1, 4), (2, 4), (5, 4)],
        [(1, 2), (2, 3), (5, 6), (7, 8)],
        [(0.1, 0.3), (0.2, 0.4), (0.7, 0.9), (0.3, 0.5)],
        [(1, 9), (2, 8), (5, 5)],
        [(1, 2), (2, 3), (5, 6.0001), (7, 8)],
    ],
)
def test_too_few_pairs_and_pairs_without_spread_have_no_answer(pairs):
    assert two_wave_change(pairs, [1, 2, 3], [4, 5]) is None


def test_all_but_one_of_thousands_gaining_the_same_have_an_answer():
    # 2,000 people of whom one gained 2 and the others 1: the change is 1 + 1/2000, its error 1/2000.
    pairs = [(score % 10, score % 10 + 1) for score in range(1_999)] + [(5, 7)]
    found = two_wave_change(pairs, [3.0], [6.0])
    assert found.change == pytest.approx(1 + 1 / 2_000, abs=1e-5)
    assert found.standard_error == pytest.approx(1 / 2_000, rel=1e-2)


def test_arrays_and_lists_give_the_same():
    assert two_wave_change(np.array(SLEEP), np.array([1.0]), np.array([])) == two_wave_change(SLEEP, [1.0], [])


def test_missing_answers_are_refused():
    with pytest.raises(ParameterError, match="2 answers are missing or not finite"):
        two_wave_change([*SLEEP, (1.0, math.nan)], [math.inf], [])


def test_a_search_that_has_not_settled_says_so_and_gives_no_number():
    with pytest.raises(ParameterError, match=r"10 pairs, 2 people .* not settled within 1 steps"):
        two_wave_change(SLEEP, [1.0, 9.0], [4.0], most_steps=1)
