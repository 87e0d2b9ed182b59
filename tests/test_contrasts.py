"""Each group against all the others: Newcombe's published intervals, and laws that hold of any table."""

from math import sqrt

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.contrasts import compare_with_others, compare_years
from safeguarding_analytics.disclosure import suppress
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.intervals import wilson
from safeguarding_analytics.policy import Policy

Z95 = 1.959963984540054
COLUMNS = ["agency", "numerator", "denominator", "proportion", "others", "difference", "lower", "upper", "verdict"]


def table(*rows):
    kinds = {"agency": pl.String, "numerator": pl.Int64, "denominator": pl.Int64}
    return pl.DataFrame(rows, schema=kinds, orient="row")


def score_interval(count, of, z):
    """Wilson 1927, solved by hand."""
    share = count / of
    middle, half = share + z * z / (2 * of), z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))
    return (middle - half) / (1 + z * z / of), (middle + half) / (1 + z * z / of)


def newcombe(count, of, other, other_of, z):
    """Method 10 of Newcombe 1998."""
    one, two = count / of, other / other_of
    (low, high), (other_low, other_high) = score_interval(count, of, z), score_interval(other, other_of, z)
    below, above = sqrt((one - low) ** 2 + (other_high - two) ** 2), sqrt((high - one) ** 2 + (two - other_low) ** 2)
    return one - two - below, one - two + above


@pytest.mark.parametrize(
    ("first", "second", "lower", "upper"),
    # Newcombe 1998, Statistics in Medicine 17:873, table II, method 10, examples (a) to (d).
    [
        ((56, 70), (48, 80), 0.0524, 0.3339),
        ((9, 10), (3, 10), 0.1705, 0.8090),
        ((6, 7), (2, 7), 0.0582, 0.8062),
        ((5, 56), (0, 29), -0.0381, 0.1926),
    ],
)
def test_two_groups_give_newcombes_published_intervals(first, second, lower, upper):
    # With two groups Bonferroni halves what is left: 90% together are 95% each.
    found = compare_with_others(table(("A", *first), ("B", *second)), confidence=0.90)
    assert found.row(0, named=True)["lower"] == pytest.approx(lower, abs=5e-5)
    assert found.row(0, named=True)["upper"] == pytest.approx(upper, abs=5e-5)
    assert found.row(1, named=True)["lower"] == pytest.approx(-upper, abs=5e-5)
    assert found.row(1, named=True)["upper"] == pytest.approx(-lower, abs=5e-5)
    verdicts = ["clearly above", "clearly below"] if lower > 0 else ["could be either"] * 2
    assert found["verdict"].to_list() == verdicts


def test_each_group_stands_against_all_others_together():
    # A: 10 of 100 against 55 + 60 of 200 + 100; B: 55 of 200 against 70 of 200; C: 60 of 100 against 65 of 300.
    # Three groups at 0.85 together are 0.95 each, as 0.15 ÷ 3 = 0.05.
    found = compare_with_others(table(("C", 60, 100), ("A", 10, 100), ("B", 55, 200)), confidence=0.85)
    rows = []
    for agency, count, of, other, other_of, verdict in [
        ("A", 10, 100, 115, 300, "clearly below"),
        ("B", 55, 200, 70, 200, "could be either"),
        ("C", 60, 100, 65, 300, "clearly above"),
    ]:
        ends = newcombe(count, of, other, other_of, Z95)
        rows.append((agency, count, of, count / of, other / other_of, count / of - other / other_of, *ends, verdict))
    assert_frame_equal(found, pl.DataFrame(rows, schema=COLUMNS, orient="row"))


def test_totals_unknown_counts_and_wrong_returns_are_no_part_of_it():
    rows = [
        ("A", 10, 100),
        ("B", 60, 100),
        ("C", None, 50),
        ("D", 30, None),
        ("E", 30, 20),  # more than there are
        ("F", 0, 0),
        ("Total", 130, 270),
    ]
    assert_frame_equal(compare_with_others(table(*rows)), compare_with_others(table(*rows[:2])))


def test_group_without_a_name_is_a_group():
    found = compare_with_others(table((None, 10, 100), ("B", 60, 100)))
    assert found["agency"].to_list() == [None, "B"]


@pytest.mark.parametrize("rows", [[], [("A", 10, 100)], [("A", 10, 100), ("Total", 10, 100)], [("A", None, None)]])
def test_one_group_alone_has_no_others(rows):
    found = compare_with_others(table(*rows))
    assert (found.height, found.columns) == (0, COLUMNS)


def test_suppressed_table_tells_no_more_than_it_shows():
    full = table(("A", 10, 100), ("B", 60, 100), ("C", 3, 40), ("D", 44, 90), ("Total", 117, 330))
    shown = suppress(full.with_columns(proportion=pl.col("numerator") / pl.col("denominator")), Policy.dfe()).frame()
    assert shown.filter(agency="C")["numerator"].to_list() == [None]
    found = compare_with_others(shown)
    seen = shown.filter(pl.col("numerator").is_not_null(), pl.col("agency") != "Total")
    assert found["agency"].to_list() == seen["agency"].to_list()
    for row in found.iter_rows(named=True):
        rest = seen.filter(pl.col("agency") != row["agency"])
        assert row["others"] == pytest.approx(rest["numerator"].sum() / rest["denominator"].sum())


