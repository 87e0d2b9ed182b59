"""A sheet as a booking system writes it → its header, and the rows of learners below it.

Banners above the header, merged cells, blank rows, totals and headers that are repeated do not stand in its way. No
cell is ever quoted in a message: not even of a row that looks like a header, unless it holds most of the headings.
"""

from __future__ import annotations

import io
import posixpath
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile

import polars as pl

from safeguarding_analytics.errors import TableError, nearest, numbered, shorten
from safeguarding_analytics.sources.files import (
    ROW,
    digest_of,
    plain_name,
    read_content,
    read_records,
    read_sheet,
    read_table,
    tidy,
)

MOST_BEFORE_HEADER = 500
"""The header is looked for in so many rows."""

FILLED, FIRST = "filled_cells", "first_cell"
"""Columns of a grid: how many cells of a row are filled by themselves, and what the first of them holds."""

TOTALS = (
    r"(?i)^((grand|sub|overall|over all|running)[ -]?)?total(s|led)?( (for|of|number|no|bookings?|attend\w*|learners?|"
    r"delegates?|places?|people|records?|rows?|count)\b.*)?:?( *[\d,]+)?$"
    r"|^(count|sum|average|(number|no\.?|count|sum) of .*|records?|rows?)( *[:=] *[\d,]+| [\d,]+|:)?$"
    r"|^[\d,]+ (rows?|records?|results?)( .*)?$|^.+ (totals?|count|average)$"
)
"""What stands in the first cell of a row of totals, also as spreadsheets write subtotals: "Core course Total"."""

TOTAL_ALONE = r"(?i)^((grand|sub|overall|running)[ -]?)?totals?:?$"
"""What stands in any cell of a row of totals that is nobody's."""

_SHEET_END = re.compile(rb"</(?:\w+:)?sheetData>|<(?:\w+:)?sheetData */>")
_MERGED = re.compile(rb'<(?:\w+:)?mergeCell [^>]*?ref="([A-Z]{1,3})(\d+):([A-Z]{1,3})(\d+)"')
_NOT_CALCULATED = re.compile(rb"</(?:\w+:)?f>(?:<(?:\w+:)?v */>|<(?:\w+:)?v></(?:\w+:)?v>)?</(?:\w+:)?c>")
_OF_WORKBOOK = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_BROKEN = (BadZipFile, KeyError, ValueError, ElementTree.ParseError, EOFError, OSError, NotImplementedError)


@dataclass(frozen=True)
class Merge:
    """Cells merged into one: rows as the sheet counts them, columns from 0."""

    top: int
    left: int
    bottom: int
    right: int


@dataclass(frozen=True)
class Grid:
    """A sheet as text: one column per column ("0", "1" …), merged cells all filled, `FILLED`, `FIRST` and `ROW`."""

    cells: pl.DataFrame
    merges: tuple[Merge, ...]
    notes: tuple[str, ...]
    digest: str

    @property
    def columns(self) -> list[str]:
        """Names of the columns that hold cells."""
        return [name for name in self.cells.columns if name not in (FILLED, FIRST, ROW)]


@dataclass(frozen=True)
class Header:
    """Where the header is, and the column below each heading (by its plain name)."""

    row: int
    columns: Mapping[str, str]


@dataclass(frozen=True)
class Mistake:
    """A rule that rows break in a column; no rows where it is the whole column."""

    column: str
    rule: str
    rows: tuple[int, ...] = ()


def read_grid(path: Path, sheet: str | None = None) -> Grid:
    """Read a sheet as it is.

    Parameters
    ----------
    path
        A CSV, XLSX or Parquet file; of Parquet, the names of its columns are row 1.
    sheet
        Name of the sheet of a workbook; its first one if None.

    Raises
    ------
    TableError
        When the file or the sheet cannot be read.
    """
    content, name = read_content(path), path.name
    merges: tuple[Merge, ...] = ()
    if path.suffix.lower() in (".xlsx", ".xlsm"):
        cells, merges, notes = _read_workbook(content, name, sheet)
    elif path.suffix.lower() == ".parquet":
        raw = read_table(path)
        texts = raw.frame.drop(ROW)
        named = pl.DataFrame([texts.columns], schema=texts.schema, orient="row")
        cells, notes = pl.concat([named, texts]), raw.notes
    else:
        records, notes = read_records(content, name, header_lines=100)
        width = max(map(len, records), default=0)
        columns = [[record[each] if each < len(record) else None for record in records] for each in range(width)]
        cells = pl.DataFrame(columns, schema=dict.fromkeys(map(str, range(width)), pl.String))
    cells = tidy(cells.rename(dict(zip(cells.columns, map(str, range(cells.width)), strict=True))))
    if not cells.width or not cells.height:
        raise TableError(f"{name}: there is no row in it. Wanted a header row and one row per booking.")
    own = cells.select(
        pl.sum_horizontal(pl.all().is_not_null().cast(pl.Int64)).alias(FILLED), pl.coalesce(pl.all()).alias(FIRST)
    )
    numbers = pl.int_range(1, cells.height + 1, dtype=pl.Int64, eager=True).alias(ROW)
    filled = _fill(cells, merges)
    return Grid(filled.with_columns(*own.get_columns(), numbers), merges, notes, digest_of(content))


