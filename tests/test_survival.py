"""Kaplan-Meier against the values of R, cumulative incidence against fractions written out."""

import json
import math
import random
from fractions import Fraction
from pathlib import Path
from statistics import NormalDist

import numpy as np
import polars as pl
import pytest

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.survival import cumulative_incidence, kaplan_meier

EVALUATION = Path(__file__).parents[2] / "shared" / "data" / "evaluation"
needs_shared = pytest.mark.skipif(not EVALUATION.exists(), reason="../shared is not beside the project")

# Weeks to relapse under 6-mercaptopurine (Freireich et al. 1963, Blood 21:699); 0 = in remission when last seen.
FREIREICH = [
    *((6, 1), (6, 1), (6, 1), (7, 1), (10, 1), (13, 1), (16, 1), (22, 1), (23, 1)),
    *((6, 0), (9, 0), (10, 0), (11, 0), (17, 0), (19, 0), (20, 0), (25, 0), (32, 0), (32, 0), (34, 0), (35, 0)),
]


def columns(rows):
    return [time for time, _ in rows], [event for _, event in rows]


def plain_kaplan_meier(rows, time):
    """Share and Greenwood's sum, as fractions."""
    share, total = Fraction(1), Fraction(0)
    for then in sorted({when for when, event in rows if event and when <= time}):
        n = sum(when >= then for when, _ in rows)
        d = sum(when == then and event > 0 for when, event in rows)
        share *= 1 - Fraction(d, n)
        total += Fraction(d, n * (n - d)) if n > d else 0
    return share, total


class Weighted:
    """A number that depends on the weight of one person: its value and its derivative by that weight."""

    def __init__(self, value, slope=0):
        self.value, self.slope = Fraction(value), Fraction(slope)

    def __add__(self, other):
        return Weighted(self.value + other.value, self.slope + other.slope)

    def __sub__(self, other):
        return Weighted(self.value - other.value, self.slope - other.slope)

    def __mul__(self, other):
        return Weighted(self.value * other.value, self.slope * other.value + self.value * other.slope)

    def __truediv__(self, other):
        slope = (self.slope * other.value - self.value * other.slope) / other.value**2
        return Weighted(self.value / other.value, slope)


def weighted_incidence(rows, cause, time, person):
    """The share of a cause, and how it changes with the weight of a person."""

    def weight(chosen):
        return Weighted(len(chosen), person in chosen)

    share, untouched = Weighted(0), Weighted(1)
    for then in sorted({when for when, what in rows if what and when <= time}):
        n = weight([k for k, (when, _) in enumerate(rows) if when >= then])
        own = weight([k for k, row in enumerate(rows) if row == (then, cause)])
        all_causes = weight([k for k, (when, what) in enumerate(rows) if when == then and what])
        share += untouched * own / n
        untouched *= Weighted(1) - all_causes / n
    return share


def some_rows(seed, size=30, causes=(0, 0, 1, 1, 2)):
    chance = random.Random(seed)
    return [(chance.randrange(12), chance.choice(causes)) for _ in range(size)]


@needs_shared
@pytest.mark.parametrize("entry", ["km_lung_loglog", "km_bladder1_first_recurrence_months", "km_freireich_6mp"])
def test_share_error_numbers_at_risk_and_interval_are_those_of_r(entry):
    # R 4.2.2, survival 3.5.3, conf.type log-log, 13 significant digits.
    wanted = json.loads((EVALUATION / "oracles.json").read_text(encoding="utf-8"))[entry]
    rows = pl.read_csv(EVALUATION / wanted["csv"])
    found = kaplan_meier(rows["time"].to_list(), rows["event"].to_list(), wanted["times"])
    assert [point.time for point in found] == wanted["times"]
    assert [point.at_risk for point in found] == wanted["n_risk"]
    for name, key in (("estimate", "surv"), ("standard_error", "se"), ("lower", "lower"), ("upper", "upper")):
        assert [getattr(point, name) for point in found] == pytest.approx(wanted[key], rel=1e-11)


def test_freireich_remissions_are_those_of_the_textbooks():
    # Freireich et al. 1963: S(6) = 18/21 = .857, S(10) = .753, S(16) = .627, S(23) = .448 (Kalbfleisch & Prentice).
    found = kaplan_meier(*columns(FREIREICH), at=[6, 10, 16, 23])
    assert [point.at_risk for point in found] == [21, 15, 11, 6]
    assert [round(point.estimate, 3) for point in found] == [0.857, 0.753, 0.627, 0.448]
    # S(10) = 18/21 · 16/17 · 14/15: the one last seen in week 6 counts in week 6, and the one of week 10 in week 10.
    assert found[1].estimate == pytest.approx(18 / 21 * 16 / 17 * 14 / 15, rel=1e-15)
    assert found[0].standard_error == pytest.approx(18 / 21 * math.sqrt(3 / (21 * 18)), rel=1e-14)


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("confidence", [0.8, 0.95])
def test_kaplan_meier_is_that_of_plain_fractions(seed, confidence):
    rows, z = some_rows(seed, causes=(0, 0, 1)), NormalDist().inv_cdf(0.5 + confidence / 2)
    longest = max(time for time, _ in rows)
    for point in kaplan_meier(*columns(rows), at=[0, 0.5, 3, 7.25, longest], confidence=confidence):
        share, total = plain_kaplan_meier(rows, point.time)
        assert point.at_risk == sum(time >= point.time for time, _ in rows)
        assert point.estimate == pytest.approx(float(share), rel=1e-13)
        if 0 < share < 1:
            spread = z * math.sqrt(total) / abs(math.log(share))
            ends = [math.exp(-math.exp(math.log(-math.log(share)) + side * spread)) for side in (1, -1)]
            assert [point.lower, point.upper] == pytest.approx(ends, rel=1e-12)


