"""gRPC by the project's own interop cases: through one proxy, and through a mesh hop of two with mutual TLS between."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks import certificates
from benchmarks.certificates import Leaf
from tests.conformance import alone
from tests.support.process import Process, run
from tests.support.tools import tool_path

# The cases of ORCA want the client's balancer that keeps what servers tell of their load.
BALANCER = '{"loadBalancingConfig":[{"test_backend_metrics_load_balancer":{}}]}'
# What the Go client knows but the seven that need an account at Google (compute_engine_creds, service_account_creds,
# jwt_token_creds, per_rpc_creds, oauth2_auth_token, google_default_credentials, compute_engine_channel_credentials), and
# pick_first_unary, which is about the client's own choice among servers.
CASES = (
    "empty_unary",
    "large_unary",
    "client_streaming",
    "server_streaming",
    "ping_pong",
    "empty_stream",
    "timeout_on_sleeping_server",
    "cancel_after_begin",
    "cancel_after_first_response",
    "status_code_and_message",
    "special_status_message",
    "custom_metadata",
    "unimplemented_method",
    "unimplemented_service",
    "orca_per_rpc",
    "orca_oob",
)


@asynccontextmanager
async def _server(folder: Path) -> AsyncIterator[str]:
    listen = alone.address()
    port = listen.rpartition(":")[2]
    with Process("server", [tool_path("grpc-interop-server"), "-port", port], folder=folder) as one:
        await one.until(lambda: alone.accepts(listen), timeout=60, what="the server listens")
        yield listen


@asynccontextmanager
async def _one_proxy(folder: Path, origin: str) -> AsyncIterator[str]:
    listen = alone.address()
    async with alone.proxy(folder, alone.resources(listen, origin, protocol="http2")):
        yield listen


@asynccontextmanager
async def _hop(folder: Path, origin: str) -> AsyncIterator[str]:
    listen, mesh = alone.address(), alone.address()
    made = certificates.create(folder)
    near, far = made.client, made.server
    first = alone.resources(listen, origin, protocol="http2")
    first["settings"] = {"node": alone.NODE | {"trust_domain": certificates.TRUST_DOMAIN}}
    first["listeners"]["edge"]["identity"] = near.service
    cluster = first["clusters"]["origin"]
    cluster["service"] = far.service
    cluster["endpoints"][0] |= {"via": "mesh", "mesh_address": mesh}
    instance = {"id": "origin-1", "addresses": [origin], "healthy": True}
    service = {"service": far.service, "protocol": "http2", "instances": [instance]}
    second = first | {
        "listeners": {"mesh": {"kind": "inbound", "address": mesh, "identity": None}},
        "services": {far.service: service},
        "routes": {},
        "clusters": {},
    }
    async with (
        alone.proxy(folder, second, "far", [_identity(far, made.root)]),
        alone.proxy(folder, first, "near", [_identity(near, made.root)]),
    ):
        yield listen


def _identity(leaf: Leaf, root: Path) -> dict[str, Any]:
    return {
        "name": leaf.service,
        "spiffe_id": leaf.spiffe_id,
        "certificate_chain_pem": leaf.certificate.read_text(),
        "private_key_pem": leaf.key.read_text(),
        "roots_pem": root.read_text(),
        "not_after_unix_s": int(leaf.not_after.timestamp()),
    }


Way = Callable[[Path, str], AbstractAsyncContextManager[str]]


@pytest.mark.parametrize("way", [_one_proxy, _hop], ids=["one proxy", "a hop"])
async def test_every_interop_case_passes(way: Way, tmp_path: Path) -> None:
    failed = {}
    async with _server(tmp_path) as origin, way(tmp_path, origin) as listen:
        host, _, port = listen.rpartition(":")
        for case in CASES:
            flags = ["-server_host", host, "-server_port", port, "-test_case", case]
            flags += ["-service_config_json", BALANCER] if case.startswith("orca_") else []
            finished = await run(tool_path("grpc-interop-client"), *flags, timeout=60, check=False)
            if finished.code != 0:
                failed[case] = finished.stderr
    assert failed == {}
