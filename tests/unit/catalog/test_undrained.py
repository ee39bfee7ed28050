"""A drain that takes nothing is said at the write, where a node can be sure of it, with what was probably meant."""

from __future__ import annotations

import pytest

from catalog import compile_snapshot
from catalog.model import Instance
from catalog.update import ServicesUpdate
from tests.support.catalog import FACTS, instance, state

CART = instance("cart", "node-2", id="cart-a")
STOCK = instance("stock", "node-3", id="stock-a")
WEB = instance("web", id="web-1")


def said(value: str, *instances: Instance) -> list[str]:
    values: dict[str, str | bytes] = {"routes/a": "a/ -> cart", "drain/x": value}
    made = compile_snapshot(state(values, *instances), FACTS)
    return [one.message for one in made.problems if one.key == "mesh/drain/x"]


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ("crat-a", 'no instance is called "crat-a", so nothing is drained; did you mean "cart-a"?'),
        ("nobody", 'no instance is called "nobody", so nothing is drained'),
        ("cart-a on node-3", '"cart-a" is on node-2, not on "node-3", so nothing is drained; did you mean "node-2"?'),
        ("cart-b of cart", 'no instance of "cart" is called "cart-b", so nothing is drained; did you mean "cart-a"?'),
        ("cart-a of crat", 'no service is called "crat", so nothing is drained; did you mean "cart"?'),
    ],
)  # fmt: skip
def test_a_drain_that_takes_nothing_is_named(value: str, sentence: str) -> None:
    assert said(value, CART, STOCK, WEB) == [sentence]


@pytest.mark.parametrize("value", ["cart-a", "cart-a on node-2", "stock-a of stock", "web-1"])
def test_one_that_takes_something_is_right(value: str) -> None:
    assert said(value, CART, STOCK, WEB) == []


def test_a_node_that_does_not_know_all_instances_says_nothing() -> None:
    made = state({"drain/x": "other-1"}, CART)
    made = made.apply(ServicesUpdate((("cart", ()), ("other", ())), 11))
    found = compile_snapshot(made, FACTS)
    assert [one for one in found.problems if one.key == "mesh/drain/x"] == []


def test_before_the_catalog_is_read_nothing_is_said() -> None:
    found = compile_snapshot(state({"drain/x": "other-1"}), FACTS)
    assert [one for one in found.problems if one.key == "mesh/drain/x"] == []
