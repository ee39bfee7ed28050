"""The agent and its proxy over their lives: started, killed, adopted, restarted without Consul, stopped."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.integration.agents import (
    MESHNODE,
    answers,
    command,
    pid_of,
    settled_status,
    status_of,
    until_status,
)
from tests.support import ConsulCluster, EchoServer, KeepAliveLoad, free_port, run, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
async def consul(tmp_path: Path) -> AsyncIterator[ConsulCluster]:
    """One agent, a service shop and a route to it."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as cluster,
        EchoServer("shop-1", tmp_path) as server,
    ):
        await cluster.register(
            {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": "127.0.0.1"}
        )
        await cluster.put("mesh/routes/shop", "shop.test/ -> shop")
        yield cluster


def edge_node(
    consul: ConsulCluster, folder: Path, settings: Mapping[str, str] | None = None
) -> MeshNode:
    folder.mkdir(exist_ok=True)
    return MeshNode(consul, "node-1", folder, is_edge=True, settings=settings)


def is_running(pid: int) -> bool:
    """A dead one that nobody waited for yet is not."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] not in ("Z", "X")


async def test_a_request_goes_through_the_edge(consul: ConsulCluster, tmp_path: Path) -> None:
    async with edge_node(consul, tmp_path) as node:
        await node.serves("shop.test")
        seen = await until_status(node, lambda status: len(status["certificates"]) == 2)
        assert seen["certificates"].keys() == {"edge", "shop"}
        assert seen["outbound"].keys() == {"shop"}
        assert (seen["stale_since"], seen["problems"]) == (None, [])
        code, text = await node.admin("/metrics")
        assert (code, "meshnode" in text) == (200, True)
        assert (await node.admin("/live"))[0] == 200
        assert '"routes"' in (await node.admin("/snapshot"))[1]
        assert "private" not in (await node.admin("/snapshot"))[1].lower()


async def test_no_request_fails_while_agents_come_and_go(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    """SIGTERM and SIGKILL of the agent: traffic goes on, the next agent adopts the proxy and sends it nothing."""
    async with edge_node(consul, tmp_path) as node:
        await node.serves("shop.test")
        before = await settled_status(node)
        async with KeepAliveLoad(f"{node.edge}/", host="shop.test") as load:
            assert await node.agent.terminate() == 0
            await load.at_least(100)
            await node.start()
            adopted = await until_status(node, lambda status: status["is_complete"])
            node.agent.kill()
            await load.at_least(100)
            await node.start()
            again = await until_status(node, lambda status: status["is_complete"])
        assert load.result.failed == 0, load.result
        assert set(load.result.statuses) == {200}
        for status in (adopted, again):
            assert pid_of(status) == pid_of(before)
            assert status["proxy"]["is_adopted"]
            assert status["generation"] == before["generation"]
        await consul.put("mesh/routes/shop", "next.test/ -> shop")
        await node.serves("next.test")


async def test_a_killed_proxy_is_back_at_the_same_generation(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    async with edge_node(consul, tmp_path) as node:
        await node.serves("shop.test")
        before = await until_status(node, lambda status: len(status["certificates"]) == 2)
        for _ in range(3):
            pid = await node.proxy_pid()
            began = time.monotonic()
            os.kill(pid, signal.SIGKILL)
            await wait_until(lambda: answers(node, "shop.test"), 30)
            took_s = time.monotonic() - began
            print(f"back after {took_s * 1000:.0f} ms (wanted: 1 s)")  # noqa: T201
            after = await until_status(node, partial(is_ready_with_another, pid))
            assert after["generation"] == before["generation"]
            assert after["certificates"] == before["certificates"]
        assert after["proxy"]["restarts"] == 3


async def test_a_killed_adopted_proxy_is_started_anew(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    async with edge_node(consul, tmp_path) as node:
        node.agent.kill()
        await node.start()
        os.kill(await node.proxy_pid(), signal.SIGKILL)
        await node.serves("shop.test")
        await until_status(node, lambda now: now["proxy"] and not now["proxy"]["is_adopted"])


async def test_a_start_without_consul_serves_what_was_in_force(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    async with edge_node(consul, tmp_path) as node:
        await node.serves("shop.test")
        before = await until_status(
            node, lambda status: len(status["certificates"]) == 2 and status["is_complete"]
        )
        file = node.state_folder / "snapshot.json"
        await wait_until(lambda: json.loads(file.read_bytes())["digest"] == before["digest"])
        node.close()
        consul.server.kill()
        await node.start()
        await node.serves("shop.test")
        status = await status_of(node)
        assert status["certificates"] == before["certificates"]
        assert status["digest"] == before["digest"]
        assert status["stale_since"] is not None
        await consul.restart()
        await until_status(
            node, lambda seen: seen["is_complete"] and seen["stale_since"] is None, 20
        )
        assert (await status_of(node))["digest"] == before["digest"]


async def test_stop_ends_both_and_the_node_stays_registered(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    async with edge_node(consul, tmp_path) as node:
        pid = await node.proxy_pid()
        await wait_until(lambda: has_services(consul, {"consul", "edge", "meshnode", "shop"}))
        stopped = await command(node, "stop")
        assert stopped.stdout == "stopped: agent, proxy\n", stopped
        assert await node.agent.wait() == 0
        assert not is_running(pid)
        assert await has_services(consul, {"consul", "edge", "meshnode", "shop"})
        assert "nothing runs in" in (await command(node, "stop")).stdout


async def test_an_agent_may_take_its_proxy_with_it(consul: ConsulCluster, tmp_path: Path) -> None:
    async with edge_node(consul, tmp_path, {"PROXY_STOP_WITH_AGENT": "true"}) as node:
        pid = await node.proxy_pid()
        assert await node.agent.terminate() == 0
        assert not is_running(pid)


async def test_a_second_agent_in_one_folder_is_refused(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    async with edge_node(consul, tmp_path) as node:
        second = await command(node, "agent")
        assert second.code == 1
        assert "one machine runs one agent" in second.stderr


@pytest.mark.parametrize("name", ["edge", "mesh", "admin"])
async def test_a_taken_port_is_one_sentence(
    consul: ConsulCluster, tmp_path: Path, name: str
) -> None:
    async with edge_node(consul, tmp_path / "first") as first:
        taken = first.environment[f"MESHNODE_{name.upper()}_ADDRESS"]
        second = edge_node(consul, tmp_path / "second", {f"{name.upper()}_ADDRESS": taken})
        refused = await command(second, "agent")
        assert refused.code == 1
        assert f"{taken} is taken by another program" in refused.stderr
        assert f"set {name}.address" in refused.stderr
        assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr


async def test_a_missing_proxy_is_one_sentence(consul: ConsulCluster, tmp_path: Path) -> None:
    node = edge_node(consul, tmp_path, {"PROXY_BINARY": str(tmp_path / "none")})
    refused = await command(node, "agent")
    assert (refused.code, "proxy.binary" in refused.stderr) == (1, True)
    assert len(refused.stderr.strip().splitlines()) == 1, refused.stderr


async def test_commands_that_reach_nothing_end_with_3() -> None:
    env = {"CONSUL_HTTP_ADDR": f"127.0.0.1:{free_port()}"}
    for words in ("status", "kv ls", "routes", "services", "intentions ls"):
        away = await run(MESHNODE, *words.split(), env=env, check=False)
        assert away.code == 3, (words, away)
        assert "does not answer" in away.stderr


async def test_another_packages_catalog_is_named(tmp_path: Path) -> None:
    (tmp_path / "catalog").mkdir()
    (tmp_path / "catalog" / "__init__.py").write_text("raise SystemExit(99)\n")
    code = (
        "import sys\n"
        "sys.path.insert(0, sys.argv.pop(1)); sys.path.append(sys.argv.pop(1))\n"
        "from meshnode.cli import main; main()"
    )
    refused = await run(
        sys.executable, "-c", code, tmp_path, ROOT, "status", check=False, cwd=tmp_path
    )
    assert refused.code == 1
    assert f'another package called "catalog" is in the way ({tmp_path}' in refused.stderr


def is_ready_with_another(pid: int, status: dict[str, Any]) -> bool:
    return bool(status["is_ready"]) and pid_of(status) != pid


async def has_services(consul: ConsulCluster, names: set[str]) -> bool:
    return set(await consul.api("GET", "/v1/catalog/services")) == names
