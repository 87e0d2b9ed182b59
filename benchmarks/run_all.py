"""Measures ours beside its peers at growing sizes, prints one table, and writes RESULTS.md with a chart beside it."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from datetime import date
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

import measures
import results
from measuring import surroundings

ABOUT = """\
Measure this package beside its peers, at sizes that grow tenfold, and print ONE table: seconds of ours and of the peer,
ours as a multiple of the peer with its spread, growth, the floor that no program can do without, the most memory.
The table, the targets (met or not) and how to do it again are written to RESULTS.md, a chart of growth to RESULTS.svg.

measures, and the sizes of each:
{measures}

peers: DuckDB, SciPy, papermill, nbconvert and Voilà are looked for in this environment. pandas, statsmodels,
pref_voting, votekit and acro are no dependencies of this package: --peer-python names an interpreter of an environment
that has them. Without it, their lines say that they were not measured.

Let the computer rest meanwhile. Two measures up to 1e5 take a minute or two:
  benchmarks/run --only training_reach repeat_plan_rate --largest 1e5
Everything took 52 minutes in two turns, on two cores, 24 GiB of memory and 3 GB of disk. With --folder, finished steps
are kept there: stopped and given again, the command goes on behind the last step, as long as the code is the same."""

PEERS = ("duckdb", "pandas", "pyarrow", "statsmodels", "pref_voting", "votekit", "acro")
PACKAGES = (
    "safeguarding-analytics",
    "polars",
    "narwhals",
    "duckdb",
    "numpy",
    "scipy",
    "papermill",
    "nbconvert",
    "voila",
)
LARGEST = 100_000_000
LOADS = "loads.json"
HERE = Path(__file__).resolve().parent


def listed() -> str:
    """The measures with their sizes, for --help."""
    return "\n".join(
        f"  {name:<17} {each.said} ({', '.join(f'{size:,}' for size in each.sizes)})"
        for name, each in measures.MEASURES.items()
    )


def arguments(given: Sequence[str]) -> argparse.Namespace:
    """Read and check the arguments."""
    parser = argparse.ArgumentParser(
        prog="benchmarks/run",
        description=ABOUT.format(measures=listed()),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--only", nargs="+", choices=measures.MEASURES, metavar="MEASURE", help="these (default: all)")
    parser.add_argument(
        "--largest", type=float, default=LARGEST, metavar="N", help="leave out sizes above N (default: 1e8)"
    )
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns of each way, 1 or more (default: 3)")
    parser.add_argument("--peer-python", type=Path, metavar="PATH", help="an interpreter that has the other peers")
    parser.add_argument(
        "--out", type=Path, default=HERE, metavar="FOLDER", help="where the results go (default: beside this file)"
    )
    parser.add_argument(
        "--folder", type=Path, metavar="FOLDER", help="keep made-up rows and finished steps here (default: nowhere)"
    )
    parser.add_argument(
        "--chromium", default=shutil.which("chromium"), metavar="PATH", help="where Chromium is, for dashboard"
    )
    chosen = parser.parse_args(given)
    if chosen.repeat < 1:
        parser.error(f"--repeat must be 1 or more. Found: {chosen.repeat}.")
    chosen.only = chosen.only or list(measures.MEASURES)
    chosen.steps = measures.plan(chosen.only, int(chosen.largest))
    if not chosen.steps:
        parser.error(f"--largest {chosen.largest:g} leaves nothing to measure; the smallest sizes stand in --help.")
    return chosen


def measured(
    steps: Sequence[tuple[str, int]], setting: measures.Setting
) -> tuple[list[measures.Measured], tuple[date, date], list[float]]:
    """Measure step by step, and say how far it is.

    The measures, on which days the first and last were taken, and the load of the computer at each beginning. What was
    measured before by the same code is taken as it was.
    """
    found, days, start, load = [], {date.today()}, time.monotonic(), os.getloadavg()[0]
    place = setting.folder / f"measured-{digest_of_the_code()}"
    place.mkdir(exist_ok=True)
    begun = place / LOADS
    loads: list[float] = json.loads(begun.read_text(encoding="utf-8")) if begun.exists() else []
    for number, (name, size) in enumerate(steps, 1):
        minutes = (time.monotonic() - start) / 60
        kept = place / f"{name}-{size}-{setting.repeat}.json"
        at = f"step {number} of {len(steps)}, {minutes:.0f} min so far"
        before = " (measured before)" if kept.exists() else ""
        print(f"{at}: {name}, {size:,}{before}", file=sys.stderr, flush=True)
        if kept.exists():
            days.add(date.fromtimestamp(kept.stat().st_mtime))
            made = [measures.read_measured(each) for each in json.loads(kept.read_text(encoding="utf-8"))]
        elif made := measures.MEASURES[name].run(size, setting):
            if load not in loads:
                write_whole(begun, json.dumps(loads := [*loads, load]))
            write_whole(kept, json.dumps([asdict(each) for each in made]))
        found += made
    # Sizes of one measure stand together, though both engines of a step were measured at once.
    order = list(dict.fromkeys(each.measure for each in found))
    return sorted(found, key=lambda each: order.index(each.measure)), (min(days), max(days)), loads


def digest_of_the_code() -> str:
    """What stands for the code that is measured, and for that which measures it."""
    files = [path for folder in (HERE, HERE.parent / "src", HERE.parent / "notebooks") for path in folder.rglob("*")]
    digest = sha256()
    for path in sorted(path for path in files if path.suffix in (".py", ".ipynb")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def write_whole(path: Path, text: str) -> None:
    """Write a file beside its place and move it there: who stops this finds it whole or not at all."""
    beside = path.with_suffix(".part")
    beside.write_text(text, encoding="utf-8")
    beside.replace(path)


def machine(versions: dict[str, str], turns: int, loads: Sequence[float]) -> str:
    """The computer, the versions of both environments, and how often each way was gone."""
    gigabytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    peers = ", ".join(f"{name} {version}" for name, version in versions.items())
    times = "1 turn" if turns == 1 else f"{turns} turns"
    return f"{times}. {surroundings(PACKAGES, loads)}; {gigabytes:.0f} GiB of memory; peers: {peers}."


def main(given: Sequence[str] | None = None) -> None:
    """Measure, print the table, and write the results."""
    words = sys.argv[1:] if given is None else given
    chosen = arguments(words)
    versions = measures.versions_of_peers(chosen.peer_python)
    with TemporaryDirectory(prefix="benchmark") as place:
        folder = chosen.folder or Path(place)
        folder.mkdir(parents=True, exist_ok=True)
        setting = measures.Setting(chosen.repeat, folder, chosen.peer_python, versions, chosen.chromium)
        found, days, loads = measured(chosen.steps, setting)
    about = machine(versions, chosen.repeat, loads)
    written = results.write(chosen.out, found, about, command(chosen), " ".join(PEERS), days)
    print(f"{about}\n\n{results.table(found)}\n\n{results.targets(found)}\n")
    print(f"Written: {', '.join(map(str, written))}")


def command(chosen: argparse.Namespace) -> str:
    """The command that measures the same again, without folders of this computer."""
    words = ["benchmarks/run"]
    if chosen.only != list(measures.MEASURES):
        words += ["--only", *chosen.only]
    if chosen.largest != LARGEST:
        words += ["--largest", f"{chosen.largest:g}"]
    if chosen.peer_python:
        words += ["--peer-python", "peers/bin/python"]
    return shlex.join([*words, "--repeat", str(chosen.repeat)])
