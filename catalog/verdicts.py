"""What the nodes of the mesh say about a key, put together from their statuses. Pure: asks nobody, knows no clock."""

from __future__ import annotations

from collections.abc import Iterable
from hashlib import sha256

from .model import KvEntry


def keys_digest(entries: Iterable[KvEntry]) -> str:
    """`sha256:` + hex over all pairs of key and ModifyIndex, in order of the keys: two nodes with the same hold the same."""
    digest = sha256()
    for entry in sorted(entries, key=lambda one: one.key):
        digest.update(f"{entry.key}\0{entry.modify_index}\n".encode())
    return f"sha256:{digest.hexdigest()}"
