"""What is said of training says what its table shows, keeps three measures apart, and hides what the table hides."""

from __future__ import annotations

import re
from datetime import date

import duckdb
import narwhals as nw
import polars as pl
import pytest

from safeguarding_analytics.answers import show_gaps
from safeguarding_analytics.contrasts import compare_with_others
from safeguarding_analytics.currency import KIRKLEES_2011, TrainingRule
from safeguarding_analytics.dates import evaluation_day, month
from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.tables import DUE, NONE, NOT_CURRENT, STANDING, TOTAL, UP_TO_DATE
from safeguarding_analytics.training import reconcile_attendance
from safeguarding_analytics.training_sentences import (
    say_attendance,
    say_compared,
    say_cost,
    say_coverage,
    say_due,
    say_induction,
    say_mergers,
    say_mix,
    say_need,
    say_over_reached,
    say_training_rules,
)

HIDDEN = "The figure is hidden because the number is small, or because it would give a small number away."
DAY = date(2011, 7, 1)
COUNTS = {"attended", "registered", "walk_ins", "did_not_attend", "cancelled", "capacity", "places", "people", "count"}
COUNTS |= {"numerator", "denominator", "eligible_staff", "current", "need", "target", "reached", "still_needed"}
COUNTS |= {"sessions_needed", "agencies_present", "effective_agencies", "sessions", "sessions_costed"}
TEXTS = {"agency", "district", "area", "session", "standing", "stage", "training_level", "mark"}


def by_hand(columns, *rows):
    """A table of figures written down here, not worked out by the code that is tested."""
    kinds = {name: pl.String if name in TEXTS else pl.Int64 if name in COUNTS else pl.Float64 for name in columns}
    return already_public(pl.DataFrame(rows, schema=kinds, orient="row"), "By hand")


def bookings(*rows, groups=()):
    columns = (*groups, "registered", "attended", "walk_ins", "did_not_attend", "cancelled")
    return by_hand((*columns, "attendance_rate", "capacity", "take_up", "share_of_places", "mark"), *rows)


def shares(*rows):
    return by_hand(("agency", "numerator", "denominator", "proportion", "lower", "upper", "mark"), *rows)


def coverage(*rows):
    columns = ("agency", "places", "people", "eligible_staff", "share_of_places", "reach", "lower", "upper", "mark")
    return by_hand(columns, *rows)


def progress(*rows):
    columns = ("district", "target", "reached", "still_needed", "per_session", "sessions_needed", "cost_per_session")
    return by_hand((*columns, "cost", "mark"), *rows)


def needs(*rows, groups=("agency", "training_level")):
    columns = (*groups, "eligible_staff", "current", "need", "per_session", "sessions_needed", "cost_per_session")
    return by_hand((*columns, "cost", "mark"), *rows)


def mix(*rows, groups=("session",)):
    columns = (*groups, "attended", "agencies_present", "share_of_agencies", "effective_agencies", "mark")
    return by_hand(columns, *rows)


def costs(*rows, groups=()):
    columns = ("places", "people", "sessions", "sessions_costed", "total_cost", "cost_per_place", "cost_per_person")
    return by_hand((*groups, *columns, "mark"), *rows)


def ageing(*rows):
    return by_hand(("standing", "stage", "count", "mark"), *rows)


def numbers_said(text):
    return re.findall(r"[\d.,]*\d", text)


# Attendance: three named measures. 318 − 20 − 29 = 269 = 304 − 35; 269 ÷ 318 = 84.6%; 304 ÷ 393 = 77.4%.

LLR = (318, 304, 35, 20, 29, 269 / 318, 393, 304 / 393, 1.0, "")


def test_attendance_rate_is_of_the_registered_and_take_up_of_the_places():
    assert say_attendance(bookings(LLR)) == (
        "Of 318 registered, 269 attended as booked, 20 did not attend and 29 cancelled: an attendance rate of 84.6%. "
        "With 35 who came without a booking, 304 places were taken: 77.4% of the 393 places offered, which is the "
        "take-up."
    )


def test_attendance_is_that_of_the_total_row():
    one, total = ("Health", 10, 10, 0, 0, 0, 1.0, 20, 0.5, 0.03, ""), ("Total", *LLR)
    assert say_attendance(bookings(one, total, groups=("agency",))).startswith("Of 318 registered, 269 attended")


