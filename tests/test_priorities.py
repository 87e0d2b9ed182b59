"""Expected values: stored answers of nine real elections, textbook elections, arithmetic in comments, brute force."""

import json
from fractions import Fraction
from itertools import combinations
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.agreement import kendall_w
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.firmness import ballots_to_change
from safeguarding_analytics.priorities import rank_priorities
from safeguarding_analytics.rules import compare_rules, head_to_head, kemeny
from safeguarding_analytics.shapes import shape_of

VOTES = Path(__file__).parents[2] / "shared" / "data" / "votes"
COLUMNS = ["member", "agency", "issue", "rank"]
COUNTED = ["issue", "score", "points", "rank", "tied", "selected", "p_selected", "n_ballots"]


def frame(rankings: list[dict[str, int]], agencies: list[str] | None = None) -> pl.DataFrame:
    """One ballot per dictionary of ranks; members m0, m1, … and, unless given, an agency each."""
    rows = [
        (f"m{member}", agencies[member] if agencies else f"agency {member}", issue, rank)
        for member, ranks in enumerate(rankings)
        for issue, rank in ranks.items()
    ]
    kinds = dict(zip(COLUMNS, (pl.String, pl.String, pl.String, pl.Int64), strict=True))
    return pl.DataFrame(rows, schema=kinds, orient="row")


def orders(*written: str) -> pl.DataFrame:
    """``orders("2 A B C")``: two members put A before B before C."""
    rankings = []
    for line in written:
        times, *issues = line.split()
        rankings += [{issue: place for place, issue in enumerate(issues, 1)}] * int(times)
    return frame(rankings)


# Nine real elections -------------------------------------------------------------------------------------------------

elections = pytest.mark.skipif(not VOTES.exists(), reason="../shared is not beside the project")


def election(name: str) -> tuple[dict, pl.DataFrame, list[str]]:
    stored = json.loads((VOTES / f"{name}.json").read_text())
    rankings = [
        {f"{issue:02d}": place for place, group in enumerate(ballot["order"], 1) for issue in group}
        for ballot in stored["ballots"]
        for _ in range(ballot["count"])
    ]
    return stored["results"], frame(rankings), [f"{issue:02d}" for issue in range(stored["n_candidates"])]


NAMES = [
    "00002-00000008.soi",
    "00006-00000002.toc",
    "00007-00000004.soi",
    "00007-00000015.soi",
    "00009-00000002.soc",
    "00012-00000001.soc",
    "00032-00000004.toi",
    "00032-00000007.toi",
    "00035-00000002.soc",
]


@elections
@pytest.mark.parametrize("name", NAMES)
def test_real_elections_give_the_agreed_borda_scores_and_agreement(name):
    results, ballots, issues = election(name)
    ranking = rank_priorities(ballots, resamples=1, issues=issues).sort("issue")
    assert ranking["score"].to_list() == results["bottom"]["borda_wins_minus_losses"]
    assert kendall_w(ballots, issues=issues) == pytest.approx(results["bottom"]["kendall_w_tie_corrected"], abs=1e-9)


# The capital of Tennessee, as in Wikipedia's "Condorcet method" and "Borda count" ------------------------------

TENNESSEE = orders(
    "42 Memphis Nashville Chattanooga Knoxville",
    "26 Nashville Chattanooga Knoxville Memphis",
    "15 Chattanooga Knoxville Nashville Memphis",
    "17 Knoxville Chattanooga Nashville Memphis",
)


