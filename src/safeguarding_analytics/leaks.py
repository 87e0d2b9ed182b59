"""What must not stand in a release: a look into every file of it, before anybody else looks."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from math import isfinite
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from zipfile import BadZipFile, ZipFile
from zlib import error as ZlibError  # noqa: N812 - the name of an exception

import polars as pl

from safeguarding_analytics.board import Board
from safeguarding_analytics.board_pdf import BOARD_PDF, digests_of
from safeguarding_analytics.errors import DisclosureError, ParameterError, SafeguardingError
from safeguarding_analytics.exports import plain, printed
from safeguarding_analytics.figures import Figures
from safeguarding_analytics.leak_pages import look_into_page
from safeguarding_analytics.leak_search import NUMBER, REQUEST, TRACEBACK, UNKNOWN, VALUE, Identities, Search
from safeguarding_analytics.pages import TEMPLATES, vega_bundle
from safeguarding_analytics.release import MANIFEST, Release
from safeguarding_analytics.release_workbook import Published, worded_tables
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.shapes import SHAPES

_MOST_SAID = 20
_BROKEN = (
    *(ValueError, TypeError, LookupError, AttributeError, RuntimeError, csv.Error, pl.exceptions.PolarsError),
    *(BadZipFile, ZlibError, ElementTree.ParseError),
)
"""What reading a file raises that is not what it should be."""

_CHANGED = "a table that cannot be opened, or was changed after it was published"
_OTHER_PDF = "a PDF that was not made of the pages beside it"
_NO_ROW = "a row that stands in no table of the release"
_SHEET, _STRINGS = "xl/worksheets/sheet.xml", "xl/sharedStrings.xml"
_LOOKS = {
    *("[Content_Types].xml", "_rels/.rels", "xl/_rels/workbook.xml.rels", "xl/worksheets/_rels/sheet.xml.rels"),
    *("xl/styles.xml", "xl/theme/theme.xml"),
}
"""Parts of a workbook, without their numbers, that say how it is put together and what it looks like."""

_ELEMENTS = {
    _SHEET: "worksheet dimension sheetViews sheetView pane selection sheetFormatPr cols col sheetData row c v is t "
    "pageMargins pageSetup sheetPr pageSetUpPr hyperlinks hyperlink tableParts tablePart "
    "ignoredErrors ignoredError",
    "xl/tables/table.xml": "table tableColumns tableColumn tableStyleInfo",
    _STRINGS: "sst si t",
    "xl/workbook.xml": "workbook fileVersion workbookPr bookViews workbookView sheets sheet calcPr",
    "docProps/core.xml": "coreProperties title creator lastModifiedBy created modified language",
    "docProps/app.xml": "Properties Application DocSecurity ScaleCrop HeadingPairs vector variant lpstr i4 "
    "TitlesOfParts Company LinksUpToDate SharedDoc HyperlinksChanged AppVersion",
}
"""What the other parts may hold. Formulas, comments and pictures are not among it; of links the target is looked at."""

_MAKERS = {"creator", "lastModifiedBy", "Company"}

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)


def find_leaks(release_folder: str | Path, board: Board | None = None, secrets: Iterable[str] = ()) -> pl.DataFrame:
    """Look for what must not stand in a release, in every file of its folder.

    Parameters
    ----------
    release_folder
        A release, or the folder of one that is being built.
    board
        The board it was made from. Without it no identifying values are known, so none are looked for.
    secrets
        Further texts that must stand nowhere, such as names.

    Returns
    -------
    pl.DataFrame
        One row per place, by file and in its order: ``file``, ``where``, ``what``, ``rule``. No identifying value and
        no number is printed in it. No row = nothing found.

    Raises
    ------
    ParameterError
        When there is no such folder.
    TableError
        When a table of the board breaks a rule.

    Notes
    -----
    Looked for, by ``rule``:

    - *identifying column*: a column that identifies people heads a table, is a key of JSON or a field of a chart;
    - *identifying value*: a value of such a column stands somewhere as a whole word. Values of fewer than 4 letters,
      5 digits, or 3 letters and digits would be found by chance: they are looked for where names stand alone (in the
      group columns of a table, the rows and series of a chart, the row headings of a page). A value that also stands
      in a text column that does not identify, such as the name of an agency, is not looked for;
    - *number*: the numbers of a row of a chart, or of a table on a page, with those in its words, are not all in one
      row of one table of the release under the same names; or a sentence (a headline, or any other output of a
      notebook) holds a number that is not in the rows it names, a total or a table of one row, and does not follow
      from them (see `figures`). A displayed number may be rounded, a share in per cent. Figures of ``data/published``
      are public and count as tables. A line that a chart draws for all groups alike may stand where its label says;
      In a Parquet file or a workbook every row is, as a whole, a row of one table of the release, with its header,
      or of the contents, notes and definitions of the workbook of all tables; a text alone in its row of a workbook is
      a title or a note;
    - *path*, *traceback*, *request*: a path of the computer, an error, something that is loaded from elsewhere (a link
      that a reader may follow is not);
    - *unknown content*: a file, picture, formula or script whose content is not known, a chart that is not Vega-Lite,
      a PDF that was not made of the very pages of the pack, or a table that cannot be opened.

    Not looked at: numbers in prose, titles, notes, definitions, axes and expressions of charts, and in the pictures of
    charts, which are drawn from the specifications beside them.
    """
    folder = Path(release_folder)
    if not folder.is_dir():
        raise ParameterError(f"{folder}: there is no such folder. Name the folder of a release.")
    entries = _entries(folder)
    tables = dict(_tables(folder, entries))
    opened = [table for table in tables.values() if table is not None]
    release = Release(folder, {"tables": entries})
    known = _known_rows({name: (release.entry(name), table) for name, table in tables.items() if table is not None})
    figures = Figures.of(opened)
    search = Search(Identities(board, secrets), figures, str(board.folder.resolve()) if board else "")
    for path in sorted(folder.rglob("*")):
        search.file = path.relative_to(folder).as_posix()
        search.text(search.file, "its name")
        if path.is_symlink() or not path.is_dir():
            _look_into(path, search, entries, known)
    for name, table in tables.items():
        parquet = f"tables/{name}.parquet"
        changed = table is not None and _digest(folder / parquet) != entries[name].get("parquet_sha256", "")
        search.file = parquet if changed else f"tables/{name}.csv"
        if changed or table is None:
            search.add("the file", UNKNOWN, _CHANGED)
    return search.findings()


def refuse_leaks(
    release_folder: str | Path,
    board: Board | None = None,
    *,
    refused: str = "the release was not made: it would hold what must not be published.",
    advice: str = "Show only tables that went through suppress(), and publish every table that is shown.",
) -> None:
    """Raise a `DisclosureError` that lists what `find_leaks` finds, between what is refused and what to do about it."""
    found = find_leaks(release_folder, board)
    if found.is_empty():
        return
    lines = [f"- {row['file']}, {row['where']}: {row['what']}." for row in found.head(_MOST_SAID).iter_rows(named=True)]
    more = [f"- and {found.height - _MOST_SAID:,} more."] if found.height > _MOST_SAID else []
    raise DisclosureError("\n".join([refused, *lines, *more, advice]))


def _entries(folder: Path) -> dict[str, Any]:
    """What the manifest says of each table; before the release is complete, what stands beside the tables."""
    try:
        if (folder / MANIFEST).exists():
            return dict(json.loads((folder / MANIFEST).read_text(encoding="utf-8"))["tables"])
        parts = sorted((folder / "tables").glob("*.json"))
        return {path.stem: json.loads(path.read_text(encoding="utf-8")) for path in parts}
    except _BROKEN:  # the file is found again, and reported
        return {}


def _tables(folder: Path, entries: dict[str, Any]) -> Iterator[tuple[str, Safe | None]]:
    """The tables of a release, as anybody would open them; None for one that cannot be opened."""
    release = Release(folder, {"tables": entries})
    for name in entries:
        try:
            yield name, release[name]
        except (SafeguardingError, *_BROKEN):
            yield name, None


def _digest(path: Path) -> str:
    """SHA-256 of a file; empty where there is none, as in a release made before tables were Parquet too."""
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def _look_into(path: Path, search: Search, entries: dict[str, Any], known: _Rows) -> None:
    """Look into a file; of a kind that is not known, nothing is known."""
    inside_tables = search.file == f"tables/{path.name}"
    entry = entries.get(path.stem) if inside_tables else None
    try:
        if path.is_symlink():
            search.add("the file", UNKNOWN, "a link to another place")
        elif path.suffix == ".pdf":
            if search.file != f"pack/{BOARD_PDF}" or not _is_of_the_pages(path):
                search.add("the file", UNKNOWN, _OTHER_PDF)
        elif path.suffix == ".parquet":
            _look_into_parquet(path.read_bytes(), search, known)
        elif path.suffix == ".xlsx":
            _look_into_workbook(path.read_bytes(), search, known)
        else:
            _look_into_text(path.suffix, path.read_bytes().decode("utf-8-sig"), search, entry)
    except _BROKEN:
        search.add("the file", UNKNOWN, "a file that cannot be read")


def _is_of_the_pages(pdf: Path) -> bool:
    """Whether a PDF is the one that the report made, of the pages that stand beside it and are looked into."""
    made = json.loads((pdf.parents[1] / MANIFEST).read_text(encoding="utf-8")).get("pdf")
    return bool(made) and made == digests_of(pdf.parent)


def _look_into_text(kind: str, text: str, search: Search, entry: Mapping[str, Any] | None) -> None:
    if kind == ".html":
        look_into_page(_without_own_scripts(text), search)
    elif kind == ".csv" and entry:
        _look_into_table(text, entry, search)
    elif kind == ".json" and (entry or search.file == MANIFEST):
        search.document(json.loads(text), "")
    elif kind == ".json" and (spec := _chart(text)):
        search.chart(spec, "chart")
    elif kind == ".ipynb":
        _look_into_notebook(json.loads(text), search)
    else:
        search.add("the file", UNKNOWN, "a file that a release does not have")
        search.text(text, "the file")


def _chart(text: str) -> dict[str, Any] | None:
    """A Vega-Lite specification. Of Vega it is not known what is drawn: any number may stand anywhere in it."""
    try:
        spec = json.loads(text)
    except ValueError:
        return None
    return spec if isinstance(spec, dict) and "/vega-lite/" in str(spec.get("$schema")) else None


_Rows = dict[tuple[Any, ...], tuple[int, set[tuple[Any, ...]]]]
"""By the header of a table: how many of its columns name a row, and its rows."""


def _known_rows(tables: Published) -> _Rows:
    """The rows of all tables by header: as Parquet holds them, with their marks, and as workbooks print them."""
    known: _Rows = {}
    every = [
        (len(table.shape.group_columns(list(header))), header, rows)
        for _, table in tables.values()
        for frame in [plain(table)]
        for header, rows in (printed(table), (frame.columns, frame.rows()))
    ]
    for groups, header, rows in (*every, *worded_tables(tables)):
        known.setdefault(tuple(header), (groups, set()))[1].update(tuple(map(_exact, row)) for row in rows)
    return known


def _exact(value: Any) -> Any:
    """A number as a workbook holds it, which is to 16 digits; anything else as it is."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return float(f"{value:.16G}") if is_number and isfinite(value) else value


