"""Route tests as a gate: which key loses, what serves on, what is said. The proxy is a small real one on a socket."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

import pytest

from catalog import (
    History,
    InstancesUpdate,
    KeyChange,
    KvEntry,
    KvUpdate,
    Past,
    Problem,
    Revision,
    Value,
)
from meshnode.proxy import Command
from tests.support import wait_until

from .conftest import MakeCommand
from .test_loop import Node, running, until_route

CART = "GET shop.test/cart -> cart"
Keys = Mapping[str, tuple[int, str]]
"""Name below mesh/ → ModifyIndex and value."""


@pytest.fixture
def command(make_command: MakeCommand) -> Command:
    return make_command()


def entries(keys: Keys) -> tuple[KvEntry, ...]:
    return tuple(
        KvEntry(f"mesh/{name}", value.encode(), index)
        for name, (index, value) in sorted(keys.items())
    )


async def put(node: Node, keys: Keys, index: int) -> None:
    """All of mesh/ as a watch gives it, and until the node has told what it made of it."""
    node.say(KvUpdate("mesh/", entries(keys), index))
    await wait_until(lambda: bool(node.side.reached) and node.side.reached[-1][0] == index)


def serves(node: Node) -> dict[str, int]:
    """Name of each route in force → its index."""
    table = node.delivery.in_force
    assert table is not None
    return {name: route["index"] for name, route in table.resources["routes"].items()}


def errors(node: Node) -> dict[str, Problem]:
    found = node.view.problems
    return {one.key: one for one in found if one.severity == "error" and one.key.startswith("mesh")}


BASE = {"routes/cart": (5, "shop.test/cart -> cart"), "routes/shop": (6, "shop.test/ -> shop")}
TESTED = {**BASE, "tests/shop": (7, CART)}


@asynccontextmanager
async def begun(command: Command) -> AsyncIterator[Node]:
    """A node that has a first route, and has looked at all services."""
    async with running(Node(command)) as node:
        node.complete(first="first.test/ -> shop")
        node.say(*(InstancesUpdate(name, (), 1) for name in ("basket", "cart", "nobody")))
        await until_route(node, "first.test")
        yield node


def at(keys: Keys, index: int) -> Keys:
    """As they are, with one more key that says how far they are."""
    return {**keys, "routes/zz": (index, f"zz-{index}.test/ -> shop")}


async def told(node: Node, keys: Keys, index: int) -> None:
    await put(node, at(keys, index), index)


async def test_without_tests_the_proxy_is_asked_nothing(command: Command) -> None:
    async with begun(command) as node:
        await told(node, BASE, 20)
        assert "explain" not in await node.calls()


async def test_with_tests_one_question_is_asked_a_change(command: Command) -> None:
    async with begun(command) as node:
        await told(node, TESTED, 20)
        await told(node, {**TESTED, "tests/more": (21, "GET zz-22.test/ -> shop")}, 22)
        assert (await node.calls()).count("explain") == 2
        assert errors(node) == {}


async def test_a_route_that_breaks_a_test_keeps_its_last_form(command: Command) -> None:
    async with begun(command) as node:
        await told(node, TESTED, 20)
        await told(node, {**TESTED, "routes/cart": (21, "shop.test/cart -> basket")}, 22)
        assert serves(node) == {"cart": 5, "shop": 6, "zz": 22}
        problem = errors(node)["mesh/routes/cart"]
        assert (problem.index, problem.serving_index) == (21, 5)
        assert problem.message == (
            "mesh/tests/shop line 1 would break: GET shop.test/cart -> cart is expected, "
            "but it goes to basket by mesh/routes/cart"
        )


async def test_a_new_route_before_the_right_one_stays_out(command: Command) -> None:
    async with begun(command) as node:
        await told(node, {**TESTED, "tests/shop": (7, "shop.test/cart/old -> cart")}, 20)
        changed = {
            **TESTED,
            "tests/shop": (7, "shop.test/cart/old -> cart"),
            "routes/old": (21, "shop.test/cart/old -> answer 410 gone"),
        }
        await told(node, changed, 22)
        assert "old" not in serves(node)
        assert errors(node)["mesh/routes/old"].serving_index is None


async def test_a_route_that_no_longer_takes_its_request_loses(command: Command) -> None:
    """Another decides now, which nobody touched."""
    async with begun(command) as node:
        await told(node, TESTED, 20)
        await told(node, {**TESTED, "routes/cart": (21, "shop.test/basket -> cart")}, 22)
        assert serves(node) == {"cart": 5, "shop": 6, "zz": 22}
        assert "it goes to shop by mesh/routes/shop" in errors(node)["mesh/routes/cart"].message


async def test_a_test_that_is_newer_than_its_routes_loses(command: Command) -> None:
    async with begun(command) as node:
        await told(node, BASE, 20)
        wrong = "# mine\nGET shop.test/cart -> cart\nGET shop.test/ -> cart\n"
        await told(node, {**BASE, "tests/shop": (21, wrong)}, 22)
        assert serves(node) == {"cart": 5, "shop": 6, "zz": 22}
        problem = errors(node)["mesh/tests/shop"]
        assert (problem.line, problem.source) == (3, "GET shop.test/ -> cart")
        assert "it goes to shop by mesh/routes/shop" in problem.message


async def test_the_lines_from_before_go_on_gating(command: Command) -> None:
    async with begun(command) as node:
        await told(node, TESTED, 20)
        edited = {**TESTED, "tests/shop": (21, f"{CART}\n/ -> cart")}
        await told(node, edited, 22)
        assert errors(node)["mesh/tests/shop"].serving_index == 7
        await told(node, {**edited, "routes/cart": (23, "shop.test/cart -> shop")}, 24)
        assert serves(node)["cart"] == 5
        assert errors(node).keys() == {"mesh/routes/cart", "mesh/tests/shop"}


LEFT = {name: one for name, one in TESTED.items() if name != "routes/cart"}


async def test_a_deletion_that_breaks_a_test_is_the_tests_to_tell(command: Command) -> None:
    async with begun(command) as node:
        await told(node, TESTED, 20)
        for index in (22, 23):
            await told(node, LEFT, index)
            assert serves(node) == {"shop": 6, "zz": index}
            assert errors(node).keys() == {"mesh/tests/shop"}
            problem = errors(node)["mesh/tests/shop"]
            assert (problem.serving_index, problem.ended_by) == (None, "mesh/routes/cart")
            assert problem.message.endswith(
                "it goes to shop by mesh/routes/shop; it held until mesh/routes/cart was deleted"
            )


async def test_a_test_that_fell_and_is_put_again_was_never_in_force_so(command: Command) -> None:
    async with begun(command) as node:
        await told(node, TESTED, 20)
        await told(node, LEFT, 22)
        await told(node, {**LEFT, "tests/shop": (23, f"{CART}\n")}, 24)
        assert errors(node)["mesh/tests/shop"].ended_by is None


async def test_a_test_that_fell_comes_back_with_its_route(command: Command) -> None:
    async with begun(command) as node:
        await told(node, TESTED, 20)
        await told(node, LEFT, 22)
        await told(node, {**TESTED, "routes/cart": (23, "shop.test/cart -> cart")}, 24)
        assert errors(node) == {}
        await told(node, {**TESTED, "routes/cart": (25, "shop.test/cart -> shop")}, 26)
        assert errors(node).keys() == {"mesh/routes/cart"}


async def test_what_goes_on_for_an_unreadable_test_is_what_gates(command: Command) -> None:
    """Not the last form that can be read: that one was refused."""
    async with begun(command) as node:
        await told(node, TESTED, 20)
        await told(node, {**TESTED, "tests/shop": (21, "shop.test/cart -> basket")}, 22)
        assert errors(node)["mesh/tests/shop"].serving_index == 7
        await told(node, {**TESTED, "tests/shop": (23, "shop.test/cart => cart")}, 24)
        found = [one for one in node.view.problems if one.key == "mesh/tests/shop"]
        assert [(one.index, one.serving_index) for one in found] == [(23, 7)]
        await told(node, {**LEFT, "tests/shop": (23, "shop.test/cart => cart")}, 26)
        found = [one for one in node.view.problems if one.key == "mesh/tests/shop"]
        assert [(one.index, one.serving_index) for one in found] == [(23, None)]


async def test_what_was_refused_is_judged_again_with_each_change(command: Command) -> None:
    """The route waits for the test to say the same; another's change does not help it."""
    async with begun(command) as node:
        await told(node, TESTED, 20)
        moved = {**TESTED, "routes/cart": (21, "shop.test/cart -> basket")}
        await told(node, moved, 22)
        await told(node, moved, 23)
        assert serves(node)["cart"] == 5
        await told(node, {**moved, "tests/shop": (24, "GET shop.test/cart -> basket")}, 25)
        assert serves(node)["cart"] == 21
        assert errors(node) == {}


