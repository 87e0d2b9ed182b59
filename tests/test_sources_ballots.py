"""Ballots as they come, from forms, spreadsheets and PrefLib → one ballot per member, with nobody in it."""

import codecs
import json
import random
import re
from datetime import datetime, timedelta
from pathlib import Path
from zipfile import ZIP_DEFLATED, ZipFile

import polars as pl
import pytest
import xlsxwriter
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal
from pydantic import ValidationError

from safeguarding_analytics.ballot_flags import left_in_order, nearly_reversed, say_ballots
from safeguarding_analytics.ballot_settings import BallotsExportSection
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.pseudonyms import Key
from safeguarding_analytics.sources.ballot_cells import issue_names, place_of
from safeguarding_analytics.sources.ballot_columns import issue_of_heading
from safeguarding_analytics.sources.ballot_forms import take_apart
from safeguarding_analytics.sources.ballots import ballot_files, read_ballots
from safeguarding_analytics.sources.export_dates import second_of_day

VOTES = Path(__file__).parents[2] / "shared" / "data" / "votes"
KEY = Key(bytes(range(32)))
ISSUES = ["Neglect", "Domestic abuse; at home", "Online safety", "Self-harm (and suicide), pathways"]
N, D, O, S = ISSUES  # noqa: E741 - the issues by their first letters
AGENCIES = ["Kent Police", "Health", "Kent County Council"]
WORDS = {"agency": {"KP": "Kent Police", "KCC": "Kent County Council"}, "issue": {"Cyber": "Online safety"}}
RANKING = "Rank these issues, the most important first"
HEADINGS = ["ID", "Start time", "Completion time", "Email", "Name", "Agency?", RANKING]
COLUMNS = {"member": "Email", "agency": "Agency?", "submitted": "Completion time"}
ANN = ["1", "9/21/2015 9:00:00", "9/21/2015 9:10:00", "ann.lee@kent.gov.uk", "Ann Lee", "KP"]
BO = ["2", "9/21/2015 9:00:00", "9/21/2015 9:11:00", "bo.li@nhs.uk", "Bo Li", "Health"]
CY = ["3", "9/21/2015 9:00:00", "9/21/2015 9:12:00", "cy.lo@kent.gov.uk", "Cy Lo", "KCC"]
PEOPLE = ("ann.lee", "Ann Lee", "bo.li", "Bo Li", "cy.lo", "Cy Lo")


def cell(*issues):
    """A cell as Microsoft Forms writes it."""
    return "".join(f"{issue};" for issue in issues)


def quoted(text):
    return '"' + str(text).replace('"', '""') + '"' if text is not None else ""


def write_csv(folder, rows, file="votes.csv", *, encoding="utf-8", separator=",", end="\r\n"):
    lines = [separator.join(map(quoted, row)) for row in rows]
    (folder / file).write_bytes(("\r\n".join(lines) + end).encode(encoding))
    return folder


def write_sheet(folder, rows, file="votes.xlsx", sheet="Sheet1"):
    with xlsxwriter.Workbook(folder / file) as book:
        page = book.add_worksheet(sheet)
        day = book.add_format({"num_format": "m/d/yy h:mm:ss"})
        for number, row in enumerate(rows):
            for place, each in enumerate(row):
                if isinstance(each, datetime):
                    page.write_datetime(number, place, each, day)
                elif each is not None:
                    page.write(number, place, each)
    return folder


def read(folder, *files, issues=ISSUES, agencies=AGENCIES, **chosen):
    chosen = {"columns": COLUMNS} | chosen
    section = BallotsExportSection(files=list(files) or ["votes.csv"], **chosen)
    found = ballot_files(folder, section.files)
    return read_ballots(found, section, KEY, issues=issues, agencies=agencies, words=WORDS)


def said(export):
    """Everything that is said of an export: problems in sentences, and notes."""
    return "\n".join([*say_problems(export.in_its_words(export.problems.clear()), {}, {}), *export.notes])


def orders(export):
    """The issues of each ballot in their order, ties together, by agency and ballot."""
    rows = export.ballots.with_columns(pl.col("rank").cast(pl.Int64)).sort("row_number")
    found = []
    for _, ballot in rows.group_by("member", maintain_order=True):
        places = ballot.sort("rank").group_by("rank", maintain_order=True)
        found.append((ballot["agency"][0], [sorted(each["issue"]) for _, each in places]))
    return found


def strictly(agency, *issues):
    return (agency, [[issue] for issue in issues])


def form(folder, *rows, **how):
    return write_csv(folder, [HEADINGS, *rows], **how)


def test_ranking_of_a_form_becomes_ballots_without_people(tmp_path):
    form(tmp_path, [*ANN, cell(N, D, O, S)], [*BO, cell(S, O, D, N)])
    export = read(tmp_path)
    ann, bo = (KEY.pseudonym(address) for address in ("ann.lee@kent.gov.uk", "bo.li@nhs.uk"))
    expected = pl.DataFrame(
        {
            "member": [ann] * 4 + [bo] * 4,
            "agency": ["Kent Police"] * 4 + ["Health"] * 4,
            "issue": [N, D, O, S, S, O, D, N],
            "rank": ["1", "2", "3", "4"] * 2,
            "row_number": range(1, 9),
        },
        schema_overrides={"row_number": pl.Int64},
    )
    assert_frame_equal(export.ballots, expected)
    assert export.problems.is_empty()
    assert export.notes == (
        'votes.csv: column "Completion time" is read with the month first, as in 05/31/2011',
        "ballots: 2 ballots counted, place 1 as the most important (worst_first is not set under [ballots_export])",
        "ballots: nobody sent a second ballot; the last one of a member counts, by the time it was submitted "
        "(second_ballot under [ballots_export])",
    )
    assert not any(person in said(export) for person in PEOPLE)


def test_workbook_of_a_form_is_read_with_its_real_times(tmp_path):
    times = [datetime(2015, 9, 21, 9, 0), datetime(2015, 9, 21, 9, 10)]
    rows = [[1, *times, *ANN[3:], cell(N, D, O, S)], [2, *times, *BO[3:], cell(D, N, O, S)]]
    write_sheet(tmp_path, [HEADINGS, *rows])
    assert orders(read(tmp_path, "votes.xlsx")) == [strictly("Kent Police", N, D, O, S), strictly("Health", D, N, O, S)]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_text_files_of_any_office_are_read(tmp_path, encoding, separator):
    form(tmp_path, [*ANN, cell(N, D, O, S)], [*BO, cell(D, N, O, S)], encoding=encoding, separator=separator)
    assert orders(read(tmp_path)) == [strictly("Kent Police", N, D, O, S), strictly("Health", D, N, O, S)]


