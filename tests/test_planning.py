"""How small a gain a design can see, and what a report can claim, against integrals, simulation and the calendar."""

import csv
import math
import re
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from scipy import integrate, stats

from safeguarding_analytics.config import Config, EvaluationSection, read_config
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.planning import (
    design_effect,
    design_table,
    evaluation_timetable,
    sessions_needed,
    smallest_gain,
)
from safeguarding_analytics.planning_sentences import (
    say_meaningful_gain,
    say_plan,
    say_smallest_gain,
    say_timetable,
)

PUBLISHED = Path(__file__).parents[1] / "data" / "published"
REPORTS = [date(2011, 7, 1), date(2011, 7, 15)]
CLAIM = "No report can claim practice or outcomes (levels 3 and 4 of Kirkpatrick) from these answers: that needs more "
CLAIM += "than questionnaires."


def power_of(gain, sessions, people, icc=0.05, confidence=0.95):
    """Chance that the interval lies above 0: the normal chance, averaged over what the standard error may be."""
    freedom = sessions - 1 if sessions > 1 else people - 1
    effect = 1 + (people - 1) * icc if sessions > 1 else 1
    shift = gain / math.sqrt(effect / (sessions * people))
    quantile = stats.t.ppf(0.5 + confidence / 2, freedom)

    def weighed(ratio):  # of the estimated to the true standard error: a chi by the root of its degrees of freedom
        density = stats.chi.pdf(ratio * math.sqrt(freedom), freedom) * math.sqrt(freedom)
        return stats.norm.sf(quantile * ratio - shift) * density

    return sum(integrate.quad(weighed, *ends, epsabs=1e-12, limit=200)[0] for ends in ((0, 0.5), (0.5, 1.5), (1.5, 9)))


def kent(kinds=("district_workshop", "extra_date")):
    """Days of the sessions of the published workshop plan; an extra date counts once, as no number is printed."""
    with (PUBLISHED / "kent_workshops_2011.csv").open(encoding="utf-8", newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["kind"] in kinds]
    return [date.fromisoformat(row["date"]) for row in rows for _ in range(int(row["sessions"] or 1))]


# The smallest gain


def test_24_sessions_of_30_see_a_sixth_of_a_standard_deviation():
    # Tables of t: 2.0687 (97.5%) and 0.8583 (80%) with 23 degrees of freedom. Design effect 1 + 29 × 0.05 = 2.45.
    # (2.0687 + 0.8583) × √(2.45 ÷ 720) = 2.9270 × 0.058333 = 0.1707
    assert smallest_gain(24, 30, 1) == pytest.approx(0.1707, rel=1e-3)


def test_one_session_of_30_sees_half_a_standard_deviation():
    # Tables of t: 2.0452 (97.5%) and 0.8542 (80%) with 29 degrees of freedom: 2.8994 ÷ √30 = 0.5294
    assert smallest_gain(1, 30, 1) == pytest.approx(0.5294, rel=1e-3)


@pytest.mark.parametrize("sessions", [1, 2, 3, 5, 12, 24, 200])
@pytest.mark.parametrize(("power", "confidence"), [(0.8, 0.95), (0.5, 0.8), (0.95, 0.99)])
def test_gain_is_seen_with_the_power_asked_for(sessions, power, confidence):
    gain = smallest_gain(sessions, 30, 1, power=power, confidence=confidence)
    assert power_of(gain, sessions, 30, confidence=confidence) == pytest.approx(power, abs=1e-9)


def test_gain_is_seen_in_four_of_five_simulated_programmes_of_three_sessions():
    # 20,000 programmes of 3 sessions of 20; sessions differ by 5% of the variance. The standard error is 0.0028, and
    # with the sum of two quantiles of t as the gain the share would be 0.766.
    random = np.random.default_rng(20110701)
    gain = smallest_gain(3, 20, 1)
    between = random.normal(0, math.sqrt(0.05), (20_000, 3, 1))
    means = (gain + between + random.normal(0, math.sqrt(0.95), (20_000, 3, 20))).mean(axis=2)
    lower = means.mean(axis=1) - stats.t.ppf(0.975, 2) * means.std(axis=1, ddof=1) / math.sqrt(3)
    assert (lower > 0).mean() == pytest.approx(0.8, abs=0.01)


