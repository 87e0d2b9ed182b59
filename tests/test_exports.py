"""A file holds what a safe table shows and nothing else, opens in a spreadsheet, and is replaced as a whole."""

import csv
import io
import re
from datetime import date
from xml.etree import ElementTree
from zipfile import ZipFile

import fastexcel
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pyarrow import parquet

from safeguarding_analytics import exports
from safeguarding_analytics.answers import show_table
from safeguarding_analytics.errors import DisclosureError, ParameterError
from safeguarding_analytics.exports import from_csv, to_csv, write_csv, write_parquet, write_workbook
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.release import publish
from safeguarding_analytics.safe import Safe, already_public

FORMULAS = ["=1+1", "+44", "-5", "@SUM(A1)", "\tx", "\rx", "\nx", "'=1+1", "''@x"]
AWKWARD = ['Health, East "and" Coast', "Two\nlines", "Two\r\nlines", "Æsh & Óg", " spaces ", "007", "<b>", "a_x000D_b"]

# Dover's 3 and Ashford's 4,711 are hidden; Thanet's are not known; who lives nowhere has no district.
DISTRICTS = pl.DataFrame(
    {
        "district": ["Dover", "Swale", "Thanet", None, "Ashford"],
        "numerator": [None, 1_240, None, 0, None],
        "denominator": [None, 2_480, 70, 40, None],
        "proportion": [None, 0.5, None, 0.0, None],
        "lower": [None, 0.48033, None, 0.0, None],
        "upper": [None, 0.51967, None, 0.08763, None],
        "mark": ["[c]", "", "", "", "[c]"],
    }
)
SAFE = Safe(DISTRICTS, Policy.dfe())
HEADER = ["district", "numerator", "denominator", "proportion", "lower", "upper"]
PRINTED = [
    ["Dover", "[c]", "[c]", "[c]", "[c]", "[c]"],
    ["Swale", 1240, 2480, 0.5, 0.48033, 0.51967],
    ["Thanet", "[x]", 70, "[x]", "[x]", "[x]"],
    ["not stated", 0, 40, 0.0, 0.0, 0.08763],
    ["Ashford", "[c]", "[c]", "[c]", "[c]", "[c]"],
]
HIDDEN_SAYS = "[c] = hidden because the number is small, or because it would give a small number away."
UNKNOWN_SAYS = "[x] = not available: not known, not settled, or nothing to divide by."


def named(names, counts=None):
    """A table of counts that are all shown."""
    frame = pl.DataFrame({"agency": names, "count": counts or [10] * len(names)}, schema_overrides={"count": pl.Int64})
    return Safe(frame.with_columns(mark=pl.lit("")), Policy.dfe())


def csv_rows(path):
    text = path.read_bytes().decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline="")))


def sheet_of(path, name=0):
    """The rows of a sheet as a spreadsheet program shows them, without the empty cells at their ends."""
    frame = fastexcel.read_excel(path).load_sheet(name, header_row=None, dtypes="string").to_polars()
    rows = [list(row) for row in frame.rows()]
    return [row[: max(at for at, cell in enumerate(row) if cell is not None) + 1] for row in rows]


def part(path, name):
    with ZipFile(path) as archive:
        return archive.read(name).decode()


WRITERS = {"a.csv": write_csv, "a.parquet": write_parquet, "a.xlsx": write_workbook}


# Any file


