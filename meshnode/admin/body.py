"""The JSON body of a question to the admin API. Knows no question."""

from __future__ import annotations

from typing import Any

import orjson
from aiohttp import web

from ..errors import UsageError


async def json_body(request: web.Request) -> Any:
    """The document that was sent. Raises UsageError for a body that is none."""
    # A page in a browser can send text without asking first; JSON it can not.
    if request.content_type != "application/json":
        raise UsageError("the body is JSON: send content-type application/json")
    try:
        return orjson.loads(await request.read())
    except ValueError as error:
        raise UsageError(f"the body is no JSON: {error}") from error
