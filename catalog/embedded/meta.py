"""What the registry says of itself: who leads, what an agent is."""

from __future__ import annotations

from .answer import Answer
from .call import Call, Route


async def leader(_call: Call) -> Answer:
    return Answer("127.0.0.1:8300")


ROUTES = (Route("/v1/status/leader", {"GET": leader}),)
