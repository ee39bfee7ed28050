"""`meshnode rollback --to`: everything under mesh/ as it was, in one transaction; with the person's own token."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

import typer

from catalog import History, rolling_back

from ..errors import MeshnodeError
from .options import Asked, with_consul
from .output import say, say_json
from .past import moment, read_standing
from .reach import consul_client, run
from .restore import put_back, say_plan, say_restored
from .waiting import TIMEOUT, Timeout, Wait, seconds_of

TIME = "%Y-%m-%d %H:%M:%S"


def add_to(app: typer.Typer) -> None:
    app.command()(rollback)


@with_consul
def rollback(
    asked: Asked,
    to: Annotated[
        str,
        typer.Option(
            "--to",
            metavar="INDEX|TIME",
            help="How it was after this index, or at this time: 14:02, 2026-11-23T14:02, or 10m for ten minutes ago.",
        ),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be put.")] = False,  # noqa: FBT002  (a flag)
    wait: Wait = True,  # noqa: FBT002  (a flag)
    timeout: Timeout = TIMEOUT,
) -> None:
    """Bring all keys back to how they were, in one transaction."""
    run(_rollback(asked, to, seconds_of(timeout) if wait else 0.0, dry_run=dry_run))


async def _rollback(asked: Asked, to: str, wait_s: float, *, dry_run: bool) -> None:
    async with consul_client(asked.settings) as client:
        standing = await read_standing(client, asked.settings)
        index, when = _index(standing.history, to)
        plan = rolling_back(standing.history, standing.entries, index)
        if when and plan and not asked.as_json:
            # A time of day may be yesterday's.
            say(f"as it was at {when}, after index {index}:")
        if dry_run:
            say_plan(plan, as_json=asked.as_json)
            return
        restored = await put_back(client, plan, wait_s)
    if not restored:
        if asked.as_json:
            say_json([])
        else:
            say(f"nothing was changed after index {index}")
        return
    say_restored(restored, as_json=asked.as_json)


def _index(history: History, to: str) -> tuple[int, str]:
    """The index, and the time it was found by. Raises UsageError, MeshnodeError."""
    if to.isascii() and to.isdigit():
        return int(to), ""
    asked = moment(to, datetime.now().astimezone())
    when = f"{asked:{TIME}}"
    index = history.index_at(int(asked.timestamp() * 1000))
    if index is None and history.changes:
        first = history.changes[0]
        begun = datetime.fromtimestamp(first.revision.seen_unix_ms / 1000, asked.tzinfo)
        raise MeshnodeError(
            f"history begins at {begun:{TIME}}, index {first.index}: how all stood at {when} is not known, and nothing was put"
        )
    return index or 0, when
