"""What happened to the answers of each question, against plain Python: right or wrong, partial credit, ratings."""

from collections import Counter
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_evaluation as plain
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.knowledge import knowledge_gain
from safeguarding_analytics.questionnaires import answers_to, scored_items
from safeguarding_analytics.questions import item_changes, rating_answers
from safeguarding_analytics.shapes import ITEM_CHANGE, shape_of

BOARDS = settings(max_examples=40, deadline=None, derandomize=True)


def both_times(board, items):
    """Item → pairs of points, of the people who answered all of these items before and after."""
    first, second = (plain.answered(board.answers, items, wave) for wave in plain.WAVES[:2])
    whole = [who for who in first if len(first[who]) == len(items) == len(second.get(who, ()))]
    return {item.item: [(first[who][item.item], second[who][item.item]) for who in whole] for item in items}


def named(items):
    """The question of each item: its text, or the item before it where a text stands twice."""
    times = Counter(item.text for item in items)
    return {item.item: item.text if times[item.text] == 1 else f"{item.item}: {item.text}" for item in items}


def expected_item_changes(board):
    choice, ratings = plain.scored(board.items), plain.rated(board.items)
    pairs = both_times(board, choice)
    if len(choice) < len(board.items):
        pairs |= both_times(board, ratings)
    rows = []
    for item in board.items:
        ways = Counter()
        for before, after in pairs[item.item]:
            if item.kind == "choice":
                was, became = before == item.maximum, after == item.maximum
                way = ("same_high" if was else "same_low") if was == became else "down" if was else "up"
            elif before == after:
                way = "same_high" if 2 * before > item.minimum + item.maximum else "same_low"
            else:
                way = "up" if after > before else "down"
            ways[way] += 1
        n = len(pairs[item.item])
        row = {"question": named(board.items)[item.item], "n_pairs": n, "share_before": None, "share_after": None}
        row |= {f"n_{way}": ways[way] for way in ("up", "same_high", "same_low", "down")}
        if item.kind == "choice" and n:
            row["share_before"] = sum(before == item.maximum for before, _ in pairs[item.item]) / n
            row["share_after"] = sum(after == item.maximum for _, after in pairs[item.item]) / n
        row["p_value"] = plain.sign_p([1] * ways["up"] + [-1] * ways["down"])
        rows.append(row)
    for row, p in zip(rows, plain.holm([row["p_value"] for row in rows]), strict=True):
        row["p_holm"] = p
    return rows


@BOARDS
@given(st.integers(0, 10**6))
def test_random_questionnaires_equal_plain_python(seed):
    board = plain.random_board(seed, people=12, open_share=0.02)
    found = item_changes(board.scores, board.questions)
    assert shape_of(found.columns) is ITEM_CHANGE
    plain.assert_rows(found, expected_item_changes(board))
    assert (found["n_pairs"] == found.select(pl.sum_horizontal(ITEM_CHANGE.parts))["n_up"]).all()


def expected_rating_answers(board):
    ratings = plain.rated(board.items)
    pairs, names = both_times(board, ratings), named(board.items)
    rows = []
    for item in ratings:
        for place, wave in enumerate(("before", "after")):
            given_to = Counter(pair[place] for pair in pairs[item.item])
            for answer in range(item.minimum, item.maximum + 1):
                question = names[item.item] + (" (turned round)" if item.reversed else "")
                row = {"question": question, "wave": wave, "answer": str(answer), "count": given_to[answer]}
                rows.append(row)
    return rows


@BOARDS
@given(st.integers(0, 10**6))
def test_ratings_on_random_boards_equal_plain_python(seed):
    board = plain.random_board(seed, people=12, open_share=0.02)
    found = rating_answers(board.scores, board.questions)
    assert found.columns == ["question", "wave", "answer", "count"]
    plain.assert_rows(found, expected_rating_answers(board))


@BOARDS
@given(st.integers(0, 10**6))
def test_newly_right_less_newly_wrong_adds_up_to_the_mean_gain_where_each_question_gives_a_point(seed):
    dice = plain.random.Random(seed)
    items = [
        plain.Item(f"q{number}", f"Question {number}?", kind, 0, 1, reversed=False)
        for number, kind in enumerate(["choice"] * dice.randint(1, 6) + ["likert"] * dice.randint(0, 2))
    ]
    board = plain.random_board(seed, items=items, people=12, open_share=0.02)
    asked = scored_items(board.questions)
    gain = knowledge_gain(answers_to(board.scores, asked), asked)
    found = item_changes(board.scores, board.questions).head(asked.height)
    assert found["n_pairs"].to_list() == [gain["n_pairs"].item()] * asked.height
    if gain["n_pairs"].item():
        total = (found["n_up"] - found["n_down"]).sum() / gain["n_pairs"].item()
        assert total == pytest.approx(gain["mean_change"].item(), abs=1e-12)
        assert (found["share_after"] - found["share_before"]).sum() == pytest.approx(total, abs=1e-12)


def answers_of(item, pairs):
    return [
        plain.Answer("s1", f"p{number}", "Health", "Core", wave, item, Fraction(score))
        for number, pair in enumerate(pairs)
        for wave, score in zip(("pre", "post"), pair, strict=True)
    ]


