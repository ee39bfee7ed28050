"""The catalog room on a real Consul: what its rights allow, what its faults do, and what it all costs."""

import asyncio
import random
import signal
import statistics
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from catalog import (
    CatalogError,
    Change,
    ConsulClient,
    ConsulDenied,
    DefaultIntentionUpdate,
    Instance,
    InstancesUpdate,
    IntentionsUpdate,
    KvUpdate,
    NodeRegistration,
    NodeStatus,
    NodesUpdate,
    Registration,
    SessionKeeper,
    Staleness,
    StatusReader,
    StatusWriter,
    UnhealthyUpdate,
    Update,
    Watches,
    keys_digest,
    least_policy,
    live_nodes,
    verdict,
)
from certs import NodeKey, session_name_of, verify_signature
from tests.support import ConsulCluster, ConsulError, wait_until

pytestmark = pytest.mark.consul

MOST_CONNECTIONS = 8


@dataclass(slots=True)
class Node:
    """One node's catalog side, as an agent runs it: watches, registration, session, status."""

    name: str
    client: ConsulClient
    key: NodeKey
    watches: Watches
    registration: Registration
    sessions: SessionKeeper
    status: StatusWriter
    updates: list[Update] = field(default_factory=list)
    troubles: list[CatalogError | None] = field(default_factory=list)

    def last(self, kind: type[Update]) -> Update | None:
        return next((update for update in reversed(self.updates) if isinstance(update, kind)), None)

    def keys(self, prefix: str = "mesh/") -> dict[str, bytes]:
        for update in reversed(self.updates):
            if isinstance(update, KvUpdate) and update.prefix == prefix:
                return {entry.key: entry.value for entry in update.entries}
        return {}

    def kv(self, prefix: str) -> KvUpdate:
        return next(
            update
            for update in reversed(self.updates)
            if isinstance(update, KvUpdate) and update.prefix == prefix
        )

    async def until(
        self, condition: Callable[[], object], what: str, timeout: float = 30.0
    ) -> None:
        await wait_until(condition, timeout, what=what, interval=0.002)


@asynccontextmanager
async def running(
    consul: ConsulCluster,
    folder: Path,
    name: str = "node-1",
    *,
    token: str | None = None,
    edge_port: int | None = None,
) -> AsyncIterator[Node]:
    """The node's tasks run until the block ends; then they are cancelled, as by a SIGKILL: nothing is said goodbye."""
    jitter = random.Random(5)
    key = NodeKey.load_or_create(state_folder(folder) / "node.key")
    address = consul.http_address(name)
    async with ConsulClient(address, consul.token if token is None else token) as client:
        updates: list[Update] = []
        troubles: list[CatalogError | None] = []
        sessions = SessionKeeper(
            client,
            name=key.session_name,
            node=name,
            path=folder / "session",
            on_trouble=troubles.append,
            jitter=jitter,
        )
        status = StatusWriter(
            client,
            sessions,
            name,
            public_key=key.public_key,
            sign=key.sign,
            on_trouble=troubles.append,
            jitter=jitter,
        )

        def on_update(update: Update) -> None:
            updates.append(update)
            if isinstance(update, KvUpdate) and update.prefix == "meshnode/status/":
                status.seen(update.entries)

        watches = Watches(client, name, on_update, jitter=jitter)
        wanted = NodeRegistration(
            mesh_port=7443, edge_port=edge_port, meta=(("meshnode-version", "test"),)
        )
        registration = Registration(client, wanted, on_trouble=troubles.append, jitter=jitter)
        runs = (watches.run, registration.run, sessions.run, status.run)
        tasks = [asyncio.create_task(run()) for run in runs]
        node = Node(name, client, key, watches, registration, sessions, status, updates, troubles)
        try:
            await asyncio.wait_for(watches.first_complete.wait(), 10)
            yield node
        finally:
            for task in tasks:
                task.cancel()
            for task in tasks:
                with suppress(asyncio.CancelledError):
                    await task


