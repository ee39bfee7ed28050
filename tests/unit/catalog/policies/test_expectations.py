"""The lines of a route test: what each of them means, and what is said of one that means nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import KvEntry, Problem, RouteTest, Written
from catalog.keys import TESTS
from catalog.policies.expectations import EXPECTATIONS_MAX, Expectation
from catalog.policies.read import read_entry
from tests.support.pages import read_page

PAGE = Path(__file__).parents[4] / "docs" / "tests.md"


def read(text: str | bytes) -> RouteTest | Problem:
    value = text if isinstance(text, bytes) else text.encode()
    found = read_entry(TESTS, KvEntry("mesh/tests/shop", value, 7))
    if isinstance(found, Problem):
        return found
    assert isinstance(found, Written)
    assert isinstance(found.meaning, RouteTest)
    return found.meaning


def one(text: str) -> Expectation:
    found = read(text)
    assert isinstance(found, RouteTest), found
    assert len(found.expectations) == 1
    return found.expectations[0]


@pytest.mark.parametrize(
    ("line", "fields"),
    [
        ("GET shop.test/cart -> cart", {"host": "shop.test", "path": "/cart", "target": "cart"}),
        ("shop.test -> cart", {"path": "/", "method": "GET", "caller": None}),
        ("shop.test/a?b=c -> cart", {"path": "/a?b=c"}),
        ("SHOP.test./ -> cart", {"host": "shop.test"}),
        ("as web POST cart.mesh/admin -> 403", {"caller": "web", "method": "POST", "host": "cart.mesh", "status": 403}),
        ("as web cart.mesh/ -> cart", {"caller": "web", "method": "GET"}),
        ("as edge GET shop.test/ -> cart", {"caller": None, "method": "GET", "host": "shop.test"}),
        ("PROPFIND shop.test/ -> 405", {"method": "PROPFIND", "status": 405, "target": None}),
        ("shop.test/ header.X-Beta=1 -> cart", {"headers": (("x-beta", "1"),)}),
        ('shop.test/ header.a="b, ""c""" header.a= -> cart', {"headers": (("a", 'b, "c"'), ("a", ""))}),
        ("shop.test/ client=10.0.0.9 -> cart", {"client_address": "10.0.0.9"}),
        ("shop.test/ client=FD00::0:1 -> cart", {"client_address": "fd00::1"}),
        ("shop.test/ -> cart[tag=v2]", {"target": "cart[tag=v2]"}),
        ("shop.test/ -> redirect 301 https://new.test/", {"status": 301, "location": "https://new.test/"}),
        ("[::1]/ -> cart", {"host": "[::1]"}),
        ("shop.test/->cart", {"path": "/", "target": "cart"}),
    ],
)  # fmt: skip
def test_a_line_means_a_request_and_what_becomes_of_it(line: str, fields: dict[str, Any]) -> None:
    found = one(line)
    assert {name: getattr(found, name) for name in fields} == fields
    assert (found.line, found.source) == (1, line)


def test_a_line_without_a_host_means_the_last_one() -> None:
    found = read(
        "\n# the shop\nshop.test/cart -> cart\n\n  POST /pay -> pay  \nold.test/ -> 404\n/x -> 404"
    )
    assert isinstance(found, RouteTest)
    assert [(line.line, line.host, line.path) for line in found.expectations] == [
        (3, "shop.test", "/cart"), (5, "shop.test", "/pay"), (6, "old.test", "/"), (7, "old.test", "/x"),
    ]  # fmt: skip
    assert found.expectations[1].source == "POST /pay -> pay"


