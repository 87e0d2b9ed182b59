"""The Department's open-data files: every published row, every letter, every broken cell."""

from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.errors import TableError
from safeguarding_analytics.sources.dfe import (
    DURATIONS,
    read_plans_by_duration,
    read_second_or_subsequent_plans,
    read_statistical_neighbours,
)

SHARED = Path(__file__).parents[2] / "shared"
DFE = SHARED / "data" / "dfe"
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="../shared is not beside the project")

HEADER = (
    "time_period,time_identifier,geographic_level,country_code,country_name,region_code,region_name,old_la_code,"
    "new_la_code,la_name,category,CPP_start,CPP_subsequent,CPP_subsequent_percent"
)
ENGLAND = '2025,Reporting year,National,E92000001,England,"","",,"","",Plans,61840,15130,24.5'
SOUTH_EAST = '2025,Reporting year,Regional,E92000001,England,E12000008,South East,,"","",Plans,9290,2450,26.3'


def authority(name, starts, subsequent, percentage, year="2025"):
    return (
        f"{year},Reporting year,Local authority,E92000001,England,E12000008,South East,886,E10000016,{name},Plans,"
        f"{starts},{subsequent},{percentage}"
    )


def write(folder, *lines, name="d3.csv"):
    file = folder / name
    file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def published():
    return read_second_or_subsequent_plans(DFE / "d3_cpps_subsequent_plan_2013_to_2025.csv")


def test_each_level_has_its_area_code_and_number(tmp_path):
    file = write(tmp_path, HEADER, authority("Kent", 1274, 310, 24.3), SOUTH_EAST, ENGLAND)
    expected = pl.DataFrame(
        {
            "time_period": ["2025"] * 3,
            "geographic_level": ["local authority", "national", "regional"],
            "region": ["South East", None, "South East"],
            "area": ["Kent", "England", "South East"],
            "code": ["E10000016", "E92000001", "E12000008"],
            "number": ["886", None, None],
            "numerator": [310, 15130, 2450],
            "denominator": [1274, 61840, 9290],
            "proportion": [310 / 1274, 15130 / 61840, 2450 / 9290],
            "published_percentage": [24.3, 24.5, 26.3],
            "mark": ["", "", ""],
        }
    )
    assert_frame_equal(read_second_or_subsequent_plans(file), expected)


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (("100", "c", "c"), (None, 100, None, None, "[c]")),
        (("c", "0", "0"), (0, None, None, 0.0, "[c]")),
        (("x", "x", "x"), (None, None, None, None, "[x]")),
        (("437", "u", "u"), (None, 437, None, None, "[u]")),
        (("low", "low", "z"), (None, None, None, None, "[low]")),
        (("0", "0", "z"), (0, 0, None, None, "[z]")),
        (("12", "0", "0"), (0, 12, 0.0, 0.0, "")),
    ],
)
def test_letter_stays_beside_the_null_and_a_zero_stays_a_zero(tmp_path, cells, expected):
    file = write(tmp_path, HEADER, authority("Kent", *cells))
    columns = ("numerator", "denominator", "proportion", "published_percentage", "mark")
    assert read_second_or_subsequent_plans(file).select(columns).row(0) == expected


def test_byte_order_mark_and_blanks_round_cells_do_no_harm(tmp_path):
    file = write(tmp_path, f"\ufeff{HEADER}", authority(" Kent ", " 1274", "310 ", " 24.3 "))
    assert read_second_or_subsequent_plans(file).select("area", "numerator", "denominator").row(0) == (
        "Kent",
        310,
        1274,
    )


