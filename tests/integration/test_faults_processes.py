"""Agents and proxies killed, away and started without Consul: traffic goes on, encrypted and denied as before."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.agents import answers, pid_of, settled_status, status_of, until_status
from tests.integration.faults import (
    SECRET,
    SHOP,
    World,
    check_capture,
    figure,
    is_fresh,
    is_stale,
    world,
)
from tests.support import Capture, KeepAliveLoad, wait_until
from tests.support.mesh import MeshNode

pytestmark = [pytest.mark.consul, pytest.mark.asyncio(loop_scope="module")]

AWAY_S = 40.0
"""The TTL of the agent's check is 15 s, that of its session too; Consul ends a session within twice that."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def mesh(running: World) -> World:
    await running.is_whole()
    return running


async def test_killed_agents_are_followed_by_ones_that_adopt(mesh: World) -> None:
    """Both agents at once. What was changed meanwhile is all that the next ones send."""
    before = [await settled_status(node) for node in mesh.nodes]
    async with mesh.load() as load:
        for node in mesh.nodes:
            node.agent.kill()
        await load.at_least(50)
        await mesh.put("mesh/routes/meanwhile", "meanwhile.test/ -> shop")
        assert await answers(mesh.edge, "meanwhile.test", 404)
        for node in mesh.nodes:
            await node.start()
        await mesh.edge.serves("meanwhile.test")
        for node in mesh.nodes:
            await until_status(node, is_fresh)
    for node, was in zip(mesh.nodes, before, strict=True):
        now = await status_of(node)
        assert pid_of(now) == pid_of(was)
        assert now["proxy"]["is_adopted"]
        assert now["generation"] == was["generation"] + 1, "one change, one table"
        assert now["certificates"] == was["certificates"]
    await mesh.cluster.delete("mesh/routes/meanwhile")
    await mesh.edge.serves("meanwhile.test", status=404)


@pytest.mark.parametrize("which", ["edge", "home"])
async def test_a_killed_proxy_is_back_at_the_same_generation(mesh: World, which: str) -> None:
    """The edge's, and the one the services are behind; identities are back with it, or the mesh would not answer."""
    node = mesh.edge if which == "edge" else mesh.home
    before = await settled_status(node)
    identities = (await node.proxy("/v1/version"))["identities"]
    load = KeepAliveLoad(f"{mesh.edge.edge}/", host=SHOP, connections=2)
    async with load:
        await load.at_least(10)
        began = time.monotonic()
        os.kill(pid_of(before), signal.SIGKILL)
        failed = load.result.failed
        await wait_until(lambda: load.result.failed > failed, what="the kill is felt")
        await mesh.edge.serves(SHOP)
        took_s = time.monotonic() - began
        await load.at_least(10)
    figure(
        f"{which} proxy killed: a request is served again after {took_s * 1000:.0f} ms (wanted: 1 s); {load.result}"
    )
    assert set(load.result.statuses) <= {200, 502, 503}, load.result
    version = await node.proxy("/v1/version")
    assert (version["generation"], version["digest"]) == (before["generation"], before["digest"])
    assert version["identities"] == identities
    assert version["pid"] != pid_of(before)
    after = await until_status(node, lambda now: now["proxy"] and pid_of(now) == version["pid"])
    assert after["certificates"] == before["certificates"]
    assert await answers(mesh.edge, SECRET, 403)


async def test_an_agent_away_leaves_calls_encrypted_and_denied(mesh: World) -> None:
    """The destination's agent is gone for longer than its TTL, its check is critical, its status gone with its session."""
    home = mesh.home
    async with Capture(mesh.folder, f"tcp port {mesh.shop.port}", name="away") as capture:
        async with mesh.load(connections=1) as load:
            home.agent.kill()
            began = time.monotonic()
            await wait_until(
                lambda: check_is(mesh, "critical"), AWAY_S, what="its check is critical"
            )
            figure(f"the agent's check is critical after {time.monotonic() - began:.1f} s")
            await end_session(mesh)
            # The edge's agent has seen both: it is at an index behind them.
            await mesh.catches_up("an agent away")
            assert await via(mesh) == {"mesh"}
            status = await mesh.edge.cli("status", check=False)
            assert re.search(rf"{home.name} +away", status.stdout), status.stdout
            await load.at_least(50)
            await home.start()
            await wait_until(lambda: check_is(mesh, "passing"), AWAY_S, what="it is back")
            await wait_until(lambda: has_status(mesh), what="its status is back")
        check_capture(await capture.payload(), home.name)