def find_header(grid: Grid, headings: Sequence[str], others: Sequence[str], name: str) -> Header:
    """Find the first row that holds every heading.

    Parameters
    ----------
    grid
        A sheet.
    headings
        Headings as a board writes them; case, line breaks and spaces do not matter.
    others
        Plain names of further headings, which may be missing.
    name
        Name of the file, for errors.

    Raises
    ------
    TableError
        When no row holds them all (with all that are missing), or one stands twice.
    """
    wanted = {plain_name(heading): heading for heading in headings}
    rows = [
        (number, [plain_name(cell) if cell else "" for cell in cells])
        for number, *cells in grid.cells.head(MOST_BEFORE_HEADER).select(ROW, *grid.columns).iter_rows()
    ]
    number, cells = max(rows, key=lambda row: len(wanted.keys() & set(row[1])))  # the first of those with the most
    missing = [heading for plain, heading in wanted.items() if plain not in cells]
    if missing:
        raise TableError(f"{name}: {_say_missing(missing, wanted, number, cells)}")
    places = {plain: [place for place, cell in enumerate(cells) if cell == plain] for plain in wanted}
    twice = [wanted[plain] for plain, found in places.items() if not _one_cell(found, number, grid.merges)]
    if twice:
        raise TableError(
            f"{name}: row {number} holds {_quoted(twice)} more than once, so it is not known which column is meant. "
            "Rename the other column, or delete it."
        )
    more = {plain: [cells.index(plain)] for plain in others if plain in cells}
    return Header(number, {plain: str(found[0]) for plain, found in (places | more).items()})


def learner_rows(grid: Grid, header: Header, person: Sequence[str]) -> tuple[pl.DataFrame, list[str]]:
    """The rows below a header that are somebody's, and notes on those that are left out.

    Parameters
    ----------
    grid
        A sheet.
    header
        Its header.
    person
        Headings of the columns that tell people apart.

    Returns
    -------
    tuple[pl.DataFrame, list[str]]
        The cells of the columns with a heading, under the plain names of the headings, with `ROW`.
    """
    below = grid.cells.filter(pl.col(ROW) > header.row).select(
        *(pl.col(column).alias(plain) for plain, column in header.columns.items()), FILLED, FIRST, ROW
    )
    people = [plain_name(heading) for heading in person]
    nobody = pl.all_horizontal(pl.col(name).is_null() for name in people)
    itself = _yes(pl.col(FIRST) == pl.col(people[0]))
    counted = _yes(pl.all_horizontal(pl.col(name).str.contains(r"^[\d.,]+$") for name in people)) | itself
    total = _yes(pl.col(FIRST).str.contains(TOTALS))
    addressed = pl.any_horizontal(_yes(pl.col(name).str.contains("@")) for name in people)
    first_total = _yes(pl.col(FIRST).str.contains(TOTAL_ALONE)) & ~addressed
    spoken = pl.any_horizontal(
        _yes(pl.col(name).str.contains(r"[A-Za-z@]") & (pl.col(name) != pl.col(FIRST))) for name in header.columns
    )
    sentence = itself & _yes(pl.col(FIRST).str.contains(r"\s"))
    same_as_heading = pl.all_horizontal(pl.col(name).map_batches(_plain, pl.String) == name for name in people)
    unowned = pl.all_horizontal(pl.col(header.columns[name]).is_null() for name in people)
    alone = pl.any_horizontal(pl.col(name).str.contains(TOTAL_ALONE) for name in grid.columns)
    totals = grid.cells.filter((pl.col(ROW) > header.row) & unowned).filter(_yes(alone))[ROW].to_list()
    what = (
        pl.when(pl.col(FILLED) == 0)
        .then(pl.lit("blank"))
        .when(_yes(same_as_heading))
        .then(pl.lit("the header repeated"))
        .when(pl.col(ROW).is_in(_banners(grid, header, people)))
        .then(pl.lit("a banner"))
        .when(pl.col(ROW).is_in(totals))
        .then(pl.lit("totals"))
        .when((total & (nobody | (counted & ~spoken))) | first_total)
        .then(pl.lit("totals"))
        .when((nobody | sentence) & (pl.col(FILLED) == 1))
        .then(pl.lit("a banner"))
    )
    sorted_out = below.with_columns(what.alias(FIRST))
    above = grid.cells.filter((pl.col(ROW) < header.row) & (pl.col(FILLED) > 0))[ROW].to_list()
    left_out = {"above the header": above} | {
        str(kind): rows
        for kind, rows in sorted_out.filter(pl.col(FIRST).is_not_null())
        .group_by(FIRST, maintain_order=True)
        .agg(ROW)
        .iter_rows()
    }
    notes = [
        f"{numbered(len(rows), 'row')} {'is' if len(rows) == 1 else 'are'} no booking but {kind}, and left out: "
        f"{say_rows(rows)}"
        for kind, rows in left_out.items()
        if rows
    ]
    return sorted_out.filter(pl.col(FIRST).is_null()).select(*header.columns, ROW), notes


