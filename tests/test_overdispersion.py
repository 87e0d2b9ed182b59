"""Funnels: FunnelPlotR's published values, the same worked out without numpy, and areas that leave no room."""

import math
from pathlib import Path
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.overdispersion import (
    SCALES,
    dispersion,
    funnel_limits,
    poisson_intervals,
    poisson_limits,
    proportion_limits,
)

SHARED = Path(__file__).parents[2] / "shared"
INTERVALS = SHARED / "data" / "intervals"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

# The six units of FunnelPlotR's own tests.
OBSERVED = [100, 150, 180, 80, 120, 225]
EXPECTED = [108, 112, 165, 95, 100, 220]
PRINTED_QUANTILE = 1e-7  # FunnelPlotR has the normal quantiles to six decimals: 1.959964 and 3.090232
Z998 = NormalDist().inv_cdf(0.999)


def oracle(name):
    return pl.read_csv(INTERVALS / f"oracle_funnelplotr_{name}.csv")


def near(found, expected, relative=1e-12):
    assert list(found) == pytest.approx(list(expected), rel=relative, abs=1e-12)


@needs_shared
def test_log_scale_gives_the_values_of_funnelplotr_truncated():
    units = oracle("SR_SHMI")
    found = dispersion(units["numerator"].to_list(), units["denominator"].to_list(), scale="log", trim="truncate")
    near(found.values, units["Y"])
    near(found.standard_errors, units["s"])
    near(found.z, units["Uzscore"])
    assert units["truncated"].to_list() == [0] * 6  # six units: none is in the first or the last tenth
    near(found.kept, units["Wuzscore"])
    assert found.average == 1.0
    assert found.phi == pytest.approx(2.948033, abs=5e-7)
    assert found.tau2 == pytest.approx(0.0194775, abs=5e-8)
    for confidence, name in ((0.95, "95"), (0.998, "99")):
        limits = funnel_limits(units["denominator"], scale="log", tau2=found.tau2, confidence=confidence)
        near(limits.lower, units[f"OD{name}LCL"], PRINTED_QUANTILE)
        near(limits.upper, units[f"OD{name}UCL"], PRINTED_QUANTILE)


@needs_shared
def test_square_root_scale_gives_the_values_of_funnelplotr_winsorised_at_5_per_cent():
    units = oracle("SR_CQC")
    found = dispersion(units["numerator"].to_list(), units["denominator"].to_list(), scale="square_root", share=0.05)
    near(found.values, units["Y"])
    near(found.standard_errors, units["s"])
    near(found.z, units["Uzscore"])
    near(found.kept, units["Wuzscore"])
    assert [a != b for a, b in zip(found.z, found.kept, strict=True)] == [bool(one) for one in units["winsorised"]]
    assert found.phi == pytest.approx(2.746783, abs=5e-7)
    assert found.tau2 == pytest.approx(0.00440598, abs=5e-9)


@needs_shared
def test_limits_on_the_square_root_scale_are_squared_where_funnelplotr_leaves_them():
    units = oracle("SR_CQC")
    found = dispersion(units["numerator"].to_list(), units["denominator"].to_list(), scale="square_root", share=0.05)
    for confidence, name in ((0.95, "95"), (0.998, "99")):
        limits = funnel_limits(units["denominator"], scale="square_root", tau2=found.tau2, confidence=confidence)
        near(limits.lower, units[f"OD{name}LCL"] ** 2, PRINTED_QUANTILE)
        near(limits.upper, units[f"OD{name}UCL"] ** 2, PRINTED_QUANTILE)
    b = units.with_row_index().row(by_predicate=pl.col("group") == "b", named=True)
    assert b["outlier"] == 1  # FunnelPlotR compares the ratio 1.339 with 1.2518
    assert b["rr"] < limits.upper[b["index"]]
    assert limits.upper[b["index"]] == pytest.approx(1.567, abs=5e-4)


@needs_shared
@pytest.mark.parametrize("name", ["SR_SHMI", "SR_CQC"])
def test_poisson_intervals_are_the_plain_limits_of_funnelplotr(name):
    units = oracle(name)
    for confidence, label in ((0.95, "95"), (0.998, "99")):
        limits = poisson_intervals(units["denominator"], confidence=confidence)
        near(limits.lower, units[f"LCL{label}"])
        near(limits.upper, units[f"UCL{label}"])


@needs_shared
def test_poisson_intervals_of_15_20_and_30_expected_events():
    published = oracle("poisson_limits")
    for confidence, label in ((0.95, "95"), (0.998, "998")):
        limits = poisson_intervals(published["number_seq"], confidence=confidence)
        near(limits.lower, published[f"ll{label}"])
        near(limits.upper, published[f"ul{label}"])


def test_poisson_intervals_as_the_tests_of_funnelplotr_print_them():
    limits = poisson_intervals([15, 20, 30])
    assert list(limits.lower) == pytest.approx([0.5596924, 0.6108260, 0.6746958], abs=5e-8)
    assert list(limits.upper) == pytest.approx([1.649348, 1.544419, 1.427562], abs=5e-7)


