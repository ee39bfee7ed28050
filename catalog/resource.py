"""A snapshot's resources together with their canonical JSON, so that what did not change is never encoded again."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import orjson

COLLECTIONS = ("clusters", "intentions", "listeners", "routes", "services", "settings")
"""All there are, in the order of the canonical JSON."""

Resource = dict[str, Any]
Resources = Mapping[str, Mapping[str, Resource]]
"""collection → name → resource, as docs/boundary.md has them."""


class Rendered(NamedTuple):
    """A resource and its place in the canonical JSON: `"name":{…}`. Neither is ever changed."""

    name: str
    resource: Resource
    member: bytes


Collections = Mapping[str, tuple[Rendered, ...]]
"""All collections, each sorted by name."""


def render(name: str, resource: Resource) -> Rendered:
    """The resource with its canonical JSON."""
    encoded = orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)
    return Rendered(name, resource, orjson.dumps(name) + b":" + encoded)


def digest_of(resources: Resources) -> str:
    """`sha256:` and hex over the canonical JSON (orjson, sorted keys) of the resources."""
    encoded = orjson.dumps(resources, option=orjson.OPT_SORT_KEYS)
    return "sha256:" + hashlib.sha256(encoded).hexdigest()


def digest_of_rendered(collections: Collections) -> str:
    """The same digest, put together from what is encoded already."""
    hashed = hashlib.sha256()
    start = b"{"
    for collection in sorted(collections):
        hashed.update(start + b'"' + collection.encode() + b'":{')
        hashed.update(b",".join([rendered.member for rendered in collections[collection]]))
        start = b"},"
    hashed.update(b"}}")
    return "sha256:" + hashed.hexdigest()


def as_resources(collections: Collections) -> Resources:
    """Without the JSON."""
    return {
        collection: {rendered.name: rendered.resource for rendered in members}
        for collection, members in collections.items()
    }


def by_name(rendered: Iterable[Rendered]) -> tuple[Rendered, ...]:
    """Sorted as a collection is."""
    return tuple(sorted(rendered, key=lambda one: one.name))
