"""Consul killed, stopped, lying or silent: no request fails, staleness is shown, and it is caught up with at once."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import pytest
import pytest_asyncio

from tests.integration.agents import settled_status, status_of, until_status
from tests.integration.faults import (
    Plan,
    World,
    build,
    check_capture,
    figure,
    is_fresh,
    is_stale,
    metric,
)
from tests.support import Capture, ConsulCluster, wait_until
from tests.support.fault_proxy import (
    FaultProxy,
    Lie,
    at_index,
    changed,
    cut,
    half,
    nothing,
    silence,
    slow,
    status,
)

pytestmark = [pytest.mark.consul, pytest.mark.asyncio(loop_scope="module")]


SERF_FAILED = 4
"""A member's status, in the numbers of serf."""


@dataclass(slots=True)
class Between:
    """The world, and what stands between its edge and Consul."""

    world: World
    proxy: FaultProxy


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Between]:
    folder = tmp_path_factory.mktemp("world")
    async with AsyncExitStack() as stack:
        cluster = await stack.enter_async_context(ConsulCluster(folder / "consul", nodes=2))
        proxy = await stack.enter_async_context(FaultProxy(cluster.http_address("node-1")))
        plan = Plan(environment={"node-1": {"CONSUL_HTTP_ADDR": proxy.address}})
        yield Between(await build(stack, cluster, folder, plan), proxy)


@pytest_asyncio.fixture(loop_scope="module")
async def between(running: Between) -> AsyncIterator[Between]:
    running.proxy.tell_truth()
    await running.world.is_whole()
    yield running
    running.proxy.tell_truth()


async def test_a_killed_consul_is_waited_out(between: Between) -> None:
    """SIGKILL of the only server: both nodes go on, say since when they are blind, and see again at once."""
    world = between.world
    before = await settled_status(world.edge)
    async with world.load() as load:
        began = time.time()
        world.cluster.server.kill()
        for node in world.nodes:
            stale = await until_status(node, is_stale, what=f"{node.name} notices")
            assert stale["stale_since"] >= began - 3
            assert stale["stale_reason"]
        assert await metric(world.edge, "meshnode_consul_stale_seconds") > 0
        away = await world.edge.cli("status", check=False)
        assert away.code == 3
        await load.at_least(50)
        world.cluster.server.process.start()
        # Told of the other agent before it leads, so that this is not the test of reaped nodes.
        await wait_until(lambda: joined(world), what="the server answers")
        await world.cluster.wait_ready()
        await world.catches_up("Consul killed and started")
        for node in world.nodes:
            await until_status(node, is_fresh, what=f"{node.name} is fresh again")
        assert await metric(world.edge, "meshnode_consul_stale_seconds") == 0
    assert (await status_of(world.edge))["proxy"]["pid"] == before["proxy"]["pid"]


async def test_a_stopped_consul_is_noticed_and_caught_up_with(between: Between) -> None:
    """SIGSTOP: connections stay open and nothing is said. Noticed within a probe and its timeout, four seconds."""
    world = between.world
    async with world.load() as load:
        began = time.monotonic()
        for agent in world.cluster.agents:
            agent.stop()
        try:
            for node in world.nodes:
                await until_status(node, is_stale, what=f"{node.name} notices")
            figure(f"a stopped Consul is noticed after {time.monotonic() - began:.1f} s")
            await load.at_least(50)
        finally:
            for agent in world.cluster.agents:
                agent.cont()
        await world.cluster.wait_ready()
        await world.catches_up("Consul stopped and continued")


