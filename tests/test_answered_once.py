"""People who answered once: their scores, and the gain under assumptions about them, against plain Python."""

import math
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import plain_evaluation as plain
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.knowledge import knowledge_gain
from safeguarding_analytics.nonresponse import answered_once, gain_under_assumptions
from safeguarding_analytics.shapes import ESTIMATE, shape_of

BOARDS = settings(max_examples=30, deadline=None, derandomize=True)
ITEM = [plain.Item("q1", "?", "choice", 5, 25, reversed=False)]

Z90 = 1.6448536269514722
"""Normal quantile of 0.95."""

PAIRS = "Pairs, allowing for who was taught together (the headline)"
ALONE = "Pairs, as if everybody had been taught alone"
SKEWED = "Pairs, allowing for lopsided changes (ABC), not for who was taught together"
ALIKE = "Pairs, all sessions or clusters alike as far as they differ (random effects)"
LIKELY = "All, if those who answered once are like the others with their score (maximum likelihood)"
HALF = "All, if those who answered once gained half as much"
NOTHING = "All, if those who answered once gained nothing"
WORST = "All, if those who answered once did as badly as they could"
BEST = "All, if those who answered once did as well as they could"


def answers_of(*people, session="s1", wanted=ITEM):
    """Answers of people (before, after); None = not answered."""
    return [
        plain.Answer(session, f"{session} p{number}", "Health", "Core", wave, wanted[0].item, Fraction(score))
        for number, person in enumerate(people)
        for wave, score in zip(("pre", "post"), person, strict=True)
        if score is not None
    ]


def estimates(board, **options):
    """Assumption → n, estimate, lower, upper."""
    found = gain_under_assumptions(board.scores, board.questions, **options)
    assert shape_of(found.columns) is ESTIMATE
    return {row[0]: row[1:] for row in found.rows()}


def interval_of(values, clusters, confidence=0.95):
    """Lower and upper; none of fewer than ten or where nothing differs."""
    if len(values) < 10 or len(set(values)) == 1:
        return None, None
    squared, _, lower, upper = plain.interval(values, clusters, confidence)
    return (lower, upper) if squared else (None, None)


@BOARDS
@given(st.integers(0, 10**6), st.sampled_from(["session", None]), st.sampled_from([0.95, 0.8]))
def test_scores_of_those_who_answered_once_equal_plain_python(seed, cluster, confidence):
    board = plain.random_board(seed, people=24)
    first, second = (plain.totals(board.answers, board.items, wave) for wave in plain.WAVES[:2])
    wanted = []
    for name, ours, others in (("Before", first, second), ("After", second, first)):
        for twice, words in ((True, "answered twice"), (False, f"answered only {name.lower()}")):
            of = {who: score for who, score in ours.items() if (who in others) == twice}
            values = list(of.values())
            ends = interval_of(values, [who[0] for who in of] if cluster else None, confidence)
            mean = float(sum(values) / len(values)) if values else None
            row = {"who": f"Those who {words}: score {name.lower()}", "n": len(values), "estimate": mean}
            wanted.append(row | {"lower": ends[0], "upper": ends[1]})
    found = answered_once(board.scores, board.questions, cluster=cluster, confidence=confidence)
    assert shape_of(found.columns) is ESTIMATE
    plain.assert_rows(found, wanted)


