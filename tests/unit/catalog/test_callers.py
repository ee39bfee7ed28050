"""Callers nobody has registered are named where they are written, and accepted: the service may come."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection

import pytest

from catalog import Compiler, ServicesUpdate, compile_snapshot, suggestions
from tests.support.catalog import FACTS, instance, state


@pytest.fixture
def compared(monkeypatch: pytest.MonkeyPatch) -> Counter[str]:
    """How often each unknown name was compared with the whole catalog."""
    counts: Counter[str] = Counter()
    whole = suggestions.nearest

    def nearest(word: str, candidates: Collection[str]) -> str | None:
        counts[word] += len(candidates) >= len(HERE)
        return whole(word, candidates)

    monkeypatch.setattr(suggestions, "nearest", nearest)
    return counts


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


def test_a_name_is_compared_once_however_many_name_it(compared: Counter[str]) -> None:
    values: dict[str, str | bytes] = {
        f"routes/{at}": f"a/{at} when from=frnt -> front" for at in range(50)
    }
    values["tests/t"] = "\n".join(f"as frnt a/{at} -> front" for at in range(50))
    made = compile_snapshot(state(values, *HERE), FACTS)
    assert [one.suggestion for one in made.problems] == ["front"] * 100
    assert compared == {"frnt": 1}


def test_a_change_compares_what_is_new_alone(compared: Counter[str]) -> None:
    """Neither another route nor a test that changes costs what stands, nor does a service that comes."""
    values: dict[str, str | bytes] = {
        f"routes/{name}": f"a/{name} when from=frnt-{name} -> front" for name in "bcdefg"
    }
    compiler = Compiler()
    compiler.compile(state(values, *HERE), FACTS)
    assert compared == {f"frnt-{name}": 1 for name in "bcdefg"}
    for changed in (
        {"routes/c": "a/c when from=frnt-z -> front"},
        {"routes/a": "a/a when from=frnt-b -> front"},
        {"tests/t": "as frnt-d a/ -> front"},
        {"routes/c": "a/c -> front"},
    ):
        values |= changed
        compiler.compile(state(values, *HERE), FACTS)
    assert compared.total() == 7
    made = compiler.compile(state(values, *HERE, instance("frnt-g")), FACTS)
    assert compared.total() == 7
    keys = [f"mesh/routes/{name}" for name in "abdef"]
    assert [(one.key, one.suggestion) for one in made.problems] == [
        (key, "frnt-g") for key in [*keys, "mesh/tests/t"]
    ]


def test_of_many_unknown_names_the_first_are_compared(compared: Counter[str]) -> None:
    """And which are told is the same for a node that saw them come one by one."""
    values: dict[str, str | bytes] = {
        f"routes/{at:03}": f"a/{at} when from=frnt{at:03} -> front" for at in range(120)
    }
    values["tests/t"] = "\n".join(f"as nobody{at} a/{at} -> front" for at in range(30))
    made = compile_snapshot(state(values, *HERE), FACTS)
    assert compared == {f"frnt{at:03}": 1 for at in range(20)}
    assert len(made.problems) == 130
    compiler = Compiler()
    late = {key: value for key, value in values.items() if key > "routes/050"}
    compiler.compile(state(late, *HERE), FACTS)
    assert compiler.compile(state(values, *HERE), FACTS).problems == made.problems
