"""The agent of a node: its services and checks, how they are registered and shown."""

from typing import Any

import pytest

from tests.contract.subject import NODE, Subject, head_of
from tests.contract.test_catalog import plain

WEB: dict[str, Any] = {"Name": "web", "ID": "web-1", "Port": 80, "Tags": ["a", "b"]}


async def test_a_service_is_shown_by_its_agent(consul: Subject) -> None:
    await consul.register({**WEB, "Meta": {"k": "v"}, "EnableTagOverride": True})
    shown = {
        "ID": "web-1",
        "Service": "web",
        "Tags": ["a", "b"],
        "Meta": {"k": "v"},
        "Port": 80,
        "Address": "",
        "Weights": {"Passing": 1, "Warning": 1},
        "EnableTagOverride": True,
        "Datacenter": "dc1",
    }
    assert await consul.api("GET", "/v1/agent/services") == {"web-1": shown}
    answer = await consul.call("GET", "/v1/agent/service/web-1")
    content = head_of(answer)["x-consul-contenthash"]
    assert await consul.api("GET", "/v1/agent/service/web-1") == {**shown, "ContentHash": content}
    assert "x-consul-index" not in head_of(answer)


async def test_a_service_with_little_said_of_it(consul: Subject) -> None:
    await consul.register({"Name": "web"})
    found = await consul.api("GET", "/v1/agent/service/web")
    assert (found["ID"], found["Port"], found["Tags"], found["Meta"]) == ("web", 0, [], {})
    health = await consul.api("GET", "/v1/health/service/web")
    assert "Port" not in health[0]["Service"]
    assert health[0]["Service"]["Meta"] is None


async def test_an_address_of_its_own_is_tagged(consul: Subject) -> None:
    await consul.register({**WEB, "Address": "10.1.1.1", "Weights": {"Passing": 5, "Warning": 2}})
    found = (await consul.api("GET", "/v1/health/service/web"))[0]
    own = {"Address": "10.1.1.1", "Port": 80}
    assert found["Service"]["TaggedAddresses"] == {"lan_ipv4": own, "wan_ipv4": own}
    assert found["Service"]["Weights"] == {"Passing": 5, "Warning": 2}
    assert found["Node"]["Node"] == NODE


async def test_what_is_said_no_more_is_gone(consul: Subject) -> None:
    await consul.register({**WEB, "Address": "10.1.1.1", "Meta": {"k": "v"}})
    await consul.register({"Name": "web", "ID": "web-1"})
    service = (await consul.api("GET", "/v1/health/service/web"))[0]["Service"]
    assert (service["Tags"], service["Address"], service["Meta"]) == ([], "", None)
    assert "Port" not in service
    assert "TaggedAddresses" not in service


async def test_names_may_be_written_as_in_files(consul: Subject) -> None:
    body = {"name": "web", "port": 5, "enable_tag_override": True, "check": {"ttl": "60s"}}
    await consul.register(body)
    found = await consul.api("GET", "/v1/agent/service/web")
    assert (found["Port"], found["EnableTagOverride"]) == (5, True)
    assert list(await consul.api("GET", "/v1/agent/checks")) == ["service:web"]


async def test_checks_are_registered_with_their_service(consul: Subject) -> None:
    await consul.register(
        {
            **WEB,
            "Checks": [
                {"TTL": "30s"},
                {
                    "TCP": "127.0.0.1:1",
                    "Interval": "10m",
                    "Timeout": "1s",
                    "Name": "t",
                    "Notes": "n",
                },
                {"CheckID": "own", "TTL": "1m", "Status": "passing"},
            ],
        }
    )
    checks = await consul.api("GET", "/v1/agent/checks")
    assert list(checks) == ["own", "service:web-1:1", "service:web-1:2"]
    assert {**checks["service:web-1:2"], "Output": ""} == {
        "Node": NODE,
        "CheckID": "service:web-1:2",
        "Name": "t",
        "Status": "critical",
        "Notes": "n",
        "Output": "",
        "ServiceID": "web-1",
        "ServiceName": "web",
        "ServiceTags": ["a", "b"],
        "Type": "tcp",
        "Interval": "10m0s",
        "Timeout": "1s",
        "ExposedPort": 0,
        "Definition": {},
        "CreateIndex": 0,
        "ModifyIndex": 0,
    }
    assert checks["service:web-1:1"]["Name"] == "Service 'web' check"
    assert (checks["own"]["Status"], checks["own"]["Type"]) == ("passing", "ttl")
    assert checks["own"]["Interval"] == ""


