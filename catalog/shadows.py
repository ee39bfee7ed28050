"""Routes that never match, because another takes all they could: with the winner and why. Changes nothing, sees no request.

Only what can be proven from the rules: the same conditions, or fewer of them at a higher priority.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from .forms import Form
from .language.rule import Rule
from .model import Problem
from .routes import Route, age

Network = IPv4Network | IPv6Network
_Place = tuple[str, str, str]
"""Host, path and the path's kind."""


AT_ONE_PLACE_MAX = 200
"""Each route is compared with all that have its host and path: of more than this, told apart by conditions, none is."""


class ShadowBook:
    """The warnings for all routes, judged anew where a route changed that may decide them.

    Without priorities a route can only be kept from its requests by one with the same host and path. With them, by any
    whose host and path hold its own: then each route is noted at all places that do.
    """

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        self._places: dict[_Place, dict[str, Route]] = {}
        self._inside: dict[_Place, dict[str, Route]] = {}
        """The routes that a place holds; of use only where there are priorities."""
        self._crowded: set[_Place] = set()
        self._has_priorities = False
        self._prioritised = 0
        self._problems: dict[str, Problem] = {}
        self._told: tuple[Problem, ...] = ()

    def update(self, in_force: Mapping[str, Form], changed: Collection[str]) -> tuple[Problem, ...]:
        """A warning for each route that never matches, on some of its hosts or on all; `changed` since the last time."""
        if not changed:
            return self._told
        gone = [self._routes[key] for key in changed if key in self._routes]
        come = [in_force[key].route for key in changed if key in in_force]
        crossed = {
            place
            for routes, is_there in ((gone, False), (come, True))
            for route in routes
            for place in self._note(route, is_there=is_there)
        }
        had_priorities, self._has_priorities = self._has_priorities, self._prioritised > 0
        if had_priorities != self._has_priorities:
            self._note_inside()
            suspects = {*changed, *self._routes}
        else:
            suspects = {*changed, *self._decided_by(gone), *self._decided_by(come)}
            for place in crossed:
                suspects |= self._held(place).keys()
        for key in suspects:
            self._judge(key)
        self._told = tuple(self._problems.values())
        return self._told

    def _note(self, route: Route, *, is_there: bool) -> Iterator[_Place]:
        """Notes it where it stands; gives the places that have become, or are no more, too full to be judged."""
        self._prioritised += (1 if is_there else -1) * bool(route.rule.priority)
        if is_there:
            self._routes[route.key] = route
        else:
            del self._routes[route.key]
        for host in route.rule.hosts:
            for place in _same(host, route.rule):
                _set(self._places, place, route, is_there=is_there)
                if (len(self._places.get(place, ())) > AT_ONE_PLACE_MAX) != (
                    place in self._crowded
                ):
                    self._crowded ^= {place}
                    yield place
            if self._has_priorities:
                for place in _around(host, route.rule):
                    _set(self._inside, place, route, is_there=is_there)

    def _note_inside(self) -> None:
        self._inside.clear()
        for route in self._routes.values() if self._has_priorities else ():
            for host in route.rule.hosts:
                for place in _around(host, route.rule):
                    _set(self._inside, place, route, is_there=True)

    def _decided_by(self, winners: Iterable[Route]) -> Iterator[str]:
        """The routes that one of these could keep from their requests."""
        for winner in winners:
            for host in winner.rule.hosts:
                for place in _same(host, winner.rule):
                    for key, route in self._held(place).items():
                        if place not in self._crowded and _wins(winner, route, same_host=True):
                            yield key

    def _held(self, place: _Place) -> Mapping[str, Route]:
        return (self._inside if self._has_priorities else self._places).get(place, {})

    def _judge(self, key: str) -> None:
        route = self._routes.get(key)
        self._problems.pop(key, None)
        if route is None:
            return
        problem = _shadow(route, self._places, has_priorities=self._has_priorities)
        if problem is not None:
            self._problems[key] = problem


def _set(
    places: dict[_Place, dict[str, Route]], place: _Place, route: Route, *, is_there: bool
) -> None:
    if is_there:
        places.setdefault(place, {})[route.key] = route
        return
    routes = places.get(place, {})
    routes.pop(route.key, None)
    if not routes:
        places.pop(place, None)