def test_tennessee_by_borda():
    # Points 4, 3, 2, 1. Nashville 42×3 + 26×4 + 15×2 + 17×2 = 294; Chattanooga 42×2 + 26×3 + 15×4 + 17×3 = 273;
    # Memphis 42×4 + 58 = 226; Knoxville 42 + 26×2 + 15×3 + 17×4 = 207. Score = 2 × points − 100 × 5.
    found = rank_priorities(TENNESSEE, seats=1, resamples=1)
    expected = pl.DataFrame(
        {
            "issue": ["Nashville", "Chattanooga", "Memphis", "Knoxville"],
            "score": [88.0, 46.0, -48.0, -86.0],
            "points": [294.0, 273.0, 226.0, 207.0],
            "rank": [1, 2, 3, 4],
            "tied": [False] * 4,
            "selected": [True, False, False, False],
            "n_ballots": [100] * 4,
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)


def test_tennessee_ballots_to_change():
    # Nashville − Chattanooga = 42, and 68 ballots put it one place ahead (2): 21 to tie, 22 to
    # overtake; reversing moves 4: 11.
    # Nashville − Memphis = 136, and 26 ballots put it three places ahead (6): 23 × 6 = 138; reversing moves 12: 12.
    # Nashville − Knoxville = 174, and 68 ballots put it two places ahead (4): 44 × 4 = 176; reversing moves 8: 22.
    expected = pl.DataFrame(
        {
            "inside": ["Nashville"] * 3,
            "outside": ["Chattanooga", "Memphis", "Knoxville"],
            "score_difference": [42.0, 136.0, 174.0],
            "ballots_to_tie": [21, 23, 44],
            "ballots_to_overtake": [22, 23, 44],
            "ballots_to_reverse": [11, 12, 22],
        }
    )
    assert_frame_equal(ballots_to_change(TENNESSEE, seats=1).select(expected.columns), expected)


# Ties, unranked issues, the cut ---------------------------------------------------------------------------------------

# m0: A and B tied first, C next, D unranked. m1: B only.
SHORT = frame([{"A": 1, "B": 1, "C": 2}, {"B": 1}])


def test_tied_and_unranked_issues_share_the_average_of_their_places():
    # m0: A, B 3.5 each, C 2, D 1. m1: B 4; A, C, D share 3, 2, 1 = 2 each.
    # Wins − losses: m0 A 2, B 2, C 1 − 2, D −3. m1 B 3, the others −1.
    found = rank_priorities(SHORT, seats=2, issues=["D", "C", "B", "A"])
    expected = pl.DataFrame(
        {
            "issue": ["B", "A", "C", "D"],
            "score": [5.0, 1.0, -2.0, -4.0],
            "points": [7.5, 5.5, 4.0, 3.0],
            "rank": [1, 2, 3, 4],
            "tied": [False] * 4,
            "selected": [True, True, False, False],
            "n_ballots": [2] * 4,
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)
    assert shape_of(found.columns).name == "ranking"


def test_resampled_boards_share_a_seat_among_issues_tied_at_the_cut():
    # Boards of two: m0 twice (1/4) seats A, B; m1 twice (1/4) seats B, and A, C, D share the other seat;
    # one of each (1/2) seats A, B. So A 1/4 + 1/2 + 1/12, B 1, C and D 1/12.
    found = rank_priorities(SHORT, seats=2, resamples=20_000, issues=["A", "B", "C", "D"]).sort("issue")["p_selected"]
    assert found[1] == 1
    assert found[2] == found[3]
    assert found.to_list() == pytest.approx([10 / 12, 1, 1 / 12, 1 / 12], abs=0.01)


def test_ignored_unranked_issues_are_not_compared_and_have_no_points():
    # m0 compares A, B, C: A +1, B +1, C −2. m1 ranked one issue and compares nothing.
    found = rank_priorities(SHORT, 2, unranked="ignore", issues=["A", "B", "C", "D"], resamples=1)
    expected = pl.DataFrame(
        {
            "issue": ["A", "B", "D", "C"],
            "score": [1.0, 1.0, 0.0, -2.0],
            "points": pl.Series([None] * 4, dtype=pl.Float64),
            "rank": [1, 1, 3, 4],
            "tied": [True, True, False, False],
            "selected": [True, True, False, False],
            "n_ballots": [2] * 4,
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)


@pytest.mark.parametrize(
    ("seats", "selected"),
    [
        (1, [True, False, False, False]),
        (2, [True, None, None, False]),
        (3, [True, True, True, False]),
        (4, [True, True, True, True]),
    ],
)
def test_selected_is_null_only_where_equal_scores_straddle_the_cut(seats, selected):
    ballots = frame([{"A": 1, "B": 2, "C": 2, "D": 3}])
    found = rank_priorities(ballots, seats)
    assert found["rank"].to_list() == [1, 2, 2, 4]
    assert found["tied"].to_list() == [False, True, True, False]
    assert found["selected"].to_list() == selected
    assert found["p_selected"].to_list() == [{True: 1.0, False: 0.0, None: 0.5}[inside] for inside in selected]


def test_only_the_order_of_a_members_ranks_counts():
    wide = frame([{"A": 1, "B": 7, "C": 7}, {"B": 30, "A": 100}])
    narrow = frame([{"A": 1, "B": 2, "C": 2}, {"B": 1, "A": 2}])
    assert_frame_equal(rank_priorities(wide, 1), rank_priorities(narrow, 1))


# Agencies -------------------------------------------------------------------------------------------------------------


def test_each_agency_weighs_one():
    # Health has two members, police one. A: (2 + 0)/2 − 2, B: (0 + 2)/2 + 0, C: (−2 − 2)/2 + 2.
    # Points: (score + 2 agencies × 4)/2.
    ballots = frame(
        [{"A": 1, "B": 2, "C": 3}, {"B": 1, "A": 2, "C": 3}, {"C": 1, "B": 2, "A": 3}], ["Health", "Health", "Police"]
    )
    found = rank_priorities(ballots, 1, weight="agency")
    expected = pl.DataFrame(
        {
            "issue": ["B", "C", "A"],
            "score": [1.0, 0.0, -1.0],
            "points": [4.5, 4.0, 3.5],
            "rank": [1, 2, 3],
            "tied": [False] * 3,
            "selected": [True, False, False],
            "n_ballots": [3] * 3,
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)
    wins = head_to_head(ballots, weight="agency").filter(pl.col("issue") == "A")
    assert wins.rows() == [("A", "B", 0.5, 1.5, -1.0), ("A", "C", 1.0, 1.0, 0.0)]


def test_thirds_that_cancel_are_a_tie():
    # A − B: health (1 + 1 − 1)/3, police −1/3, schools (1 + 1 + 1 + 1 + 1 − 1 − 1)/7, courts −3/7
    leads = [1, 1, -1, -1, -1, 1, *[1] * 5, *[-1] * 2, *[-1] * 5, *[1] * 2]
    agencies = ["Health"] * 3 + ["Police"] * 3 + ["Schools"] * 7 + ["Courts"] * 7
    ballots = frame([{"A": 1 if lead > 0 else 2, "B": 2 if lead > 0 else 1} for lead in leads], agencies)
    found = rank_priorities(ballots, 1, weight="agency")
    assert found["score"].to_list() == [0, 0]
    assert found["selected"].to_list() == [None, None]
    assert kemeny(ballots, weight="agency")["n_optimal_orders"].to_list() == [2, 2]
    assert compare_rules(ballots, 1, weight="agency")["copeland_rank"].to_list() == [1, 1]


def test_agencies_are_resampled_whole():
    # Two agencies that disagree, one with many members. Boards of two agencies: both the same (1/4 each) or one of
    # each, which ties; a member-wise resampling would nearly always follow the many.
    ballots = frame([{"A": 1, "B": 2}] * 20 + [{"B": 1, "A": 2}], ["Health"] * 20 + ["Police"])
    found = rank_priorities(ballots, 1, weight="agency", resamples=20_000)
    assert found["p_selected"].to_list() == pytest.approx([0.5, 0.5], abs=0.01)


# Kendall's W ----------------------------------------------------------------------------------------------------------


def test_kendall_w_corrects_for_ties():
    # Ballots A > B = C and A > B > C. Places 1, 2.5, 2.5 and 1, 2, 3: sums 2, 4.5, 5.5, mean 4, squares 4 + .25 + 2.25
    # = 6.5. T = 2³ − 2 = 6. W = 12 × 6.5 / (2² × (27 − 3) − 2 × 6) = 78/84.
    ballots = frame([{"A": 1, "B": 2, "C": 2}, {"A": 1, "B": 2, "C": 3}])
    assert kendall_w(ballots) == pytest.approx(78 / 84, abs=1e-12)


@pytest.mark.parametrize(
    ("ballots", "agreement"),
    [
        (frame([]), None),
        (orders("1 A B"), None),
        (orders("3 A"), None),
        (frame([{"A": 1, "B": 1}] * 2), None),
        (orders("3 A B C"), 1),
        (orders("1 A B C", "1 C B A"), 0),
    ],
)
def test_kendall_w_at_its_ends_and_where_it_is_undefined(ballots, agreement):
    assert kendall_w(ballots) == agreement


def test_kendall_w_refuses_to_ignore_unranked_issues():
    assert kendall_w(orders("2 A B"), unranked="ignore") == 1
    with pytest.raises(ParameterError, match="2 of 2 ballots leave an issue out"):
        kendall_w(SHORT, unranked="ignore", issues=["A", "B", "C", "D"])


# Ballots to change ----------------------------------------------------------------------------------------------------


def lead_of(rankings, agencies, members, weight, turned=()):
    """A's score less B's over the given members, as a fraction, straight from the definition."""
    total = Fraction(0)
    for member in members:

        def score(issue, ranks=rankings[member]):
            worst = max(ranks.values()) + 1
            return sum(
                (ranks.get(issue, worst) < ranks.get(other, worst))
                - (ranks.get(issue, worst) > ranks.get(other, worst))
                for other in "ABC"
            )

        colleagues = sum(agencies[other] == agencies[member] for other in members) if weight == "agency" else 1
        total += Fraction(score("A") - score("B"), colleagues) * (-1 if member in turned else 1)
    return total


def fewest(found) -> int | None:
    return min(found, default=None)


ballot = st.dictionaries(st.sampled_from("ABC"), st.integers(1, 3), min_size=1)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.tuples(ballot, st.sampled_from("xy")), min_size=1, max_size=6), st.sampled_from(["member", "agency"])
)
def test_ballots_to_change_equals_trying_every_set_of_members(cast, weight):
    rankings, agencies = [ranks for ranks, _ in cast], [agency for _, agency in cast]
    everyone = range(len(cast))
    found = ballots_to_change(frame(rankings, agencies), 1, weight=weight, issues=["A", "B", "C"])
    row = found.filter(inside="A", outside="B")
    if row.is_empty():
        return
    kept = [members for size in range(1, len(cast) + 1) for members in combinations(everyone, size)]
    turns = [members for size in range(len(cast) + 1) for members in combinations(everyone, size)]
    leads = [(len(cast) - len(members), lead_of(rankings, agencies, members, weight)) for members in kept]
    expected = (
        float(lead_of(rankings, agencies, everyone, weight)),
        fewest(gone for gone, lead in leads if lead <= 0),
        fewest(gone for gone, lead in leads if lead < 0),
        fewest(len(turned) for turned in turns if lead_of(rankings, agencies, everyone, weight, turned) < 0),
    )
    assert row.row(0)[2:6] == pytest.approx(expected)


def test_nothing_overtakes_where_all_members_agree_unless_they_turn_round():
    found = ballots_to_change(orders("3 A B"), seats=1)
    assert found.select(pl.nth(range(6))).rows() == [("A", "B", 6.0, None, None, 2)]


def test_issues_tied_at_the_cut_stand_on_both_sides():
    found = ballots_to_change(orders("1 A B", "1 B A"), seats=1)
    assert found.select(pl.nth(range(6))).rows() == [("A", "B", 0.0, 0, 1, 1), ("B", "A", 0.0, 0, 1, 1)]


def test_with_as_many_seats_as_issues_nothing_can_change():
    assert ballots_to_change(orders("2 A B"), seats=2).is_empty()


# Unusual boards -------------------------------------------------------------------------------------------------------


def test_no_ballots_give_empty_tables_of_the_same_columns():
    empty, some = frame([]), orders("1 A B C D E")
    for measure in (rank_priorities, compare_rules, head_to_head, kemeny, ballots_to_change):
        assert_frame_equal(measure(empty), measure(some).clear())
    assert rank_priorities(empty, weight="agency", issues=["A"]).is_empty()
    assert ballots_to_change(empty, weight="agency").is_empty()


def test_one_member_decides():
    found = rank_priorities(orders("1 B A"), 1).select(COUNTED)
    assert found.rows() == [("B", 1.0, 2.0, 1, False, True, 1.0, 1), ("A", -1.0, 1.0, 2, False, False, 0.0, 1)]


def test_one_member_who_ranks_one_issue_of_several():
    # first place of three: 3 points; the others share 2 and 1
    found = rank_priorities(orders("1 B"), 1, issues=["A", "B", "C"])
    assert found.select("issue", "score", "points", "rank", "tied", "selected", "p_selected").rows() == [
        ("B", 2.0, 3.0, 1, False, True, 1.0),
        ("A", -1.0, 1.5, 2, True, False, 0.0),
        ("C", -1.0, 1.5, 2, True, False, 0.0),
    ]


def test_a_single_issue_is_first():
    assert rank_priorities(orders("2 A"), 1).select(COUNTED).rows() == [("A", 0.0, 2.0, 1, False, True, 1.0, 2)]
    assert head_to_head(orders("2 A")).is_empty()
    assert compare_rules(orders("2 A"), 1).rows() == [("A", 1, 1, 1, 1, 1, 5, True)]


def test_members_who_all_agree_leave_nothing_to_chance():
    found = rank_priorities(orders("7 C A B"), 2)
    assert found["issue"].to_list() == ["C", "A", "B"]
    assert found["p_selected"].to_list() == [1, 1, 0]
    assert compare_rules(orders("7 C A B"), 2)["agreed"].to_list() == [True] * 3


def test_members_who_are_all_opposed_tie():
    found = rank_priorities(orders("2 A B C", "2 C B A"), 1)
    assert found["rank"].to_list() == [1, 1, 1]
    assert found["selected"].to_list() == [None] * 3


def test_ballots_may_be_lazy_or_live_in_duckdb():
    expected = rank_priorities(SHORT, 1, weight="agency")
    assert_frame_equal(rank_priorities(SHORT.lazy(), 1, weight="agency"), expected)
    with duckdb.connect() as connection:
        assert_frame_equal(rank_priorities(connection.from_arrow(SHORT.to_arrow()), 1, weight="agency"), expected)


def test_agency_is_not_needed_when_members_weigh_the_same():
    assert_frame_equal(rank_priorities(SHORT.drop("agency"), 1), rank_priorities(SHORT, 1))


# Mistakes -------------------------------------------------------------------------------------------------------------

SECRET = pl.DataFrame(
    {
        "member": ["P-secret"] * 2 + ["Q-secret"],
        "agency": ["Health"] * 3,
        "issue": ["CSE", "Neglect", "CSE"],
        "rank": [1, 2, 1],
    }
)


@pytest.mark.parametrize(
    ("ballots", "parameters", "said"),
    [
        (SECRET.drop("rank").with_columns(ranks=1), {}, 'column rank missing.*Did you mean "ranks"'),
        (SECRET.drop("agency"), {"weight": "agency"}, "column agency missing"),
        (SECRET.with_columns(rank=pl.Series([1, 0, -1])), {}, "2 of 3 rows have a rank below 1"),
        (SECRET.with_columns(rank=pl.Series([1.0, float("nan"), 2.0])), {}, "1 of 3 rows have a rank"),
        (SECRET.with_columns(rank=pl.Series([1.0, float("inf"), 2.0])), {}, "1 of 3 rows have a rank"),
        (SECRET.with_columns(rank=pl.Series(["1", "2", "1"])), {}, "rank must be a number. Found: String"),
        (SECRET.with_columns(rank=pl.Series([1, None, 1])), {}, "1 of 3 rows have no rank"),
        (SECRET.with_columns(member=pl.Series(["P-secret", None, None])), {}, "2 of 3 rows have no member"),
        (SECRET.with_columns(issue=pl.Series(["CSE", None, "CSE"])), {}, "1 of 3 rows have no issue"),
        (SECRET.with_columns(issue=pl.lit("CSE")), {}, "1 of 3 rows rank an issue that the same member has already"),
        (SECRET, {"issues": ["CSE", "Neglct"]}, '1 of 3 rows .*not listed. Found: Neglect. Did you mean "Neglct"'),
        (SECRET, {"issues": []}, "3 of 3 rows .*Listed: none"),
        (
            SECRET.with_columns(agency=pl.Series(["Health", "Police", "Police"])),
            {"weight": "agency"},
            "1 of 2 members vote for more than one agency",
        ),
    ],
)
def test_broken_ballots_are_refused_without_naming_a_member(ballots, parameters, said):
    with pytest.raises(TableError, match=said) as caught:
        rank_priorities(ballots, 1, **parameters)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"seats": 0}, "seats must be at least 1. Found: 0"),
        ({"seats": 3}, "seats must be no more than the issues, 2. Found: 3"),
        ({"resamples": 0}, "resamples must be at least 1"),
        ({"seed": -1}, "seed must be 0 or more"),
        ({"weight": "agencies"}, 'Found: "agencies". Did you mean "agency"'),
        ({"unranked": "shared"}, 'Found: "shared". Did you mean "share"'),
        ({"issues": ["CSE", "CSE", "Neglect"]}, "issues lists CSE more than once"),
    ],
)
def test_wrong_parameters_are_refused(parameters, said):
    with pytest.raises(ParameterError, match=said):
        rank_priorities(SECRET, **{"seats": 1, **parameters})


