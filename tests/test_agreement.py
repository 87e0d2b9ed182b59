"""Expected values: stored answers of nine real elections, scipy, arithmetic in comments, every permutation in turn."""

import json
import time
from fractions import Fraction
from itertools import combinations, permutations, product
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy.stats import kendalltau

from safeguarding_analytics.agreement import (
    agencies_apart,
    kendall_w,
    members_agreement,
    polarisation,
    shown_agencies,
)
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.pairwise import read_votes

VOTES = Path(__file__).parents[2] / "shared" / "data" / "votes"
KINDS = {"member": pl.String, "agency": pl.String, "issue": pl.String, "rank": pl.Int64}
MEASURES = [members_agreement, polarisation, agencies_apart]


def frame(rankings, agencies=None):
    """One ballot per dictionary of ranks; members m0, m1, … and, unless given, an agency each."""
    rows = [
        (f"m{member}", agencies[member] if agencies else f"agency {member}", issue, rank)
        for member, ranks in enumerate(rankings)
        for issue, rank in ranks.items()
    ]
    return pl.DataFrame(rows, schema=KINDS, orient="row")


def order(text):
    """``order("A BC D")``: A first, B and C tied, then D."""
    return {issue: place for place, group in enumerate(text.split(), 1) for issue in group}


def board(**agencies):
    """``board(Health=["A B", "B A"])``: members of health, one per order."""
    rankings = [order(text) for orders in agencies.values() for text in orders]
    return frame(rankings, [agency for agency, orders in agencies.items() for _ in orders])


def places(ranks, issues):
    """Place of each issue, tied ones averaged, unranked ones tied last."""
    value = [ranks.get(issue, 10**6) for issue in issues]
    return [Fraction(2 * sum(o < v for o in value) + value.count(v) + 1, 2) for v in value]


def plain_w(table):
    """The sum of squared distances of the sums of places from their mean: W but for a constant."""
    sums = [sum(column) for column in zip(*table, strict=True)]
    mean = Fraction(sum(sums), len(sums))
    return sum((one - mean) ** 2 for one in sums)


def exact_p_of_w(rankings, issues):
    """Share of all ways to deal out the places of every ballot that have a W as large."""
    table = [places(ranks, issues) for ranks in rankings]
    found = [plain_w(dealt) >= plain_w(table) for dealt in product(*(list(permutations(row)) for row in table))]
    return sum(found) / len(found)


def random_board(seed, n_ballots, n_issues, n_agencies, *, ties=False):
    generator = np.random.default_rng(seed)
    values = generator.random((n_ballots, n_issues))
    ranks = np.ceil(values * 4).astype(int) if ties else np.argsort(values, axis=1) + 1
    return pl.DataFrame(
        {
            "member": np.repeat([f"m{member}" for member in range(n_ballots)], n_issues),
            "agency": np.repeat([f"agency {member % n_agencies:03d}" for member in range(n_ballots)], n_issues),
            "issue": np.tile([f"issue {issue:02d}" for issue in range(n_issues)], n_ballots),
            "rank": ranks.ravel(),
        }
    )


# The whole board ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not VOTES.exists(), reason="../shared is not beside the project")
@pytest.mark.parametrize(
    "name",
    [
        *("00002-00000008.soi", "00006-00000002.toc", "00007-00000004.soi", "00007-00000015.soi"),
        *("00009-00000002.soc", "00012-00000001.soc", "00032-00000004.toi", "00032-00000007.toi"),
        "00035-00000002.soc",
    ],
)
def test_real_elections_give_the_agreement_on_which_other_programs_agree(name):
    stored = json.loads((VOTES / f"{name}.json").read_text())
    rankings = [
        {f"{issue:02d}": place for place, group in enumerate(ballot["order"], 1) for issue in group}
        for ballot in stored["ballots"]
        for _ in range(ballot["count"])
    ]
    issues = [f"{issue:02d}" for issue in range(stored["n_candidates"])]
    found = members_agreement(frame(rankings), permutations=200, issues=issues).row(0, named=True)
    assert found["n_ballots"] == len(rankings)
    assert found["w"] == pytest.approx(stored["results"]["bottom"]["kendall_w_tie_corrected"], abs=1e-9)
    assert found["w"] == kendall_w(frame(rankings), issues=issues)
    # 15 professors, 20 qualities: W is 0.051 where chance alone gives 0.067. All other electorates agree on something.
    by_chance = name == "00032-00000007.toi"
    assert (found["w"] < found["chance"]) == by_chance
    assert (found["p_value"] > 0.5) == by_chance
    assert (found["p_value"] <= 0.01) == (not by_chance)


