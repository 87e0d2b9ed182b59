"""Sheets of ballots as they come: the issues by the names members see, the cells below a header, who voted and when.

No cell is ever quoted in a message unless it resembles the name of an issue, or stands on several ballots.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import polars as pl

from safeguarding_analytics.contracts import no_problems, say_values
from safeguarding_analytics.errors import TableError, numbered, shorten
from safeguarding_analytics.sources.ballot_rows import PAPERS, report_rows
from safeguarding_analytics.sources.bookings import ANONYMOUS
from safeguarding_analytics.sources.export_dates import Order, clock_seconds, parse_days
from safeguarding_analytics.sources.files import ROW, digest_of, read_content, read_records
from safeguarding_analytics.sources.form_answers import plain_answer
from safeguarding_analytics.sources.form_sheets import (
    FormHeader,
    cells_below,
    plain_heading,
    read_form_sheet,
    short_heading,
)
from safeguarding_analytics.sources.forms import OF_FORMS
from safeguarding_analytics.sources.worksheets import FILLED, FIRST, Grid, say_rows
from safeguarding_analytics.tables import PLACEHOLDERS, Ballots, Sessions

BINARY = (".xlsx", ".xlsm", ".parquet")
"""Endings of files that cannot be read at all while they are being written."""

_SUMS = r"(?i)^((grand|sub|over)[ -]?)?(all|totals?|sums?|averages?|means?|medians?)( (rank|score|point|place)s?)?:?$"

_PLACE = re.compile(r"=?\s*0*([1-9][0-9]{0,3})(?:\.0+)?\s*(?:st|nd|rd|th)?\s*=?", re.IGNORECASE)


@dataclass(frozen=True)
class IssueNames:
    """The issues of the ballot paper, found by whatever stands for them: their names, and the board's words."""

    issues: tuple[str, ...]
    plain: Mapping[str, str]

    def issue_of(self, text: str) -> str | None:
        """The issue a text names, whatever its case, spaces, quotation marks and dashes."""
        return self.plain.get(plain_issue(text))

    @cached_property
    def by_parts(self) -> Mapping[tuple[str, ...], str]:
        """The issues by what stands between the semicolons of whatever stands for them."""
        found = ((tuple(filter(None, map(plain_issue, text.split(";")))), issue) for text, issue in self.plain.items())
        return {parts: issue for parts, issue in found if parts}

    @property
    def known(self) -> list[str]:
        """All names that are known, to find the nearest one; of two that read the same the issue's is found."""
        return [*self.plain, *self.issues]


def plain_issue(text: str) -> str:
    r"""The name of an issue whatever its case, spaces, line breaks, quotation marks, dashes and semicolons at its end.

    Examples
    --------
    >>> plain_issue(" Self\u2011harm\xa0and  Suicide; ")
    'self-harm and suicide'
    """
    return " ".join(plain_answer(text.replace("_x000D_", " ").replace("\u2011", "-")).strip(" ;").split())


def issue_names(issues: Sequence[str], words: Mapping[str, str]) -> IssueNames:
    """The issues by everything that stands for them.

    Parameters
    ----------
    issues
        Names of the table of issues.
    words
        Words of the board and the issue each stands for.

    Raises
    ------
    TableError
        When two issues read the same, but for their case or spaces.

    Examples
    --------
    >>> issue_names(["Neglect"], {"Neglected children": "Neglect"}).issue_of("NEGLECTED children")
    'Neglect'
    """
    plain: dict[str, str] = {}
    for issue in issues:
        other = plain.setdefault(plain_issue(issue), issue)
        if other != issue:
            raise TableError(
                f'issues: "{other}" and "{issue}" read the same, so it is not known for which of them a vote is. '
                "Rename one of them, or delete it."
            )
    return IssueNames(tuple(issues), {plain_issue(word): issue for word, issue in words.items()} | plain)


