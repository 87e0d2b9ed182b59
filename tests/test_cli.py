"""The command line: one clean message and an exit code for every mistake, and nothing heavy for --help."""

from __future__ import annotations

import csv
import errno
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple
from uuid import uuid4

import nbformat
import polars as pl
import psutil
import pytest

from safeguarding_analytics import __version__, report
from safeguarding_analytics.cli import commands, main
from safeguarding_analytics.dictionary import data_dictionary
from safeguarding_analytics.disclosure import Policy, suppress
from safeguarding_analytics.errors import as_called, say_system_error
from safeguarding_analytics.release import Release, promote, publish
from safeguarding_analytics.tables import TABLES

PROJECT = Path(__file__).parents[1]
INSTALLED = shutil.which("safeguarding", path=str(Path(sys.executable).parent)) or shutil.which("safeguarding")
COMMAND = [INSTALLED] if INSTALLED else [sys.executable, "-c", "from safeguarding_analytics.cli import main; main()"]
NAMES = [
    "demo",
    "init",
    "check",
    "key",
    "aliases",
    "plan",
    "ballots",
    "report",
    "audit",
    "dashboards",
    "publish",
    "live",
    "warm",
    "dictionary",
]
HEAVY = (
    "polars",
    "altair",
    "scipy",
    "nbformat",
    "jsonschema",
    "papermill",
    "numpy",
    "dataframely",
    "pydantic",
    "voila",
)


class Ended(NamedTuple):
    returncode: int
    stdout: str
    stderr: str


def run(*arguments, cwd=None, **own):
    """Run the command line in this process, which is quick; an exception that it lets through fails the test."""
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(StringIO()) as out, redirect_stderr(StringIO()) as err:
        patch.setattr(sys, "argv", ["safeguarding", *map(str, arguments)])
        patch.setenv("COLUMNS", "100")
        for name, value in own.items():
            patch.setenv(name, value)
        if cwd:
            patch.chdir(cwd)
        try:
            main()
            code = 0
        except SystemExit as end:
            code = end.code
    return Ended(code, out.getvalue(), err.getvalue())


def run_apart(*arguments, **own):
    """Run the installed command."""
    command = [*COMMAND, *map(str, arguments)]
    ended = subprocess.run(command, env={**os.environ, **own}, capture_output=True, text=True, timeout=120)
    return Ended(ended.returncode, ended.stdout, ended.stderr)


def mistake(*arguments, **own):
    """Run a command that must end in one clean message and exit code 2; the message."""
    ended = run(*arguments, **own)
    assert (ended.returncode, ended.stdout) == (2, ""), ended.stdout + ended.stderr
    assert ended.stderr.startswith("Error: ")
    return ended.stderr.removeprefix("Error: ").removesuffix("\n")


def usage_error(*arguments):
    """Run a command that click refuses; what it says below the line on usage."""
    ended = run(*arguments)
    assert (ended.returncode, ended.stdout) == (2, "")
    *usage, last = ended.stderr.splitlines()
    assert usage == [] or usage[0].startswith("Usage: safeguarding ")
    return last.removeprefix("Error: ")


def make_release(place, table, name="reach", measure="people"):
    built = place.with_name(f"being-built-{place.name}")
    built.mkdir(parents=True)
    safe = suppress(pl.DataFrame(table), Policy.dfe())
    publish(safe, name, into=built, title="T", definition="D", measure=measure)
    promote(built, place, about={"board": "B", "made_on": "2011-01-01", "data_version": "1"})
    return place


def contents(folder):
    return {path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def board(demo_board, tmp_path):
    return shutil.copytree(demo_board, tmp_path / "board")


# Help


def test_help_lists_the_commands_in_the_order_of_use():
    shown = run("--help")
    assert (shown.returncode, shown.stderr) == (0, "")
    listed = re.findall(r"^  (\w+) +\S", shown.stdout.split("Commands:")[1], flags=re.MULTILINE)
    assert listed == NAMES
    assert list(commands.commands) == NAMES


@pytest.mark.parametrize("name", NAMES)
def test_every_command_explains_itself_and_its_arguments(name):
    command = commands.commands[name]
    shown = run(name, "-h")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"Usage: safeguarding {name} [OPTIONS]")
    assert " ".join(shown.stdout.split()).count(" ".join(command.help.split("\n\n")[0].split())) == 1
    assert all(parameter.help for parameter in command.params if parameter.param_type_name == "option")


def test_version_is_that_of_the_package():
    shown = run_apart("--version")
    assert (shown.returncode, shown.stdout) == (0, f"safeguarding, version {__version__}\n")


def imported_by(code):
    """Names of the modules that a process imports for a piece of code, besides those that Python begins with."""
    told = f"import sys\nbefore = {{*sys.modules}}\n{code}\nprint('imported:', *sorted({{*sys.modules}} - before))"
    shown = subprocess.run([sys.executable, "-c", told], capture_output=True, text=True, timeout=60, check=True)
    return set(shown.stdout.splitlines()[-1].split()[1:])


