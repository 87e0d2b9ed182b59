"""Pages that are worked out once for each state of what they show, and then given to everybody who asks.

No page takes a parameter, so all viewers of one state see the same one. What works a page out costs a kernel: only so
many run at once, and who asks for a page that is being worked out waits for that run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from math import inf

from safeguarding_analytics.errors import SafeguardingError

TRIES = 3
"""How often a page is worked out, where what it shows is replaced meanwhile."""

AGAIN, LONGEST_AGAIN = 30.0, 960.0
"""Seconds after which a page that failed may be worked out again: so many at first, twice as many each time it fails
again, and so many at most."""


class BusyError(SafeguardingError):
    """A page was not worked out in the time that a viewer waits."""


class NotYetError(BusyError):
    """A page is being worked out, and will be there."""


@dataclass(frozen=True)
class Drawn:
    """A page that was worked out."""

    html: bytes
    whole: bool = True
    """Whether every answer on it could be given."""


@dataclass(frozen=True)
class _Kept:
    """What came of working a page out: for which state, until when it holds, and how often it has failed by now."""

    state: str
    outcome: Drawn | Exception
    until: float = inf
    failures: int = 0


class DrawnPages:
    """Pages by name, each worked out once for each state.

    Parameters
    ----------
    draw
        Works a page out, by its name.
    state
        What tells the present state of what is shown from any other; a `SafeguardingError` where there is nothing.
    kernels
        How many pages may be worked out at once; others wait their turn.
    patience
        Seconds after which a viewer is told that there is no page yet. Its run goes on, and its page is kept.
    ahead
        Names of the pages that are worked out before anybody asks, one after the other, in this order. None of them is
        begun while a viewer waits.
    again
        Seconds after which a page that failed may be worked out again. They double each time it fails again, up to
        `LONGEST_AGAIN`.

    Notes
    -----
    A page is kept until one of another state takes its place, and only if the state did not change while it was worked
    out. One with an answer that could not be given, or that broke down, is kept for a while only: what fails must
    neither keep the computer at work whenever it is loaded, nor stay for ever. Without a state no page is given, also
    not a kept one: what was taken away is not shown any more.
    """

    def __init__(
        self,
        draw: Callable[[str], Awaitable[Drawn]],
        state: Callable[[], str],
        *,
        kernels: int,
        patience: float,
        ahead: Sequence[str] = (),
        again: float = AGAIN,
    ) -> None:
        self._draw, self._state, self._patience, self._ahead = draw, state, patience, tuple(ahead)
        self._again = again
        self._places = asyncio.Semaphore(kernels)
        self._kept: dict[str, _Kept] = {}
        self._runs: dict[tuple[str, str], asyncio.Task[Drawn | Exception]] = {}
        self._heated = ""
        self._viewers = 0
        self._nobody_waits = asyncio.Event()
        self._nobody_waits.set()
        self._heating: asyncio.Task[None] | None = None
        self._closed = False

    async def get(self, name: str, patience: float | None = None) -> bytes:
        """The page of the present state.

        Parameters
        ----------
        name
            Name of the page.
        patience
            Seconds that this viewer waits; None: as long as all do.

        Raises
        ------
        NotYetError
            When it is not there in time.
        BusyError
            When it cannot be worked out at the moment.
        SafeguardingError
            When there is nothing to show.
        """
        self._viewers += 1
        self._nobody_waits.clear()
        try:
            return await self._page(name, self._patience if patience is None else patience)
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._nobody_waits.set()

    async def _page(self, name: str, patience: float) -> bytes:
        """The page of the present state, for a viewer or for nobody yet."""
        state = self._state()
        self._heat(state)
        kept = self._kept.get(name)
        if kept is not None and kept.state == state and asyncio.get_running_loop().time() < kept.until:
            return _given(kept.outcome)
        run = self._run_of(name, state)
        done, _ = await asyncio.wait({run}, timeout=patience)
        if not done:
            raise NotYetError("the page is not worked out yet. Ask again in a minute.")
        return _given(run.result())

    def heat(self) -> None:
        """Begin to work out the pages that nobody has asked for yet; does nothing where there is nothing to show."""
        with contextlib.suppress(SafeguardingError):
            self._heat(self._state())

    async def close(self) -> None:
        """End the runs that are under way, and wait until each has cleared up behind itself. No other is begun."""
        self._closed = True
        ending = [*([self._heating] if self._heating else []), *self._runs.values()]
        for each in ending:
            each.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _heat(self, state: str) -> None:
        if self._ahead and state != self._heated and not self._closed:
            self._heated = state
            if self._heating is not None:
                self._heating.cancel()  # the run that it waits for goes on: a viewer may wait for it as well
            self._heating = asyncio.ensure_future(self._work_ahead())

    async def _work_ahead(self) -> None:
        for name in self._ahead:
            await self._nobody_waits.wait()
            with contextlib.suppress(Exception):  # who asks for the page is told
                await self._page(name, self._patience)

    def _run_of(self, name: str, state: str) -> asyncio.Task[Drawn | Exception]:
        """The run that works a page out for a state: the one that is under way, or another."""
        if self._closed:
            raise BusyError("no page is worked out any more. Start the dashboard again.")
        if (name, state) not in self._runs:
            run = asyncio.ensure_future(self._work_out(name))
            self._runs[name, state] = run
            run.add_done_callback(lambda done: self._runs.pop((name, state)))
        return self._runs[name, state]

    async def _work_out(self, name: str) -> Drawn | Exception:
        async with self._places:
            for _ in range(TRIES):
                before = self._state()
                outcome = await self._outcome(name)
                if before == self._state():
                    self._keep(name, before, outcome)
                    return outcome
        raise BusyError("what this page shows keeps being replaced. Ask again in a minute.")

    async def _outcome(self, name: str) -> Drawn | Exception:
        try:
            return await self._draw(name)
        except Exception as error:  # noqa: BLE001  # whatever it is, it must not be met anew at each load
            return error

    def _keep(self, name: str, state: str, outcome: Drawn | Exception) -> None:
        """Keep what came of a run, for good or for a while."""
        if isinstance(outcome, Drawn) and outcome.whole:
            self._kept[name] = _Kept(state, outcome)
            return
        last = self._kept.get(name)
        failures = last.failures + 1 if last is not None and last.state == state else 1
        wait = min(self._again * 2 ** min(failures - 1, 9), LONGEST_AGAIN)
        self._kept[name] = _Kept(state, outcome, asyncio.get_running_loop().time() + wait, failures)


def _given(outcome: Drawn | Exception) -> bytes:
    """The page that came of a run; what broke down is an error for each who asks."""
    if isinstance(outcome, Exception):
        raise outcome.with_traceback(None)  # else it would grow with each viewer
    return outcome.html
