"""What is said of knowledge gain: a fall is called a fall, no number that is not there, and nothing that is hidden."""

from __future__ import annotations

import csv
import re
from pathlib import Path

import polars as pl
import pytest

from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.knowledge import at_maximum, knowledge_gain
from safeguarding_analytics.knowledge_sentences import (
    LEARNING,
    REGRESSION,
    REPEATED,
    p_in_words,
    say_answers,
    say_assumptions,
    say_cautions,
    say_comparisons,
    say_effect,
    say_follow_up,
    say_left_open,
    say_left_out,
    say_mean_change,
    say_questions,
    say_shrunken,
    say_starting_scores,
    say_tests,
    say_who_answered_once,
)
from safeguarding_analytics.sizes import ChangeTests, change_tests

SHARED = Path(__file__).parents[2] / "shared"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

HIDDEN = "The figure is hidden because the number is small, or because it would give a small number away."
BECAUSE = "because the number is small, or because it would give a small number away."
ONE_SESSION = (
    "All pairs come from one of the sessions alone: how sessions differ is not known, so the interval is "
    "narrower than it should be."
)
FEW_SESSIONS = (
    "There are few sessions, or few that hold most of the pairs: what they have in common can hardly be told from "
    "chance, so the interval is wide, and may still be too narrow."
)
FEW = "There are fewer than 10 pairs: counts are given where they are not small, no mean and no interval."
WIDE = "There are fewer than 30 pairs: the interval is wide, and one person more could move it."

COUNTS = {"count", "numerator", "denominator", "n"} | {
    f"n_{what}" for what in ("pairs", "pre", "post", "up", "same", "down", "same_high", "same_low", "clusters")
}
TEXTS = {"before", "after", "follow_up", "agency", "definition", "assumption", "who", "question", "wave", "answer"} | {
    *("comparison", "verdict", "starting_score", "mark"),
}


def by_hand(columns, *rows):
    """A table of figures written down here, not worked out by the code that is tested."""
    kinds = {name: pl.String if name in TEXTS else pl.Int64 if name in COUNTS else pl.Float64 for name in columns}
    return already_public(pl.DataFrame(rows, schema=kinds, orient="row"), "By hand")


def answered(*rows, groups=("before", "after")):
    return by_hand((*groups, "count", "mark"), *rows)


def estimates(group, *rows):
    return by_hand((group, "n", "estimate", "lower", "upper", "mark"), *rows)


def shares(*rows, groups=()):
    return by_hand((*groups, "numerator", "denominator", "proportion", "lower", "upper", "mark"), *rows)


def questions(*rows):
    columns = ("question", "n_pairs", "n_up", "n_same_high", "n_same_low", "n_down", "share_before", "share_after")
    return by_hand((*columns, "p_value", "p_holm", "mark"), *rows)


def compared(*rows):
    return by_hand(("comparison", "n_pairs", "mean_change", "lower", "upper", "mark"), *rows)


def groups_of(*rows):
    return by_hand(("agency", "n_pairs", "mean_pre", "mean_post", "mean_change", "shrunken", "mark"), *rows)


def change(
    mean=2.25,
    lower=1.64,
    upper=2.86,
    *,
    pairs=1001,
    before=10.0,
    up=(700, 201, 100),
    clusters=24,
    freedom=20.0,
    verdict=None,
    error=0.3,
    answered=(None, None),
):
    row = {
        "n_pairs": pairs,
        "mean_pre": None if mean is None else before,
        "mean_post": None if mean is None else before + mean,
        "mean_change": mean,
        "lower": lower,
        "upper": upper,
        **dict(zip(("n_pre", "n_post"), answered, strict=True)),
        **dict(zip(("n_up", "n_same", "n_down"), up, strict=True)),
        "n_clusters": clusters,
        "degrees_of_freedom": freedom,
        "standard_error": error,
        "verdict": verdict,
        "mark": "",
    }
    return by_hand(tuple(row), tuple(row.values()))


def say(table, **more):
    return say_mean_change(table, unit="points out of 20", **more)


def numbers_said(text):
    return re.findall(r"\d[\d.,]*\d|\d", text)


# Who answered. 52 = 40 + 12, 45 = 40 + 5, 60 = 40 + 12 + 5 + 3; 40 ÷ 52 = 76.9%.

WHO = (
    ("Total", "Total", 60, ""),
    ("no", "Total", 8, ""),
    ("no", "no", 3, ""),
    ("no", "yes", 5, ""),
    ("Total", "no", 15, ""),
    ("Total", "yes", 45, ""),
    ("yes", "Total", 52, ""),
    ("yes", "no", 12, ""),
    ("yes", "yes", 40, ""),
)
SAID = (
    "Of 60 attendances, 52 answered before and 45 after; 40 answered both times (77% of those who answered before). "
    "12 answered only before and 5 only after: their gain is not known."
)


def test_answers_are_said_from_attending_to_answering_twice():
    assert say_answers(answered(*WHO)) == SAID


def test_answers_of_people_who_do_not_stand_in_the_bookings_are_said_to_be_so():
    assert say_answers(answered(*WHO), attended=False).startswith("Of 60 who attended or answered, 52 answered before")


def test_answers_at_follow_up_are_not_said_to_be_after():
    assert say_answers(answered(*WHO), second="at follow-up") == (
        "Of 60 attendances, 52 answered before and 45 at follow-up; 40 answered both times (77% of those who answered "
        "before). 12 answered only before and 5 only at follow-up: their gain is not known."
    )


def test_nobody_who_answered_once_is_not_mentioned():
    none = [(*row[:2], 0 if row[:2] in (("yes", "no"), ("no", "yes")) else row[2], "") for row in WHO]
    assert say_answers(answered(*none)).endswith("40 answered both times (77% of those who answered before).")


def test_hidden_numbers_of_those_who_answered_once_are_not_said():
    hidden = [(*row[:2], None, "[c]") if row[:2] == ("no", "yes") else row for row in WHO]
    assert say_answers(answered(*hidden)) == (
        "Of 60 attendances, 52 answered before and 45 after; 40 answered both times (77% of those who answered before)."
    )


def with_hidden(hidden):
    return answered(*((*row[:2], None, "[c]") if row[:2] == hidden else row for row in WHO))


