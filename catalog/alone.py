"""A state made of keys alone, for a look at them without a Consul: what they name counts as there and well. Reads no file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from operator import attrgetter
from typing import Any

from . import parse
from .keys import ROUTES, route_name
from .language.targets import selectors, service_of
from .model import Instance, Intentions, KvEntry
from .node import NodeFacts
from .policies.policies import Policies, decide_policies
from .routes import Route, parse_route
from .state import State
from .update import (
    DefaultIntentionUpdate,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    LocalServicesUpdate,
    ServicesUpdate,
    UnhealthyUpdate,
)
from .values import RESERVED_SERVICES

NODE = "this-machine"
ADDRESS = "127.0.0.1"
MESH_HOST = ".mesh"
INDEX = 1
"""Of every key: which was put first nobody knows, so that names decide between routes that are alike."""


@dataclass(frozen=True, slots=True)
class Alone:
    """The state, the node to compile it for, and the services that were taken to be there."""

    state: State
    facts: NodeFacts
    services: tuple[str, ...]


def entered_intentions(documents: Iterable[Mapping[str, Any]]) -> tuple[Intentions, ...]:
    """The intentions of service-intentions entries as people write them for `consul config write`.

    Raises ConsulAnswerError where one is none.
    """
    return parse.intentions([{**one, "ModifyIndex": INDEX} for one in documents])


def state_alone(values: Mapping[str, bytes], intentions: tuple[Intentions, ...] = ()) -> Alone:
    """The state that these keys would make; without intentions all may call all."""
    entries = tuple(KvEntry(key, value, INDEX) for key, value in sorted(values.items()))
    policies = decide_policies(entries, Policies())
    targets = {*_routed(entries), *_tested(policies), *policies.services, *policies.upstreams}
    targets |= {name for one in policies.upstreams.values() for name in one.meaning.destinations}
    targets |= {one.destination for one in intentions}
    instances = _instances(name for name in targets if service_of(name) not in _NOBODY)
    services = tuple(sorted({one.service for one in instances}))
    state = State().apply(KvUpdate("mesh/", entries, INDEX))
    state = state.apply(UnhealthyUpdate((), INDEX))
    state = state.apply(ServicesUpdate(tuple((name, ()) for name in services), INDEX))
    state = state.apply(LocalServicesUpdate(instances))
    state = state.apply(IntentionsUpdate(intentions, INDEX))
    state = state.apply(DefaultIntentionUpdate("allow", "no Consul was asked"))
    for service in services:
        mine = tuple(one for one in instances if one.service == service)
        state = state.apply(InstancesUpdate(service, mine, INDEX))
    return Alone(state, NodeFacts(NODE, "dc1", ADDRESS, callers="port"), services)


_NOBODY = frozenset({*RESERVED_SERVICES, "", "*"})


def _routed(entries: Iterable[KvEntry]) -> Iterable[str]:
    for entry in entries:
        if not entry.key.startswith(ROUTES) or (name := route_name(entry.key)) is None:
            continue
        found = parse_route(name, entry)
        if isinstance(found, Route):
            yield from (*found.rule.targets, *found.rule.services, *found.rule.sources)


def _tested(policies: Policies) -> Iterable[str]:
    """What tests expect to be there: targets, callers, and services called by their name."""
    for test in policies.tests.values():
        for one in test.meaning.expectations:
            if one.target is not None:
                yield one.target
            if one.caller is not None:
                yield one.caller
            if one.host.endswith(MESH_HOST):
                yield one.host.removesuffix(MESH_HOST)


def _instances(targets: Iterable[str]) -> tuple[Instance, ...]:
    """One for each target: what a subset chooses by, it has."""
    made = []
    for number, target in enumerate(sorted(targets)):
        chosen = selectors(target)
        made.append(
            Instance(
                service=service_of(target),
                id=f"{service_of(target)}-{number}",
                node=NODE,
                node_address=ADDRESS,
                port=INDEX,
                tags=tuple(one.value for one in chosen if not one.name),
                meta=tuple(sorted((one.name, one.value) for one in chosen if one.name)),
            )
        )
    return tuple(sorted(made, key=attrgetter("service", "id")))
