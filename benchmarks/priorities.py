"""Times the counting of ballots by five rules, with resamples, and exact Kemeny orders, beside packages for voting."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from measuring import most_memory
from numpy.typing import NDArray

ABOUT = """\
Measure, on ballots from fixed seeds:

  rules    rank_priorities (Borda with 2,000 resampled boards) and compare_rules (Borda, Copeland, Schulze, ranked
           pairs, exact Kemeny) of the same ballots, against rules and resampled Borda counts of pref_voting and votekit
  kemeny   exact Kemeny orders with the number of optimal ones, 8 to 40 issues, against pref_voting

Every way starts in an interpreter of its own; imports before the first call are not counted. The first call is printed
apart. The peers are no dependencies of this package: --peer-python names an interpreter of an environment that has them
(pip install pref_voting votekit). A peer that is not there is named as absent. README.md beside this file says what is
and what is not compared."""

PACKAGES = ("safeguarding-analytics", "polars", "numpy", "scipy")
PEERS = ("pref_voting", "votekit")
NOT_THERE = "absent"
SEED = 20150925
RESAMPLES = 2_000
TIMED = 10
"""Resamples of a peer that are timed; the rest are taken to need as long."""
SIZES = ((15, 40), (15, 1_000), (25, 100), (40, 1_000))
AIM = "under 0.2 s at 15 x 40"
KEMENY_ISSUES = (8, 10, 12, 15, 20, 25, 30, 40)
KEMENY_MEMBERS = 40
KEMENY_AIMS = {15: "0.03", 20: "0.2", 30: "1", 40: "5"}
SEEDS = 10
PEER_ISSUES = (8,)
"""Numbers of issues of which pref_voting, which tries every order, finds Kemeny's in seconds."""

Ballots = NDArray[np.int64]
"""One row per member: its issues, most important first."""


@dataclass(frozen=True)
class Cost:
    """What one call took, in seconds: by the clock, and of all cores together."""

    wall: float
    processor: float


# The ballots.


def random_ballots(issues: int, members: int, seed: int) -> Ballots:
    """Every order as likely as every other ("impartial culture"): the hardest to count."""
    chance = np.random.default_rng([SEED, issues, members, seed])
    return np.array([chance.permutation(issues) for _ in range(members)])


def mallows_ballots(issues: int, members: int, seed: int, dispersion: float = 0.9) -> Ballots:
    """Orders scattered around one: each disagreement with it makes an order 0.9 times as likely (Mallows 1957)."""
    chance = np.random.default_rng([SEED, issues, members, seed])
    orders = []
    for _ in range(members):
        order: list[int] = []
        for issue in range(issues):
            weights = dispersion ** np.arange(issue, -1.0, -1.0)
            order.insert(int(chance.choice(issue + 1, p=weights / weights.sum())), issue)
        orders.append(order)
    return np.array(orders)


MODELS: dict[str, Callable[[int, int, int], Ballots]] = {"random": random_ballots, "Mallows 0.9": mallows_ballots}


# The ways: each measures itself in an interpreter of its own and gives what it found.


def cost(call: Callable[[], object]) -> Cost:
    """Seconds of one call."""
    processor, wall = time.process_time(), time.perf_counter()
    call()
    return Cost(time.perf_counter() - wall, time.process_time() - processor)


def our_rules(issues: int, members: int, repeat: int) -> list[Cost]:
    """The first call, and further ones: both tables of the same frame of ballots."""
    polars = import_module("polars")
    priorities = import_module("safeguarding_analytics.priorities")
    rules = import_module("safeguarding_analytics.rules")
    ballots = random_ballots(issues, members, 0)
    rows = {
        "member": np.repeat(np.arange(members), issues),
        "issue": [f"issue {issue:02d}" for issue in ballots.ravel()],
        "rank": np.tile(np.arange(1, issues + 1), members),
    }
    frame = polars.DataFrame(rows)

    def call() -> None:
        priorities.rank_priorities(frame, resamples=RESAMPLES)
        rules.compare_rules(frame)

    return [cost(call) for _ in range(repeat + 1)]


