"""A route as one line: all that decides, as a person would write it, and no two alike."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog import KvEntry, Route, parse_route, to_resource
from meshnode.cli.routes_line import one_line
from meshnode.cli.routes_width import shortened

PAGE = (Path(__file__).parents[3] / "docs/routes.md").read_text()
SHOWN = [
    line for fence in re.findall(r"(?ms)^```route\n(.*?)^```", PAGE) for line in fence.splitlines()
]


def route(value: str) -> Route:
    found = parse_route("r", KvEntry("mesh/routes/r", value.encode(), 1))
    assert isinstance(found, Route), found
    return found


def line_of(value: str) -> str:
    return one_line(to_resource(route(value)))


@pytest.mark.parametrize(
    "line",
    [
        "shop.example/cart -> cart timeout=2s",
        "*.shop.example/a/b -> shop strip=/a timeout=1500ms",
        "shop.example=/cart -> cart",
        "shop.example~/users/[0-9]+ -> users",
        "POST shop.example/post -> cart",
        "GET,HEAD shop.example/ when header.x-beta=1, !query.debug, cookie.g^=b -> beta",
        'shop.example/ when header.x-note="a, ""b""" -> web',
        "shop.example/ when client=10.0.0.0/8|fd00::/8, from=web -> admin",
        "shop.example,*.shop.example/ -> shop 90%, shop-next 10% retries=2 priority=-5",
        "shop.example/a -> shop[tag=v2] strip=/a add=/b host=in.example:81 https=redirect+hsts=5d",
        "old.example/ -> redirect 301 https://new.example/",
        'shop.example/down -> answer 503 "Back at ""noon""."',
        "tcp :5432 when client=10.0.0.0/8 -> postgres timeout_idle=5s",
        "sni db.example, *.db.example -> postgres passthrough",
    ],
)
def test_a_route_is_shown_as_it_is_written(line: str) -> None:
    assert line_of(line) == line


@pytest.mark.parametrize("line", SHOWN)
def test_what_is_shown_says_the_same_when_it_is_read(line: str) -> None:
    assert route(line_of(line)).rule == route(line).rule


@pytest.mark.parametrize(
    ("document", "words"),
    [
        ("{host: h, path: {glob: /u/*}, service: a}", "h{glob: /u/*} -> a"),
        ("{host: h, service: a, rewrite: {regex: '/(.*)', to: '/x/$1'}}", "rewrite=/(.*) to=/x/$1"),
        ("{host: h, service: a, request_headers: {set: {x: '1'}, remove: [y]}}",
         "request_headers.remove=y request_headers.set.x=1"),
        ("{host: h, service: a, limits: {body_bytes: 9, requests_per_second: 5}}",
         "limits.body_bytes=9 limits.requests_per_second=5"),
        ("{host: h, service: a, retries: {attempts: 2, on: [reset], per_try_timeout: 9ms}}",
         "retries=2 retries.on=reset retries.per_try_timeout=9ms"),
        ("{host: h, redirect: {status: 308, location: 'https://n/', path: whole, query: true}}",
         "redirect 308 https://n/ path=whole query=true"),
    ],
)  # fmt: skip
def test_what_only_documents_say_is_not_left_out(document: str, words: str) -> None:
    assert words in line_of(document)


def test_lines_are_cut_where_they_differ() -> None:
    same = "shop.example/a/long/way when header.x-long-name="
    lines = [f"{same}1 -> cart", f"{same}2 -> cart", "a/ -> b", f"{same}1 -> cart"]
    shown = shortened(lines, 40)
    assert shown[2] == "a/ -> b"
    assert shown[0] == shown[3] == "shop.example…1 -> cart"
    assert shown[1] == "shop.example…2 -> cart"
    assert shortened([lines[0], "a/ -> b"], 20)[0] == lines[0][:19] + "…"


def test_no_width_makes_two_routes_look_alike() -> None:
    lines = [f"h/{'a' * 30}{one}{'b' * 40}{two} -> c" for one in "xy" for two in "12"]
    for width in range(20, 100):
        assert len(set(shortened(lines, width))) == len(lines), width
