"""Listeners: the edge, the mesh port, an outbound port a service; no port twice."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from catalog import Instance, NodeFacts
from catalog.listeners import listeners
from catalog.policies.read import Written
from catalog.policies.upstreams import Upstreams
from catalog.services import local_services
from tests.support.catalog import FACTS, instance


def made(
    facts: NodeFacts, *instances: Instance, **destinations: dict[str, int]
) -> tuple[dict[str, Any], list[str]]:
    services, _ = local_services(instances, facts.address, facts.uid_of)
    upstreams = {
        name: Written(f"mesh/upstreams/{name}", 7, Upstreams(None, ports))
        for name, ports in destinations.items()
    }
    found, problems = listeners(facts, services, upstreams)
    return dict(found), [f"{problem.key}: {problem.message}" for problem in problems]


def port(wanted: int) -> dict[str, str]:
    return {"mesh-outbound-port": str(wanted)}


def test_a_node_listens_at_edge_mesh_and_for_each_service() -> None:
    found, problems = made(FACTS, instance("web", meta={"mesh-user": "deploy"}))
    assert found == {
        "edge": {"kind": "edge", "address": "0.0.0.0:8080", "identity": "edge"},
        "mesh": {"kind": "inbound", "address": "0.0.0.0:7443", "identity": None},
        "web": {
            "kind": "outbound",
            "address": "127.0.0.1:15001",
            "identity": "web",
            "service": "web",
            "proof": "user",
            "owners": ["10.0.0.11:9000", "127.0.0.1:9000"],
            "uids": [1001],
        },
    }
    assert problems == []


def test_a_node_without_an_edge_has_no_edge_listener() -> None:
    found, _ = made(replace(FACTS, edge_address=None, callers="port"), instance("web"))
    assert sorted(found) == ["mesh", "web"]
    assert found["web"]["proof"] == "port"


def test_nothing_listens_before_the_trust_domain_is_known() -> None:
    assert made(replace(FACTS, trust_domain=None), instance("web")) == ({}, [])


def test_the_port_of_the_registration_wins() -> None:
    found, problems = made(FACTS, instance("web", meta=port(16000)))
    assert found["web"]["address"] == "127.0.0.1:16000"
    assert problems == []


def test_a_service_without_any_port_has_no_listener() -> None:
    found, problems = made(FACTS, instance("cart"))
    assert "cart" not in found
    assert problems == []


def test_an_outbound_host_may_be_another() -> None:
    found, _ = made(replace(FACTS, outbound_host="::1"), instance("web"))
    assert found["web"]["address"] == "[::1]:15001"


def test_no_port_is_taken_twice() -> None:
    facts = replace(FACTS, outbound_ports={"cart": 15002, "shop": 15003, "web": 15001})
    found, problems = made(
        facts,
        instance("cart", meta=port(8080)),
        instance("shop", meta=port(7443), port=15003),
        instance("stock", meta=port(15001)),
        instance("stuff", meta=port(15001)),
        instance("web"),
    )
    ports = {name: one["address"].rpartition(":")[2] for name, one in found.items()}
    assert ports == {"edge": "8080", "mesh": "7443", "cart": "15002", "stock": "15001"}
    assert problems == [
        "service cart: its meta mesh-outbound-port or mesh/upstreams/cart asks for 8080, which the listener edge has",
        "service shop: its meta mesh-outbound-port or mesh/upstreams/shop asks for 7443, which the listener mesh has",
        "service shop: the outbound port 15003 is taken: the service shop itself has it",
        "service stuff: its meta mesh-outbound-port or mesh/upstreams/stuff asks for 15001, which the service stock's calls has",
        "service web: the outbound port 15001 is taken: the service stock's calls has it",
    ]


def test_a_port_of_a_destination_that_is_taken_costs_itself_alone() -> None:
    facts = replace(FACTS, outbound_ports={"cart": 15002, "web": 15001})
    destinations = {"cart": 8080, "stock": 9000, "legacy": 15001, "api": 16000, "free": 15009}
    found, problems = made(
        facts,
        instance("cart"),
        instance("stock", meta=port(16000)),
        instance("web"),
        web=destinations,
        cart={"web": 15009},
    )
    ports = {name: one["address"].rpartition(":")[2] for name, one in found.items()}
    assert ports == {
        "edge": "8080",
        "mesh": "7443",
        "cart": "15002",
        "cart:web": "15009",
        "stock": "16000",
        "web:legacy": "15001",
    }
    assert problems == [
        "mesh/upstreams/web: web can not call api at port 16000 of node-1: the service stock's calls has it",
        "mesh/upstreams/web: web can not call cart at port 8080 of node-1: the listener edge has it",
        "mesh/upstreams/web: web can not call free at port 15009 of node-1: the service cart's calls to web has it",
        "mesh/upstreams/web: web can not call stock at port 9000 of node-1: the service cart itself has it",
        "service web: the outbound port 15001 is taken: the service web's calls to legacy has it",
    ]


def test_a_service_called_mesh_gets_no_listener_of_its_own() -> None:
    found, problems = made(FACTS, instance("mesh", meta=port(16000)))
    assert found["mesh"]["kind"] == "inbound"
    assert len(problems) == 1
