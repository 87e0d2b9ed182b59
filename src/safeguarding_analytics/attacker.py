"""What a reader of published tables can work out: whole numbers, relations, and the linear programmes over both.

Nothing here knows frames or policies. A `System` is a list of numbers, some of which may be hidden, tied together by
relations (a total minus its children is nothing). `weakest` says what a reader can learn; `protect` hides more numbers
until a reader learns no more than was promised.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from safeguarding_analytics.tables import TOTAL

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

NEARLY = 1e-6
"""Distance from a whole number that is taken for rounding of the solver."""

MOST_BRANCHES = 5_000
"""Branches after which the search for whole numbers gives up: fixed, so that a result never depends on the clock."""


@dataclass(frozen=True)
class System:
    """Numbers and what ties them together.

    ``values`` are the true numbers, or nan where a reader does not see them; ``low`` is the smallest value a hidden
    number can have; ``wide_low`` and ``wide_high`` are the promise: a reader must hold every number between them
    possible. ``unit`` says which numbers are hidden together (-1: never hidden), ``row`` and ``leads`` that hiding the
    number hides its whole row. ``free`` numbers are printed nowhere: they only carry inequalities. ``given_away``
    are totals that the shares beside them tell anyway: nothing is promised of them once they are large.
    """

    values: Floats
    low: Floats
    wide_low: Floats
    wide_high: Floats
    small: int
    exact_only: bool
    zeros_shown: bool
    unit: Whole
    row: Whole
    leads: Flags
    free: Flags
    given_away: Flags
    surely_small: Flags
    cost: Floats
    relations: Any

    def knowing(self, small: list[bool]) -> System:
        """The same system, told which of its first numbers are small."""
        flags = np.array([*small, *[False] * (len(self.values) - len(small))], dtype=np.bool_)
        return replace(self, surely_small=flags)

    def closed(self, hidden: Flags) -> Flags:
        """All numbers that are hidden once these are: of the same unit, and of the row where a number leads it."""
        rows = np.unique(self.row[hidden & self.leads])
        units = np.unique(self.unit[hidden & ~self.free])
        return np.asarray(self.free | np.isin(self.unit, units) | np.isin(self.row, rows[rows >= 0]))

    def kept(self, lowest: Floats, highest: Floats) -> Flags:
        """Which numbers a reader knows no better than was promised, if they lie between these ends."""
        two = highest > lowest
        if self.exact_only:
            promised = two
        else:
            wide = (lowest <= self.wide_low) & (highest >= self.wide_high)
            promised = wide | (two & (highest > self.small) & ~self.surely_small)
        public_zero = (lowest == 0) & (highest == 0) & self.zeros_shown
        return np.asarray(promised | public_zero | (self.given_away & (lowest > self.small)))


class Narrowed(NamedTuple):
    """A hidden number of which a reader knows too much; ``high`` is infinite where nothing bounds it."""

    number: int
    low: float
    high: float


def _solve(costs: Floats, matrix: Any, totals: Floats, low: Floats, high: Floats, insist: bool) -> Floats | None:
    """The cheapest solution of ``matrix @ y = totals`` within bounds; None where there is none.

    It is in whole numbers with ``insist``, else as the linear programme gives it: in tables of two dimensions whole
    as well, in those of three and more mostly.
    """
    from scipy.optimize import Bounds, LinearConstraint, milp

    found: Floats | None = None
    for integrality in (0, 1)[: 1 + insist]:
        # Presolving costs more than it saves on linear programmes of this size; the search for whole numbers needs it.
        found = milp(
            costs,
            constraints=LinearConstraint(matrix, totals, totals),
            bounds=Bounds(low, high),
            integrality=np.full(len(costs), integrality),
            options={"node_limit": MOST_BRANCHES, "presolve": bool(integrality)},
        ).x
        if found is None or _is_whole(found):
            break
    return None if found is None else np.rint(found) if _is_whole(found) else found


def _is_whole(numbers: Floats) -> bool:
    return bool(np.abs(numbers - np.rint(numbers)).max(initial=0) < NEARLY)


class Reader:
    """A reader to whom some numbers are hidden and who has found one consistent table (``point``)."""

    def __init__(self, system: System, hidden: Flags, point: Floats) -> None:
        from scipy.sparse import bmat
        from scipy.sparse.csgraph import connected_components

        self.system, self.point = system, point
        self.columns = np.flatnonzero(hidden)
        part = system.relations[:, self.columns]
        used = np.diff(part.indptr) > 0
        self.rows = np.flatnonzero(used)
        self.part = part[self.rows]
        graph = bmat([[None, self.part], [self.part.T, None]]) if self.part.nnz else None
        sizes = len(self.rows), len(self.columns)
        labels = connected_components(graph, directed=False)[1] if graph is not None else np.arange(sum(sizes))
        self.row_block, self.column_block = labels[: sizes[0]], labels[sizes[0] :]

    def at_a_glance(self) -> tuple[Floats, Floats]:
        """Bounds from one relation at a time: what the hidden parts of a shown total leave for each of them."""
        lower, upper = self.system.low.copy(), np.full(len(self.point), np.inf)
        entries = self.part.tocoo()
        rows, columns, signs = entries.row, self.columns[entries.col], entries.data
        members = np.bincount(rows, minlength=len(self.rows))
        one_sided = np.abs(np.bincount(rows, signs, len(self.rows))) == members
        room = np.bincount(rows, np.abs(signs) * (self.point - self.system.low)[columns], len(self.rows))
        bound = one_sided[rows]
        np.minimum.at(upper, columns[bound], (self.system.low[columns] + room[rows])[bound])
        alone = columns[members[rows] == 1]
        lower[alone] = self.point[alone]
        return lower, upper

    def block(self, numbers: Whole) -> tuple[Whole, Whole]:
        """Positions, among the hidden numbers and their relations, of all that hang together with some numbers."""
        labels = self.column_block[np.searchsorted(self.columns, numbers)]
        return np.flatnonzero(np.isin(self.row_block, labels)), np.flatnonzero(np.isin(self.column_block, labels))

    def farthest(self, numbers: Whole, sign: int, limits: Floats | float = np.inf) -> Floats | None:
        """A consistent table in which the sum of some numbers is smallest (sign 1), or largest up to limits (-1)."""
        rows, block = self.block(numbers)
        columns = self.columns[block]
        matrix = self.part[rows][:, block]
        costs, low, high = np.zeros(len(columns)), self.system.low[columns], np.full(len(columns), np.inf)
        positions = np.searchsorted(columns, numbers)
        costs[positions] = sign
        if sign < 0:
            high[positions] = limits
        if len(rows):
            found = _solve(costs, matrix, matrix @ self.point[columns], low, high, insist=len(numbers) == 1)
        else:
            found = high if sign < 0 else low
        if found is None:
            return None
        table = self.point.copy()
        table[columns] = found
        return table

    def interval(self, number: int) -> tuple[int, int | None]:
        """The smallest and the largest value of a number; no largest where nothing bounds it."""
        ends = [table[number] for sign in (1, -1) if (table := self.farthest(np.array([number]), sign)) is not None]
        return int(ends[0]), int(ends[1]) if len(ends) == 2 and ends[1] < np.inf else None

    def reasons(self, number: int) -> list[int]:
        """The relations that bound a number, by the dual of the linear programme."""
        from scipy.optimize import linprog

        rows, block = self.block(np.array([number]))
        columns = self.columns[block]
        matrix = self.part[rows][:, block]
        bounds = [(value, None) for value in self.system.low[columns]]
        bounding = np.zeros(len(rows), dtype=np.bool_)
        for sign in (1.0, -1.0):
            costs = np.where(columns == number, sign, 0.0)
            found = linprog(costs, A_eq=matrix, b_eq=matrix @ self.point[columns], bounds=bounds)
            if found.x is not None:
                bounding |= np.abs(found.eqlin.marginals) > NEARLY
        return [int(self.rows[row]) for row in rows[bounding]]


def consistent_table(system: System) -> Floats | None:
    """One table of whole numbers that agrees with everything shown; None where the shown numbers contradict."""
    hidden = np.isnan(system.values)
    shown = np.where(hidden, 0.0, system.values)
    columns = np.flatnonzero(hidden)
    part = system.relations[:, columns]
    rows = np.flatnonzero(np.diff(part.indptr) > 0)
    if len(rows):
        totals = -(system.relations[rows] @ shown)
        bounds = system.low[columns], np.full(len(columns), np.inf)
        found = _solve(np.zeros(len(columns)), part[rows], totals, *bounds, insist=True)
        if found is None:
            return None
        shown[columns] = found
    loose = columns[np.diff(part.tocsc().indptr) == 0]
    shown[loose] = system.low[loose]
    return shown


def weakest(system: System, hidden: Flags, tables: list[Floats], first_only: bool = False) -> list[Narrowed]:
    """Every hidden number of which a reader knows more than was promised.

    ``tables`` are consistent tables already known (at least one); those found on the way are added.
    """
    reader = Reader(system, hidden, tables[0])
    shown = ~hidden
    if first_only:
        hopeless = np.flatnonzero(hidden & ~system.free & ~system.kept(*reader.at_a_glance()))
        if len(hopeless):
            return [Narrowed(int(hopeless[0]), np.nan, np.nan)]
    seen = np.array([table for table in tables if (table[shown] == tables[0][shown]).all()])
    lowest, highest = seen.min(axis=0), seen.max(axis=0)
    enough = np.maximum(system.wide_high, system.small + 1.0)

    def doubtful(sign: int) -> Whole:
        """Numbers not yet seen to be safe that should be seen larger (sign -1) or smaller (1)."""
        far = highest >= np.maximum(enough, lowest + 1) if sign < 0 else lowest <= system.wide_low
        return np.flatnonzero(hidden & ~system.free & ~far & ~system.kept(lowest, highest))

    def ask(numbers: Whole, sign: int) -> None:
        table = reader.farthest(numbers, sign, np.maximum(enough, lowest + 1)[numbers])
        if table is not None and _is_whole(table):
            tables.append(table)
            np.minimum(lowest, table, out=lowest)
            np.maximum(highest, table, out=highest)

    # One table often settles many numbers: all are pushed at once until that stops paying, then each by itself.
    for sign in (-1, 1):
        left = doubtful(sign)
        while len(left) > 1:
            ask(left, sign)
            before, left = left, doubtful(sign)
            if 4 * len(left) > 3 * len(before):
                break
    found: list[Narrowed] = []
    for number in np.flatnonzero(hidden & ~system.free & ~system.kept(lowest, highest)):
        for sign in (-1, 1):
            if number in doubtful(sign):
                ask(np.array([number]), sign)
        if not system.kept(lowest, highest)[number]:
            found.append(Narrowed(int(number), lowest[number], highest[number]))
            if first_only:
                break
    return found


def protect(system: System) -> Flags:
    """Hide more numbers until a reader learns no more than was promised, then show again what was not needed.

    For each number and direction the cheapest consistent change of the table that moves the number far enough is
    found by a linear programme, and the numbers it changes are hidden. Numbers that cannot be moved stay as they are:
    whoever calls must ask `weakest` about the result.
    """
    base = hidden = system.closed(system.surely_small)
    chosen: list[int] = []
    tables = [system.values]
    mover = _Mover(system)
    asked = [Narrowed(int(number), np.nan, np.nan) for number in np.flatnonzero(system.surely_small)]
    asked.sort(key=lambda narrow: (-abs(system.wide_high[narrow.number] - system.values[narrow.number]), narrow.number))
    first_round = True
    while asked:
        before = len(chosen)
        for narrow in asked:
            for aims in _aims(system, narrow):
                if any(_reaches(table[narrow.number], system.values[narrow.number], aims) for table in tables):
                    continue
                # The search for whole numbers in a whole table is slow: it comes only where fractions were not enough.
                table = mover.cheapest(narrow.number, aims, hidden, insist=not first_round)
                if table is None:
                    continue
                mirror = 2 * system.values - table
                tables.extend(one for one in (table, mirror) if _is_whole(one) and mover.possible(one))
                moved = (np.abs(table - system.values) > NEARLY) & ~hidden
                chosen.extend(int(unit) for unit in np.unique(system.unit[moved]))
                hidden = system.closed(base | np.isin(system.unit, chosen))
        if len(chosen) == before and not first_round:
            break
        first_round = False
        asked = weakest(system, hidden, tables)
    return _shown_again(system, base, chosen, tables)


def _aims(system: System, narrow: Narrowed) -> list[tuple[float, ...]]:
    """The values a number must be able to take, each as alternatives of which one is enough."""
    value = system.values[narrow.number]
    either_way = (value + 1, value - 1)
    if system.exact_only or (narrow.low == narrow.high and value > system.small):
        return [either_way]
    up, down = system.wide_high[narrow.number], system.wide_low[narrow.number]
    return [(aim,) for aim, wanted in ((up, up > value), (down, down < value)) if wanted] or [either_way]


def _reaches(reached: float, value: float, aims: tuple[float, ...]) -> bool:
    return any(reached >= aim if aim > value else reached <= aim for aim in aims)


def _shown_again(system: System, base: Flags, chosen: Iterable[int], tables: list[Floats]) -> Flags:
    """Show again every chosen unit without which the promise still holds, the dearest first."""
    left = list(chosen)
    hidden = system.closed(base | np.isin(system.unit, left))
    if weakest(system, hidden, tables, first_only=True):
        return hidden
    price = {unit: float(system.cost[system.unit == unit].max()) for unit in left}
    for unit in sorted(left, key=lambda unit: (-price[unit], unit)):
        fewer = [other for other in left if other != unit]
        trial = system.closed(base | np.isin(system.unit, fewer))
        if not weakest(system, trial, tables, first_only=True):
            left, hidden = fewer, trial
    return hidden


class _Mover:
    """Finds the cheapest change of a true table that moves one number to an aim."""

    def __init__(self, system: System) -> None:
        from scipy.sparse import hstack

        self.system = system
        stuck = np.unique(system.unit[(system.values < system.low) & ~system.free])
        if system.zeros_shown:
            filled = np.unique(system.unit[system.values > 0])
            stuck = np.union1d(stuck, np.setdiff1d(system.unit, filled))
        movable = system.free | ~(np.isin(system.unit, stuck) | (system.unit < 0))
        self.columns = np.flatnonzero(movable)
        part = system.relations[:, self.columns]
        self.matrix = hstack([part, -part], format="csc")
        self.room = system.values[self.columns] - system.low[self.columns]

    def possible(self, table: Floats) -> bool:
        """Whether no number of a changed table is below what it can be."""
        return bool((table >= self.system.low)[self.columns].all())

    def cheapest(self, number: int, aims: tuple[float, ...], hidden: Flags, insist: bool) -> Floats | None:
        """The changed table that moves a number to one of the aims, or None where no change does."""
        position = int(np.searchsorted(self.columns, number))
        if position == len(self.columns) or self.columns[position] != number:
            return None
        size = len(self.columns)
        # A trace of a price for hidden numbers keeps the change short.
        price = np.where(hidden[self.columns], 1e-4, self.system.cost[self.columns])
        costs = np.concatenate([price, price])
        found: list[Floats] = []
        for aim in aims:
            low, high = np.zeros(2 * size), np.concatenate([np.full(size, np.inf), self.room])
            step = aim - self.system.values[number]
            with_it, against_it = (position, size + position) if step > 0 else (size + position, position)
            if high[with_it] < abs(step):
                continue
            low[with_it], high[against_it] = abs(step), 0.0
            move = _solve(costs, self.matrix, np.zeros(self.matrix.shape[0]), low, high, insist)
            if move is not None:
                found.append(move)
        if not found:
            return None
        move = min(found, key=lambda candidate: float(costs @ candidate))
        table = self.system.values.copy()
        table[self.columns] += move[:size] - move[size:]
        return table


# What a reader knows of a table: which counts stand in it, and how the counts of one row hang together.

HIDDEN = float("nan")
Cell = tuple[str, ...]
Counts = dict[str, float | None]


@dataclass(frozen=True)
class RowKnowledge:
    """What everybody knows about the counts of one row.

    ``units`` numbers the counts that are hidden together, ``leads`` names those that take their whole row with them,
    ``at_least_one`` those that are never 0 in a hidden row, and ``links`` are sums of counts (the empty name is the
    number 1) that are never negative, or always nothing.
    """

    units: dict[str, int]
    leads: frozenset[str]
    at_least_one: frozenset[str] = frozenset()
    never_negative: tuple[dict[str, int], ...] = ()
    always_nothing: tuple[dict[str, int], ...] = ()


KNOWLEDGE = {
    "count": RowKnowledge({"count": 0}, frozenset({"count"}), frozenset({"count"})),
    "rate": RowKnowledge({"count": 0}, frozenset({"count"}), frozenset({"count"})),
    "proportion": RowKnowledge(
        {"numerator": 0, "denominator": 0},
        frozenset({"numerator", "denominator"}),
        frozenset({"denominator"}),
        ({"denominator": 1, "numerator": -1},),
    ),
    "mean_change": RowKnowledge(
        {"n_pairs": 0, "n_up": 1, "n_same": 1, "n_down": 1, "n_pre": 2, "n_post": 3},
        frozenset({"n_pairs"}),
        frozenset({"n_pairs", "n_pre", "n_post"}),
        ({"n_pre": 1, "n_pairs": -1}, {"n_post": 1, "n_pairs": -1}),
        ({"n_pairs": 1, "n_up": -1, "n_same": -1, "n_down": -1},),
    ),
    "attendance": RowKnowledge(
        {"registered": 0, "attended": 0, "walk_ins": 0, "did_not_attend": 0, "cancelled": 0},
        frozenset({"registered", "attended", "walk_ins", "did_not_attend", "cancelled"}),
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


class Relation(NamedTuple):
    """A total and its children along one group column, for one count column."""

    total: Cell
    along: str
    column: str
    children: tuple[Cell, ...]


@dataclass(frozen=True)
class Ledger:
    """The counts of linked tables as one system, with the names a message needs."""

    groups: tuple[str, ...]
    cells: dict[Cell, Counts]
    tables: dict[Cell, list[str]]
    disagreements: list[tuple[Cell, str, list[float]]]
    relations: list[Relation]
    sums: list[tuple[str, float, tuple[Cell, ...]]]

    def total_and_sum(self, relation: Relation) -> tuple[float | None, float, int]:
        """What a total says, the sum of its children that are shown, and how many are hidden."""
        children = [self.cells[child].get(relation.column) for child in relation.children]
        known = [value for value in children if value is not None and value == value]
        return self.cells[relation.total].get(relation.column), sum(known), sum(value != value for value in children)

    def certain(self, relation: Relation) -> bool:
        """Whether no member has an unknown count: a total need not contain a row that made no return."""
        members = (relation.total, *relation.children)
        return all(count is not None for cell in members for count in self.cells[cell].values())

    def adds_up(self, relation: Relation) -> bool:
        """Whether what is shown does not contradict a relation."""
        total, shown, hidden = self.total_and_sum(relation)
        if total is None or total != total:
            return True
        return total >= shown if hidden else total == shown

    def usable(self, relation: Relation) -> bool:
        """Whether a reader can reckon with a relation; with unknown rows, only if it is seen to hold without them."""
        total, shown, hidden = self.total_and_sum(relation)
        if not self.certain(relation):
            return total is not None and not hidden and total == shown
        return self.adds_up(relation)


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
                if before is None or before != before:
                    merged[column] = before if value is None else value
                elif value is not None and value == value and before != value:
                    disagreements.append((cell, column, [before, value]))
    ordered = sorted(cells, key=lambda cell: (sum(value == TOTAL for value in cell), cell))
    cells = {cell: cells[cell] for cell in ordered}
    sums = [
        (column, total, tuple(cell for cell in sorted(sheet.placed(groups)) if _innermost(cell, groups, sheet)))
        for sheet in sheets
        for column, total in sheet.sums.items()
    ]
    return Ledger(groups, cells, tables, disagreements, list(_relations(groups, cells)), sums)


def _innermost(cell: Cell, groups: tuple[str, ...], sheet: Sheet) -> bool:
    return all(value != TOTAL for group, value in zip(groups, cell, strict=True) if group in sheet.groups)


def _relations(groups: tuple[str, ...], cells: dict[Cell, Counts]) -> Iterable[Relation]:
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


def _sum_of(link: dict[str, int], counts: Counts) -> float | None:
    """The sum a link speaks of; None where a count is missing, nan where one is hidden."""
    values = [counts.get(column) if column else 1.0 for column in link]
    known = [value for value in values if value is not None]
    if len(known) < len(values):
        return None
    return sum((factor * value for factor, value in zip(link.values(), known, strict=True)), 0.0)


def system_of(ledger: Ledger, shape: str, promise: Promise) -> tuple[System, list[tuple[Cell, str]], list[Relation]]:
    """The system a reader of a ledger has before them, the name of each number, and the relation of its first rows.

    Knowledge that a shown row contradicts (more people trained than are eligible) is nobody's knowledge and is left
    out; so is a relation that is contradicted or has an unknown member.
    """
    knowledge, small = KNOWLEDGE[shape], promise.threshold - 1
    rows = [counts for counts in ledger.cells.values() if any(counts.values())]
    names = [(cell, column) for cell, counts in ledger.cells.items() for column in counts if counts[column] is not None]
    index = {name: number for number, name in enumerate(names)}
    positive = {
        column
        for column in knowledge.at_least_one
        if promise.zeros_shown and all(counts.get(column) != 0 for counts in rows)
    }
    values = [ledger.cells[cell][column] for cell, column in names]
    low = [float(column in positive) for _, column in names]
    least = [0.0 if value == 0 and promise.zeros_shown else floor for value, floor in zip(values, low, strict=True)]
    order = {cell: number for number, cell in enumerate(ledger.cells)}
    unit = [order[cell] * 4 + knowledge.units[column] for cell, column in names]
    row = [order[cell] for cell, _ in names]
    leads = [column in knowledge.leads for _, column in names]
    # Totals are worth more to a reader than their children; a large count has room to move for several small ones.
    cost = [
        1 + 0.05 * sum(part == TOTAL for part in cell) - 1e-2 * np.log1p(max(np.nan_to_num(value or 0.0), 0.0))
        for (cell, _), value in zip(names, values, strict=True)
    ]
    triplets: list[list[tuple[int, float]]] = []
    used: list[Relation] = []
    for relation in filter(ledger.usable, ledger.relations):
        total = index[relation.total, relation.column]
        children = [index[child, relation.column] for child in relation.children if (child, relation.column) in index]
        said, shown, _ = ledger.total_and_sum(relation)
        unseen = sum(low[child] for child in children if values[child] != values[child])
        if said is not None and said - shown < unseen:
            continue
        used.append(relation)
        triplets.append([(total, 1.0), *((child, -1.0) for child in children)])
        least[total] = max(least[total], sum(least[child] for child in children))

    def unprinted(value: float, free: bool) -> int:
        for column, item in ((values, value), (low, 0.0), (least, 0.0), (cost, 0.0)):
            column.append(item)
        unit.append(-2 if free else -1)
        row.append(-1)
        leads.append(False)
        return len(values) - 1

    one = unprinted(1.0, free=False)
    for links, slack in ((knowledge.never_negative, True), (knowledge.always_nothing, False)):
        for link in links:
            found = {cell: _sum_of(link, counts) for cell, counts in ledger.cells.items() if any(counts.values())}
            sums = {cell: value for cell, value in found.items() if value is not None}
            if any(value < 0 or (value > 0 and not slack) for value in sums.values()):
                continue
            for cell, value in sums.items():
                terms = [(index[cell, column] if column else one, float(factor)) for column, factor in link.items()]
                triplets.append([*terms, (unprinted(value, free=True), -1.0)] if slack else terms)
    given_away: set[int] = set()
    for column, told, members in ledger.sums:
        grand_total = index.get(((TOTAL,) * len(ledger.groups), column))
        given_away |= set() if grand_total is None else {grand_total}
        children = [index[cell, column] for cell in members if (cell, column) in index]
        if len(children) == len(members):
            triplets.append([(unprinted(told, free=False), 1.0), *((child, -1.0) for child in children)])
    floor = 1.0 if promise.zeros_shown else 0.0
    wide_low = np.maximum(np.array(least), floor)
    units = np.array(unit, dtype=np.int64)
    system = System(
        values=np.array(values, dtype=np.float64),
        low=np.array(low),
        wide_low=wide_low,
        wide_high=np.maximum(float(small), wide_low + 1),
        small=small,
        exact_only=promise.exact_only,
        zeros_shown=promise.zeros_shown,
        unit=units,
        row=np.array(row, dtype=np.int64),
        leads=np.array(leads, dtype=np.bool_),
        free=units == -2,
        given_away=np.isin(np.arange(len(values)), list(given_away)),
        surely_small=np.zeros(len(values), dtype=np.bool_),
        cost=np.array(cost),
        relations=_matrix(triplets, len(values)),
    )
    return system, names, used


def _matrix(rows: list[list[tuple[int, float]]], width: int) -> Any:
    from scipy.sparse import csr_matrix

    entries = [(number, column, value) for number, row in enumerate(rows) for column, value in row]
    data = [value for _, _, value in entries]
    where = [number for number, _, _ in entries], [column for _, column, _ in entries]
    return csr_matrix((data, where), shape=(len(rows), width))
