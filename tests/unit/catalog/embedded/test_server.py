"""The registry's listener over its socket, with a handler of the test's own."""

import asyncio
import gc
from pathlib import Path

import pytest

from catalog.embedded import Registry
from catalog.embedded.answer import Answer
from catalog.embedded.call import Call, Route
from catalog.embedded.dispatch import Table
from catalog.embedded.server import Listeners
from tests.support import wait_until


async def test_who_goes_as_the_answer_comes_is_no_fault(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """The handler is woken, and in the same turn of the loop the connection is lost."""
    asked, go = asyncio.Event(), asyncio.Event()

    async def wait(_call: Call) -> Answer:
        asked.set()
        await go.wait()
        return Answer("too late")

    async with Registry(tmp_path / "registry.db") as registry:
        listeners = Listeners(Table((Route("/v1/wait", {"GET": wait}),)), registry._shared)
        port = await listeners.add("127.0.0.1", 0, "node-1")
        server = listeners._runners[0].server
        assert server is not None
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /v1/wait HTTP/1.1\r\nHost: registry\r\n\r\n")
        await asked.wait()
        go.set()
        for connection in server.connections:
            assert connection.transport is not None
            connection.transport.abort()
        await wait_until(lambda: not server.connections)
        writer.close()
        await listeners.close()
    gc.collect()
    assert not caplog.records
