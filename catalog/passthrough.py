"""The server names whose TLS routes pass on, and what is wrong with them: others that take theirs, hosts whose TLS ends at
the edge. Reads no hello; the proxy does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from typing import Any

from .forms import Form
from .listeners import EDGE_TLS
from .model import Problem
from .node import NodeFacts
from .policies.policies import Policies
from .routes import Route, age
from .shadows import holds_networks
from .text import quote
from .tls import OF_FILES, tls_hosts

EXACT = 1 << 16
"""Nearer than any wildcard: a name has at most 253 characters."""


class PassedBook:
    """The routes by server name, looked at anew where one of them changed."""

    def __init__(self) -> None:
        self._names: dict[str, dict[str, Route]] = {}
        self._routes: dict[str, Route] = {}
        self.routes: tuple[Route, ...] = ()
        """By key; the same object as long as nothing changed."""
        self._problems: tuple[Problem, ...] = ()

    def update(self, in_force: Mapping[str, Form], changed: Collection[str]) -> tuple[Problem, ...]:
        """A warning for each route that never gets a connection for one of its names; `changed` since the last time."""
        touched = False
        for key in changed:
            if (before := self._routes.pop(key, None)) is not None:
                touched = True
                for name in before.rule.sni:
                    del self._names[name][key]
                    if not self._names[name]:
                        del self._names[name]
            form = in_force.get(key)
            if form is not None and form.route.rule.sni:
                touched = True
                self._routes[key] = form.route
                for name in form.route.rule.sni:
                    self._names.setdefault(name, {})[key] = form.route
        if touched:
            self.routes = tuple(route for _, route in sorted(self._routes.items()))
            self._problems = tuple(self._shadows())
        return self._problems

    def _shadows(self) -> Iterator[Problem]:
        for loser in self.routes:
            for name in loser.rule.sni:
                better = [
                    route
                    for above in _around(name)
                    for route in self._names.get(above, {}).values()
                    if _wins(route, loser, is_same=above == name)
                ]
                if better:
                    winner = min(better, key=_order)
                    sentence = (
                        f"this route never gets a connection for {name}: {winner.key} takes each that it "
                        "could, and goes before it"
                    )
                    yield Problem(loser.key, loser.index, "warning", sentence, winner=winner.key)


def conflicts(
    routes: tuple[Route, ...], policies: Policies, facts: NodeFacts
) -> tuple[Problem, ...]:
    """A warning at both keys where TLS for a name is to be passed on and to end at the edge: it ends there."""
    if not routes or facts.edge_address is None:
        return ()
    found = []
    hosts = tls_hosts(policies, facts)
    for route in routes:
        if facts.edge_tls_address is None:
            sentence = f"{facts.node} takes no TLS: its edge has no listener {EDGE_TLS} (edge.tls_address is off)"
            found.append(Problem(route.key, route.index, "warning", sentence))
            continue
        for name in route.rule.sni:
            host = next((one for one in _around(name) if one in hosts), None)
            if host is not None and (why := _ends_here(name, host, hosts[host])):
                found += _conflict(route, name, hosts[host], why)
    return tuple(found)


def _conflict(route: Route, name: str, settings: Mapping[str, Any], why: str) -> Iterator[Problem]:
    key, index = str(settings["key"]), int(settings["index"])
    sentence = (
        f"TLS for {name} ends at the edge by {key}, which {why}: nothing of it is passed on by this route; "
        "one of the two is to go"
    )
    yield Problem(route.key, route.index, "warning", sentence, winner=key)
    if key != OF_FILES:
        sentence = f"{route.key} is to pass TLS for {name} on, and gets none of it: it ends at the edge by this key"
        yield Problem(key, index, "warning", sentence)


def _ends_here(name: str, host: str, settings: Mapping[str, Any]) -> str:
    """Why the settings go before the route, as the proxy has it; empty: they don't."""
    if "closed" in settings:
        return "cannot be read, and may ask clients for certificates"
    if "client_certificates" in settings:
        return "asks clients for certificates"
    if _nearness(host) >= _nearness(name):
        return "is " + ("for the same name" if host == name else f"for {quote(host)}")
    return ""


def _nearness(name: str) -> int:
    return len(name) - 2 if name.startswith("*.") else EXACT


def _around(name: str) -> Iterator[str]:
    """The name, and each wildcard that takes all it does, the nearest first."""
    yield name
    rest = name.removeprefix("*.")
    while "." in rest:
        rest = rest.partition(".")[2]
        yield "*." + rest


def _wins(winner: Route, loser: Route, *, is_same: bool) -> bool:
    if winner is loser or not holds_networks(
        winner.rule.client_addresses, loser.rule.client_addresses
    ):
        return False
    if winner.rule.priority != loser.rule.priority:
        return winner.rule.priority > loser.rule.priority
    return is_same and _order(winner) < _order(loser)


def _order(route: Route) -> tuple[int, bool, tuple[int, str]]:
    """The proxy's order of the routes of one name."""
    return -route.rule.priority, not route.rule.client_addresses, age(route)
