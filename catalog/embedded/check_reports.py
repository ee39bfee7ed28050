"""What checks report to the catalog: a status at once, an output alone only now and then, since it changes with every look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable

from . import check_entries, entries
from .probes import Finding
from .store import Store, Writer

# As Consul's: so long a catalog may have an older output of a check whose status stays the same.
OUTPUT_AFTER_S = 300.0

Key = tuple[str, str]
"""Node and check id."""


class Reports:
    """The newest word of each check, of which the catalog may have an older one."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._outputs: dict[Key, str] = {}
        """Newer than what the catalog has."""
        self._written_at: dict[Key, float] = {}
        self._in_writing: Counter[Key] = Counter()
        """Checks whose row is about to change: what can be read of them is old."""

    async def tell(self, node: str, check_id: str, finding: Finding) -> bool:
        """False if the catalog has the check no more. A heartbeat that says nothing new writes nothing."""
        key = (node, check_id)
        there = self._store.read(lambda reader: entries.check(reader, node, check_id))
        if there is None:
            return False
        if there["Status"] == finding.status and not self._in_writing[key]:
            if self.output(node, check_id, there["Output"]) == finding.output:
                return True
            if self._clock() < self._written_at.setdefault(key, self._clock()) + OUTPUT_AFTER_S:
                self._outputs[key] = finding.output
                return True
        return await self._write(key, finding)

    def output(self, node: str, check_id: str, known: str) -> str:
        """The newest output, `known` being the catalog's."""
        return self._outputs.get((node, check_id), known)

    def outputs(self, node: str) -> dict[str, str]:
        """What the catalog does not have yet, by check id."""
        return {key[1]: output for key, output in self._outputs.items() if key[0] == node}

    def forget(self, key: Key) -> None:
        self._outputs.pop(key, None)
        self._written_at.pop(key, None)

    async def _write(self, key: Key, finding: Finding) -> bool:
        self._outputs.pop(key, None)
        self._written_at[key] = self._clock()
        self._in_writing[key] += 1
        try:
            return await self._store.write(lambda writer: _put(writer, key, finding))
        finally:
            self._in_writing[key] -= 1
            if not self._in_writing[key]:
                del self._in_writing[key]


def _put(writer: Writer, key: Key, finding: Finding) -> bool:
    there = entries.check(writer, *key)
    if there is None:
        return False
    del there["CreateIndex"], there["ModifyIndex"]
    check_entries.put(writer, {**there, "Status": finding.status, "Output": finding.output})
    return True
