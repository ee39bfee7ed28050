"""Drains that name no instance there is: said, as whoever stops a program by a mistyped name cuts its requests off. Reads no keys."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from .model import Instance, Problem
from .policed import DrainedEndpoint
from .policies.drains import Drain
from .policies.read import Written
from .suggestions import did_you_mean, nearest
from .text import quote


def drain_findings(
    drains: Mapping[str, Written[Drain]],
    drained: Collection[DrainedEndpoint],
    instances: Mapping[str, tuple[Instance, ...]],
    catalog: frozenset[str],
) -> tuple[Problem, ...]:
    """A warning for each drain that takes nothing, where that is sure; `drained` is what they take.

    `catalog` are the services there are, empty while that is not known. A node knows the instances of the services it may lead to: of a drain that names no service, only where these are all.
    """
    if not catalog:
        return ()
    taking = {one.key for one in drained}
    found = []
    for key, one in drains.items():
        if key in taking:
            continue
        if (service := one.meaning.service) is None:
            if not catalog <= instances.keys():
                continue
            known = [each for name in catalog for each in instances[name]]
        elif service not in catalog:
            found.append(_problem(one, f"no service is called {quote(service)}", service, catalog))
            continue
        elif service in instances:
            known = list(instances[service])
        else:
            continue
        found.append(_of_instance(one, known))
    return tuple(found)


def _of_instance(one: Written[Drain], known: list[Instance]) -> Problem:
    drain = one.meaning
    of = f" of {quote(drain.service)}" if drain.service else ""
    if places := sorted({each.node for each in known if each.id == drain.instance}):
        sentence = f"{quote(drain.instance)}{of} is on {', '.join(places)}, not on {quote(drain.node or '')}"
        return _problem(one, sentence, drain.node or "", places)
    sentence = f"no instance{of} is called {quote(drain.instance)}"
    return _problem(one, sentence, drain.instance, (each.id for each in known))


def _problem(one: Written[Drain], sentence: str, word: str, right: Iterable[str]) -> Problem:
    near = nearest(word, right)
    said = f"{sentence}, so nothing is drained{did_you_mean(near)}"
    return Problem(one.key, one.index, "warning", said, suggestion=near)
