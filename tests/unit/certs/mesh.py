"""Nodes with the built-in CA on one fake Consul, each with a clock of its own."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any, Self

from certs import Builtin, CertificateSettings, Identity, NodeKey
from tests.unit.certs.fake_consul import FakeConsul, FakeStore

NOW = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
# Quick where a person would wait, and no lock delay unless a test is about it.
QUICK = CertificateSettings(
    answer_timeout_s=0.3, retry_initial_s=0.02, retry_max_s=0.2, lock_delay_s=0
)


class Clock:
    """A wall clock that stands until it is moved."""

    def __init__(self, now: datetime = NOW) -> None:
        self.now = now

    def __call__(self) -> datetime:
        return self.now

    def advance(self, **parts: float) -> None:
        self.now += timedelta(**parts)


@dataclass(slots=True)
class Sessions:
    """The node's status session, None while it has none."""

    living: str | None

    def get_living(self) -> str | None:
        return self.living


@dataclass(slots=True)
class Node:
    name: str
    store: FakeStore
    key: NodeKey
    clock: Clock
    builtin: Builtin
    folder: Path
    sessions: Sessions
    identities: list[Identity]
    removed: list[str]
    task: asyncio.Task[None] | None = None

    def identity(self, service: str) -> Identity | None:
        """The newest one handed to the node."""
        found = [one for one in self.identities if one.name == service]
        return found[-1] if found else None

    def messages(self, subject: str | None = None) -> str:
        """All problems, or one subject's, in one text."""
        problems = self.builtin.problems()
        return "\n".join(p.message for p in problems if subject in (None, p.subject))


class Mesh:
    """`async with Mesh(tmp_path) as mesh: node = mesh.node("node-1", services=("web",))`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.consul = FakeConsul()
        self.nodes: dict[str, Node] = {}

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for node in self.nodes.values():
            await self.stop(node)

    def node(self, name: str, *services: str, start: bool = True, **options: Any) -> Node:
        """A node that runs these services, all registered; `options` are Builtin's."""
        folder = self.folder / name
        key = NodeKey.load_or_create(folder / "node.key")
        store = self.consul.store(name)
        sessions = Sessions(self.consul.make_session(key.session_name, name))
        identities: list[Identity] = []
        removed: list[str] = []
        clock = options.pop("clock", None) or Clock()
        options = {"settings": QUICK, "state_folder": folder, **options}
        builtin = Builtin(
            store=store,
            node=name,
            datacenter="dc1",
            node_key=key,
            session=sessions.get_living,
            services_of=store.services_of,
            on_identity=identities.append,
            on_removed=removed.append,
            clock=clock,
            random=Random(1),
            **options,
        )
        node = Node(name, store, key, clock, builtin, folder, sessions, identities, removed)
        self.consul.services[name] = set(services)
        self.nodes[name] = node
        if start:
            self.start(node, *services)
        return node

    def start(self, node: Node, *services: str) -> None:
        node.builtin.load()
        node.builtin.want(frozenset(services))
        self.consul.watch(node.name, node.builtin.update)
        node.task = asyncio.create_task(node.builtin.run())

    async def stop(self, node: Node) -> None:
        """A clean stop."""
        self.consul.unwatch(node.name)
        if node.task is not None:
            node.task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await node.task
            node.task = None

    async def kill(self, node: Node) -> None:
        """As kill -9: nothing it says reaches Consul any more, and its sessions end."""
        node.store.fault = "fail"
        await self.stop(node)
        for session in [one.id for one in self.consul.sessions.values() if one.node == node.name]:
            self.consul.end_session(session)


@contextlib.asynccontextmanager
async def mesh_of(folder: Path, *names: str) -> AsyncIterator[Mesh]:
    """A mesh whose nodes each run a service `web`."""
    async with Mesh(folder) as mesh:
        for name in names:
            mesh.node(name, "web")
        yield mesh