def test_all_wrong_cells_are_named_at_once_by_spreadsheet_row(tmp_path):
    file = write(
        tmp_path,
        HEADER,
        authority("Kent", 1274, 310, 24.3),
        authority("Medway", "many", "-3", "24,3%".replace(",", ".")),
        authority("Surrey", "", 310, "c", year="2024/25"),
        authority("Oxfordshire", 10, 11, "q"),
        authority("Kent", 1274, 310, 24.3),
        ENGLAND.replace("National", "Nation"),
    )
    with pytest.raises(TableError) as raised:
        read_second_or_subsequent_plans(file)
    letters = "one of the letters c, x, z, u, k, low, :"
    assert str(raised.value).splitlines() == [
        'd3.csv: 1 of 6 rows have a time_period that is not a year such as 2025: rows 4. Found: "2024/25".',
        "d3.csv: 1 of 6 rows have a geographic_level that is not National or Regional or Local authority: rows 7. "
        'Found: "Nation".',
        f'd3.csv: 2 of 6 rows have a cpp_start that is not a whole number or {letters}: rows 3, 4. Found: "many", "".',
        f'd3.csv: 1 of 6 rows have a cpp_subsequent that is not a whole number or {letters}: rows 3. Found: "-3".',
        f"d3.csv: 2 of 6 rows have a cpp_subsequent_percent that is not a number or {letters}: rows 3, 5. "
        'Found: "24.3%", "q".',
        'd3.csv: 1 of 6 rows have a cpp_subsequent that is not at most cpp_start: rows 5. Found: "11".',
        "d3.csv: 1 of 6 rows repeat the time_period, geographic_level, region_name, la_name of an earlier row: rows 6. "
        "Keep one row of each.",
    ]


def test_missing_file_is_named(tmp_path):
    with pytest.raises(TableError, match=r"d3\.csv: file not found"):
        read_second_or_subsequent_plans(tmp_path / "d3.csv")


def test_empty_file_and_header_alone_are_refused(tmp_path):
    with pytest.raises(TableError, match=r"d3\.csv: the file is empty"):
        read_second_or_subsequent_plans(write(tmp_path))
    with pytest.raises(TableError, match="a header and no rows"):
        read_second_or_subsequent_plans(write(tmp_path, HEADER))


def test_missing_column_is_named_with_the_nearest(tmp_path):
    file = write(tmp_path, HEADER.replace("CPP_subsequent,", "CPP_subsequents,"), ENGLAND)
    with pytest.raises(TableError, match=r'column cpp_subsequent missing.*Did you mean "cpp_subsequents"'):
        read_second_or_subsequent_plans(file)


def test_neighbours_become_rows_nearest_first(tmp_path):
    header = ",".join(f"SN_{position},SN_{position}P" for position in range(1, 11))
    kent = ",".join(f"{number},Close " for number in range(310, 300, -1))
    file = write(tmp_path, f"\ufeffold_la_code,la_name,{header}", f"886,Kent,{kent}", name="sn.csv")
    expected = pl.DataFrame(
        {
            "number": ["886"] * 10,
            "area": ["Kent"] * 10,
            "neighbour_number": [str(number) for number in range(310, 300, -1)],
            "position": list(range(1, 11)),
            "closeness": ["Close"] * 10,
        }
    )
    assert_frame_equal(read_statistical_neighbours(file), expected)


def test_neighbour_that_is_no_number_is_refused(tmp_path):
    header = ",".join(f"SN_{position},SN_{position}P" for position in range(1, 11))
    kent = ",".join("Medway,Close " for _ in range(10))
    file = write(tmp_path, f"old_la_code,la_name,{header}", f"886,Kent,{kent}", f"886,Kent,{kent}", name="sn.csv")
    with pytest.raises(TableError) as raised:
        read_statistical_neighbours(file)
    lines = str(raised.value).splitlines()
    assert lines[0] == ('sn.csv: 2 of 2 rows have a sn_1 that is not a three-digit number: rows 2, 3. Found: "Medway".')
    assert lines[-1] == "sn.csv: 1 of 2 rows repeat the old_la_code of an earlier row: rows 3. Keep one row of each."
    assert len(lines) == 11


def by_duration(*cells, name="Kent", level="Local authority"):
    place = f"2025,Reporting year,{level},E92000001,England,E12000008,South East,886,E10000016,{name},Plans by length"
    return ",".join((place, *cells))


DURATION_HEADER = HEADER.replace(
    "CPP_start,CPP_subsequent,CPP_subsequent_percent",
    "CPP_At31,3_months_or_less,3_months_or_less_percent,more_than_3_months_6_months,"
    "more_than_3_months_6_months_percent,more_than_6_months_less_than_1_year,"
    "more_than_6_months_less_than_1_year_percent,1_year_less_than_2_years,1_year_less_than_2_years_percent,"
    "2_years_or_more,2_years_or_more_percent",
)
ALL_BANDS = ("100", "40", "40", "30", "30", "20", "20", "7", "7", "3", "3")
TWO_HIDDEN = ("100", "40", "40", "30", "30", "20", "20", "c", "c", "c", "c")