@pytest.mark.parametrize(
    "texts",
    [("A B C", "A B C", "B A C"), ("A B C", "C B A", "A C B"), ("AB C", "A B C", "A BC"), ("A", "B", "B A C")],
)
def test_p_value_of_agreement_is_that_of_all_permutations(texts):
    rankings = [order(text) for text in texts]
    exact = exact_p_of_w(rankings, ["A", "B", "C"])  # of 6 × 6 × 6
    found = members_agreement(frame(rankings), permutations=20_000, issues=["A", "B", "C"])["p_value"].item()
    assert found == pytest.approx(exact, abs=0.015)  # three standard errors of a share of 20,000, and the rounding


def test_agreement_of_three_members_by_hand():
    # Sums of places: A 1 + 1 + 2 = 4, B 2 + 2 + 3 = 7, C 3 + 3 + 1 = 7; mean 6. W = 12 × (4 + 1 + 1) / (9 × 24) = 1/3.
    # tau-b of the equal two is 1; of each with the third, one pair alike and two opposite: −1/3. Mean 1/9.
    found = members_agreement(frame([order("A B C"), order("A B C"), order("C A B")])).drop("p_value")
    expected = pl.DataFrame({"n_ballots": [3], "w": [1 / 3], "mean_tau": [1 / 9], "chance": [1 / 3]})
    assert_frame_equal(found, expected)


@pytest.mark.parametrize("ties", [False, True])
def test_mean_tau_is_the_mean_of_scipys_tau_b(ties):
    ballots = random_board(7, 12, 8, 3, ties=ties)
    table = ballots["rank"].to_numpy().reshape(12, 8)
    taus = [kendalltau(one, other).statistic for one, other in combinations(table, 2)]
    found = members_agreement(ballots, permutations=1)["mean_tau"].item()
    assert found == pytest.approx(float(np.mean(taus)), abs=1e-9)


def test_a_member_who_ties_everything_is_a_ballot_but_in_no_pair():
    # Sums of places 1 + 1 + 2 and 3 + 3 + 2: W = 12 × (2² + 2²) / (9 × 24 − 3 × 24) = 2/3 of three issues
    found = members_agreement(frame([order("A B C"), order("A B C"), order("ABC")])).row(0, named=True)
    assert found["w"] == pytest.approx(2 / 3)
    assert found["mean_tau"] == 1


def test_unanimous_members_agree_fully():
    found = members_agreement(frame([order("A B C D")] * 8)).row(0)
    assert found == (8, 1.0, 0.001, 1.0, 0.125)  # 24^-7 by chance: 1 of 2,001, rounded up


def test_opposite_members_agree_on_nothing():
    found = members_agreement(frame([order("A B C D"), order("D C B A")] * 3)).row(0)
    assert found == (6, 0.0, 1.0, -0.2, 1 / 6)  # of 15 pairs 6 at 1 and 9 at −1


def test_p_value_is_never_below_what_is_worked_out():
    # one permutation: 1/2 or 2/2; 299: (1 + 0)/300 = 0.00333…
    ballots = frame([order("A B C D E F")] * 9)
    assert members_agreement(ballots, permutations=1)["p_value"].item() == 0.5
    assert members_agreement(ballots, permutations=299)["p_value"].item() == 0.004


@pytest.mark.parametrize(
    ("rankings", "n_ballots"),
    [([], 0), ([order("A B")], 1), ([order("A")] * 3, 3), ([order("AB")] * 3, 3)],
    ids=["no ballot", "one ballot", "one issue", "all tied"],
)
def test_agreement_is_null_where_it_is_undefined(rankings, n_ballots):
    found = members_agreement(frame(rankings))
    assert found.row(0) == (n_ballots, None, None, None, None)
    assert found.schema == pl.Schema(
        {"n_ballots": pl.Int64, "w": pl.Float64, "p_value": pl.Float64, "mean_tau": pl.Float64, "chance": pl.Float64}
    )


def test_one_member_who_ranks_among_others_who_do_not_has_no_pair():
    assert members_agreement(frame([order("A B C"), order("ABC")]))["mean_tau"].item() is None


