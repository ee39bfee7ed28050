"""Counts what still runs at endpoints that drain: asks the proxy while there are any. Decides nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from ..errors import ProxyError

# A person waits for the count to go down; a status is written at most so often.
COUNT_S = 1.0

Endpoint = tuple[str, str]
"""A service and the id of its instance."""

Counts = Mapping[Endpoint, int]


class DrainCounter:
    """`want` says which endpoints; each count that is another than the last is posted."""

    def __init__(
        self,
        stats: Callable[[], Awaitable[Mapping[str, Any]]],
        post: Callable[[Counts], None],
        *,
        every_s: float = COUNT_S,
    ) -> None:
        """`stats` are the proxy's; ProxyError is waited out."""
        self._stats = stats
        self._post = post
        self._every_s = every_s
        self._wanted: frozenset[Endpoint] = frozenset()
        self._last: Counts | None = None
        self._any = asyncio.Event()

    def want(self, endpoints: frozenset[Endpoint]) -> None:
        """All that drain now, in the table in force."""
        if endpoints == self._wanted:
            return
        self._wanted, self._last = endpoints, None
        if endpoints:
            self._any.set()
        else:
            self._any.clear()

    async def run(self) -> None:
        while True:
            await self._any.wait()
            # A request that was on its way to an endpoint when the table changed is counted by then.
            await asyncio.sleep(self._every_s)
            await self._count()

    async def _count(self) -> None:
        wanted = self._wanted
        try:
            stats = await self._stats()
            counts = running(stats, wanted)
        except (ProxyError, KeyError):
            return  # it is being started, or is an older one that does not count this
        if wanted != self._wanted:
            return
        if counts != self._last:
            self._last = counts
            self._post(counts)


def running(stats: Mapping[str, Any], endpoints: frozenset[Endpoint]) -> Counts:
    """The requests that the proxy has running at each of these. KeyError where it does not say."""
    counts = dict.fromkeys(endpoints, 0)
    for one in stats.get("upstreams", ()):
        # A subset's cluster is called as its service with words in brackets behind it.
        at = (str(one["cluster"]).partition("[")[0], str(one["endpoint"]))
        if at in counts:
            counts[at] += int(one["running"])
    return counts
