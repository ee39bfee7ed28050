"""An answer read by what is new in it is the answer read whole, whatever the keys are called."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import ConsulAnswerError, KvEntry, kv_answers, parse
from catalog.middle import middle
from catalog.transport import Answer

# Among them those that look like the place between two entries.
names = st.sampled_from(
    [
        "a",
        "b",
        "c",
        "ab",
        "z",
        'q"},{"LockIndex":',
        "},{",
        "}",
        "ü",
        "\\",
        '"',
        "mesh/",
        "\U0001f600",
    ]
)
contents = st.dictionaries(names, st.tuples(st.binary(max_size=4), st.integers(1, 4)), max_size=8)


def answer(body: bytes, status: int = 200) -> Answer:
    return Answer(status, {"X-Consul-Index": "7"}, body)


def body_of(content: dict[str, tuple[bytes, int]]) -> bytes:
    return orjson.dumps([item(key, *content[key]) for key in sorted(content)])


def item(key: str, value: bytes, index: int) -> dict[str, Any]:
    return {
        "LockIndex": 0,
        "Key": key,
        "Flags": 0,
        "Value": b64encode(value).decode() if value else None,
        "CreateIndex": 1,
        "ModifyIndex": index,
    }


@given(st.lists(contents, min_size=2, max_size=6))
def test_reading_what_is_new_gives_what_reading_all_gives(
    history: list[dict[str, tuple[bytes, int]]],
) -> None:
    body = b""
    entries: tuple[KvEntry, ...] = ()
    for content in history:
        new = body_of(content)
        # A watch reads an answer only where it is another than the last.
        if new == body:
            continue
        entries = kv_answers.read(answer(new), body, entries)
        body = new
        # Values that changed without an index are Consul's word of before.
        assert [entry.key for entry in entries] == sorted(content)
        assert [entry.modify_index for entry in entries] == [
            content[key][1] for key in sorted(content)
        ]


@given(contents, names, st.binary(max_size=3))
def test_one_change_leaves_all_other_entries_the_same_objects(
    content: dict[str, tuple[bytes, int]], name: str, value: bytes
) -> None:
    old = body_of(content)
    before = kv_answers.read(answer(old), b"", ())
    new = body_of({**content, name: (value, 9)})
    after = kv_answers.read(answer(new), old, before)
    assert after == parse.kv_entries(orjson.loads(new))
    kept = {entry.key: entry for entry in before}
    assert all(kept[entry.key] is entry for entry in after if entry.key != name)


def test_only_what_changed_is_decoded() -> None:
    """The entries around the change are never looked at: they could be anything."""
    content = {f"k{number:03}": (b"v", 1) for number in range(100)}
    old = body_of(content)
    new = body_of({**content, "k050": (b"w", 2)})
    before = kv_answers.read(answer(old), b"", ())
    spoilt = [
        body.replace(b'"k049"', b'"k049', 1).replace(b'"k051"', b'"k051', 1) for body in (old, new)
    ]
    after = kv_answers.read(answer(spoilt[1]), spoilt[0], before)
    assert [entry for entry in after if entry.modify_index == 2] == [after[50]]
    assert after[50].value == b"w"


@pytest.mark.parametrize(
    "cut",
    [b"", b"[", b"[]x", b'[{"LockIndex":0}]', b'[{"LockIndex":0,"Key":"a"', b'{"LockIndex":0}'],
)
def test_what_is_no_answer_of_consul_is_an_error_as_before(cut: bytes) -> None:
    old = body_of({"a": (b"1", 1), "b": (b"2", 2)})
    before = kv_answers.read(answer(old), b"", ())
    with pytest.raises(ConsulAnswerError):
        kv_answers.read(answer(cut), old, before)


def test_no_key_at_all_is_no_entry() -> None:
    old = body_of({"a": (b"1", 1)})
    before = kv_answers.read(answer(old), b"", ())
    assert kv_answers.read(answer(b"", 404), old, before) == ()
    assert kv_answers.read(answer(b"[]"), old, before) == ()


@given(st.lists(st.integers(0, 2)).map(tuple), st.lists(st.integers(0, 2)).map(tuple))
def test_the_middle_is_all_that_differs(old: tuple[int, ...], new: tuple[int, ...]) -> None:
    found = middle(old, new)
    assert (*old[: found.start], *new[found.start : found.new_end], *old[found.old_end :]) == new
    assert len(old) - found.old_end == len(new) - found.new_end
    assert found.is_empty == (old == new)
    between = old[found.start : found.old_end], new[found.start : found.new_end]
    if all(between):
        assert between[0][0] != between[1][0]
        assert between[0][-1] != between[1][-1]
