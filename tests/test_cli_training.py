"""Keys and aliases on the command line: written once, proposed and not applied, and nothing printed of a person."""

from __future__ import annotations

import os
import re
import stat
import sys
import tomllib
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import NamedTuple

import pytest

from safeguarding_analytics.board import read_board
from safeguarding_analytics.cli import commands, main

AGENCIES = """agency,sector,aliases
Kent Police,Police,KP
Kent County Council,Council,
West Kent PCT,Health,WKPCT
"""
SESSIONS = (
    "session,course,training_level,district,area,venue,date,half_day,capacity,cost\n"
    "E1,Core,2,,,,2011-05-17,,50,\nE2,Core,2,,,,2011-05-18,,50,\n"
)
HEADER = "session,person,agency,target_group,status,booked\n"
EXPORT_BOARD = """
[bookings_export]
file = "learners.csv"
[bookings_export.columns]
session = "Event"
person = "E-mail"
name = "Learner"
agency = "Organisation"
status = "Outcome"
course = "Title"
training_level = "Level"
date = "Start"
"""
EXPORT = """Event,Title,Level,Start,E-mail,Learner,Organisation,Outcome
E1,Core,2,17/05/2011,jane.smith@kent.gov.uk,Jane Smith,Kent Conty Council,Attended
E1,Core,2,17/05/2011,bo.li@police.uk,Bo Li,Kent Polise,Attended
E1,Core,2,17/05/2011,ann.jones@police.uk,Ann Jones,Ann Jones,Attended
E1,Core,2,17/05/2011,raj.patel@hub.org,Raj Patel,Raj Patel,Attended
E2,Core,2,18/05/2011,raj.patel@hub.org,Raj Patel,Raj Patel,Attended
E2,Core,2,18/05/2011,bo.li@police.uk,Bo Li,Kent Polise,Attended
E2,Core,2,18/05/2011,jane.smith@kent.gov.uk,Jane Smith,jane.smith@kent.gov.uk,Attended
E2,Core,2,18/05/2011,lu.oak@hub.org,Lu Oak,,Attended
"""
PEOPLE = ("jane", "smith", "bo.li", "bo li", "ann", "jones", "raj", "patel", "lu.oak", "oak", "@")
PRIVATE = stat.S_IRUSR | stat.S_IWUSR


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(*arguments, cwd=None):
    """Run the command line in this process; an exception that it lets through fails the test."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.setattr(sys, "argv", ["safeguarding", *map(str, arguments)])
        patch.setenv("COLUMNS", "100")
        if cwd:
            patch.chdir(cwd)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    return Ended(code, out.getvalue(), err.getvalue())


def mistake(*arguments, cwd=None):
    """Run a command that must end in one clean message and exit code 2; the message."""
    ended = run(*arguments, cwd=cwd)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stdout + ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert "Traceback" not in ended.stderr
    return ended.stderr.removeprefix("Error: ").removesuffix("\n")


def write(folder, **files):
    folder.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / (f"{name}.toml" if name == "board" else f"{name}.csv")).write_text(text, encoding="utf-8")
    return folder


def with_bookings(folder, *rows):
    lines = "".join(f"{session},{person},{agency},2,attended,true\n" for session, person, agency in rows)
    return write(folder, agencies=AGENCIES, sessions=SESSIONS, bookings=HEADER + lines)


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def exported(tmp_path):
    """A board whose bookings come from an export, with its key."""
    folder = write(tmp_path / "board", board=EXPORT_BOARD, agencies=AGENCIES, learners=EXPORT)
    key = folder / "pseudonym.key"
    key.write_text("0123456789abcdef" * 4, encoding="ascii")
    key.chmod(0o600)
    return folder


# Help


@pytest.mark.parametrize("name", ["key", "aliases"])
def test_command_is_listed_and_explains_itself(name):
    assert name in commands.commands
    assert re.search(rf"^  {name} +\S", run("--help").stdout, flags=re.MULTILINE)
    shown = run(name, "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"Usage: safeguarding {name} [OPTIONS] FOLDER\n")
    assert max(map(len, shown.stdout.splitlines())) <= 100


def test_help_of_the_key_says_that_it_is_secret_and_to_keep_a_copy():
    said = " ".join(run("key", "--help").stdout.split())
    assert "never enters an output" in said
    assert "Keep a copy" in said


def test_help_of_aliases_says_that_nothing_is_changed():
    assert "Nothing is changed" in run("aliases", "--help").stdout


@pytest.mark.parametrize("name", ["key", "aliases"])
@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'FOLDER'"),
        (["a", "b"], "unexpected extra argument"),
        (["--force", "a"], "No such option"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2(name, arguments, said):
    ended = run(name, *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr


@pytest.mark.parametrize("name", ["key", "aliases"])
def test_folder_that_is_not_there_is_said_to_be_missing_and_nothing_is_made(tmp_path, name):
    assert mistake(name, "nowhere", cwd=tmp_path) == (
        "nowhere: there is no such folder. Make one with: safeguarding init nowhere"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["key", "aliases"])
def test_file_in_the_place_of_a_folder_is_refused(tmp_path, name):
    (tmp_path / "file").write_bytes(b"ours")
    ended = run(name, tmp_path / "file")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is a file" in ended.stderr
    assert contents(tmp_path) == {(tmp_path / "file").relative_to(tmp_path): b"ours"}


@pytest.mark.parametrize("name", ["key", "aliases"])
def test_broken_board_toml_is_said_to_be_broken_and_nothing_is_written(tmp_path, name):
    write(tmp_path, board="[bookings_export]\nfil = 3\n[trainign]\n")
    before = contents(tmp_path)
    said = mistake(name, tmp_path)
    assert "bookings_export.fil" in said
    assert 'Did you mean "training"?' in said
    assert contents(tmp_path) == before


# The key


def test_key_is_written_once_and_for_its_owner_alone(tmp_path):
    ended = run("key", tmp_path)
    key = tmp_path / "pseudonym.key"
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"Wrote a new key to {key}. Keep a copy of it in a safe place, and give it to nobody.\n"
    assert re.fullmatch(r"[0-9a-f]{64}\n", key.read_text(encoding="ascii"))
    assert os.name != "posix" or stat.S_IMODE(key.stat().st_mode) == PRIVATE


def test_key_is_never_printed(tmp_path):
    ended = run("key", tmp_path)
    secret = (tmp_path / "pseudonym.key").read_text(encoding="ascii").strip()
    again = run("key", tmp_path)
    printed = ended.stdout + ended.stderr + again.stdout + again.stderr
    assert not any(secret[start : start + 8] in printed for start in range(57))


def test_key_that_is_there_stays(tmp_path):
    run("key", tmp_path)
    before = contents(tmp_path)
    assert mistake("key", tmp_path) == (
        "pseudonym.key: there is a key already, and it stays: with a new one every person would get another "
        "pseudonym. Nothing was written. If you mean it, move the old key away first."
    )
    assert contents(tmp_path) == before


def test_two_boards_get_different_keys(tmp_path):
    folders = [write(tmp_path / name) for name in ("one", "two")]
    assert [run("key", folder).returncode for folder in folders] == [0, 0]
    one, two = ((folder / "pseudonym.key").read_bytes() for folder in folders)
    assert one != two


def test_key_goes_where_board_toml_says(tmp_path):
    folder = write(tmp_path / "board", board='[bookings_export]\nkey_file = "../secrets/kent.key"\nfile = "x.csv"\n')
    board = EXPORT_BOARD.replace('file = "learners.csv"', 'file = "learners.csv"\nkey_file = "../secrets/kent.key"')
    write(folder, board=board)
    assert mistake("key", folder).startswith("kent.key: the key cannot be written (no such file or directory).")
    (tmp_path / "secrets").mkdir()
    assert run("key", folder).returncode == 0
    assert [path.name for path in (tmp_path / "secrets").iterdir()] == ["kent.key"]
    assert not (folder / "pseudonym.key").exists()


def test_board_with_a_new_key_can_be_read_and_holds_no_person(exported):
    (exported / "pseudonym.key").unlink()
    assert "safeguarding key board" in run("check", exported).stderr
    assert run("key", exported).returncode == 0
    people = read_board(exported).raw("bookings").frame["person"].to_list()
    assert all(re.fullmatch("P[0-9a-f]{20}", person) for person in people)


# Aliases


def test_unknown_names_are_proposed_with_their_rows_and_likeness(tmp_path):
    # Letters in common, in their order, in both words: "kent polise" and "kent police" share 10 of 11: 20 ÷ 22 = 0.91
    folder = with_bookings(
        tmp_path / "board", ("E1", "p1", "Kent Polise"), ("E2", "p1", "kent polise"), ("E1", "p2", "Kent Police")
    )
    ended = run("aliases", folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    head, where, section, line = ended.stdout.splitlines()
    assert head == "# Names by likeness of spelling: check each. Those with a # in front resemble no agency."
    assert where == (
        "# As lines they mend the bookings; a name in the aliases of agencies.csv is mended in every table."
    )
    assert section == "[bookings.agency]"
    assert re.fullmatch(r'"[Kk]ent [Pp]olise" = "Kent Police"  # 2 rows, likeness 0\.91', line)


def test_name_that_resembles_none_is_a_comment(tmp_path):
    folder = with_bookings(tmp_path / "board", ("E1", "p1", "Zoo"), ("E1", "p2", "Zoo"), ("E1", "p3", "Kent Polise"))
    *_, polise, zoo = run("aliases", folder).stdout.splitlines()
    assert polise == '"Kent Polise" = "Kent Police"  # 1 row, likeness 0.91'
    assert zoo == '# "Zoo" = ""  # 2 rows'


def test_what_is_printed_can_be_pasted_into_board_toml_and_then_holds(tmp_path):
    rows = (("E1", "p1", "Kent Polise"), ("E1", "p2", '"The ""Kent"" Police"'), ("E1", "p3", "Kent Polise\\"))
    folder = with_bookings(tmp_path / "board", *rows)
    printed = run("aliases", folder).stdout
    words = tomllib.loads(printed)["bookings"]["agency"]
    assert words == {'The "Kent" Police': "Kent Police", "Kent Polise": "Kent Police", "Kent Polise\\": "Kent Police"}
    assert run("check", folder).returncode == 1
    write(folder, board=printed)
    assert run("check", folder).returncode == 0
    assert read_board(folder).tables["bookings"]["agency"].to_list() == ["Kent Police"] * 3


def test_nothing_is_changed(exported):
    before = contents(exported)
    run("aliases", exported)
    assert contents(exported) == before


def test_known_names_and_aliases_of_any_case_need_none(tmp_path):
    folder = with_bookings(
        tmp_path / "board", ("E1", "p1", "KP"), ("E1", "p2", "kent police"), ("E1", "p3", "WKPCT"), ("E1", "p4", "kp")
    )
    ended = run("aliases", folder)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "Nothing to propose: every name is that of an agency, or resembles none and may be a person's.\n"
        f"Names that are not known are listed, with their rows, by: safeguarding check {folder}\n"
    )


def test_name_in_one_row_that_resembles_none_is_not_printed_because_it_may_be_a_persons(tmp_path):
    ended = run("aliases", with_bookings(tmp_path / "board", ("E1", "p1", "Jane Smith"), ("E1", "p2", "Kent Police")))
    assert ended.returncode == 0
    assert "jane" not in ended.stdout.lower()


def test_people_of_an_export_are_never_printed(exported):
    ended = run("aliases", exported)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert '"Kent Polise" = "Kent Police"  # 2 rows, likeness 0.91' in ended.stdout
    assert '"Kent Conty Council" = "Kent County Council"' in ended.stdout
    proposed = "\n".join(ended.stdout.splitlines()[2:]).lower()  # the first two lines are ours
    assert [word for word in PEOPLE if word in proposed] == []
    assert re.search(r"\bP[0-9a-f]{20}\b", ended.stdout) is None


def test_export_without_its_key_is_refused_with_a_next_step(exported):
    (exported / "pseudonym.key").unlink()
    said = mistake("aliases", exported)
    assert "safeguarding key board" in said
    assert [word for word in PEOPLE if word in said.lower()] == []


@pytest.mark.parametrize("missing", ["bookings", "agencies"])
def test_board_without_bookings_or_agencies_is_no_all_clear(tmp_path, missing):
    folder = with_bookings(tmp_path / "board", ("E1", "p1", "Kent Polise"), ("E1", "p2", "Kent Polise"))
    (folder / f"{missing}.csv").unlink()
    assert mistake("aliases", folder).startswith(f"{missing}.csv: ")


def test_table_that_cannot_be_read_is_named_and_no_all_clear(tmp_path):
    folder = with_bookings(tmp_path / "board", ("E1", "p1", "Kent Polise"))
    (folder / "bookings.csv").write_bytes(b"\xff\xfe\x00\x01\x02")
    assert mistake("aliases", folder).startswith("bookings.csv: ")
