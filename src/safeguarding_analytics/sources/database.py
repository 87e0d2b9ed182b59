"""One table or view of a PostgreSQL database → the same frame of text as a file gives. Nothing is ever written there.

No message of the server is ever quoted: it may hold a value, and that of a failed log-in holds names.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Any

import polars as pl

from safeguarding_analytics.errors import TableError, nearest, numbered, shorten
from safeguarding_analytics.personal import looks_personal
from safeguarding_analytics.sources.database_address import (
    check_uri,
    full_address,
    label_of,
    say_unreachable,
    split_relation,
)
from safeguarding_analytics.sources.files import ROW, RawTable, plain_name, tidy
from safeguarding_analytics.tables import TABLES

if TYPE_CHECKING:
    from adbc_driver_manager import AdbcConnection

SLICE = 100_000
LONGEST_LOCK = 30
"""Seconds until a locked table is given up."""
NESTED = ("A", "C", "R", "P", "Z")
"""Categories of types that hold more than one value: arrays, records, ranges."""
NOT_ONE_VALUE = ("json", "jsonb", "bytea", "xml", "hstore")

CATALOG = """
WITH RECURSIVE kinds AS (
    SELECT oid AS whole, typname, typcategory, typbasetype FROM pg_catalog.pg_type
    UNION ALL
    SELECT kinds.whole, t.typname, t.typcategory, t.typbasetype
    FROM kinds JOIN pg_catalog.pg_type t ON t.oid = kinds.typbasetype
)
SELECT a.attname::pg_catalog.text AS name,
       k.typname::pg_catalog.text AS kind,
       k.typcategory::pg_catalog.text AS category,
       pg_catalog.has_schema_privilege(n.oid, 'USAGE')
           AND pg_catalog.has_column_privilege(c.oid, a.attnum, 'SELECT') AS readable,
       pg_catalog.row_security_active(c.oid) AS filtered,
       pg_catalog.current_setting('server_encoding') AS encoding,
       pg_catalog.current_setting('TimeZone') AS zone
FROM pg_catalog.pg_class c
JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
JOIN kinds k ON k.whole = a.atttypid AND k.typbasetype = 0
WHERE n.nspname = $1 AND c.relname = $2 AND c.relkind IN ('r', 'v', 'm', 'f', 'p')
ORDER BY a.attnum
"""
"""Columns of a relation; the type of a domain is that it is made of."""

VISIBLE = """
SELECT n.nspname::pg_catalog.text AS schema, c.relname::pg_catalog.text AS name
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'v', 'm', 'f', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'pg_toast')
  AND pg_catalog.has_schema_privilege(n.oid, 'USAGE') AND pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
ORDER BY 1, 2
"""


@dataclass(frozen=True)
class _Column:
    """A column of the database: its name there, its name as a file's would be, and how it is kept."""

    written: str
    name: str
    kind: str
    category: str
    readable: bool

    @property
    def one_value(self) -> bool:
        return self.category not in NESTED and self.kind not in NOT_ONE_VALUE


