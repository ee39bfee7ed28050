"""Checks that are run: heartbeats and their end, HTTP, TCP, aliases; and what hangs on them."""

from typing import Any

import pytest

from tests.contract.subject import Subject, index_of
from tests.contract.test_blocking import index_at, waiting
from tests.support.ports import free_port
from tests.support.process import wait_until

WAIT_S = 60.0


async def status_of(consul: Subject, check_id: str) -> str:
    """In the catalog, not the agent's own view."""
    checks = await consul.api("GET", "/v1/health/state/any")
    return next((str(one["Status"]) for one in checks if one["CheckID"] == check_id), "")


async def becomes(consul: Subject, check_id: str, status: str) -> None:
    async def is_so() -> bool:
        return await status_of(consul, check_id) == status

    await wait_until(is_so, WAIT_S, what=f"{check_id} is {status}")


async def register(consul: Subject, service: str, check: dict[str, Any]) -> None:
    body = {"Name": service, "Port": 1, "Check": {"CheckID": f"c-{service}", **check}}
    await consul.register(body)


@pytest.mark.parametrize(
    ("call", "status"), [("pass", "passing"), ("warn", "warning"), ("fail", "critical")]
)
async def test_a_heartbeat_sets_status_and_note(consul: Subject, call: str, status: str) -> None:
    await register(consul, "s", {"TTL": "60s"})
    await consul.api("PUT", f"/v1/agent/check/{call}/c-s?note=so%20it%20is")
    check = (await consul.api("GET", "/v1/agent/checks"))["c-s"]
    assert (check["Status"], check["Output"]) == (status, "so it is")
    assert await status_of(consul, "c-s") == status


async def test_an_update_sets_status_and_output(consul: Subject) -> None:
    await register(consul, "s", {"TTL": "60s"})
    body = {"Status": "passing", "Output": "x" * 5000}
    await consul.api("PUT", "/v1/agent/check/update/c-s", body=body)
    check = (await consul.api("GET", "/v1/agent/checks"))["c-s"]
    assert check["Status"] == "passing"
    assert check["Output"] == "x" * 4096 + " ... (captured 4096 of 5000 bytes)"


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"Status": "x"}, "Invalid check status: 'x'"),
        ("{", "Request decode failed: unexpected EOF"),
    ],
)
async def test_what_is_no_update(consul: Subject, body: object, text: str) -> None:
    await register(consul, "s", {"TTL": "60s"})
    answer = await consul.call("PUT", "/v1/agent/check/update/c-s", body=body)
    assert (answer.status, answer.text) == (400, text)


async def test_a_heartbeat_that_says_the_same_moves_no_index(consul: Subject) -> None:
    await register(consul, "s", {"TTL": "60s"})
    await consul.api("PUT", "/v1/agent/check/pass/c-s?note=a")
    index = await index_at(consul, "/v1/health/service/s")
    await consul.api("PUT", "/v1/agent/check/pass/c-s?note=a")
    assert await index_at(consul, "/v1/health/service/s") == index


async def test_a_check_without_a_heartbeat_is_critical(consul: Subject) -> None:
    await register(consul, "s", {"TTL": "1s", "Status": "passing"})
    await consul.api("PUT", "/v1/agent/check/pass/c-s?note=was%20well")
    await becomes(consul, "c-s", "critical")
    check = (await consul.api("GET", "/v1/agent/checks"))["c-s"]
    assert check["Output"] == "TTL expired (last output before timeout follows): was well"
    await consul.api("PUT", "/v1/agent/check/pass/c-s")
    assert await status_of(consul, "c-s") == "passing"


async def test_a_missed_heartbeat_wakes_who_waits(consul: Subject) -> None:
    await register(consul, "s", {"TTL": "1s", "Status": "passing"})
    await becomes(consul, "c-s", "critical")
    await consul.api("PUT", "/v1/agent/check/pass/c-s")
    path = "/v1/health/service/s?passing"
    index = await index_at(consul, path)
    async with waiting(consul, path, index) as task:
        woken = await task
    assert index_of(woken) > index
    assert woken.text.strip() == "[]"


async def test_only_a_ttl_check_takes_heartbeats(consul: Subject) -> None:
    await register(consul, "s", {"TCP": "127.0.0.1:1", "Interval": "60s"})
    answer = await consul.call("PUT", "/v1/agent/check/pass/c-s")
    assert (answer.status, answer.text) == (500, 'CheckID "c-s" does not have associated TTL')