def test_no_event_has_a_share_of_one_no_error_and_no_interval():
    # R's survfit_confint gives NA for both ends where the share is 0 or 1.
    assert kaplan_meier([3, 4, 5], [0, 0, 0], at=[4]) == [(4, 2, 1.0, 0.0, None, None)]


def test_event_of_all_at_once_leaves_nobody_then_and_later():
    found = kaplan_meier([2, 2, 2], [1, 1, 1], at=[1, 2, 9])
    assert found == [(1, 3, 1.0, 0.0, None, None), (2, 3, 0.0, None, None, None), (9, 0, 0.0, None, None, None)]


def test_who_is_last_seen_on_the_day_of_an_event_is_followed_on_that_day():
    # One event and one last seen on day 5: 1 of 2, not 1 of 1.
    assert kaplan_meier([5, 5], [1, 0], at=[5])[0].estimate == 0.5


def test_events_at_time_zero_have_happened_at_zero():
    point = kaplan_meier([0, 0, 4, 6], [1, 0, 0, 0], at=[0])[0]
    assert (point.at_risk, point.estimate) == (4, 0.75)


def test_share_is_unknown_after_the_longest_time():
    assert kaplan_meier([2, 5], [1, 0], at=[5, 5.01])[0].estimate == 0.5
    assert kaplan_meier([2, 5], [1, 0], at=[5, 5.01])[1] == (5.01, 0, None, None, None, None)
    assert cumulative_incidence([2, 5], [1, 0], at=[5.01])[1] == [(5.01, 0, None, None, None, None)]


def test_nobody_followed_has_no_share():
    assert kaplan_meier([], [], at=[0, 3]) == [(0, 0, None, None, None, None), (3, 0, None, None, None, None)]
    assert cumulative_incidence([], [], at=[0, 3]) == {}


def test_times_asked_for_may_stand_in_any_order_and_arrays_are_taken():
    times, events = columns(FREIREICH)
    there = kaplan_meier(times, events, at=[6, 23])
    assert kaplan_meier(np.array(times), np.array(events, dtype=bool), at=np.array([23, 6])) == there[::-1]
    assert kaplan_meier(times[::-1], events[::-1], at=[6, 23]) == there


def test_incidence_of_five_children_written_out():
    # 1: another plan of one of five (1/5). 2: one of four died (4/5 · 1/4 = 1/5). 3: one no longer followed.
    # 4: another plan of one of two (3/5 · 1/2 = 3/10).
    found = cumulative_incidence([1, 2, 3, 4, 6], [1, 2, 0, 1, 0], at=[1, 2, 3.5, 4])
    assert [point.estimate for point in found[1]] == pytest.approx([1 / 5, 1 / 5, 1 / 5, 1 / 2], rel=1e-15)
    assert [point.estimate for point in found[2]] == pytest.approx([0, 1 / 5, 1 / 5, 1 / 5], rel=1e-15)
    assert [point.at_risk for point in found[1]] == [5, 4, 2, 2]
    # Nobody left before week 2: the shares are those of five, with the error of a share, √(p(1 − p)/n).
    assert found[1][1].standard_error == pytest.approx(math.sqrt(0.2 * 0.8 / 5), rel=1e-14)
    assert found[2][0][3:] == (0.0, None, None)


def test_deaths_taken_as_no_longer_followed_make_one_minus_kaplan_meier_too_large():
    times, causes = [1, 2, 3, 4, 6], [1, 2, 0, 1, 0]
    naive = 1 - kaplan_meier(times, [int(cause == 1) for cause in causes], at=[4])[0].estimate
    assert naive == pytest.approx(1 - 4 / 5 * 1 / 2)  # 0.6
    assert cumulative_incidence(times, causes, at=[4])[1][0].estimate == pytest.approx(0.5)


