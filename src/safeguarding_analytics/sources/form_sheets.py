"""The sheet of a form as it is → its header, found by the headings that `board.toml` names.

No cell is ever quoted in a message, not even of a row that looks like a header, unless it holds most of the headings.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from safeguarding_analytics.errors import TableError, nearest, shorten
from safeguarding_analytics.sources.files import ROW, digest_of, plain_name, read_content, read_records, tidy
from safeguarding_analytics.sources.form_answers import plain_answer
from safeguarding_analytics.sources.worksheets import FILLED, FIRST, MOST_BEFORE_HEADER, Grid, read_grid

LETTERS = 60
"""Of a question, so many letters are enough to find it."""


@dataclass(frozen=True)
class FormHeader:
    """Where the header is; by plain heading the columns below it, and how it is written."""

    row: int
    columns: Mapping[str, Sequence[str]]
    written: Mapping[str, str]

    def column(self, heading: str) -> str | None:
        """The column below a heading, if there is one."""
        return next(iter(self.columns.get(plain_heading(heading), ())), None)


def read_form_sheet(path: Path, sheet: str | None = None) -> Grid:
    """Read a sheet as it is.

    Parameters
    ----------
    path
        A CSV (in any usual encoding), XLSX or Parquet file.
    sheet
        Name of the sheet of a workbook; its first one if None.

    Raises
    ------
    TableError
        When the file or the sheet cannot be read.

    Notes
    -----
    Of a text file the first line alone says what stands between columns, because answers are full of semicolons.
    """
    if path.suffix.lower() in (".xlsx", ".xlsm", ".parquet"):
        return read_grid(path, sheet)
    content = read_content(path)
    records, notes = read_records(content, path.name)
    if max(map(len, records), default=0) < 2:
        records, notes = read_records(content, path.name, header_lines=100)
    width = max(map(len, records), default=0)
    if not width:
        raise TableError(
            f"{path.name}: there is no row in it. Wanted a header row and one row per person who answered."
        )
    columns = [[record[each] if each < len(record) else None for record in records] for each in range(width)]
    cells = tidy(pl.DataFrame(columns, schema=dict.fromkeys(map(str, range(width)), pl.String)))
    filled = cells.select(
        pl.sum_horizontal(pl.all().is_not_null().cast(pl.Int64)).alias(FILLED), pl.coalesce(pl.all()).alias(FIRST)
    )
    numbers = pl.int_range(1, cells.height + 1, dtype=pl.Int64, eager=True).alias(ROW)
    return Grid(cells.with_columns(*filled.get_columns(), numbers), (), notes, digest_of(content))


def plain_heading(text: str) -> str:
    r"""A heading whatever its case, line breaks, spaces, quotation marks and dashes.

    Examples
    --------
    >>> plain_heading("How soon\r\nshould\xa0it be?") == plain_heading("how soon should it be?")
    True
    """
    return plain_name(plain_answer(text.replace("_x000D_", " ")))


def points_heading(question: str) -> str:
    """Heading of the column in which a quiz holds the points of a question.

    Examples
    --------
    >>> points_heading("Which tier?")
    'Points - Which tier?'
    """
    return f"Points - {question}"


def short_heading(text: str) -> str:
    r"""Enough of a heading to find it by, on one line.

    Examples
    --------
    >>> short_heading("Which \n tier?"), len(short_heading("tier " * 100))
    ('Which tier?', 60)
    """
    line = " ".join(text.replace("_x000D_", " ").split())
    return line if len(line) <= LETTERS else f"{line[: LETTERS - 1].rstrip()}…"


def quoted_headings(texts: Iterable[str]) -> str:
    """Headings for a message, with commas between them."""
    return ", ".join(f'"{short_heading(text)}"' for text in texts)


def find_form_header(
    grid: Grid,
    columns: Mapping[str, Sequence[str]],
    items: Mapping[str, Sequence[str]],
    points: Mapping[str, Sequence[str]],
) -> FormHeader:
    """Find the first row with the most headings.

    Parameters
    ----------
    grid
        A sheet.
    columns
        Headings by our names of columns: all of them must be there.
    items
        Headings by question: one of each must be there, for an edited question may have several columns.
    points
        Headings of columns with points, by question: one of each must be there.

    Raises
    ------
    TableError
        When headings are missing (with all that are), or one that is used stands twice.
    """
    asked = [(f"{name} under [forms.columns]", [each]) for name, found in columns.items() for each in found]
    asked += [(f"{item} under [forms.items]", list(found)) for item, found in items.items()]
    asked += [(f"{item} under [forms.points]", list(found)) for item, found in points.items()]
    plain = [{plain_heading(each) for each in found} for _, found in asked]
    best, most = FormHeader(0, {}, {}), -1
    for number, *cells in grid.cells.head(MOST_BEFORE_HEADER).select(ROW, *grid.columns).iter_rows():
        places: dict[str, list[str]] = {}
        written: dict[str, str] = {}
        for column, cell in zip(grid.columns, cells, strict=True):
            if cell is not None:
                places.setdefault(plain_heading(cell), []).append(column)
                written.setdefault(plain_heading(cell), cell)
        found = sum(not places.keys().isdisjoint(each) for each in plain)
        if found > most:
            best, most = FormHeader(number, places, written), found
    missing = [each for each, headings in zip(asked, plain, strict=True) if best.columns.keys().isdisjoint(headings)]
    if missing:
        raise TableError(_say_missing(missing, len(asked), best, set().union(*plain)))
    used = set().union(*plain) | {plain_heading(points_heading(each)) for found in items.values() for each in found}
    twice = [best.written[each] for each in sorted(used & best.columns.keys()) if len(best.columns[each]) > 1]
    if twice:
        raise TableError(
            f"row {best.row} holds {quoted_headings(twice)} more than once, so it is not known which column is meant. "
            "Rename the other column, or delete it."
        )
    return best


def _say_missing(missing: list[tuple[str, list[str]]], asked: int, header: FormHeader, used: set[str]) -> str:
    said = shorten([f"{quoted_headings(headings)} ({where})" for where, headings in missing], most=30)
    what = f"the {'heading' if len(missing) == 1 else 'headings'} {said}"
    if 2 * len(missing) > asked:  # then it may be the row of a person, and nothing of it is said
        return (
            f"no row of the first {MOST_BEFORE_HEADER} holds {what}. Name the headings in board.toml as they stand in "
            "the form, and the right file and sheet."
        )
    others = {written: plain for plain, written in header.written.items() if plain not in used}
    hints = ""
    for _, headings in missing:
        hint = nearest(headings[0], list(others)).removeprefix(' Did you mean "').removesuffix('"?')
        hints += f' The nearest to "{short_heading(headings[0])}" is "{short_heading(hint)}".' if hint else ""
    return (
        f"row {header.row} looks like the header and lacks {what}.{hints} Name the headings in board.toml as they "
        "stand in the form."
    )


def is_no_header(header: FormHeader, items: Mapping[str, Sequence[str]]) -> pl.Expr:
    """Whether a row holds anything but the questions themselves, as a header does that is repeated.

    Parameters
    ----------
    header
        The header of the sheet.
    items
        Headings by question.
    """
    repeated = [
        pl.col(column).eq_missing(header.written[plain_heading(each)])
        for found in items.values()
        for each in found
        if (column := header.column(each))
    ]
    return ~pl.all_horizontal(repeated)


def cells_below(header: FormHeader, headings: Sequence[str]) -> pl.Expr:
    """Cells below several headings, read together; empty where the form has none of them.

    Parameters
    ----------
    header
        The header of the sheet.
    headings
        Headings as `board.toml` writes them.
    """
    columns = [column for heading in headings if (column := header.column(heading))]
    if not columns:
        return pl.lit(None, pl.String)
    text = pl.concat_str([pl.col(column) for column in columns], separator=" ", ignore_nulls=True)
    return pl.when(text != "").then(text)
