"""`meshnode undo`: takes back one change, unless somebody changed the key since; with the person's own token."""

from __future__ import annotations

from typing import Annotated

import typer

from catalog import undoing

from ..errors import UsageError
from .options import Asked, with_consul
from .past import read_standing
from .reach import consul_client, run
from .restore import put_back, say_restored
from .waiting import TIMEOUT, Timeout, Wait, seconds_of


def add_to(app: typer.Typer) -> None:
    app.command()(undo)


@with_consul
def undo(
    asked: Asked,
    index: Annotated[
        str | None,
        typer.Argument(
            metavar="[INDEX]",
            help="The index of the change; left out: the last change there was.",
        ),
    ] = None,
    wait: Wait = True,  # noqa: FBT002  (a flag)
    timeout: Timeout = TIMEOUT,
) -> None:
    """Take back one change, unless somebody changed the key since."""
    change = None if index is None else _index(index)
    run(_undo(asked, change, seconds_of(timeout) if wait else 0.0))


def _index(text: str) -> int:
    """Raises UsageError for what is no index, a key above all: then where its changes stand."""
    if text.isascii() and text.isdigit() and int(text):
        return int(text)
    where = f"`meshnode history {text}`" if "/" in text else "`meshnode history`"
    raise UsageError(f'"{text}" is not the index of a change; {where} shows which there were')


async def _undo(asked: Asked, index: int | None, wait_s: float) -> None:
    async with consul_client(asked.settings) as client:
        standing = await read_standing(client, asked.settings, index)
        plan = undoing(standing.history, standing.entries, index)
        restored = await put_back(client, plan, wait_s)
    say_restored(restored, as_json=asked.as_json)
