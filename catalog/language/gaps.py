"""What of a document says nothing where something has to stand: a field without a value, a list without an item."""

from __future__ import annotations

from ..text import Mistake, quote
from ..yamltree import Mapping, Node, Scalar, Sequence


def refuse_nothing(node: Node) -> None:
    """A field with nothing behind it is a slip, never an order."""
    if isinstance(node, Sequence):
        for item in node.items:
            if isinstance(item, Scalar) and item.value is None:
                raise Mistake("the list has nothing here", item.at)
            refuse_nothing(item)
    elif isinstance(node, Mapping):
        for name, item in node.items.items():
            if isinstance(item, Scalar) and item.value is None:
                raise Mistake(f"the field {quote(name)} has no value", node.names[name])
            refuse_nothing(item)


def refuse_empty(node: Node) -> None:
    """A list with nothing in it would say that anything goes."""
    if isinstance(node, Sequence):
        if not node.items:
            raise Mistake("this list is empty; leave the field away for none", node.at)
        for item in node.items:
            refuse_empty(item)
    elif isinstance(node, Mapping):
        for item in node.items.values():
            refuse_empty(item)
