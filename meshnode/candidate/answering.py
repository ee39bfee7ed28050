"""Has a proxy say what becomes of the requests that tests ask about, so that every node hears the same. Judges nothing."""

from __future__ import annotations

import re
from collections.abc import Sequence

from catalog import Snapshot

from ..errors import ProxyRefused
from ..explain import Known, decided
from ..proxy import ControlClient
from .asking import Answer, ask
from .expected import Asking, request_of

_REQUEST = re.compile(r"requests\[([0-9]+)\]")


async def answers_of(
    client: ControlClient,
    table: Snapshot,
    asked: Sequence[Asking],
    known: Known,
    *,
    in_force: Snapshot | None,
) -> Sequence[Answer]:
    """One question; one more for each request that is none, which is answered as the codec would.

    What an intention decides on another node is put in by what this one knows of them. Raises ProxyError.
    """
    requests = [request_of(one.expectation) for one in asked]
    wrong: dict[int, Answer] = {}
    while True:
        right = [at for at in range(len(requests)) if at not in wrong]
        try:
            said = await ask(client, table, [requests[at] for at in right], in_force=in_force)
        except ProxyRefused as error:
            place = _REQUEST.fullmatch(error.path or "")
            if place is None or int(place[1]) >= len(right):
                raise
            own = {"status": 400, "reason": "bad_request", "message": error.sentence}
            wrong[right[int(place[1])]] = {"answer": own}
            continue
        found = dict(zip(right, said.answers, strict=True)) | wrong
        return [
            {**found[at], **decided(request, found[at], known)}
            for at, request in enumerate(requests)
        ]
