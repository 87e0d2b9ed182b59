"""What is said of child protection plans says what its table shows, and nothing that it hides. Texts are by hand."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics import child_protection_sentences as sentences
from safeguarding_analytics import next_plans, plan_indicators
from safeguarding_analytics.child_protection_sentences import (
    say_apart,
    say_beside,
    say_categories,
    say_control_chart,
    say_known_history,
    say_long_plans,
    say_next_plans,
    say_rate,
    say_register,
    say_repeat_plans,
    say_year_on_year,
)
from safeguarding_analytics.contrasts import compare_years
from safeguarding_analytics.disclosure import already_public, suppress
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.tables import CATEGORIES

HIDDEN = "The figure is hidden because the number is small, or because it would give a small number away."
OPEN, STARTED, ENDED = "open at the end", "started", "ended"
Z = 1.959963984540054
ENDS = ("lower", "upper", "lower_clustered", "upper_clustered")
TEXT = ("time_period", "flow", "category", "event", "mark")


def frame(columns, *rows):
    kinds = {name: pl.String if name in TEXT else pl.Float64 for name in columns}
    counts = ("numerator", "denominator", "count", "population", "n", "months")
    kinds |= {name: pl.Int64 for name in columns if name in counts}
    return pl.DataFrame(list(rows), schema=kinds, orient="row")


def safe(columns, *rows, policy=None):
    """A table that may be published; rows of which all numbers are null are hidden."""
    table = frame(columns, *rows)
    first = next(name for name in table.columns if name not in TEXT and name != "months")
    mark = pl.when(pl.col(first).is_null()).then(pl.lit("[c]")).otherwise(pl.lit("")).alias("mark")
    return Safe(table.with_columns(mark), policy or Policy.dfe())


def wilson(x, n):
    middle, half = 2 * x + Z * Z, Z * (Z * Z + 4 * x * (1 - x / n)) ** 0.5
    return (middle - half) / (2 * (n + Z * Z)), (middle + half) / (2 * (n + Z * Z))


def share(period, x, n, *clustered):
    if x is None:
        return (period, *[None] * 7)
    return (period, x, n, x / n, *wilson(x, n), *(clustered or (None, None)))


def shares(*rows, **kwargs):
    return safe(("time_period", "numerator", "denominator", "proportion", *ENDS), *rows, **kwargs)


def numbers(text):
    """All numbers of a text as they are printed, without commas."""
    return {each.replace(",", "") for each in re.findall(r"\d[\d,]*(?:\.\d+)?", text)}


# Second or subsequent plans. Kent 2007/08: 177 of 920, Wilson 16.822-21.912% (../shared/data/intervals).


def test_repeat_plans_have_both_intervals():
    table = shares(share("2008", 177, 920, 0.165, 0.223))
    assert say_repeat_plans(table, where={"time_period": "2008"}) == (
        "177 of 920 plans that started with a known history were a second or subsequent plan: 19.2% (95% interval "
        "16.8% to 21.9%; 16.5% to 22.3% allowing for siblings and repeats)."
    )


def test_clustered_interval_that_reads_the_same_is_said_to_be_no_wider():
    # Rounded outwards to 0.001 it is never quite the same.
    table = shares(share("2008", 177, 920, 0.1682, 0.2192))
    said = say_repeat_plans(table, where={"time_period": "2008"})
    assert said.endswith("(95% interval 16.8% to 21.9%, no wider when allowing for siblings and repeats).")


def test_clustered_interval_is_said_where_one_of_its_ends_lies_further_out():
    table = shares(share("2008", 177, 920, 0.168, 0.230))
    assert "; 16.8% to 23.0% allowing for" in say_repeat_plans(table, where={"time_period": "2008"})


def test_clustered_interval_that_is_not_known_is_not_said():
    table = shares(share("2008", 177, 920))
    said = say_repeat_plans(table, where={"time_period": "2008"})
    assert said.endswith("19.2% (95% interval 16.8% to 21.9%).")
    plain = safe(
        ("time_period", "numerator", "denominator", "proportion", "lower", "upper"), share("2008", 177, 920)[:6]
    )
    assert say_repeat_plans(plain, where={"time_period": "2008"}) == said


def test_clustered_interval_of_fewer_than_100_plans_has_no_decimals():
    # 7 of 38: 9.2-33.4% (research note on intervals); 8.7% and 9.2% both read 9%.
    table = shares(share("2008", 7, 38, 0.087, 0.331))
    said = say_repeat_plans(table, where={"time_period": "2008"})
    assert said.endswith("18% (95% interval 9% to 33%, no wider when allowing for siblings and repeats).")


def test_no_repeat_plan_is_said_as_such():
    # 0 of 30: the upper end is z²/(n + z²) = 3.8415 ÷ 33.8415 = 11.35%.
    said = say_repeat_plans(shares(share("2008", 0, 30, 0.0, 0.16)), where={"time_period": "2008"})
    assert said.startswith("0 of 30 plans that started with a known history were a second or subsequent plan: 0% ")
    assert said.endswith("(95% interval 0% to 11%; 0% to 16% allowing for siblings and repeats).")


def test_counts_have_separators_of_thousands():
    said = say_repeat_plans(shares(share("2025", 15130, 61840)), where={"time_period": "2025"})
    assert said.startswith("15,130 of 61,840 plans")


def test_hidden_repeat_plans_are_said_to_be_hidden():
    table = shares(share("2007", 30, 200), share("2008", None, None))
    assert say_repeat_plans(table, where={"time_period": "2008"}) == (
        "How many of the plans that started with a known history were a second or subsequent plan is hidden because "
        "the number is small, or because it would give a small number away."
    )


@pytest.mark.parametrize(("months", "words"), [(12, "12 months"), (1, "1 month")])
def test_repeat_plans_within_months_say_the_months(months, words):
    said = say_repeat_plans(shares(share("2008", 60, 920)), where={"time_period": "2008"}, months=months)
    assert said.startswith(
        "60 of 920 plans that started with a known history came within "
        f"{words} of the end of the child's plan before: 6.5% (95% interval "
    )


def test_year_that_is_not_in_the_table_is_answered_by_the_text_for_it():
    table = shares(share("2007", 30, 200))
    assert say_repeat_plans(table, where={"time_period": "2008"}, if_empty="Not told.") == "Not told."
    assert say_repeat_plans(shares(), where={"time_period": "2008"}, if_empty="Not told.") == "Not told."
    with pytest.raises(ParameterError, match="0 rows of the table have time_period 2008"):
        say_repeat_plans(table, where={"time_period": "2008"})


def test_no_plan_at_all_has_no_share():
    table = safe(("time_period", "numerator", "denominator", "proportion", *ENDS), ("2008", 0, 0, *[None] * 5))
    assert say_repeat_plans(table, where={"time_period": "2008"}).startswith("0 of 0 plans that started")


# Year on year. Newcombe's interval is written out in `newcombe`.

NOW = "In the year to 31 March 2008 it is"
BEFORE = "in the year to 31 March 2007 (95% interval of the change"


def newcombe(now, before):
    (share_now, low, high), (share_before, low_before, high_before) = now, before
    difference = share_now - share_before
    below = ((share_now - low) ** 2 + (high_before - share_before) ** 2) ** 0.5
    above = ((high - share_now) ** 2 + (share_before - low_before) ** 2) ** 0.5
    return difference, difference - below, difference + above


def year_on_year(*rows, time_period="2008"):
    table = shares(*rows)
    return say_year_on_year(table, compare_years(table.frame()), time_period=time_period)


def test_clear_fall_is_called_one_without_a_reason():
    # 300 of 1,000 to 200 of 1,000: by `newcombe` −10.0 points, −13.7 to −6.2.
    ends = newcombe((0.2, *wilson(200, 1000)), (0.3, *wilson(300, 1000)))
    assert [round(each * 100, 1) for each in ends] == [-10.0, -13.7, -6.2]
    assert year_on_year(share("2007", 300, 1000), share("2008", 200, 1000)) == (
        f"{NOW} 10.0 points lower than {BEFORE} −13.7 to −6.2 points)"
        ": a clear fall, whose reasons the numbers do not show."
    )


def test_clear_rise_is_called_one():
    assert year_on_year(share("2007", 200, 1000), share("2008", 300, 1000)) == (
        f"{NOW} 10.0 points higher than {BEFORE} +6.2 to +13.7 points)"
        ": a clear rise, whose reasons the numbers do not show."
    )


def test_change_that_chance_could_make_is_called_neither():
    # 200 to 190 of 1,000: −1.0 points, −4.5 to +2.5 by `newcombe`.
    ends = newcombe((0.19, *wilson(190, 1000)), (0.2, *wilson(200, 1000)))
    assert [round(each * 100, 1) for each in ends] == [-1.0, -4.5, 2.5]
    assert year_on_year(share("2007", 200, 1000), share("2008", 190, 1000)) == (
        f"{NOW} 1.0 points lower than {BEFORE} −4.5 to +2.5 points): "
        "chance alone could make it, so it is neither a clear fall nor a clear rise."
    )


def test_fall_that_siblings_make_unclear_is_not_called_clear():
    # 250 to 200 of 1,000 is clear by the plain intervals, and not by clustered ones twice as wide.
    plain = year_on_year(share("2007", 250, 1000), share("2008", 200, 1000))
    wide = year_on_year(share("2007", 250, 1000, 0.2, 0.31), share("2008", 200, 1000, 0.15, 0.26))
    assert "a clear fall" in plain
    assert "neither a clear fall nor a clear rise" in wide


def test_equal_years_are_the_same():
    said = year_on_year(share("2007", 200, 1000), share("2008", 200, 1000))
    assert said.startswith(f"{NOW} the same share as {BEFORE} −3.5 to +3.5")


def test_change_too_small_to_print_is_said_to_be():
    # 20,000 to 20,030 of 100,000: 0.03 points.
    said = year_on_year(share("2007", 20_000, 100_000), share("2008", 20_030, 100_000))
    assert said.startswith(f"{NOW} less than 0.1 points higher than in the year to 31 March 2007 (95%")


@pytest.mark.parametrize(
    ("difference", "text"),
    [(0.0004, "0.0"), (-0.0004, "0.0"), (0.0005, "+0.1"), (-0.0006, "−0.1"), (0.0321, "+3.2"), (-0.12, "−12.0")],
)
def test_points_have_a_sign_unless_they_read_as_none(difference, text):
    assert sentences._points(difference) == text


@pytest.mark.parametrize(
    "rows",
    [
        [share("2008", 200, 1000)],
        [share("2006", 300, 1000), share("2008", 200, 1000)],
        [share("2007", None, None), share("2008", 200, 1000)],
        [share("2007", 200, 1000), share("2008", None, None)],
        [share("1 October 2024 to 31 March 2025, 6 months", 200, 1000)],
        [],
    ],
)
def test_year_without_a_year_before_it_has_nothing_to_compare(rows):
    assert year_on_year(*rows) == ""


def test_comparison_of_hidden_or_other_numbers_is_refused():
    hidden = shares(share("2007", None, None), share("2008", 200, 1000))
    exact = frame(hidden.frame().columns[:-1], share("2007", 3, 1000), share("2008", 200, 1000))
    with pytest.raises(ParameterError, match="a year stands in it that the table hides or shows otherwise"):
        say_year_on_year(hidden, compare_years(exact), time_period="2008")
    rounded = shares(share("2007", 205, 1000), share("2008", 200, 1000))
    exact = frame(hidden.frame().columns[:-1], share("2007", 203, 1000), share("2008", 200, 1000))
    with pytest.raises(ParameterError, match="shows otherwise"):
        say_year_on_year(rounded, compare_years(exact), time_period="2008")


def test_years_of_a_table_with_other_groups_are_not_compared():
    table = safe(("time_period", "category", "numerator", "denominator", "proportion", "lower", "upper"))
    with pytest.raises(ParameterError, match=r"by time_period alone\. Found: time_period, category"):
        say_year_on_year(table, compare_years(shares().frame()), time_period="2008")


# Time to the next plan


def curve(*rows, text=False):
    table = safe(("event", "months", "n", "estimate", "lower", "upper"), *rows)
    return Safe(table.frame().with_columns(pl.col("months").cast(pl.String)), Policy.dfe()) if text else table


NEXT, LEFT = "second or subsequent plan", "died or moved away"
START = (NEXT, 0, 1240, 0.0, None, None)
YEAR = (NEXT, 12, 1001, 0.123, 0.102, 0.148)
TWO = (NEXT, 24, 640, 0.201, 0.177, 0.228)
YEAR_IN_WORDS = "12.3% within 12 months (95% interval 10.2% to 14.8%; 1,001 still followed)"
TWO_IN_WORDS = "20.1% within 24 months (95% interval 17.7% to 22.8%; 640 still followed)"


@pytest.mark.parametrize("text", [False, True])
def test_next_plans_are_said_with_interval_and_number_followed(text):
    assert say_next_plans(curve(START, YEAR, TWO, text=text)) == (
        f"Of 1,240 ends of protection, the estimated share followed by a second or subsequent plan is "
        f"{YEAR_IN_WORDS}; {TWO_IN_WORDS}."
    )


def test_deaths_and_moves_stand_beside_where_they_are_known():
    table = curve(START, YEAR, TWO, (LEFT, 12, 1001, 0.021, 0.01, 0.03), (LEFT, 24, 640, 0.03, 0.02, 0.04))
    assert say_next_plans(table).endswith(
        f"{TWO_IN_WORDS}. Of the same, the share who had died or moved away is 2.1% within 12 months and 3.0% within "
        "24 months."
    )


def hidden(row):
    return (*row[:2], *[None] * (len(row) - 2))


@pytest.mark.parametrize("gap", [[], [hidden(YEAR)]])
def test_months_that_are_not_told_are_said_not_to_be(gap):
    assert say_next_plans(curve(START, *gap, TWO)) == (
        f"Of 1,240 ends of protection, the estimated share followed by a second or subsequent plan is {TWO_IN_WORDS}. "
        "Within 12 months it cannot be told, as the numbers are too small."
    )


def test_hidden_number_of_ends_is_not_said():
    said = say_next_plans(curve(hidden(START), YEAR), months=[12])
    assert (
        said
        == f"Of the ends of protection, the estimated share followed by a second or subsequent plan is {YEAR_IN_WORDS}."
    )


def test_none_of_the_months_told_is_said_once():
    assert say_next_plans(curve(START, hidden(YEAR), hidden(TWO))) == (
        "Another plan within 12 months and 24 months: the share cannot be told, as the numbers are too small."
    )


def test_no_next_plan_is_a_share_of_zero_without_an_interval():
    said = say_next_plans(curve((NEXT, 0, 40, 0.0, None, None), (NEXT, 12, 30, 0.0, None, None)), months=[12])
    assert said.endswith("is 0% within 12 months (30 still followed).")


def test_shares_of_fewer_than_100_ends_have_no_decimals():
    said = say_next_plans(curve((NEXT, 0, 40, 0.0, None, None), (NEXT, 12, 30, 0.15, 0.064, 0.297)), months=[12])
    assert said.endswith("is 15% within 12 months (95% interval 6% to 30%; 30 still followed).")


def test_table_without_next_plans_says_why():
    assert say_next_plans(curve(), if_empty="No plan ended in this time.") == "No plan ended in this time."


def test_words_of_the_measures_are_those_of_the_sentences():
    assert (sentences.NEXT_PLAN, sentences.LEFT) == (next_plans.NEXT_PLAN, next_plans.DIED_OR_MOVED)
    assert plan_indicators.AT_END == sentences.OPEN_AT_END == OPEN
    assert {plan_indicators.STARTED, plan_indicators.ENDED} == {STARTED, ENDED}
    assert tuple(sentences.CATEGORY_WORDS) == CATEGORIES


# The register adds up: Kent 2007/08 printed 864, 920, 813 and 960, and 864 + 920 − 813 is 971.


def flows(before, started, ended, after, **kwargs):
    counts = {("2007", OPEN): before, ("2008", STARTED): started, ("2008", ENDED): ended, ("2008", OPEN): after}
    rows = [(*key, count, *[None] * 4) for key, count in counts.items() if count != "missing"]
    return safe(("time_period", "flow", "count", "population", "rate", "lower", "upper"), *rows, **kwargs)


def test_kent_register_of_2007_08_is_eleven_short():
    assert say_register(flows(864, 920, 813, 960), time_period="2008") == (
        "864 plans open at the end of 31 March 2007 + 920 started − 813 ended = 971, "
        "but 960 were open on 31 March 2008: 11 fewer."
    )


def test_register_with_more_than_its_flows_says_how_many():
    assert say_register(flows(1864, 920, 813, 1982), time_period="2008").endswith(
        "= 1,971, but 1,982 were open on 31 March 2008: 11 more."
    )


def test_register_that_adds_up_says_so():
    assert say_register(flows(1864, 920, 813, 1971), time_period="2008") == (
        "1,864 plans open at the end of 31 March 2007 + 920 started − 813 ended = 1,971, "
        "which is the number open on 31 March 2008: the register adds up."
    )


@pytest.mark.parametrize("place", range(4))
def test_register_with_a_hidden_count_cannot_be_shown_to_add_up(place):
    counts = [864, 920, 813, 971]
    counts[place] = None
    assert say_register(flows(*counts), time_period="2008") == (
        "Whether starts and ends account for the register cannot be shown: one of the counts is hidden."
    )


@pytest.mark.parametrize("place", range(4))
def test_nothing_is_said_of_a_register_that_lacks_a_count(place):
    counts = [864, 920, 813, 971]
    counts[place] = "missing"
    assert say_register(flows(*counts), time_period="2008") == ""


@pytest.mark.parametrize("period", ["2007", "2010", "1 October 2024 to 31 March 2025, 6 months", ""])
def test_nothing_is_said_of_a_period_without_both_ends(period):
    assert say_register(flows(864, 920, 813, 960), time_period=period) == ""


@pytest.mark.parametrize(
    ("after", "words"),
    [(970, "were open on 31 March 2008, which rounding alone may do."), (960, "15 fewer.")],
)
def test_rounded_counts_are_not_called_a_gap_that_rounding_may_make(after, words):
    # To the nearest 5, each of the four counts is up to 2 off: 8 together.
    said = say_register(flows(865, 920, 810, after, policy=Policy(threshold=6, round=5)), time_period="2008")
    assert said.endswith(words)


def test_rounded_counts_that_add_up_do_so_as_far_as_they_can_show():
    said = say_register(flows(865, 920, 810, 975, policy=Policy(threshold=6, round=5)), time_period="2008")
    assert said.endswith("the register adds up as far as rounded counts can show.")


# Rates: 960 of 309,677 is 31.00 (29.07-33.02), the research note on intervals.


def rates(*row):
    return safe(("time_period", "count", "population", "rate", "lower", "upper"), ("2008", *row))


PLANS_OPEN = "plans open on 31 March 2008"


def test_rate_is_said_with_count_interval_and_children():
    assert say_rate(rates(960, 309_677, 31.0, 29.07, 33.02), of=PLANS_OPEN) == (
        "960 plans open on 31 March 2008: 31.0 per 10,000 children (95% interval 29.1 to 33.0), of 309,677 children."
    )


def test_count_without_population_has_no_rate():
    assert say_rate(rates(1960, None, None, None, None), of=PLANS_OPEN) == (
        "1,960 plans open on 31 March 2008; without the number of children at the mid-year before there is no rate."
    )


def test_hidden_rate_is_hidden_although_the_population_is_known():
    table = safe(("time_period", "count", "population", "rate", "lower", "upper"), ("2008", None, 309_677, *[None] * 3))
    assert say_rate(table, of=PLANS_OPEN) == HIDDEN


def test_no_plan_is_a_rate_of_zero():
    # The exact upper end of 0 events is 3.689 ÷ 309,677 × 10,000 = 0.12.
    assert say_rate(rates(0, 309_677, 0.0, 0.0, 0.1191), of=PLANS_OPEN).startswith(
        "0 plans open on 31 March 2008: 0.0 per 10,000 children (95% interval 0.0 to 0.1), of 309,677"
    )


def test_published_rate_without_its_counts_is_said_alone():
    columns = ("time_period", "count", "population", "rate", "lower", "upper")
    table = already_public(frame(columns, ("2008", None, None, 31.0, None, None)), "a report")
    assert say_rate(table, of=PLANS_OPEN) == "Plans open on 31 March 2008: 31.0 per 10,000 children."


def test_rate_that_is_not_in_the_table_is_answered_by_the_text_for_it():
    where = {"time_period": "2009"}
    assert say_rate(rates(960, 309_677, 31.0, 29.07, 33.02), of=PLANS_OPEN, where=where, if_empty="None.") == "None."
    with pytest.raises(ParameterError, match="0 rows of the table have time_period 2009"):
        say_rate(rates(960, 309_677, 31.0, 29.07, 33.02), of=PLANS_OPEN, where=where)


# Categories


def categories(*rows, period="2008", flow=False):
    columns = ("time_period", "flow", "category", "count") if flow else ("time_period", "category", "count")
    return safe(columns, *((period, *([OPEN] if flow else []), *row) for row in rows))


@pytest.mark.parametrize("flow", [False, True])
def test_categories_are_said_most_frequent_first(flow):
    table = categories(
        *(("EMO", 300), ("MUL", 0), ("NEG", 850), ("PHY", 100), ("SAB", 25), ("Total", 1_275), ("not recorded", 0)),
        flow=flow,
    )
    # 850, 300, 100 and 25 of 1,275: 66.67, 23.53, 7.84 and 1.96%.
    assert say_categories(table, time_period="2008") == (
        "Of 1,275 plans open on 31 March 2008: neglect 850 (66.7%), emotional abuse 300 (23.5%), physical abuse 100 "
        "(7.8%), sexual abuse 25 (2.0%)."
    )


def test_categories_of_a_tie_are_said_in_the_order_of_their_codes():
    said = say_categories(categories(("PHY", 20), ("NEG", 20), ("Total", 40)), time_period="2008")
    assert said == "Of 40 plans open on 31 March 2008: neglect 20 (50%), physical abuse 20 (50%)."


def test_hidden_categories_are_said_to_be_hidden():
    table = categories(("EMO", None), ("NEG", 60), ("PHY", 0), ("SAB", None), ("Total", 80))
    assert say_categories(table, time_period="2008") == (
        "Of 80 plans open on 31 March 2008: neglect 60 (75%). How many were for other categories is hidden, as that "
        "would tell of small numbers."
    )


def test_no_category_that_can_be_shown_leaves_the_total():
    assert say_categories(categories(("EMO", None), ("NEG", None), ("Total", 8)), time_period="2008") == (
        "8 plans were open on 31 March 2008. How many were for other categories is hidden, as that would tell of "
        "small numbers."
    )


def test_hidden_total_hides_the_categories():
    assert say_categories(categories(("EMO", None), ("NEG", 60), ("Total", None)), time_period="2008") == HIDDEN


def test_no_open_plan_is_said_as_such():
    said = say_categories(categories(("EMO", 0), ("NEG", 0), ("Total", 0)), time_period="2008")
    assert said == "No plan was open on 31 March 2008."


def test_part_of_a_year_is_said_by_its_last_day():
    period = "1 October 2024 to 31 March 2025, 6 months"
    said = say_categories(categories(("NEG", 40), ("Total", 40), period=period), time_period=period)
    assert said == f"Of 40 plans open on the last day of {period}: neglect 40 (100%)."


def test_period_that_is_not_in_the_table_is_an_error():
    with pytest.raises(ParameterError, match="0 rows of the table have time_period 2009"):
        say_categories(categories(("NEG", 40), ("Total", 40)), time_period="2009")


# Of every table: no number that is not shown or worked out of what is shown, and no claim that numbers cannot bear.

COUNTS = st.integers(0, 12) | st.integers(0, 400)
CLAIMS = re.compile(r"significan|\bcause|due to|led to|thanks to|\bworse|\bbetter|improv|success|fail|None|nan", re.I)
YEARS = ("2006", "2007", "2008")


def per_cent(value, size):
    """As it is written: no decimals under 100, and a half is rounded up."""
    last = Decimal(1) if size < 100 else Decimal("0.1")
    return str(Decimal(repr(round(value * 100, 9))).quantize(last, ROUND_HALF_UP))


def suppressed(table):
    return suppress(table, Policy.dfe())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(COUNTS, COUNTS), min_size=3, max_size=3), st.floats(0, 0.1))
def test_repeat_plans_and_their_change_say_shown_numbers_alone(counts, wider):
    rows = []
    for period, (repeats, firsts) in zip(YEARS, counts, strict=True):
        row = share(period, repeats, repeats + firsts) if repeats + firsts else (period, 0, 0, *[None] * 5)
        ends = (None, None) if row[4] is None else (max(row[4] - wider, 0), min(row[5] + wider, 1))
        rows.append((*row[:6], *ends))
    table = suppressed(frame(("time_period", "numerator", "denominator", "proportion", *ENDS), *rows))
    compared = compare_years(table.frame())
    shown = {row["time_period"]: row for row in table.frame().iter_rows(named=True)}
    for period, row in shown.items():
        said = say_repeat_plans(table, where={"time_period": period})
        allowed = {"95"} | {str(row[name]) for name in ("numerator", "denominator") if row[name] is not None}
        if row["proportion"] is not None:
            allowed |= {per_cent(row[name], row["denominator"]) for name in ("proportion", *ENDS)}
        assert numbers(said) <= allowed
        assert not CLAIMS.search(said)
        said = say_year_on_year(table, compared, time_period=period)
        before = shown.get(str(int(period) - 1))
        if before is None or row["proportion"] is None or before["proportion"] is None:
            assert said == ""
            continue
        now, then = (
            (
                each["proportion"],
                min(each["lower"], each["lower_clustered"]),
                max(each["upper"], each["upper_clustered"]),
            )
            for each in (row, before)
        )
        change = newcombe(now, then)
        allowed = {"95", "31", period, before["time_period"], "0.1"} | {f"{abs(each) * 100:.1f}" for each in change}
        assert numbers(said) <= allowed
        assert not CLAIMS.search(said)
        assert ("a clear fall," in said) == (change[2] < 0)
        assert ("a clear rise," in said) == (change[1] > 0)


@settings(max_examples=25, deadline=None)
@given(st.lists(COUNTS, min_size=4, max_size=4))
def test_register_and_rates_say_shown_numbers_alone(counts):
    before, started, ended, after = counts
    rows = [("2007", OPEN, before), ("2008", ENDED, ended), ("2008", OPEN, after), ("2008", STARTED, started)]
    columns = ("time_period", "flow", "count", "population", "rate", "lower", "upper")
    table = suppressed(frame(columns, *((*row, 20_000, row[2] / 2, row[2] / 3, row[2] * 0.7) for row in rows)))
    shown = {tuple(row[:2]): row[2] for row in table.frame().iter_rows()}
    known = {count for count in shown.values() if count is not None}
    said = say_register(table, time_period="2008")
    if len([count for count in shown.values() if count is not None]) < 4:
        assert numbers(said) == set()
    else:
        total = before + started - ended
        allowed = known | {total, abs(total - after), 31, 2007, 2008}
        assert {int(number) for number in numbers(said)} <= {abs(number) for number in allowed}
    assert not CLAIMS.search(said)
    for (period, flow), count in shown.items():
        said = say_rate(table, of="plans", where={"time_period": period, "flow": flow})
        if count is None:
            assert said == HIDDEN
        else:
            allowed = {"95", "10000", "20000", str(count)}
            allowed |= {f"{each:.1f}" for each in (count / 2, count / 3, count * 0.7)}
            assert numbers(said) <= allowed


@settings(max_examples=25, deadline=None)
@given(st.lists(COUNTS, min_size=5, max_size=5))
def test_categories_say_shown_numbers_alone(counts):
    rows = [("2008", name, count) for name, count in zip(CATEGORIES, counts, strict=True)]
    table = suppressed(frame(("time_period", "category", "count"), *rows, ("2008", "Total", sum(counts))))
    shown = {row["category"]: row["count"] for row in table.frame().iter_rows(named=True)}
    said = say_categories(table, time_period="2008")
    assert not CLAIMS.search(said)
    total = shown["Total"]
    if total is None:
        assert said == HIDDEN
        return
    known = [count for count in shown.values() if count]
    allowed = {"31", "2008", str(total)} | {str(count) for count in known}
    allowed |= {per_cent(count / total, total) for count in known}
    assert numbers(said) <= allowed
    assert ("is hidden" in said) == (None in shown.values())


@settings(max_examples=25, deadline=None)
@given(st.lists(st.integers(0, 200), min_size=4, max_size=4), st.lists(st.floats(0, 1), min_size=4, max_size=4))
def test_next_plans_say_shown_numbers_alone(followed, estimates):
    sizes = sorted(followed, reverse=True)
    rows = [
        (event, month, size, estimate, estimate * 0.8, 1 - (1 - estimate) * 0.8)
        for event in (LEFT, NEXT)
        for month, size, estimate in zip((0, 6, 12, 24), sizes, estimates, strict=True)
    ]
    table = suppressed(frame(("event", "months", "n", "estimate", "lower", "upper"), *rows))
    said = say_next_plans(table)
    shown = [row for row in table.frame().iter_rows(named=True) if row["event"] == NEXT]
    allowed = {"95", "12", "24"} | {str(row["n"]) for row in shown if row["n"] is not None}
    size = shown[0]["n"] if shown[0]["n"] is not None else 1000
    told = [row[name] for row in shown for name in ("estimate", "lower", "upper") if row[name] is not None]
    assert numbers(said) <= allowed | {per_cent(each, size) for each in told}
    assert not CLAIMS.search(said)


def started_and_known(started, known):
    rates = pl.DataFrame(
        {"time_period": ["2008"], "flow": ["started"], "count": [started], "population": [1000], "rate": [1.0]}
    )
    years = pl.DataFrame(
        {"time_period": ["2008"], "numerator": [10], "denominator": [known], "proportion": [10 / known]}
    )
    return suppress(rates, Policy.dfe()), suppress(years, Policy.dfe())


def test_plans_left_out_of_the_share_are_counted_and_said():
    said = say_known_history(*started_and_known(920, 900), time_period="2008")
    assert said.startswith("Of 920 plans started in the year to 31 March 2008, 900 have a known history;")


@pytest.mark.parametrize(("started", "known", "period"), [(920, 920, "2008"), (3, 20, "2008"), (920, 900, "2007")])
def test_nothing_is_said_where_none_is_left_out_or_a_number_is_hidden(started, known, period):
    assert say_known_history(*started_and_known(started, known), time_period=period) == ""


def beside(**columns):
    areas = {"time_period": ["2024", "2025", "2025"], "area": ["Kent", "Kent", "England"]}
    return already_public(pl.DataFrame(areas | columns | {"mark": ["", "", ""]}), "an example")


def test_latest_year_is_set_beside_others_without_a_judgement():
    shares = beside(numerator=[200, 310, None], denominator=[1000, 1274, None], proportion=[0.2, 310 / 1274, 0.245])
    assert say_beside(shares) == "Year to 31 March 2025: Kent 24.3%, England 24.5%."
    rates = beside(count=[1211, 1150, None], population=[350198, 355390, None], rate=[34.58, 32.36, 40.6])
    assert say_beside(rates) == "Year to 31 March 2025: Kent 32.4, England 40.6."


def test_nothing_is_set_beside_others_where_there_is_no_figure():
    assert say_beside(beside(numerator=[None] * 3, denominator=[None] * 3, proportion=[None] * 3)) == ""


# Groups beside all, plans that lasted, months that stand out


SHARES = ("district", "numerator", "denominator", "proportion", *ENDS)


def by_district(*rows):
    kinds = {name: pl.String if name in ("district", "mark") else pl.Float64 for name in (*SHARES, "mark")}
    kinds |= {"numerator": pl.Int64, "denominator": pl.Int64}
    return Safe(pl.DataFrame(list(rows), schema=kinds, orient="row"), Policy.dfe())


HIDDEN_ROW = (*[None] * 7, "[c]")
ALL = ("Total", 180, 900, 0.2, 0.18, 0.22, 0.17, 0.23, "")


def test_groups_whose_whole_interval_lies_beside_the_share_of_all_are_named():
    table = by_district(
        ("Ashford", 40, 100, 0.4, 0.31, 0.50, 0.28, 0.52, ""),
        ("Dover", 30, 100, 0.3, 0.21, 0.40, 0.19, 0.41, ""),  # apart by the narrower interval alone
        ("Swale", 8, 100, 0.08, 0.04, 0.15, 0.03, 0.16, ""),
        ("Thanet", 10, 100, 0.1, 0.05, 0.18, 0.04, 0.19, ""),
        ("Medway", *HIDDEN_ROW),
        ALL,
    )
    assert say_apart(table, group="district", groups="districts") == (
        "Among the 4 districts whose figures can be shown, the share runs from 8.0% (Swale) to 40.0% (Ashford). Wholly "
        "above the share of all (20.0%) lies the interval of Ashford. Wholly below the share of all (20.0%) lie the "
        "intervals of Swale, Thanet. One interval in twenty does so by chance."
    )


def test_groups_whose_intervals_reach_the_share_of_all_are_not_told_apart():
    rows = [("Dover", 30, 100, 0.3, 0.21, 0.40, 0.2, 0.41, ""), ("Swale", 15, 100, 0.15, 0.09, 0.2, 0.09, 0.2, "")]
    said = say_apart(by_district(*rows, ALL), group="district", groups="districts")
    assert said.endswith("30.0% (Dover). All intervals reach the share of all (20.0%): none lies clearly apart.")
    total_hidden = by_district(*rows, ("Total", *HIDDEN_ROW))
    assert say_apart(total_hidden, group="district", groups="districts") == (
        "Among the 2 districts whose figures can be shown, the share runs from 15.0% (Swale) to 30.0% (Dover)."
    )


def test_one_group_alone_is_compared_with_nothing():
    table = by_district(("Dover", 30, 100, 0.3, 0.21, 0.40, 0.2, 0.41, ""), ("Swale", *HIDDEN_ROW), ALL)
    assert say_apart(table, group="district", groups="districts") == (
        "Too few districts have a figure that can be shown to compare them."
    )
    assert say_apart(by_district(), group="district", groups="districts") == ""


def lasting(*rows):
    kinds = {"time_period": pl.String, "measure": pl.String, "numerator": pl.Int64, "denominator": pl.Int64}
    kinds |= {"proportion": pl.Float64, "lower": pl.Float64, "upper": pl.Float64, "mark": pl.String}
    return Safe(pl.DataFrame(list(rows), schema=kinds, orient="row"), Policy.dfe())


def test_plans_of_two_years_are_said_of_those_open_and_those_ended():
    ended, still = ("2008", "ended in the year"), ("2008", "open at 31 March")
    table = lasting(
        (*ended, 27, 813, 27 / 813, 0.0229, 0.0479, ""),
        (*still, 43, 971, 43 / 971, 0.0330, 0.0591, ""),
        ("2007", "ended in the year", 55, 845, 55 / 845, 0.05, 0.084, ""),
    )
    assert say_long_plans(table, time_period="2008") == (
        "43 of 971 plans open at 31 March 2008 had lasted two years or longer: 4.4% (95% interval 3.3% to 5.9%). "
        "27 of 813 plans that ended in the year to 31 March 2008 had lasted two years or longer: 3.3% (95% "
        "interval 2.3% to 4.8%)."
    )
    assert say_long_plans(table, time_period="2007").startswith(
        "55 of 845 plans that ended in the year to 31 March 2007 had"
    )
    assert say_long_plans(table, time_period="2006") == ""
    hidden = lasting((*still, *[None] * 5, "[c]"))
    assert say_long_plans(hidden, time_period="2008").startswith(
        "How many of the plans open at 31 March 2008 had lasted two years or longer is hidden"
    )


def months(*directions):
    ends = {"mean": 70.0, "lower": 50.0, "upper": 90.0, "near_lower": 57.0, "near_upper": 83.0}
    names = [f"2011-{number:02}" for number in range(1, len(directions) + 1)]
    columns = {"month": names, "value": [70] * len(names), "direction": pl.Series(directions, dtype=pl.String)}
    rules = {"low": "seven on one side of the mean", "high": "beyond a limit"}
    columns["rule"] = pl.Series([rules.get(one) for one in directions], dtype=pl.String)
    return Safe(
        pl.DataFrame(columns).with_columns(**{name: pl.lit(end) for name, end in ends.items()}, mark=pl.lit("")),
        Policy.dfe(),
    )


def test_months_that_stand_out_are_named_by_their_runs():
    low, high = "low", "high"
    assert say_control_chart(months(None, low, low, None, high, None, high, high, low)) == (
        "In 3 of 9 months the number lies within its ordinary variation. It stands out as low in February 2011 to "
        "March 2011 (seven on one side of the mean), September 2011 (seven on one side of the mean); as high in May "
        "2011 (beyond a limit), July 2011 to August 2011 (beyond a limit)."
    )


def test_months_of_ordinary_variation_are_said_to_be_so():
    assert say_control_chart(months(None, None)) == ("In all 2 months the number lies within its ordinary variation.")
    assert say_control_chart(months()) == ""
