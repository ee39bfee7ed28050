"""What to do when the proxy refuses a table: take the one resource it names back to its last good form, keep the rest.

Pure. The compiler should never make such a table; this keeps one fault of ours from holding back everybody's changes.
"""

from __future__ import annotations

from dataclasses import dataclass

from catalog import Resource, Resources, Snapshot, digest_of


@dataclass(frozen=True, slots=True)
class Culprit:
    """The resource a refusal's path names, with the key it came from where it has one."""

    collection: str
    name: str
    key: str
    index: int


def find_culprit(resources: Resources, path: str | None) -> Culprit | None:
    """The resource `routes.shop.action` speaks of; names may have dots, so the longest that fits is meant."""
    collection, _, rest = (path or "").partition(".")
    names = [
        name
        for name in resources.get(collection, {})
        if rest == name or rest.startswith((name + ".", name + "["))
    ]
    if not names:
        return None
    name = max(names, key=len)
    resource = resources[collection][name]
    return Culprit(
        collection,
        name,
        str(resource.get("key", f"{collection} {name}")),
        int(resource.get("index", 0)),
    )


def without(wanted: Snapshot, in_force: Snapshot | None, culprit: Culprit) -> Snapshot:
    """The table with that resource as it is in force, or without it."""
    good = in_force.resources.get(culprit.collection, {}).get(culprit.name) if in_force else None
    bad = wanted.resources[culprit.collection][culprit.name]
    collection: dict[str, Resource] = dict(wanted.resources[culprit.collection])
    del collection[culprit.name]
    if good is not None and good != bad:
        collection[culprit.name] = good
    resources = {**wanted.resources, culprit.collection: collection}
    return Snapshot(wanted.generation, digest_of(resources), resources)