@pytest.mark.parametrize("name", WRITERS)
@pytest.mark.parametrize("table", [DISTRICTS, DISTRICTS.lazy(), None, "SAFE", SAFE.frame().to_dicts()])
def test_anything_but_a_safe_table_is_refused(tmp_path, name, table):
    with pytest.raises(DisclosureError, match=r"^only a safe table can be written to a file: call suppress\(\) and"):
        WRITERS[name](table, tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_workbook_with_one_table_that_is_not_safe_is_refused(tmp_path):
    with pytest.raises(DisclosureError, match=r"call suppress\(\)"):
        write_workbook({"a": SAFE, "b": DISTRICTS}, tmp_path / "a.xlsx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", WRITERS)
def test_same_table_gives_the_same_bytes(tmp_path, name):
    for copy in ("one", "two"):
        WRITERS[name](SAFE, tmp_path / copy)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


@pytest.mark.parametrize("name", WRITERS)
def test_file_is_replaced_and_nothing_is_left_beside_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"old")
    WRITERS[name](SAFE, str(tmp_path / name))
    assert (tmp_path / name).read_bytes() != b"old"
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("name", WRITERS)
def test_old_file_stays_when_the_run_stops_before_the_move(tmp_path, name, monkeypatch):
    def stop(*_):
        raise KeyboardInterrupt

    (tmp_path / name).write_bytes(b"old")
    monkeypatch.setattr(exports.os, "replace", stop)
    with pytest.raises(KeyboardInterrupt):
        WRITERS[name](SAFE, tmp_path / name)
    assert (tmp_path / name).read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_missing_folder_is_named(tmp_path):
    with pytest.raises(ParameterError, match=r"nowhere: there is no such folder\. Make it, or name another\."):
        write_csv(SAFE, tmp_path / "nowhere" / "a.csv")


def test_folder_is_not_replaced_by_a_file(tmp_path):
    with pytest.raises(ParameterError, match="a file cannot be written there"):
        write_csv(SAFE, tmp_path)
    assert list(tmp_path.parent.glob(f".{tmp_path.name}*")) == []


# CSV


def test_file_has_empty_cells_for_hidden_numbers_and_a_column_that_says_which(tmp_path):
    write_csv(SAFE, tmp_path / "a.csv")
    assert csv_rows(tmp_path / "a.csv") == [
        [*HEADER, "mark"],
        ["Dover", *[""] * 5, "[c]"],
        ["Swale", "1240", "2480", "0.5", "0.48033", "0.51967", ""],
        ["Thanet", "", "70", "", "", "", ""],
        ["", "0", "40", "0.0", "0.0", "0.08763", ""],
        ["Ashford", *[""] * 5, "[c]"],
    ]


def test_file_is_that_of_a_release(tmp_path):
    publish(SAFE, "by_district", into=tmp_path, title="By district", definition="x", measure="x")
    write_csv(SAFE, tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "tables" / "by_district.csv").read_bytes()


def test_file_comes_back_as_it_is(tmp_path):
    write_csv(SAFE, tmp_path / "a.csv")
    types = {name: str(kind) for name, kind in DISTRICTS.schema.items()}
    assert_frame_equal(from_csv((tmp_path / "a.csv").read_bytes().decode(), types), DISTRICTS)


def test_file_begins_with_a_mark_that_tells_excel_its_encoding(tmp_path):
    write_csv(named(["Æsh"]), tmp_path / "a.csv")
    assert (tmp_path / "a.csv").read_bytes() == b"\xef\xbb\xbfagency,count,mark\r\n\xc3\x86sh,10,\r\n"


def test_number_that_the_publisher_hid_bears_the_publishers_mark(tmp_path):
    table = pl.DataFrame({"area": ["Kent", "Medway"], "count": pl.Series([None, None], dtype=pl.Int64)})
    write_csv(already_public(table.with_columns(mark=pl.Series(["[z]", ""])), "DfE"), tmp_path / "a.csv")
    assert csv_rows(tmp_path / "a.csv") == [["area", "count", "mark"], ["Kent", "", "[z]"], ["Medway", "", ""]]


