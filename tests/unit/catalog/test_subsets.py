"""Subsets of services become clusters of their own, and what they lack is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog import Compiled, compile_snapshot
from tests.support.catalog import FACTS, instance, state

OLD = replace(instance("cart", "node-2", meta={"version": "1"}), tags=("v1", "blue"))
NEW = replace(instance("cart", "node-3", meta={"version": "2"}), tags=("v2", "blue"))
PLAIN = instance("cart", "old-box")


def compiled(route: str) -> Compiled:
    return compile_snapshot(state({"routes/a": route}, OLD, NEW, PLAIN), FACTS)


@pytest.mark.parametrize(
    ("target", "ids"),
    [
        ("cart[tag=v1]", ["cart-2"]),
        ("cart[meta.version=2]", ["cart-3"]),
        ("cart[tag=blue]", ["cart-2", "cart-3"]),
        ("cart[tag=blue,meta.version=1]", ["cart-2"]),
        ("cart[tag=v1,tag=v2]", []),
    ],
)
def test_a_subset_has_the_instances_that_have_it_all(target: str, ids: list[str]) -> None:
    made = compiled(f"a/ -> {target}")
    cluster = made.resources["clusters"][target]
    assert cluster["service"] == "cart"
    assert cluster["exists"] is True
    assert [endpoint["id"] for endpoint in cluster["endpoints"]] == ids
    assert cluster["instances"] == len(ids)
    assert len(made.resources["clusters"]["cart"]["endpoints"]) == 3
    assert made.resources["routes"]["a"]["action"] == {"split": [{"cluster": target, "weight": 1}]}


def test_endpoints_in_clear_are_counted_once() -> None:
    made = compile_snapshot(
        state(
            {"routes/a": "a/ -> cart[tag=x] 50%, cart 50%"},
            replace(instance("cart", "old-box"), tags=("x",)),
        ),
        FACTS,
    )
    assert [endpoint[1] for endpoint in made.clear_endpoints] == ["cart-x"]


@pytest.mark.parametrize(
    ("target", "message"),
    [
        (
            "cart[tag=v3]",
            (
                'no instance of "cart" has tag=v3: requests to a/ now get 503 no_healthy_endpoint; '
                'did you mean "cart[tag=v1]"?'
            ),
        ),
        (
            "cart[meta.version=1,tag=v2]",
            'no instance of "cart" has tag=v2 and meta.version=1: requests to a/ now get 503 no_healthy_endpoint',
        ),
        (
            "crat[tag=v1]",
            (
                'no service is called "crat": requests to a/ now get 503 no_such_service; '
                'did you mean "cart" (3 healthy)?'
            ),
        ),
    ],
)
def test_an_empty_subset_is_said(target: str, message: str) -> None:
    made = compile_snapshot(
        state({"routes/a": f"a/ -> {target}"}, OLD, NEW, PLAIN, absent=("crat",)), FACTS
    )
    assert [problem.message for problem in made.problems] == [message]
