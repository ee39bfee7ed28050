"""Questions about calls to a port that means one destination: asked by its address, answered by its listener. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

LOOPBACK = ("127.0.0.1", "[::1]")
LOCALHOST = "localhost"


def on_own_ports(
    requests: Iterable[Mapping[str, Any]], listeners: Mapping[str, str]
) -> list[Mapping[str, Any]]:
    """The requests, with the listener named that a service's call to `127.0.0.1:15006` comes in by.

    `listeners` is name → `ip:port`.
    """
    return [_placed(one, listeners) for one in requests]


def _placed(request: Mapping[str, Any], listeners: Mapping[str, str]) -> Mapping[str, Any]:
    source, host = request.get("source"), request.get("host")
    if request.get("listener") != "outbound" or not (source and isinstance(host, str)):
        return request
    name, _, port = host.rpartition(":")
    is_here = name.lower() in ("", LOCALHOST)
    wanted = [f"{one}:{port}" for one in LOOPBACK] if is_here else [host]
    own = (
        listener
        for listener, address in listeners.items()
        if listener.startswith(f"{source}:") and address in wanted
    )
    listener = next(own, None)
    return request if listener is None else {**request, "listener": listener}
