"""Where in the XML of a census a reader is: what each piece of the file asks for, and the rows that come of it.

A layout says which elements make a row and which values it has.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import polars as pl

NUMBER, PARENT, LINE = "number", "parent", "line"
"""First columns of every table: the row's number in the file, that of the row it stands within, and its line."""

DEEPEST = 32
MOST_NAMES = 500
"""Most levels of elements, and most different names that are not known."""

Unread = Mapping[str, Sequence[int]]
"""Numbers of the rows whose cell of a column holds something that is no day."""

Shape = Callable[[str, pl.DataFrame, Unread], pl.DataFrame]
"""What becomes of some rows of a table: its name, the rows and their unread cells, then the rows as they are kept."""

MOST_STEPS = 20_000
LONGEST_STEP = 1_000
"""Most pieces of a file of which is remembered where they lead, with and without the values in them, and the most
characters of such a piece."""

LONGEST_TEXT = 10_000
"""Most characters of one value."""

TOO_LONG = f"a value is longer than {LONGEST_TEXT:,} characters"
NOT_CLOSED = "Look for a tag that is not closed"


@dataclass(frozen=True)
class Place:
    """What may stand within an element.

    ``table`` names the table of which the element makes a row; without it, values are those of the row around it. A
    value named by ``repeats`` makes a further row when it comes again. What is in elements that are ``passed_over`` is
    not looked at. Values that are ``days`` become dates.
    """

    values: tuple[str, ...] = ()
    days: frozenset[str] = frozenset()
    inner: Mapping[str, Place] = field(default_factory=dict)
    passed_over: tuple[str, ...] = ()
    table: str = ""
    repeats: str = ""

    def columns(self) -> tuple[str, ...]:
        """Values of a row: those of the element, and of the elements within it that make no row of their own."""
        within = (name for place in self.inner.values() if not place.table for name in place.columns())
        return (*self.values, *within)

    def columns_of_days(self) -> frozenset[str]:
        """Those of the columns that are days."""
        within = (place.columns_of_days() for place in self.inner.values() if not place.table)
        return self.days.union(*within)


class DayNumbers(dict[str, int | None]):
    """The day of a text, counted from 1 January 1970 as Polars does; None where the text is no date.

    An XML date, with or without the time and the time zone that may stand behind it. Only plain dates are remembered,
    of which there are few.
    """

    def __missing__(self, text: str) -> int | None:
        found = _DAY.fullmatch(text)
        try:
            day = date.fromisoformat(found[1]) if found else None
        except ValueError:
            return None
        if day is None or not FIRST_YEAR <= day.year <= LAST_YEAR:
            return None
        number = day.toordinal() - _BEFORE
        if len(text) == len("2024-03-31"):
            self[text] = number
        return number


FIRST_YEAR, LAST_YEAR = 1900, 2100
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(T[0-9:.]+)?(Z|[+-]\d\d:\d\d)?", re.ASCII)
_BEFORE = date(1970, 1, 1).toordinal()


class Table:
    """Rows that wait, of which the last one may not be complete, and those that are columns already.

    A cell is None until its value comes; then its text, the number of its day, or, where it should be a day and is
    none, the text all the same.
    """

    def __init__(self, place: Place, around: Table | None, shape: Shape) -> None:
        self.name = place.table
        self.shape = shape
        self.columns = columns = place.columns()
        self.days = place.columns_of_days()
        self.slots_of_days = frozenset(columns.index(name) - len(columns) for name in self.days)
        self.around = around
        self.repeats: int | None = None
        self.count = 0
        self.parents: list[int | None] = []
        self.lines: list[int] = []
        self.empty = (None,) * len(columns)
        self.cells: list[str | int | None] = []
        """Values of all rows, row by row: those of the last row are told by their place from the end."""
        self.made: list[pl.DataFrame] = []

    def add(self, line: int) -> None:
        """A row without values, which waits for them."""
        self.count += 1
        self.parents.append(self.around.count if self.around else None)
        self.lines.append(line)
        self.cells.extend(self.empty)

    def schema(self) -> dict[str, type[pl.DataType]]:
        """Columns and their types."""
        numbers: dict[str, type[pl.DataType]] = {NUMBER: pl.Int64, PARENT: pl.Int64, LINE: pl.Int64}
        return numbers | {name: pl.Date if name in self.days else pl.String for name in self.columns}

    def flush(self, *, keep: int) -> None:
        """Make columns of the rows that wait, but for so many at the end."""
        rows, width = len(self.lines) - keep, len(self.columns)
        first = self.count - len(self.lines) + 1
        values: dict[str, Any] = {
            NUMBER: pl.int_range(first, first + rows, eager=True),
            PARENT: self.parents[:rows],
            LINE: self.lines[:rows],
        }
        unread: dict[str, Sequence[int]] = {}
        for place, name in enumerate(self.columns):
            cells = self.cells[place : rows * width : width]
            if name in self.days and str in set(map(type, cells)):
                unread[name] = [first + row for row, cell in enumerate(cells) if isinstance(cell, str) and cell]
                cells = [None if isinstance(cell, str) else cell for cell in cells]
            values[name] = pl.Series(name, cells, pl.Int32).cast(pl.Date) if name in self.days else cells
        frame = pl.DataFrame(values, schema=self.schema())
        text = pl.col(pl.String)
        self.made.append(self.shape(self.name, frame.with_columns(pl.when(text != "").then(text)), unread))
        del self.parents[:rows], self.lines[:rows], self.cells[: rows * width]

    def frame(self) -> pl.DataFrame:
        """All rows that are columns."""
        return pl.concat([self.shape(self.name, pl.DataFrame(schema=self.schema()), {}), *self.made])


