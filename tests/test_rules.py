"""Expected values: stored answers of nine real elections, published examples, arithmetic in comments, brute force."""

from itertools import combinations, permutations

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.pairwise import ranked_pairs
from safeguarding_analytics.rules import compare_rules, head_to_head, kemeny
from test_priorities import ISSUES, NAMES, TENNESSEE, agencies_of, boards, election, elections, frame, orders, ways

RULES = ["borda_rank", "copeland_rank", "schulze_rank", "ranked_pairs_rank", "kemeny_rank"]


def ranks(ballots: pl.DataFrame, rule: str, *, seats: int = 1) -> dict[str, int]:
    return dict(compare_rules(ballots, seats).select("issue", f"{rule}_rank").iter_rows())


def in_order(ballots: pl.DataFrame, rule: str) -> str:
    found = ranks(ballots, rule)
    return " ".join(sorted(found, key=found.__getitem__))


def places_of(scores: list[float]) -> list[int]:
    return [1 + sum(other > score for other in scores) for score in scores]


# Nine real elections --------------------------------------------------------------------------------------------------


@elections
@pytest.mark.parametrize("unranked", ["share", "ignore"])
@pytest.mark.parametrize("name", NAMES)
def test_real_elections_give_the_answers_on_which_other_programs_agree(name, unranked):
    results, ballots, issues = election(name)
    stored = results["bottom" if unranked == "share" else "ignore"]

    met = head_to_head(ballots, unranked=unranked, issues=issues)
    counts = {(row["issue"], row["opponent"]): row["wins"] for row in met.iter_rows(named=True)}
    assert counts == {
        (one, other): stored["pairwise"][i][j]
        for i, one in enumerate(issues)
        for j, other in enumerate(issues)
        if i != j
    }

    by_issue = compare_rules(ballots, unranked=unranked, issues=issues).sort("issue")
    assert by_issue["copeland_rank"].to_list() == places_of(stored["copeland_wins_minus_losses"])
    assert by_issue["schulze_rank"].to_list() == places_of(stored["schulze_margins_beats"])


@elections
@pytest.mark.parametrize(
    ("name", "unranked", "winner"),
    [
        ("00002-00000008.soi", "share", 1),
        ("00002-00000008.soi", "ignore", 1),
        ("00006-00000002.toc", "share", 19),
        ("00006-00000002.toc", "ignore", 19),
        ("00007-00000004.soi", "share", 17),
        ("00007-00000004.soi", "ignore", 17),
        ("00007-00000015.soi", "share", 10),
        ("00009-00000002.soc", "share", 6),
    ],
)
def test_the_only_winner_by_ranked_pairs_is_the_one_that_pref_voting_finds(name, unranked, winner):
    # pref_voting 1.18.2, ranked_pairs: it goes through the orders of equal margins, which for others takes too long
    _, ballots, issues = election(name)
    found = compare_rules(ballots, unranked=unranked, issues=issues).filter(ranked_pairs_rank=1)
    assert found["issue"].to_list() == [issues[winner]]


# The capital of Tennessee, as in Wikipedia's "Condorcet method", "Copeland's method", "Ranked pairs" ------------------


def test_tennessee_by_every_rule():
    # Nashville beats all three, Chattanooga two, Knoxville only Memphis: Copeland 3, 1, −1, −3, and no circle
    expected = pl.DataFrame(
        {
            "issue": ["Nashville", "Chattanooga", "Memphis", "Knoxville"],
            "borda_rank": [1, 2, 3, 4],
            "copeland_rank": [1, 2, 4, 3],
            "schulze_rank": [1, 2, 4, 3],
            "ranked_pairs_rank": [1, 2, 4, 3],
            "kemeny_rank": [1, 2, 4, 3],
            "selected_by": [5, 5, 1, 4],
            "agreed": [True, True, False, False],
        }
    )
    assert_frame_equal(compare_rules(TENNESSEE, seats=3), expected)


