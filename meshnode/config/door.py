"""The one port a person has to open between machines, in a sentence. Pure."""

from __future__ import annotations

import ipaddress

from .listening import split_address
from .settings import Settings


def door(settings: Settings) -> str:
    """What to open for this node to be reached by the others."""
    host, port = split_address(settings.mesh_address)
    if settings.mesh_advertise is not None:
        outside, outside_port = settings.mesh_advertise
        if outside_port not in (None, port):
            shown = f"[{outside}]" if ":" in outside else outside
            return (
                f"others dial {shown}:{outside_port}: forward TCP {outside_port} there to TCP {port} here, "
                "and open nothing else between the machines of the mesh"
            )
    if ipaddress.ip_address(host).is_loopback:
        return f"the mesh port {port} is on loopback: only nodes on this machine reach it (mesh.address)"
    return f"open TCP {port} between the machines of the mesh, and nothing else"