class Node:
    """A place as the reader uses it: per name the position of a value in the row, or what stands within."""

    def __init__(self, place: Place, tables: list[Table], around: Table | None, shape: Shape) -> None:
        self.makes_rows = bool(place.table)
        self.table = around
        if place.table:
            self.table = Table(place, around, shape)
            tables.append(self.table)
        columns = self.table.columns if self.table else ()
        self.slots = {value: columns.index(value) - len(columns) for value in place.values}
        if place.table and self.table:
            self.table.repeats = self.slots.get(place.repeats)
        self.passed_over = frozenset(place.passed_over)
        self.inner = {name: Node(inner, tables, self.table, shape) for name, inner in place.inner.items()}


class RefusalError(Exception):
    """What is found and what to do, to which the line is still to be put."""


class Known:
    """Names and steps met so far: there may not be too many names, since the parser keeps each of them."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.days = DayNumbers()
        self.steps = self.pieces = 0

    def remember(self, names: Iterable[str]) -> None:
        """Keep names that are not known; refuse when there are more than a census could have."""
        self.names.update(names)
        if len(self.names) > MOST_NAMES:
            raise RefusalError(f"more than {MOST_NAMES} names that a census has not", "Export the census again")


NOTHING, VALUE, EMPTY_VALUE, ROW, UNKNOWN = range(5)
"""What the beginning of an element asks for."""

Begin = tuple[int, int, Table | None, "State"]
"""What it asks for, the place of its value in the row, the table, and where in the file it leads."""

Action = tuple[int, int, int, Table | None]
"""What is to be done, after how many lines, the place of a value, and the table."""

Step = tuple[tuple[Action, ...], int, Table | None, "State"]
"""What is to be done, the place of the value that follows and its table, if one does, and where it leads."""

ToDo = tuple[tuple[Action, ...], Table | None, int, str | int]
"""What is to be done, the table and the place of the value behind it, if one follows, and the value."""

Found = tuple["State", int, ToDo | None]
"""Where a piece leads, its lines, and what there is to do, if anything."""


class State(dict[str, Found]):
    """Where in the file the reader is: what the end of an element, the beginnings behind it and their value ask for.

    ``CPPstartDate>  <CPPendDate>2024-03-31`` is such a piece of a file. Few are different but for the values, and of
    the values codes and days come again and again: each of these is looked at once. The parser has seen to it that
    what ends is what began last. Here a value may end, and nothing may begin.
    """

    holds_value = True

    def __init__(self, known: Known, around: State | None) -> None:
        super().__init__()
        self.known = known
        self.around = around
        self.steps: dict[str, Step] = {}
        """Of pieces without their values."""

    def __missing__(self, piece: str) -> Found:
        tags, _, text = piece.rpartition(">")
        step = self.steps.get(tags)
        if step is None:
            if _more_than_tags(tags):
                tags, _, text = _TAG_OR_GREATER.sub(_without_greater, f"</{piece}")[2:].rpartition(">")
            step = self.steps.get(tags) or self.step(tags)
        actions, slot, table, state = step
        todo: ToDo | None = None
        if table is not None:
            todo = (actions, table, slot, self.cell(text, tags, is_day=slot in table.slots_of_days))
        elif actions:
            todo = (actions, None, slot, "")
        found = (state, piece.count("\n"), todo)
        comes_again = len(text) < 6 or text[4:8:3] == "--" or text.isspace()
        if comes_again and self.known.pieces < MOST_STEPS and len(piece) < LONGEST_STEP:
            self.known.pieces += 1
            self[piece] = found
        return found

    def cell(self, text: str, tags: str, *, is_day: bool) -> str | int:
        """A value as its cell holds it."""
        if "&" in text:
            text = _REFERENCE.sub(_character, text)
        if len(text) > LONGEST_TEXT:
            raise RefusalError(TOO_LONG, NOT_CLOSED, tags.count("\n", 0, tags.rfind("<")))
        text = text.strip()
        day = self.known.days[text] if is_day else None
        return text if day is None else day

    def step(self, piece: str) -> Step:
        """What tags ask for."""
        ended, *begun = piece.split("<")
        state = self.around if self.around is not None and ended.partition(">")[0] else self
        actions: list[Action] = []
        value, slot, lines = None, 0, ended.count("\n")
        for tag in begun:
            try:
                kind, slot, table, state = state.begin(tag.partition(">")[0])
            except RefusalError as refusal:
                raise RefusalError(*refusal.args[:2], lines) from None
            value = table if kind == VALUE else None
            if kind > VALUE:
                actions.append((kind, lines, slot, table))
            lines += tag.count("\n")
        step = (tuple(actions), slot, value, state)
        if self.known.steps < MOST_STEPS and len(piece) < LONGEST_STEP:
            self.known.steps += 1
            self.steps[piece] = step
        return step

    def begin(self, tag: str) -> Begin:
        """What the beginning of an element asks for."""
        name, *attributes = tag.removesuffix("/").split(maxsplit=1)
        self.known.remember(name for each in attributes for name in _ATTRIBUTE.findall(each))
        return self.find(name, empty=tag.endswith("/"))

    def find(self, name: str, *, empty: bool) -> Begin:
        """The same by the element's name."""
        raise RefusalError("an element that holds a value has others in it", "Export the census again")


