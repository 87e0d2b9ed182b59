"""What a table of sessions may hide: courses that were renamed, sessions without a place."""

from __future__ import annotations

import re
from difflib import SequenceMatcher

import polars as pl

from safeguarding_analytics.errors import numbered
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.worksheets import say_rows

ALIKE = 0.75
"""From this similarity on, 0 to 1, two names may be those of one course."""

MOST_COURSES = 400
"""Among more courses, names are not compared."""


def say_sessions(sessions: pl.DataFrame) -> list[str]:
    """What to look at in a table of sessions. Nothing is changed.

    Parameters
    ----------
    sessions
        session, course, date, capacity, and `ROW`.

    Examples
    --------
    >>> from datetime import date
    >>> sessions = pl.DataFrame({
    ...     "course": ["Core course", "Core courses"], "date": [date(2011, 5, 1), date(2011, 9, 1)],
    ...     "capacity": [20, 0], "row_number": [2, 3],
    ... })
    >>> say_sessions(sessions)[0]
    '1 session has a capacity of 0, so that its take-up is not known: row 3'
    >>> say_sessions(sessions)[1][-72:]
    'add "Core course" = "Core courses" under [sessions.course] in board.toml'
    """
    without = sessions.filter(pl.col("capacity") == 0)[ROW].to_list()
    notes = []
    if without:
        its = "has a capacity of 0, so that its" if len(without) == 1 else "have a capacity of 0, so that their"
        notes.append(f"{numbered(len(without), 'session')} {its} take-up is not known: {say_rows(without)}")
    return notes + _renamed(sessions)


def _renamed(sessions: pl.DataFrame) -> list[str]:
    courses = (
        sessions.filter(pl.col("course").is_not_null() & pl.col("date").is_not_null())
        .group_by("course")
        .agg(pl.col("date").min().alias("first"), pl.col("date").max().alias("last"))
        .sort("first", "course")
        .rows()
    )
    if len(courses) > MOST_COURSES:
        return []
    return [
        f'courses "{old}" (until {ended}) and "{new}" (from {began}) have similar names and never overlap: if one was '
        f'renamed, add "{old}" = "{new}" under [sessions.course] in board.toml'
        for place, (old, _, ended) in enumerate(courses)
        for new, began, _ in courses[place + 1 :]
        if ended < began and _alike(old, new)
    ]


def _alike(one: str, other: str) -> bool:
    """Whether names are alike but for their numbers and single letters: "Part A" and "Part B" are two courses."""
    first, second = _plain(one), _plain(other)
    marks = r"\b(?:\d+|[a-z]|[ivx]+)\b"
    if re.findall(marks, first) != re.findall(marks, second):
        return False
    matcher = SequenceMatcher(None, first, second, autojunk=False)
    return matcher.real_quick_ratio() >= ALIKE and matcher.quick_ratio() >= ALIKE and matcher.ratio() >= ALIKE


def _plain(name: str) -> str:
    return " ".join(re.sub(r"[\W_]+", " ", name.casefold().replace("&", " and ")).split())
