"""Rounded counts add up, are as near as they can be, and nothing printed beside them tells the true ones."""

import itertools
import json
import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.optimize import linprog
from scipy.sparse import csr_matrix

from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.rounding import (
    controlled_rounding,
    decimals_of_mean,
    nearest_multiple,
    percentage_decimals,
    recomputed,
)
from safeguarding_analytics.shapes import ATTENDANCE, COUNT, MEAN_CHANGE, PROPORTION, RANKING, RATE
from safeguarding_analytics.tables import TOTAL

SHARED = Path(__file__).parents[2] / "shared"
DATA = SHARED / "data" / "disclosure"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

# Each line of three along each of the three dimensions holds two fives or none, so all totals are 0 or 10. To base 10
# one five of each line would have to become 0 and the other 10, which cannot be done for all lines at once.
FIVES = np.array(
    [
        [[5, 0, 5], [0, 5, 5], [5, 5, 0]],
        [[0, 5, 5], [5, 0, 5], [5, 5, 0]],
        [[5, 5, 0], [5, 5, 0], [0, 0, 0]],
    ]
)


def with_margins(cells):
    """All numbers of a table with all its margins (index -1), and its relations, in the order of the sorted places."""
    summed = np.array(cells)
    for axis in range(summed.ndim):
        summed = np.concatenate([summed, summed.sum(axis=axis, keepdims=True)], axis=axis)
    number = np.arange(summed.size).reshape(summed.shape)
    rows = []
    for axis in range(summed.ndim):
        for line in np.moveaxis(number, axis, -1).reshape(-1, summed.shape[axis]):
            row = np.zeros(summed.size)
            row[line[:-1]], row[line[-1]] = -1, 1
            rows.append(row)
    return summed, csr_matrix(np.array(rows))


def rounded(cells, base):
    summed, relations = with_margins(cells)
    found = controlled_rounding(summed.ravel().astype(float), relations, base, np.zeros(summed.size, np.bool_))
    assert np.abs(relations @ found).max() == 0
    assert (found % base == 0).all()
    return found.reshape(summed.shape), summed


