"""Live lines: in columns, from several nodes' admin APIs (real ones, small), and never more than can be read."""

import asyncio
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

from aiohttp import web

from meshnode.dev.live import LINES, Lines, Live
from meshnode.dev.plan import Node, Place
from observability import Hop, Summary
from tests.support import free_port, wait_until

START_US = 1_795_000_000_000_000


def summary(url: str = "shop.test/", **changes: Any) -> Summary:
    usual: dict[str, Any] = {
        "trace_id": "4bf92f3577b34da6a3ce929d0e0e4736",
        "start_us": START_US,
        "method": "GET",
        "url": url,
        "status": 200,
        "duration_us": 6400,
        "hops": (Hop("edge", "", 0), Hop("front", "node-1", 1), Hop("cart", "node-2", 2)),
        "refusal": "",
    }
    return Summary(**{**usual, **changes})


def test_a_line_says_when_what_how_and_who() -> None:
    clock = time.strftime("%H:%M:%S", time.localtime(START_US / 1_000_000))
    words = Lines().line(summary()).split()
    assert words == [
        clock, "GET", "shop.test/", "200", "6", "ms",
        "edge", "→", "front@node-1", "→", "cart@node-2", "trace", "4bf92f35",
    ]  # fmt: skip


def test_a_refusal_stands_in_place_of_the_way() -> None:
    sentence = "stock refused cart: intention cart => stock (deny)"
    line = Lines().line(summary(status=403, refusal=sentence, duration_us=300))
    assert f"403    <1 ms  {sentence}" in line
    assert "edge →" not in line


def test_columns_grow_and_stay() -> None:
    lines = Lines()
    lines.line(summary("shop.test/a/rather/long/path"))
    first, second = lines.line(summary()), lines.line(summary("shop.test/other", status=None))
    assert first.index("trace") == second.index("trace")


@asynccontextmanager
async def admin(answers: asyncio.Queue[Sequence[dict[str, Any]]]) -> AsyncIterator[Node]:
    """A node whose trace ring holds what is put into the queue, an item an answer."""
    sequence = 0

    async def traces(request: web.Request) -> web.Response:
        nonlocal sequence
        found: Sequence[dict[str, Any]] = [{"trace_id": "old", "spans": "never read"}]
        if "after" in request.query:
            assert int(request.query["after"]) == sequence
            found = await answers.get()
            sequence += 1
        return web.json_response({"sequence": sequence, "traces": found})

    app = web.Application()
    app.router.add_get("/traces", traces)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    port = free_port()
    try:
        await web.TCPSite(runner, "127.0.0.1", port).start()
        yield Node(Place("n", "127.0.0.1", ""), (), None, "", f"127.0.0.1:{port}")
    finally:
        await runner.cleanup()


def span(trace: str, own: str, parent: str | None, direction: str, **more: str) -> dict[str, Any]:
    attributes = {
        "mesh.direction": direction,
        "http.request.method": "GET",
        "http.response.status_code": 200,
        "server.address": "shop.test",
        "url.path": f"/{trace}",
        **{f"mesh.{name}": value for name, value in more.items()},
    }
    one = {
        "span_id": own,
        "parent_id": parent,
        "name": "GET",
        "service": "s",
        "start_unix_us": START_US,
        "duration_us": 2000,
        "attributes": attributes,
        "resource": {},
    }
    return {"trace_id": trace, "spans": [one]}


def edge(trace: str) -> dict[str, Any]:
    names = {"source": "edge", "destination": "front", "node": "node-1", "endpoint": "front-1"}
    return span(trace, "e", None, "edge", **names)


@asynccontextmanager
async def running(nodes: Sequence[Node]) -> AsyncIterator[list[str]]:
    lines: list[str] = []
    task = asyncio.create_task(Live(nodes, lines.append).run())
    try:
        yield lines
    finally:
        task.cancel()
        await asyncio.wait({task})


async def test_one_line_is_made_of_what_several_nodes_tell() -> None:
    first: asyncio.Queue[Sequence[dict[str, Any]]] = asyncio.Queue()
    second: asyncio.Queue[Sequence[dict[str, Any]]] = asyncio.Queue()
    async with AsyncExitStack() as stack:
        nodes = [await stack.enter_async_context(admin(one)) for one in (first, second)]
        lines = await stack.enter_async_context(running(nodes))
        cart = {"source": "cart", "destination": "cart", "node": "node-2", "endpoint": "c"}
        await second.put([span("t1", "i", "o", "inbound", **cart)])
        out = {"source": "front", "destination": "cart", "node": "node-1", "endpoint": "c"}
        await first.put([edge("t1"), span("t1", "o", "e", "outbound", **out)])
        await wait_until(lambda: lines, what="the line")
    assert len(lines) == 1
    assert "edge → front@node-1 → cart@node-2" in lines[0]


async def test_a_node_that_is_away_hides_nobody_else() -> None:
    answers: asyncio.Queue[Sequence[dict[str, Any]]] = asyncio.Queue()
    away = Node(Place("away", "127.0.0.1", ""), (), None, "", f"127.0.0.1:{free_port()}")
    async with admin(answers) as node, running([away, node]) as lines:
        await answers.put([edge("t2")])
        await wait_until(lambda: lines, what="the line")
    assert "GET shop.test/t2" in lines[0]


async def test_a_flood_is_counted() -> None:
    answers: asyncio.Queue[Sequence[dict[str, Any]]] = asyncio.Queue()
    async with admin(answers) as node, running([node]) as lines:
        await answers.put([edge(f"flood-{number}") for number in range(LINES + 40)])
        await wait_until(lambda: len(lines) > LINES, what="the lines")
    assert len(lines) == LINES + 1
    assert "and 40 more requests" in lines[-1]
