"""The command line. The only place that prints, asks the clock, or exits. Heavy imports wait inside the commands."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from safeguarding_analytics import __version__
from safeguarding_analytics.errors import ParameterError, SafeguardingError, numbered

if TYPE_CHECKING:
    from safeguarding_analytics.report import Report

CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}
FOLDER = click.Path(file_okay=False, path_type=Path)


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
    _print_report(_run_report(board, folder, (), {}, jobs), folder)


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
def check(folder: Path, csv_file: Path | None) -> None:
    """Check every table in FOLDER and report every broken rule at once, by file, row and column.

    Exit code 1 if any rule is broken. Values that could identify a person are never printed.
    """
    if not _check(folder, csv_file):
        sys.exit(1)


@commands.command()
@click.argument("folder", type=FOLDER)
@click.option("--out", type=FOLDER, help="Where to put the release.  [default: FOLDER with _report behind its name]")
@click.option("-p", "parameters", nargs=2, multiple=True, metavar="NAME VALUE", help="Set a parameter.")
@click.option("--only", multiple=True, metavar="NOTEBOOK", help="Run this notebook; may be given more than once.")
@click.option("--jobs", default=2, show_default=True, type=click.IntRange(1), help="Notebooks to run at once.")
def report(
    folder: Path, out: Path | None, parameters: tuple[tuple[str, str], ...], only: tuple[str, ...], jobs: int
) -> None:
    """Run the notebooks on FOLDER, make the board pack, and publish the audited release.

    The previous release stays in its place until the new one is complete and has passed the audit.

    -p time_period 2012 sets a parameter of every notebook that has it, -p repeat_plans.group category of one.
    """
    place = out or folder.resolve().with_name(f"{folder.resolve().name}_report")
    _print_report(_run_report(folder, place, only, dict(parameters), jobs), place)


@commands.command()
@click.argument("releases", nargs=-1, required=True, type=FOLDER)
def audit(releases: tuple[Path, ...]) -> None:
    """Say what could be worked out from one or more RELEASES together.

    Exit code 1 if a hidden number can be narrowed down.
    """
    from safeguarding_analytics.release import audit_releases

    found = audit_releases(releases)
    for row in found.to_dicts():
        click.echo(f"{row['table']}, {row['cell']}: {row['because']}")
    if not found.is_empty():
        sys.exit(1)
    click.echo("No hidden number can be worked out from the published tables.")


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
    from safeguarding_analytics.board import check_all
    from safeguarding_analytics.contracts import say_problems

    board, problems = check_all(folder)
    heights = {table: board.height(table) for table in board.tables}
    for table in board.tables:
        for note in board.notes_of(table):
            click.echo(f"Note: {note}")
    if csv_file:
        problems.write_csv(csv_file)
        click.echo(f"Wrote {problems.height:,} broken rules to {csv_file}")
    if problems.is_empty():
        rows = sum(heights.values())
        click.echo(f"Checked {len(heights)} tables, {rows:,} rows: every rule holds.")
        return True
    sentences = say_problems(problems, board.file_names, heights)
    broken = "1 rule is broken" if len(sentences) == 1 else f"{len(sentences):,} rules are broken"
    click.echo(f"{broken} (row 1 is the header):", err=True)
    for sentence in sentences:
        click.echo(f"- {sentence}", err=True)
    return False


def _run_report(folder: Path, out: Path, only: tuple[str, ...], parameters: dict[str, str], jobs: int) -> Report:
    from safeguarding_analytics.report import make_report

    try:
        with _progress_bar() as progress:
            return make_report(
                folder, out, only=only, parameters=parameters, jobs=jobs, today=_today(), progress=progress
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


def _print_report(made: Report, out: Path) -> None:
    for page in made.pages:
        click.echo(f"- {page.notebook.title}: {page.why_not or 'made'}")
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
