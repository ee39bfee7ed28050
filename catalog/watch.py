"""One blocking query, repeated for ever: index rules, pace, and what is believed. Knows no other watch."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Generic

from .calls import Question
from .client import ConsulClient
from .pace import Pace
from .sources import Reading, Source, U
from .transport import Answer

WAIT_S = 300
"""How long a question stays open. Consul's own default; it adds up to a sixteenth, so that not all end at once."""
FAR_AHEAD = 1_000_000
"""An index so far beyond the last is asked for again: Consul writes some thousand times a second at most."""
DOUBTED_S = 60.0
"""For so long an index far ahead is not believed, though Consul said it twice."""
DOUBTED_WAIT_S = 1
"""Meanwhile a question stays open no longer: one with an index Consul never reached is deaf to every change."""

BREATH_S = 0.025
"""After a wake whoever was told goes first, on this node and on those that share its processors: to make the next
question, and for Consul to take it, costs as much as to bring the change into force."""


class Watch(Generic[U]):
    """`turn()` is one question and its answer; whoever calls it repeats it and waits after a CatalogError."""

    def __init__(
        self,
        source: Source[U],
        client: ConsulClient,
        *,
        deliver: Callable[[U], None],
        on_answer: Callable[[], None],
        on_restored: Callable[[], None],
        jitter: random.Random,
        wait_s: int = WAIT_S,
    ) -> None:
        """`deliver` gets what is new, `on_answer` is called after each good answer, new or not.

        `on_restored` is called when Consul seems to have restored a snapshot: everybody should be redialled.
        """
        self.source = source
        self.pace = Pace()
        self.answered = asyncio.Event()
        """Set with the first answer that was believed."""
        self._client = client
        self._deliver = deliver
        self._on_answer = on_answer
        self._on_restored = on_restored
        self._jitter = jitter
        self._wait_s = wait_s
        self._last: Reading[U] | None = None
        self._index = 0
        """Where the next question goes on; 0 after a failure: Consul may have come back with older data, and a
        question with an index it never reached would stay open for minutes."""
        self._doubted_until = 0.0
        self._is_anew = False
        self._open: asyncio.Timeout | None = None

    def redial(self) -> None:
        """The next question begins anew; one that is open is dropped with its connection."""
        self._is_anew = True
        if self._open is not None and not self._open.expired():
            self._open.reschedule(0)

    async def turn(self) -> None:
        """Raises CatalogError when there was no answer to believe; the next turn then begins anew."""
        asked_at = asyncio.get_running_loop().time()
        try:
            question, answer = await self._ask()
            await self._take(answer, is_wake=question.index > 0)
        except BaseException:
            self._index = 0
            raise
        self.answered.set()
        self._on_answer()
        if question.index:
            await asyncio.sleep(BREATH_S)
            await self._after_wake(question, answer, asked_at)

    async def _ask(self) -> tuple[Question, Answer]:
        while True:
            question = self._question()
            try:
                async with asyncio.timeout(None) as self._open:
                    return question, await self.source.read(question)
            except TimeoutError:
                continue  # redialled
            finally:
                self._open = None

    def _question(self) -> Question:
        """At first the leader is asked: whatever server is nearest may have just begun to copy."""
        if self._is_anew or not self._index:
            self._is_anew = False
            return Question()
        if asyncio.get_running_loop().time() < self._doubted_until:
            return Question(self._index, DOUBTED_WAIT_S, "stale")
        wait_s = self._wait_s - int(self._wait_s * self._jitter.random() / 10)
        return Question(self._index, wait_s, "stale")

    async def _after_wake(self, question: Question, answer: Answer, asked_at: float) -> None:
        now = asyncio.get_running_loop().time()
        waited_s = now - asked_at
        if answer.index == question.index and waited_s < question.wait_s:
            # A wake without news is how Consul ends all queries when it restores a snapshot. In the restored data
            # an index from before may not be reached for hours, by whoever asks with it.
            self._on_restored()
        pause_s = self.pace.woken(now, waited_s)
        if pause_s:
            await asyncio.sleep(pause_s)

    async def _take(self, answer: Answer, *, is_wake: bool) -> None:
        """Tells what is new in an answer, once it may be believed."""
        if self._last is not None and answer.index > self._last_index() + FAR_AHEAD:
            answer = await self.source.read(Question(consistency="consistent"))
            if answer.index > self._last_index() + FAR_AHEAD:
                self._doubted_until = asyncio.get_running_loop().time() + DOUBTED_S
        last = self._last
        is_same = last is not None and last.body == answer.body and not answer.is_filtered
        if is_wake:
            self._client.cost.wakeups += 1
            self._client.cost.wakeups_idle += is_same
        # Never 0: a question with that is answered at once, for ever.
        index = max(answer.index, 1)
        if last is None or not is_same:
            index = await self._believe(answer)
        elif self.source.is_index_news and last.update.consul_index < index:
            self._tell(replace(last.update, consul_index=index), last.body)
        self._index = index

    def _last_index(self) -> int:
        return max(self._index, self._last.update.consul_index if self._last else 0)

    async def _believe(self, answer: Answer) -> int:
        """The index of what was believed. What went back or vanished is first asked for again.

        The second time the leader asks the others whether it still is one, so that its word is what Consul holds.
        """
        reading = self._last
        last = reading.update if reading else None
        update = self.source.parse(answer, reading)
        doubts = self.source.doubts(update, last)
        if last is not None and (doubts or answer.index < last.consul_index):
            answer = await self.source.read(Question(consistency="consistent"))
            update = self.source.confirmed(self.source.parse(answer, reading))
            update = await self.source.explained(update, last)
            doubts = self.source.doubts(update, last)
        await self._client.check_whole(answer, self.source.right, doubts)
        if reading is None or reading.body != answer.body:
            self._tell(update, answer.body)
        return max(answer.index, 1)

    def _tell(self, update: U, body: bytes) -> None:
        self._last = Reading(update, body)
        self._deliver(update)
