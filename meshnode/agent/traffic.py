"""How many requests this node served and how many failed, between two moments of the last minutes. Counts nothing itself."""

from __future__ import annotations

import asyncio
import time
from bisect import bisect_right
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import MeshnodeError

SAMPLE_S = 15.0
"""Often enough for a minute's share; the proxy's counters of 10,000 routes are megabytes."""
SETTLE_S = 0.05
"""A change is in force before its sample is taken: the proxy would write its counters in front of the table."""
SPACING_S = 0.5
"""Between two samples, however many changes ask for one."""
MOST_SAMPLES = 512
"""Four minutes at that spacing; an effect looks back for two."""
FAILED_FROM = 500
INBOUND = "mesh"
"""The listener of calls that another node has counted already."""


LABELS = ("listener", "source", "destination", "route", "status", "reason")
Labels = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class Count:
    """Requests, and those of them that failed."""

    requests: int
    errors: int

    def __add__(self, other: Count) -> Count:
        return Count(self.requests + other.requests, self.errors + other.errors)


NOTHING = Count(0, 0)


class Traffic:
    """Samples the proxy's counters while somebody needs them; `mark` takes a sample now."""

    def __init__(
        self,
        stats: Callable[[], Awaitable[Mapping[str, Any]]],
        is_wanted: Callable[[], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._stats = stats
        self._is_wanted = is_wanted
        self._clock = clock
        self._marked = asyncio.Event()
        self._spaced_until = 0.0
        self._samples: deque[tuple[float, int, int]] = deque(maxlen=MOST_SAMPLES)
        self._rows: Mapping[Labels, Count] = {}
        self._former = NOTHING
        """What stood in rows that began anew since: of a former proxy, or of names that were gone for a while."""

    def mark(self) -> None:
        self._marked.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            if self._is_wanted():
                await self._sample()
            try:
                async with asyncio.timeout(SAMPLE_S):
                    await self._marked.wait()
            except TimeoutError:
                continue
            self._marked.clear()
            await asyncio.sleep(max(SETTLE_S, self._spaced_until - self._clock()))

    async def _sample(self) -> None:
        try:
            rows = counted(await self._stats())
        except MeshnodeError:
            return  # the proxy is being started
        for labels, count in self._rows.items():
            if rows.get(labels, NOTHING).requests < count.requests:
                self._former += count
        self._rows = rows
        now = sum(rows.values(), self._former)
        self._samples.append((self._clock(), now.requests, now.errors))
        self._spaced_until = self._clock() + SPACING_S

    def between(self, start: float, end: float) -> tuple[int, int]:
        """Requests and errors; where no sample was taken then, by the nearest before."""
        first, last = self._at(start), self._at(end)
        return last[0] - first[0], last[1] - first[1]

    def _at(self, moment: float) -> tuple[int, int]:
        if not self._samples:
            return 0, 0
        # A sample that a change asked for is taken a moment after it.
        place = bisect_right([at for at, _, _ in self._samples], moment + 1.0)
        _, requests, errors = self._samples[max(0, place - 1)]
        return requests, errors


def counted(stats: Mapping[str, Any]) -> dict[Labels, Count]:
    """Requests that came to this node's edge and from its own services, and those that failed, row by row.

    Failed: the status is 500 or more, or the mesh itself answered (`reason`): a wrong route is a 404.
    """
    found: dict[Labels, Count] = {}
    for row in stats["requests"]:
        if row["listener"] != INBOUND:
            is_failed = row["status"] >= FAILED_FROM or row["reason"]
            labels = tuple(row[name] for name in LABELS)
            found[labels] = Count(row["count"], row["count"] if is_failed else 0)
    return found