def test_gain_has_the_unit_of_the_standard_deviation():
    assert smallest_gain(24, 30, 3.5) == pytest.approx(3.5 * smallest_gain(24, 30, 1), rel=1e-12)


def test_one_session_knows_nothing_of_how_alike_sessions_are():
    assert smallest_gain(1, 30, 1, icc=0.3) == smallest_gain(1, 30, 1, icc=0)


@pytest.mark.parametrize(("sessions", "people"), [(1, 9), (3, 3), (9, 1), (2, 4.9)])
def test_fewer_than_ten_pairs_see_nothing_because_there_is_no_interval(sessions, people):
    assert smallest_gain(sessions, people, 1) is None


@pytest.mark.parametrize(("sessions", "people"), [(1, 10), (2, 5), (10, 1)])
def test_ten_pairs_see_something(sessions, people):
    gain = smallest_gain(sessions, people, 1)
    assert power_of(gain, sessions, people) == pytest.approx(0.8, abs=1e-9)


@settings(max_examples=50)
@given(
    st.integers(2, 60),
    st.floats(5, 80),
    st.floats(0, 0.5),
    st.floats(0.5, 0.95),
)
def test_more_sessions_more_people_and_less_likeness_see_smaller_gains(sessions, people, icc, power):
    gain = smallest_gain(sessions, people, 1, icc, power=power)
    assert smallest_gain(sessions + 1, people, 1, icc, power=power) < gain
    assert smallest_gain(sessions, people + 1, 1, icc, power=power) <= gain
    assert smallest_gain(sessions, people, 1, icc + 0.01, power=power) > gain
    assert smallest_gain(sessions, people, 1, icc, power=power + 0.01) > gain


def test_design_effect_is_one_where_sessions_have_one_person_or_are_no_more_alike_than_others():
    assert [design_effect(1, 0.5), design_effect(0.5, 0.5), design_effect(30, 0)] == [1, 1, 1]


@pytest.mark.parametrize(("icc", "effect"), [(0.02, 1.98), (0.05, 3.45), (0.1, 5.9)])
def test_design_effect_of_fifty_people(icc, effect):
    assert design_effect(50, icc) == pytest.approx(effect, rel=1e-12)  # 1 + 49 × icc


def test_all_numbers_out_of_range_are_named_at_once():
    with pytest.raises(ParameterError) as caught:
        smallest_gain(0, -1, math.inf, 1, power=0.4, confidence=95)
    assert str(caught.value).splitlines() == [
        "sessions must be a whole number of 1 or more. Found: 0.",
        "pairs_per_session must be a number above 0. Found: -1.",
        "sd_gain must be a number above 0. Found: inf.",
        "icc must be a number from 0 to below 1. Found: 1.",
        "power must be a share from 0.5 to 0.99. Found: 0.4.",
        "confidence must be a share from 0.5 to 0.999. Found: 95.",
    ]


@pytest.mark.parametrize("wrong", [True, "24", 2.5, None, math.nan])
def test_sessions_that_are_no_whole_number_are_refused(wrong):
    with pytest.raises(ParameterError, match="sessions must be a whole number of 1 or more"):
        smallest_gain(wrong, 30, 1)


# The sessions it takes


@pytest.mark.parametrize(("gain", "people", "icc"), [(0.17, 30, 0.05), (0.5, 30, 0.05), (2, 6, 0.1), (0.25, 12.5, 0)])
def test_sessions_needed_are_the_fewest_that_see_the_gain(gain, people, icc):
    counted = next(number for number in range(2, 200) if power_of(gain, number, people, icc) >= 0.8)
    assert sessions_needed(gain, people, 1, icc) == counted


def test_sessions_needed_are_at_least_two_and_give_ten_pairs():
    assert sessions_needed(100, 30, 1) == 2
    assert sessions_needed(100, 0.5, 1) == 20


def test_gain_too_small_to_be_looked_for_is_refused():
    assert sessions_needed(1, 30, 1000, 0) > 1000
    with pytest.raises(ParameterError, match=r"at least a millionth of sd_gain, 3\. Found: 1e-07"):
        sessions_needed(1e-7, 30, 3)


