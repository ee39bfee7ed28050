"""A snapshot's resources together with their canonical JSON, so that what did not change is never encoded again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from .digests import Gathered

COLLECTIONS = ("clusters", "intentions", "listeners", "routes", "services", "settings", "tls")
"""All there are, in the order of the canonical JSON."""

Resource = dict[str, Any]
Resources = Mapping[str, Mapping[str, Resource]]
"""collection → name → resource, as docs/boundary.md has them."""


class Rendered(NamedTuple):
    """A resource and its place in the canonical JSON: `"name":{…}`. Neither is ever changed."""

    name: str
    resource: Resource
    member: bytes


def render(name: str, resource: Resource) -> Rendered:
    """The resource with its canonical JSON."""
    encoded = orjson.dumps(resource, option=orjson.OPT_SORT_KEYS)
    return Rendered(name, resource, orjson.dumps(name) + b":" + encoded)


def text_of(collection: str, rendered: Rendered) -> bytes:
    """What a digest of a table is over: `collection"name":{…}`."""
    return collection.encode() + rendered.member


def digest_of(resources: Resources) -> str:
    """The digest of a whole table, as the compiler puts it together change by change (table.py)."""
    return Gathered(
        text_of(collection, render(name, resource))
        for collection, members in resources.items()
        for name, resource in members.items()
    ).digest()
