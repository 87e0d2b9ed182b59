"""Expected values: every possible board counted one by one, arithmetic in comments, and the rules board by board."""

import time
import tracemalloc
from itertools import product

import numpy as np
import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics import resampled_boards
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.pairwise import copeland, read_votes, schulze
from safeguarding_analytics.priorities import _band, rank_priorities
from safeguarding_analytics.resampled_boards import (
    copeland_stack,
    drawn_boards,
    open_pool,
    resampled_scores,
    schulze_stack,
    seat_shares,
    share_of_boards,
    shares_by_rule,
)


def frame(cast):
    """A ballot per pair of agency and order; "A BC" puts A before B and C, tied."""
    rows = [
        (f"m{member:04d}", agency, issue, place)
        for member, (agency, order) in enumerate(cast)
        for place, group in enumerate(order.split(), 1)
        for issue in group
    ]
    return pl.DataFrame(rows, schema=["member", "agency", "issue", "rank"], orient="row")


CAST = [("x", "A B C"), ("x", "B C A"), ("y", "C A B"), ("z", "C AB")]
BALLOTS = frame(CAST)
ISSUES = "ABC"


def margins_of(order):
    """Whether the row's issue stands above (1) or below (−1) the column's, unranked issues last."""
    groups = order.split()
    place = {issue: next((i for i, group in enumerate(groups) if issue in group), len(groups)) for issue in ISSUES}
    return np.array([[np.sign(place[other] - place[one]) for other in ISSUES] for one in ISSUES], dtype=float)


def board_margins(members, weight):
    """Margins of one board, from the definition: each drawn member weighs 1, or 1 over those drawn of the agency."""
    size = {agency: sum(CAST[m][0] == agency for m in members) for agency in "xyz"}
    return sum(margins_of(CAST[m][1]) / (size[CAST[m][0]] if weight == "agency" else 1) for m in members)


def boards_of_members(weight):
    for members in product(range(4), repeat=4):
        yield board_margins(members, weight)


def boards_of_agencies(weight):
    inside = {agency: [m for m in range(4) if CAST[m][0] == agency] for agency in "xyz"}
    for agencies in product("xyz", repeat=3):
        yield sum(board_margins(inside[agency], weight) for agency in agencies)


def seats_of(scores, seats):
    scores = [round(score, 9) for score in scores]
    cut = sorted(scores)[-seats]
    ahead, level = sum(score > cut for score in scores), scores.count(cut)
    return np.array([1.0 if score > cut else (seats - ahead) / level if score == cut else 0.0 for score in scores])


@pytest.mark.parametrize("weight", ["member", "agency"])
@pytest.mark.parametrize("resample", ["member", "agency"])
def test_shares_approach_those_of_all_possible_boards(weight, resample):
    boards = list((boards_of_members if resample == "member" else boards_of_agencies)(weight))
    rules = {
        "borda": lambda margins: margins.sum(axis=1),
        "copeland": lambda margins: np.sign(np.round(margins, 9)).sum(axis=1),
        "schulze": lambda margins: schulze(np.maximum(margins, 0)),
    }
    votes = read_votes(BALLOTS, weight, "share", None, 1, by_agency=True)
    pool = open_pool(votes, "share", weight, resample)
    found = shares_by_rule(pool, 1, 40_000, 1)
    for rule, count in rules.items():
        exact = np.mean([seats_of(count(margins), 1) for margins in boards], axis=0)
        # standard error at most sqrt(.25/40000) = .0025
        assert found[rule] == pytest.approx(exact, abs=0.01), rule
    np.testing.assert_array_equal(share_of_boards(pool, 1, 40_000, 1), found["borda"])
    ranking = rank_priorities(BALLOTS, 1, weight, resample=resample, resamples=40_000, seed=1).sort("issue")
    assert ranking["p_selected"].to_list() == found["borda"].tolist()


@pytest.mark.parametrize("weight", ["member", "agency"])
@pytest.mark.parametrize("resample", ["member", "agency"])
def test_names_and_order_of_rows_do_not_touch_the_boards(weight, resample):
    shuffled = BALLOTS.sample(fraction=1, shuffle=True, seed=3).with_columns(
        member=pl.col("member").replace({f"m{i:04d}": name for i, name in enumerate(["q", "c", "z", "a"])}),
        agency=pl.col("agency").replace({"x": "Police", "y": "Schools", "z": "Health"}),
    )
    options = {"seats": 1, "weight": weight, "resample": resample, "resamples": 97}
    assert_frame_equal(rank_priorities(shuffled, **options), rank_priorities(BALLOTS, **options), check_exact=True)


def test_boards_do_not_depend_on_the_slices_they_are_drawn_in(monkeypatch):
    pool = open_pool(read_votes(BALLOTS, "agency", "share", None, 1), "share", "agency", "member")
    whole = resampled_scores(pool, 200, 5)
    monkeypatch.setattr(resampled_boards, "CELLS", 7)
    np.testing.assert_array_equal(resampled_scores(pool, 200, 5), whole)


def test_each_agency_drawn_weighs_one_and_one_not_drawn_weighs_nothing():
    pool = open_pool(read_votes(BALLOTS, "agency", "share", None, 1), "share", "agency", "member")
    weights = np.concatenate(list(drawn_boards(pool, 500, 2, 9)))
    sums = np.array([weights[:, pool.agencies == agency].sum(axis=1) for agency in range(3)])
    assert set(np.round(sums, 12).ravel().tolist()) == {0.0, 1.0}
    assert (sums.sum(axis=0) >= 1 - 1e-12).all()


