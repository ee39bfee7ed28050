"""The real Envoy, from PyPI, set as its own page on benchmarking asks (faq/performance/how_to_benchmark_envoy).

- `--concurrency 1`, as one core is measured; no access log, no admin server, no tracing;
- circuit breakers out of the way, `generate_request_id` and `dynamic_stats` off, its own headers suppressed;
- TLS 1.3 between the two of a hop, both sides verified, once with HTTP/1.1 and once with HTTP/2 inside.
"""

import json
from importlib import resources
from pathlib import Path
from typing import Any, Literal

from benchmarks.certificates import Leaf
from benchmarks.peers.subject import Site, Subject, local_address, program, require
from tests.support import Process

Protocol = Literal["http1", "http2"]

_EXTENSIONS = "type.googleapis.com/envoy.extensions"
_OPTIONS = f"{_EXTENSIONS}.upstreams.http.v3.HttpProtocolOptions"
# No breaker may queue a request.
UNLIMITED = 1_000_000_000
# As its page on an edge proxy asks.
EDGE_BUFFER_BYTES = 32_768
_ALPN = {"http2": "h2", "http1": "http/1.1"}


def plain(site: Site) -> Subject:
    address = local_address()
    return Subject(address, (_envoy(site, "envoy", _document(address, site.origin)),))


def tls(site: Site) -> Subject:
    """TLS 1.3 from clients, HTTP/2 where they choose it."""
    address = local_address()
    context = {
        "@type": f"{_EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": _shown(site.certificates.server, list(_ALPN.values())),
    }
    document = _document(address, site.origin, downstream_tls=context)
    return Subject(address, (_envoy(site, "envoy", document),), scheme="https")


def edge(site: Site) -> Subject:
    """The same as its page on an edge proxy asks (configuration/best_practices/edge): small buffers and windows."""
    address = local_address()
    context = {
        "@type": f"{_EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext",
        "common_tls_context": _shown(site.certificates.server, list(_ALPN.values())),
    }
    document = _document(address, site.origin, downstream_tls=context)
    resources = document["static_resources"]
    (listener,), (cluster,) = resources["listeners"], resources["clusters"]
    listener["per_connection_buffer_limit_bytes"] = EDGE_BUFFER_BYTES
    cluster["per_connection_buffer_limit_bytes"] = EDGE_BUFFER_BYTES
    manager = listener["filter_chains"][0]["filters"][0]["typed_config"]
    manager |= {"stream_idle_timeout": "300s", "request_timeout": "300s"}
    manager["http2_protocol_options"] = {
        "max_concurrent_streams": 100,
        "initial_stream_window_size": 65_536,
        "initial_connection_window_size": 1_048_576,
    }
    return Subject(address, (_envoy(site, "envoy", document),), scheme="https")


def hop_http1(site: Site) -> Subject:
    return _hop(site, "http1")


def hop_http2(site: Site) -> Subject:
    return _hop(site, "http2")


def _hop(site: Site, protocol: Protocol) -> Subject:
    address, inner = local_address(), local_address()
    client, server = site.certificates.client, site.certificates.server
    upstream = {
        "@type": f"{_EXTENSIONS}.transport_sockets.tls.v3.UpstreamTlsContext",
        "sni": server.name,
        "common_tls_context": _tls(site, client, protocol, server.name),
    }
    downstream = {
        "@type": f"{_EXTENSIONS}.transport_sockets.tls.v3.DownstreamTlsContext",
        "require_client_certificate": True,
        "common_tls_context": _tls(site, server, protocol, client.name),
    }
    first = _document(address, inner, upstream_tls=upstream, upstream_protocol=protocol)
    second = _document(inner, site.origin, downstream_tls=downstream)
    return Subject(
        address,
        (
            _envoy(site, "envoy-1", first),
            _envoy(site, "envoy-2", second),
        ),
    )


def _envoy(site: Site, name: str, document: dict[str, Any]) -> Process:
    binary = require(Path(str(resources.files("envoy") / "_bin" / "envoy")), "run make bench")
    path = site.file(f"{name}.json", json.dumps(document, indent=1))
    options = ["--concurrency", "1", "--log-level", "warning", "--disable-hot-restart"]
    return program(name, [binary, "-c", path, *options], site.folder)


def _document(
    listen: str,
    upstream: str,
    *,
    downstream_tls: dict[str, Any] | None = None,
    upstream_tls: dict[str, Any] | None = None,
    upstream_protocol: Protocol = "http1",
) -> dict[str, Any]:
    chain = {"filters": [_manager()], **_socket(downstream_tls)}
    listener = {"name": "in", "address": _address(listen), "filter_chains": [chain]}
    return {
        "static_resources": {
            "listeners": [listener],
            "clusters": [_cluster(upstream, upstream_tls, upstream_protocol)],
        }
    }


def _manager() -> dict[str, Any]:
    router = {
        "@type": f"{_EXTENSIONS}.filters.http.router.v3.Router",
        "dynamic_stats": False,
        "suppress_envoy_headers": True,
    }
    route = {"match": {"prefix": "/"}, "route": {"cluster": "origin", "timeout": "0s"}}
    manager = {
        "@type": f"{_EXTENSIONS}.filters.network.http_connection_manager.v3.HttpConnectionManager",
        "stat_prefix": "in",
        "generate_request_id": False,
        "route_config": {"virtual_hosts": [{"name": "all", "domains": ["*"], "routes": [route]}]},
        "http_filters": [{"name": "envoy.filters.http.router", "typed_config": router}],
    }
    return {"name": "envoy.filters.network.http_connection_manager", "typed_config": manager}


def _cluster(upstream: str, tls: dict[str, Any] | None, protocol: Protocol) -> dict[str, Any]:
    options: dict[str, Any] = {
        "http2_protocol_options" if protocol == "http2" else "http_protocol_options": {}
    }
    limits = ("max_connections", "max_pending_requests", "max_requests", "max_retries")
    endpoint = {"endpoint": {"address": _address(upstream)}}
    return {
        "name": "origin",
        "type": "STATIC",
        "load_assignment": {
            "cluster_name": "origin",
            "endpoints": [{"lb_endpoints": [endpoint]}],
        },
        "circuit_breakers": {"thresholds": [dict.fromkeys(limits, UNLIMITED)]},
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": _OPTIONS,
                "explicit_http_config": options,
            }
        },
        **_socket(tls),
    }


def _tls(site: Site, own: Leaf, protocol: Protocol, other: str) -> dict[str, Any]:
    names = {"san_type": "DNS", "matcher": {"exact": other}}
    return {
        **_shown(own, [_ALPN[protocol]]),
        "validation_context": {
            "trusted_ca": {"filename": str(site.certificates.root)},
            "match_typed_subject_alt_names": [names],
        },
    }


def _shown(own: Leaf, protocols: list[str]) -> dict[str, Any]:
    return {
        "alpn_protocols": protocols,
        "tls_params": {
            "tls_minimum_protocol_version": "TLSv1_3",
            "tls_maximum_protocol_version": "TLSv1_3",
        },
        "tls_certificates": [
            {
                "certificate_chain": {"filename": str(own.certificate)},
                "private_key": {"filename": str(own.key)},
            }
        ],
    }


def _socket(tls: dict[str, Any] | None) -> dict[str, Any]:
    if tls is None:
        return {}
    return {"transport_socket": {"name": "envoy.transport_sockets.tls", "typed_config": tls}}


def _address(address: str) -> dict[str, Any]:
    host, _, port = address.partition(":")
    return {"socket_address": {"address": host, "port_value": int(port)}}
