"""Looks whether a key that should stand still does: where it is gone and its watch has not said so, the watch is deaf.

A tree deleted from above (`consul kv delete -recurse mesh`, watched is `mesh/`) leaves the prefix the index of an older
tombstone: the watch's question, which waits for a newer one, sleeps on until somebody puts a key or its wait is over.
Seen on Consul 1.22.0. Reads one key, decides nothing about it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from .client import ConsulClient
from .errors import CatalogError
from .update import KvUpdate

LOOK_S = 10.0
"""Between two looks: so late at the most is such a deletion noticed, for one small request of the leader."""


class Canary:
    """`said` hears the watch of one prefix; `run` looks."""

    def __init__(
        self, client: ConsulClient, *, on_deaf: Callable[[], None], every_s: float = LOOK_S
    ) -> None:
        """`on_deaf` is called for each look that found what the watch does not know."""
        self._client = client
        self._on_deaf = on_deaf
        self._every_s = every_s
        self._key: str | None = None

    def said(self, update: KvUpdate) -> None:
        """What the watch told last: whatever went from above took each of these keys.

        Where all are gone the other prefixes' watches may be the deaf ones: `mesh` is how meshnode/ begins too.
        """
        if self._key is not None and not update.entries:
            self._on_deaf()
        self._key = update.entries[0].key if update.entries else None

    async def run(self) -> None:
        while True:
            await asyncio.sleep(self._every_s)
            await self._look()

    async def _look(self) -> None:
        key = self._key
        if key is None:
            return
        try:
            entry = await self._client.kv_get(key)
        except CatalogError:
            return  # the probe and the watches tell of that
        if entry is None and self._key == key:
            self._on_deaf()
