"""Writes the node's state to disk behind the traffic's back: newest wins, and a full disk is a problem, not an end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from catalog import SnapshotFileError

PAUSE_SHARE = 20
"""After a write, the same file is left alone for so many times as long as that took: of a burst of changes the last
counts, and saving takes a twentieth of one processor however large the table is."""
PAUSE_MAX_S = 2.0
"""Where agent, proxy and power go at once and Consul is away after that, no later changes than these are lost."""
SETTLE_S = 0.05
"""A change is in force on every node before one of them takes the processor to save it."""
RETRY_S = 10.0
"""Between two tries to save the same: a disk gets room by somebody's doing, and nobody tells us."""

_log = logging.getLogger("meshnode.saver")


class Saver:
    """`offer()` never blocks; `run()` writes one file after the other in a thread, and again what failed."""

    def __init__(
        self,
        on_result: Callable[[str, Exception | None], None],
        *,
        pause_share: float = PAUSE_SHARE,
        retry_s: float = RETRY_S,
    ) -> None:
        """`on_result(name, error)` is told of each write, in the event loop."""
        self._on_result = on_result
        self._pause_share = pause_share
        self._retry_s = retry_s
        self._waiting: dict[str, Callable[[], None]] = {}
        self._not_before: dict[str, float] = {}
        """When a file may be written again, by the loop's clock."""
        self._failed: set[str] = set()
        self._is_offered = asyncio.Event()

    def offer(self, name: str, write: Callable[[], None]) -> None:
        """`write` runs in a thread and raises OSError or SnapshotFileError; a write of the same name that did not begin is dropped."""
        self._waiting[name] = write
        self._is_offered.set()

    async def run(self) -> None:
        while True:
            self._is_offered.clear()
            now = asyncio.get_running_loop().time()
            for name in [name for name in self._waiting if self._not_before.get(name, now) <= now]:
                await self._write(name)
            with suppress(TimeoutError):
                async with asyncio.timeout(self._pause_s()):
                    await self._is_offered.wait()
                    await asyncio.sleep(SETTLE_S)

    def _pause_s(self) -> float | None:
        now = asyncio.get_running_loop().time()
        due = [self._not_before.get(name, now) for name in self._waiting]
        return max(0.0, min(due) - now) if due else None

    async def flush(self) -> None:
        """Writes what waits, once, whatever was written just now."""
        for name in tuple(self._waiting):
            await self._write(name)

    async def _write(self, name: str) -> None:
        write = self._waiting.pop(name)
        began = asyncio.get_running_loop().time()
        error: Exception | None = None
        try:
            await asyncio.to_thread(write)
        except (OSError, SnapshotFileError) as fault:
            error = fault
            if name not in self._failed:
                _log.error("%s can not be saved: %s", name, error)
            self._failed.add(name)
            # What was offered meanwhile is newer.
            self._waiting.setdefault(name, write)
        else:
            self._failed.discard(name)
        ended = asyncio.get_running_loop().time()
        pause_s = min((ended - began) * self._pause_share, PAUSE_MAX_S)
        self._not_before[name] = ended + (pause_s if error is None else self._retry_s)
        self._on_result(name, error)


def write_private(path: Path, content: bytes) -> None:
    """Replaces the file in one step, readable by this user alone. Raises OSError."""
    scratch = path.with_name(f".{path.name}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    scratch.replace(path)
