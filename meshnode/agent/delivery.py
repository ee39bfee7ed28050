"""Makes the proxy have what it should: the newest table first, then identities. Knows what it has, decides no content.

One caller: the agent's loop. A proxy that is gone is simply not told; the next one gets everything.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from catalog import Changed, Problem, Resources, Snapshot, delta, full, snapshot_from_document

from ..errors import BaseNotInForce, ProxyError, ProxyRefused, ProxyUnreachable
from ..proxy import InForce, Listener, RunningProxy
from .events import IdentityIssued
from .refusal import Culprit, find_culprit, without
from .shown import ShownCertificates

if TYPE_CHECKING:
    from certs import EdgeCertificate

# A table in which more resources than this are refused is no slip of one of them.
REFUSALS_MAX = 16

_log = logging.getLogger("meshnode.delivery")


class Delivery:
    """`wanted` may be set at any time; `settle()` brings it into force."""

    def __init__(self, saved: Snapshot | None) -> None:
        self.wanted = saved
        self.in_force: Snapshot | None = None
        self.identities: dict[str, IdentityIssued] = {}
        self.listeners: tuple[Listener, ...] = ()
        self._table_problems: tuple[Problem, ...] = ()
        self._identity_problems: dict[str, Problem] = {}
        self.proxy: RunningProxy | None = None
        self._refused_digest: str | None = None
        self._reached_digest: str | None = None
        """Of the last wanted table that came into force, be it without what was refused of it."""
        self._delivered: dict[str, IdentityIssued | int] = {}
        self._gone: set[str] = set()
        self._shown = ShownCertificates()

    @property
    def generation(self) -> int:
        """The highest generation anybody has seen."""
        known = [0 if self.proxy is None else self.proxy.version.generation]
        known += [table.generation for table in (self.wanted, self.in_force) if table is not None]
        return max(known)

    @property
    def reachable(self) -> RunningProxy:
        """The proxy. Raises ProxyUnreachable while there is none."""
        if self.proxy is None:
            raise ProxyUnreachable("its socket", "it is being started")
        return self.proxy

    @property
    def problems(self) -> tuple[Problem, ...]:
        """What the proxy refused of what it has now been told."""
        of_certificates = self._shown.problems
        return (*self._table_problems, *self._identity_problems.values(), *of_certificates)

    @property
    def is_settled(self) -> bool:
        """Nothing more is to be told to the proxy."""
        is_told = not self._has_news() and not self._identity_names()
        return self.proxy is not None and is_told and self._shown.is_settled

    @property
    def has_wanted(self) -> bool:
        """The proxy has the table that is wanted, but for single resources it refused; identities may be on their way."""
        if self.proxy is None or self.in_force is None or self.wanted is None:
            return False
        return self.wanted.digest in (self.in_force.digest, self._reached_digest)

    def want(self, digest: str, resources: Resources, changed: Changed | None = None) -> bool:
        """A newer table; False when it is the one that is wanted already. `changed`: since which table what is new."""
        if self.wanted is not None and self.wanted.digest == digest:
            return False
        self.wanted = Snapshot(self.generation + 1, digest, resources, changed)
        self._table_problems, self._refused_digest = (), None
        return True

    def want_certificates(
        self, wanted: Mapping[str, EdgeCertificate], tickets: Mapping[str, Any] | None
    ) -> None:
        """What the edge is to show by host, and what session tickets are sealed with."""
        self._shown.want(wanted, tickets)

    async def proxy_up(self, proxy: RunningProxy, *, is_first: bool) -> None:
        """Finds out what a proxy has. One that was there before us, at our start, may have a newer table than the disk."""
        self.proxy = proxy
        self.in_force = None
        self._refused_digest = self._reached_digest = None
        self._delivered = {}
        self._shown.forget()
        digest = proxy.version.digest
        if digest is None:
            return
        if self.wanted is not None and digest == self.wanted.digest:
            self.in_force = Snapshot(proxy.version.generation, digest, self.wanted.resources)
        else:
            self.in_force = await self._fetch(proxy)
        if is_first and self.in_force is not None:
            self.wanted = self.in_force
        await self._note_identities(proxy)
        await self.look()

    def add_identity(self, identity: IdentityIssued) -> None:
        self.identities[identity.name] = identity
        self._gone.discard(identity.name)

    def remove_identity(self, name: str) -> None:
        """Only what somebody says is gone is taken away: an agent that lost its state must not end calls."""
        self.identities.pop(name, None)
        self._identity_problems.pop(name, None)
        self._gone.add(name)

    def proxy_down(self) -> None:
        self.proxy = None
        self.in_force = None
        self.listeners = ()
        self._delivered = {}
        self._shown.forget()

    async def settle(self) -> bool:
        """Tells the proxy all it lacks; True when a new table came into force. What fails is left for the next time."""
        if self.proxy is None:
            return False
        try:
            if await self._shown.send(self.proxy.client):
                await self.look()
            is_new = await self._send_table(self.proxy) if self._has_news() else False
            await self._send_identities(self.proxy)
        except ProxyError as error:
            # It is either gone, then the supervisor knows, or hangs: then it gets everything once it answers.
            _log.warning("%s", error)
            self.in_force = None
            return False
        return is_new

    async def look(self) -> None:
        """Reads the listeners' states again: they open when their identity is there, and fail and recover alone."""
        if self.proxy is None:
            return
        try:
            self.listeners = await self.proxy.client.listeners()
        except ProxyError as error:
            _log.warning("%s", error)

    def _has_news(self) -> bool:
        if self.wanted is None or self.wanted.digest == self._refused_digest:
            return False
        return self.in_force is None or self.in_force.digest != self.wanted.digest

    async def _send_table(self, proxy: RunningProxy) -> bool:
        """Sends what is wanted; a resource that is refused goes back to its last good form, and all others go on."""
        table, problems = self.wanted, list[Problem]()
        while table is not None and len(problems) < REFUSALS_MAX:
            try:
                answer = await self._put(proxy, table)
            except ProxyRefused as refusal:
                culprit = find_culprit(table.resources, refusal.path)
                problems.append(_refusal_problem(refusal, culprit))
                table = None if culprit is None else without(table, self.in_force, culprit)
                continue
            self.in_force, self.listeners = table, answer.listeners
            self._reached_digest = self.wanted.digest if self.wanted else None
            break
        self._table_problems = tuple(problems)
        self._refused_digest = self.wanted.digest if problems and self.wanted else None
        return table is not None and self.in_force is table

    async def _put(self, proxy: RunningProxy, table: Snapshot) -> InForce:
        if self.in_force is not None:
            try:
                return await proxy.client.put_snapshot(delta(self.in_force, table))
            except BaseNotInForce as refusal:
                _log.warning("%s: it gets the whole table", refusal)
        return await proxy.client.put_snapshot(full(table))

    def _identity_names(self) -> tuple[set[str], set[str]] | None:
        """Names to send and names to take away; None when there are none."""
        send = {
            name
            for name, identity in self.identities.items()
            if self._delivered.get(name) not in (identity, identity.not_after_unix_s)
        }
        take = self._delivered.keys() & self._gone
        return (send, take) if send or take else None

    async def _send_identities(self, proxy: RunningProxy) -> None:
        names = self._identity_names()
        if names is None:
            return
        for name in sorted(names[0]):
            identity = self.identities[name]
            try:
                await proxy.client.put_identity(name, identity.document)
                self._identity_problems.pop(name, None)
            except ProxyRefused as refusal:
                self._identity_problems[name] = Problem(
                    f"certificate {name}", 0, "error", str(refusal)
                )
            self._delivered[name] = identity
        for name in sorted(names[1]):
            await proxy.client.delete_identity(name)
            del self._delivered[name]
        await self.look()

    async def _fetch(self, proxy: RunningProxy) -> Snapshot | None:
        try:
            return snapshot_from_document(await proxy.client.snapshot())
        except (ProxyError, ValueError) as error:
            _log.warning("the table in force can not be read: %s", error)
            return None

    async def _note_identities(self, proxy: RunningProxy) -> None:
        try:
            stats = await proxy.client.stats()
            self._shown.note(stats["certificates"])
            self._delivered = {
                str(one["name"]): int(one["not_after_unix_s"]) for one in stats["identities"]
            }
        except (ProxyError, KeyError, ValueError, TypeError) as error:
            _log.warning("the proxy's identities can not be read: %s", error)


def _refusal_problem(refusal: ProxyRefused, culprit: Culprit | None) -> Problem:
    key, index = ("proxy", 0) if culprit is None else (culprit.key, culprit.index)
    return Problem(key=key, index=index, severity="error", message=str(refusal))
