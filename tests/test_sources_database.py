"""Tables of a PostgreSQL database: what a real server holds, refuses and breaks off, and boards that read from it."""

import os
import signal
import threading
import time
from contextlib import contextmanager
from datetime import date, timedelta

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from safeguarding_analytics.board import check_all, check_board, read_board
from safeguarding_analytics.child_protection import repeat_plan_rate
from safeguarding_analytics.contracts import say_problems
from safeguarding_analytics.errors import ParameterError, TableError
from safeguarding_analytics.sources import database
from safeguarding_analytics.sources.database import read_database
from safeguarding_analytics.sources.database_address import check_uri, full_address, split_relation
from safeguarding_analytics.sources.files import ROW

servers = pytest.importorskip("postgres_server", reason="the extra database is not installed")

OWNER, READER, STRANGER, PASSWORDS = servers.OWNER, servers.READER, servers.NOBODY, servers.PASSWORDS

COLUMNS = ["plan", "child", "authority", "district", "category", "start_date", "end_date", "previous_plans"]
CATEGORIES = ("NEG", "PHY", "SAB", "EMO", "MUL")
FIRST = date(2005, 4, 1)


def plans():
    """Sixty invented plans of forty children as text; of the later ones every third is still open, and every
    seventh has no district."""
    return [
        {
            "plan": f"P{number:03}",
            "child": f"C{number % 40:03}",
            "authority": "Northshire",
            "district": None if number % 7 == 0 else ("Dover", "Thanet")[number % 2],
            "category": CATEGORIES[number % 5],
            "start_date": (FIRST + timedelta(days=25 * number)).isoformat(),
            "end_date": None
            if number >= 20 and number % 3 == 0
            else (FIRST + timedelta(days=25 * number + 200)).isoformat(),
            "previous_plans": None if number == 5 else str(number // 40),
        }
        for number in range(60)
    ]


def in_summer_time(day):
    """Whether a day begins in British summer time: after the last Sunday of March, up to that of October."""
    year = int(day[:4])
    march, october = (last - timedelta(days=last.isoweekday() % 7) for last in (date(year, 3, 31), date(year, 10, 31)))
    return march.isoformat() < day <= october.isoformat()


ANOTHER_WAY = (
    "SELECT 'x' AS note, previous_plans, end_date::date AS \"End Date\", start_date, category::text, district, child, "
    "authority, plan FROM child_protection.plans ORDER BY plan"
)
"""The plans in another order of rows and columns, and of other types."""


def as_csv(rows):
    return "\n".join([",".join(COLUMNS), *(",".join(row[name] or "" for name in COLUMNS) for row in rows)]) + "\n"


def literal(value):
    return "NULL" if value is None else f"'{value}'"


def insert(relation, rows):
    values = ", ".join(f"({', '.join(literal(row[name]) for name in COLUMNS)})" for row in rows)
    return f"INSERT INTO {relation} VALUES {values}"


@pytest.fixture(scope="module")
def server():
    if servers.programs() is None:
        pytest.skip("no PostgreSQL server (initdb) is installed")
    with servers.running_server() as running:
        running.run("CREATE SCHEMA child_protection", user=OWNER)
        running.run(f"GRANT USAGE ON SCHEMA child_protection TO {READER}", user=OWNER)
        running.run(
            "CREATE TABLE child_protection.plans (plan text, child text, authority text, district varchar(40), "
            "category char(5), start_date date, end_date timestamp, previous_plans integer)",
            user=OWNER,
        )
        # Put in from the last to the first: the database keeps no order of its own.
        running.run(insert("child_protection.plans", plans()[::-1]), user=OWNER)
        running.run(f"GRANT SELECT ON child_protection.plans TO {READER}", user=OWNER)
        yield running


@pytest.fixture
def made(server):
    """A schema for one test, and what is made in it as its owner; the reader may read all of it."""

    def make(*statements, user=OWNER):
        server.run(*statements, user=user)

    make(
        "CREATE SCHEMA made",
        f"GRANT USAGE ON SCHEMA made TO {READER}",
        f"ALTER DEFAULT PRIVILEGES IN SCHEMA made GRANT SELECT ON TABLES TO {READER}",
    )

    yield make
    server.run("DROP SCHEMA made CASCADE")


@pytest.fixture
def known(monkeypatch):
    """The reader's password where PostgreSQL looks for it."""
    monkeypatch.setenv("PGPASSWORD", PASSWORDS[READER])


def read(server, relation, *, user=READER, **options):
    return read_database(server.uri(user), relation, password=PASSWORDS[user], **options)


def refused(server, relation, *, user=READER, **options):
    """What is said of a table that cannot be read: one sentence or two, with no trace and no credential."""
    with pytest.raises(TableError) as caught:
        read(server, relation, user=user, **options)
    error = caught.value
    said = str(error)
    assert said.startswith(f"database table {relation}: ")
    assert error.__suppress_context__ or error.__context__ is None
    assert not any(word in said for word in (*PASSWORDS.values(), "127.0.0.1", str(server.port), "libpq", "ERROR"))
    return said.removeprefix(f"database table {relation}: ")


@contextmanager
def transaction(server, sql):
    """A transaction of the owner's that has run a statement and is not over."""
    address = f"{server.uri(OWNER)}?password={PASSWORDS[OWNER]}"
    with servers.connect(address) as opened, servers.AdbcConnection(opened) as connection:
        connection.set_autocommit(False)
        with servers.AdbcStatement(connection) as statement:
            statement.set_sql_query(sql)
            statement.execute_update()
        yield
        connection.rollback()


def board(folder, server, *, tables='plans = "child_protection.plans"', more="", **files):
    folder.mkdir(exist_ok=True)
    text = f'{more}\n[database]\nuri = "{server.uri()}"\n[database.tables]\n{tables}\n'
    (folder / "board.toml").write_text(text, encoding="utf-8")
    for name, content in files.items():
        (folder / f"{name}.csv").write_text(content, encoding="utf-8")
    return folder


def sentences(folder):
    found, problems = check_all(folder)
    return say_problems(problems, found.file_names, found.heights(found.tables))


# What is read


def test_table_is_read_as_the_text_a_file_would_hold_in_the_order_of_its_key(server):
    raw = read(server, "child_protection.plans", table="plans")
    rows = [row | {ROW: number} for number, row in enumerate(plans(), start=1)]
    schema = dict.fromkeys(COLUMNS, pl.String) | {ROW: pl.Int64}
    assert_frame_equal(raw.frame, pl.DataFrame(rows, schema=schema))
    assert raw.notes == (
        'row numbers count the rows from 1 on, in the order of plan; in SQL: ORDER BY "plan"::text COLLATE "C"',
    )


TYPES = {
    "whole bigint": ("9007199254740993", "9007199254740993"),
    "exact numeric(10,2)": ("1234.50", "1234.50"),
    "floating double precision": ("0.1", "0.1"),
    "price money": ("1234.5", "1234.50"),
    "yes boolean": ("t", "yes"),
    "no boolean": ("f", "no"),
    "neither boolean": (None, None),
    "day date": ("2008-03-31", "2008-03-31"),
    "midnight timestamp": ("2008-03-31 00:00", "2008-03-31"),
    "moment timestamp": ("2008-03-31 09:30", "2008-03-31 09:30:00"),
    "summer timestamptz": ("2008-07-01 00:00+01", "2008-07-01"),
    "winter timestamptz": ("2008-01-01 00:00+00", "2008-01-01"),
    "evening timestamptz": ("2008-07-01 00:00+00", "2008-07-01 01:00:00+01"),
    "padded char(8)": (" NEG", "NEG"),
    "spaced text": ("  Dover\u00a0", "Dover"),
    "blank text": ("   ", None),
    "nothing text": ("NULL", None),
    "absent text": (None, None),
    "accented text": ("Zoë – “Ç”", "Zoë – “Ç”"),
    "number uuid": ("A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"),
    "word made.category": ("NEG", "NEG"),
    "own made.age": ("17", "17"),
    "flag made.flag": ("t", "yes"),
}


def test_every_kind_of_value_comes_as_text(server, made):
    made("CREATE TYPE made.category AS ENUM ('NEG', 'PHY')", "CREATE DOMAIN made.age AS integer CHECK (VALUE < 26)")
    made("CREATE DOMAIN made.flag AS boolean", f"CREATE TABLE made.kinds ({', '.join(TYPES)})")
    made(f"INSERT INTO made.kinds VALUES ({', '.join(literal(written) for written, _ in TYPES.values())})")
    raw = read(server, "made.kinds")
    assert raw.frame.drop(ROW).row(0, named=True) == {name.split()[0]: read for name, (_, read) in TYPES.items()}
    assert raw.notes[1:] == (
        "columns summer, winter, evening are read in the time zone of the database, Europe/London",
    )


def test_midnight_of_another_time_zone_is_reported_and_never_taken_for_the_day_before(server, made, known, tmp_path):
    made("ALTER ROLE reader SET timezone = 'UTC'", user="postgres")
    made("CREATE TABLE made.plans AS TABLE child_protection.plans")
    made("ALTER TABLE made.plans ALTER start_date TYPE timestamptz USING start_date AT TIME ZONE 'Europe/London'")
    try:
        (said,) = sentences(board(tmp_path, server, tables='plans = "made.plans"'))
    finally:
        made("ALTER ROLE reader RESET timezone", user="postgres")
    summer = [number for number, row in enumerate(plans(), start=1) if in_summer_time(row["start_date"])]
    assert 5 < len(summer) < 60  # their midnights are 23:00 of the day before
    shown = ", ".join(map(str, summer[:5]))
    assert said.startswith(f"database table made.plans, column start_date: {len(summer)} of 60 rows: rows {shown} and ")
    assert "Wanted: a date such as 2011-05-10" in said


def test_names_are_quoted_and_headers_made_plain(server, made):
    made('CREATE TABLE made."Plans ""Table"" 2.0" ("Plan Ref" text, "Start-Date" date, "%s; --" int)')
    made("""INSERT INTO made."Plans ""Table"" 2.0" VALUES ('P2', '2008-01-02', 2), ('P1', '2008-01-01', 1)""")
    raw = read(server, 'made."Plans ""Table"" 2.0"')
    assert raw.frame.rows() == [("P1", "2008-01-01", "1", 1), ("P2", "2008-01-02", "2", 2)]
    assert raw.frame.columns == ["plan_ref", "start_date", "%s;", ROW]
    assert raw.notes[0].startswith(
        "row numbers count the rows from 1 on, in the order of all columns; in SQL: ORDER BY"
    )


@pytest.mark.parametrize("kind", ["VIEW", "MATERIALIZED VIEW"])
def test_views_are_read_as_tables_are(server, made, kind):
    made(f"CREATE {kind} made.seen AS SELECT * FROM child_protection.plans WHERE district = 'Dover'")
    dover = [row["plan"] for row in plans() if row["district"] == "Dover"]
    assert read(server, "made.seen", table="plans").frame["plan"].to_list() == dover


def test_columns_beyond_the_contract_are_not_read_and_need_not_be_readable(server, made):
    made("CREATE TABLE made.plans AS SELECT *, 'Jane' AS forename, 'Hythe' AS ward FROM child_protection.plans")
    granted = ", ".join([*COLUMNS, "ward"])
    made("REVOKE SELECT ON made.plans FROM reader", f"GRANT SELECT ({granted}) ON made.plans TO reader")
    raw = read(server, "made.plans", table="plans")
    assert raw.frame.columns == [*COLUMNS, ROW]
    assert raw.notes[1] == (
        "2 columns not in the contract were not read: forename, ward; to group by one, name it under [columns] in "
        "board.toml"
    )
    assert read(server, "made.plans", table="plans", own=["ward"]).frame["ward"].unique().to_list() == ["Hythe"]
    assert refused(server, "made.plans", table="plans", own=["forename"]) == (
        "this user may not read column forename. "
        "Ask for: GRANT USAGE ON SCHEMA made, and GRANT SELECT (forename) ON made.plans."
    )


def test_column_that_a_contract_can_do_without_is_left_out_where_it_may_not_be_read(server, made):
    made("CREATE TABLE made.plans AS SELECT *, date '2001-01-01' AS birth_date FROM child_protection.plans")
    made("REVOKE SELECT ON made.plans FROM reader", f"GRANT SELECT ({', '.join(COLUMNS)}) ON made.plans TO reader")
    raw = read(server, "made.plans", table="plans")
    assert raw.frame.columns == [*COLUMNS, ROW]
    assert raw.notes[1] == "column birth_date may not be read by this user, and the analysis does without"


def test_rows_that_a_policy_of_the_database_hides_are_noted(server, made):
    made("CREATE TABLE made.plans AS TABLE child_protection.plans", "ALTER TABLE made.plans ENABLE ROW LEVEL SECURITY")
    made("CREATE POLICY theirs ON made.plans TO reader USING (district = 'Dover')")
    raw = read(server, "made.plans", table="plans")
    assert set(raw.frame["district"]) == {"Dover"}
    assert raw.notes[1].startswith("a policy of the database decides which rows this user sees")


def test_text_of_an_old_database_in_another_encoding_is_read(server):
    settings = "TEMPLATE template0 LOCALE 'C'"
    server.run(f"CREATE DATABASE latin ENCODING 'LATIN1' {settings}", database="postgres")
    server.run("CREATE TABLE public.words AS SELECT 'Zo'||chr(235) AS word", database="latin")
    server.run("GRANT SELECT ON public.words TO reader", database="latin")
    raw = read_database(server.uri(database="latin"), "public.words", password=PASSWORDS[READER])
    assert raw.frame["word"].to_list() == ["Zoë"]


def test_bytes_of_a_database_without_encoding_are_text_only_where_they_are_utf_8(server):
    settings = "TEMPLATE template0 LOCALE 'C'"
    server.run(f"CREATE DATABASE bytes ENCODING 'SQL_ASCII' {settings}", database="postgres")
    server.run("CREATE TABLE public.good AS SELECT 'Zo'||chr(195)||chr(171) AS word", database="bytes")
    server.run("CREATE TABLE public.bad AS SELECT 'Zo'||chr(235) AS word", database="bytes")
    server.run("GRANT SELECT ON public.good, public.bad TO reader", database="bytes")
    uri = server.uri(database="bytes")
    assert read_database(uri, "public.good", password=PASSWORDS[READER]).frame["word"].to_list() == ["Zoë"]
    with pytest.raises(TableError, match=r"public\.bad: it holds text that is not in the encoding the database says"):
        read_database(uri, "public.bad", password=PASSWORDS[READER])


def test_digest_is_that_of_the_content_whatever_the_order(server, made):
    made(f"CREATE TABLE made.again AS {ANOTHER_WAY}", "CREATE TABLE made.changed AS TABLE child_protection.plans")
    made("UPDATE made.changed SET district = 'Swale' WHERE plan = 'P059'")
    digests = [read(server, name, table="plans").digest for name in ("child_protection.plans", "made.again")]
    assert digests[0] == digests[1]
    assert read(server, "made.changed", table="plans").digest != digests[0]


def test_many_rows_are_read_in_batches(server, made):
    made(
        "CREATE TABLE made.many AS SELECT lpad(i::text, 6, '0') AS plan, 'C'||i % 999 AS child, 'Northshire' AS "
        "authority, NULL::text AS district, 'NEG' AS category, date '2000-01-01' + i % 4000 AS start_date, "
        "NULL::date AS end_date, i % 3 AS previous_plans FROM generate_series(1, 60000) i"
    )
    frame = read(server, "made.many", table="plans").frame
    assert frame.height == 60_000
    assert frame.row(59_999)[:2] == ("060000", "C60")  # 60,000 = 60 * 999 + 60
    assert frame["previous_plans"].cast(pl.Int64).sum() == 20_000 * 3  # 0 + 1 + 2
    assert frame["district"].null_count() == 60_000


# What is refused


def test_nothing_is_written_not_even_by_a_function_of_a_view(server, made):
    made("CREATE TABLE made.log (plan text)", "GRANT ALL ON made.log TO reader")
    made(
        "CREATE FUNCTION made.note(plan text) RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$BEGIN INSERT INTO made.log VALUES (plan); RETURN plan; END$$"
    )
    made("CREATE VIEW made.noted AS SELECT made.note(plan) AS plan FROM child_protection.plans")
    assert refused(server, "made.noted") == (
        "reading it would change the database, through a function of its view, and was refused. Ask for a view without."
    )
    made(
        "CREATE FUNCTION made.unlock() RETURNS text LANGUAGE plpgsql AS "
        "$$BEGIN SET TRANSACTION READ WRITE; INSERT INTO made.log VALUES ('x'); RETURN 'x'; END$$"
    )
    made("CREATE VIEW made.unlocked AS SELECT made.unlock() AS plan")
    assert refused(server, "made.unlocked").startswith("the database stopped with an error of its own")
    assert server.run("SELECT count(*) FROM made.log", rows=True) == [(0,)]


@pytest.mark.parametrize(
    "relation",
    [
        "child_protection.plans; DROP SCHEMA child_protection CASCADE; --",
        'child_protection."plans""; DROP TABLE child_protection.plans; --"',
        "child_protection.plans' OR '1'='1",
        "child_protection.plans WHERE pg_sleep(9) IS NULL",
        "child_protection.$1",
    ],
)
def test_names_are_never_sql(server, relation):
    assert refused(server, relation).startswith("there is no such table or view in the database.")
    assert server.run("SELECT count(*) FROM child_protection.plans", rows=True) == [(60,)]


def test_columns_are_never_sql(server, made):
    made('CREATE TABLE made.odd ("plan""::text FROM made.odd; DROP TABLE made.odd; --" text)')
    made("INSERT INTO made.odd VALUES ('P1')")
    assert read(server, "made.odd").frame.row(0) == ("P1", 1)
    assert server.run("SELECT count(*) FROM made.odd", rows=True) == [(1,)]


@pytest.mark.parametrize(
    "relation", ["plans", "", ".", "a.b.c", 'a."b', "a.\nb", 'child_protection.pl"ans', "a.b\x00", 'a.""']
)
def test_relation_is_one_schema_and_one_name(relation):
    with pytest.raises(ParameterError, match="should be a schema and a name"):
        split_relation(relation)


SECRET = "Sesame-9"


@pytest.mark.parametrize(
    "uri",
    [
        f"postgresql://reader:{SECRET}@host/records",
        f"postgres://reader:{SECRET}@host:5433/records?sslmode=require",
        f"postgresql://reader:{SECRET}/9@host/records",
        f"postgresql://reader:{SECRET}@9@host/records",
        f"postgresql://reader:{SECRET}?9@host/records",
        f"postgresql://:{SECRET}@/records",
        f"postgresql://reader@host/records?password={SECRET}",
        f"postgresql://reader@host/records?p%61ssword={SECRET}",
        f"postgresql://reader@host/records?sslmode=require&sslpassword={SECRET}",
        f"host=host user=reader password={SECRET}",
        f"host=host password = '{SECRET}'",
    ],
)
def test_password_in_the_address_is_refused_and_never_repeated(uri, tmp_path):
    with pytest.raises(ParameterError) as caught:
        check_uri(uri)
    assert str(caught.value).startswith("uri must not hold a password: take it out, and keep it where")
    (tmp_path / "board.toml").write_text(f'[database]\nuri = "{uri}"\n')
    with pytest.raises(TableError) as caught:
        read_board(tmp_path)
    assert str(caught.value) == (
        "board.toml, setting database: uri must not hold a password: take it out, and keep it where PostgreSQL looks "
        "for it: in a .pgpass file, in a service file, or in the environment variable PGPASSWORD."
    )


@pytest.mark.parametrize(
    "uri",
    [
        "postgresql://reader@host/records",
        "postgres://host:5432/records?user=reader@server&sslmode=verify-full",
        "postgresql:///records?host=/var/run/postgresql",
        "postgresql://reader@one:5432,two:5433/records",
        "postgresql://reader@[::1]:5432/records",
        "postgresql://?service=records",
        "postgresql://reader:@host/records?passfile=/etc/reader/pass",
    ],
)
def test_addresses_without_a_password_are_taken(uri):
    check_uri(uri)


@pytest.mark.parametrize("uri", ["", "records", "http://host/records", "postgresql:records", "postgresql://a b/c"])
def test_addresses_of_something_else_are_refused(uri):
    with pytest.raises(ParameterError, match="uri should look like postgresql://reader@host/records"):
        check_uri(uri)


@pytest.mark.parametrize(
    ("change", "password", "said"),
    [
        (lambda s: s.uri(port=servers.free_port()), "", "no server answers there. Start it, or correct host and port"),
        (lambda s: s.uri(host="no-such-host.invalid"), "", "the name of the server is not known here. Correct"),
        (lambda s: s.uri(), "wrong", "the server refused the password, or does not know the user. Correct it in"),
        (lambda s: s.uri(user="nobody"), "wrong", "the server refused the password, or does not know the user."),
        (lambda s: s.uri(database="nowhere"), None, "the server has no database of that name. Correct what stands"),
        (lambda s: s.uri() + "?sslmode=require", None, "no encrypted connection came about,"),
        (lambda s: "postgresql:///records?host=/nowhere", "", "no server answers there. Start it, or correct host"),
        (lambda s: "postgresql://?service=nowhere", "", "the service that uri under [database] in board.toml names"),
        (lambda s: "postgresql://reader@host:port/records", "", "the address cannot be understood. Correct uri under"),
        (lambda s: s.uri() + "?wrong=1", "", "the address cannot be understood. Correct uri under"),
    ],
)
def test_database_that_cannot_be_reached_is_told_with_what_to_do(server, change, password, said):
    with pytest.raises(TableError) as caught:
        read_database(change(server), "child_protection.plans", password=PASSWORDS[READER] if password is None else "w")
    assert str(caught.value).startswith(f"database table child_protection.plans: {said}")
    assert caught.value.__suppress_context__
    assert PASSWORDS[READER] not in str(caught.value)


def test_nothing_is_read_from_another_computer_without_encryption_unless_the_address_says_so(server, monkeypatch):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    uri = f"{server.uri(host='records.example')}?hostaddr=127.0.0.1"  # by its name it is another one
    with pytest.raises(TableError, match="no encrypted connection came about, without which nothing is read from ano"):
        read_database(uri, "child_protection.plans", password=PASSWORDS[READER])
    assert read_database(f"{uri}&sslmode=disable", "child_protection.plans", password=PASSWORDS[READER]).frame.height
    monkeypatch.setenv("PGSSLMODE", "disable")
    assert read_database(uri, "child_protection.plans", password=PASSWORDS[READER]).frame.height


@pytest.mark.parametrize(
    ("uri", "encrypted"),
    [
        ("postgresql://reader@server/records", True),
        ("postgresql://reader@server:5433/records?application_name=x", True),
        ("postgresql://reader@localhost,server:5433/records", True),
        ("postgresql://10.1.2.3", True),
        ("postgresql:///records?host=server", True),
        ("postgresql://localhost/records?hostaddr=10.1.2.3", True),
        ("postgresql://reader@[2001:db8::1]:5432/records", True),
        ("postgresql://reader@server/records?sslmode=verify-full", False),  # it says so itself
        ("postgresql://?service=records", False),  # the service says so
        ("postgresql://reader@localhost:5432/records", False),
        ("postgresql://reader@[::1]:5432,127.0.0.1/records", False),
        ("postgresql://[::1]/records", False),
        ("postgresql:///records?host=/var/run/postgresql", False),
        ("postgresql://%2Fvar%2Frun%2Fpostgresql/records", False),
        ("postgresql:///records", False),
    ],
)
def test_encryption_is_asked_for_where_a_host_may_be_another_computer(uri, encrypted, monkeypatch):
    monkeypatch.delenv("PGSSLMODE", raising=False)
    monkeypatch.delenv("PGHOST", raising=False)
    assert full_address(uri, None).endswith("&sslmode=require") is encrypted
    monkeypatch.setenv("PGHOST", "server")
    assert full_address("postgresql:///records", None).endswith("&sslmode=require")


def test_missing_password_is_told_with_where_to_keep_it(server, monkeypatch):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    monkeypatch.setenv("PGPASSFILE", "/nowhere")
    with pytest.raises(TableError, match=r"the server wants a password, and none was found\. Put it into a \.pgpass"):
        read_database(server.uri(), "child_protection.plans")


def test_password_is_found_where_postgresql_looks_for_it(server, monkeypatch, tmp_path):
    monkeypatch.delenv("PGPASSWORD", raising=False)
    (tmp_path / "pgpass").write_text(f"127.0.0.1:{server.port}:*:{READER}:{PASSWORDS[READER]}\n")
    (tmp_path / "pgpass").chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(tmp_path / "pgpass"))
    assert read_database(server.uri(), "child_protection.plans").frame.height == 60


