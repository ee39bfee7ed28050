"""The catalog: what is registered, how it is shown, and what its indexes say."""

import json
from typing import Any

import pytest

from tests.contract.subject import NODE, Subject, index_of
from tests.contract.test_blocking import index_at, waiting

EXT = {"Node": "ext", "Address": "1.2.3.4"}
DB = {"Service": "db", "Port": 5432, "Tags": ["x"]}
CHECK = {"Name": "c1", "Status": "passing", "ServiceID": "db"}
PROXY = {"Mode": "", "MeshGateway": {}, "Expose": {}}
WEIGHTS = {"Passing": 1, "Warning": 1}


async def register(consul: Subject, **fields: Any) -> None:
    await consul.api("PUT", "/v1/catalog/register", body={**EXT, **fields})


async def deregister(consul: Subject, **fields: str) -> None:
    await consul.api("PUT", "/v1/catalog/deregister", body={"Node": "ext", **fields})


def plain(found: Any) -> Any:
    """Without indexes, which are told apart by what they are compared with."""
    if isinstance(found, list):
        return [plain(one) for one in found]
    if isinstance(found, dict):
        return {
            name: plain(value)
            for name, value in found.items()
            if name not in ("CreateIndex", "ModifyIndex")
        }
    return found


async def test_a_registration_is_shown_in_all_forms(consul: Subject) -> None:
    await register(consul, Service=DB, Check=CHECK)
    node = {
        "ID": "",
        "Node": "ext",
        "Address": "1.2.3.4",
        "Datacenter": "dc1",
        "TaggedAddresses": None,
        "Meta": None,
    }
    service = {
        "ID": "db",
        "Service": "db",
        "Tags": ["x"],
        "Address": "",
        "Meta": None,
        "Port": 5432,
        "Weights": WEIGHTS,
        "EnableTagOverride": False,
        "Proxy": PROXY,
        "Connect": {},
        "PeerName": "",
    }
    check = {
        "Node": "ext",
        "CheckID": "c1",
        "Name": "c1",
        "Status": "passing",
        "Notes": "",
        "Output": "",
        "ServiceID": "db",
        "ServiceName": "db",
        "ServiceTags": ["x"],
        "Type": "",
        "Interval": "",
        "Timeout": "",
        "ExposedPort": 0,
        "Definition": {},
    }

    async def get(path: str) -> Any:
        return plain(await consul.api("GET", path))

    assert await get("/v1/catalog/node/ext") == {"Node": node, "Services": {"db": service}}
    assert await get("/v1/catalog/node-services/ext") == {"Node": node, "Services": [service]}
    whole = {"Node": node, "Service": service, "Checks": [check]}
    assert await get("/v1/health/service/db") == [whole]
    assert await get("/v1/health/checks/db") == [check]
    assert node in await get("/v1/catalog/nodes")
    assert (await get("/v1/catalog/services"))["db"] == ["x"]
    assert await get("/v1/catalog/service/db") == [
        {
            "ID": "",
            "Node": "ext",
            "Address": "1.2.3.4",
            "Datacenter": "dc1",
            "TaggedAddresses": None,
            "NodeMeta": None,
            "ServiceKind": "",
            "ServiceID": "db",
            "ServiceName": "db",
            "ServiceTags": ["x"],
            "ServiceAddress": "",
            "ServiceWeights": WEIGHTS,
            "ServiceMeta": {},
            "ServicePort": 5432,
            "ServicePorts": None,
            "ServiceSocketPath": "",
            "ServiceEnableTagOverride": False,
            "ServiceProxy": PROXY,
            "ServiceConnect": {},
            "ServiceLocality": None,
        }
    ]


async def test_the_server_itself_is_in_the_catalog(consul: Subject) -> None:
    assert (await consul.api("GET", "/v1/catalog/services")) == {"consul": []}
    found = await consul.api("GET", f"/v1/catalog/node/{NODE}")
    assert found["Node"]["Meta"]
    assert set(found["Node"]["TaggedAddresses"]) == {"lan", "lan_ipv4", "wan", "wan_ipv4"}
    checks = await consul.api("GET", f"/v1/health/node/{NODE}")
    assert [(one["CheckID"], one["Status"]) for one in checks] == [("serfHealth", "passing")]
    assert await consul.api("GET", "/v1/catalog/datacenters") == ["dc1"]