ALL_HELP = """
from safeguarding_analytics.cli import commands
for name in [[], *([name] for name in commands.commands)]:
    commands.main([*name, "--help"], standalone_mode=False)
"""


def test_help_of_no_command_imports_anything_heavy():
    assert imported_by(ALL_HELP) & {*HEAVY} == set()


@pytest.mark.parametrize(
    ("code", "most"),
    # Counted with Python 3.11 in November 2026: 31, 90, and 558 to 565 of each measure. Modules, and not seconds: what
    # an import costs depends on the computer.
    [
        ("import safeguarding_analytics", 45),
        (ALL_HELP, 120),
        *(
            (f"import safeguarding_analytics.{measure}", 650)
            for measure in ("training", "knowledge", "child_protection", "plan_indicators", "priorities")
        ),
    ],
)
def test_imports_stay_within_their_budget(code, most):
    assert len(imported_by(code)) <= most


@pytest.mark.parametrize("measure", ["training", "knowledge", "child_protection", "plan_indicators", "priorities"])
def test_measures_import_neither_charts_nor_notebooks_nor_scipy(measure):
    heavy = {"altair", "scipy", "nbformat", "jsonschema", "papermill", "voila"}
    assert imported_by(f"import safeguarding_analytics.{measure}") & heavy == set()


def test_dictionary_prints_the_committed_data_dictionary():
    shown = run("dictionary")
    assert (shown.returncode, shown.stdout, shown.stderr) == (0, data_dictionary(), "")
    assert shown.stdout == (PROJECT / "data" / "README.md").read_text(encoding="utf-8")


# What click refuses


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["chek"], "No such command 'chek'"),
        (["check"], "Missing argument 'FOLDER'"),
        (["audit"], "Missing argument 'RELEASES...'"),
        (["report", "x", "--jobs", "0"], "Invalid value for '--jobs': 0 is not in the range x>=1"),
        (["report", "x", "-p", "seats"], "Option '-p' requires 2 arguments"),
        (["report", "x", "--seats", "4"], "No such option"),
        (["check", __file__], f"Directory '{__file__}' is a file"),
        (["dashboards", "x", "--port", "0"], "0 is not in the range"),
        (["dashboards", "x", "--port", "http"], "'http' is not a valid integer range"),
    ],
)
def test_wrong_usage_ends_with_exit_code_2(arguments, said):
    assert said in usage_error(*arguments)


# init