def test_population_of_a_hidden_row_is_shown_or_not_available(tmp_path):
    numbers = dict.fromkeys(("rate", "lower", "upper"), pl.lit(None, pl.Float64))
    frame = pl.DataFrame(
        {"area": ["A", "B"], "count": [None, None], "population": [400, None]}, schema_overrides={"count": pl.Int64}
    )
    safe = Safe(frame.with_columns(**numbers, mark=pl.lit("[c]")), Policy.dfe())
    write_csv(safe, tmp_path / "a.csv")
    assert csv_rows(tmp_path / "a.csv")[1:] == [
        ["A", "", "400", "", "", "", "[c]"],
        ["B", "", "", "", "", "", "[c]"],
    ]
    write_workbook(safe, tmp_path / "a.xlsx")
    assert sheet_of(tmp_path / "a.xlsx")[-2:] == [
        ["A", "[c]", "400", "[c]", "[c]", "[c]"],
        ["B", "[c]", "[x]", "[c]", "[c]", "[c]"],
    ]


def test_table_without_rows_has_its_header(tmp_path):
    write_csv(Safe(DISTRICTS.clear(), Policy.dfe()), tmp_path / "a.csv")
    assert csv_rows(tmp_path / "a.csv") == [[*HEADER, "mark"]]


def test_dates_and_categories_are_text(tmp_path):
    frame = pl.DataFrame({"day": [date(2008, 3, 31)], "agency": ["Police"], "count": [10], "mark": [""]})
    safe = Safe(frame.cast({"agency": pl.Enum(["Police", "Probation"])}), Policy.dfe())
    write_csv(safe, tmp_path / "a.csv")
    write_parquet(safe, tmp_path / "a.parquet")
    assert csv_rows(tmp_path / "a.csv")[1] == ["2008-03-31", "Police", "10", ""]
    assert pl.read_parquet(tmp_path / "a.parquet").rows() == [("2008-03-31", "Police", 10, "")]
    assert b"Probation" not in (tmp_path / "a.parquet").read_bytes()


@pytest.mark.parametrize("name", FORMULAS)
def test_cell_that_would_start_a_formula_has_an_apostrophe_in_the_file(tmp_path, name):
    write_csv(named([name]), tmp_path / "a.csv")
    assert csv_rows(tmp_path / "a.csv")[1] == [f"'{name}", "10", ""]
    (_, cells) = csv.reader(io.StringIO(to_csv(pl.DataFrame({"agency": [name], "count": [7]})), newline=""))
    assert cells == [f"'{name}", "7"]


def test_column_that_would_start_a_formula_has_an_apostrophe_in_the_file():
    assert to_csv(pl.DataFrame({"=A1": ["x"], "count": [7]})).startswith("\ufeff'=A1,count\r\n")


def test_negative_numbers_stay_numbers_in_the_file():
    assert to_csv(pl.DataFrame({"score": [-2.5, 3.0]})) == "\ufeffscore\r\n-2.5\r\n3.0\r\n"


# Parquet


def test_parquet_comes_back_as_it_is_with_its_marks(tmp_path):
    write_parquet(SAFE, tmp_path / "a.parquet")
    assert_frame_equal(pl.read_parquet(tmp_path / "a.parquet"), DISTRICTS)


def test_parquet_holds_rows_and_no_statistics_and_nothing_of_pandas(tmp_path):
    write_parquet(SAFE, tmp_path / "a.parquet")
    about = parquet.read_metadata(tmp_path / "a.parquet")
    assert set(about.metadata) == {b"ARROW:schema"}
    columns = [about.row_group(0).column(position) for position in range(about.num_columns)]
    assert not any(column.is_stats_set for column in columns)
    assert {column.compression for column in columns} == {"UNCOMPRESSED"}


@pytest.mark.parametrize("name", WRITERS)
def test_hidden_number_stands_in_no_file(tmp_path, name):
    # 4,711 becomes null the way that leaves it in the memory beneath; 1,240 shows that a shown number would be found.
    frame = pl.DataFrame({"agency": ["A", "B"], "count": [4711, 1240], "mark": ["[c]", ""]})
    beneath = frame.with_columns(pl.when(pl.col("mark") == "").then("count"))
    WRITERS[name](Safe(beneath, Policy.dfe()), tmp_path / name)
    content = (tmp_path / name).read_bytes()
    if name == "a.xlsx":
        with ZipFile(tmp_path / name) as archive:
            content = b"".join(map(archive.read, archive.namelist()))
    forms = {number: (str(number).encode(), number.to_bytes(8, "little")) for number in (4711, 1240)}
    assert not any(form in content for form in forms[4711])
    assert any(form in content for form in forms[1240])


