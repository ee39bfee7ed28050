"""Whatever is killed, nothing of the demo remains: keeper, worker, and a program that detached itself."""

import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from os import kill
from pathlib import Path

import pytest

from tests.support import Process, descendants, wait_until

PROGRAM = Path(__file__).with_name("kept.py")
ROOT = str(PROGRAM.parents[4])


@dataclass(frozen=True, slots=True)
class Kept:
    program: Process
    keeper: int
    worker: int
    detached: int

    async def all_gone(self) -> None:
        pids = {self.keeper, self.worker, self.detached}
        await wait_until(
            lambda: pids.isdisjoint(one.pid for one in descendants()), what="nothing is left"
        )


@asynccontextmanager
async def kept(folder: Path, how: str) -> AsyncIterator[Kept]:
    program = Process(
        "kept", [sys.executable, PROGRAM, how], folder=folder, env={"PYTHONPATH": ROOT}
    )
    with program:
        await wait_until(lambda: "pids" in program.output(), what="the worker's line")
        keeper, worker, detached = program.output().split()[1:4]
        yield Kept(program, int(keeper), int(worker), int(detached))


async def told(one: Kept, number: signal.Signals) -> None:
    kill(one.keeper, number)
    assert await one.program.wait() == 0


async def keeper_killed(one: Kept) -> None:
    kill(one.keeper, signal.SIGKILL)


async def worker_killed(one: Kept) -> None:
    kill(one.worker, signal.SIGKILL)
    assert await one.program.wait() == 1
    assert "killed (signal 9)" in one.program.output()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT])
async def test_a_signal_ends_all(tmp_path: Path, number: signal.Signals) -> None:
    async with kept(tmp_path, "ends") as one:
        await told(one, number)
        await one.all_gone()


@pytest.mark.parametrize("end", [keeper_killed, worker_killed])
async def test_a_killed_half_takes_the_rest_along(
    tmp_path: Path, end: Callable[[Kept], Awaitable[None]]
) -> None:
    async with kept(tmp_path, "ends") as one:
        await end(one)
        await one.all_gone()


async def test_a_second_signal_ends_a_worker_that_does_not(tmp_path: Path) -> None:
    async with kept(tmp_path, "stubborn") as one:
        kill(one.keeper, signal.SIGINT)
        await wait_until(lambda: "told" in one.program.output(), what="the worker was told")
        kill(one.keeper, signal.SIGINT)
        await one.all_gone()
        assert await one.program.wait() == 0


async def test_the_workers_code_is_the_commands(tmp_path: Path) -> None:
    async with kept(tmp_path, "fails") as one:
        assert await one.program.wait() == 3
        await one.all_gone()
