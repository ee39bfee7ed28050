"""The one-line form: what it means, and that each mistake is named where it stands."""

from __future__ import annotations

from dataclasses import replace

import pytest

from catalog.language import grpc
from catalog.language.line import parse_line
from catalog.language.rule import (
    Answer,
    Comparison,
    Condition,
    Redirect,
    Retries,
    Rule,
    Split,
)
from catalog.language.words import words
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
    return Rule((host,), path, action, timeout_ms=timeout, strip_prefix=strip)


def exact(host: str, path: str, action: Split | Redirect) -> Rule:
    return Rule((host,), path, action, path_kind="exact")


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
        ("a//b -> b", 2, 2, "a path has no empty segment"),
        ("a/b/../c -> b", 5, 2, '".." is no segment of a path'),
        ("a/b?c -> b", 4, 1, 'a path ends before its query; choose by query with "when query.name=value"'),
        ("a/b#c -> b", 4, 1, 'a path has no "#": browsers never send what follows it'),
        ("a/b/* -> b", 5, 1, 'a path takes all that lies below it without "*"; a pattern is a regex behind "~", or a glob in a document'),
        ("a/{id} -> b", 3, 1, '"{" has no place in a path'),
        ("a/%4 -> b", 3, 2, '"%" needs two hexadecimal digits behind it'),
        ("a/%41 -> b", 3, 3, 'write "A" instead of %41'),
        ("a/%0a -> b", 3, 3, "%0a is not taken in a path: programs read it in two ways"),
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
        ("a/ -> redirect 301 https://b/ timeout=1s", 31, 7, 'a redirect is answered by the mesh itself, so "timeout" has no meaning here'),
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


WHOLE = Rule(("a",), "/", one("b"))