def read_database(
    uri: str,
    relation: str,
    *,
    table: str | None = None,
    own: Sequence[str] = (),
    password: str | None = None,
    timeout_seconds: int = 300,
) -> RawTable:
    """Read one table or view of a PostgreSQL database as text.

    Parameters
    ----------
    uri
        Where the database is and who reads it, such as ``"postgresql://reader@host/records"``, without a password:
        PostgreSQL looks for that in a ``.pgpass`` file, a service file, or ``PGPASSWORD``.
    relation
        Schema and name, spelled exactly as in the database: ``"child_protection.plans"``. A name that holds a dot or a
        quotation mark stands in quotation marks, as in SQL: ``'records."plans.2008"'``.
    table
        Name of the table of a board that it is to be: then only the columns of its contract are read. None reads all.
    own
        Columns beyond the contract that are read as well.
    password
        For callers who hold one in memory. It is given to the server, and kept nowhere.
    timeout_seconds
        After so many seconds the server gives the query up.

    Returns
    -------
    RawTable
        One row per row; column names trimmed, in lower case, spaces as underscores; values as text, trimmed, empty ones
        null: dates as 2008-03-31, also moments that are a midnight, yes and no, numbers plain. `ROW` last, which counts
        the rows from 1 on, in the order of the contract's key (of all columns, where there is no contract). The digest
        is that of the content read. Not suppressed.

    Raises
    ------
    TableError
        When the database cannot be reached or refuses the user, the table is not there or may not be read, columns are
        missing, hold lists or records, or the connection ends before the last row.
    ParameterError
        When the URI holds a password, or it or the relation cannot be understood.

    Notes
    -----
    Everything happens in one transaction that can only read, at one moment of the database; it is then rolled back.
    From another computer nothing is read without encryption, unless ``sslmode`` in the URI says so; ``verify-full``
    also makes sure that it is the right computer.
    Needs the extra ``database`` of this package.
    """
    check_uri(uri)
    schema, name = split_relation(relation)
    label = label_of(relation)
    with _opened(full_address(uri, password), label) as connection, _told(label, connection, timeout_seconds):
        for statement in _beginning(timeout_seconds):
            _change(connection, statement)
        catalog = _ask(connection, CATALOG, (schema, name))
        if catalog.is_empty():
            raise TableError(f"{label}: {_say_absent(schema, name, _ask(connection, VISIBLE))}")
        columns = [
            _Column(row["name"], plain_name(row["name"]), row["kind"], row["category"], row["readable"])
            for row in catalog.iter_rows(named=True)
        ]
        about = catalog.row(0, named=True)
        chosen = _chosen(columns, table, own, schema, name, label)
        expressions = ", ".join(
            f'{_as_text(column, about["encoding"])} AS "{position}"' for position, column in enumerate(chosen)
        )
        # Every name in it is quoted; values there are none.
        frame = _ask(connection, f"SELECT {expressions} FROM {_quoted(schema)}.{_quoted(name)}")  # noqa: S608
    frame = frame.rename({str(position): column.name for position, column in enumerate(chosen)})
    if frame.is_empty():
        raise TableError(f"{label}: there is no row in it that this user can see. Wanted one row per record.")
    keys = _keys(chosen, table)
    text = tidy(_in_order(_plain_days(frame, chosen), [column.name for column in keys]))
    notes = _notes(columns, chosen, keys, table, about)
    return RawTable(text, notes, _digest(text))


def _quoted(name: str) -> str:
    """A name as SQL takes it for nothing but a name."""
    return '"' + name.replace('"', '""') + '"'


def _written(*names: str) -> str:
    """Names as both SQL and `split_relation` read them."""
    return ".".join(name if re.fullmatch(r"[a-z_][a-z0-9_]*", name) else _quoted(name) for name in names)


def _beginning(timeout_seconds: int) -> list[str]:
    """What is agreed with the server first; a transaction that can only read cannot be made to write later."""
    return [
        "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY",
        f"SET LOCAL statement_timeout = '{int(timeout_seconds)}s'",
        f"SET LOCAL lock_timeout = '{LONGEST_LOCK}s'",
        "SET LOCAL datestyle = 'ISO, YMD'",
        "SET LOCAL extra_float_digits = 3",
    ]


@contextmanager
def _opened(address: str, label: str) -> Iterator[AdbcConnection]:
    """A connection in a transaction of its own."""
    try:
        from adbc_driver_manager import AdbcConnection, Error
        from adbc_driver_postgresql import connect
    except ImportError:
        raise TableError(
            f"{label}: reading a database needs packages that are not installed. "
            "Install them with: pip install 'safeguarding-analytics[database]'"
        ) from None
    try:
        database = connect(address)
    except Error as error:
        raise TableError(f"{label}: {say_unreachable(str(error))}") from None
    with database:
        try:
            connection = AdbcConnection(database)
            connection.set_autocommit(False)
        except Error as error:
            raise TableError(f"{label}: {say_unreachable(str(error))}") from None
        with connection:
            yield connection


@contextmanager
def _told(label: str, connection: AdbcConnection, timeout_seconds: int) -> Iterator[None]:
    """Whatever the server refuses or breaks off, in plain words."""
    from adbc_driver_manager import Error

    try:
        yield
    except Error as error:
        state, text = error.sqlstate or "", str(error)
    except (pl.exceptions.ComputeError, OSError) as error:  # what ends a stream of rows comes without a code
        state, text = "", str(error)
    else:
        return
    raise TableError(f"{label}: {_say_refused(state, text, _alive(connection), timeout_seconds)}") from None


def _alive(connection: AdbcConnection) -> bool:
    """Whether there is still a connection."""
    return connection.get_option("adbc.postgresql.transaction_status") != "unknown"


def _change(connection: AdbcConnection, statement: str) -> None:
    """Run a statement that gives no rows."""
    from adbc_driver_manager import AdbcStatement

    with AdbcStatement(connection) as running:
        running.set_sql_query(statement)
        running.execute_update()


