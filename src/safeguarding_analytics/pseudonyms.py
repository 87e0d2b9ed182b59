"""Keyed pseudonyms: who has the key can make them again, who has not cannot guess whose they are."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from pathlib import Path
from typing import NoReturn

import polars as pl

from safeguarding_analytics.errors import ParameterError, TableError

KEY_BYTES = 32
DIGITS = 20
"""Hexadecimal digits of a pseudonym: two of a million people share one with a chance of 1 in 10¹²."""

AT_ONCE = 10_000
"""Rows that get pseudonyms together: what is kept meanwhile does not grow with the table."""


class Key:
    """A secret key. It is never shown: not as text, not in an error, and it cannot be stored with other objects."""

    __slots__ = ("_keyed", "_secret")

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._keyed = hashlib.blake2b(key=secret, digest_size=DIGITS // 2)

    def __repr__(self) -> str:
        return "Key(not shown)"

    def __reduce__(self) -> NoReturn:
        raise TypeError("a key is not to be stored with other objects")

    def pseudonym(self, value: str) -> str:
        """The pseudonym of one value, which is trimmed and case-folded first."""
        return self.pseudonyms({value})[value]

    def pseudonyms(self, values: set[str]) -> dict[str, str]:
        """The pseudonym of each of some values."""
        found, copy = {}, self._keyed.copy
        for value in values:
            keyed = copy()
            keyed.update(value.strip().casefold().encode())
            found[value] = "P" + keyed.hexdigest()
        return found

    def hexadecimal(self) -> str:
        """The key as its file holds it, to look for it where it must not stand."""
        return self._secret.hex()


PSEUDONYM = r"^P[0-9a-f]{20}$"
"""What a pseudonym looks like."""


def pseudonyms(series: pl.Series, key: Key) -> pl.Series:
    """Replace what identifies people by pseudonyms.

    Parameters
    ----------
    series
        E-mail addresses, learner numbers or other text, one value per row.
    key
        The key of the board, as `read_key` gives it.

    Returns
    -------
    pl.Series
        One pseudonym per row, in the same order and under the same name: "P" and 20 hexadecimal digits; null stays
        null. Still one per person, so not suppressed.

    Notes
    -----
    Keyed BLAKE2b of the value, trimmed and case-folded: the same person and key give the same pseudonym in every
    export, another key gives others. Without the key nobody can try out addresses, as one could with a plain hash.
    Two addresses of one person give two pseudonyms.

    References
    ----------
    RFC 7693, The BLAKE2 Cryptographic Hash and Message Authentication Code (2015), section 2.

    Examples
    --------
    >>> import polars as pl
    >>> found = pseudonyms(pl.Series("person", ["Ann@a.uk ", "ann@a.uk", "bo@a.uk", None]), Key(bytes(32)))
    >>> found[0] == found[1], found[0] == found[2], found[3], len(found[0])
    (True, False, None, 21)
    """
    parts = [pl.Series(series.name, [], pl.String)]
    for piece in series.to_frame().iter_slices(AT_ONCE):
        values = piece.to_series().to_list()
        found = key.pseudonyms({value for value in values if value is not None})
        parts.append(pl.Series(series.name, map(found.get, values), pl.String))
    return pl.concat(parts)


def write_key(path: str | Path) -> Path:
    """Write a new key, drawn at random, into a file that only its owner may read.

    Parameters
    ----------
    path
        The file, which must not stand there yet.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ParameterError
        When the file is there already: a new key would give everybody a new pseudonym; or when it cannot be written.

    Notes
    -----
    32 bytes as 64 hexadecimal digits. Keep a copy where the board keeps its secrets: people are matched from one
    export to the next, and to the questionnaires, only by the same key.
    """
    place = Path(path)
    try:
        handle = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL, stat.S_IRUSR | stat.S_IWUSR)
    except FileExistsError:
        raise ParameterError(
            f"{place.name}: there is a key already, and it stays: with a new one every person would get another "
            "pseudonym. Nothing was written. If you mean it, move the old key away first."
        ) from None
    except OSError as error:
        raise ParameterError(
            f"{place.name}: the key cannot be written ({(error.strerror or 'unknown reason').lower()}). "
            "Nothing was written. Name a folder that is there and in which you may write."
        ) from None
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
    return place


def read_key(path: Path, folder: Path) -> Key:
    """Read the key of a board.

    Parameters
    ----------
    path
        The file of the key.
    folder
        The board's folder, for the command that makes a key.

    Raises
    ------
    TableError
        When there is no key, or the file holds something else. What it holds is never said.
    """
    if not path.is_file():
        raise TableError(
            f"the key {path.name}, by which people get pseudonyms, is not there. "
            f"Copy the board's key to its place, or make a first one with: safeguarding key {folder.name or folder}"
        )
    try:
        text = path.read_bytes().decode("ascii").strip()
    except (OSError, UnicodeDecodeError):
        text = ""
    if not re.fullmatch(rf"[0-9a-fA-F]{{{2 * KEY_BYTES}}}", text):
        raise TableError(
            f"the key {path.name} does not hold {2 * KEY_BYTES} hexadecimal digits, as a key does. "
            f"Copy the board's key to its place; a file that never was a key may be moved away, and a first key made "
            f"with: safeguarding key {folder.name or folder}"
        )
    return Key(bytes.fromhex(text))


def others_can_read(path: Path) -> bool:
    """Whether others than the owner may read a file (never known of a file on Windows)."""
    return os.name == "posix" and bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))
