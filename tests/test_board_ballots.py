"""A board whose ballots come from files of other programs: one place, its words, its key, its notes."""

import pytest
import xlsxwriter

from safeguarding_analytics.ballot_settings import BallotsExportSection
from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.config import read_config
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.sources.ballot_cells import issue_names, read_ballot_sheet
from safeguarding_analytics.sources.ballot_columns import read_ballot_columns
from safeguarding_analytics.sources.ballot_forms import read_ballot_form
from safeguarding_analytics.sources.ballot_rows import BALLOT_ROWS, PAPERS
from safeguarding_analytics.sources.ballot_workbooks import read_ballot_workbook
from safeguarding_analytics.sources.ballots import BallotFiles
from safeguarding_analytics.sources.preflib import read_preflib
from safeguarding_analytics.tables import TABLES

SETTINGS = """
[ballots_export]
files = ["votes.csv"]
[ballots_export.columns]
member = "Email"
agency = "Agency"
submitted = "Completion time"
[ballots.issue]
"Cyber" = "Online safety"
"""
ISSUES = "issue,description\nNeglect,\nDomestic abuse,\nOnline safety,\nSelf-harm,\n"
AGENCIES = "agency,sector,aliases\nKent Police,Police,KP\nHealth,,NHS\n"
HEADER = "ID,Completion time,Email,Name,Agency,Rank the issues\n"
VOTES = (
    HEADER
    + "1,9/21/2015 9:10,ann.lee@kent.uk,Ann Lee,KP,Neglect;Domestic abuse;Cyber;Self-harm;\n"
    + "2,9/21/2015 9:11,bo.li@nhs.uk,Bo Li,nhs,Neglect;Online safety;Domestic abuse;Self-harm;\n"
)
PEOPLE = ("ann.lee", "Ann Lee", "bo.li", "Bo Li")