def place_of(cell: str, most: int) -> int | None:
    """The place that a cell holds, ties among them; None where it holds something else.

    Parameters
    ----------
    cell
        What was typed.
    most
        The last place that can be given: the number of issues.

    Notes
    -----
    Although only the order counts, a larger number is refused: it is a slip, or no place at all but points, of which
    more are better.

    Examples
    --------
    >>> [place_of(cell, 15) for cell in ("1", "2nd", "3=", "=3", "4.0", "05", "0", "16", "4.", "1.5", "first")]
    [1, 2, 3, 3, 4, 5, None, None, None, None, None]
    """
    found = _PLACE.fullmatch(cell.strip())
    return int(found[1]) if found and int(found[1]) <= most else None


def read_ballot_sheet(path: Path, sheet: str | None = None) -> Grid:
    """Read a sheet as it is, without a last line that is cut off.

    Parameters
    ----------
    path
        A CSV (in any usual encoding), XLSX or Parquet file.
    sheet
        Name of the sheet of a workbook; its first one if None.

    Raises
    ------
    TableError
        When the file or the sheet cannot be read, or is being written.
    """
    grid = read_form_sheet(path, sheet)
    if path.suffix.lower() in BINARY:
        return grid
    content = read_content(path)
    if digest_of(content) != grid.digest:
        raise TableError(f"{path.name}: the file is being written. Read it again in a moment.")
    if content.rstrip(b"\x00").endswith((b"\n", b"\r")):
        return grid
    records = _records(content, path.name)
    if len(records) < 2 or not records[-1]:
        return grid
    last = len(records)
    if len(records[-1]) < max(len(record) for record in records[:-1]):
        cells = grid.cells.filter(pl.col(ROW) < last)
        said = f"the last line, row {last}, is cut off and left out. Read the file again when it is complete"
    else:
        cells = grid.cells
        said = f"the last line, row {last}, has no end. If the file is still being written, read it again"
    return replace(grid, cells=cells, notes=(*grid.notes, said))


def _records(content: bytes, name: str) -> list[list[str]]:
    """Records as `read_form_sheet` splits them."""
    records, _ = read_records(content, name)
    return records if max(map(len, records), default=0) > 1 else read_records(content, name, header_lines=100)[0]


def rows_of_ballots(grid: Grid, header: FormHeader) -> tuple[pl.DataFrame, list[str]]:
    """Rows below the header that hold something, without those of sums, and notes on them."""
    rows = grid.cells.filter((pl.col(ROW) > header.row) & (pl.col(FILLED) > 0))
    sums = pl.col(FIRST).str.strip_chars().str.contains(_SUMS).fill_null(value=False)
    left = rows.filter(sums)[ROW].to_list()
    said = f"{numbered(len(left), 'row')} of totals or means left out: {say_rows(left)}"
    return rows.filter(~sums), [said] if left else []


def papers_of(
    rows: pl.DataFrame, header: FormHeader, columns: Mapping[str, Sequence[str]], order: Order | None, name: str
) -> tuple[pl.DataFrame, pl.DataFrame, list[str]]:
    """Who voted and when: one row per ballot paper, times that are none, and what was taken for granted.

    Parameters
    ----------
    rows
        Rows of ballots.
    header
        The header of the sheet.
    columns
        Headings by our names: member, agency, submitted, so far as the export has them.
    order
        Order of day and month where it is known.
    name
        Name of the file.
    """
    papers = rows.select(
        pl.lit(name).alias("file"),
        pl.col(ROW).alias("row"),
        cells_below(header, columns.get("member", [])).alias("member"),
        cells_below(header, columns.get("agency", [])).alias("agency"),
    )
    if "submitted" not in columns:
        return papers.with_columns(pl.lit(None, pl.Int64).alias("submitted")).select(*PAPERS), no_problems(), []
    texts = rows.select(ROW, cells_below(header, columns["submitted"]).alias("date"))
    seconds, problems, notes = _seconds(texts, short_heading(" and ".join(columns["submitted"])), order, name)
    return papers.with_columns(seconds.alias("submitted")).select(*PAPERS), problems, notes


