"""What is left out of an evaluation: each test names what a reader would be told without the rule, and how."""

from __future__ import annotations

import nbformat
import polars as pl
import pytest

from safeguarding_analytics.answers import if_shown, show_text
from safeguarding_analytics.disclosure import Policy, Safe, already_public, rather_hidden, suppress
from safeguarding_analytics.evaluation import evaluate
from safeguarding_analytics.follow_up import (
    AFTER_LATER,
    BEFORE_LATER,
    COMPARISONS,
    OF_ALL_THREE,
    REAL,
    THEN,
    follow_up_gains,
    follow_up_retention,
    rating_gains,
)
from safeguarding_analytics.knowledge import gain_by_course, knowledge_gain, with_margins
from safeguarding_analytics.knowledge_sentences import say_assumptions
from safeguarding_analytics.nonresponse import BEST, HALF, HEADLINE, LIKELY, NONE, OF_PAIRS, PERSONS, WORST
from safeguarding_analytics.pages import page_html
from safeguarding_analytics.questions import wholly_shown, with_all_answers
from safeguarding_analytics.sizes import DEFINITIONS
from safeguarding_analytics.withheld import (
    answered_once_to_tell,
    assumptions_to_tell,
    effect_sizes_to_tell,
    enough_answered_once,
    follow_up_to_tell,
    means_tell_no_count,
    pairs_to_tell,
    thirds_to_tell,
    told_apart,
    what_may_be_told,
)

DFE, NHS = Policy.dfe(), Policy.nhs()
ROUNDED = {"nhs": NHS, "round5": Policy.round5(), "round10": Policy.round10()}
WAVES = ("pre", "post", "follow_up")
KINDS = {"session": pl.String, "person": pl.String, "wave": pl.String, "item": pl.String, "score": pl.Float64}


def asked(questions=1, maximum=10):
    names = [f"Q{number}" for number in range(questions)]
    texts = pl.DataFrame({"item": names, "text": names})
    return texts.with_columns(kind=pl.lit("choice"), minimum=0, maximum=maximum, reversed=False)


TEN_POINTS = asked()


def people(*alike, session="s1", items=("Q0",), waves=WAVES):
    """Answers of so many people each, who all gave the same points before, after (and later); None: no answer."""
    each = [points for number, *points in alike for _ in range(number)]
    rows = [
        (session, f"{session} p{number:03}", wave, item, score)
        for number, points in enumerate(each)
        for wave, score in zip(waves, points, strict=False)
        for item in items
        if score is not None
    ]
    return pl.DataFrame(rows, schema=KINDS, orient="row")


def cells(both, only_before=0, only_after=0, neither=0):
    rows = [("yes", "yes", both), ("yes", "no", only_before), ("no", "yes", only_after), ("no", "no", neither)]
    return pl.DataFrame(rows, schema={"before": pl.String, "after": pl.String, "count": pl.Int64}, orient="row")


def told_of(scores, items=TEN_POINTS, policy=DFE, answers=None):
    """The evaluation, and what may be told of it; without answers given, all answered both times."""
    found = evaluate(scores, items)
    counts = cells(found.gain["n_pairs"].item()) if answers is None else answers
    return found, what_may_be_told(found, counts, items, policy)


def mean_row(pairs, before, after, up=None, down=0):
    """One row of a gain, of which only the means and the changes matter."""
    up = pairs if up is None else up
    row = {"n_pairs": pairs, "mean_pre": before, "mean_post": after, "mean_change": after - before}
    return pl.DataFrame([row | {"n_up": up, "n_same": pairs - up - down, "n_down": down}], schema_overrides=MEANS)


MEANS = {"mean_pre": pl.Float64, "mean_post": pl.Float64, "mean_change": pl.Float64}


# A mean that is a count in another form.


def test_mean_of_one_question_of_one_point_would_tell_how_many_were_right():
    # 3 of 40 right before: the mean 0.075 × 40 = 3, which the counts of the question hide.
    found, told = told_of(people((3, 1, 1), (17, 0, 1), (20, 0, 0)), asked(maximum=1))
    assert found.gain["mean_pre"].item() * 40 == pytest.approx(3)
    assert (told.pairs, told.means, told.gain, told.questions, told.once) == (True, False, False, True, False)
    assert pairs_to_tell(told, found, [], courses())[0].is_empty()
    assert effect_sizes_to_tell(told, found.effect_sizes, found.gain).is_empty()
    assert assumptions_to_tell(told, found.assumptions).is_empty()
    assert answered_once_to_tell(told, found.answered_once).is_empty()


