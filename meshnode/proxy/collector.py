"""Fetches span batches from the proxy and hands them on as they are; never opens one, never holds one."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

from ..errors import ProxyError
from .control import ControlClient

# The proxy answers as soon as it has spans, and a dead one closes: an idle node need not ask more often.
WAIT_MS = 10_000
# The proxy is away or refuses: the supervisor sees to it, here is only waited.
RETRY_S = 0.25
# A call costs as much as some hundred spans in it, and the proxy hands its threads' spans over ten times a second: so
# often is enough. A batch of this many is one of several that wait.
PACE_S = 0.1
MANY_SPANS = 1024


class SpanCollector:
    """Long-polls on a connection of its own, so that no snapshot waits behind it."""

    def __init__(self, socket_path: Path, offer: Callable[[bytes, int], None]) -> None:
        """`offer` takes an encoded ExportTraceServiceRequest and its number of spans, and never blocks."""
        self._socket_path = socket_path
        self._offer = offer

    async def run(self) -> None:
        async with ControlClient(self._socket_path) as client:
            while True:
                try:
                    batch = await client.spans(WAIT_MS)
                except ProxyError:
                    await asyncio.sleep(RETRY_S)
                    continue
                if batch is not None:
                    self._offer(batch.body, batch.spans)
                    if batch.spans < MANY_SPANS:
                        await asyncio.sleep(PACE_S)
