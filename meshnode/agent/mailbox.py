"""Where events wait for the loop: one place a slot, so it is bounded by what there is, not by how often it changes."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable

from .events import Event, slot


class Mailbox:
    """Posted to from anywhere in the event loop, taken from by the agent's loop alone."""

    def __init__(self) -> None:
        self._waiting: dict[Hashable, Event] = {}
        self._is_filled = asyncio.Event()

    def post(self, event: Event) -> None:
        """Never blocks. Replaces an older event of the same slot and stands behind the others."""
        key = slot(event)
        self._waiting.pop(key, None)
        self._waiting[key] = event
        self._is_filled.set()

    async def take(self, timeout_s: float | None = None) -> tuple[Event, ...]:
        """All that waits, oldest first, as soon as there is something; nothing after the timeout."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._is_filled.wait()
        except TimeoutError:
            return ()
        taken = tuple(self._waiting.values())
        self._waiting.clear()
        self._is_filled.clear()
        return taken
