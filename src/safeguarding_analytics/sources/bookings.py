"""An export of a booking system, as it is → bookings and sessions as text, with pseudonyms instead of people.

Addresses, numbers and names of people are dropped here, and so is the key. What comes out goes through the same
contract as a clean file; rows keep the numbers of the export, columns the headings of the export.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from safeguarding_analytics.config import Words
from safeguarding_analytics.contracts import EMPTY, PROBLEMS, no_problems, problem, say_values
from safeguarding_analytics.errors import TableError, numbered
from safeguarding_analytics.export_settings import BookingsExportSection
from safeguarding_analytics.pseudonyms import Key, pseudonyms
from safeguarding_analytics.sources.export_dates import parse_days
from safeguarding_analytics.sources.files import ROW, plain_name
from safeguarding_analytics.sources.held_sessions import NO_SESSIONS, one_per_session
from safeguarding_analytics.sources.learners import (
    flag_learners,
    hide_personal,
    identifying_texts,
    personal_cells,
    rare_cells,
    report_learners,
    say_report,
)
from safeguarding_analytics.sources.outcomes import (
    BOOKED_WORDS,
    OUTCOMES,
    PARTLY,
    WALK_IN,
    one_per_booking,
    outcomes_of,
)
from safeguarding_analytics.sources.worksheets import Mistake, find_header, learner_rows, read_grid, say_rows
from safeguarding_analytics.tables import PLACEHOLDERS, Bookings, Sessions

OF_BOOKINGS = ("agency", "target_group", "status", "booked")
OF_PEOPLE = ("person", "name", "role", "home")
"""What identifies people, or tells who they are; none of it leaves this module."""

OF_SESSIONS = ("course", "training_level", "district", "area", "venue", "half_day", "capacity", "cost", "kind")
DATES = ("date", "end_date", "attended_on")

MOST_SHOWN, LONG_TEXT = 150, "(not shown: a long text)"
"""Letters. A cell that is longer is no word of a booking system and no name of an agency."""

ANONYMOUS = ("deleted user", "user deleted", "deleted", "anonymous", "anonymised", "anonymous user", "former user")
"""What booking systems put in the place of people who left. Shared by many rows it would count as one person."""

_OWN = "own "
"""Stands before the names of columns beyond the contract, which may be called as ours are."""

_PARTS = ", "
"""Stands between the parts of a session that is told by several headings."""


@dataclass(frozen=True)
class Export:
    """An export as read: bookings and sessions as text, what is wrong with it, and what was taken for granted.

    ``report`` lists findings about people by row, ``headings`` are those of the export by our names, ``personal`` are
    cells that hold somebody's name where none should be, ``rare`` those that stand with few people, and ``rows`` is how
    many rows are somebody's. Without the key, which is not in it, nothing tells whose a pseudonym is.
    """

    bookings: pl.DataFrame
    sessions: pl.DataFrame
    problems: pl.DataFrame
    notes: tuple[str, ...]
    report: pl.DataFrame
    headings: Mapping[str, str]
    personal: frozenset[str]
    rare: frozenset[str]
    rows: int
    digest: str

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems of a table under the headings of the export, together with those it has found itself.

        A cell that could not be read is empty to the contract, and is not reported twice.
        """
        named = problems.with_columns(
            pl.col("column").replace(dict(self.headings)),
            # The hint of `say_problems` would name the heading, where board.toml wants our name of the column.
            pl.when(pl.col("rule").str.starts_with("one of: "))
            .then(pl.format("{}, or a word for it under [{}.{}] in board.toml", "rule", pl.lit(table), "column"))
            .otherwise("rule")
            .str.replace("^one of: ", "one of ")
            .alias("rule"),
        )
        own = self.problems.filter(pl.col("table") == table)
        whole = own.filter(pl.col("row").is_null())["column"].to_list()
        others = named.join(own, on=["row", "column"], how="anti").filter(
            ~pl.col("column").is_in(whole).fill_null(value=False)
        )
        found = hide_personal(pl.concat([own, others]), self.personal, self.rare)
        too_long = pl.when(pl.col("found").str.len_chars() > MOST_SHOWN).then(pl.lit(LONG_TEXT)).otherwise("found")
        return found.with_columns(too_long.alias("found")).sort("row", "column", "rule")


