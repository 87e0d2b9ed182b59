"""The Local Authority Interactive Tool's file: levels, dashes, float text, broken cells; and its indicators."""

import csv
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.sources.lait import INDICATORS, indicator_figures, indicator_of, read_lait

SHARED = Path(__file__).parents[2] / "shared"
DFE = SHARED / "data" / "dfe"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

HEADER = "Short Desc,Data item,Years,LA and Regions,Values,LA Number,Region"
KEYS = ("measure", "time_period", "number", "value")
PLACES = {
    "Kent": ("886.0", "South East"),
    "Leeds": ("383.0", "Yorkshire and The Humber"),
    "Barnet": ("302.0", "Outer London"),
    "England": ("970.0", "NA"),
    "South East": ("989.0", "NA"),
    "Yorkshire and the Humber": ("982.0", "NA"),
    "London (Outer)": ("988.0", "NA"),
}


def cell(measure, area, value, year="2016", number=None, region=None):
    own, within = PLACES.get(area, ("", ""))
    return (
        f"{measure},,{year},{area},{value},{own if number is None else number},{within if region is None else region}"
    )


def write(folder, *lines, name="lait.csv"):
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def read(folder, *lines):
    return read_lait(write(folder, HEADER, *lines))


@pytest.fixture(scope="module")
def lait():
    return read_lait(DFE / "lait_child_protection_measures_by_LA_year.csv")


def test_each_level_has_its_number_and_regions_are_spelled_as_in_other_files(tmp_path):
    found = read(tmp_path, *(cell("CPP_Num", area, 7) for area in PLACES))
    expected = pl.DataFrame(
        {
            "time_period": ["2016"] * 7,
            "geographic_level": ["local authority"] * 3 + ["national"] + ["regional"] * 3,
            "region": [
                *("Outer London", "Yorkshire and The Humber", "South East", None),
                *("Yorkshire and The Humber", "Outer London", "South East"),
            ],
            "area": [
                *("Barnet", "Leeds", "Kent", "England"),
                *("Yorkshire and The Humber", "Outer London", "South East"),
            ],
            "number": ["302", "383", "886", "970", "982", "988", "989"],
            "measure": ["CPP_Num"] * 7,
            "value": [7.0] * 7,
            "mark": [""] * 7,
        }
    )
    assert_frame_equal(found, expected)


@pytest.mark.parametrize(
    ("text", "value", "mark"),
    [
        ("17.899999999999999", 17.9, ""),
        ("581.29999999999995", 581.3, ""),
        ("24", 24.0, ""),
        ("0", 0.0, ""),
        ("-", None, "[-]"),
    ],
)
def test_value_is_the_nearest_number_and_a_dash_is_no_zero(tmp_path, text, value, mark):
    assert read(tmp_path, cell("CPP_rate", "Kent", text)).select("value", "mark").row(0) == (value, mark)


def test_number_of_an_area_may_be_whole_or_with_a_point(tmp_path):
    found = read(tmp_path, cell("CPP_Num", "Kent", 1, number="886"), cell("CPP_Num", "Leeds", 2))
    assert found["number"].to_list() == ["383", "886"]


def test_all_wrong_cells_are_named_at_once_by_spreadsheet_row(tmp_path):
    with pytest.raises(TableError) as raised:
        read(
            tmp_path,
            cell("PrevRegCPR", "Kent", "17.9"),
            cell("PrevRegCPR", "Leeds", "many"),
            cell("PrevRegCPR", "Barnet", "117.9"),
            cell("CPP_Num", "Kent", "17.5"),
            cell("CPP_Num", "Leeds", "-3"),
            cell("CPP_Num", "Barnet", "c"),
            cell("CPP_Num", "Wales", "3", number="950", region="NA"),
            cell("CPP_Num", "Kent", "4", year="2015/16"),
            cell("CPP_Num", "Kent", "4"),
            cell("CPP_Num", "", "4", number="201", region=""),
            cell("", "Leeds", "4"),
        )
    lines = str(raised.value).splitlines()
    assert lines[:-1] == [
        'lait.csv: 1 of 11 rows have a short_desc that is not the short name of a measure: rows 12. Found: "".',
        'lait.csv: 1 of 11 rows have a years that is not a year such as 2025: rows 9. Found: "2015/16".',
        'lait.csv: 1 of 11 rows have a la_and_regions that is not the name of an area: rows 11. Found: "".',
        "lait.csv: 1 of 11 rows have a la_number that is not a number from 201 to 943 (authority), 970 (England) or "
        '980 to 990 (region): rows 8. Found: "950".',
        'lait.csv: 3 of 11 rows have a values that is not a number or a dash: rows 3, 6, 7. Found: "many", "-3", "c".',
        'lait.csv: 1 of 11 rows have a values that is not a percentage up to 100: rows 4. Found: "117.9".',
        "lait.csv: 1 of 11 rows have a values that is not a whole number, although the measure is a count: "
        'rows 5. Found: "17.5".',
        'lait.csv: 1 of 11 rows have a region that is not the region of an authority: rows 11. Found: "".',
        "lait.csv: 1 of 11 rows repeat the short_desc, years, la_number of an earlier row: rows 10. "
        "Keep one row of each.",
    ]
    assert "measures and years lack areas" in lines[-1]


