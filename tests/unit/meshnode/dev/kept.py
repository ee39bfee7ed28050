"""A program kept by a keeper, for test_keeper.py: starts one that detaches itself, and says all their numbers."""

import os
import signal
import subprocess
import sys
import time
from types import FrameType

from meshnode.dev.keeper import leave_a_keeper


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def end(_: int, __: FrameType | None) -> None:
    if "stubborn" in sys.argv:
        say("told")
        return
    detached.terminate()
    sys.exit(0)


leave_a_keeper()
detached = subprocess.Popen(["sleep", "1000"], start_new_session=True)
signal.signal(signal.SIGTERM, end)
say(f"pids {os.getppid()} {os.getpid()} {detached.pid}")
if "fails" in sys.argv:
    sys.exit(3)
while True:
    time.sleep(1000)
