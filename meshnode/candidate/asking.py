"""Asks a proxy what a table that is not in force would do with requests. Nothing of it ever comes into force."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from catalog import Snapshot, delta, full

from ..agent.refusal import Culprit, find_culprit, without
from ..errors import BaseNotInForce, ProxyRefused
from ..proxy import ControlClient

# The proxy's own limit of one question.
REQUESTS_MAX = 10_000
# Each refused resource costs the proxy one more reading of the table; more of them are one mistake made everywhere.
REFUSALS_MAX = 100
# The proxy's answer to a table that is wrong.
WRONG = 422
_REQUEST = re.compile(r"requests\[([0-9]+)\]")

Answer = Mapping[str, Any]
"""What the proxy says of one request (docs/boundary.md, Explain)."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A resource the proxy will not take, and its sentence. `path` leads to the field within the table."""

    culprit: Culprit
    sentence: str
    path: str


@dataclass(frozen=True, slots=True)
class Asked:
    """The table as the proxy would take it, what it refuses of the one it was asked about, and its answers in order."""

    table: Snapshot
    refusals: tuple[Refusal, ...]
    answers: tuple[Answer, ...]


async def ask(
    client: ControlClient,
    table: Snapshot,
    requests: Sequence[Mapping[str, Any]] = (),
    *,
    in_force: Snapshot | None = None,
    considered: int = 0,
) -> Asked:
    """What becomes of requests by this table, without the resources the proxy refuses: those are as in force, or not there.

    `in_force` is what the proxy has, where that is known. A request that is none is answered 400. Raises ProxyError.
    """
    refusals: list[Refusal] = []
    while True:
        try:
            answers = [
                answer
                for batch in _batches(requests)
                for answer in await _explain(client, table, batch, in_force, considered)
            ]
        except ProxyRefused as error:
            culprit = find_culprit(table.resources, error.path) if error.status == WRONG else None
            if culprit is None or len(refusals) == REFUSALS_MAX:
                raise
            refusals.append(Refusal(culprit, error.sentence, error.path or ""))
            table = without(table, in_force, culprit)
            continue
        return Asked(table, tuple(refusals), tuple(answers))


async def ask_in_force(
    client: ControlClient, requests: Sequence[Mapping[str, Any]]
) -> tuple[Answer, ...]:
    """What becomes of requests now. Raises ProxyError."""
    found: list[Answer] = []
    for batch in _batches(requests) if requests else ():
        found += await _answers(client, None, batch, considered=0)
    return tuple(found)


async def _explain(
    client: ControlClient,
    table: Snapshot,
    batch: Sequence[Mapping[str, Any]],
    in_force: Snapshot | None,
    considered: int,
) -> Iterable[Answer]:
    if in_force is not None:
        try:
            return await _answers(client, delta(in_force, table), batch, considered)
        except BaseNotInForce:
            # Another table came into force meanwhile: the whole one says the same.
            pass
    return await _answers(client, full(table), batch, considered)


async def _answers(
    client: ControlClient,
    document: bytes | None,
    batch: Sequence[Mapping[str, Any]],
    considered: int,
) -> list[Answer]:
    """One question, and one more for each request that is none: that is answered as the codec would."""
    wrong: dict[int, Answer] = {}
    while True:
        right = [at for at in range(len(batch)) if at not in wrong]
        try:
            found = await _asked(client, document, [batch[at] for at in right], considered)
        except ProxyRefused as error:
            place = _REQUEST.fullmatch(error.path or "")
            if place is None or int(place[1]) >= len(right):
                raise
            own = {"status": 400, "reason": "bad_request", "message": error.sentence}
            wrong[right[int(place[1])]] = {"answer": own}
            continue
        answers = dict(zip(right, found, strict=True)) | wrong
        return [answers[at] for at in range(len(batch))]


async def _asked(
    client: ControlClient,
    document: bytes | None,
    batch: Sequence[Mapping[str, Any]],
    considered: int,
) -> Iterable[Answer]:
    asked = orjson.dumps({"requests": batch, "considered": considered})
    # The table is JSON already, and may be megabytes of it.
    table = b"" if document is None else b',"snapshot":' + document
    answer = await client.explain(asked[:-1] + table + b"}")
    found: list[Answer] = answer["answers"]
    return found


def _batches(requests: Sequence[Mapping[str, Any]]) -> Iterator[Sequence[Mapping[str, Any]]]:
    """At least one, empty as it may be: a table is asked about for its own sake, too."""
    yield requests[:REQUESTS_MAX]
    for start in range(REQUESTS_MAX, len(requests), REQUESTS_MAX):
        yield requests[start : start + REQUESTS_MAX]
