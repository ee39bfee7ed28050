"""What all nouns share while the registry runs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .checks import Checks
from .session_timers import SessionTimers
from .store import Store

DATACENTER = "dc1"
"""There is one, and this is its name, as Consul's own default is."""
VERSION = "1.22.0"
"""Consul's, whose behaviour this is."""


@dataclass(frozen=True, slots=True)
class Shared:
    store: Store
    timers: SessionTimers
    checks: Checks
    clock: Callable[[], float]
    """Seconds since 1970."""
