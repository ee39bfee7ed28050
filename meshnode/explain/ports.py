"""Questions that name a port: which listener's it is, where it means one destination, and that it is nobody's. Asks nobody."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .question import Question

LOOPBACK = ("127.0.0.1", "[::1]")
LOCALHOST = "localhost"
USUAL = {"http": 80, "https": 443}
"""Ports that a URL means without naming them: whatever leads from there to the edge is not the mesh's matter."""


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


def nobodys(
    question: Question, answer: Mapping[str, Any], node: str, public_port: int
) -> str | None:
    """What to say of a request from outside whose URL names a port that the edge does not listen at; None: nothing.

    `public_port` is where clients reach the edge's TLS port, 0 where nobody said so.
    """
    address = answer["listener"]["address"]
    port, scheme = question.port, question.scheme
    if question.source is not None or port in (None, USUAL.get(scheme)) or address is None:
        return None
    if str(address).rpartition(":")[2] == str(port) or (scheme == "https" and port == public_port):
        return None
    return (
        f"the edge of {node} does not take {scheme} at port {port}: requests from outside come in at {address} "
        f"({answer['listener']['name']}). What would become of this one there is told without the port; what a service "
        f"asks at a port of its node, with --as SERVICE; a connection to a port of its own is 'tcp :{port}'"
    )
