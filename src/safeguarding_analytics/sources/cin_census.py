"""Yearly files of the children in need census → plans, conferences and reviews as text, without the children in them.

Identifiers of children are dropped here, and so is the key. What comes out goes through the same contract as clean
files; its problems are told by file and line.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from safeguarding_analytics.contracts import PROBLEMS, no_problems
from safeguarding_analytics.errors import TableError, in_words, numbered, shorten
from safeguarding_analytics.pseudonyms import Key, pseudonyms
from safeguarding_analytics.sources.census_steps import LINE, NUMBER
from safeguarding_analytics.sources.cin_records import (
    CHILD_NUMBER,
    DATE_WANTED,
    DETAIL,
    UNKNOWN,
    CensusYear,
    is_used,
    read_year,
    yes_no,
)
from safeguarding_analytics.sources.files import ROW

OF_TABLE = {"children": "plans", "enquiries": "conferences", "plans": "plans", "reviews": "reviews"}
"""Table of a board that records go into; the details have columns of several."""

OF_CHILD = ("children", "details", "enquiries", "plans", "reviews")
"""Records of a file that are those of a child."""

MOVED_AWAY = "RC5"

TOGETHER = 20_000
"""About so many enquiries and plans are joined at once."""

LOOKED_THROUGH = 50_000
"""So many records are looked through at once for those of a part."""


@dataclass(frozen=True)
class CinCensus:
    """Files of one authority, one per year, as a board's tables of text, each with `ROW`.

    ``complete_from`` and ``complete_to``: every plan that started between these days is in the table of plans; earlier
    ones are history. ``places`` says which line of which file a row is. ``years`` are the records that the rules of the
    census are about. Without the key, which is not in it, nothing tells whose a pseudonym is.
    """

    plans: pl.DataFrame
    conferences: pl.DataFrame
    reviews: pl.DataFrame
    header: pl.DataFrame
    complete_from: date
    complete_to: date
    notes: tuple[str, ...]
    problems: pl.DataFrame
    places: pl.DataFrame
    years: tuple[CensusYear, ...]
    digests: Mapping[str, str]

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems of a table by file, line and child, together with dates that could not be read.

        A cell that could not be read is empty to the contract, and is not reported twice.
        """
        own = self.problems.filter(pl.col("table").str.starts_with(f"{table}: "))
        placed = problems.join(
            self.places.filter(pl.col("table") == table).drop("table"), left_on="row", right_on=ROW, how="left"
        )
        named = placed.select(
            pl.coalesce(pl.format("{}: {}", pl.lit(table), "file"), "table").alias("table"),
            pl.col(LINE).alias("row"),
            "column",
            # The hint of `say_problems` would name the table and the file as a section of board.toml.
            pl.col("rule").str.replace("^one of: ", "one of "),
            pl.concat_str(_child(), "found", separator=", ", ignore_nulls=True).replace("", None).alias("found"),
        )
        others = named.join(own, on=["table", "row", "column"], how="anti", nulls_equal=True)
        return pl.concat([own, others]).sort("table", "row", "column", "rule")


def table_of(table: str, file: str) -> str:
    """What the rows of a file are called in a report on a table.

    Examples
    --------
    >>> table_of("plans", "census_2024.xml")
    'plans: census_2024.xml'
    """
    return f"{table}: {file}"