@BOARDS
@given(st.integers(0, 10**6), st.sampled_from(["session", None]), st.sampled_from([0.95, 0.8]))
def test_gains_under_assumptions_equal_plain_python(seed, cluster, confidence):
    board = plain.random_board(seed, people=24)
    first, second = (plain.totals(board.answers, board.items, wave) for wave in plain.WAVES[:2])
    lowest, highest = (sum(getattr(item, end) for item in board.items) for end in ("minimum", "maximum"))
    both = [who for who in first if who in second]
    only_before, only_after = ([who for who in of if who not in both] for of in (first, second))
    gains, n = [second[who] - first[who] for who in both], len(both)
    found = estimates(board, cluster=cluster, confidence=confidence)
    if not n:
        assert found == {}
        return
    everybody = n + len(only_before) + len(only_after)
    mean = Fraction(sum(gains)) / n
    ends = interval_of(gains, [who[0] for who in both] if cluster else None, confidence)
    wanted = {PAIRS: (n, float(mean), *ends)}
    if cluster:
        wanted[ALONE] = (n, float(mean), *interval_of(gains, None, confidence))
    if n >= 10 and len(set(gains)) > 1:
        wanted[SKEWED] = (n, float(mean), *plain.abc(gains, confidence))
    if everybody > n:
        for name, share in ((HALF, Fraction(1, 2)), (NOTHING, 0)):
            factor = (n + share * (everybody - n)) / everybody
            scaled = (None if end is None else end * float(factor) for end in ends)
            wanted[name] = (everybody, float(mean * factor), *scaled)
        worst = sum(lowest - first[who] for who in only_before) + sum(second[who] - highest for who in only_after)
        best = sum(highest - first[who] for who in only_before) + sum(second[who] - lowest for who in only_after)
        wanted[WORST] = (everybody, float((sum(gains) + worst) / everybody), None, None)
        wanted[BEST] = (everybody, float((sum(gains) + best) / everybody), None, None)
    for name, row in wanted.items():
        assert all(plain.close(ours, theirs) for ours, theirs in zip(found[name], row, strict=True)), (
            name,
            found[name],
            row,
        )
    assert set(found) - set(wanted) <= {ALIKE, LIKELY}
    assert n >= 10 or not {SKEWED, ALIKE, LIKELY} & set(found)


@settings(max_examples=15, deadline=None, derandomize=True)
@given(
    st.lists(
        st.tuples(st.integers(-3, 3), st.lists(st.integers(-4, 4), min_size=4, max_size=9)), min_size=2, max_size=5
    )
)
def test_random_effects_equal_a_search_by_brute_force(sessions):
    gains = [shift + gain for shift, of in sessions for gain in of]
    names = [f"s{place}" for place, (_, of) in enumerate(sessions) for _ in of]
    answers = [
        answer
        for place, (shift, of) in enumerate(sessions)
        for answer in answers_of(*((15, 15 + shift + gain) for gain in of), session=f"s{place}")
    ]
    if len(gains) < 10 or all(len(set(of)) == 1 for _, of in sessions):
        return
    found = estimates(plain.Board(answers, ITEM), confidence=0.9)[ALIKE]
    _, mean, error, _ = plain.random_effects(plain.by_cluster(gains, names))
    assert found[0] == len(gains)
    assert found[1] == pytest.approx(mean, abs=1e-5)
    assert found[2:] == pytest.approx((mean - Z90 * error, mean + Z90 * error), abs=1e-4)


def restricted(pairs, before, after, spread, other_spread, correlation):
    """Minus twice the restricted log-likelihood of two waves but for a constant; the change, its standard error."""
    a, b = spread**2, other_spread**2
    c = correlation * spread * other_spread
    inside = a * b - c * c
    n = len(pairs)
    # Sums of squares are worked out one by one; information and means are those of two unknowns.
    i11, i22, i12 = n * b / inside + len(before) / a, n * a / inside + len(after) / b, -n * c / inside
    sums = sum(x for x, _ in pairs), sum(y for _, y in pairs)
    u1 = (b * sums[0] - c * sums[1]) / inside + sum(before) / a
    u2 = (a * sums[1] - c * sums[0]) / inside + sum(after) / b
    whole = i11 * i22 - i12 * i12
    m1, m2 = (i22 * u1 - i12 * u2) / whole, (i11 * u2 - i12 * u1) / whole
    quadratic = sum((b * (x - m1) ** 2 - 2 * c * (x - m1) * (y - m2) + a * (y - m2) ** 2) / inside for x, y in pairs)
    quadratic += sum((x - m1) ** 2 / a for x in before) + sum((y - m2) ** 2 / b for y in after)
    value = n * math.log(inside) + len(before) * math.log(a) + len(after) * math.log(b) + math.log(whole) + quadratic
    return value, m2 - m1, math.sqrt((i11 + i22 + 2 * i12) / whole)


