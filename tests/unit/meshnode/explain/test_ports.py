"""Questions about calls to a port that means one destination."""

from __future__ import annotations

import pytest

from meshnode.explain import nobodys, on_own_ports, question_of_words

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


def said_of(url: str, address: str | None, source: str | None = None) -> str | None:
    answer = {"listener": {"name": "edge", "address": address}}
    return nobodys(question_of_words(url, source=source), answer, "node-1", 9443)


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://shop.test:9999/", "127.0.0.1:8080"),
        ("http://[::1]:9999/", "[::]:8080"),
        ("https://shop.test:8080/", "127.0.0.1:8443"),
    ],
)
def test_a_port_that_no_listener_has_is_no_port_of_the_edge(url: str, address: str) -> None:
    said = said_of(url, address)
    assert said is not None
    assert f"requests from outside come in at {address} (edge)" in said
    assert said_of(url, address, "web") is None, "a service has ports of its own"


@pytest.mark.parametrize(
    ("url", "address"),
    [
        ("http://shop.test:8080/", "127.0.0.1:8080"),
        ("http://shop.test/", "127.0.0.1:8080"),
        ("http://shop.test:80/", "127.0.0.1:8080"),
        ("https://shop.test:9443/", "127.0.0.1:8443"),
        ("http://shop.test:9999/", None),
    ],
)
def test_a_port_that_leads_to_the_edge_is_no_matter(url: str, address: str | None) -> None:
    assert said_of(url, address) is None
