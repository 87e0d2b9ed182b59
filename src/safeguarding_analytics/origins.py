"""Where each table of a board comes from, and reading it: as text, by its contract, merged agencies as one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar, cast

import polars as pl

from safeguarding_analytics.agency_names import MERGED, Mergers, claims, merge_rows, mergers_of
from safeguarding_analytics.config import Config, Words
from safeguarding_analytics.contracts import CONFIG, Checked, check_table, no_problems, problem
from safeguarding_analytics.errors import ParameterError, TableError, shorten
from safeguarding_analytics.plan_returns import (
    PlanReturn,
    identities_in_return,
    read_plan_return,
    return_files,
    return_paths,
    returned_tables,
)
from safeguarding_analytics.pseudonyms import PSEUDONYM, Key, pseudonyms, read_key
from safeguarding_analytics.sources.ballots import BallotExport, BallotFiles, ballot_files, read_ballots
from safeguarding_analytics.sources.bookings import Export, identities, read_export
from safeguarding_analytics.sources.database import read_database
from safeguarding_analytics.sources.database_address import label_of
from safeguarding_analytics.sources.files import RawTable, digest_of, read_table
from safeguarding_analytics.sources.form_people import say_without_booking, say_wrong_day
from safeguarding_analytics.sources.forms import Forms, identities_in_forms, names_of, read_forms, table_of
from safeguarding_analytics.tables import TABLES

Read = TypeVar("Read")
Hidden = tuple[frozenset[str], frozenset[str]]
"""Cells that hold somebody's name, and those that stand with few people."""

ENDINGS = (".csv", ".xlsx", ".parquet")


class Origin:
    """Where tables come from. This one: a file of the board's own for each. Others give some tables instead of it."""

    section = "[files]"
    foreign = False
    """Whether another program wrote it: its people become pseudonyms, and the board's words are put in, in reading."""

    def __init__(self, board: Origins) -> None:
        self._board = board
        self._config, self._folder = board.config, board.folder

    def gives(self, table: str) -> bool:
        """Whether a table is to be read from here; of several origins that give it, the first of the board's counts."""
        own = self.path(table)
        return table in self._config.files or (own.exists() and own not in self._board.foreign_files())

    def holds(self, table: str) -> bool:
        """Whether what a table is read from is there."""
        return self.path(table).exists()

    def path(self, table: str) -> Path:
        """The file of a table, or where it would be; of several endings, CSV comes first."""
        if table in self._config.files:
            return self._folder / self._config.files[table]
        found = [self._folder / f"{table}{ending}" for ending in ENDINGS]
        export = self._config.bookings_export.file
        elsewhere = self._folder / export if export else None
        return next((path for path in found if path.exists() and path != elsewhere), found[0])

    def files(self) -> list[Path]:
        """Every file that is read for tables of another program."""
        return []

    def name_of(self, table: str) -> str:
        """What a table is called in messages."""
        return self.path(table).name

    def names(self) -> dict[str, str]:
        """What rows are called in messages that are told by something else than their table."""
        return {}

    def raw(self, table: str) -> RawTable:
        """A table as text."""
        return self._board.remember(f"raw {table}", lambda: self._read_file(self.path(table)))

    def height(self, table: str) -> int:
        """Number of rows of a table in its file."""
        return self.raw(table).frame.height

    def heights(self) -> Mapping[str, int]:
        """Numbers of rows by the keys of `names`, so far as they have been read."""
        return {}

    def places(self, table: str) -> pl.DataFrame | None:
        """Where each row stands, in words; None where its number is that of the file."""
        return None

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems of a table as whoever wrote the file calls its rows and columns."""
        return problems

    def refusal(self, table: str, said: str) -> pl.DataFrame:
        """Report a table that cannot be read; nothing where that is said of another one."""
        return problem(table, said.removeprefix(f"{self.name_of(table)}: "))

    def say(self, table: str, notes: list[str]) -> list[str]:
        """Notes on a table, each with where it belongs, together with those on reading it."""
        return [f"{self.name_of(table)}: {note}." for note in [*self.raw(table).notes, *notes]]

    def identities(self) -> dict[str, str]:
        """What stands in the files of another program and must stand nowhere else, with its column."""
        return {}

    def hidden(self) -> Hidden:
        """Cells of another program's files that may not be shown."""
        return frozenset(), frozenset()

    def _read_file(self, path: Path) -> RawTable:
        raw = read_table(path)
        self._board.refuse_change(path, raw.digest)
        return raw

    def _refuse_second(self, table: str, this: str, give_up: str) -> None:
        others = [each for each in self._board.origins if type(each) is not type(self) and each.gives(table)]
        if others:
            other = others[0].name_of(table)
            raise TableError(
                f"{table} must come from one place, and there are two: {this} in {CONFIG} names, and {other}. "
                f"Delete {other} or take it out of {others[0].section}, or take {give_up}."
            )


