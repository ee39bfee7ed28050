"""Keys that go from above on a real Consul: the watch sleeps through it, the canary does not, and nothing is wiped."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from catalog import CONFIRM, ConsulClient, KvUpdate, State, Update, Watches
from tests.support import ConsulCluster, wait_until

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
