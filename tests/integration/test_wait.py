"""`kv put --wait` and `meshnode wait` on two real nodes: what they end with, and whom they name."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.agents import command
from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul

KEY = "mesh/routes/shop"


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[tuple[MeshNode, MeshNode]]:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=2) as consul,
        EchoServer("shop-1", tmp_path) as server,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop)
        await consul.put(KEY, "shop.test/ -> shop")
        async with (
            MeshNode(consul, "node-1", tmp_path, is_edge=True) as first,
            MeshNode(consul, "node-2", tmp_path) as second,
        ):

            async def both() -> bool:
                return (await command(first, "wait", KEY)).stdout.count("2 of 2 nodes") == 1

            await wait_until(both, 60, what="both nodes have said")
            yield first, second


async def test_a_put_waits_for_all(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    put = await command(first, "kv", "put", KEY, "shop.test/ -> shop timeout=2s", "--wait")
    index = int((await first.cluster.api("GET", f"/v1/kv/{KEY}"))[0]["ModifyIndex"])
    start = rf"{KEY}   index {index}   accepted by 2 of 2 nodes, \d+ m?s after the put\n"
    assert (put.code, bool(re.fullmatch(start, put.stdout))) == (0, True), put
    same = await command(first, "kv", "put", KEY, "shop.test/ -> shop timeout=2s", "--wait")
    assert f"index {index}   the same value as before; accepted by 2 of 2" in same.stdout, same
    refused = await command(first, "kv", "put", KEY, "nonsense", "--wait")
    assert (refused.code, "refused by 2 of 2 nodes" in refused.stdout) == (1, True), refused
    assert (await command(first, "wait", KEY)).code == 1
    reached = await command(first, "wait", str(index))
    assert (reached.code, reached.stdout) == (0, f"index {index}   reached by 2 of 2 nodes\n")
    gone = await command(first, "kv", "delete", KEY)
    assert (gone.code, "it is gone from 2 of 2 nodes" in gone.stdout) == (0, True), gone
    still = await command(first, "wait", KEY)
    assert (still.code, "it is gone from 2 of 2 nodes" in still.stdout) == (0, True), still
    await first.cluster.put(KEY, "shop.test/ -> shop")
    never = await command(first, "wait", "mesh/routes/shopp")
    sentence = (
        r"there is no key mesh/routes/shopp, and history, which begins at index \d+, tells of none"
    )
    assert (never.code, bool(re.search(sentence, never.stderr))) == (1, True), never
    assert 'did you mean "mesh/routes/shop"?' in never.stderr


async def test_deleting_all_at_once_says_that_it_is_held_back(
    mesh: tuple[MeshNode, MeshNode],
) -> None:
    """And of one folder among others that it is gone."""
    first, _ = mesh
    other = "mesh/routes/two/other"
    for key in (other, "mesh/routes/two/third"):
        await first.cluster.put(key, f"{key[-5:]}.test/ -> shop")
    # What breaks by it is told to who deletes.
    await first.cluster.put("mesh/tests/third", "GET third.test/ -> shop")
    await command(first, "wait", "mesh/tests/third")
    some = await command(first, "kv", "delete", "mesh/routes/two/", "--recurse")
    gone_line = "{}   deleted   it is gone from 2 of 2 nodes".format
    lines = some.stdout.splitlines()
    assert (some.code, lines[:2]) == (
        0,
        [gone_line(other), gone_line("mesh/routes/two/third")],
    ), some
    assert "mesh/tests/third: " in lines[2]
    await first.cluster.delete("mesh/tests/third")
    await first.cluster.put(other, "other.test/ -> shop")
    await command(first, "wait", other)
    held = await command(first, "kv", "delete", "mesh/", "--recurse")
    advice = "2 keys went at once and stay in force until they stand again"
    assert (held.code, held.stdout.count("2 of 2 nodes hold back keys that went at once")) == (
        1,
        2,
    ), held
    assert advice in held.stdout
    assert "meshnode confirm" in held.stdout
    assert (await command(first, "routes")).stdout.startswith(advice)
    for words in (("wait", KEY), ("status", KEY)):
        said = await command(first, *words)
        assert (said.code, advice in said.stdout + said.stderr) == (1, True), said
    as_json = json.loads((await command(first, "wait", KEY, "--json")).stdout)
    assert (as_json["answer"], as_json["refused"]) == ("refused", 2)
    await command(first, "confirm")
    gone = await command(first, "wait", KEY)
    assert (gone.code, "it is gone from 2 of 2 nodes" in gone.stdout) == (0, True), gone


async def test_a_node_that_does_not_say_is_named(mesh: tuple[MeshNode, MeshNode]) -> None:
    """One that hangs is alive for Consul until its heartbeat is overdue."""
    first, second = mesh
    second.signal_agent(signal.SIGSTOP)
    try:
        put = await command(
            first,
            "kv",
            "put",
            KEY,
            "shop.test/ -> shop timeout=3s",
            "--wait",
            "--timeout",
            "1500ms",
        )
        assert (put.code, "accepted by 1 of 2 nodes; waiting for node-2 (it is at index" in put.stdout) == (3, True), put  # fmt: skip
        index = json.loads((await command(first, "kv", "get", KEY, "--json")).stdout)["index"]
        waited = await command(first, "wait", str(index), "--timeout", "1s", "--json")
        assert (waited.code, json.loads(waited.stdout)["is_reached"]) == (3, False)
    finally:
        second.signal_agent(signal.SIGCONT)
    again = await command(first, "wait", str(index), "--timeout", "60s")
    assert (again.code, "reached by 2 of 2 nodes" in again.stdout) == (0, True), again


async def test_wrong_use_is_said(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    for words, sign in (
        (("wait", "routes/shop"), "neither an index nor a key under mesh/"),
        (("wait", KEY, "--timeout", "5"), "a time with its unit"),
    ):
        said = await command(first, *words)
        assert (said.code, sign in said.stderr) == (2, True), said
