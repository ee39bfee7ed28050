"""The ring of a node's last spans: bounded, in order, decoded for who asks, and deaf to what is no batch."""

from __future__ import annotations

import asyncio

import pytest

from observability import SpanRing, TraceIdError
from tests.support.spans import ProxySpan, batch

FIRST, SECOND, THIRD = ("a" * 8 + "1" * 24, "b" * 8 + "2" * 24, "a" * 8 + "3" * 24)


def edge(span: int, start_ms: float = 0) -> ProxySpan:
    return ProxySpan("edge", "edge", "shop", "node-1", span, start_ms=start_ms, endpoint="shop-1")


def inbound(span: int, parent: int, start_ms: float = 0) -> ProxySpan:
    return ProxySpan("inbound", "edge", "shop", "node-1", span, parent, start_ms)


def filled(**limits: int) -> SpanRing:
    ring = SpanRing(**limits)
    ring.offer(batch(FIRST, inbound(2, 1, 1)), 1)
    ring.offer(batch(SECOND, edge(3, 10)), 1)
    ring.offer(batch(FIRST, edge(1)), 1)
    return ring


def ids(ring: SpanRing, after: int | None, limit: int = 100) -> list[tuple[str, int]]:
    """Trace and number of its spans on the page."""
    page = ring.reading().after(after, limit)
    return [(trace.trace_id, len(trace.spans)) for trace in page.traces]


def test_the_newest_traces_are_whole_wherever_their_spans_came() -> None:
    ring = filled()
    assert ids(ring, None) == [(SECOND, 1), (FIRST, 2)]
    assert ids(ring, None, limit=1) == [(FIRST, 2)], "the one whose span came last"
    [trace] = ring.reading().after(None, 1).traces
    assert [one.text("mesh.direction") for one in trace.spans] == ["edge", "inbound"]
    assert trace.spans[1].parent_id == trace.spans[0].span_id
    assert trace.spans[0].attributes["http.response.status_code"] == 200
    assert trace.spans[0].duration_us == 1000


def test_what_came_after_a_sequence_is_that_alone() -> None:
    ring = filled()
    assert ids(ring, 0) == [(SECOND, 1), (FIRST, 2)]
    assert ids(ring, 1) == [(SECOND, 1), (FIRST, 1)]
    assert ids(ring, 2) == [(FIRST, 1)]
    page = ring.reading().after(3, 100)
    assert (page.traces, page.sequence, page.is_gapless) == ((), 3, True)


@pytest.mark.parametrize(("after", "limit"), [(0, 1), (99, 100)])
def test_a_page_that_leaves_something_out_says_so(after: int, limit: int) -> None:
    """More than was asked for, or a sequence of another ring: all there is, but perhaps not all there was."""
    page = filled().reading().after(after, limit)
    assert page.traces
    assert not page.is_gapless


def test_the_oldest_batches_go_first() -> None:
    ring = filled(max_spans=2)
    assert (ring.spans, ring.sequence) == (2, 3)
    assert ids(ring, None) == [(SECOND, 1), (FIRST, 1)]
    assert not ring.reading().after(0, 100).is_gapless
    assert ring.reading().after(1, 100).is_gapless


def test_bytes_are_bounded_too() -> None:
    size = len(batch(FIRST, edge(1)))
    ring = SpanRing(max_bytes=2 * size)
    for at in range(100):
        ring.offer(batch(FIRST, edge(at + 1)), 1)
        assert ring.bytes <= 2 * size
    assert (ring.spans, ring.bytes) == (2, 2 * size)
    ring.offer(b"x" * (2 * size + 1), 1)
    assert ring.spans == 2, "one that alone is too much pushes nothing out"


def test_a_trace_by_its_id_or_the_start_of_it() -> None:
    ring = filled()
    ring.offer(batch(THIRD, edge(9, 20)), 1)
    for start, found in (
        (FIRST, [FIRST]),
        (FIRST.upper(), [FIRST]),
        (f" {SECOND[:7]} ", [SECOND]),
        ("aaaaaaaa", [THIRD, FIRST]),
        ("f" * 32, []),
    ):
        assert [trace.trace_id for trace in ring.reading().traces(start)] == found
    assert len(ring.reading().traces(FIRST)[0].spans) == 2


@pytest.mark.parametrize("wrong", ["", "aaaaa", "last", "a" * 33, "../aaaaaa"])
def test_what_is_no_id_is_said(wrong: str) -> None:
    with pytest.raises(TraceIdError, match="is no trace id"):
        filled().reading().traces(wrong)


def test_a_batch_that_is_none_hides_no_other() -> None:
    ring = filled()
    ring.offer(b"\xff\xff\xff" + bytes.fromhex(FIRST), 7)
    ring.offer(b"", 0)
    assert ids(ring, None) == [(SECOND, 1), (FIRST, 2)]
    assert len(ring.reading().traces(FIRST)) == 1


async def test_who_waits_wakes_with_the_next_batch() -> None:
    ring = filled()
    await ring.wait_after(2, 30)  # returns at once: there is something
    waiting = asyncio.create_task(ring.wait_after(3, 30))
    await asyncio.sleep(0)
    assert not waiting.done()
    ring.offer(batch(SECOND, edge(4)), 1)
    await waiting
    assert ids(ring, 3) == [(SECOND, 1)]


async def test_who_waits_for_nothing_is_let_go() -> None:
    await SpanRing().wait_after(0, 0.001)
