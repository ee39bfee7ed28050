"""`meshnode routes`: every route as it stands in Consul, in one line, with what the nodes say of it."""

from __future__ import annotations

from typing import Any

import typer

from catalog import KvEntry, Problem, Route, parse_route, route_name, to_resource

from .nodes import Nodes, read_nodes
from .options import Asked, with_consul
from .output import printable, say, say_json, say_table
from .reach import consul_client, run
from .verdict import short
from .waiting import verdict_of

PREFIX = "mesh/routes/"
VALUE_CUT = 60


def add_to(app: typer.Typer) -> None:
    app.command()(routes)


@with_consul
def routes(asked: Asked) -> None:
    """List routes with what the nodes say of them."""
    run(_routes(asked))


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
    rows = [
        (entry.key.removeprefix(PREFIX), str(entry.modify_index), _text(entry), short(verdict_of(entry.key, entry, nodes)))
        for entry in entries
    ]  # fmt: skip
    say_table(("route", "index", "what", "nodes"), rows)


def one_line(resource: dict[str, Any]) -> str:
    """A route's resource in the one-line form."""
    ((kind, path),) = resource["path"].items()
    start = f"{', '.join(resource['hosts'])}{'=' if kind == 'exact' else ''}{path}"
    words = [start, "->", _destination(resource["action"])]
    if resource.get("timeout_ms"):
        words.append(f"timeout={_time(resource['timeout_ms'])}")
    if resource.get("strip_prefix"):
        words.append(f"strip={resource['strip_prefix']}")
    return " ".join(words)


def _destination(action: dict[str, Any]) -> str:
    if "redirect" in action:
        return f"redirect {action['redirect']['status']} {action['redirect']['location']}"
    parts = action["split"]
    if len(parts) == 1:
        return str(parts[0]["cluster"])
    return ", ".join(f"{part['cluster']} {part['weight']}%" for part in parts)


def _time(milliseconds: int) -> str:
    return f"{milliseconds}ms" if milliseconds % 1000 else f"{milliseconds // 1000}s"


def _parsed(entry: KvEntry) -> Route | Problem | None:
    name = route_name(entry.key)
    return None if name is None else parse_route(name, entry)


def _text(entry: KvEntry) -> str:
    parsed = _parsed(entry)
    if isinstance(parsed, Route):
        return one_line(to_resource(parsed))
    line = entry.value[:200].decode(errors="replace").strip().partition("\n")[0]
    return printable(line[:VALUE_CUT] + ("…" if len(line) > VALUE_CUT else ""))


def _document(entry: KvEntry, nodes: Nodes) -> dict[str, Any]:
    parsed = _parsed(entry)
    return {
        "key": entry.key,
        "index": entry.modify_index,
        "route": to_resource(parsed) if isinstance(parsed, Route) else None,
        "problem": parsed.to_json() if isinstance(parsed, Problem) else None,
        "nodes": short(verdict_of(entry.key, entry, nodes)),
    }
