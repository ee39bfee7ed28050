"""Questions about calls to a port that means one destination."""

from __future__ import annotations

import pytest

from meshnode.explain import on_own_ports

LISTENERS = {
    "edge": "0.0.0.0:8080",
    "web": "127.0.0.1:15001",
    "web:stock": "127.0.0.1:15006",
    "api:stock": "127.0.0.1:15007",
    "six:stock": "[::1]:15008",
}


@pytest.mark.parametrize(
    ("source", "host", "listener"),
    [
        ("web", "127.0.0.1:15006", "web:stock"),
        ("web", "LOCALHOST:15006", "web:stock"),
        ("six", "localhost:15008", "six:stock"),
        ("web", ":15006", "web:stock"),
        ("web", "stock.mesh", "outbound"),
        ("web", "127.0.0.1:15001", "outbound"),
        ("web", "127.0.0.1:15007", "outbound"),
        ("web", "127.0.0.1", "outbound"),
        (None, "127.0.0.1:15006", "outbound"),
        ("web", 7, "outbound"),
    ],
)
def test_a_call_to_such_a_port_is_asked_of_its_listener(
    source: str | None, host: object, listener: str
) -> None:
    request = {"listener": "outbound", "source": source, "host": host, "path": "/"}
    assert on_own_ports([request], LISTENERS) == [{**request, "listener": listener}]


def test_a_question_at_the_edge_stays_as_it_is() -> None:
    request = {"listener": "edge", "host": "127.0.0.1:15006", "path": "/", "source": "web"}
    assert on_own_ports([request], LISTENERS) == [request]
