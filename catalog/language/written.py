"""A rule as the document form writes it, so that reading it gives the same rule. Leaves out what has its usual value."""

from __future__ import annotations

from typing import Any

from .rule import (
    Action,
    Answer,
    Condition,
    Fields,
    HeaderEdits,
    Https,
    RequestLimits,
    Retries,
    Rule,
    Split,
)

_TIMES = {
    "timeout": "timeout_ms",
    "timeout_head": "head_timeout_ms",
    "timeout_idle": "idle_timeout_ms",
}
_VALUES = {
    "priority": "priority",
    "strip": "strip_prefix",
    "add": "add_prefix",
    "rewrite_host": "rewrite_host",
}
"""The document's name of a value, and the rule's."""


def to_document(rule: Rule) -> dict[str, Any]:
    """The rule's document; a gRPC route is written as the path, method and condition it is."""
    document = _match(rule) | _action(rule.action)
    for name, field in _VALUES.items():
        if value := getattr(rule, field):
            document[name] = value
    for name, field in _TIMES.items():
        if value_ms := getattr(rule, field):
            document[name] = f"{value_ms}ms"
    return document | _parts(rule)


def https_text(https: Https) -> str:
    """As lines and documents have it."""
    words = ["redirect"] if https.is_redirected else []
    if https.hsts_max_age_s is not None:
        words.append(f"hsts={https.hsts_max_age_s // 86_400}d")
    return "+".join(words) or "off"


def _parts(rule: Rule) -> dict[str, Any]:
    """What has a form of its own."""
    document: dict[str, Any] = {}
    if rule.rewrite_path:
        document["rewrite"] = {"regex": rule.rewrite_path.regex, "to": rule.rewrite_path.to}
    if rule.request_headers:
        document["request_headers"] = _edits(rule.request_headers)
    if rule.response_headers:
        document["response_headers"] = _edits(rule.response_headers)
    if rule.https:
        document["https"] = https_text(rule.https)
    if rule.retries:
        document["retries"] = _retries(rule.retries)
    if limits := _limits(rule):
        document["limits"] = limits
    return document


def _match(rule: Rule) -> dict[str, Any]:
    """What the rule takes."""
    document: dict[str, Any]
    if rule.is_raw:
        names = {"sni": list(rule.sni), "passthrough": True}
        document = names if rule.port is None else {"tcp": rule.port}
        if rule.client_addresses:
            document["when"] = [{"client": list(rule.client_addresses)}]
        return document
    document = {"host": rule.hosts[0]} if len(rule.hosts) == 1 else {"hosts": list(rule.hosts)}
    document["path"] = rule.path if rule.path_kind == "prefix" else {rule.path_kind: rule.path}
    if rule.methods:
        document["methods"] = list(rule.methods)
    when: list[dict[str, Any]] = [_condition(condition) for condition in rule.conditions]
    if rule.client_addresses:
        when.append({"client": list(rule.client_addresses)})
    if rule.sources:
        when.append({"from": list(rule.sources)})
    return document | {"when": when} if when else document


def _condition(condition: Condition) -> dict[str, Any]:
    made: dict[str, Any] = {condition.place: condition.name}
    if condition.comparison != "present":
        made[condition.comparison] = condition.value
    return made | {"negated": True} if condition.is_negated else made


def _action(action: Action) -> dict[str, Any]:
    if isinstance(action, Split):
        if len(action.parts) == 1:
            return {"service": action.parts[0][0]}
        return {"split": [{"service": name, "weight": share} for name, share in action.parts]}
    if isinstance(action, Answer):
        answer: dict[str, Any] = {"status": action.status, "body": action.body}
        if action.content_type is not None:
            answer["content_type"] = action.content_type
        return {"answer": answer}
    redirect: dict[str, Any] = {"status": action.status, "location": action.location}
    if action.path is not None:
        redirect["path"] = action.path
    if action.query is not None:
        redirect["query"] = action.query
    return {"redirect": redirect}


def _edits(edits: HeaderEdits) -> dict[str, Any]:
    made: dict[str, Any] = {"remove": list(edits.remove)} if edits.remove else {}
    for name, fields in (("set", edits.set), ("add", edits.add)):
        if fields:
            made[name] = _by_name(fields)
    return made


def _by_name(fields: Fields) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in fields:
        found.setdefault(name, []).append(value)
    return found


def _limits(rule: Rule) -> dict[str, Any]:
    made: dict[str, Any] = {"body_bytes": rule.body_bytes}
    if limits := rule.limits:
        made |= {name: getattr(limits, name) for name in RequestLimits.__slots__}
    return {name: value for name, value in made.items() if value is not None}


def _retries(retries: Retries) -> dict[str, Any]:
    made: dict[str, Any] = {"attempts": retries.attempts}
    if retries.on is not None:
        made["on"] = list(retries.on)
    if retries.per_try_timeout_ms is not None:
        made["per_try_timeout"] = f"{retries.per_try_timeout_ms}ms"
    if backoff := retries.backoff:
        made["backoff"] = {"base": f"{backoff.base_ms}ms", "max": f"{backoff.max_ms}ms"}
    if budget := retries.budget:
        made["budget"] = {"percent": budget.percent, "per_second": budget.per_second}
    if retries.non_idempotent:
        made["non_idempotent"] = True
    return made
