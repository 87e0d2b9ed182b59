"""Lists 7 and 5 of Annex A: invented children, every mess that is known of, and nothing of a child in a message."""

import hashlib
import json
import re
from datetime import date, datetime, timedelta
from pathlib import Path
from zipfile import ZipFile

import polars as pl
import pytest
import xlsxwriter
from polars.testing import assert_frame_equal

from safeguarding_analytics.contracts import check_table, say_problems
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.pseudonyms import Key
from safeguarding_analytics.sources.annex_a import LISTS, identities_in_annex_a, read_annex_a
from safeguarding_analytics.tables import Conferences, Plans

SYNONYMS = Path(__file__).parents[2] / "shared" / "data" / "annex_a" / "annex_a_lists_3_to_7_columns_and_synonyms.json"
needs_shared = pytest.mark.skipif(not SYNONYMS.exists(), reason="../shared is not beside the project")

SECRET = bytes(range(32))
KEY = Key(SECRET)
EXTRACT = date(2024, 3, 31)

LIST_7 = {
    "id": "Child Unique ID",
    "birth": "Date of Birth",
    "age": "Age of Child (Years)",
    "start": "Child Protection Plan Start Date",
    "category": "Initial Category of Abuse",
    "latest": "Latest Category of Abuse",
    "review": "Date of latest review conference",
    "end": "Child Protection Plan End Date",
    "previous": "Number of Previous Child Protection Plans",
    "worker": "Allocated Worker",
}
LIST_5 = {
    "id": "Child Unique ID",
    "birth": "Date of Birth",
    "section_47": "Strategy discussion initiating Section 47 Enquiry Start Date",
    "unnecessary": "Was an Initial Child Protection Conference deemed unnecessary?",
    "conference": "Date of Initial Child Protection Conference",
    "number": "Number of Section 47 Enquiries in the last 12 months",
    "worker": "Allocated Worker",
}
PLAN = {
    "id": "KID-4711",
    "birth": "14/02/2010",
    "age": "14",
    "start": "15/11/2023",
    "category": "a) Neglect",
    "latest": "Emotional abuse",
    "review": "01/03/2024",
    "previous": "1",
    "worker": "Wilhelmina Featherstone",
}
ENQUIRY = {
    "id": "KID-4711",
    "birth": "14/02/2010",
    "section_47": "25/10/2023",
    "unnecessary": "b) No",
    "conference": "13/11/2023",
    "number": "1",
    "worker": "Wilhelmina Featherstone",
}


def pseudonym(text):
    return "P" + hashlib.blake2b(text.strip().casefold().encode(), key=SECRET, digest_size=10).hexdigest()


def plan(**cells):
    return PLAN | cells


def enquiry(**cells):
    return ENQUIRY | cells


def sheet(headings, rows):
    """A sheet as rows of cells: its header, then one row per dictionary."""
    return [list(headings.values()), *([row.get(name) for name in headings] for row in rows)]


def plans_sheet(*rows, **renamed):
    return sheet(LIST_7 | renamed, rows)


def enquiries_sheet(*rows, **renamed):
    return sheet(LIST_5 | renamed, rows)


def write(path, sheets, merges=()):
    """A workbook with its sheets by name; merges as (sheet, top, left, bottom, right, text), counted from 0."""
    workbook = xlsxwriter.Workbook(path)
    days = workbook.add_format({"num_format": "dd/mm/yyyy"})
    made = {name: workbook.add_worksheet(name) for name in sheets}
    for name, rows in sheets.items():
        for number, row in enumerate(rows):
            for position, cell in enumerate(row):
                if isinstance(cell, date):
                    made[name].write_datetime(number, position, datetime(cell.year, cell.month, cell.day), days)
                elif isinstance(cell, str):
                    made[name].write_string(number, position, cell)
                elif cell is not None:
                    made[name].write(number, position, cell)
    for name, *place in merges:
        made[name].merge_range(*place)
    workbook.close()
    return path


def write_csv(path, rows):
    lines = [",".join('"' + ("" if cell is None else str(cell)) + '"' for cell in row) for row in rows]
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8")
    return path


def read(path, **options):
    return read_annex_a(path, KEY, authority="Kent", **({"extract_date": EXTRACT} | options))


def read_plans(folder, *rows, renamed=None, **options):
    return read(write(folder / "annex_a.xlsx", {"List 7": plans_sheet(*rows, **(renamed or {}))}), **options)


def read_both(folder, plans, enquiries, **options):
    sheets = {"List 5": enquiries_sheet(*enquiries), "List 7": plans_sheet(*plans)}
    return read(write(folder / "annex_a.xlsx", sheets), **options)


def broken(found, table="plans"):
    """Rows, headings and rules of everything wrong with a table, by the contract and in reading."""
    schema = {"plans": Plans, "conferences": Conferences}[table]
    checked = check_table(table, getattr(found, table), schema, {})
    return found.in_its_words(table, checked.problems)