@pytest.mark.parametrize(
    ("frame", "error", "message"),
    [
        (table().drop("numerator"), TableError, "column numerator missing"),
        (table().rename({"denominator": "of"}), TableError, "column denominator missing"),
        (table().drop("agency"), ParameterError, "one group column before numerator. Found: none"),
        (table().insert_column(0, pl.Series("area", [], dtype=pl.String)), ParameterError, "Found: area, agency"),
    ],
)
def test_what_has_not_one_group_column_is_refused(frame, error, message):
    with pytest.raises(error, match=message):
        compare_with_others(frame)


@pytest.mark.parametrize("confidence", [0, 1, 2, -0.5])
def test_confidence_is_between_none_and_all_and_the_message_says_which(confidence):
    with pytest.raises(ParameterError, match=rf"between 0 and 1.*Found: {confidence}\."):
        compare_with_others(table(("A", 10, 100), ("B", 60, 100)), confidence=confidence)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), min_size=2, max_size=8),
    st.randoms(use_true_random=False),
)
def test_intervals_hold_the_difference_and_do_not_depend_on_the_order_of_rows(pairs, shuffler):
    rows = [(f"A{number}", min(pair), max(pair)) for number, pair in enumerate(pairs)]
    found = compare_with_others(table(*rows))
    assert (found["lower"] <= found["difference"] + 1e-9).all()
    assert (found["upper"] >= found["difference"] - 1e-9).all()
    assert found["lower"].min() is None or found["lower"].min() >= -1 - 1e-9
    assert found["upper"].max() is None or found["upper"].max() <= 1 + 1e-9
    clear = found.filter(pl.col("verdict") != "could be either")
    assert ((clear["lower"] > 0) | (clear["upper"] < 0)).all()
    # Whoever lies above the others has others below: the weighted differences cancel out.
    weights = found["denominator"] * (found["denominator"].sum() - found["denominator"])
    assert (weights * found["difference"]).sum() == pytest.approx(0, abs=1e-6)
    shuffler.shuffle(rows)
    assert_frame_equal(compare_with_others(table(*rows)), found)
    wider = compare_with_others(table(*rows), confidence=0.999)
    assert (wider["lower"] <= found["lower"] + 1e-12).all()


def years(*rows):
    names = ["time_period", "numerator", "denominator"]
    table = pl.DataFrame(rows, schema=names, orient="row")
    share = pl.col("numerator") / pl.col("denominator")
    return table.with_columns(share.alias("proportion"), *wilson(pl.col("numerator"), pl.col("denominator")))


def test_years_are_compared_by_newcombes_method_as_in_his_paper():
    row = compare_years(years(("2007", 48, 80), ("2008", 56, 70))).row(0, named=True)
    assert row["difference"] == pytest.approx(0.2)
    # Newcombe 1998, table II, method 10, 56/70 - 48/80
    assert (round(row["lower"], 4), round(row["upper"], 4)) == (0.0524, 0.3339)
    assert row["verdict"] == "clearly higher"
    assert row["year_before"] == "2007"


def test_fall_that_chance_could_make_is_called_neither():
    assert compare_years(years(("2007", 190, 972), ("2008", 177, 920)))["verdict"].to_list() == ["could be either"]


def test_fall_beyond_chance_is_called_lower():
    assert compare_years(years(("2007", 300, 1000), ("2008", 200, 1000)))["verdict"].to_list() == ["clearly lower"]


def test_wider_of_two_intervals_is_used():
    table = years(("2007", 48, 80), ("2008", 56, 70))
    wide = table.with_columns(lower_clustered=pl.col("lower") - 0.1, upper_clustered=pl.col("upper") + 0.1)
    narrow = table.with_columns(lower_clustered=pl.col("proportion"), upper_clustered=pl.col("proportion"))
    plain = compare_years(table)
    assert compare_years(wide)["lower"].item() < plain["lower"].item() - 0.1
    assert compare_years(narrow).equals(plain)


def test_year_after_a_gap_or_a_hidden_year_is_compared_with_nothing():
    table = years(("2005", 48, 80), ("2007", 56, 70), ("2008", 40, 70))
    assert compare_years(table)["time_period"].to_list() == ["2008"]
    hidden = table.with_columns(proportion=pl.when(pl.col("time_period") != "2007").then("proportion"))
    assert compare_years(hidden).is_empty()


def test_rise_over_several_years_is_seen_against_the_first_though_not_against_the_year_before():
    table = years(("2005", 30, 200), ("2006", 36, 200), ("2007", 44, 200), ("2008", 52, 200))
    assert set(compare_years(table)["verdict"]) == {"could be either"}
    found = compare_years(table, against="first").filter(time_period="2008").row(0, named=True)
    # Newcombe's method 10 of 52/200 - 30/200: Wilson ends 0.2042 to 0.3249 and 0.1070 to 0.2061.
    # 0.11 - sqrt(0.0558² + 0.0561²) = 0.0309; 0.11 + sqrt(0.0649² + 0.0430²) = 0.1879
    assert (found["year_before"], found["verdict"]) == ("2005", "clearly higher")
    assert (round(found["lower"], 3), round(found["upper"], 3)) == (0.031, 0.188)


def test_first_year_is_compared_with_nothing():
    assert compare_years(years(("2008", 48, 80)), against="first").is_empty()
