"""Expected values: every possible ballot tried, ballots counted anew without each member, arithmetic in comments."""

import time
from fractions import Fraction
from functools import cache
from itertools import combinations, combinations_with_replacement, product

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.firmness import (
    _on_one_ballot,
    _within_sums,
    absent_members,
    ballots_to_change,
    effective_ballots,
    leave_one_out,
    seats_without_one,
    selected_by_rule,
    tied_across_the_cut,
)
from safeguarding_analytics.priorities import rank_priorities

BY_ISSUE = [
    lambda ballots, seats=4, **options: absent_members(ballots, seats, absent=1, **options),
    seats_without_one,
    tied_across_the_cut,
    selected_by_rule,
]
BY_ISSUE_NAMES = ["absent_members", "seats_without_one", "tied_across_the_cut", "selected_by_rule"]


def frame(cast):
    """A ballot per pair of agency and order; "A BC" puts A before B and C, tied."""
    rows = [
        (f"secret {member}", agency, issue, place)
        for member, (agency, order) in enumerate(cast)
        for place, group in enumerate(order.split(), 1)
        for issue in group
    ]
    kinds = {"member": pl.String, "agency": pl.String, "issue": pl.String, "rank": pl.Int64}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def orders(*written):
    """``orders("2 A B C")``: two members put A before B before C; an agency each."""
    cast = []
    for line in written:
        times, order = line.split(maxsplit=1)
        cast += [order] * int(times)
    return frame([(f"agency {member}", order) for member, order in enumerate(cast)])


@cache
def every_ballot(n):
    """Wins minus losses on every ballot there can be on n issues, ties allowed: ballots × issues."""
    places = {tuple(sorted(set(row)).index(place) for place in row) for row in product(range(n), repeat=n)}
    ranks = np.array(sorted(places))
    return np.sign(ranks[:, None, :] - ranks[:, :, None]).sum(axis=2)


def test_every_ballot_is_tried():
    # ordered Bell numbers: the weak orders of 2, 3, 4 and 5 things
    assert [len(every_ballot(n)) for n in (2, 3, 4, 5)] == [3, 13, 75, 541]


def cast_of(picks, n):
    """A frame and its scores: each pick is an agency and the number of a ballot."""
    chosen = [every_ballot(n)[number % len(every_ballot(n))] for _, number in picks]
    rows = [
        (f"secret {member}", agency, "ABCDE"[issue], 1 + int((scores > scores[issue]).sum()))
        for member, ((agency, _), scores) in enumerate(zip(picks, chosen, strict=True))
        for issue in range(n)
    ]
    kinds = {"member": pl.String, "agency": pl.String, "issue": pl.String, "rank": pl.Int64}
    return pl.DataFrame(rows, schema=kinds, orient="row"), [agency for agency, _ in picks], np.array(chosen)


picks = st.tuples(st.sampled_from("xy"), st.integers(0, 10**6))
weights = st.sampled_from(["member", "agency"])


# Ballots to change ----------------------------------------------------------------------------------------------------


def lead(differences, agencies, weight):
    """A's score less B's, from that of each member."""
    shared = [agencies.count(agency) if weight == "agency" else 1 for agency in agencies]
    return sum((Fraction(int(d), size) for d, size in zip(differences, shared, strict=True)), Fraction(0))


@settings(max_examples=40, deadline=None)
@given(st.lists(picks, min_size=1, max_size=3), weights)
def test_ballots_to_rewrite_equals_trying_every_ballot_in_place_of_any(cast, weight):
    ballots, agencies, scores = cast_of(cast, 3)
    row = ballots_to_change(ballots, 1, weight=weight).filter(inside="A", outside="B")
    assume(not row.is_empty())  # where the two are level, there is no pair
    now = (scores[:, 0] - scores[:, 1]).tolist()
    any_difference = sorted({int(a - b) for a, b, _ in every_ballot(3)})
    reached = [
        len(members)
        for size in range(len(now) + 1)
        for members in combinations(range(len(now)), size)
        for new in product(any_difference, repeat=size)
        if lead([new[members.index(m)] if m in members else now[m] for m in range(len(now))], agencies, weight) < 0
    ]
    assert row["ballots_to_rewrite"].item() == min(reached)


