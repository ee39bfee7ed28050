"""The client of the proxy's control socket: one method a call of docs/boundary.md. Decides nothing, keeps nothing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar
from urllib.parse import quote

import orjson

from catalog import HttpAnswer, HttpBroken, HttpClient, request_bytes

from ..errors import BaseNotInForce, ProxyRefused, ProxyUnreachable
from .connector import trusted_connection
from .documents import InForce, Listener, ProxyVersion, SpanBatch

T = TypeVar("T")

# A snapshot of 10,000 routes takes milliseconds; a proxy that needs longer than this is not working.
CALL_TIMEOUT_S = 10.0
# An ExportTraceServiceRequest is bounded by the proxy's batches; this bounds what a broken one can make us hold.
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
# A change never waits behind a person's questions: the proxy takes 64 connections in all.
CONNECTIONS = 16
OK = 200
NO_CONTENT = 204
CONFLICT = 409
FIELDS = b"Host: proxy\r\nContent-Type: application/json\r\n"
# Asked again where a kept connection turns out to be closed: doing it twice leaves what doing it once does.
REPEATED = frozenset({"GET", "PUT", "DELETE"})


class ControlClient:
    """`async with ControlClient(path) as proxy:`; every call raises ProxyUnreachable or ProxyRefused."""

    def __init__(self, socket_path: Path, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self.path = socket_path
        self._timeout_s = timeout_s
        self._http: HttpClient | None = None

    async def __aenter__(self) -> Self:
        self._http = HttpClient(
            lambda make: trusted_connection(str(self.path), make),
            most=CONNECTIONS,
            limit=ANSWER_LIMIT_BYTES,
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        if self._http is not None:
            self._http.close()
            self._http = None

    async def version(self) -> ProxyVersion:
        return await self._parsed("GET", "/v1/version", ProxyVersion.from_json)

    async def put_snapshot(self, document: bytes) -> InForce:
        """Brings a full document or a delta into force. Raises BaseNotInForce for a delta from another table."""
        return await self._parsed("PUT", "/v1/snapshot", InForce.from_json, document)

    async def snapshot(self) -> bytes:
        """The snapshot in force with its listeners, as JSON."""
        return (await self._call("GET", "/v1/snapshot")).body

    async def put_identity(self, name: str, document: dict[str, Any]) -> None:
        """`document` holds a private key: it goes nowhere else, and no error repeats it."""
        await self._call("PUT", f"/v1/identities/{quote(name, safe='')}", orjson.dumps(document))

    async def delete_identity(self, name: str) -> None:
        await self._call("DELETE", f"/v1/identities/{quote(name, safe='')}")

    async def put_certificate(self, host: str, document: dict[str, Any]) -> None:
        """`document` holds a private key, as an identity's does."""
        await self._call("PUT", f"/v1/certificates/{host}", orjson.dumps(document))

    async def delete_certificate(self, host: str) -> None:
        await self._call("DELETE", f"/v1/certificates/{host}")

    async def put_ticket_keys(self, document: Mapping[str, Any]) -> None:
        """`document` holds secrets, too."""
        await self._call("PUT", "/v1/ticket-keys", orjson.dumps(document))

    async def stats(self) -> dict[str, Any]:
        """The counters since the proxy's start, as docs/boundary.md has them."""
        return await self._parsed("GET", "/v1/stats", dict)

    async def listeners(self) -> tuple[Listener, ...]:
        return await self._parsed(
            "GET", "/v1/stats", lambda document: Listener.all_from_json(document["listeners"])
        )

    async def spans(self, wait_ms: int) -> SpanBatch | None:
        """The next batch of spans; None when there was none within `wait_ms`."""
        answer = await self._call("GET", f"/v1/spans?wait_ms={wait_ms}", extra_s=wait_ms / 1000)
        if answer.status == NO_CONTENT:
            return None
        return SpanBatch(answer.body, _whole(answer.headers.get("spans", "")))

    async def explain(self, document: bytes) -> dict[str, Any]:
        """What the proxy would do with requests; nothing is sent, and nothing comes into force."""
        return await self._parsed("POST", "/v1/explain", dict, document)

    async def drain(self, grace_ms: int) -> None:
        """Lets what runs end within `grace_ms`; the process ends after it."""
        await self._call("POST", "/v1/drain", orjson.dumps({"grace_ms": grace_ms}))

    async def _parsed(
        self, method: str, path: str, parse: Callable[[Any], T], body: bytes | None = None
    ) -> T:
        answer = await self._call(method, path, body)
        try:
            return parse(orjson.loads(answer.body))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            cause = f"what answers {method} {path} there is no meshnode-proxy of ours"
            raise ProxyUnreachable(self.path, cause) from error

    async def _call(
        self, method: str, path: str, body: bytes | None = None, *, extra_s: float = 0.0
    ) -> HttpAnswer:
        if self._http is None:
            raise ProxyUnreachable(self.path, "the client is closed")
        try:
            async with asyncio.timeout(self._timeout_s + extra_s):
                answer = await self._http.exchange(
                    request_bytes(method, path, FIELDS, body), may_repeat=method in REPEATED
                )
        except (HttpBroken, OSError, TimeoutError) as error:
            raise ProxyUnreachable(self.path, _cause(error)) from error
        if answer.status not in (OK, NO_CONTENT):
            raise _refusal(answer)
        return answer


def _refusal(answer: HttpAnswer) -> ProxyRefused:
    try:
        document = orjson.loads(answer.body)
        sentence, path = str(document["error"]), document.get("path")
    except (ValueError, KeyError, TypeError, AttributeError):
        document, sentence, path = {}, answer.body[:200].decode(errors="replace"), None
    if answer.status == CONFLICT:
        return BaseNotInForce(sentence, document.get("digest"))
    return ProxyRefused(answer.status, sentence, path)


def _whole(header: str) -> int:
    return int(header) if header.isascii() and header.isdigit() else 0


def _cause(error: Exception) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