def test_number_with_two_names_is_refused(tmp_path):
    with pytest.raises(TableError, match=r"1 area numbers have more than one name or region: 886\. Wanted"):
        read(
            tmp_path,
            cell("CPP_Num", "Kent", 1),
            cell("CPP_rate", "Kent", 1, region="South West"),
        )


def test_file_cut_off_between_two_rows_is_refused(tmp_path):
    lines = [cell(measure, area, 1) for measure in ("CPP_Num", "CPP_rate") for area in PLACES]
    assert read(tmp_path, *lines).height == 14
    with pytest.raises(TableError, match=r"1 measures and years lack areas.*CPP_rate 2016 \(5 of 7\).*cut off"):
        read(tmp_path, *lines[:-2])


def test_file_cut_off_within_a_row_is_refused(tmp_path):
    whole = "\n".join((HEADER, cell("CPP_Num", "Kent", 1), cell("CPP_Num", "Leeds", 1)))
    with pytest.raises(TableError, match=r"not as many cells as the header has columns \(7\): rows 3"):
        read_lait(write(tmp_path, whole[: whole.rindex(",")]))


def test_windows_line_ends_and_byte_order_mark_change_nothing(tmp_path):
    lines = [HEADER, *(cell("CPP_Num", area, 7) for area in PLACES)]
    windows = tmp_path / "windows.csv"
    windows.write_bytes(b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode())
    assert_frame_equal(read_lait(windows), read_lait(write(tmp_path, *lines)))


def test_missing_empty_and_headless_files_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"lait\.csv: file not found"):
        read_lait(tmp_path / "lait.csv")
    with pytest.raises(TableError, match=r"lait\.csv: the file is empty"):
        read_lait(write(tmp_path))
    with pytest.raises(TableError, match="a header and no rows"):
        read(tmp_path)
    with pytest.raises(TableError, match=r"column short_desc missing.*Wanted: the published file of the Local"):
        read_lait(write(tmp_path, HEADER.replace("Short Desc", "Measure"), cell("CPP_Num", "Kent", 1)))


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "d3_cpps_subsequent_plan_2013_to_2025.csv",
        "d5_cpps_at31march_by_duration_2013_to_2025.csv",
        "ons_mid-year_population_estimates_2012_to_2024.csv",
        "sn_model_2025_wide.csv",
        "lait_child_protection_dictionary.csv",
    ],
)
def test_any_other_file_of_the_department_is_refused_in_one_sentence(name):
    with pytest.raises(TableError, match=r"missing\. Found: .*Wanted: the published file of the Local Authority"):
        read_lait(DFE / name)


def figures_of(folder, indicator, **values):
    lines = [
        cell(measure.replace("M_", ""), area, value)
        for measure, of_area in values.items()
        for area, value in of_area.items()
    ]
    return indicator_figures(read(folder, *lines), indicator)