def test_over_filled_sessions_have_a_take_up_above_100():
    # 50 − 1 − 3 = 46 as booked; 46 + 10 = 56 of 50 places = 112%; 46 ÷ 50 = 92%
    row = (50, 56, 10, 1, 3, 46 / 50, 50, 56 / 50, 1.0, "")
    assert say_attendance(bookings(row)) == (
        "Of 50 registered, 46 attended as booked, 1 did not attend and 3 cancelled: an attendance rate of 92%. "
        "With 10 who came without a booking, 56 places were taken: 112% of the 50 places offered, which is the take-up."
    )


def test_places_that_are_not_known_give_no_take_up():
    row = (20, 15, 0, 3, 2, 15 / 20, None, None, 1.0, "")
    assert say_attendance(bookings(row)) == (
        "Of 20 registered, 15 attended as booked, 3 did not attend and 2 cancelled: an attendance rate of 75%. "
        "With 0 who came without a booking, 15 places were taken; how many places were offered is not known, so there "
        "is no take-up."
    )


def test_no_places_offered_are_not_unknown_places():
    row = (20, 15, 0, 3, 2, 15 / 20, 0, None, 1.0, "")
    assert say_attendance(bookings(row)).endswith(
        "15 places were taken; no places were offered, so there is no take-up."
    )


def test_nobody_registered_gives_no_attendance_rate():
    row = (0, 7, 7, 0, 0, None, 40, 7 / 40, 1.0, "")
    assert say_attendance(bookings(row)) == (
        "Of 0 registered, 0 attended as booked, 0 did not attend and 0 cancelled. "
        "With 7 who came without a booking, 7 places were taken: 18% of the 40 places offered, which is the take-up."
    )


def test_hidden_attendance_is_said_to_be_hidden():
    hidden = (None,) * 6 + (40, None, None, "[c]")
    assert say_attendance(bookings(hidden)) == HIDDEN
    partly = pl.DataFrame(
        {
            "registered": [30],
            "attended": [29],
            "walk_ins": [2],
            "did_not_attend": [2],
            "cancelled": [1],
            "attendance_rate": [27 / 30],
            "capacity": [40],
            "take_up": [29 / 40],
            "share_of_places": [1.0],
        }
    )
    assert say_attendance(suppress(partly, Policy.dfe())) == HIDDEN


def test_attendance_without_one_row_or_a_total_is_refused():
    two = [(name, *LLR) for name in ("Health", "Police")]
    with pytest.raises(ParameterError, match=r"^the table must have one row, or one of totals\. Found: 0 such rows\.$"):
        say_attendance(bookings(*two, groups=("agency",)))
    with pytest.raises(ParameterError, match="Found: 2 such rows"):
        say_attendance(bookings(LLR, LLR))


def test_attendance_that_is_not_told_is_said_to_be_hidden():
    assert say_attendance(bookings()) == HIDDEN
    assert say_attendance(bookings(groups=("agency",))) == HIDDEN


# A printed report that is checked


def test_report_that_prints_96_per_cent_has_a_rate_of_84_6():
    found = reconcile_attendance(
        registered=318, did_not_attend=20, cancelled=29, attended=304, walk_ins=35, capacity=393
    )
    assert found == {"gap": 0, "attendance_rate": 269 / 318, "take_up": 304 / 393}
    assert f"{found['attendance_rate']:.1%}" == "84.6%"
    assert f"{304 / 318:.0%}" == "96%"  # what is printed: all who came, walk-ins too, of those who had registered
    assert f"{found['take_up']:.1%}" == "77.4%"


@pytest.mark.parametrize(
    ("attended", "gap"),
    [(305, 1), (300, -4), (35, -269)],  # as booked 270, 265 and 0, where 318 − 20 − 29 = 269 are left
)
def test_report_that_does_not_add_up_has_a_gap_and_no_attendance_rate(attended, gap):
    found = reconcile_attendance(
        registered=318, did_not_attend=20, cancelled=29, attended=attended, walk_ins=35, capacity=393
    )
    assert found == {"gap": gap, "attendance_rate": None, "take_up": attended / 393}


