"""The one-way door: small counts are hidden, and so many others that no hidden one can be worked out again.

The promise: the published tables never tell more about a hidden number than its mark does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import TYPE_CHECKING, Literal, NamedTuple, overload

import polars as pl

from safeguarding_analytics.errors import DisclosureError, ParameterError, shorten
from safeguarding_analytics.tables import IDENTIFYING, SHAPES, TOTAL, Shape, shape_of

if TYPE_CHECKING:
    from safeguarding_analytics.attacker import Cell, Ledger, Promise, Relation, Sheet

HIDING_MARKS = frozenset({"[c]", "c", "*"})
"""Marks of other publishers that mean "hidden to protect someone"; others ([x] not available) promise nothing."""

OWN_COLUMNS = ("n_pre", "n_post")
"""Counts of a mean change that are hidden by themselves."""


@dataclass(frozen=True)
class Policy:
    """Which counts are hidden, how they are marked, and how well they are protected.

    Parameters
    ----------
    threshold
        The smallest count that may be shown: 1 to threshold - 1 are hidden. A threshold of 1 hides nothing.
    zeros
        Whether a count of 0 is shown. Where zeros are shown, a reader knows that a hidden count is 1 or more.
    mark
        What is printed in place of every hidden number, small ones and those that protect them alike.
    protect
        ``"symbol"``: a reader must hold every value from 1 to threshold - 1 possible. ``"point"``: at least two values.
    minimum_ballots
        A ranking of fewer ballots is hidden.

    Examples
    --------
    >>> Policy.dfe().threshold, Policy.nhs().threshold
    (6, 8)
    """

    threshold: int = 6
    zeros: Literal["shown", "hidden"] = "shown"
    mark: str = "[c]"
    protect: Literal["symbol", "point"] = "symbol"
    minimum_ballots: int = 3

    def __post_init__(self) -> None:
        for name, value in (("threshold", self.threshold), ("minimum_ballots", self.minimum_ballots)):
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise ParameterError(f"{name} must be a whole number of 1 or more, such as 6. Found: {value!r}.")
        words: tuple[tuple[str, str, tuple[str, str]], ...] = (
            ("zeros", self.zeros, ("shown", "hidden")),
            ("protect", self.protect, ("symbol", "point")),
        )
        for name, word, allowed in words:
            if word not in allowed:
                raise ParameterError(f'{name} must be "{allowed[0]}" or "{allowed[1]}". Found: {word!r}.')
        if not isinstance(self.mark, str) or not self.mark.strip():
            raise ParameterError(f'mark must be a text that can be seen, such as "[c]". Found: {self.mark!r}.')

    @classmethod
    def dfe(cls) -> Policy:
        """Hide 1 to 5, as the Department for Education does for local authorities.

        References
        ----------
        DfE, Children in need 2021, data guidance: 1 to 5 replaced by c, secondary suppression where necessary.
        """
        return cls()

    @classmethod
    def nhs(cls) -> Policy:
        """Hide 1 to 7, as NHS England does below national level.

        References
        ----------
        NHS England, Hospital Episode Statistics, disclosure control since September 2018: 1 to 7 replaced by ``*``.
        """
        return cls(threshold=8, mark="*")

    def hides(self, count: float | None) -> bool:
        """Whether a count is small.

        Examples
        --------
        >>> [Policy().hides(count) for count in (0, 1, 5, 6, None)]
        [False, True, True, False, False]
        """
        return count is not None and (0 if self.zeros == "hidden" else 1) <= count < self.threshold

    def _promise(self) -> Promise:
        from safeguarding_analytics.attacker import Promise

        return Promise(self.threshold, self.zeros == "shown", self.protect == "point")


@dataclass(frozen=True, eq=False, repr=False)
class Safe:
    """A table that may be published: hidden numbers are null, and nothing in it remembers them.

    Parameters
    ----------
    table
        A table of one of the shapes with a column ``mark``: the policy's mark where a number is hidden, else ``""``.
    policy
        The policy it was made under; its shown counts are checked against it.
    source
        Where an already public table comes from. A table needs a policy or a source.

    Raises
    ------
    DisclosureError
        When the table has an identifying column, no mark column, a marked row with numbers in it, or a shown count
        that the policy hides.
    """

    table: InitVar[pl.DataFrame]
    policy: Policy | None = None
    source: str = ""
    shape: Shape = field(init=False)
    _frame: pl.DataFrame = field(init=False)

    def __post_init__(self, table: pl.DataFrame) -> None:
        _refuse_identifying(table)
        shape = shape_of(table.columns)
        if self.policy is None and not self.source.strip():
            raise DisclosureError(
                "a table is safe under a policy or from a public source. Use suppress(table, policy)."
            )
        if "mark" not in table.columns or table["mark"].null_count():
            raise DisclosureError('this table has no full column "mark". Use suppress(table, policy) to make it safe.')
        _check_marked_rows_are_empty(table, shape)
        if self.policy is not None:
            _check_nothing_small_is_shown(table, shape, self.policy)
        object.__setattr__(self, "shape", shape)
        # Rebuilt value by value: a null made by polars may keep the old number in the memory beneath it.
        columns = [pl.Series(one.name, one.to_list(), dtype=one.dtype) for one in table.get_columns()]
        object.__setattr__(self, "_frame", pl.DataFrame(columns))

    def frame(self) -> pl.DataFrame:
        """The table as it may be published: same rows and columns, hidden numbers null, and ``mark``."""
        return self._frame.clone()

    @property
    def hidden(self) -> int:
        """Number of rows in which something is hidden."""
        return int((self._frame["mark"] != "").sum())

    def __repr__(self) -> str:
        return f"Safe({self.shape.name}, {self._frame.height:,} rows, {self.hidden:,} hidden)"


def already_public(table: pl.DataFrame, source: str) -> Safe:
    """Wrap figures that a publisher has already controlled; nothing is hidden and nothing is proven.

    Parameters
    ----------
    table
        A table of one of the shapes. A column ``mark`` is kept (``"[c]"``, ``"[x]"``, else ``""``); rows with a mark
        must have no numbers.
    source
        Publication, table and year.

    Returns
    -------
    Safe
        The same rows and columns and ``mark``; ``policy`` is None.

    Raises
    ------
    DisclosureError
        When a column is identifying, or a marked row has numbers in it.
    ParameterError
        When the source is empty.

    Examples
    --------
    >>> england = pl.DataFrame({"place": ["England"], "numerator": [None], "denominator": [None], "proportion": [0.22]})
    >>> already_public(england, "DfE, Children in need 2024, table D3")
    Safe(proportion, 1 rows, 0 hidden)
    """
    if not source.strip():
        raise ParameterError('source is empty. Say where the figures are published, such as "DfE, table D3, 2024".')
    mark = pl.col("mark").fill_null("") if "mark" in table.columns else pl.lit("").alias("mark")
    return Safe(table.with_columns(mark.cast(pl.String)), None, source)


@overload
def suppress(table: pl.DataFrame, policy: Policy) -> Safe: ...
@overload
def suppress(table: list[pl.DataFrame], policy: Policy) -> list[Safe]: ...
def suppress(table: pl.DataFrame | list[pl.DataFrame], policy: Policy) -> Safe | list[Safe]:
    """Hide small counts, and as many other rows as it takes that no hidden count can be worked out again.

    Parameters
    ----------
    table
        A table of one of the shapes of `tables`, or several. Margins are rows whose group value is ``"Total"``, in any
        combination of group columns. Tables of the same shape are protected as one system: a group column that a table
        lacks counts as ``"Total"``, and a cell in two tables meets the same fate in both.
    policy
        Which counts are hidden, and how well they are protected.

    Returns
    -------
    Safe
        Per table: the same rows in the same order and the same columns; all numbers of a hidden row null except those
        in context columns; ``mark``. Of a mean change whose ups, sames or downs are small only these three are null,
        and ``n_pre`` and ``n_post`` are null where they must be. A hidden ranking is put in the order of its names.

    Raises
    ------
    DisclosureError
        When a column is identifying; a count is negative, fractional or missing; a group appears twice; a total is not
        the sum of its rows; two tables disagree about a cell; or the table is too small to be protected.

    Notes
    -----
    A row is small where one of its counts is (for a ranking: where it has fewer than ``minimum_ballots``). The reader
    it is protected from knows every shown number, every total, that counts are whole numbers, that a zero would have
    been shown, that a numerator is at most its denominator, and which counts of one row add up to others. For each
    small count, linear programmes find the cheapest other rows to hide; what turns out not to be needed is shown again;
    the result is attacked once more before it is returned. The result is not always the smallest possible, does not
    depend on the order of rows, and shows totals rather than their parts where it can.
    Rows sorted by a number that is hidden give its size away: sort by the group columns.
    A row with an unknown (null) numerator or denominator is in no relation unless its total adds up without it.

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
    frames = [table] if isinstance(table, pl.DataFrame) else list(table)
    shapes = [_checked_shape(frame) for frame in frames]
    safes: dict[int, Safe] = {}
    for name in dict.fromkeys(shape.name for shape in shapes):
        places = [place for place, shape in enumerate(shapes) if shape.name == name]
        same = [frames[place] for place in places]
        done = (
            [_hide_small_ranking(frame, policy) for frame in same]
            if name == "ranking"
            else _suppress_counts(same, SHAPES[name], policy)
        )
        safes.update(zip(places, done, strict=True))
    return safes[0] if isinstance(table, pl.DataFrame) else [safes[place] for place in range(len(frames))]


