"""A proxy of its own for one question: started without a table, never opens a port, ends with the question."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from ..errors import ProxyUnreachable, StartError
from ..proxy import Command, ControlClient, ProxyProcess
from ..proxy.process import log_tail

# From the program's start to its first answer; a loaded machine takes a second.
START_TIMEOUT_S = 15.0
POLL_S = 0.005


@asynccontextmanager
async def lone_proxy() -> AsyncIterator[ControlClient]:
    """The client of its control socket. Raises StartError."""
    with TemporaryDirectory(prefix="meshnode-") as folder:
        log = Path(folder) / "proxy.log"
        socket = Path(folder) / "proxy.sock"
        command = Command(None, socket, log, threads=1, log_level="warning", ends_with_us=True)
        process = ProxyProcess.start(command)
        try:
            async with ControlClient(socket) as client:
                await _first_answer(client, process, log)
                yield client
        finally:
            if process.code is None:
                process.kill()
                await process.ended()
            process.close()


async def _first_answer(client: ControlClient, process: ProxyProcess, log: Path) -> None:
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_TIMEOUT_S
    while True:
        try:
            await client.version()
        except ProxyUnreachable as error:
            if process.code is not None or loop.time() > deadline:
                said = log_tail(log)
                why = f": {said}" if said else f" ({error.cause})"
                raise StartError(f"meshnode-proxy does not start{why}") from error
            await asyncio.sleep(POLL_S)
        else:
            return
