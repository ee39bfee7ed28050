"""The process that stays behind to clean up: whatever the demo started is ended with it, even after kill -9.

Two processes watch each other. The keeper (whose number people see, and who gets Ctrl-C) starts the worker and is the
one that adopts what the worker leaves behind: it ends that. The kernel tells the worker when the keeper is gone: it
ends itself in order. Starts no program itself, and imports nothing heavy: the fork comes first of all.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

from ..proxy.bound import end_with_parent

PR_SET_NAME = 15
PR_SET_CHILD_SUBREAPER = 36
# Another name than the command's, so that `killall -9 meshnode` leaves somebody to clean up.
KEEPER_NAME = b"meshdev-keeper"
# What a person or a closing terminal sends to end us.
ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT)


def leave_a_keeper() -> None:
    """Returns in a new process, the worker. This one waits for it, ends what it left, and exits with its code.

    The worker is told to end by SIGTERM, whatever signal the keeper got; a second one kills it.
    """
    _prctl(PR_SET_CHILD_SUBREAPER, 1)
    sys.stdout.flush()
    sys.stderr.flush()
    keeper = os.getpid()
    signal.pthread_sigmask(signal.SIG_BLOCK, ENDING)
    worker = os.fork()
    if worker == 0:
        # A session of its own: the terminal's Ctrl-C reaches the keeper alone, which says it once.
        os.setsid()
        end_with_parent(keeper, signal.SIGTERM)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
        return
    sys.exit(_keep(worker))


def _keep(worker: int) -> int:
    _prctl(PR_SET_NAME, ctypes.c_char_p(KEEPER_NAME))
    told: list[int] = []

    def forward(number: int, _: FrameType | None) -> None:
        told.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(worker, signal.SIGTERM if len(told) == 1 else signal.SIGKILL)

    for number in ENDING:
        signal.signal(number, forward)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING)
    code = _wait_for(worker)
    for number in ENDING:
        signal.signal(number, signal.SIG_IGN)
    _end_children()
    if code < 0 and not told:
        sys.stderr.write(
            f"meshnode: the demo was killed (signal {-code}); all that it had started is ended\n"
        )
    return 0 if told else 1 if code < 0 else code


def _wait_for(worker: int) -> int:
    """Its exit code, minus the signal's number. Orphans that were adopted meanwhile are taken away too."""
    while True:
        pid, status = os.wait()
        if pid == worker:
            return os.waitstatus_to_exitcode(status)


def _end_children() -> None:
    """Kills what has become our child, and what becomes it by that, until nobody is left."""
    while True:
        for pid in children():
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.wait()
        except ChildProcessError:
            return


def children() -> Iterator[int]:
    """The processes whose parent we are, ended ones that nobody waited for included."""
    own = os.getpid()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                # The name before the last bracket may hold anything.
                fields = (entry / "stat").read_text(errors="replace").rpartition(")")[2].split()
                if int(fields[1]) == own:
                    yield int(entry.name)


def _prctl(option: int, value: object) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(option, value, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), f"prctl({option})")
