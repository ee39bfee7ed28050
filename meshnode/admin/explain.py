"""`POST /explain`: what the live proxy would do with requests, with what the agent knows beside it. Changes nothing.

The body is that of the proxy's `POST /v1/explain` (docs/boundary.md) without `snapshot`; so is the answer, with `node`,
and in each of `answers` also `listener`, `refused` (route keys not in force as written) and `instances`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from ..errors import UsageError
from .body import json_body

# The proxy's own limits of one question: 10,000 requests.
MAX_QUESTION_BYTES = 16 * 1024 * 1024
FIELDS = frozenset({"requests", "considered"})

Explain = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Asks proxy and agent. Raises ProxyError."""


class ExplainAnswers:
    """The handler."""

    def __init__(self, explain: Explain) -> None:
        self._explain = explain

    async def answer(self, request: web.Request) -> web.Response:
        """Raises UsageError for a body that is none."""
        document = await json_body(request)
        if not isinstance(document, dict) or not isinstance(document.get("requests"), list):
            raise UsageError(
                'the body is {"requests":[{"host":"shop.example","path":"/cart"}]}, as docs/explain.md says'
            )
        if unknown := sorted(document.keys() - FIELDS):
            raise UsageError(
                f"{unknown[0]}: there is no such field; there are considered, requests"
            )
        if not all(isinstance(one, dict) for one in document["requests"]):
            raise UsageError("requests: each is a mapping with host and path")
        answer = await self._explain(document)
        return web.Response(body=orjson.dumps(answer), content_type="application/json")
