"""Our own client of Consul, as a node uses it: each call finds the same on both."""

from collections.abc import AsyncIterator

import pytest

from catalog import ConsulClient, NodeRegistration
from catalog.calls import Question
from tests.contract.subject import NODE, Subject


@pytest.fixture
async def client(consul: Subject) -> AsyncIterator[ConsulClient]:
    async with ConsulClient(consul.http_address()) as client:
        yield client


async def test_a_node_registers_and_is_seen(client: ConsulClient) -> None:
    wanted = NodeRegistration(
        mesh_port=7443, address="127.0.0.1", edge_port=8080, meta=(("a", "b"),)
    )
    for service in wanted.services():
        await client.register_service(service)
    assert await client.update_ttl("meshnode-agent", "passing")
    assert not await client.update_ttl("unknown", "passing")
    for name in ("meshnode", "edge"):
        (found,) = await client.instances(name, stale=False)
        assert (found.node, found.address, found.meta) == (NODE, "127.0.0.1", (("a", "b"),))
        there = await client.local_service(name)
        assert there is not None
        assert there["Meta"] == {"a": "b"}
    assert list(await client.local_checks("edge")) == ["meshnode-edge"]
    own = [one.service for one in await client.services_on_node(NODE)]
    assert own == ["consul", "edge", "meshnode"]
    assert await client.services() == {"consul": (), "edge": (), "meshnode": ()}
    await client.deregister_service("edge")
    await client.deregister_service("edge")
    assert await client.local_service("edge") is None


async def test_what_watches_ask_is_answered(client: ConsulClient) -> None:
    question = Question()
    await client.register_service({"Name": "web", "Port": 1, "Check": {"TTL": "60s"}})
    for read in (
        client.reads.health_unhealthy(question),
        client.reads.config_intentions(question),
        client.reads.health_service("web", question),
        client.reads.catalog_services(question),
        client.reads.kv("mesh/", question),
    ):
        answer = await read
        assert answer.index > 0
    unhealthy = (await client.reads.health_unhealthy(question)).json()
    assert [check["CheckID"] for check in unhealthy] == ["service:web"]


async def test_keys_are_listed_by_folder_and_whole(client: ConsulClient) -> None:
    assert await client.kv_names("") == []
    for key in ("mesh/routes/a", "mesh/routes/b", "Mesh/x", "alone"):
        await client.kv_put(key, b"")
    assert await client.kv_names("") == ["Mesh/", "alone", "mesh/"]
    assert await client.kv_names("mesh/", is_whole=True) == ["mesh/routes/a", "mesh/routes/b"]


async def test_intentions_are_put_read_and_decided(client: ConsulClient) -> None:
    await client.intention_put("web", "db", "deny", "not yet")
    (entry,) = await client.intentions()
    assert entry.destination == "db"
    (source,) = entry.sources
    assert (source.name, source.action, source.description) == ("web", "deny", "not yet")
    uri = "spiffe://made-up.consul/ns/default/dc/dc1/svc/web"
    assert (await client.agent_authorize("db", uri))[0] is False
    await client.intention_delete("web", "db")
    await client.intention_delete("web", "db")
    assert await client.intentions() == []


async def test_the_agent_and_its_node_are_known(client: ConsulClient) -> None:
    found = await client.node_self()
    assert (found.node, found.datacenter) == (NODE, "dc1")
    assert await client.leader()
    assert await client.node_create_index(NODE)
    assert await client.node_create_index("unknown") is None
    assert await client.services_on_node("unknown") == []
