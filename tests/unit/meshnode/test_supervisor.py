"""The supervisor: starts, adopts, restarts, and says in one sentence why it can't."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
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
    listening_peer,
    stop_proxy,
    stop_unused_proxy,
)
from tests.support import Process, wait_until

from .conftest import MakeCommand

# The fake is a Python program, and one too slow for the supervisor is started again; how soon the real one is back is
# measured in tests/integration.
START_S = 60.0


class Watched:
    """A supervisor with what it said."""

    def __init__(self, command: Command, **health: float) -> None:
        self.up: list[RunningProxy] = []
        self.down: list[str] = []
        self.supervisor = Supervisor(
            command, on_up=self.up.append, on_down=self.down.append, **health
        )


@asynccontextmanager
async def running(command: Command, **health: float) -> AsyncIterator[Watched]:
    watched = Watched(command, **health)
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


async def test_a_frozen_proxy_is_replaced(make_command: MakeCommand) -> None:
    """It lives and its socket takes connections, but nobody answers."""
    async with running(make_command(), health_every_s=0.1, health_timeout_s=0.5) as watched:
        pid = watched.up[0].version.pid
        os.kill(pid, signal.SIGSTOP)
        await wait_until(lambda: len(watched.up) > 1, START_S)
        assert "had not answered any more and was killed" in watched.down[0]
        assert watched.up[-1].version.pid != pid


async def test_a_proxy_that_answers_is_left_alone(make_command: MakeCommand) -> None:
    async with running(make_command(), health_every_s=0.01, health_timeout_s=START_S) as watched:
        for _ in range(100):
            await watched.up[0].client.version()
            await asyncio.sleep(0)
        assert watched.down == []
        assert watched.supervisor.restarts == 0


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


# Starts the program it is given and lets the kernel wait for it, as init does at once for a proxy whose agent is gone.
FORGETFUL = """
import signal, subprocess, sys
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
subprocess.Popen(sys.argv[1:])
signal.pause()
"""


@pytest.mark.parametrize(
    "environment",
    [{"FAKE_DIES_ASKED": "1"}, {"FAKE_REFUSES": "1"}],
    ids=str,
)
async def test_one_that_dies_or_refuses_while_it_is_adopted_is_replaced(
    make_command: MakeCommand, tmp_path: Path, environment: dict[str, str]
) -> None:
    command = make_command(**environment)
    starter = [sys.executable, "-c", FORGETFUL, *command.words()]
    with Process("starter", starter, folder=tmp_path):
        peer = await wait_until(lambda: listening_peer(str(command.control_socket), 1.0))
        make_command()
        async with running(command) as watched:
            assert watched.up[0].version.pid != peer.pid
            assert not watched.up[0].is_adopted


async def test_to_kill_one_that_is_gone_is_no_fault(make_command: MakeCommand) -> None:
    started = ProxyProcess.start(make_command())
    adopted = ProxyProcess.adopt(started.pid)
    started.kill()
    await started.ended()
    assert started.code == -9, "it was waited for: its number is free"
    adopted.kill()
    await adopted.ended()
    started.close()
    adopted.close()


LISTENER = """
import signal, socket, sys
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen()
signal.pause()
"""


@pytest.fixture
def folder_of_all() -> Iterator[Path]:
    """One that every user may write into; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory(dir="/tmp") as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to be somebody else")
async def test_another_users_program_is_neither_adopted_nor_ended(
    folder_of_all: Path, tmp_path: Path
) -> None:
    path = folder_of_all / "p.sock"
    command = ["/usr/bin/python3", "-c", LISTENER, str(path)]
    with Process("stranger", command, folder=tmp_path, uid=1234) as stranger:
        await wait_until(path.exists)
        assert not await stop_proxy(path, 0)
        with pytest.raises(PermissionError, match="belongs to user 1234"):
            await listening_peer(str(path), 30)
        assert stranger.is_running


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
