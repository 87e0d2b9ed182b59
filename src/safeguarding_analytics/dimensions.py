"""Groups that lie within other groups: districts in areas, quarters in years, and areas that overlap.

Group columns of which one lies within the other are one `Dimension`. A `Node` is a group of a dimension: its column and
its value; `TOTAL_NODE` is all of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

import polars as pl

from safeguarding_analytics.errors import ParameterError, nearest, shorten
from safeguarding_analytics.tables import TOTAL

Node = tuple[str, str]
TOTAL_NODE: Node = ("", TOTAL)
OTHERS = "all others"
"""The value of a group that no table lists."""

NOT_STATED = "\uffff"
"""The value of a group that is null: what Unicode keeps free of any character, so that no text is it."""

Lookup = dict[str, dict[str, frozenset[str]]]
"""For every column that holds others: the values of the finest column that lie within each of its values."""


@dataclass(frozen=True)
class Dimension:
    """A finest group column and those it lies within."""

    finest: str
    lookup: Lookup

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns, the finest first, then from few values within to many."""
        return (self.finest, *self.lookup)

    def leaves(self, node: Node) -> frozenset[str]:
        """The values of the finest column that lie within a node; of the whole dimension they are not known."""
        column, value = node
        if column == self.finest:
            return frozenset({value})
        if column in self.lookup:
            return self.lookup[column].get(value, frozenset({f"{column} {value}"}))
        return frozenset(value.split(" + "))

    def holds(self, outer: Node, inner: Node) -> bool:
        """Whether a node lies within another one."""
        return outer == TOTAL_NODE or (inner != TOTAL_NODE and self.leaves(inner) <= self.leaves(outer))

    def holder(self, column: str, node: Node) -> Node | None:
        """The first node of a coarser column, or of none for the whole, that a node lies within."""
        outer = [(column, value) for value in self.lookup.get(column, ())] if column else [TOTAL_NODE]
        return next((each for each in outer if self.holds(each, node)), None)

    def finer_than(self, node: Node) -> tuple[str, ...]:
        """The columns of whose nodes a node can be the sum, the coarsest first."""
        if node[0]:
            return self.columns[: self.columns.index(node[0])][::-1]
        return self.columns[::-1] if node == TOTAL_NODE else (self.finest,)

    def nested_in(self, node: Node, others: Iterable[Node]) -> list[Node]:
        """The nodes of the same column within a node, such as earlier running totals.

        All of them and not the largest alone: where those between are hidden, the difference of two that are shown is
        known all the same.
        """
        if node[0] not in self.lookup:
            return []
        own = self.leaves(node)
        return [other for other in others if other[0] == node[0] and self.leaves(other) < own]

    def common_column(self, one: str, other: str) -> str:
        """The column of totals that two columns have in common; "" is the total of all."""
        if one == other:
            return one
        inner, outer = sorted(
            (one, other), key=lambda column: self.columns.index(column) if column else len(self.columns)
        )
        holding = outer and all(
            any(self.holds((outer, value), (inner, leaf)) for value in self.lookup[outer])
            for leaf in self._values(inner)
        )
        return outer if holding else ""

    def _values(self, column: str) -> Iterable[str]:
        """The known values of a column."""
        if column in self.lookup:
            return self.lookup[column]
        return frozenset(leaf for sets in self.lookup.values() for inner in sets.values() for leaf in inner)

    def atoms(self, nodes: Iterable[Node], incomplete: bool) -> list[Node]:
        """The innermost nodes within some nodes; of the whole where there are no others."""
        leaves = {leaf for node in nodes if node != TOTAL_NODE for leaf in self.leaves(node)}
        finest = [(self.finest, leaf) for leaf in sorted(leaves | ({OTHERS} if incomplete else set()))]
        return finest or [TOTAL_NODE]

    def node_of(self, values: Mapping[str, str]) -> Node | None:
        """The node a row speaks of, by its values in these columns; None where they have nothing in common."""
        given = [(column, values[column]) for column in self.columns if values.get(column, TOTAL) != TOTAL]
        if len(given) < 2:
            return given[0] if given else TOTAL_NODE
        within = frozenset.intersection(*(self.leaves(node) for node in given))
        if not within:
            return None
        return next((node for node in given if self.leaves(node) == within), self.named(within))

    def named(self, leaves: Iterable[str]) -> Node:
        """The node of some values of the finest column: the values themselves, where there are several."""
        several = sorted(leaves)
        return (self.finest, several[0]) if len(several) == 1 else ("", " + ".join(several))


