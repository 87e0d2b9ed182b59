"""Files a board holds (CSV, XLSX, Parquet) → one frame of text, nothing inferred, every row with its number.

No cell is ever quoted in a message, not even of the header: a file without one has a person in its first row.
"""

from __future__ import annotations

import csv
import hashlib
import io
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from safeguarding_analytics.errors import TableError, shorten

ROW = "row_number"
"""Column that holds a row's number as a spreadsheet shows it: the header is row 1."""

READABLE = (".csv", ".tsv", ".txt", ".xlsx", ".xlsm", ".parquet")


@dataclass(frozen=True)
class RawTable:
    """A file as read: text columns plus `ROW`; `notes` says what was taken for granted in reading.

    ``digest`` is the SHA-256 of the bytes that were read.
    """

    frame: pl.DataFrame
    notes: tuple[str, ...]
    digest: str


def read_table(path: Path) -> RawTable:
    """Read a file as text.

    Parameters
    ----------
    path
        A CSV (UTF-8, or Windows-1252 as old Excel writes it; comma, semicolon or tab), XLSX or Parquet file.

    Returns
    -------
    RawTable
        One row per row of the file, blank rows left out; column names trimmed, in lower case, spaces as underscores;
        values trimmed, empty ones null; `ROW` last. Not suppressed.

    Raises
    ------
    TableError
        When the file is missing, empty, of another kind, or its rows and header do not fit each other.
    """
    content, name = read_content(path), path.name
    readers = {".parquet": _read_parquet, ".xlsx": _read_workbook, ".xlsm": _read_workbook}
    frame, notes = readers.get(path.suffix.lower(), _read_text)(content, name)
    return RawTable(_tidy(frame, name), notes, digest_of(content))


def read_content(path: Path) -> bytes:
    """The bytes of a file of a kind that can be read.

    Raises
    ------
    TableError
        When the file is missing, empty, or of another kind.
    """
    name = path.name
    if not path.exists():
        raise TableError(f"{name}: file not found in {path.parent}. Put it there, or name another file in board.toml.")
    if path.is_dir():
        raise TableError(f"{name}: this is a folder, not a file.")
    if path.suffix.lower() not in READABLE:
        raise TableError(f"{name}: a file of this kind cannot be read. Wanted one of: {', '.join(READABLE)}.")
    if path.stat().st_size == 0:
        raise TableError(f"{name}: the file is empty. Wanted a header row and one row per record.")
    return path.read_bytes()


