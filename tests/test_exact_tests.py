"""Exact tests against R (coin, exactRankTests), every flip of signs written out, and whole-number arithmetic."""

import json
import math
from collections import Counter
from fractions import Fraction
from itertools import product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, rankdata
from scipy.stats import wilcoxon as scipy_wilcoxon

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.exact_tests import holm, rank_biserial, sign_test, wilcoxon

EVALUATION = Path(__file__).parents[2] / "shared" / "data" / "evaluation"
needs_shared = pytest.mark.skipif(not EVALUATION.exists(), reason="../shared is not beside the project")
SETS = ["student_sleep", "darwin_zea_mays", "stata_fuel", "anorexia_FT", "anorexia_Cont", "partial_sleep", "ugly_n2",
        "ugly_fall", "ugly_constant_gain", "ugly_post_ceiling", "ugly_pratt_ties"]  # fmt: skip

# Student 1908, Biometrika 6:1: extra hours of sleep under drug 2 over drug 1.
SLEEP = [1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]
# Darwin 1876, The effects of cross and self fertilisation; Fisher 1935, The design of experiments, ch. 3:
# crossed minus self-fertilised maize, in eighths of an inch.
ZEA_MAYS = [49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48]
# Stata manual [R] signrank, fuel.dta: miles per gallon with and without the additive.
FUEL = [4, 2, 0, -3, 5, 1, -1, 4, 4, 3, -2, 4]

GAINS = st.lists(st.integers(-3, 3), min_size=1, max_size=9)


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


def every_flip(values, zeros):
    """The exact p-value by trying all signs, in fractions."""
    kept = np.array([value for value in values if zeros == "pratt" or value])
    ranks, signs = (rankdata(abs(kept)) * 2).astype(int)[kept != 0], np.sign(kept[kept != 0])
    seen = abs(int(ranks @ signs))
    flips = [abs(sum(rank * sign for rank, sign in zip(ranks, flip, strict=True))) >= seen
             for flip in product((-1, 1), repeat=len(ranks))]  # fmt: skip
    return float(Fraction(sum(flips), len(flips)))


@pytest.mark.parametrize(
    ("values", "dropped", "pratt", "biserial"),
    [
        # p-values of coin and exactRankTests; Stata prints z = 1.973, p = .0485 for fuel with its zero ranked.
        (SLEEP, 0.00390625, 0.00390625, 1),
        (ZEA_MAYS, 0.041259765625, 0.041259765625, 0.6),
        (FUEL, 0.046875, 0.0478515625, 0.6818181818181818),
    ],
)
def test_published_tables_give_the_exact_p_values_of_r(values, dropped, pratt, biserial):
    assert wilcoxon(*counted(values)).p_value == pytest.approx(dropped, rel=1e-12)
    assert wilcoxon(*counted(values), zeros="pratt").p_value == pytest.approx(pratt, rel=1e-12)
    assert rank_biserial(*counted(values)) == pytest.approx(biserial, rel=1e-12)


def test_fuel_with_its_zero_ranked_as_the_stata_manual_prints_it():
    found = wilcoxon(*counted(FUEL), zeros="pratt", exact=False)
    assert (round(found.z, 3), round(found.p_value, 4)) == (1.973, 0.0485)


@needs_shared
@pytest.mark.parametrize("name", SETS)
def test_wilcoxon_equals_coin_and_exact_rank_tests(name):
    expected, values = oracle(name), counted(gains(name))
    dropped, pratt = wilcoxon(*values), wilcoxon(*values, zeros="pratt")
    assert dropped.statistic == expected["wilcoxon_exact_zeros_dropped_exactRankTests"]["V"]
    assert dropped.p_value == pytest.approx(expected["wilcoxon_exact_zeros_dropped_exactRankTests"]["p"], rel=1e-9)
    for found, kind in ((dropped, "zeros_dropped_coin"), (pratt, "pratt_coin")):
        assert found.exact
        assert found.z == pytest.approx(expected[f"wilcoxon_exact_{kind}"]["Z"], rel=1e-9)
        assert found.p_value == pytest.approx(expected[f"wilcoxon_exact_{kind}"]["p"], rel=1e-9)
    normal = wilcoxon(*values, zeros="pratt", exact=False)
    assert not normal.exact
    assert normal.p_value == pytest.approx(expected["wilcoxon_asymptotic_pratt_coin"]["p"], rel=1e-9)
    assert rank_biserial(*values) == pytest.approx(expected["rank_biserial_zeros_dropped"], rel=1e-9)
    assert dropped.n == expected["n_up"] + expected["n_down"]


@needs_shared
@pytest.mark.parametrize("name", [*SETS, "sai_calm_score"])
def test_sign_test_equals_r(name):
    expected = oracle(name)
    assert sign_test(expected["n_up"], expected["n_down"]) == pytest.approx(expected["sign_test_p"], rel=1e-9)


