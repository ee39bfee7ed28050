"""The node's own status, put where the others read it: signed, held by its session, written only when it changed."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable

from .backoff import Trouble, persist
from .client import ConsulClient
from .errors import CatalogError, ConsulAnswerError
from .model import KvEntry
from .sessions import SessionKeeper
from .status import STATUS_PREFIX, NodeStatus, Sign, signed

SPACING_S = 1.0
"""The least time between two writes; each wakes every node of the mesh."""
SETTLE_S = 0.02
"""So long after a change the others have it too, and what wakes them takes no processor from it."""


class StatusWriter:
    """Newest wins: a status that was not written yet is replaced by the next."""

    def __init__(
        self,
        client: ConsulClient,
        sessions: SessionKeeper,
        node: str,
        *,
        public_key: str,
        sign: Sign,
        on_trouble: Callable[[CatalogError | None], None],
        jitter: random.Random,
    ) -> None:
        self.writes = 0
        """Puts that were taken, since the start."""
        self._client = client
        self._sessions = sessions
        self._key = STATUS_PREFIX + node
        self._public_key = public_key
        self._sign = sign
        self._trouble = Trouble(on_trouble)
        self._jitter = jitter
        self._offered: NodeStatus | None = None
        self._written: tuple[NodeStatus, str] | None = None
        self._value = b""
        self._wanted = asyncio.Event()
        sessions.subscribe(self._wake_if_new)

    def offer(self, status: NodeStatus) -> None:
        """The node's present status; `session` and `public_key` are filled in here."""
        self._offered = status
        self._wake_if_new()

    def seen(self, entries: tuple[KvEntry, ...]) -> None:
        """What stands under `meshnode/status/` by the watch. If ours is gone or another's, it is written again."""
        if self._written is None:
            return
        ours = next((entry for entry in entries if entry.key == self._key), None)
        if ours is None or ours.value != self._value or ours.session != self._written[1]:
            self._wanted.set()

    async def run(self) -> None:
        """Until cancelled. The first change of a quiet second is written as soon as the others have it too."""
        while True:
            await self._wanted.wait()
            await asyncio.sleep(SETTLE_S)
            is_written = await persist(
                self._write,
                failed=self._trouble.failed,
                interruption=self._client.returned,
                jitter=self._jitter,
            )
            self._trouble.over()
            if is_written:
                await asyncio.sleep(SPACING_S)

    def _wake_if_new(self) -> None:
        session = self._sessions.id
        if self._offered and session and self._written != (self._offered, session):
            self._wanted.set()

    async def _write(self) -> bool:
        """False if there was nothing to write, or no session to write with: a new one comes with a wake."""
        self._wanted.clear()
        status, session = self._offered, self._sessions.id
        if status is None or session is None:
            return False
        if self._written == (status, session) and await self._stands(session):
            return False
        value = signed(status, session, self._public_key, self._sign)
        if await self._client.kv_put(self._key, value, acquire=session):
            self._written, self._value = (status, session), value
            self.writes += 1
            return True
        if await self._client.session_renew(session):
            sentence = "is held by another session: does a second agent run for this node?"
            raise ConsulAnswerError(200, f"{self._key} {sentence}")
        self._sessions.lost(session)
        return False

    async def _stands(self, session: str) -> bool:
        """Whether our last write is still there: the watch that doubts it may have been a step behind."""
        entry = await self._client.kv_get(self._key, consistent=True)
        return entry is not None and (entry.value, entry.session) == (self._value, session)