class FromDatabase(Origin):
    """Tables that ``[database.tables]`` names."""

    section = "[database.tables]"

    def gives(self, table: str) -> bool:
        """Whether `board.toml` names a table of the database."""
        return table in self._config.database.tables

    def holds(self, table: str) -> bool:
        """A server is not asked before it is read."""
        return True

    def name_of(self, table: str) -> str:
        """Its name in the database."""
        return label_of(self._config.database.tables[table])

    def raw(self, table: str) -> RawTable:
        """The server is asked once, also where it refuses."""
        return _or_raise(self._board.remember(f"database {table}", lambda: _or_why(lambda: self._read(table))))

    def _read(self, table: str) -> RawTable:
        self._refuse_second(table, f"this one, which {self.section}", f"{table} out of {self.section}")
        database, own = self._config.database, self._config.own_columns(table)
        return read_database(database.uri or "", database.tables[table], table=table, own=own)


class FromReturn(Origin):
    """Plans, conferences and reviews of a return of the council, which ``[child_protection]`` names."""

    section, foreign = "[child_protection]", True

    def gives(self, table: str) -> bool:
        """Whether the return holds a table: plans always, others where it has rows of them.

        Where it cannot be read, nobody knows, and it gives what has no other place.
        """
        if table not in returned_tables(self._config.child_protection):
            return False
        if table == "plans":
            return True
        read = self._try()
        if isinstance(read, PlanReturn):
            return read.holds(table)
        elsewhere = {*self._config.files, *self._config.database.tables}
        return table not in elsewhere and not Origin.path(self, table).exists()

    def holds(self, table: str) -> bool:
        """Whether one of its files is there."""
        return any(path.exists() for path in self._paths)

    def path(self, table: str) -> Path:
        """Its file, or the first of several."""
        return self._paths[0]

    def files(self) -> list[Path]:
        """Files of the census, or those of the lists."""
        return return_files(self._folder, self._config.child_protection)

    def names(self) -> dict[str, str]:
        """What its tables are called once it is read."""
        read = self._board.cached("return")
        return dict(read.names) if isinstance(read, PlanReturn) else {}

    def heights(self) -> Mapping[str, int]:
        """Records of each file."""
        read = self._board.cached("return")
        return read.heights if isinstance(read, PlanReturn) else {}

    def read(self) -> PlanReturn:
        """The return, or why it cannot be read: it may be large, and is not tried again for every question."""
        return _or_raise(self._try())

    def raw(self, table: str) -> RawTable:
        """One of its tables."""
        return RawTable(self.read().table(table), (), " ".join(self.read().digests.values()))

    def places(self, table: str) -> pl.DataFrame | None:
        """Lines of the census."""
        return self.read().places(table)

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems by file and line, or by the headings of a list."""
        return self.read().in_its_words(table, problems)

    def refusal(self, table: str, said: str) -> pl.DataFrame:
        """What is wrong with a file is said of that file, and once."""
        if table != "plans":
            return no_problems()
        place, colon, rest = said.partition(": ")
        is_told = colon and place.startswith(tuple(path.name for path in self.files())) and place != self.name_of(table)
        return problem(place, rest) if is_told else super().refusal(table, said)

    def say(self, table: str, notes: list[str]) -> list[str]:
        """Notes on reading belong to plans; those that begin with a file name it themselves."""
        every = [*(self.read().notes if table == "plans" else ()), *notes]
        files = tuple(path.name for path in self.files())
        return [f"{note}." if note.startswith(files) else f"{self.name_of(table)}: {note}." for note in every]

    def identities(self) -> dict[str, str]:
        """Identifiers of children, and names of people."""
        return identities_in_return(self._folder, self._config.child_protection)

    @property
    def _paths(self) -> list[Path]:
        return return_paths(self._folder, self._config.child_protection)

    def _try(self) -> PlanReturn | str:
        return self._board.remember("return", lambda: _or_why(self._read))

    def _read(self) -> PlanReturn:
        settings, this = self._config.child_protection, f"the return that {self.section}"
        self._refuse_second("plans", this, f"the return out of {self.section}")
        words = {table: self._board.words_of(table) for table in returned_tables(settings)}
        authority = self._config.board.authority
        read = read_plan_return(self._folder, settings, self._board.key(), authority=authority, words=words)
        for table in returned_tables(settings)[1:]:
            if read.holds(table):
                self._refuse_second(table, this, f"the return out of {self.section}")
        for path in self.files():
            if path.name in read.digests:
                self._board.refuse_change(path, read.digests[path.name])
        return read


class FromForms(Origin):
    """Scores of the forms that ``[forms]`` names."""

    section, foreign = "[forms]", True

    def gives(self, table: str) -> bool:
        """Whether there are forms, of scores."""
        return table == "scores" and bool(self.files())

    def path(self, table: str) -> Path:
        """The first of the forms that is there."""
        return next(filter(Path.exists, self.files()), self.files()[0])

    def files(self) -> list[Path]:
        """Every form."""
        return [self._folder / form.file for form in self._config.forms.files]

    def names(self) -> dict[str, str]:
        """Names of the forms, together and one by one."""
        forms = names_of(self._config.forms)
        return ({"scores": shorten(forms, most=2)} if forms else {}) | {table_of(name): name for name in forms}

    def heights(self) -> Mapping[str, int]:
        """Rows of each form."""
        read = self._board.cached("forms")
        return read.heights if isinstance(read, Forms) else {}

    def read(self) -> Forms:
        """The forms without the people in them."""
        return self._board.remember("forms", self._read)

    def raw(self, table: str) -> RawTable:
        """The answers of all forms."""
        return RawTable(self.read().scores, (), " ".join(self.read().digests.values()))

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems by form, row and heading."""
        return self.read().in_its_words(problems)

    def say(self, table: str, notes: list[str]) -> list[str]:
        """Notes on the forms name them; others are on the scores."""
        board, people, said = self._board, self.read().people, list(self.read().notes)
        if "date" in board.known("sessions"):
            said += say_wrong_day(people, board.checked("sessions").frame)
        if board.known("bookings"):
            said += say_without_booking(people, board.merged("bookings"))
        return [f"{note}." for note in (*said, *(f"scores: {each}" for each in notes))]

    def identities(self) -> dict[str, str]:
        """Addresses and names of those who answered."""
        return identities_in_forms(self._folder, self._config.forms)

    def hidden(self) -> Hidden:
        """Those of the forms, where they can be read."""
        return (self.read().personal, self.read().rare) if self._board.known("scores") else super().hidden()

    def _read(self) -> Forms:
        self._refuse_second("scores", f"the forms that {self.section}", f"away {self.section}")
        board = self._board
        if not {"item", "kind", "minimum", "maximum"} <= set(board.known("items")):
            raise TableError(
                f"what an answer is worth stands in the table items. Put {board.path('items').name} into the folder."
            )
        items, words = board.checked("items").frame, board.words_of("scores")
        forms = read_forms(self._folder, self._config.forms, board.key(), items, words)
        for file, digest in forms.digests.items():
            board.refuse_change(self._folder / file, digest)
        return forms