async def test_the_same_registration_again_moves_nothing(consul: Subject) -> None:
    await register(consul, Service=DB, Check=CHECK)
    paths = ("/v1/catalog/nodes", "/v1/health/service/db", "/v1/health/state/any")
    before = [(await consul.call("GET", path)).text for path in paths]
    index = [await index_at(consul, path) for path in paths]
    await register(consul, Service=DB, Check=CHECK)
    assert [(await consul.call("GET", path)).text for path in paths] == before
    assert [await index_at(consul, path) for path in paths] == index


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"Node": "ext"}, 500, "Must provide address if SkipNodeUpdate is not set"),
        ({"Address": "1.1.1.1"}, 500, "Must provide node"),
        ({**EXT, "ID": "xx"}, 500, "Bad node ID: uuid string is wrong length"),
        ({**EXT, "Foo": 1}, 400, 'Request decode failed: json: unknown field "Foo"'),
        (
            {**EXT, "Service": {"ID": "q"}},
            500,
            "Must provide service name (Service.Service) when service ID is provided",
        ),
        (
            {**EXT, "Service": {"Service": "q", "Address": "0.0.0.0"}},
            500,
            "Invalid service address",
        ),
        (
            {**EXT, "Check": {"Name": "c", "Status": "passing", "ServiceID": "nope"}},
            500,
            "Unknown service ID 'nope' for check ID 'c'",
        ),
        ({"Node": 5}, 400, "Request decode failed: json: cannot unmarshal number into Go struct"),
    ],
)
async def test_what_cannot_be_registered(
    consul: Subject, body: dict[str, Any], status: int, text: str
) -> None:
    answer = await consul.call("PUT", "/v1/catalog/register", body=body)
    assert (answer.status, answer.text.startswith(text)) == (status, True), answer.text
    nodes = await consul.api("GET", "/v1/catalog/nodes")
    assert [node["Node"] for node in nodes] == [NODE]


@pytest.mark.parametrize("path", ["register", "deregister"])
@pytest.mark.parametrize(
    ("body", "text"),
    [
        ("{", "Request decode failed: unexpected EOF"),
        ("x", "Request decode failed: invalid character 'x' looking for beginning of value"),
    ],
)
async def test_a_body_that_is_no_json(consul: Subject, path: str, body: str, text: str) -> None:
    answer = await consul.call("PUT", f"/v1/catalog/{path}", body=body)
    assert (answer.status, answer.text) == (400, text)


async def test_a_node_is_changed_unless_it_shall_be_left_alone(consul: Subject) -> None:
    await register(consul)
    await register(consul, Address="1.2.3.5", SkipNodeUpdate=True, Service=DB)
    assert (await consul.api("GET", "/v1/catalog/node/ext"))["Node"]["Address"] == "1.2.3.4"
    await register(consul, Address="1.2.3.5", NodeMeta={"a": "b"})
    found = await consul.api("GET", "/v1/catalog/node/ext")
    assert found["Node"]["Address"] == "1.2.3.5"
    assert found["Node"]["ModifyIndex"] > found["Node"]["CreateIndex"]
    assert list(found["Services"]) == ["db"]
    assert [one["Node"] for one in await consul.api("GET", "/v1/catalog/nodes?node-meta=a:b")] == [
        "ext"
    ]
    assert await consul.api("GET", "/v1/catalog/services?node-meta=a:b") == {"db": ["x"]}
    assert await consul.api("GET", "/v1/catalog/service/db?node-meta=a:c") == []


async def test_a_node_with_a_known_id_is_renamed(consul: Subject) -> None:
    node_id = "40e4a748-2192-161a-0510-9bf59fe950b5"
    await register(consul, ID=node_id, Service=DB)
    await consul.api(
        "PUT", "/v1/catalog/register", body={"ID": node_id, "Node": "ext2", "Address": "1.2.3.4"}
    )
    names = [node["Node"] for node in await consul.api("GET", "/v1/catalog/nodes")]
    assert names == ["ext2", NODE]
    assert await consul.api("GET", "/v1/catalog/service/db") == []


