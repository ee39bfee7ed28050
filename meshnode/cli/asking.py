"""Which node a command asks: the one that was named, else this machine's own, wherever its port was moved to. May not ask Consul first."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from ipaddress import ip_address
from typing import Any

from ..admin import AdminClient
from ..config import Settings
from ..errors import AdminError
from .output import console, escaped
from .reach import run
from .trace_sources import Ring, known_rings

# Asks by the `ip:port` of an admin API; its answer has the node's name as `node`.
Question = Callable[[AdminClient, str], Awaitable[dict[str, Any]]]


def ask_node(settings: Settings, question: Question, *, is_named: bool) -> dict[str, Any]:
    """The answer of the node at `settings.admin_address`; where nobody `is_named` and nothing answers there, that of one which
    Consul knows to be on this machine: its port may have been taken when it started. Raises AdminError.
    """
    return run(_ask(settings, question, is_named=is_named))


async def _ask(settings: Settings, question: Question, *, is_named: bool) -> dict[str, Any]:
    own = settings.admin_address
    async with AdminClient() as nodes:
        try:
            return await question(nodes, own)
        except AdminError as error:
            if is_named:
                raise
            for ring in (await known_rings(settings)).rings:
                if ring.address != own and _is_here(ring):
                    answer = await _try(nodes, ring, question)
                    if answer is not None:
                        _say(error, ring)
                        return answer
            raise


async def _try(nodes: AdminClient, ring: Ring, question: Question) -> dict[str, Any] | None:
    try:
        answer = await question(nodes, ring.address)
    except AdminError:
        return None
    # Every machine has a 127.0.0.1: who answers here may be another than the node that says it is there.
    return answer if answer.get("node") == ring.node else None


def _is_here(ring: Ring) -> bool:
    host, _, _ = ring.address.rpartition(":")
    return ip_address(host.strip("[]")).is_loopback


def _say(error: AdminError, ring: Ring) -> None:
    sentence = f"{error}; {ring.node} at {ring.address} was asked"
    console(is_error=True).print(f"[dim]{escaped(sentence)}[/]")
