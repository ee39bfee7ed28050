"""The request somebody means: what curl would send for the same words, and what a trace still knows of one."""

import pytest

from meshnode.cli.explain import client_address
from meshnode.errors import UsageError
from meshnode.explain import (
    Question,
    past_of_trace,
    question_of_connection,
    question_of_words,
)
from observability import Span, Trace


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("http://shop.example/cart/7?a=b#top", Question("shop.example", "/cart/7?a=b")),
        ("https://shop.example", Question("shop.example", "/", scheme="https")),
        ("shop.example/cart", Question("shop.example", "/cart")),
        ("HTTP://Shop.Example:8080?x", Question("Shop.Example:8080", "/?x", port=8080)),
        ("http://user:pass@shop.example/", Question("shop.example", "/")),
        ("http://[::1]:8080/a", Question("[::1]:8080", "/a", port=8080)),
        ("http://[::1]/a", Question("[::1]", "/a")),
        ("http://shop.example/a/../%2e%2E//b", Question("shop.example", "/a/../%2e%2E//b")),
    ],
)
def test_a_url_is_read_as_curl_reads_it(url: str, wanted: Question) -> None:
    assert question_of_words(url) == wanted


def test_the_edge_by_its_name_is_the_edge() -> None:
    """As the first line of every answer says it."""
    assert question_of_words("http://shop.example/", source="edge") == question_of_words(
        "http://shop.example/"
    )
    assert question_of_connection("sni db.example", source="edge") == question_of_connection(
        "sni db.example"
    )


def test_method_headers_and_caller() -> None:
    question = question_of_words(
        "http://127.0.0.1:8080/cart",
        method="POST",
        headers=("X-Beta: 1", "Host: shop.example", "x-empty:"),
        source="web",
    )
    assert question.to_json() == {
        "listener": "outbound",
        "source": "web",
        "method": "POST",
        "scheme": "http",
        "host": "shop.example",
        "path": "/cart",
        "headers": [["x-beta", "1"], ["x-empty", ""]],
    }


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        ({"url": "ftp://shop.example/"}, "begins with http://"),
        ({"url": "http:///cart"}, "names no host"),
        ({"url": "shop.example", "method": "GET /"}, "is no method"),
        ({"url": "shop.example", "headers": ("x-beta",)}, "a name, a colon and a value"),
        ({"url": "shop.example", "headers": ("x beta: 1",)}, "a name, a colon and a value"),
    ],
)
def test_what_can_not_be_meant_is_a_sentence(words: dict[str, object], sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        question_of_words(**words)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "scheme", "host"),
    [
        ("tcp :5432", "tcp", ":5432"),
        ("tcp   10.0.0.1:5432 ", "tcp", "10.0.0.1:5432"),
        ("sni DB.example", "tls", "DB.example"),
    ],
)
def test_a_connection_is_asked_about_in_the_words_of_its_route(
    words: str, scheme: str, host: str
) -> None:
    question = question_of_connection(words)
    assert question == Question(host, "", scheme=scheme)
    assert question.is_raw
    assert question.line == f"{words.split(maxsplit=1)[0]} {host}"


@pytest.mark.parametrize("words", ["tcp", "sni", "http://tcp/", "shop.example/a b", "udp :53"])
def test_other_words_mean_no_connection(words: str) -> None:
    assert question_of_connection(words) is None


def test_what_no_connection_can_be_is_a_sentence() -> None:
    with pytest.raises(UsageError, match="a number behind a colon"):
        question_of_connection("tcp postgres")
    with pytest.raises(UsageError, match="at the edge alone"):
        question_of_connection("sni db.example", source="web")


def span(**attributes: str) -> Span:
    named = {name.replace("_", "."): value for name, value in attributes.items()}
    return Span("b" * 16, None, "GET", "edge", 5, 1, named, {})


def test_a_trace_gives_its_first_request_back() -> None:
    trace = Trace(
        "a" * 32,
        (
            span(
                mesh_direction="edge", server_address="shop.example", url_path="/cart",
                http_request_method="PUT", client_address="10.0.0.9", mesh_reason="no_route",
                http_response_status__code="404",
            ),
        ),
    )  # fmt: skip
    past = past_of_trace(trace)
    assert past.question == Question("shop.example", "/cart", "PUT", client_address="10.0.0.9")
    assert past.reason == "no_route"


def test_a_call_is_asked_again_as_its_caller() -> None:
    trace = Trace(
        "a" * 32, (span(mesh_direction="outbound", server_address="cart.mesh", mesh_source="web"),)
    )
    assert past_of_trace(trace).question == Question("cart.mesh", "/", source="web")


def test_a_trace_of_others_alone_has_nothing_to_explain() -> None:
    with pytest.raises(UsageError, match="nothing to explain"):
        past_of_trace(Trace("a" * 32, (span(server_address="x"),)))


@pytest.mark.parametrize("text", ["1.2.3", "shop", "10.0.0.7:80", ""])
def test_a_client_is_an_address(text: str) -> None:
    with pytest.raises(UsageError, match=r"is no address: write one such as 10\.0\.0\.7"):
        client_address(text)
    assert [client_address(one) for one in (None, "10.0.0.7", "2001:DB8::7")] == [
        None, "10.0.0.7", "2001:db8::7",
    ]  # fmt: skip
