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

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Whole = npt.NDArray[np.int64]

NEARLY = 1e-6
"""Distance from a whole number that is taken for rounding of the solver."""

MOST_BRANCHES = 5_000
"""Branches after which the search for whole numbers gives up: fixed, so that a result never depends on the clock."""

PREFERRED = 0.01
"""What a preferred number costs, as a part of its cost: so little that a way through such numbers is always taken."""


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

    def movable(self) -> Flags:
        """All numbers that may differ in another table: not those of a unit that holds nothing or less than it can."""
        stuck = np.unique(self.unit[(self.values < self.low) & ~self.free])
        if self.zeros_shown:
            filled = np.unique(self.unit[self.values > 0])
            stuck = np.union1d(stuck, np.setdiff1d(self.unit, filled))
        return np.asarray(self.free | ~(np.isin(self.unit, stuck) | (self.unit < 0)))

    def preferring(self, some: list[bool]) -> System:
        """The same system, in which some of its first numbers cost next to nothing to hide."""
        share = np.ones(len(self.cost))
        share[: len(some)][some] = PREFERRED
        return replace(self, cost=self.cost * share)

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
    found = _optimum(costs, matrix, totals, low, high, whole=False)
    if insist and found is not None and not _is_whole(found):
        found = _optimum(costs, matrix, totals, low, high, whole=True)
    return np.rint(found) if found is not None and _is_whole(found) else found