def peer_rules(issues: int, members: int, repeat: int, way: Callable[[Ballots], tuple[Any, Any]]) -> list[Cost]:
    """A peer's rules once and resampled Borda counts, after a call that is not counted, the resamples scaled up."""
    ballots = random_ballots(issues, members, 0)
    chance = np.random.default_rng(SEED)
    rules, borda = way(ballots)
    borda(ballots)
    rules(ballots)
    found = []
    for _ in range(repeat):
        once = cost(lambda: rules(ballots))
        draws = [ballots[chance.integers(0, members, members)] for _ in range(TIMED)]
        drawn = [cost(lambda draw=draw: borda(draw)) for draw in draws]  # type: ignore[misc]  # mypy has no type for it
        times = RESAMPLES / TIMED
        wall = once.wall + times * sum(one.wall for one in drawn)
        found.append(Cost(wall, once.processor + times * sum(one.processor for one in drawn)))
    return found


def pref_voting_way(ballots: Ballots) -> tuple[Any, Any]:
    """Copeland, Schulze and ranked pairs (equal margins by the first ballot) by winner; Borda scores."""
    profiles = import_module("pref_voting.profiles")
    by_margin = import_module("pref_voting.margin_based_methods")
    by_majority = import_module("pref_voting.c1_methods")

    def rules(given: Ballots) -> object:
        profile = profiles.Profile(given.tolist())
        ways = (by_majority.copeland, by_margin.beat_path, by_margin.ranked_pairs_zt)
        return profile.borda_scores(), [way(profile) for way in ways]

    return rules, lambda given: profiles.Profile(given.tolist()).borda_scores()


def votekit_way(ballots: Ballots) -> tuple[Any, Any]:
    """Schulze and ranked pairs (equal margins by name) by order; Borda scores; there is no Copeland."""
    votekit = import_module("votekit")
    elections, utils = import_module("votekit.elections"), import_module("votekit.utils")
    names = [f"issue {issue:02d}" for issue in range(ballots.shape[1])]

    def profile(given: Ballots) -> object:
        orders = [[{names[issue]} for issue in order] for order in given.tolist()]
        return votekit.RankProfile(ballots=[votekit.RankBallot(ranking=order) for order in orders], candidates=names)

    def rules(given: Ballots) -> object:
        asked = profile(given)
        return utils.borda_scores(asked), elections.Schulze(asked), elections.RankedPairs(asked)

    return rules, lambda given: utils.borda_scores(profile(given))


PEER_WAYS = {"pref_voting": pref_voting_way, "votekit": votekit_way}


def our_kemeny(model: str, issues: int) -> list[tuple[Cost, int | None]]:
    """Seconds, and how many optimal orders there are, for several elections; SciPy is imported before."""
    wins_of, order_of = our_parts()
    import_module("scipy.optimize")
    order_of(wins_of(random_ballots(13, 5, 0)))
    found = []
    for seed in range(SEEDS):
        ballots = MODELS[model](issues, KEMENY_MEMBERS, seed)
        orders: list[Any] = []
        taken = cost(lambda given=ballots, kept=orders: kept.append(order_of(wins_of(given))))  # type: ignore[misc]
        found.append((taken, orders[0].n_optimal))
    return found


def our_parts() -> tuple[Callable[[Ballots], Any], Callable[[Any], Any]]:
    """From ballots to counts of pairs, and from there to Kemeny orders."""
    pairwise = import_module("safeguarding_analytics.pairwise")
    kemeny_orders = import_module("safeguarding_analytics.kemeny_orders")

    def wins_of(ballots: Ballots) -> Any:
        places = ballots.argsort(axis=1).astype(np.float64)
        issues = tuple(map(str, range(places.shape[1])))
        return pairwise.pair_wins(pairwise.Votes(issues, places, np.arange(len(places))), "share")

    return wins_of, kemeny_orders.kemeny_order


