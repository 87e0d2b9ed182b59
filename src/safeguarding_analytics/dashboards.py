"""Serves a release with Voilà: read-only, on this computer alone, without sources, tracebacks or outside requests.

A page is a notebook in ``dashboards``, and nothing else: its address is the name of its file. No page has a script of
Voilà's or opens a websocket: the kernel draws the page once and is ended when idle. Every other address, those of
Jupyter and Voilà too, is answered with one plain page that says that there is nothing.
"""

from __future__ import annotations

import json
import logging
import os
import re
import socket
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from html import escape
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

import polars as pl

from safeguarding_analytics.answers import Html, show_table, show_text
from safeguarding_analytics.chart_rows import sentence
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, SafeguardingError
from safeguarding_analytics.pages import NOT_WORKED_OUT, TEMPLATES, message_html, page_html, prose, vega_bundle
from safeguarding_analytics.release import Release
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.tables import TOTAL
from safeguarding_analytics.vote_pages import say_missing, show_standing
from safeguarding_analytics.vote_standing import standing_of

SERVED = "SAFEGUARDING_RELEASE"
"""Environment variable that tells a dashboard's kernel which release to open."""

LIVE = "SAFEGUARDING_LIVE"
"""Environment variable that tells it, where ballots are counted as they come in, which file names the release."""

INSTALLED = Path(__file__).parent / "dashboard_pages"
IN_REPOSITORY = Path(__file__).parents[2] / "dashboards"
LOCALHOST = "127.0.0.1"
IDLE_SECONDS = 10
"""A kernel has nothing left to do once its page is drawn."""

FIRST = "overview"
"""The notebook whose address is the server itself."""

PROJECTOR = "priorities_live"
"""The notebook that takes its place while ballots are counted as they come in; no release shows it."""

OF_THE_VOTE = (PROJECTOR, "priorities")
"""The notebooks that are shown then."""

NO_PAGE = "There is no page at this address."
NOT_SHOWN = "This page cannot be shown."
NOT_ANSWERED = (
    "This release does not answer this question: the board's folder did not hold what it takes, or it was not asked."
)


@dataclass(frozen=True)
class Page:
    """A notebook of a dashboard, and where it is found."""

    notebook: Path
    title: str
    address: str


def served_release() -> Release:
    """The release that this dashboard serves.

    Returns
    -------
    Release
        Opened anew, so that a reload shows a release that was promoted meanwhile. While ballots are counted as they
        come in, the release of the state that may be shown; its manifest then has ``live``, the `Standing` of the
        count.

    Raises
    ------
    SafeguardingError
        When the dashboard was not started with ``safeguarding dashboards RELEASE`` or ``safeguarding live FOLDER``.
    """
    live, folder = os.environ.get(LIVE, ""), os.environ.get(SERVED, "")
    if live:
        place, standing = standing_of(Path(live))
        release = Release.open(place)
        return Release(release.folder, {**release.manifest, "live": standing})
    if not folder:
        raise SafeguardingError("no release is served. Start the dashboard with: safeguarding dashboards RELEASE")
    return Release.open(folder)


def show_release(release: Release) -> Html:
    """Say whose figures these are, as at when, and which version of the data they come from.

    Parameters
    ----------
    release
        An open release.

    Returns
    -------
    Html
        One sentence. Of ballots that are counted as they come in: how many are counted, how many are held back and why,
        what is wrong with their file, and a link that counts again.
    """
    about, day = release.manifest, _as_at(release)
    if "live" in about:
        return show_standing(about["live"])
    as_at = f", as at {day}" if day else ""
    made = day_in_words(date.fromisoformat(about["made_on"]))
    said = f"{about['board']}{as_at}. Release made on {made} from data version {about['data_version']}."
    return Html(f"<p>{escape(said)}</p>", said)


