"""`meshnode acl policy`: the least policy a node's token needs, ready for `consul acl policy create -rules -`."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog import least_policy

from ..errors import UsageError
from .options import Asked, with_consul
from .output import say_json
from .reach import consul_client, run

app = typer.Typer(help="Consul's ACLs.", no_args_is_help=True)


@app.callback()
def _group() -> None:
    """Consul's ACLs."""


@app.command()
@with_consul
def policy(
    asked: Asked,
    node: Annotated[
        str | None,
        typer.Option("--node", help="The Consul node; left out: the one of this machine."),
    ] = None,
    service: Annotated[
        list[str] | None,
        typer.Option("--service", help="A service that runs on the node; once for each."),
    ] = None,
    signer: Annotated[bool, typer.Option("--signer", help="It may sign certificates.")] = False,  # noqa: FBT002  (a flag)
    edge: Annotated[bool, typer.Option("--edge", help="It takes requests from outside.")] = False,  # noqa: FBT002
) -> None:
    """Print the least policy of a node's token."""
    name = node or run(_own_node(asked))
    services = sorted(set(service or []))
    _check(name, *services)
    rules = least_policy(name, services, has_edge=edge, is_signer=signer)
    if asked.as_json:
        say_json({"node": name, "rules": rules})
        return
    # As it is, without rich: it is piped into `consul acl policy create -name … -rules -`.
    typer.echo(rules, nl=False)


async def _own_node(asked: Asked) -> str:
    async with consul_client(asked.settings) as client:
        return (await client.node_self()).node


def _check(*names: str) -> None:
    for name in names:
        if not name or '"' in name or not name.isprintable():
            raise UsageError(f"{name!r} is no name of a node or service")
