"""Control charts: every point and flag of two implementations, and series that leave the limits no room."""

from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.process_control import (
    FAIL,
    INCONSISTENT,
    ONE_SIDE,
    OUTSIDE,
    PASS,
    RULESETS,
    TREND,
    TWO_IN_THREE,
    xmr,
)

SHARED = Path(__file__).parents[2] / "shared"
FILES = {
    "nhsrplotthedots_0_2_2": SHARED / "data" / "spc" / "oracle_nhsrplotthedots_0_2_2.csv",
    "making_data_count_2023": SHARED / "data" / "spc" / "oracle_mdc_2023.csv",
}
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

# What NHSRplotthedots prints, and what it is here: the rule, and the side on which it found the point.
LABELS = {
    "Common Cause": ("", ""),
    "Above UCL": (OUTSIDE, "high"),
    "Below LCL": (OUTSIDE, "low"),
    "7 Point Trend (Increasing)": (TREND, "high"),
    "7 Point Trend (Decreasing)": (TREND, "low"),
    "2 in 3 Above CL": (TWO_IN_THREE, "high"),
    "2 in 3 Below CL": (TWO_IN_THREE, "low"),
    "7 Points Above CL": (ONE_SIDE, "high"),
    "7 Points Below CL": (ONE_SIDE, "low"),
}
POINT_TYPES = {
    "common_cause": "",
    "special_cause_improvement": "improvement",
    "special_cause_concern": "concern",
}
CASES = {
    "ae_RRK_breaches": 36,
    "ae_RRK_breaches_rebase": 36,
    "ae_England_pct4h_t95": 36,
    "deviations_screen": 18,
    "deviations_noscreen": 18,
    "rnorm123": 20,
    "trend7_up": 20,
    "mixed_signals_increase": 30,
}


def series(ruleset, case):
    every = pl.read_csv(FILES[ruleset], null_values="NA", infer_schema_length=None)
    return every.filter(pl.col("case") == case)


def charted(points, ruleset):
    """The chart of a series, with the settings that its file names."""
    (desired,) = points["improvement_direction"].unique()
    (screened,) = points["screen_outliers"].unique()
    (target,) = points["target"].unique()
    phases = points["rebase_group"].to_list()
    return xmr(
        points["y"].to_list(),
        ruleset=ruleset,
        desired={"decrease": "low", "increase": "high"}[desired],
        screening=screened,
        rebase=[place + 1 for place in range(1, len(phases)) if phases[place] != phases[place - 1]],
        target=target,
    )


@needs_shared
@pytest.mark.parametrize("ruleset", RULESETS)
@pytest.mark.parametrize(("case", "count"), CASES.items())
def test_every_point_and_flag_of_the_files(ruleset, case, count):
    points = series(ruleset, case)
    chart = charted(points, ruleset)
    found = chart.points
    assert found.height == points.height == count
    assert found["value"].to_list() == points["y"].to_list()
    for ours, theirs in (("mean", "mean_col"), ("lower", "lpl"), ("upper", "upl")):
        assert found[ours].to_list() == pytest.approx(points[theirs].to_list(), rel=1e-12, abs=1e-12)
    assert (found["phase"] - 1).to_list() == points["rebase_group"].to_list()
    assert found["outside"].to_list() == points["outside_limits"].to_list()
    assert found["side_of_mean"].to_list() == points["relative_to_mean"].to_list()
    assert found["near"].to_list() == points["close_to_limits"].to_list()
    labels = [LABELS[label] for label in points["special_cause_type"]]
    assert found["rule"].to_list() == [rule for rule, _ in labels]
    assert found["side"].to_list() == [side for _, side in labels]
    assert (found["rule"] != "").to_list() == points["special_cause_flag"].to_list()
    assert found["direction"].to_list() == [POINT_TYPES[label] for label in points["point_type"]]
    (assurance,) = points["assurance"].unique()
    assert chart.assurance == (None if assurance is None else assurance.replace("_", " "))
    assert chart.ruleset == ruleset


