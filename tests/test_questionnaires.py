"""Which questions a course asks, which answers are compared, and which course a page shows."""

from __future__ import annotations

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.questionnaires import (
    answers_to,
    count_of_answers,
    main_course,
    questionnaire_of,
    rated_items,
    scored_items,
    waves_compared,
)

ITEMS = pl.DataFrame(
    {
        "item": ["Q1", "Q2", "Q3", "Q4"],
        "kind": ["choice", "choice", "likert", "choice"],
        "course": ["Neglect", "Thresholds", None, "Neglect"],
    }
)
SAME_FOR_ALL = ITEMS.with_columns(course=pl.lit(None, pl.String))
ANSWERS = pl.DataFrame(
    {
        "course": ["Neglect", "Neglect", "Thresholds", "Thresholds", None, None, None],
        "wave": ["pre", "post", "pre", "follow_up", "post", "follow_up", "then"],
        "score": [1, 3, 2, 5, 4, 6, 0],
    }
)


# Questions


def test_course_asks_its_own_questions_and_those_of_every_course():
    assert questionnaire_of(ITEMS, "Neglect")["item"].to_list() == ["Q1", "Q3", "Q4"]
    assert questionnaire_of(ITEMS, "Thresholds")["item"].to_list() == ["Q2", "Q3"]


def test_all_courses_together_ask_all_questions():
    assert_frame_equal(questionnaire_of(ITEMS), ITEMS)
    assert_frame_equal(questionnaire_of(ITEMS.drop("course"), "Neglect"), ITEMS.drop("course"))


def test_course_that_asks_nothing_is_refused_with_the_courses_that_do():
    with pytest.raises(ParameterError) as caught:
        questionnaire_of(ITEMS.drop_nulls("course"), "Neglekt")
    assert str(caught.value) == (
        'course: no question is asked in "Neglekt". Questions are of: Neglect, Thresholds. Did you mean "Neglect"?'
    )


def test_ratings_are_no_part_of_a_score_unless_there_is_nothing_else():
    assert scored_items(ITEMS)["item"].to_list() == ["Q1", "Q2", "Q4"]
    assert rated_items(ITEMS)["item"].to_list() == ["Q3"]
    alone = ITEMS.filter(kind="likert")
    assert_frame_equal(scored_items(alone), alone)
    assert rated_items(ITEMS.filter(kind="choice")).is_empty()


def test_answers_to_some_questions_stay_in_their_order():
    answers = pl.DataFrame({"item": ["Q3", "Q1", "Q2", "Q1"], "score": [1, 2, 3, 4]})
    assert answers_to(answers, ITEMS.head(1))["score"].to_list() == [2, 4]
    assert answers_to(answers, ITEMS.clear()).is_empty()


# Waves


def test_answers_before_and_after_are_compared_as_they_are():
    assert_frame_equal(waves_compared(ANSWERS), ANSWERS)


def test_answers_at_follow_up_stand_where_those_after_do():
    expected = pl.DataFrame(
        {
            "course": ["Neglect", "Thresholds", "Thresholds", None],
            "wave": ["pre", "pre", "post", "post"],
            "score": [1, 2, 5, 6],
        }
    )
    assert_frame_equal(waves_compared(ANSWERS, "follow_up"), expected)


@pytest.mark.parametrize("wave", ["pre", "then", "later", ""])
def test_wave_that_cannot_be_compared_with_before_is_refused(wave):
    with pytest.raises(ParameterError) as caught:
        waves_compared(ANSWERS, wave)
    assert str(caught.value) == (
        f'wave: the answers that are set against those before are post or follow_up. Found: "{wave}".'
    )


def test_follow_up_that_nobody_answered_is_refused_with_a_next_step():
    with pytest.raises(ParameterError) as caught:
        waves_compared(ANSWERS.filter(pl.col("wave") != "follow_up"), "follow_up")
    assert str(caught.value) == (
        "wave: nobody answered follow_up, so there is nothing to compare with before. Use post."
    )


# The course of a page


def test_page_shows_the_course_that_is_asked_for():
    assert main_course(ANSWERS, ITEMS, "Thresholds") == "Thresholds"
    assert main_course(ANSWERS, SAME_FOR_ALL, "Thresholds") == "Thresholds"


def test_page_shows_the_course_with_most_answers_where_questions_differ():
    most = pl.concat([ANSWERS, ANSWERS.filter(course="Thresholds")])  # 4 answers against 2
    assert main_course(most, ITEMS) == "Thresholds"


def test_of_courses_with_as_many_answers_the_first_by_name_is_shown():
    assert main_course(ANSWERS, ITEMS) == "Neglect"
    assert main_course(ANSWERS.reverse(), ITEMS) == "Neglect"


@pytest.mark.parametrize("items", [SAME_FOR_ALL, ITEMS.drop("course")])
def test_page_shows_all_courses_where_all_ask_the_same(items):
    assert main_course(ANSWERS, items) == ""


def test_page_without_an_answer_shows_no_course():
    assert main_course(ANSWERS.clear(), ITEMS) == ""
    assert main_course(ANSWERS.filter(pl.col("course").is_null()), ITEMS) == ""


def test_course_nobody_answered_for_is_refused_with_those_that_were():
    with pytest.raises(ParameterError) as caught:
        main_course(ANSWERS, ITEMS, "Treshold")
    assert str(caught.value) == (
        'course: no answers belong to "Treshold". Answers are of: Neglect, Thresholds. Did you mean "Thresholds"?'
    )


# Who answered. 52 = 40 + 12

WHO = pl.DataFrame(
    [("yes", "yes", 40), ("yes", "no", 12), ("yes", "Total", 52), ("no", "yes", None), ("Total", "Total", 60)],
    schema={"before": pl.String, "after": pl.String, "count": pl.Int64},
    orient="row",
)


@pytest.mark.parametrize(
    ("where", "count"),
    [
        ({}, 60),
        ({"before": "yes"}, 52),
        ({"before": "yes", "after": "yes"}, 40),
        ({"before": "no", "after": "yes"}, None),  # hidden
        ({"after": "yes"}, None),  # no such row
    ],
)
def test_count_is_that_of_the_answers_named_and_of_all_others_together(where, count):
    assert count_of_answers(WHO, **where) == count