def test_agencies_that_voted_the_same_are_still_two():
    # x and y are alike and z opposes them; each agency drawn weighs 1, however often its member is drawn
    cast = [("x", "A B"), ("y", "A B"), ("z", "B A")]
    pool = open_pool(read_votes(frame(cast), "agency", "share", None, 1), "share", "agency", "member")
    leads = [sum((1, 1, -1)[member] for member in set(board)) for board in product(range(3), repeat=3)]
    exact = np.mean([seats_of([lead, -lead], 1) for lead in leads], axis=0)
    assert share_of_boards(pool, 1, 40_000, 1) == pytest.approx(exact, abs=0.01)


def test_resampling_whole_agencies_shows_how_few_decide():
    # Members weigh the same; nine of health want A, one each of two agencies want B. Boards of three agencies have B
    # ahead only where health is not drawn: (2/3)³ = 8/27.
    ballots = frame([("h", "A B")] * 9 + [("p", "B A"), ("s", "B A")])
    found = rank_priorities(ballots, 1, resample="agency", resamples=20_000)
    assert found["p_selected"].to_list() == pytest.approx([19 / 27, 8 / 27], abs=0.01)
    assert found["firmness"].to_list() == ["toss-up", "toss-up"]
    members = rank_priorities(ballots, 1)
    assert members["firmness"].to_list() == ["firmly in", "firmly out"]


@pytest.mark.parametrize("kind", [np.float64, np.int32])
def test_stacked_rules_equal_the_rules_board_by_board(kind):
    generator = np.random.default_rng(8)
    wins = generator.integers(0, 4, (50, 6, 6)).astype(float)
    stack = (wins - wins.transpose(0, 2, 1)).transpose(1, 2, 0).astype(kind)
    np.testing.assert_array_equal(copeland_stack(stack).T, [copeland(board) for board in wins])
    np.testing.assert_array_equal(schulze_stack(stack).T, [schulze(board) for board in wins])


def test_issues_tied_at_the_cut_share_the_seats_that_are_left():
    scores = np.array([[3.0, 1.0, 1.0, 1.0], [0.0, 0.0, 0.0, 0.0], [4.0, 3.0, 2.0, 1.0]])
    assert seat_shares(scores, 2).tolist() == [[1, 1 / 3, 1 / 3, 1 / 3], [0.5] * 4, [1, 1, 0, 0]]


@pytest.mark.parametrize(
    ("share", "band"),
    [
        (1.0, "firmly in"),
        (0.95, "firmly in"),
        (0.9499, "probably in"),
        (0.8, "probably in"),
        (0.7999, "toss-up"),
        (0.2, "toss-up"),
        (0.1999, "probably out"),
        (0.05, "probably out"),
        (0.0499, "firmly out"),
        (0.0, "firmly out"),
    ],
)
def test_a_band_begins_at_its_least_share(share, band):
    assert _band(share) == band


def test_issues_that_share_a_seat_evenly_have_exactly_their_share():
    # twenty issues tied by all: one seat, 1/20 each, the edge between "probably out" and "firmly out"
    ballots = frame([("x", "ABCDEFGHIJKLMNOPQRST")])
    found = rank_priorities(ballots, 1, resamples=1999)
    assert found["p_selected"].unique().to_list() == [0.05]
    assert found["firmness"].unique().to_list() == ["probably out"]


def test_no_ballots_have_no_shares():
    votes = read_votes(BALLOTS.clear(), "agency", "share", ["A"])
    for resample in ("member", "agency"):
        pool = open_pool(votes, "share", "agency", resample)
        assert len(share_of_boards(pool, 1, 100, 1)) == 0
        assert [len(share) for share in shares_by_rule(pool, 1, 100, 1).values()] == [0, 0, 0]


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"resample": "agencies"}, 'resample must be one of: member, agency. Found: "agencies". Did you mean "agency"'),
        ({"resamples": 0}, "resamples must be at least 1, such as 2000. Found: 0"),
        ({"seed": -1}, "seed must be 0 or more. Found: -1"),
    ],
)
def test_boards_that_cannot_be_drawn_are_refused(parameters, said):
    with pytest.raises(ParameterError, match=said):
        rank_priorities(BALLOTS, 1, **parameters)


def random_board(members, issues, agencies, seed=1):
    generator = np.random.default_rng(seed)
    orders = np.argsort(np.linspace(0, 2, issues) - generator.gumbel(size=(members, issues)), axis=1)
    return pl.DataFrame(
        {
            "member": np.repeat([f"m{i}" for i in range(members)], issues),
            "agency": np.repeat([f"a{i % agencies}" for i in range(members)], issues),
            "issue": [f"i{j:02d}" for j in range(issues)] * members,
            "rank": (np.argsort(orders, axis=1) + 1).ravel(),
        }
    )


def test_all_rules_on_two_thousand_boards_are_counted_in_a_moment():
    votes = read_votes(random_board(40, 15, 8), "member", "share", None, 4)
    took = []
    for _ in range(5):
        start = time.perf_counter()
        shares_by_rule(open_pool(votes, "share", "member", "member"), 4, 2000, 1)
        took.append(time.perf_counter() - start)
    assert min(took) < 0.5  # about 0.03 on a quiet machine


def test_a_thousand_voters_and_forty_issues_need_little_memory():
    votes = read_votes(random_board(1000, 40, 50), "agency", "share", None, 4)
    tracemalloc.start()
    found = shares_by_rule(open_pool(votes, "share", "agency", "member"), 4, 400, 1)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert [share.sum() for share in found.values()] == pytest.approx([4, 4, 4])
    assert most < 200_000_000