def smallest_change(cells, base):
    """By brute force: every way to round the cells of a table of two dimensions, where the margins let it stand."""
    best = math.inf
    ends = [sorted({value // base * base, -(-value // base) * base}) for value in np.ravel(cells).tolist()]
    true = with_margins(cells)[0]
    for leaves in itertools.product(*ends):
        tried = with_margins(np.reshape(leaves, np.shape(cells)))[0]
        if (np.abs(tried - true) < base).all() and (tried[true % base == 0] == true[true % base == 0]).all():
            best = min(best, np.abs(tried - true).sum())
    return best


def least_possible_change(cells, base):
    """A bound from below: the linear programme that may leave numbers between the multiples, written another way."""
    summed, relations = with_margins(cells)
    values = summed.ravel()
    size = len(values)
    low, high = values // base * base, -(-values // base) * base
    # Numbers x, then how far each is off, d: d >= x - v and d >= v - x are true of a multiple on either side, so on
    # the line between them d is at least what joins both: (x - low) / (high - low) of the way from v - low to high - v.
    wide = np.where(high > low, high - low, 1)
    slope = np.where(high > low, ((high - values) - (values - low)) / wide, 0)
    found = linprog(slope, A_eq=relations, b_eq=np.zeros(relations.shape[0]), bounds=np.column_stack([low, high]))
    assert size == len(found.x)
    return float(found.fun + (values - low - slope * low).sum())


def board(name, *groups):
    frame = pl.read_csv(DATA / f"{name}.csv").sort(groups)
    return frame["n"].to_numpy().reshape([frame[group].n_unique() for group in groups])


@needs_shared
def test_handbook_table_is_rounded_to_base_5():
    # Of several roundings that add up the Handbook prints one; ours may be another, and changes no more.
    oracle = next(
        one for one in json.loads((DATA / "oracles.json").read_text()) if one["name"] == "handbook_rounding_base5"
    )
    handbook = with_margins(oracle["controlled"]["values"])[0]
    assert handbook[:-1, -1].tolist() == oracle["controlled"]["rows"]
    found, true = rounded(oracle["original"]["values"], 5)
    assert true[-1, -1] == oracle["original"]["total"]
    assert found[-1, -1] == oracle["controlled"]["total"] == 40
    assert np.abs(found - true).max() < 5
    assert np.abs(found - true).sum() <= np.abs(handbook - true).sum()
    assert np.abs(found - true).sum() == smallest_change(oracle["original"]["values"], 5)


@needs_shared
@pytest.mark.parametrize(
    ("name", "groups"),
    [("board_12x10", ("district", "agency")), ("board_12x10x4", ("district", "agency", "quarter"))],
)
def test_board_with_all_margins_is_rounded_as_near_as_can_be(name, groups):
    # ../shared/research/disclosure.md, section 3: additive, maximum error 4, mean 1.2 to 1.3.
    cells = board(name, *groups)
    found, true = rounded(cells, 5)
    change = np.abs(found - true)
    assert change.max() <= 4
    assert 1.15 < change.mean() < 1.35
    assert change.sum() - math.ceil(least_possible_change(cells, 5) - 1e-6) in (0, 1)
    assert (found[true % 5 == 0] == true[true % 5 == 0]).all()


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(0, 12), min_size=3, max_size=3), min_size=2, max_size=2), st.sampled_from([5, 10]))
def test_no_rounding_of_a_small_table_changes_less(cells, base):
    found, true = rounded(cells, base)
    assert np.abs(found - true).sum() == smallest_change(cells, base)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.lists(st.integers(0, 40), min_size=3, max_size=3), min_size=3, max_size=3), st.permutations(range(3))
)
def test_order_of_rows_changes_no_sum_of_changes(cells, order):
    found, true = rounded(cells, 5)
    again, other = rounded([cells[place] for place in order], 5)
    assert np.abs(found - true).sum() == np.abs(again - other).sum()


def test_order_of_relations_changes_nothing():
    cells = np.random.default_rng(7).poisson(4, (4, 5))
    summed, relations = with_margins(cells)
    values, printed = summed.ravel().astype(float), np.zeros(summed.size, np.bool_)
    found = controlled_rounding(values, relations, 5, printed)
    for seed in range(5):
        order = np.random.default_rng(seed).permutation(relations.shape[0])
        assert (controlled_rounding(values, relations[order], 5, printed) == found).all()


def test_numbers_in_no_relation_go_to_the_nearest_multiple():
    values = np.array([0.0, 2, 3, 5, 7, 8])
    found = controlled_rounding(values, csr_matrix((0, 6)), 5, np.zeros(6, np.bool_))
    assert found.tolist() == [0, 0, 5, 5, 5, 10]


def test_no_numbers_are_rounded_to_none():
    assert controlled_rounding(np.zeros(0), csr_matrix((0, 0)), 5, np.zeros(0, np.bool_)).tolist() == []


def test_free_number_keeps_a_numerator_at_most_its_denominator():
    # 7 of 7 in a table whose numerators 7 + 3 + 3 make 13: to the nearest they would be 5 + 5 + 5 of 5.
    # numerators a, b, c and their total, denominators and theirs, then denominator - numerator = free, four times.
    values = np.array([7, 3, 3, 13, 7, 30, 41, 78, 0, 27, 38, 65], dtype=float)
    inequalities = np.hstack([-np.eye(4), np.eye(4), -np.eye(4)])
    totals = np.zeros((2, 12))
    totals[0, :4] = totals[1, 4:8] = -1, -1, -1, 1
    relations = csr_matrix(np.vstack([inequalities, totals]))
    free = np.arange(12) >= 8
    found = controlled_rounding(values, relations, 5, free)
    assert np.abs(relations @ found).max() == 0
    assert (found[:8] % 5 == 0).all()
    assert (np.abs(found - values)[:8] < 5).all()
    assert (found[:4] <= found[4:8]).all()


