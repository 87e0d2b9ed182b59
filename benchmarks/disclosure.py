"""Hides small counts with this package and with peers from PyPI, and attacks every result with the same attacker."""

from __future__ import annotations

import argparse
import csv
import json
import os
import platform
import random
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

from disclosure_attacker import TOTAL, Cell, Sheet, Verdict, attack, rollups
from measuring import most_memory

ABOUT = """\
Hide the counts 1 to 5 of the same tables with several systems, and print for each how many other cells it hides, what
one attacker still works out, and how long it takes. The peers acro and pytauargus are installed with pip into a virtual
environment in a temporary folder; one that does not install is named as such. Every run is a fresh interpreter that is
given one row per child; seconds are those of the call, imports are counted apart. The systems take turns, in an order
that is turned round every time. README.md beside this file says what is and what is not compared."""

THRESHOLD = 6
PEERS = ("acro", "pytauargus")
PACKAGES = ("safeguarding-analytics", "polars", "scipy")

Children = dict[str, list[str]]
"""One row per child, as columns."""


@dataclass(frozen=True)
class Table:
    """Counts of children by group columns, without margins; ``nested``: the second group lies in the first."""

    name: str
    groups: tuple[str, ...]
    counts: dict[Cell, int]
    nested: bool = False

    def cells(self) -> dict[Cell, int]:
        """The counts and all margins."""
        cells: Counter[Cell] = Counter()
        for leaf, count in self.counts.items():
            for cell in rollups(leaf):
                if not (self.nested and cell[0] == TOTAL != cell[1]):
                    cells[cell] += count
        return dict(cells)

    def children(self) -> Children:
        """One row per child."""
        rows = [leaf for leaf, count in self.counts.items() for _ in range(count)]
        return {group: [row[place] for row in rows] for place, group in enumerate(self.groups)}


class Seconds:
    """Wall and CPU seconds of this process inside a ``with`` block."""

    def __enter__(self) -> Seconds:
        self.wall, self.processor = time.perf_counter(), time.process_time()
        return self

    def __exit__(self, *_: object) -> None:
        self.wall, self.processor = time.perf_counter() - self.wall, time.process_time() - self.processor


@dataclass(frozen=True)
class Run:
    """The published tables of one run of one system, and the seconds of its steps."""

    sheets: list[Sheet]
    seconds: dict[str, Seconds]


@dataclass(frozen=True)
class System:
    """One way to protect a table; ``peer``: the package it needs, none for ours."""

    peer: str
    run: Callable[[Table], Run]


def ours(effort: str, protect: str) -> Callable[[Table], Run]:
    """Count, suppress, and audit with this package."""

    def run(table: Table) -> Run:
        with Seconds() as importing:
            polars, package = import_module("polars"), import_module("safeguarding_analytics")
            suppress, audit = package.suppress, package.audit
            policy = package.Policy(threshold=THRESHOLD, protect=protect)
            for name in ("scipy.optimize", "scipy.sparse.csgraph"):  # the package loads them when it first needs them
                import_module(name)
        more = {"progress": say} if table.nested else {}
        with Seconds() as suppressing:
            cells = sorted(table.cells().items())
            columns = {group: [cell[place] for cell, _ in cells] for place, group in enumerate(table.groups)}
            frame = polars.DataFrame({**columns, "count": [count for _, count in cells]})
            safe = suppress(frame, policy, effort=effort, **more)
        with Seconds() as auditing:
            findings = audit([safe])
        if findings.height:
            sys.exit(f"audit() finds {findings.height} hidden counts in what suppress() returned")
        published = safe.frame().select(*table.groups, "count").rows()
        return Run(
            [{row[:-1]: row[-1] for row in published}],
            {"import": importing, "suppress": suppressing, "audit": auditing},
        )

    return run


def pytauargus(rule: str, method: str) -> Callable[[Table], Run]:
    """Protect with tau-argus, every cell at the same cost."""

    def run(table: Table) -> Run:
        with Seconds() as importing:
            protect = import_module("pytauargus").protect
        children = table.children()
        children_and_ones = {**children, "children": [1.0] * sum(table.counts.values())}
        by = table.groups[1:] if table.nested else table.groups
        tree = {"hrc": {by[0]: f"{by[0]} > {table.groups[0]}"}, "hierleadstring": "@"} if table.nested else {}
        with TemporaryDirectory(prefix="benchmark") as folder, Seconds() as protecting:
            result = protect(
                children_and_ones,
                list(by),
                response="children",
                safety_rules=rule,
                suppress=method,
                cost_var="-2",  # its code for "every cell costs 1"
                totcode=TOTAL,
                workdir=folder,
                **tree,
            ).tables[0]
            values = result.safe(None)
        cells = [tuple(str(row[group]) for group in by) for row in result.rows]
        if table.nested:
            cells = with_first_group(cells, table)
        return Run([dict(zip(cells, values, strict=True))], {"import": importing, "suppress": protecting})

    return run