def test_large_boards_are_drawn_in_slices():
    # 1,200 ballots of 20 issues: 24,000 numbers a permutation, 41 at a time
    found = members_agreement(random_board(3, 1200, 20, 4), permutations=100).row(0, named=True)
    assert found["w"] == pytest.approx(1 / 1200, abs=5e-4)
    assert 0 < found["p_value"] <= 1


# Issue by issue -------------------------------------------------------------------------------------------------------

# Places of A B C D E F: health 1 2 3 4 5 6 three times; police 6 2 3 4 5 1 three times
CAMPS = board(Health=["A B C D E F"] * 3, Police=["F B C D E A"] * 3)


def test_polarisation_by_hand():
    # A: half first, half last of two; F the mirror; B always first two, E always last two.
    # Places of A are 1 or 6, the same in each agency: all spread lies between. B to E do not spread.
    # 2 of the 20 ways to split six ballots 3 to 3 set the agencies so far apart: p near 0.1, twice that after Holm.
    found = polarisation(CAMPS, seats=2, permutations=20_000)
    expected = pl.DataFrame(
        {
            "issue": ["A", "B", "C", "D", "E", "F"],
            "n_ballots": [6] * 6,
            "mean_place": [3.5, 2.0, 3.0, 4.0, 5.0, 3.5],
            "share_top": [0.5, 1.0, 0.0, 0.0, 0.0, 0.5],
            "share_bottom": [0.5, 0.0, 0.0, 0.0, 1.0, 0.5],
            "polarised": [1.0, 0.0, 0.0, 0.0, 0.0, 1.0],
            "divided": [True, False, False, False, False, True],
            "eta_squared": [1.0, None, None, None, None, 1.0],
        }
    )
    assert_frame_equal(found.drop("p_value", "p_holm"), expected)
    assert found["p_value"].to_list() == [pytest.approx(0.1, abs=0.01), *[None] * 4, pytest.approx(0.1, abs=0.01)]
    assert found["p_holm"].to_list() == [pytest.approx(0.2, abs=0.02), *[None] * 4, pytest.approx(0.2, abs=0.02)]


def test_ties_across_the_line_share_the_seats_that_are_left():
    # One seat. m0: A and B tied first: half each; C and D tied last: half each. m1: A first, the rest tied last.
    # Top: A (1/2 + 1)/2, B 1/4. Bottom: B (0 + 1/3)/2, C and D (1/2 + 1/3)/2. Places: A (1.5 + 1)/2, others …
    found = polarisation(frame([order("AB CD"), order("A")]), seats=1, issues=["A", "B", "C", "D"])
    assert found["share_top"].to_list() == [0.75, 0.25, 0.0, 0.0]
    assert found["share_bottom"].to_list() == [0.0, 0.17, 0.42, 0.42]
    assert found["mean_place"].to_list() == [1.25, 2.25, 3.25, 3.25]  # (1.5 + 3)/2 and (3.5 + 3)/2


def test_halves_are_rounded_up_as_by_hand():
    # 1 of 8 is 0.125; twice that is 0.25
    texts = ["A B C D", *["B A C D"] * 6, "B C D A"]
    found = polarisation(frame([order(text) for text in texts]), seats=1).row(0, named=True)
    assert (found["share_top"], found["share_bottom"], found["polarised"]) == (0.13, 0.13, 0.25)


@pytest.mark.parametrize(
    ("first", "last", "between", "divided"), [(2, 2, 2, True), (2, 2, 3, False), (4, 2, 1, False), (3, 3, 0, True)]
)
def test_divided_from_a_third_on_each_side(first, last, between, divided):
    texts = ["A B C"] * first + ["B A C"] * between + ["B C A"] * last
    found = polarisation(frame([order(text) for text in texts]), seats=1)
    assert found["divided"][0] == divided
    assert found["polarised"][0] == pytest.approx(2 * min(first, last) / (first + last + between), abs=0.00501)


def test_first_and_last_seats_that_overlap_or_leave_little_say_nothing():
    assert polarisation(CAMPS, seats=3)["divided"].to_list() == [None] * 6  # 9 > 6: chance alone puts half on each side
    assert polarisation(CAMPS, seats=3)["polarised"].to_list() == [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]
    assert polarisation(CAMPS, seats=4)["polarised"].to_list() == [None] * 6  # 8 > 6: first and last overlap
    assert polarisation(CAMPS, seats=6)["share_top"].to_list() == [1.0] * 6