@settings(max_examples=25, deadline=None)
@given(st.lists(picks, min_size=1, max_size=2), weights)
def test_absent_to_overtake_equals_trying_every_ballot_of_further_members_wherever_they_sit(cast, weight):
    ballots, agencies, scores = cast_of(cast, 3)
    row = ballots_to_change(ballots, 1, weight=weight).filter(inside="A", outside="B")
    assume(not row.is_empty())  # where the two are level, there is no pair
    now = (scores[:, 0] - scores[:, 1]).tolist()
    any_difference = sorted({int(a - b) for a, b, _ in every_ballot(3)})
    fewest = row["absent_to_overtake"].item()
    places = list(product(any_difference, "xyuv"))  # in the agencies that voted or might have, or in others
    for joining in range(min(fewest, 3)):
        for new in combinations_with_replacement(places, joining):
            assert lead([*now, *(d for d, _ in new)], [*agencies, *(a for _, a in new)], weight) >= 0
    strangers = [f"new {member}" for member in range(fewest)]
    assert lead([*now, *[-4] * fewest], [*agencies, *strangers], weight) < 0


def test_tennessee_ballots_to_change():
    # Nashville − Chattanooga = 42. The 68 members of Memphis and Nashville put it one place ahead (2), the other 32 one
    # or two behind. To rewrite one of the 68 lowers the lead by 2 + 6 = 8: six do it (48). One absent member lowers it
    # by 6: eight do it (48); 42/6 = 7 make a tie.
    # Nashville − Memphis = 136: 26 members lower it by 6 + 6 = 12 each, 12 × 12 = 144; absent 23 × 6 = 138.
    # Nashville − Knoxville = 174: 68 members by 4 + 6 = 10, 18 × 10 = 180; absent 30 × 6 = 180.
    tennessee = orders("42 M N C K", "26 N C K M", "15 C K N M", "17 K C N M")
    expected = pl.DataFrame(
        {
            "inside": ["N"] * 3,
            "outside": ["C", "M", "K"],
            "score_difference": [42.0, 136.0, 174.0],
            "ballots_to_tie": [21, 23, 44],
            "ballots_to_overtake": [22, 23, 44],
            "ballots_to_reverse": [11, 12, 22],
            "ballots_to_rewrite": [6, 12, 18],
            "absent_to_overtake": [8, 23, 30],
        }
    )
    assert_frame_equal(ballots_to_change(tennessee, seats=1), expected)


# Absent members -------------------------------------------------------------------------------------------------------


def moves(scores, agencies, seats, absent, weight):
    """Where each issue stands, and whether further ballots can change that, by trying all of them wherever they sit."""
    n, ballots = scores.shape[1], every_ballot(scores.shape[1])
    now = standing(settled_scores(scores, agencies, weight)[None, :], seats)[0]
    moved = np.zeros(n, bool)
    further = [f"new {member}" for member in range(absent)]
    for seated in combinations_with_replacement(
        [*sorted(set(agencies)), *further] if weight == "agency" else ["new"], absent
    ):
        for others in combinations_with_replacement(range(len(ballots)), absent - 1):
            boards = joined(scores, agencies, weight, seated, ballots, [ballots[number] for number in others])
            moved |= (standing(boards, seats) != now).any(axis=0)
    return now.tolist(), moved.tolist()


def settled_scores(scores, agencies, weight):
    shared = np.array([agencies.count(agency) if weight == "agency" else 1 for agency in agencies])
    return (scores / shared[:, None]).sum(axis=0)


def joined(scores, agencies, weight, seated, ballots, others):
    """Scores of all boards on which the first of the absent hands in any ballot and the others those given."""
    everyone = [*agencies, *seated]
    shared = np.array([everyone.count(agency) if weight == "agency" else 1 for agency in everyone])
    cast = np.array([*scores, np.zeros(scores.shape[1]), *others])
    return (cast / shared[:, None]).sum(axis=0) + ballots / shared[len(agencies)]


