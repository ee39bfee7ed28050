"""Waking those who wait for something to change, none of them polling. Knows nothing of what changed."""

from __future__ import annotations

import asyncio


class Bell:
    """Rung when something changed. `rings` before looking, then `wait(seen)`: a ring in between is not missed."""

    def __init__(self) -> None:
        self.rings = 0
        self._event = asyncio.Event()

    def ring(self) -> None:
        """Wakes all who wait."""
        self.rings += 1
        self._event.set()
        self._event = asyncio.Event()

    async def wait(self, seen: int, timeout_s: float) -> bool:
        """Until it was rung more often than `seen`, True; or False after `timeout_s`."""
        if self.rings != seen:
            return True
        try:
            async with asyncio.timeout(timeout_s):
                await self._event.wait()
        except TimeoutError:
            return False
        return True
