"""Destinations: which instances may be used, and the way to each."""

from __future__ import annotations

from typing import Any

import pytest

from catalog.clusters import cluster, mesh_nodes
from catalog.model import Instance, Status
from tests.support.catalog import instance, mesh_node

NODES = mesh_nodes((mesh_node("node-1"), mesh_node("node-2", status="critical")))


def endpoints(*instances: Instance) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = cluster(
        "cart", instances, NODES, "node-1", exists=True
    ).rendered.resource["endpoints"]
    return made


def test_the_way_to_an_instance_is_by_its_node() -> None:
    made = cluster(
        "cart",
        (instance("cart", "old-box"), instance("cart", "node-2"), instance("cart", "node-1")),
        NODES,
        "node-1",
        exists=True,
    )
    assert made.rendered.resource == {
        "service": "cart",
        "exists": True,
        "instances": 3,
        "endpoints": [
            {"id": "cart-1", "node": "node-1", "address": "10.0.0.11:9000", "weight": 1, "via": "local"},
            {"id": "cart-2", "node": "node-2", "address": "10.0.0.12:9000", "weight": 1, "via": "mesh",
             "mesh_address": "10.0.0.12:7443"},
            {"id": "cart-x", "node": "old-box", "address": "10.0.0.44:9000", "weight": 1, "via": "clear"},
        ],
    }  # fmt: skip
    assert made.clear == (("cart", "cart-x", "10.0.0.44:9000", "old-box"),)
    assert made.problems == ()


@pytest.mark.parametrize(
    ("status", "weight"), [("passing", 5), ("warning", 2), ("critical", 0), ("maintenance", 0)]
)
def test_the_weight_is_that_of_the_status(status: Status, weight: int) -> None:
    found = endpoints(instance("cart", "node-2", status=status, weight=5, weight_warning=2))
    assert [one["weight"] for one in found] == ([weight] if weight else [])


def test_a_weight_of_zero_is_not_to_be_used() -> None:
    assert endpoints(instance("cart", "node-2", weight=0)) == []
    assert endpoints(instance("cart", "node-2", status="warning", weight_warning=0)) == []


@pytest.mark.parametrize(
    ("address", "port", "expected"),
    [
        ("", 80, "10.0.0.12:80"),
        ("10.9.9.9", 80, "10.9.9.9:80"),
        ("0.0.0.0", 80, "10.0.0.12:80"),
        ("::", 80, "10.0.0.12:80"),
        ("fd00::0:1", 80, "[fd00::1]:80"),
        ("cart.internal", 80, None),
        ("fe80::1%eth0", 80, None),
        ("10.0.0.256", 80, None),
        ("", 0, None),
        ("", 70_000, None),
    ],
)
def test_only_ip_addresses_with_a_port_are_dialled(
    address: str, port: int, expected: str | None
) -> None:
    found = instance("cart", "node-2", address=address, port=port)
    assert [one["address"] for one in endpoints(found)] == ([expected] if expected else [])


def test_what_is_left_out_is_one_problem_a_service() -> None:
    bad = tuple(instance("cart", "node-2", id=f"c{n}", address="cart.internal") for n in range(3))
    made = cluster("cart", (*bad, instance("cart", "node-1")), NODES, "node-1", exists=True)
    (problem,) = made.problems
    assert problem.key == "service cart"
    assert problem.message == (
        'left out: instance "c0" on node-2 has the address "cart.internal:9000"; '
        "an IP address and a port are needed (and 2 more)"
    )


def test_a_node_of_the_mesh_is_never_reached_in_clear() -> None:
    nodes = mesh_nodes((instance("meshnode", "node-2", address="node-2.internal", port=7443),))
    made = cluster("cart", (instance("cart", "node-2"),), nodes, "node-1", exists=True)
    assert made.rendered.resource["endpoints"] == []
    assert "in the mesh" in made.problems[0].message


def test_a_second_registration_of_a_node_mends_a_bad_one() -> None:
    bad = instance("meshnode", "node-2", id="a", address="node-2.internal")
    assert mesh_nodes((bad, mesh_node("node-2")))["node-2"] == "10.0.0.12:7443"


def test_an_instance_shows_a_service_the_catalog_did_not_list_yet() -> None:
    made = cluster("cart", (instance("cart"),), NODES, "node-1", exists=False)
    assert made.rendered.resource["exists"] is True
    made = cluster("cart", (), NODES, "node-1", exists=False)
    assert made.rendered.resource["exists"] is False


@pytest.mark.parametrize("id_", ["", " a", "a\n", "a\x00", "x" * 513])
def test_ids_no_proxy_takes_are_left_out(id_: str) -> None:
    bad = Instance("cart", id_, "node-2", "10.0.0.12", port=80)
    made = cluster("cart", (bad,), NODES, "node-1", exists=True)
    assert made.rendered.resource["endpoints"] == []
    assert made.problems[0].message.isprintable()
