"""Who runs where for any number of nodes, and the ports that move when they are taken."""

import socket
from collections.abc import Iterator, Sequence

import pytest

from meshnode.dev import MAX_NODES
from meshnode.dev.addresses import FRONT_DOOR, Moved, Ports, addresses_here, is_free
from meshnode.dev.plan import Place, Plan, embedded_places, node_addresses, plan_of
from meshnode.dev.programs import telemetry
from meshnode.errors import StartError
from tests.support import free_port


@pytest.fixture
def ports() -> Iterator[Ports]:
    ports = Ports()
    yield ports
    ports.close()


def plan(count: int, ports: Ports) -> Plan:
    registry, places = embedded_places(node_addresses(count), ports)
    return plan_of(registry, places, ports)


@pytest.mark.parametrize(
    ("count", "homes"),
    [
        (1, [["front", "cart", "cart-next", "stock"]]),
        (2, [["front", "stock"], ["cart", "cart-next"]]),
        (3, [["front"], ["cart", "cart-next"], ["stock"]]),
        (5, [["front"], ["cart", "cart-next"], ["stock"], [], []]),
    ],
)
def test_services_find_a_home_on_any_number_of_nodes(
    count: int, homes: list[list[str]], ports: Ports
) -> None:
    nodes = plan(count, ports).nodes
    assert [[one.name for one in node.services] for node in nodes] == homes
    assert [node.place.address for node in nodes] == [f"127.0.0.{11 + n}" for n in range(count)]
    assert [node.edge is not None for node in nodes] == [True] + [False] * (count - 1)


@pytest.mark.parametrize("addresses", [node_addresses(MAX_NODES), [FRONT_DOOR]], ids=len)
def test_no_two_listeners_have_one_address(addresses: Sequence[str], ports: Ports) -> None:
    made = plan_of(*embedded_places(addresses, ports), ports)
    taken = [one for node in made.nodes for one in (node.edge, node.mesh, node.admin) if one]
    # The registry answers there once, where a node's address is the one people type.
    taken += {made.registry, *(node.place.registry for node in made.nodes)}
    for node in made.nodes:
        for service in node.services:
            taken += [f"{node.place.host}:{service.port}"]
            taken += [f"{node.place.host}:{service.outbound_port}"]
    assert len(taken) == len(set(taken))


def test_consul_agents_with_one_address_get_ports_of_their_own(ports: Ports) -> None:
    places = [Place(f"n{n}", "127.0.0.1", f"127.0.0.1:{n}") for n in (1, 2)]
    one, other = plan_of("127.0.0.1:1", places, ports).nodes
    assert one.mesh != other.mesh
    assert one.admin != other.admin


def test_services_of_a_node_with_an_outside_address_stay_on_loopback() -> None:
    assert Place("n", "10.0.0.5", "127.0.0.1:8500").host == "127.0.0.1"
    assert Place("n", "127.0.0.12", "127.0.0.1:8500").host == "127.0.0.12"


def test_a_taken_port_moves_and_is_told(ports: Ports) -> None:
    wanted = free_port()
    with socket.create_server(("127.0.0.1", wanted)):
        assert not is_free("127.0.0.1", wanted)
        port = ports.choose("the edge", wanted, ["127.0.0.1"])
    assert port > wanted
    assert ports.moved == [Moved("the edge", wanted, port, is_typed=False)]


def test_two_demos_never_choose_one_port(ports: Ports) -> None:
    other = Ports()
    wanted = free_port()
    try:
        chosen = [one.choose("the edge", wanted, ["127.0.0.1"]) for one in (ports, other)]
    finally:
        other.close()
    assert len(set(chosen)) == 2


def test_addresses_the_machine_lacks_are_a_sentence_and_one_node_needs_none() -> None:
    assert addresses_here(["127.0.0.11", "127.0.0.12"]) == ["127.0.0.11", "127.0.0.12"]
    lacking = r"no 203\.0\.113\.1 or 203\.0\.113\.2 for the nodes: .* \(--nodes 1\)"
    with pytest.raises(StartError, match=lacking):
        addresses_here(["203.0.113.1", "127.0.0.12", "203.0.113.2"])
    assert addresses_here(["203.0.113.1"]) == [FRONT_DOOR]


@pytest.mark.parametrize(
    ("given", "url", "protocol"),
    [
        ("127.0.0.1:4317", "http://127.0.0.1:4317", "grpc"),
        ("127.0.0.1:4318", "http://127.0.0.1:4318", "http/protobuf"),
        ("http://jaeger:4317", "http://jaeger:4317", "grpc"),
        ("http://jaeger:9999", "http://jaeger:9999", "http/protobuf"),
        ("https://host/otlp", "https://host/otlp", "http/protobuf"),
    ],
)
def test_a_receiver_is_spoken_to_by_its_own_protocol(given: str, url: str, protocol: str) -> None:
    told = telemetry(given)
    assert told["OTEL_EXPORTER_OTLP_ENDPOINT"] == url
    assert told["OTEL_EXPORTER_OTLP_PROTOCOL"] == protocol
