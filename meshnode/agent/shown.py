"""The certificates that the proxy is told to show, and the keys of its session tickets. Decides none of them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from catalog import Problem

from ..errors import ProxyRefused
from ..proxy import ControlClient

if TYPE_CHECKING:
    from certs import EdgeCertificate


class ShownCertificates:
    """`want` may be called at any time; `send` tells the proxy what differs."""

    def __init__(self) -> None:
        self._wanted: Mapping[str, EdgeCertificate] = {}
        self._tickets: Mapping[str, Any] | None = None
        self._told: dict[str, str] = {}
        """Host → fingerprint of what the proxy has, or has refused."""
        self._told_tickets: Mapping[str, Any] | None = None
        self._refused: dict[str, Problem] = {}

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the proxy refused."""
        return tuple(self._refused.values())

    @property
    def is_settled(self) -> bool:
        return self._tickets == self._told_tickets and self._told == {
            host: one.fingerprint for host, one in self._wanted.items()
        }

    def want(
        self, wanted: Mapping[str, EdgeCertificate], tickets: Mapping[str, Any] | None
    ) -> None:
        self._wanted, self._tickets = wanted, tickets

    def forget(self) -> None:
        """Another proxy, which has nothing."""
        self._told, self._told_tickets, self._refused = {}, None, {}

    def note(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """What a proxy has that was there before us, by its stats."""
        self._told = {str(one["host"]): str(one["fingerprint"]) for one in rows}

    async def send(self, client: ControlClient) -> bool:
        """True when something was told. What is not wanted any more goes last: another may be shown instead by then."""
        if self.is_settled:
            return False
        if self._tickets != self._told_tickets:
            await client.put_ticket_keys(self._tickets or {"keys": []})
            self._told_tickets = self._tickets
        for host, one in self._wanted.items():
            if self._told.get(host) == one.fingerprint:
                continue
            self._refused.pop(host, None)
            try:
                await client.put_certificate(host, one.document())
            except ProxyRefused as refusal:
                name = f"certificate of {host}"
                self._refused[host] = Problem(name, 0, "error", str(refusal))
            self._told[host] = one.fingerprint
        for host in self._told.keys() - self._wanted.keys():
            await client.delete_certificate(host)
            del self._told[host]
        return True
