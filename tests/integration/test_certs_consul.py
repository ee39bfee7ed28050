"""The shared CA on real Consul: without ACLs, and with default deny and the least policy of a node."""

from __future__ import annotations

import asyncio
import contextlib
import statistics
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest

from catalog import (
    CatalogError,
    ConsulClient,
    ConsulDenied,
    KvUpdate,
    Update,
    Watches,
    least_policy,
)
from certs import CA_PREFIX, Builtin, CertificateSettings, Identity, NodeKey, service_id
from certs.keys import AUTHORITY_KEY, ROOTS_KEY, SIGNER_KEY, answer_key, request_key
from certs.request import Answer, SigningRequest, ask
from tests.support import ConsulCluster, wait_until

pytestmark = pytest.mark.consul

SETTINGS = CertificateSettings(retry_initial_s=0.2, retry_max_s=2.0, lock_delay_s=1)
ISSUE_S = 40.0


@dataclass(slots=True)
class Node:
    """What an agent is to certs: a client, a session, the watch on meshnode/ca/."""

    name: str
    client: ConsulClient
    key: NodeKey
    session: str
    builtin: Builtin
    identities: dict[str, tuple[Identity, float]] = field(default_factory=dict)
    entries: dict[str, Any] = field(default_factory=dict)

    def update(self, update: Update) -> None:
        if isinstance(update, KvUpdate) and update.prefix == CA_PREFIX:
            self.entries = {entry.key: entry for entry in update.entries}
            self.builtin.update(self.entries)

    async def issued(self, service: str) -> float:
        """When its identity was there, by the monotonic clock."""
        await wait_until(lambda: service in self.identities, ISSUE_S, what=f"{service} is issued")
        return self.identities[service][1]