def test_eta_squared_by_hand():
    # Places of A: health 1 1 2, police 3 2 3. Means 4/3 and 8/3, of all 2. Between: 3 × 4/9 × 2 = 24/9; all: 4. 2/3.
    # Places of B: 2 2 1 and 2 3 2: means 5/3, 7/3, 2: between 6/9, all 1 + 1 = 2: 1/3.
    # Places of C: 3 3 3 and 1 1 1: all of it.
    ballots = board(Health=["A B C", "A B C", "B A C"], Police=["C B A", "C A B", "C B A"])
    assert polarisation(ballots, seats=1)["eta_squared"].to_list() == [0.67, 0.33, 1.0]


@pytest.mark.parametrize("issue", ["A", "B", "C", "D"])
def test_p_value_between_agencies_is_that_of_all_exchanges(issue):
    health, police = ["A B C D", "A C B D", "BA D", "B A C D"], ["D B C A", "C A DB", "A D B C"]
    rankings = [order(text) for text in health + police]
    value = [places(ranks, "ABCD")["ABCD".index(issue)] for ranks in rankings]

    def between(group):
        inside, outside = [value[i] for i in group], [value[i] for i in range(7) if i not in group]
        return sum(inside) ** 2 / len(inside) + sum(outside) ** 2 / len(outside)

    groups = list(combinations(range(7), 4))
    exact = sum(between(group) >= between((0, 1, 2, 3)) for group in groups) / len(groups)  # of 35
    found = polarisation(board(Health=health, Police=police), seats=1, permutations=20_000)
    assert found.filter(issue=issue)["p_value"].item() == pytest.approx(exact, abs=0.015)


def test_agencies_of_few_ballots_have_no_part_in_the_comparison():
    # courts (1) and, so that it cannot be told, schools (3) are left out; whatever they vote
    kept = {"Health": ["A B C", "A B C", "B A C", "A C B"], "Police": ["C B A", "C A B", "C B A", "B C A"]}
    compared = ["issue", "eta_squared", "p_value", "p_holm"]
    expected = polarisation(board(**kept), seats=1).select(compared)
    for courts, school in product(["A B C", "C B A"], ["A BC", "B"]):
        found = polarisation(board(Courts=[courts], **kept, Schools=[school, "C B A", school]), seats=1)
        assert_frame_equal(found.select(compared), expected)
        assert found["n_ballots"].to_list() == [12] * 3


@pytest.mark.parametrize(
    ("sizes", "minimum", "shown"),
    [
        ([3, 3], 3, [True, True]),
        ([2, 3], 3, [False, False]),
        ([2, 3, 4], 3, [False, False, True]),
        ([1, 1, 3], 3, [False, False, False]),  # two hidden ballots are too few
        ([1, 2, 3], 3, [False, False, True]),
        ([4, 4, 1], 3, [False, True, False]),  # of equally small ones the first by name
        ([1, 1, 1], 1, [True, True, True]),
        ([9], 10, [False]),
    ],
)
def test_agencies_left_out_cannot_be_told_from_the_rest(sizes, minimum, shown):
    agencies = [name for name, size in zip("abc", sizes, strict=False) for _ in range(size)]
    votes = read_votes(frame([order("A B")] * len(agencies), agencies), "member", "share", None, by_agency=True)
    assert shown_agencies(votes, minimum).tolist() == shown


def test_fewer_than_two_agencies_to_show_are_not_compared():
    one = board(Health=["A B C", "B C A", "C A B"])
    hidden = board(Health=["A B C", "B C A", "C A B"], Police=["A B C", "C B A"])
    for ballots in (one, hidden, CAMPS.drop("agency")):
        found = polarisation(ballots, seats=1).select("eta_squared", "p_value", "p_holm")
        assert found.null_count().row(0) == (found.height,) * 3


def test_members_may_share_the_place_of_issues_they_leave_out():
    short = frame([order("A B"), order("A")])
    found = polarisation(short, seats=1, issues=["A", "B", "C"])
    assert found["mean_place"].to_list() == [1.0, 2.25, 2.75]  # B: 2 and 2.5, C: 3 and 2.5


