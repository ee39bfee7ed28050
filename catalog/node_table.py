"""The rest of one node's table: its listeners, services, settings, hosts of TLS, routes, and the intentions it decides by.

Puts what others make into the memo's table, and only anew what they were made of changed.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import replace

from . import intentions
from .given import Given
from .keys import ROUTES
from .listeners import listeners
from .memo import Memo
from .model import Problem
from .node import NodeFacts
from .policed import (
    Sending,
    Spoken,
    asked_port,
    calls,
    limited_service,
    spoken_in,
    with_defaults_of,
)
from .policies.policies import Policies
from .policies.read import Written
from .policies.settings import MeshSettings
from .resource import Rendered, Resource
from .services import LocalService
from .tls import tls_hosts
from .update import DefaultIntentionUpdate

UNKNOWN_TRUST_DOMAIN = "unknown.invalid"
"""Stands in the settings until the certificates are there; no identity can have it (RFC 2606), no listener is open."""


def put_intentions(given: Given, ruled: tuple[str, ...], memo: Memo) -> None:
    """Those towards the services whose callers are judged here."""
    written = given.state.intentions

    def rules() -> tuple[Rendered, ...]:
        made = {name: intentions.rules_of(name, written) for name in ruled}
        return _rendered(memo, "intentions", made)

    memo.table.replace("intentions", memo.once("ruled", "", (ruled, written), rules))


def put_listeners(given: Given, at_ports: Mapping[str, str], memo: Memo) -> tuple[Problem, ...]:
    """The node's listeners; `at_ports` is what is spoken at ports that mean one service, where that is not requests alone.

    What is wrong with the ports that are asked for.
    """
    facts, local, policies = given.facts, given.local, given.policies
    of_routes = memo.ports.update(given.forms.in_force, given.forms.changed)
    ports = memo.ports.asked

    def made() -> tuple[tuple[Rendered, ...], tuple[Problem, ...]]:
        with_ports = _with_ports(local, policies)
        found, problems = listeners(facts, with_ports, policies.upstreams, ports, at_ports)
        return _rendered(memo, "listeners", found), problems

    inputs = (facts, local, policies.upstreams, ports, at_ports)
    found, problems = memo.once("found listeners", "", inputs, made)
    memo.table.replace("listeners", found)
    return (*of_routes, *problems)


def put_services(given: Given, spoken: Spoken, memo: Memo) -> None:
    """The services of this node, with their limits and what they speak."""
    local, policies = given.local, given.policies

    def made() -> tuple[Rendered, ...]:
        limited = {one.name: limited_service(one, policies.services) for one in local}
        found = {name: spoken_in(one, spoken) for name, one in limited.items()}
        return _rendered(memo, "services", found)

    inputs = (local, spoken, policies.services)
    memo.table.replace("services", memo.once("found services", "", inputs, made))


def put_settings(given: Given, memo: Memo) -> None:
    """The node's settings and what is asked of hosts whose TLS ends here."""
    policies, facts = given.policies, given.facts
    of_mesh = (given.state.default_intention, facts, policies.settings)
    found = memo.once(
        "found settings",
        "",
        of_mesh,
        lambda: _rendered(memo, "settings", {"node": _settings(*of_mesh)}),
    )
    memo.table.replace("settings", found)
    hosts = memo.once(
        "found tls",
        "",
        (policies, facts),
        lambda: _rendered(memo, "tls", tls_hosts(policies, facts)),
    )
    memo.table.replace("tls", hosts)


def put_routes(given: Given, called: Collection[str], memo: Memo) -> None:
    """The routes with what policies add, all of them once these change; `called` are clusters called from here."""
    table, forms, sending = memo.table, given.forms, Sending.of(given.policies)
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


def _with_ports(local: tuple[LocalService, ...], policies: Policies) -> tuple[LocalService, ...]:
    """The services with the ports their upstreams ask for; the meta of a registration is nearer."""
    return tuple(
        replace(one, outbound_port=one.outbound_port or asked_port(one.name, policies))
        for one in local
    )


def _settings(
    default: DefaultIntentionUpdate | None,
    facts: NodeFacts,
    written: Written[MeshSettings] | None,
) -> Resource:
    """The node's settings: what its machine was told before what the mesh was."""
    of_mesh = written.meaning if written else MeshSettings()
    followed = default.policy if default else "deny"
    return {
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


def _rendered(
    memo: Memo, collection: str, resources: Mapping[str, Resource]
) -> tuple[Rendered, ...]:
    memo.keep(collection, resources)
    return tuple(memo.render(collection, name, made) for name, made in resources.items())
