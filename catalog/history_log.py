"""History as a reader has it: the entries that count in their order, and those that do not with why. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from .history import KeyChange, Revision, SignedRevision, Value, read_revision
from .model import KvEntry

Judge = Callable[[SignedRevision], str | None]
"""Why a signed entry does not count, None if it does."""


@dataclass(frozen=True, slots=True)
class Past:
    """One change with the revision that tells it."""

    change: KeyChange
    revision: Revision

    @property
    def index(self) -> int:
        return self.change.index

    @property
    def key(self) -> str:
        return self.change.key


@dataclass(frozen=True, slots=True)
class History:
    """`changes` oldest first. `refused` are keys under meshnode/history/ that do not count, each with why."""

    changes: tuple[Past, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def begins(self) -> int:
        """The state right after this index, and after each later one, is known. 0 without history."""
        return self.changes[0].index - 1 if self.changes else 0

    def at(self, index: int) -> tuple[Past, ...]:
        """What was changed at this very index: one key, or those of one transaction."""
        return tuple(past for past in self.changes if past.index == index)

    def of(self, key: str) -> tuple[Past, ...]:
        return tuple(past for past in self.changes if past.key == key)

    def last(self) -> Mapping[str, Past]:
        """The last change of each key."""
        return {past.key: past for past in self.changes}

    def state(self, index: int) -> Mapping[str, Value | None]:
        """What each key that was ever changed held after `index`; None: it did not stand. Unknown ones are left out."""
        found: dict[str, Value | None] = {}
        for past in self.changes:
            if past.index <= index:
                found[past.key] = past.change.new
            elif past.key not in found and past.change.is_old_known:
                found[past.key] = past.change.old
        return found

    def index_at(self, unix_ms: int) -> int | None:
        """The last index that was seen at this time or before; None where history begins later."""
        seen = [past.index for past in self.changes if past.revision.seen_unix_ms <= unix_ms]
        return max(seen, default=None)

    def behind(self, entries: Mapping[str, KvEntry]) -> tuple[str, ...]:
        """Keys that were changed after what history tells of them: its writer has not seen it yet."""
        last = self.last()
        high = max((past.index for past in self.changes), default=0)
        newer = [
            key
            for key, entry in entries.items()
            if not key.endswith("/")
            and entry.modify_index > (last[key].index if key in last else high)
        ]
        gone = [
            key for key, past in last.items() if past.change.new is not None and key not in entries
        ]
        return (*newer, *gone)


def history_of(entries: Iterable[KvEntry], judge: Judge) -> History:
    """Of all keys under meshnode/history/."""
    counted: list[Past] = []
    refused: list[tuple[str, str]] = []
    for entry in entries:
        try:
            signed = read_revision(entry)
        except ValueError as error:
            refused.append((entry.key, str(error)))
            continue
        why = judge(signed)
        if why is None:
            counted += [Past(change, signed.revision) for change in signed.revision.changes]
        else:
            refused.append((entry.key, why))
    counted.sort(key=lambda past: (past.index, past.key, past.revision.name))
    return History(tuple(counted), tuple(refused))
