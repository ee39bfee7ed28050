"""The processes this one starts, told from the orphans it adopts, so that a dead orphan is gone for whoever looks.

A daemon that detached itself from its starter has this process as its parent (leftovers.become_subreaper). When it
dies, it must be waited for here, or it would still seem to exist. What `spawn` started is waited for by its owner, and
what code under test started in this process by that code, which has its turn first.
"""

import contextlib
import os
import subprocess
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

# A dead child is waited for here once it was seen so often: the loop of whoever started it has come round by then.
SIGHTINGS = 10

_own: set[int] = set()
_dead: dict[int, int] = {}
"""How often each dead child was seen."""
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
    """Waits for the adopted children that stay dead; never blocks. To be called again and again."""
    if not _starting.acquire(blocking=False):
        return
    try:
        dead = {pid for pid in _children() - _own if _is_dead(pid)}
        for pid in _dead.keys() - dead:
            del _dead[pid]
        for pid in dead:
            _dead[pid] = _dead.get(pid, 0) + 1
            if _dead[pid] >= SIGHTINGS:
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, os.WNOHANG)
    finally:
        _starting.release()


def _is_dead(pid: int) -> bool:
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:
        return False


def _children() -> set[int]:
    found: set[int] = set()
    for task in Path("/proc/self/task").iterdir():
        # A thread that ended since it was listed had no child left: its children went to another thread.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            found.update(int(pid) for pid in (task / "children").read_text().split())
    return found