# XLSX


def test_sheet_has_title_notes_header_rows_and_source(tmp_path):
    write_workbook({"By district": SAFE}, tmp_path / "a.xlsx", title="Reach", notes=["Staff in post on 31 March."])
    assert sheet_of(tmp_path / "a.xlsx", "By district") == [
        ["Reach: By district"],
        [HIDDEN_SAYS],
        [UNKNOWN_SAYS],
        HEADER,
        *([str(int(cell) if cell in (0.0,) else cell) for cell in row] for row in PRINTED),
        ["Staff in post on 31 March."],
    ]


def test_table_with_every_number_needs_no_notes(tmp_path):
    write_workbook(named(["Police"]), tmp_path / "a.xlsx")
    assert sheet_of(tmp_path / "a.xlsx") == [["agency", "count"], ["Police", "10"]]


def test_rounding_and_source_are_said(tmp_path):
    frame = pl.DataFrame({"agency": ["Police"], "count": [10], "mark": [""]})
    write_workbook({"a": Safe(frame, Policy.round5()), "b": already_public(frame, "DfE, 2008")}, tmp_path / "a.xlsx")
    assert sheet_of(tmp_path / "a.xlsx", "a")[1] == [
        "Counts are rounded to multiples of 5; shares are worked out of them."
    ]
    assert sheet_of(tmp_path / "a.xlsx", "b")[-1] == ["Source: DfE, 2008."]


def test_note_may_be_one_sentence(tmp_path):
    write_workbook(named(["Police"]), tmp_path / "a.xlsx", notes="One sentence.")
    assert sheet_of(tmp_path / "a.xlsx")[-1] == ["One sentence."]


def cells_of(path):
    """Each cell of the first sheet: its kind and the code of its number format, by reference."""
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    styles = ElementTree.fromstring(part(path, "xl/styles.xml"))
    codes = {each.get("numFmtId"): each.get("formatCode") for each in styles.iter(f"{main}numFmt")}
    formats = [(each.get("numFmtId"), each.get("quotePrefix")) for each in styles.find(f"{main}cellXfs")]
    sheet = ElementTree.fromstring(part(path, "xl/worksheets/sheet1.xml"))
    found = {}
    for cell in sheet.iter(f"{main}c"):
        number, quoted = formats[int(cell.get("s", 0))]
        found[cell.get("r")] = (cell.get("t", "n"), codes.get(number, number), quoted)
    return found


def test_numbers_are_numbers_with_the_format_of_their_kind(tmp_path):
    table = {
        "target_group": [1],
        "numerator": [7],
        "denominator": [38],
        "proportion": [7 / 38],
        "lower": [0.1],
        "upper": [0.3],
    }
    write_workbook(Safe(pl.DataFrame(table | {"mark": [""]}), Policy.dfe()), tmp_path / "a.xlsx")
    # "1" is how a workbook refers to the format "0" (ECMA-376, 18.8.30)
    expected = {"A2": "1", "B2": "#,##0", "C2": "#,##0", "D2": "0%", "E2": "0%", "F2": "0%"}
    assert {name: cells_of(tmp_path / "a.xlsx")[name][:2] for name in expected} == {
        name: ("n", code) for name, code in expected.items()
    }


def test_share_of_a_hundred_and_more_has_a_decimal_and_marks_are_text(tmp_path):
    write_workbook(SAFE, tmp_path / "a.xlsx")
    cells = cells_of(tmp_path / "a.xlsx")
    assert cells["D5"] == ("n", "0.0%", None)
    assert cells["B4"][0] == "s"


