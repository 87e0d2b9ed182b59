"""Ballots in workbooks that come back: handed out, filled in, saved by another program, read."""

from __future__ import annotations

import io
import re
from datetime import UTC, datetime
from zipfile import ZIP_DEFLATED, ZipFile

import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from safeguarding_analytics.ballot_sheets import Ballot, workbook_bytes
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.sources.ballot_workbooks import is_ballot_workbook, is_blank_ballot, read_ballot_workbook
from safeguarding_analytics.sources.files import read_sheet

ISSUES = ["Neglect", "Bullying", "Self-harm and suicide", "=Missing Children", "Online safety"]
ORDER = ["Online safety", "Neglect", "=Missing Children", "Self-harm and suicide", "Bullying"]
AGENCIES = ["Children, Families and Education", "Kent Police", "Health; Ashford"]
COVERS = {"Neglect": "Recognising it early", "=Missing Children": "+From home"}
BALLOT = Ballot("Ours & theirs", tuple((issue, COVERS.get(issue)) for issue in ISSUES), tuple(AGENCIES), seats=2)
CODE = "K7-Quartz"
"""A member code that stands nowhere else."""

SAVED = "2015-09-25T14:30:00Z"
SAVED_SECONDS = int(datetime(2015, 9, 25, 15, 30, tzinfo=UTC).timestamp())
"""That moment on a clock in London, which keeps summer time."""


def handed_out(path, ballot=BALLOT, order=ORDER):
    covers = dict(ballot.issues)
    path.write_bytes(workbook_bytes(ballot, [(issue, covers[issue]) for issue in order]))
    return path


def rows_by_label(path):
    """Row of a sheet by what stands in its first column."""
    cells = read_sheet(path.read_bytes(), path.name, "Ballot")[0].rows()
    return {row[0]: number for number, row in enumerate(cells, 1) if row[0]}


def filled(path, cells, saved=SAVED):
    """Write into the cells right of labels and issues, as a program saves them; numbers as numbers, texts as texts."""
    rows = rows_by_label(path)
    with ZipFile(path) as archive:
        parts = {name: archive.read(name).decode() for name in archive.namelist()}
    sheet = parts["xl/worksheets/sheet1.xml"]
    for label, value in cells.items():
        what = f"<v>{value}</v></c>" if not isinstance(value, str) else f"<is><t>{value}</t></is></c>"
        kind = ' t="inlineStr"' if isinstance(value, str) else ""
        sheet, changed = re.subn(
            rf'<c r="B{rows[label]}" s="(\d+)"/>', rf'<c r="B{rows[label]}" s="\1"{kind}>{what}', sheet
        )
        assert changed == 1
    parts["xl/worksheets/sheet1.xml"] = sheet
    if saved:
        parts["docProps/core.xml"] = re.sub(
            r"(<dcterms:modified[^>]*>)[^<]*", rf"\g<1>{saved}", parts["docProps/core.xml"]
        )
    content = io.BytesIO()
    with ZipFile(content, "w", ZIP_DEFLATED) as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    path.write_bytes(content.getvalue())
    return path


def ballot_in(tmp_path, cells, name="ballot_01.xlsx", **own):
    return filled(handed_out(tmp_path / name), {"Member code": CODE, **cells}, **own)


def retyped(path, *sheets, version=None):
    """A workbook of these sheets, each with its name and rows, as another program may save a ballot."""
    with xlsxwriter.Workbook(path) as book:
        if version is not None:
            book.set_custom_property("safeguarding_ballot", version)
        for name, rows in sheets:
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for column, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(number, column, cell)
                    elif cell is not None:
                        sheet.write_number(number, column, cell)
    return path


def sheet_of(*lines, member=CODE, agency="Kent Police", above=()):
    """Rows of a sheet with a ballot, without the sentences above it."""
    return [*above, ["Member code", member], ["Agency", agency], [], ["Issue", "Your place", "What it covers"], *lines]


