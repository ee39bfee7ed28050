"""Shares of failed requests between two moments, from counters that a new proxy begins anew."""

from __future__ import annotations

import asyncio
import contextlib
from typing import Any

from meshnode.agent.traffic import NOTHING, Count, Traffic, counted
from tests.support import wait_until


def row(
    listener: str, status: int, count: int, reason: str = "", route: str = "shop"
) -> dict[str, Any]:
    labels = {"listener": listener, "source": "edge", "destination": "shop", "route": route}
    return {**labels, "status": status, "reason": reason, "count": count}


def test_what_came_here_is_counted_once_and_what_failed() -> None:
    rows = [
        row("edge", 200, 90),
        row("edge", 404, 5, "no_route"),
        row("edge", 404, 3),
        row("cart", 502, 2),
        row("mesh", 200, 70),
    ]
    assert sum(counted({"requests": rows}).values(), NOTHING) == Count(100, 7)
    assert counted({"requests": []}) == {}


async def test_a_share_is_that_of_the_time_asked_for() -> None:
    now = 0.0
    totals = [(100, 1), (200, 2), (260, 50), (10, 0), (30, 3), (40, 3)]
    taken = 0
    gone = [row("edge", 200, 1000, route="gone")]

    async def stats() -> dict[str, Any]:
        nonlocal taken
        requests, errors = totals[taken]
        taken += 1
        rows = [row("edge", 200, requests - errors), row("edge", 500, errors)]
        return {"requests": rows + gone}

    traffic = Traffic(stats, lambda: taken < len(totals), clock=lambda: now)
    task = asyncio.create_task(traffic.run())

    async def has_taken(number: int) -> None:
        async def is_so() -> bool:
            return taken == number

        await wait_until(is_so, 30, what=f"{number} samples")

    try:
        assert traffic.between(0, 60) == (0, 0)
        await has_taken(1)
        for number, moment in ((2, 60.0), (3, 120.0)):
            now = moment
            traffic.mark()
            await has_taken(number)
        assert traffic.between(0, 60) == (100, 1)
        assert traffic.between(60, 120) == (60, 48)
        # A new proxy counts from nothing, and goes on with what the old one had.
        for number, moment in ((4, 180.0), (5, 240.0)):
            now = moment
            traffic.mark()
            await has_taken(number)
        assert traffic.between(180, 240) == (20, 3)
        assert traffic.between(120, 240) == (30, 3)
        # A route that is gone takes its row along, and no request by that.
        gone.clear()
        now = 300.0
        traffic.mark()
        await has_taken(6)
        assert traffic.between(240, 300) == (10, 0)
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
