"""Which keys lose where a change breaks a route test, until nothing that is tested is broken. Asks through its askers alone.

Of the route that decides the broken expectation now, the one that decided it in the table accepted last, and the test
itself, the one with the highest ModifyIndex loses. What was accepted already is no change: a route like that cannot
lose, a test only where no route can; it falls back to its lines from before, then to none. So each loses once, and a
change of something else decides nothing anew.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from catalog import Compiled, Form, Problem, Refusal, RouteTest, Snapshot, Written

from .asking import Answer
from .expected import Asking, Broken, askings, broken

TESTS = "mesh/tests/"
Tests = Mapping[str, Written[RouteTest]]


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was in force when the tests were judged last. `is_known` is False where nobody can say what was."""

    forms: Mapping[str, Form] = field(default_factory=dict)
    tests: Tests = field(default_factory=dict)
    table: Snapshot | None = None
    is_known: bool = False

    @classmethod
    def of(cls, compiled: Compiled, tests: Tests | None = None) -> Accepted:
        """A table with the tests that gate it; left out, all it was compiled with."""
        good = compiled.last_good
        tests = good.policies.tests if tests is None else tests
        return cls(good.forms, tests, table_of(compiled), is_known=True)


@dataclass(frozen=True, slots=True)
class Bench:
    """Whom a decision asks: `ask` what becomes of requests by a table, `compile_again` the same state with keys refused."""

    ask: Callable[[Snapshot, Sequence[Asking]], Awaitable[Sequence[Answer]]]
    compile_again: Callable[[Mapping[str, Refusal]], Compiled]


@dataclass(frozen=True, slots=True)
class Decided:
    """The table that may come into force, and what it is to be compared with the next time."""

    compiled: Compiled
    accepted: Accepted
    refused: Mapping[str, Refusal]


@dataclass(frozen=True, slots=True)
class _Loss:
    """What a key lost, and by which expectation."""

    by: Broken
    refusal: Refusal


async def decide(
    compiled: Compiled, accepted: Accepted, bench: Bench, new_keys: Collection[str] = ()
) -> Decided:
    """`compiled` has nothing refused by a test; `new_keys` are those known to have had no other value before.

    Raises what the bench raises.
    """
    judge = _Judge(compiled, accepted, bench, new_keys)
    while found := await judge.broken():
        routes: list[str | None] = [None] * len(found)
        if accepted.table is not None:
            before = await bench.ask(accepted.table, [one.asking for one in found])
            routes = [_route(answer) for answer in before]
        for one, route_before in zip(found, routes, strict=True):
            judge.take(one, route_before)
        judge.compile_again()
    await judge.give_back()
    return Decided(judge.compiled, Accepted.of(judge.compiled, judge.tests), judge.refused)


def table_of(compiled: Compiled) -> Snapshot:
    """What a proxy would be sent; its generation is for who asks to give."""
    return Snapshot(0, compiled.digest, compiled.resources, compiled.changed)


class _Judge:
    """One decision as it stands: the table, the tests that gate it, and what was lost so far."""

    def __init__(
        self, compiled: Compiled, accepted: Accepted, bench: Bench, new_keys: Collection[str]
    ) -> None:
        self.compiled = compiled
        self._as_written = compiled.last_good.policies.tests
        self.tests = dict(self._as_written)
        self._accepted = accepted
        self._bench = bench
        self._new_keys = new_keys
        self._losses: dict[str, _Loss] = {}

    async def broken(self) -> list[Broken]:
        asked = askings(self.tests)
        if not asked:
            return []
        return list(broken(asked, await self._bench.ask(table_of(self.compiled), asked)))

    def take(self, found: Broken, route_before: str | None) -> None:
        """Refuses whoever loses by this expectation; nobody where one that lost just now may have been all there was to it."""
        test = found.asking
        known = self.tests.get(test.key)
        routes = {key for key in (found.route_key, route_before) if key and self._is_new(key)}
        if known is None or known.index != test.index or routes & self._losses.keys():
            return
        forms = self.compiled.last_good.forms
        candidates = [(forms[key].route.index, True, key) for key in routes]
        accepted = self._accepted.tests.get(test.key)
        if not routes or accepted is None or accepted.index != test.index:
            candidates.append((test.index, False, test.key))
        _, is_route, key = max(candidates)
        if is_route:
            refusal = _of_route(forms[key], found, self._accepted.forms.get(key))
        else:
            refusal = self._of_test(found)
        self._losses[key] = _Loss(found, refusal)

    async def give_back(self) -> None:
        """What lost before others did, and need not have: each comes back, oldest first, if no test that gates minds.

        First routes that lost by a test which then lost as well; then tests, which may hold now that others lost.
        """
        tests = {key for key in self._losses if key.startswith(TESTS)}
        if len(tests) in (0, len(self._losses)):
            return
        is_done = False
        while not is_done:
            tried = [key for key in self._losses if self._losses[key].by.asking.key in self._losses]
            came = [key for key in sorted(tried, key=self._age) if await self._comes_back(key)]
            is_done = not came

    async def _comes_back(self, key: str) -> bool:
        loss, tested = self._losses.pop(key), dict(self.tests)
        if key.startswith(TESTS):
            self.tests[key] = self._as_written[key]
        self.compile_again()
        if not await self.broken():
            return True
        self._losses[key], self.tests = loss, tested
        self.compile_again()
        return False

    def _age(self, key: str) -> tuple[bool, int, str]:
        return key.startswith(TESTS), self._losses[key].refusal.problem.index, key

    @property
    def refused(self) -> Mapping[str, Refusal]:
        return {key: loss.refusal for key, loss in sorted(self._losses.items())}

    def compile_again(self) -> None:
        self.compiled = self._bench.compile_again(self.refused)

    def _is_new(self, key: str) -> bool:
        """Whether the route's form is not what was accepted, and it is known what was."""
        form = self.compiled.last_good.forms.get(key)
        if form is None:
            return False
        last = self._accepted.forms.get(key)
        if last is None:
            return self._accepted.is_known or key in self._new_keys
        return last.route.index != form.route.index

    def _of_test(self, found: Broken) -> Refusal:
        key, index = found.asking.key, found.asking.index
        last, before = self._accepted.tests.get(key), self._losses.get(key)
        problem = found.problem if before is None else before.refusal.problem
        if before is None and last is not None and last.index != index:
            self.tests[key] = last
            return Refusal(replace(problem, serving_index=last.index))
        del self.tests[key]
        return Refusal(replace(problem, serving_index=None))


def _route(answer: Answer) -> str | None:
    route = answer.get("route")
    return None if route is None else str(route["key"])


def _of_route(form: Form, found: Broken, last: Form | None) -> Refusal:
    test = found.asking
    sentence = f"{test.key} line {test.expectation.line} would break: {found.sentence}"
    route = form.route
    serving = None if last is None else last.route.index
    return Refusal(Problem(route.key, route.index, "error", sentence, serving_index=serving), last)