async def test_tags_and_filters_choose(consul: Subject) -> None:
    await register(consul, Service={**DB, "ID": "db-1", "Tags": ["x", "Y"]})
    await register(consul, Service={**DB, "ID": "db-2", "Tags": ["z"], "Meta": {"zone": "a"}})

    async def ids(query: str) -> list[str]:
        found = await consul.api("GET", f"/v1/catalog/service/db?{query}")
        return [one["ServiceID"] for one in found]

    assert await ids("") == ["db-1", "db-2"]
    assert await ids("tag=x") == ["db-1"]
    assert await ids("tag=x&tag=y") == ["db-1"]
    assert await ids("tag=x&tag=z") == []
    assert await ids("filter=ServiceMeta.zone==a") == ["db-2"]
    services = await consul.api("GET", "/v1/catalog/services")
    assert sorted(services["db"]) == ["Y", "x", "z"]
    assert await consul.api("GET", '/v1/catalog/services?filter=ServiceID=="db-2"') == {"db": ["z"]}
    node = await consul.api("GET", '/v1/catalog/node/ext?filter=ID=="db-1"')
    assert list(node["Services"]) == ["db-1"]


async def test_what_is_deregistered_goes_with_what_hangs_on_it(consul: Subject) -> None:
    await register(consul, Service=DB, Check=CHECK)
    await deregister(consul, CheckID="c1")
    assert await consul.api("GET", "/v1/health/checks/db") == []
    await register(consul, Service=DB, Check=CHECK)
    await deregister(consul, ServiceID="db")
    assert await consul.api("GET", "/v1/health/checks/db") == []
    assert await consul.api("GET", "/v1/catalog/service/db") == []
    await register(consul, Service=DB, Check=CHECK)
    await deregister(consul)
    assert (await consul.call("GET", "/v1/catalog/node/ext")).text.strip() == "null"
    assert await consul.api("GET", "/v1/health/node/ext") == []
    await deregister(consul)
    answer = await consul.call("PUT", "/v1/catalog/deregister", body={})
    assert (answer.status, answer.text) == (500, "Must provide node")


async def test_names_are_found_in_any_case(consul: Subject) -> None:
    await register(consul, Service={**DB, "Service": "DB"})
    assert len(await consul.api("GET", "/v1/catalog/service/db")) == 1
    assert (await consul.api("GET", "/v1/catalog/node/EXT"))["Node"]["Node"] == "ext"


async def test_the_index_of_a_service_moves_with_it_alone(consul: Subject) -> None:
    await register(consul, Service=DB, Check=CHECK)
    await register(consul, Service={"Service": "other"})
    paths = ("/v1/catalog/service/db", "/v1/health/service/db")
    before = [await index_at(consul, path) for path in paths]
    await register(consul, Service={"Service": "other", "Port": 1})
    assert [await index_at(consul, path) for path in paths] == before
    await register(consul, Check={**CHECK, "Status": "warning"})
    now = [await index_at(consul, path) for path in paths]
    assert now[0] == now[1] > before[0]
    await register(consul, Check={"Name": "of the node", "Status": "passing"})
    assert await index_at(consul, paths[0]) > now[0]


