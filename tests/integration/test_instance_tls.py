"""Instances that end TLS themselves, on real Consul: spoken to by the node beside them, or not at all."""

from __future__ import annotations

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