def test_sessions_needed_names_all_numbers_out_of_range():
    with pytest.raises(ParameterError) as caught:
        sessions_needed(0, 0, 0)
    assert len(str(caught.value).splitlines()) == 3


# Several designs


def test_designs_are_one_row_each_sorted_and_once():
    table = design_table([3, 1, 3], 10, [1.0, 0.5], [0.1, 0.0])
    expected = pl.DataFrame(
        {
            "sessions": [1, 1, 1, 1, 3, 3, 3, 3],
            "answer_both_times": [0.5, 0.5, 1.0, 1.0] * 2,
            "icc": [0.0, 0.1] * 4,
            "pairs": [5, 5, 10, 10, 15, 15, 30, 30],
            "design_effect": [1.0, 1.0, 1.0, 1.0, 1.0, 1.4, 1.0, 1.9],  # 1 + (5 − 1) × 0.1, 1 + (10 − 1) × 0.1
        }
    )
    assert_frame_equal(table.drop("smallest_gain"), expected)
    assert table["smallest_gain"].is_null().to_list() == [True, True] + [False] * 6
    for row in table.drop_nulls().iter_rows(named=True):
        people = row["pairs"] / row["sessions"]
        assert power_of(row["smallest_gain"], row["sessions"], people, row["icc"]) == pytest.approx(0.8, abs=1e-9)


def test_no_design_gives_an_empty_table_with_its_columns():
    table = design_table([], 10)
    assert (table.height, table.schema) == (0, design_table([2], 10).schema)


def test_designs_that_cannot_be_are_named_at_once():
    with pytest.raises(ParameterError) as caught:
        design_table([2, 0], 0, [0.5, 1.5], [0.1, -0.1], sd_gain=0)
    assert str(caught.value).splitlines() == [
        "sessions must be a whole number of 1 or more. Found: 0.",
        "places_per_session must be a number above 0. Found: 0.",
        "answer_both_times must be a share above 0 and up to 1. Found: 1.5.",
        "icc must be a number from 0 to below 1. Found: -0.1.",
        "sd_gain must be a number above 0. Found: 0.",
    ]


# The timetable


def test_kents_reports_came_three_days_after_the_last_workshop_and_on_a_mop_up_date():
    # Six weeks before 1 July is 20 May: 10, 11, 13, 17 and 18 May, twice each. Before 15 July it is 3 June: 24 May too.
    table = evaluation_timetable(kent(), REPORTS)
    expected = pl.DataFrame(
        {
            "report_date": REPORTS,
            "sessions_held": [24, 26],
            "sessions_after": [3, 1],
            "last_session": [date(2011, 6, 28), date(2011, 7, 15)],
            "days_after_last_session": [3, 0],
            "follow_up": ["6 to 12 weeks after a session"] * 2,
            "first_follow_up": [date(2011, 6, 21)] * 2,  # 10 May and 42 days
            "last_follow_up": [date(2011, 8, 30)] * 2,  # 19 July and 42 days
            "follow_up_over": [date(2011, 10, 11)] * 2,  # 19 July and 84 days
            "follow_up_begun": [10, 12],
            "follow_up_ended": [0, 0],
            "can_claim": ["reaction and learning"] * 2,
        }
    )
    assert_frame_equal(table, expected)


def test_kents_workshops_alone_were_three_and_seventeen_days_before_the_reports():
    table = evaluation_timetable(kent(["district_workshop"]), REPORTS)
    assert table["days_after_last_session"].to_list() == [3, 17]
    assert table["sessions_after"].to_list() == [0, 0]
    assert table["can_claim"].unique().to_list() == ["reaction and learning"]


@pytest.mark.parametrize(
    ("days", "begun", "ended", "claim"),
    [
        (0, 0, 0, "reaction and learning"),
        (41, 0, 0, "reaction and learning"),
        (42, 1, 0, "reaction and learning"),
        (83, 2, 0, "reaction and learning"),
        (84, 2, 1, "reaction, learning and retention for 1 of 2 sessions"),
        (90, 2, 1, "reaction, learning and retention for 1 of 2 sessions"),
        (91, 2, 2, "reaction, learning and retention"),
    ],
)
def test_retention_is_claimed_of_the_sessions_whose_follow_up_is_over(days, begun, ended, claim):
    first = date(2011, 5, 10)
    table = evaluation_timetable([first + timedelta(days=7), first], [first + timedelta(days=days)])
    assert table.select("follow_up_begun", "follow_up_ended", "can_claim").row(0) == (begun, ended, claim)


