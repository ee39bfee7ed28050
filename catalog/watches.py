"""All watches of a node together: runs them, tells each update, and how fresh they are. Decides nothing about content."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from typing import Any

from .backoff import persist
from .canary import LOOK_S, Canary
from .client import ConsulClient
from .default_intention import read_default_intention
from .errors import CatalogError
from .keys import PREFIX
from .liveness import Liveness, Probing
from .sources import (
    IntentionsSource,
    KvSource,
    NodesSource,
    ServicesSource,
    Source,
    UnhealthySource,
)
from .sweep import Sweep
from .update import DefaultIntentionUpdate, KvUpdate, Staleness, Update
from .watch import WAIT_S, Watch

KV_PREFIXES = (PREFIX, "meshnode/status/", "meshnode/ca/")


class Watches:
    """Seven blocking queries, a sweep of the named services, a probe and a canary; `on_update` is called for each change.

    `on_update` is called from the event loop, must not block, and gets each update whole. In the order of one source
    they are in order; between two sources there is none.
    """

    def __init__(
        self,
        client: ConsulClient,
        node: str,
        on_update: Callable[[Update], None],
        *,
        clock: Callable[[], float] = time.time,
        jitter: random.Random | None = None,
        wait_s: int = WAIT_S,
        probing: Probing | None = None,
        canary_s: float = LOOK_S,
    ) -> None:
        """`node` is the Consul node we run on, `clock` gives Unix seconds, `wait_s` how long a query stays open at most.

        `canary_s` is the time between two looks at a key that should stand.
        """
        self.first_complete = asyncio.Event()
        """Set once every watch has answered, with this node's services and the default intention."""
        self._client = client
        self._on_update = on_update
        self._jitter = jitter or random.Random()
        self._liveness = Liveness(
            client,
            on_staleness=on_update,
            on_return=self._redial,
            clock=clock,
            jitter=self._jitter,
            probing=probing or Probing(),
        )
        self._sweep = Sweep(
            client,
            node,
            deliver=on_update,
            failed=lambda error: self._liveness.failed("instances", error),
            recovered=lambda: self._recovered("instances"),
            was_away=self._liveness.was_away,
            jitter=self._jitter,
        )
        self._canary = Canary(client, on_deaf=self._redial, every_s=canary_s)
        self._default: DefaultIntentionUpdate | None = None
        self._default_wanted = asyncio.Event()
        self._default_read = asyncio.Event()
        self._watches = [self._watch(source, wait_s) for source in self._sources()]

    @property
    def staleness(self) -> Staleness:
        """The last one that was told."""
        return self._liveness.staleness

    def name_services(self, names: frozenset[str]) -> None:
        """The services whose instances are wanted, all of them; what is new among them is read at once."""
        self._sweep.name(names)

    async def named_complete(self) -> None:
        """Returns once every named service was read at least once."""
        await self._sweep.complete()

    async def run(self) -> None:
        """Until cancelled. Whatever Consul does is waited out; only a fault of ours ends it."""
        self._default_wanted.set()
        async with asyncio.TaskGroup() as group:
            for watch in self._watches:
                group.create_task(self._repeat(watch), name=f"watch {watch.source.name}")
            group.create_task(self._sweep.run(), name="sweep of the named services")
            group.create_task(self._liveness.run(), name="probe of Consul")
            group.create_task(self._canary.run(), name="canary among the keys")
            group.create_task(self._follow_default(), name="default intention")
            group.create_task(self._complete(), name="first answers")

    def _sources(self) -> list[Source[Any]]:
        reads = self._client.reads
        return [
            *(KvSource(reads, prefix) for prefix in KV_PREFIXES),
            NodesSource(reads),
            IntentionsSource(reads),
            ServicesSource(reads),
            UnhealthySource(reads),
        ]

    def _watch(self, source: Source[Any], wait_s: int) -> Watch[Any]:
        # The catalog wakes with the same body too, and when a wait runs out all is looked at once more.
        is_catalog = isinstance(source, ServicesSource)
        return Watch(
            source,
            self._client,
            deliver=self._told,
            on_answer=self._sweep.catalog_moved if is_catalog else _nothing,
            on_restored=self._redial,
            jitter=self._jitter,
            wait_s=min(wait_s, source.wait_s or wait_s),
        )

    def _told(self, update: Update) -> None:
        if isinstance(update, KvUpdate) and update.prefix == PREFIX:
            self._canary.said(update)
        self._on_update(update)

    async def _repeat(self, watch: Watch[Any]) -> None:
        name = watch.source.name

        def failed(error: CatalogError) -> None:
            self._liveness.failed(name, error)

        while True:
            await persist(
                watch.turn,
                failed=failed,
                interruption=self._client.returned,
                jitter=self._jitter,
            )
            self._recovered(name)

    def _recovered(self, name: str) -> None:
        if self._liveness.recovered(name):
            self._default_wanted.set()  # Consul may be back with another configuration

    def _redial(self) -> None:
        for watch in self._watches:
            watch.redial()

    async def _follow_default(self) -> None:
        while True:
            await self._default_wanted.wait()
            self._default_wanted.clear()
            update = await persist(
                lambda: read_default_intention(self._client),
                failed=lambda error: self._liveness.failed("default intention", error),
                interruption=self._client.returned,
                jitter=self._jitter,
            )
            self._liveness.recovered("default intention")
            if update is not None and update != self._default:
                self._default = update
                self._on_update(update)
            self._default_read.set()

    async def _complete(self) -> None:
        for watch in self._watches:
            await watch.answered.wait()
        await self._sweep.has_local.wait()
        await self._default_read.wait()
        self.first_complete.set()


def _nothing() -> None:
    """A watch whose answers nobody but `deliver` waits for."""