def said(found):
    """Every sentence that a result makes."""
    heights = {"plans": found.plans.height, "conferences": found.conferences.height}
    problems = pl.concat([broken(found, table) for table in found.files])
    return "\n".join([*found.notes, *say_problems(problems, found.files, heights)])


# What comes out


def test_plans_are_fit_for_their_contract_and_carry_pseudonyms(tmp_path):
    found = read_plans(tmp_path, plan(), plan(id="KID-12", end="29/02/2024", category="YNNY", latest=None, previous=0))
    assert_frame_equal(
        found.plans.drop("plan").select(sorted(found.plans.drop("plan").columns)),
        pl.DataFrame(
            {
                "authority": ["Kent", "Kent"],
                "birth_date": ["2010-02-14", "2010-02-14"],
                "category": ["NEG", "MUL"],
                "child": [pseudonym("KID-4711"), pseudonym("KID-12")],
                "district": pl.Series([None, None], dtype=pl.String),
                "end_date": [None, "2024-02-29"],
                "latest_category": ["EMO", None],
                "previous_plans": ["1", "0"],
                "row_number": [2, 3],
                "start_date": ["2023-11-15", "2023-11-15"],
            }
        ),
    )
    assert found.plans["plan"].n_unique() == 2
    assert found.plans["plan"].str.contains("^P[0-9a-f]{20}$").all()
    assert broken(found).is_empty()


def test_conferences_are_fit_for_their_contract_and_know_the_same_child(tmp_path):
    found = read_both(
        tmp_path, [plan()], [enquiry(), enquiry(id="KID-9", unnecessary="1 - Yes", conference=None), enquiry(id="K3")]
    )
    assert_frame_equal(
        found.conferences.drop("conference").select(sorted(found.conferences.drop("conference").columns)),
        pl.DataFrame(
            {
                "authority": ["Kent"] * 3,
                "child": [pseudonym("KID-4711"), pseudonym("KID-9"), pseudonym("K3")],
                "conference_date": ["2023-11-13", None, "2023-11-13"],
                "not_required": ["no", "yes", "no"],
                "row_number": [2, 3, 4],
                "section_47_start": ["2023-10-25"] * 3,
            }
        ),
    )
    assert found.conferences["child"][0] == found.plans["child"][0]
    assert broken(found, "conferences").is_empty()


def test_the_same_row_gives_the_same_pseudonym_in_every_extract_and_another_key_gives_another(tmp_path):
    first = read_plans(tmp_path, plan()).plans
    assert_frame_equal(read_plans(tmp_path, plan(end="01/03/2024")).plans.select("plan"), first.select("plan"))
    path = write(tmp_path / "annex_a.xlsx", {"List 7": plans_sheet(plan())})
    other = read_annex_a(path, Key(bytes(32)), authority="Kent").plans
    assert other["plan"][0] != first["plan"][0]
    assert other["child"][0] != first["child"][0]


def test_a_rate_of_repeats_counts_previous_plans_and_refuses_months(tmp_path):
    from safeguarding_analytics.child_protection import repeat_plan_rate

    rows = [plan(id=f"KID-{n}", previous=previous) for n, previous in enumerate([0, 0, 1, 2, None])]
    plans = check_table("plans", read_plans(tmp_path, *rows).plans, Plans, {}).frame
    rate = repeat_plan_rate(plans)
    assert rate.select("numerator", "denominator").row(0) == (2, 4)
    with pytest.raises(ParameterError, match="within_months: 2 of"):
        repeat_plan_rate(plans, within_months=24)


def test_the_digest_is_that_of_the_bytes(tmp_path):
    found = read_plans(tmp_path, plan())
    expected = hashlib.sha256((tmp_path / "annex_a.xlsx").read_bytes()).hexdigest()
    assert found.digests == {"annex_a.xlsx": expected}


# The window


@pytest.mark.parametrize(
    ("extract_date", "first"),
    [
        (date(2024, 3, 31), date(2023, 10, 1)),
        (date(2024, 9, 30), date(2024, 4, 1)),
        (date(2024, 1, 15), date(2023, 7, 16)),
        (date(2024, 8, 30), date(2024, 2, 29)),
        (date(2024, 2, 29), date(2023, 9, 1)),
    ],
)
def test_the_window_is_six_months_up_to_the_day_of_the_extract(tmp_path, extract_date, first):
    found = read_plans(tmp_path, plan(start="01/06/2023"), extract_date=extract_date)
    assert found.window == (first, extract_date)
    assert found.complete_from == first


def test_the_notes_say_that_the_rate_is_of_six_months_and_what_the_lists_cannot_tell(tmp_path):
    notes = read_plans(tmp_path, plan()).notes
    assert notes[0] == (
        "Annex A list 7 covers six months: the rate is of the six months from 1 October 2023 to 31 March 2024, not a "
        "year's, and must not be set beside annual figures."
    )
    assert any("reviews on time cannot be worked out" in note for note in notes)
    assert any("does not say when they ended" in note for note in notes)


