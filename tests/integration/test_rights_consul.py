"""The catalog room on a real Consul with ACLs: what the least policy allows, and what a narrowed token takes away."""

import asyncio
from contextlib import suppress
from pathlib import Path

import pytest

from catalog import (
    ConsulClient,
    ConsulDenied,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    NodesUpdate,
    Staleness,
    Update,
    Watches,
    least_policy,
)
from tests.integration.catalog_side import (
    running,
    status_of,
)
from tests.support import ConsulCluster, wait_until

pytestmark = pytest.mark.consul


async def test_the_least_policy_is_enough_and_nothing_more(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=2, acl=True) as consul:
        rules = least_policy("node-2", ["web"], has_edge=True)
        token = await consul.create_token("node-2", rules)
        await consul.put("mesh/routes/a", "x")
        await consul.register({"Name": "web", "Port": 1}, node="node-2")
        await consul.api(
            "PUT", "/v1/connect/intentions/exact?source=a&destination=b", body={"Action": "deny"}
        )
        async with running(
            consul, tmp_path / "node", "node-2", token=token, edge_port=8080
        ) as node:
            node.watches.name_services(frozenset({"web"}))
            node.status.offer(status_of("node-2"))
            await node.until(lambda: node.keys("meshnode/status/"), "its status")
            await node.until(lambda: isinstance(node.last(NodesUpdate), NodesUpdate), "the nodes")
            await node.until(lambda: isinstance(node.last(InstancesUpdate), InstancesUpdate), "web")
            assert node.keys() == {"mesh/routes/a": b"x"}
            assert node.troubles == []
            assert node.watches.staleness == Staleness(None)
            client = node.client
            assert await client.lacks([("key", "mesh/", "read"), ("service", "web", "write")]) == []
            await client.kv_put("meshnode/ca/requests/node-2/web", b"csr")
            refused: list[tuple[str, object]] = [
                ('key_prefix "mesh/" write', client.kv_put("mesh/routes/a", b"y")),
                (
                    'key "meshnode/status/node-1" write',
                    client.kv_put("meshnode/status/node-1", b""),
                ),
                ('key_prefix "meshnode/ca/" write', client.kv_put("meshnode/ca/signer", b"")),
                (
                    'key_prefix "meshnode/ca/requests/node-1/" write',
                    client.kv_put("meshnode/ca/requests/node-1/web", b""),
                ),
                ('service "cart" write', client.register_service({"Name": "cart", "Port": 1})),
                ('session "node-1" write', client.session_create("x", ttl_s=10, node="node-1")),
                (
                    'service "web" { policy = "read", intentions = "write" }',
                    client.intention_put("a", "web", "allow"),
                ),
            ]
            for line, call in refused:
                with pytest.raises(ConsulDenied) as caught:
                    await call  # type: ignore[misc]
                assert caught.value.what == line


async def test_without_rights_the_first_answers_name_what_is_missing(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1, acl=True) as consul:
        await consul.put("mesh/routes/a", "x")
        nothing = await consul.create_token("nothing", 'node_prefix "" { policy = "read" }')
        for token in (nothing, None):
            async with ConsulClient(consul.http_address(), token) as client:
                await _assert_nothing_is_told(client)


async def _assert_nothing_is_told(client: ConsulClient) -> None:
    updates: list[Update] = []
    watches = Watches(client, "node-1", updates.append)
    task = asyncio.create_task(watches.run())
    await wait_until(lambda: watches.staleness.since, 5, what="the staleness")
    assert "the token lacks a right" in watches.staleness.reason
    with pytest.raises(ConsulDenied, match="mesh/"):
        await client.kv_list("mesh/")
    assert not any(isinstance(one, KvUpdate) for one in updates)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_token_that_is_narrowed_or_revoked_takes_nothing_away(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1, acl=True) as consul:
        await consul.put("mesh/routes/a", "x")
        await consul.api(
            "PUT", "/v1/connect/intentions/exact?source=a&destination=b", body={"Action": "deny"}
        )
        token = await consul.create_token("node-1", least_policy("node-1", []))
        async with running(consul, tmp_path / "node", token=token) as node:
            policies = await consul.api("GET", "/v1/acl/policies")
            policy = next(one["ID"] for one in policies if one["Name"] == "node-1")
            narrowed = 'node_prefix "" { policy = "read" }'
            body = {"Name": "node-1", "Rules": narrowed}
            await consul.api("PUT", f"/v1/acl/policy/{policy}", body=body)
            await consul.put("mesh/routes/b", "y")
            # Consul's agents take an old policy for valid for half a minute: b may be seen or not.
            await node.until(lambda: node.watches.staleness.since, "the staleness", 60)
            assert node.keys()["mesh/routes/a"] == b"x"
            intentions = node.last(IntentionsUpdate)
            assert isinstance(intentions, IntentionsUpdate)
            assert len(intentions.intentions) == 1
            restored = {"Name": "node-1", "Rules": least_policy("node-1", [])}
            await consul.api("PUT", f"/v1/acl/policy/{policy}", body=restored)
            await node.until(lambda: len(node.keys()) == 2, "the key that came meanwhile", 60)
            await node.until(lambda: node.watches.staleness.since is None, "fresh again", 60)
