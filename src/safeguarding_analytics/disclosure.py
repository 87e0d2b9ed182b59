"""The one-way door: small counts are hidden, and so many others that no hidden one can be worked out again.

The promise: the published tables never tell more about a hidden number than its mark does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from typing import Literal, overload

import numpy as np
import polars as pl

from safeguarding_analytics import attacker, linked, optimum
from safeguarding_analytics.dimensions import Lookup, check_lookups, read_lookups, values_of
from safeguarding_analytics.errors import DisclosureError, ParameterError, numbered, shorten
from safeguarding_analytics.findings import known_too_well
from safeguarding_analytics.inputs import (
    check_effort,
    check_policy,
    check_rounding,
    previous_tables,
    tables_to_suppress,
)
from safeguarding_analytics.ledger import (
    Disagreement,
    Ledger,
    Name,
    Relation,
    Sheet,
    in_one_table,
    is_hidden,
    open_ledger,
    sheet_of,
)
from safeguarding_analytics.masking import masked, with_nulls
from safeguarding_analytics.means import hidden_means
from safeguarding_analytics.policy import Policy, groups_of_few_ballots
from safeguarding_analytics.protection import protect
from safeguarding_analytics.rounding import controlled_rounding, nearest_multiple, recomputed
from safeguarding_analytics.safe import Binding, Safe, already_public, number_columns
from safeguarding_analytics.shapes import SHAPES, Shape, shape_of
from safeguarding_analytics.systems import write_down
from safeguarding_analytics.tables import TOTAL

__all__ = ["Policy", "Safe", "already_public", "suppress"]

Effort = Literal["greedy", "exact"]
EFFORTS: tuple[Effort, ...] = ("greedy", "exact")
Previous = Safe | Sequence[Safe] | None
Within = pl.DataFrame | Sequence[pl.DataFrame] | None
Progress = Callable[[int, int], None]
Values = tuple[str, ...]

Place = tuple[frozenset[tuple[str, str]], str]
"""A count by its group values and column, whichever other group columns its table has as a total."""


def rather_hidden(table: pl.DataFrame, rows: pl.Expr, policy: Policy) -> list[Safe]:
    """Rows of a table that shall be hidden before others, where others must be hidden to protect a small number.

    Parameters
    ----------
    table
        A table as it goes into `suppress`.
    rows
        Which of its rows.
    policy
        The policy it is suppressed by.

    Returns
    -------
    list[Safe]
        For ``previous`` of `suppress`: the rows, hidden; none where the policy rounds and hides nothing.

    Examples
    --------
    >>> table = pl.DataFrame({"agency": ["Health", "Police", "School"], "count": [40, 3, 20]})
    >>> [safe.frame()["agency"].to_list() for safe in rather_hidden(table, pl.col("agency") == "School", Policy.dfe())]
    [['School']]
    """
    if policy.controlled:
        return []
    counts = [name for name in shape_of(table.columns).all_counts if name in table.columns]
    hidden = table.filter(rows).with_columns(pl.lit(None, pl.Int64).alias(name) for name in counts)
    return [Safe(hidden.with_columns(pl.lit(policy.mark).alias("mark")), policy)]


@overload
def suppress(
    table: pl.DataFrame,
    policy: Policy,
    *,
    within: Within = (),
    effort: Effort = "greedy",
    previous: Previous = None,
    progress: Progress = ...,
) -> Safe: ...
@overload
def suppress(
    table: list[pl.DataFrame],
    policy: Policy,
    *,
    within: Within = (),
    effort: Effort = "greedy",
    previous: Previous = None,
    progress: Progress = ...,
) -> list[Safe]: ...
def suppress(
    table: pl.DataFrame | list[pl.DataFrame],
    policy: Policy,
    *,
    within: Within = (),
    effort: Effort = "greedy",
    previous: Previous = None,
    progress: Progress = lambda _done, _all: None,
) -> Safe | list[Safe]:
    """Hide small counts, and as many other rows as it takes that no hidden count can be worked out again.

    Parameters
    ----------
    table
        A table of one of the shapes of `tables`, or several. Margins are rows whose group value is ``"Total"``, in any
        combination of group columns. Several tables are protected as one system: a group column that a table lacks
        counts as ``"Total"``, and a count that stands in two tables meets the same fate in both.
    policy
        Which counts are hidden or rounded, and how well they are protected.
    within
        Which groups lie within which others, if no table has both columns: a frame (or several) whose first column
        lies within each of the others, one row per group: district, area, region. Where areas overlap, a district has
        several rows.
    effort
        ``"greedy"``: few other rows, quickly. ``"exact"``: the fewest, proven; for tables of up to 1,000
        counts, of which some hundreds may take minutes.
    previous
        Last period's tables, as they were published. What was hidden in them is hidden again rather than something
        else, where it still protects: a row is the same where its group values are, in group columns of the same names;
        columns of which every value is new, such as the year, are left aside. All that a `Binding` hides is hidden.
    progress
        Called with the number of steps done and the number of all, while a large table is protected part by part.

    Returns
    -------
    Safe
        Per table: the same rows and columns, and ``mark``; all numbers of a hidden row null except those in context
        columns. Of a mean change whose ups, sames or downs are small only these three are null, ``n_pre`` and
        ``n_post`` where they must be, and the means of too few people. Of an item change whose parts are small these,
        its shares and its tests are null; ``p_holm`` of its other rows takes the hidden tests for 1. Rows keep their
        order, unless they are sorted by a number of which some are hidden: then they are sorted by their groups. A
        hidden ranking is put in the order of its names. Under a policy that rounds, counts are multiples of its base,
        and shares are worked out of them.

    Raises
    ------
    DisclosureError
        When a column is identifying, or holds numbers that are none of the shape and would be shown as they are; a
        count is negative, fractional or missing; counts of a row contradict each other; a group appears twice; a margin
        is misspelled; a total is not the sum of its rows; two tables disagree about a cell; or the table is too small
        to be protected. A numerator may be larger than its denominator: the two may come from different sources.
    TableError
        When something is no polars DataFrame, or has none of the shapes.
    ParameterError
        When the policy is none, the effort is neither of the two, the table is too large for the exact one or its proof
        takes too long, or previous tables are not `Safe`.

    Notes
    -----
    A row is small where one of its counts is (of what is worked out of ballots: where they are fewer than
    ``minimum_ballots``; judgements that are public themselves are left as they are). The reader
    it is protected from knows every shown number, every total, that counts are whole numbers, that a zero would have
    been shown, that a numerator is at most its denominator, and which counts of one row add up to others. For each
    small count, linear programmes find the cheapest other rows to hide; what turns out not to be needed is shown again;
    the result is attacked once more before it is returned. The greedy result is not always the smallest possible. The
    exact one hides the fewest sets of counts that are hidden together (in most shapes: rows) with which every small
    count could have any of the values it promises; where no set does that, it is the greedy one. Neither depends on
    the order of rows, and both show totals rather than their parts where they can.

    Tables of one shape count the same; so do columns of different shapes that agree wherever they meet. What a total
    holds beyond the groups that tables list (a year less three of its quarters) is protected as if it were printed.
    Large tables are protected part by part (a region, or some of the groups of the longest column), then as a whole.
    A row with an unknown (null) numerator or denominator is in no relation unless its total adds up without it.

    Questions and estimates are of the same people again and again: their rows are parts of nothing, unless their table
    has a total or a group column in common with another. But the questions of a test are known to add up to its score.

    References
    ----------
    Hundepool et al., Handbook on Statistical Disclosure Control, chapters 4.2 and 5.

    Examples
    --------
    >>> children = pl.DataFrame({"agency": ["A", "B", "C", "Total"], "count": [3, 10, 40, 53]})
    >>> suppress(children, Policy.dfe()).frame()
    shape: (4, 3)
    ┌────────┬───────┬──────┐
    │ agency ┆ count ┆ mark │
    │ ---    ┆ ---   ┆ ---  │
    │ str    ┆ i64   ┆ str  │
    ╞════════╪═══════╪══════╡
    │ A      ┆ null  ┆ [c]  │
    │ B      ┆ 10    ┆      │
    │ C      ┆ null  ┆ [c]  │
    │ Total  ┆ 53    ┆      │
    └────────┴───────┴──────┘
    """
    check_effort(effort, EFFORTS)
    check_policy(policy)
    check_rounding(policy, effort)
    before, lookups = previous_tables(previous), read_lookups(within)
    frames, shapes = tables_to_suppress(table, to_round=policy.round is not None)
    safes = {
        place: _hide_few_ballots(frame, shape, policy)
        for place, (frame, shape) in enumerate(zip(frames, shapes, strict=True))
        if not shape.all_counts
    }
    places = [place for place in range(len(frames)) if place not in safes]
    sheets = [sheet_of(frames[place], f"table {place + 1}", shapes[place]) for place in places]
    check_lookups([row for sheet in sheets for row in sheet.rows()], lookups)
    for system in one_system_each(sheets):
        ledger = _checked_ledger([sheets[number] for number in system], lookups)
        own = [frames[places[number]] for number in system]
        if policy.controlled:
            done = _rounded(own, ledger, lookups, policy)
        else:
            done = _hidden(own, ledger, lookups, policy, effort, before, progress)
        safes |= {places[number]: safe for number, safe in zip(system, done, strict=True)}
    return safes[0] if isinstance(table, pl.DataFrame) else [safes[place] for place in range(len(frames))]


OF_THE_SAME_PEOPLE = frozenset({"item_change", "estimate"})
"""Shapes whose rows may speak of the same people again: questions and definitions add up only where a total says so."""


def one_system_each(sheets: Sequence[Sheet]) -> list[list[int]]:
    """The positions of tables that belong together, those of the same people apart from what has no group like theirs.

    The questions of one table and the definitions of another would come to one number of people otherwise.
    """
    return [part for system in linked.one_system_each(sheets) for part in _apart(system, sheets)]


def _apart(system: list[int], sheets: Sequence[Sheet]) -> list[list[int]]:
    """A system taken apart where tables of the same people have no group column in common with the others."""
    alone = {number for number in system if _says_the_same_again(sheets[number])}
    parts: list[set[int]] = []
    for number in system:
        related = [
            part
            for part in parts
            if any(
                (not {number, other} & alone) or set(sheets[number].groups) & set(sheets[other].groups)
                for other in part
            )
        ]
        parts = [*(part for part in parts if part not in related), {number}.union(*related)]
    return sorted(sorted(part) for part in parts)


def _says_the_same_again(sheet: Sheet) -> bool:
    """Whether the rows of a table are no parts: it has groups, and no total of them."""
    return (
        sheet.shape.name in OF_THE_SAME_PEOPLE and bool(sheet.groups) and not any(TOTAL in row for row in sheet.cells)
    )


def _checked_ledger(sheets: list[Sheet], lookups: list[tuple[str, Lookup]]) -> Ledger:
    """Tables that belong together as one ledger; all that does not add up is reported at once."""
    ledger = open_ledger(sheets, lookups)
    check_adds_up(ledger)
    full = len(sheets) > 1 and linked.atoms(ledger) <= linked.MOST_ATOMS_TO_PROTECT
    return open_ledger(sheets, lookups, keys=ledger.keys, incomplete=ledger.incomplete, full=full)


def _hidden(
    frames: list[pl.DataFrame],
    ledger: Ledger,
    lookups: list[tuple[str, Lookup]],
    policy: Policy,
    effort: Effort,
    before: list[Safe],
    progress: Progress,
) -> list[Safe]:
    """Protect tables that belong together, and attack the result once more."""
    pairs = list(zip(frames, ledger.sheets, strict=True))
    told = [known for frame, sheet in pairs for known in _told_of_questions(frame, sheet, ledger, policy)]
    binding: list[Safe] = [one for one in before if isinstance(one, Binding)]
    rather, surely = _places_hidden(before, ledger), _places_hidden(binding, ledger)
    names = _names_to_hide(ledger, policy, effort, rather, surely, progress, told)
    hidden = [
        {(one.values, one.column) for name in names for one in ledger.prints.get(name, ()) if one.sheet == number}
        for number in range(len(frames))
    ]
    means = [_rows_without_mean(ledger, names, policy, number) for number in range(len(frames))]
    done = [
        masked(_to_nearest(frame, sheet.shape, policy), sheet.shape, cells, policy, rows)
        for (frame, sheet), cells, rows in zip(pairs, hidden, means, strict=True)
    ]
    published = [
        linked.published_sheet(sheet.without(cells), policy) for sheet, cells in zip(ledger.sheets, hidden, strict=True)
    ]
    _attack_once_more(published, ledger, lookups, policy)
    return done


def _attack_once_more(
    published: list[Sheet], ledger: Ledger, lookups: list[tuple[str, Lookup]], policy: Policy
) -> None:
    """Raise a `DisclosureError` where a reader of the result knows more than was promised."""
    # What counts the same, and which groups are not all listed, is seen from all counts, and not from those left.
    seen = open_ledger(
        published, lookups, keys=ledger.keys, incomplete=ledger.incomplete, full=linked.has_atoms(ledger)
    )
    found = known_too_well(seen, linked.promise_of(policy))
    if found:
        raise DisclosureError(
            f"{numbered(len(found), 'hidden number')} could still be worked out, "
            f"however much is hidden: {shorten([f'{one.cell} ({one.column})' for one in found])}. "
            "The table is too small to be protected. Publish fewer group columns, or wider groups."
        )


def _told_of_questions(frame: pl.DataFrame, sheet: Sheet, ledger: Ledger, policy: Policy) -> list[dict[Name, float]]:
    """What is known of the counts of several questions from elsewhere.

    The same people answered all of them: where the pairs of one are shown, so are those of the others, and without
    groups they are those of the mean gain. Scores are right answers added up: a mean score times its pairs is how often
    any question was right, before or after, and whoever takes the shown questions from that has what is left. Rounded
    means do not tell it.
    """
    if sheet.shape.name != "item_change":
        return []
    right = [{"n_same_high": 1.0, "n_down": 1.0}, {"n_same_high": 1.0, "n_up": 1.0}]
    scored = frame["share_before"].is_not_null() if "share_before" in frame.columns else [False] * frame.height
    told: list[dict[Name, float]] = []
    for rows, is_scored in _questions_of_the_same_people(sheet, scored):
        cells = [cell for values in rows if (cell := ledger.cell(sheet, values)) is not None]
        key = ledger.key(sheet.shape, "n_pairs")
        if len({ledger.counts[cell, key] for cell in cells}) == 1:
            alike = [{(one, key): 1.0, (other, key): -1.0} for one, other in pairwise(cells)]
            of_all = len(sheet.groups) == 1 and not policy.hides(ledger.counts[cells[0], key])
            told += [{(cell, key): 1.0} for cell in cells] if of_all else alike
        if is_scored and policy.round is None:
            told += [
                {(cell, ledger.key(sheet.shape, part)): by for cell in cells for part, by in parts.items()}
                for parts in right
                if set(parts) <= set(frame.columns)
            ]
    return told


def _questions_of_the_same_people(sheet: Sheet, scored: Iterable[bool]) -> Iterable[tuple[list[Values], bool]]:
    """The rows of each group that ask of the same people, those that have a right answer apart from ratings."""
    found: dict[tuple[Values, bool], list[Values]] = {}
    for values, is_scored in zip(sheet.cells, scored, strict=True):
        if values and values[-1] != TOTAL:
            found.setdefault((values[:-1], is_scored), []).append(values)
    return [(rows, is_scored) for (_, is_scored), rows in found.items()]


def _names_to_hide(
    ledger: Ledger,
    policy: Policy,
    effort: Effort,
    preferred: set[Place],
    required: set[Place],
    progress: Progress,
    told: Sequence[Mapping[Name, float]],
) -> set[Name]:
    """The counts that are small or required, those that protect them, and all others of their rows."""
    written = write_down(ledger, linked.promise_of(policy), told)
    names, system = written.names, written.system
    if effort == "exact" and len(ledger.prints) > optimum.MOST_NUMBERS:
        raise ParameterError(
            f"{len(ledger.prints):,} counts are too many to prove that the fewest are hidden: at most "
            f'{optimum.MOST_NUMBERS:,}. Use effort="greedy", or fewer group columns.'
        )
    system = system.knowing([name in ledger.prints and policy.hides(ledger.counts[name]) for name in names])
    system = system.preferring([not preferred.isdisjoint(_places(ledger, name)) for name in names])
    beyond = [name in ledger.prints and policy.hides(_beyond_the_lead(ledger, name)) for name in names]
    surely = [one or not required.isdisjoint(_places(ledger, name)) for one, name in zip(beyond, names, strict=True)]
    start = system.free | np.array([*surely, *[False] * (len(system.free) - len(surely))], dtype=np.bool_)
    found = protect(_seen_rounded(_complete(system), policy), linked.modules_of(ledger, written), progress, start)
    if effort == "exact":
        found = optimum.fewest(_complete(system), found)
    # Behind the named numbers come those that only carry inequalities.
    hidden = {name for name, flag in zip(names, found[: len(names)], strict=True) if flag and name in ledger.prints}
    leads = {(cell, ledger.keys[name, column]) for cell, name in ledger.rows for column in SHAPES[name].counts}
    rows = {cell for cell, key in hidden if (cell, key) in leads}
    return hidden | {(cell, key) for cell, key in ledger.prints if cell in rows}


def _beyond_the_lead(ledger: Ledger, name: Name) -> float | None:
    """How many more an own count has than the first of its row: those who answered before and not after, say."""
    for one in ledger.prints[name]:
        sheet = ledger.sheets[one.sheet]
        lead = ledger.counts.get((name[0], ledger.key(sheet.shape, sheet.shape.counts[0])))
        count = ledger.counts[name]
        if one.column in sheet.shape.own and count is not None and lead is not None:
            return count - lead
    return None


def _seen_rounded(system: attacker.System, policy: Policy) -> attacker.System:
    """The system whose numbers are shown to the nearest multiple only; a zero is a zero."""
    if policy.round is None:
        return system
    down, up = linked.slack_of(policy)
    rounded = np.where(system.unit >= 0, np.floor(system.values / policy.round + 0.5) * policy.round, system.values)
    apart = (system.unit >= 0) & (system.values > 0)
    low = np.where(apart, np.maximum(rounded - down, policy.threshold), system.seen_low)
    return replace(system, seen_low=low, seen_high=np.where(apart, rounded + up, system.seen_high))


def _complete(system: attacker.System) -> attacker.System:
    """The system with a value for every number that no table prints."""
    table = attacker.consistent_table(system)
    if table is None:
        raise DisclosureError(
            "the tables contradict each other: no whole numbers add up to all of their totals. Check the totals, or "
            "suppress tables of different figures one by one."
        )
    unseen = np.isnan(system.seen_low)
    return replace(
        system,
        values=table,
        seen_low=np.where(unseen, table, system.seen_low),
        seen_high=np.where(unseen, table, system.seen_high),
    )


def _to_nearest(frame: pl.DataFrame, shape: Shape, policy: Policy) -> pl.DataFrame:
    """The table with its counts to the nearest multiple, and all that is worked out of them, if the policy says so."""
    if policy.round is None:
        return frame
    counts = [column for column in shape.all_counts if column in frame.columns]
    rounded = frame.with_columns(nearest_multiple(pl.col(column), policy.round).cast(pl.Int64) for column in counts)
    return recomputed(rounded, shape)


def _rounded(
    frames: list[pl.DataFrame], ledger: Ledger, lookups: list[tuple[str, Lookup]], policy: Policy
) -> list[Safe]:
    """Round tables that belong together so that their totals still add up."""
    written = write_down(ledger, linked.promise_of(policy))
    system = _complete(written.system)
    # Rows with a number that is known to all, and not rounded, tie nothing.
    known = (system.unit < 0) & ~system.free
    rows = np.flatnonzero(abs(system.relations)[:, np.flatnonzero(known)].sum(axis=1) == 0)
    used = ~known
    numbers = controlled_rounding(
        system.values[used], system.relations[rows][:, np.flatnonzero(used)], policy.round or 1, system.free[used]
    )
    values = dict(zip(np.flatnonzero(used).tolist(), numbers.tolist(), strict=True))
    by_name = {name: round(values[place]) for place, name in enumerate(written.names)}
    done = [_with_counts(frame, ledger, number, by_name, policy) for number, frame in enumerate(frames)]
    _attack_once_more([linked.sheet_of_safe(safe, "") for safe in done], ledger, lookups, policy)
    return done


def _with_counts(frame: pl.DataFrame, ledger: Ledger, number: int, counts: dict[Name, int], policy: Policy) -> Safe:
    """A table with other counts in the place of its own, and all that is worked out of them."""
    sheet = ledger.sheets[number]
    rounded = {
        (one.values, one.column): count
        for name, count in counts.items()
        for one in ledger.prints.get(name, ())
        if one.sheet == number
    }
    columns = [column for column in sheet.shape.all_counts if column in frame.columns]
    replaced = frame.with_columns(
        pl.Series(column, [rounded.get((values, column)) for values in sheet.cells], dtype=pl.Int64)
        for column in columns
    )
    few = _rows_without_mean(ledger, set(), policy, number)
    return masked(recomputed(replaced, sheet.shape), sheet.shape, set(), policy, few)


def _rows_without_mean(ledger: Ledger, hidden: set[Name], policy: Policy, number: int) -> set[Values]:
    """The rows of one table that must not show a mean."""
    names = hidden_means(ledger, hidden, policy.minimum_mean)
    return {one.values for name in names for one in ledger.prints.get(name, ()) if one.sheet == number}


def _places(ledger: Ledger, name: Name, without: frozenset[str] = frozenset()) -> set[Place]:
    """Where a count is printed."""
    return {
        (_place(ledger.sheets[one.sheet].groups, one.values, without), one.column)
        for one in ledger.prints.get(name, ())
    }


def _place(groups: Iterable[str], values: Values, without: frozenset[str]) -> frozenset[tuple[str, str]]:
    pairs = zip(groups, values, strict=True)
    return frozenset((group, value) for group, value in pairs if value != TOTAL and group not in without)


def _groups_of(sheets: Iterable[Sheet]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for sheet in sheets:
        for row in sheet.rows():
            for group, value in row.items():
                found.setdefault(group, set()).update({value} - {TOTAL})
    return found


def _places_hidden(safes: list[Safe], ledger: Ledger) -> set[Place]:
    """Where the tables of last period have hidden counts, as this period names the places."""
    names = {sheet.shape.name for sheet in ledger.sheets}
    sheets = [linked.sheet_of_safe(safe, "") for safe in safes if safe.shape.name in names]
    now, then = _groups_of(ledger.sheets), _groups_of(sheets)
    new = frozenset(group for group in now if group in then and now[group] and not now[group] & then[group])
    hidden = {
        (_place(sheet.groups, values, new), column)
        for sheet in sheets
        for values, counts in sheet.cells.items()
        for column, value in counts.items()
        if is_hidden(value)
    }
    return {
        place
        for name in ledger.prints
        for place, without in zip(_places(ledger, name), _places(ledger, name, new), strict=True)
        if without in hidden
    }


def _hide_few_ballots(frame: pl.DataFrame, shape: Shape, policy: Policy) -> Safe:
    """What was worked out of too few ballots hidden, and its order with it; what is of no ballots as it is."""
    if not shape.of_ballots:
        return Safe(frame.with_columns(pl.lit("").alias("mark")), policy)
    if "n_ballots" not in frame.columns:
        raise DisclosureError(
            f'this {shape.name} has no column "n_ballots", so nobody can tell whether enough people voted. '
            f"What was worked out of fewer than {policy.minimum_ballots} ballots is hidden."
        )
    groups = shape.group_columns(frame.columns)
    rows = [values_of(row) for row in frame.select(groups).rows()] if groups else [()] * frame.height
    ballots: dict[Values, int] = {}
    for row, count in zip(rows, frame["n_ballots"].fill_null(0).to_list(), strict=True):
        ballots[row] = min(count, ballots.get(row, count))
    few = groups_of_few_ballots(ballots, policy.minimum_ballots)
    hidden = [row in few for row in rows]
    names = frame.select(*groups, *(name for name in shape.names if name in frame.columns)).rows()
    # The order of a ranking is its result: hidden rows change places until they stand by name.
    places = [place for place, flag in enumerate(hidden) if flag]
    by_name = sorted(places, key=lambda place: tuple(map(str, names[place])))
    order = list(range(frame.height))
    for place, other in zip(places, by_name, strict=True):
        order[place] = other
    flags = dict.fromkeys(number_columns(frame, shape), hidden)
    return Safe(with_nulls(_in_steps(frame[order]), flags, policy), policy)


def _in_steps(frame: pl.DataFrame) -> pl.DataFrame:
    """Round how often an issue is selected to steps of one in twenty.

    Resampling supports no finer steps, and exact shares of a small board give its ballots away: they are a function of
    the ballots and of a seed that everybody knows.
    """
    steps = pl.col("^p_(selected|copeland|schulze)$") * 20
    return frame.with_columns((steps.round() / 20).round(2))


def check_adds_up(ledger: Ledger) -> None:
    """Raise a `DisclosureError` where tables disagree about a count, or a total is not the sum of its rows.

    The message names the places and no count: a small one must not stand in a message either.
    """
    wrong = [_say_disagreement(ledger, one) for one in ledger.disagreements]
    for relation in ledger.relations:
        listed = [(part, relation.key) for part in relation.parts if (part, relation.key) not in ledger.watched]
        names = [(relation.total, relation.key), *listed]
        numbers = [ledger.counts[name] for name in names]
        known = [number for number in numbers if number is not None and not is_hidden(number)]
        nested = any(node[0] == relation.along for node in relation.total)
        whole = not nested and in_one_table(ledger.prints, names)
        inside = listed and known and (known[0] < sum(known[1:]) or whole)
        less, above = ledger.reach(relation)  # rounded numbers need not add up
        off = bool(known) and not sum(known[1:]) - less <= known[0] <= sum(known[1:]) + above
        if len(known) == len(names) and off and inside and not _any_unknown(ledger, relation):
            column = next(one.column for one in ledger.prints[names[0]])
            more = "more" if known[0] > sum(known[1:]) else "less"
            wrong.append(
                f"{column} does not add up: {ledger.total_in_words(relation.total)} is {more} than its rows by "
                f"{relation.along} together. Correct the total, or leave its row out."
            )
    if wrong:
        raise DisclosureError("\n".join(dict.fromkeys(wrong)))


def _say_disagreement(ledger: Ledger, one: Disagreement) -> str:
    """Where a count stands with two values."""
    key = next(
        key for (_, column), key in ledger.keys.items() if column == one.column and (one.cell, key) in ledger.prints
    )
    if len(ledger.tables_of((one.cell, key))) == 1:
        return (
            f"{ledger.words(one.cell)}: the table gives two values of {one.column}, for a group and for a total that "
            "holds nothing else. Correct one of them, or list the groups that are missing."
        )
    return (
        f"{ledger.words(one.cell)}: two tables disagree about {one.column}. Only tables of the same figures can be "
        "protected together."
    )


def _any_unknown(ledger: Ledger, relation: Relation) -> bool:
    """Whether a row of a relation has an unknown count of any kind: a total need not contain a row without a return."""
    cells = {relation.total, *relation.parts}
    return any(value is None for (cell, _), value in ledger.counts.items() if cell in cells)
