"""Since when each check does not pass, as this node heard of it: Consul keeps no such time. Asks nobody."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from catalog import UnhealthyCheck

At = tuple[str, str]
"""Node and check id; Consul has each once."""


@dataclass(frozen=True, slots=True)
class Unwell:
    """`since` has Unix seconds, and whether the check was so when this node first looked: then it may be older."""

    since: Mapping[At, tuple[float, bool]] = field(default_factory=dict)
    statuses: Mapping[At, str] = field(default_factory=dict)
    is_first: bool = True

    def after(self, checks: tuple[UnhealthyCheck, ...], now_unix_s: float) -> Unwell:
        """What is known after an answer of Consul, which names all checks that do not pass."""
        statuses = {(one.node, one.check_id): str(one.status) for one in checks}
        since = {
            at: self.since[at] if self.statuses.get(at) == status else (now_unix_s, self.is_first)
            for at, status in statuses.items()
        }
        return Unwell(since, statuses, is_first=False)
