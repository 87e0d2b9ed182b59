"""A table and what is to be hidden of it → the table as it may be published."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from itertools import pairwise

import polars as pl

from safeguarding_analytics.dimensions import values_of
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.rounding import recomputed
from safeguarding_analytics.safe import WORKED_OUT_OF, Safe, corrected_by_what_is_shown, number_columns
from safeguarding_analytics.shapes import Shape
from safeguarding_analytics.tables import TOTAL

Values = tuple[str, ...]

STEPS = 3
"""Steps from one shown number to the next, all up or all down, from which on rows are taken to be sorted by it."""


def masked(
    frame: pl.DataFrame,
    shape: Shape,
    hidden: set[tuple[Values, str]],
    policy: Policy,
    without_mean: Collection[Values] = (),
) -> Safe:
    """A table with its hidden counts null, and all that tells of them; ``hidden`` are group values and columns.

    ``without_mean`` are rows that show their counts and no mean.
    """
    groups = shape.group_columns(frame.columns)
    rows = [values_of(row) for row in frame.select(groups).rows()] if groups else [()] * frame.height
    lead = shape.counts[0]
    whole = [(row, lead) in hidden for row in rows]
    flags = {
        column: [all_of_it or (row, column) in hidden for all_of_it, row in zip(whole, rows, strict=True)]
        for column in number_columns(frame, shape)
    }
    few = frame[lead].fill_null(0).to_list()
    without = {row for row, count in zip(rows, few, strict=True) if count < policy.minimum_mean or row in without_mean}
    if "shrunken" in flags and policy.round is None and frame["shrunken"].is_not_null().any():
        hidden_rows = {row for row, flag in zip(rows, whole, strict=True) if flag}
        without |= _further_shrunken(dict(zip(rows, few, strict=True)), without | hidden_rows, policy.minimum_mean)
    for column in set(shape.means) & flags.keys():
        shown = frame[column].is_not_null().to_list()
        flags[column] = [
            flag or (there and row in without) for flag, there, row in zip(flags[column], shown, rows, strict=True)
        ]
    if {"mean_change", "n_clusters"} <= flags.keys():  # of how few sessions the few are
        flags["n_clusters"] = flags["mean_change"]
    seen = with_nulls(_without_lone_shares(frame, shape), with_what_follows(flags, shape), policy)
    seen = with_correction(seen)
    # A share of all places is worked out of those that are hidden too, and would give their rounded number away.
    return Safe(_in_order(recomputed(seen, shape) if policy.round else seen, shape), policy)


def _further_shrunken(sizes: Mapping[Values, int], without: set[Values], minimum: int) -> set[Values]:
    """Further rows without a mean, the smallest first, until those without are as many as a mean may be of.

    Shrunken means tell the mean they are drawn to, which is of all groups: the shown ones and it give away the mean of
    those that are left, as a total would. Rounded ones do not tell it well enough.

    Examples
    --------
    >>> _further_shrunken({("A",): 8, ("B",): 30, ("C",): 12, ("Total",): 50}, {("A",)}, 10)
    {('C',)}
    """
    inner = {row: size for row, size in sizes.items() if size and TOTAL not in row}
    left = sum(size for row, size in inner.items() if row in without)
    found = set[Values]()
    for size, row in sorted((size, row) for row, size in inner.items() if row not in without):
        if 0 < left < minimum:
            found.add(row)
            left += size
    return found


def with_what_follows(flags: Mapping[str, list[bool]], shape: Shape) -> dict[str, list[bool]]:
    """Flags of what is hidden in each column, with all that is worked out of it.

    Examples
    --------
    >>> from safeguarding_analytics.shapes import SHAPES
    >>> with_what_follows({"n_up": [True, False], "share_after": [False, False]}, SHAPES["item_change"])["share_after"]
    [True, False]
    """
    found = dict(flags)
    for column, needed in WORKED_OUT_OF.get(shape.name, {}).items():
        if column in found:
            behind = [found[name] for name in needed if name in found]
            found[column] = [any(row) for row in zip(found[column], *behind, strict=True)]
    return found


def with_correction(table: pl.DataFrame) -> pl.DataFrame:
    """The table with p-values that are corrected by those that are shown, where some are hidden."""
    if "p_holm" not in table.columns or not (table["mark"] != "").any():
        return table
    return table.with_columns(corrected_by_what_is_shown(table))


def with_nulls(frame: pl.DataFrame, flags: Mapping[str, list[bool]], policy: Policy) -> pl.DataFrame:
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


def _without_lone_shares(frame: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """A share is shown only where everything is that it is worked out of."""
    needed = {share: of for share, of in WORKED_OUT_OF.get(shape.name, {}).items() if share in frame.columns}
    return frame.with_columns(
        pl.when(pl.all_horizontal(pl.col([name for name in of if name in frame.columns]).is_not_null())).then(share)
        for share, of in needed.items()
    )


def _in_order(table: pl.DataFrame, shape: Shape) -> pl.DataFrame:
    """A table that may be sorted by a number of which some are hidden stands in the order of its groups instead.

    The place of a hidden number among others in order would tell its size. Rows of groups and each kind of margins are
    looked at by themselves, as margins may stand anywhere among the rows.
    """
    groups = shape.group_columns(table.columns)
    if not groups:
        return table
    is_total = [pl.col(group).cast(pl.String).eq_missing(TOTAL) for group in groups]
    kinds = table.select(is_total).rows()
    parts = [table.filter(pl.Series([kind == one for kind in kinds], dtype=pl.Boolean)) for one in set(kinds)]
    if not any(_may_tell_by_order(part, groups, number_columns(table, shape)) for part in parts):
        return table
    return table.sort([*is_total, *groups], nulls_last=True)


def _may_tell_by_order(rows: pl.DataFrame, groups: list[str], numbers: list[str]) -> bool:
    """Whether rows with hidden numbers may be sorted by one of their numbers and not by their groups.

    They may be where the shown numbers rise, or fall, from row to row: in all rows, or as long as the first of the
    group columns stay the same. Fewer than `STEPS` such steps are taken for chance.
    """
    names = rows.select(groups)
    if not (rows["mark"] != "").any() or any(names.equals(names.sort(groups, nulls_last=end)) for end in (False, True)):
        return False
    within = [names.select(pl.struct(groups[:size]).rle_id()).to_series().to_list() for size in range(1, len(groups))]
    runs = [[0] * rows.height, *within]
    shown = [rows[number].to_list() for number in numbers if rows.schema[number].is_numeric()]
    return any(_all_rise_or_all_fall(run, values) for run in runs for values in shown)


def _all_rise_or_all_fall(runs: Sequence[int], values: Sequence[float | None]) -> bool:
    """Whether values never fall within a run, or never rise; those that are not known are passed over."""
    known = [(run, value) for run, value in zip(runs, values, strict=True) if value is not None]
    steps = [second - first for (one, first), (other, second) in pairwise(known) if one == other]
    return len(steps) >= STEPS and (min(steps) >= 0 or max(steps) <= 0)