@dataclass(frozen=True)
class _Rows:
    """The rows of an export that are somebody's: text, dates, people and all."""

    frame: pl.DataFrame
    texts: pl.DataFrame
    mistakes: tuple[Mistake, ...]
    notes: tuple[str, ...]
    digest: str


def read_export(
    path: Path,
    settings: BookingsExportSection,
    key: Key,
    words: Mapping[str, Mapping[str, Words]],
    *,
    own: Sequence[str] = (),
    held: pl.DataFrame | None = None,
) -> Export:
    """Read an export of a booking system.

    Parameters
    ----------
    path
        The export: CSV, XLSX or Parquet.
    settings
        Section ``[bookings_export]`` of `board.toml`.
    key
        Key of the pseudonyms. It is not kept.
    words
        The board's words by table and column, agency aliases among those of bookings.
    own
        Columns beyond the contract of bookings that the board uses, by the plain names of their headings.
    held
        Sessions of the board's own file (session, date), if it has one; what the export says of sessions is not used.

    Raises
    ------
    TableError
        When the file cannot be read, has no row with all headings, or no row below it.
    """
    rows = _read_rows(path, settings, words, own)
    from_export = held is None and settings.holds_sessions
    of_dates = "sessions" if from_export else "bookings"
    report = report_learners(rows.frame)
    cells = [rows.texts[name] for name in rows.texts.columns if name not in (*OF_PEOPLE, ROW)]
    cells.append(rows.frame["session"])
    personal = personal_cells(rows.frame, cells, rows.texts["status"])
    rare = rare_cells(rows.frame, cells) - set(OUTCOMES)
    meant = outcomes_of(rows.texts, words.get("bookings", {}).get("status", {}) | settings.status)
    answers = {plain_name(found): said for found, said in words.get("bookings", {}).get("booked", {}).items()}
    booked, not_booked = _booked(rows.texts, answers, meant.outcomes, mapped=settings.columns.booked is not None)
    taken = rows.frame.with_columns(
        _person(rows.frame, key),
        meant.outcomes.alias("outcome"),
        _outcome(meant.outcomes, booked, settings.days).alias("status"),
        booked.alias("booked"),
    ).drop("name", "role", "home")
    bookings, notes = _bookings(taken, settings)
    sessions, differing, more_notes = one_per_session(taken) if from_export else (NO_SESSIONS, (), ())
    if held is not None and settings.holds_sessions:
        more_notes = (
            "its course and other columns of sessions are not used, because sessions have a file of their own",
        )
    first_days = taken.group_by("session").agg(pl.col("date").min()) if held is None else held.select("session", "date")
    mistakes = [
        *((of_dates if mistake.column == "date" else "bookings", mistake) for mistake in rows.mistakes),
        *(("bookings", mistake) for mistake in (*_unknown(meant.unknown), *not_booked, *_too_early(taken, first_days))),
        *(("sessions", mistake) for mistake in (*differing, *(_not_mapped(settings) if from_export else ()))),
    ]
    headings = {name: " and ".join(found) for name, found in settings.columns.headings().items()}
    problems = pl.concat(
        [no_problems(), *(_problem(table, mistake, rows.texts, headings) for table, mistake in mistakes)]
    )
    return Export(
        bookings,
        sessions,
        problems,
        (*rows.notes, *notes, *more_notes, *say_report(report)),
        report,
        headings,
        personal,
        rare,
        rows.frame.height,
        rows.digest,
    )


def identities(path: Path, settings: BookingsExportSection) -> dict[str, str]:
    """Addresses, numbers and names in an export, to look for where they must not stand; each with its column.

    Raises
    ------
    TableError
        When the file cannot be read.
    """
    return identifying_texts(_read_rows(path, settings, {}, ()).frame)


