"""Times the evaluation of answers before and after training, and its methods against SciPy and statsmodels."""

from __future__ import annotations

import argparse
import os
import platform
import sys
import time
import warnings
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from statistics import median
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray
from scipy import stats

from safeguarding_analytics.clustered import random_effects
from safeguarding_analytics.evaluation import evaluate
from safeguarding_analytics.exact_tests import Wilcoxon, wilcoxon
from safeguarding_analytics.knowledge import knowledge_gain
from safeguarding_analytics.nonresponse import gain_under_assumptions
from safeguarding_analytics.questions import item_changes
from safeguarding_analytics.resampling import abc_interval, bca_interval
from safeguarding_analytics.sizes import change_tests, effect_sizes
from safeguarding_analytics.two_waves import two_wave_change

ABOUT = """\
Measure, each on data from a fixed seed and in one process:

  evaluation   the whole evaluation of questionnaires answered before and after, 24 sessions, one or ten questions
  interval     an interval of the mean gain that allows for skew, against scipy.stats.bootstrap (BCa)
  mixed        the mean gain where sessions differ (REML), against mixedlm of statsmodels, and how often each fails
  ranks        Wilcoxon's signed-rank test, against scipy.stats.wilcoxon; the two-wave maximum likelihood, alone

The ways take turns, in an order that is turned round every time; a multiple is that of two measurements of one turn.
Imports and the first call of each way are not counted. A short call is repeated until the calls take a fifth of a
second together. statsmodels is no dependency of this package: without it its lines are left out. README.md beside this
file says what is and what is not compared."""

PACKAGES = ("safeguarding-analytics", "polars", "numpy", "scipy")
PEER = "statsmodels"
NO_PEER = "statsmodels is not installed: pip install statsmodels in a separate environment. Its lines are left out."
SEED = 20110510
SESSIONS, MOST_POINTS, QUESTIONS = 24, 20, 10
FEW = 1_200
AIMS = {FEW: 50, 100_000: 300}
"""Milliseconds a whole evaluation may take, by how many people it is of."""
RESAMPLES = 10_000
AT_ONCE = 4_000_000
"""Numbers that scipy's bootstrap may draw at a time (32 MB)."""
DATA_SETS, ALIKE = 60, 0.05
"""Data sets without a difference between sessions; the intraclass correlation of the one that is timed."""
LONG_ENOUGH = 0.2
RIGHT, NO_VERSION = "as it must be", "not installed"

Numbers = NDArray[np.float64]
Interval = tuple[float, float]
Way = Callable[[], object]


@dataclass(frozen=True)
class Cost:
    """What one call took, in milliseconds: by the clock, and of all cores together."""

    wall: float
    processor: float


# The data.


