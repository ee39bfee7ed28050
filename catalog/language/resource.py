"""A rule as the proxy's resource (docs/boundary.md) and back. Judges nothing: what a rule says, the proxy takes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, get_args

from .rule import (
    Action,
    Answer,
    Backoff,
    Budget,
    Comparison,
    Condition,
    Fields,
    HeaderEdits,
    Https,
    PathKind,
    Place,
    Redirect,
    RequestLimits,
    Retries,
    Rewrite,
    Rule,
    Split,
)

_PLACES: dict[Place, str] = {"header": "headers", "query": "query", "cookie": "cookies"}
"""The resource's list of the conditions on each place."""
_LISTS = ("methods", "client_addresses", "sources")
_VALUES = (
    "priority", "strip_prefix", "add_prefix", "rewrite_host", "timeout_ms", "head_timeout_ms", "idle_timeout_ms",
    "body_bytes",
)  # fmt: skip
"""Fields of the same name in the rule and in the resource, left out where a rule has none."""


def to_fields(rule: Rule) -> dict[str, Any]:
    """The fields of the rule's resource."""
    fields: dict[str, Any] = {"action": _action(rule.action)}
    if rule.port is not None:
        fields["port"] = rule.port
    elif rule.sni:
        fields["sni"] = list(rule.sni)
    else:
        fields |= {"hosts": list(rule.hosts), "path": {rule.path_kind: rule.path}}
    for name in _LISTS:
        if values := getattr(rule, name):
            fields[name] = list(values)
    for condition in rule.conditions:
        fields.setdefault(_PLACES[condition.place], []).append(_condition(condition))
    for name in _VALUES:
        if value := getattr(rule, name):
            fields[name] = value
    for name, made in _PARTS.items():
        if part := getattr(rule, name):
            fields[name] = made(part)
    return fields


def from_fields(fields: dict[str, Any]) -> Rule:
    """The rule of a resource as `to_fields` made it. Raises KeyError, TypeError or ValueError on others."""
    if "port" in fields or "sni" in fields:
        kind, path, hosts = "prefix", "/", ()
    else:
        ((kind, path),), hosts = fields["path"].items(), tuple(fields["hosts"])
    conditions = tuple(
        _read_condition(place, condition)
        for place, name in _PLACES.items()
        for condition in fields.get(name, ())
    )
    taken: dict[str, Any] = {name: fields[name] for name in _VALUES if name in fields}
    taken |= {name: tuple(fields[name]) for name in _LISTS if name in fields}
    taken |= {name: read(fields[name]) for name, read in _READ_PARTS.items() if name in fields}
    return Rule(
        hosts,
        str(path),
        _read_action(fields["action"]),
        path_kind=_path_kind(kind),
        conditions=conditions,
        port=fields.get("port"),
        sni=tuple(fields.get("sni", ())),
        **taken,
    )


def _action(action: Action) -> dict[str, Any]:
    if isinstance(action, Split):
        return {"split": [{"cluster": name, "weight": weight} for name, weight in action.parts]}
    made: dict[str, Any] = {"status": action.status}
    if isinstance(action, Answer):
        made["body"] = action.body
        if action.content_type is not None:
            made["content_type"] = action.content_type
        return {"answer": made}
    made["location"] = action.location
    if action.path is not None:
        made["path"] = action.path
    if action.query is not None:
        made["query"] = action.query
    return {"redirect": made}


def _read_action(action: dict[str, Any]) -> Action:
    if made := action.get("redirect"):
        status, location = int(made["status"]), str(made["location"])
        return Redirect(status, location, made.get("path"), made.get("query"))
    if made := action.get("answer"):
        return Answer(int(made["status"]), str(made["body"]), made.get("content_type"))
    return Split(tuple((str(part["cluster"]), int(part["weight"])) for part in action["split"]))


