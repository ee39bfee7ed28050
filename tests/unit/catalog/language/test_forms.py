"""Both forms say the same: a rule written as a line, as a document or as a resource is read as that rule."""

from __future__ import annotations

import orjson
from hypothesis import example, given

from catalog.language.document import parse_document
from catalog.language.line import parse_line
from catalog.language.resource import from_fields, to_fields
from catalog.language.rule import Rule
from catalog.language.written import to_document
from catalog.routes import is_document
from tests.support.rules import line_rules, rules, to_line

_EQUALS_SIGN_IN_QUOTES = parse_line('*/ when header.a="=", header.b -> cart')


@example(_EQUALS_SIGN_IN_QUOTES)
@given(line_rules())
def test_a_line_and_its_document_are_the_same_rule(rule: Rule) -> None:
    line = to_line(rule)
    assert not is_document(line)
    assert parse_line(line) == rule
    assert parse_document(orjson.dumps(to_document(parse_line(line))).decode()) == rule


@given(rules())
def test_every_rule_can_be_written_as_a_document(rule: Rule) -> None:
    text = orjson.dumps(to_document(rule)).decode()
    assert is_document(text)
    assert parse_document(text) == rule


@given(rules())
def test_a_resource_says_all_that_the_rule_says(rule: Rule) -> None:
    assert from_fields(orjson.loads(orjson.dumps(to_fields(rule)))) == rule