def _suppress_counts(frames: list[pl.DataFrame], shape: Shape, policy: Policy) -> list[Safe]:
    from safeguarding_analytics import attacker

    sheets = [_sheet(frame, f"table {number}", shape, frozenset()) for number, frame in enumerate(frames, 1)]
    ledger = attacker.open_ledger(sheets)
    _check_adds_up(ledger)
    promise = policy._promise()
    system, names, _ = attacker.system_of(ledger, shape.name, promise)
    small = [policy.hides(ledger.cells[cell][column]) for cell, column in names]
    flags = attacker.protect(system.knowing(small))
    hidden = {name for name, flag in zip(names, flags, strict=False) if flag}
    for cell, column in set(hidden):
        if column in attacker.KNOWLEDGE[shape.name].leads:
            hidden |= {(cell, other) for other in ledger.cells[cell]}
    published = [_without(sheet, hidden, ledger.groups) for sheet in sheets]
    found = hidden_cells_narrowed(published, shape.name, promise)
    if found:
        raise DisclosureError(
            f"{len(found):,} hidden {'number' if len(found) == 1 else 'numbers'} could still be worked out, "
            f"however much is hidden: {shorten([f'{one.cell} ({one.column})' for one in found])}. "
            "The table is too small to be protected. Publish fewer group columns, or wider groups."
        )
    return [
        Safe(_masked(frame, sheet, shape, hidden, ledger.groups, policy), policy)
        for frame, sheet in zip(frames, sheets, strict=True)
    ]