def with_first_group(cells: Sequence[Cell], table: Table) -> list[Cell]:
    """Cells that have a group or the larger group it lies in in one column, with both in a column of their own."""
    homes = {leaf[1]: leaf[0] for leaf in table.counts}
    larger = set(homes.values())
    return [(cell[0], TOTAL, *cell[1:]) if cell[0] in larger else (homes.get(cell[0], TOTAL), *cell) for cell in cells]


def acro(threshold: int | None) -> Callable[[Table], Run]:
    """Cross-tabulate with acro: one table of all groups, and one of each pair where there are more than two."""

    def run(table: Table) -> Run:
        with Seconds() as importing:
            package, pandas, logging = import_module("acro"), import_module("pandas"), import_module("logging")
        logging.disable(logging.CRITICAL)
        children = pandas.DataFrame(table.children())
        pairs = [(one, other) for place, one in enumerate(table.groups) for other in table.groups[place + 1 :]]
        sheets = []
        with Seconds() as tabulating:
            session = package.ACRO(suppress=True)
            if threshold is not None:
                session.config["safe_threshold"] = threshold
            for by in dict.fromkeys([table.groups, *pairs]):
                columns = [children[group] for group in by[1:]]
                sheets.append((by, session.crosstab(children[by[0]], columns, margins=True, margins_name=TOTAL)))
        return Run(
            [sheet_of(frame, by, table.groups) for by, frame in sheets], {"import": importing, "suppress": tabulating}
        )

    return run


def sheet_of(frame: Any, by: tuple[str, ...], groups: tuple[str, ...]) -> Sheet:
    """A cross-tabulation of pandas as cells: a blank is a hidden count, a column of a margin has empty labels."""
    sheet: Sheet = {}
    for row, values in frame.to_dict("index").items():
        for column, value in values.items():
            labels = (row, *(column if isinstance(column, tuple) else (column,)))
            place = {group: label or TOTAL for group, label in zip(by, labels, strict=True)}
            sheet[tuple(place.get(group, TOTAL) for group in groups)] = None if value != value else value
    return sheet


SYSTEMS = {
    "ours: greedy, symbol": System("", ours("greedy", "symbol")),
    "ours: greedy, point": System("", ours("greedy", "point")),
    "ours: exact, point": System("", ours("exact", "point")),
    "pytauargus: OPT, FREQ(6,1)": System("pytauargus", pytauargus("FREQ(6,1)", "OPT(1)")),
    "pytauargus: OPT, FREQ(6,100)": System("pytauargus", pytauargus("FREQ(6,100)", "OPT(1)")),
    "pytauargus: MOD, FREQ(6,1)": System("pytauargus", pytauargus("FREQ(6,1)", "MOD(1)")),
    "acro: threshold 10 (its default)": System("acro", acro(None)),
    "acro: threshold 6": System("acro", acro(THRESHOLD)),
}
LARGE = ("ours: greedy, symbol", "ours: greedy, point", "pytauargus: MOD, FREQ(6,1)")
BY_HAND = "only the small counts, by hand"


def say(done: int, of: int) -> None:
    """Print progress on one line."""
    print(f"  {done:,} of {of:,}", end="\r", file=sys.stderr)


def synthetic(name: str, sizes: Mapping[str, int], middle: float, seed: int) -> Table:
    """Skewed counts with a few zeros; groups differ in size."""
    draw = random.Random(seed)
    values = {
        group: [f"{group[0].upper()}{number:03}" for number in range(1, size + 1)] for group, size in sizes.items()
    }
    weights = {value: draw.lognormvariate(0, 0.35) for group in values.values() for value in group}
    leaves: list[Cell] = [()]
    for group in values.values():
        leaves = [(*leaf, value) for leaf in leaves for value in group]
    counts = {}
    for leaf in leaves:
        mean = middle
        for value in leaf:
            mean *= weights[value]
        counts[leaf] = 0 if draw.random() < 0.02 else round(mean * draw.lognormvariate(0, 0.5))
    return Table(name, tuple(sizes), counts)


