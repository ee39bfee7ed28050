"""Which nodes are in the mesh: a node that was seen leaves it by being deregistered, not by Consul losing its data."""

from __future__ import annotations

import pytest

from catalog import InstancesUpdate, NodesUpdate, State
from catalog.compiler import compile_snapshot
from catalog.mesh import problems
from tests.support.catalog import FACTS, instance, kv, mesh_node

ALL = ("node-1", "node-2", "node-3")
VANISHED = frozenset({"node-3"})
NODES = tuple(map(mesh_node, ALL))


def state_after(*updates: NodesUpdate) -> State:
    state = State()
    for update in (NodesUpdate(NODES, 100), *updates):
        state = state.apply(update)
    return state


def names(state: State) -> list[str]:
    return [one.node for one in state.mesh.nodes]


@pytest.mark.parametrize(
    ("updates", "expected"),
    [
        ((NodesUpdate(NODES[:2], 101),), "node-1 node-2"),
        ((NodesUpdate((), 101),), ""),
        ((NodesUpdate((), 5),), "node-1 node-2 node-3"),
        ((NodesUpdate((), 101, VANISHED),), "node-3"),
        ((NodesUpdate((), 101, VANISHED), NodesUpdate(NODES[:1], 102)), "node-1 node-3"),
        ((NodesUpdate((), 101, VANISHED), NodesUpdate(NODES, 102), NodesUpdate((), 103)), ""),
        ((NodesUpdate(NODES[:1], 5),), "node-1 node-2 node-3"),
        ((NodesUpdate((), 5), NodesUpdate(NODES[:1], 6)), "node-1 node-2 node-3"),
        ((NodesUpdate((), 50), NodesUpdate((), 5)), "node-1 node-2 node-3"),
        ((NodesUpdate((), 5), NodesUpdate(NODES, 9), NodesUpdate(NODES[:2], 10)), "node-1 node-2"),
        ((NodesUpdate(NODES[:2], 101), NodesUpdate(NODES[:1], 5)), "node-1 node-2"),
    ],
)
def test_a_node_leaves_by_being_deregistered_alone(
    updates: tuple[NodesUpdate, ...], expected: str
) -> None:
    assert names(state_after(*updates)) == expected.split()


def test_a_node_that_registers_anew_has_its_new_port() -> None:
    state = state_after(NodesUpdate((), 5), NodesUpdate((mesh_node("node-3", port=7500),), 6))
    assert [one.port for one in state.mesh.nodes if one.node == "node-3"] == [7500]


def test_the_same_answer_changes_nothing() -> None:
    state = state_after(NodesUpdate((), 5))
    assert state.apply(NodesUpdate((), 5)) is state


def test_what_ran_in_the_mesh_is_not_dialled_in_clear_while_consul_has_lost_its_data() -> None:
    cart = InstancesUpdate("cart", (instance("cart", "node-2"),), 7)
    state = state_after(NodesUpdate((), 5)).apply(kv({"routes/a": "a/ -> cart"})).apply(cart)
    found = compile_snapshot(state, FACTS)
    (endpoint,) = found.resources["clusters"]["cart"]["endpoints"]
    assert endpoint["via"] == "mesh"
    assert any("called by mutual TLS or not at all" in one.message for one in found.problems)


def test_it_is_said_which_nodes_are_missed() -> None:
    (problem,) = problems(state_after(NodesUpdate(NODES[:2], 5)).mesh, ALL)
    assert "on node-3 " in problem.message
    assert problems(state_after(NodesUpdate(NODES[:2], 5)).mesh, {"node-1"}) == ()
    assert problems(state_after(NodesUpdate(NODES, 5)).mesh, ALL) == ()
