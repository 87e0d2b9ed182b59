"""Item changes and estimates under disclosure control, and what else an evaluation of training publishes.

What a reader could work out is worked out here by other means: by arithmetic, or by `whole_number_reader`.
"""

from __future__ import annotations

import itertools
import random
from collections import Counter

import fastexcel
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from safeguarding_analytics.answers import show_table
from safeguarding_analytics.auditing import audit
from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.exports import write_csv, write_parquet, write_workbook
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.repairs import repair
from safeguarding_analytics.safe import Safe, already_public
from safeguarding_analytics.shapes import SHAPES, shape_of
from safeguarding_analytics.sources.published_tables import read_published_table
from safeguarding_analytics.tables import TOTAL
from whole_number_reader import RULES, Rules, broken_promises

DFE, NHS, ROUND5, ROUND10 = Policy.dfe(), Policy.nhs(), Policy.round5(), Policy.round10()
EVERY_POLICY = pytest.mark.parametrize("policy", [DFE, NHS, ROUND5, ROUND10], ids=["dfe", "nhs", "round5", "round10"])
HIDING = pytest.mark.parametrize("policy", [DFE, NHS], ids=["dfe", "nhs"])
ROUNDING = pytest.mark.parametrize(("policy", "base"), [(NHS, 5), (ROUND5, 5), (ROUND10, 10)])

PARTS = ("n_up", "n_same_high", "n_same_low", "n_down")
SHARES = ("share_before", "share_after")
TESTS = ("p_value", "p_holm")


def changes_of(rows, tests=None, right=True, group="question"):
    """(question, up, same and right, same and not right, down), and the p-values of each, which are made up."""
    full = []
    for number, (name, up, high, low, down) in enumerate(rows):
        pairs = up + high + low + down
        shares = ((high + down) / pairs, (high + up) / pairs) if right and pairs else (None, None)
        p_values = tests[number] if tests else (0.5, 1.0)
        full.append((name, pairs, up, high, low, down, *shares, *p_values))
    kinds = {group: pl.String} | dict.fromkeys(("n_pairs", *PARTS), pl.Int64)
    return pl.DataFrame(full, schema=kinds | dict.fromkeys((*SHARES, *TESTS), pl.Float64), orient="row")


def estimates_of(group, rows):
    """(group, people, estimate, lower, upper)."""
    kinds = {group: pl.String, "n": pl.Int64} | dict.fromkeys(("estimate", "lower", "upper"), pl.Float64)
    return pl.DataFrame(rows, schema=kinds, orient="row")


def gains_of(rows, group="agency", **more):
    """(group, up, same, down, mean before, mean after) with an interval of one point either way."""
    full = [
        (name, up + same + down, before, after, after - before, after - before - 1, after - before + 1, up, same, down)
        for name, up, same, down, before, after in rows
    ]
    names = ("mean_pre", "mean_post", "mean_change", "lower", "upper")
    kinds = {group: pl.String, "n_pairs": pl.Int64} | dict.fromkeys(names, pl.Float64)
    kinds |= dict.fromkeys(("n_up", "n_same", "n_down"), pl.Int64)
    return pl.DataFrame(full, schema=kinds, orient="row").with_columns(**more)


CHANGES = changes_of(
    [
        ("Who is to be told?", 30, 60, 40, 7),
        ("What is neglect?", 12, 110, 14, 1),  # one newly wrong
        ("Which tier is this family?", 41, 70, 26, 0),
        ("What is a core group?", 3, 90, 40, 4),
    ],
    [(0.0002, 0.0006), (0.0034, 0.0068), (0.00001, 0.00004), (1.0, 1.0)],
)
ESTIMATES = estimates_of(
    "definition",
    [
        ("g_av", 137, 0.5312, 0.31, 0.7523),
        ("d_z", 137, 0.6512, 0.41, 0.8923),
        ("Room to gain", 9, 0.8, 0.1, 1.5),
        ("At the maximum", 4, 0.0, 0.0, 0.0),
    ],
)
TABLES = {"item_change": CHANGES, "estimate": ESTIMATES}
EVERY_TABLE = pytest.mark.parametrize("name", TABLES)


def by_group(frame):
    return {row[frame.columns[0]]: row for row in frame.iter_rows(named=True)}


def only(frame, name):
    return by_group(frame)[name]


# What is hidden together


@EVERY_TABLE
def test_shapes_are_recognised_by_their_columns(name):
    assert shape_of(TABLES[name].columns) is SHAPES[name]


@HIDING
def test_parts_of_which_one_is_small_are_hidden_together_with_all_that_is_worked_out_of_them(policy):
    row = only(suppress(CHANGES, policy).frame(), "What is neglect?")
    assert {row[column] for column in (*PARTS, *SHARES, *TESTS)} == {None}
    assert row["mark"] == policy.mark
    assert row["n_pairs"] == (137 if policy.round is None else 135)


def test_parts_of_nought_or_enough_are_shown_with_shares_and_tests():
    row = only(suppress(CHANGES, DFE).frame(), "Which tier is this family?")
    assert [row[column] for column in PARTS] == [41, 70, 26, 0]
    assert [row[column] for column in SHARES] == [70 / 137, 111 / 137]
    assert (row["p_value"], row["mark"]) == (0.00001, "")


