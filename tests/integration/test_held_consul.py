"""Keys that go from above on a real Consul: the watch sleeps through it, the canary does not, and nothing is wiped."""

from __future__ import annotations

import asyncio
import json
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from catalog import CONFIRM, ConsulClient, KvUpdate, State, Update, Watches
from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

CANARY_S = 0.5


@dataclass(slots=True)
class Heard:
    """What the watches told, applied as a node does."""

    client: ConsulClient
    state: State = field(default_factory=State)
    keys: list[str] = field(default_factory=list)
    """As Consul said last."""

    def hear(self, update: Update) -> None:
        self.state = self.state.apply(update)
        if isinstance(update, KvUpdate) and update.prefix == "mesh/":
            self.keys = [entry.key for entry in update.entries]

    @property
    def in_force(self) -> list[str]:
        return [entry.key for entry in self.state.keys.entries]

    async def until(self, condition: Callable[[], object], what: str) -> None:
        await wait_until(condition, 60, what=what)


@asynccontextmanager
async def hearing(consul: ConsulCluster) -> AsyncIterator[Heard]:
    async with ConsulClient(consul.http_address(), consul.token) as client:
        heard = Heard(client)
        watches = Watches(client, "node-1", heard.hear, jitter=random.Random(3), canary_s=CANARY_S)
        running = asyncio.create_task(watches.run())
        try:
            await asyncio.wait_for(watches.first_complete.wait(), 30)
            yield heard
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running


async def test_a_tree_deleted_from_above_is_noticed_held_and_confirmed(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path, nodes=1) as consul:
        for name in ("a", "b", "old"):
            await consul.put(f"mesh/routes/{name}", f"{name}.test/ -> shop")
        await consul.delete("mesh/routes/old")
        async with hearing(consul) as heard:
            both = ["mesh/routes/a", "mesh/routes/b"]
            before = heard.state.keys.consul_index
            await consul.cli("kv", "delete", "-recurse", "mesh")
            await heard.until(lambda: not heard.keys, "the deletion is noticed")
            # The index went back to that of the key deleted before: no question by index would have been answered.
            assert heard.state.keys.consul_index <= before
            assert heard.in_force == both
            await consul.put("mesh/routes/c", "c.test/ -> shop")
            await heard.until(lambda: heard.keys == ["mesh/routes/c"], "the next key")
            assert heard.in_force == [*both, "mesh/routes/c"]
            meant = await heard.client.kv_index("mesh/")
            assert meant >= before
            await consul.put(CONFIRM, str(meant))
            await heard.until(lambda: heard.in_force == heard.keys, "it is confirmed")
            assert heard.in_force == [CONFIRM, "mesh/routes/c"]


async def test_the_only_key_deleted_from_above_goes_at_once(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path, nodes=1) as consul:
        await consul.put("mesh/routes/old", "old.test/ -> shop")
        await consul.delete("mesh/routes/old")
        await consul.put("mesh/routes/a", "a.test/ -> shop")
        async with hearing(consul) as heard:
            assert heard.in_force == ["mesh/routes/a"]
            await consul.delete("mesh", recurse=True)
            await heard.until(lambda: not heard.in_force, "the deletion is noticed")


async def test_one_slash_less_takes_nothing_from_a_mesh(tmp_path: Path) -> None:
    """`consul kv delete -recurse mesh` takes what nodes wrote as well: the CA, their statuses. All of it comes back."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        EchoServer("shop-1", tmp_path, address="127.0.0.2") as server,
        MeshNode(consul, "node-1", tmp_path, is_edge=True) as edge,
        MeshNode(consul, "node-2", tmp_path),
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop, node="node-2")
        for host in ("a.test", "b.test"):
            await consul.put(f"mesh/routes/{host}", f"{host}/ -> shop")
            await edge.serves(host)

        async def authority() -> str | None:
            found = await consul.api("GET", "/v1/kv/meshnode/ca/key")
            return str(found[0]["Value"]) if found else None

        sealed = await authority()
        assert sealed
        await consul.cli("kv", "delete", "-recurse", "mesh")

        async def is_told() -> bool:
            said = json.loads((await edge.cli("status", "--json", check=False)).stdout)
            held = [one["nodes"] for one in said["problems"] if one["key"] == "mesh/"]
            return held == [["node-1", "node-2"]]

        await wait_until(is_told, 60, what="both nodes say that they hold the keys")
        await wait_until(authority, 60, what="the CA stands again")
        assert await authority() == sealed
        for host in ("a.test", "b.test"):
            assert (await edge.request(host))[0] == 200
        confirmed = await edge.cli("confirm")
        assert "accepted by 2 of 2 nodes" in confirmed.stdout
        await edge.serves("a.test", status=404)
