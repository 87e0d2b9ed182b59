"""Exact Kemeny orders: those with the fewest disagreements with the ballots, and how many there are.

Three steps, each exact. Issues that beat or tie one another in circles form a group, and the order between groups is
forced (Truchon 1998). In a group, the pairs, and where they do not suffice a linear programme, give a bound below
which no order can cost, and say what each pair and each three issues add to it when they stand one way and not the
other. Then all orders are built up from the first place down, and those are left that cost no more than an order
already known. The programme only proposes: the bound is worked out anew from its multipliers, which holds whatever they
are, so a count does not hang on a solver.
"""

from __future__ import annotations

from heapq import merge
from itertools import combinations
from math import perm
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from safeguarding_analytics.pairwise import DECIMALS, Numbers, margins

if TYPE_CHECKING:
    from scipy.sparse import csr_array


class Effort(NamedTuple):
    """What is done to find the orders of one group."""

    without_programme: int
    """Issues up to which it is tried without a programme first: each pair costs at least what its smaller side has."""
    first_sets: int
    """Sets of issues, as the first places of an order, that are gone through in that."""
    most_sets: int
    """Sets of issues that are gone through with a programme's bound, to count the optimal orders."""


EFFORT = Effort(without_programme=20, first_sets=30_000, most_sets=300_000)

MOST_BITS = 62
"""Issues whose sets can be written as the bits of a whole number."""

SLACK = 1e-6
"""Added to what an order may cost above the bound: more than floating point can get wrong, and never an error."""

AT_ONCE = 4096
"""Sets whose triples are looked at together: what fits into the memory close to a processor."""

Whole = NDArray[np.int64]


class Order(NamedTuple):
    """An order of least cost, how many there are, and the first and last place each issue can take in them.

    Where they were too many to count, ``n_optimal`` is None and the places are the widest that the bound allows.
    """

    order: list[int]
    n_optimal: int | None
    first: list[int]
    last: list[int]


class Cuts(NamedTuple):
    """Triples of issues that an order may not go round in a circle: row · x <= limit, a row per triple."""

    rows: csr_array
    limits: Numbers
    circles: Whole
    """Three issues: the row's limit is not met where they stand in this order, however it is rotated."""


class Bound(NamedTuple):
    """What no order can cost less than, and what it costs more: pair by pair and triple by triple, adding up to all."""

    least: float
    pair: Numbers
    """Added where the first issue stands above the second."""
    circles: Whole
    """Three issues that cost more where they stand in this order; each rotation of the order is a row of its own."""
    circle: Numbers
    """What such a row of ``circles`` adds, in the column of the issue in its middle."""
    above: Numbers
    """How far the programme puts the row's issue above the column's: 0 to 1."""
    cuts: Cuts | None


class Steps(NamedTuple):
    """The cheapest ways to fill one more place: sets of issues so far, the issue that comes next, the set after it."""

    before: Whole
    issue: Whole
    after: Whole
    sets: Whole
    """The sets as bits; ``after`` are positions in it, ``before`` in those of the place above."""


def kemeny_order(wins: Numbers, effort: Effort = EFFORT) -> Order:
    """Exact Kemeny order, group by group; of the optimal ones, where they are counted, the first in issue order."""
    order: list[int] = []
    n_optimal: int | None = 1
    first, last = [0] * len(wins), [0] * len(wins)
    for group in _groups(wins):
        part = _group_order(wins[np.ix_(group, group)], effort)
        for issue, high, low in zip(group, part.first, part.last, strict=True):
            first[issue], last[issue] = high + len(order), low + len(order)
        order += [group[issue] for issue in part.order]
        n_optimal = None if n_optimal is None or part.n_optimal is None else n_optimal * part.n_optimal
    return Order(order, n_optimal, first, last)


def kemeny_cost(wins: Numbers, order: list[int]) -> float:
    """Strict disagreements of an order with the ballots: votes for the lower issue over the higher, all pairs."""
    return round(float(np.tril(wins[np.ix_(order, order)], -1).sum()), DECIMALS)


