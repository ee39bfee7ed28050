"""The registry as its owner sees it: opened, listening, with its nodes. Puts the nouns together and knows none of their rules."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Collection
from pathlib import Path
from types import TracebackType
from typing import Self

from . import (
    agent,
    agent_health,
    authorize,
    catalog,
    config_entries,
    entries,
    health,
    intentions,
    kv,
    maintenance,
    meta,
    node_entries,
    session_entries,
    sessions,
    txn,
)
from .call import Route
from .checks import Checks
from .dispatch import Table
from .server import Listeners
from .session_timers import SessionTimers
from .shared import Shared
from .store import Store, Writer

ROUTES: tuple[Route, ...] = (
    *kv.ROUTES,
    *sessions.ROUTES,
    *txn.ROUTES,
    *meta.ROUTES,
    *catalog.ROUTES,
    *health.ROUTES,
    *agent.ROUTES,
    *agent_health.ROUTES,
    *maintenance.ROUTES,
    *config_entries.ROUTES,
    *intentions.ROUTES,
    *authorize.ROUTES,
)


class Registry:
    """`async with Registry(path) as registry:` opens the file; `listen` and `add_node` make it a Consul for somebody."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.time) -> None:
        """`clock` gives seconds since 1970."""
        self._store = Store(path, clock)
        self._timers = SessionTimers(self._end_session)
        self._checks = Checks(self._store, clock, random.Random())
        self._shared = Shared(self._store, self._timers, self._checks, clock)
        self._listeners = Listeners(Table(ROUTES), self._shared)

    async def __aenter__(self) -> Self:
        """Raises RegistryError if the file can not be had, or another process has it."""
        self._store.open()
        self._timers.start_all(self._store.read(sessions.ttls))
        await self._checks.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._listeners.close()
        self._timers.close()
        await self._checks.close()
        await self._store.close()

    async def listen(self, host: str, port: int, node: str) -> int:
        """Answers there as the agent of `node`. The port, which is a free one for 0. Raises RegistryError."""
        return await self._listeners.add(host, port, node)

    async def add_node(self, name: str, address: str) -> None:
        """The node stands in the catalog with this address, alive. One that is there already so is left as it is."""
        await self._store.write(lambda writer: catalog.put_node(writer, name, address))

    async def keep_nodes(self, names: Collection[str]) -> None:
        """Every other node leaves the catalog, with its services, checks and sessions."""

        def change(writer: Writer) -> None:
            for node in entries.nodes(writer):
                if node["Node"] not in names:
                    node_entries.delete(writer, node["Node"])

        await self._store.write(change)
        self._checks.drop_gone()

    async def _end_session(self, session: str) -> None:
        await self._store.write(lambda writer: session_entries.lose(writer, session))