def lists(*issues, version=1):
    return "Lists", [
        ["safeguarding_ballot", version],
        ["Agencies", "Issues as handed out"],
        *([None, each] for each in issues),
    ]


def read(path, issues=ISSUES, agencies=AGENCIES):
    return read_ballot_workbook(path, issues, agencies)


def ranks(path, **own):
    """Places by issue of a ballot in which nothing is wrong."""
    found = read(path, **own)
    assert found.problems.is_empty(), said(found)
    return dict(found.ballots.select("issue", "rank").iter_rows())


def said(found):
    return "\n".join(say_problems(found.problems, {}, {}))


def refused(path, **own):
    """What is said of a ballot of which nothing may be counted."""
    found = read(path, **own)
    assert found.papers.is_empty()
    assert found.ballots.is_empty()
    assert found.problems.height == 1
    return said(found)


def test_a_ballot_comes_back_as_it_was_filled_in(tmp_path):
    cells = {"Agency": "Kent Police", "Neglect": 1, "=Missing Children": 2, "Bullying": 2}
    path = ballot_in(tmp_path, cells)
    found = read(path)
    rows = rows_by_label(path)
    assert found.problems.is_empty()
    assert found.notes == ()
    assert found.papers.rows() == [("ballot_01.xlsx", rows["Issue"], CODE, "Kent Police", SAVED_SECONDS)]
    assert found.ballots.rows() == [
        ("ballot_01.xlsx", rows[issue], "Your place", CODE, issue, place)
        for issue, place in (("Neglect", 1), ("=Missing Children", 2), ("Bullying", 2))
    ]
    assert len(found.digest) == 64


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.dictionaries(st.sampled_from(ISSUES), st.integers(1, len(ISSUES))), st.permutations(ISSUES))
def test_any_places_on_any_copy_come_back(tmp_path, places, order):
    path = filled(handed_out(tmp_path / "ballot.xlsx", order=order), {"Agency": "Kent Police", **places})
    assert ranks(path) == places


@pytest.mark.parametrize(
    ("written", "place"), [(3, 3), ("3", 3), ("3.0", 3), ("3=", 3), ("=3", 3), (" 3 = ", 3), ("03", 3), ("3rd", 3)]
)
def test_a_place_may_be_written_in_several_ways(tmp_path, written, place):
    assert ranks(ballot_in(tmp_path, {"Neglect": written})) == {"Neglect": place}


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        (0, '"0"'),
        (6, '"6"'),
        (-1, '"-1"'),
        (1.5, '"1.5"'),
        ("1.", '"1."'),
        ("#1", '"#1"'),
        ("1,2", '"1,2"'),
        ("Jane Smith", "(not shown: it holds letters, so it could be a name)"),
        (CODE, "(not shown: it could identify a person)"),
        (f"{CODE.lower()}!", "(not shown: it could identify a person)"),
    ],
)
def test_what_is_no_place_is_reported_with_file_row_column_and_next_step(tmp_path, written, shown):
    path = ballot_in(tmp_path, {"Bullying": 1, "Neglect": written})
    found = read(path)
    assert said(found) == (
        f"ballots: ballot_01.xlsx, column Your place: 1 of 1 rows: row {rows_by_label(path)['Neglect']}. "
        f"Found: {shown}. Wanted: a whole number from 1 to 5, or nothing. Ask the member, and correct the cell."
    )
    assert found.ballots["issue"].to_list() == ["Bullying"]


def test_every_wrong_cell_is_reported_at_once(tmp_path):
    rows = sheet_of(["Neglect", 0], ["Bulying", 2], [None, 3], ["Online safety", 9], agency="Kent Polise")
    found = read(retyped(tmp_path / "b.xlsx", ("Ballot", rows), lists(*ISSUES)))
    table = "ballots: b.xlsx"
    assert found.problems.rows() == [
        (table, None, "Agency", "agency listed in the table agencies", '"Kent Polise" Did you mean "Kent Police"?'),
        (table, 5, "Your place", "a whole number from 1 to 5, or nothing. Ask the member, and correct the cell", '"0"'),
        (table, 8, "Your place", "a whole number from 1 to 5, or nothing. Ask the member, and correct the cell", '"9"'),
        (
            *(table, 6, "Issue", "an issue listed in the table issues. Put its name back as it was handed out"),
            '"Bulying" Did you mean "Bullying"?',
        ),
        (table, 7, "Issue", "an issue beside every place. Put its name back, or delete the place", None),
    ]


