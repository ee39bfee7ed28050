"""The document form: the same meaning as one line, and mistakes with line and column."""

from __future__ import annotations

import pytest

from catalog.language.document import parse_document
from catalog.language.later import FIELDS_NOT_YET
from catalog.language.line import parse_line
from catalog.language.rule import Backoff, Budget, HeaderEdits, Retries, Rewrite
from catalog.text import Mistake, decode
from tests.support.catalog import WHOLE_LANGUAGE


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
    ("document", "line"),
    [
        ("hosts: [a, '*.a']\npath: {exact: /x}\nservice: b", "a,*.a=/x -> b"),
        ("host: a\npath: {prefix: /x}\nservice: b", "a/x -> b"),
        ("host: a\npath: {regex: '/x/[0-9]+'}\nservice: b", "a~/x/[0-9]+ -> b"),
        ("host: a\nmethods: GET\nservice: b", "GET a/ -> b"),
        ("host: a\nmethods: [GET, HEAD]\nservice: b", "GET,HEAD a/ -> b"),
        ("host: a\nwhen: header.x=1\nservice: b", "a/ when header.x=1 -> b"),
        ("host: a\nwhen: {header: X, exact: 1}\nservice: b", "a/ when header.x=1 -> b"),
        ("host: a\nwhen: ['!header.x', {cookie: c}]\nservice: b", "a/ when !header.x, cookie.c -> b"),
        (
            "host: a\nwhen:\n- {query: q, regex: 'a|b', negated: true}\n- {client: [10.0.0.0/8, '::1']}\n- from: web\nservice: b",
            "a/ when !query.q~=a|b, client=10.0.0.0/8|::1, from=web -> b",
        ),
        ("grpc: shop.v1.Cart/Get\nservice: b", "grpc shop.v1.Cart/Get -> b"),
        ("tcp: 5432\nservice: b\ntimeout_idle: 30m", "tcp :5432 -> b timeout_idle=30m"),
        (
            "tcp: ':5432'\nwhen: {client: 10.0.0.0/8}\nsplit: [{service: b, weight: 90}, {service: c, weight: 10}]",
            "tcp :5432 when client=10.0.0.0/8 -> b 90%, c 10%",
        ),
        ("sni: db.example\npassthrough: true\nservice: b", "sni db.example -> b passthrough"),
        (
            "sni: [db.example, '*.db.example']\npassthrough: true\nwhen: {client: 10.0.0.0/8}\nservice: b\npriority: 1",
            "sni db.example,*.db.example when client=10.0.0.0/8 -> b passthrough priority=1",
        ),
        ("host: a\ngrpc: shop.v1.Cart\nservice: b", "grpc a/shop.v1.Cart/* -> b"),
        ("host: a\nservice: b[tag=v2]\n", "a/ -> b[tag=v2]"),
        (
            "host: a\nsplit: [{service: 'b[tag=v1]', weight: 90}, {service: 'b[tag=v2]', weight: 10}]",
            "a/ -> b[tag=v1] 90%, b[tag=v2] 10%",
        ),
        ("host: a\nanswer: {status: 503, body: sorry}\npriority: -1", "a/ -> answer 503 sorry priority=-1"),
        ("host: a\npath: /x\nservice: b\nreplace: /y\nrewrite_host: c:80", "a/x -> b replace=/y host=c:80"),
        (
            "host: a\nservice: b\ntimeout: 3s\ntimeout_head: 2s\ntimeout_idle: 1s\nretries: 2",
            "a/ -> b timeout=3s timeout_head=2s timeout_idle=1s retries=2",
        ),
        ("host: a\nservice: b\nretries: {attempts: 2}", "a/ -> b retries=2"),
    ],
)  # fmt: skip
def test_the_whole_language_is_the_same_in_both_forms(document: str, line: str) -> None:
    assert parse_document(decode(document.encode())) == parse_line(line)