async def test_a_test_that_is_taken_away_refuses_nothing_more(command: Command) -> None:
    async with begun(command) as node:
        await told(node, TESTED, 20)
        moved = {**BASE, "routes/cart": (21, "shop.test/cart -> basket")}
        await told(node, {**moved, "tests/shop": (7, CART)}, 22)
        await told(node, moved, 23)
        assert serves(node)["cart"] == 21
        assert errors(node) == {}


async def test_a_service_without_an_instance_is_where_a_request_goes(command: Command) -> None:
    async with begun(command) as node:
        keys = {"routes/new": (5, "new.test/ -> nobody"), "tests/new": (6, "new.test/ -> nobody")}
        await told(node, keys, 20)
        assert errors(node) == {}


async def test_answers_and_redirects_are_expected_by_status(command: Command) -> None:
    async with begun(command) as node:
        keys = {
            "routes/no": (5, "shop.test/no -> answer 403 no"),
            "tests/right": (6, "shop.test/no -> 403\n/none -> 404"),
            "tests/wrong": (7, "shop.test/no -> shop"),
        }
        await told(node, keys, 20)
        assert errors(node).keys() == {"mesh/tests/wrong"}
        assert "it is answered 403" in errors(node)["mesh/tests/wrong"].message


async def test_a_request_that_is_none_is_its_tests_mistake(command: Command) -> None:
    """Whatever the proxy can't be asked, the table does not wait for it."""
    async with begun(command) as node:
        await told(node, {**TESTED, "tests/odd": (8, '"shop.test/a b" -> cart')}, 20)
        assert errors(node).keys() == {"mesh/tests/odd"}
        assert serves(node)["cart"] == 5


