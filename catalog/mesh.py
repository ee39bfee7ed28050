"""Which nodes are in the mesh: those registered, and those that Consul forgot without anybody having taken them out.

Decides by what Consul answered only: an index that went back says that data was lost, a restored snapshot for one.
"""

from __future__ import annotations

from dataclasses import dataclass

from .model import Instance, Problem
from .update import NodesUpdate

NAMES_SHOWN = 5
"""So many nodes are named in a sentence."""


@dataclass(frozen=True, slots=True)
class Mesh:
    """The nodes of the last answer, and those `forgotten`: gone with an index that went back, not seen again since."""

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

    While the index goes on, a node that is gone was deregistered. Where it went back, every node that is missing
    stays until it registers again, as its agent will: else its instances would be dialled in clear until then.
    """
    there = {instance.node for instance in update.instances}
    has_lost = update.consul_index < mesh.consul_index
    missed = mesh.nodes if has_lost else mesh.forgotten
    forgotten = tuple(instance for instance in missed if instance.node not in there)
    return Mesh(update.instances, forgotten, update.consul_index)


def problems(mesh: Mesh) -> tuple[Problem, ...]:
    """What counts although Consul does not have it, for people."""
    names = sorted({instance.node for instance in mesh.forgotten})
    if not names:
        return ()
    more = f" and {len(names) - NAMES_SHOWN} more" if len(names) > NAMES_SHOWN else ""
    sentence = (
        f"Consul went back to older data without the service meshnode on {', '.join(names[:NAMES_SHOWN])}{more}: "
        "what runs there is called by mutual TLS or not at all until it registers again"
    )
    return (Problem("nodes", 0, "warning", sentence),)
