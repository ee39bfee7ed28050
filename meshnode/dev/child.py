"""A program the demo runs: started bound to us, its output in a log, watched by pidfd. Knows nothing of what it does."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Self

from ..proxy import bound
from ..proxy.process import log_tail

# Settings of whoever starts the demo must not reach its nodes.
FOREIGN = ("MESHNODE_", "CONSUL_", "OTEL_", "DEMO_", "PYTHONPATH")


class Child:
    """One life of a program; the next life is another Child."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self._process = process
        self._log = log
        self._descriptor = os.pidfd_open(process.pid)

    @classmethod
    def start(
        cls, name: str, words: Sequence[str], *, environment: Mapping[str, str], log: Path
    ) -> Self:
        """Started so that it is told to end (SIGTERM) when we end, however that happens."""
        with log.open("ab") as output:
            process = subprocess.Popen(
                [*bound.before(signal.SIGTERM), *words],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=own_environment(environment),
            )
        return cls(name, process, log)

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def is_running(self) -> bool:
        return self._process.poll() is None

    def how_it_ended(self) -> str:
        """`ended by signal 9`, `ended with code 1: …`, with the last line it wrote."""
        code = self._process.poll()
        if code is None:
            return "runs"
        if code < 0:
            return f"ended by signal {-code}"
        last = log_tail(self._log).removeprefix("meshnode: ")
        return f"ended with code {code}" + (f": {last}" if last else "")

    async def ended(self) -> None:
        """Returns when it is gone."""
        loop = asyncio.get_running_loop()
        gone = asyncio.Event()
        loop.add_reader(self._descriptor, gone.set)
        try:
            await gone.wait()
        finally:
            loop.remove_reader(self._descriptor)
        self._process.poll()

    async def end(self, grace_s: float) -> None:
        """SIGTERM, and SIGKILL for one that takes longer."""
        if self.is_running:
            self._process.send_signal(signal.SIGTERM)
            try:
                async with asyncio.timeout(grace_s):
                    await self.ended()
            except TimeoutError:
                self._process.kill()
                await self.ended()
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def own_environment(added: Mapping[str, str]) -> dict[str, str]:
    """Ours without what would steer a node, and with `added`."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(FOREIGN)}
    return {**kept, **added}
