"""Keys that went all at once are held, an older answer waits; everything else is taken at once."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from catalog import KvEntry, KvUpdate, State
from catalog.held import Keys, problems
from tests.support.catalog import keys, kv

TWO: dict[str, str | bytes] = {"routes/a": "a/ -> b", "routes/b": "b/ -> b"}
ONE: dict[str, str | bytes] = {"routes/a": "a/ -> b"}


def key(name: str, index: int) -> KvEntry:
    """A route that was made and written at `index`."""
    return KvEntry(f"mesh/routes/{name}", b"x/ -> b", index, create_index=index)


def names(state: State) -> list[str]:
    return [entry.key.removeprefix("mesh/routes/") for entry in state.keys.entries]


def messages(state: State) -> list[str]:
    return [problem.message for problem in problems(state.keys)]


def confirmed(state: State, value: int | str, index: int) -> State:
    """The state after mesh/confirm was put, alone, with the ModifyIndex `index`."""
    entry = KvEntry("mesh/confirm", str(value).encode(), index, create_index=index)
    return state.apply(KvUpdate("mesh/", (entry,), index))


def test_two_keys_gone_at_once_are_held_until_a_person_means_it() -> None:
    state = State().apply(kv(TWO, 110)).apply(kv({}, 111))
    assert names(state) == ["a", "b"]
    (problem,) = problems(state.keys)
    assert (problem.severity, problem.key, problem.index) == ("error", "mesh/", 110)
    assert problem.message == (
        "2 keys went at once and stay in force until they stand again: mesh/routes/a, mesh/routes/b; "
        "if it is meant, run: meshnode confirm"
    )
    state = state.apply(kv({}, 112))
    assert names(state) == ["a", "b"]
    state = confirmed(state, 112, 113)
    assert [entry.key for entry in state.keys.entries] == ["mesh/confirm"]
    assert messages(state) == []


def test_a_new_key_takes_its_place_beside_those_that_are_held() -> None:
    state = State().apply(kv(TWO, 110)).apply(kv({}, 111))
    state = state.apply(KvUpdate("mesh/", (key("c", 112),), 112))
    assert names(state) == ["a", "b", "c"]
    state = state.apply(KvUpdate("mesh/", (key("a", 113), key("c", 112)), 113))
    assert [(entry.key[-1], entry.modify_index) for entry in state.keys.entries] == [
        ("a", 113),
        ("b", 101),
        ("c", 112),
    ]
    (message,) = messages(state)
    assert message.startswith("mesh/routes/b went with all others at once and stays in force until")
    state = state.apply(KvUpdate("mesh/", (key("a", 113), key("b", 114)), 114))
    assert (names(state), messages(state)) == (["a", "b"], [])


def test_a_prefix_that_was_emptied_and_refilled_unseen_is_held_too() -> None:
    """A deletion from above wakes nobody (canary.py): the next that is seen is somebody's put."""
    state = State().apply(kv(TWO, 110)).apply(KvUpdate("mesh/", (key("c", 150),), 150))
    assert names(state) == ["a", "b", "c"]
    state = State().apply(kv(TWO, 110)).apply(KvUpdate("mesh/", (key("a", 150),), 150))
    assert names(state) == ["a", "b"]
    assert len(messages(state)) == 1


def test_what_was_confirmed_before_does_not_count() -> None:
    entries = (*keys(TWO), KvEntry("mesh/confirm", b"90", 91))
    state = State().apply(KvUpdate("mesh/", tuple(sorted(entries, key=lambda one: one.key)), 110))
    gone = state.apply(KvUpdate("mesh/", (KvEntry("mesh/confirm", b"90", 91),), 120))
    assert len(gone.keys.entries) == 3
    assert [problem.key for problem in problems(gone.keys)] == ["mesh/"]


@pytest.mark.parametrize("value", ["yes", "", "-1", "109", "9" * 21])
def test_a_confirmation_of_something_else_is_not_heard(value: str) -> None:
    state = confirmed(State().apply(kv(TWO, 110)).apply(kv({}, 111)), value, 120)
    assert len(state.keys.entries) == 3