def test_user_without_a_connection_or_a_right_is_told_what_to_ask_for(server):
    assert refused(server, "child_protection.plans", user=STRANGER).startswith(
        "this user may not read columns plan, child, authority, district, category, start_date, end_date, "
        "previous_plans. Ask for: GRANT USAGE ON SCHEMA child_protection, and GRANT SELECT (plan, child, "
    )
    server.run("REVOKE CONNECT ON DATABASE records FROM PUBLIC")
    try:
        assert refused(server, "child_protection.plans", user=STRANGER).startswith(
            "this user may not connect to the database."
        )
    finally:
        server.run("GRANT CONNECT ON DATABASE records TO PUBLIC")


def test_what_a_view_is_made_of_must_be_readable_too(server, made):
    made(
        "CREATE TABLE made.secret (plan text)",
        "REVOKE SELECT ON made.secret FROM reader",
        "CREATE VIEW made.open WITH (security_invoker) AS SELECT * FROM made.secret",
    )
    assert refused(server, "made.open") == (
        "this user may not read something that it is made of. Ask for GRANT SELECT on it."
    )


@pytest.mark.parametrize(
    ("relation", "said"),
    [
        (
            "child_protection.plan",
            'there is no such table or view in the database. Did you mean "child_protection.plans"? '
            "This user can read: child_protection.plans.",
        ),
        (
            "public.Plans",
            'there is no such table or view in the database. Did you mean "child_protection.plans"? '
            "This user can read: child_protection.plans.",
        ),
        (
            "archive.zzz",
            "there is no such table or view in the database. This user can read: child_protection.plans.",
        ),
    ],
)
def test_table_that_is_not_there_is_told_with_those_that_are(server, relation, said):
    assert refused(server, relation) == said