def _hide_small_ranking(frame: pl.DataFrame, policy: Policy) -> Safe:
    if "n_ballots" not in frame.columns:
        raise DisclosureError(
            'this ranking has no column "n_ballots", so nobody can tell whether enough people voted. '
            f"A ranking of fewer than {policy.minimum_ballots} ballots is hidden."
        )
    hidden = [count is None or count < policy.minimum_ballots for count in frame["n_ballots"].to_list()]
    names = [*SHAPES["ranking"].group_columns(frame.columns), "issue"]
    # The order of a ranking is its result: hidden rows change places until they stand by name.
    places = [place for place, flag in enumerate(hidden) if flag]
    by_name = sorted(places, key=lambda place: tuple(map(str, frame.select(names).row(place))))
    order = list(range(frame.height))
    for place, other in zip(places, by_name, strict=True):
        order[place] = other
    return Safe(
        _with_nulls(frame[order], dict.fromkeys(_numbers(frame.columns, SHAPES["ranking"]), hidden), policy), policy
    )


def _masked(
    frame: pl.DataFrame,
    sheet: Sheet,
    shape: Shape,
    hidden: set[tuple[Cell, str]],
    groups: tuple[str, ...],
    policy: Policy,
) -> pl.DataFrame:
    """The frame with its hidden numbers null, and the mark."""
    cells = list(sheet.placed(groups))
    lead = shape.counts[0]
    whole = [(cell, lead) in hidden for cell in cells]
    flags = {
        column: [row or (cell, column) in hidden for row, cell in zip(whole, cells, strict=True)]
        for column in _numbers(frame.columns, shape)
    }
    return _with_nulls(frame, flags, policy)