@pytest.mark.parametrize("hidden", [("Total", "Total"), ("yes", "yes")])
def test_hidden_answers_are_said_to_be_hidden(hidden):
    assert say_answers(with_hidden(hidden)) == f"How many of those who attended answered is hidden {BECAUSE}"


@pytest.mark.parametrize("hidden", [("yes", "Total"), ("Total", "yes")])
def test_hidden_number_of_those_who_answered_one_time_leaves_the_pairs(hidden):
    # 40 ÷ 60 = 66.7%
    assert say_answers(with_hidden(hidden)) == "Of 60 attendances, 40 answered both times (67%)."


def test_nobody_who_answered_before_has_no_share():
    rows = [("Total", "Total", 9, ""), ("yes", "Total", 0, ""), ("Total", "yes", 7, ""), ("yes", "yes", 0, "")]
    assert say_answers(answered(*rows)) == ("Of 9 attendances, 0 answered before and 7 after; 0 answered both times.")


def test_small_numbers_of_answers_that_were_hidden_are_never_said():
    # 40 + 12 + 3 + 11 = 66; the 3 is hidden, and another number that would give it away
    cells = {("yes", "yes"): 40, ("yes", "no"): 12, ("no", "yes"): 3, ("no", "no"): 11}
    before = {one: sum(count for (each, _), count in cells.items() if one in (each, "Total")) for one in ("yes", "no")}
    after = {one: sum(count for (_, each), count in cells.items() if one in (each, "Total")) for one in ("yes", "no")}
    rows = [(*names, count) for names, count in cells.items()]
    rows += [(one, "Total", count) for one, count in before.items()]
    rows += [("Total", one, count) for one, count in after.items()]
    table = pl.DataFrame([*rows, ("Total", "Total", 66)], schema=["before", "after", "count"], orient="row")
    said = say_answers(suppress(table, Policy.dfe()))
    assert "3 only after" not in said
    assert "3 answered" not in said


def left_open(*rows):
    return by_hand(("wave", "count", "mark"), *rows)


def test_questionnaires_left_open_are_said_by_when_they_were_answered():
    assert say_left_open(left_open(("before", 1200, ""), ("after", 0, ""))) == (
        "Questionnaires with a question left open, which make no score: 1,200 before and 0 after."
    )


def test_hidden_number_of_questionnaires_left_open_is_not_said():
    said = say_left_open(left_open(("before", 12, ""), ("after", None, "[c]")))
    assert numbers_said(said) == ["12"]
    assert said.endswith(": 12 before and a hidden number after.")


def test_questionnaires_that_are_all_complete_are_said_to_be():
    assert say_left_open(left_open(("before", 0, ""), ("after", 0, ""))) == (
        "No questionnaire had a question left open."
    )
    assert say_left_open(left_open()) == ""


# The change


def test_rise_is_said_with_its_interval_and_who_rose_and_fell():
    # 700 ÷ 1,001 = 69.9%, 201 ÷ 1,001 = 20.1%, 100 ÷ 1,001 = 10.0%
    assert say(change()) == (
        "In 1,001 pairs of answers, before and after, scores rose by 2.3 points out of 20 on average "
        "(95% interval 1.6 to 2.9, allowing for 24 sessions). 700 (70%) rose, 201 (20%) stayed the same, 100 (10%) "
        "fell."
    )


def test_fall_is_called_a_fall():
    assert say(change(-1.26, -2.0, -0.52, up=(100, 201, 700))) == (
        "In 1,001 pairs of answers, before and after, scores fell by 1.3 points out of 20 on average "
        "(95% interval −2.0 to −0.5, allowing for 24 sessions). 100 (10%) rose, 201 (20%) stayed the same, 700 (70%) "
        "fell. Scores fell: the whole interval lies below 0."
    )


def test_second_answer_may_be_that_of_a_follow_up():
    assert say(change(), when="before and at follow-up").startswith(
        "In 1,001 pairs of answers, before and at follow-up, scores rose by 2.3 points out of 20 on average"
    )


def test_interval_names_what_it_allows_for():
    assert "allowing for 24 clusters)" in say(change(), clusters="clusters")
    assert "(95% interval 1.6 to 2.9)." in say(change(clusters=None))


def test_interval_of_one_session_alone_says_so():
    assert "(95% interval 1.6 to 2.9, of people taught together once, which it cannot allow for)." in say(
        change(clusters=1)
    )


@pytest.mark.parametrize(
    ("mean", "words"),
    [(0.0, "stayed, at a change of 0.0"), (0.04, "changed by less than 0.1"), (-0.04, "changed by less than 0.1")],
)
def test_change_that_is_printed_as_nought_is_neither_a_rise_nor_a_fall(mean, words):
    assert say(change(mean, -0.5, 0.04)) == (
        f"In 1,001 pairs of answers, before and after, scores {words} points out of 20 on average "
        "(95% interval −0.5 to 0.0, allowing for 24 sessions). 700 (70%) rose, 201 (20%) stayed the same, 100 (10%) "
        "fell."
    )


def test_hidden_ups_and_downs_are_not_said():
    assert say(change(up=(None, None, None))) == (
        "In 1,001 pairs of answers, before and after, scores rose by 2.3 points out of 20 on average "
        "(95% interval 1.6 to 2.9, allowing for 24 sessions)."
    )


def test_shares_of_those_who_rose_are_given_from_thirty_pairs_on():
    # 15 ÷ 30 = 50%, 9 ÷ 30 = 30%, 6 ÷ 30 = 20%
    assert say(change(pairs=30, up=(15, 9, 6))).endswith("15 (50%) rose, 9 (30%) stayed the same, 6 (20%) fell.")
    assert say(change(pairs=29, up=(14, 9, 6))).endswith("14 rose, 9 stayed the same, 6 fell.")


