"""Connections to a Unix socket whose other end belongs to this user or to root; any other gets not a byte.

Keys travel here, and whoever may write into the folder could put a socket of his own in the proxy's place.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass

from catalog import HttpConnection

ROOT = 0
# struct ucred: pid, uid, gid.
_CREDENTIALS = struct.Struct("3i")


@dataclass(frozen=True, slots=True)
class Peer:
    """Who listens at the other end, as the kernel says."""

    pid: int
    uid: int

    @property
    def is_trusted(self) -> bool:
        return self.uid in (os.geteuid(), ROOT)


async def trusted_connection(path: str, make: Callable[[], HttpConnection]) -> HttpConnection:
    """A connection to the socket at `path`, looked at before anything is written. Raises OSError; PermissionError for a stranger's."""
    loop = asyncio.get_running_loop()
    transport, connection = await loop.create_unix_connection(make, path)
    peer = peer_of(transport.get_extra_info("socket"))
    if not peer.is_trusted:
        transport.abort()
        raise PermissionError(f"it belongs to user {peer.uid}, not to user {os.geteuid()}")
    return connection


def peer_of(connected: socket.socket) -> Peer:
    """The process at the other end of a connected Unix socket: for a server, the one that listens."""
    raw = connected.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _CREDENTIALS.size)
    pid, uid, _ = _CREDENTIALS.unpack(raw)
    return Peer(pid, uid)


async def listening_peer(path: str, timeout_s: float) -> Peer:
    """Who listens on the socket at `path`.

    Raises OSError when nobody does, or another user's program, which is none to adopt or to end; TimeoutError when it hangs.
    """
    async with asyncio.timeout(timeout_s):
        _, writer = await asyncio.open_unix_connection(path)
    try:
        peer = peer_of(writer.get_extra_info("socket"))
    finally:
        writer.close()
    if not peer.is_trusted:
        raise PermissionError(f"what listens on {path} belongs to user {peer.uid}")
    return peer
