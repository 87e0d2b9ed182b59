"""Headlines say what their table shows, and never what the table hides. Texts are by hand."""

from __future__ import annotations

from datetime import date

import polars as pl
import pytest

from safeguarding_analytics.disclosure import Policy, already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.sentences import (
    percent,
    say_proportion,
    say_range,
    say_stock_and_flow,
    say_target,
    say_unknown,
)

HIDDEN = "The figure is hidden because the number is small, or because it would give a small number away."


def shares(*rows):
    """Rows of agency, numerator, denominator, proportion, lower, upper."""
    columns = {"agency": pl.String, "numerator": pl.Int64, "denominator": pl.Int64}
    columns |= dict.fromkeys(("proportion", "lower", "upper"), pl.Float64)
    return already_public(pl.DataFrame(rows, schema=columns, orient="row"), "By hand")


def say(table, **where):
    return say_proportion(table, of="eligible staff", have="attended", where=where or None)


# Per cent


@pytest.mark.parametrize(
    ("share", "denominator", "text"),
    [
        (0.5, None, "50.0%"),
        (0.125, 99, "13%"),  # a half is rounded up, as in charts and spreadsheets
        (0.0125, 400, "1.3%"),
        (-0.125, 99, "-13%"),
        (57 / 200, 99, "29%"),  # 28.499999999999996 in binary
        (0.125, 100, "12.5%"),
        (0.0, 5, "0%"),
        (1.0, 1000, "100.0%"),
        (1.12, 50, "112%"),  # an over-filled session
        (0.5, 0, "50%"),
    ],
)
def test_per_cent_has_a_decimal_from_a_denominator_of_100_on(share, denominator, text):
    assert percent(share, denominator) == text


# A share


def test_share_is_said_with_its_counts_and_its_interval():
    table = shares(("Total", 1177, 5920, 0.19882, 0.18884, 0.20921))
    assert say(table) == "1,177 of 5,920 eligible staff attended: 19.9% (95% interval 18.9% to 20.9%)."


def test_share_of_less_than_a_hundred_has_no_decimals():
    assert say(shares(("Total", 7, 38, 7 / 38, 0.0922, 0.3342))) == (
        "7 of 38 eligible staff attended: 18% (95% interval 9% to 33%)."
    )


def test_share_without_an_interval_is_said_without_one():
    assert say(shares(("Total", 177, 920, 0.19239, None, None))) == "177 of 920 eligible staff attended: 19.2%."


def test_total_row_is_said_unless_a_group_is_named():
    table = shares(("A", 10, 20, 0.5, 0.3, 0.7), ("Total", 30, 40, 0.75, 0.6, 0.86))
    assert say(table).startswith("30 of 40")
    assert say(table, agency="A").startswith("10 of 20")


def test_only_row_is_said_whatever_its_group():
    assert say(shares(("A", 10, 20, 0.5, 0.3, 0.7))).startswith("10 of 20")


def test_table_without_group_columns_is_said():
    table = already_public(
        pl.DataFrame({"numerator": [10], "denominator": [20], "proportion": [0.5], "lower": [0.3], "upper": [0.7]}),
        "By hand",
    )
    assert say(table).startswith("10 of 20")


@pytest.mark.parametrize(
    ("rows", "where", "message"),
    [
        (
            (("A", 1, 2, 0.5, 0.1, 0.9), ("C", 1, 2, 0.5, 0.1, 0.9)),
            {},
            "0 rows of the table have agency Total. Wanted exactly one. There are agency: A, C.",
        ),
        (
            (("A", 1, 2, 0.5, 0.1, 0.9),),
            {"agency": "B"},
            "0 rows of the table have agency B. Wanted exactly one. There are agency: A.",
        ),
        (
            (("A", 1, 2, 0.5, 0.1, 0.9), ("A", 1, 2, 0.5, 0.1, 0.9)),
            {"agency": "A"},
            "2 rows of the table have agency A. Wanted exactly one. There are agency: A.",
        ),
    ],
)
def test_group_that_is_not_exactly_one_row_is_refused(rows, where, message):
    with pytest.raises(ParameterError) as caught:
        say(shares(*rows), **where)
    assert str(caught.value) == message


def test_table_without_rows_is_said_to_have_counted_nothing():
    with pytest.raises(ParameterError, match="nothing was counted for what was asked for: the table has no rows"):
        say(shares())


def test_hidden_share_is_said_to_be_hidden_and_no_number_of_it_is_said():
    table = pl.DataFrame(
        {
            "agency": ["A", "B", "Total"],
            "numerator": [3, 40, 43],
            "denominator": [17, 90, 107],
            "proportion": [3 / 17, 40 / 90, 43 / 107],
            "lower": [0.06, 0.35, 0.31],
            "upper": [0.41, 0.55, 0.5],
        }
    )
    safe = suppress(table, Policy.dfe())
    assert say(safe, agency="A") == (
        "How many of the eligible staff attended is hidden because the number is small, or because it would give a "
        "small number away."
    )


def test_unknown_denominator_is_never_a_zero():
    assert say(shares(("Total", 1050, None, None, None, None))) == (
        "1,050 attended. How many eligible staff there are in all is not known, so no overall share can be given."
    )


def test_unknown_numerator_and_denominator_are_said_to_be_unknown():
    assert say(shares(("Total", None, None, None, None, None))) == (
        "How many eligible staff there are in all is not known, so no overall share can be given."
    )


def test_unknown_numerator_is_not_called_an_unknown_denominator():
    assert say(shares(("Total", None, 920, None, None, None))) == (
        "How many of 920 eligible staff attended is not known, so no overall share can be given."
    )


