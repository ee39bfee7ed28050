"""What goes over a port, as tcpdump sees it."""

import asyncio
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support import Process, wait_until

START_SECONDS = 20.0


class Capture:
    """`async with Capture(file, port) as capture:` keeps every byte to and from `port` on loopback."""

    def __init__(self, file: Path, port: int) -> None:
        self.file = file
        command = ["tcpdump", "-i", "lo", "-U", "-s", "0", "-Z", "root"]
        command += ["-w", str(file), f"tcp port {port}"]
        self.process = Process(f"tcpdump-{port}", command, folder=file.parent)

    async def has_seen(self, packets: int) -> None:
        """Returns once so many packets are in the file, at sixteen bytes of a record's head each at the least."""
        await self.process.until(
            lambda: len(self.bytes()) > 24 + 16 * packets,
            START_SECONDS,
            what="packets are captured",
        )

    def bytes(self) -> bytes:
        """The file as it is: packet heads, and the payloads as they went over the wire."""
        return self.file.read_bytes() if self.file.exists() else b""

    async def __aenter__(self) -> Self:
        self.process.start()
        await self.process.until(
            lambda: "listening on" in self.process.output(), START_SECONDS, what="tcpdump listens"
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.process.is_running:
            await asyncio.shield(self.process.terminate())
        await wait_until(lambda: not self.process.is_running, START_SECONDS, what="tcpdump ends")