def digest_of(content: bytes) -> str:
    """SHA-256 of the bytes of a file, in hexadecimal.

    Examples
    --------
    >>> digest_of(b"")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(content).hexdigest()


def _read_text(content: bytes, name: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    records, notes = read_records(content, name)
    return _as_frame(records, name), notes


def read_records(content: bytes, name: str, *, header_lines: int = 1) -> tuple[list[list[str]], tuple[str, ...]]:
    """All records of a text file, blank ones as empty lists so that row numbers stay true, and notes on the reading.

    Parameters
    ----------
    content
        The bytes of the file.
    name
        Its name, for errors.
    header_lines
        So many lines tell by which sign columns are separated: 1 where the first one is the header.
    """
    text, notes = _decode(content, name)
    records, more_notes = _split(text, name, header_lines)
    return records, (*notes, *more_notes)


def _decode(raw: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    if raw.startswith((b"\xff\xfe", b"\xfe\xff")):
        return raw.decode("utf-16", errors="replace"), ("read as UTF-16",)
    if raw[:4] in (b"PK\x03\x04", b"PAR1", b"\xd0\xcf\x11\xe0") or b"\x00" in raw:
        raise TableError(
            f"{name}: this is not a text file, although its name says so. Save it as CSV, or give it its true ending."
        )
    try:
        return raw.decode("utf-8-sig"), ()
    except UnicodeDecodeError:
        return raw.decode("cp1252", errors="replace"), ("read as Windows-1252, because it is not valid UTF-8",)


def _split(text: str, name: str, header_lines: int) -> tuple[list[list[str]], tuple[str, ...]]:
    first = "".join(text.lstrip("\r\n").split("\n", header_lines)[:header_lines])
    delimiter = max(",;\t", key=first.count)
    try:
        records = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except csv.Error as error:
        raise TableError(
            f"{name}: the file cannot be split into rows and columns ({error}). "
            "Look for a quotation mark that is opened and not closed."
        ) from None
    words = {";": "semicolons", "\t": "tabs"}
    return records, ((f"columns are separated by {words[delimiter]}",) if delimiter in words else ())


def _as_frame(records: list[list[str]], name: str) -> pl.DataFrame:
    numbered = [
        (number, record) for number, record in enumerate(records, start=1) if any(cell.strip() for cell in record)
    ]
    if not numbered:
        raise TableError(f"{name}: the file is empty. Wanted a header row and one row per record.")
    header, rows = numbered[0][1], numbered[1:]
    while (
        header
        and not header[-1].strip()
        and all(len(r) < len(header) or not r[len(header) - 1].strip() for _, r in rows)
    ):
        header = header[:-1]  # Excel writes empty columns when a cell to the right was once used
    width = len(header)
    too_long = [number for number, record in rows if any(cell.strip() for cell in record[width:])]
    too_short = [number for number, record in rows if len(record) < width]
    if too_long or too_short:
        wrong = sorted({*too_long, *too_short})
        raise TableError(
            f"{name}: {len(wrong):,} of {len(rows):,} rows have not as many cells as the header has columns ({width}): "
            f"rows {shorten(wrong)}. Look for a comma inside a value that is not in quotation marks."
        )
    columns = [[record[position] for _, record in rows] for position in range(width)]
    return _name_columns(header, name).pipe(
        lambda names: pl.DataFrame(
            dict(zip(names["name"].to_list(), columns, strict=True)) | {ROW: [number for number, _ in rows]},
            schema=dict.fromkeys(names["name"].to_list(), pl.String) | {ROW: pl.Int64},
        )
    )


def _name_columns(header: list[str], name: str) -> pl.DataFrame:
    names = [plain_name(cell) for cell in header]
    unnamed = [position for position, cell in enumerate(names, start=1) if not cell]
    if unnamed:
        raise TableError(f"{name}: column {shorten(unnamed)} has no name in the header. Name it or delete it.")
    twice = [position for position, cell in enumerate(names, start=1) if names.count(cell) > 1]
    if twice:
        raise TableError(
            f"{name}: columns {shorten(twice)} have a name that another column has too. Keep one column of each name."
        )
    return pl.DataFrame({"name": names})


def plain_name(header: str) -> str:
    r"""A header as a column name: trimmed, lower case, spaces and hyphens as underscores.

    Examples
    --------
    >>> plain_name(" Start\xa0Date ")
    'start_date'
    """
    return "_".join(header.replace("\xa0", " ").replace("-", " ").casefold().split())


def _read_workbook(content: bytes, name: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    frame, sheets = read_sheet(content, name, None)
    notes = (f'only its first sheet, "{sheets[0]}", was read',) if len(sheets) > 1 else ()
    return _as_frame([["" if cell is None else str(cell) for cell in row] for row in frame.rows()], name), notes


def read_sheet(content: bytes, name: str, sheet: str | None) -> tuple[pl.DataFrame, list[str]]:
    """A sheet of a workbook as text, from its first row on and from its first used column, and the sheets it has.

    Parameters
    ----------
    content
        The bytes of the workbook.
    name
        Its name, for errors.
    sheet
        Name of the sheet, which must be there; None for the first.
    """
    import fastexcel

    try:
        workbook = fastexcel.read_excel(content)
        # From row 1 on: otherwise empty rows at the top would be left out, and row numbers would not be true.
        loaded = workbook.load_sheet(sheet or 0, header_row=None, skip_rows=0, dtypes="string")
        return loaded.to_polars(), workbook.sheet_names
    except fastexcel.FastExcelError as error:
        reason = str(error).splitlines()[0] if str(error) else "unknown reason"
        raise TableError(
            f"{name}: the workbook cannot be opened ({reason}). Remove its password, or save its first sheet as CSV."
        ) from None


def _read_parquet(content: bytes, name: str) -> tuple[pl.DataFrame, tuple[str, ...]]:
    try:
        frame = pl.read_parquet(content)
    except (pl.exceptions.ComputeError, OSError):
        raise TableError(f"{name}: this is not a Parquet file, although its name says so.") from None
    names = _name_columns(frame.columns, name)["name"].to_list()
    nested = [position for position, dtype in enumerate(frame.dtypes, start=1) if dtype.is_nested()]
    if nested:
        raise TableError(f"{name}: column {shorten(nested)} holds lists or records. Wanted one value per cell.")
    text = (
        frame.rename(dict(zip(frame.columns, names, strict=True)))
        .with_columns(pl.all().cast(pl.String))
        .with_columns(pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(ROW))
    )
    return text, ()


def _tidy(frame: pl.DataFrame, name: str) -> pl.DataFrame:
    if ROW in frame.columns[:-1]:
        raise TableError(f'{name}: the column name "{ROW}" is taken by this program. Rename that column.')
    return tidy(frame)


def tidy(frame: pl.DataFrame) -> pl.DataFrame:
    """Trim every cell; an empty cell and the words that Excel users write for "nothing" are null."""
    text = pl.exclude(ROW).str.replace_all("\u00a0", " ", literal=True).str.strip_chars()
    nothing = ("", "n/a", "#n/a", "null", "nan")
    return frame.with_columns(pl.when(text.str.to_lowercase().is_in(nothing)).then(None).otherwise(text).name.keep())