def state_folder(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def status_of(name: str, index: int = 1, digest: str = "") -> NodeStatus:
    return NodeStatus(
        name, 1, index, digest, (Change(index, time.time_ns() // 1_000_000),), ("web",)
    )


def reader(client: ConsulClient) -> StatusReader:
    return StatusReader(client.session_info, verify_signature, session_name_of)


# What it tells


async def test_a_put_is_told_by_one_update_of_the_query_it_wakes(
    tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    """With 100 routes; how long it takes is printed beside the bare wake of a blocking query."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
        ConsulClient(consul.http_address()) as writer,
    ):
        for number in range(100):
            await writer.kv_put(f"mesh/routes/r{number}", b"shop.test/%d -> shop" % number)
        await node.until(lambda: len(node.keys()) == 100, "all routes")
        ours = [await _put_to_update(node, writer, number) for number in range(40)]
        bare = await _put_to_bare_wake(consul, writer)
        ours_ms, bare_ms = statistics.median(ours) * 1000, statistics.median(bare) * 1000
        record_property("put_to_update_ms", ours_ms)
        record_property("put_to_bare_wake_ms", bare_ms)
        print(f"put to update {ours_ms:.1f} ms, to a bare wake {bare_ms:.1f} ms")  # noqa: T201


async def _put_to_update(node: Node, writer: ConsulClient, number: int) -> float:
    value = b"shop.test/ -> shop timeout=%ds" % (number + 1)
    told = asyncio.Event()
    before = len(node.updates)
    original = node.watches._watches[0]._deliver

    def deliver(update: KvUpdate) -> None:
        original(update)
        told.set()

    node.watches._watches[0]._deliver = deliver
    started = time.perf_counter()
    put = asyncio.create_task(writer.kv_put("mesh/routes/r5", value))
    await asyncio.wait_for(told.wait(), 5)
    took_s = time.perf_counter() - started
    await put
    node.watches._watches[0]._deliver = original
    assert len(node.updates) == before + 1
    await asyncio.sleep(0.25)  # a change of a quiet moment is what is measured
    return took_s


async def _put_to_bare_wake(consul: ConsulCluster, writer: ConsulClient) -> list[float]:
    found: list[float] = []
    url = f"http://{consul.http_address()}/v1/kv/mesh/?recurse&wait=60s&index="
    async with aiohttp.ClientSession() as session:

        async def ask(index: str) -> tuple[float, str]:
            async with session.get(url + index) as response:
                await response.read()
                return time.perf_counter(), response.headers["X-Consul-Index"]

        _, index = await ask("1")
        for number in range(40):
            asked = asyncio.create_task(ask(index))
            await asyncio.sleep(0.25)
            started = time.perf_counter()
            put = asyncio.create_task(writer.kv_put("mesh/routes/r5", b"bare %d" % number))
            ended, index = await asked
            found.append(ended - started)
            await put
    return found


async def test_services_checks_and_intentions_are_told(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        node.watches.name_services(frozenset({"web"}))
        await asyncio.wait_for(node.watches.named_complete(), 5)
        web = {"Name": "web", "Port": 8080, "Check": {"CheckID": "web-ttl", "TTL": "60s"}}
        await consul.register(web, node="node-2")

        def instances() -> tuple[Instance, ...]:
            found = node.last(InstancesUpdate)
            return found.instances if isinstance(found, InstancesUpdate) else ()

        await node.until(lambda: [one.node for one in instances()] == ["node-2"], "the instance")
        assert (instances()[0].port, instances()[0].node_address) == (8080, "127.0.0.2")

        def failing() -> set[str]:
            found = node.last(UnhealthyUpdate)
            return (
                {one.check_id for one in found.checks}
                if isinstance(found, UnhealthyUpdate)
                else set()
            )

        await node.until(lambda: "web-ttl" in failing(), "the check that did not pass yet")
        await consul.api("PUT", "/v1/agent/check/pass/web-ttl", node="node-2")
        await node.until(lambda: "web-ttl" not in failing(), "the check that passes")
        # Registered anew on another port: the catalog wakes with the same body.
        await consul.register({**web, "Port": 8081}, node="node-2")
        await node.until(lambda: instances()[0].port == 8081, "the new port")
        await node.client.intention_put("cart", "web", "deny")

        def intentions() -> list[str]:
            found = node.last(IntentionsUpdate)
            return (
                [one.destination for one in found.intentions]
                if isinstance(found, IntentionsUpdate)
                else []
            )

        await node.until(lambda: intentions() == ["web"], "the intention")
        await node.client.intention_delete("cart", "web")
        await node.until(lambda: intentions() == [], "its end")


@pytest.mark.parametrize(
    ("acl", "setting", "policy"),
    [
        (False, None, "allow"),
        (True, None, "deny"),
        (True, "allow", "allow"),
        (False, "deny", "deny"),
    ],
)
async def test_the_default_intention_is_what_consul_decides(
    tmp_path: Path, *, acl: bool, setting: str | None, policy: str
) -> None:
    cluster = ConsulCluster(
        tmp_path / "consul",
        nodes=1,
        acl=acl,
        default_intention_policy=None
        if setting is None
        else "allow"
        if setting == "allow"
        else "deny",
    )
    async with cluster as consul, running(consul, tmp_path / "node") as node:
        found = node.last(DefaultIntentionUpdate)
        assert isinstance(found, DefaultIntentionUpdate)
        assert (found.policy, found.disagreement) == (policy, None)


# Rights


async def test_the_least_policy_is_enough_and_nothing_more(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=2, acl=True) as consul:
        rules = least_policy("node-2", ["web"], has_edge=True)
        token = await consul.create_token("node-2", rules)
        await consul.put("mesh/routes/a", "x")
        await consul.register({"Name": "web", "Port": 1}, node="node-2")
        await consul.api(
            "PUT", "/v1/connect/intentions/exact?source=a&destination=b", body={"Action": "deny"}
        )
        async with running(
            consul, tmp_path / "node", "node-2", token=token, edge_port=8080
        ) as node:
            node.watches.name_services(frozenset({"web"}))
            node.status.offer(status_of("node-2"))
            await node.until(lambda: node.keys("meshnode/status/"), "its status")
            await node.until(lambda: isinstance(node.last(NodesUpdate), NodesUpdate), "the nodes")
            await node.until(lambda: isinstance(node.last(InstancesUpdate), InstancesUpdate), "web")
            assert node.keys() == {"mesh/routes/a": b"x"}
            assert node.troubles == []
            assert node.watches.staleness == Staleness(None)
            client = node.client
            assert await client.lacks([("key", "mesh/", "read"), ("service", "web", "write")]) == []
            await client.kv_put("meshnode/ca/requests/node-2/web", b"csr")
            refused: list[tuple[str, object]] = [
                ('key_prefix "mesh/" write', client.kv_put("mesh/routes/a", b"y")),
                (
                    'key "meshnode/status/node-1" write',
                    client.kv_put("meshnode/status/node-1", b""),
                ),
                ('key_prefix "meshnode/ca/" write', client.kv_put("meshnode/ca/signer", b"")),
                (
                    'key_prefix "meshnode/ca/requests/node-1/" write',
                    client.kv_put("meshnode/ca/requests/node-1/web", b""),
                ),
                ('service "cart" write', client.register_service({"Name": "cart", "Port": 1})),
                ('session "node-1" write', client.session_create("x", ttl_s=10, node="node-1")),
                (
                    'service "web" { policy = "read", intentions = "write" }',
                    client.intention_put("a", "web", "allow"),
                ),
            ]
            for line, call in refused:
                with pytest.raises(ConsulDenied) as caught:
                    await call  # type: ignore[misc]
                assert caught.value.what == line


async def test_without_rights_the_first_answers_name_what_is_missing(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1, acl=True) as consul:
        await consul.put("mesh/routes/a", "x")
        nothing = await consul.create_token("nothing", 'node_prefix "" { policy = "read" }')
        for token in (nothing, None):
            async with ConsulClient(consul.http_address(), token) as client:
                await _assert_nothing_is_told(client)


async def _assert_nothing_is_told(client: ConsulClient) -> None:
    updates: list[Update] = []
    watches = Watches(client, "node-1", updates.append)
    task = asyncio.create_task(watches.run())
    await wait_until(lambda: watches.staleness.since, 5, what="the staleness")
    assert "the token lacks a right" in watches.staleness.reason
    with pytest.raises(ConsulDenied, match="mesh/"):
        await client.kv_list("mesh/")
    assert not any(isinstance(one, KvUpdate) for one in updates)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task


async def test_a_token_that_is_narrowed_or_revoked_takes_nothing_away(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1, acl=True) as consul:
        await consul.put("mesh/routes/a", "x")
        await consul.api(
            "PUT", "/v1/connect/intentions/exact?source=a&destination=b", body={"Action": "deny"}
        )
        token = await consul.create_token("node-1", least_policy("node-1", []))
        async with running(consul, tmp_path / "node", token=token) as node:
            policies = await consul.api("GET", "/v1/acl/policies")
            policy = next(one["ID"] for one in policies if one["Name"] == "node-1")
            narrowed = 'node_prefix "" { policy = "read" }'
            body = {"Name": "node-1", "Rules": narrowed}
            await consul.api("PUT", f"/v1/acl/policy/{policy}", body=body)
            await consul.put("mesh/routes/b", "y")
            # Consul's agents take an old policy for valid for half a minute: b may be seen or not.
            await node.until(lambda: node.watches.staleness.since, "the staleness", 60)
            assert node.keys()["mesh/routes/a"] == b"x"
            intentions = node.last(IntentionsUpdate)
            assert isinstance(intentions, IntentionsUpdate)
            assert len(intentions.intentions) == 1
            restored = {"Name": "node-1", "Rules": least_policy("node-1", [])}
            await consul.api("PUT", f"/v1/acl/policy/{policy}", body=restored)
            await node.until(lambda: len(node.keys()) == 2, "the key that came meanwhile", 60)
            await node.until(lambda: node.watches.staleness.since is None, "fresh again", 60)


# Faults


@pytest.mark.parametrize("asked", ["node-1", "node-2"])
async def test_a_killed_consul_is_told_and_caught_up_with(tmp_path: Path, asked: str) -> None:
    """The server is killed, seen from its own machine and from another's agent."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        running(consul, tmp_path / "node", asked) as node,
    ):
        await consul.put("mesh/routes/a", "1")
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"1"}, "the first put")
        consul.server.kill()
        await node.until(lambda: node.watches.staleness.since, "the staleness", 30)
        assert node.keys() == {"mesh/routes/a": b"1"}
        await asyncio.sleep(3)
        await consul.restart()
        took_s = await _put_when_possible(consul, node, b"2")
        print(f"caught up after {took_s:.2f} s (wanted: 2 s)")  # noqa: T201
        await node.until(lambda: node.watches.staleness.since is None, "fresh again", 30)


async def test_a_stopped_consul_is_told_and_caught_up_with(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        await consul.put("mesh/routes/a", "1")
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"1"}, "the first put")
        consul.server.stop()
        try:
            await node.until(lambda: node.watches.staleness.since, "the staleness", 30)
            assert "does not answer" in node.watches.staleness.reason
            await asyncio.sleep(3)
        finally:
            consul.server.process.signal(signal.SIGCONT)
        took_s = await _put_when_possible(consul, node, b"2")
        print(f"caught up after {took_s:.2f} s (wanted: 2 s)")  # noqa: T201
        await node.until(lambda: node.watches.staleness.since is None, "fresh again", 30)