def test_cell_without_anything_to_say_is_not_applicable_and_one_that_is_not_known_is_not_available(tmp_path):
    table = {"month": ["2008-01", "2008-02"], "value": [90, None], "mean": [73.5, 73.5]}
    table |= {name: [60.0, 60.0] for name in ("lower", "upper", "near_lower", "near_upper")}
    table |= {"rule": [None, "beyond the limits"], "direction": [None, "high"], "mark": ["", ""]}
    safe = already_public(pl.DataFrame(table), "a publication")
    write_workbook(safe, tmp_path / "a.xlsx")
    assert [(row[1], *row[-2:]) for row in sheet_of(tmp_path / "a.xlsx")[-3:-1]] == [
        ("90", "[z]", "[z]"),
        ("[x]", "beyond the limits", "high"),
    ]
    assert sheet_of(tmp_path / "a.xlsx")[:2] == [[UNKNOWN_SAYS], ["[z] = not applicable: there is nothing to say."]]


def test_scores_have_decimals_only_where_they_are_no_whole_numbers(tmp_path):
    table = {"issue": ["A", "B"], "opponent": ["B", "A"], "wins": [4.0, 2.5], "losses": [2.5, 4.0]}
    table |= {"margin": [1.5, -1.5], "n_ballots": [7, 7], "mark": ["", ""]}
    write_workbook(Safe(pl.DataFrame(table), Policy.dfe()), tmp_path / "a.xlsx")
    cells = cells_of(tmp_path / "a.xlsx")
    assert [cells[name][1] for name in ("C2", "C3", "F2")] == ["#,##0", "#,##0.00", "#,##0"]


def test_shares_of_events_and_of_areas_are_per_cent_and_rates_of_areas_have_a_decimal(tmp_path):
    event = {"event": ["another plan"], "months": ["12"], "n": [99], "estimate": [0.055], "lower": [0.05]}
    event |= {"upper": [0.06], "mark": [""]}
    limits = ("average", "lower_95", "upper_95", "lower_998", "upper_998", "plain_lower_998", "plain_upper_998")
    funnel = {"area": ["Kent"], "observed": [240], "size": [920], "value": [0.261]} | {name: [0.2] for name in limits}
    funnel |= {"position": ["inside"], "mark": [""]}
    tables = {"event": Safe(pl.DataFrame(event), Policy.dfe()), "funnel": already_public(pl.DataFrame(funnel), "DfE")}
    write_workbook(tables["event"], tmp_path / "event.xlsx")
    write_workbook(tables["funnel"], tmp_path / "funnel.xlsx")
    assert [cells_of(tmp_path / "event.xlsx")[name][1] for name in ("D2", "E2", "F2")] == ["0%", "0%", "0%"]
    assert [cells_of(tmp_path / "funnel.xlsx")[f"{column}2"][1] for column in "DEK"] == ["0.0%"] * 3
    rates = {**funnel, "size": [60_000], "value": [40.0]} | {name: [38.5] for name in limits}
    write_workbook(already_public(pl.DataFrame(rates), "DfE"), tmp_path / "rates.xlsx")
    assert [cells_of(tmp_path / "rates.xlsx")[f"{column}2"][1] for column in "DEK"] == ["#,##0.0"] * 3
    page = show_table(already_public(pl.DataFrame(rates), "DfE"), caption="Rates").text
    assert "\nKent | 240 | 60,000 | 40.0 | 38.5 | 38.5 to 38.5 | " in page


