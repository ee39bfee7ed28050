"""Instances that are to get nothing, on a real Consul: drained, of no weight, with a warning, in maintenance."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode, get

pytestmark = pytest.mark.consul

HOST = "shop.test"
LONG_MS = 10_000
"""A request that runs while its instance is drained."""


@dataclass(frozen=True, slots=True)
class Shop:
    """shop-1 on node-1 and shop-2 on node-2; the edge is node-1."""

    consul: ConsulCluster
    edge: MeshNode
    other: MeshNode
    servers: dict[str, EchoServer]

    async def register(self, name: str, **more: Any) -> None:
        server = self.servers[name]
        service = {"Name": "shop", "ID": name, "Port": server.port, "Address": server.address}
        await self.consul.register(service | more, node=f"node-{name[-1]}")

    async def answering(self) -> set[str]:
        """Who answers eight requests in a row."""
        told = [await get(f"{self.edge.edge}/", host=HOST) for _ in range(8)]
        return {
            json.loads(body)["instance"] if status == 200 else str(status)
            for status, _, body in told
        }

    async def answers_by(self, *instances: str) -> None:
        async def is_so() -> bool:
            return await self.answering() == set(instances)

        await wait_until(is_so, 60, what=f"{instances} answer, and no other")

    async def until_running(self, count: int) -> None:
        """So many requests through the edge have reached an instance."""

        async def is_so() -> bool:
            upstreams = (await self.edge.proxy("/v1/stats"))["upstreams"]
            return bool(sum(one["running"] for one in upstreams) == count)

        await wait_until(is_so, 60, what=f"{count} requests run")

    async def until_no_endpoint(self, instance: str) -> None:
        """Every node takes it for dead."""

        async def is_so() -> bool:
            tables = [await node.proxy("/v1/snapshot") for node in (self.edge, self.other)]
            clusters = [table["resources"]["clusters"].get("shop") or {} for table in tables]
            named = [one["id"] for cluster in clusters for one in cluster.get("endpoints", ())]
            return instance not in named

        await wait_until(is_so, 60, what=f"{instance} is no endpoint")

    async def drains(self) -> list[dict[str, Any]]:
        told = await self.edge.cli("status", "--json", check=False)
        return list(json.loads(told.stdout)["drains"])

    async def until_drain(self, **wanted: Any) -> dict[str, Any]:
        async def found() -> dict[str, Any] | None:
            drains = await self.drains()
            is_so = bool(drains) and all(drains[0][name] == value for name, value in wanted.items())
            return drains[0] if is_so else None

        return await wait_until(found, 60, what=f"the drain is {wanted}") or {}


@asynccontextmanager
async def shop(folder: Path) -> AsyncIterator[Shop]:
    async with (
        ConsulCluster(folder / "consul", nodes=2) as consul,
        EchoServer("shop-1", folder, address="127.0.0.1") as one,
        EchoServer("shop-2", folder, address="127.0.0.2") as two,
        MeshNode(consul, "node-1", folder, is_edge=True) as edge,
        MeshNode(consul, "node-2", folder) as other,
    ):
        made = Shop(consul, edge, other, {"shop-1": one, "shop-2": two})
        await made.register("shop-1")
        await made.register("shop-2")
        await consul.put("mesh/routes/shop", f"{HOST}/ -> shop")
        await made.answers_by("shop-1", "shop-2")
        yield made


async def test_a_drained_instance_ends_what_it_has_and_is_then_safe_to_stop(
    tmp_path: Path,
) -> None:
    async with shop(tmp_path) as mesh:
        await mesh.consul.put("mesh/drain/first", "shop-1 on node-1")
        await mesh.answers_by("shop-2")
        await mesh.consul.delete("mesh/drain/first")
        await mesh.answers_by("shop-1", "shop-2")
        url = f"{mesh.edge.edge}/?delay_ms={LONG_MS}"
        long = [asyncio.create_task(get(url, host=HOST)) for _ in range(4)]
        await mesh.until_running(4)
        await mesh.consul.put("mesh/drain/update", "shop-2 on node-2 for 1m")
        await mesh.answers_by("shop-1")
        running = await mesh.until_drain(is_safe_to_stop=False, running=2)
        assert running["instances"] == [
            {"service": "shop", "instance": "shop-2", "node": "node-2", "running": 2}
        ]
        told = (await mesh.edge.cli("status", check=False)).stdout
        assert (
            "mesh/drain/update: shop-2 on node-2 gets no new request, 2 requests still run" in told
        )
        # One that is taken for dead besides is no endpoint any more; what runs there still counts.
        maintenance = ("maint", "-service=shop-2", "-reason=update")
        await mesh.consul.cli(*maintenance, "-enable", node="node-2")
        await mesh.until_no_endpoint("shop-2")
        await mesh.until_drain(is_safe_to_stop=False, running=2)
        assert [status for status, _, _ in await asyncio.gather(*long)] == [200] * 4
        await mesh.until_drain(is_safe_to_stop=True, running=0)
        told = (await mesh.edge.cli("status", check=False)).stdout
        assert "gets no request and has none left: safe to stop" in told
        await mesh.consul.cli("maint", "-service=shop-2", "-disable", node="node-2")
        await mesh.consul.delete("mesh/drain/update")
        await mesh.answers_by("shop-1", "shop-2")
        long = [asyncio.create_task(get(url, host=HOST)) for _ in range(4)]
        await mesh.until_running(4)
        drained = await mesh.edge.cli("drain", "shop-2", "--on", "node-2", "--timeout", "60s")
        assert sum(task.done() for task in long) >= 2, "it waited for those that ran there"
        assert drained.stdout.splitlines()[-2:] == [
            "mesh/drain/shop-2: shop-2 on node-2 gets no request and has none left: safe to stop",
            "to let requests in again: meshnode kv delete mesh/drain/shop-2",
        ]
        services = (await mesh.edge.cli("services")).stdout
        assert "2 of 2, 1 of them draining" in services
        unknown = await mesh.edge.cli("drain", "shop-9", "--timeout", "30s", check=False)
        assert unknown.code == 3
        assert "no node knows an instance shop-9" in unknown.stdout
        wrong = await mesh.edge.cli("drain", "shop-2", "--name", "a b", check=False)
        assert (wrong.code, "did you mean" in wrong.stderr) == (2, True)
        # Every instance drains: nothing is left to answer, and that is said.
        await mesh.consul.put("mesh/drain/all", "shop-1")
        await mesh.answers_by("503")


async def test_weights_warnings_and_maintenance_count(tmp_path: Path) -> None:
    async with shop(tmp_path) as mesh:
        check = {"CheckID": "own", "Name": "own", "TTL": "1h", "Status": "warning"}
        # A passing weight of 0 is none to Consul ("must be greater than 0"), a warning one is.
        await mesh.register("shop-1", Weights={"Passing": 1, "Warning": 0}, Check=check)
        await mesh.answers_by("shop-2")
        await mesh.register("shop-1", Weights={"Passing": 1, "Warning": 2}, Check=check)
        await mesh.answers_by("shop-1", "shop-2")
        await mesh.consul.put("mesh/services/shop", "warning: out")
        await mesh.answers_by("shop-2")
        await mesh.consul.delete("mesh/services/shop")
        await mesh.consul.api("PUT", "/v1/agent/check/pass/own")
        await mesh.register("shop-1", Weights={"Passing": 200, "Warning": 1})
        await mesh.answers_by("shop-1")
        await mesh.register("shop-1")
        await mesh.answers_by("shop-1", "shop-2")
        await mesh.consul.cli("maint", "-enable", "-service=shop-2", "-reason=away", node="node-2")
        await mesh.answers_by("shop-1")
        await mesh.consul.cli("maint", "-disable", "-service=shop-2", node="node-2")
        await mesh.answers_by("shop-1", "shop-2")
        await mesh.consul.cli("maint", "-enable", "-reason=away", node="node-1")
        await mesh.answers_by("shop-2")
        await mesh.consul.cli("maint", "-disable", node="node-1")
        await mesh.answers_by("shop-1", "shop-2")
