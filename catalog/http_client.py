"""Few kept HTTP/1.1 connections to one server: a request is written at once and whole, its answer read whole.

Knows neither Consul nor the proxy, which are what it speaks to, and sets no time limit. aiohttp's client makes a task,
timers and header objects for each call, and writes a body only after whatever else is ready in the event loop; a change
crosses this some ten times a node.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import cast

from .http_answer import AnswerReader, HttpAnswer, HttpBroken

KEPT_S = 120.0
"""One that rested longer is not used again: what is in between may have forgotten it."""


class HttpConnection(asyncio.Protocol):
    """One exchange at a time. Broken off in the middle, it is closed: what comes later would answer another request."""

    def __init__(self, limit: int) -> None:
        """`limit` is in bytes, of an answer's body."""
        self.rests_since = 0.0
        """By the loop's clock."""
        self._limit = limit
        self._transport: asyncio.Transport | None = None
        self._reader: AnswerReader | None = None
        self._answer: asyncio.Future[HttpAnswer] | None = None

    @property
    def is_open(self) -> bool:
        return self._transport is not None and not self._transport.is_closing()

    async def exchange(self, request: bytes) -> HttpAnswer:
        """Writes before anything else in the event loop runs. Raises HttpBroken."""
        if self._transport is None or not self.is_open:
            raise HttpBroken("connection closed", is_unanswered=True)
        assert self._answer is None  # one at a time
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[HttpAnswer] = loop.create_future()
        self._answer = answer
        self._reader = AnswerReader(self._limit)
        self._transport.write(request)
        try:
            return await answer
        except BaseException:
            self.close()
            raise
        finally:
            self.rests_since = loop.time()
            self._answer = self._reader = None

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        reader = self._reader
        if reader is None:
            self.close()  # nobody asked
            return
        try:
            answer = reader.feed(data)
        except HttpBroken as error:
            self._fail(error)
            return
        if answer is not None:
            self._reader = None
            if reader.is_last:
                self.close()
            self._give(answer)

    def connection_lost(self, error: Exception | None) -> None:
        self._transport = None
        reader, self._reader = self._reader, None
        if reader is None:
            return
        if error is not None:
            self._fail(HttpBroken(_words(error), is_unanswered=not reader.has_begun))
            return
        try:
            self._give(reader.end())
        except HttpBroken as broken:
            self._fail(broken)

    def _give(self, answer: HttpAnswer) -> None:
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(answer)

    def _fail(self, error: HttpBroken) -> None:
        self.close()
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(error)


Dial = Callable[[Callable[[], HttpConnection]], Awaitable[HttpConnection]]
"""Opens a connection with what it is given makes, and gives it back; raises OSError."""


class HttpClient:
    """At most `most` connections, opened when needed and kept; who finds none waits for its turn."""

    def __init__(self, dial: Dial, *, most: int, limit: int) -> None:
        """`limit` is in bytes, of an answer's body."""
        self._dial = dial
        self._limit = limit
        self._room = asyncio.Semaphore(most)
        self._resting: list[HttpConnection] = []
        self._is_closed = False

    async def exchange(self, request: bytes, *, may_repeat: bool) -> HttpAnswer:
        """The answer to a request. Raises HttpBroken, and what dialling raises.

        `may_repeat`: where a kept connection turns out to be closed before a byte came, another one is asked.
        """
        async with self._room:
            if (kept := self._kept()) is not None:
                try:
                    return await self._on(kept, request)
                except HttpBroken as error:
                    if not (may_repeat and error.is_unanswered):
                        raise
            connection = await self._dial(lambda: HttpConnection(self._limit))
            return await self._on(connection, request)

    def close(self) -> None:
        self._is_closed = True
        while self._resting:
            self._resting.pop().close()

    async def _on(self, connection: HttpConnection, request: bytes) -> HttpAnswer:
        answer = await connection.exchange(request)
        if self._is_closed:
            connection.close()
        elif connection.is_open:
            self._resting.append(connection)
        return answer

    def _kept(self) -> HttpConnection | None:
        now = asyncio.get_running_loop().time()
        while self._resting:
            kept = self._resting.pop()
            if kept.is_open and now - kept.rests_since < KEPT_S:
                return kept
            kept.close()
        return None


def request_bytes(method: str, target: str, fields: bytes, body: bytes | None) -> bytes:
    """A request as it is sent. `target` is quoted already; `fields` are header lines, each with its end."""
    if body is None and method in ("GET", "DELETE"):
        return b"%b %b HTTP/1.1\r\n%b\r\n" % (method.encode(), target.encode("ascii"), fields)
    content = body or b""
    return b"%b %b HTTP/1.1\r\n%bContent-Length: %d\r\n\r\n%b" % (
        method.encode(), target.encode("ascii"), fields, len(content), content,
    )  # fmt: skip


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno:
        return os.strerror(error.errno).lower()
    return "connection closed"
