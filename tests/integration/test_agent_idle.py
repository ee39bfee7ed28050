"""Nodes with nothing to do: they write nothing but heartbeats, and wake one another not at all."""

from __future__ import annotations

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

NODES = ("node-1", "node-2", "node-3")
IDLE_S = 60.0
# The three watches of keys, and those of nodes, services, checks and intentions.
WATCHES = 7
# A question for intentions is open for half a minute, so it ends by itself twice or three times; any other for minutes.
WAKES_MOST = 4
# Consul alone makes about eight; a heartbeat that were written would be 72 more.
LOG_ENTRIES_MOST = 40


async def test_three_idle_nodes_wake_nobody(tmp_path: Path) -> None:
    async with AsyncExitStack() as stack:
        consul = await stack.enter_async_context(ConsulCluster(tmp_path / "consul"))
        shop = await stack.enter_async_context(EchoServer("shop-1", tmp_path, address="127.0.0.2"))
        service = {"Name": "shop", "ID": "shop-1", "Port": shop.port, "Address": shop.address}
        await consul.register(service, node="node-2")
        await consul.put("mesh/routes/shop", "shop.test/ -> shop")
        nodes = []
        for name in NODES:
            node = MeshNode(consul, name, tmp_path, is_edge=name == "node-1")
            nodes.append(await stack.enter_async_context(node))
        await nodes[0].serves("shop.test")
        await wait_until(lambda: rests(consul), 60, what="all that the start set off is at rest")
        keys, woken = await written(consul), [await wakeups(node) for node in nodes]
        registered, log = await checks(consul), await raft_index(consul)
        asked = [await metric(node, "meshnode_consul_requests_total") for node in nodes]
        await asyncio.sleep(IDLE_S)
        assert await written(consul) == keys
        assert await checks(consul) == registered
        entries = await raft_index(consul) - log
        for node, before in zip(nodes, asked, strict=True):
            more = await metric(node, "meshnode_consul_requests_total") - before
            print(f"{node.name}: {more:.0f} requests to Consul in {IDLE_S:.0f} s")  # noqa: T201
        # Consul's own: network coordinates, and what its servers tell one another of themselves.
        print(f"three nodes: {entries} entries in Consul's log in {IDLE_S:.0f} s")  # noqa: T201
        assert entries <= LOG_ENTRIES_MOST
        for node, before in zip(nodes, woken, strict=True):
            assert await wakeups(node) - before <= WAKES_MOST, (await node.admin("/metrics"))[1]
            assert await connections(node) <= WATCHES + 1


async def rests(consul: ConsulCluster) -> bool:
    before = await written(consul)
    await asyncio.sleep(5)
    return await written(consul) == before


async def written(consul: ConsulCluster) -> list[tuple[str, int]]:
    """Every key with the index of its last change."""
    found = await consul.api("GET", "/v1/kv/?recurse")
    return [(one["Key"], one["ModifyIndex"]) for one in found]


async def checks(consul: ConsulCluster) -> list[tuple[str, str, int]]:
    found = await consul.api("GET", "/v1/health/state/any")
    return sorted((one["Node"], one["CheckID"], one["ModifyIndex"]) for one in found)


async def raft_index(consul: ConsulCluster) -> int:
    agent = await consul.api("GET", "/v1/agent/self")
    return int(agent["Stats"]["raft"]["last_log_index"])


async def wakeups(node: MeshNode) -> float:
    return await metric(node, "meshnode_consul_wakeups_total")


async def connections(node: MeshNode) -> float:
    return await metric(node, "meshnode_consul_connections_total")


async def metric(node: MeshNode, name: str) -> float:
    lines = (await node.admin("/metrics"))[1].splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[-1])
