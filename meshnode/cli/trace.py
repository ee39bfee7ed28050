"""`meshnode trace`: one request as a tree of who called whom, out of Jaeger. Asks neither Consul nor the agent."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from observability import JaegerQuery, Trace, render_tree

from ..errors import MeshnodeError
from .options import Asked, with_consul
from .output import console, printable, say_json
from .reach import run

LAST = "last"
# Spans are shipped in batches: the last of a request that just ended arrive a moment later.
WAIT_S = 3.0
LOOK_S = 0.25


def add_to(app: typer.Typer) -> None:
    app.command()(trace)


@with_consul
def trace(
    asked: Asked,
    trace_id: Annotated[
        str,
        typer.Argument(
            help='The id, as in the header mesh-trace (its start is enough), or "last".'
        ),
    ],
    jaeger: Annotated[
        str | None,
        typer.Option("--jaeger", "--jaeger-url", help="Jaeger's query API.", show_default=False),
    ] = None,
) -> None:
    """Show one request as a tree."""
    settings = asked.with_flags({"jaeger_url": jaeger})
    found = run(_find(settings.jaeger_url, trace_id))
    if found is None:
        raise MeshnodeError(_not_found(trace_id, settings.jaeger_url))
    if asked.as_json:
        say_json(found.to_json())
    else:
        console().print(render_tree(found), soft_wrap=False)


async def _find(url: str, trace_id: str) -> Trace | None:
    """The trace, given a moment to arrive whole."""
    async with JaegerQuery(url) as query:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + WAIT_S
        while True:
            found = await (query.latest() if trace_id == LAST else query.trace(trace_id))
            if (found is not None and len(found.roots) == 1) or loop.time() >= deadline:
                return found
            await asyncio.sleep(LOOK_S)


def _not_found(trace_id: str, url: str) -> str:
    if trace_id == LAST:
        return f"Jaeger at {url} has no trace of the last hour: does the agent ship spans (OTEL_EXPORTER_OTLP_ENDPOINT)?"
    return f"Jaeger at {url} has no trace {printable(trace_id)}: it may not have been sampled, or not have arrived yet"