def _groups(wins: Numbers) -> list[list[int]]:
    """Groups of issues that beat or tie each other in a circle, best group first.

    Every pair is joined one way or the other, so issues that reach equally many are in the same group.
    """
    reached = margins(wins) >= 0
    for middle in range(len(reached)):
        reached |= reached[:, [middle]] & reached[[middle], :]
    numbers = reached.sum(axis=1)
    return [np.flatnonzero(numbers == number).tolist() for number in sorted(set(numbers.tolist()), reverse=True)]


def _group_order(wins: Numbers, effort: Effort) -> Order:
    """The orders of one group: an issue that ties with every other may stand anywhere between the rest."""
    level = ~margins(wins).any(axis=1)
    if not level.any():
        return _optimal_orders(wins, effort)
    n, anywhere, rest = len(wins), np.flatnonzero(level).tolist(), np.flatnonzero(~level).tolist()
    inner = kemeny_order(wins[np.ix_(rest, rest)], effort)
    first, last = [1] * n, [n] * n
    for issue, high, low in zip(rest, inner.first, inner.last, strict=True):
        first[issue], last[issue] = high, low + len(anywhere)
    return Order(
        list(merge([rest[issue] for issue in inner.order], anywhere)),  # the lower of the two heads each time
        None if inner.n_optimal is None else inner.n_optimal * perm(n, len(anywhere)),
        first,
        last,
    )


def _optimal_orders(wins: Numbers, effort: Effort) -> Order:
    """All optimal orders of a group, or one of them where they are too many to go through."""
    n = len(wins)
    if n <= effort.without_programme:
        bound = _bound(wins, with_programme=False)
        steps = _steps_within(wins, bound, _improved(wins, _by_number_above(bound.above)), effort.first_sets)
        if steps is not None:
            return _read_off(n, steps)
    bound = _bound(wins, with_programme=True)
    order = _improved(wins, _by_number_above(bound.above))
    steps = _steps_within(wins, bound, order, effort.most_sets)
    if steps is None and kemeny_cost(wins, order) > bound.least + SLACK:
        order = _by_number_above(_whole_programme(wins, bound))
        steps = _steps_within(wins, bound, order, effort.most_sets)
    if steps is not None:
        return _read_off(n, steps)
    forced = _too_dear(wins, bound, order).T  # whether the row's issue is above the column's in every optimal order
    for middle in range(n):
        forced |= forced[:, [middle]] & forced[[middle], :]
    return Order(order, None, (forced.sum(axis=0) + 1).tolist(), (n - forced.sum(axis=1)).tolist())


def _too_dear(wins: Numbers, bound: Bound, order: list[int]) -> NDArray[np.bool_]:
    """Whether no order that puts the row's issue above the column's can be as cheap as the given one."""
    return np.asarray(bound.pair > kemeny_cost(wins, order) - bound.least + SLACK)


def _steps_within(wins: Numbers, bound: Bound, order: list[int], most_sets: int) -> list[Steps] | None:
    """The cheapest steps of orders that cost no more than the given one; None where the sets are too many."""
    if len(wins) > MOST_BITS:
        return None
    return _cheapest_steps(wins, bound, kemeny_cost(wins, order) - bound.least + SLACK, most_sets)


def _cheapest_steps(wins: Numbers, bound: Bound, allowed: float, most_sets: int) -> list[Steps] | None:
    """The cheapest ways to fill the places from the first down, one entry per place; None where the sets are too many.

    What an order costs up to a place depends only on the set of issues so far and their cheapest order. A set is left
    out where the pairs and triples that are settled by then cost more than ``allowed`` above the bound in every order.
    """
    n = len(wins)
    issues = np.arange(n)
    sets, cost, added, number = np.zeros(1, np.int64), np.zeros(1), np.zeros(1), 1
    steps = []
    for place in range(1, n + 1):
        inside = ((sets[:, None] >> issues) & 1).astype(np.float64)
        more = added[:, None] + (1 - inside) @ bound.pair.T
        more[inside > 0] = np.inf
        for start in range(0, len(sets), AT_ONCE):
            block = inside[start : start + AT_ONCE]  # a triple is settled when one is in the set and another comes next
            settled_now = block[:, bound.circles[:, 0]] * (1 - block[:, bound.circles[:, 2]])
            more[start : start + AT_ONCE] += settled_now @ bound.circle
        before, issue = np.nonzero(more <= allowed)
        if number + len(before) // place > most_sets:  # a set is reached from no more sets than it has issues
            return None
        costs = cost[before] + (inside @ wins.T)[before, issue]
        longer = sets[before] | (1 << issue)
        by_set = np.argsort(longer, kind="stable")
        starts = np.flatnonzero(np.diff(longer[by_set], prepend=-1))
        sets, after = longer[by_set][starts], np.empty(len(longer), np.int64)
        number += len(sets)
        if number > most_sets:
            return None
        after[by_set] = np.repeat(np.arange(len(sets)), np.diff(starts, append=len(longer)))
        cost = np.minimum.reduceat(costs[by_set], starts)
        added = np.minimum.reduceat(more[before, issue][by_set], starts)
        best = costs <= cost[after] + 10.0**-DECIMALS
        steps.append(Steps(before[best], issue[best], after[best], sets))
    return steps


