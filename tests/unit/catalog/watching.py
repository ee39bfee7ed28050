"""What the tests of the watches share: watches that run, and what they told."""

import asyncio
import random
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

from catalog.client import ConsulClient
from catalog.liveness import Probing
from catalog.update import KvUpdate, Staleness, Update
from catalog.watches import Watches
from tests.support import wait_until
from tests.support.fake_consul import FakeConsul

QUICK = Probing(every_s=0.2, timeout_s=60.0, failing_s=0.05)
"""No pause of a busy machine is an outage, and what hangs is none either."""
HASTY = Probing(every_s=0.2, timeout_s=0.2, failing_s=0.05)
"""For tests in which Consul hangs."""
PATIENCE_S = 30.0


@dataclass(slots=True)
class Told:
    """Every update so far, in order."""

    watches: Watches
    client: ConsulClient
    updates: list[Update] = field(default_factory=list)

    def of(self, kind: type[Update], prefix: str = "") -> list[Update]:
        return [
            update
            for update in self.updates
            if isinstance(update, kind) and (not prefix or getattr(update, "prefix", "") == prefix)
        ]

    def values(self, prefix: str = "mesh/") -> list[dict[str, bytes]]:
        """What stood under the prefix, answer by answer."""
        return [
            {entry.key: entry.value for entry in update.entries}
            for update in self.updates
            if isinstance(update, KvUpdate) and update.prefix == prefix
        ]

    @property
    def is_stale(self) -> bool:
        told = [update for update in self.updates if isinstance(update, Staleness)]
        return bool(told) and told[-1].since is not None

    async def until(
        self, condition: Callable[[], object], what: str, timeout: float = PATIENCE_S
    ) -> None:
        await wait_until(
            condition, timeout, what=f"{what}; told {self.updates[-3:]}", interval=0.002
        )


@asynccontextmanager
async def watching(
    fake: FakeConsul,
    *,
    token: str | None = None,
    wait_s: int = 300,
    timeout_s: float = PATIENCE_S,
    is_complete: bool = True,
    probing: Probing = QUICK,
) -> AsyncIterator[Told]:
    async with ConsulClient(fake.address, token, timeout_s=timeout_s) as client:
        updates: list[Update] = []
        watches = Watches(
            client,
            "node-1",
            updates.append,
            jitter=random.Random(7),
            wait_s=wait_s,
            probing=probing,
        )
        running = asyncio.create_task(watches.run())
        try:
            if is_complete:
                await asyncio.wait_for(watches.first_complete.wait(), PATIENCE_S)
            yield Told(watches, client, updates)
        finally:
            running.cancel()
            with suppress(asyncio.CancelledError):
                await running
