"""A safe table as a file: CSV and Parquet as in a release, XLSX for people. Nothing but a `Safe` can be written."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl
import polars.selectors as cs

from safeguarding_analytics.answers import (
    SMALLEST_CHANCE,
    Manner,
    manner_of,
    name_in_words,
    notes_on_rounding,
    why_missing,
)
from safeguarding_analytics.cells import NOT_APPLICABLE, NOT_AVAILABLE, NOT_STATED, meanings_of
from safeguarding_analytics.errors import DisclosureError, ParameterError
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import Shape

if TYPE_CHECKING:
    from xlsxwriter import Workbook
    from xlsxwriter.worksheet import Worksheet

Cell = str | int | float | bool
"""What stands in a cell."""

Pen = Callable[..., None]
"""Writes a cell of a sheet as what it is: line, position, cell and the properties of its format."""

LONGEST_SHEET_NAME = 31
"""Characters that the name of a sheet may have."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NO_CLOCK = datetime(2000, 1, 1)
_NUMBER_WIDTH, _WIDEST = 8, 60


def write_csv(table: Safe, path: str | Path) -> None:
    """Write a safe table as the CSV that a release has of it: hidden numbers are empty, and ``mark`` says which.

    Parameters
    ----------
    table
        A table that went through `suppress` (or `already_public`).
    path
        File to write. One that is there is replaced as a whole or, if this is stopped, not at all.

    Raises
    ------
    DisclosureError
        When the table is anything else than a `Safe`.
    ParameterError
        When the file cannot be written there.

    Notes
    -----
    Every column of the table; an empty cell in a row without a mark is a number that is not known, or a name that is
    not stated. UTF-8 with a mark, so that a spreadsheet opens it as it is; a text that would start a formula has an
    apostrophe before it. `write_workbook` puts the marks in the place of the numbers.
    """
    replace_file(Path(path), to_csv(plain(_required(table))).encode())


def write_parquet(table: Safe, path: str | Path) -> None:
    """Write a safe table as Parquet: hidden numbers are null and the column ``mark`` says which.

    Parameters
    ----------
    table
        A table that went through `suppress` (or `already_public`).
    path
        File to write. One that is there is replaced as a whole or, if this is stopped, not at all.

    Raises
    ------
    DisclosureError
        When the table is anything else than a `Safe`.
    ParameterError
        When the file cannot be written there.

    Notes
    -----
    Dates and categories are written as text. The file holds the rows and nothing beside them.
    """
    replace_file(Path(path), parquet_bytes(plain(_required(table))))


def write_workbook(
    tables: Mapping[str, Safe] | Safe, path: str | Path, *, title: str = "", notes: Sequence[str] = ()
) -> None:
    """Write safe tables as an XLSX workbook, a sheet for each.

    Parameters
    ----------
    tables
        One table, or several by name. A sheet bears the name of its table, as far as a sheet may.
    path
        File to write. One that is there is replaced as a whole or, if this is stopped, not at all.
    title
        What the workbook shows; printed on each sheet before the name of its table.
    notes
        Further sentences, printed under each table.

    Raises
    ------
    DisclosureError
        When a table is anything else than a `Safe`.
    ParameterError
        When there is no table, a text or table is too long for a sheet, or the file cannot be written there.

    Notes
    -----
    The columns but ``mark``, under a sentence for each mark that stands in them: the policy's in the place of a hidden
    number, ``[x]`` in that of one that is not known, ``[z]`` where there is nothing to say, "not stated" in that of a
    missing name. Numbers are numbers, shown as on a page; no cell is a formula. The same tables give the same bytes:
    neither user nor time is in them.
    """
    named = dict(tables) if isinstance(tables, Mapping) else {"": tables}
    if not named:
        raise ParameterError("there is no table to write. Give at least one.")
    for table in named.values():
        _required(table)
    below = [notes] if isinstance(notes, str) else list(notes)
    replace_file(Path(path), _workbook_bytes(named, title, below))


def printed(table: Safe) -> tuple[list[str], list[list[Cell]]]:
    """Give the header and the rows of a safe table as people get them.

    Parameters
    ----------
    table
        A safe table.

    Returns
    -------
    tuple[list[str], list[list[Cell]]]
        The columns but ``mark``, and the rows in their order: every cell has a number or a text in it.
    """
    frame = plain(table)
    header = [name for name in frame.columns if name != "mark"]
    return header, [[_cell(name, row, table.shape) for name in header] for row in frame.iter_rows(named=True)]


def _cell(name: str, row: Mapping[str, Any], shape: Shape) -> Cell:
    value: Cell = row[name]
    instead = {"unnamed": NOT_STATED, "hidden": str(row["mark"]), "nothing": NOT_APPLICABLE, "unknown": NOT_AVAILABLE}
    written = name_in_words(name, value) if isinstance(value, str) else value
    return instead.get(why_missing(name, row, shape), written)