def header(name: str, comparison: Comparison, value: str = "", *, negated: bool = False) -> Rule:
    return replace(WHOLE, conditions=(Condition("header", name, comparison, value, negated),))


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("GET a/ -> b", replace(WHOLE, methods=("GET",))),
        ("GET,HEAD a/ -> b", replace(WHOLE, methods=("GET", "HEAD"))),
        ("PURGE , GET a/ -> b", replace(WHOLE, methods=("PURGE", "GET"))),
        ("M-SEARCH localhost -> b", Rule(("localhost",), "/", one("b"), methods=("M-SEARCH",))),
        ("GET -> b", Rule(("get",), "/", one("b"))),
        ("a,*.a,[2001:DB8:0::1]/x -> b", Rule(("a", "*.a", "[2001:db8::1]"), "/x", one("b"))),
        ("cart.mesh/admin -> b", Rule(("cart.mesh",), "/admin", one("b"))),
        ("a=/x,y/ -> b", Rule(("a",), "/x,y/", one("b"), "exact")),
        ("a~/x/[0-9]{2,3}(/.*)? -> b", Rule(("a",), "/x/[0-9]{2,3}(/.*)?", one("b"), "regex")),
        ("a/ when header.X-Beta=1 -> b", header("x-beta", "exact", "1")),
        ("a/ when header.x-beta -> b", header("x-beta", "present")),
        ("a/ when !header.x-beta -> b", header("x-beta", "present", negated=True)),
        ("a/ when header.x^=pre -> b", header("x", "prefix", "pre")),
        ("a/ when header.x$=suf -> b", header("x", "suffix", "suf")),
        ("a/ when header.x~=[a-c]+|d -> b", header("x", "regex", "[a-c]+|d")),
        ("a/ when !header.x~=a.* -> b", header("x", "regex", "a.*", negated=True)),
        ('a/ when header.x="a, ""b"" -> c" -> b', header("x", "exact", 'a, "b" -> c')),
        ('a/ when header.x="" -> b', header("x", "exact")),
        (
            "a/ when cookie.c=1,query.q, header.x=1 -> b",
            replace(
                WHOLE,
                conditions=(
                    Condition("header", "x", "exact", "1"),
                    Condition("query", "q", "present"),
                    Condition("cookie", "c", "exact", "1"),
                ),
            ),
        ),
        (
            "a/ when client=10.0.0.0/8|::1, from=web|edge -> b",
            replace(
                WHOLE,
                client_addresses=("10.0.0.0/8", "::1/128"),
                sources=("web", "edge"),
            ),
        ),
        (
            "grpc shop.v1.Cart/Get -> b",
            Rule(("*",), "/shop.v1.Cart/Get", one("b"), "exact", ("POST",), (grpc.CONTENT_TYPE,)),
        ),
        (
            "grpc a/shop.v1.Cart/* when header.x -> b",
            Rule(
                ("a",), "/shop.v1.Cart", one("b"), "prefix", ("POST",),
                (grpc.CONTENT_TYPE, Condition("header", "x", "present")),
            ),
        ),
        ("grpc/ -> b", Rule(("grpc",), "/", one("b"))),
        ("a/ -> b[tag=v2]", Rule(("a",), "/", one("b[tag=v2]"))),
        ("a/ -> b[tag=v2,meta.zone=eu-1]", Rule(("a",), "/", one("b[tag=v2,meta.zone=eu-1]"))),
        ('a/ -> b[tag="a b"]', Rule(("a",), "/", one('b[tag="a b"]'))),
        (
            "a/ -> b[tag=v1] 90%, b[tag=v2] 10%",
            Rule(("a",), "/", Split((("b[tag=v1]", 90), ("b[tag=v2]", 10)))),
        ),
        ("a/ -> answer 204", Rule(("a",), "/", Answer(204))),
        ("a/ -> answer 200 ok", Rule(("a",), "/", Answer(200, "ok"))),
        ('a/ -> answer 503 "Back at ""noon"", -> sorry" priority=-1',
         Rule(("a",), "/", Answer(503, 'Back at "noon", -> sorry'), priority=-1)),
        ("a/ -> answer", Rule(("a",), "/", one("answer"))),
        ("a/ -> answer 10%, b 90%", Rule(("a",), "/", Split((("answer", 10), ("b", 90))))),
        ("a/x -> redirect 302 https://{host}/y", Rule(("a",), "/x", Redirect(302, "https://{host}/y"))),
        ("a/x -> b strip=/x add=/y", replace(WHOLE, path="/x", strip_prefix="/x", add_prefix="/y")),
        ("a/x -> b replace=/y", replace(WHOLE, path="/x", strip_prefix="/x", add_prefix="/y")),
        ("a/x -> b replace=/", replace(WHOLE, path="/x", strip_prefix="/x")),
        ("a/ -> b host=Other.:8080", replace(WHOLE, rewrite_host="other:8080")),
        (
            "a/ -> b timeout=3s timeout_head=2s timeout_idle=1s retries=0 priority=10",
            replace(
                WHOLE, timeout_ms=3000, head_timeout_ms=2000, idle_timeout_ms=1000,
                retries=Retries(0), priority=10,
            ),
        ),
    ],
)  # fmt: skip
def test_the_whole_language_in_one_line(line: str, rule: Rule) -> None:
    assert parse_line(line) == rule


