"""Ballots as PrefLib writes them: ``.soc``, ``.soi``, ``.toc`` and ``.toi`` (strict or tied orders, whole or not)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.contracts import no_problems
from safeguarding_analytics.errors import TableError, nearest
from safeguarding_analytics.sources.ballot_cells import IssueNames
from safeguarding_analytics.sources.ballot_rows import BALLOT_ROWS, PAPERS, BallotFile, report_rows
from safeguarding_analytics.sources.files import digest_of

ORDERS = (".soc", ".soi", ".toc", ".toi")
"""Endings of files of orders."""

OTHERS = (".cat", ".wmd", ".dat", ".wmg", ".mjg", ".mwg", ".tog", ".pwg")
"""Endings of files of PrefLib that hold no orders of single ballots."""

MOST_BALLOTS = 1_000_000

_ALTERNATIVE = re.compile(r"#\s*ALTERNATIVE NAME\s+(\d+)\s*:\s*(.*)", re.IGNORECASE)
_FIELD = re.compile(
    r"#\s*(NUMBER ALTERNATIVES|NUMBER VOTERS|NUMBER UNIQUE ORDERS|DATA TYPE)\s*:\s*(\S+)", re.IGNORECASE
)
_LINE = re.compile(r"(\d{1,9})\s*:\s*(.*)")
_GROUP = re.compile(r"\s*(?:\{([\d\s,]*)\}|(\d+))\s*(?:,|$)")


class _Order(NamedTuple):
    """One line of votes: its number, how many voted so, and the numbers of alternatives, those tied together."""

    line: int
    times: int
    groups: tuple[tuple[int, ...], ...]


class _Election(NamedTuple):
    names: Mapping[int, str]
    fields: Mapping[str, str]
    orders: list[_Order]
    mistakes: list[tuple[int | None, str]]


def preflib_issues(path: Path) -> list[str]:
    """The alternatives of a file, in their order.

    Parameters
    ----------
    path
        A file of orders.

    Raises
    ------
    TableError
        When it is no such file.
    """
    return list(dict.fromkeys(_read(path)[0].names.values()))


def read_preflib(path: Path, names: IssueNames | None = None) -> BallotFile:
    """Read a file of orders; every vote becomes a ballot of its own.

    Parameters
    ----------
    path
        A file of orders: soc, soi, toc or toi.
    names
        The issues; None to take the alternatives of the file.

    Returns
    -------
    BallotFile
        Members are "ballot 1", "ballot 2" … in the order of the lines; ``row`` is the number of the line.

    Raises
    ------
    TableError
        When it is no file of orders, or holds too many votes.

    References
    ----------
    Mattei, N., & Walsh, T. (2013). PrefLib: A library for preferences. Algorithmic Decision Theory, 259-270; format as
    of 2022, with metadata in lines that begin with #.
    """
    election, digest = _read(path)
    name, ending = path.name, path.suffix.lower()
    mistakes = [*election.mistakes, *_wrong_orders(election, ending)]
    issues, unknown = _issues(election.names, names)
    total = sum(order.times for order in election.orders)
    if total > MOST_BALLOTS:
        raise TableError(f"{name}: it holds {total:,} votes. At most {MOST_BALLOTS:,} can be counted.")
    if not mistakes:
        mistakes += _wrong_numbers(election, total)
    reports = [report_rows(name, None, rule, [(line, None)]) for line, rule in mistakes]
    reports += [report_rows(name, None, rule, [(None, found)]) for rule, found in unknown]
    ballots, papers = _expanded([] if mistakes or unknown else election.orders, issues, name)
    return BallotFile(ballots, papers, pl.concat([no_problems(), *reports]), (), digest, len(election.orders))


def _read(path: Path) -> tuple[_Election, str]:
    """The lines of a file, and the digest of its bytes."""
    name, ending = path.name, path.suffix.lower()
    if ending not in ORDERS:
        what = "holds no single ballots" if ending in OTHERS else "is no file of orders of PrefLib"
        raise TableError(f"{name}: a file of this kind {what}. Wanted one of: {', '.join(ORDERS)}.")
    if not path.is_file():
        raise TableError(f"{name}: file not found in {path.parent}. Put it there, or name another file in board.toml.")
    content = path.read_bytes()
    if b"\x00" in content or not content.strip():
        what = "the file is empty" if not content.strip() else "this is not a text file, although its name says so"
        raise TableError(f"{name}: {what}. Wanted lines such as 3: 1,2,{{3,4}}.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = content.decode("cp1252", errors="replace")
    election = _election(text)
    if not election.names:
        raise TableError(
            f'{name}: no line such as "# ALTERNATIVE NAME 1: Neglect" names an alternative. Wanted the format that '
            "PrefLib has had since 2022; files of the earlier one can be downloaded anew."
        )
    return election, digest_of(content)


def _election(text: str) -> _Election:
    names: dict[int, str] = {}
    fields: dict[str, str] = {}
    orders, mistakes = [], []
    for number, line in enumerate(text.splitlines(), start=1):
        plain = line.strip()
        if alternative := _ALTERNATIVE.fullmatch(plain):
            if int(alternative[1]) in names or not alternative[2].strip():
                mistakes.append((number, "a number of its own and a name for each alternative"))
            names[int(alternative[1])] = " ".join(alternative[2].split())
        elif field := _FIELD.match(plain):
            fields[field[1].upper()] = field[2]
        elif plain and not plain.startswith("#"):
            order = _order(number, plain)
            if order is None:
                mistakes.append((number, 'a count and an order, such as "3: 1,2,{3,4}"'))
            else:
                orders.append(order)
    return _Election(names, fields, orders, [*mistakes])


def _order(number: int, line: str) -> _Order | None:
    """A line of votes; None where it is none."""
    found = _LINE.fullmatch(line)
    if found is None or int(found[1]) < 1:
        return None
    groups, rest = [], found[2].strip()
    while rest:
        group = _GROUP.match(rest)
        if group is None:
            return None
        inside = group[1] if group[2] is None else group[2]
        members = [part.strip() for part in inside.split(",")]
        if not all(members):
            return None
        groups.append(tuple(map(int, members)))
        rest = rest[group.end() :].strip()
    return _Order(number, int(found[1]), tuple(groups)) if groups and not found[2].rstrip().endswith(",") else None


def _wrong_orders(election: _Election, ending: str) -> list[tuple[int | None, str]]:
    """Lines whose order is none, or not of the kind that the ending says."""
    mistakes: list[tuple[int | None, str]] = []
    for order in election.orders:
        given = [each for group in order.groups for each in group]
        if any(each not in election.names for each in given):
            mistakes.append((order.line, 'numbers of alternatives that a line "# ALTERNATIVE NAME" names'))
        elif len(set(given)) < len(given):
            mistakes.append((order.line, "each alternative once"))
        elif ending.endswith("c") and len(given) < len(election.names):
            mistakes.append((order.line, f"all alternatives, as in every {ending} file"))
        elif ending.startswith(".s") and len(order.groups) < len(given):
            mistakes.append((order.line, f"no ties, as in every {ending} file"))
    return mistakes


def _wrong_numbers(election: _Election, total: int) -> list[tuple[int | None, str]]:
    """Numbers of the head of a file that its lines do not bear out: it may be cut off."""
    counted = {
        "NUMBER ALTERNATIVES": len(election.names),
        "NUMBER VOTERS": total,
        "NUMBER UNIQUE ORDERS": len(election.orders),
    }
    return [
        (
            None,
            f"as many as # {field} says, {election.fields[field]}, and there are {count:,}. Is the file cut off, or "
            "still being written?",
        )
        for field, count in counted.items()
        if field in election.fields and election.fields[field] != str(count)
    ]


def _issues(written: Mapping[int, str], names: IssueNames | None) -> tuple[dict[int, str], list[tuple[str, str]]]:
    """The issue of each alternative, and alternatives that are none."""
    unknown, issues = [], dict(written)
    if names is not None:
        issues = {number: names.issue_of(text) or "" for number, text in written.items()}
        rule = "alternatives that are issues of the table issues. Give the word under [ballots.issue] in board.toml"
        unknown = [
            (rule, f'"{written[number]}"{nearest(written[number], names.known)}')
            for number, issue in issues.items()
            if not issue
        ]
    twice = sorted({issue for issue in issues.values() if issue and list(issues.values()).count(issue) > 1})
    return issues, [*unknown, *(("alternatives with names of their own", f'"{issue}"') for issue in twice)]


def _expanded(orders: list[_Order], issues: Mapping[int, str], name: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Ballots and papers of lines, each as often as it was cast."""
    lines = pl.DataFrame(
        [(order.line, order.times) for order in orders], schema={"row": pl.Int64, "times": pl.Int64}, orient="row"
    )
    papers = lines.select(pl.col("row").repeat_by("times").explode()).with_columns(
        pl.lit(name).alias("file"),
        pl.format("ballot {}", pl.int_range(1, pl.len() + 1)).alias("member"),
        pl.lit(None, pl.String).alias("agency"),
        pl.lit(None, pl.Int64).alias("submitted"),
    )
    ranked = pl.DataFrame(
        [
            (order.line, issues[number], place)
            for order in orders
            for place, number in _places(order.groups)
        ],
        schema={"row": pl.Int64, "issue": pl.String, "rank": pl.Int64},
        orient="row",
    )  # fmt: skip
    ballots = papers.join(ranked, on="row", maintain_order="left_right")
    return ballots.with_columns(pl.lit(None, pl.String).alias("column")).select(*BALLOT_ROWS), papers.select(*PAPERS)


def _places(groups: tuple[tuple[int, ...], ...]) -> list[tuple[int, int]]:
    return [(place, number) for place, group in enumerate(groups, 1) for number in group]
