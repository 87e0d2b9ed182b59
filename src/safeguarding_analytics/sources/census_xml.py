"""XML of a census, element by element: never the whole file in memory, nothing declared, fetched or expanded.

A layout says which elements make a row and which values it has. No value of the file is ever quoted in a message.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn
from xml.parsers import expat

import polars as pl

from safeguarding_analytics.errors import ParameterError, TableError, numbered, shorten

NUMBER, PARENT, LINE = "number", "parent", "line"
"""First columns of every table: the row's number in the file, that of the row it stands within, and its line."""

CHUNK = 1 << 18
"""Bytes read at a time. A tag, comment or instruction that is longer than this is none that a census has."""

DEEPEST = 32
LONGEST_TEXT = 10_000
MOST_NAMES = 500
"""Most levels of elements, most characters of one value, most different names that are not known."""

FEW = 5
"""Lines that are named where there are many."""

MOST_ROWS_WAITING = 5_000
PASSED_OVER = -1

ENCODINGS = ("utf-8", "utf8", "utf-16", "utf-16le", "utf-16be", "us-ascii", "ascii", "iso-8859-1", "windows-1252")

_NO_XML = {
    b"\x1f\x8b": "a compressed file (gzip). Unpack it",
    b"PK\x03\x04": "a ZIP archive or a workbook. Unpack it, or export the census as XML",
    b"\xd0\xcf\x11\xe0": "an old workbook or document, or one with a password. Export the census as XML",
    b"PAR1": "a Parquet file. Export the census as XML",
    b"%PDF": "a PDF. Export the census as XML",
    b"7z\xbc\xaf": "a compressed file (7z). Unpack it",
    b"BZh": "a compressed file (bzip2). Unpack it",
    b"\xfd7zXZ": "a compressed file (xz). Unpack it",
}


@dataclass(frozen=True)
class Place:
    """What may stand within an element.

    ``table`` names the table of which the element makes a row; without it, values are those of the row around it. A
    value named by ``repeats`` makes a further row when it comes again. What is in elements that are ``passed_over`` is
    not looked at.
    """

    values: tuple[str, ...] = ()
    inner: Mapping[str, Place] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    table: str = ""
    repeats: str = ""

    def columns(self) -> tuple[str, ...]:
        """Values of a row: those of the element, and of the elements within it that make no row of their own."""
        within = (name for place in self.inner.values() if not place.table for name in place.columns())
        return (*self.values, *within)


@dataclass(frozen=True)
class CensusRows:
    """A file as read: per table one row of text per record, with `NUMBER`, `PARENT` and `LINE`.

    ``unknown`` are lines of elements that the layout has not at their place (the first few; ``unknown_count`` counts
    all), ``twice`` lines of values that stand in their record already. ``digest`` is the SHA-256 of the file's bytes.
    """

    tables: Mapping[str, pl.DataFrame]
    unknown: tuple[int, ...]
    unknown_count: int
    twice: tuple[int, ...]
    twice_count: int
    digest: str


def read_rows(path: Path, layout: Mapping[str, Place]) -> CensusRows:
    """Read the records of a file.

    Parameters
    ----------
    path
        The XML file: UTF-8, UTF-16, or, where it says so itself, ISO-8859-1 or Windows-1252. Prefixes of namespaces
        are left out.
    layout
        The outermost element, and what may stand within it.

    Raises
    ------
    TableError
        When the file is missing, empty, no XML, cut off, not well-formed, in another encoding; when it declares a
        document type or entities; when it is nested too deeply or has values, tags or names that no census has.
    """
    return parse_rows(_chunks(path), path.name, layout)


