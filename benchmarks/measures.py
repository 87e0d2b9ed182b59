"""What `run` measures: each measure of ours at its sizes, beside its peers and what no program can do without."""

from __future__ import annotations

import argparse
import asyncio
import importlib.util
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import areas
import child_protection
import dashboards
import disclosure
import knowledge
import numpy as np
import priorities
import report
import training
from measuring import Cost, PeerError, Way, in_turns, started, started_elsewhere
from one_way import READ_ONCE, SCIPY_BOOTSTRAP, SCIPY_RANKS

from safeguarding_analytics.report import notebooks

HERE = Path(__file__).resolve().parent
PEERS = ("pandas", "statsmodels", "pref_voting", "votekit", "acro")
"""Packages looked for in the environment of the peers."""

SQL = "DuckDB, SQL by hand"
VOILA = "stock Voilà"
STOCK = "stock papermill + nbconvert"
MOST_FOR_PANDAS = 10_000_000
"""Rows above which pandas is not asked: their text would not fit into the memory of the computer."""

NO_PEER_PYTHON = "not measured: no --peer-python"


@dataclass(frozen=True)
class Setting:
    """How it is measured: turns, where data are kept, the environment of the peers, and where Chromium is."""

    repeat: int
    folder: Path
    peer_python: Path | None
    versions: Mapping[str, str]
    chromium: str | None

    def why_not(self, peer: str) -> str | None:
        """Why a peer of that environment cannot be measured; None if it can."""
        if self.peer_python is None:
            return NO_PEER_PYTHON
        return f"not measured: {peer} is not there" if self.versions[peer] == priorities.NOT_THERE else None


@dataclass(frozen=True)
class Measured:
    """One measure at one size: the costs of ours, of the peers (or why there are none), and of the floor."""

    measure: str
    size: int
    unit: str
    ours: list[Cost]
    peers: dict[str, list[Cost]]
    absent: dict[str, str]
    floor: str = ""
    floor_costs: tuple[Cost, ...] = ()


def read_measured(kept: Mapping[str, Any]) -> Measured:
    """A measure as it was kept in JSON."""
    peers = {peer: [Cost(**each) for each in costs] for peer, costs in kept["peers"].items()}
    ours, floor = ([Cost(**each) for each in kept[name]] for name in ("ours", "floor_costs"))
    return Measured(**{**kept, "ours": ours, "peers": peers, "floor_costs": tuple(floor)})


@dataclass(frozen=True)
class Measure:
    """A measure, the sizes it is measured at, and how."""

    said: str
    sizes: tuple[int, ...]
    run: Callable[[int, Setting], list[Measured]]


def put_together(
    measure: str,
    size: int,
    unit: str,
    costs: Mapping[str, list[Cost]],
    ours: str,
    peers: Mapping[str, str | None],
    floor: str = "",
) -> Measured:
    """Sort the costs of ways: ours, its peers (each with why it was not asked, if so), the floor."""
    there = {peer: costs[peer] for peer in peers if costs.get(peer)}
    absent = {peer: why or "it failed" for peer, why in peers.items() if peer not in there}
    return Measured(measure, size, unit, costs[ours], there, absent, floor, tuple(costs[floor]) if floor else ())


def by_way(names: Mapping[str, str], costs: Mapping[str, list[Cost]]) -> dict[str, list[Cost]]:
    """Costs by the names that the table has for the ways."""
    return {names.get(way, way): taken for way, taken in costs.items()}


# Measures of many rows, in Parquet files.


SCAN = "scan of the columns"
NAMES = {training.PEER: SQL, training.FLOOR: SCAN}
ASKED = ("ours, polars", "ours, DuckDB", training.PEER, training.FLOOR)


def reach(rows: int, setting: Setting) -> list[Measured]:
    """Training reach by agency."""
    folder = training.made(setting.folder, rows)
    why, more = pandas_way("training_reach", rows, folder, setting)
    costs = by_way(NAMES, training.measured("training_reach", folder, setting.repeat, ASKED, more))
    return on_both_engines("training_reach", rows, "bookings", costs, why)


def attended(rows: int, setting: Setting) -> list[Measured]:
    """Attendance by course and district."""
    folder = training.made(setting.folder, rows)
    costs = by_way(NAMES, training.measured("attendance", folder, setting.repeat, ASKED))
    return on_both_engines("attendance", rows, "bookings", costs, None)


def repeats(within: str, rows: int, setting: Setting) -> list[Measured]:
    """Second or subsequent plans by reporting year and authority, ever or within 24 months."""
    folder = child_protection.made(setting.folder, rows)
    ever = within == "ever"
    why, more = pandas_way("repeat_plan_rate", rows, folder, setting) if ever else (None, {})
    costs = by_way(NAMES, child_protection.measured(within, folder, setting.repeat, ASKED, more))
    return on_both_engines(f"repeat_plan_rate, {within}", rows, "plans", costs, why)


