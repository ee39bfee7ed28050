"""What is not well on this node itself, in the form of the problems people's keys have. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from catalog import Problem
from certs import CertificateProblem

from ..proxy import Listener


def of_listeners(listeners: Iterable[Listener]) -> tuple[Problem, ...]:
    """One for each listener that can't open."""
    return tuple(
        Problem(
            key=f"listener {one.name}",
            index=0,
            severity="error",
            message=f"{one.address} can not be opened: {one.error or 'no reason given'}",
        )
        for one in listeners
        if one.state == "failed"
    )


def of_certificates(problems: Iterable[CertificateProblem]) -> tuple[Problem, ...]:
    return tuple(
        Problem(f"certificate {one.subject}", 0, one.severity, one.message) for one in problems
    )


def of_ports(
    services: Iterable[str], assigned: Iterable[str], first: int, last: int
) -> tuple[Problem, ...]:
    """One for each local service that the range of outbound ports has no place for."""
    return tuple(
        Problem(
            key=f"service {name}",
            index=0,
            severity="error",
            message=f"no outbound port is free for it in {first}-{last}: widen outbound.ports, or "
            "register it with meta mesh-outbound-port",
        )
        for name in sorted(set(services) - set(assigned))
    )
