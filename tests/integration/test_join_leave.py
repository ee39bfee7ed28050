"""A machine joins a mesh that stands and leaves it again, with and without ACLs, and with each thing wrong in turn."""

from __future__ import annotations

import json
import os
import re
import shlex
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import pytest

from tests.integration.agents import MESHNODE, command, until_status
from tests.support import ConsulCluster, EchoServer, Finished, run, wait_until
from tests.support.mesh import MeshNode
from tests.support.process import Process

pytestmark = pytest.mark.consul

OTHER_PIN = "sha256:" + "0" * 64


class Newcomer:
    """A machine beside Consul's node-2 that is no node yet: its settings file is the one `join` writes."""

    def __init__(self, node: MeshNode, folder: Path) -> None:
        self.node = node
        self.file = folder / "etc" / "meshnode.toml"
        consul = {key: value for key, value in node.environment.items() if "CONSUL" in key}
        self.environment = {"MESHNODE_CONFIG": str(self.file), **consul}
        own = ("EDGE_ADDRESS", "MESH_ADDRESS", "ADMIN_ADDRESS", "OUTBOUND_HOST", "OUTBOUND_PORTS", "STATE_FOLDER")  # fmt: skip
        self.flags = [
            word
            for name in own
            for word in (
                f"--{name.lower().replace('_', '-')}",
                node.environment[f"MESHNODE_{name}"],
            )
        ]

    async def join(
        self, *words: str, env: Mapping[str, str] | None = None, stdin: str = ""
    ) -> Finished:
        environment = {**self.environment, **(env or {})}
        return await run(
            MESHNODE, "join", *self.flags, *words, env=environment, stdin=stdin, check=False
        )

    async def command(self, *words: str) -> Finished:
        return await run(MESHNODE, *words, env=self.environment, check=False)

    @property
    def joined(self) -> MeshNode:
        """The node, run with nothing but the settings file and Consul's own variables."""
        words = [str(MESHNODE), "agent"]
        self.node.environment = self.environment
        self.node.agent = Process("joined", words, folder=self.file.parent, env=self.environment)
        return self.node


async def invited(node: MeshNode, *words: str) -> list[str]:
    """The words of the command that a standing node prints, without `meshnode join`."""
    printed = await command(node, "join", "--print", *words)
    assert printed.code == 0, printed
    pasted = shlex.split(printed.stdout.splitlines()[-1])
    assert pasted[:2] == ["meshnode", "join"]
    return pasted[2:]