def test_row_is_that_of_the_groups_that_are_named_and_else_the_total():
    rows = [
        ("Health", 40, 1.5, 1.0, 2.0, 3, ""),
        ("Police", 50, -2.5, -3.0, -2.0, 4, ""),
        ("Total", 90, 0.5, 0.1, 0.9, 7, ""),
    ]
    table = by_hand(("agency", "n_pairs", "mean_change", "lower", "upper", "n_clusters", "mark"), *rows)
    assert say(table, where={"agency": "Police"}) == (
        "In 50 pairs of answers, before and after, scores fell by 2.5 points out of 20 on average "
        "(95% interval −3.0 to −2.0, allowing for 4 sessions). Scores fell: the whole interval lies below 0."
    )
    assert say(table).startswith("In 90 pairs")
    with pytest.raises(ParameterError, match="0 rows of the table have agency Housing"):
        say(table, where={"agency": "Housing"})


VERDICTS = {
    "clearly at least": "the change is clearly at least that.",
    "clearly less": "the change is clearly less than that.",
    "could be either": "the change could be more or less than that.",
}
WAYS = {
    "beforehand": "The board said beforehand that 2 points would matter: ",
    "default": "The board fixed no gain beforehand; by default, one question right, it is taken that 2 points would "
    "matter: ",
    "run": "For this page, and not beforehand, it was set that 2 points would matter: ",
}


@pytest.mark.parametrize("verdict", VERDICTS)
@pytest.mark.parametrize("fixed", WAYS)
def test_verdict_says_who_fixed_the_gain_that_matters_and_when(verdict, fixed):
    sentence = say(change(verdict=verdict), meaningful_gain=2.0, fixed=fixed)
    assert sentence.endswith(f"100 (10%) fell. {WAYS[fixed]}{VERDICTS[verdict]}")


@pytest.mark.parametrize(("verdict", "gain"), [(None, 2.0), ("could be either", None)])
def test_without_a_gain_that_matters_or_an_interval_there_is_no_verdict(verdict, gain):
    assert "would matter" not in say(change(verdict=verdict), meaningful_gain=gain)


def test_mean_that_would_be_a_small_count_in_another_form_is_not_said():
    # of 50 pairs on a scale of 0 and 1 a mean of 0.04 would be 2 people
    said = say(change(), plain=False)
    assert said.startswith(
        "No mean is shown: the scale has so few points, so few people are not at its end, or so few changed,"
    )
    assert numbers_said(said) == []


def test_gain_that_matters_may_be_one_point():
    assert "that 1 point would matter" in say(change(verdict="clearly less"), meaningful_gain=1.0)


def test_gain_that_matters_may_be_a_fraction_of_a_point():
    assert "that 1.5 points would matter" in say(change(verdict="clearly less"), meaningful_gain=1.5)


# Ugly cases


def test_nobody_who_answered_is_nothing_to_measure():
    empty = change(None, None, None, pairs=0, up=(0, 0, 0), clusters=0, error=None, answered=(0, 0))
    assert say(empty) == "Nobody answered, at either time: there is nothing to measure."


def test_answers_without_a_pair_say_nothing_about_a_gain():
    alone = change(None, None, None, pairs=0, up=(0, 0, 0), clusters=0, error=None, answered=(1200, 2))
    assert say(alone) == (
        "Nobody answered both before and after (1,200 the first time, 2 the second), so nothing can be said about a "
        "gain."
    )
    unknown = change(None, None, None, pairs=0, up=(0, 0, 0), clusters=0, error=None)
    assert say(unknown, when="before and at follow-up") == (
        "Nobody answered both before and at follow-up, so nothing can be said about a gain."
    )


@pytest.mark.parametrize(
    ("pairs", "up", "sentence"),
    [
        (1, (1, 0, 0), "1 pair of answers, before and after: too few for an interval, so no mean is given. 1 rose, 0 "),
        (
            2,
            (1, 1, 0),
            "2 pairs of answers, before and after: too few for an interval, so no mean is given. 1 rose, 1 ",
        ),
        (
            8,
            (0, 2, 6),
            "8 pairs of answers, before and after: too few for an interval, so no mean is given. 0 rose, 2 ",
        ),
        (
            9,
            (0, 2, 7),
            "9 pairs of answers, before and after: too few for an interval, so no mean is given. 0 rose, 2 ",
        ),
    ],
)
def test_fewer_than_ten_pairs_are_counted_and_no_mean_is_said(pairs, up, sentence):
    table = change(-0.75, None, None, pairs=pairs, up=up, clusters=1, error=None)
    assert say(table, meaningful_gain=1.0) == f"{sentence}stayed the same, {up[2]} fell."


def test_ten_pairs_are_enough_for_a_mean():
    table = change(-0.75, -1.14, -0.36, pairs=10, up=(0, 3, 7), clusters=1)
    assert say(table) == (
        "In 10 pairs of answers, before and after, scores fell by 0.8 points out of 20 on average "
        "(95% interval −1.1 to −0.4, of people taught together once, which it cannot allow for). 0 rose, 3 stayed the "
        "same, 7 fell. Scores fell: the whole interval lies below 0."
    )


def test_score_of_nobody_that_changed_is_no_gain_and_no_fall():
    table = change(0.0, None, None, pairs=1200, up=(0, 1200, 0), error=0.0)
    assert say(table, maximum=20) == (
        "Nobody's score changed (1,200 pairs of answers, before and after): no gain and no fall, and no spread to make "
        "an interval of."
    )


@pytest.mark.parametrize(
    ("gain", "words"),
    [(1.0, "gained exactly 1 point"), (-1.0, "lost exactly 1 point"), (0.5, "gained exactly 0.5 points")],
)
def test_equal_changes_have_no_spread_and_no_interval(gain, words):
    table = change(gain, None, None, pairs=40, up=(40, 0, 0) if gain > 0 else (0, 0, 40), error=0.0)
    assert say(table, meaningful_gain=1.0) == (
        f"Everybody {words} (40 pairs of answers, before and after): no spread, so there is no interval."
    )


def test_all_points_both_times_are_a_test_too_easy():
    table = change(0.0, None, None, pairs=40, before=20.0, up=(0, 40, 0), error=0.0)
    assert say(table, maximum=20) == (
        "Everybody had all 20 points both times (40 pairs of answers, before and after): the test is too easy to show "
        "a gain."
    )


