"""Encoded span batches read back into spans, when a person asks for them. Never on the way of a batch that is sent on.

Source: opentelemetry-proto 1.x, collector/trace/v1 and trace/v1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from .errors import BatchError
from .trace import Span

NANOSECONDS_A_MICROSECOND = 1000
# OTLP's Status.StatusCode.STATUS_CODE_ERROR, as Jaeger and the tree know it.
STATUS_ERROR = 2


def read_ids(batch: bytes) -> list[bytes]:
    """The trace id (16 bytes) of each span in an ExportTraceServiceRequest, in order. Raises BatchError."""
    return [
        span.trace_id
        for group in _parsed(batch).resource_spans
        for scope in group.scope_spans
        for span in scope.spans
    ]


def read_spans(batch: bytes, is_wanted: Callable[[bytes], bool]) -> Iterator[tuple[str, Span]]:
    """Trace id and span of each span whose trace id (16 bytes) `is_wanted`. Raises BatchError."""
    for group in _parsed(batch).resource_spans:
        resource: dict[str, Any] | None = None
        for scope in group.scope_spans:
            for span in scope.spans:
                if is_wanted(span.trace_id):
                    if resource is None:
                        resource = _attributes(group.resource.attributes)
                    yield span.trace_id.hex(), _span(span, resource)


def _parsed(batch: bytes) -> Any:
    # Protobuf's classes take a tenth of a second to load; nobody may ever ask.
    from google.protobuf.message import DecodeError  # type: ignore[import-untyped]  # no types
    from opentelemetry.proto.collector.trace.v1 import trace_service_pb2

    request = trace_service_pb2.ExportTraceServiceRequest()
    try:
        request.ParseFromString(batch)
    except DecodeError as error:
        raise BatchError(f"no batch of spans ({error})") from error
    return request


def _span(message: Any, resource: dict[str, Any]) -> Span:
    attributes = _attributes(message.attributes)
    if message.status.code == STATUS_ERROR:
        attributes["otel.status_code"] = "ERROR"
    start_ns = message.start_time_unix_nano
    return Span(
        span_id=message.span_id.hex(),
        parent_id=message.parent_span_id.hex() or None,
        name=message.name,
        service=str(resource.get("service.name", "")),
        start_us=start_ns // NANOSECONDS_A_MICROSECOND,
        duration_us=max(0, message.end_time_unix_nano - start_ns) // NANOSECONDS_A_MICROSECOND,
        attributes=attributes,
        resource=resource,
    )


def _attributes(pairs: Iterable[Any]) -> dict[str, Any]:
    return {pair.key: _value(pair.value) for pair in pairs}


def _value(value: Any) -> Any:
    """Text, whole number, fraction or truth; the mesh tells nothing else, and other kinds are shown as text."""
    kind = value.WhichOneof("value")
    if kind in ("string_value", "int_value", "double_value", "bool_value"):
        return getattr(value, kind)
    return "" if kind is None else str(getattr(value, kind)).strip()
