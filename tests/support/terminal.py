"""A shell in a terminal of its own, typed at as a person does: what completion does is only seen there."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

READ_BYTES = 65_536
PATIENCE_SECONDS = 60.0


class Terminal:
    """`with Terminal(["bash", "--norc", "-i"], folder, env) as shell:` type, and wait for what is shown."""

    def __init__(self, command: Sequence[str], folder: Path, env: Mapping[str, str]) -> None:
        # A shell that is not its terminal's own edits no line, and fish ends at once.
        self._command = ["setsid", "--ctty", *command]
        self._folder = folder
        self._env = {**env, "TERM": "dumb", "HOME": str(folder), "COLUMNS": "200"}
        self.shown = ""

    def __enter__(self) -> Self:
        self._master, slave = pty.openpty()
        self._process = subprocess.Popen(
            self._command, stdin=slave, stdout=slave, stderr=slave, cwd=self._folder, env=self._env
        )  # fmt: skip
        os.close(slave)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait()
        os.close(self._master)

    def type(self, keys: str) -> None:
        """What was shown before is forgotten: `until` looks at what follows."""
        self.shown = ""
        os.write(self._master, keys.encode())

    def until(self, text: str) -> str:
        """Everything shown since the last typing, once `text` is in it. Raises AssertionError with it otherwise."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while text not in self.shown:
            left = deadline - time.monotonic()
            ready, _, _ = select.select([self._master], [], [], max(0.0, left))
            assert ready, f"{text!r} was not shown: {self.shown!r}"
            self.shown += os.read(self._master, READ_BYTES).decode(errors="replace")
        return self.shown