def pandas_way(way: str, rows: int, folder: Path, setting: Setting) -> tuple[str | None, dict[str, Way]]:
    """Why pandas is not asked, and the way where it is."""
    why = setting.why_not("pandas")
    if rows > MOST_FOR_PANDAS:
        why = f"not measured above {MOST_FOR_PANDAS:,} rows"
    return why, {} if why else {"pandas": partial(peer_way, setting, way, folder)}


def peer_way(setting: Setting, way: str, folder: Path, answer: Path) -> Cost:
    """A way of `peers.py`."""
    if setting.peer_python is None:
        raise PeerError(NO_PEER_PYTHON)
    return started_elsewhere(setting.peer_python, HERE / "peers.py", way, folder, answer)


def on_both_engines(
    measure: str, rows: int, unit: str, costs: Mapping[str, list[Cost]], why: str | None
) -> list[Measured]:
    """Ours on polars beside SQL and pandas, and ours on DuckDB beside SQL."""
    pandas = {"pandas": why} if why or "pandas" in costs else {}
    return [
        put_together(measure, rows, unit, costs, "ours, polars", {SQL: None} | pandas, SCAN),
        put_together(f"{measure}, on DuckDB", rows, unit, costs, "ours, DuckDB", {SQL: None}, SCAN),
    ]


# Statistics of answers before and after training.


def statistic(ours: str, peer: str, size: int, setting: Setting) -> list[Measured]:
    """A statistic of so many gains, against SciPy's, each in an interpreter of its own."""
    ways = {way: partial(itself, "statistic", way, size) for way in (ours, peer, READ_ONCE)}
    costs = in_turns(f"{size:,} gains", ways, setting.repeat)
    return [put_together(ours, size, "gains", costs, ours, {peer: None}, READ_ONCE)]


def sessions(size: int, setting: Setting) -> list[Measured]:
    """The mean gain where sessions differ, against statsmodels."""
    peer, why = "statsmodels mixedlm", setting.why_not("statsmodels")
    session, gain = knowledge.gains_in_sessions(0, knowledge.ALIKE)
    np.savez(setting.folder / "gains.npz", session=session, gain=gain)
    ways: dict[str, Way] = {way: partial(itself, "statistic", way, size) for way in ("random_effects", READ_ONCE)}
    if not why:
        ways[peer] = partial(peer_way, setting, "mixed", setting.folder)
    costs = in_turns("gains in sessions", ways, setting.repeat)
    return [put_together("random_effects", size, "gains", costs, "random_effects", {peer: why}, READ_ONCE)]


def itself(part: str, way: str, size: int, answer: Path) -> Cost:
    """Start `one_way.py` for one way; there is no answer to keep."""
    del answer
    return started(sys.executable, HERE / "one_way.py", part, way, size)


# Ballots, and small counts.


def votes(members: int, setting: Setting) -> list[Measured]:
    """The ranking of 15 issues by five rules with 2,000 resampled boards."""
    given, python = (priorities.SIZES[0][0], members), setting.peer_python
    absent = {peer: setting.why_not(peer) for peer in priorities.PEERS}
    ways = {"ours": partial(voted, Path(sys.executable), "ours", given)}
    ways |= {peer: partial(voted, python, peer, given) for peer, why in absent.items() if python and not why}
    costs = in_turns(f"{members:,} ballots", ways, setting.repeat)
    return [put_together("rank_priorities + compare_rules", members, "ballots", costs, "ours", absent)]


def voted(python: Path, way: str, given: tuple[int, int], answer: Path) -> Cost:
    """The call after the first, in an interpreter of its own."""
    del answer
    found = priorities.ask(python, "rules", way, *given, 1)
    if isinstance(found, str):
        raise PeerError(found)
    return Cost(*found[-1])


def hidden(cells: int, setting: Setting) -> list[Measured]:
    """Small counts hidden in a table of so many cells, margins included."""
    table = next(table for table in disclosure.tables(None, False) if len(table.cells()) == cells)
    ours, peer = "ours: greedy, symbol", f"acro: threshold {disclosure.THRESHOLD}"
    why, python = setting.why_not("acro"), setting.peer_python or Path(sys.executable)
    names = [ours] if why else [ours, peer]
    records = disclosure.measure(table, names, python, setting.repeat)
    costs = {name: [cost_in(run) for run in record.runs] for name, record in records.items() if not record.problem}
    return [put_together("suppress", cells, "cells", costs, ours, {peer: why})]


def cost_in(run: Mapping[str, Any]) -> Cost:
    """What `disclosure.py` kept of a run."""
    wall, processor = run["seconds"]["suppress"]
    return Cost(wall, processor, run["memory"])


# Notebooks and dashboards.

KERNEL = "one kernel started"


