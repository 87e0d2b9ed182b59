"""A process that makes one report after another, so that the next one finds everything imported.

It is told what to do in lines of JSON, and answers each with one. It ends with the process that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Mapping
from contextlib import suppress
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self

from safeguarding_analytics.errors import SafeguardingError, say_system_error
from safeguarding_analytics.warm_kernels import end_server, kernel_name

ENDED = "its process was ended from outside, perhaps for want of memory. Run it again; what is finished is kept."

ENDS_WITHIN = 5
"""Seconds in which it ends its kernels and itself, when nobody asks for reports any more."""


class Worker:
    """Such a process, as the one that starts it sees it. Another one takes its place if it is ended from outside."""

    def __init__(self) -> None:
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def make(self, job: Mapping[str, Any]) -> tuple[str, ...]:
        """Make a report, as `make_report` does; sentences on what failed."""
        pipes = self._process.stdin, self._process.stdout
        try:
            pipes[0].write(json.dumps(job) + "\n")  # type: ignore[union-attr]  # a pipe, as asked for in _start
            pipes[0].flush()  # type: ignore[union-attr]  # the same pipe
            answer = pipes[1].readline()  # type: ignore[union-attr]  # a pipe, too
        except BrokenPipeError:
            answer = ""
        if not answer:
            self._stop()
            self._process = self._start()
            return (ENDED,)
        return tuple(json.loads(answer))

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(  # noqa: S603  # this interpreter
            [sys.executable, "-c", _PROGRAM, *sys.path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            start_new_session=True,  # Ctrl-C in the terminal is for the process that started it
        )

    def _stop(self) -> None:
        with suppress(BrokenPipeError):
            self._process.stdin.close()  # type: ignore[union-attr]  # a pipe, as asked for in _start
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(ENDS_WITHIN)
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            with suppress(BrokenPipeError):  # of what it was not told any more
                pipe.close()  # type: ignore[union-attr]  # both are pipes


_PROGRAM = f"import sys; sys.path[:] = sys.argv[1:]; from {__name__} import work; work()"


def work() -> None:
    """Make what is asked for, line by line, until nobody can ask any more: then leave at once."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever else is printed is no answer
    jobs: SimpleQueue[str] = SimpleQueue()

    def listen() -> None:
        for line in sys.stdin:
            jobs.put(line)
        end_server()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    kernel_name()  # the server of kernels imports what they need while this process does
    while True:
        answers.write(json.dumps(_made(json.loads(jobs.get()))) + "\n")
        answers.flush()


def _made(job: Mapping[str, Any]) -> list[str]:
    from safeguarding_analytics.report import make_report

    try:
        made = make_report(**{**job, "today": date.fromisoformat(job["today"]), "folder": Path(job["folder"])}, jobs=1)
    except SafeguardingError as error:
        return str(error).splitlines()
    except OSError as error:
        return [say_system_error(error)]
    return [f"{page.notebook.name}: {page.why_not}" for page in made.pages if page.failed]