def values_of(row: Iterable[object]) -> tuple[str, ...]:
    """The group values of a row as they are compared across tables.

    Examples
    --------
    >>> values_of(["D01", 2025, None]) == ("D01", "2025", NOT_STATED)
    True
    """
    return tuple(NOT_STATED if value is None else str(value) for value in row)


def spoken(words: str) -> str:
    """Words as a message says them: a group that is null is "not stated".

    Examples
    --------
    >>> spoken(f"district={NOT_STATED}")
    'district=not stated'
    """
    return words.replace(NOT_STATED, "not stated")


def read_lookups(within: pl.DataFrame | Sequence[pl.DataFrame] | None) -> list[tuple[str, Lookup]]:
    """Lookups as they are given: the first column lies within each of the others. None is no lookup.

    Raises
    ------
    ParameterError
        When a lookup has fewer than two columns, a missing value, or a total in it.
    """
    frames = [within] if isinstance(within, pl.DataFrame) else list(within or ())
    found = []
    for frame in frames:
        if not isinstance(frame, pl.DataFrame) or frame.width < 2:
            raise ParameterError(
                "within must be frames of two columns or more: a group column, such as district, and what it lies in, "
                "such as area."
            )
        rows = [values_of(row) for row in frame.rows()]
        texts = pl.DataFrame(rows, schema=dict.fromkeys(frame.columns, pl.String), orient="row")
        missing = [name for name in texts.columns if texts[name].is_in([NOT_STATED, TOTAL]).any()]
        if missing:
            raise ParameterError(
                f'within: {shorten(missing)} has rows without a value, or with "{TOTAL}". Leave them out.'
            )
        finest, *outer = texts.columns
        found.append((finest, {column: _within(texts, finest, column) for column in outer}))
    return found


def fitted(lookups: pl.DataFrame | Sequence[pl.DataFrame] | None, tables: Iterable[pl.DataFrame]) -> list[pl.DataFrame]:
    """Lookups of one release as they fit the tables of others: groups they do not know lie in something of their own.

    Columns that no table has are left out.

    Parameters
    ----------
    lookups
        As `read_lookups` takes them.
    tables
        Tables whose groups the lookups need not know.

    Examples
    --------
    >>> known = pl.DataFrame({"district": ["D01"], "area": ["East"], "region": ["South"]})
    >>> tables = [pl.DataFrame({"district": ["D01", "D02"], "count": [9, 8]}), pl.DataFrame({"area": ["East"]})]
    >>> fitted(known, tables)[0].rows()
    [('D01', 'East'), ('D02', 'area of D02')]
    """
    frames = [lookups] if isinstance(lookups, pl.DataFrame) else list(lookups or ())
    every = list(tables)
    found = []
    for frame in frames:
        texts = frame.cast(pl.String)
        there = [name for name in texts.columns if any(name in table.columns for table in every)]
        texts = texts.select(texts.columns[0], *(name for name in texts.columns[1:] if name in there)).unique()
        finest, *outer = texts.columns
        if not outer:
            continue
        more = [
            (value, *(f"{column} of {value}" for column in outer)) for value in _unknown(every, finest, texts[finest])
        ]
        for column in outer:
            more += [
                (f"{finest} of {value}", *(value if other == column else f"{other} of {value}" for other in outer))
                for value in _unknown(every, column, texts[column])
            ]
        added = pl.DataFrame(more, schema=texts.schema, orient="row")
        found.append(pl.concat([texts, added]).sort(pl.all()))
    return found


