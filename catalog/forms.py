"""Which form of each route is in force: what its key says now, or the last good one where that cannot be.

Knows keys and routes; of services only whether they were looked at yet.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from .keys import key_problem, route_name
from .model import KvEntry, Problem
from .resource import Rendered, render
from .routes import Route, parse_route, to_resource


@dataclass(frozen=True, slots=True)
class Form:
    """A route with what is made of it once: its resource, the clusters it leads to, their services."""

    route: Route
    rendered: Rendered
    targets: tuple[str, ...]
    services: tuple[str, ...]


Parsed = tuple[KvEntry, Form | Problem | None]
"""An entry and what was read from it; None: a key no one reads and no one misses."""


@dataclass(frozen=True, slots=True)
class Forms:
    """The forms in force by key, in the keys' order.

    `pending` are keys whose new form waits until the services it leads to were looked at; `wanted` are the services of
    all forms, in force and pending.
    """

    in_force: Mapping[str, Form]
    parsed: Mapping[str, Parsed]
    problems: tuple[Problem, ...]
    pending: tuple[str, ...]
    wanted: frozenset[str]


def decide(
    entries: tuple[KvEntry, ...],
    previous: Mapping[str, Form],
    parsed: Mapping[str, Parsed],
    swept: frozenset[str],
) -> Forms:
    """The forms of all keys.

    `parsed` is what was read before: only changed entries are read again. `swept` are the services looked at.
    """
    in_force: dict[str, Form] = {}
    read: dict[str, Parsed] = {}
    problems: list[Problem] = []
    pending: list[str] = []
    wanted: set[str] = set()
    for entry in entries:
        key = entry.key
        known = parsed.get(key)
        if known is None or not (known[0] is entry or _is_same(known[0], entry)):
            known = (entry, _read(entry))
        read[key] = known
        found = known[1]
        if isinstance(found, Form):
            wanted.update(found.services)
            if swept.issuperset(found.services):
                in_force[key] = found
                continue
            pending.append(key)
        elif found is not None:
            last = previous.get(key)
            problems.append(replace(found, serving_index=last.route.index) if last else found)
        if last := previous.get(key):
            in_force[key] = last
            wanted.update(last.services)
    return Forms(in_force, read, tuple(problems), tuple(pending), frozenset(wanted))


def form_of(route: Route) -> Form:
    """The form of a route."""
    rule = route.rule
    return Form(route, render(route.name, to_resource(route)), rule.targets, rule.services)


def _read(entry: KvEntry) -> Form | Problem | None:
    name = route_name(entry.key)
    if name is None:
        return key_problem(entry)
    found = parse_route(name, entry)
    return found if isinstance(found, Problem) else form_of(found)


def _is_same(left: KvEntry, right: KvEntry) -> bool:
    """The value counts too: a Consul restored from a backup counts its indexes a second time."""
    return left.modify_index == right.modify_index and left.value == right.value
