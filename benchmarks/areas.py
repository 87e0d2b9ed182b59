"""Times ``safeguarding report --for-each`` against papermill and nbconvert run for each page of each area."""

from __future__ import annotations

import argparse
import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl
from measuring import Cost, surroundings
from report import OURS, PACKAGES, run, timed

from safeguarding_analytics.area_runs import area_runs
from safeguarding_analytics.demo import write_demo_board
from safeguarding_analytics.release import Release
from safeguarding_analytics.report import NOTEBOOKS

ABOUT = """\
Make the pages of each district of the synthetic board in two ways, and print how long each takes:

  safeguarding report --for-each   all districts, two at a time, audited as one system with --repair
  papermill + nbconvert            for each of the same pages: papermill, then nbconvert --to html --no-input

Pages that the board's tables cannot answer for one district, as staff have none, are made by neither. Districts beyond
the twelve of the board are copies of it under other names. README.md beside this file says what is compared."""

COLUMN = "district"
KEYS = {
    "plans": ["plan", "child", "family", COLUMN],
    "sessions": ["session", COLUMN],
    "bookings": ["session"],
    "scores": ["session"],
}
"""Tables of which districts are made, and what is named otherwise in each copy."""

PEER = "papermill + nbconvert"
OURS_EACH = "safeguarding report --for-each"
DISTRICTS = 12
"""Those of the synthetic board."""


def board_of(folder: Path, copies: int) -> Path:
    """The synthetic board, with its rows copied under other names until there are that many times its districts."""
    write_demo_board(folder)
    for name, keys in KEYS.items():
        path = folder / f"{name}.csv"
        rows = pl.read_csv(path, infer_schema=False)
        more = [rows.with_columns(pl.col(keys) + f" {copy}") for copy in range(1, copies)]
        pl.concat([rows, *more]).write_csv(path)
    return folder


def ours(board: Path, folder: Path) -> None:
    """Make the reports of all districts as a user does."""
    run(*OURS, "report", board, "--out", folder, "--jobs", "2", "--for-each", COLUMN, "--repair")


def pages_of(folder: Path) -> list[tuple[str, str]]:
    """District and notebook of every page that was made; stops the benchmark where there are none."""
    releases = {path.parent.name: Release.open(path) for path in sorted(folder.glob("*/release"))}
    found = [
        (area, notebook)
        for area, release in releases.items()
        for notebook in sorted({release.entry(name).notebook for name in release.tables()})
    ]
    if not found:
        sys.exit("no pages were made")
    return found


def peer(
    board: Path, folder: Path, pages: Sequence[tuple[str, str]], parameters: Mapping[str, Mapping[str, str]]
) -> None:
    """Run papermill and nbconvert for each page."""
    for area, notebook in pages:
        place = folder / area
        (place / "release").mkdir(parents=True, exist_ok=True)
        copy = Path(shutil.copy(NOTEBOOKS / f"{notebook}.ipynb", place))
        executed = place / f"{notebook}_executed.ipynb"
        values = {"board": board, "release": place / "release", **parameters[area]}
        given = [str(each) for name, value in values.items() for each in ("-p", name, value)]
        run(sys.executable, "-m", "papermill", copy, executed, *given, "--no-progress-bar")
        page = f"{notebook}.html"
        run(sys.executable, "-m", "nbconvert", "--to", "html", "--no-input", executed, "--output", page)
        if not (place / page).is_file():
            sys.exit(f"a page was not made: {area}, {notebook}")


def main() -> None:
    """Read the arguments, measure, and print one table."""
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=1, metavar="N", help="turns of each way (default: 1)")
    parser.add_argument("--copies", type=int, default=1, metavar="N", help="N times the twelve districts (default: 1)")
    parser.add_argument("--ours-alone", action="store_true", help="leave papermill + nbconvert out")
    asked = parser.parse_args()
    if min(asked.repeat, asked.copies) < 1:
        parser.error("--repeat and --copies must be 1 or more.")
    about = surroundings(PACKAGES)
    costs, pages = measured(asked.copies, asked.repeat, alone=asked.ours_alone)
    print(f"Districts: {DISTRICTS * asked.copies}. Pages: {pages}. Turns: {asked.repeat}, one after the other.\n")
    print(f"{table(costs, pages)}\n\n{about}")


def measured(copies: int, repeat: int, *, alone: bool) -> tuple[dict[str, list[Cost]], int]:
    """The costs of each way in turns, and how many pages are made."""
    with TemporaryDirectory(prefix="benchmark") as folder:
        board = board_of(Path(folder) / "board", copies)
        parameters = {run.name: dict(run.parameters) for run in area_runs(board, COLUMN, {}, lambda _: None)}
        if len(parameters) != DISTRICTS * copies:
            sys.exit(f"the board has {len(parameters)} districts, and not {DISTRICTS * copies}")
        pages: list[tuple[str, str]] = []

        def made(board: Path, place: Path) -> None:
            ours(board, place)
            pages[:] = pages_of(place)

        ways: dict[str, Callable[[Path, Path], None]] = {OURS_EACH: made}
        if not alone:
            ways[PEER] = lambda board, place: peer(board, place, pages, parameters)
        costs: dict[str, list[Cost]] = {name: [] for name in ways}
        for turn in range(repeat):
            for name, way in ways.items():
                print(f"turn {turn + 1} of {repeat}: {name}", file=sys.stderr)
                costs[name].append(timed(way, board))
    return costs, len(pages)


def table(costs: dict[str, list[Cost]], pages: int) -> str:
    """One line per turn of a way, in Markdown."""
    lines = ["| way | wall seconds | per page | CPU seconds | memory, MiB |", "|---|--:|--:|--:|--:|"]
    for name, turns in costs.items():
        for cost in turns:
            cells = (f"{cost.wall:.1f}", f"{cost.wall / pages:.2f}", f"{cost.processor:.1f}", f"{cost.memory:,.0f}")
            lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
