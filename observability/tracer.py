"""The agent's own work as spans of the OpenTelemetry SDK, on the same way out as the proxy's. Traces no request."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Tracer
    from opentelemetry.util.types import AttributeValue

SERVICE_NAME = "meshnode"
SCOPE = "meshnode.agent"


def agent_tracer(
    offer: Callable[[bytes, int], None],
    *,
    node: str,
    version: str,
    environment: Mapping[str, str] | None = None,
) -> Tracer:
    """A Tracer whose spans go to `offer` (SpanShipper.offer) as they end, encoded, and from there with all others.

    So there is one buffer, one connection and one set of OTEL_* settings; nothing here has a thread, blocks, or needs
    a shutdown. OTEL_SERVICE_NAME, OTEL_RESOURCE_ATTRIBUTES and OTEL_TRACES_SAMPLER are the SDK's own;
    `environment` is where the first is read.
    """
    # The SDK takes a tenth of a second to load; commands that trace nothing start without it.
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor

    resource = Resource.create(
        {
            "service.name": (environment or {}).get("OTEL_SERVICE_NAME") or SERVICE_NAME,
            "service.version": version,
            "service.instance.id": node,
            "host.name": node,
        }
    )
    # Without a shutdown at exit: there is nothing to wait for, and a forked child would do it too.
    provider = TracerProvider(resource=resource, shutdown_on_exit=False)
    provider.add_span_processor(SimpleSpanProcessor(_offering(offer)))
    return provider.get_tracer(SCOPE, version)


def _offering(offer: Callable[[bytes, int], None]) -> SpanExporter:
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
    from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

    class Offering(SpanExporter):
        """The SDK's way out: encodes, and hands on."""

        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            offer(encode_spans(spans).SerializeToString(), len(spans))
            return SpanExportResult.SUCCESS

    return Offering()


class AgentSpans:
    """The spans the agent makes, by name. Times are nanoseconds since 1970, as OpenTelemetry has them."""

    def __init__(self, tracer: Tracer, node: str) -> None:
        self._tracer = tracer
        self._node = node

    def config_applied(
        self,
        *,
        index: int,
        generation: int,
        began_unix_ns: int,
        ended_unix_ns: int,
        refused: str | None = None,
        **more: AttributeValue,
    ) -> None:
        """From what Consul said to its being in force in the proxy, or refused by it."""
        attributes: dict[str, AttributeValue] = {
            "mesh.config.index": index,
            "mesh.config.generation": generation,
            **more,
        }
        self._span("config applied", attributes, began_unix_ns, ended_unix_ns, error=refused)

    def certificate_issued(
        self, *, service: str, not_after_unix_s: int, began_unix_ns: int, ended_unix_ns: int
    ) -> None:
        attributes: dict[str, AttributeValue] = {
            "mesh.service": service,
            "mesh.certificate.not_after_unix_s": not_after_unix_s,
        }
        self._span("certificate issued", attributes, began_unix_ns, ended_unix_ns)

    def proxy_started(
        self,
        *,
        pid: int,
        is_adopted: bool,
        began_unix_ns: int,
        ended_unix_ns: int,
        error: str | None = None,
    ) -> None:
        """Started anew, or found running and taken over; `error` when it did not come up."""
        attributes: dict[str, AttributeValue] = {
            "process.pid": pid,
            "mesh.proxy.adopted": is_adopted,
        }
        self._span("proxy started", attributes, began_unix_ns, ended_unix_ns, error=error)

    def _span(
        self,
        name: str,
        attributes: Mapping[str, AttributeValue],
        began_unix_ns: int,
        ended_unix_ns: int,
        *,
        error: str | None = None,
    ) -> None:
        from opentelemetry.trace import Status, StatusCode

        span = self._tracer.start_span(
            name, attributes={"mesh.node": self._node, **attributes}, start_time=began_unix_ns
        )
        if error is not None:
            span.set_status(Status(StatusCode.ERROR, error))
        span.end(ended_unix_ns)
