"""Imports what the notebooks import, once, and forks a kernel for each that asks: ``python -m`` of this module.

Who asks for the answer of a function of this package instead gets that, worked out in a fork, too.

It only imports: threads that a query would start do not live on in a fork. (Threads that libraries start for themselves
when they are imported, to tidy up memory, it has; a fork does without them.) It ends, with all its kernels, when the
process that started it does, however that ends: its standard input is then at its end.
"""

from __future__ import annotations

import ast
import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import shutil
import signal
import socket
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ALWAYS = (
    *("ipykernel.kernelapp", "ipykernel.zmqshell", "numpy.random", "narwhals._polars.dataframe"),
    *("scipy.optimize", "scipy.special", "holidays.countries"),
)
"""Imported whatever the notebooks import: what every kernel needs, and what our functions import when they need it."""

ONE_BY_ONE = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}
"""Libraries that start threads when they are imported must not: a fork would not have them."""

LONGEST_REQUEST = 10_000_000
FIRST_BYTES = 8
SAID_WITHIN = 2
"""Seconds in which a client must go on saying what it wants: its process is on this computer."""

LOOK_UP = 5
"""Seconds after which the server looks whether its parent is still there."""

_DIE_WITH_PARENT = 1


@dataclass(frozen=True)
class Request:
    """What a kernel is to be: its arguments, folder, environment, and standard streams.

    With ``asked``, the name of a function with that of its module, it is no kernel: the function is given the
    arguments, and the text that it answers is written to the standard output.
    """

    arguments: list[str]
    folder: str
    environment: dict[str, str]
    streams: list[int]
    asked: str = ""


def main(folder: Path, listener: socket.socket, notebooks: list[Path]) -> None:
    """Serve until the parent ends; in a forked process, be a kernel."""
    os.environ.update(ONE_BY_ONE)
    os.environ["JPY_PARENT_PID"] = str(os.getpid())  # read when ipykernel is imported: a kernel watches its parent
    import_all(notebooks)
    gc.collect()
    gc.freeze()  # or the first collection in a kernel would copy all that it shares with the server
    request = _Kernels(listener).serve()
    if request is None:
        shutil.rmtree(folder, ignore_errors=True)
    else:
        _take_over(request)
        (_answer if request.asked else _be_kernel)(request)


def import_all(notebooks: list[Path]) -> None:
    """Import what the notebooks name at the head of their cells, and what every kernel needs."""
    for name in ALWAYS:
        importlib.import_module(name)
    for path in notebooks:
        # What cannot be read or imported is left to the notebook's own kernel, which says so.
        with contextlib.suppress(OSError, ValueError, LookupError, TypeError, SyntaxError):
            for line in imports_of(path):
                with contextlib.suppress(Exception):
                    exec(line, {})  # noqa: S102  # import statements of the notebooks, and nothing else


def imports_of(notebook: Path) -> list[str]:
    """The import statements of a notebook that stand at the first level of its cells."""
    cells = json.loads(notebook.read_text(encoding="utf-8"))["cells"]
    codes = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    lines = [line for code in codes for line in ast.parse(code).body]
    return [ast.unparse(line) for line in lines if isinstance(line, ast.Import | ast.ImportFrom)]