def test_what_is_no_number_is_told_apart_alike_on_a_page_and_in_a_file(tmp_path):
    areas = pl.DataFrame(
        {
            "area": ["Kent", "England", None, "Medway"],
            "numerator": [None, 20, 30, None],
            "denominator": [None, 40, 60, None],
            "proportion": [None, 0.5, 0.5, None],
            "lower": [None, 0.4, 0.4, None],
            "upper": [None, 0.6, 0.6, None],
            "neighbours": [None, 9, None, None],
            "mark": ["[c]", "", "", ""],
        }
    )
    safe = already_public(areas, "DfE")
    write_workbook(safe, tmp_path / "a.xlsx")
    filed = sheet_of(tmp_path / "a.xlsx")[-5:-1]
    assert [[row[0], row[1], row[-1]] for row in filed] == [
        ["Kent", "[c]", "[c]"],
        ["England", "20", "9"],
        ["not stated", "30", "[z]"],
        ["Medway", "[x]", "[z]"],
    ]
    shown = [line.split(" | ") for line in show_table(safe, caption="Shares").text.splitlines()[2:6]]
    assert [[row[0], row[1], row[-1]] for row in shown] == [
        ["Kent", "[c]", "[c]"],
        ["England", "20", "9"],
        ["not stated", "30", ""],
        ["Medway", "–", ""],
    ]