def most_likely(pairs, before, after):
    """Change and standard error where the restricted likelihood is highest, by a search that knows no slopes."""
    from scipy.optimize import minimize

    def at(place):
        return restricted(pairs, before, after, math.exp(place[0]), math.exp(place[1]), math.tanh(place[2]))

    found = minimize(
        lambda place: at(place)[0],
        [1.0, 1.0, 0.5],
        method="Nelder-Mead",
        options={"xatol": 1e-10, "fatol": 1e-12, "maxiter": 10_000, "maxfev": 10_000},
    )
    return at(found.x)[1:]


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.integers(5, 15), st.integers(-3, 8)), min_size=10, max_size=25),
    st.lists(st.integers(5, 20), max_size=12),
    st.lists(st.integers(9, 25), max_size=12),
)
def test_the_most_likely_change_equals_a_search_that_knows_no_slopes(pairs, before, after):
    pairs = [(score, min(max(score + gain, 5), 25)) for score, gain in pairs]
    first, second = zip(*pairs, strict=True)
    sizes = plain.paired_sizes([Fraction(x) for x in first], [Fraction(y) for y in second], 5, 25)
    if not before + after or abs(sizes.get("correlation", 1)) > 0.98:
        return  # nobody answered once; or pairs on a line, where a search without slopes does not come to rest
    people = [*pairs, *((score, None) for score in before), *((None, score) for score in after)]
    found = estimates(plain.Board(answers_of(*people), ITEM), confidence=0.9)[LIKELY]
    change, error = most_likely(pairs, before, after)
    assert found[0] == len(people)
    assert found[1] == pytest.approx(change, abs=1e-4 * error)
    assert (found[3] - found[2]) / 2 / Z90 == pytest.approx(error, rel=1e-4)


def test_the_ends_of_the_scale_bound_what_is_not_known():
    # Scale 5 to 25. Pairs 10 → 14 and 12 → 14, mean gain 3; 20 only before; 8 only after. Four people.
    found = estimates(plain.Board(answers_of((10, 14), (12, 14), (20, None), (None, 8)), ITEM))
    assert found[PAIRS] == (2, 3.0, None, None)
    assert found[HALF] == (4, (6 + 2 * 1.5) / 4, None, None)
    assert found[NOTHING] == (4, 6 / 4, None, None)
    # At worst 20 fell to 5 and 8 came from 25; at best 20 rose to 25 and 8 came from 5.
    assert found[WORST] == (4, (6 - 15 - 17) / 4, None, None)
    assert found[BEST] == (4, (6 + 5 + 3) / 4, None, None)


def test_a_scale_of_several_questions_is_the_sum_of_theirs():
    items = [
        plain.Item("q1", "?", "choice", 0, 1, reversed=False),
        plain.Item("q2", "?", "choice", -2, 2, reversed=True),
    ]
    answers = [
        plain.Answer("s1", person, None, "Core", wave, item, Fraction(score))
        for person, wave, item, score in [
            ("p1", "pre", "q1", 0),
            ("p1", "pre", "q2", 1),  # −1 turned round
            ("p1", "post", "q1", 1),
            ("p1", "post", "q2", 0),
            ("p2", "pre", "q1", 1),
            ("p2", "pre", "q2", -2),  # 2 turned round: 3 points, the most there are
        ]
    ]
    found = estimates(plain.Board(answers, items))
    # p1 from −1 to 1; the scale goes from −2 to 3, so p2 falls by 5 at worst and cannot rise.
    assert found[PAIRS][1] == 2.0
    assert found[WORST][1] == (2 - 5) / 2
    assert found[BEST][1] == (2 + 0) / 2


def test_nobody_answered_once():
    found = estimates(plain.Board(answers_of(*((10, 10 + number % 4) for number in range(12))), ITEM))
    assert list(found) == [PAIRS, ALONE, SKEWED]  # one session: nothing between sessions


def test_nobody_answered_twice():
    assert estimates(plain.Board(answers_of((10, None), (None, 9)), ITEM)) == {}
    assert estimates(plain.Board([], ITEM)) == {}
    found = answered_once(plain.Board([], ITEM).scores, plain.frame_of(ITEM))
    assert found.drop("who").rows() == [(0, None, None, None)] * 4


@pytest.mark.parametrize("gain", ["0.1", "5.9", "0.3", "7"])
@pytest.mark.parametrize("sessions", [1, 3])
def test_everybody_gained_the_same_so_there_is_no_interval(gain, sessions):
    people = [(10 + number % 4, 10 + number % 4 + Fraction(gain)) for number in range(12)]
    answers = [
        answer._replace(session=f"s{number % sessions}")
        for number, person in enumerate(people)
        for answer in answers_of(person, session=f"p{number}")
    ]
    found = estimates(plain.Board(answers, ITEM))
    assert {row[2:] for row in found.values()} == {(None, None)}
    assert found[PAIRS][1] == pytest.approx(float(Fraction(gain)))