def test_all_points_afterwards_may_hide_a_larger_gain():
    table = change(2.0, 0.5, 3.5, pairs=40, before=18.0, up=(30, 10, 0), verdict="could be either")
    assert say(table, maximum=20, meaningful_gain=2.0) == (
        "In 40 pairs of answers, before and after, scores rose by 2.0 points out of 20 on average "
        "(95% interval 0.5 to 3.5, allowing for 24 sessions). 30 (75%) rose, 10 (25%) stayed the same, 0 (0%) fell. "
        "Everybody had all points afterwards: the true gain may be larger than this test can show. "
        "The board said beforehand that 2 points would matter: the change could be more or less than that."
    )


def test_sessions_that_all_moved_alike_give_no_interval():
    # two sessions of 20, each with ten who gained 2 and ten who gained nothing: both means are 1
    table = change(1.0, None, None, pairs=40, up=(20, 20, 0), clusters=2, error=None)
    assert say(table) == (
        "In 40 pairs of answers, before and after, scores rose by 1.0 points out of 20 on average. Every one of the "
        "sessions moved alike, which is too little spread for an interval. 20 (50%) rose, 20 (50%) stayed the same, "
        "0 (0%) fell."
    )


def test_mean_of_few_people_is_hidden_and_not_said():
    row = {"n_pairs": 8, "mean_change": 2.0, "lower": 1.0, "upper": 3.0}
    few = suppress(pl.DataFrame([row]), Policy.dfe())
    assert say(few) == "8 pairs of answers, before and after: too few for a mean to be shown."


def test_hidden_change_is_said_to_be_hidden():
    row = {"n_pairs": 3, "mean_change": 2.0, "lower": 1.0, "upper": 3.0}
    assert say(suppress(pl.DataFrame([row]), Policy.dfe())) == HIDDEN
    assert say(suppress(pl.DataFrame([row]).clear(), Policy.dfe())) == HIDDEN


# The same from answers: the eleven ugly cases handed over beside the project, out of 10 points.

UGLY = {
    "ugly_empty": "Nobody answered, at either time: there is nothing to measure.",
    "ugly_no_pairs": "Nobody answered both before and after (2 the first time, 2 the second), so nothing can be said "
    "about a gain.",
    "ugly_n1": "1 pair of answers, before and after: too few for an interval, so no mean is given. 1 rose, 0 stayed "
    "the same, 0 fell.",
    "ugly_n2": "2 pairs of answers, before and after: too few for an interval, so no mean is given. 1 rose, 1 stayed "
    "the same, 0 fell.",
    "ugly_all_zero": "Nobody's score changed (5 pairs of answers, before and after): no gain and no fall, and no "
    "spread to make an interval of.",
    "ugly_constant_scores": "Nobody's score changed (6 pairs of answers, before and after): no gain and no fall, and "
    "no spread to make an interval of.",
    "ugly_constant_gain": "Everybody gained exactly 1 point (4 pairs of answers, before and after): no spread, so "
    "there is no interval.",
    "ugly_all_ceiling": "Everybody had all 10 points both times (8 pairs of answers, before and after): the test is "
    "too easy to show a gain.",
    "ugly_post_ceiling": "8 pairs of answers, before and after: too few for an interval, so no mean is given. 6 rose, "
    "2 stayed the same, 0 fell. Everybody had all points afterwards: the true gain may be larger than this test can "
    "show.",
    "ugly_fall": "8 pairs of answers, before and after: too few for an interval, so no mean is given. 0 rose, 2 stayed "
    "the same, 6 fell.",
    # t = 0 on 69 degrees of freedom; 1.9949 × 0.65938 ÷ √70 = 0.157
    "ugly_pratt_ties": "In 70 pairs of answers, before and after, scores stayed, at a change of 0.0 points out of 10 "
    "on average (95% interval −0.2 to 0.2, of people taught together once, which it cannot allow for). 15 (21%) rose, "
    "40 (57%) stayed the same, 15 (21%) fell.",
}
ITEMS = pl.DataFrame({"item": ["Q1"], "minimum": [0.0], "maximum": [10.0], "reversed": [False], "kind": ["choice"]})


def scores_of(name):
    kinds = {"session": pl.String, "person": pl.String, "wave": pl.String, "item": pl.String, "score": pl.Float64}
    with (SHARED / "data" / "evaluation" / "csv" / f"{name}.csv").open(encoding="utf-8", newline="") as file:
        rows = [
            ("S1", line["id"], wave, "Q1", float(line[wave]))
            for line in csv.DictReader(file)
            for wave in ("pre", "post")
            if line[wave] not in ("", "NA")
        ]
    return pl.DataFrame(rows, schema=kinds, orient="row")


@needs_shared
@pytest.mark.parametrize("name", UGLY)
def test_ugly_answers_get_their_sentence(name):
    gain = already_public(knowledge_gain(scores_of(name), ITEMS), "By hand")
    assert say_mean_change(gain, unit="points out of 10", maximum=10) == UGLY[name]


@needs_shared
@pytest.mark.parametrize("name", UGLY)
def test_ugly_answers_of_few_people_say_no_number_that_is_hidden(name):
    safe = suppress(knowledge_gain(scores_of(name), ITEMS), Policy.dfe())
    row = safe.frame().row(0, named=True)
    shown = {f"{value:g}" for column, value in row.items() if isinstance(value, int | float) and column != "mark"}
    said = say_mean_change(safe, unit="points", maximum=10)
    if row["n_pairs"] is None or row["n_pairs"] < 10:
        assert set(numbers_said(said)) <= shown


# What to keep in mind


def test_three_cautions_hold_whatever_the_gain_is():
    # 3 ÷ 60 = 5%
    assert say_cautions(change(pairs=60), shares(("before", 3, 60, 0.05, 0.01, 0.14, ""), groups=("wave",))) == [
        LEARNING,
        REPEATED,
        "3 of 60 had all points before (5%) and could not gain.",
    ]


def test_learning_is_not_practice_and_repeating_raises_scores():
    assert "not evidence that practice changed" in LEARNING
    assert "without a comparison group" in LEARNING
    # R package ShinyItemAnalysis: 20 questions, twice
    assert "45 students who took a test of 20 questions twice" in REPEATED
    assert "gained 0.8 on average, those who had begun lowest 2.2" in REPEATED


