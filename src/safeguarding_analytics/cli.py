"""The command line. With its parts (`cli_*`) the only place that prints, asks the clock, or exits.

Heavy imports wait inside the commands.
"""

from __future__ import annotations

import os
import signal
import sys
from contextlib import suppress
from datetime import UTC, date, datetime
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

import click

from safeguarding_analytics import __version__
from safeguarding_analytics.cli_audit import CONTEXT, audit, say
from safeguarding_analytics.cli_pages import FOLDER, dashboards, live, progress_bar, publish
from safeguarding_analytics.errors import (
    ParameterError,
    SafeguardingError,
    in_words,
    numbered,
    program_called,
    quoted,
    say_system_error,
)

if TYPE_CHECKING:
    from safeguarding_analytics.report import Report

MOST_PRINTED = 20
"""Places of a file that break its schema and are printed."""


class Commands(click.Group):
    """Lists the commands in the order of use, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which they were defined."""
        return list(self.commands)


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="safeguarding")
def commands() -> None:
    """Numbers a safeguarding board can defend, published without disclosing a child.

    A board's folder (board.toml and one file per table) goes in; a board pack and an audited release come out.
    Start with: safeguarding demo
    """


@commands.command()
@click.argument("folder", type=FOLDER, default=Path("demo_output"))
@click.option("--jobs", default=4, show_default=True, type=click.IntRange(1), help="Notebooks to run at once.")
def demo(folder: Path, jobs: int) -> None:
    """Write a synthetic board into FOLDER/board, run everything, and say where the pack is.

    FOLDER is demo_output unless named. No person, child or ballot in it is real.

    Exit code 1 if a page could not be made; the others are.
    """
    from safeguarding_analytics.demo import refuse_real_release, write_demo_board

    refuse_real_release(folder / "release")
    board = folder / "board"
    write_demo_board(board)
    click.echo(f"Wrote a synthetic board to {board}")
    _check(board)
    _print_report(_run_report(board, folder, (), {}, jobs))


@commands.command()
@click.argument("folder", type=FOLDER)
def init(folder: Path) -> None:
    """Make an empty board in FOLDER: board.toml with comments, and one CSV per table with its header."""
    from safeguarding_analytics.scaffold import write_empty_board

    for path in write_empty_board(folder):
        click.echo(f"Wrote {path}")
    say(f"Fill the tables you have, delete the others, then run: safeguarding check {quoted(folder)}")


@commands.command()
@click.argument("folder", type=FOLDER)
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write every broken rule to this file."
)
@click.option(
    "--schema",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="Check the census files that board.toml names against this XML schema, too. Needs the extra cin.",
)
def check(folder: Path, csv_file: Path | None, schema: Path | None) -> None:
    """Check every table in FOLDER and report every broken rule at once, by file, row and column.

    Of a children in need census the Department's own rules are checked too: those without which plans would be counted
    wrongly are broken rules, the others notes.

    Exit code 1 if any rule is broken. Values that could identify a person are never printed.
    """
    if schema:
        _check_schema(folder, schema)
    if not _check(folder, csv_file):
        sys.exit(1)


@commands.command()
@click.argument("folder", type=FOLDER)
def key(folder: Path) -> None:
    """Make the key by which the people of exports, forms and ballots get pseudonyms, in FOLDER.

    The key is written once, for its owner's eyes alone, and never enters an output. Keep a copy where the board keeps
    its secrets: without it the people of the next export cannot be matched with those of this one.
    """
    from safeguarding_analytics.board import read_board
    from safeguarding_analytics.pseudonyms import write_key

    place = write_key(folder / read_board(folder).config.bookings_export.key_file)
    click.echo(f"Wrote a new key to {place}. Keep a copy of it in a safe place, and give it to nobody.")


