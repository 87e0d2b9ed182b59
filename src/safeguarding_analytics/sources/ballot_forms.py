"""Ballots in which one cell holds all issues in order, as the ranking question of Microsoft Forms exports them.

Semicolons separate the issues, and may stand in their names: a cell is taken apart by the names of all issues.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.ballot_settings import BallotsExportSection
from safeguarding_analytics.contracts import no_problems
from safeguarding_analytics.errors import TableError
from safeguarding_analytics.sources.ballot_cells import (
    IssueNames,
    names_in,
    papers_of,
    plain_issue,
    rows_of_ballots,
    say_cells,
    say_not_used,
    say_who,
)
from safeguarding_analytics.sources.ballot_rows import BallotFile, ballot_rows, report_rows
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.form_sheets import (
    cells_below,
    find_form_header,
    is_no_header,
    quoted_headings,
    short_heading,
)
from safeguarding_analytics.sources.worksheets import FILLED, Grid, say_rows

MOST_TRIED = 10_000
"""Ways to take a cell apart that are looked at before it is called ambiguous."""

BY_SEMICOLONS = "columns are separated by semicolons"
"""What is noted of a text file of that kind."""

MOST_LOOKED_AT = 50
"""Rows of a sheet that tell whether one of its columns holds rankings."""

WANTED = (
    "issues of the table issues in order, the most important first, with a semicolon behind each; other words for them "
    "stand under [ballots.issue] in board.toml"
)


class Ranking(NamedTuple):
    """A cell taken apart: its issues in order, texts that are none, and whether there are several ways to read it."""

    issues: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    ambiguous: bool = False

    @property
    def twice(self) -> bool:
        """Whether an issue stands in it more than once."""
        return len(set(self.issues)) < len(self.issues)


def take_apart(cell: str, names: IssueNames) -> Ranking:
    """Find the issues of a cell such as ``A;B;C;``, in which issues may hold semicolons themselves.

    Parameters
    ----------
    cell
        Issues in order, separated by semicolons.
    names
        The issues.

    Returns
    -------
    Ranking
        ``issues`` are all that are known. Where several readings fit, the only one in which no issue stands twice is
        taken; if there are several of these, or none, the cell is ambiguous.

    Examples
    --------
    >>> from safeguarding_analytics.sources.ballot_cells import issue_names
    >>> names = issue_names(["Abuse; at home", "Neglect"], {})
    >>> take_apart("neglect;Abuse; at home;", names).issues
    ('Neglect', 'Abuse; at home')
    """
    written = [part for part in cell.split(";") if plain_issue(part)]
    parts = list(map(plain_issue, written))
    by_parts = names.by_parts
    longest = max(map(len, by_parts), default=0)
    ways = [0] * len(parts) + [1]
    for place in reversed(range(len(parts))):
        ways[place] = sum(ways[end] for end, _ in _matches(parts, place, by_parts, longest))
    if parts and not ways[0]:
        return _as_far_as_known(written, parts, by_parts, longest)
    if ways[0] == 1:
        return Ranking(_only_reading(parts, by_parts, longest, ways))
    readings = _readings(parts, by_parts, longest, ways)
    tried = [issues for issues, _ in zip(readings, range(MOST_TRIED), strict=False)]
    single = list(dict.fromkeys(issues for issues in tried if len(set(issues)) == len(issues)))
    return Ranking(single[0]) if len(single) == 1 and ways[0] <= MOST_TRIED else Ranking(tried[0], ambiguous=True)


def _matches(
    parts: Sequence[str], place: int, by_parts: Mapping[tuple[str, ...], str], longest: int
) -> list[tuple[int, str]]:
    """Issues that stand at a place: where each ends, and its name; the longest first."""
    ends = range(min(place + longest, len(parts)), place, -1)
    return [(end, by_parts[found]) for end in ends if (found := tuple(parts[place:end])) in by_parts]


def _readings(
    parts: Sequence[str], by_parts: Mapping[tuple[str, ...], str], longest: int, ways: Sequence[int]
) -> Iterator[tuple[str, ...]]:
    """Every way to take a cell apart into known issues."""
    waiting: list[tuple[int, tuple[str, ...]]] = [(0, ())]
    while waiting:
        place, issues = waiting.pop()
        if place == len(parts):
            yield issues
            continue
        for end, issue in reversed(_matches(parts, place, by_parts, longest)):
            if ways[end]:
                waiting.append((end, (*issues, issue)))


def _only_reading(
    parts: Sequence[str], by_parts: Mapping[tuple[str, ...], str], longest: int, ways: Sequence[int]
) -> tuple[str, ...]:
    """The way to take a cell apart, where there is one."""
    issues, place = [], 0
    while place < len(parts):
        place, issue = next(each for each in _matches(parts, place, by_parts, longest) if ways[each[0]])
        issues.append(issue)
    return tuple(issues)


def _as_far_as_known(
    written: Sequence[str], parts: Sequence[str], by_parts: Mapping[tuple[str, ...], str], longest: int
) -> Ranking:
    """What is known of a cell that holds more than issues."""
    issues, unknown, place = [], [], 0
    while place < len(parts):
        found = _matches(parts, place, by_parts, longest)[:1]
        if found:
            issues.append(found[0][1])
        else:
            unknown.append(" ".join(written[place].split()))
        place = found[0][0] if found else place + 1
    return Ranking(tuple(issues), tuple(unknown))


def ranking_headings(grid: Grid, names: IssueNames) -> list[str]:
    """Headings of the columns whose cells hold several issues each; of those that hold one, where none holds several.

    Parameters
    ----------
    grid
        A sheet.
    names
        The issues.
    """
    several, single = [], []
    for column in grid.columns:
        cells = grid.cells.head(MOST_LOOKED_AT)[column].drop_nulls().to_list()
        read = [take_apart(cell, names) for cell in cells if ";" in cell]
        if any(ranking.ambiguous or len(set(ranking.issues)) > 1 for ranking in read):
            several.append(cells[0])
        elif any(cell.endswith(";") and take_apart(cell, names).issues for cell in cells):
            single.append(cells[0])
    return several or single


def read_ballot_form(path: Path, settings: BallotsExportSection, names: IssueNames, grid: Grid) -> BallotFile:
    """Read an export with one row per response and all issues in one cell.

    Parameters
    ----------
    path
        The file.
    settings
        Section ``[ballots_export]`` of `board.toml`.
    names
        The issues.
    grid
        The sheet, as `read_ballot_sheet` gives it.

    Returns
    -------
    BallotFile
        Row-level data: nothing of it may be printed or published.

    Raises
    ------
    TableError
        When the header, or the column with the issues, cannot be found.
    """
    name, columns = path.name, settings.columns.headings()
    columns = columns if "ranking" in columns else columns | {"ranking": _only_ranking(grid, names)}
    header = find_form_header(grid, columns, {}, {})
    rows, notes = rows_of_ballots(grid, header)
    rows = rows.filter(is_no_header(header, columns))
    papers, problems, of_times = papers_of(rows, header, columns, settings.date_order, name)
    cells = rows.select(ROW, cells_below(header, columns["ranking"]).alias("cell"), papers["member"]).drop_nulls("cell")
    heading = short_heading(" and ".join(columns["ranking"]))
    ballots, wrong = _rankings(cells, names, name, heading)
    used = [heading for found in columns.values() for heading in found]
    who = names_in(rows, header, columns)
    said = (*grid.notes, *notes, *of_times, *say_who(who, columns), *say_not_used(header, grid, used))
    return BallotFile(ballots, papers, pl.concat([problems, wrong]), said, grid.digest, papers.height, who)


def refuse_split_rankings(grid: Grid, names: IssueNames) -> None:
    """Refuse a text file in which semicolons separate the columns as well as the issues within a cell.

    Parameters
    ----------
    grid
        A sheet.
    names
        The issues.

    Raises
    ------
    TableError
        When rows go on behind the last heading, and name several issues, one to a cell.
    """
    if BY_SEMICOLONS not in grid.notes:
        return
    rows = grid.cells.filter(pl.col(FILLED) > 1).select(ROW, *grid.columns).iter_rows()
    cells_of = {row: [cell or "" for cell in cells] for row, *cells in rows}
    lengths = {row: max(place for place, cell in enumerate(cells) if cell) for row, cells in cells_of.items()}
    header = next(iter(lengths.values()), 0)
    split = [
        row
        for row, cells in cells_of.items()
        if lengths[row] > header and sum(map(bool, map(names.issue_of, cells))) > 1
    ]
    if split:
        raise TableError(
            f"{say_rows(split)} {'goes' if len(split) == 1 else 'go'} on behind the last heading, with one issue to a "
            "cell: semicolons separate both the columns of this file and the issues within a cell, and no quotation "
            "marks hold a cell together. Export it as a workbook (.xlsx), or with commas between the columns."
        )


def _only_ranking(grid: Grid, names: IssueNames) -> list[str]:
    """Heading of the only column whose cells hold issues."""
    found = ranking_headings(grid, names)
    if any(take_apart(heading, names).issues for heading in found):
        raise TableError("there is no header above the issues. Wanted the questions of the form in the first row.")
    if len(found) == 1:
        return found
    what = f"{quoted_headings(found)} hold several issues each" if found else "no column holds several issues in a cell"
    raise TableError(
        f'{what}. Name the question in which the issues were ranked: ranking = "…" under [ballots_export.columns] in '
        "board.toml."
    )


def _rankings(cells: pl.DataFrame, names: IssueNames, name: str, heading: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Issues with their places, and what is wrong with the cells."""
    ballots, unknown, ambiguous, twice = [], [], [], []
    read = {cell: take_apart(cell, names) for cell in cells["cell"].unique().to_list()}
    for row, cell, member in cells.iter_rows():
        ranking = read[cell]
        unknown += [(row, text) for text in ranking.unknown]
        if ranking.ambiguous:
            ambiguous.append((row, None))
        elif ranking.twice:
            repeated = [issue for issue in names.issues if ranking.issues.count(issue) > 1]
            twice += [(row, f'"{issue}"') for issue in repeated]
        elif not ranking.unknown:
            ballots += [(name, row, heading, member, issue, rank) for rank, issue in enumerate(ranking.issues, 1)]
    say = say_cells([text for _, text in unknown], cells["member"], "issue", names.known)
    can_be_read = "a cell that can be read in one way only: with these names of issues it can be read in several"
    reports = [
        report_rows(name, heading, WANTED, [(row, say[text]) for row, text in unknown]),
        report_rows(name, heading, can_be_read, ambiguous),
        report_rows(name, heading, "each issue once", twice),
    ]
    return ballot_rows(ballots), pl.concat([no_problems(), *reports])