@pytest.mark.parametrize(
    "written",
    [
        "neglect; DOMESTIC  abuse; at home; Online\xa0safety;Self\u2011harm (and suicide), pathways;",
        "Neglect;Domestic abuse; at home;Cyber;Self-harm (and suicide), pathways",
        ";Neglect;;Domestic abuse; at home ; online safety;Self\u2013harm (and suicide), pathways;;",
        "Neglect;\nDomestic abuse;\nat home;\nOnline safety;\nSelf-harm (and suicide), pathways;\n",
    ],
)
def test_names_of_issues_are_found_in_any_case_and_spacing(tmp_path, written):
    form(tmp_path, [*ANN, written])
    assert orders(read(tmp_path)) == [strictly("Kent Police", N, D, O, S)]


def test_issue_that_is_part_of_another_is_told_from_it():
    names = issue_names(["Abuse", "Abuse; at home", "at home and abroad"], {})
    assert take_apart("Abuse; at home;Abuse;", names).issues == ("Abuse; at home", "Abuse")
    assert take_apart("Abuse;at home and abroad;", names).issues == ("Abuse", "at home and abroad")


def test_cell_with_two_readings_takes_the_one_without_a_repeat_or_is_refused(tmp_path):
    issues = ["A", "B", "A;B"]
    names = issue_names(issues, {})
    assert take_apart("B;A;A;B;", names).issues == ("B", "A", "A;B")  # B, A, A, B would repeat
    assert take_apart("A;B;", names).ambiguous  # A, then B, or A;B alone
    assert take_apart("A;B;A;B;", names).ambiguous
    form(tmp_path, [*ANN, "A;B;"])
    assert "can be read in one way only" in said(read(tmp_path, issues=issues))


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_any_order_of_issues_with_punctuation_is_read_back(data):
    text = st.text(alphabet="ab c;.,-()", min_size=1, max_size=8)
    drawn = data.draw(st.lists(text, min_size=1, max_size=6))
    kept = {}
    for issue in drawn:
        plain = ";".join(filter(None, (" ".join(part.split()) for part in issue.split(";"))))
        if plain:
            kept.setdefault(plain, issue)
    issues = list(kept.values())
    order = data.draw(st.permutations(issues))
    try:
        names = issue_names(issues, {})
    except TableError:  # two issues that read the same
        names = None
    assume(names is not None)
    found = take_apart(cell(*order), names)
    if any(";" in issue.strip(" ;") for issue in issues):
        assert found.ambiguous or found.issues == tuple(order)
    else:
        assert (found.issues, found.unknown, found.ambiguous) == (tuple(order), (), False)


def test_two_issues_that_read_the_same_are_refused():
    with pytest.raises(TableError, match='"Neglect" and "NEGLECT " read the same'):
        issue_names(["Neglect", "NEGLECT "], {})


def test_unknown_issue_is_reported_with_the_nearest_and_shown_only_if_it_is_nobodys_own(tmp_path):
    form(tmp_path, [*ANN, "Neglet;Online safety;"], [*BO, "Ask my boss Jane Smith;Neglect;"], [*CY, cell(N)])
    text = said(read(tmp_path))
    assert '"Neglet" Did you mean "Neglect"?' in text
    assert "Jane" not in text
    assert "rows 2, 3" in text


def test_issue_twice_in_a_cell_is_refused(tmp_path):
    form(tmp_path, [*ANN, cell(N, O, N)])
    assert 'Found: "Neglect". Wanted: each issue once.' in said(read(tmp_path))


def test_ranking_question_is_found_by_itself_and_asked_for_where_there_are_two(tmp_path):
    write_csv(tmp_path, [[*HEADINGS, "Last year"], [*ANN, cell(N, O), cell(O, N)]])
    assert "Name the question in which the issues were ranked" in said(read(tmp_path))
    assert orders(read(tmp_path, columns={**COLUMNS, "ranking": "Last year"})) == [strictly("Kent Police", O, N)]


def test_answers_to_other_questions_are_no_columns_of_issues(tmp_path):
    write_csv(tmp_path, [[*HEADINGS, "Most urgent?"], [*ANN, cell(N, O, D), N]])
    assert orders(read(tmp_path)) == [strictly("Kent Police", N, O, D)]


def test_rankings_without_a_header_are_not_quoted(tmp_path):
    write_sheet(tmp_path, [["x", cell(N, O), cell(O, N)], ["y", cell(O, N), cell(N, O)]])
    assert said(read(tmp_path, "votes.xlsx", columns={})).startswith("ballots: votes.xlsx: there is no header above")


def test_format_that_cannot_be_told_is_asked_for(tmp_path):
    write_csv(tmp_path, [HEADINGS, [*ANN, "Yes"]])
    assert 'Set format = "forms", "columns" or "sheets"' in said(read(tmp_path))


# ------------------------------------------------------------------------------------------------- columns

PLACES = [
    ["Email", "Agency?", *ISSUES],
    ["a@x.uk", "KP", "1", "2", "3", "4"],
    ["b@x.uk", "Health", "2=", "", "1st", "=2"],
]
BARE = {"member": "Email", "agency": "Agency?"}


def test_column_per_issue_with_ties_and_unranked_issues(tmp_path):
    write_csv(tmp_path, PLACES)
    expected = [strictly("Kent Police", N, D, O, S), ("Health", [[O], [N, S]])]
    assert orders(read(tmp_path, columns=BARE)) == expected


def test_headings_may_hold_the_question_before_the_issue(tmp_path):
    header = ["Email", "Agency?", *(f"Place of each issue? [{issue}]" for issue in ISSUES)]
    write_csv(tmp_path, [header, *PLACES[1:]])
    assert orders(read(tmp_path, columns=BARE))[0] == strictly("Kent Police", N, D, O, S)
    names = issue_names(["Neglect [new]", "Neglect"], {})
    assert issue_of_heading("Place? [Neglect [new]]", names) == "Neglect [new]"
    assert issue_of_heading("Place? - Neglect", names) == "Neglect"
    assert issue_of_heading("Why Neglect?", names) is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        *[(text, 2) for text in ("2", " 2 ", "2nd", "2=", "=2", "2.0", "2nd=", "2ND", "02")],
        *[(text, None) for text in ("0", "-1", "1.5", "2.", "two", "2/3", "1 or 2", "", "²", "1e1", "#REF!")],
        *[("15", 15), ("16", None), ("99", None), ("12345", None)],
    ],
)
def test_cell_is_a_place_or_not(written, expected):
    assert place_of(written, 15) == expected


def test_cells_that_are_no_place_are_refused_by_row_and_column(tmp_path):
    rows = [["a@x.uk", "KP", "1", "2", "3", "0"], ["b@x.uk", "KP", "first", "1.5", "3", "4"]]
    write_csv(tmp_path, [PLACES[0], *rows])
    problems = read(tmp_path, columns=BARE).problems.sort("row", "column")
    assert problems.select("table", "row", "column").rows() == [
        ("ballots: votes.csv", 2, S),
        ("ballots: votes.csv", 3, D),
        ("ballots: votes.csv", 3, N),
    ]
    assert problems["found"].to_list()[:2] == ['"0"', '"1.5"']
    assert "first" not in str(problems["found"][2])
    assert problems["rule"].str.starts_with("a place from 1 to 4, such as 1, 2 or 2=").all()


