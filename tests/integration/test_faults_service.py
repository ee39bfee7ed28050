"""Services killed, flapping and gone: an answer with its code until Consul says so, then without them, then back."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.integration.agents import until_status
from tests.integration.faults import SHOP, World, figure, registered, world
from tests.support import EchoServer, KeepAliveLoad, wait_until

pytestmark = [pytest.mark.consul, pytest.mark.asyncio(loop_scope="module")]

CHECK_S = 30.0
"""The service's check runs every second."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def mesh(running: World) -> World:
    await running.is_whole()
    return running


async def test_a_killed_service_answers_by_code_leaves_and_comes_back(mesh: World) -> None:
    """502 connect_failed until its check fails, then 503 no_healthy_endpoint; the way back is as short as its check."""
    load = KeepAliveLoad(f"{mesh.edge.edge}/", host=SHOP, connections=2)
    async with load:
        await load.at_least(20)
        began = time.monotonic()
        mesh.shop.process.kill()
        code, headers, body = await wait_until(lambda: refused(mesh, 502), what="502")
        assert headers["mesh-reason"] == "connect_failed", (code, body)
        assert headers["mesh-trace"]
        code, headers, body = await wait_until(lambda: refused(mesh, 503), CHECK_S, what="503")
        figure(f"a killed service leaves after {time.monotonic() - began:.1f} s (its check: 1 s)")
        assert headers["mesh-reason"] == "no_healthy_endpoint"
        assert 'service "shop" has 1 instance' in body
        await mesh.shop.start()
        await mesh.edge.serves(SHOP)
        await load.at_least(20)
    assert set(load.result.statuses) <= {200, 502, 503}, load.result
    assert not load.result.errors, "an answer each time, and the connection goes on"


async def test_one_of_two_instances_goes_and_nobody_notices(mesh: World) -> None:
    """The other one is on another machine than the killed: a connection refused there is tried elsewhere."""
    second = EchoServer("shop-2", mesh.folder, address=mesh.edge.address)
    async with second:
        await mesh.cluster.register(registered(second, "shop"), node=mesh.edge.name)
        await wait_until(lambda: served_by(mesh, {"shop-1", "shop-2"}), what="both serve")
        async with mesh.load() as load:
            second.process.kill()
            await load.at_least(50)
            await wait_until(lambda: instances(mesh, 1), CHECK_S, what="Consul says so")
            await second.start()
            await wait_until(lambda: instances(mesh, 2), CHECK_S, what="it is back")
            await load.at_least(50)
        # Deregistered while requests run: those that run end, new ones go to the other.
        async with mesh.load() as load:
            await mesh.cluster.deregister("shop-2", node=mesh.edge.name)
            await wait_until(lambda: served_by(mesh, {"shop-1"}), what="it is gone")
            await load.at_least(50)


async def test_a_flapping_check_costs_no_request_of_the_other(mesh: World) -> None:
    """Ten flaps a second of one instance's check, for three seconds; both serve whenever they pass."""
    async with EchoServer("shop-2", mesh.folder, address=mesh.edge.address) as second:
        await mesh.cluster.register(
            {
                **registered(second, "shop"),
                "Check": {"TTL": "60s", "CheckID": "flap", "Status": "passing"},
            },
            node=mesh.edge.name,
        )
        await wait_until(lambda: served_by(mesh, {"shop-1", "shop-2"}), what="both serve")
        async with mesh.load() as load:
            for number in range(30):
                status = ("fail", "pass")[number % 2]
                await mesh.cluster.api("PUT", f"/v1/agent/check/{status}/flap")
                await asyncio.sleep(0.1)  # the rate of the flaps, no waiting for a result
            await load.at_least(50)
            await wait_until(lambda: served_by(mesh, {"shop-1", "shop-2"}), what="it passed last")
            await mesh.cluster.deregister("shop-2", node=mesh.edge.name)
            await wait_until(lambda: served_by(mesh, {"shop-1"}), what="it is gone")


async def test_a_service_that_is_deregistered_is_said_to_be_gone(mesh: World) -> None:
    await mesh.cluster.deregister("shop-1", node=mesh.home.name)
    try:
        # Its instances go by one watch and its name by another: for a moment it has none.
        await wait_until(lambda: refused_as(mesh, "no_such_service"), what="no_such_service")
        status = await until_status(mesh.edge, lambda now: now["problems"])
        assert 'no service is called "shop"' in status["problems"][0]["message"]
        assert status["problems"][0]["severity"] == "warning"
    finally:
        await mesh.cluster.register(registered(mesh.shop, "shop"), node=mesh.home.name)
    await mesh.edge.serves(SHOP)


async def refused(mesh: World, status: int) -> tuple[int, dict[str, str], str] | None:
    code, headers, body = await mesh.edge.request(SHOP)
    return (code, dict(headers), body) if code == status else None


async def refused_as(mesh: World, reason: str) -> bool:
    code, headers, _ = await mesh.edge.request(SHOP)
    return (code, headers.get("mesh-reason")) == (503, reason)


async def served_by(mesh: World, names: set[str]) -> bool:
    """Whether ten requests in a row are answered by just these."""
    seen = {(await mesh.edge.request(SHOP))[1].get("echo-instance") for _ in range(10)}
    return seen == names


async def instances(mesh: World, usable: int) -> bool:
    cluster = (await mesh.edge.proxy("/v1/snapshot"))["resources"]["clusters"]["shop"]
    return len(cluster["endpoints"]) == usable and cluster["instances"] == 2