def plain(table: Safe) -> pl.DataFrame:
    """Give the frame of a safe table with dates and categories as text, for a category knows of values it has not."""
    return table.frame().with_columns((cs.categorical() | cs.enum() | cs.temporal()).cast(pl.String))


def parquet_bytes(frame: pl.DataFrame) -> bytes:
    """Give the content of a Parquet file: uncompressed, so that a search of the bytes finds all that is in it."""
    content = io.BytesIO()
    frame.write_parquet(content, compression="uncompressed", statistics=False)
    return content.getvalue()


def to_csv(frame: pl.DataFrame) -> str:
    r"""A frame as CSV text that Excel opens as it is: UTF-8 with a mark, and no cell that starts a formula.

    Examples
    --------
    >>> to_csv(pl.DataFrame({"agency": ["=1+1", "Police"], "count": [7, None]}))
    "\ufeffagency,count\r\n'=1+1,7\r\nPolice,\r\n"
    """
    out = io.StringIO()
    writer = csv.writer(out)  # with its own line ends: before Python 3.13 it quotes no others, and a name may hold them
    writer.writerow(map(_guarded, frame.columns))
    writer.writerows([_guarded(value) for value in row] for row in frame.iter_rows())
    return "\ufeff" + out.getvalue()


def from_csv(text: str, columns: Mapping[str, str]) -> pl.DataFrame:
    r"""Read what `to_csv` wrote.

    Parameters
    ----------
    text
        The text of the file.
    columns
        Its columns with their polars types by name.

    Returns
    -------
    pl.DataFrame
        The rows in their order. An empty cell is null, but in the column ``mark``.

    Examples
    --------
    >>> from_csv("\ufeffagency,count\r\n'=1+1,7\r\nPolice,\r\n", {"agency": "String", "count": "Int64"}).rows()
    [('=1+1', 7), ('Police', None)]
    """
    rows = list(csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline="")))
    types = {column: getattr(pl, dtype) for column, dtype in columns.items()}
    frame = pl.DataFrame(
        {column: [_unguarded(row[position]) for row in rows[1:]] for position, column in enumerate(columns)},
        schema=dict.fromkeys(columns, pl.String),
    )
    return frame.select(
        pl.col(column)
        if dtype == pl.String and column == "mark"
        else pl.when(pl.col(column) != "")
        .then(pl.col(column) == "true" if dtype == pl.Boolean else pl.col(column))
        .cast(dtype)
        for column, dtype in types.items()
    )


def _guarded(value: object) -> object:
    if isinstance(value, bool):
        return "true" if value else "false"
    # A cell that has such an apostrophe of its own gets another one, so that reading takes away no more than was added.
    if isinstance(value, str) and value.lstrip("'").startswith(_FORMULA):
        return f"'{value}"
    return value


def _unguarded(value: str) -> str:
    return value[1:] if value.startswith("'") and value.lstrip("'").startswith(_FORMULA) else value


def _required(table: Safe) -> Safe:
    if not isinstance(table, Safe):
        raise DisclosureError("only a safe table can be written to a file: call suppress() and write what it returns.")
    return table


def replace_file(path: Path, content: bytes) -> None:
    """Write beside a file, then move into its place: whoever is stopped half-way leaves the old file as it was."""
    if not path.parent.is_dir():
        raise ParameterError(f"{path.parent}: there is no such folder. Make it, or name another.")
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        beside.write_bytes(content)
        os.replace(beside, path)
    except (PermissionError, IsADirectoryError):
        raise ParameterError(
            f"{path}: a file cannot be written there. Close it in other programs, or name another."
        ) from None
    finally:
        beside.unlink(missing_ok=True)


def _workbook_bytes(tables: Mapping[str, Safe], title: str, notes: list[str]) -> bytes:
    from xlsxwriter import Workbook

    content = io.BytesIO()
    with Workbook(content, {"in_memory": True}) as book:
        book.set_properties({"title": title, "created": _NO_CLOCK})
        for sheet_name, (name, table) in zip(sheet_names(tables), tables.items(), strict=True):
            _add_sheet(book, sheet_name, ": ".join(filter(None, (title, name))), table, notes)
    return content.getvalue()


def _add_sheet(book: Workbook, name: str, heading: str, table: Safe, notes: list[str]) -> None:
    header, rows = printed(table)
    sheet = book.add_worksheet(name)
    write = pen(book, sheet)
    above = [*([heading] if heading else []), *explained(table, rows)]
    below = [*notes, *([f"Source: {table.source}."] if table.source else [])]
    first = len(above) + 1
    for line, text in enumerate(above):
        write(line, 0, text, **({"bold": True, "font_size": 14} if text == heading else {}))
    write_rows(write, sheet, table, first - 1, header)
    for line, text in enumerate(below, first + len(rows)):
        write(line, 0, text)
    sheet.freeze_panes(first, 0)


