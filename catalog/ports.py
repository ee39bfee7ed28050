"""The ports that routes of raw connections ask for, and what is wrong with them. Opens none."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from .forms import Form
from .model import Problem
from .routes import Route, age
from .shadows import holds_networks


@dataclass(frozen=True, slots=True)
class AskedPort:
    """A port, and the key (with its index) of the first route that asks for it."""

    port: int
    key: str
    index: int


class PortBook:
    """The ports of all routes in force, looked at anew where a route changed that has one."""

    def __init__(self) -> None:
        self._routes: dict[int, dict[str, Route]] = {}
        self._port_of: dict[str, int] = {}
        self.asked: tuple[AskedPort, ...] = ()
        """By port; the same object as long as nothing changed."""
        self._problems: tuple[Problem, ...] = ()

    def update(self, in_force: Mapping[str, Form], changed: Collection[str]) -> tuple[Problem, ...]:
        """A warning for each route that never gets a connection; `changed` since the last time."""
        touched = False
        for key in changed:
            if (before := self._port_of.pop(key, None)) is not None:
                touched = True
                del self._routes[before][key]
                if not self._routes[before]:
                    del self._routes[before]
            form = in_force.get(key)
            if form is not None and (port := form.route.rule.port) is not None:
                touched = True
                self._port_of[key] = port
                self._routes.setdefault(port, {})[key] = form.route
        if touched:
            self.asked = tuple(
                AskedPort(port, first.key, first.index)
                for port, routes in sorted(self._routes.items())
                for first in (min(routes.values(), key=age),)
            )
            self._problems = tuple(self._shadows())
        return self._problems

    def _shadows(self) -> Iterator[Problem]:
        for port, routes in self._routes.items():
            ordered = sorted(routes.values(), key=_order)
            for at, loser in enumerate(ordered):
                if winner := next((one for one in ordered[:at] if _holds(one, loser)), None):
                    sentence = (
                        f"this route never matches: {winner.key} takes every connection to port {port} "
                        "that it could, and goes before it"
                    )
                    yield Problem(loser.key, loser.index, "warning", sentence, winner=winner.key)


def http_routes_to(
    raw: Collection[str],
    in_force: Mapping[str, Form],
    leading_to: Callable[[str], Collection[str]],
) -> tuple[Problem, ...]:
    """A warning for each route of requests that leads to a service of raw connections."""
    found = []
    for service in sorted(raw):
        for key in sorted(leading_to(service)):
            route = in_force[key].route
            if not route.rule.is_raw:
                sentence = (
                    f"{service} speaks tcp by its policy, so requests are no use there; "
                    f"tcp :PORT -> {service} leads connections to it"
                )
                found.append(Problem(route.key, route.index, "warning", sentence))
    return tuple(found)


def _order(route: Route) -> tuple[int, bool, tuple[int, str]]:
    """The proxy's order of the routes of one port."""
    return -route.rule.priority, not route.rule.client_addresses, age(route)


def _holds(winner: Route, loser: Route) -> bool:
    return holds_networks(winner.rule.client_addresses, loser.rule.client_addresses)
