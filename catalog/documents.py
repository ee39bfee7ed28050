"""The document form of a route, YAML or JSON, with the same meaning as the one-line form.

pydantic decides which fields there are and of which type; what a value may be is decided in values.py.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from . import values
from .grammar import check_name, split
from .rule import Redirect, Rule, Split
from .text import Mistake, Token, quote
from .yamltree import Mapping, Node, Scalar, Sequence, compose, plain


def _number_as_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


Text = Annotated[str, BeforeValidator(_number_as_text)]
"""Text; a number in YAML without quotes is the text it looks like (`timeout: 2` then lacks its unit)."""


class _Document(BaseModel):
    """Nothing unknown, nothing else converted: what is written is what is meant."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class PartDocument(_Document):
    """One service of a split and its share in percent, `90` or `90%`."""

    service: Text
    weight: int | str


class RedirectDocument(_Document):
    """The status (301, 302, 303, 307, 308) and the URL."""

    status: int
    location: Text


class RouteDocument(_Document):
    """A route; exactly one of service, split and redirect stands in it."""

    host: Text
    path: Text = "/"
    exact: bool = False
    service: Text = ""
    split: list[PartDocument] = Field(default_factory=list)
    redirect: RedirectDocument | None = None
    timeout: Text = ""
    strip: Text = ""


FIELDS_NOT_YET = (
    "balance", "client", "cookies", "grpc", "headers", "methods", "middlewares", "mirror", "passthrough", "priority",
    "query", "retries", "rewrite", "sni", "source", "subset", "tcp", "tests", "when",
)  # fmt: skip

_ACTIONS = ("service", "split", "redirect")


def parse_document(text: str) -> Rule:
    """The rule of a YAML or JSON document. Raises Mistake with line and column."""
    root = compose(text)
    try:
        document = RouteDocument.model_validate(plain(root))
    except ValidationError as error:
        raise _first(error, root) from None
    is_exact = document.exact
    host = values.host(_at(root, "host"))
    path = values.path(_at(root, "path"), is_exact=is_exact) if "path" in root.items else "/"
    action = _action(root)
    timeout, strip = (name in root.items for name in ("timeout", "strip"))
    if isinstance(action, Redirect) and (timeout or strip):
        at = root.names["timeout" if timeout else "strip"]
        raise Mistake("a redirect is answered by the edge itself and takes no settings", at)
    return Rule(
        host,
        path,
        is_exact,
        action,
        timeout_ms=values.timeout_ms(_at(root, "timeout")) if timeout else None,
        strip_prefix=values.strip(_at(root, "strip"), path) if strip else None,
    )


def _action(root: Mapping) -> Split | Redirect:
    found = [name for name in _ACTIONS if name in root.items]
    if not found:
        raise Mistake(
            "a route leads somewhere: the field service, split or redirect is missing", root.at
        )
    if len(found) > 1:
        sentence = f"a route leads to one of {' and '.join(found)}, not to both"
        raise Mistake(sentence, root.names[found[1]])
    if found == ["service"]:
        return Split(((values.service(_at(root, "service")), 1),))
    target = root.items[found[0]]
    if isinstance(target, Mapping):
        return Redirect(
            values.status(_at(target, "status")), values.location(_at(target, "location"))
        )
    if isinstance(target, Scalar):
        raise Mistake(
            "the redirect is nothing; it has a status and a location", root.names["redirect"]
        )
    if not target.items:
        raise Mistake("the split has no service", target.at)
    return split([_part(item) for item in target.items])


def _part(item: Node) -> tuple[Token, Token]:
    assert isinstance(item, Mapping)
    weight = item.items["weight"]
    at = _at(item, "weight")
    if isinstance(weight, Scalar) and isinstance(weight.value, int):
        at = Token(f"{weight.value}%", at.line, at.column, at.length)
    return _at(item, "service"), at


def _at(mapping: Mapping, name: str) -> Token:
    return mapping.items[name].at


def _first(error: ValidationError, root: Mapping) -> Mistake:
    """The mistake that stands first; a missing field last, since a mistyped name explains it."""
    details = error.errors(include_url=False, include_input=False, include_context=False)
    missing = [detail for detail in details if detail["type"] == "missing"]
    others = [detail for detail in details if detail["type"] != "missing"]
    mistakes = [_mistake(detail, root) for detail in others or missing]
    return min(
        mistakes, key=lambda mistake: (mistake.at.line, mistake.at.column) if mistake.at else (0, 0)
    )


def _mistake(detail: Any, root: Mapping) -> Mistake:
    """The sentence and place of one of pydantic's findings; `loc` is the way through the document."""
    loc: tuple[str | int, ...] = detail["loc"]
    node: Node = root
    at, name = root.at, ""
    for step in loc:
        if isinstance(node, Mapping) and isinstance(step, str) and step in node.items:
            name, at, node = step, node.names[step], node.items[step]
        elif isinstance(node, Sequence) and isinstance(step, int):
            node = node.items[step]
            at = node.at
    if detail["type"] == "missing":
        return Mistake(f"the field {quote(str(loc[-1]))} is missing", at)
    if detail["type"] == "extra_forbidden":
        return _unknown(
            name, at, _MODELS.get(str(loc[0]), RouteDocument) if loc[1:] else RouteDocument
        )
    expected = _EXPECTED.get(detail["type"], "is written otherwise")
    place = at if isinstance(node, Scalar) and node.value is None else node.at
    return Mistake(f"the field {quote(name)} {expected}, not {_described(node)}", place)


def _unknown(name: str, at: Token, model: type[_Document]) -> Mistake:
    later = FIELDS_NOT_YET if model is RouteDocument else ()
    try:
        check_name(name, at, "field", tuple(model.model_fields), later)
    except Mistake as mistake:
        return mistake
    raise AssertionError(name)


_MODELS: dict[str, type[_Document]] = {"split": PartDocument, "redirect": RedirectDocument}

_EXPECTED = {
    "string_type": "is text",
    "bool_type": "is true or false",
    "int_type": "is a number",
    "list_type": "is a list",
    "model_type": "is a mapping of fields",
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
