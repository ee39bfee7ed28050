"""What a node says of its listeners: when it is ready, and where its services call others."""

from __future__ import annotations

import pytest

from catalog import Snapshot
from meshnode.agent.delivery import Delivery
from meshnode.agent.view_of import is_ready, outbound
from meshnode.proxy.documents import Listener, ListenerState

LISTENERS = {
    "edge": {"kind": "edge"},
    "mesh": {"kind": "inbound"},
    "tcp:5432": {"kind": "edge", "protocol": "tcp"},
    "web": {"kind": "outbound"},
    "web:db": {"kind": "outbound", "protocol": "tcp"},
}


def delivered(**states: ListenerState) -> Delivery:
    delivery = Delivery(None)
    delivery.in_force = Snapshot(1, "sha256:1", {"listeners": LISTENERS})
    delivery.listeners = tuple(
        Listener(name, states.get(name.partition(":")[0], "open"), f"127.0.0.1:{at}", None)
        for at, name in enumerate(LISTENERS, start=1)
    )
    return delivery


@pytest.mark.parametrize(
    ("states", "ready"), [({}, True), ({"tcp": "failed"}, True), ({"edge": "failed"}, False)]
)
def test_the_port_of_a_route_is_no_matter_of_the_nodes_readiness(
    states: dict[str, ListenerState], *, ready: bool
) -> None:
    assert is_ready(delivered(**states)) is ready


def test_the_port_of_a_route_is_nobodys_calls() -> None:
    assert [name for name, _ in outbound(delivered())] == ["web", "web:db"]
