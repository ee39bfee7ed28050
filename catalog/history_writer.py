"""Writes history: each change of `mesh/` that this node saw, while it is the elected writer. Compiles nothing, watches nothing.

Every node that may be elected remembers what it saw for a while, so that nothing is lost between two writers. An entry
is put in one transaction with a look at the lock, so a writer that lost it writes nothing more; one that stands already
is found by the next writer, which goes on from there.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, replace

from .backoff import Trouble, persist
from .client import ConsulClient
from .errors import CatalogError
from .history import (
    HISTORY_PREFIX,
    Effect,
    KeyChange,
    Outcome,
    Revision,
    Value,
    message_of,
    read_revision,
    revision_name,
    signed_value,
)
from .history_chain import Look, catch_up, look, missing, recorded_in
from .history_log import Judge
from .model import KvEntry
from .transactions import ConsulConflict, KvOperation
from .update import KvUpdate

_log = logging.getLogger(__name__)

MOST_REVISIONS = 1_000
"""Some months of an admin's work; what is older goes first."""
MOST_BYTES = 16 * 1024 * 1024
"""Consul keeps all of KV in memory, on every server."""
MOST_AGE_S = 90 * 86_400
PART_BYTES = 128 * 1024
"""Where an entry is cut: escaped and in base64 it fits into a transaction."""
MOST_READINGS = 64
"""So many readings wait to be compared; of more the oldest are compared as one."""
MOST_LOOKS = 512
"""So many looks wait to be written; of older ones only the last value is told (`catch_up`)."""
REMEMBERED_S = 120.0
"""Longer than a dead writer's session and its lock delay: what another should have written is kept for so long."""
MOST_CAUGHT_UP = 500
"""Of a mesh that ran for a year without history, its first writer tells these."""
SETTLE_S = 0.1
"""The change is brought into force first."""
OUTCOME_S = 3.0
"""Every node writes its status at most once a second."""
EFFECT_S = 60
"""The effect is that of the minute before against the minute after."""
CONFLICT_PAUSE_S = 1.0
"""A writer that lost the lock hears of it within a third of its session's life."""
IDLE_S = 60.0
MOST_EFFECTS = 256
"""So many entries wait for their effect; of a burst the oldest get none."""


@dataclass(frozen=True, slots=True)
class Pen:
    """What makes a node the writer: the lock, the session that holds it, and the key it signs with."""

    lock: str
    session: str
    chain: str
    sign: Callable[[bytes], str]


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What the writer asks of its node. `pen` is None while this node is not elected."""

    pen: Callable[[], Pen | None]
    judge: Judge
    outcomes: Callable[[Sequence[KeyChange]], Awaitable[tuple[tuple[Outcome | None, ...], str]]]
    """What the nodes made of changes, and the node that saw the first of them first (empty: not known)."""
    traffic: Callable[[float, float], tuple[int, int]]
    """Requests and errors on this node between two times of the monotonic clock."""
    unix_ms: Callable[[], int]


@dataclass(slots=True)
class _Due:
    """An entry that waits for its effect."""

    revision: Revision
    modify_index: int
    at_s: float
    """When the change was seen, by the loop's clock."""
    has_outcome: bool = False