@commands.command()
@click.argument("folder", type=FOLDER)
def aliases(folder: Path) -> None:
    """Propose which agency each unknown name in the bookings of FOLDER stands for.

    Nothing is changed: look at each line, and paste those that are right into board.toml.
    """
    import polars as pl

    from safeguarding_analytics.agency_names import alias_lines
    from safeguarding_analytics.board import read_board
    from safeguarding_analytics.contracts import say_problems

    board = read_board(folder)
    for table in ("agencies", "bookings"):
        unread = board.problems_of(table).filter(pl.col("row").is_null())
        if not unread.is_empty():
            raise ParameterError("\n".join(say_problems(unread, board.file_names, {})))
    proposals = board.unknown_agencies()
    if proposals.is_empty():
        click.echo("Nothing to propose: every name is that of an agency, or resembles none and may be a person's.")
        say(f"Names that are not known are listed, with their rows, by: safeguarding check {quoted(folder)}")
        return
    click.echo("# Names by likeness of spelling: check each. Those with a # in front resemble no agency.")
    click.echo("# As lines they mend the bookings; a name in the aliases of agencies.csv is mended in every table.")
    click.echo("[bookings.agency]")
    for line, row in zip(alias_lines(proposals), proposals.iter_rows(named=True), strict=True):
        likeness = "" if row["similarity"] is None else f", likeness {row['similarity']:.2f}"
        click.echo(f"{line}  # {numbered(row['rows'], 'row')}{likeness}")


@commands.command()
@click.argument("folder", type=FOLDER)
@click.option("--course", metavar="NAME", help="Plan for this course alone.")
def plan(folder: Path, course: str | None) -> None:
    """Say how small a knowledge gain the evaluation of FOLDER could see, and what its reports can claim.

    It needs no answers, so ask before the workshops: the sessions and their places, or those set under [evaluation] in
    board.toml, say how small a gain would be seen and whether that is enough for [knowledge] meaningful_gain; the dates
    of the sessions and of the reports say which reports come before follow-up.
    """
    from safeguarding_analytics.board import read_board
    from safeguarding_analytics.planning_sentences import say_plan

    board = read_board(folder)
    named = "sessions" in board.tables or "sessions" in board.config.files
    sessions = board.tables["sessions"] if named else None
    click.echo(say_plan(board.config.evaluation, sessions, board.config.knowledge.meaningful_gain, course=course))


@commands.command()
@click.argument("folder", type=FOLDER)
@click.option("--out", type=FOLDER, help="Where to put the ballots.  [default: FOLDER/ballots_to_hand_out]")
@click.option("--copies", default=1, show_default=True, type=click.IntRange(1, 1000), help="How many ballots.")
@click.option("--seed", type=click.IntRange(0), help="Start of the random orders.  [default: seed of [priorities]]")
def ballots(folder: Path, out: Path | None, copies: int, seed: int | None) -> None:
    """Write ballots on the issues of FOLDER to hand out: a sheet to print, and workbooks to fill in.

    ballot_sheet.html holds one ballot per copy, each on A4; ballot.xlsx is to be filled in on a computer (with --copies
    30: ballot_01.xlsx to ballot_30.xlsx, one for each member). Each copy lists the issues in an order of its own, so
    that none gains by standing first. The rule of [priorities] in board.toml is printed on them: fix it before.

    Ballots that are not filled in are replaced by the new ones. If one that is filled in stands there, or another file
    of that name, nothing is written.
    """
    from safeguarding_analytics.ballot_sheets import ballot_of, say_handed_out, write_ballots
    from safeguarding_analytics.board import read_board

    board = read_board(folder)
    ballot, start = ballot_of(board), board.config.priorities.seed if seed is None else seed
    made = write_ballots(ballot, out or folder / "ballots_to_hand_out", copies=copies, seed=start)
    say(say_handed_out(board, folder, made))


