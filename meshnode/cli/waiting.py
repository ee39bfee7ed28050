"""Waiting for the nodes: until each that Consul sees alive has answered for a key or reached an index. Says nothing."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from catalog import STATUS_PREFIX, ConsulClient, KvEntry, Verdict, keys_digest, verdict

from ..config.kinds import duration_s
from ..errors import UsageError
from .nodes import Nodes, NodesReader

PEOPLES = "mesh/"
# Between two looks: a node writes its status at most once a second, and three nodes do so at different times.
LOOK_S = 0.1
# A node that is overdue by this much is named instead of waited for.
TIMEOUT = "10s"
# A day: who waits longer wants a monitor.
MOST_TIMEOUT_S = 86_400.0

Timeout = Annotated[
    str,
    typer.Option("--timeout", metavar="TIME", help="How long to wait for the nodes, such as 30s."),
]
Wait = Annotated[
    bool,
    typer.Option(
        "--wait/--no-wait",
        help="Wait until every node that is alive serves it, or say which does not and why.",
    ),
]


@dataclass(frozen=True, slots=True)
class Reached:
    """How far the nodes that are alive are: (node, index it has in force, why that is not known)."""

    index: int
    nodes: tuple[tuple[str, int, str], ...]

    @property
    def missing(self) -> tuple[tuple[str, int, str], ...]:
        return tuple(one for one in self.nodes if one[1] < self.index)

    @property
    def is_complete(self) -> bool:
        return bool(self.nodes) and not self.missing

    def to_json(self) -> dict[str, Any]:
        return {
            "index": self.index,
            "is_reached": self.is_complete,
            "nodes": [
                {"node": node, "index": index, **({"reason": why} if why else {})}
                for node, index, why in self.nodes
            ],
        }


def seconds_of(text: str) -> float:
    """`--timeout`'s time. Raises UsageError."""
    try:
        found = duration_s(text)
    except ValueError as error:
        raise UsageError(f"--timeout {text}: {error}") from error
    return min(found, MOST_TIMEOUT_S)


def verdict_of(key: str, entry: KvEntry | None, nodes: Nodes, digest: str = "") -> Verdict:
    """What the living nodes say; `digest` is that of all keys under mesh/, by which a deletion is seen."""
    reasons = {key.removeprefix(STATUS_PREFIX): why for key, why in nodes.statuses.refused}
    return verdict(key, entry, nodes.statuses.counted, nodes.alive, digest=digest, reasons=reasons)


async def wait_for_verdict(client: ConsulClient, key: str, wait_s: float) -> Verdict:
    """The verdict once every living node has answered, else the last one there was. Raises CatalogError."""
    reader = NodesReader(client)
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        found = await _read_verdict(client, reader, key)
        if found.is_complete or not found.nodes or not await _is_time_left(deadline):
            return found


async def wait_for_index(client: ConsulClient, index: int, wait_s: float) -> Reached:
    """How far the nodes are once all reached the index, else at the end of the time. Raises CatalogError."""
    reader = NodesReader(client)
    deadline = asyncio.get_running_loop().time() + wait_s
    while True:
        found = reached(index, await reader.read())
        if found.is_complete or not found.nodes or not await _is_time_left(deadline):
            return found


def reached(index: int, nodes: Nodes) -> Reached:
    """How far each living node is, by its signed status."""
    reasons = nodes.statuses.reasons
    return Reached(index, tuple(_how_far(name, nodes, reasons.get(name)) for name in nodes.alive))


def _how_far(name: str, nodes: Nodes, refused: str | None) -> tuple[str, int, str]:
    status = nodes.status_of(name)
    if status is None:
        return name, 0, refused or "it has written no status yet"
    return name, status.index, ""


async def _read_verdict(client: ConsulClient, reader: NodesReader, key: str) -> Verdict:
    """One key is read alone; only for one that is gone are all needed."""
    entry = await client.kv_get(key)
    digest = "" if entry else keys_digest(await client.kv_list(PEOPLES))
    return verdict_of(key, entry, await reader.read(), digest)


async def _is_time_left(deadline: float) -> bool:
    """Sleeps until the next look, if there is to be one."""
    left_s = deadline - asyncio.get_running_loop().time()
    if left_s <= 0:
        return False
    await asyncio.sleep(min(LOOK_S, left_s))
    return True
