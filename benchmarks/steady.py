"""A client that asks a steady number of times a second, repeats nothing, and counts what failed (dataplane/engine/examples/steady.rs)."""

import json
from pathlib import Path
from typing import Self

from benchmarks.peers.subject import EXAMPLES, require
from tests.support import Process
from tests.support.running import Running

PROGRAM = EXAMPLES / "steady"
# Asked for so often a second (issue 5).
RATE = 500


class Steady(Running):
    """`async with Steady(address, host, folder) as load:`; `await load.end()` gives how many were sent, and how many failed by what was seen."""

    def __init__(self, address: str, host: str, folder: Path) -> None:
        command: list[str | Path] = [require(PROGRAM, "run make bench"), address, host, str(RATE)]
        self._process = Process("steady", command, folder=folder)

    async def start(self) -> Self:
        self._process.start()
        return self

    def close(self) -> None:
        self._process.kill()

    async def end(self) -> tuple[int, dict[str, int]]:
        await self._process.terminate()
        said = json.loads(self._process.output().splitlines()[-1])
        return said["sent"], said["failed"]
