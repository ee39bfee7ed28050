"""When an expectation holds, by the proxy's answers, and what is said when it does not."""

from typing import Any

import pytest

from catalog import KvEntry, Policies, decide_policies
from meshnode.candidate.expected import askings, broken, request_of

ROUTE = {"name": "cart", "key": "mesh/routes/cart", "index": 7, "pattern": "shop.example/cart"}
NOTHING: dict[str, Any] = {"route": None, "split": [], "cluster": None, "answer": None}


def to(*clusters: str, answer: dict[str, Any] | None = None) -> dict[str, Any]:
    split = [{"cluster": name, "weight": 50} for name in clusters]
    return {**NOTHING, "route": ROUTE, "split": split, "cluster": clusters[0], "answer": answer}


def own(status: int, reason: str = "", location: str | None = None) -> dict[str, Any]:
    answer = {"status": status, "reason": reason, "message": ""}
    return {**NOTHING, "answer": answer | ({"location": location} if location else {})}


AWAY = {"status": 503, "reason": "no_healthy_endpoint", "message": ""}
DENIED = {"status": 403, "reason": "intention_denied", "message": ""}


@pytest.mark.parametrize(
    ("expected", "answer", "outcome"),
    [
        ("-> cart", to("cart"), None),
        ("-> cart[tag=v2]", to("cart[tag=v2]"), None),
        ("-> cart", to("cart[tag=v2]"), None),
        ("-> cart[tag=v2]", to("cart"), "it goes to cart by mesh/routes/cart"),
        ("-> next", to("cart", "next"), None),
        ("-> cart", to("cart", answer=AWAY), None),
        ("-> cart", to("shop"), "it goes to shop by mesh/routes/cart"),
        ("-> cart", to("a", "b"), "it goes to a 50, b 50 by mesh/routes/cart"),
        ("-> cart", own(404, "no_route"), "it is answered 404 no_route"),
        ("-> cart", to("cart", answer=DENIED), None),
        ("-> 404", own(404, "no_route"), None),
        ("-> 403", to("cart", answer=DENIED), None),
        ("-> 403", to("cart"), "it goes to cart by mesh/routes/cart"),
        ("-> redirect 301 https://new.example/", own(301, "", "https://new.example/"), None),
        (
            "-> redirect 301 https://new.example/",
            own(301, "", "https://other.example/"),
            "it is redirected 301 to https://other.example/",
        ),
    ],
)
def test_an_expectation(expected: str, answer: dict[str, Any], outcome: str | None) -> None:
    asked = askings(those_of(f"\nshop.example/cart {expected}"))
    found = [one.problem for one in broken(asked, [answer])]
    if outcome is None:
        assert found == []
        return
    (problem,) = found
    assert (problem.key, problem.line) == ("mesh/tests/t", 2)
    assert problem.message.endswith(f"is expected, but {outcome}")


def test_the_request_is_asked_as_it_is_written() -> None:
    (first, second) = askings(
        those_of(
            "POST shop.example/cart?a=b header.X-Beta=1 client=10.0.0.9 -> cart\nas web cart.mesh/ -> 403"
        )
    )
    assert request_of(first.expectation) == {
        "listener": "edge",
        "method": "POST",
        "host": "shop.example",
        "path": "/cart?a=b",
        "headers": [["x-beta", "1"]],
        "client_address": "10.0.0.9",
    }
    assert request_of(second.expectation)["listener"] == "outbound"
    assert request_of(second.expectation)["source"] == "web"


def those_of(text: str) -> Any:
    return decide_policies((KvEntry("mesh/tests/t", text.encode(), 9),), Policies()).tests
