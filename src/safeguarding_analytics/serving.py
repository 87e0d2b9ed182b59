"""Serves the pages of a release, or of a vote that goes on, with Voilà: read-only, and on this computer alone.

Voilà runs the notebook of a page in a kernel that is ended as soon as its page is drawn. No request of a viewer reaches
a kernel, and no page has a script of Voilà's: a page is worked out once and then given to everybody.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import re
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from shutil import copytree
from subprocess import DEVNULL
from typing import Any

from safeguarding_analytics.access import Access
from safeguarding_analytics.dashboards import LIVE, PAGES, PROJECTOR, SERVED, DashboardPage, pages_in
from safeguarding_analytics.drawn_pages import BusyError, Drawn, DrawnPages
from safeguarding_analytics.errors import ParameterError, SafeguardingError
from safeguarding_analytics.kernels import LONGEST_SOCKET
from safeguarding_analytics.pages import FILTERS, NOT_WORKED_OUT, TEMPLATES, page_html, vega_bundle, with_contents
from safeguarding_analytics.release import MANIFEST, Release
from safeguarding_analytics.temporary_folders import temporary_folder
from safeguarding_analytics.viewers import Refusals, handlers_of
from safeguarding_analytics.warm_kernels import kernel_name

LOCALHOST = "127.0.0.1"
PAGES_AT_ONCE = 2
"""Pages that are worked out at once, each by a kernel of its own."""

LONGEST_WAIT = 55
"""Seconds that a viewer waits for a page; proxies give up after a minute."""

LONGEST_RUN = 300
"""Seconds after which a page that is still not worked out is given up."""

IDLE_SECONDS = 2 * LONGEST_RUN
"""Kernels end with their page; one that is left over for any reason ends after so long. On a busy computer a kernel
takes long to start, and is idle meanwhile: it must not be ended before its page is given up."""

BEHIND_SHELF = 65
"""Characters of the path of a kernel's socket behind the folder of all that is written while pages are served."""

ENDING = 15
"""Seconds that it may take to end kernels and requests when the dashboard is stopped."""


@dataclass(frozen=True)
class Door:
    """How pages are reached, and by whom.

    Parameters
    ----------
    port
        Port on this computer.
    base_url
        What stands before the address of each page.
    token
        What viewers must have; empty: nothing.
    kernels
        How many pages may be worked out at once.
    static_site
        Where the same pages stand as a static site; empty: nowhere.
    """

    port: int
    base_url: str = "/"
    token: str = ""
    kernels: int = PAGES_AT_ONCE
    static_site: str = ""


@dataclass(frozen=True)
class Shown:
    """What is shown: its pages, whose they are, and what tells its present state from any other."""

    pages: Sequence[DashboardPage]
    board: Callable[[], str]
    state: Callable[[], str]
    before: Callable[[], object] | None = None
    """What is to be done before each page is given."""

    every: int = 0
    """Seconds after which the page for the projector loads itself again; 0: it never does."""


def _nothing(*_: object) -> None:
    pass


def serve(
    folder: Path, door: Door, listening: Callable[[], object] = _nothing, say: Callable[[str], object] = _nothing
) -> int:
    """Serve the pages of a release until it is stopped.

    Parameters
    ----------
    folder
        A release.
    door
        How its pages are reached.
    listening
        Is called once, as soon as requests are answered.
    say
        Is called with a line for whoever serves the pages, when one begins to be worked out and when it is done.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    ParameterError
        When the port is taken.
    SafeguardingError
        When there is no release.

    Notes
    -----
    A release that is replaced is shown from the next load on. While one is moved into the place of another, the last
    one is shown, as `Release.open` finds it. One that is taken away is not shown any more, and a page says so: it may
    have been taken away because of what it shows.
    """
    require_free(door.port)
    place = folder.resolve()
    state_of(place)
    os.environ[SERVED] = str(place)
    os.environ.pop(LIVE, None)
    with temporary_folder() as shelf:
        _end_orderly()
        shown = Shown(pages_in(PAGES), lambda: str(Release.open(place).manifest["board"]), lambda: state_of(place))
        return _serve_pages(shelf, door, shown, listening, say)


def serve_live(
    folder: Path,
    door: Door,
    listening: Callable[[], object] = _nothing,
    *,
    now: Callable[[], datetime],
    every: int = 0,
    closed: bool = False,
) -> int:
    """Serve the pages of a vote that goes on, and count its ballots anew whenever a page is loaded.

    Parameters
    ----------
    folder
        A board's folder. It is only read.
    door, listening
        As for `serve`.
    now
        What the time is.
    every
        Seconds after which the page for the projector loads itself again; 0: it never does.
    closed
        Whether nobody will vote any more, so that all ballots are counted.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    ParameterError
        When the port is taken.
    TableError
        When there is no such folder, or `board.toml` breaks a rule.

    Notes
    -----
    This process alone reads the ballots. The kernels of the pages open the release of the last state that may be shown,
    and nothing else. A page is worked out anew whenever that state has changed.
    """
    from safeguarding_analytics.live_count import LiveCount

    require_free(door.port)
    with temporary_folder() as shelf:
        _end_orderly()
        count = LiveCount(folder, shelf, now, closed=closed)
        count.refresh()
        os.environ[LIVE] = str(count.status)
        shown = Shown(
            pages_in(PAGES, live=True),
            lambda: count.board,
            lambda: sha256(count.status.read_bytes()).hexdigest(),
            count.refresh,
            every,
        )
        return _serve_pages(shelf, door, shown, listening)


