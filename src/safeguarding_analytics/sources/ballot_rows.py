"""The form in which every reader of ballots gives what it read: one row per issue ranked, one per ballot paper."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.contracts import PROBLEMS, no_problems

PAPERS = {
    "file": pl.String,
    "row": pl.Int64,
    "member": pl.String,
    "agency": pl.String,
    "submitted": pl.Int64,
}
"""Columns of ballot papers: one row per paper, also of those that rank nothing.

``file`` is the name of the file, ``row`` that of the paper as a spreadsheet shows it, ``member`` as typed (null where
the paper is anonymous), ``submitted`` a time in seconds since 1970 as a clock on the wall shows it (null where it
is not known).
"""

BALLOT_ROWS = {
    "file": pl.String,
    "row": pl.Int64,
    "column": pl.String,
    "member": pl.String,
    "issue": pl.String,
    "rank": pl.Int64,
}
"""Columns of ballots: one row per issue ranked. ``column`` is the heading below which the rank stands.

A paper is a file and a row: where a paper has rows of its own, as the sheet of one member has, ``row`` is the one of
the issue, and the only paper of the file has the number of its header.
"""


class BallotFile(NamedTuple):
    """One file of ballots as read: people and all, so that nothing of it may be printed or kept.

    ``ballots`` are `BALLOT_ROWS`, ``papers`` `PAPERS`, ``problems`` a report of broken rules whose table is
    `table_of` the file, ``notes`` what was taken for granted, ``digest`` that of its bytes, ``height`` how many of its
    rows could break a rule, ``names`` further texts in it that tell who somebody is.
    """

    ballots: pl.DataFrame
    papers: pl.DataFrame
    problems: pl.DataFrame
    notes: tuple[str, ...]
    digest: str
    height: int
    names: tuple[str, ...] = ()


def table_of(file: str) -> str:
    """What a file of ballots is called in a report on tables.

    Examples
    --------
    >>> table_of("votes.xlsx")
    'ballots: votes.xlsx'
    """
    return f"ballots: {file}"


def ballot_rows(rows: Iterable[Sequence[object]]) -> pl.DataFrame:
    """Issues ranked as a frame of `BALLOT_ROWS`.

    Parameters
    ----------
    rows
        One tuple per issue ranked, in the order of the columns.
    """
    return pl.DataFrame(list(rows), schema=BALLOT_ROWS, orient="row")


def ballot_papers(rows: Iterable[Sequence[object]]) -> pl.DataFrame:
    """Ballot papers as a frame of `PAPERS`.

    Parameters
    ----------
    rows
        One tuple per paper, in the order of the columns.
    """
    return pl.DataFrame(list(rows), schema=PAPERS, orient="row")


def report_rows(
    file: str, column: str | None, rule: str, found: Iterable[tuple[int | None, str | None]]
) -> pl.DataFrame:
    """A report of one broken rule.

    Parameters
    ----------
    file
        Name of the file.
    column
        Heading of the column; None where it is the row.
    rule
        What is wanted.
    found
        Number of each row, and what was found there: never who it is of.

    Examples
    --------
    >>> report_rows("votes.xlsx", "Rank", "a place such as 1", [(4, '"0"')]).row(0)
    ('ballots: votes.xlsx', 4, 'Rank', 'a place such as 1', '"0"')
    """
    rows = [(table_of(file), row, column, rule, said) for row, said in found]
    return pl.concat([no_problems(), pl.DataFrame(rows, schema=PROBLEMS, orient="row")])
