"""The golden documents: what the proxy's tests read is what the compiler makes, and the other way round."""

from __future__ import annotations

from pathlib import Path

import orjson
import pytest

from catalog import digest_of, snapshot_from_document
from tests.support.catalog import golden_documents

GOLDEN = Path(__file__).parents[2] / "golden"


@pytest.mark.parametrize("name", ["compiled_snapshot.json", "compiled_delta.json"])
def test_the_compiler_makes_the_golden_document(name: str) -> None:
    """After a wanted change: python -m tests.support.catalog, and look at the difference."""
    assert (GOLDEN / name).read_bytes() == golden_documents()[name]


@pytest.mark.parametrize("name", ["snapshot", "compiled"])
def test_full_and_delta_agree_with_their_digests(name: str) -> None:
    whole = GOLDEN / ("compiled_snapshot.json" if name == "compiled" else "snapshot_full.json")
    snapshot = snapshot_from_document(whole.read_bytes())
    change = orjson.loads((GOLDEN / f"{name}_delta.json").read_bytes())
    assert change["base"] == snapshot.digest
    resources = {collection: dict(members) for collection, members in snapshot.resources.items()}
    for collection, members in change["set"].items():
        resources[collection].update(members)
    for collection, names in change["remove"].items():
        for gone in names:
            del resources[collection][gone]
    assert change["digest"] == digest_of(resources)
