"""HTTP/2 by h2spec's cases, each against the real proxy in front of a real origin: RFC 9113's framing, RFC 7541's HPACK."""

from __future__ import annotations

import asyncio
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from benchmarks import certificates
from tests.conformance import alone
from tests.support import EchoServer
from tests.support.process import run
from tests.support.tools import tool_path

# A case that waits for a frame that does not come fails after this long, on a machine that has too much to do, too.
CASE_SECONDS = "10"
CASES = {"plain": 145, "strict": 146}
# RFC 9113 3.4 has a connection closed whose preface is wrong, and h2spec takes nothing but silence. On a port that speaks
# HTTP/1.1, too, such bytes are a bad request of that: it is told so (RFC 9112 3.2), and then the connection is closed.
TOLD = "http2/3.5: Sends invalid connection preface"


@pytest.mark.parametrize("mode", CASES)
@pytest.mark.parametrize("way", ["clear", "tls"])
async def test_every_case_of_h2spec_passes(way: str, mode: str, tmp_path: Path) -> None:
    listen = alone.address()
    is_tls = way == "tls"
    async with EchoServer("origin-1", tmp_path) as origin:
        made = alone.resources(listen, f"{origin.address}:{origin.port}")
        if is_tls:
            made["listeners"]["edge"]["tls"] = {"policy": "modern"}
        certificate = certificates.create(tmp_path).server if is_tls else None
        async with alone.proxy(tmp_path, made, certificate=certificate):
            host, _, port = listen.rpartition(":")
            report = tmp_path / "h2spec.xml"
            strict = ["--strict"] if mode == "strict" else []
            strict += ["-t", "-k"] if is_tls else []
            flags: list[str | Path] = [
                "-h",
                host,
                "-p",
                port,
                "-o",
                CASE_SECONDS,
                "-j",
                report,
                *strict,
            ]
            finished = await run(tool_path("h2spec"), *flags, timeout=300, check=False)
    passed, others = _read(report)
    told = [] if is_tls else [TOLD]
    assert others == told, finished.stdout
    assert passed == CASES[mode] - len(told)


async def test_an_invalid_preface_is_told_so_and_closed(tmp_path: Path) -> None:
    listen = alone.address()
    async with alone.proxy(tmp_path, alone.resources(listen, alone.address())):
        host, _, port = listen.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"INVALID CONNECTION PREFACE\r\n\r\n")
        assert (await reader.read()).startswith(b"HTTP/1.1 400 Bad Request\r\n")
        writer.close()


def _read(report: Path) -> tuple[int, list[str]]:
    """How many cases passed, and the names of those that did not."""
    cases = list(ET.parse(report).getroot().iter("testcase"))  # noqa: S314  h2spec's own
    bad = [
        case for case in cases if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = [case for case in cases if case.find("skipped") is not None]
    names = [f"{case.get('package')}: {case.get('classname')}" for case in bad + skipped]
    return len(cases) - len(names), names