@pytest.mark.parametrize(
    ("numerator", "words"),
    [
        (15, "15 of 100 had all points before (15.0%) and could not gain."),  # not more than 15%
        (16, "16 of 100 had all points before (16.0%) and could not gain: the test was too easy to show more."),
    ],
)
def test_test_is_too_easy_where_more_than_15_per_cent_had_all_points_before(numerator, words):
    # Terwee et al. 2007, Journal of Clinical Epidemiology 60:34: ceiling effects above 15%
    table = shares(("before", numerator, 100, numerator / 100, 0.1, 0.2, ""), groups=("wave",))
    assert say_cautions(change(pairs=100), table)[2] == words


def test_nobody_at_the_maximum_is_said_to_be_nobody():
    table = shares(("before", 0, 60, 0.0, 0.0, 0.06, ""), groups=("wave",))
    assert say_cautions(change(pairs=60), table)[2:] == ["Nobody had all points before, so everybody could gain."]


def test_score_of_ratings_alone_is_no_test_of_knowledge():
    assert say_cautions(change(pairs=60), shares(groups=("wave",)), tested=False) == [
        "No question has a right answer: the score is the sum of ratings, and shows how sure people feel, no "
        "knowledge.",
        LEARNING,
        REPEATED,
    ]


def test_hidden_share_at_the_maximum_is_not_said():
    hidden = shares(("before", None, None, None, None, None, "[c]"), groups=("wave",))
    assert say_cautions(change(pairs=60), hidden) == [LEARNING, REPEATED]
    assert say_cautions(change(pairs=60), shares(groups=("wave",))) == [LEARNING, REPEATED]


@pytest.mark.parametrize(
    ("pairs", "clusters", "said"),
    [
        (0, 0, []),
        (9, 2, [FEW]),
        (10, 2, [WIDE]),
        (29, 2, [WIDE]),
        (30, 2, []),
        (30, 1, [ONE_SESSION]),
        (29, 1, [ONE_SESSION, WIDE]),
        (None, 2, []),
    ],
)
def test_few_pairs_and_one_session_are_said_where_they_hold(pairs, clusters, said):
    nothing = shares(groups=("wave",))
    assert say_cautions(change(pairs=pairs, clusters=clusters), nothing) == [LEARNING, REPEATED, *said]


@pytest.mark.parametrize(("freedom", "said"), [(3.9, [FEW_SESSIONS]), (4.0, [])])
def test_few_sessions_are_said_below_four_degrees_of_freedom(freedom, said):
    # Pustejovsky & Tipton 2018: below 4 the approximation of Satterthwaite fails
    table = change(pairs=60, clusters=5, freedom=freedom)
    assert say_cautions(table, shares(groups=("wave",))) == [LEARNING, REPEATED, *said]


def test_cautions_name_what_the_interval_allows_for():
    found = [
        say_cautions(table, shares(groups=("wave",)), clusters="clusters")[2]
        for table in (change(clusters=1), change(freedom=2.0))
    ]
    assert found == [ONE_SESSION.replace("sessions", "clusters"), FEW_SESSIONS.replace("sessions", "clusters")]


@pytest.mark.parametrize(("clusters", "freedom"), [(1, None), (2, None)])
def test_nothing_is_said_of_an_interval_that_is_not_there(clusters, freedom):
    table = change(2.0, None, None, pairs=9, clusters=clusters, freedom=freedom)
    assert say_cautions(table, shares(groups=("wave",))) == [LEARNING, REPEATED, FEW]


def test_cautions_of_a_table_without_rows_are_those_that_always_hold():
    empty = already_public(change().frame().clear(), "By hand")
    assert say_cautions(empty, shares(groups=("wave",))) == [LEARNING, REPEATED]


@needs_shared
def test_cautions_of_answers_that_could_not_rise():
    # 2 of 8 began with all 10 points: 25%
    found = scores_of("ugly_post_ceiling")
    gain, highest = (already_public(of(found, ITEMS), "By hand") for of in (knowledge_gain, at_maximum))
    assert "2 of 8 had all points before (25%) and could not gain: the test was too easy to show more." in say_cautions(
        gain, highest
    )


# Chance


def test_tests_say_which_they_are_and_what_they_leave_out():
    assert say_tests(ChangeTests(0.00283, 0.000001, wilcoxon_exact=True), change()) == (
        "Rises against falls: exact sign test p = 0.003; by size of the change, Wilcoxon's signed ranks (exact) "
        "p < 0.001. Neither allows for people taught together."
    )
    assert "(normal approximation) p = 0.041" in say_tests(ChangeTests(0.5, 0.0412, wilcoxon_exact=False), change())


def test_sign_test_stands_alone_where_there_is_no_other():
    assert say_tests(ChangeTests(1.0, None, None), change()) == (
        "Rises against falls: exact sign test p = 1.000. Neither allows for people taught together."
    )


@pytest.mark.parametrize(
    "table",
    [
        change(up=(None, None, None)),
        change(pairs=9, up=(9, 0, 0)),
        change(pairs=None, up=(None, None, None)),
        already_public(change().frame().clear(), "By hand"),
    ],
    ids=["rises hidden", "few pairs", "all hidden", "no row"],
)
def test_tests_of_hidden_counts_are_not_said(table):
    assert say_tests(ChangeTests(0.5, 0.5, wilcoxon_exact=True), table) == ""


def test_nobody_who_changed_is_no_test():
    assert say_tests(ChangeTests(None, None, None), change()) == ""


@needs_shared
def test_as_many_rises_as_falls_are_no_evidence():
    # scipy issue 10223: 15 up, 40 the same, 15 down must have p = 1
    found = scores_of("ugly_pratt_ties")
    assert say_tests(change_tests(found, ITEMS), already_public(knowledge_gain(found, ITEMS), "By hand")) == (
        "Rises against falls: exact sign test p = 1.000; by size of the change, Wilcoxon's signed ranks (exact) "
        "p = 1.000. Neither allows for people taught together."
    )


@pytest.mark.parametrize(
    ("p", "words"), [(1.0, "p = 1.000"), (0.0314, "p = 0.031"), (0.001, "p = 0.001"), (0.000999, "p < 0.001")]
)
def test_chance_has_three_decimals(p, words):
    assert p_in_words(p) == words


# Effect sizes


