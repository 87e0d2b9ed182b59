"""Expected values: placements of boards written out by hand."""

import csv
from pathlib import Path

import duckdb
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.quadrants import QUADRANTS, cut_lines, theme_quadrants
from safeguarding_analytics.shapes import shape_of

PUBLISHED = Path(__file__).parents[1] / "data" / "published" / "kirklees_shared_themes_2015.csv"
KINDS = {"board": pl.String, "theme": pl.String, "urgency": pl.Float64, "importance": pl.Float64}
NAMES = ["Adults", "Children", "Community"]


def placed(**themes):
    """``placed(Gangs=[(2, 6), (9, 8)])``: urgency and importance of the first board, then of the second."""
    rows = [(NAMES[i], theme, *one) for theme, boards in themes.items() for i, one in enumerate(boards)]
    return pl.DataFrame(rows, schema=KINDS, orient="row")


# Three boards, lines at 5 and 5
THEMES = placed(
    Prevent=[(6, 2), (7, 3), (9, 9)],  # medians 7 and 3
    Gangs=[(2, 6), (9, 8), (5, 5)],  # medians 5 and 6, both on or above the line
    Trafficking=[(1, 9), (4, 6), (2, 5)],  # medians 2 and 6
    Forced=[(0, 0)],
)


def test_themes_by_hand():
    expected = pl.DataFrame(
        {
            "theme": ["Forced", "Gangs", "Prevent", "Trafficking"],
            "boards": [1, 3, 3, 3],
            "urgency": [0.0, 5.0, 7.0, 2.0],
            "urgency_lowest": [0.0, 2.0, 6.0, 1.0],
            "urgency_highest": [0.0, 9.0, 9.0, 4.0],
            "importance": [0.0, 6.0, 3.0, 6.0],
            "importance_lowest": [0.0, 5.0, 2.0, 5.0],
            "importance_highest": [0.0, 8.0, 9.0, 9.0],
            "quadrant": ["neither", "do first", "urgent, less important", "plan ahead"],
            "urgent_from": [5.0] * 4,
            "important_from": [5.0] * 4,
            "boards_in_quadrant": [1, 2, 2, 3],
            "agreed": [None, False, False, True],
            "lead_board": pl.Series([None] * 4, dtype=pl.String),
            "linkages": pl.Series([None] * 4, dtype=pl.String),
            "in_place": pl.Series([None] * 4, dtype=pl.String),
        }
    )
    found = theme_quadrants(THEMES, cut_urgency=5, cut_importance=5)
    assert_frame_equal(found, expected)
    assert shape_of(found.columns).name == "quadrant"


def test_themes_of_each_board_by_hand():
    found = theme_quadrants(THEMES, cut_urgency=5, cut_importance=5, by_board=True)
    expected = pl.DataFrame(
        {
            "board": ["Adults"] * 4 + ["Children"] * 3 + ["Community"] * 3,
            "theme": ["Forced", *["Gangs", "Prevent", "Trafficking"] * 3],
            "urgency": [0.0, 2.0, 6.0, 1.0, 9.0, 7.0, 4.0, 5.0, 9.0, 2.0],
            "importance": [0.0, 6.0, 2.0, 9.0, 8.0, 3.0, 6.0, 5.0, 9.0, 5.0],
            "quadrant": [
                *("neither", "plan ahead", "urgent, less important", "plan ahead"),
                *("do first", "urgent, less important", "plan ahead"),
                *("do first", "do first", "plan ahead"),
            ],
            "urgent_from": [5.0] * 10,
            "important_from": [5.0] * 10,
            "in_place": pl.Series([None] * 10, dtype=pl.String),
        }
    )
    assert_frame_equal(found, expected)
    assert shape_of(found.columns).name == "quadrant"


def test_names_of_quadrants_stand_in_the_order_in_which_they_are_dealt_with():
    assert QUADRANTS == ("do first", "plan ahead", "urgent, less important", "neither")


@pytest.mark.parametrize(
    ("urgency", "importance", "quadrant"),
    [
        (5, 5, "do first"),
        (4.99, 5, "plan ahead"),
        (5, 4.99, "urgent, less important"),
        (4.99, 4.99, "neither"),
    ],
)
def test_a_value_on_the_line_counts_as_above(urgency, importance, quadrant):
    themes = placed(Gangs=[(urgency, importance)])
    assert theme_quadrants(themes, cut_urgency=5, cut_importance=5)["quadrant"].to_list() == [quadrant]


def test_lines_that_are_not_stated_run_in_the_middle_of_what_was_placed():
    # urgency 0 to 9, importance 0 to 9
    assert cut_lines(THEMES) == (4.5, 4.5)
    assert cut_lines(THEMES, cut_importance=7) == (4.5, 7)
    assert cut_lines(THEMES, cut_urgency=0, cut_importance=10) == (0, 10)
    found = theme_quadrants(THEMES, cut_importance=7)
    assert_frame_equal(found, theme_quadrants(THEMES, cut_urgency=4.5, cut_importance=7))
    assert found["quadrant"].to_list() == ["neither", *["urgent, less important"] * 2, "neither"]