def as_r_sees_them(values):
    """Whole numbers in the order of sizes in which no two floating-point sizes are taken for one."""
    places = {size: place for place, size in enumerate(sorted({abs(value) for value in values} | {0.0}))}
    return [int(math.copysign(places[abs(value)], value)) for value in values]


@needs_shared
def test_wilcoxon_of_1041_pairs_that_differ_is_exact_far_out_in_the_tail():
    # R compares floating-point numbers as they are: 3.2 − 3.1 and 3.1 − 3.0 are of two sizes to it.
    expected, values = oracle("sai_calm_score"), counted(as_r_sees_them(gains("sai_calm_score")))
    found = wilcoxon(*values, exact=True)
    assert (found.statistic, found.n) == (183931, 1041)
    assert found.p_value == pytest.approx(expected["wilcoxon_exact_zeros_dropped_exactRankTests"]["p"], rel=1e-9)
    pratt = wilcoxon(*values, zeros="pratt")
    assert not pratt.exact
    assert pratt.z == pytest.approx(expected["wilcoxon_asymptotic_pratt_coin"]["Z"], rel=1e-9)
    assert pratt.p_value == pytest.approx(expected["wilcoxon_asymptotic_pratt_coin"]["p"], rel=1e-9)
    assert rank_biserial(*values) == pytest.approx(expected["rank_biserial_zeros_dropped"], rel=1e-9)


@needs_shared
def test_gains_that_differ_in_the_last_digit_alone_are_tied():
    # The same gains in whole millionths of a point, where no last digit is left to differ.
    values = gains("sai_calm_score")
    whole = [round(value * 1_000_000) for value in values]
    assert len({abs(value) for value in values}) > len({abs(value) for value in whole})
    assert wilcoxon(*counted(values)) == wilcoxon(*counted(whole))
    assert rank_biserial(*counted(values)) == rank_biserial(*counted(whole))


def test_the_exact_tail_of_many_ties_equals_whole_number_arithmetic():
    # 250 people who changed: all ways of giving signs, counted with whole numbers of any length.
    gains_, counts = [-2, -1, 0, 1, 2], [31, 50, 50, 89, 80]
    doubled = [139 + 1] * 139 + [2 * 139 + 111 + 1] * 111
    ways = Counter({0: 1})
    for rank in doubled:
        ways = ways + Counter({total + rank: count for total, count in ways.items()})
    against = 140 * 50 + 390 * 31
    tail = sum(count for total, count in ways.items() if total <= against)
    found = wilcoxon(gains_, counts, exact=True)
    assert found.p_value == pytest.approx(float(Fraction(2 * tail, 2**250)), rel=1e-12)
    assert found.p_value < 1e-6
    assert not wilcoxon(gains_, counts).exact


@settings(max_examples=150, deadline=None)
@given(GAINS, st.sampled_from(["dropped", "pratt"]))
def test_exact_p_value_equals_trying_every_flip_of_signs(values, zeros):
    found = wilcoxon(*counted(values), zeros=zeros)
    if any(values):
        assert found.p_value == pytest.approx(every_flip(values, zeros), rel=1e-12)
    else:
        assert found is None


@pytest.mark.parametrize("seed", range(5))
def test_normal_approximation_equals_scipy(seed):
    values = np.random.default_rng(seed).integers(-6, 9, size=60)
    for zeros, name in (("dropped", "wilcox"), ("pratt", "pratt")):
        expected = scipy_wilcoxon(values, zero_method=name, correction=False, method="asymptotic")
        found = wilcoxon(*counted(values.tolist()), zeros=zeros, exact=False)
        assert found.p_value == pytest.approx(expected.pvalue, rel=1e-9)
        assert min(found.statistic, rank_sum(values, zeros) - found.statistic) == expected.statistic


def rank_sum(values, zeros):
    """Sum of the ranks of all that are not zero."""
    kept = values if zeros == "pratt" else values[values != 0]
    return rankdata(abs(kept))[kept != 0].sum()


def test_as_many_up_as_down_beside_many_that_stayed_is_no_change():
    # scipy issue 10223: 15 up, 40 same, 15 down must give 1.
    for zeros in ("dropped", "pratt"):
        found = wilcoxon([1, 0, -1], [15, 40, 15], zeros=zeros)
        assert (found.z, found.p_value, found.exact) == (0.0, 1.0, True)
    assert sign_test(15, 15) == 1.0
    assert rank_biserial([1, 0, -1], [15, 40, 15]) == 0.0


def test_six_of_eight_falling_is_one_in_32_however_zeros_are_ranked():
    for zeros in ("dropped", "pratt"):
        assert wilcoxon([-1, 0], [6, 2], zeros=zeros).p_value == 0.03125
    assert sign_test(0, 6) == 0.03125


@pytest.mark.parametrize(("gain", "expected"), [(-1, -1.0), (1, 1.0), (-0.1, -1.0)])
def test_everybody_changing_alike_is_the_end_of_the_rank_biserial_scale(gain, expected):
    assert rank_biserial([gain], [4]) == expected
    assert rank_biserial([gain, 0], [4, 9]) == expected
    assert wilcoxon([gain], [4]).p_value == 0.125


