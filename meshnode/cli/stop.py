"""`meshnode stop`: ends agent and proxy of this machine, in this order. The node stays in the mesh."""

from __future__ import annotations

import asyncio
import os
import signal

import typer

from ..config import Folders, Settings
from ..config.folders import lock_holder
from ..config.owner import as_owner
from ..errors import MeshnodeError
from ..proxy import stop_proxy
from .options import Asked, RunFolder, StateFolder, with_consul
from .output import say, say_json
from .reach import run

# The agent only cancels its tasks and saves what waits.
AGENT_END_S = 15.0


def add_to(app: typer.Typer) -> None:
    app.command()(stop)


@with_consul
def stop(asked: Asked, state_folder: StateFolder = None, run_folder: RunFolder = None) -> None:
    """End the agent and the proxy of this machine; what runs may finish first."""
    settings = asked.with_folders(state_folder, run_folder)
    ended = run(stop_node(settings))
    if asked.as_json:
        say_json({"stopped": ended})
    else:
        say(f"stopped: {', '.join(ended)}" if ended else f"nothing runs in {settings.state_folder}")


async def stop_node(settings: Settings) -> list[str]:
    """Ends the agent, then the proxy; says which of them ran."""
    folders = Folders.of(settings)
    with as_owner(folders.state):
        ended = ["agent"] if await _stop_agent(folders) else []
        if await stop_proxy(folders.control_socket, settings.proxy_drain_s):
            ended.append("proxy")
    return ended


async def _stop_agent(folders: Folders) -> bool:
    """SIGTERM and its end; by pidfd, so that no other process is meant."""
    pid = lock_holder(folders)
    if pid is None:
        return False
    descriptor = os.pidfd_open(pid)
    try:
        signal.pidfd_send_signal(descriptor, signal.SIGTERM)
        async with asyncio.timeout(AGENT_END_S):
            await _readable(descriptor)
    except TimeoutError:
        raise MeshnodeError(
            f"the agent (process {pid}) did not end within {AGENT_END_S:.0f} s: see its log"
        ) from None
    finally:
        os.close(descriptor)
    return True


async def _readable(descriptor: int) -> None:
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
