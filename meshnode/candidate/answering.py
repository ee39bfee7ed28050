"""Has a proxy say what becomes of the requests that tests ask about, so that every node hears the same. Judges nothing."""

from __future__ import annotations

from collections.abc import Sequence

from catalog import Snapshot

from ..explain import Known, decided
from ..proxy import ControlClient
from .asking import Answer, ask
from .expected import Asking, request_of


async def answers_of(
    client: ControlClient,
    table: Snapshot,
    asked: Sequence[Asking],
    known: Known,
    *,
    in_force: Snapshot | None,
) -> Sequence[Answer]:
    """What an intention decides on another node is put in by what this one knows of them. Raises ProxyError."""
    requests = [request_of(one.expectation) for one in asked]
    said = await ask(client, table, requests, in_force=in_force)
    return [
        {**answer, **decided(request, answer, known)}
        for request, answer in zip(requests, said.answers, strict=True)
    ]