def test_without_a_day_of_the_extract_the_latest_start_or_end_is_taken_and_told(tmp_path):
    enquiries = [enquiry(section_47="20/02/2024", conference="28/03/2024")]
    found = read_both(tmp_path, [plan(), plan(id="K2", end="12/02/2024")], enquiries, extract_date=None)
    assert found.window == (date(2023, 8, 21), date(2024, 2, 20))
    assert any("no day of the extract is given" in note and "20 February 2024" in note for note in found.notes)


def test_a_latest_day_far_from_all_others_is_not_taken_for_the_extract_unseen(tmp_path):
    found = read_plans(tmp_path, plan(), plan(id="K2", start="15/11/2204"), extract_date=None)
    assert broken(found)["row"].to_list() == [3]
    found = read_plans(tmp_path, plan(), plan(id="K2", start="15/11/2032"), extract_date=None)
    assert broken(found).select("row", "column").rows() == [(3, "Child Protection Plan Start Date")]
    assert "later than all of them" in broken(found)["rule"][0]


def test_days_after_the_extract_and_of_long_ago_are_refused(tmp_path):
    found = read_plans(tmp_path, plan(), plan(id="K2", start="01/04/2024"), plan(id="K3", start="01/01/1900"))
    assert broken(found)["row"].to_list() == [3, 4]
    assert "31 March 2024 (plans_to" in broken(found)["rule"][0]


def test_plans_that_ended_before_the_window_are_told(tmp_path):
    found = read_plans(tmp_path, plan(), plan(id="K2", start="01/02/2023", end="30/09/2023"))
    assert any("1 plan of list 7 ended before these six months" in note and "row 3" in note for note in found.notes)
    found = read_plans(tmp_path, plan(), plan(id="K2", start="01/02/2023", end="01/10/2023"))
    assert not any("ended before" in note for note in found.notes)


def test_a_window_in_which_no_plan_started_is_told(tmp_path):
    found = read_plans(tmp_path, plan(start="30/09/2023"))
    assert any("no plan of list 7 started in these six months" in note for note in found.notes)


def test_without_any_date_there_is_no_window(tmp_path):
    found = read_plans(tmp_path, plan(start="soon"), extract_date=None)
    assert found.window is None
    assert found.complete_from is None
    assert broken(found).select("row", "column").rows() == [(2, "Child Protection Plan Start Date")]


# Sheets and files


@pytest.mark.parametrize("name", ["List 7", "7. CP", "List_7 Children subject of CPP", "CP plans (7)", "list07", "7"])
def test_a_sheet_is_found_by_the_number_in_its_name(tmp_path, name):
    sheets = {"Contents 2017": [["List 7", "CP"]], "47": [["x"]], name: plans_sheet(plan())}
    found = read(write(tmp_path / "annex_a.xlsx", sheets))
    assert found.files["plans"] == f'annex_a.xlsx, sheet "{name}"'
    assert any(f'read from annex_a.xlsx, sheet "{name}", header in row 1, 1 row' in note for note in found.notes)


def test_a_sheet_without_a_number_is_found_by_its_headings(tmp_path):
    sheets = {"Read me": [["Annex A"]], "Enquiries": enquiries_sheet(enquiry()), "Plans": plans_sheet(plan())}
    found = read(write(tmp_path / "annex_a.xlsx", sheets))
    assert found.files == {"plans": 'annex_a.xlsx, sheet "Plans"', "conferences": 'annex_a.xlsx, sheet "Enquiries"'}


def test_a_number_in_a_name_counts_only_where_the_headings_are_there(tmp_path):
    sheets = {"Version 7": [["made by", "somebody"]], "7 days": [], "Plans": plans_sheet(plan())}
    assert read(write(tmp_path / "annex_a.xlsx", sheets)).files["plans"] == 'annex_a.xlsx, sheet "Plans"'


@pytest.mark.parametrize("names", [("List 7", "List 7 old"), ("Plans", "Plans old")])
def test_two_sheets_that_claim_to_be_list_7_are_refused(tmp_path, names):
    path = write(tmp_path / "annex_a.xlsx", dict.fromkeys(names, plans_sheet(plan())))
    with pytest.raises(TableError, match="2 sheets or files claim to be list 7") as error:
        read(path)
    assert all(name in str(error.value) for name in names)


def test_a_missing_list_7_is_refused_with_what_was_found(tmp_path):
    path = write(tmp_path / "annex_a.xlsx", {"List 5": enquiries_sheet(enquiry()), "List 6": [["CIN Start Date"]]})
    with pytest.raises(TableError, match="list 7 is not there") as error:
        read(path)
    assert '"List 6"' in str(error.value)
    assert '"Child Protection Plan Start Date"' in str(error.value)


def test_a_missing_list_5_is_told_and_gives_no_conferences(tmp_path):
    found = read_plans(tmp_path, plan())
    assert found.conferences.is_empty()
    assert any("there is no list 5" in note for note in found.notes)


