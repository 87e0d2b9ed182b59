"""The one-way door: small counts are hidden, and so many others that no hidden one can be worked out again.

The promise: the published tables never tell more about a hidden number than its mark does.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import InitVar, dataclass, field
from typing import Literal, overload

import polars as pl

from safeguarding_analytics import attacker, optimum
from safeguarding_analytics.errors import DisclosureError, ParameterError, nearest, shorten
from safeguarding_analytics.findings import hidden_cells_narrowed
from safeguarding_analytics.ledger import (
    Cell,
    Counts,
    Ledger,
    Name,
    Promise,
    Sheet,
    in_words,
    is_hidden,
    open_ledger,
    sheet_of,
    system_of,
)
from safeguarding_analytics.tables import IDENTIFYING, SHAPES, TOTAL, Shape, shape_of

Effort = Literal["greedy", "exact"]
EFFORTS: tuple[Effort, ...] = ("greedy", "exact")

Place = tuple[frozenset[tuple[str, str]], str]
"""A count by its group values and column, whichever other group columns its table has as a total."""

ALL_COLUMNS = frozenset(name for shape in SHAPES.values() for name in shape.columns)
"""Every column of every shape: none of them can name a group."""


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


def _promise_of(policy: Policy) -> Promise:
    """What the mark of a policy promises of the number behind it."""
    return Promise(policy.threshold, zeros_shown=policy.zeros == "shown", exact_only=policy.protect == "point")


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
        refuse_identifying(table)
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
def suppress(
    table: pl.DataFrame, policy: Policy, *, effort: Effort = "greedy", previous: Safe | list[Safe] | None = None
) -> Safe: ...
@overload
def suppress(
    table: list[pl.DataFrame], policy: Policy, *, effort: Effort = "greedy", previous: Safe | list[Safe] | None = None
) -> list[Safe]: ...
def suppress(
    table: pl.DataFrame | list[pl.DataFrame],
    policy: Policy,
    *,
    effort: Effort = "greedy",
    previous: Safe | list[Safe] | None = None,
) -> Safe | list[Safe]:
    """Hide small counts, and as many other rows as it takes that no hidden count can be worked out again.

    Parameters
    ----------
    table
        A table of one of the shapes of `tables`, or several. Margins are rows whose group value is ``"Total"``, in any
        combination of group columns. Tables of the same shape are protected as one system: a group column that a table
        lacks counts as ``"Total"``, and a cell in two tables meets the same fate in both.
    policy
        Which counts are hidden, and how well they are protected.
    effort
        ``"greedy"``: few other rows, quickly. ``"exact"``: the fewest, proven; for tables of up to 1,000 counts.
    previous
        Last period's tables, as they were published. What was hidden in them is hidden again rather than something
        else, where it still protects: a row is the same where its group values are, in group columns of the same names.

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
    ParameterError
        When the effort is neither of the two, the table is too large for the exact one or its proof takes too long, or
        previous tables are not `Safe`.

    Notes
    -----
    A row is small where one of its counts is (for a ranking: where it has fewer than ``minimum_ballots``). The reader
    it is protected from knows every shown number, every total, that counts are whole numbers, that a zero would have
    been shown, that a numerator is at most its denominator, and which counts of one row add up to others. For each
    small count, linear programmes find the cheapest other rows to hide; what turns out not to be needed is shown again;
    the result is attacked once more before it is returned. The greedy result is not always the smallest possible. The
    exact one hides the fewest sets of counts that are hidden together (in most shapes: rows) with which every small
    count could have any of the values it promises; where no set does that, it is the greedy one. Neither depends on
    the order of rows, and both show totals rather than their parts where they can.
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
    _check_effort(effort)
    before = _checked_previous(previous)
    frames = [table] if isinstance(table, pl.DataFrame) else list(table)
    shapes = [_checked_shape(frame) for frame in frames]
    safes: dict[int, Safe] = {}
    for name in dict.fromkeys(shape.name for shape in shapes):
        places = [place for place, shape in enumerate(shapes) if shape.name == name]
        same = [frames[place] for place in places]
        done = (
            [_hide_small_ranking(frame, policy) for frame in same]
            if name == "ranking"
            else _suppress_counts(same, SHAPES[name], policy, effort, before)
        )
        safes.update(zip(places, done, strict=True))
    return safes[0] if isinstance(table, pl.DataFrame) else [safes[place] for place in range(len(frames))]


def _suppress_counts(
    frames: list[pl.DataFrame], shape: Shape, policy: Policy, effort: Effort, before: list[Safe]
) -> list[Safe]:
    """Protect tables of one shape as one system, and attack the result once more."""
    sheets = [sheet_of(frame, f"table {number}", shape) for number, frame in enumerate(frames, 1)]
    ledger = open_ledger(sheets)
    check_adds_up(ledger)
    hidden = _names_to_hide(ledger, shape, policy, effort, _places_hidden(before, shape))
    published = [sheet.without(hidden, ledger.groups) for sheet in sheets]
    found = hidden_cells_narrowed(published, shape, _promise_of(policy))
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


