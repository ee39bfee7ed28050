"""The commands against a real mesh of two nodes, and with default deny under the least policy they print themselves."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.integration.agents import answers, command, status_of
from tests.support import ConsulCluster, EchoServer, free_port, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul


async def shop(consul: ConsulCluster, server: EchoServer, node: str, name: str = "shop") -> None:
    await consul.register(
        {"Name": name, "ID": f"{name}-1", "Port": server.port, "Address": server.address}, node=node
    )


@pytest.fixture
async def mesh(tmp_path: Path) -> AsyncIterator[tuple[MeshNode, MeshNode]]:
    """node-1 is the edge, node-2 runs shop, node-3 has no node and runs legacy."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=3) as consul,
        EchoServer("shop-1", tmp_path, address="127.0.0.2") as server,
        EchoServer("legacy-1", tmp_path, address="127.0.0.3") as legacy,
    ):
        await shop(consul, server, "node-2")
        await shop(consul, legacy, "node-3", "legacy")
        await consul.put("mesh/routes/shop", "shop.test/ -> shop")
        await consul.put("mesh/routes/legacy", "legacy.test/ -> legacy")
        async with (
            MeshNode(consul, "node-1", tmp_path, is_edge=True) as first,
            MeshNode(consul, "node-2", tmp_path) as second,
        ):
            yield first, second


