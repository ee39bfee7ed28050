"""Load on a proxy while something else happens to it, and what failed meanwhile.

wrk for much, KeepAliveLoad for exact: it repeats nothing, so each request that a person would have seen fail counts.
"""

import asyncio
import contextlib
import re
import time
from collections import Counter
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.support.process import ProcessError, run, wait_until

REQUEST_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class WrkResult:
    requests: int
    requests_per_second: float
    failed_statuses: int
    """Answers that were neither 2xx nor 3xx."""
    socket_errors: int
    """Connections refused, broken in reading or writing, and timeouts."""
    output: str

    @property
    def failed(self) -> int:
        return self.failed_statuses + self.socket_errors


async def run_wrk(
    url: str,
    *,
    host: str | None = None,
    connections: int = 16,
    threads: int = 1,
    seconds: int = 5,
    headers: tuple[str, ...] = (),
) -> WrkResult:
    """Runs wrk to its end; `headers` as `name: value`. Start it as a task to do something meanwhile."""
    lines = (f"Host: {host}", *headers) if host else headers
    options = [word for line in lines for word in ("--header", line)]
    size = [
        "--connections",
        str(connections),
        "--threads",
        str(threads),
        "--duration",
        f"{seconds}s",
    ]
    finished = await run("wrk", *size, "--latency", *options, url, timeout=seconds + 30.0)
    return parse_wrk(finished.stdout)


def parse_wrk(output: str) -> WrkResult:
    total = re.search(r"(\d+) requests in", output)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", output)
    if total is None or rate is None:
        raise ProcessError(f"wrk said nothing that is understood:\n{output}")
    statuses = re.search(r"Non-2xx or 3xx responses: (\d+)", output)
    errors = re.search(
        r"Socket errors: connect (\d+), read (\d+), write (\d+), timeout (\d+)", output
    )
    return WrkResult(
        requests=int(total[1]),
        requests_per_second=float(rate[1]),
        failed_statuses=int(statuses[1]) if statuses else 0,
        socket_errors=sum(int(count) for count in errors.groups()) if errors else 0,
        output=output,
    )


@dataclass(slots=True)
class LoadResult:
    statuses: Counter[int] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    """Requests without a whole answer, by cause."""
    latencies_s: list[float] = field(default_factory=list)
    """Of the answered ones, in order of their end."""
    failed_answers: list[str] = field(default_factory=list)
    """The first answers that were not 2xx or 3xx: status line, headers and body, to say why."""

    @property
    def ok(self) -> int:
        return sum(count for status, count in self.statuses.items() if status < 400)

    @property
    def failed(self) -> int:
        return sum(self.statuses.values()) - self.ok + sum(self.errors.values())

    @property
    def total(self) -> int:
        return sum(self.statuses.values()) + sum(self.errors.values())

    def quantile(self, share: float) -> float:
        """A latency in seconds, the median for 0.5. Needs one answer."""
        ordered = sorted(self.latencies_s)
        return ordered[min(int(len(ordered) * share), len(ordered) - 1)]

    def __str__(self) -> str:
        return f"{self.total} requests, {self.failed} failed {dict(self.statuses)} {dict(self.errors)} {self.failed_answers}"


class KeepAliveLoad:
    """`async with KeepAliveLoad(url, host="shop.test") as load:` sends GETs on some kept connections until the end.

    A connection the server closes is opened anew, after a request that got no answer was counted as failed; one that is
    closed after an answer that said so is no failure. `load.result` may be read at any time.
    """

    KEPT_FAILED_ANSWERS = 5
    PAUSE_AFTER_ERROR_SECONDS = 0.01

    def __init__(
        self,
        url: str,
        *,
        host: str | None = None,
        connections: int = 4,
        headers: tuple[str, ...] = (),
    ) -> None:
        target = urlsplit(url)
        self.result = LoadResult()
        self._address, self._port = target.hostname or "", target.port or 80
        path = (target.path or "/") + (f"?{target.query}" if target.query else "")
        lines = [f"GET {path} HTTP/1.1", f"host: {host or target.netloc}", *headers]
        self._request = ("\r\n".join(lines) + "\r\n\r\n").encode()
        self._connections = connections
        self._tasks: list[asyncio.Task[None]] = []

    async def at_least(self, requests: int, timeout: float = 30.0) -> None:
        """Returns when this many more requests have ended."""
        goal = self.result.total + requests
        await wait_until(
            lambda: self.result.total >= goal, timeout, what=f"{requests} more requests"
        )

    async def __aenter__(self) -> Self:
        self._tasks = [asyncio.create_task(self._send_for_ever()) for _ in range(self._connections)]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for task in self._tasks:
            task.cancel()
        for ended in await asyncio.gather(*self._tasks, return_exceptions=True):
            if not isinstance(ended, asyncio.CancelledError) and isinstance(ended, BaseException):
                raise ended

    async def _send_for_ever(self) -> None:
        while True:
            try:
                reader, writer = await asyncio.open_connection(self._address, self._port)
            except OSError as error:
                self.result.errors[f"connect: {type(error).__name__}"] += 1
                await asyncio.sleep(self.PAUSE_AFTER_ERROR_SECONDS)
                continue
            try:
                await self._send_on(reader, writer)
            except (OSError, EOFError, ValueError) as error:
                self.result.errors[f"answer: {type(error).__name__}"] += 1
                await asyncio.sleep(self.PAUSE_AFTER_ERROR_SECONDS)
            finally:
                writer.close()
                with contextlib.suppress(OSError):
                    await writer.wait_closed()

    async def _send_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Requests on one connection, until an answer says that it ends."""
        while True:
            began = time.monotonic()
            writer.write(self._request)
            async with asyncio.timeout(REQUEST_SECONDS):
                status, head, body = await read_answer(reader)
            self.result.latencies_s.append(time.monotonic() - began)
            self.result.statuses[status] += 1
            if status >= 400 and len(self.result.failed_answers) < self.KEPT_FAILED_ANSWERS:
                self.result.failed_answers.append(
                    f"{head.decode('latin-1')}{body[:500].decode(errors='replace')}"
                )
            if b"\r\nconnection: close\r\n" in head.lower():
                return


async def read_answer(reader: asyncio.StreamReader) -> tuple[int, bytes, bytes]:
    """Status, head and body of one whole answer; EOFError when it is cut, ValueError when it is none."""
    head = await reader.readuntil(b"\r\n\r\n")
    status = int(head.split(b" ", 2)[1])
    lower = head.lower()
    if b"\r\ntransfer-encoding: chunked\r\n" in lower:
        return status, head, await _read_chunks(reader)
    length = re.search(rb"\r\ncontent-length: *(\d+)\r\n", lower)
    if length is None:
        raise ValueError("an answer without a length")
    return status, head, await reader.readexactly(int(length[1]))


async def _read_chunks(reader: asyncio.StreamReader) -> bytes:
    parts = []
    while size := int((await reader.readuntil(b"\r\n")).split(b";")[0], 16):
        parts.append(await reader.readexactly(size))
        await reader.readexactly(2)
    while await reader.readuntil(b"\r\n") != b"\r\n":
        pass
    return b"".join(parts)
