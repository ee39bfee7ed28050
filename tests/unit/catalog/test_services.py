"""Local services: where they are dialled, whose sockets they own, and what their meta asks for."""

from __future__ import annotations

import pytest

from catalog import Instance
from catalog.services import LocalService, local_services, same_user
from tests.support.catalog import instance

USERS = {"deploy": 1001, "www-data": 33}


def local(*instances: Instance) -> tuple[tuple[LocalService, ...], list[str]]:
    services, problems = local_services(instances, "10.0.0.11", USERS.get)
    return services, [problem.message for problem in problems]


@pytest.mark.parametrize(
    ("node_address", "address", "meta", "addresses"),
    [
        ("10.0.0.11", "", "", ["10.0.0.11:80", "127.0.0.1:80"]),
        ("10.0.0.11", "10.0.0.11", "", ["10.0.0.11:80", "127.0.0.1:80"]),
        ("10.0.0.11", "127.0.0.1", "", ["127.0.0.1:80"]),
        ("10.0.0.11", "::1", "", ["[::1]:80"]),
        ("10.0.0.11", "172.17.0.2", "", ["10.0.0.11:80", "127.0.0.1:80"]),
        ("10.0.0.11", "0.0.0.0", "", ["10.0.0.11:80", "127.0.0.1:80"]),
        ("10.0.0.11", "cart.internal", "", ["10.0.0.11:80", "127.0.0.1:80"]),
        ("127.0.0.2", "", "", ["127.0.0.2:80"]),
        ("127.0.0.2", "127.0.0.1", "", ["127.0.0.1:80"]),
        ("fd00::1", "", "", ["[fd00::1]:80", "127.0.0.1:80"]),
        ("10.0.0.11", "", "172.17.0.2", ["172.17.0.2:80"]),
        ("10.0.0.11", "", "172.17.0.2:8000", ["172.17.0.2:8000"]),
        ("10.0.0.11", "", "[fd00::2]:8000", ["[fd00::2]:8000"]),
        ("10.0.0.11", "", "[fd00::2]", ["[fd00::2]:80"]),
        ("10.0.0.11", "", "fd00::2", ["[fd00::2]:80"]),
    ],
)
def test_an_instance_is_dialled_where_it_may_listen(
    node_address: str, address: str, meta: str, addresses: list[str]
) -> None:
    pairs = (("mesh-local-address", meta),) if meta else ()
    one = Instance("cart", "cart-1", "node-1", node_address, address, 80, meta=pairs)
    (service,), problems = local(one)
    expected = {"id": "cart-1", "addresses": addresses, "healthy": True}
    assert service.resource == {"service": "cart", "instances": [expected]}
    assert service.owners == tuple(addresses)
    assert problems == []


@pytest.mark.parametrize("meta", ["localhost", "1.2.3.4:0", "1.2.3.4:99999", "[::1", "", ":80"])
def test_a_wrong_local_address_is_named_and_not_used(meta: str) -> None:
    (service,), problems = local(instance("cart", meta={"mesh-local-address": meta}))
    assert service.owners == ("10.0.0.11:9000", "127.0.0.1:9000")
    (problem,) = problems
    assert problem == (
        f'meta mesh-local-address is "{meta}"; it is an IP address, or one with a port'
    )


@pytest.mark.parametrize(
    ("meta", "uids", "problems"),
    [
        ("1000", (1000,), 0),
        ("0", (0,), 0),
        ("deploy", (1001,), 0),
        ("deploy, 33 www-data", (1001, 33), 0),
        ("nobody-here", (), 1),
        ("4294967295", (), 1),
        ("-1 deploy", (1001,), 1),
        ("", (), 0),
    ],
)
def test_users_are_named_or_numbered(meta: str, uids: tuple[int, ...], problems: int) -> None:
    (service,), found = local(instance("cart", meta={"mesh-user": meta}))
    assert service.uids == uids
    assert len(found) == problems


@pytest.mark.parametrize(
    ("meta", "port"), [("15001", 15001), ("0", None), ("65536", None), ("web", None), ("", None)]
)
def test_an_outbound_port_is_a_port(meta: str, port: int | None) -> None:
    (service,), problems = local(instance("cart", meta={"mesh-outbound-port": meta}))
    assert service.outbound_port == port
    wrong = f'meta mesh-outbound-port is "{meta}"; it is a port, 1 to 65535'
    assert problems == ([] if port else [wrong])


def test_instances_of_one_service_share_its_listener() -> None:
    (service,), problems = local(
        instance(
            "cart", id="b", port=9001, meta={"mesh-outbound-port": "15002", "mesh-user": "33"}
        ),
        instance(
            "cart", id="a", port=9000, meta={"mesh-outbound-port": "15001"}, status="critical"
        ),
    )
    assert service.outbound_port == 15001
    assert service.uids == (33,)
    assert service.ports == {9000, 9001}
    assert service.owners[0] == "10.0.0.11:9000"
    assert [one["healthy"] for one in service.resource["instances"]] == [False, True]
    assert problems == [
        "its instances ask for different ports in meta mesh-outbound-port: 15001 is taken"
    ]


def test_a_service_the_mesh_cannot_name_is_said() -> None:
    services, problems = local(instance("my cart"))
    assert services == ()
    assert len(problems) == 1


def test_an_instance_without_a_port_is_left_out() -> None:
    (service,), problems = local(instance("cart", port=0))
    assert service.resource["instances"] == []
    assert problems == ['instance "cart-1" has no IP address and port to dial: left out']


def test_two_services_under_one_user_are_a_warning() -> None:
    services, _ = local(
        instance("cart", meta={"mesh-user": "deploy"}),
        instance("shop", meta={"mesh-user": "33"}),
        instance("web", meta={"mesh-user": "1001"}),
    )
    (problem,) = same_user(services)
    assert (problem.key, problem.severity) == ("service web", "warning")
    assert problem.message.startswith('it runs as the user 1001, as "cart" does')