@pytest.mark.parametrize("measure", [polarisation, kendall_w])
def test_short_ballots_cannot_be_compared_where_unranked_issues_are_ignored(measure):
    with pytest.raises(ParameterError, match=f"^{measure.__name__} compares whole rankings, and 1 of 2 ballots leave"):
        measure(frame([order("A B C D"), order("A")]), unranked="ignore")
    assert measure(frame([order("A B C D"), order("B A C D")]), unranked="ignore") is not None


# Agency by agency -----------------------------------------------------------------------------------------------------


def test_agencies_by_hand():
    # Scores of A B C D: health 3 × (3, 1, −1, −3); police (−3, −1, 1, 3) + 2 × (−3, −1, 3, 1) = (−9, −3, 7, 5);
    # schools 2 × (3, 1, −1, −3) + (1, 3, −1, −3) = (7, 5, −3, −9). Board: (7, 5, 1, −13).
    # Others of health: (−2, 2, 4, −4), order C B A D: against A B C D three pairs opposite, three alike: 0.
    # Others of police: (16, 8, −6, −18), A B C D: against C D B A (pair CD alike) 1 − 5 = −4 of 6.
    # Others of schools: (0, 0, 4, −4): C, then A and B level, then D: against A B C D alike AD BD CD, opposite AC BC,
    # AB tied in one: 1 / √(6 × 5).
    # Two seats: the board takes A and B, as do health and schools; police takes C and D.
    ballots = board(
        Health=["A B C D"] * 3, Police=["D C B A", "C D B A", "C D B A"], Schools=["A B C D", "A B C D", "B A C D"]
    )
    found = agencies_apart(ballots, seats=2)
    expected = pl.DataFrame(
        {
            "agency": ["Health", "Police", "Schools"],
            "n_ballots": [3, 3, 3],
            "agreement": [0.0, -0.67, 0.18],
            "in_common": [2.0, 0.0, 2.0],
        }
    )
    assert_frame_equal(found.drop("p_value", "p_holm"), expected)


def test_agreement_of_an_agency_is_scipys_tau_b():
    ballots = random_board(5, 24, 9, 4, ties=True)
    found = agencies_apart(ballots, permutations=1)
    table = ballots["rank"].to_numpy().reshape(24, 9)
    average = np.array([[float(place) for place in places(dict(enumerate(row)), range(9))] for row in table])
    agency = np.arange(24) % 4
    expected = [
        kendalltau(average[agency == one].sum(axis=0), average[agency != one].sum(axis=0)).statistic for one in range(4)
    ]
    assert found["agreement"].to_list() == pytest.approx(expected, abs=0.00501)


def test_an_agency_is_set_beside_agencies_that_weigh_the_same():
    # The others of health are for A by 9 members to 4, and level by agencies, of which there is one on each side
    ballots = board(Health=["A B"] * 3, Police=["B A"] * 4, Schools=["A B"] * 9)
    assert agencies_apart(ballots, 1)["agreement"].to_list() == [1.0, -1.0, -1.0]  # schools: B A by 4 to 3
    found = agencies_apart(ballots, 1, weight="agency")
    assert found["agreement"].to_list() == [None, -1.0, None]
    assert found["p_value"].is_null().to_list() == [True, False, True]
    assert found["in_common"].to_list() == [1.0, 0.0, 1.0]


def test_ties_at_the_cut_are_in_common_as_far_as_both_have_a_seat():
    # Board: health and police cancel on A, B: (−, −), C last: A and B level for one seat: half each.
    ballots = board(Health=["A B C"] * 3, Police=["B A C"] * 3, Schools=["AB C"] * 3)
    assert agencies_apart(ballots, 1)["in_common"].to_list() == [0.5, 0.5, 1.0]


def exact_p_of_apart(rankings, agencies, agency, weight):
    """Share of all ways to put the ballots into the places of the members in which the agency is as far away."""
    issues = sorted({issue for ranks in rankings for issue in ranks})
    table = [places(ranks, issues) for ranks in rankings]
    share = [Fraction(1, agencies.count(name)) if weight == "agency" else Fraction(1) for name in agencies]

    def distance(arrangement):
        """Squared differences of mean places, in whole fractions."""
        own, others = [Fraction(0)] * len(issues), [Fraction(0)] * len(issues)
        weights = {True: Fraction(0), False: Fraction(0)}
        for place, ballot in enumerate(arrangement):
            inside = agencies[place] == agency
            target = own if inside else others
            weights[inside] += share[place]
            for column in range(len(issues)):
                target[column] += share[place] * Fraction(table[ballot][column])
        return sum((a / weights[True] - b / weights[False]) ** 2 for a, b in zip(own, others, strict=True))

    everyone = range(len(rankings))
    observed = distance(tuple(everyone))
    found = [distance(arrangement) >= observed for arrangement in permutations(everyone)]
    return sum(found) / len(found)


