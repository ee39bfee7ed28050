"""The catalog room while a real Consul is killed, stopped or restored: told, and caught up with."""

import asyncio
import signal
import time
from pathlib import Path

import pytest

from tests.integration.catalog_side import (
    Node,
    running,
)
from tests.support import ConsulCluster, ConsulError, wait_until

pytestmark = pytest.mark.consul


@pytest.mark.parametrize("asked", ["node-1", "node-2"])
async def test_a_killed_consul_is_told_and_caught_up_with(tmp_path: Path, asked: str) -> None:
    """The server is killed, seen from its own machine and from another's agent."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        running(consul, tmp_path / "node", asked) as node,
    ):
        await consul.put("mesh/routes/a", "1")
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"1"}, "the first put")
        consul.server.kill()
        await node.until(lambda: node.watches.staleness.since, "the staleness", 30)
        assert node.keys() == {"mesh/routes/a": b"1"}
        await asyncio.sleep(3)
        await consul.restart()
        took_s = await _put_when_possible(consul, node, b"2")
        print(f"caught up after {took_s:.2f} s (wanted: 2 s)")  # noqa: T201
        await node.until(lambda: node.watches.staleness.since is None, "fresh again", 30)


async def test_a_stopped_consul_is_told_and_caught_up_with(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        await consul.put("mesh/routes/a", "1")
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"1"}, "the first put")
        consul.server.stop()
        try:
            await node.until(lambda: node.watches.staleness.since, "the staleness", 30)
            assert "does not answer" in node.watches.staleness.reason
            await asyncio.sleep(3)
        finally:
            consul.server.process.signal(signal.SIGCONT)
        took_s = await _put_when_possible(consul, node, b"2")
        print(f"caught up after {took_s:.2f} s (wanted: 2 s)")  # noqa: T201
        await node.until(lambda: node.watches.staleness.since is None, "fresh again", 30)


async def _put_when_possible(consul: ConsulCluster, node: Node, value: bytes) -> float:
    """Seconds from the put's success to its update."""

    async def put() -> bool:
        try:
            await consul.put("mesh/routes/a", value)
        except (ConsulError, TimeoutError):
            return False
        return True

    await wait_until(put, 30, what="a put")
    done = time.monotonic()
    await node.until(lambda: node.keys().get("mesh/routes/a") == value, "caught up", 30)
    return time.monotonic() - done


async def test_a_restored_snapshot_of_the_past_is_believed_once_it_is_sure(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        await consul.put("mesh/routes/a", "old")
        saved = tmp_path / "consul.snap"
        await consul.cli("snapshot", "save", saved)
        for number in range(20):
            await consul.put("mesh/routes/a", f"new {number}")
        await consul.put("mesh/routes/b", "new")
        await node.until(lambda: len(node.keys()) == 2, "the puts")
        await consul.cli("snapshot", "restore", saved)
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"old"}, "the past")
        assert node.kv("mesh/").is_confirmed
        await consul.put("mesh/routes/a", "after")
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"after"}, "the next put", 30)