def test_free_number_is_not_rounded_itself():
    # half a printed number: 15 = 2 x 7.5. To a multiple of 10 the printed one goes, the free one follows.
    values, relations = np.array([14.0, 7.0]), csr_matrix([[1.0, -2.0]])
    assert controlled_rounding(values, relations, 10, np.array([False, True])).tolist() == [10, 5]


def test_cube_of_fives_has_no_rounding_to_neighbours():
    fives = [tuple(place) for place in np.argwhere(FIVES == 5).tolist()]
    flat = np.arange(27).reshape(3, 3, 3)
    lines = [line for axis in range(3) for line in np.moveaxis(flat, axis, -1).reshape(-1, 3)]
    assert {int(np.ravel(FIVES)[line].sum()) for line in lines} == {0, 10}
    # Brute force over all 2^16 ways: which of the fives become 10.
    ways = (np.arange(2 ** len(fives))[:, None] >> np.arange(len(fives))) & 1
    table = np.zeros((len(ways), 27), dtype=np.int8)
    table[:, [flat[place] for place in fives]] = ways
    stands = np.ones(len(ways), np.bool_)
    for line in lines:
        stands &= table[:, line].sum(axis=1) == (1 if np.ravel(FIVES)[line].any() else 0)
    assert not stands.any()


def test_where_no_neighbours_add_up_numbers_go_one_multiple_further():
    found, true = rounded(FIVES, 10)
    change = np.abs(found - true)
    assert (found >= 0).all()
    assert change.max() < 20
    assert (change[true % 10 == 0] <= 10).all()
    assert (change[true % 10 == 0] > 0).any()


def test_table_that_cannot_be_rounded_says_what_to_do():
    # 5 x 6 = 3 x 10. Rounded, the first must be a multiple of 3 and of 5 and the second of 5 and of 5 x 5: 15 x 5 =
    # 3 x 25 is out of reach of the 10 (at most 15), and 0 x 5 = 3 x 0 is too (at least 5).
    values, relations = np.array([6.0, 10.0]), csr_matrix([[5.0, -3.0]])
    with pytest.raises(DisclosureError, match=r"multiples of 5 .* Publish fewer group columns, or hide small counts"):
        controlled_rounding(values, relations, 5, np.zeros(2, np.bool_))


def test_table_of_zeros_stays():
    assert not rounded(np.zeros((2, 3), dtype=int), 5)[0].any()


@pytest.mark.parametrize(
    ("value", "base", "expected"),
    [(0, 5, 0), (2, 5, 0), (2.5, 5, 5), (3, 5, 5), (7, 5, 5), (8, 5, 10), (4, 10, 0), (5, 10, 10), (14, 10, 10)],
)
def test_nearest_multiple_rounds_halves_up(value, base, expected):
    assert nearest_multiple(float(value), base) == expected
    assert pl.select(nearest_multiple(pl.lit(value), base)).item() == expected


def test_nearest_multiple_of_null_is_null():
    assert pl.select(nearest_multiple(pl.lit(None, pl.Int64), 5)).item() is None


