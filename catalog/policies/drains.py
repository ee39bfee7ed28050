"""A drain, `mesh/drain/<name>`: an instance that gets no new request, while what runs there ends. Counts nothing.

One line, `cart-1 on node-2 for 5m`, or a document with the same words.
"""

from __future__ import annotations

from dataclasses import dataclass

from .. import values
from ..text import Mistake, Token, quote
from ..yamltree import Mapping as Fields
from ..yamltree import Node
from .fields import Shape, service, text, time_ms

ID_MAX_BYTES = 512
"""As the proxy takes for an instance or a node."""


@dataclass(frozen=True, slots=True)
class Drain:
    """`instance` is a service's instance by its Consul id. Ids are unique on a node only: `node` says on which.

    `service` and `node` None: of any service, on any node. `grace_ms` is how long what runs is given; None: as long
    as it takes. Nothing is cut off at its end, `meshnode status` says that it is over.
    """

    instance: str
    node: str | None = None
    service: str | None = None
    grace_ms: int | None = None

    def takes(self, service_name: str, node: str, instance: str) -> bool:
        """Whether it is this instance's."""
        return (
            instance == self.instance
            and self.node in (None, node)
            and self.service in (None, service_name)
        )


def _identifier(node: Node, name: Token) -> str:
    return _checked(text(node, name), name.text)


def _checked(at: Token, what: str) -> str:
    found = at.text
    if not found or found != found.strip() or not found.isprintable():
        raise Mistake(f"{quote(found)} is no {what}: it is an id as Consul has it", at)
    if len(found.encode("utf-8", "surrogatepass")) > ID_MAX_BYTES:
        raise Mistake(f"an id has at most {ID_MAX_BYTES} bytes", at)
    return found


SHAPE = Shape(
    {"instance": _identifier, "node": _identifier, "service": service, "for": time_ms},
    later=("at", "from", "until"),
    elsewhere={
        "id": 'the instance\'s id stands under "instance"',
        "time": 'how long what runs is given stands under "for"',
        "timeout": 'how long what runs is given stands under "for"',
    },
)

EXAMPLE = "instance: cart-1"


def read_drain(root: Fields) -> Drain:
    """The drain of a document. Raises Mistake."""
    found = SHAPE.read(root)
    if "instance" not in found:
        raise Mistake('the field "instance" is missing', root.at)
    return Drain(found["instance"], found.get("node"), found.get("service"), found.get("for"))


def read_line(words: list[Token]) -> Drain:
    """The drain of a line's words: an instance, then pairs of a word and its value. Raises Mistake."""
    instance = _checked(words[0], "instance")
    found: dict[str, Token] = {}
    rest = words[1:]
    for at in range(0, len(rest), 2):
        name = rest[at]
        if name.text not in ("of", "on", "for"):
            sentence = f"{quote(name.text)} has no place here: a drain is written as cart-1 on node-2 for 5m"
            raise Mistake(sentence, name)
        if name.text in found:
            raise Mistake(f"{quote(name.text)} stands here twice", name)
        if at + 1 == len(rest):
            raise Mistake(f"behind {quote(name.text)} its value is missing", name)
        found[name.text] = rest[at + 1]
    return Drain(
        instance,
        _checked(found["on"], "node") if "on" in found else None,
        values.service(found["of"]) if "of" in found else None,
        values.milliseconds(found["for"]) if "for" in found else None,
    )
