"""Folders that are built beside their place and moved into it whole: whenever this is stopped, one stands or waits."""

from __future__ import annotations

import contextlib
import ctypes
import os
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from safeguarding_analytics.errors import ParameterError

_NO_FOLDER, _EXCHANGE = -100, 2
"""Of the system's call that renames: that names are whole paths (AT_FDCWD), and RENAME_EXCHANGE."""


@dataclass(frozen=True)
class Kind:
    """What is built beside its place and moved into it as a whole, and how one is told from the folders of others.

    ``name`` with its article; ``marker``, the file that is removed last, so that what is left is still known; whether a
    folder ``is_ours``; what to do if it is not (``another``); whether the old one must be there until the new one is
    (``at_once``), as nothing looks for it elsewhere.
    """

    name: str
    marker: str
    is_ours: Callable[[Path], bool]
    another: str
    at_once: bool = False


def previous(folder: Path) -> Path:
    """Where the previous folder waits while a new one is moved into its place."""
    place = Path(os.path.abspath(folder))  # the name of "." is empty
    return place.parent / f"{place.name}.previous"


def refuse_other_folders(place: Path, kind: Kind) -> None:
    """Raise a `ParameterError` when something of others stands where a folder is to be put: it would be lost.

    Parameters
    ----------
    place
        Where it is to be put. Where the previous one waits meanwhile is looked at, too.
    kind
        What is to be put there.
    """
    for folder in (place, previous(place)):
        if folder.exists() and not kind.is_ours(folder) and any(folder.iterdir()):
            raise ParameterError(
                f"{folder} holds something that is not {kind.name} and would be lost. {kind.another}, or move it away."
            )


def replace_folder(built: Path, place: Path, kind: Kind) -> None:
    """Move a finished folder into its place; if this is stopped half-way, the old one is at `previous`.

    Parameters
    ----------
    built
        The finished folder, beside its place.
    place
        Where it is to stand.
    kind
        What it is. One that strangers read file by file changes places with the old one in a
        single step where the system can do that, so that there is no moment without it; the old one is then removed
        from where the new one was built.

    Raises
    ------
    ParameterError
        When something of others would be lost.
    OSError
        When the system refuses, as Windows does while another program has a file open; the old folder is put back.
    """
    refuse_other_folders(place, kind)
    if kind.at_once and place.exists() and exchange(built, place):
        _remove(built, kind)
        return
    old = previous(place)
    if place.exists():
        _remove(old, kind)
        place.rename(old)
    try:
        built.rename(place)
    except OSError:
        with contextlib.suppress(OSError):  # where even this is refused, the old one opens from where it is
            old.rename(place)
        raise
    _remove(old, kind)


def exchange(one: Path, other: Path) -> bool:
    """Let two folders of one disk change places in a single step.

    Parameters
    ----------
    one, other
        The two folders.

    Returns
    -------
    bool
        Whether they did. Of the systems in use Linux can do it, on most kinds of disk.
    """
    try:
        rename = ctypes.CDLL(None).renameat2
    except (AttributeError, OSError, TypeError):  # no such function, no such library, no such system
        return False
    names = [os.fsencode(os.path.abspath(path)) for path in (one, other)]
    return bool(rename(_NO_FOLDER, names[0], _NO_FOLDER, names[1], _EXCHANGE) == 0)


def _remove(folder: Path, kind: Kind) -> None:
    """Remove a folder, its marker last: what is left when this is stopped is still known as ours."""
    if folder.exists():
        for path in folder.iterdir():
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif path.name != kind.marker:
                with contextlib.suppress(OSError):  # a file is open on Windows
                    path.unlink()
        shutil.rmtree(folder, ignore_errors=True)