def read_cin_census(paths: Sequence[Path], key: Key | None, *, authority: str | None = None) -> CinCensus:
    """Read the files of the children in need census of some years.

    Parameters
    ----------
    paths
        XML files of one authority, one per census year, in any order.
    key
        Key of the pseudonyms. It is not kept. None only to check one file by itself: children are then numbered.
    authority
        Name of the authority as the board writes it; None for its number in the files.

    Returns
    -------
    CinCensus
        Tables of text for the contracts of plans, conferences and reviews. Row-level data, not suppressed.

    Raises
    ------
    TableError
        When a file cannot be read or has no reference date, two are of the same year, or authorities differ.

    Notes
    -----
    A census year ends on the reference date of the header, 31 March; where the header's year differs, a note says so.
    A plan of the same child and start in two files is one plan, and so is an enquiry: the later file counts. Reviews
    of all files count, each day once. Where a year lies between two files, what started before it is history only.

    An initial child protection conference stands at its section 47 enquiry or, without one, at the details. One that
    stands at both on the same day counts once. One that stands at the details alone is that of the latest enquiry of
    these details which had begun, has none of its own and needed one; else it is a conference without enquiry.

    A child moved (``moved_date``) where details were closed with the reason "moved to another authority" on or after
    the plan's end. Elements that the census has not, and stray text between elements, are left out.

    Rows have the order of the files as long as there are few; many are joined in parts, and stand part after part.

    References
    ----------
    DfE, Children in need census 2025 to 2026: guide to the data.
    """
    if not paths:
        raise TableError("the census: no file is named. Name at least one under cin_census in board.toml.")
    if key is None and len(paths) > 1:
        raise TableError("the census: without a key children cannot be followed from one file to the next. Give a key.")
    years = sorted((read_year(path, key) for path in paths), key=lambda year: year.reference_date)
    _refuse_mixed(years)
    first, notes = _first_complete(years)
    name = authority or years[-1].header.get("LEA") or "not known"
    parts = [_tables(part, name, key) for part in _parts(years)]
    tables = {table: _all_rows([part.tables.pop(table) for part in parts]) for table in _COLUMNS}
    places = pl.concat(
        frame.select(pl.lit(table).alias("table"), ROW, "file", LINE, CHILD_NUMBER) for table, frame in tables.items()
    )
    return CinCensus(
        **{table: frame.select(*_COLUMNS[table], ROW) for table, frame in tables.items()},
        header=_headers(years),
        complete_from=first,
        complete_to=years[-1].reference_date,
        notes=(*(note for year in years for note in year.notes), *notes, *_say_counts(parts, years[-1].ends_in)),
        problems=pl.concat([no_problems(), *(_unread_dates(year) for year in years)]),
        places=places,
        years=tuple(years),
        digests={year.file: year.digest for year in years},
    )


_COLUMNS = {
    "plans": (
        *("plan", "child", "authority", "district", "category", "start_date", "end_date", "previous_plans"),
        *("latest_category", "birth_date", "death_date", "moved_date"),
    ),
    "conferences": (
        *("conference", "child", "authority", "district", "section_47_start", "conference_date"),
        "not_required",
    ),
    "reviews": ("plan", "review_date"),
}


@dataclass(frozen=True)
class _Part:
    """Tables of some of the children, and how many of their records there is something to say of."""

    tables: dict[str, pl.DataFrame]
    gone: int
    of_details: int
    twice: int
    undated: int
    repeated: int


def _parts(years: Sequence[CensusYear]) -> Iterator[list[CensusYear]]:
    """The records of some children at a time, each child's together, so that what is joined stays small."""
    count = 1 + sum(year.enquiries.height + year.plans.height for year in years) // TOGETHER
    which = pl.col("child").hash() % count
    looked_at = pl.col("conference_date").is_not_null() | pl.col("reason_for_closure").is_not_null()
    for part in range(count):
        of_part = dict.fromkeys(OF_CHILD, which == part) | {"details": looked_at & (which == part)}
        yield [_chosen(year, of_part) for year in years]


def _chosen(year: CensusYear, wanted: Mapping[str, pl.Expr]) -> CensusYear:
    """Some of the records, some thousand looked through at a time: in one go, all of them would be copied first."""
    chosen: dict[str, Any] = {}
    for name, of_part in wanted.items():
        records: pl.DataFrame = getattr(year, name)
        slices = records.iter_slices(LOOKED_THROUGH)
        chosen[name] = pl.concat([records.clear(), *(some.filter(of_part) for some in slices)])
    return replace(year, **chosen)


