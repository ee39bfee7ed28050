"""Blocking queries: a read is answered at once, or when it has a larger index than the asked one, or when time is over."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .answer import JSON, Answer, index_headers
from .call import Call, Handler, parse_unsigned
from .durations import SECOND_NS, parse_duration
from .errors import bad_request
from .store import Reader

DEFAULT_WAIT_S = 300.0
MAX_WAIT_S = 600.0
# Up to a sixteenth on top, so that a thousand clients who came together do not come together again.
JITTER_FRACTION = 16


@dataclass(frozen=True, slots=True)
class Reading:
    """What a read found. Its topics must wake whenever the same read would give a larger index."""

    document: Any
    index: int
    topics: tuple[str, ...]
    status: int = 200
    raw: bytes | None = None
    content_type: str = JSON
    headers: tuple[tuple[str, str], ...] = ()
    is_absent: bool = False
    """What was asked for is not there. As long as it stays so nobody is woken by the others' changes."""


@dataclass(frozen=True, slots=True)
class Question:
    """`index` 0 does not wait."""

    index: int
    wait_s: float

    @classmethod
    def of(cls, call: Call) -> Question:
        """Refused with Consul's words for what is no index, duration or consistency."""
        query = call.query
        if "stale" in query and "consistent" in query:
            raise bad_request("Cannot specify ?stale with ?consistent, conflicting semantics.")
        wait_s = _wait_s(query.get("wait"))
        try:
            return cls(parse_unsigned(query.get("index") or "0"), wait_s)
        except ValueError:
            raise bad_request("Invalid index") from None


def _wait_s(text: str) -> float:
    if not text:
        return DEFAULT_WAIT_S
    try:
        wait_s = parse_duration(text) / SECOND_NS
    except ValueError:
        raise bad_request("Invalid wait time") from None
    return min(wait_s, MAX_WAIT_S) if wait_s > 0 else DEFAULT_WAIT_S


def questioned(handler: Handler) -> Handler:
    """Nothing is waited for there, but Consul refuses what is no question all the same."""

    async def checked(call: Call) -> Answer:
        Question.of(call)
        return await handler(call)

    return checked


def blocking(read: Callable[[Call, Reader], Reading]) -> Handler:
    """The handler of a read: `read` is run once, and again after each wake of its topics."""

    async def handler(call: Call) -> Answer:
        question = Question.of(call)
        reading = await _wait(call, read, question)
        headers = {**index_headers(reading.index), **dict(reading.headers)}
        return Answer(reading.document, reading.status, reading.raw, reading.content_type, headers)

    return handler


async def _wait(call: Call, read: Callable[[Call, Reader], Reading], question: Question) -> Reading:
    store, asked, was_absent = call.store, question.index, False
    reading = store.read(lambda reader: read(call, reader))
    if not asked:
        return reading
    clock = asyncio.get_running_loop().time
    ends = clock() + question.wait_s * (1 + random.random() / JITTER_FRACTION)
    while True:
        if reading.is_absent and was_absent:
            asked = reading.index  # still not there: nothing of it has changed
        was_absent = was_absent or reading.is_absent
        if reading.index > asked or not await store.topics.wait(reading.topics, ends - clock()):
            return reading
        reading = store.read(lambda reader: read(call, reader))
