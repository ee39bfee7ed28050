"""One port of a service, over two nodes on real Consul: requests of both versions, TLS of its own, a server that speaks first."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import h2.events
import pytest
from h2.config import H2Configuration
from h2.connection import H2Connection
from prometheus_client.parser import text_string_to_metric_families

from tests.support import ConsulCluster, EchoServer, free_port, wait_until
from tests.support.edge_certificates import Made, made
from tests.support.mesh import MeshNode, get

pytestmark = pytest.mark.consul

NAME = "mail.internal"
PATIENCE_S = 60.0
Speak = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


@asynccontextmanager
async def instance(
    address: str, port: int, speak: Speak, context: ssl.SSLContext | None = None
) -> AsyncIterator[None]:
    """The instance of `mail`, which speaks this for a while."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await speak(reader, writer)
        finally:
            writer.close()

    server = await asyncio.start_server(serve, address, port, ssl=context)
    async with server:
        yield


async def http(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its own first line."""
    while line := await reader.readline():
        while (await reader.readline()).strip():
            pass
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(line), line))
        await writer.drain()


async def http2(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Answers each request with its host, and a trailer as gRPC has it. It speaks nothing else."""
    connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
    connection.initiate_connection()
    while data := await reader.read(65_536):
        for event in connection.receive_data(data):
            if isinstance(event, h2.events.RequestReceived):
                stream = event.stream_id
                asked = {str(name): str(value) for name, value in event.headers or []}
                connection.send_headers(stream, [(":status", "200")])
                connection.send_data(stream, asked[":authority"].encode())
                connection.send_headers(stream, [("grpc-status", "0")], end_stream=True)
        writer.write(connection.data_to_send())
        await writer.drain()


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while line := await reader.readline():
        writer.write(b"you said " + line)
        await writer.drain()


async def greeting(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"220 mail ready\r\n")
    await writer.drain()
    await echo(reader, writer)


async def asked_in_http2(address: str) -> tuple[str, str, str]:
    """Status, body and grpc-status of a call by prior knowledge."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        connection = H2Connection(H2Configuration(client_side=True, header_encoding="utf-8"))
        connection.initiate_connection()
        head = [(":method", "POST"), (":scheme", "http"), (":authority", "any.example")]
        head += [
            (":path", "/mail.Mail/Send"),
            ("content-type", "application/grpc"),
            ("te", "trailers"),
        ]
        connection.send_headers(connection.get_next_available_stream_id(), head, end_stream=True)
        writer.write(connection.data_to_send())
        told: dict[str, str] = {}
        body, is_over = b"", False
        while not is_over:
            data = await asyncio.wait_for(reader.read(65_536), PATIENCE_S)
            assert data, "the proxy closed the connection"
            for event in connection.receive_data(data):
                match event:
                    case h2.events.ResponseReceived() | h2.events.TrailersReceived():
                        told |= {str(name): str(value) for name, value in event.headers or []}
                    case h2.events.DataReceived():
                        body += event.data or b""
                    case h2.events.StreamEnded() | h2.events.StreamReset():
                        is_over = True
            writer.write(connection.data_to_send())
        return told[":status"], body.decode(), told.get("grpc-status", "")
    finally:
        writer.close()


def contexts(folder: Path, authority: Made) -> tuple[ssl.SSLContext, ssl.SSLContext]:
    """The instance's own TLS, and what a caller believes."""
    pair = made(NAME, issuer=authority)
    certificate, key = folder / "mail.crt", folder / "mail.key"
    certificate.write_text(pair.certificate)
    key.write_text(pair.key)
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(certificate, key)
    return server, ssl.create_default_context(cadata=authority.certificate)


async def detected(node: MeshNode) -> dict[str, float]:
    """How many connections were found to speak what, by `/metrics`."""
    _, text = await node.admin("/metrics")
    return {
        sample.labels["protocol"]: sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == "meshnode_detected_total" and sample.labels["destination"] == "mail"
    }


async def spans(node: MeshNode, word: str) -> list[dict[str, Any]]:
    """The attributes of the node's spans of connections that turned out to speak this, each with its `trace_id`."""
    _, text = await node.admin("/traces")
    steps = [
        {**one["attributes"], "trace_id": trace["trace_id"]}
        for trace in json.loads(text)["traces"]
        for one in trace["spans"]
    ]
    return [step for step in steps if step.get("mesh.detected") == word]


async def test_one_port_carries_whatever_its_caller_speaks(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        EchoServer("web-1", tmp_path) as web,
        MeshNode(consul, "node-1", tmp_path) as node,
        MeshNode(consul, "node-2", tmp_path) as other,
    ):
        there, port, own = consul["node-2"].address, free_port("127.0.0.2"), free_port(node.address)
        for at, (name, host, listens) in enumerate(
            (("web", web.address, web.port), ("mail", there, port)), start=1
        ):
            mine = {"Name": name, "ID": f"{name}-1", "Port": listens, "Address": host}
            await consul.register(mine, node=f"node-{at}")
        for key, value in (
            ("mesh/services/mail", "protocol: auto"),
            ("mesh/upstreams/web", f"destinations: {{mail: {own}}}"),
            ("mesh/routes/mail", "mail.test/ -> mail"),
        ):
            told = await node.cli("kv", "put", key, value)
            assert "accepted by 2 of 2 nodes" in told.stdout, told.stdout
        address = await node.outbound("web:mail")
        host = address.rpartition(":")[0]

        async with instance(there, port, http):

            async def is_asked() -> str | None:
                status, _, text = await get(f"http://{address}/x", host="any.example")
                return text if status == 200 else None

            assert await wait_until(is_asked, 60, what="mail answers") == "GET /x HTTP/1.1\r\n"
        async with instance(there, port, http2):
            assert await asked_in_http2(address) == ("200", "mail.mesh", "0")
        server, client = contexts(tmp_path, made(is_authority=True, name="authority"))
        async with instance(there, port, echo, server):
            reader, writer = await asyncio.open_connection(
                host, own, ssl=client, server_hostname=NAME
            )
            writer.write(b"hello\r\n")
            said = await asyncio.wait_for(reader.readline(), PATIENCE_S)
            writer.close()
            assert said == b"you said hello\r\n"
        async with instance(there, port, greeting):
            reader, writer = await asyncio.open_connection(host, own)
            assert await asyncio.wait_for(reader.readline(), PATIENCE_S) == b"220 mail ready\r\n"
            writer.write(b"EHLO web\r\n")
            said = await asyncio.wait_for(reader.readline(), PATIENCE_S)
            writer.close()
            assert said == b"you said EHLO web\r\n"

        found = await detected(node)
        assert {word: found.get(word) for word in ("http2", "tls", "silent")} == {
            "http2": 1, "tls": 1, "silent": 1,
        }  # fmt: skip
        assert found["http"] >= 1
        assert "tcp" not in found
        assert await detected(other) == {}
        for word, spoken, called in (
            ("http", "http", "mail.mesh"),
            ("http2", "http", "mail.mesh"),
            ("tls", "tls", NAME),
            ("silent", None, None),
        ):

            async def is_told(word: str = word) -> dict[str, Any] | None:
                return next(iter(await spans(node, word)), None)

            step = await wait_until(is_told, 60, what=f"a span of {word}")
            assert step.get("network.protocol.name") == spoken
            assert (step.get("server.address"), step["mesh.destination"]) == (called, "mail")

        secured = (await spans(node, "tls"))[0]["trace_id"]
        explained = (await node.cli("explain", secured)).stdout
        assert f"detection  TLS, moved as it is (for {NAME})" in explained
        explained = (await node.cli("explain", "--as", "web", f"tcp {address}")).stdout
        assert "detection  its first bytes decide: HTTP/1.1 and HTTP/2 are requests" in explained
        assert "connection goes to mail" in explained
        shown = (await node.cli("routes", "show", "mail", "--origin")).stdout
        assert "protocol of mail" in shown
        assert "mesh/services/mail" in shown
