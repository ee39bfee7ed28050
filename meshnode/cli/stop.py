"""`meshnode stop`: ends agent and proxy of this machine, in this order; with --leave the node leaves the mesh too."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import Annotated

import typer

from ..config import Folders, Settings
from ..config.folders import lock_holder
from ..errors import MeshnodeError
from ..proxy import stop_proxy
from .nodes import EDGE_SERVICE, NODE_SERVICE
from .options import Asked, with_consul
from .output import say, say_json
from .reach import consul_client, run

# The agent only cancels its tasks and saves what waits.
AGENT_END_S = 15.0

StateFolder = Annotated[
    str | None,
    typer.Option("--state-folder", help="The agent's state folder.", show_default=False),
]
RunFolder = Annotated[
    str | None, typer.Option("--run-folder", help="The agent's run folder.", show_default=False)
]
Leave = Annotated[
    bool,
    typer.Option(
        "--leave", help="Take the node out of the mesh for good: its services count as plain then."
    ),
]


def add_to(app: typer.Typer) -> None:
    app.command()(stop)


@with_consul
def stop(
    asked: Asked,
    state_folder: StateFolder = None,
    run_folder: RunFolder = None,
    leave: Leave = False,  # noqa: FBT002  (a flag)
) -> None:
    """End the agent and the proxy of this machine; what runs may finish first."""
    named = {"state_folder": state_folder, "run_folder": run_folder}
    settings = asked.with_flags({name: word for name, word in named.items() if word})
    ended = run(_stop(settings, leave=leave))
    if asked.as_json:
        say_json({"stopped": ended})
    else:
        say(f"stopped: {', '.join(ended)}" if ended else f"nothing runs in {settings.state_folder}")


async def _stop(settings: Settings, *, leave: bool) -> list[str]:
    folders = Folders.of(settings)
    ended = ["agent"] if await _stop_agent(folders) else []
    if await stop_proxy(folders.control_socket, settings.proxy_drain_s):
        ended.append("proxy")
    if leave:
        await _leave(settings)
        ended.append("registration")
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


async def _leave(settings: Settings) -> None:
    async with consul_client(settings) as client:
        for service in (EDGE_SERVICE, NODE_SERVICE):
            await client.deregister_service(service)