@commands.command()
@click.argument("folder", type=FOLDER)
@click.option("--out", type=FOLDER, help="Where to put the release.  [default: FOLDER with _report behind its name]")
@click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("--only", multiple=True, metavar="NOTEBOOK", help="Run this notebook; may be given more than once.")
@click.option(
    "--for-each",
    "each",
    metavar="COLUMN|FILE",
    help="Make a report for each district, area, agency or authority, or for each row of FILE.",
)
@click.option(
    "--jobs",
    type=click.IntRange(1),
    help="Notebooks to run at once; with --for-each, reports.  [default: 4; with --for-each, 2]",
)
@click.option("--repair", is_flag=True, help="Hide more where a hidden number could be worked out of the tables.")
@click.option("--pdf", is_flag=True, help="Make the board pack as one PDF, too, for papers and for print.")
def report(
    folder: Path,
    out: Path | None,
    parameters: tuple[tuple[str, str], ...],
    only: tuple[str, ...],
    each: str | None,
    jobs: int | None,
    repair: bool,
    pdf: bool,
) -> None:
    """Run the notebooks on FOLDER, make the board pack, and publish the audited release.

    The previous release stays in its place until the new one is complete and has passed the audit.

    If a hidden number could be worked out of the tables, the run fails and says how. With --repair more is hidden
    instead, and the pages that showed those tables are left out.

    With --pdf the pack is also made as one accessible PDF with contents and page numbers, board_pack.pdf beside its
    pages. Where that cannot be made, no release is.

    -p months 24 sets a parameter of every notebook that has it, -p repeat_plans.time_period 2007 of one.

    With --for-each district, every district has a report of its own rows, in a folder of its own in OUT. All reports
    are audited together, and beside the one of the whole board if that stands in OUT: none is put in place before
    nothing can be worked out of them, and --repair hides what that takes. What is finished is kept when the run is
    stopped: give the command again. A CSV with the columns name and, if need be, folder (that of another board), and
    others named after parameters makes a report of each of its rows.

    Exit code 1 if a page could not be made; the others are, where no release stands. One that stands is not given up
    for one that lacks a page: nothing is made then, and the exit code is 2.

    With SOURCE_DATE_EPOCH set (seconds since 1970) a pack bears that day, and is the same byte for byte made again.
    """
    place = out or _beside(folder)
    given = _once_each(parameters)
    if each:
        from safeguarding_analytics.area_reports import Wanted
        from safeguarding_analytics.cli_areas import report_for_each

        wanted = Wanted(out=place, only=only, today=_today(), jobs=jobs or 2, pdf=pdf, repair=repair)
        sys.exit(0 if report_for_each(each, folder, given, wanted) else 1)
    made = _run_report(folder, place, only, given, jobs or 4, repair=repair, pdf=pdf)
    _print_report(made)


commands.add_command(audit)
commands.add_command(dashboards)
commands.add_command(publish)
commands.add_command(live)


@commands.command(context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False})
@click.argument("command", nargs=-1, required=True, type=click.UNPROCESSED)
def warm(command: tuple[str, ...]) -> None:
    """Run COMMAND, such as papermill, with notebook kernels that have imported everything already.

    Every notebook still gets a process of its own. The kernels end with the command, and its exit code is that of this
    one. On Windows, kernels are ordinary ones.
    """
    from safeguarding_analytics.warm_kernels import run_warm

    sys.exit(run_warm(command, lambda line: click.echo(line, err=True)))


@commands.command()
def dictionary() -> None:
    """Print the data dictionary: every table, column, unit and rule (data/README.md is this text)."""
    from safeguarding_analytics.dictionary import data_dictionary

    click.echo(data_dictionary(), nl=False)


def _beside(folder: Path) -> Path:
    """Where the release of a board's folder is put unless another place is named."""
    whole = folder.resolve()
    if not whole.name:
        raise ParameterError(f"{whole} has no name to put a report beside. Name a folder for it with --out.")
    return whole.with_name(f"{whole.name}_report")


def _once_each(parameters: tuple[tuple[str, str], ...]) -> dict[str, str]:
    """Parameters by name; one that is given twice may be meant for two notebooks, and is refused."""
    names = [name for name, _ in parameters]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise ParameterError(f"-p {in_words(twice)}: given more than once. Give each parameter one value.")
    return dict(parameters)


def _today() -> date:
    """The date printed on a pack; SOURCE_DATE_EPOCH fixes it, so that a pack can be made again byte for byte."""
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    if not epoch:
        return date.today()
    try:
        return datetime.fromtimestamp(int(epoch), UTC).date()
    except (ValueError, OverflowError, OSError):
        raise ParameterError(f'SOURCE_DATE_EPOCH must be seconds since 1970. Found: "{epoch}".') from None


def _check(folder: Path, csv_file: Path | None = None) -> bool:
    import polars as pl

    from safeguarding_analytics.board import check_all
    from safeguarding_analytics.contracts import say_problems

    board, problems = check_all(folder)
    heights = {table: board.height(table) for table in board.tables}
    for table in board.tables:
        for note in board.notes_of(table):
            say(note, before="Note: ")
    if csv_file:
        noted = board.rule_notes()
        pl.concat([problems, noted]).write_csv(csv_file)
        notes = "" if noted.is_empty() else f", and {numbered(noted.height, 'row')} of notes on the Department's rules,"
        click.echo(f"Wrote {problems.height:,} broken rules{notes} to {csv_file}")
    if problems.is_empty():
        rows = sum(heights.values())
        click.echo(f"Checked {len(heights)} tables, {rows:,} rows: every rule holds.")
        return True
    sentences = say_problems(problems, board.file_names, board.heights(board.tables))
    broken = "1 rule is broken" if len(sentences) == 1 else f"{len(sentences):,} rules are broken"
    click.echo(f"{broken} (row 1 of a file is its header):", err=True)
    for sentence in sentences:
        say(sentence, before="- ", err=True)
    return False


