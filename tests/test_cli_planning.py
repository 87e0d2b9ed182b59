"""`safeguarding plan`: before the workshops, from board.toml alone or with sessions, and never a traceback."""

from __future__ import annotations

import re
import shutil
import sys
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from typing import NamedTuple

import pytest

from safeguarding_analytics.cli import commands, main
from safeguarding_analytics.scaffold import write_empty_board

SESSIONS = "session,course,training_level,district,area,venue,date,half_day,capacity,cost\n"
REPORTS = "report_dates = [2011-07-01, 2011-07-15]\n"


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


def planned(*arguments):
    """What a command that succeeds prints."""
    ended = run("plan", *arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    return ended.stdout


def mistake(*arguments, cwd=None):
    """Run a command that must end in one clean message and exit code 2; the message."""
    ended = run("plan", *arguments, cwd=cwd)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stdout + ended.stderr
    assert ended.stderr.startswith("Error: ")
    assert "Traceback" not in ended.stderr
    return ended.stderr.removeprefix("Error: ").removesuffix("\n")


def write(folder, settings="", *sessions):
    """A board with these settings, and with a table of sessions where there are any: (name, course, day, places)."""
    folder.mkdir(exist_ok=True)
    (folder / "board.toml").write_text(settings, encoding="utf-8")
    if sessions:
        rows = "".join(f"{name},{course},2,,,,{day},,{places},\n" for name, course, day, places in sessions)
        (folder / "sessions.csv").write_text(SESSIONS + rows, encoding="utf-8")
    return folder


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


# Help


def test_command_is_listed_and_explains_itself():
    assert re.search(r"^  plan +\S", run("--help").stdout, flags=re.MULTILINE)
    shown = run("plan", "--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith("Usage: safeguarding plan [OPTIONS] FOLDER\n")
    said = " ".join(shown.stdout.split())
    assert "ask before the workshops" in said
    assert "[evaluation]" in said
    assert "--course NAME" in said
    assert all(parameter.help for parameter in commands.commands["plan"].params if parameter.name == "course")


# What is printed


def test_settings_alone_are_enough(tmp_path):
    settings = "[evaluation]\nsessions = 24\nplaces_per_session = 50\nanswer_both_times = 0.6\n"
    lines = planned(write(tmp_path, settings)).splitlines()
    assert lines[:2] == [
        "What gain could be seen",
        "24 sessions of 50 places, 60% of them taken by people who answer both times: 30 people a session.",
    ]
    # (2.0687 + 0.8583) × √(2.45 ÷ 720) = 0.1707: tables of t with 23 degrees of freedom
    assert "a mean gain of 0.17 standard deviations of the gain or more would be seen in 4 of 5 such" in lines[2]
    assert lines[-1].startswith("To know what reports can claim, set report_dates")


def test_demo_board_is_large_enough_for_its_two_points_and_reports_too_early_for_retention(demo_board, tmp_path):
    shutil.copytree(demo_board, tmp_path, dirs_exist_ok=True)
    settings = tmp_path / "board.toml"
    text = re.sub(r"(?ms)^\[evaluation\]$.*?(?=^\[|\Z)", "", settings.read_text(encoding="utf-8"))
    evaluation = f"\n[evaluation]\n{REPORTS}answer_both_times = 0.6\nsd_gain = 3.0\n"
    settings.write_text(text + evaluation, encoding="utf-8")
    lines = planned(tmp_path).splitlines()
    assert "The board said that 2 points would matter: this design is large enough to see such a gain." in lines
    assert [line for line in lines if line.startswith("The report of")] == [
        f"The report of {day} July 2011 is due {after} days after the last session: only reaction and learning can be "
        f"claimed. By then follow-up has begun for {begun} of 24 sessions and is over for none."
        for day, after, begun in ((1, 3, 10), (15, 17, 12))
    ]


def test_too_small_design_is_said_to_be_too_small_with_the_sessions_it_would_take(tmp_path):
    settings = "[knowledge]\nmeaningful_gain = 0.4\n[evaluation]\nsd_gain = 3\nsessions = 24\nplaces_per_session = 30\n"
    printed = planned(write(tmp_path, settings))
    assert "This design is too small: the board said that 0.4 points would matter" in printed
    # (t + t) × 3 × √(2.45 ÷ (30 × K)) ≤ 0.4: with K = 39 and 38 degrees of freedom 2.0244 + 0.8512: 0.3948, and with
    # K = 38 and 37 degrees 2.0262 + 0.8514: 0.4002
    assert "It would take 39 sessions of 30 people." in printed


def test_course_is_chosen_by_name(tmp_path):
    rows = (("S1", "Core", "2011-05-10", 40), ("S2", "Core", "2011-06-28", 40), ("S3", "Other", "2011-01-01", 9))
    folder = write(tmp_path, f"[evaluation]\n{REPORTS}", *rows)
    printed = planned(folder, "--course", "Core")
    assert "2 sessions of 40 places" in printed
    assert "is due 3 days after the last session:" in printed


def test_nothing_is_written(tmp_path):
    folder = write(tmp_path, "[evaluation]\nsessions = 24\nplaces_per_session = 50\n")
    before = contents(folder)
    planned(folder)
    assert contents(folder) == before


# Mistakes


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "Missing argument 'FOLDER'"),
        (["a", "b"], "unexpected extra argument"),
        (["--sessions", "3", "a"], "No such option"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2(arguments, said):
    ended = run("plan", *arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert said in ended.stderr


def test_folder_that_is_not_there_is_said_to_be_missing(tmp_path):
    assert mistake("nowhere", cwd=tmp_path) == (
        "nowhere: there is no such folder. Make one with: safeguarding init nowhere"
    )


def test_empty_folder_is_told_all_that_is_missing(tmp_path):
    said = mistake(tmp_path)
    assert "set sessions and places_per_session under [evaluation]" in said
    assert "set report_dates" in said


def test_empty_board_is_told_that_its_sessions_are_empty(tmp_path):
    write_empty_board(tmp_path)
    assert mistake(tmp_path).startswith("sessions.csv: the file must hold at least one row below its header")


def test_settings_out_of_range_are_named_all_at_once(tmp_path):
    said = mistake(write(tmp_path, "[evaluation]\nicc = 5\npower = 80\nsesions = 3\n"))
    assert [name for name in ("evaluation.icc", "evaluation.power", "evaluation.sesions") if name not in said] == []
    assert 'Did you mean "sessions"?' in said


def test_several_courses_must_be_told_apart_and_are_not_printed(tmp_path):
    rows = (("S1", "Core", "2011-05-10", 40), ("S2", "Jane Smith", "2011-05-11", 40))
    said = mistake(write(tmp_path, "", *rows))
    assert said == (
        "the table of sessions holds 2 courses, and an evaluation is of one. Choose it with --course, spelled as in "
        "the table."
    )


def test_unknown_course_is_refused_with_the_nearest(tmp_path):
    folder = write(tmp_path, "", ("S1", "Core", "2011-05-10", 40), ("S2", "Other", "2011-05-11", 40))
    assert mistake(folder, "--course", "core") == 'no session is of the course "core". Did you mean "Core"?'


def test_sessions_that_board_toml_names_and_that_are_not_there_are_missed(tmp_path):
    settings = '[files]\nsessions = "calendar.csv"\n[evaluation]\nsessions = 24\nplaces_per_session = 50\n'
    assert mistake(write(tmp_path, settings)).startswith("calendar.csv: ")


def test_broken_sessions_are_reported_by_row(tmp_path):
    folder = write(tmp_path, "", ("S1", "Core", "some day", 40))
    assert "row 2" in mistake(folder)
