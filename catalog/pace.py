"""How soon one may ask again after an answer, so that Consul is not asked more often than it is worth. Pure."""

from __future__ import annotations

from collections import deque

BURST = 2
"""So many changes go straight through after a quiet moment: a person's put, and the one right behind it."""
SPACING_S = 0.1
"""The least time between two answers after that; 50 flaps a second cost Consul a third so (CONSUL.md)."""
CHURN_SPACING_S = 0.5
"""The same while things change without a pause."""
CHURN_WAKES = 20
"""So many answers within CHURN_WINDOW_S are churn: at SPACING_S it takes two seconds to get there."""
CHURN_WINDOW_S = 3.0
QUIET_S = 0.5
"""A question that waited so long for its answer ends the churn."""
RESOLUTION_S = 0.001
"""A shorter pause is none: what is left of adding and taking away is no reason to go to sleep."""


class Pace:
    """One watch's pace: a bucket of BURST answers that fills by one every SPACING_S."""

    def __init__(self) -> None:
        self._full_at = 0.0
        self._wakes: deque[float] = deque(maxlen=CHURN_WAKES)
        self._is_churn = False

    @property
    def is_churn(self) -> bool:
        return self._is_churn

    def woken(self, now: float, waited_s: float) -> float:
        """Seconds to wait before the next question; 0 on the path of a first change.

        `now` is any clock's that only goes forward, `waited_s` how long the question had been open.
        """
        self._wakes.append(now)
        if waited_s >= QUIET_S:
            self._is_churn = False
            self._wakes.clear()
        elif len(self._wakes) == CHURN_WAKES and now - self._wakes[0] < CHURN_WINDOW_S:
            self._is_churn = True
        spacing_s = CHURN_SPACING_S if self._is_churn else SPACING_S
        self._full_at = max(self._full_at, now) + spacing_s
        pause_s = self._full_at - now - (BURST - 1) * spacing_s
        return pause_s if pause_s > RESOLUTION_S else 0.0