def test_long_text_is_wrapped_in_its_cell(tmp_path):
    write_workbook(named(["A" * 60, "B" * 61]), tmp_path / "a.xlsx")
    main = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
    formats = ElementTree.fromstring(part(tmp_path / "a.xlsx", "xl/styles.xml")).find(f"{main}cellXfs")
    sheet = ElementTree.fromstring(part(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml"))
    styles = {cell.get("r"): formats[int(cell.get("s"))].find(f"{main}alignment") for cell in sheet.iter(f"{main}c")}
    assert [styles[name].get("wrapText") for name in ("A2", "A3")] == [None, "1"]


def test_column_of_numbers_that_are_all_hidden_stands_right(tmp_path):
    frame = pl.DataFrame({"agency": ["A"], "count": [None], "mark": ["[c]"]}, schema_overrides={"count": pl.Int64})
    write_workbook(Safe(frame, Policy.dfe()), tmp_path / "a.xlsx")
    assert part(tmp_path / "a.xlsx", "xl/styles.xml").count('horizontal="right"') == 2  # of the heading and of the mark


def test_yes_and_no_are_so_in_a_sheet(tmp_path):
    table = {"issue": ["Neglect"], "score": [2.0], "points": [3.0], "rank": [1], "tied": [False], "selected": [None]}
    table |= {"p_selected": [0.5], "n_ballots": [9], "mark": [""]}
    write_workbook(
        Safe(pl.DataFrame(table, schema_overrides={"selected": pl.Boolean}), Policy.dfe()), tmp_path / "a.xlsx"
    )
    cells = cells_of(tmp_path / "a.xlsx")
    assert (cells["E3"][0], cells["F3"][0]) == ("b", "s")  # a tie at the cut is not settled


@pytest.mark.parametrize("name", FORMULAS)
def test_text_is_never_a_formula_in_a_sheet(tmp_path, name):
    write_workbook(named([name]), tmp_path / "a.xlsx", title="=1+1", notes=["@x"])
    sheet = part(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml")
    assert "<f>" not in sheet
    assert "hyperlink" not in sheet
    assert sheet_of(tmp_path / "a.xlsx") == [["=1+1"], ["agency", "count"], [name, "10"], ["@x"]]
    quoted = [cell for cell, (_, _, prefix) in cells_of(tmp_path / "a.xlsx").items() if prefix]
    assert quoted == (["A1", "A4"] if name.startswith("'") else ["A1", "A3", "A4"])


@pytest.mark.parametrize("name", ["https://www.gov.uk/", "1240", "{=1+1}", *AWKWARD])
def test_awkward_name_comes_back_unchanged(tmp_path, name):
    write_workbook(named([name]), tmp_path / "a.xlsx")
    assert sheet_of(tmp_path / "a.xlsx") == [["agency", "count"], [name, "10"]]
    assert cells_of(tmp_path / "a.xlsx")["A2"][0] == "s"


def test_number_comes_back_to_sixteen_digits(tmp_path):
    frame = pl.DataFrame(
        {"count": [10], "population": [3], "rate": [1 / 3], "lower": [-1e-7], "upper": [2.0**60], "mark": [""]}
    )
    write_workbook(Safe(frame, Policy.dfe()), tmp_path / "a.xlsx")
    numbers = re.findall(r"<v>([^<]*)</v></c>", part(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml"))[-5:]
    assert [float(number) for number in numbers] == pytest.approx([10, 3, 1 / 3, -1e-7, 2.0**60], rel=1e-15)


def test_header_stays_when_the_sheet_scrolls_and_columns_fit_their_texts(tmp_path):
    write_workbook(named(["A" * 20, "B" * 400]), tmp_path / "a.xlsx", title="Reach")
    sheet = part(tmp_path / "a.xlsx", "xl/worksheets/sheet1.xml")
    assert '<pane ySplit="2" topLeftCell="A3" activePane="bottomLeft" state="frozen"/>' in sheet
    # 60 and 2 more for the longest name, 8 and 2 more for a number; a spreadsheet adds 0.71 for its padding
    assert re.findall(r'<col min="(\d)" max="\d" width="([\d.]+)"', sheet) == [("1", "62.7109375"), ("2", "10.7109375")]


def test_workbook_names_neither_user_nor_time(tmp_path):
    write_workbook(SAFE, tmp_path / "a.xlsx", title="Reach & gain")
    core = part(tmp_path / "a.xlsx", "docProps/core.xml")
    assert re.findall(r"<dc:title>(.*)</dc:title><dc:creator>(.*)</dc:creator>", core) == [("Reach &amp; gain", "")]
    assert set(re.findall(r"\d{4}-\d\d-\d\dT[\d:]+Z", core)) == {"2000-01-01T00:00:00Z"}
    with ZipFile(tmp_path / "a.xlsx") as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(1980, 1, 1)}


def test_sheets_have_legal_names_of_their_own_in_the_order_given(tmp_path):
    names = [
        "Reach: [2007/08]?",
        "reach 2007 08",
        "'quoted'",
        "",
        "history",
        "a" * 40,
        "a" * 35,
        "\x01*",
        "𝔸 b",
        "Table",
    ]
    write_workbook(dict.fromkeys(names, named(["Police"])), tmp_path / "a.xlsx")
    assert fastexcel.read_excel(tmp_path / "a.xlsx").sheet_names == [
        "Reach 2007 08",
        "reach 2007 08 2",
        "quoted",
        "Table",
        "history table",
        "a" * 31,
        f"{'a' * 29} 2",
        "Table 2",
        "b",
        "Table 3",
    ]


@given(st.dictionaries(st.text(max_size=40), st.just(named(["Police"])), min_size=1, max_size=4), st.text(max_size=40))
@settings(max_examples=30, deadline=None)
def test_any_names_make_a_workbook_that_opens(tmp_path_factory, tables, title):
    path = tmp_path_factory.mktemp("any") / "a.xlsx"
    write_workbook(tables, path, title=title)
    assert len(fastexcel.read_excel(path).sheet_names) == len(tables)


def test_workbook_without_tables_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"there is no table to write\. Give at least one\."):
        write_workbook({}, tmp_path / "a.xlsx")


def test_text_that_a_sheet_would_cut_off_is_refused(tmp_path):
    # A cell holds 32,767 characters.
    write_workbook(named(["x" * 32_767]), tmp_path / "a.xlsx")
    with pytest.raises(ParameterError, match="too long for the sheet of a workbook"):
        write_workbook(named(["x" * 32_768]), tmp_path / "b.xlsx")
    assert [path.name for path in tmp_path.iterdir()] == ["a.xlsx"]


def test_table_without_rows_is_a_sheet_with_its_header(tmp_path):
    write_workbook(Safe(DISTRICTS.clear(), Policy.dfe()), tmp_path / "a.xlsx")
    assert sheet_of(tmp_path / "a.xlsx") == [HEADER]