@HIDING
def test_question_that_few_answered_shows_nothing(policy):
    table = changes_of([("A", 3, 1, 1, 0), ("B", 10, 20, 10, 0)])
    row = only(suppress(table, policy).frame(), "A")
    assert {row[column] for column in ("n_pairs", *PARTS, *SHARES, *TESTS)} == {None}


@EVERY_POLICY
def test_ratings_have_no_shares(policy):
    table = changes_of([("A", 30, 12, 15, 10), ("B", 21, 20, 18, 8)], right=False)
    found = suppress(table, policy).frame()
    assert found["mark"].to_list() == ["", ""]
    assert found["share_before"].null_count() == found["share_after"].null_count() == 2
    assert found["n_up"].null_count() == 0


def test_question_that_nobody_answered_twice_is_shown_as_such():
    table = changes_of([("A", 0, 0, 0, 0), ("B", 10, 20, 10, 0)], [(None, None), (0.002, 0.002)])
    row = only(suppress(table, DFE).frame(), "A")
    assert (row["n_pairs"], row["n_up"], row["share_before"], row["p_value"], row["mark"]) == (0, 0, None, None, "")


@HIDING
def test_estimate_of_few_people_is_hidden_and_how_many_they_are_is_not(policy):
    found = suppress(ESTIMATES, policy).frame()
    row = only(found, "Room to gain")
    assert [row[column] for column in ("estimate", "lower", "upper")] == [None] * 3
    assert (row["n"], row["mark"]) == (9 if policy.round is None else 10, policy.mark)
    assert only(found, "At the maximum")["n"] is None
    assert only(found, "g_av")["mark"] == ""


# Tests that are corrected for the number of questions


def test_tests_are_as_they_were_where_no_question_is_hidden():
    table = changes_of([("A", 12, 20, 10, 0), ("B", 10, 20, 12, 0)], [(0.0005, 0.001), (0.002, 0.002)])
    assert suppress(table, DFE).frame()["p_holm"].to_list() == [0.001, 0.002]


def test_correction_takes_hidden_tests_for_the_least_certain():
    # Corrected with all four, 0.0034 of the hidden question made 0.0002 the second of four. Two hidden ones count as 1:
    # 4 × 0.00001 and 3 × 0.0002.
    found = suppress(CHANGES, DFE).frame()
    assert only(found, "Which tier is this family?")["p_holm"] == pytest.approx(0.00004)
    assert only(found, "Who is to be told?")["p_holm"] == pytest.approx(0.0006)


@pytest.mark.parametrize("hidden", [0.0001, 0.02, 0.5, None])
def test_corrected_tests_do_not_tell_how_small_a_hidden_one_is(hidden):
    # By Holm the test of B is 2 × 0.03 if that of A is larger, and 0.03 if it is smaller.
    rows = [("A", 2, 20, 18, 0), ("B", 12, 18, 10, 0), ("C", 20, 10, 10, 0)]
    table = changes_of(rows, [(hidden, hidden), (0.03, 0.03), (0.01, 0.03)])
    found = suppress(table, DFE).frame()
    shown = {row["question"]: row["p_holm"] for row in found.iter_rows(named=True) if row["p_holm"] is not None}
    assert shown == {one: pytest.approx(p) for one, p in {"B": 0.06, "C": 0.03}.items() if one in shown}
    assert "A" not in shown


# What is refused


def marked(frame, **change):
    return frame.with_columns(mark=pl.lit("")).with_columns(**change)


NO_PARTS = dict.fromkeys(PARTS, pl.lit(None, pl.Int64))
NO_SHARES = dict.fromkeys((*SHARES, *TESTS), pl.lit(None, pl.Float64))
LARGE = CHANGES[2:3]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (marked(LARGE, mark=pl.lit("[c]")), "1 of 1 marked rows still have numbers in them"),
        (marked(LARGE, mark=pl.lit("[c]"), **NO_PARTS), "share_before: 1 of 1 rows is shown without n_pairs, n_same_h"),
        (
            marked(LARGE, mark=pl.lit("[c]"), **(NO_PARTS | NO_SHARES | {"share_after": pl.lit(0.5)})),
            "share_after: 1 of 1 rows is shown without n_pairs, n_same_high and n_up",
        ),
        (
            marked(LARGE, mark=pl.lit("[c]"), **(NO_PARTS | NO_SHARES | {"p_value": pl.lit(0.5)})),
            "p_value: 1 of 1 rows is shown without n_up and n_down",
        ),
        (
            marked(LARGE, mark=pl.lit("[c]"), **(NO_PARTS | NO_SHARES | {"p_holm": pl.lit(0.5)})),
            "p_holm: 1 of 1 rows is shown without p_value, n_up and n_down",
        ),
        (marked(LARGE, n_down=pl.lit(2)), "n_down: 1 of 1 rows is shown that the policy hides"),
        (marked(CHANGES[3:4]), "n_up: 1 of 1 rows is shown that the policy hides"),
        (marked(ESTIMATES[2:3]), "n: 1 of 1 rows is too small for the mean that is shown"),
        (marked(ESTIMATES[3:4]), "n: 1 of 1 rows is shown that the policy hides"),
        (marked(ESTIMATES[:1], n=pl.lit(None, pl.Int64)), "n: 1 of 1 rows is too small for the mean that is shown"),
    ],
)
def test_safe_table_made_by_hand_with_a_number_beside_a_hidden_count_is_refused(table, message):
    with pytest.raises(DisclosureError, match=message):
        Safe(table, DFE)


