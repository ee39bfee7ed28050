"""meshnode-proxy as shipped, run alone with a snapshot as the agent would send it. Changes no default.

Everything is on that a node without a receiver of traces has on: routes, intentions decided for each request, counters
and histograms, trace context made and passed on, and a span made for every request (trace ratio 1, the default). Nobody
fetches them, so that the oldest are dropped once the ring is full; traced.py has the rest. One thread, as every peer.
"""

import json
from pathlib import Path
from typing import Any

from benchmarks.certificates import TRUST_DOMAIN, Leaf
from benchmarks.load import HOST
from benchmarks.peers.subject import Site, Subject, local_address, program
from tests.support import Process

SERVICE = "web"


def plain(site: Site, *flags: str | Path) -> Subject:
    """The edge of a node that runs the service itself; `flags` are further ones of the proxy."""
    address = local_address()
    resources = {
        **_settings("node-1"),
        "listeners": {"edge": {"kind": "edge", "address": address, "identity": None}},
        **_route(_local_endpoint(site.origin)),
        **_service(site.origin),
    }
    return Subject(address, (_proxy(site, "node-1", resources, flags=flags),))


def hop(site: Site) -> Subject:
    """The edge of one node, and the node that runs the service: mutual TLS 1.3 between them."""
    address, mesh_address = local_address(), local_address()
    endpoint = {
        "id": "web-1",
        "node": "node-2",
        "address": site.origin,
        "weight": 1,
        "via": "mesh",
        "mesh_address": mesh_address,
    }
    first = {
        **_settings("node-1"),
        "listeners": {"edge": {"kind": "edge", "address": address, "identity": "edge"}},
        **_route(endpoint),
    }
    second = {
        **_settings("node-2"),
        "listeners": {"mesh": {"kind": "inbound", "address": mesh_address, "identity": None}},
        **_service(site.origin),
    }
    certificates = site.certificates
    return Subject(
        address,
        (
            _proxy(site, "node-1", first, certificates.client),
            _proxy(site, "node-2", second, certificates.server),
        ),
    )


def _proxy(
    site: Site,
    node: str,
    resources: dict[str, Any],
    leaf: Leaf | None = None,
    flags: tuple[str | Path, ...] = (),
) -> Process:
    document = {
        "schema": 1,
        "kind": "full",
        "generation": 1,
        "digest": "sha256:bench",
        "resources": resources,
    }
    snapshot = site.file(f"{node}.json", json.dumps(document))
    command: list[str | Path] = [
        site.proxy,
        "--snapshot",
        snapshot,
        "--threads",
        "1",
        *flags,
    ]
    if leaf is not None:
        identities = [_identity(site, leaf)]
        path = site.file(f"{node}.identities.json", json.dumps(identities), mode=0o600)
        command += ["--identities", path]
    return program(f"meshnode-{node}", command, site.folder)


def _identity(site: Site, leaf: Leaf) -> dict[str, Any]:
    return {
        "name": leaf.service,
        "spiffe_id": leaf.spiffe_id,
        "certificate_chain_pem": leaf.certificate.read_text(),
        "private_key_pem": leaf.key.read_text(),
        "roots_pem": site.certificates.root.read_text(),
        "not_after_unix_s": int(leaf.not_after.timestamp()),
    }


def _settings(node: str) -> dict[str, Any]:
    return {
        "settings": {
            "node": {
                "node": node,
                "datacenter": "dc1",
                "trust_domain": TRUST_DOMAIN,
                "intention_default": "deny",
                "trace_ratio": 1.0,
            }
        }
    }


def _route(endpoint: dict[str, Any]) -> dict[str, Any]:
    action = {"split": [{"cluster": SERVICE, "weight": 1}]}
    route = {"key": "mesh/routes/bench", "index": 1, "hosts": [HOST], "path": {"prefix": "/"}}
    cluster = {"service": SERVICE, "exists": True, "instances": 1, "endpoints": [endpoint]}
    return {"routes": {"bench": {**route, "action": action}}, "clusters": {SERVICE: cluster}}


def _local_endpoint(origin: str) -> dict[str, Any]:
    return {"id": "web-1", "node": "node-1", "address": origin, "weight": 1, "via": "local"}


def _service(origin: str) -> dict[str, Any]:
    instance = {"id": "web-1", "addresses": [origin], "healthy": True}
    rule = {
        "source": "edge",
        "action": "allow",
        "name": f"edge => {SERVICE}",
        "precedence": 9,
        "index": 1,
    }
    return {
        "services": {SERVICE: {"service": SERVICE, "instances": [instance]}},
        "intentions": {SERVICE: {"destination": SERVICE, "rules": [rule]}},
    }
