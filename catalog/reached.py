"""How far the keys of a prefix go: the highest ModifyIndex and the digest over all of them, kept up change by change."""

from __future__ import annotations

from .digests import Gathered
from .keys import key_line
from .middle import middle
from .model import KvEntry


class Reached:
    """`index` and `digest` of the entries told last."""

    def __init__(self) -> None:
        self.index = 0
        self.digest = ""
        self._entries: tuple[KvEntry, ...] = ()
        self._lines = Gathered()

    def update(self, entries: tuple[KvEntry, ...]) -> None:
        """The entries, sorted by key."""
        found = middle(self._entries, entries)
        gone = self._entries[found.start : found.old_end]
        come = entries[found.start : found.new_end]
        self._entries = entries
        stays = {id(entry) for entry in gone} & {id(entry) for entry in come}
        for entry in gone:
            if id(entry) not in stays:
                self._lines.take(key_line(entry))
        for entry in come:
            if id(entry) not in stays:
                self._lines.put(key_line(entry))
        highest = max((entry.modify_index for entry in come), default=0)
        if highest < self.index and any(entry.modify_index == self.index for entry in gone):
            self.index = max((entry.modify_index for entry in entries), default=0)
        self.index = max(self.index, highest)
        self.digest = self._lines.digest()
