"""Which key loses where a test breaks, and that every node says the same: whatever it saw, and in which order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import (
    Compiled,
    Compiler,
    History,
    InstancesUpdate,
    KeyChange,
    KvEntry,
    KvUpdate,
    LocalServicesUpdate,
    Past,
    PastKeys,
    Refusal,
    Revision,
    Snapshot,
    State,
    Value,
)
from meshnode.candidate.deciding import Accepted, Bench, Decided, decide, table_of
from meshnode.candidate.expected import Asking, askings, broken, request_of
from meshnode.candidate.replaying import Workshop, accepted_before
from tests.support.catalog import FACTS, instance

from ..fake_proxy import explained

Op = tuple[str, str | None]
"""A name below mesh/ and its new value, None to delete it."""
Outcome = tuple[dict[str, int], dict[str, tuple[int, int | None]]]
"""The index of each route in force, and of what is refused the index with that of what serves in its place."""

SWEPT = tuple(InstancesUpdate(name, (), 1) for name in ("cart", "shop"))


async def ask(table: Snapshot, asked: Sequence[Asking]) -> Sequence[Mapping[str, Any]]:
    routes = list(table.resources["routes"].items())
    return [explained(routes, request_of(one.expectation)) for one in asked]


class Node:
    """Compiles and decides as an agent does, with history to hand at once."""

    def __init__(self) -> None:
        self.compiler = Compiler()
        self.state = State()
        for update in SWEPT:
            self.state = self.state.apply(update)
        self.accepted = Accepted(is_known=False)

    def compile(self, entries: tuple[KvEntry, ...], index: int) -> Compiled:
        self.state = self.state.apply(KvUpdate("mesh/", entries, index))
        return self.compiler.compile(self.state, FACTS)

    def compile_again(self, refused: Mapping[str, Refusal]) -> Compiled:
        return self.compiler.compile(self.state, FACTS, refused)

    async def see(self, entries: tuple[KvEntry, ...], history: History, index: int) -> Decided:
        bench = Bench(ask, self.compile_again)
        found = await decide(self.compile(entries, index), self.accepted, bench)
        if found.refused:
            past = await accepted_before(PastKeys(history, entries), workshop(index))
            assert past is not None
            found = await decide(self.compile_again({}), past, bench)
        self.accepted = found.accepted
        return found


def workshop(index: int) -> Workshop:
    scratch = Node()

    async def compile_keys(entries: tuple[KvEntry, ...]) -> Compiled:
        scratch.state = State()
        for update in SWEPT:
            scratch.state = scratch.state.apply(update)
        return scratch.compile(entries, index)

    return Workshop(compile_keys, scratch.compile_again, ask)


class Kv:
    """Consul's KV and the history of it; each change is told by itself."""

    def __init__(self) -> None:
        self.index = 10
        self.keys: dict[str, KvEntry] = {}
        self.changes: list[Past] = []

    def transact(self, ops: Sequence[Op]) -> None:
        """All of them at one index."""
        self.index += 1
        for op in ops:
            self._do(op)

    def _do(self, op: Op) -> None:
        name, value = op
        key = f"mesh/{name}"
        old = self.keys.pop(key, None)
        if value is not None:
            made = old.create_index if old else self.index
            self.keys[key] = KvEntry(key, value.encode(), self.index, made)
        new = self.keys.get(key)
        if old or new:
            before, after = (None if one is None else Value.of(one) for one in (old, new))
            change = KeyChange(key, self.index, before, after)
            revision = Revision(f"{self.index:012d}", 0, "node-1", "node-1", (change,))
            self.changes.append(Past(change, revision))

    @property
    def entries(self) -> tuple[KvEntry, ...]:
        # One that no one touches: an emptied prefix is held back, which is another matter.
        standing = {**self.keys, "mesh/routes/zz": KvEntry("mesh/routes/zz", b"zz/ -> shop", 1, 1)}
        return tuple(one for _, one in sorted(standing.items()))

    @property
    def history(self) -> History:
        return History(tuple(self.changes))


def outcome(found: Decided) -> Outcome:
    routes = found.compiled.resources["routes"]
    refused = {
        key: (one.problem.index, one.problem.serving_index) for key, one in found.refused.items()
    }
    return {name: route["index"] for name, route in routes.items()}, refused


async def live(changes: Sequence[Sequence[Op]], seen: Sequence[bool]) -> Outcome:
    """A node that looked after each change where `seen` says so, and after the last."""
    kv, node = Kv(), Node()
    found = await node.see(kv.entries, kv.history, kv.index)
    for at, ops in enumerate(changes):
        kv.transact(ops)
        if at == len(changes) - 1 or seen[at]:
            found = await node.see(kv.entries, kv.history, kv.index)
    return outcome(found)


PATHS = ("s.test/", "s.test/a", "s.test/a/b")
OPS = st.one_of(
    st.tuples(
        st.sampled_from(["routes/a", "routes/b", "routes/c"]),
        st.one_of(
            st.none(),
            st.builds("{} -> {}".format, st.sampled_from(PATHS), st.sampled_from(["cart", "shop"])),
        ),
    ),
    st.tuples(
        st.sampled_from(["tests/x", "tests/y"]),
        st.one_of(
            st.none(),
            st.builds(
                "{} -> {}".format,
                st.sampled_from(PATHS),
                st.sampled_from(["cart", "shop", "404"]),
            ),
        ),
    ),
)