@pytest.mark.parametrize(("highest", "shown"), [(4, False), (5, True)])
def test_means_are_shown_from_a_scale_of_five_points(highest, shown):
    assert means_tell_no_count(mean_row(40, 2.0, 3.0), 0, highest, DFE) is shown
    assert means_tell_no_count(mean_row(40, 12.0, 13.0), 10, 10 + highest, DFE) is shown


def test_of_four_questions_of_one_point_the_counts_are_shown_without_means():
    items = asked(questions=4, maximum=1)
    scores = pl.concat([people((20, 0, 1), (20, 0, 0), items=("Q0", "Q1")), people((40, 0, 0), items=("Q2", "Q3"))])
    found, told = told_of(scores, items)
    assert (told.pairs, told.means, told.gain, told.questions) == (True, False, True, True)
    overall, by_session = pairs_to_tell(told, found, [knowledge_gain(scores, items, by=("session",))], courses())[:2]
    shown = {name: value for name, value in overall.row(0, named=True).items() if value is not None}
    assert shown == {"n_pairs": 40, "n_up": 20, "n_same": 20, "n_down": 0}
    assert by_session.is_empty()


@pytest.mark.parametrize("missing", [0, 1, 5, 6])
@pytest.mark.parametrize("end", ["all points before", "no point before", "all points after", "no point after"])
def test_mean_next_to_the_end_of_the_scale_would_tell_how_many_are_not_there(missing, end):
    # 40 pairs on a scale of 4 to 14: a mean of 13.975 says 40 × 0.025 = 1 point is missing, so one person is not at 14.
    away = missing / 40
    near = 14 - away if end.startswith("all") else 4 + away
    row = mean_row(40, near, 9.0) if end.endswith("before") else mean_row(40, 9.0, near)
    assert means_tell_no_count(row, 4, 14, DFE) is (missing in (0, 6))


@pytest.mark.parametrize(("missing", "shown"), [(7, False), (8, True)])
def test_how_near_the_end_a_mean_may_lie_is_a_matter_of_the_policy(missing, shown):
    assert means_tell_no_count(mean_row(40, 5.0, 10 - missing / 40), 0, 10, NHS) is shown


def test_mean_that_is_hidden_anyway_takes_nothing_with_it():
    few = mean_row(9, 5.0, 10 - 1 / 9)
    assert means_tell_no_count(few, 0, 10, DFE)
    assert means_tell_no_count(pl.concat([few, mean_row(40, 5.0, 8.0)]), 0, 10, DFE)
    assert not means_tell_no_count(mean_row(10, 5.0, 9.9), 0, 10, DFE)


@pytest.mark.parametrize(("nearly", "shown"), [(9.9, False), (9.4, True)])
def test_estimate_next_to_the_end_of_the_scale_would_tell_how_many_are_not_there(nearly, shown):
    # 10 × 0.1 = 1 point is missing; 10 × 0.6 = 6 are.
    means = pl.DataFrame({"who": ["a", "b"], "n": [10, 40], "estimate": [nearly, 5.0]})
    assert means_tell_no_count(means, 0, 10, DFE) is shown


@pytest.mark.parametrize(("changed", "shown"), [(0, True), (1, False), (5, False), (6, True)])
@pytest.mark.parametrize("falls", [False, True])
def test_mean_of_pairs_of_whom_few_changed_would_tell_how_they_did(changed, shown, falls):
    # 3 of 40 changed by 1, hidden: the mean change 0.075 × 40 = 3 points, gained by 3 people at most.
    up, down = (0, changed) if falls else (changed, 0)
    assert means_tell_no_count(mean_row(40, 5.0, 5 + (up - down) / 40, up, down), 0, 10, DFE) is shown


@pytest.mark.parametrize(
    ("rose", "fell", "shown"),
    [(20, 0, True), (20, 1, False), (20, 4, False), (20, 5, True), (20, 6, True), (4, 20, False), (37, 0, False)],
)
def test_mean_and_spread_would_tell_how_many_fell_where_they_leave_no_room(rose, fell, shown):
    # All change by 1: Σd² − |Σd| = (rose + fell) − |rose − fell|, and each that goes against the others adds 2 at
    # least. 20 rose and 4 fell: 24 − 16 = 8, so 4 fell at most, and the mark promises 1 to 5. Of 37 rises and 3 alike
    # the difference is 0: all changed by 0 or 1, and 40 − 37 = 3 stayed the same.
    found = evaluate(people((rose, 5, 6), (fell, 5, 4), (40 - rose - fell, 5, 5)), TEN_POINTS)
    assert found.squares == rose + fell
    assert means_tell_no_count(found.gain, 0, 10, DFE, squares=found.squares) is shown
    # Of one session the interval tells the squares: standard error² × n (n − 1) + n × mean².
    assert means_tell_no_count(found.gain, 0, 10, DFE) is shown
    assert means_tell_no_count(found.gain.drop("standard_error", "lower", "upper"), 0, 10, DFE)


