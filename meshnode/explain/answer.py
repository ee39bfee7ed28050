"""Puts what only the agent knows beside the proxy's answers: keys that are refused, instances and their checks, addresses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from catalog import (
    Form,
    Instance,
    Intentions,
    KvEntry,
    Policies,
    Problem,
    UnhealthyCheck,
    deciding_rule,
    route_name,
)

from .changes import with_origins
from .instances import Since, views

MESH = "mesh"
EDGE_TLS = "websecure"
"""The listener that other nodes call by."""
REFUSED_MAX = 5
"""Refused keys named with one answer; `meshnode status` has all."""


@dataclass(frozen=True, slots=True)
class Known:
    """What the agent knows at the moment of the question. `listeners` is name → `ip:port`."""

    node: str
    problems: tuple[Problem, ...] = ()
    keys: tuple[KvEntry, ...] = ()
    instances: Mapping[str, tuple[Instance, ...]] = field(default_factory=dict)
    checks: tuple[UnhealthyCheck, ...] = ()
    since: Since = field(default_factory=dict)
    listeners: Mapping[str, str] = field(default_factory=dict)
    intentions: tuple[Intentions, ...] = ()
    intention_default: str = "deny"
    forms: Mapping[str, Form] = field(default_factory=dict)
    """The route in force of each key."""
    policies: Policies = field(default_factory=Policies)
    """Those in force."""


def explained(
    asked: Iterable[Mapping[str, Any]], document: Mapping[str, Any], known: Known
) -> dict[str, Any]:
    """The proxy's document with `node`, and in each answer `listener`, `refused`, `instances`.

    Each change has the key and index that say it, the intention its precedence and index.
    Raises KeyError or TypeError where the proxy answered in another form.
    """
    answers = [
        _answer(question, answer, known)
        for question, answer in zip(asked, document["answers"], strict=True)
    ]
    return {**document, "node": known.node, "answers": answers}


def _answer(question: Mapping[str, Any], answer: Mapping[str, Any], known: Known) -> dict[str, Any]:
    name = str(question.get("listener", "edge"))
    # What is asked by its kind is that kind's, whatever a service is called.
    own = {"outbound": str(question.get("source")), "inbound": MESH}.get(name, name)
    if name == "edge":
        own = _edge(question)
    name = own if own in known.listeners else name
    told = {**answer, **decided(question, answer, known)}
    return {
        **told,
        **_changes(answer, known),
        "intention": _with_rule(question, told, known),
        "listener": {"name": name, "address": known.listeners.get(own)},
        "refused": _refused(answer, known),
        "instances": _instances(answer, known),
    }


def _edge(question: Mapping[str, Any]) -> str:
    """The listener of the edge that takes it."""
    scheme = question.get("scheme")
    if scheme == "tcp":
        return f"tcp:{str(question.get('host')).rpartition(':')[2]}"
    return EDGE_TLS if scheme in ("https", "tls") else "edge"


def decided(question: Mapping[str, Any], answer: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """What the other node will decide, where this one's proxy is not told the intentions of the service."""
    intention, service = answer.get("intention"), str(answer.get("destination"))
    if intention is None or intention.get("is_allowed") is not None:
        return {}
    source = str(question.get("source") or "edge")
    rule = deciding_rule(source, service, known.intentions)
    action = known.intention_default if rule is None else rule["action"]
    name = None if rule is None else rule["name"]
    sentence = f"no intention names them, and the default is {action}" if rule is None else ""
    told = {**intention, "is_allowed": action == "allow", "name": name, "sentence": sentence}
    if action == "allow" or answer.get("answer") is not None:
        return {"intention": told}
    why = f"intention {name}" if name else f"the default is {action}"
    message = f"{intention.get('decided_by')} refuses {source} => {service}: {why}"
    refusal = {"status": 403, "reason": "intention_denied", "message": message}
    return {"intention": told, "answer": refusal}


def _changes(answer: Mapping[str, Any], known: Known) -> dict[str, Any]:
    """What is changed on the way there and back, each with what says it."""

    def told(changes: Any) -> list[dict[str, Any]]:
        route = answer.get("route")
        return with_origins(list(changes or ()), route, known.forms, known.policies, known.keys)

    request = answer.get("request")
    sent = request and {**request, "changes": told(request.get("changes"))}
    return {"request": sent, "response_changes": told(answer.get("response_changes"))}


def _with_rule(
    question: Mapping[str, Any], answer: Mapping[str, Any], known: Known
) -> dict[str, Any] | None:
    """The intention with the precedence and index of its rule, where Consul's entries here have it."""
    intention = answer.get("intention")
    if intention is None:
        return None
    source = str(question.get("source") or "edge")
    rule = deciding_rule(source, str(answer.get("destination")), known.intentions) or {}
    is_it = rule.get("name") == intention.get("name")
    told = {name: rule.get(name) if is_it else None for name in ("precedence", "index")}
    return {**intention, **told}


def _instances(answer: Mapping[str, Any], known: Known) -> list[dict[str, Any]]:
    service = answer.get("destination")
    if not isinstance(service, str):
        return []
    endpoints = {(one["node"], one["id"]): one for one in answer.get("endpoints") or ()}
    instances = known.instances.get(service, ())
    found = views(
        str(answer.get("cluster") or service), service, instances, known.checks, known.since, endpoints,
        known.policies,
    )  # fmt: skip
    return [one.to_json() for one in found]


def _refused(answer: Mapping[str, Any], known: Known) -> list[dict[str, Any]]:
    """Route keys that are not in force as written, those that speak of the host first."""
    host = str((answer.get("normal") or {}).get("host", ""))
    values = {entry.key: entry.value for entry in known.keys}
    bad = [
        problem
        for problem in known.problems
        if problem.severity == "error" and route_name(problem.key) is not None
    ]
    bad.sort(
        key=lambda problem: (
            host.encode() not in values.get(problem.key, b"").lower(),
            problem.key,
        )
    )
    return [problem.to_json() for problem in bad[:REFUSED_MAX]]
