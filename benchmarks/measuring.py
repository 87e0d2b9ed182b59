"""What one run of one way took, ways that take turns, and the computer: shared by the benchmarks, and by `run`."""

from __future__ import annotations

import json
import os
import platform
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from tempfile import TemporaryDirectory

NOT_INSTALLED = "not installed"


@dataclass(frozen=True)
class Cost:
    """What one run took: seconds, seconds of all cores together, MiB."""

    wall: float
    processor: float
    memory: float


class PeerError(Exception):
    """A peer that does not go its way: the others go on without it."""


Way = Callable[[Path], Cost]
"""Goes one way once; writes its answer, as Parquet, to the path if it has one."""


def cost_of(call: Callable[[], object], calls: int = 1) -> Cost:
    """Seconds of one call of several in this process, and the most memory it ever held."""
    before, start = processor_seconds(), time.perf_counter()
    for _ in range(calls):
        call()
    wall, processor = time.perf_counter() - start, processor_seconds() - before
    return Cost(max(wall / calls, 1e-9), max(processor / calls, 1e-9), most_memory())


def processor_seconds() -> float:
    """User and system time of this process."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def most_memory() -> float:
    """The most resident memory this process had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux may be that of the process that started this one
        line = next(line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20


@dataclass
class Highest:
    """The most that something was while it was watched, such as the memory of many processes in MiB."""

    look: Callable[[], float]
    most: float = 0.0
    ended: threading.Event = field(default_factory=threading.Event)

    def watch(self) -> None:
        """Look twice a second until told to end, and once more then."""
        while not self.ended.wait(0.5):
            self.most = max(self.most, self.look())
        self.most = max(self.most, self.look())

    def __enter__(self) -> Highest:
        self.thread = threading.Thread(target=self.watch)
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.thread.join()


def tell(cost: Cost) -> None:
    """Print a cost for `started` to read."""
    print(json.dumps(asdict(cost)))


def started(python: str | Path, script: str | Path, *words: object) -> Cost:
    """Go one way in a fresh interpreter, and read its cost."""
    return Cost(**json.loads(run(python, script, *words).splitlines()[-1]))


def started_elsewhere(python: Path, script: Path, *words: object) -> Cost:
    """Go the way of a peer in its own environment; a `PeerError` if it fails."""
    done = subprocess.run([str(word) for word in (python, script, *words)], capture_output=True, text=True)
    if done.returncode:
        last = done.stderr.strip().splitlines()
        raise PeerError(last[-1] if last else f"it ended with exit code {done.returncode}")
    return Cost(**json.loads(done.stdout.splitlines()[-1]))


def run(*command: object) -> str:
    """Run a command to its end and give what it printed, or stop with its last words if it fails."""
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))}\nended with exit code {done.returncode}:\n{done.stderr[-2000:]}")
    return done.stdout


def in_turns(said: str, ways: Mapping[str, Way], repeat: int, answers: Path | None = None) -> dict[str, list[Cost]]:
    """Let the ways take turns, in an order that is turned round every time; answers are kept by number of the way.

    A way that raises a `PeerError` is given up, and has no costs.
    """
    costs: dict[str, list[Cost]] = {way: [] for way in ways}
    failed: set[str] = set()
    with TemporaryDirectory(prefix="benchmark") as place:
        for turn in range(repeat):
            for number, way in list(enumerate(ways))[:: -1 if turn % 2 else 1]:
                if way in failed:
                    continue
                print(f"turn {turn + 1} of {repeat}: {said}, {way}", file=sys.stderr, flush=True)
                try:
                    costs[way].append(ways[way]((answers or Path(place)) / f"{number}.parquet"))
                except PeerError as error:
                    print(f"{way} is given up: {error}", file=sys.stderr, flush=True)
                    failed.add(way)
    return costs | {way: [] for way in failed}


def compared(
    said: str, ways: Mapping[str, Way], repeat: int, truth: str, groups: Sequence[str]
) -> dict[str, list[Cost]]:
    """Let the ways take turns, and stop where an answer is not that of one of them, in the columns that it has."""
    import polars as pl
    from polars.testing import assert_frame_equal

    with TemporaryDirectory(prefix="benchmark") as place:
        costs = in_turns(said, ways, repeat, Path(place))
        paths = {way: Path(place) / f"{number}.parquet" for number, way in enumerate(ways)}
        answers = {way: pl.read_parquet(path).sort(groups) for way, path in paths.items() if path.exists()}
    for way, answer in answers.items():
        print(f"comparing {way} with {truth}", file=sys.stderr)
        assert_frame_equal(answer, answers[truth].select(answer.columns), rel_tol=1e-9)
    return costs


def installed(name: str) -> str:
    """Version of a package, or that there is none."""
    try:
        return version(name)
    except PackageNotFoundError:
        return NOT_INSTALLED


def surroundings(packages: Sequence[str], loads: Sequence[float] = ()) -> str:
    """Describe the computer and the versions; with the loads when it was begun, if not now."""
    cores = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count()
    load = " and ".join(f"{each:.1f}" for each in loads or [os.getloadavg()[0]])
    system = f"{platform.system()} {platform.machine()}, {cores} cores, load {load} at the start"
    versions = ", ".join(f"{name} {installed(name)}" for name in packages)
    return f"{system}; Python {platform.python_version()}; {versions}"