@needs_shared
@pytest.mark.parametrize("ruleset", RULESETS)
def test_the_files_hold_214_points_of_8_series(ruleset):
    every = pl.read_csv(FILES[ruleset], null_values="NA", infer_schema_length=None)
    assert dict(every.group_by("case").len().iter_rows()) == CASES
    assert every.height == sum(CASES.values()) == 214


@needs_shared
def test_the_rule_sets_differ_in_four_labels():
    differing = []
    for case in CASES:
        points = series("nhsrplotthedots_0_2_2", case)
        one, other = (charted(points, ruleset).points for ruleset in RULESETS)
        rows = zip(points["x"], one["rule"], other["rule"], strict=True)
        differing += [(case, day[:7], before, after) for day, before, after in rows if before != after]
    assert sorted(differing) == [
        ("ae_England_pct4h_t95", "2016-12", "", TWO_IN_THREE),
        ("ae_England_pct4h_t95", "2018-12", "", TWO_IN_THREE),
        ("ae_England_pct4h_t95", "2019-03", "", TWO_IN_THREE),
        ("ae_RRK_breaches", "2017-01", ONE_SIDE, TWO_IN_THREE),
    ]


# Eighteen days, one of them far out: an example of NHSRplotthedots.
LEAP = [1, 2, 1, 2, 10, *([1, 2] * 6), 1]


@pytest.mark.parametrize(("screening", "limits"), [(True, (-0.72, 4.60)), (False, (-3.06, 6.95))])
def test_screening_leaves_out_the_leap(screening, limits):
    chart = xmr(LEAP, desired="high", screening=screening)
    last = chart.points.row(-1, named=True)
    assert round(last["mean"], 2) == 1.94
    assert (round(last["lower"], 2), round(last["upper"], 2)) == limits
    assert chart.points["moving_range"].to_list()[:5] == [None, 1, 1, 1, 8]


@needs_shared
def test_limits_of_20_normal_numbers():
    last = charted(series("nhsrplotthedots_0_2_2", "rnorm123"), "nhsrplotthedots_0_2_2").points.row(-1, named=True)
    assert (round(last["lower"], 6), round(last["upper"], 6)) == (-3.011380, 3.294627)


@needs_shared
@pytest.mark.parametrize(
    ("case", "target", "verdict"), [("ae_England_pct4h_t95", 95, FAIL), ("mixed_signals_increase", 9, INCONSISTENT)]
)
def test_verdicts_on_targets(case, target, verdict):
    points = series("nhsrplotthedots_0_2_2", case)
    assert points["target"].unique().to_list() == [target]
    assert charted(points, "nhsrplotthedots_0_2_2").assurance == verdict


EVEN = [10, 12] * 8  # mean 11, ranges 2: limits 11 ± 5.32, near limits 11 ± 3.5467


def rules_of(values, **settings):
    return xmr(values, **settings).points["rule"].to_list()


def test_limits_are_266_hundredths_of_the_mean_range_away():
    last = xmr(EVEN).points.row(-1, named=True)
    assert last["lower"] == pytest.approx(5.68)
    assert last["upper"] == pytest.approx(16.32)
    assert last["near_lower"] == pytest.approx(11 - 2 * 5.32 / 3)
    assert last["near_upper"] == pytest.approx(11 + 2 * 5.32 / 3)


@pytest.mark.parametrize(
    ("desired", "target", "verdict"),
    [
        ("low", 17, PASS),
        ("low", 5, FAIL),
        ("high", 17, FAIL),
        ("high", 5, PASS),
        ("low", 11, INCONSISTENT),
        ("high", 16, INCONSISTENT),
        ("neutral", 17, None),
        ("low", None, None),
    ],
)
def test_assurance_is_reversed_where_low_is_wanted(desired, target, verdict):
    assert xmr(EVEN, desired=desired, target=target).assurance == verdict


def test_assurance_is_that_of_the_latest_limits():
    shifted = [*EVEN, *(one + 100 for one in EVEN)]
    assert xmr(shifted, desired="high", target=50, rebase=[17]).assurance == PASS
    assert xmr(shifted[::-1], desired="high", target=50, rebase=[17]).assurance == FAIL