def show_answer(
    release: Release,
    name: str,
    draw: Callable[..., Any] | None = None,
    *,
    target_from: str = "",
    order_from: str = "",
    also: Callable[..., Any] | None = None,
    **options: Any,
) -> Html:
    """The answer to one question: its headline, its chart, the table behind it, the definition, and the day it holds.

    Parameters
    ----------
    release
        An open release.
    name
        Name of the table, or how it begins (``"training_reach"`` finds ``"training_reach_by_agency"``). Of several that
        begin so, one with a headline is shown.
    draw
        A chart function, such as those of `charts`. Without one, or where it cannot draw the table, the table
        itself is the answer.
    target_from
        Name of a table of shape progress, of the same release: the chart's ``target`` is taken from it, of each group
        where the chart shows its groups, else in all.
    order_from
        Name of a table of shape ranking, of the same release: the chart's ``order`` of the issues, and those that are
        ``selected``, are taken from it.
    also
        Another chart function, for a second chart of the same table.
    options
        Passed to the first chart function; its title is that of the table if it is not given.

    Returns
    -------
    Html
        The answer, without a headline where the table has none; a sentence where the release has no such table.
    """
    alike = [name] if name in release.tables() else [each for each in release.tables() if each.startswith(name)]
    found = sorted(
        (each for each in alike if not release[each].frame().is_empty()),
        key=lambda each: (each != name, not release.entry(each).headline),
    )
    if not found:
        return show_text(say_missing(release, name) if "live" in release.manifest else NOT_ANSWERED)
    entry, table = release.entry(found[0]), release[found[0]]
    options.setdefault("title", entry.title)
    if target_from in release.tables():
        options["target"] = _target(release[target_from], table)
    if order_from in release.tables():
        ranked = release[order_from].frame().sort("rank", "issue", nulls_last=True)
        options["order"] = ranked["issue"].to_list()
        options["selected"] = ranked.filter("selected")["issue"].to_list()
    headline, numbers = show_text(entry.headline), show_table(table, caption=entry.title)
    asked = str(entry.parameters.get("as_at", "")).strip()
    day = day_in_words(date.fromisoformat(asked)) if asked else _as_at(release)
    note = f"Definition: {sentence(entry.definition)}{f' As at {day}.' if day else ''}"
    charts = _shown(table, numbers, draw, options, also)
    html = f'{headline.html}{charts}<p class="note">{escape(note)}</p>'
    return Html(html, "\n".join(filter(None, [headline.text, numbers.text, note])))


def _shown(
    table: Safe,
    numbers: Html,
    draw: Callable[..., Any] | None,
    options: Mapping[str, Any],
    also: Callable[..., Any] | None = None,
) -> str:
    """A chart with its numbers folded behind it; the numbers alone where there is no chart of them."""
    if draw is None:
        return numbers.html
    try:
        figure = draw(table, **options)._repr_mimebundle_()["text/html"]
        figure += also(table, title=options["title"])._repr_mimebundle_()["text/html"] if also else ""
    except ParameterError:  # such as more groups than a chart can tell apart
        return numbers.html
    return f"{figure}<details><summary>The numbers behind the chart</summary>{numbers.html}</details>"


def _target(progress: Safe, drawn: Safe) -> int | dict[str, int] | None:
    """What is to be reached: of each group, where a drawn table has the groups of the progress, else in all."""
    frame = progress.frame()
    group, *_ = progress.shape.group_columns(frame.columns)  # a further one, such as the month, tells as at when
    targets = dict(frame.select(pl.col(group).cast(pl.String), "target").drop_nulls().iter_rows())
    if group in drawn.frame().columns:
        return targets
    return targets.get(TOTAL, sum(targets.values()) if len(targets) == frame.height else None)


def serve(folder: Path, *, port: int) -> int:
    """Serve the pages of a release until it is stopped.

    Parameters
    ----------
    folder
        A release.
    port
        Port on this computer.

    Returns
    -------
    int
        Exit code.

    Raises
    ------
    ParameterError
        When the port is taken.
    """
    require_free(port)
    board = str(Release.open(folder).manifest["board"])
    with TemporaryDirectory(prefix="safeguarding") as shelf:
        os.environ[SERVED] = str(folder.resolve())
        os.environ.pop(LIVE, None)
        return _run(Path(shelf), port, pages_in(_notebooks()), board)


def serve_live(folder: Path, *, port: int, now: Callable[[], datetime], every: int = 0, closed: bool = False) -> int:
    """Serve the pages of a vote that goes on, and count its ballots anew whenever a page is loaded.

    Parameters
    ----------
    folder
        A board's folder. It is only read.
    port
        Port on this computer.
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
    and nothing else.
    """
    from safeguarding_analytics.live_count import LiveCount

    require_free(port)
    with TemporaryDirectory(prefix="safeguarding") as shelf:
        count = LiveCount(folder, Path(shelf), now, closed=closed)
        count.refresh()
        os.environ[LIVE] = str(count.status)
        pages = pages_in(_notebooks(), live=True)
        return _run(Path(shelf), port, pages, count.board, before=count.refresh, every=every)


def _run(
    shelf: Path,
    port: int,
    pages: Sequence[Page],
    board: str,
    *,
    before: Callable[[], object] | None = None,
    every: int = 0,
) -> int:
    """Serve pages until stopped; what is to be done before each one is done first."""
    for kind in ("nbconvert", "voila"):
        copytree(TEMPLATES / kind, shelf / kind)
    os.environ["JUPYTER_PATH"] = str(shelf)
    from voila.app import Voila

    shells = {page.notebook.stem: _shell(page, pages, board, every) for page in pages}
    app = Voila(config=_settings(port, shells))
    app.initialize([str(pages[0].notebook)])
    app.tornado_settings = {**app.tornado_settings, **_plain_refusals(pages, board)}
    app.init_handlers = lambda: _handlers(app, pages, before)  # in place of all those of Voilà's own
    logging.disable(logging.ERROR)  # logs of Voilà, Tornado and asyncio may hold cell sources and values
    app.start()
    return 0