def test_what_documents_alone_say() -> None:
    rule = parse_document(WHOLE_LANGUAGE)
    assert (rule.path, rule.path_kind) == ("/beta/*/items/**", "glob")
    assert rule.rewrite_path == Rewrite("/beta/([a-z]+)/(?P<rest>.*)", "/$1/${rest}")
    assert rule.request_headers == HeaderEdits(
        ("x-debug",), (("x-tenant", "eu"),), (("x-seen", "edge"), ("x-seen", "mesh"))
    )
    assert rule.response_headers == HeaderEdits(("server", "x-powered-by"))
    assert rule.retries == Retries(
        3, ("connect", "reset", "timeout", "5xx", "429"), 300,
        Backoff(10, 100), Budget(10, 5), non_idempotent=True,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("document", "place", "sentence"),
    [
        ("host: a\nhosts: [b]\nservice: b", (2, 1, 5), '"host" and "hosts" say the same; one is enough'),
        ("hosts: []\nservice: b", (1, 8, 1), "the list has no host"),
        ("host: a\npath: {prefix: /x, glob: /y*}\nservice: b", (2, 20, 4), "a path is one of prefix, exact, glob and regex"),
        ("host: a\npath: {glob: /x}\nservice: b", (2, 14, 2), "a glob without * and ? is a path: write it as exact"),
        ("host: a\npath: {glob: /x/../*}\nservice: b", (2, 17, 2), '".." is no segment of a path'),
        ("grpc: a.B/C\npath: /x\nservice: b", (2, 1, 4), '"grpc" says path and method and cannot stand beside "path"'),
        ("host: a\nheaders: {x: 1}\nservice: b", (2, 1, 7), 'no field is called "headers": conditions stand under "when", as in when: [header.x-beta=1]; changes under request_headers'),
        ("host: a\nwhen: [{header: x, exact: 1, prefix: 2}]\nservice: b", (2, 30, 6), "a condition compares in one way; two of them are two conditions"),
        ("host: a\nwhen: [{exact: 1}]\nservice: b", (2, 8, 1), "a condition is about one of header, query, cookie, client and from"),
        ("host: a\nwhen: [{client: 10.0.0.0/8, negated: true}]\nservice: b", (2, 29, 7), '"negated" has no meaning beside "client"'),
        ("host: a\nwhen: [{header: x, exat: 1}]\nservice: b", (2, 20, 4), 'no field is called "exat"; did you mean "exact"?'),
        ("host: a\nwhen: [headr.x=1]\nservice: b", (2, 8, 9), 'did you mean "header"?'),
        ("host: a\nservice: b\nanswer: {status: 200}", (3, 1, 6), "a route leads to one of service and answer, not to both"),
        ("host: a\nanswer: {status: 600}", (2, 18, 3), 'an answer\'s status is a number from 200 to 599, not "600"'),
        ("host: a\nanswer: {status: 200, content_type: html}", (2, 37, 4), '"html" is no content type, as in text/html; charset=utf-8'),
        ("host: a\nanswer: {status: 200}\nrequest_headers: {remove: x}", (3, 1, 15), 'an answer is answered by the mesh itself, so "request_headers" has no meaning here'),
        ("host: a\nredirect: {status: 301, location: /, path: all}", (2, 44, 3), 'the field "path" is rest, whole or none, not "all"'),
        ("host: a\nservice: b\nstrip: /x\nrewrite: {regex: /x, to: /y}\npath: /x", (4, 1, 7), '"rewrite" makes the whole path and cannot stand beside "strip"'),
        ("host: a\nservice: b\nrewrite: {regex: '/(x)', to: '/$2'}", (3, 32, 2), 'the regex has no group "2"'),
        ("host: a\nservice: b\nrewrite: {regex: '/(x)'}", (3, 1, 7), 'the field "to" is missing'),
        ("host: a\nservice: b\nrequest_headers: {set: {Host: x}}", (3, 25, 4), '"host" frames or routes the message, or is the mesh\'s own; rewrite_host changes it'),
        ("host: a\nservice: b\nrequest_headers: {set: {x: ' y'}}", (3, 29, 2), "a header's value has no control characters and no space around it"),
        ("host: a\nservice: b\nrequest_headers: {}", (3, 1, 15), "this changes nothing; set, add or remove says what"),
        ("host: a\nservice: b\nretries: {on: [5xx]}", (3, 1, 7), 'the field "attempts" is missing'),
        ("host: a\nservice: b\nlimits: {burst: 3}", (3, 10, 5), '"burst" says how many may come at once of "requests_per_second", which is missing'),
        ("host: a\nservice: b\nlimits: {per: client, body_bytes: 5}", (3, 10, 3), '"per" says whose requests are counted, but no "requests_per_second" and no "concurrent" counts them'),
        ("host: a\nservice: b\nlimits: {concurrent: 5, per: cleint}", (3, 30, 6), 'requests are counted per all, caller or client, not per "cleint"'),
        ("host: a\nservice: b\nlimits: {concurrent: 0}", (3, 22, 1), 'the number of requests at one time is a number from 1 to 1000000, not "0"'),
        ("host: a\nservice: b\nlimits: {body_bytes: 1MB}", (3, 22, 3), 'the field "body_bytes" is a number, not "1MB"'),
        ("host: a\nredirect: {status: 301, location: /x}\nlimits: {concurrent: 1}", (3, 1, 6), 'a redirect is answered by the mesh itself, so "limits" has no meaning here'),
        ("host: a\nservice: b\nretries: {attempts: 1, on: [teapot]}", (3, 29, 6), 'a request is tried again on connect, reset, timeout, 5xx or a status from 400 to 599, not on "teapot"'),
        ("host: a\nservice: b\nretries: {attempts: 1, on: [timeout]}", (3, 28, 1), 'a try is over in no time without "per_try_timeout", so "timeout" never happens'),
        ("host: a\nservice: b\nretries: {attempts: 1, backoff: {base: 2s, max: 1s}}", (3, 49, 2), "the longest time between two tries is shorter than the first"),
        ("host: a\nservice: b\nretries: {attempts: 1, budget: {percent: 2000, per_second: 1}}", (3, 42, 4), 'the percentage is a number from 0 to 1000, not "2000"'),
    ],
)  # fmt: skip
def test_a_mistake_in_the_whole_language_is_named(
    document: str, place: tuple[int, int, int], sentence: str
) -> None:
    with pytest.raises(Mistake) as caught:
        parse_document(document)
    assert sentence in caught.value.sentence
    at = caught.value.at
    assert at is not None
    assert (at.line, at.column, at.length) == place


