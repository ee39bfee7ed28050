"""`meshnode registry`: the store of a mesh on one machine, instead of a Consul. Knows nothing of what it holds."""

from __future__ import annotations

import asyncio
import ipaddress
import os
import re
import signal
from pathlib import Path
from typing import Annotated

import typer

from ..errors import UsageError
from .output import say
from .reach import run

DEFAULT_LISTEN = "127.0.0.1:8500"
DEFAULT_NODE = "node-1"
LOOPBACK = ("localhost", "::1")


def add_to(app: typer.Typer) -> None:
    app.command(epilog=EPILOG)(registry)


EPILOG = (
    "It has KV, transactions, sessions, the catalog, checks, health and intentions as Consul 1.22 has them, for its "
    "nodes and for the consul command; what it lacks it answers with 501 by name. It has no ACLs: whoever reaches "
    "its address may change everything. A write is answered once it is on the disk."
)
_NODE_NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")


def registry(
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="The file everything is kept in: by default ~/.local/state/meshnode/registry.db, "
            "root's in /var/lib/meshnode.",
            show_default=False,
        ),
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
    from ..log import set_up

    host, port = _address(listen)
    _check_node(node, node_address)
    set_up("info", is_journal="JOURNAL_STREAM" in os.environ)
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


def _check_node(node: str, address: str) -> None:
    if not _NODE_NAME.fullmatch(node):
        raise UsageError(
            f'--node "{node}" is no name of a node: letters, digits, "-", "_" and "." are'
        )
    try:
        ipaddress.ip_address(address)
    except ValueError:
        raise UsageError(f'--node-address "{address}" is no IP address') from None


async def _serve(data: Path, host: str, port: int, node: str, node_address: str) -> None:
    from catalog.embedded import Registry

    from ..agent.notify import VARIABLE, Notifier
    from ..handles import take_all

    take_all()
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with Registry(data) as running:
        await running.add_node(node, node_address)
        taken = await running.listen(host, port, node)
        where = f"[{host}]:{taken}" if ":" in host else f"{host}:{taken}"
        _tell(where, data, node, node_address)
        if host not in LOOPBACK and not host.startswith("127."):
            say(f"whoever reaches {where} may change everything: there are no ACLs here")
        Notifier(os.environ.get(VARIABLE)).ready(f"answers at {where}")
        await ended.wait()


def _tell(where: str, data: Path, node: str, node_address: str) -> None:
    say(f"registry   {where} speaks Consul's API for {node} ({node_address}), kept in {data}")
    say("next, in another terminal:")
    say(f"  meshnode agent --consul {where}")
    say(f"  meshnode kv put mesh/routes/shop 'shop.test/ -> shop' --consul {where}")
    say("Ctrl-C ends it; what was written stays.")
