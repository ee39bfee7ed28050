"""Looks, before a proxy is started, whether its ports can be had: one sentence now is better than a listener that waits."""

from __future__ import annotations

from ..config import Folders, Settings
from ..config.collisions import tls_address
from ..config.listening import try_address
from ..errors import StartError
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
    for what, setting, address in (
        ("the edge", "edge.address", settings.edge_address),
        ("the edge's TLS", "edge.tls_address", tls_address(settings)),
        ("the mesh", "mesh.address", settings.mesh_address),
    ):
        sentence = None if address is None else try_address(what, setting, address)
        if sentence is not None:
            raise StartError(sentence)
