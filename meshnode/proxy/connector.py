"""Connections to a Unix socket whose other end belongs to this user or to root; any other gets not a byte.

Keys travel here, and whoever may write into the folder could put a socket of his own in the proxy's place.
"""

from __future__ import annotations

import asyncio
import os
import socket
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import aiohttp

if TYPE_CHECKING:
    from aiohttp.client_proto import ResponseHandler

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


class StrangerError(aiohttp.ClientConnectionError):
    """The socket is another user's."""


class TrustedUnixConnector(aiohttp.UnixConnector):
    """aiohttp's connector for Unix sockets, with SO_PEERCRED looked at before anything is written."""

    async def _create_connection(self, *arguments: Any, **named: Any) -> ResponseHandler:
        # The one place where aiohttp has the new socket before the request; tests/unit/meshnode/test_connector.py
        # fails should a version of it go another way.
        protocol = await super()._create_connection(*arguments, **named)
        connected = (
            None if protocol.transport is None else protocol.transport.get_extra_info("socket")
        )
        peer = None if connected is None else peer_of(connected)
        if peer is None or not peer.is_trusted:
            protocol.close()
            who = "nobody the kernel knows" if peer is None else f"user {peer.uid}"
            raise StrangerError(f"it belongs to {who}, not to user {os.geteuid()}")
        return protocol


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