def test_corrected_tests_that_tell_of_a_hidden_one_are_refused():
    found = suppress(CHANGES, DFE).frame()
    shown = pl.col("p_holm").is_not_null()
    with pytest.raises(DisclosureError, match="p_holm: 1 of 4 rows is corrected with p-values that are hidden"):
        Safe(found.with_columns(p_holm=pl.when(shown).then(0.0006)), DFE)
    assert Safe(found, DFE).hidden == 2


@pytest.mark.parametrize("policy", [DFE, ROUND5])
@pytest.mark.parametrize(
    ("table", "message"),
    [
        (CHANGES.with_columns(n_up=pl.col("n_up") + 1), "4 of 4 rows are wrong"),
        (CHANGES.with_columns(n_down=-pl.col("n_down")), "n_down: 3 of 4 rows are negative"),
        (CHANGES.with_columns(n_pairs=pl.lit(None, pl.Int64)), "n_pairs: 4 of 4 rows are missing"),
        (CHANGES.with_columns(women=3), "women is no column of an item_change table"),
        (ESTIMATES.with_columns(women=3), "women is no column of an estimate table"),
        (ESTIMATES.with_columns(n=pl.col("n") + 0.5), "n: 4 of 4 rows are fractional"),
        (pl.concat([ESTIMATES, ESTIMATES[:1]]), "1 of 5 rows repeats a group that stands above"),
    ],
)
def test_what_cannot_be_is_refused(table, message, policy):
    with pytest.raises(DisclosureError, match=message):
        suppress(table, policy)


def test_share_that_does_not_follow_from_its_counts_is_refused_before_it_is_rounded():
    table = CHANGES.with_columns(share_before=pl.col("share_before") * 100)
    message = r"share_before is not \(n_same_high \+ n_down\) ÷ n_pairs in 4 of 4 rows"
    with pytest.raises(DisclosureError, match=message):
        suppress(table, ROUND5)


# Rounding


@ROUNDING
def test_shares_of_questions_are_worked_out_of_rounded_counts_and_tests_are_left_out(policy, base):
    found = suppress(CHANGES, policy).frame()
    for row in found.iter_rows(named=True):
        pairs, parts = row["n_pairs"], [row[part] for part in PARTS]
        assert (row["p_value"], row["p_holm"]) == (None, None)
        if row["mark"]:
            assert {*parts, row["share_before"], row["share_after"]} == {None}
            continue
        up, high, _, down = parts
        assert all(count % base == 0 for count in (pairs, *parts))
        assert row["share_before"] == pytest.approx(min((high + down) / pairs, 1))
        assert row["share_after"] == pytest.approx(min((high + up) / pairs, 1))


@pytest.mark.parametrize("policy", [ROUND5, ROUND10])
def test_rounded_parts_add_up_to_the_rounded_pairs(policy):
    found = suppress(CHANGES, policy).frame()
    assert found["n_pairs"].to_list() == found.select(pl.sum_horizontal(PARTS)).to_series().to_list()


def test_share_of_parts_that_were_rounded_up_is_at_most_all():
    # 8, 8 and 1 pairs: 17 to the nearest 5 are 15, and 8 + 8 are 10 + 10.
    table = changes_of([("A", 8, 8, 0, 0)])
    row = only(suppress(table, NHS).frame(), "A")
    assert (row["n_pairs"], row["n_up"], row["n_same_high"], row["share_after"]) == (15, 10, 10, 1.0)


@pytest.mark.parametrize("policy", [NHS, ROUND5, ROUND10])
@pytest.mark.parametrize(("people", "decimals"), [(40, 0), (60, 1), (410, 1), (420, 2)])
def test_estimate_beside_a_rounded_number_has_the_decimals_that_do_not_tell_it(policy, people, decimals):
    # 4 × 10^d must be less than the smallest number there may be, people − 19: 21 allows no decimal, 41 one, 401 two.
    table = estimates_of("definition", [("g", people, 2.3456, 1.2345, 3.4567)])
    row = only(suppress(table, policy).frame(), "g")
    expected = {0: (2.0, 1.0, 3.0), 1: (2.3, 1.2, 3.5), 2: (2.35, 1.23, 3.46)}[decimals]
    assert (row["estimate"], row["lower"], row["upper"]) == expected


# A mean change with what an evaluation adds to it

MORE = {
    "g_av": pl.lit(0.5678),
    "g_av_lower": pl.lit(0.2345),
    "g_av_upper": pl.lit(0.9012),
    "shrunken": pl.lit(1.789),
    "n_clusters": pl.lit(3, pl.Int64),
    "degrees_of_freedom": pl.lit(1.83),
    "standard_error": pl.lit(0.4),
}


