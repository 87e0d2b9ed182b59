"""One area of a board: which rows are of it, what the board then is, and its published tables beside those of all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Self

import polars as pl

from safeguarding_analytics.config import ComparatorsSection, Config
from safeguarding_analytics.errors import ParameterError, nearest
from safeguarding_analytics.safe import Safe, number_columns
from safeguarding_analytics.tables import TABLES

AREA_COLUMNS = ("district", "area", "agency", "authority")
"""Columns of a board's tables by which a report may be made for each."""

DESCRIBING = ("agencies", "sessions", "items", "issues")
"""Tables that say what others refer to, and so are the same for all areas where they have not the column."""


@dataclass(frozen=True)
class Area:
    """A value of a column of the board's tables, such as one of its districts."""

    column: str
    value: str

    @classmethod
    def of(cls, text: str) -> Self:
        """The area that a text such as ``district=Thanet`` names.

        Raises
        ------
        ParameterError
            When it is not written so, or the column is none of `AREA_COLUMNS`.
        """
        column, equals, value = (part.strip() for part in text.partition("="))
        if not equals or not value:
            raise ParameterError(f'area must be a column and a value, such as district=Thanet. Found: "{text}".')
        return cls(checked_column(column), value)

    def __str__(self) -> str:
        return f"{self.column}={self.value}"

    def rows(self, frame: pl.DataFrame) -> pl.DataFrame:
        """The rows of this area; those without a value are of none."""
        return frame.filter(pl.col(self.column) == self.value)


def checked_column(column: str) -> str:
    """A column by which reports may be made; a `ParameterError` where it is none."""
    if column not in AREA_COLUMNS:
        raise ParameterError(
            f'"{column}" is no column by which reports are made.{nearest(column, AREA_COLUMNS)} '
            f"Known: {', '.join(AREA_COLUMNS)}."
        )
    return column


def references(table: str) -> dict[str, tuple[str, str]]:
    """Which table, and which of its columns, each column of a table refers to."""
    found = {name: (rule.metadata or {}).get("references", "") for name, rule in TABLES[table].columns().items()}
    return {name: (target.partition(".")[0], target.partition(".")[2]) for name, target in found.items() if target}


def told_apart(columns: Mapping[str, Iterable[str]], by: str) -> dict[str, str]:
    """How each table of a board is told apart by area.

    Parameters
    ----------
    columns
        The columns of each table that the board holds.
    by
        The column of the areas.

    Returns
    -------
    dict[str, str]
        Per table ``""`` where it has the column; the column through which its rows belong to rows of a table that is
        told apart; its own name where it is the same for all areas (`DESCRIBING`). A table that is left out counts
        something of which nobody can tell the areas.

    Examples
    --------
    >>> found = told_apart({"sessions": ["district"], "scores": ["session", "item"], "items": []}, "district")
    >>> found, "workforce" in told_apart({"workforce": ["agency"]}, "district")
    ({'sessions': '', 'scores': 'session', 'items': 'items'}, False)
    """
    found = {table: "" for table, names in columns.items() if by in names}
    for table in columns:
        through = [name for name, (target, _) in references(table).items() if found.get(target) == ""]
        if table not in found and through:
            found[table] = through[0]
    return found | {table: table for table in columns if table in DESCRIBING and table not in found}


def with_history(plans: pl.DataFrame) -> pl.DataFrame:
    """Plans whose ``previous_plans`` count at least those that stand in the table, whatever their area.

    Whether a plan is a second or later one is then known of the rows of one area alone. What is unknown stays so.

    Examples
    --------
    >>> from datetime import date
    >>> days = [date(2007, 4, 1), date(2008, 4, 1), date(2008, 5, 1)]
    >>> plans = {"plan": ["a", "b", "c"], "child": ["C1", "C1", "C2"], "authority": ["Kent"] * 3, "start_date": days}
    >>> with_history(pl.DataFrame(plans | {"previous_plans": [0, 0, None]}))["previous_plans"].to_list()
    [0, 1, None]
    """
    order = pl.struct("start_date", "plan").rank("ordinal").over("child", "authority").cast(pl.Int64) - 1
    known = pl.col("previous_plans").is_not_null()
    return plans.with_columns(pl.when(known).then(pl.max_horizontal("previous_plans", order)).alias("previous_plans"))


def config_of(config: Config, area: Area) -> Config:
    """The settings of a board for one of its areas: by its name, and without figures that are published of the whole.

    Targets and comparators are those of the board, and nothing of an area can be set beside them. Where each area is a
    local authority, its plans are those of that authority.
    """
    named = {"name": f"{config.board.name}: {area.value}"}
    board = config.board.model_copy(update=named | ({"authority": area.value} if area.column == "authority" else {}))
    own = {name: target for name, target in config.training.district_targets.items() if str(area) == f"district={name}"}
    training = config.training.model_copy(update={"target": own.get(area.value), "district_targets": own})
    return config.model_copy(update={"board": board, "training": training, "comparators": ComparatorsSection()})


def in_the_whole(table: Safe, area: Area) -> Safe:
    """A published table of an area as one of the whole board: with a column that says of which area it is.

    What it calls a total over its only area is that area.
    """
    frame = table.frame()
    if area.column not in frame.columns:
        return Safe(frame.select(pl.lit(area.value).alias(area.column), pl.all()), table.policy, table.source)
    named = frame.with_columns(pl.lit(area.value).alias(area.column))
    groups = table.shape.group_columns(frame.columns)
    return Safe(named.unique(groups, keep="first", maintain_order=True), table.policy, table.source)


def as_it_was(table: Safe, hidden: Safe, area: Area) -> Safe:
    """A published table of an area with everything hidden that its counterpart of the whole board hides."""
    frame, seen = table.frame(), hidden.frame()
    groups = table.shape.group_columns(seen.columns)
    place = {row: number for number, row in enumerate(seen.select(groups).rows())}
    named = frame.with_columns(pl.lit(area.value).alias(area.column)).select(groups)
    counterpart = seen[[place[row] for row in named.rows()]]
    columns = [*number_columns(frame, table.shape), "mark"]
    return Safe(frame.with_columns(counterpart.select(columns)), table.policy, table.source)
