"""`meshnode diff`: what a change was, line by line, or how mesh/ differs between two indexes. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer

from catalog import History, Value

from ..errors import MeshnodeError
from .options import Asked, with_consul
from .output import console, escaped, say, say_json
from .past import read_history
from .reach import consul_client, run
from .telling import UNKNOWN, differences

_COLOURS = {"+": "green", "-": "red", "@": "dim"}

Changed = tuple[str, Value | None, Value | None]


def add_to(app: typer.Typer) -> None:
    app.command()(diff)


@with_consul
def diff(
    asked: Asked,
    index: Annotated[int, typer.Argument(min=0, help="The index of a change.", metavar="INDEX")],
    other: Annotated[
        int | None,
        typer.Argument(min=0, help="A second index: all that differs after it.", metavar="[INDEX]"),
    ] = None,
) -> None:
    """Show what was changed at an index, or between two."""
    found = run(_read(asked))
    changed = list(_at(found, index) if other is None else _between(found, index, other))
    if asked.as_json:
        say_json([_document(one) for one in changed])
    else:
        _say(changed)


async def _read(asked: Asked) -> History:
    async with consul_client(asked.settings) as client:
        return await read_history(client, asked.settings)


def _at(found: History, index: int) -> Iterator[Changed]:
    pasts = found.at(index)
    if not pasts:
        raise MeshnodeError(
            f"history tells of no change at index {index}: `meshnode history` lists them"
        )
    for past in pasts:
        if not past.change.is_old_known:
            say(f"{past.key}: {UNKNOWN}")
        yield past.key, past.change.old, past.change.new


def _between(found: History, first: int, last: int) -> Iterator[Changed]:
    if min(first, last) < found.begins:
        raise MeshnodeError(
            f"history begins at index {found.begins + 1}: what stood at {min(first, last)} is not known any more"
        )
    before, after = found.state(first), found.state(last)
    for key in sorted(before.keys() | after.keys()):
        old, new = before.get(key), after.get(key)
        if (old and old.sha256) != (new and new.sha256):
            yield key, old, new


def _document(changed: Changed) -> dict[str, object]:
    key, old, new = changed
    return {"key": key, "lines": list(differences(key, old, new))}


def _say(changed: list[Changed]) -> None:
    if not changed:
        say("nothing differs")
    for key, old, new in changed:
        for line in differences(key, old, new):
            colour = _COLOURS.get(line[:1])
            text = escaped(line)
            console().print(f"[{colour}]{text}[/]" if colour else text)
