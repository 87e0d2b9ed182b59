"""Kernels forked from a server: clean processes that end as they should, whatever happens around them."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

import nbformat
import psutil
import pytest
from jupyter_client.manager import start_new_kernel

from safeguarding_analytics import kernels, warm_kernels
from safeguarding_analytics.kernels import Task, run_notebooks
from safeguarding_analytics.warm_kernels import KIND, NAME, ORDINARY, kernel_name, start_server

pytestmark = [
    pytest.mark.skipif(os.name != "posix", reason="there are no forks on Windows"),
    # jupyter_client warns of kernels over TCP; these are on this computer, and live for a second.
    pytest.mark.filterwarnings("ignore"),
]

SECONDS = 60
OF_QUERIES = ("polars-0", "polars-1", "tokio", "async-executor")


def until(what, *, seconds=SECONDS):
    """Wait for something to be so; whether it came to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if what():
            return True
        time.sleep(0.05)
    return False


def gone(pid):
    """Whether a process has ended, reaped or not."""
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@contextmanager
def kernel(name=None):
    """A started kernel: its manager, and a function that runs code in it and gives what it printed or the error."""
    manager, client = start_new_kernel(kernel_name=name or kernel_name(), stderr=subprocess.DEVNULL)

    def run(code):
        said = []

        def hear(message):
            content = message["content"]
            said.append(content.get("text") or content.get("ename") or "")

        client.execute_interactive(code, output_hook=hear, timeout=SECONDS)
        return "".join(said).strip()

    try:
        yield manager, client, run
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.fixture(scope="module")
def one():
    with kernel() as found:
        yield found


IMPORTED = (
    "import sys; print(*sorted({'polars', 'altair', 'scipy', 'safeguarding_analytics.training'} & {*sys.modules}))"
)


def test_kernel_has_imported_what_the_notebooks_import_and_an_ordinary_one_has_not(one):
    assert one[2](IMPORTED) == "altair polars safeguarding_analytics.training scipy"
    with kernel(ORDINARY) as (_, _, run):
        assert run(IMPORTED) == ""


def test_every_notebook_finds_all_its_modules_in_a_kernel_that_has_just_begun(one):
    code = """
import sys
before = {name for name in sys.modules if name.partition('.')[0] in ('safeguarding_analytics', 'polars', 'altair')}
{lines}
after = {name for name in sys.modules if name.partition('.')[0] in ('safeguarding_analytics', 'polars', 'altair')}
print(sorted(after - before))
"""
    from safeguarding_analytics.kernel_server import imports_of

    repository = Path(__file__).parents[1]
    paths = [*(repository / "notebooks").glob("*.ipynb"), *(repository / "dashboards").glob("*.ipynb")]
    assert len(paths) == 10
    lines = "\n".join(line for path in paths for line in imports_of(path))
    assert "training_reach" in lines
    assert one[2](code.replace("{lines}", lines)) == "[]"


def test_queries_run_on_all_threads_in_a_fork(one):
    code = "import polars as pl; print(pl.DataFrame({'a': range(500_000)}).lazy().group_by(pl.col('a') % 7).len()"
    assert one[2](f"{code}.sort('a').collect()['len'].to_list())") == str([71_429] * 4 + [71_428] * 3)


def test_kernels_share_neither_variables_nor_random_numbers(one):
    draw = "import random, numpy; print(random.random(), numpy.random.random())"
    first = one[2](f"left_behind = 1\n{draw}").split()
    with kernel() as (_, _, run):
        second = run(draw).split()
        assert run("print('left_behind' in globals())") == "False"
        assert run("import os; print(os.getpid())") != one[2]("import os; print(os.getpid())")
    assert len({*first, *second}) == 4


def test_kernel_has_the_environment_and_folder_of_who_started_it(tmp_path):
    manager, client = start_new_kernel(
        kernel_name=kernel_name(),
        cwd=str(tmp_path),
        env=os.environ | {"OF_THIS_TEST": "yes"},
        stderr=subprocess.DEVNULL,
    )
    said = []
    code = "import os; print(os.getcwd(), os.environ['OF_THIS_TEST'], 'OPENBLAS_NUM_THREADS' in os.environ)"
    client.execute_interactive(code, output_hook=lambda message: said.append(message["content"].get("text", "")))
    client.stop_channels()
    manager.shutdown_kernel(now=True)
    wanted = "OPENBLAS_NUM_THREADS" in os.environ
    assert "".join(said).strip() == f"{os.path.realpath(tmp_path)} yes {wanted}"


