"""What can go wrong because of a user's input, and how the message is worded."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Sequence
from difflib import get_close_matches
from pathlib import Path
from subprocess import list2cmdline


class SafeguardingError(Exception):
    """A problem the user can mend. The command line prints its text and no traceback."""


class TableError(SafeguardingError):
    """A table that cannot be read, or that breaks its contract."""


class ParameterError(SafeguardingError):
    """A parameter, or a question the given data cannot answer."""


class DisclosureError(SafeguardingError):
    """A table that cannot be published without giving a hidden number away."""


PROGRAM = "safeguarding"
"""What messages call the program."""

_COMMAND = re.compile(rf"(?m)(^[ \d.]*|: +){PROGRAM}(?= [a-z]+(?:[ .,]|$))")
"""A command in a message: at the beginning of a line or behind a colon."""

_HIDDEN = re.compile(r"\.(?P<place>.+?)(?:-being-[a-z]+-[0-9a-f]{8}-\d+(?:-stopped)?|\.(?P<process>\d+))")
"""Name of a folder or file in which something is built beside its place."""


def program_called(called: str) -> str:
    """The program as a user can call it again, from what it was called by (``sys.argv[0]``).

    Examples
    --------
    >>> program_called(".venv/bin/safeguarding"), program_called("our tools/bin/safeguarding")
    ('.venv/bin/safeguarding', "'our tools/bin/safeguarding'")
    >>> program_called("/usr/lib/python3/site-packages/safeguarding_analytics/cli.py")
    'safeguarding'
    """
    path = Path(called)
    found = shutil.which(PROGRAM)
    if path.stem != PROGRAM or path.name == called or (found and Path(found).resolve() == path.resolve()):
        return PROGRAM
    return quoted(called)


def quoted(word: object) -> str:
    """A word, such as a path, as it stands in a command that is to be typed or pasted."""
    return list2cmdline([str(word)]) if os.name == "nt" else shlex.quote(str(word))


def as_called(message: str, called: str) -> str:
    """A message whose commands call the program as the user did.

    Parameters
    ----------
    message
        What is to be said. A command in it stands at the beginning of a line or behind a colon.
    called
        What the program was called by (``sys.argv[0]``).

    Examples
    --------
    >>> as_called("There is no key. Make one with: safeguarding key board", ".venv/bin/safeguarding")
    'There is no key. Make one with: .venv/bin/safeguarding key board'
    """
    program = program_called(called)
    return _COMMAND.sub(lambda found: found[1] + program, message)


_ANY_DISK = "the disk of the output, or on that of the temporary folder"


def say_system_error(error: OSError) -> str:
    """What the system refused, in a sentence that names the file where that is known.

    Examples
    --------
    >>> say_system_error(OSError(errno.ENOSPC, "No space left on device", "out/release"))
    'out/release: there is no space left on its disk. Make room, and run it again.'
    >>> say_system_error(FileNotFoundError(errno.ENOENT, "No such file or directory", "board"))
    'board: No such file or directory'
    >>> say_system_error(PermissionError(errno.EACCES, "Permission denied", "out/.site-being-built-0123abcd-77/x"))
    'out/site: you may not read or write it. Ask whoever looks after it, or choose another folder.'
    """
    said = {
        errno.ENOSPC: "there is no space left on {disk}. Make room, and run it again.",
        errno.EDQUOT: "there is no space left for you on {disk}. Make room, and run it again.",
        errno.EACCES: "you may not read or write it. Ask whoever looks after it, or choose another folder.",
        errno.ENOTDIR: "a file stands where a folder should be. Choose another folder.",
        errno.EROFS: "its disk can only be read. Choose another folder.",
    }
    sentence = said.get(error.errno or 0)
    if not error.filename:
        return sentence.format(disk=_ANY_DISK) if sentence and "{disk}" in sentence else str(error)
    return f"{_place_of(str(error.filename))}: {sentence.format(disk='its disk') if sentence else error.strerror}"


def _place_of(path: str) -> str:
    """A path, or, of what is built in a hidden folder or file, the place for which it is built."""
    parts = Path(path).parts
    for number, part in enumerate(parts):
        hidden = _HIDDEN.fullmatch(part)
        if hidden and hidden["process"] in (None, str(os.getpid())):
            return str(Path(*parts[:number], hidden["place"]))
    return path


def nearest(word: str, allowed: Sequence[str]) -> str:
    """Return `` Did you mean "x"?`` for the nearest allowed word, or an empty string.

    Examples
    --------
    >>> nearest("statuss", ["status", "person"])
    ' Did you mean "status"?'
    >>> nearest("zzz", ["status"])
    ''
    """
    found = nearest_of(word, allowed)
    return f' Did you mean "{found}"?' if found else ""


def nearest_of(word: str, allowed: Sequence[str]) -> str:
    """The allowed word that is most like another; an empty string where none is like it.

    Examples
    --------
    >>> nearest_of("Sesion", ["person", "session"]), nearest_of("zzz", ["status"])
    ('session', '')
    """
    by_lower = {candidate.casefold(): candidate for candidate in allowed}
    found = get_close_matches(word.casefold(), list(by_lower), n=1, cutoff=0.6)
    return by_lower[found[0]] if found else ""


def shorten(values: Sequence[object], most: int = 5) -> str:
    """Join the first few values, and say how many more there are.

    Examples
    --------
    >>> shorten([14, 15, 902])
    '14, 15, 902'
    >>> shorten(range(8), most=3)
    '0, 1, 2 and 5 more'
    """
    listed = ", ".join(str(value) for value in values[:most])
    return f"{listed} and {len(values) - most:,} more" if len(values) > most else listed


def numbered(count: int, noun: str) -> str:
    """A count with its noun, which takes an s where there is not exactly one.

    Examples
    --------
    >>> numbered(1, "hidden row"), numbered(1200, "table")
    ('1 hidden row', '1,200 tables')
    """
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def in_words(items: list[str]) -> str:
    """Join items as they are joined in a sentence.

    Parameters
    ----------
    items
        One or more.

    Returns
    -------
    str
        Commas between them, "and" before the last.

    Examples
    --------
    >>> in_words(["Neglect", "Missing Children", "Self-harm"])
    'Neglect, Missing Children and Self-harm'
    """
    return " and ".join([", ".join(items[:-1]), items[-1]] if len(items) > 1 else items)


def require_columns(columns: Sequence[str], needed: Sequence[str], table: str) -> None:
    """Raise a `TableError` that names every needed column that is missing, with the nearest name found."""
    missing = [name for name in needed if name not in columns]
    if missing:
        hints = "".join(nearest(name, columns) for name in missing)
        raise TableError(
            f"{table}: {'column' if len(missing) == 1 else 'columns'} {', '.join(missing)} missing. "
            f"Found: {', '.join(columns) or 'no column'}.{hints}"
        )
