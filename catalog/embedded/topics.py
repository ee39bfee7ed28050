"""Who waits for what: a write wakes those that wait for one of its topics, and nobody else. Knows no time."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable


class Topics:
    """Names of things that change, each with those that wait for it."""

    def __init__(self) -> None:
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}

    async def wait(self, topics: Iterable[str], timeout_s: float) -> bool:
        """True when one of them was woken; False when the time is over."""
        names = tuple(topics)
        woken: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        for name in names:
            self._waiting.setdefault(name, set()).add(woken)
        try:
            async with asyncio.timeout(timeout_s):
                await woken
        except TimeoutError:
            return False
        finally:
            for name in names:
                self._forget(name, woken)
        return True

    def wake(self, topics: Iterable[str]) -> None:
        for name in topics:
            for woken in self._waiting.get(name, ()):
                if not woken.done():
                    woken.set_result(None)

    def _forget(self, name: str, woken: asyncio.Future[None]) -> None:
        there = self._waiting[name]
        there.discard(woken)
        if not there:
            del self._waiting[name]
