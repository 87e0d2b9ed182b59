"""Time to the next plan, against arithmetic written out and a plain-Python count with fractions."""

import math
import random
from datetime import date, timedelta
from fractions import Fraction
from itertools import combinations, pairwise
from statistics import NormalDist

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.next_plans import (
    DIED_OR_MOVED,
    HAD_NOBODY_LEFT,
    NEXT_PLAN,
    time_to_next_plan,
    told_points,
    why_not_told,
)
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.shapes import shape_of

PLANS = {
    "plan": pl.String,
    "child": pl.String,
    "authority": pl.String,
    "start_date": pl.Date,
    "end_date": pl.Date,
    "death_date": pl.Date,
    "moved_date": pl.Date,
}
RESULT = {
    "event": pl.String,
    "months": pl.Int64,
    "n": pl.Int64,
    "estimate": pl.Float64,
    "lower": pl.Float64,
    "upper": pl.Float64,
}
UNTIL = date(2010, 3, 31)
ALL_TOLD = {"fewest": 1, "threshold": 1}
END = date(2007, 4, 2)
"""The end of the plan that is looked at in small tables."""


def plan_rows(*rows):
    """Plans of authority A with the columns child, start, end, death, moved; numbered in order."""
    padded = [(f"p{number}", row[0], "A", *row[1:], *(None,) * (5 - len(row))) for number, row in enumerate(rows)]
    return pl.DataFrame(padded, schema=PLANS, orient="row")


def others(number, after=None):
    """So many further children whose plan ended on the same day, and who are followed to the last."""
    return [(f"other{n}", date(2006, 5, 8), END, None, after) for n in range(number)]


def shares(plans, month=1, until=UNTIL, **options):
    """Numerators of the two shares of a month, where nobody was lost before it: of how many, plans, died or moved."""
    found = time_to_next_plan(plans, until, months=[month], **ALL_TOLD, **options)
    size = found.filter(event=NEXT_PLAN, months=0)["n"].item()
    of_month = {
        event: found.filter(event=event, months=month)["estimate"].item() for event in (NEXT_PLAN, DIED_OR_MOVED)
    }
    return size, *(round(share * size) for share in of_month.values())


# --- a plain-Python count -------------------------------------------------------------------------------------------


def ends_in_plain_python(rows, until, since):
    """Days followed and cause of every end of protection, one child and day at a time."""
    found = {}
    for row in rows:
        end = row["end_date"]
        if end is None or end > until or (since and end < since):
            continue
        key = (row["child"], row["authority"], end)
        own = [other for other in rows if (other["child"], other["authority"]) == key[:2]]
        lasting = [other for other in own if other["end_date"] is None or other["end_date"] > end]
        if any(other["start_date"] < end for other in lasting):
            continue
        starts = [other["start_date"] for other in lasting if other["start_date"] >= end]
        starts += [other["start_date"] for other in own if other not in lasting and other["start_date"] > end]
        leaving = [other["death_date"] for other in own if other["death_date"]]
        leaving += [max(other["moved_date"], end) for other in own if other["end_date"] == end and other["moved_date"]]
        plan, left = min(starts, default=date.max), min(leaving, default=date.max)
        if min(plan, left) > until:
            found[key] = ((until - end).days, 0)
        else:
            found[key] = ((min(plan, left) - end).days, 1 if plan <= left else 2)
    return list(found.values())


