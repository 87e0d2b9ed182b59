"""A board's folder: `board.toml` and one file per table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import polars as pl

from safeguarding_analytics.agency_names import (
    MERGED,
    Mergers,
    claims,
    contested,
    counted_twice,
    merge_rows,
    mergers_of,
    notes_of_mergers,
    propose_aliases,
)
from safeguarding_analytics.config import Config, PolicySection, Words, read_config
from safeguarding_analytics.contracts import (
    CONFIG,
    Checked,
    check_references,
    check_table,
    has_header,
    no_problems,
    problem,
    say_problems,
    say_values,
)
from safeguarding_analytics.errors import ParameterError, TableError, nearest, numbered, shorten
from safeguarding_analytics.personal import looks_personal
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.pseudonyms import PSEUDONYM, Key, others_can_read, pseudonyms, read_key
from safeguarding_analytics.session_notes import say_sessions
from safeguarding_analytics.sources.bookings import Export, identities, read_export
from safeguarding_analytics.sources.files import ROW, RawTable, digest_of, read_table
from safeguarding_analytics.sources.form_people import say_unpaired, say_without_booking, say_wrong_day
from safeguarding_analytics.sources.forms import Forms, identities_in_forms, names_of, read_forms, table_of
from safeguarding_analytics.sources.learners import REPORT
from safeguarding_analytics.tables import TABLES

Read = TypeVar("Read", RawTable, Checked, Export | str, Forms, Mergers, str)

ENDINGS = (".csv", ".xlsx", ".parquet")


class Tables(Mapping[str, pl.DataFrame]):
    """The tables of a board's folder by name; each is read and checked when it is first asked for."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __iter__(self) -> Iterator[str]:
        return (name for name in TABLES if self._board.path(name).exists())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in TABLES and self._board.path(str(name)).exists()

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in TABLES:
            raise ParameterError(
                f'there is no table "{name}".{nearest(name, list(TABLES))} Known: {", ".join(TABLES)}.'
            )
        board = self._board
        together = board.read_from_export() if name in board.read_from_export() else [name]
        problems = pl.concat([board.problems_of(each) for each in together])
        if not problems.is_empty():
            raise TableError("\n".join(say_problems(problems, board.file_names, board.heights(together))))
        return board.merged(name).drop(ROW)

    def or_empty(self, name: str) -> pl.DataFrame:
        """A table that an analysis can do without: the contract's columns and no rows where there is no file."""
        if name in self or name not in TABLES:
            return self[name]
        return pl.DataFrame(schema={column: rule.dtype for column, rule in TABLES[name].columns().items()})


