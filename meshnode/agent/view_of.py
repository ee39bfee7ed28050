"""Makes the view of this node from what its parts know. Reads them, changes nothing."""

from __future__ import annotations

from catalog import Compiled, Draining, Problem, Resource

from .. import VERSION
from . import own_problems
from .delivery import Delivery
from .draining import Counts
from .knowledge import Knowledge
from .side import Side
from .view import EDGE, EDGE_TLS, MESH, ProxyView, View


def view_of(
    *,
    port_range: tuple[int, int],
    knowledge: Knowledge,
    delivery: Delivery,
    side: Side | None,
    own: tuple[Problem, ...],
    in_force_since: float | None,
    restarts: int,
    drain_counts: Counts,
) -> View:
    """The whole of `meshnode status` for this node."""
    compiled, table = knowledge.compiled, delivery.in_force
    return View(
        version=VERSION,
        node="" if side is None else side.me.node,
        datacenter="" if side is None else side.me.datacenter,
        trust_domain=None if side is None else side.trust_domain,
        is_ready=is_ready(delivery),
        is_complete=knowledge.is_complete,
        generation=0 if table is None else table.generation,
        digest="" if table is None else table.digest,
        index=0 if compiled is None else compiled.index,
        in_force_since=in_force_since,
        stale_since=knowledge.staleness.since,
        stale_reason=knowledge.staleness.reason,
        held_back=None if compiled is None else compiled.held_back,
        acls_deny=None if side is None else side.me.acls_deny,
        proxy=_proxy(delivery, restarts),
        listeners=delivery.listeners,
        services=tuple(sorted({one.service for one in knowledge.state.local_services})),
        outbound=outbound(delivery),
        certificates=tuple(
            sorted((name, one.not_after_unix_s) for name, one in delivery.identities.items())
        ),
        clear=() if compiled is None else compiled.clear_endpoints,
        draining=_draining(compiled, drain_counts),
        problems=_problems(port_range, knowledge, delivery, side, own),
    )


def is_ready(delivery: Delivery) -> bool:
    """A table is in force, and each listener it asks for is open. One without any waits for the mesh's name.

    The mesh port has nothing to show before this node has a service or an edge: it may wait. The port of a route is
    that route's matter.
    """
    if delivery.in_force is None:
        return False
    open_names = {one.name for one in delivery.listeners if one.state == "open"}
    listeners = delivery.in_force.resources.get("listeners", {})
    wanted = {name for name, one in listeners.items() if not _is_of_route(one)}
    missing = wanted - open_names
    return bool(wanted) and (not missing or wanted == {MESH})


def _is_of_route(listener: Resource) -> bool:
    """Whether it is the port of a route of raw connections."""
    return listener["kind"] == EDGE and listener.get("protocol") == "tcp"


def _proxy(delivery: Delivery, restarts: int) -> ProxyView | None:
    proxy = delivery.proxy
    if proxy is None:
        return None
    return ProxyView(
        pid=proxy.version.pid,
        version=proxy.version.version,
        started_unix_ms=proxy.version.started_unix_ms,
        is_adopted=proxy.is_adopted,
        restarts=restarts,
    )


def outbound(delivery: Delivery) -> tuple[tuple[str, str], ...]:
    """Where the services of this node call others, by listener."""
    table = delivery.in_force
    resources = {} if table is None else table.resources.get("listeners", {})
    of_routes = {name for name, one in resources.items() if _is_of_route(one)}
    others = {EDGE, EDGE_TLS, MESH} | of_routes
    return tuple((one.name, one.address) for one in delivery.listeners if one.name not in others)


def _draining(compiled: Compiled | None, counts: Counts) -> tuple[Draining, ...]:
    if compiled is None:
        return ()
    return tuple(
        Draining(one.key, one.service, one.id, one.node, counts.get((one.service, one.id)))
        for one in compiled.drained
    )


def _problems(
    port_range: tuple[int, int],
    knowledge: Knowledge,
    delivery: Delivery,
    side: Side | None,
    own: tuple[Problem, ...],
) -> tuple[Problem, ...]:
    """The node's own first: they are few, and explain the others."""
    compiled = knowledge.compiled
    services = {one.service for one in knowledge.state.local_services}
    without_port = services - knowledge.named_ports
    return (
        *own,
        *own_problems.of_listeners(delivery.listeners),
        *own_problems.of_certificates(() if side is None else side.certificate_problems()),
        *own_problems.of_ports(without_port, knowledge.ports.assigned, *port_range),
        *delivery.problems,
        *(() if compiled is None else compiled.problems),
    )
