"""Ends a running proxy kindly: what it serves may finish first. Used when a person asks for it, never by a restart."""

from __future__ import annotations

import asyncio
import logging
from pathlib import Path

from ..errors import ProxyError
from .connector import listening_peer
from .control import ControlClient
from .process import ProxyProcess

# For the answer, and for the process to end after its grace.
SLACK_S = 3.0

_log = logging.getLogger("meshnode.proxy")


async def stop_proxy(control_socket: Path, grace_s: float) -> bool:
    """Drains the proxy that listens there and waits for its end; False when none does.

    One that doesn't end in time, or doesn't answer, is killed.
    """
    try:
        peer = await listening_peer(str(control_socket), SLACK_S)
        process = ProxyProcess.adopt(peer.pid)
    except (OSError, TimeoutError):
        return False
    try:
        await _drain(control_socket, grace_s)
        async with asyncio.timeout(grace_s + SLACK_S):
            await process.ended()
    except (ProxyError, TimeoutError) as error:
        _log.warning(
            "the proxy (process %d) did not end by itself and is killed: %s", peer.pid, error
        )
        process.kill()
        await process.ended()
    finally:
        process.close()
    return True


async def stop_unused_proxy(control_socket: Path) -> bool:
    """Ends the proxy there if it never had a table; one that serves is left alone."""
    try:
        async with ControlClient(control_socket, timeout_s=SLACK_S) as client:
            if (await client.version()).digest is not None:
                return False
    except ProxyError:
        return False
    return await stop_proxy(control_socket, 0)


async def _drain(control_socket: Path, grace_s: float) -> None:
    async with ControlClient(control_socket, timeout_s=SLACK_S) as client:
        await client.drain(int(grace_s * 1000))
