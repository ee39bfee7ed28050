"""From two readings of `mesh/` to the changes that history lacks: nothing twice, and each on top of the last. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .history import KeyChange, Revision, Value
from .middle import middle
from .model import KvEntry

Recorded = Mapping[str, tuple[int, Value | None]]
"""Of each key the index of its last recorded change, and what it held after it (None: it was deleted)."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found changed at `seen_unix_ms`: pairs of what stood there and what stands there."""

    consul_index: int
    seen_unix_ms: int
    pairs: tuple[tuple[KvEntry | None, KvEntry | None], ...]


def look(
    before: tuple[KvEntry, ...], after: tuple[KvEntry, ...], *, consul_index: int, now_ms: int
) -> Look | None:
    """The difference of two readings sorted by key, None where there is none. Folder marks, which people's tools make, are none.

    A put of the same value changes no index and is not seen. Costs what changed, and a comparison of two lists.
    """
    found = middle(before, after)
    old = {entry.key: entry for entry in before[found.start : found.old_end]}
    new = {entry.key: entry for entry in after[found.start : found.new_end]}
    pairs: list[tuple[KvEntry | None, KvEntry | None]] = [
        (old.get(key), entry) for key, entry in new.items() if old.get(key) != entry
    ]
    pairs += [(entry, None) for key, entry in old.items() if key not in new]
    chosen = tuple(pair for pair in pairs if not _key(pair).endswith("/"))
    return Look(consul_index, now_ms, chosen) if chosen else None


def missing(seen: Look, recorded: Recorded) -> tuple[KeyChange, ...]:
    """The changes of a look that are not recorded, oldest first, each on top of what is."""
    found = [change for pair in seen.pairs if (change := _change(pair, seen, recorded))]
    return tuple(sorted(found, key=lambda change: (change.index, change.key)))


def catch_up(
    entries: Iterable[KvEntry], recorded: Recorded, *, consul_index: int, most: int
) -> tuple[KeyChange, ...]:
    """What must have changed while nobody wrote: the newest `most`, oldest first.

    A key that was never recorded and is older than all that was is not a change: it stood there before history
    began, or history has forgotten it.
    """
    high = max((index for index, _ in recorded.values()), default=0)
    there = {entry.key: entry for entry in entries if not entry.key.endswith("/")}
    # A tree that is deleted from above leaves the prefix an older index; it went after all that was put.
    gone_at = max(consul_index, high + 1)
    found = [
        _on_top(entry, recorded.get(entry.key))
        for entry in there.values()
        if entry.modify_index > recorded.get(entry.key, (high, None))[0]
    ]
    found += [
        KeyChange(key, gone_at, value, None)
        for key, (_, value) in recorded.items()
        if value is not None and key not in there
    ]
    return tuple(sorted(found, key=lambda change: (change.index, change.key))[-most:])


def recorded_in(revisions: Iterable[Revision]) -> dict[str, tuple[int, Value | None]]:
    """The last recorded change of each key."""
    found: dict[str, tuple[int, Value | None]] = {}
    for revision in revisions:
        for change in revision.changes:
            if change.index >= found.get(change.key, (0, None))[0]:
                found[change.key] = change.index, change.new
    return found


def _change(
    pair: tuple[KvEntry | None, KvEntry | None], seen: Look, recorded: Recorded
) -> KeyChange | None:
    """The change of one key, None where it is recorded already."""
    old, new = pair
    last = recorded.get(_key(pair))
    if new is not None:
        if last is not None and last[0] >= new.modify_index:
            return None
        if last is None and old is not None:
            return KeyChange(new.key, new.modify_index, Value.of(old), Value.of(new))
        return _on_top(new, last)
    assert old is not None  # a pair has a side
    if last is None:
        return KeyChange(old.key, seen.consul_index, Value.of(old), None)
    index, value = last
    is_gone = value is None and index >= old.modify_index
    if is_gone or index >= seen.consul_index:
        return None  # recorded, as this deletion or by what was put after it
    return KeyChange(old.key, max(seen.consul_index, index + 1), value or Value.of(old), None)


def _on_top(entry: KvEntry, last: tuple[int, Value | None] | None) -> KeyChange:
    """A put on top of the last recorded change; without one, what stood before is known only of a key that was made by it."""
    new = Value.of(entry)
    if last is not None:
        return KeyChange(entry.key, entry.modify_index, last[1], new)
    is_made = entry.create_index == entry.modify_index
    return KeyChange(entry.key, entry.modify_index, None, new, is_old_known=is_made)


def _key(pair: tuple[KvEntry | None, KvEntry | None]) -> str:
    entry = pair[0] or pair[1]
    assert entry is not None  # a pair has a side
    return entry.key