def test_tennessee_head_to_head():
    found = head_to_head(TENNESSEE).filter(pl.col("issue") == "Memphis")
    expected = pl.DataFrame(
        {
            "issue": ["Memphis"] * 3,
            "opponent": ["Chattanooga", "Knoxville", "Nashville"],
            "wins": [42.0] * 3,
            "losses": [58.0] * 3,
            "margin": [-16.0] * 3,
        }
    )
    assert_frame_equal(found, expected)


# Schulze 2011, Social Choice and Welfare 36:267: 45 voters, 5 candidates ----------------------------------------------

SCHULZE = orders(
    *("5 A C B E D", "5 A D E C B", "8 B E D A C", "3 C A B E D"),
    *("7 C A E B D", "2 C B A D E", "7 D C E B A", "8 E B A D C"),
)


def test_schulze_follows_the_strongest_path():
    assert ranks(SCHULZE, "schulze") == {"E": 1, "A": 2, "C": 3, "B": 4, "D": 5}


def test_ranked_pairs_of_the_same_ballots_lock_other_pairs():
    # pref_voting 1.18.2 finds the winners too: A by ranked_pairs, E by beat_path (Schulze)
    # For and against:
    # BD 33:12, ED 31:14, AD 30:15, CB 29:16, DC 28:17, EB 27:18, AC 26:19, BA 25:20, CE 24:21, EA 23:22.
    # DC would close D C B D, BA would close B A C B, EA would close E A C E: left out. Locked: A C E B D.
    met = {(row[0], row[1]): row[2] for row in head_to_head(SCHULZE).iter_rows()}
    strong = {"BD": 33, "ED": 31, "AD": 30, "CB": 29, "DC": 28, "EB": 27, "AC": 26, "BA": 25, "CE": 24, "EA": 23}
    assert {pair: met[pair[0], pair[1]] for pair in strong} == strong
    assert ranks(SCHULZE, "ranked_pairs") == {"A": 1, "C": 2, "E": 3, "B": 4, "D": 5}


# Circles --------------------------------------------------------------------------------------------------------------


def test_a_circle_is_cut_at_its_smallest_margin():
    # A beats B 6:3, B beats C 7:2, C beats A 5:4. Locked: BC, AB; CA would close the circle.
    # Schulze: A to C by min(3, 5), C to A by 1. Kemeny: A B C costs 3 + 2 + 5 = 10; B C A 2 + 4 + 6, C A B 4 + 3 + 7.
    found = compare_rules(orders("4 A B C", "3 B C A", "2 C A B"), seats=1)
    by_issue = found.select("issue", "copeland_rank", "schulze_rank", "ranked_pairs_rank", "kemeny_rank").sort("issue")
    assert by_issue.rows() == [("A", 1, 1, 1, 1), ("B", 1, 2, 2, 2), ("C", 1, 3, 3, 3)]


def test_a_circle_of_equal_margins_ties_under_every_rule():
    # A B C costs 1 + 1 + 2, and so do its two rotations; the three reversed orders cost 2 + 2 + 1
    circle = orders("1 A B C", "1 B C A", "1 C A B")
    found = compare_rules(circle, seats=1)
    assert found.drop("issue").rows() == [(1, 1, 1, 1, 1, 0, None)] * 3
    assert kemeny(circle).rows() == [("A", 1, 1, 3, 4.0, 3), ("B", 2, 1, 3, 4.0, 3), ("C", 3, 1, 3, 4.0, 3)]


def test_what_equal_margins_do_not_decide_is_open_and_nothing_else():
    # A beats B by 3; B beats C and C beats A by 1. B C locked first: A B C. C A locked first: C A B.
    lead = np.array([[0, 3, 0], [0, 0, 1], [1, 0, 0]], dtype=float)
    assert ranked_pairs(lead) == ([1, 2, 1], [2, 3, 3])


