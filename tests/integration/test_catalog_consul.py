"""The catalog room on a real Consul: what its watches tell, how soon, and what idle nodes cost."""

import asyncio
import statistics
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from pathlib import Path

import aiohttp
import pytest

from catalog import (
    ConsulClient,
    DefaultIntentionUpdate,
    Instance,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    UnhealthyUpdate,
)
from tests.integration.catalog_side import (
    MOST_CONNECTIONS,
    Node,
    running,
    status_of,
)
from tests.support import ConsulCluster

pytestmark = pytest.mark.consul


async def test_a_put_is_told_by_one_update_of_the_query_it_wakes(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With 100 routes; how long it takes is printed beside the bare wake of a blocking query."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
        ConsulClient(consul.http_address()) as writer,
    ):
        for number in range(100):
            await writer.kv_put(f"mesh/routes/r{number}", b"shop.test/%d -> shop" % number)
        await node.until(lambda: len(node.keys()) == 100, "all routes")
        ours = [await _put_to_update(node, writer, number) for number in range(40)]
        bare = await _put_to_bare_wake(consul, writer)
        ours_ms, bare_ms = statistics.median(ours) * 1000, statistics.median(bare) * 1000
        record_property("put_to_update_ms", ours_ms)
        record_property("put_to_bare_wake_ms", bare_ms)
        print(f"put to update {ours_ms:.1f} ms, to a bare wake {bare_ms:.1f} ms")  # noqa: T201


async def _put_to_update(node: Node, writer: ConsulClient, number: int) -> float:
    value = b"shop.test/ -> shop timeout=%ds" % (number + 1)
    told = asyncio.Event()
    before = len(node.updates)
    original = node.watches._watches[0]._deliver

    def deliver(update: KvUpdate) -> None:
        original(update)
        told.set()

    node.watches._watches[0]._deliver = deliver
    started = time.perf_counter()
    put = asyncio.create_task(writer.kv_put("mesh/routes/r5", value))
    await asyncio.wait_for(told.wait(), 5)
    took_s = time.perf_counter() - started
    await put
    node.watches._watches[0]._deliver = original
    assert len(node.updates) == before + 1
    await asyncio.sleep(0.25)  # a change of a quiet moment is what is measured
    return took_s


async def _put_to_bare_wake(consul: ConsulCluster, writer: ConsulClient) -> list[float]:
    found: list[float] = []
    url = f"http://{consul.http_address()}/v1/kv/mesh/?recurse&wait=60s&index="
    async with aiohttp.ClientSession() as session:

        async def ask(index: str) -> tuple[float, str]:
            async with session.get(url + index) as response:
                await response.read()
                return time.perf_counter(), response.headers["X-Consul-Index"]

        _, index = await ask("1")
        for number in range(40):
            asked = asyncio.create_task(ask(index))
            await asyncio.sleep(0.25)
            started = time.perf_counter()
            put = asyncio.create_task(writer.kv_put("mesh/routes/r5", b"bare %d" % number))
            ended, index = await asked
            found.append(ended - started)
            await put
    return found


async def test_services_checks_and_intentions_are_told(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        node.watches.name_services(frozenset({"web"}))
        await asyncio.wait_for(node.watches.named_complete(), 5)
        web = {"Name": "web", "Port": 8080, "Check": {"CheckID": "web-ttl", "TTL": "60s"}}
        await consul.register(web, node="node-2")

        def instances() -> tuple[Instance, ...]:
            found = node.last(InstancesUpdate)
            return found.instances if isinstance(found, InstancesUpdate) else ()

        await node.until(lambda: [one.node for one in instances()] == ["node-2"], "the instance")
        assert (instances()[0].port, instances()[0].node_address) == (8080, "127.0.0.2")

        def failing() -> set[str]:
            found = node.last(UnhealthyUpdate)
            return (
                {one.check_id for one in found.checks}
                if isinstance(found, UnhealthyUpdate)
                else set()
            )

        await node.until(lambda: "web-ttl" in failing(), "the check that did not pass yet")
        await consul.api("PUT", "/v1/agent/check/pass/web-ttl", node="node-2")
        await node.until(lambda: "web-ttl" not in failing(), "the check that passes")
        # Registered anew on another port: the catalog wakes with the same body.
        await consul.register({**web, "Port": 8081}, node="node-2")
        await node.until(lambda: instances()[0].port == 8081, "the new port")
        await node.client.intention_put("cart", "web", "deny")

        def intentions() -> list[str]:
            found = node.last(IntentionsUpdate)
            return (
                [one.destination for one in found.intentions]
                if isinstance(found, IntentionsUpdate)
                else []
            )

        await node.until(lambda: intentions() == ["web"], "the intention")
        await node.client.intention_delete("cart", "web")
        await node.until(lambda: intentions() == [], "its end")


@pytest.mark.parametrize(
    ("acl", "setting", "policy"),
    [
        (False, None, "allow"),
        (True, None, "deny"),
        (True, "allow", "allow"),
        (False, "deny", "deny"),
    ],
)
async def test_the_default_intention_is_what_consul_decides(
    tmp_path: Path, *, acl: bool, setting: str | None, policy: str
) -> None:
    cluster = ConsulCluster(
        tmp_path / "consul",
        nodes=1,
        acl=acl,
        default_intention_policy=None
        if setting is None
        else "allow"
        if setting == "allow"
        else "deny",
    )
    async with cluster as consul, running(consul, tmp_path / "node") as node:
        found = node.last(DefaultIntentionUpdate)
        assert isinstance(found, DefaultIntentionUpdate)
        assert (found.policy, found.disagreement) == (policy, None)


async def test_idle_nodes_write_nothing_and_wake_nobody(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=3) as consul,
        AsyncExitStack() as stack,
    ):
        await consul.put("mesh/routes/a", "x")
        await consul.put("meshnode/ca/roots", "x")
        nodes = [
            await stack.enter_async_context(running(consul, tmp_path / name, name))
            for name in ("node-1", "node-2", "node-3")
        ]
        for node in nodes:
            node.status.offer(status_of(node.name))
            await node.until(lambda node=node: node.status.writes, "its status")  # type: ignore[misc]
        await asyncio.sleep(5)  # the sweeps look once more, Consul's own anti-entropy comes to rest
        raft = await _raft_index(consul)
        told = [len(node.updates) for node in nodes]
        wakeups = [node.client.cost.wakeups for node in nodes]
        await asyncio.sleep(12)
        assert [len(node.updates) for node in nodes] == told
        assert [node.client.cost.wakeups for node in nodes] == wakeups
        assert [node.status.writes for node in nodes] == [1, 1, 1]
        assert all(node.client.cost.connections <= MOST_CONNECTIONS for node in nodes)
        # Not one write of ours: what Consul's servers write for themselves is a few entries a minute.
        assert await _raft_index(consul) - raft <= 3


async def _raft_index(consul: ConsulCluster) -> int:
    found = await consul.api("GET", "/v1/agent/self")
    return int(found["Stats"]["raft"]["applied_index"])
