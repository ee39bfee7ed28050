"""Taking one refused resource out of a table, whatever its name looks like."""

from __future__ import annotations

from typing import Any

import pytest

from catalog import Snapshot, digest_of
from meshnode.agent.refusal import Culprit, find_culprit, without


def table(**routes: dict[str, Any]) -> Snapshot:
    resources = {"routes": routes, "clusters": {}}
    return Snapshot(4, digest_of(resources), resources)


NEW = {"key": "mesh/routes/shop", "index": 9, "hosts": ["new.test"]}
OLD = {"key": "mesh/routes/shop", "index": 7, "hosts": ["old.test"]}


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("routes.shop.action", "shop"),
        ("routes.shop", "shop"),
        ("routes.a.b.host", "a.b"),
        ("routes.a/b.action.split[0].cluster", "a/b"),
        ("routes.none.host", None),
        ("elsewhere.shop", None),
        ("", None),
        (None, None),
    ],
)
def test_the_resource_of_a_path_is_found(path: str | None, name: str | None) -> None:
    resources = table(**{"shop": NEW, "a": {}, "a.b": {}, "a/b": {}}).resources
    found = find_culprit(resources, path)
    assert (found.name if found else None) == name


def test_the_last_good_form_takes_its_place() -> None:
    culprit = Culprit("routes", "shop", "mesh/routes/shop", 9)
    made = without(table(shop=NEW, other=OLD), table(shop=OLD), culprit)
    assert made.resources["routes"] == {"shop": OLD, "other": OLD}
    assert made.digest == digest_of(made.resources)
    assert made.generation == 4


def test_without_a_good_form_it_is_left_out() -> None:
    culprit = Culprit("routes", "shop", "mesh/routes/shop", 9)
    assert without(table(shop=NEW), None, culprit).resources["routes"] == {}
    assert without(table(shop=NEW), table(shop=NEW), culprit).resources["routes"] == {}
