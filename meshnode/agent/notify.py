"""Tells systemd that the agent is ready and how it is (sd_notify(3)): datagrams to the socket it names; else nothing.

Never waits and never fails: an agent serves whether or not somebody supervises it.
"""

from __future__ import annotations

import contextlib
import socket

VARIABLE = "NOTIFY_SOCKET"


class Notifier:
    """`path` is what NOTIFY_SOCKET says; None or empty: nobody wants to know."""

    def __init__(self, path: str | None) -> None:
        # "@" stands for the NUL of an abstract socket's name.
        self._path = f"\0{path[1:]}" if path and path.startswith("@") else path
        self._last = ""

    def ready(self, status: str) -> None:
        """The agent does all that it can now; `status` is a line for `systemctl status`. Said again only if it changes."""
        message = f"READY=1\nSTATUS={' '.join(status.split())}"
        if not self._path or message == self._last:
            return
        self._last = message
        with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sender:  # fmt: skip
            sender.settimeout(0)
            sender.sendto(message.encode(), self._path)
