"""The one-line form: what it means, and that each mistake is named where it stands."""

from __future__ import annotations

import pytest

from catalog.grammar import parse_line, tokenize
from catalog.rule import Redirect, Rule, Split
from catalog.text import Mistake


def one(service: str) -> Split:
    return Split(((service, 1),))


def prefix(
    host: str,
    path: str,
    action: Split | Redirect,
    timeout: int | None = None,
    strip: str | None = None,
) -> Rule:
    return Rule(host, path, is_exact=False, action=action, timeout_ms=timeout, strip_prefix=strip)


def exact(host: str, path: str, action: Split | Redirect) -> Rule:
    return Rule(host, path, is_exact=True, action=action)


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("shop.example/cart -> cart", prefix("shop.example", "/cart", one("cart"))),
        ("shop.example/ -> cart", prefix("shop.example", "/", one("cart"))),
        ("shop.example -> cart", prefix("shop.example", "/", one("cart"))),
        ("Shop.Example./ -> cart", prefix("shop.example", "/", one("cart"))),
        ("shop.example/cart/ -> cart", prefix("shop.example", "/cart", one("cart"))),
        ("shop.example=/cart/ -> cart", exact("shop.example", "/cart/", one("cart"))),
        ("shop.example=/ -> cart", exact("shop.example", "/", one("cart"))),
        ("*.shop.example/ -> cart", prefix("*.shop.example", "/", one("cart"))),
        ("*/x -> cart", prefix("*", "/x", one("cart"))),
        ("a/x,y;z=1/%2C -> cart", prefix("a", "/x,y;z=1/%2C", one("cart"))),
        ("a/->b", prefix("a", "/", one("b"))),
        ("\t a/   ->\tb  ", prefix("a", "/", one("b"))),
        ("a/ -> b\n", prefix("a", "/", one("b"))),
        ("# why\r\na/ -> b\r\n\r\n", prefix("a", "/", one("b"))),
        ("redirect/ -> b", prefix("redirect", "/", one("b"))),
        ("a/ -> redirect", prefix("a", "/", one("redirect"))),
        ("tcp -> b", prefix("tcp", "/", one("b"))),
        ("a/ -> b 100%", prefix("a", "/", one("b"))),
        ("a/ -> b 90%, c 10%", prefix("a", "/", Split((("b", 90), ("c", 10))))),
        (
            "a/ -> b 0%,c 100% timeout=1m",
            prefix("a", "/", Split((("b", 0), ("c", 100))), 60_000),
        ),
        ("a/ -> b timeout=2s", prefix("a", "/", one("b"), 2000)),
        ("a/ -> b timeout=1.5s", prefix("a", "/", one("b"), 1500)),
        ("a/ -> b timeout=250ms", prefix("a", "/", one("b"), 250)),
        ("a/x/y -> b strip=/x", prefix("a", "/x/y", one("b"), None, "/x")),
        ("a/x -> b strip=/x/ timeout=1s", prefix("a", "/x", one("b"), 1000, "/x")),
        ("a/ -> redirect 301 https://b/", prefix("a", "/", Redirect(301, "https://b/"))),
        ("a/ -> redirect 308 /x,y?z=1", prefix("a", "/", Redirect(308, "/x,y?z=1"))),
    ],
)
def test_a_line_means_one_rule(line: str, rule: Rule) -> None:
    assert parse_line(line) == rule


