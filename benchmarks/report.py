"""Times ``safeguarding report`` against papermill and nbconvert run one after the other on the same notebooks."""

from __future__ import annotations

import argparse
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

import psutil
from measuring import Cost, Highest, surroundings

from safeguarding_analytics.demo import write_demo_board
from safeguarding_analytics.report import notebooks

ABOUT = """\
Make the same four pages of the same synthetic board in three ways, and print how long each takes:

  safeguarding report --jobs 4   notebooks side by side, our pages, the audit of the release
  safeguarding report --jobs 1   the same, one notebook after the other
  papermill + nbconvert          for each notebook: papermill, then nbconvert --to html --no-input, as installed

Every command starts in a fresh interpreter. The ways take turns, in an order that is turned round every time, so that
what else runs on the computer meets all of them. CPU seconds are user and system time of all processes, kernels too.
Needs Linux or macOS. README.md beside this file says what is and what is not compared."""

PACKAGES = ("safeguarding-analytics", "papermill", "nbconvert", "nbclient", "ipykernel", "polars", "altair")
OURS = (sys.executable, "-c", "from safeguarding_analytics.cli import main; main()")
PEER = "papermill + nbconvert"


def run(*command: str | Path) -> None:
    """Run a command to its end, and stop the benchmark with its last words if it fails."""
    done = subprocess.run([str(part) for part in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nended with exit code {done.returncode}:\n{done.stderr[-2000:]}")


def ours(board: Path, folder: Path, jobs: int) -> None:
    """Make the board pack and the release as a user does."""
    run(*OURS, "report", board, "--out", folder, "--jobs", str(jobs))
    require_pages(folder / "release" / "pack")


def peer(board: Path, folder: Path) -> None:
    """Run each notebook with papermill and turn it into a page with nbconvert."""
    release = folder / "release"
    release.mkdir()  # the notebooks publish their tables into it, as they do for us
    for notebook in notebooks():
        copy = Path(shutil.copy(notebook.path, folder))
        executed = folder / f"{notebook.name}_executed.ipynb"
        places = ("-p", "board", board, "-p", "release", release)
        run(sys.executable, "-m", "papermill", copy, executed, *places, "--no-progress-bar")
        run(
            sys.executable,
            "-m",
            "nbconvert",
            "--to",
            "html",
            "--no-input",
            executed,
            "--output",
            f"{notebook.name}.html",
        )
    require_pages(folder)


def require_pages(folder: Path) -> None:
    """Stop the benchmark if a page is missing: a way that makes less would look quick."""
    missing = [notebook.name for notebook in notebooks() if not (folder / f"{notebook.name}.html").is_file()]
    if missing:
        sys.exit(f"pages were not made: {', '.join(missing)}")


def timed(way: Callable[[Path, Path], None], board: Path) -> Cost:
    """Run one way in a folder of its own."""
    with TemporaryDirectory(prefix="benchmark") as folder:
        before, start = processor_seconds(), time.perf_counter()
        with Highest(memory) as highest:
            way(board, Path(folder))
        return Cost(time.perf_counter() - start, processor_seconds() - before, highest.most)


def memory() -> float:
    """MiB of all processes that were started here and have not ended, what they share counted once (PSS)."""
    held = 0
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.Error):
            held += process.memory_full_info().pss
    return held / 2**20


def processor_seconds() -> float:
    """User and system time of all processes that were started here and have ended, and of those they started."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def measure(ways: dict[str, Callable[[Path, Path], None]], repeat: int) -> dict[str, list[Cost]]:
    """Let the ways take turns."""
    timings: dict[str, list[Cost]] = {name: [] for name in ways}
    with TemporaryDirectory(prefix="benchmark") as folder:
        board = Path(folder) / "board"
        write_demo_board(board)
        for turn in range(repeat):
            for name in list(ways)[:: -1 if turn % 2 else 1]:
                print(f"turn {turn + 1} of {repeat}: {name}", file=sys.stderr)
                timings[name].append(timed(ways[name], board))
    return timings


def spread(seconds: list[float]) -> str:
    """Say the median, and the smallest and largest if there are several.

    Examples
    --------
    >>> spread([9.0]), spread([9.0, 8.0, 12.5])
    ('9.0', '9.0 (8.0–12.5)')
    """
    most = f" ({min(seconds):.1f}–{max(seconds):.1f})" if len(seconds) > 1 else ""
    return f"{median(seconds):.1f}{most}"


def table(timings: dict[str, list[Cost]]) -> str:
    """One line per way, in Markdown, with the peer's median as a multiple of the way's."""
    walls = {name: [each.wall for each in runs] for name, runs in timings.items()}
    processors = {name: [each.processor for each in runs] for name, runs in timings.items()}
    lines = ["| way | wall seconds | peer takes | CPU seconds | peer takes |", "|---|--:|--:|--:|--:|"]
    for name in timings:
        multiples = [median(kind[PEER]) / median(kind[name]) for kind in (walls, processors)]
        cells = (spread(walls[name]), f"{multiples[0]:.1f} ×", spread(processors[name]), f"{multiples[1]:.1f} ×")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    """Read the arguments, measure, and print one table."""
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeat", type=int, default=3, metavar="N", help="turns of each way, 1 or more (default: 3, about 4 minutes)"
    )
    repeat = parser.parse_args().repeat
    if repeat < 1:
        parser.error(f"--repeat must be 1 or more. Found: {repeat}.")
    about = surroundings(PACKAGES)
    ways: dict[str, Callable[[Path, Path], None]] = {
        "safeguarding report --jobs 4": lambda board, folder: ours(board, folder, 4),
        "safeguarding report --jobs 1": lambda board, folder: ours(board, folder, 1),
        PEER: peer,
    }
    timings = measure(ways, repeat)
    print(f"Notebooks: {len(notebooks())}. Turns: {repeat}. Seconds are medians (smallest–largest).\n")
    print(f"{table(timings)}\n\n{about}")


if __name__ == "__main__":
    main()