def test_server_is_found_again_where_the_search_path_was_set_anew(monkeypatch):
    kernel_name()
    monkeypatch.setenv("JUPYTER_PATH", "/elsewhere")
    with kernel() as (_, _, run):
        assert run("print(1)") == "1"
    assert os.environ["JUPYTER_PATH"].split(os.pathsep)[1:] == ["/elsewhere"]


def test_notebook_that_cannot_be_read_leaves_the_others_imported(tmp_path):
    (tmp_path / "torn.ipynb").write_text("{")
    notebook(tmp_path / "magic.ipynb", "%matplotlib inline")
    notebook(tmp_path / "lacking.ipynb", "import no_such_module_at_all\nimport this_neither")
    notebook(tmp_path / "whole.ipynb", "import colorsys")
    code = f"""
import sys
from pathlib import Path
from safeguarding_analytics.kernel_server import import_all
import_all(sorted(Path({str(tmp_path)!r}).glob("*.ipynb")))
print("colorsys" in sys.modules)
"""
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=SECONDS)
    assert ran.stdout.strip() == "True"


def test_nobody_else_may_reach_the_socket():
    kernel_name()
    (server,) = warm_kernels._server
    assert server.folder.stat().st_mode & 0o777 == 0o700
    assert (server.folder / "socket").is_socket()


def test_endless_cell_is_interrupted_and_the_kernel_goes_on():
    with kernel() as (manager, client, run):
        run("kept = 7")
        message = client.execute(
            "while True: pass", stop_on_error=False
        )  # or what comes at once may be dropped with it
        time.sleep(0.5)
        manager.interrupt_kernel()
        reply = client.get_shell_msg(timeout=SECONDS)
        assert reply["parent_header"]["msg_id"] == message
        assert reply["content"]["ename"] == "KeyboardInterrupt"
        assert run("print(kept)") == "7"


def test_restarted_kernel_is_another_process_without_variables():
    with kernel() as (manager, client, run):
        before = int(run("kept = 7\nimport os; print(os.getpid())"))
        manager.restart_kernel(now=True)
        client.wait_for_ready(timeout=SECONDS)
        assert run("print('kept' in globals())") == "False"
        assert int(run("import os; print(os.getpid())")) != before
        assert until(lambda: gone(before))


@pytest.mark.parametrize("end", ["os._exit(3)", "os.kill(os.getpid(), 11)", "os.kill(os.getpid(), 9)"])
def test_kernel_that_breaks_down_is_seen_to_be_dead(end):
    with kernel() as (manager, client, run):
        run("import os")
        client.execute(end)
        assert until(lambda: not manager.is_alive())


def test_shut_down_kernel_runs_what_it_is_to_do_at_its_end(tmp_path):
    with kernel() as (manager, client, run):
        run(f"import atexit; _ = atexit.register(lambda: open({str(tmp_path / 'ended')!r}, 'w').close())")
        client.shutdown()
        assert until(lambda: not manager.is_alive())
    assert (tmp_path / "ended").exists()


def notebook(path, *codes):
    found = nbformat.v4.new_notebook()
    found.cells = [nbformat.v4.new_code_cell(code) for code in codes]
    found.metadata.kernelspec = {"name": ORDINARY, "display_name": "Python 3", "language": "python"}
    nbformat.write(found, path)
    return path


def outcome(path):
    found = run_notebooks({"one": Task(path, None)}, jobs=1, progress=lambda done, every: None, beside=lambda: None)
    return found["one"]


def test_notebook_that_kills_its_kernel_is_said_to_have_done_so(tmp_path):
    found = outcome(notebook(tmp_path / "a.ipynb", "import os; os.kill(os.getpid(), 9)"))
    assert found.executed is None
    assert found.why_not.startswith("its kernel died")


OWN_FIGURE = (
    "from IPython.display import HTML\n"
    'HTML(\'<figure><div class="picture"></div>'
    '<script type="application/json" class="vega-lite-spec">{spec}</script></figure>\')'
)


def test_picture_that_was_left_open_is_drawn_and_one_that_cannot_be_is_said(tmp_path):
    spec = (
        '{"description": "One bar", "data": {"values": [{"a": 1}]}, "mark": "bar", "encoding": {"x": {"field": "a"}}}'
    )
    found = outcome(notebook(tmp_path / "a.ipynb", OWN_FIGURE.format(spec=spec), "1"))
    assert 'aria-label="One bar"' in found.executed.cells[0].outputs[0].data["text/html"]
    found = outcome(notebook(tmp_path / "a.ipynb", OWN_FIGURE.format(spec='{"description": "x", "mark": 5}')))
    assert found.why_not.startswith("a chart of it could not be drawn.")


