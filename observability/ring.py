"""The last spans of a node, kept as they came: what `meshnode trace` asks where no Jaeger is. Decodes only for who asks.

Keeping a batch costs an append; it is the very bytes that are sent to a receiver, so nothing is held twice.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from .decode import read_ids, read_spans
from .errors import BatchError
from .trace import Span, Trace, trace_id_start, trace_of

# What the agent may hold for a person who may never ask: at 0.6 to 1 KiB a span, both are met at about the same time.
MAX_BYTES = 16 * 1024 * 1024
MAX_SPANS = 10_000
# What one question may decode: about 0.2 s of work. More is for a receiver of traces.
MAX_TRACES = 1000
# So many ids are looked for in a batch's bytes sooner than it is decoded.
FEW = 32


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch at its place in the order of arrival."""

    sequence: int
    data: bytes
    spans: int


@dataclass(frozen=True, slots=True)
class Page:
    """The newest traces of what was asked for, as far as this node knows them; newest first by their start."""

    traces: tuple[Trace, ...]
    sequence: int
    """Ask after this for what comes next."""
    is_gapless: bool
    """False: what came right after the sequence asked for is not kept any more, or was more than was asked for."""


class SpanRing:
    """All of it from the event loop, but for the work of a `Reading`, which may be done in a thread."""

    def __init__(
        self,
        *,
        max_bytes: int = MAX_BYTES,
        max_spans: int = MAX_SPANS,
        first_sequence: int = 0,
    ) -> None:
        """`first_sequence` should be higher than any a node's earlier ring gave: microseconds of its start are."""
        self._max_bytes = max_bytes
        self._max_spans = max_spans
        self._batches: deque[Kept] = deque()
        self._arrived = asyncio.Event()
        self.sequence = first_sequence
        self.bytes = 0
        self.spans = 0

    def offer(self, batch: bytes, spans: int) -> None:
        """Keeps an encoded ExportTraceServiceRequest with this many spans; the oldest batches go. Returns at once."""
        if not batch or len(batch) > self._max_bytes:
            return
        self.sequence += 1
        self._batches.append(Kept(self.sequence, batch, max(1, spans)))
        self.bytes += len(batch)
        self.spans += max(1, spans)
        while self.bytes > self._max_bytes or (
            self.spans > self._max_spans and len(self._batches) > 1
        ):
            oldest = self._batches.popleft()
            self.bytes -= len(oldest.data)
            self.spans -= oldest.spans
        self._arrived.set()
        self._arrived = asyncio.Event()

    async def wait_after(self, sequence: int, timeout_s: float) -> None:
        """Until there is something after this sequence, for at most so long; one that is not ours waits for nothing."""
        if self.sequence != sequence or timeout_s <= 0:
            return
        try:
            async with asyncio.timeout(timeout_s):
                await self._arrived.wait()
        except TimeoutError:
            return

    def reading(self) -> Reading:
        """What there is now, to be read at leisure."""
        return Reading(tuple(self._batches), self.sequence)


@dataclass(frozen=True, slots=True)
class Reading:
    """The ring at one moment. Every method decodes, which takes milliseconds: not for the event loop."""

    batches: tuple[Kept, ...]
    sequence: int

    def after(self, sequence: int | None, limit: int) -> Page:
        """The newest traces with spans after `sequence` (of them, these spans alone); None: whole ones from all there is."""
        is_known = sequence is None or self._oldest <= sequence + 1 <= self.sequence + 1
        # A sequence of the future is one of another ring, before the clock was set back.
        since = sequence if sequence is not None and sequence <= self.sequence else 0
        new = [batch for batch in self.batches if batch.sequence > since]
        wanted, is_cut = _newest_ids(new, min(limit, MAX_TRACES))
        traces = _collected(self.batches if sequence is None else new, wanted)
        newest_first = sorted(traces, key=lambda trace: trace.start_us, reverse=True)
        return Page(tuple(newest_first), self.sequence, is_known and not is_cut)

    def traces(self, start: str, limit: int = 10) -> tuple[Trace, ...]:
        """Those whose id begins so, newest first. Raises TraceIdError for what is no id."""
        digits = trace_id_start(start)
        # Whole bytes are found at the speed of memory; only batches that may have the id are decoded.
        needle = bytes.fromhex(digits[: len(digits) // 2 * 2])
        found: dict[str, list[Span]] = {}
        for batch in reversed(self.batches):
            if needle not in batch.data:
                continue
            for trace_id, span in _spans(batch, lambda id_: id_.startswith(needle)):
                if trace_id.startswith(digits) and (trace_id in found or len(found) < limit):
                    found.setdefault(trace_id, []).append(span)
        return tuple(trace_of(trace_id, spans) for trace_id, spans in found.items())

    @property
    def _oldest(self) -> int:
        return self.batches[0].sequence if self.batches else self.sequence + 1


def _newest_ids(batches: Sequence[Kept], limit: int) -> tuple[frozenset[bytes], bool]:
    """The traces whose spans came last, and whether there were more of them than `limit`."""
    found: set[bytes] = set()
    for batch in reversed(batches):
        try:
            ids = read_ids(batch.data)
        except BatchError:
            continue
        for trace_id in reversed(ids):
            if len(found) < limit:
                found.add(trace_id)
            elif trace_id not in found:
                return frozenset(found), True
    return frozenset(found), False


def _collected(batches: Iterable[Kept], wanted: frozenset[bytes]) -> list[Trace]:
    """These traces with all their spans in these batches."""
    spans: dict[str, list[Span]] = {}
    for batch in batches:
        if len(wanted) <= FEW and not any(trace_id in batch.data for trace_id in wanted):
            continue
        for trace_id, span in _spans(batch, wanted.__contains__):
            spans.setdefault(trace_id, []).append(span)
    return [trace_of(trace_id, all_of_it) for trace_id, all_of_it in spans.items()]


def _spans(batch: Kept, is_wanted: Callable[[bytes], bool]) -> Iterator[tuple[str, Span]]:
    """A batch that is none has no spans."""
    try:
        yield from read_spans(batch.data, is_wanted)
    except BatchError:
        return
