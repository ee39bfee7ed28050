"""Each example of help and docs/commands, typed as it stands in the shells people have, on a real node."""

from __future__ import annotations

import json
import os
import shlex
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from meshnode.cli.examples import EXAMPLES, Example
from tests.support import ConsulCluster, EchoServer, Finished, run, wait_until
from tests.support.mesh import COMMANDS, MeshNode
from tests.support.process import Process

pytestmark = pytest.mark.consul

# `meshnode agent` is what every node of the tests runs.
LONG = [
    one
    for command, examples in EXAMPLES.items()
    for one in examples
    if one.is_long and command != "agent"
]
# What each says once it does what it is for.
SIGNS = {"meshnode registry": "Ctrl-C ends it", "meshnode dev": "Try in another terminal"}
READY_SECONDS = 90.0
# What these end with is the mesh's own matter: it may not be well, nor as old as a time of day.
OF_THE_DAY = ("status --json", "rollback --to 14:02")
# They name changes by indexes, 4700 and 4711, that have to be there.
OF_CHANGES = ("diff", "undo", "rollback")
BASH_ONLY = "source <("


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[MeshNode]:
    """A node that runs shop, and has answered one request for it."""
    async with (
        ConsulCluster(tmp_path / "consul", nodes=1) as consul,
        EchoServer("shop-1", tmp_path) as server,
    ):
        shop = {"Name": "shop", "ID": "shop-1", "Port": server.port, "Address": server.address}
        await consul.register(shop, node="node-1")
        await consul.put("mesh/routes/shop", "shop.example/ -> shop")
        async with MeshNode(consul, "node-1", tmp_path, is_edge=True) as made:
            await made.serves("shop.example")
            yield made


async def typed(node: MeshNode, shell: str, line: str) -> Finished:
    """Where the node's own logs are: some examples make a file."""
    environment = {**node.environment, "PATH": f"{COMMANDS}:{os.environ['PATH']}"}
    folder = node.agent.log_path.parent
    return await run(shell, "-c", line, env=environment, cwd=folder, check=False)


async def two_changes(node: MeshNode) -> tuple[str, str]:
    """Two changes of one key, each in history before the next; their indexes."""
    indexes = []
    for limit in ("2s", "3s"):
        put = f"meshnode kv put mesh/routes/shop 'shop.example/ -> shop timeout={limit}' --json"
        index = json.loads((await typed(node, "bash", put)).stdout)["index"]

        async def is_told(index: int = index) -> bool:
            told = json.loads((await typed(node, "bash", "meshnode history --json")).stdout)
            return any(one["index"] == index for one in told["changes"])

        await wait_until(is_told, what=f"history tells of index {index}")
        indexes.append(str(index))
    return indexes[0], indexes[1]


def shells_for(example: Example) -> tuple[str, ...]:
    """What is gone after the first time is typed once; a redirection of bash's in bash alone."""
    is_once = any(word in example.line for word in (" delete ", " remove ", "leave"))
    return ("bash",) if is_once or example.line.startswith(BASH_ONLY) else ("bash", "zsh", "dash")


async def test_every_example_does_what_it_says(node: MeshNode) -> None:
    """In the order of the table: those that end the node stand last."""
    for command, examples in EXAMPLES.items():
        if command not in ("stop", "leave"):
            await node.cluster.put("mesh/routes/shop", "shop.example/ -> shop")
        for example in examples:
            if example.is_long:
                continue
            for shell in ("bash",) if command in OF_CHANGES else shells_for(example):
                line = example.line
                if command in OF_CHANGES:
                    earlier, later = await two_changes(node)
                    line = line.replace("4700", earlier).replace("4711", later)
                said = await typed(node, shell, line)
                allowed = (0, 1) if any(part in example.line for part in OF_THE_DAY) else (0,)
                assert said.code in allowed, (shell, said)
    assert not node.state_folder.exists()


@pytest.mark.parametrize("example", LONG, ids=lambda one: one.line)
async def test_what_runs_until_it_is_told_to_end(example: Example, tmp_path: Path) -> None:
    """In a network of its own, where its usual ports are free; Ctrl-C is a clean end."""
    program, *words = shlex.split(example.line)
    alone = ["unshare", "--net", "sh", "-c", 'ip link set lo up && exec "$@"', "sh"]
    command = [*alone, str(COMMANDS / program), *words]
    process = Process("long", command, folder=tmp_path, env={"HOME": str(tmp_path)})
    process.start()
    try:
        sign = SIGNS[example.line]
        await process.until(lambda: sign in process.output(), READY_SECONDS, what=f"it says {sign}")
        process.signal(signal.SIGINT)
        assert await process.wait() == 0, process.tail()
    finally:
        process.kill()
