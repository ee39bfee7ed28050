"""Telemetry on its way to receivers: spans and metrics."""
