"""Callers that routes and tests name and Consul does not list: no request comes from them. Changes nothing."""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping
from itertools import islice

from .forms import Form, Forms
from .model import Problem
from .policies.expectations import EDGE, Expectation, RouteTest
from .policies.read import Written
from .routes import Route
from .suggestions import Suggestions, did_you_mean
from .text import quote

TOLD_MAX = 100
"""So many routes are told, by key, and so many lines of tests: no status document takes more of both."""

Tests = Mapping[str, Written[RouteTest]]
Line = tuple[Written[RouteTest], Expectation, str]
"""A line of a test with the caller it names."""


class CallerBook:
    """The warnings for all routes and tests; of routes those are judged that changed, or whose callers came or went."""

    def __init__(self) -> None:
        self._catalog: tuple[str, ...] = ()
        self._there = frozenset((EDGE,))
        self._routes: dict[str, Route] = {}
        """Those that name callers, by key."""
        self._naming: dict[str, set[str]] = {}
        """Caller → keys of the routes that name it."""
        self._unknown: dict[str, tuple[str, ...]] = {}
        """A route's key → those of its callers that do not exist, if there are any."""
        self._keys: list[str] = []
        """The same keys, sorted: which ones are told does not depend on what came first."""
        self._tests: Tests = {}
        self._suggestions = Suggestions()
        self._told: tuple[Problem, ...] | None = None
        """None: what it is made of has changed."""

    def update(
        self, forms: Forms, tests: Tests, catalog: tuple[str, ...], *, is_known: bool
    ) -> tuple[Problem, ...]:
        """A warning for each route and each line of a test with a caller that does not exist. `is_known`: the catalog was read."""
        again = set(forms.changed)
        if is_known and catalog != self._catalog:
            again |= self._see(catalog)
        for key in sorted(again):
            self._judge(key, forms.in_force.get(key))
        if tests != self._tests:
            self._told = None
        self._tests = tests
        if not is_known:
            return ()
        if self._told is None:
            self._told = self._tell()
        return self._told

    def _see(self, catalog: tuple[str, ...]) -> set[str]:
        """Looks at another catalog: the routes that name a caller who came or went."""
        there = frozenset((*catalog, EDGE))
        changed = (there ^ self._there) & self._naming.keys()
        self._catalog, self._there, self._told = catalog, there, None
        return {key for name in changed for key in self._naming[name]}

    def _judge(self, key: str, form: Form | None) -> None:
        old = self._routes.pop(key, None)
        for name in old.rule.sources if old else ():
            self._naming[name].discard(key)
            if not self._naming[name]:
                del self._naming[name]
        unknown: tuple[str, ...] = ()
        if form is not None and form.route.rule.sources:
            sources = form.route.rule.sources
            self._routes[key] = form.route
            for name in sources:
                self._naming.setdefault(name, set()).add(key)
            unknown = tuple(name for name in sources if name not in self._there)
        if unknown or key in self._unknown:
            self._keep(key, unknown)

    def _keep(self, key: str, unknown: tuple[str, ...]) -> None:
        self._told = None
        if not unknown:
            del self._unknown[key]
            del self._keys[bisect_left(self._keys, key)]
            return
        if key not in self._unknown:
            insort(self._keys, key)
        self._unknown[key] = unknown

    def _tell(self) -> tuple[Problem, ...]:
        """Suggestions are for those who are told, the routes' callers first."""
        routes = self._keys[:TOLD_MAX]
        lines = tuple(islice(self._lines(), TOLD_MAX))
        names = (*(self._unknown[key][0] for key in routes), *(caller for _, _, caller in lines))
        near = self._suggestions.update(names, self._catalog)
        return (
            *(_of_route(self._routes[key], self._unknown[key], near) for key in routes),
            *(_of_line(written, line, caller, near) for written, line, caller in lines),
        )

    def _lines(self) -> Iterator[Line]:
        for written in self._tests.values():
            for line in written.meaning.expectations:
                if line.caller is not None and line.caller not in self._there:
                    yield written, line, line.caller


def _of_route(route: Route, unknown: tuple[str, ...], near: Mapping[str, str | None]) -> Problem:
    suggestion = near.get(unknown[0])
    names = " and none ".join(map(quote, unknown))
    is_all = len(unknown) == len(route.rule.sources)
    what = "this route takes no request" if is_all else f"from={unknown[0]} takes none"
    sentence = f"no service is called {names}: as long as that is so, {what}"
    sentence += did_you_mean(suggestion)
    return Problem(route.key, route.index, "warning", sentence, suggestion=suggestion)


def _of_line(
    written: Written[RouteTest], line: Expectation, caller: str, near: Mapping[str, str | None]
) -> Problem:
    suggestion = near.get(caller)
    sentence = f"no service is called {quote(caller)}: nobody asks so yet{did_you_mean(suggestion)}"
    return Problem(
        written.key, written.index, "warning", sentence, line=line.line, source=line.source, suggestion=suggestion,
    )  # fmt: skip
