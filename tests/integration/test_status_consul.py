"""The signed status of a node in a real Consul: written when it changed, counted, and never a forged one."""

import asyncio
import time
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from catalog import (
    NodesUpdate,
    keys_digest,
    live_nodes,
    verdict,
)
from tests.integration.catalog_side import (
    reader,
    running,
    status_of,
)
from tests.support import ConsulCluster

pytestmark = pytest.mark.consul


async def test_a_status_is_written_signed_and_counted(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=3) as consul,
        AsyncExitStack() as stack,
    ):
        nodes = [
            await stack.enter_async_context(running(consul, tmp_path / name, name))
            for name in ("node-1", "node-2", "node-3")
        ]
        await consul.put("mesh/routes/shop", "shop.test/ -> shop")
        for node in nodes:
            await node.until(lambda node=node: node.keys(), "the put")  # type: ignore[misc]
            entries = node.kv("mesh/").entries
            index = max(entry.modify_index for entry in entries)
            node.status.offer(status_of(node.name, index, keys_digest(entries)))
        one = nodes[0]
        await one.until(lambda: len(one.keys("meshnode/status/")) == 3, "three statuses")

        def live() -> frozenset[str]:
            registered = one.last(NodesUpdate)
            return (
                frozenset(live_nodes(registered.instances))
                if isinstance(registered, NodesUpdate)
                else frozenset()
            )

        await one.until(lambda: len(live()) == 3, "three nodes")
        found = await reader(one.client).read(one.kv("meshnode/status/").entries, live())
        assert not found.refused
        entry = one.kv("mesh/").entries[0]
        said = verdict(entry.key, entry, found.counted, live())
        assert (said.answer, said.count("accepted"), said.is_complete) == ("accepted", 3, True)


async def test_a_status_is_written_only_when_it_changed_and_not_twice_a_second(
    tmp_path: Path,
) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        await node.until(lambda: node.sessions.id, "the session")
        started = time.monotonic()
        same = status_of("node-1")
        node.status.offer(same)
        await node.until(lambda: node.status.writes == 1, "the first write")
        for index in range(2, 40):
            node.status.offer(status_of("node-1", index))
            node.status.offer(same)
            node.status.offer(status_of("node-1", index))
            await asyncio.sleep(0.05)
        took_s = time.monotonic() - started
        assert node.status.writes <= 1 + took_s
        await node.until(
            lambda: (
                b'"index":39' in node.keys("meshnode/status/").get("meshnode/status/node-1", b"")
            ),
            "the last",
        )
        writes = node.status.writes
        node.status.offer(status_of("node-1", 39))
        await asyncio.sleep(1.2)
        # The time in it differs; and the answer to the last write may still have been on its way.
        assert node.status.writes <= writes + 2


async def test_a_status_that_was_put_over_or_deleted_is_written_again(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        key = "meshnode/status/node-1"
        node.status.offer(status_of("node-1"))
        await node.until(lambda: node.status.writes == 1, "the first write")
        await consul.put(key, "forged")
        await node.until(lambda: node.status.writes == 2, "the second")
        await consul.delete(key)
        await node.until(lambda: node.status.writes == 3, "the third")
        found = await node.client.kv_get(key, consistent=True)
        assert found is not None
        assert found.session == node.sessions.id


async def test_a_lost_session_is_made_anew_and_the_status_written_at_once(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        node.status.offer(status_of("node-1"))
        await node.until(lambda: node.status.writes == 1, "the first write")
        lost = node.sessions.id
        await asyncio.sleep(1.1)
        await consul.api("PUT", f"/v1/session/destroy/{lost}")
        await node.until(lambda: node.status.writes == 2, "the second", 30)
        assert node.sessions.id not in (None, lost)
        found = await reader(node.client).read(
            await node.client.kv_list("meshnode/status/"), {"node-1"}
        )
        assert [one.node for one in found.counted] == ["node-1"]


async def test_a_forged_status_does_not_count(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        running(consul, tmp_path / "node-1", "node-1") as one,
        running(consul, tmp_path / "node-2", "node-2") as two,
    ):
        one.status.offer(status_of("node-1"))
        await one.until(lambda: one.status.writes == 1, "the status")
        genuine = await two.client.kv_get("meshnode/status/node-1")
        assert genuine is not None
        both = {"node-1", "node-2"}
        assert len((await reader(two.client).read([genuine], both)).counted) == 1
        # Signed by another's key, over the session that was seen in Consul, put without taking the lock away.
        forged = genuine.value.replace(one.key.public_key.encode(), two.key.public_key.encode())
        await two.client.kv_put(genuine.key, forged)
        found = await reader(two.client).read(await two.client.kv_list(genuine.key), both)
        assert not found.counted
        assert "signature" in found.reasons["node-1"]