def _notebooks() -> Path:
    return INSTALLED if INSTALLED.is_dir() else IN_REPOSITORY


def pages_in(folder: Path, *, live: bool = False) -> list[Page]:
    """The pages that a folder of notebooks makes, in the order that the notebooks give themselves.

    Parameters
    ----------
    folder
        Folder of the notebooks.
    live
        Whether ballots are counted as they come in: then there are the pages of the vote alone, that for the projector
        first, which a release has not.
    """
    paths = [path for path in folder.glob("*.ipynb") if (path.stem in OF_THE_VOTE if live else path.stem != PROJECTOR)]
    read = {path: json.loads(path.read_text(encoding="utf-8"))["metadata"] for path in paths}
    first = PROJECTOR if live else FIRST
    return [
        Page(path, about["title"], "/" if path.stem == first else f"/{path.stem}")
        for path, about in sorted(
            read.items(), key=lambda each: (each[0].stem != first, each[1]["safeguarding"]["order"])
        )
    ]


def require_free(port: int) -> None:
    """Raise a `ParameterError` when a port of this computer is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            raise ParameterError(f"port {port} is taken by another program. Choose another one with --port.") from None


def _as_at(release: Release) -> str:
    """The day on which the numbers of a release hold, in words; empty where it does not say."""
    day = release.manifest.get("as_at", "")
    return day_in_words(date.fromisoformat(day)) if day else ""


def _handlers(app: Any, pages: Sequence[Page], before: Callable[[], object] | None = None) -> list[tuple[Any, ...]]:
    """What is answered: the pages, each at its own address, and one plain refusal for everything else."""
    from jupyter_server.base.handlers import Template404

    given = {
        "template_paths": app.template_paths,
        "config": app.config,
        "voila_configuration": app.voila_configuration,
    }
    return [
        *(
            (re.escape(page.address), _handler(before), {**given, "notebook_path": page.notebook.name})
            for page in pages
        ),
        (r".*", Template404),
    ]


def _handler(before: Callable[[], object] | None) -> type[Any]:
    """What answers with a page, after what is to be done first, of which others who ask do not wait."""
    from tornado.ioloop import IOLoop
    from voila.tornado.handler import TornadoVoilaHandler

    class Handler(TornadoVoilaHandler):  # type: ignore[misc]  # Voilà has no types
        async def get(self, path: str | None = None) -> None:
            if before is not None:
                await IOLoop.current().run_in_executor(None, before)
            await super().get(path)

    return Handler if before else TornadoVoilaHandler


def _plain_refusals(pages: Sequence[Page], board: str) -> dict[str, Any]:
    """The pages that refuse, in place of Jupyter's: they say neither what was asked nor what went wrong.

    One who asks under another name than this computer's is not told the board's name either.
    """
    from jinja2 import DictLoader, Environment

    environment = Environment(loader=DictLoader({"404.html": "{{ missing }}", "error.html": "{{ refused }}"}))  # noqa: S701  # what is filled in are pages
    environment.globals["missing"] = message_html(
        NO_PAGE, title="Page not found", navigation=_navigation(pages), board=board
    )
    environment.globals["refused"] = message_html(NOT_SHOWN, title="Page not shown", navigation=[])
    return {"jinja2_env": environment, "voila_jinja2_env": environment}


def _shell(page: Page, pages: Sequence[Page], board: str, every: int = 0) -> list[str]:
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


def _navigation(pages: Sequence[Page]) -> list[tuple[str, str]]:
    return [(page.address, page.title) for page in pages]


def _settings(port: int, shells: Mapping[str, Sequence[str]]) -> Any:
    from traitlets.config import Config

    # Each kernel has sockets of its own in a folder of this user: 65 characters behind the temporary folder, of the 103
    # that the path of a socket may have.
    kernels = {"transport": "ipc"} if os.name == "posix" and len(gettempdir()) <= 103 - 65 else {}
    return Config(
        {
            "Voila": {
                "ip": LOCALHOST,
                "port": port,
                "port_retries": 0,
                "open_browser": False,
                "config_file_paths": [],  # a configuration lying about must not loosen these settings
                "tornado_settings": {"allow_remote_access": False},  # answers only to names of this computer
            },
            "VoilaConfiguration": {
                "template": "dashboard",
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "file_allowlist": [],
                "strip_sources": True,
                "show_tracebacks": False,
                "resources": {"not_worked_out": NOT_WORKED_OUT, "shells": shells},
                "http_keep_alive_timeout": 3600,  # its sign of life is a script, which the page does not allow
            },
            "VoilaExecutor": {"allow_errors": True},  # one answer that fails does not take the others with it
            "TemplateExporter": {"filters": {"prose": prose}},
            "MappingKernelManager": {
                "cull_idle_timeout": IDLE_SECONDS,
                "cull_interval": IDLE_SECONDS // 2,
                "cull_connected": True,
            },
            "KernelManager": kernels,
        }
    )