def test_a_baseline_sets_the_limits_for_all_points_behind_it():
    points = xmr([*EVEN, 16, 17], baseline=16).points
    assert points["upper"].to_list() == pytest.approx([16.32] * 18)
    assert points["rule"].to_list()[-2:] == ["", OUTSIDE]


@pytest.mark.parametrize(("desired", "direction"), [("low", "concern"), ("high", "improvement"), ("neutral", "high")])
def test_direction_is_by_what_is_desired(desired, direction):
    assert xmr([*EVEN, 30], baseline=16, desired=desired).points["direction"][-1] == direction


def test_a_point_on_the_limit_is_not_outside():
    # Mean 0, ranges 50 each: limits 0 ± 133, and a half more or less is beyond.
    base = [25, -25] * 8
    assert rules_of([*base, 133], baseline=16)[-1] == ""
    assert rules_of([*base, 133.5], baseline=16)[-1] == OUTSIDE


def test_a_trend_needs_six_steps_and_a_tie_ends_it():
    flat = [10, 30] * 8  # mean 20, limits far away
    rising = [14, 15, 16, 17, 18, 19, 21]
    assert rules_of([*flat, 22, *rising], baseline=16)[-7:] == [TREND] * 7
    assert TREND not in rules_of([*flat, 22, *rising[:-1]], baseline=16)
    assert TREND not in rules_of([*flat, 22, 14, 15, 16, 17, 17, 19, 21], baseline=16)
    assert xmr([*flat, 22, *rising], baseline=16, desired="low").points["direction"].to_list()[-7:] == ["concern"] * 7


def test_a_peak_between_a_rise_and_a_fall_belongs_to_the_rise():
    flat = [10, 30] * 8
    chart = xmr([*flat, 14, 15, 16, 17, 18, 19, 22, 19, 18, 17, 16, 15, 14], baseline=16, desired="neutral")
    assert chart.points["side"].to_list()[16:] == ["high"] * 7 + ["low"] * 6


def test_seven_on_one_side_and_a_point_on_the_mean_ends_them():
    base = [9, 13] * 8  # mean 11
    above = [12, 12.5, 12, 12.5, 12, 12.5, 12]
    assert rules_of([*base, 10, *above], baseline=16)[-7:] == [ONE_SIDE] * 7
    assert rules_of([*base, 10, *above[:-1]], baseline=16)[-6:] == [""] * 6
    assert rules_of([*base, 10, 12, 12.5, 12, 11, 12, 12.5, 12], baseline=16)[-7:] == [""] * 7


def test_two_of_three_must_lie_on_one_side_and_only_those_near_are_named():
    near, beyond = 15, 17  # near limit 14.55, limit 16.32
    assert rules_of([*EVEN, near, 12, near], baseline=16)[-3:] == [TWO_IN_THREE, "", TWO_IN_THREE]
    assert rules_of([*EVEN, near, 10, near], baseline=16)[-3:] == [""] * 3
    assert rules_of([*EVEN, near, beyond, 12, 10], baseline=16)[-4:] == ["", OUTSIDE, "", ""]
    by_workbook = rules_of([*EVEN, near, beyond, 12, 10], baseline=16, ruleset="making_data_count_2023")
    assert by_workbook[-4:] == [TWO_IN_THREE, OUTSIDE, "", ""]


def test_limits_and_runs_do_not_cross_phases():
    low, high = [9, 13] * 6, [29, 33] * 6
    chart = xmr([*low, 12, 12, 12, 12, *([12] * 3), *high], rebase=[17, 20])
    assert chart.points["phase"].to_list() == [1] * 16 + [2] * 3 + [3] * 12
    assert ONE_SIDE not in chart.points["rule"].to_list()
    ranges = chart.points["moving_range"].to_list()
    assert [place for place, one in enumerate(ranges) if one is None] == [0, 16, 19]
    # Seven in a row without the new phase.
    assert ONE_SIDE in rules_of([*low, *([12] * 7), *high[:2]], baseline=12)


