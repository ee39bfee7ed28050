"""`meshnode dev` as a person has it before them: started, read from its screen, pasted from in another terminal, ended."""

from __future__ import annotations

import json
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support import Finished, Process, descendants, run, wait_until
from tests.support.mesh import COMMANDS

ROOT = COMMANDS.parents[1]
# Far more than a start takes; the machine may be busy.
PATIENCE_S = 120.0
# `make demo` builds first, where `make integration` has not done so already.
BUILD_S = 900.0
# Every program of it has one of these in its command line.
OURS = ("meshnode dev", "meshnode agent", "meshnode-proxy", "meshnode.dev")
_SUGGESTION = re.compile(
    r"^    (?P<number>[1-9 ])  (?P<command>(?:curl|meshnode) .*)$", re.MULTILINE
)


class Demo:
    """One demo in a home of its own. `async with Demo(tmp_path) as demo:` its screen is there."""

    def __init__(
        self,
        folder: Path,
        *arguments: str,
        command: Sequence[str | Path] | None = None,
        environment: Mapping[str, str] | None = None,
        name: str = "demo",
    ) -> None:
        self.home = folder / "home"
        self.home.mkdir(exist_ok=True)
        self._start_s = BUILD_S if command else PATIENCE_S
        words = [*(command or [COMMANDS / "meshnode", "dev"]), *arguments]
        kept = {
            name: os.environ[name] for name in ("CARGO_HOME", "RUSTUP_HOME") if name in os.environ
        }
        tools = {
            "CARGO_HOME": str(Path.home() / ".cargo"),
            "RUSTUP_HOME": str(Path.home() / ".rustup"),
        }
        env = {**tools, **kept, "HOME": str(self.home), **(environment or {})}
        self.program = Process(name, words, folder=folder, env=env, cwd=ROOT)

    @property
    def data(self) -> Path:
        return self.home / ".local" / "state" / "meshnode" / "dev"

    @property
    def output(self) -> str:
        return self.program.output()

    async def screen(self) -> str:
        """All that was written until its last line is there."""
        await self.program.until(
            lambda: "Ctrl-C ends all of it." in self.output,
            self._start_s,
            what="the screen",
        )
        return self.output

    def suggestions(self) -> list[str]:
        """The commands to try, in their order, as they stand on the screen."""
        return [found["command"] for found in _SUGGESTION.finditer(self.output)]

    async def paste(self, command: str, *, check: bool = True) -> Finished:
        """The command in another terminal, which did first what the screen says."""
        found = re.search(r"Try in another terminal(?: \((.*)\))?:", self.output)
        assert found is not None, self.output
        before = f"{found[1]} && " if found[1] else ""
        env = {"HOME": str(self.home)}
        return await run("bash", "-c", before + command, env=env, cwd=ROOT, check=check)

    async def catalog(self, path: str) -> list[dict[str, Any]]:
        """What the registry's catalog has there."""
        found = re.search(r"registry\s+at\s+([0-9.:]+)", self.output)
        assert found is not None, self.output
        told = await self.paste(f"curl -sf http://{found[1]}/v1/catalog/{path}")
        return list(json.loads(told.stdout))

    async def until_page(self, command: str, *words: str) -> str:
        """Pastes the command until what it prints has all these words."""

        async def page() -> str | None:
            text = (await self.paste(command)).stdout
            return text if all(word in text for word in words) else None

        return await wait_until(page, PATIENCE_S, what=f"{command} prints {words}") or ""

    def pid_of(self, service: str) -> int:
        """The process of one of the shop's services."""
        wanted = f"DEMO_SERVICE={service}".encode()
        for one in descendants():
            variables = Path(f"/proc/{one.pid}/environ").read_bytes().split(b"\0")
            if "meshnode.dev.service" in one.command and wanted in variables:
                return one.pid
        raise AssertionError(f"{service} does not run")

    async def line(self, *words: str) -> str:
        """The first live line that has all these words."""

        def found() -> str | None:
            lines = self.output.splitlines()
            return next((one for one in lines if all(word in one for word in words)), None)

        return await self.program.until(found, PATIENCE_S, what=f"a line with {words}") or ""

    async def end(self, number: signal.Signals = signal.SIGINT) -> int:
        """As Ctrl-C does: to the whole group in the foreground. The exit code."""
        os.killpg(self.program.pid, number)
        return await self.program.wait(PATIENCE_S)

    async def __aenter__(self) -> Self:
        self.program.start()
        try:
            await self.screen()
        except BaseException:
            self.program.kill()
            raise
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.program.is_running:
            await self.end()
        await nothing_is_left()


def pids(*words: str) -> list[int]:
    """The living processes below this one whose command lines have all these words."""
    return [one.pid for one in descendants() if all(word in one.command for word in words)]


async def nothing_is_left() -> None:
    """Returns once no process of the demo lives: no registry, agent, proxy or service."""
    await wait_until(
        lambda: not any(pids(one) for one in OURS), PATIENCE_S, what="nothing of the demo runs"
    )
