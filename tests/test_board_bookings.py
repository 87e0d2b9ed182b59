"""A board with an export of bookings: one file for two tables, a key that is nowhere, agencies that merged."""

import hashlib
import pickle
import re
import shutil
from datetime import date
from types import SimpleNamespace

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.agency_names import alias_lines, propose_aliases
from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.leaks import find_leaks
from safeguarding_analytics.pseudonyms import write_key
from safeguarding_analytics.release import promote, publish
from safeguarding_analytics.session_notes import say_sessions

BOARD = """
[board]
as_at = 2011-07-01
[bookings_export]
file = "learners 2011.csv"
[bookings_export.columns]
session = "Event"
person = "E-mail"
name = "Learner"
agency = "Organisation"
status = "Outcome"
"""
OF_SESSIONS = 'course = "Title"\ntraining_level = "Level"\ndate = "Start"\n'
EXPORT = """Event,Title,Level,Start,E-mail,Learner,Organisation,Outcome
E1,Core,2,17/05/2011,jane.smith@kent.gov.uk,Jane Smith,KCC,Attended
E1,Core,2,17/05/2011,bo.li@police.uk,Bo Li,Kent Police,No show
E2,Core,2,20/07/2011,bo.li@police.uk,Bo Li,Kent Police,Booked
"""
AGENCIES = "agency,sector,aliases\nKent Police,Police,\nKent County Council,Council,KCC\n"
SESSIONS = (
    "session,course,training_level,district,area,venue,date,half_day,capacity,cost\n"
    "E1,Core,2,,,,2011-05-17,,50,\nE2,Core,2,,,,2011-07-20,,50,\n"
)
BOOKINGS = "session,person,agency,target_group,status,booked\nE1,P1,Kent Police,2,attended,yes\n"
MERGED = """agency,sector,aliases,merged_into,merged_on
East PCT,Health,EPCT,Kent PCT,2010-04-01
West PCT,Health,,Kent PCT,2010-04-01
Kent PCT,Health,,Kent CCG,2011-04-01
Kent CCG,Health,,,
Kent Police,Police,,,
"""
WORKFORCE = "agency,training_level,target_group,time_period,eligible_staff\n"


def write(folder, **files):
    names = {"board": "board.toml", "export": "learners 2011.csv", "key": "pseudonym.key"}
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        path = folder / names.get(name, f"{name}.csv")
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    return folder


def with_export(folder, board=BOARD + OF_SESSIONS, export=EXPORT, **files):
    return write(folder, board=board, export=export, agencies=AGENCIES, key="0123456789abcdef" * 4, **files)


def sentences(folder):
    board, problems = check_all(folder)
    return say_problems(problems, board.file_names, {name: board.height(name) for name in board.tables})


def test_sessions_of_a_file_of_their_own_are_used_instead_of_those_of_the_export(tmp_path):
    board = read_board(with_export(tmp_path, sessions=SESSIONS))
    assert board.tables["sessions"]["capacity"].to_list() == [50, 50]
    assert board.tables["bookings"]["session"].to_list() == ["E1", "E1", "E2"]
    assert board.path("sessions").name == "sessions.csv"
    assert (
        "learners 2011.csv: its course and other columns of sessions are not used, because sessions have a file of "
        "their own." in board.notes_of("bookings")
    )


def test_session_of_the_export_that_the_file_of_sessions_lacks_is_reported(tmp_path):
    with_export(tmp_path, sessions=SESSIONS.replace("E2", "E9"))
    assert sentences(tmp_path) == [
        "learners 2011.csv, column Event: 1 of 3 rows: row 4. Found: (not shown: it stands in one row only and "
        "resembles no allowed word). Wanted: session listed in the table sessions."
    ]


def test_export_without_courses_gives_bookings_alone(tmp_path):
    board = read_board(with_export(tmp_path, BOARD))
    assert list(board.tables) == ["agencies", "bookings"]
    assert board.tables["bookings"].height == 3


def test_headings_that_sessions_need_are_asked_for(tmp_path):
    with_export(tmp_path, BOARD + 'course = "Title"\n')
    assert [(row[0], row[2]) for row in check_board(tmp_path).rows()] == [
        ("sessions", "date"),
        ("sessions", "training_level"),
    ]
    assert all("must be named under [bookings_export.columns]" in row[3] for row in check_board(tmp_path).rows())


