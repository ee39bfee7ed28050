"""A drain is over when every node has it in force and nothing runs at the instance any more, not before."""

from __future__ import annotations

from catalog import Change, Draining, DrainState, KvEntry, NodeStatus, drain_states

KEY = "mesh/drain/update"
NODES = ("node-1", "node-2")


def status(node: str, index: int, *running: int | None) -> NodeStatus:
    """A node with what it still has running at cart-1 on node-2, if it knows that instance."""
    draining = tuple(Draining(KEY, "cart", "cart-1", "node-2", count) for count in running)
    return NodeStatus(node, 1, index, "d", (Change(index, index * 1000),), draining=draining)


def state(*statuses: NodeStatus, value: bytes = b"cart-1 on node-2 for 5m") -> DrainState:
    entries = (KvEntry(KEY, value, 20), KvEntry("mesh/routes/a", b"a/ -> cart", 5))
    (found,) = drain_states(entries, statuses, NODES)
    return found


def test_it_is_safe_once_all_have_it_and_nothing_runs() -> None:
    found = state(status("node-1", 20, 0), status("node-2", 21, 0))
    assert (found.is_safe_to_stop, found.running, found.waiting) == (True, 0, ())
    assert found.since_unix_ms == 20_000
    assert found.drain.grace_ms == 300_000


def test_what_runs_is_not_counted_twice() -> None:
    """The instance's own node counts what others send through it."""
    found = state(status("node-1", 20, 3), status("node-2", 20, 4))
    assert (found.is_safe_to_stop, found.running) == (False, 4)
    assert state(status("node-1", 20, 3), status("node-2", 20, 0)).running == 3


def test_a_node_that_has_not_said_may_still_send() -> None:
    assert state(status("node-1", 20, 0), status("node-2", 19, 0)).waiting == ("node-2",)
    away = state(status("node-1", 20, 0))
    assert (away.is_safe_to_stop, away.waiting) == (False, ("node-2",))


def test_what_was_not_counted_yet_is_not_nothing() -> None:
    found = state(status("node-1", 20, 0), status("node-2", 20, None))
    assert (found.is_safe_to_stop, found.running) == (False, None)


def test_a_node_that_does_not_know_the_instance_sends_nothing() -> None:
    assert state(status("node-1", 20), status("node-2", 20, 0)).is_safe_to_stop


def test_an_instance_nobody_knows_is_none_and_never_safe() -> None:
    found = state(status("node-1", 20), status("node-2", 20))
    assert (found.instances, found.running, found.is_safe_to_stop) == ((), 0, False)


def test_a_drain_that_says_nothing_is_none() -> None:
    assert drain_states((KvEntry(KEY, b"a b c d", 20),), (), NODES) == ()


def test_a_status_carries_it_and_comes_back() -> None:
    one = status("node-1", 20, 3, None)
    assert NodeStatus.from_json(one.to_json()) == one
    older = {name: value for name, value in one.to_json().items() if name != "draining"}
    assert NodeStatus.from_json(older).draining == ()