def test_a_list_5_without_rows_is_told_and_gives_no_conferences(tmp_path):
    found = read_both(tmp_path, [plan()], [])
    assert found.conferences.is_empty()
    assert any("list 5 is read from" in note and "0 rows" in note for note in found.notes)


def test_all_that_is_wrong_with_both_lists_is_said_at_once(tmp_path):
    plans = [[cell for cell in row if cell != LIST_7["end"]] for row in plans_sheet()]
    enquiries = [[cell for cell in row if cell != LIST_5["section_47"]] for row in enquiries_sheet()]
    with pytest.raises(TableError) as error:
        read(write(tmp_path / "annex_a.xlsx", {"List 5": enquiries, "List 7": plans}))
    assert LIST_7["end"] in str(error.value)
    assert LIST_5["section_47"] in str(error.value)


@pytest.mark.parametrize("how", ["folder", "files"])
def test_lists_are_read_from_one_file_each(tmp_path, how):
    paths = [
        write_csv(tmp_path / "List_5.csv", enquiries_sheet(enquiry())),
        write_csv(tmp_path / "list 7 - plans.csv", plans_sheet(plan())),
    ]
    (tmp_path / "notes.docx").write_bytes(b"x")
    (tmp_path / "~$list 7.xlsx").write_bytes(b"open in a spreadsheet")
    found = read(tmp_path if how == "folder" else paths)
    assert found.files == {"plans": "list 7 - plans.csv", "conferences": "List_5.csv"}
    assert set(found.digests) >= {"list 7 - plans.csv", "List_5.csv"}
    assert found.plans["child"].to_list() == found.conferences["child"].to_list() == [pseudonym("KID-4711")]


def test_one_csv_file_may_be_list_7_alone(tmp_path):
    assert read(write_csv(tmp_path / "plans.csv", plans_sheet(plan()))).plans.height == 1


def test_workbooks_of_one_sheet_each_go_by_the_names_of_their_files(tmp_path):
    write(tmp_path / "5.xlsx", {"Sheet1": enquiries_sheet(enquiry())})
    write(tmp_path / "7.xlsx", {"Sheet1": plans_sheet(plan())})
    assert read(tmp_path).files == {"plans": '7.xlsx, sheet "Sheet1"', "conferences": '5.xlsx, sheet "Sheet1"'}


def test_an_empty_folder_is_refused(tmp_path):
    (tmp_path / "lists").mkdir()
    with pytest.raises(TableError, match="there is no list in this folder"):
        read(tmp_path / "lists")


# Files that are not what they say


def archive(path, name):
    with ZipFile(path, "w") as made:
        made.writestr(name, "KID-4711")


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        (
            "a.xlsx",
            lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600)),
            "protected with a password",
        ),
        ("a.xlsx", lambda p: write_csv(p, plans_sheet(plan())), "not a workbook, although its name says so"),
        ("a.xlsx", lambda p: archive(p, "letters/KID-4711.txt"), "archive of other things"),
        ("a.xlsx", lambda p: archive(p, "xl/KID-4711.xml"), "cannot be opened"),
        ("a.xlsx", lambda p: p.write_bytes(b"PK\x03\x04 cut off"), "damaged or was cut off"),
        ("a.xlsx", lambda p: p.write_bytes(b""), "the file is empty"),
        ("a.csv", lambda p: p.write_bytes(b"PK\x03\x04" + bytes(50)), "not a text file, although its name says so"),
        ("a.xls", lambda p: p.write_bytes(b"\xd0\xcf\x11\xe0"), "a file of this kind cannot be read"),
        ("a.xlsx", lambda p: None, "file not found"),
    ],
)
def test_a_file_that_is_not_what_its_name_says_is_refused(tmp_path, name, make, message):
    make(tmp_path / name)
    with pytest.raises(TableError, match=message) as error:
        read(tmp_path / name)
    assert "4711" not in str(error.value)


def test_a_workbook_cut_off_in_the_middle_is_refused(tmp_path):
    whole = write(tmp_path / "annex_a.xlsx", {"List 7": plans_sheet(*[plan()] * 50)}).read_bytes()
    (tmp_path / "annex_a.xlsx").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(TableError, match="damaged or was cut off"):
        read(tmp_path / "annex_a.xlsx")


# Headings


@needs_shared
@pytest.mark.parametrize(("number", "table", "ours"), [("7", "plans", LIST_7), ("5", "conferences", LIST_5)])
def test_every_heading_of_the_published_lists_is_known_beside_all_others(tmp_path, number, table, ours):
    published = list(json.loads(SYNONYMS.read_text(encoding="utf-8"))[f"list_{number}"])
    assert set(ours.values()) <= set(published)
    row = PLAN if table == "plans" else ENQUIRY
    cells = {ours[name]: cell for name, cell in row.items() if name in ours}
    sheets = {f"List {number}": [published, [cells.get(heading) for heading in published]]}
    if table == "conferences":
        sheets["List 7"] = plans_sheet(plan())
    found = read(write(tmp_path / "annex_a.xlsx", sheets))
    assert getattr(found, table).height == 1
    assert broken(found, table).is_empty()
    assert set(found.headings[table].values()) - set(published) <= {found.headings[table][table.removesuffix("s")]}


