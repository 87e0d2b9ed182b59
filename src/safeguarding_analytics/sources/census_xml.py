"""XML of a census, element by element: never the whole file in memory, nothing declared, fetched or expanded.

No value of the file is ever quoted in a message.
"""

from __future__ import annotations

import codecs
import io
import re
from collections.abc import Generator, Iterable, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import polars as pl

from safeguarding_analytics.errors import ParameterError, TableError, numbered, shorten
from safeguarding_analytics.sources import census_check
from safeguarding_analytics.sources.census_check import (
    CHUNK,
    DECLARED,
    PIECE,
    WITHOUT,
    Part,
    check_file,
    check_parts,
    read_chunks,
    recognise,
)
from safeguarding_analytics.sources.census_steps import (
    LINE,
    NOT_CLOSED,
    ROW,
    TOO_LONG,
    Known,
    Node,
    Place,
    RefusalError,
    Shape,
    State,
    Table,
    Unread,
    Within,
)

LONGEST_WAITING = CHUNK // 2
"""Most characters that wait for an element to end: many times what its beginning and a value have."""

FEW = 5
"""Lines that are named where there are many."""

MOST_ROWS_WAITING = 5_000


@dataclass(frozen=True)
class CensusRows:
    """A file as read: per table one row per record, with `NUMBER`, `PARENT` and `LINE`, as read or as shaped.

    ``unknown`` are lines of elements that the layout has not at their place (the first few; ``unknown_count`` counts
    all), ``twice`` lines of values that stand in their record already. ``digest`` is the SHA-256 of the file's bytes.
    """

    tables: Mapping[str, pl.DataFrame]
    unknown: tuple[int, ...]
    unknown_count: int
    twice: tuple[int, ...]
    twice_count: int
    digest: str


def _as_it_is(_: str, rows: pl.DataFrame, __: Unread) -> pl.DataFrame:
    return rows


def read_rows(path: Path, layout: Mapping[str, Place], shape: Shape = _as_it_is) -> CensusRows:
    """Read the records of a file.

    Parameters
    ----------
    path
        The XML file: UTF-8, UTF-16, or, where it says so itself, ISO-8859-1 or Windows-1252. Prefixes of namespaces
        are left out.
    layout
        The outermost element, and what may stand within it.
    shape
        What becomes of the rows of a table, some thousand at a time, so that the text of the file never is in memory
        as a whole. Numbers of rows and of those around them must stay.

    Raises
    ------
    TableError
        When the file is missing, empty, no XML, cut off, not well-formed, in another encoding; when it declares a
        document type or entities; when it is nested too deeply or has values, tags or names that no census has.
    """
    return _rows_of(check_file(path), path.name, layout, shape)


def parse_rows(chunks: Iterable[bytes], name: str, layout: Mapping[str, Place], shape: Shape = _as_it_is) -> CensusRows:
    """Read the records of a file that comes in pieces, as `read_rows` does, without another process."""
    return _rows_of(check_parts(chunks, name), name, layout, shape)