def test_user_who_can_read_nothing_is_told_so(server):
    said = refused(server, "child_protection.plan", user=STRANGER)
    assert said == "there is no such table or view in the database. This user can read no table at all."


def test_all_that_is_wrong_with_columns_is_told_at_once(server, made):
    made(
        "CREATE TABLE made.plans (plan text, child text, authority text, district text[], category json, "
        'start_dat date, "End Date" date, end_date date)'
    )
    made("REVOKE SELECT ON made.plans FROM reader")
    made('GRANT SELECT (plan, authority, district, category, start_dat, "End Date", end_date) ON made.plans TO reader')
    assert refused(server, "made.plans", table="plans") == (
        "columns start_date, previous_plans are not there. Found: plan, child, authority, district, category, "
        'start_dat, end_date, end_date. Did you mean "start_dat"? Make a view that calls the columns by these names, '
        "and name the view under [database.tables]. "
        "column end_date must be there once, and row_number not at all. Make a view without. "
        "this user may not read column child. Ask for: GRANT USAGE ON SCHEMA made, and GRANT SELECT (child) ON "
        "made.plans. "
        "columns district, category must hold one value per row, not lists, records or bytes."
    )


def test_table_without_rows_is_refused(server, made):
    made("CREATE TABLE made.plans AS TABLE child_protection.plans WITH NO DATA")
    assert refused(server, "made.plans", table="plans") == (
        "there is no row in it that this user can see. Wanted one row per record."
    )