def peer_kemeny(model: str, issues: int) -> list[tuple[Cost, int | None]]:
    """The same by pref_voting, of the first election."""
    profiles, methods = import_module("pref_voting.profiles"), import_module("pref_voting.other_methods")
    profile = profiles.Profile(MODELS[model](issues, KEMENY_MEMBERS, 0).tolist())
    orders: list[Any] = []
    taken = cost(lambda: orders.append(methods.kemeny_young_rankings(profile)))
    return [(taken, len(orders[0][0]))]


def worker(part: str, way: str, given: Sequence[str]) -> object:
    """What one way finds, in the interpreter that this file was started in."""
    if part == "kemeny":
        find = our_kemeny if way == "ours" else peer_kemeny
        return [[one.wall, one.processor, number] for one, number in find(given[0], int(given[1]))]
    issues, members, repeat = map(int, given)
    costs = our_rules(issues, members, repeat) if way == "ours" else peer_rules(issues, members, repeat, PEER_WAYS[way])
    return [[one.wall, one.processor, most_memory()] for one in costs]


# The measuring.


def ask(python: Path, part: str, way: str, *given: object) -> Any:
    """Start this file for one way; what it found, or what went wrong with a peer."""
    with TemporaryDirectory(prefix="benchmark") as folder:
        answer = Path(folder) / "answer.json"
        command = [str(word) for word in (python, __file__, "--run", answer, part, way, *given)]
        print(f"{part}: {way} {' '.join(command[6:])}", file=sys.stderr)
        done = subprocess.run(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, cwd=folder)
        if not done.returncode:
            return json.loads(answer.read_text(encoding="utf-8"))
    if way == "ours":
        sys.exit(f"{part} failed:\n{done.stderr[-2000:]}")
    return f"failed: {done.stderr.strip().splitlines()[-1]}"


def versions_of(python: Path | None, peers: Sequence[str] = PEERS) -> dict[str, str]:
    """Versions of the peers in an environment."""
    found = {}
    for peer in peers:
        if python is None:
            found[peer] = NOT_THERE
            continue
        asked = f"from importlib.metadata import version; print(version({peer!r}))"
        done = subprocess.run([python, "-c", asked], capture_output=True, text=True)
        found[peer] = NOT_THERE if done.returncode else done.stdout.strip()
    return found


def short(seconds: float) -> str:
    """Two figures that count, whole from ten on.

    Examples
    --------
    >>> short(0.0123), short(9.04), short(51.6), short(0.0000404)
    ('0.012', '9.0', '52', '0.00004')
    """
    if seconds >= 10:
        return f"{seconds:,.0f}"
    return f"{seconds:.1f}" if seconds >= 1 else f"{Decimal(f'{seconds:.2g}'):f}"


def spread(numbers: Sequence[float]) -> str:
    """Say the median, and the smallest and largest if there are several.

    Examples
    --------
    >>> spread([9.0]), spread([0.9, 0.5, 12.5])
    ('9.0', '0.9 (0.5–12)')
    """
    most = f" ({short(min(numbers))}–{short(max(numbers))})" if len(numbers) > 1 else ""
    return f"{short(median(numbers))}{most}"


def report_rules(python: Path | None, peers: Mapping[str, str], repeat: int) -> None:
    """Print a table per size of board."""
    for issues, members in SIZES:
        print(f"\n### {issues} issues x {members:,} members, five rules and {RESAMPLES:,} resamples\n")
        print("| way | first call | wall seconds | CPU seconds | takes, CPU |\n|---|--:|--:|--:|--:|")
        ours = ask(Path(sys.executable), "rules", "ours", issues, members, repeat)
        base = median([float(one[1]) for one in ours[1:]])
        for way in ("ours", *PEERS):
            if way != "ours" and (python is None or peers[way] == NOT_THERE):
                print(f"| {way} | {NOT_THERE} | | | |")
                continue
            found = ours if way == "ours" else ask(python or Path(), "rules", way, issues, members, min(repeat, 3))
            if isinstance(found, str):
                print(f"| {way} | {found} | | | |")
                continue
            later = found[1:] if way == "ours" else found
            first = f"{short(found[0][0])} (CPU {short(found[0][1])})" if way == "ours" else "not counted"
            walls, processors = ([one[kind] for one in later] for kind in (0, 1))
            multiple = f"{short(median(processors) / base)} ×"
            print(f"| {way} | {first} | {spread(walls)} | {spread(processors)} | {multiple} |", flush=True)


