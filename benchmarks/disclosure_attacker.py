"""A reader of published tables who works out hidden counts with linear programmes; shares no code with the package."""

from __future__ import annotations

import math
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

TOTAL = "Total"
ALMOST = 1e-6

Cell = tuple[str, ...]
"""The group values of a count, ``"Total"`` where it is a margin."""

Sheet = dict[Cell, float | None]
"""One published table: None where a count is hidden."""


@dataclass(frozen=True)
class Verdict:
    """What a published table costs and what it gives away."""

    hidden_beyond: int
    exact: int
    narrow: int
    altered: int
    totals: int


@dataclass(frozen=True)
class Reading:
    """What a reader knows before any arithmetic: some counts, and for each of the others the least it can be."""

    known: dict[Cell, float]
    least: dict[Cell, int]


def rollups(cell: Cell) -> Iterator[Cell]:
    """The cell itself and every margin it is counted in."""
    return product(*(dict.fromkeys((value, TOTAL)) for value in cell))


def attack(sheets: list[Sheet], truth: dict[Cell, int], threshold: int) -> Verdict:
    """Work out what can be worked out about every small count, and compare it with the truth."""
    reading = read(sheets, truth)
    small = {cell for cell, count in truth.items() if 0 < count < threshold}
    ranges = narrowed(reading, truth, small - reading.known.keys(), threshold)
    ranges |= {cell: (truth[cell], truth[cell]) for cell in small & reading.known.keys()}
    wrong = [cell for cell, (low, high) in ranges.items() if not low <= truth[cell] <= high]
    if wrong:
        sys.exit(f"the attacker is wrong about {len(wrong)} counts, so its findings mean nothing")
    # A total is no smaller than the number of counts in it that are not zero, whatever else is published.
    parts = Counter(total for cell, count in truth.items() if count and TOTAL not in cell for total in rollups(cell))
    seen = {cell for sheet in sheets for cell, value in sheet.items() if value is not None}
    totals = [(cell, value) for sheet in sheets for cell, value in sheet.items() if TOTAL in cell and value is not None]
    return Verdict(
        hidden_beyond=len(truth.keys() - seen - small),
        exact=sum(low == high for low, high in ranges.values()),
        narrow=sum(low > max(1, parts[cell]) or high < threshold - 1 for cell, (low, high) in ranges.items()),
        altered=sum(value != truth[cell] for cell, value in totals),
        totals=len(totals),
    )


def read(sheets: list[Sheet], truth: dict[Cell, int]) -> Reading:
    """Take the shown counts for true, except totals that were plainly made of the shown counts only."""
    known: dict[Cell, float] = {}
    for sheet in sheets:
        believed = {cell: value for cell, value in sheet.items() if value is not None}
        for cell in made_anew(sheet):
            del believed[cell]
        if any(known.get(cell, value) != value for cell, value in believed.items()):
            sys.exit("two tables show different numbers for the same count")
        known |= believed
    # Whoever sees zeros in a table knows that a mark stands for at least one person.
    marked = {cell for sheet in sheets for cell, value in sheet.items() if value is None}
    one = 0 if any(truth[cell] == 0 for cell in marked) else 1
    return Reading(known, {cell: one if cell in marked else 0 for cell in truth.keys() - known.keys()})


def made_anew(sheet: Sheet) -> list[Cell]:
    """Totals that equal the sum of what is shown beneath them although something beneath them is hidden."""
    parents = {parent for cell in sheet for parent in rollups(cell) if parent != cell and parent in sheet}
    shown: dict[Cell, float] = defaultdict(float)
    hidden: set[Cell] = set()
    for cell in sheet.keys() - parents:
        value = sheet[cell]
        for parent in parents.intersection(rollups(cell)):
            if value is None:
                hidden.add(parent)
            else:
                shown[parent] += value
    return [cell for cell in hidden if (value := sheet[cell]) is not None and value <= shown[cell]]


