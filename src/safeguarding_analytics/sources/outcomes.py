"""What became of bookings: words of booking systems → ours; repeated rows and days of a course → one per booking."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import polars as pl

from safeguarding_analytics.errors import numbered
from safeguarding_analytics.sources.files import ROW, plain_name
from safeguarding_analytics.sources.worksheets import say_rows

WALK_IN, PARTLY = "walk_in", "partly_attended"
STRENGTH = ("attended", "did_not_attend", "cancelled", "booked", "waitlisted")
"""Outcomes, the strongest first: what is certain of a person outweighs what was planned."""

OUTCOMES = (*STRENGTH, WALK_IN, PARTLY)
"""What a word of a booking system can stand for."""

_SYNONYMS = {
    "attended": "attended, attend, present, complete, completed, passed, attended in full, fully attended, attendance",
    PARTLY: "partially attended, partly attended, part attended, partial, partial attendance, left early",
    "did_not_attend": "dna, did not attend, no show, noshow, non attendance, not attended, absent, did not arrive, "
    "failed to attend, fta, non attender, unauthorised absence",
    "cancelled": "cancelled, canceled, cancellation, cancel, late cancellation, late cancel, cancelled late, "
    "withdrawn, "
    "withdrew, booking cancelled, user cancelled, cancelled by learner, cancelled by user",
    "booked": "booked, confirmed, registered, enrolled, reserved, booking confirmed, place confirmed",
    "waitlisted": "waitlisted, waitlist, wait listed, wait list, waiting list, on waiting list, waiting, reserve list",
    WALK_IN: "walk in, walkin, walked in, walk up, unscheduled, unbooked, attended not booked, attended unbooked, "
    "attended without booking, turned up",
}


def plain_word(word: str) -> str:
    """A word without its case and signs.

    Examples
    --------
    >>> plain_word("D.N.A."), plain_word("No-show *")
    ('dna', 'no_show')
    """
    return plain_name(re.sub(r"[^\w\s-]", "", word))


BUILT_IN = {plain_word(word): outcome for outcome, words in _SYNONYMS.items() for word in words.split(", ")}
"""Words that booking systems use, plain, and what they stand for."""

BOOKED_WORDS = (
    {"booked": "yes", "online": "yes", "pre_booked": "yes", "prebooked": "yes", "in_advance": "yes"}
    | {word: "no" for word, outcome in BUILT_IN.items() if outcome == WALK_IN}
    | {"on_the_day": "no", "drop_in": "no", "not_booked": "no"}
)


@dataclass(frozen=True)
class Statuses:
    """Outcome per row (null where the cell is empty or its word is not known), and the words that are not known."""

    outcomes: pl.Series
    unknown: pl.DataFrame


def outcomes_of(cells: pl.DataFrame, words: Mapping[str, str]) -> Statuses:
    """Translate the words of a booking system.

    Parameters
    ----------
    cells
        Column status, and `ROW`.
    words
        The board's own words, before those that are built in.

    Examples
    --------
    >>> import polars as pl
    >>> cells = pl.DataFrame({"status": ["No-show", "Walk in", "Done"], "row_number": [2, 3, 4]})
    >>> found = outcomes_of(cells, {})
    >>> found.outcomes.to_list(), found.unknown["row_number"].to_list()
    (['did_not_attend', 'walk_in', None], [4])
    """
    known = BUILT_IN | {plain_word(word): outcome for word, outcome in words.items()}
    different = cells["status"].drop_nulls().unique().to_list()
    meant = [known.get(plain_word(word)) for word in different]
    outcomes = cells["status"].replace_strict(different, meant, default=None, return_dtype=pl.String)
    return Statuses(outcomes, cells.filter(cells["status"].is_not_null() & outcomes.is_null()).select(ROW, "status"))


def one_per_booking(
    rows: pl.DataFrame, days: Literal["all", "any"], keep: Sequence[str]
) -> tuple[pl.DataFrame, list[str]]:
    """One row per person and session from rows that may be repeated, and may be of single days.

    Parameters
    ----------
    rows
        session, person, day (null where not known), status (one of `STRENGTH` or null), booked, `ROW`, and columns to
        keep.
    days
        Whether all days of a person's booking must have been attended, or any.
    keep
        Columns whose value is that of the first row that counts.

    Returns
    -------
    tuple[pl.DataFrame, list[str]]
        The bookings in the order of their first rows, and notes on what was left out.
    """
    strengths = {status: number for number, status in enumerate(STRENGTH)}
    strength = pl.col("status").replace_strict(strengths, default=len(STRENGTH), return_dtype=pl.Int64)
    key = ["session", "person"]
    ranked = rows.with_columns(strength.alias("strength")).sort("strength", ROW)
    by_day = ranked.group_by([*key, "day"], maintain_order=True).agg(
        pl.col(ROW, "status", "strength", *keep).first(),
        pl.col("booked").cast(pl.Int8).max().cast(pl.Boolean),
        pl.col(ROW).alias("rows"),
        pl.col("status").drop_nulls().unique(maintain_order=True).alias("statuses"),
        pl.col("agency").drop_nulls().unique().alias("agencies"),
    )
    repeated = by_day.filter(pl.col("rows").list.len() > 1)
    notes = _say_repeated(repeated) + _say_agencies(by_day)
    several = by_day.sort(ROW).group_by(key, maintain_order=True)
    attended = pl.col("strength") == 0
    chosen = pl.when(attended.all()).then(0).otherwise(pl.col("strength").filter(~attended).min())
    bookings = several.agg(
        (chosen if days == "all" else pl.col("strength").min()).alias("strength"),
        pl.col("booked").cast(pl.Int8).max().cast(pl.Boolean),
        pl.col(*keep).first(),
        pl.col(ROW).min(),
        pl.len().cast(pl.Int64).alias("days"),
        (attended.any() & ~attended.all()).alias("partly"),
        pl.col(ROW).alias("rows"),
    ).with_columns(
        pl.col("strength")
        .replace_strict(dict(enumerate(STRENGTH)), default=None, return_dtype=pl.String)
        .alias("status")
    )
    notes += _say_days(bookings, days)
    return bookings.sort(ROW).drop("strength", "partly", "rows"), notes


def _say_repeated(repeated: pl.DataFrame) -> list[str]:
    if repeated.is_empty():
        return []
    left_out = repeated.select(pl.col("rows").list.slice(1).explode()).to_series().sort().to_list()
    one = len(left_out) == 1
    notes = [
        f"{numbered(len(left_out), 'row')} {'repeats' if one else 'repeat'} the person, session and day of "
        f"another and {'is' if one else 'are'} left out, the strongest outcome being kept "
        f"({', '.join(STRENGTH)}): {say_rows(left_out)}"
    ]
    against = repeated.filter(pl.col("statuses").list.len() > 1).with_columns(
        pl.col("statuses").list.sort().list.join(" and ").alias("words")
    )
    for (words,), group in against.sort("words", ROW).group_by("words", maintain_order=True):
        rows = group.select(pl.col("rows").explode()).to_series().sort().to_list()
        notes.append(
            f"{numbered(group.height, 'booking')} contradict{'s itself' if group.height == 1 else ' themselves'} "
            f"on one day ({words}): {say_rows(rows)}"
        )
    return notes


def _say_agencies(by_day: pl.DataFrame) -> list[str]:
    several = (
        by_day.group_by("session", "person")
        .agg(pl.col("agencies").explode().drop_nulls().n_unique().alias("agencies"), pl.col("rows").explode())
        .filter(pl.col("agencies") > 1)
    )
    if several.is_empty():
        return []
    rows = several.select(pl.col("rows").explode()).to_series().sort().to_list()
    return [
        f"{numbered(several.height, 'booking')} under more than one agency, of which that of the row kept counts: "
        f"{say_rows(rows)}"
    ]


def _say_days(bookings: pl.DataFrame, days: str) -> list[str]:
    several = bookings.filter(pl.col("days") > 1)
    if several.is_empty():
        return []
    notes = [
        f"{numbered(int(several['days'].sum()), 'row')} of single days became {numbered(several.height, 'booking')} of "
        "courses of several days"
    ]
    partly = several.filter("partly")
    if partly.height:
        rows = partly.select(pl.col("rows").explode()).to_series().sort().to_list()
        what = "as attended, because any day is enough" if days == "any" else "not as attended, because all days count"
        notes.append(
            f"{numbered(partly.height, 'person')} attended some days of a course only and "
            f"{'counts' if partly.height == 1 else 'count'} {what} (days under [bookings_export]): {say_rows(rows)}"
        )
    longest = bookings.select("session", "days").with_columns(pl.col("days").max().over("session").alias("longest"))
    fewer = bookings.filter((longest["days"] < longest["longest"]) & (pl.col("status") == "attended"))
    if fewer.height:
        notes.append(
            f"{numbered(fewer.height, 'booking')} counted as attended {'has' if fewer.height == 1 else 'have'} rows "
            f"for fewer days than others of the same session: {say_rows(fewer[ROW].to_list())}"
        )
    return notes