def test_missing_packages_are_told_with_how_to_install_them(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "adbc_driver_postgresql", None)
    with pytest.raises(TableError) as caught:
        read_database("postgresql://reader@host/records", "child_protection.plans")
    assert str(caught.value) == (
        "database table child_protection.plans: reading a database needs packages that are not installed. "
        "Install them with: pip install 'safeguarding-analytics[database]'"
    )


# What ends in the middle


def test_query_that_lasts_too_long_is_given_up(server, made):
    made("CREATE VIEW made.slow AS SELECT i AS plan, pg_sleep(0.01)::text AS child FROM generate_series(1, 1000) i")
    assert refused(server, "made.slow", timeout_seconds=1) == (
        "the query was not done within 1 second, and was given up. Try later."
    )


def test_locked_table_is_given_up(server, made, monkeypatch):
    monkeypatch.setattr(database, "LONGEST_LOCK", 1)
    made("CREATE TABLE made.plans AS TABLE child_protection.plans")
    with transaction(server, "LOCK TABLE made.plans IN ACCESS EXCLUSIVE MODE"):
        assert refused(server, "made.plans").startswith("it was locked for longer than")


def test_error_of_the_database_in_the_middle_shows_no_value(server, made):
    made(
        "CREATE VIEW made.broken AS SELECT i AS plan, 1 / (90000 - i) AS child, "
        "('Jane Smith ' || i) AS name FROM generate_series(1, 100000) i"
    )
    assert refused(server, "made.broken") == (
        "the database stopped with an error of its own while it was read. "
        "Nothing of it is used: try it with psql, and tell its administrator."
    )
    made("CREATE VIEW made.word AS SELECT ('Jane Smith'::text)::integer AS plan")
    assert "Jane" not in refused(server, "made.word")