def test_issues_that_tie_or_have_no_opponent_may_come_anywhere():
    assert ranked_pairs(np.zeros((3, 3))) == ([1, 1, 1], [3, 3, 3])
    assert ranked_pairs(np.zeros((1, 1))) == ([1], [1])
    assert ranked_pairs(np.zeros((0, 0))) == ([], [])


def in_every_order_of_equal_margins(lead: np.ndarray) -> set[tuple[int, ...]]:
    """Pairs locked in, as bits of what each issue leads to, for each way to put equal margins in order."""
    n = len(lead)
    found = {(0,) * n}
    for margin in sorted({value for value in lead.ravel().tolist() if value > 0}, reverse=True):
        level = frozenset(zip(*(side.tolist() for side in np.nonzero(lead == margin)), strict=True))
        waiting, seen, found = [(reached, level) for reached in found], set(), set()
        while waiting:
            reached, pairs = waiting.pop()
            if (reached, pairs) in seen:
                continue
            seen.add((reached, pairs))
            if not pairs:
                found.add(reached)
            for winner, loser in pairs:
                beyond = reached[loser] | 1 << loser
                joined = tuple(
                    below | beyond if issue == winner or below >> winner & 1 else below
                    for issue, below in enumerate(reached)
                )
                waiting.append((reached if reached[loser] >> winner & 1 else joined, pairs - {(winner, loser)}))
    return found


def ends(reached: set[tuple[int, ...]]) -> tuple[list[int], list[int]]:
    n = len(next(iter(reached)))
    first = [min(1 + sum(below >> issue & 1 for below in one) for one in reached) for issue in range(n)]
    return first, [max(n - one[issue].bit_count() for one in reached) for issue in range(n)]


@st.composite
def margins_between(draw, *, different):
    """Wins of 3 to 5 issues against each other, one side of each pair being 0; all margins different, or few sizes."""
    n = draw(st.integers(3, 5))
    pairs = list(combinations(range(n), 2))
    sizes = st.permutations(range(1, len(pairs) + 1)) if different else st.lists(st.integers(0, 3), min_size=len(pairs))
    wins = np.zeros((n, n))
    for (i, j), size, turned in zip(pairs, draw(sizes), draw(st.lists(st.booleans(), min_size=10)), strict=False):
        wins[(j, i) if turned else (i, j)] = size
    return wins


@settings(max_examples=60, deadline=None)
@given(margins_between(different=True))
def test_ranked_pairs_locks_one_pair_after_another_where_all_margins_differ(wins):
    only = in_every_order_of_equal_margins(wins)
    assert len(only) == 1
    first, last = ranked_pairs(wins)
    assert first == last
    assert (first, last) == ends(only)


@settings(max_examples=60, deadline=None)
@given(margins_between(different=False))
def test_no_place_that_an_order_of_equal_margins_gives_is_ruled_out(wins):
    first, last = ranked_pairs(wins)
    exact_first, exact_last = ends(in_every_order_of_equal_margins(wins))
    assert all(found <= exact for found, exact in zip(first, exact_first, strict=True))
    assert all(found >= exact for found, exact in zip(last, exact_last, strict=True))


# Clones: Tideman 1987, Social Choice and Welfare 4:185 ----------------------------------------------------------------


@pytest.mark.parametrize("rule", ["schulze", "ranked_pairs"])
def test_a_clone_moves_borda_but_not_schulze_or_ranked_pairs(rule):
    # Borda: 3 − 2 = 1 for A against B. Neglect at home, put next to Neglect by all, takes it from A: A 3×2 − 2×2 = 2,
    # B 2×2 = 4.
    before, after = orders("3 A B", "2 B A"), orders("3 A B clone", "2 B clone A")
    assert in_order(before, "borda") == "A B"
    assert in_order(after, "borda") == "B A clone"
    assert in_order(before, rule) == "A B"
    assert in_order(after, rule) == "A B clone"


