"""What policies make of the mesh as Consul has it: instances that count less, endpoints that drain. Reads no keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from .clusters import Cluster
from .forms import Form
from .language.targets import service_of
from .model import Instance, Problem
from .policies.defaults import call_route, layers, with_defaults
from .policies.drains import Drain
from .policies.expectations import RouteTest
from .policies.policies import Policies
from .policies.read import Written
from .policies.service import AUTO, HTTP, TCP, ServicePolicy
from .policies.settings import MeshSettings
from .policies.upstreams import Upstreams
from .resource import Rendered, Resource, render
from .services import LocalService
from .suggestions import Suggestions, did_you_mean
from .text import quote
from .values import RESERVED_SERVICES, is_service_name

MESH_HOST = ".mesh"


@dataclass(frozen=True, slots=True, order=True)
class DrainedEndpoint:
    """An endpoint that gets no new request, and the key (with its index) that says so."""

    key: str
    index: int
    service: str
    id: str
    node: str


@dataclass(frozen=True, slots=True)
class Sending:
    """What policies say of sending on: where it is the same, only routes that changed are looked at."""

    settings: Written[MeshSettings] | None = None
    services: Mapping[str, Written[ServicePolicy]] = field(default_factory=dict)

    @classmethod
    def of(cls, policies: Policies) -> Sending:
        return cls(policies.settings, policies.services)

    def __bool__(self) -> bool:
        return self.settings is not None or bool(self.services)


Instances = Mapping[str, tuple[Instance, ...]]
AllUpstreams = Mapping[str, Written[Upstreams]]


def policed(
    instances: Instances, local: tuple[Instance, ...], policies: Policies
) -> tuple[Instances, tuple[Instance, ...]]:
    """All instances and those of this node, with what policies say of them: a warning may take them out.

    Of this node's own, those that drain are no choice for calls that name no instance.
    """
    out = {name for name, one in policies.services.items() if one.meaning.warning == "out"}
    if touched := out & instances.keys():
        changed = {name: tuple(map(_without_warning, instances[name])) for name in touched}
        instances = {**instances, **changed}
    drains = tuple(one.meaning for one in policies.drains.values())
    if out or drains:
        local = tuple(_own(one, drains, is_out=one.service in out) for one in local)
    return instances, local


def with_drains(
    clusters: Mapping[str, Cluster], drains: Mapping[str, Written[Drain]], instances: Instances
) -> tuple[Mapping[str, Cluster], tuple[DrainedEndpoint, ...]]:
    """The clusters with the endpoints marked that drain, and all that drain: an instance that fails its checks, too.

    It is no endpoint any more, and what runs there still runs.
    """
    found: dict[str, Cluster] = {}
    drained: set[DrainedEndpoint] = set()
    for name, made in clusters.items():
        service = made.rendered.resource["service"]
        endpoints = [(one["node"], one["id"]) for one in made.rendered.resource["endpoints"]]
        known = [(one.node, one.id) for one in instances.get(service, ())]
        mine = {
            DrainedEndpoint(one.key, one.index, service, instance, node)
            for one in drains.values()
            for node, instance in (*endpoints, *known)
            if one.meaning.takes(service, node, instance)
        }
        drained |= mine
        if ids := {(one.node, one.id) for one in mine}.intersection(endpoints):
            found[name] = _marked(made, ids)
    return ({**clusters, **found} if found else clusters), tuple(sorted(drained))


Spoken = Mapping[str, Mapping[str, Any]]
"""Service → the fields of its resources that say what its instances speak, where that is not HTTP/1.1 in clear."""
SPOKEN_FIELDS = ("protocol", "tls")


def spoken_by(services: Mapping[str, Written[ServicePolicy]]) -> Spoken:
    """What policies say of it."""
    found: dict[str, Mapping[str, Any]] = {}
    for name, written in services.items():
        policy = written.meaning
        # Raw connections say nothing to an instance that it would not hear anyway.
        is_told = policy.spoken not in (HTTP, TCP)
        fields: dict[str, Any] = {"protocol": policy.spoken} if is_told else {}
        if policy.tls is not None:
            fields["tls"] = policy.tls
        if fields:
            found[name] = fields
    return found


def with_protocols(clusters: Mapping[str, Cluster], spoken: Spoken) -> Mapping[str, Cluster]:
    """The clusters, each saying what its instances speak where that is not HTTP/1.1 in clear."""
    changed = {
        name: replace(made, rendered=render(name, said))
        for name, made in clusters.items()
        if (said := spoken_in(made.rendered.resource, spoken)) is not made.rendered.resource
    }
    return {**clusters, **changed} if changed else clusters


def spoken_in(resource: Resource, spoken: Spoken) -> Resource:
    """A cluster or a service with what its instances speak; the very same where it says that already."""
    fields = spoken.get(resource["service"], {})
    if all(resource.get(name) == fields.get(name) for name in SPOKEN_FIELDS):
        return resource
    others = {name: value for name, value in resource.items() if name not in SPOKEN_FIELDS}
    return {**others, **fields}


def with_limits(
    clusters: Mapping[str, Cluster], services: Mapping[str, Written[ServicePolicy]]
) -> Mapping[str, Cluster]:
    """The clusters of services, with how many requests go to them from here; a part of one shares what the whole has."""
    found = {
        name: _limited(clusters[name], limits)
        for name, one in services.items()
        if (limits := one.meaning.limits) and name in clusters
    }
    return {**clusters, **found} if found else clusters


def limited_service(
    service: LocalService, services: Mapping[str, Written[ServicePolicy]]
) -> Resource:
    """A service of this node, with how many requests of other nodes it takes."""
    written = services.get(service.name)
    limits = written.meaning.limits if written else None
    return {**service.resource, "limits": limits} if limits else service.resource


def _limited(made: Cluster, limits: Mapping[str, Any]) -> Cluster:
    resource = {**made.rendered.resource, "limits": limits}
    return replace(made, rendered=render(made.rendered.name, resource))


def with_defaults_of(form: Form, sending: Sending) -> Rendered:
    """A route with what policies add where it says nothing."""
    rendered = form.rendered
    beyond = layers(form.services, sending.settings, sending.services)
    made = with_defaults(rendered.resource, beyond)
    return rendered if made is rendered.resource else render(rendered.name, made)


def calls(services: Iterable[str], sending: Sending) -> tuple[Rendered, ...]:
    """The routes of calls to `<service>.mesh` that no route of people's takes, where policies say something of them."""
    return tuple(
        render(name, resource)
        for service in services
        if (beyond := layers((service,), sending.settings, sending.services))
        for name, resource in call_route(service, beyond)
    )


