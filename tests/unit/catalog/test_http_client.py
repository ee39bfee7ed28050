"""Kept connections, over a real socket whose other end is scripted."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from catalog.http_answer import HttpBroken
from catalog.http_client import HttpClient, HttpConnection, request_bytes
from tests.support import wait_until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
ASK = request_bytes("GET", "/v1/x", b"Host: x\r\n", None)
PATIENCE_S = 10.0


class Server:
    """Counts connections and requests; what it answers is set by the test."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.writers: list[asyncio.StreamWriter] = []
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.port = 0
        self.is_closing = False
        """The connection ends when a request comes."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self.writers.append(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                self.requests.append(head)
                await self.may_answer.wait()
                if self.is_closing:
                    self.is_closing = False
                    break
                writer.write(ANSWER + b"%02d" % len(self.requests))
        except (asyncio.IncompleteReadError, OSError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def serving(most: int = 2) -> AsyncIterator[tuple[Server, HttpClient]]:
    server = Server()

    async def dial(make: Callable[[], HttpConnection]) -> HttpConnection:
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(make, "127.0.0.1", server.port)
        return connection

    async with await asyncio.start_server(server.serve, "127.0.0.1", 0) as listening:
        server.port = listening.sockets[0].getsockname()[1]
        client = HttpClient(dial, most=most, limit=1000)
        async with asyncio.timeout(PATIENCE_S):
            yield server, client
        client.close()
        for writer in server.writers:
            writer.close()


async def test_one_connection_serves_one_exchange_after_the_other() -> None:
    async with serving() as (server, client):
        for number in range(1, 6):
            assert (await client.exchange(ASK, may_repeat=True)).body == b"%02d" % number
        assert server.connections == 1


async def test_who_finds_no_connection_waits_for_his_turn() -> None:
    async with serving(most=2) as (server, client):
        server.may_answer.clear()
        asked = [asyncio.create_task(client.exchange(ASK, may_repeat=True)) for _ in range(5)]
        await wait_until(lambda: len(server.requests) == 2)
        server.may_answer.set()
        await asyncio.gather(*asked)
        assert server.connections == 2


async def test_a_request_that_is_broken_off_takes_its_connection_along() -> None:
    """Its answer, come late, would be taken for that of the next."""
    async with serving() as (server, client):
        server.may_answer.clear()
        asked = asyncio.create_task(client.exchange(ASK, may_repeat=True))
        await wait_until(lambda: bool(server.requests))
        asked.cancel()
        await asyncio.gather(asked, return_exceptions=True)
        server.may_answer.set()
        assert (await client.exchange(ASK, may_repeat=True)).body == b"02"
        assert server.connections == 2


async def test_a_connection_closed_while_it_rested_is_not_used() -> None:
    async with serving() as (server, client):
        await client.exchange(ASK, may_repeat=True)
        server.writers[0].close()
        await server.writers[0].wait_closed()
        await asyncio.sleep(0)
        assert (await client.exchange(ASK, may_repeat=False)).body == b"02"


async def test_a_kept_connection_that_dies_unanswered_is_tried_again_where_it_may() -> None:
    async with serving() as (server, client):
        await client.exchange(ASK, may_repeat=True)
        server.is_closing = True
        assert (await client.exchange(ASK, may_repeat=True)).body == b"03"
        server.is_closing = True
        with pytest.raises(HttpBroken, match="connection closed"):
            await client.exchange(ASK, may_repeat=False)


async def test_a_new_connection_that_dies_is_not_tried_again() -> None:
    async with serving() as (server, client):
        server.is_closing = True
        with pytest.raises(HttpBroken):
            await client.exchange(ASK, may_repeat=True)
        assert server.connections == 1


async def test_what_nobody_asked_for_ends_the_connection() -> None:
    async with serving() as (server, client):
        await client.exchange(ASK, may_repeat=True)
        server.writers[0].write(ANSWER + b"xx")
        await server.writers[0].drain()
        await wait_until(server.writers[0].is_closing)
        assert (await client.exchange(ASK, may_repeat=False)).body == b"02"


async def test_nobody_there_is_told_as_the_system_says_it() -> None:
    async with serving() as (server, client):
        server.port = 1
        with pytest.raises(ConnectionRefusedError):
            await client.exchange(ASK, may_repeat=True)


@pytest.mark.parametrize(
    ("method", "body", "sent"),
    [
        ("GET", None, b"GET /v1/x?y=1 HTTP/1.1\r\nHost: h\r\n\r\n"),
        ("PUT", None, b"PUT /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"),
        ("PUT", b"ab", b"PUT /v1/x?y=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 2\r\n\r\nab"),
    ],
)
def test_a_request_is_one_piece(method: str, body: bytes | None, sent: bytes) -> None:
    assert request_bytes(method, "/v1/x?y=1", b"Host: h\r\n", body) == sent
