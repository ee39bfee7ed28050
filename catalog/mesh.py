"""Which nodes are in the mesh: those registered, and those that Consul forgot without anybody having taken them out.

Decides by what Consul answered only: an index that went back says that data was lost, a restored snapshot for one. A
node that left the catalog as a whole was not deregistered either: a server that restarts does that to nodes it does not
hear of at once, and they come back service by service.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from .model import Instance, Problem
from .update import NodesUpdate

NAMES_SHOWN = 5
"""So many nodes are named in a sentence."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """The nodes of the last answer, and those `forgotten`: gone by no doing of a person, not seen again since."""

    registered: tuple[Instance, ...] = ()
    forgotten: tuple[Instance, ...] = ()
    consul_index: int = 0

    @property
    def nodes(self) -> tuple[Instance, ...]:
        """All that count, sorted by node and id."""
        if not self.forgotten:
            return self.registered
        return tuple(
            sorted((*self.registered, *self.forgotten), key=lambda one: (one.node, one.id))
        )


def take(mesh: Mesh, update: NodesUpdate) -> Mesh:
    """The mesh after an answer.

    While the index goes on, a node that is gone was deregistered, unless it `vanished`. Where it went back, every
    node that is missing stays until it registers again, as its agent will: else its instances would be dialled in
    clear until then.
    """
    there = {instance.node for instance in update.instances}
    has_lost = update.consul_index < mesh.consul_index
    was_forgotten = {instance.node for instance in mesh.forgotten}
    forgotten = tuple(
        instance
        for instance in mesh.nodes
        if instance.node not in there
        and (has_lost or instance.node in was_forgotten or instance.node in update.vanished)
    )
    return Mesh(update.instances, forgotten, update.consul_index)


def problems(mesh: Mesh, nodes: Collection[str]) -> tuple[Problem, ...]:
    """What counts although Consul does not have it, for people; `nodes` are those where something runs that is called."""
    names = sorted({instance.node for instance in mesh.forgotten if instance.node in nodes})
    if not names:
        return ()
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    sentence = (
        f"Consul lost the service meshnode on {', '.join(names[:NAMES_SHOWN])}{more} without its being deregistered: "
        "what runs there is called by mutual TLS or not at all until it registers again"
    )
    return (Problem("nodes", 0, "warning", sentence),)
