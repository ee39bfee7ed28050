"""Health: by service, node and state, and what may be chosen of it."""

from typing import Any

import pytest

from tests.contract.subject import NODE, Subject, head_of

WEB: dict[str, Any] = {"Name": "web", "Port": 80, "Tags": ["a"]}


async def test_passing_leaves_out_what_is_not_well(consul: Subject) -> None:
    await consul.register({**WEB, "ID": "well", "Check": {"TTL": "60s", "Status": "passing"}})
    await consul.register({**WEB, "ID": "ill", "Check": {"TTL": "60s", "Status": "warning"}})

    async def ids(query: str) -> list[str]:
        found = await consul.api("GET", f"/v1/health/service/web{query}")
        return [one["Service"]["ID"] for one in found]

    assert await ids("") == ["ill", "well"]
    assert await ids("?passing") == ["well"]
    assert await ids("?passing=true") == ["well"]
    assert await ids("?passing=0") == ["ill", "well"]
    answer = await consul.call("GET", "/v1/health/service/web?passing=x")
    assert (answer.status, answer.text) == (400, "Invalid value for ?passing")


async def test_the_nodes_checks_count_for_its_services(consul: Subject) -> None:
    await consul.register({**WEB, "Check": {"TTL": "60s", "Status": "passing"}})
    body = {"Name": "disk", "TTL": "60s", "Status": "critical"}
    await consul.api("PUT", "/v1/agent/check/register", body=body)
    assert await consul.api("GET", "/v1/health/service/web?passing") == []
    found = await consul.api("GET", "/v1/health/service/web")
    ids = [check["CheckID"] for check in found[0]["Checks"]]
    assert ids == ["disk", "serfHealth", "service:web"]


async def test_checks_are_listed_by_what_they_are_of(consul: Subject) -> None:
    await consul.register({**WEB, "Check": {"TTL": "60s"}})

    async def ids(path: str) -> list[str]:
        return [one["CheckID"] for one in await consul.api("GET", f"/v1/health/{path}")]

    assert await ids("checks/web") == ["service:web"]
    assert await ids(f"node/{NODE}") == ["serfHealth", "service:web"]
    assert await ids("state/critical") == ["service:web"]
    assert await ids("state/passing") == ["serfHealth"]
    assert await ids("state/any") == ["serfHealth", "service:web"]
    assert await ids("state/nonsense") == []
    assert await ids("checks/none") == []
    assert await ids("node/none") == []
    assert await ids("service/none") == []
    assert await ids("connect/web") == []


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("service/", "service name"),
        ("checks/", "service name"),
        ("node/", "node name"),
        ("state/", "check state"),
    ],
)
async def test_a_name_is_needed(consul: Subject, path: str, what: str) -> None:
    answer = await consul.call("GET", f"/v1/health/{path}")
    assert (answer.status, answer.text) == (400, f"Missing {what}")


@pytest.mark.parametrize("query", ["", "?stale", "?consistent"])
async def test_a_read_says_how_it_was_made(consul: Subject, query: str) -> None:
    head = head_of(await consul.call("GET", f"/v1/health/state/any{query}"))
    assert int(head["x-consul-index"]) > 0
    assert (head["x-consul-knownleader"], head["x-consul-lastcontact"]) == ("true", "0")
    assert head["content-type"] == "application/json"