def standing(scores, seats):
    """1 inside, 0 outside, −1 in a tie at the cut: by how many are ahead, and how many ahead or level."""
    scores = np.round(scores, 9)
    ahead = (scores[:, None, :] > scores[:, :, None]).sum(axis=2)
    not_behind = (scores[:, None, :] >= scores[:, :, None]).sum(axis=2)
    return np.where(not_behind <= seats, 1, np.where(ahead >= seats, 0, -1))


@settings(max_examples=80, deadline=None)
@given(st.integers(2, 4), st.data(), st.sampled_from([("member", 1), ("member", 2), ("agency", 1)]))
def test_safe_equals_trying_every_ballot_of_the_absent(n, data, way):
    weight, absent = way
    seats = data.draw(st.integers(1, n))
    ballots, agencies, scores = cast_of(data.draw(st.lists(picks, min_size=1, max_size=6)), n)
    now, moved = moves(scores, agencies, seats, absent, weight)
    found = absent_members(ballots, seats, absent=absent, weight=weight).sort("issue")
    assert found["selected"].to_list() == [{1: True, 0: False, -1: None}[state] for state in now]
    assert found["safe"].to_list() == [
        None if state == -1 else not change for state, change in zip(now, moved, strict=True)
    ]


@settings(max_examples=40, deadline=None)
@given(st.lists(picks, min_size=1, max_size=5), st.integers(1, 3))
def test_an_issue_called_safe_is_safe_wherever_two_absent_members_sit_for_agencies(cast, seats):
    ballots, agencies, scores = cast_of(cast, 3)
    now, moved = moves(scores, agencies, seats, 2, "agency")
    found = absent_members(ballots, seats, absent=2, weight="agency").sort("issue")["safe"].to_list()
    for state, change, safe in zip(now, moved, found, strict=True):
        assert (safe is None) == (state == -1)
        assert not (safe and change)


@settings(max_examples=40, deadline=None)
@given(st.lists(picks, min_size=2, max_size=8), weights, st.integers(1, 5))
def test_safe_equals_trying_every_ballot_of_one_absent_member_on_five_issues(cast, weight, seats):
    ballots, agencies, scores = cast_of(cast, 5)
    now, moved = moves(scores, agencies, seats, 1, weight)
    found = absent_members(ballots, seats, absent=1, weight=weight).sort("issue")
    assert found["safe"].to_list() == [
        None if state == -1 else not change for state, change in zip(now, moved, strict=True)
    ]


def test_an_issue_that_each_other_can_overtake_alone_may_be_safe_against_all_at_once():
    # Scores: A 3 + 3 + 3 = 9; B, C and D 1 − 1 − 3 = −3. With two seats, A is out only if two others catch up. A ballot
    # takes 3 from A at most, and gives two others 3 and 1.
    # One: A 9 − 3 = 6; they −3 + 3 = 0 and −3 + 1 = −2: safe. Two: A 9 − 6 = 3; they −3 + 3 + 1 = 1 each: safe.
    # Three: A 9 − 9 = 0; they −3 + 3 + 1 + 3 = 4 and −3 + 1 + 3 + 1 = 2: not safe.
    ballots = orders("1 A B C D", "1 A C D B", "1 A D B C")
    for absent, safe in ((1, True), (2, True), (3, False)):
        assert absent_members(ballots, 2, absent=absent).filter(issue="A")["safe"].item() is safe
    # alone, one of them needs two ballots: 9 − 6 = 3 against −3 + 6 = 3
    assert absent_members(ballots, 1, absent=2).filter(issue="A")["safe"].item() is False


def test_nobody_absent_moves_nothing_and_a_tie_at_the_cut_is_open():
    found = absent_members(orders("1 A B C", "1 A C B"), 2, absent=0)
    assert found.rows() == [("A", True, True), ("B", None, None), ("C", None, None)]


def sums_of_ballots(ballots, rivals):
    """Largest first, what so many ballots can give the rivals together."""
    found = {tuple(sorted(row, reverse=True)) for row in every_ballot(rivals).tolist()}
    for _ in range(ballots - 1):
        every = [np.sort(np.array(row) + every_ballot(rivals), axis=1)[:, ::-1] for row in found]
        found = set(map(tuple, np.unique(np.concatenate(every), axis=0).tolist()))
    return found


