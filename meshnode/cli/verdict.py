"""What the nodes say about one key, read from Consul and told as in docs: accepted or refused, by how many, and why."""

from __future__ import annotations

import asyncio

import typer
from rich.cells import cell_len

from catalog import (
    STATUS_PREFIX,
    ConsulClient,
    KvEntry,
    NodeStatus,
    Problem,
    Verdict,
    keys_digest,
    verdict,
)

from ..errors import EXIT_REFUSED
from .nodes import Nodes, read_nodes
from .output import console, count, escaped, say, say_json

PEOPLES = "mesh/"
# Between two looks: a node writes its status at most once a second, and three nodes do so at different times.
LOOK_S = 0.1
# An answer of nodes that is not complete after this is shown as it is.
MOST_LOOKS = 600


def verdict_of(key: str, entry: KvEntry | None, nodes: Nodes, digest: str = "") -> Verdict:
    """What the living nodes say; `digest` is that of all keys under mesh/, by which a deletion is seen."""
    reasons = {key.removeprefix(STATUS_PREFIX): why for key, why in nodes.statuses.refused}
    return verdict(key, entry, nodes.statuses.counted, nodes.alive, digest=digest, reasons=reasons)


async def read_verdict(client: ConsulClient, key: str) -> Verdict:
    """Raises CatalogError."""
    entries = await client.kv_list(PEOPLES)
    entry = next((one for one in entries if one.key == key), None)
    return verdict_of(key, entry, await read_nodes(client), keys_digest(entries))


async def wait_for_verdict(client: ConsulClient, key: str, wait_s: float) -> Verdict:
    """The verdict once every living node has answered, else the last one there was."""
    loop = asyncio.get_running_loop()
    deadline = loop.time() + wait_s
    found = await read_verdict(client, key)
    for _ in range(MOST_LOOKS):
        if found.is_complete or not found.nodes or loop.time() >= deadline:
            break
        await asyncio.sleep(LOOK_S)
        found = await read_verdict(client, key)
    return found


def say_verdict(found: Verdict, *, as_json: bool) -> None:
    """Tells it, and ends with 1 unless every living node accepted it."""
    if as_json:
        say_json(found.to_json())
    else:
        index = "deleted" if found.index is None else f"index {found.index}"
        say(f"{found.key}   {index}   {sentence(found)}")
        for problem in found.problems:
            say_problem(problem)
    if found.answer != "accepted":
        raise typer.Exit(EXIT_REFUSED)


def sentence(found: Verdict) -> str:
    """`accepted by 3 of 3 nodes, the last 6 ms after node-1 saw it`."""
    if not found.nodes:
        return "no node is alive that could say: is `meshnode agent` running?"
    if found.index is None and found.answer == "accepted":
        return f"it is gone from {_share(found, 'accepted')}"
    parts = []
    if found.count("refused"):
        serving = found.serving_index
        goes_on = f"; index {serving} goes on serving" if serving else "; it was never in force"
        parts.append(f"refused by {_share(found, 'refused')}{goes_on}")
    if found.count("accepted"):
        parts.append(f"accepted by {_share(found, 'accepted')}{_how_fast(found)}{_warnings(found)}")
    waiting = [f"{node.node} ({node.reason})" for node in found.nodes if node.answer == "waiting"]
    if waiting:
        parts.append(f"waiting for {', '.join(waiting)}")
    return "; ".join(parts)


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
    if problem.source is None:
        return
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


def _how_fast(found: Verdict) -> str:
    first, spread = found.first, found.spread_ms
    if first is None or spread is None or len(found.nodes) < 2:
        return ""
    return f", the last {spread} ms after {first.node} saw it"


def _warnings(found: Verdict) -> str:
    warned = sum(problem.severity == "warning" for problem in found.problems)
    if not warned:
        return ""
    return ", with a warning" if warned == 1 else f", with {warned} warnings"
