"""The figures a release publishes: whether a row or a sentence holds a number that stands in none of its tables."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import combinations, product
from math import isfinite
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.dates import period_in_words
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.sources.published import FILES, read_published
from safeguarding_analytics.tables import TOTAL

NO_NAME = ("not stated", "–")
"""What charts and tables of a page print for a group without a name."""

NO_NAMES = frozenset({"yes", "no", "before", "after", "follow-up", "at follow-up"})
"""Rows that go by an answer, or by when it was given, have no name of their own: the words stand in any sentence."""

_TELLING = 10
"""Smaller figures of public documents would account for any small number in a sentence that names nothing."""

_NUMBER = re.compile(r"(?<![\w.,])(\d{1,3}(?:,\d{3})+|\d+)(\.\d+)?(\s?%)?(?!\w)")
_MONTH = (
    "(?i:January|February|March|April|May|June|July|August|September|October|November|December"
    "|Jan|Feb|Mar|Apr|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
)
_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9])")
"""Where a sentence ends and another begins."""

_SETTING = re.compile(r"target was [\d,]+|that [\d.]+ points? would matter|meaningful gain: [\d.]+")
_NO_FIGURE = re.compile(
    "|".join(
        (
            rf"(?:\d{{1,2}} )?{_MONTH}(?: \d{{4}})?\b",
            r"(?<![\w.,])(?:19|20)\d\d(?:[/-]\d{2,4})?(?![\w%]|[.,]\d)",  # a year; our sentences write 1,999 of counts
            r"95% interval|per 10,000|aged \d+ to \d+|points out of [\d,.]+|0 = no change|less than 0\.1",
            r"Hidden(?: \([^)]*\))?: [\d,]+ of [\d,]+|No figure: [\d,]+|cut (?:after|of) \d+",  # numbers of rows
            r"Among the [\d,]+|[Tt]he first [\d,]+ are|rounded to multiples of (?:5|10)\b",
            _SETTING.pattern,
            # Worked out from the ballots, and said only of a ranking that is shown.
            r"\(0 = not at all, 1 = all the same\)|tie for [\d,]+",
            r"\d+ of 100 (?:such )?boards|probably \d+ or more|between 20 and 80|is worth 1|place above it 1 more",
            r"lines drawn at [\d.]+ \(urgency\) and [\d.]+ \(importance\)",
            # Funnels of public figures and limits of charts: constants, numbers of areas and points.
            r"(?:above|below) (?:99\.8|95)%",
            r"99\.8% limits|95% limits|[\d,]+ of [\d,]+ areas?\b|[\d,]+ areas? without a number|and \d+ more",
            r"between areas is [\d.]+ times|φ\s=\s[\d.]+|τ²\s=\s[\d.]+|worked out of \d+ points?|Phase \d+:",
            # Settings of the register.
            r"within \d+ (?:working )?days|within \d+ months?|[Ww]ithin [\d, and]+ months|from \d+ months before",
            r"more than 729 days|nhsrplotthedots_[\d_]+|making_data_count_\d+|(?i:section 47)|holidays [\d.]+",
            # How many questions and groups there are, settings of an evaluation, tests of counts that are shown.
            r"Of [\d,]+ questions?(?: and ratings)?, [^(.]*|Among (?:the )?[\d,]+ |p [=<] \d\.\d+|fewer than \d+",
            r"45 students[^(]*\d\.\d \(",
            r"due [\d,]+ days? after|[\d,]+ of [\d,]+ sessions|\d+ to \d+ weeks after a session",
            r"levels 3 and 4 of Kirkpatrick|< 0\.001|Bars of 100%|lies (?:below|above) 0",
            r"In (?:all )?[\d,]+(?: of [\d,]+)? months? the number|numbers behind Figures? [\d.]+(?: and [\d.]+)?",
            r"In [\d,]+ sessions?|[Tt]arget groups? \d|[Tt]raining levels? \d|of level \d|the last \d+(?: months)?",
        )
    )
)
"""Numbers in our sentences that are no figures of a group: dates, units, settings of the board, numbers of rows."""


_DAY = re.compile(rf"\b(?!31 March )\d{{1,2}} {_MONTH} \d{{4}}\b")
"""A day, whose year is not the name of a row; a reporting year goes by its last day."""

_OF_A_MONTH = re.compile(rf"(?<!\d ){_MONTH} \d{{4}}\b")
"""A month, whose year is not the name of a row either."""

_NUMBERED = re.compile(r"(?i:target group|training level) (\d)\b|\bwithin (\d{1,3}) months\b")
"""Rows that go by a numeral."""

_AT_THE_START = "ends of protection"
"""What is followed, and stands in the row of 0 months."""


class _Printed(NamedTuple):
    """A number as it is printed."""

    value: float
    decimals: int
    per_cent: bool

    def stands_for(self, number: float) -> bool:
        """Whether it is a number rounded; a whole one must be the number itself."""
        value = abs(number) * (100 if self.per_cent else 1)
        exact = self.decimals == 0 and not self.per_cent
        return abs(value - self.value) <= (0 if exact else 0.5 * 10**-self.decimals) + 1e-9


def _printed(text: str) -> list[_Printed]:
    return [
        _Printed(float(whole.replace(",", "") + part), len(part[1:]), bool(sign))
        for whole, part, sign in _NUMBER.findall(text)
    ]


class _Line(NamedTuple):
    """A row of a table: its names, those that tell it from other rows, and its numbers."""

    names: frozenset[str]
    telling: frozenset[str]
    numbers: tuple[float, ...]


@dataclass(frozen=True)
class _Table:
    lines: list[_Line]
    names: frozenset[str]
    public: bool = False


@dataclass(frozen=True)
class Figures:
    """The rows of all tables of a release, and those of the figures that were typed in from public documents."""

    tables: list[_Table]
    names: frozenset[str]
    _mention: re.Pattern[str]
    _written: Mapping[str, str]

    @classmethod
    def of(cls, tables: Iterable[Safe]) -> Figures:
        """Take the figures of the tables of a release."""
        ours = [_opened(table) for table in tables]
        names = frozenset(name for table in ours for name in table.names)
        # Short numerals, such as those of target groups, would be found in any sentence.
        named = (name for name in names if re.search(r"[^\W\d]|\d{4}", name) and name not in NO_NAMES)
        said = sorted(named, key=len, reverse=True)
        mention = "|".join(re.escape(way) for name in said for way in dict.fromkeys(_ways(name))) or "(?!)"
        written = {period_in_words(name): name for name in names}  # pages write months and quarters in words
        search = re.compile(rf"(?<!\w)(?<!\d\.)(?:{mention})(?!\w)(?!\.\d)")
        return cls([*ours, *_published()], names, search, written)

    def has_row(self, labels: Iterable[str], numbers: Iterable[float], texts: Iterable[str] = ()) -> bool:
        """Whether one row of one table holds all that a row of a chart or of a page shows.

        Parameters
        ----------
        labels
            Names of the row. A row of a table fits only if it has those of them that the table knows.
        numbers
            Numbers as they are, or as per cent.
        texts
            Texts with numbers in display form.
        """
        given = {self._written.get(name, name) for name in map(spaced, labels)}
        exact = list(numbers)
        printed = [number for text in texts for number in _printed(_NO_FIGURE.sub(" ", self._without_names(text)))]
        if not exact and not printed:
            return True
        for table in self.tables:
            known = given & table.names
            # A table of one row needs no name, unless the name is that of a row elsewhere.
            if not known and (table.public or len(table.lines) > 1 or given & self.names - NO_NAMES):
                continue
            for line in table.lines:
                if (
                    known <= line.names
                    and all(_is_among(number, line.numbers) for number in exact)
                    and all(
                        _stands_for_any(number, line.numbers, table.public) or _is_share(number, line, table)
                        for number in printed
                    )
                ):
                    return True
        return False

    def _without_names(self, text: str) -> str:
        """A text of a cell without the names in it, whose numbers are no figures; a cell of a number is one."""
        return self._mention.sub(" ", text) if re.search(r"[^\W\d]", text) else text

    def says(self, text: str) -> bool:
        """Whether every number of some sentences is a figure of the rows they name, or follows from others.

        A sentence may use the rows it names, or else those that the text names, the totals and tables of one row; a
        text that names none may use any row of one table. From its counts follow sums and differences of two, and of
        three where it shows an equation.
        """
        most = 3 if re.search(r"[+−].* = ", text) else 2
        given = {number.value for found in _SETTING.findall(text) for number in _printed(found)}
        named = frozenset(self.names_in(text))
        parts = self._sentences(text)
        sentences = [_Sentence(frozenset(self.names_in(one)) or named, self._numbers(one)) for one in parts]
        if named:
            ours = [line for table in self.tables if not table.public for line in table.lines]
            return _add_up([one.split(_named(ours, one.names)) for one in sentences], given, most)
        return any(_add_up([one.split(_figures(each)) for one in sentences], given, most) for each in self.tables)

    def _sentences(self, text: str) -> list[str]:
        """A text cut where a sentence ends; not within a name, which may be of two sentences as a question is."""
        names = [found.span() for found in self._mention.finditer(text)]
        ends = [end.span() for end in _END.finditer(text)]
        cuts = [(a, b) for a, b in ends if not any(first < a and b < last for first, last in names)]
        starts, stops = [0, *(b for _, b in cuts)], [*(a for a, _ in cuts), len(text)]
        return [text[start:stop] for start, stop in zip(starts, stops, strict=True)]

    def _numbers(self, sentence: str) -> list[_Printed]:
        return _printed(_NO_FIGURE.sub(" ", self._mention.sub(" ", sentence)))

    def names_in(self, text: str) -> list[str]:
        """Names of rows that stand in a text."""
        numerals = [number for found in _NUMBERED.findall(text) for number in found if number]
        start = ["0"] if _AT_THE_START in text else []
        mentioned = self._mention.findall(_OF_A_MONTH.sub(" ", _DAY.sub(" ", text)))
        named = (way for name in mentioned for way in dict.fromkeys(_ways(name)) if way in self.names)
        return [*named, *numerals, *start]


def _ways(name: str) -> tuple[str, str, str]:
    """A name as it is, at the beginning of a sentence and within it."""
    return name, name[:1].upper() + name[1:], name[:1].lower() + name[1:]


def is_labelled(numbers: Iterable[float], text: str) -> bool:
    """Whether each number but 0 is printed in a text: a line that is drawn for all groups alike says where it stands.

    Examples
    --------
    >>> is_labelled([2.0], "meaningful gain: 2"), is_labelled([0.232], "England 23.2%"), is_labelled([3], "")
    (True, True, False)
    """
    return all(number == 0 or any(one.stands_for(number) for one in _printed(text)) for number in numbers)


def spaced(text: str) -> str:
    r"""A text with single spaces, and none around it.

    Examples
    --------
    >>> spaced(" Kent\n Police ")
    'Kent Police'
    """
    return " ".join(text.split())


def _opened(table: Safe) -> _Table:
    frame = table.frame()
    groups = [*table.shape.group_columns(frame.columns), *(name for name in table.shape.names if name in frame.columns)]
    measured = [name for name, kind in frame.schema.items() if kind.is_numeric() and name not in groups]
    telling = [name for name in groups if frame[name].n_unique() > 1]
    lines = [
        _Line(
            _names(row, groups),
            _names(row, telling) - NO_NAMES,
            tuple(n for c in measured if isfinite(n := _float(row[c]))),
        )
        for row in frame.iter_rows(named=True)
    ]
    return _Table(lines, frozenset(name for line in lines for name in line.names))


def _float(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _names(row: Mapping[str, object], columns: Iterable[str]) -> frozenset[str]:
    values = [row[column] for column in columns]
    return frozenset(name for value in values for name in (NO_NAME if value is None else (spaced(str(value)),)))


@cache
def _published() -> list[_Table]:
    """Figures of public documents: any number in a row belongs to it, those in its notes too."""
    return [_typed_in(read_published(path.stem)) for path in sorted(FILES.glob("*.csv"))]


def _typed_in(frame: pl.DataFrame) -> _Table:
    lines = []
    for row in frame.rows():
        cells = [cell for cell in row if cell is not None]
        names = frozenset(map(spaced, cells))
        lines.append(_Line(names, names, tuple(number.value for cell in cells for number in _printed(cell))))
    return _Table(lines, frozenset(name for line in lines for name in line.names), public=True)


def _is_among(number: float, numbers: Iterable[float]) -> bool:
    return any(abs(number - other * scale) <= 1e-9 for other in numbers for scale in (1, 100, 0.01))


def _is_share(printed: _Printed, line: _Line, table: _Table) -> bool:
    """Whether a percentage is that of a number of a row in another one of its table: both are there to be divided."""
    if not printed.per_cent:
        return False
    wholes = {number for one in table.lines for number in one.numbers if number > 0}
    return any(printed.stands_for(part / whole) for part in line.numbers for whole in wholes if 0 <= part <= whole)


def _stands_for_any(printed: _Printed, numbers: Iterable[float], public: bool = False) -> bool:
    """As `_Printed.stands_for`; a document prints "19.2 per cent" as 19.2."""
    same = printed._replace(per_cent=False) if public else printed
    return any(printed.stands_for(number) or same.stands_for(number) for number in numbers)


class _Sentence(NamedTuple):
    """The names a sentence goes by, and its numbers."""

    names: frozenset[str]
    numbers: list[_Printed]

    def split(self, figures: set[float]) -> tuple[list[_Printed], list[_Printed]]:
        """The numbers that are figures, and those that are not."""
        known = [number for number in self.numbers if _stands_for_any(number, figures)]
        return known, [number for number in self.numbers if number not in known]


def _named(lines: Iterable[_Line], names: frozenset[str]) -> set[float]:
    """Figures of the rows that go by these names, of totals and of tables of one row."""
    return _of(line for line in lines if line.telling <= names | {TOTAL, *NO_NAME})


def _figures(table: _Table) -> set[float]:
    """Figures of all rows of a table, for a text that names none."""
    return {number for number in _of(table.lines) if not table.public or number >= _TELLING}


def _of(lines: Iterable[_Line]) -> set[float]:
    """Numbers of rows; those of target groups are their names."""
    return {
        number
        for line in lines
        for number in (*line.numbers, *(float(name) for name in line.names if name.isdecimal()))
    }


def _add_up(sentences: list[tuple[list[_Printed], list[_Printed]]], given: set[float], most: int) -> bool:
    """Whether each number that is no figure is a sum, difference or share of counts that are, or are given."""
    doubtful = [number for _, unknown in sentences for number in unknown]
    if not doubtful:
        return True
    counts = given | {number.value for known, _ in sentences for number in known if not number.per_cent}
    sums = {
        round(abs(sum(sign * value for sign, value in zip(signs, some, strict=True))), 9)
        for size in range(2, most + 1)
        for some in combinations(sorted(counts - {0.0}), size)
        for signs in product((1, -1), repeat=size)
    }
    shares = {part / whole for part in counts for whole in counts if 0 <= part <= whole and whole}
    return all(
        any(number.stands_for(share) for share in shares) if number.per_cent else round(number.value, 9) in sums
        for number in doubtful
    )