@HIDING
def test_all_that_is_worked_out_of_few_answers_is_hidden_with_their_mean(policy):
    table = gains_of([("Health", 30, 20, 9, 5.0, 7.0), ("Police", 8, 0, 0, 5.0, 9.0)], **MORE)
    row = only(suppress(table, policy).frame(), "Police")
    assert {row[column] for column in (*MORE, "mean_pre", "mean_post", "mean_change", "lower", "upper")} == {None}
    assert (row["n_pairs"], row["n_up"]) == ((8, 8) if policy.round is None else (10, 10))


def test_degrees_of_freedom_without_their_mean_are_refused():
    table = gains_of([("Health", 30, 20, 9, 5.0, 7.0)], degrees_of_freedom=pl.lit(1.83))
    names = ("mean_pre", "mean_post", "mean_change", "lower", "upper")
    hidden = table.with_columns(pl.lit(None, pl.Float64).alias(name) for name in names)
    with pytest.raises(DisclosureError, match="degrees_of_freedom: 1 of 1 rows is shown without mean_change"):
        Safe(hidden.with_columns(mark=pl.lit("[c]")), DFE)


@pytest.mark.parametrize("policy", [NHS, ROUND5, ROUND10])
def test_standardised_gain_is_rounded_to_two_decimals_and_the_shrunken_one_as_its_mean(policy):
    table = gains_of([("Health", 30, 20, 10, 5.1234, 7.4321)], **MORE)
    row = only(suppress(table, policy).frame(), "Health")
    assert [row[name] for name in ("g_av", "g_av_lower", "g_av_upper")] == [0.57, 0.23, 0.90]
    assert (row["mean_pre"], row["mean_post"], row["shrunken"]) == (5.1, 7.4, 1.8)
    assert [row[name] for name in ("standard_error", "degrees_of_freedom", "n_clusters")] == [None] * 3


def shrunken_to(mean, ratio, rows):
    """Each mean as far from a mean of all as pairs ÷ (pairs + ratio) leaves it."""
    return [mean + (after - before - mean) * n / (n + ratio) for n, before, after in rows]


def test_shrunken_means_do_not_tell_the_mean_of_the_one_group_that_is_hidden():
    rows = [(40, 5.0, 7.0), (30, 5.0, 6.0), (12, 5.0, 8.0), (8, 5.0, 9.0)]
    weights = [n / (n + 20) for n, *_ in rows]
    mean = sum(w * (after - before) for w, (_, before, after) in zip(weights, rows, strict=True)) / sum(weights)
    shrunken = shrunken_to(mean, 20, rows)
    # The attack: of two shown groups, mean and shrunken mean give the mean of all and the ratio; these give the fourth.
    slopes = [(one - mean) / (after - before - mean) for one, (_, before, after) in zip(shrunken, rows, strict=True)]
    assert slopes == pytest.approx(weights)
    told = mean * sum(weights) - sum(w * (b - a) for w, (_, a, b) in zip(weights[:3], rows[:3], strict=True))
    assert told / weights[3] == pytest.approx(4.0)
    names = ("A", "B", "C", "D")
    table = gains_of([(name, n, 0, 0, before, after) for name, (n, before, after) in zip(names, rows, strict=True)])
    found = suppress(table.with_columns(shrunken=pl.Series(shrunken)), DFE).frame()
    # 8 people are too few for a mean, and 8 + 12 are enough.
    assert found["shrunken"].is_null().to_list() == [False, False, True, True]
    assert found["mean_change"].is_null().to_list() == [False, False, True, True]
    assert found["n_pairs"].to_list() == [40, 30, 12, 8]
    alone = suppress(table, DFE).frame()
    assert alone["mean_change"].is_null().to_list() == [False, False, False, True]


def test_two_hidden_groups_of_enough_people_cost_no_third():
    table = gains_of([("A", 40, 0, 0, 5.0, 7.0), ("B", 8, 0, 0, 5.0, 8.0), ("C", 9, 0, 0, 5.0, 8.0)])
    found = suppress(table.with_columns(shrunken=pl.lit(2.2)), DFE).frame()
    assert found["shrunken"].is_null().to_list() == [False, True, True]


# What the audit says


@EVERY_TABLE
@EVERY_POLICY
def test_audit_of_what_was_suppressed_finds_nothing(name, policy):
    safe = suppress(TABLES[name], policy)
    assert audit(safe).height == 0
    assert audit(safe, effort="full").height == 0


def test_one_small_part_that_is_blanked_alone_is_found():
    naive = marked(CHANGES[1:2], n_down=pl.lit(None, pl.Int64), mark=pl.lit("[c]"))
    found = audit({"questions": naive})
    assert found.select("column", "low", "high").rows() == [("n_down", 1, 1)]


def test_share_that_is_shown_beside_hidden_parts_is_found():
    # 111 of 137 were right before and 122 after. With 12 newly right, 110 stayed right and 1 was newly wrong.
    naive = CHANGES[1:2].with_columns(n_same_high=None, n_same_low=None, n_down=None, mark=pl.lit("[c]"))
    found = audit({"questions": naive.cast(dict.fromkeys(PARTS, pl.Int64))})
    assert ("n_down", 1, 1) in found.select("column", "low", "high").rows()
    without = naive.with_columns(share_before=None, share_after=None)
    assert audit({"questions": without.cast(dict.fromkeys(PARTS, pl.Int64))}).height == 0