def _tables(years: Sequence[CensusYear], authority: str, key: Key | None) -> _Part:
    plans, gone = _plans(years, key)
    conferences, of_details, twice = _conferences(years, key)
    reviews, undated, repeated = _reviews(years, plans)
    found = {"plans": plans, "conferences": conferences, "reviews": reviews}
    board = {"authority": pl.lit(authority), "district": pl.lit(None, pl.String)}
    order, places = ("turn", LINE, CHILD_NUMBER), ("file", LINE, CHILD_NUMBER)
    tables = {
        # Rows of a child on one line stay in the order in which they were made. In one chunk, they are joined as it is.
        table: frame.sort(order, maintain_order=True)
        .with_columns(**board)
        .select(pl.col(_COLUMNS[table]).cast(pl.String), *places)
        .rechunk()
        for table, frame in found.items()
    }
    return _Part(tables, gone, of_details, twice, undated, repeated)


def _all_rows(parts: list[pl.DataFrame]) -> pl.DataFrame:
    """Rows of all children with their numbers, part after part: to sort them all, each would be held twice."""
    return pl.concat(parts).with_row_index(ROW, 1).cast({ROW: pl.Int64})


def _say_counts(parts: Sequence[_Part], last: int) -> Iterator[str]:
    """Notes on what was put together, counted once or left out."""
    gone, of_details, twice, undated, repeated = (
        sum(getattr(part, name) for part in parts) for name in ("gone", "of_details", "twice", "undated", "repeated")
    )
    if gone:
        yield (
            f"{numbered(gone, 'plan')} still open in the last file that has {'it' if gone == 1 else 'them'}, and not "
            f"in the file of {last}: without an end {'it counts' if gone == 1 else 'they count'} as open. Look for "
            "another start date"
        )
    if of_details:
        yield (
            f"{numbered(of_details, 'conference')} recorded at the details and not at the enquiry: taken as that of "
            "the latest enquiry of the same details that had begun and had none"
        )
    if twice:
        yield f"{numbered(twice, 'conference')} recorded both at the enquiry and at the details: counted once"
    if undated:
        yield f"{numbered(undated, 'review')} without a day that can be read left out"
    if repeated:
        yield f"{numbered(repeated, 'review')} of a plan on the same day as another one: each day counts once"


def _refuse_mixed(years: Sequence[CensusYear]) -> None:
    numbers = {year.header.get("LEA") for year in years}
    if len(numbers) > 1:
        raise TableError(
            f"{in_words([year.file for year in years])}: the headers name {len(numbers)} different authorities (LEA), "
            "or some none. Name the files of one authority."
        )
    ends = [year.ends_in for year in years]
    same = [year.file for year in years if ends.count(year.ends_in) > 1]
    if same:
        raise TableError(
            f"{in_words(same)}: more than one file for the same census year, by their reference dates. Name the one "
            "that was accepted."
        )


def _first_complete(years: Sequence[CensusYear]) -> tuple[date, list[str]]:
    """The day from which every plan that started is in the files, and a note where a year is missing."""
    ends = [year.ends_in for year in years]
    missing = [str(end) for end in range(ends[0], ends[-1]) if end not in ends]
    last_gap = max((position for position in range(1, len(ends)) if ends[position] > ends[position - 1] + 1), default=0)
    first = years[last_gap].first_day
    if not missing:
        return first, []
    return first, [
        f"there is no census of the {'year' if len(missing) == 1 else 'years'} to 31 March {shorten(missing)}, so "
        f"plans are complete from {first} only; earlier files are history"
    ]


def _headers(years: Sequence[CensusYear]) -> pl.DataFrame:
    names = {"Collection": "collection", "Year": "year", "LEA": "authority_number", "SoftwareCode": "software"}
    return pl.DataFrame(
        [
            {"file": year.file, "reference_date": year.reference_date}
            | {ours: year.header.get(name) for name, ours in (names | {"Release": "release"}).items()}
            for year in years
        ],
        schema={"file": pl.String, "reference_date": pl.Date} | dict.fromkeys([*names.values(), "release"], pl.String),
    )