def sums(cells: dict[Cell, int]) -> Iterator[tuple[Cell, list[Cell]]]:
    """Every total with the cells that add up to it along one group column."""
    parts: dict[tuple[Cell, int], list[Cell]] = defaultdict(list)
    for cell in cells:
        for place, value in enumerate(cell):
            total = (*cell[:place], TOTAL, *cell[place + 1 :])
            if value != TOTAL and total in cells:
                parts[total, place].append(cell)
    for (total, _), cells_of_total in parts.items():
        yield total, cells_of_total


def narrowed(
    reading: Reading, truth: dict[Cell, int], small: set[Cell], threshold: int
) -> dict[Cell, tuple[float, float]]:
    """The smallest and largest value possible of each small count, as far as they lie within 1 to threshold - 1."""
    import numpy as np
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import connected_components

    unknown = sorted(reading.least)
    place = {cell: number for number, cell in enumerate(unknown)}
    rows: list[int] = []
    columns: list[int] = []
    signs: list[int] = []
    rest: list[float] = []
    for total, parts in sums(truth):
        terms = [(total, -1), *((part, 1) for part in parts)]
        open_terms = [(place[cell], sign) for cell, sign in terms if cell in place]
        if open_terms:
            rows += [len(rest)] * len(open_terms)
            columns += [column for column, _ in open_terms]
            signs += [sign for _, sign in open_terms]
            rest.append(-sum(sign * reading.known[cell] for cell, sign in terms if cell not in place))
    if not rest:
        return {cell: (reading.least[cell], math.inf) for cell in small}
    matrix = csr_array((np.array(signs, float), (rows, columns)), shape=(len(rest), len(unknown)))
    _, block = connected_components(abs(matrix.T) @ abs(matrix), directed=False)
    row_block = np.array([block[column] for column in matrix.indices[matrix.indptr[:-1]]])
    found: dict[Cell, tuple[float, float]] = {}
    for number in sorted({block[place[cell]] for cell in small}):
        inside = np.flatnonzero(block == number)
        equations = np.flatnonzero(row_block == number)
        targets = {at: unknown[column] for at, column in enumerate(inside) if unknown[column] in small}
        found |= ranges_in_block(
            matrix[equations][:, inside],
            np.array(rest)[equations],
            np.array([reading.least[unknown[column]] for column in inside], float),
            np.array([truth[unknown[column]] for column in inside], float),
            targets,
            threshold,
        )
    return found


def ranges_in_block(
    matrix: Any, rest: Any, least: Any, true_counts: Any, targets: dict[int, Cell], threshold: int
) -> dict[Cell, tuple[float, float]]:
    """Minimise and maximise every target, unless a solution found before already goes as far as anybody asks."""
    import numpy as np
    from scipy.optimize import linprog

    lowest, highest = true_counts.copy(), true_counts.copy()  # the truth is a solution, and stands in no result
    found: dict[Cell, tuple[float, float]] = {}
    for done, (target, cell) in enumerate(targets.items(), 1):
        ends = []
        for sign, settled in (
            (1, lowest[target] <= least[target] + ALMOST),
            (-1, highest[target] >= threshold - 1 - ALMOST),
        ):
            if settled:
                ends.append(float((lowest if sign == 1 else highest)[target]))
                continue
            bounds: list[tuple[float, float | None]] = [(float(low), None) for low in least]
            bounds[target] = (bounds[target][0], threshold)  # further up nobody looks
            costs = np.zeros(len(least))
            costs[target] = sign
            solution = linprog(costs, A_eq=matrix, b_eq=rest, bounds=bounds, method="highs")
            if solution.status or solution.x is None:
                sys.exit(f"the attacker's linear programme ended with: {solution.message}")
            lowest, highest = np.minimum(lowest, solution.x), np.maximum(highest, solution.x)
            ends.append(float(solution.x[target]))
        found[cell] = (math.ceil(ends[0] - ALMOST), math.floor(ends[1] + ALMOST))
        if len(targets) > 500 and done % 100 == 0:
            print(f"  attacker: {done:,} of {len(targets):,} small counts", file=sys.stderr)
    return found