@pytest.mark.parametrize("score", ["10.1", "5.9", "14.3", "7"])
@pytest.mark.parametrize("cluster", ["session", None])
def test_everybody_had_the_same_score_so_there_is_no_interval(score, cluster):
    board = plain.Board(answers_of(*[(Fraction(score), Fraction(score))] * 13), ITEM)
    found = answered_once(board.scores, board.questions, cluster=cluster)
    assert found["lower"].to_list() == found["upper"].to_list() == [None] * 4


NEARLY_ON_A_LINE = [
    (19, 19),
    (19, 20),
    (8, 8),
    (20, 20),
    (16, 16),
    (12, 13),
    (11, 12),
    (12, 12),
    (17, 17),
    (5, 5),
    (14, 14),
]


def test_pairs_nearly_on_a_line_beside_one_who_contradicts_them():
    board = plain.Board(answers_of(*NEARLY_ON_A_LINE, (None, 5)), ITEM)
    found = estimates(board)
    # 3 points among 11 pairs; with the twelfth at worst 5 − 25 and at best 5 − 5.
    assert found[PAIRS][1] == pytest.approx(3 / 11)
    assert found[WORST][1] == pytest.approx((3 - 20) / 12)
    assert found[BEST][1] == pytest.approx(3 / 12)
    if LIKELY in found:
        assert found[LIKELY][0] == 12
        assert found[LIKELY][2] < found[LIKELY][1] < found[LIKELY][3]


@pytest.mark.parametrize("seed", range(40))
def test_the_rows_come_whatever_the_answers(seed):
    dice = plain.random.Random(seed)
    pairs = [(score, min(25, score + dice.choice((0, 0, 0, 1)))) for score in (dice.randint(5, 25) for _ in range(14))]
    once = [dice.choice(((25, None), (5, None), (None, 5), (dice.randint(5, 25), None))) for _ in range(seed % 4 + 1)]
    found = estimates(plain.Board(answers_of(*pairs, *once), ITEM))
    assert {PAIRS, HALF, NOTHING, WORST, BEST} <= set(found)


@pytest.mark.parametrize("measure", [answered_once, gain_under_assumptions])
def test_pairs_that_nobody_knows_with_whom_they_were_taught_are_refused(measure):
    answers = [answer._replace(session=None) for answer in answers_of(*[(10, 12), (9, 15)] * 6)]
    board = plain.Board(answers, ITEM)
    with pytest.raises(TableError, match="session"):
        knowledge_gain(board.scores, board.questions)
    with pytest.raises(TableError, match="session"):
        measure(board.scores, board.questions)


@pytest.mark.parametrize("measure", [answered_once, gain_under_assumptions])
@pytest.mark.parametrize(
    "options", [{"confidence": 95}, {"confidence": 0}, {"cluster": "sesion"}, {"cluster": "first"}]
)
def test_bad_parameters_are_refused(measure, options):
    board = plain.Board(answers_of((10, 12)), ITEM)
    with pytest.raises(ParameterError):
        measure(board.scores, board.questions, **options)


def test_scores_around_a_million_keep_their_digits():
    items = [plain.Item("q1", "?", "choice", 999_990, 1_000_020, reversed=False)]
    people = [(1_000_000 + Fraction(number % 9, 8), 1_000_001 + Fraction(number * 7 % 11, 8)) for number in range(60)]
    people += [(1_000_000 + Fraction(number % 5, 8), None) for number in range(15)]
    board = plain.Board(answers_of(*people, wanted=items), items)
    for cluster in ("session", None):
        found = answered_once(board.scores, board.questions, cluster=cluster).rows()
        for row, values in zip(
            found,
            ([x for x, y in people if y], [x for x, y in people if not y], [y for _, y in people if y], []),
            strict=True,
        ):
            if values:
                _, _, lower, upper = plain.interval(values, None)
                assert row[2] - row[3] == pytest.approx(float(sum(values) / len(values)) - lower, rel=1e-6)
                assert row[4] - row[2] == pytest.approx(upper - float(sum(values) / len(values)), rel=1e-6)
