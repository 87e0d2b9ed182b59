"""A board's folder: `board.toml` and its tables, checked, and what is to be said of them."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import polars as pl

from safeguarding_analytics.agency_names import (
    MERGED,
    claims,
    contested,
    counted_twice,
    notes_of_mergers,
    propose_aliases,
)
from safeguarding_analytics.areas import Area, checked_column, config_of, references, told_apart, with_history
from safeguarding_analytics.ballot_flags import check_form_order, check_seats, check_voters, say_ballots
from safeguarding_analytics.config import PolicySection, read_config
from safeguarding_analytics.contracts import (
    CONFIG,
    Checked,
    check_references,
    has_header,
    no_problems,
    problem,
    say_problems,
)
from safeguarding_analytics.errors import ParameterError, TableError, nearest
from safeguarding_analytics.kept_tables import kept_at, kept_table, tables_kept, told
from safeguarding_analytics.origins import FromBallots, FromExport, FromForms, FromReturn, Origins
from safeguarding_analytics.plan_conflicts import conflicts_of
from safeguarding_analytics.plan_returns import PlanReturn, returned_tables
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.pseudonyms import others_can_read
from safeguarding_analytics.register_days import RegisterDays, days_of_register
from safeguarding_analytics.session_notes import say_sessions
from safeguarding_analytics.sources.ballots import BallotExport
from safeguarding_analytics.sources.bookings import Export
from safeguarding_analytics.sources.files import ROW
from safeguarding_analytics.sources.form_people import say_unpaired
from safeguarding_analytics.sources.forms import Forms
from safeguarding_analytics.sources.learners import REPORT
from safeguarding_analytics.table_notes import not_yet_held, say_of_others, say_uncounted, say_unused
from safeguarding_analytics.tables import TABLES


class Tables(Mapping[str, pl.DataFrame]):
    """The tables of a board's folder by name; each is read and checked when it is first asked for."""

    def __init__(self, board: Board) -> None:
        self._board = board

    def __iter__(self) -> Iterator[str]:
        return (name for name in TABLES if name in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def __contains__(self, name: object) -> bool:
        return name in TABLES and self._board.holds(str(name)) and self._board.tells(str(name))

    def __getitem__(self, name: str) -> pl.DataFrame:
        if name not in TABLES:
            raise ParameterError(
                f'there is no table "{name}".{nearest(name, list(TABLES))} Known: {", ".join(TABLES)}.'
            )
        board = self._board
        if board.area and board.holds(name) and not board.tells(name):
            raise ParameterError(
                f"{board.name_of(name)}: no row says its {board.area.column}, so {board.area} alone has none of it. "
                f"Leave the area out, or name a column of {board.area.column} in the file."
            )
        together = board.read_from_export() if name in board.read_from_export() else [name]
        problems = pl.concat([board.problems_of(each) for each in together])
        if not problems.is_empty():
            raise TableError("\n".join(say_problems(problems, board.file_names, board.heights(together))))
        return board.of_its_area(name, board.merged(name).drop(ROW))

    def or_empty(self, name: str) -> pl.DataFrame:
        """A table that an analysis can do without: the contract's columns and no rows where there is no file."""
        if name in self or name not in TABLES:
            return self[name]
        return pl.DataFrame(schema={column: rule.dtype for column, rule in TABLES[name].columns().items()})


@dataclass(frozen=True)
class Board(Origins):
    """A board's folder, its configuration and its tables.

    ``tables["bookings"]`` reads the file, parses it and checks its contract; a broken rule raises `TableError` with
    every problem of that table. A column beyond the contract is there only where ``[columns]`` of `board.toml` names
    it. Bookings, and sessions where they have no file, come from an export of a booking system where
    ``[bookings_export]`` names one, scores from the forms that ``[forms]`` names, ballots from the files that
    ``[ballots_export]`` names, and plans, conferences and reviews from a return that ``[child_protection]`` names; any
    table comes from a database where ``[database.tables]`` names it. Rows of an agency that merged are those of its
    successor. Row-level data: nothing of it may be printed or published.

    With an ``area``, ``tables`` are the rows of it; a table that nobody can tell the areas of is as one that is not
    there, and so are targets of the whole board and figures that others publish of it.
    """

    area: Area | None = None
    all_areas: Board | None = field(default=None, repr=False, compare=False)

    @cached_property
    def tables(self) -> Tables:
        """The tables by name."""
        return Tables(self)

    @property
    def file_names(self) -> dict[str, str]:
        """File name, or that in the database, per table and per file of which several make one, and `board.toml`."""
        names = {name: self.name_of(name) for name in TABLES}
        return names | {key: name for origin in self.origins for key, name in origin.names().items()} | {CONFIG: CONFIG}

    @property
    def data_version(self) -> str:
        """Twelve characters that change whenever a file that is used changes: `board.toml`, a table, a comparator.

        It is the version of the bytes that were read: a file not read yet counts as it is now, and a table that has
        changed by the time it is read is refused. A table of a database is read for it, and counts as it was then.
        """
        if self.area:
            return self.whole.data_version
        in_database = [name for name in TABLES if name in self.config.database.tables]
        files = [self.path(name) for name in TABLES if name not in in_database]
        files += [self.folder / file for file in self.config.comparators.files if file]
        files += [path for path in dict.fromkeys(self.foreign_files()) if path not in files]
        version = hashlib.sha256()
        read = [(self.name_of(name), self.raw(name).digest) for name in in_database]
        for name, digest in ((CONFIG, self.config_digest), *((path.name, self.digest(path)) for path in files), *read):
            if digest:
                version.update(f"{name}\0{digest}\0".encode())
        return version.hexdigest()[:12]

    @property
    def kept(self) -> Path | None:
        """Where the tables are kept, in a run that has checked them already; None where they are to be read here."""
        if not told() or self.config.database.tables:
            return None
        return self.remember("kept", lambda: kept_at(self.data_version))

    def checked(self, table: str) -> Checked:
        """A table after its own contract: as a run kept it, or read here as `Origins.checked` says."""
        place = self.kept
        if place is not None:
            with suppress(FileNotFoundError):  # they were those of a run beside this one, which has ended
                return self.remember(f"checked {table}", lambda: kept_table(place, table))
        return super().checked(table)

    @contextmanager
    def kept_for_a_run(self) -> Iterator[None]:
        """Keep the tables, which must have broken no rule, for this process and those that it starts meanwhile."""
        if self.config.database.tables:  # it would have to be asked again to know whether it is still the same
            yield
            return
        with tables_kept(self.data_version, [name for name in TABLES if self.holds(name)], self.checked):
            yield

    @property
    def whole(self) -> Board:
        """The board with all its areas."""
        return self.all_areas or self

    def of(self, area: Area | None) -> Board:
        """The same board with the rows of one area; of none, itself.

        Raises
        ------
        ParameterError
            When no table has a row of the area.
        """
        if area is None:
            return self
        known = self.areas(area.column)
        if area.value not in known:
            raise ParameterError(
                f'no row has {area.column} "{area.value}".{nearest(area.value, known)} Known: {", ".join(known)}.'
            )
        # What was read is kept for both: nothing that is kept depends on the area.
        return replace(self, config=config_of(self.config, area), area=area, all_areas=self)

    def areas(self, column: str) -> list[str]:
        """The values of a column of areas in all tables that have it, sorted."""
        names = [name for name in TABLES if checked_column(column) in self.known(name)]
        found = {value for name in names for value in self.tables[name][column].drop_nulls()}
        return sorted(map(str, found))

    def tells(self, table: str) -> bool:
        """Whether the rows of a table can be told apart by area, where this is the board of one."""
        return self.area is None or table in self._told_apart

    @cached_property
    def _told_apart(self) -> dict[str, str]:
        if self.area is None:
            return {}
        columns = {name: self._columns_with_values(name) for name in TABLES if self.holds(name)}
        return told_apart(columns, self.area.column)

    def _columns_with_values(self, table: str) -> list[str]:
        return [name for name in self.known(table) if self.checked(table).frame[name].is_not_null().any()]

    def of_its_area(self, table: str, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows of a table that are of the area of this board."""
        if self.area is None or self._told_apart[table] == table:
            return rows
        through = self._told_apart[table]
        if not through:
            return self.area.rows(with_history(rows) if table == "plans" else rows)
        target, column = references(table)[through]
        return rows.join(self.tables[target].select(pl.col(column).alias(through)), on=through, how="semi")

    def policy(self, population: Literal["children", "staff", "board_members"]) -> Policy:
        """Which numbers are hidden in tables that count one population."""
        chosen: PolicySection = getattr(self.config.policy, population)
        return chosen.policy()

    def issues(self) -> list[str] | None:
        """All issues of the ballot paper, also those nobody ranked; None where the folder has no table of issues."""
        return self.tables["issues"]["issue"].to_list() if "issues" in self.tables else None

    def read_from_export(self) -> list[str]:
        """Tables that are read from the export of a booking system; none where `board.toml` names no export."""
        return [table for table in TABLES if FromExport(self).gives(table)]

    @property
    def returned(self) -> tuple[str, ...]:
        """Tables that are read from a return of the council, such as the children in need census."""
        return tuple(table for table in TABLES if FromReturn(self).gives(table))

    def register_days(self, authority: str | None = None) -> RegisterDays:
        """From which day to which the plans of an authority are complete: as stated, by the return, or by the plans."""
        stated, plans = self.config.child_protection, self.whole.tables["plans"]
        first, last = self.plan_return().days if self._has_return() else (None, None)
        own = plans.filter(pl.col("authority") == authority) if authority else plans
        return days_of_register(own, stated.plans_from or first, stated.plans_to or last)

    def plan_return(self) -> PlanReturn:
        """The return from which plans are read, without the children in it.

        Raises
        ------
        TableError
            When it cannot be read, there is no key, or the folder has a file of plans as well.
        """
        return FromReturn(self).read()

    def export(self) -> Export:
        """The export of a booking system, read without the people in it.

        Raises
        ------
        TableError
            When it cannot be read, there is no key, or the folder has a file of bookings as well.
        """
        return FromExport(self).read()

    def forms(self) -> Forms:
        """The forms that `board.toml` names, read without the people in them.

        Raises
        ------
        TableError
            When there is no key, no table of items, or the folder has a file of scores as well.
        """
        return FromForms(self).read()

    def ballot_export(self) -> BallotExport:
        """The ballots that `board.toml` names, read without the people in them.

        Raises
        ------
        TableError
            When there is no key, no table of issues, or the folder has a file of ballots as well.
        """
        return FromBallots(self).read()

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
        names = [name for name in TABLES if name != "agencies" and "agency" in self.known(name)]
        found = [self.checked(name).frame["agency"] for name in names]
        if "agency" not in self.known("agencies") or not found:
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

    def rule_notes(self) -> pl.DataFrame:
        """What of single rows breaks a rule of the return's own, and stops no report.

        Returns
        -------
        pl.DataFrame
            One row per rule and row, with the columns of `check_board`; ``found`` says how grave the Department takes
            it. No value of the file is in it. Empty where plans come from no return, or where it cannot be read.
        """
        return self.plan_return().noted if self._has_return() and self.known("plans") else no_problems()

    def identities(self) -> dict[str, str]:
        """What stands in files of other programs and must stand nowhere else, with its column, and the key.

        It is read again for this, and not kept.
        """
        if not self.foreign():
            return {}
        people = {text: column for origin in self.origins for text, column in origin.identities().items()}
        return people | {self.key().hexadecimal(): "key"}

    def problems_of(self, table: str) -> pl.DataFrame:
        """Every broken rule of one table: its own contract and its references to other tables.

        None inside a run whose tables were checked before it began, and kept (see `kept_tables`).
        """
        if self.kept:
            return no_problems()
        origin = self.origin_of(table)
        try:
            checked = self.checked(table)
        except TableError as error:
            return origin.refusal(table, str(error))
        reports = [checked.problems]
        if table == "agencies":
            reports += [contested(claims(checked.frame)), self.mergers().problems]
        if table == "workforce":
            reports.append(counted_twice(checked.frame, self.mergers()))
        if table == "bookings" and "date" in self.known("sessions"):
            reports.append(not_yet_held(checked.frame, self.checked("sessions").frame, self.config.board.as_at))
        if table == "plans":
            reports.append(conflicts_of(checked, origin.places(table)))
        if table == "ballots":
            settings, rules = self.config.ballots_export, self.config.priorities
            reports.append(check_voters(checked.frame, rules.members, rules.weight))
            if issues := self.names_in("issues", "issue"):
                reports += [check_form_order(settings.form_order, issues), check_seats(rules.seats, issues)]
        for name, column in TABLES[table].columns().items():
            target, _, target_column = (column.metadata or {}).get("references", "").partition(".")
            if target and target_column in self.known(target):
                known = self.checked(target).frame[target_column]
                reports.append(check_references(table, checked.frame, name, known, target, TABLES[table]))
        return origin.in_its_words(table, pl.concat(reports))

    def notes_of(self, table: str) -> list[str]:
        """What was taken for granted in reading a table, what of it is not used, and what it cannot answer."""
        try:
            raw, checked = self.raw(table), self.checked(table)
        except TableError:
            return []
        notes = []
        origin = self.origin_of(table)
        if has_header(raw.frame, TABLES[table]):
            notes += say_unused(raw.frame.columns, [*checked.frame.columns, *checked.renamed])
            if table in MERGED:
                notes += notes_of_mergers(table, checked.frame, self.mergers())
            if [table] == self.foreign()[-1:] and others_can_read(self.key_path()):
                notes.append(f"others on this computer can read the key {self.key_path().name}. Take that right away")
            if table == "sessions":
                named = ~pl.col("course").str.to_lowercase().is_in(list(frozenset().union(*origin.hidden())))
                course = pl.when(named.fill_null(value=True)).then("course").alias("course")
                notes += say_sessions(checked.frame.with_columns(course))
            if table == "scores":
                notes += say_unpaired(checked.frame)
            if table == "ballots":
                order, issues = self.config.ballots_export.form_order, self.names_in("issues", "issue") or []
                notes += say_ballots(checked.frame, origin.places(table), order, issues)
            if table == "plans":
                notes += say_uncounted(raw.frame) + say_of_others(checked.frame, self.config.board.authority)
                notes += self._notes_of_register()
        return origin.say(table, notes)

    def _notes_of_register(self) -> list[str]:
        """What is taken for granted of the days between which the register is complete."""
        taken = self.register_days(self.config.board.authority).taken if self.problems_of("plans").is_empty() else ""
        return [taken] if taken else []

    def _has_return(self) -> bool:
        """Whether plans are to be read from a return."""
        return "plans" in returned_tables(self.config.child_protection)

    def _hidden(self) -> tuple[frozenset[str], frozenset[str]]:
        """Cells of exports that hold somebody's name, and those that stand with few people."""
        found = [origin.hidden() for origin in self.origins if origin.files()]
        nobody = frozenset[str]()
        return nobody.union(*(personal for personal, _ in found)), nobody.union(*(rare for _, rare in found))


def read_board(folder: str | Path, *, area: str = "") -> Board:
    """Open a board's folder.

    Parameters
    ----------
    folder
        Folder with one file per table and, if the board wants other than the defaults, `board.toml`.
    area
        One area alone, as a column and a value, such as ``district=Thanet``; empty for all.

    Returns
    -------
    Board
        ``.config`` and ``.tables``; tables are read when they are asked for.

    Raises
    ------
    TableError
        When the folder does not exist, or `board.toml` breaks a rule (all mistakes at once).
    ParameterError
        When there is no such area.
    """
    path = Path(folder)
    config, problems, digest = read_config(path)
    if not problems.is_empty():
        raise TableError("\n".join(say_problems(problems, {}, {})))
    return Board(path, config, digest).of(Area.of(area) if area else None)


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
    present = [name for name in TABLES if board.holds(name) or name in named]
    if not present:
        reports.append(
            problem(CONFIG, f"the folder must hold at least one table, such as {board.path('bookings').name}")
        )
    reports.extend(board.problems_of(name) for name in present)
    return board, pl.concat([no_problems(), *reports])