def test_points_are_no_places(tmp_path):
    write_csv(tmp_path, [PLACES[0], ["a@x.uk", "KP", "10", "40", "20", "30"]])
    assert read(tmp_path, columns=BARE).problems["found"].sort().to_list() == ['"10"', '"20"', '"30"', '"40"']


def test_issue_without_a_column_is_named_with_the_nearest_heading(tmp_path):
    write_csv(tmp_path, [["Email", "Agency?", "Neglet", D, O, S], *PLACES[1:]])
    text = said(read(tmp_path, columns=BARE))
    assert 'no column has the issue "Neglect" above it. Did you mean "Neglet"?' in text


def test_column_that_stands_twice_or_is_no_issue_is_refused(tmp_path):
    write_csv(tmp_path, [["Email", "Agency?", *ISSUES, "Place? [Neglect]"], ["a@x.uk", "KP", *"12341"]])
    assert '"Neglect" stands above 2 columns' in said(read(tmp_path, columns=BARE))
    header = ["Email", "Agency?", *(f"P? [{issue}]" for issue in ISSUES), "P? [Bullying]"]
    write_csv(tmp_path, [header, ["a@x.uk", "KP", *"12345"]])
    assert '"P? [Bullying]" is not in the table issues' in said(read(tmp_path, columns=BARE))


def test_rows_of_totals_are_no_ballots(tmp_path):
    write_csv(tmp_path, [*PLACES, ["Total", "", "3", "2", "4", "6"], ["Mean rank", "", "1.5", "2", "2", "3"]])
    export = read(tmp_path, columns=BARE)
    assert len(orders(export)) == 2
    assert "votes.csv: 2 rows of totals or means left out: rows 4, 5" in export.notes


# ------------------------------------------------------------------------------------------------- PrefLib

HEAD = "# TITLE: Board\n" + "".join(
    f"# ALTERNATIVE NAME {number}: {name}\n" for number, name in enumerate(["Neglect", "Online safety", "Bullying"], 1)
)


def preflib(folder, lines, file="board.toi", head=HEAD):
    (folder / file).write_text(head + lines, encoding="utf-8")
    return folder


def of_file(folder, file="board.toi", **how):
    return read(folder, file, **({"issues": None, "agencies": None, "columns": {}} | how))


def test_votes_of_preflib_become_ballots_of_their_own(tmp_path):
    preflib(tmp_path, "2: 3,{1,2}\n1: 2\n")
    export = of_file(tmp_path)
    tied = ("not stated", [["Bullying"], ["Neglect", "Online safety"]])
    assert orders(export) == [tied, tied, strictly("not stated", "Online safety")]
    assert export.problems.is_empty()
    assert any("3 ballots do not say whose" in note for note in export.notes)


def test_alternatives_of_preflib_are_issues_of_the_board_or_refused(tmp_path):
    preflib(tmp_path, "1: 1,2\n")
    text = said(of_file(tmp_path, issues=["Neglect", "Online safety", "Bulling"]))
    assert '"Bullying" Did you mean "Bulling"?' in text


@pytest.mark.parametrize(
    ("lines", "file", "wanted"),
    [
        ("1: 1,2\nx: 1\n", "b.toi", "row 6"),
        ("1: 1,,2\n", "b.toi", "row 5"),
        ("1: 1,2,\n", "b.toi", "row 5"),
        ("1: {1,2\n", "b.toi", "row 5"),
        ("0: 1\n", "b.toi", "row 5"),
        ("1: 1,{}\n", "b.toi", "row 5"),
        ("1:\n", "b.toi", "row 5"),
        ("1, 1, 2\n", "b.toi", "row 5"),
        ("1: 1,9\n", "b.toi", "numbers of alternatives"),
        ("1: 1,1\n", "b.toi", "each alternative once"),
        ("1: 1,{2,3}\n", "b.soc", "no ties"),
        ("1: 1,2\n", "b.soc", "all alternatives"),
        ("1: 1,{2,3}\n", "b.soi", "no ties"),
        ("1: 1,{2}\n", "b.toc", "all alternatives"),
        ("# NUMBER VOTERS: 5\n1: 1,2\n", "b.toi", "Is the file cut off"),
        ("# ALTERNATIVE NAME 1: Once more\n1: 1,2\n", "b.toi", "a number of its own"),
        ("600000: 1,2\n600000: 2,1\n", "b.toi", "1,200,000 votes"),
        ("1: 1,2\n", "b.cat", "holds no single ballots"),
    ],
)
def test_malformed_files_of_preflib_are_refused_with_their_lines(tmp_path, lines, file, wanted):
    preflib(tmp_path, lines, file)
    export = of_file(tmp_path, file) if not file.endswith(".cat") else of_file(tmp_path, file, issues=["Neglect"])
    assert wanted in said(export)
    assert export.ballots.is_empty()


def test_earlier_format_of_preflib_is_refused(tmp_path):
    (tmp_path / "board.soc").write_text("2\n1,Neglect\n2,Bullying\n3,3,1\n3,1,2\n", encoding="utf-8")
    assert "the format that PrefLib has had since 2022" in said(of_file(tmp_path, "board.soc"))


@pytest.mark.skipif(not VOTES.is_dir(), reason="the elections of ../shared/data/votes are not there")
def test_elections_written_as_preflib_does_have_their_head_to_head_counts(tmp_path):
    """results.ignore.pairwise: voters who put one above another, where they ranked both (see SOURCES.md there)."""
    paths = sorted(VOTES.glob("*.json"))
    assert len(paths) == 9
    for path in paths:
        election = json.loads(path.read_text(encoding="utf-8"))
        file = write_election(tmp_path, election)
        export = of_file(tmp_path, file)
        assert export.problems.is_empty(), path.name
        assert export.ballots["member"].n_unique() == election["n_voters"]
        rows = export.ballots.select("member", "issue", pl.col("rank").cast(pl.Int64))
        pairs = rows.join(rows, on="member", suffix="_other").filter(pl.col("rank") < pl.col("rank_other"))
        counted = {
            (one, other): votes for one, other, votes in pairs.group_by("issue", "issue_other").len().iter_rows()
        }
        expected = {
            (one, other): votes
            for one, row in zip(election["names"], election["results"]["ignore"]["pairwise"], strict=True)
            for other, votes in zip(election["names"], row, strict=True)
            if votes
        }
        assert counted == expected, path.name


def write_election(folder, election):
    """An election in the format that PrefLib has had since 2022."""
    head = [f"# FILE NAME: {election['id']}", f"# NUMBER ALTERNATIVES: {election['n_candidates']}"]
    head += [f"# NUMBER VOTERS: {election['n_voters']}", f"# NUMBER UNIQUE ORDERS: {len(election['ballots'])}"]
    head += [f"# ALTERNATIVE NAME {number}: {name}" for number, name in enumerate(election["names"], 1)]
    for ballot in election["ballots"]:
        groups = [",".join(str(each + 1) for each in group) for group in ballot["order"]]
        head.append(f"{ballot['count']}: " + ",".join(f"{{{each}}}" if "," in each else each for each in groups))
    (folder / election["id"]).write_text("\n".join(head) + "\n", encoding="utf-8")
    return election["id"]


