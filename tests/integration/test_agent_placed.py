"""A node where an admin puts it: behind an address that is translated, and run by a user of its own."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Self

import pytest

from tests.integration.agents import MESHNODE, command, until_status
from tests.support import ConsulCluster, EchoServer, free_port, wait_until
from tests.support.mesh import MeshNode
from tests.support.process import Process

pytestmark = pytest.mark.consul

# nobody's: no account of the machine is needed for it.
OTHER_UID = 65534


class Translation:
    """What a NAT does for one port: passes each connection on, and counts them."""

    def __init__(self, address: str, port: int, inside: tuple[str, int]) -> None:
        self._address, self._port = address, port
        self._inside = inside
        self.connections = 0

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._pass_on, self._address, self._port)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        inner_reader, inner_writer = await asyncio.open_connection(*self._inside)
        with contextlib.suppress(ConnectionError):
            await asyncio.gather(_copy(reader, inner_writer), _copy(inner_reader, writer))


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(65_536):
        writer.write(data)
        await writer.drain()
    writer.close()


async def test_a_node_behind_a_nat_is_dialled_where_it_says(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        EchoServer("shop-1", tmp_path, address="127.0.0.2") as server,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop, node="node-2")
        await consul.put("mesh/routes/shop", "shop.test/ -> shop")
        outside = free_port("127.0.0.9")
        advertised = {"MESH_ADVERTISE": f"127.0.0.9:{outside}"}
        second = MeshNode(consul, "node-2", tmp_path, settings=advertised)
        inside = (second.address, second.mesh_port)
        async with (
            Translation("127.0.0.9", outside, inside) as nat,
            MeshNode(consul, "node-1", tmp_path, is_edge=True) as first,
            second,
        ):

            async def is_dialled() -> bool:
                # Until node-2 is in the mesh its service is reached in clear.
                await first.serves("shop.test")
                return nat.connections > 0

            await wait_until(is_dialled, 60, what="node-1 dials where node-2 says it is")
            said = (await command(first, "services")).stdout
            assert "by mutual TLS on node-2" in said
            (registered,) = [
                one
                for one in await consul.api("GET", "/v1/catalog/service/meshnode")
                if one["Node"] == "node-2"
            ]
            assert (registered["ServiceAddress"], registered["ServicePort"]) == (
                "127.0.0.9",
                outside,
            )
            assert f"forward TCP {outside} there to TCP {second.mesh_port}" in second.agent.output()


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder another user may enter; pytest's own is closed to all others."""
    path = Path(tempfile.mkdtemp(prefix="meshnode-"))
    path.chmod(0o755)
    yield path
    shutil.rmtree(path)


@pytest.fixture
async def users_node(folder: Path, tmp_path: Path) -> AsyncIterator[MeshNode]:
    """A node whose agent and proxy run as another user, as the unit of systemd has it."""
    async with ConsulCluster(tmp_path / "consul", nodes=1) as consul:
        node = MeshNode(consul, "node-1", folder, is_edge=True)
        node.state_folder.mkdir()
        os.chown(node.state_folder, OTHER_UID, OTHER_UID)
        words = [str(MESHNODE), "agent"]
        node.agent = Process("agent", words, folder=folder, env=node.environment, uid=OTHER_UID)
        async with node:
            yield node


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may start a program as another user")
async def test_root_speaks_for_the_user_a_node_runs_as(users_node: MeshNode) -> None:
    node = users_node
    await until_status(node, lambda seen: seen["trust_domain"] and seen["certificates"])
    printed = await command(node, "join", "--print", "--signer")
    assert (printed.code, "meshnode join --trust-domain" in printed.stdout) == (0, True), printed
    stopped = await command(node, "stop")
    # Drained, and not killed because a stranger asked.
    assert (stopped.stdout, stopped.stderr) == ("stopped: agent, proxy\n", ""), stopped
    left = await command(node, "leave", "--yes")
    assert (left.code, node.state_folder.exists()) == (0, False), left
