"""Typed calls for what python-consul2 lacks: filters, consistency, kinds, weights, intentions, rights. Reads no answer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from .errors import ConsulDenied
from .rights import intention_write
from .transport import Answer, Transport

Consistency = Literal["default", "stale", "consistent"]
"""stale: any server answers; default: the leader does; consistent: it asks the others first whether it still is."""

Right = tuple[str, str, str]
"""Resource, name and access, in the words of Consul's ACLs: `("key", "mesh/", "read")`."""

NOT_PASSING = 'Status != "passing"'


@dataclass(frozen=True, slots=True)
class Question:
    """How a read is to be answered.

    `index` 0: at once; else when something newer is there or `wait_s` seconds are over (Consul adds up to a
    sixteenth, and takes at most 600).
    """

    index: int = 0
    wait_s: int = 0
    consistency: Consistency = "default"

    def parameters(self) -> list[tuple[str, str | int]]:
        found: list[tuple[str, str | int]] = []
        if self.index:
            found += [("index", self.index), ("wait", f"{self.wait_s}s")]
        if self.consistency != "default":
            found.append((self.consistency, 1))
        return found


class Calls:
    """Each call answers as Consul does; what it may raise is Transport's."""

    def __init__(self, transport: Transport, datacenter: str | None) -> None:
        self._transport = transport
        self._datacenter: list[tuple[str, str | int]] = [("dc", datacenter)] if datacenter else []

    async def health_service(self, service: str, question: Question) -> Answer:
        """All instances of a service with their checks, passing or not."""
        return await self._get(f"/v1/health/service/{service}", question)

    async def health_unhealthy(self, question: Question) -> Answer:
        """All checks of the datacenter that do not pass; almost nothing, where the whole would be megabytes."""
        filtered: list[tuple[str, str | int]] = [("filter", NOT_PASSING)]
        return await self._get("/v1/health/state/any", question, filtered)

    async def config_intentions(self, question: Question) -> Answer:
        """All service-intentions entries."""
        return await self._get("/v1/config/service-intentions", question)

    async def put_intention(self, source: str, destination: str, body: Mapping[str, Any]) -> Answer:
        return await self._intention("PUT", source, destination, orjson.dumps(dict(body)))

    async def delete_intention(self, source: str, destination: str) -> Answer:
        return await self._intention("DELETE", source, destination, None)

    async def register_service(self, registration: Mapping[str, Any]) -> Answer:
        """`PUT /v1/agent/service/register` with every field Consul takes; checks it no longer names go."""
        return await self._transport.request(
            "PUT",
            "/v1/agent/service/register",
            [("replace-existing-checks", "true")],
            orjson.dumps(dict(registration)),
            accepted=(200,),
        )

    async def agent_service(self, service_id: str) -> Answer:
        """What the local agent holds under this id; 404 if nothing."""
        return await self._transport.request("GET", f"/v1/agent/service/{service_id}")

    async def agent_checks(self, service_id: str) -> Answer:
        """The local agent's checks of one of its services, by check id."""
        chosen: list[tuple[str, str | int]] = [("filter", f'ServiceID == "{service_id}"')]
        return await self._transport.request("GET", "/v1/agent/checks", chosen, accepted=(200,))

    async def authorize(self, rights: Sequence[Right]) -> Answer:
        """What Consul's own interface asks before it shows a thing: may this token do these? Takes 64 at most."""
        asked = [
            {"Resource": resource, "Segment": name, "Access": access}
            for resource, name, access in rights
        ]
        return await self._transport.request(
            "POST", "/v1/internal/acl/authorize", self._datacenter, orjson.dumps(asked)
        )

    async def txn(self, operations: bytes) -> Answer:
        """`PUT /v1/txn`: all operations or none; 409 names those whose condition did not hold."""
        return await self._transport.request(
            "PUT", "/v1/txn", self._datacenter, operations, accepted=(200, 409)
        )

    async def leader(self) -> Answer:
        """`GET /v1/status/leader`: goes through to a server, needs no right and moves nothing."""
        return await self._transport.request("GET", "/v1/status/leader", self._datacenter)

    async def _get(
        self, path: str, question: Question, more: Sequence[tuple[str, str | int]] = ()
    ) -> Answer:
        parameters = [*self._datacenter, *more, *question.parameters()]
        answer = await self._transport.request("GET", path, parameters, accepted=(200,))
        return answer.of_consul()

    async def _intention(
        self, method: str, source: str, destination: str, body: bytes | None
    ) -> Answer:
        parameters = [*self._datacenter, ("source", source), ("destination", destination)]
        try:
            return await self._transport.request(
                method, "/v1/connect/intentions/exact", parameters, body, accepted=(200,)
            )
        except ConsulDenied as error:
            # Here Consul does not say which right it missed.
            raise ConsulDenied(error.what or intention_write(destination), error.detail) from error
