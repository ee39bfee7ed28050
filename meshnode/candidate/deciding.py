"""Which keys lose where a change breaks a route test, until nothing that is tested is broken. Asks through its askers alone.

Of the route that decides the broken expectation now, the one that decided it in the table accepted last, and the test
itself, the one with the highest ModifyIndex loses. What was accepted already is no change: a route like that cannot
lose, a test only where no route can; it falls back to its lines from before, then to none. So each loses once, and a
change of something else decides nothing anew. Of a test that was in force and has none of its lines left it is kept
what ended that, as long as it stands so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from catalog import Compiled, Form, Problem, Refusal, RouteTest, Snapshot, Written

from .asking import Answer
from .expected import Asking, Broken, askings, broken

TESTS = "mesh/tests/"
GIVE_BACK_MAX = 64
"""Each costs a compile and a question, at every change as long as it is refused; more at once is one mistake made everywhere."""
Tests = Mapping[str, Written[RouteTest]]
UNDECIDED = "it held before, and no route of it changed: look at intentions, at policies and at what is registered"


@dataclass(frozen=True, slots=True)
class Fallen:
    """A test that was in force as it stood at `index`, until the key `by` was deleted; empty: by what nobody knows."""

    index: int
    by: str


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was in force when the tests were judged last. `is_known` is False where nobody can say what was.

    `fallen` are the tests that stand, were in force, and gate nothing any more. `are_tests_judged` is False where nobody
    knows of `tests` that they held.
    """

    forms: Mapping[str, Form] = field(default_factory=dict)
    tests: Tests = field(default_factory=dict)
    table: Snapshot | None = None
    is_known: bool = False
    fallen: Mapping[str, Fallen] = field(default_factory=dict)
    are_tests_judged: bool = True

    @classmethod
    def of(cls, compiled: Compiled, tests: Tests | None = None) -> Accepted:
        """A table with the tests that gate it; left out, all it was compiled with."""
        good = compiled.last_good
        tests = good.policies.tests if tests is None else tests
        return cls(good.forms, tests, table_of(compiled), is_known=True)

    def remembering(self, other: Accepted | None) -> Accepted:
        """With the fallen tests that another one knows of."""
        if other is None or not other.fallen:
            return self
        return replace(self, fallen={**other.fallen, **self.fallen})


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
        judge.take(list(zip(found, routes, strict=True)))
    await judge.give_back()
    now = replace(Accepted.of(judge.compiled, judge.tests), fallen=judge.fallen)
    return Decided(judge.compiled, now, judge.refused)


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

    def take(self, found: Sequence[tuple[Broken, str | None]]) -> None:
        """Refuses who loses by these expectations, each with the key of the route that decided it before.

        Tests lose one by one, and what routes lost until then they may have lost in vain: that begins again. First one
        that was not accepted before either, and of those the oldest, by which newer keys were judged already.
        """
        lost_tests: list[tuple[Broken, str | None]] = []
        for one, route_before in found:
            key = self._loser(one, route_before)
            if key == one.asking.key:
                lost_tests.append((one, route_before))
            elif key is not None:
                form = self.compiled.last_good.forms[key]
                refusal = _of_route(form, one, self._accepted.forms.get(key))
                self._losses[key] = _Loss(one, refusal)
        if lost_tests:
            one, route_before = min(lost_tests, key=lambda lost: self._standing(lost[0]))
            refusal = self._of_test(one, route_before)
            tests = {key: loss for key, loss in self._losses.items() if key.startswith(TESTS)}
            self._losses = {**tests, one.asking.key: _Loss(one, refusal)}
        self.compile_again()

    def _loser(self, found: Broken, route_before: str | None) -> str | None:
        """None where a route that lost just now may have been all there was to it."""
        test = found.asking
        routes = {key for key in (found.route_key, route_before) if key and self._is_new(key)}
        if routes & self._losses.keys():
            return None
        forms = self.compiled.last_good.forms
        # Of one transaction's keys the route that decides now is the likeliest, the test the least.
        candidates = [(forms[key].route.index, 1 + (key == found.route_key), key) for key in routes]
        if not routes or not self._is_accepted(found):
            candidates.append((test.index, 0, test.key))
        return max(candidates)[2]

    def _is_accepted(self, found: Broken) -> bool:
        accepted = self._accepted.tests.get(found.asking.key)
        return accepted is not None and accepted.index == found.asking.index

    def _standing(self, found: Broken) -> tuple[bool, int, str, int]:
        test = found.asking
        return self._is_accepted(found), test.index, test.key, test.expectation.line

    async def give_back(self) -> None:
        """What lost before others did, and need not have, comes back if no test that gates minds: routes, then tests.

        The oldest first, and once more as long as anything does.
        """
        is_done = len(self._losses) < 2
        while not is_done:
            tried = sorted(self._losses, key=self._age)[:GIVE_BACK_MAX]
            is_done = not [key for key in tried if await self._comes_back(key)]

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

    @property
    def fallen(self) -> Mapping[str, Fallen]:
        problems = {key: loss.refusal.problem for key, loss in self._losses.items()}
        return {
            key: Fallen(one.index, one.ended_by)
            for key, one in problems.items()
            if one.ended_by is not None
        }

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

    def _of_test(self, found: Broken, route_before: str | None) -> Refusal:
        key, index = found.asking.key, found.asking.index
        last, before = self._accepted.tests.get(key), self._losses.get(key)
        problem = found.problem if before is None else before.refusal.problem
        if before is None and last is not None and last.index != index:
            self.tests[key] = last
            return Refusal(replace(problem, serving_index=last.index))
        del self.tests[key]
        by = None if before is not None else self._ended_by(found, route_before)
        if by is None:
            return Refusal(replace(problem, serving_index=None))
        since = f"it held until {by} was deleted" if by else UNDECIDED
        return Refusal(replace(problem, message=f"{problem.message}; {since}", ended_by=by))

    def _ended_by(self, found: Broken, route_before: str | None) -> str | None:
        """What ended that the test is in force as it stands; None where it never was."""
        fallen = self._accepted.fallen.get(found.asking.key)
        if fallen is not None and fallen.index == found.asking.index:
            return fallen.by
        if not (self._is_accepted(found) and self._accepted.are_tests_judged):
            return None
        return route_before if route_before is not None and self._is_gone(route_before) else ""

    def _is_gone(self, key: str) -> bool:
        """Whether no such key stands. A route that nobody wrote has the key of the policy or settings it is made of."""
        good = self.compiled.last_good
        return key not in good.forms and key not in good.policies.parsed


def _route(answer: Answer) -> str | None:
    route = answer.get("route")
    return None if route is None else str(route["key"])


def _of_route(form: Form, found: Broken, last: Form | None) -> Refusal:
    test = found.asking
    sentence = f"{test.key} line {test.expectation.line} would break: {found.sentence}"
    route = form.route
    serving = None if last is None else last.route.index
    return Refusal(Problem(route.key, route.index, "error", sentence, serving_index=serving), last)