@pytest.mark.parametrize(("rivals", "ballots"), [(r, b) for r in (2, 3, 4, 5) for b in (2, 3) if (r, b) != (5, 3)])
def test_whole_numbers_within_the_sums_can_be_shared_out_over_two_and_three_ballots(rivals, ballots):
    most = ballots * (rivals - 1)
    within = {
        needs
        for needs in product(range(most, -most - 1, -1), repeat=rivals)
        if sum(needs) == 0 and list(needs) == sorted(needs, reverse=True) and _within_sums(np.array(needs), ballots)
    }
    assert within == sums_of_ballots(ballots, rivals)


@pytest.mark.parametrize("rivals", [1, 2, 3, 4])
def test_needs_are_met_on_one_ballot_where_some_ballot_meets_them(rivals):
    for needs in product(range(rivals, -rivals, -1), repeat=rivals):
        if list(needs) == sorted(needs, reverse=True):
            met = bool((every_ballot(rivals) >= np.array(needs)).all(axis=1).any()) if rivals > 1 else needs[0] <= 0
            assert _on_one_ballot(np.array(needs)) == met


# Without one ----------------------------------------------------------------------------------------------------------


def recounted(ballots, seats, options, issues):
    """Where each issue stands when the ballots are ranked anew."""
    found = rank_priorities(ballots, seats, resamples=1, issues=issues, **options)
    return dict(found.select("issue", "selected").iter_rows())


ways = st.fixed_dictionaries({"weight": weights, "unranked": st.sampled_from(["share", "ignore"])})
short = st.lists(st.sampled_from("ABCD"), min_size=1, max_size=4, unique=True).map(" ".join)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("xyz"), short), min_size=1, max_size=6), st.integers(1, 3), ways)
def test_leaving_one_out_equals_ranking_the_other_ballots_anew(cast, seats, way):
    ballots, issues = frame(cast), list("ABCD")
    now = recounted(ballots, seats, way, issues)
    hangs = {}
    for by in ("member", "agency"):
        expected = []
        for who in ballots[by].unique():
            rest = ballots.filter(pl.col(by) != who)
            size = ballots.filter(pl.col(by) == who)["member"].n_unique()
            then = recounted(rest, seats, way, issues) if rest.height else now
            joined = ["; ".join(i for i in issues if then[i] is to and now[i] is not to) for to in (True, False, None)]
            expected.append((who if by == "agency" else None, size, then != now if rest.height else None, *joined))
        found = leave_one_out(ballots, seats, by=by, issues=issues, **way)
        assert found["left_out"].to_list() == (
            sorted(ballots["agency"].unique()) if by == "agency" else [f"member {i + 1}" for i in range(len(cast))]
        )
        rows = [(row[0] if by == "agency" else None, *row[1:]) for row in found.rows()]
        assert sorted(rows, key=str) == sorted(expected, key=str)
        parts = [set("; ".join(row[3:]).split("; ")) for row in expected]
        hangs[by] = [any(issue in part for part in parts) if len(expected) > 1 else None for issue in issues]
    seen = seats_without_one(ballots, seats, issues=issues, **way).sort("issue")
    assert seen["without_member"].to_list() == hangs["member"]
    assert seen["without_agency"].to_list() == hangs["agency"]


def test_without_each_agency():
    # A B C: health's three ballots put A first, the police's two put C first.
    # Scores A 3×2 − 2×2 = 2, B 0, C −3×2 + 2×2 = −2. Without health C leads; without police nothing changes;
    # without a member of health 2 to 2: A, B and C tie.
    ballots = frame([("Health", "A B C")] * 3 + [("Police", "C B A")] * 2)
    found = leave_one_out(ballots, 1, by="agency")
    expected = pl.DataFrame(
        {
            "left_out": ["Health", "Police"],
            "n_ballots": [3, 2],
            "changed": [True, False],
            "comes_in": ["C", ""],
            "goes_out": ["A", ""],
            "left_open": ["", ""],
        }
    )
    assert_frame_equal(found, expected)
    members = leave_one_out(ballots, 1)
    assert members.rows() == [(f"member {i}", 1, i < 4, "", "", "A; B; C" if i < 4 else "") for i in range(1, 6)]