async def test_a_service_is_looked_at_by_http(consul: Subject) -> None:
    url = f"http://{consul.http_address()}/v1/status/leader"
    await register(consul, "s", {"HTTP": url, "Interval": "1s", "Timeout": "5s"})
    await becomes(consul, "c-s", "passing")
    check = (await consul.api("GET", "/v1/agent/checks"))["c-s"]
    assert check["Output"].startswith(f"HTTP GET {url}: 200 OK Output: ")
    assert check["Type"] == "http"
    await register(consul, "s", {"HTTP": f"{url}/none", "Interval": "1s", "Method": "post"})
    await becomes(consul, "c-s", "critical")


async def test_a_service_is_looked_at_by_tcp(consul: Subject) -> None:
    address = consul.http_address()
    await register(consul, "s", {"TCP": address, "Interval": "1s"})
    await becomes(consul, "c-s", "passing")
    check = (await consul.api("GET", "/v1/agent/checks"))["c-s"]
    assert check["Output"] == f"TCP connect {address}: Success"
    closed = f"127.0.0.1:{free_port()}"
    await register(consul, "s", {"TCP": closed, "Interval": "1s"})
    await becomes(consul, "c-s", "critical")

    async def says_why() -> bool:
        output = (await consul.api("GET", "/v1/agent/checks"))["c-s"]["Output"]
        return bool(output == f"dial tcp {closed}: connect: connection refused")

    await wait_until(says_why, WAIT_S, what="the output says why")


async def test_warnings_come_before_failures(consul: Subject) -> None:
    body = {"Name": "x", "TCP": "127.0.0.1:1", "Interval": "1s", "FailuresBeforeWarning": 2}
    answer = await consul.call("PUT", "/v1/agent/check/register", body=body)
    words = "Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical"
    assert (answer.status, answer.text) == (400, words)


async def test_an_alias_follows_what_it_stands_for(consul: Subject) -> None:
    await register(consul, "s", {"TTL": "60s", "Status": "passing"})
    await register(consul, "other", {"AliasService": "s"})
    await becomes(consul, "c-other", "passing")
    await consul.api("PUT", "/v1/agent/check/fail/c-s?note=bad")
    await becomes(consul, "c-other", "critical")
    check = (await consul.api("GET", "/v1/agent/checks"))["c-other"]
    assert check["Output"] == "Aliased check \"Service 's' check\" failing: bad"
    await consul.api("PUT", "/v1/agent/check/warn/c-s?note=hm")
    await becomes(consul, "c-other", "warning")
    await consul.api("PUT", "/v1/agent/check/pass/c-s")
    await becomes(consul, "c-other", "passing")


async def test_an_alias_of_nothing_is_critical(consul: Subject) -> None:
    await register(consul, "other", {"AliasService": "s"})
    await becomes(consul, "c-other", "critical")
    check = (await consul.api("GET", "/v1/agent/checks"))["c-other"]
    assert check["Output"] == "Service s could not be found on node "


async def test_a_session_ends_with_its_check(consul: Subject) -> None:
    await register(consul, "s", {"TTL": "60s", "Status": "passing"})
    body = {"NodeChecks": ["serfHealth"], "ServiceChecks": [{"ID": "c-s"}], "LockDelay": "0s"}
    made = await consul.api("PUT", "/v1/session/create", body=body)
    assert await consul.api("PUT", f"/v1/kv/lock?acquire={made['ID']}", body="x")
    await consul.api("PUT", "/v1/agent/check/fail/c-s")
    assert await consul.api("GET", f"/v1/session/info/{made['ID']}") == []
    assert "Session" not in (await consul.api("GET", "/v1/kv/lock"))[0]


async def test_a_session_ends_with_its_node(consul: Subject) -> None:
    await consul.api("PUT", "/v1/catalog/register", body={"Node": "ext", "Address": "1.2.3.4"})
    body = {"Node": "ext", "NodeChecks": [], "Behavior": "delete"}
    made = await consul.api("PUT", "/v1/session/create", body=body)
    assert await consul.api("PUT", f"/v1/kv/lock?acquire={made['ID']}", body="x")
    await consul.api("PUT", "/v1/catalog/deregister", body={"Node": "ext"})
    assert await consul.api("GET", "/v1/kv/lock") is None
