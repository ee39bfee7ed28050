"""A trace in one line's parts: what was asked, what came of it, who called whom where. Pure; asks nobody, shows nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from .trace import Span, Trace

# A line that names more calls than this is no line; `meshnode trace` shows all.
MAX_HOPS = 24

_SENTENCES: Mapping[str, str] = {
    "no_route": "no route takes it",
    "mesh_host_at_edge": "names under .mesh are for services of the mesh, not for the edge",
    "not_mesh_host": "no service of the mesh is called so",
    "no_such_service": 'no service is called "{destination}"',
    "no_healthy_endpoint": "no instance of {destination} passes its checks",
    "caller_unproven": "who called is not proven",
    "intention_denied": "{destination} refused {source}: {decision}",
    "intention_unsupported": "{destination} refused {source}: intention {intention} has Permissions, not understood yet",
    "identity_missing": "{source} has no certificate yet",
    "connect_failed": "{destination} could not be connected to",
    "connect_timeout": "{destination} did not take the connection in time",
    "tls_failed": "{destination} could not be reached by mutual TLS",
    "upstream_timeout": "{destination} did not answer in time",
    "upstream_closed": "{destination} closed the connection before its answer",
    "upstream_bad_response": "{destination} answered something that is no HTTP",
    "client_closed": "the caller went away",
    "not_here": "{destination} does not run on {node}",
}


@dataclass(frozen=True, slots=True)
class Hop:
    """One who was called, or (depth 0) who called first. `node` is empty where nothing tells it."""

    service: str
    node: str
    depth: int

    def __str__(self) -> str:
        return f"{self.service}@{self.node}" if self.node else self.service


@dataclass(frozen=True, slots=True)
class Summary:
    """What a line about one request says."""

    trace_id: str
    start_us: int
    method: str
    url: str
    """Host and path, without the query."""
    status: int | None
    """None: there was no answer to send."""
    duration_us: int
    hops: tuple[Hop, ...]
    """Depth first, each below its caller; at most MAX_HOPS."""
    refusal: str
    """Why the mesh refused or could not, where the request came to nothing by that; else empty."""

    @property
    def duration_ms(self) -> float:
        return self.duration_us / 1000

    @property
    def chain(self) -> str:
        """`edge → front@node-1 → cart@node-2`; several calls of one service stand in brackets, equal ones once."""
        return _chain(self.hops)


def summarize(trace: Trace) -> Summary | None:
    """None while no span of a proxy has arrived.

    A call that stays on its node is one span, as is one to a machine without a node, so the node of who was called
    last is not always known.
    """
    rows = [row for row in trace.rows() if row.span.text("mesh.direction")]
    if not rows:
        return None
    root = rows[0].span
    code = root.attributes.get("http.response.status_code")
    return Summary(
        trace_id=trace.trace_id,
        start_us=root.start_us,
        method=root.text("http.request.method"),
        url=root.text("server.address") + root.text("url.path"),
        status=code if isinstance(code, int) else None,
        duration_us=root.duration_us,
        hops=tuple(islice(_hops(trace, root), MAX_HOPS)),
        refusal=_refusal(trace, code),
    )


def refusal_of(span: Span) -> str:
    """The sentence for the reason a span carries; empty without one."""
    reason = span.text("mesh.reason")
    if not reason:
        return ""
    intention = span.text("mesh.intention")
    denied = f"intention {intention} (deny)" if intention else "no intention allows it"
    sentence = _SENTENCES.get(reason, reason.replace("_", " "))
    return sentence.format(
        source=span.text("mesh.source") or "the caller",
        destination=span.text("mesh.destination") or "the service",
        node=span.text("mesh.node"),
        intention=intention,
        decision=denied,
    )


def _refusal(trace: Trace, code: object) -> str:
    """That of the innermost span that has a reason: the others only passed it on."""
    if isinstance(code, int) and code < 400:
        return ""
    told = [row for row in trace.rows() if row.span.text("mesh.reason")]
    if not told:
        return ""
    return refusal_of(max(told, key=lambda row: row.depth).span)


def _hops(trace: Trace, root: Span) -> Iterator[Hop]:
    """The caller, then each call. A call is told by the caller's proxy, and by the other node's if it went there."""
    callers = {one.span_id for one in trace.spans if _direction(one) in ("edge", "outbound")}
    places = _places(trace)
    yield Hop(
        root.text("mesh.source"),
        root.text("mesh.node") if _direction(root) == "outbound" else "",
        0,
    )
    above: list[int] = []
    for row in trace.rows():
        span = row.span
        del above[row.depth :]
        depth = above[-1] if above else 0
        destination = span.text("mesh.destination")
        is_answering = _direction(span) == "inbound" and span.parent_id in callers
        if destination and not is_answering:
            depth += 1
            own = span.text("mesh.node") if _direction(span) == "inbound" else ""
            yield Hop(destination, own or places.get((span.span_id, destination), ""), depth)
        above.append(depth)


def _places(trace: Trace) -> dict[tuple[str | None, str], str]:
    """Span of a call and who was called → the node where that runs, by what came of the call.

    The other node's proxy tells it; so does a call that the called service then made itself.
    """
    made = {
        (one.parent_id, one.text("mesh.source")): one.text("mesh.node")
        for one in trace.spans
        if _direction(one) == "outbound"
    }
    taken = {
        (one.parent_id, one.text("mesh.destination")): one.text("mesh.node")
        for one in trace.spans
        if _direction(one) == "inbound"
    }
    return {**made, **taken}


def _direction(span: Span) -> str:
    return span.text("mesh.direction")


def _chain(hops: Sequence[Hop]) -> str:
    if not hops:
        return ""
    return f"{hops[0]}{_calls(hops[1:], hops[0].depth + 1)}"


def _calls(below: Sequence[Hop], depth: int) -> str:
    starts = [at for at, hop in enumerate(below) if hop.depth == depth]
    ends = [*starts[1:], len(below)]
    counted: dict[str, int] = {}
    for start, end in zip(starts, ends, strict=False):
        text = f"{below[start]}{_calls(below[start + 1 : end], depth + 1)}"
        counted[text] = counted.get(text, 0) + 1
    texts = [text if count == 1 else f"{count} × {text}" for text, count in counted.items()]
    if not texts:
        return ""
    return f" → {texts[0]}" if len(texts) == 1 else f" → ({', '.join(texts)})"
