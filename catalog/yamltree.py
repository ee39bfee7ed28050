"""A YAML or JSON document as a small tree whose every node knows its place. Knows nothing of routes.

Built from ruamel.yaml's events, not its objects: anchors, aliases, tags and depth are refused before anything grows.
JSON is read as the YAML it is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    StreamEndEvent,
    StreamStartEvent,
)

from .text import Mistake, Token, quote

DEPTH_MAX = 8
"""The deepest document we know has three levels."""

BRACKETS_MAX = 200
"""A split of 32 services needs 35. The scanner's work grows with the square of open brackets."""

INTEGER_MAX_DIGITS = 15
"""Above, no field means a number, and JSON readers begin to differ."""

Value = str | int | bool | None


@dataclass(frozen=True, slots=True)
class Scalar:
    """One value; plain `true`, `false`, `null` and integers are such, all else is text."""

    at: Token
    value: Value


@dataclass(frozen=True, slots=True)
class Sequence:
    at: Token
    items: tuple[Node, ...]


@dataclass(frozen=True, slots=True)
class Mapping:
    """Names are unique; `names` has where each stands."""

    at: Token
    items: dict[str, Node]
    names: dict[str, Token]


Node = Scalar | Sequence | Mapping


def compose(text: str, example: str = "host: shop.example", what: str = "a route") -> Mapping:
    """The document's tree, which is a mapping; `what` it is and an `example` are for sentences. Raises Mistake."""
    if text.count("[") + text.count("{") > BRACKETS_MAX:
        raise Mistake(f"the document has more than {BRACKETS_MAX} brackets; {what} needs a few")
    # JSON allows tabs between its words, YAML does not; a space has the same column.
    flow = text.replace("\t", " ") if text.lstrip().startswith("{") else text
    return _document(_events(flow), example, what)


def plain(node: Node) -> Any:
    """The tree as dicts, lists and values."""
    if isinstance(node, Mapping):
        return {name: plain(item) for name, item in node.items.items()}
    return [plain(item) for item in node.items] if isinstance(node, Sequence) else node.value


def _events(text: str) -> Iterator[Event]:
    """What ruamel reads, one by one, its errors as mistakes."""
    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        raise _translated(error) from None
    except Exception as error:
        # A foreign parser fed with any bytes: ValueError, IndexError and others were seen.
        raise Mistake("the document is neither YAML nor JSON") from error


def _document(events: Iterator[Event], example: str, what: str) -> Mapping:
    root: Node | None = None
    for event in events:
        if isinstance(event, (StreamStartEvent, StreamEndEvent)):
            continue
        if isinstance(event, DocumentStartEvent):
            if root is not None:
                raise Mistake("a key holds one document", _token(event))
            first = next(events)
            root = _node(first, events, 1)
            if not isinstance(root, Mapping):
                sentence = f"the document of {what} is a mapping of fields, as in {example}"
                raise Mistake(sentence, root.at)
    if not isinstance(root, Mapping):
        raise Mistake(f"the document is empty; to remove {what}, delete its key")
    return root


def _node(event: Event, events: Iterator[Event], depth: int) -> Node:
    at = _token(event)
    if isinstance(event, AliasEvent):
        raise Mistake(
            'a YAML value that begins with "*" stands in quotes; aliases are not taken', at
        )
    if getattr(event, "anchor", None):
        raise Mistake(
            'a YAML value that begins with "&" stands in quotes; anchors are not taken', at
        )
    if getattr(event, "tag", None):
        raise Mistake('a YAML value that begins with "!" stands in quotes; tags are not taken', at)
    if isinstance(event, ScalarEvent):
        return _scalar(event, at)
    if depth > DEPTH_MAX:
        raise Mistake(f"the document is nested deeper than {DEPTH_MAX} levels", at)
    if isinstance(event, MappingStartEvent):
        return _mapping(at, events, depth)
    items: list[Node] = []
    while not isinstance(event := next(events), SequenceEndEvent):
        items.append(_node(event, events, depth + 1))
    return Sequence(at, tuple(items))


def _mapping(at: Token, events: Iterator[Event], depth: int) -> Mapping:
    items: dict[str, Node] = {}
    names: dict[str, Token] = {}
    while not isinstance(event := next(events), MappingEndEvent):
        key = _node(event, events, depth + 1)
        if not isinstance(key, Scalar):
            raise Mistake("a field's name is a word", key.at)
        name = key.at.text
        if name in items:
            raise Mistake(f"the field {quote(name)} stands here twice", key.at)
        names[name] = key.at
        items[name] = _node(next(events), events, depth + 1)
    return Mapping(at, items, names)


_PLAIN: dict[str, Value] = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
    "": None, "~": None, "null": None, "Null": None, "NULL": None,
}  # fmt: skip


def _scalar(event: ScalarEvent, at: Token) -> Scalar:
    text = at.text
    if event.style:
        return Scalar(at, text)
    if text in _PLAIN:
        return Scalar(at, _PLAIN[text])
    if re.fullmatch(r"[-+]?[0-9]+", text) and len(text) <= INTEGER_MAX_DIGITS:
        return Scalar(at, int(text))
    return Scalar(at, text)


def _token(event: Event) -> Token:
    start, end = event.start_mark, event.end_mark
    text = str(getattr(event, "value", None) or "")
    if not isinstance(event, (ScalarEvent, AliasEvent)):
        return Token(text, start.line + 1, start.column + 1, 1)
    length = end.column - start.column if end.line == start.line else 1
    if getattr(event, "style", None) in ("'", '"') and text and length == len(text) + 2:
        return Token(text, start.line + 1, start.column + 2, len(text))
    return Token(text, start.line + 1, start.column + 1, max(length, 1))


def _translated(error: MarkedYAMLError) -> Mistake:
    mark = error.problem_mark or error.context_mark
    at = Token("", mark.line + 1, mark.column + 1, 1) if mark else None
    if error.context and "alias" in error.context:
        return Mistake('a YAML value that begins with "*" stands in quotes', at)
    problem = str(error.problem or error.context or "it cannot be read").splitlines()[0]
    return Mistake(f"the document is neither YAML nor JSON: {quote(problem)[1:-1]}", at)
