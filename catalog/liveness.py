"""Whether what we know is fresh: a cheap probe of Consul, and what of our watches fails. Reads nothing that is configured.

A blocking query is silent for minutes when all is well, and just as silent when its connection hangs. The probe tells
the two apart; it moves nothing in Consul.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass

from .client import ConsulClient
from .errors import CatalogError
from .update import Staleness

AFTER_S = 30.0
"""For so long after an outage Consul's own house may not be in order yet: its gossip, what its servers took over."""
REDIAL_FAILURES = 2
"""So many failed probes in a row, and the watches' connections are not trusted any more."""

CONSUL = "consul"


@dataclass(frozen=True, slots=True)
class Probing:
    """How often Consul is probed."""

    every_s: float = 2.0
    """Between two probes while all is well; a hanging Consul is noticed within this and `timeout_s`."""
    timeout_s: float = 2.0
    """A leader that takes longer to be named is none to rely on."""
    failing_s: float = 0.5
    """Between two probes while Consul does not answer: its return is noticed within this."""


class Liveness:
    """Collects failures by name, tells `on_staleness` what they come to, and wakes everybody when Consul is back."""

    def __init__(
        self,
        client: ConsulClient,
        *,
        on_staleness: Callable[[Staleness], None],
        on_return: Callable[[], None],
        clock: Callable[[], float],
        jitter: random.Random,
        probing: Probing,
    ) -> None:
        """`on_return` is called when probes succeed again after REDIAL_FAILURES; `clock` gives Unix seconds."""
        self.staleness = Staleness(None)
        self._client = client
        self._on_staleness = on_staleness
        self._on_return = on_return
        self._clock = clock
        self._jitter = jitter
        self._probing = probing
        self._failing: dict[str, tuple[float, str]] = {}
        self._last_good = clock()
        self._failures = 0
        self._well_since: float | None = None
        self._hurry = asyncio.Event()

    def was_away(self) -> bool:
        """Whether Consul is not as it should be, or was not until AFTER_S ago."""
        if self._failing:
            return True
        now = asyncio.get_running_loop().time()
        return self._well_since is not None and now - self._well_since < AFTER_S

    def failed(self, name: str, error: CatalogError) -> None:
        """`name` has no fresh answer. The first failure of a name is told, its repetitions are not."""
        if name not in self._failing:
            self._failing[name] = (self._clock(), str(error))
            self._hurry.set()
            self._tell()

    def recovered(self, name: str) -> bool:
        """True if `name` had failed before."""
        if self._failing.pop(name, None) is None:
            return False
        self._well_since = asyncio.get_running_loop().time()
        self._tell()
        return True

    async def run(self) -> None:
        while True:
            await self._probe()
            await self._pause()

    async def _probe(self) -> None:
        timeout_s = self._probing.timeout_s
        try:
            async with asyncio.timeout(timeout_s):
                leader = await self._client.leader()
        except TimeoutError:
            self._probe_failed(f"Consul does not answer within {timeout_s:g} s")
        except CatalogError as error:
            self._probe_failed(str(error))
        else:
            if leader:
                self._probe_succeeded()
            else:
                self._probe_failed("Consul has no leader")

    def _probe_failed(self, reason: str) -> None:
        self._failures += 1
        self._client.returned.is_announced = True
        if CONSUL not in self._failing:
            self._failing[CONSUL] = (self._last_good, reason)
            self._tell()

    def _probe_succeeded(self) -> None:
        failures, self._failures = self._failures, 0
        self._last_good = self._clock()
        self._client.returned.is_announced = False
        if not failures:
            return
        self.recovered(CONSUL)
        self._client.returned.end()
        if failures >= REDIAL_FAILURES:
            self._on_return()

    async def _pause(self) -> None:
        """Until the next probe is due; a watch that fails in the meantime brings it forward."""
        every_s = self._probing.failing_s if self._failures else self._probing.every_s
        pause_s = every_s * (1 - self._jitter.random() / 4)
        self._hurry.clear()
        try:
            async with asyncio.timeout(pause_s):
                await self._hurry.wait()
        except TimeoutError:
            pass

    def _tell(self) -> None:
        """One Staleness for all: since the first failure of this row, with the reason of the first that still stands."""
        if not self._failing:
            told = Staleness(None)
        else:
            since, reason = min(self._failing.values())
            told = Staleness(min(since, self.staleness.since or since), reason)
        if told != self.staleness:
            self.staleness = told
            self._on_staleness(told)
