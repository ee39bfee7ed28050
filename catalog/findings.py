"""What is worth knowing about routes in force and the services they lead to. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import filterfalse

from .clusters import Cluster
from .forms import Form, Forms
from .language.rule import Split
from .language.targets import Selector, selectors, service_of
from .model import Instance, Problem
from .subsets import chosen, values_of
from .suggestions import SUGGESTIONS_MAX, Suggestions, did_you_mean, nearest
from .text import quote
from .warned import OutByService, WarnedOut, told

LeadingTo = Callable[[str], Collection[str]]
"""The keys of the routes in force that lead to a cluster."""


@dataclass(frozen=True, slots=True)
class Ground:
    """What findings of routes stand on.

    `unusable` are the clusters without an endpoint, `catalog` has the names one may have meant, `instances` what is
    known of them, `warned` which of them a warning takes out.
    """

    clusters: Mapping[str, Cluster]
    unusable: frozenset[str]
    catalog: tuple[str, ...]
    instances: Mapping[str, tuple[Instance, ...]]
    warned: OutByService


@dataclass(frozen=True, slots=True)
class _Fault:
    """What is wrong with a cluster: what it is, how requests are answered by it, the end of its sentence, what was meant."""

    sentence: str
    reason: str
    end: str = ""
    suggestion: str | None = None

    def problem(self, form: Form, target: str) -> Problem:
        """As a route feels it that leads there by this target."""
        sentence = f"{self.sentence}: {_now(form, target)} 503 {self.reason}{self.end}"
        route = form.route
        return Problem(route.key, route.index, "warning", sentence, suggestion=self.suggestion)


class FindingsBook:
    """The warnings for all routes; where the ground is the same, only routes that changed are looked at."""

    def __init__(self) -> None:
        self._ground: Ground | None = None
        self._near = Suggestions()
        self._suggestions: Mapping[str, str | None] = {}
        self._faults: dict[str, _Fault] = {}
        """What is wrong with a cluster, found out once for all routes that lead to it."""
        self._problems: dict[str, tuple[Problem, ...]] = {}

    def update(self, forms: Forms, leading_to: LeadingTo, ground: Ground) -> tuple[Problem, ...]:
        """A warning for each route that leads to a service or subset which does not exist or has no usable instance."""
        suggestions = self._near.update(_unknown_services(leading_to, ground), ground.catalog)
        is_same = ground == self._ground and suggestions == self._suggestions
        if not is_same:
            self._problems.clear()
            self._faults.clear()
        self._ground, self._suggestions = ground, suggestions
        forms_of = (leading_to(name) for name in ground.unusable) if not is_same else ()
        for key in forms.changed if is_same else {key for keys in forms_of for key in keys}:
            form = forms.in_force.get(key)
            problems = tuple(self._of_route(form, ground)) if form else ()
            if problems:
                self._problems[key] = problems
            else:
                self._problems.pop(key, None)
        return tuple(problem for found in self._problems.values() for problem in found)

    def _of_route(self, form: Form, ground: Ground) -> Iterator[Problem]:
        unknown: set[str] = set()
        for target in form.targets:
            service = service_of(target)
            if target not in ground.unusable or service in unknown:
                continue
            if not _exists(ground, service):
                unknown.add(service)
            if (fault := self._faults.get(target)) is None:
                fault = self._faults[target] = _fault(target, ground, self._suggestions)
            yield fault.problem(form, target)


def _unknown_services(leading_to: LeadingTo, ground: Ground) -> tuple[str, ...]:
    """The services that routes lead to and nobody knows, so many as names are suggested for."""
    services = {service_of(target) for target in ground.unusable if leading_to(target)}
    return tuple(sorted(filterfalse(partial(_exists, ground), services))[:SUGGESTIONS_MAX])


def _exists(ground: Ground, service: str) -> bool:
    return bool(ground.clusters[service].rendered.resource["exists"])


def _fault(target: str, ground: Ground, suggestions: Mapping[str, str | None]) -> _Fault:
    service = service_of(target)
    if not _exists(ground, service):
        return _unknown(service, suggestions.get(service), ground.instances)
    if target != service and not ground.clusters[target].rendered.resource["instances"]:
        return _nothing_chosen(target, ground.instances.get(service, ()))
    return _no_endpoint(target, ground)


def _unknown(
    service: str, suggestion: str | None, instances: Mapping[str, tuple[Instance, ...]]
) -> _Fault:
    meant = ""
    if suggestion:
        meant = f'; did you mean "{suggestion}"'
        if (known := instances.get(suggestion)) is not None:
            meant += f" ({sum(one.weight > 0 for one in known)} healthy)"
        meant += "?"
    sentence = f"no service is called {quote(service)}"
    return _Fault(sentence, "no_such_service", meant, suggestion)


def _nothing_chosen(target: str, instances: tuple[Instance, ...]) -> _Fault:
    """No instance is in the subset: what they have instead."""
    service, wanted = service_of(target), selectors(target)
    lacking = [one for one in wanted if one.value not in values_of(one, instances)]
    suggestion = None
    what = " and ".join(str(one) for one in lacking or wanted)
    if lacking and (near := nearest(lacking[0].value, values_of(lacking[0], instances))):
        suggestion = target.replace(str(lacking[0]), str(Selector(lacking[0].name, near)))
    sentence = f"no instance of {quote(service)} has {what}"
    return _Fault(sentence, "no_healthy_endpoint", did_you_mean(suggestion), suggestion)


def _no_endpoint(target: str, ground: Ground) -> _Fault:
    cluster = ground.clusters[target]
    instances = cluster.rendered.resource["instances"]
    if instances == 0:
        state = "has no instance"
    else:
        if cluster.is_unhealthy:
            why = "none passes its checks"
        elif out := _warned(target, ground):
            are_out = "all out" if instances > 1 else "out"
            why = f"{are_out}: {told(out, instances - len(out))}"
        else:
            why = "none has a weight and an address to use"
        state = f"has {instances} instance{'s' if instances > 1 else ''}, {why}"
    what = "service" if service_of(target) == target else "subset"
    return _Fault(f"{what} {quote(target)} {state}", "no_healthy_endpoint")


def _warned(target: str, ground: Ground) -> list[WarnedOut]:
    """Those of its instances that a warning takes out."""
    service = service_of(target)
    mine = {(one.node, one.id) for one in chosen(target, ground.instances.get(service, ()))}
    return [one for one in ground.warned.get(service, ()) if (one.node, one.id) in mine]


def _now(form: Form, target: str) -> str:
    """Which requests feel it."""
    rule = form.route.rule
    where = rule.pattern
    action = rule.action
    if isinstance(action, Split) and len(action.parts) > 1:
        share = dict(action.parts)[target]
        return f"{share}% of the requests to {where} now get"
    return f"requests to {where} now get"