@pytest.mark.parametrize(
    ("line", "column", "length", "sentence"),
    [
        ("get a/ -> b", 1, 3, 'a method is written in capitals; did you mean "GET"?'),
        ("GTE a/ -> b", 1, 3, 'no method is called "GTE"; did you mean "GET"?'),
        ("GET,GET a/ -> b", 5, 3, "the method GET stands here twice"),
        ("CONNECT a/ -> b", 1, 7, "CONNECT asks for a tunnel, which no listener gives"),
        ("a,a/ -> b", 3, 1, 'the host "a" stands here twice'),
        ("[::1/ -> b", 1, 4, '"[::1" is no IPv6 address in brackets, as in [2001:db8::1]'),
        ("a~/x( -> b", 5, 1, "the regex is wrong here: this bracket is never closed"),
        ("a~/(?=x) -> b", 4, 4, "the regex is wrong here: looking ahead or back is not taken"),
        ("a~/(x)\\1 -> b", 7, 2, "the regex is wrong here: looking back at a group is not taken"),
        ("a~/(?i)* -> b", 8, 1, 'the regex is wrong here: "(?i)" is nothing to be repeated'),
        ("a~/(?ii)x -> b", 4, 4, 'the regex is wrong here: "(?ii" begins no group that is taken'),
        (f"a~/{'(' * 17}x{')*' * 17} -> b", 3, 53, "the regex is too deep: what stands within one another is 35 deep, the most is 32"),
        ("a~/(x{1000}){1000} -> b", 3, 16, "the regex is too large: its repetitions make 1,004,005 states of it, the most is 2,000"),
        ("a/ when -> b", 9, 2, "a condition is missing, as in when header.x-beta=1"),
        ("a/ when heder.x=1 -> b", 9, 9, "did you mean"),
        ("a/ when header.=1 -> b", 16, 0, "the name of the header is missing"),
        ("a/ when header.x= -> b", 9, 9, 'the value is missing; the name alone takes any, ="" an empty one'),
        ("a/ when header.x!=1 -> b", 9, 11, 'what must not be has its ! in front; did you mean "!header.x=1"?'),
        ("a/ when header.x=1 header.y=2 -> b", 20, 10, "a comma is missing before this condition"),
        ("a/ when header.x=1 and header.y=2 -> b", 20, 3, 'conditions are divided by commas; did you mean ","?'),
        ("a/ when header.x = 1 -> b", 18, 1, "a condition has no spaces around its ="),
        ("a/ when header.x=1, header.x=1 -> b", 21, 10, "this condition stands here twice"),
        ("a/ when header.x=1, !header.x=1 -> b", 21, 11, "this condition and one before it never hold together"),
        ("a/ when header.x=1, !header.x -> b", 21, 9, "this condition and one before it never hold together"),
        ("a/ when header.x=a|b -> b", 18, 3, 'one of several is a regex, as in ~=a|b; a value that has a "|" stands in double quotes'),
        ("a/ when client=10.0.0.1/8 -> b", 16, 10, '"10.0.0.1/8" has bits behind its prefix; did you mean "10.0.0.0/8"?'),
        ("a/ when client=web -> b", 16, 3, '"web" is no network and no address, as in 10.0.0.0/8'),
        ("a/ when !from=web -> b", 9, 9, '"from" says who may use the route, not who may not: a wider route takes the others'),
        ('a/ when header.x="1 -> b', 18, 1, 'a double quote is missing: one stands at each end, and "" for one within'),
        ("a/ header.x=1 -> b", 4, 10, 'conditions stand behind the word "when"; did you mean "when header.x=1"?'),
        ("a/ -> b when header.x=1", 9, 4, 'conditions stand before the "->"'),
        ("grpc shop.v1.Cart/Get/x/y -> b", 6, 20, "a gRPC route is written pkg.Service/Method"),
        ("grpc shop.v1.Cart/* x -> b", 21, 1, '"->" is expected here, not "x"'),
        ("a/ -> b[v2]", 9, 2, '"v2" chooses no instances: tag=v2 or meta.version=2 does'),
        ("a/ -> b[tag=v2", 7, 8, 'a subset ends in "]", as in cart[tag=v2]'),
        ("a/ -> b[meta.z=1,meta.z=2]", 18, 8, 'no instance has two values of "meta.z"'),
        ("a/ -> answer 99", 14, 2, 'an answer\'s status is a number from 200 to 599, not "99"'),
        ("a/ -> answer 204 gone", 18, 4, "an answer of status 204 has no text"),
        ("a/ -> answer 200 it works", 18, 2, "an answer's text stands in double quotes"),
        ("a/ -> answer 200 ok strip=/x", 21, 5, 'an answer is answered by the mesh itself, so "strip" has no meaning here'),
        ("a/ -> redirect 301 https://{path}/", 28, 1, "of what stands in { }, a location knows {host} alone"),
        ("a~/x -> b replace=/y", 19, 2, 'a regex has no beginning to replace; in a document, "rewrite" has a regex'),
        ("a/x -> b strip=/x replace=/y", 19, 7, '"replace" is strip and add in one and cannot stand beside "strip"'),
        ("a/ -> b host=*.x", 14, 3, "the host that is sent on is one name"),
        ("a/ -> b host=x:99999", 16, 5, '"99999" is no port'),
        ("a/ -> b priority=11", 18, 2, 'a priority is a number from -10 to 10, not "11"'),
        ("a/ -> b retries=11", 17, 2, 'the number of retries is a number from 0 to 10, not "11"'),
        ("a/ -> b timeout=1s timeout_head=2s", 33, 2, '"timeout_head" is no shorter than "timeout", which ends the whole request before'),
        ("a/ -> b rewrite=/x", 9, 7, 'a line has no "rewrite"; write the route as a document (docs/routes.md)'),
        ("a/ -> b weight=90", 9, 6, 'no setting is called "weight": a share stands behind its service, as in cart 90%'),
    ],
)  # fmt: skip
def test_a_mistake_in_the_whole_language_is_named(
    line: str, column: int, length: int, sentence: str
) -> None:
    with pytest.raises(Mistake) as caught:
        parse_line(line)
    at = caught.value.at
    assert at is not None
    assert (sentence in caught.value.sentence, at.column, at.length) == (True, column, length), (
        caught.value.sentence
    )


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("tcp :5432 -> db", Rule((), "/", one("db"), port=5432)),
        ("tcp 5432 -> db", Rule((), "/", one("db"), port=5432)),
        (
            "tcp :6379 when client=10.0.0.0/8|::1 -> a 90%, b 10% timeout_idle=30m priority=2",
            Rule(
                (),
                "/",
                Split((("a", 90), ("b", 10))),
                port=6379,
                client_addresses=("10.0.0.0/8", "::1/128"),
                idle_timeout_ms=1_800_000,
                priority=2,
            ),
        ),
    ],
)
def test_a_route_of_raw_connections_has_a_port_in_place_of_hosts(line: str, rule: Rule) -> None:
    assert parse_line(line) == rule


