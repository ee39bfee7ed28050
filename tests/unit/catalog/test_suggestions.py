"""Did you mean: near names are found, far ones are not guessed."""

from __future__ import annotations

import pytest

from catalog.suggestions import CANDIDATES_MAX, nearest

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
