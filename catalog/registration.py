"""The node in Consul's catalog: the service `meshnode`, and `edge` where there is one, kept alive by heartbeats.

Never deregisters by itself and lets Consul never do it: an instance whose node once was in the mesh stays in it, so
that a critical check or a dead agent turns no clear text on.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .backoff import Trouble, persist
from .client import ConsulClient
from .errors import CatalogError

NODE_SERVICE = "meshnode"
EDGE_SERVICE = "edge"
CHECK_ID = "meshnode-agent"
EDGE_CHECK_ID = "meshnode-edge"

TTL_S = 15
"""An agent silent for so long counts as away: two heartbeats may be lost on the way."""
HEARTBEATS_PER_TTL = 3


@dataclass(frozen=True, slots=True)
class NodeRegistration:
    """What the catalog shall say of this node.

    `address` is Service.Address, empty for the Consul node's own. `edge_port` None: no edge here. `meta` goes to
    both services.
    """

    mesh_port: int
    address: str = ""
    edge_port: int | None = None
    meta: tuple[tuple[str, str], ...] = ()

    def services(self) -> tuple[dict[str, Any], ...]:
        """The registrations as Consul's agent takes them."""
        node = self._service(
            NODE_SERVICE,
            self.mesh_port,
            {
                "CheckID": CHECK_ID,
                "Name": "meshnode agent",
                "Notes": "A heartbeat of the agent. Critical: it is away; its proxy goes on serving.",
                "TTL": f"{TTL_S}s",
                "Status": "passing",
            },
        )
        if self.edge_port is None:
            return (node,)
        alias = {
            "CheckID": EDGE_CHECK_ID,
            "Name": "meshnode agent of this edge",
            "AliasService": NODE_SERVICE,
        }
        return (node, self._service(EDGE_SERVICE, self.edge_port, alias))

    def _service(self, name: str, port: int, check: dict[str, Any]) -> dict[str, Any]:
        return {
            "Name": name,
            "ID": name,
            "Port": port,
            "Address": self.address,
            "Meta": dict(self.meta),
            "Check": check,
        }


class Registration:
    """Keeps the registration and its heartbeat; whatever Consul does is waited out."""

    def __init__(
        self,
        client: ConsulClient,
        wanted: NodeRegistration,
        *,
        on_trouble: Callable[[CatalogError | None], None],
        jitter: random.Random,
    ) -> None:
        """`on_trouble` gets the first of a row of errors, and None when it is over."""
        self.registered = asyncio.Event()
        """Set once the local Consul agent has it."""
        self._client = client
        self._wanted = wanted
        self._trouble = Trouble(on_trouble)
        self._jitter = jitter

    async def run(self) -> None:
        """Until cancelled. A plain stop leaves the registration: its check goes critical by itself."""
        while True:
            await persist(
                self._beat,
                failed=self._trouble.failed,
                interruption=self._client.returned,
                jitter=self._jitter,
            )
            self._trouble.over()
            # A Consul that is back has the check critical until the next heartbeat, so that comes at once.
            pause_s = TTL_S / HEARTBEATS_PER_TTL * (1 - self._jitter.random() / 10)
            await self._client.returned.sleep(pause_s)

    async def deregister(self) -> None:
        """Leaves the mesh for good: what runs on this Consul node counts as plain from now on."""
        for service in (EDGE_SERVICE, NODE_SERVICE):
            await self._client.deregister_service(service)

    async def _beat(self) -> None:
        """One heartbeat. What the local agent lacks, or has otherwise, is registered anew; the rest is left alone."""
        if not self.registered.is_set() or not await self._client.update_ttl(CHECK_ID, "passing"):
            await self._register(self._wanted.services())
            await self._remove_old_edge()
            await self._client.update_ttl(CHECK_ID, "passing")
            self.registered.set()
        elif self._wanted.edge_port is not None:
            await self._register(self._wanted.services()[1:])

    async def _register(self, services: tuple[dict[str, Any], ...]) -> None:
        for service in services:
            there = await self._client.local_service(service["ID"])
            checks = await self._client.local_checks(service["ID"])
            if there is None or not _is_same(service, there, checks):
                await self._client.register_service(service)

    async def _remove_old_edge(self) -> None:
        """An edge that was here in an earlier run and is no more; one that is not ours stays."""
        if self._wanted.edge_port is None and await self._client.local_service(EDGE_SERVICE):
            checks = await self._client.local_checks(EDGE_SERVICE)
            if EDGE_CHECK_ID in checks:
                await self._client.deregister_service(EDGE_SERVICE)


def _is_same(
    wanted: Mapping[str, Any], there: Mapping[str, Any], checks: Mapping[str, Any]
) -> bool:
    """Whether the local agent has this registration already; Consul leaves out what is empty."""
    fields = ("Port", "Address", "Meta")
    return wanted["Check"]["CheckID"] in checks and all(
        (wanted[name] or None) == (there.get(name) or None) for name in fields
    )