OTHERS = (
    {
        "id": "Child ID",
        "birth": "date of birth (dd/mm/yyyy)",
        "age": "Age",
        "start": "CPP Start Date",
        "end": "CP Plan End Date",
        "category": "Initial category",
        "latest": "Current Category of Abuse",
        "previous": "Number of previous CPPs",
    },
    {
        "id": "Unique identifier of child",
        "birth": "Birth date",
        "age": "Age at extract",
        "start": "Date CP plan started",
        "end": "Date plan ceased",
        "category": "First category of abuse",
        "latest": "Last Category",
        "previous": "Previous Child Protection Plans",
    },
    {
        "id": "CHILD UNIQUE\nID",
        "birth": "DOB",
        "start": "Child\xa0Protection Plan  start date ",
        "end": "End of child protection plan",
    },
    {"id": "Child's identifier", "start": "Start date of child protection plan"},
)


@pytest.mark.parametrize("renamed", OTHERS)
def test_other_headings_that_mean_the_same_are_known(tmp_path, renamed):
    found = read_plans(tmp_path, plan(), renamed=renamed)
    assert found.plans.select("child", "start_date", "category", "latest_category", "previous_plans").row(0) == (
        *(pseudonym("KID-4711"), "2023-11-15", "NEG", "EMO", "1"),
    )
    assert {" ".join(heading.split()) for heading in renamed.values()} <= set(found.headings["plans"].values())


@pytest.mark.parametrize(
    "renamed",
    [
        {"section_47": "S47 start date", "conference": "ICPC Date", "unnecessary": "ICPC not required"},
        {"section_47": "Section 47 enquiry date", "conference": "Date of Initial CP Conference"},
        {"section_47": "Date of strategy discussion"},
    ],
)
def test_other_headings_of_list_5_are_known(tmp_path, renamed):
    sheets = {"List 7": plans_sheet(plan()), "List 5": enquiries_sheet(enquiry(), **renamed)}
    conferences = read(write(tmp_path / "annex_a.xlsx", sheets)).conferences
    assert conferences.select("not_required", "section_47_start", "conference_date").row(0) == (
        *("no", "2023-10-25", "2023-11-13"),
    )


def test_a_heading_as_the_inspectorate_writes_it_comes_before_one_that_means_the_same(tmp_path):
    rows = plans_sheet(plan())
    more = [[*rows[0], "Previous Child ID", "Language", "Age band"], [*rows[1], "OLD-1", "Welsh", "10-15"]]
    found = read(write(tmp_path / "annex_a.xlsx", {"List 7": more}))
    assert found.plans["child"].to_list() == [pseudonym("KID-4711")]
    assert not any("an age that cannot be read" in note for note in found.notes)


@pytest.mark.parametrize(
    ("headings", "wrong"),
    [
        ({"id": "Child ID", "worker": "Case child identifier"}, '"Child ID", "Case child identifier"'),
        ({"worker": "Date of Birth"}, '"Date of Birth", "Date of Birth"'),
        ({"latest": "Initial and latest category"} | {"category": "x"}, "fits several columns"),
    ],
)
def test_two_columns_for_one_heading_are_refused(tmp_path, headings, wrong):
    with pytest.raises(TableError) as error:
        read_plans(tmp_path, plan(), renamed=headings)
    assert wrong in str(error.value)
    assert "4711" not in str(error.value)


def test_a_missing_heading_is_named_beside_the_others_of_the_row(tmp_path):
    with pytest.raises(TableError, match='lacks "Child Protection Plan End Date"') as error:
        read_plans(tmp_path, plan(), renamed={"end": "Finished"})
    assert '"Finished"' in str(error.value)


def test_where_there_is_no_header_nothing_of_a_row_is_told(tmp_path):
    path = write(tmp_path / "annex_a.xlsx", {"List 7": plans_sheet(plan())[1:]})
    with pytest.raises(TableError, match="no row of the first 500 is the header of list 7") as error:
        read(path)
    assert not any(str(cell) in str(error.value) for cell in PLAN.values() if len(str(cell)) > 2)


@pytest.mark.parametrize("name", ["birth", "age", "latest"])
def test_headings_that_the_measures_can_do_without_may_be_missing(tmp_path, name):
    found = read_plans(tmp_path, plan(), renamed={name: "Something else"})
    assert broken(found).is_empty()


@needs_shared
def test_headings_of_children_and_births_that_the_published_patterns_know_are_known_here():
    columns = json.loads(SYNONYMS.read_text(encoding="utf-8"))["list_7"]
    for name, ours in (("id", "child"), ("birth", "birth_date"), ("age", "age")):
        pattern = columns[LIST_7[name]]["header_regex"][0].removeprefix("/").removesuffix("/i")
        headings = [renamed[name] for renamed in OTHERS if name in renamed and renamed[name] != "DOB"]
        tried = [*headings, LIST_7[name], "ID of the child", "Child identifier", "Date of child's birth", "Age (years)"]
        known = [heading for heading in tried if re.search(pattern, heading.replace("\n", " "), re.IGNORECASE)]
        assert len(known) >= 3
        for heading in known:
            assert heading_fits(heading, ours)


