"""Where each field of a route comes from: its own key, its service's policy, the mesh's settings, or what is built in.

By the keys as they stand, with the functions that compile them; asks no node.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from .keys import ROUTES
from .language.resource import read_https
from .language.rule import Split
from .language.settings import TIMES
from .language.written import https_text, to_document
from .model import KvEntry, Problem
from .policies.defaults import BUILT_IN, HEADERS, Origin, layers, origins
from .policies.policies import Policies, decide_policies
from .policies.service import HTTP
from .policies.settings import MeshSettings
from .routes import Route, parse_route, to_resource

_TIMES = {resource: document for document, resource in TIMES.items()}
"""A resource's name of a time, and the document's."""
_FIELDS = {**_TIMES, "body_bytes": "limits.body_bytes"}
"""The same of each field that is called otherwise in a document."""
_IDLE = {
    "idle_timeout_ms": 60_000,
    "body_idle_timeout_ms": 30_000,
    "tunnel_idle_timeout_ms": 3_600_000,
}
"""What the proxy takes before the answer, in it and behind an upgrade, where nothing says otherwise
(docs/boundary.md)."""


@dataclass(frozen=True, slots=True)
class FieldOrigin:
    """A field by its name in documents, its value as people write it, and the key and index it comes from.

    An empty key: it is built in. A value of None: there is none.
    """

    name: str
    value: Any
    key: str
    index: int

    def to_json(self) -> dict[str, Any]:
        return {
            "field": self.name,
            "value": self.value,
            "from": {"key": self.key, "index": self.index} if self.key else "built in",
        }


def field_origins(
    name: str, entries: tuple[KvEntry, ...]
) -> tuple[FieldOrigin, ...] | Problem | None:
    """Each field of a route; `entries` are all under mesh/, sorted. None: there is no such route."""
    entry = next((one for one in entries if one.key == ROUTES + name), None)
    if entry is None:
        return None
    route = parse_route(name, entry)
    if isinstance(route, Problem):
        return route
    own = Origin(route.key, route.index)
    told = [
        FieldOrigin(field, value, own.key, own.index)
        for field, value in to_document(route.rule).items()
        if field not in TIMES
        and field not in ("retries", "limits", *HEADERS)
        and not (field == "https" and isinstance(route.rule.action, Split))
    ]
    if isinstance(route.rule.action, Split):
        told += _sent_on(route, own, decide_policies(entries, Policies()))
    return tuple(told)


def time_text(value_ms: int) -> str:
    """A time as people write it."""
    return f"{value_ms}ms" if value_ms % 1000 else f"{value_ms // 1000}s"


def _sent_on(route: Route, own: Origin, policies: Policies) -> list[FieldOrigin]:
    beyond = layers(route.rule.services, policies.settings, policies.services)
    told = []
    for name, value, origin in origins(to_resource(route), own, beyond):
        shown, source = value, origin
        if name in _TIMES and value is not None:
            shown = time_text(value)
        elif name == "idle_timeout_ms":
            shown, source = _idle(policies, is_raw=route.rule.is_raw)
        elif name == "retries":
            shown = _retries(value)
        elif name == "https":
            if value is None:
                continue
            shown = https_text(read_https(value))
        elif name == "body_bytes":
            shown, source = _body(value, origin, policies)
        told.append(FieldOrigin(_FIELDS.get(name, name), shown, source.key, source.index))
    return [*told, *_protocols(route, policies), *_limits(route, own, policies)]


def _protocols(route: Route, policies: Policies) -> Iterator[FieldOrigin]:
    """What the instances of its services speak, where their policies say so."""
    for service in route.rule.services:
        written = policies.services.get(service)
        if written and written.meaning.protocol != HTTP:
            said = written.meaning.protocol
            yield FieldOrigin(f"protocol of {service}", said, written.key, written.index)


def _limits(route: Route, own: Origin, policies: Policies) -> Iterator[FieldOrigin]:
    """How many requests there may be: the route's and each of its services' hold beside one another."""
    rule = to_resource(route)
    if limits := rule.get("limits"):
        yield FieldOrigin("limits", limits, own.key, own.index)
    for service in route.rule.services:
        written = policies.services.get(service)
        if written and written.meaning.limits:
            limits = dict(written.meaning.limits)
            yield FieldOrigin(f"limits of {service}", limits, written.key, written.index)


def _body(value: int | None, origin: Origin, policies: Policies) -> tuple[int | None, Origin]:
    """Where neither the route nor its service says how large a body may be, the mesh's limits do."""
    written = policies.settings
    if value is not None or written is None or "body_bytes" not in written.meaning.limits:
        return value, origin
    return written.meaning.limits["body_bytes"], Origin(written.key, written.index)


def _retries(value: dict[str, Any] | None) -> Any:
    """Their number, where that is all that is said."""
    if value is None:
        return "up to 3 tries, where none can do a thing twice"
    return value["attempts"] if set(value) == {"attempts"} else value


def _idle(policies: Policies, *, is_raw: bool) -> tuple[str, Origin]:
    """Without a time of its own, a route has the limits of the node."""
    written = policies.settings
    limits = (written.meaning if written else MeshSettings()).limits
    before, within, behind = (time_text(limits.get(name, usual)) for name, usual in _IDLE.items())
    is_written = written is not None and any(name in limits for name in _IDLE)
    origin = Origin(written.key, written.index) if written and is_written else BUILT_IN
    if is_raw:
        return behind, origin
    return f"{before} before the answer, {within} in it, {behind} in a tunnel", origin
