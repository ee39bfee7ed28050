"""Instances that end TLS themselves, on real Consul: spoken to by the node beside them, or by clients through the edge."""

from __future__ import annotations

import asyncio
import os
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from textwrap import indent

import pytest
from aiohttp import web

from tests.support import ConsulCluster, wait_until
from tests.support.edge_certificates import Made, made
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

HOST = "shop.test"
NAME = "shop.internal"
DB = "db.example"
PIECE = 65_536
MUCH = 1_048_576
"""Bytes each way: more than any buffer between client and instance holds."""


@asynccontextmanager
async def secured(folder: Path, pair: Made, address: str) -> AsyncIterator[int]:
    """A service by TLS alone; its port."""
    certificate, key = folder / "shop.crt", folder / "shop.key"
    certificate.write_text(pair.certificate)
    key.write_text(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def answer(request: web.Request) -> web.Response:
        return web.Response(text=f"{request.scheme} {await request.text()}")

    application = web.Application()
    application.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(application)
    await runner.setup()
    try:
        site = web.TCPSite(runner, address, 0, ssl_context=context)
        await site.start()
        yield int(runner.addresses[0][1])
    finally:
        await runner.cleanup()


async def test_the_node_beside_an_instance_speaks_tls_to_it(tmp_path: Path) -> None:
    authority = made(is_authority=True, name="authority")
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        secured(tmp_path, made(NAME, issuer=authority), consul["node-2"].address) as port,
        MeshNode(consul, "node-1", tmp_path, is_edge=True) as node,
        MeshNode(consul, "node-2", tmp_path),
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": port, "Address": consul["node-2"].address}
        await consul.register(shop, node="node-2")
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop")
        await node.serves(HOST, status=502)

        believed = f"tls:\n  server_name: {NAME}\n  authorities: |\n{indent(authority.certificate, '    ')}"
        told = await node.cli("kv", "put", "mesh/services/shop", believed)
        assert "accepted by 2 of 2 nodes" in told.stdout
        await node.serves(HOST)
        assert (await node.request(HOST))[2] == "https "

        for written, why in (
            (f"tls: {NAME}", "authority"),
            (believed.replace(NAME, "other.internal"), "another name"),
        ):
            await node.cli("kv", "put", "mesh/services/shop", written)

            async def is_refused(why: str = why) -> bool:
                status, headers, text = await node.request(HOST)
                reason = headers.get("mesh-reason")
                return (status, reason) == (502, "upstream_tls_failed") and why in text

            await wait_until(is_refused, 30, what=f"refused for {why}")


@asynccontextmanager
async def echoing(folder: Path, pair: Made, address: str) -> AsyncIterator[int]:
    """A service that is no HTTP and ends TLS itself: it says back what it hears. Its port."""
    certificate, key = folder / "db.crt", folder / "db.key"
    certificate.write_text(pair.certificate)
    key.write_text(pair.key)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)

    async def say_back(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while heard := await reader.read(PIECE):
                writer.write(heard)
                await writer.drain()
        except ConnectionError:
            # The connection that was cut: its end is looked at by who called.
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(say_back, address, 0, ssl=context)
    async with server:
        yield int(server.sockets[0].getsockname()[1])


async def called(node: MeshNode, name: str, authority: Made) -> bytes:
    """The certificate that somebody is shown who asks the edge for `name` and believes the authority alone.

    What is said comes back. Raises OSError or EOFError where no connection came of it.
    """
    context = ssl.create_default_context(cadata=authority.certificate)
    said = os.urandom(MUCH)
    reader, writer = await asyncio.open_connection(
        node.address, node.tls_port, ssl=context, server_hostname=name
    )
    try:
        shown: bytes = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        writer.write(said)
        heard, _ = await asyncio.gather(reader.readexactly(len(said)), writer.drain())
    finally:
        writer.close()
    assert heard == said, "byte for byte"
    return shown


async def test_a_client_ends_its_handshake_with_the_instance_itself(tmp_path: Path) -> None:
    """Through the edge of one node and the proxy of another, neither of which has the key."""
    authority = made(is_authority=True, name="authority")
    pair = made(DB, issuer=authority)
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        echoing(tmp_path, pair, consul["node-2"].address) as port,
        MeshNode(consul, "node-1", tmp_path, is_edge=True) as node,
        MeshNode(consul, "node-2", tmp_path) as other,
    ):
        db = {"Name": "db", "ID": "db-1", "Port": port, "Address": consul["node-2"].address}
        await consul.register(db, node="node-2")
        told = await node.cli("kv", "put", "mesh/routes/db", f"sni {DB} -> db passthrough")
        assert "accepted by 2 of 2 nodes" in told.stdout

        async def shown() -> bytes | None:
            try:
                return await called(node, DB, authority)
            except (OSError, EOFError):
                return None

        certificate = await wait_until(shown, 60, what=f"{DB} is passed on")
        assert certificate == ssl.PEM_cert_to_DER_cert(pair.certificate), "the instance's own"

        # Both nodes carried it, by mutual TLS of their own, and tell what became of it.
        async def is_told() -> bool:
            await shown()
            said = (await node.cli("explain", "last")).stdout
            wanted = (
                f"sni {DB}   as edge, from {node.address}",
                "listener   websecure on node-1",
                "route      db   mesh/routes/db index ",
                "instance   db-1 of db on node-2",
                "ended      who opened it closed it",
                "connection goes to db",
            )
            return all(line in said for line in wanted)

        await wait_until(is_told, 30, what="what became of it")
        rows = (await other.proxy("/v1/stats"))["streams"]
        (row,) = [row for row in rows if row["destination"] == "db" and not row["reason"]]
        assert row["listener"] == "mesh"
        assert row["received_bytes"] > MUCH < row["sent_bytes"]

        assert (await node.cli("intentions", "deny", "edge", "db")).code == 0

        async def is_refused() -> bool:
            return await shown() is None

        await wait_until(is_refused, 30, what="the intention")
