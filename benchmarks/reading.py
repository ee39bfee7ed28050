"""A program that watches `mesh/` as an agent does and makes nothing of it: what reading and decoding costs of a change.

`python -m benchmarks.reading ADDRESS` until SIGTERM.
"""

import asyncio
import random
import sys
from pathlib import Path
from typing import Self

from catalog import ConsulClient
from catalog.sources import KvSource
from catalog.watch import Watch
from tests.support import Process
from tests.support.running import Running

REPOSITORY = Path(__file__).parent.parent
READY_S = 30.0
READING = "reading"


class Reader(Running):
    """`async with Reader(address, folder) as reader:` reads each change of `mesh/` until the end."""

    def __init__(self, address: str, folder: Path) -> None:
        command = [sys.executable, "-m", "benchmarks.reading", address]
        self._process = Process("reading", command, folder=folder, cwd=REPOSITORY)

    @property
    def pid(self) -> int:
        return self._process.pid

    async def start(self) -> Self:
        self._process.start()
        await self._process.until(self._is_reading, READY_S, what="mesh/ is read")
        return self

    def close(self) -> None:
        self._process.kill()

    def _is_reading(self) -> bool:
        return READING in self._process.output()


async def _read(address: str) -> None:
    async with ConsulClient(address) as client:
        watch = Watch(
            KvSource(client.reads, "mesh/"),
            client,
            deliver=lambda _: None,
            on_answer=lambda: None,
            on_restored=lambda: None,
            jitter=random.Random(),
        )
        await watch.turn()
        sys.stdout.write(f"{READING}\n")
        sys.stdout.flush()
        while True:
            await watch.turn()


if __name__ == "__main__":
    asyncio.run(_read(sys.argv[1]))
