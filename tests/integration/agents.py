"""What the tests of the agent ask a node beside what MeshNode can: its status, and commands with standard input."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from tests.support.mesh import COMMANDS, MeshNode
from tests.support.process import Finished, run, wait_until

MESHNODE = COMMANDS / "meshnode"


async def status_of(node: MeshNode) -> dict[str, Any]:
    """The node's view of itself, by its admin API."""
    return dict(json.loads((await node.admin("/status"))[1] or "{}"))


async def settled_status(node: MeshNode) -> dict[str, Any]:
    """The same once it tells of the table its proxy has: a node tells of a new one a moment after it came into force."""

    async def told() -> dict[str, Any] | None:
        status, version = await status_of(node), await node.proxy("/v1/version")
        return status if status["generation"] == version["generation"] else None

    return await wait_until(told, 30, what=f"{node.name} tells of the table in force")


async def until_status(
    node: MeshNode,
    condition: Callable[[dict[str, Any]], object],
    timeout: float = 30.0,
    *,
    what: str = "",
) -> dict[str, Any]:
    """The first status for which `condition` is true."""

    async def found() -> dict[str, Any] | None:
        status = await status_of(node)
        return status if status and condition(status) else None

    return await wait_until(found, timeout, what=what) or {}


async def answers(node: MeshNode, host: str, status: int = 200) -> bool:
    """Whether the edge answers so now."""
    return (await node.request(host))[0] == status


async def command(
    node: MeshNode, *words: str, stdin: str = "", env: Mapping[str, str] | None = None
) -> Finished:
    """`meshnode …` as an admin of this node runs it, whatever it ends with."""
    return await run(
        MESHNODE, *words, env={**node.environment, **(env or {})}, stdin=stdin, check=False
    )


def pid_of(status: Mapping[str, Any]) -> int:
    """The proxy's process."""
    return int(status["proxy"]["pid"])
