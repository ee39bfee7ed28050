"""The keys in force under `mesh/`, and what is held back: keys that went all at once, an answer older than the last.

Decides by what Consul answered only; nothing here waits or asks again.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from operator import attrgetter

from .keys import CONFIRM, confirmed_index
from .middle import middle
from .model import KvEntry, Problem
from .update import KvUpdate

HELD_FROM_KEYS = 2
"""Deleting the only key is an everyday thing; two at once is a wiped prefix until a person says otherwise."""

NAMES_SHOWN = 3
"""Of the keys that are held, so many are named in a sentence."""

_key = attrgetter("key")


@dataclass(frozen=True, slots=True)
class Hold:
    """`keys` stand no more and stay in force; they went after `index`, by which CONFIRM says which it means."""

    keys: frozenset[str]
    index: int


@dataclass(frozen=True, slots=True)
class Keys:
    """What counts as written under `mesh/`, sorted by key.

    `consul_index` is X-Consul-Index of the last answer that was taken, `aside` an older answer that waits for a
    second reading.
    """

    entries: tuple[KvEntry, ...] = ()
    consul_index: int = 0
    hold: Hold | None = None
    aside: KvUpdate | None = None


def take(keys: Keys, update: KvUpdate) -> Keys:
    """The keys after an answer for `mesh/`."""
    if update.consul_index < keys.consul_index and not _is_confirmed(keys, update):
        return replace(keys, aside=update)
    hold = _hold(keys, update)
    entries: Iterable[KvEntry] = update.entries
    if hold is not None:
        held = [entry for entry in keys.entries if entry.key in hold.keys]
        entries = sorted((*update.entries, *held), key=_key)
    return Keys(_with_old_objects(keys.entries, tuple(entries)), update.consul_index, hold)


def problems(keys: Keys) -> tuple[Problem, ...]:
    """What is held back, for people."""
    found: list[Problem] = []
    if keys.hold is not None:
        found += [_held(keys.hold), *_unheard(keys, keys.hold)]
    if keys.aside is not None:
        sentence = (
            f"Consul answered with index {keys.aside.consul_index}, older than {keys.consul_index}; "
            "what it said waits for a second reading"
        )
        found.append(Problem("mesh/", keys.aside.consul_index, "warning", sentence))
    return tuple(found)


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


def _hold(keys: Keys, update: KvUpdate) -> Hold | None:
    """What is held after this answer.

    Keys went all at once where none of those that stood does so any more. That the prefix was never seen empty says
    nothing: between two answers it may have been, and one key been put since.
    """
    hold, held = keys.hold, keys.hold.keys if keys.hold else frozenset()
    standing = (entry for entry in keys.entries if entry.key not in held and _counts(entry))
    if not any(_stands_still(entry, update.entries) for entry in standing):
        stood = [one for one in keys.entries if one.key not in held and _counts(one)]
        gone = frozenset(one.key for one in stood if _found(update.entries, one.key) is None)
        if gone and len(stood) >= HELD_FROM_KEYS:
            hold = Hold(gone | held, _last_seen(keys, update))
    if hold is None or _is_meant_so(hold, update.entries):
        return None
    left = frozenset(key for key in hold.keys if _found(update.entries, key) is None)
    return Hold(left, hold.index) if left else None


def _last_seen(keys: Keys, update: KvUpdate) -> int:
    """An index after which the keys went.

    What an earlier run had is from no answer we know the index of, and a Consul that went back counts anew: there it
    is this answer's, so that only what is put from now on can confirm.
    """
    is_known = 0 < keys.consul_index <= update.consul_index
    return keys.consul_index if is_known else update.consul_index


def _is_meant_so(hold: Hold, entries: tuple[KvEntry, ...]) -> bool:
    """Whether a person said so, after they went: not one who meant what went before."""
    confirm = _found(entries, CONFIRM)
    if confirm is None or confirm.modify_index <= hold.index:
        return False
    meant = confirmed_index(confirm)
    return meant is not None and meant >= hold.index


def _stands_still(entry: KvEntry, entries: tuple[KvEntry, ...]) -> bool:
    """Whether a key stood all the time since it was read; one that was made anew was away."""
    now = _found(entries, entry.key)
    return now is not None and now.create_index <= entry.modify_index


def _counts(entry: KvEntry) -> bool:
    """Folder marks, which Consul's UI makes and removes by itself, do not count, and CONFIRM only talks about others."""
    return not entry.key.endswith("/") and entry.key != CONFIRM


def _found(entries: tuple[KvEntry, ...], key: str) -> KvEntry | None:
    at = bisect_left(entries, key, key=_key)
    return entries[at] if at < len(entries) and entries[at].key == key else None


def _held(hold: Hold) -> Problem:
    names = sorted(hold.keys)
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    named = ", ".join(names[:NAMES_SHOWN]) + more
    if len(names) == 1:
        sentence = f"{named} went with all others at once and stays in force until it stands again"
    else:
        sentence = (
            f"{len(names)} keys went at once and stay in force until they stand again: {named}"
        )
    return Problem(
        "mesh/", hold.index, "error", f"{sentence}; if it is meant, run: meshnode confirm"
    )


def _unheard(keys: Keys, hold: Hold) -> tuple[Problem, ...]:
    """Why a confirmation did nothing; what is no number at all is said elsewhere."""
    confirm = _found(keys.entries, CONFIRM)
    if confirm is None or confirm.modify_index <= hold.index:
        return ()
    if (meant := confirmed_index(confirm)) is None:
        return ()
    sentence = (
        f"it means what went before index {meant}, but what is held went after index {hold.index}: "
        "meshnode confirm writes the index that is meant"
    )
    return (Problem(CONFIRM, confirm.modify_index, "error", sentence),)


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
