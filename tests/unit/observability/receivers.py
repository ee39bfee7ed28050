"""Receivers of OTLP on real sockets: they keep what they get, and answer as told."""

from __future__ import annotations

import asyncio
import contextlib
import gzip
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import grpc  # type: ignore[import-untyped]
from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)

METHOD = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"


def batch(*names: str, service: str = "edge") -> bytes:
    """An encoded request with a span for each name."""
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    attribute = resource.resource.attributes.add(key="service.name")
    attribute.value.string_value = service
    scope = resource.scope_spans.add()
    for at, name in enumerate(names):
        scope.spans.add(name=name, trace_id=b"t" * 16, span_id=(at + 1).to_bytes(8))
    return bytes(request.SerializeToString())


def span_names(data: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(data)
    return [
        span.name
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


def partial_success(rejected: int, message: str) -> bytes:
    response = ExportTraceServiceResponse()
    response.partial_success.rejected_spans = rejected
    response.partial_success.error_message = message
    return bytes(response.SerializeToString())


@dataclass
class Receiver:
    """`answers` are used up one a request, the last one again and again."""

    endpoint: str = ""
    answers: list[Any] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    paths: list[str] = field(default_factory=list)
    is_hanging: bool = False

    @property
    def names(self) -> list[str]:
        return [name for body in self.bodies for name in span_names(body)]

    def next_answer(self) -> Any:
        if not self.answers:
            return None
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.asynccontextmanager
async def http_receiver(tls: ssl.SSLContext | None = None) -> AsyncIterator[Receiver]:
    """An answer is a web.Response, or None for plain success."""
    receiver = Receiver()

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        receiver.headers.append({name.lower(): value for name, value in request.headers.items()})
        receiver.paths.append(request.path)
        if receiver.is_hanging:
            await asyncio.sleep(3600)
        answer = receiver.next_answer()
        if isinstance(answer, tuple):
            status, headers, text = answer
            return web.Response(status=status, headers=headers, body=text)
        # aiohttp has undone a content-encoding it knows.
        receiver.bodies.append(body if body[:2] != b"\x1f\x8b" else gzip.decompress(body))
        return web.Response(body=answer or b"", content_type="application/x-protobuf")

    app = web.Application(client_max_size=64 * 1024 * 1024)
    app.router.add_post("/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls)
    await site.start()
    port = runner.addresses[0][1]
    receiver.endpoint = f"{'https' if tls else 'http'}://localhost:{port}"
    try:
        yield receiver
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def grpc_receiver() -> AsyncIterator[Receiver]:
    """An answer is bytes, a tuple (code, details, trailing metadata), or None for plain success."""
    receiver = Receiver()

    async def export(body: bytes, context: Any) -> bytes:
        receiver.headers.append({name: str(value) for name, value in context.invocation_metadata()})
        if receiver.is_hanging:
            await asyncio.sleep(3600)
        answer = receiver.next_answer()
        if isinstance(answer, tuple):
            code, details, metadata = answer
            context.set_trailing_metadata(metadata)
            await context.abort(code, details)
        receiver.bodies.append(body)
        return answer or b""

    service, _, method = METHOD.strip("/").partition("/")
    handler = grpc.method_handlers_generic_handler(
        service, {method: grpc.unary_unary_rpc_method_handler(export)}
    )
    server = grpc.aio.server()
    server.add_generic_rpc_handlers((handler,))
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    receiver.endpoint = f"http://127.0.0.1:{port}"
    try:
        yield receiver
    finally:
        await server.stop(None)