async def test_both_processes_killed_start_without_consul(mesh: World) -> None:
    """Cold: no agent, no proxy, no Consul. The saved tables and identities serve, over the mesh too."""
    before = [await settled_status(node) for node in mesh.nodes]
    for agent in mesh.cluster.agents:
        agent.kill()
    for node, was in zip(mesh.nodes, before, strict=True):
        node.agent.kill()
        os.kill(pid_of(was), signal.SIGKILL)
    began = time.monotonic()
    await asyncio.gather(*(node.start() for node in mesh.nodes))
    await mesh.edge.serves(SHOP)
    figure(
        f"cold start without Consul: served over the mesh after {time.monotonic() - began:.1f} s"
    )
    async with mesh.load() as load:
        for node, was in zip(mesh.nodes, before, strict=True):
            now = await status_of(node)
            assert is_stale(now)
            assert now["digest"] == was["digest"]
            assert now["certificates"] == was["certificates"]
        await load.at_least(50)
        for agent in mesh.cluster.agents:
            agent.process.start()
        await mesh.cluster.wait_ready()
        await mesh.catches_up("Consul is back after a cold start")


async def test_a_port_that_is_taken_while_the_proxy_is_away_is_named(mesh: World) -> None:
    """The listener fails with a sentence, the others serve, and it opens by itself when the port is free."""
    edge = mesh.edge
    edge.agent.stop()
    try:
        os.kill(await edge.proxy_pid(), signal.SIGKILL)
        taken = await wait_until(lambda: take(edge), what="the port is free to be taken")
    finally:
        edge.agent.cont()
    with taken:
        status = await until_status(
            edge, lambda now: now["listeners"].get("edge", {}).get("state") == "failed"
        )
        assert not status["is_ready"]
        problem = next(one for one in status["problems"] if one["key"] == "listener edge")
        assert f"{edge.address}:{edge.edge_port} can not be opened" in problem["message"]
        assert status["listeners"]["mesh"]["state"] == "open"
        assert (await edge.admin("/ready"))[0] == 503
    await edge.serves(SHOP)
    await until_status(edge, lambda now: now["is_ready"] and not now["problems"])


def take(node: MeshNode) -> socket.socket | None:
    """The edge's port, once its proxy is gone."""
    taken = socket.socket()
    taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        taken.bind((node.address, node.edge_port))
        taken.listen()
    except OSError:
        taken.close()
        return None
    return taken


async def check_is(mesh: World, status: str) -> bool:
    checks = await mesh.cluster.api("GET", "/v1/health/checks/meshnode")
    return any(one["Node"] == mesh.home.name and one["Status"] == status for one in checks)


async def end_session(mesh: World) -> None:
    """As its TTL does, if it has not done so already; Consul deletes the status with it."""
    for one in await mesh.cluster.api("GET", f"/v1/session/node/{mesh.home.name}"):
        await mesh.cluster.api("PUT", f"/v1/session/destroy/{one['ID']}")
    assert not await has_status(mesh)


async def has_status(mesh: World) -> bool:
    return bool(await mesh.cluster.api("GET", f"/v1/kv/meshnode/status/{mesh.home.name}"))


async def via(mesh: World) -> set[str]:
    """How the edge reaches shop and secret."""
    snapshot = await mesh.edge.proxy("/v1/snapshot")
    clusters = snapshot["resources"]["clusters"]
    return {one["via"] for name in ("shop", "secret") for one in clusters[name]["endpoints"]}