def test_init_writes_an_empty_board_and_says_what_to_do_next(tmp_path):
    made = run("init", "new", cwd=tmp_path)
    files = ["board.toml", *(f"{name}.csv" for name in TABLES)]
    assert (made.returncode, made.stderr) == (0, "")
    assert made.stdout.splitlines() == [
        *(f"Wrote {Path('new') / name}" for name in files),
        "Fill the tables you have, delete the others, then run: safeguarding check new",
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == sorted(files)


def test_init_overwrites_nothing(tmp_path):
    (tmp_path / "plans.csv").write_bytes(b"ours")
    assert mistake("init", tmp_path).endswith(
        "already holds plans.csv. Nothing was written. Name a new or empty folder."
    )
    assert contents(tmp_path) == {Path("plans.csv"): b"ours"}


# check


def test_check_says_that_every_rule_holds(board):
    rows = sum(len(path.read_text(encoding="utf-8").splitlines()) - 1 for path in board.glob("*.csv"))
    ended = run("check", board)
    assert (ended.returncode, ended.stderr) == (0, "")
    *notes, last = ended.stdout.splitlines()
    assert last == f"Checked 15 tables, {rows:,} rows: every rule holds."
    assert all(note.startswith(("Note: scores.csv: ", "Note: ballots.csv: ")) for note in notes)


def test_check_lists_every_broken_rule_and_no_identifier(board):
    for name, right, wrong in (
        ("bookings", ",attended,", ",Attnded,"),
        ("plans", ",NEG,", ",NEGLECT,"),
        ("ballots", "M01,", "unknown,"),
    ):
        path = board / f"{name}.csv"
        path.write_text(path.read_text(encoding="utf-8").replace(right, wrong, 1), encoding="utf-8")
    ended = run("check", board, "--csv", board.parent / "broken.csv")
    assert ended.returncode == 1
    head, *lines = ended.stderr.splitlines()
    assert head == "3 rules are broken (row 1 of a file is its header):"
    assert sorted(re.split(r"[:,]", line)[0] for line in lines) == ["- ballots.csv", "- bookings.csv", "- plans.csv"]
    assert '"Attnded"' in ended.stderr
    assert "unknown" not in ended.stderr
    assert "Wrote 3 broken rules to" in ended.stdout
    with (board.parent / "broken.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {(row["table"], row["column"], row["found"]) for row in rows} == {
        ("ballots", "member", "(not shown: it could identify a person)"),
        ("bookings", "status", '"Attnded" Did you mean "attended"?'),
        ("plans", "category", '"NEGLECT" Did you mean "NEG"?'),
    }
    assert list(rows[0]) == ["table", "row", "column", "rule", "found"]


def test_single_broken_rule_is_said_in_the_singular(board):
    path = board / "bookings.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",attended,", ",Attnded,", 1), encoding="utf-8")
    assert run("check", board).stderr.startswith("1 rule is broken (row 1 of a file is its header):\n")


def test_check_against_a_schema_names_lines_and_elements_and_no_value(tmp_path):
    pytest.importorskip("lxml")
    cin = Path(__file__).parents[2] / "shared" / "data" / "cin"
    if not cin.is_dir():
        pytest.skip("the reference data beside the project are not there")
    shutil.copy(cin / "d2i_CIN_Census_2024.xml", tmp_path / "census.xml")
    settings = '[board]\nauthority = "Kent"\n[child_protection]\ncin_census = ["census.xml"]\n'
    (tmp_path / "board.toml").write_text(settings, encoding="utf-8")
    assert run("key", tmp_path).returncode == 0
    ended = run("check", tmp_path, "--schema", cin / "CIN_schema_2026.xsd")
    assert ended.returncode == 0
    assert "Note: census.xml, line 25, Message/Children/Child/ChildIdentifiers/Sex. Wanted: one of" in ended.stdout
    assert "Note: census.xml: 6 places break the schema." in ended.stdout
    assert "DfE rule 8930 (error): 1 row of plans, line 61." in ended.stdout


def test_schema_without_a_census_is_refused(board, tmp_path):
    (tmp_path / "any.xsd").write_text("<schema/>", encoding="utf-8")
    ended = run("check", board, "--schema", tmp_path / "any.xsd")
    assert ended.returncode == 2
    assert "names no file under [child_protection] cin_census" in ended.stderr


def test_list_of_broken_rules_starts_no_formula(board):
    path = board / "agencies.csv"
    path.write_text(path.read_text(encoding="utf-8") + "=1+1,,,,\n=1+1,,,,\n", encoding="utf-8")
    bookings = board / "bookings.csv"
    bookings.write_text(
        bookings.read_text(encoding="utf-8").replace("West Kent PCT", "=West Kent PCT", 1), encoding="utf-8"
    )
    assert run("check", board, "--csv", board.parent / "broken.csv").returncode == 1
    with (board.parent / "broken.csv").open(encoding="utf-8", newline="") as file:
        cells = [cell for row in csv.reader(file) for cell in row]
    assert any("=West Kent PCT" in cell for cell in cells)
    assert not any(cell.startswith(("=", "+", "-", "@")) for cell in cells)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[board\n", "board.toml: the file must be valid TOML"),
        ('[policy.staff]\npreset = "dfee"\n', "policy.staff.preset"),
        ("[trainign]\ntarget = 5\n", 'Did you mean "training"?'),
    ],
)
def test_check_reports_mistakes_in_board_toml_among_the_others(board, content, said):
    (board / "board.toml").write_text(content, encoding="utf-8")
    ended = run("check", board)
    assert ended.returncode == 1
    assert said in ended.stderr


def test_check_of_a_folder_without_tables_says_what_one_must_hold(tmp_path):
    ended = run("check", tmp_path)
    assert ended.returncode == 1
    assert "at least one table, such as bookings.csv" in ended.stderr


# Mistakes


@pytest.mark.parametrize("command", ["check", "report"])
def test_missing_folder_is_said_to_be_missing(tmp_path, command):
    assert mistake(command, "nowhere", cwd=tmp_path) == (
        "nowhere: there is no such folder. Make one with: safeguarding init nowhere"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("command", "folder"),
    [("audit", "."), ("audit", "/"), ("dashboards", "nowhere"), ("dashboards", "."), ("dashboards", "/")],
)
def test_folder_that_is_no_release_is_said_to_be_none(tmp_path, command, folder):
    found = "there is no such folder" if folder == "nowhere" else "this is not a release (it has no manifest.json)"
    assert mistake(command, folder, cwd=tmp_path) == f"{folder}: {found}. Make one with: safeguarding report FOLDER"


def test_broken_release_is_not_served(tmp_path):
    release = make_release(tmp_path / "release", {"agency": ["A"], "count": [10]})
    (release / "manifest.json").write_bytes(b"{")
    assert mistake("dashboards", release) == (
        f"{release}: manifest.json cannot be read as that of a release. "
        "Move the folder away and make the release again."
    )


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--only", "priority"], 'there is no notebook "priority". Did you mean "priorities"?'),
        (["-p", "groop", "category"], 'no notebook has a parameter "groop". Did you mean "group"?'),
        (["-p", "seats", "four"], 'seats must be a whole number. Found: "four".'),
    ],
)
def test_unknown_names_and_values_are_refused(tmp_path, arguments, said):
    assert said in mistake("report", tmp_path, *arguments)


