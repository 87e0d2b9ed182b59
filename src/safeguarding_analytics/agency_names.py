"""What agencies are called in exports, and what they became: aliases, proposals for new ones, mergers."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date
from difflib import SequenceMatcher

import polars as pl

from safeguarding_analytics.contracts import PROBLEMS, no_problems
from safeguarding_analytics.errors import numbered
from safeguarding_analytics.sources.files import ROW

MERGED = ("workforce", "bookings", "staff", "training_records", "scores")
"""Tables whose rows count under the successor of a merged agency."""

ALIKE = 0.6
"""From this similarity on, 0 to 1, a name is proposed as an alias."""

_WORKFORCE_KEY = ["agency", "training_level", "target_group", "time_period"]


def claims(agencies: pl.DataFrame) -> pl.DataFrame:
    """One row per agency and name it goes by, its own or an alias; contested where another agency claims it too."""
    names = pl.concat_list(pl.concat_list("agency"), pl.col("aliases").fill_null("").str.split(";"))
    lower = pl.col("name").str.to_lowercase()
    return (
        agencies.filter(pl.col("agency").is_not_null())
        .select(ROW, "agency", names.alias("name"))
        .explode("name")
        .with_columns(pl.col("name").str.strip_chars())
        .filter(pl.col("name") != "")
        .with_columns((pl.col("agency").n_unique().over(lower) > 1).alias("contested"))
    )


def contested(known: pl.DataFrame) -> pl.DataFrame:
    """One report row per agency whose name or aliases another one has too. Wants `claims`."""
    rows = (
        known.filter("contested")
        .group_by(ROW)
        .agg(pl.format('"{}"', "name").unique(maintain_order=True).alias("found"))
    )
    return rows.sort(ROW).select(
        pl.lit("agencies").alias("table"),
        pl.col(ROW).alias("row"),
        pl.lit("aliases").alias("column"),
        pl.lit("a name or alias that one agency alone has, whatever its case").alias("rule"),
        pl.col("found").list.join(", "),
    )


def propose_aliases(found: pl.Series, agencies: pl.DataFrame) -> pl.DataFrame:
    """Names of agencies that are not known, each with the agency it may stand for. Nothing is applied.

    Parameters
    ----------
    found
        Names as an export or another table holds them, one per row; null where there is none.
    agencies
        One row per agency: agency, aliases (separated by ";").

    Returns
    -------
    pl.DataFrame
        One row per unknown name: name (as it is spelled most often), rows (rows that hold it, in any case), proposal
        (the agency that is most alike; null where none is), similarity (0 to 1). Proposals first, the most alike
        before the others, then names without one by their rows. A name that stands in one row only and resembles no
        agency is left out, because it may be a person's.

    Notes
    -----
    Compared without case and signs, "&" read as "and". Similarity is the larger of two: twice the letters in common, in
    their order, divided by all letters (Ratcliff and Obershelp, as in Python's difflib), once in the order of the
    words and once with the words sorted; initials that stand for an agency ("KCC" for Kent County Council) count 0.9.
    A proposal is a guess by spelling: whether it is right, only somebody who knows the agencies can say.

    References
    ----------
    Ratcliff and Metzener, Pattern Matching: The Gestalt Approach, Dr. Dobb's Journal, July 1988.

    Examples
    --------
    >>> import polars as pl
    >>> agencies = pl.DataFrame({"agency": ["Kent Police", "Kent County Council"], "aliases": [None, None]})
    >>> propose_aliases(pl.Series(["Kent Polise", "KCC", "KCC", "Kent Police"]), agencies).rows()
    [('Kent Polise', 1, 'Kent Police', 0.91), ('KCC', 2, 'Kent County Council', 0.9)]
    """
    aliases = agencies["aliases"] if "aliases" in agencies.columns else [None] * agencies.height
    goes_by = {
        name.strip(): agency
        for agency, others in zip(agencies["agency"], aliases, strict=True)
        if agency
        for name in (agency, *(others or "").split(";"))
        if name.strip()
    }
    known = {name.casefold() for name in goes_by}
    names = found.cast(pl.String).str.strip_chars()
    counted = (
        pl.DataFrame({"name": names.filter(names.is_not_null() & (names != ""))})
        .with_columns(pl.col("name").str.to_lowercase().alias("lower"))
        .group_by("lower", "name")
        .len("rows")
        .sort("lower", "rows", "name", descending=[False, True, False])
        .group_by("lower", maintain_order=True)
        .agg(pl.col("name").first(), pl.col("rows").sum().cast(pl.Int64))
        .filter(~pl.col("lower").is_in(list(known)))
    )
    nearest = [_most_alike(name, goes_by) for name in counted["name"]]
    schema = {"name": pl.String, "rows": pl.Int64, "proposal": pl.String, "similarity": pl.Float64}
    proposals = pl.DataFrame(
        [
            (name, rows, agency if likeness >= ALIKE else None, likeness)
            for (name, rows), (agency, likeness) in zip(
                counted.select("name", "rows").iter_rows(), nearest, strict=True
            )
            if likeness >= ALIKE or rows > 1
        ],
        schema=schema,
        orient="row",
    )
    alike = pl.when(pl.col("proposal").is_not_null()).then("similarity")
    return proposals.with_columns(alike.alias("similarity")).sort(
        "similarity", "rows", "name", descending=[True, True, False], nulls_last=True
    )


def alias_lines(proposals: pl.DataFrame) -> list[str]:
    r"""Proposals as lines of `board.toml`, to be pasted under ``[bookings.agency]`` after a look at each.

    Examples
    --------
    >>> import polars as pl
    >>> alias_lines(pl.DataFrame({"name": ["KCC", 'The "Hub"'], "proposal": ["Kent County Council", None]}))
    ['"KCC" = "Kent County Council"', '# "The \\"Hub\\"" = ""']
    """
    return [
        f'"{_escaped(name)}" = "{_escaped(proposal)}"' if proposal else f'# "{_escaped(name)}" = ""'
        for name, proposal in proposals.select("name", "proposal").iter_rows()
    ]


def _escaped(text: str) -> str:
    plain = " ".join(re.sub(r"[\x00-\x1f\x7f]", " ", text).split())
    return plain.replace("\\", "\\\\").replace('"', '\\"')


def _most_alike(name: str, goes_by: Mapping[str, str]) -> tuple[str, float]:
    """The agency most alike, and how alike it is; the first by name where several are."""
    scores = [(-round(_likeness(name, each), 2), agency) for each, agency in goes_by.items()]
    score, agency = min(scores, default=(0.0, ""))
    return agency, -score


def _likeness(one: str, other: str) -> float:
    first, second = _words(one), _words(other)
    if not first or not second:
        return 0.0
    if _initials(one) and one.strip(". ").casefold() == _short(second):
        return 0.9
    if _initials(other) and other.strip(". ").casefold() == _short(first):
        return 0.9
    in_order = SequenceMatcher(None, " ".join(first), " ".join(second), autojunk=False).ratio()
    any_order = SequenceMatcher(None, " ".join(sorted(first)), " ".join(sorted(second)), autojunk=False).ratio()
    return max(in_order, any_order)


def _words(name: str) -> list[str]:
    return re.sub(r"[\W_]+", " ", name.casefold().replace("&", " and ")).split()[:20]


def _initials(name: str) -> bool:
    return name.strip().isupper() and 2 <= len(name.strip()) <= 6


def _short(words: list[str]) -> str:
    return "".join(word[0] for word in words if word not in ("and", "of", "the", "for", "in"))


@dataclass(frozen=True)
class Mergers:
    """Agencies that became part of another one: their last successor, and what is wrong with them."""

    successors: Mapping[str, str]
    problems: pl.DataFrame
    days: Mapping[str, date] = field(default_factory=dict)

    def rename(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Put the successor in the place of each merged agency."""
        return frame.with_columns(pl.col("agency").replace(dict(self.successors))) if self.successors else frame


def mergers_of(agencies: pl.DataFrame, as_at: date | None) -> Mergers:
    """Follow every merger to the agency that is there in the end.

    Parameters
    ----------
    agencies
        One row per agency: agency, merged_into, merged_on, and `ROW`.
    as_at
        Date of the evaluation: a later merger has not happened yet. None to take all of them.

    Returns
    -------
    Mergers
        Successor by agency; agencies that merge in a circle have none and are reported.
    """
    merged = agencies.filter(pl.col("agency").is_not_null() & pl.col("merged_into").is_not_null())
    if as_at is not None:
        merged = merged.filter(pl.col("merged_on").is_null() | (pl.col("merged_on") <= as_at))
    into = dict(merged.select("agency", "merged_into").iter_rows())
    ends = {agency: _end_of(agency, into) for agency in into}
    circles = merged.filter(pl.col("agency").is_in([agency for agency, end in ends.items() if end is None]))
    problems = circles.filter(pl.col("merged_into") != pl.col("agency")).select(
        pl.lit("agencies").alias("table"),
        pl.col(ROW).alias("row"),
        pl.lit("merged_into").alias("column"),
        pl.lit("an agency that is there in the end: these merge in a circle").alias("rule"),
        pl.format('"{}"', "merged_into").alias("found"),
    )
    return Mergers(
        {agency: end for agency, end in ends.items() if end is not None},
        pl.concat([no_problems(), problems.match_to_schema(PROBLEMS)]),
        dict(merged.drop_nulls("merged_on").select("agency", "merged_on").iter_rows()),
    )


def _end_of(agency: str, into: Mapping[str, str]) -> str | None:
    seen = [agency]
    while (successor := into.get(seen[-1])) is not None:
        if successor in seen:
            return None
        seen.append(successor)
    return seen[-1]


def merge_rows(table: str, frame: pl.DataFrame, mergers: Mergers) -> pl.DataFrame:
    """A table with the rows of merged agencies under their successors.

    Head-counts of the workforce that then share a key are added up; unknown where one of them is. Of two staff records
    of one person the successor's own is kept.
    """
    moved = frame["agency"].is_in(list(mergers.successors))
    if not moved.any():
        return frame
    renamed = mergers.rename(frame.with_columns(moved.alias("moved")))
    if table == "staff":
        renamed = renamed.sort("moved", maintain_order=True).unique(
            ["person", "agency"], keep="first", maintain_order=True
        )
    if table == "workforce":
        others = [name for name in frame.columns if name not in (*_WORKFORCE_KEY, "eligible_staff")]
        same = pl.when(pl.col(*others).n_unique() == 1).then(pl.col(*others).first()) if others else None
        staff = pl.col("eligible_staff")
        renamed = renamed.group_by(_WORKFORCE_KEY, maintain_order=True).agg(
            pl.when(staff.is_null().any()).then(None).otherwise(staff.sum()).alias("eligible_staff"),
            *([same] if same is not None else []),
        )
    return renamed.select(frame.columns)


def counted_twice(workforce: pl.DataFrame, mergers: Mergers) -> pl.DataFrame:
    """Report returns of merged agencies for which the successor has made one as well: both may hold the same staff.

    In a year that had ended before the merger both made a return of their own, and nobody stands in two.
    """
    moved = workforce["agency"].is_in(list(mergers.successors))
    own = workforce.filter(~moved).select(_WORKFORCE_KEY)
    earlier = mergers.rename(workforce.filter(moved).with_columns(pl.col("agency").alias("earlier")))
    ended = pl.format("{}-03-31", "time_period").str.to_date(strict=False)
    day = pl.col("earlier").replace_strict(dict(mergers.days), default=None, return_dtype=pl.Date)
    return (
        earlier.filter((ended < day).not_().fill_null(value=True))
        .join(own, on=_WORKFORCE_KEY, how="semi")
        .sort(ROW)
        .select(
            pl.lit("workforce").alias("table"),
            pl.col(ROW).alias("row"),
            pl.lit("agency").alias("column"),
            pl.lit(
                "one return per level, group and period of an agency and those merged into it. The successor has made "
                "one of its own: are these staff counted twice? Delete the row if the successor's return holds them, "
                "or else add both numbers up in one row"
            ).alias("rule"),
            pl.format('"{}"', "earlier").alias("found"),
        )
    )


def notes_of_mergers(table: str, frame: pl.DataFrame, mergers: Mergers) -> list[str]:
    """How many rows count under which successor."""
    moved = frame.filter(pl.col("agency").is_in(list(mergers.successors)))
    rows = moved.select("agency").with_columns(pl.col("agency").replace(dict(mergers.successors)).alias("successor"))
    notes = []
    for (successor,), group in rows.sort("successor", "agency").group_by("successor", maintain_order=True):
        agencies = _listed(group["agency"].unique().sort())
        notes.append(
            f"{numbered(group.height, 'row')} of {agencies} {'counts' if group.height == 1 else 'count'} under "
            f"{successor}, into which {'it' if group['agency'].n_unique() == 1 else 'they'} merged"
        )
    if table == "staff" and moved.height:
        lost = frame.height - merge_rows(table, frame, mergers).height
        if lost:
            notes.append(f"{numbered(lost, 'staff record')} left out, because the successor has one of the same person")
    return notes


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
