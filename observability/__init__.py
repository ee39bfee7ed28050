"""Telemetry on its way to receivers: spans and metrics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .agent_metrics import AgentMetrics
    from .errors import JaegerError, ObservabilityError, OtlpSettingError, TraceIdError
    from .exposition import CONTENT_TYPE
    from .jaeger import JaegerQuery
    from .live import LiveTraces
    from .metrics import render_metrics
    from .otlp import OtlpSettings
    from .ring import MAX_TRACES, Page, Reading, SpanRing
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
    "Reading",
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

# Each name is loaded from its file when somebody first asks for it, so that a command starts with what it needs alone.
_FILES = {
    "AgentMetrics": "agent_metrics",
    "AgentSpans": "tracer",
    "CONTENT_TYPE": "exposition",
    "Hop": "summary",
    "JaegerError": "errors",
    "JaegerQuery": "jaeger",
    "LiveTraces": "live",
    "MAX_TRACES": "ring",
    "ObservabilityError": "errors",
    "OtlpSettingError": "errors",
    "OtlpSettings": "otlp",
    "Page": "ring",
    "Reading": "ring",
    "RetryPolicy": "shipper",
    "ShipperCounters": "shipper",
    "Span": "trace",
    "SpanRing": "ring",
    "SpanShipper": "shipper",
    "Summary": "summary",
    "Trace": "trace",
    "TraceIdError": "errors",
    "agent_tracer": "tracer",
    "refusal_of": "summary",
    "render_metrics": "metrics",
    "render_tree": "tree",
    "summarize": "summary",
    "trace_id_start": "trace",
    "trace_of": "trace",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A name from its file (PEP 562)."""
        if name not in _FILES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_FILES[name]}", __name__), name)