async def test_a_check_that_comes_again_keeps_its_status(consul: Subject) -> None:
    await consul.register({**WEB, "Check": {"TTL": "60s", "Status": "passing"}})
    await consul.api("PUT", "/v1/agent/check/fail/service:web-1?note=bad")
    await consul.register({**WEB, "Port": 81, "Check": {"TTL": "60s", "Status": "passing"}})
    found = (await consul.api("GET", "/v1/health/service/web"))[0]
    assert found["Service"]["Port"] == 81
    assert (found["Checks"][-1]["Status"], found["Checks"][-1]["Output"]) == ("critical", "bad")


@pytest.mark.parametrize(
    ("query", "left"),
    [
        ("", ["new", "service:web-1"]),
        ("?replace-existing-checks", ["new"]),
        ("?replace-existing-checks=true", ["new"]),
        ("?replace-existing-checks=false", ["new", "service:web-1"]),
    ],
)
async def test_old_checks_go_where_it_is_asked_for(
    consul: Subject, query: str, left: list[str]
) -> None:
    await consul.register({**WEB, "Check": {"TTL": "60s"}})
    body = {**WEB, "Check": {"CheckID": "new", "TTL": "60s"}}
    await consul.api("PUT", f"/v1/agent/service/register{query}", body=body)
    assert list(await consul.api("GET", "/v1/agent/checks")) == left


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"ID": "x"}, "Missing service name"),
        ({"Name": "a", "Address": "0.0.0.0"}, "Invalid service address"),
        ({"Name": "a", "Foo": 1}, 'Request decode failed: json: unknown field "Foo"'),
        (
            {"Name": "a", "Port": "x"},
            "Request decode failed: json: cannot unmarshal string into Go",
        ),
        ({"Name": 5}, "Request decode failed: json: cannot unmarshal number into Go"),
        (
            {"Name": "a", "Tags": "x"},
            "Request decode failed: json: cannot unmarshal string into Go",
        ),
        ({"Name": "a", "Meta": {"a": 1}}, "Request decode failed: json: cannot unmarshal number"),
        (
            {"Name": "a", "Weights": {"Passing": -1}},
            "Invalid Weights: Passing must be greater than 0",
        ),
        (
            {"Name": "a", "Meta": {"bad key": "x"}},
            "Invalid Service Meta: Couldn't load metadata pair ('bad key', 'x'): Key contains invalid characters",
        ),
        ({"Name": "a", "Check": {"Name": "x"}}, "Invalid check: TTL must be > 0 for TTL checks"),
        (
            {"Name": "a", "Check": {"HTTP": "http://x/"}},
            "Invalid check: Interval must be > 0 for Script, HTTP, H2PING, TCP, UDP or OSService checks",
        ),
        (
            {"Name": "a", "Check": {"TTL": "1s", "Interval": "1s"}},
            "Invalid check: Interval and TTL cannot both be specified",
        ),
        (
            {"Name": "a", "Check": {"TTL": "abc"}},
            'Request decode failed: time: invalid duration "abc"',
        ),
        (
            {"Name": "a", "Check": {"TTL": "10s", "Status": "foo"}},
            "Status for checks must 'passing', 'warning', 'critical'",
        ),
        ("", "Request decode failed: EOF"),
        ("{", "Request decode failed: unexpected EOF"),
        ("[]", "Request decode failed: json: cannot unmarshal array into Go value"),
    ],
)
async def test_what_is_no_registration(consul: Subject, body: object, text: str) -> None:
    answer = await consul.call("PUT", "/v1/agent/service/register", body=body)
    assert (answer.status, answer.text.startswith(text)) == (400, True), answer.text
    assert await consul.api("GET", "/v1/agent/services") == {}


async def test_an_empty_check_is_none(consul: Subject) -> None:
    await consul.register({**WEB, "Check": {}, "Checks": []})
    assert await consul.api("GET", "/v1/agent/checks") == {}


async def test_a_service_goes_with_its_checks(consul: Subject) -> None:
    await consul.register({**WEB, "Check": {"TTL": "60s"}})
    await consul.deregister("web-1")
    assert await consul.api("GET", "/v1/agent/services") == {}
    assert await consul.api("GET", "/v1/agent/checks") == {}
    assert await consul.api("GET", "/v1/health/service/web") == []