def _optimum(costs: Floats, matrix: Any, totals: Floats, low: Floats, high: Floats, whole: bool) -> Floats | None:
    """One run of the solver: over whole numbers, or over all."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    found: Floats | None = milp(
        costs,
        constraints=LinearConstraint(matrix, totals, totals),
        bounds=Bounds(low, high),
        integrality=np.full(len(costs), int(whole)),
        # Presolving costs more than it saves on linear programmes of this size; the search for whole numbers needs it.
        options={"node_limit": MOST_BRANCHES, "presolve": whole},
    ).x
    return found


def _is_whole(numbers: Floats) -> bool:
    return bool(np.abs(numbers - np.rint(numbers)).max(initial=0) < NEARLY)


class Reader:
    """A reader to whom some numbers are hidden and who has found one consistent table (``point``)."""

    def __init__(self, system: System, hidden: Flags, point: Floats) -> None:
        from scipy.sparse import bmat
        from scipy.sparse.csgraph import connected_components

        self.system, self.hidden, self.point = system, hidden, point
        self.columns = np.flatnonzero(hidden)
        part = system.relations[:, self.columns]
        self.rows = np.flatnonzero(np.diff(part.indptr) > 0)
        self.part = part[self.rows]
        graph = bmat([[None, self.part], [self.part.T, None]]) if self.part.nnz else None
        sizes = len(self.rows), len(self.columns)
        labels = connected_components(graph, directed=False)[1] if graph is not None else np.arange(sum(sizes))
        self.row_block, self.column_block = labels[: sizes[0]], labels[sizes[0] :]

    def narrowed_between(self, lowest: Floats, highest: Floats) -> Flags:
        """Which hidden numbers are known too well, if they lie between these ends."""
        return self.hidden & ~self.system.free & ~self.system.kept(lowest, highest)

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

    def block(self, numbers: Whole) -> tuple[Whole, Whole, Any]:
        """All that hangs together with some numbers: positions of relations, hidden numbers, and the matrix of both."""
        labels = self.column_block[np.searchsorted(self.columns, numbers)]
        rows = np.flatnonzero(np.isin(self.row_block, labels))
        positions = np.flatnonzero(np.isin(self.column_block, labels))
        return rows, self.columns[positions], self.part[rows][:, positions]

    def farthest(self, numbers: Whole, sign: int, limits: Floats | float = np.inf) -> Floats | None:
        """A consistent table in which the sum of some numbers is smallest (sign 1), or largest up to limits (-1)."""
        rows, columns, matrix = self.block(numbers)
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

        rows, columns, matrix = self.block(np.array([number]))
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
    if first_only:
        hopeless = np.flatnonzero(reader.narrowed_between(*reader.at_a_glance()))
        if len(hopeless):
            return [Narrowed(int(hopeless[0]), np.nan, np.nan)]
    search = _Search(reader, tables)
    for sign in (-1, 1):
        search.push_together(sign)
    found: list[Narrowed] = []
    for number in search.not_kept():
        search.push_alone(number)
        if number in search.not_kept():
            found.append(Narrowed(int(number), search.lowest[number], search.highest[number]))
            if first_only:
                break
    return found


class _Search:
    """A search for consistent tables that show the promise to be kept, with the ends that the tables reach."""

    def __init__(self, reader: Reader, tables: list[Floats]) -> None:
        self.reader, self.tables = reader, tables
        shown = ~reader.hidden
        agreeing = np.array([table for table in tables if (table[shown] == reader.point[shown]).all()])
        self.lowest, self.highest = agreeing.min(axis=0), agreeing.max(axis=0)
        self.high_enough = np.maximum(reader.system.wide_high, reader.system.small + 1.0)

    def not_kept(self) -> Whole:
        """Numbers not yet seen to be safe."""
        return np.flatnonzero(self.reader.narrowed_between(self.lowest, self.highest))

    def to_push(self, sign: int) -> Whole:
        """Numbers not yet seen to be safe that should be seen larger (sign -1) or smaller (1)."""
        numbers = self.not_kept()
        if sign < 0:
            near = self.highest < np.maximum(self.high_enough, self.lowest + 1)
        else:
            exact = (self.lowest == self.highest) & (self.lowest > self.reader.system.low)
            near = (self.lowest > self.reader.system.wide_low) | exact
        return np.asarray(numbers[near[numbers]])

    def push(self, numbers: Whole, sign: int) -> None:
        """Look for a table in which these numbers are larger (sign -1) or smaller (1), and keep it if it is whole."""
        limits = np.maximum(self.high_enough, self.lowest + 1)[numbers]
        table = self.reader.farthest(numbers, sign, limits)
        if table is not None and _is_whole(table):
            self.tables.append(table)
            np.minimum(self.lowest, table, out=self.lowest)
            np.maximum(self.highest, table, out=self.highest)

    def push_together(self, sign: int) -> None:
        """Push all numbers at once, as one table often settles many, until that stops paying."""
        left = self.to_push(sign)
        while len(left) > 1:
            self.push(left, sign)
            before, left = left, self.to_push(sign)
            if 4 * len(left) > 3 * len(before):
                break

    def push_alone(self, number: int) -> None:
        """Push one number both ways."""
        for sign in (-1, 1):
            if number in self.to_push(sign):
                self.push(np.array([number]), sign)


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
    # The search for whole numbers in a whole table is slow: it comes only where fractions were not enough.
    insist = False
    while asked:
        before = len(chosen)
        for narrow in asked:
            for aims in aims_of(system, narrow):
                moved = mover.units_to_hide(narrow.number, aims, hidden, tables, insist)
                if moved:
                    chosen += moved
                    hidden = system.closed(base | np.isin(system.unit, chosen))
        if insist and len(chosen) == before:
            break
        insist = True
        asked = weakest(system, hidden, tables)
    return _shown_again(system, base, chosen, tables)


def aims_of(system: System, narrow: Narrowed) -> list[tuple[float, ...]]:
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
        self.columns = np.flatnonzero(system.movable())
        part = system.relations[:, self.columns]
        self.matrix = hstack([part, -part], format="csc")
        self.room = system.values[self.columns] - system.low[self.columns]

    def units_to_hide(
        self, number: int, aims: tuple[float, ...], hidden: Flags, tables: list[Floats], insist: bool
    ) -> list[int]:
        """The units that a number needs hidden to reach one of the aims: none if it can already, or never will.

        ``tables`` are consistent tables already known; those found on the way are added.
        """
        value = self.system.values[number]
        if any(_reaches(table[number], value, aims) for table in tables):
            return []
        table = self.cheapest(number, aims, hidden, insist)
        if table is None:
            return []
        mirror = 2 * self.system.values - table
        tables.extend(one for one in (table, mirror) if _is_whole(one) and self._is_possible(one))
        moved = (np.abs(table - self.system.values) > NEARLY) & ~hidden
        return [int(unit) for unit in np.unique(self.system.unit[moved])]

    def _is_possible(self, table: Floats) -> bool:
        """Whether no number of a changed table is below what it can be."""
        return bool((table >= self.system.low)[self.columns].all())

    def cheapest(self, number: int, aims: tuple[float, ...], hidden: Flags, insist: bool) -> Floats | None:
        """The changed table that moves a number to one of the aims, or None where no change does."""
        if number not in self.columns:
            return None
        position = int(np.searchsorted(self.columns, number))
        # A trace of a price for hidden numbers keeps the change short.
        price = np.where(hidden[self.columns], 1e-4, self.system.cost[self.columns])
        costs = np.concatenate([price, price])
        steps = [aim - self.system.values[number] for aim in aims]
        moves = [move for step in steps if (move := self._move(position, step, costs, insist)) is not None]
        if not moves:
            return None
        move = min(moves, key=lambda candidate: float(costs @ candidate))
        ups, downs = np.split(move, 2)
        table = self.system.values.copy()
        table[self.columns] += ups - downs
        return table

    def _move(self, position: int, step: float, costs: Floats, insist: bool) -> Floats | None:
        """How far each movable number goes up, then how far each goes down, so that one moves by at least a step."""
        size = len(self.columns)
        low, high = np.zeros(2 * size), np.concatenate([np.full(size, np.inf), self.room])
        with_it, against_it = (position, size + position) if step > 0 else (size + position, position)
        if high[with_it] < abs(step):
            return None
        low[with_it], high[against_it] = abs(step), 0.0
        return _solve(costs, self.matrix, np.zeros(self.matrix.shape[0]), low, high, insist)
