"""Sessions: how they are made, what they hold, what becomes of it when they end."""

import json
from typing import Any

import pytest

from tests.contract.subject import NODE, Subject, index_of
from tests.support.process import wait_until


async def create(consul: Subject, **fields: Any) -> str:
    made = await consul.api("PUT", "/v1/session/create", body={"LockDelay": "0s", **fields})
    return str(made["ID"])


async def info(consul: Subject, session: str) -> dict[str, Any] | None:
    found = await consul.api("GET", f"/v1/session/info/{session}")
    return found[0] if found else None


async def test_a_session_without_a_body_has_consuls_defaults(consul: Subject) -> None:
    made = await consul.api("PUT", "/v1/session/create")
    found = await info(consul, made["ID"])
    assert found is not None
    assert found["CreateIndex"] == found["ModifyIndex"] > 0
    assert {name: found[name] for name in found if not name.endswith("Index")} == {
        "ID": made["ID"],
        "Name": "",
        "Node": NODE,
        "LockDelay": 15_000_000_000,
        "Behavior": "release",
        "TTL": "",
        "NodeChecks": ["serfHealth"],
        "ServiceChecks": None,
    }


@pytest.mark.parametrize(
    ("given", "shown"),
    [
        ({"Name": "n", "TTL": "90s"}, {"Name": "n", "TTL": "90s"}),
        ({"name": "n", "BEHAVIOR": "delete"}, {"Name": "n", "Behavior": "delete"}),
        ({"LockDelay": "5s"}, {"LockDelay": 5_000_000_000}),
        ({"LockDelay": 5}, {"LockDelay": 5_000_000_000}),
        ({"LockDelay": 2_000_000_000}, {"LockDelay": 2_000_000_000}),
        ({"LockDelay": "0s"}, {"LockDelay": 0}),
        ({"Checks": []}, {"NodeChecks": []}),
        ({"NodeChecks": []}, {"NodeChecks": []}),
        ({"Checks": ["serfHealth", "serfHealth"]}, {"Checks": ["serfHealth", "serfHealth"]}),
        ({"Behavior": "", "TTL": "0s"}, {"Behavior": "release", "TTL": "0s"}),
        ({"Nonsense": 1}, {"NodeChecks": ["serfHealth"]}),
    ],
)
async def test_what_a_session_is_made_of(
    consul: Subject, given: dict[str, Any], shown: dict[str, Any]
) -> None:
    made = await consul.api("PUT", "/v1/session/create", body=given)
    found = await info(consul, made["ID"])
    assert found is not None
    assert {name: found[name] for name in shown} == shown


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ('{"TTL":"5s"}', 500, "Invalid Session TTL '5000000000', must be between [10s=24h0m0s]"),
        ('{"TTL":"x"}', 500, "Session TTL 'x' invalid: time: invalid duration \"x\""),
        ('{"Behavior":"x"}', 500, "Invalid Behavior setting 'x'"),
        ('{"Node":"nobody"}', 500, "apply failed: Missing node registration"),
        ('{"NodeChecks":["x"]}', 500, "apply failed: Missing check 'x' registration"),
        ('{"ServiceChecks":[{"ID":"q"}]}', 500, "apply failed: Missing check 'q' registration"),
        ("{", 400, "Request decode failed: unexpected EOF"),
        (
            "x",
            400,
            "Request decode failed: invalid character 'x' looking for beginning of value",
        ),
        ('{"LockDelay":"x"}', 400, 'Request decode failed: time: invalid duration "x"'),
        (
            '{"Name":1}',
            400,
            "Request decode failed: json: cannot unmarshal number into Go struct field .Alias.Name of type string",
        ),
    ],
)
async def test_what_is_no_session(consul: Subject, body: str, status: int, text: str) -> None:
    answer = await consul.call("PUT", "/v1/session/create", body=body)
    assert (answer.status, answer.text) == (status, text)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("PUT", "/v1/session/destroy/", 400, "Missing session"),
        ("PUT", "/v1/session/destroy/none", 200, "true"),
        ("PUT", "/v1/session/renew/", 400, "Missing session"),
        ("PUT", "/v1/session/renew/none", 404, "Session id 'none' not found"),
        ("GET", "/v1/session/info/", 400, "Missing session"),
        ("GET", "/v1/session/info/none", 200, "[]"),
        ("GET", "/v1/session/node/", 400, "Missing node name"),
        ("GET", "/v1/session/node/none", 200, "[]"),
        ("GET", "/v1/session/list", 200, "[]"),
    ],
)
async def test_a_session_that_is_not_there(
    consul: Subject, method: str, path: str, status: int, text: str
) -> None:
    answer = await consul.call(method, path)
    assert (answer.status, answer.text) == (status, text)


async def test_renewing_shows_the_session(consul: Subject) -> None:
    session = await create(consul, TTL="60s")
    assert await consul.api("PUT", f"/v1/session/renew/{session}") == [await info(consul, session)]


async def test_a_lock_is_held_by_one(consul: Subject) -> None:
    one, other = await create(consul), await create(consul)
    assert await consul.api("PUT", f"/v1/kv/l?acquire={one}", body="1") is True
    assert await consul.api("PUT", f"/v1/kv/l?acquire={other}", body="2") is False
    assert await consul.api("PUT", f"/v1/kv/l?release={other}", body="2") is False
    (held,) = await consul.api("GET", "/v1/kv/l")
    assert (held["Session"], held["LockIndex"], held["Value"]) == (one, 1, "MQ==")
    assert await consul.api("PUT", f"/v1/kv/l?acquire={one}", body="1") is True
    assert await consul.api("GET", "/v1/kv/l") == [held]
    assert await consul.api("PUT", f"/v1/kv/l?release={one}", body="3") is True
    (free,) = await consul.api("GET", "/v1/kv/l")
    assert ("Session" in free, free["LockIndex"], free["Value"]) == (False, 1, "Mw==")
    assert await consul.api("PUT", f"/v1/kv/l?acquire={other}", body="2") is True
    (taken,) = await consul.api("GET", "/v1/kv/l")
    assert (taken["Session"], taken["LockIndex"]) == (other, 2)


