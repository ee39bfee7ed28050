"""The closed set of what can happen to the agent. Values only: what follows from them is the loop's.

Each has a slot: of two events in one slot the newer replaces the older while that was not taken yet.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from catalog import InstancesUpdate, KvEntry, KvUpdate, PastKeys, Problem, Update

from ..candidate.deciding import Accepted
from ..proxy import RunningProxy
from .side import Side

if TYPE_CHECKING:
    from .edge_secrets import EdgeSecrets


@dataclass(frozen=True, slots=True)
class ConsulReached:
    """Consul answered for the first time: who this node is, and what can now be told to Consul."""

    side: Side


@dataclass(frozen=True, slots=True)
class ConsulSaid:
    """A watch has something new. Whole: it replaces the last of its kind."""

    update: Update


@dataclass(frozen=True, slots=True)
class ConsulComplete:
    """Every watch has answered once: from now on what is compiled is the whole truth."""


@dataclass(frozen=True, slots=True)
class IdentityIssued:
    """A service of this node has a new key and certificate. `document` holds the key: it goes to the proxy alone."""

    name: str
    not_after_unix_s: int
    document: dict[str, Any]

    def __repr__(self) -> str:
        return f"IdentityIssued({self.name!r}, not_after_unix_s={self.not_after_unix_s})"


@dataclass(frozen=True, slots=True)
class IdentityGone:
    """A service is not this node's any more."""

    name: str


@dataclass(frozen=True, slots=True)
class CertificatesChanged:
    """Trust domain, roots or the problems of the certificates may be others than before."""


@dataclass(frozen=True, slots=True)
class EdgeSecretsRead:
    """What this node has of keys for the edge is another now."""

    secrets: EdgeSecrets


@dataclass(frozen=True, slots=True)
class ProxyUp:
    """A proxy answers: a new one, or one that an agent before us started."""

    proxy: RunningProxy


@dataclass(frozen=True, slots=True)
class ProxyDown:
    """It is gone; the supervisor starts the next."""

    sentence: str


@dataclass(frozen=True, slots=True)
class OwnProblem:
    """Something of this node's own is not well, or (None) well again: a right missing, a disk full."""

    subject: str
    problem: Problem | None


@dataclass(frozen=True, slots=True)
class PastKnown:
    """What history tells of these `entries`: how they came to stand, and what was `accepted` right before the newest of them."""

    entries: tuple[KvEntry, ...]
    past: PastKeys
    accepted: Accepted | None


@dataclass(frozen=True, slots=True)
class DrainsCounted:
    """How many requests still run at each endpoint that drains, by service and instance id."""

    counts: Mapping[tuple[str, str], int]


Event = (
    ConsulReached
    | ConsulSaid
    | ConsulComplete
    | IdentityIssued
    | IdentityGone
    | CertificatesChanged
    | EdgeSecretsRead
    | ProxyUp
    | ProxyDown
    | OwnProblem
    | PastKnown
    | DrainsCounted
)


def slot(event: Event) -> Hashable:
    """What the event is about; the newest of a slot is all that counts."""
    match event:
        case ConsulSaid(update=KvUpdate(prefix=prefix)):
            return ("kv", prefix)
        case ConsulSaid(update=InstancesUpdate(service=service)):
            return ("instances", service)
        case ConsulSaid(update=update):
            return type(update).__name__
        case IdentityIssued(name=name) | IdentityGone(name=name):
            return ("identity", name)
        case ProxyUp() | ProxyDown():
            return "proxy"
        case OwnProblem(subject=subject):
            return ("problem", subject)
        case _:
            return type(event).__name__
