"""The nodes of the mesh as a command sees them: who is registered, who is alive, and whose status counts."""

from __future__ import annotations

from dataclasses import dataclass

from catalog import (
    STATUS_PREFIX,
    ConsulClient,
    Instance,
    NodeStatus,
    Problem,
    Statuses,
    StatusReader,
)
from certs import session_name_of, verify_signature

NODE_SERVICE = "meshnode"
EDGE_SERVICE = "edge"


@dataclass(frozen=True, slots=True)
class Nodes:
    """All instances of `meshnode`, and the statuses of those whose signature and session were checked."""

    instances: tuple[Instance, ...]
    statuses: Statuses

    @property
    def names(self) -> tuple[str, ...]:
        """Every node of the mesh, alive or not."""
        return tuple(sorted({one.node for one in self.instances}))

    @property
    def alive(self) -> tuple[str, ...]:
        """Those whose agent sends its heartbeat."""
        return tuple(sorted({one.node for one in self.instances if one.status == "passing"}))

    def status_of(self, node: str) -> NodeStatus | None:
        return next((one for one in self.statuses.counted if one.node == node), None)

    @property
    def held_back(self) -> tuple[Problem, ...]:
        """What nodes say of keys that went all at once and serve on (docs/held.md), each sentence once."""
        return tuple(dict.fromkeys(one for each in self.statuses.counted for one in each.held_back))

    def broken_by(self, gone: frozenset[str]) -> tuple[Problem, ...]:
        """What nodes say of tests that held until one of these keys was deleted, by key."""
        found = {
            problem
            for one in self.statuses.counted
            for problem in one.problems
            if problem.ended_by in gone
        }
        return tuple(sorted(found, key=lambda one: (one.key, one.message)))


class NodesReader:
    """Reads them again and again; a session that was checked once is not asked for a second time."""

    def __init__(self, client: ConsulClient) -> None:
        self._client = client
        self._reader = StatusReader(client.session_info, verify_signature, session_name_of)

    async def read(self) -> Nodes:
        """Raises CatalogError."""
        instances = await self._client.instances(NODE_SERVICE)
        entries = await self._client.kv_list(STATUS_PREFIX)
        statuses = await self._reader.read(entries, {one.node for one in instances})
        return Nodes(tuple(instances), statuses)


async def read_nodes(client: ConsulClient) -> Nodes:
    """Once. Raises CatalogError."""
    return await NodesReader(client).read()
