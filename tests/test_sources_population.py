"""Mid-year estimates of children: levels, letters, vintage, broken and cut files."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import TableError
from safeguarding_analytics.sources.population import read_population

SHARED = Path(__file__).parents[2] / "shared"
DFE = SHARED / "data" / "dfe"
FILE = "ons_mid-year_population_estimates_2012_to_2024.csv"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

HEADER = (
    "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
    "new_la_code,la_name,age_group,population_estimate"
)
AGES = "Children aged 0 to 17 years"


def area(level, children, *, year="2024", region="North", number="", name="", ages=AGES):
    return (
        f"{year},Reporting year,{level},E92000001,England,{'E12' if region else ''},{region},{number},"
        f"{'E06' + number if number else ''},{name},{ages},{children}"
    )


ENGLAND = area("National", 150, region="")
NORTH = area("Regional", 100)
ALTON = area("Local authority", 60, number="101", name="Alton")
BARROW = area("Local authority", 40, number="102", name="Barrow")


def write(folder, *lines, name="ons_2024.csv"):
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


def read(folder, *lines):
    return read_population(write(folder, HEADER, *lines))


@pytest.fixture(scope="module")
def population():
    return read_population(DFE / FILE)


def test_each_level_has_its_children_number_and_vintage(tmp_path):
    expected = pl.DataFrame(
        {
            "geographic_level": ["local authority", "local authority", "national", "regional"],
            "region": ["North", "North", None, "North"],
            "area": ["Alton", "Barrow", "England", "North"],
            "code": ["E06101", "E06102", "E92000001", "E12"],
            "number": ["101", "102", None, None],
            "mid_year": ["2024"] * 4,
            "children": [60, 40, 150, 100],
            "mark": [""] * 4,
            "vintage": ["ons_2024"] * 4,
        }
    )
    assert_frame_equal(read(tmp_path, ENGLAND, NORTH, BARROW, ALTON), expected)


def test_letter_stays_beside_the_null_and_its_region_is_not_added_up(tmp_path):
    found = read(tmp_path, NORTH, ALTON, BARROW.replace(",40", ",x"))
    assert found.select("area", "children", "mark").rows() == [
        ("Alton", 60, ""),
        ("Barrow", None, "[x]"),
        ("North", 100, ""),
    ]


@pytest.mark.parametrize("kept", [(NORTH, ALTON), (NORTH, BARROW, ENGLAND)])
def test_file_cut_off_between_two_rows_is_refused(tmp_path, kept):
    with pytest.raises(TableError, match=r"authorities do not add up to their region in North 2024\. .*cut off"):
        read(tmp_path, *kept)


def test_region_without_any_of_its_authorities_is_refused_where_others_have_theirs(tmp_path):
    south = area("Regional", 50, region="South")
    with pytest.raises(TableError, match=r"add up to their region in South 2024\."):
        read(tmp_path, NORTH, ALTON, BARROW, south)


def test_regions_alone_and_authorities_alone_need_not_add_up(tmp_path):
    assert read(tmp_path, ENGLAND, NORTH).height == 2
    assert read(tmp_path, ALTON).height == 1


def test_two_authorities_of_one_name_are_told_apart_by_their_number(tmp_path):
    found = read(tmp_path, ALTON, area("Local authority", 40, number="102", name="Alton"))
    assert found.select("number", "children").rows() == [("101", 60), ("102", 40)]


def test_all_wrong_cells_are_named_at_once_by_spreadsheet_row(tmp_path):
    with pytest.raises(TableError) as raised:
        read(
            tmp_path,
            ALTON,
            area("Local authority", "1,5".replace(",", "."), number="102", name="Barrow"),
            area("Local authority", "", number="103", name="Corby"),
            area("Local authority", 0, number="104", name="Derby"),
            area("Local authority", 9, number="10", name="Exeter"),
            area("Local authority", 9, number="105", name="Far", ages="Aged 0 to 21 years"),
            area("Local authority", 9, number="106", name="Grove", year="mid-2024"),
            area("Council", 9, number="107", name="Hove"),
            ALTON,
        )
    letters = "one of the letters c, x, z, u, k, low, :"
    file, rows = "ons_2024.csv", "of 9 rows"
    assert str(raised.value).splitlines() == [
        f'{file}: 1 {rows} have a time_period that is not a year such as 2025: rows 8. Found: "mid-2024".',
        f"{file}: 1 {rows} have a geographic_level that is not National or Regional or Local authority: rows 9. "
        'Found: "Council".',
        f'{file}: 1 {rows} have a old_la_code that is not a three-digit number: rows 6. Found: "10".',
        f'{file}: 1 {rows} have a age_group that is not the ages 0 to 17: rows 7. Found: "Aged 0 to 21 years".',
        f"{file}: 2 {rows} have a population_estimate that is not a whole number or {letters}: rows 3, 4. "
        'Found: "1.5", "".',
        f'{file}: 1 {rows} have a population_estimate that is not a number above 0: rows 5. Found: "0".',
        f"{file}: 1 {rows} repeat the time_period, geographic_level, region_name, old_la_code, new_la_code of an "
        "earlier row: rows 10. Keep one row of each.",
    ]


def test_row_that_is_cut_off_is_named(tmp_path):
    whole = "\n".join((HEADER, ALTON, BARROW))
    with pytest.raises(TableError, match=r"not as many cells as the header has columns \(12\): rows 3"):
        read_population(write(tmp_path, whole[: whole.rindex(",")]))


def test_windows_line_ends_and_byte_order_mark_change_nothing(tmp_path):
    lines = [HEADER, NORTH, ALTON, BARROW]
    plain = read_population(write(tmp_path, *lines))
    windows = write(tmp_path)
    windows.write_bytes(b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode())
    assert_frame_equal(read_population(windows), plain)


def test_missing_empty_and_headless_files_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"ons\.csv: file not found"):
        read_population(tmp_path / "ons.csv")
    with pytest.raises(TableError, match="the file is empty"):
        read_population(write(tmp_path))
    with pytest.raises(TableError, match="a header and no rows"):
        read(tmp_path)


@needs_shared
@pytest.mark.parametrize(
    "name",
    [
        "d3_cpps_subsequent_plan_2013_to_2025.csv",
        "d5_cpps_at31march_by_duration_2013_to_2025.csv",
        "lait_child_protection_measures_by_LA_year.csv",
        "sn_model_2025_wide.csv",
    ],
)
def test_any_other_file_of_the_department_is_refused_in_one_sentence(name):
    with pytest.raises(TableError, match=r"missing\. Found: .*Wanted: the published file of mid-year population"):
        read_population(DFE / name)


@needs_shared
def test_published_file_has_every_area_and_year(population):
    levels = population["geographic_level"].value_counts().sort("geographic_level").rows()
    assert levels == [("local authority", 1976), ("national", 13), ("regional", 143)]
    assert population["vintage"].unique().to_list() == [FILE.removesuffix(".csv")]
    england = population.filter(pl.col("area") == "England", pl.col("mid_year") == "2024")
    assert england["children"].item() == 12_183_016  # research note, section 3
    unknown = population.filter(pl.col("mark") == "[x]")
    assert unknown["children"].null_count() == unknown.height == population["children"].null_count() == 21
    assert unknown["number"].unique().sort().to_list() == ["835", "836", "837"]  # before Bournemouth, Poole and Dorset


@needs_shared
@pytest.mark.parametrize("lines", [1, 2, 40, 150])
def test_published_file_without_its_last_lines_is_refused(tmp_path, lines):
    text = (DFE / FILE).read_text(encoding="utf-8").splitlines()
    with pytest.raises(TableError, match="do not add up to their region"):
        read_population(write(tmp_path, *text[:-lines]))