@pytest.mark.parametrize(
    ("method", "path", "text"),
    [
        ("GET", "service/nope", "unknown service ID: nope"),
        (
            "PUT",
            "service/deregister/nope",
            'Unknown service ID "nope". Ensure that the service ID is passed, not the service name.',
        ),
        (
            "PUT",
            "check/deregister/nope",
            'Unknown check ID "nope". Ensure that the check ID is passed, not the check name.',
        ),
        (
            "PUT",
            "check/pass/nope",
            'Unknown check ID "nope". Ensure that the check ID is passed, not the check name.',
        ),
    ],
)
async def test_what_the_agent_does_not_know(
    consul: Subject, method: str, path: str, text: str
) -> None:
    answer = await consul.call(method, f"/v1/agent/{path}")
    assert (answer.status, answer.text) == (404, text)


async def test_an_agent_shows_only_its_own(consul: Subject) -> None:
    await consul.api(
        "PUT",
        "/v1/catalog/register",
        body={"Node": "ext", "Address": "1.2.3.4", "Service": {"Service": "db"}},
    )
    assert await consul.api("GET", "/v1/agent/services") == {}
    assert await consul.api("GET", "/v1/agent/checks") == {}


async def test_an_agents_lists_can_be_filtered(consul: Subject) -> None:
    await consul.register({**WEB, "Check": {"TTL": "60s"}})
    await consul.register({"Name": "api", "Port": 81, "Check": {"TTL": "60s"}})
    assert list(await consul.api("GET", "/v1/agent/services?filter=Port==81")) == ["api"]
    assert list(await consul.api("GET", '/v1/agent/checks?filter=ServiceID=="web-1"')) == [
        "service:web-1"
    ]


async def test_the_health_of_a_service_is_a_status_of_http(consul: Subject) -> None:
    await consul.register({**WEB, "Check": {"TTL": "60s", "Status": "passing"}})

    async def asked(path: str) -> tuple[int, str]:
        answer = await consul.call("GET", f"/v1/agent/health/service/{path}?format=text")
        return answer.status, answer.text

    assert await asked("id/web-1") == (200, "passing")
    await consul.api("PUT", "/v1/agent/check/warn/service:web-1")
    assert await asked("name/web") == (429, "warning")
    await consul.api("PUT", "/v1/agent/check/fail/service:web-1")
    assert await asked("name/web") == (503, "critical")
    assert await asked("name/nope") == (404, "ServiceName nope Not Found")
    assert await asked("id/nope") == (404, "ServiceId nope not found")
    answer = await consul.call("GET", "/v1/agent/health/service/id/web-1")
    assert head_of(answer)["x-consul-reason"] == "critical"
    assert answer.text.startswith('{"AggregatedStatus":"critical","Service":{"ID":"web-1"')


async def test_a_check_stands_on_its_own_too(consul: Subject) -> None:
    await consul.register(WEB)
    body = {"Name": "mem", "TTL": "60s", "Notes": "x"}
    await consul.api("PUT", "/v1/agent/check/register", body=body)
    own = {"ID": "of-web", "Name": "w", "TTL": "60s", "ServiceID": "web-1", "Status": "passing"}
    await consul.api("PUT", "/v1/agent/check/register", body=own)
    checks = plain(await consul.api("GET", "/v1/agent/checks"))
    assert (checks["mem"]["ServiceID"], checks["mem"]["Interval"]) == ("", "0s")
    assert (checks["of-web"]["ServiceName"], checks["of-web"]["Status"]) == ("web", "passing")
    health = await consul.api("GET", "/v1/health/service/web")
    ids = [check["CheckID"] for check in health[0]["Checks"]]
    assert ids == ["mem", "serfHealth", "of-web"]


@pytest.mark.parametrize(
    ("body", "status", "text"),
    [
        ({"TTL": "20s"}, 400, "Missing check name"),
        ({"Name": "z"}, 400, "Invalid check: TTL must be > 0 for TTL checks"),
        ({"Name": "z", "TTL": "10s", "Status": "t"}, 400, "Bad check status"),
        (
            {"Name": "z", "TTL": "10s", "ServiceID": "nope"},
            404,
            'ServiceID "nope" does not exist',
        ),
    ],
)
async def test_what_is_no_check(
    consul: Subject, body: dict[str, str], status: int, text: str
) -> None:
    answer = await consul.call("PUT", "/v1/agent/check/register", body=body)
    assert (answer.status, answer.text) == (status, text)