def test_report_before_the_first_session_can_claim_nothing():
    table = evaluation_timetable([date(2011, 5, 10)], [date(2011, 5, 9)])
    row = table.row(0, named=True)
    assert (row["last_session"], row["days_after_last_session"], row["can_claim"]) == (None, None, "nothing")
    assert (row["sessions_held"], row["sessions_after"]) == (0, 1)


def test_other_weeks_of_follow_up_are_kept_to():
    table = evaluation_timetable([date(2011, 5, 10)], [date(2011, 5, 24)], follow_up_weeks=(1, 2))
    assert table["can_claim"].to_list() == ["reaction, learning and retention"]
    assert table["follow_up"].to_list() == ["1 to 2 weeks after a session"]


def test_reports_are_sorted_and_counted_once():
    table = evaluation_timetable(pl.Series([date(2011, 5, 10)]), [REPORTS[1], REPORTS[0], REPORTS[1]])
    assert table["report_date"].to_list() == REPORTS


def test_no_report_gives_an_empty_table_with_its_columns():
    table = evaluation_timetable([date(2011, 5, 10)], [])
    assert (table.height, table.schema) == (0, evaluation_timetable([date(2011, 5, 10)], REPORTS).schema)


def test_timetable_names_everything_that_is_wrong_at_once():
    with pytest.raises(ParameterError) as caught:
        evaluation_timetable([], ["2011-07-01", date(2011, 7, 1), datetime(2011, 7, 15)], (12, 6))
    assert str(caught.value).splitlines() == [
        "session_dates: no session is given, so no report can claim anything. Give its day.",
        "report_dates must be days (datetime.date). No day: number 1, 3 of 3.",
        "follow_up_weeks must be two whole numbers up to 520, the smaller first, such as 6, 12. Found: 12, 6.",
    ]


def test_day_that_stands_for_not_known_is_refused():
    with pytest.raises(ParameterError, match=r"session_dates must be days up to the year 9000\. Found: 9999-12-31"):
        evaluation_timetable([date(9999, 12, 31)], REPORTS)


# In words


def test_sentence_says_what_24_sessions_would_see():
    # Three times 0.1707, as above. 720 ÷ 2.45 = 293.9
    assert say_smallest_gain(24, 30, 3) == (
        "With 24 sessions of 30 people answering both times, and answers within a session alike to a degree of 0.05 "
        "(intraclass correlation), a mean gain of 0.51 points or more would be seen in 4 of 5 such programmes; a "
        "smaller one may be missed. Seen means that the 95% interval lies above 0. Because people of one session "
        "answer alike, the 720 pairs tell as much as 294 people taught apart (design effect 2.45)."
    )


def test_sentence_gives_standard_deviations_where_none_is_known_and_invents_no_points():
    said = say_smallest_gain(24, 30)
    assert "a mean gain of 0.17 standard deviations of the gain or more" in said
    assert "points" not in said


def test_sentence_on_one_session_says_what_cannot_be_known_from_it():
    assert say_smallest_gain(1, 30, power=0.9, confidence=0.9) == (
        # t with 29 degrees of freedom: (1.6991 + 1.3114) ÷ √30 = 0.5496
        "With 1 session of 30 people answering both times a mean gain of 0.55 standard deviations of the gain or more "
        "would be seen in 9 of 10 such sessions; a smaller one may be missed. Seen means that the 90% interval lies "
        "above 0. How far sessions differ cannot be known from one: what is seen holds of this session alone."
    )


def test_sentence_on_too_few_pairs_gives_no_gain():
    assert say_smallest_gain(3, 2.5, 3) == (
        "With 3 sessions of 2.5 people on average answering both times there would be 7.5 pairs: of fewer than 10 the "
        "evaluation gives no interval, so it could show no gain."
    )


def test_sentence_says_nothing_of_a_design_effect_of_one():
    assert "design effect" not in say_smallest_gain(24, 30, 3, icc=0)