ENDED = "the connection to the database ended before the last row. Nothing of it is used: read it again."


def test_connection_that_the_server_ends_in_the_middle_gives_no_table(server, made):
    made(
        "CREATE FUNCTION public.ended(i integer) RETURNS integer LANGUAGE plpgsql SECURITY DEFINER AS "
        "$$BEGIN IF i = 90000 THEN PERFORM pg_terminate_backend(pg_backend_pid()); END IF; RETURN i; END$$",
        user="postgres",
    )
    made("CREATE VIEW made.ended AS SELECT public.ended(i) AS plan FROM generate_series(1, 100000) i")
    assert refused(server, "made.ended") == ENDED


def test_server_that_is_killed_in_the_middle_gives_no_table(server, made):
    made("CREATE VIEW made.slow AS SELECT i AS plan, pg_sleep(0.001)::text AS child FROM generate_series(1, 60000) i")

    def kill():
        asked = "SELECT pid FROM pg_stat_activity WHERE application_name = 'safeguarding-analytics' AND query ~ 'slow'"
        until = time.monotonic() + 20
        while time.monotonic() < until:
            if found := server.run(asked, rows=True):
                os.kill(found[0][0], signal.SIGKILL)
                return
            time.sleep(0.02)

    killer = threading.Thread(target=kill)
    killer.start()
    said = refused(server, "made.slow")
    killer.join()
    server.await_answer()
    assert said == ENDED
    assert read(server, "child_protection.plans").frame.height == 60