def test_partial_credit_is_right_only_with_all_points():
    # On 0 to 2 points: 0 → 2 and 1 → 2 newly right, 2 → 1 newly wrong, 0 → 1 and 1 → 0 not right both times.
    item = plain.Item("q1", "Which tier?", "choice", 0, 2, reversed=False)
    board = plain.Board(answers_of("q1", [(0, 2), (1, 2), (2, 1), (0, 1), (1, 0), (2, 2)]), [item])
    row = item_changes(board.scores, board.questions).row(0, named=True)
    assert [row[name] for name in ITEM_CHANGE.parts] == [2, 1, 2, 1]
    assert (row["share_before"], row["share_after"]) == (2 / 6, 3 / 6)
    assert row["p_value"] == 1.0  # two up and one down of three: 2 × (1 + 3)/8


def test_mcnemar_of_nine_newly_right_and_one_newly_wrong():
    item = plain.Item("q1", "Which tier?", "choice", 0, 1, reversed=False)
    board = plain.Board(answers_of("q1", [(0, 1)] * 9 + [(1, 0)] + [(1, 1)] * 5), [item])
    row = item_changes(board.scores, board.questions).row(0, named=True)
    assert row["p_value"] == pytest.approx(2 * (1 + 10) / 2**10)  # scipy.stats.binomtest(1, 10).pvalue: 0.021484375
    assert row["p_holm"] == row["p_value"]


def test_a_rating_of_the_middle_is_not_high_and_reversed_ones_are_turned_round():
    scale = {"kind": "likert", "minimum": 1, "maximum": 5}
    items = [
        plain.Item("q1", "I know whom to ring.", **scale, reversed=False),
        plain.Item("q2", "I would rather wait.", **scale, reversed=True),
    ]
    # q1: 3 → 3 the same and not high, 4 → 4 high. q2, as answered: 5 → 1 is 1 → 5, a rise; 2 → 4 is 4 → 2, a fall.
    answers = answers_of("q1", [(3, 3), (4, 4)]) + answers_of("q2", [(5, 1), (2, 4)])
    board = plain.Board(answers, items)
    found = item_changes(board.scores, board.questions)
    assert found.select("question", *ITEM_CHANGE.parts).rows() == [
        ("I know whom to ring.", 0, 1, 1, 0),
        ("I would rather wait.", 1, 0, 0, 1),
    ]
    assert found["share_before"].to_list() == [None, None]
    given_twice = rating_answers(board.scores, board.questions).filter(pl.col("count") > 0)
    assert given_twice.filter(pl.col("question").str.contains("wait")).rows() == [
        ("I would rather wait. (turned round)", "before", "1", 1),
        ("I would rather wait. (turned round)", "before", "4", 1),
        ("I would rather wait. (turned round)", "after", "2", 1),
        ("I would rather wait. (turned round)", "after", "5", 1),
    ]


def test_the_answers_of_a_scale_are_in_the_order_of_its_numbers():
    item = plain.Item("q1", "How sure?", "likert", 1, 10, reversed=False)
    board = plain.Board(answers_of("q1", [(10, 2)]), [item])
    found = rating_answers(board.scores, board.questions)
    assert found["answer"].to_list() == [str(number) for number in range(1, 11)] * 2


def test_ratings_with_half_steps_are_left_out():
    items = [plain.Item(f"q{number}", f"Sure {number}?", "likert", 1, 5, reversed=False) for number in (1, 2)]
    board = plain.Board(answers_of("q1", [("2.5", 3)]) + answers_of("q2", [(2, 3)]), items)
    assert rating_answers(board.scores, board.questions)["question"].unique().to_list() == ["Sure 2?"]


def test_a_text_that_stands_twice_is_told_apart_by_its_item():
    items = [plain.Item(f"q{number}", "The same?", "choice", 0, 1, reversed=False) for number in (1, 2)]
    board = plain.Board(answers_of("q1", [(0, 1)]) + answers_of("q2", [(1, 1)]), items)
    assert item_changes(board.scores, board.questions)["question"].to_list() == ["q1: The same?", "q2: The same?"]


def test_nobody_answered_twice():
    item = plain.Item("q1", "Which tier?", "choice", 0, 1, reversed=False)
    board = plain.Board(answers_of("q1", [(0, 1)])[:1], [item])
    for scores in (board.scores, board.scores.clear()):
        row = item_changes(scores, board.questions).row(0, named=True)
        assert row == {"question": "Which tier?"} | dict.fromkeys(ITEM_CHANGE.columns) | dict.fromkeys(
            ("n_pairs", *ITEM_CHANGE.parts), 0
        )
        assert rating_answers(scores, board.questions).height == 0


@pytest.mark.parametrize("measure", [item_changes, rating_answers])
def test_answers_to_unknown_questions_are_refused(measure):
    item = plain.Item("q1", "Which tier?", "likert", 0, 1, reversed=False)
    board = plain.Board(answers_of("q1", [(0, 1)]) + answers_of("q9", [(0, 1)]), [item])
    with pytest.raises(TableError, match='"q9"'):
        measure(board.scores, board.questions)