def answers_of(people: int, questions: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Answers before and after, up to 20 points in one question or one in each of ten; one in ten answered once."""
    chance = np.random.default_rng(SEED)
    session = np.arange(people) % SESSIONS
    knows, taught = chance.normal(0, 1, people), chance.normal(1, 0.2, SESSIONS)
    difficulty = chance.normal(0, 0.7, questions)
    most = MOST_POINTS if questions == 1 else 1
    fate = chance.random(people)
    answered = {"pre": fate < 0.96, "post": fate > 0.06}
    waves = []
    for wave, came in answered.items():
        level = knows + (taught[session] if wave == "post" else 0) - 0.3
        points = chance.binomial(most, 1 / (1 + np.exp(difficulty - level[:, None]))).astype(float)
        person = np.flatnonzero(came)
        waves.append(
            pl.DataFrame(
                {
                    "session": np.repeat(session[person], questions),
                    "person": np.repeat(person, questions),
                    "item": np.tile(np.arange(questions), len(person)),
                    "score": points[person].ravel(),
                }
            ).with_columns(wave=pl.lit(wave))
        )
    scores = pl.concat(waves).select(
        pl.format("S{}", pl.col("session").cast(pl.String).str.zfill(2)).alias("session"),
        pl.format("P{}", pl.col("person").cast(pl.String).str.zfill(6)).alias("person"),
        "wave",
        pl.format("Q{}", "item").alias("item"),
        "score",
    )
    items = pl.DataFrame({"item": [f"Q{number}" for number in range(questions)], "kind": "choice"}).with_columns(
        text=pl.format("Question {}", "item"), minimum=0, maximum=most, reversed=False
    )
    return scores, items


def gains_of(people: int) -> Numbers:
    """Whole gains from −20 to 20 points, more small ones than large ones, lopsided."""
    chance = np.random.default_rng(SEED + people)
    return (chance.gamma(4, 2.2, people) - 5).round().clip(-MOST_POINTS, MOST_POINTS)


def gains_in_sessions(data_set: int, alike: float) -> tuple[NDArray[np.int64], Numbers]:
    """The session and the gain of 24 × 50 people, standard deviation 4, whole points; sessions differ or do not."""
    chance = np.random.default_rng([SEED, data_set])
    session = np.repeat(np.arange(SESSIONS), FEW // SESSIONS)
    effect = chance.normal(0, 4 * alike**0.5, SESSIONS)[session]
    return session, (3 + effect + chance.normal(0, 4 * (1 - alike) ** 0.5, FEW)).round()


def two_answers_of(people: int) -> tuple[Numbers, Numbers, Numbers]:
    """Points of both answers, and of those who gave one: one in twelve before, one in twelve after."""
    chance = np.random.default_rng(SEED)
    both = chance.multivariate_normal([9, 12], [[9, 5], [5, 8]], people).round().clip(0, MOST_POINTS)
    single = people // 12
    return both[2 * single :], both[:single, 0], both[single : 2 * single, 1]


# The ways.


def one_after_another(scores: pl.DataFrame, items: pl.DataFrame) -> None:
    """The parts of an evaluation by a call each, which opens and adds up the answers every time."""
    for part in (knowledge_gain, effect_sizes, change_tests, gain_under_assumptions):
        part(scores, items)


def counted(gains: Numbers) -> tuple[list[float], list[int]]:
    """The gains there are, and how many people have each."""
    values, counts = np.unique(gains, return_counts=True)
    return values.tolist(), counts.tolist()


def their_interval(gains: Numbers) -> Interval:
    """The interval of the mean by scipy's bootstrap, as many resamples at a time as fit in 32 MB."""
    found = stats.bootstrap(
        (gains,),
        np.mean,
        n_resamples=RESAMPLES,
        batch=max(1, AT_ONCE // len(gains)),
        method="BCa",
        rng=np.random.default_rng(SEED),
    ).confidence_interval
    return float(found.low), float(found.high)


def our_interval(gains: Numbers, *, drawn: bool) -> Interval:
    """The interval of the mean by counts, the counting included."""
    values, counts = counted(gains)
    found = bca_interval(values, counts, resamples=RESAMPLES, seed=SEED) if drawn else abc_interval(values, counts)
    return found or (np.nan, np.nan)


def our_ranks(gains: Numbers) -> Wilcoxon | None:
    """The signed-rank test by counts, the counting included."""
    return wilcoxon(*counted(gains))


def our_mixed(session: NDArray[np.int64], gains: Numbers) -> tuple[float, float] | None:
    """Mean and its standard error, the adding up included."""
    found = random_effects(np.bincount(session, gains).tolist(), np.bincount(session).tolist(), float(gains @ gains))
    return None if found is None else (found.mean, found.standard_error)


def their_mixed(session: NDArray[np.int64], gains: Numbers) -> Any:
    """The fit of statsmodels; its warnings are kept quiet, and looked for in the fit."""
    frame = import_module("pandas").DataFrame({"session": session, "gain": gains})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return import_module("statsmodels.formula.api").mixedlm("gain ~ 1", frame, groups="session").fit(reml=True)


# The measuring.


def measured(ways: Mapping[str, Way], repeat: int) -> dict[str, list[Cost]]:
    """Let the ways take turns, after a first call of each that is not counted."""
    calls = {name: calls_of(way) for name, way in ways.items()}
    costs: dict[str, list[Cost]] = {name: [] for name in ways}
    for turn in range(repeat):
        for name in list(ways)[:: -1 if turn % 2 else 1]:
            print(f"turn {turn + 1} of {repeat}: {name}, {calls[name]} calls", file=sys.stderr)
            costs[name].append(cost(ways[name], calls[name]))
    return costs


def calls_of(way: Way) -> int:
    """How many calls take long enough to be measured."""
    first = cost(way, 1).processor
    if first > 1000 * LONG_ENOUGH:
        return 1
    return max(1, min(10_000, round(1000 * LONG_ENOUGH / cost(way, 1).processor)))


def cost(way: Way, calls: int) -> Cost:
    """Milliseconds of one call of several."""
    processor, wall = time.process_time(), time.perf_counter()
    for _ in range(calls):
        way()
    taken = (time.perf_counter() - wall, time.process_time() - processor)
    return Cost(*(max(1000 * seconds / calls, 1e-6) for seconds in taken))


def spread(numbers: Sequence[float]) -> str:
    """Say the median, and the smallest and largest if there are several.

    Examples
    --------
    >>> spread([9.0]), spread([1234.0, 0.5, 12.5])
    ('9', '12 (0.5–1,234)')
    """
    most = f" ({short(min(numbers))}–{short(max(numbers))})" if len(numbers) > 1 else ""
    return f"{short(median(numbers))}{most}"


def short(number: float) -> str:
    """Two figures that count, whole from ten on.

    Examples
    --------
    >>> short(0.0123), short(9.04), short(51234.6)
    ('0.012', '9', '51,235')
    """
    return f"{number:,.0f}" if number >= 10 else f"{number:.2g}"


def table(costs: Mapping[str, list[Cost]], last: str = "", cells: Mapping[str, str] | None = None) -> str:
    """One line per way, in Markdown, with a last column of its own if there is one."""
    lines = [
        "| way | wall, ms | CPU, ms |" + (f" {last} |" if last else ""),
        "|---|--:|--:|" + ("--:|" if last else ""),
    ]
    for name, taken in costs.items():
        wall, processor = (spread([getattr(one, kind) for one in taken]) for kind in ("wall", "processor"))
        lines.append(f"| {name} | {wall} | {processor} |" + (f" {(cells or {}).get(name, '–')} |" if last else ""))
    return "\n".join(lines)


def against(peer: str, costs: Mapping[str, list[Cost]]) -> str:
    """The table with the peer's CPU time as a multiple of each way's, turn by turn."""
    multiples = {peer: "1 ×"}
    for name, taken in costs.items():
        if name != peer:
            pairs = zip(costs[peer], taken, strict=True)
            multiples[name] = f"{spread([theirs.processor / ours.processor for theirs, ours in pairs])} ×"
    return table(costs, "peer takes, CPU", multiples)


# The parts.


def report_evaluation(people: int, repeat: int) -> None:
    """Measure whole evaluations."""
    for number in dict.fromkeys((FEW, people)):
        for questions in (1, QUESTIONS):
            scores, items = answers_of(number, questions)
            ways: dict[str, Way] = {
                "evaluate: all at once": partial(evaluate, scores, items),
                "four functions, one after another": partial(one_after_another, scores, items),
            }
            if questions > 1:
                ways["item_changes: question by question"] = partial(item_changes, scores, items)
            costs = measured(ways, repeat)
            print(f"\n{number:,} people, {questions} question{'s' * (questions > 1)}: {scores.height:,} answers\n")
            print(table(costs, "aim, ms", {next(iter(ways)): str(AIMS.get(number, "–"))}), flush=True)


def report_interval(people: int, repeat: int) -> None:
    """Measure intervals that allow for skew, and say how far apart they are."""
    peer = f"scipy.stats.bootstrap, {RESAMPLES:,} resamples"
    for number in dict.fromkeys((50, FEW, people)):
        gains = gains_of(number)
        ways = {
            "abc_interval": partial(our_interval, gains, drawn=False),
            "bca_interval": partial(our_interval, gains, drawn=True),
            peer: partial(their_interval, gains),
        }
        found: dict[str, Interval] = {}
        costs = measured({name: partial(keep, found, name, way) for name, way in ways.items()}, repeat)
        print(f"\n{number:,} gains, {len(counted(gains)[0])} different\n\n{against(peer, costs)}\n")
        error = float(gains.std() / len(gains) ** 0.5)
        for name in list(ways)[:-1]:
            apart = max(abs(one - other) for one, other in zip(found[name], found[peer], strict=True)) / error
            print(f"{name}: no end is further than {apart:.3f} standard errors from scipy's.", flush=True)


def keep(found: dict[str, Interval], name: str, way: Callable[[], Interval]) -> None:
    """Go a way and keep what it finds: the peer takes too long to ask again."""
    found[name] = way()


def report_mixed(repeat: int) -> None:
    """Measure the fit of one data set, and count failures with a small difference between sessions and without."""
    data = gains_in_sessions(0, ALIKE)
    ways: dict[str, Way] = {"random_effects": partial(our_mixed, *data)}
    outcomes: dict[str, Callable[[NDArray[np.int64], Numbers], str]] = {"random_effects": our_outcome}
    peer = f"{PEER}: mixedlm"
    if installed(PEER) != NO_VERSION:
        ways[peer], outcomes[peer] = partial(their_mixed, *data), their_outcome
    costs = measured(ways, repeat)
    print(f"\n{SESSIONS} sessions of {FEW // SESSIONS}, intraclass correlation {ALIKE}\n")
    print(against(peer, costs) if peer in ways else f"{table(costs)}\n\n{NO_PEER}", flush=True)
    for alike, words in ((ALIKE, f"intraclass correlation {ALIKE}"), (0.0, "no difference between sessions")):
        print(f"\nOf {DATA_SETS} data sets of that size, {words}:\n")
        sets = [gains_in_sessions(number, alike) for number in range(1, DATA_SETS + 1)]
        for name, outcome in outcomes.items():
            each = Counter(outcome(*one) for one in sets).most_common()
            print(f"- {name}: {', '.join(f'{word} {count}' for word, count in each)}", flush=True)


def our_outcome(session: NDArray[np.int64], gains: Numbers) -> str:
    """Whether ours gives the numbers."""
    return RIGHT if is_right(our_mixed(session, gains), gains) else "none, or wrong"


def their_outcome(session: NDArray[np.int64], gains: Numbers) -> str:
    """Whether statsmodels gives the numbers, or what else it does."""
    try:
        fit = their_mixed(session, gains)
    except (np.linalg.LinAlgError, ValueError) as problem:
        return type(problem).__name__
    if not fit.converged:
        return "not converged (it says so)"
    found = (float(fit.params["Intercept"]), float(fit.bse["Intercept"]))
    return RIGHT if is_right(found, gains) else "wrong mean, said to be converged"


def is_right(found: tuple[float, float] | None, gains: Numbers) -> bool:
    """The mean, of sessions of one size, is that of all gains; its standard error is a number above zero."""
    return found is not None and bool(abs(found[0] - gains.mean()) < 1e-6 and 0 < found[1] < np.inf)


def report_ranks(people: int, repeat: int) -> None:
    """Measure the signed-rank test and the two-wave likelihood."""
    peer = "scipy.stats.wilcoxon"
    for number in dict.fromkeys((FEW, people)):
        gains = gains_of(number) - 4
        mine, theirs = our_ranks(gains), stats.wilcoxon(gains)
        if mine is None or abs(mine.p_value - float(theirs.pvalue)) > 1e-9:
            sys.exit(f"the p-values of {number:,} gains differ: {mine} and {theirs}")
        costs = measured({"wilcoxon": partial(our_ranks, gains), peer: partial(stats.wilcoxon, gains)}, repeat)
        print(f"\n{number:,} gains, the same p-value\n\n{against(peer, costs)}")
        waves = measured({"two_wave_change": partial(two_wave_change, *two_answers_of(number))}, repeat)
        print(f"\nTwo waves of {number:,} people, of whom one in six answered once\n\n{table(waves)}", flush=True)


def installed(name: str) -> str:
    """Version of a package, or that there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return NO_VERSION


def surroundings() -> str:
    """Describe the computer and the versions."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    system = f"{platform.system()} {platform.machine()}, {cores} cores, load {os.getloadavg()[0]:.1f} at the start"
    versions = ", ".join(f"{name} {installed(name)}" for name in (*PACKAGES, PEER))
    return f"{system}; Python {platform.python_version()}; {versions}"


def main() -> None:
    """Read the arguments, measure, and print the tables."""
    parser = argparse.ArgumentParser(description=ABOUT, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeat", type=int, default=3, metavar="N", help="turns of each way, 1 or more (default: 3)")
    parser.add_argument("--people", type=float, default=1e5, metavar="N", help="of the large lines (default: 1e5)")
    parts: dict[str, Callable[[int, int], None]] = {
        "evaluation": report_evaluation,
        "interval": report_interval,
        "mixed": lambda people, repeat: report_mixed(repeat),
        "ranks": report_ranks,
    }
    parser.add_argument("--only", choices=list(parts), help="one of the parts (default: all)")
    given = parser.parse_args()
    if given.repeat < 1:
        parser.error(f"--repeat must be 1 or more. Found: {given.repeat}.")
    if not 100 <= given.people <= 1e6:
        parser.error(f"--people must lie between 100 and 1e6. Found: {given.people:g}.")
    about = surroundings()
    print(f"Turns: {given.repeat}. Medians (smallest–largest), milliseconds of one call.")
    for name in [given.only] if given.only else parts:
        print(f"\n## {name}", flush=True)
        parts[name](int(given.people), given.repeat)
    print(f"\n{about}")


if __name__ == "__main__":
    main()
