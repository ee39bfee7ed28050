"""One route: read from its key, written as the proxy's resource, and set in its order. Reads nothing but the entry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .documents import parse_document
from .grammar import parse_line
from .keys import ROUTES
from .model import KvEntry, Problem
from .rule import Redirect, Rule, Split
from .text import Mistake, decode, lines, source_line

_DOCUMENT = re.compile(r"[{%]|---|\[(?!.*->)|([\"']?)[A-Za-z_][A-Za-z0-9_-]*\1\s*:(\s|$)")


@dataclass(frozen=True, slots=True)
class Route:
    """A rule with where it stands: its name (the key below `mesh/routes/`) and the key's ModifyIndex."""

    name: str
    index: int
    rule: Rule

    @property
    def key(self) -> str:
        return ROUTES + self.name


def parse_route(name: str, entry: KvEntry) -> Route | Problem:
    """The route of a key's value, in one line or as a document; else what is wrong with it. Never raises."""
    text: str | None = None
    try:
        text = decode(entry.value)
        rule = parse_document(text) if is_document(text) else parse_line(text)
    except Mistake as mistake:
        return _problem(entry, text or entry.value.decode("utf-8", "replace"), mistake)
    return Route(name, entry.modify_index, rule)


def is_document(text: str) -> bool:
    """Whether a value is meant as YAML or JSON: by its first line that is neither empty nor a comment."""
    for line in lines(text):
        stripped = line.strip()
        if stripped and not stripped.startswith("#"):
            return _DOCUMENT.match(stripped) is not None
    return False


def to_resource(route: Route) -> dict[str, Any]:
    """The route as docs/boundary.md has it."""
    rule = route.rule
    resource: dict[str, Any] = {
        "key": route.key,
        "index": route.index,
        "hosts": [rule.host],
        "path": {"exact" if rule.is_exact else "prefix": rule.path},
        "action": _action_resource(rule.action),
    }
    if rule.timeout_ms is not None:
        resource["timeout_ms"] = rule.timeout_ms
    if rule.strip_prefix is not None:
        resource["strip_prefix"] = rule.strip_prefix
    return resource


def from_resource(name: str, resource: dict[str, Any]) -> Route:
    """The route of a saved resource, as `to_resource` made it. Raises KeyError, TypeError or ValueError on others."""
    (kind, path), action = next(iter(resource["path"].items())), resource["action"]
    made: Split | Redirect
    if "redirect" in action:
        made = Redirect(int(action["redirect"]["status"]), str(action["redirect"]["location"]))
    else:
        made = Split(tuple((str(part["cluster"]), int(part["weight"])) for part in action["split"]))
    rule = Rule(
        str(resource["hosts"][0]),
        str(path),
        kind == "exact",
        made,
        timeout_ms=resource.get("timeout_ms"),
        strip_prefix=resource.get("strip_prefix"),
    )
    return Route(name, int(resource["index"]), rule)


def saved_routes(resources: Mapping[str, dict[str, Any]]) -> list[Route]:
    """The routes of a saved snapshot by key; one that a version with other forms wrote is left out.

    So are those that stand in no key of their own: what they were made of is read again.
    """
    routes = []
    for name, resource in resources.items():
        if resource.get("key") != ROUTES + name:
            continue
        with suppress(KeyError, TypeError, ValueError, StopIteration):
            routes.append(from_resource(name, resource))
    return sorted(routes, key=lambda route: route.key)


def to_document(route: Route) -> dict[str, Any]:
    """The route as the document form writes it, so that `parse_route` reads the same rule."""
    rule = route.rule
    document: dict[str, Any] = {"host": rule.host, "path": rule.path, "exact": rule.is_exact}
    if isinstance(rule.action, Redirect):
        document["redirect"] = {"status": rule.action.status, "location": rule.action.location}
    elif len(rule.action.parts) == 1:
        document["service"] = rule.action.parts[0][0]
    else:
        document["split"] = [
            {"service": name, "weight": share} for name, share in rule.action.parts
        ]
    if rule.timeout_ms is not None:
        document["timeout"] = f"{rule.timeout_ms}ms"
    if rule.strip_prefix is not None:
        document["strip"] = rule.strip_prefix
    return document


def age(route: Route) -> tuple[int, str]:
    """Which of two routes with the same host and path wins: the lower, older first, then by name."""
    return route.index, route.name


def _action_resource(action: Split | Redirect) -> dict[str, Any]:
    if isinstance(action, Redirect):
        return {"redirect": {"status": action.status, "location": action.location}}
    return {"split": [{"cluster": name, "weight": weight} for name, weight in action.parts]}


def _problem(entry: KvEntry, text: str, mistake: Mistake) -> Problem:
    at = mistake.at
    return Problem(
        entry.key,
        entry.modify_index,
        "error",
        mistake.sentence,
        line=at.line if at else None,
        column=at.column if at else None,
        length=max(at.length, 1) if at else None,
        source=source_line(text, at.line) if at else None,
        suggestion=mistake.suggestion,
    )