def test_members_are_never_named_and_numbered_by_what_changes_alone():
    ballots = frame([("x", "A B"), ("x", "B A"), ("y", "A B")])
    renamed = ballots.with_columns(pl.col("member").replace({"secret 0": "z", "secret 2": "a"})).reverse()
    found = leave_one_out(ballots, 1)
    assert "secret" not in str(found.rows())
    assert_frame_equal(leave_one_out(renamed, 1), found)


def test_who_is_left_out_must_be_a_known_word():
    with pytest.raises(ParameterError, match=r'by must be one of: member, agency\. Found: "agencies"'):
        leave_one_out(orders("1 A B"), 1, by="agencies")


# Tied across the cut --------------------------------------------------------------------------------------------------


def test_two_issues_are_bracketed_where_the_interval_of_their_difference_covers_0():
    # Ten members, two issues. X of ten for A: D* = 4 X − 20. Eight for A: D = 12, and |X − 8| <= 2 on .967 of boards,
    # <= 1 on .77: the interval is 12 ± 8. Seven for A: D = 8, and |X − 7| <= 3 on .989, <= 2 on .924: 8 ± 12.
    for split, bracket in ((("8 A B", "2 B A"), False), (("7 A B", "3 B A"), True)):
        found = tied_across_the_cut(orders(*split), 1)
        assert found.rows() == [("A", True, bracket), ("B", False, bracket)]


def test_only_issues_that_may_change_sides_are_in_the_bracket():
    # all put A first and D last; B and C are halved
    found = tied_across_the_cut(orders("6 A B C D", "5 A C B D"), 2)
    assert found.rows() == [("A", True, False), ("B", True, True), ("C", False, True), ("D", False, False)]


def test_issues_tied_at_the_cut_are_in_the_bracket_even_where_all_ballots_are_alike():
    found = tied_across_the_cut(orders("3 A BC D"), 2)
    assert found.rows() == [("A", True, False), ("B", None, True), ("C", None, True), ("D", False, False)]
    assert tied_across_the_cut(orders("3 A B C"), 1)["in_bracket"].to_list() == [False] * 3


def test_one_ballot_shows_no_spread():
    assert tied_across_the_cut(orders("1 A B C"), 1)["in_bracket"].to_list() == [None] * 3
    assert tied_across_the_cut(orders("1 A B C"), 3)["in_bracket"].to_list() == [False] * 3
    assert tied_across_the_cut(orders("1 A BC"), 2)["in_bracket"].to_list() == [None, True, True]
    ballots = frame([("x", "A B")] * 9 + [("x", "B A")] * 9 + [("x", "A B")])
    assert tied_across_the_cut(ballots, 1, weight="agency")["in_bracket"].to_list() == [None, None]
    assert tied_across_the_cut(ballots, 1, weight="agency", resample="member")["in_bracket"].to_list() == [True, True]


def test_agencies_drawn_whole_bracket_what_members_drawn_one_by_one_tell_apart():
    # Four agencies of eight, three of them for A: D = 2 × (24 − 8) = 32. Members: D* = 4 X − 64, X of 32 with 3/4, of
    # which the standard deviation is 2.4, so the interval is about 32 ± 20. Agencies: D* = 32 Y − 64, Y of 4; |Y − 3|
    # is 1 or more on 58 of 100 boards, so it is at least 32 ± 32.
    ballots = frame([(agency, "B A" if agency == "w" else "A B") for agency in "wxyz" for _ in range(8)])
    assert tied_across_the_cut(ballots, 1)["in_bracket"].to_list() == [False, False]
    assert tied_across_the_cut(ballots, 1, resample="agency")["in_bracket"].to_list() == [True, True]


