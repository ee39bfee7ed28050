"""Ships encoded span batches to an OTLP receiver. Never blocks who offers them, whatever the receiver does."""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, replace
from random import Random

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception,
    stop_after_attempt,
    stop_after_delay,
    stop_any,
    wait_exponential,
)

from .buffer import Batch, SpanBuffer
from .errors import ExportError
from .http_transport import HttpTransport
from .otlp import OtlpSettings
from .transport import Accepted, Transport

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """For one message. A receiver that is away longer costs the oldest spans, not the newest."""

    attempts: int = 5
    initial_s: float = 1.0
    max_s: float = 10.0
    total_s: float = 60.0
    """No new try begins after this; a receiver that asks for a longer pause is not waited for."""


@dataclass(frozen=True, slots=True)
class ShipperCounters:
    """Since the start; the last two are of now."""

    offered_spans: int = 0
    sent_spans: int = 0
    rejected_spans: int = 0
    """Refused by the receiver for good, some of a message or all of it."""
    dropped_spans: int = 0
    """Given up: no room, or no receiver."""
    failed_tries: int = 0
    queued_bytes: int = 0
    queued_spans: int = 0


class SpanShipper:
    """`offer` from the event loop; `run` as a task; `close` at the end."""

    def __init__(
        self,
        settings: OtlpSettings,
        *,
        buffer: SpanBuffer | None = None,
        policy: RetryPolicy | None = None,
        random: Random | None = None,
        transport: Transport | None = None,
    ) -> None:
        """Raises OtlpSettingError when a TLS file cannot be used. `transport` is for another kind of receiver."""
        self._settings = settings
        self._buffer = SpanBuffer() if buffer is None else buffer
        self._policy = policy or RetryPolicy()
        self._random = random or Random()
        self._transport = transport or (make_transport(settings) if settings.is_enabled else None)
        self._offered = asyncio.Event()
        self._counters = ShipperCounters()
        self.failure: str | None = None
        """Why nothing arrives at present; None while all is well."""

    @property
    def is_enabled(self) -> bool:
        """False: nobody wants spans, and `offer` need not be called."""
        return self._transport is not None

    @property
    def counters(self) -> ShipperCounters:
        return replace(
            self._counters, queued_bytes=self._buffer.bytes, queued_spans=self._buffer.spans
        )

    def offer(self, batch: bytes, spans: int) -> None:
        """Takes an encoded ExportTraceServiceRequest with this many spans. Returns at once."""
        if self._transport is None or not batch:
            return
        self._count(offered_spans=spans, dropped_spans=self._buffer.put(Batch(batch, spans)))
        self._offered.set()

    async def run(self) -> None:
        """Until cancelled; a message that was under way is then counted as dropped."""
        if self._transport is None:
            return
        while True:
            await self._offered.wait()
            self._offered.clear()
            while (batch := self._buffer.take()) is not None:
                await self._ship(self._transport, batch)

    async def close(self, timeout_s: float = 2.0) -> None:
        """Sends what waits, each message tried once, for at most `timeout_s`. After `run` was cancelled."""
        transport = self._transport
        if transport is None:
            return
        try:
            async with asyncio.timeout(timeout_s):
                while (batch := self._buffer.take()) is not None:
                    self._taken(batch, await transport.send(batch.data))
        except (ExportError, TimeoutError) as error:
            left = (batch.spans if batch else 0) + self._buffer.spans
            self._count(dropped_spans=left)
            log.info("%d spans were left behind at the end: %s", left, str(error) or "no time")
        finally:
            self._transport = None
            await transport.close()

    async def _ship(self, transport: Transport, batch: Batch) -> None:
        retrying = AsyncRetrying(
            retry=retry_if_exception(_is_retryable),
            stop=stop_any(
                stop_after_attempt(self._policy.attempts), stop_after_delay(self._policy.total_s)
            ),
            wait=self._wait_s,
            before_sleep=self._note_try,
            reraise=True,
        )
        is_done = False
        try:
            accepted: Accepted = await retrying(transport.send, batch.data)
            is_done = True
        except ExportError as error:
            is_done = True
            self._given_up(batch, error)
        else:
            self._taken(batch, accepted)
        finally:
            if not is_done:
                self._count(dropped_spans=batch.spans)

    def _wait_s(self, state: RetryCallState) -> float:
        """As long as the receiver asks, else growing; between half of it and the whole."""
        policy = self._policy
        error = state.outcome.exception() if state.outcome else None
        grown_s = wait_exponential(multiplier=policy.initial_s, max=policy.max_s)(state)
        wait_s = grown_s * (1 - self._random.random() / 2)
        if isinstance(error, ExportError) and error.delay_s is not None:
            wait_s = max(wait_s, min(error.delay_s, policy.total_s))
        return wait_s

    def _note_try(self, state: RetryCallState) -> None:
        error = state.outcome.exception() if state.outcome else None
        self._count(failed_tries=1)
        self._note_failure(str(error))

    def _note_failure(self, sentence: str) -> None:
        """One line in the log when it begins, whatever comes after."""
        if self.failure is None:
            default = (
                ""
                if self._settings.is_endpoint_given
                else ". Nobody may be listening there: it is the default. Set OTEL_EXPORTER_OTLP_ENDPOINT, or "
                "OTEL_TRACES_EXPORTER=none to send no spans"
            )
            log.warning(
                "spans are kept back, and dropped when there are too many: %s%s", sentence, default
            )
        self.failure = sentence

    def _given_up(self, batch: Batch, error: ExportError) -> None:
        self._note_failure(str(error))
        if error.is_retryable:
            self._count(failed_tries=1, dropped_spans=batch.spans)
        else:
            self._count(failed_tries=1, rejected_spans=batch.spans)

    def _taken(self, batch: Batch, accepted: Accepted) -> None:
        if self.failure is not None:
            log.info("spans arrive again")
            self.failure = None
        rejected = min(accepted.rejected_spans, batch.spans)
        if accepted.message:
            log.info("the receiver of spans says: %s (%d rejected)", accepted.message, rejected)
        self._count(sent_spans=batch.spans - rejected, rejected_spans=rejected)

    def _count(self, **more: int) -> None:
        changed = {name: getattr(self._counters, name) + number for name, number in more.items()}
        self._counters = replace(self._counters, **changed)


def make_transport(settings: OtlpSettings) -> Transport:
    """Raises OtlpSettingError when a TLS file cannot be used."""
    if settings.protocol == "grpc":
        # grpcio takes a fifth of a second to load, and most meshes ship by HTTP.
        from .grpc_transport import GrpcTransport

        return GrpcTransport(settings)
    return HttpTransport(settings)


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, ExportError) and error.is_retryable