def _with_nulls(frame: pl.DataFrame, flags: dict[str, list[bool]], policy: Policy) -> pl.DataFrame:
    kept = [
        pl.Series(
            one.name,
            [None if flag else value for flag, value in zip(flags[one.name], one.to_list(), strict=True)],
            dtype=one.dtype,
        )
        if one.name in flags
        else one
        for one in frame.get_columns()
    ]
    marked = [any(row) for row in zip(*flags.values(), strict=True)]
    return pl.DataFrame([*kept, pl.Series("mark", [policy.mark if row else "" for row in marked], dtype=pl.String)])


def audit(tables: Sequence[Safe | pl.DataFrame] | Mapping[str, Safe | pl.DataFrame]) -> pl.DataFrame:
    """What a reader can work out about hidden numbers from these published tables together.

    Parameters
    ----------
    tables
        Published tables: `Safe`, or frames with a column ``mark``; with names, if given as a mapping.

    Returns
    -------
    pl.DataFrame
        One row per table and hidden count that is known too well, in the order of the tables; no row = nothing to say.
        ``table`` (its name, else "table 1"), ``cell`` (group values), ``column``, ``low`` and ``high`` (smallest and
        largest whole number possible, Int64; high is null where nothing bounds it), ``because`` (one sentence).

    Raises
    ------
    DisclosureError
        When a table has an identifying column.

    Notes
    -----
    Only what is published is used. A hidden count is reported when (a) it is shown in another table; (b) only one whole
    number is possible, other than a public zero; or (c) it may be small (its lowest possible value is below the
    threshold) and not every value that the mark promises is possible: 1 to threshold - 1, or from the number of its
    hidden non-zero parts on where it is a total. Policies that protect to the ``"point"`` promise (b) only. Also
    reported, as a cell "all others", is a small count that a total exceeds its shown rows by.

    Tables of the same shape are one system where their shared cells agree; tables that disagree about a cell, or whose
    totals are not the sums of the others' rows, are of different topics and are attacked apart. So are tables that
    share no shown cell, unless the group columns of one contain the other's. Frames without a policy are held to
    `Policy.dfe`. A row whose numbers are null with another mark (``[x]``) or none is unknown to all: no total that
    contains it is used. Percentages and rounded numbers are not yet attacked.

    Examples
    --------
    >>> year = pl.DataFrame({"district": ["D01"], "count": [23], "mark": [""]})
    >>> quarters = pl.DataFrame(
    ...     {"district": ["D01"] * 2, "half": ["H1", "H2"], "count": [20, None], "mark": ["", "[c]"]}
    ... )
    >>> audit({"year": year, "halves": quarters}).select("table", "cell", "low", "high").row(0)
    ('halves', 'district=D01, half=H2', 3, 3)
    """
    named = dict(tables) if isinstance(tables, Mapping) else {f"table {n}": one for n, one in enumerate(tables, 1)}
    by_shape: dict[str, list[tuple[Sheet, Policy]]] = {}
    for name, table in named.items():
        sheet, policy, shape = _published(name, table)
        if shape.name != "ranking":
            by_shape.setdefault(shape.name, []).append((sheet, policy))
    found: list[Finding] = []
    for shape_name, members in by_shape.items():
        for system in _linked(members, shape_name):
            strictest = max((policy for _, policy in system), key=lambda policy: policy.threshold)
            hides_zeros = any(policy.zeros == "hidden" for _, policy in system)
            exact_only = all(policy.protect == "point" for _, policy in system)
            promise = replace(strictest._promise(), zeros_shown=not hides_zeros, exact_only=exact_only)
            found += hidden_cells_narrowed([sheet for sheet, _ in system], shape_name, promise)
    position = {name: number for number, name in enumerate(named)}
    found.sort(key=lambda one: (position[one.table], one.cell, one.column))
    schema = {"table": pl.String, "cell": pl.String, "column": pl.String, "low": pl.Int64, "high": pl.Int64}
    return pl.DataFrame(found, schema={**schema, "because": pl.String}, orient="row")


class Finding(NamedTuple):
    """A hidden number that is known too well; ``high`` is None where nothing bounds it."""

    table: str
    cell: str
    column: str
    low: int | None
    high: int | None
    because: str


