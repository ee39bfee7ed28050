"""What went over the wire, captured by tcpdump. Needs root."""

import os
import signal
from pathlib import Path
from typing import Self

from tests.support.process import Process, wait_until
from tests.support.running import Running

READY_SECONDS = 20.0


class Capture(Running):
    """`async with Capture(tmp_path, f"tcp port {port}") as capture:`, then `await capture.payload()`.

    The filter is tcpdump's. The loopback interface by default: all of one machine's addresses talk over it.
    """

    def __init__(
        self, folder: Path, expression: str, *, interface: str = "lo", name: str = "capture"
    ) -> None:
        self.path = folder / f"{name}.pcap"
        # --immediate-mode and -U: a packet stands in the file when it was seen, not when a buffer is full.
        options = [
            "-i",
            interface,
            "--immediate-mode",
            "-U",
            "-s",
            "0",
            "-Z",
            "root",
            "-w",
            str(self.path),
        ]
        self.process = Process(name, ["tcpdump", *options, expression], folder=folder)

    async def start(self) -> Self:
        if os.geteuid() != 0:
            raise PermissionError("capturing packets needs root")
        self.process.start()
        await self.process.until(
            lambda: "listening on" in self.process.output(), READY_SECONDS, what="tcpdump listens"
        )
        return self

    def close(self) -> None:
        self.process.kill()

    async def payload(self) -> bytes:
        """Ends the capture: all bytes of all packets, headers included, in their order."""
        if self.process.is_running:
            # What the kernel holds is written at SIGINT; before it, wait until nothing more comes.
            await self._until_quiet()
            self.process.signal(signal.SIGINT)
            await self.process.wait()
        return self.path.read_bytes()

    async def _until_quiet(self) -> None:
        sizes = [-1]

        def is_quiet() -> bool:
            sizes.append(self.path.stat().st_size)
            return sizes[-1] == sizes[-2]

        await wait_until(is_quiet, what="the capture stands still", interval=0.2)
