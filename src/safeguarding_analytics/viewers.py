"""What a viewer of a dashboard is answered: a page, or a plain refusal that says nothing about the board.

These handlers stand in place of all those of Voilà and Jupyter: there is no websocket, no file and no interface to
kernels behind any address.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from typing import Any

from tornado.web import RequestHandler, stream_request_body

from safeguarding_analytics.access import Access, is_own_name, is_own_origin
from safeguarding_analytics.drawn_pages import BusyError, DrawnPages, NotYetError
from safeguarding_analytics.errors import SafeguardingError
from safeguarding_analytics.pages import message_html, text_html

NO_PAGE = "There is no page at this address."
NOT_SHOWN = "This page cannot be shown."
LINK_NEEDED = (
    "This page is shown to those who have the link to it. Open that link again, or ask the person who gave you this "
    "address for it."
)
NOT_THERE = (
    "The figures are not there at the moment: they are being replaced, or were taken away. Load this page again in a "
    "minute."
)
BUSY = "This page is not ready yet, as others are being worked out. Load it again in a minute."
BEING_WORKED_OUT = "This page is being worked out. It opens here by itself as soon as it is ready."
MANY_VIEWERS = "For many viewers, the same pages can be put on any web server: safeguarding publish."
LET_IN = "You are let in. If the figures do not open by themselves, follow the link to them above."
MOVED = "This page has another address here. If it does not open by itself, follow the link to it above."

RETRY_SECONDS = 30
"""When to ask again for a page that is not there yet."""

SOON, LOOK_AGAIN = 3.0, 5
"""Seconds after which a browser is told that its page is being worked out, and after which it asks again by itself."""

HEADERS = {
    "Cache-Control": "no-store",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
"""What every answer says besides its policy."""


def policy_of(html: bytes) -> str:
    """The content security policy of a page, as a header: that which stands in it, and that no other page frames it.

    Parameters
    ----------
    html
        The page.
    """
    found = re.search(rb'http-equiv="Content-Security-Policy" content="([^"]*)"', html)
    inside = unescape(found[1].decode()) if found else "default-src 'none'"
    return f"{inside}; frame-ancestors 'none'"


@dataclass(frozen=True)
class Said:
    """The pages that are given where no figures are, those of one board."""

    no_page: bytes
    not_there: bytes
    let_in: bytes
    moved: bytes
    busy: bytes
    being_worked_out: bytes


class Refusals:
    """The pages that are given where no figures are: they say neither what was asked nor what went wrong.

    Parameters
    ----------
    navigation
        Address and title of each page.
    board
        Gives the name of the board whose figures are shown at the moment; a `SafeguardingError` where none are, and
        then no board is named. Only who may see the figures reads it.
    static_site
        Address of the static site; empty: there is none.
    """

    def __init__(self, navigation: Sequence[tuple[str, str]], board: Callable[[], str], static_site: str = "") -> None:
        link = f'<a href="{escape(static_site)}">{escape(static_site)}</a>'
        instead = f"The same figures are at {link}." if static_site else escape(MANY_VIEWERS)
        self._waiting = {
            each: f'<p class="message">{escape(each)}</p><p>{instead}</p>' for each in (BUSY, BEING_WORKED_OUT)
        }
        self._navigation, self._board = navigation, board
        self._of, self._said = "", self._of_board("")
        self.not_shown = message_html(NOT_SHOWN, title="Page not shown", navigation=[]).encode()
        self.no_token = message_html(LINK_NEEDED, title="Page not shown", navigation=[]).encode()

    @property
    def said(self) -> Said:
        """Those that name the board: of the board whose figures are shown at the moment."""
        try:
            board = self._board()
        except SafeguardingError:
            board = ""
        if board != self._of:
            self._of, self._said = board, self._of_board(board)
        return self._said

    def _of_board(self, board: str) -> Said:
        def plain(sentence: str, title: str) -> bytes:
            return message_html(sentence, title=title, navigation=self._navigation, board=board).encode()

        def waiting(sentence: str, title: str, again: int = 0) -> bytes:
            body = self._waiting[sentence]
            return text_html(body, title=title, navigation=self._navigation, board=board, again=again).encode()

        return Said(
            no_page=plain(NO_PAGE, "Page not found"),
            not_there=plain(NOT_THERE, "No figures at the moment"),
            let_in=plain(LET_IN, "You are let in"),
            moved=plain(MOVED, "Page at another address"),
            busy=waiting(BUSY, "Page not ready"),
            being_worked_out=waiting(BEING_WORKED_OUT, "Page being worked out", LOOK_AGAIN),
        )


@stream_request_body
class Viewer(RequestHandler):
    """Answers one request: whoever may look gets a page, everybody else a refusal."""

    def initialize(
        self,
        *,
        access: Access,
        refusals: Refusals,
        base_url: str,
        pages: DrawnPages,
        name: str = "",
        leads_to: str = "",
        before: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        """Take what all requests share, the name of the page at this address, or the address to which it leads."""
        self.access, self.refusals, self.base_url = access, refusals, base_url
        self.pages, self.name, self.leads_to, self.before = pages, name, leads_to, before

    def set_default_headers(self) -> None:
        """Say what every answer says, and nothing of the server."""
        self.clear_header("Server")
        for name, value in HEADERS.items():
            self.set_header(name, value)

    def compute_etag(self) -> None:
        """Nothing is kept by a browser, so nothing is named."""

    def data_received(self, chunk: bytes) -> None:
        """Leave what is sent with a request unread."""

    async def prepare(self) -> None:
        """Refuse who asks under a foreign name, from a foreign page, without the token, or for more than to read."""
        host, origin = self.request.host, self.request.headers.get("Origin")
        if not is_own_name(host) or not is_own_origin(origin, host):
            self._say(403, self.refusals.not_shown)
            return
        cookies = {name: morsel.value for name, morsel in self.cookies.items()}
        tokens = self.request.query_arguments.get("token", [])
        verdict = self.access.judge(self.request.headers.get("Authorization", ""), tokens, cookies)
        if verdict in ("no token", "wrong token"):
            await self._refuse(wrong=verdict == "wrong token")
        elif self.request.method != "GET":
            self.set_header("Allow", "GET")
            self._say(405, self.refusals.not_shown)
        elif verdict == "by link":
            self._let_in()

    async def get(self) -> None:
        """Give the page of this address; to a browser, after a while, one that says that it is being worked out."""
        if self.leads_to:
            self.set_header("Location", self.leads_to)
            self._say(302, self.refusals.said.moved)
            return
        if not self.name:
            self._say(404, self.refusals.said.no_page)
            return
        is_browser = "text/html" in self.request.headers.get("Accept", "")
        try:
            if self.before is not None:
                await self.before()
            self._say(200, await self.pages.get(self.name, SOON if is_browser else None))
        except BusyError as error:
            if is_browser and isinstance(error, NotYetError):
                # Where scripts run, the page has loaded itself before, and kept the choice that stands in its address.
                self.set_header("Refresh", f"{3 * LOOK_AGAIN}; url={self.request.path}")
                self._say(202, self.refusals.said.being_worked_out)
                return
            self.set_header("Retry-After", RETRY_SECONDS)
            self._say(503, self.refusals.said.busy)
        except SafeguardingError:
            self.set_header("Retry-After", RETRY_SECONDS)
            self._say(503, self.refusals.said.not_there)

    def write_error(self, status_code: int, **_: Any) -> None:
        """Say that there is nothing to be seen, whatever went wrong."""
        self._say(status_code, self.refusals.not_shown)

    def log_exception(self, *_: Any) -> None:
        """Leave no word of what went wrong: it may hold a name."""

    async def _refuse(self, *, wrong: bool) -> None:
        """Say that a token is needed; after a while, where a wrong one was given."""
        if wrong:
            seconds = self.access.wait(asyncio.get_running_loop().time())
            if seconds is None:
                self._say(429, self.refusals.no_token)
                return
            await asyncio.sleep(seconds)
        self._say(403, self.refusals.no_token)

    def _let_in(self) -> None:
        """Give a cookie in exchange for the token, and lead on to the address without it.

        The browser is led on by this page and not by a redirect: a link in a mail read in a browser comes from another
        site, and the cookie would not be sent to where it redirects.
        """
        name, value = self.access.cookie
        secure = self.request.headers.get("X-Forwarded-Proto") == "https"
        self.set_cookie(name, value, path=self.base_url, httponly=True, samesite="Strict", secure=secure)
        self.set_header("Refresh", f"0; url={self.request.path if self.name or self.leads_to else self.base_url}")
        self._say(200, self.refusals.said.let_in)

    def _say(self, status: int, html: bytes) -> None:
        self.set_status(status)
        self.set_header("Content-Type", "text/html; charset=utf-8")
        self.set_header("Content-Security-Policy", policy_of(html))
        self.finish(html)


def handlers_of(names: Mapping[str, str], **shared: Any) -> list[tuple[Any, ...]]:
    """What answers where: each page at its own address, and one refusal at every other.

    Parameters
    ----------
    names
        Name of each page by its address.
    shared
        What `Viewer.initialize` takes, without the name.

    Notes
    -----
    The addresses of a static site, such as ``training.html``, lead to the pages here: a link to a page of the one then
    opens it in the other, too.
    """
    found = [(re.escape(address), Viewer, {**shared, "name": name}) for address, name in names.items()]
    alike = [(re.escape(file), Viewer, {**shared, "leads_to": to}) for file, to in map(_as_in_a_site, names)]
    return [*found, *alike, (r".*", Viewer, shared)]


def _as_in_a_site(address: str) -> tuple[str, str]:
    """The address that a page has in a static site, and what leads from there to the page.

    Examples
    --------
    >>> _as_in_a_site("/figures/training"), _as_in_a_site("/figures/")
    (('/figures/training.html', './training'), ('/figures/index.html', './'))
    """
    folder, _, page = address.rpartition("/")
    return f"{folder}/{page or 'index'}.html", f"./{page}"
