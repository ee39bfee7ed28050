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


def mistakes(left: str, right: str) -> int:
    """As it is defined, with no limit."""
    if not left or not right:
        return len(left) + len(right)
    found = [
        mistakes(left[1:], right) + 1,
        mistakes(left, right[1:]) + 1,
        mistakes(left[1:], right[1:]) + (left[0] != right[0]),
    ]
    if left[:2] == right[1::-1] and len(left) > 1 < len(right):
        found.append(mistakes(left[2:], right[2:]) + 1)
    return min(found)


@given(st.text("abc", min_size=2, max_size=6), st.lists(st.text("abc", max_size=6), max_size=6))
def test_the_nearest_has_the_fewest_mistakes(word: str, names: list[str]) -> None:
    most = max(1, len(word) // 3)
    near = sorted((count, name) for name in names if (count := mistakes(word, name)) <= most)
    assert nearest(word, names) == (near[0][1] if near else None)