def _together(years: Sequence[CensusYear], table: str, same: Sequence[str]) -> pl.DataFrame:
    """Records of all files, those that are the same once, as the latest file has them."""
    frames: list[pl.DataFrame] = [getattr(year, table) for year in years]
    everything = pl.concat(
        frame.with_columns(pl.lit(turn).alias("turn"), pl.lit(year.file).alias("file"))
        for turn, (frame, year) in enumerate(zip(frames, years, strict=True))
    )
    sequence = pl.int_range(pl.len()).over("turn", *same).alias("sequence")
    return everything.with_columns(sequence).unique([*same, "sequence"], keep="last", maintain_order=True)


def _identify(kind: str, parts: Sequence[str], key: Key | None) -> pl.Expr:
    """An identifier of what is told by the child and more: a pseudonym, where there is a key."""
    text = pl.concat_str(pl.lit(kind), *(pl.col(part).cast(pl.String).fill_null("") for part in parts), separator="|")
    if key is None:
        return text
    return text.map_batches(lambda texts: pseudonyms(texts, key), return_dtype=pl.String)


def _plans(years: Sequence[CensusYear], key: Key | None) -> tuple[pl.DataFrame, int]:
    """Plans of all files, and how many are open in a file that is not the last and in no later one."""
    plans = _together(years, "plans", ["child", "start_date"])
    last = pl.col("birth_date", "expected_birth_date", "death_date").drop_nulls().last()
    born = (
        pl.concat(year.children.join(plans, on="child", how="semi") for year in years)
        .filter(pl.col("child") != UNKNOWN)
        .group_by("child", maintain_order=True)
        .agg(last)
        .with_columns(pl.coalesce("birth_date", "expected_birth_date").alias("birth_date"))
    )
    found = plans.join(born, on="child", how="left", maintain_order="left").join(
        _moves(years, plans), on=["child", "end_date"], how="left", maintain_order="left"
    )
    gone = found.filter(
        pl.col("end_date").is_null() & (pl.col("turn") < len(years) - 1) & pl.col("start_date").is_not_null()
    )
    return found.with_columns(_identify("plan", ["child", "start_date", "sequence"], key).alias("plan")), gone.height


def _moves(years: Sequence[CensusYear], plans: pl.DataFrame) -> pl.DataFrame:
    """The first day on or after the end of a plan on which the child's details were closed as moved away."""
    closed = (
        pl.concat(year.details for year in years)
        .filter((pl.col("reason_for_closure").str.to_uppercase() == MOVED_AWAY) & (pl.col("child") != UNKNOWN))
        .select("child", pl.col("closure_date").alias("moved_date"))
        .drop_nulls()
        .sort("moved_date")
    )
    ends = plans.select("child", "end_date").drop_nulls().unique().sort("end_date")
    # Forwards: the first move that is not before the end.
    moves = ends.join_asof(
        closed.with_columns(pl.col("moved_date").alias("end_date")),
        on="end_date",
        by="child",
        strategy="forward",
        check_sortedness=False,
    )
    return moves.select("child", "end_date", "moved_date")


def _conferences(years: Sequence[CensusYear], key: Key | None) -> tuple[pl.DataFrame, int, int]:
    """Enquiries with the conferences they led to, and conferences without enquiry.

    Also how many of the details were put to an enquiry, and how many stood at both.
    """
    paired = [_paired(year) for year in years]
    enquiries = _together([year for year, _, _ in paired], "enquiries", ["child", "section_47_start"])
    alone = _together([year for year, _, _ in paired], "details", ["child", "conference_date"]).filter(
        pl.col("sequence") == 0
    )
    alone = alone.join(enquiries, on=["child", "conference_date"], how="anti").with_columns(
        pl.lit(None, pl.Date).alias("section_47_start"), pl.lit(None, pl.String).alias("not_required")
    )
    kept = ["file", "turn", LINE, CHILD_NUMBER, "child", "section_47_start", "conference_date", "not_required"]
    found = pl.concat([enquiries.select(*kept, "sequence"), alone.select(*kept, "sequence")]).sort("turn", LINE)
    days = pl.when(pl.col("section_47_start").is_null()).then("conference_date")
    identifier = _identify("conference", ["child", "section_47_start", "day", "sequence"], key)
    named = found.with_columns(days.alias("day")).with_columns(identifier.alias("conference"))
    return named, sum(put for _, put, _ in paired), sum(both for _, _, both in paired)


