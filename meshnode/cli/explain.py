"""`meshnode explain`: what would become of a request, and why; or of one that was, by its trace. Sends nothing, changes nothing."""

from __future__ import annotations

import re
import time
from typing import Annotated, Any

import typer

from ..config import Settings
from ..errors import UsageError
from ..explain import (
    UNKNOWN,
    Past,
    lines,
    question_of_connection,
    question_of_trace,
    question_of_words,
)
from .asking import ask_node
from .options import Admin, Asked, with_consul
from .output import console, escaped, say, say_json
from .reach import run
from .trace import LAST, find_trace

# As long as the least start of a trace's id that is taken; a host of hex digits alone has a dot or a slash behind it.
TRACE_ID = re.compile(r"[0-9a-fA-F]{6,32}")
CONSIDERED = 20


def add_to(app: typer.Typer) -> None:
    app.command()(explain)


@with_consul
def explain(
    asked: Asked,
    target: Annotated[
        str,
        typer.Argument(
            metavar="URL|CONNECTION|TRACE_ID",
            help='A URL as curl takes it; "tcp :5432" or "sni db.example" for a connection; or a trace\'s id, or '
            '"last": the request it began with.',
        ),
    ],
    method: Annotated[
        str | None, typer.Option("-X", "--request", metavar="METHOD", help="The method.")
    ] = None,
    header: Annotated[
        list[str] | None,
        typer.Option("-H", "--header", metavar="'NAME: VALUE'", help="A header; may be repeated."),
    ] = None,
    source: Annotated[
        str | None,
        typer.Option(
            "--as", metavar="SERVICE", help="The calling service; left out: a stranger at the edge."
        ),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option("--from", metavar="IP", help="The client's address (default 127.0.0.1)."),
    ] = None,
    admin: Admin = None,
) -> None:
    """Say what would become of a request, and why: routes, changes, instances, the intention that decides."""
    settings = asked.with_flags({"admin_address": admin})
    if target == LAST or TRACE_ID.fullmatch(target):
        if method or header or source or client:
            raise UsageError(
                "a trace says itself what was asked: -X, -H, --as and --from go with a URL"
            )
        past = run(_past(settings, target))
        question = past.question
    elif raw := question_of_connection(target, source=source, client_address=client):
        if method or header:
            raise UsageError("a connection has no method and no headers: -X and -H go with a URL")
        past, question = None, raw
    else:
        past = None
        question = question_of_words(
            target,
            method=method or "GET",
            headers=tuple(header or ()),
            source=source,
            client_address=client,
        )
    asking = {"requests": [question.to_json()], "considered": CONSIDERED}
    document = ask_node(
        settings, lambda nodes, address: nodes.explain(address, asking), is_named=admin is not None
    )
    answer = document["answers"][0]
    if asked.as_json:
        say_json({**_past_json(past), "asked": question.to_json(), "node": document["node"],
                  "generation": document["generation"], **answer})  # fmt: skip
        return
    if past is not None:
        say(f"trace {past.trace_id[:8]}   {past.sentence}; today:")
    for line in lines(question, answer, time.time()):
        say(line)
    if past is not None:
        console(is_error=True).print(f"[yellow]{escaped(UNKNOWN)}[/]")


async def _past(settings: Settings, target: str) -> Past:
    return question_of_trace(await find_trace(settings, target.lower()))


def _past_json(past: Past | None) -> dict[str, Any]:
    if past is None:
        return {}
    return {
        "past": {
            "trace_id": past.trace_id,
            "node": past.node,
            "start_unix_us": past.start_us,
            "status": past.status,
            "reason": past.reason,
            "route": past.route,
            "key": past.key,
            "index": past.index,
            "note": UNKNOWN,
        }
    }
