"""Texts that take long to make and are always the same, kept in this user's cache from one run to the next.

Nothing about people is kept here: what is made hangs on versions of programs alone. Who cannot write there makes them
each time.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path
from tempfile import mkstemp


def kept_text(name: str, version: str, make: Callable[[], str]) -> str:
    """A text as it was made before, or as it is made now and then kept.

    Parameters
    ----------
    name
        What it is, as part of the name of a file.
    version
        What it was made with; text of another version is not used, and removed when it is made anew.
    make
        Makes it.

    Returns
    -------
    str
        The text. A file that does not hold what was put there, as it was damaged, is not used.
    """
    from platformdirs import user_cache_path

    folder = user_cache_path("safeguarding_analytics", appauthor=False)
    for path in sorted(folder.glob(f"{name}-{version}-*")):
        with contextlib.suppress(OSError, UnicodeError):
            text = path.read_bytes().decode()
            if path.name == _file_name(name, version, text):
                return text
    text = make()
    with contextlib.suppress(OSError):
        _keep(folder, name, version, text)
    return text


def _file_name(name: str, version: str, text: str) -> str:
    """The name of the file says what must be in it."""
    return f"{name}-{version}-{sha256(text.encode()).hexdigest()}"


def _keep(folder: Path, name: str, version: str, text: str) -> None:
    """Write the text beside and move it into place, and remove what was kept before."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    place = folder / _file_name(name, version, text)
    before = set(folder.glob(f"{name}-*")) - {place}
    opened, beside = mkstemp(prefix=".", dir=folder)
    try:
        with os.fdopen(opened, "wb") as file:
            file.write(text.encode())
        os.replace(beside, place)
    except OSError:
        Path(beside).unlink()
        raise
    for path in before:
        path.unlink(missing_ok=True)