def test_issues_of_equal_worth_on_either_side_of_the_cut_are_nearly_always_in_the_bracket():
    # 30 members, 15 issues by Plackett and Luce; the fourth and fifth are worth the same
    generator = np.random.default_rng(4)
    worth = np.concatenate([np.linspace(3, 1.5, 4), np.linspace(1.5, -2, 11)])
    covered = []
    for seed in range(200):
        ranks = np.argsort(np.argsort(-(worth + generator.gumbel(size=(30, 15))), axis=1), axis=1) + 1
        ballots = pl.DataFrame(
            {
                "member": np.repeat(np.arange(30), 15),
                "issue": [f"i{j:02d}" for j in range(15)] * 30,
                "rank": ranks.ravel(),
            }
        )
        found = tied_across_the_cut(ballots, 4, resamples=300, seed=seed).filter(pl.col("issue").is_in(["i03", "i04"]))
        if found["selected"].n_unique() == 2:
            covered.append(found["in_bracket"].all())
    assert len(covered) > 120
    assert np.mean(covered) >= 0.93


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"resamples": 99}, "resamples must be at least 100 for an interval. Found: 99"),
        ({"confidence": 1.0}, "confidence must be between 0 and 1, such as 0.95. Found: 1.0"),
        ({"confidence": 0.0}, "confidence must be between 0 and 1"),
        ({"resample": "board"}, "resample must be one of: member, agency"),
    ],
)
def test_intervals_that_cannot_be_told_are_refused(parameters, said):
    with pytest.raises(ParameterError, match=said):
        tied_across_the_cut(orders("2 A B"), 1, **parameters)


# By rule, and effective ballots ---------------------------------------------------------------------------------------


def test_rules_that_differ_have_different_shares():
    # A beats B on a board where more than half say A B C, X of 5 with probability .6 each: X >= 3 has .68256. Borda: A
    # X×2 − (5 − X)×2 against B (5 − X)×2: A ahead from 4X − 10 > 10 − 2X, X >= 4 (.33696; X = 3.33 would tie).
    found = selected_by_rule(orders("3 A B C", "2 B C A"), 1, resamples=40_000)
    assert found.columns == ["issue", "p_borda", "p_copeland", "p_schulze"]
    assert found["issue"].to_list() == ["B", "A", "C"]
    assert found["p_borda"].to_list() == pytest.approx([0.66304, 0.33696, 0], abs=0.01)
    assert found["p_copeland"].to_list() == pytest.approx([0.31744, 0.68256, 0], abs=0.01)
    assert found["p_schulze"].to_list() == pytest.approx([0.31744, 0.68256, 0], abs=0.01)


def test_borda_by_rule_is_the_share_of_the_ranking():
    ballots = frame([("x", "A B C"), ("x", "BC A"), ("y", "C"), ("z", "B A")])
    for weight, resample in product(("member", "agency"), repeat=2):
        options = {"weight": weight, "resample": resample, "resamples": 200}
        ranking = rank_priorities(ballots, 1, **options).select("issue", p_borda="p_selected")
        assert_frame_equal(selected_by_rule(ballots, 1, **options).select("issue", "p_borda"), ranking)


def test_effective_ballots():
    # sizes 3 and 1: w = 1/3, 1/3, 1/3, 1; 2² / (3/9 + 1) = 3
    assert effective_ballots(frame([("x", "A")] * 3 + [("y", "A")])) == pytest.approx(3, abs=1e-12)
    assert effective_ballots(frame([("x", "A")] * 2 + [("y", "A")] * 2)) == pytest.approx(4, abs=1e-12)
    assert effective_ballots(frame([])) == 0


# Unusual boards -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("measure", [*BY_ISSUE, leave_one_out], ids=[*BY_ISSUE_NAMES, "leave_one_out"])
def test_no_ballots_give_empty_tables_of_the_same_columns(measure):
    for weight in ("member", "agency"):
        assert_frame_equal(measure(frame([]), weight=weight), measure(orders("1 A B C D E"), weight=weight).clear())


@pytest.mark.parametrize(
    "measure",
    [*BY_ISSUE, leave_one_out, ballots_to_change],
    ids=[*BY_ISSUE_NAMES, "leave_one_out", "ballots_to_change"],
)
def test_more_seats_than_issues_are_refused(measure):
    with pytest.raises(ParameterError, match=r"seats must be no more than the issues, 2\. Found: 3"):
        measure(orders("2 A B"), seats=3)


