"""The status document of this node, made from its view. Pure; who signs and writes it is the catalog's business."""

from __future__ import annotations

import ipaddress

from catalog import Change, Compiled, NodeStatus

from .view import View

# So many instances are not taken out at a time by hand; a drain without a node's name may take as many.
DRAINING_MAX = 100
# The list of what is still plain is for people; the count of instances there may be in a big catalog is not bounded.
CLEAR_MAX = 50


def status_of(
    view: View, compiled: Compiled, changes: tuple[Change, ...], admin: str
) -> NodeStatus:
    """What other machines may know: no path, nothing that changes by itself. `admin`: where the admin API is."""
    return NodeStatus(
        node=view.node,
        generation=view.generation,
        index=compiled.index,
        digest=compiled.keys_digest,
        changes=changes,
        services=compiled.local_services,
        problems=view.problems,
        problem_count=len(view.problems),
        outbound=view.outbound,
        certificates=view.certificates,
        clear=tuple((one.service, one.id, one.address, one.node) for one in view.clear[:CLEAR_MAX]),
        draining=view.draining[:DRAINING_MAX],
        admin=admin,
    )


def as_dialled(address: str, own: str) -> str:
    """`ip:port` as others can dial it: with this node's `own` address in place of "any"."""
    host, _, port = address.rpartition(":")
    if not own or not ipaddress.ip_address(host.strip("[]")).is_unspecified:
        return address
    return f"[{own}]:{port}" if ":" in own else f"{own}:{port}"
