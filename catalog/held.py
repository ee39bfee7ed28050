"""The keys in force under `mesh/`, and what is held back: a prefix emptied at once, an answer older than the last.

Decides by what Consul answered only; nothing here waits or asks again.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from .keys import CONFIRM
from .middle import middle
from .model import KvEntry, Problem
from .update import KvUpdate

HELD_FROM_KEYS = 2
"""Deleting the only key is an everyday thing; two at once is a wiped prefix until a person says otherwise."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What counts as written under `mesh/`.

    `consul_index` is X-Consul-Index of the last answer that was taken. `held` is the index of the answer that had no
    key while the old ones stay, `aside` an older answer that waits for a second reading.
    """

    entries: tuple[KvEntry, ...] = ()
    consul_index: int = 0
    held: int | None = None
    aside: KvUpdate | None = None


def take(keys: Keys, update: KvUpdate) -> Keys:
    """The keys after an answer for `mesh/`."""
    if update.consul_index < keys.consul_index and not _is_confirmed(keys, update):
        return replace(keys, aside=update)
    if not _any_key(update.entries) and _count(keys.entries) >= HELD_FROM_KEYS:
        return replace(keys, consul_index=update.consul_index, held=update.consul_index, aside=None)
    entries = _with_old_objects(keys.entries, update.entries)
    return Keys(entries, update.consul_index)


def problems(keys: Keys) -> tuple[Problem, ...]:
    """What is held back, for people."""
    if keys.held is not None:
        count = _count(keys.entries)
        sentence = (
            f"all {count} keys under mesh/ went at once; they stay in force until any key stands there again, "
            f"such as {CONFIRM}"
        )
        return (Problem("mesh/", keys.held, "error", sentence),)
    if keys.aside is not None:
        sentence = (
            f"Consul answered with index {keys.aside.consul_index}, older than {keys.consul_index}; "
            "what it said waits for a second reading"
        )
        return (Problem("mesh/", keys.aside.consul_index, "warning", sentence),)
    return ()


def _is_confirmed(keys: Keys, update: KvUpdate) -> bool:
    """Whether an older answer is the truth: read from a leader, or seen twice in a row."""
    if update.is_confirmed:
        return True
    aside = keys.aside
    if aside is None:
        return False
    return update.consul_index > aside.consul_index or (
        update.consul_index == aside.consul_index and update.entries == aside.entries
    )


def _count(entries: tuple[KvEntry, ...]) -> int:
    """Keys that are no folder marks, which Consul's UI makes and removes by itself."""
    return sum(1 for entry in entries if not entry.key.endswith("/"))


def _any_key(entries: tuple[KvEntry, ...]) -> bool:
    return any(not entry.key.endswith("/") for entry in entries)


def _with_old_objects(old: tuple[KvEntry, ...], new: tuple[KvEntry, ...]) -> tuple[KvEntry, ...]:
    """The new entries, as the old objects where nothing differs, so that what was made of them is found by identity."""
    found = middle(old, new)
    if found.is_empty:
        return old
    known = {entry.key: entry for entry in old[found.start : found.old_end]}
    between = (
        same
        if (same := known.get(entry.key)) is not None
        and same.modify_index == entry.modify_index
        and same.value == entry.value
        else entry
        for entry in new[found.start : found.new_end]
    )
    return (*old[: found.start], *between, *old[found.old_end :])