def test_effect_is_named_by_its_definition():
    table = estimates("definition", ("g_av: …", 60, 0.4567, 0.301, 0.612, ""), ("d_z: …", 60, 0.9, 0.7, 1.1, ""))
    assert say_effect(table) == (
        "Set against how widely scores spread from person to person, the change is 0.46 of that spread (95% interval "
        "0.30 to 0.61). Compare it only with what was worked out in the same way."
    )


def test_effect_of_a_fall_is_negative_and_may_have_no_interval():
    assert say_effect(estimates("definition", ("g_av: …", 60, -0.4567, None, None, ""))) == (
        "Set against how widely scores spread from person to person, the change is −0.46 of that spread. Compare it "
        "only with what was worked out in the same way."
    )


@pytest.mark.parametrize("rows", [(), (("g_av: …", 60, None, None, None, "[c]"), ("d_z: …", 60, 0.9, 0.7, 1.1, ""))])
def test_effect_that_is_not_shown_is_not_said(rows):
    assert say_effect(estimates("definition", *rows)) == ""


# Questions. Of Q2 8 fell and 2 rose, of Q3 4 and 3, of Q4 5 and 1, of Q5 20 and 5.


def question(name, up, down, holm, pairs=60):
    return (name, pairs, up, 10, pairs - 10 - up - down, down, 0.5, 0.5, holm, holm, "")


def test_questions_that_rose_and_those_that_fell_are_said():
    table = questions(
        question("Q1", 20, 2, 0.001),
        question("Q2", 2, 8, 0.3),
        question("Q3", 3, 4, 1.0),
        question("Q4", 1, 5, 0.4),
        question("Q5", 5, 20, 0.01),
        question("Q6", 9, 3, 0.06),
    )
    assert say_questions(table) == (
        "Of 6 questions, 1 rose and 1 fell by more than chance would explain. Too little changed to tell a rise from "
        'chance in these: "Q6" (3 newly wrong or lower, 9 newly right or higher). More people fell than rose most in '
        "these: "
        '"Q5" (20 newly wrong or lower, 5 newly right or higher), "Q2" (8 newly wrong or lower, 2 newly right or '
        'higher) and "Q4" (5 newly wrong or lower, 1 newly right or higher).'
    )


def test_questions_of_which_none_fell_are_said_to_be_so():
    assert say_questions(questions(question("Q1", 20, 2, 0.001))) == (
        "Of 1 question, 1 rose and 0 fell by more than chance would explain. In none of them did more people fall than "
        "rise."
    )


def test_question_that_fell_beyond_chance_has_not_risen():
    assert say_questions(questions(question("Q1", 2, 20, 0.001))) == (
        "Of 1 question, 0 rose and 1 fell by more than chance would explain. More people fell than rose in these: "
        '"Q1" (20 newly wrong or lower, 2 newly right or higher).'
    )


def test_ratings_among_the_questions_are_said_to_be_ratings():
    rating = ("Q2", 60, 30, 10, 14, 6, None, None, 0.001, 0.001, "")  # it has no share that is right
    assert say_questions(questions(question("Q1", 20, 2, 0.001), rating)) == (
        "Of 1 question, 1 rose and 0 fell by more than chance would explain; of 1 rating, 1 rose and 0 fell. In none "
        "of them did more people fall than rise."
    )
    assert say_questions(questions(rating)).startswith("Of 1 question, 1 rose and 0 fell")  # a score of ratings


def test_hidden_rating_is_known_by_its_name():
    hidden = ("Q2", 60, None, None, None, None, None, None, None, None, "[c]")
    table = questions(question("Q1", 20, 2, 0.001), hidden)
    assert say_questions(table).startswith("Of 2 questions, 1 can be shown: 1 rose and 0 fell by more than chance")
    said = say_questions(table, rated=["Q2", "Q9"])
    assert said.startswith("Of 1 question, 1 rose and 0 fell by more than chance would explain; of 1 rating, 0 can be")
    assert "Q2" not in said


def test_questions_that_hardly_changed_are_named_three_at_most():
    hardly = [question(f"Q{at}", 9 + at, 9, 1.0) for at in range(4)]
    assert say_questions(questions(question("Q9", 20, 2, 0.001), *hardly)) == (
        "Of 5 questions, 1 rose and 0 fell by more than chance would explain. Too little changed to tell a rise from "
        'chance, for instance, in these: "Q0" (9 newly wrong or lower, 9 newly right or higher), "Q1" (9 newly wrong '
        'or lower, 10 newly right or higher) and "Q2" (9 newly wrong or lower, 11 newly right or higher). In none of '
        "them did more people fall than rise."
    )


def test_questions_without_a_shown_count_are_hidden():
    hidden = ("Q1", 60, None, None, None, None, None, None, None, None, "[c]")
    assert say_questions(questions(hidden)) == HIDDEN
    assert say_questions(questions(hidden, question("Q2", 9, 1, 0.02))).startswith(
        "Of 2 questions, 1 can be shown: 1 rose and 0 fell by more than chance would explain"
    )
    assert "Q1" not in say_questions(questions(hidden, question("Q2", 9, 1, 0.02)))


def test_no_question_is_nothing_to_say():
    assert say_questions(questions()) == ""


def test_small_falls_of_a_question_that_were_hidden_are_never_said():
    counts = {"question": ["Q1", "Q2"], "n_pairs": [60, 60], "n_up": [2, 20], "n_same_high": [40, 20]}
    counts |= {"n_same_low": [14, 14], "n_down": [4, 6]}
    counts |= {"share_before": [44 / 60, 26 / 60], "share_after": [42 / 60, 40 / 60], "p_holm": [0.7, 0.02]}
    said = say_questions(suppress(pl.DataFrame(counts), Policy.dfe()))
    assert "Q1" not in said
    assert "4 newly wrong" not in said


# Weeks later, and ratings


def test_follow_up_says_first_who_answered_again():
    retained = shares((41, 60, 41 / 60, 0.55, 0.79, ""))  # 41 ÷ 60 = 68.3%
    gains = compared(
        ("Before to follow-up", 41, 1.26, 0.4, 2.14, ""), ("After to follow-up", 41, -0.96, -1.5, -0.46, "")
    )
    assert say_follow_up(retained, gains, unit="points out of 20") == (
        "Of 60 who answered before and after where a follow-up was due, 41 (68%) answered again; the others may "
        "differ. Weeks later, scores had fallen. "
        "Before to follow-up: scores rose by 1.3 points out of 20 on average (95% interval 0.4 to 2.1), 41 "
        "pairs. After to follow-up: scores fell by 1.0 points out of 20 on average (95% interval −1.5 to −0.5), 41 "
        "pairs."
    )


