"""The processes this one starts, told from the orphans it adopts, so that a dead orphan is gone for whoever looks.

A daemon that detached itself from its starter has this process as its parent (leftovers.become_subreaper). When it
dies, it must be waited for here, or it would still seem to exist. What `spawn` started is waited for by its owner.
"""

import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

_own: set[int] = set()
_starting = threading.Lock()


def spawn(
    command: Sequence[str],
    *,
    stdin: int | IO[bytes],
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    env: Mapping[str, str],
    cwd: Path | None,
) -> subprocess.Popen[bytes]:
    """Starts a program as the head of a new session. Tests start programs by this alone."""
    with _starting:
        process = subprocess.Popen(
            command,
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
        _own.add(process.pid)
    return process


def reap_adopted() -> None:
    """Waits for the adopted children that are dead; never blocks."""
    if not _starting.acquire(blocking=False):
        return
    try:
        for pid in _children() - _own:
            with contextlib.suppress(ChildProcessError):
                os.waitpid(pid, os.WNOHANG)
    finally:
        _starting.release()


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        # A thread that ended since it was listed had no child left: its children went to another thread.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(int(pid) for pid in (task / "children").read_text().split())
    return found