@pytest.mark.parametrize("other", ["bookings.csv", "bookings.parquet"])
def test_bookings_come_from_one_place(tmp_path, other):
    with_export(tmp_path)
    (tmp_path / other).write_text(BOOKINGS, encoding="utf-8")
    (said,) = sentences(tmp_path)
    assert said == (
        "learners 2011.csv: bookings must come from one place, and there are two: this one, which [bookings_export] in "
        f"board.toml names, and {other}. Delete {other} or take it out of [files], or take away [bookings_export]."
    )
    with pytest.raises(TableError, match="there are two"):
        read_board(tmp_path).tables["sessions"]


def test_export_may_have_the_name_of_the_table(tmp_path):
    with_export(tmp_path, (BOARD + OF_SESSIONS).replace("learners 2011", "bookings"))
    (tmp_path / "learners 2011.csv").rename(tmp_path / "bookings.csv")
    assert read_board(tmp_path).tables["bookings"].height == 3


def test_missing_export_is_reported(tmp_path):
    with_export(tmp_path)
    (tmp_path / "learners 2011.csv").unlink()
    assert re.fullmatch(r"learners 2011.csv: file not found in .*", sentences(tmp_path)[0])


def test_missing_key_is_reported_with_the_command_that_makes_one(tmp_path):
    with_export(tmp_path)
    (tmp_path / "pseudonym.key").unlink()
    (said,) = sentences(tmp_path)
    assert f"safeguarding key {tmp_path.name}" in said
    write_key(tmp_path / "pseudonym.key")
    assert sentences(tmp_path) == []


def test_key_that_others_can_read_is_pointed_out(tmp_path):
    with_export(tmp_path)
    (tmp_path / "pseudonym.key").chmod(0o644)
    assert "others on this computer can read the key pseudonym.key" in " ".join(
        read_board(tmp_path).notes_of("bookings")
    )


def test_key_may_lie_elsewhere(tmp_path):
    folder = with_export(
        tmp_path / "board",
        BOARD.replace("[bookings_export.c", 'key_file = "../our.key"\n[bookings_export.c') + OF_SESSIONS,
    )
    (folder / "pseudonym.key").rename(tmp_path / "our.key")
    assert read_board(folder).tables["bookings"].height == 3


def test_neither_key_nor_people_are_kept(tmp_path):
    board, problems = check_all(with_export(tmp_path, export=EXPORT.replace("No show", "Zorg")))
    key = (tmp_path / "pseudonym.key").read_text(encoding="ascii")
    kept = [
        pickle.dumps(board).decode("latin-1"),
        repr(board),
        repr(board.__dict__),
        board.data_version,
        str(problems.rows()),
        *(note for name in board.tables for note in board.notes_of(name)),
    ]
    for secret in (
        key,
        repr(bytes.fromhex(key)),
        bytes.fromhex(key).decode("latin-1"),
        "jane.smith",
        "Jane Smith",
        "bo.li@",
        "Bo Li",
    ):
        assert not [text for text in kept if secret.casefold() in text.casefold()]
    assert not set(board.raw("bookings").frame.columns) & {"name", "e-mail", "home", "role"}


def test_data_version_is_that_of_the_export_and_not_of_the_key(tmp_path):
    version = read_board(with_export(tmp_path)).data_version
    write(tmp_path, key="ab" * 32)
    assert read_board(tmp_path).data_version == version
    write(tmp_path, export=EXPORT.replace("Booked", "Attended"))
    assert read_board(tmp_path).data_version != version


def test_export_that_changes_after_the_board_was_opened_is_refused(tmp_path):
    board = read_board(with_export(tmp_path))
    version = board.data_version
    write(tmp_path, export=EXPORT.replace("Booked", "Waitlisted"))
    with pytest.raises(TableError, match="the file has changed since"):
        board.tables["bookings"]
    assert board.data_version == version


