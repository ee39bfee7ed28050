"""What would follow from keys that are not written yet, as a document: told by comparing what is with what would be. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from catalog import KvEntry, Problem, Resource

from ..explain import Question
from .asking import Answer
from .expected import outcome

# Kinds of moved requests in one answer; `moved_requests` counts all of them.
MOVED_MAX = 500

# The same of routes that change by another key than their own.
ROUTES_MAX = 500
ROUTES = "mesh/routes/"

Change = Literal["added", "changed", "removed", "same", "absent"]
"""same: it stands so already. absent: it is to be deleted and is not there."""


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody wants to write: values by key, None to delete."""

    values: Mapping[str, bytes | None]

    def applied(self, entries: Iterable[KvEntry], index: int) -> tuple[KvEntry, ...]:
        """The keys as they would stand, sorted; what changes has this index. The same value changes nothing in Consul."""
        found = {entry.key: entry for entry in entries}
        for key, value in self.values.items():
            if value is None:
                found.pop(key, None)
            elif key not in found or found[key].value != value:
                created = found[key].create_index if key in found else index
                found[key] = KvEntry(key, value, index, create_index=created)
        return tuple(found[key] for key in sorted(found))


@dataclass(frozen=True, slots=True)
class Request:
    """One kind of request, and how many of the recorded ones are of it."""

    question: Mapping[str, Any]
    count: int = 1


@dataclass(frozen=True, slots=True)
class Compared:
    """A request with what becomes of it now, and what would."""

    request: Request
    before: Answer
    after: Answer

    @property
    def is_moved(self) -> bool:
        return _meaning(self.before) != _meaning(self.after)

    def to_json(self) -> dict[str, Any]:
        says, would = told(self.before), told(self.after)
        if self.is_moved and says == would:
            would += ", with other changes to request or answer"
        return {
            "request": dict(self.request.question),
            "count": self.request.count,
            "is_moved": self.is_moved,
            "before": {**_document(self.before), "says": says},
            "after": {**_document(self.after), "says": would},
        }


def recorded(questions: Iterable[Question]) -> tuple[Request, ...]:
    """Requests as the proxy takes them, each kind once, the most frequent first."""
    counts: Counter[tuple[str, str, str, str | None, str | None]] = Counter(
        (one.method, one.host, one.path, one.source, one.client_address) for one in questions
    )
    return tuple(
        Request(
            Question(
                method=method, host=host, path=path, source=source, client_address=client
            ).to_json(),
            count,
        )
        for (method, host, path, source, client), count in counts.most_common()
    )


@dataclass(frozen=True, slots=True)
class Side:
    """How the mesh is, or would be: its keys, what is wrong with them, the routes of the proxy's table by name."""

    entries: tuple[KvEntry, ...]
    problems: tuple[Problem, ...]
    routes: Mapping[str, Resource]


def promise(
    wish: Wish, now: Side, then: Side, given: Sequence[Compared], past: Sequence[Compared]
) -> dict[str, Any]:
    """The document; `given` and `past` are requests that were asked for, and recorded ones."""
    standing = {entry.key: entry for entry in now.entries}
    new = list(_new(now.problems, then.problems, wish))
    touched = list(_touched(wish, now.routes, then.routes))
    keys = [_key(key, value, standing.get(key), new) for key, value in sorted(wish.values.items())]
    moved = [one for one in past if one.is_moved]
    return {
        "is_good": not any(problem.severity == "error" for problem in new),
        "keys": keys,
        "elsewhere": [one.to_json() for one in new if one.key not in wish.values],
        "other_routes": len(touched),
        "routes": touched[:ROUTES_MAX],
        "requests": [one.to_json() for one in given],
        "recorded_requests": sum(one.request.count for one in past),
        "moved_requests": sum(one.request.count for one in moved),
        "moved": [one.to_json() for one in moved[:MOVED_MAX]],
    }


def _touched(
    wish: Wish, now: Mapping[str, Resource], then: Mapping[str, Resource]
) -> Iterator[dict[str, Any]]:
    """Routes whose own key is not in question, and which would be another all the same: by a policy, or a route test."""
    for name in sorted(now.keys() | then.keys()):
        before, after = now.get(name), then.get(name)
        if before is after or _without_index(before) == _without_index(after):
            continue
        key = (after or before or {}).get("key", ROUTES + name)
        if key not in wish.values or name != key.removeprefix(ROUTES):
            yield {"name": name, "key": key, "before": before, "after": after}


def _without_index(route: Resource | None) -> Resource | None:
    return None if route is None else {**route, "index": 0}


def _new(now: Sequence[Problem], then: Sequence[Problem], wish: Wish) -> Iterator[Problem]:
    """What is wrong with the keys in question, and what would be wrong elsewhere and is not now."""
    known = Counter((one.key, one.message) for one in now)
    for problem in then:
        if problem.key in wish.values or not known[problem.key, problem.message]:
            yield problem


def _key(
    key: str, value: bytes | None, standing: KvEntry | None, problems: Iterable[Problem]
) -> dict[str, Any]:
    mine = [problem for problem in problems if problem.key == key]
    return {
        "key": key,
        "change": _change(value, standing),
        "is_refused": any(problem.severity == "error" for problem in mine),
        "before": None if standing is None else standing.value.decode(errors="replace"),
        "after": None if value is None else value.decode(errors="replace"),
        "problems": [problem.to_json() for problem in mine],
    }


def _change(value: bytes | None, standing: KvEntry | None) -> Change:
    if standing is None:
        return "absent" if value is None else "added"
    if value is None:
        return "removed"
    return "same" if value == standing.value else "changed"


def told(answer: Answer) -> str:
    """`cart by mesh/routes/cart, as GET /7`; `404 no_route`."""
    request = answer.get("request")
    says = outcome(answer).removeprefix("it goes to ").removeprefix("it is answered ")
    if request is None or not request["changes"]:
        return says
    return f"{says}, as {request['line'].rpartition(' ')[0]}"


def _meaning(answer: Answer) -> tuple[Any, ...]:
    """All that differs where a request is routed differently: not the index of a key, and not which instance is well."""
    route, own, request = answer.get("route"), answer.get("answer"), answer.get("request")
    return (
        route and route["key"],
        _split(answer),
        own and (own["status"], own.get("reason"), own.get("location")),
        request and (request["line"], request["changes"]),
        answer.get("response_changes"),
    )


def _document(answer: Answer) -> dict[str, Any]:
    route, own = answer.get("route"), answer.get("answer") or {}
    return {
        "key": route["key"] if route else None,
        "split": _split(answer),
        "status": own.get("status"),
        "reason": own.get("reason"),
        "location": own.get("location"),
    }


def _split(answer: Answer) -> list[dict[str, Any]]:
    return list(answer.get("split") or ())
