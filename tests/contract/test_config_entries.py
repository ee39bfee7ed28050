"""service-intentions as config entries, and what the other kinds answer."""

from typing import Any

import pytest

from tests.contract.subject import Subject, index_of
from tests.contract.test_blocking import index_at

CONFIG = "/v1/config/service-intentions"
SOURCE = {"Name": "a", "Action": "allow"}


def entry(name: str = "cfg", *sources: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {
        "Kind": "service-intentions",
        "Name": name,
        "Sources": list(sources or (SOURCE,)),
        **fields,
    }


async def test_an_entry_is_put_in_order(consul: Subject) -> None:
    body = entry("cfg", {"Name": "*", "Action": "deny"}, SOURCE, Meta={"x": "y"})
    assert await consul.api("PUT", "/v1/config", body=body) is True
    found = await consul.api("GET", f"{CONFIG}/cfg")
    assert [(one["Name"], one["Precedence"]) for one in found["Sources"]] == [("a", 9), ("*", 8)]
    assert found["Meta"] == {"x": "y"}
    exact = "/v1/connect/intentions/exact?source=a&destination=cfg"
    assert (await consul.api("GET", exact))["Meta"] == {"x": "y"}


async def test_names_may_be_written_in_any_case(consul: Subject) -> None:
    body = {
        "kind": "service-intentions",
        "name": "low",
        "sources": [{"name": "q", "action": "allow", "description": "d"}],
    }
    await consul.api("PUT", "/v1/config", body=body)
    assert (await consul.api("GET", f"{CONFIG}/low"))["Sources"][0]["Description"] == "d"


async def test_the_same_entry_again_moves_nothing(consul: Subject) -> None:
    await consul.api("PUT", "/v1/config", body=entry())
    first = await consul.api("GET", f"{CONFIG}/cfg")
    await consul.api("PUT", "/v1/config", body=entry())
    assert await consul.api("GET", f"{CONFIG}/cfg") == first


async def test_cas_only_changes_what_was_seen(consul: Subject) -> None:
    assert await consul.api("PUT", "/v1/config?cas=0", body=entry()) is True
    assert await consul.api("PUT", "/v1/config?cas=0", body=entry()) is True
    changed = entry("cfg", {"Name": "b", "Action": "deny"})
    assert await consul.api("PUT", "/v1/config?cas=0", body=changed) is False
    index = (await consul.api("GET", f"{CONFIG}/cfg"))["ModifyIndex"]
    assert await consul.api("PUT", f"/v1/config?cas={index}", body=changed) is True
    assert await consul.api("DELETE", f"{CONFIG}/cfg?cas={index}") is False
    index = (await consul.api("GET", f"{CONFIG}/cfg"))["ModifyIndex"]
    assert await consul.api("DELETE", f"{CONFIG}/cfg?cas={index}") is True
    answer = await consul.call("PUT", "/v1/config?cas=x", body=entry())
    assert answer.status == 500
    assert answer.text == 'strconv.ParseUint: parsing "x": invalid syntax'


async def test_an_entry_goes_and_is_not_missed(consul: Subject) -> None:
    await consul.api("PUT", "/v1/config", body=entry())
    for _ in range(2):
        assert await consul.api("DELETE", f"{CONFIG}/cfg") == {}
    answer = await consul.call("GET", f"{CONFIG}/cfg")
    assert (answer.status, index_of(answer)) == (404, await index_at(consul, CONFIG))
    assert answer.text == 'Config entry not found for "service-intentions" / "cfg"'


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"Kind": "service-intentions", "Name": "c"}, 500, "At least one source is required"),
        (entry(""), 500, "Name is required"),
        (entry("c", {"Name": "a"}), 500, "Sources[0].Action must be set to 'allow' or 'deny'"),
        (entry("c", {"Action": "allow"}), 500, "Sources[0].Name is required"),
        (entry("c", SOURCE, SOURCE), 500, 'Sources[1] defines "a" more than once'),
        (
            entry("we*"),
            500,
            "Name: wildcard character '*' cannot be used with partial values",
        ),
        (entry("c", {**SOURCE, "Type": "x"}), 500, "Sources[0].Type must be set to 'consul'"),
        (
            entry(
                "c",
                {"Name": "b", "Permissions": [{"Action": "allow", "HTTP": {"PathPrefix": "/"}}]},
            ),
            500,
            'service "c" has protocol "tcp", which is incompatible with L7 intentions permissions',
        ),
        (
            entry("c", Foo=1),
            400,
            'Request decoding failed: 1 error occurred:\n\t* invalid config key "Foo"\n\n',
        ),
        (
            entry("c", {**SOURCE, "Namespace": "x"}),
            400,
            'Request decoding failed: 1 error occurred:\n\t* invalid config key "Sources[0].Namespace", namespaces are a consul enterprise feature\n\n',
        ),
        (
            {"Name": "c"},
            400,
            "Request decoding failed: Payload does not contain a kind/Kind key at the top level",
        ),
        ({"Kind": "foo"}, 400, "Request decoding failed: invalid config entry kind: foo"),
        ("{", 400, "Request decoding failed: unexpected EOF"),
        (
            "[]",
            400,
            "Request decoding failed: '' expected type 'map[string]interface {}', got unconvertible type '[]interface {}'",
        ),
    ],
)
async def test_what_is_no_entry(consul: Subject, body: object, status: int, text: str) -> None:
    answer = await consul.call("PUT", "/v1/config", body=body)
    assert (answer.status, answer.text) == (status, text)
    assert await consul.api("GET", CONFIG) == []


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/v1/config/nokind", 500, "invalid config entry kind: nokind"),
        ("GET", "/v1/config/nokind/x", 500, "invalid config entry kind: nokind"),
        (
            "GET",
            "/v1/config/proxy-defaults/global",
            404,
            'Config entry not found for "proxy-defaults" / "global"',
        ),
        ("DELETE", CONFIG, 404, "Must provide both a kind and name to delete"),
        ("DELETE", "/v1/config/nokind/x", 400, "invalid config entry kind: nokind"),
        ("GET", "/v1/config", 405, "method GET not allowed"),
        ("PUT", CONFIG, 405, "method PUT not allowed"),
        (
            "GET",
            f"{CONFIG}?filter=Name==db",
            500,
            "filtering not supported for config entry kind=service-intentions",
        ),
    ],
)
async def test_what_is_not_there(
    consul: Subject, method: str, path: str, status: int, text: str
) -> None:
    answer = await consul.call(method, path)
    assert (answer.status, answer.text) == (status, text)


async def test_other_kinds_are_empty(consul: Subject) -> None:
    for kind in ("service-defaults", "proxy-defaults", "service-resolver", "mesh"):
        assert await consul.api("GET", f"/v1/config/{kind}") == []
