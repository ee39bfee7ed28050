"""The checks the registry runs for its agents: TTL, HTTP, TCP and alias. What they find goes to the catalog by reports.

A check whose catalog entry is gone ends by itself.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from functools import partial
from typing import Any

import aiohttp
import orjson

from . import aliases, entries
from .check_form import MIN_INTERVAL_NS, Definition
from .check_reports import Key, Reports
from .durations import SECOND_NS
from .errors import StorageFailed
from .probes import Finding, Smoothing, probe
from .reaper import Reaper
from .store import Store

logger = logging.getLogger(__name__)

# An alias is looked at anew at least so often.
ALIAS_AGAIN_S = 60.0
# The first look comes within this time after a registration, so that a restart does not ask everybody at once.
FIRST_LOOK_S = 0.5
# A check whose finding the disk did not take begins anew after so long.
DISK_AGAIN_S = 5.0


class Checks:
    """All checks of all agents. `start` it once the store is open."""

    def __init__(self, store: Store, clock: Callable[[], float], jitter: random.Random) -> None:
        self.reports = Reports(store, clock)
        self._store = store
        self._jitter = jitter
        self._reaper = Reaper(store, clock)
        self._runs: dict[Key, asyncio.Task[None]] = {}
        self._beats: dict[Key, asyncio.Event] = {}
        self._session: aiohttp.ClientSession | None = None
        self._reaping: asyncio.Task[None] | None = None

    async def start(self) -> None:
        # Each look is a connection of its own: a service that takes no new ones is not well.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(force_close=True, limit=0),
            headers={"User-Agent": "Consul Health Check", "Accept": "text/plain, text/*, */*"},
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        rows = self._store.read(lambda reader: reader.rows("SELECT * FROM agent_checks"))
        for row in rows:
            self._run((row["node"], row["id"]), _definition(row))
        self._reaping = asyncio.create_task(self._reaper.run())

    async def close(self) -> None:
        tasks = [*self._runs.values(), *([self._reaping] if self._reaping else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._session is not None:
            await self._session.close()

    def restart(self, node: str, check_ids: Collection[str]) -> None:
        """Runs these anew, as they are registered now."""
        rows = self._store.read(
            lambda reader: reader.rows("SELECT * FROM agent_checks WHERE node = ?", node)
        )
        for row in rows:
            if row["id"] in check_ids:
                self._run((row["node"], row["id"]), _definition(row))

    def drop_gone(self) -> None:
        """Ends the runs of checks that were taken from the catalog, and what was known of them."""
        rows = self._store.read(lambda reader: reader.rows("SELECT node, id FROM agent_checks"))
        left = {(row["node"], row["id"]) for row in rows}
        for key in self._runs.keys() - left:
            self._runs.pop(key).cancel()
            del self._beats[key]
            self.reports.forget(key)

    async def beat(self, node: str, check_id: str, finding: Finding) -> None:
        """A TTL check's heartbeat: its time begins anew."""
        beat = self._beats.get((node, check_id))
        if beat is not None:
            beat.set()
        await self.reports.tell(node, check_id, finding)

    def _run(self, key: Key, definition: Definition) -> None:
        old = self._runs.pop(key, None)
        if old is not None:
            old.cancel()
        self.reports.forget(key)
        run = {
            "ttl": self._run_ttl,
            "http": self._run_probe,
            "tcp": self._run_probe,
            "alias": self._run_alias,
        }.get(definition.type)
        if run is None:
            return
        self._beats[key] = asyncio.Event()
        task = asyncio.create_task(_outlasting(partial(run, key, definition), key))
        self._runs[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._runs.get(key) is task:
            del self._runs[key], self._beats[key]
            self.reports.forget(key)
        if not task.cancelled() and task.exception() is not None:
            logger.error("check %s of %s ended", key[1], key[0], exc_info=task.exception())

    async def _run_ttl(self, key: Key, definition: Definition) -> None:
        """Critical when no heartbeat comes in time, and then until one comes."""
        beat, is_there = self._beats[key], True
        while is_there:
            try:
                async with asyncio.timeout(definition.ttl_ns / SECOND_NS):
                    await beat.wait()
            except TimeoutError:
                is_there = await self.reports.tell(*key, Finding("critical", self._expired(key)))
                if is_there:
                    await beat.wait()
            beat.clear()

    def _expired(self, key: Key) -> str:
        there = self._store.read(lambda reader: entries.check(reader, *key))
        last = self.reports.output(*key, there["Output"] if there else "")
        return (
            f"TTL expired (last output before timeout follows): {last}" if last else "TTL expired"
        )

    async def _run_probe(self, key: Key, definition: Definition) -> None:
        assert self._session is not None  # there from start to close
        smoothing = Smoothing(definition)
        interval_s = max(definition.interval_ns, MIN_INTERVAL_NS) / SECOND_NS
        await asyncio.sleep(self._jitter.random() * FIRST_LOOK_S)
        is_there = True
        while is_there:
            finding = await probe(definition, self._session)
            status = smoothing.status(finding)
            if status is not None:
                is_there = await self.reports.tell(*key, Finding(status, finding.output))
            await asyncio.sleep(interval_s)

    async def _run_alias(self, key: Key, definition: Definition) -> None:
        topics = aliases.topics(key[0], definition)
        told: Finding | None = None
        while True:
            finding = self._store.read(lambda reader: aliases.finding(reader, *key, definition))
            if finding == told:
                # Nothing runs between the look and the wait, so no change falls between them.
                await self._store.topics.wait(topics, ALIAS_AGAIN_S)
                told = None
            elif await self.reports.tell(*key, finding):
                told = finding
            else:
                return


async def _outlasting(run: Callable[[], Awaitable[None]], key: Key) -> None:
    """Until it ends by itself; a full disk is not its end."""
    while True:
        try:
            return await run()
        except StorageFailed as error:
            logger.warning("what check %s of %s found could not be kept: %s", key[1], key[0], error)
        await asyncio.sleep(DISK_AGAIN_S)


def _definition(row: Any) -> Definition:
    return Definition.from_json(orjson.loads(row["definition"]))
