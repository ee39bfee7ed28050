"""What the nodes say about one key, told as in docs: accepted or refused, by how many, and why. Reads nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import typer
from rich.cells import cell_len

from catalog import NodeStatus, Problem, Verdict

from ..errors import EXIT_DONE, EXIT_NOT_REACHED, EXIT_REFUSED
from .output import ago, console, count, escaped, say, say_json

# A key that takes a whole host may keep hundreds of routes out.
KEPT_OUT_SHOWN = 5
NO_NODE = "no node is alive that could say: is `meshnode agent` running?"


@dataclass(frozen=True, slots=True)
class Sent:
    """Our own put: when it was sent, and when its verdict was there, Unix milliseconds by this machine's clock."""

    at_unix_ms: int
    told_unix_ms: int


def say_verdict(found: Verdict, *, as_json: bool, note: str = "", sent: Sent | None = None) -> None:
    """Tells it, and ends with 1 where a node refused it, with 3 where one has not said. `note` comes before it."""
    if as_json:
        say_json({**found.to_json(), "after_put_ms": after_put_ms(found, sent)})
    else:
        index = "deleted" if found.index is None else f"index {found.index}"
        say(f"{found.key}   {index}   {note}{sentence(found, sent)}")
        for problem in found.problems:
            say_problem(problem)
        _say_kept_out(found)
    if (code := exit_code(found)) != EXIT_DONE:
        raise typer.Exit(code)


def say_deleted(
    keys: Sequence[str], found: Verdict, broken: Sequence[Problem], *, as_json: bool
) -> None:
    """What the nodes say of keys that went together, and which tests are `broken` by it; ends as one key's verdict does.

    `found` is that of one of them: of the others the same holds.
    """
    if as_json:
        told = {**found.to_json(), "kept_out": [problem.to_json() for problem in broken]}
        say_json({"deleted": list(keys), "verdict": told})
    else:
        for key in keys:
            say(f"{key}   deleted   {sentence(found)}")
        for problem in found.problems:
            say_problem(problem)
        for problem in broken:
            console().print(f"    [yellow]{escaped(f'{problem.key}: {problem.message}')}[/]")
    if (code := exit_code(found)) != EXIT_DONE:
        raise typer.Exit(code)


def _say_kept_out(found: Verdict) -> None:
    """The routes that this one keeps from their requests, the tests that broke as it went: whoever did it hears of them."""
    for problem in found.kept_out[:KEPT_OUT_SHOWN]:
        console().print(f"    [yellow]{escaped(f'{problem.key}: {problem.message}')}[/]")
    if (more := len(found.kept_out) - KEPT_OUT_SHOWN) > 0:
        by_it = "that never match by it" if found.index is not None else "that broke by this"
        what = "more route" if found.index is not None else "more test"
        say(f"    and {count(more, what)} {by_it}: meshnode status")


def exit_code(found: Verdict) -> int:
    """0: every living node accepted it. 1: one refused it. 3: one has not said, or none is alive."""
    if found.answer == "refused":
        return EXIT_REFUSED
    return EXIT_DONE if found.answer == "accepted" else EXIT_NOT_REACHED


def after_put_ms(found: Verdict, sent: Sent | None) -> int | None:
    """From our put to the last node that has it in force; None while that is not known.

    The nodes' clocks are theirs: a time before the put, or later than the answer, only says that they differ.
    """
    times = [node.at_unix_ms for node in found.nodes if node.at_unix_ms is not None]
    if sent is None or found.answer != "accepted" or len(times) < len(found.nodes):
        return None
    last = max(times)
    return last - sent.at_unix_ms if sent.at_unix_ms <= last <= sent.told_unix_ms else None


def sentence(found: Verdict, sent: Sent | None = None) -> str:
    """`accepted by 3 of 3 nodes, 11 ms after the put`; of another's put `the last 6 ms after node-1 saw it`."""
    if not found.nodes:
        return NO_NODE
    if found.index is None and found.answer == "accepted":
        return f"it is gone from {_share(found, 'accepted')}"
    if found.index is None and found.count("refused"):
        # Which keys is said below: one that went alone meanwhile need not be among them.
        return f"{_share(found, 'refused')} hold back keys that went at once"
    parts = []
    if found.count("refused"):
        serving = found.serving_index
        goes_on = f"index {serving} goes on serving" if serving else _until(found.ended_by)
        parts.append(f"refused by {_share(found, 'refused')}; {goes_on}")
    if found.count("accepted"):
        parts.append(
            f"accepted by {_share(found, 'accepted')}{_warnings(found)}{_how_fast(found, sent)}"
        )
    waiting = [f"{node.node} ({node.reason})" for node in found.nodes if node.answer == "waiting"]
    if waiting:
        parts.append(f"waiting for {', '.join(waiting)}")
    return "; ".join(parts)


def _until(ended_by: str | None) -> str:
    """Of what is not in force in any form."""
    if ended_by is None:
        return "it was never in force"
    return f"it was in force until {ended_by} was deleted" if ended_by else "it was in force before"


def short(found: Verdict) -> str:
    """For a cell of a table."""
    if not found.nodes:
        return "no node is alive"
    warned = " with a warning" if found.answer == "accepted" and found.problems else ""
    return f"{found.answer} by {_share(found, found.answer)}{warned}"


def say_problem(problem: Problem, indent: str = "    ") -> None:
    """The sentence with its place, and the line it speaks of with the place marked."""
    line = f"line {problem.line}" if problem.line else ""
    column = f", column {problem.column}" if problem.line and problem.column else ""
    where = f"{line}{column}: " if line else ""
    colour = "red" if problem.severity == "error" else "yellow"
    console().print(f"{indent}[{colour}]{escaped(where + problem.message)}[/]")
    say_source(problem, indent)


def say_source(problem: Problem, indent: str = "") -> None:
    """The line a problem speaks of, with the place marked below it."""
    if problem.source is None:
        return
    colour = "red" if problem.severity == "error" else "yellow"
    source = one_width(problem.source)
    console().print(f"{indent}    {escaped(source)}")
    if problem.column is not None and problem.column <= len(source) + 1:
        before = cell_len(source[: problem.column - 1])
        marked = cell_len(source[problem.column - 1 :][: problem.length or 1])
        console().print(f"{indent}    {' ' * before}[{colour}]{'^' * max(1, marked)}[/]")


def one_width(source: str) -> str:
    """A source line whose every character is shown as one, so that the mark below it fits."""
    return "".join(c if c.isprintable() else " " if c == "\t" else "·" for c in source)


def reached_at(status: NodeStatus) -> int | None:
    """When this node last reached a new index, Unix milliseconds by its own clock."""
    return status.changes[-1].at_unix_ms if status.changes else None


def _share(found: Verdict, answer: str) -> str:
    counted = sum(node.answer == answer for node in found.nodes)
    return f"{counted} of {count(len(found.nodes), 'node')}"


def _how_fast(found: Verdict, sent: Sent | None) -> str:
    after_ms = after_put_ms(found, sent)
    if after_ms is not None:
        return f", {ago(after_ms / 1000)} after the put"
    first, spread = found.first, found.spread_ms
    if first is None or spread is None or len(found.nodes) < 2:
        return ""
    return f", the last {spread} ms after {first.node} saw it"


def _warnings(found: Verdict) -> str:
    warned = sum(problem.severity == "warning" for problem in found.problems)
    if not warned:
        return ""
    return ", with a warning" if warned == 1 else f", with {warned} warnings"
