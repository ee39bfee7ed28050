"""When a session that nobody renewed is over. Knows ids and times; what ends with it is not its business."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable

from .durations import SECOND_NS, parse_duration
from .errors import StorageFailed

logger = logging.getLogger(__name__)

# A session lives at least as long as its TTL; Consul gives it twice that, for the way of a renewal.
GRACE = 2
# A disk that does not take the end of a session is asked again so often.
RETRY_SECONDS = 10.0


class SessionTimers:
    """One timer a session with a TTL. `end` is called with the id of one that is over."""

    def __init__(self, end: Callable[[str], Awaitable[None]]) -> None:
        self._end = end
        self._timers: dict[str, asyncio.TimerHandle] = {}
        self._ending: set[asyncio.Task[None]] = set()

    def start_all(self, sessions: Iterable[tuple[str, str]]) -> None:
        """Ids with their TTL: after a start of the registry everyone has the whole time again."""
        for session, ttl in sessions:
            self.start(session, ttl)

    def start(self, session: str, ttl: str) -> None:
        """From now on, or anew. A session without a TTL has no timer."""
        self.stop(session)
        seconds = GRACE * ttl_ns(ttl) / SECOND_NS
        if seconds > 0:
            self._after(seconds, session)

    def stop(self, session: str) -> None:
        timer = self._timers.pop(session, None)
        if timer is not None:
            timer.cancel()

    def close(self) -> None:
        for session in list(self._timers):
            self.stop(session)
        for task in self._ending:
            task.cancel()

    def _after(self, seconds: float, session: str) -> None:
        loop = asyncio.get_running_loop()
        self._timers[session] = loop.call_later(seconds, self._is_over, session)

    def _is_over(self, session: str) -> None:
        del self._timers[session]
        task = asyncio.get_running_loop().create_task(self._finish(session))
        self._ending.add(task)
        task.add_done_callback(self._ending.discard)

    async def _finish(self, session: str) -> None:
        try:
            await self._end(session)
        except StorageFailed as error:
            logger.warning("a session that is over could not be ended: %s", error)
            self._after(RETRY_SECONDS, session)


def ttl_ns(ttl: str) -> int:
    """0 for none. ValueError with Go's words."""
    return parse_duration(ttl) if ttl else 0
