"""Nodes that leave the catalog as a whole after an outage of Consul, whose instances are kept until they are back.

A server that restarts deregisters every node it finds in its data and not yet in its gossip, with all services; the
node's agent registers them again, within seconds or with its next full synchronisation. Nobody took them out.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable

from .client import ConsulClient
from .model import Instance

KEPT_S = 180.0
"""An agent's full synchronisation comes every one to two minutes; what is not back by then is gone."""


class ReapedNodes:
    """Remembers which nodes were reaped, and asks Consul of those it does not know."""

    def __init__(
        self, client: ConsulClient, was_away: Callable[[], bool], *, kept_s: float = KEPT_S
    ) -> None:
        """`was_away`: whether there was an outage a moment ago. Without one a node that leaves has left."""
        self._client = client
        self._was_away = was_away
        self._kept_s = kept_s
        self._until: dict[str, float] = {}

    def due_s(self) -> float | None:
        """Seconds until the first of them counts as gone and everything is to be read again; None: there is none."""
        if not self._until:
            return None
        return max(0.0, min(self._until.values()) - asyncio.get_running_loop().time())

    def forget_due(self) -> None:
        """What is due counts as gone from now on."""
        now = asyncio.get_running_loop().time()
        self._until = {node: until for node, until in self._until.items() if until > now}

    async def kept(
        self, last: Iterable[Instance], found: Iterable[Instance]
    ) -> tuple[Instance, ...]:
        """Those of `last` that are missing in `found` with their whole node. Raises CatalogError."""
        there = {(instance.node, instance.id) for instance in found}
        lost = [instance for instance in last if (instance.node, instance.id) not in there]
        return tuple([instance for instance in lost if await self._is_reaped(instance)])

    async def _is_reaped(self, instance: Instance) -> bool:
        if instance.node in self._until:
            return True
        if not self._was_away():
            return False
        index = await self._client.node_create_index(instance.node)
        if index == instance.node_create_index:
            return False
        self._until[instance.node] = asyncio.get_running_loop().time() + self._kept_s
        return True