def say_rows(rows: Sequence[int]) -> str:
    """Row numbers in words.

    Examples
    --------
    >>> say_rows([3]), say_rows([3, 5])
    ('row 3', 'rows 3, 5')
    """
    return f"{'row' if len(rows) == 1 else 'rows'} {shorten(rows)}"


def _yes(condition: pl.Expr) -> pl.Expr:
    return condition.fill_null(value=False)


def _plain(cells: pl.Series) -> pl.Series:
    different = cells.drop_nulls().unique().to_list()
    return cells.replace_strict(different, list(map(plain_name, different)), default=None, return_dtype=pl.String)


def _say_missing(missing: list[str], wanted: Mapping[str, str], number: int, cells: list[str]) -> str:
    what = f"the {'heading' if len(missing) == 1 else 'headings'} {_quoted(missing)}"
    found = [cell for cell in cells if cell]
    if 2 * len(missing) > len(wanted):  # then it may be the row of a person, and nothing of it is said
        return (
            f"no row of the first {MOST_BEFORE_HEADER} holds {what} under [bookings_export.columns]. "
            "Name the headings as they stand in the export, and the right sheet under [bookings_export]."
        )
    others = [cell for cell in found if cell not in wanted]
    hints = "".join(
        f'{hint} for "{heading}".'
        for heading in missing
        if (hint := nearest(plain_name(heading), others).removesuffix("?").replace(" Did you mean", " The nearest is"))
    )
    return (
        f"row {number} looks like the header and lacks {what} under [bookings_export.columns].{hints} "
        "Name the headings as they stand in the export."
    )


def _quoted(words: Sequence[str]) -> str:
    return shorten([f'"{word}"' for word in words], most=30)


def _one_cell(places: list[int], row: int, merges: Sequence[Merge]) -> bool:
    """Whether a heading stands in one column, or in several that are merged into one."""
    return len(places) == 1 or any(
        merge.top <= row <= merge.bottom and merge.left <= places[0] and places[-1] <= merge.right for merge in merges
    )


def _banners(grid: Grid, header: Header, people: Sequence[str]) -> list[int]:
    """Rows in which one merged cell covers the person and something else: a title between the rows of learners."""
    person = int(header.columns[people[0]])
    others = {int(column) for plain, column in header.columns.items() if plain not in people}
    return [
        row
        for merge in grid.merges
        if merge.left <= person <= merge.right and others & set(range(merge.left, merge.right + 1))
        for row in range(max(merge.top, header.row + 1), min(merge.bottom, grid.cells.height) + 1)
    ]