def hidden_cells_narrowed(sheets: list[Sheet], shape: str, promise: Promise) -> list[Finding]:
    """Attack published tables as one system: the one path of `suppress` and `audit`."""
    import numpy as np

    from safeguarding_analytics import attacker

    ledger = attacker.open_ledger(sheets)
    found = _shown_elsewhere(sheets, ledger) + _left_over(ledger, promise)
    system, names, relations = attacker.system_of(ledger, shape, promise)
    hidden = system.free | np.isnan(system.values)
    table = attacker.consistent_table(system)
    if table is None:
        sentence = "The published numbers contradict each other, so that nothing can be proven; check the totals."
        return [*found, Finding(sheets[0].name, "all", "", None, None, sentence)]
    reader = attacker.Reader(system, hidden, table)
    for narrow in attacker.weakest(system, hidden, [table]):
        cell, column = names[narrow.number]
        low, high = reader.interval(narrow.number)
        combined = [relations[row] for row in reader.reasons(narrow.number) if row < len(relations)]
        sentence = _because(combined, ledger, low, high)
        found += [
            Finding(sheet.name, _cell_in(sheet, cell, ledger), column, low, high, sentence)
            for sheet in sheets
            if sheet.name in ledger.tables[cell] and _is_hidden(sheet.placed(ledger.groups)[cell].get(column))
        ]
    return found


def _shown_elsewhere(sheets: list[Sheet], ledger: Ledger) -> list[Finding]:
    return [
        Finding(
            sheet.name,
            _cell_in(sheet, cell, ledger),
            column,
            int(shown),
            int(shown),
            f"It is hidden here and shown in {shorten([n for n in ledger.tables[cell] if n != sheet.name])}.",
        )
        for sheet in sheets
        for cell, counts in sheet.placed(ledger.groups).items()
        for column, value in counts.items()
        if _is_hidden(value) and (shown := ledger.cells[cell][column]) is not None and not _is_hidden(shown)
    ]


def _left_over(ledger: Ledger, promise: Promise) -> list[Finding]:
    """Totals of a table that exceed its rows by a small count: a group was left out, and can be worked out."""
    found = []
    for relation in ledger.relations:
        total, shown, hidden = ledger.total_and_sum(relation)
        tables = set(ledger.tables[relation.total]).intersection(*(ledger.tables[child] for child in relation.children))
        if (
            tables
            and total is not None
            and not hidden
            and ledger.certain(relation)
            and 0 < total - shown < promise.threshold
        ):
            left = int(total - shown)
            cell = _in_words(ledger.groups, relation.total, {relation.along: "all others"})
            sentence = f"{_less_its_rows(relation, ledger)} leaves {left} that no row shows."
            found.append(Finding(min(tables), cell, relation.column, left, left, sentence))
    return found


def _because(relations: list[Relation], ledger: Ledger, low: int, high: int | None) -> str:
    values = f"exactly {low}" if low == high else f"{low} or more" if high is None else f"{low} to {high}"
    if not relations:
        return f"The counts of its own row that are shown leave {values}."
    ways = list(dict.fromkeys(_less_its_rows(relation, ledger) for relation in relations))
    together = "" if len(ways) == 1 else " together"
    return f"{shorten(ways, most=4).replace(', ', '; ') if len(ways) > 1 else ways[0]}{together} leaves {values}."


def _less_its_rows(relation: Relation, ledger: Ledger) -> str:
    members = (relation.total, *relation.children)
    tables = list(dict.fromkeys(name for cell in members for name in ledger.tables[cell]))
    where = f" ({' and '.join(tables)})" if len(tables) > 1 else ""
    total = _in_words(ledger.groups, relation.total, {})
    return f"The total {total} minus its shown rows by {relation.along}{where}"


def _in_words(groups: Iterable[str], cell: Cell, instead: dict[str, str]) -> str:
    own = dict(zip(groups, cell, strict=True)) | instead
    return ", ".join(f"{group}={value}" for group, value in own.items()) or "all"


def _cell_in(sheet: Sheet, cell: Cell, ledger: Ledger) -> str:
    own = dict(zip(ledger.groups, cell, strict=True))
    return _in_words(sheet.groups, tuple(own[group] for group in sheet.groups), {})


def _is_hidden(value: float | None) -> bool:
    return value is not None and value != value


def _linked(members: list[tuple[Sheet, Policy]], shape: str) -> list[list[tuple[Sheet, Policy]]]:
    """Split tables of one shape into systems: those that speak of the same topic."""
    systems: list[list[tuple[Sheet, Policy]]] = []
    for member in members:
        related = [system for system in systems if any(_same_topic(member[0], other[0]) for other in system)]
        systems = [system for system in systems if system not in related]
        systems.append([*(one for system in related for one in system), member])
    return systems


