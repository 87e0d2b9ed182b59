"""The command line. The only place that prints, asks the clock, or exits. Heavy imports wait inside the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

import click

from safeguarding_analytics import __version__
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError, in_words, numbered

if TYPE_CHECKING:
    from safeguarding_analytics.release_audit import Audit, Collection
    from safeguarding_analytics.report import Report

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
MOST_PRINTED = 20
"""Places of a file that break its schema and are printed."""

FOLDER = click.Path(file_okay=False, path_type=Path)


class Commands(click.Group):
    """Lists the commands in the order of use, not of the alphabet."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order in which they were defined."""
        return list(self.commands)


class Base(click.IntRange):
    """A multiple to which numbers were rounded."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read a whole number of 2 or more."""
        try:
            int(value)
        except ValueError:
            self.fail("BASE must be a whole number, such as 5.", param, ctx)
        return int(super().convert(value, param, ctx))


@click.group(cls=Commands, context_settings=CONTEXT)
@click.version_option(__version__, prog_name="safeguarding")
def commands() -> None:
    """Numbers a safeguarding board can defend, published without disclosing a child.

    A board's folder (board.toml and one file per table) goes in; a board pack and an audited release come out.
    Start with: safeguarding demo
    """


@commands.command()
@click.argument("folder", type=FOLDER, default=Path("demo_output"))
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Notebooks to run at once.")
def demo(folder: Path, jobs: int) -> None:
    """Write a synthetic board into FOLDER/board, run everything, and say where the pack is.

    FOLDER is demo_output unless named. No person, child or ballot in it is real.
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
    click.echo("Fill the tables you have, delete the others, then run: safeguarding check " + str(folder))


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
        click.echo("Names that are not known are listed, with their rows, by: safeguarding check " + str(folder))
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
    click.echo(say_handed_out(board, folder, made))


@commands.command()
@click.argument("folder", type=FOLDER)
@click.option("--out", type=FOLDER, help="Where to put the release.  [default: FOLDER with _report behind its name]")
@click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("--only", multiple=True, metavar="NOTEBOOK", help="Run this notebook; may be given more than once.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Notebooks to run at once.")
@click.option("--repair", is_flag=True, help="Hide more where a hidden number could be worked out of the tables.")
def report(
    folder: Path,
    out: Path | None,
    parameters: tuple[tuple[str, str], ...],
    only: tuple[str, ...],
    jobs: int,
    repair: bool,
) -> None:
    """Run the notebooks on FOLDER, make the board pack, and publish the audited release.

    The previous release stays in its place until the new one is complete and has passed the audit.

    If a hidden number could be worked out of the tables, the run fails and says how. With --repair more is hidden
    instead, and the pages that showed those tables are left out.

    -p time_period 2012 sets a parameter of every notebook that has it, -p repeat_plans.group category of one.
    """
    place = out or folder.resolve().with_name(f"{folder.resolve().name}_report")
    _print_report(_run_report(folder, place, only, dict(parameters), jobs, repair=repair))


@commands.command()
@click.argument("releases", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--fast", is_flag=True, help="Try totals, sums and differences of what is printed, not all combinations.")
@click.option(
    "--within",
    "lookups",
    multiple=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="A table whose first column (district) lies within each of the others (area). May be given more than once.",
)
@click.option(
    "--rounded",
    nargs=2,
    multiple=True,
    type=(str, Base(2)),
    metavar="NAME BASE",
    help="The numbers of this file were rounded to multiples of BASE. May be given more than once.",
)
@click.option(
    "--csv", "csv_file", type=click.Path(dir_okay=False, path_type=Path), help="Write what is found to this file."
)
@click.option("--repair", is_flag=True, help="Hide more in the last release, until nothing can be worked out.")
def audit(
    releases: tuple[Path, ...],
    fast: bool,
    lookups: tuple[Path, ...],
    rounded: tuple[tuple[str, int], ...],
    csv_file: Path | None,
    repair: bool,
) -> None:
    """Say what could be worked out from RELEASES together: numbers that one hides and others give away.

    A release is the folder that safeguarding report made; a published table (CSV or XLSX, such as one of last year's or
    of another body) may be named too. The numbers that are hidden in them are compared with all the others show.

    Exit code 1 if a hidden number can be narrowed down further than its mark does.

    With --repair the last RELEASE is changed; what is named before it is taken to be public already.
    """
    from safeguarding_analytics.release_audit import (
        audit_published,
        open_published,
        read_lookup,
        release_to_repair,
        write_findings,
    )

    if csv_file and not csv_file.parent.is_dir():
        raise ParameterError(f"{csv_file.parent}: there is no such folder. Make it, or name another.")
    collection = open_published(releases, within=[read_lookup(path) for path in lookups])
    if repair:
        release_to_repair(collection)
    if sys.stderr.isatty():
        click.echo(f"Auditing {numbered(len(collection.tables), 'table')} …", err=True)
    bases = dict(rounded)
    made = audit_published(collection, rounded=bases, effort="fast" if fast else "full")
    if csv_file:
        write_findings(made.found, csv_file)
    if made.found.is_empty():
        _print_nothing_found(collection, made.effort, bases)
        return
    _print_findings(collection, made, repair, bases)
    if not repair:
        sys.exit(1)
    _repair(collection, bases)


@commands.command()
@click.argument("release", type=FOLDER)
@click.option("--port", default=8866, show_default=True, type=click.IntRange(1, 65535), help="Port on this computer.")
def dashboards(release: Path, port: int) -> None:
    """Serve the read-only dashboard of RELEASE on this computer (127.0.0.1).  Stop it with Ctrl-C."""
    from safeguarding_analytics.dashboards import require_free, serve
    from safeguarding_analytics.release import Release

    Release.open(release)
    require_free(port)
    click.echo(f"The dashboard is at http://127.0.0.1:{port}/  (Ctrl-C stops it)")
    sys.exit(serve(release, port=port))


@commands.command()
@click.argument("folder", type=FOLDER)
@click.option("--port", default=8866, show_default=True, type=click.IntRange(1, 65535), help="Port on this computer.")
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.IntRange(10),
    help="Load the page for the projector again after so many seconds, 10 or more.  [default: never]",
)
@click.option("--closed", is_flag=True, help="The vote is closed: count all ballots, also where members are absent.")
def live(folder: Path, port: int, every: int | None, closed: bool) -> None:
    """Serve the count of the ballots in FOLDER while they still come in, on this computer (127.0.0.1).

    Each reload reads the ballots again. They are counted a few at a time and the newest are held back until all members
    have voted ([priorities] members in board.toml) or the vote is closed (--closed), so that nobody's ballot can be
    told from two states. How firm the choice is, is said then.

    The first page is for a projector, the second has every check.  Stop it with Ctrl-C.
    """
    from safeguarding_analytics.board import read_board
    from safeguarding_analytics.dashboards import require_free, serve_live

    read_board(folder)
    require_free(port)
    click.echo(f"The live count is at http://127.0.0.1:{port}/  (Ctrl-C stops it)")
    sys.exit(serve_live(folder, port=port, now=datetime.now, every=every or 0, closed=closed))


@commands.command()
def dictionary() -> None:
    """Print the data dictionary: every table, column, unit and rule (data/README.md is this text)."""
    from safeguarding_analytics.dictionary import data_dictionary

    click.echo(data_dictionary(), nl=False)


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
            click.echo(f"Note: {note}")
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
        click.echo(f"- {sentence}", err=True)
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


def _print_findings(collection: Collection, made: Audit, repair: bool, rounded: dict[str, int]) -> None:
    """Print what was found, a line each, then how much it is, then what to do about it."""
    from safeguarding_analytics.release_audit import entangled, wrong_totals

    for row in made.found.to_dicts():
        if row["low"] is None:
            click.echo(f"{row['table']}, {row['cell']}: {row['because']}")
        else:
            click.echo(f"{row['table']}, {row['cell']} ({row['column']}): {_range(row)}. {row['because']}")
    known = made.found.drop_nulls("low")
    if not known.is_empty():
        tables = known["table"].unique(maintain_order=True).to_list()
        inside = f"in {numbered(len(tables), 'table')}: {in_words(tables)}"
        click.echo(f"\n{numbered(known.height, 'hidden number')} can be narrowed down, {inside}.")
    if known.height < made.found.height:
        click.echo("\nOf tables that contradict each other nothing can be said. Check them, or audit them apart.")
        for sentence in wrong_totals(collection, rounded):
            click.echo(f"- {sentence}")
    _print_not_audited(collection, rounded)
    if repair or known.is_empty():
        return
    together = f"suppress([{', '.join(entangled(collection, made.found))}], policy)"
    again = "run again with --repair" + (
        "" if len(collection.places) == 1 else ", which changes the release named last"
    )
    click.echo(f"Protect these tables together: {together} where they are made, or {again}.")


def _range(row: dict[str, Any]) -> str:
    low, high = row["low"], row["high"]
    if high is None:
        return f"{low:,} or more"
    return f"exactly {low:,}" if low == high else f"{low:,} to {high:,}"


def _print_not_audited(collection: Collection, rounded: dict[str, int]) -> None:
    """Print which columns and sheets were not audited, and which files may have been rounded."""
    from safeguarding_analytics.release_audit import seemingly_rounded

    for sentence in collection.not_read:
        click.echo(f"- {sentence}")
    for name, base in seemingly_rounded(collection, rounded).items():
        option = f"--rounded {quote(name)} {base}"
        click.echo(f"All counts of {name} are multiples of {base}: if they are rounded, add {option}")


def _print_nothing_found(collection: Collection, effort: str, rounded: dict[str, int]) -> None:
    files = len(collection.places) - len(collection.releases)
    kinds = ((len(collection.releases), "release"), (files, "file"))
    of = in_words([numbered(number, noun) for number, noun in kinds if number])
    read = f"{numbered(len(collection.tables), 'table')} of {of}"
    if collection.not_read:
        click.echo(f"No hidden number can be worked out from what was audited of {read}. Not all was:")
    else:
        click.echo(f"No hidden number can be worked out from {read}.")
    _print_not_audited(collection, rounded)
    tried = {
        "full": "The audit was full: every combination of groups was tried.",
        "fast": "The audit was fast: totals, sums and differences of what is printed, not every combination of groups.",
    }
    click.echo(tried[effort])
    if collection.left_out:
        named = in_words(list(collection.left_out))
        click.echo(f"Not audited, as rankings, judgements and what others have published are not: {named}.")
    click.echo("It does not show what a reader knows from elsewhere, such as tables that were not named.")


def _repair(collection: Collection, rounded: dict[str, int]) -> None:
    from safeguarding_analytics.release_audit import repair_release

    try:
        repaired = repair_release(collection, rounded=rounded)
    except DisclosureError as error:
        click.echo(f"{collection.places[-1]} was not repaired and is unchanged: {error}", err=True)
        sys.exit(1)
    click.echo(f"Repaired {collection.places[-1]}:")
    for name, rows in repaired.rows.items():
        click.echo(f"- {name}: {numbered(rows, 'more row')} with hidden numbers")
    for title in repaired.pages:
        click.echo(f"- the page {title} is left out of the pack, because it showed tables that changed")
    of = " from what was audited" if collection.not_read else ""
    click.echo(f"No hidden number can be worked out now{of}.")


def _run_report(
    folder: Path, out: Path, only: tuple[str, ...], parameters: dict[str, str], jobs: int, *, repair: bool = False
) -> Report:
    from safeguarding_analytics.report import make_report

    try:
        with _progress_bar() as progress:
            return make_report(
                folder,
                out,
                only=only,
                parameters=parameters,
                jobs=jobs,
                today=_today(),
                progress=progress,
                repair=repair,
            )
    except KeyboardInterrupt:
        raise click.Abort(" A release that stands is complete.") from None


@contextmanager
def _progress_bar() -> Iterator[Callable[[int, int], None]]:
    from tqdm import tqdm

    with tqdm(desc="Running the notebooks", unit=" cells", leave=False, disable=None) as bar:

        def show(done: int, every: int) -> None:
            bar.total, bar.n = every, done
            bar.refresh()

        yield show


def _print_report(made: Report) -> None:
    for page in made.pages:
        click.echo(f"- {page.notebook.title}: {page.why_not or 'made'}")
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
    click.echo(f"Open it in a browser: {made.index.resolve().as_uri()}")
    click.echo(f"Dashboard:  safeguarding dashboards {made.release.folder}")


def main() -> None:
    """Run the command line: a user's mistake ends in one clean message and exit code 2, never a traceback."""
    try:
        commands.main(prog_name="safeguarding", standalone_mode=False)
    except SafeguardingError as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(2)
    except OSError as error:
        click.echo(f"Error: {f'{error.filename}: {error.strerror}' if error.filename else error}", err=True)
        sys.exit(2)
    except click.exceptions.Abort as stop:
        _stopped(*stop.args)
    except click.ClickException as error:
        error.show()
        sys.exit(error.exit_code)
    except KeyboardInterrupt:
        _stopped()


def _stopped(what_stands: str = "") -> None:
    """End the kernels and leave at once: threads that wait for them would hold the process."""
    import psutil

    for kernel in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            kernel.kill()
    click.echo(f"\nStopped.{what_stands}", err=True)
    sys.stderr.flush()
    os._exit(130)
