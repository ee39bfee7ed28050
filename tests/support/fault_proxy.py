"""Stands between a node and its Consul agent, passes everything through, and lies or falls silent when told to.

What is passed on is the real Consul's answer; `lie` decides which questions get another one. Blocking queries that are
open when the lie begins are answered by it too, as when the server behind an agent is changed.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import Self

import aiohttp
from aiohttp import web

from tests.support.ports import free_port
from tests.support.running import Serving

INDEX = "X-Consul-Index"
KEPT_HEADERS = ("X-Consul-", "Content-Type")
ASKED_HEADERS = ("X-Consul-Token", "Accept-Encoding")
UPSTREAM_SECONDS = 400.0


@dataclass(frozen=True, slots=True)
class Asked:
    """A question of the node's."""

    method: str
    path: str
    query: dict[str, str]

    @property
    def is_blocking(self) -> bool:
        return int(self.query.get("index", "0")) > 0

    @property
    def is_consistent(self) -> bool:
        return "consistent" in self.query


@dataclass(frozen=True, slots=True)
class Said:
    """An answer, true or not. `is_cut`: the connection breaks in the middle of its body."""

    status: int
    body: bytes
    headers: dict[str, str]
    is_cut: bool = False


Truth = Callable[[], Awaitable[Said]]
"""Asks Consul at once, without blocking."""

Lie = Callable[[Asked, Truth], Awaitable[Said] | None]
"""None: this question gets the truth. An answer that never comes is a hanging Consul."""


class FaultProxy(Serving):
    """`async with FaultProxy(cluster.http_address("node-1")) as proxy:`; `proxy.address` is the node's Consul then."""

    def __init__(self, consul: str, *, address: str = "127.0.0.1") -> None:
        self.told: Counter[str] = Counter()
        """Lies told, by path."""
        self._consul = consul
        self._host, self._port = address, free_port(address)
        self._lie: Lie | None = None
        self._changed = asyncio.Event()
        self._runner: web.AppRunner | None = None
        self._session: aiohttp.ClientSession | None = None

    @property
    def address(self) -> str:
        """As CONSUL_HTTP_ADDR wants it."""
        return f"{self._host}:{self._port}"

    def lie(self, lie: Lie) -> None:
        """From now on, until `tell_truth`."""
        self.told.clear()
        self._change(lie)

    def tell_truth(self) -> None:
        """Questions that hang are answered now, as after a SIGCONT."""
        self._change(None)

    async def start(self) -> Self:
        self._session = aiohttp.ClientSession(
            timeout=aiohttp.ClientTimeout(total=UPSTREAM_SECONDS),
            connector=aiohttp.TCPConnector(limit=0),
            auto_decompress=False,
        )
        application = web.Application(client_max_size=2**21)
        application.router.add_route("*", "/{path:.*}", self._answer)
        # Who hangs up is not asked for any more.
        self._runner = web.AppRunner(
            application, shutdown_timeout=0.1, access_log=None, handler_cancellation=True
        )
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self._port).start()
        return self

    async def stop(self) -> None:
        if self._runner is not None:
            await self._runner.cleanup()
        if self._session is not None:
            await self._session.close()

    def _change(self, lie: Lie | None) -> None:
        self._lie = lie
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()

    async def _answer(self, request: web.Request) -> web.StreamResponse:
        asked = Asked(request.method, request.path, dict(request.query))
        body = await request.read()
        while True:
            answering = asyncio.ensure_future(self._say(request, asked, body))
            changed = asyncio.ensure_future(self._changed.wait())
            try:
                await asyncio.wait({answering, changed}, return_when=asyncio.FIRST_COMPLETED)
                if answering.done():
                    return await self._send(request, answering.result())
            finally:
                answering.cancel()
                changed.cancel()

    async def _say(self, request: web.Request, asked: Asked, body: bytes) -> Said:
        if self._lie is not None:
            now = {
                name: value for name, value in asked.query.items() if name not in ("index", "wait")
            }
            lying = self._lie(asked, lambda: self._ask(request, now, body))
            if lying is not None:
                said = await lying
                self.told[asked.path] += 1
                return said
        try:
            return await self._ask(request, asked.query, body)
        except aiohttp.ClientError:
            return Said(0, b"", {}, is_cut=True)

    async def _ask(self, request: web.Request, query: dict[str, str], body: bytes) -> Said:
        assert self._session is not None
        asked = {name: request.headers[name] for name in ASKED_HEADERS if name in request.headers}
        async with self._session.request(
            request.method,
            f"http://{self._consul}{request.raw_path.partition('?')[0]}",
            params=query,
            data=body or None,
            headers=asked,
        ) as response:
            kept = {
                name: value
                for name, value in response.headers.items()
                if name.startswith(KEPT_HEADERS)
            }
            return Said(response.status, await response.read(), kept)

    async def _send(self, request: web.Request, said: Said) -> web.StreamResponse:
        if not said.is_cut:
            return web.Response(status=said.status, body=said.body, headers=said.headers)
        response = web.StreamResponse(status=said.status or 502, headers=said.headers)
        response.content_length = len(said.body) + 1
        if said.status:
            await response.prepare(request)
            await response.write(said.body)
        if request.transport is not None:
            request.transport.abort()
        return response


def status(number: int, text: str = "") -> Lie:
    """Every answer is this error."""

    async def say() -> Said:
        return Said(number, text.encode(), {})

    return lambda _asked, _truth: say()


def silence(_asked: Asked, _truth: Truth) -> Awaitable[Said]:
    """Connections are taken and nothing is answered."""
    never: asyncio.Future[Said] = asyncio.get_running_loop().create_future()
    return never


def slow(seconds: float) -> Lie:
    """The truth, late; blocking queries become plain ones."""

    async def say(truth: Truth) -> Said:
        await asyncio.sleep(seconds)
        return await truth()

    return lambda _asked, truth: say(truth)


def changed(
    change: Callable[[Asked, Said], Said], *, only: Callable[[Asked], bool] | None = None
) -> Lie:
    """The truth, changed; for questions that `only` takes, by default all that read."""

    async def say(asked: Asked, truth: Truth) -> Said:
        # A blocking query that is answered at once every time is what a broken server does; a little slower than it could.
        if asked.is_blocking:
            await asyncio.sleep(0.05)
        return change(asked, await truth())

    def lie(asked: Asked, truth: Truth) -> Awaitable[Said] | None:
        is_meant = asked.method == "GET" if only is None else only(asked)
        return say(asked, truth) if is_meant else None

    return lie


def cut(_asked: Asked, said: Said) -> Said:
    """Half of the body, then the connection breaks."""
    return replace(said, body=said.body[: len(said.body) // 2], is_cut=True)


def half(_asked: Asked, said: Said) -> Said:
    """Half of the body as if it were all: JSON that ends too early."""
    return replace(said, body=said.body[: len(said.body) // 2])


def at_index(index: int | None) -> Callable[[Asked, Said], Said]:
    """The same content at another index; None: without one."""

    def change(_asked: Asked, said: Said) -> Said:
        others = {
            name: value for name, value in said.headers.items() if name.lower() != INDEX.lower()
        }
        return replace(said, headers=others if index is None else {**others, INDEX: str(index)})

    return change


def nothing(asked: Asked, said: Said) -> Said:
    """As a server that has no data: 404 for keys, an empty list or object for all else."""
    if said.status != 200:
        return said
    if asked.path.startswith("/v1/kv/"):
        return replace(said, status=404, body=b"")
    return replace(said, body=b"{}" if said.body.startswith(b"{") else b"[]")