def _look_into_parquet(content: bytes, search: Search, known: _Rows) -> None:
    if set(pl.read_parquet_metadata(io.BytesIO(content))) - {"ARROW:schema"}:
        search.add("the file", UNKNOWN, "something beside the rows of a table")
    frame = pl.read_parquet(io.BytesIO(content))
    rows = ((f"row {number}", row) for number, row in enumerate(frame.rows(), 2))
    _look_into_rows([("header", tuple(frame.columns)), *rows], search, known, notes=False)


def _look_into_rows(rows: Iterable[tuple[str, tuple[Any, ...]]], search: Search, known: _Rows, *, notes: bool) -> None:
    """Look at all texts and names, and whether each row is the header of a table or stands under it there."""
    below: set[tuple[Any, ...]] = set()
    groups = 0
    for where, row in rows:
        cells = tuple(map(_exact, row))
        if cells in known:
            groups, below = known[cells]
        for position, cell in enumerate(row):
            if isinstance(cell, str) or (position < groups and cell is not None):
                text = cell if isinstance(cell, str) else f"{cell:.15g}"
                search.column(text, where)
                search.text(text, where)
                search.name(text, where)
        note = notes and len(cells) == 1 and isinstance(cells[0], str) and re.search(r"[^\W\d]", cells[0])
        if cells not in known and cells not in below and not note:
            search.add(where, NUMBER, _NO_ROW)


