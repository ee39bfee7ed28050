"""Which services a node has to know: what its routes lead to, what runs here, and what that may call."""

from __future__ import annotations

from .intentions import called_by
from .model import Intentions, Problem
from .values import RESERVED_SERVICES, is_service_name

CATALOG_MAX_SERVICES = 500
"""A node with services of its own knows every service up to this many: 150 ms of sweeps when all change at once."""


def catalog_names(services: tuple[tuple[str, tuple[str, ...]], ...]) -> tuple[str, ...]:
    """The services of the catalog that can be destinations, sorted."""
    return tuple(
        name for name, _ in services if name not in RESERVED_SERVICES and is_service_name(name)
    )


def destinations(
    wanted: frozenset[str],
    local: frozenset[str],
    catalog: tuple[str, ...],
    intentions: tuple[Intentions, ...],
) -> tuple[frozenset[str], tuple[Problem, ...]]:
    """The services whose instances this node has to know; `wanted` are those of routes, `local` those that run here.

    Any local service may call any `<service>.mesh`, so with one here all of the catalog is known, up to
    CATALOG_MAX_SERVICES; above that only what an intention lets them call.
    """
    named = wanted | local
    if not local:
        return named, ()
    named |= called_by(local, intentions) - RESERVED_SERVICES
    if len(catalog) <= CATALOG_MAX_SERVICES:
        return named | frozenset(catalog), ()
    sentence = (
        f"the catalog has {len(catalog):,} services, more than {CATALOG_MAX_SERVICES}: calls between services reach "
        "those that a route or an intention names (an intention for each caller and destination is needed)"
    )
    return named, (Problem("services", 0, "warning", sentence),)
