"""`meshnode drain`: takes an instance out of the mesh softly, and waits until it may be stopped. Stops nothing itself."""

from __future__ import annotations

import asyncio
import re
import time
from typing import TYPE_CHECKING, Annotated

import typer

from catalog import ConsulClient, KvEntry, key_problem

from ..errors import EXIT_NOT_REACHED, MeshnodeError, UsageError
from .completing import complete_service
from .drained import drain_line
from .nodes import NodesReader
from .options import Asked, with_consul
from .output import say, say_json
from .reach import consul_client, run
from .waiting import LOOK_S, Timeout, Wait, seconds_of

if TYPE_CHECKING:
    from catalog import DrainState

PREFIX = "mesh/drain/"
# What runs at an instance may take a while; whoever knows better says so.
PATIENCE = "60s"
# Nodes know an instance within a moment; one that none of them knows by then is mistyped.
UNKNOWN_S = 5.0


def add_to(app: typer.Typer) -> None:
    app.command()(drain)


@with_consul
def drain(
    asked: Asked,
    instance: Annotated[str, typer.Argument(help="The instance's id in Consul.")],
    node: Annotated[
        str | None, typer.Option("--on", metavar="NODE", help="On which node it is.")
    ] = None,
    service: Annotated[
        str | None,
        typer.Option(
            "--of", metavar="SERVICE", help="Of which service.", autocompletion=complete_service
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option("--name", help="The key's name below mesh/drain/; left out: the instance's."),
    ] = None,
    wait: Wait = True,  # noqa: FBT002  (a flag)
    timeout: Timeout = PATIENCE,
) -> None:
    """Take an instance out softly: no new request goes there; wait until it is safe to stop."""
    key = PREFIX + (name or re.sub(r"[^A-Za-z0-9_.-]+", "-", instance).strip("-."))
    entry = KvEntry(key, _written(instance, node, service), 0)
    check(entry)
    run(_drain(asked, entry, seconds_of(timeout) if wait else 0.0))


def check(entry: KvEntry) -> None:
    """Raises UsageError for what no node would take."""
    from catalog import drain_problem

    problem = key_problem(entry) or drain_problem(entry)
    if problem is not None:
        raise UsageError(f"{entry.key}: {problem.message}")


def _written(instance: str, node: str | None, service: str | None) -> bytes:
    """The document: a line would end at a space."""
    import orjson

    said = {"instance": instance, "node": node, "service": service}
    return orjson.dumps({field: value for field, value in said.items() if value is not None})


async def _drain(asked: Asked, entry: KvEntry, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        if not await client.kv_put(entry.key, entry.value):
            raise MeshnodeError(f"Consul did not take {entry.key}: a lock is in the way")
        state = await _until_safe(client, entry.key, wait_s, is_told=not asked.as_json)
    if asked.as_json:
        say_json(state.to_json())
    elif wait_s > 0:
        say(f"to let requests in again: meshnode kv delete {entry.key}")
    if wait_s > 0 and not state.is_safe_to_stop:
        raise typer.Exit(EXIT_NOT_REACHED)


async def _until_safe(
    client: ConsulClient, key: str, wait_s: float, *, is_told: bool
) -> DrainState:
    """The drain once it is safe, else as it was at the end of the time; each change is told."""
    reader, loop = NodesReader(client), asyncio.get_running_loop()
    began, told = loop.time(), None
    while True:
        state = await _state(client, reader, key)
        waited_s = loop.time() - began
        is_over = waited_s >= wait_s or state.is_safe_to_stop
        # Nodes that have not counted yet say more in a moment.
        seen = (state.instances, state.waiting)
        if is_told and (is_over or (seen != told and waited_s > UNKNOWN_S / 10)):
            told = seen
            say(drain_line(state, time.time()))
        is_unknown = not state.instances and not state.waiting and waited_s > UNKNOWN_S
        if is_over or is_unknown:
            return state
        await asyncio.sleep(LOOK_S)


async def _state(client: ConsulClient, reader: NodesReader, key: str) -> DrainState:
    from catalog import drain_states

    nodes = await reader.read()
    alive = [one for one in nodes.statuses.counted if one.node in nodes.alive]
    entry = await client.kv_get(key)
    if entry is None:
        raise MeshnodeError(f"{key} was deleted meanwhile: requests go there again")
    found = drain_states([entry], alive, nodes.names)
    if not found:
        raise MeshnodeError(f"{key} was written over meanwhile: meshnode status {key}")
    return found[0]