def write_board(folder, settings=SETTINGS, **files):
    """A board with ballots from a form; further files by name, with __ for the dot."""
    texts = {"issues__csv": ISSUES, "agencies__csv": AGENCIES, "votes__csv": VOTES, "pseudonym__key": "ab" * 32} | files
    for name, text in texts.items():
        if text is not None:
            (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    if (folder / "pseudonym.key").exists():
        (folder / "pseudonym.key").chmod(0o600)
    (folder / "board.toml").write_text(settings, encoding="utf-8")
    return folder


def said(folder):
    """All problems of a folder in sentences, as a check prints them."""
    board, problems = check_all(folder)
    return "\n".join(say_problems(problems, board.file_names, board.heights(TABLES)))


def ballots(folder):
    return read_board(folder).tables["ballots"]


def test_ballots_of_a_form_are_the_table_of_ballots(tmp_path):
    write_board(tmp_path)
    assert said(tmp_path) == ""
    found = ballots(tmp_path)
    assert found.columns == ["member", "agency", "issue", "rank"]
    assert found.select("agency", "issue", "rank").sort("agency", "rank").rows() == [
        ("Health", "Neglect", 1),
        ("Health", "Online safety", 2),
        ("Health", "Domestic abuse", 3),
        ("Health", "Self-harm", 4),
        ("Kent Police", "Neglect", 1),
        ("Kent Police", "Domestic abuse", 2),
        ("Kent Police", "Online safety", 3),
        ("Kent Police", "Self-harm", 4),
    ]
    assert found["member"].str.contains(r"^P[0-9a-f]{20}$").all()


def test_people_stand_in_no_table_problem_or_note_and_are_known_to_the_search_for_leaks(tmp_path):
    write_board(tmp_path, votes__csv=VOTES.replace("Cyber", "Ann Lee").replace(",nhs,", ",Bo Li,"))
    board, problems = check_all(tmp_path)
    text = said(tmp_path) + "\n".join(board.notes_of("ballots")) + str(problems.rows())
    assert problems.height == 2
    assert not any(person in text for person in PEOPLE)
    write_board(tmp_path)
    identities = read_board(tmp_path).identities()
    assert {"Ann Lee", "Lee Ann", "ann.lee@kent.uk", "bo.li@nhs.uk", "ab" * 32} <= set(identities)


def test_unknown_agency_is_reported_once_a_ballot_by_row_and_heading(tmp_path):
    write_board(tmp_path, votes__csv=VOTES.replace(",nhs,", ",Helth,"))
    problems = check_board(tmp_path)
    assert problems.select("table", "row", "column", "found").rows() == [
        ("ballots: votes.csv", 3, "Agency", '"Helth" Did you mean "Health"?')
    ]
    assert said(tmp_path).startswith('votes.csv, column Agency: 1 of 2 rows: row 3. Found: "Helth"')
    assert "Hint: add the agency to the agencies table" in said(tmp_path)
    with pytest.raises(TableError, match="column Agency"):
        ballots(tmp_path)


def test_key_is_needed(tmp_path):
    write_board(tmp_path, pseudonym__key=None)
    assert "safeguarding key" in said(tmp_path)


def test_ballots_come_from_one_place(tmp_path):
    write_board(tmp_path, ballots__csv="member,agency,issue,rank\nM1,Health,Neglect,1\n")
    assert "ballots must come from one place, and there are two" in said(tmp_path)


def test_export_may_be_called_as_the_table_is(tmp_path):
    write_board(tmp_path, SETTINGS.replace("votes.csv", "ballots.csv"), ballots__csv=VOTES, votes__csv=None)
    assert said(tmp_path) == ""
    assert ballots(tmp_path).height == 8


def test_table_of_issues_is_needed(tmp_path):
    write_board(tmp_path, issues__csv=None)
    assert "Put issues.csv into the folder" in said(tmp_path)


def test_missing_file_and_pattern_without_a_file_are_told(tmp_path):
    write_board(tmp_path, votes__csv=None)
    assert "votes.csv: file not found" in said(tmp_path)
    write_board(tmp_path, SETTINGS.replace("votes.csv", "in/*.csv"), votes__csv=None)
    assert 'no file matches "in/*.csv"' in said(tmp_path)


def test_data_version_follows_every_file_of_a_pattern(tmp_path):
    (tmp_path / "in").mkdir()
    write_board(tmp_path, SETTINGS.replace("votes.csv", "in/*.csv"), votes__csv=None)
    (tmp_path / "in" / "a.csv").write_text(VOTES, encoding="utf-8")
    first = read_board(tmp_path).data_version
    (tmp_path / "in" / "b.csv").write_text(HEADER + "3,9/21/2015 9:12,cy@x.uk,,KP,Self-harm;Neglect;\n", "utf-8")
    second = read_board(tmp_path).data_version
    (tmp_path / "in" / "b.csv").write_text(HEADER + "3,9/21/2015 9:12,cy@x.uk,,KP,Neglect;Self-harm;\n", "utf-8")
    assert len({first, second, read_board(tmp_path).data_version}) == 3
    assert ballots(tmp_path)["member"].n_unique() == 3


def test_file_that_changes_while_a_board_is_open_is_refused(tmp_path):
    write_board(tmp_path)
    board = read_board(tmp_path)
    assert board.data_version
    (tmp_path / "votes.csv").write_text(VOTES + VOTES.splitlines()[1] + "\n", encoding="utf-8")
    with pytest.raises(TableError, match="the file has changed since the board's folder was opened"):
        board.tables["ballots"]
    assert (
        read_board(tmp_path).tables["ballots"].height == 8
    )  # opened again, Ann's second ballot takes the first's place


def test_notes_tell_the_rule_for_second_ballots_and_what_to_look_at(tmp_path):
    again = "3,9/21/2015 9:30,ANN.LEE@kent.uk,Ann Lee,KP,Self-harm;\n"
    write_board(tmp_path, votes__csv=VOTES + again)
    notes = read_board(tmp_path).notes_of("ballots")
    assert (
        "ballots: 1 ballot is left out, as the last one of a member counts, by the time it was submitted "
        "(second_ballot under [ballots_export]): votes.csv row 2."
    ) in notes
    assert "ballots: 1 ballot ranks one issue only, and counts: row 4 of votes.csv." in notes


def test_ballots_left_as_the_form_listed_them_are_told_by_row(tmp_path):
    order = 'form_order = ["Neglect", "Domestic abuse", "Online safety", "Self-harm"]\n[ballots_export.columns]'
    write_board(tmp_path, SETTINGS.replace("[ballots_export.columns]", order))
    notes = read_board(tmp_path).notes_of("ballots")
    assert any("in which the form listed them" in note and note.endswith("row 2 of votes.csv.") for note in notes)


def test_order_of_a_form_that_is_not_of_the_issues_is_a_mistake_in_the_settings(tmp_path):
    order = 'form_order = ["Neglet", "Domestic abuse", "Online safety"]\n[ballots_export.columns]'
    write_board(tmp_path, SETTINGS.replace("[ballots_export.columns]", order))
    text = said(tmp_path)
    assert 'board.toml, setting ballots_export.form_order: an issue of the table issues Did you mean "Neglect"?' in text
    assert "Neglect, Self-harm missing" in text


def test_own_table_of_ballots_has_the_same_flags(tmp_path):
    rows = [
        *(f"M{member},Health,{issue},{place}" for member in range(4) for place, issue in enumerate("ABCDE", 1)),
        *(f"M9,Kent Police,{issue},{place}" for place, issue in enumerate("EDCBA", 1)),
    ]
    write_board(
        tmp_path,
        '[ballots_export]\nform_order = ["A", "B", "C", "D", "E"]\n',
        issues__csv="issue,description\n" + "".join(f"{issue},\n" for issue in "ABCDE"),
        ballots__csv="member,agency,issue,rank\n" + "\n".join(rows) + "\n",
        votes__csv=None,
    )
    assert said(tmp_path) == ""
    notes = read_board(tmp_path).notes_of("ballots")
    assert any("4 ballots leave the issues in the order" in note and "rows 2, 7, 12, 17" in note for note in notes)
    assert any("1 ballot is nearly the reverse" in note and note.endswith("row 22.") for note in notes)


def test_agencies_cannot_weigh_the_same_where_none_is_known(tmp_path):
    settings = SETTINGS.replace('agency = "Agency"\n', "") + '[priorities]\nweight = "agency"\n'
    write_board(tmp_path, settings, agencies__csv=None)
    assert 'weight = "agency" under [priorities] needs the agency of each ballot' in said(tmp_path)
    write_board(tmp_path, settings.replace('"agency"\n', '"member"\n'), agencies__csv=None)
    assert said(tmp_path) == ""
    assert ballots(tmp_path)["agency"].unique().to_list() == ["not stated"]


@pytest.mark.parametrize(("members", "refused"), [(1, True), (2, False), (3, False)])
def test_more_ballots_than_members_who_may_vote_are_refused(tmp_path, members, refused):
    write_board(tmp_path, SETTINGS + f"[priorities]\nmembers = {members}\n")
    assert ("there are ballots of 2 members, and only 1 may vote" in said(tmp_path)) == refused


PREFLIB = "# ALTERNATIVE NAME 1: Neglect\n# ALTERNATIVE NAME 2: Bullying\n# ALTERNATIVE NAME 3: Online safety\n2: 1,2\n"


def test_issues_of_preflib_are_those_of_the_file_where_the_folder_has_none(tmp_path):
    files = {"votes__csv": None, "issues__csv": None, "agencies__csv": None, "votes__soi": PREFLIB}
    write_board(tmp_path, '[ballots_export]\nfiles = ["votes.soi"]\n[priorities]\nseats = 2\n', **files)
    board = read_board(tmp_path)
    assert said(tmp_path) == ""
    assert board.issues() == ["Neglect", "Bullying", "Online safety"]  # also the one that nobody ranked
    assert board.tables["ballots"].group_by("issue").len().sort("issue").rows() == [("Bullying", 2), ("Neglect", 2)]
    assert board.notes_of("issues") == ["issues: the alternatives of votes.soi are taken."]
    assert set(board.identities().values()) == {"key"}


def test_issues_of_preflib_must_be_those_of_the_folder(tmp_path):
    files = {"votes__csv": None, "agencies__csv": None, "votes__soi": PREFLIB}
    write_board(tmp_path, '[ballots_export]\nfiles = ["votes.soi"]\n', **files)
    assert '"Bullying"' in said(tmp_path)


def test_broken_file_of_preflib_is_said_once_of_the_ballots(tmp_path):
    files = {"votes__csv": None, "agencies__csv": None, "issues__csv": None, "votes__soi": "2\n1,Neglect\n"}
    write_board(tmp_path, '[ballots_export]\nfiles = ["votes.soi"]\n', **files)
    assert said(tmp_path).count("\n") == 0
    assert "the format that PrefLib has had since 2022" in said(tmp_path)


def test_unknown_settings_are_told_with_the_nearest(tmp_path):
    (tmp_path / "board.toml").write_text("[ballots_export]\nfile = 'x.csv'\nsecond_balot = 'last'\n", encoding="utf-8")
    rules = read_config(tmp_path)[1]["rule"].to_list()
    assert any('Did you mean "files"?' in rule for rule in rules)
    assert any('Did you mean "second_ballot"?' in rule for rule in rules)


def test_new_settings_of_priorities_are_taken_and_checked(tmp_path):
    (tmp_path / "board.toml").write_text(
        '[priorities]\nmembers = 24\ncut_urgency = 3.5\ncut_importance = 2\nresample = "agency"\n', encoding="utf-8"
    )
    chosen = read_config(tmp_path)[0].priorities
    assert (chosen.members, chosen.cut_urgency, chosen.cut_importance, chosen.resample) == (24, 3.5, 2.0, "agency")
    (tmp_path / "board.toml").write_text(
        '[priorities]\nmembers = 0\ncut_urgency = nan\ncut_importance = -1\nresample = "board"\n', encoding="utf-8"
    )
    assert read_config(tmp_path)[1]["column"].sort().to_list() == [
        *("priorities.cut_importance", "priorities.cut_urgency", "priorities.members", "priorities.resample")
    ]


def test_board_without_files_has_no_ballots_of_others(tmp_path):
    assert BallotFiles({}, tmp_path, ()).list_issues is False
    write_board(tmp_path, "", votes__csv=None)
    assert "ballots" not in read_board(tmp_path).tables
    assert read_board(tmp_path).file_names["ballots"] == "ballots.csv"


def test_every_reader_gives_one_ballot_in_one_form(tmp_path):
    """The same ballot as a form, as a sheet of columns, as a sheet of its own and as PrefLib writes it."""
    names = issue_names(["Neglect", "Bullying"], {})
    section = BallotsExportSection(files=["votes.csv"], columns={"member": "Email", "agency": "Agency"})
    (tmp_path / "form.csv").write_text("Email,Agency,Rank\na@x.uk,Health,Bullying;Neglect;\n", encoding="utf-8")
    (tmp_path / "columns.csv").write_text("Email,Agency,Neglect,Bullying\na@x.uk,Health,2,1\n", encoding="utf-8")
    (tmp_path / "b.soc").write_text(
        "# ALTERNATIVE NAME 1: Neglect\n# ALTERNATIVE NAME 2: Bullying\n1: 2,1\n", encoding="utf-8"
    )
    with xlsxwriter.Workbook(tmp_path / "sheet.xlsx") as book:
        page = book.add_worksheet("Ballot")
        cells = [["Member code", "a@x.uk"], ["Agency", "Health"], ["Issue", "Your place"], ["Neglect", 2]]
        for number, row in enumerate([*cells, ["Bullying", 1]]):
            page.write_row(number, 0, row)
    form, columns = tmp_path / "form.csv", tmp_path / "columns.csv"
    read = [
        read_ballot_form(form, section, names, read_ballot_sheet(form)),
        read_ballot_columns(columns, section, names, read_ballot_sheet(columns)),
        read_ballot_workbook(tmp_path / "sheet.xlsx", names, ["Health"]),
        read_preflib(tmp_path / "b.soc", names),
    ]
    for each in read:
        assert each.problems.is_empty()
        assert dict(each.ballots.schema) == BALLOT_ROWS
        assert dict(each.papers.schema) == PAPERS
        assert each.ballots.sort("rank")["issue"].to_list() == ["Bullying", "Neglect"]
        assert each.ballots.sort("rank")["rank"].to_list() == [1, 2]
    assert [each.papers["agency"].item() for each in read] == ["Health", "Health", "Health", None]
    assert [each.papers["member"].item() for each in read] == ["a@x.uk", "a@x.uk", "a@x.uk", "ballot 1"]
    assert [each.height for each in read] == [1, 1, 2, 1]


def test_ballot_without_an_agency_is_said_once_in_one_of_the_rows_of_its_file(tmp_path):
    write_board(tmp_path, votes__csv=VOTES.replace(",nhs,", ",,"))
    problems = check_board(tmp_path)
    assert problems.select("table", "row", "column").rows() == [("ballots: votes.csv", 3, "Agency")]
    assert said(tmp_path).startswith("votes.csv, column Agency: 1 of 2 rows: row 3. ")
