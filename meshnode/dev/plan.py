"""What runs where: nodes with their addresses and ports, and the shop's services on them. Pure but for choosing ports."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from .addresses import FRONT_DOOR, Ports
from .service import HEALTH_PATH, KINDS

REGISTRY_PORT = 8500
EDGE_PORT = 8080
EDGE_TLS_PORT = 8443
MESH_PORT = 7443
ADMIN_PORT = 7000
SERVICE_PORT = 9000
OUTBOUND_PORT = 15000

FIRST_ADDRESS = 11

HOST = "shop.test"
ROUTE_KEY = "mesh/routes/shop"
ROUTE = f"{HOST}/ -> front"
# The service and the number of its node, as long as there are so many.
HOMES = (("front", 1), ("cart", 2), ("cart-next", 2), ("stock", 3))


@dataclass(frozen=True, slots=True)
class Place:
    """One node: its name in the catalog, its address, and where its registry is (`host:port` or a URL)."""

    name: str
    address: str
    registry: str

    @property
    def host(self) -> str:
        """Where its services listen and call: its address if that is loopback, else the machine's."""
        return self.address if ipaddress.ip_address(self.address).is_loopback else FRONT_DOOR


@dataclass(frozen=True, slots=True)
class Service:
    """One service of the shop. `port` and `outbound_port` are on its node's host."""

    name: str
    port: int
    outbound_port: int

    def registration(self, host: str) -> dict[str, object]:
        """As Consul's agent takes it."""
        return {
            "Name": self.name,
            "ID": self.name,
            "Address": host,
            "Port": self.port,
            "Meta": {"mesh-outbound-port": str(self.outbound_port)},
            "Check": {
                "CheckID": f"{self.name}-http",
                "Name": f"http {HEALTH_PATH}",
                "HTTP": f"http://{host}:{self.port}{HEALTH_PATH}",
                "Interval": "2s",
                "Timeout": "2s",
                # It answered when this was written: the first look is not to be waited for.
                "Status": "passing",
            },
        }

    def environment(self, host: str, node: str) -> dict[str, str]:
        """What tells the service what it is."""
        outbound = f"{host}:{self.outbound_port}"
        return {
            "DEMO_SERVICE": self.name,
            "DEMO_LISTEN": f"{host}:{self.port}",
            "DEMO_NODE": node,
            **({"DEMO_OUTBOUND": outbound} if KINDS[self.name].calls else {}),
        }


@dataclass(frozen=True, slots=True)
class Node:
    """One node with all it listens on. `edge` and `edge_tls` are None for all but the first."""

    place: Place
    services: tuple[Service, ...]
    edge: str | None
    mesh: str
    admin: str
    edge_tls: str | None = None

    @property
    def name(self) -> str:
        return self.place.name


@dataclass(frozen=True, slots=True)
class Plan:
    """The whole demo."""

    nodes: tuple[Node, ...]
    registry: str
    """What people's commands use: the first node's, at 127.0.0.1 where it is the embedded one."""

    @property
    def edge(self) -> str:
        assert self.nodes[0].edge is not None
        return self.nodes[0].edge

    @property
    def admin(self) -> str:
        return self.nodes[0].admin


def node_addresses(count: int) -> tuple[str, ...]:
    """The usual ones, each node its own."""
    return tuple(f"127.0.0.{FIRST_ADDRESS + number}" for number in range(count))


def embedded_places(addresses: Sequence[str], ports: Ports) -> tuple[str, tuple[Place, ...]]:
    """The registry's own address, and a node on each of these, which has it there too, at the same port."""
    all_of_them = tuple(dict.fromkeys((FRONT_DOOR, *addresses)))
    port = ports.choose("the registry", REGISTRY_PORT, all_of_them, is_typed=True)
    places = (
        Place(f"node-{number}", address, f"{address}:{port}")
        for number, address in enumerate(addresses, start=1)
    )
    return f"{FRONT_DOOR}:{port}", tuple(places)


def plan_of(registry: str, places: Sequence[Place], ports: Ports) -> Plan:
    """The demo on these nodes. Raises StartError where there are no ports."""
    addresses = sorted({place.address for place in places})
    edge = ports.choose("the edge", EDGE_PORT, [FRONT_DOOR], is_typed=True)
    edge_tls = ports.choose("the edge's TLS", EDGE_TLS_PORT, [FRONT_DOOR])
    is_shared = len(addresses) < len(places)
    mesh = 0 if is_shared else ports.choose("the mesh", MESH_PORT, addresses)
    nodes = []
    for number, place in enumerate(places, start=1):
        admin_host = FRONT_DOOR if number == 1 else place.host
        admin = ports.choose(
            f"{place.name}'s admin API", ADMIN_PORT, [admin_host], is_typed=number == 1
        )
        mesh_port = mesh or ports.choose(f"{place.name}'s mesh port", MESH_PORT, [place.address])
        nodes.append(
            Node(
                place=place,
                services=tuple(_services(place, number, len(places), ports)),
                edge=f"{FRONT_DOOR}:{edge}" if number == 1 else None,
                edge_tls=f"{FRONT_DOOR}:{edge_tls}" if number == 1 else None,
                mesh=f"{place.address}:{mesh_port}",
                admin=f"{admin_host}:{admin}",
            )
        )
    return Plan(tuple(nodes), registry)


def _services(place: Place, number: int, count: int, ports: Ports) -> list[Service]:
    """Those of node `number` out of `count`; numbers beyond the last node begin again at the first."""
    found = []
    for at, (name, home) in enumerate(HOMES):
        if (home - 1) % count + 1 == number:
            port = ports.choose(name, SERVICE_PORT + at, [place.host])
            outbound = ports.choose(f"{name}'s calls", OUTBOUND_PORT + at, [place.host])
            found.append(Service(name, port, outbound))
    return found
