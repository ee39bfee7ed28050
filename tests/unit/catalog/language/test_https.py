"""How clients are brought to TLS: one setting, alike in lines, documents and policies; the nearest word counts."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import KvEntry, Problem, compile_snapshot, parse_route
from tests.support.catalog import FACTS, instance, state


def https_of(value: str) -> Any:
    found = parse_route("shop", KvEntry("mesh/routes/shop", value.encode(), 7))
    assert not isinstance(found, Problem), found
    made = found.rule.https
    return made and (made.is_redirected, made.hsts_max_age_s)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("redirect", (True, None)),
        ("hsts=365d", (False, 365 * 86_400)),
        ("redirect+hsts=1d", (True, 86_400)),
        ("hsts=0d+redirect", (True, 0)),
        ("off", (False, None)),
    ],
)
def test_a_line_and_a_document_say_the_same(text: str, meaning: tuple[bool, int | None]) -> None:
    assert https_of(f"shop.example/ -> shop https={text}") == meaning
    assert https_of(f"host: shop.example\nservice: shop\nhttps: {text}") == meaning
    assert https_of(f"shop.example/ -> redirect 301 https://a.example/ https={text}") == meaning


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("on", "says nothing of https"),
        ("redirct", 'did you mean "redirect"?'),
        ("redirect+redirect", "says nothing of https"),
        ("hsts=1y", "whole days up to 3650"),
        ("hsts=4000d", "whole days up to 3650"),
        ("off+hsts=1d", "says nothing of https"),
    ],
)
def test_what_says_nothing_is_refused(text: str, sentence: str) -> None:
    value = f"shop.example/ -> shop https={text}"
    found = parse_route("shop", KvEntry("mesh/routes/shop", value.encode(), 7))
    assert isinstance(found, Problem)
    assert sentence in found.message


def test_the_mesh_s_word_holds_where_nobody_nearer_says_one() -> None:
    keys: dict[str, str | bytes] = {
        "settings": "https: redirect+hsts=1d",
        "routes/a": "a.example/ -> shop",
        "routes/b": "b.example/ -> shop https=off",
        "routes/c": "c.example/ -> redirect 301 https://a.example/",
        "routes/d": "d.example/ -> other",
        "services/other": "https: redirect",
    }
    routes = compile_snapshot(state(keys, instance("shop"), instance("other")), FACTS).resources[
        "routes"
    ]
    both = {"redirect": True, "hsts_max_age_s": 86_400}
    found = {name: route.get("https") for name, route in routes.items() if ":" not in name}
    assert found == {"a": both, "b": {"redirect": False}, "c": both, "d": {"redirect": True}}
