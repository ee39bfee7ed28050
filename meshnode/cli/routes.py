"""`meshnode routes`: every route as it stands in Consul, in one line, with what the nodes say of it; and one at length."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from catalog import (
    FieldOrigin,
    KvEntry,
    Problem,
    Route,
    did_you_mean,
    field_origins,
    nearest,
    parse_route,
    route_name,
    to_resource,
)

from ..errors import EXIT_REFUSED, MeshnodeError
from .completing import complete_route
from .nodes import Nodes, read_nodes
from .options import Asked, with_consul
from .output import console, printable, say, say_json, say_table
from .reach import consul_client, run
from .routes_line import one_line
from .routes_width import shortened
from .verdict import say_problem, short
from .waiting import PEOPLES, verdict_of

PREFIX = "mesh/routes/"
VALUE_MOST = 200
"""Bytes shown of a value that says no route."""
HEADS = ("route", "index", "what", "nodes")
GAP = 3
"""Columns between those of a table."""
LEAST_WIDTH = 40
"""Of what a route says, however narrow the terminal: it breaks the line then."""
ORIGIN = "Say of each field which key it comes from."


app = typer.Typer()


@app.callback(invoke_without_command=True)
@with_consul
def routes(asked: Asked, ctx: typer.Context) -> None:
    """List routes with what the nodes say of them."""
    if ctx.invoked_subcommand is None:
        run(_routes(asked))


@app.command()
@with_consul
def show(
    asked: Asked,
    name: Annotated[
        str,
        typer.Argument(
            help="The route: what its key has below mesh/routes/.", autocompletion=complete_route
        ),
    ],
    origin: Annotated[bool, typer.Option("--origin", help=ORIGIN)] = False,  # noqa: FBT002  (a flag)
) -> None:
    """Show every field of one route, with what its service's policy and the mesh's settings add."""
    run(_show(asked, name.removeprefix(PREFIX), has_origin=origin))


async def _routes(asked: Asked) -> None:
    async with consul_client(asked.settings) as client:
        entries = [entry for entry in await client.kv_list(PREFIX) if not entry.key.endswith("/")]
        nodes = await read_nodes(client)
    if asked.as_json:
        say_json([_document(entry, nodes) for entry in entries])
        return
    if not entries:
        say(
            "there are no routes; the first: meshnode kv put mesh/routes/shop 'shop.example/ -> shop'"
        )
        return
    names = [entry.key.removeprefix(PREFIX) for entry in entries]
    indexes = [str(entry.modify_index) for entry in entries]
    verdicts = [short(verdict_of(entry.key, entry, nodes)) for entry in entries]
    beside = [_widest(HEADS[at], cells) for at, cells in ((0, names), (1, indexes), (3, verdicts))]
    width = console().width - sum(beside) - GAP * (len(HEADS) - 1)
    texts = shortened([_text(entry) for entry in entries], max(width, LEAST_WIDTH))
    say_table(HEADS, zip(names, indexes, texts, verdicts, strict=True))


def _widest(head: str, cells: list[str]) -> int:
    return max(len(head), *(len(printable(cell)) for cell in cells))


async def _show(asked: Asked, name: str, *, has_origin: bool) -> None:
    async with consul_client(asked.settings) as client:
        entries = tuple(await client.kv_list(PEOPLES))
    found = field_origins(name, entries)
    if found is None:
        names = [one.key.removeprefix(PREFIX) for one in entries if one.key.startswith(PREFIX)]
        raise MeshnodeError(
            f"there is no route {printable(name)}{did_you_mean(nearest(name, names))}"
        )
    if isinstance(found, Problem):
        if asked.as_json:
            say_json({"route": name, "problem": found.to_json()})
        else:
            say(f"{found.key}   index {found.index}   it says no route")
            say_problem(found)
        raise typer.Exit(EXIT_REFUSED)
    if asked.as_json:
        say_json({"route": name, "fields": [one.to_json() for one in found]})
        return
    heads = ("field", "value", "from") if has_origin else ("field", "value")
    say_table(heads, [_row(one)[: len(heads)] for one in found])


def _row(one: FieldOrigin) -> tuple[str, str, str]:
    where = f"{one.key} {one.index}" if one.key else "built in"
    return one.name, value_text(one.value), where


def value_text(value: Any) -> str:
    """A field's value in one line."""
    if value is None:
        return "none"
    if isinstance(value, list) and all(isinstance(one, dict) and "weight" in one for one in value):
        return ", ".join(f"{one['service']} {one['weight']}%" for one in value)
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _parsed(entry: KvEntry) -> Route | Problem | None:
    name = route_name(entry.key)
    return None if name is None else parse_route(name, entry)


def _text(entry: KvEntry) -> str:
    parsed = _parsed(entry)
    if isinstance(parsed, Route):
        return one_line(to_resource(parsed))
    line, _, more = entry.value[:VALUE_MOST].decode(errors="replace").strip().partition("\n")
    return printable(line + (" …" if more else ""))


def _document(entry: KvEntry, nodes: Nodes) -> dict[str, Any]:
    parsed = _parsed(entry)
    return {
        "key": entry.key,
        "index": entry.modify_index,
        "route": to_resource(parsed) if isinstance(parsed, Route) else None,
        "problem": parsed.to_json() if isinstance(parsed, Problem) else None,
        "nodes": short(verdict_of(entry.key, entry, nodes)),
    }
