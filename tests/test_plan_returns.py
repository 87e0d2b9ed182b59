"""A board whose plans come from a return: files of the children in need census, or Ofsted's lists, end to end."""

import csv
import hashlib
import pickle
import re
import shutil
from datetime import date
from types import SimpleNamespace

import polars as pl
import pytest
import xlsxwriter
from click.testing import CliRunner

from census_files import census, child, details, enquiry, plan, write
from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.cli import commands
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.release import promote, publish
from safeguarding_analytics.tables import TABLES

SECRET = bytes(range(32))
CENSUS = '[board]\nauthority = "Kent"\n[child_protection]\ncin_census = ["c23.xml", "c24.xml"]\n'
ANNEX = '[board]\nauthority = "Kent"\n[child_protection]\nannex_a = "annex_a.xlsx"\nplans_to = 2024-03-31\n'
PLANS = "plan,child,authority,district,category,start_date,end_date,previous_plans\nP1,C1,Kent,,NEG,2023-04-02,,0\n"
CONFERENCES = (
    "conference,child,authority,section_47_start,conference_date,not_required\nE1,C1,Kent,2023-04-02,2023-04-20,no\n"
)
MEND = "Correct the days where they are recorded, or leave out the plan that is not one"

# A plan of the year to March 2023 that ended, and the child's second plan, of the year after.
FIRST = details(
    enquiry("2022-06-01", "2022-06-21"), plan("2022-06-21", "2022-12-01", reviews=["2022-08-30"]), referral="2022-05-04"
)
SECOND = details(
    enquiry("2023-06-01", "2023-06-21"),
    plan("2023-06-21", previous=1, reviews=["2023-08-30", "2024-01-10"]),
    referral="2023-05-04",
)

LIST_7 = (
    "Child Unique ID",
    "Date of Birth",
    "Child Protection Plan Start Date",
    "Initial Category of Abuse",
    "Child Protection Plan End Date",
    "Number of Previous Child Protection Plans",
    "Allocated Worker",
)
LIST_5 = (
    "Child Unique ID",
    "Date of Birth",
    "Strategy discussion initiating Section 47 Enquiry Start Date",
    "Was an Initial Child Protection Conference deemed unnecessary?",
    "Date of Initial Child Protection Conference",
)
LISTED = ("KID-4711", "14/02/2010", "15/11/2023", "a) Neglect", "", "1", "Wilhelmina Featherstone")
ENQUIRED = ("KID-4711", "14/02/2010", "25/10/2023", "b) No", "13/11/2023")


def pseudonym(text):
    return "P" + hashlib.blake2b(text.encode(), key=SECRET, digest_size=10).hexdigest()


def with_key(folder, toml, **files):
    (folder / "board.toml").write_text(toml, encoding="utf-8")
    (folder / "pseudonym.key").write_text(SECRET.hex(), encoding="ascii")
    (folder / "pseudonym.key").chmod(0o600)
    for name, text in files.items():
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


def with_census(folder, *children, toml=CENSUS, **files):
    """A folder with two files: the one child of the first, and those of the second."""
    write(folder, "c23.xml", census(child("KID-4711", FIRST), year=2023))
    write(folder, "c24.xml", census(*(children or [child("KID-4711", SECOND)])))
    return with_key(folder, toml, **files)


def workbook(path, **lists):
    made = xlsxwriter.Workbook(path)
    for name, rows in lists.items():
        sheet = made.add_worksheet(name.replace("_", " "))
        for number, row in enumerate(rows):
            for position, cell in enumerate(row):
                sheet.write_string(number, position, cell)
    made.close()


def with_annex(folder, *, plans=(LISTED,), enquiries=(ENQUIRED,), toml=ANNEX, **files):
    lists = {"List_7": [LIST_7, *plans]} | ({"List_5": [LIST_5, *enquiries]} if enquiries is not None else {})
    workbook(folder / "annex_a.xlsx", **lists)
    return with_key(folder, toml, **files)


def sentences(folder):
    board, problems = check_all(folder)
    return say_problems(problems, board.file_names, board.heights(board.tables))


