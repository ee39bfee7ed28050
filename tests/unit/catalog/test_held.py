"""An emptied prefix is held, an older answer waits; everything else is taken at once."""

from __future__ import annotations

from catalog import State
from catalog.held import problems
from tests.support.catalog import kv

TWO: dict[str, str | bytes] = {"routes/a": "a/ -> b", "routes/b": "b/ -> b"}
ONE: dict[str, str | bytes] = {"routes/a": "a/ -> b"}


def names(state: State) -> list[str]:
    return [entry.key.removeprefix("mesh/routes/") for entry in state.keys.entries]


def test_two_keys_gone_at_once_are_held_until_any_key_stands_again() -> None:
    state = State().apply(kv(TWO, 10)).apply(kv({}, 11))
    assert names(state) == ["a", "b"]
    (problem,) = problems(state.keys)
    assert problem.severity == "error"
    assert problem.message.startswith(
        "all 2 keys under mesh/ went at once; they stay in force until"
    )
    state = state.apply(kv({}, 12))
    assert names(state) == ["a", "b"]
    state = state.apply(kv({"confirm": "yes"}, 13))
    assert [entry.key for entry in state.keys.entries] == ["mesh/confirm"]
    assert problems(state.keys) == ()


def test_deleting_the_only_key_is_not_held() -> None:
    assert names(State().apply(kv(ONE, 10)).apply(kv({}, 11))) == []


def test_deleting_one_by_one_is_not_held() -> None:
    assert names(State().apply(kv(TWO, 10)).apply(kv(ONE, 11)).apply(kv({}, 12))) == []


def test_folder_marks_do_not_count_as_keys() -> None:
    state = State().apply(kv({**ONE, "routes/": ""}, 10))
    assert names(state.apply(kv({}, 11))) == []
    state = State().apply(kv({**TWO, "routes/": ""}, 10))
    assert len(state.apply(kv({"routes/": ""}, 11)).keys.entries) == 3


def test_an_older_answer_waits_for_a_newer_reading() -> None:
    state = State().apply(kv(TWO, 100)).apply(kv(ONE, 40))
    assert names(state) == ["a", "b"]
    (problem,) = problems(state.keys)
    assert "older than 100" in problem.message
    state = state.apply(kv(ONE, 41))
    assert names(state) == ["a"]
    assert problems(state.keys) == ()
    assert state.keys.consul_index == 41


def test_an_older_answer_read_twice_is_taken() -> None:
    assert names(State().apply(kv(TWO, 100)).apply(kv(ONE, 40)).apply(kv(ONE, 40))) == ["a"]


def test_a_still_older_answer_does_not_confirm_it() -> None:
    assert names(State().apply(kv(TWO, 100)).apply(kv(ONE, 40)).apply(kv(ONE, 39))) == ["a", "b"]


def test_an_older_answer_from_the_leader_is_taken_at_once() -> None:
    assert names(State().apply(kv(TWO, 100)).apply(kv(ONE, 40, is_confirmed=True))) == ["a"]


def test_an_older_answer_is_forgotten_when_the_newer_one_comes_again() -> None:
    state = State().apply(kv(TWO, 100)).apply(kv(ONE, 40)).apply(kv(TWO, 101))
    assert names(state) == ["a", "b"]
    assert problems(state.keys) == ()


def test_an_older_answer_without_keys_is_held_even_when_confirmed() -> None:
    state = State().apply(kv(TWO, 100)).apply(kv({}, 40, is_confirmed=True))
    assert names(state) == ["a", "b"]
    assert state.keys.held == 40


def test_entries_that_did_not_change_stay_the_same_objects() -> None:
    first = State().apply(kv(TWO, 10))
    changed = {**TWO, "routes/b": "b/ -> c"}
    second = first.apply(kv(changed, 11))
    assert second.keys.entries[0] is first.keys.entries[0]
    assert second.keys.entries[1] is not first.keys.entries[1]
