"""`meshnode intentions`: who may call whom, as Consul's own intentions. Keeps nothing of its own."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated, Literal

import typer

from catalog import ConsulClient, ConsulDenied, Intentions, did_you_mean, nearest

from ..errors import MeshnodeError, UsageError
from .completing import complete_service
from .options import Asked, with_consul
from .output import say, say_json
from .reach import consul_client, run

app = typer.Typer(
    help="Say which service may call which (Consul's intentions).",
    no_args_is_help=True,
)

Source = Annotated[
    str,
    typer.Argument(help="The calling service; * is every one.", autocompletion=complete_service),
]
Destination = Annotated[
    str, typer.Argument(help="The called service; * is every one.", autocompletion=complete_service)
]

# Consul's names of services; anything else can only be a slip.
_NAME = re.compile(r"\*|[A-Za-z0-9]([A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")


@app.command()
@with_consul
def allow(asked: Asked, source: Source, destination: Destination) -> None:
    """Let SOURCE call DESTINATION."""
    run(_put(asked, source, destination, "allow"))


@app.command()
@with_consul
def deny(asked: Asked, source: Source, destination: Destination) -> None:
    """Refuse calls of SOURCE to DESTINATION."""
    run(_put(asked, source, destination, "deny"))


@app.command()
@with_consul
def delete(asked: Asked, source: Source, destination: Destination) -> None:
    """Take the intention of this pair away; what is more general decides then."""
    run(_delete(asked, source, destination))


@app.command("ls")
@with_consul
def list_intentions(asked: Asked) -> None:
    """List them in the order they are asked, by destination."""
    run(_list(asked))


async def _put(
    asked: Asked, source: str, destination: str, action: Literal["allow", "deny"]
) -> None:
    _check(source, destination)
    async with consul_client(asked.settings) as client:
        known = await client.intentions()
        if _has_permissions(known, source, destination):
            raise MeshnodeError(
                f"the intention {source} => {destination} has Permissions, which this would throw away: "
                "change it with `consul config write`, or delete it first"
            )
        await client.intention_put(source, destination, action)
        unknown = await _unknown(client, source, destination)
    _done(asked, source, destination, action, unknown)


async def _delete(asked: Asked, source: str, destination: str) -> None:
    _check(source, destination)
    async with consul_client(asked.settings) as client:
        known = {
            (one.name, entry.destination)
            for entry in await client.intentions()
            for one in entry.sources
        }
        if (source, destination) not in known:
            raise MeshnodeError(
                f"there is no intention {source} => {destination}: `meshnode intentions ls` lists those there are"
            )
        await client.intention_delete(source, destination)
    _done(asked, source, destination, "deleted")


async def _list(asked: Asked) -> None:
    async with consul_client(asked.settings) as client:
        entries = await client.intentions()
        default = (await client.node_self()).default_intention
    if asked.as_json:
        say_json({"default": default, "intentions": [_document(entry) for entry in entries]})
        return
    for entry in entries:
        for one in entry.sources:
            what = (
                one.action or "has Permissions: everything is refused, they are not understood yet"
            )
            note = f"   {one.description}" if one.description else ""
            say(f"{one.name} => {entry.destination}   {what}   precedence {one.precedence}{note}")
    if not entries:
        say("there are no intentions")
    if default is not None:
        say(
            f"where none decides: {default} (Consul's default; a node's own setting is intentions.default)"
        )


def _has_permissions(known: list[Intentions], source: str, destination: str) -> bool:
    return any(
        one.has_permissions
        for entry in known
        if entry.destination == destination
        for one in entry.sources
        if one.name == source
    )


def _document(entry: Intentions) -> dict[str, object]:
    sources = [
        {"source": one.name, "action": one.action, "has_permissions": one.has_permissions, "precedence": one.precedence}
        for one in entry.sources
    ]  # fmt: skip
    return {"destination": entry.destination, "index": entry.modify_index, "sources": sources}


def _check(*names: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            raise UsageError(f'"{name}" is no name of a service')


async def _unknown(client: ConsulClient, *names: str) -> list[str]:
    """A sentence for each name that no service has: it may come later, or be mistyped."""
    try:
        known = (await client.services()).keys()
    except ConsulDenied:
        return []
    return [
        f'no service is called "{name}"{did_you_mean(nearest(name, sorted(known)))}'
        for name in dict.fromkeys(names)
        if name != "*" and name not in known
    ]


def _done(
    asked: Asked, source: str, destination: str, action: str, warnings: Sequence[str] = ()
) -> None:
    if asked.as_json:
        words = {"source": source, "destination": destination, "action": action}
        say_json({**words, "warnings": list(warnings)})
        return
    say(f"{source} => {destination}   {action}" + (", with a warning" if warnings else ""))
    for warning in warnings:
        say(f"    {warning}")