def _unknown(tables: Sequence[pl.DataFrame], column: str, known: pl.Series) -> list[str]:
    """Values of a column of tables that are not known."""
    values = {str(value) for table in tables if column in table.columns for value in table[column].unique().to_list()}
    return sorted(values - {TOTAL, "None", *known.drop_nulls().to_list()})


def _within(texts: pl.DataFrame, finest: str, column: str) -> dict[str, frozenset[str]]:
    sets: dict[str, set[str]] = {}
    for inner, outer in texts.select(finest, column).iter_rows():
        sets.setdefault(outer, set()).add(inner)
    return {outer: frozenset(inner) for outer, inner in sorted(sets.items())}


def check_lookups(rows: Sequence[Mapping[str, str]], lookups: Sequence[tuple[str, Lookup]]) -> None:
    """Raise a `ParameterError` when lookups and tables do not fit: what a lookup misses is not protected by it."""
    values: dict[str, set[str]] = {}
    for row in rows:
        for column, value in row.items():
            values.setdefault(column, set()).update({value} - {TOTAL})
    every = _merged(lookups)
    named = {column for finest, lookup in every.items() for column in (finest, *lookup)}
    wrong = []
    for finest, lookup in every.items():
        known = {finest: {leaf for sets in lookup.values() for inner in sets.values() for leaf in inner}}
        known |= {outer: set(sets) for outer, sets in lookup.items()}
        used = [column for column in known if column in values]
        for column in sorted(set(known) - set(used)):
            # A lookup may hold more columns than these tables have; but not one that is another one misspelt.
            others = [other for other in values if other not in named]
            hint = nearest(column, get_close_matches(column, others, n=1, cutoff=0.7))
            if hint:
                missing = f'within: no table has a column "{column}".{hint}'
                wrong.append(f"{missing} Correct it, or leave it out of the lookup.")
        for column in used:
            for value in sorted(values[column] - known[column]):
                hint = nearest(value, sorted(known[column]))
                wrong.append(f'within: {column} "{spoken(value)}" stands in a table and not in the lookup.{hint}')
    if wrong:
        raise ParameterError("\n".join(dict.fromkeys(wrong)))


@dataclass(frozen=True)
class Geography:
    """The dimensions of the group columns of some tables.

    ``implied`` says what a row tells that does not print it: a school lies in an area, which is a column of the
    dimension of the districts.
    """

    dimensions: tuple[Dimension, ...]
    implied: dict[str, dict[str, dict[str, str]]]

    def linked_by(self, *groups: Iterable[str]) -> set[int]:
        """The dimensions that some group columns belong to, or tell of."""
        columns = {column for one in groups for column in one}
        columns |= {outer for column in columns for outer in self.implied.get(column, ())}
        return {place for place, dimension in enumerate(self.dimensions) if columns & set(dimension.columns)}

    def place(self, values: Mapping[str, str]) -> tuple[Node, ...] | None:
        """The nodes a row speaks of; None where its values have nothing in common."""
        row = dict(values)
        for column, outer in self.implied.items():
            for name, inside in outer.items():
                if row.get(name, TOTAL) == TOTAL and row.get(column) in inside:
                    row[name] = inside[row[column]]
        nodes = [dimension.node_of(row) for dimension in self.dimensions]
        return None if None in nodes else tuple(node for node in nodes if node is not None)


