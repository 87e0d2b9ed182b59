"""Effect sizes and exact tests of paired scores against plain Python, and where they cannot be worked out."""

import math
from fractions import Fraction

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_evaluation as plain
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.shapes import ESTIMATE, shape_of
from safeguarding_analytics.sizes import DEFINITIONS, change_tests, effect_sizes, paired_sizes

BOARDS = settings(max_examples=25, deadline=None, derandomize=True)
ITEM = [plain.Item("q0", "?", "choice", 0, 20, reversed=False)]


def answers_of(pairs, item="q0", session="s1"):
    return [
        plain.Answer(session, f"{session} p{number}", "Health", "Core", wave, item, Fraction(score))
        for number, pair in enumerate(pairs)
        for wave, score in zip(("pre", "post"), pair, strict=True)
    ]


def sizes_of(pairs, items=ITEM, **options):
    """Estimate, lower and upper by name of the definition."""
    found = effect_sizes(plain.Board(answers_of(pairs), items).scores, plain.frame_of(items), **options)
    assert found["definition"].to_list() == list(DEFINITIONS.values())
    assert shape_of(found.columns) is ESTIMATE
    return {
        name: tuple(row[column] for column in ("estimate", "lower", "upper"))
        for name, row in zip(DEFINITIONS, found.to_dicts(), strict=True)
    }


SCORES = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), max_size=25)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(SCORES, st.sampled_from([1, 10, 20]))
def test_sizes_of_random_pairs_equal_plain_python(pairs, parts):
    # Twentieths and tenths have no exact binary form: equal changes must still be equal.
    first, second = ([Fraction(pair[place], parts) for pair in pairs] for place in (0, 1))
    wanted = plain.paired_sizes(first, second, Fraction(0), Fraction(20, parts))
    found = paired_sizes(
        [float(score) for score in first], [float(score) for score in second], minimum=0, maximum=20 / parts
    )._asdict()
    if abs(wanted.get("correlation", 0)) > 1 - 1e-12:
        # All pairs on one line: what d_rm is multiplied by is a root of nothing but rounding.
        assert found.pop("d_rm") in (None, pytest.approx(wanted.get("d_rm"), abs=1e-6))
    wrong = {name: (found[name], wanted.get(name)) for name in found if not plain.close(found[name], wanted.get(name))}
    assert not wrong


@BOARDS
@given(st.integers(0, 10**6))
def test_sizes_and_tests_of_random_boards_equal_plain_python(seed):
    board = plain.random_board(seed, people=18)
    first, second = (plain.totals(board.answers, board.items, wave) for wave in plain.WAVES[:2])
    both = [who for who in first if who in second]
    lowest, highest = (Fraction(sum(getattr(item, end) for item in board.items)) for end in ("minimum", "maximum"))
    pairs = [first[who] for who in both], [second[who] for who in both]
    wanted = plain.paired_sizes(*pairs, lowest, highest)
    change = plain.knowledge_gain(board.answers, board.items)[0]
    found = effect_sizes(board.scores, board.questions).to_dicts()
    for name, row in zip(DEFINITIONS, found, strict=True):
        size = wanted.get(name) if len(both) >= 3 else None
        assert row["n"] == len(both)
        assert plain.close(row["estimate"], size), name
        # The spread by which the mean change is divided, found from the definition again.
        scale = None
        if size is not None and name in ("g_av", "d_av", "d_pre", "d_rm", "d_z"):
            spread = {
                "d_av": plain.root((plain.variance(pairs[0]) + plain.variance(pairs[1])) / 2),
                "d_pre": plain.root(plain.variance(pairs[0])),
                "d_z": wanted["sd_gain"],
            }
            spread["g_av"] = spread["d_av"] / plain.hedges(len(both) - 1)
            if name == "d_rm":
                spread["d_rm"] = wanted["sd_gain"] / math.sqrt(2 * (1 - wanted["correlation"]))
            scale = spread[name]
        for end in ("lower", "upper"):
            ours = None if scale is None or change[end] is None else change[end] / scale
            assert plain.close(row[end], ours, 1e-8), (name, end)
    gains = [after - before for before, after in zip(*pairs, strict=True)]
    tests = change_tests(board.scores, board.questions)
    assert plain.close(tests.sign_p, plain.sign_p(gains))
    assert plain.close(tests.wilcoxon_p, plain.wilcoxon_p(gains))
    assert tests.wilcoxon_exact is (True if any(gains) else None)


