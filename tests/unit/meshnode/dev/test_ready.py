"""When the demo's screen may be shown: every node goes by what its Consul holds now, and the shop answers."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from aiohttp import web

from meshnode.dev.plan import Node, Place, Plan
from meshnode.dev.ready import until_ready
from meshnode.errors import StartError
from tests.support import free_port, wait_until


class Shop:
    """Stands where a node and its edge are; says what the test wants, and remembers what was asked."""

    def __init__(self) -> None:
        self.address = f"127.0.0.1:{free_port('127.0.0.1')}"
        self.is_ready = self.is_complete = self.is_open = False
        self.has_view = True
        """An agent that begins has nothing to say of itself yet."""
        self.asked: list[str] = []
        node = Node(Place("node-1", "127.0.0.1", ""), (), self.address, "", self.address)
        self.plan = Plan((node,), "")
        self.checks = 0

    def check(self) -> None:
        self.checks += 1

    async def run(self, work: Callable[[], Awaitable[None]]) -> None:
        app = web.Application()
        app.add_routes([web.get("/{path:.*}", self._answer)])
        runner = web.AppRunner(app)
        await runner.setup()
        host, _, port = self.address.partition(":")
        await web.TCPSite(runner, host, int(port)).start()
        try:
            await work()
        finally:
            await runner.cleanup()

    async def until_asked(self, path: str) -> None:
        self.asked.clear()
        await wait_until(lambda: self.asked.count(path) > 1, what=f"{path} is asked for again")

    async def _answer(self, request: web.Request) -> web.Response:
        self.asked.append(request.path)
        if request.path == "/status":
            return web.json_response({"is_complete": self.is_complete} if self.has_view else {})
        is_good = self.is_ready if request.path == "/ready" else self.is_open
        return web.Response(status=200 if is_good else 503, text="" if is_good else "not yet")


async def test_a_node_that_is_ready_by_its_saved_table_is_waited_for() -> None:
    shop = Shop()

    async def work() -> None:
        waiting = asyncio.create_task(until_ready(shop.plan, shop.check))
        await shop.until_asked("/ready")
        shop.is_ready = True
        await shop.until_asked("/status")
        assert not waiting.done()
        shop.is_complete = True
        await shop.until_asked("/")
        assert not waiting.done()
        shop.is_open = True
        await waiting
        assert shop.checks > 3

    await shop.run(work)


async def test_what_is_waited_for_too_long_is_said() -> None:
    shop = Shop()
    shop.is_ready = True

    async def work() -> None:
        sentence = "node-1 had not read what Consul holds within 0 s: is_complete is not said yet"
        for shop.has_view in (True, False):
            with pytest.raises(StartError, match=sentence):
                await until_ready(shop.plan, shop.check, timeout_s=0.0)

    await shop.run(work)