def pack(pages: int, setting: Setting) -> list[Measured]:
    """The board pack of the synthetic board."""
    ours = "safeguarding report --jobs 4"
    ways: dict[str, Callable[[Path, Path], None]] = {
        ours: lambda board, folder: report.ours(board, folder, 4),
        STOCK: report.peer,
    }
    costs = report.measure(ways, setting.repeat)
    costs[KERNEL] = [itself("kernel", "kernel", 1, setting.folder) for _ in range(setting.repeat)]
    return [put_together("board pack", pages, "notebooks", costs, ours, {STOCK: None}, KERNEL)]


def for_each_district(districts: int, setting: Setting) -> list[Measured]:
    """Reports of districts, audited as one system; in one turn, as they are many pages."""
    del setting
    larger = districts > areas.DISTRICTS
    costs, _ = areas.measured(districts // areas.DISTRICTS, 1, alone=larger)
    why = f"not measured above {areas.DISTRICTS} districts" if larger else None
    return [
        put_together(
            "report of each district",
            districts,
            "districts",
            by_way({areas.PEER: STOCK}, costs),
            areas.OURS_EACH,
            {STOCK: why},
        )
    ]


SITE = "published site"


def looked_at(viewers: int, setting: Setting) -> list[Measured]:
    """The overview of a dashboard, until the last of so many viewers has all charts; the servers start cold."""
    if importlib.util.find_spec("playwright") is None or not setting.chromium:
        print("dashboards are left out: they need playwright and Chromium", file=sys.stderr)
        return []
    folder = setting.folder / "dashboard"
    release, site = folder / "out" / "release", folder / "site"
    if not site.exists():
        folder.mkdir(exist_ok=True)
        dashboards.made(argparse.Namespace(release=None, site=None), folder)
    costs = asyncio.run(seen(viewers, setting, release, site))
    if not costs["ours"]:
        return []  # it was too slow, and has said so
    return [put_together("dashboard, cold", viewers, "viewers", costs, "ours", {VOILA: None}, SITE)]


async def seen(viewers: int, setting: Setting, release: Path, site: Path) -> dict[str, list[Cost]]:
    """Let viewers look at ours, stock Voilà and the published site in turn."""
    from playwright.async_api import async_playwright

    notebook = Path(shutil.copy(dashboards.NOTEBOOK, setting.folder))
    (ours, stock, *_), _ = dashboards.served_ways(site, notebook, viewers)
    ways = {"ours": ours, VOILA: stock, SITE: dashboards.site_way(site)}
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path=setting.chromium, args=["--no-sandbox", dashboards.BLOCKED]
        )
        charts = dashboards.count_charts(ours, release)
        visits = await dashboards.turns(
            browser, list(ways.values()), release, repeat=setting.repeat, viewers=viewers, charts=charts
        )
        await browser.close()
    return {
        name: [Cost(made.latest(way.last), made.processor, made.highest) for made in visits[way.name]]
        for name, way in ways.items()
    }


def sizes_to(largest: int) -> tuple[int, ...]:
    """Powers of ten, from 1e4 on."""
    return tuple(10**power for power in range(4, 9) if 10**power <= largest)


MEASURES = {
    "training_reach": Measure("people reached, by agency", sizes_to(100_000_000), reach),
    "attendance": Measure("who came of those booked, by course and district", sizes_to(10_000_000), attended),
    "repeat_plan_rate": Measure(
        "repeat plans ever, by year and authority", sizes_to(10_000_000), partial(repeats, "ever")
    ),
    "repeats_within": Measure(
        "repeat plans within 24 months", sizes_to(10_000_000), partial(repeats, "within 24 months")
    ),
    "interval": Measure(
        "an interval of a mean that allows for skew (BCa)",
        (1_200, 10_000, 100_000),
        partial(statistic, "bca_interval", SCIPY_BOOTSTRAP),
    ),
    "ranks": Measure(
        "Wilcoxon's signed-rank test", (1_200, 10_000, 100_000), partial(statistic, "wilcoxon", SCIPY_RANKS)
    ),
    "sessions": Measure("the mean gain where sessions differ (REML)", (knowledge.FEW,), sessions),
    "votes": Measure("15 issues by five rules, with 2,000 resampled boards", (40, 1_000), votes),
    "suppress": Measure("small counts hidden", (143, 715), hidden),
    "pack": Measure("a board's folder in, pages out", (len(notebooks()),), pack),
    "districts": Measure(
        "reports of districts, audited together", (areas.DISTRICTS, 13 * areas.DISTRICTS), for_each_district
    ),
    "dashboard": Measure("an overview in a browser", (1, 20), looked_at),
}


def plan(names: Sequence[str], largest: int) -> list[tuple[str, int]]:
    """What is measured, in order: the measures by name, each at its sizes up to the largest."""
    return [(name, size) for name in names for size in MEASURES[name].sizes if size <= largest]


def versions_of_peers(python: Path | None) -> dict[str, str]:
    """Versions of the peers in their environment."""
    if python is not None and subprocess.run([python, "-c", ""], capture_output=True, check=False).returncode:
        sys.exit(f"--peer-python: {python} is no Python that runs.")
    return priorities.versions_of(python, PEERS)