def write_rows(write: Pen, sheet: Worksheet, table: Safe, line: int, headings: Sequence[str]) -> None:
    """Write a safe table on a sheet: its header on a line, its rows below, in columns that fit what is in them.

    Parameters
    ----------
    write
        The `pen` of the sheet.
    sheet
        The sheet.
    table
        The table, as `printed` gives it.
    line
        Line of the header, from 0.
    headings
        What stands over the columns: their names, or those in plain words.

    Raises
    ------
    ParameterError
        When a text or the table is too long for a sheet.
    """
    header, rows = printed(table)
    frame = plain(table)
    found = frame.rows(named=True)
    kinds = frame.schema
    for position, (column, heading) in enumerate(zip(header, headings, strict=True)):
        cells = [row[position] for row in rows]
        numeric = kinds[column].is_numeric() or any(isinstance(cell, int | float) for cell in cells)
        aligned = {"align": "right"} if numeric else {}
        write(line, position, heading, bold=True, bottom=1, text_wrap=True, valign="bottom", **aligned)
        for below, (cell, row) in enumerate(zip(cells, found, strict=True), line + 1):
            shown = aligned if isinstance(cell, str) else {"num_format": _format(manner_of(column, row, table))}
            wrapped = {"text_wrap": True} if isinstance(cell, str) and len(cell) > _WIDEST else {}
            write(below, position, cell, valign="top", **shown, **wrapped)
        widest = max([_width_of_heading(heading), *(len(c) if isinstance(c, str) else _NUMBER_WIDTH for c in cells)])
        sheet.set_column(position, position, min(widest, _WIDEST) + 2)


def _width_of_heading(heading: str) -> int:
    """Characters that a heading needs beside each other: it stands on two lines, and breaks between words."""
    return max([(len(heading) + 1) // 2, *map(len, heading.split())])


def pen(book: Workbook, sheet: Worksheet) -> Pen:
    """Give a function that writes a cell as what it is: a text is never read as a number, a link or a formula."""
    style: Callable[..., Any] = cache(lambda **options: book.add_format(options))

    def write(line: int, position: int, cell: Cell, **options: Any) -> None:
        if isinstance(cell, str):
            # Marked as text: else a spreadsheet takes it for a formula as soon as someone edits the cell.
            quoted = {"quote_prefix": True} if cell.startswith(_FORMULA) else {}
            refused = sheet.write_string(line, position, cell, style(**options, **quoted))
        elif isinstance(cell, bool):
            refused = sheet.write_boolean(line, position, cell)
        else:
            refused = sheet.write_number(line, position, cell, style(**options))
        if refused:
            raise ParameterError("a text or a table is too long for the sheet of a workbook. Write it as CSV.")

    return write


def explained(table: Safe, rows: list[list[Cell]]) -> list[str]:
    """A sentence for each mark that stands in a table, and for what became of its counts."""
    shown = {cell for row in rows for cell in row if isinstance(cell, str)}
    marks = shown & {*table.frame()["mark"], NOT_APPLICABLE, NOT_AVAILABLE}
    return [
        *meanings_of(marks),
        *notes_on_rounding(table, table.frame().columns),
    ]


def _format(manner: Manner) -> str:
    """How a spreadsheet shows a number: as on a page."""
    decimals = f".{'0' * manner.decimals}" if manner.decimals else ""
    return {
        "per cent": f"0{decimals}%",
        "chance": f'[<{SMALLEST_CHANCE}]"< {SMALLEST_CHANCE}";0{decimals}',
        "pounds": f"£#,##0{decimals}",
        "number": f"#,##0{decimals}",
        "name": "0",
    }[manner.kind]


def sheet_names(names: Iterable[str]) -> list[str]:
    """Names that a sheet may have, each of its own: 31 characters, no signs of references, not "History".

    Examples
    --------
    >>> sheet_names(["Reach: 2007/08", "reach  2007 08", "", "History"])
    ['Reach 2007 08', 'reach 2007 08 2', 'Table', 'History table']
    """
    given: list[str] = []
    for name in names:
        words = re.sub(r"[^\w .,()&'+-]|[\U00010000-\U0010FFFF]", " ", name).split()
        legal = " ".join(words)[:LONGEST_SHEET_NAME].strip("' ") or "Table"
        legal = f"{legal} table" if legal.casefold() == "history" else legal
        candidate, number = legal, 1
        while candidate.casefold() in map(str.casefold, given):
            number += 1
            candidate = f"{legal[: LONGEST_SHEET_NAME - len(f' {number}')]} {number}"
        given.append(candidate)
    return given
