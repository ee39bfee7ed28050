"""`meshnode plan` beside a real mesh: what it promises is what comes true once the same keys are put."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.integration.agents import command
from tests.support import ConsulCluster, EchoServer, wait_until
from tests.support.mesh import MeshNode

pytestmark = pytest.mark.consul


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[MeshNode]:
    """A node that routes to shop, knows cart by no route, and has a test."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        EchoServer("shop-1", tmp_path) as shop,
        EchoServer("cart-1", tmp_path) as cart,
    ):
        for name, server in (("shop", shop), ("cart", cart)):
            service = {
                "Name": name,
                "ID": f"{name}-1",
                "Port": server.port,
                "Address": server.address,
            }
            await consul.register(service, node="node-1")
        await consul.put("mesh/routes/shop", "shop.test/ -> shop")
        await consul.put("mesh/tests/shop", "GET shop.test/about -> shop")
        async with MeshNode(consul, "node-1", tmp_path, is_edge=True) as made:
            await made.serves("shop.test")
            yield made


async def planned(node: MeshNode, *words: str) -> Mapping[str, Any]:
    said = await command(node, "plan", *words, "--json")
    document: Mapping[str, Any] = json.loads(said.stdout)
    assert said.code == (0 if document["is_good"] else 1), said
    return document


async def explained(node: MeshNode, url: str) -> Mapping[str, Any]:
    document: Mapping[str, Any] = json.loads((await command(node, "explain", url, "--json")).stdout)
    return document


async def test_what_is_planned_comes_true(node: MeshNode, tmp_path: Path) -> None:
    """One after the other on one mesh: starting one takes longer than all of it."""
    await a_request_that_would_go_elsewhere_does(node)
    await a_value_that_would_be_refused_is(node)
    await a_test_that_would_break_is_told(node, tmp_path)
    await people_are_told_in_lines(node)


async def a_request_that_would_go_elsewhere_does(node: MeshNode) -> None:
    await wait_until(lambda: _is_recorded(node), 30, what="the request is in the ring")
    put = ("mesh/routes/cart", "shop.test/cart -> cart strip=/cart")
    found = await planned(node, *put, "--request", "GET shop.test/cart/7")
    assert found["is_good"]
    (key,) = found["keys"]
    assert (key["change"], key["before"], key["after"]) == ("added", None, put[1])
    (tried,) = found["requests"]
    assert tried["is_moved"]
    assert tried["before"]["says"] == "shop by mesh/routes/shop"
    assert tried["after"]["says"] == "cart by mesh/routes/cart, as GET /7"
    (moved,) = found["moved"]
    assert (moved["request"]["path"], moved["after"]["key"]) == ("/cart", "mesh/routes/cart")
    assert found["recorded_requests"] > found["moved_requests"] >= 1
    # Nothing came into force by asking.
    assert (await explained(node, "http://shop.test/cart/7"))["cluster"] == "shop"

    assert (await command(node, "kv", "put", *put)).code == 0
    now = await explained(node, "http://shop.test/cart/7")
    assert [one["cluster"] for one in now["split"]] == [
        one["cluster"] for one in tried["after"]["split"]
    ]
    assert now["request"]["line"].startswith("GET /7 ")
    of_all = await planned(node, "mesh/settings", "timeout: 2s")
    assert {"cart", "shop"} <= {one["name"] for one in of_all["routes"]}
    assert of_all["routes"][0]["after"]["timeout_ms"] == 2000
    again = await planned(node, *put, "--request", "GET shop.test/cart/7")
    assert (again["keys"][0]["change"], again["requests"][0]["is_moved"]) == ("same", False)
    gone = await planned(node, "--delete", "mesh/routes/cart")
    assert gone["moved_requests"] == found["moved_requests"]


async def _is_recorded(node: MeshNode) -> bool:
    await node.request("shop.test", path="/cart")
    return "/cart" in (await command(node, "trace", "last")).stdout


async def a_value_that_would_be_refused_is(node: MeshNode) -> None:
    put = ("mesh/routes/shop", "shop.test/ -> shop timout=2s")
    found = await planned(node, *put)
    (problem,) = found["keys"][0]["problems"]
    assert (problem["line"], problem["column"], problem["suggestion"]) == (1, 20, "timeout")
    refused = await command(node, "kv", "put", *put, "--json")
    assert refused.code == 1
    (real,) = json.loads(refused.stdout)["problems"]
    assert real["message"] == problem["message"]
    assert (real["line"], real["column"]) == (problem["line"], problem["column"])


async def a_test_that_would_break_is_told(node: MeshNode, tmp_path: Path) -> None:
    file = tmp_path / "conf" / "mesh" / "routes" / "about.yaml"
    file.parent.mkdir(parents=True)
    file.write_text("host: shop.test\npath: /about\nservice: cart\n")
    found = await planned(node, str(tmp_path / "conf"))
    (problem,) = found["keys"][0]["problems"]
    assert "mesh/tests/shop line 1 would break" in problem["message"]
    put = ("mesh/routes/about", "--file", str(file))
    refused = await command(node, "kv", "put", *put, "--json")
    assert refused.code == 1
    (real,) = json.loads(refused.stdout)["problems"]
    assert real["message"] == problem["message"]
    # What is refused already is so in a plan, too, and does not concern another key's.
    again = await planned(node, *put)
    assert again["keys"][0]["change"] == "same"
    assert [one["message"] for one in again["keys"][0]["problems"]] == [problem["message"]]
    assert (await planned(node, "mesh/routes/other", "other.test/ -> cart"))["is_good"]
    deleted = await planned(node, "--delete", "mesh/routes/shop")
    (told,) = deleted["elsewhere"]
    assert told["key"] == "mesh/tests/shop"
    assert (await command(node, "kv", "delete", "mesh/routes/about")).code == 0
    # What goes all at once is held back, by a plan as by a node.
    document = json.loads((await command(node, "kv", "ls", "--json")).stdout)
    every = [word for one in document for word in ("--delete", one["key"])]
    held = await planned(node, *every)
    assert any("confirm" in one["message"] for one in held["elsewhere"]), held
    assert held["other_routes"] == 0


async def people_are_told_in_lines(node: MeshNode) -> None:
    put = ("mesh/routes/cart", "shop.test/cart -> shpo")
    said = (await command(node, "plan", *put, "--request", "shop.test/cart")).stdout
    assert said.startswith("mesh/routes/cart   would be changed, with a warning\n")
    assert "    - shop.test/cart -> cart strip=/cart\n    + shop.test/cart -> shpo\n" in said
    assert 'did you mean "shop"' in said
    assert "GET shop.test/cart   cart by mesh/routes/cart, as GET /   → shpo" in said
    for words in ((), ("routes/x", "1"), ("nothing",), ("mesh/routes/x", "a/ -> b", "c")):
        wrong = await command(node, "plan", *words)
        assert (wrong.code, wrong.stdout) == (2, ""), wrong
    wrong = await command(node, "plan", *put, "--request", "GET /x")
    assert (wrong.code, "the host is missing" in wrong.stderr) == (2, True)