def _read_rows(
    path: Path, settings: BookingsExportSection, words: Mapping[str, Mapping[str, Words]], own: Sequence[str]
) -> _Rows:
    """The rows of learners under our names; columns that the export has not are empty."""
    mapped = settings.columns.headings()
    grid = read_grid(path, settings.sheet)
    header = find_header(grid, [heading for found in mapped.values() for heading in found], own, path.name)
    cells, notes = learner_rows(grid, header, mapped["person"])
    if cells.is_empty():
        raise TableError(
            f"{path.name}: there is no booking below the header in row {header.row}. "
            "Look at the sheet and the headings under [bookings_export] in board.toml."
        )
    plain = {name: [plain_name(heading) for heading in found] for name, found in mapped.items()}
    texts = cells.select(
        ROW,
        *(
            _joined(plain[name]).alias(name) if name in plain else pl.lit(None, pl.String).alias(name)
            for name in (*OF_BOOKINGS, *OF_PEOPLE, *OF_SESSIONS, *DATES)
        ),
        *(pl.col(name).alias(f"{_OWN}{name}") for name in own if name in header.columns),
        *(pl.col(part).alias(f"session {number}") for number, part in enumerate(plain["session"])),
    )
    days = parse_days(
        texts, {name: " and ".join(mapped[name]) for name in DATES if name in mapped}, settings.date_order
    )
    frame = texts.with_columns(
        *(days.frame[name] if name in mapped else pl.lit(None, pl.Date).alias(name) for name in DATES)
    )
    frame = frame.with_columns(_address(), _session(plain).alias("session")).drop(
        f"session {n}" for n in range(len(plain["session"]))
    )
    blank = frame["agency"].null_count()
    if blank and settings.blank_agency is not None:
        counts = "counts" if blank == 1 else "count"
        notes.append(f'{numbered(blank, "row")} without an agency {counts} as "{settings.blank_agency}"')
        frame = frame.with_columns(pl.col("agency").fill_null(settings.blank_agency))
    frame = frame.with_columns(
        _reworded(name, replacements)
        for table in ("bookings", "sessions")
        for name, replacements in words.get(table, {}).items()
        if name in frame.columns
        and name not in ("status", "person")
        and frame.schema[name] == pl.String
        and replacements
    ).with_columns(*_numbers(), _halves(), _kinds())
    flags = flag_learners(
        frame,
        roles=settings.role,
        home_areas=settings.home_areas,
        out_of_area_agencies=_canonical(settings.out_of_area_agencies, words.get("bookings", {}).get("agency", {})),
        test_users=settings.test_users,
    )
    return _Rows(frame.with_columns(flags), texts, days.mistakes, (*grid.notes, *notes, *days.notes), grid.digest)


def _address() -> pl.Expr:
    """The person's address or number, without what is put around it and what nobody can see."""
    invisible = "[\u200b-\u200d\u2060\ufeff\u00ad]"
    plain = pl.col("person").str.replace_all(invisible, "").str.replace(r"(?i)^mailto: *", "")
    text = pl.coalesce(plain.str.extract(r"<\s*([^<>\s]+@[^<>\s]+)\s*>"), plain).str.strip_chars()
    return pl.when(text != "").then(text).alias("person")


def _joined(parts: Sequence[str]) -> pl.Expr:
    if len(parts) == 1:
        return pl.col(parts[0])
    text = pl.concat_str(parts, separator=" ", ignore_nulls=True)
    return pl.when(text != "").then(text)


def _session(plain: Mapping[str, Sequence[str]]) -> pl.Expr:
    """What tells a session from others; the date among its headings as a date, however it is written."""
    dates = {plain[name][0]: name for name in DATES if name in plain and len(plain[name]) == 1}
    parts = [
        pl.coalesce(pl.col(dates[part]).cast(pl.String), f"session {number}")
        if part in dates
        else pl.col(f"session {number}")
        for number, part in enumerate(plain["session"])
    ]
    text = pl.concat_str(parts, separator=_PARTS, ignore_nulls=True)
    return pl.when(text != "").then(text)


def _numbers() -> list[pl.Expr]:
    """Numbers without their signs and words: "£1,200.00", "Level 2", "Group 3"."""
    level = r"(?i)^(?:training |target )?(?:level|group|l|lvl)[ .:]*(\d)$"
    return [
        *(
            pl.col(name).str.replace(r"^£ *", "").str.replace_all(r"(\d),(\d{3})\b", "${1}${2}")
            for name in ("capacity", "cost")
        ),
        *(pl.coalesce(pl.col(name).str.extract(level), name) for name in ("training_level", "target_group")),
    ]


