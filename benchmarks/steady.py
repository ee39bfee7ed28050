"""A client that asks a steady number of times a second, repeats nothing, and counts what failed: a program of its own.

`python -m benchmarks.steady ADDRESS HOST RATE` until SIGTERM; then it says what it saw, as JSON. Steady whatever the
answers take: a request that is due goes on any connection that is free, and none that is slow holds up the others.
"""

import asyncio
import contextlib
import json
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import Self

from tests.support import Process
from tests.support.load import read_answer
from tests.support.running import Running

REPOSITORY = Path(__file__).parent.parent
# A request without an answer for so long is a failed one.
ANSWER_S = 10.0
# Asked for so often a second (issue 5).
RATE = 500

Connection = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Steady(Running):
    """`async with Steady(address, host, folder) as load:`; `await load.end()` gives how many were sent, and how many failed by what was seen."""

    def __init__(self, address: str, host: str, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.steady", address, host, str(RATE)]
        self._process = Process("steady", command, folder=folder, cwd=REPOSITORY)

    async def start(self) -> Self:
        self._process.start()
        return self

    def close(self) -> None:
        self._process.kill()

    async def end(self) -> tuple[int, dict[str, int]]:
        await self._process.terminate()
        said = json.loads(self._process.output().splitlines()[-1])
        return said["sent"], said["failed"]


class Client:
    """The connections that are free, and what came of each request."""

    def __init__(self, address: str, host: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._free: list[Connection] = []
        self.sent = 0
        self.failed: Counter[str] = Counter()
        """By what was seen: a status, or the name of an error."""

    async def ask(self) -> None:
        self.sent += 1
        try:
            async with asyncio.timeout(ANSWER_S):
                reader, writer = self._kept() or await self._made()
                try:
                    writer.write(self._request)
                    status, _, _ = await read_answer(reader)
                except BaseException:
                    writer.close()
                    raise
        except (OSError, EOFError, ValueError, TimeoutError) as error:
            self.failed[type(error).__name__] += 1
            return
        if status != 200:
            self.failed[str(status)] += 1
        self._free.append((reader, writer))

    async def close(self) -> None:
        for _, writer in self._free:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()

    async def _made(self) -> Connection:
        return await asyncio.open_connection(self._host, self._port)

    def _kept(self) -> Connection | None:
        """A free connection; what the other side has closed, as servers do with one that rests, goes (RFC 9112 §9.6)."""
        while self._free:
            reader, writer = self._free.pop()
            if not reader.at_eof():
                return reader, writer
            writer.close()
        return None


async def _run(address: str, host: str, rate: int) -> None:
    loop = asyncio.get_running_loop()
    is_over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, is_over.set)
    client = Client(address, host)
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        while not is_over.is_set():
            while client.sent < (loop.time() - began) * rate:
                group.create_task(client.ask())
                await asyncio.sleep(0)
            await asyncio.sleep(1 / rate)
    await client.close()
    sys.stdout.write(json.dumps({"sent": client.sent, "failed": client.failed}) + "\n")


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
