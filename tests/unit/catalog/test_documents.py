"""The document form: the same meaning as one line, and mistakes with line and column."""

from __future__ import annotations

import pytest

from catalog.documents import FIELDS_NOT_YET, parse_document
from catalog.grammar import parse_line
from catalog.text import Mistake, decode


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ("host: shop.example\nservice: cart\n", "shop.example/ -> cart"),
        ("host: a\npath: /x\nservice: b\ntimeout: 2s\nstrip: /x", "a/x -> b timeout=2s strip=/x"),
        ("host: a\npath: /x/\nexact: true\nservice: b", "a=/x/ -> b"),
        ('host: "*.a"\nservice: b', "*.a/ -> b"),
        ("# why\n---\nhost: '*'\nservice: 7\n...\n", "*/ -> 7"),
        (
            "host: a\nsplit:\n- service: b\n  weight: 90\n- {service: c, weight: 10%}\n",
            "a/ -> b 90%, c 10%",
        ),
        ("host: a\nredirect:\n  status: 301\n  location: https://b/\n", "a/ -> redirect 301 https://b/"),
        ('{"host":"a",\r\n\t"path":"\\/x",\n\t"service":"b"}', "a/x -> b"),
        ('{"host": "a", "redirect": {"status": 308, "location": "/"}}', "a/ -> redirect 308 /"),
    ],
)  # fmt: skip
def test_a_document_means_the_same_as_a_line(document: str, line: str) -> None:
    assert parse_document(decode(document.encode())) == parse_line(line)


@pytest.mark.parametrize(
    ("document", "place", "sentence"),
    [
        ("host: a\nhots: b\nservice: c", (2, 1, 4), 'no field is called "hots"; did you mean "host"?'),
        ("hsot: a\nservice: c", (1, 1, 4), 'no field is called "hsot"; did you mean "host"?'),
        ("service: c", (1, 1, 1), 'the field "host" is missing'),
        ("host: a", (1, 1, 1), "a route leads somewhere: the field service, split or redirect is missing"),
        ("host: a\nservice: b\nsplit: []", (3, 1, 5), "a route leads to one of service and split, not to both"),
        ("host: a\nsplit: []", (2, 8, 1), "the split has no service"),
        ("host: a\nsplit: b", (2, 8, 1), 'the field "split" is a list, not "b"'),
        ("host: a\nredirect:", (2, 1, 8), "the redirect is nothing; it has a status and a location"),
        ("host: a\nredirect: b", (2, 11, 1), 'the field "redirect" is a mapping of fields, not "b"'),
        ("host: a\nexact: yes\nservice: b", (2, 8, 3), 'the field "exact" is true or false, not "yes"'),
        ("host: a\nservice:\n", (2, 1, 7), 'the field "service" is text, not nothing'),
        ("host: a\nservice: [b]\n", (2, 10, 1), 'the field "service" is text, not a list'),
        ("host: a\nservice: true", (2, 10, 4), 'the field "service" is text, not the value true'),
        ("host: a\ntimeout: 2\nservice: b", (2, 10, 1), 'the time "2" needs a unit: ms, s or m; did you mean "2s"?'),
        ("host: a\nservice: b\npath: x/y", (3, 7, 3), 'a path begins with "/", "x/y" does not; did you mean "/x/y"?'),
        ('host: "a b"\nservice: b', (1, 8, 3), '"a b" cannot be part of a host'),
        ("host: a\nservice: b\nhost: c", (3, 1, 4), 'the field "host" stands here twice'),
        ("host: *.a\nservice: b", (1, 7, 3), 'a YAML value that begins with "*" stands in quotes; aliases are not taken'),
        ("host: *\nservice: b", (1, 8, 1), 'a YAML value that begins with "*" stands in quotes'),
        ("host: &x a\nservice: *x", (1, 7, 4), 'a YAML value that begins with "&" stands in quotes; anchors are not taken'),
        ("host: !!str a\nservice: b", (1, 7, 7), 'a YAML value that begins with "!" stands in quotes; tags are not taken'),
        ("host: a\nsplit:\n- service: b\n  wieght: 1", (4, 3, 6), 'no field is called "wieght"; did you mean "weight"?'),
        ("host: a\nsplit:\n- service: b\n  weight: 1\n- service: c\n  weight: 1", (6, 11, 1), "the shares add up to 2%, not to 100%"),
        ("host: a\nsplit: [b, c]", (2, 9, 1), 'the field "split" is a mapping of fields, not "b"'),
        ("host: a\nredirect: {status: 200, location: /}", (2, 20, 3), 'a redirect has the status 301, 302, 303, 307 or 308, not "200"'),
        ("host: a\ntimeout: 1s\nredirect: {status: 301, location: /}", (2, 1, 7), "a redirect is answered by the edge itself and takes no settings"),
        ('{"host": "a"', (1, 13, 1), "the document is neither YAML nor JSON: expected ',' or '}', but got '<stream end>'"),
        ("host: a\n  service: b", (2, 10, 1), "the document is neither YAML nor JSON: mapping values are not allowed here"),
        ("host: a\nservice: b\n---\nhost: c", (3, 1, 1), "a key holds one document"),
        ("host: a\nx: [[[[[[[[[[]]]]]]]]]]", (2, 11, 1), "the document is nested deeper than 8 levels"),
        ("{a: 1}: b", (1, 1, 1), "a field's name is a word"),
        ("- a", (1, 1, 1), "a route's document is a mapping of fields, as in host: shop.example"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_stands(
    document: str, place: tuple[int, int, int], sentence: str
) -> None:
    with pytest.raises(Mistake) as caught:
        parse_document(document)
    assert caught.value.sentence == sentence
    at = caught.value.at
    assert at is not None
    assert (at.line, at.column, at.length) == place


@pytest.mark.parametrize("field", FIELDS_NOT_YET)
def test_later_fields_are_refused_by_name(field: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_document(f"host: a\nservice: b\n{field}: 1")
    sentence = f'the field "{field}" is not in this version yet, so the key is refused'
    assert caught.value.sentence == sentence


@pytest.mark.parametrize(
    "document",
    [
        "[" * 16_000,
        '{"a":' * 3_000,
        "- " * 8_000,
        "? " * 8_000,
        "a: &a [x]\n" + "".join(f"b{n}: [*a,*a,*a,*a]\n" for n in range(500)),
        "x: |\n" + " \n" * 8_000,
        "'" + "x" * 16_000,
        "a" * 16_000 + ": b",
        "host: a\n" * 2_000,
        "host: !" + "x" * 10_000,
        "%YAML 9.9\n---\nhost: a",
        "%TAG ! !\n%TAG ! !\n---\na: b",
        'host: "\\U00110000"\nservice: b',
        'host: "\\uD800"\nservice: "\\uDFFF"',
        "host: a\nservice: " + "9" * 10_000,
        "host: a\nsplit:\n" + "- {service: a, weight: 1}\n" * 600,
    ],
)
def test_hostile_documents_are_refused(document: str) -> None:
    with pytest.raises(Mistake):
        parse_document(decode(document.encode()))