def test_a_value_in_the_middle_of_decimals_is_on_the_line():
    # (1.1 + 2.3) / 2 is 1.7000000000000002 to a computer
    themes = placed(Gangs=[(1.1, 1.1)], Prevent=[(1.7, 1.7)], Forced=[(2.3, 2.3)])
    assert theme_quadrants(themes)["quadrant"].to_list() == ["do first", "neither", "do first"]


@pytest.mark.parametrize("themes", [placed(Gangs=[(3, 4)]), placed(Gangs=[(3, 4)] * 3, Prevent=[(5, 4)] * 3)])
def test_without_a_line_there_is_no_quadrant(themes):
    assert cut_lines(themes).importance is None
    found = theme_quadrants(themes)
    assert found["quadrant"].is_null().all()
    assert found["boards_in_quadrant"].is_null().all()
    assert found["agreed"].is_null().all()
    assert theme_quadrants(themes, by_board=True)["quadrant"].is_null().all()
    assert theme_quadrants(themes, cut_urgency=4, cut_importance=4)["quadrant"].is_not_null().all()


def test_the_quadrant_of_the_medians_may_be_that_of_no_board():
    # two boards, opposite corners: 4.5 and 4.5 between them
    found = theme_quadrants(placed(Gangs=[(9, 0), (0, 9)]), cut_urgency=4, cut_importance=4)
    assert found.select("urgency", "importance", "quadrant", "boards_in_quadrant", "agreed").rows() == [
        (4.5, 4.5, "do first", 0, False)
    ]


def test_lead_boards_linkages_and_what_is_in_place():
    themes = placed(Gangs=[(1, 1)] * 3, Prevent=[(2, 2)] * 3, Forced=[(3, 3)] * 2).with_columns(
        leads=pl.Series([True, False, None, True, True, False, None, False]),
        linked=pl.Series([False, True, True, None, None, None, True, False]),
        in_place=pl.Series(["A strategy", None, "A group", None, None, None, "Training", None]),
    )
    found = theme_quadrants(themes[::-1]).select("theme", "lead_board", "linkages", "in_place")
    assert found.rows() == [
        ("Forced", None, "Adults", "Adults: Training"),
        ("Gangs", "Adults", "Children; Community", "Adults: A strategy; Community: A group"),
        ("Prevent", "Adults; Children", None, None),
    ]
    by_board = theme_quadrants(themes, by_board=True).select("board", "theme", "in_place").drop_nulls()
    assert by_board.rows() == [
        ("Adults", "Forced", "Training"),
        ("Adults", "Gangs", "A strategy"),
        ("Community", "Gangs", "A group"),
    ]


def test_the_themes_of_kirklees_each_have_a_row():
    # placed by three boards on 4 November 2015; where they placed them is not printed
    with PUBLISHED.open(encoding="utf-8") as file:
        names = [row["theme"] for row in csv.DictReader(file)]
    themes = placed(**{name: [(place, 8 - place)] * 3 for place, name in enumerate(names)})
    found = theme_quadrants(themes, cut_urgency=4, cut_importance=4)
    assert found["theme"].to_list() == sorted(names)
    assert found["boards"].to_list() == [3] * 8
    assert found["agreed"].to_list() == [True] * 8


def test_no_themes_give_a_table_without_rows():
    nothing = placed()
    assert cut_lines(nothing) == (None, None)
    for options in ({}, {"cut_urgency": 5, "cut_importance": 5}):
        assert theme_quadrants(nothing, **options).schema == theme_quadrants(THEMES).schema
        by_board = theme_quadrants(nothing, by_board=True, **options)
        assert by_board.is_empty()
        assert by_board.schema == theme_quadrants(THEMES, by_board=True).schema