def _read_off(n: int, steps: list[Steps]) -> Order:
    """Count the ways through the steps that end with all issues placed, and go the first of them in issue order."""
    ways = np.ones(1, object)  # from each set to the end: Python's whole numbers, which have no largest
    chosen = np.zeros((n, n), np.bool_)  # whether an optimal order may put the issue in the place
    useful: list[tuple[Whole, Whole, Whole]] = []
    for place in reversed(range(n)):
        before, issue, after, _ = steps[place]
        leads = np.asarray(ways[after] > 0, dtype=np.bool_)
        before, issue, after = before[leads], issue[leads], after[leads]
        useful.append((before, issue, after))
        chosen[issue, place] = True
        through = np.zeros(len(steps[place - 1].sets) if place else 1, object)
        np.add.at(through, before, ways[after])
        ways = through
    order, here = [], 0
    for before, issue, after in reversed(useful):
        onward = np.flatnonzero(before == here)
        lowest = onward[issue[onward].argmin()]
        order.append(int(issue[lowest]))
        here = int(after[lowest])
    return Order(
        order,
        int(ways[0]),
        (chosen.argmax(axis=1) + 1).tolist(),
        (n - chosen[:, ::-1].argmax(axis=1)).tolist(),
    )


def _by_number_above(above: Numbers) -> list[int]:
    """Issues by how many they stand above, most first."""
    return [int(issue) for issue in np.argsort(-above.sum(axis=1), kind="stable")]


def _improved(wins: Numbers, order: list[int]) -> list[int]:
    """An order made cheaper by moving one issue at a time, until no move helps."""
    lead, order, issue = margins(wins), list(order), 0
    while issue < len(order):
        place = order.index(issue)
        others = order[:place] + order[place + 1 :]
        passed = np.concatenate([[0.0], np.cumsum(lead[others, issue])])  # saved by passing below each of the others
        best = int(passed.argmax())
        if passed[best] > passed[place] + 10.0**-DECIMALS:
            order, issue = [*others[:best], issue, *others[best:]], 0
        else:
            issue += 1
    return order


