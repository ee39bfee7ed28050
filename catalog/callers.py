"""Callers that routes and tests name and Consul does not list: no request comes from them. Changes nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping

from .forms import Forms
from .model import Problem
from .policies.expectations import EDGE, RouteTest
from .policies.read import Written
from .routes import Route
from .suggestions import did_you_mean, nearest
from .text import quote

TOLD_MAX = 100
"""So many routes and lines are told; each name is compared with the whole catalog, and more are no typing mistakes."""


class CallerBook:
    """The warnings for all routes; looked at again where one that names callers changed, or the catalog did."""

    def __init__(self) -> None:
        self._routes: dict[str, Route] = {}
        """Those that name callers, by key."""
        self._catalog: tuple[str, ...] | None = None
        self._told: tuple[Problem, ...] = ()

    def update(
        self, forms: Forms, catalog: tuple[str, ...], *, is_known: bool
    ) -> tuple[Problem, ...]:
        """A warning for each route with a caller that does not exist. `is_known`: the catalog was read."""
        is_same = catalog == self._catalog
        self._catalog = catalog
        for key in forms.changed:
            form = forms.in_force.get(key)
            if form is not None and form.route.rule.sources:
                self._routes[key] = form.route
                is_same = False
            elif self._routes.pop(key, None) is not None:
                is_same = False
        if not is_known:
            # Nothing is told, and nothing kept: the same catalog may come as one that was read.
            self._catalog = None
            return ()
        if not is_same:
            there = frozenset((*catalog, EDGE))
            found = (_of_route(route, there, catalog) for route in self._routes.values())
            self._told = tuple(_first(problem for problem in found if problem is not None))
        return self._told


def caller_findings(
    tests: Mapping[str, Written[RouteTest]], catalog: tuple[str, ...], *, is_known: bool
) -> tuple[Problem, ...]:
    """A warning for each line of a test that asks as a service which does not exist."""
    if not is_known:
        return ()
    there = frozenset(catalog)
    return tuple(
        _first(
            _of_line(written, line.line, line.source, line.caller, catalog)
            for written in tests.values()
            for line in written.meaning.expectations
            if line.caller is not None and line.caller not in there
        )
    )


def _first(problems: Iterator[Problem]) -> Iterator[Problem]:
    for _, problem in zip(range(TOLD_MAX), problems, strict=False):
        yield problem


def _of_route(route: Route, there: Collection[str], catalog: tuple[str, ...]) -> Problem | None:
    unknown = [name for name in route.rule.sources if name not in there]
    if not unknown:
        return None
    near = nearest(unknown[0], catalog)
    names = " and none ".join(map(quote, unknown))
    is_all = len(unknown) == len(route.rule.sources)
    what = "this route takes no request" if is_all else f"from={unknown[0]} takes none"
    sentence = f"no service is called {names}: as long as that is so, {what}{did_you_mean(near)}"
    return Problem(route.key, route.index, "warning", sentence, suggestion=near)


def _of_line(
    written: Written[RouteTest], line: int, source: str, caller: str, catalog: tuple[str, ...]
) -> Problem:
    near = nearest(caller, catalog)
    sentence = f"no service is called {quote(caller)}: nobody asks so yet{did_you_mean(near)}"
    return Problem(
        written.key, written.index, "warning", sentence, line=line, source=source, suggestion=near
    )