def _halves() -> pl.Expr:
    words = {"am": "morning", "a.m.": "morning", "pm": "afternoon", "p.m.": "afternoon"}
    whole = {"all day": None, "full day": None, "whole day": None, "day": None}
    plain = pl.col("half_day").str.to_lowercase()
    return plain.replace_strict(words | whole, default=plain, return_dtype=pl.String).alias("half_day")


def _kinds() -> pl.Expr:
    words = {"elearning": "e_learning", "face_to_face": "workshop", "classroom": "workshop", "mopup": "mop_up"}
    plain = pl.col("kind").str.to_lowercase().str.replace_all(r"[\s-]+", "_")
    return plain.replace(words).alias("kind")


def _reworded(name: str, words: Words) -> pl.Expr:
    lower = {found.casefold(): wanted for found, wanted in words.items()}
    text = pl.col(name)
    return (
        text.str.to_lowercase()
        .replace_strict(list(lower), list(lower.values()), default=text, return_dtype=pl.String)
        .alias(name)
    )


def _canonical(names: Sequence[str], aliases: Words) -> list[str]:
    """Names of agencies, those that are aliases replaced by what they stand for."""
    lower = {found.casefold(): wanted for found, wanted in aliases.items()}
    return [lower.get(name.strip().casefold(), name) for name in names]


def _person(frame: pl.DataFrame, key: Key) -> pl.Series:
    """A pseudonym for everybody; a word that stands for nobody stays, and so breaks the rule of the contract."""
    person = frame["person"]
    nobody = person.str.to_lowercase().is_in((*PLACEHOLDERS, *ANONYMOUS)) & (frame["learner"] != "test")
    return pl.select(
        pl.when(nobody).then(pl.lit("unknown")).otherwise(pseudonyms(person, key)).alias("person")
    ).to_series()


def _outcome(outcomes: pl.Series, booked: pl.Series, days: str) -> pl.Series:
    """What became of each booking; who walked in and stayed for a part attended, for there is no booking to miss."""
    partly = pl.when((outcomes == PARTLY) & (booked if days == "all" else pl.lit(value=False)))
    told = partly.then(pl.lit("did_not_attend")).otherwise(outcomes.replace({WALK_IN: "attended", PARTLY: "attended"}))
    return pl.select(told).to_series()


def _booked(
    texts: pl.DataFrame, answers: Words, outcomes: pl.Series, *, mapped: bool
) -> tuple[pl.Series, tuple[Mistake, ...]]:
    """Whether each place was booked, and the rows of which it cannot be told."""
    yes_no = {"yes": "yes", "y": "yes", "true": "yes", "1": "yes", "no": "no", "n": "no", "false": "no", "0": "no"}
    said = {word: yes_no.get(answer.casefold(), answer) for word, answer in answers.items()}
    known = {word: answer == "yes" for word, answer in (BOOKED_WORDS | yes_no | said).items()}
    cells = texts["booked"]
    different = cells.drop_nulls().unique().to_list()
    meant = [known.get(plain_name(word)) for word in different]
    read = cells.replace_strict(different, meant, default=None, return_dtype=pl.Boolean)
    booked = read if mapped else pl.repeat(True, len(cells), dtype=pl.Boolean, eager=True)
    walked_in = (outcomes == WALK_IN).fill_null(value=False)
    wrong = tuple(texts[ROW].filter(cells.is_not_null() & read.is_null() & ~walked_in).to_list())
    wanted = "yes or no, or a word such as walk-in; yours go under [bookings.booked] in board.toml"
    mistakes = (Mistake("booked", wanted, wrong),) if wrong else ()
    return pl.select(pl.when(walked_in).then(pl.lit(False)).otherwise(booked)).to_series(), mistakes


