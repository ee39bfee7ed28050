"""Intentions and the service-intentions entries they are made of: one store, two doors."""

from typing import Any

import pytest

from tests.contract.subject import Subject, head_of, index_of
from tests.contract.test_blocking import index_at, waiting
from tests.contract.test_catalog import plain

EXACT = "/v1/connect/intentions/exact"
CONFIG = "/v1/config/service-intentions"


async def put(consul: Subject, source: str, destination: str, action: str = "allow") -> None:
    path = f"{EXACT}?source={source}&destination={destination}"
    await consul.api("PUT", path, body={"Action": action})


def shown(source: str, destination: str, action: str, precedence: int) -> dict[str, Any]:
    return {
        "SourceNS": "default",
        "SourceName": source,
        "DestinationNS": "default",
        "DestinationName": destination,
        "SourceType": "consul",
        "Action": action,
        "Precedence": precedence,
    }


async def test_intentions_are_sources_of_an_entry(consul: Subject) -> None:
    await put(consul, "*", "db", "deny")
    await put(consul, "web", "db")
    answer = await consul.call("GET", f"{EXACT}?source=web&destination=db")
    assert answer.status == 200
    assert "x-consul-index" not in head_of(answer)
    entry = await consul.api("GET", f"{CONFIG}/db")
    assert entry.pop("Hash")
    assert plain(entry) == {
        "Kind": "service-intentions",
        "Name": "db",
        "Sources": [
            {"Name": "web", "Action": "allow", "Precedence": 9, "Type": "consul"},
            {"Name": "*", "Action": "deny", "Precedence": 8, "Type": "consul"},
        ],
    }
    listed = await consul.api("GET", "/v1/connect/intentions")
    assert plain(listed) == [shown("web", "db", "allow", 9), shown("*", "db", "deny", 8)]
    assert {one["ModifyIndex"] for one in listed} == {entry["ModifyIndex"]}
    assert entry["ModifyIndex"] > entry["CreateIndex"]


async def test_precedence_goes_by_what_is_exact(consul: Subject) -> None:
    for source, destination in (
        ("*", "*"),
        ("web", "*"),
        ("*", "db"),
        ("web", "db"),
        ("api", "db"),
    ):
        await put(consul, source, destination)
    order = [("api", "db"), ("web", "db"), ("*", "db"), ("web", "*"), ("*", "*")]

    def pairs(found: list[dict[str, Any]] | None) -> list[tuple[str, str]]:
        return [(one["SourceName"], one["DestinationName"]) for one in found or ()]

    listed = await consul.api("GET", "/v1/connect/intentions")
    assert pairs(listed) == order
    assert [one["Precedence"] for one in listed] == [9, 9, 8, 6, 5]
    by_destination = await consul.api(
        "GET", "/v1/connect/intentions/match?by=destination&name=db&name=other"
    )
    assert {name: pairs(by_destination[name]) for name in by_destination} == {
        "db": order,
        "other": order[3:],
    }
    by_source = await consul.api("GET", "/v1/connect/intentions/match?by=source&name=web")
    assert pairs(by_source["web"]) == order[1:]
    entries = await consul.api("GET", CONFIG)
    assert [entry["Name"] for entry in entries] == ["*", "db"]


async def test_nothing_that_matches_is_null(consul: Subject) -> None:
    path = "/v1/connect/intentions/match?by=source&name=web"
    assert await consul.api("GET", path) == {"web": None}
    assert await consul.api("GET", "/v1/connect/intentions") == []


async def test_the_first_that_matches_decides(consul: Subject) -> None:
    await put(consul, "web", "db")
    await put(consul, "*", "db", "deny")
    await put(consul, "web", "*", "deny")

    async def allowed(source: str, destination: str) -> bool:
        query = f"source={source}&destination={destination}"
        found = await consul.api("GET", f"/v1/connect/intentions/check?{query}")
        return bool(found["Allowed"])

    assert await allowed("web", "db")
    assert not await allowed("api", "db")
    assert not await allowed("web", "other")
    assert await allowed("api", "other")


async def test_an_intention_is_replaced_and_goes(consul: Subject) -> None:
    await put(consul, "web", "db")
    index = await index_at(consul, CONFIG)
    await put(consul, "web", "db", "deny")
    found = await consul.api("GET", f"{EXACT}?source=web&destination=db")
    assert (found["Action"], found["ModifyIndex"] > index) == ("deny", True)
    again = await index_at(consul, CONFIG)
    await put(consul, "web", "db", "deny")
    assert await index_at(consul, CONFIG) > again
    for _ in range(2):
        assert await consul.api("DELETE", f"{EXACT}?source=web&destination=db") is True
    answer = await consul.call("GET", f"{EXACT}?source=web&destination=db")
    assert (answer.status, answer.text) == (404, "Intention not found")
    assert await consul.api("GET", CONFIG) == []