def test_spread_of_small_changes_takes_the_means_away():
    found, told = told_of(people((8, 5, 6), (2, 5, 4), (30, 5, 5)))
    assert found.squares == 8 * 1 + 2 * 1  # less 6, the sum of the changes, leaves 4: 2 fell at most
    assert not told.means
    wide, may = told_of(people((8, 5, 8), (2, 5, 2), (30, 5, 5)))
    assert wide.squares == 8 * 9 + 2 * 9  # less 18 leaves 72: that many could have fallen
    assert may.means


# One table beside another.


def test_question_that_is_the_whole_test_would_be_told_by_its_mean():
    # The score is this question: 40 × mean before = 120 points, from which the counts that are shown leave the hidden.
    _, told = told_of(people((40, 3, 6)))
    assert (told.means, told.gain, told.questions) == (True, True, False)
    _, of_two = told_of(people((40, 3, 6), items=("Q0", "Q1")), asked(questions=2))
    assert (of_two.means, of_two.gain, of_two.questions) == (True, True, True)


def test_pairs_that_the_table_of_answers_hides_would_be_told_by_every_other_table():
    scores = people((40, 3, 6), (12, 4, None), (12, None, 7))
    found, told = told_of(scores, answers=cells(None, 12, 12))
    assert (told.pairs, told.means, told.gain, told.questions, told.once) == (False,) * 5
    groups = [knowledge_gain(scores, TEN_POINTS, by=("session",))]
    tables = [*pairs_to_tell(told, found, groups, courses()), *thirds_to_tell(told, found)]
    tables += [assumptions_to_tell(told, found.assumptions), answered_once_to_tell(told, found.answered_once)]
    assert all(table.is_empty() for table in tables)


@pytest.mark.parametrize(
    ("only_before", "only_after", "shown"),
    [
        *[(0, 0, True), (1, 0, False), (9, 0, False), (10, 0, True), (0, 1, False), (0, 9, False), (0, 10, True)],
        *[(10, 9, False), (9, 10, False), (10, 10, True), (None, 0, False), (10, None, False)],
    ],
)
def test_means_of_all_would_tell_how_few_answered_once(only_before, only_after, shown):
    # 40 pairs gained 2.0; with 3 who answered once and gained nothing, 40 × 2.0 ÷ 43 = 1.86: 2.0 ÷ 1.86 = 43 ÷ 40.
    answers = cells(40, only_before, only_after)
    assert enough_answered_once(answers, 10) is shown
    assert told_of(people((40, 3, 6)), answers=answers)[1].once is shown


def test_few_who_answered_once_leave_the_ways_of_working_out_that_need_none_of_them():
    scores = people((20, 3, 6), (20, 4, 8), (3, 5, None))
    found, told = told_of(scores, answers=cells(40, 3))
    kept = assumptions_to_tell(told, found.assumptions)["assumption"].to_list()
    assert kept == [name for name in found.assumptions["assumption"] if name in OF_PAIRS]
    assert PERSONS in kept
    assert answered_once_to_tell(told, found.answered_once).is_empty()


def test_many_who_answered_once_are_told_of():
    scores = people((20, 3, 6), (10, 4, 8), (10, 4, 7), (12, 5, None))
    found, told = told_of(scores, answers=cells(40, 12))
    kept = assumptions_to_tell(told, found.assumptions)["assumption"].to_list()
    assert {LIKELY, HALF, NONE, WORST, BEST} < set(kept)
    # Before 20 × 3 + 20 × 4 = 140, after 20 × 6 + 10 × 8 + 10 × 7 = 270; nobody answered after alone.
    assert answered_once_to_tell(told, found.answered_once).select("n", "estimate").rows() == [
        *((40, 3.5), (12, 5.0), (40, 6.75), (0, None))
    ]


@pytest.mark.parametrize(("lower_ones", "shown"), [(0, 4), (1, 0), (5, 0), (6, 4)])
def test_mean_of_those_who_answered_once_would_tell_how_many_had_not_all_points(lower_ones, shown):
    # 11 of 12 had 10 points and one 9: 9.92 × 12 = 119 points, one fewer than all could have.
    scores = people((40, 3, 6), (12 - lower_ones, None, 10), (lower_ones, None, 9))
    found, told = told_of(scores, answers=cells(40, 0, 12))
    assert told.once
    assert answered_once_to_tell(told, found.answered_once).height == shown