def _same_topic(one: Sheet, other: Sheet) -> bool:
    from safeguarding_analytics import attacker

    ledger = attacker.open_ledger([one, other])
    if ledger.disagreements:
        return False
    across = [
        relation
        for relation in ledger.relations
        if not set(ledger.tables[relation.total]).intersection(*(ledger.tables[cell] for cell in relation.children))
    ]
    if any(ledger.certain(relation) and not ledger.adds_up(relation) for relation in across):
        return False
    both = [
        all(
            count is not None and not _is_hidden(count)
            for sheet in (one, other)
            for count in sheet.placed(ledger.groups)[cell].values()
        )
        for cell, tables in ledger.tables.items()
        if len(tables) == 2
    ]
    return any(both) or set(one.groups) <= set(other.groups) or set(other.groups) <= set(one.groups)


def _published(name: str, table: Safe | pl.DataFrame) -> tuple[Sheet, Policy, Shape]:
    frame, policy = (table.frame(), table.policy) if isinstance(table, Safe) else (table, None)
    _refuse_identifying(frame)
    shape = shape_of(frame.columns)
    marks = frozenset({policy.mark}) if policy else HIDING_MARKS
    return _sheet(frame, name, shape, marks), policy or Policy.dfe(), shape


def _sheet(frame: pl.DataFrame, name: str, shape: Shape, hiding_marks: frozenset[str]) -> Sheet:
    """The counts of a frame as a reader sees them."""
    from safeguarding_analytics.attacker import HIDDEN, KNOWLEDGE, Sheet

    if shape.name == "ranking":
        return Sheet(name, (), {}, {})
    groups = tuple(shape.group_columns(frame.columns))
    columns = [column for column in KNOWLEDGE[shape.name].units if column in frame.columns]
    marks = frame["mark"].to_list() if "mark" in frame.columns else [""] * frame.height
    cells = {}
    for row, mark in zip(frame.iter_rows(named=True), marks, strict=True):
        unseen = HIDDEN if mark in hiding_marks else None
        cell = tuple(str(row[group]) for group in groups)
        cells[cell] = {column: unseen if row[column] is None else float(row[column]) for column in columns}
    return Sheet(name, groups, cells, _sums_behind_shares(frame, groups) if shape.name == "attendance" else {})


def _sums_behind_shares(frame: pl.DataFrame, groups: tuple[str, ...]) -> dict[str, float]:
    """What all places add up to, which every row gives away that shows both its places and its share of them."""
    if "share_of_places" not in frame.columns:
        return {}
    rows = frame.filter(pl.all_horizontal(pl.lit(True), *(pl.col(group).cast(pl.String) != TOTAL for group in groups)))
    seen = rows.filter((pl.col("attended") > 0) & (pl.col("share_of_places") > 0))
    sums = {
        round(float(attended) / share) for attended, share in seen.select("attended", "share_of_places").iter_rows()
    }
    shown = sum(float(count) for count in rows["attended"].drop_nulls().to_list())
    return {"attended": float(min(sums))} if len(sums) == 1 and min(sums) >= shown else {}


def _without(sheet: Sheet, hidden: set[tuple[Cell, str]], groups: tuple[str, ...]) -> Sheet:
    """A sheet as a reader will see it; what was unknown stays unknown."""
    from safeguarding_analytics.attacker import HIDDEN

    cells = {
        own: {
            column: HIDDEN if value is not None and (placed, column) in hidden else value
            for column, value in counts.items()
        }
        for (own, counts), placed in zip(sheet.cells.items(), sheet.placed(groups), strict=True)
    }
    # A share tells its total only in a row that is shown: comparisons with a hidden number are false.
    told = {
        column: total
        for column, total in sheet.sums.items()
        if any((counts[column] or 0.0) > 0 for own, counts in cells.items() if TOTAL not in own)
    }
    return replace(sheet, cells=cells, sums=told)


def _numbers(columns: Sequence[str], shape: Shape) -> list[str]:
    """The columns that are hidden with a row: all but the names of the group and the context."""
    names = {*shape.group_columns(list(columns)), *shape.context, "issue", "mark"}
    return [column for column in columns if column not in names]