async def test_a_service_that_goes_has_the_index_of_its_going(consul: Subject) -> None:
    await register(consul, Service=DB)
    index = await index_at(consul, "/v1/health/service/db")
    await deregister(consul, ServiceID="db")
    gone = await index_at(consul, "/v1/health/service/db")
    assert gone > index
    assert await index_at(consul, "/v1/catalog/service/never-was") == gone


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/catalog/nodes", {**EXT, "Address": "9.9.9.9"}),
        ("/v1/catalog/node/ext", {**EXT, "Address": "9.9.9.9"}),
        ("/v1/catalog/node/ext", {**EXT, "Service": {"Service": "new"}}),
        ("/v1/catalog/node/later", {**EXT, "Node": "later"}),
        ("/v1/catalog/services", {**EXT, "Service": {**DB, "Tags": ["y"]}}),
        ("/v1/catalog/service/db", {**EXT, "Service": {**DB, "Port": 1}}),
        ("/v1/catalog/service/db", {**EXT, "Address": "9.9.9.9"}),
        ("/v1/catalog/service/new", {**EXT, "Service": {"Service": "new"}}),
        ("/v1/health/service/db", {**EXT, "Check": {**CHECK, "Status": "critical"}}),
        ("/v1/health/service/db", {**EXT, "Check": {"Name": "node", "Status": "critical"}}),
        ("/v1/health/service/db", {**EXT, "Address": "9.9.9.9"}),
        ("/v1/health/service/new", {**EXT, "Service": {"Service": "new"}}),
        ("/v1/health/checks/db", {**EXT, "Check": {**CHECK, "Status": "critical"}}),
        ("/v1/health/node/ext", {**EXT, "Check": {**CHECK, "Status": "critical"}}),
        ("/v1/health/state/any", {**EXT, "Check": {**CHECK, "Output": "o"}}),
        ("/v1/health/state/critical", {**EXT, "Check": {**CHECK, "Status": "critical"}}),
        ("/v1/health/state/passing", {**EXT, "Check": {**CHECK, "Status": "critical"}}),
        (
            "/v1/health/state/any?filter=Status!=passing",
            {**EXT, "Check": {**CHECK, "Status": "critical"}},
        ),
    ],
)
async def test_a_registration_wakes_who_waits_for_it(
    consul: Subject, path: str, body: dict[str, Any]
) -> None:
    await register(consul, Service=DB, Check=CHECK)
    index = await index_at(consul, path)
    async with waiting(consul, path, index) as task:
        await consul.api("PUT", "/v1/catalog/register", body=body)
        woken = await task
    assert index_of(woken) > index
    assert json.loads(woken.text) == await consul.api("GET", path)


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/catalog/nodes", {}),
        ("/v1/catalog/node/ext", {}),
        ("/v1/catalog/services", {"ServiceID": "db"}),
        ("/v1/catalog/service/db", {"ServiceID": "db"}),
        ("/v1/health/service/db", {"ServiceID": "db"}),
        ("/v1/health/service/db", {}),
        ("/v1/health/checks/db", {"CheckID": "c1"}),
        ("/v1/health/state/any", {"CheckID": "c1"}),
        ("/v1/health/state/passing", {"CheckID": "c1"}),
    ],
)
async def test_a_deregistration_wakes_who_waits_for_it(
    consul: Subject, path: str, body: dict[str, str]
) -> None:
    await register(consul, Service=DB, Check=CHECK)
    index = await index_at(consul, path)
    async with waiting(consul, path, index) as task:
        await deregister(consul, **body)
        woken = await task
    assert index_of(woken) > index


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/catalog/nodes", {**EXT, "Service": {"Service": "new"}}),
        ("/v1/catalog/services", {**EXT, "Address": "9.9.9.9"}),
        ("/v1/catalog/services", {**EXT, "Check": {**CHECK, "Status": "critical"}}),
        ("/v1/catalog/service/db", {**EXT, "Check": {**CHECK, "Status": "critical"}}),
        ("/v1/catalog/service/db", {**EXT, "Service": {"Service": "new"}}),
        ("/v1/catalog/node/ext", {**EXT, "Node": "other"}),
        ("/v1/health/service/db", {**EXT, "Service": {"Service": "new"}}),
        ("/v1/health/service/none", {**EXT, "Service": {"Service": "new"}}),
        ("/v1/health/checks/db", {**EXT, "Check": {"Name": "node", "Status": "critical"}}),
        ("/v1/health/node/ext", {**EXT, "Service": {"Service": "new"}}),
    ],
)
async def test_a_registration_wakes_nobody_else(
    consul: Subject, path: str, body: dict[str, Any]
) -> None:
    await register(consul, Service=DB, Check=CHECK)
    index = await index_at(consul, path)
    async with waiting(consul, path, index) as task:
        await consul.api("PUT", "/v1/catalog/register", body=body)
        # The change was answered, and so was a question of the same kind after it.
        await consul.api("GET", f"{path}{'&' if '?' in path else '?'}index={index}&wait=200ms")
        assert not task.done()