@pytest.mark.parametrize("capacity", [None, 0])
def test_report_without_places_has_no_take_up(capacity):
    given = {"registered": 10, "did_not_attend": 0, "cancelled": 0, "attended": 10, "walk_ins": 0}
    assert reconcile_attendance(**given, capacity=capacity) == {"gap": 0, "attendance_rate": 1.0, "take_up": None}


def test_report_of_nobody_has_no_rate():
    given = dict.fromkeys(("registered", "did_not_attend", "cancelled", "attended", "walk_ins"), 0)
    assert reconcile_attendance(**given) == {"gap": 0, "attendance_rate": None, "take_up": None}


def test_report_of_walk_ins_alone_adds_up():
    given = {"registered": 0, "did_not_attend": 0, "cancelled": 0, "attended": 6, "walk_ins": 6}
    assert reconcile_attendance(**given, capacity=4) == {"gap": 0, "attendance_rate": None, "take_up": 1.5}


def test_counts_that_cannot_be_are_refused_all_at_once():
    with pytest.raises(ParameterError) as caught:
        reconcile_attendance(registered=-1, did_not_attend=0, cancelled=-2, attended=3, walk_ins=0, capacity=-4)
    assert str(caught.value) == "registered, cancelled, capacity: a count is 0 or more."


def test_more_walk_ins_than_came_are_refused():
    with pytest.raises(ParameterError) as caught:
        reconcile_attendance(registered=9, did_not_attend=0, cancelled=0, attended=1_000, walk_ins=1_001)
    assert str(caught.value) == "walk_ins: 1,001 walked in, but only 1,000 attended in all."


# More people than are eligible


def test_groups_with_more_people_than_eligible_are_named_with_both_counts():
    table = shares(
        ("Health", 50, 200, 0.25, 0.195, 0.314, ""),
        ("Police", 1_036, 1_028, None, None, None, ""),
        ("Ambulance", 12, 0, None, None, None, ""),
        ("Total", 1_098, 1_228, 0.894, 0.876, 0.91, ""),
    )
    assert say_over_reached(table).startswith(
        "More people than the return says are eligible: Ambulance (12 people, 0 eligible) and "
        "Police (1,036 people, 1,028 eligible)."
    )
    assert "Health" not in say_over_reached(table)
    assert "Total" not in say_over_reached(table)


def test_groups_of_a_coverage_are_named_in_the_same_way():
    table = coverage(
        ("Health", 60, 50, 200, 0.6, 0.25, 0.195, 0.314, ""), ("Police", 40, 36, 28, 0.4, None, None, None, "")
    )
    assert say_over_reached(table).startswith(
        "More people than the return says are eligible: Police (36 people, 28 eligible)."
    )


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (("Health", 20, 20, 1.0, 0.84, 1.0, ""),),
        (("Health", 20, None, None, None, None, ""),),
        (("Health", None, None, None, None, None, "[c]"), ("Police", 0, 0, None, None, None, "")),
    ],
)
def test_nothing_is_said_where_nobody_is_over(rows):
    assert say_over_reached(shares(*rows)) == ""


def test_hidden_group_with_too_many_people_is_not_named():
    table = pl.DataFrame(
        {
            "agency": ["Health", "Housing", "Police", "Total"],
            "numerator": [50, 4, 60, 114],
            "denominator": [200, 3, 300, 503],
            "proportion": [0.25, None, 0.2, 114 / 503],
            "lower": [0.19, None, 0.15, 0.19],
            "upper": [0.32, None, 0.25, 0.27],
        },
    )
    assert say_over_reached(suppress(table, Policy.dfe())) == ""


def test_sentence_on_one_grouping_refuses_a_table_of_two():
    two = by_hand(
        ("agency", "district", "numerator", "denominator", "proportion", "lower", "upper", "mark"),
        ("Health", "Dover", 1, 2, 0.5, 0.1, 0.9, ""),
    )
    with pytest.raises(ParameterError) as caught:
        say_over_reached(two)
    assert str(caught.value) == "the table must have one group column. Found: agency, district."
    with pytest.raises(ParameterError, match=r"one group column\. Found: none"):
        say_coverage(already_public(coverage(("Total", 1, 1, 2, 1.0, 0.5, 0.1, 0.9, "")).frame().drop("agency"), "X"))


# Places and people


