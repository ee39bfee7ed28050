"""Answers what would become of a request: asks the proxy, and puts beside it what this node knows. Changes nothing."""

from __future__ import annotations

from typing import Any

import orjson

from ..errors import ProxyRefused, ProxyUnreachable, UsageError
from ..explain import Known, explained, on_own_ports
from ..proxy import ControlClient
from .delivery import Delivery
from .knowledge import Knowledge
from .side import Side

# The proxy's answer to a body that is wrong, and to one that is too long.
WRONG_BODY = (400, 413, 422)


async def explain(
    client: ControlClient,
    document: dict[str, Any],
    knowledge: Knowledge,
    delivery: Delivery,
    side: Side | None,
) -> dict[str, Any]:
    """Raises UsageError for requests that are none, ProxyError where the proxy can't say."""
    known = known_of(knowledge, delivery, side)
    requests = on_own_ports(document["requests"], known.listeners)
    try:
        answer = await client.explain(orjson.dumps({**document, "requests": requests}))
    except ProxyRefused as error:
        if error.status in WRONG_BODY:
            where = f"{error.path}: " if error.path else ""
            raise UsageError(f"{where}{error.sentence}") from error
        raise
    try:
        return explained(requests, answer, known)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        cause = "what answers POST /v1/explain there is no meshnode-proxy of ours"
        raise ProxyUnreachable(client.path, cause) from error


def known_of(knowledge: Knowledge, delivery: Delivery, side: Side | None) -> Known:
    """What this node knows beside what its proxy says."""
    state, compiled = knowledge.state, knowledge.compiled
    return Known(
        node="" if side is None else side.me.node,
        problems=() if compiled is None else compiled.problems,
        keys=state.keys.entries,
        instances=state.instances,
        checks=() if state.unhealthy is None else state.unhealthy.checks,
        since=knowledge.unwell.since,
        intentions=state.intentions,
        intention_default=knowledge.intention_default,
        forms={} if compiled is None else compiled.last_good.forms,
        policies=knowledge.policies,
        listeners={one.name: one.address for one in delivery.listeners if one.state == "open"},
    )