def test_nobody_changing_or_nobody_at_all_is_no_test():
    for gains_, counts in (([0], [12]), ([], []), ([3, 0], [0, 5])):
        assert wilcoxon(gains_, counts) is None
        assert rank_biserial(gains_, counts) is None
    assert sign_test(0, 0) is None


def test_one_person_is_no_evidence():
    assert wilcoxon([2], [1]) == (1.0, 1.0, 1.0, True, 1)
    assert sign_test(1, 0) == 1.0


def test_wilcoxon_of_100_thousand_people_is_worked_out_from_counts():
    # Three sizes: each rank is the middle of its block, and z by the formula with ties.
    counts = {-2: 10_000, -1: 20_000, 1: 40_000, 2: 30_000}
    found = wilcoxon(list(counts), list(counts.values()))
    low, high = (60_000 + 1) / 2, 60_000 + (40_000 + 1) / 2
    spread = math.sqrt(60_000 * low**2 + 40_000 * high**2)
    assert found.statistic == 40_000 * low + 30_000 * high
    assert found.z == pytest.approx((20_000 * low + 20_000 * high) / spread, rel=1e-12)
    assert (found.exact, found.n) == (False, 100_000)


def test_pratt_with_very_many_zeros_is_not_made_exact_unless_asked():
    gains_, counts = [0, 1, -2, 3], [1_000_000, 50, 50, 50]
    assert not wilcoxon(gains_, counts, zeros="pratt").exact
    assert wilcoxon(gains_, counts).exact


def test_another_way_with_zeros_is_refused():
    with pytest.raises(ParameterError, match=r'zeros: "split" is not one of dropped, pratt\.'):
        wilcoxon([1], [1], zeros="split")


@settings(max_examples=100, deadline=None)
@given(GAINS, st.sampled_from(["dropped", "pratt"]))
def test_turned_signs_turn_the_score_and_leave_the_p_value(values, zeros):
    found = wilcoxon(*counted(values), zeros=zeros)
    turned = wilcoxon(*counted([-value for value in values]), zeros=zeros)
    if found is not None:
        assert turned.z == -found.z
        assert turned.p_value == found.p_value
        assert rank_biserial(*counted([-value for value in values])) == -rank_biserial(*counted(values))


@settings(max_examples=100, deadline=None)
@given(GAINS, st.integers(1, 5))
def test_one_row_per_person_or_per_gain_and_the_unit_make_no_difference(values, unit):
    by_person = [value * unit / 10 for value in values]
    assert wilcoxon(by_person, [1] * len(values)) == wilcoxon(*counted(values))
    assert rank_biserial(by_person, [1] * len(values)) == rank_biserial(*counted(values))


@settings(max_examples=100, deadline=None)
@given(GAINS)
def test_p_values_and_correlations_stay_within_their_bounds(values):
    found = wilcoxon(*counted(values))
    if found is not None:
        assert 0 < found.p_value <= 1
        assert -1 <= rank_biserial(*counted(values)) <= 1


@pytest.mark.parametrize(
    ("up", "down"), [(390, 651), (2_000, 2_600), (2_499, 2_501), (3_000, 3_000), (0, 900), (4_000, 3_000)]
)
def test_sign_test_of_thousands_equals_whole_number_arithmetic(up, down):
    ways = tail = 1
    for number in range(min(up, down)):
        ways = ways * (up + down - number) // (number + 1)
        tail += ways
    assert sign_test(up, down) == pytest.approx(min(1.0, float(Fraction(2 * tail, 2 ** (up + down)))), rel=1e-9)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 60), st.integers(0, 60))
def test_sign_test_equals_scipy_and_does_not_care_which_way(up, down):
    if up + down:
        assert sign_test(up, down) == pytest.approx(binomtest(up, up + down).pvalue, rel=1e-9)
        assert sign_test(up, down) == sign_test(down, up)


def test_a_negative_count_is_refused():
    with pytest.raises(ParameterError, match=r"counts, 0 or more\. Found: -1 and 3"):
        sign_test(-1, 3)


def test_holm_as_in_a_worked_example():
    # p.adjust(c(.01, .04, .03, .005), "holm") in R; by hand 3 × .01, 1 × .04 but not below .06, 2 × .03, 4 × .005.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


def test_holm_does_not_count_what_was_not_tested():
    assert holm([None, 0.03, None, 0.9]) == [None, 0.06, None, 0.9]
    assert holm([]) == []
    assert holm([None]) == [None]


@settings(max_examples=100, deadline=None)
@given(st.lists(st.none() | st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_never_makes_a_p_value_smaller(p_values):
    found = [(before, after) for before, after in zip(p_values, holm(p_values), strict=True) if before is not None]
    assert all(before <= after <= 1 for before, after in found)
    assert all(after <= later for before, after in found for other, later in found if before < other)
    assert [p is None for p in p_values] == [p is None for p in holm(p_values)]