def parse_rows(chunks: Iterable[bytes], name: str, layout: Mapping[str, Place]) -> CensusRows:
    """Read the records of a file that comes in pieces, as `read_rows` does.

    Notes
    -----
    Expat calls back for every element, and nothing is kept but the rows: they become columns of text every few
    thousand. Document types and entities are refused at their first letter, so that nothing is expanded or opened.
    """
    reader = _Reader(name, layout)
    digest = hashlib.sha256()
    try:
        for chunk in filter(None, chunks):
            if not reader.fed:
                _recognise(chunk, name)
                reader.other_lines = b"\n" not in chunk or chunk.startswith((b"\xff\xfe", b"\xfe\xff"))
            digest.update(chunk)
            reader.feed(chunk)
            reader.flush(MOST_ROWS_WAITING)
            if reader.fed - reader.parser.CurrentByteIndex > CHUNK:
                reader.refuse(
                    f"a tag, comment or instruction is longer than {CHUNK:,} bytes, or spaces are",
                    "It is no census as case systems write it. Export it again",
                )
        if not reader.fed:
            _recognise(b"", name)
        reader.parser.Parse(b"", True)
    except expat.ExpatError as error:
        position = reader.parser.ErrorByteIndex - reader.fed + len(reader.chunk)
        found, step = _say_error(error, reader.chunk[position : position + 1] if position >= 0 else b"")
        raise TableError(f"{name}, line {error.lineno:,}: {found}. {step}.") from None
    reader.flush(0)
    return CensusRows(
        {table.name: table.frame() for table in reader.tables},
        tuple(reader.unknown),
        reader.unknown_count,
        tuple(reader.twice),
        reader.twice_count,
        digest.hexdigest(),
    )


def validate_against(path: Path, schema: Path) -> pl.DataFrame:
    """Check a file against an XML schema: what stands where it may not, line by line.

    Parameters
    ----------
    path
        The XML file.
    schema
        The XSD, such as that of the children in need census of the year.

    Returns
    -------
    pl.DataFrame
        One row per broken rule, sorted by line: ``line``, ``element`` (its name and those around it; what is no name of
        the schema is not shown), ``rule`` (what is wanted). No value of the file. Empty where it keeps the schema.

    Raises
    ------
    ParameterError
        When the package lxml is not installed.
    TableError
        When one of the two is missing, cannot be read, or has a document type.

    Notes
    -----
    The whole file is held in memory, as libxml2's validator wants it. A file that breaks its schema may still be read.

    References
    ----------
    W3C, XML Schema Part 1: Structures, appendix C (outcome tabulations).
    """
    try:
        from lxml import etree
    except ImportError:
        raise ParameterError(
            "the check against an XML schema needs the package lxml. Install it with: "
            'pip install "safeguarding-analytics[cin]". Everything else works without it.'
        ) from None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False, load_dtd=False)
    trees = []
    for each in (path, schema):
        content = b"".join(_chunks(each))
        _recognise(content[:CHUNK], each.name)
        try:
            tree = etree.fromstring(content, parser).getroottree()
        except etree.XMLSyntaxError as error:
            line = error.lineno or 1
            raise TableError(f"{each.name}, line {line:,}: the file is not well-formed XML. Export it again.") from None
        if tree.docinfo.internalDTD is not None:
            raise TableError(f"{each.name}: {_DECLARED}. {_WITHOUT}.")
        trees.append(tree)
    try:
        rules = etree.XMLSchema(trees[1])
    except etree.XMLSchemaParseError:
        raise TableError(f"{schema.name}: this is no XML schema. Name the XSD of the census of the year.") from None
    rules.validate(trees[0])
    names = {str(node.get("name")) for node in trees[1].iter("{http://www.w3.org/2001/XMLSchema}element")}
    found = [(e.line, _element(str(e.path or ""), names), _wanted(str(e.type_name))) for e in rules.error_log]
    columns = {LINE: pl.Int64, "element": pl.String, "rule": pl.String}
    # A value of the wrong pattern is reported as of the wrong type as well.
    return pl.DataFrame(found, schema=columns, orient="row").unique(subset=[LINE, "element"], keep="first").sort(LINE)


_DECLARED = "it declares a document type or entities, which a census never does"
_WITHOUT = "They can make a program open other files, so nothing was read. Export the census again"


class _Table:
    """Rows that wait, and those that are columns already."""

    def __init__(self, name: str, columns: tuple[str, ...]) -> None:
        self.name = name
        self.columns = columns
        self.empty: list[object] = [None] * len(columns)
        self.rows: list[list[object]] = []
        self.made: list[pl.DataFrame] = []
        self.count = 0

    def schema(self) -> dict[str, type[pl.DataType]]:
        return {NUMBER: pl.Int64, PARENT: pl.Int64, LINE: pl.Int64} | dict.fromkeys(self.columns, pl.String)

    def add(self, parent: object, line: int) -> list[object]:
        """A row without values, which waits for them."""
        self.count += 1
        return [self.count, parent, line, *self.empty]

    def flush(self) -> None:
        text = pl.col(pl.String).str.strip_chars()
        columns = dict(zip(self.schema(), zip(*self.rows, strict=True), strict=True))
        frame = pl.DataFrame(columns, schema=self.schema())
        self.made.append(frame.with_columns(pl.when(text != "").then(text)))
        self.rows.clear()

    def frame(self) -> pl.DataFrame:
        return pl.concat([pl.DataFrame(schema=self.schema()), *self.made])


