"""`meshnode status`: how the mesh is, as its nodes say in Consul; with a key, what they say about that key."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from catalog import (
    AgentSelf,
    ConsulClient,
    ConsulDenied,
    KvEntry,
    NodeStatus,
    Problem,
    Verdict,
    did_you_mean,
    nearest,
    route_name,
)

from ..errors import EXIT_REFUSED, MeshnodeError, UsageError
from .completing import complete_key
from .drained import drain_line
from .misplaced import MACHINES, meant, misplaced
from .nodes import Nodes, read_nodes
from .options import Asked, with_consul
from .output import ago, count, printable, say, say_json, say_table
from .reach import consul_client, run
from .verdict import reached_at, say_problem, say_verdict
from .waiting import PEOPLES, wait_for_verdict

if TYPE_CHECKING:
    from catalog import DrainState

DRAINS = "mesh/drain/"
# How long `status KEY` gives the nodes to say what they think of a change that was just made.
WAIT_S = 2.0
NO_ACLS = (
    "Consul's ACLs do not refuse by default: whoever reaches Consul can register and sign as any service, so "
    "identities are as trustworthy as access to Consul (`meshnode acl policy` prints what nodes need with ACLs on)."
)


@dataclass(frozen=True, slots=True)
class Mesh:
    """All that the overview shows. `me` is None where the token may not ask who Consul's agent is."""

    me: AgentSelf | None
    nodes: Nodes
    now: float
    drains: tuple[DrainState, ...] = ()
    misplaced: tuple[tuple[str, str], ...] = ()
    """Keys that no node reads and the keys they were meant to be."""
    written: Mapping[tuple[str, int], int] = field(default_factory=dict)
    """When a key with a problem was written, as history tells: (key, index), Unix milliseconds."""

    @property
    def problems(self) -> list[tuple[Problem, tuple[str, ...]]]:
        """Each problem once, with the nodes that have it; errors first."""
        found: dict[Problem, list[str]] = {}
        for status in self.nodes.statuses.counted:
            for problem in status.problems:
                found.setdefault(problem, []).append(status.node)
        ordered = sorted(found.items(), key=lambda one: (one[0].severity != "error", one[0].key))
        return [(problem, tuple(names)) for problem, names in ordered]

    @property
    def is_well(self) -> bool:
        """Every node is alive and has a status that counts, and nothing is refused."""
        has_all = len(self.nodes.statuses.counted) == len(self.nodes.names) > 0
        is_alive = self.nodes.alive == self.nodes.names
        return has_all and is_alive and not any(one.severity == "error" for one, _ in self.problems)


def add_to(app: typer.Typer) -> None:
    app.command()(status)


@with_consul
def status(
    asked: Asked,
    key: Annotated[
        str | None,
        typer.Argument(
            help="A key, such as mesh/routes/shop; left out: the whole mesh.",
            autocompletion=complete_key,
        ),
    ] = None,
) -> None:
    """Say what the nodes think of a key, or how they all are."""
    run(_key_status(asked, key) if key else _mesh_status(asked))


async def _key_status(asked: Asked, key: str) -> None:
    async with consul_client(asked.settings) as client:
        if not key.startswith(PEOPLES):
            raise UsageError(not_people_s(key))
        # A node writes its status at most once a second: right after a put it is not waiting, only busy.
        found = await wait_for_verdict(client, key, WAIT_S)
        if found.index is None and not asked.as_json:
            near = near_key(key, [entry.key for entry in await client.kv_list(PEOPLES)])
            raise MeshnodeError(_absent(found, near))
    say_verdict(found, as_json=asked.as_json)
    if found.index is None:
        raise typer.Exit(EXIT_REFUSED)


def near_key(key: str, keys: Iterable[str]) -> str | None:
    """The key of the same folder whose name is nearest to a mistyped one."""
    folder, _, name = key.rpartition("/")
    names = [other[len(folder) + 1 :] for other in keys if other.startswith(f"{folder}/")]
    near = nearest(name, names)
    return f"{folder}/{near}" if near else None


def not_people_s(key: str) -> str:
    """What to say of a key no node reads, with the one that was probably meant."""
    right = meant(key.strip("/"))
    if right is None and not key.startswith(MACHINES):
        below = key.strip("/").removeprefix(PEOPLES).removeprefix("routes/")
        right = f"{PEOPLES}routes/{below}" if route_name(f"{PEOPLES}routes/{below}") else None
    hint = did_you_mean(right)
    return f"no node reads {printable(key)}: what people write stands under {PEOPLES}{hint}"


def _absent(found: Verdict, near: str | None) -> str:
    """What to say of a key that is not there: it was deleted, or never was, or is called otherwise."""
    still = [node.node for node in found.nodes if node.answer != "accepted"]
    if found.problems:
        # A key that never was is held by nobody; but which keys are held, nodes say in their own words.
        return f"there is no key {printable(found.key)}; {found.problems[0].message}"
    in_force = f"; {', '.join(still)} may still have it in force" if still else ""
    hint = did_you_mean(near) or ": `meshnode kv ls` lists those there are"
    return f"there is no key {printable(found.key)}{in_force}{hint}"


async def _mesh_status(asked: Asked) -> None:
    async with consul_client(asked.settings) as client:
        mesh = await _with_ages(client, asked, await _read(client))
    if asked.as_json:
        say_json(_document(mesh))
    else:
        _say(mesh, asked.settings.consul_address)
    if not mesh.is_well:
        raise typer.Exit(EXIT_REFUSED)