@pytest.mark.parametrize("epoch", ["yesterday", "1e9", "99999999999999999"])
def test_source_date_epoch_that_is_no_time_is_refused(tmp_path, epoch):
    assert mistake("report", tmp_path, SOURCE_DATE_EPOCH=epoch) == (
        f'SOURCE_DATE_EPOCH must be seconds since 1970. Found: "{epoch}".'
    )


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (["check", "board", "--csv", "nowhere/broken.csv"], "nowhere"),
        (["init", "file/board"], "file"),
        (["report", "board", "--out", "file/out"], "file"),
    ],
)
def test_place_that_cannot_be_written_is_named(board, arguments, named):
    (board.parent / "file").write_bytes(b"")
    ended = run(*arguments, cwd=board.parent)
    assert ended.returncode == 2
    assert ended.stderr.startswith("Error: ")
    assert named in ended.stderr


def test_broken_board_is_reported_with_every_problem_and_exit_code_2(board):
    path = board / "bookings.csv"
    path.write_text(path.read_text(encoding="utf-8").replace(",attended,", ",Attnded,", 2), encoding="utf-8")
    every = len(path.read_text(encoding="utf-8").splitlines()) - 1
    assert f"bookings.csv, column status: 2 of {every:,} rows" in mistake("report", board)
    assert sorted(each.name for each in board.parent.iterdir()) == ["board"]


# demo


def test_demo_overwrites_no_real_data(tmp_path):
    (tmp_path / "board").mkdir()
    (tmp_path / "board" / "plans.csv").write_bytes(b"real")
    assert "already holds plans.csv, which the demonstration did not write" in mistake("demo", tmp_path)
    assert contents(tmp_path) == {Path("board/plans.csv"): b"real"}


def test_demo_overwrites_no_release_of_another_board(tmp_path):
    make_release(tmp_path / "release", {"agency": ["A"], "count": [10]})
    before = contents(tmp_path)
    said = mistake("demo", tmp_path)
    assert said == f"{tmp_path / 'release'} is the release of another board and would be lost. Choose another folder."
    assert contents(tmp_path) == before


# audit


NOT_SHOWN = "It does not show what a reader knows from elsewhere, such as tables that were not named.\n"
TRIED_ALL = "The audit was full: every combination of groups was tried.\n"


@pytest.fixture
def old_and_new(tmp_path):
    """Two releases: 23 in all less the 20 that are shown leaves the 3 that is hidden."""
    make_release(tmp_path / "old", {"district": ["East"], "count": [23]}, "years")
    make_release(tmp_path / "new", {"district": ["East"] * 2, "half": ["H1", "H2"], "count": [20, 3]}, "halves")
    return tmp_path


def test_audit_of_a_release_that_keeps_its_promise_says_what_was_tried_and_what_that_does_not_show(tmp_path):
    table = {"agency": ["A", "B", "C", "Total"], "count": [3, 10, 40, 53]}
    ended = run("audit", make_release(tmp_path / "release", table))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == f"No hidden number can be worked out from 1 table of 1 release.\n{TRIED_ALL}{NOT_SHOWN}"


def test_fast_audit_of_releases_and_files_says_that_it_was_fast(old_and_new):
    (old_and_new / "agencies.csv").write_text("agency,count\nPolice,40\nHealth,c\n", encoding="utf-8")
    ended = run("audit", "--fast", "new", "agencies.csv", cwd=old_and_new)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        "No hidden number can be worked out from 2 tables of 1 release and 1 file.\n"
        "The audit was fast: totals, sums and differences of what is printed, not every combination of groups.\n"
        f"{NOT_SHOWN}"
    )


def test_audit_of_releases_that_combine_says_how_and_what_to_do_and_ends_with_exit_code_1(old_and_new):
    ended = run("audit", "old", "new", cwd=old_and_new)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout == (
        "new: halves, district=East, half=H2 (count): exactly 3. The total district=East (old: years) minus "
        "half=H1 (new: halves) leaves exactly 3.\n"
        "\n1 hidden number can be narrowed down, in 1 table: new: halves.\n"
        "Protect these tables together: suppress([old: years, new: halves], policy) where they are made, or run again "
        "with --repair, which changes the release named last.\n"
    )


def test_audit_of_a_release_and_last_years_files_lays_them_side_by_side(old_and_new):
    (old_and_new / "last_year.csv").write_text("District,Half,Number\nEast,H1,20\nEast,H2,[c]\n", encoding="utf-8")
    (old_and_new / "rounded.csv").write_text("district,count\nEast,25\n", encoding="utf-8")
    ended = run("audit", "last_year.csv", "old", cwd=old_and_new)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout.startswith("last_year, district=East, half=H2 (count): exactly 3. ")
    assert "suppress([last_year, years], policy)" in ended.stdout
    # 25 as it stands leaves 5; rounded to 5 it may be anything from 23 to 27
    assert "(count): exactly 5. " in run("audit", "last_year.csv", "rounded.csv", cwd=old_and_new).stdout
    rounded = run("audit", "last_year.csv", "rounded.csv", "--rounded", "rounded", "5", cwd=old_and_new)
    assert "exactly" not in rounded.stdout