def require_free(port: int) -> None:
    """Raise a `ParameterError` when a port of this computer is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            raise ParameterError(f"port {port} is taken by another program. Choose another one with --port.") from None


def state_of(folder: Path) -> str:
    """What tells the release that stands from any other: the digest of its manifest, which has one of each table.

    Parameters
    ----------
    folder
        A release.

    Raises
    ------
    SafeguardingError
        When there is none, or it is half written.
    """
    release = Release.open(folder)
    try:
        return sha256((release.folder / MANIFEST).read_bytes()).hexdigest()
    except OSError:  # it was moved meanwhile
        raise SafeguardingError(f"{folder}: the release is being replaced. Open it again.") from None


def _end_orderly() -> None:
    """End as after Ctrl-C when this process is told to end, so that nothing is left in the temporary folder."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)


def _when_told_to_end(do: Callable[[], object]) -> None:
    """Do this instead, between two steps of the loop: a kernel whose start is broken into is ended by nobody."""
    for each in (signal.SIGTERM, signal.SIGINT):
        signal.signal(each, lambda *_: do())


def _serve_pages(
    shelf: Path,
    door: Door,
    shown: Shown,
    listening: Callable[[], object],
    say: Callable[[str], object] = _nothing,
) -> int:
    """Serve pages until stopped."""
    for kind in ("nbconvert", "voila"):
        copytree(TEMPLATES / kind, shelf / kind)
    os.environ["JUPYTER_PATH"] = str(shelf)
    kernel_name()  # what kernels import is imported while all else begins
    from tornado.ioloop import IOLoop
    from voila.app import Voila

    pages = [replace(page, address=door.base_url + page.address.removeprefix("/")) for page in shown.pages]
    by_name = {page.notebook.stem: page for page in pages}
    app = Voila(config=_settings(door, shelf))
    app.initialize([str(pages[0].notebook)])
    _end_orderly()  # again: Voilà has put its own in the place, which breaks off before it listens
    aside = ThreadPoolExecutor(1)  # one: what pages share is worked out once

    async def draw(name: str) -> Drawn:
        page = by_name[name]
        around = IOLoop.current().run_in_executor(aside, lambda: _shell(page, pages, shown.board(), shown.every))
        body = await asyncio.wait_for(_body(app, page, kernel_name()), LONGEST_RUN)
        start, end = await around
        return Drawn(f"{start}{with_contents(body)}{end}".encode(), whole=NOT_WORKED_OUT not in body)

    async def draw_and_say(name: str) -> Drawn:
        title, begun = by_name[name].title, IOLoop.current().time()
        say(f"Working out the page {title} …")
        try:
            page = await draw(name)
        except Exception:
            say(f"The page {title} could not be worked out. It is tried again when somebody asks for it.")
            raise
        took = f"{max(1, round(IOLoop.current().time() - begun))} s"
        say(f"The page {title} is ready{'' if page.whole else ', but parts of it could not be worked out'} ({took}).")
        return page

    drawn = DrawnPages(
        draw_and_say,
        shown.state,
        kernels=door.kernels,
        patience=LONGEST_WAIT,
        ahead=() if shown.before else list(by_name),
    )

    def begin() -> None:
        loop = IOLoop.current()
        _when_told_to_end(lambda: loop.add_callback_from_signal(loop.stop))
        drawn.heat()
        listening()

    def handlers() -> list[tuple[Any, ...]]:
        IOLoop.current().add_callback(begin)  # the loop runs once the port is open
        return handlers_of(
            {page.address: name for name, page in by_name.items()},
            access=Access(door.token),
            refusals=Refusals(_navigation(pages), shown.board, door.static_site),
            base_url=door.base_url,
            pages=drawn,
            before=Shared(shown.before) if shown.before else None,
        )

    async def end() -> None:
        await drawn.close()
        kernels = app.kernel_manager
        ending = (kernels.shutdown_kernel(kernel, now=True) for kernel in kernels.list_kernel_ids())
        await asyncio.gather(*ending, return_exceptions=True)

    def stop() -> None:
        _when_told_to_end(_nothing)  # who stops it twice means the same
        aside.shutdown(wait=False, cancel_futures=True)
        with contextlib.suppress(Exception):  # it took too long
            app.ioloop.run_sync(end, timeout=ENDING)

    app.stop = stop  # Voilà's own breaks off, with a traceback, where a kernel is ending already
    app.init_handlers = handlers  # in place of all those of Voilà's own
    logging.disable(logging.ERROR)  # logs of Voilà, Tornado and asyncio may hold cell sources, values and tokens
    app.start()
    return 0