def test_share_of_places_stands_beside_reach():
    table = coverage(
        ("Health", 65, 53, 360, 65 / 208, 53 / 360, 0.1142, 0.1876, ""),
        ("Police", 82, 1, 38, 82 / 208, 1 / 38, 0.0047, 0.1349, ""),
        ("Total", 147, 54, 398, 1.0, 54 / 398, 0.105, 0.173, ""),
    )
    assert say_coverage(table) == (
        "Health: 65 places (31.3% of all places taken), 53 people, 14.7% of 360 eligible staff "
        "(95% interval 11.4% to 18.8%). "
        "Police: 82 places (39.4% of all places taken), 1 person, 3% of 38 eligible staff (95% interval 0% to 13%)."
    )


def test_unknown_staff_are_said_to_be_unknown():
    assert say_coverage(coverage(("Police", 82, 68, None, 0.394, None, None, None, ""))) == (
        "Police: 82 places (39.4% of all places taken), 68 people; of how many eligible staff is not known."
    )


@pytest.mark.parametrize(("people", "staff"), [(68, 28), (3, 0)])
def test_staff_that_are_returned_are_not_said_to_be_unknown(people, staff):
    said = say_coverage(coverage(("Police", 82, people, staff, 0.394, None, None, None, "")))
    assert said == (
        f"Police: 82 places (39.4% of all places taken), {people} people; {staff} eligible staff are returned, "
        "so no reach can be worked out."
    )


def test_group_without_a_name_is_called_not_stated():
    assert say_coverage(coverage((None, 8, 7, 10, 1.0, 0.7, 0.4, 0.89, ""))) == (
        "Not stated: 8 places (100.0% of all places taken), 7 people, 70% of 10 eligible staff "
        "(95% interval 40% to 89%)."
    )


def test_group_nobody_came_from_is_said():
    assert say_coverage(coverage(("Housing", 0, 0, 20, 0.0, 0.0, 0.0, 0.1611, ""))) == (
        "Housing: 0 places (0.0% of all places taken), 0 people, 0% of 20 eligible staff (95% interval 0% to 16%)."
    )


@pytest.mark.parametrize("rows", [(), (("Health", None, None, None, None, None, None, None, "[c]"),)])
def test_coverage_that_shows_nothing_is_said_to_be_hidden(rows):
    assert say_coverage(coverage(*rows)) == HIDDEN


def test_hidden_groups_are_left_out_of_the_sentences():
    table = coverage(
        ("Health", 65, 53, 360, 0.9, 53 / 360, 0.1142, 0.1876, ""),
        ("Housing", None, None, None, None, None, None, None, "[c]"),
    )
    assert "Housing" not in say_coverage(table)
    assert say_coverage(table).startswith("Health: 65 places")


# Compared with the others


def test_groups_clearly_below_are_named_from_the_lowest_up():
    table = shares(
        ("A", 60, 100, 0.6, 0.5, 0.69, ""),
        ("B", 10, 100, 0.1, 0.055, 0.174, ""),
        ("C", 2, 60, 1 / 30, 0.009, 0.114, ""),
        ("D", 300, 500, 0.6, 0.556, 0.642, ""),
        ("Total", 372, 760, 372 / 760, 0.454, 0.525, ""),
    )
    assert say_compared(table, compare_with_others(table.frame()), groups="agencies").startswith(
        "Clearly below all others together: C (3%) and B (10.0%)."
    )


def test_groups_that_do_not_differ_are_not_named():
    table = shares(("A", 50, 100, 0.5, 0.4, 0.6, ""), ("B", 51, 100, 0.51, 0.41, 0.61, ""))
    assert say_compared(table, compare_with_others(table.frame()), groups="agencies") == (
        "None of the agencies that are shown lies clearly below the others."
    )


@pytest.mark.parametrize("rows", [(), (("A", 50, 100, 0.5, 0.4, 0.6, ""), ("B", None, None, None, None, None, "[c]"))])
def test_one_group_alone_is_compared_with_nothing(rows):
    table = shares(*rows)
    assert say_compared(table, compare_with_others(table.frame()), groups="agencies") == (
        "Too few agencies have a figure that can be shown to compare them."
    )