# Boards


def test_board_reads_from_a_database_what_it_reads_from_a_file(server, known, tmp_path):
    (tmp_path / "file").mkdir()
    (tmp_path / "file" / "plans.csv").write_text(as_csv(plans()), encoding="utf-8")
    by_file, by_database = read_board(tmp_path / "file"), read_board(board(tmp_path / "database", server))
    assert check_board(tmp_path / "database").is_empty()
    assert list(by_database.tables) == ["plans"]
    assert "plans" in by_database.tables
    assert_frame_equal(by_database.tables["plans"], by_file.tables["plans"])
    for options in ({}, {"within_months": 12, "by": ["time_period", "district"], "totals": True}):
        assert_frame_equal(
            repeat_plan_rate(by_database.tables["plans"], **options),
            repeat_plan_rate(by_file.tables["plans"], **options),
        )
    # In 2007/08: plans 30 to 43 start, and of these 40 to 43 are the second ones of children 0 to 3.
    started = [FIRST + timedelta(days=25 * number) for number in range(60)]
    of_the_year = [number for number, day in enumerate(started) if date(2007, 4, 1) <= day <= date(2008, 3, 31)]
    counts = repeat_plan_rate(by_database.tables["plans"]).row(by_predicate=pl.col("time_period") == "2008")
    assert counts[1:3] == (sum(number >= 40 for number in of_the_year), len(of_the_year))
    assert by_database.file_names["plans"] == "database table child_protection.plans"


