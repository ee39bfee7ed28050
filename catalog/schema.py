"""The published JSON Schema (draft 2020-12) of each kind of document, made from the models that read them.

It refuses nothing that a node takes. A node looks more closely: at what the words mean, not only at their types.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema

DIALECT = "https://json-schema.org/draft/2020-12/schema"


@dataclass(frozen=True, slots=True)
class SchemaKind:
    """A kind of document and the keys that hold it."""

    name: str
    keys: str
    load: Callable[[], type[BaseModel]] | None
    """None: no document, but lines of text."""


def _route() -> type[BaseModel]:
    from .language.model import RouteFields

    return RouteFields


def _policy(name: str) -> Callable[[], type[BaseModel]]:
    def load() -> type[BaseModel]:
        from .policies import models

        found: type[BaseModel] = getattr(models, name)
        return found

    return load


SCHEMA_KINDS: tuple[SchemaKind, ...] = (
    SchemaKind("route", "mesh/routes/<name>", _route),
    SchemaKind("service", "mesh/services/<service>", _policy("ServiceFields")),
    SchemaKind("settings", "mesh/settings", _policy("SettingsFields")),
    SchemaKind("upstreams", "mesh/upstreams/<service>", _policy("UpstreamsFields")),
    SchemaKind("tls", "mesh/tls/<host>", _policy("TlsFields")),
    SchemaKind("drain", "mesh/drain/<name>", _policy("DrainFields")),
    SchemaKind("test", "mesh/tests/<name>", None),
)
_TEST: dict[str, Any] = {
    "title": "meshnode test",
    "description": "Lines of text, each an expectation; empty ones and those that begin with # say nothing.",
    "examples": ["GET shop.example/cart -> cart", "as web POST shop.mesh/admin -> 403"],
    "type": "string",
}


def schema_of(kind: SchemaKind) -> dict[str, Any]:
    """The schema of one kind."""
    if kind.load is None:
        return {"$schema": DIALECT, **_TEST}
    made = kind.load().model_json_schema(schema_generator=_Tidy)
    return {"$schema": DIALECT, **_plain(made)}


class _Tidy(GenerateJsonSchema):
    """Leaves out what says nothing to people: titles made of names, defaults, and null, which no document has."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ARG002  (pydantic's signature)
        return False

    def nullable_schema(self, schema: Any) -> Any:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> Any:
        return self.generate_inner(schema["schema"])


def _plain(value: Any) -> Any:
    """The same with alternatives that are mere types in one list, and without the titles of models."""
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {name: _plain(item) for name, item in value.items()}
    if str(made.get("title", "")).endswith("Fields"):
        del made["title"]
    if "anyOf" in made:
        return _joined(made)
    return made


def _joined(made: dict[str, Any]) -> dict[str, Any]:
    types = [one["type"] for one in made["anyOf"] if set(one) == {"type"}]
    others = [one for one in made["anyOf"] if set(one) != {"type"}]
    if len(types) < 2:
        return made
    joined = {"type": types}
    return {**made, "anyOf": [joined, *others]} if others else {**_without(made, "anyOf"), **joined}


def _without(made: dict[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in made.items() if key != name}