@pytest.mark.parametrize("seed", range(6))
def test_shares_of_all_causes_and_of_nothing_add_up_to_one(seed):
    times, causes = columns(some_rows(seed, causes=(0, 1, 2, 3)))
    at = sorted(set(times))
    incidence = cumulative_incidence(times, causes, at)
    nothing = kaplan_meier(times, [int(cause > 0) for cause in causes], at)
    for points in zip(*incidence.values(), nothing, strict=True):
        assert sum(point.estimate for point in points) == pytest.approx(1, rel=1e-13)
        assert len({point.at_risk for point in points}) == 1
    for cause, points in incidence.items():
        naive = kaplan_meier(times, [int(other == cause) for other in causes], at)
        assert all(point.estimate <= 1 - other.estimate + 1e-12 for point, other in zip(points, naive, strict=True))


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("cause", [1, 2])
def test_standard_error_is_that_of_the_infinitesimal_jackknife(seed, cause):
    # R's survfit of several states: the root of the sum over people of the squared derivatives by their weights
    # (Therneau, "methods" of the survival package). Derivatives here by exact arithmetic.
    rows = some_rows(seed)
    for point in cumulative_incidence(*columns(rows), at=[0, 2, 5.5, 9])[cause]:
        weighted = [weighted_incidence(rows, cause, point.time, person) for person in range(len(rows))]
        assert point.estimate == pytest.approx(float(weighted[0].value), rel=1e-13)
        squares = float(sum(share.slope**2 for share in weighted))
        assert point.standard_error == pytest.approx(math.sqrt(squares), rel=1e-11)


@pytest.mark.parametrize("seed", range(3))
def test_a_single_cause_gives_kaplan_meier_turned_round(seed):
    times, causes = columns(some_rows(seed, causes=(0, 1)))
    at = [3, 4.5, 8]
    for one, other in zip(cumulative_incidence(times, causes, at)[1], kaplan_meier(times, causes, at), strict=True):
        turned = (1 - other.estimate, other.standard_error, 1 - other.upper, 1 - other.lower)
        assert one[2:] == pytest.approx(turned, rel=1e-11)


def test_interval_of_an_incidence_is_complementary_log_log():
    # 30 of 100 by day 5, nobody lost: F = 0.3, error √(0.3 · 0.7/100).
    times, causes = [5] * 30 + [6] * 70, [1] * 30 + [0] * 70
    point = cumulative_incidence(times, causes, at=[5])[1][0]
    spread = 1.959963984540054 * math.sqrt(0.3 * 0.7 / 100) / (0.7 * abs(math.log(0.7)))
    assert [point.lower, point.upper] == pytest.approx([1 - 0.7 ** math.exp(sign * spread) for sign in (-1, 1)])
    assert point.lower < 0.3 < point.upper


def test_a_cause_that_happened_to_nobody_has_a_share_of_zero():
    found = cumulative_incidence([1, 2], [2, 0], at=[2], kinds=3)
    assert found[1] == found[3] == [(2, 1, 0.0, 0.0, None, None)]
    assert list(found) == [1, 2, 3]
    assert cumulative_incidence([], [], at=[2], kinds=1) == {1: [(2, 0, None, None, None, None)]}


def test_a_cause_that_happened_to_all_has_a_share_of_one():
    assert [point.estimate for point in cumulative_incidence([1, 2, 3], [1, 1, 1], at=[2, 3, 8])[1]] == pytest.approx(
        [2 / 3, 1, 1]
    )
    assert cumulative_incidence([1, 2, 3], [1, 1, 1], at=[8])[1][0].lower is None


@pytest.mark.parametrize("measure", [kaplan_meier, cumulative_incidence])
def test_all_that_is_wrong_is_told_at_once_by_place(measure):
    with pytest.raises(ParameterError) as told:
        measure([1, -2, None, math.inf, -7], [1, 0, 0.5, -1], at=[-1])
    assert str(told.value).splitlines() == [
        "times: 2 of 5 missing or endless: places 3, 4. Leave them out and say so, or complete them. "
        "times: 2 of 5 below 0: places 2, 5. A time counts from the start on: look at the dates it comes from. "
        "at: 1 of 1 below 0: place 1. A time counts from the start on: look at the dates it comes from. "
        "there are 5 times and 4 events. Give one for each. "
        "2 events not allowed: places 3, 4. Allowed: 0 (no longer followed)"
        + (" or 1 (it happened)." if measure is kaplan_meier else ", 1, 2, ….")
    ]


def test_kaplan_meier_refuses_further_causes_and_words_as_times():
    with pytest.raises(ParameterError, match="1 event not allowed: place 2"):
        kaplan_meier([1, 2], [1, 2], at=[1])
    with pytest.raises(ParameterError, match=r"place 3\. Allowed: 0 \(no longer followed\) to 2"):
        cumulative_incidence([1, 2, 3], [1, 2, 3], at=[1], kinds=2)
    with pytest.raises(ParameterError, match="times: numbers are needed"):
        kaplan_meier(["soon"], [1], at=[1])
    with pytest.raises(ParameterError, match="at: one list of numbers is needed"):
        kaplan_meier([1], [1], at=3)
    with pytest.raises(ParameterError, match="confidence"):
        cumulative_incidence([1], [1], at=[1], confidence=95)
