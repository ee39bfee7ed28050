"""How requests are sent on, as routes, services and the whole mesh may say: times, retries, headers. Merges nothing.

Each is read as a route's document reads it; what comes out has the names and the form of docs/boundary.md, so that a
route with what was added is what the proxy takes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from ..language.faults import first_mistake
from ..language.gaps import refuse_empty, refuse_nothing
from ..language.limits import read_limits
from ..language.model import RouteFields
from ..language.parts import header_edits, retries
from ..language.resource import https_fields, to_fields
from ..language.rule import Rule, Split
from ..language.settings import TIMES, https
from ..text import Token
from ..yamltree import Mapping as Fields
from ..yamltree import Node, plain
from .fields import Read, text, time_ms

_ANY = Rule(("*",), "/", Split((("any", 1),)))
"""A route to hold what is read."""


def _part(name: str, read: Callable[[Node, Token], Any]) -> Read:
    """What routes have as a mapping of fields of its own."""

    def as_in_routes(node: Node, at: Token) -> Any:
        alone = Fields(at, {name: node}, {name: at})
        try:
            RouteFields.model_validate(plain(alone))
        except ValidationError as error:
            raise first_mistake(error, alone, RouteFields) from None
        refuse_nothing(node)
        made = to_fields(replace(_ANY, **{name: read(node, at)}))[name]
        refuse_empty(node)
        return made

    return as_in_routes


def request_limits(node: Node, at: Token) -> dict[str, Any]:
    """The `limits` of a route, by its resource's names: `body_bytes`, and `limits` of how many there may be."""
    alone = Fields(at, {"limits": node}, {"limits": at})
    try:
        RouteFields.model_validate(plain(alone))
    except ValidationError as error:
        raise first_mistake(error, alone, RouteFields) from None
    refuse_nothing(node)
    made = to_fields(replace(_ANY, **read_limits(node, at)))
    refuse_empty(node)
    return {name: made[name] for name in ("body_bytes", "limits") if name in made}


_PARTS: Mapping[str, Callable[[Node, Token], Any]] = {
    "retries": lambda node, _: retries(node),
    "request_headers": header_edits,
    "response_headers": header_edits,
}

READERS: Mapping[str, Read] = {
    **dict.fromkeys(TIMES, time_ms),
    **{name: _part(name, read) for name, read in _PARTS.items()},
    "https": lambda node, name: https_fields(https(text(node, name))),
}
"""By a document's field."""

NAMES: Mapping[str, str] = {**TIMES, **{name: name for name in (*_PARTS, "https")}}
"""A document's field, and the route resource's."""


def taken(found: Mapping[str, Any]) -> dict[str, Any]:
    """Of the fields of a document those that are about sending on, by the resource's names."""
    return {NAMES[name]: value for name, value in found.items() if name in NAMES}
