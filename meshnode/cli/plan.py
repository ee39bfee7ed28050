"""`meshnode plan`: what keys would do, asked of a live node before they are written. Changes nothing."""

from __future__ import annotations

import difflib
import sys
from base64 import b64encode
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from catalog import Problem

from ..candidate.promise import Wish
from ..errors import EXIT_REFUSED
from .asking import ask_node
from .completing import complete_key
from .misuse import file_of
from .options import Admin, Asked, with_consul
from .output import console, count, escaped, say, say_json
from .verdict import say_problem
from .wished import asked_of, wish_of

# For people; --json has them all.
MOVED_SHOWN = 20
ROUTES_SHOWN = 5
COLOURS = {"+": "green", "-": "red", "@": "dim"}
CONTEXT = 1


def add_to(app: typer.Typer) -> None:
    app.command()(plan)


@with_consul
def plan(
    asked: Asked,
    words: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="KEY VALUE | FILE...",
            help="A key and its value as `consul kv put` takes them (also @FILE, - and standard input); or "
            "files and folders of keys as `check` takes them.",
            autocompletion=complete_key,
        ),
    ] = None,
    file: Annotated[Path | None, typer.Option("--file", help="Read the value from a file.")] = None,
    deleted: Annotated[
        list[str] | None,
        typer.Option(
            "--delete",
            metavar="KEY",
            help="A key that would be deleted; may be repeated.",
            autocompletion=complete_key,
        ),
    ] = None,
    request: Annotated[
        list[str] | None,
        typer.Option(
            "--request",
            metavar="'GET HOST/PATH'",
            help="A request to try, as in mesh/tests; may be repeated.",
        ),
    ] = None,
    admin: Admin = None,
) -> None:
    """Say what keys would do before they are written: routes, requests, mistakes, broken tests. Changes nothing."""
    settings = asked.with_flags({"admin_address": admin})
    wish = wish_of(words or (), file, deleted or (), file_of(sys.stdout.fileno()))
    asking = _question(wish, asked_of(request or ()))
    found = ask_node(
        settings, lambda nodes, address: nodes.plan(address, asking), is_named=admin is not None
    )
    if asked.as_json:
        say_json(found)
    else:
        _say(found)
    if not found["is_good"]:
        raise typer.Exit(EXIT_REFUSED)


def _question(wish: Wish, asked: list[Mapping[str, Any]]) -> dict[str, Any]:
    values = {
        key: None if value is None else b64encode(value).decode()
        for key, value in wish.values.items()
    }
    return {"values": values, "requests": asked}


def _say(found: Mapping[str, Any]) -> None:
    for one in found["keys"]:
        _say_key(one)
    for problem in found["elsewhere"]:
        is_error = problem["severity"] == "error"
        say(f"{problem['key']}   {_refused([problem]) if is_error else 'would get a warning'}")
        say_problem(Problem.from_json(problem))
    _say_routes(found)
    for one in found["requests"]:
        would = f"→ {one['after']['says']}" if one["is_moved"] else "as now"
        say(f"{_request(one)}   {one['before']['says']}   {would}")
    _say_moved(found)
    refused = sum(one["is_refused"] for one in found["keys"])
    refused += sum(one["severity"] == "error" for one in found["elsewhere"])
    if refused:
        console().print(f"[red]{count(refused, 'mistake')}; nothing was written[/]")
    else:
        say("nothing would be refused; nothing was written")


def _say_key(one: Mapping[str, Any]) -> None:
    say(f"{one['key']}   {_change(one)}")
    if one["change"] in ("changed", "added", "removed"):
        for line in _lines(one["before"], one["after"]):
            colour, text = COLOURS.get(line[:1]), escaped(line)
            console().print(f"    [{colour}]{text}[/]" if colour else f"    {text}")
    for problem in one["problems"]:
        say_problem(Problem.from_json(problem))


def _change(one: Mapping[str, Any]) -> str:
    stands = {"same": "stands so already", "absent": "is not there"}
    would = stands.get(one["change"], f"would be {one['change']}")
    if not one["problems"]:
        return would
    if not one["is_refused"]:
        return f"{would}, with a warning"
    return _refused(one["problems"])


def _refused(problems: list[Mapping[str, Any]]) -> str:
    serving = next((one["serving_index"] for one in problems if "serving_index" in one), None)
    return (
        f"would be refused; index {serving} would go on serving" if serving else "would be refused"
    )


def _lines(before: str | None, after: str | None) -> Iterator[str]:
    """What goes and what comes; of long documents the places where they differ."""
    old, new = (before or "").splitlines(), (after or "").splitlines()
    lines = list(difflib.unified_diff(old, new, lineterm="", n=CONTEXT))[2:]
    is_short = sum(line.startswith("@") for line in lines) == 1
    for line in lines:
        if line.startswith("@"):
            if not is_short:
                yield "@"
        else:
            yield f"{line[0]} {line[1:]}"


def _say_routes(found: Mapping[str, Any]) -> None:
    """Those a policy changes; what changes in each `routes show NAME --origin` tells afterwards."""
    if number := found["other_routes"]:
        names = ", ".join(one["name"] for one in found["routes"][:ROUTES_SHOWN])
        names += ", …" if number > ROUTES_SHOWN else ""
        say(f"{count(number, 'route')} of other keys would change with it: {names}")


def _say_moved(found: Mapping[str, Any]) -> None:
    recorded, moved = found["recorded_requests"], found["moved_requests"]
    if not recorded:
        say("no request was recorded here yet: --request 'GET HOST/PATH' tries one")
        return
    say(f"{moved:,} of {count(recorded, 'recorded request')} would be routed differently")
    for one in found["moved"][:MOVED_SHOWN]:
        times = f" ({one['count']:,} times)" if one["count"] > 1 else ""
        say(f"    {_request(one)}{times}   {one['before']['says']}   → {one['after']['says']}")
    if len(found["moved"]) > MOVED_SHOWN:
        say(f"    and {len(found['moved']) - MOVED_SHOWN} kinds more: --json has them")


def _request(one: Mapping[str, Any]) -> str:
    asked = one["request"]
    caller = f"as {asked['source']} " if asked.get("source") else ""
    return f"{caller}{asked.get('method', 'GET')} {asked['host']}{asked['path']}"
