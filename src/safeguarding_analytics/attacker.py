"""What a reader of published tables can work out: whole numbers, relations, and the linear programmes over both.

Nothing here knows frames or policies. A `System` is a list of numbers, some of which may be hidden, tied together by
relations (a total minus its parts is nothing). `weakest` says what a reader can learn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
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
    number can have; ``seen_low`` and ``seen_high`` are what a reader knows of one that is not hidden: apart where it is
    shown rounded. ``wide_low`` and ``wide_high`` are the promise: a reader must hold every number between them
    possible. ``unit`` says which numbers are hidden together (-1: never hidden), ``row`` and ``leads`` that hiding the
    number hides its whole row. ``free`` numbers are printed nowhere: they carry inequalities and inner sums; of those
    that are ``watched`` a reader must not know more than a mark would say. ``given_away`` are totals that the shares
    beside them tell anyway: nothing is promised of them once they are large. ``whole`` says which are whole numbers.
    """

    values: Floats
    low: Floats
    seen_low: Floats
    seen_high: Floats
    wide_low: Floats
    wide_high: Floats
    small: int
    exact_only: bool
    zeros_shown: bool
    unit: Whole
    row: Whole
    leads: Flags
    free: Flags
    watched: Flags
    given_away: Flags
    surely_small: Flags
    whole: Flags
    cost: Floats
    relations: Any

    def part(self, numbers: Flags) -> System:
        """The system of some of the numbers, in which all others are what they are."""
        arrays = {
            one.name: getattr(self, one.name)[numbers]
            for one in fields(self)
            if one.type in ("Floats", "Flags", "Whole")
        }
        relations = self.relations[:, np.flatnonzero(numbers)]
        return replace(self, **arrays, relations=relations[np.flatnonzero(np.diff(relations.indptr) > 0)])

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

    def limits(self, hidden: Flags) -> tuple[Floats, Floats]:
        """The smallest and the largest value of every number, as far as a reader knows it from itself alone."""
        return np.where(hidden, self.low, self.seen_low), np.where(hidden, np.inf, self.seen_high)

    def targets(self, hidden: Flags) -> Flags:
        """The numbers of which a reader must not know too much: hidden, watched, or shown rounded."""
        return np.asarray((hidden & ~self.free) | self.watched | (~hidden & (self.seen_high > self.seen_low)))

    def kept(self, hidden: Flags, lowest: Floats, highest: Floats) -> Flags:
        """Which numbers a reader knows no better than was promised, if they lie between these ends."""
        two = highest > lowest
        if self.exact_only:
            promised = two
        else:
            wide = (lowest <= self.wide_low) & (highest >= self.wide_high)
            promised = wide | (two & (highest > self.small) & ~self.surely_small)
        public_zero = (lowest == 0) & (highest == 0) & self.zeros_shown
        kept = promised | public_zero | (self.given_away & (lowest > self.small))
        # Of what is printed nowhere, or rounded, nothing is promised unless it is seen to be small.
        unsure = (lowest < 1) | (highest > self.small)
        as_marked = two if self.exact_only else (lowest <= 1) & (highest >= self.small)
        as_rounded = ~hidden & (lowest <= self.seen_low) & (highest >= self.seen_high)
        return np.asarray(np.where(hidden & ~self.watched, kept, unsure | as_marked | as_rounded))


class Narrowed(NamedTuple):
    """A hidden number of which a reader knows too much; ``high`` is infinite where nothing bounds it."""

    number: int
    low: float
    high: float


def solve(
    costs: Floats, matrix: Any, totals: Floats, low: Floats, high: Floats, whole: Flags, insist: bool
) -> Floats | None:
    """The cheapest solution of ``matrix @ y = totals`` within bounds; None where there is none.

    It is in whole numbers (where they are to be ``whole``) with ``insist``, else as the linear programme gives it: in
    tables of two dimensions whole as well, in those of three and more mostly.
    """
    found = _optimum(costs, matrix, totals, low, high, None)
    if insist and found is not None and not is_whole(found[whole]):
        found = _optimum(costs, matrix, totals, low, high, whole)
    if found is not None and is_whole(found[whole]):
        found[whole] = np.rint(found[whole])
    return found


