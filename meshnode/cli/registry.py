"""`meshnode registry`: the store of a mesh on one machine, instead of a Consul. Knows nothing of what it holds."""

from __future__ import annotations

import asyncio
import os
import resource
import signal
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .output import say
from .reach import run

DEFAULT_LISTEN = "127.0.0.1:8500"
DEFAULT_NODE = "node-1"


def add_to(app: typer.Typer) -> None:
    app.command()(registry)


def registry(
    data: Annotated[
        Path | None,
        typer.Option("--data", help="The file everything is kept in.", show_default=False),
    ] = None,
    listen: Annotated[
        str, typer.Option("--listen", help="Where Consul's API is to be answered.")
    ] = DEFAULT_LISTEN,
    node: Annotated[
        str, typer.Option("--node", help="The name of this machine's node.")
    ] = DEFAULT_NODE,
    node_address: Annotated[
        str, typer.Option("--node-address", help="The address others reach it at.")
    ] = "127.0.0.1",
) -> None:
    """Run the embedded registry: the part of Consul one machine needs, kept in one file."""
    host, port = _address(listen)
    run(_serve(data or default_data(), host, port, node, node_address))


def default_data() -> Path:
    """Root's services keep their data under /var/lib, people under their home."""
    if os.geteuid() == 0:
        return Path("/var/lib/meshnode/registry.db")
    state = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(state) / "meshnode" / "registry.db"


def _address(text: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise UsageError(f'--listen "{text}" is no address: write it as {DEFAULT_LISTEN}')
    return host.strip("[]"), int(port)


async def _serve(data: Path, host: str, port: int, node: str, node_address: str) -> None:
    from catalog.embedded import Registry

    _take_all_handles()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Registry(data) as running:
        await running.add_node(node, node_address)
        taken = await running.listen(host, port, node)
        _tell(f"[{host}]:{taken}" if ":" in host else f"{host}:{taken}", data, node, node_address)
        await ended.wait()


def _take_all_handles() -> None:
    """Each waiting client is a handle: as many as the machine lets us have."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _tell(where: str, data: Path, node: str, node_address: str) -> None:
    say(f"registry   {where} speaks Consul's API for {node} ({node_address}), kept in {data}")
    say("next, in another terminal:")
    say(f"  meshnode agent --consul {where}")
    say(f"  meshnode kv put mesh/routes/shop 'shop.test/ -> shop' --consul {where}")
    say("Ctrl-C ends it; what was written stays.")
