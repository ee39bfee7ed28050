"""How many files and sockets this process may hold open. For the registry: each client that waits for a change holds one."""

from __future__ import annotations

import resource


def take_all() -> None:
    """As many as the machine lets us have; what is started afterwards inherits it."""
    _soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
