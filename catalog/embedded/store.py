"""The registry's one file: SQLite in WAL, one thread that writes, reads in the loop's own thread. Knows no noun.

A write is acknowledged once it is on the disk (synchronous=FULL). Writes that wait for the disk together share one
commit; each has an index of its own and is taken back alone if it is refused.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import sqlite3
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from .errors import RegistryError, StorageFailed
from .schema import STEPS
from .topics import Topics

T = TypeVar("T")

LAST = "last"
"""The name under which the index of the last change stands among the indexes."""
# Consul's first writes are its own; an index of 1 means "nothing yet" to its clients.
FIRST_INDEX = 1
# One commit takes so many writes at most, so that the first of a burst does not wait for the last.
MAX_BATCH = 256


class Reader:
    """One consistent view of the file, for the time of a call."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._connection = connection

    def rows(self, sql: str, *values: object) -> list[sqlite3.Row]:
        return self._connection.execute(sql, values).fetchall()

    def row(self, sql: str, *values: object) -> sqlite3.Row | None:
        found: sqlite3.Row | None = self._connection.execute(sql, values).fetchone()
        return found

    def index_of(self, *names: str) -> int:
        """The highest index at which one of these changed; 0 if none ever did."""
        marks = ",".join("?" * len(names))
        found = self.row(f"SELECT max(value) FROM indexes WHERE name IN ({marks})", *names)  # noqa: S608  (marks only)
        return int(found[0] or 0) if found else 0


class Writer(Reader):
    """A Reader that changes things at one `index`; it sees its own changes."""

    def __init__(self, connection: sqlite3.Connection, index: int, now: float) -> None:
        super().__init__(connection)
        self.index = index
        """The index of every change of this write."""
        self.now = now
        """Seconds since 1970."""
        self.bumped: set[str] = set()
        self.topics: set[str] = set()

    def execute(self, sql: str, *values: object) -> int:
        """The number of rows it touched."""
        return self._connection.execute(sql, values).rowcount

    def bump(self, *names: str) -> None:
        """These changed: they have this write's index from now on, and who waits for a topic of that name wakes."""
        self.bumped.update(names)
        self.topics.update(names)

    def wake(self, *topics: str) -> None:
        """Wakes who waits for these, without an index of their own. A change needs a `bump` beside it."""
        self.topics.update(topics)

    def close(self) -> None:
        """Writes the indexes down; the store calls it."""
        for name in (*self.bumped, LAST):
            self.execute(
                "INSERT INTO indexes VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = ?2",
                name,
                self.index,
            )


Change = Callable[[Writer], Any]


@dataclass(slots=True)
class _Waiting:
    change: Change
    done: asyncio.Future[Any]


@dataclass(slots=True)
class _Applied:
    """What became of a batch: for each write its value or its error."""

    outcomes: list[Any] = field(default_factory=list)
    topics: set[str] = field(default_factory=set)