async def _put_when_possible(consul: ConsulCluster, node: Node, value: bytes) -> float:
    """Seconds from the put's success to its update."""

    async def put() -> bool:
        try:
            await consul.put("mesh/routes/a", value)
        except (ConsulError, TimeoutError):
            return False
        return True

    await wait_until(put, 30, what="a put")
    done = time.monotonic()
    await node.until(lambda: node.keys().get("mesh/routes/a") == value, "caught up", 30)
    return time.monotonic() - done


async def test_a_restored_snapshot_of_the_past_is_believed_once_it_is_sure(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        await consul.put("mesh/routes/a", "old")
        saved = tmp_path / "consul.snap"
        await consul.cli("snapshot", "save", saved)
        for number in range(20):
            await consul.put("mesh/routes/a", f"new {number}")
        await consul.put("mesh/routes/b", "new")
        await node.until(lambda: len(node.keys()) == 2, "the puts")
        await consul.cli("snapshot", "restore", saved)
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"old"}, "the past")
        assert node.kv("mesh/").is_confirmed
        await consul.put("mesh/routes/a", "after")
        await node.until(lambda: node.keys() == {"mesh/routes/a": b"after"}, "the next put", 30)


# Registration


async def test_the_node_registers_and_its_edge_follows_its_check(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1) as consul:
        async with running(consul, tmp_path / "node", edge_port=8080) as node:
            await asyncio.wait_for(node.registration.registered.wait(), 5)
            assert await _statuses(node.client) == {"meshnode": "passing", "edge": "passing"}
            await consul.deregister("meshnode")
            await node.until(lambda: _is_registered(node), "registered again", 30)
            await consul.deregister("edge")
            await node.until(lambda: _is_registered(node), "the edge again", 30)
            found = await consul.api("GET", "/v1/agent/service/meshnode")
            assert (found["Port"], found["Meta"]) == (7443, {"meshnode-version": "test"})
            client = ConsulClient(consul.http_address())
        async with client:
            # The agent is gone: its heartbeat is missed, nothing is deregistered, and the edge follows.
            wanted = {"meshnode": "critical", "edge": "critical"}

            async def is_critical() -> bool:
                return await _statuses(client) == wanted

            await wait_until(is_critical, 40, what="both critical", interval=0.5)
        async with running(consul, tmp_path / "node") as node:

            async def is_back_without_edge() -> bool:
                return await _statuses(node.client) == {"meshnode": "passing"}

            await node.until(is_back_without_edge, "passing again, and the old edge gone", 30)
            await node.registration.deregister()
            left = await node.client.services_on_node("node-1", consistent=True)
            assert {one.service for one in left} == {"consul"}


