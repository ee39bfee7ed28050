"""What still runs is counted while something drains, told when it changed, and never asked for otherwise."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any

from meshnode.agent.draining import Counts, DrainCounter, running
from meshnode.errors import ProxyUnreachable
from tests.support import wait_until

CART = ("cart", "cart-1")


def row(cluster: str, endpoint: str, count: int) -> dict[str, Any]:
    return {"cluster": cluster, "endpoint": endpoint, "running": count, "connects": 9}


def test_a_subset_counts_for_its_service() -> None:
    rows = [row("cart", "cart-1", 2), row("cart[tag=v2]", "cart-1", 3), row("cart", "cart-2", 5)]
    assert running({"upstreams": rows}, frozenset({CART})) == {CART: 5}
    assert running({}, frozenset({CART})) == {CART: 0}


async def test_each_change_is_told_once() -> None:
    asked, told = 0, list[Counts]()
    counts = iter([2, 2, 1])

    async def stats() -> dict[str, Any]:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise ProxyUnreachable("socket", "it is being started")
        return {"upstreams": [row("cart", "cart-1", next(counts, 0))]}

    counter = DrainCounter(stats, told.append, every_s=0.01)
    task = asyncio.create_task(counter.run())
    try:
        await asyncio.sleep(0.05)
        assert asked == 0
        counter.want(frozenset({CART}))
        await wait_until(lambda: asked >= 6, 30)
        assert told == [{CART: 2}, {CART: 1}, {CART: 0}]
        counter.want(frozenset())
        await asyncio.sleep(0.03)
        before = asked
        await asyncio.sleep(0.05)
        assert asked == before
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
