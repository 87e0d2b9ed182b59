"""A board's folder in: what is read, what is refused, and in which words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.config import read_config
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.disclosure import Policy
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.scaffold import write_empty_board
from safeguarding_analytics.sources.files import ROW, read_table
from safeguarding_analytics.tables import TABLES

AGENCIES = "agency,sector,aliases\nKent Police,Police,KP; Constabulary\nCAFCASS,Courts,\n"
SESSIONS = (
    "session,course,training_level,district,area,venue,date,half_day,capacity,cost\n"
    "S1,Thresholds,2,Dover,East,Hall,2011-05-10,morning,50,\n"
)
BOOKINGS = "session,person,agency,target_group,status,booked\nS1,P1,Kent Police,2,attended,yes\n"
PLANS = (
    "plan,child,authority,district,category,start_date,end_date,previous_plans\nCP1,C1,Kent,Dover,NEG,2007-05-01,,0\n"
)


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        ending = ".toml" if name == "board" else ".csv"
        (folder / f"{name}{ending}").write_bytes(text.encode())
    return folder


def sentences(folder: Path) -> str:
    board, problems = check_all(folder)
    return "\n".join(say_problems(problems, board.file_names, {name: board.height(name) for name in TABLES}))


def problems_of(folder: Path) -> list[tuple[object, ...]]:
    return check_board(folder).rows()


def test_clean_board_has_no_problem_and_typed_tables(tmp_path: Path) -> None:
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS, plans=PLANS)
    assert check_board(folder).is_empty()
    assert check_board(folder).columns == ["table", "row", "column", "rule", "found"]
    assert_frame_equal(
        read_board(folder).tables["bookings"],
        pl.DataFrame(
            {
                "session": ["S1"],
                "person": ["P1"],
                "agency": ["Kent Police"],
                "target_group": pl.Series([2], dtype=pl.Int64),
                "status": ["attended"],
                "booked": [True],
                "learner": pl.Series([None], dtype=pl.String),
            }
        ),
    )
    assert read_board(folder).tables["plans"]["start_date"].to_list() == [date(2007, 5, 1)]


def test_agency_alias_becomes_the_agency_whatever_its_case(tmp_path: Path) -> None:
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS.replace("Kent Police", "kp"))
    assert read_board(folder).tables["bookings"]["agency"].to_list() == ["Kent Police"]


def test_unknown_agency_names_row_value_and_nearest(tmp_path: Path) -> None:
    folder = write(
        tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS.replace("Kent Police", "Kent Polise")
    )
    assert sentences(folder) == (
        'bookings.csv, column agency: 1 of 1 rows: row 2. Found: "Kent Polise" Did you mean "Kent Police"? '
        "Wanted: agency listed in the table agencies. "
        "Hint: add the agency to the agencies table, or the name to the aliases of one."
    )


def test_misspelt_status_says_what_is_allowed_and_how_to_map_it(tmp_path: Path) -> None:
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS.replace(",attended", ",Attnded"))
    said = sentences(folder)
    assert 'row 2. Found: "Attnded" Did you mean "attended"?' in said
    assert "Wanted: one of: attended, did_not_attend, cancelled, booked, waitlisted." in said
    assert "[bookings.status] in board.toml" in said


def test_status_word_mapped_in_board_toml_is_accepted(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        board='[bookings.status]\n"Attnded" = "attended"\n',
        agencies=AGENCIES,
        sessions=SESSIONS,
        bookings=BOOKINGS.replace(",attended", ",ATTNDED"),
    )
    assert read_board(folder).tables["bookings"]["status"].to_list() == ["attended"]


def test_session_in_no_sessions_file_is_reported_even_on_a_row_that_breaks_another_rule(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        agencies=AGENCIES,
        sessions=SESSIONS,
        bookings=BOOKINGS.replace("S1,P1", "S9,P1").replace(",2,", ",99,"),
    )
    assert {(row[1], row[2]) for row in problems_of(folder)} == {(2, "session"), (2, "target_group")}


@pytest.mark.parametrize("child", ["", "UNKNOWN", "n/a", "0", "tbc", "?"])
def test_null_or_placeholder_child_is_refused_and_never_printed(tmp_path: Path, child: str) -> None:
    folder = write(tmp_path, plans=PLANS.replace("C1", child))
    (problem,) = problems_of(folder)
    assert problem[:3] == ("plans", 2, "child")
    assert problem[4] in ("(empty)", "(not shown: it could identify a person)")


def test_identifying_values_are_never_in_a_report(tmp_path: Path) -> None:
    secret = "SECRET-CHILD-77"
    folder = write(
        tmp_path,
        plans=PLANS + f"{secret},{secret},Kent,Dover,XXX,nonsense,31/31/2007,-4\n{secret},{secret},,,,,,\n",
    )
    assert secret not in sentences(folder)
    assert len(problems_of(folder)) >= 6


def test_uk_and_iso_dates_mixed_are_both_read(tmp_path: Path) -> None:
    folder = write(tmp_path, plans=PLANS + "CP2,C2,Kent,Dover,NEG,03/04/2007,2008-01-02 00:00:00,0\n")
    frame = read_board(folder).tables["plans"]
    assert frame["start_date"].to_list() == [date(2007, 5, 1), date(2007, 4, 3)]
    assert frame["end_date"].to_list() == [None, date(2008, 1, 2)]


@pytest.mark.parametrize("day", ["31/02/2007", "05/13/2007", "10/05/0207", "39203", "2007-05-01 13:45"])
def test_date_that_is_none_is_reported_with_what_was_found(tmp_path: Path, day: str) -> None:
    folder = write(tmp_path, plans=PLANS.replace("2007-05-01", day))
    ((table, row, column, rule, found),) = problems_of(folder)
    assert (table, row, column, found) == ("plans", 2, "start_date", f'"{day}"')
    assert "2011-05-10 or 10/05/2011" in rule


def test_plan_that_ends_before_it_starts_breaks_a_rule(tmp_path: Path) -> None:
    folder = write(tmp_path, plans=PLANS.replace("2007-05-01,,", "2007-05-01,2007-04-30,"))
    ((_, row, _, rule, _),) = problems_of(folder)
    assert (row, rule) == (2, "end_date is not before start_date")


def test_windows_1252_is_read_and_noted(tmp_path: Path) -> None:
    (tmp_path / "sessions.csv").write_bytes(SESSIONS.replace("Hall", "Salomon’s – hall").encode("cp1252"))
    board = read_board(tmp_path)
    assert board.tables["sessions"]["venue"].to_list() == ["Salomon’s – hall"]
    assert board.notes_of("sessions") == ["sessions.csv: read as Windows-1252, because it is not valid UTF-8."]


def test_bom_semicolons_and_capital_headers_with_spaces_are_read(tmp_path: Path) -> None:
    text = "\ufeff" + PLANS.replace(",", ";").replace("start_date", " Start Date")
    (tmp_path / "plans.csv").write_bytes(text.encode())
    assert read_board(tmp_path).tables["plans"].height == 1


def test_missing_column_names_the_nearest_found(tmp_path: Path) -> None:
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS.replace("status", "statuss"))
    assert sentences(folder) == (
        'bookings.csv, column status: the column must be there. Found "statuss": if that is it, rename it to "status".'
    )
    assert read_board(folder).notes_of("bookings") == []  # it is said once


def test_missing_column_that_rows_are_known_by_is_told_alone(tmp_path: Path) -> None:
    twice = BOOKINGS + BOOKINGS.splitlines()[1].replace("S1", "S2") + "\n"  # one person at two sessions
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=twice.replace("session", "sesion"))
    assert sentences(folder) == (
        'bookings.csv, column session: the column must be there. Found "sesion": if that is it, rename it to "session".'
    )


def test_columns_that_are_like_no_missing_one_are_noted_as_ever(tmp_path: Path) -> None:
    header, *rows = BOOKINGS.splitlines()
    text = "\n".join([f"{header.replace('status', 'statuss')},ward", *(f"{row},W1" for row in rows)])
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=f"{text}\n")
    assert read_board(folder).notes_of("bookings") == [
        "bookings.csv: column ward is not in the contract and is not used; "
        "to group by it, name it under [columns] in board.toml."
    ]


def test_missing_empty_and_header_only_files_are_each_reported(tmp_path: Path) -> None:
    folder = write(tmp_path, board='[files]\nplans = "gone.csv"\n', items="", issues="issue,description\n")
    said = sentences(folder)
    assert "gone.csv: file not found" in said
    assert "items.csv: the file is empty" in said
    assert "issues.csv: the file must hold at least one row below its header" in said


def test_rank_of_zero_and_issue_twice_on_one_ballot(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        board="[priorities]\nseats = 1\n",
        agencies=AGENCIES,
        issues="issue,description\nNeglect,\nGangs,\n",
        ballots="member,agency,issue,rank\nM1,CAFCASS,Neglect,0\nM2,CAFCASS,Gangs,1\nM2,CAFCASS,Gangs,2\n",
    )
    assert [row[1:4] for row in problems_of(folder)] == [
        (2, "rank", "at least 1"),
        (3, "issue", "one row per member and issue"),
        (4, "issue", "one row per member and issue"),
    ]


def test_children_of_districts_stand_beside_those_of_their_authority_once_each(tmp_path: Path) -> None:
    rows = "Kent,,2007,300000\nKent,Thanet,2007,30000\nKent,Swale,2007,29000\nKent,,2008,301000\n"
    write(tmp_path, population=f"authority,district,mid_year,children\n{rows}")
    assert problems_of(tmp_path) == []
    write(tmp_path, population=f"authority,district,mid_year,children\n{rows}Kent,,2008,301500\n")
    assert [row[:4] for row in problems_of(tmp_path)] == [
        ("population", row, None, "one row per authority, district and mid_year") for row in (5, 6)
    ]
    write(tmp_path, population="authority,mid_year,children\nKent,2007,300000\nKent,2007,300001\n")
    assert [row[1] for row in problems_of(tmp_path)] == [2, 3]


def test_post_score_without_a_pre_is_noted_not_refused(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        agencies=AGENCIES,
        sessions=SESSIONS,
        items="item,text,kind,minimum,maximum,reversed\nQ1,Which tier?,choice,0,1,no\n",
        scores="session,person,agency,wave,item,score\nS1,P1,CAFCASS,post,Q1,1\n",
    )
    assert check_board(folder).is_empty()
    assert read_board(folder).notes_of("scores") == [
        "scores.csv: 1 person answered only after the session, so that gain is not known."
    ]


def test_typo_in_a_key_of_board_toml_names_the_nearest_and_the_rest_is_checked_too(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        board='[board]\nauthorty = "Kent"\n[priorities]\nseats = 0\n[trainig]\ntarget = 1\n',
        plans=PLANS.replace("NEG", "NEGLECT"),
    )
    said = sentences(folder)
    assert (
        'setting board.authorty: a setting this program knows (name, authority, as_at). Did you mean "authority"?'
        in said
    )
    assert "setting priorities.seats: input should be greater than or equal to 1. Found: 0." in said
    assert 'Did you mean "training"? Found: [trainig].' in said
    assert "plans.csv, column category" in said
    with pytest.raises(TableError, match="authorty"):
        read_board(folder)


def test_board_toml_that_is_not_toml_says_where(tmp_path: Path) -> None:
    folder = write(tmp_path, board="[board\n", plans=PLANS)
    assert "board.toml: the file must be valid TOML" in sentences(folder)


def test_all_problems_of_all_files_come_in_one_report(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        agencies=AGENCIES,
        sessions=SESSIONS.replace("2,Dover", "9,Dover"),
        bookings=BOOKINGS.replace("attended", "x"),
        plans=PLANS.replace("NEG", "?"),
    )
    assert set(check_board(folder)["table"]) == {"sessions", "bookings", "plans"}


def test_broken_table_raises_when_asked_for_and_the_others_still_read(tmp_path: Path) -> None:
    folder = write(tmp_path, plans=PLANS.replace("NEG", "?"), sessions=SESSIONS)
    board = read_board(folder)
    assert board.tables["sessions"].height == 1
    with pytest.raises(TableError, match=r"plans\.csv, column category: 1 of 1 rows: row 2"):
        board.tables["plans"]


def test_unknown_table_and_absent_table_are_told_apart(tmp_path: Path) -> None:
    board = read_board(write(tmp_path, plans=PLANS))
    assert list(board.tables) == ["plans"]
    with pytest.raises(ParameterError, match='Did you mean "plans"'):
        board.tables["planss"]
    with pytest.raises(TableError, match=r"ballots\.csv: file not found"):
        board.tables["ballots"]
    assert "ballots" not in board.tables


def test_folder_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(TableError, match="there is no such folder"):
        check_board(tmp_path / "nowhere")


def test_row_with_a_cell_too_many_names_the_row(tmp_path: Path) -> None:
    folder = write(tmp_path, plans=PLANS + "CP2,C2,Kent,Dover,NEG,2007-05-01,,0,extra\n")
    assert "1 of 2 rows have not as many cells as the header has columns (8): rows 3." in sentences(folder)


def test_blank_rows_are_left_out_and_row_numbers_stay_true(tmp_path: Path) -> None:
    path = tmp_path / "plans.csv"
    path.write_text(PLANS + '\n,,,,,,,\nCP2,"C\n2",Kent,Dover,NEG,2007-05-01,,0\n')
    assert read_table(path).frame[ROW].to_list() == [2, 5]


def test_unclosed_quotation_mark_is_explained(tmp_path: Path) -> None:
    folder = write(tmp_path, plans=PLANS + 'CP2,"C2,Kent\n')
    assert "quotation mark that is opened and not closed" in sentences(folder)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("plans.csv", b"PK\x03\x04zip", "not a text file"),
        ("plans.xlsx", b"not a workbook", "cannot be opened"),
        ("plans.parquet", b"not parquet", "not a Parquet file"),
        ("plans.pdf", b"%PDF", "cannot be read"),
    ],
)
def test_file_that_is_not_what_its_name_says(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(TableError, match=says):
        read_table(tmp_path / name)


def test_xlsx_and_parquet_give_the_same_table_as_csv(tmp_path: Path) -> None:
    csv = write(tmp_path, plans=PLANS)
    expected = read_board(csv).tables["plans"]
    for ending in ("xlsx", "parquet"):
        folder = tmp_path / ending
        folder.mkdir()
        if ending == "xlsx":
            expected.write_excel(folder / "plans.xlsx")
        else:
            expected.write_parquet(folder / "plans.parquet")
        assert_frame_equal(read_board(folder).tables["plans"], expected)


def test_empty_board_holds_every_table_and_a_board_toml_that_is_valid(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    write_empty_board(folder)
    problems = check_board(folder)
    assert set(problems["table"]) == set(TABLES)
    assert set(problems["rule"]) == {"the file must hold at least one row below its header"}
    with pytest.raises(ParameterError, match="Nothing was written"):
        write_empty_board(folder)


def test_every_setting_of_the_empty_board_toml_is_one_the_program_knows(tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    write_empty_board(folder)
    text = (folder / "board.toml").read_text()
    settings = [line[2:] if line.startswith("# ") and " = " in line else line for line in text.splitlines()]
    (folder / "board.toml").write_text("\n".join(settings))
    found = check_board(folder).filter(pl.col("table") == "board.toml")
    assert found.is_empty(), found.rows()


def test_input_files_are_never_changed(tmp_path: Path) -> None:
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS, plans=PLANS)
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    check_board(folder)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


# Columns beyond the contract


def test_column_beyond_the_contract_is_dropped_unless_board_toml_names_it(tmp_path: Path) -> None:
    wider = BOOKINGS.replace("booked\n", "booked,Home Team,surname\n").replace("yes\n", "yes,3,Archer\n")
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=wider)
    without = read_board(folder)
    assert without.tables["bookings"].columns == list(TABLES["bookings"].columns())
    assert without.notes_of("bookings") == [
        "bookings.csv: column home_team is not in the contract and is not used; "
        "to group by it, name it under [columns] in board.toml.",
        "bookings.csv: column surname is not in the contract and is not used.",
    ]
    write(tmp_path, board='[columns]\nbookings = ["Home Team", "home_team", "status"]\n')
    named = read_board(folder)
    assert named.tables["bookings"].columns == [*TABLES["bookings"].columns(), "home_team"]
    assert named.tables["bookings"]["home_team"].to_list() == ["3"]
    assert named.notes_of("bookings") == ["bookings.csv: column surname is not in the contract and is not used."]


def test_named_column_that_is_not_there_and_unknown_table_are_reported_with_the_nearest(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        board='[columns]\nplans = ["ward"]\nplan = ["x"]\n',
        plans=PLANS.replace("\n", ",wards\n", 1).replace(",0\n", ",0,W1\n"),
    )
    assert 'board.toml, setting columns.plan: the name of a table. Did you mean "plans"? Found: "plan".' in sentences(
        folder
    )
    write(tmp_path, board='[columns]\nplans = ["ward"]\n')
    assert sentences(folder) == (
        "plans.csv, column ward: the column must be there, because [columns] in board.toml names it. "
        'Found "wards": if that is it, rename it to "ward".'
    )


@pytest.mark.parametrize(
    "column", ["child", "Person", "Surname", "home_postcode", "NHS number", "date-of-birth", "Name"]
)
def test_column_that_could_identify_a_person_cannot_be_named(tmp_path: Path, column: str) -> None:
    folder = write(tmp_path, board=f'[columns]\nsessions = ["{column}", "ward"]\n', sessions=SESSIONS)
    said = sentences(folder)
    assert said.startswith("board.toml, setting columns.sessions: columns to group by, never one that could identify")
    assert said.endswith(f'Found: "{column}".')
    assert read_config(folder)[0].columns == {}


def test_columns_that_are_no_list_are_reported(tmp_path: Path) -> None:
    folder = write(tmp_path, board='[columns]\nsessions = "ward"\n', sessions=SESSIONS)
    assert sentences(folder) == "board.toml, setting columns.sessions: input should be a valid list. Found: ward."


# What is never printed

HEADLESS = {
    "no header": "Jane Smith,C-77,Kent\nJohn Archer,C-78,Kent\n",
    "the same cell twice": "Jane Smith,Jane Smith,Kent\nJohn Archer,C-78,Kent\n",
    "an empty cell": "Jane Smith,,C-77\nJohn Archer,x,C-78\n",
    "a cell too few": "Jane Smith,C-77,Kent\nJohn Archer,C-78\n",
    "fewer than half of the columns": "plan,child,authority,Jane Smith,C-77,Kent\nJohn Archer,C-78,,,,\n",
}


@pytest.mark.parametrize("text", HEADLESS.values(), ids=HEADLESS)
def test_file_without_a_header_prints_nothing_of_its_first_row(tmp_path: Path, text: str) -> None:
    folder = write(tmp_path, plans=text)
    said = "\n".join([sentences(folder), *read_board(folder).notes_of("plans")]).casefold().replace("_", " ")
    assert said
    for secret in ("jane", "smith", "archer", "c 77", "c-77"):
        assert secret not in said


def test_file_without_a_header_is_told_so_and_which_columns_are_wanted(tmp_path: Path) -> None:
    assert sentences(write(tmp_path, plans=HEADLESS["no header"])) == (
        "plans.csv: the first row does not look like a header of this table. Wanted the columns: "
        "plan, child, authority, district, category, start_date, end_date, previous_plans, latest_category, "
        "family, birth_date, death_date, moved_date."
    )


def test_half_of_the_columns_is_a_header(tmp_path: Path) -> None:
    # 4 of the 8 columns are there: the other 4 are missed, and the column that is too many is named.
    folder = write(tmp_path, plans="plan,child,authority,category,ward\nCP1,C1,Kent,NEG,W\n")
    missed = check_board(folder).filter(pl.col("row").is_null())
    assert sorted(missed["column"]) == ["district", "end_date", "previous_plans", "start_date"]
    assert "column ward is not in the contract" in read_board(folder).notes_of("plans")[0]


def test_name_that_stands_twice_in_the_header_is_given_by_its_places(tmp_path: Path) -> None:
    folder = write(tmp_path, issues="issue,jane_smith,description,Jane Smith\nNeglect,,,\n")
    assert sentences(folder) == (
        "issues.csv: columns 2, 4 have a name that another column has too. Keep one column of each name."
    )


@pytest.mark.parametrize(
    ("cells", "found"),
    [
        (["P1", "jane smith"], ["(not shown: it also stands in a column that identifies people)"] * 2),
        (["attended by Jane Smith", "P2 attended"], ["(not shown: it stands in one row only", "(not shown: it also"]),
        (["Archer", "Attnded"], ["(not shown: it stands in one row only", '"Attnded" Did you mean "attended"?']),
        (["came late", "came late"], ['"came late"', '"came late"']),
    ],
)
def test_word_of_a_choice_is_shown_only_if_it_is_hardly_a_persons(
    tmp_path: Path, cells: list[str], found: list[str]
) -> None:
    rows = "".join(
        f"S1,{person},CAFCASS,2,{cell},yes\n" for person, cell in zip(("P2", "Jane Smith"), cells, strict=True)
    )
    header = BOOKINGS.splitlines()[0]
    folder = write(
        tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=f"{header}\n{rows}S1,P1,CAFCASS,2,attended,yes\n"
    )
    reported = check_board(folder)["found"].to_list()
    assert len(reported) == 2
    assert all(said.startswith(start) for said, start in zip(reported, found, strict=True)), reported


def test_unknown_agency_is_shown_only_if_it_resembles_one_or_stands_in_several_rows(tmp_path: Path) -> None:
    header, row = BOOKINGS.splitlines()
    agencies = ["Jane Archer", "Kent Polise", "Fire", "Fire", "P5"]
    rows = [row.replace("P1", f"P{n}").replace("Kent Police", name) for n, name in enumerate(agencies, 1)]
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings="\n".join([header, *rows]) + "\n")
    assert check_board(folder)["found"].to_list() == [
        "(not shown: it stands in one row only and resembles no allowed word)",
        '"Kent Polise" Did you mean "Kent Police"?',
        '"Fire"',
        '"Fire"',
        "(not shown: it also stands in a column that identifies people)",
    ]


@pytest.mark.parametrize(
    ("found", "said"),
    [
        ("Jane", "(not shown: it holds letters, so it could be a name)"),
        ("May 2007", "(not shown: it holds letters, so it could be a name)"),
        ("943 476 5919", "(not shown: it has more digits than a date, so it could be somebody's number)"),
        ("C1", "(not shown: it also stands in a column that identifies people)"),
        ("tbc", '"tbc"'),
        ("31/02/2007", '"31/02/2007"'),
    ],
)
def test_cell_that_is_no_date_is_shown_only_if_it_is_hardly_a_persons(tmp_path: Path, found: str, said: str) -> None:
    folder = write(tmp_path, plans=PLANS.replace("2007-05-01", found))
    assert check_board(folder).select("column", "found").rows() == [("start_date", said)]


# Agencies


def test_alias_of_two_agencies_is_reported_for_both_whatever_its_case(tmp_path: Path) -> None:
    folder = write(
        tmp_path,
        agencies="agency,sector,aliases\nKent Police,,KP; kent police\nKent Probation,,kp\nCourts,,KENT POLICE\n",
        sessions=SESSIONS,
        bookings=BOOKINGS.replace("Kent Police", "KP"),
    )
    agencies = check_board(folder).filter(pl.col("table") == "agencies")
    assert agencies.select("row", "found").rows() == [
        (2, '"Kent Police", "KP", "kent police"'),
        (3, '"kp"'),
        (4, '"KENT POLICE"'),
    ]
    assert sentences(folder).startswith("agencies.csv, column aliases: 3 of 3 rows: rows 2, 3, 4. Found: ")
    with pytest.raises(TableError, match=r"bookings\.csv, column agency"):  # nobody is chosen in silence
        read_board(folder).tables["bookings"]


def test_agency_that_lists_its_own_name_as_an_alias_is_no_problem(tmp_path: Path) -> None:
    assert check_board(write(tmp_path, agencies="agency,sector,aliases\nPolice,,police;POLICE;KP;KP\n")).is_empty()


# Plans

COMPLETE = "[child_protection]\nplans_from = 2007-04-01\nplans_to = 2008-03-31\n"


def test_register_whose_days_are_not_stated_is_noted(tmp_path: Path) -> None:
    # PLANS starts on one day, so nothing tells how far the register goes.
    assert (
        read_board(write(tmp_path, plans=PLANS))
        .notes_of("plans")[0]
        .startswith("plans.csv: the register is taken to be complete from ")
    )
    assert read_board(write(tmp_path, board=COMPLETE)).notes_of("plans") == []


def test_plans_without_a_number_of_previous_plans_are_noted(tmp_path: Path) -> None:
    with_two = PLANS.replace(",0\n", ",\n") + "CP2,C2,Kent,Dover,NEG,2007-05-01,,1\n"
    folder = write(tmp_path, board=COMPLETE, plans=with_two)
    assert read_board(folder).notes_of("plans") == [
        "plans.csv: 1 plan has an empty previous_plans, so it is in neither number of the repeat rate."
    ]
    write(tmp_path, plans=PLANS.replace(",0\n", ",\n") + "CP2,C2,Kent,Dover,NEG,2007-05-01,,\n")
    assert read_board(folder).notes_of("plans") == [
        "plans.csv: 2 plans have an empty previous_plans, so they are in neither number of the repeat rate."
    ]


def test_plans_of_another_authority_are_noted_where_the_board_has_one(tmp_path: Path) -> None:
    others = "".join(f"CP{n},C{n},{name},,,2007-05-01,,0\n" for n, name in ((2, "Medway"), (3, "Medway"), (4, "C1")))
    folder = write(tmp_path, board=COMPLETE, plans=PLANS + others)
    assert read_board(folder).notes_of("plans") == []
    write(tmp_path, board=f'[board]\nauthority = "Kent"\n{COMPLETE}')
    assert read_board(folder).notes_of("plans") == [
        "plans.csv: 3 of 4 plans are not of the authority in board.toml, Kent, but of "
        '(not shown: it also stands in a column that identifies people), "Medway".'
    ]


# Versions, sheets, policies


def test_data_version_is_that_of_the_bytes_read(tmp_path: Path) -> None:
    folder = write(tmp_path, board='[comparators]\nstatistical_neighbours = "sn.txt"\n', plans=PLANS)
    board = read_board(folder)
    assert board.tables["plans"].height == 1
    write(tmp_path, plans=PLANS.replace("CP1", "CP2"))
    before = board.data_version
    assert read_board(folder).data_version != before
    write(tmp_path, plans=PLANS)
    assert read_board(folder).data_version == before == board.data_version
    for name in ("sn.txt", "themes.csv"):
        (tmp_path / name).write_text("x")
        assert read_board(folder).data_version != before
        (tmp_path / name).unlink()
    write(tmp_path, board='[comparators]\nstatistical_neighbours = "sn.txt"\n\n')
    assert read_board(folder).data_version != before


def test_table_that_changed_after_its_version_was_told_is_refused(tmp_path: Path) -> None:
    board = read_board(write(tmp_path, plans=PLANS))
    assert board.data_version
    write(tmp_path, plans=PLANS.replace("CP1", "CP2"))
    with pytest.raises(TableError, match=r"plans\.csv: the file has changed"):
        board.tables["plans"]


def test_workbook_with_more_than_one_sheet_says_which_was_read(tmp_path: Path) -> None:
    from xlsxwriter import Workbook

    write(tmp_path, board=COMPLETE)
    for sheets in (["Plans 2011"], ["Plans 2011", "Plans 2012"]):
        with Workbook(tmp_path / "plans.xlsx") as workbook:
            for sheet in map(workbook.add_worksheet, sheets):
                for number, line in enumerate(PLANS.splitlines()):
                    sheet.write_row(number, 0, line.split(","))
        notes = read_board(tmp_path).notes_of("plans")
        assert notes == ['plans.xlsx: only its first sheet, "Plans 2011", was read.'][: len(sheets) - 1]


def test_policies_of_board_toml_are_those_of_the_populations(tmp_path: Path) -> None:
    board = read_board(
        write(
            tmp_path,
            board='[policy.children]\npreset = "nhs"\nzeros = "hidden"\n[policy.staff]\nthreshold = 10\n'
            "[policy.board_members]\nminimum_ballots = 5\n",
        )
    )
    assert board.policy("children") == Policy(threshold=8, mark="*", round=5, zeros="hidden")
    assert board.policy("staff") == Policy(threshold=10)
    assert board.policy("board_members") == Policy(minimum_ballots=5)


def test_ranking_of_fewer_than_three_ballots_cannot_be_allowed(tmp_path: Path) -> None:
    folder = write(tmp_path, board="[policy.board_members]\nminimum_ballots = 2\n", plans=PLANS)
    assert sentences(folder) == (
        "board.toml, setting policy.board_members.minimum_ballots: "
        "input should be greater than or equal to 3. Found: 2."
    )


def test_capital_letters_in_a_status_do_not_matter(tmp_path: Path) -> None:
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS.replace(",attended", ",Attended"))
    assert read_board(folder).tables["bookings"]["status"].to_list() == ["attended"]


def test_word_mapped_to_one_that_is_not_allowed_is_reported_in_board_toml(tmp_path: Path) -> None:
    folder = write(tmp_path, board='[bookings.status]\n"DNA" = "did_not_attnd"\n', plans=PLANS)
    assert (
        "board.toml, setting bookings.status: one of: attended, did_not_attend, cancelled, booked, waitlisted. "
        'Did you mean "did_not_attend"? Found: "DNA" = "did_not_attnd".'
    ) in sentences(folder)


def test_swapped_columns_print_no_person_and_say_what_may_have_happened(tmp_path: Path) -> None:
    rows = "".join(f"S1,Kent Police,p{number}@devon.gov.uk,2,attended,yes\n" * 2 for number in range(30))
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS.split("\n")[0] + "\n" + rows)
    said = sentences(folder)
    assert "@" not in said
    assert "Are two columns swapped" in said


def test_mail_address_in_several_rows_is_not_printed(tmp_path: Path) -> None:
    rows = "S1,P1,jo@devon.gov.uk,2,attended,yes\nS1,P2,jo@devon.gov.uk,2,attended,yes\n"
    folder = write(tmp_path, agencies=AGENCIES, sessions=SESSIONS, bookings=BOOKINGS.split("\n")[0] + "\n" + rows)
    assert "jo@" not in sentences(folder)
