"""The smallest pattern that protects a system, proven: a whole-number programme and the attacker take turns.

The programme proposes the smallest pattern that nothing it knows rules out; the attacker finds the numbers it does not
protect; the dual of each attack says which further numbers would have helped, and the programme is told.
"""

from __future__ import annotations

import numpy as np

from safeguarding_analytics.attacker import NEARLY, Flags, Floats, Narrowed, System, weakest
from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.protection import aims_of

MOST_NUMBERS = 1_000
"""Printed numbers of a system above which no proof is tried: it would take too long."""

MOST_ROUNDS = 300
"""Proposals after which a proof is given up: fixed, so that a result never depends on the clock."""

MOST_NODES = 100_000
"""Branches of the programme after which one proposal is given up."""

TRACE = 1e-3
"""How far an attack may move numbers that are shown, so that its dual names as few of them as it can."""

NOT_PROVEN = 'the smallest number of hidden cells cannot be proven for this table. Use effort="greedy".'


def fewest(system: System, start: Flags) -> Flags:
    """Hide as few units as keep the promise: ``start``, unless fewer than it hides are enough.

    A unit is what is hidden together: in most shapes the counts of a row. Of several smallest patterns one of the
    cheapest is taken. Where no pattern keeps the promise it is ``start`` too: whoever calls must ask `weakest`.

    Raises
    ------
    ParameterError
        When the search takes more than `MOST_ROUNDS` proposals, or one of them more than `MOST_NODES` branches.

    References
    ----------
    Fischetti and Salazar-González (1999), Models and algorithms for the 2-dimensional cell suppression problem in
    statistical disclosure control, Mathematical Programming 84.
    """
    tables = [system.values]
    proposals = _Proposals(system)
    most = len(proposals.units)
    if not weakest(system, start, tables, first_only=True):
        most = proposals.further(start) - 1
    for _ in range(MOST_ROUNDS):
        hidden = proposals.smallest(most) if most >= 0 else None
        if hidden is None:
            return start
        asked = weakest(system, hidden, tables)
        if not asked:
            return hidden
        for narrow in asked:
            proposals.learn(narrow, hidden)
    raise ParameterError(NOT_PROVEN)