def _paired(year: CensusYear) -> tuple[CensusYear, int, int]:
    """Conferences of the details put to the enquiries they are of; the details keep those without one.

    Also how many were put there, and how many stood at both.
    """
    of_details = year.details.filter(pl.col("conference_date").is_not_null())
    once = of_details.join(year.enquiries, on=["child", "conference_date"], how="anti")
    waiting = year.enquiries.filter(
        pl.col("conference_date").is_null() & ~yes_no("not_required").fill_null(value=False)
    ).drop("conference_date")
    pairs = (
        once.select(pl.col(NUMBER).alias(DETAIL), "conference_date")
        .join(waiting, on=DETAIL)
        .filter(pl.col("section_47_start") <= pl.col("conference_date"))
        .sort("section_47_start", NUMBER)
        .unique(DETAIL, keep="last", maintain_order=True)
        .select(DETAIL, NUMBER, pl.col("conference_date").alias("of_details"))
    )
    enquiries = year.enquiries.join(pairs.drop(DETAIL), on=NUMBER, how="left", maintain_order="left").with_columns(
        pl.coalesce("conference_date", "of_details").alias("conference_date")
    )
    alone = once.join(pairs, left_on=NUMBER, right_on=DETAIL, how="anti")
    return (
        replace(year, enquiries=enquiries.drop("of_details"), details=alone),
        pairs.height,
        of_details.height - once.height,
    )


def _reviews(years: Sequence[CensusYear], plans: pl.DataFrame) -> tuple[pl.DataFrame, int, int]:
    """Days of reviews of all files, each once per plan; reviews without a day are left out.

    Also how many have no day, and how many stood twice in a file.
    """
    every = _together_reviews(years).rename({"plan": "plan_number"})
    known = plans.select("child", "start_date", "sequence", "plan")
    dated = every.filter(pl.col("review_date").is_not_null()).join(
        known, on=["child", "start_date", "sequence"], nulls_equal=True, maintain_order="left"
    )
    once = dated.unique(["plan", "review_date"], keep="last").sort("turn", LINE, "review_date")
    twice = dated.height - dated.select("turn", "plan", "review_date").n_unique()
    return once, every["review_date"].null_count(), twice


def _together_reviews(years: Sequence[CensusYear]) -> pl.DataFrame:
    """Reviews of all files with the child, start and sequence of their plan."""
    frames = []
    for turn, year in enumerate(years):
        sequence = pl.int_range(pl.len()).over("child", "start_date").alias("sequence")
        of_plan = year.plans.select(pl.col(NUMBER).alias("plan"), "start_date", sequence)
        found = year.reviews.join(of_plan, on="plan", maintain_order="left")
        frames.append(found.with_columns(pl.lit(turn).alias("turn"), pl.lit(year.file).alias("file")))
    return pl.concat(frames)


def _child() -> pl.Expr:
    """Which child of the file it is, by its place."""
    return pl.format("child {} of the file", CHILD_NUMBER)


def _unread_dates(year: CensusYear) -> pl.DataFrame:
    table = pl.col("records").replace_strict(OF_TABLE, default="conferences", return_dtype=pl.String)
    return (
        year.unread.filter(is_used())
        .select(
            pl.format("{}: {}", table, pl.lit(year.file)).alias("table"),
            pl.col(LINE).alias("row"),
            "column",
            pl.lit(DATE_WANTED).alias("rule"),
            _child().alias("found"),
        )
        .match_to_schema(PROBLEMS)
    )
