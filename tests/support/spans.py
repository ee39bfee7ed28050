"""Span batches as a proxy encodes them (docs/boundary.md, span attributes), by the crate's own words but another hand."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

BEGAN_NS = 1_800_000_000_000_000_000
MILLISECOND_NS = 1_000_000


@dataclass(frozen=True, slots=True)
class ProxySpan:
    """One request at one hop. Times in milliseconds after BEGAN_NS; `span` and `parent` are small numbers for ids."""

    direction: Literal["edge", "outbound", "inbound"]
    source: str
    destination: str
    node: str
    span: int
    parent: int = 0
    start_ms: float = 0
    took_ms: float = 1
    status: int = 200
    endpoint: str = ""
    reason: str = ""
    intention: str = ""
    more: Mapping[str, str | int] = field(default_factory=dict)

    @property
    def service(self) -> str:
        return self.destination if self.direction == "inbound" else self.source

    @property
    def attributes(self) -> dict[str, str | int]:
        texts = {
            "http.request.method": "GET",
            "url.path": "/",
            "server.address": "shop.test",
            "mesh.source": self.source,
            "mesh.destination": self.destination,
            "mesh.node": self.node,
            "mesh.endpoint": self.endpoint,
            "mesh.direction": self.direction,
            "mesh.reason": self.reason,
            "error.type": self.reason,
            "mesh.intention": self.intention,
        }
        known = {name: text for name, text in texts.items() if text}
        return {**known, "http.response.status_code": self.status, **self.more}


def batch(trace_id: str, *spans: ProxySpan) -> bytes:
    """An encoded ExportTraceServiceRequest with these spans of one trace (32 hex digits)."""
    request = ExportTraceServiceRequest()
    for one in spans:
        group = request.resource_spans.add()
        for name, text in (("service.name", one.service), ("host.name", one.node)):
            group.resource.attributes.add(key=name).value.string_value = text
        start_ns = BEGAN_NS + int(one.start_ms * MILLISECOND_NS)
        span = group.scope_spans.add().spans.add(
            name=f"GET {one.destination}",
            trace_id=bytes.fromhex(trace_id),
            span_id=one.span.to_bytes(8, "big"),
            parent_span_id=one.parent.to_bytes(8, "big") if one.parent else b"",
            start_time_unix_nano=start_ns,
            end_time_unix_nano=start_ns + int(one.took_ms * MILLISECOND_NS),
        )
        for name, value in one.attributes.items():
            attribute = span.attributes.add(key=name).value
            if isinstance(value, int):
                attribute.int_value = value
            else:
                attribute.string_value = value
        if one.reason or one.status >= 500:
            span.status.code = span.status.STATUS_CODE_ERROR
    return bytes(request.SerializeToString())