def quantile_of_type_7(numbers, part):
    ordered = sorted(numbers)
    place = (len(ordered) - 1) * part
    below = math.floor(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (place - below) * (ordered[above] - ordered[below])


def plain_shares(observed, size, part):
    """φ, τ² and 99.8% limits of shares, written out."""
    p0 = sum(observed) / sum(size)
    s = [1 / (2 * math.sqrt(n)) for n in size]
    z = [
        (math.asin(math.sqrt(x / n)) - math.asin(math.sqrt(p0))) / e for x, n, e in zip(observed, size, s, strict=True)
    ]
    low, high = quantile_of_type_7(z, part), quantile_of_type_7(z, 1 - part)
    phi = sum(min(max(one, low), high) ** 2 for one in z) / len(z)
    w = [1 / e**2 for e in s]
    count = len(z)
    tau2 = max(0.0, (count * phi - (count - 1)) / (sum(w) - sum(one**2 for one in w) / sum(w)))
    ends = []
    for e in s:
        spread = Z998 * math.sqrt(e**2 + tau2)
        centre = math.asin(math.sqrt(p0))
        ends.append(
            (math.sin(max(centre - spread, 0.0)) ** 2, math.sin(min(centre + spread, math.pi / 2)) ** 2)
        )  # taken to the ends of the scale
    return phi, tau2, ends


@pytest.mark.parametrize("part", [0.0, 0.1, 0.2])
def test_shares_agree_with_the_same_written_out(part):
    observed = [60, 7, 310, 15, 88, 0, 41, 130, 9, 22, 3]
    size = [421, 38, 1274, 90, 200, 12, 300, 400, 30, 160, 3]
    phi, tau2, ends = plain_shares(observed, size, part)
    found = dispersion(observed, size, scale="arcsine", share=part)
    limits = funnel_limits(size, scale="arcsine", average=found.average, tau2=found.tau2, confidence=0.998)
    assert found.average == pytest.approx(685 / 2928)
    assert found.phi == pytest.approx(phi, rel=1e-12)
    assert found.tau2 == pytest.approx(tau2, rel=1e-12)
    assert tau2 > 0
    near(limits.lower, [low for low, _ in ends])
    near(limits.upper, [high for _, high in ends])
    assert limits.lower[-1] == 0.0  # of 3 alone


def test_truncation_leaves_out_the_first_and_the_last_tenth():
    # 20 areas: ranks 1 (10/21 < 1) and 2 (20/21 < 1) are in the first group, 19 (190/21 = 9.05) and 20 in the last.
    observed = list(range(90, 110))
    size = [100] * 20
    found = dispersion(observed, size, scale="log", trim="truncate")
    z = [math.log(x / 100) / 0.1 for x in observed]
    near(found.kept, z[2:18])
    phi = sum(one**2 for one in z[2:18]) / 16
    assert found.phi == pytest.approx(phi)
    assert phi < 15 / 16
    assert found.tau2 == 0.0
    near(dispersion(observed, size, scale="log", trim="truncate", share=0.0).kept, z)


@pytest.mark.parametrize("scale", SCALES)
def test_one_area_has_no_variance_between_areas(scale):
    found = dispersion([30], [100], scale=scale)
    assert found.tau2 == 0.0
    assert found.average == (0.3 if scale == "arcsine" else 1.0)


@pytest.mark.parametrize("scale", SCALES)
def test_areas_that_are_all_the_same_lie_no_further_apart_than_chance(scale):
    found = dispersion([50] * 8, [50] * 8 if scale != "arcsine" else [200] * 8, scale=scale)
    assert found.phi == pytest.approx(0.0, abs=1e-20)
    assert found.tau2 == 0.0


def test_no_area_at_all_has_no_dispersion():
    found = dispersion([], [], scale="arcsine")
    assert (found.phi, found.tau2) == (0.0, 0.0)


def test_no_events_at_all_are_no_dispersion_of_shares():
    found = dispersion([0, 0, 0], [10, 20, 30], scale="arcsine")
    assert (found.average, found.phi, found.tau2) == (0.0, 0.0, 0.0)
    plain = proportion_limits([10, 20], 0.0)
    assert plain.lower.tolist() == plain.upper.tolist() == [0.0, 0.0]


def test_an_area_without_events_has_a_place_on_the_square_root_scale():
    found = dispersion([0, 10, 12], [3, 9, 10], scale="square_root")
    assert found.values[0] == 0.0
    assert found.z[0] == pytest.approx(-2 * math.sqrt(3))


def test_an_area_without_events_has_no_place_on_the_log_scale():
    with pytest.raises(TableError, match=r"1 area of 2 with no events, which have no logarithm .*: Rutland"):
        dispersion([0, 10], [3, 9], scale="log", names=["Rutland", "Kent"])


def test_areas_without_numbers_are_refused_by_name_all_at_once():
    observed, size = [None, 5, -1, 8, 3, 2], [10, None, 10, 7, 0, math.nan]
    names = ["Alton", "Barrow", "Corby", "Derby", "Exeter", "Far"]
    with pytest.raises(TableError) as refused:
        dispersion(observed, size, scale="arcsine", names=names)
    said = str(refused.value)
    assert "1 area of 6 with no number of events: Alton" in said
    assert "3 areas of 6 with no number above 0 for the number they are a part of: Barrow, Exeter, Far" in said
    assert "1 area of 6 with a negative number of events: Corby" in said
    assert "1 area of 6 with more events than there are: Derby" in said
    assert said.endswith("Correct them, or leave these areas out and say so.")
    with pytest.raises(TableError, match="place 2"):
        dispersion([1, None], [10, 10], scale="arcsine")


def test_ratios_may_exceed_1_where_shares_may_not():
    assert dispersion([8, 5], [7, 6], scale="square_root").z[0] > 0


def test_wrong_choices_are_named_all_at_once():
    with pytest.raises(ParameterError) as refused:
        dispersion([1], [2], scale="logit", trim="cut", share=0.5)
    assert "scale must be one of arcsine, square_root, log. Found: logit." in str(refused.value)
    assert "trim must be one of winsorise, truncate. Found: cut." in str(refused.value)
    assert "share is the part trimmed at each end" in str(refused.value)
    with pytest.raises(ParameterError, match="2 observed, 1 sizes, 0 names"):
        dispersion([1, 2], [3], scale="arcsine")


@pytest.mark.parametrize("limits", [poisson_limits, poisson_intervals])
def test_a_confidence_that_is_none_is_refused(limits):
    with pytest.raises(ParameterError, match="between 0 and 1"):
        limits([10], confidence=95)


@pytest.mark.parametrize("confidence", [0.95, 0.998])
def test_poisson_limits_are_where_the_exact_interval_of_the_area_touches_the_expected_number(confidence):
    # By sums of Poisson probabilities, for whole numbers of events.
    tail = (1 - confidence) / 2
    for expected in (0.2, 3.0, 7.5, 40.0):
        limits = poisson_limits([expected], confidence=confidence)
        for events in range(120):
            terms = [math.exp(-expected + k * math.log(expected) - math.lgamma(k + 1)) for k in range(events + 1)]
            too_many = events > 0 and 1 - sum(terms[:-1]) < tail - 1e-12
            too_few = sum(terms) < tail
            assert (events / expected > limits.upper[0]) == too_many
            assert (events / expected < limits.lower[0]) == too_few


@pytest.mark.parametrize("confidence", [0.95, 0.998])
def test_proportion_limits_are_where_the_wilson_interval_touches_the_average(confidence):
    for size, average in ((40, 0.245), (1274, 0.245), (500, 0.9)):
        limits = proportion_limits([size], average, confidence=confidence)
        assert wilson(limits.upper[0] * size, size, confidence)[0] == pytest.approx(average, abs=1e-9)
        assert wilson(limits.lower[0] * size, size, confidence)[1] == pytest.approx(average, abs=1e-9)


@settings(deadline=None)
@given(
    scale=st.sampled_from(SCALES),
    average=st.floats(0.0, 1.0),
    tau2=st.floats(0.0, 1.0),
    confidence=st.sampled_from([0.95, 0.998]),
)
def test_the_larger_the_size_the_nearer_the_limits(scale, average, tau2, confidence):
    size = [1, 2, 3, 5, 10, 50, 1000, 100_000]
    middle = average if scale == "arcsine" else 1.0
    limits = funnel_limits(size, scale=scale, average=middle, tau2=tau2, confidence=confidence)
    assert (np.diff(limits.upper) <= 1e-12).all()
    assert (np.diff(limits.lower) >= -1e-12).all()
    assert (limits.lower <= middle + 1e-9).all()
    assert (limits.upper >= middle - 1e-9).all()
    if scale == "arcsine":
        assert limits.upper.max() <= 1.0
        assert limits.lower.min() >= 0.0


@settings(deadline=None)
@given(average=st.floats(0.0, 1.0), confidence=st.sampled_from([0.95, 0.998]))
def test_plain_limits_too_come_nearer_with_the_size(average, confidence):
    for limits in (
        proportion_limits([1, 2, 5, 50, 1000], average, confidence=confidence),
        poisson_limits([0.01, 0.5, 2, 7, 8, 50, 1000], confidence=confidence),
    ):
        assert (np.diff(limits.upper) <= 1e-12).all()
        assert (np.diff(limits.lower) >= -1e-12).all()


@settings(deadline=None)
@given(st.permutations(range(6)))
def test_the_order_of_areas_does_not_matter(order):
    units = [(OBSERVED[place], EXPECTED[place]) for place in order]
    found = dispersion([x for x, _ in units], [e for _, e in units], scale="square_root", share=0.05)
    assert found.phi == pytest.approx(2.746783, abs=5e-7)
    assert found.tau2 == pytest.approx(0.00440598, abs=5e-9)