def curves_in_plain_python(ends, days):
    """Number at risk, incidence of plans and of leaving, and Kaplan-Meier of plans, each with its variance."""
    nothing, survival, greenwood = Fraction(1), Fraction(1), Fraction(0)
    steps, incidence = [], {1: Fraction(0), 2: Fraction(0)}
    for then in sorted({when for when, cause in ends if cause and when <= days}):
        n = sum(when >= then for when, _ in ends)
        d = {cause: ends.count((then, cause)) for cause in (1, 2)}
        for cause in d:
            incidence[cause] += nothing * Fraction(d[cause], n)
        steps.append((n, d, nothing, dict(incidence)))
        nothing *= 1 - Fraction(sum(d.values()), n)
        survival *= 1 - Fraction(d[1], n)
        greenwood += Fraction(d[1], n * (n - d[1])) if n > d[1] else 0
    variance = {}
    for cause in (1, 2):
        variance[cause] = Fraction(0)
        for n, d, before, reached in steps:
            further, of_all = incidence[cause] - reached[cause], sum(d.values())
            variance[cause] += further**2 * Fraction(of_all, n * (n - of_all)) if n > of_all else 0
            variance[cause] += before**2 * Fraction(d[cause] * (n - d[cause]), n**3)
            variance[cause] -= 2 * further * before * Fraction(d[cause], n**2)
    at_risk = sum(when >= days for when, _ in ends)
    lines = {NEXT_PLAN: (incidence[1], variance[1]), DIED_OR_MOVED: (incidence[2], variance[2])}
    return at_risk, lines | {HAD_NOBODY_LEFT: (1 - survival, survival**2 * greenwood)}


def table_in_plain_python(ends, months, fewest, threshold, confidence=0.95):
    """The whole result, the months that may be told by trying all sets of them."""
    z = NormalDist().inv_cdf(0.5 + confidence / 2)
    long_enough = [month for month in months if sum(when >= month * 365.25 / 12 for when, _ in ends) >= fewest]
    told = best_months(ends, long_enough, threshold)
    rows = []
    for event in (NEXT_PLAN, DIED_OR_MOVED, HAD_NOBODY_LEFT):
        rows += [(event, 0, len(ends), 0.0, None, None)] if told else []
        for month in told:
            at_risk, lines = curves_in_plain_python(ends, month * 365.25 / 12)
            share, variance = lines[event]
            lower = upper = None
            if 0 < share < 1:
                rest = float(1 - share)
                spread = z * math.sqrt(variance) / (rest * -math.log(rest))
                lower, upper = (1 - rest ** math.exp(sign * spread) for sign in (-1, 1))
                lower, upper = math.floor(lower * 1000) / 1000, math.ceil(upper * 1000) / 1000
            rows.append((event, month, at_risk, float(round(share, 3)), lower, upper))
    return pl.DataFrame(rows, schema=RESULT, orient="row").sort("event", "months")


def best_months(ends, months, threshold):
    def happened(month):
        days = month * 365.25 / 12
        by_then = [cause for when, cause in ends if when <= days]
        return by_then.count(1), by_then.count(2), sum(when < days and cause == 0 for when, cause in ends)

    def may_be_told(chosen):
        counts = [(0, 0, 0), *map(happened, chosen)]
        between = [b - a for pair in pairwise(counts) for a, b in zip(*pair, strict=True)]
        return all(number == 0 or number >= threshold for number in between)

    sets = [chosen for size in range(len(months) + 1) for chosen in combinations(months, size) if may_be_told(chosen)]
    return max(sets, key=lambda chosen: (len({12, 24} & set(chosen)), len(chosen), sum(map(months.index, chosen))))