def _look_into_workbook(content: bytes, search: Search, known: _Rows) -> None:
    """Look into every part of a workbook: its cells, its names and properties, and whether there is more."""
    with ZipFile(io.BytesIO(content)) as archive:
        if archive.comment or len(set(archive.namelist())) < len(archive.namelist()):
            raise ValueError("more than the parts of a workbook")
        parts = {name: _elements(archive.read(name)) for name in archive.namelist()}
    texts = [_text(each) for each in parts.get(_STRINGS, ()) if _tag(each) == "si"]
    used: set[str] = set()
    for name, elements in parts.items():
        kind = re.sub(r"\d+(?=\.xml(\.rels)?$)", "", name)
        if kind in _LOOKS:
            _look_at_looks(elements, name, search)
        elif kind not in _ELEMENTS or {_tag(each) for each in elements} - set(_ELEMENTS[kind].split()):
            search.add(name, UNKNOWN, "a formula, a picture, or something else that is no cell")
        if kind == _SHEET:
            rows = [(f"{name}, row {row.get('r')}", _cells(row, texts)) for row in elements if _tag(row) == "row"]
            used |= {cell for _, cells in rows for cell in cells if isinstance(cell, str)}
            _look_at_properties([each for each in elements if _tag(each) == "hyperlink"], name, search)
            _look_into_rows(rows, search, known, notes=True)
        elif kind not in _LOOKS:
            _look_at_properties(elements, name, search)
    if {*texts, *_labels(parts.values())} - used:
        search.add(_STRINGS, UNKNOWN, "a text that stands in no cell")