# ------------------------------------------------------------------------------------------------- which ballots count


def test_of_several_ballots_the_last_counts_by_its_time_and_the_others_are_told(tmp_path):
    early = [*ANN[:2], "9/20/2015 8:00:00", "ANN.LEE@kent.gov.uk ", *ANN[4:]]
    form(tmp_path, [*ANN, cell(N, D, O, S)], [*early, cell(S, O, D, N)], [*BO, cell(D, N, O, S)])
    export = read(tmp_path)
    assert orders(export) == [strictly("Kent Police", N, D, O, S), strictly("Health", D, N, O, S)]
    assert (
        "ballots: 1 ballot is left out, as the last one of a member counts, by the time it was submitted "
        "(second_ballot under [ballots_export]): votes.csv row 3"
    ) in export.notes
    first = dict(orders(read(tmp_path, second_ballot="first")))
    assert first["Kent Police"] == [[S], [O], [D], [N]]
    refused = said(read(tmp_path, second_ballot="refuse"))
    assert "rows 2, 3" in refused
    assert "several ballots of one member are refused" in refused


def test_without_times_the_order_of_rows_decides(tmp_path):
    write_csv(tmp_path, [PLACES[0], ["a@x.uk", "KP", *"1234"], ["a@x.uk", "KP", *"4321"]])
    export = read(tmp_path, columns=BARE)
    assert orders(export) == [strictly("Kent Police", S, O, D, N)]
    assert any("by file and row" in note for note in export.notes)


def test_mistake_on_a_ballot_that_does_not_count_is_no_problem(tmp_path):
    later = [*ANN[:2], "9/22/2015 9:10:00", *ANN[3:]]
    form(tmp_path, [*ANN, "Neglet;"], [*later, cell(N, D, O, S)])
    export = read(tmp_path)
    assert export.problems.is_empty()
    assert len(orders(export)) == 1
    form(tmp_path, [*later, "Neglet;"], [*ANN, cell(N, D, O, S)])
    assert not read(tmp_path).problems.is_empty()  # here it is the one that counts


def test_late_ballots_are_left_out_and_counted(tmp_path):
    form(tmp_path, [*ANN, cell(N, D, O, S)], [*BO, cell(D, N, O, S)], [*CY, cell(S, D, N, O)])
    export = read(tmp_path, closes=datetime(2015, 9, 21, 9, 11))  # the minute itself is in time
    assert [agency for agency, _ in orders(export)] == ["Kent Police", "Health"]
    assert any("1 ballot is submitted after 2015-09-21 09:11" in note and "row 4" in note for note in export.notes)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("24/09/2015", "00:00:00"),
        ("Thu 24.09.2015", "00:00:00"),
        ("24. 09.15", "00:00:00"),
        ("24/09/2015 16:30", "16:30:00"),
        ("Thu 24.09.2015 16:30", "16:30:00"),
        ("Thursday, 24.09.2015 16.30", "16:30:00"),
        ("24.09.2015  16.30.05", "16:30:05"),
        ("24/09/2015, 16:30:05", "16:30:05"),
        ("24/09/2015 4:30 pm", "16:30:00"),
        ("24/09/2015 4:30PM", "16:30:00"),
        ("24/09/2015 4:30:05 P.M.", "16:30:05"),
        ("24/09/2015 4.30 a.m.", "04:30:00"),
        ("24/09/2015 12:05 am", "00:05:00"),
        ("24/09/2015 12:05 p.m", "12:05:00"),
        ("24 September 2015 9:05", "09:05:00"),
        ("Sep 24, 2015 9:05 pm", "21:05:00"),
        ("2015-09-24T16:30:05", "16:30:05"),
        ("2015-09-24T16:30:05.987", "16:30:05"),
        ("2015-09-24 16:30:05.000000", "16:30:05"),
        ("2015-09-24T16:30:05Z", "16:30:05"),
        ("2015-09-24 16:30 +02:00", "16:30:00"),
        ("42271", "00:00:00"),
        ("42271.6875", "16:30:00"),  # 16.5 / 24
        (None, "00:00:00"),
    ],
)
def test_second_of_the_day_is_read_of_every_spelling(written, expected):
    hours, minutes, seconds = map(int, expected.split(":"))
    found = pl.DataFrame({"at": [written]}, schema={"at": pl.String}).select(second_of_day(pl.col("at"))).item()
    assert found == 3600 * hours + 60 * minutes + seconds


def at_time(folder, written, **how):
    """The only ballot of a form, submitted so."""
    form(folder, [*ANN[:2], written, *ANN[3:], cell(N, D)])
    return read(folder, **how)


@pytest.mark.parametrize(
    ("written", "in_london"),
    [
        ("Fri 25.09.2015 16:30", "2015-09-25 16:30"),
        ("2015-09-25T15:30:00Z", "2015-09-25 16:30"),  # London keeps summer time until 25 October
        ("2015-09-25 15:30 UTC", "2015-09-25 16:30"),
        ("25/09/2015 3:30 pm GMT", "2015-09-25 16:30"),
        ("2015-09-25 16:30 BST", "2015-09-25 16:30"),
        ("2015-09-25T17:30:00+02:00", "2015-09-25 16:30"),
        ("2015-09-25T17:30:00+0200", "2015-09-25 16:30"),
        ("2015-09-25T11:00:00.5-04:30", "2015-09-25 16:30"),
        ("2015-09-26T01:00:00+09:30", "2015-09-25 16:30"),
        ("2015-12-25T16:30:00Z", "2015-12-25 16:30"),
        ("2015-12-25 16:30 GMT", "2015-12-25 16:30"),
        ("2015-12-25 17:30 BST", "2015-12-25 16:30"),
        ("2015-12-25T18:30:00+02:00", "2015-12-25 16:30"),
        ("2015-12-24 23:30:00-05:00", "2015-12-25 04:30"),
        ("2015-10-25T00:59:00Z", "2015-10-25 01:59"),  # the last minute of summer time
        ("2015-10-25T01:00:00Z", "2015-10-25 01:00"),
        ("2015-03-29T00:59:00Z", "2015-03-29 00:59"),
        ("2015-03-29T01:00:00Z", "2015-03-29 02:00"),
        ("2015-09-25T23:30:00Z", "2015-09-26 00:30"),
    ],
)
def test_ballots_close_by_the_clock_in_london_whatever_the_zone_of_a_time(tmp_path, written, in_london):
    moment = datetime.fromisoformat(in_london)
    assert at_time(tmp_path, written, closes=moment).ballots.height == 2
    late = at_time(tmp_path, written, closes=moment - timedelta(minutes=1))
    assert late.ballots.is_empty()
    assert any("1 ballot is submitted after" in note for note in late.notes)


