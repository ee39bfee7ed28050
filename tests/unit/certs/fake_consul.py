"""A key-value store in memory with Consul's rules for cas, locks, sessions and lock delay, and watches on it.

Faults on demand: `fail` makes every call of one node raise, `hang` makes it wait for ever.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal


@dataclass(frozen=True, slots=True)
class FakeEntry:
    key: str
    value: bytes
    modify_index: int
    session: str | None = None
    lock_index: int = 0


@dataclass(frozen=True, slots=True)
class FakeSession:
    id: str
    name: str
    node: str
    behavior: str
    lock_delay_s: int


Watcher = Callable[[Mapping[str, FakeEntry]], None]


@dataclass(slots=True)
class FakeConsul:
    """`advance` moves its own clock, which only lock delays know."""

    entries: dict[str, FakeEntry] = field(default_factory=dict)
    sessions: dict[str, FakeSession] = field(default_factory=dict)
    services: dict[str, set[str]] = field(default_factory=dict)
    index: int = 0
    writes: list[str] = field(default_factory=list)
    _watchers: dict[str, Watcher] = field(default_factory=dict)
    _ids: itertools.count[int] = field(default_factory=lambda: itertools.count(1))
    _now_s: float = 0.0
    _delayed: dict[str, float] = field(default_factory=dict)

    def store(self, node: str) -> FakeStore:
        return FakeStore(self, node)

    def watch(self, node: str, watcher: Watcher) -> None:
        """The watcher gets all entries soon, and after each change."""
        self._watchers[node] = watcher
        self._show(watcher)

    def unwatch(self, node: str) -> None:
        self._watchers.pop(node, None)

    def advance(self, seconds: float) -> None:
        self._now_s += seconds

    def put(self, key: str, value: bytes) -> None:
        """As `consul kv put` by somebody else: it overwrites what is held, and leaves its session."""
        old = self.entries.get(key)
        if old is not None and old.value == value:
            return
        self._set(replace(old, value=value) if old else FakeEntry(key, value, 0))

    def delete(self, key: str) -> None:
        if self.entries.pop(key, None) is not None:
            self._changed(f"delete {key}")

    def make_session(
        self, name: str, node: str, behavior: str = "delete", lock_delay_s: int = 0
    ) -> str:
        session = f"session-{next(self._ids)}"
        self.sessions[session] = FakeSession(session, name, node, behavior, lock_delay_s)
        return session

    def end_session(self, session: str) -> None:
        """As its TTL, its node's end or a destroy do."""
        ended = self.sessions.pop(session, None)
        if ended is None:
            return
        for entry in [one for one in self.entries.values() if one.session == session]:
            if ended.behavior == "delete":
                self.delete(entry.key)
            else:
                self._set(replace(entry, session=None))
            self._delayed[entry.key] = self._now_s + ended.lock_delay_s

    def acquire(self, key: str, value: bytes, session: str) -> bool:
        old = self.entries.get(key)
        holder = old.session if old else None
        if session not in self.sessions or (holder is not None and holder != session):
            return False
        if holder is None and self._now_s < self._delayed.get(key, 0.0):
            return False
        if holder == session and old is not None and old.value == value:
            return True
        lock_index = (old.lock_index if old else 0) + (holder is None)
        self._set(FakeEntry(key, value, 0, session, lock_index))
        return True

    def _set(self, entry: FakeEntry) -> None:
        self.entries[entry.key] = replace(entry, modify_index=self.index + 1)
        self._changed(f"put {entry.key}")

    def _changed(self, what: str) -> None:
        self.index += 1
        self.writes.append(what)
        for watcher in self._watchers.values():
            self._show(watcher)

    def _show(self, watcher: Watcher) -> None:
        asyncio.get_running_loop().call_soon(watcher, dict(self.entries))


class FakeStore:
    """The store as one node's agent offers it."""

    def __init__(self, consul: FakeConsul, node: str) -> None:
        self.consul = consul
        self.node = node
        self.fault: Literal["fail", "hang"] | None = None
        self.denied_prefix: str | None = None

    async def kv_get(self, key: str, *, consistent: bool = False) -> FakeEntry | None:
        assert isinstance(consistent, bool)
        await self._call()
        return self.consul.entries.get(key)

    async def kv_list(self, prefix: str) -> list[FakeEntry]:
        await self._call()
        return [one for key, one in sorted(self.consul.entries.items()) if key.startswith(prefix)]

    async def kv_put(
        self,
        key: str,
        value: bytes,
        *,
        cas: int | None = None,
        acquire: str | None = None,
        release: str | None = None,
    ) -> bool:
        await self._call(key)
        old = self.consul.entries.get(key)
        if cas is not None and cas != (old.modify_index if old else 0):
            return False
        if acquire is not None:
            return self.consul.acquire(key, value, acquire)
        if release is not None:
            if old is None or old.session != release:
                return False
            self.consul._set(replace(old, value=value, session=None))
            return True
        self.consul.put(key, value)
        return True

    async def kv_delete(self, key: str, *, cas: int | None = None) -> bool:
        await self._call(key)
        old = self.consul.entries.get(key)
        if cas is not None and (old is None or cas != old.modify_index):
            return False
        self.consul.delete(key)
        return True

    async def session_create(
        self, name: str, *, ttl_s: int, behavior: Literal["delete", "release"], lock_delay_s: int
    ) -> str:
        await self._call()
        assert 10 <= ttl_s <= 86_400
        return self.consul.make_session(name, self.node, behavior, lock_delay_s)

    async def session_renew(self, session_id: str) -> bool:
        await self._call()
        return session_id in self.consul.sessions

    async def session_destroy(self, session_id: str) -> None:
        await self._call()
        self.consul.end_session(session_id)

    async def session_info(self, session_id: str, *, consistent: bool = True) -> FakeSession | None:
        assert consistent, "a proof is read consistently"
        await self._call()
        return self.consul.sessions.get(session_id)

    async def services_of(self, node: str) -> frozenset[str]:
        await self._call()
        return frozenset(self.consul.services.get(node, ()))

    async def _call(self, written: str = "") -> None:
        # A call that never yields would hide what can happen in between.
        await asyncio.sleep(0)
        if self.denied_prefix and written.startswith(self.denied_prefix):
            raise ConnectionError("403: permission denied")
        if self.fault == "fail":
            raise ConnectionError("connection refused")
        if self.fault == "hang":
            await asyncio.Event().wait()
