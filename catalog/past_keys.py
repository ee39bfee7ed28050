"""What routes and tests held at each index, by history: the last good form of a key that this node never saw. Pure.

A value that cannot be read counts as if it had not been put: what it followed stayed in force.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Mapping

from .forms import Form, form_of
from .history import Value
from .history_log import History
from .keys import ROUTES, TESTS, policy_prefix, route_name
from .model import KvEntry, Problem
from .policies.read import read_entry
from .routes import parse_route

_Held = tuple[int, KvEntry | None]
"""Since which index, and what; None: the key did not stand."""


class PastKeys:
    """`at` an index are all keys as they stood right after it: routes and tests as then, every other key as now."""

    def __init__(self, history: History, entries: Iterable[KvEntry]) -> None:
        """`entries` stand now, and history has caught up with them."""
        self._held = _held(history)
        self._others = tuple(one for one in entries if one.key not in self._held)
        self.indexes = tuple(sorted({at for held in self._held.values() for at, _ in held}))
        """Each at which something else came to stand, the state before the first of them included, oldest first."""

    def at(self, index: int) -> tuple[KvEntry, ...]:
        found = (_at(held, index) for held in self._held.values())
        return tuple(
            sorted((*self._others, *(one for one in found if one)), key=lambda one: one.key)
        )

    def last_good(self, keys: Iterable[str]) -> Mapping[str, Form]:
        """The newest form of each of these routes that can be read, of those that ever had one."""
        found: dict[str, Form] = {}
        for key in keys:
            name, held = route_name(key), self._held.get(key, ())
            entry = held[-1][1] if held else None
            route = parse_route(name, entry) if name and entry else None
            if route is not None and not isinstance(route, Problem):
                found[key] = form_of(route)
        return found


def _held(history: History) -> dict[str, list[_Held]]:
    """By key of a route or test, oldest first."""
    found: dict[str, list[_Held]] = {}
    for past in history.changes:
        key, change = past.key, past.change
        if not key.startswith((ROUTES, TESTS)):
            continue
        held = found.get(key)
        if held is None:
            # What nobody saw counts as what came after it: as no change.
            old = change.old if change.is_old_known else change.new
            held = found[key] = [(history.begins, None)]
            _put(held, history.begins, _entry(key, old))
        _put(held, past.index, _entry(key, change.new))
    return found


def _put(held: list[_Held], index: int, entry: KvEntry | None) -> None:
    if entry is None or _is_good(entry):
        held.append((index, entry))


def _entry(key: str, value: Value | None) -> KvEntry | None:
    """Of a value too long to be kept nothing is known, but it was too long to be read as well."""
    return None if value is None else KvEntry(key, value.data or b"", value.index)


def _is_good(entry: KvEntry) -> bool:
    if (prefix := policy_prefix(entry.key)) is not None:
        return not isinstance(read_entry(prefix, entry), Problem)
    name = route_name(entry.key)
    return name is not None and not isinstance(parse_route(name, entry), Problem)


def _at(held: list[_Held], index: int) -> KvEntry | None:
    at = bisect_right(held, index, key=lambda one: one[0])
    return held[at - 1][1] if at else None
