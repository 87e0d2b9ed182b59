"""Sessions as an export of bookings tells of them, once in every booking → one row per session."""

from __future__ import annotations

import polars as pl

from safeguarding_analytics.errors import numbered
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.worksheets import Mistake, say_rows
from safeguarding_analytics.tables import Sessions

SPAN = 60
"""Days. A course whose days lie further apart is hardly one session."""

NO_SESSIONS = pl.DataFrame(schema=dict.fromkeys(Sessions.columns(), pl.String) | {ROW: pl.Int64})

_SAME = {
    "course": "one course per session. If it was renamed, add its old and its new name under [sessions.course] in "
    'board.toml, such as "Old name" = "New name"',
    "training_level": "one level per session",
    "district": "one district per session",
    "area": "one area per session",
    "kind": "one kind per session",
    "capacity": "one number of places per session. Correct the rows, so that it is known how many places there were",
    "cost": "one cost per session: of the whole session, not of a place in it",
}
"""What is the same in all rows of a session; its venue and half of the day may change from day to day."""


def one_per_session(rows: pl.DataFrame) -> tuple[pl.DataFrame, tuple[Mistake, ...], tuple[str, ...]]:
    """Put together what the rows of an export say of their session.

    Parameters
    ----------
    rows
        One row per row of the export: session, the columns of sessions as text, date, and `ROW`.

    Returns
    -------
    tuple[pl.DataFrame, tuple[Mistake, ...], tuple[str, ...]]
        One row per session as text, in the order of their first rows, with the number of the first row as `ROW` and the
        first day as its date; rows that differ from most of their session; notes.

    Examples
    --------
    >>> rows = NO_SESSIONS.clear(2).with_columns(
    ...     pl.lit("s1").alias("session"), pl.Series("row_number", [2, 3]), pl.Series("capacity", ["20", "20"])
    ... )
    >>> one_per_session(rows)[0].select("session", "capacity", "row_number").rows()
    [('s1', '20', 2)]
    """
    known = rows.filter(pl.col("session").is_not_null()).sort(ROW)
    columns = [name for name in Sessions.columns() if name not in ("session", "date")]
    day = pl.col("date").cast(pl.Date)
    sessions = known.group_by("session", maintain_order=True).agg(
        *(pl.col(name).drop_nulls().first() for name in columns),
        day.min().alias("date"),
        ((day.max() - day.min()).dt.total_days()).alias("span"),
        pl.col("half_day").drop_nulls().n_unique().alias("halves"),
        pl.col(ROW).first(),
    )
    notes = []
    both = sessions.filter(pl.col("halves") > 1)
    if both.height:
        notes.append(
            f"{numbered(both.height, 'session')} in the morning and in the afternoon, so without a half of the day"
        )
    wide = sessions.filter(pl.col("span") > SPAN)
    if wide.height:
        notes.append(
            f"{numbered(wide.height, 'session')} with days more than {SPAN} days apart, all counted on the first of "
            "them: if one code stands for several sessions, name the date as well for session under "
            f"[bookings_export.columns]. First {say_rows(wide[ROW].to_list())}"
        )
    mistakes = [
        Mistake(name, rule, tuple(differing))
        for name, rule in _SAME.items()
        if (differing := _differing(known.select("session", name, ROW), name))
    ]
    one_half = pl.when(pl.col("halves") <= 1).then("half_day").alias("half_day")
    text = sessions.with_columns(one_half, pl.col("date").cast(pl.String)).select(*Sessions.columns(), ROW)
    return text, tuple(mistakes), tuple(notes)


def _differing(rows: pl.DataFrame, name: str) -> list[int]:
    """Rows whose value is not that of most rows of their session; of as many, the earlier value counts."""
    values = (
        rows.filter(pl.col(name).is_not_null())
        .group_by("session", name)
        .agg(pl.len().alias("times"), pl.col(ROW).min().alias("first"))
        .sort("session", "times", "first", descending=[False, True, False])
        .with_columns(pl.int_range(pl.len()).over("session").alias("place"))
    )
    others = values.filter(pl.col("place") > 0)
    return rows.join(others, on=["session", name], how="semi")[ROW].sort().to_list()
