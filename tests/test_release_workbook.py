"""All tables of a release in one workbook: the same numbers, marked up for readers, and nothing beside them."""

import csv
import io
import json
import re
from datetime import date
from xml.etree import ElementTree
from zipfile import ZipFile

import fastexcel
import polars as pl
import pytest

from safeguarding_analytics.errors import ParameterError, SafeguardingError
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.release import Release, promote, publish
from safeguarding_analytics.release_workbook import policy_in_words, write_release_workbook
from safeguarding_analytics.safe import Safe, already_public

MAIN = "{http://schemas.openxmlformats.org/spreadsheetml/2006/main}"
RELATION = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}id"
BOARD = '=Kent & "Medway" <b>board</b>'
ABOUT = {"board": BOARD, "made_on": "2011-07-04", "as_at": "2011-07-01", "data_version": "0123456789ab"}
HOSTILE = ["=1+1", "+44", "-5", "@SUM(A1)", "<script>x</script>", "Two\nlines", "'quoted", "https://www.gov.uk/", "007"]


def frame(columns, **marked):
    """A table as notebooks publish it: all numbers shown unless the row has a mark."""
    height = len(next(iter(columns.values())))
    return pl.DataFrame(columns | {"mark": marked.get("mark", [""] * height)})


TABLES = {
    "attendance": Safe(frame({"agency": HOSTILE, "count": list(range(10, 10 + len(HOSTILE)))}), Policy.dfe()),
    # The name of a sheet that stands before those of the tables, and one too long for a sheet, twice.
    "notes": Safe(frame({"agency": ["Police"], "count": [1_240]}), Policy.dfe()),
    "people_reached_by_district_and_month": Safe(frame({"month": ["May"], "count": [17]}), Policy.dfe()),
    "people_reached_by_district_and_year": Safe(frame({"year": ["2008"], "count": [20]}), Policy.nhs()),
    "empty": Safe(frame({"agency": ["Police"], "count": [12]}).clear(), Policy.dfe()),
    "repeat_plans": Safe(
        frame(
            {
                "time_period": ["2008", "2008", "2008", "2008"],
                "district": ["Dover", "Swale", "Thanet", None],
                "numerator": [None, 1_240, None, 0],
                "denominator": [None, 2_480, 70, 40],
                "proportion": [None, 0.5, None, 0.0],
                "lower": [None, 0.48033, None, 0.0],
                "upper": [None, 0.51967, None, 0.08763],
            },
            mark=["[c]", "", "", ""],
        ),
        Policy.dfe(),
    ),
    "quarters": Safe(
        frame(
            {
                "time_period": ["1 April 2008 to 30 June 2008"],
                "numerator": [7],
                "denominator": [38],
                "proportion": [7 / 38],
                "lower": [0.0921],
                "upper": [0.3342],
            }
        ),
        Policy.dfe(),
    ),
    "ranking": Safe(
        frame(
            {
                "issue": ["Neglect", "Bullying"],
                "score": [4.0, -4.5],
                "points": [17.5, 9.5],
                "rank": [1, 2],
                "tied": [False, True],
                "selected": [True, None],
                "p_selected": [0.934, 0.066],
                "n_ballots": [9, 9],
            }
        ),
        Policy.dfe(),
    ),
    "control": already_public(
        pl.DataFrame(
            {
                "month": ["2008-01", "2008-02"],
                "value": [90, 70],
                "mean": [73.5, 73.5],
                "lower": [21.6, 21.6],
                "upper": [125.4, 125.4],
                "near_lower": [38.9, 38.9],
                "near_upper": [108.1, 108.1],
                "rule": [None, "seven on one side of the mean"],
                "direction": [None, "low"],
            }
        ),
        "a publication",
    ),
    "followed": Safe(
        frame(
            {
                "event": ["second or subsequent plan"],
                "months": ["12"],
                "n": [3_019],
                "estimate": [0.055],
                "lower": [0.047],
                "upper": [0.063],
            }
        ),
        Policy.dfe(),
    ),
}
DEFINITION = "Share: attended ÷ booked, e.g. 0.5. Waiting lists are left out. <i>Markup</i> stays as it is."


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A release that is being built, with its workbook."""
    folder = tmp_path_factory.mktemp("built")
    for name, table in TABLES.items():
        title = {"attendance": "=Attendance <b>", "repeat_plans": "Second or subsequent plans"}.get(name, name)
        publish(table, name, into=folder, title=title, definition=DEFINITION, measure=name)
    write_release_workbook(Release(folder, {**ABOUT, "tables": entries(folder)}), folder / "tables.xlsx")
    return folder


def entries(folder):
    return {path.stem: json.loads(path.read_text("utf-8")) for path in sorted((folder / "tables").glob("*.json"))}


class Book:
    """A workbook read from its parts, without the code that wrote it."""

    def __init__(self, path):
        with ZipFile(path) as archive:
            self.texts = {name: archive.read(name).decode() for name in archive.namelist()}
        self.parts = {name: ElementTree.fromstring(text) for name, text in self.texts.items()}
        strings = [unescaped("".join(each.itertext())) for each in self.parts["xl/sharedStrings.xml"]]
        styles = self.parts["xl/styles.xml"]
        codes = {each.get("numFmtId"): each.get("formatCode") for each in styles.iter(f"{MAIN}numFmt")}
        self.formats = list(styles.find(f"{MAIN}cellXfs"))
        targets = {each.get("Id"): each.get("Target") for each in self.parts["xl/_rels/workbook.xml.rels"]}
        self.paths = {
            each.get("name"): f"xl/{targets[each.get(RELATION)]}"
            for each in self.parts["xl/workbook.xml"].iter(f"{MAIN}sheet")
        }
        self.cells, self.styles = {}, {}
        for name, path in self.paths.items():
            self.cells[name] = {}
            for cell in self.parts[path].iter(f"{MAIN}c"):
                style = self.formats[int(cell.get("s", 0))]
                self.styles[name, cell.get("r")] = style, codes.get(style.get("numFmtId"), style.get("numFmtId"))
                if len(cell):
                    self.cells[name][cell.get("r")] = value_of(cell, strings)

    def tables(self, sheet):
        """The parts of the tables on a sheet."""
        rels = self.parts.get(self.paths[sheet].replace("worksheets/", "worksheets/_rels/") + ".rels", ())
        assert all(each.get("TargetMode") is None for each in rels)
        return [self.parts[each.get("Target").replace("../", "xl/")] for each in rels]

    def table(self, sheet):
        """The header and the rows of the table on a sheet."""
        (one,) = self.tables(sheet)
        (left, top), (right, bottom) = (place(ref) for ref in one.get("ref").split(":"))
        cells = self.cells[sheet]
        header, *rows = (
            [cells.get(f"{letter(column)}{row}") for column in range(left, right + 1)] for row in range(top, bottom + 1)
        )
        return header, rows

    def first_column(self, sheet):
        return [value for ref, value in self.cells[sheet].items() if ref.startswith("A") and place(ref)[0] == 1]

    def links(self, sheet):
        """Where each link of a sheet goes, by its cell."""
        return {
            each.get("ref"): each.get("location") for each in self.parts[self.paths[sheet]].iter(f"{MAIN}hyperlink")
        }


def unescaped(text):
    return re.sub(r"_x([0-9A-F]{4})_", lambda found: chr(int(found[1], 16)), text)


def value_of(cell, strings):
    text = cell.find(f"{MAIN}v").text
    return {"s": lambda: strings[int(text)], "b": lambda: text == "1"}.get(cell.get("t", "n"), lambda: float(text))()


def place(ref):
    letters, row = re.fullmatch(r"([A-Z]+)(\d+)", ref).groups()
    column = 0
    for each in letters:
        column = column * 26 + ord(each) - 64
    return column, int(row)


def letter(column):
    assert column <= 26
    return chr(64 + column)


@pytest.fixture(scope="module")
def book(built):
    return Book(built / "tables.xlsx")


SHEETS = {
    "attendance": "attendance",
    "control": "control",
    "followed": "followed",
    "notes": "notes 2",
    "people_reached_by_district_and_month": "people_reached_by_district",
    "people_reached_by_district_and_year": "people_reached_by_district 2",
    "quarters": "quarters",
    "ranking": "ranking",
    "repeat_plans": "repeat_plans",
}


# The numbers


MONTHS_IN_WORDS = {"2008-01": "Jan 2008", "2008-02": "Feb 2008"}


@pytest.mark.parametrize("name", SHEETS)
def test_every_number_is_that_of_the_csv_file_and_every_hidden_one_its_mark(built, book, name):
    text = (built / "tables" / f"{name}.csv").read_text("utf-8-sig")
    columns, *lines = csv.reader(io.StringIO(text, newline=""))
    _, rows = book.table(SHEETS[name])
    assert len(rows) == len(lines)
    for cells, line in zip(rows, lines, strict=True):
        expected = dict(zip(columns, line, strict=True))
        mark = expected.pop("mark")
        assert [printed(cell) for cell in cells] == [
            MONTHS_IN_WORDS.get(text, unguarded(text)) if text else missing(column, mark)
            for column, text in expected.items()
        ]


def printed(cell):
    """A cell as a file has it: numbers as the shortest text that reads as them."""
    return str(cell).lower() if isinstance(cell, bool) else f"{cell:.12g}" if isinstance(cell, float) else cell


def unguarded(text):
    """A cell of the file; a number as `printed` gives it, any text without the apostrophe that makes it one."""
    if re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", text):
        return f"{float(text):.12g}"
    return text[1:] if re.match(r"'+[=+@\t\r\n-]", text) else text


def missing(column, mark):
    if column == "district":
        return "not stated"
    return mark or ("[z]" if column in ("rule", "direction") else "[x]")


def test_a_spreadsheet_reads_what_is_written(built):
    sheet = fastexcel.read_excel(built / "tables.xlsx").load_sheet("repeat_plans", header_row=None, dtypes="string")
    rows = [[cell for cell in row if cell is not None] for row in sheet.to_polars().rows()]
    assert rows[-4:] == [
        ["2008", "Dover", "[c]", "[c]", "[c]", "[c]", "[c]"],
        ["2008", "Swale", "1240", "2480", "0.5", "0.48033", "0.51967"],
        ["2008", "Thanet", "[x]", "70", "[x]", "[x]", "[x]"],
        ["2008", "not stated", "0", "40", "0", "0", "0.08763"],
    ]


@pytest.mark.parametrize(
    ("sheet", "expected"),
    [
        ("repeat_plans", {"Number": "#,##0", "Share": "0.0%", "95% interval: upper end": "0.0%"}),
        ("quarters", {"Share": "0%", "95% interval: lower end": "0%"}),
        ("followed", {"Share": "0.0%", "95% interval: lower end": "0.0%", "Still followed": "#,##0"}),
        ("ranking", {"Wins minus losses": "#,##0.00", "Chosen in boards drawn at random": "0%"}),
    ],
)
def test_numbers_are_shown_as_on_a_page(book, sheet, expected):
    (one,) = book.tables(sheet)
    header, _ = book.table(sheet)
    (left, top), (_, bottom) = (place(ref) for ref in one.get("ref").split(":"))
    row = {"repeat_plans": top + 2, "ranking": bottom}.get(sheet, top + 1)
    shown = {name: book.styles[sheet, f"{letter(left + at)}{row}"][1] for at, name in enumerate(header)}
    assert {name: shown[name] for name in expected} == expected


def test_numbers_and_their_marks_stand_right_and_names_left(book):
    (one,) = book.tables("repeat_plans")
    _, top = place(one.get("ref").split(":")[0])

    def aligned(column, row):
        alignment = book.styles["repeat_plans", f"{column}{row}"][0].find(f"{MAIN}alignment")
        return None if alignment is None else alignment.get("horizontal")

    assert [[aligned(column, row) for column in "BCD"] for row in (top, top + 1)] == [[None, "right", "right"]] * 2


# How it is laid out


def test_sheets_stand_in_order_under_names_of_their_own(book):
    assert list(book.paths) == ["Cover", "Contents", "Notes", "Definitions", *SHEETS.values()]
    assert len({name.lower() for name in book.paths}) == len(book.paths)
    assert all(len(name) <= 31 for name in book.paths)


def test_every_sheet_but_the_cover_has_one_table_with_unlike_headings_that_are_those_of_its_cells(book):
    names, places = [], []
    for sheet, cells in book.cells.items():
        if sheet == "Cover":
            assert book.tables(sheet) == []
            continue
        (one,) = book.tables(sheet)
        header, rows = book.table(sheet)
        assert [column.get("name") for column in one.iter(f"{MAIN}tableColumn")] == header
        assert len({heading.lower() for heading in header}) == len(header)
        assert one.find(f"{MAIN}autoFilter") is None
        assert all(cell not in (None, "") for row in rows for cell in row)
        assert len(rows) > 0
        right, bottom = place(one.get("ref").split(":")[1])
        below = [ref for ref in cells if place(ref)[1] > bottom or place(ref)[0] > right]
        assert below == []
        names.append(one.get("displayName"))
        places.append(one.get("id"))
    assert all(re.fullmatch(r"contents|notes|definitions|table_[a-z0-9_]+", name) for name in names)
    assert len(set(names)) == len(set(places)) == len(names) == 3 + len(SHEETS)


def test_every_line_above_a_table_is_filled_in_the_first_column_alone(book):
    for sheet in [*SHEETS.values(), "Contents", "Notes", "Definitions"]:
        (one,) = book.tables(sheet)
        left, top = place(one.get("ref").split(":")[0])
        assert left == 1
        above = sorted((place(ref) for ref in book.cells[sheet] if place(ref)[1] < top), key=lambda ref: ref[1])
        assert above == [(1, row) for row in range(1, top)]


def test_nothing_is_merged_frozen_hidden_filtered_or_worked_out(book):
    sheets = "".join(text for name, text in book.texts.items() if name.startswith("xl/worksheets/"))
    for element in ("<mergeCell", "<f>", "<pane", "<autoFilter", "hidden=", "<conditionalFormatting", "External"):
        assert element not in sheets
    assert re.findall(r"<sheetView [^>]*>", sheets)[0] == '<sheetView tabSelected="1" workbookViewId="0"/>'
    assert sheets.count("tabSelected") == 1
    assert "activeTab" not in book.texts["xl/workbook.xml"]


def test_no_cell_has_a_fill(book):
    assert {style.get("fillId") for style in book.formats} == {"0"}


def test_table_has_title_shape_definition_source_day_and_marks_above_it(book):
    assert book.first_column("repeat_plans")[:12] == [
        "Second or subsequent plans",
        "This worksheet holds one table. Kind of table: A share with its counts and its interval.",
        "Definition: Share: attended ÷ booked, e.g. 0.5.",
        "Waiting lists are left out. <i>Markup</i> stays as it is.",
        f"Source: records of {BOARD}. As at 1 July 2011.",
        "[c] = hidden because the number is small, or because it would give a small number away.",
        "[x] = not available: not known, not settled, or nothing to divide by.",
        "Go to Contents",
        "Go to Notes",
        "Go to Definitions",
        "Year to 31 March",
        "2008",
    ]


def test_years_are_names_and_no_numbers_that_a_spreadsheet_would_warn_of(book):
    assert book.table("repeat_plans")[1][0][0] == "2008"
    warned = list(book.parts[book.paths["repeat_plans"]].iter(f"{MAIN}ignoredError"))
    assert [(each.get("sqref"), each.get("numberStoredAsText")) for each in warned] == [("A1:XFD1048576", "1")]


def test_headings_are_plain_words_and_name_both_ends_of_an_interval(book):
    header, _ = book.table("repeat_plans")
    assert header == [
        *("Year to 31 March", "District", "Number", "Out of", "Share"),
        *("95% interval: lower end", "95% interval: upper end"),
    ]
    assert book.table("quarters")[0][0] == "Period"
    assert book.table("control")[0][3:7] == [
        *("Limits: lower end", "Limits: upper end"),
        *("Near limits: lower end", "Near limits: upper end"),
    ]


def test_headings_that_would_be_alike_are_numbered(tmp_path):
    twice = frame({"Agency": ["A"], "agency": ["B"], "agency_": ["C"], "count": [12]})
    (header, _) = Book(alone(tmp_path, Safe(twice, Policy.dfe()))).table("one")
    assert header == ["Agency", "Agency (2)", "Agency (3)", "Number"]


def alone(folder, table, name="one", **said):
    """The workbook of a release of one table."""
    publish(table, name, into=folder, title="One", definition="", measure="x", **said)
    write_release_workbook(Release(folder, {**ABOUT, "tables": entries(folder)}), folder / "tables.xlsx")
    return folder / "tables.xlsx"


@pytest.mark.parametrize("column", ["=1+1", "<b>", "a\nb", "a\x01b", "x" * 300, "_"])
def test_hostile_name_of_a_column_makes_a_workbook_that_opens(tmp_path, column):
    path = alone(tmp_path, Safe(frame({column: ["A"], "count": [12]}), Policy.dfe()))
    book = Book(path)
    (one,) = book.tables("one")
    header, rows = book.table("one")
    assert [each.get("name") for each in one.iter(f"{MAIN}tableColumn")] == header
    assert len(header[0]) <= 255
    assert rows == [["A", 12.0]]
    assert "<f>" not in book.texts[book.paths["one"]]
    assert "one" in fastexcel.read_excel(path).sheet_names


def test_text_is_text_whatever_it_begins_with(book):
    quoted = {
        value
        for ref, value in book.cells["attendance"].items()
        if book.styles["attendance", ref][0].get("quotePrefix") == "1"
    }
    assert quoted == {"=Attendance <b>", "=1+1", "+44", "-5", "@SUM(A1)"}
    assert [row[0] for row in book.table("attendance")[1]] == HOSTILE
    assert book.styles["Cover", "A2"][0].get("quotePrefix") == "1"


def test_columns_fit_what_is_in_them(book):
    sheet = book.texts[book.paths["control"]]
    widths = [float(width) for width in re.findall(r'<col [^>]*width="([\d.]+)"', sheet)]
    spans = [int(b) - int(a) + 1 for a, b in re.findall(r'<col min="(\d+)" max="(\d+)"', sheet)]
    every = [width for width, span in zip(widths, spans, strict=True) for _ in range(span)]
    header, rows = book.table("control")
    for width, heading, *cells in zip(every, header, *rows, strict=True):
        assert width > max(map(len, heading.split()))
        assert all(width > len(cell) for cell in cells if isinstance(cell, str))


# The sheets of words


def test_cover_says_what_it_is_of_which_board_and_day_and_where_to_go(book):
    cover = book.first_column("Cover")
    assert cover[:5] == [
        "Safeguarding figures: all tables",
        BOARD,
        "As at 1 July 2011.",
        "Made on 4 July 2011.",
        "Data version 0123456789ab.",
    ]
    text = " ".join(cover)
    assert "* and [c]: hidden because the number is small" in text
    assert "turn to the board named above" in text
    assert cover[-3:] == ["Go to Contents", "Go to Notes", "Go to Definitions"]


def test_contents_list_every_table_and_every_link_arrives(book):
    header, rows = book.table("Contents")
    assert header == ["Worksheet", "What it shows", "Hidden numbers", "CSV file"]
    assert [row[3] for row in rows] == [f"tables/{name}.csv" for name in sorted(TABLES)]
    assert {row[3]: row[0] for row in rows} == {f"tables/{name}.csv": sheet for name, sheet in SHEETS.items()} | {
        "tables/empty.csv": "none: the table has no rows"
    }
    assert {row[3]: row[2] for row in rows if row[2] != "none"} == {"tables/repeat_plans.csv": "some"}
    linked = {book.cells["Contents"][ref]: target for ref, target in book.links("Contents").items()}
    assert linked == {sheet: f"'{sheet}'!A1" for sheet in SHEETS.values()}
    for sheet in book.paths:
        for target in book.links(sheet).values():
            assert re.fullmatch(r"'(.*)'!A1", target)[1] in book.paths
    others = {"'Contents'!A1", "'Notes'!A1", "'Definitions'!A1"}
    assert all(set(book.links(sheet).values()) == others for sheet in ("Cover", *SHEETS.values()))


def test_notes_explain_every_mark_and_each_policy_with_its_sheets(book):
    _, rows = book.table("Notes")
    notes = dict(rows)
    assert len(notes) == len(rows)
    assert (
        notes["[c]"] == notes["*"] == "hidden because the number is small, or because it would give a small number away"
    )
    assert notes["[x]"] == "not available: not known, not settled, or nothing to divide by"
    assert notes["[z]"] == "not applicable: there is nothing to say"
    assert "–" not in notes  # stands on pages alone
    assert notes["[u]"] == "too unreliable to publish"
    assert notes["[low]"] == "rounds to 0"
    assert notes["How small numbers are protected (1)"].startswith("Counts of 1 to 5 are hidden")
    assert notes["How small numbers are protected (2)"].startswith("Counts of 1 to 7 are hidden")
    assert notes["How small numbers are protected (2)"].endswith("So in: people_reached_by_district 2.")


def test_every_mark_that_stands_in_a_table_is_explained(book):
    explained = {row[0] for row in book.table("Notes")[1]}
    marks = {
        cell
        for sheet in SHEETS.values()
        for row in book.table(sheet)[1]
        for cell in row
        if isinstance(cell, str) and re.fullmatch(r"\[.*\]", cell)
    }
    assert marks == {"[c]", "[x]", "[z]"}
    assert marks <= explained


def test_every_column_of_figures_is_defined(book):
    _, rows = book.table("Definitions")
    kinds = {
        sheet: book.first_column(sheet)[1].removeprefix("This worksheet holds one table. Kind of table: ")
        for sheet in SHEETS.values()
    }
    defined = {(f"{kind}.", heading) for kind, heading, _, _ in rows}
    groups = {
        "Agency",
        "By the end of",
        "Month",
        "Year",
        "Year to 31 March",
        "Period",
        "District",
        "What followed",
        "Months",
    }
    for sheet, kind in kinds.items():
        for heading in book.table(sheet)[0]:
            assert heading in groups or (kind, heading) in defined
    assert not any(re.search(r"\bnull\b", row[3]) for row in rows)
    meanings = {row[2]: row[3] for row in rows}
    assert meanings["rule"] == "first rule that the period meets; [z] = ordinary variation"
    assert meanings["selected"] == "whether it is among the seats; [x] where a tie straddles the cut"


@pytest.mark.parametrize(
    ("policy", "begins"),
    [
        (
            Policy(),
            "Counts of 1 to 5 are hidden, and others that would give them away; [c] stands in their place. What",
        ),
        (Policy(threshold=2, mark="x"), "Counts of 1 are hidden, and others that would give them away; x stands in"),
        (Policy(zeros="hidden"), "Counts of 0 to 5 are hidden"),
        (Policy(threshold=1, zeros="hidden"), "Counts of 0 are hidden"),
        (Policy(threshold=1), "No count is hidden. What"),
        (
            Policy.round10(),
            "No count is hidden. Every count is rounded to a multiple of 10 next to it, so that totals still add up.",
        ),
    ],
)
def test_policy_is_said_in_words(policy, begins):
    assert policy_in_words(policy).startswith(begins)


def test_rounding_and_minimums_are_said():
    assert policy_in_words(Policy(threshold=8, round=5, minimum_mean=12, minimum_ballots=4)).split(". ")[1:] == [
        "Other counts are rounded to the nearest multiple of 5",
        "What is worked out of a hidden count is hidden with it",
        "A mean of fewer than 12 people is hidden",
        "What was worked out of fewer than 4 ballots is hidden.",
    ]


def test_source_of_others_and_the_day_asked_for_are_said(tmp_path):
    public = pl.DataFrame({"area": ["Kent"], "count": [12]})
    publish(already_public(public, "DfE, 2008"), "one", into=tmp_path, title="One", definition="", measure="x")
    found = entries(tmp_path)
    found["one"]["parameters"] = {"as_at": "2011-05-03"}
    write_release_workbook(Release(tmp_path, {"tables": found}), tmp_path / "tables.xlsx")
    book = Book(tmp_path / "tables.xlsx")
    assert "Source: DfE, 2008. As at 3 May 2011." in book.first_column("one")
    assert book.first_column("Cover")[1:3] == ["The board is not named.", "Data version not known."]


# The file


def test_properties_name_title_language_and_day_and_nobody(book):
    core = book.parts["docProps/core.xml"]
    said = {each.tag.rpartition("}")[2]: each.text or "" for each in core}
    assert said == {
        "title": f"Safeguarding figures: all tables, {BOARD}",
        "creator": "",
        "lastModifiedBy": "",
        "created": "2011-07-04T00:00:00Z",
        "modified": "2011-07-04T00:00:00Z",
        "language": "en-GB",
    }


def test_same_release_gives_the_same_bytes_while_it_is_built_and_when_it_stands(built, tmp_path):
    for name, table in TABLES.items():
        title = {"attendance": "=Attendance <b>", "repeat_plans": "Second or subsequent plans"}.get(name, name)
        (tmp_path / "built").mkdir(exist_ok=True)
        publish(table, name, into=tmp_path / "built", title=title, definition=DEFINITION, measure=name)
    standing = promote(tmp_path / "built", tmp_path / "release", about=ABOUT)
    write_release_workbook(standing, str(tmp_path / "again.xlsx"))
    assert (tmp_path / "again.xlsx").read_bytes() == (built / "tables.xlsx").read_bytes()
    with ZipFile(tmp_path / "again.xlsx") as archive:
        assert {entry.date_time[:3] for entry in archive.infolist()} == {(1980, 1, 1)}


def test_release_without_tables_is_refused(tmp_path):
    with pytest.raises(ParameterError, match=r"there is no table to write\. Make a release with at least one\."):
        write_release_workbook(Release(tmp_path, {"tables": {}}), tmp_path / "tables.xlsx")
    assert list(tmp_path.iterdir()) == []


def test_table_changed_after_the_audit_is_refused_and_the_old_file_stays(tmp_path):
    path = alone(tmp_path, TABLES["notes"])
    before = path.read_bytes()
    (tmp_path / "tables" / "one.csv").write_text("agency,count,mark\nPolice,3,\n")
    with pytest.raises(SafeguardingError, match=r"one\.csv: the table was changed after the release was audited"):
        write_release_workbook(Release(tmp_path, {**ABOUT, "tables": entries(tmp_path)}), path)
    assert path.read_bytes() == before
    assert sorted(each.name for each in tmp_path.iterdir()) == ["tables", "tables.xlsx"]


# The look into every file of a release


def found(folder):
    return [row for row in find_leaks(folder).select("file", "where", "what", "rule").rows() if row[0] == "tables.xlsx"]


def test_workbook_of_a_release_is_clean(built):
    assert found(built) == []


NO_ROW = "a row that stands in no table of the release"
NO_CELL = "a text that stands in no cell"
NO_PART = "a formula, a picture, or something else that is no cell"
ASKS = "something that asks for a file or an address"


@pytest.mark.parametrize(
    ("sheet", "old", "new", "expected"),
    [
        ("repeat_plans", "<v>1240</v>", "<v>1241</v>", (NO_ROW, "number")),
        ("repeat_plans", 'display="Go to Notes"', 'display="Dover: 3"', (NO_CELL, "unknown content")),
        ("repeat_plans", "<hyperlink ", '<hyperlink tooltip="Dover: 3" ', (NO_CELL, "unknown content")),
        ("repeat_plans", "</sheetData>", "</sheetData><mergeCells/>", (NO_PART, "unknown content")),
        ("table", 'name="Number"', 'name="Number (Dover: 3)"', (NO_CELL, "unknown content")),
        ("table", 'name="Number"', 'name="child"', ("the column child", "identifying column")),
        ("table", "</tableColumns>", "<calculatedColumnFormula/></tableColumns>", (NO_PART, "unknown content")),
        ("rels", "<Relationship ", '<Relationship TargetMode="External" ', (ASKS, "request")),
        ("words", ">Second or subsequent plans<", ">Second or other plans<", (NO_ROW, "number")),
        ("words", ">tables/notes.csv<", ">3<", (NO_ROW, "number")),
    ],
)  # fmt: skip
def test_what_is_planted_in_the_workbook_is_found(built, book, tmp_path, sheet, old, new, expected):
    for path in (built / "tables").iterdir():
        (tmp_path / "tables").mkdir(exist_ok=True)
        (tmp_path / "tables" / path.name).write_bytes(path.read_bytes())
    path = book.paths["repeat_plans"]
    table = next(name for name, part in book.parts.items() if part.get("displayName") == "table_repeat_plans")
    rels = path.replace("worksheets/", "worksheets/_rels/") + ".rels"
    part = {"table": table, "rels": rels, "words": "xl/sharedStrings.xml"}.get(sheet, path)
    assert old in book.texts[part]
    with ZipFile(tmp_path / "tables.xlsx", "w") as archive:
        for name, text in book.texts.items():
            archive.writestr(name, text.replace(old, new, 1) if name == part else text)
    assert expected in [row[2:] for row in found(tmp_path)]


def test_day_of_making_may_be_missing(tmp_path):
    publish(TABLES["notes"], "one", into=tmp_path, title="One", definition="", measure="x")
    write_release_workbook(Release(tmp_path, {"tables": entries(tmp_path)}), tmp_path / "tables.xlsx")
    created = Book(tmp_path / "tables.xlsx").texts["docProps/core.xml"]
    assert f"{date(2000, 1, 1)}T00:00:00Z" in created
