"""What can go wrong on the way to a receiver, one sentence each. None of it may reach a request."""

from __future__ import annotations


class ObservabilityError(Exception):
    """The base: `str(error)` is one sentence for a person."""


class OtlpSettingError(ObservabilityError):
    """An OTEL_* variable has a value that cannot be meant."""

    def __init__(self, variable: str, sentence: str) -> None:
        super().__init__(f"{variable}: {sentence}")
        self.variable = variable


class ExportError(ObservabilityError):
    """A receiver did not take a batch. `delay_s` is how long it asks to be left alone."""

    def __init__(self, sentence: str, *, is_retryable: bool, delay_s: float | None = None) -> None:
        super().__init__(sentence)
        self.is_retryable = is_retryable
        self.delay_s = delay_s


class TraceIdError(ObservabilityError):
    """What was asked for is no trace id."""


class BatchError(ObservabilityError):
    """Bytes that should be an ExportTraceServiceRequest are none."""


class JaegerError(ObservabilityError):
    """Jaeger's query API is not reached, or answers something else."""
