"""One node's catalog side as an agent runs it, for tests on a real Consul: watches, registration, session, status."""

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from catalog import (
    CatalogError,
    Change,
    ConsulClient,
    KvUpdate,
    NodeRegistration,
    NodeStatus,
    Registration,
    SessionKeeper,
    StatusReader,
    StatusWriter,
    Update,
    Watches,
)
from certs import NodeKey, session_name_of, verify_signature
from tests.support import ConsulCluster, wait_until

MOST_CONNECTIONS = 8


@dataclass(slots=True)
class Node:
    """One node's catalog side, as an agent runs it: watches, registration, session, status."""

    name: str
    client: ConsulClient
    key: NodeKey
    watches: Watches
    registration: Registration
    sessions: SessionKeeper
    status: StatusWriter
    updates: list[Update] = field(default_factory=list)
    troubles: list[CatalogError | None] = field(default_factory=list)

    def last(self, kind: type[Update]) -> Update | None:
        return next((update for update in reversed(self.updates) if isinstance(update, kind)), None)

    def keys(self, prefix: str = "mesh/") -> dict[str, bytes]:
        for update in reversed(self.updates):
            if isinstance(update, KvUpdate) and update.prefix == prefix:
                return {entry.key: entry.value for entry in update.entries}
        return {}

    def kv(self, prefix: str) -> KvUpdate:
        return next(
            update
            for update in reversed(self.updates)
            if isinstance(update, KvUpdate) and update.prefix == prefix
        )

    async def until(
        self, condition: Callable[[], object], what: str, timeout: float = 30.0
    ) -> None:
        await wait_until(condition, timeout, what=what, interval=0.002)


@asynccontextmanager
async def running(
    consul: ConsulCluster,
    folder: Path,
    name: str = "node-1",
    *,
    token: str | None = None,
    edge_port: int | None = None,
) -> AsyncIterator[Node]:
    """The node's tasks run until the block ends; then they are cancelled, as by a SIGKILL: nothing is said goodbye."""
    jitter = random.Random(5)
    key = NodeKey.load_or_create(state_folder(folder) / "node.key")
    address = consul.http_address(name)
    async with ConsulClient(address, consul.token if token is None else token) as client:
        updates: list[Update] = []
        troubles: list[CatalogError | None] = []
        sessions = SessionKeeper(
            client,
            name=key.session_name,
            node=name,
            path=folder / "session",
            on_trouble=troubles.append,
            jitter=jitter,
        )
        status = StatusWriter(
            client,
            sessions,
            name,
            public_key=key.public_key,
            sign=key.sign,
            on_trouble=troubles.append,
            jitter=jitter,
        )

        def on_update(update: Update) -> None:
            updates.append(update)
            if isinstance(update, KvUpdate) and update.prefix == "meshnode/status/":
                status.seen(update.entries)

        watches = Watches(client, name, on_update, jitter=jitter)
        wanted = NodeRegistration(
            mesh_port=7443, edge_port=edge_port, meta=(("meshnode-version", "test"),)
        )
        registration = Registration(client, wanted, on_trouble=troubles.append, jitter=jitter)
        runs = (watches.run, registration.run, sessions.run, status.run)
        tasks = [asyncio.create_task(run()) for run in runs]
        node = Node(name, client, key, watches, registration, sessions, status, updates, troubles)
        try:
            await asyncio.wait_for(watches.first_complete.wait(), 10)
            yield node
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


def state_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def status_of(name: str, index: int = 1, digest: str = "") -> NodeStatus:
    return NodeStatus(
        name, 1, index, digest, (Change(index, time.time_ns() // 1_000_000),), ("web",)
    )


def reader(client: ConsulClient) -> StatusReader:
    return StatusReader(client.session_info, verify_signature, session_name_of)
