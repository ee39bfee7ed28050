"""The key-value store as this room needs it: its shape, and a guard that bounds every call. Knows nothing of Consul."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence
from typing import Literal, Protocol, TypeVar

from .errors import StoreError

T = TypeVar("T")
Behavior = Literal["delete", "release"]

# Longer than the client's own timeout: this one is only for a client that forgets.
CALL_TIMEOUT_S = 15.0


class Entry(Protocol):
    """One key: the raw value, the index of its last change, and the session that holds it."""

    @property
    def key(self) -> str: ...
    @property
    def value(self) -> bytes: ...
    @property
    def modify_index(self) -> int: ...
    @property
    def session(self) -> str | None: ...
    @property
    def lock_index(self) -> int: ...


class SessionInfo(Protocol):
    """A living session: who made it can't be changed, and its name neither."""

    @property
    def id(self) -> str: ...
    @property
    def name(self) -> str: ...
    @property
    def node(self) -> str: ...


class Store(Protocol):
    """What is asked of the store, as catalog.ConsulClient has it (Consul API: KV, sessions).

    `cas` is a ModifyIndex (0: only if absent), `acquire` and `release` are session ids; a put that its
    condition forbids is False, not an error. Session times are seconds.
    """

    async def kv_get(self, key: str, *, consistent: bool = False) -> Entry | None: ...

    async def kv_list(self, prefix: str) -> Sequence[Entry]: ...

    async def kv_put(
        self,
        key: str,
        value: bytes,
        *,
        cas: int | None = None,
        acquire: str | None = None,
        release: str | None = None,
    ) -> bool: ...

    async def kv_delete(self, key: str, *, cas: int | None = None) -> bool: ...

    async def session_create(
        self, name: str, *, ttl_s: int, behavior: Behavior, lock_delay_s: int
    ) -> str: ...

    async def session_renew(self, session_id: str, /) -> bool: ...

    async def session_destroy(self, session_id: str, /) -> None: ...

    async def session_info(
        self, session_id: str, /, *, consistent: bool = True
    ) -> SessionInfo | None: ...


class GuardedStore:
    """A Store whose every call ends: by its answer, or by a StoreError with the store's own error as its cause.

    `errors` are the kinds the store raises; anything else is a programmer's fault and passes.
    """

    def __init__(
        self,
        store: Store,
        errors: tuple[type[Exception], ...] = (OSError,),
        timeout_s: float = CALL_TIMEOUT_S,
    ) -> None:
        self._store = store
        self._errors: tuple[type[Exception], ...] = (*errors, TimeoutError)
        self._timeout_s = timeout_s

    async def guard(self, what: str, call: Awaitable[T]) -> T:
        """The call's result; `what` names it in the error ("reading meshnode/ca/key")."""
        try:
            async with asyncio.timeout(self._timeout_s):
                return await call
        except self._errors as error:
            raise StoreError(what, error) from error

    async def kv_get(self, key: str, *, consistent: bool = False) -> Entry | None:
        return await self.guard(f"reading {key}", self._store.kv_get(key, consistent=consistent))

    async def kv_put(
        self, key: str, value: bytes, *, cas: int | None = None, acquire: str | None = None
    ) -> bool:
        call = self._store.kv_put(key, value, cas=cas, acquire=acquire)
        return await self.guard(f"writing {key}", call)

    async def kv_release(self, key: str, value: bytes, session: str) -> bool:
        return await self.guard(f"releasing {key}", self._store.kv_put(key, value, release=session))

    async def kv_delete(self, key: str, *, cas: int | None = None) -> bool:
        return await self.guard(f"deleting {key}", self._store.kv_delete(key, cas=cas))

    async def session_create(
        self, name: str, *, ttl_s: int, behavior: Behavior, lock_delay_s: int
    ) -> str:
        call = self._store.session_create(
            name, ttl_s=ttl_s, behavior=behavior, lock_delay_s=lock_delay_s
        )
        return await self.guard(f"making the session {name!r}", call)

    async def session_renew(self, session: str) -> bool:
        return await self.guard(f"renewing session {session}", self._store.session_renew(session))

    async def session_destroy(self, session: str) -> None:
        await self.guard(f"destroying session {session}", self._store.session_destroy(session))

    async def session_info(self, session: str) -> SessionInfo | None:
        call = self._store.session_info(session, consistent=True)
        return await self.guard(f"reading session {session}", call)