def geography_of(rows: Sequence[Mapping[str, str]], lookups: Sequence[tuple[str, Lookup]]) -> Geography:
    """The dimensions of the group columns of some rows.

    What lies within what is given by lookups, or seen in the rows: where every value of a column stands with one and
    the same value of another column that has fewer values, it lies within that.

    Parameters
    ----------
    rows
        The group values of every row, by column; a column that a table lacks is missing.
    lookups
        What `read_lookups` found. Two that speak of the same columns are one.
    """
    columns = list(dict.fromkeys(column for row in rows for column in row))
    known = _merged(lookups)
    for finest, lookup in _seen_in(rows, columns):
        for outer, sets in lookup.items():
            known.setdefault(finest, {}).setdefault(outer, sets)
    for finest in known:
        _compose(known, finest)
    inner_columns = {outer for lookup in known.values() for outer in lookup}
    often = [outer for lookup in known.values() for outer in lookup]
    used = {*columns, *(outer for outer in often if often.count(outer) > 1)}
    dimensions: list[Dimension] = []
    implied: dict[str, dict[str, dict[str, str]]] = {}
    placed: set[str] = set()
    for finest in [name for name in known if name not in inner_columns] + [
        name for name in columns if name not in known
    ]:
        lookup = {outer: sets for outer, sets in known.get(finest, {}).items() if outer in used}
        if finest in placed or not (lookup or finest in columns):
            continue
        if found := _implied(lookup, placed):
            implied[finest] = found
        own = {outer: sets for outer, sets in lookup.items() if outer not in placed}
        by_size = sorted(own, key=lambda outer: (sum(map(len, own[outer].values())) / len(own[outer]), outer))
        dimensions.append(Dimension(finest, {outer: own[outer] for outer in by_size}))
        placed |= {finest, *own}
    dimensions.sort(key=lambda one: min((columns.index(c) for c in one.columns if c in columns), default=0))
    return Geography(tuple(dimensions), implied)


def _implied(lookup: Lookup, placed: set[str]) -> dict[str, dict[str, str]]:
    """What the values of a finest column lie in, in columns of other dimensions; nothing where areas overlap."""
    found: dict[str, dict[str, str]] = {}
    for outer, sets in lookup.items():
        pairs = [(leaf, value) for value, leaves in sets.items() for leaf in leaves]
        if outer in placed and len({leaf for leaf, _ in pairs}) == len(pairs):
            found[outer] = dict(pairs)
    return found


def _merged(lookups: Sequence[tuple[str, Lookup]]) -> dict[str, Lookup]:
    """Lookups by their finest column: two that speak of the same columns are one."""
    known: dict[str, Lookup] = {}
    for finest, lookup in lookups:
        for outer, sets in lookup.items():
            own = known.setdefault(finest, {}).setdefault(outer, {})
            own |= {value: own.get(value, frozenset()) | leaves for value, leaves in sets.items()}
    return known


def _compose(known: dict[str, Lookup], finest: str) -> None:
    """Districts lie in areas and areas in regions: districts lie in regions."""
    lookup = known[finest]
    left = list(lookup)
    while left:
        middle = left.pop()
        for outer, sets in known.get(middle, {}).items():
            if outer not in lookup and outer != finest:
                lookup[outer] = {
                    value: frozenset().union(*(lookup[middle].get(area, frozenset()) for area in areas))
                    for value, areas in sets.items()
                }
                left.append(outer)


def _seen_in(rows: Sequence[Mapping[str, str]], columns: list[str]) -> list[tuple[str, Lookup]]:
    """Which columns lie within which others, as far as the rows of tables show it."""
    pairs: dict[tuple[str, str], dict[str, set[str]]] = {}
    for row in rows:
        given = [(column, value) for column, value in row.items() if value != TOTAL]
        for column, value in given:
            for other, other_value in given:
                if other != column:
                    pairs.setdefault((column, other), {}).setdefault(value, set()).add(other_value)
    found = []
    for (column, other), seen in pairs.items():
        outer = {value for values in seen.values() for value in values}
        if 1 < len(outer) < len(seen) and all(len(values) == 1 for values in seen.values()):
            sets: dict[str, set[str]] = {}
            for value, values in seen.items():
                sets.setdefault(min(values), set()).add(value)
            found.append((column, {other: {name: frozenset(inner) for name, inner in sorted(sets.items())}}))
    return sorted(found, key=lambda one: (columns.index(one[0]), columns.index(next(iter(one[1])))))