def test_rank_biserial_would_tell_hidden_rises_and_falls():
    # 30 rose by 3, 2 fell by 3: rank-biserial (30 − 2) ÷ (30 + 2) = 0.875; the mean change 2.1 × 40 = 84 = 3 × 28.
    # 28 ÷ 0.875 = 32 changed: (32 + 28) ÷ 2 = 30 rose and 2 fell, though all three counts are hidden.
    found, told = told_of(people((30, 4, 7), (2, 7, 4), (8, 5, 5)))
    rank = DEFINITIONS["rank_biserial"]
    full = dict(found.effect_sizes.select("definition", "estimate").iter_rows())
    assert (told.means, full[rank]) == (True, 0.875)
    hidden = suppress(pairs_to_tell(told, found, [], courses()), DFE)[0].frame()
    assert hidden["n_up"].to_list() == [None]
    left = effect_sizes_to_tell(told, found.effect_sizes, hidden)["definition"].to_list()
    assert left == [name for name in DEFINITIONS.values() if name != rank]
    assert effect_sizes_to_tell(told, found.effect_sizes, found.gain)["definition"].to_list() == list(full)
    assert rank not in effect_sizes_to_tell(told, found.effect_sizes, found.gain.clear())["definition"]


def test_estimates_in_full_digits_would_tell_the_whole_numbers_they_are_made_of():
    # 0.9784810126582278 = 1 − 2 × 34 ÷ 3,160, and 3,160 = 79 × 80 ÷ 2: 79 of 87 pairs changed. 0.98 says no such thing.
    found, told = told_of(people((40, 3, 6)))
    digits = {"n": [87], "estimate": [1 - 2 * 34 / 3160], "lower": [0.71749], "upper": [1.23501]}
    sizes = effect_sizes_to_tell(told, pl.DataFrame({"definition": [DEFINITIONS["g_av"]]} | digits), found.gain)
    assumed = assumptions_to_tell(told, pl.DataFrame({"assumption": [HEADLINE]} | digits))
    once = answered_once_to_tell(told, pl.DataFrame({"who": ["All"]} | digits))
    for table in (sizes, assumed, once):
        assert table.drop(table.columns[0]).row(0) == (87, 0.98, 0.72, 1.24)


@pytest.mark.parametrize("policy", ROUNDED.values(), ids=ROUNDED)
def test_effect_sizes_beside_rounded_counts_would_tell_the_exact_ones(policy):
    found, told = told_of(people((30, 3, 6), (30, 4, 8)), policy=policy)
    assert told.means
    assert effect_sizes_to_tell(told, found.effect_sizes, found.gain).is_empty()
    assert assumptions_to_tell(told, found.assumptions).height > 0


# Tables of groups.


def courses():
    """No table of courses."""
    return gain_by_course(people((1, 3, 6)).with_columns(course=pl.lit("Core")), TEN_POINTS).clear()


def test_groups_show_raw_means_and_no_interval_that_invites_a_ranking():
    scores = pl.concat([people((20, 3, 6), (20, 4, 8)), people((20, 2, 6), (20, 5, 6), session="s2")])
    found, told = told_of(scores)
    overall, group, none = pairs_to_tell(told, found, [knowledge_gain(scores, TEN_POINTS, by=("session",))], courses())
    assert group.columns == ["session", "n_pairs", *MEANS, "n_up", "n_same", "n_down"]
    assert group.rows() == [("s1", 40, 3.5, 7.0, 3.5, 40, 0, 0), ("s2", 40, 3.5, 6.0, 2.5, 40, 0, 0)]
    # How many answered before, and after, stands in the table of answers, which is protected by itself.
    assert not {"n_pre", "n_post"} & set(overall.columns)
    assert {"lower", "upper", "verdict"} < set(overall.columns)
    assert none.is_empty()


def test_mean_of_a_group_that_is_a_count_takes_the_groups_away_and_not_the_whole():
    # 9.975 × 40: one of the second session is not at 10. With the first session 40 × 10 + 40 × 5 are far from the end.
    scores = pl.concat([people((40, 3, 5)), people((39, 6, 10), (1, 6, 9), session="s2")])
    found, told = told_of(scores)
    overall, group, _ = pairs_to_tell(told, found, [knowledge_gain(scores, TEN_POINTS, by=("session",))], courses())
    assert (overall.height, group.height) == (1, 0)


