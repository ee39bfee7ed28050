"""Looks at history where this node can't say alone what was in force: on a fresh node, and where tests refuse something.

Works beside the loop and tells it; the table in force is never touched.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace

from catalog import (
    CatalogError,
    Compiled,
    Compiler,
    History,
    InstancesUpdate,
    Keys,
    KvEntry,
    NodeFacts,
    PastKeys,
    Refusal,
    Snapshot,
    State,
)

from ..candidate.answering import answers_of
from ..candidate.asking import Answer
from ..candidate.expected import Asking
from ..candidate.replaying import Workshop, accepted_before
from ..errors import ProxyError
from ..explain import Known
from .delivery import Delivery
from .events import PastKnown

# The writer puts an entry some 0.1 s after it saw a change; a new writer is elected within 45 s.
LOOK_S = 0.1
LOOK_MAX_S = 5.0
PATIENCE_S = 60.0

ReadHistory = Callable[[], Awaitable[History | None]]
_log = logging.getLogger("meshnode.retrospect")


class Retrospect:
    """`want` says of which state; newest wins. What is found is posted."""

    def __init__(
        self,
        read: ReadHistory,
        delivery: Delivery,
        post: Callable[[PastKnown], None],
    ) -> None:
        """`read` gives history, None as long as nobody can; CatalogError is waited out."""
        self._read = read
        self._delivery = delivery
        self._post = post
        self._wanted: tuple[State, NodeFacts, Known] | None = None
        self._is_wanted = asyncio.Event()

    def want(self, state: State, facts: NodeFacts, known: Known) -> None:
        self._wanted = state, facts, known
        self._is_wanted.set()

    async def run(self) -> None:
        while True:
            await self._is_wanted.wait()
            self._is_wanted.clear()
            wanted = self._wanted
            if wanted is None:
                continue
            try:
                await self._look(*wanted)
            except Exception:  # noqa: BLE001  (a task's root, and says so)
                _log.exception("a fault of ours: history can not be judged again")

    async def _look(self, state: State, facts: NodeFacts, known: Known) -> None:
        entries = state.keys.entries
        history = await self._caught_up(entries)
        if history is None:
            return
        past = await asyncio.to_thread(PastKeys, history, entries)
        try:
            accepted = await accepted_before(past, self._workshop(state, facts, known))
        except ProxyError as error:
            _log.warning("history can not be judged again: %s", error)
            self._is_wanted.set()
            await asyncio.sleep(LOOK_MAX_S)
            return
        self._post(PastKnown(entries, past, accepted))

    async def _caught_up(self, entries: tuple[KvEntry, ...]) -> History | None:
        """History once it tells how all of this came to stand; None where that takes too long, or is not wanted any more."""
        loop = asyncio.get_running_loop()
        deadline, wait_s = loop.time() + PATIENCE_S, LOOK_S
        standing = {entry.key: entry for entry in entries}
        while loop.time() < deadline and not self._is_wanted.is_set():
            try:
                history = await self._read()
            except CatalogError as error:
                _log.info("history can not be read: %s", error)
                history = None
            if history is not None and history.changes and not history.behind(standing):
                return history
            await asyncio.sleep(wait_s)
            wait_s = min(wait_s * 2, LOOK_MAX_S)
        return None

    def _workshop(self, state: State, facts: NodeFacts, known: Known) -> Workshop:
        compiler, last = Compiler(), [state]

        async def compile_keys(entries: tuple[KvEntry, ...]) -> Compiled:
            last[0] = _with_keys(state, entries)
            # Ten thousand routes take a second, in which the loop has other things to do.
            return await asyncio.to_thread(compiler.compile, last[0], facts)

        def compile_again(refused: Mapping[str, Refusal]) -> Compiled:
            return compiler.compile(last[0], facts, refused)

        async def ask_of(table: Snapshot, asked: Sequence[Asking]) -> Sequence[Answer]:
            proxy, in_force = self._delivery.reachable, self._delivery.in_force
            table = replace(table, generation=self._delivery.generation + 1)
            return await answers_of(proxy.client, table, asked, known, in_force=in_force)

        return Workshop(compile_keys, compile_again, ask_of)


class _Swept(dict[str, InstancesUpdate]):
    """Every service counts as looked at: a route of yesterday leads where it led, whatever is there now."""

    def __contains__(self, key: object) -> bool:
        return True


def _with_keys(state: State, entries: tuple[KvEntry, ...]) -> State:
    keys = Keys(entries, state.keys.consul_index)
    return replace(state, keys=keys, sweeps=_Swept(state.sweeps))
