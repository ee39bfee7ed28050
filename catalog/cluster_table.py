"""The clusters of one node's table: of all services it has to know and of each subset, with what policies add to them.

What is made of one service's instances stands in clusters.py, what policies add in policed.py.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from .clusters import ClearEndpoint, Cluster, MeshNodes, cluster, mesh_nodes, subset_cluster
from .given import Given
from .language.targets import service_of
from .memo import Memo
from .model import Problem
from .policed import DrainedEndpoint, Spoken, with_drains, with_limits, with_protocols
from .resource import Rendered
from .subsets import chosen


@dataclass(frozen=True, slots=True)
class Seen:
    """All clusters, by what is of interest in them; `unusable` are those without an endpoint."""

    rendered: tuple[Rendered, ...]
    clear: tuple[ClearEndpoint, ...]
    clear_services: frozenset[str]
    unusable: frozenset[str]
    problems: tuple[Problem, ...]


@dataclass(frozen=True, slots=True)
class ClusterTable:
    """The clusters by name, the endpoints of them that drain, and what is seen in all."""

    clusters: Mapping[str, Cluster]
    drained: tuple[DrainedEndpoint, ...]
    seen: Seen


def cluster_table(given: Given, spoken: Spoken, memo: Memo) -> ClusterTable:
    """`spoken` is what the instances of services speak, by policies."""
    clusters = _with_subsets(given, memo, _named(given, memo))
    clusters = memo.once(
        "with all",
        "",
        (clusters, given.forms.routed, given.listed),
        lambda: _with_all(clusters, given),
    )
    return _policed(given, memo, clusters, spoken)


def _policed(
    given: Given,
    memo: Memo,
    clusters: Mapping[str, Cluster],
    spoken: Spoken,
) -> ClusterTable:
    policies, instances = given.policies, given.state.instances
    speaking = memo.once(
        "with protocols", "", (clusters, spoken), lambda: with_protocols(clusters, spoken)
    )
    draining, drained = memo.once(
        "with drains",
        "",
        (speaking, policies.drains, instances),
        lambda: (
            with_drains(speaking, policies.drains, instances) if policies.drains else (speaking, ())
        ),
    )
    limited = memo.once(
        "with limits",
        "",
        (draining, policies.services),
        lambda: with_limits(draining, policies.services),
    )
    return ClusterTable(limited, drained, memo.once("seen", "", (limited,), lambda: _seen(limited)))


def _named(given: Given, memo: Memo) -> Mapping[str, Cluster]:
    """The clusters of all named services by name; of one that was not swept yet the last one, if there is any."""
    known, last = given.state.instances, given.previous.clusters
    nodes, own_node = _nodes(given, memo), given.facts.node

    def made() -> Mapping[str, Cluster]:
        found: dict[str, Cluster] = {}
        for service in sorted(given.named):
            instances = known.get(service)
            if instances is None:
                if before := last.get(service):
                    found[service] = before
                continue
            exists = service in given.listed
            found[service] = memo.once(
                "clusters",
                service,
                (instances, nodes, own_node, exists),
                partial(cluster, service, instances, nodes, own_node, exists=exists),
            )
        memo.keep("clusters", found)
        return found

    inputs = (
        given.named,
        known,
        None if given.named <= known.keys() else last,
        nodes,
        own_node,
        given.listed,
    )
    return memo.once("all clusters", "", inputs, made)


def _with_subsets(
    given: Given, memo: Memo, clusters: Mapping[str, Cluster]
) -> Mapping[str, Cluster]:
    """The clusters, with one for each subset that a route in force leads to."""
    subsets = sorted(given.forms.routed - clusters.keys())
    if not subsets:
        return clusters
    nodes, own_node = _nodes(given, memo), given.facts.node
    found: dict[str, Cluster] = {}
    for target in subsets:
        service = service_of(target)
        instances = given.state.instances.get(service)
        if target == service or instances is None:
            if last := given.previous.clusters.get(target):
                found[target] = last
            continue
        exists = service in clusters and bool(clusters[service].rendered.resource["exists"])
        found[target] = memo.once(
            "subsets",
            target,
            (instances, nodes, own_node, exists),
            partial(
                subset_cluster,
                target,
                chosen(target, instances),
                nodes,
                own_node,
                exists=exists,
            ),
        )
    memo.keep("subsets", found)
    return dict(sorted({**clusters, **found}.items())) if found else clusters


def _with_all(clusters: Mapping[str, Cluster], given: Given) -> Mapping[str, Cluster]:
    """An empty cluster for each target of a route in force that is without one.

    That is a last good form whose service is not swept yet; a proxy refuses a route to a cluster it does not have.
    """
    missing = {
        name: subset_cluster(name, (), {}, "", exists=service_of(name) in given.listed)
        for name in given.forms.routed - clusters.keys()
    }
    return dict(sorted({**clusters, **missing}.items())) if missing else clusters


def _nodes(given: Given, memo: Memo) -> MeshNodes:
    mesh = given.state.mesh
    return memo.once("nodes", "", (mesh,), lambda: mesh_nodes(mesh.nodes))


def _seen(clusters: Mapping[str, Cluster]) -> Seen:
    clear = tuple(endpoint for found in clusters.values() for endpoint in found.clear)
    return Seen(
        tuple(found.rendered for found in clusters.values()),
        clear,
        frozenset(endpoint[0] for endpoint in clear),
        frozenset(
            name for name, found in clusters.items() if not found.rendered.resource["endpoints"]
        ),
        tuple(problem for found in clusters.values() for problem in found.problems),
    )