CHANGES = st.lists(
    st.lists(OPS, min_size=1, max_size=3, unique_by=lambda op: op[0]), min_size=1, max_size=12
)


@given(CHANGES, st.lists(st.booleans(), min_size=12, max_size=12))
async def test_all_nodes_decide_alike_whatever_they_saw(
    changes: list[list[Op]], seen: list[bool]
) -> None:
    """One sees every change, one some of them, one was started after the last."""
    every = await live(changes, [True] * 12)
    assert await live(changes, seen) == every
    assert await live(changes, [False] * 12) == every


@given(CHANGES)
async def test_a_change_of_something_else_decides_nothing_anew(changes: list[list[Op]]) -> None:
    routes, refused = await live(changes, [True] * 12)
    other: Op = ("routes/other", "other.test/ -> shop")
    assert await live([*changes, [other]], [True] * 13) == (
        {**routes, "other": 11 + len(changes)},
        refused,
    )


@given(CHANGES)
async def test_no_test_that_gates_is_broken(changes: list[list[Op]]) -> None:
    """And what was decided is decided again the same, without history."""
    kv, node = Kv(), Node()
    for ops in changes:
        kv.transact(ops)
        found = await node.see(kv.entries, kv.history, kv.index)
        asked = askings(found.accepted.tests)
        assert not list(broken(asked, await ask(table_of(found.compiled), asked)))
        again = await decide(node.compile_again({}), found.accepted, Bench(ask, node.compile_again))
        assert outcome(again) == outcome(found)


async def refused_by_an_intention(
    _: Snapshot, asked: Sequence[Asking]
) -> Sequence[Mapping[str, Any]]:
    own = {"status": 403, "reason": "denied"}
    return [{"route": None, "answer": own} for _ in asked]


async def test_a_test_that_no_route_broke_was_in_force_as_long_as_it_falls() -> None:
    """By an intention, of which history knows nothing: replayed it never held, and only who saw it knows better."""
    kv, node = Kv(), Node()
    kv.transact([("routes/a", "s.test/ -> shop"), ("tests/t", "s.test/ -> shop")])
    found = await node.see(kv.entries, kv.history, kv.index)
    assert found.refused == {}
    bench = Bench(refused_by_an_intention, node.compile_again)
    for accepted in (node.accepted, Accepted(is_known=True)):
        remembering = accepted.remembering(node.accepted)
        found = await decide(node.compile_again({}), remembering, bench)
        problem = found.refused["mesh/tests/t"].problem
        assert (problem.ended_by, problem.serving_index) == ("", None)
        assert "it held before, and no route of it changed" in problem.message
        node.accepted = found.accepted
    found = await decide(node.compile_again({}), node.accepted, Bench(ask, node.compile_again))
    assert (found.refused, found.accepted.fallen) == ({}, {})


async def denying(table: Snapshot, asked: Sequence[Asking]) -> Sequence[Mapping[str, Any]]:
    own = {"status": 403, "reason": "intention_denied"}
    return [{**answer, "answer": own} for answer in await ask(table, asked)]


@pytest.mark.parametrize("key", ["services/cart", "settings"])
async def test_a_policy_that_stands_is_not_said_to_be_deleted(key: str) -> None:
    """Calls to `cart.mesh` take a route that nobody wrote: it has the policy's key, and an intention let them through."""
    kv, node = Kv(), Node()
    node.state = node.state.apply(LocalServicesUpdate((instance("web"),)))
    kv.transact([(key, "timeout: 2s"), ("tests/t", "as web GET cart.mesh/ -> 403")])
    before = await decide(
        node.compile(kv.entries, kv.index), node.accepted, Bench(denying, node.compile_again)
    )
    assert before.refused == {}
    assert before.compiled.resources["routes"]["mesh:cart"]["key"] == f"mesh/{key}"
    bench = Bench(ask, node.compile_again)
    found = await decide(node.compile_again({}), before.accepted, bench)
    problem = found.refused["mesh/tests/t"].problem
    assert (problem.ended_by, "was deleted" in problem.message) == ("", False)
    kv.transact([(key, "timeout: soon")])
    found = await decide(node.compile(kv.entries, kv.index), before.accepted, bench)
    assert found.refused["mesh/tests/t"].problem.ended_by == ""
    kv.transact([(key, None)])
    found = await decide(node.compile(kv.entries, kv.index), before.accepted, bench)
    problem = found.refused["mesh/tests/t"].problem
    assert problem.ended_by == f"mesh/{key}"
    assert f"it held until mesh/{key} was deleted" in problem.message


async def test_what_an_earlier_run_could_read_may_never_have_held() -> None:
    kv, node = Kv(), Node()
    kv.transact([("routes/a", "s.test/ -> shop"), ("tests/t", "s.test/ -> cart")])
    compiled = node.compile(kv.entries, kv.index)
    start = replace(Accepted.of(compiled), are_tests_judged=False)
    found = await decide(compiled, start, Bench(ask, node.compile_again))
    assert found.refused["mesh/tests/t"].problem.ended_by is None
