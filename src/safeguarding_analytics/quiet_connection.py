"""A kernel websocket that tells a viewer neither the cells' sources nor their errors."""

from __future__ import annotations

import json
from typing import Any

from jupyter_server.services.kernels.connection.channels import ZMQChannelsWebsocketConnection

SAID = {"status", "kernel_info_reply", "comm_open", "comm_msg", "comm_close", "comm_info_reply", "shutdown_reply"}
"""Kinds of message a page may receive; what is not named here stays inside."""


class QuietConnection(ZMQChannelsWebsocketConnection):
    """Forwards the kinds of message in `SAID` and drops every other, unreadable ones too."""

    def handle_outgoing_message(self, stream: Any, outgoing_msg: Any) -> None:
        """Forward a kernel's message if a page may receive it."""
        _, parts = self.session.feed_identities(outgoing_msg)
        header = parts[1] if len(parts) > 1 else b"{}"
        try:
            kind = json.loads(header if isinstance(header, bytes) else header.bytes).get("msg_type")
        except (ValueError, AttributeError):  # not a message as Jupyter writes it
            return
        if kind in SAID:
            super().handle_outgoing_message(stream, outgoing_msg)
