"""What pydantic finds wrong with a document, as a sentence at its place. Reads nothing else."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import BaseModel, ValidationError

from ..text import Mistake, Token, quote
from ..yamltree import Mapping, Node, Scalar, Sequence
from .later import check_field


def first_mistake(error: ValidationError, root: Mapping, model: type[BaseModel]) -> Mistake:
    """The mistake that stands first; a missing field last, since a mistyped name explains it."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    missing = [detail for detail in details if detail["type"] == "missing"]
    others = [detail for detail in details if detail["type"] != "missing"]
    mistakes = [_mistake(detail, root, model) for detail in others or missing]
    return min(
        mistakes, key=lambda mistake: (mistake.at.line, mistake.at.column) if mistake.at else (0, 0)
    )


def _mistake(detail: Any, root: Mapping, model: type[BaseModel]) -> Mistake:
    """The sentence and place of one finding; `loc` is the way through the document, names of unions among it."""
    loc: tuple[str | int, ...] = detail["loc"]
    node: Node = root
    at, name, holder = root.at, "", root
    owner = model
    for step in loc:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.items:
            owner, holder = _model_of(owner, name) if name else owner, node
            name, at, node = step, node.names[step], node.items[step]
        elif isinstance(node, Sequence) and isinstance(step, int):
            node = node.items[step]
            at = node.at
    if detail["type"] == "missing":
        return Mistake(f"the field {quote(str(loc[-1]))} is missing", at)
    if detail["type"] == "extra_forbidden":
        return _unknown(name, at, owner, is_route=holder is root)
    expected = _EXPECTED.get(detail["type"], "is written otherwise")
    place = at if isinstance(node, Scalar) and node.value is None else node.at
    return Mistake(f"the field {quote(name)} {expected}, not {_described(node)}", place)


def _model_of(owner: type[BaseModel], name: str) -> type[BaseModel]:
    """The model of the mapping that a field holds, within lists and unions too."""
    for field_name, field in owner.model_fields.items():
        if (field.alias or field_name) == name and (found := _within(field.annotation)):
            return found
    return owner


def _within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for one in get_args(annotation) if (found := _within(one))), None)


def _unknown(name: str, at: Token, model: type[BaseModel], *, is_route: bool) -> Mistake:
    known = tuple(field.alias or name for name, field in model.model_fields.items())
    try:
        check_field(name, at, known, is_route=is_route)
    except Mistake as mistake:
        return mistake
    raise AssertionError(name)


_EXPECTED = {
    "string_type": "is text",
    "bool_type": "is true or false",
    "int_type": "is a number",
    "list_type": "is a list",
    "dict_type": "is a mapping of fields",
    "model_type": "is a mapping of fields",
    "literal_error": "is rest, whole or none",
}


def _described(node: Node) -> str:
    if isinstance(node, Mapping):
        return "a mapping"
    if isinstance(node, Sequence):
        return "a list"
    if node.value is None:
        return "nothing"
    if isinstance(node.value, str):
        return quote(node.value)
    return f"the {'value' if isinstance(node.value, bool) else 'number'} {node.at.text}"
