"""Did you mean: near names are found, far ones are not guessed."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog.suggestions import CANDIDATES_MAX, SUGGESTIONS_MAX, Suggestions, nearest

NAMES = ("cart", "cart-next", "shop", "stock", "timeout", "retries", "a", "Web")


@pytest.mark.parametrize(
    ("word", "name"),
    [
        ("crat", "cart"),
        ("cart", "cart"),
        ("cartt", "cart"),
        ("CART", "cart"),
        ("web", "Web"),
        ("tiemout", "timeout"),
        ("timout", "timeout"),
        ("retires", "retries"),
        ("cart-nxet", "cart-next"),
        ("shpo", "shop"),
        ("basket", None),
        ("x", None),
        ("", None),
        ("zz", None),
        ("c" * 65, None),
    ],
)
def test_the_nearest_name_is_found(word: str, name: str | None) -> None:
    assert nearest(word, NAMES) == name


def test_ties_go_to_the_first_by_name() -> None:
    assert nearest("cat", ["cut", "car", "cap"]) == "cap"


def test_no_more_candidates_are_looked_at_than_the_limit() -> None:
    names = ["x" * 30] * CANDIDATES_MAX
    assert nearest("crat", [*names[1:], "cart"]) == "cart"
    assert nearest("crat", [*names, "cart"]) is None


WORDS = st.lists(st.text("abc", max_size=5), max_size=30)


@given(WORDS, st.lists(WORDS, max_size=5))
def test_what_is_kept_is_what_a_new_beginning_finds(
    names: list[str], catalogs: list[list[str]]
) -> None:
    kept = Suggestions()
    for at, words in enumerate(catalogs):
        catalog = tuple(sorted(set(words)))
        found = kept.update(names[at:], catalog)
        first = list(dict.fromkeys(names[at:]))[:SUGGESTIONS_MAX]
        assert list(found.items()) == [(name, nearest(name, catalog)) for name in first]


def test_where_nothing_changed_the_same_is_given() -> None:
    kept = Suggestions()
    assert kept.update(["crat"], NAMES) is kept.update(["crat", "crat"], NAMES)


def test_a_catalog_over_the_limit_is_compared_as_if_anew() -> None:
    kept, names = Suggestions(), ("x" * 30,) * CANDIDATES_MAX
    assert kept.update(["crat"], (*names, "cart")) == {"crat": None}
    assert kept.update(["crat"], (*names[2:], "cart")) == {"crat": "cart"}
    assert kept.update(["crat"], (*names, "cart")) == {"crat": None}
