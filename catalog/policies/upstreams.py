"""A local service's own calls, `mesh/upstreams/<service>`: the port they go to, on each node where the service runs."""

from __future__ import annotations

from dataclasses import dataclass

from ..text import Mistake, Token, quote
from ..yamltree import Mapping as Fields
from ..yamltree import Node
from .fields import Shape, not_yet, number

PORT_MAX = 65_535


@dataclass(frozen=True, slots=True)
class Upstreams:
    """`port`: where the service's calls to `http://<name>.mesh/` go, on its own machine."""

    port: int


def _ports(node: Node, name: Token) -> None:
    """A port that means one destination, as in 15432: stock. The proxy knows a destination by its host alone."""
    sentence = (
        f'the field {quote(name.text)} (calls go to "port", and the host <service>.mesh says where)'
    )
    raise not_yet(sentence, name if isinstance(node, Fields) else node.at)


SHAPE = Shape(
    {"port": number(1, PORT_MAX), "ports": _ports},
    later=("address", "allow", "balance", "hosts", "protocol", "retries", "services", "timeout"),
    elsewhere={"user": "the users of a service stand in its registration's meta, as mesh-user"},
)

EXAMPLE = "port: 15005"


def read_upstreams(root: Fields) -> Upstreams:
    """The upstreams of a document. Raises Mistake."""
    for name, at in root.names.items():
        if name.isascii() and name.isdigit():
            sentence = f"a port that means one service ({name}: …)"
            raise not_yet(sentence, at)
    found = SHAPE.read(root)
    if "port" not in found:
        raise Mistake('the field "port" is missing', root.at)
    return Upstreams(found["port"])