def _read_workbook(
    content: bytes, name: str, sheet: str | None
) -> tuple[pl.DataFrame, tuple[Merge, ...], tuple[str, ...]]:
    if sheet is not None:
        sheets = read_sheet(content, name, None)[1] if not _has_sheet(content, sheet) else [sheet]
        if sheet not in sheets:
            raise TableError(
                f'{name}: there is no sheet "{sheet}" in it, as [bookings_export] in board.toml names.'
                f"{nearest(sheet, sheets)} Sheets: {shorten(sheets)}."
            )
    cells, sheets = read_sheet(content, name, sheet)
    notes = [f'only its sheet "{sheet or sheets[0]}" was read'] if len(sheets) > 1 else []
    try:
        part = _sheet_part(content, sheet or sheets[0])
    except _BROKEN:
        return cells, (), (*notes, "its merged cells could not be read, so that they count as empty but for the first")
    for count, what in (
        (part.count(b' t="e"'), "a spreadsheet's error, such as #REF!,"),
        (len(_NOT_CALCULATED.findall(part)) if b"f>" in part else 0, "a formula that was never calculated"),
    ):
        if count:
            notes.append(f"{numbered(count, 'cell')} with {what} read as empty")
    merges = _merges(part)
    return cells, merges, tuple(notes)


def _has_sheet(content: bytes, sheet: str) -> bool:
    try:
        return sheet in _sheets(ZipFile(io.BytesIO(content)))
    except _BROKEN:
        return False


def _sheets(archive: ZipFile) -> dict[str, str]:
    """Sheets of a workbook, by name: the part of each."""
    relations = {
        each.get("Id"): each.get("Target", "") for each in _elements(archive.read("xl/_rels/workbook.xml.rels"))
    }
    return {
        each.get("name", ""): posixpath.normpath(posixpath.join("/xl", relations[each.get(f"{_OF_WORKBOOK}id")]))
        for each in _elements(archive.read("xl/workbook.xml"))
        if each.tag.rpartition("}")[2] == "sheet"
    }


def _elements(part: bytes) -> list[ElementTree.Element]:
    if b"<!" in part:
        raise ValueError("a workbook declares nothing")
    return list(ElementTree.fromstring(part).iter())  # noqa: S314 - no entities: see above


def _sheet_part(content: bytes, sheet: str) -> bytes:
    archive = ZipFile(io.BytesIO(content))
    return archive.read(_sheets(archive)[sheet].lstrip("/"))


def _merges(part: bytes) -> tuple[Merge, ...]:
    """The merged cells of a sheet, with columns counted from the first that holds something, as the cells are."""
    ends = list(_SHEET_END.finditer(part, max(0, len(part) - 4_000_000))) or list(_SHEET_END.finditer(part))
    found = _MERGED.findall(part, ends[-1].end() if ends else 0)
    if not found:
        return ()
    first = _first_column(part)
    return tuple(
        Merge(int(top), _position(left) - first, int(bottom), _position(right) - first)
        for left, top, right, bottom in found
        if _position(left) >= first  # one that begins further left holds nothing
    )


def _position(letters: bytes) -> int:
    """Position of a column from 0: A, B … Z, AA …"""
    position = 0
    for letter in letters:
        position = 26 * position + letter - 64
    return position - 1


def _first_column(part: bytes) -> int:
    """The first column with a cell that holds something: where the cells begin that were read."""
    if not re.search(rb'<(?:\w+:)?c\b[^>]*?\br="', part):
        return 0
    for position in range(100):
        letters = (chr(64 + position // 26) if position >= 26 else "") + chr(65 + position % 26)
        if re.search(rb'<(?:\w+:)?c\b[^>]*?\br="%s\d+"[^>/]*>\s*<(?:\w+:)?(?:f|v|is)\b' % letters.encode(), part):
            return position
    return 0


def _fill(cells: pl.DataFrame, merges: Sequence[Merge]) -> pl.DataFrame:
    """Give every cell of a merged one what its first cell holds."""
    lists: dict[int, list[str | None]] = {}

    def column(position: int) -> list[str | None]:
        return lists.setdefault(position, cells[:, position].to_list() if position not in lists else [])

    for merge in merges:
        if merge.top > cells.height or merge.left >= cells.width:
            continue
        value = column(merge.left)[merge.top - 1]
        bottom = min(merge.bottom, cells.height)
        for position in range(merge.left, min(merge.right, cells.width - 1) + 1):
            column(position)[merge.top - 1 : bottom] = [value] * (bottom - merge.top + 1)
    return cells.with_columns(pl.Series(str(position), values, pl.String) for position, values in lists.items())
