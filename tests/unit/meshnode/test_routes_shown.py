"""One route at length: its fields as a person writes them, and what is in force of it where its key is refused."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import History, KvEntry, NodeStatus, Past, Problem, Revision, Value, Verdict, verdict
from catalog.history import KeyChange
from meshnode.cli.routes_force import in_force
from meshnode.cli.routes_values import value_text

KEY = "mesh/routes/shop"
GOOD = KvEntry(KEY, b"shop.test/ -> shop", 9)
BAD = KvEntry(KEY, b"shop.test/ - shop", 12)


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("timeout", None, "none"),
        ("host", "shop.test", "shop.test"),
        ("hosts", ["a", "b"], "a, b"),
        ("response_headers.server", [["remove", True]], "remove"),
        ("request_headers.x-a", [["set", "b"], ["add", "c"]], "set b, add c"),
        ("split", [{"service": "a", "weight": 80}, {"service": "b", "weight": 20}], "a 80%, b 20%"),
        ("when", [{"header": "x-beta", "exact": "1"}, {"query": "d", "negated": True}],
         "header.x-beta=1, !query.d"),
        ("when", [{"client": ["10.0.0.0/8"]}, {"from": ["a", "b"]}], "client=10.0.0.0/8, from=a|b"),
        ("retries", {"attempts": 2, "on": ["reset"], "backoff": {"base": "1ms", "max": "2ms"}},
         "attempts: 2, on: [reset], backoff: {base: 1ms, max: 2ms}"),
        ("tcp", 5432, "5432"),
        ("passthrough", True, "true"),
    ],
)  # fmt: skip
def test_a_value_is_told_as_a_person_writes_it(name: str, value: Any, text: str) -> None:
    assert value_text(name, value) == text


def refused(serving_index: int | None = 9, entry: KvEntry = BAD) -> dict[str, Verdict]:
    problem = Problem(
        entry.key, entry.modify_index, "error", "no arrow", serving_index=serving_index
    )
    status = NodeStatus("node-1", 1, entry.modify_index, "d", (), problems=(problem,))
    return {entry.key: verdict(entry.key, entry, [status], ("node-1",))}


def history(*changes: tuple[KvEntry | None, KvEntry]) -> History:
    told = [
        KeyChange(new.key, new.modify_index, Value.of(old) if old else None, Value.of(new))
        for old, new in changes
    ]
    return History(tuple(Past(one, Revision("r", 0, "node-1", "node-1", (one,))) for one in told))


def test_the_last_good_form_of_a_refused_key_is_what_serves() -> None:
    other = KvEntry("mesh/routes/x", b"x/ -> x", 3)
    for told in (history((None, GOOD)), history((GOOD, BAD)), history((None, GOOD), (GOOD, BAD))):
        found = in_force((BAD, other), refused(), told)
        assert found.entries == (GOOD, other)
        assert found.unknown == frozenset()


def test_what_history_does_not_have_is_not_made_up() -> None:
    found = in_force((BAD,), refused(), history((None, BAD)))
    assert (found.entries, found.unknown) == ((), frozenset({KEY}))
    never = in_force((BAD,), refused(None), history((None, GOOD)))
    assert (never.entries, never.unknown) == ((), frozenset())
