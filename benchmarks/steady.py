"""A client that asks a steady number of times a second, repeats nothing, and counts what failed: a program of its own.

`python -m benchmarks.steady ADDRESS HOST RATE` until SIGTERM; then it says what it saw, as JSON. Steady whatever the
answers take: a request that is due goes on any connection that is free, and none that is slow holds up the others.
"""

import asyncio
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


class Steady(Running):
    """`async with Steady(address, host, folder) as load:`; `await load.end()` gives how many were sent and how many failed."""

    def __init__(self, address: str, host: str, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.steady", address, host, str(RATE)]
        self._process = Process("steady", command, folder=folder, cwd=REPOSITORY)

    async def start(self) -> Self:
        self._process.start()
        return self

    def close(self) -> None:
        self._process.kill()

    async def end(self) -> tuple[int, int]:
        await self._process.terminate()
        said = json.loads(self._process.output().splitlines()[-1])
        return int(said["sent"]), int(said["failed"])


class Client:
    """The connections that are free, and what came of each request."""

    def __init__(self, address: str, host: str) -> None:
        self._host, _, port = address.rpartition(":")
        self._port = int(port)
        self._request = f"GET / HTTP/1.1\r\nHost: {host}\r\n\r\n".encode()
        self._free: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self.seen: Counter[str] = Counter()

    async def ask(self) -> None:
        self.seen["sent"] += 1
        try:
            async with asyncio.timeout(ANSWER_S):
                if not self._free:
                    self._free.append(await asyncio.open_connection(self._host, self._port))
                reader, writer = self._free.pop()
                writer.write(self._request)
                status, _, _ = await read_answer(reader)
        except (OSError, EOFError, ValueError, TimeoutError):
            self.seen["failed"] += 1
            return
        self.seen["failed"] += status != 200
        self._free.append((reader, writer))


async def _run(address: str, host: str, rate: int) -> None:
    loop = asyncio.get_running_loop()
    is_over = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, is_over.set)
    client = Client(address, host)
    began = loop.time()
    async with asyncio.TaskGroup() as group:
        while not is_over.is_set():
            while client.seen["sent"] < (loop.time() - began) * rate:
                group.create_task(client.ask())
                await asyncio.sleep(0)
            await asyncio.sleep(1 / rate)
    sys.stdout.write(
        json.dumps({"sent": client.seen["sent"], "failed": client.seen["failed"]}) + "\n"
    )


if __name__ == "__main__":
    asyncio.run(_run(sys.argv[1], sys.argv[2], int(sys.argv[3])))