def test_notebook_that_never_ends_is_stopped_with_its_kernel(tmp_path, monkeypatch):
    monkeypatch.setattr(kernels, "TIMEOUT", 2)
    told = tmp_path / "pid"
    found = outcome(
        notebook(tmp_path / "a.ipynb", f"import os; open({str(told)!r}, 'w').write(str(os.getpid()))\nwhile True: pass")
    )
    assert found.why_not == "a cell took longer than 2 seconds."
    assert until(lambda: gone(int(told.read_text())))


def test_error_s_kind_is_told_and_its_text_is_not(tmp_path):
    found = outcome(notebook(tmp_path / "a.ipynb", "1", "raise ValueError('Ann Other')"))
    assert found.why_not == "code cell 2 ended with ValueError. Open the notebook in JupyterLab to see why."


# Where there is no server


def test_system_without_a_server_gets_an_ordinary_kernel(monkeypatch):
    monkeypatch.setenv(KIND, "ordinary")
    assert start_server() is None


def test_folder_whose_name_is_too_long_for_a_socket_means_an_ordinary_kernel(monkeypatch, tmp_path):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    assert start_server() is None
    assert list(deep.iterdir()) == []


ORDINARY_AFTER_ALL = "The warm kernel cannot be had; an ordinary one starts instead."


def test_client_becomes_an_ordinary_kernel_where_the_server_is_gone(tmp_path):
    server = start_server()
    spec = (server.folder / "kernels" / NAME / "kernel.json").read_text()
    server.process.kill()
    server.process.wait()
    shelf = tmp_path / "kernels" / "left"
    shelf.mkdir(parents=True)
    (shelf / "kernel.json").write_text(spec)
    code = f"""
import sys
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="left")
client.execute_interactive({IMPORTED!r})
client.stop_channels()
manager.shutdown_kernel(now=True)
"""
    ran = subprocess.run(
        [sys.executable, "-c", code],
        env=os.environ | {"JUPYTER_PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    server.stop()
    assert ran.returncode == 0
    assert ran.stderr.count(ORDINARY_AFTER_ALL) == 1
    assert ran.stdout.strip() == ""  # nothing was imported before


def command_of(server):
    """What Jupyter starts in place of a kernel."""
    spec = json.loads((server.folder / "kernels" / NAME / "kernel.json").read_text())
    return [each for each in spec["argv"] if each not in ("-f", "{connection_file}")]


def test_client_whose_parent_has_ended_ends_without_a_word(tmp_path):
    server = start_server()
    server.process.kill()
    server.process.wait()
    command = [*command_of(server), "-f", str(tmp_path / "kernel.json")]
    ran = subprocess.run(
        command, env=os.environ | {"JPY_PARENT_PID": "1"}, capture_output=True, timeout=SECONDS, check=False
    )
    server.stop()
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"")


def test_kernel_whose_addresses_were_removed_while_it_began_ends_without_a_word(tmp_path):
    kernel_name()
    (server,) = warm_kernels._server
    (tmp_path / "no folder").touch()
    command = [*command_of(server), "-f", str(tmp_path / "no folder" / "kernel.json")]
    ran = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"")


def test_kernel_whose_addresses_are_removed_just_before_it_reads_them_ends_without_a_word(tmp_path):
    program = (
        "import sys; from safeguarding_analytics import kernel_server as own; own._is_wanted = lambda _: True; "
        "own._be_kernel(own.Request(['-f', sys.argv[1]], '.', {}, []))"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "kernel.json")]
    ran = subprocess.run(command, capture_output=True, timeout=SECONDS, check=False)
    assert (ran.returncode, ran.stdout, ran.stderr) == (1, b"", b"")


def test_next_notebook_has_a_new_server_where_the_last_one_was_killed():
    kernel_name()
    (first,) = warm_kernels._server
    with kernel() as (_, _, run):
        of_first = int(run("import os; print(os.getpid())"))
        first.process.kill()
        assert until(lambda: gone(of_first))
    first.process.wait()
    assert kernel_name() == NAME
    (second,) = warm_kernels._server
    assert second.process.pid != first.process.pid
    with kernel() as (_, _, run):
        assert run("print(1)") == "1"


# What is left


