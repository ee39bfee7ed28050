"""History on real nodes: who writes it, what the commands tell of it, and the races of taking changes back."""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import signal
import time
from base64 import b64encode
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from catalog import least_policy
from tests.integration.agents import command, status_of
from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode
from tests.support.process import Finished

pytestmark = [pytest.mark.consul, pytest.mark.asyncio(loop_scope="module")]

KEY = "mesh/routes/shop"
OTHER = "mesh/routes/other"
# Put before the first test, with requests after it: what followed is known a minute later.
TOLD = "mesh/routes/told"
# Two of these do not fit into one entry of history.
LARGE = "# " + "x" * 60_000
KEY_FILE = "ca-key-encryption-key.json"


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def mesh(
    tmp_path_factory: pytest.TempPathFactory,
) -> AsyncIterator[tuple[MeshNode, MeshNode]]:
    """Two nodes, both of which may sign, so both may write history."""
    folder = tmp_path_factory.mktemp("mesh")
    async with (
        ConsulCluster(folder / "consul", nodes=2) as consul,
        EchoServer("shop-1", folder) as server,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop)
        await consul.put(KEY, "shop.test/ -> shop")
        async with MeshNode(consul, "node-1", folder, is_edge=True) as first:
            second = MeshNode(consul, "node-2", folder)
            second.state_folder.mkdir(mode=0o700)
            shutil.copy(first.state_folder / KEY_FILE, second.state_folder / KEY_FILE)
            async with second:
                await put(first, TOLD, "told.test/ -> shop")
                await first.serves("told.test")
                await _requests_for(first, 4.0)
                yield first, second


async def _requests_for(node: MeshNode, duration_s: float) -> None:
    """Half of them fail. What comes within a second of a change may be counted before it."""
    end = time.monotonic() + duration_s
    while time.monotonic() < end:
        for host, status in (("told.test", 200), ("nowhere.test", 404)):
            assert (await node.request(host))[0] == status
        await asyncio.sleep(0.05)


async def changes(node: MeshNode, *words: str) -> list[dict[str, Any]]:
    """What `meshnode history --json` tells, oldest first."""
    said = await command(node, "history", "--json", *words)
    assert said.code == 0, said
    return list(json.loads(said.stdout)["changes"])


async def put(node: MeshNode, key: str, value: str) -> int:
    """As `consul kv put` does; the new index, once history tells of it."""
    await node.cluster.put(key, value)
    index = await index_of(node, key)

    async def is_told() -> bool:
        return any(change["index"] == index for change in await changes(node, key))

    await wait_until(is_told, 60, what=f"history tells of index {index}")
    return index


async def index_of(node: MeshNode, key: str) -> int:
    return int((await node.cluster.api("GET", f"/v1/kv/{key}"))[0]["ModifyIndex"])


async def value_of(node: MeshNode, key: str) -> str:
    return (await command(node, "kv", "get", key)).stdout


