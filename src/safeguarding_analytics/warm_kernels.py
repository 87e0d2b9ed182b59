"""Kernels that have imported already what the notebooks import: forked by a server that lives as long as this process.

To Jupyter they are a kernel like any other, named by a kernelspec; each is a process of its own.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from safeguarding_analytics.errors import ParameterError
from safeguarding_analytics.package_files import folder_of
from safeguarding_analytics.temporary_folders import TemporaryFolder, make_folder

NAME = "safeguarding-warm"
ORDINARY = "python3"
KIND = "SAFEGUARDING_KERNELS"
"""Environment variable: "ordinary" or "warm". Unset, kernels are warm on Linux alone, where this is tested."""

_SERVER = "safeguarding_analytics.kernel_server"
_CLIENT = Path(__file__).with_name("kernel_client.py")
_NOTEBOOKS = (folder_of("notebooks", "notebooks"), folder_of("dashboard_pages", "dashboards"))
_SEARCH_PATH = "JUPYTER_PATH"
_SOCKET = "socket"
_WAITING = 128
_lock = threading.Lock()


@dataclass(frozen=True)
class Server:
    """A server of kernels: its process, and the folder of its socket and kernelspecs, which only this user may read."""

    process: subprocess.Popen[bytes]
    place: TemporaryFolder
    owner: int

    @property
    def folder(self) -> Path:
        """Where its socket and its kernelspecs are."""
        return self.place.path

    def lives(self) -> bool:
        """Whether it is that of this process, and still there."""
        return self.owner == os.getpid() and self.process.poll() is None

    def environment(self) -> dict[str, str]:
        """The variable by which Jupyter finds the kernelspecs."""
        others = [place for place in os.environ.get(_SEARCH_PATH, "").split(os.pathsep) if place]
        return {
            _SEARCH_PATH: os.pathsep.join([str(self.folder), *(each for each in others if each != str(self.folder))])
        }

    def stop(self) -> None:
        """End it and its kernels."""
        if self.owner != os.getpid():
            return
        if self.process.stdin is not None:
            self.process.stdin.close()
        self.process.terminate()  # it heeds this only while it still imports and has no kernels
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(10)
        self.process.kill()
        self.process.wait()
        self.place.remove()


_server: list[Server] = []


def kernel_name() -> str:
    """The name of the kernel that notebooks run in here: a forked one, or where that cannot be, an ordinary one.

    The server starts when this is called first. It is there for all further notebooks, and ends with this process.
    """
    with _lock:
        if not (_server and _server[0].lives()):
            _end()
            found = start_server()
            if found is None:
                return ORDINARY
            _server.append(found)
        os.environ.update(_server[0].environment())  # each time: it may have been set anew
        return NAME


def socket_of_server() -> Path | None:
    """Where the server of this process listens; None where there is none."""
    with _lock:
        return _server[0].folder / _SOCKET if _server and _server[0].lives() else None


def end_server() -> None:
    """End the server of this process and its kernels, if there is one, and leave nothing of it behind."""
    with _lock:
        _end()


def _end() -> None:
    while _server:
        _server.pop().stop()


atexit.register(end_server)


def run_warm(command: Sequence[str], say: Callable[[str], None]) -> int:
    """Run a command for which every notebook of Python 3 gets a forked kernel, whatever tool it is; its exit code.

    Parameters
    ----------
    command
        The program and its arguments. A program of this environment is found also where PATH does not lead to it.
    say
        Called with a sentence where kernels must be ordinary ones.

    Raises
    ------
    ParameterError
        When there is no such program.
    """
    server = start_server((ORDINARY, NAME))
    if server is None:
        say("Warm kernels cannot be had here; ordinary ones start instead.")
    try:
        environment = os.environ | (server.environment() if server else {})
        of_ours = shutil.which(command[0], path=str(Path(sys.executable).parent))
        with subprocess.Popen([of_ours or command[0], *command[1:]], env=environment) as running:  # noqa: S603  # as asked for
            signal.signal(signal.SIGTERM, lambda *_: running.terminate())
            signal.signal(signal.SIGINT, signal.SIG_IGN)  # the command has it, too, and decides
            code = running.wait()
        return code if code >= 0 else 128 - code
    except OSError as error:
        reason = (error.strerror or "unknown reason").lower()
        raise ParameterError(f'"{command[0]}" cannot be run ({reason}). Name a program that is installed.') from None
    finally:
        if server is not None:
            server.stop()


def start_server(names: Sequence[str] = (NAME,)) -> Server | None:
    """Start a server whose kernels Jupyter knows by these names; None where this system cannot have one."""
    kind = os.environ.get(KIND) or ("warm" if sys.platform == "linux" else "ordinary")
    if kind != "warm" or os.name != "posix":
        return None
    imported = [str(path) for shelf in _NOTEBOOKS for path in sorted(shelf.glob("*.ipynb"))]
    made = make_folder()
    place = str(made.path / _SOCKET)
    with contextlib.ExitStack() as undone, socket.socket(socket.AF_UNIX) as listener:
        undone.callback(made.remove)  # unless all of it succeeds
        try:
            listener.bind(place)
            listener.listen(_WAITING)
            for name in names:
                _write_spec(made.path / "kernels" / name, place)
            process = subprocess.Popen(  # noqa: S603  # this interpreter, with paths of this package
                [sys.executable, "-P", "-m", _SERVER, str(made.path), str(listener.fileno()), *imported],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[listener.fileno()],
                start_new_session=True,  # Ctrl-C in the terminal is for the process that waits for the kernels
            )
        except OSError:
            return None
        undone.pop_all()
    return Server(process, made, os.getpid())


def _write_spec(folder: Path, place: str) -> None:
    """Tell Jupyter how such a kernel starts. It is interrupted by a message: a signal would reach the client alone."""
    folder.mkdir(parents=True)
    spec = {
        "argv": [sys.executable, "-I", "-S", str(_CLIENT), place, "-f", "{connection_file}"],
        "display_name": "Python 3, warm",
        "language": "python",
        "interrupt_mode": "message",
        "metadata": {"debugger": False},
    }
    (folder / "kernel.json").write_text(json.dumps(spec), encoding="utf-8")
