"""Hides more numbers until a reader learns no more than was promised.

For each number that a reader would know too well, the cheapest consistent change of the table that moves it far enough
is found by a linear programme, and the numbers it changes are hidden.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from safeguarding_analytics.attacker import NEARLY, Flags, Floats, Narrowed, System, Whole, is_whole, solve, weakest

Progress = Callable[[int, int], None]

FEW = 200
"""Small numbers up to which each is moved at once, without asking first which of them are safe already."""


def protect(
    system: System,
    modules: Whole | None = None,
    progress: Progress = lambda _done, _all: None,
    start: Flags | None = None,
) -> Flags:
    """Hide more numbers until a reader learns no more than was promised, then show again what was not needed.

    Numbers that cannot be moved stay as they are: whoever calls must ask `weakest` about the result.

    Parameters
    ----------
    system
        The numbers, all known.
    modules
        Which numbers are protected by themselves, with everything else shown, before the system is looked at as a
        whole; -1 for those of none. Large tables take minutes that way, and not hours.
    progress
        Called with the number of modules done and the number of all.
    start
        Numbers that are hidden in any case, beside those that are surely small.
    """
    base = system.closed(system.surely_small | (start if start is not None else system.free))
    names = np.unique(modules[modules >= 0]) if modules is not None else np.array([], dtype=np.int64)
    progress(0, len(names) + 1)
    for done, name in enumerate(names.tolist(), 1):
        inside = modules == name
        part = _protected(system.part(inside), base[inside], thorough=False)
        found = np.zeros(len(base), dtype=np.bool_)
        found[inside] = part
        base = system.closed(base | (found & ~system.free))
        progress(done, len(names) + 1)
    hidden = _protected(system, base)
    progress(len(names) + 1, len(names) + 1)
    return hidden


def _protected(system: System, base: Flags, thorough: bool = True) -> Flags:
    """Protect one system, of which the base is hidden in any case; whole numbers are searched for only if thorough."""
    hidden = base = system.closed(base)
    chosen: list[int] = []
    tables = [system.values]
    mover = _Mover(system)
    few = np.flatnonzero(system.surely_small)
    if 0 < len(few) <= FEW and (base == system.closed(system.surely_small)).all():
        # So few are moved one by one sooner than it takes to see which of them need it.
        asked = [Narrowed(int(number), np.nan, np.nan) for number in few]
    else:
        asked = weakest(system, hidden, tables)
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
        if (insist or not thorough) and len(chosen) == before:
            break
        insist = thorough
        asked = weakest(system, hidden, tables)
    return _shown_again(system, base, chosen, tables)


def aims_of(system: System, narrow: Narrowed) -> list[tuple[float, ...]]:
    """The values a number must be able to take, each as alternatives of which one is enough."""
    value = system.values[narrow.number]
    either_way = (value + 1, value - 1)
    if system.watched[narrow.number]:
        return [(0.0, system.small + 1.0)]
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
        self.room = system.values[self.columns] - system.low[self.columns]
        # What is shown rounded may move a little, and nobody notices.
        self.rounded = np.flatnonzero((system.seen_high > system.seen_low)[self.columns])
        part = system.relations[:, self.columns]
        self.matrix = hstack([part, -part, part[:, self.rounded], -part[:, self.rounded]], format="csc")
        self.whole = np.concatenate([system.whole[self.columns]] * 2 + [system.whole[self.columns][self.rounded]] * 2)

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
        beyond = (table < self.system.seen_low - NEARLY) | (table > self.system.seen_high + NEARLY)
        moved = beyond & ~hidden
        mirror = 2 * self.system.values - table
        within = (mirror >= self.system.seen_low) & (mirror <= self.system.seen_high)
        possible = (mirror >= self.system.low)[self.columns].all() and (within | beyond | hidden).all()
        found = (table, mirror) if possible else (table,)
        tables.extend(one for one in found if is_whole(one[self.system.whole]))
        return [int(unit) for unit in np.unique(self.system.unit[moved])]

    def cheapest(self, number: int, aims: tuple[float, ...], hidden: Flags, insist: bool) -> Floats | None:
        """The changed table that moves a number to one of the aims, or None where no change does."""
        if number not in self.columns:
            return None
        position = int(np.searchsorted(self.columns, number))
        # A trace of a price for hidden numbers keeps the change short.
        price = np.where(hidden[self.columns], 1e-4, self.system.cost[self.columns])
        costs = np.concatenate([price, price, np.full(2 * len(self.rounded), 1e-4)])
        steps = [aim - self.system.values[number] for aim in aims]
        moves = [move for step in steps if (move := self._move(position, step, costs, insist)) is not None]
        if not moves:
            return None
        move = min(moves, key=lambda candidate: float(costs @ candidate))
        size, few = len(self.columns), len(self.rounded)
        change = move[:size] - move[size : 2 * size]
        change[self.rounded] += move[2 * size : 2 * size + few] - move[2 * size + few :]
        table = self.system.values.copy()
        table[self.columns] += change
        return table

    def _move(self, position: int, step: float, costs: Floats, insist: bool) -> Floats | None:
        """How far each movable number goes up and down, and each rounded one within its rounding.

        One of them moves by at least a step.
        """
        size = len(self.columns)
        rounded = self.columns[self.rounded]
        up = self.system.seen_high[rounded] - self.system.values[rounded]
        down = self.system.values[rounded] - self.system.seen_low[rounded]
        low = np.zeros(len(costs))
        high = np.concatenate([np.full(size, np.inf), self.room, up, down])
        with_it, against_it = (position, size + position) if step > 0 else (size + position, position)
        if high[with_it] < abs(step):
            return None
        low[with_it], high[against_it] = abs(step), 0.0
        return solve(costs, self.matrix, np.zeros(self.matrix.shape[0]), low, high, self.whole, insist)
