"""A YAML or JSON document as a small tree whose every node knows its place. Knows nothing of routes.

Built from a parser's events, not its objects: anchors, aliases, tags and depth are refused before anything grows.
JSON is read as the YAML it is. libyaml reads what is right, thirty times as fast; ruamel.yaml has the last word about
what libyaml refuses, and the sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from yaml.cyaml import CParser

from .text import Mistake, Token, quote

DEPTH_MAX = 8
"""The deepest document we know has three levels."""

BRACKETS_MAX = 200
"""A split of 32 services needs 35. The scanner's work grows with the square of open brackets."""

INTEGER_MAX_DIGITS = 15
"""Above, no field means a number, and JSON readers begin to differ."""

EVENTS_MAX = 4_000
"""A value of VALUE_MAX_BYTES that says something has a tenth of it."""

_FOREIGN_BREAKS = re.compile("[\x85\u2028\u2029]")
"""Ends of lines to libyaml (YAML 1.1), not to ruamel (1.2) nor to people who count lines."""

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


def compose(text: str, example: str = "host: shop.example") -> Mapping:
    """The document's tree, which is a mapping; `example` is one for a sentence. Raises Mistake."""
    if text.count("[") + text.count("{") > BRACKETS_MAX:
        raise Mistake(f"the document has more than {BRACKETS_MAX} brackets; it needs a few")
    # JSON allows tabs between its words, YAML does not; a space has the same column.
    flow = text.replace("\t", " ") if text.lstrip().startswith("{") else text
    events = None if _FOREIGN_BREAKS.search(flow) else _fast_events(flow)
    return _document(iter(events) if events else _events(flow), example)


def plain(node: Node) -> Any:
    """The tree as dicts, lists and values."""
    if isinstance(node, Mapping):
        return {name: plain(item) for name, item in node.items.items()}
    return [plain(item) for item in node.items] if isinstance(node, Sequence) else node.value


def _fast_events(text: str) -> list[Any] | None:
    """What libyaml reads; None where it reads nothing, whatever the reason."""
    parser = CParser(text)
    events: list[Any] = []
    try:
        while parser.check_event():
            events.append(parser.get_event())
            if len(events) > EVENTS_MAX:
                return None
    except Exception:  # noqa: BLE001  (a foreign parser fed with any bytes; the other one says what is wrong)
        return None
    finally:
        parser.dispose()
    return events


def _events(text: str) -> Iterator[Any]:
    """What ruamel reads, one by one, its errors as mistakes."""
    from ruamel.yaml import YAML
    from ruamel.yaml.error import MarkedYAMLError

    try:
        yield from YAML(typ="safe", pure=True).parse(text)
    except MarkedYAMLError as error:
        raise _translated(error) from None
    except Exception as error:
        # A foreign parser fed with any bytes: ValueError, IndexError and others were seen.
        raise Mistake("the document is neither YAML nor JSON") from error


def _document(events: Iterator[Any], example: str) -> Mapping:
    root: Node | None = None
    for event in events:
        if _kind(event) == "DocumentStart":
            if root is not None:
                raise Mistake("a key holds one document", _token(event))
            first = next(events)
            root = _node(first, events, 1)
            if not isinstance(root, Mapping):
                raise Mistake(f"the document is a mapping of fields, as in {example}", root.at)
    if not isinstance(root, Mapping):
        raise Mistake("the document is empty; to remove it, delete its key")
    return root


def _kind(event: Any) -> str:
    """What an event is: both parsers have classes of their own, of the same names."""
    return type(event).__name__.removesuffix("Event")


def _node(event: Any, events: Iterator[Any], depth: int) -> Node:
    at, kind = _token(event), _kind(event)
    if kind == "Alias":
        raise Mistake(
            'a YAML value that begins with "*" stands in quotes; aliases are not taken', at
        )
    if getattr(event, "anchor", None):
        raise Mistake(
            'a YAML value that begins with "&" stands in quotes; anchors are not taken', at
        )
    if getattr(event, "tag", None):
        raise Mistake('a YAML value that begins with "!" stands in quotes; tags are not taken', at)
    if kind == "Scalar":
        return _scalar(event, at)
    if depth > DEPTH_MAX:
        raise Mistake(f"the document is nested deeper than {DEPTH_MAX} levels", at)
    if kind == "MappingStart":
        return _mapping(at, events, depth)
    items: list[Node] = []
    while _kind(event := next(events)) != "SequenceEnd":
        items.append(_node(event, events, depth + 1))
    return Sequence(at, tuple(items))


def _mapping(at: Token, events: Iterator[Any], depth: int) -> Mapping:
    items: dict[str, Node] = {}
    names: dict[str, Token] = {}
    while _kind(event := next(events)) != "MappingEnd":
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


def _scalar(event: Any, at: Token) -> Scalar:
    text = at.text
    if event.style:
        return Scalar(at, text)
    if text in _PLAIN:
        return Scalar(at, _PLAIN[text])
    if re.fullmatch(r"[-+]?[0-9]+", text) and len(text) <= INTEGER_MAX_DIGITS:
        return Scalar(at, int(text))
    return Scalar(at, text)


def _token(event: Any) -> Token:
    start, end = event.start_mark, event.end_mark
    text = str(getattr(event, "value", None) or "")
    if _kind(event) not in ("Scalar", "Alias"):
        return Token(text, start.line + 1, start.column + 1, 1)
    length = end.column - start.column if end.line == start.line else 1
    if getattr(event, "style", None) in ("'", '"') and text and length == len(text) + 2:
        return Token(text, start.line + 1, start.column + 2, len(text))
    return Token(text, start.line + 1, start.column + 1, max(length, 1))


def _translated(error: Any) -> Mistake:
    mark = error.problem_mark or error.context_mark
    at = Token("", mark.line + 1, mark.column + 1, 1) if mark else None
    if error.context and "alias" in error.context:
        return Mistake('a YAML value that begins with "*" stands in quotes', at)
    problem = str(error.problem or error.context or "it cannot be read").splitlines()[0]
    return Mistake(f"the document is neither YAML nor JSON: {quote(problem)[1:-1]}", at)
