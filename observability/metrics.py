"""The node's metrics: what the proxy counts and what the agent knows, under the names Prometheus sees. Counts nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .agent_metrics import AgentMetrics, agent_families
from .exposition import Family, Sample, histogram_samples, labels, render, single

# The proxy counts microseconds; Prometheus wants base units.
MICROSECONDS = 1_000_000
INFINITY = float("inf")
ROUTE = ("listener", "source", "destination", "route")


def render_metrics(stats: Mapping[str, Any] | None, agent: AgentMetrics) -> str:
    """Prometheus text 0.0.4. `stats` is the proxy's `GET /v1/stats` (docs/boundary.md), None while it does not answer.

    Parts that are missing in `stats` are missing in the text: an older proxy goes on being measured.
    """
    up = single(
        "meshnode_proxy_up", "gauge", "Whether the proxy answers the agent.", int(stats is not None)
    )
    return render((up, *_proxy_families(stats or {}, agent.now_unix_s), *agent_families(agent)))


def _proxy_families(stats: Mapping[str, Any], now_unix_s: float) -> Iterator[Family]:
    yield _requests(stats)
    yield _durations(stats)
    yield from _connections(stats)
    yield from _upstreams(stats)
    yield from _streams(stats)
    yield _detected(stats)
    yield from _totals(stats)
    yield _rows(
        stats, "bad_requests", "meshnode_bad_requests_total", "counter",
        "Requests refused because two parsers could read them in two ways, by rule.", "count", "code",
    )  # fmt: skip
    yield _rows(
        stats, "cut_connections", "meshnode_cut_connections_total", "counter",
        "Connections cut because what came over them was an attack or no protocol, by cause.", "count", "cause",
    )  # fmt: skip
    yield _rows(
        stats, "shed", "meshnode_shed_total", "counter",
        "Connections and requests not taken for want of something, by cause.", "count", "cause", "what",
    )  # fmt: skip
    yield _rows(
        stats.get("tls") or {}, "failures", "meshnode_edge_tls_failures_total", "counter",
        "Handshakes with strangers that failed, by cause.", "count", "cause",
    )  # fmt: skip
    yield _rows(
        stats, "certificates", "meshnode_edge_certificate_expiry_timestamp_seconds", "gauge",
        "When a certificate shown at the edge ends, in seconds since 1970.", "not_after_unix_s", "host",
    )  # fmt: skip
    yield _certificates(stats)
    yield _listeners(stats)
    yield from _snapshot(stats, now_unix_s)


def _requests(stats: Mapping[str, Any]) -> Family:
    names = (*ROUTE, "status", "reason")
    samples = tuple(
        Sample(labels(**{name: row.get(name, "") for name in names}), row.get("count", 0))
        for row in stats.get("requests", ())
    )
    text = "Requests answered; reason is the mesh's own code, empty for the answers of services."
    return Family("meshnode_requests_total", "counter", text, samples)


def _durations(stats: Mapping[str, Any]) -> Family:
    """Summed over status and reason: a histogram for each of them would be twenty times the series."""
    sums: dict[tuple[tuple[str, str], ...], _Histogram] = {}
    for row in stats.get("requests", ()):
        latency = row.get("latency_us")
        if latency is not None:
            pairs = labels(**{name: row.get(name, "") for name in ROUTE})
            sums.setdefault(pairs, _Histogram({})).add(latency)
    samples = (
        sample
        for pairs, one in sums.items()
        for sample in histogram_samples(pairs, one.cumulative, one.sum_us / MICROSECONDS)
    )
    text = "Time from a request's first byte to its answer's last."
    return Family("meshnode_request_duration_seconds", "histogram", text, tuple(samples))


@dataclass(slots=True)
class _Histogram:
    cumulative: dict[float, int]
    sum_us: float = 0

    def add(self, latency: Mapping[str, Any]) -> None:
        self.sum_us += latency.get("sum", 0)
        for bound_us, count in latency.get("buckets", ()):
            bound = INFINITY if bound_us is None else bound_us / MICROSECONDS
            self.cumulative[bound] = self.cumulative.get(bound, 0) + count


def _connections(stats: Mapping[str, Any]) -> Iterator[Family]:
    for name, kind, field, text in (
        ("meshnode_connections_accepted_total", "counter", "accepted", "Connections accepted."),
        ("meshnode_connections_active", "gauge", "active", "Connections open now."),
        ("meshnode_connections_refused_total", "counter", "refused", "Connections over a limit."),
    ):
        yield _rows(stats, "connections", name, kind, text, field, "listener")


def _upstreams(stats: Mapping[str, Any]) -> Iterator[Family]:
    prefix = "meshnode_upstream_"
    for name, kind, field, text in (
        ("connects_total", "counter", "connects", "Connections opened to an endpoint."),
        ("connect_errors_total", "counter", "connect_errors", "Connections that failed to open."),
        ("pool_idle", "gauge", "idle", "Connections waiting in the pools."),
        ("pool_reused_total", "counter", "reused", "Requests sent over a pooled connection."),
        ("retries_total", "counter", "retries", "Requests sent once more."),
        ("running", "gauge", "running", "Requests the endpoint has from this node now."),
    ):
        yield _rows(stats, "upstreams", prefix + name, kind, text, field, "cluster", "endpoint")


def _streams(stats: Mapping[str, Any]) -> Iterator[Family]:
    for name, kind, field, text in (
        ("meshnode_streams_total", "counter", "count", "Raw connections; by reason, those refused or cut."),
        ("meshnode_streams_active", "gauge", "active", "Raw connections open now."),
        ("meshnode_stream_received_bytes_total", "counter", "received_bytes", "Bytes from who opened them."),
        ("meshnode_stream_sent_bytes_total", "counter", "sent_bytes", "Bytes to who opened them."),
    ):  # fmt: skip
        yield _rows(stats, "streams", name, kind, text, field, *ROUTE, "reason")


def _detected(stats: Mapping[str, Any]) -> Family:
    return _rows(
        stats, "detected", "meshnode_detected_total", "counter",
        "Connections to services with protocol: auto, by what their first bytes are; silent: none came in time.",
        "count", "listener", "source", "destination", "protocol",
    )  # fmt: skip


def _totals(stats: Mapping[str, Any]) -> Iterator[Family]:
    for name, kind, group, field, text in (
        ("tls_handshakes_total", "counter", "tls", "handshakes", "TLS handshakes completed."),
        ("tls_handshake_errors_total", "counter", "tls", "handshake_errors", "TLS handshakes failed."),
        ("received_bytes_total", "counter", "bytes", "received", "Bytes read from all sockets."),
        ("sent_bytes_total", "counter", "bytes", "sent", "Bytes written to all sockets."),
        ("connections_most", "gauge", "overload", "connections_most", "Connections the proxy takes: its limit, or what its file handles allow."),
        ("open_handles", "gauge", "overload", "handles", "Files the proxy has open."),
        ("open_handles_most", "gauge", "overload", "handles_most", "Files the proxy may have open."),
        ("memory_bytes", "gauge", "overload", "memory_bytes", "Resident memory of the proxy."),
        ("memory_most_bytes", "gauge", "overload", "memory_most_bytes", "Memory the proxy may have; 0: nobody says."),
        ("spans_recorded_total", "counter", "spans", "recorded", "Spans the proxy made."),
        ("spans_dropped_total", "counter", "spans", "dropped", "Spans the proxy had no room for."),
        ("spans_queued", "gauge", "spans", "queued", "Spans the agent has not fetched yet."),
    ):  # fmt: skip
        value = (stats.get(group) or {}).get(field)
        yield single(f"meshnode_{name}", "gauge" if kind == "gauge" else "counter", text, value)


def _certificates(stats: Mapping[str, Any]) -> Family:
    text = "When the certificate in force in the proxy ends, in seconds since 1970."
    samples = tuple(
        Sample(labels(identity=row.get("name", "")), row.get("not_after_unix_s", 0))
        for row in stats.get("identities", ())
    )
    return Family("meshnode_certificate_expiry_timestamp_seconds", "gauge", text, samples)


def _listeners(stats: Mapping[str, Any]) -> Family:
    text = "1 while the listener takes connections, 0 while it waits or has failed."
    samples = tuple(
        Sample(
            labels(listener=name, address=row.get("address", "")), int(row.get("state") == "open")
        )
        for name, row in sorted((stats.get("listeners") or {}).items())
    )
    return Family("meshnode_listener_open", "gauge", text, samples)


def _snapshot(stats: Mapping[str, Any], now_unix_s: float) -> Iterator[Family]:
    snapshot_ms = stats.get("snapshot_unix_ms")
    age_s = max(0.0, now_unix_s - snapshot_ms / 1000) if snapshot_ms else None
    yield single("meshnode_snapshot_age_seconds", "gauge", "Since the table in force came.", age_s)
    yield single(
        "meshnode_snapshot_generation",
        "gauge",
        "Number of the table in force.",
        stats.get("generation"),
    )
    uptime_ms = stats.get("uptime_ms")
    uptime_s = uptime_ms / 1000 if uptime_ms is not None else None
    yield single("meshnode_proxy_uptime_seconds", "gauge", "Since the proxy started.", uptime_s)
    draining = stats.get("draining")
    yield single(
        "meshnode_proxy_draining",
        "gauge",
        "1 while the proxy takes no new connections and ends.",
        None if draining is None else int(draining),
    )


def _rows(
    stats: Mapping[str, Any], group: str, name: str, kind: Any, text: str, field: str, *names: str
) -> Family:
    """One sample for each row of a list that has the field."""
    samples = tuple(
        Sample(labels(**{label: row.get(label, "") for label in names}), row[field])
        for row in stats.get(group, ())
        if field in row
    )
    return Family(name, kind, text, samples)
