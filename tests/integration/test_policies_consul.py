"""Policies on a real mesh: a service's and the mesh's times reach requests, with a route and without, and outlive the agent."""

from __future__ import annotations

import asyncio
import json
import socket
from pathlib import Path

import aiohttp
import pytest

from tests.integration.agents import until_status
from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode, get
from tests.support.ports import free_port

pytestmark = pytest.mark.consul

HOST = "shop.test"
SLOW = "/?delay_ms=1500"


async def test_a_service_s_policy_reaches_routes_and_calls(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        EchoServer("shop-1", tmp_path) as server,
        MeshNode(consul, "node-1", tmp_path, is_edge=True, settings={"CALLERS": "port"}) as node,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop)
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop")
        await node.serves(HOST)
        outbound = f"http://{await node.outbound('shop')}"

        async def slow() -> tuple[int, int]:
            """What a slow request gets at the edge by the route, and a slow call without one."""
            called = await get(outbound + SLOW, host="shop.mesh")
            return (await node.request(HOST, SLOW))[0], called[0]

        async def until_slow(*wanted: int) -> None:
            async def is_so() -> bool:
                return await slow() == wanted

            await wait_until(is_so, 60, what=f"slow requests get {wanted}")

        await until_slow(200, 200)
        told = await node.cli("kv", "put", "mesh/settings", "timeout: 300ms")
        assert "accepted by 1 of 1 node" in told.stdout
        await until_slow(504, 504)
        await node.cli("kv", "put", "mesh/services/shop", "timeout: 20s")
        await until_slow(200, 200)
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop timeout=300ms")
        await until_slow(504, 200)
        shown = json.loads((await node.cli("routes", "show", "shop", "--origin", "--json")).stdout)
        (timeout,) = [one for one in shown["fields"] if one["field"] == "timeout"]
        assert (timeout["value"], timeout["from"]["key"]) == ("300ms", "mesh/routes/shop")

        # A bad policy is refused with its place, and its last good form goes on, over a restart too.
        refused = await node.cli("kv", "put", "mesh/services/shop", "tiemout: 3s", check=False)
        assert refused.code == 1
        assert 'did you mean "timeout"' in refused.stdout
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop")
        await until_slow(200, 200)
        node.agent.kill()
        await node.start()
        await until_status(node, lambda now: now["is_complete"] and now["problems"])
        await until_slow(200, 200)
        assert (await node.request(HOST))[0] == 200

        await consul.put("mesh/settings", "limits: {head_bytes: 2048}")
        headers = {"x-long": "a" * 4096}
        await wait_until(lambda: _is(431, node, headers), 60, what="a head of 4 KiB is refused")


async def test_a_port_of_a_destination_reaches_it_whatever_host_is_named(tmp_path: Path) -> None:
    """As a program calls that knows an address and a port alone: routes, intentions and the proof of callers hold."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        EchoServer("web-1", tmp_path) as web,
        EchoServer("stock-1", tmp_path, address=consul["node-2"].address) as stock,
        MeshNode(consul, "node-1", tmp_path) as node,
        MeshNode(consul, "node-2", tmp_path),
    ):
        for at, (name, server) in enumerate((("web", web), ("stock", stock)), start=1):
            mine = {"Name": name, "ID": f"{name}-1", "Port": server.port, "Address": server.address}
            await consul.register(mine, node=f"node-{at}")
        port = free_port(node.address)
        told = await node.cli("kv", "put", "mesh/upstreams/web", f"destinations: {{stock: {port}}}")
        assert "accepted by 2 of 2 nodes" in told.stdout
        address = await node.outbound("web:stock")
        assert address.endswith(f":{port}")

        async def called(path: str = "/", host: str = "anything.example") -> tuple[int, str]:
            status, headers, _ = await get(f"http://{address}{path}", host=host)
            return status, headers.get("mesh-reason", "")

        async def until(wanted: tuple[int, str], path: str = "/") -> None:
            async def is_so() -> bool:
                return await called(path) == wanted

            await wait_until(is_so, 60, what=f"a call to {path} gets {wanted}")

        await until((200, ""))
        status, _, body = await get(f"http://{address}/x", host="127.0.0.1")
        sent = {name.lower(): value for name, value in json.loads(body)["headers"]}
        assert (status, sent["host"]) == (200, "stock.mesh")

        await consul.put("mesh/routes/gone", "stock.mesh/gone -> answer 410 gone")
        await until((410, ""), "/gone")
        await node.cli("intentions", "deny", "web", "stock")
        await until((403, "intention_denied"))
        await node.cli("intentions", "allow", "web", "stock")
        await until((200, ""))

        shown = (await node.cli("services")).stdout
        assert f"stock at {address} on node-1" in shown
        explained = await node.cli("explain", "--as", "web", f"http://{address}/")
        assert "(web:stock)" in explained.stdout
        assert "stock.mesh" in explained.stdout

        # The same port for connections as they are: what became of one is told by its trace.
        await consul.put("mesh/services/stock", "protocol: tcp")

        async def is_told() -> bool:
            await called()
            said = (await node.cli("explain", "last")).stdout
            wanted = (
                "tcp stock   as web",
                "listener   web:stock on node-1",
                "instance   stock-1 of stock on node-2",
                "intention  web => stock   allow (intention web => stock)",
                "ended      who opened it closed it",
                "today:",
                "connection goes to stock",
            )
            return all(line in said for line in wanted)

        await wait_until(is_told, 60, what="what became of a connection")

        # The edge's, the mesh's and a service's own port are taken, and so is what another program has.
        clash = f"destinations: {{stock: {port}, web: {web.port}}}"
        told = await node.cli("kv", "put", "mesh/upstreams/web", clash)
        assert "web can not call web at port" in told.stdout
        assert (await called())[0] == 200
        with socket.create_server((node.address, 0)) as other:
            clash = f"destinations: {{stock: {other.getsockname()[1]}}}"
            await consul.put("mesh/upstreams/web", clash)
            await until_status(
                node,
                lambda now: any(one["key"] == "listener web:stock" for one in now["problems"]),
            )


async def test_limits_of_a_service_hold_at_the_edge_and_at_its_own_node(tmp_path: Path) -> None:
    """Two nodes: what is over is refused with its reason by the one that counts it, and explained."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        EchoServer("shop-1", tmp_path, address=consul["node-2"].address) as server,
        MeshNode(consul, "node-1", tmp_path, is_edge=True) as node,
        MeshNode(consul, "node-2", tmp_path) as other,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop, node="node-2")
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop")
        await node.serves(HOST)
        edge = f"http://{node.address}:{node.edge_port}/"

        async def posted(length: int) -> tuple[int, str]:
            async with (
                aiohttp.ClientSession() as session,
                session.post(edge, data=b"x" * length, headers={"host": HOST}) as response,
            ):
                return response.status, response.headers.get("mesh-reason", "")

        limits = "limits: {body_bytes: 1000, concurrent: 1}"
        told = await node.cli("kv", "put", "mesh/services/shop", limits)
        assert "accepted by 2 of 2 nodes" in told.stdout
        assert await posted(1000) == (200, "")
        assert await posted(1001) == (413, "body_too_large")
        for one in (node, other):
            services = (await one.proxy("/v1/snapshot"))["resources"]
            held = services["services" if one is other else "clusters"]["shop"]
            assert held["limits"] == {"concurrent": 1}

        # One that is under way keeps the others out, until it ends.
        slow = "/?delay_ms=3000"
        (served, *_), (refused, headers, _) = sorted(
            await asyncio.gather(node.request(HOST, slow), node.request(HOST, slow)),
            key=lambda answer: answer[0],
        )
        assert (served, refused) == (200, 503)
        assert (headers["mesh-reason"], headers["Retry-After"]) == ("concurrency_limited", "1")
        explained = (await node.cli("explain", f"http://{HOST}/")).stdout
        assert 'service "shop" takes 1 request at one time, counted on node-1' in explained

        rate = "limits: {requests_per_second: 1, burst: 1, per: client}"
        await node.cli("kv", "put", "mesh/services/shop", rate)

        async def limited() -> bool:
            status, headers, _ = await node.request(HOST)
            return (status, headers.get("mesh-reason")) == (429, "rate_limited")

        await wait_until(limited, 60, what="one client asks too often")