def test_tables_of_which_nothing_can_be_said_are_no_success(tmp_path):
    # Two districts of 2 children each cannot have 11 in the two halves of the year.
    cells = "district,half,count\nD1,H1,c\nD1,H2,c\nD2,H1,c\nD2,H2,c\n"
    totals = "D1,Total,2\nD2,Total,2\nTotal,H1,10\nTotal,H2,1\n"
    (tmp_path / "a.csv").write_text(cells + totals, encoding="utf-8")
    ended = run("audit", "a.csv", cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert ended.stdout == (
        "a, all: The published numbers contradict each other, so that nothing can be proven; check the totals.\n"
        "\nOf tables that contradict each other nothing can be said. Check them, or audit them apart.\n"
    )


def test_columns_that_are_not_audited_qualify_what_is_said(old_and_new):
    (old_and_new / "v.csv").write_text("agency,count,percentage\nA,[c],6%\nB,9,18%\nC,38,76%\n", encoding="utf-8")
    not_read = (
        "- v.csv: column percentage was not audited: a share of the column's total is not read. "
        "Add its numerator and denominator.\n"
    )
    ended = run("audit", "v.csv", cwd=old_and_new)
    assert ended.stdout == (
        "No hidden number can be worked out from what was audited of 1 table of 1 file. Not all was:\n"
        f"{not_read}{TRIED_ALL}{NOT_SHOWN}"
    )
    assert not_read in run("audit", "v.csv", "old", "new", cwd=old_and_new).stdout
    repaired = run("audit", "v.csv", "old", "new", "--repair", cwd=old_and_new)
    assert repaired.stdout.endswith("No hidden number can be worked out now from what was audited.\n")


def test_file_that_may_be_rounded_is_pointed_out_and_its_wrong_total_named(tmp_path):
    # H1 is 10 + 15 and not 30, and A cannot have 5 in all and 10 in H1.
    text = "agency,half,count\nA,H1,10\nB,H1,15\nA,H2,c\nB,H2,20\nTotal,H1,30\nTotal,H2,25\nA,Total,5\n"
    (tmp_path / "own nhs.csv").write_text(text, encoding="utf-8")
    ended = run("audit", "own nhs.csv", cwd=tmp_path)
    assert ended.returncode == 1
    assert ended.stdout.startswith(
        "own nhs, agency=A, half=Total: The total agency=A is less than its shown rows by half"
    )
    assert ended.stdout.splitlines()[2:] == [
        "",
        "Of tables that contradict each other nothing can be said. Check them, or audit them apart.",
        "- own nhs: count does not add up: the total half=H1 is more than its rows by agency together. "
        "Correct the total, or leave its row out.",
        "All counts of own nhs are multiples of 5: if they are rounded, add --rounded 'own nhs' 5",
    ]


def test_base_that_is_no_number_is_refused(tmp_path):
    assert "BASE must be a whole number, such as 5." in run("audit", "v.csv", "--rounded", "v", "five").stderr


def test_findings_are_written_to_a_file(old_and_new):
    assert run("audit", "old", "new", "--csv", "found.csv", cwd=old_and_new).returncode == 1
    with (old_and_new / "found.csv").open(encoding="utf-8-sig", newline="") as file:
        (found,) = csv.DictReader(file)
    assert [found[name] for name in ("table", "column", "low", "high")] == ["new: halves", "count", "3", "3"]
    assert run("audit", "new", "--csv", "found.csv", cwd=old_and_new).returncode == 0
    assert (old_and_new / "found.csv").read_text(encoding="utf-8-sig") == "table,cell,column,low,high,because\n"


def test_audit_is_told_what_lies_within_what(tmp_path):
    # Two areas of two districts each, one of which is shown: of 68 less 60 each of the hidden ones may be 1 to 7.
    make_release(tmp_path / "new", {"district": ["D1", "D2", "D3", "D4"], "count": [20, 3, 40, 5]})
    (tmp_path / "areas.csv").write_text("area,count\nNorth,23\nSouth,45\n", encoding="utf-8")
    (tmp_path / "lookup.csv").write_text("district,area\nD1,North\nD2,North\nD3,South\nD4,South\n", encoding="utf-8")
    assert run("audit", "new", "areas.csv", cwd=tmp_path).returncode == 0
    ended = run("audit", "new", "areas.csv", "--within", "lookup.csv", cwd=tmp_path)
    assert (ended.returncode, ended.stdout[:44]) == (1, "reach, district=D2 (count): exactly 3. The t"), ended


def test_repair_hides_more_in_the_last_release_and_says_what(old_and_new):
    ended = run("audit", "old", "new", "--repair", cwd=old_and_new)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[1:] == [
        "",
        "1 hidden number can be narrowed down, in 1 table: new: halves.",
        "Repaired new:",
        "- halves: 1 more row with hidden numbers",
        "No hidden number can be worked out now.",
    ]
    assert run("audit", "old", "new", cwd=old_and_new).returncode == 0


def test_repair_that_is_impossible_says_why_and_ends_with_exit_code_1(old_and_new):
    make_release(old_and_new / "other", {"district": ["East"], "count": [900]}, "adults")
    before = contents(old_and_new)
    ended = run("audit", "old", "new", "other", "--repair", cwd=old_and_new)
    assert ended.returncode == 1
    assert ended.stderr == (
        "other was not repaired and is unchanged: 1 hidden number could still be worked out, however much more is "
        "hidden: the tables that are public already give them away. Publish the new tables with fewer or wider "
        "groups.\n"
    )
    assert contents(old_and_new) == before


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["new", "years.csv", "--repair"], "years.csv: a file cannot be repaired, and the last that is named"),
        (
            ["new", "nowhere.csv"],
            "there is no such file or folder: nowhere.csv. Name a release (a folder) or a published",
        ),
        (["new", "--rounded", "halves", "5"], 'rounded: there is no file "halves". Name a published table that is'),
        (
            ["new", "--within", "years.csv", "--csv", "no/where.csv"],
            "no: there is no such folder. Make it, or name another.",
        ),
    ],
)
def test_mistakes_of_an_audit_are_said_in_one_message(old_and_new, arguments, said):
    (old_and_new / "years.csv").write_text("district,count\nEast,23\n", encoding="utf-8")
    assert mistake("audit", *arguments, cwd=old_and_new).startswith(said)