@pytest.mark.parametrize(
    ("text", "line", "column", "words", "suggestion"),
    [
        ("", None, None, "the value is empty", None),
        ("# only this\n", None, None, "expects nothing", None),
        ("shop.test/ cart", 1, 12, 'the arrow "->" is missing', None),
        ("shop.test/ => cart", 1, 12, '"=>" is no arrow', "->"),
        ("a.test/ -> a\nshop.test/ →  cart", 2, 12, "is no arrow", "->"),
        ("-> cart", 1, 1, "the request is missing", None),
        ("GET -> cart", 1, 1, "behind GET the request is missing", None),
        ("/cart -> cart", 1, 1, "the host is missing", None),
        ("shop.test/ ->", 1, 12, "what is expected is missing", None),
        ("get shop.test/ -> cart", 1, 1, "a method is written in capitals", "GET"),
        ("GTE shop.test/ -> cart", 1, 1, "no method is called", "GET"),
        ("http://shop.test/a -> cart", 1, 1, "without a scheme", "shop.test/a"),
        ("*.shop.test/ -> cart", 1, 1, "one host", None),
        ("shop.test:8080/ -> cart", 1, 1, "port", "shop.test"),
        ("as -> cart", 1, 1, "the calling service is missing", None),
        ("as meshnode shop.test/ -> cart", 1, 4, '"meshnode" calls nobody', None),
        ("shop.test/ header.=1 -> cart", 1, 19, "is no header's name", None),
        ("shop.test/ header.a@b=1 -> cart", 1, 19, "is no header's name", None),
        ("shop.test/ header.Host=a -> cart", 1, 19, "the host stands in the request", None),
        ("shop.test/ header.a -> cart", 1, 12, "header.x-beta=1", None),
        ("shop.test/ header.a=b,c -> cart", 1, 22, "double quotes", None),
        ('shop.test/ header.a="b -> cart', 1, 21, "a double quote is missing", None),
        ("shop.test/ clinet=10.0.0.1 -> cart", 1, 12, "has no place here", "client"),
        ("shop.test/ client=10.0.0.300 -> cart", 1, 19, "is no IP address", None),
        ("shop.test/ client=::1 client=::2 -> cart", 1, 23, "twice", None),
        ("shop.test/ -> cart 90%", 1, 20, "a service, or a status", None),
        ("shop.test/ -> 700", 1, 15, "200", None),
        ("shop.test/ -> answer 403", 1, 15, "by its status alone", "403"),
        ("shop.test/ -> redirct 301 https://a.test/", 1, 15, "nothing to expect", "redirect"),
        ("shop.test/ -> redirect https://a.test/", 1, 24, "status and URL", None),
        ("shop.test/ -> redirect 200 https://a.test/", 1, 24, "a redirect has the status", None),
        ("shop.test/ -> redirect 301 a.test/", 1, 28, "leads to", "https://a.test/"),
        ("shop.test/ -> cart[tga=v2]", 1, 20, "chooses no instances", None),
        (b"\xff -> cart", 1, 1, "UTF-8", None),
    ],
)  # fmt: skip
def test_a_mistake_has_its_place(
    text: str | bytes, line: int | None, column: int | None, words: str, suggestion: str | None
) -> None:
    found = read(text)
    assert isinstance(found, Problem), found
    assert (found.key, found.index, found.severity) == ("mesh/tests/shop", 7, "error")
    assert (found.line, found.column) == (line, column), found
    assert words in found.message
    assert found.suggestion == suggestion
    if suggestion is not None:
        assert f'"{suggestion}"' in found.message


def test_a_test_has_a_most_of_lines() -> None:
    assert isinstance(read("s.test/ -> cart\n" * EXPECTATIONS_MAX), RouteTest)
    found = read("s.test/ -> cart\n" * (EXPECTATIONS_MAX + 1))
    assert isinstance(found, Problem)
    assert found.line == EXPECTATIONS_MAX + 1


@given(
    st.one_of(
        st.binary(max_size=200), st.text(alphabet="as shop.test/->=\"'[],%\n\t1\x00é", max_size=60)
    )
)
def test_any_text_is_read_or_named(text: str | bytes) -> None:
    value = text if isinstance(text, bytes) else text.encode()
    found = read(value)
    if isinstance(found, RouteTest):
        assert found.expectations
    else:
        assert found.message


def test_every_line_of_the_page_is_one() -> None:
    lines = read_page(PAGE).others
    assert lines
    found = read("\n".join(lines))
    assert isinstance(found, RouteTest), found
    assert len(found.expectations) == len(lines)