def test_an_issue_that_resembles_none_is_not_shown(tmp_path):
    rows = sheet_of(["Neglect", 1], ["Jane Smith", 2], ["Bullying"])
    found = read(retyped(tmp_path / "b.xlsx", ("Ballot", rows), lists(*ISSUES)))
    assert "Jane" not in said(found)
    assert "row 6" in said(found)


@pytest.mark.parametrize(
    ("name", "above"),
    [
        ("Ballot", []),
        ("Umfrage", []),
        ("Sheet1", [["Please return by Friday"], [], ["to the board office", None, "thanks"]]),
    ],
)
def test_the_table_is_found_on_a_renamed_sheet_and_below_rows_that_were_put_in(tmp_path, name, above):
    rows = sheet_of(["Neglect", 1], ["Bullying", 2], *([issue] for issue in ISSUES[2:]), above=above)
    path = retyped(tmp_path / "b.xlsx", lists(*ORDER), (name, rows))
    assert ranks(path) == {"Neglect": 1, "Bullying": 2}
    assert read(path).papers["row"].to_list() == [len(above) + 4]


def test_the_table_is_read_whatever_its_columns_stand_in_and_its_rows_order(tmp_path):
    rows = [
        [None, "Agency", None, "Kent Police"],
        [None, "Member code", 7],
        [None, "What it covers", "YOUR  PLACE", "issue"],
        *([None, "x", place, issue] for place, issue in ((1, "online SAFETY"), (2, "Neglect"), (None, "Bullying"))),
    ]
    found = read(retyped(tmp_path / "b.xlsx", ("Ballot", rows), version=1))
    assert found.papers.select("member", "agency").rows() == [("7", "Kent Police")]
    assert found.ballots.select("member", "issue", "rank").rows() == [("7", "Online safety", 1), ("7", "Neglect", 2)]


def test_a_code_of_digits_keeps_its_zeros(tmp_path):
    assert read(ballot_in(tmp_path, {"Member code": "007", "Neglect": 1})).papers["member"].to_list() == ["007"]


def test_an_issue_whose_row_was_deleted_is_not_ranked_and_noted(tmp_path):
    rows = sheet_of(["Neglect", 1], ["Bullying", 2], ["Online safety"])
    found = read(retyped(tmp_path / "b.xlsx", ("Ballot", rows), lists(*ISSUES)))
    assert found.problems.is_empty()
    assert found.ballots["issue"].to_list() == ["Neglect", "Bullying"]
    assert found.notes == (
        "2 issues have no row in it any more and count as not ranked: Self-harm and suicide, =Missing Children",
    )


def test_text_below_the_table_is_left_out_and_noted(tmp_path):
    rows = sheet_of(["Neglect", 1], *([issue] for issue in ISSUES[1:]), [], ["Thank you, Jane"])
    found = read(retyped(tmp_path / "b.xlsx", ("Ballot", rows), lists(*ISSUES)))
    assert found.notes == ("row 11 below its header: no issue of the board and no place, and so left out",)


def test_an_issue_twice_counts_once_and_is_refused_with_two_places(tmp_path):
    once = sheet_of(["Neglect", 1], ["neglect", 1], ["Bullying", 2])
    assert ranks(retyped(tmp_path / "a.xlsx", ("Ballot", once))) == {"Neglect": 1, "Bullying": 2}
    twice = sheet_of(["Neglect", 1], ["neglect", 3], ["Bullying", 2])
    assert said(read(retyped(tmp_path / "b.xlsx", ("Ballot", twice)))) == (
        'ballots: b.xlsx, column Issue: 2 of 2 rows: rows 5, 6. Found: "Neglect". Wanted: one row per issue. '
        "Ask the member which place counts, and delete the other row."
    )


