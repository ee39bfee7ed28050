"""`meshnode history`: what was changed under mesh/, when, and what followed. Changes nothing."""

from __future__ import annotations

import time
from datetime import datetime
from typing import Annotated

import typer

from catalog import History, Past, change_to_json

from .completing import complete_key
from .options import Asked, with_consul
from .output import say, say_json, say_table
from .past import read_history, span_s
from .reach import consul_client, run
from .telling import effect, seen, what

# A screen's worth; --all for the rest.
MOST_ROWS = 40


def add_to(app: typer.Typer) -> None:
    app.command()(history)


@with_consul
def history(
    asked: Asked,
    key: Annotated[
        str | None,
        typer.Argument(
            help="A key, or how keys begin, such as mesh/routes/; left out: all.",
            autocompletion=complete_key,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", metavar="TIME", help="What is not older, such as 3h or 2d."),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help="All rows, not the last 40.")] = False,  # noqa: FBT002  (a flag)
) -> None:
    """List what was changed, when, which node saw it first, and what followed."""
    oldest_ms = 0 if since is None else int((time.time() - span_s(since)) * 1000)
    found = run(_read(asked))
    chosen = [
        past
        for past in found.changes
        if past.revision.seen_unix_ms >= oldest_ms and (key is None or _is_meant(past.key, key))
    ]
    if asked.as_json:
        say_json({"changes": [to_json(past) for past in chosen], "refused": dict(found.refused)})
        return
    say_refused(found)
    _say(chosen if is_all or since else chosen[-MOST_ROWS:], len(chosen), found)


async def _read(asked: Asked) -> History:
    async with consul_client(asked.settings) as client:
        return await read_history(client, asked.settings)


def to_json(past: Past) -> dict[str, object]:
    """One change for programs: what it was, and the revision that tells it."""
    revision = past.revision
    told = revision.effect
    return {
        **change_to_json(past.change),
        "seen_unix_ms": revision.seen_unix_ms,
        "first": revision.first,
        "writer": revision.writer,
        "revision": revision.name,
        "effect": None if told is None else {name: getattr(told, name) for name in told.__slots__},
    }


def say_refused(found: History) -> None:
    """Entries that nobody signed who may: named, and not believed."""
    for key, why in found.refused:
        say(f"{key} does not count: {why}")


def _is_meant(key: str, asked: str) -> bool:
    return key == asked or (asked.endswith("/") and key.startswith(asked))


def _say(chosen: list[Past], number: int, found: History) -> None:
    if not chosen:
        say(
            "nothing of that was changed in this time"
            if found.changes
            else "there is no history yet: the node that signs certificates writes it, once a key under mesh/ changes"
        )
        return
    if len(chosen) < number:
        say(f"the last {len(chosen)} of {number} changes (--all shows them all)")
    now = datetime.now().astimezone()
    say_table(
        ("index", "seen", "key", "first by", "what", "effect"),
        [
            (
                str(past.index),
                seen(past, now),
                past.key,
                past.revision.first,
                what(past.change),
                effect(past) or "-",
            )
            for past in chosen
        ],
    )