def test_comparison_that_holds_a_hidden_group_is_refused():
    table = shares(("A", 50, 100, 0.5, 0.4, 0.6, ""), ("B", None, None, None, None, None, "[c]"))
    raw = pl.DataFrame({"agency": ["A", "B"], "numerator": [50, 3], "denominator": [100, 90]})
    with pytest.raises(ParameterError) as caught:
        say_compared(table, compare_with_others(raw), groups="agencies")
    assert str(caught.value) == (
        "compared: a group stands in it that the table hides. Compare what table.frame() shows."
    )


# Currency


def test_up_to_date_and_due_are_said_of_all_eligible_staff():
    table = ageing(
        (STANDING, UP_TO_DATE, 1_100, ""),
        (STANDING, DUE, 77, ""),
        (STANDING, TOTAL, 1_177, ""),
        (NOT_CURRENT, NONE, 4_743, ""),
        (TOTAL, TOTAL, 5_920, ""),
    )
    assert say_due(table, as_at=DAY) == (
        "On 1 July 2011, 1,177 of 5,920 eligible staff were up to date, 77 of them due within three months."
    )


def test_agencies_without_a_return_are_named_because_they_are_not_counted():
    table = ageing((STANDING, DUE, 0, ""), (STANDING, TOTAL, 100, ""), (TOTAL, TOTAL, 916, ""))
    assert say_due(table, as_at=DAY, without=["Police", "Housing"]) == (
        "On 1 July 2011, 100 of 916 eligible staff were up to date, 0 of them due within three months."
        " Not counted, as they made no full return: Housing and Police."
    )


def test_hidden_number_of_those_due_is_left_out():
    table = ageing((STANDING, DUE, None, "[c]"), (STANDING, TOTAL, 29, ""), (TOTAL, TOTAL, 90, ""))
    assert say_due(table, as_at=DAY) == "On 1 July 2011, 29 of 90 eligible staff were up to date."


def test_unknown_staff_are_no_zero():
    table = ageing((STANDING, DUE, 6, ""), (STANDING, TOTAL, 29, ""))
    assert say_due(table, as_at=DAY) == (
        "On 1 July 2011, 29 staff were up to date; of how many eligible staff is not known, "
        "6 of them due within three months."
    )


def test_hidden_number_of_all_staff_is_not_called_unknown():
    said = say_due(ageing((STANDING, TOTAL, 29, ""), (TOTAL, TOTAL, None, "[c]")), as_at=DAY)
    assert "not known" not in said
    assert "the figure is hidden because the number is small" in said


@pytest.mark.parametrize("rows", [((STANDING, TOTAL, None, "[c]"), (STANDING, DUE, 22, "")), ((TOTAL, TOTAL, 90, ""),)])
def test_number_up_to_date_that_is_not_shown_is_not_said(rows):
    assert say_due(ageing(*rows), as_at=DAY) == "On 1 July 2011, the number of those who are up to date is not shown."


def test_nobody_can_be_called_current_where_no_rule_is_for_them():
    assert say_due(ageing(), as_at=DAY) == (
        "Whose training is up to date cannot be said: no agency made a full return of staff whose target groups are "
        "known and have a rule."
    )


# Agencies that merged


def test_agencies_that_merged_are_named_with_the_day_and_where_they_count():
    schema = {"agency": pl.String, "merged_into": pl.String, "merged_on": pl.Date}
    rows = [("West PCT", "Kent PCT", date(2011, 6, 1)), ("Kent PCT", None, None), ("East PCT", "Kent PCT", DAY)]
    agencies = pl.DataFrame(rows, schema=schema, orient="row")
    assert say_mergers(agencies) == (
        "East PCT became part of Kent PCT on 1 July 2011 and is counted there. "
        "West PCT became part of Kent PCT on 1 June 2011 and is counted there."
    )
    assert say_mergers(agencies.filter(agency="Kent PCT")) == ""
    assert say_mergers(agencies.clear()) == ""


# What is still needed


def test_need_is_said_group_by_group_where_it_is_not_nothing():
    table = progress(
        ("Swale", 1_500, 262, 1_238, 25.0, 50, None, None, ""),
        ("Dover", 45, 42, 3, 25.0, 1, None, None, ""),
        ("Ashford", 45, 57, 0, 25.0, 0, None, None, ""),
        (None, 4, 2, 2, 25.0, 1, None, None, ""),
        ("Total", 1_594, 363, None, 25.0, None, None, None, ""),
    )
    assert say_need(table, what="people still to be reached") == (
        "People still to be reached: Swale 1,238, Dover 3, not stated 2."
    )
    # Without a number of sessions for all of them, each has its own.
    assert say_need(table, what="people still to be reached", sessions=True, note="Plan them.") == (
        "People still to be reached: Swale 1,238 (50 sessions), Dover 3 (1 session), not stated 2 (1 session). "
        "Plan them."
    )


