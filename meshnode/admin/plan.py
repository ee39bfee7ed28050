"""`POST /plan`: what would follow from keys that nobody wrote yet. Changes nothing.

The body is `{"values":{"mesh/routes/shop":"<base64>","mesh/routes/old":null},"requests":[…]}`: null deletes a key, a request
is one of the proxy's `POST /v1/explain`. The answer is the document of candidate/promise.py, with `node` and `generation`.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import orjson
from aiohttp import web

from ..candidate.promise import Wish
from ..errors import UsageError
from .body import json_body

FIELDS = frozenset({"values", "requests"})
FORM = 'the body is {"values":{"mesh/routes/shop":"<base64>"},"requests":[]}, as docs/plan.md says'
PREFIX = "mesh/"

Plan = Callable[[Wish, Sequence[Mapping[str, Any]]], Awaitable[dict[str, Any]]]
"""Asks agent and proxy. Raises MeshnodeError."""


class PlanAnswers:
    """The handler."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan

    async def answer(self, request: web.Request) -> web.Response:
        """Raises UsageError for a body that is none."""
        wish, requests = _read(await json_body(request))
        answer = await self._plan(wish, requests)
        return web.Response(body=orjson.dumps(answer), content_type="application/json")


def _read(document: Any) -> tuple[Wish, list[Mapping[str, Any]]]:
    if not isinstance(document, dict) or not isinstance(document.get("values"), dict):
        raise UsageError(FORM)
    if unknown := sorted(document.keys() - FIELDS):
        raise UsageError(f"{unknown[0]}: there is no such field; there are requests, values")
    requests = document.get("requests", [])
    if not isinstance(requests, list) or not all(isinstance(one, dict) for one in requests):
        raise UsageError("requests: each is a mapping with host and path")
    values: dict[str, bytes | None] = {}
    for key, value in document["values"].items():
        if not key.startswith(PREFIX):
            raise UsageError(f"{key}: people's keys lie under {PREFIX}")
        try:
            values[key] = None if value is None else b64decode(value, validate=True)
        except (ValueError, TypeError) as error:
            raise UsageError(f"values.{key}: it is no base64") from error
    return Wish(values), requests