@pytest.mark.parametrize("rule", ["schulze", "ranked_pairs"])
def test_the_friend_nominated_to_split_the_votes_changes_nothing(rule):
    # the class that Tideman tells of: 13 first places for him, 12 for Michelle, 11 for her friend Charlotte, whom he
    # had nominated. The second places are ours: the two are clones.
    two = orders("13 Tideman Michelle", "23 Michelle Tideman")
    three = orders("13 Tideman Michelle Charlotte", "12 Michelle Charlotte Tideman", "11 Charlotte Michelle Tideman")
    assert in_order(two, rule) == "Michelle Tideman"
    assert in_order(three, rule) == "Michelle Charlotte Tideman"


@pytest.mark.parametrize("rule", ["schulze", "ranked_pairs"])
@pytest.mark.parametrize("cloned", ["A", "B", "C", "D", "E"])
def test_a_clone_of_any_issue_leaves_the_others_in_their_order(rule, cloned):
    # the first 20 of the 45 members put the clone above, the others below; then all margins but theirs are as before
    written = (
        SCHULZE.group_by("member")
        .agg(pl.col("issue").sort_by("rank"))
        .sort(pl.col("member").str.slice(1).cast(pl.Int64))
    )
    both = [f"{cloned} {cloned}2", f"{cloned}2 {cloned}"]
    lines = [
        "1 " + " ".join(both[member < 20] if issue == cloned else issue for issue in issues)
        for member, issues in enumerate(written["issue"])
    ]
    after = [issue for issue in in_order(orders(*lines), rule).split() if issue != f"{cloned}2"]
    assert " ".join(after) == in_order(SCHULZE, rule)


# What is said of five rules -------------------------------------------------------------------------------------------


def test_rules_that_disagree_are_reported():
    # A beats B and C 3 to 2; Borda: A 3×2 − 2×2 = 2, B 2×2 = 4, C −3×2 = −6
    found = compare_rules(orders("3 A B C", "2 B C A"), seats=1)
    expected = pl.DataFrame(
        {
            "issue": ["B", "A", "C"],
            "borda_rank": [1, 2, 3],
            "copeland_rank": [2, 1, 3],
            "schulze_rank": [2, 1, 3],
            "ranked_pairs_rank": [2, 1, 3],
            "kemeny_rank": [2, 1, 3],
            "selected_by": [1, 4, 0],
            "agreed": [False, False, True],
        }
    )
    assert_frame_equal(found, expected)


def test_where_ranked_pairs_alone_disagrees_the_rules_do_not_agree():
    # Schulze 2011 again: Borda's E and A tie at 10, Copeland's too, Schulze E, ranked pairs A
    found = compare_rules(SCHULZE, seats=1).filter(pl.col("issue").is_in(["A", "E"])).sort("issue")
    assert found["schulze_rank"].to_list() == [2, 1]
    assert found["ranked_pairs_rank"].to_list() == [1, 3]
    assert found["agreed"].to_list() == [False, False]


def test_forty_issues_and_a_thousand_members_are_counted():
    generator = np.random.default_rng(1)
    rankings = [
        {f"i{issue:02d}": place for place, issue in enumerate(generator.permutation(40), 1)} for _ in range(1000)
    ]
    found = compare_rules(frame(rankings))
    assert found.height == 40
    assert found["selected_by"].max() == 5


# Laws -----------------------------------------------------------------------------------------------------------------

complete = st.lists(st.fixed_dictionaries({issue: st.integers(1, 4) for issue in ISSUES}), min_size=1, max_size=7)