EVERYTHING = {
    "mesh/settings": """
timeout: 60m
timeout_head: 1ms
timeout_idle: 30s
retries: {attempts: 10, on: [connect, reset, timeout, 5xx, 404], per_try_timeout: 1s,
          backoff: {base: 1ms, max: 60m}, budget: {percent: 1000, per_second: 100000}, non_idempotent: true}
request_headers: {remove: [x-a], set: {x-b: b}, add: {x-c: [c, d]}}
response_headers: {remove: [server], set: {x-b: b}, add: {x-c: [c, d]}}
trusted_clients: [10.0.0.0/8, 192.168.1.7, "::1", "fd00::/8"]
strict_paths: true
limits: {head_bytes: 65536, headers: 256, head_timeout: 60m, idle_timeout: 1ms, body_idle_timeout: 60m,
         tunnel_idle_timeout: 60m,
         connect_timeout: 60m, detect_timeout: 10s, connections: 1000000, pool_idle_per_endpoint: 0, pool_idle_timeout: 1ms,
         body_bytes: 1099511627776}
""",
    "mesh/services/shop": """
{"protocol": "http", "balance": "weighted_round_robin", "health": "consul", "mtls": "permissive", "warning": "out",
 "limits": {"body_bytes": 1000000, "requests_per_second": 1000000, "burst": 1000000, "concurrent": 1000000, "per": "caller"},
 "timeout": "10s", "timeout_head": "5s", "timeout_idle": "5s", "retries": 0,
 "request_headers": {"set": {"x-b": "shop"}}, "response_headers": {"set": {"x-b": "shop"}}}
""",
    "mesh/upstreams/shop": "{port: 15999, destinations: {shop: 15998}}",
    "mesh/drain/other": "instance: nobody\nnode: node-9\nservice: shop\nfor: 60m",
}


async def test_a_proxy_takes_every_field_there_is(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        EchoServer("shop-1", tmp_path) as server,
        MeshNode(consul, "node-1", tmp_path, is_edge=True, settings={"CALLERS": "port"}) as node,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop)
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop")
        for key, value in EVERYTHING.items():
            told = await node.cli("kv", "put", key, value, check=False)
            assert "accepted by 1 of 1 node" in told.stdout, told
        await node.serves(HOST)
        _, headers, body = await node.request(HOST, headers={"x-a": "mine"})
        assert headers["x-b"] == "shop"
        sent = [tuple(one) for one in json.loads(body)["headers"]]
        told_names = {name.lower() for name, _ in sent}
        assert "x-a" not in told_names
        assert [value for name, value in sent if name.lower() == "x-b"] == ["shop"]
        assert [value for name, value in sent if name.lower() == "x-c"] == ["c", "d"]
        assert (await node.outbound("shop")).endswith(":15999")
        assert (await node.outbound("shop:shop")).endswith(":15998")
        status = await until_status(node, lambda now: now["is_ready"])
        # Nobody is there to be drained.
        assert [one["key"] for one in status["problems"]] == ["mesh/drain/other"]


async def _is(status: int, node: MeshNode, headers: dict[str, str]) -> bool:
    return (await node.request(HOST, headers=headers))[0] == status
