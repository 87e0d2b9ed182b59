"""Expected values: stored answers of nine real elections, every order tried, every subset gone through, arithmetic."""

from fractions import Fraction
from itertools import permutations
from math import factorial, perm

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.kemeny_orders import EFFORT, Effort, kemeny_cost, kemeny_order
from safeguarding_analytics.rules import kemeny
from test_priorities import NAMES, TENNESSEE, agencies_of, election, elections, frame, orders, ways

PROGRAMME = Effort(without_programme=0, first_sets=0, most_sets=EFFORT.most_sets)
NO_COUNT = Effort(without_programme=0, first_sets=0, most_sets=1)


def drawn(issues: int, voters: int, seed: int, together: int = 1) -> np.ndarray:
    """Wins of ballots in random order; ``together``: so many issues in a row are tied."""
    generator = np.random.default_rng(seed)
    places = np.array([generator.permutation(issues) // together for _ in range(voters)])
    return (places[:, :, None] < places[:, None, :]).sum(axis=0).astype(float)


def circle(strengths: list[float]) -> np.ndarray:
    """Each issue beats the next by its strength, and the last beats the first; all others tie."""
    n = len(strengths)
    wins = np.zeros((n, n))
    wins[np.arange(n), (np.arange(n) + 1) % n] = strengths
    return wins


# Real elections and a textbook ----------------------------------------------------------------------------------------


@elections
@pytest.mark.parametrize("unranked", ["share", "ignore"])
@pytest.mark.parametrize("name", NAMES)
def test_real_elections_give_the_cost_and_the_number_of_orders_that_others_found(name, unranked):
    results, ballots, issues = election(name)
    stored = results["bottom" if unranked == "share" else "ignore"]
    found = kemeny(ballots, unranked=unranked, issues=issues)
    order = [issues.index(issue) for issue in found["issue"]]
    wins = stored["pairwise"]
    assert sum(wins[low][high] for place, low in enumerate(order) for high in order[:place]) == stored["kemeny_cost"]
    assert found["cost"].unique().to_list() == [stored["kemeny_cost"]]
    if stored["kemeny_n_optimal_linear_orders"] is not None:
        assert found["n_optimal_orders"].unique().to_list() == [stored["kemeny_n_optimal_linear_orders"]]
    if "kemeny_order" in stored:
        assert order == stored["kemeny_order"]
    assert found["n_optimal_orders"].is_not_null().all()


def test_tennessee_by_kemeny():
    # Against the order: 32 + 32 + 42 + 17 + 42 + 42 = 207 of 600 comparisons (agreement 393)
    found = kemeny(TENNESSEE)
    assert found.rows() == [
        ("Nashville", 1, 1, 1, 207.0, 1),
        ("Chattanooga", 2, 2, 2, 207.0, 1),
        ("Knoxville", 3, 3, 3, 207.0, 1),
        ("Memphis", 4, 4, 4, 207.0, 1),
    ]


# Every order tried ----------------------------------------------------------------------------------------------------


def every_order(wins: list[list[Fraction]]) -> tuple[Fraction, list[tuple[int, ...]]]:
    """Least cost, and the orders that have it, from the definition, in whole numbers."""
    scale = int(np.lcm.reduce([side.denominator for row in wins for side in row] or [1]))
    whole = np.array([[int(side * scale) for side in row] for row in wins], np.int64).reshape(len(wins), len(wins))
    tried = np.array(list(permutations(range(len(wins)))), np.int64)
    costs = np.zeros(len(tried), np.int64)
    for low in range(len(wins)):
        for high in range(low):
            costs += whole[tried[:, low], tried[:, high]]
    return Fraction(int(costs.min()), scale), [tuple(order) for order in tried[costs == costs.min()].tolist()]


def assert_best(found, best):
    assert (found.n_optimal, tuple(found.order)) == (len(best), min(best))
    places = [[order.index(issue) + 1 for order in best] for issue in range(len(best[0]))]
    assert (found.first, found.last) == ([min(one) for one in places], [max(one) for one in places])


@st.composite
def counts(draw):
    """Wins between up to 7 issues on up to 6 ballots with ties, of weight 1, 1/2, 1/3 or 1/7."""
    n = draw(st.sampled_from([1, 2, 3, 4, 4, 5, 5, 6, 7]))
    ballot = st.tuples(st.lists(st.integers(1, n), min_size=n, max_size=n), st.sampled_from([1, 2, 3, 7]))
    wins = [[Fraction(0)] * n for _ in range(n)]
    for ranks, parts in draw(st.lists(ballot, min_size=1, max_size=6)):
        for i, j in permutations(range(n), 2):
            wins[i][j] += Fraction(ranks[i] < ranks[j], parts)
    return wins


@settings(max_examples=60, deadline=None)
@given(counts())
def test_all_best_orders_are_those_that_trying_every_order_finds(wins):
    least, best = every_order(wins)
    numbers = np.array(wins, dtype=float)
    for effort in (EFFORT, PROGRAMME):
        found = kemeny_order(numbers, effort)
        assert_best(found, best)
        assert kemeny_cost(numbers, found.order) == pytest.approx(float(least), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(counts())
def test_without_a_count_the_order_is_one_of_the_best_and_no_place_is_ruled_out_wrongly(wins):
    _, best = every_order(wins)
    found = kemeny_order(np.array(wins, dtype=float), NO_COUNT)
    assert tuple(found.order) in best
    for issue in range(len(wins)):
        places = [order.index(issue) + 1 for order in best]
        assert found.first[issue] <= min(places)
        assert max(places) <= found.last[issue]


boards_of_five = st.lists(
    st.dictionaries(st.sampled_from("ABCDE"), st.integers(1, 4), min_size=1), min_size=1, max_size=6
)


@settings(max_examples=40, deadline=None)
@given(boards_of_five, ways)
def test_ballots_with_ties_short_ballots_and_agencies_of_unequal_size(rankings, way):
    agencies, issues = agencies_of(rankings), list("ABCDE")
    wins = [[Fraction(0)] * 5 for _ in issues]
    for ranks, agency in zip(rankings, agencies, strict=True):
        weight = Fraction(1, agencies.count(agency) if way["weight"] == "agency" else 1)
        for i, j in permutations(range(5), 2):
            one, other = ranks.get(issues[i]), ranks.get(issues[j])
            better = one is not None and other is not None and one < other
            wins[i][j] += weight * (better or (way["unranked"] == "share" and one is not None and other is None))
    least, best = every_order(wins)
    found = kemeny(frame(rankings, agencies), issues=issues, **way)
    assert found["cost"][0] == pytest.approx(float(least), abs=1e-8)
    assert found["n_optimal_orders"][0] == len(best)
    assert found["issue"].to_list() == [issues[i] for i in min(best)]
    ends = {issue: (high, low) for issue, high, low in found.select("issue", "first_place", "last_place").iter_rows()}
    places = {issue: [order.index(i) + 1 for order in best] for i, issue in enumerate(issues)}
    assert ends == {issue: (min(one), max(one)) for issue, one in places.items()}


# Every subset gone through --------------------------------------------------------------------------------------------


def every_subset(wins: np.ndarray) -> tuple[float, int]:
    """Least cost and number of orders, by the cheapest way to fill the first places with each subset of the issues."""
    n = len(wins)
    cost, number = {0: 0.0}, {0: 1}
    for subset in range(1, 1 << n):
        inside = [issue for issue in range(n) if subset >> issue & 1]
        ends = [(cost[subset ^ 1 << low] + wins[low, inside].sum(), subset ^ 1 << low) for low in inside]
        cost[subset] = min(end[0] for end in ends)
        number[subset] = sum(number[before] for value, before in ends if value == cost[subset])
    return cost[(1 << n) - 1], number[(1 << n) - 1]


@pytest.mark.parametrize(
    ("issues", "voters", "together", "seed"), [(13, 40, 1, 1), (13, 4, 1, 2), (13, 5, 4, 3), (10, 6, 3, 4)]
)
def test_with_a_linear_programme_or_without_is_what_going_through_every_subset_gives(issues, voters, together, seed):
    wins = drawn(issues, voters, seed, together)
    found = kemeny_order(wins)
    assert (kemeny_cost(wins, found.order), found.n_optimal) == every_subset(wins)
    assert kemeny_order(wins, PROGRAMME) == found


@pytest.mark.parametrize(("issues", "voters", "seed"), [(18, 40, 7), (20, 6, 8), (20, 1000, 9)])
def test_both_ways_find_the_same_orders_of_larger_groups(issues, voters, seed):
    wins = drawn(issues, voters, seed)
    assert kemeny_order(wins) == kemeny_order(wins, PROGRAMME)


@pytest.mark.parametrize(("issues", "voters", "seed"), [(16, 40, 5), (20, 5, 103), (24, 7, 6)])
def test_integer_programming_gives_the_same_cost_where_orders_are_not_counted(issues, voters, seed):
    # in the election of 20 issues the linear programme falls short of every order by a half
    wins = drawn(issues, voters, seed)
    counted, not_counted = kemeny_order(wins), kemeny_order(wins, NO_COUNT)
    assert kemeny_cost(wins, not_counted.order) == kemeny_cost(wins, counted.order)
    assert counted.n_optimal is not None
    assert not_counted.n_optimal is None
    assert all(high <= exact for high, exact in zip(not_counted.first, counted.first, strict=True))
    assert all(low >= exact for low, exact in zip(not_counted.last, counted.last, strict=True))


# Circles and ties, by argument ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("weakest", [1, 7, 20])
def test_a_circle_of_20_issues_is_cut_at_any_of_its_weakest_places(weakest):
    # some pair of the circle must be turned round; turning one leaves a chain, so one order for each weakest pair
    strengths = [1.0] * weakest + [3.0] * (20 - weakest)
    found = kemeny_order(circle(strengths))
    assert kemeny_cost(circle(strengths), found.order) == 1
    # cut between issue c and the next, the order starts with c + 1: the last cut makes issue 0 the first
    starts = sorted((cut + 1) % 20 for cut in range(weakest))
    assert found.n_optimal == weakest
    assert found.order == [(starts[0] + place) % 20 for place in range(20)]
    assert found.first == [min((issue - start) % 20 + 1 for start in starts) for issue in range(20)]
    assert found.last == [max((issue - start) % 20 + 1 for start in starts) for issue in range(20)]


def test_issues_that_tie_with_all_others_stand_anywhere():
    # 17 orders of the circle; the first of the other three has 18 gaps to stand in, the next 19, then 20
    wins = np.zeros((20, 20))
    wins[3:, 3:] = circle([1.0] * 17)
    found = kemeny_order(wins)
    assert found.n_optimal == 17 * 18 * 19 * 20
    assert found.order == list(range(20))
    assert (found.first, found.last) == ([1] * 20, [20] * 20)


def test_orders_of_issues_that_all_tie_are_counted_without_going_through_them():
    found = kemeny_order(np.zeros((40, 40)))
    assert (found.order, found.n_optimal) == (list(range(40)), factorial(40))
    assert (found.first, found.last) == ([1] * 40, [40] * 40)


def test_a_number_of_orders_that_a_column_cannot_hold_is_null():
    twenty = kemeny(frame([{f"i{issue:02d}": 1 for issue in range(20)}]))
    assert twenty.drop("issue", "place").unique().rows() == [(1, 20, 0.0, factorial(20))]
    more = kemeny(frame([{f"i{issue:02d}": 1 for issue in range(21)}]))
    assert more.drop("issue", "place").unique().rows() == [(1, 21, 0.0, None)]


def test_issues_nobody_ranked_stand_last_or_anywhere():
    ballots, issues = orders("2 A B", "1 B A"), list("ABCDE")
    assert kemeny(ballots, issues=issues)["n_optimal_orders"].unique().to_list() == [factorial(3)]
    ignored = kemeny(ballots, unranked="ignore", issues=issues)
    assert ignored["n_optimal_orders"].unique().to_list() == [perm(5, 3)]
    assert ignored.rows()[:2] == [("A", 1, 1, 4, 1.0, 60), ("B", 2, 2, 5, 1.0, 60)]


def test_a_long_circle_of_unequal_margins_has_one_best_order():
    # all 3 to 0 in order, except that the last beats the first 2 to 1: a cut there costs 2, elsewhere 3
    wins = np.triu(np.full((17, 17), 3.0), 1)
    wins[16, 0], wins[0, 16] = 2, 1
    found = kemeny_order(wins)
    assert found.order == list(range(17))
    assert found.first == found.last == list(range(1, 18))
    assert (kemeny_cost(wins, found.order), found.n_optimal) == (2, 1)


def test_more_issues_than_a_whole_number_has_bits_are_ordered_and_not_counted():
    # as above; orders are not counted, and the places leave the two ends open
    wins = np.triu(np.full((64, 64), 3.0), 1)
    wins[63, 0], wins[0, 63] = 2, 1
    found = kemeny_order(wins)
    assert found.order == list(range(64))
    assert found.n_optimal is None
    assert all(high <= place <= low for place, (high, low) in enumerate(zip(found.first, found.last, strict=True), 1))


def test_thirds_that_cancel_are_a_tie():
    # A before B: 1/3 + 1/3 + 1/3; B before A: 1
    ballots = frame([{"A": 1, "B": 2}] * 3 + [{"B": 1, "A": 2}] * 2, ["Health"] * 3 + ["Police"] * 2)
    assert kemeny(ballots, weight="agency")["n_optimal_orders"].to_list() == [2, 2]


def test_no_ballots_give_an_empty_table_of_the_same_columns():
    assert kemeny(frame([])).equals(kemeny(orders("1 A B")).clear())
    assert kemeny_order(np.zeros((0, 0))) == ([], 1, [], [])


def test_columns_are_of_the_kind_they_say():
    kinds = kemeny(orders("1 A B")).schema
    assert list(kinds.values()) == [pl.String, pl.Int64, pl.Int64, pl.Int64, pl.Float64, pl.Int64]
