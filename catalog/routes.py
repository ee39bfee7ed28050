"""One route: read from its key, written as the proxy's resource, and set in its order. Reads nothing but the entry."""

from __future__ import annotations

import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from .keys import ROUTES
from .language.document import parse_document
from .language.line import parse_line
from .language.resource import from_fields, to_fields
from .language.rule import Rule
from .model import KvEntry, Problem
from .text import Mistake, decode, lines, problem_of

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
        return problem_of(entry, text or entry.value.decode("utf-8", "replace"), mistake)
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
    return {"key": route.key, "index": route.index, **to_fields(route.rule)}


def from_resource(name: str, resource: dict[str, Any]) -> Route:
    """The route of a saved resource, as `to_resource` made it. Raises KeyError, TypeError or ValueError on others."""
    return Route(name, int(resource["index"]), from_fields(resource))


def saved_routes(resources: Mapping[str, dict[str, Any]]) -> list[Route]:
    """The routes of a saved snapshot by key; one that a version with other forms wrote is left out.

    So are those that stand in no key of their own: what they were made of is read again.
    """
    routes = []
    for name, resource in resources.items():
        if resource.get("key") != ROUTES + name:
            continue
        with suppress(KeyError, TypeError, ValueError, StopIteration, AttributeError):
            routes.append(from_resource(name, resource))
    return sorted(routes, key=lambda route: route.key)


def age(route: Route) -> tuple[int, str]:
    """Which of two routes with the same host and path wins: the lower, older first, then by name."""
    return route.index, route.name
