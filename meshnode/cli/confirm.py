"""`meshnode confirm`: a person says that keys which went all at once are meant to be gone; nodes held them until now.

What goes later than the index it writes is held back anew (docs/held.md).
"""

from __future__ import annotations

import typer

from catalog import CONFIRM, ConsulClient

from ..errors import MeshnodeError
from .nodes import Nodes, read_nodes
from .options import Asked, with_consul
from .output import say, say_json
from .reach import consul_client, run
from .verdict import say_verdict
from .waiting import PEOPLES, TIMEOUT, Timeout, seconds_of, wait_for_verdict


def add_to(app: typer.Typer) -> None:
    app.command()(confirm)


@with_consul
def confirm(asked: Asked, timeout: Timeout = TIMEOUT) -> None:
    """Say that keys which went all at once are meant to be gone."""
    run(_confirm(asked, seconds_of(timeout)))


async def _confirm(asked: Asked, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        held = held_after(await read_nodes(client))
        if not held:
            sentence = "no node holds anything back: there is nothing to confirm"
            if asked.as_json:
                say_json({"confirmed": None, "message": sentence})
            else:
                say(sentence)
            return
        index = await _meant(client, held)
        before = await client.kv_get(CONFIRM)
        cas = before.modify_index if before else 0
        if not await client.kv_put(CONFIRM, str(index).encode(), cas=cas):
            raise MeshnodeError(
                f"somebody else wrote {CONFIRM} just now: look at `meshnode status`"
            )
        verdict = await wait_for_verdict(client, CONFIRM, wait_s)
    if not asked.as_json:
        say(f"what went by index {index} is meant to be gone")
    say_verdict(verdict, as_json=asked.as_json)


def held_after(nodes: Nodes) -> tuple[int, ...]:
    """The indexes after which keys went that some node holds back."""
    return tuple(problem.index for problem in nodes.held_back)


async def _meant(client: ConsulClient, held: tuple[int, ...]) -> int:
    """Consul's index as of now: all that is missing is missing by it.

    The prefix's own index may be that of an older deletion; a key that is not there has the index of them all.
    """
    return max(*held, await client.kv_index(PEOPLES), await client.kv_index(CONFIRM))
