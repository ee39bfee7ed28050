"""Waits until the demo does what its screen will say: every node ready, and a request that reaches the last service."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator

import aiohttp

from ..errors import StartError
from .plan import HOST, Plan

# A cold start takes some seconds; a machine this slow has another fault.
START_TIMEOUT_S = 120.0
LOOK_S = 0.05
ANSWER_TIMEOUT_S = 5.0
# A sampled bit of 0: our own trial is nobody's trace and no line on the screen.
UNRECORDED = {"traceparent": "00-6d6573686e6f64652d64656d6f2d2d2d-6d6573686e6f6465-00"}


async def until_ready(plan: Plan, check: Callable[[], None]) -> None:
    """Raises StartError with what it still waits for; whatever `check` raises ends it at once."""
    limit = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + START_TIMEOUT_S
    async with aiohttp.ClientSession(timeout=limit) as session:
        for what, url, headers in _trials(plan):
            while (last := await _look(session, url, headers)) is not None:
                check()
                if loop.time() > deadline:
                    raise StartError(f"{what} within {START_TIMEOUT_S:.0f} s: {last}")
                await asyncio.sleep(LOOK_S)


def _trials(plan: Plan) -> Iterator[tuple[str, str, dict[str, str]]]:
    for node in plan.nodes:
        yield f"{node.name} was not ready", f"http://{node.admin}/ready", {}
    yield "the shop did not answer", f"http://{plan.edge}/", {"host": HOST, **UNRECORDED}


async def _look(session: aiohttp.ClientSession, url: str, headers: dict[str, str]) -> str | None:
    """None once it answers 200; else what it said."""
    try:
        async with session.get(url, headers=headers) as response:
            text = (await response.text()).strip()
            return None if response.status == 200 else text or f"status {response.status}"
    except (aiohttp.ClientError, TimeoutError) as error:
        return str(error) or "no answer"
