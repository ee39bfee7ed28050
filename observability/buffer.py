"""Span batches that wait to be sent, bounded in bytes and in number: what does not fit pushes out the oldest."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

# A minute of 2,000 spans a second at 130 bytes each; at most this much is lost with a crash, too.
MAX_BUFFERED_BYTES = 16 * 1024 * 1024
# Small batches cost more than their bytes.
MAX_BUFFERED_BATCHES = 4096
# Receivers refuse larger messages (gRPC's default is 4 MiB), and one lost message should not be all.
MAX_MESSAGE_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Batch:
    """An encoded ExportTraceServiceRequest, and how many spans are in it."""

    data: bytes
    spans: int


class SpanBuffer:
    """First in, first out."""

    def __init__(
        self,
        max_bytes: int = MAX_BUFFERED_BYTES,
        max_batches: int = MAX_BUFFERED_BATCHES,
        max_message_bytes: int = MAX_MESSAGE_BYTES,
    ) -> None:
        self._max_bytes = max_bytes
        self._max_batches = max_batches
        self._max_message_bytes = max_message_bytes
        self._batches: deque[Batch] = deque()
        self.bytes = 0

    def __len__(self) -> int:
        return len(self._batches)

    @property
    def spans(self) -> int:
        return sum(batch.spans for batch in self._batches)

    def put(self, batch: Batch) -> int:
        """How many spans were dropped to make room: the oldest ones, or the batch itself when it alone is too much."""
        if len(batch.data) > self._max_bytes:
            return batch.spans
        self._batches.append(batch)
        self.bytes += len(batch.data)
        dropped = 0
        while self.bytes > self._max_bytes or len(self._batches) > self._max_batches:
            dropped += self._pop().spans
        return dropped

    def take(self) -> Batch | None:
        """The next message: as many of the oldest batches as fit, joined; at least one.

        Protobuf messages written one behind the other are one message with the repeated fields of all (protobuf
        encoding, "Last One Wins" and merging): a request for the spans of all batches.
        """
        if not self._batches:
            return None
        first = self._pop()
        parts, size, spans = [first.data], len(first.data), first.spans
        while self._batches and size + len(self._batches[0].data) <= self._max_message_bytes:
            batch = self._pop()
            parts.append(batch.data)
            size += len(batch.data)
            spans += batch.spans
        return Batch(b"".join(parts), spans)

    def _pop(self) -> Batch:
        batch = self._batches.popleft()
        self.bytes -= len(batch.data)
        return batch
