"""Processes that make one report after another, so that the next one finds everything imported, and then audit them.

Each is told what to do in lines of JSON, and answers each with one. It ends with the process that started it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import ExitStack, suppress
from datetime import date
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import Any, Self, TypedDict, final

from safeguarding_analytics.errors import SafeguardingError, say_system_error
from safeguarding_analytics.kept_tables import tell
from safeguarding_analytics.warm_kernels import end_server, kernel_name

ENDED = "its process was ended from outside, perhaps for want of memory. Run it again; what is finished is kept."

ENDS_WITHIN = 5
"""Seconds in which it ends its kernels and itself, when nobody asks for reports any more."""


@final
class ReportJob(TypedDict):
    """A report is to be made: what `make_report` is given, and what `kept_tables.told` says. Said: what failed."""

    report: dict[str, Any]
    kept: str


@final
class AuditJob(TypedDict):
    """``releases`` beside those ``public`` are to be audited, for the ``measures`` that are listed. Said: the clean."""

    audit: dict[str, list[str]]


Job = ReportJob | AuditJob


class Worker:
    """Such a process, as the one that starts it sees it. Another one takes its place if it is ended from outside."""

    def __init__(self) -> None:
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._stop()

    def ask(self, job: Job) -> tuple[str, ...]:
        """What it says to a job (see `ReportJob` and `AuditJob`), or that it was ended from outside."""
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


class Workers:
    """Several of them. They start at once, and share the jobs."""

    def __init__(self, count: int) -> None:
        self.count = count
        self._free: SimpleQueue[Worker] = SimpleQueue()
        self._pool = ThreadPoolExecutor(max_workers=max(1, count))
        self._undone = ExitStack()

    def __enter__(self) -> Self:
        self._undone.callback(self._pool.shutdown, cancel_futures=True)
        for _ in range(self.count):
            self._free.put(self._undone.enter_context(Worker()))
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._undone.close()

    def answers(self, jobs: Mapping[str, Job]) -> Iterator[tuple[str, tuple[str, ...]]]:
        """The name of each job and what was said to it, as they are done."""
        waiting = {self._pool.submit(self._ask, job): name for name, job in jobs.items()}
        for finished in as_completed(waiting):
            yield waiting[finished], finished.result()

    def _ask(self, job: Job) -> tuple[str, ...]:
        worker = self._free.get()
        try:
            return worker.ask(job)
        finally:
            self._free.put(worker)


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
        answers.write(json.dumps(done(json.loads(jobs.get()))) + "\n")
        answers.flush()


def done(job: Job) -> list[str]:
    """What is said to a job when it is done: of a `ReportJob` what failed, of an `AuditJob` what is clean."""
    return _audited(job["audit"]) if "audit" in job else _made(job["report"], job["kept"])


def _made(report: Mapping[str, Any], kept: str) -> list[str]:
    from safeguarding_analytics.report import make_report

    tell(kept)
    of_types = {**report, "today": date.fromisoformat(report["today"]), "folder": Path(report["folder"])}
    try:
        made = make_report(**of_types, jobs=1)
    except SafeguardingError as error:
        return str(error).splitlines()
    except OSError as error:
        return [say_system_error(error)]
    return [f"{page.notebook.name}: {page.why_not}" for page in made.pages if page.failed]


def _audited(audit: Mapping[str, list[str]]) -> list[str]:
    from safeguarding_analytics.area_audit import clean_measures
    from safeguarding_analytics.release import Release

    try:
        releases, public = ([Release.open(place) for place in audit[each]] for each in ("releases", "public"))
        return clean_measures(releases, public, audit["measures"])
    except SafeguardingError:
        return []  # of none it is known: who asked audits them, and says why that cannot be
