"""The steady client: it repeats nothing, and takes no connection that rested until the other side closed it."""

import asyncio
import contextlib
from collections import Counter

from benchmarks.steady import Client
from tests.support import wait_until

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Server:
    """Answers on kept connections; counts those it took, and closes the ones at rest when told."""

    def __init__(self, answer: bytes = ANSWER) -> None:
        self.answer = answer
        self.taken = 0
        self.resting: list[asyncio.StreamWriter] = []

    async def close(self) -> None:
        for writer in self.resting:
            writer.close()
            await writer.wait_closed()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.taken += 1
        self.resting.append(writer)
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                await reader.readuntil(b"\r\n\r\n")
                writer.write(self.answer)


async def _serving(server: Server) -> tuple[asyncio.Server, Client]:
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    return listening, Client(f"127.0.0.1:{port}", "bench.test")


async def test_a_connection_that_was_closed_at_rest_fails_no_request() -> None:
    server = Server()
    listening, client = await _serving(server)
    async with listening:
        await asyncio.gather(client.ask(), client.ask())
        await server.close()

        async def is_seen() -> bool:
            return all(reader.at_eof() for reader, _ in client._free)

        await wait_until(is_seen, 30)
        await client.ask()
        await client.close()
        await server.close()
    assert (client.sent, client.failed, server.taken) == (3, Counter(), 3)


async def test_what_failed_is_told_by_cause() -> None:
    server = Server(ANSWER.replace(b"200 OK", b"503 No"))
    listening, client = await _serving(server)
    async with listening:
        await client.ask()
        server.answer = b"no HTTP\r\n\r\n"
        await client.ask()
        await client.close()
        await server.close()
    assert (client.sent, client.failed) == (2, Counter({"503": 1, "ValueError": 1}))