def heading_fits(heading, ours):
    plain = " ".join(re.findall(r"[^\W_]+", heading.casefold()))
    return heading in LISTS["plans"][ours].headings or re.search(LISTS["plans"][ours].pattern, plain) is not None


def test_a_language_is_no_age():
    assert not heading_fits("Language", "age")


# Rows


def test_banners_totals_blank_rows_and_repeated_headers_are_left_out_and_told(tmp_path):
    header, *rows = plans_sheet(plan(), plan(id="K2"))
    cells = [
        [None],
        ["Kent: official, sensitive"],
        header,
        rows[0],
        [],
        header,
        ["North team"],
        rows[1],
        ["Total", *[None] * 7, 2],
        ["Total number of plans: 2"],
    ]
    merges = [("List 7", 0, 0, 0, 9, "Annex A, list 7: child protection plan start and end dates")]
    found = read(write(tmp_path / "annex_a.xlsx", {"List 7": cells}, merges))
    assert found.plans["row_number"].to_list() == [4, 8]
    assert found.plans["child"].to_list() == [pseudonym("KID-4711"), pseudonym("K2")]
    notes = "\n".join(found.notes)
    assert "above the header, and left out: rows 1, 2" in notes
    assert "totals, and left out: rows 9, 10" in notes
    assert "header in row 3, 2 rows" in notes
    assert "booking" not in notes


def test_a_list_7_without_rows_is_refused(tmp_path):
    with pytest.raises(TableError, match="there is no plan below the header of list 7 in row 1"):
        read_plans(tmp_path)


def test_a_row_without_a_child_breaks_the_contract_once(tmp_path):
    found = read_plans(tmp_path, plan(), plan(id=None))
    assert broken(found).select("row", "column").rows() == [(3, "Child Unique ID")]


def test_a_plan_that_stands_twice_breaks_the_contract_in_words_of_the_list(tmp_path):
    problems = broken(read_plans(tmp_path, plan(), plan()))
    assert problems["row"].to_list() == [2, 3]
    assert set(problems["column"]) == {"Child Unique ID and Child Protection Plan Start Date"}


def test_a_placeholder_is_no_child(tmp_path):
    problems = broken(read_plans(tmp_path, plan(), *(plan(id=number) for number in ("unknown", "999", "TBC"))))
    assert problems.select("row", "column", "rule").rows() == [
        (row, "Child Unique ID", "an identifier, not a placeholder") for row in (3, 4, 5)
    ]


@pytest.mark.parametrize(("rows", "wrong"), [(5, 0), (6, 6)])
def test_a_number_shared_by_many_rows_stands_for_nobody(tmp_path, rows, wrong):
    plans = [plan(id="TEMP-1", start=date(2023, 10, 1) + timedelta(days=n)) for n in range(rows)]
    problems = broken(read_plans(tmp_path, *plans))
    assert problems.filter(pl.col("column") == "Child Unique ID").height == wrong


def test_spaces_and_case_of_a_number_do_not_make_another_child(tmp_path):
    numbers = [" KID-4711 ", "kid-4711", "KID-4711\xa0", "\u200bKID-4711"]
    found = read_plans(tmp_path, *(plan(id=number) for number in numbers))
    assert found.plans["child"].to_list() == [pseudonym("KID-4711")] * 4


def test_numbers_typed_as_numbers_and_as_text_are_one_child(tmp_path):
    found = read_both(tmp_path, [plan(id=120045)], [enquiry(id="120045.0")])
    assert found.plans["child"].to_list() == found.conferences["child"].to_list() == [pseudonym("120045")]


# Cells


def test_dates_are_read_as_spreadsheets_and_people_write_them(tmp_path):
    ways = ["15/11/2023", "15-11-2023", date(2023, 11, 15), 45245, "45245", "15 Nov 2023", "2023-11-15 00:00:00"]
    found = read_plans(tmp_path, *(plan(id=f"KID-{n}", start=start) for n, start in enumerate(ways)))
    assert found.plans["start_date"].to_list() == ["2023-11-15"] * 7


def test_dates_with_the_month_first_are_seen_and_told(tmp_path):
    found = read_plans(tmp_path, plan(start="11/15/2023", birth="02/14/2010", review="03/01/2024"))
    assert found.plans.select("start_date", "birth_date").row(0) == ("2023-11-15", "2010-02-14")
    assert any("with the month first" in note for note in found.notes)


def test_dates_that_could_be_either_are_read_day_first_and_told(tmp_path):
    found = read_plans(tmp_path, plan(start="05/12/2023", birth="02/03/2010"))
    assert found.plans.select("start_date", "birth_date").row(0) == ("2023-12-05", "2010-03-02")
    assert any("day first, as Annex A asks" in note for note in found.notes)
    told = read_plans(tmp_path, plan(start="12/05/2023", birth="02/03/2010"), date_order="month_first")
    assert told.plans.select("start_date", "birth_date").row(0) == ("2023-12-05", "2010-02-03")