class _Node:
    """A place as the reader uses it: per name the position of a value in the row, or what stands within."""

    __slots__ = ("inner", "repeats", "slots", "table")

    def __init__(self, table: _Table | None = None, repeats: int = PASSED_OVER) -> None:
        self.slots: dict[str, int] = {}
        self.inner: dict[str, _Node] = {}
        self.table = table
        self.repeats = repeats


Row = list[object]


class _Reader:
    """Rows of the elements that the layout names, made while the parser calls."""

    def __init__(self, name: str, layout: Mapping[str, Place]) -> None:
        self.name = name
        self.tables: list[_Table] = []
        self.node = _Node()
        self.node.inner = {root: self._compile(place, None) for root, place in layout.items()}
        self.stack: list[tuple[_Node, Row]] = []
        self.names: set[str] = set()
        self.texts: list[str] = []
        self.unknown: list[int] = []
        self.twice: list[int] = []
        self.unknown_count = self.twice_count = 0
        self.chunk = b""
        self.fed, self.counted, self.lines = 0, 0, 1
        self.other_lines = False
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.ordered_attributes = True
        self.parser.XmlDeclHandler = self.declaration
        for handler in ("StartDoctypeDeclHandler", "EntityDeclHandler", "ExternalEntityRefHandler"):
            setattr(self.parser, handler, self.declared)
        self.listen()

    def _compile(self, place: Place, around: _Table | None) -> _Node:
        """The place as positions: values of a row come after its number, the row around it, and its line."""
        table = _Table(place.table, place.columns()) if place.table else around
        if place.table and table is not None:
            self.tables.append(table)
        columns = table.columns if table else ()
        node = _Node(table if place.table else None, 3 + columns.index(place.repeats) if place.repeats else PASSED_OVER)
        node.slots = {value: 3 + columns.index(value) for value in place.values}
        node.slots |= dict.fromkeys(place.passed_over, PASSED_OVER)
        node.inner = {name: self._compile(inner, table) for name, inner in place.inner.items()}
        return node

    def listen(self) -> None:
        """Tell the parser whom to call. Nearly all calls are of values: these share local variables for speed.

        Text is listened to within values only; within what is passed over nothing is done but to count levels.
        """
        parser, names, texts = self.parser, self.names, self.texts
        hear, forget, deepest, longest = texts.append, texts.clear, DEEPEST, LONGEST_TEXT
        slots: dict[str, int] = {}
        row: Row = []
        slot: int | None = None
        depth = 0

        def start(name: str, attributes: list[str]) -> None:
            nonlocal slots, row, slot, depth
            if slot is not None:
                if slot > 0:
                    self.refuse("an element that holds a value has others in it", "Export the census again")
                depth = 1
                parser.StartElementHandler = deeper
                parser.EndElementHandler = higher
                deeper(name, attributes)
                return
            slot = slots.get(name)
            if attributes:
                self.remember(attributes[::2])
            if slot is None:
                slots, row, slot = self.enter(name, slots, row)
            if slot is not None and slot > 0:
                parser.CharacterDataHandler = hear

        def end(name: str) -> None:
            nonlocal slots, row, slot
            if slot is None:
                slots, row = self.leave(row)
                return
            if slot > 0:
                parser.CharacterDataHandler = None
                text = texts[0] if len(texts) == 1 else ""
                if not text or len(text) > longest:
                    text = self.joined()
                forget()
                if row[slot] is None:
                    row[slot] = text
                else:
                    row = self.again(slot, row, text)
            slot = None

        def deeper(name: str, attributes: list[str]) -> None:
            nonlocal depth
            depth += 1
            if depth > deepest:
                self.refuse(f"more than {DEEPEST} levels of elements within one another", "It is no census")
            if attributes or name not in names:
                self.remember([name, *attributes[::2]])

        def higher(name: str) -> None:
            nonlocal slot, depth
            depth -= 1
            if depth == 0:
                slot = None
                parser.StartElementHandler = start
                parser.EndElementHandler = end

        parser.StartElementHandler = start
        parser.EndElementHandler = end

    def enter(self, name: str, slots: dict[str, int], row: Row) -> tuple[dict[str, int], Row, int | None]:
        """An element with others in it, or one that is not known: what may stand in it, its row, or its position."""
        found = self.node.inner.get(name)
        if found is None:
            self.remember([name])
            plain = name.rpartition(":")[2]
            if plain in slots:
                return slots, row, slots[plain]
            found = self.node.inner.get(plain)
        if found is None:
            self.pass_over()
            return slots, row, PASSED_OVER
        self.stack.append((self.node, row))
        self.node = found
        if found.table is not None:
            row = found.table.add(row[0] if row else None, self.line())
        return found.slots, row, None

    def leave(self, row: Row) -> tuple[dict[str, int], Row]:
        """The end of such an element: back to what stands around it."""
        if self.node.table is not None:
            self.node.table.rows.append(row)
        self.node, row = self.stack.pop()
        return self.node.slots, row

    def again(self, slot: int, row: Row, text: str) -> Row:
        """A value that its record has already: a further row where that may be, else the first one counts."""
        table = self.node.table
        if table is not None and slot == self.node.repeats:
            table.rows.append(row)
            row = table.add(row[1], self.line())
            row[slot] = text
            return row
        self.twice_count += 1
        if len(self.twice) < FEW:
            self.twice.append(self.line())
        return row

    def joined(self) -> str:
        """A value whose text comes in pieces, or has none."""
        if sum(map(len, self.texts)) > LONGEST_TEXT:
            self.refuse(f"a value is longer than {LONGEST_TEXT:,} characters", "Look for a tag that is not closed")
        return "".join(self.texts)

    def pass_over(self) -> None:
        """Leave out an element that the layout has not at this place, with all that is in it."""
        if not self.stack:
            self.refuse("the outermost element is not that of a census (Message)", "Name the XML that was sent to DfE")
        self.unknown_count += 1
        if len(self.unknown) < FEW:
            self.unknown.append(self.line())

    def remember(self, names: list[str]) -> None:
        """Names that are not known: the parser keeps each of them, so there may not be too many."""
        self.names.update(names)
        if len(self.names) > MOST_NAMES:
            self.refuse(f"more than {MOST_NAMES} names that a census has not", "Export the census again")

    def declaration(self, version: str, encoding: str | None, standalone: int) -> None:
        if encoding is not None and encoding.lower() not in ENCODINGS:
            self.refuse(_WRONG["XML_ERROR_UNKNOWN_ENCODING"][0], f"Save it as UTF-8. Read are: {', '.join(ENCODINGS)}")

    def declared(self, *_: object) -> NoReturn:
        self.refuse(_DECLARED, _WITHOUT)

    def feed(self, chunk: bytes) -> None:
        """Read on. Lines are counted here, since expat counts them letter by letter."""
        self.lines += self.chunk.count(b"\n", self.counted)
        self.fed += len(chunk)
        self.chunk, self.counted = chunk, 0
        self.parser.Parse(chunk, False)
        self.joined()

    def line(self) -> int:
        """The line of the element that is read."""
        if self.other_lines:
            return self.parser.CurrentLineNumber
        position = self.parser.CurrentByteIndex - self.fed + len(self.chunk)
        if position > self.counted:
            self.lines += self.chunk.count(b"\n", self.counted, position)
            self.counted = position
        return self.lines

    def refuse(self, found: str, step: str) -> NoReturn:
        raise TableError(f"{self.name}, line {self.parser.CurrentLineNumber:,}: {found}. {step}.")

    def flush(self, most: int) -> None:
        for table in self.tables:
            if len(table.rows) > most:
                table.flush()