def test_second_ballots_are_told_by_the_moment_and_not_by_the_zone(tmp_path):
    first, second = ([*ANN[:2], time, *ANN[3:]] for time in ("2015-09-25T17:30:00+02:00", "2015-09-25T16:00:00Z"))
    form(tmp_path, [*second, cell(N, D)], [*first, cell(D, N)])
    assert orders(read(tmp_path)) == [strictly("Kent Police", N, D)]  # 17:00 after 16:30


def test_ballot_without_a_time_is_refused_where_a_closing_time_is_set(tmp_path):
    form(tmp_path, [*ANN[:2], "", *ANN[3:], cell(N, D, O, S)], [*BO, cell(D, N, O, S)])
    assert "a time of submission, because closes is set" in said(read(tmp_path, closes=datetime(2015, 9, 30, 9, 0)))


def test_empty_ballots_are_left_out_and_do_not_take_the_place_of_an_earlier_one(tmp_path):
    later = [*ANN[:2], "9/22/2015 9:10:00", *ANN[3:]]
    form(tmp_path, [*ANN, cell(N, D)], [*later, None], [*BO, ";"])
    export = read(tmp_path)
    assert orders(export) == [strictly("Kent Police", N, D)]
    assert "ballots: 2 ballots are empty, and left out: votes.csv rows 3, 4" in export.notes


def test_ballots_left_in_the_order_of_the_form_are_left_out_if_the_board_says_so(tmp_path):
    form(tmp_path, [*ANN, cell(N, D, O, S)], [*BO, cell(D, N, O, S)])
    assert len(orders(read(tmp_path, form_order=ISSUES))) == 2
    export = read(tmp_path, form_order=ISSUES, unchanged="leave_out")
    assert orders(export) == [strictly("Health", D, N, O, S)]
    assert any("left in the order of the form" in note and "row 2" in note for note in export.notes)


def test_ballots_of_nobody_count_each_for_itself(tmp_path):
    form(tmp_path, [*ANN[:3], "anonymous", "", "KP", cell(N, D)], [*BO[:3], "anonymous", "", "Health", cell(D, N)])
    for columns in (COLUMNS, {"agency": "Agency?"}):
        export = read(tmp_path, columns=columns)
        assert len(orders(export)) == 2
        assert any("2 ballots do not say whose: each counts as another member's" in note for note in export.notes)


def test_ballot_without_a_member_among_others_is_refused(tmp_path):
    form(tmp_path, [*ANN, cell(N, D)], [*BO[:3], "", "", "Health", cell(D, N)])
    text = said(read(tmp_path))
    assert "who voted, as other rows of the file say it" in text
    assert "row 3" in text


def test_file_that_says_who_voted_is_not_taken_for_anonymous_without_a_word(tmp_path):
    form(tmp_path, [*ANN, cell(N, D)])
    assert "the file says who voted, and it is not used" in said(read(tmp_path, columns={"agency": "Agency?"}))


def test_agency_is_needed_where_the_board_has_agencies(tmp_path):
    form(tmp_path, [*ANN[:5], "", cell(N, D)], [*BO, cell(D, N)])
    assert "the agency the member sits for" in said(read(tmp_path))
    filled = read(tmp_path, blank_agency="Health")
    assert {agency for agency, _ in orders(filled)} == {"Health"}
    assert "Name its heading under [ballots_export.columns]" in said(read(tmp_path, columns={"member": "Email"}))
    nothing = read(tmp_path, columns={"member": "Email"}, agencies=None)
    assert {agency for agency, _ in orders(nothing)} == {"not stated"}


def test_one_given_to_the_least_important_is_turned_round_on_whole_ballots_only(tmp_path):
    write_csv(tmp_path, PLACES)
    export = read(tmp_path, columns=BARE, worst_first=True)
    assert orders(export)[0] == strictly("Kent Police", S, O, D, N)
    assert "Found: 3 of 4. Wanted: all issues ranked, because worst_first is set" in said(export)
    assert any("place 1 as the least important" in note for note in export.notes)


# ------------------------------------------------------------------------------------------------- flags


def long(*ballots):
    """Long ballots: members 0, 1 … with their issues in order; a list among them is a tie."""
    rows = [
        (f"M{member}", issue, rank)
        for member, order in enumerate(ballots)
        for rank, group in enumerate(order, 1)
        for issue in (group if isinstance(group, list) else [group])
    ]
    frame = pl.DataFrame(rows, schema={"member": pl.String, "issue": pl.String, "rank": pl.Int64}, orient="row")
    return frame.with_columns(pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias("row_number"))


def test_ties_gaps_and_single_issues_are_told_by_the_first_row_of_the_ballot():
    ballots = pl.concat([long("AB", ["A", ["B", "C"]], "A")]).with_columns(
        pl.when(pl.col("row_number") == 3).then(4).otherwise("rank").alias("rank")
    )
    assert say_ballots(ballots) == [
        "1 ballot ranks one issue only, and counts: row 7",
        "1 ballot gives one place to several issues, which counts as a tie: row 4",
        "1 ballot leaves places out, as 1, 2, 4 does: only the order counts: row 2",
    ]


@pytest.mark.parametrize("ranks", [[1, 2, 2, 3], [1, 2, 2, 4], [1, 1, 3, 4], [1, 1, 1, 1]])
def test_either_way_to_number_ties_leaves_no_gap(ranks):
    ballots = long("ABCD").with_columns(pl.Series("rank", ranks))
    assert not any("leaves places out" in note for note in say_ballots(ballots))


def test_ballot_in_the_order_of_the_form_is_flagged_and_a_short_or_tied_one_is_not():
    ballots = long("ABCD", "ABC", ["A", "B", ["C", "D"]], "BACD")
    assert left_in_order(ballots, "ABCD").to_list() == ["M0"]
    note = next(note for note in say_ballots(ballots, form_order="ABCD") if "the form listed" in note)
    assert note.startswith("1 ballot leaves the issues in the order")
    assert note.endswith("row 2")


def test_order_of_the_table_of_issues_is_looked_for_where_that_of_the_form_is_not_known():
    assert say_ballots(long("ABCDE", "BACDE"), issues="ABCDE")[0].startswith(
        "1 ballot leaves the issues in the order of the table issues, and may be"
    )
    assert say_ballots(long("ABCD", "BACD"), issues="ABCD") == []  # one in 24 by chance
    assert say_ballots(long("ABCDE", "BACDE"), form_order="EDCBA", issues="ABCDE") == []


def test_reversed_ballot_is_flagged_where_the_others_agree():
    ballots = long("ABCDEF", "ABCDFE", "BACDEF", "ABDCEF", "FEDCBA")
    assert nearly_reversed(ballots).to_list() == ["M4"]
    note = next(note for note in say_ballots(ballots) if "reverse" in note)
    assert note.startswith("1 ballot is nearly the reverse")
    assert note.endswith("row 26")
    assert nearly_reversed(long("ABCDEF", "FEDCBA", "CADBFE", "EBDAFC", "FEDCBA")).is_empty()  # nobody agrees
    assert nearly_reversed(long("ABCDEF", "ABCDEF", "FEDCBA")).is_empty()  # too few
    assert nearly_reversed(long(*["ABCDEF"] * 5)).is_empty()
    assert nearly_reversed(long(*["FEDCBA"] * 5)).is_empty()  # all of them: it cannot be seen