class Shared:
    """Something that is done in a thread, for all who ask for it: who asks while it is done waits for the next time.

    Parameters
    ----------
    do
        What is to be done.
    """

    def __init__(self, do: Callable[[], object]) -> None:
        self._do = do
        self._running: asyncio.Future[object] | None = None
        self._next: asyncio.Future[object] | None = None

    def __call__(self) -> Awaitable[object]:
        """Have it done, from its beginning, after this was called."""
        if self._next is None:
            self._next = asyncio.ensure_future(self._follow(self._running))
        return asyncio.shield(self._next)

    async def _follow(self, running: asyncio.Future[object] | None) -> object:
        if running is not None:
            await asyncio.wait({running})
        self._running, self._next = self._next, None
        return await asyncio.get_running_loop().run_in_executor(None, self._do)


async def _body(app: Any, page: DashboardPage, kind: str) -> str:
    """The cells of a page, run by Voilà in a kernel that ends with them."""
    from voila.notebook_renderer import NotebookRenderer

    renderer = NotebookRenderer(
        voila_configuration=app.voila_configuration,
        traitlet_config=app.config,
        notebook_path=page.notebook.name,
        template_paths=app.template_paths,
        config_manager=app.config_manager,
        contents_manager=app.contents_manager,
        kernel_spec_manager=app.kernel_spec_manager,
        base_url=app.base_url,
        page_config={},
    )
    kernels = app.kernel_manager
    async with _kernel(kernels, kind) as kernel:
        await renderer.initialize()  # while the kernel begins
        body = await renderer.generate_content_str(kernel, kernels.get_kernel(kernel))
        if not await kernels.is_alive(kernel):  # what it did not come to is missing, and nothing says so
            raise BusyError(f"{page.notebook.name}: its kernel ended before the page was done.")
        return str(body)


@contextlib.asynccontextmanager
async def _kernel(kernels: Any, kind: str) -> AsyncIterator[str]:
    """A kernel that is ended in every case: also where its page is given up while it starts.

    A start that is broken off would leave a process that no list has. It ends by itself once this process has, but
    writes its file before, into a folder that was removed.
    """
    starting = asyncio.ensure_future(
        kernels.start_kernel(
            kernel_name=kind,
            env=dict(os.environ),
            stdout=DEVNULL,  # a library that breaks down may print values
            stderr=DEVNULL,
        )
    )
    try:
        yield await asyncio.shield(starting)
    finally:
        with contextlib.suppress(Exception):  # it did not start, or has ended
            await kernels.shutdown_kernel(await starting, now=True)


def _shell(page: DashboardPage, pages: Sequence[DashboardPage], board: str, every: int = 0) -> list[str]:
    """What stands before and after the cells of a page: a page of the board pack without cells, cut open."""
    from nbformat.v4 import new_notebook

    afar = page.notebook.stem == PROJECTOR
    empty = page_html(
        new_notebook(),  # type: ignore[no-untyped-call]  # nbformat types its functions but not this one
        title=page.title,
        bundle="" if afar else vega_bundle(),
        navigation=_navigation(pages),
        board=board,
        layout="projector" if afar else "",
        every=every if afar else 0,
    )
    return re.split("<h1>.*?</h1>", empty, maxsplit=1)  # the notebook brings its own heading


def _navigation(pages: Sequence[DashboardPage]) -> list[tuple[str, str]]:
    return [(page.address, page.title) for page in pages]


def _settings(door: Door, shelf: Path) -> Any:
    from traitlets.config import Config

    # Each kernel has sockets of its own in a folder of this user, where their paths are not too long.
    kernels = {"transport": "ipc"} if os.name == "posix" and len(str(shelf)) + BEHIND_SHELF <= LONGEST_SOCKET else {}
    return Config(
        {
            "Voila": {
                "ip": LOCALHOST,
                "port": door.port,
                "port_retries": 0,
                "connection_dir_root": str(shelf),
                "base_url": door.base_url,
                "open_browser": False,
                "config_file_paths": [],  # a configuration lying about must not loosen these settings
            },
            "VoilaConfiguration": {
                "template": "dashboard",
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "file_allowlist": [],
                "strip_sources": True,
                "show_tracebacks": False,
                # What stands around the cells is added here, as it depends on the release.
                "resources": {"not_worked_out": NOT_WORKED_OUT},
            },
            # One answer that fails does not take the others with it, and none is left out because it comes late.
            "VoilaExecutor": {"allow_errors": True, "iopub_timeout": LONGEST_RUN, "startup_timeout": LONGEST_RUN},
            "TemplateExporter": {"filters": FILTERS},
            "MappingKernelManager": {
                "cull_idle_timeout": IDLE_SECONDS,
                "cull_interval": IDLE_SECONDS // 2,
                "cull_connected": True,
            },
            "KernelManager": {"autorestart": False, **kernels},
        }
    )