@pytest.mark.parametrize("measure", [compare_rules, ballots_to_change])
def test_every_measure_with_seats_checks_them(measure):
    with pytest.raises(ParameterError, match="seats must be"):
        measure(SECRET, seats=3)


# Laws -----------------------------------------------------------------------------------------------------------------

ISSUES = ["A", "B", "C", "D"]
boards = st.lists(st.dictionaries(st.sampled_from(ISSUES), st.integers(1, 4), min_size=1), min_size=1, max_size=8)
ways = st.fixed_dictionaries(
    {"weight": st.sampled_from(["member", "agency"]), "unranked": st.sampled_from(["share", "ignore"])}
)


def agencies_of(rankings: list[dict[str, int]]) -> list[str]:
    return [f"agency {member % 3}" for member in range(len(rankings))]


@settings(max_examples=50, deadline=None)
@given(boards, ways, st.integers(1, 4))
def test_shares_of_boards_lie_between_0_and_1_and_add_up_to_the_seats(rankings, way, seats):
    found = rank_priorities(frame(rankings, agencies_of(rankings)), seats, resamples=50, issues=ISSUES, **way)
    assert found["p_selected"].is_between(0, 1).all()
    assert found["p_selected"].sum() == pytest.approx(seats)
    assert found["score"].sum() == pytest.approx(0, abs=1e-8)


