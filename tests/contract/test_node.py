"""A whole node of ours on it: agent and proxy come up, serve a route, take changes at once, and outlive its restart."""

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest

from tests.contract.subject import NODE, EmbeddedRegistry
from tests.integration.agents import command, status_of, until_status
from tests.support.consul import ConsulCluster
from tests.support.mesh import MeshNode
from tests.support.process import run, wait_until
from tests.support.servers import EchoServer
from tests.support.tools import tool_path


@dataclass(frozen=True, slots=True)
class _Place:
    """What a MeshNode asks of its Consul."""

    name: str
    address: str


class _AsCluster:
    """The registry as far as a MeshNode knows a cluster."""

    token = ""

    def __init__(self, registry: EmbeddedRegistry) -> None:
        self._registry = registry

    def __getitem__(self, node: str) -> _Place:
        return _Place(node, "127.0.0.1")

    def http_address(self, node: str = NODE) -> str:
        return self._registry.http_address(node)


@pytest.fixture
async def registry(tmp_path: Path) -> AsyncIterator[EmbeddedRegistry]:
    """With a service and a route to it, made by the real command line."""
    async with (
        EmbeddedRegistry(tmp_path) as running,
        EchoServer("shop-1", tmp_path) as server,
    ):
        service = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": "127.0.0.1"}
        await running.register(service)
        await running.cli("kv", "put", "mesh/routes/shop", "shop.test/ -> shop")
        yield running


@pytest.fixture
async def node(registry: EmbeddedRegistry, tmp_path: Path) -> AsyncIterator[MeshNode]:
    cluster = cast("ConsulCluster", _AsCluster(registry))
    async with MeshNode(cluster, NODE, tmp_path, is_edge=True) as started:
        await started.serves("shop.test")
        yield started


async def test_a_node_is_well_on_it(node: MeshNode) -> None:
    seen = await until_status(node, lambda status: len(status["certificates"]) == 2)
    assert (seen["stale_since"], seen["problems"]) == (None, [])

    async def is_well() -> bool:
        return (await command(node, "status")).code == 0

    await wait_until(is_well, what="meshnode status says the mesh is well")
    said = (await command(node, "status", "mesh/routes/shop")).stdout
    assert "accepted by 1 of 1 node" in said


async def test_watches_wake(registry: EmbeddedRegistry, node: MeshNode) -> None:
    await registry.put("mesh/routes/new", "new.test/ -> shop")
    await node.serves("new.test")
    await registry.delete("mesh/routes/new")
    await node.serves("new.test", status=404)
    await registry.cli("intention", "create", "-deny", "edge", "shop")
    await node.serves("shop.test", status=403)
    await registry.cli("intention", "delete", "edge", "shop")
    await node.serves("shop.test")
    await registry.deregister("shop-1")
    await node.serves("shop.test", status=503)


async def test_a_node_outlives_a_killed_registry(
    registry: EmbeddedRegistry, node: MeshNode
) -> None:
    registry.process.kill()
    await until_status(node, lambda status: status["stale_since"])
    await node.serves("shop.test")
    await registry.start()
    await until_status(node, lambda status: status["stale_since"] is None)
    await registry.put("mesh/routes/after", "after.test/ -> shop")
    await node.serves("after.test")
    assert (await status_of(node))["problems"] == []


async def test_a_node_counts_as_away_when_its_agent_is_killed(
    registry: EmbeddedRegistry, node: MeshNode
) -> None:
    """Its heartbeat's check goes critical, and its session ends with its status."""
    node.agent.kill()

    async def is_away() -> bool:
        checks = await registry.api("GET", "/v1/health/state/critical")
        status = await registry.api("GET", f"/v1/kv/meshnode/status/{NODE}")
        return any(one["ServiceName"] == "meshnode" for one in checks) and status is None

    await wait_until(is_away, 90.0, what="the check is critical and the status gone", interval=0.5)


async def test_consuls_own_lists_show_the_node(registry: EmbeddedRegistry, node: MeshNode) -> None:
    assert node.name == NODE
    env = {"CONSUL_HTTP_ADDR": registry.http_address()}
    listed = (await run(tool_path("consul"), "catalog", "services", env=env)).stdout.split()
    assert listed == ["consul", "edge", "meshnode", "shop"]
