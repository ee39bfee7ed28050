"""`GET /traces` and `GET /traces/<id>`: the last spans of this node's proxy, from the agent's ring. Changes nothing there.

`/traces?limit=N` the newest N traces, whole as far as this node has them. `/traces?after=SEQUENCE&wait_ms=N` the spans that
came after the `sequence` of an earlier answer, at once or as soon as there are some. `/traces/<id>` those whose id begins so.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Any

import orjson
from aiohttp import web

from observability import MAX_TRACES, SpanRing, Trace

from ..errors import UsageError

DEFAULT_TRACES = 20
# As on the control socket: longer than this, and a middlebox may think the connection dead.
MAX_WAIT_MS = 30_000
# A sequence is microseconds since 1970 and a count: this many digits are enough for centuries, and are a JSON number.
MAX_SEQUENCE = 2**53


class TraceAnswers:
    """The two handlers."""

    def __init__(self, ring: SpanRing, node: Callable[[], str]) -> None:
        """`node` is this node's name, empty while it is not known."""
        self._ring = ring
        self._node = node

    async def newest(self, request: web.Request) -> web.Response:
        limit = _whole(request, "limit", DEFAULT_TRACES, 1, MAX_TRACES)
        after = None
        if "after" in request.query:
            after = _whole(request, "after", 0, 0, MAX_SEQUENCE)
            await self._ring.wait_after(after, wait_s(request))
        page = await asyncio.to_thread(self._ring.reading().after, after, limit)
        more = {"sequence": page.sequence, "is_gapless": page.is_gapless}
        return self._answer(page.traces, more)

    async def by_id(self, request: web.Request) -> web.Response:
        """Raises TraceIdError for what is no id; 404 where this node has no such trace."""
        start = request.match_info["id"]
        limit = _whole(request, "limit", DEFAULT_TRACES, 1, MAX_TRACES)
        traces = await asyncio.to_thread(self._ring.reading().traces, start, limit)
        return self._answer(traces, {}, status=200 if traces else 404)

    def _answer(
        self, traces: Iterable[Trace], more: dict[str, Any], status: int = 200
    ) -> web.Response:
        document = {
            "node": self._node(),
            **more,
            "traces": [trace.to_json() for trace in traces],
        }
        if status == 404:
            document["error"] = "this node has no trace whose id begins so"
        body = orjson.dumps(document)
        return web.Response(body=body, status=status, content_type="application/json")


def wait_s(request: web.Request) -> float:
    """How long this request may wait for news. Raises UsageError."""
    return _whole(request, "wait_ms", 0, 0, MAX_WAIT_MS) / 1000


def _whole(request: web.Request, name: str, default: int, least: int, most: int) -> int:
    text = request.query.get(name)
    if text is None:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 16:
        raise UsageError(f'{name}: "{text[:40]}" is no whole number')
    number = int(text)
    if not least <= number <= most:
        raise UsageError(f"{name}: {number} is not between {least} and {most}")
    return number
