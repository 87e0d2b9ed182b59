"""Which tables belong together, how they are seen once published, and what their marks promise."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np

from safeguarding_analytics.attacker import Whole
from safeguarding_analytics.dimensions import TOTAL_NODE
from safeguarding_analytics.ledger import Ledger, Sheet, common_keys, is_hidden, sheet_of
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.safe import Safe
from safeguarding_analytics.systems import Promise, Written

MOST_ATOMS_TO_PROTECT = 2_000
"""Combinations of groups up to which linked tables are protected with every combination as a cell of its own."""

MOST_AT_ONCE = 1_500
"""Numbers of a system above which it is protected part by part."""

IN_A_PART = 800
"""Numbers of such a part, at most, where no group column says what the parts are."""


def promise_of(policy: Policy) -> Promise:
    """What the mark of a policy promises of the number behind it."""
    # A rounded number says no more of a small one than that it is below the base.
    threshold = policy.round if policy.controlled and policy.round else policy.threshold
    return Promise(threshold, zeros_shown=policy.zeros == "shown", exact_only=policy.protect == "point")


def slack_of(policy: Policy) -> tuple[int, int]:
    """How far below and above a shown count the true one may be."""
    if policy.round is None:
        return 0, 0
    if policy.controlled:
        return policy.round - 1, policy.round - 1
    return policy.round // 2, (policy.round - 1) // 2


def sheet_of_safe(table: Safe, name: str) -> Sheet:
    """A safe table as its reader sees it."""
    policy, frame = table.policy, table.frame()
    if policy is None:
        return sheet_of(frame, name, table.shape, frozenset(frame["mark"].to_list()) - {""})
    return sheet_of(frame, name, table.shape, frozenset({policy.mark}), slack_of(policy), not policy.controlled)


def published_sheet(sheet: Sheet, policy: Policy) -> Sheet:
    """A table of true counts, of which some are hidden, as its reader will see it: rounded, if the policy says so."""
    if policy.round is None:
        return sheet
    base = policy.round
    cells = {
        values: {
            column: count if count is None or is_hidden(count) else math.floor(count / base + 0.5) * float(base)
            for column, count in counts.items()
        }
        for values, counts in sheet.cells.items()
    }
    return replace(sheet, cells=cells, slack=slack_of(policy), sums={})


def one_system_each(sheets: Sequence[Sheet]) -> list[list[int]]:
    """The positions of tables that belong together: those of one shape, and those that count the same."""
    keys = common_keys(sheets)
    systems: list[list[int]] = []
    for number, sheet in enumerate(sheets):
        own = {keys[sheet.shape.name, column] for column in sheet.shape.all_counts}
        related = [
            system
            for system in systems
            if any(
                own & {keys[sheets[one].shape.name, column] for column in sheets[one].shape.all_counts}
                for one in system
            )
        ]
        systems = [system for system in systems if system not in related]
        systems.append(sorted([number, *(one for system in related for one in system)]))
    return sorted(systems)


def atoms(ledger: Ledger) -> int:
    """How many combinations of the finest groups there are."""
    return math.prod(
        len(dimension.atoms({cell[position] for cell, _ in ledger.counts}, dimension.finest in ledger.incomplete))
        for position, dimension in enumerate(ledger.dimensions)
    )


def has_atoms(ledger: Ledger) -> bool:
    """Whether every combination of groups is a cell of a ledger."""
    inner = {cell for cell, _ in ledger.counts if TOTAL_NODE not in cell}
    return len(inner) >= atoms(ledger)


def modules_of(ledger: Ledger, written: Written) -> Whole | None:
    """The part of a large system that each number belongs to; -1 for totals over the parts. None for a small system."""
    if len(written.names) <= MOST_AT_ONCE:
        return None
    sizes = [len({cell[position] for cell, _ in written.names}) for position in range(len(ledger.dimensions))]
    longest = int(np.argmax(sizes))
    parts = _parts(ledger, longest, IN_A_PART * sizes[longest] // len(written.names))
    found = np.full(len(written.system.values), -1, dtype=np.int64)
    found[: len(written.names)] = [parts.get(cell[longest], -1) for cell, _ in written.names]
    return _with_those_tied_to(found, len(written.names), written)


def _parts(ledger: Ledger, position: int, most: int) -> dict[tuple[str, str], int]:
    """The part of every node of a dimension: what lies in one area, or as many in a row as a part may hold."""
    dimension = ledger.dimensions[position]
    nodes = sorted({cell[position] for cell, _ in ledger.counts} - {TOTAL_NODE})
    for column, sets in reversed(dimension.lookup.items()):
        leaves = [leaf for inner in sets.values() for leaf in inner]
        outer = [(column, value) for value in sets]
        if len(leaves) == len(set(leaves)) and len(outer) > 1:
            return {
                node: number
                for number, area in enumerate(outer)
                for node in nodes
                if node != area and dimension.holds(area, node)
            }
    return {node: number // max(most, 2) for number, node in enumerate(nodes)}


def _with_those_tied_to(modules: Whole, named: int, written: Written) -> Whole:
    """Numbers without a name belong where the first number does that they are tied to."""
    relations = written.system.relations.tocsr()
    for row in range(relations.shape[0]):
        columns = relations.indices[relations.indptr[row] : relations.indptr[row + 1]]
        unnamed = columns[columns >= named]
        if len(unnamed) and (columns < named).any():
            modules[unnamed] = modules[columns[columns < named][0]]
    return modules


def common_promise(policies: Iterable[Policy]) -> Promise:
    """What the marks of several policies promise together: the largest threshold, and else what all of them promise."""
    every = list(policies)
    return Promise(
        max(promise_of(policy).threshold for policy in every),
        zeros_shown=all(policy.zeros == "shown" for policy in every),
        exact_only=all(policy.protect == "point" for policy in every),
    )
