"""Waits until the demo does what its screen will say: every node by what its Consul holds now, and a request that reaches
the last service.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp

from ..errors import StartError
from .plan import HOST, Plan

# A cold start takes some seconds; a machine this slow has another fault.
START_TIMEOUT_S = 120.0
LOOK_S = 0.05
ANSWER_TIMEOUT_S = 5.0
# A sampled bit of 0: our own trial is nobody's trace and no line on the screen.
UNRECORDED = {"traceparent": "00-6d6573686e6f64652d64656d6f2d2d2d-6d6573686e6f6465-00"}


@dataclass(frozen=True, slots=True)
class Trial:
    """One question that has to be answered with 200."""

    missed: str
    """The beginning of the sentence where it never is."""
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    member: str = ""
    """Of a JSON answer, what has to be true in it besides."""


async def until_ready(
    plan: Plan, check: Callable[[], None], timeout_s: float = START_TIMEOUT_S
) -> None:
    """Raises StartError with what it still waits for; whatever `check` raises ends it at once."""
    limit = aiohttp.ClientTimeout(total=ANSWER_TIMEOUT_S)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + timeout_s
    async with aiohttp.ClientSession(timeout=limit) as session:
        for trial in _trials(plan):
            while (last := await _look(session, trial)) is not None:
                check()
                if loop.time() > deadline:
                    raise StartError(f"{trial.missed} within {timeout_s:.0f} s: {last}")
                await asyncio.sleep(LOOK_S)


def _trials(plan: Plan) -> Iterator[Trial]:
    for node in plan.nodes:
        yield Trial(f"{node.name} was not ready", f"http://{node.admin}/ready")
        # A node of a kept folder is ready by its saved table, and that may be a key behind.
        status = f"http://{node.admin}/status"
        yield Trial(f"{node.name} had not read what Consul holds", status, member="is_complete")
    yield Trial("the shop did not answer", f"http://{plan.edge}/", {"host": HOST, **UNRECORDED})


async def _look(session: aiohttp.ClientSession, trial: Trial) -> str | None:
    """None once it is answered as it has to be; else what was said."""
    try:
        async with session.get(trial.url, headers=trial.headers) as response:
            text = (await response.text()).strip()
    except (aiohttp.ClientError, TimeoutError) as error:
        return str(error) or "no answer"
    if response.status != 200:
        return text or f"status {response.status}"
    if trial.member and not json.loads(text).get(trial.member):
        return f"{trial.member} is not said yet"
    return None
