"""Answers what keys would do that nobody wrote yet: the present state with them, compiled aside and asked of the proxy. Changes nothing.

Beside the loop, in a thread with a loop of its own: a whole compile of 10,000 routes would hold back everybody's changes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from catalog import (
    Compiled,
    ConsulClient,
    InstancesUpdate,
    KvUpdate,
    NodeFacts,
    Problem,
    Refusal,
    Snapshot,
    State,
    compile_snapshot,
    parse_route,
    route_name,
)
from catalog import Route as ParsedRoute
from observability import MAX_TRACES, Reading

from ..candidate.answering import answers_of
from ..candidate.asking import REQUESTS_MAX, Answer, ask, ask_in_force
from ..candidate.deciding import Accepted, Bench, decide
from ..candidate.expected import Asking
from ..candidate.promise import Compared, Request, Side, Wish, promise, recorded
from ..errors import MeshnodeError, UsageError
from ..explain import Known, decided, questions_of_trace
from ..proxy import ControlClient
from .delivery import Delivery
from .explaining import known_of
from .knowledge import Knowledge
from .side import Side as ConsulSide

# Services that no route names yet, and are looked up for one question; more are a mesh's first configuration.
LOOKED_UP_MAX = 200
NOT_YET = "this node has no table yet, so there is nothing to compare with: `meshnode status` says what it waits for"


@dataclass(frozen=True, slots=True)
class _Ground:
    """What the thread is given: all of it values that do not change."""

    socket: Path
    state: State
    facts: NodeFacts
    now: Compiled
    problems: tuple[Problem, ...]
    in_force: Snapshot
    known: Known
    accepted: Accepted
    reading: Reading


async def plan(
    wish: Wish,
    asked: Sequence[Mapping[str, Any]],
    *,
    client: ControlClient,
    consul: ConsulClient,
    knowledge: Knowledge,
    delivery: Delivery,
    side: ConsulSide | None,
    accepted: Accepted | None,
    reading: Reading,
) -> dict[str, Any]:
    """The document of candidate/promise.py; `accepted` is what route tests let through last.

    Raises UsageError for too much at once, MeshnodeError before there is a table, CatalogError.
    """
    compiled, facts, in_force = knowledge.compiled, knowledge.facts, delivery.in_force
    if compiled is None or facts is None or in_force is None:
        raise MeshnodeError(NOT_YET)
    ground = _Ground(
        socket=client.path,
        state=knowledge.state,
        facts=replace(facts, outbound_ports=knowledge.ports.assigned),
        now=compiled,
        problems=(*compiled.problems, *delivery.problems),
        in_force=in_force,
        known=known_of(knowledge, delivery, side),
        accepted=accepted or Accepted.of(compiled),
        reading=reading,
    )
    state = await _looked_up(_wished(ground.state, wish), wish, consul)
    found = await asyncio.to_thread(
        lambda: asyncio.run(_planned(replace(ground, state=state), ground.state, wish, asked))
    )
    return {"node": ground.known.node, "generation": in_force.generation, **found}


def _wished(state: State, wish: Wish) -> State:
    """As the watch would tell it after all was written in one transaction."""
    keys = state.keys
    held = keys.hold.keys if keys.hold else frozenset()
    standing = [entry for entry in keys.entries if entry.key not in held]
    newest = max((entry.modify_index for entry in standing), default=0)
    index = max(newest, keys.consul_index) + 1
    return state.apply(KvUpdate("mesh/", wish.applied(standing, index), index))


async def _looked_up(state: State, wish: Wish, consul: ConsulClient) -> State:
    """With the instances of services that nobody asked about until now. Raises CatalogError."""
    listed = {name for name, _ in state.services}
    unknown = sorted(_services(wish) - state.sweeps.keys())
    if len(unknown) > LOOKED_UP_MAX:
        raise UsageError(
            f"{len(unknown)} services are named that no route led to until now, more than {LOOKED_UP_MAX}: plan fewer keys at once"
        )
    index = 0 if state.unhealthy is None else state.unhealthy.consul_index
    for service in unknown:
        # What no one registered need not be asked about; the answer's own status of checks is the newest.
        instances = tuple(await consul.instances(service)) if service in listed else ()
        state = state.apply(InstancesUpdate(service, instances, index + 1))
    return state


def _services(wish: Wish) -> set[str]:
    """The services that the routes in question lead to."""
    found: set[str] = set()
    for entry in wish.applied((), 1):
        name = route_name(entry.key)
        route = None if name is None else parse_route(name, entry)
        if isinstance(route, ParsedRoute):
            found.update(route.rule.services)
    return found


async def _planned(
    ground: _Ground, state_now: State, wish: Wish, asked: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    given = [Request(one) for one in asked]
    past = recorded(
        question
        for trace in ground.reading.after(None, MAX_TRACES).traces
        for question in questions_of_trace(trace)
    )[: REQUESTS_MAX - len(given)]
    async with ControlClient(ground.socket) as client:
        compiled = await _judged(client, ground)
        found = await ask(client, _table(compiled, ground), in_force=ground.in_force)
        given_compared = await _compared(client, ground, found.table, given)
        past_compared = await _compared(client, ground, found.table, past)
    refused = (
        Problem(one.culprit.key, one.culprit.index, "error", one.sentence) for one in found.refusals
    )
    now = Side(state_now.keys.entries, ground.problems, ground.in_force.resources["routes"])
    then = Side(
        ground.state.keys.entries,
        (*compiled.problems, *refused),
        found.table.resources["routes"],
    )
    return promise(wish, now, then, given_compared, past_compared)


async def _judged(client: ControlClient, ground: _Ground) -> Compiled:
    """What would be compiled, with what route tests would refuse of it: as the loop's gate does it."""

    def compiled_again(refused: Mapping[str, Refusal]) -> Compiled:
        return compile_snapshot(ground.state, ground.facts, ground.now.last_good, None, refused)

    async def asked_by(table: Snapshot, asked: Sequence[Asking]) -> Sequence[Answer]:
        table = replace(table, generation=ground.in_force.generation + 1)
        return await answers_of(client, table, asked, ground.known, in_force=ground.in_force)

    bench = Bench(asked_by, compiled_again)
    return (await decide(compiled_again({}), ground.accepted, bench)).compiled


def _table(compiled: Compiled, ground: _Ground) -> Snapshot:
    return Snapshot(ground.in_force.generation + 1, compiled.digest, compiled.resources)


async def _compared(
    client: ControlClient, ground: _Ground, table: Snapshot, requests: Sequence[Request]
) -> list[Compared]:
    """Each request by the table in force and by the other."""
    if not requests:
        return []
    questions = [one.question for one in requests]
    before = _decided(questions, await ask_in_force(client, questions), ground)
    found = await ask(client, table, questions, in_force=ground.in_force)
    after = _decided(questions, found.answers, ground)
    return [Compared(*one) for one in zip(requests, before, after, strict=True)]


def _decided(
    requests: Sequence[Mapping[str, Any]], answers: Sequence[Answer], ground: _Ground
) -> list[Answer]:
    """With what other nodes will decide."""
    return [
        {**answer, **decided(request, answer, ground.known)}
        for request, answer in zip(requests, answers, strict=True)
    ]
