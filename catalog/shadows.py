"""Routes that never match, because another takes all they could: with the winner and why. Changes nothing, sees no request.

Only what can be proven from the rules: the same conditions, or fewer of them at a higher priority.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network

from .forms import Form
from .language.rule import Rule
from .model import Problem
from .routes import Route, age

Network = IPv4Network | IPv6Network
_Place = tuple[str, str, str]
"""Host, path and the path's kind."""


def shadowed(in_force: Mapping[str, Form]) -> tuple[Problem, ...]:
    """A warning for each route that never matches, on some of its hosts or on all."""
    places: dict[_Place, list[Route]] = {}
    for form in in_force.values():
        rule = form.route.rule
        for host in rule.hosts:
            places.setdefault((host, rule.path, rule.path_kind), []).append(form.route)
    has_priorities = any(form.route.rule.priority for form in in_force.values())
    if not has_priorities:
        suspects = {
            route.key: route for routes in places.values() if len(routes) > 1 for route in routes
        }
    else:
        suspects = {form.route.key: form.route for form in in_force.values()}
    found = (_shadow(route, places, has_priorities=has_priorities) for route in suspects.values())
    return tuple(problem for problem in found if problem)


def _shadow(
    loser: Route, places: Mapping[_Place, list[Route]], *, has_priorities: bool
) -> Problem | None:
    winners: dict[str, Route] = {}
    for host in loser.rule.hosts:
        around = _around(host, loser.rule) if has_priorities else _same(host, loser.rule)
        better = [
            route
            for place in around
            for route in places.get(place, ())
            if _wins(route, loser, same_host=place[0] == host)
        ]
        if better:
            winners[host] = min(better, key=lambda one: (-one.rule.priority, age(one)))
    if not winners:
        return None
    winner = next(iter(winners.values()))
    where = "" if len(winners) == len(loser.rule.hosts) else f" for {', '.join(winners)}"
    sentence = f"this route never matches{where}: {winner.key} {_why(winner, loser)}"
    return Problem(loser.key, loser.index, "warning", sentence)


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
        and _holds_networks(one.client_addresses, other.client_addresses)
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


def _holds_networks(wide: tuple[str, ...], narrow: tuple[str, ...]) -> bool:
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
