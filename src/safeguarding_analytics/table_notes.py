"""What is said of a table beside its broken rules: columns that are not used, and what it cannot answer."""

from __future__ import annotations

from datetime import date

import polars as pl

from safeguarding_analytics.contracts import CONFIG, no_problems, say_values
from safeguarding_analytics.errors import numbered, shorten
from safeguarding_analytics.personal import looks_personal
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.tables import TABLES


def not_yet_held(bookings: pl.DataFrame, sessions: pl.DataFrame, as_at: date | None) -> pl.DataFrame:
    """Report bookings as attended of sessions that are held after the date of the evaluation."""
    if as_at is None:
        return no_problems()
    later = sessions.filter(pl.col("date") > as_at).select("session")
    rows = bookings.filter(pl.col("status") == "attended").join(later, on="session", how="semi")
    return rows.sort(ROW).select(
        pl.lit("bookings").alias("table"),
        pl.col(ROW).alias("row"),
        pl.lit("status").alias("column"),
        pl.lit(
            f"a session held by {as_at}, the as_at under [board] in {CONFIG}, where the status is attended. "
            "Correct the status or the date of the session, or set a later as_at"
        ).alias("rule"),
        pl.lit('"attended"').alias("found"),
    )


def say_unused(found: list[str], used: list[str]) -> list[str]:
    """Name the columns that are left out, and say how to keep one, where that is allowed."""
    how = "; to group by it, name it under [columns] in board.toml"
    return [
        f"column {name} is not in the contract and is not used{'' if looks_personal(name) else how}"
        for name in found
        if name not in used
    ]


def say_uncounted(plans: pl.DataFrame) -> list[str]:
    """Say how many plans have no number of previous plans: unknown is not 0."""
    empty = plans["previous_plans"].null_count() if "previous_plans" in plans.columns else 0
    if not empty:
        return []
    has, are = ("has", "it is") if empty == 1 else ("have", "they are")
    return [f"{numbered(empty, 'plan')} {has} an empty previous_plans, so {are} in neither number of the repeat rate"]


def say_of_others(plans: pl.DataFrame, authority: str | None) -> list[str]:
    """Say how many plans are another authority's than that of the board."""
    if authority is None:
        return []
    others = plans.filter(pl.col("authority") != authority)["authority"]
    if others.is_empty():
        return []
    said = say_values(others.unique().sort().to_list(), "authority", TABLES["plans"], plans, [authority])
    return [
        f"{len(others):,} of {numbered(plans.height, 'plan')} {'is' if len(others) == 1 else 'are'} not of the "
        f"authority in board.toml, {authority}, but of {shorten(list(dict.fromkeys(said.values())))}"
    ]