@pytest.mark.parametrize(
    ("line", "column", "sentence"),
    [
        ("tcp :0 -> db", 5, "a port is a number from 1 to 65535"),
        ("tcp :65536 -> db", 5, "a port is a number from 1 to 65535"),
        ("tcp db.example -> db", 5, "a port is a number from 1 to 65535"),
        ("tcp :1 when header.x=1 -> db", 13, 'header.x" is about requests'),
        ("tcp :1 when from=web -> db", 18, "from=web never holds"),
        ("tcp :1 -> db timeout=2s", 14, '"timeout" is about requests'),
        ("tcp :1 -> db retries=2", 14, '"retries" is about requests'),
        ("tcp :1 -> redirect 301 /x", 11, "a raw connection goes to a service"),
        ("tcp :1 -> answer 503", 11, "a raw connection goes to a service"),
        ("tcp :1", 7, 'the "->" and what the route leads to are missing'),
    ],
)
def test_what_needs_a_request_is_refused_for_raw_connections(
    line: str, column: int, sentence: str
) -> None:
    with pytest.raises(Mistake) as caught:
        parse_line(line)
    at = caught.value.at
    assert at is not None
    assert (sentence in caught.value.sentence, at.column) == (True, column), caught.value.sentence


@pytest.mark.parametrize(
    ("line", "rule"),
    [
        ("sni db.example -> db passthrough", Rule((), "/", one("db"), sni=("db.example",))),
        (
            "sni DB.example., *.db.example -> db timeout_idle=30m passthrough priority=2",
            Rule(
                (),
                "/",
                one("db"),
                sni=("db.example", "*.db.example"),
                priority=2,
                idle_timeout_ms=1_800_000,
            ),
        ),
        (
            "sni a.example when client=::1 -> a 90%, passthrough 10% passthrough",
            Rule(
                (),
                "/",
                Split((("a", 90), ("passthrough", 10))),
                sni=("a.example",),
                client_addresses=("::1/128",),
            ),
        ),
        *(
            (f"sni db.example -> {name} passthrough", Rule((), "/", one(name), sni=("db.example",)))
            for name in ("mirror", "answer", "redirect")
        ),
        ("sni -> b", prefix("sni", "/", one("b"))),
        ("a/ -> passthrough", prefix("a", "/", one("passthrough"))),
    ],
)
def test_a_route_of_passed_on_tls_has_server_names(line: str, rule: Rule) -> None:
    assert parse_line(line) == rule