def test_share_has_its_counts_and_what_is_printed(tmp_path):
    found = figures_of(
        tmp_path,
        "second_or_subsequent_plans",
        ReRegCPR={"Kent": 1, "Leeds": "-", "Barnet": 0},
        CPP_Abuse={"Kent": 4, "Leeds": 8, "Barnet": 0},
        PrevRegCPR={"Kent": 25, "Leeds": 12.5, "Barnet": "-"},
    )
    expected = pl.DataFrame(
        {
            "area": ["Barnet", "Kent", "Leeds"],
            "numerator": [0, 1, None],
            "denominator": [0, 4, None],
            "proportion": [None, 0.25, None],
            "published_percentage": [None, 25.0, 12.5],
            "mark": ["[-]", "", ""],
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)
    assert found.columns == ["time_period", "geographic_level", "region", "area", "number", *expected.columns[1:]]


def test_share_without_counts_in_the_tool_has_only_what_is_printed(tmp_path):
    found = figures_of(tmp_path, "ended_two_years", CPPlans2yrs={"Kent": 4.7})
    assert found.select("numerator", "denominator", "proportion", "published_percentage", "mark").row(0) == (
        *(None, None, None, 4.7, ""),
    )


def test_share_that_is_not_published_is_worked_out_of_its_bands(tmp_path):
    # Kirklees 2016: bands 110, 269, 53, 132, so 379 of 564 = 67.2%; a band that is missing leaves no share.
    bands = {"10_ICPC": 110, "15_ICPC": 269, "20_ICPC": 53, "21_ICPC": 132}
    values = {f"M_{name}": {"Kent": value, "Leeds": "-"} for name, value in bands.items()}
    found = figures_of(tmp_path, "conferences_on_time_of_those_dated", **values)
    assert found.select("numerator", "denominator", "published_percentage", "mark").rows() == [
        (379, 564, None, ""),
        (None, None, None, "[-]"),
    ]
    assert found["proportion"][0] == pytest.approx(379 / 564)


@needs_shared
@pytest.mark.parametrize("indicator", ["reviews_on_time", "plans_per_10000"])
def test_order_of_the_rows_changes_no_figure(lait, indicator):
    shuffled = lait.sample(fraction=1.0, shuffle=True, seed=7)
    assert_frame_equal(indicator_figures(shuffled, indicator), indicator_figures(lait, indicator))


def population(*rows):
    schema = ["geographic_level", "area", "number", "mid_year", "children"]
    return pl.DataFrame(rows, schema=schema, orient="row", infer_schema_length=None)


def test_rate_takes_the_population_of_the_mid_year_before(tmp_path):
    lines = [
        cell(measure, area, value)
        for measure, value in (("CPP_Num", 42), ("CPP_rate", 42))
        for area in ("Kent", "Leeds", "England", "Yorkshire and the Humber")
    ]
    children = population(
        ("local authority", "Kent", "886", "2015", 10_000),
        ("local authority", "Kent", "886", "2016", 20_000),
        ("local authority", "Leeds", "383", "2015", None),
        ("national", "England", None, "2015", 40_000),
        ("regional", "Yorkshire and The Humber", None, "2015", 5_000),
    )
    found = indicator_figures(read(tmp_path, *lines), "plans_per_10000", population=children)
    expected = pl.DataFrame(
        {
            "area": ["Kent", "Leeds", "England", "Yorkshire and The Humber"],
            "count": [42] * 4,
            "population": [10_000, None, 40_000, 5_000],
            "rate": [42.0, None, 10.5, 84.0],
            "published_rate": [42.0] * 4,
            "mark": [""] * 4,
        }
    )
    assert_frame_equal(found.select(expected.columns), expected)


def test_rate_without_a_population_stays_as_printed(tmp_path):
    found = figures_of(tmp_path, "plans_per_10000", CPP_Num={"Kent": 42}, CPP_rate={"Kent": 31.5})
    assert found.select("count", "population", "rate", "published_rate").row(0) == (42, None, None, 31.5)


def test_population_of_nobody_gives_no_rate(tmp_path):
    lines = [cell("CPP_Num", "Kent", 0), cell("CPP_rate", "Kent", "-")]
    children = population(("local authority", "Kent", "886", "2015", 0))
    found = indicator_figures(read(tmp_path, *lines), "plans_per_10000", population=children)
    assert found.select("count", "population", "rate", "mark").row(0) == (0, 0, None, "[-]")


def test_population_with_an_area_twice_is_refused(tmp_path):
    lines = [cell("CPP_Num", "Kent", 1), cell("CPP_rate", "Kent", 1)]
    twice = population(*[("local authority", "Kent", "886", "2015", children) for children in (9, 10)])
    with pytest.raises(TableError, match=r"population: 2 rows have the area and year of another row"):
        indicator_figures(read(tmp_path, *lines), "plans_per_10000", population=twice)
    with pytest.raises(TableError, match=r"population: column children missing"):
        indicator_figures(read(tmp_path, *lines), "plans_per_10000", population=twice.drop("children"))


def test_unknown_indicator_is_answered_with_the_nearest(tmp_path):
    with pytest.raises(ParameterError, match=r'no indicator "review_on_time"\. Did you mean "reviews_on_time"'):
        indicator_of("review_on_time")


def test_plain_count_is_not_compared(tmp_path):
    with pytest.raises(ParameterError, match=r"plans is a count, .*Choose a share or a rate: second_or_subsequent"):
        figures_of(tmp_path, "plans", CPP_Num={"Kent": 42})


def test_measure_that_is_not_in_the_file_is_named(tmp_path):
    with pytest.raises(TableError, match=r"made of RevCP, CPP_Reviewed.* no row of CPP_31March_3MnthorMore\. Found: "):
        figures_of(tmp_path, "reviews_on_time", RevCP={"Kent": 99}, CPP_Reviewed_InReqTimeScl={"Kent": 9})


@pytest.mark.parametrize("name", INDICATORS)
def test_every_indicator_says_what_it_is(name):
    indicator = INDICATORS[name]
    assert indicator.name == name
    assert indicator.meaning
    assert indicator.unit in ("per cent", "per 10,000", "count")
    assert bool(indicator.denominator) <= (indicator.unit == "per cent")
    assert name.endswith("per_10000") == (indicator.unit == "per 10,000")
    assert indicator.measure or (indicator.numerator and indicator.denominator)
    assert indicator.caution.endswith(".") or not indicator.caution


@needs_shared
def test_every_row_of_the_published_file_is_read(lait):
    # 51,000 rows: 30 measures of 170 areas over 10 years; 3,956 dashes (research note, sections 4 and 7).
    assert lait.height == 51_000 == 30 * 170 * 10
    assert (lait["mark"] == "[-]").sum() == lait["value"].null_count() == 3956
    areas = lait.select("geographic_level", "number").unique()["geographic_level"].value_counts()
    assert dict(areas.rows()) == {"local authority": 158, "national": 1, "regional": 11}
    assert_frame_equal(lait.sort("measure", "time_period", "number"), lait)


@needs_shared
def test_every_value_of_the_published_file_equals_that_of_a_plain_reader(lait):
    with (DFE / "lait_child_protection_measures_by_LA_year.csv").open(encoding="utf-8", newline="") as file:
        plain = {
            (row["Short Desc"], row["Years"], row["LA Number"].removesuffix(".0")): row["Values"]
            for row in csv.DictReader(file)
        }
    ours = {(measure, year, number): value for measure, year, number, value in lait.select(KEYS).rows()}
    assert ours == {key: None if text == "-" else float(text) for key, text in plain.items()}


@needs_shared
def test_polarity_and_measures_are_those_of_the_dictionary():
    dictionary = pl.read_csv(DFE / "lait_child_protection_dictionary.csv", infer_schema=False)
    printed = {
        name: {"Low": "low", "High": "high", "-": "none"}[polarity]
        for name, polarity in dictionary.select("Measure_short", "Polarity").rows()
    }
    for indicator in INDICATORS.values():
        assert {*indicator.numerator, *indicator.denominator} <= set(printed)
        assert indicator.measure == "" or indicator.polarity == printed[indicator.measure]


@needs_shared
def test_regions_of_the_tool_are_those_of_the_table_of_plans(lait):
    d3 = pl.read_csv(DFE / "d3_cpps_subsequent_plan_2013_to_2025.csv", infer_schema=False)
    regions = dict(
        d3.filter(pl.col("geographic_level") == "Local authority").select("old_la_code", "region_name").rows()
    )
    ours = lait.filter(pl.col("geographic_level") == "local authority").select("number", "region").unique()
    assert dict(ours.rows()) == regions
    named = lait.filter(pl.col("geographic_level") == "regional")["area"].unique().to_list()
    assert set(named) == set(regions.values()) | {"London"}
