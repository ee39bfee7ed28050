"""Whether what route tests (`mesh/tests/<name>`) expect holds, by the proxy's answers. Asks nobody, matches nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from catalog import Expectation, Problem, RouteTest, Written, service_of

from .asking import Answer

# Where a test says which service gets a request, it is not its business whether one of its instances is well today, nor
# whether Consul lets the caller: routes are tested, and no route makes these any better.
NOT_OF_ROUTES = ("no_such_service", "no_healthy_endpoint", "intention_denied")
EDGE = "edge"
MESH_HOST = ".mesh"


@dataclass(frozen=True, slots=True)
class Asking:
    """One expectation with the test it stands in."""

    key: str
    index: int
    expectation: Expectation


@dataclass(frozen=True, slots=True)
class Broken:
    """An expectation that does not hold, the sentence that says what becomes of its request instead, and the route that decides it."""

    asking: Asking
    sentence: str
    route_key: str | None
    route_index: int

    @property
    def problem(self) -> Problem:
        """The test's, at the line that does not hold."""
        expectation = self.asking.expectation
        return Problem(
            self.asking.key,
            self.asking.index,
            "error",
            self.sentence,
            line=expectation.line,
            source=expectation.source,
        )


def askings(tests: Mapping[str, Written[RouteTest]]) -> tuple[Asking, ...]:
    """All expectations, in the order of keys and lines."""
    return tuple(
        Asking(key, written.index, expectation)
        for key, written in sorted(tests.items())
        for expectation in written.meaning.expectations
    )


def request_of(expectation: Expectation) -> dict[str, Any]:
    """The request as `POST /v1/explain` takes it."""
    caller = expectation.caller
    document: dict[str, Any] = {
        "listener": EDGE if caller is None else "outbound",
        "method": expectation.method,
        "host": expectation.host,
        "path": expectation.path,
        "headers": [list(field) for field in expectation.headers],
    }
    if caller is not None:
        document["source"] = caller
    if expectation.client_address is not None:
        document["client_address"] = expectation.client_address
    return document


def broken(asked: Iterable[Asking], answers: Iterable[Answer]) -> Iterator[Broken]:
    """Those that do not hold; `answers` are the proxy's, in the same order."""
    for asking, answer in zip(asked, answers, strict=True):
        if not holds(asking.expectation, answer):
            route = answer.get("route")
            yield Broken(
                asking,
                f"{wanted(asking.expectation)} is expected, but {outcome(answer)}",
                route["key"] if route else None,
                int(route["index"]) if route else 0,
            )


def holds(expectation: Expectation, answer: Answer) -> bool:
    """Whether the proxy does as expected. Of a split any part may be the target, and a part of a service is that service."""
    own = answer.get("answer")
    if expectation.target is not None:
        led = clusters(answer) or _called(expectation, answer)
        is_led = expectation.target in {*led, *map(service_of, led)}
        return is_led and (own is None or own.get("reason") in NOT_OF_ROUTES)
    if own is None or own["status"] != expectation.status:
        return False
    return expectation.location is None or own.get("location") == expectation.location


def clusters(answer: Answer) -> tuple[str, ...]:
    """Where the request may go: the targets that get a share of it."""
    split = answer.get("split") or ()
    return tuple(one["cluster"] for one in split if one["weight"]) or (
        (answer["cluster"],) if answer.get("cluster") else ()
    )


def _called(expectation: Expectation, answer: Answer) -> tuple[str, ...]:
    """The service that a call names which no route takes, where this node does not know it."""
    is_named = expectation.caller is not None and expectation.host.endswith(MESH_HOST)
    return (
        (expectation.host.removesuffix(MESH_HOST),) if is_named and not answer.get("route") else ()
    )


def wanted(expectation: Expectation) -> str:
    """`GET shop.example/cart -> cart`, whatever else stands in its line."""
    asked = f"{expectation.method} {expectation.host}{expectation.path}"
    caller = f"as {expectation.caller} " if expectation.caller else ""
    if expectation.location is not None:
        return f"{caller}{asked} -> redirect {expectation.status} {expectation.location}"
    return f"{caller}{asked} -> {expectation.target or expectation.status}"


def outcome(answer: Answer) -> str:
    """`it goes to shop by mesh/routes/shop`, `it is answered 404 no_route`."""
    own, route = answer.get("answer"), answer.get("route")
    by = f" by {route['key']}" if route else ""
    led = ", ".join(_shares(answer))
    if own is None:
        return f"it goes to {led}{by}"
    if location := own.get("location"):
        return f"it is redirected {own['status']} to {location}{by}"
    reason = f" {own['reason']}" if own.get("reason") else ""
    if reason and led:
        return f"it goes to {led}{by} and is answered {own['status']}{reason}"
    return f"it is answered {own['status']}{reason}{by}"


def _shares(answer: Answer) -> Iterator[str]:
    split = [one for one in answer.get("split") or () if one["weight"]]
    for one in split:
        yield f"{one['cluster']} {one['weight']}" if len(split) > 1 else one["cluster"]
    if not split and answer.get("cluster"):
        yield answer["cluster"]