def test_two_camps_that_are_each_others_opposite_are_found_apart():
    """Of C(10, 5) = 252 ways to draw five members two are the camps themselves."""
    ballots = board(Health=["A B C D"] * 5, Police=["D C B A"] * 5)
    found = agencies_apart(ballots, 2, permutations=20_000)
    assert found["agreement"].to_list() == [-1.0, -1.0]
    assert found["p_value"].to_list() == pytest.approx([2 / 252] * 2, abs=0.003)


@pytest.mark.parametrize("weight", ["member", "agency"])
def test_p_value_of_an_agency_is_that_of_all_exchanges(weight):
    # 6 members: 720 arrangements, one for one
    texts = ["A B C", "A C B", "B AC", "C B A", "C A B", "C B A"]
    agencies = ["Courts", "Health", "Health", "Police", "Police", "Police"]
    rankings = [order(text) for text in texts]
    options = {"seats": 1, "minimum_ballots": 1, "weight": weight, "permutations": 20_000}
    found = agencies_apart(frame(rankings, agencies), **options)
    for agency, p_value in found.select("agency", "p_value").iter_rows():
        assert p_value == pytest.approx(exact_p_of_apart(rankings, agencies, agency, weight), abs=0.015)


def test_p_values_of_agencies_are_corrected_for_those_shown_only():
    # health and police are mirrored and of one size: both p are the same, and Holm doubles the smaller
    ballots = board(Health=["A B C D E"] * 3, Police=["E D C B A"] * 4, Courts=["A B C D E"], Schools=["E D C B A"] * 2)
    found = agencies_apart(ballots, 2)
    assert found["n_ballots"].to_list() == [None, 3, 4, None]
    p_values, corrected = found["p_value"].drop_nulls(), found["p_holm"].drop_nulls()
    assert corrected.min() == pytest.approx(2 * p_values.min(), abs=0.00101)
    assert len(p_values) == 2


def test_hidden_agencies_have_a_name_and_nothing_else():
    ballots = board(Courts=["A B"], Health=["A B"] * 3, Police=["B A"] * 4)
    found = agencies_apart(ballots, 1)
    assert found["agency"].to_list() == ["Courts", "Health", "Police"]
    assert found.filter(pl.col("agency") != "Police").drop("agency").null_count().row(0) == (2,) * 5
    assert found["n_ballots"].to_list() == [None, None, 4]


def test_an_agency_that_is_the_whole_board_is_set_beside_nobody():
    found = agencies_apart(board(Health=["A B"] * 5), 1)
    assert found.rows() == [("Health", 5, None, 1.0, None, None)]


APART = {
    "agency": pl.String,
    "n_ballots": pl.Int64,
    "agreement": pl.Float64,
    "in_common": pl.Float64,
    "p_value": pl.Float64,
    "p_holm": pl.Float64,
}


@pytest.mark.parametrize("weight", ["member", "agency"])
@pytest.mark.parametrize("ballots", [frame([]), CAMPS.drop("agency")], ids=["no ballots", "no agencies"])
def test_without_agencies_there_is_a_table_without_rows(ballots, weight):
    found = agencies_apart(ballots, 2, weight=weight)
    assert found.is_empty()
    assert found.schema == pl.Schema(APART)


# Edges ----------------------------------------------------------------------------------------------------------------


def test_no_ballots_give_a_polarisation_without_rows():
    found = polarisation(frame([]))
    assert found.is_empty()
    assert found.schema["divided"] == pl.Boolean
    assert found.schema["eta_squared"] == pl.Float64


def test_one_ballot_is_as_polarised_as_its_own_order():
    found = polarisation(frame([order("A B C")]), seats=1)
    assert found["mean_place"].to_list() == [1, 2, 3]
    assert found["share_top"].to_list() == [1, 0, 0]
    assert found["polarised"].to_list() == [0, 0, 0]


