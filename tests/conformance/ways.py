"""The ways a connection may take: through one real proxy, and through a hop of the mesh; without Consul or an agent."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, Literal

from benchmarks.certificates import TRUST_DOMAIN, Certificates, Leaf, create
from tests.support import Process, free_port, program_path

Way = Literal["edge", "hop"]
WAYS: tuple[Way, ...] = ("edge", "hop")
SERVICE = "web"
HOST = "127.0.0.1"
_START_SECONDS = 30.0


@asynccontextmanager
async def through(
    way: Way, origin: int, folder: Path, protocol: str = "http"
) -> AsyncIterator[int]:
    """The port of an edge that leads everything to a service at this port of this machine, which speaks this."""
    port = free_port()
    listener = {"kind": "edge", "address": f"{HOST}:{port}", "identity": None}
    endpoint: dict[str, Any] = {"id": "web-1", "node": "node-2", "address": f"{HOST}:{origin}"}
    async with AsyncExitStack() as stack:
        if way == "edge":
            endpoint |= {"weight": 1, "via": "clear"}
            resources = _edge(listener, endpoint, protocol)
            command = _command(folder, "node-1", resources, None)
            await stack.enter_async_context(_running(command, "node-1", folder, port))
        else:
            certificates = create(folder)
            mesh = free_port()
            endpoint |= {"weight": 1, "via": "mesh", "mesh_address": f"{HOST}:{mesh}"}
            far = _command(folder, "node-2", _inbound(mesh, origin, protocol), certificates)
            await stack.enter_async_context(_running(far, "node-2", folder, mesh))
            near = _command(folder, "node-1", _edge(listener, endpoint, "http"), certificates)
            await stack.enter_async_context(_running(near, "node-1", folder, port))
        yield port


def _edge(listener: dict[str, Any], endpoint: dict[str, Any], protocol: str) -> dict[str, Any]:
    split = {"split": [{"cluster": SERVICE, "weight": 1}]}
    route = {"key": "mesh/routes/all", "index": 1, "hosts": ["*"], "path": {"prefix": "/"}}
    cluster: dict[str, Any] = {"service": SERVICE, "exists": True, "instances": 1}
    cluster |= {"endpoints": [endpoint], "protocol": protocol}
    return {
        "listeners": {"edge": listener},
        "routes": {"all": {**route, "action": split}},
        "clusters": {SERVICE: cluster},
    }


def _inbound(mesh: int, origin: int, protocol: str) -> dict[str, Any]:
    instance = {"id": "web-1", "addresses": [f"{HOST}:{origin}"], "healthy": True}
    return {
        "listeners": {"mesh": {"kind": "inbound", "address": f"{HOST}:{mesh}", "identity": None}},
        "services": {SERVICE: {"service": SERVICE, "protocol": protocol, "instances": [instance]}},
    }


def _command(
    folder: Path, node: str, resources: dict[str, Any], certificates: Certificates | None
) -> list[str | Path]:
    settings = {
        "node": node,
        "datacenter": "dc1",
        "trust_domain": TRUST_DOMAIN,
        "intention_default": "allow",
        "trace_ratio": 1.0,
    }
    document = {"schema": 1, "kind": "full", "generation": 1, "digest": "sha256:1"}
    snapshot = folder / f"{node}.json"
    resources = {"settings": {"node": settings}, **resources}
    snapshot.write_text(json.dumps({**document, "resources": resources}))
    command: list[str | Path] = [program_path("meshnode-proxy"), "--snapshot", snapshot]
    if certificates is not None:
        leaf = certificates.client if node == "node-1" else certificates.server
        identities = folder / f"{node}.identities.json"
        identities.touch(0o600)
        identities.write_text(json.dumps([_identity(leaf, certificates)]))
        command += ["--identities", identities]
    return command


def _identity(leaf: Leaf, certificates: Certificates) -> dict[str, Any]:
    return {
        "name": leaf.service,
        "spiffe_id": leaf.spiffe_id,
        "certificate_chain_pem": leaf.certificate.read_text(),
        "private_key_pem": leaf.key.read_text(),
        "roots_pem": certificates.root.read_text(),
        "not_after_unix_s": int(leaf.not_after.timestamp()),
    }


@asynccontextmanager
async def _running(
    command: list[str | Path], node: str, folder: Path, port: int
) -> AsyncIterator[None]:
    with Process(node, command, folder=folder) as proxy:
        await proxy.until(partial(_listens, port), _START_SECONDS, what=f"{node} listens")
        yield


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0
