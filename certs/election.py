"""Which node signs: one lock in the store, held by a session of the signer's own. Signs nothing and proves nothing."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from pathlib import Path

from .canonical import Fields, canonical, parse_object
from .errors import CertificateError, DocumentError, PrivateFileError, StoreError
from .files import read_checked, remove, with_checksum, write_private
from .keys import SIGNER_KEY
from .settings import CertificateSettings
from .store import Entry, GuardedStore

log = logging.getLogger(__name__)

SESSION_NAME = "meshnode signer"
SCHEMA = 1


class Election:
    """One node's part in it.

    The session is apart from the node's status session: losing the lock must not take the status away, and this one
    keeps a lock delay. Its id is kept on disk, so that a restarted agent goes on where it was instead of waiting for
    its own death.
    """

    def __init__(
        self, store: GuardedStore, node: str, settings: CertificateSettings, session_file: Path
    ) -> None:
        self._store = store
        self._node = node
        self._settings = settings
        self._session_file = session_file
        self._session: str | None = None
        self._is_old_session_read = False
        self.is_elected = False

    async def step(self, lock: Entry | None) -> bool:
        """Whether this node is the signer, after trying to be while nobody is. Raises StoreError.

        `lock` is the entry of SIGNER_KEY as last seen.
        """
        await self._take_up_old_session()
        holder = lock.session if lock else None
        if self.is_elected and holder in (self._session, None):
            # None: the key was deleted, or this entry is older than our acquiring it; acquiring again says which.
            if holder is None:
                self.is_elected = await self._acquire()
            return self.is_elected
        self.is_elected = False
        if holder is not None and holder != self._session:
            await self._leave_session()
            return False
        if await self._acquire():
            self.is_elected = True
            log.info("this node signs the mesh's certificates")
        else:
            # A lock delay, somebody quicker, or a session that is dead: the last is worth knowing at once.
            await self.renew()
        return self.is_elected

    @property
    def session(self) -> str | None:
        """The session that holds the lock; None while this node is not elected."""
        return self._session if self.is_elected else None

    async def renew(self) -> bool:
        """Keeps the session alive; False when it is gone, and with it the lock. Raises StoreError."""
        session = self._session
        if session is None:
            return True
        if await self._store.session_renew(session):
            return True
        if self._session == session:
            self._forget()
        return False

    async def resign(self) -> None:
        """Gives the lock back, so that another may take it without delay. Never raises a StoreError."""
        session, was_elected = self._session, self.is_elected
        self._forget()
        if session is None:
            return
        with contextlib.suppress(StoreError):
            if was_elected:
                await self._store.kv_release(SIGNER_KEY, b"", session)
            await self._store.session_destroy(session)

    async def _acquire(self) -> bool:
        session = self._session or await self._make_session()
        # Always the same bytes: acquiring what is held already changes nothing and wakes nobody.
        value = canonical({"schema": SCHEMA, "node": self._node})
        return await self._store.kv_put(SIGNER_KEY, value, acquire=session)

    async def _make_session(self) -> str:
        session = await self._store.session_create(
            f"{SESSION_NAME} {self._node}",
            ttl_s=self._settings.signer_ttl_s,
            behavior="release",
            lock_delay_s=self._settings.lock_delay_s,
        )
        self._session = session
        try:
            body = {"schema": SCHEMA, "session": session}
            await asyncio.to_thread(write_private, self._session_file, with_checksum(body))
        except PrivateFileError as error:
            log.warning("a restarted agent will wait for this one's lock to end: %s", error)
        return session

    async def _take_up_old_session(self) -> None:
        """The session of this node's last agent, if it still lives."""
        if self._is_old_session_read:
            return
        try:
            body = read_checked(self._session_file)
            session = Fields(body).text("session") if body else None
        except (PrivateFileError, DocumentError) as error:
            log.warning("the last signer session is not taken up: %s", error)
            session = None
        if session and await self._store.session_renew(session):
            self._session = session
        self._is_old_session_read = True

    async def _leave_session(self) -> None:
        """Somebody else is the signer: a session for nothing would only be renewed for nothing."""
        session = self._session
        self._forget()
        if session is not None:
            await self._store.session_destroy(session)

    def _forget(self) -> None:
        self._session = None
        self.is_elected = False
        with contextlib.suppress(CertificateError):
            remove(self._session_file)


def holder_of(lock: Entry | None) -> str | None:
    """The node that holds the lock, by its own word; None while nobody does."""
    if lock is None or lock.session is None:
        return None
    try:
        return Fields(parse_object(lock.value)).text("node")
    except DocumentError:
        return "an unknown node"
