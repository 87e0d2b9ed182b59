"""What Jupyter starts in place of a kernel: it has one forked by the server, and ends as that kernel ends.

Run as a script by an interpreter without site-packages, which is there in an instant. Where no kernel can be had from
the server, it becomes an ordinary one.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
from collections.abc import Mapping

STATUS_BYTES = 4
FORKED_WITHIN = 30
"""Seconds in which a kernel must be forked; the first one waits until the server has imported everything."""


def main(place: str, arguments: list[str]) -> None:
    """Have a kernel forked, wait for its end, and end in the same way."""
    with socket.socket(socket.AF_UNIX) as server:
        if not forked(server, place, {"arguments": arguments}, [0, 1, 2]):
            if str(os.getppid()) != os.environ.get("JPY_PARENT_PID", str(os.getppid())):
                os._exit(1)  # who started it has ended: nobody waits for a kernel
            sys.stderr.write("The warm kernel cannot be had; an ordinary one starts instead.\n")
            sys.stderr.flush()
            ordinary = [sys.executable, "-m", "ipykernel_launcher", *arguments]
            os.execv(sys.executable, ordinary)  # noqa: S606  # what Jupyter would have started
        _end_as(_read(server, STATUS_BYTES))


def forked(server: socket.socket, place: str, asked: Mapping[str, object], streams: list[int]) -> bool:
    """Ask for a process with this one's folder and environment, and these standard streams; whether there is one."""
    try:
        request = json.dumps({**asked, "folder": os.getcwd(), "environment": dict(os.environ)}).encode()
        server.settimeout(FORKED_WITHIN)
        server.connect(place)
        socket.send_fds(server, [len(request).to_bytes(8, "little")], streams)
        server.sendall(request)
        answer = server.recv(1)
        server.settimeout(None)
        return answer == b"+"
    except OSError:
        return False


def _read(server: socket.socket, count: int) -> bytes:
    """What the server sends; less where it has gone."""
    try:
        return server.recv(count, socket.MSG_WAITALL)
    except OSError:
        return b""


def _end_as(status: bytes) -> None:
    """End as the kernel did, by its number or by the same signal; where the server has gone, as something failed."""
    if len(status) < STATUS_BYTES:
        os._exit(1)
    code = os.waitstatus_to_exitcode(int.from_bytes(status, "little"))
    if code < 0:
        if -code != signal.SIGKILL:  # which nobody can set
            signal.signal(-code, signal.SIG_DFL)
        os.kill(os.getpid(), -code)
    os._exit(abs(code))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2:])