def _labels(parts: Iterable[list[ElementTree.Element]]) -> set[str]:
    """What stands in a cell and is said again: the names of columns, the words of links."""
    said = {"tableColumn": ("name",), "hyperlink": ("display", "tooltip")}
    tagged = [(each, said.get(_tag(each), ())) for elements in parts for each in elements]
    return {each.get(key, "") for each, keys in tagged for key in keys} - {""}


def _elements(part: bytes) -> list[ElementTree.Element]:
    if b"<!" in part:
        raise ValueError("a workbook declares nothing and has no comments in its parts")
    return list(ElementTree.fromstring(part).iter())  # noqa: S314 - no entities: see above


def _tag(element: ElementTree.Element) -> str:
    return element.tag.rpartition("}")[2]


def _text(element: ElementTree.Element) -> str:
    """The text of a cell; a workbook writes some characters as ``_x000D_``."""
    text = "".join(element.itertext())
    return re.sub(r"_x([0-9A-Fa-f]{4})_", lambda found: chr(int(found[1], 16)), text)


def _cells(row: ElementTree.Element, texts: list[str]) -> tuple[str | float | bool, ...]:
    return tuple(_cell(cell, texts) for cell in row if len(cell))


def _cell(cell: ElementTree.Element, texts: list[str]) -> str | float | bool:
    kind, text = cell.get("t", "n"), _text(cell)
    if kind == "s":
        return texts[int(text)]
    if kind == "b":
        return text == "1"
    return float(text) if kind == "n" else text


def _look_at_looks(elements: list[ElementTree.Element], name: str, search: Search) -> None:
    for each in elements:
        search.text(each.get("formatCode", ""), name)
        if each.get("TargetMode") == "External":
            search.add(name, REQUEST)


def _look_at_properties(elements: list[ElementTree.Element], name: str, search: Search) -> None:
    for each in elements:
        for text in (each.text or "", *each.attrib.values()):
            search.text(text, name)
        if _tag(each) == "tableColumn":
            search.column(each.get("name", ""), name)
        if _tag(each) in _MAKERS and each.text:
            search.add(name, VALUE, "the name of who made it")


def _look_into_table(text: str, entry: Mapping[str, Any], search: Search) -> None:
    columns = dict(entry["columns"])
    groups = SHAPES[entry["shape"]].group_columns(list(columns))
    numbers = {each for each, kind in columns.items() if kind.startswith(("Int", "Float")) and each not in groups}
    header, *rows = csv.reader(io.StringIO(text, newline=""))
    for name in header:
        search.column(name, "header")
        search.text(name, "header")
    for number, row in enumerate(rows, 2):
        for name, cell in zip(header, row, strict=True):
            if name not in numbers:
                search.text(cell, f"row {number}, column {name}")
                search.name(cell, f"row {number}, column {name}")


def _look_into_notebook(notebook: dict[str, Any], search: Search) -> None:
    """An executed notebook: its sources and settings as text, its outputs as a page shows them."""
    search.document({key: part for key, part in notebook.items() if key != "cells"}, "notebook")
    for number, cell in enumerate(notebook["cells"], 1):
        search.document({key: part for key, part in cell.items() if key != "outputs"}, f"cell {number}")
        if cell.get("attachments"):
            search.add(f"cell {number}", UNKNOWN, "a picture")
        for output in cell.get("outputs", []):
            _look_into_output(output, f"cell {number}, output", search)


def _look_into_output(output: dict[str, Any], where: str, search: Search) -> None:
    search.document({key: part for key, part in output.items() if key != "data"}, where)
    if output["output_type"] == "error":
        search.add(where, TRACEBACK)
    contents = {"text/plain": output.get("text", ""), **output.get("data", {})}
    for kind, content in contents.items():
        if kind.startswith("application/vnd.vegalite"):
            search.chart(content, where)
            continue
        text = "".join(content)
        if kind == "text/html":
            look_into_page(text, search, before=f"{where}, ", said=True)
        elif kind in ("text/plain", "text/markdown"):
            search.text(text, where)
            for line in text.splitlines() if len(contents) == 1 else ():  # else it stands for what is looked at anyway
                search.sentence(line, where)
        else:
            search.add(where, UNKNOWN, "an output of a kind that is not known")


def _without_own_scripts(page: str) -> str:
    """A page without the scripts of this package; any other stays, and is not known."""
    if "<script>" not in page:
        return page
    own = {vega_bundle(), (TEMPLATES / "page.js").read_text(encoding="utf-8")}
    return _SCRIPT.sub(lambda found: "\n" * found[0].count("\n") if found[1] in own else found[0], page)
