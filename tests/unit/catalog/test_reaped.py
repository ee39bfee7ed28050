"""What a restarted server reaps is kept until it is back; what is deregistered goes."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from catalog.client import ConsulClient
from catalog.health import check_table, swept
from catalog.model import Instance
from catalog.reaped import ReapedNodes
from catalog.update import (
    InstancesUpdate,
    LocalServicesUpdate,
    NodesUpdate,
    UnhealthyCheck,
    UnhealthyUpdate,
)
from tests.support.fake_consul import FakeConsul, Scripted

from .watching import PATIENCE_S, Told, watching

WEB = "/v1/health/service/web"
NODES = "/v1/health/service/meshnode"
KNOWN, ANEW = 5, 9
"""Indexes at which node-2 came into the catalog."""


def registered(service: str = "web", node: str = "node-2", created: int = KNOWN) -> dict[str, Any]:
    return {
        "Node": {"Node": node, "Address": "10.0.0.2", "CreateIndex": created},
        "Service": {"ID": f"{service}-1", "Service": service, "Port": 80, "Address": ""},
        "Checks": [],
    }


def node_document(created: int) -> dict[str, Any]:
    return {
        "Node": {"Node": "node-2", "Address": "10.0.0.2", "CreateIndex": created},
        "Services": {},
    }


def web_of(told: Told) -> tuple[tuple[str, ...], frozenset[tuple[str, str]]]:
    """The ids of the last update, and what of them is kept."""
    update = [
        one for one in told.updates if isinstance(one, InstancesUpdate) and one.service == "web"
    ][-1]
    return tuple(one.id for one in update.instances), update.kept


async def outage(fake: FakeConsul, told: Told) -> None:
    fake.script("/v1/status/leader", *[Scripted(status=500)] * 2)
    await told.until(lambda: told.is_stale, "the outage")
    await told.until(lambda: not told.is_stale, "its end")


def lose(fake: FakeConsul, node: dict[str, Any] | None) -> None:
    """The service is gone, `node` is what the catalog has of its node."""
    fake.set("/v1/catalog/node/node-2", node)
    fake.set(WEB, [])
    fake.set("/v1/catalog/services", {"consul": []})


@pytest.mark.parametrize("node", [None, node_document(ANEW)], ids=["gone", "come again"])
async def test_an_instance_that_went_with_its_node_is_kept(node: dict[str, Any] | None) -> None:
    async with FakeConsul() as fake:
        fake.set(WEB, [registered()])
        async with watching(fake) as told:
            told.watches.name_services(frozenset({"web"}))
            await asyncio.wait_for(told.watches.named_complete(), PATIENCE_S)
            await outage(fake, told)
            lose(fake, node)
            await told.until(lambda: web_of(told)[1], "the update that keeps it")
            assert web_of(told) == (("web-1",), frozenset({("node-2", "web-1")}))
            fake.set(WEB, [registered(created=ANEW)])
            fake.set("/v1/catalog/services", {"consul": [], "web": []})
            await told.until(lambda: web_of(told) == (("web-1",), frozenset()), "it is back")


@pytest.mark.parametrize("was_away", [True, False])
async def test_a_deregistered_instance_goes_at_once(was_away: bool) -> None:  # noqa: FBT001
    """Its node stands; and where Consul was well all the time, a node that is gone is gone."""
    async with FakeConsul() as fake:
        fake.set(WEB, [registered()])
        async with watching(fake) as told:
            told.watches.name_services(frozenset({"web"}))
            await asyncio.wait_for(told.watches.named_complete(), PATIENCE_S)
            if was_away:
                await outage(fake, told)
            lose(fake, node_document(KNOWN) if was_away else None)
            await told.until(lambda: web_of(told) == ((), frozenset()), "it is gone")


async def test_what_is_not_back_in_time_is_gone() -> None:
    instance = Instance("web", "web-1", "node-2", "10.0.0.2", node_create_index=KNOWN)
    async with FakeConsul() as fake, ConsulClient(fake.address) as client:
        fake.set("/v1/catalog/node/node-2", None)
        reaped = ReapedNodes(client, lambda: True, kept_s=0.05)
        assert reaped.due_s() is None
        assert await reaped.kept([instance], []) == (instance,)
        assert await reaped.kept([instance], [instance]) == ()
        due_s = reaped.due_s()
        assert due_s is not None
        await asyncio.sleep(due_s)
        assert reaped.due_s() == 0
        reaped.forget_due()
        assert reaped.due_s() is None


async def test_nodes_that_went_as_a_whole_are_named() -> None:
    async with FakeConsul() as fake:
        there = [registered("meshnode", name) for name in ("node-2", "node-3")]
        fake.set(NODES, there)
        fake.set("/v1/catalog/node/node-2", None)
        deregistered = {**node_document(KNOWN), "Node": {"Node": "node-3", "CreateIndex": KNOWN}}
        fake.set("/v1/catalog/node/node-3", deregistered)
        async with watching(fake) as told:
            fake.set(NODES, [])
            await told.until(lambda: len(told.of(NodesUpdate)) == 2, "the loss")
            last = told.of(NodesUpdate)[-1]
            assert isinstance(last, NodesUpdate)
            assert last.vanished == {"node-2"}


async def test_what_the_local_agent_has_runs_here() -> None:
    """Whatever the catalog says of it: the agent will register it again."""
    async with FakeConsul() as fake:
        service = {"ID": "web-1", "Service": "web", "Port": 80, "Address": ""}
        node = {"Node": "node-1", "Address": "10.0.0.1", "CreateIndex": KNOWN}
        fake.set("/v1/catalog/node/node-1", {"Node": node, "Services": {"web-1": service}})
        fake.set("/v1/agent/service/web-1", service)
        async with watching(fake) as told:
            fake.set("/v1/catalog/node/node-1", None)
            reads = fake.requests["/v1/agent/service/web-1"]
            fake.set("/v1/catalog/services", {"consul": []})
            await told.until(lambda: fake.requests["/v1/agent/service/web-1"] > reads, "it asks")
            fake.set("/v1/catalog/services", {"consul": [], "other": []})
            reads = fake.requests["/v1/agent/service/web-1"]
            await told.until(lambda: fake.requests["/v1/agent/service/web-1"] > reads, "again")
            assert len(told.of(LocalServicesUpdate)) == 1
            fake.remove("/v1/agent/service/web-1")
            fake.set("/v1/catalog/services", {"consul": []})
            await told.until(lambda: len(told.of(LocalServicesUpdate)) == 2, "it is gone")


def test_what_is_kept_has_the_status_it_had() -> None:
    """With its node its checks left the catalog too: an instance that failed does not pass by that."""
    kept, other = (Instance("web", name, "node-2", "10.0.0.2") for name in ("web-1", "web-2"))
    failed = Instance("web", "web-1", "node-2", "10.0.0.2", status="critical")
    check = UnhealthyCheck("node-2", "c", "c", "web-2", "web", "critical", "")
    update = InstancesUpdate("web", (kept, other), 7, frozenset({("node-2", "web-1")}))
    unhealthy = UnhealthyUpdate((check,), 8)
    found = swept(update, unhealthy, check_table(unhealthy), (failed, other))
    assert [one.status for one in found] == ["critical", "critical"]
    found = swept(update, UnhealthyUpdate((), 9), {}, found)
    assert [one.status for one in found] == ["critical", "passing"]
