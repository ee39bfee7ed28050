"""Compiles a state into the proxy's resources and the problems people should see. Pure: no clock, network, randomness.

`compile_snapshot` depends on its arguments only; the Memo it is lent saves work and never changes what comes out.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from . import held, intentions, mesh
from .clusters import ClearEndpoint, Cluster, as_saved, cluster, mesh_nodes, subset_cluster
from .destinations import catalog_names, destinations
from .findings import Ground
from .forms import NONE_REFUSED, Form, Forms, Refusal, form_of
from .keys import ROUTES
from .language.targets import service_of
from .listeners import listeners
from .memo import Memo
from .model import Instance, KvEntry, Problem
from .node import NodeFacts
from .passthrough import conflicts
from .policed import (
    DrainedEndpoint,
    Sending,
    Spoken,
    asked_port,
    calls,
    limited_service,
    own_destinations,
    policed,
    policy_findings,
    raw_services,
    spoken_by,
    spoken_in,
    tested_services,
    with_defaults_of,
    with_drains,
    with_limits,
    with_protocols,
)
from .policies.policies import Policies, decide_policies
from .policies.read import Written
from .policies.settings import MeshSettings
from .ports import AskedPort, http_routes_to
from .resource import Rendered, Resource, Resources
from .routes import saved_routes
from .services import LocalService, local_services, same_user
from .snapshot import Snapshot
from .state import State
from .subsets import chosen
from .table import Changed
from .tls import file_problems, tls_hosts
from .undrained import drain_findings
from .update import DefaultIntentionUpdate

UNKNOWN_TRUST_DOMAIN = "unknown.invalid"
"""Stands in the settings until the certificates are there; no identity can have it (RFC 2606), no listener is open."""


@dataclass(frozen=True, slots=True)
class LastGood:
    """What goes on where the present cannot: the form in force of each key, the clusters, and how far was reached."""

    forms: Mapping[str, Form] = field(default_factory=dict)
    policies: Policies = field(default_factory=Policies)
    clusters: Mapping[str, Cluster] = field(default_factory=dict)
    index: int = 0
    keys_digest: str = ""

    @classmethod
    def of(cls, saved: Snapshot) -> LastGood:
        """From a saved snapshot: its routes carry key and index."""
        forms = {
            route.key: form_of(route) for route in saved_routes(saved.resources.get("routes", {}))
        }
        clusters = saved.resources.get("clusters", {})
        return cls(
            forms,
            clusters={name: as_saved(name, resource) for name, resource in clusters.items()},
            index=max((form.route.index for form in forms.values()), default=0),
        )


@dataclass(frozen=True, slots=True)
class Compiled:
    """What a state means for one node.

    `changed` says which resources are not as in the table compiled before. `index` is the highest ModifyIndex under
    `mesh/` that is in force or refused, never lowered; `keys_digest` is over all of these keys (keys.py). Both stay as
    they were while `pending` names keys whose services are not swept yet. `named_services` are those whose instances
    must be known, `drained` the endpoints that drain. `held_back` is a sentence when Consul's last answer is not in
    force. `last_good` is for the next compile.
    """

    resources: Resources
    digest: str
    changed: Changed
    problems: tuple[Problem, ...]
    index: int
    keys_digest: str
    named_services: frozenset[str]
    local_services: tuple[str, ...]
    clear_endpoints: tuple[ClearEndpoint, ...]
    drained: tuple[DrainedEndpoint, ...]
    pending: tuple[str, ...]
    held_back: str | None
    last_good: LastGood


class Compiler:
    """Compiles one state after the other, with the last good forms and the memo between them."""

    def __init__(self, saved: Snapshot | None = None, policies: Policies | None = None) -> None:
        """`saved` is the last good snapshot of an earlier run, `policies` what it had: they go on where keys are bad now."""
        last_good = LastGood.of(saved) if saved else LastGood()
        self._last_good = replace(last_good, policies=policies or Policies())
        self._memo: Memo | None = Memo()
        """None after a fault."""
        self.compiles = 0
        """How often it did."""

    @property
    def last_good(self) -> LastGood:
        return self._last_good

    def adopt(self, forms: Mapping[str, Form]) -> None:
        """Last good forms that somebody else knows: they count for keys that have none in force here."""
        forms = {**forms, **self._last_good.forms}
        self._last_good = replace(self._last_good, forms=forms)

    def compile(
        self, state: State, facts: NodeFacts, refused: Mapping[str, Refusal] = NONE_REFUSED
    ) -> Compiled:
        """The state compiled; deterministic given state, facts, the last good forms and what is `refused`.

        Those are keys of routes that may not be in force as they stand, and of tests that gate nothing.
        """
        self.compiles += 1
        memo, self._memo = self._memo or Memo(), None
        compiled = compile_snapshot(state, facts, self._last_good, memo, refused)
        # One that a fault of ours left half changed is never used again.
        self._last_good, self._memo = compiled.last_good, memo
        return compiled


def compile_snapshot(
    state: State,
    facts: NodeFacts,
    previous: LastGood | None = None,
    memo: Memo | None = None,
    refused: Mapping[str, Refusal] = NONE_REFUSED,
) -> Compiled:
    """The resources, problems and needs of one node."""
    previous = previous or LastGood()
    memo = memo or Memo()
    policies = decide_policies(state.keys.entries, previous.policies, facts.tls_judge)
    state = _policed(state, policies, memo)
    forms = memo.forms_since(previous.forms).update(state.keys.entries, state.sweeps, refused)
    of_node = (state.local_services, facts.address, facts.uid_of)
    local, local_problems = memo.once("local", "", of_node, lambda: local_services(*of_node))
    own = frozenset(service.name for service in local)
    catalog = memo.once("catalog", "", (state.services,), lambda: catalog_names(state.services))
    listed = memo.once("listed", "", (catalog,), lambda: frozenset(catalog))
    tested = memo.once("tested", "", (policies.tests,), lambda: tested_services(policies.tests))
    called = memo.once(
        "own destinations",
        "",
        (policies.upstreams, own),
        lambda: own_destinations(policies.upstreams, own),
    )
    wanted = forms.wanted | tested | called if tested or called else forms.wanted
    named, named_problems = memo.once(
        "named",
        "",
        (wanted, own, catalog, state.intentions),
        lambda: destinations(wanted, own, catalog, state.intentions),
    )
    clusters = _clusters(state, facts, previous, memo, named, listed)
    clusters = _with_subsets(state, facts, previous, memo, clusters, forms.routed)
    clusters = memo.once(
        "with all", "", (clusters, forms.routed, listed), lambda: _with_all(clusters, forms, listed)
    )
    spoken = memo.once("spoken", "", (policies.services,), lambda: spoken_by(policies.services))
    clusters = memo.once(
        "with protocols", "", (clusters, spoken), lambda: with_protocols(clusters, spoken)
    )
    clusters, drained = memo.once(
        "with drains",
        "",
        (clusters, policies.drains, state.instances),
        lambda: _with_drains(clusters, policies, state),
    )
    clusters = memo.once(
        "with limits",
        "",
        (clusters, policies.services),
        lambda: with_limits(clusters, policies.services),
    )
    seen = memo.once("seen", "", (clusters,), lambda: _seen(clusters))
    ruled = memo.once("whose", "", (own, seen), lambda: tuple(sorted(own | seen.clear_services)))
    port_problems = memo.ports.update(forms.in_force, forms.changed)
    passed_problems = memo.passed.update(forms.in_force, forms.changed)
    raw = memo.once("raw", "", (policies.services,), lambda: raw_services(policies.services))
    ports = memo.ports.asked
    found_listeners, listener_problems = memo.once(
        "found listeners",
        "",
        (facts, local, policies.upstreams, ports, raw),
        lambda: _listeners(facts, local, policies, (ports, raw), memo),
    )
    table = memo.table
    table.replace("clusters", seen.rendered)
    table.replace("intentions", _intentions(state, memo, ruled))
    table.replace("listeners", found_listeners)
    found_services = memo.once(
        "found services",
        "",
        (local, spoken, policies.services),
        lambda: _of(local, spoken, policies, memo),
    )
    table.replace("services", found_services)
    of_mesh = (state.default_intention, facts, policies.settings)
    table.replace(
        "settings", memo.once("found settings", "", of_mesh, lambda: _settings(*of_mesh, memo))
    )
    of_tls = (policies, facts)
    table.replace("tls", memo.once("found tls", "", of_tls, lambda: _tls(*of_tls, memo)))
    _put_routes(forms, Sending.of(policies), memo, clusters if own else {})
    resources, digest, changed = table.given_out()
    problems = (
        *held.problems(state.keys),
        *(mesh.problems(state.mesh, _nodes_in_use(state)) if state.mesh.forgotten else ()),
        *forms.problems,
        *policies.problems,
        *memo.once(
            "policy findings",
            "",
            (policies, catalog, bool(state.services)),
            lambda: policy_findings(policies, catalog, is_known=bool(state.services)),
        ),
        *file_problems(policies, facts),
        *memo.once(
            "undrained",
            "",
            (policies.drains, drained, state.instances, listed),
            lambda: drain_findings(policies.drains, drained, state.instances, listed),
        ),
        *memo.shadows.update(forms.in_force, forms.changed),
        *port_problems,
        *passed_problems,
        *memo.once(
            "passed on",
            "",
            (memo.passed.routes, policies, facts),
            lambda: conflicts(memo.passed.routes, policies, facts),
        ),
        *http_routes_to(raw, forms.in_force, memo.forms.leading_to),
        *memo.findings.update(
            forms,
            memo.forms.leading_to,
            Ground(clusters, seen.unusable, catalog, state.instances),
        ),
        *local_problems,
        *named_problems,
        *listener_problems,
        *memo.once(
            "same user",
            "",
            (local, facts.callers),
            lambda: same_user(local) if facts.callers == "user" else (),
        ),
        *seen.problems,
        *memo.once(
            "judged",
            "",
            (ruled, state.intentions),
            lambda: intentions.problems(ruled, state.intentions),
        ),
        *_default_problem(state, facts),
    )
    index, digest_of_keys = _reached(state.keys.entries, forms, previous, memo)
    return Compiled(
        resources=resources,
        digest=digest,
        changed=changed,
        problems=tuple(sorted(problems, key=_by_weight)),
        index=index,
        keys_digest=digest_of_keys,
        named_services=named,
        local_services=tuple(sorted(own)),
        clear_endpoints=seen.clear,
        drained=drained,
        pending=forms.pending,
        held_back=next((problem.message for problem in held.problems(state.keys)), None),
        last_good=LastGood(forms.in_force, policies, clusters, index, digest_of_keys),
    )


def _policed(state: State, policies: Policies, memo: Memo) -> State:
    inputs = (state.instances, state.local_services, policies)
    instances, local = memo.once("policed", "", inputs, lambda: policed(*inputs))
    if instances is state.instances and local is state.local_services:
        return state
    return replace(state, instances=instances, local_services=local)


def _with_drains(
    clusters: Mapping[str, Cluster], policies: Policies, state: State
) -> tuple[Mapping[str, Cluster], tuple[DrainedEndpoint, ...]]:
    if not policies.drains:
        return clusters, ()
    return with_drains(clusters, policies.drains, state.instances)


def _with_ports(local: tuple[LocalService, ...], policies: Policies) -> tuple[LocalService, ...]:
    """The services with the ports their upstreams ask for; the meta of a registration is nearer."""
    return tuple(
        replace(one, outbound_port=one.outbound_port or asked_port(one.name, policies))
        for one in local
    )


def _put_routes(forms: Forms, sending: Sending, memo: Memo, called: Collection[str]) -> None:
    """The routes with what policies add, all of them once these change; `called` are clusters called from here."""
    table = memo.table
    is_same = memo.sending == sending
    for key in forms.changed if is_same else {*forms.changed, *forms.in_force}:
        form = forms.in_force.get(key)
        made = with_defaults_of(form, sending) if form else None
        table.put("routes", key.removeprefix(ROUTES), made)
    memo.sending = sending
    names = tuple(called) if sending else ()
    own = memo.once("calls", "", (names, sending), lambda: calls(names, sending))
    for name in memo.calls - {rendered.name for rendered in own}:
        table.put("routes", name, None)
    for rendered in own:
        table.put("routes", rendered.name, rendered)
    memo.calls = frozenset(rendered.name for rendered in own)


def _nodes_in_use(state: State) -> frozenset[str]:
    return frozenset(one.node for instances in state.instances.values() for one in instances)


def _clusters(
    state: State,
    facts: NodeFacts,
    previous: LastGood,
    memo: Memo,
    named: frozenset[str],
    catalog: frozenset[str],
) -> Mapping[str, Cluster]:
    """The clusters of all named services by name; of one that was not swept yet the last one, if there is any."""
    nodes = memo.once("nodes", "", (state.mesh,), lambda: mesh_nodes(state.mesh.nodes))

    def made() -> Mapping[str, Cluster]:
        found: dict[str, Cluster] = {}
        for service in sorted(named):
            instances = state.instances.get(service)
            if instances is None:
                if last := previous.clusters.get(service):
                    found[service] = last
                continue
            exists = service in catalog
            found[service] = _cluster(memo, service, instances, (nodes, facts.node, exists))
        memo.keep("clusters", found)
        return found

    last = None if named <= state.instances.keys() else previous.clusters
    return memo.once(
        "all clusters", "", (named, state.instances, last, nodes, facts.node, catalog), made
    )


@dataclass(frozen=True, slots=True)
class _Seen:
    """All clusters, by what is of interest in them."""

    rendered: tuple[Rendered, ...]
    clear: tuple[ClearEndpoint, ...]
    clear_services: frozenset[str]
    unusable: frozenset[str]
    problems: tuple[Problem, ...]


def _seen(clusters: Mapping[str, Cluster]) -> _Seen:
    clear = tuple(endpoint for found in clusters.values() for endpoint in found.clear)
    return _Seen(
        tuple(found.rendered for found in clusters.values()),
        clear,
        frozenset(endpoint[0] for endpoint in clear),
        frozenset(
            name for name, found in clusters.items() if not found.rendered.resource["endpoints"]
        ),
        tuple(problem for found in clusters.values() for problem in found.problems),
    )


def _with_subsets(
    state: State,
    facts: NodeFacts,
    previous: LastGood,
    memo: Memo,
    clusters: Mapping[str, Cluster],
    routed: frozenset[str],
) -> Mapping[str, Cluster]:
    """The clusters, with one for each subset that a route in force leads to."""
    subsets = sorted(routed - clusters.keys())
    if not subsets:
        return clusters
    nodes = memo.once("nodes", "", (state.mesh,), lambda: mesh_nodes(state.mesh.nodes))
    found: dict[str, Cluster] = {}
    for target in subsets:
        service = service_of(target)
        instances = state.instances.get(service)
        if target == service or instances is None:
            if last := previous.clusters.get(target):
                found[target] = last
            continue
        exists = service in clusters and bool(clusters[service].rendered.resource["exists"])
        found[target] = memo.once(
            "subsets",
            target,
            (instances, nodes, facts.node, exists),
            partial(
                subset_cluster,
                target,
                chosen(target, instances),
                nodes,
                facts.node,
                exists=exists,
            ),
        )
    memo.keep("subsets", found)
    return dict(sorted({**clusters, **found}.items())) if found else clusters


def _with_all(
    clusters: Mapping[str, Cluster], forms: Forms, catalog: frozenset[str]
) -> Mapping[str, Cluster]:
    """An empty cluster for each target of a route in force that is without one.

    That is a last good form whose service is not swept yet; a proxy refuses a route to a cluster it does not have.
    """
    missing = {
        name: subset_cluster(name, (), {}, "", exists=service_of(name) in catalog)
        for name in forms.routed - clusters.keys()
    }
    return dict(sorted({**clusters, **missing}.items())) if missing else clusters


def _cluster(
    memo: Memo, service: str, instances: tuple[Instance, ...], inputs: tuple[Any, str, bool]
) -> Cluster:
    nodes, own_node, exists = inputs
    return memo.once(
        "clusters",
        service,
        (instances, *inputs),
        lambda: cluster(service, instances, nodes, own_node, exists=exists),
    )


def _intentions(state: State, memo: Memo, ruled: tuple[str, ...]) -> tuple[Rendered, ...]:
    def rules() -> tuple[Rendered, ...]:
        made = {name: intentions.rules_of(name, state.intentions) for name in ruled}
        return _rendered(memo, "intentions", made)

    return memo.once("ruled", "", (ruled, state.intentions), rules)


def _rendered(
    memo: Memo, collection: str, resources: Mapping[str, Resource]
) -> tuple[Rendered, ...]:
    memo.keep(collection, resources)
    return tuple(memo.render(collection, name, made) for name, made in resources.items())


def _listeners(
    facts: NodeFacts,
    local: tuple[LocalService, ...],
    policies: Policies,
    of_connections: tuple[tuple[AskedPort, ...], frozenset[str]],
    memo: Memo,
) -> tuple[tuple[Rendered, ...], tuple[Problem, ...]]:
    found, problems = listeners(
        facts, _with_ports(local, policies), policies.upstreams, *of_connections
    )
    return _rendered(memo, "listeners", found), problems


def _of(
    local: tuple[LocalService, ...], spoken: Spoken, policies: Policies, memo: Memo
) -> tuple[Rendered, ...]:
    found = {one.name: spoken_in(limited_service(one, policies.services), spoken) for one in local}
    return _rendered(memo, "services", found)


def _tls(policies: Policies, facts: NodeFacts, memo: Memo) -> tuple[Rendered, ...]:
    return _rendered(memo, "tls", tls_hosts(policies, facts))


def _settings(
    default: DefaultIntentionUpdate | None,
    facts: NodeFacts,
    written: Written[MeshSettings] | None,
    memo: Memo,
) -> tuple[Rendered, ...]:
    """The node's settings: what its machine was told before what the mesh was."""
    of_mesh = written.meaning if written else MeshSettings()
    followed = default.policy if default else "deny"
    settings: Resource = {
        "node": facts.node,
        "datacenter": facts.datacenter,
        "trust_domain": facts.trust_domain or UNKNOWN_TRUST_DOMAIN,
        "intention_default": facts.intention_default or followed,
        "trace_ratio": facts.trace_ratio,
        "trusted_proxies": list(facts.trusted_proxies),
        **({} if facts.https_port is None else {"https_port": facts.https_port}),
        "limits": dict(sorted({**of_mesh.limits, **facts.limits}.items())),
        **of_mesh.node,
    }
    return _rendered(memo, "settings", {"node": settings})


def _default_problem(state: State, facts: NodeFacts) -> tuple[Problem, ...]:
    """Consul says one default and decides by another; no matter where our own setting rules."""
    default = state.default_intention
    if default is None or default.disagreement is None or facts.intention_default:
        return ()
    return (Problem("intentions", 0, "warning", default.disagreement),)


def _reached(
    entries: tuple[KvEntry, ...], forms: Forms, previous: LastGood, memo: Memo
) -> tuple[int, str]:
    """The index and digest of the keys that are decided: the last ones while any is pending."""
    if forms.pending:
        return previous.index, previous.keys_digest
    memo.reached.update(entries)
    return max(memo.reached.index, previous.index), memo.reached.digest


def _by_weight(problem: Problem) -> tuple[bool, str, int, int, str]:
    """Errors first, then by key: a status document takes the first 200."""
    return (
        problem.severity != "error",
        problem.key,
        problem.line or 0,
        problem.column or 0,
        problem.message,
    )
