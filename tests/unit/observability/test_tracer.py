"""The agent's own spans: encoded as they end, into the same way out as all others."""

from __future__ import annotations

from typing import Any

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import Status

from observability import AgentSpans, agent_tracer

BEGAN, ENDED = 1_700_000_000_000_000_000, 1_700_000_000_003_000_000


def value(any_value: Any) -> Any:
    return getattr(any_value, any_value.WhichOneof("value"))


def made(**environment: str) -> tuple[AgentSpans, list[tuple[bytes, int]]]:
    offered: list[tuple[bytes, int]] = []
    tracer = agent_tracer(
        lambda batch, spans: offered.append((batch, spans)),
        node="node-1",
        version="0.1.0",
        environment=environment,
    )
    return AgentSpans(tracer, "node-1"), offered


def only_span(offered: list[tuple[bytes, int]]) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    ((batch, spans),) = offered
    assert spans == 1
    request = ExportTraceServiceRequest.FromString(batch)
    (resource,) = request.resource_spans
    (scope,) = resource.scope_spans
    (span,) = scope.spans
    about = {one.key: value(one.value) for one in resource.resource.attributes}
    return span, {one.key: value(one.value) for one in span.attributes}, about


def test_config_applied_carries_index_and_duration() -> None:
    spans, offered = made()
    spans.config_applied(index=4711, generation=7, began_unix_ns=BEGAN, ended_unix_ns=ENDED)
    span, attributes, resource = only_span(offered)
    assert span.name == "config applied"
    assert (span.start_time_unix_nano, span.end_time_unix_nano) == (BEGAN, ENDED)
    assert attributes["mesh.config.index"] == 4711
    assert attributes["mesh.config.generation"] == 7
    assert attributes["mesh.node"] == "node-1"
    assert resource["service.name"] == "meshnode"
    assert resource["host.name"] == "node-1"


def test_a_refused_table_is_an_error() -> None:
    spans, offered = made()
    spans.config_applied(
        index=1, generation=2, began_unix_ns=BEGAN, ended_unix_ns=ENDED, refused="routes.shop"
    )
    span, _, _ = only_span(offered)
    assert span.status.code == Status.STATUS_CODE_ERROR
    assert span.status.message == "routes.shop"


def test_certificate_issued_and_proxy_started() -> None:
    spans, offered = made()
    spans.certificate_issued(
        service="web", not_after_unix_s=5, began_unix_ns=BEGAN, ended_unix_ns=ENDED
    )
    span, attributes, _ = only_span(offered)
    assert (span.name, attributes["mesh.service"]) == ("certificate issued", "web")
    offered.clear()
    spans.proxy_started(pid=42, is_adopted=True, began_unix_ns=BEGAN, ended_unix_ns=ENDED)
    span, attributes, _ = only_span(offered)
    assert span.name == "proxy started"
    assert (attributes["process.pid"], attributes["mesh.proxy.adopted"]) == (42, True)


def test_a_name_by_setting_is_taken() -> None:
    spans, offered = made(OTEL_SERVICE_NAME="edge-agents")
    spans.proxy_started(pid=1, is_adopted=False, began_unix_ns=BEGAN, ended_unix_ns=ENDED)
    assert only_span(offered)[2]["service.name"] == "edge-agents"


def test_attributes_of_the_resource_by_setting_are_added(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment=test")
    spans, offered = made()
    spans.proxy_started(pid=1, is_adopted=False, began_unix_ns=BEGAN, ended_unix_ns=ENDED)
    resource = only_span(offered)[2]
    assert resource["deployment.environment"] == "test"
    assert resource["service.name"] == "meshnode"


def test_a_sampler_by_setting_is_obeyed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    spans, offered = made()
    spans.proxy_started(pid=1, is_adopted=False, began_unix_ns=BEGAN, ended_unix_ns=ENDED)
    assert offered == []
