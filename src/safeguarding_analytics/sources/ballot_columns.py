"""Ballots with a column per issue, whose cells hold its place: one row per member."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl

from safeguarding_analytics.ballot_settings import BallotsExportSection
from safeguarding_analytics.contracts import no_problems
from safeguarding_analytics.errors import TableError, nearest, shorten
from safeguarding_analytics.sources.ballot_cells import (
    IssueNames,
    names_in,
    papers_of,
    place_of,
    rows_of_ballots,
    say_cells,
    say_not_used,
    say_who,
)
from safeguarding_analytics.sources.ballot_rows import BALLOT_ROWS, BallotFile, report_rows
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.form_sheets import (
    find_form_header,
    is_no_header,
    plain_heading,
    quoted_headings,
    short_heading,
)
from safeguarding_analytics.sources.worksheets import MOST_BEFORE_HEADER, Grid

WANTED = "a place from 1 to {}, such as 1, 2 or 2=, or an empty cell where the issue is not ranked"


def issue_of_heading(heading: str, names: IssueNames) -> str | None:
    """The issue above a column: the whole heading, or what stands in brackets or behind a dash at its end.

    Parameters
    ----------
    heading
        A heading.
    names
        The issues.

    Examples
    --------
    >>> from safeguarding_analytics.sources.ballot_cells import issue_names
    >>> issue_of_heading("Rank the issues [Neglect]", issue_names(["Neglect"], {}))
    'Neglect'
    """
    text = " ".join(heading.replace("_x000D_", " ").split())
    inner = [text[place + 1 : -1] for place, sign in enumerate(text) if sign == "[" and text.endswith("]")]
    behind = [text[place + 3 :] for place in range(len(text)) if text[place : place + 3] in (" - ", " \u2013 ")]
    return next((issue for part in (text, *inner, *behind) if (issue := names.issue_of(part))), None)


def issue_headings(grid: Grid, names: IssueNames) -> dict[str, list[str]]:
    """Headings by issue, of the first row that names the most issues.

    Parameters
    ----------
    grid
        A sheet.
    names
        The issues.
    """
    best: dict[str, list[str]] = {}
    for cells in grid.cells.head(MOST_BEFORE_HEADER).select(*grid.columns).iter_rows():
        found: dict[str, list[str]] = {}
        for cell in cells:
            issue = issue_of_heading(cell, names) if cell else None
            if issue:
                found.setdefault(issue, []).append(cell)
        best = found if len(found) > len(best) else best
    return best


def read_ballot_columns(path: Path, settings: BallotsExportSection, names: IssueNames, grid: Grid) -> BallotFile:
    """Read an export with one row per member and one column per issue.

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
        When the header cannot be found, an issue has no column, or several.
    """
    name = path.name
    columns = {ours: found for ours, found in settings.columns.headings().items() if ours != "ranking"}
    found = issue_headings(grid, names)
    if not found:
        raise TableError(f"no row of the first {MOST_BEFORE_HEADER} names an issue of the table issues above a column.")
    header = find_form_header(grid, columns, found, {})
    of_person = {plain_heading(heading) for each in columns.values() for heading in each}
    others = [written for plain, written in header.written.items() if plain not in of_person]
    _refuse_headings(found, others, names)
    rows, notes = rows_of_ballots(grid, header)
    rows = rows.filter(is_no_header(header, found))
    papers, problems, of_times = papers_of(rows, header, columns, settings.date_order, name)
    ballots, wrong = _places(
        rows, papers, {issue: (str(header.column(h[0])), h[0]) for issue, h in found.items()}, name
    )
    used = [heading for each in (*columns.values(), *found.values()) for heading in each]
    who = names_in(rows, header, columns)
    said = (*grid.notes, *notes, *of_times, *say_who(who, columns), *say_not_used(header, grid, used))
    return BallotFile(ballots, papers, pl.concat([problems, wrong]), said, grid.digest, papers.height, who)


def _refuse_headings(found: Mapping[str, Sequence[str]], others: Sequence[str], names: IssueNames) -> None:
    """Refuse a header in which an issue has no column or several, or a column in brackets is no issue."""
    mistakes = [
        f'"{issue}" stands above {len(headings)} columns. Delete one of them' for issue, headings in found.items()
        if len(headings) > 1
    ]  # fmt: skip
    free = [heading for heading in others if not issue_of_heading(heading, names)]
    missing = [issue for issue in names.issues if issue not in found]
    hints = "".join(nearest(issue, [short_heading(heading) for heading in free]) for issue in missing)
    if missing:
        listed = shorten([f'"{issue}"' for issue in missing], most=30)
        mistakes.append(
            f"no column has the {'issue' if len(missing) == 1 else 'issues'} {listed} above it.{hints} Correct the "
            "heading, or give the word under [ballots.issue] in board.toml"
        )
    questions = {heading.partition("[")[0] for each in found.values() for heading in each if heading.endswith("]")}
    unknown = [heading for heading in free if heading.endswith("]") and heading.partition("[")[0] in questions]
    if unknown:
        mistakes.append(f"{quoted_headings(unknown)} {'is' if len(unknown) == 1 else 'are'} not in the table issues")
    if mistakes:
        raise TableError("; ".join(mistakes) + ".")


def _places(
    rows: pl.DataFrame, papers: pl.DataFrame, columns: Mapping[str, tuple[str, str]], name: str
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Issues with their places, and cells that hold none."""
    cells = pl.concat(
        [
            rows.select(
                pl.col(ROW).alias("row"),
                pl.lit(short_heading(heading)).alias("column"),
                pl.lit(issue).alias("issue"),
                pl.col(column).alias("cell"),
            )
            for issue, (column, heading) in columns.items()
        ]
    ).drop_nulls("cell")
    texts = cells["cell"].unique().to_list()
    places = cells["cell"].replace_strict(
        texts, [place_of(text, len(columns)) for text in texts], default=None, return_dtype=pl.Int64
    )
    read = cells.with_columns(places.alias("rank"))
    wrong = read.filter(pl.col("rank").is_null()).sort("row", maintain_order=True)
    say = say_cells(wrong["cell"], papers["member"], "rank", [])
    wanted = WANTED.format(len(columns))
    reports = [
        report_rows(name, column, wanted, [(row, say[cell]) for row, cell in group.select("row", "cell").iter_rows()])
        for (column,), group in wrong.group_by("column", maintain_order=True)
    ]
    ranked = read.drop_nulls("rank").join(papers, on="row", maintain_order="left").sort("row", maintain_order=True)
    return ranked.select(*BALLOT_ROWS), pl.concat([no_problems(), *reports])
