"""The commands that serve pages, or write them for a web server."""

from __future__ import annotations

import logging
import os
import signal
import socket
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any

import click

from safeguarding_analytics.cli_audit import CONTEXT

if TYPE_CHECKING:
    from safeguarding_analytics.serving import Door

FOLDER = click.Path(file_okay=False, path_type=Path)


def how_served(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of every command that serves pages."""
    options = [
        click.option(
            "--port", default=8866, show_default=True, type=click.IntRange(1, 65535), help="Port on this computer."
        ),
        click.option(
            "--token",
            "with_token",
            is_flag=True,
            help="Show pages only to those who have a token: that in the environment variable SAFEGUARDING_TOKEN, or a "
            "new one that is shown here. Where the variable is set, this is always so.",
        ),
        click.option(
            "--base-url",
            metavar="/PATH/",
            default="/",
            show_default=True,
            help="What stands before the address of each page, as behind a proxy.",
        ),
    ]
    for option in reversed(options):
        command = option(command)
    return command


def _opened(
    what: str, port: int, with_token: bool, base_url: str, kernels: int = 2, static_site: str = ""
) -> tuple[Door, Callable[[], None]]:
    """How pages are reached, once it is checked, and what shows it to the user; the token leaves the environment."""
    from safeguarding_analytics.access import TOKEN, checked_base_url, checked_site, checked_token, new_token
    from safeguarding_analytics.errors import ParameterError
    from safeguarding_analytics.serving import Door, require_free

    require_free(port)
    own = os.environ.pop(TOKEN, None)  # kernels need not know it
    made = new_token() if with_token and own is None else ""
    door = Door(
        port,
        checked_base_url(base_url),
        made if own is None else checked_token(own),
        kernels,
        checked_site(static_site),
    )
    if made and not sys.stdout.isatty():
        raise ParameterError(
            f"--token: a new token is shown on a terminal only, as it would stay in a log. "
            f"Set {TOKEN} to one of your own."
        )
    shown = f"?token={made}" if made else ""
    return door, lambda: click.echo(f"{what} is at http://127.0.0.1:{port}{base_url}{shown}  (Ctrl-C stops it)")


@click.command(context_settings=CONTEXT)
@click.argument("release", type=FOLDER)
@how_served
@click.option(
    "--kernels",
    default=2,
    show_default=True,
    type=click.IntRange(1, 16),
    help="Pages that are worked out at once. Each is worked out once for all viewers.",
)
@click.option(
    "--static-site", metavar="URL", default="", help="Where the same pages stand, for those who come when it is busy."
)
def dashboards(release: Path, port: int, with_token: bool, base_url: str, kernels: int, static_site: str) -> None:
    """Serve the read-only dashboard of RELEASE on this computer (127.0.0.1).  Stop it with Ctrl-C."""
    from safeguarding_analytics.release import Release
    from safeguarding_analytics.serving import serve

    Release.open(release)
    opened = _opened("The dashboard", port, with_token, base_url, kernels, static_site)
    sys.exit(serve(release, *opened, lambda line: click.echo(line)))


@click.command(context_settings=CONTEXT)
@click.argument("folder", type=FOLDER)
@how_served
@click.option(
    "--every",
    metavar="SECONDS",
    type=click.IntRange(10),
    help="Load the page for the projector again after so many seconds, 10 or more.  [default: never]",
)
@click.option("--closed", is_flag=True, help="The vote is closed: count all ballots, also where members are absent.")
def live(folder: Path, port: int, with_token: bool, base_url: str, every: int | None, closed: bool) -> None:
    """Serve the count of the ballots in FOLDER while they still come in, on this computer (127.0.0.1).

    Each reload reads the ballots again. They are counted a few at a time and the newest are held back until all members
    have voted ([priorities] members in board.toml) or the vote is closed (--closed), so that nobody's ballot can be
    told from two states. How firm the choice is, is said then.

    The first page is for a projector, the second has every check.  Stop it with Ctrl-C.
    """
    from safeguarding_analytics.board import read_board
    from safeguarding_analytics.serving import serve_live

    read_board(folder)
    opened = _opened("The live count", port, with_token, base_url)
    sys.exit(serve_live(folder, *opened, now=datetime.now, every=every or 0, closed=closed))


@click.command(context_settings=CONTEXT)
@click.argument("release", type=FOLDER)
@click.argument("out", type=FOLDER)
@click.option("--jobs", default=4, show_default=True, type=click.IntRange(1), help="Pages to work out at once.")
@click.option(
    "--contact",
    default="",
    metavar="TEXT",
    help="Whom readers reach about the pages, such as an e-mail address: for the accessibility statement.",
)
def publish(release: Path, out: Path, jobs: int, contact: str) -> None:
    """Write the pages of the dashboard of RELEASE into the folder OUT, for any web server or none.

    The pages open from the folder itself, a shared drive or any web server, at any address. They need no Python there,
    ask nothing of other places and set no cookies. All tables can be downloaded from them.

    A site that stands in OUT stays until the new one is complete. If anything else stands there, nothing is written.
    """
    from safeguarding_analytics.errors import numbered, quoted
    from safeguarding_analytics.static_site import publish_site

    try:
        with progress_bar("Drawing the pages") as progress:
            made = publish_site(release, out, jobs=jobs, contact=contact, progress=progress)
    except KeyboardInterrupt:
        raise click.Abort(" A site that stands is complete.") from None
    click.echo(f"Published {numbered(len(made.pages), 'page')} and {numbered(len(made.tables), 'table')}.")
    click.echo(f"Site: {made.folder}")
    click.echo(f"Size: {made.size / 1e6:.1f} MB; {made.compressed / 1e6:.1f} MB from a server that compresses (gzip).")
    if not contact:
        click.echo("The accessibility statement names nobody to write to but the board. Add one with --contact.")
    click.echo(f"Open it in a browser: {made.index.as_uri()}")
    click.echo("For others, copy the folder to a web server. To try that on this computer:")
    click.echo(f"  {quoted(sys.executable)} -m http.server 8000 --bind 127.0.0.1 --directory {quoted(made.folder)}")


@contextmanager
def progress_bar(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Show on the terminal how many cells are done of how many; nothing where there is no terminal.

    Ctrl-C is answered at once.
    """
    from tqdm import tqdm

    with _answered_at_once(), tqdm(desc=doing, unit=" cells", leave=False, disable=None) as bar:

        def show(done: int, every: int) -> None:
            bar.total, bar.n = every, done
            bar.refresh()

        yield show


@contextmanager
def _answered_at_once() -> Iterator[None]:
    """Say that it is being stopped as soon as it was asked for: Python itself hears of it behind a step of the work."""
    told, heard = socket.socketpair()
    told.setblocking(False)  # else the signal could wait for who reads
    before = signal.set_wakeup_fd(told.fileno(), warn_on_full_buffer=False)
    saying = Thread(target=_say_stopping, args=(heard,), daemon=True)
    saying.start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        told.close()  # ends the thread, once it has said what there is to say
        saying.join(1)


def _say_stopping(heard: socket.socket) -> None:
    behind = {int(signal.SIGINT): "\n", int(signal.SIGTERM): ""}  # terminals show ^C
    with heard:
        while numbers := heard.recv(1):
            if numbers[0] in behind:
                click.echo(f"{behind[numbers[0]]}Stopping: what runs is being ended …", err=True)
                logging.disable()  # that kernels end is no news to whoever ends them
                behind = {}