def test_an_interval_around_a_mean_change_of_nothing_stays():
    # Ten up by 1 and ten down by 1: the mean is 0, its standard error √(20/19/20) = 1/√19, and t of 19 df 2.0930241.
    # Before 5 six, 6 seven, 7 seven times or the like: the same people before as after but for one point.
    pairs = [(5 + number % 3, 5 + number % 3 + (1 if number < 10 else -1)) for number in range(20)]
    found = sizes_of(pairs)
    wanted = plain.paired_sizes(*([Fraction(pair[place]) for pair in pairs] for place in (0, 1)), 0, 20)
    reach = 2.093024054408263 / math.sqrt(19)
    assert found["d_z"] == (0, pytest.approx(-reach / wanted["sd_gain"]), pytest.approx(reach / wanted["sd_gain"]))
    for name in ("g_av", "d_av", "d_pre", "d_rm"):
        estimate, lower, upper = found[name]
        assert estimate == 0
        assert lower == pytest.approx(-upper)
        assert upper > 0


def test_the_size_that_leads_is_g_av_and_d_z_is_last():
    assert next(iter(DEFINITIONS)) == "g_av"
    assert [*DEFINITIONS][-1] == "d_z"


@pytest.mark.parametrize("pairs", [[], [(1, 2)], [(1, 2), (3, 9)]])
def test_below_three_pairs_nothing_is_estimated(pairs):
    assert set(sizes_of(pairs).values()) == {(None, None, None)}


def test_everybody_gained_the_same():
    found = sizes_of([(number, number + 1) for number in range(12)])
    # Variance of 0 to 11 is 13: 12 × (144 − 1) / 12 / 11.
    assert found["d_av"] == (pytest.approx(1 / math.sqrt(13)), None, None)
    assert found["rank_biserial"] == (1.0, None, None)
    assert found["d_z"] == found["d_rm"] == (None, None, None)
    fall = sizes_of([(number + 1, number) for number in range(12)])
    assert fall["rank_biserial"] == (-1.0, None, None)
    assert fall["d_av"][0] == pytest.approx(-1 / math.sqrt(13))


def test_nobody_changed():
    found = sizes_of([(number, number) for number in range(12)])
    assert found["g_av"] == found["d_av"] == found["d_pre"] == (0.0, None, None)
    assert found["rank_biserial"] == found["d_z"] == (None, None, None)
    assert found["normalised_gain"] == (0.0, None, None)
    tests = change_tests(plain.Board(answers_of([(3, 3)] * 5), ITEM).scores, plain.frame_of(ITEM))
    assert tests == (None, None, None)


def test_everybody_has_all_points_both_times():
    found = sizes_of([(20, 20)] * 12)
    assert {name: size for name, (size, _, _) in found.items() if size is not None} == {}
    assert paired_sizes([20] * 4, [20] * 4, minimum=0, maximum=20).undefined_changes == 4


def test_normalised_change_divides_by_what_was_left_to_gain_or_to_lose():
    # On a scale of 5 to 25. 10 → 15: 5/15; 20 → 10: −10/15; 15 → 15: 0; 5 → 5 and 25 → 25: undefined.
    items = [plain.Item("q0", "?", "choice", 5, 25, reversed=False)]
    pairs = [(10, 15), (20, 10), (15, 15), (5, 5), (25, 25)]
    found = paired_sizes(*zip(*pairs, strict=True), minimum=5, maximum=25)
    assert found.normalised_change == pytest.approx((5 / 15 - 10 / 15) / 3)
    assert found.undefined_changes == 2
    # Mean before 75/5 = 15, mean change −5/5 = −1, left 10.
    assert found.normalised_gain == pytest.approx(-1 / 10)
    assert sizes_of(pairs, items)["normalised_change"][0] == pytest.approx(found.normalised_change)


def test_scores_without_spread_around_a_million_have_no_standardised_size():
    found = paired_sizes([1_000_000.1] * 1000, [1_000_000.4] * 1000, minimum=0, maximum=2_000_000)
    assert [found.d_av, found.g_av, found.d_pre, found.d_z, found.d_rm, found.correlation] == [None] * 6


def test_a_wilcoxon_test_of_many_people_says_that_it_is_approximate():
    pairs = [(5, 5 + (number % 7 - 2)) for number in range(400)]
    tests = change_tests(plain.Board(answers_of(pairs), ITEM).scores, plain.frame_of(ITEM))
    assert tests.wilcoxon_exact is False
    # 57 or 58 gains of each of −2 to 4: the sign test counts 57 × 4 + … rises; plain Python counts them exactly.
    assert plain.close(tests.sign_p, plain.sign_p([after - before for before, after in pairs]))


@pytest.mark.parametrize(
    ("first", "second"),
    [([1, 2], [1]), ([1.0, math.nan, 3.0], [1.0, 2.0, 3.0]), ([1.0, 2.0, 3.0], [1.0, math.inf, 3.0])],
)
def test_scores_that_cannot_be_paired_are_refused(first, second):
    with pytest.raises(ParameterError):
        paired_sizes(first, second, minimum=0, maximum=5)


def test_confidence_is_refused_before_anything_is_looked_at():
    scores = plain.Board([], ITEM).scores
    assert isinstance(scores, pl.DataFrame)
    with pytest.raises(ParameterError, match="between 0 and 1"):
        effect_sizes(scores, plain.frame_of(ITEM), confidence=95)
