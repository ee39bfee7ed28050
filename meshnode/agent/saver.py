"""Writes the node's state to disk behind the traffic's back: newest wins, and a full disk is a problem, not an end."""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Callable
from pathlib import Path

from catalog import SnapshotFileError

RETRY_S = 10.0
"""Between two tries to save the same: a disk gets room by somebody's doing, and nobody tells us."""

_log = logging.getLogger("meshnode.saver")


class Saver:
    """`offer()` never blocks; `run()` writes one file after the other in a thread, and again what failed."""

    def __init__(
        self, on_result: Callable[[str, Exception | None], None], *, retry_s: float = RETRY_S
    ) -> None:
        """`on_result(name, error)` is told of each write, in the event loop."""
        self._on_result = on_result
        self._retry_s = retry_s
        self._waiting: dict[str, Callable[[], None]] = {}
        self._failed: dict[str, Callable[[], None]] = {}
        self._is_filled = asyncio.Event()

    def offer(self, name: str, write: Callable[[], None]) -> None:
        """`write` runs in a thread and raises OSError or SnapshotFileError; a write of the same name that did not begin is dropped."""
        self._waiting[name] = write
        self._is_filled.set()

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(self._retry_s if self._failed else None):
                    await self._is_filled.wait()
            except TimeoutError:
                self._waiting = {**self._failed, **self._waiting}
            await self.flush()

    async def flush(self) -> None:
        """Writes what waits."""
        self._is_filled.clear()
        while self._waiting:
            name = next(iter(self._waiting))
            write = self._waiting.pop(name)
            try:
                await asyncio.to_thread(write)
            except (OSError, SnapshotFileError) as error:
                if name not in self._failed:
                    _log.error("%s can not be saved: %s", name, error)
                self._failed[name] = write
                self._on_result(name, error)
            else:
                self._failed.pop(name, None)
                self._on_result(name, None)


def write_private(path: Path, content: bytes) -> None:
    """Replaces the file in one step, readable by this user alone. Raises OSError."""
    scratch = path.with_name(f".{path.name}.new")
    descriptor = os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as opened:
        opened.write(content)
        opened.flush()
        os.fsync(opened.fileno())
    scratch.replace(path)
