"""TLS at the edge on real Consul: the default certificate, keys sealed in KV, client certificates, files, https alone."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support import ConsulCluster, EchoServer, Finished, run, wait_until
from tests.support.edge_certificates import Made, made
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

HOST = "shop.example"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[MeshNode]:
    (tmp_path / "files").mkdir()
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        EchoServer("shop-1", tmp_path) as server,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop, node="node-1")
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop")
        settings = {"EDGE_CERTIFICATES_FOLDER": str(tmp_path / "files")}
        async with MeshNode(consul, "node-1", tmp_path, is_edge=True, settings=settings) as one:
            await one.serves(HOST)
            yield one


def write(folder: Path, name: str, pair: Made) -> tuple[str, str]:
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    certificate.write_text(pair.certificate)
    key.write_text(pair.key)
    key.chmod(0o600)
    return str(certificate), str(key)


async def curl(node: MeshNode, *more: str, scheme: str = "https") -> Finished:
    """A GET for HOST; what it says is status and Location."""
    port = node.tls_port if scheme == "https" else node.edge_port
    return await run(
        "curl", "--silent", "--show-error", "--output", "/dev/null", "--write-out", "%{http_code} %{redirect_url}",
        "--connect-to", f"{HOST}:{port}:{node.address}:{port}", *more, f"{scheme}://{HOST}:{port}/",
        check=False,
    )  # fmt: skip


async def test_a_certificate_is_put_believed_renewed_and_removed(
    node: MeshNode, tmp_path: Path
) -> None:
    answered = await curl(node, "--insecure")
    assert answered.stdout.startswith("200 "), answered
    authority = made(is_authority=True, name="authority")
    root = tmp_path / "root.pem"
    root.write_text(authority.certificate)
    trusting = ("--cacert", str(root))
    assert (await curl(node, *trusting)).code != 0
    pair = write(tmp_path, "first", made(HOST, issuer=authority))
    put = ("tls", "put", HOST, "--certificate", pair[0], "--key", pair[1])
    said = await node.cli(*put)
    assert "accepted by 1 of 1 node" in said.stdout

    async def is_believed() -> bool:
        return (await curl(node, *trusting)).stdout.startswith("200 ")

    # A node that has just made the key that opens it reads that within seconds, and warns until then.
    await wait_until(is_believed, 60, what=f"a certificate that is believed, after {said.stdout}")
    stored = (await node.cluster.cli("kv", "get", f"mesh/tls/{HOST}")).stdout
    assert "sealed-v1:" in stored
    assert "PRIVATE" not in stored
    assert "ends " in (await node.cli("tls", "list")).stdout
    assert "sealed with" in (await node.cli("tls", "show", HOST)).stdout
    # A key in clear is refused, and what is in force goes on.
    await node.cluster.put(
        f"mesh/tls/{HOST}", stored.replace("sealed-v1:", "-----BEGIN PRIVATE KEY-----")
    )
    refused = await node.cli("wait", f"mesh/tls/{HOST}", check=False)
    assert refused.code == 1
    assert "stands here in clear" in refused.stdout
    assert (await curl(node, *trusting)).stdout.startswith("200 ")
    await node.cli("tls", "remove", HOST)
    assert (await curl(node, *trusting)).code != 0


async def test_clients_show_certificates_and_nothing_gets_past_it(
    node: MeshNode, tmp_path: Path
) -> None:
    clients = made(is_authority=True, name="clients")
    (tmp_path / "clients.pem").write_text(clients.certificate)
    server = write(tmp_path, "server", made(HOST))
    alice = write(tmp_path, "alice", made("alice.example", issuer=clients, name="alice"))
    mallory = write(tmp_path, "mallory", made("alice.example", name="alice"))
    await node.cli(
        "tls", "put", HOST, "--certificate", server[0], "--key", server[1],
        "--client-authorities", str(tmp_path / "clients.pem"),
    )  # fmt: skip
    ours = ("--insecure", "--cert", alice[0], "--key", alice[1])
    assert (await curl(node, *ours)).stdout.startswith("200 ")
    assert (await curl(node, "--insecure")).code != 0
    assert (await curl(node, "--insecure", "--cert", mallory[0], "--key", mallory[1])).code != 0
    assert (await curl(node, scheme="http")).stdout.startswith("403 ")
    other = await run(
        "curl", "--silent", "--insecure", "--output", "/dev/null", "--write-out", "%{http_code}",
        "--header", f"Host: {HOST}", f"https://{node.address}:{node.tls_port}/",
    )  # fmt: skip
    assert other.stdout == "421"


async def test_a_file_is_served_and_served_anew(node: MeshNode, tmp_path: Path) -> None:
    first, second = made(HOST), made(HOST)
    for pair in (first, second):
        root = tmp_path / "trusted.pem"
        root.write_text(pair.certificate)
        write(tmp_path / "files", HOST, pair)

        async def is_shown(root: Path = root) -> bool:
            return (await curl(node, "--cacert", str(root))).stdout.startswith("200 ")

        await wait_until(is_shown, 30)


async def test_clear_text_is_sent_to_https(node: MeshNode) -> None:
    await node.cli("kv", "put", "mesh/settings", "https: redirect+hsts=1d")
    answered = await curl(node, scheme="http")
    assert answered.stdout == f"301 https://{HOST}:{node.tls_port}/"
    head = await curl(node, "--insecure", "--dump-header", "-")
    assert "strict-transport-security: max-age=86400" in head.stdout.lower()
    await node.cli("kv", "put", "mesh/routes/shop", f"{HOST}/ -> shop https=off")
    assert (await curl(node, scheme="http")).stdout.startswith("200 ")
