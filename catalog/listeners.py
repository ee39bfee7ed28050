"""The sockets the proxy listens on: the edge, the mesh port, the outbound ports of each service of this node.

Opens none.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from .addresses import port_of, socket_address
from .keys import UPSTREAMS
from .model import Problem
from .node import NodeFacts
from .policies.read import Written
from .policies.upstreams import Upstreams
from .ports import AskedPort
from .resource import Resource
from .services import META_PORT, LocalService

EDGE = "edge"
MESH = "mesh"
EDGE_TLS = "websecure"
OWN = (EDGE, EDGE_TLS, MESH)
NO_UPSTREAMS: Mapping[str, Written[Upstreams]] = {}
NO_PROTOCOLS: Mapping[str, str] = {}


def own_port_name(service: str, destination: str) -> str:
    """The name of a listener that means one destination; no service has a colon in its name."""
    return f"{service}:{destination}"


def listeners(
    facts: NodeFacts,
    services: tuple[LocalService, ...],
    upstreams: Mapping[str, Written[Upstreams]] = NO_UPSTREAMS,
    ports: tuple[AskedPort, ...] = (),
    spoken: Mapping[str, str] = NO_PROTOCOLS,
) -> tuple[Mapping[str, Resource], tuple[Problem, ...]]:
    """All listeners by name.

    `ports` are those that routes of raw connections ask for, `spoken` is what is spoken at ports that mean one service,
    where that is not requests alone.
    None before the trust domain is known: each would have to show or check an identity that names it.
    """
    found: dict[str, Resource] = {}
    problems: list[Problem] = []
    if facts.trust_domain is None:
        return found, ()
    if facts.edge_address is not None:
        found[EDGE] = {"kind": "edge", "address": facts.edge_address, "identity": EDGE}
        if facts.edge_tls_address is not None:
            found[EDGE_TLS] = {
                "kind": "edge",
                "address": facts.edge_tls_address,
                "identity": EDGE,
                "tls": {},
            }
    found[MESH] = {"kind": "inbound", "address": facts.mesh_address, "identity": None}
    taken = {
        port_of(resource["address"]): f"the listener {name}" for name, resource in found.items()
    }
    for service in services:
        for own_port in service.ports:
            taken.setdefault(own_port, f"the service {service.name} itself")
    calling = [service for service in services if service.name not in OWN]
    for service in services:
        if service.name in OWN:
            sentence = "its name is that of a listener of the mesh: it gets no outbound port"
            problems.append(_problem(service, sentence))
    _add_ports(ports, facts, taken, found, problems)
    # Asked ports first: an assigned one can move, an asked one is written somewhere.
    _add_calls(
        [one for one in calling if one.outbound_port is not None], facts, taken, found, problems
    )
    for service in calling:
        if written := upstreams.get(service.name):
            _add_destinations(service, written, spoken, facts, taken, found, problems)
    _add_calls([one for one in calling if one.outbound_port is None], facts, taken, found, problems)
    return found, tuple(problems)


def _add_calls(
    services: Iterable[LocalService],
    facts: NodeFacts,
    taken: dict[int, str],
    found: dict[str, Resource],
    problems: list[Problem],
) -> None:
    for service in services:
        if port := _free_port(service, facts, taken, problems):
            taken[port] = f"the service {service.name}'s calls"
            if address := socket_address(facts.outbound_host, port):
                found[service.name] = _outbound(service, address, facts)


def _add_ports(
    ports: tuple[AskedPort, ...],
    facts: NodeFacts,
    taken: dict[int, str],
    found: dict[str, Resource],
    problems: list[Problem],
) -> None:
    """The ports of routes of raw connections, where the edge is. One that is taken costs itself alone."""
    if facts.edge_address is None:
        return
    host = facts.edge_address.rpartition(":")[0]
    for asked in ports:
        if asked.port in taken:
            sentence = (
                f"port {asked.port} is not opened on {facts.node}: {taken[asked.port]} has it"
            )
            problems.append(Problem(asked.key, asked.index, "warning", sentence))
            continue
        taken[asked.port] = f"the route {asked.key}"
        found[f"tcp:{asked.port}"] = {
            "kind": "edge",
            "protocol": "tcp",
            "address": f"{host}:{asked.port}",
            "identity": EDGE,
        }


def _add_destinations(
    service: LocalService,
    written: Written[Upstreams],
    spoken: Mapping[str, str],
    facts: NodeFacts,
    taken: dict[int, str],
    found: dict[str, Resource],
    problems: list[Problem],
) -> None:
    """The ports that mean one destination each. One that is taken costs itself alone, and the key says so."""
    for destination, port in sorted(written.meaning.destinations.items()):
        if port in taken:
            sentence = (
                f"{service.name} can not call {destination} at port {port} of {facts.node}: "
                f"{taken[port]} has it"
            )
            problems.append(Problem(written.key, written.index, "warning", sentence))
            continue
        taken[port] = f"the service {service.name}'s calls to {destination}"
        if address := socket_address(facts.outbound_host, port):
            name = own_port_name(service.name, destination)
            made = {**_outbound(service, address, facts), "destination": destination}
            protocol = spoken.get(destination)
            found[name] = made if protocol is None else {**made, "protocol": protocol}


def _free_port(
    service: LocalService, facts: NodeFacts, taken: Mapping[int, str], problems: list[Problem]
) -> int | None:
    assigned = facts.outbound_ports.get(service.name)
    asked = service.outbound_port
    if asked is not None and asked in taken:
        problems.append(
            _problem(
                service,
                f"its meta {META_PORT} or {UPSTREAMS}{service.name} asks for {asked}, which {taken[asked]} has",
            )
        )
    elif asked is not None:
        return asked
    if assigned is not None and assigned in taken:
        problems.append(
            _problem(service, f"the outbound port {assigned} is taken: {taken[assigned]} has it")
        )
        return None
    return assigned


def _outbound(service: LocalService, address: str, facts: NodeFacts) -> Resource:
    return {
        "kind": "outbound",
        "address": address,
        "identity": service.name,
        "service": service.name,
        "proof": facts.callers,
        "owners": list(service.owners),
        "uids": list(service.uids),
    }


def _problem(service: LocalService, sentence: str) -> Problem:
    return Problem(f"service {service.name}", 0, "error", sentence)
