"""Updates make the next state; one that says nothing new makes none."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog import (
    DefaultIntentionUpdate,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    LocalServicesUpdate,
    NodesUpdate,
    ServicesUpdate,
    Snapshot,
    Staleness,
    State,
    UnhealthyCheck,
    UnhealthyUpdate,
    Update,
)
from catalog.model import Status
from tests.support.catalog import instance, intention, kv, mesh_node

CART = (instance("cart", "node-1"), instance("cart", "node-2"))


def check(node: str, status: Status, service_id: str = "", service: str = "") -> UnhealthyCheck:
    return UnhealthyCheck(node, "c:" + service_id, "http", service_id, service, status, "timeout")


def statuses(state: State) -> list[str]:
    return [one.status for one in state.instances["cart"]]


@pytest.mark.parametrize(
    "update",
    [
        kv({"routes/a": "a/ -> b"}),
        ServicesUpdate((("cart", ()),), 10),
        NodesUpdate((mesh_node("node-1"),), 10),
        IntentionsUpdate((intention("cart", web="deny"),), 10),
        UnhealthyUpdate((check("node-1", "critical"),), 10),
        InstancesUpdate("cart", CART, 10),
        LocalServicesUpdate(CART[:1]),
        DefaultIntentionUpdate("deny", "acl.default_policy"),
        Staleness(12.5, "Consul is away"),
    ],
    ids=lambda update: type(update).__name__,
)
def test_an_update_changes_the_state_once(update: Update) -> None:
    once = State().apply(update)
    assert once != State()
    assert once.apply(update) is once


def test_keys_of_other_prefixes_are_not_ours() -> None:
    state = State()
    for prefix in ("meshnode/status/", "meshnode/ca/"):
        assert state.apply(KvUpdate(prefix, (), 7)) is state


@pytest.mark.parametrize(
    ("checks", "expected"),
    [
        ((), ["passing", "passing"]),
        ((check("node-1", "critical", "cart-1", "cart"),), ["critical", "passing"]),
        ((check("node-1", "warning", "cart-1", "cart"),), ["warning", "passing"]),
        ((check("node-2", "critical"),), ["passing", "critical"]),
        ((check("node-2", "maintenance"),), ["passing", "maintenance"]),
        ((check("node-1", "critical", "cart-2", "cart"),), ["passing", "passing"]),
        ((check("node-1", "warning"), check("node-1", "critical", "cart-1")), ["critical", "passing"]),
    ],
)  # fmt: skip
def test_an_instance_has_the_worst_status_of_its_checks(
    checks: tuple[UnhealthyCheck, ...], expected: list[str]
) -> None:
    state = State().apply(InstancesUpdate("cart", CART, 10)).apply(UnhealthyUpdate(checks, 11))
    assert statuses(state) == expected
    assert statuses(state.apply(UnhealthyUpdate((), 12))) == ["passing", "passing"]


def test_the_newer_of_sweep_and_watch_decides() -> None:
    sick = tuple(replace(one, status="critical") for one in CART)
    state = State().apply(UnhealthyUpdate((), 20))
    assert statuses(state.apply(InstancesUpdate("cart", sick, 19))) == ["passing", "passing"]
    ahead = state.apply(InstancesUpdate("cart", sick, 21))
    assert statuses(ahead) == ["critical", "critical"]
    behind = ahead.apply(UnhealthyUpdate((check("node-1", "critical", "cart-1", "cart"),), 22))
    assert statuses(behind) == ["critical", "passing"]


def test_unhealthy_checks_leave_other_services_the_same_objects() -> None:
    state = (
        State()
        .apply(UnhealthyUpdate((), 9))
        .apply(InstancesUpdate("cart", CART, 8))
        .apply(InstancesUpdate("stock", (instance("stock", "node-3"),), 8))
    )
    after = state.apply(UnhealthyUpdate((check("node-1", "critical", "cart-1", "cart"),), 10))
    assert after.instances["stock"] is state.instances["stock"]
    assert after.instances["cart"][1] is state.instances["cart"][1]


def test_local_services_are_people_s_own_with_their_status() -> None:
    local = (
        instance("cart"),
        instance("consul"),
        instance("edge"),
        instance("meshnode"),
        instance("cart-sidecar-proxy", kind="connect-proxy"),
    )
    state = State().apply(LocalServicesUpdate(local))
    assert [one.service for one in state.local_services] == ["cart"]
    state = state.apply(UnhealthyUpdate((check("node-1", "critical", "cart-1", "cart"),), 10))
    assert [one.status for one in state.local_services] == ["critical"]
    assert state.apply(LocalServicesUpdate(())).local_services == ()


def test_a_restored_state_judges_the_first_answer() -> None:
    routes = {
        name: {
            "key": f"mesh/routes/{name}",
            "index": 7,
            "hosts": ["a"],
            "path": {"prefix": f"/{name}"},
            "action": {"split": [{"cluster": "cart", "weight": 1}]},
        }
        for name in ("x", "y")
    }
    state = State.restored(Snapshot(3, "sha256:0", {"routes": routes}))
    assert [(one.key, one.modify_index) for one in state.keys.entries] == [
        ("mesh/routes/x", 7),
        ("mesh/routes/y", 7),
    ]
    assert len(state.apply(kv({}, 5)).keys.entries) == 2
    assert len(state.apply(kv({"routes/x": "a/x -> cart"}, 5)).keys.entries) == 1
