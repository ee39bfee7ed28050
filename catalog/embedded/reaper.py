"""Deregisters the services whose check is critical for longer than they were registered with."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any

import orjson

from . import service_entries
from .check_form import Definition
from .durations import SECOND_NS
from .errors import StorageFailed
from .store import Store

logger = logging.getLogger(__name__)

# As Consul's: it looks so often, so a service goes up to so much later than it asked for.
REAP_EVERY_S = 30.0


class Reaper:
    """Counts from when it first saw a check critical; a restart of the registry begins anew."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock
        self._since: dict[tuple[str, str], float] = {}

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            try:
                await self.reap()
            except StorageFailed as error:
                logger.warning("a service that was critical for too long stays: %s", error)
            await asyncio.sleep(REAP_EVERY_S)

    async def reap(self) -> None:
        for node, check_id, service_id in self._overdue():
            logger.warning(
                "service %s of %s is deregistered: its check %s was critical for too long",
                service_id,
                node,
                check_id,
            )
            await self._store.write(
                partial(service_entries.delete, node=node, service_id=service_id)
            )

    def _overdue(self) -> list[tuple[str, str, str]]:
        now = self._clock()
        rows = self._store.read(
            lambda reader: reader.rows(
                "SELECT node, id, definition, service_id FROM agent_checks JOIN checks USING (node, id)"
                " WHERE status = 'critical' AND service_id != ''"
            )
        )
        since = {(row["node"], row["id"]): now for row in rows}
        self._since = {key: self._since.get(key, now) for key in since}
        return [
            (row["node"], row["id"], row["service_id"])
            for row in rows
            if _is_over(row, now - self._since[row["node"], row["id"]])
        ]


def _is_over(row: Any, critical_s: float) -> bool:
    limit_ns = Definition.from_json(orjson.loads(row["definition"])).deregister_after_ns
    return bool(limit_ns) and critical_s >= limit_ns / SECOND_NS