@pytest.mark.parametrize(
    ("method", "query", "body", "status", "text"),
    [
        ("PUT", "source=web&destination=db", {"Action": "x"}, 500, "Sources[0].Action must be set"),
        ("PUT", "source=web&destination=db", "", 400, "Request decode failed: EOF"),
        ("PUT", "source=web&destination=db", "{", 400, "Request decode failed: unexpected EOF"),
        (
            "PUT",
            "source=web&destination=db",
            {"Action": "allow", "Foo": 1},
            400,
            'Request decode failed: json: unknown field "Foo"',
        ),
        (
            "PUT",
            "source=web&destination=db",
            {"Action": "allow", "Meta": {"a": "b"}},
            500,
            "Meta must not be specified",
        ),
        (
            "PUT",
            "source=we*&destination=db",
            {"Action": "allow"},
            500,
            "Sources[0].Name: wildcard character '*' cannot be used with partial values",
        ),
        ("PUT", "source=web", {}, 500, "required query parameter 'destination' not set"),
        ("GET", "source=web", None, 500, "required query parameter 'destination' not set"),
        ("GET", "destination=web", None, 500, "required query parameter 'source' not set"),
        ("GET", "source=a&destination=b", None, 404, "Intention not found"),
        ("POST", "source=a&destination=b", {}, 405, "method POST not allowed"),
    ],
)
async def test_what_is_no_intention(
    consul: Subject, method: str, query: str, body: object, status: int, text: str
) -> None:
    answer = await consul.call(method, f"{EXACT}?{query}", body=body)
    assert (answer.status, answer.text.startswith(text)) == (status, True), answer.text


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("name=web", "required query parameter 'by' not set"),
        ("by=x&name=web", "'by' parameter must be one of 'source' or 'destination'"),
        ("by=source", "required query parameter 'name' not set"),
    ],
)
async def test_what_is_no_match(consul: Subject, query: str, text: str) -> None:
    answer = await consul.call("GET", f"/v1/connect/intentions/match?{query}")
    assert (answer.status, answer.text) == (500, text)


async def test_intentions_of_the_old_kind_have_an_id(consul: Subject) -> None:
    body = {"SourceName": "l", "DestinationName": "m", "Action": "allow", "Meta": {"a": "b"}}
    made = await consul.api("POST", "/v1/connect/intentions", body=body)
    path = f"/v1/connect/intentions/{made['ID']}"
    found = await consul.api("GET", path)
    assert (found["SourceName"], found["Action"], found["Meta"]) == ("l", "allow", {"a": "b"})
    assert found["CreatedAt"] == found["UpdatedAt"]
    source = (await consul.api("GET", f"{CONFIG}/m"))["Sources"][0]
    assert (source["LegacyID"], source["LegacyMeta"]) == (made["ID"], {"a": "b"})
    again = await consul.call("POST", "/v1/connect/intentions", body=body)
    assert (again.status, again.text) == (500, 'Sources[1] defines "l" more than once')
    await consul.api("PUT", path, body={**body, "Action": "deny"})
    assert (await consul.api("GET", path))["Action"] == "deny"
    assert await consul.api("DELETE", path) is True
    assert (await consul.call("GET", path)).status == 404
    assert (await consul.call("DELETE", path)).status == 500


async def test_the_old_way_ends_where_the_new_one_began(consul: Subject) -> None:
    await put(consul, "web", "db")
    body = {"SourceName": "api", "DestinationName": "db", "Action": "allow"}
    answer = await consul.call("POST", "/v1/connect/intentions", body=body)
    assert answer.status == 500
    assert answer.text.startswith("cannot use legacy intention API to edit intentions")


@pytest.mark.parametrize(
    "path",
    [
        "/v1/connect/intentions",
        "/v1/connect/intentions/match?by=destination&name=db",
        CONFIG,
        f"{CONFIG}/db",
        f"{CONFIG}/new",
    ],
)
@pytest.mark.parametrize("is_there", [True, False])
async def test_an_intention_wakes_who_waits_for_it(
    consul: Subject,
    path: str,
    is_there: bool,  # noqa: FBT001
) -> None:
    await put(consul, "x", "other")
    if is_there:
        await put(
            consul, "x", path.rpartition("/")[2] if CONFIG in path and "/db" in path else "db"
        )
    index = await index_at(consul, path)
    async with waiting(consul, path, index) as task:
        await put(consul, "web", "new" if path.endswith("new") else "db", "deny")
        woken = await task
    assert index_of(woken) > index
    assert "web" in woken.text


async def test_one_that_goes_wakes_who_waits(consul: Subject) -> None:
    await put(consul, "web", "db")
    for path in (CONFIG, "/v1/connect/intentions"):
        await put(consul, "web", "db")
        index = await index_at(consul, path)
        async with waiting(consul, path, index) as task:
            await consul.api("DELETE", f"{EXACT}?source=web&destination=db")
            woken = await task
        assert index_of(woken) > index
        assert woken.text.strip() == "[]"


async def test_a_caller_is_decided_on_by_its_certificates_name(consul: Subject) -> None:
    await put(consul, "web", "db")
    await put(consul, "*", "db", "deny")

    async def decided(caller: str, target: str) -> tuple[bool, str]:
        uri = f"spiffe://made-up.consul/ns/default/dc/dc1/svc/{caller}"
        body = {"Target": target, "ClientCertURI": uri, "ClientCertSerial": "0"}
        found = await consul.api("POST", "/v1/agent/connect/authorize", body=body)
        return found["Authorized"], found["Reason"]

    told = "Matched L4 intention: default/{} => default/db (Precedence: {}, Action: {})"
    assert await decided("web", "db") == (True, told.format("web", 9, "ALLOW"))
    assert await decided("api", "db") == (False, told.format("*", 8, "DENY"))
    assert await decided("api", "other") == (True, "Default behavior configured by ACLs")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"ClientCertURI": "x"}, "Target service must be specified"),
        ({"Target": "db", "ClientCertURI": "x"}, "ClientCertURI not a valid Connect identifier"),
        ("{", "Request decode failed: unexpected EOF"),
    ],
)
async def test_what_is_no_caller(consul: Subject, body: object, text: str) -> None:
    answer = await consul.call("POST", "/v1/agent/connect/authorize", body=body)
    assert (answer.status, answer.text) == (400, text)
