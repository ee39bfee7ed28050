"""`meshnode dev`: a mesh of several nodes on this machine with a small shop, until Ctrl-C. Nothing else is needed for it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from ..dev import MAX_NODES, USUAL_NODES
from ..errors import UsageError
from .options import TokenFile, given_by
from .output import printable
from .reach import run, token_of


def add_to(app: typer.Typer) -> None:
    app.command(epilog=EPILOG)(dev)


EPILOG = "Ctrl-C ends all of it, and so does any other end of it, kill -9 included."


def dev(
    nodes: Annotated[
        int | None,
        typer.Option(
            "--nodes",
            min=1,
            max=MAX_NODES,
            help=f"How many nodes, on 127.0.0.11 and up (default {USUAL_NODES}).",
            show_default=False,
        ),
    ] = None,
    data: Annotated[
        Path | None,
        typer.Option(
            "--data",
            help="A folder of its own, whose keys and intentions are kept. Without it each start is a fresh one.",
            show_default=False,
        ),
    ] = None,
    consul: Annotated[
        list[str] | None,
        typer.Option(
            "--consul",
            metavar="HOST:PORT",
            help="A real Consul agent on this machine instead of the embedded registry; once for each node.",
            show_default=False,
        ),
    ] = None,
    token_file: TokenFile = None,
    otlp: Annotated[
        str | None,
        typer.Option(
            "--otlp",
            metavar="HOST:PORT",
            help="Send spans to this OTLP receiver too: by gRPC, or by HTTP if it is a URL or port 4318.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Run a whole mesh on this machine, with a small shop to try it on."""
    from ..dev.folder import Folder, default_folder
    from ..dev.keeper import leave_a_keeper

    addresses = tuple(consul or ())
    if addresses and nodes not in (None, len(addresses)):
        raise UsageError(
            f"--nodes {nodes} and {len(addresses)} × --consul: each node has a Consul agent of its own, "
            "so name --consul once for each node"
        )
    token = _token(addresses, token_file)
    folder = Folder((data or default_folder(os.environ)).expanduser().absolute())
    folder.take()
    leave_a_keeper()
    # Heavy rooms are loaded by the worker alone.
    from ..dev.demo import Wanted, run_demo

    wanted = Wanted(
        nodes=nodes or USUAL_NODES,
        consul=addresses,
        token=token,
        otlp=otlp,
        is_kept=data is not None,
    )
    run(run_demo(wanted, folder, tell))


def tell(line: str) -> None:
    """A line as it is. A reader who went away is a BrokenPipeError, which ends the demo in order."""
    sys.stdout.write(f"{printable(line)}\n")
    sys.stdout.flush()


def _token(addresses: tuple[str, ...], token_file: str | None) -> str | None:
    """Consul's token; for the embedded registry there is none. Raises SettingsError for an address that is none."""
    from ..config import read_settings

    token = None
    for address in addresses:
        flags = {"consul_address": address, "consul_token_file": token_file}
        token = token_of(read_settings(given_by(None, flags)))
    return token
