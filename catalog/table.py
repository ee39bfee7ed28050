"""The table a node has in the proxy, changed resource by resource: what did not change is neither looked at nor encoded.

A compiler's own; what it gives out is never changed afterwards.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from .digests import Gathered
from .resource import COLLECTIONS, Rendered, Resource, Resources, text_of


@dataclass(frozen=True, slots=True)
class Changed:
    """Which resources, by collection, differ from the table with the digest `base`, so that nobody need compare all."""

    base: str
    names: Mapping[str, frozenset[str]]


class Table:
    """`put` and `replace` what was made; `given_out` is what then stands in all collections."""

    def __init__(self) -> None:
        self._members: dict[str, dict[str, Rendered]] = {name: {} for name in COLLECTIONS}
        self._resources: dict[str, Mapping[str, Resource]] = {name: {} for name in COLLECTIONS}
        self._replaced_by: dict[str, Iterable[Rendered]] = {}
        self._touched: dict[str, set[str]] = {}
        self._hashes = Gathered()
        self._digest = self._hashes.digest()

    def put(self, collection: str, name: str, rendered: Rendered | None) -> None:
        """One resource, None where there is none any more."""
        members = self._members[collection]
        before = members.get(name)
        if before is rendered:
            return
        if rendered is None:
            del members[name]
        else:
            members[name] = rendered
        if before is not None and rendered is not None and before.member == rendered.member:
            return
        if before is not None:
            self._hashes.take(text_of(collection, before))
        if rendered is not None:
            self._hashes.put(text_of(collection, rendered))
        self._touched.setdefault(collection, set()).add(name)

    def replace(self, collection: str, members: Iterable[Rendered]) -> None:
        """All of a collection; the same object as the last time costs nothing."""
        if self._replaced_by.get(collection) is members:
            return
        self._replaced_by[collection] = members
        by_name = {rendered.name: rendered for rendered in members}
        for name in self._members[collection].keys() - by_name.keys():
            self.put(collection, name, None)
        for name, rendered in by_name.items():
            self.put(collection, name, rendered)

    def given_out(self) -> tuple[Resources, str, Changed]:
        """The resources with their digest, and what changed since the last time."""
        base = self._digest
        if self._touched:
            for collection, names in self._touched.items():
                self._resources[collection] = self._with(collection, names)
            self._digest = self._hashes.digest()
        changed = Changed(base, {name: frozenset(names) for name, names in self._touched.items()})
        self._touched = {}
        return dict(self._resources), self._digest, changed

    def _with(self, collection: str, names: Iterable[str]) -> Mapping[str, Resource]:
        """A copy with these as they are now."""
        resources = dict(self._resources[collection])
        members = self._members[collection]
        for name in names:
            rendered = members.get(name)
            if rendered is None:
                resources.pop(name, None)
            else:
                resources[name] = rendered.resource
        return resources
