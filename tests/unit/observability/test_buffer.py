"""The bounded buffer: what it holds is bounded, what it drops is counted, what it joins is one message."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from observability.buffer import Batch, SpanBuffer
from tests.unit.observability.receivers import batch, span_names


def test_batches_come_out_joined_and_in_order() -> None:
    buffer = SpanBuffer()
    for name in ("a", "b", "c"):
        assert buffer.put(Batch(batch(name), 1)) == 0
    taken = buffer.take()
    assert taken is not None
    assert span_names(taken.data) == ["a", "b", "c"]
    assert taken.spans == 3
    assert buffer.take() is None
    assert buffer.bytes == 0


def test_the_oldest_are_dropped_and_counted() -> None:
    size = len(batch("a"))
    buffer = SpanBuffer(max_bytes=2 * size)
    dropped = [buffer.put(Batch(batch(name), 10)) for name in "abcd"]
    assert dropped == [0, 0, 10, 10]
    taken = buffer.take()
    assert taken is not None
    assert span_names(taken.data) == ["c", "d"]


def test_too_many_small_batches_are_dropped_too() -> None:
    buffer = SpanBuffer(max_batches=2)
    assert [buffer.put(Batch(b"x", 1)) for _ in range(4)] == [0, 0, 1, 1]


def test_a_batch_that_alone_is_too_much_pushes_nothing_out() -> None:
    buffer = SpanBuffer(max_bytes=100)
    buffer.put(Batch(b"x" * 90, 1))
    assert buffer.put(Batch(b"y" * 101, 7)) == 7
    assert buffer.take() == Batch(b"x" * 90, 1)


def test_messages_are_not_joined_beyond_their_limit() -> None:
    buffer = SpanBuffer(max_message_bytes=100)
    for _ in range(3):
        buffer.put(Batch(b"x" * 60, 1))
    assert [len(taken.data) for taken in iter(buffer.take, None)] == [60, 60, 60]


@given(st.lists(st.integers(1, 50), max_size=60))
def test_nothing_is_lost_uncounted_and_the_bounds_hold(sizes: list[int]) -> None:
    buffer = SpanBuffer(max_bytes=200, max_batches=10, max_message_bytes=80)
    dropped = 0
    for size in sizes:
        dropped += buffer.put(Batch(b"x" * size, size))
        assert buffer.bytes <= 200
        assert len(buffer) <= 10
    left = sum(taken.spans for taken in iter(buffer.take, None))
    assert dropped + left == sum(sizes)
