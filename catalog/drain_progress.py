"""How far each drain is: what still runs at its instances, by the word of all nodes, and whether one may be stopped. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from typing import Any

from .keys import DRAIN, policy_prefix
from .model import KvEntry, Problem
from .policies.drains import Drain
from .policies.read import Written, read_entry
from .status import NodeStatus


@dataclass(frozen=True, slots=True)
class DrainedInstance:
    """An instance that drains; `running` are the requests it still has, None while a node has not counted them."""

    service: str
    id: str
    node: str
    running: int | None

    def to_json(self) -> dict[str, Any]:
        return {
            "service": self.service,
            "instance": self.id,
            "node": self.node,
            "running": self.running,
        }


@dataclass(frozen=True, slots=True)
class DrainState:
    """One drain as it stands in its key.

    `waiting` are nodes that may still send requests there: they have not said that the drain is in force, or are away.
    `since_unix_ms` is when the first node had it in force, None where that is no longer known.
    """

    key: str
    index: int
    drain: Drain
    instances: tuple[DrainedInstance, ...]
    waiting: tuple[str, ...]
    since_unix_ms: int | None

    @property
    def is_safe_to_stop(self) -> bool:
        """Every node has it in force, and nothing runs there any more; never of an instance that no node knows."""
        known = bool(self.instances)
        return known and not self.waiting and all(one.running == 0 for one in self.instances)

    @property
    def running(self) -> int | None:
        """All requests that still run; None while that is not known."""
        counts = [one.running for one in self.instances if one.running is not None]
        return sum(counts) if len(counts) == len(self.instances) else None

    def to_json(self) -> dict[str, Any]:
        return {
            "key": self.key,
            "index": self.index,
            "instance": self.drain.instance,
            "is_safe_to_stop": self.is_safe_to_stop,
            "running": self.running,
            "grace_ms": self.drain.grace_ms,
            "since_unix_ms": self.since_unix_ms,
            "instances": [one.to_json() for one in self.instances],
            "waiting": list(self.waiting),
        }


def drain_problem(entry: KvEntry) -> Problem | None:
    """What is wrong with the value of a drain's key."""
    found = read_entry(DRAIN, entry)
    return found if isinstance(found, Problem) else None


def drain_states(
    entries: Iterable[KvEntry], statuses: Iterable[NodeStatus], nodes: Collection[str]
) -> tuple[DrainState, ...]:
    """The drains among these keys; `statuses` are those that count, of nodes alive, `nodes` all there are."""
    said = {status.node: status for status in statuses}
    states = []
    for entry in entries:
        if policy_prefix(entry.key) != DRAIN:
            continue
        found = read_entry(DRAIN, entry)
        if isinstance(found, Written) and isinstance(found.meaning, Drain):
            states.append(_state(entry, found.meaning, said, nodes))
    return tuple(states)


def _state(
    entry: KvEntry, drain: Drain, said: dict[str, NodeStatus], nodes: Collection[str]
) -> DrainState:
    index = entry.modify_index
    reached = {name: one for name, one in said.items() if one.index >= index}
    counted: dict[tuple[str, str, str], dict[str, int | None]] = {}
    for name, status in reached.items():
        for one in status.draining:
            if one.key == entry.key:
                counted.setdefault((one.service, one.id, one.node), {})[name] = one.running
    times = [
        change.at_unix_ms
        for status in reached.values()
        for change in status.changes
        if change.index >= index
    ]
    return DrainState(
        entry.key,
        index,
        drain,
        tuple(
            DrainedInstance(*at, _running(at[2], counts)) for at, counts in sorted(counted.items())
        ),
        tuple(sorted(set(nodes) - reached.keys())),
        min(times, default=None),
    )


def _running(node: str, counts: dict[str, int | None]) -> int | None:
    """What runs at an instance: its own node's proxy counts what others send through it, too."""
    known = {name: count for name, count in counts.items() if count is not None}
    if len(known) < len(counts):
        return None
    return max(known.get(node, 0), sum(count for name, count in known.items() if name != node))
