"""A board's folder: `board.toml` and one file per table."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, TypeVar, cast

import polars as pl

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
from safeguarding_analytics.policy import Policy
from safeguarding_analytics.sources.files import ROW, RawTable, digest_of, read_table
from safeguarding_analytics.tables import TABLES, looks_personal

Read = TypeVar("Read", RawTable, Checked, str)


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
        problems = self._board.problems_of(name)
        if not problems.is_empty():
            raise TableError(
                "\n".join(say_problems(problems, self._board.file_names, {name: self._board.height(name)}))
            )
        return self._board.checked(name).frame.drop(ROW)


@dataclass(frozen=True)
class Board:
    """A board's folder, its configuration and its tables.

    ``tables["bookings"]`` reads the file, parses it and checks its contract; a broken rule raises `TableError` with
    every problem of that table. A column beyond the contract is there only where ``[columns]`` of `board.toml` names
    it. Row-level data: nothing of it may be printed or published.
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
        """File name per table, and `board.toml` for itself."""
        return {name: self.path(name).name for name in TABLES} | {CONFIG: CONFIG}

    @property
    def data_version(self) -> str:
        """Twelve characters that change whenever a file that is used changes: `board.toml`, a table, a comparator.

        It is the version of the bytes that were read: a file not read yet counts as it is now, and a table that has
        changed by the time it is read is refused.
        """
        comparators = self.config.comparators
        named = (comparators.second_or_subsequent_plans, comparators.statistical_neighbours)
        files = [self.path(name) for name in TABLES] + [self.folder / file for file in named if file]
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
        """Where the file of a table is: as `board.toml` says, else ``<table>`` with a known ending, CSV first."""
        if table in self.config.files:
            return self.folder / self.config.files[table]
        endings = (".csv", ".xlsx", ".parquet")
        found = [self.folder / f"{table}{ending}" for ending in endings]
        return next((path for path in found if path.exists()), found[0])

    def raw(self, table: str) -> RawTable:
        """The file of a table as text."""
        return self._remember(f"raw {table}", lambda: self._read(self.path(table)))

    def checked(self, table: str) -> Checked:
        """A table after its own contract, without the references to other tables."""
        return self._remember(
            f"checked {table}",
            lambda: check_table(
                table, self.raw(table).frame, TABLES[table], self._aliases(table), self.config.own_columns(table)
            ),
        )

    def height(self, table: str) -> int:
        """Number of rows of a table; 0 where it cannot be read."""
        try:
            return self.raw(table).frame.height
        except TableError:
            return 0

    def problems_of(self, table: str) -> pl.DataFrame:
        """Every broken rule of one table: its own contract and its references to other tables."""
        try:
            checked = self.checked(table)
        except TableError as error:
            return problem(table, str(error).removeprefix(f"{self.path(table).name}: "))
        reports = [checked.problems]
        if table == "agencies":
            reports.append(_contested(_claims(checked.frame)))
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
        return pl.concat(reports)

    def notes_of(self, table: str) -> list[str]:
        """What was taken for granted in reading a table, what of it is not used, and what it cannot answer."""
        try:
            raw, checked = self.raw(table), self.checked(table)
        except TableError:
            return []
        notes = list(raw.notes)
        if has_header(raw.frame, TABLES[table]):
            notes += _unused(raw.frame.columns, checked.frame.columns)
            if table == "scores":
                notes += _unpaired(checked.frame)
            if table == "plans":
                notes += _uncounted(raw.frame) + _of_others(checked.frame, self.config.board.authority)
        return [f"{self.path(table).name}: {note}." for note in notes]

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
        claims = _claims(self.checked("agencies").frame)
        return dict(claims.filter(~pl.col("contested")).select("name", "agency").iter_rows())

    def _digest(self, path: Path) -> str:
        """Digest of a file as it was when it was first read; "" where there is none."""
        return self._remember(f"digest {path}", lambda: digest_of(path.read_bytes()) if path.is_file() else "")

    def _read(self, path: Path) -> RawTable:
        raw = read_table(path)
        if self._remember(f"digest {path}", lambda: raw.digest) != raw.digest:
            raise TableError(f"{path.name}: the file has changed since the board's folder was opened. Open it again.")
        return raw

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
    present = [name for name in TABLES if board.path(name).exists() or name in config.files]
    if not present:
        reports.append(
            problem(CONFIG, f"the folder must hold at least one table, such as {board.path('bookings').name}")
        )
    reports.extend(board.problems_of(name) for name in present)
    return board, pl.concat([no_problems(), *reports])


def _claims(agencies: pl.DataFrame) -> pl.DataFrame:
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


def _contested(claims: pl.DataFrame) -> pl.DataFrame:
    """One report row per agency whose name or aliases another one has too."""
    rows = (
        claims.filter("contested")
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


def _unused(found: list[str], used: list[str]) -> list[str]:
    """Name the columns that are left out, and say how to keep one, where that is allowed."""
    how = "; to group by it, name it under [columns] in board.toml"
    return [
        f"column {name} is not in the contract and is not used{'' if looks_personal(name) else how}"
        for name in found
        if name not in used
    ]


def _unpaired(scores: pl.DataFrame) -> list[str]:
    """Say how many people answered only once: they are counted, and take no part in a paired gain."""
    waves = scores.group_by("session", "person").agg(pl.col("wave").unique())
    has_pre, has_post = pl.col("wave").list.contains("pre"), pl.col("wave").list.contains("post")
    only_post, only_pre = waves.filter(has_post & ~has_pre).height, waves.filter(has_pre & ~has_post).height
    return [
        f"{count:,} people answered only {here} the session, so their gain is not known"
        for count, here in ((only_post, "after"), (only_pre, "before"))
        if count
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