def test_words_of_the_board_and_broken_rules_are_those_of_any_table(server, made, known, tmp_path):
    made("CREATE TABLE made.plans AS TABLE child_protection.plans")
    made("UPDATE made.plans SET category = 'Negl' WHERE plan IN ('P000', 'P005')")
    made("UPDATE made.plans SET end_date = start_date - 1, child = NULL WHERE plan = 'P007'")
    folder = board(tmp_path, server, tables='plans = "made.plans"')
    assert sentences(folder) == [
        'database table made.plans, column category: 2 of 60 rows: rows 1, 6. Found: "Negl" Did you mean "NEG"? '
        "Wanted: one of: NEG, PHY, SAB, EMO, MUL. Hint: correct the file, or add an alias under [plans.category] in "
        "board.toml.",
        "database table made.plans: 1 of 60 rows: row 8. Wanted: end_date is not before start_date.",
        "database table made.plans, column child: 1 of 60 rows: row 8. Found: (empty). Wanted: a value: the cell must "
        "not be empty.",
    ]
    board(tmp_path, server, tables='plans = "made.plans"', more='[plans.category]\nNegl = "NEG"')
    assert not any("category" in said for said in sentences(folder))


def test_rows_of_the_same_key_are_reported_and_stand_beside_each_other(server, made, known, tmp_path):
    made("CREATE TABLE made.plans AS TABLE child_protection.plans")
    made("INSERT INTO made.plans SELECT * FROM child_protection.plans WHERE plan = 'P007'")
    made("UPDATE made.plans SET child = 'C999' WHERE ctid = (SELECT max(ctid) FROM made.plans)")
    assert read(server, "made.plans", table="plans").frame["child"].to_list()[6:10] == ["C006", "C007", "C999", "C008"]
    assert sentences(board(tmp_path, server, tables='plans = "made.plans"')) == [
        "database table made.plans, column plan: 2 of 61 rows: rows 8, 9. Found: the same more than once. "
        "Wanted: one row per plan."
    ]


def test_columns_of_the_board_are_read_and_missing_ones_told(server, made, known, tmp_path):
    made("CREATE TABLE made.plans AS SELECT *, 'Hythe' AS \"Ward\" FROM child_protection.plans")
    folder = board(tmp_path, server, tables='plans = "made.plans"', more='[columns]\nplans = ["ward"]')
    assert read_board(folder).tables["plans"]["ward"].unique().to_list() == ["Hythe"]
    board(folder, server, more='[columns]\nplans = ["ward"]')
    (said,) = sentences(folder)
    assert said.startswith("database table child_protection.plans: column ward is not there. Found: plan, child, auth")


def test_sessions_of_a_database_are_used_instead_of_those_of_the_export(server, made, known, tmp_path):
    made(
        "CREATE TABLE made.sessions (session text, course text, training_level int, district text, area text, "
        "venue text, date date, half_day text, capacity int, cost numeric(8, 2), kind text)",
        "INSERT INTO made.sessions VALUES "
        "('E1', 'Core', 2, NULL, NULL, NULL, '2011-05-17', NULL, 50, 120.50, 'Workshop')",
    )
    export = '[board]\nas_at = 2011-07-01\n[bookings_export]\nfile = "export.csv"\n[bookings_export.columns]\n'
    export += 'session = "E"\nperson = "P"\nagency = "A"\nstatus = "S"\n'
    export += 'course = "C"\ntraining_level = "L"\ndate = "D"\n'
    folder = board(
        tmp_path, server, tables='sessions = "made.sessions"', more=export, agencies="agency,sector,aliases\nKCC,,\n"
    )
    (folder / "export.csv").write_text("E,P,A,S,C,L,D\nE1,bo@kcc.uk,KCC,Attended,Other,1,2011-05-18\n")
    (folder / "pseudonym.key").write_text("0123456789abcdef" * 4)
    (folder / "pseudonym.key").chmod(0o600)
    tables = read_board(folder).tables
    assert tables["sessions"].select("date", "capacity", "cost", "kind").rows() == [
        (date(2011, 5, 17), 50, 120.5, "workshop")
    ]
    assert tables["bookings"].select("session", "agency", "status").rows() == [("E1", "KCC", "attended")]


