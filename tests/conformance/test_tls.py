"""TLS at the edge by those who judge it for a living: sslyze by Mozilla's intermediate set, and testssl.sh."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.conformance import alone
from tests.support import EchoServer
from tests.support.edge_certificates import made
from tests.support.process import run
from tests.support.tools import program_path

HOST = "shop.test"
# sslyze's checks are some hundred handshakes, testssl.sh's some thousand lines of shell for each.
TIMEOUT_SECONDS = 280.0
# What is judged: versions, suites and their order, forward secrecy, the certificate, headers, each vulnerability there has
# been. Left out are its simulated clients and its second walk over all suites: they tell the same without judging it.
SECTIONS = ("--protocols", "--standard", "--server-preference", "--fs", "--server-defaults",
            "--headers", "--vulnerable")  # fmt: skip
TAKEN = frozenset({"OK", "INFO", "LOW"})
# Not of the server: with TLS 1.3 its client may end before the ticket has come, which it tells as WARN.
NOT_LOOKED_AT = "sessionresumption_ticket"


@dataclass(frozen=True, slots=True)
class Edge:
    """The edge as it runs, and the files it was given."""

    address: str
    certificate: Path
    key: Path
    root: Path


@pytest.fixture
async def edge(tmp_path: Path) -> AsyncIterator[Edge]:
    """A proxy with a certificate that an authority made for HOST."""
    authority = made(is_authority=True, name="authority", is_public=True)
    shown = made(HOST, issuer=authority, is_public=True)
    one = Edge(alone.address(), tmp_path / "leaf.pem", tmp_path / "leaf.key", tmp_path / "root.pem")
    one.certificate.write_text(shown.certificate)
    one.key.write_text(shown.key)
    one.root.write_text(authority.certificate)
    async with EchoServer("origin-1", tmp_path) as origin:
        resources = alone.resources(one.address, f"{origin.address}:{origin.port}")
        resources["listeners"]["edge"]["tls"] = {"policy": "intermediate"}
        route = resources["routes"]["all"]
        route["https"] = {"hsts_max_age_s": 2 * 365 * 24 * 3600}
        # What browsers are told beside that is a service's own matter, or its route's.
        route["response_headers"] = {
            "set": [{"name": "x-content-type-options", "value": "nosniff"}]
        }
        async with alone.proxy(tmp_path, resources, certificate=one):
            yield one


async def test_sslyze_finds_it_as_mozilla_s_intermediate_set_has_it(edge: Edge) -> None:
    port = edge.address.rpartition(":")[2]
    finished = await run(
        program_path("sslyze"),
        "--mozilla_config=intermediate",
        "--certinfo_ca_file", edge.root,
        f"{HOST}:{port}{{127.0.0.1}}",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )  # fmt: skip
    assert f"{HOST}:{port}: OK - Compliant." in finished.stdout, finished.stdout
    assert finished.code == 0


async def test_testssl_finds_nothing_above_low(edge: Edge, tmp_path: Path) -> None:
    port = edge.address.rpartition(":")[2]
    report = tmp_path / "testssl.json"
    finished = await run(
        "testssl", "--quiet", "--color", "0", "--warnings", "batch", "--nodns", "none", "--ip", "127.0.0.1",
        "--add-ca", edge.root, "--jsonfile", report, *SECTIONS, f"{HOST}:{port}",
        timeout=TIMEOUT_SECONDS,
        check=False,
    )  # fmt: skip
    findings = json.loads(report.read_text())
    above = [
        one
        for one in findings
        if one["severity"] not in TAKEN and (one["id"], one["severity"]) != (NOT_LOOKED_AT, "WARN")
    ]
    assert above == [], finished.stdout
    # It was all there to be judged: the report is that of a whole run.
    told = {one["id"]: one["finding"] for one in findings}
    assert "offered" in told["TLS1_3"]
    assert "server" in told["cipher_order"]
    assert told["heartbleed"].startswith("not vulnerable")
