"""What the agent knows of itself, as metrics: configuration, Consul's cost, certificates, spans. Measures nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from .exposition import Family, Sample, labels, single
from .shipper import ShipperCounters


@dataclass(frozen=True, slots=True)
class AgentMetrics:
    """Read when somebody asks. What is None is not known, and not shown."""

    node: str
    version: str
    now_unix_s: float
    config_index: int | None = None
    """Highest ModifyIndex of the keys under mesh/ that is compiled."""
    compiles: int = 0
    """Tables compiled since the start; what changes nothing is compiled not at all."""
    problems: int = 0
    is_ready: bool | None = None
    proxy_starts: int = 0
    """Proxies started by this agent; the first counts, an adopted one does not."""
    consul_stale_s: float | None = None
    """Since when Consul tells nothing; 0 while it does."""
    consul_requests: int | None = None
    consul_errors: int | None = None
    consul_received_bytes: int | None = None
    consul_sent_bytes: int | None = None
    consul_connections: int | None = None
    """Opened since the start."""
    consul_wakeups: int | None = None
    consul_wakeups_idle: int | None = None
    """Answers of watches that changed nothing."""
    certificates: tuple[tuple[str, float], ...] = ()
    """Service and end, in seconds since 1970, of what the agent holds."""
    certificates_issued: int = 0
    is_signer: bool | None = None
    shipper: ShipperCounters = field(default_factory=ShipperCounters)


def agent_families(agent: AgentMetrics) -> Iterator[Family]:
    yield Family(
        "meshnode_build_info",
        "gauge",
        "Always 1.",
        (Sample(labels(node=agent.node, version=agent.version), 1),),
    )
    yield single(
        "meshnode_config_index",
        "gauge",
        "Highest ModifyIndex under mesh/ compiled.",
        agent.config_index,
    )
    yield single("meshnode_compiles_total", "counter", "Tables compiled.", agent.compiles)
    yield single("meshnode_problems", "gauge", "Mistakes shown by meshnode status.", agent.problems)
    ready = None if agent.is_ready is None else int(agent.is_ready)
    yield single("meshnode_ready", "gauge", "1 while this node serves a table.", ready)
    yield single(
        "meshnode_proxy_starts_total", "counter", "Proxies the agent started.", agent.proxy_starts
    )
    yield from _consul(agent)
    yield from _certificates(agent)
    yield from _spans(agent.shipper)


def _consul(agent: AgentMetrics) -> Iterator[Family]:
    stale = "Since Consul last told anything; 0 while it does."
    yield single("meshnode_consul_stale_seconds", "gauge", stale, agent.consul_stale_s)
    for name, value, text in (
        ("requests", agent.consul_requests, "Requests to Consul, watches included."),
        ("errors", agent.consul_errors, "Requests to Consul without a usable answer."),
        ("received_bytes", agent.consul_received_bytes, "Bytes of Consul's answers."),
        ("sent_bytes", agent.consul_sent_bytes, "Bytes sent to Consul."),
        ("connections", agent.consul_connections, "Connections opened to Consul."),
        ("wakeups", agent.consul_wakeups, "Answers of watches."),
        ("wakeups_idle", agent.consul_wakeups_idle, "Answers of watches that changed nothing."),
    ):
        yield single(f"meshnode_consul_{name}_total", "counter", text, value)


def _certificates(agent: AgentMetrics) -> Iterator[Family]:
    samples = tuple(Sample(labels(service=name), end) for name, end in sorted(agent.certificates))
    text = "When the newest certificate the agent holds ends, in seconds since 1970."
    yield Family("meshnode_agent_certificate_expiry_timestamp_seconds", "gauge", text, samples)
    issued = "Certificates this node got since the agent's start."
    yield single("meshnode_certificates_issued_total", "counter", issued, agent.certificates_issued)
    signer = None if agent.is_signer is None else int(agent.is_signer)
    yield single("meshnode_signer", "gauge", "1 while this node signs for the mesh.", signer)


def _spans(counters: ShipperCounters) -> Iterator[Family]:
    prefix = "meshnode_otlp_"
    for name, value, text in (
        ("offered_spans", counters.offered_spans, "Spans taken for shipping."),
        ("sent_spans", counters.sent_spans, "Spans the receiver took."),
        ("rejected_spans", counters.rejected_spans, "Spans the receiver refused for good."),
        ("dropped_spans", counters.dropped_spans, "Spans given up: no room or no receiver."),
        ("failed_exports", counters.failed_tries, "Tries that failed."),
    ):
        yield single(f"{prefix}{name}_total", "counter", text, value)
    queued = "Spans and bytes waiting for the receiver."
    yield single(f"{prefix}queued_spans", "gauge", queued, counters.queued_spans)
    yield single(f"{prefix}queued_bytes", "gauge", queued, counters.queued_bytes)
