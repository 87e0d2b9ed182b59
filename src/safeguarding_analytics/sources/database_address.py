"""Where a database and a table in it are: checked, and never shown, since a password may stand in it."""

from __future__ import annotations

import os
import re
from urllib.parse import parse_qsl, quote, unquote

from safeguarding_analytics.errors import ParameterError

SETTING = "uri under [database] in board.toml"
KEEP_OUT = (
    "take it out, and keep it where PostgreSQL looks for it: "
    "in a .pgpass file, in a service file, or in the environment variable PGPASSWORD"
)
SECRETS = ("password", "sslpassword", "oauth_client_secret")
LONGEST_CONNECT, IDLE = 10, 60
"""Seconds until a server that does not answer, and a silent connection, are given up."""
HERE = {"", "localhost", "127.0.0.1", "[::1]"}
"""Hosts that no network lies before."""


def label_of(relation: str) -> str:
    """What a table of a database is called in messages and notes.

    Examples
    --------
    >>> label_of("child_protection.plans")
    'database table child_protection.plans'
    """
    return f"database table {relation}"


def check_uri(uri: str) -> None:
    """Refuse a URI with a password in it, or that is none of PostgreSQL. It is never quoted.

    Raises
    ------
    ParameterError
        With what is wrong.

    Examples
    --------
    >>> check_uri("postgresql://reader@host/records")
    >>> check_uri("mysql://reader@host/records")
    Traceback (most recent call last):
    safeguarding_analytics.errors.ParameterError: uri should look like postgresql://reader@host/records
    """
    scheme, found, rest = uri.partition("://")
    place, _, query = rest.partition("?")
    # Whatever lies between the first colon and the last @ may be a password, also one that holds a slash or an @.
    user = place.rpartition("@")[0] or (place if "@" in query and "=" not in query.partition("@")[0] else "")
    settings = {key.casefold() for key, value in parse_qsl(query, keep_blank_values=True)}
    if user.partition(":")[2] or "@" in user or settings & set(SECRETS) or re.search(r"password\s*=", unquote(uri)):
        raise ParameterError(f"uri must not hold a password: {KEEP_OUT}")
    known = scheme in ("postgresql", "postgres") and found and not re.search(r"[\s\x00-\x1f]", uri)
    if not known:
        raise ParameterError("uri should look like postgresql://reader@host/records")


def split_relation(relation: str) -> tuple[str, str]:
    """Schema and name of a relation, which are names and never SQL.

    Raises
    ------
    ParameterError
        When it is not one schema and one name.

    Examples
    --------
    >>> split_relation("child_protection.plans")
    ('child_protection', 'plans')
    >>> split_relation('"Child protection"."Plans 2.0"')
    ('Child protection', 'Plans 2.0')
    """
    part = r'(?:"((?:[^"]|"")+)"|([^".]+))'
    found = re.fullmatch(rf"{part}\.{part}", relation)
    if found is None or re.search(r"[\x00-\x1f]", relation):
        raise ParameterError("a table of a database should be a schema and a name, such as child_protection.plans")
    schema, plain_schema, name, plain = found.groups()
    return (schema or plain_schema).replace('""', '"'), (name or plain).replace('""', '"')


def full_address(uri: str, password: str | None) -> str:
    """The URI with what the server is told of us, how long is waited, and encryption; its own settings stay.

    Parameters
    ----------
    uri
        As `check_uri` takes it.
    password
        None where PostgreSQL is to look for it.

    Returns
    -------
    str
        To be given to the driver, and shown to nobody.

    Examples
    --------
    >>> full_address("postgresql://reader@localhost/records?connect_timeout=1", None).partition("=1&")[2]
    'application_name=safeguarding-analytics&client_encoding=utf8&keepalives_idle=60'
    """
    place, _, query = uri.partition("://")[2].partition("?")
    given = dict(parse_qsl(query, keep_blank_values=True))
    settings = {"application_name": "safeguarding-analytics", "client_encoding": "utf8"}
    settings |= {"connect_timeout": str(LONGEST_CONNECT), "keepalives_idle": str(IDLE)}
    # Left to itself PostgreSQL would go on without encryption where a server, or somebody between, offers none.
    if _elsewhere(place, given) and not given.keys() & {"sslmode", "service"} and "PGSSLMODE" not in os.environ:
        settings["sslmode"] = "require"
    added = {key: value for key, value in settings.items() if key not in given or key == "client_encoding"}
    if password is not None:
        added["password"] = password
    pairs = "&".join(f"{key}={quote(value, safe='')}" for key, value in added.items())
    base = uri.rstrip("?&")
    return f"{base}{'&' if '?' in base else '?'}{pairs}"