@pytest.mark.parametrize("kind", ["export", "clean"])
def test_attended_after_the_date_of_the_evaluation_is_a_broken_rule_by_row(tmp_path, kind):
    if kind == "export":
        with_export(tmp_path, export=EXPORT.replace("Booked", "Attended"))
        row, column = 4, "Outcome"
    else:
        more = "E2,P2,Kent Police,2,attended,yes\nE2,P3,Kent Police,2,booked,yes\n"
        write(
            tmp_path,
            board="[board]\nas_at = 2011-07-01\n",
            agencies=AGENCIES,
            sessions=SESSIONS,
            bookings=BOOKINGS + more,
        )
        row, column = 3, "status"
    ((table, found_row, found_column, rule, found),) = check_board(tmp_path).rows()
    assert (table, found_row, found_column, found) == ("bookings", row, column, '"attended"')
    assert rule.startswith("a session held by 2011-07-01, the as_at under [board] in board.toml")


def test_session_on_the_day_of_the_evaluation_has_been_held(tmp_path):
    with_export(
        tmp_path, (BOARD + OF_SESSIONS).replace("2011-07-01", "2011-07-20"), EXPORT.replace("Booked", "Attended")
    )
    assert sentences(tmp_path) == []


def test_unknown_agencies_are_proposed_and_never_applied(tmp_path):
    export = (
        EXPORT.replace(",KCC,", ",Kent County Counsil,")
        .replace("Kent Police,No", "Jane Smith,No")
        .replace("Kent Police,Bo", "Kent Polise,Bo")
    )
    board, problems = check_all(with_export(tmp_path, export=export))
    assert problems["row"].to_list() == [2, 3, 4]
    assert board.unknown_agencies().rows() == [
        ("Kent County Counsil", 1, "Kent County Council", 0.95),  # 2 × 18 letters in common of 19 + 19
        ("Kent Polise", 1, "Kent Police", 0.91),  # 2 × 10 of 11 + 11
    ]
    assert alias_lines(board.unknown_agencies()) == [
        '"Kent County Counsil" = "Kent County Council"',
        '"Kent Polise" = "Kent Police"',
    ]


def test_proposals_look_at_aliases_initials_and_the_order_of_words():
    agencies = pl.DataFrame(
        {
            "agency": ["Children, families and education", "Kent Police", "East Kent Hospitals"],
            "aliases": [None, "Constabulary; KP", None],
        }
    )
    found = ["Children Families & Education"] * 3 + [
        "Constabulery",
        "kp",
        "Police, Kent",
        "EKH",
        "Zebra",
        "Oak school",
        "oak School",
        None,
        "",
    ]
    assert propose_aliases(pl.Series(found), agencies).rows() == [
        ("Children Families & Education", 3, "Children, families and education", 1.0),
        ("Police, Kent", 1, "Kent Police", 1.0),
        ("Constabulery", 1, "Kent Police", 0.92),  # 2 × 11 of 12 + 12
        ("EKH", 1, "East Kent Hospitals", 0.9),
        ("Oak school", 2, None, None),
    ]


def test_no_agencies_give_no_proposals():
    nothing = pl.DataFrame({"agency": [], "aliases": []}, {"agency": pl.String, "aliases": pl.String})
    assert propose_aliases(pl.Series(["Once", "Twice", "Twice"]), nothing).rows() == [("Twice", 2, None, None)]
    assert propose_aliases(pl.Series([], dtype=pl.String), nothing).height == 0


def test_lines_of_aliases_are_valid_toml(tmp_path):
    name = 'The "Hub" \\ [North]\n#1'
    (line,) = alias_lines(pl.DataFrame({"name": [name], "proposal": ["Kent Police"]}))
    write(tmp_path, board=f"[bookings.agency]\n{line}\n", agencies=AGENCIES)
    assert read_board(tmp_path).config.words["bookings"]["agency"] == {'The "Hub" \\ [North] #1': "Kent Police"}


def merged_board(folder, **files):
    return write(folder, agencies=MERGED, **files)


def test_rows_of_merged_agencies_count_under_the_last_successor(tmp_path):
    bookings = (
        "session,person,agency,target_group,status,booked\nE1,P1,EPCT,2,attended,yes\nE1,P2,Kent PCT,2,attended,yes\n"
        "E1,P3,Kent CCG,2,attended,yes\nE1,P4,Kent Police,2,attended,yes\n"
    )
    board = read_board(merged_board(tmp_path, sessions=SESSIONS, bookings=bookings))
    assert board.tables["bookings"]["agency"].to_list() == ["Kent CCG", "Kent CCG", "Kent CCG", "Kent Police"]
    assert board.notes_of("bookings") == [
        "bookings.csv: 2 rows of East PCT and Kent PCT count under Kent CCG, into which they merged."
    ]