def test_audit_opens_the_release_it_is_run_in(tmp_path):
    release = make_release(tmp_path / "release", {"agency": ["A"], "count": [10]})
    assert run("audit", ".", cwd=release).returncode == 0


def test_audit_refuses_a_table_that_was_changed(tmp_path):
    release = make_release(tmp_path / "release", {"agency": ["A"], "count": [10]})
    path = release / "tables" / "reach.csv"
    path.write_bytes(path.read_bytes().replace(b"10", b"11"))
    assert mistake("audit", release) == (
        "reach.csv: the table was changed after the release was audited. Make the release again."
    )


# How the program was called


@pytest.mark.skipif(os.name != "posix", reason="words are quoted otherwise elsewhere")
@pytest.mark.parametrize(
    ("called", "said"),
    [
        (".venv/bin/safeguarding", ".venv/bin/safeguarding"),
        ("../our tools/safeguarding", "'../our tools/safeguarding'"),
        ("/opt/board's/bin/safeguarding", "'/opt/board'\"'\"'s/bin/safeguarding'"),
        ("safeguarding", "safeguarding"),
        ("-c", "safeguarding"),
        ("/somewhere/safeguarding_analytics/cli.py", "safeguarding"),
        ("", "safeguarding"),
    ],
)
def test_commands_in_messages_call_the_program_as_it_was_called(called, said):
    for message in ("Make one with: safeguarding report FOLDER", "Web site:   safeguarding publish a OUT"):
        assert as_called(message, called) == message.replace("safeguarding", said)
    steps = "4. safeguarding key a  (once)\n   safeguarding check a"
    assert as_called(steps, called) == steps.replace("safeguarding", said)


def test_folder_of_the_name_of_a_command_is_no_command():
    for message in ("safeguarding report/board.toml: it is not there.", "part of a site made by safeguarding publish"):
        assert as_called(message, "bin/safeguarding") == message


def test_program_that_the_path_leads_to_is_called_by_its_name_alone(tmp_path, monkeypatch):
    (tmp_path / "safeguarding").touch(mode=0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert as_called("Next: safeguarding check a", f"{tmp_path}/safeguarding") == "Next: safeguarding check a"


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (["publish", "nowhere", "out"], "Error: nowhere: there is no such folder. Make one with: {} report FOLDER"),
        (["check"], "Usage: {} check [OPTIONS] FOLDER"),
    ],
)
def test_error_and_usage_name_the_program_as_it_was_called(tmp_path, monkeypatch, capsys, arguments, line):
    monkeypatch.setattr(sys, "argv", [".venv/bin/safeguarding", *arguments])
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit):
        main()
    assert capsys.readouterr().err.splitlines()[0] == line.format(".venv/bin/safeguarding")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("out/.release-being-built-0123abcd-77/runs/x", "out/release"),
        ("web/.our site-being-built-0123abcd-77/site", "web/our site"),
        (f".new.{os.getpid()}/board.toml", "new"),
        ("boards/.new.2020/board.toml", "boards/.new.2020/board.toml"),
        (".config/board.toml", ".config/board.toml"),
    ],
    ids=["release", "site", "new board", "a year", "hidden by its user"],  # no number of a process in a name
)
def test_what_cannot_be_written_is_named_by_the_place_the_user_gave(path, said):
    refused = PermissionError(errno.EACCES, "Permission denied", path)
    assert say_system_error(refused).startswith(f"{said}: you may not read or write it.")


