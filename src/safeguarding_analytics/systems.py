"""A ledger written down as the numbers and relations that `attacker` reckons with."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from safeguarding_analytics.attacker import System
from safeguarding_analytics.dimensions import TOTAL_NODE
from safeguarding_analytics.ledger import Cell, Ledger, Name, Relation, is_hidden
from safeguarding_analytics.shapes import SHAPES, Shape


@dataclass(frozen=True)
class Promise:
    """What a hidden number promises: everything below ``threshold`` stays possible, or (``exact_only``) two values."""

    threshold: int
    zeros_shown: bool
    exact_only: bool


@dataclass(frozen=True)
class RowKnowledge:
    """What everybody knows about the counts of one row.

    ``at_least_one`` are those that are never 0 in a hidden row, and where all of them are unknown the first count of
    the shape is not; the others are sums of counts (the empty name is the
    number 1) that are never negative, or always nothing.
    """

    at_least_one: frozenset[str] = frozenset()
    never_negative: tuple[dict[str, int], ...] = ()
    always_nothing: tuple[dict[str, int], ...] = ()


RETURNED = frozenset({"denominator", "eligible_staff"})
"""Head-counts that others return: they may be unknown, and smaller than what is counted among them."""

KNOWLEDGE = {
    "count": RowKnowledge(frozenset({"count"})),
    "rate": RowKnowledge(frozenset({"count"})),
    "proportion": RowKnowledge(frozenset({"denominator"}), ({"denominator": 1, "numerator": -1},)),
    "coverage": RowKnowledge(
        frozenset({"eligible_staff"}),
        ({"places": 1, "people": -1}, {"eligible_staff": 1, "people": -1}),
    ),
    "need": RowKnowledge(
        frozenset({"eligible_staff"}), always_nothing=({"eligible_staff": 1, "current": -1, "need": -1},)
    ),
    "progress": RowKnowledge(frozenset({"reached"})),
    "mix": RowKnowledge(frozenset({"attended"})),
    "cost": RowKnowledge(frozenset({"places", "people"}), ({"places": 1, "people": -1},)),
    "mean_change": RowKnowledge(
        frozenset({"n_pairs", "n_pre", "n_post"}),
        ({"n_pre": 1, "n_pairs": -1}, {"n_post": 1, "n_pairs": -1}),
        ({"n_pairs": 1, "n_up": -1, "n_same": -1, "n_down": -1},),
    ),
    "item_change": RowKnowledge(
        frozenset({"n_pairs"}),
        always_nothing=({"n_pairs": 1, "n_up": -1, "n_same_high": -1, "n_same_low": -1, "n_down": -1},),
    ),
    "estimate": RowKnowledge(frozenset({"n"})),
    "funnel": RowKnowledge(frozenset({"size"})),
    "control_chart": RowKnowledge(frozenset({"value"})),
    "attendance": RowKnowledge(
        frozenset(),
        ({"attended": 1, "walk_ins": -1}, {"registered": 1, "walk_ins": 1, "": -1}),
        ({"registered": 1, "walk_ins": 1, "attended": -1, "did_not_attend": -1, "cancelled": -1},),
    ),
}


@dataclass(frozen=True)
class Written:
    """A ledger as a system: the name of each of its first numbers, and the relation of each of its first rows."""

    system: System
    names: tuple[Name, ...]
    relations: tuple[Relation, ...]


def write_down(ledger: Ledger, promise: Promise, told: Iterable[Mapping[Name, float]] = ()) -> Written:
    """The system a reader of a ledger has before them.

    Knowledge that a shown row contradicts (more people trained than are eligible) is nobody's knowledge and is left
    out; so is a relation that is contradicted or has an unknown member. ``told`` are sums of numbers times factors that
    a reader knows from elsewhere; all their numbers are known here.
    """
    draft = _Draft(ledger, promise)
    used = draft.tie_totals()
    for shape in shapes_of(ledger):
        draft.tie_rows(shape)
    draft.tie_told_sums()
    draft.tie_shares()
    draft.tie_from_elsewhere(told)
    return Written(draft.system(), tuple(draft.index), tuple(used))


def shapes_of(ledger: Ledger) -> list[Shape]:
    """The shapes of the tables of a ledger."""
    return [SHAPES[name] for name in dict.fromkeys(name for _, name in ledger.rows)]


@dataclass
class _Number:
    """A number of a system; one that is printed belongs to a unit and a row. See `System`."""

    value: float
    low: float = 0.0
    least: float = 0.0
    slack: tuple[int, int] = (0, 0)
    unit: int = -1
    row: int = -1
    leads: bool = False
    free: bool = False
    watched: bool = False
    whole: bool = True
    given_away: bool = False
    cost: float = 0.0


class _Draft:
    """A system while it is written down: the numbers of the ledger, then what ties them, with numbers of its own."""

    def __init__(self, ledger: Ledger, promise: Promise) -> None:
        self.ledger, self.promise = ledger, promise
        by_cell: dict[Cell, dict[str, float]] = {}
        for (cell, key), value in ledger.counts.items():
            if value is not None:
                by_cell.setdefault(cell, {})[key] = value
        self.filled = {cell for cell, counts in by_cell.items() if any(counts.values())}
        self.numbers: list[_Number] = []
        self.index: dict[Name, int] = {}
        self.relations: list[list[tuple[int, float]]] = []
        self._write_counts()

    def _write_counts(self) -> None:
        """Write down every number of the ledger that is shown or hidden, in the order of its name."""
        ledger = self.ledger
        shapes = shapes_of(ledger)
        # The counts of a row are hidden together, its parts together, and each count of its own by itself.
        unit_of: dict[str, int] = {}
        own = 2
        for shape in shapes:
            unit_of |= {ledger.key(shape, column): 0 for column in shape.counts if (shape.name, column) in ledger.keys}
            unit_of |= {ledger.key(shape, column): 1 for column in shape.parts if (shape.name, column) in ledger.keys}
            for column in shape.own:
                if (shape.name, column) in ledger.keys:
                    unit_of[ledger.key(shape, column)], own = own, own + 1
        positive, alone = self._never_zero(shapes), self._known_alone(shapes)
        cells = {cell: row for row, cell in enumerate(sorted({cell for cell, _ in ledger.counts}, key=_outwards))}
        for name in sorted(ledger.counts, key=lambda name: (cells[name[0]], name[1])):
            (cell, key), value = name, ledger.counts[name]
            if value is None:
                continue
            printed = name in ledger.prints
            low = float((key in positive or name in alone) and printed)
            self.index[name] = self._add(
                _Number(
                    value,
                    low,
                    least=0.0 if value == 0 and self.promise.zeros_shown else low,
                    slack=ledger.slack.get(name, (0, 0)),
                    unit=cells[cell] * own + unit_of[key] if printed else -1,
                    row=cells[cell] if printed else -1,
                    leads=printed and unit_of[key] == 0,
                    free=not printed,
                    watched=name in ledger.watched,
                    cost=_cost(cell, value) if printed else 0.0,
                )
            )

    def _never_zero(self, shapes: Iterable[Shape]) -> set[str]:
        """Keys of which a hidden number is 1 or more: zeros are shown, and no row that has other numbers shows one."""
        found = set[str]()
        if self.promise.zeros_shown:
            found = {self.ledger.key(shape, one) for shape in shapes for one in KNOWLEDGE[shape.name].at_least_one}
        # Another shape may count the same, and show a 0 of it.
        return {key for key in found if all(self.ledger.counts.get((cell, key)) != 0 for cell in self.filled)}

    def _known_alone(self, shapes: Iterable[Shape]) -> set[Name]:
        """Hidden first counts that are 1 or more, because what they are part of is unknown: a 0 would be shown."""
        found = set[Name]()
        for shape in shapes if self.promise.zeros_shown else ():
            wholes = [self.ledger.key(shape, column) for column in KNOWLEDGE[shape.name].at_least_one]
            lead = next(
                (column for column in shape.counts if self.ledger.keys.get((shape.name, column)) not in wholes), ""
            )
            if lead and (shape.name, lead) in self.ledger.keys:
                cells = [cell for cell, of in self.ledger.rows if of == shape.name and cell in self.filled]
                unknown = [cell for cell in cells if all(self.ledger.counts.get((cell, key)) is None for key in wholes)]
                found |= {(cell, self.ledger.key(shape, lead)) for cell in unknown}
        return {name for name in found if self.ledger.counts.get(name) != 0}

    def _add(self, number: _Number) -> int:
        self.numbers.append(number)
        return len(self.numbers) - 1

    def tie_totals(self) -> list[Relation]:
        """Tie totals to their parts; returns the relations that a reader can reckon with."""
        used = []
        for relation in filter(self._usable, self.ledger.relations):
            position = self.index[relation.total, relation.key]
            positions = [
                self.index[part, relation.key] for part in relation.parts if (part, relation.key) in self.index
            ]
            used.append(relation)
            self.relations.append([(position, 1.0), *((part, -1.0) for part in positions)])
            total = self.numbers[position]
            total.least = max(total.least, sum(self.numbers[part].least for part in positions))
        return used

    def _usable(self, relation: Relation) -> bool:
        """Whether a reader can reckon with a relation: no count in it is unknown, and what is shown allows it."""
        total, shown, hidden = self.ledger.total_and_sum(relation)
        if total is None:
            return False
        unknown = any(self.ledger.counts[part, relation.key] is None for part in relation.parts)
        if unknown:  # it may still be seen to hold without the unknown rows
            return not hidden and total == shown
        if is_hidden(total):
            return True
        less, more = self.ledger.reach(relation)
        names = [(part, relation.key) for part in relation.parts]
        unseen = sum(self.numbers[self.index[name]].low for name in names if is_hidden(self.ledger.counts[name]))
        return total >= shown + unseen - less and (hidden > 0 or total <= shown + more)

    def tie_rows(self, shape: Shape) -> None:
        """Tie the counts of every row as everybody knows them to hang together, unless a shown row contradicts it."""
        one = self._add(_Number(1.0))
        knowledge = KNOWLEDGE[shape.name]
        cells = [cell for cell, of in self.ledger.rows if of == shape.name and cell in self.filled]
        for link in knowledge.never_negative:
            sums = self._sums(link, shape, cells)
            if not any(value < 0 for value in sums.values()):
                for cell, value in sums.items():
                    rounded = any(self._is_rounded(cell, shape, column) for column in link if column)
                    difference = self._add(_Number(np.nan if rounded else value, free=True))
                    self.relations.append([*self._terms(link, shape, cell, one), (difference, -1.0)])
        for link in knowledge.always_nothing:
            sums = self._sums(link, shape, cells)
            if not RETURNED.isdisjoint(link) and self._has_gaps(link, shape, cells):
                continue
            if all(value == 0 or is_hidden(value) for value in sums.values()):
                self.relations += [self._terms(link, shape, cell, one) for cell in sums]

    def _has_gaps(self, link: dict[str, int], shape: Shape, cells: list[Cell]) -> bool:
        """Whether a row lacks a number that its others should give: then nobody can rely on it in the hidden rows."""
        columns = [self.ledger.key(shape, column) for column in link if column]
        rows = [[self.ledger.counts.get((cell, key)) for key in columns] for cell in cells]
        head = next(number for number, column in enumerate(link) if column in RETURNED)
        return any(row[head] is not None and None in row for row in rows)

    def _is_rounded(self, cell: Cell, shape: Shape, column: str) -> bool:
        return self.numbers[self.index[cell, self.ledger.key(shape, column)]].slack != (0, 0)

    def _sums(self, link: dict[str, int], shape: Shape, cells: list[Cell]) -> dict[Cell, float]:
        """The sum a link speaks of, by row: `HIDDEN` where a count is; none where one is unknown.

        Of rounded counts it is `HIDDEN` too, unless they cannot come to nothing: then it is what comes nearest.
        """
        sums = {}
        for cell in cells:
            names = [(cell, self.ledger.keys.get((shape.name, column), "")) for column in link if column]
            known = [self.numbers[self.index[name]] for name in names if name in self.index]
            if len(known) == len(names):
                factors = [factor for column, factor in link.items() if column]
                pairs = list(zip(factors, known, strict=True))
                middle = link.get("", 0) + sum(factor * number.value for factor, number in pairs)
                below = sum(abs(factor) * number.slack[factor < 0] for factor, number in pairs)
                above = sum(abs(factor) * number.slack[factor > 0] for factor, number in pairs)
                least, most = middle - below, middle + above
                sums[cell] = middle if least == most else most if most < 0 else least if least > 0 else np.nan
        return sums

    def _terms(self, link: dict[str, int], shape: Shape, cell: Cell, one: int) -> list[tuple[int, float]]:
        """A link as a relation of one row's numbers; ``one`` is the position of the number 1."""
        return [
            (self.index[cell, self.ledger.key(shape, column)] if column else one, float(factor))
            for column, factor in link.items()
        ]

    def tie_told_sums(self) -> None:
        """Tie cells to the sums that their table tells; the total of all is given away by them."""
        for key, total, cells in self.ledger.sums:
            whole = (TOTAL_NODE,) * len(self.ledger.dimensions), key
            if whole in self.index:
                self.numbers[self.index[whole]].given_away = True
            positions = [self.index[cell, key] for cell in cells if (cell, key) in self.index]
            if len(positions) == len(cells):
                told = self._add(_Number(total))
                self.relations.append([(told, 1.0), *((position, -1.0) for position in positions)])

    def tie_shares(self) -> None:
        """Tie hidden counts to the percentages that are shown beside them."""
        for sheet in self.ledger.sheets:
            for values, share in sheet.shares:
                cell = self.ledger.cell(sheet, values)
                for line, least in share.at_least if cell is not None else ():
                    names = [(cell, self.ledger.key(sheet.shape, column)) for column in line]
                    places = [self.index[name] for name in names if name in self.index]
                    if len(places) == len(names):
                        constant = self._add(_Number(1.0))
                        beyond = self._add(_Number(np.nan, free=True, whole=False))
                        terms = zip(places, line.values(), strict=True)
                        self.relations.append([*terms, (constant, -least), (beyond, -1.0)])

    def tie_from_elsewhere(self, told: Iterable[Mapping[Name, float]]) -> None:
        """Tie numbers to the sums that are known of them."""
        for factors in told:
            terms = [(self.index[name], factor) for name, factor in factors.items()]
            total = self._add(_Number(sum(self.numbers[position].value * factor for position, factor in terms)))
            self.relations.append([(total, -1.0), *terms])

    def system(self) -> System:
        """The system as it stands."""
        numbers, small = self.numbers, self.promise.threshold - 1
        least = np.array([number.least for number in numbers], dtype=np.float64)
        wide_low = np.maximum(least, 1.0 if self.promise.zeros_shown else 0.0)
        values = np.array([number.value for number in numbers], dtype=np.float64)
        low = np.array([number.low for number in numbers], dtype=np.float64)
        slack = np.array([number.slack for number in numbers], dtype=np.float64).reshape(len(numbers), 2)
        return System(
            values=values,
            low=low,
            seen_low=np.maximum(values - slack[:, 0], np.where(slack.any(axis=1), 0.0, values)),
            seen_high=values + slack[:, 1],
            wide_low=wide_low,
            wide_high=np.maximum(float(small), wide_low + 1),
            small=small,
            exact_only=self.promise.exact_only,
            zeros_shown=self.promise.zeros_shown,
            unit=np.array([number.unit for number in numbers], dtype=np.int64),
            row=np.array([number.row for number in numbers], dtype=np.int64),
            leads=np.array([number.leads for number in numbers], dtype=np.bool_),
            free=np.array([number.free for number in numbers], dtype=np.bool_),
            watched=np.array([number.watched for number in numbers], dtype=np.bool_),
            given_away=np.array([number.given_away for number in numbers], dtype=np.bool_),
            surely_small=np.zeros(len(numbers), dtype=np.bool_),
            whole=np.array([number.whole for number in numbers], dtype=np.bool_),
            cost=np.array([number.cost for number in numbers], dtype=np.float64),
            relations=_matrix(self.relations, len(numbers)),
        )


def _outwards(cell: Cell) -> tuple[int, Cell]:
    return sum(node == TOTAL_NODE for node in cell), cell


def _cost(cell: Cell, value: float) -> float:
    """What hiding a number costs: totals are worth more to a reader than their parts.

    A large count is a little cheaper, as it has room to move for several small ones; never by as much as a total is
    dearer, or the total of many groups would be hidden first.
    """
    seen = 0.0 if is_hidden(value) else max(value, 0.0)
    return float(1 + 0.05 * sum(node == TOTAL_NODE for node in cell) - min(1e-2 * np.log1p(seen), 0.045))


def _matrix(relations: list[list[tuple[int, float]]], width: int) -> Any:
    """A sparse matrix with a row per relation and a column per number."""
    from scipy.sparse import csr_matrix

    entries = [(row, column, factor) for row, terms in enumerate(relations) for column, factor in terms]
    rows, columns, factors = zip(*entries, strict=True) if entries else ((), (), ())
    return csr_matrix((factors, (rows, columns)), shape=(len(relations), width))
