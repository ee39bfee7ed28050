"""What this node can tell about itself, as one frozen value: the admin API, the status document and the metrics show it.

Never holds a key; made by the loop, read by anybody.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from catalog import ClearEndpoint, Draining, Problem

from ..proxy import Listener

EDGE = "edge"
MESH = "mesh"
EDGE_TLS = "websecure"
"""The listeners every node has the same; all others are outbound, by service."""


@dataclass(frozen=True, slots=True)
class ProxyView:
    """The proxy that runs now. `restarts`: how often one ended since the agent's start."""

    pid: int
    version: str
    started_unix_ms: int
    is_adopted: bool
    restarts: int


@dataclass(frozen=True, slots=True)
class View:
    """The node as it is now. Times are Unix seconds unless they say otherwise; `stale_since` None: what is known is fresh.

    `outbound` is service → `ip:port` of its outbound listener, `certificates` service → end of its certificate.
    """

    version: str
    node: str
    datacenter: str
    trust_domain: str | None
    is_ready: bool
    is_complete: bool
    generation: int
    digest: str
    index: int
    in_force_since: float | None
    stale_since: float | None
    stale_reason: str
    held_back: str | None
    acls_deny: bool | None
    """Consul's ACLs are on and refuse what no policy allows; None: not known yet."""
    proxy: ProxyView | None
    listeners: tuple[Listener, ...]
    services: tuple[str, ...]
    outbound: tuple[tuple[str, str], ...]
    certificates: tuple[tuple[str, int], ...]
    clear: tuple[ClearEndpoint, ...]
    draining: tuple[Draining, ...]
    problems: tuple[Problem, ...]

    @property
    def is_mesh_open(self) -> bool:
        """Other nodes can call this one's services."""
        return any(one.name == MESH and one.state == "open" for one in self.listeners)

    def to_json(self) -> dict[str, Any]:
        """The document of `GET /status`."""
        return {
            "version": self.version,
            "node": self.node,
            "datacenter": self.datacenter,
            "trust_domain": self.trust_domain,
            "is_ready": self.is_ready,
            "is_complete": self.is_complete,
            "generation": self.generation,
            "digest": self.digest,
            "index": self.index,
            "in_force_since": self.in_force_since,
            "stale_since": self.stale_since,
            "stale_reason": self.stale_reason,
            "held_back": self.held_back,
            "acls_deny": self.acls_deny,
            "proxy": None if self.proxy is None else _fields(self.proxy),
            "listeners": {one.name: _fields(one) for one in self.listeners},
            "services": list(self.services),
            "outbound": dict(self.outbound),
            "certificates": dict(self.certificates),
            "clear": [one._asdict() for one in self.clear],
            "draining": [_fields(one) for one in self.draining],
            "problems": [problem.to_json() for problem in self.problems],
        }


def _fields(value: Any) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}
