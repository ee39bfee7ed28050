"""The HTTP side: one listener acts for one node. Reads requests, sends answers; knows no noun.

Nobody who is slow or sends too much costs the others more than a connection and a bounded body.
"""

from __future__ import annotations

import asyncio
import errno
import logging
import re
from functools import partial
from urllib.parse import unquote

from aiohttp import HttpVersion11, web

from .answer import TEXT, Answer
from .call import Call, Query, Route
from .dispatch import Table, clean_path, method_answer
from .errors import Redirected, Refused, RegistryError
from .scope import refuse_elsewhere
from .shared import Shared

logger = logging.getLogger(__name__)
# What comes in and is no HTTP is answered with 400 and no news: a stranger must not fill the log.
_silent = logging.getLogger(f"{__name__}.http")
_silent.addHandler(logging.NullHandler())
_silent.propagate = False

# How long a client may take to send a body, or to take an answer, before it is dropped.
TRANSFER_SECONDS = 60.0
# Connections that wait to be accepted: a burst of ten thousand is not refused.
BACKLOG = 4096
# A kept connection without a request is closed after so long; our own client keeps its for 120 s.
IDLE_SECONDS = 150.0
# A key of KV may be long, and is three bytes a byte when escaped.
MAX_LINE_BYTES = 64 * 1024
BAD_BODY = b"the body is not as its head says"
FAULT = b"the registry has a fault; its log has the details"
# A `%` that no two hexadecimal digits follow.
_BAD_ESCAPE = re.compile(r"%(?![0-9A-Fa-f]{2})")


class Listeners:
    """The sockets of the registry, each for one node."""

    def __init__(self, table: Table, shared: Shared) -> None:
        self._table = table
        self._shared = shared
        self._runners: list[web.ServerRunner] = []

    async def add(self, host: str, port: int, node: str) -> int:
        """The port it listens on (0 takes a free one). Raises RegistryError with a sentence."""
        server = web.Server(
            partial(self._serve, node),
            handler_cancellation=True,
            access_log=None,
            logger=_silent,
            keepalive_timeout=IDLE_SECONDS,
            max_line_size=MAX_LINE_BYTES,
            max_field_size=MAX_LINE_BYTES,
            auto_decompress=False,  # a value is kept as it came, as Consul does
        )
        runner = web.ServerRunner(server, shutdown_timeout=0.1)
        await runner.setup()
        try:
            await web.TCPSite(runner, host, port, backlog=BACKLOG, reuse_address=True).start()
        except OSError as error:
            await runner.cleanup()
            raise RegistryError(_not_listening(host, port, error)) from error
        self._runners.append(runner)
        return int(runner.addresses[0][1])

    async def close(self) -> None:
        """Ends all, blocked queries included."""
        runners, self._runners = self._runners, []
        for runner in runners:
            for connection in list(runner.server.connections if runner.server else ()):
                connection.close()
            await runner.cleanup()

    async def _serve(self, node: str, request: web.BaseRequest) -> web.StreamResponse:
        answer, body = await self._answer(node, request)
        headers = {
            "Vary": "Accept-Encoding",
            "X-Consul-Default-Acl-Policy": "allow",
            **answer.headers,
            "Content-Type": answer.content_type,
        }
        response = web.Response(status=answer.status, body=body, headers=headers)
        try:
            async with asyncio.timeout(TRANSFER_SECONDS):
                await response.prepare(request)
                await response.write_eof()
        except ConnectionError:
            pass  # nobody is left to be answered, and aiohttp sees that by itself
        except TimeoutError:
            if request.transport is not None:
                request.transport.abort()
        return response

    async def _answer(self, node: str, request: web.BaseRequest) -> tuple[Answer, bytes]:
        """The answer, and its body as it is sent."""
        try:
            answer = await self._dispatch(node, request)
            is_pretty = "pretty" in Query(_target(request)[1])
            return answer, answer.body(is_pretty=is_pretty)
        except Refused as refused:
            raw = refused.text.encode(errors="replace")
            headers = dict(refused.headers)
            return Answer(status=refused.status, content_type=TEXT, headers=headers), raw
        except (ConnectionError, web.RequestPayloadError):
            # Whoever sent this has gone, or sends no HTTP; who still reads, reads this.
            return Answer(status=400, content_type=TEXT, headers={"Connection": "close"}), BAD_BODY
        except Exception:
            logger.exception("the registry could not answer %s %s", request.method, request.path)
            return Answer(status=500, content_type=TEXT), FAULT

    async def _dispatch(self, node: str, request: web.BaseRequest) -> Answer:
        raw_path, raw_query = _target(request)
        onward = "?" + raw_query if raw_query else ""
        path = unquote(raw_path, errors="surrogateescape")
        if _BAD_ESCAPE.search(raw_path) or not _is_printable(path):
            raise Refused(400, "")
        if _BAD_ESCAPE.search(raw_query):
            raise Refused(500, "")
        cleaned = clean_path(raw_path)
        if cleaned is not None:
            raise Redirected(cleaned + onward)
        try:
            route = self._table.find(path)
        except Redirected as redirected:
            raise Redirected(redirected.location + onward) from None
        answer = method_answer(route, request.method)
        if answer is not None:
            return answer
        body = await _body(request, route)
        errors = "surrogateescape" if route.is_of_bytes else "replace"
        path, query = unquote(raw_path, errors=errors), Query(raw_query, errors)
        refuse_elsewhere(request.method, path, query)
        rest = path[len(route.path) :]
        call = Call(request.method, path, rest, query, body, node, self._shared)
        return await route.methods[request.method](call)


