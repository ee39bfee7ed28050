"""Runs a program that ends when its starter ends, however that ends: `python -I -S bound.py PARENT SIGNAL PROGRAM …`.

A file of its own that imports nothing of ours: the kernel's flag is set between fork and exec, where a process with
threads may run no Python of its own. Works on Linux alone, as meshnode does.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def end_with_parent(parent: int, number: int) -> None:
    """From now on the end of `parent` sends us this signal; it is sent at once if that has ended already."""
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != parent:
        os.kill(os.getpid(), number)


def before(number: signal.Signals) -> list[str]:
    """The words to put before a program's own, so that it is sent this signal when we end, however that happens."""
    return [sys.executable, "-I", "-S", __file__, str(os.getpid()), str(int(number))]


def main() -> None:
    parent, number, *words = sys.argv[1:]
    end_with_parent(int(parent), int(signal.Signals(int(number))))
    os.execv(words[0], words)  # noqa: S606  (no shell is wanted)


if __name__ == "__main__":
    main()
