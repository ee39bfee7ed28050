"""Destinations: each service with the instances that may be used, and the way to each. Knows no routes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from .addresses import is_unspecified, socket_address
from .language.targets import service_of
from .model import Instance, Problem
from .resource import Rendered, Resource, render
from .text import quote

ENDPOINTS_MAX = 10_000
"""What the proxy takes for one service."""

WEIGHT_MAX = 1_000_000
"""What the proxy takes; Consul's own weights go to 65,535."""

TEXT_MAX_BYTES = 512
"""What the proxy takes as the id of an instance or the name of a node."""

MeshNodes = Mapping[str, str | None]
"""Consul node → address of its mesh port, None when it has one that cannot be dialled."""


class ClearEndpoint(NamedTuple):
    """An instance on a machine with no node, reached without encryption."""

    service: str
    id: str
    address: str
    node: str


@dataclass(frozen=True, slots=True)
class Cluster:
    """A destination's resource, and what was seen while it was made.

    `clear` are the endpoints reached in clear, `is_unhealthy` says that every instance fails its checks.
    """

    rendered: Rendered
    clear: tuple[ClearEndpoint, ...] = ()
    is_unhealthy: bool = False
    problems: tuple[Problem, ...] = ()


def mesh_nodes(instances: tuple[Instance, ...]) -> MeshNodes:
    """The nodes of the mesh, passing or not: a failed check never turns clear text on."""
    found: dict[str, str | None] = {}
    for instance in sorted(instances, key=lambda one: (one.node, one.id)):
        address = socket_address(instance.host, instance.port)
        if found.get(instance.node) is None:
            found[instance.node] = address
    return found


def cluster(
    service: str, instances: tuple[Instance, ...], nodes: MeshNodes, own_node: str, *, exists: bool
) -> Cluster:
    """A service's cluster. `exists`: the catalog lists it."""
    return _cluster(service, service, instances, (nodes, own_node), exists=exists)


def subset_cluster(
    target: str, instances: tuple[Instance, ...], nodes: MeshNodes, own_node: str, *, exists: bool
) -> Cluster:
    """The cluster of a subset, of its instances. What is to be said of these is said with their service."""
    made = _cluster(target, service_of(target), instances, (nodes, own_node), exists=exists)
    return replace(made, clear=(), problems=())


def _cluster(
    name: str,
    service: str,
    instances: tuple[Instance, ...],
    at: tuple[MeshNodes, str],
    *,
    exists: bool,
) -> Cluster:
    endpoints: list[dict[str, Any]] = []
    faults: list[str] = []
    for instance in sorted(instances, key=lambda one: (one.node, one.id)):
        if (weight := min(instance.weight, WEIGHT_MAX)) <= 0:
            continue
        made = _endpoint(instance, weight, *at)
        if isinstance(made, str):
            faults.append(made)
        else:
            endpoints.append(made)
    if len(endpoints) > ENDPOINTS_MAX:
        faults.append(f"{len(endpoints):,} instances; only the first {ENDPOINTS_MAX:,} are used")
        del endpoints[ENDPOINTS_MAX:]
    resource = {
        "service": service,
        "exists": exists or bool(instances),
        "instances": len(instances),
        "endpoints": endpoints,
    }
    return Cluster(
        render(name, resource),
        _clear(service, endpoints),
        all(instance.status in ("critical", "maintenance") for instance in instances),
        _problems(service, faults),
    )


def as_saved(name: str, resource: Resource) -> Cluster:
    """A cluster of an earlier snapshot, for a service that was not looked at yet."""
    is_whole = service_of(name) == name
    return Cluster(render(name, resource), _clear(name, resource["endpoints"]) if is_whole else ())


def _clear(service: str, endpoints: list[dict[str, Any]]) -> tuple[ClearEndpoint, ...]:
    return tuple(
        ClearEndpoint(service, endpoint["id"], endpoint["address"], endpoint["node"])
        for endpoint in endpoints
        if endpoint["via"] == "clear"
    )


def _endpoint(
    instance: Instance, weight: int, nodes: MeshNodes, own_node: str
) -> dict[str, Any] | str:
    host = instance.host
    if is_unspecified(host):
        host = instance.node_address
    address = socket_address(host, instance.port)
    name = f"instance {quote(instance.id)} on {instance.node}"
    if not (_is_plain(instance.id) and _is_plain(instance.node)):
        return f"{name} has an id no proxy takes"
    if address is None:
        shown = quote(f"{instance.host}:{instance.port}")
        return f"{name} has the address {shown}; an IP address and a port are needed"
    endpoint: dict[str, Any] = {
        "id": instance.id,
        "node": instance.node,
        "address": address,
        "weight": weight,
        "via": "clear",
    }
    if instance.node == own_node:
        endpoint["via"] = "local"
    elif instance.node in nodes:
        mesh_address = nodes[instance.node]
        if mesh_address is None:
            return f"{name} is in the mesh, but its node's mesh port has no IP address"
        endpoint |= {"via": "mesh", "mesh_address": mesh_address}
    return endpoint


def _is_plain(text: str) -> bool:
    return (
        bool(text)
        and text.isprintable()
        and text == text.strip()
        and len(text.encode()) <= TEXT_MAX_BYTES
    )


def _problems(service: str, faults: list[str]) -> tuple[Problem, ...]:
    """One problem a service: a thousand instances with one mistake are one mistake."""
    if not faults:
        return ()
    more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
    return (Problem(f"service {service}", 0, "warning", f"left out: {faults[0]}{more}"),)
