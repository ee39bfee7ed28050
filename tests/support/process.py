"""A program started by a test: its output kept, its whole group ended whatever happens; and waiting on conditions.

A process belongs to no event loop, so one that was started by a session's fixture may be killed by any test.
"""

import asyncio
import contextlib
import inspect
import os
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from types import TracebackType
from typing import IO, Self, TypeVar, overload

import aiohttp

from tests.support import children

T = TypeVar("T")

# Settings of whoever runs the tests must not reach the programs under test.
FOREIGN_SETTINGS = ("MESHNODE_", "CONSUL_", "OTEL_", "JAEGER_", "HTTP_PROXY", "http_proxy")
# A group that got SIGKILL is gone in milliseconds; a machine that needs more is not slow but broken.
KILL_SECONDS = 10.0
# A command needs a second or two; one that hangs is found all the same on a machine that has ten times too much to do.
RUN_SECONDS = 120.0
OUTPUT_LINES_SHOWN = 40
POLL_SECONDS = 0.02


class ProcessError(Exception):
    """A program did not do what the test needs; carries the end of its output."""


@dataclass(frozen=True, slots=True)
class Finished:
    """What a program that ran to its end left behind."""

    command: tuple[str, ...]
    code: int
    stdout: str
    stderr: str


class Process:
    """One program in a process group of its own, output in `log_path`, restartable with the same command."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        *,
        folder: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
        uid: int | None = None,
    ) -> None:
        """`uid` runs it as that user and group, without further groups; needs root."""
        self.name = name
        self.command = tuple(str(part) for part in command)
        self.log_path = folder / f"{name}.log"
        self._env = dict(env or {})
        self._cwd = cwd
        self._uid = uid
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        return self._running_popen().pid

    @property
    def is_running(self) -> bool:
        return self._popen is not None and self._popen.poll() is None

    @property
    def code(self) -> int | None:
        """The exit code, minus the signal's number, or None while it runs."""
        return None if self._popen is None else self._popen.poll()

    def start(self) -> Self:
        if self.is_running:
            raise ProcessError(f"{self.name} runs already")
        self.log_path.parent.mkdir(parents=True, exist_ok=True)
        with self.log_path.open("ab") as log:
            self._popen = children.spawn(
                with_rights(self.command, self._uid),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=clean_environment(self._env),
                cwd=self._cwd,
            )
        return self

    def signal(self, number: signal.Signals) -> None:
        """Sends to the process alone, as `kill` in a terminal does."""
        self._running_popen().send_signal(number)

    def stop(self) -> None:
        """Freezes it: open connections stay open, nothing is answered. Returns when its last thread stands."""
        self.signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.pid, os.WSTOPPED | os.WEXITED | os.WNOWAIT)

    def cont(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL to the whole group; returns when it is gone."""
        if self._popen is None:
            return
        kill_group(self._popen)

    async def terminate(self, timeout: float = 30.0) -> int:
        """SIGTERM, and the exit code. What is left of the group after `timeout` is killed and an error."""
        self.signal(signal.SIGTERM)
        return await self.wait(timeout)

    async def wait(self, timeout: float = 30.0) -> int:
        """The exit code, once it has ended by itself."""
        try:
            await wait_until(lambda: not self.is_running, timeout, what=f"{self.name} ends")
        except TimeoutError as error:
            self.kill()
            raise ProcessError(
                f"{self.name} did not end within {timeout} s\n{self.tail()}"
            ) from error
        code = self.code
        if code is None:
            raise ProcessError(f"{self.name} was never started")
        return code

    def output(self) -> str:
        """Standard output and error since the first start."""
        return self.log_path.read_text(errors="replace") if self.log_path.exists() else ""

    def tail(self) -> str:
        lines = self.output().splitlines()[-OUTPUT_LINES_SHOWN:]
        return f"--- the end of {self.log_path}\n" + "\n".join(lines)

    @overload
    async def until(
        self, condition: Callable[[], Awaitable[T | None]], timeout: float, *, what: str
    ) -> T: ...
    @overload
    async def until(self, condition: Callable[[], T | None], timeout: float, *, what: str) -> T: ...
    async def until(self, condition: Callable[[], object], timeout: float, *, what: str) -> object:
        """Like wait_until, but fails at once when the program ends before, and shows its output."""

        def or_gone() -> object:
            if not self.is_running:
                raise ProcessError(f"{self.name} ended with code {self.code}\n{self.tail()}")
            return condition()

        try:
            return await wait_until(or_gone, timeout, what=what)
        except TimeoutError as error:
            raise ProcessError(f"{error}\n{self.tail()}") from error

    def __enter__(self) -> Self:
        return self if self.is_running else self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def _running_popen(self) -> subprocess.Popen[bytes]:
        if self._popen is None or self._popen.poll() is not None:
            raise ProcessError(f"{self.name} does not run (code {self.code})\n{self.tail()}")
        return self._popen


async def run(
    *command: str | Path,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    uid: int | None = None,
    stdin: str = "",
    timeout: float = RUN_SECONDS,
    check: bool = True,
) -> Finished:
    """Runs a program to its end. With `check` any code but 0 is a ProcessError with both outputs."""
    words = tuple(str(part) for part in command)
    # Files and no pipes: a daemon the program leaves behind would hold a pipe open for ever.
    with TemporaryFile() as given, TemporaryFile() as out, TemporaryFile() as err:
        given.write(stdin.encode())
        given.seek(0)
        process = children.spawn(
            with_rights(words, uid),
            stdin=given,
            stdout=out,
            stderr=err,
            env=clean_environment(env or {}),
            cwd=cwd,
        )
        try:
            code = await asyncio.to_thread(process.wait, timeout)
        except subprocess.TimeoutExpired as error:
            raise ProcessError(f"`{' '.join(words)}` did not end within {timeout} s") from error
        finally:
            kill_group(process)
        finished = Finished(words, code, _text(out), _text(err))
    if check and finished.code != 0:
        raise ProcessError(
            f"`{' '.join(words)}` ended with {finished.code}\n{finished.stdout}{finished.stderr}"
        )
    return finished


@overload
async def wait_until(
    condition: Callable[[], Awaitable[T | None]],
    timeout: float = ...,
    *,
    what: str = ...,
    interval: float = ...,
) -> T: ...
@overload
async def wait_until(
    condition: Callable[[], T | None],
    timeout: float = ...,
    *,
    what: str = ...,
    interval: float = ...,
) -> T: ...
async def wait_until(
    condition: Callable[[], object],
    timeout: float = 60.0,
    *,
    what: str = "",
    interval: float = POLL_SECONDS,
) -> object:
    """The first value of `condition` (plain or async) that is true.

    A program that is not reached yet (OSError, aiohttp.ClientError) counts as false. TimeoutError says `what` was
    waited for and what came last.
    """
    deadline = time.monotonic() + timeout
    last: object = None
    while (left := deadline - time.monotonic()) > 0:
        children.reap_adopted()
        try:
            async with asyncio.timeout(left):
                last = condition()
                if inspect.isawaitable(last):
                    last = await last
        except (OSError, aiohttp.ClientError) as error:  # a timeout is an OSError too
            last = error
        else:
            if last:
                return last
        await asyncio.sleep(interval)
    name = what or getattr(condition, "__qualname__", "the condition")
    raise TimeoutError(f"not within {timeout} s: {name} (last: {last!r})")


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="replace")


def kill_group(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL to what is left of the program's group; returns when its head is gone."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(KILL_SECONDS)


def clean_environment(extra: Mapping[str, str]) -> dict[str, str]:
    """Ours without foreign settings, with `extra`."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(FOREIGN_SETTINGS)
    }
    return {**kept, **extra}


def with_rights(command: Sequence[str], uid: int | None) -> list[str]:
    """The command behind `setpriv`: it dies with the test that started it, and runs as `uid` if one is named."""
    prefix = ["setpriv", "--pdeathsig", "KILL"]
    if uid is not None and uid != os.geteuid():
        prefix += ["--reuid", str(uid), "--regid", str(uid), "--clear-groups"]
    return [*prefix, "--", *command]