def in_regions(table: Table, regions: int) -> Table:
    """The table with its first group lying in regions."""
    first = sorted({leaf[0] for leaf in table.counts})
    home = {value: f"R{number % regions + 1}" for number, value in enumerate(first)}
    counts = {(home[leaf[0]], *leaf): count for leaf, count in table.counts.items()}
    return Table(table.name, ("region", *table.groups), counts, nested=True)


def read_table(path: Path) -> Table:
    """Counts from a CSV file whose last column is ``n``."""
    with path.open(encoding="utf-8-sig", newline="") as file:
        header, *rows = list(csv.reader(file))
    return Table(path.stem, tuple(header[:-1]), {tuple(row[:-1]): int(row[-1]) for row in rows if TOTAL not in row})


def tables(folder: Path | None, large: bool) -> list[Table]:
    """The tables to protect."""
    if large:
        sizes = {"authority": 150, "agency": 10, "quarter": 4}
        return [in_regions(synthetic("150 authorities in 9 regions x 10 x 4", sizes, 10, 3), 9)]
    if folder:
        return [read_table(folder / name) for name in ("board_12x10.csv", "board_12x10x4.csv")]
    return [
        synthetic("12 x 10", {"district": 12, "agency": 10}, 10, 1),
        synthetic("12 x 10 x 4", {"district": 12, "agency": 10, "quarter": 4}, 6, 2),
        synthetic("12 x 10 x 4, few small counts", {"district": 12, "agency": 10, "quarter": 4}, 11, 2),
    ]


def install_peers(folder: Path) -> tuple[Path, dict[str, str]]:
    """Make a virtual environment with the peers; its interpreter, and the version of each or what went wrong."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    python = folder / "bin" / "python"
    found = {}
    for peer in PEERS:
        print(f"installing {peer}", file=sys.stderr)
        command: list[str | Path] = [python, "-m", "pip", "install", "--quiet", "--only-binary", ":all:", peer]
        done = subprocess.run(command, capture_output=True, text=True)
        ask: list[str | Path] = [python, "-c", f"from importlib.metadata import version; print(version({peer!r}))"]
        told = subprocess.run(ask, capture_output=True, text=True)
        found[peer] = told.stdout.strip() if not done.returncode else "not installed"
    return python, found


@dataclass
class Record:
    """All runs of one system on one table."""

    runs: list[dict[str, Any]]
    problem: str = ""


def worker(name: str, given: Path, answer: Path) -> None:
    """Run one system on one table, in an interpreter of its own."""
    told = json.loads(given.read_text(encoding="utf-8"))
    told |= {"groups": tuple(told["groups"]), "counts": {tuple(leaf): count for leaf, count in told["counts"]}}
    run = SYSTEMS[name].run(Table(**told))
    sheets = [[[*cell, value] for cell, value in sorted(sheet.items())] for sheet in run.sheets]
    seconds = {step: [one.wall, one.processor] for step, one in run.seconds.items()}
    answer.write_text(json.dumps({"sheets": sheets, "seconds": seconds, "memory": most_memory()}), encoding="utf-8")


def measure(table: Table, names: Sequence[str], python: Path, repeat: int) -> dict[str, Record]:
    """Let the systems take turns at one table."""
    records = {name: Record([]) for name in names}
    with TemporaryDirectory(prefix="benchmark") as folder:
        given, answer = Path(folder) / "given.json", Path(folder) / "answer.json"
        told = {**asdict(table), "counts": list(table.counts.items())}
        given.write_text(json.dumps(told), encoding="utf-8")
        for turn in range(repeat):
            for name in list(names)[:: -1 if turn % 2 else 1]:
                if records[name].problem:
                    continue
                print(f"{table.name}, turn {turn + 1} of {repeat}: {name}", file=sys.stderr)
                interpreter = python if SYSTEMS[name].peer else sys.executable
                command: list[str | Path] = [interpreter, __file__, "--run", name, given, answer]
                done = subprocess.run(command, stderr=None if table.nested else subprocess.PIPE, text=True, cwd=folder)
                if not done.returncode:
                    records[name].runs.append(json.loads(answer.read_text(encoding="utf-8")))
                elif SYSTEMS[name].peer:
                    records[name].problem = f"failed: {(done.stderr or str(done.returncode)).strip().splitlines()[-1]}"
                else:
                    sys.exit(f"{name} failed:\n{(done.stderr or '')[-2000:]}")
    return records


def spread(seconds: Sequence[float]) -> str:
    """Say the median, and the smallest and largest if there are several.

    Examples
    --------
    >>> spread([9.0]), spread([9.0, 8.0, 12.5])
    ('9.00', '9.00 (8.00–12.50)')
    """
    most = f" ({min(seconds):.2f}–{max(seconds):.2f})" if len(seconds) > 1 else ""
    return f"{median(seconds):.2f}{most}"


HEADER = """\
| system | more hidden | known exactly | narrower than 1–5 | totals altered | wall seconds | CPU seconds | import, CPU |
|---|--:|--:|--:|--:|--:|--:|--:|"""


def report(table: Table, records: dict[str, Record], missing: Mapping[str, str]) -> str:
    """The Markdown table of one table of counts."""
    truth = table.cells()
    small = sum(0 < count < THRESHOLD for count in truth.values())
    by_hand = attack([{cell: None if 0 < n < THRESHOLD else n for cell, n in truth.items()}], truth, THRESHOLD)
    lines = [
        f"## {table.name}: {len(truth):,} cells with margins, {small:,} of them small, "
        f"{sum(table.counts.values()):,} children\n",
        HEADER,
        line(BY_HAND, in_words(by_hand), ["–"] * 3),
    ]
    audits = []
    for name, record in records.items():
        if record.problem or not record.runs:
            problem = record.problem or missing[SYSTEMS[name].peer]
            lines.append(line(name, [problem, *["–"] * 3], ["–"] * 3))
            continue
        sheets = [run["sheets"] for run in record.runs]
        print(f"{table.name}: attacking {name}", file=sys.stderr)
        published: list[Sheet] = [{tuple(row[:-1]): row[-1] for row in sheet} for sheet in sheets[0]]
        verdict = attack(published, truth, THRESHOLD)
        changing = (
            " (another pattern every turn; the first is attacked)" if any(one != sheets[0] for one in sheets) else ""
        )
        imports = f"{median(run['seconds']['import'][1] for run in record.runs):.2f}"
        lines.append(line(name + changing, in_words(verdict), [*times(record, "suppress"), imports]))
        if "audit" in record.runs[0]["seconds"]:
            audits.append("{}: {} wall, {} CPU".format(name, *times(record, "audit")))
    return "\n".join([*lines, "", f"Seconds that audit() takes after {'; after '.join(audits)}."])


def line(name: str, findings: Sequence[str], seconds: Sequence[str]) -> str:
    """One row in Markdown."""
    return f"| {' | '.join([name, *findings, *seconds])} |"


def times(record: Record, step: str) -> list[str]:
    """Wall and CPU seconds of a step over all turns."""
    return [spread([run["seconds"][step][kind] for run in record.runs]) for kind in (0, 1)]


def in_words(verdict: Verdict) -> list[str]:
    """What the attacker found, as cells of the table."""
    altered = f"{verdict.altered:,} of {verdict.totals:,}" if verdict.altered else "none"
    return [f"{number:,}" for number in (verdict.hidden_beyond, verdict.exact, verdict.narrow)] + [altered]


def surroundings(peers: Mapping[str, str]) -> str:
    """Describe the computer and the versions."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}, {cores} cores, load {os.getloadavg()[0]:.1f} at the start"
    versions = ", ".join([*(f"{name} {version(name)}" for name in PACKAGES), *(f"{one} {peers[one]}" for one in peers)])
    return f"{system}; Python {platform.python_version()}; {versions}"


