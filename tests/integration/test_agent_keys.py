"""One key from the command to the edge: what `kv put` says of it, how soon it is in effect, and what outlives an agent."""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path

import pytest

from tests.integration.agents import answers, command, until_status
from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

KEY = "mesh/routes/shop"
GOOD = "shop.test/ -> shop"


@pytest.fixture
async def consul(tmp_path: Path) -> AsyncIterator[ConsulCluster]:
    async with ConsulCluster(tmp_path / "consul", nodes=1) as cluster:
        yield cluster


@pytest.fixture
async def node(consul: ConsulCluster, tmp_path: Path) -> AsyncIterator[MeshNode]:
    """A ready node with the service shop and the route shop.test."""
    async with EchoServer("shop-1", tmp_path) as server:
        await consul.register(
            {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": "127.0.0.1"}
        )
        await consul.put(KEY, GOOD)
        async with MeshNode(consul, "node-1", tmp_path, is_edge=True) as running:
            await running.serves("shop.test")
            yield running


async def index_of(node: MeshNode, key: str) -> int:
    return int((await node.cluster.api("GET", f"/v1/kv/{key}"))[0]["ModifyIndex"])


async def test_the_verdict_says_where_and_why(node: MeshNode) -> None:
    good_index = await index_of(node, KEY)
    refused = await command(node, "kv", "put", KEY, "shop.test/ -> shop tiemout=2s")
    assert refused.code == 1
    index = await index_of(node, KEY)
    assert refused.stdout.splitlines() == [
        f"{KEY}   index {index}   refused by 1 of 1 node; index {good_index} goes on serving",
        '    line 1, column 20: no setting is called "tiemout"; did you mean "timeout"?',
        "        shop.test/ -> shop tiemout=2s",
        "                           ^^^^^^^",
    ]
    again = await command(node, "kv", "put", KEY, "shop.test/ -> shop timeout=2s")
    start = f"{KEY}   index {await index_of(node, KEY)}   accepted by 1 of 1 node"
    assert re.fullmatch(re.escape(start) + r"(, \d+ m?s after the put)?\n", again.stdout)


async def test_a_route_to_nobody_is_accepted_with_a_warning(node: MeshNode) -> None:
    put = await command(node, "kv", "put", KEY, "shop.test/ -> shpo")
    assert "accepted by 1 of 1 node, with a warning" in put.stdout
    assert 'did you mean "shop"' in put.stdout
    code, headers, body = await node.request("shop.test")
    assert (code, headers["mesh-reason"]) == (503, "no_such_service"), body


async def test_the_last_good_form_outlives_the_agent(node: MeshNode) -> None:
    await command(node, "kv", "put", KEY, "nonsense")
    node.close()
    await node.start()
    await node.serves("shop.test")
    await until_status(node, lambda status: status["is_complete"] and bool(status["problems"]))
    assert await answers(node, "shop.test")


async def test_one_key_that_goes_is_gone(node: MeshNode) -> None:
    deleted = await command(node, "kv", "delete", KEY)
    assert "it is gone from 1 of 1 node" in deleted.stdout
    code, headers, _ = await node.request("shop.test")
    assert (code, headers["mesh-reason"]) == (404, "no_route")


async def test_a_put_is_in_effect_at_the_edge(node: MeshNode) -> None:
    """With 100 routes; wanted: a median below 10 ms on an idle machine; printed, since a busy one says nothing."""
    for number in range(100):
        await node.cluster.put(f"mesh/routes/many-{number}", f"many-{number}.test/ -> shop")
    await wait_until(lambda: answers(node, "many-99.test"))
    took_ms = []
    for number in range(15):
        # A quiet moment before each: of puts right behind one another the later are gathered.
        await asyncio.sleep(0.25)
        await node.cluster.put("mesh/routes/probe", f"probe-{number}.test/ -> shop")
        began = time.monotonic()
        await wait_until(partial(answers, node, f"probe-{number}.test"), interval=0.0)
        took_ms.append((time.monotonic() - began) * 1000)
    print(f"kv put to effect, 100 routes: median {statistics.median(took_ms):.1f} ms, {took_ms}")  # noqa: T201
