"""One session that lives as long as this agent, and over a restart of it: made, kept on disk, renewed, made anew.

What proves a node is the session's Name, which is given from outside; nothing here knows keys.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

from .backoff import Interruption, Trouble, persist
from .client import ConsulClient
from .errors import CatalogError

TTL_S = 15
"""Consul ends the session between one and two of these after the last renewal; 10 is the least it takes."""
RENEWALS_PER_TTL = 3


class SessionKeeper:
    """Behavior delete, no lock delay: what it holds goes with it, and may be held again at once after a restart."""

    def __init__(
        self,
        client: ConsulClient,
        *,
        name: str,
        node: str,
        path: Path,
        on_trouble: Callable[[CatalogError | None], None],
        jitter: random.Random,
    ) -> None:
        """`name` is the session's Name, `path` the file its id is kept in."""
        self._client = client
        self._name = name
        self._node = node
        self._path = path
        self._subscribers: list[Callable[[], None]] = []
        self._trouble = Trouble(on_trouble)
        self._jitter = jitter
        self._was_lost = Interruption()
        self._id: str | None = None

    @property
    def id(self) -> str | None:
        """The session that lived at the last renewal; None before the first, and while a lost one is made anew."""
        return self._id

    def subscribe(self, tell: Callable[[], None]) -> None:
        """`tell` is called each time there is a session after there was none."""
        self._subscribers.append(tell)

    def lost(self, session_id: str) -> None:
        """Somebody saw that this session no longer lives."""
        if session_id == self._id:
            self._id = None
            self._was_lost.end()

    async def run(self) -> None:
        """Until cancelled; the session outlives it by its TTL, so that a restart finds it alive."""
        while True:
            await persist(
                self._keep,
                failed=self._trouble.failed,
                interruption=self._client.returned,
                jitter=self._jitter,
            )
            self._trouble.over()
            pause_s = TTL_S / RENEWALS_PER_TTL * (1 - self._jitter.random() / 10)
            await self._was_lost.sleep(pause_s)

    async def destroy(self) -> None:
        """For a node that leaves: what the session holds is deleted at once."""
        if self._id is not None:
            await self._client.session_destroy(self._id)
            self._id = None
        self._path.unlink(missing_ok=True)

    async def _keep(self) -> None:
        if self._id is not None and await self._client.session_renew(self._id):
            return
        self._id = None
        session_id = await self._adopt() or await self._create()
        self._id = session_id
        for tell in self._subscribers:
            tell()

    async def _adopt(self) -> str | None:
        """The session of the run before, if it lives and is what we would make."""
        session_id = _load(self._path)
        if session_id is None:
            return None
        info = await self._client.session_info(session_id)
        if info is None or (info.name, info.node) != (self._name, self._node):
            return None
        return session_id if await self._client.session_renew(session_id) else None

    async def _create(self) -> str:
        """No node check: a gossip hiccup is no reason to lose a status that its agent renews."""
        session_id = await self._client.session_create(
            self._name, ttl_s=TTL_S, behavior="delete", lock_delay_s=0, node=self._node
        )
        _save(self._path, session_id)
        return session_id


def _load(path: Path) -> str | None:
    """None for a file that is missing or holds no id: a new session costs little."""
    try:
        return str(UUID(path.read_text().strip()))
    except (OSError, ValueError):
        return None


def _save(path: Path, session_id: str) -> None:
    """A full disk is no reason to be without a session: it is only not found again after a restart."""
    beside = path.with_suffix(".new")
    try:
        beside.write_text(session_id + "\n")
        beside.replace(path)
    except OSError:
        beside.unlink(missing_ok=True)