def _ask(connection: AdbcConnection, query: str, values: Sequence[str] = ()) -> pl.DataFrame:
    """The rows of a query, taken batch by batch as the server sends them."""
    from adbc_driver_manager import AdbcStatement

    with AdbcStatement(connection) as running:
        running.set_sql_query(query)
        if values:
            running.bind_stream(pl.DataFrame({str(position): [value] for position, value in enumerate(values)}))
        stream: Any = running.execute_query()[0]
        return pl.DataFrame(stream)


def _as_text(column: _Column, encoding: str) -> str:
    """The SQL of a column as text."""
    name = _quoted(column.written)
    if column.kind == "bool":
        return f"CASE WHEN {name} THEN 'yes' WHEN NOT {name} THEN 'no' END"
    text = f"{name}::pg_catalog.numeric" if column.kind == "money" else name
    text += "::pg_catalog.text"
    if encoding == "SQL_ASCII":  # such a database keeps bytes: the server is to say whether they are UTF-8
        return f"pg_catalog.convert_from(pg_catalog.convert_to({text}, 'SQL_ASCII'), 'UTF8')"
    return text


def _chosen(
    columns: list[_Column], table: str | None, own: Sequence[str], schema: str, relation: str, label: str
) -> list[_Column]:
    """The columns to read, in the order of the contract, or why they cannot be read."""
    if table is None:
        wanted, needed = [column.name for column in columns], []
    else:
        contract = TABLES[table].columns()
        wanted = [*contract, *(name for name in own if name not in contract)]
        needed = [name for name in wanted if name not in contract or not _optional(contract[name])]
    names = [column.name for column in columns]
    found = dict(zip(names, columns, strict=True))
    missing = [name for name in needed if name not in names]
    twice = sorted({name for name in wanted if names.count(name) > 1} | ({ROW} & set(wanted)))
    shut = [name for name in needed or wanted if name in found and not found[name].readable]
    chosen = [found[name] for name in dict.fromkeys(wanted) if name in found and found[name].readable]
    several = [column.name for column in chosen if not column.one_value]
    said = [
        *([_say_missing(missing, names, wanted)] if missing else []),
        *([f"{_columns(twice)} must be there once, and {ROW} not at all. Make a view without."] if twice else []),
        *([_say_shut(_written(schema), _written(schema, relation), [found[name] for name in shut])] if shut else []),
        *([f"{_columns(several)} must hold one value per row, not lists, records or bytes."] if several else []),
    ]
    if said:
        raise TableError(f"{label}: {' '.join(said)}")
    return chosen


def _say_missing(missing: list[str], names: list[str], wanted: list[str]) -> str:
    others = [name for name in names if name not in wanted]
    return (
        f"{_columns(missing)} {'is' if len(missing) == 1 else 'are'} not there. "
        f"Found: {shorten(names, most=30)}.{''.join(nearest(name, others) for name in missing)} "
        "Make a view that calls the columns by these names, and name the view under [database.tables]."
    )


def _say_shut(schema: str, relation: str, shut: list[_Column]) -> str:
    written = ", ".join(_written(column.written) for column in shut)
    return (
        f"this user may not read {_columns([column.name for column in shut])}. "
        f"Ask for: GRANT USAGE ON SCHEMA {schema}, and GRANT SELECT ({written}) ON {relation}."
    )


def _optional(column: Any) -> bool:
    return bool((column.metadata or {}).get("optional"))


def _columns(names: list[str]) -> str:
    return f"{'column' if len(names) == 1 else 'columns'} {', '.join(names)}"


def _keys(chosen: list[_Column], table: str | None) -> list[_Column]:
    """The columns that order the rows."""
    contract = TABLES[table].columns() if table is not None else {}
    found = [column for column in chosen if column.name in contract and contract[column.name].primary_key]
    return found or chosen


def _plain_days(frame: pl.DataFrame, chosen: list[_Column]) -> pl.DataFrame:
    """Moments that are a midnight, as the day they begin; others stay as they are, and are no date."""
    moments = [column.name for column in chosen if column.kind in ("timestamp", "timestamptz")]
    return frame.with_columns(pl.col(name).str.replace(r" 00:00:00(?:[+-]\d\d(?::\d\d)*)?$", "") for name in moments)