def test_dates_that_could_be_either_are_not_taken_day_first_beside_a_list_with_the_month_first(tmp_path):
    plans = [plan(start="11/15/2023", birth="02/14/2010")]
    found = read_both(tmp_path, plans, [enquiry(section_47="10/05/2023", conference="11/06/2023")])
    assert {"annex_a_date_order" in rule for rule in found.problems["rule"]} == {True}
    assert "bookings" not in said(found)


def test_dates_that_cannot_be_are_listed_by_row_and_not_quoted(tmp_path):
    found = read_plans(tmp_path, plan(), plan(id="K2", start="31/02/2024"), plan(id="K3", birth="Smith", end="soon"))
    assert broken(found).select("row", "column").rows() == [
        (3, "Child Protection Plan Start Date"),
        (4, "Child Protection Plan End Date"),
        (4, "Date of Birth"),
    ]
    assert set(broken(found)["found"]) == {"(not shown: it could identify a person)"}


def test_an_end_before_the_start_is_told_in_words_of_the_list(tmp_path):
    problems = broken(read_plans(tmp_path, plan(end="14/11/2023")))
    assert problems.select("row", "rule").rows() == [
        (2, "Child Protection Plan End Date is not before Child Protection Plan Start Date")
    ]


def test_a_missing_number_of_previous_plans_is_not_0_and_told(tmp_path):
    found = read_plans(tmp_path, plan(previous=None), plan(id="K2", previous="2.0"))
    checked = check_table("plans", found.plans, Plans, {}).frame
    assert checked["previous_plans"].to_list() == [None, 2]
    assert any("1 plan of list 7 without a number of previous plans" in note for note in found.notes)


def test_a_number_of_previous_plans_that_is_none_is_refused(tmp_path):
    wrong = ["none", "-1", "1.5", "many", "4711", "KID-4711"]
    problems = broken(read_plans(tmp_path, *(plan(id=f"KID-{n}", previous=cell) for n, cell in enumerate(wrong))))
    assert problems.select("row", "column").rows() == [
        (row, "Number of Previous Child Protection Plans") for row in range(2, 8)
    ]


def test_unknown_categories_are_listed_at_once_and_only_words_of_categories_are_quoted(tmp_path):
    rows = [
        plan(category="Wilhelmina Featherstone"),
        plan(id="K2", category="Neglect, none recorded"),
        plan(id="K3", latest="Multiple - neglekt"),
        plan(id="K4", category="Domestic violence at 12 High Street"),
    ]
    problems = broken(read_plans(tmp_path, *rows, *rows[:0]))
    hidden = "(not shown: it could identify a person)"
    assert problems.select("row", "column", "found").rows() == [
        (2, "Initial Category of Abuse", hidden),
        (3, "Initial Category of Abuse", '"Neglect, none recorded"'),
        (4, "Latest Category of Abuse", '"Multiple - neglekt"'),
        (5, "Initial Category of Abuse", hidden),
    ]
    assert problems["rule"].str.contains("[plans.category] in board.toml", literal=True).all()


def test_words_of_the_board_are_used(tmp_path):
    words = {
        "plans": {
            "category": {"Faltering growth": "NEG"},
            "latest_category": {"DV": "EMO"},
            "previous_plans": {"None": "0"},
        },
        "conferences": {"not_required": {"Held": "no"}},
    }
    found = read_both(
        tmp_path,
        [plan(category="FALTERING growth", latest="dv", previous="none"), plan(id="K2", latest="Faltering Growth")],
        [enquiry(unnecessary="held")],
        words=words,
    )
    assert found.plans["category"].to_list() == ["NEG", "NEG"]
    assert found.plans["latest_category"].to_list() == ["EMO", "NEG"]
    assert found.plans["previous_plans"].to_list() == ["0", "1"]
    assert found.conferences["not_required"].to_list() == ["no"]
    assert found.problems.is_empty()


def test_whether_a_conference_was_unnecessary_is_read_with_and_without_letters(tmp_path):
    cells = ["No", "b) No", "a)\xa0Yes", "c) Unknown", None]
    found = read_both(tmp_path, [plan()], [enquiry(id=f"KID-{n}", unnecessary=cell) for n, cell in enumerate(cells)])
    assert found.conferences["not_required"].to_list() == ["no", "no", "yes", None, None]
    assert broken(found, "conferences").is_empty()


def test_an_answer_that_is_neither_yes_nor_no_is_refused(tmp_path):
    found = read_both(tmp_path, [plan()], [enquiry(unnecessary="see Featherstone")])
    assert broken(found, "conferences").select("row", "column").rows() == [(2, LIST_5["unnecessary"])]