def _chunks(path: Path) -> Iterator[bytes]:
    """The bytes of a file, some at a time."""
    if path.is_dir():
        raise TableError(f"{path.name}: this is a folder, not a file. Name the XML file in it.")
    try:
        with path.open("rb", buffering=0) as file:
            while chunk := file.read(CHUNK):
                yield chunk
    except FileNotFoundError:
        raise TableError(
            f"{path.name}: file not found in {path.parent}. Put it there, or name another file in board.toml."
        ) from None
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise TableError(f"{path.name}: the file cannot be read ({reason}). Ask for the right to read it.") from None


def _recognise(head: bytes, name: str) -> None:
    """Refuse what is no XML by its first bytes."""
    for signature, what in _NO_XML.items():
        if head.startswith(signature):
            raise TableError(f"{name}, line 1: its name says XML, but it is {what}.")
    visible = head.removeprefix(b"\xef\xbb\xbf").removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").strip(b" \t\r\n\0")
    if not visible:
        raise TableError(f"{name}, line 1: the file is empty. Wanted the XML of a census. Export it again.")
    if not visible.startswith(b"<"):
        raise TableError(f"{name}, line 1: this is no XML, although its name says so. Export the census as XML.")
    if visible[:64].lower().replace(b"\0", b"").startswith((b"<!doctype html", b"<html")):
        raise TableError(f"{name}, line 1: this is a web page, not a census. Was its sign-in page saved instead?")


