"""Consul's filter over what a list shows: fields checked first, then each item kept or not. Pure.

An item is the JSON of the answer; a field Consul leaves out of it counts as empty.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from .filter_grammar import Both, Either, Expression, FilterError, Match, Not, parse

__all__ = ["ANY", "Field", "Filter", "FilterError"]

ANY = "*"
"""The name that stands for every key of a map."""

Kind = Literal["text", "number", "flag", "texts", "map", "object", "objects"]

_OPERATORS: dict[Kind, tuple[str, ...]] = {
    "text": ("Equal", "Not Equal", "In", "Not In", "Matches"),
    "number": ("Equal", "Not Equal"),
    "flag": ("Equal", "Not Equal"),
    "texts": ("In", "Not In", "Is Empty", "Is Not Empty"),
    "map": ("In", "Not In", "Is Empty", "Is Not Empty"),
    "object": (),
    "objects": ("Is Empty", "Is Not Empty"),
}
_EMPTY: dict[Kind, Any] = {
    "text": "",
    "number": 0,
    "flag": False,
    "texts": (),
    "map": {},
    "object": {},
    "objects": (),
}
_FLAGS = {
    **dict.fromkeys(("1", "t", "T", "TRUE", "true", "True"), True),
    **dict.fromkeys(("0", "f", "F", "FALSE", "false", "False"), False),
}
_NEGATIVE = ("Not Equal", "Not In", "Is Empty")
"""What holds of a key that a map does not have."""


@dataclass(frozen=True, slots=True)
class Field:
    """What may be asked of one field. `fields` are those below it; a map's stand under ANY."""

    kind: Kind
    fields: Mapping[str, Field] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Test:
    """A checked comparison: `value` has the field's own type, or is a compiled pattern."""

    path: tuple[tuple[str, Field], ...]
    operator: str
    value: Any


@dataclass(frozen=True, slots=True)
class Filter:
    """`Filter.of('Status != "passing"', CHECK_FIELDS).keeps(check)`; made of "", it keeps all."""

    _tree: _Checked | None

    @classmethod
    def of(cls, expression: str, fields: Mapping[str, Field]) -> Filter:
        """FilterError with Consul's words for a text that is no expression, or asks what `fields` do not have."""
        if not expression:
            return cls(None)
        try:
            return cls(_checked(parse(expression), fields))
        except FilterError as error:
            raise FilterError(f"Failed to create boolean expression evaluator: {error}") from None

    def keeps(self, item: Mapping[str, Any]) -> bool:
        return self._tree is None or _holds(self._tree, item)


@dataclass(frozen=True, slots=True)
class _Joined:
    """Several of a tree, all of which must hold, or (`is_any`) one; `is_not` turns the answer round."""

    parts: tuple[_Checked, ...]
    is_any: bool = False
    is_not: bool = False


_Checked = _Test | _Joined


def _checked(tree: Expression, fields: Mapping[str, Field]) -> _Checked:
    match tree:
        case Not(operand):
            return _Joined((_checked(operand, fields),), is_not=True)
        case Both(left, right):
            return _Joined((_checked(left, fields), _checked(right, fields)))
        case Either(left, right):
            return _Joined((_checked(left, fields), _checked(right, fields)), is_any=True)
        case Match():
            return _checked_match(tree, fields)


def _checked_match(match: Match, fields: Mapping[str, Field]) -> _Test:
    path: list[tuple[str, Field]] = []
    for number, name in enumerate(match.selector, 1):
        found = fields.get(name) or fields.get(ANY)
        if found is None:
            raise FilterError(f'Selector "{".".join(match.selector[:number])}" is not valid')
        path.append((name, found))
        fields = found.fields
    last, selector = path[-1][1], ".".join(match.selector)
    if match.operator not in _OPERATORS[last.kind]:
        raise FilterError(f'Invalid match operator "{match.operator}" for selector "{selector}"')
    return _Test(tuple(path), match.operator, _value(match, last.kind, selector))


def _value(match: Match, kind: Kind, selector: str) -> Any:
    if match.value is None:
        return None
    if match.operator == "Matches":
        try:
            return re.compile(match.value)
        except re.error as error:
            raise FilterError(
                f'Failed to compile regular expression "{match.value}": error parsing regexp: {error}'
            ) from None
    try:
        if kind == "number":
            return int(match.value, 0)
        if kind == "flag":
            return _FLAGS[match.value]
    except (KeyError, ValueError):
        parser = "ParseInt" if kind == "number" else "ParseBool"
        raise FilterError(
            f'Failed to coerce value "{match.value}" for selector "{selector}":'
            f' strconv.{parser}: parsing "{match.value}": invalid syntax'
        ) from None
    return match.value


def _holds(tree: _Checked, item: Mapping[str, Any]) -> bool:
    if isinstance(tree, _Test):
        return _matches(tree, tree.path, item)
    found = (_holds(part, item) for part in tree.parts)
    return (any(found) if tree.is_any else all(found)) is not tree.is_not


def _matches(
    test: _Test,
    path: tuple[tuple[str, Field], ...],
    item: Mapping[str, Any],
    *,
    in_map: bool = False,
) -> bool:
    """Whether it holds of what `path` leads to from `item`; of a list of objects, of any of them."""
    (name, below), rest = path[0], path[1:]
    if in_map and name not in item:
        return test.operator in _NEGATIVE
    value = item.get(name)
    if value is None:
        value = _EMPTY[below.kind]
    if not rest:
        return _compares(test.operator, value, test.value)
    if below.kind == "objects":
        return any(_matches(test, rest, one) for one in value)
    return _matches(test, rest, value, in_map=below.kind == "map")


def _compares(operator: str, value: Any, wanted: Any) -> bool:
    match operator:
        case "Equal":
            return bool(value == wanted)
        case "Not Equal":
            return bool(value != wanted)
        case "In":
            return wanted in value
        case "Not In":
            return wanted not in value
        case "Matches":
            return bool(wanted.search(value))
        case "Is Empty":
            return not value
        case _:
            return bool(value)
