"""`meshnode explain`: what would become of a request or a connection, and why; or of one that was, by its trace.

Sends nothing, changes nothing.
"""

from __future__ import annotations

import re
import time
from ipaddress import ip_address
from typing import Annotated, Any

import typer

from ..config import Settings
from ..errors import MeshnodeError, UsageError
from ..explain import (
    Past,
    PastConnection,
    Question,
    lines,
    nobodys,
    past_lines,
    past_of_trace,
    question_of_connection,
    question_of_words,
)
from .asking import ask_node
from .options import Admin, Asked, with_consul
from .output import console, escaped, printable, say, say_json
from .reach import run
from .trace import LAST, find_trace

# As long as the least start of a trace's id that is taken; a host of hex digits alone has a dot or a slash behind it.
TRACE_ID = re.compile(r"[0-9a-fA-F]{6,32}")
CONSIDERED = 20
ALL = "Name every route that was considered, the nearest 1,000."
MOST_CONSIDERED = 1000
"""What the proxy names at the most."""


def client_address(text: str | None) -> str | None:
    """An address as it stands. Raises UsageError."""
    try:
        return None if text is None else str(ip_address(text))
    except ValueError as error:
        raise UsageError(
            f"--from {printable(text or '')} is no address: write one such as 10.0.0.7 or 2001:db8::7"
        ) from error


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
            '"last": the request or the connection it began with.',
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
            "--as",
            metavar="SERVICE",
            help="The calling service; left out, or edge: a stranger at the edge.",
        ),
    ] = None,
    client: Annotated[
        str | None,
        typer.Option("--from", metavar="IP", help="The client's address (default 127.0.0.1)."),
    ] = None,
    is_all: Annotated[bool, typer.Option("--all", help=ALL)] = False,  # noqa: FBT002  (a flag)
    admin: Admin = None,
) -> None:
    """Say what would become of a request, and why: routes, changes, instances, the intention that decides."""
    settings, client = asked.with_flags({"admin_address": admin}), client_address(client)
    if target == LAST or TRACE_ID.fullmatch(target):
        if method or header or source or client:
            raise UsageError(
                "a trace says itself what was asked: -X, -H, --as and --from go with a URL"
            )
        past = run(_past(settings, target))
        _of_trace(asked, settings, past, is_named=admin is not None, has_all=is_all)
        return
    if question := question_of_connection(target, source=source, client_address=client):
        if method or header:
            raise UsageError("a connection has no method and no headers: -X and -H go with a URL")
    else:
        question = question_of_words(
            target,
            method=method or "GET",
            headers=tuple(header or ()),
            source=source,
            client_address=client,
        )
    document = _ask(settings, question, is_named=admin is not None, has_all=is_all)
    _check_port(settings, question, document)
    if asked.as_json:
        say_json(_today(question, document))
        return
    _say_today(question, document, has_all=is_all)


def _check_port(settings: Settings, question: Question, document: dict[str, Any]) -> None:
    """Raises MeshnodeError: what another port would make of it is no answer."""
    answer, node = document["answers"][0], str(document["node"])
    if sentence := nobodys(question, answer, node, settings.edge_tls_public_port):
        raise MeshnodeError(sentence)


def _of_trace(
    asked: Asked, settings: Settings, past: Past | PastConnection, *, is_named: bool, has_all: bool
) -> None:
    """What became of it then, and what would today, where the trace says enough to ask."""
    question, note = past.question, past.note
    document = None
    if question is not None:
        try:
            document = _ask(settings, question, is_named=is_named, has_all=has_all)
        except UsageError as error:
            if isinstance(past, Past):
                raise
            # A port of another node's service, or one that is no more: what was is told all the same.
            note = f"today this node can not say: {error}"
    if asked.as_json:
        today = {} if question is None or document is None else _today(question, document)
        say_json({"past": {**past.to_json(), "note": note or None}, **today})
        return
    if isinstance(past, PastConnection):
        for line in past_lines(past):
            say(line)
        if document is not None:
            say("today:")
    else:
        say(f"trace {past.trace_id[:8]}   {past.sentence}; today:")
    if question is not None and document is not None:
        _say_today(question, document, has_all=has_all)
    if note:
        console(is_error=True).print(f"[yellow]{escaped(note)}[/]")


def _ask(
    settings: Settings, question: Question, *, is_named: bool, has_all: bool
) -> dict[str, Any]:
    most = MOST_CONSIDERED if has_all else CONSIDERED
    asking = {"requests": [question.to_json()], "considered": most}
    return ask_node(
        settings, lambda nodes, address: nodes.explain(address, asking), is_named=is_named
    )


def _today(question: Question, document: dict[str, Any]) -> dict[str, Any]:
    return {
        "asked": question.to_json(),
        "node": document["node"],
        "generation": document["generation"],
        **document["answers"][0],
    }


def _say_today(question: Question, document: dict[str, Any], *, has_all: bool) -> None:
    for line in lines(question, document["answers"][0], time.time(), has_all=has_all):
        say(line)


async def _past(settings: Settings, target: str) -> Past | PastConnection:
    return past_of_trace(await find_trace(settings, target.lower()))
