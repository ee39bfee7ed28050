"""A trace as a tree: every span once, its parents above it, readable, and harmless to a terminal."""

from __future__ import annotations

import io
from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from observability import Span, Trace, render_tree

BEGAN = 1_800_000_000_000_000


def span(
    id_: str, parent: str | None = None, start: int = 0, took: int = 1000, **more: Any
) -> Span:
    service, name = more.pop("service", id_), more.pop("name", f"GET /{id_}")
    attributes = {key.replace("__", "."): value for key, value in more.items()}
    return Span(id_, parent, name, service, BEGAN + start, took, attributes, {})


def shown(trace: Trace, width: int = 160) -> str:
    console = Console(file=io.StringIO(), width=width, color_system=None, legacy_windows=False)
    console.print(render_tree(trace))
    file = console.file
    assert isinstance(file, io.StringIO)
    return file.getvalue()


SHOP = Trace(
    "4bf92f3577b34da6a3ce929d0e0e4736",
    (
        span(
            "edge",
            took=6000,
            name="GET shop.test/",
            http__response__status_code=403,
            mesh__direction="edge",
            mesh__node="node-1",
            mesh__config__key="mesh/routes/shop",
            mesh__config__index=4711,
        ),
        span("front", "edge", 1000, 4800, mesh__node="node-1", mesh__endpoint="front-1"),
        span(
            "cart",
            "front",
            2000,
            3000,
            http__response__status_code=403,
            error__type="intention_denied",
            mesh__reason="intention_denied",
            mesh__intention="front => cart",
            mesh__source="front",
            mesh__destination="cart",
            mesh__direction="outbound",
        ),
        span("stock", "front", 5000, 800, http__response__status_code=200),
    ),
)


def test_the_tree_shows_who_called_whom_when_and_why() -> None:
    lines = shown(SHOP).splitlines()
    assert "trace 4bf92f3577b34da6a3ce929d0e0e4736" in lines[0]
    assert "2027-01-15 08:00:00 UTC   6.0 ms   4 spans, 4 services" in lines[0]
    assert lines[1] == "cart refused front: intention front => cart (deny)"
    edge, front, cart, stock = lines[2:6]
    assert edge.startswith("edge  GET shop.test/")
    assert front.startswith("└─ front  GET /front")
    assert cart.startswith("   ├─ cart")
    assert stock.startswith("   └─ stock")
    assert "6.0 ms" in edge
    assert "mesh/routes/shop @ 4711" in edge
    assert "node-1 → front-1" in front
    assert "403  intention_denied" in cart
    assert "intention front => cart" in cart
    bar = edge.count("━")
    assert bar > 30
    assert abs(cart.count("━") - bar / 2) <= 1
    assert cart.index("━") > front.index("━")


def test_at_the_edge_what_was_asked_for_is_shown_not_the_route_s_pattern() -> None:
    more: dict[str, Any] = {
        "http__request__method": "GET",
        "server__address": "a.test",
        "url__path": "/cart/7",
    }
    one = span("edge", name="GET a.test/cart", mesh__direction="edge", **more)
    assert "edge  GET a.test/cart/7  " in shown(Trace("t" * 32, (one,)))
    # A connection that was passed on by its server name asked for nothing more.
    raw = span("edge", name="tcp *.a.test", mesh__direction="edge", server__address="b.a.test")
    assert "edge  tcp *.a.test  " in shown(Trace("t" * 32, (raw,)))


def test_a_narrow_terminal_has_the_details_below() -> None:
    lines = shown(SHOP, 60).splitlines()
    assert lines[0] == "trace 4bf92f3577b34da6a3ce929d0e0e4736"
    assert lines[1].startswith("2027-01-15 08:00:00 UTC   6.0 ms")
    edge = next(at for at, line in enumerate(lines) if line.startswith("edge  GET shop.test/"))
    assert "━━━" in lines[edge]
    assert "mesh/routes/shop" not in lines[edge]
    assert lines[edge + 1] == "│  node-1  mesh/routes/shop @ 4711"
    cart = next(at for at, line in enumerate(lines) if line.startswith("   ├─ cart"))
    assert lines[cart + 1] == "   │     intention_denied  intention front => cart"


@given(st.integers(1, 400))
def test_no_width_breaks_a_line(width: int) -> None:
    lines = shown(SHOP, width).splitlines()
    assert all(len(line) <= width for line in lines)
    if width >= 40:
        assert sum(any(mark in line for mark in "━╸╺") for line in lines) == len(SHOP.spans)


def test_a_span_that_took_no_time_has_a_bar() -> None:
    trace = Trace("t" * 32, (span("a", took=1000), span("b", "a", 1000, 0)))
    assert "╺" in shown(trace).splitlines()[2]


def test_branches_without_their_parent_are_told() -> None:
    trace = Trace("t" * 32, (span("a"), span("b", "missing"), span("c", "missing too")))
    assert "2 branches without their parent" in shown(trace)


def test_names_cannot_command_the_terminal() -> None:
    evil = "\x1b]0;owned\x07[red]x[/red]\n\r\x9b31m"
    trace = Trace(evil, (span("a", service=evil, name=evil, mesh__reason=evil),))
    text = shown(trace)
    assert "\x1b" not in text
    assert "\x07" not in text
    assert "\x9b" not in text
    assert "[red]x[/red]" in text, "and markup is text"


def test_spans_that_are_one_another_s_parents_are_shown_once() -> None:
    trace = Trace("t" * 32, (span("a", "b"), span("b", "a"), span("c", "c")))
    assert sorted(row.span.span_id for row in trace.rows()) == ["a", "b", "c"]


def test_a_chain_of_thousands_is_no_matter() -> None:
    chain = [span("s0")] + [span(f"s{n}", f"s{n - 1}", n) for n in range(1, 3000)]
    trace = Trace("t" * 32, tuple(chain))
    assert [row.depth for row in trace.rows()] == list(range(3000))
    text = shown(trace)
    assert "and 2500 spans more" in text


def test_an_empty_trace_is_shown() -> None:
    assert "0 spans" in shown(Trace("t" * 32, ()))


def test_json_has_all_of_it() -> None:
    document = SHOP.to_json()
    assert document["duration_us"] == 6000
    assert document["spans"][0]["attributes"]["mesh.config.index"] == 4711
    assert [one["parent_id"] for one in document["spans"]] == [None, "edge", "front", "front"]


IDS = st.sampled_from("abcdefgh")


@given(st.dictionaries(IDS, st.none() | IDS | st.just("missing")), st.randoms())
def test_every_span_is_shown_once_below_its_parent(
    parents: dict[str, str | None], random: Any
) -> None:
    spans = [span(id_, parent, random.randrange(100)) for id_, parent in parents.items()]
    trace = Trace("t" * 32, tuple(spans))
    order = [row.span.span_id for row in trace.rows()]
    assert sorted(order) == sorted(parents)
    for row in trace.rows():
        if row.depth:
            assert row.span.parent_id is not None
            assert order.index(row.span.parent_id) < order.index(row.span.span_id)
    assert shown(trace)


def test_the_status_is_the_answer_s_or_an_error() -> None:
    assert span("a", http__response__status_code=503).status == "503"
    assert span("a", otel__status_code="ERROR").status == "error"
    assert span("a", error=True).status == "error"
    assert span("a").status == ""