class _Proposals:
    """All patterns that are not yet ruled out: a programme with a yes or no for every unit that can be hidden."""

    def __init__(self, system: System) -> None:
        self.system = system
        base, movable = system.closed(system.surely_small), system.movable()
        self.columns = np.flatnonzero(system.closed(base | movable))
        self.matrix = system.relations[:, self.columns]
        self.room = (system.values - system.low)[self.columns]
        free = system.free[self.columns]
        self.units = np.unique(system.unit[self.columns][~free])
        # The unit of every column by its position; numbers that are printed nowhere share the one behind the last.
        self.place = np.where(free, len(self.units), np.searchsorted(self.units, system.unit[self.columns]))
        self.fixed = self.units_of(base)
        # Each rule is a list of factors whose sum over the hidden units is this much at least.
        self.rules: list[tuple[Floats, float]] = []
        self._tie_rows(alone=self.units_of(base | movable))

    def _tie_rows(self, alone: Flags) -> None:
        """A unit that leads takes its whole row with it; what cannot be hidden alone is hidden with its row only."""
        system = self.system
        leads = dict(zip(system.row[system.leads].tolist(), system.unit[system.leads].tolist(), strict=True))
        rows = dict(zip(system.unit.tolist(), system.row.tolist(), strict=True))
        for place, unit in enumerate(self.units.tolist()):
            lead = leads.get(rows[unit], unit)
            if lead != unit:
                tie = (self.units == unit) * 1.0 - (self.units == lead)
                self.rules += [(tie, 0.0)] if alone[place] else [(tie, 0.0), (-tie, 0.0)]

    def units_of(self, numbers: Flags) -> Flags:
        """Which units hold one of these numbers."""
        return np.isin(self.units, self.system.unit[numbers & ~self.system.free])

    def hiding(self, units: Flags) -> Flags:
        """The numbers that are hidden once these units are."""
        return self.system.closed(np.isin(self.system.unit, self.units[units]))

    def further(self, hidden: Flags) -> int:
        """How many units are hidden beside those that must be."""
        return int((self.units_of(hidden) & ~self.fixed).sum())

    def smallest(self, most: int) -> Flags | None:
        """The smallest pattern that hides no more further units than this, the cheapest of its size as a rule."""
        from scipy.optimize import Bounds, LinearConstraint, milp

        further = (~self.fixed).astype(np.float64)
        price = np.zeros(len(self.units) + 1)
        np.maximum.at(price, self.place, self.system.cost[self.columns])
        # All prices together are half a unit at most, so that they decide between patterns of one size only.
        trifle = price[:-1] / price[:-1].max(initial=1.0) / (2 * most + 2)
        factors = np.array([*(factors for factors, _ in self.rules), -further])
        least = np.array([*(least for _, least in self.rules), -most])
        found = milp(
            further * (1 + trifle),
            constraints=LinearConstraint(factors, least, np.inf),
            bounds=Bounds(self.fixed.astype(np.float64), 1.0),
            integrality=np.ones(len(further), dtype=np.int64),
            options={"node_limit": MOST_NODES},
        )
        if found.status not in (0, 2):
            raise ParameterError(NOT_PROVEN)
        return self.hiding(found.x > 0.5) if found.status == 0 else None

    def learn(self, narrow: Narrowed, hidden: Flags) -> None:
        """Rule out a pattern that does not protect a number, and all others that fail for the same reason."""
        before = len(self.rules)
        if not self._is_kept_by_less(narrow.number):
            for aims in aims_of(self.system, narrow):
                self._learn_from_duals(narrow.number, aims, hidden)
        if len(self.rules) == before:
            self._rule_out(narrow.number, hidden)

    def _is_kept_by_less(self, number: int) -> bool:
        """Whether the promise of a number can hold because less is hidden: a zero that all can see is no leak."""
        return bool(self.system.given_away[number] or (self.system.zeros_shown and self.system.values[number] == 0))

    def _learn_from_duals(self, number: int, aims: tuple[float, ...], hidden: Flags) -> None:
        """Who hides a number must hide what takes it to one of its aims; then the same with all of that hidden."""
        while True:
            shares = self._shares(number, aims, hidden)
            if shares is None or shares[self.units_of(hidden)].sum() > 1 - NEARLY:
                return
            self.rules.append((shares - (self.units == self.system.unit[number]), 0.0))
            if not shares.any():
                return
            hidden = hidden | self.hiding(shares > 0)

    def _shares(self, number: int, aims: tuple[float, ...], hidden: Flags) -> Floats | None:
        """What part of the way to one of its aims each unit can take a number; None where it gets there already."""
        shares = np.zeros(len(self.units))
        for aim in aims:
            gives, far = self._gives(number, aim - self.system.values[number], hidden)
            # What is hidden with the number in any case shortens its way.
            sure = np.append(self.fixed | (self.units == self.system.unit[number]), True)
            left = far - gives[sure].sum()
            if left < NEARLY:
                return None
            gives[sure] = 0.0
            np.maximum(shares, np.minimum(gives[:-1] / left, 1.0), out=shares)
        return shares

    def _gives(self, number: int, step: float, hidden: Flags) -> tuple[Floats, float]:
        """How far each unit can take a number at most on its way by a step, and how long the way is.

        By the dual of the attack, the number moves by no more than the sum over the units that are hidden.
        """
        from scipy.optimize import linprog

        far, shown, own = abs(step), ~hidden[self.columns], self.columns == number
        # The number itself need not go farther than it must; nothing bounds how far the others may rise.
        room, rise = np.where(own, np.minimum(self.room, far), self.room), np.where(own, far, np.inf)
        trace = TRACE * far
        lowest = -np.where(shown, np.minimum(room, trace), room)
        highest = np.where(shown, np.minimum(rise, trace), rise)
        costs = np.where(own, -np.sign(step), 0.0)
        found = linprog(
            costs,
            A_eq=self.matrix,
            b_eq=np.zeros(self.matrix.shape[0]),
            bounds=list(zip(lowest.tolist(), highest.tolist(), strict=True)),
            options={"presolve": False},
        )
        # Any prices give a bound that holds: without an answer of the solver, one that says nothing.
        prices = found.eqlin.marginals if found.x is not None else np.zeros(self.matrix.shape[0])
        worth = costs - self.matrix.T @ prices
        falls, rises = worth > NEARLY, worth < -NEARLY
        gives = np.zeros(len(worth))
        gives[falls] = worth[falls] * room[falls]
        gives[rises] = -worth[rises] * rise[rises]
        by_unit = np.bincount(self.place, gives, minlength=len(self.units) + 1)
        return by_unit.astype(np.float64), far

    def _rule_out(self, number: int, hidden: Flags) -> None:
        """Rule out a pattern with all its parts that hide the number, or it alone where a part might do better."""
        chosen = self.units_of(hidden)
        failing = chosen if self._is_kept_by_less(number) else self.units == self.system.unit[number]
        # Something more is hidden, or something of what fails is shown again.
        self.rules.append((~chosen * 1.0 - failing, 1.0 - failing.sum()))
