"""Looks, before a proxy is started, whether its ports can be had: one sentence now is better than a listener that waits."""

from __future__ import annotations

import ipaddress
import socket

from ..config import Folders, Settings
from ..errors import StartError, address_sentence
from ..proxy import listening_peer

ASK_TIMEOUT_S = 1.0


async def check_ports(settings: Settings, folders: Folders) -> None:
    """Raises StartError for the first that is taken. A proxy that runs already has them itself."""
    try:
        await listening_peer(str(folders.control_socket), ASK_TIMEOUT_S)
    except (OSError, TimeoutError):
        pass
    else:
        return
    _try("the edge", "edge.address", settings.edge_address)
    _try("the mesh", "mesh.address", settings.mesh_address)


def _try(what: str, setting: str, address: str | None) -> None:
    if address is None:
        return
    host, _, port = address.rpartition(":")
    bare = host.strip("[]")
    family = socket.AF_INET6 if ipaddress.ip_address(bare).version == 6 else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        # As the proxy will: connections of a former one that linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((bare, int(port)))
            probe.listen(1)
        except OSError as error:
            raise StartError(address_sentence(what, address, setting, error)) from error