def test_rounded_share_beside_hidden_parts_is_found_too():
    # 8.3% of 12 were right before, which are 1, and neither 0 nor 2: newly wrong or right both times, who else is 0.
    row = changes_of([("A", 6, 0, 5, 1)]).with_columns(pl.col(SHARES).round(3))
    naive = row.with_columns(n_same_high=None, n_same_low=None, n_down=None, n_up=None, mark=pl.lit("[c]"))
    found = audit({"questions": naive.cast(dict.fromkeys(PARTS, pl.Int64))})
    assert found["column"].to_list() in (["n_down"], ["n_same_high"], ["n_down", "n_same_high"])
    assert set(found.select("low", "high").rows()) == {(0, 1)}


@EVERY_POLICY
def test_many_questions_of_the_same_people_tell_nothing_of_each_other(policy):
    rows = [(f"Question {number}", 10 + number % 9, 20, 30 - number % 9, number % 4) for number in range(30)]
    safe = suppress(changes_of(rows), policy)
    assert safe.frame().height == 30
    assert audit(safe, one_system=True).height == 0
    assert audit(safe, effort="full", one_system=True).height == 0


# Questions and definitions are no parts

ASSUMPTIONS = estimates_of(
    "assumption", [("Pairs only", 137, 2.0, 1.0, 3.0), ("Once: no gain", 139, 1.9, 0.9, 2.9), ("Worst", 139, 1.5, 1, 2)]
)


@HIDING
def test_estimates_by_definition_and_by_assumption_are_no_sums_of_the_same(policy):
    # 137 + 137 + 9 + 4 are not 137 + 139 + 139, and no 128 people are missing anywhere.
    together = suppress([ESTIMATES, ASSUMPTIONS], policy)
    for one, alone in zip(together, (ESTIMATES, ASSUMPTIONS), strict=True):
        assert one.frame().equals(suppress(alone, policy).frame())
    assert audit(together, one_system=True).height == 0
    assert audit(together, one_system=True, effort="full").height == 0


@HIDING
def test_questions_are_no_parts_of_the_gain_of_the_same_people(policy):
    gain = gains_of([("Core", 90, 30, 17, 5.0, 7.0)]).drop("agency")
    together = suppress([gain, CHANGES, ESTIMATES], policy)
    for one, alone in zip(together, (gain, CHANGES, ESTIMATES), strict=True):
        assert one.frame().equals(suppress(alone, policy).frame())
    assert audit(together, one_system=True, effort="full").height == 0


def test_questions_by_agency_are_parts_of_those_of_all_agencies():
    whole = changes_of([("Q", 40, 30, 30, 0)])
    parts = pl.concat(
        [
            changes_of([("Q", 20, 10, 14, 0)]).insert_column(0, pl.Series("agency", ["Health"])),
            changes_of([("Q", 10, 15, 11, 0)]).insert_column(0, pl.Series("agency", ["Police"])),
            changes_of([("Q", 10, 5, 5, 0)]).insert_column(0, pl.Series("agency", ["School"])),
        ]
    )
    assert suppress(parts, DFE).hidden == 1  # 5 stayed right
    safe_whole, safe_parts = suppress([whole, parts], DFE)
    hidden = safe_parts.frame()["n_same_high"].is_null().sum() + safe_whole.frame()["n_same_high"].is_null().sum()
    assert hidden >= 2  # else 30 − 10 − 15 = 5
    assert audit([safe_whole, safe_parts], one_system=True).height == 0
    alone = {"whole": suppress(whole, DFE), "parts": suppress(parts, DFE)}
    found = audit(alone, one_system=True)
    assert ("n_same_high", 5, 5) in found.select("column", "low", "high").rows()


def test_estimates_with_a_total_are_protected_by_it():
    table = estimates_of(
        "course", [("A", 3, 1.0, 0.0, 2.0), ("B", 20, 1, 0, 2), ("C", 30, 1, 0, 2), (TOTAL, 53, 1, 0, 2)]
    )
    found = suppress(table, DFE).frame()
    assert found["n"].null_count() == 2  # 53 − 20 − 30 = 3
    assert only(found, "A")["n"] is None


def test_estimate_and_mean_change_of_the_same_courses_meet_the_same_fate():
    gains = gains_of(
        [("A", 20, 10, 9, 5, 7), ("B", 4, 0, 0, 5, 7), ("C", 20, 0, 20, 5, 7), (TOTAL, 44, 10, 29, 5, 7)], "course"
    )
    estimates = estimates_of("course", [("A", 39, 0.5, 0.1, 0.9), ("B", 4, 0.5, 0.1, 0.9), ("C", 40, 0.5, 0.1, 0.9)])
    one, other = suppress([gains, estimates], DFE)
    pairs, people = one.frame()["n_pairs"].to_list()[:3], other.frame()["n"].to_list()
    assert pairs == people
    assert pairs.count(None) == 2
    found = audit({"gains": one, "estimates": suppress(estimates, DFE)}, one_system=True)
    assert found.height > 0


# Questions of one test tell of each other


