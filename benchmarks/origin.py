"""What answers behind every proxy: a small native program (dataplane/engine/examples/origin.rs), 1 KiB an answer or what it is told.

It shares wrk's core and its cost is not counted; it is as cheap as can be, so that the core of the load is not full
before the proxy's is.
"""

from pathlib import Path
from typing import Self

from benchmarks.peers.subject import EXAMPLES, answers, local_address, require
from tests.support import Process
from tests.support.running import Running

PROGRAM = EXAMPLES / "origin"
READY_SECONDS = 20.0
BODY_BYTES = 1024


class Origin(Running):
    """`async with Origin(folder) as origin:` answers at `origin.address`."""

    def __init__(self, folder: Path, *, body_bytes: int = BODY_BYTES) -> None:
        self.address = local_address()
        binary = require(PROGRAM, "run make bench")
        command: list[str | Path] = [binary, self.address, str(body_bytes)]
        self._process = Process("origin", command, folder=folder)

    async def start(self) -> Self:
        self._process.start()
        await self._process.until(self._answers, READY_SECONDS, what="the origin answers")
        return self

    def close(self) -> None:
        self._process.kill()

    async def _answers(self) -> bool:
        return await answers(self.address)