def _names_to_hide(ledger: Ledger, shape: Shape, policy: Policy, effort: Effort, preferred: set[Place]) -> set[Name]:
    """The counts that are small, those that protect them, and all others of their rows."""
    system, names, _ = system_of(ledger, shape, _promise_of(policy))
    if effort == "exact" and len(names) > optimum.MOST_NUMBERS:
        raise ParameterError(
            f"{len(names):,} counts are too many to prove that the fewest are hidden: at most "
            f'{optimum.MOST_NUMBERS:,}. Use effort="greedy", or fewer group columns.'
        )
    system = system.knowing([policy.hides(ledger.cells[cell][column]) for cell, column in names])
    system = system.preferring([(_place(ledger.groups, cell), column) in preferred for cell, column in names])
    found = attacker.protect(system)
    if effort == "exact":
        found = optimum.fewest(system, found)
    # Behind the named numbers come those that are printed nowhere.
    hidden = {name for name, flag in zip(names, found[: len(names)], strict=True) if flag}
    hidden |= {
        (cell, column)
        for cell, counts in ledger.cells.items()
        for column in shape.own
        if policy.hides(_beyond_the_lead(counts, column, shape.counts[0]))
    }
    rows = {cell for cell, column in hidden if column in shape.counts}
    return hidden | {(cell, column) for cell in rows for column in ledger.cells[cell]}


def _beyond_the_lead(counts: Counts, column: str, lead: str) -> float | None:
    """How many more a count has than the first of its row: those who answered before and not after, say."""
    one, other = counts.get(column), counts.get(lead)
    return None if one is None or other is None else one - other


def _place(groups: Iterable[str], cell: Cell) -> frozenset[tuple[str, str]]:
    return frozenset((group, value) for group, value in zip(groups, cell, strict=True) if value != TOTAL)


def _places_hidden(safes: list[Safe], shape: Shape) -> set[Place]:
    """Where published tables of a shape have hidden counts."""
    frames = [safe.frame() for safe in safes if safe.shape == shape]
    sheets = [sheet_of(frame, "", shape, frozenset(frame["mark"].to_list()) - {""}) for frame in frames]
    return {
        (_place(sheet.groups, cell), column)
        for sheet in sheets
        for cell, counts in sheet.cells.items()
        for column, value in counts.items()
        if is_hidden(value)
    }


def _hide_small_ranking(frame: pl.DataFrame, policy: Policy) -> Safe:
    """A ranking with the rows of too few ballots hidden, and their order with them."""
    if "n_ballots" not in frame.columns:
        raise DisclosureError(
            'this ranking has no column "n_ballots", so nobody can tell whether enough people voted. '
            f"A ranking of fewer than {policy.minimum_ballots} ballots is hidden."
        )
    hidden = [count is None or count < policy.minimum_ballots for count in frame["n_ballots"].to_list()]
    names = frame.select(*SHAPES["ranking"].group_columns(frame.columns), "issue").rows()
    # The order of a ranking is its result: hidden rows change places until they stand by name.
    places = [place for place, flag in enumerate(hidden) if flag]
    by_name = sorted(places, key=lambda place: tuple(map(str, names[place])))
    order = list(range(frame.height))
    for place, other in zip(places, by_name, strict=True):
        order[place] = other
    flags = dict.fromkeys(_number_columns(frame, SHAPES["ranking"]), hidden)
    return Safe(_with_nulls(_in_steps(frame[order]), flags, policy), policy)


def _in_steps(ranking: pl.DataFrame) -> pl.DataFrame:
    """Round how often an issue is selected to steps of one in twenty.

    Resampling supports no finer steps, and exact shares of a small board give its ballots away: they are a function of
    the ballots and of a seed that everybody knows.
    """
    steps = pl.col("^p_selected$") * 20
    return ranking.with_columns(steps.round() / 20)


def _masked(
    frame: pl.DataFrame,
    sheet: Sheet,
    shape: Shape,
    hidden: set[Name],
    groups: tuple[str, ...],
    policy: Policy,
) -> pl.DataFrame:
    """The frame with its hidden numbers null, and the mark."""
    cells = list(sheet.placed(groups))
    lead = shape.counts[0]
    whole = [(cell, lead) in hidden for cell in cells]
    flags = {
        column: [row or (cell, column) in hidden for row, cell in zip(whole, cells, strict=True)]
        for column in _number_columns(frame, shape)
    }
    return _with_nulls(frame, flags, policy)


def _with_nulls(frame: pl.DataFrame, flags: dict[str, list[bool]], policy: Policy) -> pl.DataFrame:
    """The frame with null where a column's flag is set, and the mark on every row that has one."""
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


