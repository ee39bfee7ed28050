"""What leaves the node about its own work: span batches of the proxy as they are, the agent's spans, its metrics."""

from __future__ import annotations

import asyncio
from typing import Any

from catalog import Cost

from ..config import Settings
from .view import View


class Telemetry:
    """Never blocks and never fails its owner."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    @property
    def takes_spans(self) -> bool:
        """Whether anybody wants the proxy's spans."""
        return False

    def offer(self, batch: bytes, spans: int) -> None:
        """A batch as the proxy encoded it."""

    def applied(self, index: int, generation: int, began: float, took_s: float) -> None:
        """A table came into force."""

    def metrics(self, stats: dict[str, Any] | None, view: View | None, cost: Cost) -> str:
        """Prometheus' text form."""
        return ""

    async def run(self) -> None:
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Sends what waits, for a short time."""
