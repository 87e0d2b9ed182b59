"""Serves a release with Voilà: read-only, on this computer alone, without sources, tracebacks or outside requests.

The page has no script of Voilà's and opens no websocket: the kernel draws the page once and is ended when idle.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable
from datetime import date
from html import escape
from pathlib import Path
from shutil import copytree
from tempfile import TemporaryDirectory, gettempdir
from typing import Any

from safeguarding_analytics.answers import Html, show_table, show_text
from safeguarding_analytics.dates import day_in_words
from safeguarding_analytics.errors import ParameterError, SafeguardingError
from safeguarding_analytics.pages import NOT_WORKED_OUT, TEMPLATES, page_shell, prose
from safeguarding_analytics.release import Release

SERVED = "SAFEGUARDING_RELEASE"
"""Environment variable that tells a dashboard's kernel which release to open."""

INSTALLED = Path(__file__).parent / "dashboard_pages"
IN_REPOSITORY = Path(__file__).parents[2] / "dashboards"
LOCALHOST = "127.0.0.1"
IDLE_SECONDS = 10
"""A kernel has nothing left to do once its page is drawn."""


def served_release() -> Release:
    """The release that this dashboard serves.

    Returns
    -------
    Release
        Opened anew, so that a reload shows a release that was promoted meanwhile.

    Raises
    ------
    SafeguardingError
        When the dashboard was not started with ``safeguarding dashboards RELEASE``.
    """
    folder = os.environ.get(SERVED, "")
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
        One sentence.
    """
    about = release.manifest
    as_at = f", as at {day_in_words(date.fromisoformat(about['as_at']))}" if about["as_at"] else ""
    made = day_in_words(date.fromisoformat(about["made_on"]))
    sentence = f"{about['board']}{as_at}. Release made on {made} from data version {about['data_version']}."
    return Html(f"<p>{escape(sentence)}</p>", sentence)


def show_answer(release: Release, name: str, draw: Callable[..., Any], **options: Any) -> Html:
    """The answer to one question: its headline, its chart, the definition, and the table behind it.

    Parameters
    ----------
    release
        An open release.
    name
        Name of the table, or how it begins (``"training_reach"`` finds ``"training_reach_by_agency"``).
    draw
        A chart function of `charts`.
    options
        Passed to the chart function.

    Returns
    -------
    Html
        The answer; a sentence where the release has no such table.
    """
    found = [each for each in release.tables() if each.startswith(name) and release.entry(each).headline]
    if not found:
        return show_text(
            "This release does not answer this question: the board's folder did not hold the tables for it."
        )
    entry, table = release.entry(found[0]), release[found[0]]
    numbers = show_table(table, caption=entry.title)
    figure = draw(table, **options)._repr_mimebundle_()["text/html"]
    html = (
        f"{show_text(entry.headline).html}{figure}"
        f"<details><summary>The numbers behind the chart</summary>{numbers.html}</details>"
        f'<p class="note">Definition: {escape(entry.definition)}</p>'
    )
    return Html(html, f"{entry.headline}\n{numbers.text}\nDefinition: {entry.definition}")


def serve(folder: Path, *, port: int) -> int:
    """Serve the overview of a release until it is stopped.

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
    notebook = (INSTALLED if INSTALLED.is_dir() else IN_REPOSITORY) / "overview.ipynb"
    with TemporaryDirectory(prefix="safeguarding") as shelf:
        _write_templates(Path(shelf))
        os.environ[SERVED] = str(folder.resolve())
        os.environ["JUPYTER_PATH"] = shelf
        from voila.app import Voila

        app = Voila(config=_settings(port))
        app.initialize([str(notebook)])
        logging.disable(logging.ERROR)  # logs of Voilà, Tornado and asyncio may hold cell sources and values
        app.start()
    return 0


def require_free(port: int) -> None:
    """Raise a `ParameterError` when a port of this computer is taken."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOCALHOST, port))
        except OSError:
            raise ParameterError(f"port {port} is taken by another program. Choose another one with --port.") from None


def _write_templates(shelf: Path) -> None:
    """Lay out the templates as Voilà looks for them, with the page of the board pack around the cells."""
    copytree(TEMPLATES / "nbconvert", shelf / "nbconvert")
    target = shelf / "voila" / "templates" / "dashboard"
    copytree(TEMPLATES / "voila" / "templates" / "dashboard", target)
    before, after = page_shell(title="Overview of the release")
    for name, text in (("before.html", before), ("after.html", after)):
        (target / name).write_text(f"{{% raw %}}{text}{{% endraw %}}", encoding="utf-8")  # scripts hold "{#" and "{{"


def _settings(port: int) -> Any:
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
                "kernel_websocket_connection_class": "safeguarding_analytics.quiet_connection.QuietConnection",
            },
            "VoilaConfiguration": {
                "template": "dashboard",
                "allow_template_override": "NO",
                "allow_theme_override": "NO",
                "file_allowlist": [],
                "strip_sources": True,
                "show_tracebacks": False,
                "resources": {"not_worked_out": NOT_WORKED_OUT},
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
