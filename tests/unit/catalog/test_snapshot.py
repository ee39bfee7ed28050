"""Documents for the proxy, what differs between two, and the file that a cold start serves from."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from catalog import (
    Snapshot,
    SnapshotFileError,
    delta,
    digest_of,
    full,
    load_snapshot,
    save_snapshot,
    snapshot_from_document,
)

Plain = dict[str, dict[str, dict[str, Any]]]


def snapshot(resources: Plain, generation: int = 1) -> Snapshot:
    return Snapshot(generation, digest_of(resources), resources)


def applied(resources: Plain, document: bytes) -> Plain:
    """What a proxy does with a delta."""
    change = orjson.loads(document)
    assert change["base"] == digest_of(resources)
    result = {name: dict(members) for name, members in resources.items()}
    for collection, members in change["set"].items():
        result.setdefault(collection, {}).update(members)
    for collection, names in change["remove"].items():
        for name in names:
            del result[collection][name]
    return result


A, B = {"host": "a"}, {"host": "b"}


def test_a_full_document_reads_back() -> None:
    one = snapshot({"routes": {"x": A}}, 7)
    assert orjson.loads(full(one)) == {
        "schema": 1,
        "kind": "full",
        "generation": 7,
        "digest": one.digest,
        "resources": {"routes": {"x": A}},
    }
    assert snapshot_from_document(full(one)) == one


def test_a_delta_has_only_what_differs() -> None:
    old = snapshot({"routes": {"x": A, "y": A, "z": A}, "clusters": {"c": A}, "services": {}}, 7)
    new = snapshot(
        {"routes": {"x": A, "y": B, "w": B}, "clusters": {"c": dict(A)}, "services": {}}, 8
    )
    assert orjson.loads(delta(old, new)) == {
        "schema": 1,
        "kind": "delta",
        "base": old.digest,
        "generation": 8,
        "digest": new.digest,
        "set": {"routes": {"y": B, "w": B}},
        "remove": {"routes": ["z"]},
    }


RESOURCES = st.dictionaries(
    st.sampled_from(["routes", "clusters", "listeners"]),
    st.dictionaries(st.sampled_from("abcd"), st.fixed_dictionaries({"n": st.integers(0, 3)})),
)


@given(st.lists(RESOURCES, min_size=2, max_size=6))
def test_deltas_one_after_the_other_make_the_last(states: list[Plain]) -> None:
    in_force = {name: dict(members) for name, members in states[0].items()}
    for old, new in pairwise(states):
        in_force = applied(in_force, delta(snapshot(old), snapshot(new)))
        in_force = {name: members for name, members in in_force.items() if members or name in new}
        in_force |= {name: {} for name in new if name not in in_force}
        assert in_force == new


def test_a_saved_snapshot_comes_back(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    assert load_snapshot(path) is None
    for generation in (1, 2):
        one = snapshot({"routes": {"x": A}}, generation)
        save_snapshot(path, one)
        assert load_snapshot(path) == one
    assert path.stat().st_mode & 0o777 == 0o600
    assert [left.name for left in tmp_path.iterdir()] == ["snapshot.json"]


@pytest.mark.parametrize(
    ("damage", "cause"),
    [
        (lambda text: text[:-10], "it is no JSON, or cut short"),
        (lambda _: b"", "it is no JSON, or cut short"),
        (lambda _: b"\xff\xfe", "it is no JSON, or cut short"),
        (lambda _: b"[]", "it is no snapshot"),
        (lambda _: b'{"schema":1}', "it is no snapshot"),
        (lambda text: text.replace(b'"routes"', b'"rootes"'), "it is no snapshot"),
        (lambda text: text.replace(b'{"host":"a"}', b'"a"'), "it is no snapshot"),
        (lambda text: text.replace(b'"a"', b'"b"'), "its checksum is wrong: it was changed or damaged"),
        (lambda text: text.replace(b'"schema":1', b'"schema":2'),
            "a newer version wrote it (schema 2; this one reads 1)"),
    ],
)  # fmt: skip
def test_a_damaged_or_newer_file_is_refused_with_a_sentence(
    tmp_path: Path, damage: Any, cause: str
) -> None:
    path = tmp_path / "snapshot.json"
    save_snapshot(path, snapshot({"routes": {"x": A}}))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(SnapshotFileError) as caught:
        load_snapshot(path)
    assert str(caught.value) == f"the saved snapshot {path} is of no use: {cause}"


def test_a_file_that_cannot_be_written_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "snapshot.json"
    save_snapshot(path, snapshot({"routes": {"x": A}}))
    before = path.read_bytes()
    (tmp_path / "folder").mkdir()
    with pytest.raises(SnapshotFileError):
        save_snapshot(tmp_path / "nowhere" / "snapshot.json", snapshot({}))
    with pytest.raises(SnapshotFileError):
        save_snapshot(tmp_path / "folder", snapshot({}))
    assert path.read_bytes() == before
    assert sorted(left.name for left in tmp_path.iterdir()) == ["folder", "snapshot.json"]


def test_what_the_proxy_answers_reads_like_what_was_sent() -> None:
    one = snapshot({"listeners": {"edge": A}}, 3)
    answered = orjson.loads(full(one)) | {"listeners": {"edge": {"state": "open"}}}
    assert snapshot_from_document(orjson.dumps(answered)) == one
