"""Callers nobody has registered are named where they are written, and accepted: the service may come."""

from __future__ import annotations

import pytest

from catalog import Compiler, ServicesUpdate, compile_snapshot
from tests.support.catalog import FACTS, instance, state

HERE = (instance("front", "node-2"), instance("cart", "node-2"))


def said(key: str, value: str) -> list[tuple[str, int | None, str, str | None]]:
    """Severity, line, sentence and suggestion of all that is said of one key."""
    made = compile_snapshot(state({key: value}, *HERE), FACTS)
    return [
        (one.severity, one.line, one.message, one.suggestion)
        for one in made.problems
        if one.key == f"mesh/{key}"
    ]


@pytest.mark.parametrize(
    ("value", "sentence", "suggestion"),
    [
        ("a/ when from=nosvc -> front", 'no service is called "nosvc": as long as that is so, this route takes no request', None),
        (
            "cart.mesh/ when from=frnt -> front",
            'no service is called "frnt": as long as that is so, this route takes no request; did you mean "front"?',
            "front",
        ),
        (
            "a/ when from=cart|nosvc -> front",
            'no service is called "nosvc": as long as that is so, from=nosvc takes none',
            None,
        ),
        (
            "a/ when from=nobody|nosvc -> front",
            'no service is called "nobody" and none "nosvc": as long as that is so, this route takes no request',
            None,
        ),
    ],
)  # fmt: skip
def test_a_caller_of_a_route_that_does_not_exist_is_named(
    value: str, sentence: str, suggestion: str | None
) -> None:
    assert said("routes/a", value) == [("warning", None, sentence, suggestion)]


@pytest.mark.parametrize("value", ["a/ when from=cart -> front", "a/ when from=edge -> front"])
def test_a_caller_that_exists_is_not(value: str) -> None:
    assert said("routes/a", value) == []


def test_a_caller_of_a_test_that_does_not_exist_is_named_with_its_line() -> None:
    text = "a/ -> front\nas cart a/ -> front\nas frnt GET a/ -> front\nas edge a/ -> front"
    sentence = 'no service is called "frnt": nobody asks so yet; did you mean "front"?'
    assert said("tests/t", text) == [("warning", 3, sentence, "front")]


def test_a_warning_goes_when_the_service_comes_and_comes_when_it_goes() -> None:
    values: dict[str, str | bytes] = {"routes/a": "a/ when from=late -> front"}
    values["tests/t"] = "as late a/ -> front"
    compiler, now = Compiler(), state(values, *HERE)
    for names, expected in (
        (("cart", "front"), ["mesh/routes/a", "mesh/tests/t"]),
        (("cart", "front", "late"), []),
        (("cart", "front"), ["mesh/routes/a", "mesh/tests/t"]),
    ):
        now = now.apply(ServicesUpdate(tuple((name, ()) for name in names), 9))
        assert [one.key for one in compiler.compile(now, FACTS).problems] == expected


def test_before_the_catalog_was_read_nothing_is_said() -> None:
    made = compile_snapshot(state({"routes/a": "a/ when from=late -> redirect 301 /x"}), FACTS)
    assert made.problems == ()