async def _statuses(client: ConsulClient) -> dict[str, str]:
    found = [one for name in ("meshnode", "edge") for one in await client.instances(name)]
    return {one.service: one.status for one in found}


async def _is_registered(node: Node) -> bool:
    return await _statuses(node.client) == {"meshnode": "passing", "edge": "passing"}


async def test_a_restarted_agent_writes_nothing_that_stands_already(tmp_path: Path) -> None:
    async with ConsulCluster(tmp_path / "consul", nodes=1) as consul:
        async with running(consul, tmp_path / "node", edge_port=8080) as node:
            await asyncio.wait_for(node.registration.registered.wait(), 5)
            await node.until(lambda: node.sessions.id, "the session")
            session = node.sessions.id
        before = await _registered_at(consul)
        async with running(consul, tmp_path / "node", edge_port=8080) as node:
            await asyncio.wait_for(node.registration.registered.wait(), 5)
            await node.until(lambda: node.sessions.id, "the session")
            assert node.sessions.id == session
        assert await _registered_at(consul) == before


async def _registered_at(consul: ConsulCluster) -> list[int]:
    services = [
        await consul.api("GET", f"/v1/catalog/service/{name}") for name in ("meshnode", "edge")
    ]
    return [one["ModifyIndex"] for found in services for one in found]


