"""History without Consul: what two readings give, what is recorded already, and what may be put back."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import (
    History,
    KeyChange,
    KvEntry,
    Past,
    RestoreRefused,
    Revision,
    SignedRevision,
    Value,
    history_of,
    operations,
    rolling_back,
    undoing,
)
from catalog.history import VALUE_MAX_BYTES, message_of, read_revision, revision_name, signed_value
from catalog.history_chain import Recorded, catch_up, look, missing, recorded_in
from catalog.history_writer import PART_BYTES, parts
from catalog.transactions import MOST_BYTES, body

KEY = "mesh/routes/shop"
OTHER = "mesh/routes/other"


def entry(value: str, index: int, key: str = KEY, made: int | None = None) -> KvEntry:
    return KvEntry(key, value.encode(), index, made or index)


def told(
    *each: tuple[KvEntry, ...], recorded: Recorded | None = None, index: int = 100
) -> tuple[KeyChange, ...]:
    """The changes of the last two of the readings."""
    before, after = each[-2:]
    found = look(before, after, consul_index=index, now_ms=1)
    return missing(found, recorded or {}) if found else ()


def revision(*changes: KeyChange, name: str = "000000000100", seen: int = 1) -> Revision:
    return Revision(name, seen, "node-1", "node-1", changes)


def history(*changes: KeyChange) -> History:
    return History(
        tuple(Past(change, revision(change, seen=change.index * 1000)) for change in changes)
    )


def change(old: KvEntry | None, new: KvEntry | None, index: int = 0) -> KeyChange:
    key = (new or old or entry("", 0)).key
    at = new.modify_index if new else index
    before, after = (None if one is None else Value.of(one) for one in (old, new))
    return KeyChange(key, at, before, after)


ONE, TWO, THREE = entry("a", 10), entry("b", 20, made=10), entry("c", 30, made=10)


def test_a_put_a_change_and_a_deletion_are_told() -> None:
    assert told((), (ONE,)) == (KeyChange(KEY, 10, None, Value.of(ONE)),)
    assert told((ONE,), (TWO,)) == (KeyChange(KEY, 20, Value.of(ONE), Value.of(TWO)),)
    assert told((TWO,), (), index=25) == (KeyChange(KEY, 25, Value.of(TWO), None),)


def test_the_same_and_folders_are_no_change() -> None:
    assert told((ONE,), (entry("a", 10),)) == ()
    assert told((), (entry("", 5, "mesh/routes/"),)) == ()


def test_only_what_differs_between_two_readings_is_told() -> None:
    keys = [entry("v", index, f"mesh/routes/{index:03d}") for index in range(100)]
    changed, made = entry("w", 200, keys[20].key), entry("n", 201, "mesh/routes/050-b")
    after = sorted([*keys[:20], changed, *keys[21:70], made, *keys[71:]], key=lambda one: one.key)
    found = told(tuple(keys), tuple(after), index=202)
    assert [(one.key, one.index, one.new is None) for one in found] == [
        (changed.key, 200, False), (made.key, 201, False), (keys[70].key, 202, True),
    ]  # fmt: skip


def test_what_is_recorded_is_not_told_twice() -> None:
    recorded = recorded_in([revision(change(ONE, TWO))])
    assert told((ONE,), (TWO,), recorded=recorded) == ()
    gone = recorded_in([revision(change(TWO, None, index=25))])
    assert told((TWO,), (), recorded=gone) == ()


def test_a_deletion_that_was_followed_by_a_put_is_not_told_late() -> None:
    """A node that becomes the writer remembers two minutes, and the last writer told all of them."""
    recorded = recorded_in([revision(change(ONE, None, index=15), change(None, THREE))])
    assert told((ONE,), (), recorded=recorded, index=15) == ()
    assert told((ONE,), (), recorded=recorded, index=16) == ()
    assert told((THREE,), (), recorded=recorded, index=31) == (change(THREE, None, index=31),)


def test_a_change_stands_on_top_of_the_last_recorded_one() -> None:
    """The writer before saw both puts, this node only the last: 10 → 30 becomes 20 → 30."""
    recorded = recorded_in([revision(change(ONE, TWO))])
    assert told((ONE,), (THREE,), recorded=recorded) == (change(TWO, THREE),)


def test_what_changed_while_nobody_wrote_is_caught_up_with() -> None:
    recorded = recorded_in([revision(change(ONE, TWO), change(None, entry("x", 21, OTHER)))])
    fresh, old = entry("n", 31, "mesh/routes/new"), entry("o", 3, "mesh/routes/old")
    found = catch_up((THREE, fresh, old), recorded, consul_index=40, most=10)
    assert found == (
        change(TWO, THREE),
        change(None, fresh),
        KeyChange(OTHER, 40, Value.of(entry("x", 21, OTHER)), None),
    )
    assert catch_up((THREE, fresh, old), recorded, consul_index=40, most=1) == found[-1:]


def test_what_stood_before_history_is_unknown() -> None:
    (found,) = catch_up((THREE,), {}, consul_index=40, most=10)
    assert (found.old, found.is_old_known) == (None, False)
    with pytest.raises(RestoreRefused, match="nobody saw what stood"):
        undoing(history(found), {KEY: THREE}, None)


@given(st.binary(max_size=300), st.binary(max_size=300))
def test_a_revision_reads_back_as_it_was_written(old: bytes, new: bytes) -> None:
    written = revision(change(KvEntry(KEY, old, 1), KvEntry(KEY, new, 2)))
    value = signed_value(message_of(written, "chain"), "signature")
    signed = read_revision(KvEntry(written.key, value, 9))
    assert (signed.revision, signed.chain, signed.signature) == (written, "chain", "signature")
    assert signed.message == message_of(written, "chain")


@pytest.mark.parametrize("value", [b"", b"{}", b"[]", b"null", b'{"schema":2}', b"\xff", b'{"schema":1,"revision":7}'])  # fmt: skip
def test_garbage_is_no_entry(value: bytes) -> None:
    with pytest.raises(ValueError, match="it is no entry of history"):
        read_revision(KvEntry("meshnode/history/x", value, 1))


def test_an_entry_under_another_key_does_not_count() -> None:
    value = signed_value(message_of(revision(change(None, ONE)), "chain"), "signature")
    found = history_of([KvEntry("meshnode/history/9", value, 1)], lambda _: None)
    assert (found.changes, found.refused[0][1]) == (
        (), "the entry 000000000100 stands at another key"
    )  # fmt: skip


def test_what_the_judge_refuses_is_named_and_not_told() -> None:
    value = signed_value(message_of(revision(change(None, ONE)), "chain"), "signature")

    def judge(signed: SignedRevision) -> str | None:
        return f"{signed.signature} does not fit"

    found = history_of([KvEntry("meshnode/history/000000000100", value, 1)], judge)
    assert found == History((), (("meshnode/history/000000000100", "signature does not fit"),))


def test_secrets_and_long_values_are_kept_by_hash() -> None:
    for held in (
        entry("secret", 1, "mesh/tls/shop.example"),
        entry("x" * (VALUE_MAX_BYTES + 1), 1),
    ):
        value = Value.of(held)
        assert (value.data, len(value.sha256)) == (None, 64)
        assert b"secret" not in message_of(revision(change(None, held)), "")
        newer = KvEntry(held.key, b"newer", 2)
        with pytest.raises(RestoreRefused, match="the hash alone"):
            undoing(history(change(held, newer)), {held.key: newer}, None)


@pytest.mark.parametrize("byte", ["x", '"', "\n", "\0", "ü"])
def test_the_largest_entry_fits_into_a_transaction(byte: str) -> None:
    text = (byte * VALUE_MAX_BYTES).encode()[:VALUE_MAX_BYTES]
    changes = [
        change(KvEntry(f"{KEY}-{number}", text, 1), KvEntry(f"{KEY}-{number}", text, 2))
        for number in range(3)
    ]
    changes += [change(None, entry("x" * 900, 3, f"{OTHER}-{number}")) for number in range(500)]
    cut = parts(changes)
    assert [one for part in cut for one in part] == changes
    for part in cut:
        value = signed_value(message_of(revision(*part), "c" * 1200), "s" * 96)
        written = operations_of(value)
        assert len(written) < MOST_BYTES
    assert PART_BYTES < MOST_BYTES


def operations_of(value: bytes) -> bytes:
    from catalog import KvOperation

    return body([KvOperation("check-session", "meshnode/ca/signer", session="s" * 36), KvOperation("cas", "meshnode/history/000000000100", value)])  # fmt: skip


def test_undo_puts_back_what_stood_there_by_compare_and_set() -> None:
    plan = undoing(history(change(None, ONE), change(ONE, TWO)), {KEY: TWO}, None)
    (operation,) = operations(plan)
    assert operation.to_json() == {
        "KV": {"Verb": "cas", "Key": KEY, "Index": 20, "Value": "YQ=="}
    }  # fmt: skip
    made = operations(undoing(history(change(None, ONE)), {KEY: ONE}, 10))
    assert made[0].to_json() == {"KV": {"Verb": "delete-cas", "Key": KEY, "Index": 10}}
    gone = operations(undoing(history(change(ONE, None, index=15)), {}, 15))
    assert gone[0].to_json()["KV"]["Index"] == 0


def test_undo_never_takes_a_later_change() -> None:
    past = history(change(None, ONE), change(ONE, TWO), change(TWO, THREE))
    with pytest.raises(RestoreRefused, match="was changed after index 20, at index 30"):
        undoing(past, {KEY: THREE}, 20)
    with pytest.raises(RestoreRefused, match="was deleted after index 30"):
        undoing(past, {}, 30)
    with pytest.raises(RestoreRefused, match="no change at index 25; the last before it is 20"):
        undoing(past, {KEY: THREE}, 25)
    with pytest.raises(RestoreRefused, match="nothing to undo"):
        undoing(History(), {}, None)


def test_undo_takes_back_a_whole_transaction() -> None:
    pair = entry("p", 20, OTHER)
    past = history(change(None, ONE), change(ONE, TWO), change(None, pair))
    plan = undoing(past, {KEY: TWO, OTHER: pair}, 20)
    assert [(one.key, one.value and one.value.data) for one in plan] == [(KEY, b"a"), (OTHER, None)]


def test_rollback_brings_every_key_to_how_it_was() -> None:
    other = entry("x", 15, OTHER)
    third = entry("t", 40, "mesh/routes/third")
    past = history(
        change(None, ONE), change(None, other), change(ONE, TWO), change(TWO, THREE),
        change(None, third), change(other, None, index=50),
    )  # fmt: skip
    standing = {KEY: THREE, third.key: third}
    plan = rolling_back(past, standing, 20)
    assert [(one.key, one.index, one.value and one.value.data) for one in plan] == [
        (OTHER, 0, b"x"), (KEY, 30, b"b"), (third.key, 40, None),
    ]  # fmt: skip
    assert rolling_back(past, standing, 50) == ()
    with pytest.raises(RestoreRefused, match="history begins at index 10"):
        rolling_back(past, standing, 3)
    assert past.index_at(30_000) == 30
    assert past.index_at(29_999) == 20
    assert past.index_at(9_999) is None


def test_what_history_does_not_tell_yet_is_found() -> None:
    past = history(change(None, ONE))
    assert past.behind({KEY: ONE}) == ()
    assert past.behind({KEY: TWO}) == (KEY,)
    assert past.behind({}) == (KEY,)
    assert past.behind({KEY: ONE, OTHER: entry("old", 3, OTHER)}) == ()


def test_names_sort_by_index() -> None:
    names = [revision_name(9), revision_name(10), revision_name(10, 1), revision_name(10, 2), revision_name(123456)]  # fmt: skip
    assert sorted(names) == names
    assert orjson.loads(message_of(revision(name=names[0]), ""))["revision"] == names[0]
