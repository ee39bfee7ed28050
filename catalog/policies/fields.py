"""The fields of a document: each read by its own reader, all others refused at their place. Knows no kind of document."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from .. import values
from ..suggestions import nearest
from ..text import Mistake, Token, quote
from ..yamltree import Mapping as Fields
from ..yamltree import Node, Scalar, Sequence

Read = Callable[[Node, Token], Any]
"""A field's value and where its name stands, to what it means. Raises Mistake."""


@dataclass(frozen=True, slots=True)
class Shape:
    """The fields of one mapping.

    `later` are those that are not in this version yet, `elsewhere` right names in a wrong place, with where they stand.
    """

    fields: Mapping[str, Read]
    later: tuple[str, ...] = ()
    elsewhere: Mapping[str, str] = field(default_factory=dict)

    def read(self, root: Fields) -> dict[str, Any]:
        """The meaning of each field that is there, in the order written."""
        return {
            name: self._reader(name, root.names[name])(_something(name, root), root.names[name])
            for name in root.items
        }

    def mapping(self, node: Node, name: Token) -> dict[str, Any]:
        """A field that is a mapping of this shape: a reader itself."""
        if not isinstance(node, Fields):
            raise Mistake(f"the field {quote(name.text)} is a mapping of fields", node.at)
        return self.read(node)

    def _reader(self, name: str, at: Token) -> Read:
        if name in self.later:
            raise not_yet(f"the field {quote(name)}", at)
        if name in self.elsewhere:
            raise Mistake(f"no field is called {quote(name)} here: {self.elsewhere[name]}", at)
        if name not in self.fields:
            near = nearest(name, (*self.fields, *self.later))
            raise Mistake(f"no field is called {quote(name)}", at, near)
        return self.fields[name]


def not_yet(what: str, at: Token) -> Mistake:
    """For what later versions do: never silently taken."""
    return Mistake(f"{what} is not in this version yet, so the key is refused", at)


def text(node: Node, name: Token) -> Token:
    """A single value as it is written; as in routes, true is no text without quotes."""
    at = _single(node, name)
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        raise Mistake(f"the field {quote(name.text)} is text, not the value {at.text}", at)
    return at


def texts(node: Node, name: Token) -> list[Token]:
    """Values in a list, or a single one."""
    items = node.items if isinstance(node, Sequence) else (node,)
    return [text(item, name) for item in items]


def time_ms(node: Node, name: Token) -> int:
    """A time with its unit, in milliseconds."""
    return values.milliseconds(text(node, name))


def time_ms_to(highest_ms: int) -> Read:
    """A time with its unit, up to a highest one; in milliseconds."""

    def read(node: Node, name: Token) -> int:
        value_ms = time_ms(node, name)
        if value_ms > highest_ms:
            sentence = f"the field {quote(name.text)} is at most {highest_ms // 1000}s"
            raise Mistake(sentence, _single(node, name))
        return value_ms

    return read


def service(node: Node, name: Token) -> str:
    """A service's name."""
    return values.service(text(node, name))


def flag(node: Node, name: Token) -> bool:
    """A plain true or false."""
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    raise Mistake(f"the field {quote(name.text)} is true or false", _single(node, name))


def number(lowest: int, highest: int) -> Read:
    """A whole number between two."""

    def read(node: Node, name: Token) -> int:
        value = node.value if isinstance(node, Scalar) else None
        if isinstance(value, int) and not isinstance(value, bool) and lowest <= value <= highest:
            return value
        sentence = f"the field {quote(name.text)} is a number from {lowest:,} to {highest:,}"
        raise Mistake(sentence, _single(node, name))

    return read


def word(
    known: tuple[str, ...],
    later: tuple[str, ...] = (),
    elsewhere: Mapping[str, str] | None = None,
    *,
    has_fields_later: bool = False,
) -> Read:
    """One of some words; `later` are those of later versions, `elsewhere` what is said otherwise, with how.

    `has_fields_later`: later versions take a mapping or a list there.
    """

    def read(node: Node, name: Token) -> str:
        if has_fields_later and not isinstance(node, Scalar):
            more = not_yet(f"{quote(name.text)} with fields of its own", node.at).sentence
            sentence = f"{more}; this one knows {name.text}: {' or '.join(known)}"
            raise Mistake(sentence, node.at)
        at = text(node, name)
        if at.text in known:
            return at.text
        if at.text in later:
            raise not_yet(f"{quote(name.text)} {quote(at.text)}", at)
        if elsewhere is not None and at.text in elsewhere:
            raise Mistake(elsewhere[at.text], at)
        sentence = f"the field {quote(name.text)} is {' or '.join(known)}, not {quote(at.text)}"
        raise Mistake(sentence, at, nearest(at.text, (*known, *later)))

    return read


def _single(node: Node, name: Token) -> Token:
    if not isinstance(node, Scalar):
        found = "a list" if isinstance(node, Sequence) else "a mapping"
        raise Mistake(f"the field {quote(name.text)} is one value, not {found}", node.at)
    return node.at


def _something(name: str, root: Fields) -> Node:
    node = root.items[name]
    if isinstance(node, Scalar) and node.value is None:
        raise Mistake(f"the field {quote(name)} has no value", root.names[name])
    return node