def test_reversed_ballots_agree_with_a_count_by_pairs():
    """Kendall's tau-b by its definition, in plain Python, decides on the same ballots."""
    draw = random.Random(7)
    issues = "ABCDEFG"
    orders_drawn = ["".join(draw.sample(issues, 7)) if draw.random() < 0.2 else issues for _ in range(12)]
    orders_drawn += [issues[::-1], issues[::-1][:-2]]
    ballots = long(*orders_drawn)
    expected = [f"M{v}" for v in range(len(orders_drawn)) if tau_to_others(orders_drawn, v, issues) < -0.6]
    assert nearly_reversed(ballots).to_list() == sorted(expected)
    assert "M12" in expected


def tau_to_others(ballots, chosen, issues):
    def sign(number):
        return (number > 0) - (number < 0)

    def place(order, issue):
        return order.index(issue) if issue in order else len(issues)

    def prefers(order, a, b):
        return sign(place(order, b) - place(order, a))

    wins = {
        a: sum(prefers(order, a, b) for v, order in enumerate(ballots) if v != chosen for b in issues) for a in issues
    }
    pairs = [(a, b) for a in issues for b in issues if a < b]
    own = [prefers(ballots[chosen], a, b) for a, b in pairs]
    others = [sign(wins[a] - wins[b]) for a, b in pairs]
    both = sum(map(abs, own)) * sum(map(abs, others))
    return sum(x * y for x, y in zip(own, others, strict=True)) / both**0.5 if both else 0.0


# ------------------------------------------------------------------------------------------------- files


def test_pattern_takes_every_file_but_those_of_an_open_program(tmp_path):
    (tmp_path / "ballots").mkdir()
    form(tmp_path / "ballots", [*ANN, cell(N, D)], file="a.csv")
    form(tmp_path / "ballots", [*BO, cell(D, N)], file="b.csv")
    (tmp_path / "ballots" / "~$b.csv").write_bytes(b"\x07lock of Bo Li")
    export = read(tmp_path, "ballots/*.csv")
    assert len(orders(export)) == 2
    assert "ballots: 1 ballot is open in a program, and what is not saved yet is not counted" in export.notes
    with pytest.raises(TableError, match=r'no file matches "none/\*.csv"'):
        read(tmp_path, "none/*.csv")


def test_files_of_one_name_are_told_by_their_folders_and_a_copy_is_read_once(tmp_path):
    for folder, row in (("one", ANN), ("two", BO)):
        (tmp_path / folder).mkdir()
        form(tmp_path / folder, [*row, cell(N, D)])
    export = read(tmp_path, "*/votes.csv")
    assert list(export.heights) == ["ballots: one/votes.csv", "ballots: two/votes.csv"]
    (tmp_path / "one" / "copy.csv").write_bytes((tmp_path / "one" / "votes.csv").read_bytes())
    copied = read(tmp_path, "one/*.csv", columns={"agency": "Agency?"})
    assert len(orders(copied)) == 1
    assert "votes.csv: the same file as copy.csv, byte by byte, and read once" in copied.notes


def test_last_line_that_is_cut_off_is_left_out_and_told(tmp_path):
    write_csv(tmp_path, [*PLACES, ["c@x.uk", "KP", "1"]], end="")
    export = read(tmp_path, columns=BARE)
    assert len(orders(export)) == 2
    assert any("the last line, row 4, is cut off and left out" in note for note in export.notes)
    write_csv(tmp_path, [*PLACES, ["c@x.uk", "KP", *"1234"]], end="")
    whole = read(tmp_path, columns=BARE)
    assert len(orders(whole)) == 3
    assert any("has no end" in note for note in whole.notes)


def test_last_line_that_is_cut_off_within_quotation_marks_is_told(tmp_path):
    form(tmp_path, [*ANN, cell(N, D)])
    content = (tmp_path / "votes.csv").read_bytes()
    (tmp_path / "votes.csv").write_bytes(content[:-8])
    assert "If it is still being written, read it again in a moment." in said(read(tmp_path))


@pytest.mark.parametrize("kept", [0.2, 0.5, 0.9, 0.99])
def test_workbook_that_is_still_being_written_is_told(tmp_path, kept):
    write_sheet(tmp_path, [HEADINGS, [*ANN, cell(N, D)]])
    content = (tmp_path / "votes.xlsx").read_bytes()
    (tmp_path / "votes.xlsx").write_bytes(content[: int(kept * len(content))])
    assert "If it is still being written, read it again in a moment." in said(read(tmp_path, "votes.xlsx"))


def test_sheet_with_nothing_but_a_header_has_no_ballot_yet(tmp_path):
    form(tmp_path)
    export = read(tmp_path, format="forms", columns={**COLUMNS, "ranking": RANKING})
    assert "there must be a ballot that ranks an issue and counts" in said(export)


# ------------------------------------------------------------------------------------------------- sheets


def sheet(folder, member, agency, places, file, saved="2015-09-21T08:30:00Z", issues=ISSUES):
    """A ballot that one member filled in, last saved at a moment (UTC)."""
    above = [["Member code", member], ["Agency", agency], [None], ["Issue", "Your place"]]
    write_sheet(folder, [*above, *zip(issues, places, strict=True)], "new.xlsx")
    with ZipFile(folder / "new.xlsx") as old, ZipFile(folder / file, "w", ZIP_DEFLATED) as new:
        for name in old.namelist():
            part = old.read(name)
            if name == "docProps/core.xml":
                part = re.sub(rb"(<dcterms:modified[^>]*>)[^<]*", rb"\g<1>" + saved.encode(), part)
            new.writestr(name, part)
    (folder / "new.xlsx").unlink()
    return folder


def test_height_of_a_file_is_how_many_of_its_rows_could_be_wrong(tmp_path):
    sheet(tmp_path, "K1", "KP", [1, 0, None, 3], "a.xlsx")
    export = read(tmp_path, "a.xlsx", format="sheets", columns={})
    assert dict(export.heights) == {"ballots: a.xlsx": 4}
    assert "column Your place: 1 of 4 rows: row 6. " in say_problems(export.problems, {}, export.heights)[0]
    preflib(tmp_path, "20: 1,2\n10: 2,9\n")
    of_votes = of_file(tmp_path)
    assert "1 of 2 rows: row 6. " in say_problems(of_votes.problems, {}, of_votes.heights)[0]


