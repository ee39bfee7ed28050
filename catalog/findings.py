"""What is worth knowing about routes in force and the services they lead to. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from .clusters import Cluster
from .forms import Form
from .language.rule import Split
from .language.targets import Selector, selectors, service_of
from .model import Instance, Problem
from .subsets import values_of
from .suggestions import did_you_mean, nearest
from .text import quote

SUGGESTIONS_MAX = 20
"""Unknown names compared with the whole catalog in one compile; more than that are no typing mistakes."""


def route_findings(
    in_force: Mapping[str, Form],
    clusters: Mapping[str, Cluster],
    catalog: tuple[str, ...],
    instances: Mapping[str, tuple[Instance, ...]],
) -> tuple[Problem, ...]:
    """A warning for each route that leads to a service or subset which does not exist or has no usable instance.

    `catalog` has the names one may have meant, `instances` what is known of them.
    """
    unusable = {
        service for service, found in clusters.items() if not found.rendered.resource["endpoints"]
    }
    if not unusable:
        return ()
    suggestions: dict[str, str | None] = {}
    problems = []
    for form in in_force.values():
        unknown: set[str] = set()
        for target in form.targets:
            service = service_of(target)
            if target not in unusable or service in unknown:
                continue
            if not clusters[service].rendered.resource["exists"]:
                unknown.add(service)
                if service not in suggestions and len(suggestions) < SUGGESTIONS_MAX:
                    suggestions[service] = nearest(service, catalog)
                problems.append(_unknown(form, target, suggestions.get(service), instances))
            elif target != service and not clusters[target].rendered.resource["instances"]:
                problems.append(_nothing_chosen(form, target, instances.get(service, ())))
            else:
                problems.append(_no_endpoint(form, target, clusters[target]))
    return tuple(problems)


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


def _no_endpoint(form: Form, target: str, cluster: Cluster) -> Problem:
    instances = cluster.rendered.resource["instances"]
    if instances == 0:
        state = "has no instance"
    else:
        why = "passes its checks" if cluster.is_unhealthy else "has a weight and an address to use"
        state = f"has {instances} instance{'s' if instances > 1 else ''}, none {why}"
    what = "service" if service_of(target) == target else "subset"
    sentence = f"{what} {quote(target)} {state}: {_now(form, target)} 503 no_healthy_endpoint"
    return _warning(form, sentence, None)


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
