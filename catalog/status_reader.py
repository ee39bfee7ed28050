"""Which statuses of other nodes count: signed by the key that their session is bound to, of nodes that are there.

Asks Consul once for each session; a status that does not count is kept with the reason, never silently dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from dataclasses import dataclass

from .facts import SessionInfo
from .model import KvEntry
from .status import STATUS_PREFIX, NodeStatus, SignedStatus, Verify, read_signed

MOST_SESSIONS = 4096
"""So many checked sessions are remembered: four for each of a thousand nodes."""


@dataclass(frozen=True, slots=True)
class Statuses:
    """The statuses that count, and (node, reason) of those that do not; both sorted by node."""

    counted: tuple[NodeStatus, ...] = ()
    refused: tuple[tuple[str, str], ...] = ()

    @property
    def reasons(self) -> Mapping[str, str]:
        """Why a node's status does not count, by node."""
        return dict(self.refused)


class StatusReader:
    """Keeps what it learned of sessions: nobody can change one, and a dead one holds no key any more."""

    def __init__(
        self,
        session_info: Callable[[str], Awaitable[SessionInfo | None]],
        verify: Verify,
        session_name_of: Callable[[str], str],
    ) -> None:
        """`session_info` reads consistently; `session_name_of` gives the Name a session of this public key must have."""
        self._session_info = session_info
        self._verify = verify
        self._session_name_of = session_name_of
        self._proven: dict[tuple[str, str, str], None] = {}

    async def read(self, entries: Iterable[KvEntry], nodes: Collection[str]) -> Statuses:
        """All statuses under `meshnode/status/`. `nodes` are those with a `meshnode` service in the catalog.

        Raises CatalogError when Consul cannot be asked for a session it was not asked for before.
        """
        counted: list[NodeStatus] = []
        refused: list[tuple[str, str]] = []
        for entry in entries:
            try:
                signed = read_signed(entry)
            except ValueError as error:
                refused.append((_node(entry), str(error)))
                continue
            reason = await self._refusal(entry, signed, nodes)
            if reason:
                refused.append((_node(entry), reason))
            else:
                counted.append(signed.status)
        counted.sort(key=lambda status: status.node)
        return Statuses(tuple(counted), tuple(sorted(refused)))

    async def _refusal(
        self, entry: KvEntry, signed: SignedStatus, nodes: Collection[str]
    ) -> str | None:
        """Why it does not count, None if it does."""
        status = signed.status
        if status.node not in nodes:
            return f"no service meshnode is registered on {status.node}"
        if entry.session != status.session:
            return "its session does not hold the key: it was put over, or its node is gone"
        if not self._verify(status.public_key, signed.message, signed.signature):
            return "its signature does not fit its public key"
        return await self._session_refusal(status)

    async def _session_refusal(self, status: NodeStatus) -> str | None:
        proof = (status.session, status.node, status.public_key)
        if proof in self._proven:
            return None
        info = await self._session_info(status.session)
        if info is None:
            return "its session does not live"
        if info.node != status.node:
            return f"its session is one of {info.node}"
        if info.name != self._session_name_of(status.public_key):
            return "its session was made for another key"
        while len(self._proven) >= MOST_SESSIONS:
            del self._proven[next(iter(self._proven))]
        self._proven[proof] = None
        return None


def _node(entry: KvEntry) -> str:
    return entry.key.removeprefix(STATUS_PREFIX)
