"""What a flood is sent to: the real proxy alone, an origin behind it, and a client of good manners beside the flood."""

from __future__ import annotations

import asyncio
import json
import socket
import ssl
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.usage import memory
from tests.conformance import alone
from tests.support import Process, wait_until
from tests.support.edge_certificates import made
from tests.support.frames import END_STREAM, Http2, Kind, get

HOST = "shop.test"
OK = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
# What is asked for and not read: more than any buffer on the way.
LARGE_BYTES = 8 << 20
PIECE = b"x" * 65_536
# What an origin's socket holds of an answer, so that a thousand of them are no gigabyte of the machine's memory.
SOCKET_BYTES = 16_384
ANSWER_SECONDS = 60.0
# Requests before a flood, so that what is made once is there.
FIRST = 50


@dataclass(frozen=True, slots=True)
class Certificate:
    """The files of what the edge shows."""

    certificate: Path
    key: Path


@dataclass(slots=True)
class Flooded:
    """A proxy that is flooded."""

    process: Process
    control: Path
    plain: tuple[str, int]
    """Where HTTP/1.1 and HTTP/2 are spoken in clear."""
    secured: tuple[str, int]
    """Where both are by TLS."""
    session: aiohttp.ClientSession
    answered: int = field(default=0, init=False)
    """Requests of the client of good manners that were answered as they should."""

    def held(self) -> int:
        """Bytes of memory it has."""
        return memory([self.process.pid]).proportional

    async def stats(self) -> dict[str, Any]:
        connector = aiohttp.UnixConnector(str(self.control))
        async with (
            aiohttp.ClientSession(connector=connector) as session,
            session.get("http://proxy/v1/stats") as answer,
        ):
            found: dict[str, Any] = json.loads(await answer.read())
            return found

    async def ask(self) -> None:
        """The client of good manners: on a kept connection, on a new one, by HTTP/2, and by TLS."""
        await self.ask_kept()
        await asyncio.to_thread(_ask_once, self.plain, None)
        await self._fetch("https", self.secured, {"connection": "close"})
        await asyncio.to_thread(ask_http2, self.plain)
        self.answered += 3

    async def ask_kept(self) -> None:
        """The same on the connection it has."""
        await self._fetch("http", self.plain, {})
        self.answered += 1

    async def ask_again(self) -> bool:
        """Whether it is answered on new connections; for what may be refused still."""
        try:
            await self.ask()
        except (aiohttp.ClientError, OSError, AssertionError):
            return False
        return True

    async def ask_from(self, address: str) -> None:
        """Another client, of this address, on a new connection."""
        await asyncio.to_thread(_ask_once, self.plain, (address, 0))
        self.answered += 1

    def churn(self, count: int) -> None:
        """So many connections of one request, one after the other."""
        for _ in range(count):
            _ask_once(self.plain, None)

    async def _fetch(self, scheme: str, place: tuple[str, int], headers: Mapping[str, str]) -> None:
        url = f"{scheme}://{place[0]}:{place[1]}/"
        async with self.session.get(url, headers={"host": HOST, **headers}) as answer:
            assert (answer.status, await answer.text()) == (200, "ok")


def _ask_once(place: tuple[str, int], source: tuple[str, int] | None) -> None:
    asked = f"GET / HTTP/1.1\r\nHost: {HOST}\r\nConnection: close\r\n\r\n".encode()
    with socket.create_connection(place, ANSWER_SECONDS, source) as connection:
        connection.sendall(asked)
        answer = b"".join(iter(lambda: connection.recv(65_536), b""))
    assert answer.startswith(b"HTTP/1.1 200 ")
    assert answer.endswith(b"\r\n\r\nok")


def ask_http2(place: tuple[str, int]) -> None:
    """One request in HTTP/2 on a connection of its own."""
    with socket.create_connection(place, timeout=ANSWER_SECONDS) as connection:
        client = Http2(connection)
        assert client.push(get(1, HOST))
        answer = client.until(Kind.HEADERS)
        # `:status 200` of the static table (RFC 7541 appendix A).
        assert answer is not None
        assert answer.payload[:1] == b"\x88"
        data = client.until(Kind.DATA)
        assert data is not None
        assert data.payload == b"ok"
        assert data.flags & END_STREAM or client.until(Kind.DATA) is not None


@asynccontextmanager
async def flooded(folder: Path, limits: Mapping[str, int]) -> AsyncIterator[Flooded]:
    """A proxy as shipped but for these limits, on one thread."""
    plain, secured = alone.address(), alone.address()
    async with _origin() as origin:
        resources = alone.resources(plain, origin)
        edge: dict[str, Any] = {"kind": "edge", "address": secured, "identity": None, "tls": {}}
        resources["listeners"]["secured"] = edge
        resources["settings"] = {"node": alone.NODE | {"limits": dict(limits)}}
        patient = aiohttp.ClientTimeout(total=ANSWER_SECONDS)
        trusting = ssl.create_default_context()
        trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
        connector = aiohttp.TCPConnector(ssl=trusting)
        async with (
            alone.proxy(folder, resources, certificate=_certificate(folder)) as process,
            aiohttp.ClientSession(timeout=patient, connector=connector) as session,
        ):
            control = folder / "proxy.sock"
            proxy = Flooded(process, control, _place(plain), _place(secured), session)
            await wait_until(proxy.stats, 30, what="the stats")
            for _ in range(FIRST):
                await proxy.ask()
            yield proxy


@asynccontextmanager
async def _origin() -> AsyncIterator[str]:
    """Answers `/` with two bytes and `/large` with many; takes nothing behind the head of `/hold`, and of
    anything else all, and says nothing.
    """
    serving: set[asyncio.Task[None]] = set()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        serving.add(task)
        try:
            await _answer_all(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            serving.discard(task)
            writer.transport.abort()

    listening = socket.create_server(("127.0.0.1", 0), backlog=4096)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SOCKET_BYTES)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BYTES)
    server = await asyncio.start_server(serve, sock=listening, limit=SOCKET_BYTES)
    try:
        yield f"127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.close()
        for task in tuple(serving):
            task.cancel()
        await server.wait_closed()


async def _answer_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.transport.set_write_buffer_limits(high=0)
    while True:
        head = await reader.readuntil(b"\r\n\r\n")
        path = head.split(b" ", 2)[1]
        if path == b"/":
            writer.write(OK)
        elif path == b"/large":
            writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % LARGE_BYTES)
            for _ in range(LARGE_BYTES // len(PIECE)):
                writer.write(PIECE)
                await writer.drain()
        elif path == b"/hold":
            await asyncio.Event().wait()
        else:
            while await reader.read(65_536):
                pass
            return
        await writer.drain()


def _certificate(folder: Path) -> Certificate:
    pair = made(HOST)
    files = Certificate(folder / "edge.crt", folder / "edge.key")
    files.certificate.write_text(pair.certificate)
    files.key.write_text(pair.key)
    return files


def _place(address: str) -> tuple[str, int]:
    host, _, port = address.rpartition(":")
    return host, int(port)
