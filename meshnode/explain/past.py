"""The request somebody asks about, from the trace it left. What a trace does not have stays unknown, and is said."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from observability import Span, Trace

from ..errors import UsageError
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


def question_of_trace(trace: Trace) -> Past:
    """The request at the beginning of the trace, as the first proxy saw it. Raises UsageError where none did."""
    span = next((row.span for row in trace.rows() if _is_ours(row.span)), None)
    if span is None:
        raise UsageError(
            f"no node of this mesh has told a step of trace {trace.trace_id}: there is nothing to explain"
        )
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


def questions_of_trace(trace: Trace) -> Iterator[Question]:
    """Every request of the trace that routes decided: at the edge, and from one service to another."""
    for row in trace.rows():
        if _is_ours(row.span) and row.span.text("mesh.direction") in ROUTED:
            yield _question(row.span)


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


def _is_ours(span: Span) -> bool:
    return bool(span.text("mesh.direction")) and bool(span.text("server.address"))