def test_share_of_nobody_cannot_be_worked_out():
    assert say(shares(("Total", 0, 0, None, None, None))) == (
        "0 of 0 eligible staff attended: no share can be worked out from these counts."
    )


# From where to where


def test_range_runs_from_the_lowest_to_the_highest_share_without_the_total():
    table = shares(
        ("A", 50, 200, 0.25, 0.195, 0.314),
        # Wilson: (2 + 3.8415 / 2 ± 1.96 × √(40 × 0.05 × 0.95 + 3.8415 / 4)) / 43.8415 = 0.08943 ± 0.07561.
        ("B", 2, 40, 0.05, 0.01382, 0.16504),
        ("C", 90, 100, 0.9, 0.826, 0.945),
        ("D", None, None, None, None, None),
        ("Total", 142, 340, 0.4176, 0.3664, 0.4707),
    )
    assert say_range(table, groups="agencies") == (
        "Among the 3 agencies whose figures can be shown, the share runs from "
        "5% (B; 95% interval 1% to 17%) to 90.0% (C; 95% interval 82.6% to 94.5%)."
    )


def test_range_of_equal_shares_names_the_first_and_the_last_by_name():
    table = shares(("B", 10, 20, 0.5, 0.3, 0.7), ("A", 10, 20, 0.5, 0.3, 0.7), ("C", 10, 20, 0.5, 0.3, 0.7))
    assert say_range(table, groups="agencies") == (
        "Among the 3 agencies whose figures can be shown, the share runs from "
        "50% (A; 95% interval 30% to 70%) to 50% (C; 95% interval 30% to 70%)."
    )


def test_range_without_intervals_is_said_without_them():
    table = shares(("A", 50, 200, 0.25, None, None), ("B", 2, 40, 0.05, None, None))
    assert say_range(table, groups="areas") == (
        "Among the 2 areas whose figures can be shown, the share runs from 5% (B) to 25.0% (A)."
    )


@pytest.mark.parametrize(
    "rows",
    [
        (),
        (("A", 10, 20, 0.5, 0.3, 0.7),),
        (("A", 10, 20, 0.5, 0.3, 0.7), ("Total", 10, 20, 0.5, 0.3, 0.7)),
        (("A", 10, 20, 0.5, 0.3, 0.7), ("B", 10, None, None, None, None)),
    ],
)
def test_fewer_than_two_groups_are_not_compared(rows):
    assert say_range(shares(*rows), groups="agencies") == (
        "Too few agencies have a figure that can be shown to compare them."
    )


# The target


def said_of_target(table, target=1200, by_day=date(2011, 6, 30)):
    return say_target(table, target=target, by_day=by_day, first=date(2011, 5, 10), last=date(2011, 6, 28))


@pytest.mark.parametrize(
    ("reached", "end"),
    [
        (1050, "1,050 were reached, 150 fewer than the target"),
        (1199, "1,199 were reached, 1 fewer than the target"),
        (1200, "1,200 were reached, the target"),
        (1201, "1,201 were reached, 1 more than the target"),
        (2500, "2,500 were reached, 1,300 more than the target"),
    ],
)
def test_people_reached_are_set_against_the_target(reached, end):
    table = shares(("Total", reached, None, None, None, None))
    assert said_of_target(table) == (
        f"The target was 1,200 people by 30 June 2011; {end}, in the sessions from 10 May 2011 to 28 June 2011."
    )


def test_sessions_after_the_day_of_the_target_are_said():
    table = shares(("Total", 1050, None, None, None, None))
    assert said_of_target(table, by_day=date(2011, 6, 27)).endswith("Some of these sessions were held after that day.")
    assert "after that day" not in said_of_target(table, by_day=date(2011, 6, 28))


def test_target_without_a_day_is_said_without_one():
    table = shares(("Total", 1050, None, None, None, None))
    assert said_of_target(table, by_day=None).startswith("The target was 1,200 people; 1,050 were reached")


def test_board_without_a_target_is_told_nothing():
    assert said_of_target(shares(("Total", 1050, None, None, None, None)), target=None, by_day=None) == ""


def test_hidden_number_of_people_reached_is_not_set_against_the_target():
    table = pl.DataFrame(
        {"agency": ["Total"], "numerator": [3], "denominator": [9], "proportion": [1 / 3], "lower": 0.1, "upper": 0.6}
    )
    assert said_of_target(suppress(table, Policy.dfe()), by_day=None) == f"The target was 1,200 people. {HIDDEN}"


def test_agencies_without_a_return_are_named():
    table = shares(
        ("Total", 60, None, None, None, None),
        ("A", 20, 40, 0.5, 0.35, 0.65),
        ("C", 15, None, None, None, None),
        ("B", 25, None, None, None, None),
    )
    assert say_unknown(table, what="how many staff work in") == "It is not known how many staff work in: B and C."
    assert say_unknown(shares(("A", 20, 40, 0.5, 0.35, 0.65)), what="how many staff work in") == ""


# Stock and flow


@pytest.mark.parametrize(
    ("numbers", "sentence"),
    [
        # Kent Safeguarding Children Board, Annual Report 2007-08
        ((864, 920, 813, 960, -11), "864 + 920 − 813 = 971, but 960 is printed: 11 fewer than the flows give."),
        ((1000, 200, 100, 1105, 5), "1,000 + 200 − 100 = 1,100, but 1,105 is printed: 5 more than the flows give."),
        ((1000, 200, 100, 1100, 0), "1,000 + 200 − 100 = 1,100, as printed."),
    ],
)
def test_stock_and_flow_are_added_up(numbers, sentence):
    assert say_stock_and_flow(*numbers) == sentence