def _number_columns(frame: pl.DataFrame, shape: Shape) -> list[str]:
    """The columns that are hidden with a row: all but the names of the group and the context."""
    others = {*shape.group_columns(frame.columns), *shape.context, "issue", "mark"}
    return [column for column in frame.columns if column not in others]


def refuse_identifying(table: pl.DataFrame) -> None:
    """Raise a `DisclosureError` when a column of a table identifies people."""
    found = [column for column in table.columns if column in IDENTIFYING]
    if found:
        raise DisclosureError(
            f"{shorten(found)} {'identifies' if len(found) == 1 else 'identify'} people and cannot be published. "
            "Count by other columns first."
        )


def _check_effort(effort: str) -> None:
    if effort not in EFFORTS:
        hint = nearest(str(effort), EFFORTS)
        raise ParameterError(f'effort must be "greedy" or "exact". Found: {effort!r}.{hint}')


def _checked_previous(previous: Safe | list[Safe] | None) -> list[Safe]:
    """Last period's tables as a list."""
    several = previous if isinstance(previous, list) else [previous]
    tables: list[object] = [] if previous is None else list(several)
    safes = [table for table in tables if isinstance(table, Safe)]
    if len(safes) < len(tables):
        raise ParameterError("previous must be tables that went through suppress() or already_public().")
    return safes


def _checked_shape(frame: pl.DataFrame) -> Shape:
    """The shape of a table that may be suppressed, or an error that says what is wrong with it."""
    refuse_identifying(frame)
    shape = shape_of(frame.columns)
    if "mark" in frame.columns:
        raise DisclosureError('this table already has a column "mark". Suppress the table it was made from.')
    groups = shape.group_columns(frame.columns) + (["issue"] if shape.name == "ranking" else [])
    numbers = [name for name in groups if frame[name].dtype.is_float() or (name in ALL_COLUMNS and name != "issue")]
    if numbers:
        raise DisclosureError(
            f"{shorten(numbers)} stands before the numbers of the table, where the names of groups stand, and would be "
            "shown as it is. Drop it, or move it behind them."
        )
    doubles = frame.height - frame.select(groups).n_unique() if groups else max(frame.height - 1, 0)
    if doubles:
        by = ", ".join(groups) or "no column"
        raise DisclosureError(f"{doubles:,} of {frame.height:,} rows repeat a group that stands above (by {by}).")
    for column in (*shape.all_counts, "n_ballots"):
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


def check_adds_up(ledger: Ledger) -> None:
    """Raise a `DisclosureError` where tables disagree about a cell, or a total is not the sum of its rows."""
    for cell, column, one, other in ledger.disagreements:
        raise DisclosureError(
            f"two tables disagree about {in_words(ledger.by_group(cell))}: {column} is {one:g} in one and "
            f"{other:g} in the other. Only tables of the same figures can be protected together."
        )
    for relation in ledger.relations:
        if ledger.certain(relation) and not ledger.adds_up(relation):
            total, shown, _ = ledger.total_and_sum(relation)
            raise DisclosureError(
                f"{relation.column} does not add up: the total {in_words(ledger.by_group(relation.total))} says "
                f"{total:g}, its rows by {relation.along} sum to {shown:g}. Correct the total, or leave its row out."
            )


def _check_marked_rows_are_empty(table: pl.DataFrame, shape: Shape) -> None:
    marked = table.filter(pl.col("mark") != "")
    full = marked.filter(~_all_null(_number_columns(table, shape)))
    if shape.parts:
        # A row that shows its first count may be marked for its parts, all hidden together, or for a count of its own.
        own = [column for column in shape.own if column in table.columns]
        parts = [column for column in shape.parts if column in table.columns]
        without = [*([column] for column in own), *([parts] if parts else [])]
        partly = pl.any_horizontal(pl.lit(False), *map(_all_null, without))
        full = full.filter(pl.col(shape.counts[0]).is_null() | ~partly)
    if full.height:
        raise DisclosureError(f"{full.height:,} of {marked.height:,} marked rows still have numbers in them.")


def _all_null(columns: list[str]) -> pl.Expr:
    return pl.all_horizontal(pl.lit(True), *(pl.col(column).is_null() for column in columns))


def _check_nothing_small_is_shown(table: pl.DataFrame, shape: Shape, policy: Policy) -> None:
    if shape.name == "ranking":
        small = {"n_ballots": int((table["n_ballots"] < policy.minimum_ballots).sum())}
    else:
        present = [column for column in shape.all_counts if column in table.columns]
        small = {column: sum(map(policy.hides, table[column].to_list())) for column in present}
    for column, number in small.items():
        if number:
            raise DisclosureError(f"{column}: {number:,} rows show a count that the policy hides. Use suppress.")