@pytest.fixture
async def first(tmp_path: Path) -> AsyncIterator[MeshNode]:
    """node-1 stands, and made the CA."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        MeshNode(consul, "node-1", tmp_path, is_edge=True) as node,
    ):
        await until_status(node, lambda seen: seen["trust_domain"] and seen["certificates"])
        yield node


async def test_a_machine_joins_serves_and_leaves(first: MeshNode, tmp_path: Path) -> None:
    newcomer = Newcomer(MeshNode(first.cluster, "node-2", tmp_path), tmp_path)
    joined = await newcomer.join(*await invited(first))
    assert joined.code == 0, joined
    assert "is the mesh's root" in joined.stdout
    assert "this node will not sign" in joined.stdout
    assert f"start it: meshnode agent --config {newcomer.file}" in joined.stdout
    assert (await newcomer.command("config", "check")).code == 0
    again = await newcomer.join(*await invited(first))
    assert (again.code, "is there already and is kept" in again.stderr) == (1, True), again

    async with EchoServer("shop-1", tmp_path, address="127.0.0.2") as server:
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await first.cluster.register(shop, node="node-2")
        await first.cluster.put("mesh/routes/shop", "shop.test/ -> shop")
        async with newcomer.joined as node:
            await first.serves("shop.test")
            assert "by mutual TLS on node-2" in (await command(first, "services")).stdout
            asked = await newcomer.command("leave")
            assert (asked.code, "say --yes" in asked.stderr) == (2, True), asked
            elsewhere = ("leave", "--yes", "--state-folder", str(tmp_path / "elsewhere"))
            wrong = await newcomer.command(*elsewhere)
            assert (wrong.code, "node-2's agent runs, but not in" in wrong.stderr) == (1, True)
            left = await newcomer.command("leave", "--yes")
            assert left.code == 0, left
            assert left.stdout.startswith("stopped: agent, proxy\n")
            assert "stays:" not in left.stdout, left
            assert not node.state_folder.exists()
            keys = await first.cluster.api("GET", "/v1/kv/meshnode/?keys")
            assert [key for key in keys if "node-2" in key and "answers" not in key] == []

            async def is_plain() -> bool:
                return "(node-2 has no node)" in (await command(first, "services")).stdout

            await wait_until(is_plain, 60)
    gone = await newcomer.command("leave", "--yes")
    assert (gone.code, "node-2 is no node of a mesh" in gone.stderr) == (1, True), gone


async def test_each_missing_thing_is_one_sentence(first: MeshNode, tmp_path: Path) -> None:
    newcomer = Newcomer(MeshNode(first.cluster, "node-2", tmp_path), tmp_path)
    words = await invited(first)

    pin = await newcomer.join(*words[:-1], OTHER_PIN)
    assert (pin.code, "and not the one you named" in pin.stdout) == (1, True), pin
    domain = await newcomer.join("--trust-domain", "other.consul", *words[2:])
    assert (domain.code, "not other.consul: is this the Consul you mean?" in domain.stdout) == (1, True)  # fmt: skip
    signer = await newcomer.join(*words, "--signer")
    assert (signer.code, "a copy of ca-key-encryption-key.json in the state folder of node-1" in signer.stdout) == (1, True)  # fmt: skip
    away = await newcomer.join(*words, "--consul", "127.0.0.1:1")
    assert (away.code, "Consul at 127.0.0.1:1 does not answer" in away.stdout) == (3, True), away
    taken = await newcomer.join(*words, "--mesh-address", f"{first.address}:{first.mesh_port}")
    assert (taken.code, "is taken by another program" in taken.stdout) == (1, True), taken
    both = await newcomer.join("--root-pin", OTHER_PIN, "--mesh-address", "192.0.2.1:7443")
    assert "and not the one you named" in both.stdout
    assert "this machine has no address 192.0.2.1:7443" in both.stdout
    document = json.loads((await newcomer.join("--json", "--root-pin", OTHER_PIN)).stdout)
    assert (document["is_well"], document["written"]) == (False, [])
    assert not newcomer.file.parent.exists()
    unseen = await newcomer.join()
    assert (unseen.code, "taken from Consul unseen" in unseen.stdout) == (0, True), unseen


async def test_a_signer_brings_the_key(first: MeshNode, tmp_path: Path) -> None:
    newcomer = Newcomer(MeshNode(first.cluster, "node-2", tmp_path), tmp_path)
    printed = (await command(first, "join", "--print", "--signer")).stdout
    kept = first.state_folder / "ca-key-encryption-key.json"
    secret = kept.read_text()
    assert str(kept) in printed
    assert re.search(r'"secret":"([^"]+)"', secret)[1] not in printed  # type: ignore[index]
    words = await invited(first, "--signer")
    assert words[-2:] == ["--key-encryption-key", "KEY-FILE"]

    other = tmp_path / "other.json"
    other.write_text(secret.replace('"secret":"', '"secret":"A'))
    damaged = await newcomer.join(*words[:-1], str(other))
    assert (damaged.code, "does not open the mesh's CA" in damaged.stdout) == (1, True), damaged
    missing = await newcomer.join(*words[:-1], str(tmp_path / "none.json"))
    assert (missing.code, "can not be read" in missing.stderr) == (2, True), missing
    assert not newcomer.file.exists()

    joined = await newcomer.join(*words[:-1], "-", stdin=secret)
    assert (joined.code, "opens the mesh's CA" in joined.stdout) == (0, True), joined
    copy = newcomer.node.state_folder / "ca-key-encryption-key.json"
    assert (copy.read_text(), copy.stat().st_mode & 0o777) == (secret, 0o600)
    # The first signer may go now, but not by accident.
    refused = await command(first, "leave", "--yes")
    assert refused.code == 0, refused
    assert "the CA of a mesh that has no node now" in refused.stdout


async def test_a_signer_does_not_leave_with_the_only_key(first: MeshNode, tmp_path: Path) -> None:
    async with MeshNode(first.cluster, "node-2", tmp_path):
        await until_status(first, lambda seen: seen["certificates"])
        await wait_until(lambda: _nodes(first, 2), 60)
        refused = await command(first, "leave", "--yes")
        assert (refused.code, "then say --forget-key" in refused.stderr) == (1, True), refused
        assert await first.is_ready()
        assert (await command(first, "leave", "--yes", "--forget-key")).code == 0
        assert not first.state_folder.exists()


async def _nodes(node: MeshNode, number: int) -> bool:
    found = await node.cluster.api("GET", "/v1/catalog/service/meshnode")
    return len(found) == number


async def test_with_acls_a_token_of_its_own(tmp_path: Path) -> None:
    """The least policy is enough to join and to leave; the token gets a file of its own and is never printed."""
    async with ConsulCluster(tmp_path / "consul", nodes=2, acl=True) as consul:
        policy = (await _policy(consul, "node-1", "--signer", "--edge")).stdout
        token = await consul.create_token("node-1", policy)
        async with MeshNode(consul, "node-1", tmp_path, token=token, is_edge=True) as first:
            await until_status(first, lambda seen: seen["trust_domain"] and seen["certificates"])
            printed = (await command(first, "join", "--print")).stdout
            assert token not in printed
            words = await invited(first)
            assert words[-2:] == ["--consul-token-file", "TOKEN-FILE"]

            own = await consul.create_token("node-2", (await _policy(consul, "node-2")).stdout)
            newcomer = Newcomer(MeshNode(consul, "node-2", tmp_path, token=""), tmp_path)
            none = await newcomer.join(*words[:-2])
            assert (none.code, "no token was given" in none.stdout) == (1, True), none
            wrong = await newcomer.join(*words[:-2], env={"CONSUL_HTTP_TOKEN": "no-such-token"})
            assert (wrong.code, "Consul does not know the token" in wrong.stdout) == (1, True)
            poor = await newcomer.join(*words[:-2], env={"CONSUL_HTTP_TOKEN": token})
            assert (poor.code, 'agent "node-2" { policy = "read" }' in poor.stdout) == (1, True), (
                poor
            )
            rules = (await _policy(consul, "node-2")).stdout.splitlines()
            less = "\n".join(line for line in rules if not line.startswith("session "))
            some = await consul.create_token("some", less)
            poorer = await newcomer.join(*words[:-2], env={"CONSUL_HTTP_TOKEN": some})
            assert (poorer.code, 'session "node-2" write' in poorer.stdout) == (1, True), poorer

            token_file = tmp_path / "token"
            token_file.write_text(own)
            token_file.chmod(0o600)
            joined = await newcomer.join(*words[:-1], str(token_file))
            assert (joined.code, own in joined.stdout) == (0, False), joined
            kept = newcomer.file.parent / "consul.token"
            assert (kept.read_text().strip(), kept.stat().st_mode & 0o777) == (own, 0o600)
            assert own not in newcomer.file.read_text()

            async with newcomer.joined as node:
                left = await newcomer.command("leave", "--yes")
                assert left.code == 0, left
                assert not node.state_folder.exists()
                assert await _nodes(first, 1)


async def _policy(consul: ConsulCluster, node: str, *words: str) -> Finished:
    environment = {**os.environ, **consul.environment()}
    return await run(MESHNODE, "acl", "policy", "--node", node, *words, env=environment)
