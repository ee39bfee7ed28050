"""Keys under mesh/ that are wrong, vanish, storm or go back in time: each hurts itself alone, on every node."""

from __future__ import annotations

import base64
import itertools
import json
import random
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

import pytest
import pytest_asyncio

from tests.integration.agents import answers, settled_status, status_of, until_status
from tests.integration.faults import ROUTES, SECRET, SHOP, World, figure, is_fresh, metric, world
from tests.support import wait_until

pytestmark = [pytest.mark.consul, pytest.mark.asyncio(loop_scope="module")]

OPERATIONS_A_TRANSACTION = 64
PROBLEMS_SHOWN = 200
"""What a node's status carries at most; it counts them all."""
HUGE = 400_000
ROUTES_MOST = 10_000


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def mesh(running: World) -> AsyncIterator[World]:
    """Leaves the two routes of the world, and nothing else under mesh/."""
    await running.is_whole()
    yield running
    keys = await running.cluster.api("GET", "/v1/kv/mesh/?keys") or []
    await running.cluster.put("mesh/routes/shop", ROUTES["mesh/routes/shop"])
    await write(running, {key: None for key in keys if key not in ROUTES})


# What is wrong, where it is (line, column), and a word of why.
BAD: dict[str, tuple[bytes, tuple[int | None, int | None], str]] = {
    "garbage": (random.Random(1).randbytes(3000), (None, None), "UTF-8"),
    "huge-garbage": (random.Random(2).randbytes(HUGE), (None, None), ""),
    "huge-text": (b"bad.test/ -> shop " * (HUGE // 18), (None, None), ""),
    "huge-document": (b"host: bad.test\nservice: shop\n" + b"#" * HUGE, (None, None), ""),
    "empty": (b"", (None, None), "empty"),
    "no-arrow": (b"bad.test/ shop", (1, 11), "->"),
    "no-target": (b"bad.test/ ->", (1, None), ""),
    "unknown-setting": (b"bad.test/ -> shop tiemout=2s", (1, 19), 'did you mean "timeout"'),
    "wrong-unit": (b"bad.test/ -> shop timeout=2", (1, None), ""),
    "weights": (b"bad.test/ -> shop 90%, secret 20%", (1, None), "100"),
    "second-line": (b"host: bad.test\nservice: [", (2, None), ""),
    "unknown-field": (b"host: bad.test\nservice: shop\ntimout: 2s\n", (3, 1), "timeout"),
    "no-service": (b"host: bad.test\n", (1, None), "service"),
    "alias-bomb": (
        b"a: &a [x,x,x,x,x,x,x,x]\n"
        + b"".join(
            b"%c: &%c [%b]\n" % (98 + n, 98 + n, b",".join([b"*%c" % (97 + n)] * 8)) for n in range(9)
        ),
        (None, None),
        "",
    ),
    "deep": (b"[" * 20_000, (None, None), ""),
}  # fmt: skip


async def test_bad_values_hurt_only_their_keys(mesh: World) -> None:
    """All at once, each over a good form: that serves on, the verdict says where and why, and others change meanwhile."""
    good = {f"mesh/routes/bad-{name}": f"{name}.test/ -> shop".encode() for name in BAD}
    await write(mesh, good)
    for name in BAD:
        await mesh.edge.serves(f"{name}.test")
    good_index = {name: await mesh.index_of(f"mesh/routes/bad-{name}") for name in BAD}
    async with mesh.load() as load:
        for name, (value, _, _) in BAD.items():
            await mesh.cluster.put(f"mesh/routes/bad-{name}", value)
        await mesh.catches_up("beside 15 bad keys")
        told = await wait_until(lambda: all_told(mesh), 15, what="both nodes tell all problems")
        for name in BAD:
            assert await answers(mesh.edge, f"{name}.test"), f"the last good form of {name} serves"
        await load.at_least(20)
    for name, (value, (line, column), word) in BAD.items():
        key = f"mesh/routes/bad-{name}"
        problem = told[key]
        shown = {field: problem[field] for field in problem if field != "source"}
        assert problem["severity"] == "error", shown
        assert problem["nodes"] == ["node-1", "node-2"], shown
        assert problem["index"] == await mesh.index_of(key), shown
        assert problem["serving_index"] == good_index[name], shown
        assert word in problem["message"] + (problem.get("suggestion") or ""), shown
        if line is not None:
            assert problem["line"] == line, shown
        if column is not None:
            assert problem["column"] == column, shown
        assert len(problem.get("source") or "") <= 200, shown
        assert len(problem["message"]) < 500, shown
        figure(
            f"{name} ({len(value)} bytes): {shown.get('line')}:{shown.get('column')} {shown['message']}"
        )


async def test_one_key_has_one_verdict_of_all_nodes(mesh: World) -> None:
    """For people and for programs: refused by both, where, why, and what goes on serving; the exit code is 1."""
    good_index = await mesh.index_of("mesh/routes/shop")
    index = await mesh.put("mesh/routes/shop", "shop.test/ -> shop tiemout=2s")

    async def complete() -> dict[str, Any] | None:
        said = await mesh.edge.cli("status", "mesh/routes/shop", "--json", check=False)
        document = json.loads(said.stdout)
        return document if document["refused"] == 2 else None

    document = await wait_until(complete, what="both nodes refuse it") or {}
    assert document["index"] == index
    problem = document["problems"][0]
    assert (problem["line"], problem["column"], problem["length"]) == (1, 20, 7)
    assert problem["suggestion"] == "timeout"
    told = await mesh.edge.cli("status", "mesh/routes/shop", check=False)
    assert told.code == 1
    assert told.stdout.splitlines() == [
        f"mesh/routes/shop   index {index}   refused by 2 of 2 nodes; index {good_index} goes on serving",
        '    line 1, column 20: no setting is called "tiemout"; did you mean "timeout"?',
        "        shop.test/ -> shop tiemout=2s",
        "                           ^^^^^^^",
    ]


async def test_three_hundred_bad_keys_are_counted(mesh: World) -> None:
    """A status has room for 200 problems; it says how many there are, and good keys change beside them."""
    await write(mesh, {f"mesh/routes/many/{number}": b"nonsense" for number in range(300)})
    async with mesh.load():
        status = await until_status(mesh.edge, lambda now: len(now["problems"]) >= 300, 30)
        assert all(one["severity"] == "error" for one in status["problems"])
        await mesh.catches_up("beside 300 bad keys")

        async def counted() -> bool:
            document = await written_status(mesh)
            return document["problem_count"] == 300 and len(document["problems"]) == PROBLEMS_SHOWN

        await wait_until(counted, what="the status in Consul counts them")


async def test_wrong_names_are_named_and_harm_nothing(mesh: World) -> None:
    """Spaces, umlauts, a folder that is none of ours, `..`: each is a problem that names the right one, or is not a key."""
    names = ("mesh/routes/my%20shop", "mesh/routes/caf%C3%A9", "mesh/rout/shop", "mesh/shop")
    async with mesh.load():
        for name in names:
            await mesh.cluster.put(name, "other.test/ -> shop")
        status = await until_status(mesh.edge, lambda now: len(now["problems"]) == len(names))
        told = {one["key"]: one["message"] for one in status["problems"]}
        assert "mesh/routes/my-shop" in told["mesh/routes/my shop"], told
        assert "mesh/routes/" in told["mesh/rout/shop"], told
        assert "mesh/routes/shop" in told["mesh/shop"], told
        assert not await answers(mesh.edge, "other.test")
        await mesh.catches_up("beside wrong names")


async def test_two_routes_for_the_same_requests_are_told(mesh: World) -> None:
    """The older one goes on serving; the other is in force, and says so."""
    index = await mesh.put("mesh/routes/again", "shop.test/ -> secret")
    async with mesh.load():
        status = await until_status(mesh.edge, lambda now: told_of("mesh/routes/again", now))
        (problem,) = told_of("mesh/routes/again", status)
        assert (problem["severity"], problem["index"]) == ("warning", index)
        assert "mesh/routes/shop" in problem["message"]


def told_of(key: str, status: Any) -> list[Any]:
    """The problems of one key in a status."""
    return [one for one in status["problems"] if one["key"] == key]


async def test_a_prefix_that_vanishes_is_held_until_a_person_means_it(mesh: World) -> None:
    """By accident, over a restart of an agent and another key too; then it is confirmed, and what is not there is gone."""
    async with mesh.load() as load:
        await mesh.cluster.delete("mesh/", recurse=True)
        for node in mesh.nodes:
            held = await until_status(node, lambda now: now["held_back"])
            assert held["problems"][0]["key"] == "mesh/"
            assert "run: meshnode confirm" in held["problems"][0]["message"]

        async def is_said() -> bool:
            # Through Consul, a moment after the node's own view.
            return (await mesh.edge.cli("status", check=False)).code == 1

        await wait_until(is_said, what="the status of the mesh is not well")
        await load.at_least(50)
        mesh.edge.agent.kill()
        await mesh.edge.start()
        await until_status(mesh.edge, lambda now: now["held_back"] and now["is_complete"])
        await mesh.cluster.put("mesh/routes/other", "other.test/ -> shop")
        await mesh.edge.serves("other.test")
        await load.at_least(50)
    confirmed = await mesh.edge.cli("confirm")
    assert "accepted by 2 of 2 nodes" in confirmed.stdout
    await mesh.edge.serves(SHOP, status=404)
    assert "nothing to confirm" in (await mesh.edge.cli("confirm")).stdout
    for node in mesh.nodes:
        await until_status(node, lambda now: not now["held_back"] and not now["problems"])


async def test_the_only_key_may_be_deleted(mesh: World) -> None:
    await mesh.cluster.delete("mesh/routes/secret")
    await mesh.edge.serves(SECRET, status=404)
    await mesh.cluster.delete("mesh/routes/shop")
    await mesh.edge.serves(SHOP, status=404)
    status = await status_of(mesh.edge)
    assert (status["held_back"], status["problems"]) == (None, [])


async def test_a_storm_of_writes_is_gathered(mesh: World) -> None:
    """2,000 changes as fast as Consul takes them: the last ones are in force at once, in few tables, and nothing fails."""
    before = await settled_status(mesh.edge)
    wakeups = await metric(mesh.edge, "meshnode_consul_wakeups_total")
    async with mesh.load() as load:
        began = time.monotonic()
        for number in range(40):
            await write(
                mesh,
                {
                    f"mesh/routes/storm/{one}": f"storm-{one}.test/ -> shop timeout={number + 1}s".encode()
                    for one in range(50)
                },
            )
        wrote_s = time.monotonic() - began
        index = max([await mesh.index_of(f"mesh/routes/storm/{one}") for one in range(50)])
        began = time.monotonic()
        await until_status(mesh.edge, lambda now: now["index"] >= index)
        took_s = time.monotonic() - began
        await mesh.edge.serves("storm-49.test")
        await load.at_least(20)
    tables = (await status_of(mesh.edge))["generation"] - before["generation"]
    woken = await metric(mesh.edge, "meshnode_consul_wakeups_total") - wakeups
    figure(
        f"2,000 changes in {wrote_s:.1f} s: the last in force {took_s:.2f} s after, {tables} tables, {woken:.0f} wakes"
    )
    assert tables <= 40 * (wrote_s + 1)
    await write(mesh, {f"mesh/routes/storm/{one}": None for one in range(50)})


async def test_ten_thousand_routes_leave_room_for_the_next(mesh: World) -> None:
    """They come, one changes, they go: a Consul value's way is longer then, and no request waits for it."""
    many = {
        f"mesh/routes/many/{number}": f"many-{number}.test/ -> shop".encode()
        for number in range(ROUTES_MOST)
    }
    async with mesh.load() as load:
        await write(mesh, many)
        began = time.monotonic()
        await mesh.edge.serves(f"many-{ROUTES_MOST - 1}.test")
        figure(f"{ROUTES_MOST:,} routes in force {time.monotonic() - began:.2f} s after the last")
        await mesh.catches_up(f"beside {ROUTES_MOST:,} routes")
        await mesh.cluster.delete("mesh/routes/many/", recurse=True)
        await mesh.edge.serves(f"many-{ROUTES_MOST - 1}.test", status=404)
        await load.at_least(50)
    figure(f"slowest request meanwhile: {max(load.result.latencies_s) * 1000:.0f} ms")


async def test_a_restored_snapshot_takes_the_mesh_back(mesh: World) -> None:
    """`consul snapshot restore`: the index goes back, the past is in force, and nothing fails on the way."""
    file = mesh.folder / "past.snap"
    await mesh.cluster.cli("snapshot", "save", str(file))
    async with mesh.load() as load:
        await write(mesh, {f"mesh/routes/late/{one}": b"late.test/ -> shop" for one in range(3)})
        await mesh.edge.serves("late.test")
        await mesh.cluster.cli("snapshot", "restore", str(file))
        began = time.monotonic()
        await mesh.edge.serves("late.test", status=404)
        figure(f"a restored snapshot is in force after {time.monotonic() - began:.2f} s")
        await mesh.catches_up("a restored snapshot")
        for node in mesh.nodes:
            await until_status(node, lambda now: is_fresh(now) and not now["problems"])
        await load.at_least(50)


async def all_told(mesh: World) -> dict[str, dict[str, Any]] | None:
    """By key what `meshnode status --json` says of the bad keys, once every node has told all."""
    said = await mesh.edge.cli("status", "--json", check=False)
    problems = {
        one["key"]: one
        for one in json.loads(said.stdout)["problems"]
        if one["key"].startswith("mesh/routes/bad-") and len(one["nodes"]) == 2
    }
    return problems if len(problems) == len(BAD) else None


async def written_status(mesh: World) -> dict[str, Any]:
    """The edge's status document as it stands in Consul."""
    entry = await mesh.cluster.api("GET", "/v1/kv/meshnode/status/node-1")
    document = json.loads(base64.b64decode(entry[0]["Value"]))
    return dict(document.get("status", document))


async def write(mesh: World, values: Mapping[str, bytes | None]) -> None:
    """Puts and deletes (None) in as few transactions as Consul takes."""
    operations = (
        {"KV": {"Verb": "delete", "Key": key}}
        if value is None
        else {"KV": {"Verb": "set", "Key": key, "Value": base64.b64encode(value).decode()}}
        for key, value in values.items()
    )
    for batch in batches(operations, OPERATIONS_A_TRANSACTION):
        await mesh.cluster.api("PUT", "/v1/txn", body=batch)


def batches(values: Iterator[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    while batch := list(itertools.islice(values, size)):
        yield batch