class FromBallots(Origin):
    """Ballots of the files that ``[ballots_export]`` names; issues of PrefLib files, where no other place has them."""

    section, foreign = "[ballots_export]", True

    def gives(self, table: str) -> bool:
        """Whether there are files; of issues, whether all of them list their alternatives and no other place does."""
        if table != "issues":
            return table == "ballots" and bool(self._config.ballots_export.files)
        elsewhere = {*self._config.files, *self._config.database.tables}
        return self._found().list_issues and table not in elsewhere and not Origin.path(self, table).exists()

    def path(self, table: str) -> Path:
        """The first of the files that is there."""
        return self._found().path

    def files(self) -> list[Path]:
        """Every file of ballots, as they were when they were first looked for."""
        return list(self._found().files.values())

    def names(self) -> dict[str, str]:
        """Names of the files, together and one by one."""
        return self._found().names() if self.gives("ballots") else {}

    def heights(self) -> Mapping[str, int]:
        """Rows of each file."""
        read = self._board.cached("ballots")
        return read.heights if isinstance(read, BallotExport) else {}

    def read(self) -> BallotExport:
        """The ballots without the people in them."""
        return self._board.remember("ballots", self._read)

    def raw(self, table: str) -> RawTable:
        """The ballots of all files, or the issues on them."""
        if table == "issues":
            return RawTable(self._found().issues(), (), "")
        return RawTable(self.read().ballots, (), " ".join(self.read().digests.values()))

    def places(self, table: str) -> pl.DataFrame | None:
        """Rows of the files."""
        return self.read().in_words() if table == "ballots" else None

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems by file, row and heading; what is wrong with the list of issues is said of the ballots."""
        return no_problems() if table == "issues" else self.read().in_its_words(problems)

    def say(self, table: str, notes: list[str]) -> list[str]:
        """Notes on the files name them; others are on the ballots."""
        if table == "issues":
            return [f"issues: the alternatives of {self.names()['ballots']} are taken."]
        return [f"{note}." for note in (*self.read().notes, *(f"ballots: {each}" for each in notes))]

    def identities(self) -> dict[str, str]:
        """Members as they were typed."""
        return self._found().identities(self._config.ballots_export, self._issues())

    def hidden(self) -> Hidden:
        """Those of the ballots, where they can be read."""
        return (self.read().personal, self.read().rare) if self._board.known("ballots") else super().hidden()

    def _found(self) -> BallotFiles:
        names = self._config.ballots_export.files
        return self._board.remember("files of ballots", lambda: ballot_files(self._folder, names))

    def _issues(self) -> list[str] | None:
        return None if self.gives("issues") else self._board.names_in("issues", "issue")

    def _read(self) -> BallotExport:
        self._refuse_second("ballots", f"the files that {self.section}", f"away {self.section}")
        board, words = self._board, self._board.words_of("ballots")
        agencies = board.names_in("agencies", "agency")
        settings, issues = self._config.ballots_export, self._issues()
        read = read_ballots(self._found(), settings, board.key(), issues=issues, agencies=agencies, words=words)
        for label, digest in read.digests.items():
            board.refuse_change(self._found().files[label], digest)
        return read


class FromExport(Origin):
    """Bookings, and sessions that have no file, of the export that ``[bookings_export]`` names."""

    section, foreign = "[bookings_export]", True

    def gives(self, table: str) -> bool:
        """Whether there is an export; of sessions, whether it has all their columns and no other place has them."""
        settings = self._config.bookings_export
        if table != "sessions" or settings.file is None:
            return table == "bookings" and settings.file is not None
        elsewhere = {*self._config.files, *self._config.database.tables}
        return settings.holds_sessions and table not in elsewhere and not Origin.path(self, table).exists()

    def path(self, table: str) -> Path:
        """The export."""
        return self._folder / str(self._config.bookings_export.file)

    def files(self) -> list[Path]:
        """The export, where there is one."""
        return [self.path("bookings")] if self.gives("bookings") else []

    def read(self) -> Export:
        """The export without the people in it: it may be large, and is not tried again for every question."""
        return _or_raise(self._board.remember("export", lambda: _or_why(self._read)))

    def raw(self, table: str) -> RawTable:
        """One of its tables."""
        export = self.read()
        return RawTable(getattr(export, table), export.notes if table == "bookings" else (), export.digest)

    def height(self, table: str) -> int:
        """Rows of the export, of which several may be one session."""
        return self.read().rows

    def in_its_words(self, table: str, problems: pl.DataFrame) -> pl.DataFrame:
        """Problems under the headings of the export."""
        return self.read().in_its_words(table, problems)

    def refusal(self, table: str, said: str) -> pl.DataFrame:
        """Said of bookings, which are read from the same file."""
        return no_problems() if table == "sessions" else super().refusal(table, said)

    def identities(self) -> dict[str, str]:
        """Addresses and names of people in the export."""
        return identities(self.path("bookings"), self._config.bookings_export) if self.files() else {}

    def hidden(self) -> Hidden:
        """Those of the export."""
        return self.read().personal, self.read().rare

    def _read(self) -> Export:
        self._refuse_second("bookings", f"this one, which {self.section}", f"away {self.section}")
        board, held = self._board, None
        if not self.gives("sessions") and board.holds("sessions"):
            held = pl.DataFrame(schema={"session": pl.String, "date": pl.Date})
            if "date" in board.known("sessions"):
                held = board.checked("sessions").frame.select("session", "date")
        export = read_export(
            self.path("bookings"),
            self._config.bookings_export,
            board.key(),
            {table: board.words_of(table) for table in ("bookings", "sessions")},
            own=self._config.own_columns("bookings"),
            held=held,
        )
        board.refuse_change(self.path("bookings"), export.digest)
        return export


ORIGINS: tuple[type[Origin], ...] = (FromDatabase, FromReturn, FromForms, FromBallots, FromExport, Origin)
"""Every place that tables may come from; a file of the board's own is last, where no other gives a table."""