@pytest.mark.parametrize("measure", BY_ISSUE, ids=BY_ISSUE_NAMES)
def test_tables_by_issue_stand_in_the_order_of_the_ranking(measure):
    ballots = frame([("x", "D C BA"), ("x", "D A"), ("y", "D B C A"), ("z", "C D B A")])
    for weight in ("member", "agency"):
        ranking = rank_priorities(ballots, 2, weight, resamples=1)
        assert measure(ballots, 2, weight=weight)["issue"].to_list() == ranking["issue"].to_list()


def test_members_who_all_agree():
    ballots = orders("7 C A B")
    assert absent_members(ballots, 2, absent=1)["safe"].to_list() == [True] * 3
    assert leave_one_out(ballots, 2)["changed"].to_list() == [False] * 7
    assert seats_without_one(ballots, 2)["without_member"].to_list() == [False] * 3
    assert selected_by_rule(ballots, 2).rows() == [("C", 1, 1, 1), ("A", 1, 1, 1), ("B", 0, 0, 0)]


def test_members_who_are_all_opposed():
    ballots = orders("2 A B C", "2 C B A")
    assert absent_members(ballots, 1, absent=1)["safe"].to_list() == [None] * 3
    assert tied_across_the_cut(ballots, 1)["in_bracket"].to_list() == [True] * 3
    # without one of A's the scores are −2, 0, 2: C is in, where all three were open
    assert leave_one_out(ballots, 1).row(0) == ("member 1", 1, True, "A", "B; C", "")


def test_one_member():
    ballots = orders("1 B A")
    # an absent member can turn it into a tie
    assert absent_members(ballots, 1, absent=1).rows() == [("B", True, False), ("A", False, False)]
    assert leave_one_out(ballots, 1).rows() == [("member 1", 1, None, "", "", "")]
    assert seats_without_one(ballots, 1).rows() == [("B", True, None, None), ("A", False, None, None)]
    assert effective_ballots(ballots) == 1


def test_as_many_seats_as_issues_leave_nothing_to_move():
    ballots = orders("2 A B", "1 B A")
    assert absent_members(ballots, 2, absent=50)["safe"].to_list() == [True, True]
    assert tied_across_the_cut(ballots, 2)["in_bracket"].to_list() == [False, False]
    assert seats_without_one(ballots, 2)["without_agency"].to_list() == [False, False]


def test_fewer_than_no_absent_members_are_refused():
    with pytest.raises(ParameterError, match=r"absent must be 0 or more\. Found: -1"):
        absent_members(orders("1 A B"), 1, absent=-1)


@pytest.mark.parametrize("measure", [effective_ballots, seats_without_one])
def test_agencies_are_needed_where_they_count(measure):
    with pytest.raises(TableError, match="column agency missing"):
        measure(orders("1 A B").drop("agency"), **({} if measure is effective_ballots else {"seats": 1}))


def test_a_thousand_voters_and_forty_issues_take_moments():
    generator = np.random.default_rng(2)
    ranks = np.argsort(np.argsort(np.linspace(0, 2, 40) - generator.gumbel(size=(1000, 40)), axis=1), axis=1) + 1
    ballots = pl.DataFrame(
        {
            "member": np.repeat(np.arange(1000), 40),
            "agency": np.repeat([f"agency {i % 60}" for i in range(1000)], 40),
            "issue": [f"i{j:02d}" for j in range(40)] * 1000,
            "rank": ranks.ravel(),
        }
    )
    for weight in ("member", "agency"):
        start = time.process_time()
        assert absent_members(ballots, absent=25, weight=weight).height == 40
        assert absent_members(ballots, absent=1, weight=weight).height == 40
        assert leave_one_out(ballots, weight=weight).height == 1000
        assert seats_without_one(ballots, weight=weight).height == 40
        assert tied_across_the_cut(ballots, weight=weight).height == 40
        assert effective_ballots(ballots) > 900
        assert time.process_time() - start < 5  # about 1, whatever else the machine does
