"""A table that may be sorted by a hidden number is published in the order of its groups."""

import polars as pl
import pytest

from safeguarding_analytics.masking import masked
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.shapes import shape_of
from safeguarding_analytics.tables import TOTAL

DFE = Policy.dfe()


def order(table, *hidden):
    """Group values in the order of publication, where the counts of some rows are hidden."""
    shape = shape_of(table.columns)
    groups = shape.group_columns(table.columns)
    cells = {(tuple(map(str, table.select(groups).row(row))), name) for row in hidden for name in shape.counts}
    return masked(table, shape, cells, DFE).frame().select(groups).rows()


def listed(agencies, counts, **more):
    return pl.DataFrame({"agency": list(agencies), "count": counts, **more})


RATES = [(60, 10_000), (4, 800), (24, 5_100), (20, 5_000), (45, 14_000)]


def test_rows_sorted_by_a_rate_are_sorted_by_their_groups():
    # 60, 47.1, 40 and 32.1 per 10,000: D, with 50 per 10,000 of 800, would have 4.
    rates = [count / population * 10_000 for count, population in RATES]
    counts, populations = (list(column) for column in zip(*RATES, strict=True))
    table = listed("EDCBA", counts, population=populations, rate=rates)
    assert order(table, 1) == [("A",), ("B",), ("C",), ("D",), ("E",)]


def test_rows_sorted_by_a_proportion_are_sorted_by_their_groups():
    shares = [0.5, 0.4, 0.3, 0.2, 0.1]
    table = pl.DataFrame(
        {
            "agency": [*"EDCBA"],
            "numerator": [20, 4, 30, 10, 9],
            "denominator": [40, 10, 100, 50, 90],
            "proportion": shares,
        }
    )
    assert order(table, 1) == [("A",), ("B",), ("C",), ("D",), ("E",)]


def test_rows_sorted_by_what_is_known_of_everyone_keep_their_order():
    table = listed("CDAB", [60, 4, 90, 70], population=[9_000, 8_000, 7_000, 6_000], rate=[66.7, 5.0, 128.6, 116.7])
    assert order(table, 1) == [("C",), ("D",), ("A",), ("B",)]


@pytest.mark.parametrize("descending", [True, False])
def test_rows_sorted_by_number_within_the_first_group_columns_are_sorted_by_groups(descending):
    table = pl.DataFrame(
        {
            "year": ["2010"] * 4 + ["2011"] * 4,
            "agency": [*"DACB", *"BDAC"],
            "count": [90, 60, 4, 3, 80, 70, 50, 2],
        }
    )
    table = table if descending else table.sort("year", "count")
    hidden = [row for row, count in enumerate(table["count"]) if count < 6]
    assert order(table, *hidden) == [(year, agency) for year in ("2010", "2011") for agency in "ABCD"]


@pytest.mark.parametrize("counts", [[50, 4, 3, 2], [50, 40, 30, 3], [4, 3, 2, 1]])
def test_few_shown_numbers_may_stand_in_order_by_chance(counts):
    table = listed("DBCA", counts)
    hidden = [row for row, count in enumerate(counts) if count < 6]
    assert order(table, *hidden) == [("D",), ("B",), ("C",), ("A",)]


@pytest.mark.parametrize("first", [True, False])
def test_table_in_the_order_of_its_groups_stays_as_it_is_wherever_its_margin_stands(first):
    agencies = [TOTAL, "A", "B", "C"] if first else ["A", "B", "C", TOTAL]
    table = listed(agencies, [60, 4, 20, 36] if first else [4, 20, 36, 60])
    assert order(table, 1 if first else 0) == [(agency,) for agency in agencies]


def test_margins_sorted_by_number_are_sorted_by_groups_too():
    # Within the agency the rows are in order; the margins by level are sorted by their counts.
    levels = ["1", "2", "3", "4", "5"]
    table = pl.DataFrame(
        {
            "agency": ["A"] * 5 + [TOTAL] * 5,
            "level": [*levels, *reversed(levels)],
            "count": [7, 20, 8, 30, 9, 90, 80, 70, 60, 4],
        }
    )
    assert order(table, 9)[5:] == [(TOTAL, level) for level in levels]


def test_rows_in_no_order_of_numbers_stay_as_they_are():
    assert order(listed("DBCAE", [50, 90, 4, 20, 60]), 2) == [("D",), ("B",), ("C",), ("A",), ("E",)]


def test_table_that_hides_nothing_keeps_its_order():
    assert order(listed("DBCA", [50, 40, 30, 20])) == [("D",), ("B",), ("C",), ("A",)]


def test_rows_that_are_not_stated_may_stand_first_or_last_among_groups_in_order():
    for agencies in ([None, "A", "B"], ["A", "B", None]):
        table = listed(agencies, [20, 10, 4])
        shape = shape_of(table.columns)
        hidden = {((agencies[2],) if agencies[2] else ("\uffff",), "count")}
        assert masked(table, shape, hidden, DFE).frame()["agency"].to_list() == agencies


def test_table_without_rows_and_one_without_groups_stay_as_they_are():
    assert order(listed([], []).cast({"agency": pl.String, "count": pl.Int64})) == []
    table = pl.DataFrame({"count": [4]})
    assert masked(table, shape_of(["count"]), {((), "count")}, DFE).frame().rows() == [(None, "[c]")]
