"""Route tests as a gate on a real mesh: a change that breaks one is refused by all nodes, and by one that comes later."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode

from .agents import command, status_of

pytestmark = pytest.mark.consul

CART, WEB, TEST = "mesh/routes/cart", "mesh/routes/web", "mesh/tests/shop"
OLD = "mesh/routes/old"


async def in_force(node: MeshNode) -> dict[str, int]:
    """Name of each route in the proxy → its index."""
    routes = (await node.proxy("/v1/snapshot"))["resources"]["routes"]
    return {name: route["index"] for name, route in routes.items()}


async def test_a_change_that_breaks_a_test_is_refused_everywhere(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=3) as consul,
        EchoServer("cart-1", tmp_path, address="127.0.0.2") as cart,
        EchoServer("web-1", tmp_path, address="127.0.0.3") as web,
        MeshNode(consul, "node-1", tmp_path, is_edge=True) as first,
        MeshNode(consul, "node-2", tmp_path) as second,
    ):
        for name, server in (("cart", cart), ("web", web)):
            await consul.register(
                {"Name": name, "ID": f"{name}-1", "Port": server.port, "Address": server.address},
                node="node-3",
            )
        puts = {
            WEB: "shop.test/ -> web",
            CART: "shop.test/cart -> cart",
            OLD: "shop.test/old -> redirect 301 https://new.test/",
            TEST: "GET shop.test/cart/7 -> cart\n/ -> web\n/old -> redirect 301 https://new.test/\n"
            "as web POST cart.mesh/ -> cart\nshop.test/any header.x=1 client=10.0.0.9 -> web",
        }
        for key, value in puts.items():
            told = await command(first, "kv", "put", "--wait", key, value)
            assert (told.code, "accepted by 2 of 2" in told.stdout) == (0, True), told
        good = (await in_force(first))["cart"]

        refused = await command(first, "kv", "put", "--wait", CART, "shop.test/cart -> web")
        assert refused.code == 1
        assert "refused by 2 of 2 nodes" in refused.stdout
        assert (
            f"{TEST} line 1 would break: GET shop.test/cart/7 -> cart is expected, "
            f"but it goes to web by {CART}" in " ".join(refused.stdout.split())
        )
        assert str(good) in refused.stdout
        for node in (first, second):
            assert (await in_force(node))["cart"] == good

        # A node without a past decides as those that saw it all, and serves what history has.
        bad = next(one for one in (await status_of(first))["problems"] if one["key"] == CART)[
            "index"
        ]
        await consul.put(OLD, "shop.test/old =>")
        async with MeshNode(consul, "node-3", tmp_path) as third:

            async def is_alike() -> bool:
                return await in_force(third) == await in_force(first)

            await wait_until(is_alike, 60, what="the new node has the same routes")
            problems = {one["key"]: one for one in (await status_of(third))["problems"]}
            assert (problems[CART]["index"], problems[CART]["serving_index"]) == (bad, good)
            assert problems[OLD]["serving_index"] == (await in_force(first))["old"]

            accepted = await command(first, "kv", "delete", "--wait", TEST)
            assert accepted.code == 0, accepted

            async def is_in_force() -> bool:
                return all([(await in_force(one))["cart"] == bad for one in (first, second, third)])

            await wait_until(is_in_force, 60, what="nothing is tested any more")