def _shadow(
    loser: Route, places: Mapping[_Place, Mapping[str, Route]], *, has_priorities: bool
) -> Problem | None:
    winners: dict[str, Route] = {}
    for host in loser.rule.hosts:
        around = _around(host, loser.rule) if has_priorities else _same(host, loser.rule)
        better = [
            route
            for place in around
            if len(routes := places.get(place, {})) <= AT_ONE_PLACE_MAX
            for route in routes.values()
            if _wins(route, loser, same_host=place[0] == host)
        ]
        if better:
            winners[host] = min(better, key=lambda one: (-one.rule.priority, age(one)))
    if not winners:
        return None
    winner = next(iter(winners.values()))
    where = "" if len(winners) == len(loser.rule.hosts) else f" for {', '.join(winners)}"
    sentence = f"this route never matches{where}: {winner.key} {_why(winner, loser)}"
    return Problem(loser.key, loser.index, "warning", sentence, winner=winner.key)


def _same(host: str, rule: Rule) -> Iterator[_Place]:
    yield host, rule.path, rule.path_kind


def _around(host: str, rule: Rule) -> Iterator[_Place]:
    """The places that hold all of this one, itself first."""
    prefixes = list(_prefixes(rule.path)) if rule.path_kind in ("prefix", "exact") else ["/"]
    for one in _hosts(host):
        yield one, rule.path, rule.path_kind
        for prefix in prefixes:
            if (prefix, "prefix") != (rule.path, rule.path_kind):
                yield one, prefix, "prefix"


def _hosts(host: str) -> Iterator[str]:
    """The host, and each wildcard that takes all it does; `*` takes nothing under .mesh."""
    yield host
    name = host.removeprefix("*.")
    while "." in name and not name.startswith("["):
        name = name.partition(".")[2]
        yield "*." + name
    if host != "*" and not host.endswith(".mesh"):
        yield "*"


def _prefixes(path: str) -> Iterator[str]:
    """The path, and each prefix above it by whole segments."""
    path = path.removesuffix("/")
    while path:
        yield path
        path = path.rpartition("/")[0]
    yield "/"


def _wins(winner: Route, loser: Route, *, same_host: bool) -> bool:
    """Whether `winner`, whose place holds the other's, takes every request the other could, and before it."""
    if winner is loser:
        return False
    one, other = winner.rule, loser.rule
    if not (
        _holds(one.methods, other.methods)
        and _holds(one.sources, other.sources)
        and holds_networks(one.client_addresses, other.client_addresses)
    ):
        return False
    if one.priority > other.priority:
        return set(one.conditions) <= set(other.conditions)
    is_equal = (
        one.priority == other.priority
        and (one.path, one.path_kind) == (other.path, other.path_kind)
        and same_host
        and set(one.conditions) == set(other.conditions)
        and bool(one.methods) == bool(other.methods)
        and bool(one.sources) == bool(other.sources)
        and bool(one.client_addresses) == bool(other.client_addresses)
    )
    return is_equal and age(winner) < age(loser)


def _holds(wide: Iterable[str], narrow: tuple[str, ...]) -> bool:
    """None given takes all."""
    names = set(wide)
    return not names or (bool(narrow) and names.issuperset(narrow))


def holds_networks(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
    """Whether each address of the second is one of the first; none given takes all."""
    if _holds(wide, narrow):
        return True
    nets = [ip_network(one) for one in wide]
    return bool(narrow) and all(
        any(_is_within(ip_network(one), net) for net in nets) for one in narrow
    )


def _is_within(narrow: Network, wide: Network) -> bool:
    if isinstance(narrow, IPv4Network) and isinstance(wide, IPv4Network):
        return narrow.subnet_of(wide)
    if isinstance(narrow, IPv6Network) and isinstance(wide, IPv6Network):
        return narrow.subnet_of(wide)
    return False


def _why(winner: Route, loser: Route) -> str:
    one, other = winner.rule, loser.rule
    if one.priority > other.priority:
        return f"takes all it could, with priority {one.priority} before {other.priority}"
    extras = ("methods", "conditions", "client_addresses", "sources")
    is_plain = not any(getattr(rule, name) for rule in (one, other) for name in extras)
    same = "the same host and path" if is_plain else "the same host, path and conditions"
    if loser.index == winner.index:
        return f"has {same}, and its name comes first"
    return f"has {same}, and it is older (index {winner.index} before {loser.index})"