class Within(State):
    """Within an element of the layout, or before the outermost one."""

    holds_value = False

    def __init__(self, known: Known, around: State | None, node: Node) -> None:
        super().__init__(known, around)
        self.node = node
        self.value = State(known, self)
        self.passed_over = _PassedOver(known, self, 1)
        self.inner = {name: Within(known, self, inner) for name, inner in node.inner.items()}

    def find(self, name: str, *, empty: bool) -> Begin:
        """What an element asks for here."""
        node, plain = self.node, name.rpartition(":")[2]
        if name != plain or not (name in node.slots or name in node.inner or name in node.passed_over):
            self.known.remember([name])
        if plain in node.slots:
            kind, state = (EMPTY_VALUE, self) if empty else (VALUE, self.value)
            return (kind, node.slots[plain], node.table, state)
        if plain in node.inner:
            inner = self.inner[plain]
            return (ROW if inner.node.makes_rows else NOTHING, 0, inner.node.table, self if empty else inner)
        if self.around is None:
            raise RefusalError(
                "the outermost element is not that of a census (Message)", "Name the XML that was sent to DfE"
            )
        return (NOTHING if plain in node.passed_over else UNKNOWN, 0, None, self if empty else self.passed_over)


class _PassedOver(State):
    """Within what is not looked at: nothing is done but to count levels."""

    holds_value = False

    def __init__(self, known: Known, around: State, depth: int) -> None:
        super().__init__(known, around)
        self.depth = depth
        self.deeper: _PassedOver | None = None

    def find(self, name: str, *, empty: bool) -> Begin:
        """What an element asks for here."""
        if self.depth == DEEPEST:
            raise RefusalError(f"more than {DEEPEST} levels of elements within one another", "It is no census")
        self.known.remember([name])
        if self.deeper is None:
            self.deeper = _PassedOver(self.known, self, self.depth + 1)
        return (NOTHING, 0, None, self if empty else self.deeper)


_TAG_OR_GREATER = re.compile(r"""(<[^<>"']*(?:"[^"]*"[^<>"']*|'[^']*'[^<>"']*)*>)|>""")
_REFERENCE = re.compile("&([^;]*);")
_CHARACTERS = {"amp": "&", "lt": "<", "gt": ">", "quot": '"', "apos": "'"}


def _more_than_tags(piece: str) -> bool:
    """Whether there are more > than tags."""
    parts = piece.split("<")
    return piece.count(">") != len(parts) - 1 or any(">" not in part for part in parts[:-1])


def _without_greater(found: re.Match[str]) -> str:
    """A tag without > in its attributes, or what stands for > behind a tag."""
    return f"<{found[1][1:-1].replace('>', '&gt;')}>" if found[1] else "&gt;"


def _character(found: re.Match[str]) -> str:
    """The character for which a reference stands."""
    name = found[1]
    if name.startswith("#x"):
        return chr(int(name[2:], 16))
    return chr(int(name[1:].lstrip("0"))) if name.startswith("#") else _CHARACTERS.get(name, "")


_ATTRIBUTE = re.compile(r"""([^\s=]+)\s*=\s*(?:"[^"]*"|'[^']*')""")