def test_merger_after_the_date_of_the_evaluation_has_not_happened(tmp_path):
    bookings = BOOKINGS.replace("Kent Police", "East PCT")
    merged_board(
        tmp_path,
        board="[board]\nas_at = 2011-03-31\n",
        sessions=SESSIONS.replace("2011-0", "2010-0"),
        bookings=bookings,
    )
    assert read_board(tmp_path).tables["bookings"]["agency"].to_list() == ["Kent PCT"]


def test_head_counts_of_agencies_that_merged_are_added_up(tmp_path):
    workforce = WORKFORCE + (
        "East PCT,2,3,2011,100\nWest PCT,2,3,2011,50\nEast PCT,2,4,2011,10\nWest PCT,2,4,2011,\n"
        "Kent Police,2,3,2011,7\n"
    )
    board = read_board(merged_board(tmp_path, workforce=workforce))
    expected = pl.DataFrame(
        {
            "agency": ["Kent CCG", "Kent CCG", "Kent Police"],
            "training_level": [2, 2, 2],
            "target_group": [3, 4, 3],
            "time_period": ["2011", "2011", "2011"],
            "eligible_staff": [150, None, 7],  # 100 + 50; 10 + not known
        }
    )
    assert_frame_equal(board.tables["workforce"], expected)
    assert board.notes_of("workforce") == [
        "workforce.csv: 4 rows of East PCT and West PCT count under Kent CCG, into which they merged."
    ]


def test_own_column_of_the_workforce_stays_where_all_rows_added_up_agree(tmp_path):
    header = WORKFORCE.replace("\n", ",district,base\n")
    workforce = header + "East PCT,2,3,2011,100,Dover,A\nWest PCT,2,3,2011,50,Dover,B\nKent Police,2,3,2011,7,Swale,C\n"
    board = read_board(
        merged_board(tmp_path, workforce=workforce, board='[columns]\nworkforce = ["district", "base"]\n')
    )
    found = board.tables["workforce"].select("agency", "eligible_staff", "district", "base").rows()
    assert found == [("Kent CCG", 150, "Dover", None), ("Kent Police", 7, "Swale", "C")]


def test_successor_with_a_return_of_its_own_may_be_counted_twice(tmp_path):
    workforce = WORKFORCE + "Kent CCG,2,3,2011,150\nEast PCT,2,3,2011,100\nEast PCT,2,3,2010,100\n"
    ((table, row, column, rule, found),) = check_board(merged_board(tmp_path, workforce=workforce)).rows()
    assert (table, row, column, found) == ("workforce", 3, "agency", '"East PCT"')
    assert "are these staff counted twice? Delete the row" in rule


def test_one_agency_twice_in_a_return_is_a_broken_rule_still(tmp_path):
    workforce = WORKFORCE + "East PCT,2,3,2011,100\nEast PCT,2,3,2011,100\n"
    assert check_board(merged_board(tmp_path, workforce=workforce))["row"].to_list() == [2, 3]


def test_agencies_that_merge_in_a_circle_break_a_rule(tmp_path):
    circle = MERGED.replace("Kent CCG,Health,,,", "Kent CCG,Health,,East PCT,2011-05-01")
    problems = check_board(write(tmp_path, agencies=circle))
    assert problems.select("table", "row", "column", "found").rows() == [
        ("agencies", 2, "merged_into", '"Kent PCT"'),
        ("agencies", 3, "merged_into", '"Kent PCT"'),
        ("agencies", 4, "merged_into", '"Kent CCG"'),
        ("agencies", 5, "merged_into", '"East PCT"'),
    ]


