"""The loop with a real fake proxy on a socket and updates as Consul would give them."""

from __future__ import annotations

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
import pytest

from catalog import (
    Change,
    Compiled,
    History,
    Instance,
    InstancesUpdate,
    KvEntry,
    KvUpdate,
    LocalServicesUpdate,
    NodeFacts,
    NodesUpdate,
    ServicesUpdate,
    Snapshot,
    UnhealthyUpdate,
    Update,
)
from certs import CertificateProblem
from meshnode.agent.delivery import Delivery
from meshnode.agent.events import (
    ConsulComplete,
    ConsulReached,
    ConsulSaid,
    IdentityGone,
    IdentityIssued,
    ProxyDown,
    ProxyUp,
)
from meshnode.agent.facts import Me
from meshnode.agent.knowledge import Clock, Knowledge
from meshnode.agent.loop import AgentLoop
from meshnode.agent.mailbox import Mailbox
from meshnode.agent.ports import OutboundPorts
from meshnode.agent.retrospect import Retrospect
from meshnode.agent.view import View
from meshnode.proxy import Command, Supervisor
from tests.support import wait_until

from .conftest import MakeCommand

ME = Me("node-1", "dc1", "10.0.0.1", acls_deny=False)
SHOP = Instance("shop", "shop-1", "node-1", "10.0.0.1", "", 9000)


BAD_USER = "a-fault-of-ours"


def uid_of(name: str) -> int | None:
    if name == BAD_USER:
        raise RuntimeError("a fault of ours")
    return None


@dataclass
class FakeSide:
    """Stands where Consul is: remembers what it is told."""

    me: Me = ME
    trust_domain: str | None = "mesh.test"
    named: frozenset[str] = frozenset()
    told: list[tuple[View, tuple[Change, ...]]] = field(default_factory=list)
    reached: list[tuple[int, str]] = field(default_factory=list)

    def certificate_problems(self) -> tuple[CertificateProblem, ...]:
        return ()

    def facts(self) -> NodeFacts:
        return NodeFacts(
            "node-1", "dc1", "10.0.0.1", self.trust_domain, "127.0.0.1:8080", uid_of=uid_of
        )

    def said(self, update: Update) -> None:
        """Nothing of it concerns a fake."""

    def compiled(self, compiled: Compiled) -> None:
        self.named = compiled.named_services

    def tell(self, view: View, compiled: Compiled, changes: tuple[Change, ...]) -> None:
        self.reached.append((compiled.index, compiled.keys_digest))
        self.told.append((view, changes))


class Node:
    """A loop and a supervisor, without Consul."""

    def __init__(self, command: Command, saved: Snapshot | None = None) -> None:
        self.command = command
        self.side = FakeSide()
        self.mailbox = Mailbox()
        self.applied: list[Snapshot] = []
        self.past: History | None = None
        self.views: list[View] = []
        clock = Clock(time.monotonic, time.time)
        self.delivery = Delivery(saved)
        self.supervisor = Supervisor(
            command,
            on_up=lambda proxy: self.mailbox.post(ProxyUp(proxy)),
            on_down=lambda sentence: self.mailbox.post(ProxyDown(sentence)),
        )
        self.retrospect = Retrospect(self.history, self.delivery, self.mailbox.post)
        self.loop = AgentLoop(
            self.mailbox,
            Knowledge(clock, OutboundPorts(15000, 15999, {})),
            self.delivery,
            clock,
            port_range=(15000, 15999),
            on_applied=lambda _i, table, _b, _t: self.applied.append(table),
            on_view=self.views.append,
            restarts=lambda: self.supervisor.restarts,
            want_past=self.retrospect.want,
        )

    async def history(self) -> History | None:
        return self.past

    @property
    def view(self) -> View:
        return self.views[-1]

    def say(self, *updates: Update) -> None:
        for update in updates:
            self.mailbox.post(ConsulSaid(update))

    def put(self, index: int, **routes: str) -> None:
        """All of mesh/routes/, as a watch gives them."""
        entries = [
            KvEntry(f"mesh/routes/{n}", v.encode(), index) for n, v in sorted(routes.items())
        ]
        self.say(KvUpdate("mesh/", tuple(entries), index))

    def complete(self, **routes: str) -> None:
        """Everything Consul has to say at first: one service, here, and routes."""
        self.mailbox.post(ConsulReached(self.side))
        self.put(10, **routes)
        self.say(
            NodesUpdate((Instance("meshnode", "meshnode", "node-1", "10.0.0.1", "", 7443),), 1),
            ServicesUpdate((("shop", ()),), 1),
            UnhealthyUpdate((), 1),
            InstancesUpdate("shop", (SHOP,), 1),
            LocalServicesUpdate((SHOP,)),
        )
        self.mailbox.post(ConsulComplete())

    async def calls(self) -> list[str]:
        connector = aiohttp.UnixConnector(str(self.command.control_socket))
        async with (
            aiohttp.ClientSession("http://proxy", connector=connector) as session,
            session.get("/test/calls") as answer,
        ):
            return list(await answer.json())


