"""Telemetry on its way to receivers: spans and metrics."""

from .agent_metrics import AgentMetrics
from .errors import JaegerError, ObservabilityError, OtlpSettingError, TraceIdError
from .exposition import CONTENT_TYPE
from .jaeger import JaegerQuery
from .live import LiveTraces
from .metrics import render_metrics
from .otlp import OtlpSettings
from .ring import MAX_TRACES, Page, SpanRing
from .shipper import RetryPolicy, ShipperCounters, SpanShipper
from .summary import Hop, Summary, refusal_of, summarize
from .trace import Span, Trace, trace_id_start, trace_of
from .tracer import AgentSpans, agent_tracer
from .tree import render_tree

__all__ = [
    "CONTENT_TYPE",
    "MAX_TRACES",
    "AgentMetrics",
    "AgentSpans",
    "Hop",
    "JaegerError",
    "JaegerQuery",
    "LiveTraces",
    "ObservabilityError",
    "OtlpSettingError",
    "OtlpSettings",
    "Page",
    "RetryPolicy",
    "ShipperCounters",
    "Span",
    "SpanRing",
    "SpanShipper",
    "Summary",
    "Trace",
    "TraceIdError",
    "agent_tracer",
    "refusal_of",
    "render_metrics",
    "render_tree",
    "summarize",
    "trace_id_start",
    "trace_of",
]
