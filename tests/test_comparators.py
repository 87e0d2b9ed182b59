"""An authority beside its region, England and its neighbours: invented rows, and the published figures of 2025."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.comparators import (
    band_of,
    comparator_rates,
    compare_indicator,
    indicator_bands,
    model_year,
    rank_of,
    read_comparators,
)
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.safe import already_public
from safeguarding_analytics.sources.dfe import read_second_or_subsequent_plans, read_statistical_neighbours
from safeguarding_analytics.sources.lait import INDICATORS, read_lait
from safeguarding_analytics.sources.population import read_population

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
def lait():
    return read_lait(DFE / "lait_child_protection_measures_by_LA_year.csv")


@pytest.fixture(scope="module")
def population():
    return read_population(DFE / "ons_mid-year_population_estimates_2012_to_2024.csv")


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


MEDIAN, MEAN = "Statistical neighbours (median)", "Statistical neighbours (mean)"


@pytest.mark.parametrize(
    ("comparator_set", "statistic", "areas"),
    [
        ("all", "both", ["Alton", "North", "England", MEDIAN, MEAN]),
        ("all", "median", ["Alton", "North", "England", MEDIAN]),
        ("neighbours", "both", ["Alton", "England", MEDIAN, MEAN]),
        ("neighbours", "mean", ["Alton", "England", MEAN]),
        ("region", "both", ["Alton", "North", "England"]),
    ],
)
def test_chosen_comparators_are_kept_and_england_always(comparator_set, statistic, areas):
    found = comparator_rates(
        *(PUBLISHED, NEIGHBOURS, "Alton"), time_period="2025", comparator_set=comparator_set, statistic=statistic
    )
    everything = comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", time_period="2025")
    assert found["area"].to_list() == areas
    assert_frame_equal(found, everything.filter(pl.col("area").is_in(areas)))


@pytest.mark.parametrize(
    ("parameter", "message"),
    [
        (
            {"comparator_set": "neighbour"},
            r'must be all, neighbours or region\. Found: "neighbour"\. Did you mean "nei',
        ),
        ({"statistic": "mode"}, r'statistic must be both, median or mean\. Found: "mode"\.'),
    ],
)
def test_other_word_for_a_choice_is_refused_in_a_sentence(tmp_path, parameter, message):
    with pytest.raises(ParameterError, match=message):
        comparator_rates(PUBLISHED, NEIGHBOURS, "Alton", **parameter)
    with pytest.raises(ParameterError, match=message):
        read_comparators(None, None, tmp_path, None, **parameter)


def test_row_with_a_letter_has_no_number_at_all_and_may_be_shown():
    # 100 plans started, the number of second ones is suppressed: a row with a mark shows nothing but its mark.
    found = comparator_rates(PUBLISHED, NEIGHBOURS, "Exeter", time_period="2025")
    assert found.row(0)[1:] == ("Exeter", *[None] * 5, "[c]", None)
    assert already_public(found, "DfE, Children in need, table D3").hidden == 1


def test_authority_named_as_in_the_file_of_neighbours_is_found_by_its_number():
    named = NEIGHBOURS.with_columns(area=pl.lit("Alton, City of"))
    found = comparator_rates(PUBLISHED, named.filter(pl.col("number") == "101"), "Alton, City of", time_period="2025")
    assert found["area"].to_list()[0] == "Alton"


def lait_table(*rows):
    """Rows (area, number, measure, value), and a dash where the value is None."""
    places = {"970": ("national", None), "980": ("regional", "North")}
    return pl.DataFrame(
        [
            ("2025", *places.get(number, ("local authority", "North")), area, number, measure, value, dash(value))
            for area, number, measure, value in rows
        ],
        schema={
            **dict.fromkeys(("time_period", "geographic_level", "region", "area", "number", "measure"), pl.String),
            "value": pl.Float64,
            "mark": pl.String,
        },
        orient="row",
    )


def dash(value):
    return "[-]" if value is None else ""


AREAS = (("Alton", "101"), ("Barrow", "102"), ("Corby", "103"), ("England", "970"), ("North", "980"))
CHILDREN = pl.DataFrame(
    [
        ("local authority", "Alton", "101", "2024", 309_677),
        ("national", "England", None, "2024", 1_000_000),
        ("regional", "North", None, "2024", 500_000),
    ],
    schema=["geographic_level", "area", "number", "mid_year", "children"],
    orient="row",
)


def rates(counts, printed):
    pairs = zip(AREAS, counts, printed, strict=True)
    return lait_table(
        *(
            row
            for (area, number), count, rate in pairs
            for row in ((area, number, "CPP_Num", count), (area, number, "CPP_rate", rate))
        )
    )


def test_rate_has_its_count_its_population_and_byars_interval():
    # 960 / 309,677 per 10,000 = 31.00 (29.07-33.02): oracle_byars_edge.csv of ../shared/data/intervals. England's count
    # is rounded to 10, so the printed 30.1 stands, with the interval of 3,010 of a million.
    table = rates((960, 5, 7, 3000, 1000), (31.0, 20.0, 40.0, 30.1, 20.0))
    found = compare_indicator(table, NEIGHBOURS, "Alton", "plans_per_10000", population=CHILDREN)
    expected = pl.DataFrame(
        {
            "time_period": ["2025"] * 5,
            "area": ["Alton", "North", "England", MEDIAN, MEAN],
            "count": [960, 1000, 3000, None, None],
            "population": [309_677, 500_000, 1_000_000, None, None],
            "rate": [960 / 309_677 * 10_000, 20.0, 30.1, 30.0, 30.0],
            "mark": [""] * 5,
            "neighbours": [None, None, None, 2, 2],
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)
    assert found.columns == [*expected.columns[:5], "lower", "upper", "mark", "neighbours"]
    assert [round(end, 2) for end in found.row(0)[5:7]] == [29.07, 33.02]
    # Byar: 3,010 x (1 - 1/27,090 - 1.959964/(3 x 54.8635))^3 = 2,903.41,
    # 3,011 x (1 - 1/27,099 + 1.959964/(3 x 54.8726))^3 = 3,119.49
    assert found.row(2)[5:7] == pytest.approx((29.0341, 31.1949), abs=2e-3)
    assert already_public(found, "DfE, LAIT").shape.name == "rate"


def test_rate_without_a_population_has_no_interval():
    table = rates((960, 5, 7, 3000, 1000), (31.0, 20.0, 40.0, 30.1, 20.0))
    found = compare_indicator(table, NEIGHBOURS, "Alton", "plans_per_10000", comparator_set="region")
    assert found.select("area", "count", "population", "rate", "lower", "upper").rows() == [
        ("Alton", 960, None, 31.0, None, None),
        ("North", 1000, None, 20.0, None, None),
        ("England", 3000, None, 30.1, None, None),
    ]


def test_dash_of_an_indicator_stays_a_dash():
    table = rates((960, None, 7, 3000, 1000), (None, None, 40.0, 30.1, 20.0))
    found = compare_indicator(table, NEIGHBOURS, "Alton", "plans_per_10000", population=CHILDREN)
    assert found.row(0)[1:] == ("Alton", *[None] * 5, "[-]", None)
    assert found.filter(pl.col("area") == MEAN).select("rate", "neighbours").row(0) == (40.0, 1)
    assert already_public(found, "DfE, LAIT").hidden == 1


def test_share_without_counts_in_the_tool_has_no_interval():
    table = lait_table(*((area, number, "CP_conf_15days", 67.0) for area, number in AREAS))
    found = compare_indicator(table, NEIGHBOURS, "Alton", "conferences_on_time", statistic="median")
    assert found.select("area", "numerator", "denominator", "proportion", "lower", "upper").rows() == [
        (area, None, None, 0.67, None, None) for area in ("Alton", "North", "England", MEDIAN)
    ]


def test_share_with_counts_has_wilsons_interval():
    # 65 of 100: 0.552544-0.736358 (../shared/data/intervals/oracle_wilson_edge.csv)
    values = {"ReRegCPR": 65, "CPP_Abuse": 100, "PrevRegCPR": 65.0}
    table = lait_table(*((*area, measure, value) for area in AREAS for measure, value in values.items()))
    found = compare_indicator(table, NEIGHBOURS, "Alton", "second_or_subsequent_plans")
    assert found.row(0)[2:5] == (65, 100, 0.65)
    assert found.row(0)[5:7] == pytest.approx((0.552544, 0.736358), abs=1e-6)


@pytest.mark.parametrize(
    ("name", "year"),
    [
        ("sn_model_2025_wide.csv", "2025"),
        ("folder_2013/sn_model_2021.csv", "2021"),
        ("2025_neighbours_2025.csv", "2025"),
    ],
)
def test_model_year_stands_in_the_name_of_the_file(name, year):
    assert model_year(name) == year
    assert model_year(Path(name)) == year


@pytest.mark.parametrize(
    ("name", "found"), [("neighbours.csv", "no year"), ("sn_2021_2025.csv", "2021, 2025"), ("sn_12025.csv", "no year")]
)
def test_name_without_one_year_is_refused(name, found):
    with pytest.raises(TableError, match=rf"{name}: the year of the model.*Found: {found}\. Name the file"):
        model_year(name)


def bands(values, polarity):
    return pl.select(band_of(pl.lit(pl.Series(values, dtype=pl.Float64)), polarity)).to_series().to_list()


def ranks(values, polarity):
    return pl.select(rank_of(pl.lit(pl.Series(values, dtype=pl.Float64)), polarity)).to_series().to_list()


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        # 1 to 5: quartiles 2, 3 and 4. A boundary gets the better band where low is good, the worse where high is.
        ([1, 2, 3, 4, 5], "AABCD", "DDCBA"),
        # 10, 20, 30, 40: quartiles 17.5, 25 and 32.5 (linear, R type 7).
        ([40, 10, 30, 20], "DACB", "ADBC"),
        # 18, 18.1, 18.2, 18.3, 18.4 with quartiles on the values themselves, whatever the last binary digit is.
        ([18.0, 18.1, 18.2, 18.3, 18.4], "AABCD", "DDCBA"),
        ([7, 7, 7], "AAA", "DDD"),
        ([7], "A", "D"),
    ],
)
def test_band_depends_on_the_side_a_boundary_lies_on(values, low, high):
    assert bands(values, "low") == list(low)
    assert bands(values, "high") == list(high)


def test_missing_value_has_neither_band_nor_rank_and_moves_no_boundary():
    assert bands([1, None, 2, 3, 4, 5], "low") == ["A", None, "A", "B", "C", "D"]
    assert ranks([1, None, 2, 3, 4, 5], "low") == [1, None, 2, 3, 4, 5]
    assert bands([None, None], "high") == [None, None]
    assert bands([], "low") == []


def test_ties_share_the_smallest_rank_and_the_next_is_skipped():
    assert ranks([30, 10, None, 10, 20], "low") == [4, 1, None, 1, 3]
    assert ranks([30, 10, None, 10, 20], "high") == [1, 3, None, 3, 2]


def test_without_polarity_there_is_neither_band_nor_rank():
    assert bands([1, 2], "none") == [None, None]
    assert ranks([1, 2], "none") == [None, None]


@pytest.mark.parametrize("function", [band_of, rank_of])
def test_other_polarity_is_refused(function):
    with pytest.raises(ParameterError, match=r'polarity must be low, high or none\. Found: "Low"\. Did you mean "low"'):
        function(pl.col("value"), "Low")


def test_bands_of_an_indicator_stand_best_first_and_missing_last():
    values = {"Alton": 50.0, "Barrow": 90.0, "Corby": None}
    table = lait_table(*((area, number, "Continue_Assess_Comp", values.get(area, 70.0)) for area, number in AREAS))
    expected = pl.DataFrame(
        {
            "time_period": ["2025"] * 3,
            "area": ["Barrow", "Alton", "Corby"],
            "number": ["102", "101", "103"],
            "value": [90.0, 50.0, None],
            "band": ["A", "D", None],
            "rank": [1, 2, None],
            "authorities": [2] * 3,
            "mark": ["", "", "[-]"],
        }
    )
    assert_frame_equal(indicator_bands(table, "assessments_on_time"), expected)
    assert_frame_equal(indicator_bands(table, "assessments_on_time", time_period="2025"), expected)
    with pytest.raises(ParameterError, match=r"no figure in 2015\. Found: 2025\."):
        indicator_bands(table, "assessments_on_time", time_period="2015")


def test_indicator_that_is_neither_good_nor_bad_has_no_band():
    table = rates((960, 5, 7, 3000, 1000), (31.0, 20.0, 40.0, 30.1, 20.0))
    found = indicator_bands(table, "plans_per_10000")
    assert found.select("area", "value", "band", "rank").rows() == [
        ("Alton", 31.0, None, None),
        ("Barrow", 20.0, None, None),
        ("Corby", 40.0, None, None),
    ]


def test_no_file_named_gives_no_row_and_all_columns(tmp_path):
    found = read_comparators(None, None, tmp_path, None)
    assert found.is_empty()
    assert found.schema == comparator_rates(PUBLISHED, NEIGHBOURS, "Alton").schema


def test_files_without_an_authority_are_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"names files to compare with, but no \[board\] authority"):
        read_comparators("d3.csv", None, tmp_path, None)


@needs_shared
def test_files_of_a_board_are_read_with_and_without_neighbours(published, neighbours):
    plans = "d3_cpps_subsequent_plan_2013_to_2025.csv"
    found = read_comparators(plans, "sn_model_2025_wide.csv", DFE, "Kirklees", comparator_set="neighbours")
    assert_frame_equal(found, comparator_rates(published, neighbours, "Kirklees", comparator_set="neighbours"))
    without = read_comparators(plans, None, DFE, "Kirklees")
    assert_frame_equal(without, comparator_rates(published, neighbours, "Kirklees", comparator_set="region"))


@needs_shared
@pytest.mark.parametrize(
    ("authority", "own", "median", "mean"), [("Kirklees", 27.8, 21.5, 22.72), ("Kent", 24.3, 24.45, 24.34)]
)
def test_median_and_mean_of_neighbours_are_those_of_the_printed_figures(
    lait, published, neighbours, authority, own, median, mean
):
    # Research note child_protection_and_indicators.md, section 11.
    of_table = comparator_rates(published, neighbours, authority, time_period="2025")
    of_tool = compare_indicator(lait, neighbours, authority, "second_or_subsequent_plans", time_period="2025")
    assert_frame_equal(of_tool, of_table)
    share = dict(of_tool.select("area", pl.col("proportion") * 100).rows())
    assert (round(share[authority], 1), share[MEDIAN], share[MEAN]) == (own, pytest.approx(median), pytest.approx(mean))


@needs_shared
@pytest.mark.parametrize("indicator", [name for name, one in INDICATORS.items() if one.unit != "count"])
def test_every_indicator_is_compared_and_may_be_shown(lait, population, neighbours, indicator):
    found = compare_indicator(lait, neighbours, "Kirklees", indicator, population=population)
    years = [str(year) for year in range(2016, 2026)]
    assert found.filter(pl.col("area") == "Kirklees")["time_period"].to_list() == years
    assert found.filter(pl.col("area") == "England")["time_period"].to_list() == years
    shown = already_public(found, "DfE, Local Authority Interactive Tool").frame()
    value = "proportion" if INDICATORS[indicator].unit == "per cent" else "rate"
    assert shown.filter(pl.col("mark") == "")[value].null_count() == 0
    outside = (pl.col(value) < pl.col("lower")) | (pl.col(value) > pl.col("upper"))
    assert shown.filter(outside).is_empty()
    has_counts = bool(INDICATORS[indicator].numerator)
    assert shown.filter(pl.col("area") == "Kirklees", pl.col("mark") == "")["lower"].is_not_null().all() == has_counts


@needs_shared
def test_authority_the_tool_names_otherwise_is_found_under_its_name_in_the_model(lait, neighbours):
    found = compare_indicator(lait, neighbours, "County Durham", "reviews_on_time", time_period="2025")
    assert found["area"].to_list() == ["Durham", "North East", "England", MEDIAN, MEAN]
