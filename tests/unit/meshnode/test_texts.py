"""What commands say: the transcripts of docs, word by word."""

from __future__ import annotations

import json

import pytest
import typer

from catalog import Change, KvEntry, NodeStatus, Problem, parse_route, verdict
from meshnode.cli import kv
from meshnode.cli.output import ago, exit_code_of, printable
from meshnode.cli.status import near_key, not_people_s
from meshnode.cli.verdict import say_verdict, sentence, short
from meshnode.errors import EXIT_NOT_REACHED, EXIT_USAGE, UsageError
from observability import JaegerError, TraceIdError

KEY = "mesh/routes/shop"
NAMES = ("node-1", "node-2", "node-3")


def status(node: str, index: int, *problems: Problem, at: int = 1000) -> NodeStatus:
    return NodeStatus(node, 1, index, "d", (Change(index, at),), problems=problems)


def entry(value: str, index: int) -> KvEntry:
    return KvEntry(KEY, value.encode(), index)


def told(*statuses: NodeStatus, value: str = "x", index: int = 4711) -> str:
    return sentence(verdict(KEY, entry(value, index), statuses, NAMES[: len(statuses)]))


def test_accepted_by_all_with_the_time_between_first_and_last() -> None:
    statuses = [status(name, 4711, at=1000 + 3 * number) for number, name in enumerate(NAMES)]
    assert told(*statuses) == "accepted by 3 of 3 nodes, the last 6 ms after node-1 saw it"
    assert told(status("node-1", 4712)) == "accepted by 1 of 1 node"


def test_refused_says_what_goes_on_and_marks_the_place(capsys: pytest.CaptureFixture[str]) -> None:
    value = "shop.example/cart -> cart tiemout=2s"
    parsed = parse_route("shop", entry(value, 4712))
    assert isinstance(parsed, Problem)
    problem = Problem(**{**parsed.to_json(), "serving_index": 4711})
    found = verdict(KEY, entry(value, 4712), [status(n, 4712, problem) for n in NAMES], NAMES)
    with pytest.raises(typer.Exit):
        say_verdict(found, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "mesh/routes/shop   index 4712   refused by 3 of 3 nodes; index 4711 goes on serving",
        '    line 1, column 27: no setting is called "tiemout"; did you mean "timeout"?',
        "        shop.example/cart -> cart tiemout=2s",
        "                                  ^^^^^^^",
    ]


def test_a_warning_is_accepted_and_said() -> None:
    problem = Problem(KEY, 4711, "warning", 'no service is called "crat"')
    statuses = [status(name, 4711, problem) for name in NAMES]
    assert told(*statuses).startswith("accepted by 3 of 3 nodes, with a warning, the last")
    found = verdict(KEY, entry("x", 4711), statuses, NAMES)
    assert short(found) == "accepted by 3 of 3 nodes with a warning"


def test_those_that_have_not_answered_are_named() -> None:
    assert told(status("node-1", 4711), status("node-2", 4700)) == (
        "accepted by 1 of 2 nodes; waiting for node-2 (it is at index 4700)"
    )


def test_nobody_alive_is_said() -> None:
    assert "is `meshnode agent` running?" in told()


def test_never_in_force_is_said() -> None:
    problem = Problem(KEY, 4711, "error", "bad")
    assert told(status("node-1", 4711, problem)) == "refused by 1 of 1 node; it was never in force"


def test_what_was_in_force_is_not_said_to_have_never_been() -> None:
    for by, words in (("mesh/routes/a", "until mesh/routes/a was deleted"), ("", "before")):
        problem = Problem(KEY, 4711, "error", "bad", ended_by=by)
        expected = f"refused by 1 of 1 node; it was in force {words}"
        assert told(status("node-1", 4711, problem)) == expected


