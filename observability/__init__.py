"""Telemetry on its way to receivers: spans and metrics."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from .errors import JaegerError, ObservabilityError, OtlpSettingError, TraceIdError
from .exposition import CONTENT_TYPE
from .live import LiveTraces
from .otlp import OtlpSettings
from .summary import Hop, Summary, refusal_of, summarize
from .trace import Span, Trace, trace_id_start, trace_of
from .tracer import AgentSpans, agent_tracer

if TYPE_CHECKING:
    from .agent_metrics import AgentMetrics
    from .jaeger import JaegerQuery
    from .metrics import render_metrics
    from .ring import MAX_TRACES, Page, SpanRing
    from .shipper import RetryPolicy, ShipperCounters, SpanShipper
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

# Loaded when somebody first asks for them: a command that needs none of their libraries starts without.
_LATE = {
    "AgentMetrics": "agent_metrics",
    "JaegerQuery": "jaeger",
    "MAX_TRACES": "ring",
    "Page": "ring",
    "RetryPolicy": "shipper",
    "ShipperCounters": "shipper",
    "SpanRing": "ring",
    "SpanShipper": "shipper",
    "render_metrics": "metrics",
    "render_tree": "tree",
}

if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        """A late name, from its file (PEP 562)."""
        if name not in _LATE:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_LATE[name]}", __name__), name)
