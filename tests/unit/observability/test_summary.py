"""A trace in one line: who called whom where, or why it came to nothing."""

from __future__ import annotations

import pytest

from observability import LiveTraces, SpanRing, Trace, refusal_of, summarize
from tests.support.spans import ProxySpan, batch

ID = "4bf92f35" + "7" * 24


def trace(*spans: ProxySpan) -> Trace:
    ring = SpanRing()
    ring.offer(batch(ID, *spans), len(spans))
    [found] = ring.reading().traces(ID)
    return found


EDGE = ProxySpan("edge", "edge", "front", "node-1", 1, took_ms=6, endpoint="front-1")
CALL_CART = ProxySpan("outbound", "front", "cart", "node-1", 2, 1, 1, 4, endpoint="cart-1")
CART = ProxySpan("inbound", "front", "cart", "node-2", 3, 2, 2, 3, endpoint="cart-1")
CALL_STOCK = ProxySpan("outbound", "cart", "stock", "node-2", 4, 3, 3, 1, endpoint="stock-1")
STOCK = ProxySpan("inbound", "cart", "stock", "node-3", 5, 4, 3.5, 0.5, endpoint="stock-1")
SHOP = (EDGE, CALL_CART, CART, CALL_STOCK, STOCK)


def test_a_call_through_three_nodes_is_one_line() -> None:
    found = summarize(trace(*SHOP))
    assert found is not None
    assert (found.method, found.url, found.status) == ("GET", "shop.test/", 200)
    assert (found.duration_ms, found.trace_id, found.refusal) == (6.0, ID, "")
    assert found.chain == "edge → front@node-1 → cart@node-2 → stock@node-3"
    assert [(hop.service, hop.node, hop.depth) for hop in found.hops] == [
        ("edge", "", 0), ("front", "node-1", 1), ("cart", "node-2", 2), ("stock", "node-3", 3),
    ]  # fmt: skip


def test_a_node_that_nothing_tells_is_not_guessed() -> None:
    """A service on the caller's node and one on a machine without a node look the same: one span."""
    found = summarize(trace(EDGE))
    assert found is not None
    assert found.chain == "edge → front"


def test_calls_beside_one_another_stand_in_brackets() -> None:
    call_pay = ProxySpan("outbound", "front", "pay", "node-1", 8, 1, 5, 1, endpoint="pay-1")
    again = [ProxySpan("outbound", "front", "pay", "node-1", at, 1, 5, 1, endpoint="p") for at in (9, 10)]  # fmt: skip
    found = summarize(trace(EDGE, CALL_CART, CART, call_pay, *again))
    assert found is not None
    assert found.chain == "edge → front@node-1 → (cart@node-2, 3 × pay)"


def test_a_service_that_calls_by_itself_begins_its_line() -> None:
    found = summarize(trace(CALL_STOCK, STOCK))
    assert found is not None
    assert found.chain == "cart@node-2 → stock@node-3"


def test_a_refusal_says_who_refused_whom_and_by_what() -> None:
    denied = {"status": 403, "reason": "intention_denied", "intention": "cart => stock"}
    found = summarize(
        trace(
            ProxySpan("edge", "edge", "front", "node-1", 1, took_ms=3, status=403, endpoint="f"),
            CALL_CART,
            CART,
            ProxySpan("outbound", "cart", "stock", "node-2", 4, 3, 3, 1, **denied),  # type: ignore[arg-type]  # by name
            ProxySpan("inbound", "cart", "stock", "node-3", 5, 4, 3, 1, **denied),  # type: ignore[arg-type]  # by name
        )
    )
    assert found is not None
    assert found.refusal == "stock refused cart: intention cart => stock (deny)"
    assert found.status == 403


def test_what_was_refused_inside_is_no_refusal_of_what_went_well() -> None:
    refused = ProxySpan(
        "outbound", "cart", "stock", "node-2", 4, 3, status=503, reason="no_healthy_endpoint"
    )
    found = summarize(trace(EDGE, CALL_CART, CART, refused))
    assert found is not None
    assert found.refusal == ""
    assert found.chain.endswith("cart@node-2 → stock"), "and stock was not reached anywhere"


@pytest.mark.parametrize(
    ("reason", "sentence"),
    [
        ("no_route", "no route takes it"),
        ("no_such_service", 'no service is called "front"'),
        ("no_healthy_endpoint", "no instance of front passes its checks"),
        ("intention_denied", "front refused edge: no intention allows it"),
        ("some_newer_reason", "some newer reason"),
    ],
)
def test_each_reason_is_a_sentence(reason: str, sentence: str) -> None:
    refused = ProxySpan("edge", "edge", "front", "node-1", 1, status=503, reason=reason)
    assert refusal_of(trace(refused).spans[0]) == sentence


def test_names_of_strangers_are_no_templates() -> None:
    odd = ProxySpan("edge", "{node}", "{0.__class__}", "n", 1, status=503, reason="connect_failed")
    assert refusal_of(trace(odd).spans[0]) == "{0.__class__} could not be connected to"


def test_a_trace_without_a_proxy_s_span_has_no_line() -> None:
    assert summarize(Trace(ID, ())) is None


def test_pieces_from_several_nodes_are_told_once_when_whole() -> None:
    live = LiveTraces()
    live.add(trace(CART, CALL_STOCK), 10.0)
    live.add(trace(STOCK), 10.1)
    assert live.ready(11.0) == [], "who began it is not there yet"
    live.add(trace(EDGE, CALL_CART), 11.0)
    assert live.ready(11.1) == [], "more may be on its way"
    [whole] = live.ready(11.5)
    assert len(whole.spans) == 5
    live.add(trace(STOCK), 11.6)
    assert live.ready(20.0) == []


def test_a_trace_whose_beginning_never_comes_is_told_as_it_is() -> None:
    live = LiveTraces()
    live.add(trace(STOCK), 10.0)
    assert [len(one.spans) for one in live.ready(15.0)] == [1]