def notes(folder):
    board = read_board(folder)
    return [note for table in board.tables for note in board.notes_of(table)]


# The tables of a board


def test_census_files_are_the_tables_of_the_board(tmp_path):
    board = read_board(with_census(tmp_path))
    assert sentences(tmp_path) == []
    assert list(board.tables) == ["plans", "conferences", "reviews"] == list(board.returned) == board.foreign()
    plans = board.tables["plans"]
    assert dict(plans.schema) == {name: rule.dtype for name, rule in TABLES["plans"].columns().items()}
    assert plans.select("authority", "category", "start_date", "end_date", "previous_plans").rows() == [
        ("Kent", "NEG", date(2022, 6, 21), date(2022, 12, 1), 0),
        ("Kent", "NEG", date(2023, 6, 21), None, 1),
    ]
    assert plans["child"].unique().to_list() == [pseudonym("383/kid-4711")]
    assert board.tables["conferences"]["conference_date"].to_list() == [date(2022, 6, 21), date(2023, 6, 21)]
    reviews = board.tables["reviews"].join(plans, on="plan").sort("review_date")
    assert reviews.select("review_date", "start_date").rows() == [
        (date(2022, 8, 30), date(2022, 6, 21)),
        (date(2023, 8, 30), date(2023, 6, 21)),
        (date(2024, 1, 10), date(2023, 6, 21)),
    ]


def test_lists_of_annex_a_are_the_tables_of_the_board(tmp_path):
    board = read_board(with_annex(tmp_path))
    assert sentences(tmp_path) == []
    assert list(board.tables) == ["plans", "conferences"] == list(board.returned)
    assert board.tables["plans"].select("child", "authority", "category", "start_date", "previous_plans").rows() == [
        (pseudonym("kid-4711"), "Kent", "NEG", date(2023, 11, 15), 1)
    ]
    assert board.tables["conferences"]["conference_date"].to_list() == [date(2023, 11, 13)]


def test_register_is_complete_for_the_days_of_the_return(tmp_path):
    # Reporting years to March 2023 and 2024; the lists cover the six months up to the extract.
    days = read_board(with_census(tmp_path)).register_days("Kent")
    assert (days.first, days.last, days.taken) == (date(2022, 4, 1), date(2024, 3, 31), "")
    days = read_board(with_annex(tmp_path)).register_days("Kent")
    assert days.last == date(2024, 3, 31)
    assert date(2023, 9, 30) <= days.first <= date(2023, 10, 1)


def test_days_that_the_board_states_come_before_those_of_the_return(tmp_path):
    with_census(tmp_path, toml=CENSUS + "plans_from = 2023-04-01\n")
    assert read_board(tmp_path).register_days().first == date(2023, 4, 1)


def test_tables_that_a_census_has_no_rows_of_are_not_there(tmp_path):
    toml = CENSUS.replace('"c23.xml", ', "")
    with_census(tmp_path, child("KID-4711", details(plan("2023-06-21"))), toml=toml)
    assert list(read_board(tmp_path).tables) == ["plans"]
    assert sentences(tmp_path) == []


def test_lists_may_lie_in_a_folder(tmp_path):
    with_key(tmp_path, ANNEX.replace("annex_a.xlsx", "lists"))
    (tmp_path / "lists").mkdir()
    for name, rows in (("list_7.csv", [LIST_7, LISTED]), ("list_5.csv", [LIST_5, ENQUIRED])):
        with (tmp_path / "lists" / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file).writerows(rows)
    board = read_board(tmp_path)
    assert (sentences(tmp_path), list(board.tables)) == ([], ["plans", "conferences"])
    first = board.data_version
    with (tmp_path / "lists" / "list_7.csv").open("a", encoding="utf-8", newline="") as file:
        csv.writer(file).writerow(["KID-12", *LISTED[1:]])
    assert read_board(tmp_path).data_version != first


# One place for each table


def test_two_returns_are_refused(tmp_path):
    toml = CENSUS + 'annex_a = "annex_a.xlsx"\n'
    with_census(tmp_path, toml=toml)
    assert sentences(tmp_path) == [
        "c23.xml: plans must come from one place, and [child_protection] in board.toml names two: cin_census and "
        "annex_a. Keep one of them."
    ]
    with pytest.raises(TableError, match="names two: cin_census and annex_a"):
        read_board(tmp_path).tables["plans"]


