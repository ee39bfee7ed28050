"""Looks at keys from files as a node would, without a mesh: compiled by the agent's compiler, loaded by a proxy of its own."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from catalog import (
    Alone,
    ConsulAnswerError,
    Expectation,
    Intentions,
    Policies,
    Problem,
    Snapshot,
    compile_snapshot,
    entered_intentions,
    state_alone,
)

from ..errors import UsageError
from ..proxy import ControlClient
from .asking import Answer, Refusal, ask
from .expected import Asking, askings, broken, request_of
from .given import PREFIX, Given

# Of the services and instances a check could not ask about, so many are named.
SHOWN = 10
DRAINS = "mesh/drain/"
# What a mesh may answer by itself where everything in files would let the request go on.
BY_INTENTION = 403
BY_INSTANCES = 503
_INDEX = re.compile(r"(.*)\[(\d+)\]")


@dataclass(frozen=True, slots=True)
class Finding:
    """A problem, and the file whose key it is about; empty where it is about none of them."""

    file: str
    problem: Problem

    @property
    def is_error(self) -> bool:
        return self.problem.severity == "error"


@dataclass(frozen=True, slots=True)
class Checked:
    """What a look at files came to. `unchecked` are sentences about what no file can say."""

    given: Given
    findings: tuple[Finding, ...]
    expectations: int
    unchecked: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return not any(one.is_error for one in self.findings)


async def check(given: Given, client: ControlClient) -> Checked:
    """What is wrong with these keys, the worst first by file. Raises UsageError, ProxyError."""
    intentions = _intentions(given)
    alone = state_alone(given.values, intentions)
    compiled = compile_snapshot(alone.state, alone.facts)
    table = Snapshot(1, compiled.digest, compiled.resources)
    expected = askings(compiled.last_good.policies.tests)
    asked = await ask(client, table, [request_of(one.expectation) for one in expected])
    answered = list(zip(expected, asked.answers, strict=True))
    open_ones = [one for one, answer in answered if not intentions and _is_open(one, answer)]
    decided = [(one, answer) for one, answer in answered if one not in open_ones]
    problems = [
        *(_twice(key, file, given) for key, file in given.twice),
        *(_found(problem, given) for problem in compiled.problems if _is_meant(problem)),
        *(_found(_of_refusal(one, table, given), given) for one in asked.refusals),
        *(_found(one.problem, given) for one in broken(*_unzipped(decided))),
    ]
    return Checked(
        given,
        tuple(sorted(problems, key=_by_place)),
        len(expected),
        tuple(_unchecked(alone, compiled.last_good.policies, intentions, open_ones)),
    )


def _intentions(given: Given) -> tuple[Intentions, ...]:
    try:
        return entered_intentions(given.intentions)
    except ConsulAnswerError as error:
        raise UsageError(
            f"a service-intentions entry is none Consul would take: {error}"
        ) from error


def _is_meant(problem: Problem) -> bool:
    """Whether a file can be right or wrong about it: which instances there are, no file says."""
    is_unknown = problem.key.startswith(DRAINS) and problem.severity == "warning"
    return problem.key.startswith((PREFIX, "intention ")) and not is_unknown


def _is_open(asking: Asking, answer: Answer) -> bool:
    """Whether a mesh could still do as expected: by its intentions, or for want of instances."""
    expectation: Expectation = asking.expectation
    return answer.get("answer") is None and expectation.status in (BY_INTENTION, BY_INSTANCES)


def _unzipped(
    answered: Iterable[tuple[Asking, Answer]],
) -> tuple[tuple[Asking, ...], tuple[Answer, ...]]:
    pairs = tuple(answered)
    return tuple(one for one, _ in pairs), tuple(answer for _, answer in pairs)


def _found(problem: Problem, given: Given) -> Finding:
    return Finding(given.files.get(problem.key, ""), problem)


def _twice(key: str, file: str, given: Given) -> Finding:
    sentence = f"{key} stands in {given.files[key]}, too: a key has one value"
    return Finding(file, Problem(key, 0, "error", sentence))


def _of_refusal(refusal: Refusal, table: Snapshot, given: Given) -> Problem:
    """What only the proxy saw, at its place in the file where that can be found."""
    culprit = refusal.culprit
    resource = table.resources[culprit.collection][culprit.name]
    text = given.values.get(culprit.key, b"").decode(errors="replace")
    field = refusal.path.removeprefix(f"{culprit.collection}.{culprit.name}").lstrip(".")
    line, column, length, source = _place(text, _field(resource, field))
    return Problem(
        culprit.key, culprit.index, "error", refusal.sentence, line, column, length, source
    )


def _field(resource: Mapping[str, Any], path: str) -> Any:
    """What stands at `headers[0].regex`; None where nothing does."""
    found: Any = resource
    for part in filter(None, path.split(".")):
        indexed = _INDEX.fullmatch(part)
        name, index = (indexed[1], int(indexed[2])) if indexed else (part, None)
        found = found.get(name) if isinstance(found, Mapping) else None
        if index is not None:
            is_there = isinstance(found, list) and index < len(found)
            found = found[index] if is_there else None
    return found


def _place(text: str, written: Any) -> tuple[int | None, int | None, int | None, str | None]:
    """Line, column, length and source of what is written so in the text, if it is."""
    at = text.find(written) if isinstance(written, str) and written else -1
    if at < 0:
        return None, None, None, None
    start = text.rfind("\n", 0, at) + 1
    source = text[start:].partition("\n")[0].removesuffix("\r")
    return text.count("\n", 0, at) + 1, at - start + 1, len(written), source


def _by_place(one: Finding) -> tuple[bool, str, str, int, int, str]:
    problem = one.problem
    place = problem.line or 0, problem.column or 0
    return (not one.is_error, one.file, problem.key, *place, problem.message)


def _unchecked(
    alone: Alone,
    policies: Policies,
    intentions: tuple[Intentions, ...],
    open_ones: list[Asking],
) -> Iterator[str]:
    if alone.services:
        yield f"whether these services are there and well: {_some(alone.services)}"
    if drained := sorted({one.meaning.instance for one in policies.drains.values()}):
        yield f"whether these instances are there to be drained: {_some(drained)}"
    if not intentions and alone.services:
        yield "what intentions say: all may call all here"
    for one in open_ones:
        line = one.expectation.line
        yield f"{one.key} line {line}: only a mesh can answer so: {one.expectation.source}"


def _some(names: Sequence[str]) -> str:
    more = len(names) - SHOWN
    return ", ".join(names[:SHOWN]) + (f" and {more} more" if more > 0 else "")