@pytest.mark.parametrize(("each", "shown"), [(9, 0), (10, 3)])
def test_names_of_thirds_would_tell_scores_of_too_few_pairs(each, shown):
    # "Middle: 4" of hidden means still says that somebody had exactly 4.
    found, told = told_of(people((each, 3, 6), (each, 4, 7), (each, 5, 8)))
    overall, thirds = thirds_to_tell(told, found)
    assert (overall.height, thirds.height) == (1, shown)
    assert found.by_starting_score["starting_score"].to_list() == ["Lowest: 3 or less", "Middle: 4", "Top: 5 or more"]
    assert thirds.columns == ["starting_score", "n_pairs", *MEANS, "n_up", "n_same", "n_down"]


def two_courses():
    """120 pairs, 3 of them in another course with the same questions."""
    of_course = [people((82, 4, 7), (35, 4, 6)), people((1, 4, 7), (2, 4, 6), session="s2")]
    return pl.concat(
        one.with_columns(pl.lit(name).alias("course")) for one, name in zip(of_course, ("Core", "Neglect"), strict=True)
    )


def test_course_that_holds_nearly_all_pairs_would_tell_of_the_others():
    # 120 × 2.691667 = 323 points gained in all, 117 × 2.700855 = 316 in one course: the other 3 gained (323 − 316) ÷ 3.
    scores = two_courses()
    by_course = gain_by_course(scores, TEN_POINTS)
    found, told = told_of(scores)
    assert found.gain["mean_change"].item() == pytest.approx(323 / 120)
    assert by_course["mean_change"].to_list() == pytest.approx([316 / 117, 7 / 3])
    overall, together = (safe.frame() for safe in suppress(pairs_to_tell(told, found, [], by_course), DFE))
    assert "n_pre" not in together.columns
    shown = [overall["mean_change"].item(), together["mean_change"][0]]
    assert None in shown
    assert together["mean_change"][1] is None
    sizes = [overall["n_pairs"].item(), together["n_pairs"][0]]
    assert None in sizes
    assert together["n_pairs"][1] is None


def test_single_course_is_the_gain_said_again():
    scores = people((40, 3, 6)).with_columns(course=pl.lit("Core"))
    found, told = told_of(scores)
    assert pairs_to_tell(told, found, [], gain_by_course(scores, TEN_POINTS))[1].is_empty()


@pytest.mark.parametrize(("step", "shown"), [(1, False), (3, True)])
def test_interval_of_a_course_would_tell_how_many_fell_where_it_leaves_no_room(step, shown):
    # 8 rose by 1, 2 fell by 1: Σd = 40 × 0.15 = 6, and of the one session Σd² = 0.0763763² × 40 × 39 + 40 × 0.15² = 10.
    # Each fall adds 2 or more to Σd² − Σd = 4: 2 fell at most, and the mark promises 1 to 5. By 3: 90 − 18 = 72.
    one = people((8, 5, 5 + step), (2, 5, 5 - step), (30, 5, 5)).with_columns(course=pl.lit("Core"))
    other = people((14, 3, 6), (14, 4, 2), (12, 2, 2), session="s2").with_columns(course=pl.lit("Neglect"))
    scores = pl.concat([one, other])
    found, told = told_of(scores)
    assert told.means
    together = pairs_to_tell(told, found, [], gain_by_course(scores, TEN_POINTS))[1]
    assert together.height == (2 if shown else 0)


# Weeks later.

THREE = [OF_ALL_THREE.format(name) for name in COMPARISONS]


@pytest.mark.parametrize(
    ("before_later", "after_later", "all_three", "pairs", "kept"),
    [
        (50, 60, 40, 100, [BEFORE_LATER, AFTER_LATER, *THREE]),  # 10, 20 and 60 apart
        (41, 60, 40, 100, THREE),  # one more: 41 × mean − 40 × mean is that person's score
        (49, 60, 40, 100, THREE),
        (60, 49, 40, 100, THREE),
        (40, 60, 40, 100, [BEFORE_LATER, AFTER_LATER, *THREE]),  # the same people: nothing to take apart
        (40, 40, 40, 100, THREE),  # all the same people: each comparison said once
        (50, 60, 40, 41, []),  # 41 pairs, 40 of them later as well: the one who did not answer again
        (50, 60, 40, 49, []),
        (50, 60, 40, 50, [BEFORE_LATER, AFTER_LATER, *THREE]),
        (50, 60, 40, 40, [BEFORE_LATER, AFTER_LATER, *THREE]),  # all pairs answered again
    ],
)
def test_means_of_nearly_the_same_people_would_tell_of_the_few(before_later, after_later, all_three, pairs, kept):
    sizes = [before_later, after_later, all_three, all_three, all_three]
    gains = pl.DataFrame({"comparison": [BEFORE_LATER, AFTER_LATER, *THREE], "n_pairs": sizes})
    assert told_apart(gains, pairs, 10)["comparison"].to_list() == kept
    assert told_apart(gains.clear(), pairs, 10).is_empty()


