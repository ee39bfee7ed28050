"""The whole demo from its first program to its last: registry, agents, services, screen, live lines, and the end."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from catalog import ConsulClient

from ..log import set_up
from ..proxy import stop_proxy
from .activate import activate
from .addresses import Ports
from .crew import Crew
from .folder import Folder
from .live import Live
from .plan import Plan, plan_of
from .programs import programs
from .ready import until_ready
from .registries import Borrowed, clear_shop, clients, embedded, fill, given
from .screen import Shown, screen, where


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the person asked for. `consul` empty: the embedded registry. `is_kept`: they named the folder."""

    nodes: int
    consul: tuple[str, ...]
    token: str | None
    otlp: str | None
    is_kept: bool


async def run_demo(wanted: Wanted, folder: Folder, say: Callable[[str], None]) -> None:
    """Until SIGTERM, or until nobody reads. Raises StartError or CatalogError; nothing is left running either way."""
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, told.set)
    _watch_reader(told)
    work = asyncio.create_task(_Demo(wanted, folder, say).run())
    waiting = asyncio.create_task(told.wait())
    await asyncio.wait({work, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    # Once only: what ends the programs is part of the same task.
    work.cancel()
    await asyncio.wait({work})
    if not work.cancelled() and (error := work.exception()) is not None:
        raise _single(error)


def _watch_reader(told: asyncio.Event) -> None:
    """`meshnode dev | head`: the end of whoever reads is an event on our end of the pipe, and the only one."""
    output = sys.stdout.fileno()
    if not stat.S_ISFIFO(os.fstat(output).st_mode):
        return
    loop = asyncio.get_running_loop()

    def gone() -> None:
        loop.remove_reader(output)
        told.set()

    loop.add_reader(output, gone)


class _Demo:
    def __init__(self, wanted: Wanted, folder: Folder, say: Callable[[str], None]) -> None:
        self._wanted = wanted
        self._folder = folder
        self._say = say
        self._ports = Ports()

    async def run(self) -> None:
        await self._tidy()
        async with AsyncExitStack() as stack:
            stack.callback(self._folder.end)
            stack.callback(self._ports.close)
            plan = await stack.enter_async_context(self._planned())
            of = await stack.enter_async_context(clients(plan.nodes, self._wanted.token))
            if self._wanted.consul:
                await stack.enter_async_context(self._borrowed(plan, of))
            else:
                await clear_shop(plan, of)
            crew = Crew(lambda line: self._say(f"            {line}"))
            stack.push_async_callback(crew.end)
            await self._start(plan, of, crew)
            self._folder.tell(f"process {os.getppid()}, {where(plan)}")
            for line in screen(plan, self._shown()):
                self._say(line)
            async with asyncio.TaskGroup() as group:
                group.create_task(crew.watch(), name="crew")
                group.create_task(Live(plan.nodes, self._say).run(), name="live")

    async def _tidy(self) -> None:
        """What an earlier demo may have left that was killed together with its keeper."""
        for socket in self._folder.run.glob("*/proxy.sock"):
            await stop_proxy(socket, 0)
        # A Consul that was there before keeps nothing of ours, so no key to it either.
        if self._wanted.consul or not self._wanted.is_kept:
            self._folder.clear()
        self._folder.make()
        # What the registry and we ourselves have to say; never closed, since the last word may come late.
        set_up("info", is_journal=False, stream=self._folder.log("dev").open("a"))

    @asynccontextmanager
    async def _planned(self) -> AsyncIterator[Plan]:
        if self._wanted.consul:
            places = await given(self._wanted.consul, self._wanted.token)
            yield plan_of(self._wanted.consul[0], places, self._ports)
            return
        registry = embedded(self._folder.registry, self._wanted.nodes, self._ports)
        async with registry as (address, places):
            yield plan_of(address, places, self._ports)

    @asynccontextmanager
    async def _borrowed(self, plan: Plan, of: dict[str, ConsulClient]) -> AsyncIterator[None]:
        borrowed = await Borrowed.begin(plan, of, self._folder.path)
        try:
            yield
        finally:
            for sentence in await borrowed.give_back():
                self._say(f"  {sentence}")

    async def _start(self, plan: Plan, of: dict[str, ConsulClient], crew: Crew) -> None:
        _hint("  starting …")
        given_to_all = {"token": self._wanted.token, "otlp": self._wanted.otlp}
        for program in programs(plan, self._folder, **given_to_all):
            crew.start(program)
        try:
            await fill(plan, of)
            await until_ready(plan, crew.check)
        finally:
            _hint("")

    def _shown(self) -> Shown:
        return Shown(
            is_embedded=not self._wanted.consul,
            moved=tuple(self._ports.moved),
            kept_in=self._folder.path if self._wanted.is_kept else None,
            logs=self._folder.logs,
            activate=activate(Path(sys.prefix), os.environ, Path.cwd()),
            environment=os.environ,
            otlp=self._wanted.otlp,
            columns=shutil.get_terminal_size().columns if sys.stdout.isatty() else None,
        )


def _hint(text: str) -> None:
    """A line that is written over, on a terminal alone."""
    if sys.stdout.isatty():
        sys.stdout.write(f"\r{text}\033[K")
        sys.stdout.flush()


def _single(error: BaseException) -> BaseException:
    """The one error in a group, such as a screen that nobody reads any more; a fault of ours stays whole."""
    while isinstance(error, BaseExceptionGroup) and len(error.exceptions) == 1:
        error = error.exceptions[0]
    return error