@settings(max_examples=50, deadline=None)
@given(boards, ways, st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_members_do_not_matter(rankings, way, random):
    ballots = frame(rankings, agencies_of(rankings))
    shuffled = ballots[random.sample(range(ballots.height), ballots.height)]
    renamed = shuffled.with_columns(pl.col("member").str.replace("m", "z").str.reverse())
    options = {"seats": 2, "issues": ISSUES, **way}
    expected = rank_priorities(ballots, resamples=50, **options)
    assert_frame_equal(rank_priorities(renamed, resamples=50, **options), expected, check_exact=True)


@settings(max_examples=50, deadline=None)
@given(boards, ways, st.permutations(ISSUES))
def test_renaming_issues_renames_the_result(rankings, way, names):
    ballots, new = frame(rankings, agencies_of(rankings)), dict(zip(ISSUES, names, strict=True))
    renamed = ballots.with_columns(pl.col("issue").replace(new))
    columns, options = (
        ["issue", "score", "points", "rank", "tied", "selected"],
        {"issues": ISSUES, "resamples": 1, **way},
    )
    before = rank_priorities(ballots, 2, **options).select(columns).with_columns(pl.col("issue").replace(new))
    assert_frame_equal(rank_priorities(renamed, 2, **options).select(columns), before, check_row_order=False)


@settings(max_examples=50, deadline=None)
@given(boards, st.permutations(ISSUES))
def test_a_ballot_and_its_reverse_cancel(rankings, order):
    one = {issue: place for place, issue in enumerate(order, 1)}
    other = {issue: place for place, issue in enumerate(reversed(order), 1)}
    before = rank_priorities(frame(rankings), 2, issues=ISSUES, resamples=1)
    after = rank_priorities(frame([*rankings, one, other]), 2, issues=ISSUES, resamples=1)
    same = ["issue", "score", "rank", "tied", "selected"]
    assert_frame_equal(after.select(same), before.select(same))


@settings(max_examples=50, deadline=None)
@given(boards, ways)
def test_margins_of_an_issue_add_up_to_its_score(rankings, way):
    ballots = frame(rankings, agencies_of(rankings))
    added = head_to_head(ballots, issues=ISSUES, **way).group_by("issue").agg(score=pl.col("margin").sum())
    scores = rank_priorities(ballots, 2, issues=ISSUES, resamples=1, **way).select("issue", "score")
    assert_frame_equal(added.sort("issue"), scores.sort("issue"))
