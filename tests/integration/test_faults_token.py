"""Consul's token narrowed, emptied and revoked while the mesh runs: what is in force stays, and the lack is named."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.agents import settled_status, status_of, until_status
from tests.integration.faults import SECRET, Plan, World, figure, is_fresh, world
from tests.support import wait_until
from tests.support.mesh import MeshNode

pytestmark = [pytest.mark.consul, pytest.mark.asyncio(loop_scope="module")]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("world"), Plan(acl=True)) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def mesh(running: World) -> World:
    await running.is_whole()
    return running


# Where a line of the edge's policy begins, what it becomes, and the line that is then asked for.
ALL_SERVICES = 'service_prefix "" { policy = "read", intentions = "read" }'
NARROWED = {
    "keys": ('key_prefix "mesh/"', "", 'key_prefix "mesh/" { policy = "read" }'),
    "keys of nodes": ('key_prefix "meshnode/" ', "", 'key_prefix "meshnode/" { policy = "read" }'),
    "services": ('service_prefix ""', "", ALL_SERVICES),
    "intentions": (
        'service_prefix ""',
        'service_prefix "" { policy = "read", intentions = "deny" }',
        ALL_SERVICES,
    ),
    "nodes": ('node_prefix ""', "", 'node_prefix "" { policy = "read" }'),
    "status": (
        'key "meshnode/status/node-1"',
        "",
        'key "meshnode/status/node-1" { policy = "write" }',
    ),
    "session": ('session "node-1"', "", 'session "node-1" { policy = "write" }'),
    "registration": ('service "meshnode"', "", 'service "meshnode" { policy = "write" }'),
}


@pytest.mark.parametrize("name", NARROWED)
async def test_a_right_that_is_taken_away_is_named_and_takes_nothing_with_it(
    mesh: World, name: str
) -> None:
    """Consul answers 403, or leaves out what may not be read and says nothing."""
    begins, instead, right = NARROWED[name]
    policy = await mesh.cluster.api("GET", "/v1/acl/policy/name/node-1")
    lines = policy["Rules"].splitlines()
    assert sum(line.startswith(begins) for line in lines) == 1, lines
    narrowed = [instead if line.startswith(begins) else line for line in lines]
    async with mesh.load() as load:
        before = await settled(mesh.edge)
        try:
            await set_rules(mesh, policy, "\n".join(narrowed))
            # Intentions that may be read no more are noticed when the wait of a question is over, at the latest.
            naming = wait_until(
                lambda: told(mesh, right), 90, what=f"{right} is named", interval=0.2
            )
            said = await naming
            figure(f"{name}: {said}")
            await load.at_least(50)
            now = await status_of(mesh.edge)
            assert now["digest"] == before, now["problems"]
        finally:
            await set_rules(mesh, policy, policy["Rules"])
        await until_status(mesh.edge, lambda now: is_fresh(now) and not now["problems"], 20)
        await mesh.catches_up(f"{name} allowed again")
        await load.at_least(50)


async def test_a_revoked_token_takes_nothing_away(mesh: World) -> None:
    """Deleted, and made again with the same secret: `ACL not found` meanwhile, for reads and heartbeats."""
    edge = mesh.edge
    token = await mesh.cluster.api("GET", "/v1/acl/token/self", token=edge.token)
    before = await settled_status(edge)
    async with mesh.load() as load:
        await mesh.cluster.api("DELETE", f"/v1/acl/token/{token['AccessorID']}")
        await until_status(edge, lambda now: now["stale_since"] is not None, 20)
        await load.at_least(50)
        now = await status_of(edge)
        assert now["digest"] == before["digest"]
        figure(f"revoked: {now['stale_reason']}")
        again = {
            "SecretID": edge.token,
            "Policies": [{"Name": "node-1"}],
            "Description": "node-1",
        }
        await mesh.cluster.api("PUT", "/v1/acl/token", body=again)
        await until_status(edge, lambda now: is_fresh(now) and not now["problems"], 20)
        await mesh.catches_up("a token given back")
    await edge.serves(SECRET, status=403)


async def settled(node: MeshNode) -> str:
    """The digest in force, once it was the same for a second."""
    seen = [""]

    async def is_same() -> bool:
        seen.append((await status_of(node))["digest"])
        return seen[-1] == seen[-2]

    await wait_until(is_same, 60, what="a table that stays", interval=1)
    return seen[-1]


async def set_rules(mesh: World, policy: dict[str, Any], rules: str) -> None:
    await mesh.cluster.api(
        "PUT", f"/v1/acl/policy/{policy['ID']}", body={"Name": policy["Name"], "Rules": rules}
    )


async def told(mesh: World, right: str) -> str | None:
    """The sentence that names the right, wherever the edge shows it.

    A question that is open is answered by the new policy only when something changes, so something does: what it leaves
    out then is no part of the table.
    """
    number = time.monotonic_ns()
    await mesh.cluster.put("mesh/confirm", str(number))
    other = {"Name": "other", "ID": "other-1", "Port": number % 60_000 + 1}
    await mesh.cluster.register(other, node=mesh.home.name)
    pair = f"source=shop&destination=other-{number}"
    await mesh.cluster.api("PUT", f"/v1/connect/intentions/exact?{pair}", body={"Action": "allow"})
    status = await status_of(mesh.edge)
    sentences = [status["stale_reason"], *(one["message"] for one in status["problems"])]
    return next((one for one in sentences if right in one), None)
