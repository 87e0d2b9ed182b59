"""A reader of published tables who tries all whole numbers: the attacker of the tests, independent of the library.

The reader lays all tables over one another as one block of counts, whose every line adds up, and knows

- every shown number, or the range that it was rounded from;
- that counts are whole and never negative, and how the counts of one row hang together (`RULES`);
- that a group which a table does not list, though it lists others of its kind, counts nothing;
- where zeros are shown: that counts which are hidden together are not all 0;
- which districts lie in which area;
- what all places add up to, from any row that shows its places and its share of them.

Whether a hidden number can have a value is settled by search: numbers are fixed one after the other until a whole block
is found, or all have been tried.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from math import ceil, floor
from typing import Literal, NamedTuple, Protocol

import polars as pl

TOTAL = "Total"
TEXTS = ("mark", "verdict")
"""Text columns that name no group."""

MOST_STEPS = 200_000
"""Numbers fixed before a search is given up with an error; no test comes near it."""


class Policy(Protocol):
    """What is public of a policy."""

    threshold: int
    zeros: Literal["shown", "hidden"]
    protect: Literal["symbol", "point"]
    round: int | None


@dataclass(frozen=True)
class Rules:
    """What everybody knows of the counts of one row: which are hidden together, and how they hang together."""

    together: tuple[tuple[str, ...], ...]
    never_negative: tuple[dict[str, int], ...] = ()
    always_nothing: tuple[dict[str, int], ...] = ()

    @property
    def columns(self) -> list[str]:
        """All counts."""
        return [column for columns in self.together for column in columns]


RULES = {
    "registered": Rules(
        (("registered", "attended", "walk_ins", "did_not_attend", "cancelled"),),
        ({"attended": 1, "walk_ins": -1},),
        ({"registered": 1, "walk_ins": 1, "attended": -1, "did_not_attend": -1, "cancelled": -1},),
    ),
    "n_pairs": Rules(
        (("n_pairs",), ("n_up", "n_same", "n_down"), ("n_pre",), ("n_post",)),
        ({"n_pre": 1, "n_pairs": -1}, {"n_post": 1, "n_pairs": -1}),
        ({"n_pairs": 1, "n_up": -1, "n_same": -1, "n_down": -1},),
    ),
    "denominator": Rules((("numerator", "denominator"),), ({"denominator": 1, "numerator": -1},)),
    "count": Rules((("count",),)),
}
"""The rules of a shape, by a column that only this shape has."""


def rules_of(frame: pl.DataFrame) -> Rules:
    return next(rules for column, rules in RULES.items() if column in frame.columns)


def groups_of(frame: pl.DataFrame) -> list[str]:
    return [name for name, kind in frame.schema.items() if kind == pl.String and name not in TEXTS]


class Sum(NamedTuple):
    """A sum of numbers, each with its factor, that lies between two ends."""

    terms: tuple[tuple[int, int], ...]
    low: float
    high: float


Ranges = tuple[list[int], list[int]]
"""The smallest and the largest value that each number can have."""


class Search:
    """All ways to fill in whole numbers within ranges, so that some sums come out."""

    def __init__(self, low: Sequence[int], high: Sequence[int], sums: Sequence[Sum]) -> None:
        self.sums = sums
        self.touching: list[list[int]] = [[] for _ in low]
        for place, one in enumerate(sums):
            for number, _ in one.terms:
                self.touching[number].append(place)
        self.root = self._narrowed((list(low), list(high)), range(len(sums)))
        self.steps = 0

    def first(self, number: int | None = None, value: int = 0) -> list[int] | None:
        """The first way found, with one number given if so asked; None where there is none."""
        if self.root is None:
            return None
        self.steps = 0
        start: Ranges | None = self.root if number is None else self._with(self.root, number, value)
        return None if start is None else self._filled(start)

    def _filled(self, ranges: Ranges) -> list[int] | None:
        low, high = ranges
        open_ones = [number for number in range(len(low)) if low[number] < high[number]]
        if not open_ones:
            return low
        number = min(open_ones, key=lambda one: high[one] - low[one])
        for value in range(low[number], high[number] + 1):
            self.steps += 1
            if self.steps > MOST_STEPS:
                raise RuntimeError(f"no answer after {MOST_STEPS:,} steps: the tables are too large for this reader.")
            narrower = self._with(ranges, number, value)
            found = None if narrower is None else self._filled(narrower)
            if found is not None:
                return found
        return None

    def _with(self, ranges: Ranges, number: int, value: int) -> Ranges | None:
        """The ranges that are left once a number is known; None where nothing is left for another."""
        low, high = list(ranges[0]), list(ranges[1])
        if not low[number] <= value <= high[number]:
            return None
        low[number] = high[number] = value
        return self._narrowed((low, high), self.touching[number])

    def _narrowed(self, ranges: Ranges, places: Iterable[int]) -> Ranges | None:
        """Narrow ranges, in place, by what each sum leaves for each of its numbers, until nothing changes."""
        low, high = ranges
        waiting = dict.fromkeys(places)
        while waiting:
            place = next(iter(waiting))
            del waiting[place]
            terms, least, most = self.sums[place]
            smallest = sum(factor * (low if factor > 0 else high)[number] for number, factor in terms)
            largest = sum(factor * (high if factor > 0 else low)[number] for number, factor in terms)
            if smallest > most or largest < least:
                return None
            if smallest >= least and largest <= most:
                continue
            for number, factor in terms:
                ends = factor * low[number], factor * high[number]
                above, below = most - smallest + min(ends), least - largest + max(ends)
                up, down = (above / factor, below / factor) if factor > 0 else (below / factor, above / factor)
                new_low, new_high = low[number], high[number]
                if down > new_low:
                    new_low = ceil(down)
                if up < new_high:
                    new_high = floor(up)
                if new_low > new_high:
                    return None
                if (new_low, new_high) != (low[number], high[number]):
                    low[number], high[number] = new_low, new_high
                    waiting |= dict.fromkeys(self.touching[number])
        return ranges


Part = str | tuple[str, str]
"""A value of a column, `TOTAL`, or a column with a value that holds several, such as ("area", "north")."""
Cell = tuple[Part, ...]


@dataclass(frozen=True)
class Side:
    """One side of the block of counts: a group column, and what its values lie in."""

    column: str
    parts: dict[Part, tuple[str, ...]]
    """Every part of the side with the values that it holds; a value holds itself."""

    def place(self, row: dict[str, str]) -> Part | None:
        """Where a row stands: at its value, else at what holds it, else at the total; None where it cannot be."""
        holders = [part for part in self.parts if isinstance(part, tuple) and row.get(part[0]) == part[1]]
        value = row.get(self.column, TOTAL)
        if value != TOTAL:
            return value if all(value in self.parts[holder] for holder in holders) else None
        return holders[0] if holders else TOTAL


def sides_of(frames: Sequence[pl.DataFrame], within: Sequence[pl.DataFrame]) -> list[Side]:
    """The sides of the smallest block in which all tables have their place."""
    seen: dict[str, dict[str, None]] = {}
    for frame in frames:
        for column in groups_of(frame):
            seen.setdefault(column, {}).update(dict.fromkeys(frame[column].to_list()))
    lying: dict[str, dict[Part, tuple[str, ...]]] = {}
    for lookup in within:
        column, *holders = lookup.columns
        for holder in holders:
            for name in sorted(set(lookup[holder].to_list())):
                values = lookup.filter(pl.col(holder) == name)[column].unique().sort().to_list()
                lying.setdefault(column, {})[holder, name] = tuple(values)
                seen.setdefault(column, {}).update(dict.fromkeys(values))
            seen.pop(holder, None)
    sides = []
    for column, values in seen.items():
        inner = tuple(value for value in values if value != TOTAL)
        if not inner:  # a column of nothing but totals tells no rows apart
            continue
        sides.append(Side(column, {value: (value,) for value in inner} | lying.get(column, {}) | {TOTAL: inner}))
    return sides


@dataclass
class Reader:
    """A reader of published tables of one shape and topic, of which null counts are hidden.

    ``within`` are lookups: a column of values, then columns of what they lie in.
    """

    frames: Sequence[pl.DataFrame]
    policy: Policy
    within: Sequence[pl.DataFrame] = ()
    hidden: dict[int, tuple[int, int, str]] = field(default_factory=dict, init=False)
    """By number: the first table it is hidden in, its row there, and its column."""

    def __post_init__(self) -> None:
        self.rules = rules_of(self.frames[0])
        self.sides = sides_of(self.frames, self.within)
        cells = list(product(*(side.parts for side in self.sides)))
        names = [(cell, column) for cell in cells for column in self.rules.columns]
        self.index = {name: number for number, name in enumerate(names)}
        self.low, self.high = [0] * len(names), [self._most()] * len(names)
        self.sums = [*self._lines(), *self._within_rows(cells)]
        for place, frame in enumerate(self.frames):
            self._read(place, frame)
        self.search = Search(self.low, self.high, self.sums)
        self.known: dict[int, set[int]] = {number: set() for number in self.hidden}

    def _most(self) -> int:
        """A value that no number needs to exceed; were it too small, the reader would see leaks that are none."""
        columns = [(frame, column) for frame in self.frames for column in self.rules.columns if column in frame.columns]
        shown = sum(frame[column].sum() for frame, column in columns)
        return int(shown) + 4 * self.policy.threshold + 10 * (self.policy.round or 1)

    def _lines(self) -> Iterator[Sum]:
        """Every part that holds several values is their sum, whatever the other sides say."""
        for place, side in enumerate(self.sides):
            others = [one.parts for one in self.sides if one is not side]
            for rest in product(*others):
                for part, values in side.parts.items():
                    if part in values:
                        continue
                    line = [(*rest[:place], one, *rest[place:]) for one in (part, *values)]
                    for column in self.rules.columns:
                        whole, *pieces = (self.index[cell, column] for cell in line)
                        yield Sum(((whole, 1), *((piece, -1) for piece in pieces)), 0, 0)

    def _within_rows(self, cells: list[Cell]) -> Iterator[Sum]:
        for rules, most in ((self.rules.never_negative, float("inf")), (self.rules.always_nothing, 0.0)):
            for rule in rules:
                for cell in cells:
                    yield Sum(tuple((self.index[cell, column], factor) for column, factor in rule.items()), 0, most)

    def place(self, row: dict[str, str]) -> Cell | None:
        parts = [side.place(row) for side in self.sides]
        return None if None in parts else tuple(parts)

    def _read(self, place: int, frame: pl.DataFrame) -> None:
        groups = groups_of(frame)
        for number, row in enumerate(frame.iter_rows(named=True)):
            for columns in self.rules.together:
                present = [column for column in columns if column in frame.columns]
                self._read_together({column: row[column] for column in present}, self.place(row), place, number)
        for names in not_listed(frame.select(groups).rows()) if groups else ():
            cell = self.place(dict(zip(groups, names, strict=True)))
            for column in self.rules.columns if cell else ():
                self._narrow(self.index[cell, column], 0, 0)
        if (told := self.told_by_shares()) is not None and "share_of_places" in frame.columns:
            self._narrow(told, *sum_behind_shares(frame))

    def _read_together(self, counts: dict[str, int | None], cell: Cell, place: int, row: int) -> None:
        for column, count in counts.items():
            if count is None:
                self.hidden.setdefault(self.index[cell, column], (place, row, column))
            else:
                self._narrow(self.index[cell, column], *self._range_behind(count))
        if self.policy.zeros == "shown" and counts and all(count is None for count in counts.values()):
            self.sums.append(Sum(tuple((self.index[cell, column], 1) for column in counts), 1, float("inf")))

    def told_by_shares(self) -> int | None:
        """The number that the shares of places give away, if a table has them."""
        has_shares = any("share_of_places" in frame.columns for frame in self.frames)
        return self.index[(TOTAL,) * len(self.sides), "attended"] if has_shares else None

    def _range_behind(self, shown: int) -> tuple[int, int]:
        """What a shown number may have been before it was rounded; small ones would be hidden."""
        reach = (self.policy.round or 0) // 2
        fits = [count for count in range(shown - reach, shown + reach + 1) if count >= 0 and not self.is_small(count)]
        return min(fits), max(fits)

    def is_small(self, count: int) -> bool:
        return (1 if self.policy.zeros == "shown" else 0) <= count < self.policy.threshold

    def _narrow(self, number: int, low: int, high: float) -> None:
        self.low[number] = max(self.low[number], low)
        self.high[number] = int(min(self.high[number], high))

    def can_be(self, number: int, value: int) -> bool:
        """Whether some block of whole numbers agrees with all that is published and has this value."""
        if value not in self.known[number]:
            found = self.search.first(number, value)
            for one in self.hidden if found else ():
                self.known[one].add(found[one])
        return value in self.known[number]

    def values(self, number: int, most: int | None = None) -> list[int]:
        """All values that a hidden number can have, or the first of them."""
        if self.search.root is None:
            return []
        low, high = self.search.root
        found: list[int] = []
        for value in range(low[number], high[number] + 1):
            if self.can_be(number, value):
                found.append(value)
            if len(found) == most:
                break
        return found

    def is_two(self, number: int) -> bool:
        """Whether a hidden number can have two values at least."""
        return len(self.known[number]) > 1 or len(self.values(number, most=2)) > 1


def not_listed(rows: Iterable[tuple[str, ...]]) -> Iterator[tuple[str, ...]]:
    """Combinations of group values that do not stand among rows, though others with the same totals do."""
    kinds: dict[tuple[bool, ...], set[tuple[str, ...]]] = {}
    for row in rows:
        kinds.setdefault(tuple(value == TOTAL for value in row), set()).add(row)
    listed = set().union(*kinds.values()) if kinds else set()
    values = [sorted(set(column) - {TOTAL}) for column in zip(*listed, strict=True)]
    for kind, same in kinds.items():
        every = product(*([TOTAL] if total else column for total, column in zip(kind, values, strict=True)))
        yield from (row for row in every if row not in same)


def sum_behind_shares(frame: pl.DataFrame) -> tuple[int, float]:
    """What all places add up to: every whole number that gives the shares as they are printed."""
    shown = frame.filter((pl.col("attended") > 0) & (pl.col("share_of_places") > 0))
    pairs = shown.select("attended", "share_of_places").rows()
    decimals = max([2, *(len(repr(share).partition(".")[2]) for _, share in pairs)])
    reach = 0.5 * 10.0**-decimals + 1e-12
    low, high = 0, float("inf")
    for attended, share in pairs:
        low = max(low, ceil(attended / (share + reach)))
        high = min(high, floor(attended / (share - reach)) if share > reach else float("inf"))
    return low, high


def without_all_but(table: pl.DataFrame, zeros_shown: bool) -> pl.DataFrame:
    """A table with all its counts hidden, but (where zeros are shown) those whose likes in the row are 0 as well."""
    kept = {}
    for columns in rules_of(table).together:
        present = [column for column in columns if column in table.columns]
        nothing = pl.all_horizontal(pl.lit(zeros_shown), *(pl.col(column) == 0 for column in present))
        kept |= {column: pl.when(nothing).then(pl.col(column)) for column in present}
    return table.with_columns(**kept).drop("share_of_places", strict=False)


def broken_promises(
    tables: Sequence[pl.DataFrame],
    published: Sequence[pl.DataFrame],
    policy: Policy,
    within: Sequence[pl.DataFrame] = (),
) -> list[str]:
    """A line for every hidden number of which the reader knows more than was promised; rows stand as in the tables.

    A small number is promised every value from 1 (from 0, where zeros are hidden) to below the threshold; two values
    only, where the policy protects to the point. A total of several hidden ones cannot be 1 whoever looks at it: it is
    promised the values from the smallest that is left to a reader of nothing but the zeros. All other hidden numbers
    are promised two values; nothing is promised of a 0 where zeros are shown, nor of a large sum that the shares of
    places give away.
    """
    reader = Reader(published, policy, within)
    if reader.search.first() is None:
        return ["no whole numbers agree with what is published"]
    least = 1 if policy.zeros == "shown" else 0
    blind = Reader([without_all_but(table, least == 1) for table in tables], policy, within)
    told = reader.told_by_shares()
    broken = []
    for number, (place, row, column) in reader.hidden.items():
        true = tables[place][column][row]
        if true < least or (number == told and not reader.is_small(true)):
            continue
        kept = reader.is_two(number)
        if reader.is_small(true) and policy.protect == "symbol":
            first = max(least, blind.values(number, most=1)[0])
            kept = all(reader.can_be(number, one) for one in range(first, max(policy.threshold, first + 2)))
        if not kept:
            cell = ", ".join(f"{group}={tables[place][group][row]}" for group in groups_of(tables[place]))
            broken.append(f"table {place + 1}, {cell or 'all'}: {column} can only be {reader.values(number, most=9)}")
    return broken