@dataclass(frozen=True)
class Origins:
    """The tables of a board's folder as they are read, and all that was read of it so far."""

    folder: Path
    config: Config
    config_digest: str = ""
    _cache: dict[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @cached_property
    def origins(self) -> tuple[Origin, ...]:
        """Every place that tables of this board may come from, the one that counts first."""
        return tuple(origin(self) for origin in ORIGINS)

    def origin_of(self, table: str) -> Origin:
        """Where a table comes from."""
        return next((origin for origin in self.origins if origin.gives(table)), self.origins[-1])

    def holds(self, table: str) -> bool:
        """Whether there is a file of a table, or `board.toml` names a database's."""
        return self.origin_of(table).holds(table)

    def name_of(self, table: str) -> str:
        """What a table is called in messages: its file, or that of a database."""
        return self.origin_of(table).name_of(table)

    def path(self, table: str) -> Path:
        """The file a table is read from: a return, a form, an export, what `board.toml` names, or ``<table>.csv``."""
        of_files = [origin for origin in self.origins if not isinstance(origin, FromDatabase)]
        return next((origin for origin in of_files if origin.gives(table)), of_files[-1]).path(table)

    def foreign(self) -> list[str]:
        """Tables that are read from files of other programs: returns, forms, exports of a booking system."""
        return [table for origin in self.origins if origin.foreign for table in TABLES if origin.gives(table)]

    def foreign_files(self) -> list[Path]:
        """Files of other programs."""
        return [path for origin in self.origins for path in origin.files()]

    def raw(self, table: str) -> RawTable:
        """A table as text: of its file, of a database, or of what another program wrote."""
        return self.origin_of(table).raw(table)

    def checked(self, table: str) -> Checked:
        """A table after its own contract, without the references to other tables."""

        def check() -> Checked:
            raw, own = self.raw(table).frame, self.config.own_columns(table)
            # Exports have been put into the board's words already: once more would be a chain.
            words = {} if self.origin_of(table).foreign else self.words_of(table)
            return check_table(table, raw, TABLES[table], words, own)

        return self.remember(f"checked {table}", check)

    def merged(self, table: str) -> pl.DataFrame:
        """A table after its contract, with rows of merged agencies under their successors.

        Of the agencies themselves a merger that is still to come is left out.
        """
        frame = self._with_pseudonyms(self.checked(table).frame)
        if table == "agencies":
            merged = pl.col("agency").is_in(list(self.mergers().successors))
            return frame.with_columns(pl.when(merged).then(pl.col("merged_into", "merged_on")))
        return merge_rows(table, frame, self.mergers()) if table in MERGED else frame

    def mergers(self) -> Mergers:
        """Which agencies have merged by the date of the evaluation."""

        def read() -> Mergers:
            if not {"merged_into", "merged_on"} <= set(self.known("agencies")):
                return Mergers({}, no_problems())
            return mergers_of(self.checked("agencies").frame, self.config.board.as_at)

        return self.remember("mergers", read)

    def height(self, table: str) -> int:
        """Number of rows of a table; 0 where it cannot be read."""
        try:
            return self.origin_of(table).height(table)
        except TableError:
            return 0

    def heights(self, tables: Iterable[str]) -> dict[str, int]:
        """Number of rows of some tables, and of each file of which several make one table."""
        heights = {table: self.height(table) for table in tables}
        return heights | {name: rows for origin in self.origins for name, rows in origin.heights().items()}

    def known(self, table: str) -> list[str]:
        """Columns of a table another one refers to; none when it is absent or unreadable (reported by itself)."""
        if not self.holds(table):
            return []
        try:
            return self.checked(table).frame.columns
        except TableError:
            return []

    def names_in(self, table: str, column: str) -> list[str] | None:
        """What a column of a table lists, each once; None where there is no such table, or it cannot be read."""
        names = self.checked(table).frame[column] if column in self.known(table) else None
        return None if names is None else names.drop_nulls().unique(maintain_order=True).to_list()

    def words_of(self, table: str) -> dict[str, Words]:
        """The board's words of a table, and the aliases of agencies."""
        words = {column: dict(aliases) for column, aliases in self.config.words.get(table, {}).items()}
        if table != "agencies" and "agency" in TABLES[table].columns():
            words["agency"] = self._agency_aliases() | words.get("agency", {})
        return words

    def key_path(self) -> Path:
        """Where the key of the pseudonyms is."""
        return self.folder / self.config.bookings_export.key_file

    def key(self) -> Key:
        """The key of the pseudonyms, read anew each time."""
        return read_key(self.key_path(), self.folder)

    def digest(self, path: Path) -> str:
        """Digest of a file as it was when it was first read; "" where there is none."""
        return self.remember(f"digest {path}", lambda: digest_of(path.read_bytes()) if path.is_file() else "")

    def refuse_change(self, path: Path, digest: str) -> None:
        """Refuse a file whose bytes are others than those that were read first."""
        if self.remember(f"digest {path}", lambda: digest) != digest:
            raise TableError(f"{path.name}: the file has changed since the board's folder was opened. Open it again.")

    def remember(self, key: str, make: Callable[[], Read]) -> Read:
        """What was made once under a name."""
        if key not in self._cache:
            self._cache[key] = make()
        return cast(Read, self._cache[key])

    def cached(self, key: str) -> object:
        """What was made under a name; None where nothing was."""
        return self._cache.get(key)

    def _with_pseudonyms(self, frame: pl.DataFrame) -> pl.DataFrame:
        """People of a file of the board's own as they are called in the export: by the same key, unless they are."""
        if "person" not in frame.columns or not self.foreign():
            return frame
        already = pl.col("person").str.contains(PSEUDONYM)
        keyed = pseudonyms(frame["person"], self.key())
        return frame.with_columns(pl.when(already).then("person").otherwise(keyed).alias("person"))

    def _agency_aliases(self) -> Words:
        if "aliases" not in self.known("agencies"):
            return {}
        found = claims(self.checked("agencies").frame)
        return dict(found.filter(~pl.col("contested")).select("name", "agency").iter_rows())


Source = TypeVar("Source", RawTable, Export, PlanReturn)


def _or_why(read: Callable[[], Source]) -> Source | str:
    """What was read, or why it cannot be: what is large or far away is not tried again for every question."""
    try:
        return read()
    except (ParameterError, TableError) as error:
        return str(error)


def _or_raise(found: Source | str) -> Source:
    if isinstance(found, str):
        raise TableError(found)
    return found