def asked_port(service: str, policies: Policies) -> int | None:
    """The port that a service's upstreams ask for its calls."""
    written = policies.upstreams.get(service)
    return written.meaning.port if written else None


def own_destinations(upstreams: AllUpstreams, services: Iterable[str]) -> frozenset[str]:
    """Whom these services call by ports of their own."""
    written = (upstreams.get(service) for service in services)
    return frozenset(name for one in written if one for name in one.meaning.destinations)


def own_port_protocols(services: Mapping[str, Written[ServicePolicy]]) -> Mapping[str, str]:
    """What is spoken at ports that mean one service, where that is not requests alone."""
    return {
        name: one.meaning.protocol
        for name, one in services.items()
        if one.meaning.protocol in (TCP, AUTO)
    }


def raw_services(services: Mapping[str, Written[ServicePolicy]]) -> frozenset[str]:
    """The services that get raw connections."""
    return frozenset(name for name, one in services.items() if one.meaning.is_raw)


def tested_services(tests: Mapping[str, Written[RouteTest]]) -> frozenset[str]:
    """The services that tests expect or call: each node has to know them, so that all judge alike."""
    lines = [one for test in tests.values() for one in test.meaning.expectations]
    targets = {service_of(one.target) for one in lines if one.target is not None}
    called = {
        one.host.removesuffix(MESH_HOST)
        for one in lines
        if one.caller is not None and one.host.endswith(MESH_HOST)
    }
    return frozenset(
        name for name in targets | called if is_service_name(name) and name not in RESERVED_SERVICES
    )


def policy_findings(
    policies: Policies, catalog: tuple[str, ...], suggestions: Suggestions, *, is_known: bool
) -> tuple[Problem, ...]:
    """A warning for each policy of a service that does not exist. `is_known`: the catalog was read."""
    if not is_known:
        return ()
    there = frozenset(catalog)
    unknown: list[tuple[str, Written[Any], int | None]] = [
        (name, one, None)
        for of_kind in (policies.services, policies.upstreams)
        for name, one in of_kind.items()
        if name not in there
    ]
    unknown += [
        (name, one, port)
        for one in policies.upstreams.values()
        for name, port in one.meaning.destinations.items()
        if name not in there
    ]
    near = suggestions.update((name for name, _, _ in unknown), catalog)
    return tuple(_unknown(name, one, port, near.get(name)) for name, one, port in unknown)


def _unknown(
    service: str, written: Written[Any], port: int | None, suggestion: str | None
) -> Problem:
    """`port` is for calls to it, where it is the policy of another service that names it."""
    what = (
        ", so this says nothing yet"
        if port is None
        else f": calls to port {port} get 503 no_such_service"
    )
    sentence = f"no service is called {quote(service)}{what}{did_you_mean(suggestion)}"
    return Problem(written.key, written.index, "warning", sentence, suggestion=suggestion)


def _without_warning(instance: Instance) -> Instance:
    return instance if instance.weight_warning == 0 else replace(instance, weight_warning=0)


def _own(instance: Instance, drains: tuple[Drain, ...], *, is_out: bool) -> Instance:
    if any(drain.takes(instance.service, instance.node, instance.id) for drain in drains):
        return replace(instance, weight_passing=0, weight_warning=0)
    return _without_warning(instance) if is_out else instance


def _marked(made: Cluster, ids: set[tuple[str, str]]) -> Cluster:
    resource = made.rendered.resource
    endpoints = [
        {**one, "draining": True} if (one["node"], one["id"]) in ids else one
        for one in resource["endpoints"]
    ]
    return replace(made, rendered=render(made.rendered.name, {**resource, "endpoints": endpoints}))