# report


def test_report_sets_parameters_and_says_what_it_made(board):
    out = board.parent / "board_report"
    # The examples of the help. A year is a text where the notebook wants one, though it looks like a number.
    examples = re.findall(r"-p ([\w.]+) (\w+)", str(commands.commands["report"].help))
    assert examples == [("months", "24"), ("repeat_plans.time_period", "2007")]
    given = [word for example in examples for word in ("-p", *example)]
    ended = run_apart("report", board, "--only", "repeat_plans", *given, SOURCE_DATE_EPOCH="1309564800")
    assert ended.returncode == 0, ended.stderr
    release = Release.open(out / "release")
    tables = release.tables()
    assert {release.entry(name).notebook for name in tables} == {"repeat_plans"}
    hidden = sum(release.entry(name).hidden for name in tables)
    assert ended.stdout.splitlines()[:4] == [
        "- Child protection: made",
        f"Published {len(tables)} tables with {hidden} hidden rows; the audit found nothing that can be worked out.",
        f"Release:    {out / 'release'}",
        f"Board pack: {out / 'release' / 'pack' / 'index.html'}",
    ]
    categories = release["repeat_plans_by_initial_category"].frame()
    words = {"Neglect", "Physical abuse", "Sexual abuse", "Emotional abuse", "Multiple"}
    assert set(categories["category"]) == words | {"Total"}
    assert categories["time_period"].unique().to_list() == ["2007"]
    assert release.entry("repeat_plans").headline.startswith("Year to 31 March 2007: ")
    assert "within 24 months of the end" in release.entry("repeat_plans_within_months").headline
    assert release.manifest["parameters"] == {"months": "24", "repeat_plans.time_period": "2007"}
    assert release.manifest["made_on"] == "2011-07-02"


def test_report_of_a_folder_without_a_name_or_with_two_values_of_a_parameter_is_refused(board):
    ended = run("report", "/")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "has no name to put a report beside. Name a folder for it with --out." in ended.stderr
    ended = run("report", board, "-p", "months", "6", "-p", "time_period", "2007", "-p", "months", "12")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "-p months: given more than once. Give each parameter one value." in ended.stderr


def keep_ballots_alone(board):
    for path in board.glob("*.csv"):
        if path.name != "ballots.csv":
            path.unlink()


