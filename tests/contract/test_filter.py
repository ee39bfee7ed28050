"""Filters: the same expressions keep the same, and are refused alike."""

from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pytest

from tests.contract.subject import Subject

SERVICES: tuple[dict[str, Any], ...] = (
    {
        "Name": "web",
        "Port": 80,
        "Tags": ["a", "b"],
        "Meta": {"k": "v", "n": "1"},
        "Check": {"TTL": "60s", "Notes": "of web"},
    },
    {
        "Name": "api",
        "Port": 81,
        "Address": "10.1.1.1",
        "Weights": {"Passing": 5, "Warning": 2},
        "EnableTagOverride": True,
        "Check": {"TTL": "60s", "Status": "passing"},
    },
)
LISTS: dict[str, Callable[[Any], list[str]]] = {
    "agent/services": sorted,
    "agent/checks": sorted,
    "health/state/any": lambda found: [one["CheckID"] for one in found],
    "health/service/web": lambda found: [one["Service"]["ID"] for one in found],
    "catalog/nodes": lambda found: [one["Node"] for one in found],
    "catalog/services": sorted,
    "catalog/service/web": lambda found: [one["ServiceID"] for one in found],
}


async def kept(consul: Subject, path: str, expression: str) -> list[str]:
    found = await consul.api("GET", f"/v1/{path}?filter={quote(expression)}")
    return LISTS[path](found)


@pytest.mark.parametrize(
    ("path", "expression", "names"),
    [
        ("agent/services", "Port == 80", ["web"]),
        ("agent/services", 'Meta.k == "v"', ["web"]),
        ("agent/services", 'Meta["k"] != "v"', ["api"]),
        ("agent/services", "k in Meta", ["web"]),
        ("agent/services", "Meta is empty", ["api"]),
        ("agent/services", "Weights.Passing == 5", ["api"]),
        ("agent/services", "EnableTagOverride == true", ["api"]),
        ("agent/services", "TaggedAddresses.lan_ipv4.Port == 81", ["api"]),
        ("agent/services", "TaggedAddresses.lan_ipv4.Port != 81", ["web"]),
        ("agent/checks", 'Notes == "of web"', ["service:web"]),
        ("health/state/any", "Status != passing", ["service:web"]),
        ("health/state/any", "ServiceTags contains a", ["service:web"]),
        ("health/state/any", '"a" not in ServiceTags', ["serfHealth", "service:api"]),
        ("health/state/any", "ServiceTags is not empty", ["service:web"]),
        ("health/state/any", 'Name matches "^Serf" and ExposedPort == 0', ["serfHealth"]),
        ("health/state/any", 'not (Type == "ttl" or Type == "http")', ["serfHealth"]),
        ("health/state/any", '"erf" in CheckID', ["serfHealth"]),
        ("health/state/any", "not not CheckID == `serfHealth`", ["serfHealth"]),
        ("health/service/web", "Checks.Status == critical", ["web"]),
        ("health/service/web", "not Checks.Status == critical", []),
        ("health/service/web", "Checks is empty", []),
        ("health/service/web", "Service.Port == 80 and Node.Node != x", ["web"]),
        ("catalog/nodes", "Meta is not empty", ["node-1"]),
        ("catalog/services", "ServiceTags contains b", ["web"]),
        ("catalog/service/web", 'ServiceMeta.n == "1" and ServiceProxy.Mode == ""', ["web"]),
    ],
)
async def test_what_is_kept(consul: Subject, path: str, expression: str, names: list[str]) -> None:
    for service in SERVICES:
        await consul.register(service)
    assert await kept(consul, path, expression) == names


@pytest.mark.parametrize(
    ("path", "expression", "text"),
    [
        ("health/state/any", 'Foo != "x"', 'Selector "Foo" is not valid'),
        ("health/state/any", 'Definition.HTTP == "a"', 'Selector "Definition" is not valid'),
        ("health/state/any", "CreateIndex == 1", 'Selector "CreateIndex" is not valid'),
        (
            "health/state/any",
            "Status is empty",
            'Invalid match operator "Is Empty" for selector "Status"',
        ),
        (
            "health/state/any",
            "ExposedPort == a",
            'Failed to coerce value "a" for selector "ExposedPort": strconv.ParseInt: parsing "a": invalid syntax',
        ),
        ("health/state/any", 'Name matches "("', 'Failed to compile regular expression "(": '),
        ("health/state/any", "Status != ", "1:11 (10): "),
        ("health/state/any", "Status", "1:7 (6): "),
        ("health/state/any", "Status == 'passing'", "1:11 (10): "),
        ("health/state/any", 'Status == "passing" or', "1:23 (22): "),
        ("health/state/any", '(Status == "passing"', "1:21 (20): "),
        ("health/state/any", 'Status == "pass', "1:16 (15): "),
        ("agent/services", "Foo == 1", 'Selector "Foo" is not valid'),
        ("health/service/web", "Node == a", 'Invalid match operator "Equal" for selector "Node"'),
    ],
)
async def test_what_is_refused(consul: Subject, path: str, expression: str, text: str) -> None:
    for service in SERVICES:
        await consul.register(service)
    answer = await consul.call("GET", f"/v1/{path}?filter={quote(expression)}")
    assert answer.status == 500
    assert answer.text.startswith(f"Failed to create boolean expression evaluator: {text}")
