"""A board's folder in: what is read, what is refused, and in which words."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.contracts import say_problems
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


@pytest.mark.parametrize("day", ["31/02/2007", "05/13/2007", "10/05/0207", "May 2007", "39203"])
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
    assert 'bookings.csv, column status: the column must be there. Did you mean "statuss"?' in sentences(folder)
    assert read_board(folder).notes_of("bookings") == [
        "bookings.csv: column statuss is not in the contract and is not used."
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
        agencies=AGENCIES,
        issues="issue,description\nNeglect,\nGangs,\n",
        ballots="member,agency,issue,rank\nM1,CAFCASS,Neglect,0\nM2,CAFCASS,Gangs,1\nM2,CAFCASS,Gangs,2\n",
    )
    assert [row[1:4] for row in problems_of(folder)] == [
        (2, "rank", "at least 1"),
        (3, "issue", "one row per member and issue"),
        (4, "issue", "one row per member and issue"),
    ]


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
        "scores.csv: 1 people answered only after the session, so their gain is not known."
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
