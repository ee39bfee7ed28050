"""What keys held once, by history."""

from __future__ import annotations

from catalog import History, KeyChange, KvEntry, Past, PastKeys, Revision, Value

A, B, TEST, OTHER = "mesh/routes/a", "mesh/routes/b", "mesh/tests/x", "mesh/settings"


def entry(key: str, value: str, index: int) -> KvEntry:
    return KvEntry(key, value.encode(), index, index)


def change(new: KvEntry | None, old: KvEntry | None = None, index: int = 0) -> KeyChange:
    one = new or old
    assert one is not None
    values = [None if each is None else Value.of(each) for each in (old, new)]
    return KeyChange(one.key, index or one.modify_index, values[0], values[1])


def history(*changes: KeyChange) -> History:
    return History(
        tuple(Past(one, Revision(f"{one.index:012d}", 0, "n", "n", (one,))) for one in changes)
    )


OLD_A, NEW_A = entry(A, "a.test/ -> cart", 5), entry(A, "a.test/ -> shop", 10)
STANDING = (NEW_A, entry(OTHER, "timeout: 3s", 2), entry(B, "b.test/ -> shop", 12))
ALL = history(
    change(NEW_A, OLD_A),
    change(entry(B, "b.test/ -> cart", 11)),
    change(STANDING[2], entry(B, "b.test/ -> cart", 11)),
    change(entry(TEST, "a.test/ -> shop", 13)),
    change(None, entry(TEST, "a.test/ -> shop", 13), index=14),
)


def held(past: PastKeys, index: int) -> dict[str, int]:
    return {one.key: one.modify_index for one in past.at(index)}


def test_at_each_index_stands_what_stood_then() -> None:
    past = PastKeys(ALL, STANDING)
    assert past.indexes == (9, 10, 11, 12, 13, 14)
    assert held(past, 9) == {A: 5, OTHER: 2}
    assert held(past, 10) == {A: 10, OTHER: 2}
    assert held(past, 13) == {A: 10, B: 12, TEST: 13, OTHER: 2}
    assert past.at(14) == tuple(sorted(past.at(14), key=lambda one: one.key))
    assert held(past, 14) == held(past, 99) == {A: 10, B: 12, OTHER: 2}


def test_what_cannot_be_read_changes_nothing() -> None:
    bad = entry(A, "a.test/ =>", 15)
    past = PastKeys(history(change(NEW_A, OLD_A), change(bad, NEW_A)), (bad,))
    assert past.indexes == (9, 10)
    assert held(past, 15) == {A: 10}
    assert past.last_good([A, B])[A].route.index == 10
    assert past.last_good([A, B]).keys() == {A}


def test_what_nobody_saw_counts_as_what_came_after() -> None:
    unknown = KeyChange(A, 10, None, Value.of(NEW_A), is_old_known=False)
    assert held(PastKeys(history(unknown), (NEW_A,)), 9) == {A: 10}


def test_without_history_nothing_is_known() -> None:
    assert PastKeys(History(), STANDING).indexes == ()
