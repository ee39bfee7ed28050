"""What the nodes of the mesh say about a key, put together from their statuses. Pure: asks nobody, knows no clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from .model import Instance, KvEntry, Problem
from .status import CHANGES, NodeStatus

Answer = Literal["accepted", "refused", "waiting"]
"""accepted: in force as written, perhaps with a warning. refused: not in force; of a deletion: held back. waiting: the
node has not said yet."""


@dataclass(frozen=True, slots=True)
class NodeVerdict:
    """One node's answer.

    `at_unix_ms` is when it had the key's index in force, by its own clock, None where that is no longer known.
    `problems` are the node's about this key at this index, `kept_out` those of other keys that it keeps from their
    requests, or whose test its deletion broke. `reason` says why it is waiting, else empty.
    """

    node: str
    answer: Answer
    at_unix_ms: int | None = None
    problems: tuple[Problem, ...] = ()
    reason: str = ""
    kept_out: tuple[Problem, ...] = ()


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answer of all live nodes about one key.

    `index` is the key's ModifyIndex, None where it does not stand any more. `nodes` are sorted by name.
    """

    key: str
    index: int | None
    nodes: tuple[NodeVerdict, ...]

    @property
    def answer(self) -> Answer:
        """Refused as soon as one node refuses; accepted once all have."""
        answers = {node.answer for node in self.nodes}
        if "refused" in answers:
            return "refused"
        return "accepted" if answers == {"accepted"} else "waiting"

    def count(self, answer: Answer) -> int:
        return sum(node.answer == answer for node in self.nodes)

    @property
    def is_complete(self) -> bool:
        """Every live node has answered; False of none."""
        return bool(self.nodes) and not self.count("waiting")

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Each problem once, errors first, in the order of their place."""
        found = {problem: None for node in self.nodes for problem in node.problems}
        return tuple(sorted(found, key=_place))

    @property
    def kept_out(self) -> tuple[Problem, ...]:
        """What nodes say of other keys that never match because of this one, or hold no longer since it is gone, by key."""
        found = {problem for node in self.nodes for problem in node.kept_out}
        return tuple(sorted(found, key=lambda one: (one.key, one.message)))

    @property
    def serving_index(self) -> int | None:
        """The index of the last good form that goes on serving where the key was refused; None if none does."""
        return max((problem.serving_index or 0 for problem in self.problems), default=0) or None

    @property
    def ended_by(self) -> str | None:
        """Of a value that was in force and is no longer, the key whose deletion ended it, empty where nobody knows; else None."""
        return max(
            (one.ended_by for one in self.problems if one.ended_by is not None), default=None
        )

    @property
    def first(self) -> NodeVerdict | None:
        """The node that had it in force first, by the nodes' own clocks."""
        return min(self._timed(), key=_at, default=None)

    @property
    def spread_ms(self) -> int | None:
        """From the first node's time to the last one's; None while not all nodes' times are known."""
        timed = self._timed()
        if not timed or len(timed) < len(self.nodes):
            return None
        return _at(max(timed, key=_at)) - _at(min(timed, key=_at))

    def to_json(self) -> dict[str, Any]:
        """For `--json`, with what is counted spelled out."""
        first = self.first
        return {
            "key": self.key,
            "index": self.index,
            "answer": self.answer,
            "accepted": self.count("accepted"),
            "refused": self.count("refused"),
            "waiting": self.count("waiting"),
            "nodes": [_node_json(node) for node in self.nodes],
            "problems": [problem.to_json() for problem in self.problems],
            "kept_out": [problem.to_json() for problem in self.kept_out],
            "serving_index": self.serving_index,
            "ended_by": self.ended_by,
            "first_node": first.node if first else None,
            "spread_ms": self.spread_ms,
        }

    def _timed(self) -> list[NodeVerdict]:
        return [node for node in self.nodes if node.at_unix_ms is not None]


def verdict(
    key: str,
    entry: KvEntry | None,
    statuses: Iterable[NodeStatus],
    live_nodes: Collection[str],
    *,
    digest: str = "",
    reasons: Mapping[str, str] | None = None,
) -> Verdict:
    """What the live nodes say about `key`, which stands as `entry` (None: it does not).

    `digest` is `keys_digest` of all that stands under `mesh/`: what a deletion is seen by. `reasons` say
    why a node's status does not count, by node. Nodes that are not live are not asked.
    """
    by_node = {status.node: status for status in statuses}
    nodes: list[NodeVerdict] = []
    for node in sorted(live_nodes):
        status = by_node.get(node)
        if status is None:
            reason = (reasons or {}).get(node, "it has written no status yet")
            nodes.append(NodeVerdict(node, "waiting", reason=reason))
        elif entry is None:
            nodes.append(_with_broken(_about_absent(status, digest), key, status))
        else:
            nodes.append(_about_present(status, entry))
    return Verdict(key, entry.modify_index if entry else None, tuple(nodes))


def live_nodes(instances: Iterable[Instance]) -> frozenset[str]:
    """The nodes that are expected to answer: their heartbeat is not overdue, and nobody put them in maintenance."""
    return frozenset(one.node for one in instances if one.status in ("passing", "warning"))


def _about_present(status: NodeStatus, entry: KvEntry) -> NodeVerdict:
    if status.index < entry.modify_index:
        return NodeVerdict(status.node, "waiting", reason=f"it is at index {status.index}")
    problems = tuple(
        problem
        for problem in status.problems
        if problem.key == entry.key and problem.index == entry.modify_index
    )
    is_refused = any(problem.severity == "error" for problem in problems)
    at_unix_ms = _reached_at(status, entry.modify_index)
    kept_out = tuple(problem for problem in status.problems if problem.winner == entry.key)
    answer: Answer = "refused" if is_refused else "accepted"
    return NodeVerdict(status.node, answer, at_unix_ms, problems, kept_out=kept_out)


def _about_absent(status: NodeStatus, digest: str) -> NodeVerdict:
    """A deletion has no index of its own: a node knows of it when it holds the same keys.

    One that holds back what went at once says so instead: that is no waiting, it goes on until somebody confirms it.
    """
    if status.digest == digest:
        return NodeVerdict(status.node, "accepted")
    if status.held_back:
        return NodeVerdict(status.node, "refused", problems=status.held_back)
    return NodeVerdict(status.node, "waiting", reason="it holds other keys")


def _with_broken(found: NodeVerdict, key: str, status: NodeStatus) -> NodeVerdict:
    """What a node says of a deletion, with the tests that broke by it once it knows of it."""
    broken = tuple(problem for problem in status.problems if problem.ended_by == key)
    return replace(found, kept_out=broken) if found.answer == "accepted" else found


def _reached_at(status: NodeStatus, index: int) -> int | None:
    """The time of the first change with at least this index, if it is sure that there was none before."""
    reached = [change for change in status.changes if change.index >= index]
    if not reached:
        return None
    is_cut = len(reached) == len(status.changes) == CHANGES and reached[0].index > index
    return None if is_cut else reached[0].at_unix_ms


def _at(node: NodeVerdict) -> int:
    return node.at_unix_ms or 0


def _place(problem: Problem) -> tuple[bool, int, int, str]:
    is_warning = problem.severity == "warning"
    return (is_warning, problem.line or 0, problem.column or 0, problem.message)


def _node_json(node: NodeVerdict) -> dict[str, Any]:
    document: dict[str, Any] = {"node": node.node, "answer": node.answer}
    if node.at_unix_ms is not None:
        document["at_unix_ms"] = node.at_unix_ms
    if node.reason:
        document["reason"] = node.reason
    return document
