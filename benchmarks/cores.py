"""Who runs on which core. Starts nothing: a program has the cores of the one that starts it."""

import contextlib
import os
from collections.abc import Iterator

# The measured program's alone; wrk, the origin and this program have another.
PROXY_CORE = 0


class CoresError(Exception):
    """The machine is too small to keep load and proxy apart."""


@contextlib.contextmanager
def apart() -> Iterator[None]:
    """For the block, this program and what it starts leave PROXY_CORE, and share one other core."""
    before = os.sched_getaffinity(0)
    others = before - {PROXY_CORE}
    if not others:
        raise CoresError(
            "the bench needs two cores: one for the proxy alone, one for load and origin"
        )
    os.sched_setaffinity(0, {min(others)})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
