"""What the loop needs of the part that talks to Consul. Only its form: consul_side.py is that part."""

from __future__ import annotations

from typing import Protocol

from catalog import Change, Compiled, NodeFacts, Update
from certs import CertificateProblem

from .facts import Me
from .view import View


class Side(Protocol):
    """None of these blocks or fails."""

    @property
    def me(self) -> Me: ...
    @property
    def trust_domain(self) -> str | None: ...

    def certificate_problems(self) -> tuple[CertificateProblem, ...]: ...

    def facts(self) -> NodeFacts:
        """Who this node is, without its outbound ports."""

    def said(self, update: Update) -> None:
        """Consul said this; what nodes wrote for nodes is in it too."""

    def compiled(self, compiled: Compiled) -> None:
        """Before a table is sent: whose instances must be known."""

    def tell(self, view: View, compiled: Compiled, changes: tuple[Change, ...]) -> None:
        """After it was sent: how this node is."""
