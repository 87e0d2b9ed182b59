"""The answer of a function of this package, worked out in a process of its own while this one goes on.

The process is forked from the server that kernels are forked from, so that it has imported everything already.
"""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager

from safeguarding_analytics.kernel_client import STATUS_BYTES, forked
from safeguarding_analytics.warm_kernels import socket_of_server

ASLEEP = 0.2
"""Seconds after which it is looked whether the run was stopped: once Polars is imported, Ctrl-C breaks off no wait."""

ENDS_WITHIN = 10
"""Seconds in which a process that has answered ends."""

_A_PIECE = 1 << 16

Answer = Callable[[], str | None]


@contextmanager
def answered_aside(function: Callable[..., str], *arguments: str) -> Iterator[Answer]:
    """Have a function called in a forked process, which ends with this context at the latest.

    Parameters
    ----------
    function
        A function of a module of this package. It answers with a text.
    arguments
        What it is called with.

    Yields
    ------
    Answer
        Waits for the answer. None where there is none: no process can be forked here, or it failed. Who asks then calls
        the function itself, which also says why it failed.
    """
    place = socket_of_server()
    if place is None:
        yield lambda: None
        return
    with ExitStack() as closed:
        server = closed.enter_context(socket.socket(socket.AF_UNIX))  # its end is the end of the process
        reading, writing = os.pipe()
        closed.callback(os.close, reading)
        asked = {"arguments": list(arguments), "asked": f"{function.__module__}.{function.__name__}"}
        try:
            nothing = os.open(os.devnull, os.O_RDWR)
            begun = forked(server, str(place), asked, [nothing, writing, nothing])
            os.close(nothing)
        finally:
            os.close(writing)
        yield lambda: _read(server, reading) if begun else None


def _read(server: socket.socket, reading: int) -> str | None:
    """All that was answered, if the process then ended as one that did not fail."""
    pieces: list[bytes] = []
    while not pieces or pieces[-1]:
        if select.select([reading], [], [], ASLEEP)[0]:
            pieces.append(os.read(reading, _A_PIECE))
    server.settimeout(ENDS_WITHIN)
    try:
        status = server.recv(STATUS_BYTES, socket.MSG_WAITALL)
    except OSError:
        return None
    return b"".join(pieces).decode() if status == bytes(STATUS_BYTES) else None