@pytest.mark.parametrize(
    ("line", "column", "sentence"),
    [
        ("sni db.example -> b", 19, "passed on as it is, and a route says so"),
        ("sni * -> b passthrough", 5, "the edge's own hosts"),
        ("sni db.example,10.0.0.1 -> b passthrough", 16, "a server name is a host alone"),
        ("sni db.example:443 -> b passthrough", 5, "a server name is a host alone"),
        ("sni a.b,a.b -> b passthrough", 9, "twice"),
        ("sni a.b -> b passthrough timeout=2s", 26, '"timeout" is about requests'),
        ("sni a.b when from=web -> b passthrough", 19, "from=web never holds"),
        ("sni a.b -> redirect 301 /x passthrough", 12, "a raw connection goes to a service"),
        ("a/ -> b passthrough", 9, "is for TLS that is passed on"),
        ("tcp :1 -> b passthrough", 13, "is for TLS that is passed on"),
    ],
)
def test_what_passed_on_tls_can_not_be_is_refused(line: str, column: int, sentence: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_line(line)
    at = caught.value.at
    assert at is not None
    assert (sentence in caught.value.sentence, at.column) == (True, column), caught.value.sentence


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ("udp :53 -> b", 'a route by "udp"'),
        ("a/ -> b insecure", '"insecure"'),
        ("a/ -> mirror cart", '"mirror"'),
        ("a/ -> cart mirror cart-next", '"mirror"'),
        ("a/ -> cart 90%, shop 10% mirror cart-next timeout=2s", '"mirror"'),
        *(
            (f"a/ -> b {name}=x priority=1", f'the setting "{name}"')
            for name in ("balance", "ejection", "health", "middlewares", "mirror", "mtls")
        ),
    ],
)
def test_later_language_is_refused_by_name(line: str, what: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_line(line)
    assert caught.value.sentence == f"{what} is not in this version yet, so the key is refused"


@pytest.mark.parametrize(
    "line", ["a/ -> mirror", "a/ -> mirror timeout=2s", "a/ -> mirror 10%, b 90%"]
)
def test_a_service_may_be_called_mirror(line: str) -> None:
    assert "mirror" in parse_line(line).services


def test_a_second_line_is_named() -> None:
    with pytest.raises(Mistake) as caught:
        parse_line("a/ -> b\n# note\n  c/ -> d\n")
    assert caught.value.at is not None
    assert (caught.value.at.line, caught.value.at.column, caught.value.at.length) == (3, 3, 7)


def test_tokens_know_their_places() -> None:
    tokens = words("GET,PUT a/x,y->b 1%, c/,", 7)
    texts = ["GET", ",", "PUT", "a/x,y", "->", "b", "1%", ",", "c/", ","]
    assert [token.text for token in tokens] == texts
    assert [token.column for token in tokens] == [1, 4, 5, 9, 14, 16, 18, 20, 22, 24]
    assert all(token.line == 7 and token.length == len(token.text) for token in tokens)
