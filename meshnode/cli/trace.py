"""`meshnode trace`: one request as a tree of who called whom, out of Jaeger and the nodes' own rings. Changes nothing."""

from __future__ import annotations

import asyncio
import ipaddress
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from typing import Annotated

import typer

from observability import JaegerQuery, Trace, TraceIdError, render_tree, trace_id_start

from ..admin import AdminClient
from ..config import TABLE, Settings
from ..errors import AdminError, MeshnodeError, NotReachedError, UsageError
from .options import Admin, Asked, with_consul
from .output import console, escaped, printable, say_json
from .reach import run
from .trace_sources import JAEGER, Found, JaegerSource, Known, RingSource, Sources, known_rings

LAST = "last"
# Spans travel in batches: the last of a request that just ended arrive a moment later.
WAIT_S = 3.0
LOOK_S = 0.25
# A trace that ended longer ago than this has all its spans where they will be.
OLD_S = 5.0
DEFAULT_JAEGER_URL = next(line.default for line in TABLE if line.field == "jaeger_url")
# Names of nodes in one sentence; --json has all.
MOST_NAMES = 5


@dataclass(frozen=True, slots=True)
class Answer:
    """What was found, and what could not be asked; the latter is empty where it was not needed."""

    trace: Trace | None
    missing: Mapping[str, str] = field(default_factory=dict)
    """Node and why its ring was not read."""
    why_alone: str = ""
    """Why no other node is known of."""
    jaeger_error: str = ""
    is_any_there: bool = True
    """Somebody answered at all."""


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
    admin: Admin = None,
) -> None:
    """Show one request as a tree."""
    settings = asked.with_flags({"jaeger_url": jaeger, "admin_address": admin})
    wanted, answer, found = run(_found(settings, trace_id))
    if asked.as_json:
        say_json({**found.to_json(), "missing": dict(answer.missing)})
        return
    console().print(render_tree(found), soft_wrap=False)
    for line in _notes(answer, wanted):
        console(is_error=True).print(f"[yellow]{escaped(line)}[/]")


async def find_trace(settings: Settings, wanted: str) -> Trace:
    """The trace whose id begins so, or the `last`, for other commands. Raises MeshnodeError where nobody has it."""
    return (await _found(settings, wanted))[2]


async def _found(settings: Settings, trace_id: str) -> tuple[str, Answer, Trace]:
    """The start of the id as it is asked for, all that was found, and the trace in it."""
    wanted = LAST if trace_id == LAST else _id_start(trace_id)
    answer = await _find(settings, wanted)
    if answer.trace is None:
        raise _not_found(settings, wanted, answer)
    return wanted, answer, answer.trace


def _id_start(text: str) -> str:
    try:
        return trace_id_start(text)
    except TraceIdError as error:
        raise UsageError(f'{error}, or "{LAST}"') from None


async def _find(settings: Settings, wanted: str) -> Answer:
    known = await known_rings(settings)
    async with AsyncExitStack() as stack:
        client = await stack.enter_async_context(AdminClient())
        query = await stack.enter_async_context(JaegerQuery(settings.jaeger_url))
        rings = [RingSource(client, ring) for ring in known.rings]
        sources = Sources([JaegerSource(query), *rings])
        found = await _when_whole(sources, wanted)
    return _answer(settings, known, sources, found)


async def _when_whole(sources: Sources, wanted: str) -> Found | None:
    """The trace, given a moment to arrive whole."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + WAIT_S
    before: Found | None = None
    while True:
        full = await (sources.last() if wanted == LAST else sources.full_id(wanted))
        found = None if full is None else await sources.collect(full)
        is_out_of_time = loop.time() >= deadline or not sources.is_any_there
        if is_out_of_time or (found is not None and _is_whole(found, before)):
            return found
        before = found
        await asyncio.sleep(LOOK_S)


def _is_whole(found: Found, before: Found | None) -> bool:
    """It has one beginning, and nothing came since the last look; of an old one nothing will come."""
    if len(found.trace.roots) != 1:
        return False
    ended_s = (found.trace.start_us + found.trace.duration_us) / 1_000_000
    is_old = time.time() - ended_s > OLD_S
    return is_old or (before is not None and before.trace == found.trace)


def _answer(settings: Settings, known: Known, sources: Sources, found: Found | None) -> Answer:
    """Jaeger is asked everywhere, but missed only by who set it up; where it has the trace, no ring is missed."""
    trace = None if found is None else found.trace
    is_jaeger_set_up = settings.jaeger_url != DEFAULT_JAEGER_URL
    jaeger_error = str(sources.away.get(JAEGER, "")) if is_jaeger_set_up else ""
    if found is not None and JAEGER in found.sources:
        return Answer(trace)
    missing = dict(known.silent)
    for ring in known.rings:
        error = sources.away.get(ring.node)
        if isinstance(error, AdminError) and ring.node:
            missing[ring.node] = _why_away(error)
    return Answer(trace, missing, known.why_alone, jaeger_error, sources.is_any_there)


def _why_away(error: AdminError) -> str:
    host = error.address.rpartition(":")[0].strip("[]")
    if _is_loopback(host):
        return f"its admin API is on {error.address}, for its own machine alone"
    return f"its admin API at {error.address} does not answer: {error.cause}"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _notes(answer: Answer, wanted: str) -> list[str]:
    """What may be missing from the tree and how to have it, one sentence each."""
    lines = []
    if answer.jaeger_error:
        lines.append(answer.jaeger_error)
    if answer.why_alone:
        lines.append(f"only this machine's node was asked: {answer.why_alone}")
    if answer.missing:
        lines.append(_missing_sentence(answer.missing, wanted))
    return lines


def _missing_sentence(missing: Mapping[str, str], wanted: str) -> str:
    """Nodes that are away for one reason stand together."""
    by_reason: dict[str, list[str]] = {}
    for node, reason in sorted(missing.items()):
        by_reason.setdefault(reason, []).append(node)
    named = [f"{_names(nodes)} ({reason})" for reason, nodes in by_reason.items()]
    more = f"; and {len(named) - MOST_NAMES} more" if len(named) > MOST_NAMES else ""
    return (
        f"the part of {'; '.join(named[:MOST_NAMES])}{more} is missing: run `meshnode trace {wanted}` there, "
        "set admin.address there to an address that this machine reaches, or send the spans to a Jaeger"
    )


def _names(nodes: list[str]) -> str:
    more = f" and {len(nodes) - MOST_NAMES} more" if len(nodes) > MOST_NAMES else ""
    return ", ".join(nodes[:MOST_NAMES]) + more


def _not_found(settings: Settings, wanted: str, answer: Answer) -> MeshnodeError:
    notes = "".join(f"; {line}" for line in _notes(answer, wanted))
    if not answer.is_any_there:
        return NotReachedError(
            f"neither the admin API of this machine's node ({settings.admin_address}) nor Jaeger "
            f"({settings.jaeger_url}) answers: is `meshnode agent` running? --admin and --jaeger say where they are{notes}"
        )
    if wanted == LAST:
        return MeshnodeError(
            "no request was traced yet: send one through the edge; trace.ratio must not be 0"
            + notes
        )
    return MeshnodeError(
        f"nobody has a trace {printable(wanted)}: a node keeps its last 10,000 spans, and only of requests that "
        f"were sampled (trace.ratio){notes}"
    )