def linked_plans(seed, children=160):
    """Plans of children: gaps, overlaps, two ends on one day, starts on the day of an end, deaths, moves, open ends."""
    chance = random.Random(seed)
    rows = []
    for number in range(children):
        day, own = date(2005, 1, 1) + timedelta(chance.randrange(1200)), []
        authority = chance.choice("AB")
        for _ in range(chance.choice([1, 1, 2, 3, 4])):
            end = day + timedelta(chance.choice([0, 60, 200, 400, chance.randrange(700)]))
            own.append([day, end])
            gap = chance.choice([0, 0, 1, 90, 365, 366, chance.randrange(1, 900), -chance.randrange(1, 60)])
            if chance.random() < 0.1:
                own.append([max(day - timedelta(30), date(2005, 1, 1)), end])
            day = max(end + timedelta(gap), day)
        latest = max(end for _, end in own)
        if chance.random() < 0.15:
            own[-1][1] = None
        died = None
        if chance.random() < 0.08:
            died = max(latest, *(start for start, _ in own)) + timedelta(chance.choice([0, 1, chance.randrange(500)]))
        for start, end in own:
            moved = start + timedelta(chance.randrange(1500)) if chance.random() < 0.15 else None
            told = died if chance.random() < 0.7 else None
            rows.append((f"plan{len(rows)}", f"child{number // 2}", authority, start, end, told, moved))
    # Two children in two authorities may have one pseudonym: then the days of death are those of each authority.
    dead = {}
    for row in rows:
        dead.setdefault(row[1:3], []).append(row[5])
    rows = [(*row[:5], None if len({*dead[row[1:3]]} - {None}) > 1 else row[5], row[6]) for row in rows]
    last = {}
    for row in rows:
        last[row[1:3]] = max(last.get(row[1:3], row[3]), row[3], row[4] or row[3])
    rows = [(*row[:5], row[5] and max(row[5], last[row[1:3]]), row[6]) for row in rows]
    chance.shuffle(rows)
    return pl.DataFrame(rows, schema=PLANS, orient="row")


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize(("fewest", "threshold"), [(1, 1), (10, 6)])
def test_result_is_that_of_plain_python_on_polars_and_duckdb(seed, fewest, threshold):
    plans, months = linked_plans(seed), (1, 3, 6, 9, 12, 18, 24, 36)
    ends = ends_in_plain_python(plans.rows(named=True), UNTIL, date(2006, 1, 1))
    assert {cause for _, cause in ends} == {0, 1, 2}
    assert min(ends)[0] == 0
    options = {"since": date(2006, 1, 1), "months": months, "fewest": fewest, "threshold": threshold}
    wanted = table_in_plain_python(ends, months, fewest, threshold)
    assert wanted.height
    assert_frame_equal(time_to_next_plan(plans, UNTIL, **options), wanted, check_exact=True)
    assert_frame_equal(time_to_next_plan(plans.lazy(), UNTIL, **options), wanted, check_exact=True)
    with duckdb.connect() as connection:
        relation = connection.from_arrow(plans.to_arrow())
        assert_frame_equal(time_to_next_plan(relation, UNTIL, **options), wanted, check_exact=True)


def test_other_confidence_and_all_ends_are_those_of_plain_python():
    plans = linked_plans(7)
    ends = ends_in_plain_python(plans.rows(named=True), UNTIL, None)
    found = time_to_next_plan(plans, UNTIL, months=(12, 24), confidence=0.8, **ALL_TOLD)
    assert_frame_equal(found, table_in_plain_python(ends, (12, 24), 1, 1, confidence=0.8), check_exact=True)


# --- arithmetic written out -----------------------------------------------------------------------------------------


def test_a_year_of_twenty_ends_written_out():
    # Of 20 ends 8 had a plan on day 100, 6 children died on day 200, and 6 plus nobody were followed beyond.
    start, early = date(2006, 5, 8), date(2006, 1, 2)
    rows = [(f"a{n}", early, END) for n in range(8)] + [(f"a{n}", END + timedelta(100), None) for n in range(8)]
    rows += [(f"d{n}", start, END, END + timedelta(200)) for n in range(6)] + [(f"x{n}", start, END) for n in range(6)]
    found = time_to_next_plan(plan_rows(*rows), UNTIL, months=(3, 6, 12, 24), fewest=5)

    def ends_of(rest, root):  # of a share, given the share that is left and the error
        spread = 1.959963984540054 * root / (rest * -math.log(rest))
        low, high = (1 - rest ** math.exp(sign * spread) for sign in (-1, 1))
        return math.floor(low * 1000) / 1000, math.ceil(high * 1000) / 1000

    # Nobody was lost: shares of 20 with the error √(p(1 − p)/20). Day 91.3: none, 182.6: 8, 365.25 and 730.5: 8 and 6.
    plan, left = ends_of(0.6, math.sqrt(0.4 * 0.6 / 20)), ends_of(0.7, math.sqrt(0.3 * 0.7 / 20))
    wanted = pl.DataFrame(
        [
            (DIED_OR_MOVED, 0, 20, 0.0, None, None),
            (DIED_OR_MOVED, 3, 20, 0.0, None, None),
            (DIED_OR_MOVED, 6, 12, 0.0, None, None),
            (DIED_OR_MOVED, 12, 6, 0.3, *left),
            (DIED_OR_MOVED, 24, 6, 0.3, *left),
            *((event, 0, 20, 0.0, None, None) for event in (NEXT_PLAN, HAD_NOBODY_LEFT)),
            *((event, 3, 20, 0.0, None, None) for event in (NEXT_PLAN, HAD_NOBODY_LEFT)),
            *((event, 6, 12, 0.4, *plan) for event in (NEXT_PLAN, HAD_NOBODY_LEFT)),
            *((event, month, 6, 0.4, *plan) for event in (NEXT_PLAN, HAD_NOBODY_LEFT) for month in (12, 24)),
        ],
        schema=RESULT,
        orient="row",
    ).sort("event", "months")
    assert_frame_equal(found, wanted, check_exact=True)


