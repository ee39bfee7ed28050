"""Consul's intentions as rules in the order of their evaluation: the first that names the caller decides.

Order (Consul, one namespace): source and destination exact 9, any source 8, any destination 6, both 5; deny before
allow where that is equal.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .model import Intentions, IntentionSource, Problem
from .resource import Resource
from .values import is_service_name

RULES_MAX = 10_000
"""What the proxy takes for one destination."""

ANY = "*"


def rules_of(destination: str, intentions: tuple[Intentions, ...]) -> Resource:
    """All rules for calls to one service, those of the destination `*` among them."""
    rules = [
        _rule(entry, source)
        for entry in intentions
        if entry.destination in (destination, ANY)
        for source in entry.sources
        if not foreign(source) and (source.name == ANY or is_service_name(source.name))
    ]
    rules.sort(key=_evaluation)
    if len(rules) > RULES_MAX:
        rules = [
            {
                "source": ANY,
                "action": "refuse",
                "name": f"more than {RULES_MAX} intentions for {destination}",
                "precedence": 9,
                "index": max(rule["index"] for rule in rules),
            }
        ]
    return {"destination": destination, "rules": rules}


def deciding_rule(
    source: str, destination: str, intentions: tuple[Intentions, ...]
) -> dict[str, Any] | None:
    """The rule that decides on a call, as the destination's node will; None: the default does.

    For people who ask elsewhere: no call is let through by it.
    """
    rules: list[dict[str, Any]] = rules_of(destination, intentions)["rules"]
    return next((rule for rule in rules if rule["source"] in (source, ANY)), None)


def called_by(sources: frozenset[str], intentions: tuple[Intentions, ...]) -> frozenset[str]:
    """The destinations that an intention lets one of these services call."""
    return frozenset(
        entry.destination
        for entry in intentions
        if is_service_name(entry.destination)
        and any(
            source.action != "deny" and (source.name == ANY or source.name in sources)
            for source in entry.sources
        )
    )


def problems(
    destinations: Iterable[str], intentions: tuple[Intentions, ...]
) -> tuple[Problem, ...]:
    """What this version does not do yet, in the intentions for these destinations."""
    known = {*destinations, ANY}
    return tuple(
        problem
        for entry in intentions
        if entry.destination in known
        for source in entry.sources
        if (problem := _problem(entry, source))
    )


def foreign(source: IntentionSource) -> bool:
    """Whether the source is in another namespace, partition or cluster: none of our callers can be it."""
    return bool(
        source.peer
        or source.sameness_group
        or source.namespace not in ("", "default")
        or source.partition not in ("", "default")
    )


def _rule(entry: Intentions, source: IntentionSource) -> dict[str, Any]:
    action: str | None = source.action
    if source.has_permissions or action is None:
        action = "refuse"
    precedence = {
        (False, False): 9,
        (True, False): 8,
        (False, True): 6,
        (True, True): 5,
    }[source.name == ANY, entry.destination == ANY]
    return {
        "source": source.name,
        "action": action,
        "name": f"{source.name} => {entry.destination}",
        "precedence": precedence,
        "index": entry.modify_index,
    }


def _evaluation(rule: dict[str, Any]) -> tuple[int, bool, str]:
    return -rule["precedence"], rule["action"] == "allow", rule["source"]


def _problem(entry: Intentions, source: IntentionSource) -> Problem | None:
    key = f"intention {source.name} => {entry.destination}"
    if foreign(source):
        sentence = "a source in another namespace, partition or cluster is not in this version yet: skipped"
        return Problem(key, entry.modify_index, "warning", sentence)
    if source.has_permissions:
        sentence = (
            "permissions by path or method are not in this version yet: every call it names is refused "
            "(403 intention_unsupported)"
        )
        return Problem(key, entry.modify_index, "error", sentence)
    return None