def test_sentence_refuses_a_design_that_cannot_be():
    with pytest.raises(ParameterError, match="sessions must be"):
        say_smallest_gain(0, 30)


def test_large_enough_design_says_what_clearly_at_least_would_take():
    # To tell it from 2 and not from 0 it must lie as much above: 2 + 0.51
    assert say_meaningful_gain(2, 24, 30, 3) == (
        "The board said that 2 points would matter: this design is large enough to see such a gain. To find it clearly "
        "at least 2 points in 4 of 5 programmes, the gain itself would have to be 2.51 points or more."
    )


def test_too_small_design_says_so_and_what_it_would_take():
    needed = next(number for number in range(2, 200) if power_of(0.4 / 3, number, 30) >= 0.8)
    assert say_meaningful_gain(0.4, 24, 30, 3) == (
        "This design is too small: the board said that 0.4 points would matter, and it would miss such a gain in more "
        f"than 1 of 5 programmes. It would take {needed} sessions of 30 people."
    )


def test_design_of_too_few_pairs_is_too_small_for_any_gain():
    assert say_meaningful_gain(1, 3, 2, 3).startswith("This design is too small: the board said that 1 point would")


def test_gain_that_matters_without_a_standard_deviation_says_up_to_which_it_would_be_seen():
    # 2 ÷ 0.1707 = 11.7
    assert say_meaningful_gain(2, 24, 30) == (
        "The board said that 2 points would matter: such a gain would be seen if the standard deviation of the gains "
        "is 12 points or less. To have the smallest gain in points, set sd_gain under [evaluation] in board.toml: the "
        "standard deviation of the gains in an earlier course."
    )
    assert say_meaningful_gain(2, 1, 5).startswith("To have the smallest gain in points, set sd_gain")


def test_gain_that_matters_is_asked_for_where_it_is_not_fixed():
    assert say_meaningful_gain(None, 24, 30, 3) == (
        "What gain would matter is not fixed: set meaningful_gain under [knowledge] in board.toml before the first "
        "session."
    )
    assert "set sd_gain" in say_meaningful_gain(None, 24, 30)


def test_kents_timetable_in_words():
    assert say_timetable(evaluation_timetable(kent(), REPORTS)) == (
        "The report of 1 July 2011 is due 3 days after the last session before it, with 3 of 27 sessions still to "
        "come: only reaction and learning can be claimed. By then follow-up has begun for 10 of 27 sessions and is "
        "over for none. "
        "The report of 15 July 2011 is due on the day of a session, with 1 of 27 sessions still to come: only reaction "
        "and learning can be claimed. By then follow-up has begun for 12 of 27 sessions and is over for none. "
        "Follow-up, 6 to 12 weeks after a session, begins between 21 June and 30 August 2011; retention of all "
        f"sessions can be claimed from 11 October 2011 on, if people are asked then. {CLAIM}"
    )


def test_timetable_of_one_session_and_a_late_report():
    days = [date(2011, 12, 1)]
    assert say_timetable(evaluation_timetable(days, [date(2011, 11, 30), date(2011, 12, 2), date(2012, 3, 1)])) == (
        "The report of 30 November 2011 is due before the first session: nothing can be claimed. "
        "The report of 2 December 2011 is due 1 day after the last session: only reaction and learning can be claimed. "
        "By then no follow-up has begun. "
        "The report of 1 March 2012 is due 91 days after the last session: reaction, learning and retention can be "
        "claimed. By then follow-up of all sessions is over. "
        "Follow-up, 6 to 12 weeks after a session, begins on 12 January 2012; retention of all sessions can be claimed "
        f"from 23 February 2012 on, if people are asked then. {CLAIM}"
    )


def test_retention_of_some_sessions_is_said_with_their_number():
    said = say_timetable(evaluation_timetable([date(2011, 5, 10), date(2011, 5, 17)], [date(2011, 8, 2)]))
    assert (
        "is due 77 days after the last session: reaction, learning and retention for 1 of 2 sessions can be claimed. "
        "By then follow-up has begun for all sessions and is over for 1 of 2 sessions."
    ) in said