def test_had_nobody_left_is_larger_where_children_died_before_others_had_a_plan():
    # 1 of 4 died on day 10, 1 of the 3 left had a plan on day 20: 1/4 of all, 1/3 had nobody died.
    rows = [("d", date(2006, 5, 8), END, END + timedelta(10)), ("a", date(2006, 5, 8), END)]
    plans = plan_rows(*rows, ("a", END + timedelta(20), None), *others(2))
    found = time_to_next_plan(plans, UNTIL, months=[12], **ALL_TOLD).filter(months=12)
    assert dict(found.select("event", "estimate").rows()) == {
        DIED_OR_MOVED: 0.25,
        NEXT_PLAN: 0.25,
        HAD_NOBODY_LEFT: 0.333,
    }
    one_line = time_to_next_plan(plans, UNTIL, months=[12], competing=False, **ALL_TOLD)
    assert one_line.select("event", "months", "n", "estimate").rows() == [
        (NEXT_PLAN, 0, 4, 0.0),
        (NEXT_PLAN, 12, 2, 0.333),
    ]


@pytest.mark.parametrize(
    ("first_end", "second_start", "second_end", "wanted"),
    [
        pytest.param(END, END + timedelta(20), None, (4, 1, 0), id="later"),
        pytest.param(END, END, None, (4, 1, 0), id="on the day of the end"),
        pytest.param(END, END, END + timedelta(400), (4, 1, 0), id="on the day of the end, and ended since"),
        pytest.param(END, END, END, (4, 0, 0), id="started and ended on the day of the end"),
        pytest.param(END, END - timedelta(9), END, (4, 0, 0), id="two plans ended on one day"),
        pytest.param(END, END - timedelta(9), None, (3, 0, 0), id="another plan ran on: no end of protection"),
        pytest.param(END, END + timedelta(31), None, (4, 0, 0), id="after the month, of 30.4 days"),
    ],
)
def test_which_plan_is_the_next_and_what_is_an_end(first_end, second_start, second_end, wanted):
    # Three others ended on that day. Within a month of theirs and this end: of how many, plans, died or moved.
    plans = plan_rows(("a", date(2006, 5, 8), first_end), ("a", second_start, second_end), *others(3))
    assert shares(plans, since=END - timedelta(1), until=END + timedelta(399)) == wanted


def test_overlapping_plans_end_protection_once_at_the_later_end():
    rows = [("a", date(2006, 5, 8), END - timedelta(40)), ("a", date(2006, 9, 8), END), ("a", END + timedelta(5), None)]
    assert shares(plan_rows(*rows, *others(3))) == (4, 1, 0)


def test_child_with_two_ends_is_followed_from_each():
    second = (END + timedelta(10), END + timedelta(30))
    assert shares(plan_rows(("a", date(2006, 5, 8), END), ("a", *second), *others(3)), month=2) == (5, 1, 0)


