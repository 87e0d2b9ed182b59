"""Published tables laid over one another as one system: a count that stands in several is one count.

A `Sheet` is what a reader sees of one table; a `Ledger` is what they see of several, with every total and what it is
the sum of. Sums that no table prints (the agencies of a district, where a table has a total over both alone) are cells
of the ledger too, so that every total is the sum of cells that differ from it in one dimension alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import NamedTuple

import polars as pl

from safeguarding_analytics.dimensions import (
    OTHERS,
    TOTAL_NODE,
    Dimension,
    Geography,
    Lookup,
    Node,
    geography_of,
    spoken,
    values_of,
)
from safeguarding_analytics.errors import DisclosureError
from safeguarding_analytics.shapes import Shape
from safeguarding_analytics.shares import Share, shares_of
from safeguarding_analytics.tables import TOTAL

HIDDEN = float("nan")
Cell = tuple[Node, ...]
Values = tuple[str, ...]
Key = str
"""What is counted: the same for two columns of different tables that count the same."""
Counts = dict[str, float | None]
Name = tuple[Cell, Key]
Keys = dict[tuple[str, str], Key]
"""What a column of a shape counts."""

MOST_ATOMS = 20_000
"""Innermost cells above which a full attack leaves out those that no table prints."""


def is_hidden(value: float | None) -> bool:
    """Whether a value is `HIDDEN`: neither a number nor unknown."""
    return value is not None and value != value


@dataclass(frozen=True)
class Sheet:
    """The counts of one table: by the values of its group columns a number, `HIDDEN`, or None where it is unknown.

    ``slack`` is how far a true count may be below and above a shown one (0, 0 where it is shown as it is); a shown 0 is
    exact with ``exact_zeros``. ``sums`` are
    totals of a column over all rows that are no margin, known from elsewhere in the table; ``shares`` are percentages
    that are shown beside a count that is not.
    """

    name: str
    shape: Shape
    groups: tuple[str, ...]
    cells: dict[Values, Counts]
    slack: tuple[int, int] = (0, 0)
    exact_zeros: bool = True
    sums: dict[str, float] = field(default_factory=dict)
    shares: tuple[tuple[Values, Share], ...] = ()

    def rows(self) -> Iterable[dict[str, str]]:
        """The group values of every row, by column."""
        return (dict(zip(self.groups, values, strict=True)) for values in self.cells)

    def without(self, hidden: set[tuple[Values, str]]) -> Sheet:
        """The sheet as a reader will see it once these are hidden; what was unknown stays unknown."""
        cells = {
            values: {
                column: HIDDEN if count is not None and (values, column) in hidden else count
                for column, count in counts.items()
            }
            for values, counts in self.cells.items()
        }
        # A share tells its total only in a row that is shown: comparisons with a hidden number are false.
        told = {
            column: total
            for column, total in self.sums.items()
            if any((counts[column] or 0.0) > 0 for values, counts in cells.items() if TOTAL not in values)
        }
        return replace(self, cells=cells, sums=told)


def sheet_of(
    frame: pl.DataFrame,
    name: str,
    shape: Shape,
    hiding_marks: frozenset[str] = frozenset(),
    slack: tuple[int, int] = (0, 0),
    exact_zeros: bool = True,
) -> Sheet:
    """The counts of a table as a reader sees them: what is missing is hidden where one of these marks says so."""
    groups = tuple(shape.group_columns(frame.columns))
    columns = [column for column in shape.all_counts if column in frame.columns]
    marks = frame["mark"].to_list() if "mark" in frame.columns else [""] * frame.height
    cells: dict[Values, Counts] = {}
    for row, mark in zip(frame.iter_rows(named=True), marks, strict=True):
        unseen = HIDDEN if mark in hiding_marks else None
        values = values_of(row[group] for group in groups)
        cells[values] = {column: unseen if row[column] is None else float(row[column]) for column in columns}
    sums = {} if slack != (0, 0) else _sums_behind_shares(frame, groups)
    shares = shares_of(frame, shape, groups, hiding_marks)
    return Sheet(name, shape, groups, cells, slack, exact_zeros, sums, tuple(shares))


def _sums_behind_shares(frame: pl.DataFrame, groups: tuple[str, ...]) -> dict[str, float]:
    """What all places add up to, which every row gives away that shows both its places and its share of them."""
    if "share_of_places" not in frame.columns:
        return {}
    places = "attended" if "attended" in frame.columns else "places"
    rows = frame.filter(pl.all_horizontal(pl.lit(True), *(pl.col(group).cast(pl.String) != TOTAL for group in groups)))
    if rows.height < 2:  # the share of one row alone is always all of it, and tells nothing
        return {}
    seen = rows.filter((pl.col(places) > 0) & (pl.col("share_of_places") > 0))
    sums = {round(float(taken) / share) for taken, share in seen.select(places, "share_of_places").iter_rows()}
    shown = sum(float(count) for count in rows[places].drop_nulls().to_list())
    return {places: float(min(sums))} if len(sums) == 1 and min(sums) >= shown else {}


class Relation(NamedTuple):
    """A total and what it is the sum of, for one key; its parts differ from it in one dimension alone."""

    total: Cell
    along: str
    key: Key
    parts: tuple[Cell, ...]


class Told(NamedTuple):
    """What a key adds up to over some cells, known from elsewhere in their table."""

    key: Key
    total: float
    cells: tuple[Cell, ...]


class Disagreement(NamedTuple):
    """A count that stands in two tables with two values."""

    cell: Cell
    column: str
    one: float
    other: float


class Printed(NamedTuple):
    """Where a count is printed: in which table, in which row and column of it."""

    sheet: int
    values: Values
    column: str


@dataclass(frozen=True)
class Ledger:
    """The counts of linked tables as one system, with the names a message needs.

    ``keys`` says what each column counts. ``counts`` has every number that is printed or could be, ``prints`` where it
    is printed (nowhere: an inner sum), ``slack`` how far a number is known that is shown rounded only, ``rows`` the
    shape of each row. ``relations`` are totals and what they are the sum of, ``sums`` what is told of a sum elsewhere,
    ``disagreements`` counts that stand with two values. ``watched`` are numbers that no table prints and
    nobody should know: what a total holds beyond its parts, and combinations of groups. ``incomplete`` are the columns
    of which tables do not list all groups; ``together`` as in `open_ledger`.
    """

    sheets: tuple[Sheet, ...]
    geography: Geography
    keys: Keys
    counts: dict[Name, float | None]
    prints: dict[Name, list[Printed]]
    slack: dict[Name, tuple[int, int]]
    disagreements: list[Disagreement]
    relations: list[Relation]
    sums: list[Told]
    rows: list[tuple[Cell, str]]
    watched: frozenset[Name]
    incomplete: frozenset[str]
    together: bool

    @property
    def dimensions(self) -> tuple[Dimension, ...]:
        """The dimensions of its cells."""
        return self.geography.dimensions

    def key(self, shape: Shape, column: str) -> Key:
        """What a column of a shape counts."""
        return self.keys[shape.name, column]

    def cell(self, sheet: Sheet, values: Values) -> Cell | None:
        """The cell a row of a table speaks of."""
        return self.geography.place(dict(zip(sheet.groups, values, strict=True)))

    def total_and_sum(self, relation: Relation) -> tuple[float | None, float, int]:
        """What a total says, the sum of its parts that are shown, and how many are hidden."""
        parts = [self.counts[part, relation.key] for part in relation.parts]
        shown = sum(value for value in parts if value is not None and not is_hidden(value))
        return self.counts[relation.total, relation.key], shown, sum(map(is_hidden, parts))

    def reach(self, relation: Relation) -> tuple[float, float]:
        """How far the shown parts of a relation may be below and above their sum, and the total the other way."""
        less = more = 0.0
        for part in relation.parts:
            down, up = self.slack.get((part, relation.key), (0, 0))
            less, more = less + down, more + up
        down, up = self.slack.get((relation.total, relation.key), (0, 0))
        return less + up, more + down

    def words(self, cell: Cell) -> str:
        """A cell as a message names it: the groups of which it is no total."""
        named = zip(self.dimensions, cell, strict=True)
        return in_words({node[0] or dimension.finest: node[1] for dimension, node in named if node != TOTAL_NODE})

    def total_in_words(self, cell: Cell) -> str:
        """A total as a message names it."""
        words = self.words(cell)
        return "the grand total" if words == "all" else f"the total {words}"

    def tables_of(self, name: Name) -> list[str]:
        """Names of the tables that print a number."""
        return list(dict.fromkeys(self.sheets[one.sheet].name for one in self.prints.get(name, ())))


def in_words(by_group: Mapping[str, str]) -> str:
    """A row, or a part of one, as a message names it.

    Examples
    --------
    >>> in_words({"district": "D01", "half": "H2"}), in_words({})
    ('district=D01, half=H2', 'all')
    """
    return spoken(", ".join(f"{group}={value}" for group, value in by_group.items())) or "all"


def open_ledger(
    sheets: Sequence[Sheet],
    lookups: Sequence[tuple[str, Lookup]] = (),
    *,
    keys: Keys | None = None,
    incomplete: frozenset[str] = frozenset(),
    together: bool = True,
    full: bool = False,
) -> Ledger:
    """Lay tables over one another.

    Parameters
    ----------
    sheets
        The tables as their reader sees them.
    lookups
        Which groups lie within which others, beside what the tables themselves show.
    keys
        Which columns count the same, if that is known; else they are compared.
    incomplete
        Columns of which it is known that tables do not list all groups.
    together
        Whether all tables are known to speak of the same people, so that they have a total in common even where none
        prints it and no group column is shared.
    full
        Whether every combination of groups is a cell, printed or not, so that nothing that follows from the tables is
        missed.
    """
    geography = geography_of([row for sheet in sheets for row in sheet.rows()], lookups)
    draft = _Draft(geography, keys or common_keys(sheets), incomplete, together)
    for number, sheet in enumerate(sheets):
        draft.enter(number, sheet)
    if full:
        draft.add_atoms()
    draft.add_inner_sums()
    relations = draft.relations()
    return Ledger(
        tuple(sheets),
        geography,
        draft.keys,
        draft.counts,
        draft.prints,
        draft.slack,
        draft.disagreements,
        relations,
        draft.told,
        list(draft.rows),
        frozenset(draft.watched),
        frozenset(draft.incomplete),
        together,
    )


def common_keys(sheets: Sequence[Sheet]) -> Keys:
    """What each column counts: two columns of different shapes count the same where they agree wherever they meet.

    Where they never meet, they count the same if everything they count comes to the same sum.
    """
    shown: dict[tuple[str, str], dict[frozenset[tuple[str, str]], float]] = {}
    sums: dict[tuple[str, str], set[float]] = {}
    for sheet in sheets:
        for column in (*reversed(sheet.shape.counts), *sheet.shape.parts, *sheet.shape.own):
            one = sheet.shape.name, column
            shown.setdefault(one, {}), sums.setdefault(one, set())
            inner = [counts.get(column) for values, counts in sheet.cells.items() if TOTAL not in values]
            if not any(count is None or is_hidden(count) for count in inner):
                sums[one].add(sum(count for count in inner if count is not None))
            for row, counts in zip(sheet.rows(), sheet.cells.values(), strict=True):
                value = counts.get(column)
                if value is not None and not is_hidden(value):
                    place = frozenset((group, name) for group, name in row.items() if name != TOTAL)
                    shown[one][place] = value
    keys = {column: " ".join(column) for column in shown}
    for one, values in shown.items():
        for other, others in shown.items():
            met = values.keys() & others.keys()
            joined = {column for column in shown if keys[column] in (keys[one], keys[other])}
            taken = len({shape for shape, _ in joined}) < len(joined)  # no two columns of a shape count the same
            if met:
                agree = any(values[place] > 0 for place in met) and all(values[place] == others[place] for place in met)
            else:
                agree = bool((sums[one] & sums[other]) - {0.0})
            if one[0] < other[0] and agree and not taken:
                keys |= dict.fromkeys(joined, keys[one])
    return keys


def in_one_table(prints: Mapping[Name, Sequence[Printed]], names: Iterable[Name]) -> bool:
    """Whether one table prints all of these numbers."""
    return bool(set.intersection(*({one.sheet for one in prints.get(name, ())} for name in names)))


class _Draft:
    """A ledger while tables are entered."""

    def __init__(self, geography: Geography, keys: Keys, incomplete: frozenset[str], together: bool) -> None:
        self.geography, self.dimensions, self.together = geography, geography.dimensions, together
        self.keys, self.incomplete = keys, set(incomplete)
        self.counts: dict[Name, float | None] = {}
        self.prints: dict[Name, list[Printed]] = {}
        self.slack: dict[Name, tuple[int, int]] = {}
        self.disagreements: list[Disagreement] = []
        self.told: list[Told] = []
        self.rows: dict[tuple[Cell, str], None] = {}
        self.watched: set[Name] = set()
        self.holders: dict[tuple[int, str, Node], Node | None] = {}

    def enter(self, number: int, sheet: Sheet) -> None:
        """Enter a table, count by count."""
        inner: list[Cell] = []
        for values, counts in sheet.cells.items():
            row = dict(zip(sheet.groups, values, strict=True))
            cell = self.geography.place(row)
            if cell is None:
                if any(counts.values()):
                    raise DisclosureError(
                        f"{in_words(row)}: what lies within these groups says that they have nothing in common. "
                        "Correct the row or the lookup."
                    )
                continue
            self.rows[cell, sheet.shape.name] = None
            if TOTAL not in values:
                inner.append(cell)
            for column, value in counts.items():
                name = cell, self.keys[sheet.shape.name, column]
                self.prints.setdefault(name, []).append(Printed(number, values, column))
                self._enter(name, column, value, (0, 0) if value == 0 and sheet.exact_zeros else sheet.slack)
        self.told += [Told(self.keys[sheet.shape.name, key], total, tuple(inner)) for key, total in sheet.sums.items()]

    def _enter(self, name: Name, column: str, value: float | None, slack: tuple[int, int]) -> None:
        """Enter a count: of several prints the one that tells most."""
        before = self.counts.get(name)
        if before is None or value is None or is_hidden(before) or is_hidden(value):
            known = [one for one in (before, value) if one is not None]
            self.counts[name] = min(known, key=is_hidden) if known else None
            if value is not None and self.counts[name] == value:
                self._loosen(name, slack)
            return
        down, up = self.slack.get(name, (0, 0))
        if before - down > value + slack[1] or value - slack[0] > before + up:
            self.disagreements.append(Disagreement(name[0], column, before, value))
        elif sum(slack) < down + up:
            self.counts[name] = value
            self._loosen(name, slack)

    def _loosen(self, name: Name, slack: tuple[int, int]) -> None:
        self.slack.pop(name, None)
        if slack != (0, 0):
            self.slack[name] = slack

    def add_atoms(self) -> None:
        """Make every combination of the finest groups a cell: what no table prints is a sum of such cells too."""
        leaves = [
            dimension.atoms({cell[position] for cell, _ in self.counts}, dimension.finest in self.incomplete)
            for position, dimension in enumerate(self.dimensions)
        ]
        for key in sorted({key for _, key in self.counts}):
            for cell in product(*leaves):
                self._watch(cell, key)

    def add_inner_sums(self) -> None:
        """Make sums that no table prints cells, wherever tables speak of the same only by such a sum.

        That is where a total and its parts differ in several dimensions, and where two kinds of rows have no total.
        """
        levels: dict[Key, dict[tuple[str, ...], list[Cell]]] = {}
        for (cell, key), value in self.counts.items():
            if value is not None:
                levels.setdefault(key, {}).setdefault(self._level(cell), []).append(cell)
        for key, by_level in levels.items():
            self._add_common_totals(key, by_level)
            for coarse, fine in self._far_apart(list(by_level)):
                for cell in by_level[fine]:
                    for inner in self._between(coarse, cell):
                        self.counts.setdefault((inner, key), HIDDEN)

    def _add_common_totals(self, key: Key, by_level: dict[tuple[str, ...], list[Cell]]) -> None:
        """Make cells of the totals that two kinds of rows have in common."""
        tables = {
            level: {one.sheet for cell in cells for one in self.prints.get((cell, key), ())}
            for level, cells in by_level.items()
        }
        for one, other in combinations(tables, 2):
            pairs = zip(self.dimensions, one, other, strict=True)
            common = tuple(dimension.common_column(*columns) for dimension, *columns in pairs)
            related = self.together or any(common) or tables[one] & tables[other]
            if related and common not in by_level:
                paths = [[cell, *self._between(common, cell)] for level in (one, other) for cell in by_level[level]]
                by_level[common] = sorted({path[-1] for path in paths if self._level(path[-1]) == common})
                for cell in by_level[common]:
                    self.counts.setdefault((cell, key), HIDDEN)

    def _level(self, cell: Cell) -> tuple[str, ...]:
        """The column in which a cell stands, by dimension."""
        return tuple(node[0] or self._finest_of(place, node) for place, node in enumerate(cell))

    def _finest_of(self, position: int, node: Node) -> str:
        return "" if node == TOTAL_NODE else self.dimensions[position].finest

    def _far_apart(self, levels: list[tuple[str, ...]]) -> Iterable[tuple[tuple[str, ...], tuple[str, ...]]]:
        """Pairs of levels, one within the other in several dimensions, with no level between them that has cells."""
        orders = [("", *reversed(dimension.columns)) for dimension in self.dimensions]

        def holds(coarse: tuple[str, ...], fine: tuple[str, ...]) -> bool:
            places = zip(orders, coarse, fine, strict=True)
            return coarse != fine and all(order.index(one) <= order.index(other) for order, one, other in places)

        for coarse in levels:
            inside = [fine for fine in levels if holds(coarse, fine)]
            for fine in inside:
                differing = sum(one != other for one, other in zip(coarse, fine, strict=True))
                if differing > 1 and not any(holds(other, fine) for other in inside):
                    yield coarse, fine

    def _between(self, coarse: tuple[str, ...], cell: Cell) -> Iterable[Cell]:
        """The cells on the way from a cell to a coarser level, one dimension at a time from the last one on."""
        nodes = list(cell)
        for position in reversed(range(len(cell))):
            column = coarse[position]
            if column == (nodes[position][0] or self._finest_of(position, nodes[position])):
                continue
            asked = position, column, nodes[position]
            if asked not in self.holders:  # many cells share it
                self.holders[asked] = self.dimensions[position].holder(column, nodes[position])
            holding = self.holders[asked]
            if holding is None:
                return
            nodes[position] = holding
            yield tuple(nodes)

    def relations(self) -> list[Relation]:
        """Every total and what it is the sum of. What a total holds beyond the parts that are listed is a cell too."""
        size, found = -1, list[Relation]()
        while size < len(self.counts) + len(self.incomplete):
            size = len(self.counts) + len(self.incomplete)
            found = [
                relation
                for position, dimension in enumerate(self.dimensions)
                for key, family in self._families(position)
                for relation in self._sums_in(dimension, position, key, family)
            ]
            self._compare(found)
        # Inner totals first, so that what holds of them is known when the outer ones are looked at.
        return sorted(found, key=lambda one: sum(node == TOTAL_NODE for node in one.total))

    def _compare(self, relations: list[Relation]) -> None:
        """A sum that no table prints is the largest of what it is said to be: the others do not list all groups."""
        sums: dict[Name, dict[str, float]] = {}
        for relation in relations:
            parts = [self.counts[part, relation.key] for part in relation.parts]
            shown = [part for part in parts if part is not None and not is_hidden(part)]
            if (relation.total, relation.key) not in self.prints and len(shown) == len(parts):
                sums.setdefault((relation.total, relation.key), {})[relation.along] = sum(shown)
        for by_column in sums.values():
            self.incomplete |= {column for column, sum_ in by_column.items() if sum_ < max(by_column.values())}

    def _families(self, position: int) -> Iterable[tuple[Key, dict[Node, Cell]]]:
        """Cells that are the same in all dimensions but one, by their node in that."""
        families: dict[tuple[Cell, Key], dict[Node, Cell]] = {}
        for cell, key in sorted(self.counts):
            families.setdefault((cell[:position] + cell[position + 1 :], key), {})[cell[position]] = cell
        return [(key, family) for (_, key), family in families.items() if len(family) > 1]

    def _sums_in(self, dimension: Dimension, position: int, key: Key, family: dict[Node, Cell]) -> Iterable[Relation]:
        """The relations of one family: each node is the sum of those of every finer column within it."""
        for node, cell in family.items():
            summed: list[Node] = []
            for column, inner in self._inside(dimension, node, family):
                # Districts need not be added up to the county where its areas are and hold them all.
                follows = summed and all(any(dimension.holds(part, other) for part in summed) for other in inner)
                if follows and column not in self.incomplete:
                    continue
                parts = [family[other] for other in inner]
                rest = self._rest(dimension, position, column, key, (cell, *parts))
                if rest is None:
                    summed = inner
                else:
                    left = self._watch((*cell[:position], rest, *cell[position + 1 :]), key)
                    parts += [left] if left not in parts else []
                yield Relation(cell, column, key, tuple(parts))

    def _inside(self, dimension: Dimension, node: Node, family: Iterable[Node]) -> Iterable[tuple[str, list[Node]]]:
        """The nodes that a node may be the sum of: by column, and none of them twice."""
        for column in dimension.finer_than(node):
            inner = [other for other in family if other[0] == column and dimension.holds(node, other)]
            leaves = [leaf for other in inner for leaf in dimension.leaves(other)]
            if inner and len(set(leaves)) == len(leaves):
                yield column, inner
        for other in dimension.nested_in(node, family):
            yield other[0], [other]

    def _watch(self, cell: Cell, key: Key) -> Cell:
        """Make a number that no table prints one that nobody should know."""
        self.counts.setdefault((cell, key), HIDDEN)
        if (cell, key) not in self.prints:
            self.watched.add((cell, key))
        return cell

    def _rest(self, dimension: Dimension, position: int, column: str, key: Key, cells: tuple[Cell, ...]) -> Node | None:
        """The node of what a total (the first cell) holds beyond the others, where it may hold more."""
        node, listed = cells[0][position], {leaf for cell in cells[1:] for leaf in dimension.leaves(cell[position])}
        left = dimension.leaves(node) - listed if node != TOTAL_NODE else frozenset()
        if column == node[0]:  # the year to date holds more quarters than the one before
            return dimension.named(left)
        exceeds = self._exceeds([(cell, key) for cell in cells])
        if left and (exceeds or left - self._listed_within(node, position, column)):
            return dimension.named(left)
        across = not in_one_table(self.prints, [(cell, key) for cell in cells])
        if exceeds and across:
            self.incomplete.add(column)
        return (column, OTHERS) if exceeds or (across and column in self.incomplete) else None

    def _exceeds(self, names: list[Name]) -> bool:
        """Whether the first number is shown to be more than the sum of the others."""
        numbers = [self.counts[name] for name in names]
        shown = [number for number in numbers if number is not None and not is_hidden(number)]
        if len(shown) < len(names) or any(name in self.slack for name in names):
            return False
        return shown[0] > sum(shown[1:])

    def _listed_within(self, outer: Node, position: int, column: str) -> frozenset[str]:
        """The finest groups within the groups of a column that tables list and that lie within a node."""
        dimension = self.dimensions[position]
        nodes = {cell[position] for cell, _ in self.prints if cell[position][0] == column}
        inner = [node for node in nodes if dimension.holds(outer, node)]
        return frozenset(leaf for node in inner for leaf in dimension.leaves(node))
