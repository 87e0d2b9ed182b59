"""What tests in more than one file use."""

import fcntl
import http.client
import json
import os
import pickle
import re
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace

import psutil
import pytest

from safeguarding_analytics.dashboards import PAGES
from safeguarding_analytics.demo import write_demo_board
from safeguarding_analytics.report import make_report

COMMAND = [sys.executable, "-c", "from safeguarding_analytics.cli import main; main()"]

LOOSE = '{"VoilaConfiguration": {"show_tracebacks": true, "strip_sources": false, "file_denylist": []}}'
"""A configuration that lies about where a dashboard is started. It must have no effect."""


@dataclass
class Served:
    """A running ``safeguarding dashboards``."""

    process: subprocess.Popen
    port: int
    folder: Path

    @property
    def log(self):
        """All it has printed, on both streams."""
        return (self.folder / "log").read_text(encoding="utf-8")

    @property
    def kernels(self):
        """The processes of its kernels: all that it began but the server that forks them, which it keeps."""
        own = psutil.Process(self.process.pid)
        kept = {child.pid for child in own.children() if serves_kernels(child)}
        return [child for child in own.children(recursive=True) if child.pid not in kept]

    def ask(self, path, method="GET", **headers):
        """Status and text of an answer. The path goes out as it is: http.client does not tidy "..", as browsers do."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            connection.request(method, path, headers=headers)
            answer = connection.getresponse()
            return answer.status, answer.read().decode(), answer.headers
        finally:
            connection.close()

    def stop(self):
        self.process.terminate()
        return self.process.wait(timeout=20)


def assert_log_tells_of_pages_alone(log, address):
    """What a dashboard prints: where it is, and a line when a page begins to be worked out and when it is done."""
    first, *lines = log.splitlines()
    assert first == f"The dashboard is at {address}  (Ctrl-C stops it)"
    titles = {json.loads(path.read_text(encoding="utf-8"))["metadata"]["title"] for path in PAGES.glob("*.ipynb")}
    said = re.compile(rf"(Working out the page|The page) ({'|'.join(titles)})( …| is ready.*| could not be .*)")
    assert [line for line in lines if not said.fullmatch(line)] == []
    assert "Working out the page Overview …" in lines


def serves_kernels(process):
    try:
        return "safeguarding_analytics.kernel_server" in process.cmdline()
    except psutil.Error:
        return False


SPARK_PARTITIONS = 4
"""Into how many partitions PySpark shuffles."""


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="session")
def demo_board():
    """The synthetic board as it is committed: what `write_demo_board` writes (see test_demo). Only to be read."""
    return Path(__file__).parents[1] / "data" / "demo_board"


@pytest.fixture(scope="session")
def demo_report(tmp_path_factory):
    """One run over the whole synthetic board on 2 July 2011. Only to be read: who tampers with it takes a copy.

    The processes in which tests run side by side share it: the first one makes it, and the others wait.
    """
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    with (folder / "demo_report.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = folder / "demo_report.pickle"
        if not kept.exists():
            kept.write_bytes(pickle.dumps(_make_demo_report(folder / "demo_report")))
        return pickle.loads(kept.read_bytes())


def _make_demo_report(folder):
    progress = []
    write_demo_board(folder / "board")
    made = make_report(
        folder / "board",
        folder / "out",
        today=date(2011, 7, 2),
        progress=lambda done, every: progress.append((done, every)),
    )
    return SimpleNamespace(made=made, board=folder / "board", out=folder / "out", progress=progress)


@pytest.fixture(scope="session")
def spark():
    """One PySpark on two cores, quiet, reached from this computer alone; its Java process ends with the tests."""
    sql = pytest.importorskip("pyspark.sql", reason="PySpark is not installed: install the extra spark")
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        pytest.skip("PySpark needs Java 17 or later, and there is none")
    settings = {
        "spark.sql.shuffle.partitions": SPARK_PARTITIONS,
        "spark.sql.adaptive.enabled": False,  # would put small partitions together, and hide what is to be seen
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.enabled": False,
        "spark.ui.showConsoleProgress": False,
        "spark.driver.memory": "1g",
        "spark.driver.extraJavaOptions": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC",
        "spark.sql.codegen.wholeStage": False,  # short work, as the line above: compiling it well takes longer
    }
    building = sql.SparkSession.builder.master("local[2]").appName("tests")
    for name, value in settings.items():
        building = building.config(name, value)
    session = building.getOrCreate()
    context = session.sparkContext
    context.setLogLevel("OFF")
    gateway = context._gateway
    yield session
    session.stop()
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait(timeout=60)


@pytest.fixture(scope="session")
def run_command():
    """Run ``safeguarding`` with arguments, to its end."""

    def run(*arguments):
        command = [*COMMAND, *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=120)

    return run


@pytest.fixture(scope="session")
def serve():
    """Serve a release; the dashboards end with the tests."""
    running = []
    with TemporaryDirectory(prefix="sg") as shelf:  # tmp_path is too long a name for the sockets of the kernels

        def start(release):
            folder = Path(shelf) / str(len(running))
            (folder / "tmp").mkdir(parents=True)
            port = free_port()
            command = [*COMMAND, "dashboards", str(release), "--port", str(port)]
            (folder / "voila.json").write_text(LOOSE)
            own = {**os.environ, "TMPDIR": str(folder / "tmp"), "JUPYTER_CONFIG_DIR": str(folder)}
            with (folder / "log").open("w") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, env=own, cwd=folder)
            served = Served(process, port, folder)
            running.append(served)
            until = time.monotonic() + 30
            while time.monotonic() < until:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        return served
                assert process.poll() is None, served.log
                time.sleep(0.1)
            raise AssertionError("the dashboard did not start within 30 seconds")

        yield start
        for served in running:
            if served.process.poll() is None:
                served.stop()
