"""WebSocket over HTTP/2 (RFC 8441), from a client and to origins of another make, through one proxy and through a hop."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any, Literal

import pytest
from hypercorn.asyncio import serve as serve_asgi
from hypercorn.config import Config
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from wsproto.events import BytesMessage, TextMessage

from tests.conformance.h2_websocket import connected
from tests.conformance.ways import HOST, WAYS, Way, through
from tests.support import free_port, wait_until

Speaks = Literal["http", "http2"]
TIMEOUT_SECONDS = 30.0


@pytest.fixture(params=["http", "http2"])
async def origin(request: pytest.FixtureRequest) -> AsyncIterator[tuple[int, Speaks]]:
    """A server that sends each message back, and what it speaks: `websockets` in HTTP/1.1, hypercorn in HTTP/2."""
    speaks: Speaks = request.param
    async with _http1() if speaks == "http" else _http2() as port:
        yield port, speaks


@pytest.fixture(params=WAYS)
async def port(
    request: pytest.FixtureRequest, origin: tuple[int, Speaks], tmp_path: Path
) -> AsyncIterator[int]:
    """Where the way to the server begins."""
    way: Way = request.param
    behind, speaks = origin
    async with through(way, behind, tmp_path, speaks) as port:
        yield port


@asynccontextmanager
async def _http1() -> AsyncIterator[int]:
    async def echo(socket: ServerConnection) -> None:
        try:
            async for message in socket:
                await socket.send(message)
        except ConnectionClosed:
            return

    def refuse(socket: ServerConnection, request: Request) -> Response | None:
        if request.path == "/private":
            return socket.respond(HTTPStatus.FORBIDDEN, "members only\n")
        return None

    server = serve(echo, HOST, 0, process_request=refuse, max_size=None, ping_interval=None)
    async with server as listening:
        yield listening.sockets[0].getsockname()[1]


@asynccontextmanager
async def _http2() -> AsyncIterator[int]:
    port, over = free_port(), asyncio.Event()
    config = Config()
    config.bind = [f"{HOST}:{port}"]
    config.errorlog = config.accesslog = None
    config.websocket_max_message_size = 1 << 24
    serving = asyncio.create_task(
        serve_asgi(_echo, config, shutdown_trigger=over.wait)  # type: ignore[arg-type] # an application of ASGI
    )

    async def listens() -> bool:
        try:
            _, writer = await asyncio.open_connection(HOST, port)
        except OSError:
            return False
        writer.close()
        return True

    await wait_until(listens, TIMEOUT_SECONDS, what="hypercorn listens")
    try:
        yield port
    finally:
        over.set()
        await serving


async def _echo(
    scope: dict[str, Any],
    receive: Callable[[], Awaitable[dict[str, Any]]],
    send: Callable[[dict[str, Any]], Awaitable[None]],
) -> None:
    """An application of ASGI."""
    if scope["type"] == "lifespan":
        for word in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{word}.complete"})
        return
    assert (scope["type"], scope["http_version"]) == ("websocket", "2")
    await receive()
    if scope["path"] == "/private":
        await send({"type": "websocket.http.response.start", "status": 403, "headers": []})
        await send({"type": "websocket.http.response.body", "body": b"members only\n"})
        return
    await send({"type": "websocket.accept"})
    while (event := await receive())["type"] == "websocket.receive":
        said = {"text": event.get("text"), "bytes": event.get("bytes")}
        await send({"type": "websocket.send", **said})


async def test_messages_of_every_length_come_back_until_it_is_closed(port: int) -> None:
    async with connected(HOST, port) as socket:
        await socket.ask("shop.test", "/chat?room=1")
        assert socket.status == HTTPStatus.OK
        assert not {"sec-websocket-accept", "upgrade", "connection"} & set(socket.headers)
        for length in (0, 125, 126, 65_535, 65_536, 1 << 20):
            await socket.send(BytesMessage(b"x" * length))
            assert await socket.message() == b"x" * length
        await socket.send(TextMessage("héllo"))
        assert await socket.message() == "héllo"
        closed = await socket.close(1000, "")
        assert closed.code == 1000
        # How the stream ends then is the origin's: `websockets` closes, hypercorn drops it (its KeyError is its own).
        await socket.ended()


async def test_a_refusal_is_an_ordinary_answer(port: int) -> None:
    async with connected(HOST, port) as socket:
        await socket.ask("shop.test", "/private")
        await socket.ended()
        assert (socket.status, socket.body) == (HTTPStatus.FORBIDDEN, b"members only\n")
        assert "mesh-reason" not in socket.headers


async def test_a_client_of_http_1_1_gets_the_same(port: int) -> None:
    url = f"ws://{HOST}:{port}/chat"
    async with connect(url, ping_interval=None, max_size=None, proxy=None) as socket:
        for message in ("", "héllo", b"x" * (1 << 20)):
            await socket.send(message)
            assert await socket.recv() == message
    assert socket.close_code == 1000
