"""Trying again what Consul refused or did not answer: soon at first, never in step with the other nodes."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception_type

from .errors import CatalogError

_R = TypeVar("_R")

FIRST_S = 0.05
"""Long enough for a leader that just changed, short enough to be unnoticed."""
CAP_S = 1.0
"""In the first minute: what comes back within it must be caught up with within two seconds."""
LATE_CAP_S = 5.0
"""Afterwards; the end of an outage is noticed by the probe, which wakes everybody."""
FIRST_MINUTE_S = 60.0


def delay_s(attempt: int, since_start_s: float, jitter: float) -> float:
    """Seconds before the next attempt: doubling, capped, of which `jitter` (0 to 1) takes up to half away."""
    cap_s = CAP_S if since_start_s < FIRST_MINUTE_S else LATE_CAP_S
    doubled_s = FIRST_S * 2 ** min(attempt - 1, 16)
    return float(min(cap_s, doubled_s)) * (1 - jitter / 2)


class Interruption:
    """Sleeping that somebody else may end for all sleepers at once."""

    def __init__(self) -> None:
        self._event = asyncio.Event()

    def end(self) -> None:
        """Everybody who sleeps now wakes; who comes later sleeps anew."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def sleep(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._event.wait()
        except TimeoutError:
            pass


class Trouble:
    """Tells the first of a row of errors, and once that it is over."""

    def __init__(self, tell: Callable[[CatalogError | None], None]) -> None:
        self._tell = tell
        self._is_on = False

    def failed(self, error: CatalogError) -> None:
        if not self._is_on:
            self._is_on = True
            self._tell(error)

    def over(self) -> None:
        if self._is_on:
            self._is_on = False
            self._tell(None)


async def persist(
    call: Callable[[], Awaitable[_R]],
    *,
    failed: Callable[[CatalogError], None],
    interruption: Interruption,
    jitter: random.Random,
) -> _R:
    """Repeats `call` until it succeeds; each CatalogError is told to `failed` and waited out. Others go through."""

    def wait_s(state: RetryCallState) -> float:
        return delay_s(state.attempt_number, state.seconds_since_start or 0.0, jitter.random())

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CatalogError):
            failed(error)

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(CatalogError),
        wait=wait_s,
        before_sleep=tell,
        sleep=interruption.sleep,
    )

    async def attempt() -> _R:
        return await call()  # tenacity awaits only what it can see to be a coroutine function

    return await retrying(attempt)
