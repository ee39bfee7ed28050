"""What the demo shows: who runs where, and what to try, in commands that can be pasted. Pure text."""

from __future__ import annotations

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from .addresses import FRONT_DOOR, Moved
from .plan import HOST, REGISTRY_PORT, ROUTE, Plan

NUMBERS = ("No", "One", "Two", "Three", "Four", "Five", "Six", "Seven", "Eight", "Nine")
BETA = ("mesh/routes/beta", f"{HOST}/cart -> cart 50%, cart-next 50%")
# A narrower terminal breaks lines itself.
LEAST_COLUMNS = 60
ONE_USER = (
    'All services run as one user here, so who calls is told by the port alone (callers = "port")'
)
# What would send a person's commands elsewhere than their default.
STEERING = ("CONSUL_HTTP_ADDR", "MESHNODE_CONSUL_ADDRESS")


@dataclass(frozen=True, slots=True)
class Shown:
    """What the screen has to know beside the plan."""

    is_embedded: bool
    moved: Sequence[Moved]
    kept_in: Path | None
    """The folder that outlives the demo; None: it starts afresh each time."""
    logs: Path
    activate: str
    """What to type before `meshnode` is found, empty where it is."""
    environment: Mapping[str, str]
    otlp: str | None = None
    columns: int | None = None
    """How wide the terminal is; None: it is none, and no sentence is broken."""


def screen(plan: Plan, shown: Shown) -> list[str]:
    """The lines. A command has its line to itself, so that what is pasted is the command alone in every shell."""
    return ["", *_mesh(plan, shown), "", *_suggestions(plan, shown), "  Ctrl-C ends all of it.", ""]


def _broken(sentence: str, columns: int | None) -> list[str]:
    """A sentence in lines of the terminal; words and addresses stay whole."""
    if columns is None:
        return [f"  {sentence}"]
    return textwrap.wrap(
        sentence,
        max(columns - 1, LEAST_COLUMNS),
        initial_indent="  ",
        subsequent_indent="    ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _mesh(plan: Plan, shown: Shown) -> list[str]:
    count = len(plan.nodes)
    nodes = f"{NUMBERS[count]} node{'s' if count > 1 else ''} on this machine"
    lines = _broken(f"{nodes}, configuration in {_registry(plan, shown)}.", shown.columns)
    right = [f"edge http://{plan.edge}", f"admin http://{plan.admin}"]
    rows = [
        (node.name, node.place.address, ", ".join(one.name for one in node.services))
        for node in plan.nodes
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    for number in range(max(count, len(right))):
        row = rows[number] if number < count else ("", "", "")
        cells = [cell.ljust(width) for cell, width in zip(row, widths, strict=True)]
        end = right[number] if number < len(right) else ""
        lines.append(f"    {cells[0]}  {cells[1]}   {cells[2]}    {end}".rstrip())
    between = ", encrypted between nodes" if count > 1 else ""
    sentences = [
        f"One route: shop  '{ROUTE}'. front calls cart, cart calls stock{between}.",
        f"{ONE_USER}; elsewhere by the user too.",
        *_notes(plan, shown),
    ]
    for sentence in sentences:
        lines.extend(_broken(sentence, shown.columns))
    return lines


def _registry(plan: Plan, shown: Shown) -> str:
    if not shown.is_embedded:
        return f"Consul at {', '.join(node.place.registry for node in plan.nodes)}"
    own = "; each node has it on its own address too" if len(plan.nodes) > 1 else ""
    return f"the embedded registry at {plan.registry} (speaks Consul's API{own})"


def _notes(plan: Plan, shown: Shown) -> list[str]:
    lines = []
    if shown.moved:
        lines.append(f"Taken by others, so moved: {_moves(shown.moved)}.")
    if not shown.is_embedded and len(plan.nodes) == 1:
        lines.append(
            "One Consul agent is one node: name --consul once for each agent to have more."
        )
    if shown.otlp:
        lines.append(f"Spans go to {shown.otlp} too.")
    if not shown.is_embedded:
        lines.append("At the end services and route are taken out of Consul again.")
    elif shown.kept_in:
        lines.append(f"Keys and intentions are kept in {shown.kept_in}; logs: {shown.logs}.")
    else:
        lines.append(
            f"It starts afresh each time; --data DIR keeps keys and intentions. Logs: {shown.logs}."
        )
    return lines


def _moves(moved: Sequence[Moved]) -> str:
    """Those that people type; the others are found by who uses them."""
    told = [f"{one.what} {one.usual} → {one.port}" for one in moved if one.is_typed]
    rest = len(moved) - len(told)
    if rest:
        told.append(f"{rest} port{'s' if rest > 1 else ''} inside the mesh")
    return ", ".join(told)


def _suggestions(plan: Plan, shown: Shown) -> list[str]:
    before = f" ({shown.activate})" if shown.activate else ""
    reach = _flag(plan, shown)
    key, route = BETA
    url = f"http://{plan.edge}"
    consul = f"consul kv put{f' -http-addr={plan.registry}' if reach else ''} …"
    rows = [
        ("1", f"curl -H 'Host: {HOST}' {url}/", ""),
        ("2", f"meshnode kv put{reach} {key} '{route}'", ""),
        ("", f"curl -H 'Host: {HOST}' {url}/cart", f"a few times: half of them are new; {consul} does the same"),
        ("3", f"meshnode trace{reach} last", "the last request, node by node"),
        ("4", f"meshnode intentions deny{reach} cart stock", "look at 1 again; delete instead of deny undoes it"),
    ]  # fmt: skip
    lines = [f"  Try in another terminal{before}:"]
    for number, command, note in rows:
        lines.append(f"    {number:1}  {command}")
        if note:
            lines.append(f"         ({note})")
    return lines


def _flag(plan: Plan, shown: Shown) -> str:
    """Where the commands' default is another registry than this one, the flag that names it."""
    usual = f"{FRONT_DOOR}:{REGISTRY_PORT}"
    steered = any(shown.environment.get(name, usual) != usual for name in STEERING)
    return f" --consul {plan.registry}" if steered or plan.registry != usual else ""


def where(plan: Plan) -> str:
    """One demo in a few words, for who finds it running."""
    return f"edge http://{plan.edge}, registry {plan.registry}, admin http://{plan.admin}"