@asynccontextmanager
async def running(node: Node) -> AsyncIterator[Node]:
    parts = (node.supervisor, node.loop, node.retrospect)
    tasks = [asyncio.create_task(part.run()) for part in parts]
    try:
        await wait_until(lambda: bool(node.views) and node.view.proxy is not None)
        yield node
    finally:
        for task in tasks:
            task.cancel()
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            if isinstance(result, Exception):
                raise result


async def until_route(node: Node, host: str) -> None:
    """The proxy has it, and everybody was told."""

    def has() -> bool:
        table = node.delivery.in_force
        if table is None or node.view.digest != table.digest:
            return False
        return any(r["hosts"] == [host] for r in table.resources["routes"].values())

    await wait_until(has)


@pytest.fixture
def command(make_command: MakeCommand) -> Command:
    return make_command()


async def test_a_change_is_a_delta_and_the_next_generation(command: Command) -> None:
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        node.put(11, shop="other.test/ -> shop")
        await until_route(node, "other.test")
        await wait_until(lambda: node.side.told[-1][1][-1].index == 11)
        assert await node.calls() == ["snapshot full 1", "snapshot delta 2"]
        assert [change.index for change in node.side.told[-1][1]] == [10, 11]
        assert node.side.named == {"shop"}


async def test_of_changes_in_one_moment_each_is_told(command: Command) -> None:
    """The second one comes while the first is in force and nobody was told."""
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        for index in (11, 12):
            node.put(index, shop=f"at-{index}.test/ -> shop")
            before = node.delivery.in_force

            def is_new(before: Snapshot | None = before) -> bool:
                return node.delivery.in_force not in (None, before)

            await wait_until(is_new, interval=0)
        await until_route(node, "at-12.test")
        assert [table.generation for table in node.applied] == [1, 2, 3]
        assert [change.index for change in node.side.told[-1][1]] == [10, 11, 12]


async def test_nothing_is_sent_before_everything_was_read_once(command: Command) -> None:
    async with running(Node(command)) as node:
        node.mailbox.post(ConsulReached(node.side))
        node.put(10, shop="shop.test/ -> shop")
        await wait_until(lambda: len(node.side.told) == 0 and len(node.views) >= 2)
        assert await node.calls() == []


async def test_a_bad_key_changes_nothing_but_the_problems(command: Command) -> None:
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        node.put(11, shop="shop.test/ => shop")
        await wait_until(lambda: bool(node.view.problems))
        assert node.view.problems[0].serving_index == 10
        assert await node.calls() == ["snapshot full 1"]
        await wait_until(lambda: node.side.told[-1][1][-1].index == 11)


async def test_a_killed_proxy_gets_the_same_generation_and_the_identities(command: Command) -> None:
    async with running(Node(command)) as node:
        node.mailbox.post(IdentityIssued("edge", 5, {"not_after_unix_s": 5}))
        node.complete(shop="shop.test/ -> shop")
        await wait_until(lambda: bool(node.views) and node.view.is_ready is False and node.applied)
        node.mailbox.post(IdentityIssued("shop", 6, {"not_after_unix_s": 6}))
        await wait_until(lambda: node.view.is_ready)
        before = node.view
        assert before.proxy is not None
        os.kill(before.proxy.pid, signal.SIGKILL)
        await wait_until(lambda: node.view.is_ready and node.view.proxy != before.proxy)
        assert node.view.generation == before.generation
        assert sorted(await node.calls()) == ["identity edge", "identity shop", "snapshot full 1"]


async def test_an_identity_that_is_gone_is_taken_away(command: Command) -> None:
    async with running(Node(command)) as node:
        node.mailbox.post(IdentityIssued("shop", 6, {"not_after_unix_s": 6}))
        await wait_until(lambda: node.delivery.is_settled and node.view.certificates)
        node.mailbox.post(IdentityGone("shop"))
        await wait_until(lambda: not node.view.certificates)
        assert (await node.calls())[-1] == "delete shop"


