"""Shrunken gains against a search of the restricted likelihood by brute force, and beside the raw ones."""

from collections import defaultdict
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_evaluation as plain
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.shrinkage import shrunken_gains, with_shrunken

ITEM = [plain.Item("q1", "?", "choice", 0, 20, reversed=False)]


def board_of(gains):
    """Agency → gains of its people."""
    answers = [
        plain.Answer("s1", f"{agency} {number}", agency, "Core", wave, "q1", Fraction(score))
        for agency, of in gains.items()
        for number, gain in enumerate(of)
        for wave, score in (("pre", 10), ("post", 10 + gain))
    ]
    return plain.Board(answers, ITEM)


def shrunken_of(gains, **options):
    board = board_of(gains)
    found = shrunken_gains(board.scores, board.questions, "agency", **options)
    return {agency: (pairs, gain) for agency, pairs, gain in found.rows()}


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(-4, 4), st.lists(st.integers(-3, 3), min_size=1, max_size=9)), min_size=2, max_size=6
    )
)
def test_shrunken_gains_are_at_the_lowest_point_that_brute_force_finds(groups):
    gains = {f"a{place}": [shift + gain for gain in of] for place, (shift, of) in enumerate(groups)}
    parts = list(gains.values())
    if all(len(set(of)) == 1 for of in parts):
        return  # no spread within groups: see below
    found = shrunken_of(gains)
    assert [pairs for pairs, _ in found.values()] == [len(of) for of in parts]
    _, _, _, wanted = plain.random_effects(parts)
    assert [gain for _, gain in found.values()] == pytest.approx(wanted, abs=2e-5)
    whole = sum(map(sum, parts)) / sum(map(len, parts))
    means = [sum(of) / len(of) for of in parts]
    assert min(*means, whole) - 1e-9 <= min(gain for _, gain in found.values())
    assert max(gain for _, gain in found.values()) <= max(*means, whole) + 1e-9


@settings(max_examples=15, deadline=None, derandomize=True)
@given(st.integers(0, 10**6))
def test_groups_of_random_boards_equal_plain_python(seed):
    board = plain.random_board(seed, people=16, labels=False)
    first, second = (plain.totals(board.answers, board.items, wave) for wave in plain.WAVES[:2])
    agencies = plain.label(board.answers, "agency", plain.WAVES[:2])
    parts = defaultdict(list)
    for who in first:
        if who in second:
            parts[agencies[who]].append(second[who] - first[who])
    order = sorted(parts, key=lambda agency: (agency is not None, agency))
    found = shrunken_gains(board.scores, board.questions, "agency")
    assert found.select("agency", "n_pairs").rows() == [(agency, len(parts[agency])) for agency in order]
    if len(parts) < 2 or all(len(of) == 1 for of in parts.values()):
        assert found["shrunken"].null_count() == found.height
    elif any(len(set(of)) > 1 for of in parts.values()):
        _, _, _, wanted = plain.random_effects([parts[agency] for agency in order])
        assert found["shrunken"].to_list() == pytest.approx(wanted, abs=2e-5)


def test_equal_groups_with_the_answer_of_the_analysis_of_variance():
    # Two groups of three: (1, 2, 3) and (5, 6, 7). Mean square within 1, between 3 × (2² + 2²) / 1 = 24;
    # τ² = (24 − 1)/3 = 23/3, λ = 23/3, kept λ/(λ + 1/3) = 23/24; 4 ± 2 × 23/24.
    found = shrunken_of({"Health": [1, 2, 3], "Police": [5, 6, 7]})
    assert found["Health"] == (3, pytest.approx(4 - 2 * 23 / 24, abs=1e-9))
    assert found["Police"] == (3, pytest.approx(4 + 2 * 23 / 24, abs=1e-9))


def test_groups_that_differ_no_more_than_by_chance_have_the_same_value():
    found = shrunken_of({"Health": [0, 4, 0, 4], "Police": [1, 3, 1, 4], "School": [2]})
    # Mean of all nine: 19/9.
    assert [gain for _, gain in found.values()] == pytest.approx([19 / 9] * 3)


@pytest.mark.parametrize("gains", [{}, {"Health": [1, 2, 3]}, {"Health": [1], "Police": [2], "School": [3]}])
def test_what_cannot_be_told_apart_is_null(gains):
    found = shrunken_of(gains)
    assert found == {agency: (len(of), None) for agency, of in gains.items()}


def test_nobody_gained_anything():
    found = shrunken_of({"Health": [0, 0, 0], "Police": [0, 0]})
    assert {gain for _, gain in found.values()} <= {0.0, None}


def test_nothing_of_the_groups_left_out_is_in_the_result():
    gains = {"Health": [1, 2, 4], "Police": [5, 6, 7, 7], "School": [9, -9]}
    among = shrunken_of(gains, among=["Health", "Police"])
    assert among == shrunken_of({name: gains[name] for name in ("Health", "Police")})
    assert shrunken_of(gains, among=[]) == {}


def test_people_without_a_group_are_a_group_unless_groups_are_named():
    board = board_of({"Health": [1, 2, 4], "Police": [5, 6, 7]})
    scores = board.scores.with_columns(pl.when(pl.col("agency") == "Health").then("agency"))
    assert shrunken_gains(scores, board.questions, "agency")["agency"].to_list() == [None, "Health"]
    assert shrunken_gains(scores, board.questions, "agency", ["Health"])["agency"].to_list() == ["Health"]


@pytest.mark.parametrize("by", ["agenci", "person", "wave", "n_pairs", "total", (), ["agency"], None])
def test_what_is_no_group_is_refused(by):
    board = board_of({"Health": [1, 2]})
    with pytest.raises(ParameterError):
        shrunken_gains(board.scores, board.questions, by)


def test_shrunken_gains_beside_raw_ones_only_where_these_are_shown():
    table = pl.DataFrame(
        {
            "agency": ["Health", "Police", "School", "Total"],
            "n_pairs": [12, None, 30, 60],
            "mean_change": [2.25, None, 3.0, 2.5],
            "mark": ["", "[c]", "", ""],
        }
    )
    shrunken = pl.DataFrame(
        {"agency": ["School", "Health", "Police"], "n_pairs": [30, 12, 3], "shrunken": [2.94, 2.06, 7]}
    )
    found = with_shrunken(table, shrunken)
    assert found.columns == ["agency", "n_pairs", "mean_change", "shrunken", "mark"]
    assert found["agency"].to_list() == table["agency"].to_list()
    assert found["shrunken"].to_list() == [2.1, None, 2.9, None]


def test_groups_that_are_numbers_are_found_by_their_text():
    table = pl.DataFrame({"target_group": ["1", "2"], "n_pairs": [12, 9], "mean_change": [2.25, 1.0], "mark": ["", ""]})
    found = with_shrunken(table, pl.DataFrame({"target_group": [2, 1], "n_pairs": [9, 12], "shrunken": [1.5, 2.0]}))
    assert found["shrunken"].to_list() == [2.0, 1.5]