@pytest.mark.parametrize(("member", "agency"), [("K1", None), ("K1", "  ")])
def test_sheet_without_an_agency_is_reported_once_and_not_once_an_issue(tmp_path, member, agency):
    sheet(tmp_path, member, agency, [1, 2, 3, 4], "a.xlsx")
    sheet(tmp_path, "K2", "KP", [2, 1, None, None], "b.xlsx")
    export = read(tmp_path, "*.xlsx", format="sheets", columns={})
    assert export.problems.select("table", "row", "column", "rule").rows() == [
        (
            *("ballots: a.xlsx", 4, "agency"),
            "the agency the member sits for. Correct the file, or set blank_agency under [ballots_export]",
        )
    ]
    assert orders(export) == [strictly("Kent Police", D, N)]  # of the other nothing more is said, row by row


def test_sheets_may_hold_the_words_of_the_board_for_an_issue(tmp_path):
    sheet(tmp_path, "K1", "KP", [1, 2, 3, 4], "a.xlsx", issues=[N, D, "Cyber", S])
    export = read(tmp_path, "a.xlsx", format="sheets", columns={})
    assert orders(export) == [strictly("Kent Police", N, D, O, S)]
    assert export.problems.is_empty()


def test_sheets_of_members_are_one_ballot_each(tmp_path):
    sheet(tmp_path, "K1", "KP", [1, 2, 3, 4], "a.xlsx")
    sheet(tmp_path, "K2", "Health", [2, 1, None, None], "b.xlsx")
    sheet(tmp_path, "k1", "KP", [4, 3, 2, 1], "c.xlsx", saved="2015-09-21T08:40:00Z")
    sheet(tmp_path, None, "KCC", [1, 1, 2, 2], "d.xlsx")
    export = read(tmp_path, "*.xlsx", format="sheets", columns={})
    assert orders(export) == [
        strictly("Health", D, N),
        strictly("Kent Police", S, O, D, N),
        ("Kent County Council", [[D, N], [O, S]]),
    ]
    assert any("by the time it was submitted" in note and "a.xlsx row 4" in note for note in export.notes)
    assert any(note.startswith("4 files: the mark of a ballot is lost") for note in export.notes)
    assert any("1 ballot does not say whose" in note for note in export.notes)


@pytest.mark.parametrize(
    ("closes", "late"), [(datetime(2015, 9, 21, 9, 29), True), (datetime(2015, 9, 21, 9, 30), False)]
)
def test_sheets_close_by_the_clock_on_the_wall(tmp_path, closes, late):
    """Half past eight in universal time is half past nine in London in September."""
    sheet(tmp_path, "K1", "KP", [1, 2, 3, 4], "a.xlsx")
    export = read(tmp_path, "a.xlsx", format="sheets", columns={}, closes=closes)
    assert export.ballots.is_empty() == late


# ------------------------------------------------------------------------------------------------- settings


@pytest.mark.parametrize(
    ("wrong", "wanted"),
    [
        ({"second_ballot": "first"}, "files must be set"),
        ({"files": ["a.csv", "a.csv"]}, "names a file twice"),
        ({"files": ["a.csv"], "closes": datetime(2015, 9, 1, 9)}, "closes needs the heading of submitted"),
        ({"files": ["a.csv"], "unchanged": "leave_out"}, "unchanged needs form_order"),
        ({"files": ["a.csv"], "columns": {"member": "X", "agency": "x"}}, "have the same heading"),
        ({"files": ["a.csv"], "format": "pdf"}, "Input should be"),
        *[
            ({"files": ["a.csv"], "closes": text, "columns": COLUMNS}, "a day with a time")
            for text in ("2015-09-01", "soon", "2015-09-01T09:00:00+01:00", 5)
        ],
    ],
)
def test_settings_that_do_not_fit_together_are_refused(wrong, wanted):
    with pytest.raises(ValidationError, match=re.escape(wanted)):
        BallotsExportSection(**wrong)


def test_order_of_a_form_may_be_told_without_files():
    assert BallotsExportSection(form_order=ISSUES).files == []


# ------------------------------------------------------------------------------------------------- broken files


