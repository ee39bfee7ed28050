"""A line for each request, as it ends: the nodes' own trace rings, asked by their admin APIs and put together."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from observability import LiveTraces, Summary, Trace, summarize

from .plan import Node

# The admin API holds a question for news so long.
WAIT_MS = 20_000
ANSWER_TIMEOUT_S = 30.0
# Traces in one answer: a person who runs a load test is not to make three nodes send all of it twice.
LIMIT = 200
TICK_S = 0.1
AGAIN_S = 1.0
# So many lines a tick; the rest is counted. Faster, nobody reads.
LINES = 5
# Columns grow with what they hold, up to here.
URL_WIDTH = 40
CHAIN_WIDTH = 64


@dataclass(slots=True)
class Lines:
    """Makes a summary a line, in columns that grow and never shrink."""

    url: int = 18
    chain: int = 60

    def line(self, summary: Summary) -> str:
        clock = time.strftime("%H:%M:%S", time.localtime(summary.start_us / 1_000_000))
        url = f"{summary.method} {summary.url}".strip()
        what = summary.refusal or summary.chain
        self.url = max(self.url, min(len(url), URL_WIDTH))
        self.chain = max(self.chain, min(len(what), CHAIN_WIDTH))
        status = "   " if summary.status is None else str(summary.status)
        took = f"{summary.duration_ms:.0f}" if summary.duration_ms >= 1 else "<1"
        return (
            f"  {clock}  {url:<{self.url}}  {status:>3}  {took:>4} ms  "
            f"{what:<{self.chain}}  trace {summary.trace_id[:8]}"
        )


class Live:
    """`run` until cancelled; `say` gets each line."""

    def __init__(self, nodes: Sequence[Node], say: Callable[[str], None]) -> None:
        self._nodes = nodes
        self._say = say
        self._traces = LiveTraces()
        self._lines = Lines()

    async def run(self) -> None:
        limit = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
        async with aiohttp.ClientSession(timeout=limit) as session, asyncio.TaskGroup() as group:
            for node in self._nodes:
                group.create_task(self._follow(session, node), name=f"traces of {node.name}")
            group.create_task(self._tell(), name="lines")

    async def _follow(self, session: aiohttp.ClientSession, node: Node) -> None:
        """Spans of one node, from now on. A node that is away is asked again: the others' lines go on."""
        sequence: int | None = None
        while True:
            try:
                sequence = await self._ask(session, f"http://{node.admin}/traces", sequence)
            except (aiohttp.ClientError, TimeoutError, ValueError, KeyError):
                await asyncio.sleep(AGAIN_S)

    async def _ask(self, session: aiohttp.ClientSession, url: str, after: int | None) -> int:
        """The first answer only says where the ring stands."""
        asked = (
            {"limit": 1} if after is None else {"limit": LIMIT, "after": after, "wait_ms": WAIT_MS}
        )
        async with session.get(url, params=asked) as response:
            response.raise_for_status()
            document = await response.json()
        if after is not None:
            now_s = asyncio.get_running_loop().time()
            for one in document["traces"]:
                self._traces.add(Trace.from_json(one), now_s)
        return int(document["sequence"])

    async def _tell(self) -> None:
        while True:
            ready = self._traces.ready(asyncio.get_running_loop().time())
            summaries = [one for one in map(summarize, ready) if one is not None]
            for summary in summaries[:LINES]:
                self._say(self._lines.line(summary))
            if len(summaries) > LINES:
                self._say(f"            … and {len(summaries) - LINES} more requests")
            await asyncio.sleep(TICK_S)