@contextlib.asynccontextmanager
async def running(
    consul: ConsulCluster,
    folder: Path,
    name: str,
    *services: str,
    token: str | None = None,
    **options: Any,
) -> AsyncIterator[Node]:
    """A node whose services are registered already, with a status session of its own as the catalog makes it."""
    client = ConsulClient(consul.http_address(name), token=token or consul.token)
    key = NodeKey.load_or_create(folder / name / "node.key")
    session = await client.session_create(
        key.session_name, ttl_s=30, behavior="delete", lock_delay_s=0
    )

    async def services_of(node: str) -> frozenset[str]:
        found = await client.services_on_node(node, consistent=True)
        return frozenset(one.service for one in found)

    identities: dict[str, tuple[Identity, float]] = {}

    def take(identity: Identity) -> None:
        identities[identity.name] = (identity, time.monotonic())

    builtin = Builtin(
        store=client,
        node=name,
        datacenter="dc1",
        node_key=key,
        session=lambda: session,
        services_of=services_of,
        state_folder=folder / name,
        on_identity=take,
        on_removed=lambda _: None,
        clock=lambda: datetime.now(UTC),
        random=Random(1),
        store_errors=(CatalogError,),
        **{"settings": SETTINGS, **options},
    )
    node = Node(name, client, key, session, builtin, identities)
    builtin.load()
    builtin.want(frozenset(services))
    watches = Watches(client, name, node.update)
    tasks = [asyncio.create_task(watches.run()), asyncio.create_task(builtin.run())]
    try:
        yield node
    finally:
        for task in reversed(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await client.close()


async def register(consul: ConsulCluster, node: str, *services: str) -> None:
    """Registered, and in the catalog of the servers."""
    for service in services:
        await consul.register({"Name": service, "Port": 9000}, node=node)

    async def is_in_catalog() -> bool:
        found = await consul.api("GET", f"/v1/catalog/node-services/{node}")
        return set(services) <= {one["Service"] for one in found["Services"]}

    await wait_until(is_in_catalog, ISSUE_S, what=f"{node} has {services}")


async def ca_keys(consul: ConsulCluster) -> set[str]:
    return set(await consul.api("GET", f"/v1/kv/{CA_PREFIX}?keys=true") or ())


async def tokens(consul: ConsulCluster, **services: str) -> dict[str, str]:
    """The least policy for each node; node-1 is the signer."""
    made = {}
    for name, service in services.items():
        node = name.replace("_", "-")
        rules = least_policy(node, [service], is_signer=node == "node-1")
        made[node] = await consul.create_token(node, rules)
    return made


async def test_three_nodes_get_identities_from_one_ca(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    for n in (1, 2, 3):
        await register(consul, f"node-{n}", "web", f"own-{n}")
    async with contextlib.AsyncExitStack() as stack:
        starts = [
            stack.enter_async_context(running(consul, tmp_path, f"node-{n}", "web", f"own-{n}"))
            for n in (1, 2, 3)
        ]
        nodes = await asyncio.gather(*starts)
        for n, node in enumerate(nodes, 1):
            await node.issued("web")
            await node.issued(f"own-{n}")
        assert len({node.builtin.roots_pem for node in nodes}) == 1
        assert len({node.builtin.trust_domain for node in nodes}) == 1
        assert sum(node.builtin.is_elected for node in nodes) == 1
        assert sum(node.builtin.key_encryption_key_file.exists() for node in nodes) == 1
        await wait_until(
            lambda: all(
                set(one.entries) == {AUTHORITY_KEY, ROOTS_KEY, SIGNER_KEY} for one in nodes
            ),
            ISSUE_S,
            what="nothing but the CA is left in KV",
        )
        assert [node.builtin.problems() for node in nodes] == [(), (), ()]


async def test_each_service_wanted_gets_its_identity(consul: ConsulCluster, tmp_path: Path) -> None:
    services = tuple(f"s{n}" for n in range(10))
    await register(consul, "node-2", *services)
    async with (
        running(consul, tmp_path, "node-1") as signer,
        running(consul, tmp_path, "node-2", is_signer=False) as node,
    ):
        await wait_until(lambda: signer.builtin.is_elected, ISSUE_S)
        await wait_until(lambda: node.builtin.trust_domain, ISSUE_S)
        took = []
        for n, service in enumerate(services):
            began = time.monotonic()
            node.builtin.want(frozenset(services[: n + 1]))
            took.append(await node.issued(service) - began)
    print(f"want() to identity: median {statistics.median(took) * 1000:.0f} ms, all {took}")  # noqa: T201


async def test_nodes_with_the_least_policy_get_their_own_identities_and_no_others(
    consul_acl: ConsulCluster, tmp_path: Path
) -> None:
    consul = consul_acl
    secrets = await tokens(consul, node_1="front", node_2="cart", node_3="stock")
    for name, service in (("node-1", "front"), ("node-2", "cart"), ("node-3", "stock")):
        await register(consul, name, service)
    async with contextlib.AsyncExitStack() as stack:

        async def start(node: str, *services: str) -> Node:
            made = running(consul, tmp_path, node, *services, token=secrets[node])
            return await stack.enter_async_context(made)

        cart, stock = await start("node-2", "cart"), await start("node-3", "stock", "cart")
        front = await start("node-1", "front")
        for node, service in ((front, "front"), (cart, "cart"), (stock, "stock")):
            await node.issued(service)
        assert front.builtin.is_elected

        def sentences(node: Node) -> str:
            return "\n".join(problem.message for problem in node.builtin.problems())

        # node-3 asks for cart, which is registered on node-2 only.
        refused = "no service cart is registered on node node-3"
        await wait_until(lambda: refused in sentences(stock), ISSUE_S)
        assert "cart" not in stock.identities
        # Without the right to be signers, the first two could make no CA; nothing of the try is left.
        await wait_until(lambda: not sentences(cart), ISSUE_S)
        assert not cart.builtin.key_encryption_key_file.exists()
        with pytest.raises(ConsulDenied):
            await cart.client.kv_put(request_key("node-3", "stock"), b"over it")
        with pytest.raises(ConsulDenied):
            await cart.client.kv_put(answer_key("node-2", "cart"), b"forged")
        with pytest.raises(ConsulDenied):
            await cart.client.kv_put(ROOTS_KEY, b"forged")
        with pytest.raises(ConsulDenied):
            await cart.client.session_create("x", ttl_s=10, node="node-3")


async def test_forged_requests_are_refused_by_what_consul_itself_says(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    """ACLs are off, so that every put goes through and only the signer's checks stand."""
    await register(consul, "node-1", "front")
    await register(consul, "node-2", "cart")
    async with (
        running(consul, tmp_path, "node-1", "front") as signer,
        running(consul, tmp_path, "node-2", "cart", is_signer=False) as victim,
    ):
        await signer.issued("front")
        await victim.issued("cart")
        # What is forged stands under the same key, and the victim's tidying up must not take it.
        await wait_until(partial(_is_gone, consul, request_key("node-2", "cart")))
        attacker = NodeKey.load_or_create(tmp_path / "attacker.key")
        mine = await victim.client.session_create(attacker.session_name, ttl_s=30, node="node-3")
        name = service_id(str(victim.builtin.trust_domain), "dc1", "cart")

        async def said(node: str, session: str, key: NodeKey) -> Answer:
            now = datetime.now(UTC)
            made = ask(node, "cart", spiffe_id=name, session=session, node_key=key, now=now)
            return await _answer(consul, made.request)

        victims_session = await said("node-2", victim.session, attacker)
        assert "another key than the one that signed it" in victims_session.refused
        victims_place = await said("node-2", mine, attacker)
        assert "one of node node-3, not of node-2" in victims_place.refused
        not_run = await said("node-3", mine, attacker)
        assert "no service cart is registered on node node-3" in not_run.refused
        assert (await said("node-2", victim.session, victim.key)).chain_pem
        await victim.client.session_destroy(mine)
        over = await said("node-3", mine, attacker)
        assert f"session {mine} is not alive" in over.refused


async def _is_gone(consul: ConsulCluster, key: str) -> bool:
    return (await consul.call("GET", f"/v1/kv/{key}")).status == 404


async def _answer(consul: ConsulCluster, request: SigningRequest) -> Answer:
    await consul.put(request_key(request.node, request.service), request.to_bytes())
    path = f"/v1/kv/{answer_key(request.node, request.service)}?raw=true"

    async def said() -> Answer | None:
        answer = await consul.call("GET", path)
        found = Answer.from_bytes(answer.text.encode()) if answer.status == 200 else None
        return found if found and found.nonce == request.nonce else None

    answer = await wait_until(said, ISSUE_S, what="the signer answers")
    assert answer is not None
    return answer


async def test_another_node_signs_when_the_signer_s_machine_dies(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    await register(consul, "node-3", "one", "two")
    async with running(consul, tmp_path, "node-3", "one", is_signer=False) as node:
        async with running(consul, tmp_path, "node-1") as first:
            await node.issued("one")
            file = first.builtin.key_encryption_key_file
            stack = contextlib.AsyncExitStack()
            second = await stack.enter_async_context(
                running(consul, tmp_path, "node-2", key_encryption_key_file=file)
            )
            await wait_until(lambda: second.builtin.trust_domain, ISSUE_S)
            assert not second.builtin.is_elected
            # As when a session ends with its machine: it is invalidated, not given back.
            await second.client.session_destroy(second.entries[SIGNER_KEY].session)
            await wait_until(lambda: first.builtin.is_elected != second.builtin.is_elected, ISSUE_S)
        async with stack:
            await wait_until(lambda: second.builtin.is_elected, ISSUE_S)
            node.builtin.want(frozenset({"one", "two"}))
            await node.issued("two")


async def test_consul_restarted_loses_no_identity_and_goes_on_issuing(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    await register(consul, "node-1", "one", "two")
    async with running(consul, tmp_path, "node-1", "one") as node:
        await node.issued("one")
        await consul.restart("node-1")
        assert [one.name for one in node.builtin.identities] == ["one"]
        node.builtin.want(frozenset({"one", "two"}))
        await node.issued("two")


async def test_an_idle_mesh_writes_nothing_under_the_ca(
    consul: ConsulCluster, tmp_path: Path
) -> None:
    await register(consul, "node-1", "one")
    await register(consul, "node-2", "two")
    async with (
        running(consul, tmp_path, "node-1", "one") as first,
        running(consul, tmp_path, "node-2", "two") as second,
    ):
        await first.issued("one")
        await second.issued("two")

        async def index() -> str:
            answer = await consul.call("GET", f"/v1/kv/{CA_PREFIX}?recurse=true")
            return answer.headers["X-Consul-Index"]

        await wait_until(lambda: len(second.entries) == 3, ISSUE_S)
        before = await index()
        await asyncio.sleep(8)  # more than two renewals of the signer's session
        assert await index() == before
        assert await ca_keys(consul) == {AUTHORITY_KEY, ROOTS_KEY, SIGNER_KEY}