def test_a_deletion_says_which_test_broke_by_it(capsys: pytest.CaptureFixture[str]) -> None:
    test = Problem("mesh/tests/t", 7, "error", "GET s/ -> a is expected, but", ended_by=KEY)
    found = verdict(KEY, None, [status("node-1", 4711, test)], NAMES[:1], digest="d")
    say_verdict(found, as_json=False)
    assert capsys.readouterr().out.splitlines() == [
        "mesh/routes/shop   deleted   it is gone from 1 of 1 node",
        "    mesh/tests/t: GET s/ -> a is expected, but",
    ]


def test_what_others_wrote_does_not_steer_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    problem = Problem(KEY, 4711, "error", "bad \x1b[2J [red]x[/]", 1, 5, 2, "a\tb \x1b[31m[bold]c")
    found = verdict(KEY, entry("x", 4711), [status("node-1", 4711, problem)], NAMES[:1])
    with pytest.raises(typer.Exit):
        say_verdict(found, as_json=False)
    out = capsys.readouterr().out
    assert "\x1b" not in out
    assert "[red]x[/]" in out
    assert "        a b ·[31m[bold]c\n            ^^\n" in out


def test_json_has_all_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    say_verdict(verdict(KEY, entry("x", 1), [status("node-1", 1)], NAMES[:1]), as_json=True)
    document = json.loads(capsys.readouterr().out)
    assert (document["answer"], document["accepted"], document["index"]) == ("accepted", 1, 1)


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("meshnode/status/x", "written by nodes alone"),
        ("/mesh/routes/x", "no key begins with a slash"),
        ("routes/shop", 'did you mean "mesh/routes/shop"?'),
        ("services/cart", 'did you mean "mesh/services/cart"?'),
        ("Mesh/routes/shop", 'did you mean "mesh/routes/shop"?'),
        ("mehs/drain/cart-1", 'did you mean "mesh/drain/cart-1"?'),
        ("msh/settings", 'did you mean "mesh/settings"?'),
        ("mesh/test/shop", "mesh/tests/shop"),
        ("mesh/routes/my shop", "mesh/routes/my-shop"),
        ("mesh/route/shop", "mesh/routes/shop"),
    ],
)
def test_a_key_that_no_node_would_read_is_not_written(key: str, words: str) -> None:
    with pytest.raises(UsageError, match=words.replace("?", r"\?")):
        kv.check_key(key)


@pytest.mark.parametrize(
    "key",
    ["mesh/routes/shop", "mesh/confirm", "mesh/routes/a/b", "other/key", "other/routes/x", "mess"],
)
def test_other_keys_may_be_written(key: str) -> None:
    kv.check_key(key)


@pytest.mark.parametrize(
    ("key", "near"),
    [
        ("mesh/routes/shopp", "mesh/routes/shop"),
        ("mesh/routes/team/dosc", "mesh/routes/team/docs"),
        ("mesh/routes/docs", None),
        ("mesh/routes/other-thing", None),
    ],
)
def test_a_mistyped_key_is_looked_for_in_its_folder(key: str, near: str | None) -> None:
    assert near_key(key, ["mesh/routes/shop", "mesh/routes/team/docs"]) == near


@pytest.mark.parametrize("shown", ["shop", "routes/shop", "/mesh/routes/shop"])
def test_a_key_that_is_not_people_s_is_told_with_the_right_one(shown: str) -> None:
    assert 'did you mean "mesh/routes/shop"?' in not_people_s(shown)


def test_what_machines_wrote_has_no_right_key() -> None:
    assert "did you mean" not in not_people_s("meshnode/status/node-1")


def test_a_trace_id_that_is_none_is_wrong_use() -> None:
    assert exit_code_of(TraceIdError("no id")) == EXIT_USAGE
    assert exit_code_of(JaegerError("away")) == EXIT_NOT_REACHED


def test_times_are_said_in_two_units() -> None:
    assert [ago(t) for t in (0.006, 3, 65, 3600 * 3 + 720, 86400 * 2)] == [
        "6 ms", "3 s", "1 min 5 s", "3 h 12 min", "2 d",
    ]  # fmt: skip


def test_control_characters_are_shown_as_escapes() -> None:
    assert printable("a\x1b[0m\u202e") == "a\\x1b[0m\\u202e"
