"""Telemetry on its way to receivers: spans and metrics."""

from .agent_metrics import AgentMetrics
from .errors import JaegerError, ObservabilityError, OtlpSettingError, TraceIdError
from .exposition import CONTENT_TYPE
from .jaeger import JaegerQuery
from .metrics import render_metrics
from .otlp import OtlpSettings
from .shipper import RetryPolicy, ShipperCounters, SpanShipper
from .trace import Span, Trace
from .tracer import AgentSpans, agent_tracer
from .tree import render_tree

__all__ = [
    "CONTENT_TYPE",
    "AgentMetrics",
    "AgentSpans",
    "JaegerError",
    "JaegerQuery",
    "ObservabilityError",
    "OtlpSettingError",
    "OtlpSettings",
    "RetryPolicy",
    "ShipperCounters",
    "Span",
    "SpanShipper",
    "Trace",
    "TraceIdError",
    "agent_tracer",
    "render_metrics",
    "render_tree",
]
