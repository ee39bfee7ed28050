"""`meshnode wait`: for scripts, until every node serves a key, or reached an index. Changes nothing."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog import ConsulClient, did_you_mean

from ..errors import EXIT_NOT_REACHED, MeshnodeError, UsageError
from .completing import complete_key
from .options import Asked, with_consul
from .output import count, printable, say, say_json
from .reach import consul_client, run
from .status import near_key
from .verdict import NO_NODE, say_verdict
from .waiting import (
    PEOPLES,
    TIMEOUT,
    Reached,
    Timeout,
    seconds_of,
    wait_for_index,
    wait_for_verdict,
)


def add_to(app: typer.Typer) -> None:
    app.command()(wait)


@with_consul
def wait(
    asked: Asked,
    what: Annotated[
        str,
        typer.Argument(
            metavar="KEY|INDEX",
            help="A key, such as mesh/routes/shop, or an index every node is to reach.",
            autocompletion=complete_key,
        ),
    ],
    timeout: Timeout = TIMEOUT,
) -> None:
    """Wait until every node that is alive serves a key as it stands, or reached an index."""
    wait_s = seconds_of(timeout)
    if what.isascii() and what.isdigit():
        run(_index(asked, int(what), wait_s))
    elif what.startswith(PEOPLES):
        run(_key(asked, what, wait_s))
    else:
        raise UsageError(f"{what} is neither an index nor a key under {PEOPLES}")


async def _key(asked: Asked, key: str, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        found = await wait_for_verdict(client, key, wait_s)
        if found.index is None and found.answer == "accepted":
            await _check_was_there(asked, client, key)
    say_verdict(found, as_json=asked.as_json)


async def _check_was_there(asked: Asked, client: ConsulClient, key: str) -> None:
    """A key that is gone is what was waited for; one that never was is a name that was mistyped. Raises MeshnodeError."""
    from .past import history_of_key

    history = await history_of_key(client, asked.settings, key)
    if history is None or history.of(key):
        return
    keys = [*history.last(), *[entry.key for entry in await client.kv_list(PEOPLES)]]
    hint = did_you_mean(near_key(key, keys)) or ": `meshnode kv ls` lists those there are"
    began = f"history, which begins at index {history.begins + 1}, tells of none"
    raise MeshnodeError(f"there is no key {printable(key)}, and {began}{hint}")


async def _index(asked: Asked, index: int, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        found = await wait_for_index(client, index, wait_s)
    if asked.as_json:
        say_json(found.to_json())
    else:
        say(sentence(found))
    if not found.is_complete:
        raise typer.Exit(EXIT_NOT_REACHED)


def sentence(found: Reached) -> str:
    """`index 4711   reached by 2 of 3 nodes; waiting for node-2 (it is at index 4709)`."""
    if not found.nodes:
        return NO_NODE
    there = len(found.nodes) - len(found.missing)
    text = f"index {found.index}   reached by {there} of {count(len(found.nodes), 'node')}"
    waiting = [f"{node} ({why or f'it is at index {at}'})" for node, at, why in found.missing]
    return f"{text}; waiting for {', '.join(waiting)}" if waiting else text
