"""What somebody asks about, from the trace it left: a request here, a raw connection in connection.py.

What a trace does not have stays unknown, and is said.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from observability import Span, Trace

from ..errors import UsageError
from .connection import PastConnection, connection_of, is_connection
from .question import Question

EDGE = "edge"
ROUTED = (EDGE, "outbound")
UNKNOWN = (
    "a trace has no headers, no query and no body: routes that look at them may decide otherwise"
)


@dataclass(frozen=True, slots=True)
class Past:
    """What a trace says became of a request: the first of our spans in it."""

    question: Question
    trace_id: str
    node: str
    start_us: int
    status: str
    reason: str
    route: str
    key: str
    index: str

    @property
    def sentence(self) -> str:
        """For people, beside what would be today."""
        made = f", by {self.key} index {self.index}" if self.key else ""
        why = f" {self.reason}" if self.reason else ""
        return f"answered {self.status or 'nothing'}{why}{made}"

    @property
    def note(self) -> str:
        """What this can not know."""
        return UNKNOWN

    def to_json(self) -> dict[str, Any]:
        return {
            "trace_id": self.trace_id,
            "node": self.node,
            "start_unix_us": self.start_us,
            "status": self.status,
            "reason": self.reason,
            "route": self.route,
            "key": self.key,
            "index": self.index,
            "note": self.note,
        }


def past_of_trace(trace: Trace) -> Past | PastConnection:
    """What the trace began with, as the first proxy saw it: a request or a raw connection. Raises UsageError where none did."""
    span = next(
        (row.span for row in trace.rows() if is_connection(row.span) or _is_request(row.span)), None
    )
    if span is None:
        raise UsageError(
            f"no node of this mesh has told a step of trace {trace.trace_id}: there is nothing to explain"
        )
    return connection_of(span, trace) if is_connection(span) else _past_request(span, trace)


def questions_of_trace(trace: Trace) -> Iterator[Question]:
    """Every request of the trace that routes decided: at the edge, and from one service to another."""
    for row in trace.rows():
        if _is_request(row.span) and row.span.text("mesh.direction") in ROUTED:
            yield _question(row.span)


def _past_request(span: Span, trace: Trace) -> Past:
    return Past(
        question=_question(span),
        trace_id=trace.trace_id,
        node=span.text("mesh.node"),
        start_us=span.start_us,
        status=span.status,
        reason=span.text("mesh.reason"),
        route=span.text("mesh.route"),
        key=span.text("mesh.config.key"),
        index=span.text("mesh.config.index"),
    )


def _question(span: Span) -> Question:
    is_edge = span.text("mesh.direction") == EDGE
    return Question(
        host=span.text("server.address"),
        path=span.text("url.path") or "/",
        method=span.text("http.request.method") or "GET",
        scheme=span.text("url.scheme") or "http",
        source=None if is_edge else span.text("mesh.source"),
        client_address=span.text("client.address") or None if is_edge else None,
    )


def _is_request(span: Span) -> bool:
    is_ours = bool(span.text("mesh.direction")) and bool(span.text("server.address"))
    return is_ours and not is_connection(span)