def test_days_of_two_years_are_written_with_both():
    said = say_timetable(evaluation_timetable([date(2011, 11, 1), date(2011, 12, 1)], [date(2011, 12, 2)]))
    assert "begins between 13 December 2011 and 12 January 2012;" in said


def test_no_report_is_said_to_be_none():
    assert say_timetable(evaluation_timetable([date(2011, 5, 10)], [])) == (
        "No report is planned: set report_dates under [evaluation] in board.toml."
    )


def test_no_timetable_claims_practice_or_outcomes():
    late = say_timetable(evaluation_timetable([date(2011, 5, 10)], [date(2021, 5, 10)]))
    assert "reaction, learning and retention can be claimed" in late
    assert late.endswith(CLAIM)


# The plan of a board


def sessions_table(*rows):
    columns = {"course": pl.String, "date": pl.Date, "capacity": pl.Int64}
    return pl.DataFrame(rows, schema=columns, orient="row")


TWO = sessions_table(("A", date(2011, 5, 10), 20), ("A", date(2011, 6, 28), 40))


def test_plan_takes_sessions_places_and_days_from_the_table():
    plan = say_plan(EvaluationSection(report_dates=REPORTS, answer_both_times=0.5), TWO, 2)
    lines = plan.splitlines()
    assert lines[:3] == [
        "What gain could be seen",
        "2 sessions of 30 places, 50% of them taken by people who answer both times: 15 people a session.",
        "Places differ, from 20 to 40 a session: the smallest gain is then somewhat larger than said.",
    ]
    assert "With 2 sessions of 15 people answering both times" in lines[3]
    assert lines[-4].startswith("The report of 1 July 2011 is due 3 days after the last session: only reaction")


def test_settings_go_before_the_table():
    asked = EvaluationSection(sessions=24, places_per_session=50, answer_both_times=0.6, sd_gain=3)
    plan = say_plan(asked, TWO, 2)
    assert "24 sessions of 50 places, 60% of them" in plan
    assert "Places differ" not in plan
    assert "gain of 0.51 points or more" in plan


def test_places_that_are_not_known_are_said_to_be_taken_as_average():
    table = sessions_table(("A", date(2011, 5, 10), 20), ("A", date(2011, 5, 11), None))
    plan = say_plan(EvaluationSection(), table)
    assert "2 sessions of 20 places, if everybody answers both times (answer_both_times is not set" in plan
    assert "The places of 1 session are not known: they are taken as average." in plan


def test_table_of_designs_has_a_row_for_half_and_twice_the_sessions():
    plan = say_plan(EvaluationSection(sessions=24, places_per_session=50, answer_both_times=0.6, sd_gain=3, icc=0.2))
    lines = plan.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("Smallest gain seen"))
    assert lines[start].endswith(
        "in points, where answers within a session are alike to a degree of 0.02, 0.05, 0.1 and 0.2:"
    )
    rows = [re.split(r" {2,}", line.strip()) for line in lines[start + 1 : start + 11]]
    assert rows[0] == ["sessions", "answer both times", "pairs", "0.02", "0.05", "0.1", "0.2"]
    pairs = {("12", "50%"): "300", ("24", "60%"): "720", ("48", "80%"): "1,920"}
    assert {(row[0], row[1]): row[2] for row in rows if (row[0], row[1]) in pairs} == pairs
    assert next(row for row in rows if row[:2] == ["24", "60%"])[4] == "0.51"
    assert len({len(line) for line in lines[start + 1 : start + 11]}) == 1


def test_design_of_too_few_pairs_has_a_dash_in_the_table():
    plan = say_plan(EvaluationSection(sessions=2, places_per_session=6))
    assert re.search(r"^ +1 +50% +3 +– +– +–$", plan, flags=re.MULTILINE)


def test_one_course_of_several_must_be_chosen():
    table = pl.concat([TWO, sessions_table(("Jane Smith", date(2011, 1, 1), 5))])
    with pytest.raises(ParameterError) as caught:
        say_plan(EvaluationSection(), table)
    assert str(caught.value) == (
        "the table of sessions holds 2 courses, and an evaluation is of one. Choose it with --course, spelled as in "
        "the table."
    )
    assert say_plan(EvaluationSection(), table, course="A") == say_plan(EvaluationSection(), TWO)


