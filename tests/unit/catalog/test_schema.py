"""The published schemas: they take every example, and refuse nothing that a node takes."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from ruamel.yaml import YAML

from catalog import SCHEMA_KINDS, schema_of
from catalog.language.document import parse_document
from catalog.language.rule import Rule
from catalog.language.written import to_document
from catalog.text import Mistake
from tests.support.catalog import WHOLE_LANGUAGE
from tests.support.damage import damaged
from tests.support.rules import rules

VALIDATORS = {kind.name: Draft202012Validator(schema_of(kind)) for kind in SCHEMA_KINDS}


def refusals(document: Any) -> list[str]:
    return [error.message for error in VALIDATORS["route"].iter_errors(document)]


@pytest.mark.parametrize("kind", SCHEMA_KINDS, ids=lambda kind: kind.name)
def test_a_schema_is_one_of_its_dialect(kind: Any) -> None:
    made = schema_of(kind)
    assert made["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    Draft202012Validator.check_schema(made)


def test_the_whole_language_is_taken() -> None:
    assert refusals(YAML(typ="safe").load(WHOLE_LANGUAGE)) == []


@given(rules())
def test_what_a_node_writes_the_schema_takes(rule: Rule) -> None:
    assert refusals(to_document(rule)) == []


@pytest.mark.parametrize(
    "document",
    [
        {"host": "a"},
        {"service": "b"},
        {"host": "a", "service": "b", "split": []},
        {"host": "a", "service": None},
        {"host": "a", "service": "b", "hots": "c"},
        {"host": "a", "service": "b", "timeout": 2},
        {"host": "a", "service": "b", "timeout": "2h"},
        {"host": "a", "service": "b", "priority": 11},
        {"host": "a", "service": "b", "retries": {"on": ["5xx"]}},
        {"host": "a", "service": "b", "path": {"prefix": "/", "exact": "/"}},
        {"host": "a", "service": "b", "path": {}},
        {"host": "a", "service": "b", "exact": "yes"},
        {"host": "a", "service": "b", "when": [{"exact": "1"}]},
        {"host": "a", "service": "b", "when": [{"client": []}]},
        {"host": "a", "service": "b", "methods": []},
        {"host": "a", "redirect": {"status": 200, "location": "/"}},
        {"host": "a", "redirect": {"status": 301, "location": "/", "path": "all"}},
        {"host": "a", "answer": {"status": 600}},
        {"host": "a", "split": ["b"]},
        ["host"],
    ],
)
def test_what_the_schema_refuses_a_node_refuses(document: Any) -> None:
    assert refusals(document)
    with pytest.raises(Mistake):
        parse_document(orjson.dumps(document).decode())


@given(rules(), st.data())
def test_a_damaged_document_is_never_taken_by_a_node_alone(rule: Rule, data: st.DataObject) -> None:
    document = data.draw(damaged(to_document(rule)))
    try:
        parse_document(orjson.dumps(document).decode())
    except Mistake:
        return
    assert refusals(document) == []