def weeks_later(due, not_due=0, *, shown_places=True, policy=DFE):
    """What may be told of the follow-up of one session, beside pairs of another that is not due yet."""
    early = people((not_due, 3, 6), session="s2")
    found, told = told_of(pl.concat([due, early]), policy=policy)
    pairs = found.gain["n_pairs"].item()
    places = pl.DataFrame({"district": ["North", "South"], "n_pairs": [pairs, 0 if shown_places else None]})
    retention, gains = follow_up_retention(due, TEN_POINTS), follow_up_gains(due, TEN_POINTS)
    kept, changes = follow_up_to_tell(told, retention, gains, pairs, [places])
    assert not {"n_pre", "n_post"} & set(changes.columns)
    return kept.height, changes["comparison"].to_list()


AGAIN = people((60, 3, 6, 5), (40, 4, 7, None))


def test_follow_up_that_tells_of_nobody_is_shown():
    assert weeks_later(AGAIN) == (1, THREE)


@pytest.mark.parametrize(("not_due", "shown"), [(1, False), (3, False), (9, False), (10, True)])
def test_pairs_of_sessions_that_were_due_would_tell_of_the_few_in_one_that_was_not(not_due, shown):
    # 103 pairs on the page, 100 of them in sessions that were due: 3 answered on a day that everybody knows.
    assert weeks_later(AGAIN, not_due) == ((1, THREE) if shown else (0, []))


def test_pairs_of_sessions_that_were_due_would_tell_a_hidden_place():
    # The district of the sessions that were due: its hidden pairs are the denominator of the retention.
    assert weeks_later(AGAIN, 10, shown_places=False) == (0, [])


def test_follow_up_that_nobody_answered_has_no_table():
    assert weeks_later(people((60, 3, 6))) == (0, [])


def test_few_pairs_that_did_not_answer_again_would_be_told_by_the_means():
    # 103 pairs less 100 that answered again: 3 people, and their mean from the two means.
    assert weeks_later(people((100, 3, 6, 5), (3, 4, 7, None))) == (1, [])


@pytest.mark.parametrize(("silent", "shown"), [(0, THREE), (3, []), (9, []), (10, THREE)])
def test_few_who_did_not_answer_again_would_be_told_beside_the_district_that_was_due(silent, shown):
    # 50 more pairs are not due, so all pairs are far more. But the district that was due has a row of its own: 100
    # pairs, mean 3.91 before and 6.85 after; 97 answered again, 4.0 and 7.0. The other 3: (391 − 388) ÷ 3 = 1 before,
    # (685 − 679) ÷ 3 = 2 after.
    due = people((100 - silent, 4, 7, 6), (silent, 1, 2, None))
    assert weeks_later(due, 50) == (1, shown)


def test_mean_at_follow_up_that_is_a_count_leaves_the_shares_alone():
    # 59 × 10 + 9 = 599 points of 600: one of those who answered again had not all points.
    assert weeks_later(people((59, 3, 6, 10), (1, 3, 6, 9), (40, 4, 7, None))) == (1, [])


def test_without_means_no_follow_up_is_told():
    assert weeks_later(people((3, 5, 6, 6), (97, 5, 5, 5))) == (0, [])


@pytest.mark.parametrize(
    ("without", "rows"), [(3, [(REAL, 120)]), (9, [(REAL, 120)]), (10, [(REAL, 110), (THEN, 110)])]
)
def test_ratings_of_nearly_all_would_tell_of_those_who_did_not_say_what_they_were_then(without, rows):
    # 3 of 120: 120 × 8.391667 − 117 × 8.401709 = 1007 − 983 = 24, so these 3 rated themselves 8 before.
    scores = people((120 - without, 4, 7, 3), (without, 8, 9, None), waves=("pre", "post", "then"))
    found = rating_gains(scores, TEN_POINTS, fewest=10)
    assert found.select("comparison", "n_pairs").rows() == rows


# Hiding others rather than the pairs.


def answers_of(*counts):
    total = pl.DataFrame([("Total", "Total", sum(counts))], schema=cells(0).schema, orient="row")
    return pl.concat([cells(*counts), total])


NOT_THE_PAIRS = pl.concat_str("before", "after").is_in(["yesno", "noyes", "nono"])