class _Triangles:
    """The triples of issues in whose pairs an order may not go round in a circle.

    The pairs are i < j, and x = 1 says that j stands above i. Then 0 <= x_ij + x_jk - x_ik <= 1 for every i < j < k.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self.first, self.second = np.triu_indices(n, 1)
        column = np.zeros((n, n), np.int64)
        column[self.first, self.second] = np.arange(len(self.first))
        self.triples = np.array(list(combinations(range(n), 3)), np.int64).reshape(-1, 3).T
        i, j, k = self.triples
        self.pairs = np.array([column[i, j], column[j, k], column[i, k]])

    def above(self, turned: Numbers) -> Numbers:
        """How far the row's issue stands above the column's."""
        found = np.zeros((self.n, self.n))
        found[self.first, self.second], found[self.second, self.first] = 1 - turned, turned
        return found

    def broken(self, turned: Numbers) -> Cuts | None:
        """The triples that are broken; None where there are none."""
        from scipy.sparse import csr_array

        sums = turned[self.pairs[0]] + turned[self.pairs[1]] - turned[self.pairs[2]]
        low, high = np.flatnonzero(sums < -SLACK), np.flatnonzero(sums > 1 + SLACK)
        triples = np.concatenate([low, high])
        if not len(triples):
            return None
        signs = np.concatenate([np.full(len(low), -1.0), np.ones(len(high))])
        entries = np.concatenate([signs, signs, -signs])
        columns = self.pairs[:, triples].ravel()
        rows = csr_array((entries, (np.tile(np.arange(len(triples)), 3), columns)), shape=(len(triples), len(turned)))
        # x_ij + x_jk - x_ik is 0 where the three stand in the order i, j, k or a rotation of it, and 1 otherwise
        circles = np.concatenate([self.triples[[1, 0, 2]][:, low], self.triples[:, high]], axis=1).T
        return Cuts(rows, np.maximum(signs, 0), circles)


def _bound(wins: Numbers, *, with_programme: bool) -> Bound:
    """What the orders of a group cost at least, and what pairs and triples add to it.

    For multipliers y >= 0 of the triples, an order x costs c·x = -y·b + (c + A'y)·x + y·(b - Ax): a part that is the
    same for all orders, one for each pair and one for each triple, whatever y. Without the programme y is 0.
    """
    n, triangles = len(wins), _Triangles(len(wins))
    first, second = triangles.first, triangles.second
    cost = margins(wins)[first, second]
    turned, reduced, cuts = np.asarray(cost < 0, dtype=np.float64), cost, None
    least, circles, circle = float(np.tril(wins, -1).sum()), np.empty((0, 3), np.int64), np.empty((0, n))
    if with_programme and (cuts := triangles.broken(turned)) is not None:
        turned, multipliers, cuts = _programme(cost, triangles, cuts)
        reduced = cost + cuts.rows.T @ multipliers
        least -= float(multipliers @ cuts.limits)
        dear = multipliers > 0
        circles = np.concatenate([np.roll(cuts.circles[dear], turn, axis=1) for turn in range(3)])
        circle = np.zeros((len(circles), n))
        circle[np.arange(len(circles)), circles[:, 1]] = np.tile(multipliers[dear], 3)
    pair = np.zeros((n, n))
    pair[first, second], pair[second, first] = np.maximum(-reduced, 0), np.maximum(reduced, 0)
    return Bound(least + float(np.minimum(reduced, 0).sum()), pair, circles, circle, triangles.above(turned), cuts)


def _programme(cost: Numbers, triangles: _Triangles, cuts: Cuts) -> tuple[Numbers, Numbers, Cuts]:
    """The linear programme, triples being taken up where they are broken: the pairs turned, and the multipliers."""
    from scipy.optimize import linprog

    while True:
        # the types of scipy say that the matrix must be dense
        found = linprog(cost, cuts.rows, cuts.limits, bounds=(0, 1), method="highs")  # type: ignore[call-overload]
        broken = triangles.broken(found.x)
        if broken is None:
            return found.x, np.maximum(-found.ineqlin.marginals, 0), cuts
        cuts = _joined(cuts, broken)


def _joined(cuts: Cuts, more: Cuts) -> Cuts:
    """Triples and further ones."""
    from scipy.sparse import vstack

    return Cuts(
        vstack([cuts.rows, more.rows], format="csr"),
        np.concatenate([cuts.limits, more.limits]),
        np.concatenate([cuts.circles, more.circles]),
    )


def _whole_programme(wins: Numbers, bound: Bound) -> Numbers:
    """Which issues an order of least cost puts above which, by integer programming."""
    from scipy.optimize import Bounds, LinearConstraint, milp

    triangles, cuts = _Triangles(len(wins)), bound.cuts
    cost = margins(wins)[triangles.first, triangles.second]
    while True:
        found = milp(
            cost,
            integrality=np.ones(len(cost), np.int64),
            bounds=Bounds(0, 1),
            constraints=[] if cuts is None else [LinearConstraint(cuts.rows, -np.inf, cuts.limits)],
            options={"mip_rel_gap": 0},  # the default would accept an order that is nearly the best
        )
        turned = np.asarray(found.x).round().astype(np.float64)
        broken = triangles.broken(turned)
        if broken is None:
            return triangles.above(turned)
        cuts = broken if cuts is None else _joined(cuts, broken)