def _check_schema(folder: Path, schema: Path) -> None:
    """Print where census files break their schema: notes, since most of such files can still be read."""
    from safeguarding_analytics.board import read_board
    from safeguarding_analytics.sources.census_xml import validate_against

    named = read_board(folder).config.child_protection.cin_census
    if not named:
        raise ParameterError("--schema: board.toml names no file under [child_protection] cin_census to check.")
    for name in named:
        found = validate_against(folder / name, schema)
        for row in found.head(MOST_PRINTED).iter_rows(named=True):
            click.echo(f"Note: {name}, line {row['line']}, {row['element']}. Wanted: {row['rule']}.")
        more = found.height - MOST_PRINTED
        click.echo(
            f"Note: {name}: {found.height:,} places break the schema{f', {more:,} not shown' if more > 0 else ''}."
        )


def _run_report(
    folder: Path,
    out: Path,
    only: tuple[str, ...],
    parameters: dict[str, str],
    jobs: int,
    *,
    repair: bool = False,
    pdf: bool = False,
) -> Report:
    from safeguarding_analytics.warm_kernels import kernel_name

    kernel_name()  # the server of kernels imports what they need while this process does
    from safeguarding_analytics.report import make_report

    try:
        with progress_bar("Running the notebooks") as progress:
            return make_report(
                folder,
                out,
                only=only,
                parameters=parameters,
                jobs=jobs,
                today=_today(),
                progress=progress,
                repair=repair,
                pdf=pdf,
            )
    except KeyboardInterrupt:
        raise click.Abort(" A release that stands is complete.") from None


def _print_report(made: Report) -> None:
    """Say what was made and where it is, and end with exit code 1 if a page could not be made."""
    for page in made.pages:
        say(f"- {page.notebook.title}: {page.why_not or 'made'}")
    if made.repaired:
        click.echo(
            f"Hid more, so that nothing can be worked out of the tables together: {in_words(list(made.repaired))}"
        )
    tables = made.release.tables()
    hidden = sum(made.release.entry(name).hidden for name in tables)
    counted = f"{numbered(len(tables), 'table')} with {numbered(hidden, 'hidden row')}"
    click.echo(f"Published {counted}; the audit found nothing that can be worked out.")
    click.echo(f"Release:    {made.release.folder}")
    click.echo(f"Board pack: {made.index}")
    if made.pdf:
        click.echo(f"As a PDF:   {made.pdf}")
    click.echo(f"Open it in a browser: {made.index.resolve().as_uri()}")
    say(f"Dashboard:  safeguarding dashboards {quoted(made.release.folder)}")
    say(f"Web site:   safeguarding publish {quoted(made.release.folder)} OUT")
    if any(page.failed for page in made.pages):
        sys.exit(1)


def main() -> None:
    """Run the command line: a user's mistake ends in one clean message and exit code 2, never a traceback.

    SIGTERM ends it as Ctrl-C does, so that nothing is left, with the exit code that shells give to it.
    """
    told: list[int] = []

    def end(number: int, frame: FrameType | None) -> None:
        told.append(number)
        signal.default_int_handler(number, frame)

    before = signal.signal(signal.SIGTERM, end)
    try:
        commands.main(prog_name=program_called(sys.argv[0]), standalone_mode=False)
    except SafeguardingError as error:
        say(str(error), before="Error: ", err=True)
        sys.exit(2)
    except OSError as error:
        say(say_system_error(error), before="Error: ", err=True)
        sys.exit(2)
    except click.exceptions.Abort as stop:
        _stopped(*stop.args, by=signal.SIGTERM if told else signal.SIGINT)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _stopped(by=signal.SIGTERM if told else signal.SIGINT)
    finally:
        signal.signal(signal.SIGTERM, before)


def _stopped(what_stands: str = "", *, by: signal.Signals) -> None:
    """End the kernels and leave at once: threads that wait for them would hold the process."""
    import psutil

    for kernel in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            kernel.kill()
    if "safeguarding_analytics.warm_kernels" in sys.modules:
        sys.modules["safeguarding_analytics.warm_kernels"].end_server()
    behind_the_sign = "\n" if by == signal.SIGINT and not what_stands else ""  # terminals show ^C; see progress_bar
    click.echo(f"{behind_the_sign}Stopped.{what_stands}", err=True)
    sys.stderr.flush()
    os._exit(128 + by)