@pytest.mark.parametrize(
    ("death", "moved", "wanted"),
    [
        pytest.param(END, None, (4, 0, 1), id="died on the day of the end"),
        pytest.param(None, END - timedelta(20), (4, 0, 1), id="moved while the plan ran"),
        pytest.param(None, END, (4, 0, 1), id="moved on the day of the end"),
        pytest.param(END + timedelta(30), None, (4, 0, 1), id="died within the month"),
        pytest.param(END + timedelta(31), END + timedelta(32), (4, 0, 0), id="after the month"),
        pytest.param(END + timedelta(31), END + timedelta(5), (4, 0, 1), id="moved, and died later"),
    ],
)
def test_death_and_move_are_events_of_their_own(death, moved, wanted):
    assert shares(plan_rows(("a", date(2006, 5, 8), END, death, moved), *others(3))) == wanted


def test_of_next_plan_and_move_the_earlier_counts_and_on_one_day_the_plan():
    def with_move_after(days):
        rows = [("a", date(2006, 5, 8), END, None, END + timedelta(days)), ("a", END + timedelta(20), None)]
        return shares(plan_rows(*rows, *others(3)))

    assert [with_move_after(days) for days in (19, 20, 21)] == [(4, 0, 1), (4, 1, 0), (4, 1, 0)]


def test_move_is_of_its_own_plan_and_death_of_the_child():
    moved_later = END + timedelta(25)
    again = ("a", END + timedelta(5), END + timedelta(15))
    # The move belongs to the second plan: the first end is followed by a plan, the second by the move.
    assert shares(plan_rows(("a", date(2006, 5, 8), END), (*again, None, moved_later), *others(2))) == (4, 1, 1)
    # The death stands on the first row alone and ends the time after the second.
    first = ("a", date(2006, 5, 8), END, moved_later)
    assert shares(plan_rows(first, again, *others(2))) == (4, 1, 1)


def test_next_plan_of_another_authority_does_not_count_where_authorities_are_known():
    plans = plan_rows(("a", date(2006, 5, 8), END), ("a", END + timedelta(9), None), *others(3)).with_columns(
        authority=pl.when(plan="p1").then(pl.lit("B")).otherwise("authority")
    )
    assert shares(plans) == (4, 0, 0)
    assert shares(plans.drop("authority")) == (4, 1, 0)


def test_window_takes_both_of_its_days_and_what_comes_after_until_is_not_known():
    end = date(2007, 4, 30)
    rows = [("a", date(2006, 5, 8), END), ("b", date(2006, 5, 8), end), ("c", date(2006, 5, 8), END - timedelta(1))]
    rows += [("d", date(2006, 5, 8), end + timedelta(1)), ("b", end, None), ("a", end + timedelta(1), None)]
    found = time_to_next_plan(plan_rows(*rows), end, since=END, months=[1], competing=False, **ALL_TOLD)
    assert found.is_empty()  # of two ends, one was followed for 28 days and one for none
    rows += [("e", date(2006, 5, 8), date(2007, 3, 1), None, date(2007, 5, 1))]
    followed = time_to_next_plan(plan_rows(*rows), end, since=date(2007, 3, 1), months=[1], **ALL_TOLD)
    # e is followed for 60 days: still at risk after a month, the move later than `until`. c: 29 days, a: 28, b: plan.
    assert followed.filter(event=NEXT_PLAN).select("months", "n", "estimate").rows() == [(0, 4, 0.0), (1, 1, 0.25)]
    assert followed.filter(event=DIED_OR_MOVED)["estimate"].to_list() == [0.0, 0.0]


def test_plan_after_365_days_is_within_a_year_and_after_366_is_not():
    def within_a_year(days):
        rows = [("a", date(2006, 5, 8), END), ("a", END + timedelta(days), None), *others(3)]
        return shares(plan_rows(*rows), month=12)

    assert within_a_year(365) == (4, 1, 0)
    assert within_a_year(366) == (4, 0, 0)


