"""`meshnode routes`: every route as it stands in Consul, in one line, with what the nodes say of it; and one at length."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from catalog import (
    FieldOrigin,
    KvEntry,
    Problem,
    Route,
    Verdict,
    did_you_mean,
    field_origins,
    nearest,
    parse_route,
    route_name,
    service_of,
    to_resource,
)

from ..errors import EXIT_REFUSED, MeshnodeError
from .completing import complete_route
from .nodes import Nodes, read_nodes
from .options import Asked, with_consul
from .output import console, printable, say, say_json, say_table
from .reach import consul_client, run
from .routes_force import InForce, read_in_force
from .routes_line import one_line
from .routes_values import value_text
from .routes_width import shortened
from .verdict import say_problem, sentence, short
from .waiting import PEOPLES, verdict_of

PREFIX = "mesh/routes/"
POLICIES = "mesh/services/"
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
    for problem in nodes.held_back:
        say_problem(problem, indent="")
    if not entries:
        if nodes.held_back:
            return
        say(
            "there are no routes; the first: meshnode kv put mesh/routes/shop 'shop.example/ -> shop'"
        )
        return
    names = [entry.key.removeprefix(PREFIX) for entry in entries]
    indexes = [str(entry.modify_index) for entry in entries]
    verdicts = [short(verdict_of(entry.key, entry, nodes)) for entry in entries]
    beside = [_widest(HEADS[at], cells) for at, cells in ((0, names), (1, indexes), (3, verdicts))]
    room = console().width - sum(beside) - GAP * (len(HEADS) - 1)
    texts = shortened([_text(entry) for entry in entries], max(room, LEAST_WIDTH))
    width = console().width + max(0, _widest(HEADS[2], texts) - room)
    say_table(HEADS, zip(names, indexes, texts, verdicts, strict=True), width=width)


def _widest(head: str, cells: list[str]) -> int:
    return max(len(head), *(len(printable(cell)) for cell in cells))


async def _show(asked: Asked, name: str, *, has_origin: bool) -> None:
    key = PREFIX + name
    async with consul_client(asked.settings) as client:
        entries = tuple(await client.kv_list(PEOPLES))
        if not any(entry.key == key for entry in entries):
            names = [one.key.removeprefix(PREFIX) for one in entries if one.key.startswith(PREFIX)]
            raise MeshnodeError(
                f"there is no route {printable(name)}{did_you_mean(nearest(name, names))}"
            )
        nodes = await read_nodes(client)
        force = await read_in_force(client, asked.settings, entries, nodes, key)
    refused, entry = force.refused.get(key), next(one for one in entries if one.key == key)
    parsed = None if refused else parse_route(name, entry)
    problem = parsed if isinstance(parsed, Problem) else None
    found = None if problem else field_origins(name, force.entries)
    fields = found if isinstance(found, tuple) else ()
    if asked.as_json:
        say_json(_shown(name, fields, refused, problem))
    else:
        _say_shown(key, fields, force, problem, has_origin=has_origin)
    if refused is not None or problem is not None:
        raise typer.Exit(EXIT_REFUSED)


def _shown(
    name: str, fields: tuple[FieldOrigin, ...], refused: Verdict | None, problem: Problem | None
) -> dict[str, Any]:
    document: dict[str, Any] = {"route": name}
    told = next(iter(refused.problems), None) if refused else problem
    if told is not None:
        document["problem"] = told.to_json()
    if fields or told is None:
        document["fields"] = [one.to_json() for one in fields]
    return document


def _say_shown(
    key: str,
    fields: tuple[FieldOrigin, ...],
    force: InForce,
    problem: Problem | None,
    *,
    has_origin: bool,
) -> None:
    services = {service for one in fields for service in _services(one)}
    for name, verdict in force.refused.items():
        if name.startswith(POLICIES) and name.removeprefix(POLICIES) not in services:
            continue
        lost = ", but its value is not in history" if name in force.unknown else ""
        say(f"{name}   index {verdict.index}   {sentence(verdict)}{lost}")
        for one in verdict.problems:
            say_problem(one)
    if problem is not None and key not in force.refused:
        say(f"{key}   index {problem.index}   it says no route")
        say_problem(problem)
    if not fields:
        return
    if key in force.refused:
        say(f"in force is the form of index {force.refused[key].serving_index}:")
    heads = ("field", "value", "from") if has_origin else ("field", "value")
    say_table(heads, [_row(one)[: len(heads)] for one in fields])


def _services(one: FieldOrigin) -> list[str]:
    """Those a field leads to."""
    targets = [one.value] if one.name == "service" else []
    targets += [part["service"] for part in one.value] if one.name == "split" else []
    return [service_of(target) for target in targets]


def _row(one: FieldOrigin) -> tuple[str, str, str]:
    where = f"{one.key} {one.index}" if one.key else "built in"
    return one.name, value_text(one.name, one.value), where


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