@pytest.mark.parametrize(
    ("document", "place", "sentence"),
    [
        ("host: a\nhots: b\nservice: c", (2, 1, 4), 'no field is called "hots"; did you mean "host"?'),
        ("hsot: a\nservice: c", (1, 1, 4), 'no field is called "hsot"; did you mean "host"?'),
        ("service: c", (1, 1, 1), 'the field "host" is missing'),
        ("host: a", (1, 1, 1), "a route leads somewhere: the field service, split, redirect or answer is missing"),
        ("host: a\nservice: b\nsplit: []", (3, 1, 5), "a route leads to one of service and split, not to both"),
        ("host: a\nsplit: []", (2, 8, 1), "the split has no service"),
        ("host: a\nsplit: b", (2, 8, 1), 'the field "split" is a list, not "b"'),
        ("host: a\nredirect:", (2, 1, 8), 'the field "redirect" has no value'),
        ("host: a\nredirect: b", (2, 11, 1), 'the field "redirect" is a mapping of fields, not "b"'),
        ("host: a\nexact: yes\nservice: b", (2, 8, 3), 'the field "exact" is true or false, not "yes"'),
        ("host: a\nservice:\n", (2, 1, 7), 'the field "service" has no value'),
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
        ("host: a\ntimeout: 1s\nredirect: {status: 301, location: /}", (2, 1, 7), 'a redirect is answered by the mesh itself, so "timeout" has no meaning here'),
        ('{"host": "a"', (1, 13, 1), "the document is neither YAML nor JSON: expected ',' or '}', but got '<stream end>'"),
        ("host: a\n  service: b", (2, 10, 1), "the document is neither YAML nor JSON: mapping values are not allowed here"),
        ("host: a\nservice: b\n---\nhost: c", (3, 1, 1), "a key holds one document"),
        ("host: a\nx: [[[[[[[[[[]]]]]]]]]]", (2, 11, 1), "the document is nested deeper than 8 levels"),
        ("{a: 1}: b", (1, 1, 1), "a field's name is a word"),
        ("- a", (1, 1, 1), "the document is a mapping of fields, as in host: shop.example"),
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


@pytest.mark.parametrize(
    ("more", "name"),
    [
        ("host: a", "host"),
        ("path: /x", "path"),
        ("methods: GET", "methods"),
        ("retries: 2", "retries"),
        ("timeout: 2s", "timeout"),
        ("request_headers: {remove: x-a}", "request_headers"),
    ],
)
def test_a_document_of_raw_connections_says_nothing_of_requests(more: str, name: str) -> None:
    with pytest.raises(Mistake) as caught:
        parse_document(f"tcp: 5432\nservice: b\n{more}\n")
    assert caught.value.sentence.startswith(f'"{name}" is about requests')
    assert caught.value.at is not None
    assert caught.value.at.line == 3


@pytest.mark.parametrize(
    ("document", "line", "sentence"),
    [
        ("sni: a.b\nservice: b", 1, "passed on as it is, and a route says so"),
        ("sni: a.b\npassthrough: false\nservice: b", 1, "passed on as it is, and a route says so"),
        ("sni: []\npassthrough: true\nservice: b", 1, "the list has no host"),
        ("sni: a.b\npassthrough: true\nservice: b\ntimeout: 2s", 4, '"timeout" is about requests'),
        ("sni: a.b\npassthrough: true\nservice: b\nhost: a.b", 4, '"host" is about requests'),
        ("tcp: 1\nsni: a.b\nservice: b", 2, "nothing is read of it"),
        ("tcp: 1\npassthrough: true\nservice: b", 2, "is for TLS that is passed on"),
        ("host: a\nservice: b\npassthrough: true", 3, "is for TLS that is passed on"),
    ],
)
def test_a_document_of_passed_on_tls_says_what_it_is(
    document: str, line: int, sentence: str
) -> None:
    with pytest.raises(Mistake) as caught:
        parse_document(document)
    assert sentence in caught.value.sentence
    assert caught.value.at is not None
    assert caught.value.at.line == line