async def test_a_fault_in_judging_is_shown_and_holds_nothing_back(command: Command) -> None:
    async with begun(command) as node:
        await told(node, {**TESTED, "tests/odd": (8, "unanswered.test/ -> cart")}, 20)
        assert serves(node) == {"cart": 5, "shop": 6, "zz": 20}
        assert any("by a fault of meshnode" in one.message for one in node.view.problems)
        await told(node, TESTED, 22)
        assert not any("by a fault" in one.message for one in node.view.problems)


def past(*changes: tuple[str, int, str | None, str]) -> History:
    """Name below mesh/, ModifyIndex, the value before (put at half of it) and the new one."""
    found = []
    for name, index, before, after in changes:
        key = f"mesh/{name}"
        old = None if before is None else Value.of(KvEntry(key, before.encode(), index // 2))
        change = KeyChange(key, index, old, Value.of(KvEntry(key, after.encode(), index)))
        found.append(Past(change, Revision(f"{index:012d}", 0, "node-1", "node-1", (change,))))
    return History(tuple(found))


def fresh(node: Node, keys: Keys, index: int) -> None:
    """All that Consul says to a node that has never run."""
    node.complete()
    node.say(
        KvUpdate("mesh/", entries(keys), index),
        *(InstancesUpdate(name, (), 1) for name in ("basket", "cart")),
    )


async def test_a_fresh_node_takes_the_last_good_form_from_history(command: Command) -> None:
    """It never serves what the others refused."""
    node = Node(command)
    node.past = past(("routes/cart", 22, "shop.test/cart -> cart", "shop.test/cart -> basket"))
    async with running(node):
        fresh(node, {**TESTED, "routes/cart": (22, "shop.test/cart -> basket")}, 22)
        await wait_until(lambda: bool(node.side.reached) and node.side.reached[-1][0] == 22)
        assert serves(node) == {"cart": 11, "shop": 6}
        problem = errors(node)["mesh/routes/cart"]
        assert (problem.index, problem.serving_index) == (22, 11)
        assert all(table.resources["routes"]["cart"]["index"] == 11 for table in node.applied)


async def test_a_fresh_node_takes_the_form_before_a_bad_value_from_history(
    command: Command,
) -> None:
    node = Node(command)
    node.past = past(("routes/cart", 22, "shop.test/cart -> cart", "shop.test/cart =>"))
    async with running(node):
        fresh(node, {**BASE, "routes/cart": (22, "shop.test/cart =>")}, 22)
        await wait_until(lambda: bool(node.side.reached) and node.side.reached[-1][0] == 22)
        assert serves(node) == {"cart": 11, "shop": 6}
        assert errors(node)["mesh/routes/cart"].serving_index == 11


async def test_a_fresh_node_without_history_serves_what_it_can(command: Command) -> None:
    """A key that was never changed had no other form; of one that was nobody knows, so the test gives way."""
    async with running(Node(command)) as node:
        fresh(node, {**TESTED, "routes/cart": (22, "shop.test/cart -> basket")}, 22)
        await wait_until(lambda: bool(node.side.reached) and node.side.reached[-1][0] == 22)
        assert serves(node) == {"cart": 22, "shop": 6}
        assert errors(node).keys() == {"mesh/tests/shop"}


async def test_a_node_that_missed_a_change_decides_by_history(command: Command) -> None:
    """It saw a route move, and a test that minds, at once; to the others the test was there before, and was put again."""
    async with begun(command) as node:
        await told(node, BASE, 20)
        node.past = past(
            ("tests/shop", 22, None, CART),
            ("routes/cart", 24, "shop.test/cart -> cart", "shop.test/cart -> basket"),
            ("tests/shop", 26, CART, f"{CART}\n"),
        )
        keys = {
            **BASE,
            "tests/shop": (26, f"{CART}\n"),
            "routes/cart": (24, "shop.test/cart -> basket"),
        }
        await put(node, keys, 26)
        await wait_until(lambda: serves(node)["cart"] == 12)
        assert errors(node).keys() == {"mesh/routes/cart"}
        await told(node, keys, 28)
        assert (serves(node)["cart"], set(errors(node))) == (12, {"mesh/routes/cart"})