def _seconds(
    texts: pl.DataFrame, heading: str, order: Order | None, name: str
) -> tuple[pl.Series, pl.DataFrame, list[str]]:
    """Seconds at which each row was submitted, cells that are no time, and what was taken for granted."""
    called, notes = {"date": f'"{heading}"'}, []
    days = parse_days(texts, called, order)
    if any(not mistake.rows for mistake in days.mistakes):  # no number in the column tells days from months
        days = parse_days(texts, called, "month_first")
        notes.append(
            f"column {called['date']} is read with the month first, as forms write it, because no number in it tells "
            "days from months; if that is wrong, set date_order under [ballots_export]"
        )
    read = texts.with_columns(days.frame["date"].alias("day"))
    seconds = read.select(clock_seconds(pl.col("day"), pl.col("date"))).to_series()
    reports = [no_problems()]
    for mistake in days.mistakes:
        cells = texts.filter(pl.col(ROW).is_in(mistake.rows))
        found = say_values(cells["date"].unique().to_list(), "date", Sessions, cells, [])
        rule = mistake.rule.replace("[bookings_export]", "[ballots_export]")
        reports.append(report_rows(name, heading, rule, [(row, found.get(str(cell))) for cell, row in _pairs(cells)]))
    return seconds, pl.concat(reports), [*notes, *days.notes]


def _pairs(cells: pl.DataFrame) -> list[tuple[str, int]]:
    return list(cells.select("date", ROW).iter_rows())


def say_cells(texts: Iterable[str], members: pl.Series, column: str, allowed: Sequence[str]) -> dict[str, str]:
    """What a report may say of cells that break a rule.

    Parameters
    ----------
    texts
        The cells, each as often as it stands there.
    members
        Who voted, as typed.
    column
        issue or rank, of the table of ballots.
    allowed
        Names that the cells might hold.
    """
    every = list(texts)
    both = pl.concat(
        [
            pl.DataFrame({column: every}, schema={column: pl.String}),
            pl.DataFrame({"member": members.cast(pl.String)}),
        ],
        how="diagonal",
    )
    return say_values(list(dict.fromkeys(every)), column, Ballots, both, allowed)


def names_in(rows: pl.DataFrame, header: FormHeader, columns: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """Names and addresses of people, whether or not they tell members apart.

    Parameters
    ----------
    rows
        Rows of ballots.
    header
        The header of the sheet.
    columns
        Headings by our names; without one of name, "Name" is looked at, and "Email" always.
    """
    found = [cells_below(header, headings) for headings in (columns.get("name", ["Name"]), ["Email"])]
    texts = pl.concat([rows.select(each.alias("text"))["text"] for each in found]).drop_nulls()
    return tuple(texts.filter(~texts.str.to_lowercase().is_in([*PLACEHOLDERS, *ANONYMOUS])).unique(maintain_order=True))


def say_who(names: Sequence[str], columns: Mapping[str, Sequence[str]]) -> list[str]:
    """Say that the file tells who voted, where `board.toml` does not.

    Parameters
    ----------
    names
        Names and addresses in the file.
    columns
        Headings by our names.
    """
    if not names or "member" in columns:
        return []
    return [
        "the file says who voted, and it is not used, so that second ballots cannot be found. To use it, name its "
        'heading: member = "Email" under [ballots_export.columns]'
    ]


def say_not_used(header: FormHeader, grid: Grid, used: Iterable[str]) -> list[str]:
    """Columns of which nothing is taken, by position and the beginning of their heading.

    Parameters
    ----------
    header
        The header of the sheet.
    grid
        The sheet.
    used
        Headings that are used.
    """
    known = set(map(plain_heading, used))
    others = {
        grid.columns.index(column) + 1: header.written[plain]
        for plain, columns in header.columns.items()
        for column in columns
        if plain not in known and plain not in OF_FORMS
    }
    if not others:
        return []
    listed = shorten([f'{place} "{short_heading(others[place])}"' for place in sorted(others)], most=30)
    them, are = ("it", "is") if len(others) == 1 else ("them", "are")
    return [f"{numbered(len(others), 'column')} {are} not used, and nothing of {them} goes further: {listed}"]
