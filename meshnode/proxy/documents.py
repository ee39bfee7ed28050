"""What the proxy answers on its control socket, as values; docs/boundary.md has the forms. No I/O here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, Self

PROTOCOL = 3
"""The number of docs/boundary.md that this agent speaks."""

ListenerState = Literal["open", "waiting", "failed"]


@dataclass(frozen=True, slots=True)
class ProxyVersion:
    """`GET /v1/version`: who answers, and what it has in force."""

    protocol: int
    version: str
    pid: int
    generation: int
    digest: str | None
    started_unix_ms: int
    identities: tuple[str, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            protocol=int(document["protocol"]),
            version=str(document["version"]),
            pid=int(document["pid"]),
            generation=int(document["generation"]),
            digest=document["digest"],
            started_unix_ms=int(document["started_unix_ms"]),
            identities=tuple(document["identities"]),
        )


@dataclass(frozen=True, slots=True)
class Listener:
    """One listener as the proxy has it: `waiting` for its identity, or `failed` with a sentence and tried again."""

    name: str
    state: ListenerState
    address: str
    error: str | None

    @classmethod
    def all_from_json(cls, document: Mapping[str, Any]) -> tuple[Self, ...]:
        """Sorted by name."""
        return tuple(
            cls(name, value["state"], value["address"], value.get("error"))
            for name, value in sorted(document.items())
        )


@dataclass(frozen=True, slots=True)
class InForce:
    """What a `PUT /v1/snapshot` brought into force."""

    generation: int
    digest: str
    listeners: tuple[Listener, ...]

    @classmethod
    def from_json(cls, document: Mapping[str, Any]) -> Self:
        return cls(
            generation=int(document["generation"]),
            digest=str(document["digest"]),
            listeners=Listener.all_from_json(document["listeners"]),
        )


@dataclass(frozen=True, slots=True)
class SpanBatch:
    """One encoded OTLP ExportTraceServiceRequest and how many spans it holds."""

    body: bytes
    spans: int
