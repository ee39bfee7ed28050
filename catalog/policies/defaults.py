"""What holds for a route where it says nothing: its service's policy, else the mesh's settings, else what is built in.

Each field comes from the nearest that says it, and knows from where. Decides nothing about who is led where.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ..resource import Resource
from .read import Written
from .service import ServicePolicy
from .settings import MeshSettings

WHOLE = ("timeout_ms", "head_timeout_ms", "idle_timeout_ms", "retries", "body_bytes", "https")
"""Fields of a route's resource that are taken from one place as they are."""

OF_CONNECTIONS = ("idle_timeout_ms",)
"""Those of them that a route of raw connections has."""

HEADERS = ("request_headers", "response_headers")
"""Fields that are taken header by header."""

EDITS_MAX = 32
"""Headers a route removes, sets or adds, each: what the proxy takes. What comes from further away gives way."""

CALLS_PRIORITY = -10
"""Of the routes made here, below all that people write."""

_HOST = re.compile(r"[a-z0-9_]+(?:-+[a-z0-9_]+)*(?:\.[a-z0-9_]+(?:-+[a-z0-9_]+)*)*")
_HOST_MAX = 248
"""With `.mesh` behind it a name of 253 characters, the longest there is."""
_LABEL_MAX = 63


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a value stands; an empty key: it is built in."""

    key: str = ""
    index: int = 0


BUILT_IN = Origin()


@dataclass(frozen=True, slots=True)
class Layer:
    """What one document says about sending on, by the names of a route's resource."""

    origin: Origin
    fields: Mapping[str, Any]


def layers(
    services: Iterable[str],
    settings: Written[MeshSettings] | None,
    policies: Mapping[str, Written[ServicePolicy]],
) -> tuple[Layer, ...]:
    """The documents that speak for a route to these services, nearest first; of several services the first one."""
    written = [policies[name] for name in services if name in policies]
    found = [Layer(Origin(one.key, one.index), one.meaning.sent_on) for one in written]
    if settings is not None:
        found.append(Layer(Origin(settings.key, settings.index), settings.meaning.sent_on))
    return tuple(layer for layer in found if layer.fields)


def whole(resource: Resource) -> tuple[str, ...]:
    """The fields a route may have that are taken as they are."""
    return OF_CONNECTIONS if _is_raw(resource) else WHOLE


def _is_raw(resource: Resource) -> bool:
    """Whether it is a route of raw connections."""
    return "port" in resource or "sni" in resource


def with_defaults(resource: Resource, beyond: tuple[Layer, ...]) -> Resource:
    """A route's resource with what the layers add; itself where they add nothing."""
    if not beyond:
        return resource
    added = {field: value for field, value, _ in _taken(resource, beyond)}
    if "split" not in resource["action"]:
        # Nothing is sent on; how clients are brought to TLS holds for what the mesh answers itself, too.
        added = {"https": added["https"]} if "https" in added else {}
    changed = {name: value for name, value in added.items() if resource.get(name) != value}
    return {**resource, **changed} if changed else resource


def origins(
    resource: Resource, own: Origin, beyond: tuple[Layer, ...]
) -> tuple[tuple[str, Any, Origin], ...]:
    """Each field about sending on with its value (None: none) and where it comes from; of headers each by its name."""
    found = {field: (value, origin) for field, value, origin in _taken(resource, beyond)}
    told: list[tuple[str, Any, Origin]] = []
    for name in whole(resource):
        if name in resource:
            told.append((name, resource[name], own))
        else:
            told.append((name, *found.get(name, (None, BUILT_IN))))
    for name in () if _is_raw(resource) else HEADERS:
        for (header, done), origin in _edits(name, resource, own, beyond):
            told.append((f"{name}.{header}", [list(one) for one in done], origin))
    return tuple(told)


def call_route(service: str, beyond: tuple[Layer, ...]) -> Iterator[tuple[str, Resource]]:
    """The route of a service's own host, `<service>.mesh`, by which calls without a route get what the layers say.

    Its name begins as no key's does, and any route of people's takes a request before it. None for a service whose
    name is no host's.
    """
    if not _is_host(service):
        return
    nearest = beyond[0].origin
    resource: Resource = {
        "key": nearest.key,
        "index": nearest.index,
        "hosts": [f"{service}.mesh"],
        "path": {"prefix": "/"},
        "priority": CALLS_PRIORITY,
        "action": {"split": [{"cluster": service, "weight": 1}]},
    }
    yield f"mesh:{service}", with_defaults(resource, beyond)


def _taken(resource: Resource, beyond: tuple[Layer, ...]) -> Iterator[tuple[str, Any, Origin]]:
    """The fields a route lacks, each from the nearest layer; headers as a whole, with the route's own."""
    for name in whole(resource):
        if name in resource:
            continue
        for layer in beyond:
            if name in layer.fields:
                yield name, layer.fields[name], layer.origin
                break
    for name in () if _is_raw(resource) else HEADERS:
        if any(name in layer.fields for layer in beyond):
            edits = [edit for edit, _ in _edits(name, resource, BUILT_IN, beyond)]
            yield name, _together(edits), BUILT_IN


Edit = tuple[str, tuple[tuple[str, Any], ...]]
"""A header's name, and what is done with it: (remove, True), (set, value), (add, value)."""


def _edits(
    name: str, resource: Resource, own: Origin, beyond: tuple[Layer, ...]
) -> list[tuple[Edit, Origin]]:
    """What is done with each header, by the nearest that speaks of it."""
    found: dict[str, tuple[Edit, Origin]] = {}
    counts: Counter[str] = Counter()
    for origin, fields in ((own, resource), *((one.origin, one.fields) for one in beyond)):
        for header, done in _by_header(fields.get(name) or {}).items():
            more = counts + Counter(kind for kind, _ in done)
            if header not in found and max(more.values()) <= EDITS_MAX:
                found[header], counts = ((header, tuple(done)), origin), more
    return list(found.values())


def _by_header(edits: Mapping[str, Any]) -> dict[str, list[tuple[str, Any]]]:
    found: dict[str, list[tuple[str, Any]]] = {}
    for header in edits.get("remove", ()):
        found.setdefault(header, []).append(("remove", True))
    for kind in ("set", "add"):
        for one in edits.get(kind, ()):
            found.setdefault(one["name"], []).append((kind, one["value"]))
    return found


def _together(edits: list[Edit]) -> dict[str, Any]:
    made: dict[str, Any] = {}
    for header, done in edits:
        for kind, value in done:
            one = header if kind == "remove" else {"name": header, "value": value}
            made.setdefault(kind, []).append(one)
    return made


def _is_host(service: str) -> bool:
    is_short = len(service) <= _HOST_MAX and all(
        len(label) <= _LABEL_MAX for label in service.split(".")
    )
    return is_short and _HOST.fullmatch(service) is not None
