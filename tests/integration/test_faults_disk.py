"""The state folder full, read-only or damaged: the node serves on and says so, and starts with what it can use."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
import pytest_asyncio

from tests.integration.agents import status_of, until_status
from tests.integration.faults import SECRET, SHOP, Plan, World, is_fresh, is_stale, world
from tests.support import run, wait_until

pytestmark = [pytest.mark.consul, pytest.mark.asyncio(loop_scope="module")]

DISK = "2m"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """One node, whose state folder is a disk of its own. Needs root."""
    folder = tmp_path_factory.mktemp("world")
    disk = folder / "state-node-1"
    disk.mkdir(mode=0o700)
    await run("mount", "-t", "tmpfs", "-o", f"size={DISK},mode=700", "tmpfs", disk)
    try:
        async with world(folder, Plan(nodes=1)) as made:
            yield made
    finally:
        await run("umount", disk)


@pytest_asyncio.fixture(loop_scope="module")
async def mesh(running: World) -> World:
    await running.is_whole()
    return running


async def test_a_full_disk_stops_no_change(mesh: World) -> None:
    """The change is in force and shown as not saved; with room again it is saved by itself."""
    ballast = mesh.edge.state_folder / "ballast"
    async with mesh.load() as load:
        fill(ballast)
        await mesh.put("mesh/routes/full", "full.test/ -> shop")
        await mesh.edge.serves("full.test")
        status = await until_status(mesh.edge, lambda now: now["problems"])
        assert status["problems"][0]["key"] == "state folder"
        assert "No space left on device" in status["problems"][0]["message"]
        assert saved(mesh)["generation"] < status["generation"], "the old copy is whole"
        await load.at_least(50)
        ballast.unlink()
        now = await until_status(mesh.edge, lambda now: not now["problems"], 20)
        assert saved(mesh)["digest"] == now["digest"]
    await mesh.cluster.delete("mesh/routes/full")
    await mesh.edge.serves("full.test", status=404)


async def test_a_full_disk_keeps_no_agent_from_starting(mesh: World) -> None:
    ballast = mesh.edge.state_folder / "ballast"
    async with mesh.load() as load:
        fill(ballast)
        mesh.edge.agent.kill()
        await mesh.edge.start()
        await until_status(mesh.edge, is_fresh)
        await mesh.catches_up("an agent on a full disk")
        await load.at_least(50)
        ballast.unlink()


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "half": lambda whole: whole[: len(whole) // 2],
    "one byte other": lambda whole: whole.replace(b"shop.test", b"shop.tesu"),
    "no JSON": lambda _: os.urandom(2000),
    "newer": lambda whole: whole.replace(b'"schema":1', b'"schema":2'),
}


@pytest.mark.parametrize("name", DAMAGES)
async def test_a_damaged_copy_is_named_and_not_used(mesh: World, name: str) -> None:
    """With the proxy gone too: what serves then comes from Consul."""
    file = mesh.edge.state_folder / "snapshot.json"
    whole = await copy_in_force(mesh)
    damaged = DAMAGES[name](whole)
    assert damaged != whole
    mesh.edge.agent.kill()
    os.kill(await mesh.edge.proxy_pid(), signal.SIGKILL)
    file.write_bytes(damaged)
    logged = len(mesh.edge.agent.output())
    await mesh.edge.start()
    await mesh.edge.serves(SHOP)
    await mesh.edge.serves(SECRET, status=403)
    sentences = [
        line for line in mesh.edge.agent.output()[logged:].splitlines() if str(file) in line
    ]
    assert len(sentences) == 1, sentences


async def test_a_damaged_copy_and_no_consul_is_told(mesh: World) -> None:
    """Nothing can be served then: the node is not ready, says why, and serves once Consul is there."""
    file = mesh.edge.state_folder / "snapshot.json"
    mesh.edge.agent.kill()
    os.kill(await mesh.edge.proxy_pid(), signal.SIGKILL)
    file.write_bytes(b"{")
    mesh.cluster.server.kill()
    await mesh.edge.start(until_ready=False)

    async def says_why() -> bool:
        code, text = await mesh.edge.admin("/ready")
        return code == 503 and "no table is in force yet" in text

    await wait_until(says_why, what="/ready says why")
    assert is_stale(await status_of(mesh.edge))
    await mesh.cluster.restart()
    await mesh.edge.serves(SHOP)


def fill(ballast: Path) -> None:
    """Takes all that is left of the disk."""
    with ballast.open("wb", buffering=0) as opened:
        for size in (65536, 1):
            try:
                while True:
                    opened.write(b"x" * size)
            except OSError:
                continue


async def copy_in_force(mesh: World) -> bytes:
    """The copy of what the node serves now, once it is on the disk: the saver rests between two copies."""

    async def is_saved() -> bool:
        try:
            document = saved(mesh)
        except (OSError, ValueError):
            return False
        return bool(document["digest"] == (await status_of(mesh.edge))["digest"])

    await wait_until(is_saved, what="the copy of what is in force")
    return (mesh.edge.state_folder / "snapshot.json").read_bytes()


def saved(mesh: World) -> dict[str, object]:
    document = json.loads((mesh.edge.state_folder / "snapshot.json").read_bytes())
    return dict(document.get("snapshot", document))