def test_intervals_are_rounded_outwards_and_shares_to_the_nearest_thousandth():
    # 1 of 3 within a month: error √(1/3 · 2/3 / 3), complementary log-log.
    plans = plan_rows(("a", date(2006, 5, 8), END), ("a", END + timedelta(9), None), *others(2))
    row = time_to_next_plan(plans, UNTIL, months=[1], **ALL_TOLD).filter(event=NEXT_PLAN, months=1).row(0)
    spread = 1.959963984540054 * math.sqrt(2 / 27) / (2 / 3 * math.log(3 / 2))
    low, high = (1 - (2 / 3) ** math.exp(sign * spread) for sign in (-1, 1))
    assert row[3] == 0.333
    assert row[4] <= low < row[4] + 0.001
    assert row[5] - 0.001 < high <= row[5]


# --- what may be told -----------------------------------------------------------------------------------------------


def reference_points(counts, keep, threshold):
    def allowed(chosen):
        steps = [[0] * len(counts[0]), *(counts[place] for place in chosen)] if counts else []
        between = [b - a for pair in pairwise(steps) for a, b in zip(*pair, strict=True)]
        return all(number == 0 or number >= threshold for number in between)

    sets = [chosen for size in range(len(counts) + 1) for chosen in combinations(range(len(counts)), size)]
    best = max(filter(allowed, sets), key=lambda chosen: (len(set(keep) & set(chosen)), len(chosen), sum(chosen)))
    return len(set(keep) & set(best)), len(best), sum(best)


steps = st.lists(st.lists(st.integers(0, 9), min_size=3, max_size=3), max_size=7)


@settings(max_examples=80, deadline=None)
@given(steps=steps, keep=st.sets(st.integers(0, 6)), threshold=st.integers(1, 8))
def test_points_told_are_as_good_as_the_best_of_all_sets(steps, keep, threshold):
    counts = [[sum(column) for column in zip(*steps[: place + 1], strict=True)] for place in range(len(steps))]
    told = told_points(counts, keep, threshold=threshold)
    assert told == sorted(set(told))
    between = [[0] * 3, *(counts[place] for place in told)]
    for before, after in pairwise(between):
        assert all(b - a == 0 or b - a >= threshold for a, b in zip(before, after, strict=True))
    assert (len(keep & set(told)), len(told), sum(told)) == reference_points(counts, keep, threshold)


@pytest.mark.parametrize(
    ("counts", "keep", "wanted"),
    [
        ([[5]], (), []),
        ([[6]], (), [0]),
        ([[0]], (), [0]),
        ([[6, 0], [6, 0]], (), [0, 1]),
        ([[6, 0], [7, 0]], (), [1]),
        ([[6, 0], [7, 0]], (0,), [0]),
        ([[6, 0], [11, 0], [12, 0]], (), [0, 2]),
        ([[7], [12], [14], [20]], (1,), [1, 3]),
        ([[6, 0, 3], [12, 0, 6], [18, 5, 12]], (), [1]),
        ([], (), []),
    ],
)
def test_points_told_written_out(counts, keep, wanted):
    assert told_points(counts, keep) == wanted


def waves_of_plans(*sizes):
    """Children whose plan ended on one day: so many had a plan in the first quarter, the second, …; 40 had none."""
    rows = []
    for quarter, size in enumerate(sizes):
        for n in range(size):
            child = f"q{quarter}n{n}"
            rows += [(child, date(2006, 5, 8), END), (child, END + timedelta(91 * quarter + 40), None)]
    return plan_rows(*rows, *others(40))


def months_shown(plans, **options):
    return time_to_next_plan(plans, UNTIL, **options).filter(event=NEXT_PLAN)["months"].to_list()


def test_months_between_which_few_had_a_plan_are_not_told():
    # By 3, 6, … 24 months: 6, 9, 12, 20, 20, 26, 26, 26. 6 or 9 months would tell of three.
    assert months_shown(waves_of_plans(6, 3, 3, 8, 0, 6, 0, 0)) == [0, 3, 9, 12, 15, 18, 21, 24]
    # 12 months are kept, although 9 and 15 would be one more: 6, 6, 6, 7, 12, 18, 18, 18 by then; 12 to 15 would be 5.
    assert months_shown(waves_of_plans(6, 0, 0, 1, 5, 6, 0, 0)) == [0, 12, 18, 21, 24]
    assert months_shown(waves_of_plans(6, 0, 0, 1, 5, 6, 0, 0), threshold=1) == [0, 3, 6, 9, 12, 15, 18, 21, 24]