def test_mean_score_does_not_tell_the_one_question_that_is_hidden():
    # A mean before of (100 + 60 + 131) ÷ 137 less the two shown questions is 131 right of 137, and a mean after of
    # (110 + 70 + 136) ÷ 137 leaves 136: whoever was wrong after, 1 person, was newly wrong or wrong both times.
    rows = [("A", 30, 80, 7, 20), ("B", 30, 40, 47, 20), ("C", 6, 130, 0, 1)]
    found = suppress(changes_of(rows), DFE).frame()
    hidden = found["n_up"].is_null().to_list()
    assert hidden[2]
    assert sum(hidden) == 2
    assert found["n_pairs"].to_list() == [137] * 3


def test_ratings_are_no_cover_for_a_question_with_a_right_answer():
    right = changes_of([("A", 30, 80, 7, 20), ("C", 6, 130, 0, 1)])
    rated = changes_of([("D", 2, 80, 35, 20), ("E", 3, 80, 35, 19)], right=False)
    found = suppress(pl.concat([right, rated]), DFE).frame()
    assert found["n_up"].is_null().to_list() == [True] * 4


def test_test_of_one_question_can_still_be_published():
    assert suppress(changes_of([("A", 1, 11, 0, 0)]), DFE).frame()["n_pairs"].to_list() == [12]


def test_few_pairs_and_questions_hide_what_they_must():
    table = changes_of([("A", 1, 6, 5, 0), ("B", 0, 12, 0, 0), ("C", 0, 0, 12, 0)])
    safe = suppress(table, DFE)
    assert only(safe.frame(), "A")["n_up"] is None
    assert audit(safe, effort="full").height == 0


# The release before, and repairs


def test_what_was_hidden_last_year_is_hidden_again_rather_than_something_else():
    rows = [("A", 3, 1.0, 0.0, 2.0), ("B", 20, 1, 0, 2), ("C", 20, 1, 0, 2), ("D", 20, 1, 0, 2), (TOTAL, 63, 1, 0, 2)]
    table = estimates_of("course", rows)
    for name in ("B", "C", "D"):
        gone = pl.col("course").is_in(["A", name])
        numbers = ("n", "estimate", "lower", "upper")
        before = table.with_columns(
            *(pl.when(~gone).then(number).alias(number) for number in numbers),
            mark=pl.when(gone).then(pl.lit("[c]")).otherwise(pl.lit("")),
        )
        found = suppress(table, DFE, previous=Safe(before, DFE)).frame()
        assert found.filter(pl.col("n").is_null())["course"].to_list() == ["A", name]


def test_repair_hides_shares_and_tests_with_the_parts():
    shown = changes_of([("A", 10, 20, 10, 7), ("B", 11, 20, 10, 6)], [(0.6, 0.6), (0.3, 0.6)])
    hidden = marked(shown[:1], mark=pl.lit("[c]"), **(NO_PARTS | NO_SHARES))
    done = repair({"shown": suppress(shown, DFE), "hidden": Safe(hidden, DFE)})
    row = only(done["shown"].frame(), "A")
    assert {row[column] for column in (*PARTS, *SHARES, *TESTS)} == {None}
    assert (row["n_pairs"], row["mark"]) == (47, "[c]")
    # Of two tests the hidden one counts as 1: 2 × 0.3.
    assert only(done["shown"].frame(), "B")["p_holm"] == pytest.approx(0.6)


# The reader who tries all whole numbers


@pytest.fixture(scope="module", autouse=True)
def reader_knows_these_shapes():
    """Tell the reader what everybody knows of the counts of a row; the first column that a table has decides."""
    parts = dict.fromkeys(PARTS, -1)
    rules = {
        "n_same_high": Rules((("n_pairs",), PARTS), (), ({"n_pairs": 1, **parts},)),
        "estimate": Rules((("n",),)),
    }
    before = dict(RULES)
    RULES.clear()
    RULES.update(rules | before)
    yield
    RULES.clear()
    RULES.update(before)


def counts_alone(frame):
    counts = ("n_pairs", *PARTS, "n", "estimate", "count")
    return frame.select(name for name in frame.columns if frame.schema[name] == pl.String or name in counts)


def leaks(table, policy, within=()):
    published = suppress(table, policy).frame()
    kept = [name for name in counts_alone(table).columns if name in published.columns]
    return broken_promises([table.select(kept)], [published.select(*kept, "mark")], policy, within)


def laws(examples):
    return settings(max_examples=examples, deadline=None, derandomize=True)


NUMBER = st.sampled_from([0, 0, 1, 2, 3, 4, 6])
SMALL_POLICIES = st.sampled_from([Policy(threshold=3), Policy(threshold=3, protect="point")])


@laws(40)
@given(st.lists(st.tuples(NUMBER, NUMBER, NUMBER, NUMBER), min_size=1, max_size=3), st.booleans(), SMALL_POLICIES)
def test_changes_of_questions_keep_the_promise(rows, right, policy):
    table = changes_of([(name, *row) for name, row in zip("ABC", rows, strict=False)], right=right)
    assert leaks(table, policy) == []


@laws(40)
@given(st.lists(st.sampled_from([0, 1, 2, 3, 4, 9, 30]), min_size=1, max_size=5), st.booleans(), SMALL_POLICIES)
def test_estimates_keep_the_promise(sizes, with_total, policy):
    rows = [(name, size, 1.0, 0.0, 2.0) for name, size in zip("ABCDE", sizes, strict=False)]
    rows += [(TOTAL, sum(sizes), 1.0, 0.0, 2.0)] if with_total else []
    assert leaks(estimates_of("course", rows), policy) == []


