"""The nodes of a registry that is opened again, by who owns it."""

from pathlib import Path

from catalog import ConsulClient
from catalog.embedded import Registry


async def test_nodes_that_are_kept_no_more_leave_with_their_services(tmp_path: Path) -> None:
    async with Registry(tmp_path / "registry.db") as registry:
        for name in ("node-1", "node-2"):
            await registry.add_node(name, "127.0.0.1")
            port = await registry.listen("127.0.0.1", 0, name)
            async with ConsulClient(f"127.0.0.1:{port}") as client:
                await client.register_service({"Name": "cart", "ID": f"cart-{name}", "Port": 9001})
                await client.kv_put("mesh/routes/shop", b"shop.test/ -> cart")
    async with Registry(tmp_path / "registry.db") as registry:
        await registry.keep_nodes(["node-1", "node-3"])
        port = await registry.listen("127.0.0.1", 0, "node-1")
        async with ConsulClient(f"127.0.0.1:{port}") as client:
            assert [one.id for one in await client.instances("cart")] == ["cart-node-1"]
            assert await client.node_create_index("node-2") is None
            assert await client.kv_get("mesh/routes/shop") is not None