async def test_what_was_changed_is_told_and_taken_back(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    one = await put(first, KEY, "shop.test/ -> shop timeout=2s")
    two = await put(first, KEY, "shop.test/ -> shop timeout=200ms")
    told = (await command(first, "history", KEY)).stdout
    row = next(line for line in told.splitlines() if line.startswith(str(two)))
    assert "timeout=2s → timeout=200ms" in row
    assert "node-" in row
    lines = (await command(first, "diff", str(two))).stdout.splitlines()
    assert lines[:2] == [f"--- {KEY}   index {one}", f"+++ {KEY}   index {two}"]
    assert lines[-2:] == ["-shop.test/ -> shop timeout=2s", "+shop.test/ -> shop timeout=200ms"]

    undone = await command(first, "undo")
    index = await index_of(first, KEY)
    start = f"{KEY}   back to index {one}'s value, now index {index}, accepted by 2 of 2 nodes"
    assert (undone.code, undone.stdout.startswith(start)) == (0, True), undone
    assert await value_of(first, KEY) == "shop.test/ -> shop timeout=2s"
    again = await command(first, "undo", str(two))
    assert (again.code, f"was changed after index {two}" in again.stderr) == (1, True), again
    both = (await command(first, "diff", str(one), str(index))).stdout
    assert both == "nothing differs\n"


async def test_a_put_that_made_a_key_and_its_deletion_are_taken_back(
    mesh: tuple[MeshNode, MeshNode],
) -> None:
    first, _ = mesh
    made = await put(first, OTHER, "other.test/ -> shop")
    gone = await command(first, "undo", str(made))
    assert "deleted, as before, it is gone from 2 of 2 nodes" in gone.stdout, gone
    back = await command(first, "undo")
    assert (back.code, f"back to index {made}'s value" in back.stdout) == (0, True), back
    assert await value_of(first, OTHER) == "other.test/ -> shop"


async def test_rollback_takes_all_back_at_once(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    await put(first, KEY, "shop.test/ -> shop timeout=1s")
    await put(first, OTHER, "other.test/ -> shop timeout=4s")
    before, was = await index_of(first, OTHER), await index_of(first, KEY)
    await put(first, OTHER, "other.test/new -> shop")
    await put(first, "mesh/routes/third", "third.test/ -> shop")
    await first.cluster.delete(KEY)
    plan = await command(first, "rollback", "--to", str(before), "--dry-run")
    assert plan.stdout.splitlines() == [
        f"{OTHER}   would be put as at index {before}",
        f"{KEY}   would be put as at index {was}",
        "mesh/routes/third   would be deleted",
    ], plan
    rolled = await command(first, "rollback", "--to", str(before))
    assert (rolled.code, rolled.stdout.count("2 of 2 nodes")) == (0, 3), rolled
    assert await value_of(first, KEY) == "shop.test/ -> shop timeout=1s"
    assert await value_of(first, OTHER) == "other.test/ -> shop timeout=4s"
    assert (await command(first, "kv", "get", "mesh/routes/third")).code == 1
    assert len({await index_of(first, key) for key in (KEY, OTHER)}) == 1


async def test_rollback_to_a_time_names_it_and_goes_back_no_further_than_history(
    mesh: tuple[MeshNode, MeshNode],
) -> None:
    first, _ = mesh
    index = await put(first, KEY, "shop.test/ -> shop timeout=6s")
    now = datetime.now().astimezone()
    await put(first, KEY, "shop.test/ -> shop timeout=7s")
    rolled = await command(first, "rollback", "--to", now.isoformat())
    head = f"as it was at {now:%Y-%m-%d %H:%M:%S}, after index {index}:"
    assert (rolled.code, rolled.stdout.splitlines()[0]) == (0, head), rolled
    assert await value_of(first, KEY) == "shop.test/ -> shop timeout=6s"
    stands = await index_of(first, KEY)
    for long_ago in ("2020-01-01T12:00", "3650d"):
        refused = await command(first, "rollback", "--to", long_ago)
        assert refused.code == 1, refused
        assert "history begins at " in refused.stderr
        assert "is not known, and nothing was put" in refused.stderr
    assert await index_of(first, KEY) == stands


async def test_two_admins_at_once_lose_nothing(mesh: tuple[MeshNode, MeshNode]) -> None:
    """Both take the same change back: one does, the other is told."""
    first, second = mesh
    for number in range(3):
        bad = await put(first, KEY, f"shop.test/ -> shop timeout={number + 3}s")
        both = await asyncio.gather(
            command(first, "undo", str(bad), "--no-wait"),
            command(second, "undo", str(bad), "--no-wait"),
        )
        assert sorted(said.code for said in both) == [0, 1], both
        assert "nothing was put" in next(said.stderr for said in both if said.code), both


async def test_two_admins_who_put_at_once_lose_nothing(mesh: tuple[MeshNode, MeshNode]) -> None:
    """Keys of their own stand both; of one key the later value does, and each is told which that is."""
    first, second = mesh
    for number in range(3):
        mine, theirs = (f"shop.test/ -> shop timeout={digit}{number}s" for digit in (1, 2))
        said = await asyncio.gather(
            command(first, "kv", "put", KEY, mine),
            command(second, "kv", "put", KEY, theirs),
            command(first, "kv", "put", OTHER, f"other.test/ -> shop timeout={number + 1}s"),
            command(second, "kv", "put", TOLD, f"told.test/ -> shop timeout={number + 1}s"),
        )
        assert [one.code for one in said[2:]] == [0, 0], said
        assert (await value_of(first, OTHER)).endswith(f"={number + 1}s")
        assert (await value_of(first, TOLD)).endswith(f"={number + 1}s")
        held, index = await value_of(first, KEY), await index_of(first, KEY)
        for value, one in zip((mine, theirs), said, strict=False):
            is_told_held = one.code == 0 and f"index {index} " in one.stdout
            assert is_told_held == (value == held), (held, one)
            assert one.code == 0 or f"put over it: index {index} " in one.stderr, one
        assert (await settled(first))[-1]["new"]["text"] == held


async def test_a_hand_edit_is_never_lost_to_an_undo(mesh: tuple[MeshNode, MeshNode]) -> None:
    """Put before, within and after the moment in which an undo reads and writes: it stands in the end."""
    first, _ = mesh
    for number in range(6):
        bad = await put(first, KEY, f"shop.test/ -> shop timeout={number + 3}s")
        by_hand = f"shop.test/ -> shop timeout={number + 30}s"

        async def edit(value: str, after_s: float) -> None:
            await asyncio.sleep(after_s)  # not for a result: to meet the undo at another place
            await first.cluster.put(KEY, value)

        undone, _ = await asyncio.gather(
            command(first, "undo", str(bad), "--no-wait"), edit(by_hand, 0.2 * number)
        )
        assert await value_of(first, KEY) == by_hand, undone
        assert undone.code == 0 or "nothing was put" in undone.stderr, undone


async def test_undo_racing_a_put_never_takes_it(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    for number in range(3):
        await put(first, KEY, f"shop.test/ -> shop timeout={number + 3}s")

        async def edit() -> Finished:
            await asyncio.sleep(0)
            return await command(
                first, "kv", "put", KEY, "shop.test/ -> shop timeout=40s", "--no-wait"
            )

        undone, edited = await asyncio.gather(command(first, "undo", "--no-wait"), edit())
        assert edited.code == 0, edited
        held = await value_of(first, KEY)
        told = [change["new"]["text"] for change in await settled(first) if change["new"]]
        assert "shop.test/ -> shop timeout=40s" in told, (undone, told)
        # What was put by hand stands, unless it is what the undo took back: then it said so.
        if held != "shop.test/ -> shop timeout=40s":
            assert undone.code == 0, (undone, held)


async def settled(node: MeshNode) -> list[dict[str, Any]]:
    """The changes of KEY, once history tells of what stands."""
    index = await index_of(node, KEY)

    async def found() -> list[dict[str, Any]]:
        told = await changes(node, KEY)
        return told if told[-1]["index"] == index else []

    return await wait_until(found, 60, what="history has caught up")


async def test_a_forged_entry_is_ignored_and_named(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    await put(first, KEY, "shop.test/ -> shop timeout=5s")
    entries = await first.cluster.api("GET", "/v1/kv/meshnode/history/?keys")
    real = (await first.cluster.call("GET", f"/v1/kv/{entries[-1]}?raw")).text
    document = json.loads(real)
    document["changes"][0]["new"]["text"] = "shop.test/ -> evil"
    forged = {
        entries[-1]: json.dumps(document),
        "meshnode/history/999999999999": json.dumps(
            {**json.loads(real), "revision": "999999999999"}
        ),
        "meshnode/history/nonsense": "nonsense",
    }
    before = await changes(first)
    for key, value in forged.items():
        await first.cluster.put(key, value)
    try:
        said = await command(first, "history")
        assert said.code == 0, said
        for key in forged:
            assert f"{key} does not count: " in said.stdout, said
        assert "evil" not in json.dumps(await changes(first))
        told = [(one["key"], one["index"]) for one in await changes(first)]
        assert told == [
            (one["key"], one["index"])
            for one in before
            if f"meshnode/history/{one['revision']}" != entries[-1]
        ]
    finally:
        for key in forged:
            await first.cluster.delete(key)


async def test_a_forged_status_is_ignored_and_named(mesh: tuple[MeshNode, MeshNode]) -> None:
    """Over a true one, whose node is stopped and can not write it again, and of a node that is none."""
    first, second = mesh
    key = f"meshnode/status/{second.name}"
    index = await put(first, KEY, "shop.test/ -> shop timeout=6s")
    second.signal_agent(signal.SIGSTOP)
    try:
        real = (await first.cluster.call("GET", f"/v1/kv/{key}?raw")).text
        forged = {**json.loads(real), "index": index + 1000, "services": ["evil"]}
        await first.cluster.put(key, json.dumps(forged))
        await first.cluster.put("meshnode/status/node-9", json.dumps({**forged, "node": "node-9"}))
        said = await command(first, "status")
        assert "evil" not in said.stdout, said
        for name in (second.name, "node-9"):
            assert f"\n{name} does not count: " in said.stdout, said
    finally:
        second.signal_agent(signal.SIGCONT)
        await first.cluster.delete("meshnode/status/node-9")

    async def is_true_again() -> bool:
        return "does not count" not in (await command(first, "status")).stdout

    await wait_until(is_true_again, 60, what="node-2 writes its status again")


async def test_a_key_no_one_reads_is_shown_with_its_age(mesh: tuple[MeshNode, MeshNode]) -> None:
    """Put by `consul kv put`, it is a problem on every node; by `meshnode kv put` it is not put at all."""
    first, _ = mesh
    index = await put(first, "mesh/route/shop", "shop.test/ -> shop")

    async def shown() -> str:
        return (await command(first, "status")).stdout

    async def is_shown() -> bool:
        return "mesh/route/shop" in await shown()

    await wait_until(is_shown, 60, what="the status names it")
    start = rf"mesh/route/shop   index {index}   error on node-1, node-2, written \d+ (ms|s|min)"
    text = await shown()
    assert re.search(start, text), text
    assert 'did you mean "mesh/routes/shop"?' in text
    assert (await command(first, "kv", "put", "mesh/route/shop", "x")).code == 2
    aside = await command(first, "kv", "put", "aside/shop", "x")
    assert "; no node reads it: mesh/ is read" in aside.stdout
    folder = await command(first, "kv", "put", "mesh", "x")
    assert (folder.code, "is the folder, no key of it" in folder.stderr) == (2, True), folder
    await first.cluster.put("mesh", "shop.test/ -> shop")
    said = [line for line in (await shown()).splitlines() if "no node reads it" in line]
    assert said == [
        'mesh   no node reads it: what people write stands under mesh/; did you mean "mesh/routes/shop"?'
    ]
    await first.cluster.delete("mesh")
    await first.cluster.delete("mesh/route/shop")


async def test_what_followed_is_told_once(mesh: tuple[MeshNode, MeshNode]) -> None:
    """By the writer, of its own node: the minute before against the minute after."""
    first, _ = mesh

    async def told() -> dict[str, Any] | None:
        one, *_ = await changes(first, TOLD)
        return one if one["effect"] else None

    change = await wait_until(told, 120, what="the effect of the first change")
    effect = change["effect"]
    assert effect["requests_after"] >= 12
    assert 6 <= effect["errors_after"] <= effect["requests_after"] - 6
    assert change["outcome"] == {"accepted": 2, "refused": 0, "waiting": 0, "message": ""}
    row = next(line for line in (await command(first, "history", TOLD, "--all")).stdout.splitlines() if line.startswith(str(change["index"])))  # fmt: skip
    assert f"→ {100 * effect['errors_after'] / effect['requests_after']:.0f} %" in row


async def writer_of(first: MeshNode, second: MeshNode) -> tuple[MeshNode, MeshNode]:
    """The node that writes history, and the other."""
    told = (await first.cluster.call("GET", "/v1/kv/meshnode/ca/signer?raw")).text
    name = json.loads(told)["node"]
    return (first, second) if name == first.name else (second, first)


async def test_a_writer_that_dies_leaves_no_gap_and_nothing_twice(
    mesh: tuple[MeshNode, MeshNode],
) -> None:
    """Killed once the first part of a large change is written; the next writer tells the others, and what came after."""
    first, second = mesh
    writer, other = await writer_of(first, second)
    assert (await status_of(other))["is_complete"]
    start = await put(first, KEY, "shop.test/ -> shop timeout=9s")
    await put_together(first, {f"mesh/routes/large-{number}": LARGE for number in range(6)})
    before = len(await entries_of(first))

    async def is_begun() -> bool:
        return len(await entries_of(first)) > before

    await wait_until(is_begun, 60, interval=0.001, what="the first part is written")
    writer.signal_agent(signal.SIGKILL)
    values = [f"shop.test/ -> shop timeout={number + 10}s" for number in range(5)]
    for value in values:
        await first.cluster.put(KEY, value)
        await asyncio.sleep(0.3)  # not for a result: so that the watch sees each of them

    async def told() -> list[dict[str, Any]]:
        found = [one for one in await changes(other) if one["index"] > start]
        return found if any(one["new"] and one["new"].get("text") == values[-1] for one in found) else []  # fmt: skip

    try:
        found = await wait_until(told, 120, what="the next writer has caught up")
    finally:
        writer.close()
        await writer.start()
        await first.cluster.delete("mesh/routes/large-", recurse=True)
    of_key = [one for one in found if one["key"] == KEY]
    assert [one["new"]["text"] for one in of_key] == values
    assert [one["old"]["index"] for one in of_key[1:]] == [one["index"] for one in of_key[:-1]]
    assert of_key[-1]["writer"] == other.name
    large = [one["key"] for one in found if one["key"] != KEY]
    assert large == [f"mesh/routes/large-{number}" for number in range(6)]


async def entries_of(node: MeshNode) -> list[str]:
    return await node.cluster.api("GET", "/v1/kv/meshnode/history/?keys") or []


async def put_together(node: MeshNode, values: dict[str, str]) -> None:
    """In one transaction."""
    operations = [
        {"KV": {"Verb": "set", "Key": key, "Value": b64encode(value.encode()).decode()}}
        for key, value in values.items()
    ]
    await node.cluster.api("PUT", "/v1/txn", body=operations)


async def test_a_tree_that_was_deleted_comes_back_by_one_command(tmp_path: Path) -> None:
    """With all of meshnode/, history included: `mesh` is how that begins too. What the writer saw go is told anew."""
    async with (
        ConsulCluster(tmp_path / "consul") as consul,
        MeshNode(consul, "node-1", tmp_path) as node,
    ):
        held = {key: f"{key[-4:]}.test/ -> redirect 301 https://shop.test/" for key in (KEY, OTHER)}
        for key, value in held.items():
            await put(node, key, value)
        await node.cluster.delete("mesh", recurse=True)

        async def is_told() -> bool:
            return [one["new"] for one in (await changes(node))[-2:]] == [None, None]

        await wait_until(is_told, 60, what="history tells that both are gone")
        undone = await command(node, "undo")
        assert (undone.code, undone.stdout.count("accepted by 1 of 1 node")) == (0, 2), undone
        assert {key: await value_of(node, key) for key in held} == held


async def test_the_least_policies_are_enough(tmp_path: Path) -> None:
    """Under default deny: a signer's for the writer; reading, and writing under mesh/, for the person."""
    async with ConsulCluster(tmp_path / "consul", acl=True) as consul:
        rules = least_policy("node-1", [], is_signer=True)
        token = await consul.create_token("node-1", rules)
        people = least_policy("node-1", []).replace(
            '"mesh/" { policy = "read" }', '"mesh/" { policy = "write" }'
        )
        person = {"CONSUL_HTTP_TOKEN": await consul.create_token("person", people)}
        async with MeshNode(consul, "node-1", tmp_path, token=token) as node:
            index = await put(node, KEY, "redirect.test/ -> redirect 301 https://shop.test/")
            refused = await command(node, "undo", str(index), "--no-wait")
            assert (refused.code, 'key_prefix "mesh/" { policy = "write" }' in refused.stderr) == (1, True), refused  # fmt: skip
            undone = await command(node, "undo", str(index), "--no-wait", env=person)
            assert (undone.code, undone.stdout) == (0, f"{KEY}   deleted, as before\n"), undone