def test_bands_of_duration_follow_their_total_and_letters_stay_beside_the_null(tmp_path):
    file = write(tmp_path, DURATION_HEADER, by_duration(*TWO_HIDDEN))
    expected = pl.DataFrame(
        {
            "time_period": ["2025"] * 6,
            "geographic_level": ["local authority"] * 6,
            "region": ["South East"] * 6,
            "area": ["Kent"] * 6,
            "code": ["E10000016"] * 6,
            "number": ["886"] * 6,
            "duration": ["Total", *DURATIONS.values()],
            "count": [100, 40, 30, 20, None, None],
            "mark": ["", "", "", "", "[c]", "[c]"],
            "published_percentage": [None, 40.0, 30.0, 20.0, None, None],
            "percentage_mark": ["", "", "", "", "[c]", "[c]"],
        }
    )
    assert_frame_equal(read_plans_by_duration(file), expected)


@pytest.mark.parametrize("letter", ["c", "x", "z", "u", "k", "low", ":"])
def test_each_letter_of_a_duration_is_kept_and_never_filled_in(tmp_path, letter):
    # 100 - 40 - 30 - 20 - 7 = 3 could be worked out, and is not.
    file = write(tmp_path, DURATION_HEADER, by_duration(*ALL_BANDS[:-2], letter, letter))
    last = read_plans_by_duration(file).row(-1, named=True)
    assert (last["count"], last["mark"], last["percentage_mark"]) == (None, f"[{letter}]", f"[{letter}]")


def test_no_plan_at_all_is_a_zero_with_a_percentage_that_does_not_apply(tmp_path):
    file = write(tmp_path, DURATION_HEADER, by_duration("0", *("0", "z") * 5))
    found = read_plans_by_duration(file)
    assert found["count"].to_list() == [0] * 6
    assert found["mark"].to_list() == [""] * 6
    assert found["percentage_mark"].to_list() == ["", *["[z]"] * 5]


def test_wrong_cells_of_durations_are_named_at_once(tmp_path):
    file = write(
        tmp_path,
        DURATION_HEADER,
        by_duration(*ALL_BANDS),
        by_duration("101", *ALL_BANDS[1:], name="Medway"),
        by_duration("many", "4.5", *ALL_BANDS[2:], name="Surrey"),
        by_duration(*ALL_BANDS[:-1], "3%", name="Hove").replace(",886,", ",88,"),
    )
    with pytest.raises(TableError) as raised:
        read_plans_by_duration(file)
    letters = "one of the letters c, x, z, u, k, low, :"
    assert str(raised.value).splitlines() == [
        'd3.csv: 1 of 4 rows have a old_la_code that is not a three-digit number: rows 5. Found: "88".',
        f'd3.csv: 1 of 4 rows have a cpp_at31 that is not a whole number or {letters}: rows 4. Found: "many".',
        f'd3.csv: 1 of 4 rows have a 3_months_or_less that is not a whole number or {letters}: rows 4. Found: "4.5".',
        f'd3.csv: 1 of 4 rows have a 2_years_or_more_percent that is not a number or {letters}: rows 5. Found: "3%".',
        'd3.csv: 1 of 4 rows have a cpp_at31 that is not the sum of its bands of duration: rows 3. Found: "101".',
    ]


def test_rounded_bands_of_a_region_need_not_add_up(tmp_path):
    cells = ("110", *ALL_BANDS[1:])
    file = write(tmp_path, DURATION_HEADER, by_duration(*cells, name='""', level="Regional"))
    assert read_plans_by_duration(file)["count"].to_list() == [110, 40, 30, 20, 7, 3]


def test_another_table_of_the_department_is_refused_with_what_was_wanted(tmp_path):
    plans = write(tmp_path, HEADER, ENGLAND)
    with pytest.raises(TableError, match=r"cpp_at31, .*missing.* Wanted: the published file of child protection plans"):
        read_plans_by_duration(plans)
    durations = write(tmp_path, DURATION_HEADER, by_duration(*ALL_BANDS))
    with pytest.raises(TableError, match=r"cpp_start, .*missing.* Wanted: the published file of second or subsequent"):
        read_second_or_subsequent_plans(durations)
    with pytest.raises(TableError, match=r"sn_1, .*missing.* Wanted: the published file of statistical neighbours"):
        read_statistical_neighbours(durations)


