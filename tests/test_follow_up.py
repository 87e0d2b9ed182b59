"""Who could be asked again, what is left of the gain, and ratings of "then", against plain Python."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_evaluation as plain
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.follow_up import follow_up_gains, follow_up_retention, rating_gains
from safeguarding_analytics.shapes import MEAN_CHANGE, PROPORTION, shape_of

BOARDS = settings(max_examples=25, deadline=None, derandomize=True)
ITEM = [plain.Item("q1", "?", "choice", 0, 20, reversed=False)]
THREE = plain.WAVES[:3]


def of_waves(board, waves):
    return {wave: plain.totals(board.answers, board.items, wave) for wave in waves}


@BOARDS
@given(st.integers(0, 10**6))
def test_retention_on_random_boards_equals_plain_python(seed):
    board = plain.random_board(seed)
    of = of_waves(board, THREE)
    twice = set(of["pre"]) & set(of["post"])
    again = len(twice & set(of["follow_up"]))
    lower, upper = plain.wilson(again, len(twice))
    share = again / len(twice) if twice else None
    wanted = {"numerator": again, "denominator": len(twice), "proportion": share, "lower": lower, "upper": upper}
    found = follow_up_retention(board.scores, board.questions)
    assert shape_of(found.columns) is PROPORTION
    plain.assert_rows(found, [wanted])


def expected_follow_up(board, cluster):
    of = of_waves(board, THREE)
    clusters = None if cluster is None else plain.label(board.answers, cluster, THREE)
    thrice = set.intersection(*map(set, of.values()))
    whole = {wave: {who: score for who, score in scores.items() if who in thrice} for wave, scores in of.items()}
    behind = ", of those who answered all three times"
    return [
        {"comparison": "Before to follow-up"} | plain.mean_change(of["pre"], of["follow_up"], clusters),
        {"comparison": "After to follow-up"} | plain.mean_change(of["post"], of["follow_up"], clusters),
        {"comparison": f"Before to after{behind}"} | plain.mean_change(whole["pre"], whole["post"], clusters),
        {"comparison": f"Before to follow-up{behind}"} | plain.mean_change(whole["pre"], whole["follow_up"], clusters),
        {"comparison": f"After to follow-up{behind}"} | plain.mean_change(whole["post"], whole["follow_up"], clusters),
    ]


@BOARDS
@given(st.integers(0, 10**6), st.sampled_from(["session", None]))
def test_what_is_left_of_the_gain_equals_plain_python(seed, cluster):
    board = plain.random_board(seed, people=24)
    found = follow_up_gains(board.scores, board.questions, cluster=cluster)
    assert shape_of(found.columns) is MEAN_CHANGE
    plain.assert_rows(found, expected_follow_up(board, cluster))
    _, _, on_the_day, in_all, since = found["mean_change"].to_list()
    if in_all is not None:
        assert on_the_day + since == pytest.approx(in_all, abs=1e-9)


@BOARDS
@given(st.integers(0, 10**6), st.sampled_from(["session", None]), st.sampled_from([0, 5, 10]))
def test_real_and_retrospective_ratings_equal_plain_python(seed, cluster, fewest):
    board = plain.random_board(seed, items=plain.random_items(plain.random.Random(seed), kinds=("five",)), people=24)
    waves = ("pre", "post", "then")
    of = of_waves(board, waves)
    clusters = None if cluster is None else plain.label(board.answers, cluster, waves)
    pairs, thrice = set(of["pre"]) & set(of["post"]), set.intersection(*map(set, of.values()))
    both_rows = bool(thrice) and not 0 < len(pairs - thrice) < fewest
    if both_rows:  # of the same people
        of = {wave: {who: score for who, score in scores.items() if who in thrice} for wave, scores in of.items()}
    wanted = [{"comparison": "Rated before, and after"} | plain.mean_change(of["pre"], of["post"], clusters)]
    if both_rows:
        then = plain.mean_change(of["then"], of["post"], clusters)
        wanted.append({"comparison": 'Rated after: "then", and now'} | then)
    found = rating_gains(board.scores, board.questions, cluster=cluster, fewest=fewest)
    plain.assert_rows(found, wanted)


def answers_of(*people):
    """Answers of people by wave; None = not answered."""
    return [
        plain.Answer("s1", f"p{number}", "Health", "Core", wave, "q1", Fraction(score))
        for number, person in enumerate(people)
        for wave, score in zip(plain.WAVES, person, strict=False)
        if score is not None
    ]


def test_each_comparison_is_of_all_who_answered_both():
    # p0 all three, p1 without after, p2 without before.
    board = plain.Board(answers_of((1, 5, 3), (2, None, 8), (None, 6, 4)), ITEM)
    found = follow_up_gains(board.scores, board.questions)
    # (2 + 6)/2; (−2 − 2)/2; and p0 alone: 4, 2, −2.
    assert found["mean_change"].to_list() == [4.0, -2.0, 4.0, 2.0, -2.0]
    assert found["n_pairs"].to_list() == [2, 2, 1, 1, 1]
    assert follow_up_retention(board.scores, board.questions).select("numerator", "denominator").rows() == [(1, 1)]


def test_nobody_was_asked_again():
    board = plain.Board(answers_of((1, 5), (2, 8)), ITEM)
    found = follow_up_gains(board.scores, board.questions)
    assert found["n_pairs"].to_list() == [0] * 5
    assert found["mean_change"].to_list() == [None] * 5
    retention = follow_up_retention(board.scores, board.questions).row(0, named=True)
    assert (retention["numerator"], retention["denominator"], retention["proportion"]) == (0, 2, 0.0)
    empty = follow_up_retention(board.scores.clear(), board.questions).row(0, named=True)
    assert empty == {"numerator": 0, "denominator": 0, "proportion": None, "lower": None, "upper": None}


def test_without_a_retrospective_rating_there_is_one_row():
    board = plain.Board(answers_of((1, 5), (2, 8)), ITEM)
    assert rating_gains(board.scores, board.questions)["comparison"].to_list() == ["Rated before, and after"]


def test_the_retrospective_rating_stands_beside_the_real_one_of_the_same_people():
    # p0 before 3, after 4, then 1. p1 gave no rating before, p2 none of "then": they are in neither row.
    board = plain.Board(answers_of((3, 4, None, 1), (None, 5, None, 2), (2, 9)), ITEM)
    found = rating_gains(board.scores, board.questions)
    assert found.select("n_pairs", "mean_change").rows() == [(1, 1.0), (1, 3.0)]


@pytest.mark.parametrize("measure", [follow_up_gains, rating_gains])
@pytest.mark.parametrize(
    ("options", "message"), [({"confidence": 95}, "between 0 and 1"), ({"cluster": "sesion"}, "session")]
)
def test_bad_parameters_are_refused_on_empty_tables_too(measure, options, message):
    board = plain.Board([], ITEM)
    with pytest.raises(ParameterError, match=message):
        measure(board.scores, board.questions, **options)