def test_line_stops_where_fewer_than_fewest_are_followed():
    ends = [date(2009, 3, 2)] * 12 + [date(2007, 4, 2)] * 9
    rows = [(f"c{n}", date(2006, 5, 8), end) for n, end in enumerate(ends)]
    plans, until = plan_rows(*rows), date(2009, 12, 31)
    # 12 ends were followed for 304 days: until then 21, beyond only 9, one fewer than the line needs.
    found = time_to_next_plan(plans, until).filter(event=NEXT_PLAN)
    assert found.select("months", "n").rows() == [(0, 21), (3, 21), (6, 21), (9, 21)]
    found = time_to_next_plan(plans, until, fewest=9).filter(event=NEXT_PLAN)
    assert found.select("months", "n").rows()[-5:] == [(12, 9), (15, 9), (18, 9), (21, 9), (24, 9)]
    # Fewer than the threshold are never told as still followed.
    assert time_to_next_plan(plans, until, fewest=1, threshold=10)["n"].min() == 21


def test_whole_day_of_a_month_with_few_plans_is_not_told():
    # 16 months are 487 days: the two of that day are in n, and in the share already.
    rows = [(f"a{n}", date(2006, 5, 8), END) for n in range(2)]
    rows += [(f"a{n}", END + timedelta(487), None) for n in range(2)]
    rows += [(f"b{n}", date(2006, 5, 8), END) for n in range(4)] + [
        (f"b{n}", END + timedelta(9), None) for n in range(4)
    ]
    assert months_shown(plan_rows(*rows, *others(20)), months=[16]) == []
    assert months_shown(plan_rows(*rows, *others(20)), months=[16, 17]) == [0, 17]


def test_no_row_and_a_reason_where_nothing_may_be_told():
    few = waves_of_plans(5)
    for plans, options, reason in (
        (few.clear(), {}, "No plan ended in this time."),
        (few, {"since": END + timedelta(1)}, "No plan ended in this time."),
        (plan_rows(*others(9)), {}, "Fewer than 10 plans ended in this time, too few to say when the next one starts."),
        (few, {"months": [48]}, "Fewer than 10 children were followed for 48 months after their plan."),
        (
            few,
            {},
            "By each of the months asked for, fewer than 6 children had a next plan, died or moved away, or were no "
            "longer followed, so that no share can be told. Ask for plans that ended in a longer time.",
        ),
    ):
        assert_frame_equal(time_to_next_plan(plans, UNTIL, **options), pl.DataFrame(schema=RESULT))
        assert why_not_told(plans, UNTIL, **options) == reason
    assert why_not_told(waves_of_plans(6), UNTIL) == ""
    with duckdb.connect() as connection:
        nobody = connection.from_arrow(few.clear().to_arrow())
        assert_frame_equal(time_to_next_plan(nobody, UNTIL), pl.DataFrame(schema=RESULT))


def test_result_has_the_shape_of_an_estimate_and_can_be_suppressed():
    found = time_to_next_plan(linked_plans(0), UNTIL)
    assert shape_of(found.columns).name == "estimate"
    assert set(found["event"]) == {NEXT_PLAN, DIED_OR_MOVED, HAD_NOBODY_LEFT}
    assert_frame_equal(suppress(found, Policy.dfe()).frame().drop("mark"), found, check_row_order=False)


# --- what is refused ------------------------------------------------------------------------------------------------