async def _read(client: ConsulClient) -> Mesh:
    nodes = await read_nodes(client)
    alive = [one for one in nodes.statuses.counted if one.node in nodes.alive]
    drains = _drains(await client.kv_list(DRAINS), alive, nodes)
    return Mesh(await _me(client), nodes, time.time(), drains, await misplaced(client))


async def _with_ages(client: ConsulClient, asked: Asked, mesh: Mesh) -> Mesh:
    """How old what is wrong is; history is read where a key is."""
    if not any(problem.key.startswith(PEOPLES) for problem, _ in mesh.problems):
        return mesh
    from .past import when_written

    return replace(mesh, written=await when_written(client, asked.settings))


def _drains(
    entries: list[KvEntry], alive: list[NodeStatus], nodes: Nodes
) -> tuple[DrainState, ...]:
    """Reading documents takes a while to load: done where there is one."""
    if not entries:
        return ()
    from catalog import drain_states

    return drain_states(entries, alive, nodes.names)


async def _me(client: ConsulClient) -> AgentSelf | None:
    try:
        return await client.node_self()
    except ConsulDenied:
        return None


def _say(mesh: Mesh, address: str) -> None:
    datacenter = "" if mesh.me is None else f"   datacenter {mesh.me.datacenter}"
    say(f"Consul {address}{datacenter}   {count(len(mesh.nodes.names), 'node')}")
    if not mesh.nodes.names:
        say("no node is registered yet: run `meshnode agent` on the machines of the mesh")
        return
    say_table(
        ("node", "agent", "generation", "index", "changed", "services", "problems"),
        [_node_row(mesh, name) for name in mesh.nodes.names],
    )
    for line in (
        *_certificate_lines(mesh),
        *_outbound_lines(mesh),
        *_clear_lines(mesh),
        *(f"drain          {drain_line(one, mesh.now)}" for one in mesh.drains),
    ):
        say(line)
    for key, reason in mesh.nodes.statuses.refused:
        say(f"{key} does not count: {reason}")
    for problem, names in mesh.problems:
        index = f"   index {problem.index}" if problem.index else ""
        serving = (
            f"; index {problem.serving_index} goes on serving" if problem.serving_index else ""
        )
        age = _age(mesh, problem)
        say(f"{problem.key}{index}   {problem.severity} on {', '.join(names)}{age}{serving}")
        say_problem(problem)
    for key, right in mesh.misplaced:
        say(
            f"{printable(key)}   no node reads it: what people write stands under {PEOPLES}{did_you_mean(right)}"
        )
    if mesh.me is not None and not mesh.me.acls_deny:
        say(NO_ACLS)


def _age(mesh: Mesh, problem: Problem) -> str:
    at = mesh.written.get((problem.key, problem.index))
    return "" if at is None else f", written {ago(max(0.0, mesh.now - at / 1000))} ago"


def _node_row(mesh: Mesh, name: str) -> tuple[str, ...]:
    agent = "alive" if name in mesh.nodes.alive else "away (its proxy goes on)"
    status = mesh.nodes.status_of(name)
    if status is None:
        return name, agent, "-", "-", "no status", "-", "-"
    at = reached_at(status)
    changed = "-" if at is None else f"{ago(mesh.now - at / 1000)} ago"
    services = ", ".join(status.services) or "-"
    return (
        name,
        agent,
        str(status.generation),
        str(status.index),
        changed,
        services,
        str(status.problem_count or "-"),
    )


def _certificate_lines(mesh: Mesh) -> list[str]:
    ends = [
        (end, f"{service} on {status.node}")
        for status in mesh.nodes.statuses.counted
        for service, end in status.certificates
    ]
    if not ends:
        return []
    first, who = min(ends)
    left = first - mesh.now
    what = f"the first ends in {ago(left)}" if left > 0 else f"one ended {ago(-left)} ago"
    return [f"certificates   {len(ends)}, {what} ({who})"]


def _outbound_lines(mesh: Mesh) -> list[str]:
    return [
        f"outbound       {service} on {status.node} calls {destination or 'others'} at {address}"
        for status in mesh.nodes.statuses.counted
        for listener, address in status.outbound
        for service, _, destination in (listener.partition(":"),)
    ]


def _clear_lines(mesh: Mesh) -> list[str]:
    clear = sorted({one for status in mesh.nodes.statuses.counted for one in status.clear})
    return [
        f"in clear       {service} at {address}: {node} has no node, so what goes there is not encrypted"
        for service, _, address, node in clear
    ]


def _document(mesh: Mesh) -> dict[str, Any]:
    return {
        "is_well": mesh.is_well,
        "acls_deny": None if mesh.me is None else mesh.me.acls_deny,
        "datacenter": None if mesh.me is None else mesh.me.datacenter,
        "nodes": [
            _node_document(mesh, name, mesh.nodes.status_of(name)) for name in mesh.nodes.names
        ],
        "drains": [one.to_json() for one in mesh.drains],
        "misplaced": [{"key": key, "suggestion": right} for key, right in mesh.misplaced],
        "refused_statuses": dict(mesh.nodes.statuses.refused),
        "problems": [
            {
                **problem.to_json(),
                "nodes": list(names),
                "written_unix_ms": mesh.written.get((problem.key, problem.index)),
            }
            for problem, names in mesh.problems
        ],
    }


def _node_document(mesh: Mesh, name: str, status: NodeStatus | None) -> dict[str, Any]:
    at = None if status is None else reached_at(status)
    document = {} if status is None else status.to_json()
    return {
        "node": name,
        "is_alive": name in mesh.nodes.alive,
        "age_s": None if at is None else mesh.now - at / 1000,
        "status": document or None,
    }