def _refuse_identifying(table: pl.DataFrame) -> None:
    found = [column for column in table.columns if column in IDENTIFYING]
    if found:
        raise DisclosureError(
            f"{shorten(found)} {'identifies' if len(found) == 1 else 'identify'} people and cannot be published. "
            "Count by other columns first."
        )


def _checked_shape(frame: pl.DataFrame) -> Shape:
    """The shape of a table that may be suppressed, or an error that says what is wrong with it."""
    _refuse_identifying(frame)
    shape = shape_of(frame.columns)
    if "mark" in frame.columns:
        raise DisclosureError('this table already has a column "mark". Suppress the table it was made from.')
    groups = shape.group_columns(frame.columns) + (["issue"] if shape.name == "ranking" else [])
    doubles = frame.height - frame.select(groups).n_unique() if groups else max(frame.height - 1, 0)
    if doubles:
        by = ", ".join(groups) or "no column"
        raise DisclosureError(f"{doubles:,} of {frame.height:,} rows repeat a group that stands above (by {by}).")
    own = (*shape.counts, *shape.parts, *OWN_COLUMNS) if shape.name == "mean_change" else shape.counts
    for column in (*own, "n_ballots"):
        if column in frame.columns:
            _check_counts(frame[column], may_be_unknown=shape.name == "proportion" or column not in shape.counts)
    return shape


def _check_counts(counts: pl.Series, may_be_unknown: bool) -> None:
    if not counts.dtype.is_numeric() and counts.dtype != pl.Null:
        raise DisclosureError(f"{counts.name} must be a whole number. Found: {counts.dtype}.")
    known = counts.drop_nulls().cast(pl.Float64)
    for what, wrong in (
        ("negative", int((known < 0).sum())),
        ("fractional", int((~(known.is_finite() & (known == known.round()))).sum())),
        ("missing", 0 if may_be_unknown else counts.null_count()),
    ):
        if wrong:
            raise DisclosureError(
                f"{counts.name}: {wrong:,} of {len(counts):,} rows {'is' if wrong == 1 else 'are'} {what}. "
                "Wanted: whole numbers of 0 or more."
            )


def _check_adds_up(ledger: Ledger) -> None:
    for cell, column, values in ledger.disagreements:
        raise DisclosureError(
            f"two tables disagree about {_in_words(ledger.groups, cell, {})}: {column} is {values[0]:g} in one and "
            f"{values[1]:g} in the other. Only tables of the same figures can be protected together."
        )
    for relation in ledger.relations:
        if ledger.certain(relation) and not ledger.adds_up(relation):
            total, shown, _ = ledger.total_and_sum(relation)
            raise DisclosureError(
                f"{relation.column} does not add up: the total {_in_words(ledger.groups, relation.total, {})} says "
                f"{total:g}, its rows by {relation.along} sum to {shown:g}. Correct the total, or leave its row out."
            )


def _check_marked_rows_are_empty(table: pl.DataFrame, shape: Shape) -> None:
    marked = table.filter(pl.col("mark") != "")
    numbers = _numbers(table.columns, shape)
    full = marked.filter(~pl.all_horizontal(pl.lit(True), *(pl.col(column).is_null() for column in numbers)))
    if shape.name == "mean_change":
        parts = [column for column in shape.parts if column in table.columns]
        own = [column for column in OWN_COLUMNS if column in table.columns]
        no_parts = pl.all_horizontal(pl.lit(bool(parts)), *(pl.col(column).is_null() for column in parts))
        full = full.filter(
            pl.col("n_pairs").is_null() | ~pl.any_horizontal(no_parts, *(pl.col(c).is_null() for c in own))
        )
    if full.height:
        raise DisclosureError(f"{full.height:,} of {marked.height:,} marked rows still have numbers in them.")


def _check_nothing_small_is_shown(table: pl.DataFrame, shape: Shape, policy: Policy) -> None:
    if shape.name == "ranking":
        small = {"n_ballots": int((table["n_ballots"] < policy.minimum_ballots).sum())}
    else:
        columns = [*shape.counts, *shape.parts, *(OWN_COLUMNS if shape.name == "mean_change" else ())]
        present = [column for column in columns if column in table.columns]
        small = {column: sum(map(policy.hides, table[column].to_list())) for column in present}
    for column, number in small.items():
        if number:
            raise DisclosureError(f"{column}: {number:,} rows show a count that the policy hides. Use suppress.")