def test_of_many_groups_the_three_that_need_most_are_named():
    needed = {"Ashford": 8, "Canterbury": 11, "Dover": 9, "Swale": 0, "Shepway": 10, "Thanet": 7, "Dartford": 12}
    rows = [(name, 100, 100 - need, need, 25.0, 1, None, None, "") for name, need in needed.items()]
    assert say_need(progress(*rows), what="people still to be reached") == (
        "People still to be reached: Dartford 12, Canterbury 11, Shepway 10 and 3 more."
    )
    assert say_need(progress(*rows[:6]), what="people still to be reached") == (  # five that need somebody
        "People still to be reached: Canterbury 11, Shepway 10, Dover 9, Ashford 8, Thanet 7."
    )


def test_need_of_agencies_is_that_of_all_levels_and_the_total_comes_first():
    # 90 − 7 = 83, 270 − 28 = 242, 83 + 242 = 325; 40 − 30 = 10; 325 + 10 = 335
    table = needs(
        ("Health", "1", 90, 7, 83, 17.3, 5, 400.0, 2_000.0, ""),
        ("Health", "2", 270, 28, 242, 17.3, 14, 400.0, 5_600.0, ""),
        ("Health", "Total", 360, 35, 325, 17.3, 19, 400.0, 7_600.0, ""),
        ("Zoo", "2", 40, 30, 10, 17.3, 1, 400.0, 400.0, ""),
        ("Zoo", "Total", 40, 30, 10, 17.3, 1, 400.0, 400.0, ""),
        ("Total", "Total", 400, 65, 335, 17.3, 20, 400.0, 8_000.0, ""),
    )
    assert say_need(table, what="staff still to be trained") == (
        "Staff still to be trained: in all 335; Health 325, Zoo 10."
    )
    # Agencies share sessions: those of the total are said, and not 19 and 1 beside them.
    assert say_need(table, what="staff still to be trained", sessions=True) == (
        "Staff still to be trained: in all 335 (20 sessions); Health 325, Zoo 10."
    )


def test_need_without_groups_is_said_in_all():
    assert say_need(needs((40, 30, 10, 17.3, 1, None, None, ""), groups=()), what="staff") == "Staff: in all 10."


def test_need_that_is_met_everywhere_is_said_to_be_met():
    table = progress(("Dover", 45, 45, 0, 25.0, 0, None, None, ""), ("Swale", 45, 57, 0, 25.0, 0, None, None, ""))
    assert say_need(table, what="people still to be reached", note="Plan.") == "People still to be reached: none."


def test_need_without_a_target_or_a_return_is_not_known_and_not_nothing():
    no_target = progress(("Dover", None, 45, None, 25.0, None, None, None, ""))
    assert say_need(no_target, what="people still to be reached") == (
        "No target is set, so what is still needed cannot be said."
    )
    no_return = needs(("Police", "2", None, 7, None, 17.3, None, None, None, ""))
    assert say_need(no_return, what="staff still to be trained") == (
        "How many eligible staff there are is not known, so what is still needed cannot be said."
    )


def test_need_that_is_hidden_is_never_said_to_be_met():
    table = progress(
        ("Dover", 45, None, None, 25.0, None, None, None, "[c]"), ("Swale", 45, 57, 0, 25.0, 0, None, None, "")
    )
    assert say_need(table, what="people still to be reached") == HIDDEN


# Mix of agencies


def test_sessions_of_one_agency_are_named():
    table = mix(
        ("S1, Dover", 20, 5, 0.5, 4, ""),
        ("S2, Swale", 18, 1, 0.1, 1, ""),
        ("S3, Swale", 11, 1, 0.1, 1, ""),
        ("S4, Dover", None, None, None, None, "[c]"),
    )
    assert say_mix(table) == (
        "In 3 sessions that can be shown, learners came from 1 to 5 agencies. "
        "Of one agency alone: S2, Swale and S3, Swale."
    )


