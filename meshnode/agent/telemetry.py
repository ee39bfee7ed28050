"""What leaves the node about its own work: the proxy's span batches as they are, the agent's own spans, its metrics.

Never blocks and never fails its owner; where things go is said by the standard OTEL_* variables.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from typing import Any

from catalog import Cost
from observability import (
    AgentMetrics,
    AgentSpans,
    OtlpSettings,
    SpanRing,
    SpanShipper,
    agent_tracer,
    render_metrics,
)

from .. import VERSION
from ..proxy import RunningProxy
from .view import View

NANOSECONDS = 1_000_000_000
# At the end, for what waits to be sent: a receiver that is away must not hold up a restart.
CLOSE_TIMEOUT_S = 2.0


class Telemetry:
    """`offer`, and a method for each thing the agent does; `run` as a task, `close` after it."""

    def __init__(self, ring: SpanRing, environment: Mapping[str, str] | None = None) -> None:
        """`ring` keeps the proxy's last spans. Raises OtlpSettingError for an OTEL_* variable that can not be used."""
        self._ring = ring
        self._environment = os.environ if environment is None else environment
        self._shipper = SpanShipper(OtlpSettings.from_environment(self._environment))
        self._spans: AgentSpans | None = None
        self._starts = 0
        self._issued = 0

    def offer(self, batch: bytes, spans: int) -> None:
        """A batch as the proxy encoded it: kept for who asks this node, and sent to a receiver if there is one."""
        self._ring.offer(batch, spans)
        self._shipper.offer(batch, spans)

    def is_node(self, node: str) -> None:
        """The agent's own spans name their node, so there are none before it is known."""
        if self._shipper.is_enabled and self._spans is None:
            tracer = agent_tracer(
                self._shipper.offer, node=node, version=VERSION, environment=self._environment
            )
            self._spans = AgentSpans(tracer, node)

    def applied(self, index: int, generation: int, began: float, took_s: float) -> None:
        """A table came into force. `began` is Unix seconds."""
        if self._spans is not None:
            began_ns = int(began * NANOSECONDS)
            self._spans.config_applied(
                index=index,
                generation=generation,
                began_unix_ns=began_ns,
                ended_unix_ns=began_ns + int(took_s * NANOSECONDS),
            )

    def issued(self, service: str, not_after_unix_s: int, now: float) -> None:
        """A certificate for a service of this node arrived."""
        self._issued += 1
        if self._spans is not None:
            now_ns = int(now * NANOSECONDS)
            self._spans.certificate_issued(
                service=service,
                not_after_unix_s=not_after_unix_s,
                began_unix_ns=now_ns,
                ended_unix_ns=now_ns,
            )

    def proxy_up(self, proxy: RunningProxy, now: float) -> None:
        """A proxy answers, `proxy.took_s` after it was begun with."""
        self._starts += not proxy.is_adopted
        if self._spans is not None:
            now_ns = int(now * NANOSECONDS)
            self._spans.proxy_started(
                pid=proxy.version.pid,
                is_adopted=proxy.is_adopted,
                began_unix_ns=now_ns - int(proxy.took_s * NANOSECONDS),
                ended_unix_ns=now_ns,
            )

    def metrics(
        self,
        stats: Mapping[str, Any] | None,
        view: View | None,
        cost: Cost,
        *,
        compiles: int,
        is_signer: bool | None,
        now: float,
    ) -> str:
        """Prometheus' text form; `stats` is the proxy's, None while it does not answer."""
        stale = None if view is None else view.stale_since
        return render_metrics(
            stats,
            AgentMetrics(
                node="" if view is None else view.node,
                version=VERSION,
                now_unix_s=now,
                config_index=None if view is None else view.index,
                compiles=compiles,
                problems=0 if view is None else len(view.problems),
                is_ready=None if view is None else view.is_ready,
                proxy_starts=self._starts,
                consul_stale_s=0.0 if stale is None else max(0.0, now - stale),
                consul_requests=cost.requests,
                consul_errors=cost.errors,
                consul_received_bytes=cost.received_bytes,
                consul_sent_bytes=cost.sent_bytes,
                consul_connections=cost.connections,
                consul_wakeups=cost.wakeups,
                consul_wakeups_idle=cost.wakeups_idle,
                certificates=() if view is None else view.certificates,
                certificates_issued=self._issued,
                is_signer=is_signer,
                shipper=self._shipper.counters,
            ),
        )

    async def run(self) -> None:
        if self._shipper.is_enabled:
            await self._shipper.run()
        await asyncio.Event().wait()

    async def close(self) -> None:
        """Sends what waits, for a short time."""
        await self._shipper.close(CLOSE_TIMEOUT_S)