@pytest.mark.parametrize(("count", "trial"), [(11, True), (12, False), (13, False)])
def test_limits_of_fewer_than_12_points_are_trial_limits(count, trial):
    chart = xmr(([3, 5] * 7)[:count])
    assert chart.trial is trial
    assert chart.notes == (("Trial limits, worked out of 11 points, fewer than 12.",) if trial else ())


def test_trial_limits_are_named_by_phase():
    chart = xmr([3, 5] * 10, rebase=[13])
    assert chart.trial
    assert chart.notes == ("Phase 2: trial limits, worked out of 8 points, fewer than 12.",)
    assert xmr([3, 5] * 10, baseline=6).notes == ("Trial limits, worked out of 6 points, fewer than 12.",)


def test_screening_that_would_leave_no_variation_is_given_up_and_said():
    # Ranges: two of 9 among 17, mean 18/17, 3.267 times it 3.46: both would go, and nothing but zeros stay.
    values = [4] * 9 + [13] + [4] * 8
    chart = xmr(values)
    last = chart.points.row(-1, named=True)
    assert last["upper"] == pytest.approx(4.5 + 2.66 * 18 / 17)
    assert chart.notes == (
        "Screening would leave no variation at all; the limits are worked out of all moving ranges.",
    )
    assert xmr(values, screening=False).notes == ()
    assert chart.points.equals(xmr(values, screening=False).points)


@pytest.mark.parametrize("screening", [True, False])
def test_a_flat_series_has_limits_without_width_and_nothing_stands_out(screening):
    chart = xmr([0.1] * 15, screening=screening)
    assert chart.points.select("mean", "lower", "upper", "near_lower", "near_upper").unique().row(0) == (0.1,) * 5
    assert set(chart.points["rule"]) == {""}
    assert chart.notes == ("All values are the same; the limits have no width.",)


def test_one_point_has_no_limits():
    chart = xmr([7], target=5)
    only = chart.points.row(0, named=True)
    assert (only["mean"], only["lower"], only["near_upper"], only["rule"]) == (7.0, None, None, "")
    assert chart.assurance is None
    assert chart.trial
    assert chart.notes == ("There is one point, and so no limits.",)


def test_a_missing_value_is_refused_with_its_place():
    with pytest.raises(TableError, match=r"2 values of 4 missing or no number, at position 2, 4\."):
        xmr([1, None, 3, float("nan")])
    with pytest.raises(TableError, match="needs at least one value"):
        xmr([])


def test_wrong_settings_are_named_all_at_once():
    with pytest.raises(ParameterError) as refused:
        xmr([1, 2, 3], ruleset="nelson", desired="up", baseline=1, rebase=[1, 3, 3, 4])
    said = str(refused.value)
    assert "ruleset must be one of nhsrplotthedots_0_2_2, making_data_count_2023. Found: nelson." in said
    assert "desired must be one of low, high, neutral. Found: up." in said
    assert "baseline is a number of points, 2 or more: a range needs two. Found: 1." in said
    assert "rebase holds positions at which a phase starts, from 2 to 3. Found: 1, 4." in said
    assert "rebase names a position twice. Found: 1, 3, 3, 4." in said


@settings(deadline=None)
@given(st.lists(st.integers(0, 30), min_size=2, max_size=40), st.sampled_from(RULESETS))
def test_turned_upside_down_a_series_stands_out_at_the_same_points(values, ruleset):
    one, other = (xmr(list(numbers), ruleset=ruleset).points for numbers in (values, [-number for number in values]))
    # A point may lie so near a limit that the last digit decides: compared are series without one.
    ends = pl.concat([one["value"] - one[name] for name in ("lower", "upper", "near_lower", "near_upper", "mean")])
    if (ends.abs() > 1e-9).all():
        assert one["rule"].to_list() == other["rule"].to_list()
        assert one["side"].to_list() == [{"high": "low", "low": "high", "": ""}[side] for side in other["side"]]
