"""Who may look at a dashboard, and under which addresses: tokens, names of this computer, the address before pages."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping, Sequence
from hashlib import sha256
from secrets import compare_digest, token_urlsafe
from typing import Literal
from urllib.parse import urlsplit

from safeguarding_analytics.errors import ParameterError

TOKEN = "SAFEGUARDING_TOKEN"  # noqa: S105  # the name of a variable, not a token
"""Environment variable that holds the token that viewers must have; there it is in no list of processes."""

SHORTEST = 16
"""Characters of a token: fewer could be guessed."""

COOKIE = "safeguarding_"
"""How the name of the cookie begins that a viewer gets in exchange for a token."""

GAP = 0.5
"""Seconds that pass between the answers to two wrong tokens."""

LONGEST = 15.0
"""Seconds that the answer to a wrong token waits at most."""

Verdict = Literal["let in", "by link", "no token", "wrong token"]


def checked_token(text: str) -> str:
    """A token, as it was given.

    Parameters
    ----------
    text
        What the environment variable holds.

    Raises
    ------
    ParameterError
        When it is too short, or could not stand in an address. The message does not hold it.
    """
    if len(text) < SHORTEST:
        raise ParameterError(
            f"{TOKEN}: the token has {len(text)} characters and needs at least {SHORTEST}. Make one with: "
            'python -c "import secrets; print(secrets.token_urlsafe())"'
        )
    if not re.fullmatch(r"[A-Za-z0-9._~-]+", text):
        raise ParameterError(
            f"{TOKEN}: the token has characters that an address cannot hold. "
            "Use letters A to Z, digits, and any of . _ ~ -"
        )
    return text


def new_token() -> str:
    """A token that nobody can guess."""
    return token_urlsafe(24)


def checked_base_url(text: str) -> str:
    """The address before all pages, as it was given.

    Parameters
    ----------
    text
        Such as ``"/figures/"``; ``"/"`` where the pages have the server for themselves.

    Raises
    ------
    ParameterError
        When it does not begin and end with a slash, or holds what has another meaning in an address.

    Examples
    --------
    >>> checked_base_url("/figures/")
    '/figures/'
    """
    parts = text.split("/")[1:-1]
    plain = all(re.fullmatch(r"[A-Za-z0-9._~-]+", part) and not re.fullmatch(r"\.+", part) for part in parts)
    if not (text.startswith("/") and text.endswith("/") and plain):
        raise ParameterError(
            f'--base-url "{text}": this cannot stand before the addresses of pages. '
            "It begins and ends with a slash, with letters A to Z, digits and any of . _ ~ - "
            "between slashes, such as /figures/."
        )
    return text


def checked_site(text: str) -> str:
    """The address of the static site, as it was given; empty where there is none.

    Raises
    ------
    ParameterError
        When it is no address of a website.
    """
    try:
        found = urlsplit(text)
        right = found.scheme in ("http", "https") and found.hostname and not re.search(r"[\s\"'<>\\]", text)
    except ValueError:
        right = False
    if text and not right:
        raise ParameterError(
            f'--static-site "{text}": this is no address of a website. Give it whole, such as https://figures.example.org/.'
        )
    return text


def is_own_name(host: str) -> bool:
    """Whether a request asks for this computer by a name that only this computer has.

    A page of another site could otherwise read this one, by giving its own name the address 127.0.0.1.

    Parameters
    ----------
    host
        The header ``Host``, with or without a port.

    Examples
    --------
    >>> is_own_name("127.0.0.1:8866"), is_own_name("localhost"), is_own_name("[::1]:8866"), is_own_name("board.example")
    (True, True, True, False)
    """
    found = re.fullmatch(r"(\[[0-9a-fA-F:]+\]|[A-Za-z0-9.-]+)(:\d{1,5})?", host)
    if not found:
        return False
    name = found[1].strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def is_own_origin(origin: str | None, host: str) -> bool:
    """Whether a request comes from a page of this dashboard, or from none.

    Parameters
    ----------
    origin
        The header ``Origin``; None: there is none, as where an address is typed or a link is followed.
    host
        The header ``Host``.
    """
    return origin is None or origin in (f"http://{host}", f"https://{host}")


def _digest(given: bytes) -> bytes:
    return sha256(given).digest()


class Access:
    """Whether a viewer has the token, if one is asked for.

    Parameters
    ----------
    token
        The token; empty: everybody is let in.

    Notes
    -----
    A token is compared in a time that does not depend on what is right about it. The cookie holds a digest of it, under
    a name of its own for each token, so that two dashboards on one computer keep out of each other's way.
    """

    def __init__(self, token: str = "") -> None:
        self._token = _digest(token.encode()) if token else b""
        cookie = _digest(b"cookie" + self._token).hex()
        self.cookie = f"{COOKIE}{cookie[:8]}", cookie[8:]
        self._free_at = 0.0

    def judge(self, header: str, query: Sequence[bytes], cookies: Mapping[str, str]) -> Verdict:
        """What becomes of a request.

        Parameters
        ----------
        header
            The header ``Authorization``; empty: there is none.
        query
            The tokens in the address.
        cookies
            The cookies by name.
        """
        if not self._token:
            return "let in"
        if any(self._is_right(each) for each in query):
            return "by link"
        name, value = self.cookie
        scheme, _, given = header.partition(" ")
        bearer = [given.strip().encode("utf-8", "replace")] if scheme.lower() == "bearer" else []
        if any(map(self._is_right, bearer)) or compare_digest(
            _digest(cookies.get(name, "").encode()), _digest(value.encode())
        ):
            return "let in"
        tried = query or bearer or any(each.startswith(COOKIE) for each in cookies)
        return "wrong token" if tried else "no token"

    def _is_right(self, given: bytes) -> bool:
        return compare_digest(_digest(given), self._token)

    def wait(self, now: float) -> float | None:
        """Seconds until a wrong token may be answered; None: so many came that it is refused at once.

        Whoever has the right one never waits: a token is too long to be guessed, and must not be locked out by others.

        Parameters
        ----------
        now
            Seconds of a clock that only goes forward.
        """
        free_at = max(self._free_at, now) + GAP
        if free_at - now > LONGEST:
            return None
        self._free_at = free_at
        return free_at - now
