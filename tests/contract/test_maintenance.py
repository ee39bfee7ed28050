"""Maintenance of a node and of a service, by the API and by `consul maint`."""

import pytest

from tests.contract.subject import NODE, Subject

DEFAULT = "Maintenance mode is enabled for this {}, but no reason was provided. This is a default message."


async def test_a_node_in_maintenance_is_critical(consul: Subject) -> None:
    await consul.register({"Name": "web"})
    await consul.api("PUT", "/v1/agent/maintenance?enable=true&reason=why")
    await consul.api("PUT", "/v1/agent/maintenance?enable=true&reason=other")
    check = (await consul.api("GET", f"/v1/health/node/{NODE}"))[0]
    assert (check["CheckID"], check["Name"]) == ("_node_maintenance", "Node Maintenance Mode")
    assert (check["Status"], check["Notes"], check["Type"]) == ("critical", "why", "maintenance")
    assert await consul.api("GET", "/v1/health/service/web?passing") == []
    await consul.api("PUT", "/v1/agent/maintenance?enable=false")
    await consul.api("PUT", "/v1/agent/maintenance?enable=false")
    assert len(await consul.api("GET", "/v1/health/service/web?passing")) == 1


async def test_a_service_in_maintenance_is_critical(consul: Subject) -> None:
    await consul.register({"Name": "web", "ID": "web-1"})
    await consul.register({"Name": "web", "ID": "web-2"})
    await consul.api("PUT", "/v1/agent/service/maintenance/web-1?enable=true")
    found = await consul.api("GET", "/v1/health/service/web?passing")
    assert [one["Service"]["ID"] for one in found] == ["web-2"]
    check = (await consul.api("GET", "/v1/health/checks/web"))[0]
    assert check["CheckID"] == "_service_maintenance:web-1"
    assert check["Notes"] == DEFAULT.format("service")
    await consul.api("PUT", "/v1/agent/service/maintenance/web-1?enable=false")
    assert await consul.api("GET", "/v1/health/checks/web") == []


@pytest.mark.parametrize(
    ("path", "status", "text"),
    [
        ("maintenance", 400, "Missing value for enable"),
        ("maintenance?enable=x", 400, 'Invalid value for enable: "x"'),
        ("service/maintenance/web", 400, "Missing value for enable"),
        ("service/maintenance/?enable=true", 400, "Missing service ID"),
        (
            "service/maintenance/nope?enable=true",
            404,
            'Unknown service ID "nope". Ensure that the service ID is passed, not the service name.',
        ),
    ],
)
async def test_what_is_no_maintenance(consul: Subject, path: str, status: int, text: str) -> None:
    answer = await consul.call("PUT", f"/v1/agent/{path}")
    assert (answer.status, answer.text) == (status, text)


async def test_consul_maint(consul: Subject) -> None:
    await consul.register({"Name": "web"})
    await consul.cli("maint", "-enable", "-reason", "new disk")
    await consul.cli("maint", "-enable", "-service", "web")
    shown = (await consul.cli("maint")).stdout
    assert "new disk" in shown
    assert DEFAULT.format("service") in shown
    await consul.cli("maint", "-disable")
    await consul.cli("maint", "-disable", "-service", "web")
    assert "Maintenance" not in (await consul.cli("maint")).stdout