PARENT = """
import os, sys, time
from jupyter_client.manager import start_new_kernel
from safeguarding_analytics.warm_kernels import kernel_name, _server
manager, client = start_new_kernel(kernel_name=kernel_name(), stderr=-3)
client.execute_interactive("import os, subprocess, sys\\nprint(os.getpid(), subprocess.Popen(['sleep', '600']).pid)")
print(_server[0].process.pid, manager.provisioner.process.pid, _server[0].folder, flush=True)
client.execute("while True: pass")
time.sleep(600)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_nothing_is_left_when_the_parent_is_killed_or_stopped(end):
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    forked, asleep = (int(each) for each in parent.stdout.readline().split())
    server, client, folder = parent.stdout.readline().split()
    every = [forked, asleep, int(server), int(client)]
    assert all(psutil.pid_exists(pid) for pid in every)
    parent.send_signal(end)
    parent.wait(SECONDS)
    parent.stdout.close()
    assert until(lambda: all(gone(pid) for pid in every)), [pid for pid in every if not gone(pid)]
    assert until(lambda: not Path(folder).exists())


def test_killed_client_takes_its_kernel_along():
    with kernel() as (manager, _, run):
        forked = int(run("import os; print(os.getpid())"))
        manager.provisioner.process.kill()
        assert until(lambda: gone(forked))


def test_request_that_makes_no_sense_does_not_stop_the_server():
    kernel_name()
    (server,) = warm_kernels._server
    for sent in (
        b"",
        b"\xff" * 8,
        (2).to_bytes(8, "little") + b"[]",
        (4).to_bytes(8, "little") + b"{}}{",
        (2).to_bytes(8, "little") + b"{}",
    ):
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(server.folder / "socket"))
            client.sendall(sent)
            client.shutdown(socket.SHUT_WR)
            assert client.recv(1) == b""
    with kernel() as (_, _, run):
        assert run("print(1)") == "1"


@pytest.mark.skipif(sys.platform != "linux", reason="threads can be listed by name on Linux alone")
def test_server_only_imports_and_starts_no_threads_for_queries():
    kernel_name()
    (server,) = warm_kernels._server
    with kernel() as (_, _, run):
        names = [path.read_text() for path in Path(f"/proc/{server.process.pid}/task").glob("*/comm")]
        assert names
        assert not [name for name in names if name.startswith(OF_QUERIES)]
        # A query does start threads of these names.
        run("import polars as pl; _ = pl.DataFrame({'a': range(9)}).lazy().group_by('a').len().sort('a').collect()")
        told = "print(*(path.read_text() for path in Path('/proc/self/task').glob('*/comm')), sep='')"
        assert any(name.startswith(OF_QUERIES) for name in run(f"from pathlib import Path; {told}").split("\n"))


# Any command


def warm(*command):
    own = "from safeguarding_analytics.cli import main; main()"
    return subprocess.run(
        [sys.executable, "-c", own, "warm", *command], capture_output=True, text=True, timeout=SECONDS, check=False
    )


def test_any_command_gets_forked_kernels_under_the_usual_name():
    code = f"""
from jupyter_client.manager import start_new_kernel
manager, client = start_new_kernel(kernel_name="python3", stderr=-3)
client.execute_interactive({IMPORTED!r})
client.stop_channels()
manager.shutdown_kernel(now=True)
"""
    ran = warm(sys.executable, "-c", code)
    assert ran.stdout.strip() == "altair polars safeguarding_analytics.training scipy"
    assert ran.returncode == 0


def test_exit_code_is_that_of_the_command_and_options_are_its_own():
    assert warm(sys.executable, "-c", "import sys; sys.exit(7)").returncode == 7


def test_command_that_is_told_to_end_ends_first_and_its_signal_is_its_exit_code(tmp_path):
    own = "from safeguarding_analytics.cli import main; main()"
    told = tmp_path / "pid"
    code = f"import os, time; open({str(told)!r}, 'w').write(str(os.getpid())); time.sleep(600)"
    with subprocess.Popen([sys.executable, "-c", own, "warm", sys.executable, "-c", code]) as running:
        assert until(lambda: told.exists() and told.read_text())
        running.terminate()
        assert running.wait(SECONDS) == 128 + signal.SIGTERM
    assert gone(int(told.read_text()))


def test_notebook_runs_also_where_the_folder_s_name_is_too_long_for_sockets(tmp_path, monkeypatch):
    deep = tmp_path / ("d" * 120)
    deep.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(deep))
    found = outcome(notebook(tmp_path / "a.ipynb", "1"))
    assert (found.why_not, found.executed is None) == ("", False)
    assert list(deep.iterdir()) == []


def test_program_of_this_environment_is_found_without_path(monkeypatch):
    monkeypatch.setenv("PATH", "/nowhere")
    ran = warm("papermill", "--version")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert version("papermill") in ran.stdout


def test_program_that_is_not_there_is_said_in_a_sentence():
    ran = warm("no-such-program")
    assert ran.returncode == 2
    assert '"no-such-program" cannot be run (no such file or directory).' in ran.stderr
    assert "Traceback" not in ran.stderr