def test_follow_up_of_few_people_says_no_mean():
    retained = shares((8, 60, 8 / 60, 0.07, 0.24, ""))
    gains = compared(
        ("Before to follow-up", 8, None, None, None, ""), ("After to follow-up", None, None, None, None, "")
    )
    assert say_follow_up(retained, gains, unit="points").endswith(
        "8 (13%) answered again; the others may differ. Before to follow-up: too few answers for a mean to be shown. "
        "After to follow-up: too few answers for a mean to be shown."
    )


def three_times(since, left, day=("Before to after", 41, 4.0, 3.0, 5.0, "")):
    """The first two rows are of other people, and are not said beside those that add up."""
    rows = [
        (f"{name}, of those who answered all three times", *row)
        for name, *row in (day, ("Before to follow-up", 41, *left, ""), ("After to follow-up", 41, *since, ""))
    ]
    others = [("Before to follow-up", 45, 1.9, 1.0, 2.8, ""), ("After to follow-up", 44, -2.2, -3.0, -1.4, "")]
    return compared(*others, *rows)


def test_follow_up_says_how_much_of_the_gain_the_same_people_lost():
    # 2 ÷ 4 is half
    assert say_follow_up(None, three_times((-2.0, -3.0, -1.0), (2.0, 1.0, 3.0))) == (
        "Weeks later, scores had fallen: about half of the gain on the day was lost. Before to after, of those who "
        "answered all three times: scores rose by 4.0 points on average (95% interval 3.0 to 5.0), 41 pairs. After to "
        "follow-up, of those who answered all three times: scores fell by 2.0 points on average (95% interval −3.0 to "
        "−1.0), 41 pairs. Before to follow-up, of those who answered all three times: scores rose by 2.0 points on "
        "average (95% interval 1.0 to 3.0), 41 pairs."
    )


@pytest.mark.parametrize(
    ("since", "said"),
    [
        ((-1.2, -2.0, -0.4), "Weeks later, scores had fallen: less than half of the gain on the day was lost. "),
        ((-2.8, -4.0, -1.6), "Weeks later, scores had fallen: more than half of the gain on the day was lost. "),
        ((-4.0, -5.0, -3.0), "Weeks later, scores had fallen: all of the gain on the day was lost. "),
        ((-0.5, -1.0, 0.0), "Weeks later, it is not clear whether scores had fallen, risen or stayed. "),
        ((0.5, -0.2, 1.2), "Weeks later, it is not clear whether scores had fallen, risen or stayed. "),
        ((1.0, 0.5, 1.5), "Weeks later, scores had risen further. "),
        ((-1.0, None, None), "Before to after"),
    ],
)
def test_follow_up_calls_a_fall_a_fall_only_beyond_its_interval(since, said):
    assert say_follow_up(None, three_times(since, (2.0, 1.0, 3.0))).startswith(said)


def test_no_share_of_a_gain_that_is_not_clear_is_lost():
    day = ("Before to after", 41, 0.5, -0.5, 1.5, "")
    assert say_follow_up(None, three_times((-2.0, -3.0, -1.0), (-1.5, -3.0, 0.0), day)).startswith(
        "Weeks later, scores had fallen. Before to after"
    )


def test_changes_of_all_three_of_which_one_is_hidden_are_not_summed_up():
    said = say_follow_up(None, three_times((None, None, None), (2.0, 1.0, 3.0)))
    assert said.startswith("Weeks later, scores had fallen. Before to follow-up: scores rose by 1.9 points")
    assert "half" not in said
    assert say_follow_up(None, compared()) == ""


def test_no_follow_up_is_said_to_be_none():
    assert say_follow_up(shares(), compared(), unit="points") == (
        "No follow-up was due, nobody answered it, or what can be said of it would tell of few people."
    )


def test_follow_up_of_nobody_who_answered_twice_has_no_share():
    assert say_follow_up(shares((0, 0, None, None, None, "")), compared(), unit="points") == (
        "Of 0 who answered before and after where a follow-up was due, 0 answered again; the others may differ."
    )


def test_hidden_follow_up_says_no_number():
    table = pl.DataFrame(
        {"numerator": [3], "denominator": [60], "proportion": [0.05], "lower": [0.01], "upper": [0.14]}
    )
    assert say_follow_up(suppress(table, Policy.dfe()), compared(), unit="points") == (
        f"How many answered at follow-up is hidden {BECAUSE}"
    )


def test_ratings_are_compared_a_sentence_each():
    table = compared(("Rated before and after", 60, 0.04, -0.1, 0.2, ""), ("Looking back", 1, 1.5, None, None, ""))
    assert say_comparisons(table, unit="points out of 10") == (
        "Rated before and after: scores changed by less than 0.1 points out of 10 on average (95% interval −0.1 to "
        "0.2), 60 pairs. Looking back: scores rose by 1.5 points out of 10 on average, 1 pair."
    )
    assert say_comparisons(compared(), unit="points") == ""


def ratings(*rows):
    return by_hand(("question", "wave", "answer", "count", "mark"), *rows)


def test_ratings_with_a_hidden_number_are_named_as_left_out():
    table = ratings(
        ("How sure?", "before", "1", 10, ""),
        ("How ready?", "before", "1", None, "[c]"),
        ("How ready?", "after", "1", None, "[c]"),
        ("How often?", "after", "2", None, "[c]"),
    )
    assert say_left_out(table) == (
        'Not drawn, because a number in them is small, or would give a small one away: "How ready?" and "How often?".'
    )


