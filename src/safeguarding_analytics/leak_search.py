"""What is looked for in a release, and what was found: identifying values and columns, paths, numbers of no table."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from safeguarding_analytics.board import Board
from safeguarding_analytics.figures import Figures, is_labelled, spaced
from safeguarding_analytics.tables import IDENTIFYING, TABLES

COLUMN, VALUE, NUMBER = "identifying column", "identifying value", "number"
PLACE, TRACEBACK, REQUEST, UNKNOWN = "path", "traceback", "request", "unknown content"
_SAYS = {
    NUMBER: "a number that stands in no table of the release, or not in this row",
    PLACE: "a path of the computer on which it was made",
    TRACEBACK: "the text of an error",
    REQUEST: "something that asks for a file or an address",
}

_WORD = re.compile(r"[^\W_]+")
_PATH = re.compile(r"(?<![\w./:+=<>*-])/(?:[\w.@~-]+/)+[\w.@~-]|(?<![A-Za-z])[A-Za-z]:\\\w|\\\\\w+\\\w|\bfile:/")
_ERROR = re.compile(r'Traceback \(most recent call last\)|File "[^"]+", line \d|<ipython-input|\x1b\[')
_COLOUR = re.compile(r"#[0-9A-Fa-f]{3,8}")
_FIELD = re.compile(rf"datum(?:\.|\[['\"])({'|'.join(IDENTIFYING)})\b")
_FIELD_KEYS = {"field", "fields", "as", "groupby", "key", "lookup", "pivot", "value", "fold", "sort"}


class Identities:
    """Values that must stand nowhere.

    Those of at least 4 letters, 5 digits, or 3 letters and digits are looked for as words of any text; shorter ones
    would be found by chance, and are looked for where a text names a row. Values that are names of an agency, a
    district or a group as well tell nobody apart and are left out.
    """

    def __init__(self, board: Board | None, secrets: Iterable[str]) -> None:
        self._words: dict[str, list[tuple[str, str]]] = {}
        self._names: dict[str, str] = {}
        for value, column in _identifying_values(board).items():
            letters, signs = sum(map(str.isalpha, value)), sum(map(str.isalnum, value))
            if signs >= (5 if letters == 0 else 4 if letters == signs else 3):
                self._look_for(value, f"a value of the column {column}")
            else:
                self._names[value] = f"a value of the column {column}"
        for secret in secrets:
            self._look_for(spaced(secret), "a secret")

    def _look_for(self, value: str, what: str) -> None:
        for first in _WORD.findall(value.casefold())[:1]:
            self._words.setdefault(first, []).append((value, what))

    def in_text(self, text: str) -> set[str]:
        """What stands somewhere in a text."""
        hits = self._words.keys() & set(_WORD.findall(text.casefold()))
        return {what for hit in hits for value, what in self._words[hit] if _stands_in(value, text)}

    def as_name(self, text: str) -> set[str]:
        """What a short text is, as a whole."""
        return {self._names[text]} if text in self._names else set()


def _stands_in(value: str, text: str) -> bool:
    """Whether a value is a whole word of a text; ordinary words must be spelled alike, numerals be no decimals."""
    before, behind = (r"(?<!\d\.)", r"(?!\.\d)") if value.isdecimal() else ("", "")
    pattern = rf"(?<![^\W_]){before}{re.escape(value)}{behind}(?![^\W_])"
    return re.search(pattern, text, 0 if value.isalpha() else re.IGNORECASE) is not None


def _identifying_values(board: Board | None) -> dict[str, str]:
    identifying: dict[str, str] = dict(board.identities()) if board else {}
    others: set[str] = set()
    for name, table in board.tables.items() if board else ():
        for column in table.columns:
            if table[column].dtype == pl.Date:
                continue  # days of birth of a few thousand children are every day of some years
            if column in IDENTIFYING:
                raw = board.checked(name).frame[column] if board else table[column]  # also what pseudonyms stand for
                for values in (table[column], raw):
                    identifying |= dict.fromkeys(values.drop_nulls().unique().to_list(), column)
            elif column in TABLES[name].columns() and (table[column].dtype == pl.String or column == "target_group"):
                others.update(table[column].drop_nulls().unique().cast(pl.String).to_list())
    return {value: column for value, column in identifying.items() if value not in others}


@dataclass
class Search:
    """What to look for, and the findings so far. ``file`` is the one that is being looked into."""

    identities: Identities
    figures: Figures
    place: str = ""
    file: str = ""
    found: list[tuple[str, str, str, str]] = field(default_factory=list)

    def findings(self) -> pl.DataFrame:
        """All that was found. Names of files and places are left out where they are what must not be shown."""
        rows = [
            (
                "(not shown)" if self._identifies(file) else file,
                "(not shown)" if self._identifies(where) else where,
                *rest,
            )
            for file, where, *rest in dict.fromkeys(self.found)
        ]
        schema = dict.fromkeys(("file", "where", "what", "rule"), pl.String)
        return pl.DataFrame(rows, schema=schema, orient="row").sort("file", maintain_order=True)

    def _identifies(self, text: str) -> bool:
        return bool(self.identities.in_text(text))

    def add(self, where: str, rule: str, what: str = "") -> None:
        """Keep a finding."""
        self.found.append((self.file, where, what or _SAYS[rule], rule))

    def text(self, text: str, where: str) -> None:
        """Look for what must stand in no text at all."""
        for what in sorted(self.identities.in_text(text)):
            self.add(where, VALUE, what)
        if _PATH.search(text) or (self.place and self.place in text):
            self.add(where, PLACE)
        if _ERROR.search(text):
            self.add(where, TRACEBACK)

    def name(self, text: str, where: str) -> None:
        """Look at a text that names a row."""
        for what in sorted(self.identities.as_name(spaced(text))):
            self.add(where, VALUE, what)

    def column(self, name: str, where: str) -> None:
        """Look at the name of a column."""
        if name in IDENTIFYING:
            self.add(where, COLUMN, f"the column {name}")

    def sentence(self, text: str, where: str) -> None:
        """Look at the numbers of a sentence."""
        if not self.figures.says(text):
            self.add(where, NUMBER)

    def row(self, names: list[str], texts: list[str], where: str) -> None:
        """Look at the numbers of a row of a table on a page."""
        if not self.figures.has_row(names, [], texts):
            self.add(where, NUMBER)

    def document(self, value: Any, where: str) -> None:
        """Look at all keys and texts of a JSON document, and at its headlines."""
        for key, item in value.items() if isinstance(value, dict) else ():
            place = f"{where}.{key}".removeprefix(".")
            self.column(key, place)
            self.text(key, place)
            if key == "headline" and isinstance(item, str):
                self.sentence(item, place)
            self.document(item, place)
        for number, item in enumerate(value if isinstance(value, list) else (), 1):
            self.document(item, f"{where}, {number}")
        if isinstance(value, str):
            self.text(value, where)

    def chart(self, spec: Mapping[str, Any], where: str, captions: Iterable[str] = ()) -> None:
        """Look into a Vega-Lite specification: its rows, fields and texts, and its description."""
        titles = set(captions)
        for key, value in _walk(spec):
            self.column(key, f"{where}, a key")
            self.text(key, f"{where}, a key")
            if key == "url":
                self.add(where, REQUEST)
            elif key == "datum" and isinstance(value, int | float) and value != 0:
                self.add(where, NUMBER)
            elif key in ("title", "subtitle"):
                titles.add(spaced(" ".join(value) if isinstance(value, list) else str(value)))
            elif key in ("datasets", "data") and isinstance(value, dict):
                for rows in value.values() if key == "datasets" else [value.get("values", [])]:
                    if not isinstance(rows, list):
                        self.add(where, UNKNOWN, "data that are not a list of rows")
                    for number, row in enumerate(rows if isinstance(rows, list) else [], 1):
                        self._drawn_row(row, f"{where}, row {number}")
            for text in value if isinstance(value, list) else [value]:
                if isinstance(text, str) and key != "$schema" and not _COLOUR.fullmatch(text):
                    self._drawn_text(key, text, where)
        # Title and axes are of the author's making; what else a description says is the table's.
        said = str(spec.get("description", ""))
        for title in sorted(filter(re.compile(r"\d").search, titles), key=len, reverse=True):
            said = said.replace(title, " ")
        self.sentence(said, f"{where}, description")

    def _drawn_text(self, key: str, text: str, where: str) -> None:
        self.text(text, where)
        for name in [*_FIELD.findall(text), *([text] if key in _FIELD_KEYS else [])]:
            self.column(name, f"{where}, a field")

    def _drawn_row(self, row: Any, where: str) -> None:
        cells = row if isinstance(row, dict) else {"value": row}
        numbers = [value for value in cells.values() if isinstance(value, int | float) and not isinstance(value, bool)]
        words = {key: value for key, value in cells.items() if isinstance(value, str)}
        names = [text for key, text in words.items() if key in ("row", "series") or text in self.figures.names]
        texts = [text for text in words.values() if text not in names]
        for key, text in words.items():
            if key not in ("note", "shown"):
                self.name(text, where)
        if "row" not in cells:
            names += [name for text in texts for name in self.figures.names_in(text)]
        if not self.figures.has_row(names, numbers, texts) and (
            names or not numbers or not is_labelled(numbers, " ".join(texts))
        ):
            self.add(where, NUMBER)


def _walk(value: Any, key: str = "") -> Iterator[tuple[str, Any]]:
    """Every value of a document with the key it stands under; those of a list under the key of the list."""
    yield key, value
    for inner, item in value.items() if isinstance(value, dict) else ():
        yield from _walk(item, inner)
    for item in value if isinstance(value, list) else ():
        if isinstance(item, dict | list):
            yield from _walk(item, key)