# Status


async def test_a_status_is_written_signed_and_counted(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=3) as consul,
        AsyncExitStack() as stack,
    ):
        nodes = [
            await stack.enter_async_context(running(consul, tmp_path / name, name))
            for name in ("node-1", "node-2", "node-3")
        ]
        await consul.put("mesh/routes/shop", "shop.test/ -> shop")
        for node in nodes:
            await node.until(lambda node=node: node.keys(), "the put")  # type: ignore[misc]
            entries = node.kv("mesh/").entries
            index = max(entry.modify_index for entry in entries)
            node.status.offer(status_of(node.name, index, keys_digest(entries)))
        one = nodes[0]
        await one.until(lambda: len(one.keys("meshnode/status/")) == 3, "three statuses")
        registered = one.last(NodesUpdate)
        assert isinstance(registered, NodesUpdate)
        live = live_nodes(registered.instances)
        found = await reader(one.client).read(one.kv("meshnode/status/").entries, live)
        assert not found.refused
        entry = one.kv("mesh/").entries[0]
        said = verdict(entry.key, entry, found.counted, live)
        assert (said.answer, said.count("accepted"), said.is_complete) == ("accepted", 3, True)


async def test_a_status_is_written_only_when_it_changed_and_not_twice_a_second(
    tmp_path: Path,
) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        await node.until(lambda: node.sessions.id, "the session")
        started = time.monotonic()
        same = status_of("node-1")
        node.status.offer(same)
        await node.until(lambda: node.status.writes == 1, "the first write", 0.5)
        for index in range(2, 40):
            node.status.offer(status_of("node-1", index))
            node.status.offer(same)
            node.status.offer(status_of("node-1", index))
            await asyncio.sleep(0.05)
        took_s = time.monotonic() - started
        assert node.status.writes <= 1 + took_s
        await node.until(
            lambda: (
                b'"index":39' in node.keys("meshnode/status/").get("meshnode/status/node-1", b"")
            ),
            "the last",
        )
        writes = node.status.writes
        node.status.offer(status_of("node-1", 39))
        await asyncio.sleep(1.2)
        assert node.status.writes <= writes + 1  # the time in it differs


