"""A real Jaeger on free ports, traces in memory; and its query API as values."""

import json
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from tests.support.ports import free_port
from tests.support.process import Process, wait_until
from tests.support.running import Running
from tests.support.tools import tool_path

READY_SECONDS = 60.0
CALL_SECONDS = 60.0
ADDRESS = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class Span:
    """A span as Jaeger's query API tells it. Ids in hex, times in microseconds since 1970."""

    trace_id: str
    span_id: str
    parent_id: str | None
    name: str
    service: str
    """The resource's service.name."""
    start_us: int
    duration_us: int
    tags: Mapping[str, Any]
    """Attributes, and what Jaeger makes of kind and status (`span.kind`, `otel.status_code`, `error`)."""
    resource: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Trace:
    trace_id: str
    spans: tuple[Span, ...]

    @property
    def roots(self) -> tuple[Span, ...]:
        """The spans whose parent is not in the trace: exactly one when all of it is connected."""
        known = {span.span_id for span in self.spans}
        return tuple(span for span in self.spans if span.parent_id not in known)

    def children(self, parent: Span) -> tuple[Span, ...]:
        below = (span for span in self.spans if span.parent_id == parent.span_id)
        return tuple(sorted(below, key=lambda span: span.start_us))

    def spans_with(self, **tags: Any) -> tuple[Span, ...]:
        """Spans that have all these tags; `__` stands for a dot, as in `mesh__route="shop"`."""
        wanted = {name.replace("__", "."): value for name, value in tags.items()}
        return tuple(span for span in self.spans if wanted.items() <= dict(span.tags).items())


class Jaeger(Running):
    """`async with Jaeger(tmp_path) as jaeger:` takes OTLP by gRPC and HTTP; stop, cont and kill are its process'."""

    def __init__(self, folder: Path) -> None:
        self._query_port, self._grpc_port, self._http_port = (free_port(ADDRESS) for _ in range(3))
        folder.mkdir(parents=True, exist_ok=True)
        settings = folder / "jaeger.json"
        settings.write_text(json.dumps(self._settings(), indent=2))
        self.process = Process("jaeger", [tool_path("jaeger"), "--config", settings], folder=folder)

    @property
    def query_url(self) -> str:
        return f"http://{ADDRESS}:{self._query_port}"

    @property
    def otlp_grpc(self) -> str:
        """As OTEL_EXPORTER_OTLP_ENDPOINT takes it for the protocol grpc."""
        return f"http://{ADDRESS}:{self._grpc_port}"

    @property
    def otlp_http(self) -> str:
        """As OTEL_EXPORTER_OTLP_ENDPOINT takes it for http/protobuf: /v1/traces comes behind it."""
        return f"http://{ADDRESS}:{self._http_port}"

    async def start(self) -> Self:
        self.process.start()
        await self.process.until(self._is_ready, READY_SECONDS, what="Jaeger answers")
        return self

    def close(self) -> None:
        self.process.kill()

    async def services(self) -> tuple[str, ...]:
        return tuple(sorted(await self._get("/api/services") or ()))

    async def find_traces(
        self, service: str, *, limit: int = 20, operation: str | None = None
    ) -> tuple[Trace, ...]:
        """The newest traces with a span of the service, whole."""
        query = {"service": service, "limit": str(limit), "lookback": "1h"}
        found = await self._get(
            "/api/traces", {**query, **({"operation": operation} if operation else {})}
        )
        return tuple(_trace(one) for one in found or ())

    async def trace(self, trace_id: str) -> Trace | None:
        """The trace with this id, with the spans that have arrived so far."""
        found = await self._get(f"/api/traces/{trace_id}")
        return _trace(found[0]) if found else None

    async def wait_for_trace(self, trace_id: str, spans: int, timeout: float = 30.0) -> Trace:
        """The trace once it has at least this many spans."""

        async def whole() -> Trace | None:
            trace = await self.trace(trace_id)
            return trace if trace is not None and len(trace.spans) >= spans else None

        return await wait_until(whole, timeout, what=f"trace {trace_id} has {spans} spans")

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The `data` of an answer; None for 404 (a trace that is not there yet)."""
        limit = aiohttp.ClientTimeout(total=CALL_SECONDS)
        async with (
            aiohttp.ClientSession(timeout=limit) as session,
            session.get(f"{self.query_url}{path}", params=query or {}) as response,
        ):
            if response.status == 404:
                return None
            response.raise_for_status()
            return (await response.json())["data"]

    async def _is_ready(self) -> bool:
        await self.services()
        return all(_takes_connections(port) for port in (self._grpc_port, self._http_port))

    def _settings(self) -> dict[str, Any]:
        """An OpenTelemetry collector's configuration (JSON is YAML): OTLP in, memory, query out, nothing else."""
        return {
            "service": {
                "extensions": ["jaeger_storage", "jaeger_query"],
                "pipelines": {
                    "traces": {"receivers": ["otlp"], "exporters": ["jaeger_storage_exporter"]}
                },
                "telemetry": {"metrics": {"level": "none"}, "logs": {"level": "info"}},
            },
            "extensions": {
                "jaeger_storage": {"backends": {"memory": {"memory": {"max_traces": 100_000}}}},
                "jaeger_query": {
                    "storage": {"traces": "memory"},
                    "http": {"endpoint": f"{ADDRESS}:{self._query_port}"},
                    "grpc": {"endpoint": f"{ADDRESS}:{free_port(ADDRESS)}"},
                },
            },
            "receivers": {
                "otlp": {
                    "protocols": {
                        "grpc": {"endpoint": f"{ADDRESS}:{self._grpc_port}"},
                        "http": {"endpoint": f"{ADDRESS}:{self._http_port}"},
                    }
                }
            },
            "exporters": {"jaeger_storage_exporter": {"trace_storage": "memory"}},
        }


def _takes_connections(port: int) -> bool:
    with socket.create_connection((ADDRESS, port), timeout=1):
        return True


def _trace(document: Mapping[str, Any]) -> Trace:
    processes = document["processes"]
    spans = (_span(one, processes[one["processID"]]) for one in document["spans"])
    return Trace(document["traceID"], tuple(sorted(spans, key=lambda span: span.start_us)))


def _span(document: Mapping[str, Any], process: Mapping[str, Any]) -> Span:
    parents = [one["spanID"] for one in document["references"] if one["refType"] == "CHILD_OF"]
    return Span(
        trace_id=document["traceID"],
        span_id=document["spanID"],
        parent_id=parents[0] if parents else None,
        name=document["operationName"],
        service=process["serviceName"],
        start_us=document["startTime"],
        duration_us=document["duration"],
        tags={tag["key"]: tag["value"] for tag in document["tags"]},
        resource={tag["key"]: tag["value"] for tag in process.get("tags", ())},
    )