def _target(request: web.BaseRequest) -> tuple[str, str]:
    """Path and query as they were sent. One sent as to a proxy names the host before them."""
    target = request.raw_path
    if not target.startswith("/"):
        scheme, _, rest = target.partition("://")
        if scheme != "http":
            raise Refused(400, "")
        target = "/" + rest.partition("/")[2]
    path, _, query = target.partition("?")
    return path, query


def _is_printable(path: str) -> bool:
    return all(character.isprintable() for character in path if character < "\x80")


async def _body(request: web.BaseRequest, route: Route) -> bytes:
    """The whole body. Refused if it is too large, or does not come."""
    announced, most = request.content_length or 0, route.max_body_bytes
    if announced > most:
        raise Refused(
            413,
            f"Request body({announced} bytes) too large, max size: {most} bytes. "
            f"See {route.limit_page}.",
            (("Connection", "close"),),
        )
    await _invite(request)
    parts: list[bytes] = []
    length = 0
    try:
        async with asyncio.timeout(TRANSFER_SECONDS):
            async for part in request.content.iter_any():
                length += len(part)
                if length > most:
                    raise Refused(
                        413,
                        f"Request body too large. Max allowed is {most} bytes.",
                        (("Connection", "close"),),
                    )
                parts.append(part)
    except TimeoutError:
        raise Refused(
            408,
            f"the body did not come within {TRANSFER_SECONDS:g} s",
            (("Connection", "close"),),
        ) from None
    return b"".join(parts)


async def _invite(request: web.BaseRequest) -> None:
    """Tells one that asks first (curl does, for a long body) that it may send it."""
    expected = request.headers.get("Expect", "")
    if expected and expected.lower() != "100-continue":
        raise Refused(417, "", (("Connection", "close"),))
    if expected and request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the head of the answer is not sent yet


def _not_listening(host: str, port: int, error: OSError) -> str:
    where = f"{host}:{port}"
    if error.errno == errno.EADDRINUSE:
        return (
            f"{where} is taken by another program, so the registry can not listen there: "
            f"stop that one (ss -ltnp 'sport = :{port}' names it), or choose another port (--listen)"
        )
    if error.errno == errno.EADDRNOTAVAIL:
        return f"this machine has no address {host}: choose one it has"
    if error.errno == errno.EACCES:
        return f"this user may not listen on {where}: choose a port above 1023"
    return f"the registry can not listen on {where} ({error.strerror}): choose another address"
