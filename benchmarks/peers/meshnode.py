"""meshnode-proxy as shipped, run alone with a snapshot as the agent would send it. Changes no default.

Everything is on that a node without a receiver of traces has on: routes, intentions decided for each request, counters
and histograms, trace context made and passed on, and a span made for every request (trace ratio 1, the default). Nobody
fetches them, so that the oldest are dropped once the ring is full; traced.py has the rest. One thread, as every peer.
"""

import json
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

import aiohttp

from benchmarks.certificates import TRUST_DOMAIN, Leaf
from benchmarks.load import HOST
from benchmarks.peers.subject import Site, Subject, local_address, program
from tests.support import Process, wait_until

SERVICE = "web"
CONTROL_SECONDS = 20.0


@dataclass(slots=True)
class Secured(Subject):
    """An edge with TLS, which is handed its certificate as the agent does it."""

    socket: Path = field(kw_only=True)
    shown: Leaf = field(kw_only=True)

    async def prepare(self) -> None:
        """Its listener opens once it has a certificate."""
        await wait_until(self._has_certificate, CONTROL_SECONDS, what="a certificate is taken")

    async def _has_certificate(self) -> bool:
        document = {
            "host": "_default",
            "certificate_chain_pem": self.shown.certificate.read_text(),
            "private_key_pem": self.shown.key.read_text(),
        }
        connector = aiohttp.UnixConnector(str(self.socket))
        async with aiohttp.ClientSession(connector=connector) as session:
            url = "http://proxy/v1/certificates/_default"
            async with session.put(url, json=document) as answer:
                return answer.status == HTTPStatus.OK


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


def tls(site: Site) -> Subject:
    """The same with TLS; clients choose HTTP/2 by ALPN."""
    address, socket = local_address(), site.folder / "proxy.sock"
    edge = {"kind": "edge", "address": address, "identity": None, "tls": {"policy": "modern"}}
    resources = {
        **_settings("node-1"),
        "listeners": {"edge": edge},
        **_route(_local_endpoint(site.origin)),
        **_service(site.origin),
    }
    process = _proxy(site, "node-1", resources, flags=("--control", socket))
    return Secured(
        address, (process,), scheme="https", socket=socket, shown=site.certificates.server
    )


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