@pytest.mark.parametrize("make", [with_census, with_annex])
def test_file_of_plans_beside_a_return_is_refused(tmp_path, make):
    make(tmp_path)
    (tmp_path / "plans.csv").write_text(PLANS, encoding="utf-8")
    (said,) = sentences(tmp_path)
    assert said.endswith(
        ": plans must come from one place, and there are two: the return that [child_protection] in board.toml names, "
        "and plans.csv. Delete plans.csv or take it out of [files], or take the return out of [child_protection]."
    )
    for table in ("plans", "conferences"):
        with pytest.raises(TableError, match="there are two"):
            read_board(tmp_path).tables[table]


def test_other_tables_of_a_return_may_not_stand_beside_it_either(tmp_path):
    with_census(tmp_path, reviews="plan,review_date\nP1,2023-08-30\n")
    assert any("reviews must come from one place" in said for said in sentences(tmp_path))
    with_annex(tmp_path, toml='[files]\nconferences = "held.csv"\n' + ANNEX)
    assert any("conferences must come from one place" in said for said in sentences(tmp_path))


def test_conferences_have_their_own_file_where_the_lists_have_none(tmp_path):
    with_annex(tmp_path, enquiries=None)
    assert list(read_board(tmp_path).tables) == ["plans"]
    assert any("there is no list 5" in note for note in notes(tmp_path))
    with_annex(tmp_path, enquiries=None, conferences=CONFERENCES)
    board = read_board(tmp_path)
    assert list(board.tables) == ["plans", "conferences"]
    assert board.tables["conferences"]["conference_date"].to_list() == [date(2023, 4, 20)]
    assert board.file_names["conferences"] == "conferences.csv"
    assert sentences(tmp_path) == []


def test_return_may_have_the_name_of_the_table(tmp_path):
    with_annex(tmp_path, toml=ANNEX.replace("annex_a.xlsx", "plans.xlsx"))
    (tmp_path / "annex_a.xlsx").rename(tmp_path / "plans.xlsx")
    assert read_board(tmp_path).tables["plans"].height == 1


# What cannot be read


@pytest.mark.parametrize(("make", "file"), [(with_census, "c23.xml"), (with_annex, "annex_a.xlsx")])
def test_missing_key_is_told_once_with_the_command_that_makes_one(tmp_path, make, file):
    make(tmp_path)
    (tmp_path / "pseudonym.key").unlink()
    (said,) = sentences(tmp_path)
    assert said.startswith(f"{file}: the key pseudonym.key, by which people get pseudonyms, is not there.")
    assert f"safeguarding key {tmp_path.name}" in said
    with pytest.raises(TableError, match="safeguarding key"):
        read_board(tmp_path).tables["reviews" if make is with_census else "conferences"]


@pytest.mark.parametrize(("make", "toml"), [(with_census, CENSUS), (with_annex, ANNEX)])
def test_board_without_an_authority_is_asked_for_it(tmp_path, make, toml):
    make(tmp_path, toml=toml.replace('authority = "Kent"', ""))
    (said,) = sentences(tmp_path)
    assert re.fullmatch(r"\S+: set authority under \[board\] in board.toml to the local authority's name, .*", said)


def test_missing_file_is_told_by_its_name(tmp_path):
    with_census(tmp_path)
    (tmp_path / "c24.xml").unlink()
    (said,) = sentences(tmp_path)
    assert said.startswith("c24.xml: ")
    (tmp_path / "c23.xml").unlink()
    (said,) = sentences(tmp_path)
    assert said.startswith("c23.xml: ")
    assert list(read_board(tmp_path).tables) == []