async def test_a_plain_put_keeps_the_session_and_forgets_the_count(consul: Subject) -> None:
    session = await create(consul)
    await consul.api("PUT", f"/v1/kv/l?acquire={session}", body="1")
    await consul.put("l", "2")
    (held,) = await consul.api("GET", "/v1/kv/l")
    assert (held["Session"], held["LockIndex"]) == (session, 0)


@pytest.mark.parametrize("behavior", ["release", "delete"])
async def test_what_a_destroyed_session_held(consul: Subject, behavior: str) -> None:
    session = await create(consul, Behavior=behavior)
    await consul.api("PUT", f"/v1/kv/h/l?acquire={session}", body="1")
    await consul.put("h/free", "1")
    before = index_of(await consul.call("GET", "/v1/kv/h/?recurse"))
    await consul.api("PUT", f"/v1/session/destroy/{session}")
    after = await consul.call("GET", "/v1/kv/h/?recurse")
    left = {one["Key"]: one.get("Session") for one in json.loads(after.text)}
    assert left == ({"h/free": None, "h/l": None} if behavior == "release" else {"h/free": None})
    sessions = index_of(await consul.call("GET", "/v1/session/list"))
    assert index_of(after) == sessions > before
    assert await info(consul, session) is None


@pytest.mark.parametrize("behavior", ["release", "delete"])
async def test_a_lost_lock_is_not_to_be_had_at_once(consul: Subject, behavior: str) -> None:
    session = await create(consul, Behavior=behavior, LockDelay="60s")
    other = await create(consul)
    await consul.api("PUT", f"/v1/kv/delayed/{behavior}?acquire={session}", body="1")
    await consul.api("PUT", f"/v1/session/destroy/{session}")
    assert await consul.api("PUT", f"/v1/kv/delayed/{behavior}?acquire={other}", body="2") is False
    locked = {"KV": {"Verb": "lock", "Key": f"delayed/{behavior}", "Session": other}}
    answer = await consul.call("PUT", "/v1/txn", body=[locked])
    assert json.loads(answer.text)["Errors"] == [
        {"OpIndex": 0, "What": f'failed to lock key "delayed/{behavior}" due to lock delay'}
    ]


async def test_a_released_lock_is_to_be_had_at_once(consul: Subject) -> None:
    session = await create(consul, LockDelay="60s")
    other = await create(consul)
    await consul.api("PUT", f"/v1/kv/l?acquire={session}", body="1")
    await consul.api("PUT", f"/v1/kv/l?release={session}", body="1")
    assert await consul.api("PUT", f"/v1/kv/l?acquire={other}", body="2") is True


async def test_a_session_nobody_renews_ends(consul: Subject) -> None:
    """Between one and two TTLs, of which ten seconds are the shortest."""
    session = await create(consul, TTL="10s", Behavior="delete")
    await consul.api("PUT", f"/v1/kv/ttl?acquire={session}", body="1")

    async def is_gone() -> bool:
        return await consul.api("GET", "/v1/kv/ttl") is None

    await wait_until(is_gone, 60.0, what="the session's key is deleted", interval=0.5)
    assert await info(consul, session) is None


@pytest.mark.parametrize("how", ["critical", "deregistered"])
async def test_a_session_ends_with_its_check(consul: Subject, how: str) -> None:
    check = {"Name": "c", "ID": "c", "TTL": "600s", "Status": "passing"}
    await consul.api("PUT", "/v1/agent/check/register", body=check)

    async def is_passing() -> bool:
        found = await consul.api("GET", f"/v1/health/node/{NODE}")
        return any(one["CheckID"] == "c" and one["Status"] == "passing" for one in found)

    await wait_until(is_passing, what="the check stands in the catalog")
    session = await create(consul, NodeChecks=["serfHealth", "c"])
    path = "/v1/agent/check/fail/c" if how == "critical" else "/v1/agent/check/deregister/c"
    await consul.api("PUT", path)

    async def is_gone() -> bool:
        return await info(consul, session) is None

    await wait_until(is_gone, what="the session is gone")


async def test_a_session_ends_with_its_node(consul: Subject) -> None:
    await consul.api("PUT", "/v1/catalog/register", body={"Node": "away", "Address": "127.0.0.9"})
    session = await create(consul, Node="away", Checks=[])
    assert [one["ID"] for one in await consul.api("GET", "/v1/session/node/away")] == [session]
    await consul.api("PUT", "/v1/catalog/deregister", body={"Node": "away"})
    assert await info(consul, session) is None


async def test_a_critical_check_carries_no_session(consul: Subject) -> None:
    body = {
        "Node": "ill",
        "Address": "127.0.0.9",
        "Check": {"CheckID": "c", "Name": "c", "Status": "critical"},
    }
    await consul.api("PUT", "/v1/catalog/register", body=body)
    asked = {"Node": "ill", "NodeChecks": ["c"]}
    answer = await consul.call("PUT", "/v1/session/create", body=asked)
    assert (answer.status, answer.text) == (500, "apply failed: Check 'c' is in critical state")