def test_sessions_of_several_agencies_are_none_agencys_own():
    table = mix(("Dover", "S1", 20, 12, 0.8, 7, ""), ("Swale", "S2", 18, 3, 0.2, 2, ""), groups=("district", "session"))
    assert say_mix(table) == (
        "In 2 sessions that can be shown, learners came from 3 to 12 agencies. None was of one agency alone."
    )


def test_session_of_two_groupings_is_named_by_both():
    table = mix(("Dover", "S1", 20, 1, 0.1, 1, ""), (None, "S2", 18, 3, 0.2, 2, ""), groups=("district", "session"))
    assert say_mix(table).endswith("Of one agency alone: Dover, S1.")


def test_same_number_of_agencies_everywhere_is_said_once():
    table = mix(("S1", 20, 4, 0.5, 3, ""), ("S2", 18, 4, 0.5, 2, ""))
    assert say_mix(table) == (
        "In 2 sessions that can be shown, learners came from 4 agencies. None was of one agency alone."
    )


@pytest.mark.parametrize("rows", [(), (("S1", None, None, None, None, "[c]"),)])
def test_mix_that_shows_nothing_is_said_to_be_hidden(rows):
    assert say_mix(mix(*rows)) == HIDDEN


def test_session_of_few_people_is_not_said_to_be_one_agencys():
    table = pl.DataFrame(
        {
            "session": ["S1", "S2", "S3"],
            "attended": [3, 20, 30],
            "agencies_present": [1, 5, 6],
            "share_of_agencies": [0.1, 0.5, 0.6],
            "effective_agencies": [1, 4, 5],
        }
    )
    said = say_mix(suppress(table, Policy.dfe()))
    assert "S1" not in said
    assert said.startswith("In 2 sessions that can be shown, learners came from 5 to 6 agencies.")


# Cost


def test_cost_of_a_place_and_of_a_person_are_told_apart():
    # 4,800 ÷ 208 = 23.0769; 4,800 ÷ 173 = 27.7457
    table = costs((208, 173, 12, 12, 4_800.0, 4_800 / 208, 4_800 / 173, ""))
    assert say_cost(table) == (
        "The cost of 12 of 12 sessions is known: £4,800.00 for 208 places and 173 people, "
        "£23.08 a place and £27.75 a person reached."
    )


def test_cost_is_that_of_the_total_row_and_says_how_many_sessions_it_is_of():
    table = costs(
        ("Dover", 8, 7, 1, 1, 100.25, 100.25 / 8, 100.25 / 7, ""),
        ("Total", 1_050, 1_000, 40, 1, 100.25, 100.25 / 1_050, 100.25 / 1_000, ""),
        groups=("district",),
    )
    assert say_cost(table) == (
        "The cost of 1 of 40 sessions is known: £100.25 for 1,050 places and 1,000 people, "
        "£0.10 a place and £0.10 a person reached."
    )


def test_cost_that_nobody_gave_cannot_be_said():
    assert say_cost(costs((0, 0, 12, 0, None, None, None, ""))) == (
        "No cost of a session is given, so what a place costs cannot be said."
    )


def test_cost_of_sessions_nobody_came_to_is_not_called_hidden():
    assert say_cost(costs((0, 0, 3, 2, 800.0, None, None, ""))) == (
        "The cost of 2 of 3 sessions is known, and nobody attended those sessions."
    )


def test_cost_that_is_not_told_is_either_not_given_or_hidden():
    said = "What a place costs is not shown: no cost is given, or it would give a small number away."
    assert say_cost(costs()) == said
    assert say_cost(costs(groups=("district",))) == said


def test_cost_per_place_of_few_people_is_hidden_and_the_cost_is_not_said_either():
    table = costs((None, None, 12, 12, 4_800.0, None, None, "[c]"))
    assert say_cost(table) == f"The cost of 12 of 12 sessions is known. {HIDDEN}"


# Induction


def test_induction_is_a_share_of_those_who_had_started():
    table = already_public(
        pl.DataFrame(
            {"numerator": [31], "denominator": [160], "proportion": [31 / 160], "lower": [0.14], "upper": [0.262]}
        ),
        "By hand",
    )
    assert say_induction(table, as_at=DAY) == (
        "In the year before 1 July 2011: 31 of 160 new staff had training within three months of their first day: "
        "19.4% (95% interval 14.0% to 26.2%)."
    )


