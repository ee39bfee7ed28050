"""The proxy as a process: found, started apart from the agent, watched by pidfd. Knows nothing of what it serves."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from ..errors import StartError
from . import bound

BINARY = "meshnode-proxy"
# The proxy logs little; one old file is kept beside the present one.
LOG_LIMIT_BYTES = 16 * 1024 * 1024
LOG_TAIL_BYTES = 2000


@dataclass(frozen=True, slots=True)
class Command:
    """How a proxy is started. `threads` 0 leaves the number to it."""

    binary: Path | None
    control_socket: Path
    log_path: Path
    threads: int = 0
    log_level: str = "info"
    ends_with_us: bool = False
    """Killed when we end, however that happens; else it outlives us."""

    def words(self) -> list[str]:
        """Raises StartError when there is no such program."""
        threads = ["--threads", str(self.threads)] if self.threads else []
        return [
            str(find_binary(self.binary)),
            "--control", str(self.control_socket),
            *threads,
            "--log", self.log_level,
        ]  # fmt: skip


def find_binary(named: Path | None) -> Path:
    """The program: as named, else beside this interpreter (one wheel holds both), else on the PATH."""
    beside = Path(sys.executable).parent / BINARY
    found = shutil.which(BINARY)
    path = named or (beside if beside.exists() else Path(found) if found else None)
    if path is None:
        raise StartError(
            f"the program {BINARY} is missing: install meshnode again (it comes with it), run `make "
            "build` in a clone, or name it (proxy.binary)"
        )
    if not os.access(path, os.X_OK):
        raise StartError(
            f"the proxy's program {path} is not there or may not be run (proxy.binary)"
        )
    return path


class ProxyProcess:
    """A running proxy, started by us or by an agent before us. Closing lets it run."""

    def __init__(self, pid: int, descriptor: int, child: subprocess.Popen[bytes] | None) -> None:
        self.pid = pid
        self._descriptor = descriptor
        self._child = child

    @classmethod
    def adopt(cls, pid: int) -> Self:
        """Raises ProcessLookupError when it is gone already."""
        return cls(pid, os.pidfd_open(pid), None)

    @classmethod
    def start(cls, command: Command) -> Self:
        """Starts it in a session of its own, so that neither a terminal's Ctrl-C nor our end reaches it, unless it should.

        Its environment is empty: it reads none, and ours may hold Consul's token.
        """
        words = command.words()
        before = bound.before(signal.SIGKILL) if command.ends_with_us else []
        _rotate(command.log_path)
        try:
            with command.log_path.open("ab") as log:
                child = subprocess.Popen(
                    [*before, *words],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={},
                    cwd="/",
                    start_new_session=True,
                )
        except OSError as error:
            raise StartError(f"{words[0]} can not be started: {error.strerror}") from error
        return cls(child.pid, os.pidfd_open(child.pid), child)

    @property
    def is_own_child(self) -> bool:
        return self._child is not None

    @property
    def code(self) -> int | None:
        """The exit code of our own child, minus the signal's number; None for an adopted one or while it runs."""
        return None if self._child is None else self._child.poll()

    async def ended(self) -> None:
        """Returns when the process is gone, whoever started it."""
        loop = asyncio.get_running_loop()
        gone: asyncio.Future[None] = loop.create_future()
        loop.add_reader(self._descriptor, _set, gone)
        try:
            await gone
        finally:
            loop.remove_reader(self._descriptor)
        if self._child is not None:
            self._child.poll()

    def kill(self) -> None:
        """SIGKILL; by pidfd, so never to another process that got the number. One that is gone already stays so."""
        with contextlib.suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._descriptor, signal.SIGKILL)

    def close(self) -> None:
        """Forgets it; it runs on."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
        if self._child is not None:
            # It is meant to outlive us; Popen would warn that nobody waited for it.
            self._child.returncode = self._child.poll() or 0


def _set(gone: asyncio.Future[None]) -> None:
    if not gone.done():
        gone.set_result(None)


def log_tail(path: Path) -> str:
    """The last line the proxy wrote, for a sentence about why it ended."""
    try:
        with path.open("rb") as log:
            log.seek(max(0, path.stat().st_size - LOG_TAIL_BYTES))
            lines = log.read().decode(errors="replace").splitlines()
    except OSError:
        return ""
    return next((line.strip() for line in reversed(lines) if line.strip()), "")


def _rotate(path: Path) -> None:
    try:
        if path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
    except FileNotFoundError:
        return