class _Kernels:
    """The kernels forked so far, each with the connection of the client that waits for its end."""

    def __init__(self, listener: socket.socket) -> None:
        self.listener = listener
        self.of_client: dict[socket.socket, int] = {}
        self.parent = os.getppid()
        self.awake, self.wake = socket.socketpair()
        self.wake.setblocking(False)
        self.events = selectors.DefaultSelector()
        for each in (listener, self.awake, sys.stdin):
            self.events.register(each, selectors.EVENT_READ)

    def serve(self) -> Request | None:
        """Fork a kernel for every request; the request in the fork, None in the server once its parent has ended."""
        signal.set_wakeup_fd(self.wake.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        # From here on there are kernels to end: standard input tells when.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        try:
            while True:
                found = self.events.select(LOOK_UP)
                if os.getppid() != self.parent:  # standard input may still be open in what the parent forked
                    return None
                for key, _ in found:
                    if key.fileobj is sys.stdin:
                        return None
                    if key.fileobj is self.listener:
                        request = self.fork()
                        if request is not None:
                            return request
                    elif key.fileobj is self.awake:
                        self.awake.recv(1024)
                        self.say_ended()
                    elif isinstance(key.fileobj, socket.socket) and key.fileobj in self.of_client:
                        # Who waits for it is gone, and so must it be. It is reaped like any other.
                        _kill(self.forget(key.fileobj))
                        key.fileobj.close()
        finally:
            for kernel in self.of_client.values():
                _kill(kernel)

    def fork(self) -> Request | None:
        """Fork a kernel for the next client; what it wants in the fork, None in the server."""
        try:
            client, _ = self.listener.accept()
        except OSError:  # it has gone, or there are too many files: then not at once again
            time.sleep(0.1)
            return None
        request, kernel = _request(client), -1
        if request is not None:
            with contextlib.suppress(OSError):  # no more processes: this client becomes an ordinary kernel
                kernel = os.fork()
        if kernel == 0:
            files: list[selectors.BaseSelector | socket.socket] = [
                self.events,
                self.listener,
                self.awake,
                self.wake,
                client,
                *self.of_client,
            ]
            self.of_client.clear()
            signal.set_wakeup_fd(-1)
            for file in files:
                with contextlib.suppress(OSError):  # some systems have closed it already
                    file.close()
            return request
        for stream in request.streams if request is not None else ():
            os.close(stream)
        if kernel < 0:
            client.close()
            return None
        with contextlib.suppress(OSError):  # it has gone already, which is seen next
            client.sendall(b"+")
        self.of_client[client] = kernel
        self.events.register(client, selectors.EVENT_READ)
        return None

    def say_ended(self) -> None:
        """Tell those whose kernels have ended how."""
        while True:
            try:
                ended, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if not ended:
                return
            for client in [client for client, kernel in self.of_client.items() if kernel == ended]:
                self.forget(client)
                with contextlib.suppress(OSError):  # it has gone meanwhile
                    client.sendall(status.to_bytes(4, "little"))
                client.close()

    def forget(self, client: socket.socket) -> int:
        """Wait for a client no longer; the kernel it has."""
        self.events.unregister(client)
        return self.of_client.pop(client)


def _request(client: socket.socket) -> Request | None:
    """What a client wants; None where it went away before it had said so."""
    client.settimeout(SAID_WITHIN)
    streams: list[int] = []
    try:
        head, streams, _, _ = socket.recv_fds(client, FIRST_BYTES, 3)
        asked = json.loads(_read(client, min(int.from_bytes(head, "little"), LONGEST_REQUEST)))
        client.settimeout(None)
        return Request(asked["arguments"], asked["folder"], asked["environment"], streams, asked.get("asked", ""))
    except (OSError, ValueError, LookupError, TypeError):
        for stream in streams:
            os.close(stream)
        return None


def _read(client: socket.socket, count: int) -> bytes:
    """So many bytes; fewer where the client goes away."""
    parts = []
    while count and (part := client.recv(count)):
        parts.append(part)
        count -= len(part)
    return b"".join(parts)


def _kill(kernel: int) -> None:
    """End a kernel and what it started; right after the fork it has no group of its own."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            kill(kernel, signal.SIGKILL)


def _take_over(request: Request) -> None:
    """Have what a process has that was started by itself: the folder, the streams, and the environment of its own."""
    os.setsid()
    for changed in (signal.SIGCHLD, signal.SIGTERM):
        signal.signal(changed, signal.SIG_DFL)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
    if os.getppid() != int(os.environ["JPY_PARENT_PID"]):  # it ended before that was asked for
        os._exit(1)
    for number, stream in enumerate(request.streams):
        os.dup2(stream, number)
        os.close(stream)
    parent = os.environ["JPY_PARENT_PID"]
    os.environ.clear()
    os.environ.update(request.environment | {"JPY_PARENT_PID": parent})
    time.tzset()
    os.chdir(request.folder)
    # Every fork has NumPy's generator as the server has it: without this, all would draw the same numbers.
    importlib.import_module("numpy.random").seed()


def _answer(request: Request) -> None:
    """Call a function of this package, and write what it answers; nothing where it fails: who asked calls it then."""
    module, _, name = request.asked.rpartition(".")
    if module.split(".")[0] != __package__:
        os._exit(1)
    answered = getattr(importlib.import_module(module), name)(*request.arguments)
    with os.fdopen(1, "w", encoding="utf-8") as heard:
        heard.write(answered)
    os._exit(0)


def _be_kernel(request: Request) -> None:
    """Be a kernel as if started by itself, but for what is imported."""
    sys.argv = ["ipykernel_launcher", *request.arguments]
    if not _is_wanted(request):
        os._exit(1)  # without its addresses it would make up its own, and say so
    kernel = importlib.import_module("ipykernel.kernelapp").IPKernelApp
    find = kernel.init_connection_file

    def find_or_end(app: Any) -> None:
        find(app)
        if not app.shell_port:  # they were removed since it was looked whether it is wanted
            os._exit(1)

    kernel.init_connection_file = find_or_end
    try:
        kernel.launch_instance(argv=request.arguments)
    except BaseException as error:
        if isinstance(error, SystemExit) or _is_wanted(request):
            raise
        os._exit(1)


def _is_wanted(request: Request) -> bool:
    """Whether the file with the kernel's addresses is there: who is stopped removes it, and waits no longer."""
    return any(Path(each).is_file() for each in request.arguments)


if __name__ == "__main__":
    main(Path(sys.argv[1]), socket.socket(fileno=int(sys.argv[2])), [Path(path) for path in sys.argv[3:]])