def test_induction_cannot_be_judged_without_staff_records():
    nothing = shares().frame().drop("agency")
    assert say_induction(already_public(nothing, "By hand"), as_at=DAY) == (
        "No staff records show who started in the year before, so induction cannot be judged."
    )


def test_hidden_induction_says_no_number():
    table = pl.DataFrame(
        {"numerator": [3], "denominator": [160], "proportion": [3 / 160], "lower": [0.006], "upper": [0.054]}
    )
    said = say_induction(suppress(table, Policy.dfe()), as_at=DAY)
    assert said == (
        "In the year before 1 July 2011: How many of the new staff had training within three months of "
        "their first day is hidden because the number is small, or because it would give a small number away."
    )
    assert numbers_said(said) == ["1", "2011"]


# Rules


def test_rules_are_stated_group_by_group():
    rules = (TrainingRule(1, 1), TrainingRule(4, 2, 24, yearly_level=3))
    assert say_training_rules(rules) == (
        "Target group 1: a course of level 1 or higher in the last 36 months. "
        "Target group 4: a course of level 2 or higher in the last 24 months and one of level 3 or higher in the last "
        "12."
    )


def test_rules_of_kirklees_are_for_four_groups():
    said = say_training_rules(KIRKLEES_2011)
    assert [f"Target group {group}:" in said for group in range(1, 9)] == [True] * 4 + [False] * 4


def test_no_rules_say_nothing():
    assert say_training_rules(()) == ""


# Gaps


def gaps(*rows):
    return pl.DataFrame(rows, schema=dict.fromkeys(("gap", "agency", "consequence"), pl.String), orient="row")


def test_each_gap_is_said_once_with_its_agencies():
    shown = show_gaps(
        gaps(
            ("no return of eligible staff", "Police", "reach is not known"),
            ("no staff records", "Health", "induction is not known"),
            ("no staff records", "Police & Fire <Kent>", "induction is not known"),
        )
    )
    assert str(shown) == (
        "No return of eligible staff: reach is not known. Police\n"
        "No staff records: induction is not known. Health; Police & Fire <Kent>"
    )
    assert shown.html == (
        "<dl><dt>No return of eligible staff: reach is not known.</dt><dd>Police</dd>"
        "<dt>No staff records: induction is not known.</dt><dd>Health; Police &amp; Fire &lt;Kent&gt;</dd></dl>"
    )


def test_no_gap_is_said_to_be_none():
    assert str(show_gaps(gaps())) == "No gap was found in the returns and records."


# The day of the evaluation


@pytest.mark.parametrize("text", ["2011-07-01", " 2011-07-01 "])
def test_day_that_is_given_comes_first(text):
    assert evaluation_day(text, date(2012, 1, 1)) == DAY


@pytest.mark.parametrize("text", ["", "  "])
def test_first_day_that_is_known_is_taken_where_none_is_given(text):
    assert evaluation_day(text, None, DAY, date(2012, 1, 1)) == DAY


@pytest.mark.parametrize("text", ["1st July", "2011-13-01", "2011-02-29", "01/07/2011", "2011", "99999-01-01"])
def test_text_that_is_no_day_is_refused(text):
    with pytest.raises(ParameterError) as caught:
        evaluation_day(text, DAY)
    assert str(caught.value) == f'as_at must be a day such as 2011-07-01. Found: "{text}".'


@pytest.mark.parametrize("others", [(), (None, None)])
def test_no_day_at_all_is_refused_with_a_next_step(others):
    with pytest.raises(ParameterError) as caught:
        evaluation_day("", *others)
    assert str(caught.value) == "as_at: no day is known. Give one, or set [board] as_at in board.toml."


def test_months_are_written_so_that_they_sort():
    days = [date(2011, 12, 31), date(2012, 1, 1), None, date(999, 3, 4)]
    frame = nw.from_native(pl.DataFrame({"day": days}, schema={"day": pl.Date}))
    assert frame.select(month(nw.col("day")))["day"].to_list()[:3] == ["2011-12", "2012-01", None]
    relation = nw.from_native(duckdb.from_arrow(pl.DataFrame({"day": days[:2]}).to_arrow()))
    assert relation.select(found=month(nw.col("day"))).collect("polars")["found"].to_list() == ["2011-12", "2012-01"]
