"""Every example of docs/routes.md is read as the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from catalog import KvEntry, Problem, Route, parse_route

PAGE = (Path(__file__).parents[4] / "docs/routes.md").read_text()


def blocks(kind: str) -> list[str]:
    return re.findall(rf"(?ms)^```{kind}\n(.*?)^```", PAGE)


def lines(kind: str) -> list[str]:
    return [line for block in blocks(kind) for line in block.splitlines()]


def read(value: str) -> Route | Problem:
    return parse_route("shop", KvEntry("mesh/routes/shop", value.encode(), 7))


@pytest.mark.parametrize("value", [*lines("route"), *blocks("yaml")])
def test_an_example_is_a_route(value: str) -> None:
    assert isinstance(read(value), Route)
    if "\n" not in value:
        assert not set(value) & set("`'\\")


@pytest.mark.parametrize("value", lines("refused"))
def test_what_comes_later_is_refused_by_name(value: str) -> None:
    found = read(value)
    assert isinstance(found, Problem)
    assert "not in this version yet" in found.message
