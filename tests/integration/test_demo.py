"""The first five minutes: the screen, and every suggestion on it pasted into another terminal and found to be true."""

import os
import re
import resource
import signal
from pathlib import Path

from tests.integration.demo import Demo, pids
from tests.support.mesh import COMMANDS

SHOP = ("front on node-1", "cart on node-2", "stock on node-3")


async def test_every_suggestion_does_what_it_says(tmp_path: Path) -> None:
    async with Demo(tmp_path) as demo:
        assert "Three nodes on this machine" in demo.output
        shop, split, carts, trace, deny = demo.suggestions()

        page = (await demo.paste(shop)).stdout
        assert all(one in page for one in SHOP)
        line = await demo.line("GET shop.test/ ", "200")
        assert "edge → front@node-1 → cart@node-2 → stock@node-3" in line

        verdict = (await demo.paste(split)).stdout
        assert "accepted by 3 of 3 nodes" in verdict
        answers = [(await demo.paste(carts)).stdout.partition(" on ")[0] for _ in range(8)]
        assert set(answers) == {"cart", "cart-next"}
        assert "gone from 3 of 3 nodes" in (await demo.paste("meshnode undo")).stdout
        assert "deleted; it was " in (await demo.paste("meshnode history mesh/routes/")).stdout

        await demo.paste(shop)
        tree = (await demo.paste(trace)).stdout
        for service, node in (("front", "node-1"), ("cart", "node-2"), ("stock", "node-3")):
            assert re.search(rf"\b{service}\b.*\b{node}\b|\b{node}\b.*\b{service}\b", tree), tree
        assert "mesh/routes/shop" in tree

        await demo.paste(deny)
        sentence = "stock refused cart: intention cart => stock (deny)"
        page = await demo.until_page(shop.replace("curl", "curl -i"), "HTTP/1.1 403", sentence)
        assert "front on node-1: cart gave no answer" in page
        assert sentence in await demo.line("GET shop.test/ ", "403")


async def test_another_number_of_nodes_serves_the_same_shop(tmp_path: Path) -> None:
    """Also in one folder: what moved to another node is not left where it was."""
    data = ("--data", str(tmp_path / "kept"))
    few_handles = ("prlimit", "--nofile=1024:8192", COMMANDS / "meshnode", "dev")
    for count, word in (("1", "One node on"), ("2", "Two nodes on")):
        async with Demo(
            tmp_path, "--nodes", count, *data, name=f"demo-{count}", command=few_handles
        ) as demo:
            assert word in demo.output
            # Its registry takes as many waiting clients as the machine allows.
            *_, registry = pids("meshnode dev")
            assert resource.prlimit(registry, resource.RLIMIT_NOFILE) == (8192, 8192)
            assert len(pids("meshnode agent")) == int(count)
            page = (await demo.paste(demo.suggestions()[0])).stdout
            assert "stock on node-1" in page
            assert [one["Node"] for one in await demo.catalog("service/cart")] == [f"node-{count}"]


async def test_keys_are_kept_in_a_folder_of_ones_own_and_else_forgotten(tmp_path: Path) -> None:
    data = ("--data", str(tmp_path / "kept"))
    for arguments, is_there in ((data, False), (data, True), ((), False)):
        name = f"demo-{len(arguments)}-{is_there}"
        async with Demo(tmp_path, "--nodes", "1", *arguments, name=name) as demo:
            _, split, carts, *_ = demo.suggestions()
            answers = [(await demo.paste(carts)).stdout for _ in range(8)]
            assert any(one.startswith("cart") for one in answers) == is_there
            if not is_there:
                await demo.paste(split)


async def test_a_service_that_is_killed_comes_back_and_is_told(tmp_path: Path) -> None:
    async with Demo(tmp_path) as demo:
        shop = demo.suggestions()[0]
        os.kill(demo.pid_of("cart"), signal.SIGKILL)
        await demo.line("cart (process", "ended by signal 9", "starts again")
        await demo.until_page(shop, "cart gave no answer")
        await demo.line("cart started again")
        await demo.until_page(shop, "stock on node-3")


async def test_an_agent_that_is_killed_comes_back_to_its_proxy(tmp_path: Path) -> None:
    async with Demo(tmp_path) as demo:
        shop = demo.suggestions()[0]
        (agent,) = pids("meshnode agent", "node-2/meshnode.toml")
        proxies = pids("meshnode-proxy")
        os.kill(agent, signal.SIGKILL)
        await demo.line("node-2's agent (process", "ended by signal 9")
        assert "stock on node-3" in (await demo.paste(shop)).stdout
        await demo.line("node-2's agent started again")
        assert pids("meshnode-proxy") == proxies
