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
"""Afterwards, and while the probe fails: it notices the end of an outage and wakes everybody."""
FIRST_MINUTE_S = 60.0


def delay_s(attempt: int, jitter: float, cap_s: float) -> float:
    """Seconds before the next attempt: doubling, capped, of which `jitter` (0 to 1) takes up to half away."""
    doubled_s = FIRST_S * 2 ** min(attempt - 1, 16)
    return float(min(cap_s, doubled_s)) * (1 - jitter / 2)


class Interruption:
    """Sleeping that somebody else may end for all sleepers at once."""

    def __init__(self) -> None:
        self.is_announced = False
        """True while it is certain that `end` will be called: nobody needs to look for himself."""
        self._event = asyncio.Event()

    def end(self) -> None:
        """Everybody who sleeps now wakes; who comes later sleeps anew."""
        event, self._event = self._event, asyncio.Event()
        event.set()

    async def sleep(self, seconds: float) -> bool:
        """True if it was ended before its time."""
        try:
            async with asyncio.timeout(seconds):
                return await self._event.wait()
        except TimeoutError:
            return False


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
    tries = _Tries(interruption, jitter)

    def tell(state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        if isinstance(error, CatalogError):
            failed(error)

    async def attempt() -> _R:
        return await call()  # tenacity awaits only what it can see to be a coroutine function

    retrying = AsyncRetrying(
        retry=retry_if_exception_type(CatalogError),
        wait=tries.wait_s,
        before_sleep=tell,
        sleep=tries.sleep,
    )
    return await retrying(attempt)


class _Tries:
    """How often it failed since it began, or since Consul came back: then it is in a hurry again."""

    def __init__(self, interruption: Interruption, jitter: random.Random) -> None:
        self._interruption = interruption
        self._jitter = jitter
        self._begin()

    def _begin(self) -> None:
        self._failures = 0
        self._began_at = asyncio.get_running_loop().time()

    def wait_s(self, _state: RetryCallState) -> float:
        self._failures += 1
        since_s = asyncio.get_running_loop().time() - self._began_at
        is_late = self._interruption.is_announced or since_s > FIRST_MINUTE_S
        return delay_s(self._failures, self._jitter.random(), LATE_CAP_S if is_late else CAP_S)

    async def sleep(self, seconds: float) -> None:
        if await self._interruption.sleep(seconds):
            self._begin()
