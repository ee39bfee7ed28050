"""A trace as a person looks at it: spans with their parents, and the tree they make. No I/O, nothing of Jaeger's form."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Self

from .errors import TraceIdError

# Six digits of a random id tell sixteen million traces apart; fewer are more likely a slip.
SHORTEST_ID = 6

_TRACE_ID = re.compile(rf"[0-9a-f]{{{SHORTEST_ID},32}}")


@dataclass(frozen=True, slots=True)
class Span:
    """One step. Ids in hex, times in microseconds since 1970."""

    span_id: str
    parent_id: str | None
    name: str
    service: str
    """The resource's service.name."""
    start_us: int
    duration_us: int
    attributes: Mapping[str, Any]
    resource: Mapping[str, Any]

    @property
    def end_us(self) -> int:
        return self.start_us + self.duration_us

    @property
    def status(self) -> str:
        """The HTTP status, or `error` of a step without one; empty when neither is known."""
        code = self.attributes.get("http.response.status_code")
        if code is not None:
            return str(code)
        return "error" if self.is_error else ""

    @property
    def is_error(self) -> bool:
        """By its own word: OpenTelemetry's status, or an error.type."""
        return (
            self.attributes.get("otel.status_code") == "ERROR"
            or self.attributes.get("error") is True
            or "error.type" in self.attributes
        )

    def text(self, name: str) -> str:
        """An attribute as text, from the span or its resource; empty when it is missing."""
        value = self.attributes.get(name, self.resource.get(name))
        return "" if value is None else str(value)

    def to_json(self) -> dict[str, Any]:
        return {
            "span_id": self.span_id,
            "parent_id": self.parent_id,
            "name": self.name,
            "service": self.service,
            "start_unix_us": self.start_us,
            "duration_us": self.duration_us,
            "attributes": dict(self.attributes),
            "resource": dict(self.resource),
        }

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """Raises KeyError, TypeError or ValueError for what is none."""
        parent = document["parent_id"]
        return cls(
            span_id=str(document["span_id"]),
            parent_id=None if parent is None else str(parent),
            name=str(document["name"]),
            service=str(document["service"]),
            start_us=int(document["start_unix_us"]),
            duration_us=int(document["duration_us"]),
            attributes=dict(document["attributes"]),
            resource=dict(document["resource"]),
        )


@dataclass(frozen=True, slots=True)
class Row:
    """A span at its place in the tree. `guides` says of each level above whether more follows there."""

    span: Span
    guides: tuple[bool, ...]

    @property
    def depth(self) -> int:
        return len(self.guides)


@dataclass(frozen=True, slots=True)
class Trace:
    """Spans in order of their start."""

    trace_id: str
    spans: tuple[Span, ...]

    @property
    def start_us(self) -> int:
        return min((span.start_us for span in self.spans), default=0)

    @property
    def duration_us(self) -> int:
        return max((span.end_us for span in self.spans), default=0) - self.start_us

    @property
    def roots(self) -> tuple[Span, ...]:
        """Spans whose parent is not here: one when all of it has arrived."""
        known = {span.span_id for span in self.spans}
        return tuple(span for span in self.spans if span.parent_id not in known)

    def rows(self) -> Iterator[Row]:
        """Every span once, each parent before its children, children by their start.

        Spans that name one another as parents (nothing forbids it) come last, as roots of their own.
        """
        children: dict[str, list[Span]] = {}
        for span in self.spans:
            if span.parent_id is not None:
                children.setdefault(span.parent_id, []).append(span)
        seen: set[str] = set()
        for root in (*self.roots, *self.spans):
            if root.span_id not in seen:
                yield from _below(root, children, seen)

    def to_json(self) -> dict[str, Any]:
        """For `--json` and the admin API."""
        return {
            "trace_id": self.trace_id,
            "start_unix_us": self.start_us,
            "duration_us": self.duration_us,
            "spans": [span.to_json() for span in self.spans],
        }

    @classmethod
    def from_json(cls, document: Any) -> Self:
        """What `to_json` gave. Raises ValueError with a sentence for anything else."""
        try:
            return cls(str(document["trace_id"]), tuple(map(Span.from_json, document["spans"])))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise ValueError(f"no trace ({error!r})") from error


def trace_id_start(text: str) -> str:
    """A trace id or the start of one, in lower case. Raises TraceIdError for anything else."""
    digits = text.strip().lower()
    if not _TRACE_ID.fullmatch(digits):
        raise TraceIdError(
            f'"{text}" is no trace id: {SHORTEST_ID} to 32 hex digits, as in the header mesh-trace'
        )
    return digits


def trace_of(trace_id: str, spans: Iterable[Span]) -> Trace:
    """The spans of one trace, however they came: each once, by their start."""
    once = {span.span_id: span for span in spans}
    ordered = sorted(once.values(), key=lambda span: (span.start_us, -span.duration_us))
    return Trace(trace_id, tuple(ordered))


def _below(root: Span, children: Mapping[str, list[Span]], seen: set[str]) -> Iterator[Row]:
    """Depth first without recursion: a trace may be a chain of a thousand."""
    waiting: list[Row] = [Row(root, ())]
    while waiting:
        row = waiting.pop()
        if row.span.span_id in seen:
            continue
        seen.add(row.span.span_id)
        yield row
        below = [one for one in children.get(row.span.span_id, ()) if one.span_id not in seen]
        last = len(below) - 1
        rows = [Row(span, (*row.guides, at < last)) for at, span in enumerate(below)]
        waiting.extend(reversed(rows))