async def test_a_status_that_was_put_over_or_deleted_is_written_again(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        key = "meshnode/status/node-1"
        node.status.offer(status_of("node-1"))
        await node.until(lambda: node.status.writes == 1, "the first write")
        await consul.put(key, "forged")
        await node.until(lambda: node.status.writes == 2, "the second")
        await consul.delete(key)
        await node.until(lambda: node.status.writes == 3, "the third")
        found = await node.client.kv_get(key, consistent=True)
        assert found is not None
        assert found.session == node.sessions.id


async def test_a_lost_session_is_made_anew_and_the_status_written_at_once(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        running(consul, tmp_path / "node") as node,
    ):
        node.status.offer(status_of("node-1"))
        await node.until(lambda: node.status.writes == 1, "the first write")
        lost = node.sessions.id
        await asyncio.sleep(1.1)
        await consul.api("PUT", f"/v1/session/destroy/{lost}")
        await node.until(lambda: node.status.writes == 2, "the second", 30)
        assert node.sessions.id not in (None, lost)
        found = await reader(node.client).read(
            await node.client.kv_list("meshnode/status/"), {"node-1"}
        )
        assert [one.node for one in found.counted] == ["node-1"]


async def test_a_forged_status_does_not_count(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        running(consul, tmp_path / "node-1", "node-1") as one,
        running(consul, tmp_path / "node-2", "node-2") as two,
    ):
        one.status.offer(status_of("node-1"))
        await one.until(lambda: one.status.writes == 1, "the status")
        true = await two.client.kv_get("meshnode/status/node-1")
        assert true is not None
        both = {"node-1", "node-2"}
        assert len((await reader(two.client).read([true], both)).counted) == 1
        # Signed by another's key, over the session that was seen in Consul, put without taking the lock away.
        forged = true.value.replace(one.key.public_key.encode(), two.key.public_key.encode())
        await two.client.kv_put(true.key, forged)
        found = await reader(two.client).read(await two.client.kv_list(true.key), both)
        assert not found.counted
        assert "signature" in found.reasons["node-1"]


# Cost


async def test_idle_nodes_write_nothing_and_wake_nobody(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=3) as consul,
        AsyncExitStack() as stack,
    ):
        await consul.put("mesh/routes/a", "x")
        await consul.put("meshnode/ca/roots", "x")
        nodes = [
            await stack.enter_async_context(running(consul, tmp_path / name, name))
            for name in ("node-1", "node-2", "node-3")
        ]
        for node in nodes:
            node.status.offer(status_of(node.name))
            await node.until(lambda node=node: node.status.writes, "its status")  # type: ignore[misc]
        await asyncio.sleep(5)  # the sweeps look once more, Consul's own anti-entropy comes to rest
        raft = await _raft_index(consul)
        told = [len(node.updates) for node in nodes]
        wakeups = [node.client.cost.wakeups for node in nodes]
        await asyncio.sleep(12)
        assert [len(node.updates) for node in nodes] == told
        assert [node.client.cost.wakeups for node in nodes] == wakeups
        assert [node.status.writes for node in nodes] == [1, 1, 1]
        assert all(node.client.cost.connections <= MOST_CONNECTIONS for node in nodes)
        # Not one write of ours: what Consul's servers write for themselves is a few entries a minute.
        assert await _raft_index(consul) - raft <= 3


async def _raft_index(consul: ConsulCluster) -> int:
    found = await consul.api("GET", "/v1/agent/self")
    return int(found["Stats"]["raft"]["applied_index"])