def broken_forms():
    """Texts of a form in many ways broken, by what was done to it."""
    lines = [HEADINGS, [*ANN, cell(N, D, O, S)], [*BO, cell(D, N, O, S)], [*CY, cell(S, N, O, D)]]
    whole = "\r\n".join(",".join(map(quoted, row)) for row in lines) + "\r\n"
    content = whole.encode()
    yield from ((f"cut at {cut}", content[: len(content) * cut // 10]) for cut in range(10))
    yield "utf-16 without a mark", whole.encode("utf-16-le")
    yield "utf-16 torn", whole.encode("utf-16")[:-1]
    yield "utf-16 big", codecs.BOM_UTF16_BE + whole.encode("utf-16-be")
    yield "mark twice", codecs.BOM_UTF8 * 2 + content
    yield "semicolons unquoted", whole.replace(",", ";").replace('"', "").encode()
    yield "tabs", whole.replace('","', '"\t"').encode()
    yield "unclosed quotation mark", content[:-3] + b'"\r\n'
    yield "nul bytes", content.replace(b"Lee", b"L\x00e")
    yield "no-break spaces", whole.replace(" ", "\xa0").encode()
    yield "nothing but spaces", b"  \r\n \r\n"
    yield "a workbook by its first bytes", b"PK\x03\x04" + content
    yield "an old workbook", b"\xd0\xcf\x11\xe0" + content
    yield "no header", b"\r\n".join(content.split(b"\r\n")[1:])
    yield "header twice", whole.split("\r\n")[0].encode() + b"\r\n" + content
    yield "heading twice", whole.replace("Name", "Email").encode()
    yield "column without a heading", whole.replace('"Agency?"', '""').encode()
    yield "headings shifted", whole.replace('"ID",', "").encode()
    yield "rows shifted", whole.replace('"1",', "").encode()
    yield "member and agency swapped", whole.replace('"Email"', '"x"').replace('"Agency?"', '"Email"').encode()
    yield "times as words", whole.replace("9/21/2015", "yesterday").encode()
    yield "times in both orders", whole.replace("9/21/2015 9:11", "21/9/2015 9:11").encode()
    yield "issues renamed", whole.replace("Neglect", "Harm").encode()
    yield "an issue twice", whole.replace("Online safety", "Neglect").encode()
    yield "commas between issues", whole.replace(";", ",").encode()
    yield "numbers for issues", whole.replace("Neglect", "1").encode()
    yield "agency unknown", whole.replace('"KP"', '"Ann Lee"').encode()
    yield "one very long cell", whole.replace("Neglect", "Neglect;" * 3000).encode()
    yield "a formula", whole.replace('"Neglect', '"=Neglect').encode()
    yield "HTML", b"<html><table><tr><td>" + content
    yield "a row of totals", content + b'"Total","","","","","","3"\r\n'
    yield "rows repeated", content + b"\r\n".join(content.split(b"\r\n")[1:])
    yield "bare line ends", content.replace(b"\r\n", b"\r")
    yield "quotation marks curled", whole.replace('"', "\u201d").encode()


BROKEN = dict(broken_forms())
WHOLE = [[N, D, O, S], [D, N, O, S], [S, N, O, D]]
NOT_SPLIT = "the file cannot be split into rows and columns"
NO_TEXT = "this is not a text file, although its name says so"
NO_COLUMNS = "no row of the first 500 names an issue of the table issues above a column"
SPLIT_CELLS = "Export it as a workbook (.xlsx), or with commas between the columns"
OUTCOMES = {
    "cut at 0": "the file is empty",
    **{f"cut at {cut}": NOT_SPLIT for cut in (1, 2, 3, 4, 6, 7, 9)},
    "cut at 5": 1,
    "cut at 8": 2,
    "utf-16 without a mark": NO_TEXT,
    **dict.fromkeys(("utf-16 torn", "utf-16 big", "mark twice"), 3),
    "semicolons unquoted": SPLIT_CELLS,
    **dict.fromkeys(("tabs", "unclosed quotation mark"), 3),
    "nul bytes": NO_TEXT,
    "no-break spaces": 3,
    "nothing but spaces": "how the ballots stand in it is not known",
    "a workbook by its first bytes": NO_TEXT,
    "an old workbook": NO_TEXT,
    "no header": "there is no header above the issues",
    "header twice": 3,
    "heading twice": 'row 1 holds "Email" more than once',
    "column without a heading": 'lacks the heading "Agency?"',
    "headings shifted": "there is no header above the issues",
    "rows shifted": "Name the question in which the issues were ranked",
    "member and agency swapped": 'lacks the heading "Agency?"',
    "times as words": "Found: (not shown: it holds letters, so it could be a name). Wanted: a date such as",
    "times in both orders": "Wanted: one order of day and month in the whole column",
    "issues renamed": 'rows 2, 3, 4. Found: "Harm". Wanted: issues of the table issues in order',
    "an issue twice": 'rows 2, 3, 4. Found: "Neglect". Wanted: each issue once',
    "commas between issues": "how the ballots stand in it is not known",
    "numbers for issues": 'rows 2, 3, 4. Found: "1". Wanted: issues of the table issues in order',
    "agency unknown": 3,  # it is compared with the table of agencies, as any table is
    "one very long cell": "Wanted: each issue once",
    "a formula": 'row 2. Found: "=Neglect" Did you mean "Neglect"?',
    **dict.fromkeys(("HTML", "a row of totals", "rows repeated", "bare line ends"), 3),
    "quotation marks curled": "Name the question in which the issues were ranked",
}
"""What becomes of a broken form: so many ballots, and nothing wrong; or words of what is said of it."""

OUTCOMES_AS_FORM = OUTCOMES | {
    **dict.fromkeys(("nothing but spaces", "no header", "quotation marks curled"), "no row of the first 500 holds the"),
    "headings shifted": "rows 2, 3, 4. Found: (not shown: it stands in one row only",
    "rows shifted": "column Completion time: 1 of 1 rows: row 2. Found: (not shown: it is a mail address)",
    "commas between issues": "rows 2, 3, 4. Found: (not shown: it stands in one row only",
}
"""The same where `board.toml` names the format and the question."""

OUTCOMES_AS_COLUMNS = {
    how: outcome if outcome in (NOT_SPLIT, NO_TEXT, SPLIT_CELLS) or how == "cut at 0" else NO_COLUMNS
    for how, outcome in OUTCOMES.items()
}


@pytest.mark.parametrize("how", BROKEN)
def test_broken_files_give_sentences_and_nobody_away(tmp_path, how):
    ranking = {**COLUMNS, "ranking": RANKING}
    (tmp_path / "votes.csv").write_bytes(BROKEN[how])
    for expected, chosen in (
        (OUTCOMES[how], {}),
        (OUTCOMES_AS_FORM[how], {"format": "forms", "columns": ranking}),
        (OUTCOMES_AS_COLUMNS[how], {"format": "columns"}),
    ):
        export = read(tmp_path, **chosen)
        if isinstance(expected, int):
            assert export.problems.is_empty(), chosen
            assert [strictly(None, *issues)[1] for issues in WHOLE[:expected]] == [
                issues for _, issues in orders(export)
            ], chosen
        else:
            assert export.problems.height, chosen
            assert expected in said(export), chosen
        assert not any(person in said(export) for person in PEOPLE), chosen


@pytest.mark.parametrize("how", BROKEN)
@pytest.mark.parametrize("ending", ["xlsx", "soc", "parquet"])
def test_texts_with_the_ending_of_another_kind_of_file_are_refused_and_nobody_is_named(tmp_path, how, ending):
    (tmp_path / f"votes.{ending}").write_bytes(BROKEN[how])
    export = read(tmp_path, f"votes.{ending}")
    assert (export.ballots.height, export.problems.height) == (0, 1)
    assert not any(person in said(export) for person in PEOPLE)


@pytest.mark.parametrize("after", [[], ["Anything else?"]])
def test_semicolons_between_columns_and_between_issues_are_told_with_what_to_do(tmp_path, after):
    """A spreadsheet of an office that writes decimal commas, saved by a program that puts no quotation marks."""
    people = zip([ANN, BO, CY], WHOLE, [[O], [], []], strict=True)
    lines = [[*HEADINGS, *after], *([*person, cell(*ranked), *said_so] for person, ranked, said_so in people)]
    (tmp_path / "votes.csv").write_text("".join(";".join(line) + "\n" for line in lines), encoding="utf-8")
    expected = (
        "ballots: votes.csv: rows 2, 3, 4 go on behind the last heading, with one issue to a cell: semicolons separate "
        "both the columns of this file and the issues within a cell, and no quotation marks hold a cell together. "
        "Export it as a workbook (.xlsx), or with commas between the columns."
    )
    for chosen in ({}, {"format": "forms", "columns": {**COLUMNS, "ranking": RANKING}}):
        export = read(tmp_path, **chosen)
        assert export.ballots.is_empty()
        assert say_problems(export.problems, {}, {}) == [expected]


def test_semicolons_between_columns_of_places_are_read(tmp_path):
    write_csv(tmp_path, [*PLACES, ["c@x.uk", "KP", *"4321", "", "remark"]], separator=";")
    assert len(orders(read(tmp_path, columns=BARE))) == 3


def test_files_that_are_none_give_sentences(tmp_path):
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "empty.csv").write_bytes(b"")
    (tmp_path / "picture.png").write_bytes(b"x")
    text = said(read(tmp_path, "folder.csv", "empty.csv", "picture.png", "missing.csv"))
    assert all(each in text for each in ("this is a folder", "the file is empty", "cannot be read", "file not found"))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_bytes_changed_give_no_other_error(tmp_path, data):
    content = bytearray(BROKEN["tabs"])
    for _ in range(data.draw(st.integers(1, 6))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    (tmp_path / "votes.csv").write_bytes(bytes(content))
    export = read(tmp_path)
    rows = sum(export.heights.values())
    left_out = [note for note in export.notes if "left out" in note]
    assert export.ballots.height or export.problems.height or left_out or not rows
