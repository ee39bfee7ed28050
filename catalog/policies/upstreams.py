"""A local service's own calls, `mesh/upstreams/<service>`: the ports they go to, on each node where the service runs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from .. import values
from ..text import Mistake, Token, quote
from ..yamltree import Mapping as Fields
from ..yamltree import Node, Scalar
from .fields import Shape, number

PORT_MAX = 65_535
DESTINATIONS_MAX = 64
"""Of one service: each is a listening socket on every node where the service runs."""


@dataclass(frozen=True, slots=True)
class Upstreams:
    """`port`: where the service's calls to `http://<name>.mesh/` go, on its own machine; None: one is given to it.

    `destinations` are ports that mean one service each, whatever host a call names: service → port.
    """

    port: int | None = None
    destinations: Mapping[str, int] = field(default_factory=dict)


def _destinations(node: Node, name: Token) -> dict[str, int]:
    if not isinstance(node, Fields):
        raise Mistake(f"the field {quote(name.text)} is a mapping, as in {EXAMPLE}", node.at)
    if len(node.items) > DESTINATIONS_MAX:
        raise Mistake(f"a service has at most {DESTINATIONS_MAX} destinations", name)
    found: dict[str, int] = {}
    for service, value in node.items.items():
        at = node.names[service]
        if _is_turned_round(service, value):
            raise Mistake(f"a destination is a service and its port, as in {EXAMPLE}", at)
        port = number(1, PORT_MAX)(value, at)
        if other := next((one for one, taken in found.items() if taken == port), None):
            raise Mistake(f"the port {port} means {quote(other)} already", value.at)
        found[values.service(at)] = port
    return found


def _is_turned_round(name: str, value: Node) -> bool:
    is_port = name.isascii() and name.isdigit()
    return is_port and isinstance(value, Scalar) and isinstance(value.value, str)


SHAPE = Shape(
    {"port": number(1, PORT_MAX), "destinations": _destinations},
    later=("address", "allow", "balance", "hosts", "protocol", "retries", "services", "timeout"),
    elsewhere={
        "ports": "a port that means one service stands in destinations: {stock: 15006}",
        "user": "the users of a service stand in its registration's meta, as mesh-user",
    },
)

EXAMPLE = "destinations: {stock: 15006}"


def read_upstreams(root: Fields) -> Upstreams:
    """The upstreams of a document. Raises Mistake."""
    for name, at in root.names.items():
        if name.isascii() and name.isdigit():
            raise Mistake(
                f"a port that means one service is written destinations: {{SERVICE: {name}}}", at
            )
    found = SHAPE.read(root)
    if not found:
        raise Mistake('one of the fields "port" and "destinations" is needed', root.at)
    read = Upstreams(found.get("port"), found.get("destinations", {}))
    for service, port in read.destinations.items():
        if port == read.port:
            sentence = (
                f"the port {port} is the one for all calls: it can not mean {quote(service)} alone"
            )
            raise Mistake(sentence, root.names["destinations"])
    return read
