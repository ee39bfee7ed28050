"""`meshnode trace` out of the nodes' own rings: without Jaeger, beside one that has a part, with a node or Consul away."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.integration.agents import command
from tests.support import ConsulCluster, EchoServer, Jaeger, free_port, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

HOST = "shop.test"


@dataclass(frozen=True)
class World:
    """node-1 is the edge, node-2 runs shop."""

    edge: MeshNode
    shop: MeshNode

    async def traced(self, status: int = 200) -> str:
        """The id of a request that was answered so."""

        async def is_so() -> str | None:
            trace_id, parent = os.urandom(16).hex(), os.urandom(8).hex()
            headers = {"traceparent": f"00-{trace_id}-{parent}-01"}
            answer, _, _ = await self.edge.request(HOST, headers=headers)
            return trace_id if answer == status else None

        return await wait_until(is_so, 60, what=f"{HOST} answers {status}")


async def is_in_mesh(edge: MeshNode) -> None:
    """Returns once the edge reaches shop through its node: before, it is called in clear, and no other proxy tells of it."""

    async def is_so() -> bool:
        clusters = (await edge.proxy("/v1/snapshot"))["resources"].get("clusters", {})
        endpoints = clusters.get("shop", {}).get("endpoints", [])
        return [one["via"] for one in endpoints] == ["mesh"]

    await wait_until(is_so, 60, what="shop is reached through the mesh")
    await edge.serves(HOST)


@pytest.fixture
async def consul(tmp_path: Path) -> AsyncIterator[ConsulCluster]:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as cluster,
        EchoServer("shop-1", tmp_path, address="127.0.0.2") as server,
    ):
        await cluster.register(
            {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address},
            node="node-2",
        )
        await cluster.put("mesh/routes/shop", f"{HOST}/ -> shop")
        yield cluster


@pytest.fixture
async def world(consul: ConsulCluster, tmp_path: Path) -> AsyncIterator[World]:
    away = f"http://127.0.0.1:{free_port('127.0.0.1')}"
    async with (
        MeshNode(consul, "node-1", tmp_path, is_edge=True, jaeger_url=away) as edge,
        MeshNode(consul, "node-2", tmp_path, jaeger_url=away) as shop,
    ):
        await is_in_mesh(edge)
        yield World(edge, shop)


async def test_a_request_is_one_tree_from_whichever_node_it_is_asked(world: World) -> None:
    trace_id = await world.traced()
    for node in (world.edge, world.shop):
        last = await command(node, "trace", "last")
        assert last.code == 0, last.stderr
        lines = last.stdout.splitlines()
        assert trace_id in lines[0]
        assert "2 spans, 2 services" in lines[0]
        assert lines[1].startswith("edge  GET shop.test/")
        assert "mesh/routes/shop @ " in lines[1]
        assert lines[2].startswith("└─ shop  GET shop")
        assert all("━" in line or "╸" in line or "╺" in line for line in lines[1:])
        assert "\x1b" not in last.stdout, "no colours into a pipe"
        assert "is not reached" in last.stderr, "the Jaeger that was set up is missed"
        assert "is missing" not in last.stderr
    document = json.loads((await command(world.edge, "trace", "last", "--json")).stdout)
    assert document["missing"] == {}
    nodes = {span["attributes"]["mesh.node"] for span in document["spans"]}
    assert nodes == {"node-1", "node-2"}
    short = await command(world.shop, "trace", trace_id[:8])
    assert trace_id in short.stdout


async def test_a_refused_request_says_who_refused_whom(world: World) -> None:
    assert (await command(world.edge, "intentions", "deny", "edge", "shop")).code == 0
    await world.traced(403)

    async def is_told() -> bool:
        last = await command(world.edge, "trace", "last")
        return "shop refused edge: intention edge => shop (deny)" in last.stdout

    await wait_until(is_told, 30)


async def test_a_node_that_is_away_is_named_with_what_to_do(world: World) -> None:
    trace_id = await world.traced()
    world.shop.agent.kill()
    found = await command(world.edge, "trace", trace_id)
    assert found.code == 0
    assert "edge  GET shop.test/" in found.stdout
    assert "the part of node-2 (" in found.stderr
    assert f"run `meshnode trace {trace_id}` there" in found.stderr
    document = json.loads((await command(world.edge, "trace", trace_id, "--json")).stdout)
    assert list(document["missing"]) == ["node-2"]


async def test_with_consul_away_the_node_s_own_ring_is_shown(world: World) -> None:
    trace_id = await world.traced()
    nowhere = {"CONSUL_HTTP_ADDR": f"127.0.0.1:{free_port('127.0.0.1')}"}
    for wanted in (trace_id, "last"):
        found = await command(world.edge, "trace", wanted, env=nowhere)
        assert found.code == 0, found.stderr
        assert "edge  GET shop.test/" in found.stdout
        assert "only this machine's node was asked" in found.stderr


async def test_what_is_not_found_says_what_to_do(world: World) -> None:
    unknown = await command(world.edge, "trace", "f" * 32)
    assert (unknown.code, "nobody has a trace ffff" in unknown.stderr) == (1, True)
    wrong = await command(world.edge, "trace", "xyz")
    assert (wrong.code, "is no trace id" in wrong.stderr) == (2, True)
    alone = {
        "MESHNODE_ADMIN_ADDRESS": f"127.0.0.1:{free_port('127.0.0.1')}",
        "CONSUL_HTTP_ADDR": f"127.0.0.1:{free_port('127.0.0.1')}",
    }
    nobody = await command(world.edge, "trace", "last", env=alone)
    assert (nobody.code, "is `meshnode agent` running?" in nobody.stderr) == (3, True)


@pytest.mark.jaeger
async def test_parts_in_jaeger_and_in_a_ring_are_one_tree(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    """Only the edge's node ships its spans; it is then killed, so that its part is in Jaeger alone."""
    async with (
        Jaeger(tmp_path / "jaeger") as jaeger,
        MeshNode(consul, "node-1", tmp_path, is_edge=True, otlp_http=jaeger.otlp_http) as edge,
        MeshNode(consul, "node-2", tmp_path, jaeger_url=jaeger.query_url) as shop,
    ):
        await is_in_mesh(edge)
        trace_id = await World(edge, shop).traced()
        await jaeger.wait_for_trace(trace_id, 1)
        edge.agent.kill()
        found = await command(shop, "trace", trace_id)
        assert "2 spans, 2 services" in found.stdout
        assert "└─ shop  GET shop" in found.stdout
        assert found.stderr == ""