def test_one_issue_is_both_first_and_last():
    found = polarisation(frame([order("A")] * 4), seats=1).drop("n_ballots")
    assert found.rows() == [("A", 1.0, 1.0, 1.0, None, None, None, None, None)]


def test_ballots_that_tie_everything_share_every_seat():
    ballots = board(Health=["ABC"] * 3, Police=["ABC"] * 3)
    found = polarisation(ballots, seats=1)
    assert found["share_top"].to_list() == [0.33] * 3
    assert found["divided"].to_list() == [True] * 3  # a third of a seat at either end: they rank nothing
    assert found["eta_squared"].to_list() == [None] * 3
    assert agencies_apart(ballots, 1)["agreement"].to_list() == [None, None]
    assert agencies_apart(ballots, 1)["in_common"].to_list() == [1.0, 1.0]


def test_everyone_identical_leaves_nothing_between_agencies():
    ballots = board(Health=["A B C D"] * 3, Police=["A B C D"] * 3)
    assert polarisation(ballots, 1)["eta_squared"].to_list() == [None] * 4
    found = agencies_apart(ballots, 1)
    assert found.drop("agency").rows() == [(3, 1.0, 1.0, 1.0, 1.0)] * 2


def test_agencies_of_one_lie_apart_altogether_and_mean_nothing():
    ballots = frame([order("A B"), order("B A")])
    found = polarisation(ballots, 1, minimum_ballots=1)
    assert found.select("eta_squared", "p_value").rows() == [(1.0, 1.0)] * 2


def test_a_thousand_voters_and_forty_issues_take_seconds():
    ballots = random_board(1, 1000, 40, 20)
    for measure in MEASURES:
        start = time.process_time()
        measure(ballots)
        assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("measure", "parameters", "said"),
    [
        *((measure, {"permutations": 0}, "permutations must be at least 1, such as 2000") for measure in MEASURES),
        *((measure, {"seed": -1}, "seed must be 0 or more. Found: -1") for measure in MEASURES),
        *((measure, {"minimum_ballots": 0}, "minimum_ballots must be at least 1") for measure in MEASURES[1:]),
        *((measure, {"seats": 7}, "seats must be no more than the issues, 6") for measure in MEASURES[1:]),
        *((measure, {"seats": 0}, "seats must be at least 1") for measure in MEASURES[1:]),
        (agencies_apart, {"weight": "agencies"}, 'Did you mean "agency"'),
        (polarisation, {"unranked": "shared"}, 'Did you mean "share"'),
    ],
)
def test_wrong_parameters_are_refused(measure, parameters, said):
    with pytest.raises(ParameterError, match=said):
        measure(CAMPS, **parameters)


@pytest.mark.parametrize("measure", [polarisation, agencies_apart])
def test_a_member_of_two_agencies_is_refused_and_not_named(measure):
    ballots = CAMPS.with_columns(
        agency=pl.when(issue="A").then(pl.lit("Courts")).otherwise("agency"), member="secret " + pl.col("member")
    )
    with pytest.raises(TableError, match="6 of 6 members vote for more than one agency") as caught:
        measure(ballots)
    assert "secret" not in str(caught.value)


# Laws -----------------------------------------------------------------------------------------------------------------

ISSUES = ["A", "B", "C", "D"]
boards = st.lists(st.dictionaries(st.sampled_from(ISSUES), st.integers(1, 4), min_size=1), min_size=1, max_size=12)
OPTIONS = {"issues": ISSUES, "permutations": 50}


def with_agencies(rankings):
    return frame(rankings, [f"agency {member % 3}" for member in range(len(rankings))])


@settings(max_examples=15, deadline=None)
@given(boards, st.randoms(use_true_random=False))
def test_order_of_rows_and_names_of_members_do_not_matter(rankings, random):
    ballots = with_agencies(rankings)
    shuffled = ballots[random.sample(range(ballots.height), ballots.height)]
    renamed = shuffled.with_columns(pl.col("member").str.replace("m", "z").str.reverse())
    for measure in MEASURES:
        seats = {} if measure is members_agreement else {"seats": 1}
        expected = measure(ballots, **seats, **OPTIONS)
        assert_frame_equal(measure(renamed, **seats, **OPTIONS), expected, check_exact=True)