def test_ballots_alone_are_enough_and_agencies_of_few_ballots_are_hidden(board):
    keep_ballots_alone(board)
    with (board / "ballots.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    voted = Counter(agency for _, agency in {(row["member"], row["agency"]) for row in rows})
    few = sum(members < 3 for members in voted.values())  # three ballots are enough
    issues = len({row["issue"] for row in rows})
    ended = run("report", board, "--only", "priorities")
    assert (ended.returncode, ended.stderr) == (0, "")
    # A row for each agency of few, and one for each issue; themes that nobody placed make no table.
    assert ended.stdout.splitlines()[1] == (
        f"Published 7 tables with {few + few * issues} hidden rows; the audit found nothing that can be worked out."
    )


def test_one_table_is_said_in_the_singular(board, tmp_path, monkeypatch):
    keep_ballots_alone(board)
    shelf = tmp_path / "notebooks"
    shelf.mkdir()
    monkeypatch.setattr(report, "NOTEBOOKS", shelf)
    nbformat.write(one_table_notebook(), shelf / "one.ipynb")
    ended = run("report", board)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.splitlines()[:2] == [
        "- One: made",
        "Published 1 table with 0 hidden rows; the audit found nothing that can be worked out.",
    ]


@pytest.mark.parametrize("command", ["demo", "report"])
def test_exit_code_is_1_where_a_page_could_not_be_made(board, tmp_path, monkeypatch, command):
    shelf = tmp_path / "notebooks"
    shelf.mkdir()
    monkeypatch.setattr(report, "NOTEBOOKS", shelf)
    failing = one_table_notebook()
    failing.cells[-1].source = "1 / 0"
    failing.metadata["title"] = "Other"
    nbformat.write(one_table_notebook(), shelf / "one.ipynb")
    nbformat.write(failing, shelf / "other.ipynb")
    ended = run("demo", tmp_path / "demo") if command == "demo" else run("report", board)
    assert (ended.returncode, ended.stderr) == (1, "")
    assert "- One: made\n- Other: code cell 2 ended with ZeroDivisionError." in ended.stdout


def one_table_notebook():
    """A notebook that publishes a single table."""
    declared = nbformat.v4.new_code_cell('board: str = ""\nrelease: str = ""')
    declared.metadata["tags"] = ["parameters"]
    published = nbformat.v4.new_code_cell(
        "import polars as pl\n"
        "from safeguarding_analytics import Policy, publish, suppress\n"
        'safe = suppress(pl.DataFrame({"agency": ["A", "B"], "count": [10, 20]}), Policy.dfe())\n'
        'publish(safe, "reach", into=release, title="T", definition="D", measure="people")'
    )
    about = {"order": 1, "question": "Why?", "tables": ["ballots"]}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    return nbformat.v4.new_notebook(
        cells=[declared, published], metadata={"title": "One", "safeguarding": about, "kernelspec": kernel}
    )


def of_this_run(variable):
    """Processes that have inherited an environment variable."""
    found = []
    for process in psutil.process_iter():
        try:
            if variable in process.environ() and process.status() != psutil.STATUS_ZOMBIE:
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until(condition, seconds):
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if condition():
            return True
        time.sleep(0.2)
    return False


@pytest.fixture
def shelf():
    """The temporary folder of a command; tmp_path is too long a name for the sockets of the kernels."""
    with TemporaryDirectory(prefix="of-a-test") as folder:
        yield Path(folder)


def stopped_by(sent, shelf, *arguments):
    """Start a command, stop it with a signal once its kernels run, and wait for all that it began."""
    variable = f"SG_{uuid4().hex}"
    own = {**os.environ, variable: "1", "TMPDIR": str(shelf)}
    command = [*COMMAND, *map(str, arguments)]
    with subprocess.Popen(command, env=own, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as stopped:
        try:
            assert wait_until(lambda: len(list(shelf.glob("sg*/*.json"))) > 0, 30), "no kernel was started"
            time.sleep(1)
            stopped.send_signal(sent)
            said, complaint = stopped.communicate(timeout=60)
        finally:
            stopped.kill()
    assert wait_until(lambda: not of_this_run(variable), 20), of_this_run(variable)
    return Ended(stopped.returncode, said, complaint)


STOPPING = "Stopping: what runs is being ended …\nStopped."
ENDS = [(signal.SIGINT, 130, f"\n{STOPPING}"), (signal.SIGTERM, 143, STOPPING)]  # 128 and the number of the signal


@pytest.mark.skipif(os.name != "posix", reason="stops a process with a signal")
@pytest.mark.parametrize(("sent", "code", "said"), ENDS)
def test_stopped_report_leaves_the_previous_release_and_nothing_of_its_own(board, tmp_path, shelf, sent, code, said):
    out = tmp_path / "out"
    make_release(out / "release", {"agency": ["A"], "count": [10]})
    before = contents(out)
    ended = stopped_by(sent, shelf, "report", board, "--out", out)
    assert ended == (code, "", f"{said} A release that stands is complete.\n")
    assert list(shelf.iterdir()) == []
    assert contents(out) == before
    assert [path.name for path in out.iterdir()] == ["release"]
    assert Release.open(out / "release").tables() == ["reach"]


@pytest.mark.skipif(os.name != "posix", reason="stops a process with a signal")
@pytest.mark.parametrize(("sent", "code", "said"), ENDS)
def test_stopped_publication_leaves_nothing(tmp_path, shelf, sent, code, said):
    made = make_release(tmp_path / "release", {"agency": ["A"], "count": [10]})
    ended = stopped_by(sent, shelf, "publish", made, tmp_path / "site")
    assert ended == (code, "", f"{said} A site that stands is complete.\n")
    assert list(shelf.iterdir()) == []
    assert [path.name for path in tmp_path.iterdir()] == ["release"]


@pytest.mark.skipif(os.name != "posix", reason="stops a process with a signal")
def test_killed_report_leaves_no_process_and_what_it_leaves_the_next_command_sweeps(board, tmp_path, shelf):
    ended = stopped_by(signal.SIGKILL, shelf, "report", board, "--out", tmp_path / "out")
    assert ended == (-9, "", "")
    assert list(shelf.iterdir()) != []
    assert run_apart("warm", sys.executable, "-c", "", TMPDIR=str(shelf)) == Ended(0, "", "")
    assert list(shelf.iterdir()) == []


@pytest.mark.skipif(os.name != "posix", reason="stops a process with a signal")
def test_ctrl_c_of_a_command_that_publishes_nothing_speaks_of_no_release(tmp_path):
    os.mkfifo(tmp_path / "manifest.json")  # reading it waits for a writer

    def is_being_read():
        try:
            writers.append(os.open(tmp_path / "manifest.json", os.O_WRONLY | os.O_NONBLOCK))
        except OSError:
            return False
        return True

    writers = []
    with subprocess.Popen([*COMMAND, "audit", str(tmp_path)], stderr=subprocess.PIPE, text=True) as stopped:
        assert wait_until(lambda: stopped.poll() is not None or is_being_read(), 30)
        stopped.send_signal(signal.SIGINT)
        for writer in writers:  # the reading ends: a signal alone does not end it once Polars is imported
            os.close(writer)
        try:
            _, complaint = stopped.communicate(timeout=60)
        finally:
            stopped.kill()  # else the test would wait for ever where the command does not stop
    assert (stopped.returncode, complaint) == (130, "\n\nStopped.\n")
