"""The real proxy run alone, by a snapshot: an edge in front of one origin, without Consul and without an agent."""

from __future__ import annotations

import json
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from http import HTTPStatus
from pathlib import Path
from typing import Any, Protocol

import aiohttp

from tests.support import free_port
from tests.support.process import Process
from tests.support.tools import program_path

NODE = {
    "node": "node-1",
    "datacenter": "dc1",
    "trust_domain": "conformance.consul",
    "intention_default": "allow",
    "trace_ratio": 0.0,
}


class Shown(Protocol):
    """The files of what the edge shows."""

    @property
    def certificate(self) -> Path:
        """The leaf, then its intermediates, in PEM."""

    @property
    def key(self) -> Path:
        """Its key, in PEM."""


def resources(listen: str, origin: str, **more: Any) -> dict[str, Any]:
    """An edge whose every host goes to the service `origin`, with the cluster's fields amended."""
    endpoint = {
        "id": "origin-1",
        "node": "elsewhere",
        "address": origin,
        "weight": 1,
        "via": "clear",
    }
    split = {"split": [{"cluster": "origin", "weight": 1}]}
    route = {
        "key": "mesh/routes/all",
        "index": 1,
        "hosts": ["*"],
        "path": {"prefix": "/"},
        "action": split,
    }
    cluster = {"service": "origin", "exists": True, "instances": 1, "endpoints": [endpoint]}
    return {
        "settings": {"node": NODE},
        "listeners": {"edge": {"kind": "edge", "address": listen, "identity": None}},
        "routes": {"all": route},
        "clusters": {"origin": cluster | more},
        "services": {},
        "intentions": {},
    }


@asynccontextmanager
async def proxy(
    folder: Path,
    made: dict[str, Any],
    name: str = "proxy",
    identities: list[dict[str, Any]] | None = None,
    certificate: Shown | None = None,
) -> AsyncIterator[Process]:
    """Runs the proxy on these resources, with these identities and this certificate, once its listeners answer."""
    document = {"schema": 1, "kind": "full", "generation": 1, "digest": "sha256:1"}
    snapshot = folder / f"{name}.json"
    snapshot.write_text(json.dumps(document | {"resources": made}))
    command: list[str | Path] = [
        program_path("meshnode-proxy"),
        "--snapshot",
        snapshot,
        "--threads",
        "1",
    ]
    if identities:
        secrets = folder / f"{name}.identities.json"
        secrets.touch(mode=0o600)
        secrets.write_text(json.dumps(identities))
        command += ["--identities", secrets]
    control = folder / f"{name}.sock"
    command += ["--control", control] if certificate else []
    with Process(name, command, folder=folder) as running:
        if certificate:
            put = partial(_put, control, certificate)
            await running.until(put, timeout=60, what=f"{name} takes a certificate")
        for listener in made["listeners"].values():
            is_open = partial(accepts, listener["address"])
            await running.until(is_open, timeout=60, what=f"{name} listens")
        yield running


async def _put(control: Path, certificate: Shown) -> bool:
    """Hands the proxy a certificate for all hosts, as the agent does."""
    document = {
        "host": "_default",
        "certificate_chain_pem": certificate.certificate.read_text(),
        "private_key_pem": certificate.key.read_text(),
    }
    async with aiohttp.ClientSession(connector=aiohttp.UnixConnector(str(control))) as session:
        url = "http://proxy/v1/certificates/_default"
        async with session.put(url, json=document) as answer:
            return answer.status == HTTPStatus.OK


def accepts(listen: str) -> bool:
    """Whether somebody listens there."""
    host, _, port = listen.rpartition(":")
    with socket.create_connection((host, int(port)), timeout=1):
        return True


def address() -> str:
    """One nobody listens on."""
    return f"127.0.0.1:{free_port()}"