def report_kemeny(python: Path | None, peers: Mapping[str, str], repeat: int) -> None:
    """Print a table of exact Kemeny orders."""
    del repeat  # the elections are the turns
    print(f"\n### Exact Kemeny orders, {KEMENY_MEMBERS} members, {SEEDS} elections each\n")
    print("| ballots | issues | wall seconds | CPU seconds | optimal orders | aim, seconds | pref_voting, wall |")
    print("|---|--:|--:|--:|--:|--:|--:|")
    for model in MODELS:
        for issues in KEMENY_ISSUES:
            found = ask(Path(sys.executable), "kemeny", "ours", model, issues)
            numbers = [one[2] for one in found]
            counted = [number for number in numbers if number is not None]
            orders = f"{min(counted):,}–{max(counted):,}" if counted else ""
            missed = f", {len(numbers) - len(counted)} not counted" if len(counted) < len(numbers) else ""
            walls, processors = (spread([float(one[kind]) for one in found]) for kind in (0, 1))
            peer = "–"
            if issues in PEER_ISSUES:
                there = python is not None and peers["pref_voting"] != NOT_THERE
                theirs = ask(python or Path(), "kemeny", "pref_voting", model, issues) if there else NOT_THERE
                peer = theirs if isinstance(theirs, str) else same(theirs[0], numbers[0])
            aim = KEMENY_AIMS.get(issues, "–")
            print(f"| {model} | {issues} | {walls} | {processors} | {orders}{missed} | {aim} | {peer} |", flush=True)


def same(theirs: Sequence[Any], ours: int | None) -> str:
    """Seconds of the peer, whose number of optimal orders must be ours."""
    if theirs[2] != ours:
        sys.exit(f"the numbers of optimal orders differ: {ours} and {theirs[2]}")
    return short(theirs[0])


def installed(name: str) -> str:
    """Version of a package, or that there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return NOT_THERE


def surroundings(peers: Mapping[str, str]) -> str:
    """Describe the computer and the versions."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    versions = [f"{name} {installed(name)}" for name in PACKAGES] + [f"{name} {found}" for name, found in peers.items()]
    system = f"{platform.system()} {platform.machine()}, {cores} cores"
    return f"{system}; Python {platform.python_version()}; {', '.join(versions)}"


def main() -> None:
    """Read the arguments, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--repeat", type=int, default=7, metavar="N", help="calls after the first (default: 7; peers 3)"
    )
    parser.add_argument("--peer-python", type=Path, metavar="PATH", help="an interpreter that has the peers")
    parts = {"rules": report_rules, "kemeny": report_kemeny}
    parser.add_argument("--only", choices=list(parts), help="one of the parts (default: both)")
    parser.add_argument("--run", nargs="+", help=argparse.SUPPRESS)  # how this file starts itself for one way
    given = parser.parse_args()
    if given.run:
        answer, part, way, *rest = given.run
        Path(answer).write_text(json.dumps(worker(part, way, rest)), encoding="utf-8")
        return
    if given.repeat < 1:
        parser.error(f"--repeat must be 1 or more. Found: {given.repeat}.")
    peers = versions_of(given.peer_python)
    before = os.getloadavg()[0]
    print(f"Medians (smallest–largest), seconds of one call. The aim of the rules: {AIM} after the first call.")
    for name in [given.only] if given.only else parts:
        parts[name](given.peer_python, peers, given.repeat)
    print(f"\n{surroundings(peers)}; load {before:.1f} at the start, {os.getloadavg()[0]:.1f} at the end")


if __name__ == "__main__":
    main()
