"""Published tables laid over one another as one system: a cell that stands in several is one cell.

A `Sheet` is what a reader sees of one table, a `Ledger` what they see of several; `system_of` writes a ledger down as
the numbers and relations that `attacker` reckons with.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import polars as pl

from safeguarding_analytics.attacker import System
from safeguarding_analytics.tables import TOTAL, Shape

HIDDEN = float("nan")
Cell = tuple[str, ...]
Counts = dict[str, float | None]
Name = tuple[Cell, str]


def is_hidden(value: float | None) -> bool:
    """Whether a value is `HIDDEN`: neither a number nor unknown."""
    return value is not None and value != value


@dataclass(frozen=True)
class RowKnowledge:
    """What everybody knows about the counts of one row.

    ``at_least_one`` are those that are never 0 in a hidden row; the others are sums of counts (the empty name is the
    number 1) that are never negative, or always nothing.
    """

    at_least_one: frozenset[str] = frozenset()
    never_negative: tuple[dict[str, int], ...] = ()
    always_nothing: tuple[dict[str, int], ...] = ()


KNOWLEDGE = {
    "count": RowKnowledge(frozenset({"count"})),
    "rate": RowKnowledge(frozenset({"count"})),
    "proportion": RowKnowledge(frozenset({"denominator"}), ({"denominator": 1, "numerator": -1},)),
    "mean_change": RowKnowledge(
        frozenset({"n_pairs", "n_pre", "n_post"}),
        ({"n_pre": 1, "n_pairs": -1}, {"n_post": 1, "n_pairs": -1}),
        ({"n_pairs": 1, "n_up": -1, "n_same": -1, "n_down": -1},),
    ),
    "attendance": RowKnowledge(
        frozenset(),
        ({"attended": 1, "walk_ins": -1}, {"registered": 1, "walk_ins": 1, "": -1}),
        ({"registered": 1, "walk_ins": 1, "attended": -1, "did_not_attend": -1, "cancelled": -1},),
    ),
}


@dataclass(frozen=True)
class Promise:
    """What a hidden number promises: everything below ``threshold`` stays possible, or (``exact_only``) two values."""

    threshold: int
    zeros_shown: bool
    exact_only: bool


@dataclass(frozen=True)
class Sheet:
    """The counts of one table: by cell and column a number, `HIDDEN`, or nothing where it is unknown.

    ``sums`` are totals of a column over all rows that are no margin, known from elsewhere in the table (shares).
    """

    name: str
    groups: tuple[str, ...]
    cells: dict[Cell, Counts]
    sums: dict[str, float]

    def placed(self, groups: tuple[str, ...]) -> dict[Cell, Counts]:
        """The cells within a wider set of group columns: a column that the table lacks is a total."""
        found = {}
        for cell, counts in self.cells.items():
            own = dict(zip(self.groups, cell, strict=True))
            found[tuple(own.get(group, TOTAL) for group in groups)] = counts
        return found

    def innermost(self, groups: tuple[str, ...]) -> tuple[Cell, ...]:
        """The cells that are no margin, within a wider set of group columns."""
        placed = zip(self.cells, self.placed(groups), strict=True)
        return tuple(sorted(wider for own, wider in placed if TOTAL not in own))

    def without(self, hidden: set[Name], groups: tuple[str, ...]) -> Sheet:
        """The sheet as a reader will see it once these are hidden; what was unknown stays unknown."""
        cells = {
            own: {
                column: HIDDEN if value is not None and (placed, column) in hidden else value
                for column, value in counts.items()
            }
            for (own, counts), placed in zip(self.cells.items(), self.placed(groups), strict=True)
        }
        # A share tells its total only in a row that is shown: comparisons with a hidden number are false.
        told = {
            column: total
            for column, total in self.sums.items()
            if any((counts[column] or 0.0) > 0 for cell, counts in cells.items() if TOTAL not in cell)
        }
        return replace(self, cells=cells, sums=told)


def sheet_of(frame: pl.DataFrame, name: str, shape: Shape, hiding_marks: frozenset[str] = frozenset()) -> Sheet:
    """The counts of a table as a reader sees them: what is missing is hidden where one of these marks says so."""
    groups = tuple(shape.group_columns(frame.columns))
    columns = [column for column in shape.all_counts if column in frame.columns]
    marks = frame["mark"].to_list() if "mark" in frame.columns else [""] * frame.height
    cells: dict[Cell, Counts] = {}
    for row, mark in zip(frame.iter_rows(named=True), marks, strict=True):
        unseen = HIDDEN if mark in hiding_marks else None
        cell = tuple(str(row[group]) for group in groups)
        cells[cell] = {column: unseen if row[column] is None else float(row[column]) for column in columns}
    return Sheet(name, groups, cells, _sums_behind_shares(frame, groups) if shape.name == "attendance" else {})


def _sums_behind_shares(frame: pl.DataFrame, groups: tuple[str, ...]) -> dict[str, float]:
    """What all places add up to, which every row gives away that shows both its places and its share of them."""
    if "share_of_places" not in frame.columns:
        return {}
    rows = frame.filter(pl.all_horizontal(pl.lit(True), *(pl.col(group).cast(pl.String) != TOTAL for group in groups)))
    seen = rows.filter((pl.col("attended") > 0) & (pl.col("share_of_places") > 0))
    sums = {
        round(float(attended) / share) for attended, share in seen.select("attended", "share_of_places").iter_rows()
    }
    shown = sum(float(count) for count in rows["attended"].drop_nulls().to_list())
    return {"attended": float(min(sums))} if len(sums) == 1 and min(sums) >= shown else {}


class Relation(NamedTuple):
    """A total and its children along one group column, for one count column."""

    total: Cell
    along: str
    column: str
    children: tuple[Cell, ...]


class Told(NamedTuple):
    """What a column adds up to over some cells, known from elsewhere in their table."""

    column: str
    total: float
    cells: tuple[Cell, ...]


class Disagreement(NamedTuple):
    """A count that stands in two tables with two values."""

    cell: Cell
    column: str
    one: float
    other: float


@dataclass(frozen=True)
class Ledger:
    """The counts of linked tables as one system, with the names a message needs."""

    groups: tuple[str, ...]
    cells: dict[Cell, Counts]
    tables: dict[Cell, list[str]]
    disagreements: list[Disagreement]
    relations: list[Relation]
    sums: list[Told]

    def total_and_sum(self, relation: Relation) -> tuple[float | None, float, int]:
        """What a total says, the sum of its children that are shown, and how many are hidden."""
        children = [self.cells[child].get(relation.column) for child in relation.children]
        shown = [value for value in children if value is not None and not is_hidden(value)]
        return self.cells[relation.total].get(relation.column), sum(shown), sum(map(is_hidden, children))

    def certain(self, relation: Relation) -> bool:
        """Whether no member has an unknown count of any kind: a total need not contain a row that made no return."""
        members = [self.cells[cell] for cell in (relation.total, *relation.children)]
        return all(relation.column in counts and None not in counts.values() for counts in members)

    def adds_up(self, relation: Relation) -> bool:
        """Whether what is shown does not contradict a relation."""
        total, shown, hidden = self.total_and_sum(relation)
        if total is None or is_hidden(total):
            return True
        return total >= shown if hidden else total == shown

    def usable(self, relation: Relation) -> bool:
        """Whether a reader can reckon with a relation: no count in it is unknown, and what is shown allows it."""
        members = (relation.total, *relation.children)
        known = all(self.cells[cell].get(relation.column) is not None for cell in members)
        total, shown, hidden = self.total_and_sum(relation)
        if not known:  # it may still be seen to hold without the unknown rows
            return total is not None and not hidden and total == shown
        return self.adds_up(relation)

    def tables_with_all_of(self, relation: Relation) -> set[str]:
        """Names of the tables in which a total stands with all its children."""
        return set(self.tables[relation.total]).intersection(*(self.tables[child] for child in relation.children))

    def by_group(self, cell: Cell) -> dict[str, str]:
        """The value a cell has in every group column."""
        return dict(zip(self.groups, cell, strict=True))


def in_words(by_group: dict[str, str]) -> str:
    """A cell, or a part of one, as a message names it.

    Examples
    --------
    >>> in_words({"district": "D01", "half": "H2"}), in_words({})
    ('district=D01, half=H2', 'all')
    """
    return ", ".join(f"{group}={value}" for group, value in by_group.items()) or "all"


def open_ledger(sheets: list[Sheet]) -> Ledger:
    """Lay tables over one another: a cell that stands in several is one cell, a total is the sum of its children."""
    groups = tuple(dict.fromkeys(group for sheet in sheets for group in sheet.groups))
    cells: dict[Cell, Counts] = {}
    tables: dict[Cell, list[str]] = {}
    disagreements = []
    for sheet in sheets:
        for cell, counts in sheet.placed(groups).items():
            merged = cells.setdefault(cell, {})
            tables.setdefault(cell, []).append(sheet.name)
            for column, value in counts.items():
                before = merged.get(column)
                if before is None or is_hidden(before):
                    merged[column] = before if value is None else value
                elif value is not None and not is_hidden(value) and before != value:
                    disagreements.append(Disagreement(cell, column, before, value))
    ordered = sorted(cells, key=lambda cell: (sum(value == TOTAL for value in cell), cell))
    cells = {cell: cells[cell] for cell in ordered}
    told = [Told(column, total, sheet.innermost(groups)) for sheet in sheets for column, total in sheet.sums.items()]
    return Ledger(groups, cells, tables, disagreements, list(_relations(groups, cells)), told)


def _relations(groups: tuple[str, ...], cells: dict[Cell, Counts]) -> Iterable[Relation]:
    """Every total with its children: the cells that differ from it in one group column alone."""
    for position, along in enumerate(groups):
        families: dict[Cell, list[Cell]] = {}
        for cell in cells:
            families.setdefault(cell[:position] + cell[position + 1 :], []).append(cell)
        for family in families.values():
            totals = [cell for cell in family if cell[position] == TOTAL]
            children = tuple(cell for cell in family if cell[position] != TOTAL)
            if totals and children:
                for column in cells[totals[0]]:
                    yield Relation(totals[0], along, column, children)


def system_of(ledger: Ledger, shape: Shape, promise: Promise) -> tuple[System, list[Name], list[Relation]]:
    """The system a reader of a ledger has before them, the name of each number, and the relation of its first rows.

    Knowledge that a shown row contradicts (more people trained than are eligible) is nobody's knowledge and is left
    out; so is a relation that is contradicted or has an unknown member.
    """
    draft = _Draft(ledger, shape, promise)
    used = draft.tie_totals()
    draft.tie_rows(KNOWLEDGE[shape.name])
    draft.tie_told_sums()
    return draft.system(), list(draft.index), used


@dataclass
class _Number:
    """A number of a system; one that is printed belongs to a unit and a row. See `System`."""

    value: float
    low: float = 0.0
    least: float = 0.0
    unit: int = -1
    row: int = -1
    leads: bool = False
    free: bool = False
    given_away: bool = False
    cost: float = 0.0


class _Draft:
    """A system while it is written down: the printed numbers, then what ties them, with numbers printed nowhere."""

    def __init__(self, ledger: Ledger, shape: Shape, promise: Promise) -> None:
        self.ledger, self.promise = ledger, promise
        self.filled = {cell: counts for cell, counts in ledger.cells.items() if any(counts.values())}
        self.numbers: list[_Number] = []
        self.index: dict[Name, int] = {}
        self.relations: list[list[tuple[int, float]]] = []
        self._write_printed(shape)

    def _write_printed(self, shape: Shape) -> None:
        """Write down every number of the ledger that is shown or hidden."""
        # The counts of a row are hidden together, its parts together, and each count of its own by itself.
        unit_of = dict.fromkeys(shape.counts, 0) | dict.fromkeys(shape.parts, 1)
        unit_of |= {column: unit for unit, column in enumerate(shape.own, 2)}
        positive = {
            column
            for column in KNOWLEDGE[shape.name].at_least_one
            if self.promise.zeros_shown and all(counts.get(column) != 0 for counts in self.filled.values())
        }
        for row, (cell, counts) in enumerate(self.ledger.cells.items()):
            for column, value in counts.items():
                if value is None:
                    continue
                low = float(column in positive)
                self.index[cell, column] = self._add(
                    _Number(
                        value,
                        low,
                        least=0.0 if value == 0 and self.promise.zeros_shown else low,
                        unit=row * (2 + len(shape.own)) + unit_of[column],
                        row=row,
                        leads=column in shape.counts,
                        cost=_cost(cell, value),
                    )
                )

    def _add(self, number: _Number) -> int:
        self.numbers.append(number)
        return len(self.numbers) - 1

    def _present(self, cells: Iterable[Cell], column: str) -> list[int]:
        """Positions of a column's numbers in some cells; unknown ones have none."""
        return [self.index[cell, column] for cell in cells if (cell, column) in self.index]

    def tie_totals(self) -> list[Relation]:
        """Tie totals to their children; returns the relations that a reader can reckon with."""
        used = []
        for relation in filter(self.ledger.usable, self.ledger.relations):
            position = self.index[relation.total, relation.column]
            positions = self._present(relation.children, relation.column)
            total, children = self.numbers[position], [self.numbers[child] for child in positions]
            said, shown, _ = self.ledger.total_and_sum(relation)
            unseen = sum(child.low for child in children if is_hidden(child.value))
            if said is not None and said - shown < unseen:
                continue
            used.append(relation)
            self.relations.append([(position, 1.0), *((child, -1.0) for child in positions)])
            total.least = max(total.least, sum(child.least for child in children))
        return used

    def tie_rows(self, knowledge: RowKnowledge) -> None:
        """Tie the counts of every row as everybody knows them to hang together, unless a shown row contradicts it."""
        one = self._add(_Number(1.0))
        for link in knowledge.never_negative:
            sums = self._sums(link)
            if not any(value < 0 for value in sums.values()):
                for cell, value in sums.items():
                    difference = self._add(_Number(value, free=True))
                    self.relations.append([*self._terms(link, cell, one), (difference, -1.0)])
        for link in knowledge.always_nothing:
            sums = self._sums(link)
            if all(value == 0 or is_hidden(value) for value in sums.values()):
                self.relations += [self._terms(link, cell, one) for cell in sums]

    def _sums(self, link: dict[str, int]) -> dict[Cell, float]:
        """The sum a link speaks of, by row: `HIDDEN` where a count is; none where one is unknown."""
        sums = {}
        for cell, counts in self.filled.items():
            values = [counts.get(column) if column else 1.0 for column in link]
            known = [value for value in values if value is not None]
            if len(known) == len(values):
                sums[cell] = sum((factor * value for factor, value in zip(link.values(), known, strict=True)), 0.0)
        return sums

    def _terms(self, link: dict[str, int], cell: Cell, one: int) -> list[tuple[int, float]]:
        """A link as a relation of one row's numbers; ``one`` is the position of the number 1."""
        return [(self.index[cell, column] if column else one, float(factor)) for column, factor in link.items()]

    def tie_told_sums(self) -> None:
        """Tie cells to the sums that their table tells; the total of all is given away by them."""
        for column, total, cells in self.ledger.sums:
            for position in self._present([(TOTAL,) * len(self.ledger.groups)], column):
                self.numbers[position].given_away = True
            positions = self._present(cells, column)
            if len(positions) == len(cells):
                told = self._add(_Number(total))
                self.relations.append([(told, 1.0), *((position, -1.0) for position in positions)])

    def system(self) -> System:
        """The system as it stands."""
        numbers, small = self.numbers, self.promise.threshold - 1
        least = np.array([number.least for number in numbers], dtype=np.float64)
        wide_low = np.maximum(least, 1.0 if self.promise.zeros_shown else 0.0)
        return System(
            values=np.array([number.value for number in numbers], dtype=np.float64),
            low=np.array([number.low for number in numbers], dtype=np.float64),
            wide_low=wide_low,
            wide_high=np.maximum(float(small), wide_low + 1),
            small=small,
            exact_only=self.promise.exact_only,
            zeros_shown=self.promise.zeros_shown,
            unit=np.array([number.unit for number in numbers], dtype=np.int64),
            row=np.array([number.row for number in numbers], dtype=np.int64),
            leads=np.array([number.leads for number in numbers], dtype=np.bool_),
            free=np.array([number.free for number in numbers], dtype=np.bool_),
            given_away=np.array([number.given_away for number in numbers], dtype=np.bool_),
            surely_small=np.zeros(len(numbers), dtype=np.bool_),
            cost=np.array([number.cost for number in numbers], dtype=np.float64),
            relations=_matrix(self.relations, len(numbers)),
        )


def _cost(cell: Cell, value: float) -> float:
    """What hiding a number costs: totals are worth more to a reader than their children.

    A large count is a little cheaper, as it has room to move for several small ones; never by as much as a total is
    dearer, or the total of many groups would be hidden first.
    """
    seen = 0.0 if is_hidden(value) else max(value, 0.0)
    return float(1 + 0.05 * sum(part == TOTAL for part in cell) - min(1e-2 * np.log1p(seen), 0.045))


def _matrix(relations: list[list[tuple[int, float]]], width: int) -> Any:
    """A sparse matrix with a row per relation and a column per number."""
    from scipy.sparse import csr_matrix

    entries = [(row, column, factor) for row, terms in enumerate(relations) for column, factor in terms]
    rows, columns, factors = zip(*entries, strict=True) if entries else ((), (), ())
    return csr_matrix((factors, (rows, columns)), shape=(len(relations), width))
