"""Which of a node's listeners would be in one another's way. Pure: opens nothing."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass

from .listening import split_address
from .settings import Settings


@dataclass(frozen=True, slots=True)
class Listening:
    """`ports` holds first and last, both in it."""

    what: str
    setting: str
    host: str
    ports: tuple[int, int]


def tls_address(settings: Settings) -> str | None:
    """Where TLS comes in; a node that is no edge has none."""
    return settings.edge_tls_address if settings.edge_address is not None else None


def listeners_of(settings: Settings) -> tuple[Listening, ...]:
    """Everything a node listens on."""
    named = (
        ("the edge", "edge.address", settings.edge_address),
        ("the edge's TLS", "edge.tls_address", tls_address(settings)),
        ("the mesh", "mesh.address", settings.mesh_address),
        ("the admin API", "admin.address", settings.admin_address),
    )
    found = []
    for what, setting, address in named:
        if address is not None:
            host, port = split_address(address)
            found.append(Listening(what, setting, host, (port, port)))
    outbound = Listening(
        "the outbound ports", "outbound.ports", settings.outbound_host, settings.outbound_ports
    )
    return (*found, outbound)


def collisions(settings: Settings) -> Iterator[tuple[str, str]]:
    """Setting and sentence of each listener that an earlier one is in the way of."""
    listeners = listeners_of(settings)
    for number, later in enumerate(listeners):
        for earlier in listeners[:number]:
            port = max(earlier.ports[0], later.ports[0])
            if port <= min(earlier.ports[1], later.ports[1]) and _meet(earlier.host, later.host):
                yield (
                    later.setting,
                    f"{later.what} and {earlier.what} ({earlier.setting}) both want port {port}: change one of them",
                )


def _meet(one: str, other: str) -> bool:
    """All addresses of IPv6 take IPv4's too."""
    return one == other or any(ipaddress.ip_address(host).is_unspecified for host in (one, other))