async def test_the_next_agent_sends_nothing_when_nothing_changed(command: Command) -> None:
    async with running(Node(command)) as first:
        first.mailbox.post(IdentityIssued("shop", 6, {"not_after_unix_s": 6}))
        first.complete(shop="shop.test/ -> shop")
        await until_route(first, "shop.test")
        await wait_until(lambda: first.delivery.is_settled)
        calls = await first.calls()
        saved = first.applied[-1]
    async with running(Node(command, saved)) as second:
        second.mailbox.post(IdentityIssued("shop", 6, {"not_after_unix_s": 6}))
        second.complete(shop="shop.test/ -> shop")
        await wait_until(lambda: bool(second.side.told))
        assert second.view.proxy is not None
        assert second.view.proxy.is_adopted
        assert await second.calls() == calls
        second.put(12, shop="next.test/ -> shop")
        await until_route(second, "next.test")
        assert (await second.calls())[-1] == "snapshot delta 2"


async def test_an_older_copy_on_disk_does_not_roll_the_proxy_back(command: Command) -> None:
    async with running(Node(command)) as first:
        first.complete(shop="shop.test/ -> shop")
        await until_route(first, "shop.test")
        old = first.applied[-1]
        first.put(11, shop="new.test/ -> shop")
        await until_route(first, "new.test")
        calls = await first.calls()
    async with running(Node(command, old)) as second:
        await wait_until(lambda: second.delivery.in_force is not None)
        assert await second.calls() == calls
        second.complete(shop="shop.test/ =>")
        await wait_until(lambda: bool(second.side.told))
        assert await second.calls() == calls, "the last good form of the bad key is the proxy's"


async def test_a_saved_table_serves_while_consul_is_away(command: Command) -> None:
    async with running(Node(command)) as first:
        first.complete(shop="shop.test/ -> shop")
        await until_route(first, "shop.test")
        saved = first.applied[-1]
        assert first.view.proxy is not None
        os.kill(first.view.proxy.pid, signal.SIGKILL)
    async with running(Node(command, saved)) as second:
        assert await second.calls() == ["snapshot full 1"]
        assert second.view.stale_since is not None


async def test_a_resource_the_proxy_refuses_does_not_hold_back_the_others(command: Command) -> None:
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        node.put(11, shop="refused.test/ -> shop", good="good.test/ -> shop")
        await until_route(node, "good.test")
        await until_route(node, "shop.test")
        problem = next(one for one in node.view.problems if "refused" in one.message)
        assert problem.key == "mesh/routes/shop"


async def test_a_table_the_proxy_does_not_take_has_reached_nothing(command: Command) -> None:
    """Else `meshnode status` would call a key accepted that is not in force."""
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        await wait_until(lambda: bool(node.side.reached) and node.side.reached[-1][0] == 10)
        before = node.side.reached[-1]
        node.put(11, shop="broken.test/ -> shop")
        await wait_until(lambda: any("no room" in one.message for one in node.view.problems))
        assert node.side.reached[-1] == before
        assert node.side.told[-1][1][-1].index == 10
        node.put(12, shop="next.test/ -> shop")
        await until_route(node, "next.test")
        await wait_until(lambda: node.side.reached[-1][0] == 12)


async def test_of_many_changes_at_once_only_the_newest_is_compiled(command: Command) -> None:
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        for number in range(100):
            node.put(11 + number, shop=f"host-{number}.test/ -> shop")
        await until_route(node, "host-99.test")
        assert len(await node.calls()) == 2


async def test_a_fault_in_compiling_is_shown_and_ends_nothing(command: Command) -> None:
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        odd = Instance(
            "shop", "shop-1", "node-1", "10.0.0.1", "", 9000, meta=(("mesh-user", BAD_USER),)
        )
        node.say(LocalServicesUpdate((odd,)))
        await wait_until(lambda: any(one.key == "compiler" for one in node.view.problems))
        node.put(12, shop="next.test/ -> shop")
        node.say(LocalServicesUpdate((SHOP,)))
        await until_route(node, "next.test")
        assert not node.view.problems


async def test_a_problem_of_a_refused_key_goes_with_the_key(command: Command) -> None:
    async with running(Node(command)) as node:
        node.complete(shop="shop.test/ -> shop")
        await until_route(node, "shop.test")
        node.put(11, shop="refused.test/ -> shop")
        await wait_until(lambda: bool(node.view.problems))
        node.put(12, shop="shop.test/ -> shop timeout=1s")
        await wait_until(lambda: not node.view.problems)