def test_rows_that_cannot_be_followed_are_told_at_once_and_without_names():
    plans = plan_rows(
        ("Ann", END, END - timedelta(1)),
        ("Ben", date(2006, 5, 8), END, END - timedelta(1)),
        ("Cem", date(2006, 5, 8), END, END + timedelta(3)),
        ("Cem", END + timedelta(4), None, END + timedelta(9)),
        ("Dan", date(2006, 5, 8), END, None, date(2006, 5, 7)),
        (None, date(2006, 5, 8), END),
        ("Eve", None, END),
        ("Unknown", date(2006, 5, 8), END),
    ).with_columns(plan=pl.col("plan").replace("p7", "p6"))
    with pytest.raises(TableError) as told:
        time_to_next_plan(plans, UNTIL)
    assert str(told.value) == (
        "plans: 1 of 8 rows have no child. Complete them, or leave these rows out and say so. "
        "1 of 8 rows have no start_date. Complete them, or leave these rows out and say so. "
        "1 of 8 rows end before they start. Correct one of the days. "
        "2 of 8 rows start or end after the child died. Correct one of the days. "
        "1 of 8 rows have another death_date than a plan of the same child. Give one. "
        "1 of 8 rows have a moved_date before their start. It belongs to the plan after which the child moved. "
        '1 of 8 rows have a placeholder such as "unknown" for the child. Leave these rows out and say so. '
        "8 rows stand for 7 different plans. Keep one row per plan."
    )
    with duckdb.connect() as connection, pytest.raises(TableError) as told_by_duckdb:
        time_to_next_plan(connection.from_arrow(plans.to_arrow()), UNTIL)
    assert str(told_by_duckdb.value) == str(told.value)


def test_columns_that_are_missing_or_hold_no_days_are_refused():
    plans = plan_rows(*others(3))
    with pytest.raises(TableError, match="end_date missing"):
        time_to_next_plan(plans.drop("end_date"), UNTIL)
    with pytest.raises(TableError, match="death_date must hold dates"):
        time_to_next_plan(plans.with_columns(death_date=pl.lit("2007-04-02")), UNTIL)
    with pytest.raises(ParameterError, match="no column death_date or moved_date"):
        time_to_next_plan(plans.drop("death_date", "moved_date"), UNTIL)


@pytest.mark.parametrize("missing", [["death_date"], ["moved_date"]])
def test_one_of_death_and_move_is_enough(missing):
    rows = [("a", date(2006, 5, 8), END, END + timedelta(9), END + timedelta(5)), *others(3)]
    assert shares(plan_rows(*rows).drop(missing)) == (4, 0, 1)


def test_without_deaths_and_moves_there_is_one_line_if_asked_for():
    plans = waves_of_plans(6).drop("death_date", "moved_date")
    found = time_to_next_plan(plans, UNTIL, months=[3], competing=False)
    assert found.select("event", "months", "n", "estimate").rows() == [
        (NEXT_PLAN, 0, 46, 0.0),
        (NEXT_PLAN, 3, 40, 0.13),
    ]


def test_all_that_is_wrong_with_parameters_is_told_at_once():
    plans = plan_rows(*others(3))
    with pytest.raises(ParameterError) as told:
        time_to_next_plan(plans, END, since=UNTIL, months=[0, 3], fewest=0, threshold=0)
    assert str(told.value) == (
        "since must not be after until. Found: 2010-03-31 and 2007-04-02. "
        "months must be whole numbers of 1 or more. Found: [0, 3]. "
        "fewest must be 1 or more. Found: 0. threshold must be 1 or more. Found: 0."
    )
    with pytest.raises(ParameterError, match="one stands twice"):
        time_to_next_plan(plans, UNTIL, months=[3, 3])
    with pytest.raises(ParameterError, match="confidence"):
        time_to_next_plan(plans.clear(), UNTIL, confidence=95)


def test_times_of_day_are_cut_off():
    plans = waves_of_plans(6)
    days = pl.col("start_date", "end_date", "death_date", "moved_date")
    with_hours = plans.with_columns(days.cast(pl.Datetime) + pl.duration(hours=23))
    assert_frame_equal(time_to_next_plan(with_hours, UNTIL), time_to_next_plan(plans, UNTIL))
