"""Outbound ports: which local service calls out on which port, the same one for as long as the node's state lives.

Pure but for load(); who writes the file is the saver.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import orjson

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class OutboundPorts:
    """`assigned` holds every service that was ever given a port here, so that it finds it again."""

    first: int
    last: int
    assigned: Mapping[str, int]

    def with_services(self, services: Iterable[str], taken: frozenset[int]) -> OutboundPorts:
        """Has a port for each service, keeping off `taken`; self when nothing is new.

        A service's first try is a number made of its name, so that two nodes mostly agree. With the range full a
        service that is not here any more loses its port; with all of them here the last get none.
        """
        here = sorted(set(services))
        wanting = [name for name in here if not self._is_good(self.assigned.get(name), taken)]
        if not wanting:
            return self
        assigned = {name: port for name, port in self.assigned.items() if name not in wanting}
        for name in wanting:
            port = self._free_port(name, assigned, taken) or _reclaim(assigned, here, taken)
            if port is not None:
                assigned[name] = port
        return OutboundPorts(self.first, self.last, assigned)

    def to_json(self) -> bytes:
        return orjson.dumps(
            {"schema": SCHEMA, "ports": dict(self.assigned)}, option=orjson.OPT_SORT_KEYS
        )

    def _is_good(self, port: int | None, taken: frozenset[int]) -> bool:
        return port is not None and self.first <= port <= self.last and port not in taken

    def _free_port(
        self, name: str, assigned: Mapping[str, int], taken: frozenset[int]
    ) -> int | None:
        used = taken.union(assigned.values())
        size = self.last - self.first + 1
        start = int.from_bytes(hashlib.sha256(name.encode()).digest()[:8]) % size
        ports = (self.first + (start + step) % size for step in range(size))
        return next((port for port in ports if port not in used), None)


def _reclaim(assigned: dict[str, int], here: list[str], taken: frozenset[int]) -> int | None:
    for name in sorted(assigned):
        if name not in here and assigned[name] not in taken:
            return assigned.pop(name)
    return None


def load(path: Path, first: int, last: int) -> OutboundPorts:
    """What was saved; nothing where the file is missing or is no such file (the numbers mostly come back by name)."""
    try:
        document = orjson.loads(path.read_bytes())
        saved = {str(name): int(port) for name, port in document["ports"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        saved = {}
    return OutboundPorts(
        first, last, {n: port for n, port in saved.items() if first <= port <= last}
    )
