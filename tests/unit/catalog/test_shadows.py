"""Routes that never match are named, with the winner and why; none that could match is."""

from __future__ import annotations

import pytest

from catalog import compile_snapshot
from tests.support.catalog import FACTS, instance, state


def said(*lines: str) -> list[str]:
    """What is said of these routes, the first being the oldest."""
    values: dict[str, str | bytes] = {f"routes/r{at}": line for at, line in enumerate(lines)}
    services = (instance("cart", "node-2"), instance("web", "node-2"))
    made = compile_snapshot(state(values, *services), FACTS)
    return [f"{problem.key.rpartition('/')[2]} {problem.message}" for problem in made.problems]


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("a/x -> cart", "a=/x -> cart"),
        ("a/x -> cart", "a/x/y -> cart"),
        ("*.a/ -> cart", "b.a/ -> cart"),
        ("a/ -> cart", "GET a/ -> cart"),
        ("GET a/ -> cart", "POST a/ -> cart"),
        ("GET a/ -> cart", "GET,POST a/ -> cart"),
        ("a/ -> cart", "a/ when header.x=1 -> cart"),
        ("a/ when header.x=1 -> cart", "a/ when header.x=2 -> cart"),
        ("a/ when header.x=1 -> cart", "a/ -> cart"),
        ("a/ when client=10.0.0.0/8 -> cart", "a/ when client=10.0.0.0/7 -> cart"),
        ("a/ when from=web -> cart", "a/ when from=cart -> cart"),
        ("a~/x.* -> cart", "a~/x.+ -> cart"),
        ("a/ when header.x=1 -> cart priority=2", "a/ -> cart"),
        ("a/ when header.x=1 -> cart priority=2", "a/x when header.y=1 -> cart"),
        ("a/x -> cart priority=2", "a/xy -> cart"),
        ("a/x -> cart priority=2", "a/ -> cart"),
        ("a=/x -> cart priority=2", "a/x -> cart"),
        ("GET a/ -> cart priority=2", "a/x -> cart"),
        ("b/ -> cart priority=2", "*/ -> cart"),
        ("*/ -> cart priority=2", "a.mesh/ -> cart"),
    ],
)
def test_a_route_that_can_match_is_not_called_shadowed(first: str, second: str) -> None:
    assert said(first, second) == []


@pytest.mark.parametrize(
    ("first", "second", "why"),
    [
        ("a/ -> cart", "a -> cart", "has the same host and path, and it is older (index 100 before 101)"),
        (
            "GET,POST a/ -> cart",
            "GET a/ -> cart",
            "has the same host, path and conditions, and it is older (index 100 before 101)",
        ),
        (
            "a/ when query.q, header.x=1 -> cart",
            "a/ when header.x=1, query.q -> cart",
            "has the same host, path and conditions, and it is older (index 100 before 101)",
        ),
        (
            "a/ when client=10.0.0.0/8 -> cart",
            "a/ when client=10.1.0.0/16|10.2.3.4 -> cart",
            "has the same host, path and conditions, and it is older (index 100 before 101)",
        ),
        (
            "a/x -> cart priority=2",
            "GET a=/x/y when header.x=1 -> cart",
            "takes all it could, with priority 2 before 0",
        ),
        ("*/ -> cart", "b.c.a/x -> cart priority=-1", "takes all it could, with priority 0 before -1"),
        ("*.a/x -> cart priority=2", "b.c.a/x -> cart", "takes all it could, with priority 2 before 0"),
        ("*.a/ -> cart priority=2", "*.b.a~/x.* -> cart", "takes all it could, with priority 2 before 0"),
        (
            "a/ when header.x=1 -> cart priority=2",
            "a/ when query.q, header.x=1 -> cart",
            "takes all it could, with priority 2 before 0",
        ),
    ],
)  # fmt: skip
def test_the_winner_is_named_with_its_reason(first: str, second: str, why: str) -> None:
    assert said(first, second) == [f"r1 this route never matches: mesh/routes/r0 {why}"]


def test_one_host_of_several_is_named() -> None:
    assert said("a/ -> cart", "a,b/ -> cart") == [
        (
            "r1 this route never matches for a: mesh/routes/r0 has the same host and path, "
            "and it is older (index 100 before 101)"
        )
    ]
