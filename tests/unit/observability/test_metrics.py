"""Prometheus' text, read back by Prometheus' own Python parser."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families

from observability import AgentMetrics, ShipperCounters, render_metrics
from observability.exposition import Family, Sample, number, render

NOW = 1_800_000_000.0
AGENT = AgentMetrics("node-1", "0.1.0", NOW)
# The example of docs/boundary.md, with numbers.
STATS: dict[str, Any] = {
    "generation": 7,
    "snapshot_unix_ms": int(NOW * 1000) - 90_000,
    "uptime_ms": 120_500,
    "draining": False,
    "requests": [
        {
            "listener": "edge",
            "source": "edge",
            "destination": "cart",
            "route": "shop",
            "status": 200,
            "reason": "",
            "count": 12,
            "latency_us": {"sum": 12_345, "buckets": [[500, 3], [1000, 7], [None, 12]]},
        },
        {
            "listener": "edge",
            "source": "edge",
            "destination": "cart",
            "route": "shop",
            "status": 503,
            "reason": "no_healthy_endpoint",
            "count": 2,
            "latency_us": {"sum": 100, "buckets": [[500, 2], [1000, 2], [None, 2]]},
        },
    ],
    "connections": [{"listener": "edge", "accepted": 9, "active": 2, "refused": 0}],
    "upstreams": [
        {
            "cluster": "cart",
            "endpoint": "cart-1",
            "connects": 3,
            "connect_errors": 1,
            "idle": 2,
            "reused": 40,
            "retries": 0,
            "running": 1,
        }
    ],
    "detected": [
        {
            "listener": "web:mail",
            "source": "web",
            "destination": "mail",
            "protocol": "silent",
            "count": 7,
        }
    ],
    "tls": {
        "handshakes": 4,
        "handshake_errors": 1,
        "failures": [{"cause": "timeout", "count": 3}],
    },
    "certificates": [{"host": "shop.example", "not_after_unix_s": 1_800_003_601}],
    "shed": [{"cause": "cpu", "what": "request", "count": 5}],
    "overload": {
        "connections_most": 384,
        "handles": 40,
        "handles_most": 1024,
        "memory_bytes": 9,
        "memory_most_bytes": 10,
    },
    "bytes": {"received": 10, "sent": 20},
    "spans": {"recorded": 5, "dropped": 0, "queued": 1},
    "bad_requests": [{"code": "both_length_and_chunked", "count": 1}],
    "cut_connections": [{"cause": "http2_rapid_reset", "count": 2}],
    "identities": [{"name": "edge", "not_after_unix_s": 1_800_003_600}],
    "listeners": {
        "edge": {"state": "open", "address": "0.0.0.0:8080", "error": None},
        "mesh": {"state": "waiting", "address": "0.0.0.0:7443", "error": None},
    },
}


def read(text: str) -> dict[str, dict[tuple[tuple[str, str], ...], float]]:
    """Samples by name and sorted labels."""
    found: dict[str, dict[tuple[tuple[str, str], ...], float]] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = tuple(sorted(sample.labels.items()))
            assert key not in found.setdefault(sample.name, {}), f"twice: {sample.name} {key}"
            found[sample.name][key] = sample.value
    return found


def value(name: str, **labels: str) -> float:
    return of(STATS, name, **labels)


def of(
    stats: dict[str, Any] | None, name: str, agent: AgentMetrics = AGENT, /, **labels: str
) -> float:
    return read(render_metrics(stats, agent))[name][tuple(sorted(labels.items()))]


def test_requests_have_all_their_labels() -> None:
    labels = {"listener": "edge", "source": "edge", "destination": "cart", "route": "shop"}
    assert value("meshnode_requests_total", **labels, status="200", reason="") == 12
    refused = {"status": "503", "reason": "no_healthy_endpoint"}
    assert value("meshnode_requests_total", **labels, **refused) == 2


def test_latencies_are_one_histogram_in_seconds_over_all_statuses() -> None:
    labels = {"listener": "edge", "source": "edge", "destination": "cart", "route": "shop"}
    name = "meshnode_request_duration_seconds"
    assert value(f"{name}_bucket", **labels, le="0.0005") == 5
    assert value(f"{name}_bucket", **labels, le="0.001") == 9
    assert value(f"{name}_bucket", **labels, le="+Inf") == 14
    assert value(f"{name}_count", **labels) == 14
    assert value(f"{name}_sum", **labels) == 0.012445


def test_the_rest_of_the_proxy_s_counters() -> None:
    endpoint = {"cluster": "cart", "endpoint": "cart-1"}
    assert value("meshnode_proxy_up") == 1
    assert value("meshnode_connections_accepted_total", listener="edge") == 9
    assert value("meshnode_connections_active", listener="edge") == 2
    assert value("meshnode_upstream_connects_total", **endpoint) == 3
    assert value("meshnode_upstream_pool_idle", **endpoint) == 2
    assert value("meshnode_upstream_pool_reused_total", **endpoint) == 40
    assert value("meshnode_upstream_running", **endpoint) == 1
    mail = {"listener": "web:mail", "source": "web", "destination": "mail"}
    assert value("meshnode_detected_total", **mail, protocol="silent") == 7
    assert value("meshnode_tls_handshake_errors_total") == 1
    assert value("meshnode_sent_bytes_total") == 20
    assert value("meshnode_bad_requests_total", code="both_length_and_chunked") == 1
    assert value("meshnode_cut_connections_total", cause="http2_rapid_reset") == 2
    assert value("meshnode_shed_total", cause="cpu", what="request") == 5
    assert value("meshnode_edge_tls_failures_total", cause="timeout") == 3
    edge_end = "meshnode_edge_certificate_expiry_timestamp_seconds"
    assert value(edge_end, host="shop.example") == 1_800_003_601
    assert value("meshnode_connections_most") == 384
    assert value("meshnode_open_handles") == 40
    assert value("meshnode_open_handles_most") == 1024
    assert value("meshnode_memory_bytes") == 9
    assert value("meshnode_memory_most_bytes") == 10
    expiry = "meshnode_certificate_expiry_timestamp_seconds"
    assert value(expiry, identity="edge") == 1_800_003_600
    assert value("meshnode_listener_open", listener="edge", address="0.0.0.0:8080") == 1
    assert value("meshnode_listener_open", listener="mesh", address="0.0.0.0:7443") == 0
    assert value("meshnode_snapshot_age_seconds") == 90
    assert value("meshnode_snapshot_generation") == 7
    assert value("meshnode_proxy_uptime_seconds") == 120.5
    assert value("meshnode_proxy_draining") == 0


def test_the_agent_s_own_metrics() -> None:
    agent = AgentMetrics(
        "node-1",
        "0.1.0",
        NOW,
        config_index=4711,
        compiles=12,
        problems=2,
        is_ready=True,
        proxy_starts=1,
        consul_stale_s=3.5,
        consul_requests=100,
        consul_wakeups_idle=4,
        certificates=(("web", NOW + 60),),
        certificates_issued=3,
        is_signer=True,
        shipper=ShipperCounters(offered_spans=10, sent_spans=7, dropped_spans=3, queued_bytes=5),
    )
    names = {
        "meshnode_config_index": 4711,
        "meshnode_compiles_total": 12,
        "meshnode_problems": 2,
        "meshnode_ready": 1,
        "meshnode_proxy_starts_total": 1,
        "meshnode_consul_stale_seconds": 3.5,
        "meshnode_consul_requests_total": 100,
        "meshnode_consul_wakeups_idle_total": 4,
        "meshnode_certificates_issued_total": 3,
        "meshnode_signer": 1,
        "meshnode_otlp_sent_spans_total": 7,
        "meshnode_otlp_dropped_spans_total": 3,
        "meshnode_otlp_queued_bytes": 5,
    }
    assert {name: of(None, name, agent) for name in names} == names
    assert of(None, "meshnode_build_info", agent, node="node-1", version="0.1.0") == 1


def test_a_proxy_that_does_not_answer_is_down_and_the_agent_still_told() -> None:
    found = read(render_metrics(None, AGENT))
    assert found["meshnode_proxy_up"][()] == 0
    assert "meshnode_build_info" in found
    assert "meshnode_requests_total" not in found
    assert "meshnode_snapshot_age_seconds" not in found


def test_what_is_not_known_is_not_shown() -> None:
    found = read(render_metrics({}, AGENT))
    assert found["meshnode_proxy_up"][()] == 1
    assert "meshnode_config_index" not in found
    assert "meshnode_consul_requests_total" not in found


def test_every_metric_is_named_as_prometheus_asks() -> None:
    text = render_metrics(STATS, AGENT)
    for family in text_string_to_metric_families(text):
        assert family.name.startswith("meshnode_")
        assert family.documentation
        assert family.type in ("counter", "gauge", "histogram")
    types = [line.split() for line in text.splitlines() if line.startswith("# TYPE")]
    for _, _, name, kind in types:
        assert name.endswith("_total") == (kind == "counter"), name
    assert len({name for _, _, name, _ in types}) == len(types)
    assert text.endswith("\n")


def test_a_snapshot_from_the_future_is_not_younger_than_now() -> None:
    stats = {"snapshot_unix_ms": int(NOW * 1000) + 5000}
    assert of(stats, "meshnode_snapshot_age_seconds") == 0


def test_counts_read_while_they_are_written_still_grow() -> None:
    latency = {"sum": 1, "buckets": [[500, 5], [1000, 4], [None, 6]]}
    found = read(render_metrics({"requests": [{"latency_us": latency, "count": 6}]}, AGENT))
    assert sorted(found["meshnode_request_duration_seconds_bucket"].values()) == [5, 5, 6]


@given(st.text())
def test_any_label_comes_back_as_it_was(label: str) -> None:
    family = Family("x", "gauge", "A\\help\nwith lines", (Sample((("name", label),), 1),))
    assert read(render([family])) == {"x": {(("name", label),): 1.0}}


def test_what_is_no_unicode_does_not_spoil_the_answer() -> None:
    family = Family("x", "gauge", "", (Sample((("name", "a\udcffb"),), 1),))
    assert render([family]).encode() == b'# HELP x \n# TYPE x gauge\nx{name="a?b"} 1\n'


def test_numbers_are_written_as_go_reads_them() -> None:
    written = [number(one) for one in (0, 12, 1.0, 0.5, 1e21, 1e-7, float("inf"), float("nan"))]
    assert written == ["0", "12", "1", "0.5", "1e+21", "1e-07", "+Inf", "NaN"]
