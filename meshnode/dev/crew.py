"""All programs of the demo: agents and services, started, looked after, started again, and ended together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ..errors import StartError
from ..proxy import stop_proxy
from .child import Child

# One that a curious person ended comes back after this: time to see what the mesh makes of it.
BACK_AFTER_S = 5.0
# An agent cancels its tasks and ends its proxy; a service ends at once.
END_GRACE_S = 8.0


@dataclass(frozen=True, slots=True)
class Program:
    """What is started, and started again. `control_socket` is that of an agent's proxy."""

    name: str
    words: Sequence[str]
    environment: Mapping[str, str]
    log: Path
    control_socket: Path | None = None


@dataclass(slots=True)
class Crew:
    """`start` each program, `watch` as a task, `end` at the end."""

    say: Callable[[str], None]
    """A line for the person, once the screen is there."""
    _running: dict[str, Child] = field(default_factory=dict)
    _programs: dict[str, Program] = field(default_factory=dict)

    def start(self, program: Program) -> None:
        self._programs[program.name] = program
        self._running[program.name] = Child.start(
            program.name, program.words, environment=program.environment, log=program.log
        )

    def check(self) -> None:
        """Raises StartError for the first that has ended: before the screen none may."""
        for name, child in self._running.items():
            if not child.is_running:
                raise StartError(f"{name} {child.how_it_ended()} (log: {self._programs[name].log})")

    async def watch(self) -> None:
        """Starts again whatever ends, and says so. Until cancelled."""
        async with asyncio.TaskGroup() as group:
            for name in self._programs:
                group.create_task(self._watch(name), name=f"watch {name}")

    async def end(self) -> None:
        """Returns when no program runs, and no proxy."""
        children = list(self._running.values())
        await asyncio.gather(*(child.end(END_GRACE_S) for child in children))
        sockets = [one.control_socket for one in self._programs.values() if one.control_socket]
        # An agent that was killed left its proxy to the next one.
        await asyncio.gather(*(stop_proxy(path, 0) for path in sockets))

    async def _watch(self, name: str) -> None:
        while True:
            child = self._running[name]
            await child.ended()
            self.say(
                f"{name} (process {child.pid}) {child.how_it_ended()}; it starts again in {BACK_AFTER_S:.0f} s"
            )
            await child.end(0)
            await asyncio.sleep(BACK_AFTER_S)
            self.start(self._programs[name])
            self.say(f"{name} started again (process {self._running[name].pid})")