async def test_commands_say_how_the_mesh_is(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, second = mesh
    port = (await status_of(second))["outbound"]["shop"]
    calls = f"shop on node-2 calls others at {port}"

    async def is_well() -> bool:
        # Well as soon as both nodes serve; the line of the outbound port comes with the status written a second later.
        answer = await command(first, "status")
        return answer.code == 0 and calls in answer.stdout

    await wait_until(is_well, 30)
    status = (await command(first, "status")).stdout
    assert "2 nodes" in status
    assert calls in status
    assert "legacy at 127.0.0.3:" in status
    assert "node-3 has no node, so what goes there is not encrypted" in status
    assert "Consul's ACLs do not refuse by default" in status
    document = json.loads((await command(first, "status", "--json")).stdout)
    assert document["is_well"] is True
    assert [node["node"] for node in document["nodes"]] == ["node-1", "node-2"]

    key = (await command(first, "status", "mesh/routes/shop")).stdout
    assert "accepted by 2 of 2 nodes, the last" in key
    # Two puts within a second: the nodes write their status a second apart, and are given the time for it.
    for path in ("a", "b"):
        await first.cluster.put("mesh/routes/soon", f"shop.test/{path} -> shop")
        soon = await command(first, "status", "mesh/routes/soon")
        assert (soon.code, "accepted by 2 of 2 nodes" in soon.stdout) == (0, True), soon
    mistyped = await command(first, "status", "mesh/routes/shpo")
    assert (mistyped.code, mistyped.stdout) == (1, "")
    assert 'there is no key mesh/routes/shpo; did you mean "mesh/routes/shop"?' in mistyped.stderr
    other = await command(first, "status", "shop")
    assert (other.code, 'did you mean "mesh/routes/shop"?' in other.stderr) == (2, True)
    for lost in ("routes/lost", "Mesh/routes/lost", "routes/no-route", "services/of/others"):
        value = "a.test/ -> shop" if "lost" in lost else "other programs have such folders, too"
        await first.cluster.put(lost, value)
    status = (await command(first, "status")).stdout
    for lost in ("routes/lost", "Mesh/routes/lost"):
        assert (
            f'{lost}   no node reads it: what people write stands under mesh/; did you mean "mesh/routes/lost"?'
            in status
        )
    assert "no-route" not in status
    assert "of/others" not in status
    over = await command(first, "kv", "put", "mesh/routes/over", "shop.test/ -> legacy priority=5")
    assert (
        "mesh/routes/shop: this route never matches: mesh/routes/over takes all" in over.stdout
    ), over
    await command(first, "kv", "delete", "mesh/routes/over")
    unknown = await command(first, "kv", "put", "mesh/drain/x", "shop-l on node-2")
    assert 'no instance is called "shop-l", so nothing is drained' in unknown.stdout, unknown
    await command(first, "kv", "delete", "mesh/drain/x")
    routes = (await command(first, "routes")).stdout
    assert "shop.test/ -> shop" in routes
    assert "accepted by 2 of 2 nodes" in routes
    services = (await command(first, "services")).stdout
    assert "by mutual TLS on node-2" in services
    assert "(node-3 has no node)" in services
    assert json.loads((await command(first, "services", "--json")).stdout)[0]["service"] == "legacy"


async def test_a_request_between_nodes_and_an_intention(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    await wait_until(lambda: answers(first, "shop.test", 200), 30)
    await wait_until(lambda: answers(first, "legacy.test", 200), 30)
    assert (
        await command(first, "intentions", "deny", "edge", "shop")
    ).stdout == "edge => shop   deny\n"
    await wait_until(lambda: answers(first, "shop.test", 403))
    code, headers, body = await first.request("shop.test")
    assert headers["mesh-reason"] == "intention_denied"
    assert "edge => shop" in body, (code, body)
    assert "edge => shop   deny   precedence 9" in (await command(first, "intentions", "ls")).stdout
    await command(first, "intentions", "allow", "edge", "shop")
    await wait_until(lambda: answers(first, "shop.test", 200))
    await command(first, "intentions", "delete", "edge", "shop")
    mistyped = await command(first, "intentions", "deny", "edge", "shpo")
    assert mistyped.stdout.splitlines() == [
        "edge => shpo   deny, with a warning",
        '    no service is called "shpo"; did you mean "shop"?',
    ]
    await command(first, "intentions", "delete", "edge", "shpo")
    gone = await command(first, "intentions", "delete", "edge", "shop")
    assert (gone.code, "there is no intention edge => shop" in gone.stderr) == (1, True)


async def test_a_request_is_explained(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    await wait_until(lambda: answers(first, "shop.test", 200), 30)
    await first.cluster.put("mesh/routes/old", "shop.test/old => shop")
    await first.cluster.put("mesh/routes/head", "shop.test/ when header.x-beta=1 -> legacy")

    async def told(*words: str) -> str:
        return (await command(first, "explain", *words)).stdout

    async def knows() -> bool:
        plain = await told("http://shop.test/old?a=b")
        return "header x-beta is missing" in plain and "mesh/routes/old" in plain

    await wait_until(knows, 30, what="both keys are considered")
    plain = await told("http://shop.test/old?a=b")
    assert plain.startswith("GET shop.test /old?a=b   as edge\n")
    assert "route      shop   mesh/routes/shop index" in plain
    assert 'never in force: the arrow is written "->", not "=>"' in plain
    assert "on node-2   in" in plain
    assert plain.endswith("answer     shop answers\n")
    beta = json.loads(
        (await command(first, "explain", "http://shop.test/", "-H", "X-Beta: 1", "--json")).stdout
    )
    assert (beta["route"]["name"], beta["destination"]) == ("head", "legacy")

    await command(first, "intentions", "deny", "web", "shop")
    await wait_until(lambda: _is_denied(first), 30, what="the intention is known")
    code, headers, _ = await first.request("nothing.test")
    assert code == 404
    past = await told(headers["mesh-trace"])
    assert "answered 404 no_route; today:" in past
    assert "answer     404 no_route" in past
    assert await told("http://shop.test/old?a=b", "--as", "edge") == plain
    nobodys = await command(first, "explain", "http://shop.test:9/")
    assert (nobodys.code, "the edge of node-1 does not take http at port 9" in nobodys.stderr) == (
        1,
        True,
    )
    wrong = await command(first, "explain", "ftp://shop.test/")
    assert (wrong.code, "begins with http://" in wrong.stderr) == (2, True)


async def test_a_refused_route_is_shown_as_it_is_in_force(mesh: tuple[MeshNode, MeshNode]) -> None:
    """With the form that serves from history, signed by the node that writes it, and where each field comes from."""
    first, _ = mesh
    await wait_until(lambda: answers(first, "shop.test", 200), 30)
    consul = first.cluster
    await consul.put("mesh/routes/doc", "POST shop.test/doc when query.a -> shop timeout=5s")
    await consul.put("mesh/settings", "response_headers: {remove: [server]}")

    async def is_listed() -> bool:
        listed = (await command(first, "routes")).stdout
        return "POST shop.test/doc when query.a -> shop timeout=5s   accepted by 2" in listed

    await wait_until(is_listed, 30, what="all that decides stands in the list")
    good = json.loads((await command(first, "routes", "--json")).stdout)
    index = next(one["index"] for one in good if one["key"] == "mesh/routes/doc")
    await consul.put("mesh/routes/doc", "shop.test/doc -> shop tiemout=5s")

    async def is_shown() -> bool:
        shown = await command(first, "routes", "show", "doc", "--origin")
        return shown.code == 1 and f"in force is the form of index {index}:" in shown.stdout

    await wait_until(is_shown, 30, what="history has the last good form")
    shown = (await command(first, "routes", "show", "doc", "--origin")).stdout
    assert f"refused by 2 of 2 nodes; index {index} goes on serving" in shown
    assert 'no setting is called "tiemout"; did you mean "timeout"?' in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["timeout", "5s", "mesh/routes/doc", str(index)] in rows
    assert ["when", "query.a", "mesh/routes/doc", str(index)] in rows
    assert any(row[:3] == ["response_headers.server", "remove", "mesh/settings"] for row in rows)


async def test_an_agent_whose_port_moved_is_found_by_consul(
    mesh: tuple[MeshNode, MeshNode],
) -> None:
    first, _ = mesh
    url = "http://shop.test/"
    nobody = f"127.0.0.1:{free_port()}"

    async def found() -> bool:
        moved = await command(first, "explain", url, env={"MESHNODE_ADMIN_ADDRESS": nobody})
        return moved.code == 0 and "was asked" in moved.stderr and "GET shop.test" in moved.stdout

    await wait_until(found, 30, what="the status says where the admin API is")
    named = await command(first, "explain", url, "--admin", nobody)
    assert (named.code, f"the admin API at {nobody} does not answer" in named.stderr) == (3, True)


async def _is_denied(node: MeshNode) -> bool:
    """The callee's node decides, and this one says so."""
    call = await command(node, "explain", "--as", "web", "http://shop.mesh/")
    return "deny, by node-2 (intention web => shop, precedence 9, index " in call.stdout


async def test_keys_are_written_as_they_are(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    for value in ("@/etc/passwd", "-", "-x", "--file", "a b\tc", "ü", ""):
        await command(first, "kv", "put", "other/key", "--no-wait", "--", value)
        assert (await command(first, "kv", "get", "other/key")).stdout == value
    await command(first, "kv", "put", "other/key", "-x", "--no-wait")
    assert (await command(first, "kv", "get", "other/key")).stdout == "-x"
    await command(first, "kv", "put", "other/key", "--no-wait", stdin="from\nstdin\n")
    assert (await command(first, "kv", "get", "other/key")).stdout == "from\nstdin\n"
    assert "other/key" in (await command(first, "kv", "ls", "other/")).stdout
    for words in (
        ("put", "mesh/routes/x", "@/etc/passwd"),
        ("put", "mesh/routes/x", "-"),
        ("put", "meshnode/x", "1"),
        ("put", "routes/x", "1"),
        ("delete", "meshnode/ca/key"),
    ):
        refused = await command(first, "kv", *words)
        assert refused.code == 2, refused
    missing = await command(first, "kv", "get", "other/none", "--json")
    assert (missing.code, json.loads(missing.stdout)["exit_code"]) == (1, 1)


async def test_wrong_use_ends_with_2(mesh: tuple[MeshNode, MeshNode]) -> None:
    first, _ = mesh
    assert (await command(first, "kv", "put")).code == 2
    assert (await command(first, "statsu")).code == 2
    wrong = await command(first, "status", env={"MESHNODE_CALLERS": "nobody"})
    assert (wrong.code, "MESHNODE_CALLERS" in wrong.stderr) == (2, True)


async def test_a_missing_right_is_named(tmp_path: Path) -> None:
    """One line after the other is taken out of the printed policy; the agent's one sentence has it."""
    async with ConsulCluster(tmp_path / "consul", nodes=1, acl=True) as consul:
        admin = edge(consul, tmp_path / "admin", consul.token)
        printed = (await command(admin, "acl", "policy", "--edge")).stdout.splitlines()
        rules = [line for line in printed if line and not line.startswith("#")]
        assert len(rules) == 11, printed
        for words in (("status",), ("kv", "ls"), ("intentions", "ls")):
            without = await command(edge(consul, tmp_path / "none", ""), *words)
            assert without.code == 1
            assert "no token was given: set CONSUL_HTTP_TOKEN" in without.stderr, without
        for number, line in enumerate(rules):
            less = "\n".join(other for other in rules if other != line)
            token = await consul.create_token(f"less-{number}", less)
            node = edge(consul, tmp_path / f"less-{number}", token)
            refused = await command(node, "agent")
            assert "nothing runs in" in (await command(node, "stop")).stdout
            node.close()
            assert refused.code == 1, (line, refused)
            assert " ".join(line.split()[:2]) in refused.stderr, (line, refused.stderr)
            assert refused.stderr.splitlines()[-1].startswith("meshnode: "), refused.stderr
            assert "Traceback" not in refused.stderr


async def test_the_printed_policy_is_enough(tmp_path: Path) -> None:
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1, acl=True) as consul,
        EchoServer("shop-1", tmp_path) as server,
    ):
        await shop(consul, server, "node-1")
        await consul.put("mesh/routes/shop", "shop.test/ -> shop")
        admin = edge(consul, tmp_path / "admin", consul.token)
        words = ("acl", "policy", "--signer", "--edge", "--service", "shop")
        token = await consul.create_token("node-1", (await command(admin, *words)).stdout)
        await command(admin, "intentions", "allow", "edge", "shop")
        async with edge(consul, tmp_path, token) as node:
            await node.serves("shop.test")
            assert (await status_of(node))["problems"] == []
            await wait_until(lambda: is_well(node), 30)
            assert "ACLs do not refuse" not in (await command(node, "status")).stdout
            denied = await command(node, "kv", "put", "mesh/routes/x", "x.test/ -> shop")
            assert denied.code == 1
            assert 'key_prefix "mesh/" { policy = "write" }' in denied.stderr, denied


def edge(consul: ConsulCluster, folder: Path, token: str) -> MeshNode:
    folder.mkdir(exist_ok=True)
    return MeshNode(consul, "node-1", folder, token=token, is_edge=True)


async def is_well(node: MeshNode) -> bool:
    return (await command(node, "status")).code == 0
