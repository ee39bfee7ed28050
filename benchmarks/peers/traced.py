"""meshnode-proxy with somebody who fetches every span, as the agent of a node with a receiver of traces does.

The reader runs beside the load and its cost is not counted; encoding and handing out the spans is the proxy's, and is.
"""

import asyncio
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import aiohttp

from benchmarks.peers import meshnode
from benchmarks.peers.subject import Site, Subject

# As the agent asks: answered as soon as there are spans.
WAIT_MS = 1000


@dataclass(slots=True)
class Traced(Subject):
    """A proxy and its reader."""

    socket: Path = field(kw_only=True)
    _reading: asyncio.Task[None] | None = field(default=None, init=False)

    async def start(self) -> Self:
        await Subject.start(self)
        self._reading = asyncio.create_task(self._read())
        return self

    def close(self) -> None:
        if self._reading is not None:
            self._reading.cancel()
        Subject.close(self)

    def cpu_ns(self) -> int:
        """Raises what ended the reader: without it nothing would be traced."""
        if self._reading is not None and self._reading.done():
            self._reading.result()
        return Subject.cpu_ns(self)

    async def _read(self) -> None:
        connector = aiohttp.UnixConnector(str(self.socket))
        async with aiohttp.ClientSession(connector=connector) as session:
            while True:
                url = f"http://proxy/v1/spans?wait_ms={WAIT_MS}"
                async with session.get(url) as answer:
                    answer.raise_for_status()
                    await answer.read()


def plain(site: Site) -> Subject:
    socket = site.folder / "proxy.sock"
    subject = meshnode.plain(site, "--control", socket)
    return Traced(subject.address, subject.processes, socket=socket)