def main() -> None:
    """Read the arguments, measure, and print a table for every table of counts."""
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns of each system (default: 3)")
    parser.add_argument("--large", action="store_true", help="150 authorities in 9 regions instead, without acro")
    parser.add_argument(
        "--data", type=Path, metavar="FOLDER", help="take board_12x10.csv and board_12x10x4.csv from here"
    )
    parser.add_argument("--run", nargs=3, help=argparse.SUPPRESS)  # how this file starts itself for one run
    given = parser.parse_args()
    if given.run:
        worker(given.run[0], Path(given.run[1]), Path(given.run[2]))
        return
    if given.repeat < 1:
        parser.error(f"--repeat must be 1 or more. Found: {given.repeat}.")
    with TemporaryDirectory(prefix="benchmark") as folder:
        python, peers = install_peers(Path(folder))
        missing = {peer: found for peer, found in peers.items() if found == "not installed"}
        names = LARGE if given.large else tuple(SYSTEMS)
        able = [name for name in names if SYSTEMS[name].peer not in missing]
        about = surroundings(peers)
        for table in tables(given.data, given.large):
            measured = measure(table, able, python, given.repeat)
            records = {name: measured.get(name, Record([])) for name in names}
            print(f"{report(table, records, missing)}\n", flush=True)
    print(f"Turns: {given.repeat}. Seconds are medians (smallest–largest).\n{about}")


if __name__ == "__main__":
    main()
