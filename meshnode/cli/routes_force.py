"""What is in force where a key is refused: its last good form, which nodes name and history has. Writes nothing."""

from __future__ import annotations

from dataclasses import dataclass

from catalog import CatalogError, ConsulClient, History, KvEntry, Verdict

from ..config import Settings
from ..errors import MeshnodeError
from .nodes import Nodes
from .past import read_history
from .waiting import verdict_of

MERGED = ("mesh/services/", "mesh/settings")
"""Keys whose fields a route may get."""


@dataclass(frozen=True, slots=True)
class InForce:
    """The keys with the values that serve, those without one left out. `refused` has what nodes say of those that stand
    refused; the last good form of those in `unknown` serves and is not in history.
    """

    entries: tuple[KvEntry, ...]
    refused: dict[str, Verdict]
    unknown: frozenset[str]


async def read_in_force(
    client: ConsulClient, settings: Settings, entries: tuple[KvEntry, ...], nodes: Nodes, key: str
) -> InForce:
    """Of the route `key` and the policies that may add to it. History is read where it is needed. Raises CatalogError."""
    refused = _refused(entries, nodes, key)
    if not any(verdict.serving_index for verdict in refused.values()):
        return InForce(entries, refused, frozenset())
    try:
        history = await read_history(client, settings)
    except (CatalogError, MeshnodeError):
        history = History()
    return in_force(entries, refused, history)


def in_force(
    entries: tuple[KvEntry, ...], refused: dict[str, Verdict], history: History
) -> InForce:
    """Each refused key with its last good form in its place, where history has it; else it is left out."""
    found: list[KvEntry] = []
    unknown: set[str] = set()
    for entry in entries:
        if (verdict := refused.get(entry.key)) is None:
            found.append(entry)
            continue
        serving = verdict.serving_index
        value = None if serving is None else _value(history, entry.key, serving)
        if serving is not None and value is not None:
            found.append(KvEntry(entry.key, value, serving))
        elif serving is not None:
            unknown.add(entry.key)
    return InForce(tuple(found), refused, frozenset(unknown))


def _refused(entries: tuple[KvEntry, ...], nodes: Nodes, key: str) -> dict[str, Verdict]:
    """Those of the keys that matter which a living node refuses; only keys somebody has a problem with are looked at."""
    told = {
        problem.key
        for status in nodes.statuses.counted
        for problem in status.problems
        if problem.severity == "error" and (problem.key == key or problem.key.startswith(MERGED))
    }
    found = {one.key: verdict_of(one.key, one, nodes) for one in entries if one.key in told}
    return {name: verdict for name, verdict in found.items() if verdict.answer == "refused"}


def _value(history: History, key: str, index: int) -> bytes | None:
    """What the key held since that index."""
    for past in history.of(key):
        for value in (past.change.new, past.change.old):
            if value is not None and value.index == index and value.data is not None:
                return value.data
    return None