@pytest.mark.parametrize("file", ["c23.xml", "c24.xml"])
def test_file_that_was_cut_off_is_told_by_its_name_once(tmp_path, file):
    with_census(tmp_path)
    text = (tmp_path / file).read_text(encoding="utf-8")
    (tmp_path / file).write_text(text[: len(text) // 2], encoding="utf-8")
    (said,) = sentences(tmp_path)
    assert said.startswith(file)
    assert said.count(".xml") == 1


def test_sheet_whose_headings_are_missing_is_told_by_its_name_once(tmp_path):
    with_annex(tmp_path, plans=[])
    workbook(tmp_path / "annex_a.xlsx", List_7=[LIST_7[:3], LISTED[:3]])
    (said,) = sentences(tmp_path)
    assert said.count("annex_a.xlsx") == 1


def test_missing_workbook_is_told_by_its_name(tmp_path):
    with_key(tmp_path, ANNEX)
    (said,) = sentences(tmp_path)
    assert said.startswith("annex_a.xlsx: ")
    assert "Traceback" not in said


def test_files_that_do_not_belong_together_are_told_by_their_names(tmp_path):
    with_census(tmp_path)
    write(tmp_path, "c23.xml", census(child("KID-4711", FIRST), year=2024))
    (said,) = sentences(tmp_path)
    assert "c23.xml and c24.xml: more than one file for the same census year" in said


def test_two_files_of_one_name_are_refused(tmp_path):
    with_census(tmp_path, toml=CENSUS.replace('"c23.xml"', '"old/c24.xml"'))
    (tmp_path / "old").mkdir()
    (tmp_path / "c23.xml").rename(tmp_path / "old" / "c24.xml")
    assert sentences(tmp_path) == [
        "c24.xml: several files of cin_census in board.toml have this name. Give each its own."
    ]


def test_file_that_changes_while_it_is_used_is_refused(tmp_path):
    board = read_board(with_census(tmp_path))
    assert board.digest(tmp_path / "c24.xml")
    write(tmp_path, "c24.xml", census(child("KID-12", SECOND)))
    with pytest.raises(TableError, match=r"c24\.xml: the file has changed since"):
        board.tables["plans"]


def test_version_of_the_data_changes_with_each_file(tmp_path):
    versions = {read_board(with_census(tmp_path)).data_version}
    write(tmp_path, "c24.xml", census(child("KID-12", SECOND)))
    versions.add(read_board(tmp_path).data_version)
    write(tmp_path, "c23.xml", census(child("KID-12", FIRST), year=2023))
    board = read_board(tmp_path)
    versions.add(board.data_version)
    assert len(versions) == 3
    board.tables["plans"]
    assert board.data_version in versions


# Nobody is named


def test_identifiers_of_children_are_looked_for_and_kept_nowhere(tmp_path):
    with_census(tmp_path, child("KID-12", details(plan("2023-08-01", "2023-07-01", category="KID-12"))))
    board, problems = check_all(tmp_path)
    assert {"KID-4711", "KID-12", SECRET.hex()} <= set(board.identities())
    kept = [
        pickle.dumps([board.tables.or_empty("reviews"), problems]).decode("latin-1"),
        repr(board),
        str(problems.rows()),
        *notes(tmp_path),
        *sentences(tmp_path),
    ]
    for secret in ("KID-4711", "KID-12", SECRET.hex()):
        assert not [text for text in kept if secret.casefold() in text.casefold()]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A board with the lists, and a release that holds nothing of them."""
    folder = tmp_path_factory.mktemp("released")
    (folder / "board").mkdir()
    (folder / "built").mkdir()
    board = read_board(with_annex(folder / "board"))
    table = suppress(pl.DataFrame({"category": ["NEG", "PHY"], "count": [12, 2]}), Policy.dfe())
    publish(table, "plans", into=folder / "built", title="Plans", definition="Plans", measure="plans")
    about = {"board": "B", "made_on": "2024-07-01", "as_at": None, "data_version": "0" * 12, "parameters": {}}
    promote(folder / "built", folder / "release", about=about)
    assert "identifying value" not in find_leaks(folder / "release", board)["rule"].to_list()
    return SimpleNamespace(board=board, release=folder / "release")


@pytest.mark.parametrize("planted", ["kid-4711", "Wilhelmina Featherstone", SECRET.hex(), pseudonym("kid-4711")])
def test_release_that_holds_somebody_of_the_lists_is_found(released, tmp_path, planted):
    copy = shutil.copytree(released.release, tmp_path / "copy")
    (copy / "notes.txt").write_text(f"Ask {planted}, please.", encoding="utf-8")
    assert "identifying value" in find_leaks(copy, released.board)["rule"].to_list()


# What breaks a rule


def test_broken_rules_are_told_by_file_and_line(tmp_path):
    wrong = details(enquiry("2023-06-01", "2023-06-21"), plan("2023-06-21", "2023-13-01", category="Zorg"))
    with_census(tmp_path, child("KID-12", wrong), child("KID-4711", SECOND))
    text = (tmp_path / "c24.xml").read_text(encoding="utf-8").splitlines()
    line = 1 + text.index("<ChildProtectionPlans>")
    assert [said for said in sentences(tmp_path) if "Wanted: one of" in said or "date such as" in said] == [
        f"c24.xml (plans, by line), column category: 1 of 2 rows: row {line}. Found: child 1 of the file, (not shown: "
        "it stands in one row only and resembles no allowed word). Wanted: one of NEG, PHY, SAB, EMO, MUL.",
        f"c24.xml (plans, by line), column end_date: 1 of 2 rows: row {line}. Found: child 1 of the file. Wanted: a "
        "date such as 2024-03-31, of the years 1900 to 2100.",
    ]
    (row,) = check_board(tmp_path).filter(pl.col("column") == "category").to_dicts()
    assert (row["table"], row["row"]) == ("plans: c24.xml", line)


def test_problem_of_a_list_has_its_heading_and_the_row_of_the_sheet(tmp_path):
    late = ("KID-12", "14/02/2010", "31/13/2023", "a) Neglect", "", "0", "")
    with_annex(tmp_path, plans=[LISTED, late])
    (said,) = sentences(tmp_path)
    assert re.match(r"annex_a\.xlsx.*, column Child Protection Plan Start Date: 1 of 2 rows: row 3\.", said)


def test_plans_of_a_list_that_overlap_are_told_by_heading_and_row(tmp_path):
    again = (*LISTED[:2], "16/11/2023", LISTED[3], "01/02/2024", *LISTED[5:])
    with_annex(tmp_path, plans=[LISTED, again])
    (said,) = sentences(tmp_path)
    assert re.fullmatch(
        r"annex_a\.xlsx.*, column Child Protection Plan Start Date: 1 of 2 rows: row 3\. "
        r"Found: it starts before the plan of row 2 ends\. "
        rf"Wanted: 8940: no plan starts while another one of the child lasts\. {MEND}\.",
        said,
    )


def test_plans_of_two_years_that_overlap_are_told_by_both_lines(tmp_path):
    # The plan of the first file is still open in it, and the second file has another one instead.
    with_census(tmp_path)
    open_plan = details(enquiry("2022-06-01", "2022-06-21"), plan("2022-06-21"), referral="2022-05-04")
    write(tmp_path, "c23.xml", census(child("KID-4711", open_plan), year=2023))
    ended = details(enquiry("2023-06-01", "2023-06-21"), plan("2023-06-21", "2023-09-01", previous=1))
    write(tmp_path, "c24.xml", census(child("KID-4711", ended)))
    lines = {
        name: 1 + (tmp_path / name).read_text(encoding="utf-8").splitlines().index("<ChildProtectionPlans>")
        for name in ("c23.xml", "c24.xml")
    }
    assert sentences(tmp_path) == [
        f"c24.xml (plans, by line), column start_date: 1 of 1 rows: row {lines['c24.xml']}. Found: child 1 of the "
        f"file, it starts before the plan of line {lines['c23.xml']} of c23.xml ends. Wanted: 8940: no plan starts "
        f"while another one of the child lasts. {MEND}."
    ]


def broken_by(*plans, died=None):
    return child("KID-12", details(*(enquiry("2023-06-01", "2023-06-21"), *plans)), died=died)


@pytest.mark.parametrize(
    ("broken", "codes"),
    [
        (broken_by(plan("2024-04-02")), {"8720"}),
        (broken_by(plan("2023-06-21"), died="2023-06-20"), {"8915"}),
        (broken_by(plan("2023-06-21", "2023-08-01"), died="2023-07-31"), {"8920"}),
        (broken_by(plan("2023-06-21"), plan("2023-06-21")), {"8935", "8940"}),
        (broken_by(plan("2023-06-21", "2023-08-01"), plan("2023-08-01", "2023-09-01")), {"8940"}),
    ],
)
def test_rules_of_the_department_that_would_corrupt_counts_are_broken_rules_of_the_board(tmp_path, broken, codes):
    with_census(tmp_path, broken, child("KID-4711", SECOND))
    problems = check_board(tmp_path)
    assert {rule[:4] for rule in problems["rule"]} == codes
    assert problems["row"].null_count() == 0
    assert problems.select("table", "row", pl.col("rule").str.head(4)).is_unique().all()
    with pytest.raises(TableError, match=rf"Wanted: {min(codes)}: "):
        read_board(tmp_path).tables["plans"]


def test_row_that_the_contract_reports_is_not_reported_again_under_the_number_of_the_department(tmp_path):
    with_census(tmp_path, broken_by(plan("2023-06-21", "2023-05-01"), plan("")), child("KID-4711", SECOND))
    assert check_board(tmp_path).select("column", "rule").rows() == [
        (None, "end_date is not before start_date"),
        ("start_date", "a value: the cell must not be empty"),
    ]


def test_other_rules_of_the_department_are_notes_with_level_count_and_lines(tmp_path):
    with_census(tmp_path, broken_by(plan("2023-06-21", "2023-06-21")), child("KID-4711", SECOND))
    assert sentences(tmp_path) == []
    text = (tmp_path / "c24.xml").read_text(encoding="utf-8").splitlines()
    line = 1 + text.index("<ChildProtectionPlans>")
    assert (
        f"c24.xml: DfE rule 8840 (error): 1 row of plans, line {line}. Wanted: a plan ends on another day than it "
        "starts." in notes(tmp_path)
    )
    assert read_board(tmp_path).rule_notes().rows() == [
        (
            "plans: c24.xml",
            line,
            None,
            "8840: a plan ends on another day than it starts",
            "child 1 of the file, error that stops no report",
        )
    ]


def test_board_without_a_return_has_no_notes_on_rules(tmp_path):
    (tmp_path / "plans.csv").write_text(PLANS, encoding="utf-8")
    board = read_board(tmp_path)
    assert board.rule_notes().is_empty()
    with_census(tmp_path)
    (tmp_path / "c24.xml").write_text("<Message/>", encoding="utf-8")
    assert read_board(tmp_path).rule_notes().is_empty()


def test_command_prints_notes_and_broken_rules_and_writes_every_row(tmp_path):
    wrong = broken_by(plan("2023-06-21", "2023-06-21"), plan("2023-08-01"), plan("2023-08-01"))
    with_census(tmp_path, wrong, child("KID-4711", SECOND))
    ended = CliRunner().invoke(commands, ["check", str(tmp_path), "--csv", str(tmp_path / "broken.csv")])
    assert ended.exit_code == 1
    assert "Note: c24.xml: DfE rule 8840 (error): 1 row of plans, line " in ended.stdout
    assert "Wrote 4 broken rules, and " in ended.stdout
    assert ended.stderr.startswith("2 rules are broken (row 1 of a file is its header):\n")
    assert "Wanted: 8935: a child has at most one open plan." in ended.stderr
    with (tmp_path / "broken.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["table", "row", "column", "rule", "found"]
    assert {"8840", "8935", "8940"} <= {row["rule"][:4] for row in rows}
    assert "KID-12" not in str(rows) + ended.output


def test_command_ends_well_where_there_are_only_notes(tmp_path):
    with_census(tmp_path, broken_by(plan("2023-06-21", "2023-06-21")), child("KID-4711", SECOND))
    ended = CliRunner().invoke(commands, ["check", str(tmp_path)])
    assert (ended.exit_code, ended.stderr) == (0, "")
    assert "DfE rule 8840 (error)" in ended.stdout