def test_a_confirmation_that_means_too_little_is_told() -> None:
    state = confirmed(State().apply(kv(TWO, 110)).apply(kv({}, 111)), 60, 120)
    assert [(problem.key, problem.index) for problem in problems(state.keys)] == [
        ("mesh/", 110),
        ("mesh/confirm", 120),
    ]


def test_what_goes_after_a_confirmation_is_held_anew() -> None:
    state = confirmed(State().apply(kv(TWO, 110)).apply(kv({}, 111)), 112, 113)
    both = (KvEntry("mesh/confirm", b"112", 113), key("a", 120), key("b", 121))
    state = state.apply(KvUpdate("mesh/", both, 121)).apply(KvUpdate("mesh/", both[:1], 122))
    assert names(state)[1:] == ["a", "b"]
    assert problems(state.keys)[0].index == 121


def test_after_a_restart_only_what_is_put_from_now_on_confirms() -> None:
    """What an earlier run had in force is known by its routes alone."""
    restored = State(Keys(keys(TWO)))
    state = restored.apply(KvUpdate("mesh/", (KvEntry("mesh/confirm", b"120", 121),), 121))
    assert len(state.keys.entries) == 3
    assert names(confirmed(state, 121, 122)) == ["mesh/confirm"]


def test_a_consul_that_went_back_confirms_by_its_own_count() -> None:
    state = State().apply(kv(TWO, 200)).apply(kv({}, 40, is_confirmed=True))
    assert names(state) == ["a", "b"]
    assert names(confirmed(state, 40, 41)) == ["mesh/confirm"]


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
    assert state.keys.hold is not None


def test_entries_that_did_not_change_stay_the_same_objects() -> None:
    first = State().apply(kv(TWO, 10))
    changed = {**TWO, "routes/b": "b/ -> c"}
    second = first.apply(kv(changed, 11))
    assert second.keys.entries[0] is first.keys.entries[0]
    assert second.keys.entries[1] is not first.keys.entries[1]


NAMES = st.sampled_from(["a", "b", "c", "d"])


@settings(max_examples=300, deadline=None)
@given(st.lists(st.one_of(
    st.tuples(st.just("put"), NAMES), st.tuples(st.just("delete"), NAMES), st.tuples(st.just("wipe"), st.just("")),
    st.tuples(st.just("seen"), st.just("")), st.tuples(st.just("confirm"), st.just("")),
), max_size=30))  # fmt: skip
def test_nothing_goes_all_at_once_that_nobody_meant(history: list[tuple[str, str]]) -> None:
    """What is seen is any moment of what was written: a node misses some, and never loses a table by it."""
    state, index = State(), 100
    there: dict[str, KvEntry] = {}
    for what, name in history:
        index += 1
        match what:
            case "put":
                created = there[name].create_index if name in there else index
                entry = KvEntry(f"mesh/routes/{name}", b"x/ -> b", index, create_index=created)
                there[name] = entry
            case "delete":
                there.pop(name, None)
            case "wipe":
                there.clear()
            case "confirm":
                there["~"] = KvEntry("mesh/confirm", str(index).encode(), index, create_index=index)
        if what not in ("seen", "confirm"):
            continue
        before, held = set(names(state)), state.keys.hold
        entries = tuple(sorted(there.values(), key=lambda entry: entry.key))
        state = state.apply(KvUpdate("mesh/", entries, index))
        after = set(names(state))
        standing = {entry.key.removeprefix("mesh/routes/") for entry in entries}
        assert after >= standing
        stood = before - {key.removeprefix("mesh/routes/") for key in (held.keys if held else ())}
        stood.discard("mesh/confirm")
        lost = stood - after
        if len(stood) > 1 and lost == stood:
            assert what == "confirm", "a table went that nobody meant"
        if what == "confirm":
            assert after == standing
