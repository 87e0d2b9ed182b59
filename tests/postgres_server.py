"""A PostgreSQL server of the tests' own: in a folder that goes with it, reached from this machine alone."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import polars as pl
import pytest

pytest.importorskip("adbc_driver_postgresql", reason="the extra database is not installed")
from adbc_driver_manager import AdbcConnection, AdbcStatement, Error
from adbc_driver_postgresql import connect

OWNER, READER, NOBODY = "owner", "reader", "stranger"
"""Who makes the tables, who may read them, and who may not."""
PASSWORDS = {OWNER: "Owl-in-the-oak", READER: "Reed-by-the-lake", NOBODY: "Newt-on-a-stone"}
DATABASE = "records"


def programs():
    """Folder with the programs of a PostgreSQL server; None where there is none."""
    folders = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: -int(path.parent.name))
    found = shutil.which("initdb")
    folders += [Path(found).resolve().parent] if found else []
    return next((folder for folder in folders if (folder / "initdb").exists() and (folder / "postgres").exists()), None)


def account():
    """Whom the server runs as: never root, with whom it refuses to start."""
    import pwd

    if os.geteuid() != 0:
        return {}
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    entry = known.get("postgres") or known["nobody"]
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}


@dataclass
class Server:
    """A running server: where it is, and how to ask it as its superuser."""

    folder: Path
    port: int
    process: subprocess.Popen
    stack: ExitStack = field(default_factory=ExitStack)
    connections: dict = field(default_factory=dict)

    def uri(self, user=READER, database=DATABASE, host="127.0.0.1", port=None):
        """Where a user finds a database, without a password."""
        return f"postgresql://{user}@{host}:{port or self.port}/{database}"

    def run(self, *statements, database=DATABASE, user="postgres", rows=False):
        """Run statements through the socket, as the superuser or as another user; where asked for, the rows."""
        connection = self.connection(database, user)
        for sql in statements:
            with AdbcStatement(connection) as statement:
                statement.set_sql_query(sql)
                if rows:
                    return pl.DataFrame(statement.execute_query()[0]).rows()
                statement.execute_update()
        return None

    def connection(self, database, user):
        """A connection, which is kept: opening one takes longer than most statements."""
        if (database, user) not in self.connections:
            address = f"postgresql:///{database}?host={self.folder / 'socket'}&port={self.port}&user={user}"
            opened = self.stack.enter_context(connect(address))
            self.connections[database, user] = self.stack.enter_context(AdbcConnection(opened))
        return self.connections[database, user]

    def await_answer(self):
        """Wait until the server answers, also after it has recovered from a killed process, which ends connections."""
        self.stack.close()
        self.connections.clear()
        until = time.monotonic() + 30
        while True:
            assert self.process.poll() is None, (self.folder / "log").read_text()
            try:
                return self.run("SELECT 1", database="postgres")
            except Error:
                assert time.monotonic() < until, (self.folder / "log").read_text()
                time.sleep(0.05)

    def stop(self):
        """Stop it at once."""
        self.stack.close()
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # its "immediate shutdown"
            self.process.wait(timeout=30)


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def running_server():
    """A server with a database, three users with passwords, and nothing in it."""
    found = programs()
    assert found is not None
    identity = account()
    with tempfile.TemporaryDirectory(prefix="sgpg", ignore_cleanup_errors=True) as made:
        folder = Path(made)
        folder.chmod(0o755)
        for name in ("data", "socket"):
            (folder / name).mkdir(mode=0o700 if name == "data" else 0o755)
            if identity:
                os.chown(folder / name, identity["user"], identity["group"])
        (folder / "log").touch()
        settings = ["--username=postgres", "--auth-local=trust", "--auth-host=scram-sha-256", "--encoding=UTF8"]
        command = [found / "initdb", "-D", folder / "data", *settings, "--locale=C.UTF-8", "--no-sync"]
        own = {"PATH": os.environ["PATH"], "LANG": "C.UTF-8"}
        subprocess.run(command, check=True, capture_output=True, cwd=folder, env=own, **identity)
        port = free_port()
        options = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": folder / "socket",
            "fsync": "off",
            "timezone": "Europe/London",
            "shared_buffers": "32MB",
        }
        command = [found / "postgres", "-D", folder / "data"]
        command += [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        with (folder / "log").open("a") as log:
            process = subprocess.Popen(command, stdout=log, stderr=log, cwd=folder, env=own, **identity)
        server = Server(folder, port, process)
        try:
            server.await_answer()
            roles = [f"CREATE ROLE {name} LOGIN PASSWORD '{password}'" for name, password in PASSWORDS.items()]
            server.run(*roles, f"CREATE DATABASE {DATABASE} OWNER {OWNER}", database="postgres")
            yield server
        finally:
            server.stop()
