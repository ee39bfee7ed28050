"""What is worth knowing about routes in force and the services they lead to. Changes nothing."""

from __future__ import annotations

from collections.abc import Mapping

from .clusters import Cluster
from .forms import Form
from .model import Instance, Problem
from .rule import Split
from .suggestions import nearest
from .text import quote

SUGGESTIONS_MAX = 20
"""Unknown names compared with the whole catalog in one compile; more than that are no typing mistakes."""


def route_findings(
    in_force: Mapping[str, Form],
    clusters: Mapping[str, Cluster],
    catalog: tuple[str, ...],
    instances: Mapping[str, tuple[Instance, ...]],
) -> tuple[Problem, ...]:
    """A warning for each route that leads to a service which does not exist or has no usable instance.

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
        for service in form.services:
            if service not in unusable:
                continue
            if clusters[service].rendered.resource["exists"]:
                problems.append(_no_endpoint(form, service, clusters[service]))
                continue
            if service not in suggestions and len(suggestions) < SUGGESTIONS_MAX:
                suggestions[service] = nearest(service, catalog)
            problems.append(_unknown(form, service, suggestions.get(service), instances))
    return tuple(problems)


def _unknown(
    form: Form,
    service: str,
    suggestion: str | None,
    instances: Mapping[str, tuple[Instance, ...]],
) -> Problem:
    sentence = f"no service is called {quote(service)}: {_now(form, service)} 503 no_such_service"
    if suggestion:
        sentence += f'; did you mean "{suggestion}"'
        if (known := instances.get(suggestion)) is not None:
            sentence += f" ({sum(one.weight > 0 for one in known)} healthy)"
        sentence += "?"
    return _warning(form, sentence, suggestion)


def _no_endpoint(form: Form, service: str, cluster: Cluster) -> Problem:
    instances = cluster.rendered.resource["instances"]
    if instances == 0:
        state = "has no instance"
    else:
        why = "passes its checks" if cluster.is_unhealthy else "has a weight and an address to use"
        state = f"has {instances} instance{'s' if instances > 1 else ''}, none {why}"
    sentence = f"service {quote(service)} {state}: {_now(form, service)} 503 no_healthy_endpoint"
    return _warning(form, sentence, None)


def _now(form: Form, service: str) -> str:
    """Which requests feel it."""
    rule = form.route.rule
    where = f"{rule.host}{rule.path}"
    action = rule.action
    if isinstance(action, Split) and len(action.parts) > 1:
        share = dict(action.parts)[service]
        return f"{share}% of the requests to {where} now get"
    return f"requests to {where} now get"


def _warning(form: Form, sentence: str, suggestion: str | None) -> Problem:
    return Problem(form.route.key, form.route.index, "warning", sentence, suggestion=suggestion)
