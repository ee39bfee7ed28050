"""The route that took a request and those that did not, as lines for people. Decides nothing."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .layout import below, rows, step

SHOWN = 8
"""Routes named for people who did not ask for all."""
MADE = "mesh:"
"""How the names of routes begin that nobody wrote: they carry what policies say for `.mesh` hosts."""
ROUTES = "mesh/routes/"
NO_ROUTE = "no_route"
NOT_ASKED = "none: about such a request no route is asked"

Answer = Mapping[str, Any]


def route_lines(answer: Answer, *, has_all: bool) -> Iterator[str]:
    """The step, and each other route with why it lost: the nearest, or `has_all`."""
    route, considered = answer.get("route"), answer.get("considered") or []
    others = int(answer.get("routes") or 0) - (route is not None)
    if route is None and not others and not answer["refused"]:
        return
    reason = (answer.get("answer") or {}).get("reason")
    if route is None and others and not considered and reason != NO_ROUTE:
        # The answer says why; that so many routes did not take it would say it is theirs.
        yield step("route", NOT_ASKED)
        return
    if route is None:
        yield step("route", f"none   {_count(others)} considered")
    else:
        took = f"{route['name']}   {route['key']} index {route['index']}"
        yield step("route", f"{took}   {_count(others)} considered" if others else took)
    shown = considered if has_all else [one for one in considered if _is_near(one)][:SHOWN]
    told: list[tuple[str, ...]] = [(one["name"], one["pattern"], one["sentence"]) for one in shown]
    told += [(_name(one["key"]), one["key"], _refused(one)) for one in answer["refused"]]
    yield from rows(told)
    if rest := others - len(shown):
        more = "" if has_all else f"; --all names {'it' if rest == 1 else 'them'}"
        yield below(f"and {rest} further away{more}")


def _is_near(considered: Answer) -> bool:
    """Whether it tells something: a route nobody wrote does where it is of the very host."""
    return considered.get("code") != "host" or not str(considered["name"]).startswith(MADE)


def _count(others: int) -> str:
    return f"{others} {'other' if others == 1 else 'others'}"


def _name(key: str) -> str:
    return key.removeprefix(ROUTES)


def _refused(problem: Answer) -> str:
    serving = problem.get("serving_index")
    then = f"its form of index {serving} serves" if serving else "never in force"
    return f"refused at index {problem['index']}, {then}: {problem['message']}"
