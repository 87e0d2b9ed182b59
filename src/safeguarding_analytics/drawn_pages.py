"""Pages that are worked out once for each state of what they show, and then given to everybody who asks.

No page takes a parameter, so all viewers of one state see the same one. What works a page out costs a kernel: only so
many run at once, and who asks for a page that is being worked out waits for that run.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from safeguarding_analytics.errors import SafeguardingError

TRIES = 3
"""How often a page is worked out, where what it shows is replaced meanwhile."""


class BusyError(SafeguardingError):
    """A page was not worked out in the time that a viewer waits."""


@dataclass(frozen=True)
class Drawn:
    """A page that was worked out."""

    html: bytes
    whole: bool = True
    """Whether every answer on it could be given."""


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

    Notes
    -----
    A page is kept until one of another state takes its place, and only if every answer on it could be given and the
    state did not change while it was worked out. Without a state no page is given, also not a kept one: what was taken
    away is not shown any more.
    """

    def __init__(
        self,
        draw: Callable[[str], Awaitable[Drawn]],
        state: Callable[[], str],
        *,
        kernels: int,
        patience: float,
        ahead: Sequence[str] = (),
    ) -> None:
        self._draw, self._state, self._patience, self._ahead = draw, state, patience, tuple(ahead)
        self._places = asyncio.Semaphore(kernels)
        self._kept: dict[str, tuple[str, Drawn]] = {}
        self._runs: dict[tuple[str, str], asyncio.Task[Drawn]] = {}
        self._heated = ""
        self._viewers = 0
        self._nobody_waits = asyncio.Event()
        self._nobody_waits.set()
        self._heating: asyncio.Task[None] | None = None

    async def get(self, name: str) -> bytes:
        """The page of the present state.

        Parameters
        ----------
        name
            Name of the page.

        Raises
        ------
        BusyError
            When it is not there in time.
        SafeguardingError
            When there is nothing to show.
        """
        self._viewers += 1
        self._nobody_waits.clear()
        try:
            return await self._page(name)
        finally:
            self._viewers -= 1
            if not self._viewers:
                self._nobody_waits.set()

    async def _page(self, name: str) -> bytes:
        """The page of the present state, for a viewer or for nobody yet."""
        state = self._state()
        self._heat(state)
        kept_of, page = self._kept.get(name, ("", None))
        if page is not None and kept_of == state:
            return page.html
        run = self._run(name, state)
        done, _ = await asyncio.wait({run}, timeout=self._patience)
        if not done:
            raise BusyError("the page is not worked out yet. Ask again in a minute.")
        return run.result().html

    def heat(self) -> None:
        """Begin to work out the pages that nobody has asked for yet; does nothing where there is nothing to show."""
        with contextlib.suppress(SafeguardingError):
            self._heat(self._state())

    async def close(self) -> None:
        """End the runs that are under way, and wait until each has cleared up behind itself."""
        ending = [*([self._heating] if self._heating else []), *self._runs.values()]
        for each in ending:
            each.cancel()
        await asyncio.gather(*ending, return_exceptions=True)

    def _heat(self, state: str) -> None:
        if self._ahead and state != self._heated:
            self._heated = state
            self._heating = asyncio.ensure_future(self._work_ahead())

    async def _work_ahead(self) -> None:
        for name in self._ahead:
            await self._nobody_waits.wait()
            with contextlib.suppress(Exception):  # who asks for the page is told
                await self._page(name)

    def _run(self, name: str, state: str) -> asyncio.Task[Drawn]:
        """The run that works a page out for a state: the one that is under way, or another."""
        if (name, state) not in self._runs:
            run = asyncio.ensure_future(self._work_out(name))
            self._runs[name, state] = run
            run.add_done_callback(lambda done: self._runs.pop((name, state)))
        return self._runs[name, state]

    async def _work_out(self, name: str) -> Drawn:
        async with self._places:
            for _ in range(TRIES):
                before = self._state()
                page = await self._draw(name)
                if before == self._state():
                    if page.whole:
                        self._kept[name] = before, page
                    return page
        raise BusyError("what this page shows keeps being replaced. Ask again in a minute.")