def test_person_with_staff_records_of_both_agencies_has_one_afterwards(tmp_path):
    staff = (
        "person,agency,training_level,target_group,start_date,post_start_date,leaving_date\n"
        "P1,East PCT,2,3,2005-01-01,,2010-03-31\nP1,Kent CCG,2,3,2010-04-01,,\nP2,West PCT,2,3,2006-01-01,,\n"
    )
    board = read_board(merged_board(tmp_path, staff=staff))
    found = board.tables["staff"].select("person", "agency", "start_date").sort("person").rows()
    assert found == [("P1", "Kent CCG", date(2010, 4, 1)), ("P2", "Kent CCG", date(2006, 1, 1))]
    assert "1 staff record left out, because the successor has one of the same person" in " ".join(
        board.notes_of("staff")
    )


def test_records_and_scores_count_under_the_successor(tmp_path):
    records = "person,agency,target_group,course,training_level,completed\nP1,West PCT,3,Core,2,2009-01-01\n"
    scores = "session,person,agency,wave,item,score\nE1,P1,West PCT,pre,Q1,3\n"
    items = "item,text,kind,minimum,maximum,reversed\nQ1,How?,likert,1,5,no\n"
    board = read_board(merged_board(tmp_path, sessions=SESSIONS, training_records=records, scores=scores, items=items))
    assert board.tables["training_records"]["agency"].to_list() == ["Kent CCG"]
    assert board.tables["scores"]["agency"].to_list() == ["Kent CCG"]


def test_courses_that_may_be_one_are_pointed_out_if_they_never_overlap():
    def note(old, new, first=date(2011, 5, 1), second=date(2011, 9, 1)):
        sessions = {"course": [old, new], "date": [first, second], "capacity": [1, 1], "row_number": [2, 3]}
        return say_sessions(pl.DataFrame(sessions))

    assert note("Working together", "Working Together (new)") == [
        'courses "Working together" (until 2011-05-01) and "Working Together (new)" (from 2011-09-01) have similar '
        'names and never overlap: if one was renamed, add "Working together" = "Working Together (new)" under '
        "[sessions.course] in board.toml"
    ]
    assert note("Working together", "Working together again", second=date(2011, 5, 1)) == []  # the same day
    assert note("Core part 1", "Core part 2") == []
    assert note("Core part A", "Core part B") == []
    assert note("Domestic abuse", "Neglect") == []


def test_sessions_without_a_place_are_pointed_out_in_any_file(tmp_path):
    write(tmp_path, agencies=AGENCIES, sessions=SESSIONS.replace(",50,\n", ",0,\n", 1))
    assert read_board(tmp_path).notes_of("sessions") == [
        "sessions.csv: 1 session has a capacity of 0, so that its take-up is not known: row 2."
    ]


@pytest.fixture(scope="module")
def released(tmp_path_factory):
    """A board with an export, and a release that holds nothing of it."""
    folder = tmp_path_factory.mktemp("released")
    with_export(folder / "board")
    table = suppress(pl.DataFrame({"agency": ["Kent County Council", "Kent Police"], "count": [12, 2]}), Policy.dfe())
    (folder / "built").mkdir()
    publish(table, "places", into=folder / "built", title="Places", definition="Places", measure="places")
    about = {"board": "B", "made_on": "2011-07-01", "as_at": None, "data_version": "0" * 12, "parameters": {}}
    promote(folder / "built", folder / "release", about=about)
    return SimpleNamespace(board=read_board(folder / "board"), release=folder / "release", folder=folder)


@pytest.mark.parametrize(
    "planted",
    [
        "jane.smith@kent.gov.uk",
        "JANE SMITH",
        "Smith, Jane",
        "bo.li@police.uk",
        "0123456789abcdef" * 4,
        "P"
        + hashlib.blake2b(
            b"jane.smith@kent.gov.uk", key=bytes.fromhex("0123456789abcdef" * 4), digest_size=10
        ).hexdigest(),
    ],
)
def test_release_that_holds_somebody_of_the_export_is_found(released, tmp_path, planted):
    clean = find_leaks(released.release, released.board)
    copy = shutil.copytree(released.release, tmp_path / "copy")
    (copy / "notes.txt").write_text(f"Ask {planted}, please.", encoding="utf-8")
    found = find_leaks(copy, released.board)
    assert "identifying value" in found["rule"].to_list()
    assert "identifying value" not in clean["rule"].to_list()
    assert not [cell for row in found.rows() for cell in row if planted.casefold() in cell.casefold()]