async def test_nodes_that_a_restarted_server_reaps_are_missed_by_nobody(between: Between) -> None:
    """A server that finds a node in its data and not in its gossip deregisters it, services and checks and all.

    A single server that restarts does so when it is the leader before its gossip is there. The node comes back service by
    service: without care nobody would be called for seconds, and then in clear until `meshnode` stands there again.
    """
    world = between.world
    home = world.home
    async with Capture(world.folder, f"tcp port {world.shop.port}", name="reaped") as capture:
        async with world.load(connections=1) as load:
            world.cluster.server.kill()
            # What gossip knows is lost, and nobody tells it, so that it can not be the first.
            (world.folder / "consul" / "node-1" / "data" / "serf" / "local.snapshot").unlink()
            # An agent that saw its server fail registers anew once it is back; else it does so after minutes.
            await wait_until(lambda: is_missed(world), 30, what="node-2 misses the server")
            home.consul.stop()
            try:
                await world.cluster.restart()
                await wait_until(lambda: is_reaped(world), what="the server takes node-2 out")
                await load.at_least(300)
            finally:
                home.consul.cont()
            began = time.monotonic()
            assert await joined(world)
            await world.cluster.wait_ready()
            await wait_until(lambda: is_back(world), 30, what="all of node-2 is back")
            figure(f"a reaped node is whole again after {time.monotonic() - began:.1f} s")
            await load.at_least(50)
            await world.catches_up("nodes reaped")
        check_capture(await capture.payload(), home.name)
    await until_status(world.edge, lambda now: not now["problems"])


async def joined(world: World) -> bool:
    """The server, which may have forgotten it over a restart, knows the other agent again."""
    home = world.home
    settings = json.loads((world.folder / "consul" / home.name / "consul.json").read_text())
    serf = f"{home.address}:{settings['ports']['serf_lan']}"
    return (await world.cluster.call("PUT", f"/v1/agent/join/{serf}")).status == 200


async def is_missed(world: World) -> bool:
    members = await world.cluster.api("GET", "/v1/agent/members", node=world.home.name)
    return [one["Status"] for one in members if one["Name"] == "node-1"] == [SERF_FAILED]


async def is_reaped(world: World) -> bool:
    nodes = await world.cluster.api("GET", "/v1/catalog/nodes")
    return [node["Node"] for node in nodes] == ["node-1"]


async def is_back(world: World) -> bool:
    found = await world.cluster.api("GET", f"/v1/catalog/node/{world.home.name}") or {}
    return set(found.get("Services") or ()) == {"meshnode", "shop-1", "secret-1"}


LIES: dict[str, Lie] = {
    "500": status(500, "rpc error: No cluster leader"),
    "429": status(429, "Your IP is issuing too many concurrent connections"),
    "403": status(403, "Permission denied"),
    "404 for everything": status(404),
    "a redirection": status(307),
    "an empty body": changed(lambda _, said: replace(said, body=b"")),
    "no JSON": changed(lambda _, said: replace(said, body=b"<html>")),
    "other JSON": changed(lambda _, said: replace(said, body=b'[{"Key": 7}, null]')),
    "half of its body": changed(half),
    "a connection cut in the body": changed(cut),
    "index 1": changed(at_index(1)),
    "index 0": changed(at_index(0)),
    "no index": changed(at_index(None)),
    "index -5": changed(at_index(-5)),
    "an index far ahead": changed(at_index(2**53)),
    "an index beyond 64 bits": changed(at_index(2**70)),
    "nothing from a follower": changed(
        nothing, only=lambda asked: asked.method == "GET" and not asked.is_consistent
    ),
    "nothing at index 1 from a follower": changed(
        lambda asked, said: at_index(1)(asked, nothing(asked, said)),
        only=lambda asked: asked.method == "GET" and not asked.is_consistent,
    ),
    "silence": silence,
    "answers after three seconds": slow(3),
}


@pytest.mark.parametrize("name", LIES)
async def test_a_lying_consul_changes_nothing(between: Between, name: str) -> None:
    """The table stays as it was while the edge's Consul tells nonsense, and the next change is in force at once."""
    world, proxy = between.world, between.proxy
    before = await settled_status(world.edge)
    async with world.load() as load:
        proxy.lie(LIES[name])
        await wait_until(lambda: has_heard(between), 10, what="the node hears it")
        await load.at_least(30)
        during = await status_of(world.edge)
        figure(f"{name}: stale {is_stale(during)}, {sum(proxy.told.values())} lies")
        assert during["digest"] == before["digest"], during["problems"]
        proxy.tell_truth()
        await world.catches_up(name)
        await until_status(world.edge, is_fresh)
    after = await status_of(world.edge)
    assert after["proxy"]["pid"] == before["proxy"]["pid"]


async def has_heard(between: Between) -> bool:
    """Enough for each watch to have been lied to, or a silence long enough to be noticed."""
    return sum(between.proxy.told.values()) >= 20 or is_stale(await status_of(between.world.edge))