def _rows_of(parts: Generator[Part], name: str, layout: Mapping[str, Place], shape: Shape) -> CensusRows:
    """The records of what was found well-formed: nothing is kept but rows, which become columns every few thousand."""
    reader = _Reader(name, layout, shape)
    digest = ""
    with closing(parts):
        for kind, content in parts:
            match kind:
                case census_check.CODEC:
                    reader.decode_as(content.decode())
                case census_check.CHECKED:
                    reader.read_bytes(content)
                case census_check.REFUSED:
                    reader.read("", last=True)  # What is wrong before it is told first.
                    raise TableError(content.decode(errors="surrogateescape"))
                case census_check.DIGEST:
                    reader.read("", last=True)
                    digest = content.decode()
            for table in reader.tables:
                if len(table.lines) > MOST_ROWS_WAITING:
                    table.flush(keep=1)
    for table in reader.tables:
        table.flush(keep=0)
    return CensusRows(
        {table.name: table.frame() for table in reader.tables},
        tuple(reader.unknown),
        reader.unknown_count,
        tuple(reader.twice),
        reader.twice_count,
        digest,
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
        content = b"".join(read_chunks(each))
        recognise(content[:CHUNK], each.name)
        try:
            tree = etree.fromstring(content, parser).getroottree()
        except etree.XMLSyntaxError as error:
            line = error.lineno or 1
            raise TableError(f"{each.name}, line {line:,}: the file is not well-formed XML. Export it again.") from None
        if tree.docinfo.internalDTD is not None:
            raise TableError(f"{each.name}: {DECLARED}. {WITHOUT}.")
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


class _Reader:
    """Rows of the elements that the layout names, of text that the parser has found well-formed."""

    def __init__(self, name: str, layout: Mapping[str, Place], shape: Shape) -> None:
        self.name = name
        self.tables: list[Table] = []
        self.state: State = Within(Known(), None, Node(Place(inner=layout), self.tables, None, shape))
        self.unknown: list[int] = []
        self.twice: list[int] = []
        self.unknown_count = self.twice_count = 0
        self.lines, self.text = 1, _NO_END
        self.decode_as("utf-8")

    def decode_as(self, codec: str) -> None:
        """Read what follows in this encoding."""
        self.decoder = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder(codec)("replace"), translate=True)

    def read_bytes(self, content: bytes) -> None:
        """Read some more of the file."""
        self.read(self.decoder.decode(content))

    def refuse(self, found: str, step: str, within: int = 0) -> NoReturn:
        raise TableError(f"{self.name}, line {self.lines + within:,}: {found}. {step}.") from None

    def read(self, text: str, *, last: bool = False) -> None:
        """Take text apart where elements end; the last end waits for what is behind it to be complete.

        In well-formed text < begins a tag, and nothing else, once comments and instructions are gone and CDATA is
        written as other text.
        """
        text = self.text + text
        end = len(text)
        if "!" in text or "?" in text:  # One letter is found much sooner than two.
            text = _NO_TAG.sub(_as_text, text)
            unclosed = _NO_TAG_YET.search(text)
            end = unclosed.start() if unclosed else len(text)
        cut, begin = (end if last else text.rfind("</", 0, end)), ""
        if end - cut > PIECE:
            cut, begin = text.rfind("<", 0, end), _NO_END
            cut = end if end - cut > LONGEST_WAITING else cut
        self.text = begin + text[cut:]
        if cut:
            self.walk(text[2:cut].split("</"))
        in_value = begin and cut == end and self.state.holds_value
        if in_value or len(self.text) > LONGEST_WAITING + CHUNK:
            self.refuse(TOO_LONG, NOT_CLOSED)

    def walk(self, pieces: list[str]) -> None:
        """Go from end to end: pieces are the name of what ends, what begins behind it, and the text before the next."""
        state, lines = self.state, self.lines
        try:
            for piece in pieces:
                state, count, todo = state[piece]
                if todo:
                    actions, table, slot, value = todo
                    for kind, within, place, begun in actions:
                        if kind == ROW and begun is not None:
                            begun.add(lines + within)
                        else:
                            self.act(begun, place, lines + within)
                    if table is not None:
                        cells = table.cells
                        if cells[slot] is None:
                            cells[slot] = value
                        else:
                            self.again(table, slot, value, lines + piece.count("\n", 0, piece.rfind("<")))
                lines += count
        except RefusalError as refusal:
            self.lines = lines
            self.refuse(*refusal.args)
        self.state, self.lines = state, lines

    def act(self, table: Table | None, slot: int, line: int) -> None:
        """Take an empty value, or pass over an element that the layout has not at this place."""
        if table is None:
            self.unknown_count += 1
            self.unknown = [*self.unknown, line][:FEW]
        elif table.cells[slot] is None:
            table.cells[slot] = ""
        else:
            self.again(table, slot, "", line)

    def again(self, table: Table, slot: int, value: str | int, line: int) -> None:
        """A value that its record has already: a further row where that may be, else the first one counts."""
        if slot == table.repeats:
            table.add(line)
            table.cells[slot] = value
        else:
            self.twice_count += 1
            self.twice = [*self.twice, line][:FEW]


_NO_END = "</>"
"""Stands before text behind which nothing ends: at the beginning, and where text is cut."""

_NO_TAG = re.compile(r"<!--.*?-->|<\?.*?\?>|<!\[CDATA\[(.*?)]]>", re.DOTALL)
_NO_TAG_YET = re.compile("<[!?]")


def _as_text(found: re.Match[str]) -> str:
    """What CDATA says, written as other text; of comments and instructions the lines, as a reference to nothing."""
    if found[1] is None:
        lines = "\n" * found[0].count("\n")
        return f"&{lines};" if lines else ""
    return found[1].replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


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