@pytest.mark.parametrize("policy", [DFE, NHS], ids=["dfe", "nhs"])
def test_pairs_stay_shown_where_a_small_number_beside_them_is_hidden(policy):
    table = answers_of(65, 5, 4, 30)
    shown = suppress(table, policy, previous=rather_hidden(table, NOT_THE_PAIRS, policy)).frame()
    assert shown.filter(pl.col("before") == "yes", pl.col("after") == "yes")["count"].item() == 65
    assert shown.filter(pl.col("before") != pl.col("after"))["count"].to_list() == [None, None]


def test_pairs_stay_shown_where_one_number_is_small():
    # 4 answered only after; a second number must be hidden with it, or 104 less the others is 4. Not the 65.
    table = answers_of(65, 12, 4, 30)
    shown = suppress(table, DFE, previous=rather_hidden(table, NOT_THE_PAIRS, DFE)).frame()
    assert shown["count"][0] == 65
    assert shown["count"][2] is None
    assert shown["count"].null_count() >= 2


@pytest.mark.parametrize("policy", [Policy.round5(), Policy.round10()], ids=["round5", "round10"])
def test_where_all_is_rounded_nothing_is_rather_hidden(policy):
    assert rather_hidden(answers_of(65, 5, 4, 30), NOT_THE_PAIRS, policy) == []


def test_rows_that_are_rather_hidden_say_nothing_themselves():
    (hidden,) = rather_hidden(answers_of(65, 5, 4, 30), NOT_THE_PAIRS, DFE)
    rows = [("yes", "no", None, "[c]"), ("no", "yes", None, "[c]"), ("no", "no", None, "[c]")]
    assert hidden.frame().rows() == rows


def margins(policy, *counts):
    """Answered before, did not; answered after, did not: as they are added to the suppressed answers."""
    table = answers_of(*counts)
    safe = suppress(table, policy, previous=rather_hidden(table, NOT_THE_PAIRS, policy))
    return with_margins(safe.frame(), policy).tail(4)["count"].to_list()


def test_margins_stand_where_all_their_parts_do():
    assert margins(DFE, 65, 12, 9, 30) == [77, 39, 74, 42]


def test_margins_of_which_both_have_a_hidden_part_are_hidden():
    assert margins(DFE, 65, 5, 4, 30) == [None] * 4


def test_margin_that_the_other_leaves_of_all_is_filled_in():
    # Before: 40 answered, and of the 21 who did not both parts are hidden; 61 − 40 is what anybody can take away.
    rows = [("yes", "yes", 30, ""), ("yes", "no", 10, ""), ("no", "yes", None, "[c]"), ("no", "no", None, "[c]")]
    table = pl.DataFrame(
        [*rows, ("Total", "Total", 61, "")], schema=cells(0).schema | {"mark": pl.String}, orient="row"
    )
    assert with_margins(table, DFE).tail(4).rows() == [
        *(("yes", "Total", 40, ""), ("no", "Total", 21, "")),
        *(("Total", "yes", None, "[c]"), ("Total", "no", None, "[c]")),
    ]


def test_margin_of_rounded_counts_would_print_a_small_number_that_is_hidden():
    # 67 of whom 7 answered only after: 65 is shown of all and 60 of those before. 65 − 60 = 5 would stand for the 7.
    table = answers_of(40, 20, 7, 0)
    safe = suppress(table, NHS, previous=rather_hidden(table, NOT_THE_PAIRS, NHS)).frame()
    assert safe["count"].to_list() == [40, 20, None, 0, 65]
    with_all = Safe(with_margins(safe, NHS), NHS).frame()
    assert with_all.tail(4).rows() == [
        *(("yes", "Total", 60, ""), ("no", "Total", None, "*")),
        *(("Total", "yes", None, "*"), ("Total", "no", 20, "")),
    ]


def test_margins_are_not_filled_in_where_all_are_hidden():
    rows = [("yes", "yes", 40, ""), ("yes", "no", None, "[c]"), ("no", "yes", 0, ""), ("no", "no", 0, "")]
    table = pl.DataFrame(
        [*rows, ("Total", "Total", None, "[c]")], schema=cells(0).schema | {"mark": pl.String}, orient="row"
    )
    assert with_margins(table, DFE).tail(4)["count"].to_list() == [None, 0, 40, None]


@pytest.mark.parametrize(("policy", "base"), [(Policy.round5(), 5), (Policy.round10(), 10)], ids=["round5", "round10"])
def test_margins_of_rounded_counts_are_their_sums(policy, base):
    table = answers_of(65, 7, 4, 31)
    counts = suppress(table, policy).frame()["count"].to_list()
    both, before, after, neither, everybody = counts
    before_all, before_none, after_all, after_none = margins(policy, 65, 7, 4, 31)
    assert (before_all, before_none) == (both + before, after + neither)
    assert (after_all, after_none) == (both + after, before + neither)
    assert before_all + before_none == everybody
    assert all(count % base == 0 for count in counts)