class Store:
    """`open` it in the loop it shall work for; RegistryError if another process has the file."""

    def __init__(self, path: Path, clock: Callable[[], float]) -> None:
        self.topics = Topics()
        self._path = path
        self._clock = clock
        self._lock: int | None = None
        self._thread = ThreadPoolExecutor(1, "registry-writer")
        self._waiting: list[_Waiting] = []
        self._batch: asyncio.Future[_Applied] | None = None
        self._index = FIRST_INDEX

    def open(self) -> None:
        try:
            self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._lock = _lock(self._path)
            # Made by us, so that nobody else reads it: what stands in KV is nobody else's business.
            os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
            self._writing = self._connect()
            _migrate(self._writing, self._path)
            self._reading = self._connect()
        except (OSError, sqlite3.Error) as error:
            self._unlock()
            raise RegistryError(
                f"the registry's file {self._path} can not be opened ({error}): name another by --data"
            ) from error
        self._reader = Reader(self._reading)
        self._index = max(FIRST_INDEX, self._reader.index_of(LAST))

    async def close(self) -> None:
        """Waits for what is being written."""
        while self._batch is not None:
            await asyncio.wait([self._batch])
            await asyncio.sleep(0)
        self._thread.shutdown()
        self._reading.close()
        self._writing.close()
        self._unlock()

    def read(self, ask: Callable[[Reader], T]) -> T:
        """What `ask` makes of one consistent view. Runs at once, in the loop's thread."""
        self._reading.execute("BEGIN")
        try:
            return ask(self._reader)
        finally:
            self._reading.execute("COMMIT")

    async def write(self, change: Callable[[Writer], T]) -> T:
        """What `change` gave back, once it is on the disk. It runs in the writer's thread and may touch the Writer only.

        A Refused it raises takes back what it did. Raises StorageFailed if the disk does not take it.
        """
        done: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(change, done))
        self._start()
        return await done

    def _start(self) -> None:
        if self._batch is not None or not self._waiting:
            return
        batch, self._waiting = self._waiting[:MAX_BATCH], self._waiting[MAX_BATCH:]
        loop = asyncio.get_running_loop()
        changes = [one.change for one in batch]
        self._batch = loop.run_in_executor(self._thread, self._apply, changes)
        self._batch.add_done_callback(lambda applied: self._finish(batch, applied))

    def _finish(self, batch: Sequence[_Waiting], ended: asyncio.Future[_Applied]) -> None:
        self._batch, error = None, ended.exception()
        # A fault in the writer's thread is told to who asked, and the next batch has its chance.
        applied = ended.result() if error is None else _Applied([error] * len(batch))
        for waiting, outcome in zip(batch, applied.outcomes, strict=True):
            if waiting.done.done():
                continue  # whoever asked has gone; what was written stays written
            if isinstance(outcome, BaseException):
                waiting.done.set_exception(outcome)
            else:
                waiting.done.set_result(outcome)
        self.topics.wake(applied.topics)
        self._start()

    # In the writer's thread

    def _apply(self, changes: Sequence[Change]) -> _Applied:
        applied, first = _Applied(), self._index
        try:
            self._writing.execute("BEGIN IMMEDIATE")
            for change in changes:
                applied.outcomes.append(self._apply_one(change, applied.topics))
            self._writing.execute("COMMIT")
        except sqlite3.Error as error:
            self._index = first
            if self._writing.in_transaction:
                self._writing.execute("ROLLBACK")
            return _Applied([StorageFailed(self._path, error)] * len(changes))
        return applied

    def _apply_one(self, change: Change, topics: set[str]) -> Any:
        writer = Writer(self._writing, self._index + 1, self._clock())
        self._writing.execute("SAVEPOINT change")
        try:
            outcome = change(writer)
            if writer.bumped:
                writer.close()
        except sqlite3.OperationalError:
            raise  # the disk's fault, which is everybody's
        except Exception as error:  # noqa: BLE001  (handed to whoever asked for this write)
            self._writing.execute("ROLLBACK TO change")
            outcome = error
        else:
            if writer.bumped:
                self._index = writer.index
                topics |= writer.topics
        self._writing.execute("RELEASE change")
        return outcome

    def _connect(self) -> sqlite3.Connection:
        connection = sqlite3.connect(self._path, isolation_level=None, check_same_thread=False)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        return connection

    def _unlock(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def _lock(path: Path) -> int:
    """Beside the file: closing any handle of the file itself would drop the locks SQLite has on it."""
    beside = path.with_name(path.name + ".lock")
    handle = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        owner = os.pread(handle, 32, 0).decode("ascii", "replace").strip()
        os.close(handle)
        who = f"process {owner}" if owner else "another process"
        raise RegistryError(
            f"{path} is in use by {who}: stop that registry first, or name another file by --data"
        ) from error
    os.ftruncate(handle, 0)
    os.pwrite(handle, b"%d\n" % os.getpid(), 0)
    return handle


def _migrate(connection: sqlite3.Connection, path: Path) -> None:
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    if version > len(STEPS):
        raise RegistryError(
            f"{path} was written by a newer meshnode: run that one, or name another file by --data"
        )
    for number, step in enumerate(STEPS[version:], version + 1):
        connection.executescript(f"BEGIN; {step} PRAGMA user_version = {number}; COMMIT;")