def _condition(condition: Condition) -> dict[str, Any]:
    is_present = condition.comparison == "present"
    made = {"name": condition.name, condition.comparison: is_present or condition.value}
    return made | {"negated": True} if condition.is_negated else made


def _read_condition(place: Place, condition: dict[str, Any]) -> Condition:
    comparison: Comparison = next(one for one in get_args(Comparison) if one in condition)
    value = "" if comparison == "present" else condition[comparison]
    return Condition(place, condition["name"], comparison, value, condition.get("negated", False))


def _path_kind(word: str) -> PathKind:
    kinds: tuple[PathKind, ...] = get_args(PathKind)
    return next(kind for kind in kinds if kind == word)


def _rewrite(rewrite: Rewrite) -> dict[str, Any]:
    return {"regex": rewrite.regex, "to": rewrite.to}


def _read_rewrite(made: dict[str, Any]) -> Rewrite:
    return Rewrite(str(made["regex"]), str(made["to"]))


def _edits(edits: HeaderEdits) -> dict[str, Any]:
    made: dict[str, Any] = {"remove": list(edits.remove)} if edits.remove else {}
    for name, pairs in (("set", edits.set), ("add", edits.add)):
        if pairs:
            made[name] = [{"name": field, "value": value} for field, value in pairs]
    return made


def _read_edits(edits: dict[str, Any]) -> HeaderEdits:
    def pairs(name: str) -> Fields:
        return tuple((field["name"], field["value"]) for field in edits.get(name, ()))

    return HeaderEdits(tuple(edits.get("remove", ())), pairs("set"), pairs("add"))


def _retries(retries: Retries) -> dict[str, Any]:
    made: dict[str, Any] = {"attempts": retries.attempts}
    if retries.on is not None:
        made["on"] = list(retries.on)
    if retries.per_try_timeout_ms is not None:
        made["per_try_timeout_ms"] = retries.per_try_timeout_ms
    if retries.backoff:
        made["backoff_ms"] = {"base": retries.backoff.base_ms, "max": retries.backoff.max_ms}
    if retries.budget:
        budget = retries.budget
        made["budget"] = {"percent": budget.percent, "per_second": budget.per_second}
    if retries.non_idempotent:
        made["non_idempotent"] = True
    return made


def _read_retries(made: dict[str, Any]) -> Retries:
    on, backoff, budget = made.get("on"), made.get("backoff_ms"), made.get("budget")
    return Retries(
        made["attempts"],
        None if on is None else tuple(on),
        made.get("per_try_timeout_ms"),
        Backoff(backoff["base"], backoff["max"]) if backoff else None,
        Budget(budget["percent"], budget["per_second"]) if budget else None,
        made.get("non_idempotent", False),
    )


def https_fields(https: Https) -> dict[str, Any]:
    """As the proxy takes it; what is off is said, since it stands before what the mesh says."""
    made: dict[str, Any] = {"redirect": https.is_redirected}
    if https.hsts_max_age_s is not None:
        made["hsts_max_age_s"] = https.hsts_max_age_s
    return made


def read_https(made: dict[str, Any]) -> Https:
    """The setting of a resource."""
    return Https(bool(made["redirect"]), made.get("hsts_max_age_s"))


def _limits(limits: RequestLimits) -> dict[str, Any]:
    made = {name: getattr(limits, name) for name in RequestLimits.__slots__}
    return {name: value for name, value in made.items() if value is not None}


def _read_limits(made: dict[str, Any]) -> RequestLimits:
    return RequestLimits(**made)


_PARTS: dict[str, Callable[[Any], dict[str, Any]]] = {
    "rewrite_path": _rewrite,
    "request_headers": _edits,
    "response_headers": _edits,
    "retries": _retries,
    "https": https_fields,
    "limits": _limits,
}
_READ_PARTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "rewrite_path": _read_rewrite,
    "request_headers": _read_edits,
    "response_headers": _read_edits,
    "retries": _read_retries,
    "https": read_https,
    "limits": _read_limits,
}