# Who answered when


def answers_of(people):
    """Who answered before, after and at the follow-up, with all margins: 27 rows."""
    counts = Counter(cell for answered in people for cell in itertools.product(*((one, TOTAL) for one in answered)))
    rows = [(*cell, counts[cell]) for cell in itertools.product(("yes", "no", TOTAL), repeat=3)]
    return pl.DataFrame(rows, schema=["before", "after", "follow_up", "count"], orient="row")


def board_of(size, seed):
    """People of whom most answered before and after, and few at the follow-up."""
    draw = random.Random(seed)
    return [tuple("yes" if draw.random() < chance else "no" for chance in (0.85, 0.8, 0.3)) for _ in range(size)]


@EVERY_POLICY
@pytest.mark.parametrize("size", [0, 1, 8, 12, 27, 150])
def test_answers_of_boards_large_and_small_are_protected(size, policy):
    for seed in range(2):
        table = answers_of(board_of(size, seed))
        assert table.height == 27
        safe = suppress(table, policy)
        assert audit(safe).height == 0
        assert audit(safe, effort="full").height == 0


@pytest.mark.parametrize("policy", [Policy(threshold=3), Policy(threshold=3, zeros="hidden")])
@pytest.mark.parametrize("seed", range(3))
def test_answers_of_eight_people_keep_the_promise(seed, policy):
    assert leaks(answers_of(board_of(8, seed)), policy) == []


def test_answers_and_the_gain_of_those_who_gave_both_are_protected_together():
    # 43 answered before and 40 of them after: 3 only before.
    people = [("yes", "yes", "no")] * 40 + [("yes", "no", "no")] * 3 + [("no", "yes", "no")] * 2 + [("no",) * 3] * 15
    answers = answers_of(people)
    pairs = gains_of([("yes", 20, 12, 8, 5.0, 7.0)], "before").insert_column(1, pl.Series("after", ["yes"]))
    naive = by_group(
        suppress(answers, DFE).frame().filter(pl.col("follow_up") == TOTAL, pl.col("before") == "yes").drop("before")
    )
    assert (naive["yes"]["count"], naive[TOTAL]["count"]) == (None, 43)
    # Last year's table, if it hid how many answered before or after, makes the gain be shown.
    margins = answers.filter((pl.col("before") == TOTAL) != (pl.col("after") == TOTAL))
    rather = Safe(margins.with_columns(count=pl.lit(None, pl.Int64), mark=pl.lit("[c]")), DFE)
    safe_answers, safe_pairs = suppress([answers, pairs], DFE, previous=[rather])
    assert safe_pairs.frame()["n_pairs"].to_list() == [40]
    assert audit([safe_answers, safe_pairs], effort="full").height == 0


@EVERY_POLICY
def test_gains_of_groups_and_of_bands_of_the_same_people_are_protected_together(policy):
    rows = [("Health", 20, 10, 9, 5.0, 7.0), ("Police", 12, 3, 2, 5.0, 7.0), ("Housing", 2, 1, 0, 5.0, 8.0)]
    total = (TOTAL, 34, 14, 11, 5.0, 7.0)
    agencies = gains_of([*rows, total])
    bands = gains_of(
        [("Lowest", 19, 6, 1, 4.0, 7.0), ("Middle", 12, 7, 8, 5.0, 7.0), ("Highest", 3, 1, 2, 7.0, 7.0)], "band"
    )
    safes = suppress([agencies, bands], policy)
    assert audit(safes, one_system=True).height == 0
    assert audit(safes, one_system=True, effort="full").height == 0


# As files and on pages


@EVERY_TABLE
@EVERY_POLICY
@pytest.mark.parametrize("ending", ["csv", "parquet", "xlsx"])
def test_tables_can_be_written_and_read_again(name, policy, ending, tmp_path):
    safe = suppress(TABLES[name], policy)
    file = tmp_path / f"{name}.{ending}"
    {"csv": write_csv, "parquet": write_parquet, "xlsx": write_workbook}[ending](safe, file)
    again, frame = read_published_table(file), safe.frame()
    assert shape_of(again.columns) is SHAPES[name]
    for column in frame.drop("mark").columns:
        pairs = zip(again[column].to_list(), frame[column].to_list(), strict=True)
        for one, other in pairs:
            assert one == (other if isinstance(other, str | None) else pytest.approx(other)), column
    base = {"again": policy.round} if policy.round else None
    assert audit({"again": again}, rounded=base).height == 0


def test_people_of_an_estimate_are_read_as_such_and_not_as_a_count(tmp_path):
    file = tmp_path / "effect.csv"
    file.write_text("definition,n,estimate,lower,upper\ng_av,137,0.53,0.31,0.75\nd_z,c,c,c,c\n")
    assert read_published_table(file).rows() == [
        ("g_av", 137, 0.53, 0.31, 0.75, ""),
        ("d_z", None, None, None, None, "[c]"),
    ]
    other = tmp_path / "count.csv"
    other.write_text("agency,n\nHealth,137\n")
    assert read_published_table(other).rows() == [("Health", 137, "")]


