"""An authority beside its region, England and its neighbours: invented rows, and the published figures of 2025."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.comparators import comparator_rates
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.sources.dfe import read_second_or_subsequent_plans, read_statistical_neighbours

SHARED = Path(__file__).parents[2] / "shared"
DFE = SHARED / "data" / "dfe"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

SCHEMA = {
    "time_period": pl.String,
    "geographic_level": pl.String,
    "region": pl.String,
    "area": pl.String,
    "code": pl.String,
    "number": pl.String,
    "numerator": pl.Int64,
    "denominator": pl.Int64,
    "proportion": pl.Float64,
    "published_percentage": pl.Float64,
    "mark": pl.String,
}


def row(time_period, area, numerator, denominator, percentage, *, number=None, region="North", mark=""):
    level = "local authority" if number else ("national" if area == "England" else "regional")
    share = numerator / denominator if numerator is not None and denominator else None
    return (time_period, level, region, area, "E1", number, numerator, denominator, share, percentage, mark)


def table(*rows):
    return pl.DataFrame(rows, schema=SCHEMA, orient="row")


PUBLISHED = table(
    row("2025", "England", 2000, 10000, 20.4, region=None),
    row("2025", "North", 100, 400, 26.0),
    row("2025", "South", 300, 400, 75.0, region="South"),
    row("2025", "Alton", 65, 100, 65.0, number="101"),
    row("2025", "Barrow", 10, 100, 10.0, number="102"),
    row("2025", "Corby", 20, 100, 20.0, number="103", region="South"),
    row("2025", "Derby", 60, 100, 60.0, number="104"),
    row("2025", "Exeter", None, 100, None, number="105", mark="[c]"),
    row("2025", "Far", 99, 100, 99.0, number="106"),
    row("2024", "England", 1000, 10000, 10.0, region=None),
    row("2024", "North", 200, 400, 50.0),
    row("2024", "Alton", None, None, None, number="101", mark="[x]"),
    row("2024", "Barrow", 50, 100, 50.0, number="102"),
)
NEIGHBOURS = pl.DataFrame(
    {
        "number": ["101", "101", "101", "101", "102"],
        "neighbour_number": ["102", "103", "104", "105", "106"],
        "position": [1, 2, 3, 4, 1],
    }
)


@pytest.fixture(scope="module")
def published():
    return read_second_or_subsequent_plans(DFE / "d3_cpps_subsequent_plan_2013_to_2025.csv")


@pytest.fixture(scope="module")
def neighbours():
    return read_statistical_neighbours(DFE / "sn_model_2025_wide.csv")


def test_authority_region_england_and_neighbours_stand_in_this_order():
    # Neighbours with a figure: 10, 20 and 60%; median 20%, mean 90/3 = 30%; Exeter is suppressed and left out.
    # 65 of 100: Wilson 0.552544-0.736358 (../shared/data/intervals/oracle_wilson_edge.csv). The region's and England's
    # intervals: the score test (p - p0)^2 = z^2 p0 (1 - p0) / n holds at both ends, checked below.
    found = comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", time_period="2025")
    expected = pl.DataFrame(
        {
            "time_period": ["2025"] * 5,
            "area": [
                "Alton",
                "North",
                "England",
                "Statistical neighbours (median)",
                "Statistical neighbours (mean)",
            ],
            "numerator": [65, 100, 2000, None, None],
            "denominator": [100, 400, 10000, None, None],
            "proportion": [0.65, 0.26, 0.204, 0.2, 0.3],
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)
    assert found.columns == [*expected.columns, "lower", "upper", "mark", "neighbours"]
    assert found["neighbours"].to_list() == [None, None, None, 3, 3]
    assert found["mark"].to_list() == [""] * 5
    assert found.row(0, named=True)["lower"] == pytest.approx(0.552544, abs=1e-6)
    assert found.row(0, named=True)["upper"] == pytest.approx(0.736358, abs=1e-6)
    for share, size, ends in ((0.26, 400, found.row(1)[5:7]), (0.204, 10000, found.row(2)[5:7])):
        for end in ends:
            assert (share - end) ** 2 == pytest.approx(1.959964**2 * end * (1 - end) / size, rel=1e-5)
    assert found[3:].select("lower", "upper").null_count().row(0) == (2, 2)


def test_region_and_england_show_the_printed_percentage_not_the_ratio_of_rounded_counts():
    found = comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", time_period="2025")
    assert found.filter(pl.col("area") == "North")["proportion"].item() == 0.26  # 100 of 400 would be 0.25


def test_suppressed_authority_keeps_its_letter_and_its_row():
    found = comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", time_period="2024")
    expected = pl.DataFrame(
        {
            "area": [
                "Alton",
                "North",
                "England",
                "Statistical neighbours (median)",
                "Statistical neighbours (mean)",
            ],
            "proportion": [None, 0.5, 0.1, 0.5, 0.5],
            "mark": ["[x]", "", "", "", ""],
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)
    assert found.row(0)[2:7] == (None,) * 5


def test_without_a_year_all_years_of_the_authority_follow_each_other():
    found = comparator_rates(PUBLISHED.reverse(), NEIGHBOURS.reverse(), "Alton")
    expected = pl.concat(
        [comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", time_period=time_period) for time_period in ("2024", "2025")]
    )
    assert_frame_equal(found, expected)


def test_without_a_neighbour_with_a_figure_the_neighbour_rows_are_left_out():
    assert comparator_rates(PUBLISHED, NEIGHBOURS, "Barrow", time_period="2024")["area"].to_list() == [
        "Barrow",
        "North",
        "England",
    ]
    assert comparator_rates(PUBLISHED, NEIGHBOURS, "Far")["area"].to_list() == ["Far", "North", "England"]


def test_higher_confidence_gives_a_wider_interval():
    # 65 of 100 at 99.8%: 0.495495-0.778354 (../shared/data/intervals/oracle_wilson_edge.csv)
    found = comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", time_period="2025", confidence=0.998).row(0, named=True)
    assert [found["lower"], found["upper"]] == pytest.approx([0.495495, 0.778354], abs=1e-6)


def test_unknown_authority_is_answered_with_the_nearest():
    with pytest.raises(ParameterError, match=r'no authority "Altn".*6 authorities\. Did you mean "Alton"'):
        comparator_rates(PUBLISHED, NEIGHBOURS, "Altn")
    with pytest.raises(ParameterError, match="Give the name as the Department prints it"):
        comparator_rates(PUBLISHED, NEIGHBOURS, "")


def test_region_is_not_an_authority():
    with pytest.raises(ParameterError, match='no authority "North"'):
        comparator_rates(PUBLISHED, NEIGHBOURS, "North")


def test_year_without_a_row_is_answered_with_the_years_there_are():
    with pytest.raises(ParameterError, match=r'no figure for "Alton" in 2023\. Found: 2024, 2025'):
        comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", time_period="2023")


@pytest.mark.parametrize(("which", "column"), [(0, "region"), (1, "neighbour_number")])
def test_missing_column_is_named(which, column):
    tables = [PUBLISHED, NEIGHBOURS]
    tables[which] = tables[which].drop(column)
    with pytest.raises(TableError, match=rf"column {column} missing"):
        comparator_rates(*tables, "Alton")


@needs_shared
@pytest.mark.parametrize(
    ("authority", "own", "region", "regional", "median", "mean"),
    [
        # Own, median and mean: research note child_protection_and_indicators.md, section 11, from printed percentages.
        ("Kirklees", 27.8, "Yorkshire and The Humber", 24.7, 21.5, 22.72),
        ("Kent", 24.3, "South East", 26.3, 24.45, 24.34),
    ],
)
def test_repeat_plans_2025_beside_comparators(published, neighbours, authority, own, region, regional, median, mean):
    found = comparator_rates(published, neighbours, authority, time_period="2025")
    assert found["area"].to_list() == [
        authority,
        region,
        "England",
        "Statistical neighbours (median)",
        "Statistical neighbours (mean)",
    ]
    assert found["neighbours"].to_list() == [None, None, None, 10, 10]
    # Shares of authorities come from their counts, so they may differ from the printed ones by half a decimal.
    assert (found["proportion"] * 100).to_list() == pytest.approx([own, regional, 24.5, median, mean], abs=0.0500001)
    names = neighbours.filter(pl.col("area") == authority)["neighbour_number"].to_list()
    printed = published.filter((pl.col("time_period") == "2025") & pl.col("number").is_in(names))[
        "published_percentage"
    ]
    assert (len(printed), printed.median(), printed.mean()) == pytest.approx((10, median, mean))


@needs_shared
def test_yorkshire_2022_leaves_doncaster_out_of_both_counts_as_the_department_does(published, neighbours):
    # Doncaster's 437 starts have no numerator ("u"): 1,660 / (7,490 - 437) = 23.54%, printed 23.6, from rounded counts;
    # 1,660 / 7,490 would be 22.2%.
    found = comparator_rates(published, neighbours, "Kirklees", time_period="2022").row(1, named=True)
    assert (found["area"], found["proportion"]) == ("Yorkshire and The Humber", pytest.approx(0.236))
    assert found["lower"] < found["proportion"] < found["upper"]


@needs_shared
def test_abolished_authority_has_no_neighbours_in_the_2025_model(published, neighbours):
    found = comparator_rates(published, neighbours, "Cumbria")
    assert found["time_period"].unique().sort().to_list() == [str(year) for year in range(2013, 2024)]
    assert found["area"].unique().sort().to_list() == ["Cumbria", "England", "North West"]
