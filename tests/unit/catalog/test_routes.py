"""A key's value becomes a route or a problem, whatever its bytes; and a route's resource says what the rule says."""

from __future__ import annotations

import random

import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from catalog import KvEntry, Problem
from catalog.language.written import to_document
from catalog.routes import Route, from_resource, parse_route, to_resource
from catalog.text import VALUE_MAX_BYTES


def parse(value: bytes) -> Route | Problem:
    return parse_route("shop", KvEntry("mesh/routes/shop", value, 4712))


def problem(value: bytes) -> Problem:
    found = parse(value)
    assert isinstance(found, Problem)
    return found


def test_the_misspelt_setting_of_the_handbook() -> None:
    assert problem(b"shop.example/cart -> cart tiemout=2s") == Problem(
        key="mesh/routes/shop",
        index=4712,
        severity="error",
        message='no setting is called "tiemout"; did you mean "timeout"?',
        line=1,
        column=27,
        length=7,
        source="shop.example/cart -> cart tiemout=2s",
        suggestion="timeout",
    )


@pytest.mark.parametrize(
    ("value", "sentence", "place"),
    [
        (b"", "the value is empty; to remove a route, delete its key", (None, None)),
        (b" \n\t\r\n", "the value is empty; to remove a route, delete its key", (None, None)),
        (b"# nothing\n", "the value holds only comments; to remove a route, delete its key", (None, None)),
        (b"a/ -> \x00b", "the value holds a NUL byte", (1, 7)),
        (b"a/\n\x1b[0m", "the value holds the control character 0x1b", (2, 1)),
        (b"a/ ->\rb", "the value holds the control character 0x0d", (1, 6)),
        (b"a/ -> b\n\xc3\xbc\xff", "the value is not UTF-8 text: byte 0xff", (2, 2)),
        (b"\xff\xfea\0/\0", "the value is UTF-16; save it as UTF-8", (None, None)),
        (b"x" * 400_000, "the value has 400,000 bytes; a route has at most 16,384", (None, None)),
    ],
)  # fmt: skip
def test_bytes_that_are_no_text_are_a_sentence(
    value: bytes, sentence: str, place: tuple[int | None, int | None]
) -> None:
    found = problem(value)
    assert found.message == sentence
    assert (found.line, found.column) == place


def test_a_byte_order_mark_is_no_mistake() -> None:
    assert isinstance(parse(b"\xef\xbb\xbfa/ -> b\r\n"), Route)


def test_the_source_line_is_cut_and_printable() -> None:
    found = problem("ü\u202e/".encode() + b"a" * 300 + b" ->")
    assert found.source is not None
    assert len(found.source) == 200
    assert found.source.startswith("ü·/a")


@pytest.mark.parametrize(
    "value",
    [
        "a/x -> b",
        "a=/ -> b timeout=250ms",
        "*.a/x/y -> b 1%, c 99% strip=/x",
        "* -> b",
        "a/ -> redirect 301 https://b/",
    ],
)
def test_resource_and_document_say_what_the_line_says(value: str) -> None:
    route = parse(value.encode())
    assert isinstance(route, Route)
    assert from_resource("shop", to_resource(route)) == route
    assert parse(orjson.dumps(to_document(route.rule))) == route


def test_a_resource_has_key_and_index() -> None:
    route = parse(b"shop.example/cart -> cart 90%, cart-next 10% timeout=2s strip=/cart")
    assert isinstance(route, Route)
    assert to_resource(route) == {
        "key": "mesh/routes/shop",
        "index": 4712,
        "hosts": ["shop.example"],
        "path": {"prefix": "/cart"},
        "action": {
            "split": [{"cluster": "cart", "weight": 90}, {"cluster": "cart-next", "weight": 10}]
        },
        "timeout_ms": 2000,
        "strip_prefix": "/cart",
    }


def check_any_value(value: bytes) -> None:
    """Whatever is put: a route or a problem, both of a form that can be shown and sent."""
    found = parse(value)
    if isinstance(found, Problem):
        assert found.message.isprintable()
        assert Problem.from_json(orjson.loads(orjson.dumps(found.to_json()))) == found
        assert (found.line is None) == (found.column is None)
        if found.column is not None:
            assert found.column >= 1
            assert found.length is not None
            assert found.length >= 1
    else:
        resource = to_resource(found)
        assert orjson.loads(orjson.dumps(resource)) == resource
        assert from_resource("shop", resource) == found
        assert parse(orjson.dumps(to_document(found.rule))) == found


WORDS = [
    "a", "shop.example", "*.x.y", "*", "/", "/cart", "=/", "->", ",", " ", "90%", "10%", "100%", "timeout=", "2s",
    "strip=/cart", "redirect", "301", "https://b/", "host: ", "service: ", "split:\n- ", "weight: ", "{", "}", "[", "]",
    '"', "'", ":", "\n", "  ", "- ", "&a ", "*a", "!!", "|", "#", "?", "%", "true", "null", "\t", "ü", "\u2028", "\\",
]  # fmt: skip


@given(st.binary(max_size=300))
@example(b"%")
@example(b"!<")
@example(b"{? : }")
@example(b'a: "\\')
@example(b'host: ""')
def test_any_bytes_give_a_route_or_a_problem(value: bytes) -> None:
    check_any_value(value)


@given(st.text(max_size=200))
def test_any_text_gives_a_route_or_a_problem(value: str) -> None:
    check_any_value(value.encode("utf-8", "surrogatepass"))


@given(st.lists(st.sampled_from(WORDS), max_size=30))
def test_any_words_give_a_route_or_a_problem(words: list[str]) -> None:
    check_any_value("".join(words).encode())


@pytest.mark.parametrize("seed", range(4))
def test_garbage_of_every_size_gives_a_problem(seed: int) -> None:
    garbage = random.Random(seed)
    for size in (1, 16, 4096, VALUE_MAX_BYTES, VALUE_MAX_BYTES + 1, 400_000):
        assert isinstance(parse(garbage.randbytes(size)), Problem)
