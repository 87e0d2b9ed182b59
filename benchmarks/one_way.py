"""A statistic, or the start of a kernel, measured in an interpreter of its own, which `measures` starts."""

from __future__ import annotations

import resource
import sys
import time
from collections.abc import Callable
from functools import partial

import knowledge
import numpy as np
from measuring import Cost, cost_of, most_memory, tell
from scipy import stats

SCIPY_BOOTSTRAP, SCIPY_RANKS = "scipy.stats.bootstrap", "scipy.stats.wilcoxon"
READ_ONCE = "one pass over the numbers"
STATISTICS: dict[str, Callable[[knowledge.Numbers], object]] = {
    "bca_interval": partial(knowledge.our_interval, drawn=True),
    SCIPY_BOOTSTRAP: knowledge.their_interval,
    "wilcoxon": knowledge.our_ranks,
    SCIPY_RANKS: stats.wilcoxon,
    READ_ONCE: np.mean,
}


def worker(part: str, way: str, size: int) -> Cost:
    """Go one way once in this interpreter; the first call is not counted."""
    if part == "kernel":
        return kernel()
    if way == "random_effects":
        call: Callable[[], object] = partial(knowledge.our_mixed, *knowledge.gains_in_sessions(0, knowledge.ALIKE))
    else:
        call = partial(STATISTICS[way], knowledge.gains_of(size) - (4 if "wilcoxon" in way else 0))
    return cost_of(call, knowledge.calls_of(call))


def kernel() -> Cost:
    """An ordinary kernel, started and ended."""
    from jupyter_client.manager import start_new_kernel

    start = time.perf_counter()
    manager, client = start_new_kernel(kernel_name="python3")
    wall = time.perf_counter() - start
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    ended = resource.getrusage(resource.RUSAGE_CHILDREN)
    return Cost(wall, ended.ru_utime + ended.ru_stime, max(most_memory(), ended.ru_maxrss / 1024))


if __name__ == "__main__":
    tell(worker(sys.argv[1], sys.argv[2], int(sys.argv[3])))