def test_a_ballot_of_another_board_is_refused_and_named(tmp_path):
    path = ballot_in(tmp_path, {"Neglect": 1})
    assert refused(path, issues=["Neglect", "Bullying", "Gangs"]) == (
        "ballots: ballot_01.xlsx: the ballot must list the issues of this board: it lists Online safety, "
        "=Missing Children, Self-harm and suicide, which the table issues lacks; it lacks Gangs. "
        "If it is of another board, take it out; if the issues changed after it was handed out, hand out new ballots."
    )


def test_a_ballot_with_another_boards_issues_is_refused_where_the_hidden_sheet_is_lost_too(tmp_path):
    rows = sheet_of(["Neglect", 1], ["Gangs", 2], ["Knife crime", 3])
    path = retyped(tmp_path / "b.xlsx", ("Ballot", rows), version=1)
    assert "most of its issues are not in the table issues" in refused(path)


def test_a_ballot_that_lost_its_mark_is_read_by_its_headings_and_noted(tmp_path):
    path = retyped(tmp_path / "b.xlsx", ("Ballot", sheet_of(["Neglect", 1], ["Bullying", None])))
    assert not is_ballot_workbook(path)
    assert ranks(path) == {"Neglect": 1}
    assert read(path).notes == ("the mark of a ballot is lost from it, so that it was read by its headings",)


def test_a_workbook_that_is_no_ballot_is_refused(tmp_path):
    path = retyped(tmp_path / "minutes.xlsx", ("Sheet1", [["Actions", "Who"], ["Write to schools", "Jane"]]))
    assert refused(path) == (
        "ballots: minutes.xlsx: the workbook must be a ballot that safeguarding ballots wrote: no sheet has its "
        'headings "Issue" and "Your place". Take it out of the folder of ballots.'
    )


def test_a_ballot_without_its_headings_is_refused(tmp_path):
    rows = [["Member code", CODE], ["Topic", "Rank"], ["Neglect", 1]]
    path = retyped(tmp_path / "b.xlsx", ("Ballot", rows), lists(*ISSUES))
    assert "Put them back above their columns." in refused(path)


@pytest.mark.parametrize("version", [2, "new"])
def test_a_ballot_of_another_version_is_refused(tmp_path, version):
    rows = sheet_of(["Neglect", 1])
    for number, sheets in enumerate(([lists(*ISSUES, version=version)], [])):
        path = retyped(tmp_path / f"{number}.xlsx", ("Ballot", rows), *sheets, version=version)
        assert "the ballot must be one of version 1 for this program to read it" in refused(path)


def test_two_filled_ballots_in_one_workbook_are_refused_and_an_empty_second_one_is_not(tmp_path):
    one, other = sheet_of(["Neglect", 1], ["Bullying"]), sheet_of(["Neglect", 2], ["Bullying", 1])
    assert "2 of its sheets are filled in" in refused(retyped(tmp_path / "b.xlsx", ("A", one), ("B", other)))
    empty = sheet_of(["Neglect"], ["Bullying"], member=None, agency=None)
    assert ranks(retyped(tmp_path / "c.xlsx", ("A", empty), ("B", other))) == {"Neglect": 2, "Bullying": 1}


@pytest.mark.parametrize("written", ["Kent Police", "kent  police", " KENT POLICE "])
def test_an_agency_is_found_whatever_its_case_and_spaces(tmp_path, written):
    assert read(ballot_in(tmp_path, {"Agency": written, "Neglect": 1})).papers["agency"].to_list() == ["Kent Police"]


@pytest.mark.parametrize("agency", AGENCIES)
def test_an_agency_with_a_comma_or_semicolon_in_its_name_is_one(tmp_path, agency):
    assert read(ballot_in(tmp_path, {"Agency": agency, "Neglect": 1})).papers["agency"].to_list() == [agency]