def test_a_conference_still_to_be_held_counts_as_not_held_and_is_told(tmp_path):
    found = read_both(tmp_path, [plan()], [enquiry(conference="05/04/2024"), enquiry(id="K2", conference="31/03/2024")])
    assert found.conferences["conference_date"].to_list() == [None, "2024-03-31"]
    assert any("1 conference of list 5 with a day after the extract" in note for note in found.notes)


# Ages


def test_ages_that_fit_the_date_of_birth_are_not_mentioned(tmp_path):
    ages = ["14", 14, 14.1, "14.12 yrs", "14 years", "14y", "Unborn", None]
    found = read_plans(tmp_path, *(plan(id=f"KID-{n}", age=age) for n, age in enumerate(ages)))
    assert not any("an age that" in note for note in found.notes)


def test_an_age_is_only_set_beside_the_date_of_birth(tmp_path):
    # On 31 March 2024, the day of the extract, they are 4 years and 6 months old, 5 years less a day, 6 months;
    # and 5 years less a day, 14 years, 30 months, 5 years less a day.
    fitting = [("01/10/2019", "4.5"), ("01/10/2019", "4.50 yrs"), ("01/04/2019", "4"), ("01/10/2023", "6 months")]
    others = [("01/04/2019", "6"), ("10/02/2010", "10"), ("01/10/2021", "6 months"), ("01/04/2019", "3.5")]
    rows = [plan(id=f"KID-{n}", birth=birth, age=age) for n, (birth, age) in enumerate([*fitting, *others])]
    found = read_plans(tmp_path, *rows)
    assert any(
        "4 rows of list 7 with an age that does not fit the date of birth: rows 6, 7, 8, 9" in note
        for note in found.notes
    )
    assert broken(found).is_empty()


def test_an_age_that_cannot_be_read_is_told_by_its_row(tmp_path):
    notes = read_plans(tmp_path, plan(), plan(id="K2", age="Featherstone")).notes
    assert any("1 row of list 7 with an age that cannot be read: row 3" in note for note in notes)


def test_a_plan_long_before_birth_or_after_childhood_is_told(tmp_path):
    births = ["01/05/2024", "01/12/2024", "14/11/2005", "16/11/2005"]
    found = read_plans(tmp_path, *(plan(id=f"KID-{n}", birth=birth, age=None) for n, birth in enumerate(births)))
    told = "started long before the child was born, or after the 18th birthday: rows 3, 4"
    assert any(told in note for note in found.notes)


def test_a_child_not_yet_born_has_no_date_of_birth(tmp_path):
    found = read_plans(tmp_path, plan(birth="Unborn", age="Unborn"))
    assert found.plans["birth_date"].to_list() == [None]
    assert broken(found).is_empty()


# Nothing of a child or a worker is told


def messy(folder):
    """Both lists with something wrong in every column, and people's names, numbers and birthdays in wrong ones."""
    shifted = plan(id="KID-0815", start="Featherstone", category="KID-4711", previous="14/02/2010", age="Wilhelmina")
    plans = [plan(), plan(), shifted, plan(id="unknown", birth="14/02/2010 Featherstone", end="14/02/2010")]
    enquiries = [enquiry(unnecessary="KID-4711", section_47="14/02/2010"), enquiry(conference="Featherstone")]
    sheets = {"List 7": plans_sheet(*plans), "List 5": enquiries_sheet(*enquiries)}
    return write(folder / "annex_a.xlsx", sheets)


@pytest.mark.parametrize("extract_date", [EXTRACT, None])
def test_no_message_holds_a_number_a_name_or_a_date_of_birth(tmp_path, extract_date):
    found = read(messy(tmp_path), extract_date=extract_date)
    everything = said(found)
    assert broken(found).height > 5
    for secret in ("4711", "0815", "featherstone", "wilhelmina", "14/02/2010", "2010-02-14", "14 february 2010"):
        assert secret not in everything.casefold()


def test_no_table_holds_a_number_or_a_name(tmp_path):
    found = read(messy(tmp_path))
    cells = " ".join(str(cell) for table in (found.plans, found.conferences) for row in table.rows() for cell in row)
    assert not any(secret in cells.casefold() for secret in ("4711", "0815", "featherstone", "wilhelmina"))
    assert SECRET.hex() not in repr(found)


def test_numbers_of_children_and_names_of_workers_are_given_to_the_leak_search(tmp_path):
    plans = [plan(), plan(id="KID-8", worker="Duty Team"), plan(id="unknown", worker=None)]
    sheets = {"List 7": plans_sheet(*plans), "List 5": enquiries_sheet(enquiry(id="KID-9", worker="Bo\xa0Li"))}
    assert identities_in_annex_a(write(tmp_path / "annex_a.xlsx", sheets)) == {
        "KID-4711": "person",
        "KID-8": "person",
        "KID-9": "person",
        "Wilhelmina Featherstone": "name",
        "Featherstone, Wilhelmina": "name",
        "Featherstone Wilhelmina": "name",
        "Bo Li": "name",
        "Li, Bo": "name",
        "Li Bo": "name",
    }