def test_row_that_is_cut_off_is_named(tmp_path):
    whole = "\n".join((DURATION_HEADER, by_duration(*ALL_BANDS), by_duration(*ALL_BANDS, name="Surrey")))
    with pytest.raises(TableError, match=r"not as many cells as the header has columns \(22\): rows 3"):
        read_plans_by_duration(write(tmp_path, whole[:-12]))


def test_windows_line_ends_and_byte_order_mark_change_nothing(tmp_path):
    lines = (DURATION_HEADER, by_duration(*ALL_BANDS))
    plain = read_plans_by_duration(write(tmp_path, *lines))
    windows = tmp_path / "d5.csv"
    windows.write_bytes(b"\xef\xbb\xbf" + "".join(f"{line}\r\n" for line in lines).encode())
    assert_frame_equal(read_plans_by_duration(windows), plain)


@needs_shared
def test_published_file_has_every_area_and_year(published):
    # 13 years of England, 11 regions and the authorities (research note, section 1)
    assert published["geographic_level"].value_counts().sort("geographic_level").rows() == [
        ("local authority", 1976),
        ("national", 13),
        ("regional", 143),
    ]
    assert_frame_equal(published.sort("time_period", "geographic_level", "area"), published)


@needs_shared
def test_authority_counts_give_the_published_percentage(published):
    rows = published.filter(
        (pl.col("geographic_level") == "local authority")
        & pl.col("numerator").is_not_null()
        & pl.col("denominator").is_not_null()
        & pl.col("published_percentage").is_not_null()
    )
    assert rows.height == 1924
    assert rows.select((pl.col("proportion") * 100 - pl.col("published_percentage")).abs().max()).item() <= 0.0500001


@needs_shared
@pytest.mark.parametrize(
    ("area", "time_period", "numerator", "denominator", "percentage"),
    [
        ("England", "2013", 7870, 52680, 14.9),
        ("England", "2025", 15130, 61840, 24.5),
        ("Kent", "2013", 241, 1226, 19.7),
        ("Kent", "2025", 310, 1274, 24.3),
        ("Kirklees", "2013", 60, 421, 14.3),
        ("Kirklees", "2025", 173, 623, 27.8),
    ],
)
def test_published_values_of_table_d3(published, area, time_period, numerator, denominator, percentage):
    row = published.row(by_predicate=(pl.col("area") == area) & (pl.col("time_period") == time_period), named=True)
    assert (row["numerator"], row["denominator"], row["published_percentage"]) == (numerator, denominator, percentage)
    assert round(row["proportion"] * 100, 1) == percentage


@needs_shared
@pytest.mark.parametrize(
    ("column", "letters"),
    [
        ("numerator", {"[c]": 29, "[x]": 3, "[u]": 2}),
        ("denominator", {"[c]": 17, "[x]": 3, "[u]": 1}),
        ("published_percentage", {"[c]": 29, "[z]": 6, "[x]": 3, "[u]": 2}),
    ],
)
def test_letters_of_the_authority_rows(published, column, letters):
    nulls = published.filter(pl.col(column).is_null())
    assert dict(nulls["mark"].value_counts().rows()) == letters
    assert nulls["geographic_level"].unique().to_list() == ["local authority"]


@needs_shared
def test_two_true_zeros_are_not_suppressed_values(published):
    zeros = published.filter((pl.col("numerator") == 0) & (pl.col("denominator") > 0))
    assert zeros.select("time_period", "area", "proportion", "mark").rows() == [
        ("2016", "City of London", 0.0, ""),
        ("2021", "Rutland", 0.0, ""),
    ]
    assert published.filter(pl.col("numerator") > 0)["numerator"].min() == 6


@needs_shared
def test_every_authority_of_the_2025_model_has_ten_neighbours():
    neighbours = read_statistical_neighbours(DFE / "sn_model_2025_wide.csv")
    assert neighbours.height == 153 * 10
    assert neighbours["closeness"].unique().sort().to_list() == [
        "Close",
        "Extremely close",
        "Not close",
        "Somewhat close",
        "Very close",
    ]
    assert set(neighbours["neighbour_number"]) <= set(neighbours["number"])
    assert neighbours.filter(pl.col("number") == "301").row(0) == (("301", "Barking and Dagenham", "308", 1, "Close"))
