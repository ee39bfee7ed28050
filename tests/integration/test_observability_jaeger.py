"""Spans into a real Jaeger by both protocols, and out of it again as a tree."""

from __future__ import annotations

import asyncio
import contextlib
import io
import os
import time
from collections.abc import AsyncIterator

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from rich.console import Console

from observability import (
    AgentSpans,
    JaegerQuery,
    OtlpSettings,
    RetryPolicy,
    SpanShipper,
    agent_tracer,
    render_tree,
)
from tests.support import Jaeger, wait_until

pytestmark = pytest.mark.jaeger

WAIT_S = 20.0


def settings(jaeger: Jaeger, protocol: str, **more: str) -> OtlpSettings:
    endpoint = jaeger.otlp_grpc if protocol == "grpc" else jaeger.otlp_http
    values = {"ENDPOINT": endpoint, "PROTOCOL": protocol, "TIMEOUT": "1000", **more}
    return OtlpSettings.from_environment({f"OTEL_EXPORTER_OTLP_{n}": v for n, v in values.items()})


@contextlib.asynccontextmanager
async def shipping(
    made: OtlpSettings, policy: RetryPolicy | None = None
) -> AsyncIterator[SpanShipper]:
    shipper = SpanShipper(made, policy=policy)
    task = asyncio.create_task(shipper.run())
    try:
        yield shipper
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await shipper.close()


def request_of(service: str, trace_id: bytes, span_id: bytes, parent: bytes = b"") -> bytes:
    """One span as the proxy of a node encodes it, begun just now."""
    now = time.time_ns()
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    for name, text in (("service.name", service), ("host.name", "node-1")):
        resource.resource.attributes.add(key=name).value.string_value = text
    span = resource.scope_spans.add().spans.add(
        name=f"GET {service}",
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent,
        start_time_unix_nano=now,
        end_time_unix_nano=now + 3_000_000,
    )
    for name, text in (("mesh.config.key", "mesh/routes/shop"), ("mesh.endpoint", "shop-1")):
        span.attributes.add(key=name).value.string_value = text
    span.attributes.add(key="mesh.config.index").value.int_value = 4711
    span.attributes.add(key="http.response.status_code").value.int_value = 200
    return bytes(request.SerializeToString())


@pytest.mark.parametrize("compression", ["none", "gzip"])
@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_batches_of_two_nodes_become_one_tree(
    jaeger: Jaeger, protocol: str, compression: str
) -> None:
    trace_id, parent = os.urandom(16), os.urandom(8)
    async with shipping(settings(jaeger, protocol, COMPRESSION=compression)) as shipper:
        shipper.offer(request_of("edge", trace_id, parent), 1)
        shipper.offer(request_of("shop", trace_id, os.urandom(8), parent), 1)
        await wait_until(lambda: shipper.counters.sent_spans == 2, WAIT_S)
        await jaeger.wait_for_trace(trace_id.hex(), 2)
    async with JaegerQuery(jaeger.query_url) as query:
        whole = await query.trace(trace_id.hex())
        short = await query.trace(trace_id.hex()[:8])
        latest = await query.latest()
        assert await query.trace("f" * 32) is None
    assert whole is not None
    assert whole == short == latest
    assert [row.span.service for row in whole.rows()] == ["edge", "shop"]
    assert len(whole.roots) == 1
    console = Console(file=io.StringIO(), width=160)
    console.print(render_tree(whole))
    assert isinstance(console.file, io.StringIO)
    text = console.file.getvalue()
    assert "└─ shop  GET shop" in text
    assert "mesh/routes/shop @ 4711" in text
    assert "node-1 → shop-1" in text


async def test_the_agent_s_own_work_is_in_jaeger(jaeger: Jaeger) -> None:
    now = time.time_ns()
    async with shipping(settings(jaeger, "http/protobuf")) as shipper:
        tracer = agent_tracer(shipper.offer, node="node-1", version="0.1.0")
        spans = AgentSpans(tracer, "node-1")
        spans.config_applied(
            index=4711, generation=2, began_unix_ns=now - 4_000_000, ended_unix_ns=now
        )
        spans.certificate_issued(
            service="web", not_after_unix_s=1, began_unix_ns=now - 1, ended_unix_ns=now
        )
        spans.proxy_started(pid=7, is_adopted=False, began_unix_ns=now - 1, ended_unix_ns=now)
        found = await wait_until(
            lambda: _of_three(jaeger), WAIT_S, what="three spans of the service meshnode"
        )
    assert found is not None
    assert sorted(found) == ["certificate issued", "config applied", "proxy started"]
    async with JaegerQuery(jaeger.query_url) as query:
        assert await query.latest() is None, "the agent's own work is nobody's request"


async def _of_three(jaeger: Jaeger) -> list[str] | None:
    traces = await jaeger.find_traces("meshnode")
    names = [span.name for trace in traces for span in trace.spans]
    applied = [span for trace in traces for span in trace.spans_with(mesh__config__index=4711)]
    return names if len(names) == 3 and applied and applied[0].duration_us == 4000 else None


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf"])
async def test_a_frozen_jaeger_holds_nobody_and_gets_the_rest_later(
    jaeger: Jaeger, protocol: str
) -> None:
    policy = RetryPolicy(attempts=100, initial_s=0.2, max_s=0.5)
    async with shipping(settings(jaeger, protocol), policy) as shipper:
        jaeger.process.stop()
        ids = [os.urandom(16) for _ in range(200)]
        # Whoever waited for Jaeger here would never come to the line that wakes it.
        for trace_id in ids:
            shipper.offer(request_of("edge", trace_id, os.urandom(8)), 1)
            await asyncio.sleep(0)
        await wait_until(lambda: shipper.failure, WAIT_S)
        jaeger.process.cont()
        await wait_until(lambda: shipper.counters.sent_spans == 200, WAIT_S)
        assert shipper.counters.dropped_spans == 0
        assert shipper.failure is None
        for trace_id in (ids[0], ids[-1]):
            await jaeger.wait_for_trace(trace_id.hex(), 1)


async def test_the_latest_of_many_is_the_newest(jaeger: Jaeger) -> None:
    async with shipping(settings(jaeger, "http/protobuf")) as shipper:
        for service in ("edge", "web", "edge", "cart", "web", "edge"):
            newest = os.urandom(16)
            shipper.offer(request_of(service, newest, os.urandom(8)), 1)
            await jaeger.wait_for_trace(newest.hex(), 1)
    async with JaegerQuery(jaeger.query_url) as query:
        found = await query.latest()
    assert found is not None
    assert found.trace_id == newest.hex()
