"""The sockets the proxy listens on: the edge, the mesh port, and one outbound port for each service of this node."""

from __future__ import annotations

from collections.abc import Mapping

from .addresses import port_of, socket_address
from .keys import UPSTREAMS
from .model import Problem
from .node import NodeFacts
from .resource import Resource
from .services import META_PORT, LocalService

EDGE = "edge"
MESH = "mesh"


def listeners(
    facts: NodeFacts, services: tuple[LocalService, ...]
) -> tuple[Mapping[str, Resource], tuple[Problem, ...]]:
    """All listeners by name.

    None before the trust domain is known: each would have to show or check an identity that names it.
    """
    found: dict[str, Resource] = {}
    problems: list[Problem] = []
    if facts.trust_domain is None:
        return found, ()
    if facts.edge_address is not None:
        found[EDGE] = {"kind": "edge", "address": facts.edge_address, "identity": EDGE}
    found[MESH] = {"kind": "inbound", "address": facts.mesh_address, "identity": None}
    taken = {
        port_of(resource["address"]): f"the listener {name}" for name, resource in found.items()
    }
    for service in services:
        for own_port in service.ports:
            taken.setdefault(own_port, f"the service {service.name} itself")
    for service in _by_claim(services):
        if service.name in (EDGE, MESH):
            sentence = "its name is that of a listener of the mesh: it gets no outbound port"
            problems.append(_problem(service, sentence))
            continue
        if port := _free_port(service, facts, taken, problems):
            taken[port] = f"the service {service.name}'s calls"
            if address := socket_address(facts.outbound_host, port):
                found[service.name] = _outbound(service, address, facts)
    return found, tuple(problems)


def _by_claim(services: tuple[LocalService, ...]) -> list[LocalService]:
    """Those that ask for a port first: an assigned one can move, an asked one is written somewhere."""
    return sorted(services, key=lambda one: (one.outbound_port is None, one.name))


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
