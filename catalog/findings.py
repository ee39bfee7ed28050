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
from .suggestions import did_you_mean, nearest
from .text import quote
from .warned import OutByService, WarnedOut, told

LeadingTo = Callable[[str], Collection[str]]
"""The keys of the routes in force that lead to a cluster."""

SUGGESTIONS_MAX = 20
"""Unknown names compared with the whole catalog in one compile; more than that are no typing mistakes."""


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


class FindingsBook:
    """The warnings for all routes; where the ground is the same, only routes that changed are looked at."""

    def __init__(self) -> None:
        self._ground: Ground | None = None
        self._suggestions: Mapping[str, str | None] = {}
        self._problems: dict[str, tuple[Problem, ...]] = {}

    def update(self, forms: Forms, leading_to: LeadingTo, ground: Ground) -> tuple[Problem, ...]:
        """A warning for each route that leads to a service or subset which does not exist or has no usable instance."""
        unknown = _unknown_services(leading_to, ground)
        is_same = ground == self._ground and unknown == tuple(self._suggestions)
        if not is_same:
            self._suggestions = {service: nearest(service, ground.catalog) for service in unknown}
            self._problems.clear()
        self._ground = ground
        forms_of = (leading_to(name) for name in ground.unusable) if not is_same else ()
        for key in forms.changed if is_same else {key for keys in forms_of for key in keys}:
            form = forms.in_force.get(key)
            problems = tuple(_of_route(form, ground, self._suggestions)) if form else ()
            if problems:
                self._problems[key] = problems
            else:
                self._problems.pop(key, None)
        return tuple(problem for found in self._problems.values() for problem in found)


def _unknown_services(leading_to: LeadingTo, ground: Ground) -> tuple[str, ...]:
    """The services that routes lead to and nobody knows, so many as names are suggested for."""
    services = {service_of(target) for target in ground.unusable if leading_to(target)}
    return tuple(sorted(filterfalse(partial(_exists, ground), services))[:SUGGESTIONS_MAX])


def _exists(ground: Ground, service: str) -> bool:
    return bool(ground.clusters[service].rendered.resource["exists"])


def _of_route(
    form: Form, ground: Ground, suggestions: Mapping[str, str | None]
) -> Iterator[Problem]:
    unknown: set[str] = set()
    for target in form.targets:
        service = service_of(target)
        if target not in ground.unusable or service in unknown:
            continue
        if not _exists(ground, service):
            unknown.add(service)
            yield _unknown(form, target, suggestions.get(service), ground.instances)
        elif target != service and not ground.clusters[target].rendered.resource["instances"]:
            yield _nothing_chosen(form, target, ground.instances.get(service, ()))
        else:
            yield _no_endpoint(form, target, ground)


def _unknown(
    form: Form,
    target: str,
    suggestion: str | None,
    instances: Mapping[str, tuple[Instance, ...]],
) -> Problem:
    service = service_of(target)
    sentence = f"no service is called {quote(service)}: {_now(form, target)} 503 no_such_service"
    if suggestion:
        sentence += f'; did you mean "{suggestion}"'
        if (known := instances.get(suggestion)) is not None:
            sentence += f" ({sum(one.weight > 0 for one in known)} healthy)"
        sentence += "?"
    return _warning(form, sentence, suggestion)


def _nothing_chosen(form: Form, target: str, instances: tuple[Instance, ...]) -> Problem:
    """No instance is in the subset: what they have instead."""
    service, wanted = service_of(target), selectors(target)
    lacking = [one for one in wanted if one.value not in values_of(one, instances)]
    suggestion = None
    what = " and ".join(str(one) for one in lacking or wanted)
    sentence = (
        f"no instance of {quote(service)} has {what}: {_now(form, target)} 503 no_healthy_endpoint"
    )
    if lacking and (near := nearest(lacking[0].value, values_of(lacking[0], instances))):
        suggestion = target.replace(str(lacking[0]), str(Selector(lacking[0].name, near)))
        sentence += did_you_mean(suggestion)
    return _warning(form, sentence, suggestion)


def _no_endpoint(form: Form, target: str, ground: Ground) -> Problem:
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
    sentence = f"{what} {quote(target)} {state}: {_now(form, target)} 503 no_healthy_endpoint"
    return _warning(form, sentence, None)


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


def _warning(form: Form, sentence: str, suggestion: str | None) -> Problem:
    return Problem(form.route.key, form.route.index, "warning", sentence, suggestion=suggestion)