def test_shares_of_right_answers_are_read_with_and_without_a_percent_sign(tmp_path):
    file = tmp_path / "questions.csv"
    file.write_text(
        "question,n_pairs,n_up,n_same_high,n_same_low,n_down,share_before,share_after\nA,40,10,16,14,0,40%,0.65\n"
    )
    assert read_published_table(file).rows() == [("A", 40, 10, 16, 14, 0, 0.4, 0.65, "")]


@HIDING
@EVERY_TABLE
def test_files_hold_the_mark_and_not_the_hidden_number(name, policy, tmp_path):
    safe = suppress(TABLES[name], policy)
    write_csv(safe, tmp_path / "one.csv")
    text = (tmp_path / "one.csv").read_text(encoding="utf-8-sig")
    small = {"item_change": "What is neglect?", "estimate": "Room to gain"}[name]
    line = next(line for line in text.splitlines() if line.startswith(small))
    hidden = {"item_change": 8, "estimate": 3}[name]
    cells = line.split(",")
    assert (cells.count(""), cells.count(policy.mark), cells[-1]) == (hidden, 1, policy.mark)


def cells_of(safe, name):
    text = show_table(safe, caption="Evaluation").text
    headings = text.splitlines()[1].split(" | ")
    row = next(line for line in text.splitlines() if line.startswith(f"{name} | "))
    return dict(zip(headings, row.split(" | "), strict=True))


def test_changes_of_questions_are_shown_in_plain_words():
    found = cells_of(suppress(CHANGES, DFE), "Which tier is this family?")
    assert found == {
        "Question": "Which tier is this family?",
        "Pairs of answers": "137",
        "Newly right or higher": "41",
        "Same: right or high": "70",
        "Same: not right or low": "26",
        "Newly wrong or lower": "0",
        "Right before": "51.1%",
        "Right after": "81.0%",
        "p-value": "< 0.001",
        "p-value for several comparisons": "< 0.001",
    }
    assert cells_of(suppress(CHANGES, DFE), "What is neglect?")["Right before"] == "[c]"


def test_tests_are_printed_to_three_decimals_and_per_cents_by_the_pairs():
    table = changes_of([("A", 12, 12, 16, 0), ("B", 12, 12, 16, 0)], [(0.0456, 0.0912), (0.001, 0.002)])
    found = cells_of(suppress(table, DFE), "A")
    assert (found["p-value"], found["p-value for several comparisons"], found["Right before"]) == (
        "0.046",
        "0.091",
        "30%",
    )
    assert cells_of(suppress(table, DFE), "B")["p-value"] == "0.001"


def test_page_says_why_tests_are_not_shown_beside_rounded_counts():
    text = show_table(suppress(CHANGES, ROUND5), caption="Questions").text
    assert "Tests are not shown where counts are rounded" in text
    assert "Tests are not shown" not in show_table(suppress(CHANGES, DFE), caption="Questions").text
    assert "Tests are not shown" not in show_table(suppress(ESTIMATES, ROUND5), caption="Effects").text


def test_estimates_are_shown_with_two_decimals_and_no_more_than_they_have():
    found = cells_of(suppress(ESTIMATES, DFE), "g_av")
    assert found == {
        "Definition": "g_av",
        "People": "137",
        "Estimate": "0.53",
        "95% interval, or range": "0.31 to 0.75",
    }
    rounded = cells_of(suppress(ESTIMATES, ROUND5), "g_av")
    assert (rounded["Estimate"], rounded["95% interval, or range"]) == ("0.5", "0.3 to 0.8")


def test_standardised_gain_is_shown_with_its_interval_in_one_column():
    table = gains_of([("Health", 30, 20, 9, 5.0, 7.0)], **MORE)
    found = cells_of(suppress(table, DFE), "Health")
    assert found["Standardised gain (g_av)"] == "0.57"
    assert found["95% interval of g_av"] == "0.23 to 0.90"
    assert found["Likely change (points)"] == "1.8"
    assert found["95% interval"] == "1.0 to 3.0"
    assert found["Rose"] == "30"
    assert "G av upper" not in found


def test_workbook_shows_numbers_as_the_page_does(tmp_path):
    write_workbook({"Questions": suppress(CHANGES, DFE), "Effects": suppress(ESTIMATES, DFE)}, tmp_path / "one.xlsx")
    sheet = fastexcel.read_excel(tmp_path / "one.xlsx").load_sheet(0, header_row=None, dtypes="string")
    cells = [list(row) for row in sheet.to_polars().rows()]
    row = next(row for row in cells if row[0] == "What is neglect?")
    assert row.count("[c]") == 8
    write_workbook(suppress(CHANGES, ROUND5), tmp_path / "two.xlsx")
    sheet = fastexcel.read_excel(tmp_path / "two.xlsx").load_sheet(0, header_row=None, dtypes="string")
    assert any("Tests are not shown where counts are rounded" in str(row[0]) for row in sheet.to_polars().rows())


def test_figures_of_others_may_be_wrapped_as_they_are():
    safe = already_public(CHANGES, "Carpenter et al. 2011")
    assert safe.hidden == 0
    assert audit(safe).height == 0
