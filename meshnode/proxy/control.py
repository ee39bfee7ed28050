"""The client of the proxy's control socket: one method a call of docs/boundary.md. Decides nothing, keeps nothing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

import aiohttp
import orjson

from ..errors import BaseNotInForce, ProxyRefused, ProxyUnreachable
from .connector import TrustedUnixConnector
from .documents import InForce, Listener, ProxyVersion, SpanBatch

T = TypeVar("T")

# A snapshot of 10,000 routes takes milliseconds; a proxy that needs longer than this is not working.
CALL_TIMEOUT_S = 10.0
# An ExportTraceServiceRequest is bounded by the proxy's batches; this bounds what a broken one can make us hold.
ANSWER_LIMIT_BYTES = 64 * 1024 * 1024
OK = 200
NO_CONTENT = 204
CONFLICT = 409


class ControlClient:
    """`async with ControlClient(path) as proxy:`; every call raises ProxyUnreachable or ProxyRefused."""

    def __init__(self, socket_path: Path, *, timeout_s: float = CALL_TIMEOUT_S) -> None:
        self.path = socket_path
        self._timeout_s = timeout_s
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        self._session = aiohttp.ClientSession(
            "http://proxy", connector=TrustedUnixConnector(str(self.path))
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
        if self._session is not None:
            await self._session.close()
            self._session = None

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
        await self._call("PUT", f"/v1/identities/{name}", orjson.dumps(document))

    async def delete_identity(self, name: str) -> None:
        await self._call("DELETE", f"/v1/identities/{name}")

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
        return SpanBatch(answer.body, answer.spans)

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
    ) -> _Answer:
        if self._session is None:
            raise ProxyUnreachable(self.path, "the client is closed")
        timeout = aiohttp.ClientTimeout(total=self._timeout_s + extra_s)
        headers = {} if body is None else {"content-type": "application/json"}
        try:
            async with self._session.request(
                method, path, data=body, headers=headers, timeout=timeout
            ) as response:
                if (response.content_length or 0) > ANSWER_LIMIT_BYTES:
                    raise ProxyUnreachable(self.path, "its answer is too long")
                spans = response.headers.get("spans", "")
                answer = _Answer(response.status, await response.read(), _whole(spans))
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise ProxyUnreachable(self.path, _cause(error)) from error
        if answer.status not in (OK, NO_CONTENT):
            raise _refusal(answer)
        return answer


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    body: bytes
    spans: int


def _refusal(answer: _Answer) -> ProxyRefused:
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


def _cause(error: BaseException) -> str:
    if isinstance(error, TimeoutError):
        return "no answer in time"
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