def printed(denominator, decimals):
    """How every numerator from 0 on prints, in units of the last decimal, with halves up, down and to even."""
    doubled = 2 * np.arange(denominator + 1) * 10 ** (2 + decimals)
    up = (doubled + denominator) // (2 * denominator)
    down = -((denominator - doubled) // (2 * denominator))
    return up, down, np.where(up % 2 == 0, up, down)


def gives_nothing_back(denominator, decimals, values):
    """Whether 1 to `values` print the same, and every percentage stands for as many numerators, however halves go."""
    return all(
        len(set(way[1 : values + 1].tolist())) == 1 and np.bincount(way)[np.unique(way)].min() >= values
        for way in printed(denominator, decimals)
    )


@pytest.mark.parametrize("values", [2, 3, 5, 8])
def test_percentage_with_its_denominator_never_gives_its_numerator_back(values):
    edges = [2 * values * 100, 2 * values * 1_000]
    near = [edge + step for edge in edges for step in range(-30, 31)]
    for denominator in [*range(1, 60), *range(60, 12_000, 173), *near]:
        safe = [decimals for decimals in (1, 0) if gives_nothing_back(denominator, decimals, values)]
        assert percentage_decimals(denominator, values) == (safe[0] if safe else None), denominator


def test_denominator_of_nothing_has_no_percentage():
    assert percentage_decimals(0) is None


@pytest.mark.parametrize(("decimals", "most"), [(1, 1_000), (0, 100)])
def test_research_note_is_right_about_what_percentages_give_back(decimals, most):
    # ../shared/research/disclosure.md, section 1, finding 4: every numerator 1 to 5 up to these denominators.
    for denominator in range(20, most + 1):
        way = printed(denominator, decimals)[0]
        assert (np.bincount(way)[way[1:6]] == 1).all()
    way = printed(2 * most, decimals)[0]
    assert (np.bincount(way)[way[1:6]] > 1).all()


def units(number, decimals):
    """A fraction rounded half to even to units of a decimal."""
    return round(number * 10**decimals)


def fits(people, shown, decimals):
    """Whether two whole sums of so many people can print these: before, after, change, and an interval round it."""
    before, after, change, lower, upper = shown
    step = 10**decimals

    def window(unit):
        return math.ceil(Fraction(people * (2 * unit - 1), 2 * step)), math.floor(
            Fraction(people * (2 * unit + 1), 2 * step)
        )

    first, last = window(before)
    return any(
        units(Fraction(one + gain, people), decimals) == after and units(Fraction(one, people), decimals) == before
        for gain in range(window(change)[0], window(change)[1] + 1)
        # The middle of the interval is the change; how wide it is nobody can tell.
        if units(Fraction(gain, people), decimals) == change
        and abs(Fraction(gain, people) - Fraction(lower + upper, 2 * step)) <= Fraction(1, 2 * step)
        for one in range(first, last + 1)
    )


def prints(people, before, after, reach, decimals):
    """What a table shows of two sums and the half-width of an interval."""
    change = Fraction(after - before, people)
    ends = (Fraction(before, people), Fraction(after, people), change, change - reach, change + reach)
    return [units(end, decimals) for end in ends]


@pytest.mark.parametrize("shown", [60, 75, 100])
def test_mean_of_a_rounded_number_of_people_could_be_that_of_every_number_it_stands_for(shown):
    decimals = decimals_of_mean(shown)
    assert decimals == 1
    possible = range(shown - 19, shown + 20)
    source = np.random.default_rng(shown)
    for _ in range(60):
        people = int(source.integers(possible[0], possible[-1] + 1))
        before, gain = int(source.integers(0, 10 * people)), int(source.integers(-people, 3 * people))
        seen = prints(people, before, before + gain, Fraction(int(source.integers(1, 900)), 1_000), decimals)
        assert all(fits(other, seen, decimals) for other in possible), (people, before, gain)


def test_mean_with_three_decimals_gives_the_number_of_people_back():
    # 47 people, 160 points before and 213 after: means 3.404, 4.532, change 1.128.
    seen = prints(47, 160, 213, Fraction(1, 2), 3)
    assert [other for other in range(41, 60) if fits(other, seen, 3)] == [47]
    rough = prints(47, 160, 213, Fraction(1, 2), 1)
    assert [other for other in range(41, 60) if fits(other, rough, 1)] == list(range(41, 60))


def test_mean_of_fewer_than_60_has_no_decimals():
    # 4 x 10 < n - 19 from 60 on, 4 x 100 < n - 19 from 420 on.
    assert [decimals_of_mean(count) for count in (0, 5, 55, 59, 60, 419, 420)] == [0, 0, 0, 0, 1, 1, 2]


def test_count_table_has_nothing_to_work_out():
    table = pl.DataFrame({"agency": ["A", "B"], "count": [5, None]})
    assert_frame_equal(recomputed(table, COUNT), table)


def test_column_nobody_knows_is_emptied():
    table = pl.DataFrame({"agency": ["A"], "count": [5], "share": [0.123], "note": ["3 of 7"], "mark": [""]})
    expected = table.with_columns(pl.lit(None, pl.Float64).alias("share"), pl.lit(None, pl.String).alias("note"))
    assert_frame_equal(recomputed(table, COUNT), expected)


def test_shares_are_those_of_the_rounded_counts():
    table = pl.DataFrame(
        {
            "agency": ["A", "B", "C", "D", "E"],
            "numerator": [5, 0, 0, None, 10],
            "denominator": [20, 10, 0, 20, 5],
            "proportion": [7 / 22, 1 / 9, 0.5, 0.3, 1.0],
            "lower": [0.1] * 5,
            "upper": [0.9] * 5,
        }
    )
    # 5 of 20, z = 1.959964: (10 + 3.841459 -+ 1.959964 x root(3.841459 + 4 x 5 x 0.75)) / (2 x 23.841459)
    #   = (13.841459 -+ 8.507553) / 47.682918 = 0.111862 and 0.468700.
    # 0 of 10: lower 0, upper 3.841459 x 2 / (2 x 13.841459) = 0.277533.
    expected = table.with_columns(
        pl.Series("proportion", [0.25, 0.0, None, None, None]),
        pl.Series("lower", [0.111862, 0.0, None, None, None]),
        pl.Series("upper", [0.468700, 0.277533, None, None, None]),
    )
    assert_frame_equal(recomputed(table, PROPORTION), expected, rel_tol=0, abs_tol=1e-5)


def test_rates_are_those_of_the_rounded_counts_per_true_population():
    table = pl.DataFrame(
        {
            "area": ["A", "B", "C", "D"],
            "count": [10, 5, None, 5],
            "population": [20_000, 10_000, 10_000, 0],
            "rate": [6.1, 4.2, 3.0, 1.0],
            "lower": [1.0] * 4,
            "upper": [9.0] * 4,
        }
    )
    # 10 events, Byar: 10 x (1 - 1/90 - 1.959964 / (3 x 3.162278))^3 = 10 x 0.782288^3 = 4.78738,
    #   11 x (1 - 1/99 + 1.959964 / (3 x 3.316625))^3 = 11 x 1.186884^3 = 18.39142; per 20,000, x 10,000: halved.
    # 5 events, exact Poisson: 1.62349 and 11.66833 (Garwood 1936, Biometrika 28:437).
    expected = table.with_columns(
        pl.Series("rate", [5.0, 5.0, None, None]),
        pl.Series("lower", [2.39369, 1.62349, None, None]),
        pl.Series("upper", [9.19571, 11.66833, None, None]),
    )
    assert_frame_equal(recomputed(table, RATE), expected, rel_tol=0, abs_tol=2e-4)


def attendance_table(attended):
    size = len(attended)
    return pl.DataFrame(
        {
            "course": ["Core", "Safer", None, TOTAL][-size:],
            "registered": [20, 10, 0, 30][-size:],
            "attended": attended,
            "walk_ins": [5, 10, 0, 10][-size:],
            "did_not_attend": [5, 5, 0, 10][-size:],
            "cancelled": [5, 5, 0, 10][-size:],
            "attendance_rate": [0.1] * size,
            "capacity": [40, None, 0, 60][-size:],
            "take_up": [0.2] * size,
            "share_of_places": [0.3] * size,
        },
        schema_overrides={"attended": pl.Int64},
    )


def test_attendance_is_worked_out_of_rounded_places():
    table = attendance_table([15, 10, 5, 30])
    # attended as booked: 15 - 5 of 20; 10 - 10 of 10; 5 of none registered; 30 - 10 of 30.
    # places: 15 of 40, 30 of 60. Shares of 15 + 10 + 5, the group without a name among them and the margin not.
    expected = table.with_columns(
        pl.Series("attendance_rate", [0.5, 0.0, None, 2 / 3]),
        pl.Series("take_up", [0.375, None, None, 0.5]),
        pl.Series("share_of_places", [0.5, 1 / 3, 1 / 6, 1.0]),
    )
    assert_frame_equal(recomputed(table, ATTENDANCE), expected)


def test_share_of_places_is_unknown_where_one_of_them_is_hidden():
    table = attendance_table([15, None, 5, 30])
    found = recomputed(table, ATTENDANCE)
    assert found["share_of_places"].to_list() == [None] * 4
    assert found["attendance_rate"].to_list() == [0.5, None, None, 2 / 3]
    assert found["take_up"].to_list() == [0.375, None, None, 0.5]


def test_more_attended_as_booked_than_were_registered_is_no_rate():
    # 13 of 12 cannot be, but 12 registered round to 10 and 13 that attended to 15.
    table = attendance_table([35]).with_columns(walk_ins=pl.lit(0), registered=pl.lit(30))
    assert recomputed(table, ATTENDANCE)["attendance_rate"].to_list() == [None]


def test_attendance_without_walk_ins_has_no_rate():
    table = attendance_table([15, 10, 5, 30]).drop("walk_ins")
    assert recomputed(table, ATTENDANCE)["attendance_rate"].null_count() == 4


def test_places_without_a_group_are_all_places():
    table = attendance_table([30]).drop("course")
    assert recomputed(table, ATTENDANCE)["share_of_places"].to_list() == [1.0]


def test_means_lose_the_decimals_that_give_people_away():
    table = pl.DataFrame(
        {
            "course": ["A", "B", "C", "D"],
            "n_pairs": [20, 60, None, 0],
            "mean_pre": [3.4449, 3.4449, 1.25, 1.25],
            "mean_post": [4.5551, 4.5551, 2.25, 2.25],
            "mean_change": [1.1102, 1.1102, 1.0, 1.0],
            "lower": [-0.6123, 0.6123, 0.5, 0.5],
            "upper": [1.6081, 1.6081, 1.5, 1.5],
            "n_pre": [25, 70, 10, 5],
            "n_post": [20, 65, 10, None],
            "n_up": [15, 40, None, 0],
            "n_same": [5, 10, None, 0],
            "n_down": [0, 10, None, 0],
            "n_clusters": [2, 4, 1, 1],
            "degrees_of_freedom": [1, 3, 3, 3],
            "standard_error": [0.3, 0.3, 0.2, 0.2],
            "verdict": ["clearly at least", "could be either", "below", "below"],
        }
    )
    nothing = [None] * 4
    expected = table.with_columns(
        pl.Series("mean_pre", [3.0, 3.4, None, None]),
        pl.Series("mean_post", [5.0, 4.6, None, None]),
        pl.Series("mean_change", [1.0, 1.1, None, None]),
        pl.Series("lower", [-1.0, 0.6, None, None]),
        pl.Series("upper", [2.0, 1.6, None, None]),
        pl.Series("n_clusters", nothing, pl.Int64),
        pl.Series("degrees_of_freedom", nothing, pl.Int64),
        pl.Series("standard_error", nothing, pl.Float64),
        pl.Series("verdict", ["clearly at least", "could be either", None, None]),
    )
    assert_frame_equal(recomputed(table, MEAN_CHANGE), expected)


def test_small_loss_is_no_negative_nothing():
    table = pl.DataFrame({"n_pairs": [20], "mean_change": [-0.3]})
    assert str(recomputed(table, MEAN_CHANGE)["mean_change"].item()) == "0.0"


def test_ranking_has_no_counts_to_work_out_of():
    table = pl.DataFrame({"issue": ["Neglect"], "score": [2], "points": [1.0], "rank": [1], "n_ballots": [12]})
    assert_frame_equal(recomputed(table, RANKING), table)


def test_empty_table_stays_empty():
    for table, shape in ((attendance_table([30]).clear(), ATTENDANCE), (pl.DataFrame({"count": []}), COUNT)):
        assert_frame_equal(recomputed(table, shape), table)