def test_whole_numbers_and_tables_of_other_engines_do():
    whole = THEMES.with_columns(pl.col("urgency", "importance").cast(pl.Int32))
    assert_frame_equal(theme_quadrants(whole), theme_quadrants(THEMES))
    assert_frame_equal(theme_quadrants(THEMES.lazy()), theme_quadrants(THEMES))
    themes = THEMES.to_arrow()  # noqa: F841 - DuckDB finds it by its name
    assert_frame_equal(theme_quadrants(duckdb.sql("select * from themes")), theme_quadrants(THEMES))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (pl.col("urgency").replace(6, None), "1 of 10 rows have no urgency"),
        (pl.col("board").replace("Adults", None), "4 of 10 rows have no board"),
        (pl.col("importance").replace(8, -1), r"1 of 10 rows have a value of importance below 0 .* Found: -1.0"),
        (pl.col("importance").replace(9, float("inf")), r"2 of 10 rows have a value of importance .* Found: inf"),
        (pl.col("urgency").replace(9, float("nan")), r"2 of 10 rows have a value of urgency .* Found: (NaN|nan)"),
        (pl.col("urgency").cast(pl.String), "urgency must be a number. Found: String"),
        (pl.lit("yes").alias("leads"), "leads must be true or false. Found: String"),
        (pl.lit(1).alias("linked"), "linked must be true or false. Found: Int64"),
        (pl.lit(True).alias("in_place"), "in_place must be text. Found: Boolean"),
        (
            pl.col("theme").replace("Forced", "Gangs"),
            r"1 theme placed more than once by a board: Gangs \(Adults\)",
        ),
    ],
)
def test_broken_tables_are_refused(change, said):
    for measure in (theme_quadrants, cut_lines):
        with pytest.raises(TableError, match=f"themes: .*{said}"):
            measure(THEMES.with_columns(change))


def test_all_problems_are_said_at_once():
    broken = THEMES.with_columns(
        pl.col("urgency").replace(6, None), pl.col("importance").replace(8, -1), pl.lit("no").alias("leads")
    )
    with pytest.raises(TableError) as caught:
        theme_quadrants(broken)
    assert [line.split()[1] for line in str(caught.value).splitlines()] == ["1", "1", "leads"]


def test_a_missing_column_is_named():
    with pytest.raises(TableError, match="urgency"):
        theme_quadrants(THEMES.drop("urgency"))


def test_empty_optional_columns_of_any_kind_say_nothing():
    empty = THEMES.with_columns(pl.lit(None).alias("leads"), pl.lit(None, pl.String).alias("linked"))
    assert_frame_equal(theme_quadrants(empty), theme_quadrants(THEMES))


@pytest.mark.parametrize("value", [-1, float("nan"), float("inf")])
def test_wrong_lines_are_refused(value):
    with pytest.raises(ParameterError, match="cut_urgency must be a number of points, 0 or more") as caught:
        theme_quadrants(THEMES, cut_urgency=value, cut_importance=value)
    assert "cut_importance must be" in str(caught.value)


# Laws -----------------------------------------------------------------------------------------------------------------

points = st.integers(0, 10)
tables = st.dictionaries(
    st.sampled_from(["Gangs", "Prevent", "Forced"]),
    st.lists(st.tuples(points, points), min_size=1, max_size=3),
    min_size=1,
)
lines = st.fixed_dictionaries({"cut_urgency": points, "cut_importance": points})


@settings(max_examples=15, deadline=None)
@given(tables, lines, st.randoms(use_true_random=False))
def test_order_of_rows_does_not_matter(boards, cut, random):
    themes = placed(**boards)
    shuffled = themes[random.sample(range(themes.height), themes.height)]
    assert_frame_equal(theme_quadrants(shuffled, **cut), theme_quadrants(themes, **cut))
    assert_frame_equal(theme_quadrants(shuffled, by_board=True), theme_quadrants(themes, by_board=True))


@settings(max_examples=15, deadline=None)
@given(tables, lines)
def test_boards_that_all_agree_agree_with_the_medians(boards, cut):
    themes = placed(**boards)
    of_boards = theme_quadrants(themes, by_board=True, **cut).group_by("theme").agg(pl.col("quadrant").unique())
    for row in theme_quadrants(themes, **cut).iter_rows(named=True):
        found = of_boards.filter(theme=row["theme"])["quadrant"].item().to_list()
        assert (row["boards_in_quadrant"] > 0) == (row["quadrant"] in found)
        assert row["agreed"] == (None if row["boards"] == 1 else len(found) == 1)
        assert row["urgency_lowest"] <= row["urgency"] <= row["urgency_highest"]
        assert row["importance_lowest"] <= row["importance"] <= row["importance_highest"]


@settings(max_examples=15, deadline=None)
@given(tables, lines)
def test_swapping_urgency_and_importance_swaps_two_quadrants(boards, cut):
    themes = placed(**boards)
    swapped = themes.rename({"urgency": "importance", "importance": "urgency"})
    other = {"plan ahead": "urgent, less important", "urgent, less important": "plan ahead"}
    found = theme_quadrants(swapped, cut_urgency=cut["cut_importance"], cut_importance=cut["cut_urgency"])
    assert found["quadrant"].replace(other).to_list() == theme_quadrants(themes, **cut)["quadrant"].to_list()


@settings(max_examples=15, deadline=None)
@given(tables, st.sampled_from([2.0, 0.5, 10.0]))
def test_another_scale_changes_no_quadrant(boards, factor):
    themes = placed(**boards)
    wider = themes.with_columns(pl.col("urgency", "importance") * factor)
    assert theme_quadrants(wider)["quadrant"].to_list() == theme_quadrants(themes)["quadrant"].to_list()
