"""Tells how this node is: the agent's own parts by its view, the other nodes through Consul. Decides when, changes nothing.

What came into force is told a moment later, with all that came into force meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Protocol

from catalog import Change, Problem, Snapshot, remember

from .delivery import Delivery
from .draining import Counts
from .knowledge import Clock, Knowledge
from .side import Side
from .view import View
from .view_of import view_of

BREATH_S = 0.025
"""So long after a change other nodes on these processors have brought it into force, too. Meanwhile no change is held
up: only telling is."""


class Applied(Protocol):
    """Told of each table that came into force: index reached, Unix time and seconds from the events to the answer."""

    def __call__(self, index: int, table: Snapshot, began: float, took_s: float) -> None: ...


class Telling:
    """`came_into_force` and `note_reached` as it happens; `tell` when `is_due`, at the latest after `wait_s`."""

    def __init__(
        self,
        knowledge: Knowledge,
        delivery: Delivery,
        clock: Clock,
        *,
        port_range: tuple[int, int],
        on_applied: Applied,
        on_view: Callable[[View], None],
        restarts: Callable[[], int],
    ) -> None:
        """`on_applied` and `on_view` are called by `tell`, the first once for each table."""
        self._knowledge = knowledge
        self._delivery = delivery
        self._clock = clock
        self._port_range = port_range
        self._on_applied = on_applied
        self._on_view = on_view
        self._restarts = restarts
        self._untold: list[Callable[[], None]] = []
        """What is to be said of tables that came into force, from `_due_at` on."""
        self._due_at = 0.0
        self._changes: tuple[Change, ...] = ()
        self._reached = (0, "")
        """Index and digest of the keys that the proxy has in force, or refused one by one."""
        self._in_force_since: float | None = None

    @property
    def is_waiting(self) -> bool:
        """A table came into force that nobody was told of."""
        return bool(self._untold)

    @property
    def is_due(self) -> bool:
        return not self._untold or self._clock.monotonic() >= self._due_at

    @property
    def wait_s(self) -> float:
        """Seconds until it is due."""
        return max(0.0, self._due_at - self._clock.monotonic()) if self._untold else 0.0

    def in_force_again(self) -> None:
        """A proxy has the table of an earlier run, which is no news."""
        self._in_force_since = self._clock.unix()

    def came_into_force(self, table: Snapshot, began: float, clock_began: float) -> None:
        """`began` is Unix time, `clock_began` the same moment by the monotonic clock: when the events were there."""
        self._in_force_since, now = self._clock.unix(), self._clock.monotonic()
        index = self._knowledge.compiled.index if self._knowledge.compiled else 0
        if not self._untold:
            self._due_at = now + BREATH_S
        self._untold.append(partial(self._on_applied, index, table, began, now - clock_began))

    def note_reached(self) -> None:
        """The proxy has all that was compiled: how far that goes, and since when."""
        compiled = self._knowledge.compiled
        if compiled is not None:
            now_ms = int(self._clock.unix() * 1000)
            self._changes = remember(self._changes, compiled.index, now_ms)
            self._reached = compiled.index, compiled.keys_digest

    def tell(self, side: Side | None, own: tuple[Problem, ...], drain_counts: Counts) -> None:
        """Everybody who wants to know: history and spans of what came into force, the admin API, and through Consul the others."""
        untold, self._untold = self._untold, []
        for applied in untold:
            applied()
        view = view_of(
            port_range=self._port_range,
            knowledge=self._knowledge,
            delivery=self._delivery,
            side=side,
            own=own,
            in_force_since=self._in_force_since,
            restarts=self._restarts(),
            drain_counts=drain_counts,
        )
        self._on_view(view)
        compiled = self._knowledge.compiled
        if side is not None and compiled is not None:
            # A table that the proxy has not, or has refused, has reached nothing.
            index, digest = self._reached
            side.tell(view, replace(compiled, index=index, keys_digest=digest), self._changes)