def test_ratings_that_are_shown_are_said_to_be_higher_or_lower():
    def answered(name, before, after):
        """How many gave the answers 1 and 2, each time, and all."""
        waves = (("before", before), ("after", after))
        counts = [(wave, answer, some) for wave, two in waves for answer, some in zip("12", two, strict=True)]
        return [(name, *count, "") for count in (*counts, *((wave, "Total", 30) for wave, _ in waves))]

    hidden = [("How ready?", "before", "1", None, "[c]"), ("How ready?", "before", "2", 11, "")]
    table = ratings(
        *answered("How sure?", (20, 10), (10, 20)),
        *answered("How often?", (10, 20), (20, 10)),
        *answered("How well?", (15, 15), (15, 15)),
        *answered("How soon?", (20, 10), (19, 11)),
        *hidden,
    )
    assert say_questions(table, second="at follow-up") == (
        'Higher answers at follow-up than before, on average, to: "How sure?" and "How soon?". Lower answers at '
        'follow-up than before, on average, to: "How often?". As high answers at follow-up as before, on average, to: '
        '"How well?".'
    )
    assert say_questions(ratings(*hidden)) == say_questions(ratings()) == ""


def test_ratings_that_are_all_shown_leave_nothing_out():
    assert say_left_out(ratings(("How sure?", "before", "1", 10, ""))) == ""
    assert say_left_out(ratings()) == ""


# Those who answered once

ASSUMED = (
    ("Pairs", 60, 2.0, 1.5, 2.5, ""),
    ("Likely", 70, 1.8, 1.2, 2.4, ""),
    ("Alone", 60, 2.04, 1.7, 2.3, ""),
)
BOUNDS = (("Worst", 70, -1.26, None, None, ""), ("Best", 70, 4.31, None, None, ""))


def test_assumptions_give_a_range_and_the_bounds():
    assert say_assumptions(estimates("assumption", *ASSUMED, *BOUNDS)) == (
        "Worked out in different ways, the mean change runs from 1.8 to 2.0 points. If those who answered once had all "
        "done as badly, or all as well, as they could, it would be −1.3 or 4.3 points: without an assumption about "
        "them the answers cannot say more."
    )


def test_assumptions_without_bounds_give_the_range_alone():
    assert say_assumptions(estimates("assumption", *ASSUMED)) == (
        "Worked out in different ways, the mean change runs from 1.8 to 2.0 points."
    )


def test_ways_that_agree_give_no_range():
    same = [(name, 60, 2.04, 1.5, 2.5, "") for name in ("Pairs", "Likely")]
    assert say_assumptions(estimates("assumption", *same)) == (
        "Worked out in different ways, the mean change is 2.0 points each time."
    )


@pytest.mark.parametrize("rows", [(), ASSUMED[:1], (ASSUMED[0], *BOUNDS), (("Pairs", 60, None, None, None, "[c]"),)])
def test_one_way_alone_is_no_range(rows):
    assert say_assumptions(estimates("assumption", *rows)) == ""


def test_those_who_answered_once_are_set_beside_the_others():
    twice = ("Before: of those who answered twice", 60, 12.04, 11.0, 13.0, "")
    apart, near = (("Before: of those who answered only before", 20, 9.96, 8.0, upper, "") for upper in (10.9, 11.0))
    assert say_who_answered_once(estimates("who", twice, apart)) == (
        "Those who answered only before had 10.0 points before, on average (95% interval 8.0 to 10.9), "
        "those who answered twice 12.0 points before, on average (95% interval 11.0 to 13.0): "
        "they differ, so the gain of the pairs need not be that of everybody."
    )
    assert say_who_answered_once(estimates("who", twice, near)).endswith(": no clear difference.")


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (("Before: twice", 60, 12.0, 11.0, 13.0, ""),),
        (("Before: twice", 60, 12.0, 11.0, 13.0, ""), ("Before: once", None, None, None, None, "[c]")),
        (("Before: twice", 60, 12.0, 11.0, 13.0, ""), ("Before: once", 10, 12.0, None, None, "")),
    ],
)
def test_those_who_answered_once_are_not_compared_where_a_number_is_missing(rows):
    assert say_who_answered_once(estimates("who", *rows)) == ""


# Groups


def test_groups_are_said_by_their_range_and_never_ranked():
    table = groups_of(
        ("Health", 40, 10.0, 13.04, 3.04, 2.51, ""),
        ("Police", 50, 10.0, 9.5, -0.5, 1.04, ""),
        ("Housing", None, None, None, None, None, "[c]"),
        ("Total", 96, 10.0, 11.8, 1.8, 9.9, ""),
    )
    said = say_shrunken(table, plural="agencies")
    assert said == (
        "Among the 2 agencies with enough answers, the average change runs from −0.5 to 3.0 points; "
        "once chance is allowed for, from 1.0 to 2.5. This is no ranking."
    )
    assert not any(name in said for name in ("Health", "Police", "Housing"))


def test_groups_of_the_same_mean_change_do_not_differ():
    table = groups_of(("Health", 40, 10.0, 12.0, 2.0, 2.0, ""), ("Police", 50, 10.0, 12.0, 2.0, 2.0, ""))
    assert say_shrunken(table, plural="agencies") == (
        "Among the 2 agencies with enough answers, the average change is the same, 2.0 points."
    )


def test_groups_that_differ_by_chance_alone_are_best_taken_as_one():
    table = groups_of(("Health", 40, 10.0, 12.0, 2.0, 1.82, ""), ("Police", 50, 10.0, 11.5, 1.5, 1.78, ""))
    assert say_shrunken(table, plural="agencies") == (
        "Among the 2 agencies with enough answers, the average change runs from 1.5 to 2.0 points. Chance "
        "alone would make them differ as much, so the best estimate for each of them is 1.8."
    )


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (("Health", 40, 10.0, 12.0, 2.0, 1.8, ""), ("Total", 43, 10.0, 12.0, 2.0, 1.8, "")),
        (("Health", 40, 10.0, 12.0, 2.0, 1.8, ""), ("Police", 8, None, None, None, None, "")),
    ],
)
def test_fewer_than_two_groups_are_not_compared(rows):
    assert say_shrunken(groups_of(*rows), plural="districts") == (
        "Too few districts have enough pairs to compare them."
    )


def test_gains_by_starting_score_come_with_their_warning():
    table = by_hand(("starting_score", "n_pairs", "mean_change", "mark"), ("Lowest", 20, 3.0, ""))
    assert say_starting_scores(table) == REGRESSION
    assert "regression to the mean" in REGRESSION
    assert say_starting_scores(already_public(table.frame().clear(), "By hand")) == ""