@pytest.mark.parametrize(
    ("written", "shown", "rule"),
    [
        ("Kent Polis", '"Kent Polis" Did you mean "Kent Police"?', "agency listed in the table agencies"),
        (
            "Jane Smith",
            "(not shown: it stands in one row only and resembles no allowed word)",
            "agency listed in the table agencies",
        ),
        (
            "Kent Police / children, families and education",
            '"Children, Families and Education", "Kent Police"',
            "one agency: the one the member votes for",
        ),
    ],
)
def test_an_agency_that_is_not_known_and_two_of_them_are_reported(tmp_path, written, shown, rule):
    found = read(ballot_in(tmp_path, {"Agency": written, "Neglect": 1}))
    assert (found.papers["agency"].to_list(), found.ballots.height) == ([written], 0)
    assert found.problems.rows() == [("ballots: ballot_01.xlsx", None, "Agency", rule, shown)]


def test_a_member_code_in_place_of_the_agency_is_not_shown(tmp_path):
    found = read(ballot_in(tmp_path, {"Agency": CODE, "Neglect": 1}))
    assert found.problems.height == 1
    assert CODE not in said(found)


def test_any_agency_stands_where_the_board_lists_none(tmp_path):
    found = read(ballot_in(tmp_path, {"Agency": "Parish clerk", "Neglect": 1}), agencies=[])
    assert found.papers["agency"].to_list() == ["Parish clerk"]


def test_a_ballot_without_code_and_agency_is_anonymous(tmp_path):
    found = read(filled(handed_out(tmp_path / "b.xlsx"), {"Neglect": 1}))
    assert found.papers.select("member", "agency").rows() == [(None, None)]
    assert found.ballots["member"].to_list() == [None]
    assert found.notes == ("it has no member code, so that it counts as anonymous",)


def test_two_ballots_of_one_member_are_both_read(tmp_path):
    first = ballot_in(tmp_path, {"Neglect": 1}, "one.xlsx")
    second = ballot_in(tmp_path, {"Neglect": 2}, "two.xlsx", saved="2015-09-26T09:00:00+01:00")
    read_both = [read(path).papers.row(0, named=True) for path in (first, second)]
    assert [paper["member"] for paper in read_both] == [CODE, CODE]
    assert read_both[1]["submitted"] - read_both[0]["submitted"] == (17 * 60 + 30) * 60  # 14:30 to 08:00 UTC


@pytest.mark.parametrize("saved", [None, "yesterday"])
def test_a_time_of_saving_that_is_not_known_is_null(tmp_path, saved):
    found = read(ballot_in(tmp_path, {"Neglect": 1}, saved=saved))
    assert found.papers["submitted"].to_list() == [None]


def test_a_ballot_that_nobody_filled_in_is_no_paper(tmp_path):
    path = handed_out(tmp_path / "ballot.xlsx")
    found = read(path)
    assert (found.papers.height, found.ballots.height, found.problems.height) == (0, 0, 0)
    assert found.notes == ("nothing is filled in, so that it is no ballot",)
    assert is_blank_ballot(path)


def test_a_ballot_that_ranks_nothing_is_a_paper(tmp_path):
    path = ballot_in(tmp_path, {})
    found = read(path)
    assert (found.papers.height, found.ballots.height) == (1, 0)
    assert found.notes == ("no issue is ranked in it",)
    assert not is_blank_ballot(path)


@pytest.mark.parametrize("label", ["Member code", "Agency", "Neglect"])
def test_one_cell_filled_in_makes_a_ballot_one_that_may_not_be_lost(tmp_path, label):
    path = handed_out(tmp_path / "b.xlsx")
    assert is_blank_ballot(path)
    assert not is_blank_ballot(filled(path, {label: 1 if label == "Neglect" else "x"}))