def _optimum(
    costs: Floats, matrix: Any, totals: Floats, low: Floats, high: Floats, whole: Flags | None
) -> Floats | None:
    """One run of the solver: over numbers of which some are whole, or over all."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    found: Floats | None = milp(
        costs,
        constraints=LinearConstraint(matrix, totals, totals),
        bounds=Bounds(low, high),
        integrality=np.zeros(len(costs), dtype=np.int64) if whole is None else whole.astype(np.int64),
        # Presolving costs more than it saves on linear programmes of this size; the search for whole numbers needs it.
        options={"node_limit": MOST_BRANCHES, "presolve": whole is not None},
    ).x
    return found


def is_whole(numbers: Floats) -> bool:
    """Whether all numbers are whole, up to rounding of the solver."""
    return bool(np.abs(numbers - np.rint(numbers)).max(initial=0) < NEARLY)


class Reader:
    """A reader to whom some numbers are hidden and who has found one consistent table (``point``)."""

    def __init__(self, system: System, hidden: Flags, point: Floats) -> None:
        from scipy.sparse import bmat
        from scipy.sparse.csgraph import connected_components

        self.system, self.hidden, self.point = system, hidden, point
        self.low, self.high = system.limits(hidden)
        self.columns = np.flatnonzero(self.high > self.low)
        part = system.relations[:, self.columns]
        self.rows = np.flatnonzero(np.diff(part.indptr) > 0)
        self.part = part[self.rows]
        graph = bmat([[None, self.part], [self.part.T, None]]) if self.part.nnz else None
        sizes = len(self.rows), len(self.columns)
        labels = connected_components(graph, directed=False)[1] if graph is not None else np.arange(sum(sizes))
        self.row_block, self.column_block = labels[: sizes[0]], labels[sizes[0] :]

    def narrowed_between(self, lowest: Floats, highest: Floats) -> Flags:
        """Which hidden numbers are known too well, if they lie between these ends."""
        return self.system.targets(self.hidden) & ~self.system.kept(self.hidden, lowest, highest)

    def at_a_glance(self) -> tuple[Floats, Floats]:
        """Bounds from one relation at a time: what the hidden parts of a shown total leave for each of them."""
        lower, upper = self.low.copy(), self.high.copy()
        entries = self.part.tocoo()
        rows, columns, signs = entries.row, self.columns[entries.col], entries.data
        members = np.bincount(rows, minlength=len(self.rows))
        one_sided = np.abs(np.bincount(rows, signs, len(self.rows))) == np.bincount(rows, np.abs(signs), len(self.rows))
        room = np.bincount(rows, np.abs(signs) * (self.point - self.low)[columns], len(self.rows))
        bound = one_sided[rows]
        np.minimum.at(upper, columns[bound], (self.low[columns] + room[rows] / np.abs(signs))[bound])
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
        costs, low, high = np.zeros(len(columns)), self.low[columns], self.high[columns]
        positions = np.searchsorted(columns, numbers)
        costs[positions] = sign
        if sign < 0:
            high[positions] = np.minimum(high[positions], limits)
        if len(rows):
            found = solve(
                costs,
                matrix,
                matrix @ self.point[columns],
                low,
                high,
                self.system.whole[columns],
                insist=len(numbers) == 1,
            )
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
        bounds = list(zip(self.low[columns], self.high[columns], strict=True))
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
    low, high = system.limits(hidden)
    shown = np.where(high > low, 0.0, system.values)
    columns = np.flatnonzero(high > low)
    part = system.relations[:, columns]
    rows = np.flatnonzero(np.diff(part.indptr) > 0)
    if len(rows):
        totals = -(system.relations[rows] @ shown)
        found = solve(
            np.zeros(len(columns)), part[rows], totals, low[columns], high[columns], system.whole[columns], insist=True
        )
        if found is None:
            return None
        shown[columns] = found
    loose = columns[np.diff(part.tocsc().indptr) == 0]
    shown[loose] = low[loose]
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
        fits = [(table >= reader.low).all() and (table <= reader.high).all() for table in tables]
        agreeing = np.array([table for table, fit in zip(tables, fits, strict=True) if fit])
        self.lowest, self.highest = agreeing.min(axis=0), agreeing.max(axis=0)
        self.high_enough = np.maximum(reader.system.wide_high, reader.system.small + 1.0)
        self.low_enough = np.where(reader.hidden & ~reader.system.watched, reader.system.wide_low, reader.low)

    def not_kept(self) -> Whole:
        """Numbers not yet seen to be safe."""
        return np.flatnonzero(self.reader.narrowed_between(self.lowest, self.highest))

    def to_push(self, sign: int) -> Whole:
        """Numbers not yet seen to be safe that should be seen larger (sign -1) or smaller (1)."""
        numbers = self.not_kept()
        if sign < 0:
            near = self.highest < np.maximum(self.high_enough, self.lowest + 1)
        else:
            exact = (self.lowest == self.highest) & (self.lowest > self.reader.low)
            near = (self.lowest > self.low_enough) | exact
        return np.asarray(numbers[near[numbers]])

    def push(self, numbers: Whole, sign: int) -> None:
        """Look for a table in which these numbers are larger (sign -1) or smaller (1), and keep it if it is whole."""
        limits = np.maximum(self.high_enough, self.lowest + 1)[numbers]
        table = self.reader.farthest(numbers, sign, limits)
        if table is not None and is_whole(table[self.reader.system.whole]):
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