_WRONG = {
    "XML_ERROR_NO_ELEMENTS": ("the file ends before its outermost element does: it is cut off", "Copy it again"),
    "XML_ERROR_TAG_MISMATCH": ("an element is closed that is not the last one opened", "Export the census again"),
    "XML_ERROR_JUNK_AFTER_DOC_ELEMENT": ("there is more behind the outermost element", "Keep one census a file"),
    "XML_ERROR_UNDEFINED_ENTITY": ("an entity is used that XML does not know", "Write & as &amp;"),
    "XML_ERROR_MISPLACED_XML_PI": ("something stands before the XML declaration", "Remove it, also empty lines"),
    "XML_ERROR_UNKNOWN_ENCODING": ("it declares an encoding that is not read", "Save it as UTF-8"),
    "XML_ERROR_INCORRECT_ENCODING": ("its bytes are not in the encoding that it declares", "Save it as UTF-8"),
    "XML_ERROR_DUPLICATE_ATTRIBUTE": ("an attribute stands twice", "Export the census again"),
}
_CUT_OFF = ("XML_ERROR_UNCLOSED_TOKEN", "XML_ERROR_PARTIAL_CHAR", "XML_ERROR_UNCLOSED_CDATA_SECTION")


def _say_error(error: expat.ExpatError, wrong: bytes) -> tuple[str, str]:
    """An error of the parser in words, and what to do."""
    words = {getattr(expat.errors, name): said for name, said in _WRONG.items()}
    words |= {getattr(expat.errors, name): _WRONG["XML_ERROR_NO_ELEMENTS"] for name in _CUT_OFF}
    said = words.get(expat.errors.messages.get(error.code, ""))
    if said is None and wrong >= b"\x80":
        return (
            "its bytes are not in the encoding that it declares (UTF-8 where it declares none)",
            'Save it as UTF-8, or begin it with <?xml version="1.0" encoding="Windows-1252"?> if it is that',
        )
    return said or ("the file is not well-formed XML", "Look for a < or & in a value, or export the census again")


def _element(path: str, names: set[str]) -> str:
    """The path of an element, without what is no name of the schema."""
    parts = [part.partition("[")[0].rpartition(":")[2] for part in path.split("/") if part]
    return "/".join(part if part in names else "(not in the schema)" for part in parts)


def _wanted(kind: str) -> str:
    """What a rule of XML schema wants, by the name of the rule."""
    rules = {
        "CONTENT": "the elements of the schema here, in its order, none missing",
        "ENUMERATION": "one of the codes of the schema",
        "PATTERN": "a value of the pattern in the schema",
        "DATATYPE": "a value of the type in the schema, such as 2024-03-31 for a date",
        "MININCLUSIVE": "a number that is not below the lowest one in the schema",
        "LENGTH": "some text",
        "ATTRIBUTE": "no attribute that the schema has not",
        "CVC_ELT": "an outermost element that the schema knows",
    }
    return next((wanted for part, wanted in rules.items() if part in kind), "what the schema says of this element")


def say_left_out(rows: CensusRows, name: str) -> list[str]:
    """Notes on elements that were passed over, and on values of which only the first counts."""
    notes = []
    if rows.unknown_count:
        notes.append(
            f"{name}: {numbered(rows.unknown_count, 'element')} that the census has not at that place left out: "
            f"{_lines(rows.unknown, rows.unknown_count)}"
        )
    if rows.twice_count:
        notes.append(
            f"{name}: {numbered(rows.twice_count, 'value')} given twice in one record, of which the first counts: "
            f"{_lines(rows.twice, rows.twice_count)}"
        )
    return notes


def _lines(lines: tuple[int, ...], count: int) -> str:
    more = f" and {count - len(lines):,} more" if count > len(lines) else ""
    return f"{'line' if count == 1 else 'lines'} {shorten(lines)}{more}"
