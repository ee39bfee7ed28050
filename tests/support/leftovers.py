"""What the tests started and did not end, detached daemons included, found and named.

This process adopts its orphaned descendants (Linux' child subreaper), so nothing can hide by detaching itself.
"""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

PR_SET_CHILD_SUBREAPER = 36
# What was told to end at a test's very end gets this long before it counts as left.
GRACE_SECONDS = 2.0
POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Descendant:
    """A living process below this one."""

    pid: int
    command: str
    test: str
    """The test that ran when it was started, as pytest names it; empty if its environment tells nothing."""


def become_subreaper() -> None:
    """From now on orphans of this process' descendants become its children."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_CHILD_SUBREAPER)")


def descendants() -> list[Descendant]:
    """All living processes below this one, whatever group or session they are in."""
    parents = dict(_parents())
    found: set[int] = {os.getpid()}
    grown = True
    while grown:
        below = {pid for pid, parent in parents.items() if parent in found} - found
        found |= below
        grown = bool(below)
    described = (_describe(pid) for pid in sorted(found - {os.getpid()}))
    return [one for one in described if one is not None]


def kill_descendants(word: str) -> list[int]:
    """SIGKILL to each descendant whose command line has `word` in it (say, its state folder); the pids that were."""
    killed = [one.pid for one in descendants() if word in one.command]
    _kill(killed)
    return killed


def remaining() -> list[Descendant]:
    """What still lives after a short grace; all of it killed."""
    deadline = time.monotonic() + GRACE_SECONDS
    left = descendants()
    while left and time.monotonic() < deadline:
        time.sleep(POLL_SECONDS)
        left = descendants()
    _kill([one.pid for one in left])
    return left


@contextlib.contextmanager
def no_leftovers() -> Iterator[None]:
    """For programs that are no pytest session: whatever the block leaves running is killed and is an error."""
    become_subreaper()
    try:
        yield
    finally:
        left = remaining()
    if left:
        raise RuntimeError("left running: " + "; ".join(f"{one.pid} {one.command}" for one in left))


def _kill(pids: list[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    deadline = time.monotonic() + GRACE_SECONDS
    while time.monotonic() < deadline and any(_describe(pid) for pid in pids):
        time.sleep(POLL_SECONDS)


def _parents() -> Iterator[tuple[int, int]]:
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat is not None and stat[0] != "Z":
                yield int(entry.name), int(stat[1])


def _describe(pid: int) -> Descendant | None:
    """None when it is gone or only waits to be reaped."""
    stat = _stat(pid)
    if stat is None or stat[0] == "Z":
        return None
    try:
        command = (
            Path(f"/proc/{pid}/cmdline")
            .read_bytes()
            .replace(b"\0", b" ")
            .decode(errors="replace")
            .strip()
        )
        environment = Path(f"/proc/{pid}/environ").read_bytes()
    except OSError:
        return None
    test = next(
        (
            line[20:].decode(errors="replace")
            for line in environment.split(b"\0")
            if line.startswith(b"PYTEST_CURRENT_TEST=")
        ),
        "",
    )
    return Descendant(pid, command, test)


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/<pid>/stat from the state on; the name before them may hold anything."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
    except OSError:
        return None
