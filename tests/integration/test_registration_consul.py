"""A node registers itself and its edge with a real Consul, and writes nothing that stands already."""

import asyncio
from pathlib import Path

import pytest

from catalog import (
    ConsulClient,
)
from tests.integration.catalog_side import (
    Node,
    running,
)
from tests.support import ConsulCluster, wait_until

pytestmark = pytest.mark.consul


async def test_the_node_registers_and_its_edge_follows_its_check(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1) as consul:
        async with running(consul, tmp_path / "node", edge_port=8080) as node:
            await asyncio.wait_for(node.registration.registered.wait(), 5)
            assert await _statuses(node.client) == {"meshnode": "passing", "edge": "passing"}
            await consul.deregister("meshnode")
            await node.until(lambda: _is_registered(node), "registered again", 30)
            await consul.deregister("edge")
            await node.until(lambda: _is_registered(node), "the edge again", 30)
            found = await consul.api("GET", "/v1/agent/service/meshnode")
            assert (found["Port"], found["Meta"]) == (7443, {"meshnode-version": "test"})
            client = ConsulClient(consul.http_address())
        async with client:
            # The agent is gone: its heartbeat is missed, nothing is deregistered, and the edge follows.
            wanted = {"meshnode": "critical", "edge": "critical"}

            async def is_critical() -> bool:
                return await _statuses(client) == wanted

            await wait_until(is_critical, 40, what="both critical", interval=0.5)
        async with running(consul, tmp_path / "node") as node:

            async def is_back_without_edge() -> bool:
                return await _statuses(node.client) == {"meshnode": "passing"}

            await node.until(is_back_without_edge, "passing again, and the old edge gone", 30)
            await node.registration.deregister()
            left = await node.client.services_on_node("node-1", consistent=True)
            assert {one.service for one in left} == {"consul"}


async def _statuses(client: ConsulClient) -> dict[str, str]:
    found = [one for name in ("meshnode", "edge") for one in await client.instances(name)]
    return {one.service: one.status for one in found}


async def _is_registered(node: Node) -> bool:
    return await _statuses(node.client) == {"meshnode": "passing", "edge": "passing"}


async def test_a_restarted_agent_writes_nothing_that_stands_already(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1) as consul:
        async with running(consul, tmp_path / "node", edge_port=8080) as node:
            await asyncio.wait_for(node.registration.registered.wait(), 5)
            await node.until(lambda: node.sessions.id, "the session")
            session = node.sessions.id
        before = await _registered_at(consul)
        async with running(consul, tmp_path / "node", edge_port=8080) as node:
            await asyncio.wait_for(node.registration.registered.wait(), 5)
            await node.until(lambda: node.sessions.id, "the session")
            assert node.sessions.id == session
        assert await _registered_at(consul) == before


async def _registered_at(consul: ConsulCluster) -> list[int]:
    services = [
        await consul.api("GET", f"/v1/catalog/service/{name}") for name in ("meshnode", "edge")
    ]
    return [one["ModifyIndex"] for found in services for one in found]
