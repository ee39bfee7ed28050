"""Policies outlive their agent: what was in force serves on where a key is bad, or gone with all others."""

from __future__ import annotations

from pathlib import Path

import pytest

from catalog import Compiler, KvUpdate, Policies, Snapshot, State, load_policies, policies_to_json
from tests.support.catalog import FACTS, instance, kv, state

CART = instance("cart", "node-2")
WRITTEN: dict[str, str | bytes] = {
    "routes/a": "a/ -> cart",
    "services/cart": "timeout: 2s",
    "settings": b"\xef\xbb\xbftimeout_head: 1s",
    "drain/x": "cart-2",
}


def saved(path: Path) -> tuple[Snapshot, Policies]:
    """What an agent leaves behind: its table, and the policies it had in force."""
    compiler = Compiler()
    good = state(WRITTEN, CART)
    compiler.compile(good, FACTS)
    # One is bad by now: its last good form is what is kept.
    made = compiler.compile(good.apply(kv({**WRITTEN, "settings": "bad"}, 1001)), FACTS)
    path.write_bytes(policies_to_json(made.last_good.policies))
    return Snapshot(1, made.digest, made.resources), load_policies(path)


def test_a_bad_key_keeps_its_last_good_form_over_a_restart(tmp_path: Path) -> None:
    snapshot, policies = saved(tmp_path / "policies.json")
    assert sorted(policies.in_force) == ["mesh/drain/x", "mesh/services/cart", "mesh/settings"]
    bad = {**WRITTEN, "settings": "bad", "services/cart": "timeout: never"}
    made = Compiler(snapshot, policies).compile(state(dict(bad), CART), FACTS)
    route = made.resources["routes"]["a"]
    assert (route["timeout_ms"], route["head_timeout_ms"]) == (2000, 1000)
    assert [(one.key, one.serving_index) for one in made.problems] == [
        ("mesh/services/cart", 101),
        ("mesh/settings", 102),
    ]


def test_a_policy_that_is_gone_is_gone(tmp_path: Path) -> None:
    snapshot, policies = saved(tmp_path / "policies.json")
    made = Compiler(snapshot, policies).compile(state({"routes/a": "a/ -> cart"}, CART), FACTS)
    assert "timeout_ms" not in made.resources["routes"]["a"]


def test_an_emptied_prefix_is_held_with_its_policies_over_a_restart(tmp_path: Path) -> None:
    snapshot, policies = saved(tmp_path / "policies.json")
    restored = State.restored(snapshot, policies.entries).apply(KvUpdate("mesh/", (), 2000))
    assert [entry.key for entry in restored.keys.entries] == sorted(
        f"mesh/{key}" for key in WRITTEN
    )


@pytest.mark.parametrize(
    "content",
    [b"", b"{}", b"[]", b'{"policies": [{"key": "mesh/settings"}]}', b'{"policies": [{"key": 1, "index": "x", "value": "?"}]}'],
)  # fmt: skip
def test_a_damaged_file_is_none(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "policies.json"
    assert load_policies(path) == Policies()
    path.write_bytes(content)
    assert load_policies(path) == Policies()


def test_what_is_no_policy_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "policies.json"
    path.write_bytes(
        b'{"policies": [{"key": "mesh/routes/a", "index": 1, "value": ""},'
        b' {"key": "mesh/settings", "index": 2, "value": "YmFk"}]}'
    )
    found = load_policies(path)
    assert found.in_force == {}
    assert [entry.key for entry in found.entries] == ["mesh/settings"]