def _in_order(frame: pl.DataFrame, keys: list[str]) -> pl.DataFrame:
    """Rows sorted by the bytes of their key, whatever order the database prefers, and numbered."""
    others = [name for name in frame.columns if name not in keys]
    unique = frame.select(pl.struct(keys).n_unique()).item() == frame.height
    ordered = frame.sort(keys if unique else [*keys, *others], nulls_last=True)
    return ordered.with_columns(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(ROW))


def _digest(frame: pl.DataFrame) -> str:
    """SHA-256 of the content, in whatever order its columns stand."""
    names = sorted(name for name in frame.columns if name != ROW)
    version = hashlib.sha256("\0".join(names).encode())
    for rows in frame.select(names).iter_slices(SLICE):
        written = BytesIO()
        rows.write_csv(written, include_header=False, quote_style="always")
        version.update(written.getbuffer())
    return version.hexdigest()


def _notes(
    columns: list[_Column], chosen: list[_Column], keys: list[_Column], table: str | None, about: dict[str, Any]
) -> tuple[str, ...]:
    """What was taken for granted in reading."""
    order = ", ".join(f'{_quoted(column.written)}::text COLLATE "C"' for column in keys)
    said = " and ".join(column.name for column in keys) if table is not None else "all columns"
    notes = [f"row numbers count the rows from 1 on, in the order of {said}; in SQL: ORDER BY {order}"]
    if about["filtered"]:
        notes.append("a policy of the database decides which rows this user sees. Nothing is known of the others")
    zoned = [column.name for column in chosen if column.kind == "timestamptz"]
    if zoned:
        verb = "is" if len(zoned) == 1 else "are"
        notes.append(f"{_columns(zoned)} {verb} read in the time zone of the database, {about['zone']}")
    left = [column for column in columns if column not in chosen]
    shut = [column.name for column in left if not column.readable and column.name in _contract(table)]
    if shut:
        notes.append(f"{_columns(shut)} may not be read by this user, and the analysis does without")
    unused = [column.name for column in left if column.name not in shut]
    if unused:
        how = "; to group by one, name it under [columns] in board.toml"
        notes.append(
            f"{numbered(len(unused), 'column')} not in the contract {'was' if len(unused) == 1 else 'were'} not read: "
            f"{shorten(unused, most=12)}{how if not all(map(looks_personal, unused)) else ''}"
        )
    return tuple(notes)


def _contract(table: str | None) -> list[str]:
    return list(TABLES[table].columns()) if table is not None else []


def _say_absent(schema: str, name: str, visible: pl.DataFrame) -> str:
    """There is no such relation: what it may be, and what there is."""
    readable = [_written(*row) for row in visible.rows()]
    there = f"This user can read: {shorten(readable, most=8)}." if readable else "This user can read no table at all."
    alike = [_written(*row) for row in visible.rows() if row[1].casefold() == name.casefold()]
    hint = f' Did you mean "{alike[0]}"?' if alike else nearest(_written(schema, name), readable)
    return f"there is no such table or view in the database.{hint} {there}"


REFUSED: tuple[tuple[str, str, str], ...] = (
    ("42501", r"permission denied", "this user may not read something that it is made of. Ask for GRANT SELECT on it"),
    (
        "25006",
        r"read-only transaction",
        "reading it would change the database, through a function of its view, and was refused. Ask for a view without",
    ),
    (
        "55P03",
        r"lock timeout",
        f"it was locked for longer than {LONGEST_LOCK} seconds, perhaps while it is loaded. Try again later",
    ),
    ("57014", r"canceling statement", "the query was not done within {seconds}, and was given up. Try later"),
    (
        "22021|22P05",
        r"byte sequence|no equivalent",
        "it holds text that is not in the encoding the database says. Ask its administrator to correct the text",
    ),
    ("53", r"out of memory|disk full|no space left", "the server has no memory or disk left for it. Try again later"),
)
"""Codes of the server, what it says where a stream of rows has no code, and what it means."""


def _say_refused(state: str, text: str, alive: bool, timeout_seconds: int) -> str:
    for codes, pattern, said in REFUSED:
        by_code = state and re.match(codes, state)
        if by_code or (not state and re.search(pattern, text, flags=re.IGNORECASE)):
            return f"{said.format(seconds=numbered(timeout_seconds, 'second'))}."
    if not alive:
        return "the connection to the database ended before the last row. Nothing of it is used: read it again."
    code = f" (its code for it is {state})" if state else ""
    return (
        f"the database stopped with an error of its own while it was read{code}. "
        "Nothing of it is used: try it with psql, and tell its administrator."
    )
