"""What every source of identities offers the node: this mesh's own CA now, Consul's later. No implementation here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, Protocol

from .identity import Identity
from .store import Entry


@dataclass(frozen=True, slots=True)
class CertificateProblem:
    """Something about certificates that a person should know; `message` stays the same while the cause does.

    `subject` is `ca` or a service's name. An error: there is no valid certificate, or soon none can be made; a
    warning: all is valid still.
    """

    subject: str
    message: str
    severity: Literal["error", "warning"] = "error"


class Provider(Protocol):
    """Identities for the services this node runs; the node hands in what it sees and is called back."""

    def load(self) -> list[Identity]:
        """The identities kept on disk, for a start while Consul is away. Before `run`."""

    async def run(self) -> None:
        """Works until it is cancelled."""

    def want(self, services: frozenset[str]) -> None:
        """Which services need identities, whole; others' are given up."""

    def update(self, entries: Mapping[str, Entry]) -> None:
        """All keys under meshnode/ca/ as a watch last read them, whole."""

    def wake(self) -> None:
        """Something else changed: the node's session, Consul is back."""

    @property
    def trust_domain(self) -> str | None:
        """None until there was a first contact with a CA."""

    @property
    def roots_pem(self) -> str | None: ...

    def problems(self) -> tuple[CertificateProblem, ...]: ...