# What stands on the page.


def one_row(**numbers):
    return already_public(pl.DataFrame([{"agency": "A", **numbers}], schema_overrides={"count": pl.Int64}), "By hand")


def test_chart_of_nothing_but_hidden_numbers_gives_way_to_a_sentence():
    picture = object()
    hidden, shown = one_row(count=None, mark="[c]"), one_row(count=9, mark="")
    assert if_shown(shown, "count", picture, "Too few.") is picture
    assert if_shown(hidden, "count", picture, "Too few.").text == "Too few."
    assert if_shown(hidden, "count", picture).text == show_text("").text
    assert if_shown(shown, "mean_change", picture, "Too few.").text == "Too few."
    assert if_shown(already_public(shown.frame().clear(), "By hand"), "count", picture, "None.").text == "None."


def ratings(before, after):
    rows = [
        ("Sure?", wave, str(answer), count)
        for wave, counts in (("before", before), ("after", after))
        for answer, count in enumerate(counts, 1)
    ]
    return pl.DataFrame(rows, schema=["question", "wave", "answer", "count"], orient="row")


def test_answer_given_by_few_would_be_what_the_others_leave_of_all():
    # 50 pairs are known: 50 − 20 − 27 = 3 gave the first answer.
    safe = suppress(with_all_answers(ratings([3, 20, 27], [10, 20, 20])), DFE).frame()
    before = safe.filter(pl.col("wave") == "before", pl.col("answer") != "Total")["count"].to_list()
    assert before[0] is None
    assert before.count(None) >= 2
    sums = with_all_answers(ratings([3, 20, 27], [10, 20, 20])).filter(pl.col("answer") == "Total")
    assert sums.rows() == [("Sure?", "before", "Total", 50), ("Sure?", "after", "Total", 50)]


def test_bar_with_a_part_missing_would_show_its_size():
    shown = pl.concat([ratings([None, 20, None], [10, 20, 20]), ratings([9, 9, 9], [0, 9, 18])]).with_columns(
        question=pl.Series(["a"] * 6 + ["b"] * 6)
    )
    assert wholly_shown(shown)["question"].to_list() == ["b"] * 6
    assert wholly_shown(shown, "wave")["wave"].to_list() == ["after"] * 6
    assert wholly_shown(shown.clear()).is_empty()


def assumed(persons):
    """The mean change in two ways; the headline from 1.0 to 3.0."""
    rows = [(HEADLINE, 40, 2.0, 1.0, 3.0, ""), (PERSONS, 40, 2.0, *persons, "")]
    kinds = {"assumption": pl.String, "n": pl.Int64, **dict.fromkeys(("estimate", "lower", "upper"), pl.Float64)}
    return already_public(pl.DataFrame(rows, schema=kinds | {"mark": pl.String}, orient="row"), "By hand")


WIDER = (
    " Allowing for who was taught together makes the interval narrower here, which is chance where there are few "
    "sessions: rely on the wider one, 0.9 to 3.2."
)


@pytest.mark.parametrize(
    ("persons", "added"),
    [((0.9, 3.2), WIDER), ((1.0, 3.0), ""), ((1.5, 2.5), ""), ((None, None), None)],
    ids=["wider", "as wide", "narrower", "none"],
)
def test_interval_of_single_people_is_to_be_relied_on_where_it_is_the_wider_one(persons, added):
    said = "Worked out in different ways, the mean change is 2.0 points each time."
    assert say_assumptions(assumed(persons)) == ("" if added is None else said + added)


CHART = nbformat.v4.new_output("display_data", data={"text/html": '<figure class="chart">bars</figure>'})
NOTE = nbformat.v4.new_output("display_data", data={"text/html": "<p>Too few.</p>"})


def text_of_page(source, output, below):
    code, markdown = nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell
    cells = [markdown("# Gain"), markdown("## Did it rise?"), code(source, outputs=[output]), markdown(below)]
    return page_html(nbformat.v4.new_notebook(cells=cells), title="Gain", bundle="", navigation=[])


def test_sentence_under_a_chart_that_is_not_there_is_left_out():
    below = "Read the two ends of each line."
    assert below in text_of_page("plot_before_after(safe)", CHART, below)
    without = text_of_page('if_shown(safe, "n_up", plot_before_after(safe))', NOTE, below)
    assert below not in without
    assert "Too few." in without
    assert below in text_of_page("show_text(said)", NOTE, below)


def test_question_behind_a_chart_that_is_not_there_is_still_asked():
    assert "And later?" in text_of_page("plot_before_after(safe)", NOTE, "### And later?")