def test_course_that_is_not_there_is_refused_with_the_nearest():
    table = sessions_table(("Core training", date(2011, 5, 10), 20))
    with pytest.raises(
        ParameterError, match=r'no session is of the course "core trainin"\. Did you mean "Core training"\?'
    ):
        say_plan(EvaluationSection(), table, course="core trainin")
    with pytest.raises(ParameterError, match="a course can be chosen only where the board has a table of sessions"):
        say_plan(EvaluationSection(sessions=2, places_per_session=30), course="A")


def test_plan_without_report_dates_says_how_to_set_them():
    assert say_plan(EvaluationSection(), TWO).endswith(
        "\n\nWhat the reports can claim\nTo know what reports can claim, set report_dates under [evaluation] in "
        "board.toml, such as [2011-07-01]."
    )


def test_plan_without_places_gives_the_timetable_alone():
    plan = say_plan(EvaluationSection(report_dates=REPORTS), TWO.with_columns(capacity=pl.lit(None, pl.Int64)))
    assert plan.splitlines()[:2] == [
        "What gain could be seen",
        "To know what gain could be seen, set places_per_session under [evaluation] in board.toml.",
    ]
    assert "The report of 15 July 2011" in plan


def test_nothing_to_plan_with_names_all_that_is_missing():
    with pytest.raises(ParameterError) as caught:
        say_plan(EvaluationSection())
    assert str(caught.value).splitlines() == [
        "there is nothing to plan with. To know what gain could be seen, set sessions and places_per_session under "
        "[evaluation] in board.toml, or give a table of sessions with their places.",
        "To know what reports can claim, set report_dates under [evaluation] in board.toml, such as [2011-07-01], and "
        "give a table of sessions with their dates.",
    ]


# Its settings


def test_nothing_is_assumed_of_the_gains_before_it_is_known():
    evaluation = Config().evaluation
    assert (evaluation.sd_gain, evaluation.answer_both_times, evaluation.report_dates) == (None, None, [])
    assert (evaluation.icc, evaluation.power, evaluation.follow_up_weeks) == (0.05, 0.8, [6, 12])


def test_settings_are_read(tmp_path):
    (tmp_path / "board.toml").write_text(
        "[evaluation]\nreport_dates = [2011-07-01, 2011-07-15]\nfollow_up_weeks = [8, 10]\nsd_gain = 3\n",
        encoding="utf-8",
    )
    config, problems, _ = read_config(tmp_path)
    assert problems.is_empty()
    assert config.evaluation.report_dates == REPORTS
    assert (config.evaluation.follow_up_weeks, config.evaluation.sd_gain) == ([8, 10], 3)


@pytest.mark.parametrize(
    ("written", "rule"),
    [
        ("follow_up_weeks = [12, 6]", "input should be the fewest and the most weeks, such as [6, 12], up to 520"),
        ("follow_up_weeks = [6]", "input should be the fewest and the most weeks, such as [6, 12], up to 520"),
        ("follow_up_weeks = [6, 521]", "input should be the fewest and the most weeks, such as [6, 12], up to 520"),
        ("sessions = 0", "input should be greater than or equal to 1"),
        ("places_per_session = 0", "input should be greater than or equal to 1"),
        ("answer_both_times = 60", "input should be less than or equal to 1"),
        ("sd_gain = 0", "input should be greater than 0"),
        ("sd_gain = nan", "input should be a finite number"),
        ("icc = 1", "input should be less than 1"),
        ("power = 1", "input should be less than or equal to 0.99"),
    ],
)
def test_settings_out_of_range_are_reported(tmp_path, written, rule):
    (tmp_path / "board.toml").write_text(f"[evaluation]\n{written}\n", encoding="utf-8")
    _, problems, _ = read_config(tmp_path)
    assert problems.select("column", "rule").rows() == [(f"evaluation.{written.split()[0]}", rule)]


def test_day_that_is_none_is_reported(tmp_path):
    (tmp_path / "board.toml").write_text('[evaluation]\nreport_dates = ["July"]\n', encoding="utf-8")
    _, problems, _ = read_config(tmp_path)
    assert problems["column"].to_list() == ["evaluation.report_dates.1"]
