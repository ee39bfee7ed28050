"""Where the spans of a trace are: Jaeger, and the nodes' own rings. Asked all at once; one that is away hides no other."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Protocol

from catalog import CatalogError
from observability import JaegerError, JaegerQuery, Trace, trace_of

from ..admin import AdminClient, NodeTraces
from ..config import Settings
from ..errors import AdminError, MeshnodeError
from .nodes import read_nodes
from .reach import consul_client

# Of each node, to find the trace that began last: a node far down a call sees traces in another order than the edge.
NEWEST = 20
# Consul only names the other nodes here: a trace is shown without it, too.
CONSUL_S = 2.0
FULL_ID = 32
JAEGER = "Jaeger"


@dataclass(frozen=True, slots=True)
class Ring:
    """A node's ring, at the `ip:port` of its admin API; `node` is empty for this machine's own, whose name nobody told."""

    address: str
    node: str = ""


class Source(Protocol):
    """Somewhere traces are kept. Both raise JaegerError or AdminError."""

    @property
    def name(self) -> str: ...

    async def newest(self) -> tuple[Trace, ...]:
        """Some of the last traces, or the last."""

    async def by_id(self, start: str) -> tuple[Trace, ...]:
        """Those whose id begins so."""


@dataclass(frozen=True, slots=True)
class JaegerSource:
    query: JaegerQuery

    @property
    def name(self) -> str:
        return JAEGER

    async def newest(self) -> tuple[Trace, ...]:
        found = await self.query.latest()
        return () if found is None else (found,)

    async def by_id(self, start: str) -> tuple[Trace, ...]:
        found = await self.query.trace(start)
        return () if found is None else (found,)


@dataclass(frozen=True, slots=True)
class RingSource:
    client: AdminClient
    ring: Ring

    @property
    def name(self) -> str:
        return self.ring.node

    async def newest(self) -> tuple[Trace, ...]:
        return self._of_the_node(await self.client.newest(self.ring.address, NEWEST))

    async def by_id(self, start: str) -> tuple[Trace, ...]:
        return self._of_the_node(await self.client.by_id(self.ring.address, start))

    def _of_the_node(self, answer: NodeTraces) -> tuple[Trace, ...]:
        """A loopback address leads to whoever is there on this machine."""
        if self.ring.node and answer.node != self.ring.node:
            who = answer.node or "another node"
            raise AdminError(self.ring.address, f"from here that is {who}")
        return answer.traces


Question = Callable[[Source], Awaitable[tuple[Trace, ...]]]


@dataclass(frozen=True, slots=True)
class Found:
    """A trace, and the names of the sources that had spans of it."""

    trace: Trace
    sources: frozenset[str]


class Sources:
    """All of them. `away` is name → why, of those that did not answer; they are not asked again."""

    def __init__(self, sources: Iterable[Source]) -> None:
        self._sources = tuple(sources)
        self.away: dict[str, JaegerError | AdminError] = {}

    @property
    def is_any_there(self) -> bool:
        return len(self.away) < len(self._sources)

    async def last(self) -> str | None:
        """The id of the trace that began last."""
        return _newest(await self._ask(lambda source: source.newest()))

    async def full_id(self, start: str) -> str | None:
        """The id that begins so; of several the one that began last."""
        if len(start) == FULL_ID:
            return start
        return _newest(await self._ask(lambda source: source.by_id(start)))

    async def collect(self, trace_id: str) -> Found | None:
        """All spans that anybody has of this trace, each once."""
        parts = [
            (name, part)
            for name, part in await self._ask(lambda source: source.by_id(trace_id))
            if part.trace_id == trace_id
        ]
        spans = [span for _, part in parts for span in part.spans]
        names = frozenset(name for name, _ in parts)
        return Found(trace_of(trace_id, spans), names) if spans else None

    async def _ask(self, question: Question) -> list[tuple[str, Trace]]:
        """Each trace with the name of the source that told it."""
        there = [source for source in self._sources if source.name not in self.away]
        answers = await asyncio.gather(*(self._answer(source, question) for source in there))
        return [
            (source.name, trace)
            for source, traces in zip(there, answers, strict=True)
            for trace in traces
        ]

    async def _answer(self, source: Source, question: Question) -> tuple[Trace, ...]:
        try:
            return await question(source)
        except (JaegerError, AdminError) as error:
            self.away[source.name] = error
            return ()


def _newest(parts: Iterable[tuple[str, Trace]]) -> str | None:
    """Each source knows its part alone, so a trace began when its first part did."""
    began: dict[str, int] = {}
    for _, trace in parts:
        began[trace.trace_id] = min(trace.start_us, began.get(trace.trace_id, trace.start_us))
    return max(began, key=lambda trace_id: began[trace_id], default=None)


@dataclass(frozen=True, slots=True)
class Known:
    """The rings that are known of. `silent` is node → why there is no address; `why_alone`: Consul names no other node."""

    rings: tuple[Ring, ...]
    silent: Mapping[str, str]
    why_alone: str = ""


async def known_rings(settings: Settings) -> Known:
    """That of this machine, and those of the nodes whose status counts; Consul need not be there."""
    own = settings.admin_address
    try:
        async with asyncio.timeout(CONSUL_S), consul_client(settings) as client:
            nodes = await read_nodes(client)
    except (CatalogError, MeshnodeError, TimeoutError) as error:
        return Known((Ring(own),), {}, str(error) or "Consul does not answer in time")
    rings = [Ring(one.admin, one.node) for one in nodes.statuses.counted if one.admin]
    silent = {
        name: nodes.statuses.reasons.get(name, "its status does not say where its admin API is")
        for name in nodes.names
        if name not in {ring.node for ring in rings}
    }
    return Known((Ring(own), *rings), silent)