@dataclass(frozen=True)
class Board:
    """A board's folder, its configuration and its tables.

    ``tables["bookings"]`` reads the file, parses it and checks its contract; a broken rule raises `TableError` with
    every problem of that table. A column beyond the contract is there only where ``[columns]`` of `board.toml` names
    it. Bookings, and sessions where they have no file, come from an export of a booking system where
    ``[bookings_export]`` names one, and scores from the forms that ``[forms]`` names. Rows of an agency that merged are
    those of its successor. Row-level data: nothing of it may be printed or published.
    """

    folder: Path
    config: Config
    config_digest: str = ""
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def tables(self) -> Tables:
        """The tables by name."""
        return Tables(self)

    @property
    def file_names(self) -> dict[str, str]:
        """File name per table and per form, and `board.toml` for itself."""
        forms = names_of(self.config.forms)
        of_forms = {"scores": shorten(forms, most=2)} if forms else {}
        files = {name: self.path(name).name for name in TABLES} | of_forms
        return files | {table_of(name): name for name in forms} | {CONFIG: CONFIG}

    @property
    def data_version(self) -> str:
        """Twelve characters that change whenever a file that is used changes: `board.toml`, a table, a comparator.

        It is the version of the bytes that were read: a file not read yet counts as it is now, and a table that has
        changed by the time it is read is refused.
        """
        comparators = self.config.comparators
        named = (comparators.second_or_subsequent_plans, comparators.statistical_neighbours)
        files = [self.path(name) for name in TABLES] + [self.folder / file for file in named if file]
        files += [path for path in dict.fromkeys(self._form_paths()) if path not in files]
        version = hashlib.sha256()
        for name, digest in ((CONFIG, self.config_digest), *((path.name, self._digest(path)) for path in files)):
            if digest:
                version.update(f"{name}\0{digest}\0".encode())
        return version.hexdigest()[:12]

    def policy(self, population: Literal["children", "staff", "board_members"]) -> Policy:
        """Which numbers are hidden in tables that count one population."""
        chosen: PolicySection = getattr(self.config.policy, population)
        return chosen.policy()

    def issues(self) -> list[str] | None:
        """All issues of the ballot paper, also those nobody ranked; None where the folder has no table of issues."""
        return self.tables["issues"]["issue"].to_list() if "issues" in self.tables else None

    def path(self, table: str) -> Path:
        """Where a table is read from: the export of bookings, what `board.toml` names, or ``<table>`` with an ending.

        Of several endings, CSV comes first; of several forms, the first that is there.
        """
        if table == "scores" and self._form_paths():
            return next(filter(Path.exists, self._form_paths()), self._form_paths()[0])
        export = self.config.bookings_export.file
        return self.folder / export if export and table in self.read_from_export() else self._own_path(table)

    def read_from_export(self) -> list[str]:
        """Tables that are read from the export of a booking system; none where `board.toml` names no export."""
        export = self.config.bookings_export
        if export.file is None:
            return []
        has_own = "sessions" in self.config.files or self._own_path("sessions").exists()
        return ["bookings"] if has_own or not export.holds_sessions else ["sessions", "bookings"]

    def foreign(self) -> list[str]:
        """Tables that are read from exports of other programs: scores of forms, bookings of a booking system."""
        return [*(["scores"] if self._form_paths() else []), *self.read_from_export()]

    def raw(self, table: str) -> RawTable:
        """The file of a table as text."""
        if table == "scores" and self._form_paths():
            return RawTable(self.forms().scores, (), " ".join(self.forms().digests.values()))
        if table in self.read_from_export():
            export = self.export()
            return RawTable(getattr(export, table), export.notes if table == "bookings" else (), export.digest)
        return self._remember(f"raw {table}", lambda: self._read(self.path(table)))

    def export(self) -> Export:
        """The export of a booking system, read without the people in it.

        Raises
        ------
        TableError
            When it cannot be read, there is no key, or the folder has a file of bookings as well.
        """
        found = self._remember("export", self._try_export)
        if isinstance(found, str):
            raise TableError(found)
        return found

    def forms(self) -> Forms:
        """The forms that `board.toml` names, read without the people in them.

        Raises
        ------
        TableError
            When there is no key, no table of items, or the folder has a file of scores as well.
        """
        return self._remember("forms", self._read_forms)

    def checked(self, table: str) -> Checked:
        """A table after its own contract, without the references to other tables."""
        return self._remember(
            f"checked {table}",
            lambda: check_table(
                table,
                self.raw(table).frame,
                TABLES[table],
                # Exports have been put into the board's words already: once more would be a chain.
                {} if table in self.foreign() else self._aliases(table),
                self.config.own_columns(table),
            ),
        )

    def height(self, table: str) -> int:
        """Number of rows of a table; 0 where it cannot be read."""
        try:
            return self.export().rows if table in self.read_from_export() else self.raw(table).frame.height
        except TableError:
            return 0

    def heights(self, tables: Iterable[str]) -> dict[str, int]:
        """Number of rows of some tables, and of each form where scores are read from forms."""
        heights = {table: self.height(table) for table in tables}
        return heights | (dict(self._cache["forms"].heights) if "forms" in self._cache else {})

    def merged(self, table: str) -> pl.DataFrame:
        """A table after its contract, with rows of merged agencies under their successors.

        Of the agencies themselves a merger that is still to come is left out.
        """
        frame = self._with_pseudonyms(self.checked(table).frame)
        if table == "agencies":
            merged = pl.col("agency").is_in(list(self._mergers().successors))
            return frame.with_columns(pl.when(merged).then(pl.col("merged_into", "merged_on")))
        return merge_rows(table, frame, self._mergers()) if table in MERGED else frame

    def _with_pseudonyms(self, frame: pl.DataFrame) -> pl.DataFrame:
        """People of a file of the board's own as they are called in the export: by the same key, unless they are."""
        if "person" not in frame.columns or not self.foreign():
            return frame
        already = pl.col("person").str.contains(PSEUDONYM)
        keyed = pseudonyms(frame["person"], self._key())
        return frame.with_columns(pl.when(already).then("person").otherwise(keyed).alias("person"))

    def export_report(self) -> pl.DataFrame:
        """What to look at in an export of bookings, row by row, when none of it is changed by itself.

        Returns
        -------
        pl.DataFrame
            One row per finding and row: ``finding`` (a name under several addresses, an address under several names,
            test users, trainers, learners from out of the area), ``group`` (rows that belong together), ``row`` (as the
            spreadsheet shows it). No name and no address is in it. Empty where the board has no export.
        """
        return self.export().report if self.read_from_export() else pl.DataFrame(schema=REPORT)

    def unknown_agencies(self) -> pl.DataFrame:
        """Names of agencies in all tables that the table of agencies does not know, as `propose_aliases` lists them."""
        names = [name for name in TABLES if name != "agencies" and "agency" in self._known(name)]
        found = [self.checked(name).frame["agency"] for name in names]
        if "agency" not in self._known("agencies") or not found:
            return propose_aliases(pl.Series(dtype=pl.String), pl.DataFrame({"agency": []}, {"agency": pl.String}))
        everything = pl.concat(found)
        if not self.foreign():
            return propose_aliases(everything, self.checked("agencies").frame)
        hidden, few = self._hidden()
        personal = everything.str.to_lowercase().is_in(list(hidden)).fill_null(value=False)
        proposals = propose_aliases(everything.filter(~personal), self.checked("agencies").frame)
        # A name with few people that resembles no agency may be one of them.
        rare = pl.col("name").str.to_lowercase().is_in(list(few))
        return proposals.filter(pl.col("proposal").is_not_null() | ~rare)

    def identities(self) -> dict[str, str]:
        """What stands in the export of bookings or in forms and must stand nowhere else, with its column, and the key.

        It is read again for this, and not kept.
        """
        if not self.foreign():
            return {}
        people = identities_in_forms(self.folder, self.config.forms)
        if self.read_from_export():
            people |= identities(self.path("bookings"), self.config.bookings_export)
        return people | {self._key().hexadecimal(): "key"}

    def problems_of(self, table: str) -> pl.DataFrame:
        """Every broken rule of one table: its own contract and its references to other tables."""
        try:
            checked = self.checked(table)
        except TableError as error:
            if table == "sessions" and table in self.read_from_export():
                return no_problems()  # said of bookings, which are read from the same file
            return problem(table, str(error).removeprefix(f"{self.path(table).name}: "))
        reports = [checked.problems]
        if table == "agencies":
            reports += [contested(claims(checked.frame)), self._mergers().problems]
        if table == "workforce":
            reports.append(counted_twice(checked.frame, self._mergers()))
        if table == "bookings" and "date" in self._known("sessions"):
            reports.append(_not_yet_held(checked.frame, self.checked("sessions").frame, self.config.board.as_at))
        for name, column in TABLES[table].columns().items():
            target, _, target_column = (column.metadata or {}).get("references", "").partition(".")
            if target and target_column in self._known(target):
                reports.append(
                    check_references(
                        table,
                        checked.frame,
                        name,
                        self.checked(target).frame[target_column],
                        target,
                        TABLES[table],
                    )
                )
        problems = pl.concat(reports)
        if table == "scores" and self._form_paths():
            return self.forms().in_its_words(problems)
        return self.export().in_its_words(table, problems) if table in self.read_from_export() else problems

    def notes_of(self, table: str) -> list[str]:
        """What was taken for granted in reading a table, what of it is not used, and what it cannot answer."""
        try:
            raw, checked = self.raw(table), self.checked(table)
        except TableError:
            return []
        notes = list(raw.notes)
        if has_header(raw.frame, TABLES[table]):
            notes += _unused(raw.frame.columns, checked.frame.columns)
            if table in MERGED:
                notes += notes_of_mergers(table, checked.frame, self._mergers())
            if [table] == self.foreign()[-1:] and others_can_read(self._key_path()):
                notes.append(f"others on this computer can read the key {self._key_path().name}. Take that right away")
            if table == "sessions":
                hidden = self.export().personal | self.export().rare if table in self.read_from_export() else ()
                named = ~pl.col("course").str.to_lowercase().is_in(list(hidden)).fill_null(value=False)
                notes += say_sessions(checked.frame.with_columns(pl.when(named).then("course").alias("course")))
            if table == "scores":
                notes += say_unpaired(checked.frame)
            if table == "scores" and self._form_paths():
                return [f"{note}." for note in (*self._notes_of_forms(), *(f"scores: {each}" for each in notes))]
            if table == "plans":
                notes += _uncounted(raw.frame) + _of_others(checked.frame, self.config.board.authority)
        return [f"{self.path(table).name}: {note}." for note in notes]

    def _own_path(self, table: str) -> Path:
        """Where the file of a table is or would be, were there no export."""
        if table in self.config.files:
            return self.folder / self.config.files[table]
        found = [self.folder / f"{table}{ending}" for ending in ENDINGS]
        return next((path for path in found if path.exists() and path != self._export_path()), found[0])

    def _form_paths(self) -> list[Path]:
        return [self.folder / form.file for form in self.config.forms.files]

    def _hidden(self) -> tuple[frozenset[str], frozenset[str]]:
        """Cells of exports that hold somebody's name, and those that stand with few people."""
        read: list[Export | Forms] = [self.export()] if self.read_from_export() else []
        read += [self.forms()] if self._form_paths() and self._known("scores") else []
        nobody = frozenset[str]()
        return nobody.union(*(each.personal for each in read)), nobody.union(*(each.rare for each in read))

    def _export_path(self) -> Path | None:
        file = self.config.bookings_export.file
        return self.folder / file if file else None

    def _key_path(self) -> Path:
        return self.folder / self.config.bookings_export.key_file

    def _key(self) -> Key:
        return read_key(self._key_path(), self.folder)

    def _try_export(self) -> Export | str:
        """The export, or why it cannot be read: it may be large, and is not tried again for every question."""
        try:
            return self._read_export()
        except TableError as error:
            return str(error)

    def _read_export(self) -> Export:
        path, other = self.path("bookings"), self._own_path("bookings")
        if "bookings" in self.config.files or (other.exists() and other != path):
            raise TableError(
                f"bookings must come from one file, and there are two: this one, which [bookings_export] in {CONFIG} "
                f"names, and {other.name}. Delete {other.name} or take it out of [files], or take away "
                "[bookings_export]."
            )
        words = {"bookings": self._aliases("bookings"), "sessions": self._aliases("sessions")}
        held = None
        if "sessions" not in self.read_from_export() and self.path("sessions").exists():
            held = pl.DataFrame(schema={"session": pl.String, "date": pl.Date})
            if "date" in self._known("sessions"):
                held = self.checked("sessions").frame.select("session", "date")
        export = read_export(
            path,
            self.config.bookings_export,
            self._key(),
            words,
            own=self.config.own_columns("bookings"),
            held=held,
        )
        self._refuse_change(path, export.digest)
        return export

    def _read_forms(self) -> Forms:
        other = self._own_path("scores")
        if "scores" in self.config.files or (other.exists() and other not in self._form_paths()):
            raise TableError(
                f"scores must come from one place, and there are two: the forms that [forms] in {CONFIG} names, and "
                f"{other.name}. Delete {other.name} or take it out of [files], or take away [forms]."
            )
        if not {"item", "kind", "minimum", "maximum"} <= set(self._known("items")):
            raise TableError(
                f"what an answer is worth stands in the table items. Put {self.path('items').name} into the folder."
            )
        items, words = self.checked("items").frame, self._aliases("scores")
        forms = read_forms(self.folder, self.config.forms, self._key(), items, words)
        for file, digest in forms.digests.items():
            self._refuse_change(self.folder / file, digest)
        return forms

    def _notes_of_forms(self) -> list[str]:
        people, notes = self.forms().people, list(self.forms().notes)
        if "date" in self._known("sessions"):
            notes += say_wrong_day(people, self.checked("sessions").frame)
        return notes + (say_without_booking(people, self.merged("bookings")) if self._known("bookings") else [])

    def _mergers(self) -> Mergers:
        def read() -> Mergers:
            if not {"merged_into", "merged_on"} <= set(self._known("agencies")):
                return Mergers({}, no_problems())
            return mergers_of(self.checked("agencies").frame, self.config.board.as_at)

        return self._remember("mergers", read)

    def _known(self, table: str) -> list[str]:
        """Columns of a table another one refers to; none when it is absent or unreadable (reported by itself)."""
        if not self.path(table).exists():
            return []
        try:
            return self.checked(table).frame.columns
        except TableError:
            return []

    def _aliases(self, table: str) -> dict[str, Words]:
        words = {column: dict(aliases) for column, aliases in self.config.words.get(table, {}).items()}
        if table != "agencies" and "agency" in TABLES[table].columns():
            words["agency"] = self._agency_aliases() | words.get("agency", {})
        return words

    def _agency_aliases(self) -> Words:
        if "aliases" not in self._known("agencies"):
            return {}
        known = claims(self.checked("agencies").frame)
        return dict(known.filter(~pl.col("contested")).select("name", "agency").iter_rows())

    def _digest(self, path: Path) -> str:
        """Digest of a file as it was when it was first read; "" where there is none."""
        return self._remember(f"digest {path}", lambda: digest_of(path.read_bytes()) if path.is_file() else "")

    def _read(self, path: Path) -> RawTable:
        raw = read_table(path)
        self._refuse_change(path, raw.digest)
        return raw

    def _refuse_change(self, path: Path, digest: str) -> None:
        if self._remember(f"digest {path}", lambda: digest) != digest:
            raise TableError(f"{path.name}: the file has changed since the board's folder was opened. Open it again.")

    def _remember(self, key: str, make: Callable[[], Read]) -> Read:
        if key not in self._cache:
            self._cache[key] = make()
        return cast(Read, self._cache[key])


