"""The supervisor: starts, adopts, restarts, and says in one sentence why it can't."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from catalog import Snapshot, full
from meshnode.errors import StartError
from meshnode.proxy import (
    Command,
    ProxyProcess,
    RunningProxy,
    Supervisor,
    find_binary,
    stop_proxy,
    stop_unused_proxy,
)
from tests.support import wait_until

from .conftest import MakeCommand

# The fake is a Python program, and one too slow for the supervisor is started again; how soon the real one is back is
# measured in tests/integration.
START_S = 60.0


class Watched:
    """A supervisor with what it said."""

    def __init__(self, command: Command) -> None:
        self.up: list[RunningProxy] = []
        self.down: list[str] = []
        self.supervisor = Supervisor(command, on_up=self.up.append, on_down=self.down.append)


@asynccontextmanager
async def running(command: Command) -> AsyncIterator[Watched]:
    watched = Watched(command)
    task = asyncio.create_task(watched.supervisor.run())
    try:
        await wait_until(lambda: bool(watched.up) or task.done())
        yield watched
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def test_a_killed_proxy_is_started_again(make_command: MakeCommand) -> None:
    async with running(make_command()) as watched:
        for _ in range(2):
            before = len(watched.up)
            os.kill(watched.up[-1].version.pid, signal.SIGKILL)
            await wait_until(lambda known=before: len(watched.up) > known, START_S)  # type: ignore[misc]
        assert "by signal 9" in watched.down[0]
        assert watched.supervisor.restarts >= len(watched.down) == 2
        assert not any(one.is_adopted for one in watched.up)


async def test_the_next_supervisor_adopts_what_runs(make_command: MakeCommand) -> None:
    command = make_command()
    async with running(command) as first:
        pid = first.up[0].version.pid
    async with running(command) as second:
        assert second.up[0].version.pid == pid
        assert second.up[0].is_adopted
        os.kill(pid, signal.SIGKILL)
        await wait_until(lambda: len(second.up) == 2, START_S)
        assert second.up[1].version.pid != pid


async def test_only_a_proxy_without_a_table_is_unused(make_command: MakeCommand) -> None:
    command = make_command()
    async with running(command) as watched:
        await watched.up[0].client.put_snapshot(full(Snapshot(1, "d1", {})))
    assert not await stop_unused_proxy(command.control_socket)
    assert await stop_proxy(command.control_socket, 0)
    async with running(command):
        pass
    assert await stop_unused_proxy(command.control_socket)
    assert not await stop_unused_proxy(command.control_socket)


async def test_one_that_speaks_another_protocol_is_replaced(make_command: MakeCommand) -> None:
    command = make_command(FAKE_PROTOCOL="7")
    process = ProxyProcess.start(command)
    await wait_until(command.control_socket.exists)
    make_command()
    async with running(command) as watched:
        assert watched.up[0].version.pid != process.pid
    await process.ended()
    process.close()


async def test_a_proxy_that_dies_at_its_start_is_one_sentence(make_command: MakeCommand) -> None:
    supervisor = Supervisor(
        make_command(FAKE_DIES="1"), on_up=lambda _: None, on_down=lambda _: None
    )
    with pytest.raises(StartError, match='ended with code 9; it wrote: "dies at once"'):
        await supervisor.run()


async def test_one_that_goes_on_dying_is_started_ever_later(make_command: MakeCommand) -> None:
    async with running(make_command()) as watched:
        make_command(FAKE_DIES="1")
        os.kill(watched.up[0].version.pid, signal.SIGKILL)
        await wait_until(lambda: watched.supervisor.restarts >= 3)
        make_command()
        await wait_until(lambda: len(watched.up) == 2)


def test_a_missing_program_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartError, match=r"proxy\.binary"):
        find_binary(tmp_path / "none")
