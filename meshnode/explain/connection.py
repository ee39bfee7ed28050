"""A raw connection that was, from the steps a trace has of it: where it came in, where it went, how it ended. Asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from observability import Span, Trace, refusal_of

from .question import Question

TCP = "tcp"
PORT_LISTENER = "tcp:"
"""How a listener is called that a route asks for a port of the edge."""
EDGE, OUTBOUND, INBOUND = "edge", "outbound", "inbound"
DENIED = ("intention_denied", "intention_unsupported")
"""Reasons by which an intention does not let a connection in."""
ENDINGS_OF_PEERS = ("client", "upstream", "client_reset", "upstream_reset")
"""What ends a connection that nobody cut."""
NOT_TOLD = (
    "the trace does not say what it asked for, so what would become of it today is not known here"
)
NOT_BEGUN = (
    "the step of the caller's node is missing, so what would become of it today is not known here"
)


@dataclass(frozen=True, slots=True)
class PastConnection:
    """What the steps of a trace say became of a raw connection.

    `question` is the same one asked today; None where the trace does not say enough, `why_not` is the sentence then.
    `detected` is what it turned out to speak, where its port found that out, `server_name` what its TLS asked for.
    `listener` is where it came in on `node`; `instance_node` is empty where no other node took part.
    `received_bytes` are from who opened it; None: it found no far end, and `sentence` says why. `ended_by` is as in a span (docs/boundary.md).
    """

    question: Question | None
    why_not: str
    words: str
    trace_id: str
    node: str
    start_us: int
    duration_us: int
    listener: str
    detected: str
    server_name: str
    source: str
    client_address: str
    route: str
    key: str
    index: str
    destination: str
    instance: str
    instance_node: str
    intention: str
    reason: str
    sentence: str
    received_bytes: int | None
    sent_bytes: int | None
    ended_by: str

    @property
    def was_denied(self) -> bool:
        """Whether an intention kept it out."""
        return self.reason in DENIED and self.received_bytes is None

    @property
    def note(self) -> str:
        """What this can not know; nothing, where it can be asked about today: routes see no more of a connection."""
        return self.why_not

    def to_json(self) -> dict[str, Any]:
        return {
            "trace_id": self.trace_id,
            "node": self.node,
            "start_unix_us": self.start_us,
            "duration_us": self.duration_us,
            "listener": self.listener,
            "detected": self.detected or None,
            "server_name": self.server_name or None,
            "source": self.source,
            "client_address": self.client_address or None,
            "route": self.route,
            "key": self.key,
            "index": self.index,
            "destination": self.destination,
            "instance": self.instance,
            "instance_node": self.instance_node,
            "intention": self.intention or None,
            "reason": self.reason,
            "sentence": self.sentence,
            "received_bytes": self.received_bytes,
            "sent_bytes": self.sent_bytes,
            "ended_by": self.ended_by or None,
            "note": self.note or None,
        }


def is_connection(span: Span) -> bool:
    """Whether a step of ours is of a raw connection."""
    return bool(span.text("mesh.direction")) and span.text("network.transport") == TCP


def connection_of(first: Span, trace: Trace) -> PastConnection:
    """The connection that began with the step `first`, with what the node of its instance told of it."""
    far = _far(first, trace)
    steps = (first,) if far is None else (first, far)
    question, words, why_not = _question(first)
    received = _bytes("mesh.received_bytes", first)
    return PastConnection(
        question=question,
        why_not=why_not,
        words=words,
        trace_id=trace.trace_id,
        node=first.text("mesh.node"),
        start_us=first.start_us,
        duration_us=first.duration_us,
        listener=first.text("mesh.listener"),
        detected=first.text("mesh.detected"),
        server_name=first.text("server.address"),
        source=first.text("mesh.source"),
        client_address=first.text("client.address"),
        route=first.text("mesh.route"),
        key=first.text("mesh.config.key"),
        index=first.text("mesh.config.index"),
        destination=first.text("mesh.destination"),
        instance=_told("mesh.endpoint", steps),
        instance_node="" if far is None else far.text("mesh.node"),
        intention=_told("mesh.intention", steps),
        reason=_told("mesh.reason", steps),
        sentence="" if received is not None else refusal_of(_refusing(steps)),
        received_bytes=received,
        sent_bytes=_bytes("mesh.sent_bytes", first),
        ended_by=_ended_by(steps),
    )


def _far(first: Span, trace: Trace) -> Span | None:
    """What the node of its instance told, where that is another: the last, if more than one was tried."""
    found = [
        span
        for span in trace.spans
        if span.parent_id == first.span_id
        and is_connection(span)
        and span.text("mesh.direction") == INBOUND
    ]
    return found[-1] if found else None


def _question(first: Span) -> tuple[Question | None, str, str]:
    """The same connection asked about today, in the words of its route; else why it can not be."""
    direction, listener = first.text("mesh.direction"), first.text("mesh.listener")
    destination, source = first.text("mesh.destination"), first.text("mesh.source")
    client = first.text("client.address") or None
    if direction == EDGE and listener.startswith(PORT_LISTENER):
        port = listener.removeprefix(PORT_LISTENER)
        asked = Question(f":{port}", "", scheme="tcp", client_address=client)
        return asked, asked.line, ""
    if direction == EDGE:
        name = first.text("server.address")
        if not name:
            return None, first.name, NOT_TOLD
        asked = Question(name, "", scheme="tls", client_address=client)
        return asked, asked.line, ""
    if direction == OUTBOUND and listener:
        asked = Question(destination, "", scheme="tcp", source=source, listener=listener)
        return asked, asked.line, ""
    return None, f"tcp {destination}", NOT_BEGUN if direction == INBOUND else NOT_TOLD


def _refusing(steps: tuple[Span, ...]) -> Span:
    """The step that says most of why nothing came of it: that of the node that decided."""
    return next((span for span in reversed(steps) if span.text("mesh.reason")), steps[0])


def _told(name: str, steps: tuple[Span, ...]) -> str:
    return next((text for span in steps if (text := span.text(name))), "")


def _bytes(name: str, span: Span) -> int | None:
    text = span.text(name)
    return int(text) if text.isdecimal() else None


def _ended_by(steps: tuple[Span, ...]) -> str:
    """The rule that cut it stands where it was decided: to the other node that is a reset like any other."""
    told = [text for span in steps if (text := span.text("mesh.ended_by"))]
    rules = [text for text in told if text not in ENDINGS_OF_PEERS]
    return next(iter((*rules, *told)), "")
