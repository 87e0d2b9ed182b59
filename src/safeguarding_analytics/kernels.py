"""Runs notebooks side by side, each in a kernel of its own, and draws the charts that they show."""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from safeguarding_analytics.chart_figures import pictures_later, with_pictures
from safeguarding_analytics.errors import say_system_error
from safeguarding_analytics.temporary_folders import temporary_folder
from safeguarding_analytics.warm_kernels import kernel_name

TIMEOUT = 600
"""Seconds a cell may take."""

LONGEST_SOCKET = 103
"""Characters that the path of a socket may have on every system; behind a longer one there are ports of this computer,
which only take messages signed with the kernel's own key."""

OURS = ("SafeguardingError", "TableError", "ParameterError", "DisclosureError")
"""Errors whose messages are our own words and hold no personal data."""

ASLEEP = 0.2
"""Seconds after which it is looked whether the run was stopped: once Polars is imported, Ctrl-C breaks off no wait."""

Progress = Callable[[int, int], None]
"""Called with the number of cells done and the number of all cells."""

HTML = "text/html"


@dataclass(frozen=True)
class Task:
    """A notebook to run, and the values of its parameters; None where it has none."""

    notebook: Path
    parameters: Mapping[str, Any] | None

    @property
    def cells(self) -> int:
        """How many cells have code."""
        cells = json.loads(self.notebook.read_text(encoding="utf-8"))["cells"]
        return sum(cell["cell_type"] == "code" for cell in cells)


@dataclass(frozen=True)
class Outcome:
    """The executed notebook, or a sentence that says why there is none."""

    executed: Any = None
    why_not: str = ""


class _Pictures:
    """Draws the charts that a notebook showed while its next cells run."""

    def __init__(self, pool: ThreadPoolExecutor) -> None:
        self.pool = pool
        self.drawn: dict[str, Future[str]] = {}

    def begin(self, cell: Any) -> None:
        """Have the charts drawn that a cell showed."""
        for output in _outputs_with_html([cell]):
            self._drawing(output.data[HTML])

    def end(self, executed: Any) -> None:
        """Put them into the executed notebook."""
        for output in _outputs_with_html(executed.cells):
            output.data[HTML] = self._drawing(output.data[HTML]).result()

    def _drawing(self, html: str) -> Future[str]:
        if html not in self.drawn:
            self.drawn[html] = self.pool.submit(with_pictures, html)
        return self.drawn[html]


def _outputs_with_html(cells: Iterable[Any]) -> list[Any]:
    return [output for cell in cells for output in cell.get("outputs", ()) if HTML in output.get("data", ())]


def run_notebooks(
    tasks: Mapping[str, Task], *, jobs: int, progress: Progress, beside: Callable[[], object]
) -> dict[str, Outcome]:
    """Run notebooks, so many at once; what became of each, in the order of the tasks.

    ``beside`` is done meanwhile, and so are the pictures of charts that were shown.
    """
    logging.getLogger("papermill").setLevel(logging.ERROR)  # its log would print cell outputs
    cells = sum(task.cells for task in tasks.values())
    done = 0

    def tick() -> None:
        nonlocal done
        done += 1
        progress(min(done, cells), cells)

    progress(0, cells)
    outcomes: dict[str, Outcome] = {}
    kernel = kernel_name()
    pool, aside = ThreadPoolExecutor(max_workers=max(1, jobs)), ThreadPoolExecutor(1)
    aside.submit(beside)  # what it works out is kept by itself; who asks for it later gets its error, too
    # One folder for all sockets, held here: when a run is stopped, only this thread still clears up.
    with temporary_folder() as sockets, pictures_later():
        try:
            running = {
                pool.submit(
                    _execute,
                    task,
                    kernel,
                    tick,
                    _Pictures(aside),
                    _private_channel(f"{sockets}/{number}"),
                ): name
                for number, (name, task) in enumerate(tasks.items())
            }
            left = set(running)
            while left:
                finished, left = wait(left, timeout=ASLEEP, return_when=FIRST_COMPLETED)
                outcomes.update({running[each]: each.result() for each in finished})
        except BaseException:
            for each in (pool, aside):
                each.shutdown(wait=False, cancel_futures=True)
            raise
        pool.shutdown()
        aside.shutdown()
    progress(cells, cells)
    return {name: outcomes[name] for name in tasks}


def _execute(task: Task, kernel: str, tick: Callable[[], None], pictures: _Pictures, channel: Any) -> Outcome:
    import papermill
    from jupyter_client.kernelspec import NoSuchKernel
    from jupyter_core.utils import ensure_event_loop
    from nbclient.exceptions import CellTimeoutError, DeadKernelError
    from papermill.exceptions import PapermillExecutionError
    from zmq import ZMQError

    def ran(cell: Any, **_: object) -> None:
        tick()
        pictures.begin(cell)

    try:
        with contextlib.closing(ensure_event_loop()):
            executed = papermill.execute_notebook(
                str(task.notebook),
                None,
                parameters=None if task.parameters is None else dict(task.parameters),
                progress_bar=False,
                kernel_name=kernel,
                execution_timeout=TIMEOUT,
                shutdown_kernel="immediate",
                on_cell_executed=ran,
                config=channel,
            )
    except PapermillExecutionError as error:
        return Outcome(why_not=_explain(error, own_cells=task.parameters is None))
    except CellTimeoutError:
        return Outcome(why_not=f"a cell took longer than {TIMEOUT:,} seconds.")
    except DeadKernelError:
        why_not = "its kernel died, perhaps for want of memory. Close other programs, or run with --jobs 1."
        return Outcome(why_not=why_not)
    except (RuntimeError, NoSuchKernel, ZMQError):
        return Outcome(why_not="its kernel did not start. Close other programs, and run it again.")
    try:
        pictures.end(executed)
    except ValueError:  # what vl_convert says of a chart that it cannot draw
        return Outcome(why_not="a chart of it could not be drawn. Open the notebook in JupyterLab to see why.")
    return Outcome(executed)


def _explain(error: Any, *, own_cells: bool) -> str:
    """Why a notebook failed. Only our own messages are known to hold no personal data; of others, the kind."""
    if error.ename in OURS:
        return str(error.evalue)
    if error.ename == "OSError" and str(error.evalue).startswith(f"[Errno {errno.ENOSPC}]"):
        return say_system_error(OSError(errno.ENOSPC, ""))
    number = error.exec_count if own_cells else error.exec_count - 1  # papermill's cell of parameters has a number too
    return f"code cell {number} ended with {error.ename}. Open the notebook in JupyterLab to see why."


def _private_channel(place: str) -> Any:
    """Kernels talk over sockets in a folder of this user where the system has them, not over ports others can reach."""
    from traitlets.config import Config

    fits = len(place) + len("-1") <= LONGEST_SOCKET
    sockets = {"transport": "ipc", "ip": place} if os.name == "posix" and fits else {}
    return Config({"KernelManager": {"connection_file": f"{place}.json", **sockets}})
