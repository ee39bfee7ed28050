"""Traces out of Jaeger's query API. Writes nothing there, and shows nothing.

Source: Jaeger, "HTTP JSON" (the API of its own UI): /api/services, /api/traces, /api/traces/{id}.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import Any, Self

import aiohttp

from .errors import JaegerError
from .trace import Span, Trace, trace_id_start

DEFAULT_URL = "http://127.0.0.1:16686"
DEFAULT_TIMEOUT_S = 5.0
# What the mesh itself did, and what Jaeger did, is not what somebody asks for by "last".
OWN_SERVICES = frozenset({"meshnode", "jaeger", "jaeger-query", "jaeger-all-in-one"})
# `last` and short ids ask service by service; a mesh with more than this many is asked for the first ones.
MAX_SERVICES = 200
REQUESTS_AT_ONCE = 8
RECENT = "1h"
MAX_RECENT = 200
MAX_ANSWER_BYTES = 64 * 1024 * 1024


class JaegerQuery:
    """`async with JaegerQuery(url) as jaeger:`. Every call raises JaegerError with a sentence, and nothing else."""

    def __init__(self, url: str = DEFAULT_URL, *, timeout_s: float = DEFAULT_TIMEOUT_S) -> None:
        self.url = url.rstrip("/")
        self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=timeout_s))
        self._slots = asyncio.Semaphore(REQUESTS_AT_ONCE)

    async def trace(self, trace_id: str) -> Trace | None:
        """The trace with this id, with the spans that have arrived so far; None when there is none.

        A short id (at least six digits, as answers and logs show it) is looked for among the traces of the last hour.
        """
        wanted = trace_id_start(trace_id)
        if len(wanted) < 32:
            found = await self._recent(MAX_RECENT)
            wanted = next((id_ for _, id_ in found if id_.startswith(wanted)), wanted)
        documents = await self._get(f"/api/traces/{wanted}")
        return _trace(documents[0]) if documents else None

    async def latest(self) -> Trace | None:
        """The trace that began last within the last hour, the mesh's own work aside; None when there is none."""
        found = await self._recent(1)
        return await self.trace(found[0][1].rjust(32, "0")) if found else None

    async def close(self) -> None:
        await self._session.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def _recent(self, limit: int) -> list[tuple[int, str]]:
        """Start and id of each service's newest traces, newest first."""
        services = await self._get("/api/services") or []
        names = sorted(str(name) for name in services if name not in OWN_SERVICES)[:MAX_SERVICES]
        found = await asyncio.gather(*(self._of_service(name, limit) for name in names))
        return sorted({one for traces in found for one in traces}, reverse=True)

    async def _of_service(self, service: str, limit: int) -> list[tuple[int, str]]:
        query = {"service": service, "limit": str(limit), "lookback": RECENT}
        traces = [_trace(one) for one in await self._get("/api/traces", query) or []]
        return [(trace.start_us, trace.trace_id) for trace in traces]

    async def _get(self, path: str, query: Mapping[str, str] | None = None) -> Any:
        """The `data` of an answer; None for 404."""
        try:
            async with (
                self._slots,
                self._session.get(f"{self.url}{path}", params=query or {}) as response,
            ):
                if response.status == 404:
                    return None
                if response.status != 200:
                    raise JaegerError(f"Jaeger at {self.url} answers {response.status} to {path}")
                document = await response.json(content_type=None)
        except TimeoutError as error:
            raise JaegerError(f"Jaeger at {self.url} does not answer in time") from error
        except (aiohttp.ClientError, OSError) as error:
            raise JaegerError(
                f"Jaeger's query API at {self.url} is not reached ({error}): set its address by --jaeger"
            ) from error
        except ValueError as error:
            raise JaegerError(f"{self.url} does not answer as Jaeger's query API does") from error
        if not isinstance(document, dict):
            raise JaegerError(f"{self.url} does not answer as Jaeger's query API does")
        return document.get("data")


def _trace(document: Any) -> Trace:
    """Raises JaegerError for what is no trace."""
    try:
        processes = document["processes"]
        spans = [_span(one, processes[one["processID"]]) for one in document["spans"]]
        return Trace(document["traceID"], tuple(sorted(spans, key=lambda span: span.start_us)))
    except (KeyError, TypeError, AttributeError) as error:
        raise JaegerError(f"Jaeger's answer holds no trace: {error!r}") from error


def _span(document: Mapping[str, Any], process: Mapping[str, Any]) -> Span:
    references = document.get("references") or ()
    parents = [one["spanID"] for one in references if one["refType"] == "CHILD_OF"]
    return Span(
        span_id=str(document["spanID"]),
        parent_id=str(parents[0]) if parents else None,
        name=str(document["operationName"]),
        service=str(process["serviceName"]),
        start_us=int(document["startTime"]),
        duration_us=int(document["duration"]),
        attributes=_tags(document.get("tags")),
        resource=_tags(process.get("tags")),
    )


def _tags(tags: Iterable[Mapping[str, Any]] | None) -> dict[str, Any]:
    return {str(tag["key"]): tag["value"] for tag in tags or ()}