class HistoryWriter:
    """`saw` each reading of `mesh/`, `wake` when this node may have been elected, `run` as a task."""

    def __init__(
        self,
        client: ConsulClient,
        node: str,
        around: Surroundings,
        *,
        on_trouble: Callable[[CatalogError | None], None],
        jitter: random.Random,
    ) -> None:
        self._client = client
        self._node = node
        self._around = around
        self._trouble = Trouble(on_trouble)
        self._jitter = jitter
        self._wanted = asyncio.Event()
        self._readings: deque[tuple[KvUpdate, int]] = deque(maxlen=MOST_READINGS)
        self._entries: tuple[KvEntry, ...] | None = None
        """What stood there by the last reading that was compared."""
        self._consul_index = 0
        self._looks: deque[Look] = deque(maxlen=MOST_LOOKS)
        self._recorded: dict[str, tuple[int, Value | None]] | None = None
        """None until what stands in Consul was read, as the writer that we are."""
        self._kept: dict[str, tuple[int, int, int]] = {}
        """Of each entry that stands: when its change was seen, its length, its ModifyIndex."""
        self._due: deque[_Due] = deque(maxlen=MOST_EFFECTS)

    def saw(self, update: KvUpdate) -> None:
        """A reading of `mesh/`; costs nothing now."""
        self._readings.append((update, self._around.unix_ms()))
        self._wanted.set()

    def wake(self) -> None:
        self._wanted.set()

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            await self._until_wanted()
            await asyncio.sleep(SETTLE_S)
            self._wanted.clear()
            self._compare()
            pen = self._around.pen()
            if pen is None:
                self._recorded = None
                self._due.clear()
                self._forget()
                continue
            await persist(
                self._write_all,
                failed=self._failed,
                interruption=self._client.returned,
                jitter=self._jitter,
            )
            self._trouble.over()

    async def _until_wanted(self) -> None:
        now = asyncio.get_running_loop().time()
        next_s = min((self._when(due) - now for due in self._due), default=IDLE_S)
        try:
            async with asyncio.timeout(max(0.0, next_s)):
                await self._wanted.wait()
        except TimeoutError:
            pass

    def _failed(self, error: CatalogError) -> None:
        # What was being written may stand there or not: it is looked at again.
        self._recorded = None
        self._trouble.failed(error)

    def _compare(self) -> None:
        """The readings that came in, each against the one before."""
        while self._readings:
            update, now_ms = self._readings.popleft()
            if update.consul_index < self._consul_index:
                if not update.is_confirmed:
                    continue
                # Consul was restored, and history with it.
                self._recorded = None
                self._looks.clear()
            if self._entries is not None:
                found = look(
                    self._entries, update.entries, consul_index=update.consul_index, now_ms=now_ms
                )
                if found is not None:
                    self._looks.append(found)
            self._entries, self._consul_index = update.entries, update.consul_index

    def _forget(self) -> None:
        """What the writer, another node, will have written by now."""
        oldest = self._around.unix_ms() - REMEMBERED_S * 1000
        while self._looks and self._looks[0].seen_unix_ms < oldest:
            self._looks.popleft()

    async def _write_all(self) -> None:
        """Raises CatalogError; done again from where Consul has it."""
        pen = self._around.pen()
        if pen is None:
            return
        if self._recorded is None:
            await self._load()
            is_new = True
        else:
            is_new = False
        try:
            while self._looks:
                seen = self._looks[0]
                await self._record(missing(seen, self._recorded or {}), seen, pen)
                self._looks.popleft()
            if is_new and self._entries is not None:
                await self._catch_up(pen)
            await self._tell_effects(pen)
        except ConsulConflict as error:
            # Not the writer any more, or an entry stands there that we did not know of.
            _log.info("history is read again: %s", error)
            self._recorded = None
            self._wanted.set()
            await asyncio.sleep(CONFLICT_PAUSE_S)
            return
        await self._prune()

    async def _load(self) -> None:
        kept: dict[str, tuple[int, int, int]] = {}
        counted: list[Revision] = []
        for entry in await self._client.kv_list(HISTORY_PREFIX, consistent=True):
            try:
                signed = read_revision(entry)
            except ValueError as error:
                _log.warning("%s does not count: %s", entry.key, error)
                continue
            why = self._around.judge(signed)
            if why is not None:
                _log.warning("%s does not count: %s", entry.key, why)
                continue
            counted.append(signed.revision)
            kept[entry.key] = signed.revision.seen_unix_ms, len(entry.value), entry.modify_index
        self._kept, self._recorded = kept, recorded_in(counted)

    async def _catch_up(self, pen: Pen) -> None:
        """What changed while nobody wrote."""
        entries, index = self._entries or (), self._consul_index
        found = catch_up(entries, self._recorded or {}, consul_index=index, most=MOST_CAUGHT_UP)
        now_ms = self._around.unix_ms()
        await self._record(found, Look(index, now_ms, ()), pen, has_effect=False)

    async def _record(
        self, changes: Sequence[KeyChange], seen: Look, pen: Pen, *, has_effect: bool = True
    ) -> None:
        for part in parts(changes):
            revision = Revision(
                self._free_name(seen.consul_index), seen.seen_unix_ms, self._node, self._node, part
            )
            index, length = await self._put(revision, 0, pen)
            self._kept[revision.key] = revision.seen_unix_ms, length, index
            for change in part:
                assert self._recorded is not None  # it was loaded before
                self._recorded[change.key] = change.index, change.new
            age_s = (self._around.unix_ms() - seen.seen_unix_ms) / 1000
            if has_effect and age_s < OUTCOME_S:
                at_s = asyncio.get_running_loop().time() - age_s
                self._due.append(_Due(revision, index, at_s))

    def _free_name(self, consul_index: int) -> str:
        part = 0
        while HISTORY_PREFIX + revision_name(consul_index, part) in self._kept:
            part += 1
        return revision_name(consul_index, part)

    async def _put(self, revision: Revision, index: int, pen: Pen) -> tuple[int, int]:
        """Its new ModifyIndex and its length. Raises ConsulConflict when we are not the writer, or it stands otherwise."""
        message = message_of(revision, pen.chain)
        value = signed_value(message, pen.sign(message))
        written = await self._client.kv_txn(
            [
                KvOperation("check-session", pen.lock, session=pen.session),
                KvOperation("cas", revision.key, value, index=index),
            ]
        )
        return written[-1].modify_index, len(value)

    def _when(self, due: _Due) -> float:
        return due.at_s + (EFFECT_S if due.has_outcome else OUTCOME_S)

    async def _tell_effects(self, pen: Pen) -> None:
        now = asyncio.get_running_loop().time()
        for due in [one for one in self._due if self._when(one) <= now]:
            if not due.has_outcome:
                outcomes, first = await self._around.outcomes(due.revision.changes)
                changes = tuple(
                    replace(change, outcome=outcome)
                    for change, outcome in zip(due.revision.changes, outcomes, strict=True)
                )
                due.revision = replace(
                    due.revision, changes=changes, first=first or due.revision.first
                )
                due.has_outcome = True
                continue
            before = self._around.traffic(due.at_s - EFFECT_S, due.at_s)
            after = self._around.traffic(due.at_s, due.at_s + EFFECT_S)
            revision = replace(due.revision, effect=Effect(*before, *after))
            self._due.remove(due)
            if revision.key in self._kept:
                index, length = await self._put(revision, due.modify_index, pen)
                self._kept[revision.key] = revision.seen_unix_ms, length, index

    async def _prune(self) -> None:
        """The oldest go, until what is left is within the limits."""
        oldest = self._around.unix_ms() - MOST_AGE_S * 1000
        total = sum(length for _, length, _ in self._kept.values())
        for key in sorted(self._kept):
            seen_ms, length, index = self._kept[key]
            if len(self._kept) <= MOST_REVISIONS and total <= MOST_BYTES and seen_ms >= oldest:
                return
            await self._client.kv_delete(key, cas=index)
            del self._kept[key]
            total -= length


def parts(changes: Sequence[KeyChange]) -> list[tuple[KeyChange, ...]]:
    """The changes in portions that fit into an entry each; one key's change is never cut."""
    found: list[list[KeyChange]] = []
    length = PART_BYTES
    for change in changes:
        size = 512 + sum(len(one.data or b"") for one in (change.old, change.new) if one)
        if length + size > PART_BYTES:
            found.append([])
            length = 0
        found[-1].append(change)
        length += size
    return [tuple(part) for part in found]