def read_board(folder: str | Path) -> Board:
    """Open a board's folder.

    Parameters
    ----------
    folder
        Folder with one file per table and, if the board wants other than the defaults, `board.toml`.

    Returns
    -------
    Board
        ``.config`` and ``.tables``; tables are read when they are asked for.

    Raises
    ------
    TableError
        When the folder does not exist, or `board.toml` breaks a rule (all mistakes at once).
    """
    path = Path(folder)
    config, problems, digest = read_config(path)
    if not problems.is_empty():
        raise TableError("\n".join(say_problems(problems, {}, {})))
    return Board(path, config, digest)


def check_board(folder: str | Path) -> pl.DataFrame:
    """Check every rule of every table of a board's folder, all problems at once.

    Parameters
    ----------
    folder
        A board's folder.

    Returns
    -------
    pl.DataFrame
        One row per broken rule and row, sorted by table and row: ``table``, ``row`` (as a spreadsheet counts: the
        header is row 1; null where the problem is the file's), ``column``, ``rule`` (what is wanted), ``found``
        (never a value that could identify a person). Empty when the folder is clean.

    Raises
    ------
    TableError
        When the folder does not exist.
    """
    return check_all(folder)[1]


def check_all(folder: str | Path) -> tuple[Board, pl.DataFrame]:
    """Check a folder as `check_board` does, and keep the board for its notes and row counts."""
    path = Path(folder)
    config, problems, digest = read_config(path)
    board = Board(path, config, digest)
    reports = [problems]
    named = {*config.files, *board.foreign()}
    present = [name for name in TABLES if board.path(name).exists() or name in named]
    if not present:
        reports.append(
            problem(CONFIG, f"the folder must hold at least one table, such as {board.path('bookings').name}")
        )
    reports.extend(board.problems_of(name) for name in present)
    return board, pl.concat([no_problems(), *reports])


def _not_yet_held(bookings: pl.DataFrame, sessions: pl.DataFrame, as_at: date | None) -> pl.DataFrame:
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


def _unused(found: list[str], used: list[str]) -> list[str]:
    """Name the columns that are left out, and say how to keep one, where that is allowed."""
    how = "; to group by it, name it under [columns] in board.toml"
    return [
        f"column {name} is not in the contract and is not used{'' if looks_personal(name) else how}"
        for name in found
        if name not in used
    ]


def _uncounted(plans: pl.DataFrame) -> list[str]:
    """Say how many plans have no number of previous plans: unknown is not 0."""
    empty = plans["previous_plans"].null_count() if "previous_plans" in plans.columns else 0
    if not empty:
        return []
    has, are = ("has", "it is") if empty == 1 else ("have", "they are")
    return [f"{numbered(empty, 'plan')} {has} an empty previous_plans, so {are} in neither number of the repeat rate"]


def _of_others(plans: pl.DataFrame, authority: str | None) -> list[str]:
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