@pytest.mark.parametrize(
    ("line", "column", "length", "sentence"),
    [
        ("shop.example/cart -> cart tiemout=2s", 27, 7, 'no setting is called "tiemout"; did you mean "timeout"?'),
        ("a/ -> b frobnicate=2", 9, 10, 'no setting is called "frobnicate"'),
        ("a/ -> b timeout=2", 17, 1, 'the time "2" needs a unit: ms, s or m; did you mean "2s"?'),
        ("a/ -> b timeout=2h", 18, 1, 'the unit "h" is not known: ms, s or m'),
        ("a/ -> b timeout=0s", 17, 2, "a timeout of 0 would let nothing through; leave it away for none"),
        ("a/ -> b timeout=61m", 17, 3, "a timeout is at most 60m"),
        ("a/ -> b timeout=1.0005s", 17, 7, '"1.0005s" is no time; write one as 500ms, 2s or 1m'),
        ("a/ -> b timeout=0.5ms", 17, 5, "a time is counted in whole milliseconds"),
        ("a/ -> b timeout=", 9, 8, 'the setting "timeout" has no value'),
        ("a/ -> b timeout=1s timeout=1s", 20, 7, 'the setting "timeout" stands here twice'),
        ("a/ -> b timeout = 1s", 9, 7, "a setting has no spaces around its =, as in timeout=…"),
        ("a/ -> b timeout", 9, 7, '"timeout" is no setting: one is written name=value'),
        ("a/x -> b strip=/y", 16, 2, 'strip "/y" never applies: the route\'s path is "/x"'),
        ("a/xy -> b strip=/x", 17, 2, 'strip "/x" never applies: the route\'s path is "/xy"'),
        ("a/x -> b strip=/", 16, 1, 'strip "/" would take nothing away'),
        ("a/x timeout=1s -> b", 5, 10, "settings stand at the end, behind the service"),
        ("a/x b", 5, 1, '"->" is expected here, not "b"'),
        ("a/x => b", 5, 2, 'the arrow is written "->", not "=>"'),
        ("a/x -", 5, 1, "the value ends where a shell takes > for a file: put the whole route in single quotes"),
        ("a/x", 4, 1, 'the "->" and what the route leads to are missing'),
        ("a/x ->", 7, 1, 'nothing stands behind the "->": name a service of the catalog'),
        ("a/x -> b -> c", 10, 2, 'a route has one "->"'),
        ("-> b", 1, 2, "a route begins with its host, as in shop.example/"),
        ("'a/x -> b'", 1, 1, "the quotes around a route are the shell's; the value itself has none"),
        ("https://a/x -> b", 1, 8, "a route's host has no scheme before it; did you mean \"a/x\"?"),
        ("a:80/x -> b", 1, 4, 'a route has no port: the edge\'s listener has it; did you mean "a"?'),
        ("/x -> b", 1, 2, 'the host is missing; "*/x" takes any host'),
        ("a.*/x -> b", 1, 3, '"*" stands alone or in front as "*.shop.example"'),
        ("*a.b/ -> b", 1, 4, '"*" stands alone or in front as "*.shop.example"'),
        ("a..b/ -> b", 1, 4, 'the host "a..b" has an empty part between its dots'),
        ("a.-b/ -> b", 3, 2, '"-b" cannot be part of a host'),
        ("*.a.b-/ -> b", 5, 2, '"b-" cannot be part of a host'),
        ("ü.de/ -> b", 1, 4, 'the host "ü.de" must be written in ASCII; did you mean "xn--tda.de"?'),
        ("cart.mesh/ -> b", 1, 9, 'the edge refuses "cart.mesh": names under .mesh are for calls between services'),
        ("*.mesh/ -> b", 1, 6, 'the edge refuses "*.mesh": names under .mesh are for calls between services'),
        ("[::1]/ -> b", 1, 5, "an IPv6 address as host is not in this version yet"),
        ("a//b -> b", 2, 2, "a path has no empty segment"),
        ("a/b/../c -> b", 5, 2, '".." is no segment of a path'),
        ("a/b?c -> b", 4, 1, "a path ends before its query; choosing by query is not in this version yet"),
        ("a/b#c -> b", 4, 1, 'a path has no "#": browsers never send what follows it'),
        ("a/b/* -> b", 5, 1, 'a path takes all that lies below it without "*"; patterns are not in this version yet'),
        ("a/{id} -> b", 3, 1, '"{" has no place in a path'),
        ("a/%4 -> b", 3, 2, '"%" needs two hexadecimal digits behind it'),
        ("a/%41 -> b", 3, 3, 'write "A" instead of %41'),
        ("a/%2f -> b", 3, 3, "%2f is not taken in a path: programs read it in two ways"),
        ("a/ü -> b", 2, 2, 'a path is written in ASCII, percent-encoded; did you mean "/%C3%BC"?'),
        ("a/ -> b:80", 7, 4, 'a route leads to a service\'s name in Consul, not to "b:80"'),
        ("a/ -> http://b", 7, 8, 'a route leads to a service\'s name in Consul, not to "http://b"'),
        ("a/ -> edge", 7, 4, '"edge" is no service to lead to: the mesh uses it itself'),
        ("a/ -> b!", 7, 2, '"b!" is no service\'s name: letters, digits, _ . and - make one'),
        ("a/ -> b, c", 7, 1, "in a split each service has its share, as in b 90%"),
        ("a/ -> b 90%, c 5%", 16, 2, "the shares add up to 95%, not to 100%"),
        ("a/ -> b 90% c 10%", 13, 1, 'a comma is missing before "c"'),
        ("a/ -> b 90, c 10", 9, 2, 'the share "90" needs its %; did you mean "90%"?'),
        ("a/ -> b 99.5%, c 0.5%", 9, 5, "shares are whole percentages in this version"),
        ("a/ -> b 50%, b 50%", 14, 1, 'the service "b" stands in the split twice'),
        ("a/ -> b 50%,", 13, 1, "a service is missing behind the comma"),
        ("a/ -> , b", 7, 1, 'a service is missing before ","'),
        ("a/ -> redirect 200 https://b", 16, 3, 'a redirect has the status 301, 302, 303, 307 or 308, not "200"'),
        ("a/ -> redirect 301", 19, 1, "a redirect needs its URL"),
        ("a/ -> redirect 301 b.example/", 20, 10, 'a redirect leads to an http(s) URL or a path, not to "b.example/"; did you mean "https://b.example/"?'),
        ("a/ -> redirect 301 //b/", 20, 4, 'a redirect leads to an http(s) URL or a path, not to "//b/"'),
        ('a/ -> redirect 301 https://b/"', 30, 1, "'\"' has no place in a URL; percent-encode it"),
        ("a/ -> redirect 301 https://b/ timeout=1s", 39, 2, "a redirect is answered by the edge itself and takes no settings"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_where_it_stands(
    line: str, column: int, length: int, sentence: str
) -> None:
    with pytest.raises(Mistake) as caught:
        parse_line(line)
    assert caught.value.sentence == sentence
    at = caught.value.at
    assert at is not None
    assert (at.line, at.column, at.length) == (1, column, length)


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("GET a/ -> b", "choosing by method"),
        ("GET,HEAD a/ -> b", "choosing by method"),
        ("PURGE,GET a/ -> b", "choosing by method"),
        ("a/ when header.x-beta=1, query.debug -> b", 'choosing by "when"'),
        ("tcp :5432 -> b", 'a route by "tcp"'),
        ("sni db.example -> b passthrough", 'a route by "sni"'),
        ("a/ -> b passthrough", '"passthrough"'),
        ("a/ -> b retries=2", 'the setting "retries"'),
        ("a/ -> b priority=10 timeout=1s", 'the setting "priority"'),
    ],
)
def test_later_language_is_refused_by_name(line: str, what: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_line(line)
    assert caught.value.sentence == f"{what} is not in this version yet, so the key is refused"


def test_a_second_line_is_named() -> None:
    with pytest.raises(Mistake) as caught:
        parse_line("a/ -> b\n# note\n  c/ -> d\n")
    assert caught.value.at is not None
    assert (caught.value.at.line, caught.value.at.column, caught.value.at.length) == (3, 3, 7)


def test_tokens_know_their_places() -> None:
    tokens = tokenize("GET,PUT a/x,y->b 1%, c/,", 7)
    texts = ["GET", ",", "PUT", "a/x,y", "->", "b", "1%", ",", "c/", ","]
    assert [token.text for token in tokens] == texts
    assert [token.column for token in tokens] == [1, 4, 5, 9, 14, 16, 18, 20, 22, 24]
    assert all(token.line == 7 and token.length == len(token.text) for token in tokens)
