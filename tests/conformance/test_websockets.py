"""WebSocket (RFC 6455, RFC 7692) between a client and a server of another make, through one proxy and through a hop.

Whatever the two agree on is theirs: frames, their pieces, limits, closing, compression.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed, InvalidStatus
from websockets.frames import CloseCode
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from tests.conformance.ways import HOST, WAYS, Way, through
from tests.support import wait_until

LIMIT_BYTES = 1 << 20
TIMEOUT_SECONDS = 30.0


@dataclass(slots=True)
class Seen:
    """What the server saw: each message in the pieces it came in, and how each connection closed."""

    port: int
    """Where the way to it begins."""
    messages: list[list[str | bytes]] = field(default_factory=list)
    closed: list[tuple[int, str]] = field(default_factory=list)
    extensions: list[list[str]] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"ws://{HOST}:{self.port}/chat?room=1"


@pytest.fixture(params=WAYS)
async def seen(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Seen]:
    """A server that sends each message back in the pieces it came in, and the way to it."""
    way: Way = request.param
    noted = Seen(0)

    async def echo(socket: ServerConnection) -> None:
        noted.extensions.append([one.name for one in socket.protocol.extensions])
        try:
            while True:
                pieces = [piece async for piece in socket.recv_streaming()]
                noted.messages.append(pieces)
                if pieces == ["close"]:
                    await socket.close(CloseCode.GOING_AWAY, "asked to")
                await socket.send(_again(pieces))
        except ConnectionClosed:
            noted.closed.append((socket.close_code or 0, socket.close_reason or ""))

    server = serve(
        echo,
        HOST,
        0,
        max_size=LIMIT_BYTES,
        select_subprotocol=_choose,
        process_request=_refuse,
        ping_interval=None,
    )
    async with server as listening:
        port = listening.sockets[0].getsockname()[1]
        async with through(way, port, tmp_path) as noted.port:
            yield noted


async def _again(pieces: list[str | bytes]) -> AsyncIterator[str | bytes]:
    for piece in pieces:
        yield piece


def _choose(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    return next((one for one in offered if one in ("chat.v1", "chat.v2")), None)


def _refuse(socket: ServerConnection, request: Request) -> Response | None:
    if request.path == "/private":
        return socket.respond(HTTPStatus.FORBIDDEN, "members only\n")
    return None


def client(seen: Seen, path: str = "", **options: object) -> connect:
    """A client that pings only where a test does."""
    url = seen.url if not path else f"ws://{HOST}:{seen.port}{path}"
    settings: dict[str, object] = {"ping_interval": None, "max_size": None, "proxy": None}
    return connect(url, **{**settings, **options})  # type: ignore[arg-type] # options of any kind


@pytest.mark.parametrize("compression", [None, "deflate"])
@pytest.mark.parametrize(
    "message",
    ["", "héllo", b"", bytes(range(256)), "x" * 125, "x" * 126, b"y" * 65_535, b"z" * 65_536],
    ids=lambda message: f"{type(message).__name__}-{len(message)}",
)
async def test_every_length_of_text_and_bytes_comes_back(
    seen: Seen, message: str | bytes, compression: str | None
) -> None:
    async with client(seen, compression=compression) as socket:
        await socket.send(message)
        assert await socket.recv() == message
    assert [len(pieces) for pieces in seen.messages] == [1]


async def test_a_message_stays_in_the_pieces_it_was_sent_in(seen: Seen) -> None:
    sent: list[str | bytes] = ["one", "", "three", "x" * 70_000]
    async with client(seen, compression=None) as socket:
        await socket.send(_again(sent))
        received = [piece async for piece in socket.recv_streaming()]
    assert seen.messages == [[*sent, ""]]
    assert received[: len(sent)] == sent


async def test_pings_go_through_between_the_pieces_of_a_message(seen: Seen) -> None:
    async with client(seen) as socket:

        async def pieces() -> AsyncIterator[str]:
            yield "before"
            latency = await asyncio.wait_for(await socket.ping(b"are you there"), TIMEOUT_SECONDS)
            assert latency >= 0
            yield "behind"

        await socket.send(pieces())
        assert await socket.recv() == "beforebehind"
        await socket.pong(b"nobody asked")
        await socket.send("still open")
        assert await socket.recv() == "still open"


async def test_compression_is_agreed_on_by_the_ends_and_left_as_it_is(seen: Seen) -> None:
    text = "the same again and again " * 4_000
    async with client(seen, compression="deflate") as socket:
        names = [one.name for one in socket.protocol.extensions]
        for _ in range(3):
            await socket.send(text)
            assert await socket.recv() == text
    async with client(seen, compression=None) as socket:
        assert socket.protocol.extensions == []
        await socket.send("plain")
        assert await socket.recv() == "plain"
    assert names == ["permessage-deflate"]
    assert seen.extensions == [["permessage-deflate"], []]


async def test_a_message_over_the_servers_limit_is_the_servers_to_refuse(seen: Seen) -> None:
    async with client(seen, compression=None) as socket:
        await socket.send(b"x" * LIMIT_BYTES)
        assert len(await socket.recv()) == LIMIT_BYTES
        await socket.send(b"x" * (LIMIT_BYTES + 1))
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert socket.close_code == CloseCode.MESSAGE_TOO_BIG


@pytest.mark.parametrize(
    ("code", "reason"),
    [(1000, ""), (1001, "leaving"), (1011, "fell over"), (3000, "x" * 120), (4999, "own")],
)
async def test_how_a_client_closes_is_what_the_server_sees(
    seen: Seen, code: int, reason: str
) -> None:
    async with client(seen) as socket:
        await socket.send("hello")
        await socket.recv()
        await socket.close(code, reason)
        assert (socket.close_code, socket.close_reason) == (code, reason)
    await wait_until(lambda: seen.closed, TIMEOUT_SECONDS, what="the server sees the end")
    assert seen.closed == [(code, reason)]


async def test_how_the_server_closes_is_what_a_client_sees(seen: Seen) -> None:
    async with client(seen) as socket:
        await socket.send("close")
        with pytest.raises(ConnectionClosed):
            await socket.recv()
        assert (socket.close_code, socket.close_reason) == (CloseCode.GOING_AWAY, "asked to")


async def test_a_client_that_is_gone_is_gone_for_the_server(seen: Seen) -> None:
    async with client(seen) as socket:
        await socket.send("hello")
        await socket.recv()
        socket.transport.abort()
        await socket.wait_closed()

    await wait_until(lambda: seen.closed, TIMEOUT_SECONDS, what="the server sees the end")
    assert seen.closed == [(CloseCode.ABNORMAL_CLOSURE, "")]


async def test_a_subprotocol_is_chosen_by_the_server(seen: Seen) -> None:
    offered = [Subprotocol("other"), Subprotocol("chat.v1"), Subprotocol("chat.v2")]
    async with client(seen, subprotocols=offered) as socket:
        assert socket.subprotocol == "chat.v1"


async def test_a_refusal_is_an_ordinary_answer(seen: Seen) -> None:
    with pytest.raises(InvalidStatus) as refused:
        async with client(seen, "/private"):
            pass
    assert refused.value.response.status_code == HTTPStatus.FORBIDDEN
    assert refused.value.response.body == b"members only\n"
    assert "mesh-reason" not in refused.value.response.headers


async def test_many_at_once_keep_their_own_messages(seen: Seen) -> None:
    chance = random.Random(7)
    lengths = [[chance.randrange(1, 30_000) for _ in range(20)] for _ in range(40)]

    async def talk(number: int) -> None:
        async with client(seen) as socket:
            for length in lengths[number]:
                message = bytes([number]) * length
                await socket.send(message)
                assert await socket.recv() == message

    await asyncio.wait_for(asyncio.gather(*(talk(at) for at in range(40))), 4 * TIMEOUT_SECONDS)