@settings(max_examples=40, deadline=None)
@given(boards, ways, st.permutations(ISSUES))
def test_renaming_issues_renames_every_place_and_keeps_the_cost(rankings, way, names):
    ballots, new = frame(rankings, agencies_of(rankings)), dict(zip(ISSUES, names, strict=True))
    renamed = ballots.with_columns(pl.col("issue").replace(new))
    for measure, columns in (
        (compare_rules, ["issue", *RULES, "selected_by", "agreed"]),
        (kemeny, ["issue", "first_place", "last_place", "cost", "n_optimal_orders"]),
    ):
        before = measure(ballots, issues=ISSUES, **way).select(columns).with_columns(pl.col("issue").replace(new))
        after = measure(renamed, issues=ISSUES, **way).select(columns)
        assert_frame_equal(after.sort("issue"), before.sort("issue"))


@settings(max_examples=40, deadline=None)
@given(boards, ways, st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_members_do_not_matter(rankings, way, random):
    ballots = frame(rankings, agencies_of(rankings))
    shuffled = ballots[random.sample(range(ballots.height), ballots.height)]
    shuffled = shuffled.with_columns(pl.col("member").str.replace("m", "z").str.reverse())
    for measure in (compare_rules, kemeny, head_to_head):
        assert_frame_equal(measure(shuffled, issues=ISSUES, **way), measure(ballots, issues=ISSUES, **way))


@settings(max_examples=40, deadline=None)
@given(boards, st.permutations(ISSUES))
def test_a_ballot_and_its_reverse_cancel_under_every_rule(rankings, order):
    one = {issue: place for place, issue in enumerate(order, 1)}
    other = {issue: place for place, issue in enumerate(reversed(order), 1)}
    before, after = frame(rankings), frame([*rankings, one, other])
    assert_frame_equal(compare_rules(after, 2, issues=ISSUES), compare_rules(before, 2, issues=ISSUES))
    # each of the six pairs is against one of the two ballots, whatever the order
    added = kemeny(before, issues=ISSUES).with_columns(pl.col("cost") + 6)
    assert_frame_equal(kemeny(after, issues=ISSUES), added)


@settings(max_examples=40, deadline=None)
@given(boards, ways)
def test_an_issue_all_members_rank_first_is_first_under_every_rule(rankings, way):
    first = [{"A": 1, **{issue: rank + 1 for issue, rank in ranks.items() if issue != "A"}} for ranks in rankings]
    # under "ignore" an issue nobody compares with A is not below it
    everyone = sorted({issue for ranks in first for issue in ranks})
    found = compare_rules(frame(first, agencies_of(first)), 1, issues=everyone, **way).filter(issue="A")
    assert found.rows() == [("A", 1, 1, 1, 1, 1, 5, True)]


@settings(max_examples=60, deadline=None)
@given(complete, st.permutations(ISSUES), st.sampled_from(["member", "agency"]))
def test_an_issue_all_members_put_above_another_is_above_it_under_every_rule(rankings, order, weight):
    better, worse = order[:2]
    agreed = [
        {**ranks, worse: max(ranks.values()) + 1} if ranks[better] >= ranks[worse] else ranks for ranks in rankings
    ]
    ballots = frame(agreed, agencies_of(agreed))
    above = compare_rules(ballots, 1, weight=weight)
    for rule in RULES:
        place = dict(above.select("issue", rule).iter_rows())
        assert place[better] < place[worse], rule
    optimal = kemeny(ballots, weight=weight)
    lowest = dict(optimal.select("issue", "last_place").iter_rows())
    assert lowest[better] < lowest[worse]
    assert optimal["issue"].to_list().index(better) < optimal["issue"].to_list().index(worse)


@settings(max_examples=40, deadline=None)
@given(boards, ways)
def test_no_order_of_the_issues_costs_less_than_kemenys(rankings, way):
    ballots = frame(rankings, agencies_of(rankings))
    met = head_to_head(ballots, issues=ISSUES, **way).select("issue", "opponent", "wins")
    wins = {(one, other): won for one, other, won in met.iter_rows()}
    costs = [sum(wins[low, high] for high, low in combinations(order, 2)) for order in permutations(ISSUES)]
    assert kemeny(ballots, issues=ISSUES, **way)["cost"][0] == pytest.approx(min(costs), abs=1e-8)