def test_version_of_the_data_changes_with_the_content_and_with_nothing_else(server, made, known, tmp_path):
    made("CREATE TABLE made.plans AS TABLE child_protection.plans")
    folder = board(tmp_path, server, tables='plans = "made.plans"')
    first = read_board(folder).data_version
    made(f"CREATE TABLE made.copy AS {ANOTHER_WAY}", "DROP TABLE made.plans", "ALTER TABLE made.copy RENAME TO plans")
    opened = read_board(folder)
    assert opened.data_version == first
    made("UPDATE made.plans SET previous_plans = 9 WHERE plan = 'P000'")
    assert opened.data_version == first  # of what was read
    assert opened.tables["plans"]["previous_plans"][0] == 0
    assert read_board(folder).data_version != first


def test_one_table_has_one_place(server, known, tmp_path):
    folder = board(tmp_path, server, plans=as_csv(plans()))
    assert sentences(folder) == [
        "database table child_protection.plans: plans must come from one place, and there are two: this one, which "
        "[database.tables] in board.toml names, and plans.csv. Delete plans.csv or take it out of [files], or take "
        "plans out of [database.tables]."
    ]
    with pytest.raises(TableError, match="plans must come from one place, and there are two"):
        read_board(folder).tables["plans"]


def test_bookings_have_one_place_too(server, known, tmp_path):
    export = '[bookings_export]\nfile = "export.csv"\n[bookings_export.columns]\nsession = "E"\nperson = "P"\n'
    export += 'agency = "A"\nstatus = "S"\n'
    folder = board(tmp_path, server, tables='bookings = "child_protection.plans"', more=export)
    (folder / "export.csv").write_text("E,P,A,S\n1,2,3,Attended\n")
    (said,) = [each for each in sentences(folder) if "one place" in each]
    assert (
        "[database.tables] in board.toml names, and export.csv. Delete export.csv or take it out of [bookings_ex"
        in said
    )


def test_plans_of_a_return_are_not_read_from_a_database_as_well(server, known, tmp_path):
    folder = board(tmp_path, server, more='[child_protection]\ncin_census = ["census.xml"]')
    (folder / "census.xml").write_text("<Message/>")
    (said,) = [each for each in sentences(folder) if each.startswith("database table")]
    assert "names, and census.xml. Delete census.xml or take it out of [child_protection], or take plans out of" in said


def test_database_that_is_away_is_told_once_by_each_table_and_by_the_command(server, known, tmp_path, run_command):
    folder = board(tmp_path, server)
    text = (folder / "board.toml").read_text().replace(str(server.port), str(servers.free_port()))
    (folder / "board.toml").write_text(text)
    (said,) = sentences(folder)
    assert said.startswith("database table child_protection.plans: no server answers there. Start it")
    ran = run_command("check", folder)
    assert (ran.returncode, "Traceback" in ran.stderr, PASSWORDS[READER] in ran.stderr) == (1, False, False)
    assert "- database table child_protection.plans: no server answers there." in ran.stderr


def test_command_checks_a_board_with_a_database(server, known, tmp_path, run_command):
    ran = run_command("check", board(tmp_path, server))
    assert ran.returncode == 0, ran.stderr
    assert (
        "Note: database table child_protection.plans: row numbers count the rows from 1 on, in the order" in ran.stdout
    )
    assert "Note: database table child_protection.plans: 1 plan has an empty previous_plans" in ran.stdout
    assert "Checked 1 tables, 60 rows: every rule holds." in ran.stdout


@pytest.mark.parametrize(
    ("written", "said"),
    [
        (
            '[database]\nuri = "mysql://host/records"',
            "database: uri should look like postgresql://reader@host/records.",
        ),
        ('[database.tables]\nplans = "child_protection.plans"', "database: uri must be set, such as uri ="),
        (
            '[database]\nuri = "postgresql://h/r"\n[database.tables]\nplans = "plans"',
            "database: a table of a database should be a schema and a name, such as child_protection.plans.",
        ),
        (f'database = "postgresql://reader:{SECRET}@host/records"', "database: uri should be a text such as"),
        (f'[database]\nuri = ["postgresql://reader:{SECRET}@host/r"]', "database: uri should be a text such as"),
        (f'[database]\ntables = "{SECRET}"', "database: uri should be a text such as"),
        (
            f'[database]\nuri = "postgresql://h/r"\npassword = "{SECRET}"',
            "database: no password may stand in board.toml",
        ),
        (
            f'[database]\nurl = "postgresql://reader:{SECRET}@h/r"',
            "database.url: a setting this program knows (uri, tab",
        ),
        (
            '[database]\nuri = "postgresql://h/r"\n[database.tables]\nplan = "a.b"',
            'database.tables.plan: the name of a table. Did you mean "plans"? Found: "plan".',
        ),
    ],
)
def test_wrong_settings_are_told_without_showing_them(tmp_path, written, said):
    (tmp_path / "board.toml").write_text(written + "\n")
    with pytest.raises(TableError) as caught:
        read_board(tmp_path)
    assert str(caught.value).startswith(f"board.toml, setting {said}")
    assert SECRET not in str(caught.value)