def test_places_left_in_the_order_handed_out_are_noted(tmp_path):
    order = "in the order in which the issues were handed out"
    note = f"its places run 1, 2, 3 … {order}. Ask the member whether that is meant"
    down = {issue: place for place, issue in enumerate(ORDER, 1)}
    assert read(ballot_in(tmp_path, down)).notes == (note,)
    assert read(ballot_in(tmp_path, down | {ORDER[0]: 2, ORDER[1]: 1})).notes == ()
    assert read(ballot_in(tmp_path, dict(list(down.items())[:3]))).notes == ()
    sorted_later = sheet_of(*([issue, ISSUES.index(issue) + 1] for issue in sorted(ISSUES)))
    assert read(retyped(tmp_path / "c.xlsx", ("Ballot", sorted_later), lists(*ISSUES))).notes == (note,)


def test_the_lock_file_of_an_open_ballot_is_left_out_and_noted(tmp_path):
    path = tmp_path / "~$ballot_01.xlsx"
    path.write_bytes(b"\x05Jane ")
    found = read(path)
    assert (found.papers.height, found.problems.height) == (0, 0)
    assert found.notes == ("a ballot is open in a program, which keeps this file beside it; it was left out",)
    assert not is_ballot_workbook(path)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "take the password away, and save it as a workbook"),
        (b"PK\x03\x04 cut off", "Ask for it again"),
        (b"member,issue\n", "Ask for it again"),
    ],
)
def test_a_workbook_that_cannot_be_opened_is_reported_with_what_to_do(tmp_path, content, why):
    path = tmp_path / "b.xlsx"
    path.write_bytes(content)
    assert why in refused(path)
    assert not is_ballot_workbook(path)
    assert not is_blank_ballot(path)


def test_a_file_that_is_missing_or_empty_raises(tmp_path):
    with pytest.raises(TableError, match="file not found"):
        read(tmp_path / "none.xlsx")
    (tmp_path / "empty.xlsx").touch()
    with pytest.raises(TableError, match="the file is empty"):
        read(tmp_path / "empty.xlsx")


def test_a_ballot_is_known_by_either_mark_and_nothing_else_is_one(tmp_path):
    assert is_ballot_workbook(handed_out(tmp_path / "ballot.xlsx"))
    rows = sheet_of(["Neglect", 1])
    assert is_ballot_workbook(retyped(tmp_path / "property.xlsx", ("Ballot", rows), version=1))
    assert is_ballot_workbook(retyped(tmp_path / "sheet.xlsx", ("Ballot", rows), lists(*ISSUES)))
    assert not is_ballot_workbook(retyped(tmp_path / "none.xlsx", ("Ballot", [["Issue"]])))
    (tmp_path / "ballots.csv").write_text("member,agency,issue,rank\n")
    assert not is_ballot_workbook(tmp_path / "ballots.csv")
    assert not is_ballot_workbook(tmp_path / "missing.xlsx")
    assert not is_ballot_workbook(tmp_path)


def test_a_member_code_is_in_no_message(tmp_path):
    cells = {"Agency": CODE, "Neglect": CODE, "Bullying": f"({CODE})", "Online safety": 0}
    found = read(ballot_in(tmp_path, cells))
    assert found.problems.height == 4
    assert CODE.casefold() not in (said(found) + " ".join(found.notes)).casefold()


def test_forty_issues_and_a_hundred_agencies_come_back(tmp_path):
    issues = [f"Issue {number} of the board, which has quite a long name" for number in range(1, 41)]
    agencies = tuple(f"Agency {number} with a name" for number in range(100))
    ballot = Ballot("Ours", tuple((issue, "Covers much. " * 10) for issue in issues), agencies)
    places = {issue: 41 - number for number, issue in enumerate(issues, 1)}
    path = filled(handed_out(tmp_path / "b.xlsx", ballot, issues[::-1]), {"Agency": agencies[-1], **places})
    assert ranks(path, issues=issues, agencies=agencies) == places
    assert read(path, issues, agencies).papers["agency"].to_list() == [agencies[-1]]