def _elsewhere(place: str, settings: dict[str, str]) -> bool:
    """Whether any host that is named, or found in the environment where none is, may be another computer."""
    written = [place.partition("/")[0].rpartition("@")[2], settings.get("host", ""), settings.get("hostaddr", "")]
    hosts = [re.sub(r":\d*$", "", unquote(host)) for text in written for host in text.split(",")]
    named = [host for host in hosts if host] or os.environ.get("PGHOST", "").split(",")
    return any(host not in HERE and not host.startswith(("/", "@")) for host in named)


UNREACHABLE: tuple[tuple[str, str], ...] = (
    (
        r"no password supplied",
        "the server wants a password, and none was found. Put it into a .pgpass file that only you can read, or into "
        "the environment variable PGPASSWORD; never into board.toml",
    ),
    (
        r"password authentication failed",
        "the server refused the password, or does not know the user. Correct it in the .pgpass file, the service file "
        f"or PGPASSWORD, or the user in {SETTING}",
    ),
    (
        r"(peer|ident|ldap|gssapi|gss|sspi|pam|radius|cert\w*|oauth\S*) authentication failed",
        f"the server does not let this user in. Ask its administrator how this user may log in; see {SETTING}",
    ),
    (r"role .* does not exist", f"the server does not know the user. Correct the user in {SETTING}"),
    (
        r"no pg_hba\.conf entry",
        "the server lets nobody in from this computer as this user to this database. Ask its administrator to",
    ),
    (
        r"database .* does not exist",
        f"the server has no database of that name. Correct what stands behind the last / of {SETTING}",
    ),
    (
        r"permission denied for database",
        "this user may not connect to the database. Ask its administrator for: GRANT CONNECT ON DATABASE",
    ),
    (
        r"too many (connections|clients)|remaining connection slots",
        "the server has no connection left. Try again later",
    ),
    (
        r"starting up|shutting down|recovery mode|not yet accepting",
        "the server is starting or stopping. Try again in a minute",
    ),
    (
        r"does not support ssl|certificate|ssl error|no encryption",
        "no encrypted connection came about, without which nothing is read from another computer. Ask its "
        f"administrator for one, and which sslmode {SETTING} needs",
    ),
    (
        r"definition of service|service file",
        f"the service that {SETTING} names stands in no service file. Correct it there, or in pg_service.conf",
    ),
    (
        r"could not translate host name|name or service not known|no such host",
        f"the name of the server is not known here. Correct the host in {SETTING}, or connect to the network",
    ),
    (
        r"connection refused|no such file or directory|could not connect|no route to host|unreachable"
        r"|timeout expired|timed out",
        f"no server answers there. Start it, or correct host and port in {SETTING}; a firewall may stand between",
    ),
    (
        r"invalid|missing \"=\"|unexpected character|could not parse",
        f"the address cannot be understood. Correct {SETTING}: it should look like postgresql://reader@host/records",
    ),
)
"""What PostgreSQL says of a connection that fails → what it means, the most telling first."""


def say_unreachable(text: str) -> str:
    """What it means that a connection failed, in plain words, and what to do.

    Parameters
    ----------
    text
        What PostgreSQL says of it, of which nothing is repeated.

    Examples
    --------
    >>> say_unreachable('FATAL: database "nowhere" does not exist')[:45]
    'the server has no database of that name. Corr'
    """
    for pattern, said in UNREACHABLE:
        if re.search(pattern, text, flags=re.IGNORECASE):
            return f"{said}."
    return (
        f"the database cannot be opened. Check host, port, user and database in {SETTING}, and the password, with: "
        "psql followed by that uri."
    )