def _bookings(taken: pl.DataFrame, settings: BookingsExportSection) -> tuple[pl.DataFrame, list[str]]:
    """One row per booking as text. Rows of nobody, or of no session, stay as they are, to be reported one by one."""
    kept = ["agency", "target_group", "learner", *(name for name in taken.columns if name.startswith(_OWN))]
    rows = taken.select("session", "person", pl.col("date").alias("day"), "status", "booked", *kept, ROW)
    somebody = pl.col("session").is_not_null() & pl.col("person").str.contains(r"^P[0-9a-f]{20}$").fill_null(
        value=False
    )
    bookings, notes = one_per_booking(rows.filter(somebody), settings.days, kept)
    partly = taken.filter(pl.col("outcome") == PARTLY)[ROW].to_list()
    if partly:
        what = (
            "attended, because any day is enough" if settings.days == "any" else "not attended, because all days count"
        )
        notes.append(
            f"{numbered(len(partly), 'row')} of people who attended in part "
            f"{'counts' if len(partly) == 1 else 'count'} as {what} (days under [bookings_export]): {say_rows(partly)}"
        )
    columns = ["session", "person", "agency", "target_group", "status", "booked", *kept[2:], ROW]
    everything = pl.concat([bookings.select(columns), rows.filter(~somebody).select(columns)]).sort(ROW)
    return everything.rename({name: name.removeprefix(_OWN) for name in kept[3:]}).with_columns(
        pl.when("booked").then(pl.lit("yes")).when(~pl.col("booked")).then(pl.lit("no")).alias("booked")
    ), notes


def _unknown(cells: pl.DataFrame) -> list[Mistake]:
    rule = (
        "a word that is known. Say what it stands for under [bookings_export.status] in board.toml: "
        "attended, did_not_attend, cancelled, booked, waitlisted, walk_in or partly_attended"
    )
    return [Mistake("status", rule, tuple(cells[ROW].to_list()))] if cells.height else []


def _too_early(taken: pl.DataFrame, first_days: pl.DataFrame) -> list[Mistake]:
    """Rows of people who attended before the first day of the session, or whose session ends before it begins."""
    first = taken.join(
        first_days.select("session", pl.col("date").alias("first_day")), on="session", how="left", maintain_order="left"
    )
    early = first.filter((pl.col("attended_on") < pl.col("first_day")) & (pl.col("status") == "attended"))[ROW]
    ends = taken.filter(pl.col("end_date") < pl.col("date"))[ROW]
    found = (
        ("attended_on", "a day on or after the first day of the session: nobody attends before it is held", early),
        ("end_date", "a day that is not before the first day of the session", ends),
    )
    return [Mistake(column, rule, tuple(rows.to_list())) for column, rule, rows in found if len(rows)]


def _not_mapped(settings: BookingsExportSection) -> list[Mistake]:
    mapped = settings.columns.headings()
    rule = (
        "its heading must be named under [bookings_export.columns] in board.toml, because sessions are read from this "
        "file. Name it, or put a file of sessions into the folder"
    )
    return [Mistake(name, rule) for name in ("training_level", "date") if name not in mapped]


def _problem(table: str, mistake: Mistake, texts: pl.DataFrame, headings: Mapping[str, str]) -> pl.DataFrame:
    """A mistake as report rows; what was found is told as of a clean file."""
    column = headings.get(mistake.column, mistake.column)
    if not mistake.rows:
        return problem(table, mistake.rule, column=column)
    cells = texts.filter(pl.col(ROW).is_in(mistake.rows)).select(ROW, mistake.column)
    schema = Bookings if mistake.column in Bookings.columns() else Sessions
    known = mistake.column if mistake.column in schema.columns() else "date"
    values = cells[mistake.column].drop_nulls().unique(maintain_order=True).to_list()
    words = {"status": OUTCOMES, "course": sorted(set(texts["course"].drop_nulls()) - set(values))}
    allowed = words.get(mistake.column, [])
    found = say_values(values, known, schema, texts, allowed)
    return cells.select(
        pl.lit(table).alias("table"),
        pl.col(ROW).alias("row"),
        pl.lit(column).alias("column"),
        pl.lit(mistake.rule).alias("rule"),
        pl.col(mistake.column).replace_strict(found, default=EMPTY, return_dtype=pl.String).alias("found"),
    ).match_to_schema(PROBLEMS)