@settings(max_examples=15, deadline=None)
@given(boards, st.permutations(ISSUES))
def test_renaming_issues_renames_the_result(rankings, names):
    ballots, new = with_agencies(rankings), dict(zip(ISSUES, names, strict=True))
    renamed = ballots.with_columns(pl.col("issue").replace(new))
    expected = members_agreement(ballots, **OPTIONS)
    assert_frame_equal(members_agreement(renamed, **OPTIONS), expected)
    before = polarisation(ballots, 1, **OPTIONS).with_columns(pl.col("issue").replace(new)).sort("issue")
    drawn = ["p_value", "p_holm"]  # which ballots are drawn depends on what stands first on them
    assert_frame_equal(polarisation(renamed, 1, **OPTIONS).drop(drawn), before.drop(drawn))
    before = agencies_apart(ballots, 1, **OPTIONS)
    assert_frame_equal(agencies_apart(renamed, 1, **OPTIONS).drop(drawn), before.drop(drawn))


@settings(max_examples=15, deadline=None)
@given(boards)
def test_renaming_agencies_of_different_size_changes_nothing_else(rankings):
    # agencies of 3, 4 and 5 members, in another order of names
    rankings = (rankings * 12)[:12]
    sizes = [3, 4, 5]
    first = frame(rankings, [name for name, size in zip("abc", sizes, strict=True) for _ in range(size)])
    second = first.with_columns(pl.col("agency").replace({"a": "z", "b": "y", "c": "x"}))
    assert_frame_equal(polarisation(second, 1, **OPTIONS), polarisation(first, 1, **OPTIONS))
    before = agencies_apart(first, 1, **OPTIONS).sort("n_ballots").drop("agency")
    assert_frame_equal(agencies_apart(second, 1, **OPTIONS).sort("n_ballots").drop("agency"), before)


@settings(max_examples=15, deadline=None)
@given(boards)
def test_twice_the_same_ballots_have_the_same_agreement_and_shares(rankings):
    once, twice = with_agencies(rankings), with_agencies([*rankings, *rankings])
    one, two = (
        members_agreement(once, **OPTIONS).row(0, named=True),
        members_agreement(twice, **OPTIONS).row(0, named=True),
    )
    if one["w"] is not None:
        assert two["w"] == pytest.approx(one["w"])
        assert two["chance"] == pytest.approx(one["chance"] / 2)
    same = ["issue", "mean_place", "share_top", "share_bottom", "polarised", "divided"]
    assert_frame_equal(polarisation(twice, 1, **OPTIONS).select(same), polarisation(once, 1, **OPTIONS).select(same))


@settings(max_examples=15, deadline=None)
@given(boards, st.integers(1, 4))
def test_numbers_lie_where_they_can(rankings, seats):
    ballots = with_agencies(rankings)
    whole = members_agreement(ballots, **OPTIONS)
    assert whole["w"].drop_nulls().is_between(0, 1 + 1e-12).all()
    assert whole["mean_tau"].drop_nulls().is_between(-1, 1).all()
    by_issue = polarisation(ballots, seats, **OPTIONS)
    assert by_issue["share_top"].sum() == pytest.approx(seats, abs=0.0201)  # four roundings of 0.005
    assert by_issue["share_bottom"].sum() == pytest.approx(seats, abs=0.0201)
    for name in ("share_top", "share_bottom", "polarised", "eta_squared", "p_value", "p_holm"):
        assert by_issue[name].drop_nulls().is_between(0, 1).all()
    by_agency = agencies_apart(ballots, seats, **OPTIONS)
    assert by_agency["agreement"].drop_nulls().is_between(-1, 1).all()
    assert by_agency["in_common"].drop_nulls().is_between(0, seats).all()
    assert (by_agency["p_holm"] >= by_agency["p_value"]).drop_nulls().all()


@settings(max_examples=15, deadline=None)
@given(boards)
def test_the_same_ballot_added_again_and_again_brings_agreement_to_one(rankings):
    same = {issue: place for place, issue in enumerate(ISSUES, 1)}
    found = [members_agreement(frame([*rankings, *[same] * times]), **OPTIONS)["w"].item() for times in (20, 200, 1000)]
    assert found == sorted(found)
    assert found[-1] > 0.95  # 12 members at the most, all the other way round: (1000 − 12)² / 1012² = 0.953
