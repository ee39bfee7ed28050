"""Snapshots as documents for the proxy (docs/boundary.md), what differs between two, and the last good one on disk.

Decides nothing about their resources; holds no keys or certificates.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeGuard

import orjson

from .errors import SnapshotFileError
from .resource import COLLECTIONS, Resource, Resources, digest_of
from .table import Changed

SCHEMA = 1
"""The form of the documents; docs/boundary.md."""

FILE_MAX_BYTES = 64 << 20
"""As the proxy takes at most; 10,000 routes have 2.4 MB."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One state of the proxy's table. `generation` counts up by one a change, `digest` is over the resources."""

    generation: int
    digest: str
    resources: Resources
    changed: Changed | None = None
    """Since which table what changed, where whoever made it knows."""


def full(snapshot: Snapshot) -> bytes:
    """The whole snapshot as a document."""
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "kind": "full",
            "generation": snapshot.generation,
            "digest": snapshot.digest,
            "resources": snapshot.resources,
        }
    )


def delta(old: Snapshot, new: Snapshot) -> bytes:
    """The document that makes `new` of `old`: the least there is to set and to remove."""
    changed: dict[str, dict[str, Resource]] = {}
    removed: dict[str, list[str]] = {}
    known = new.changed.names if new.changed and new.changed.base == old.digest else None
    for collection in sorted({*old.resources, *new.resources} if known is None else known):
        before = old.resources.get(collection, {})
        after = new.resources.get(collection, {})
        if before is after:
            continue
        if different := _different(before, after, known and known[collection]):
            changed[collection] = different
        named = before if known is None else known[collection]
        if gone := sorted(name for name in named if name in before and name not in after):
            removed[collection] = gone
    return orjson.dumps(
        {
            "schema": SCHEMA,
            "kind": "delta",
            "base": old.digest,
            "generation": new.generation,
            "digest": new.digest,
            "set": changed,
            "remove": removed,
        },
        option=orjson.OPT_SORT_KEYS,
    )


def snapshot_from_document(document: bytes) -> Snapshot:
    """The snapshot of a full document, also as `GET /v1/snapshot` answers it (states of listeners beside it).

    Raises ValueError with a clause that says what is wrong: not whole, of a newer schema, or not what its digest says.
    """
    try:
        parsed = orjson.loads(document)
    except orjson.JSONDecodeError:
        raise ValueError("it is no JSON, or cut short") from None
    if not isinstance(parsed, dict):
        raise ValueError("it is no snapshot")  # noqa: TRY004  (one kind of error for one kind of mistake)
    schema = parsed.get("schema")
    if isinstance(schema, int) and schema > SCHEMA:
        raise ValueError(f"a newer version wrote it (schema {schema}; this one reads {SCHEMA})")
    generation, digest = parsed.get("generation"), parsed.get("digest")
    if schema != SCHEMA or parsed.get("kind") != "full" or not isinstance(generation, int):
        raise ValueError("it is no snapshot")
    resources = parsed.get("resources")
    if not _has_form(resources):
        raise ValueError("it is no snapshot")
    if digest != digest_of(resources):
        raise ValueError("its checksum is wrong: it was changed or damaged")
    return Snapshot(generation, digest, resources)


def save_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Writes the snapshot as a full document, which the proxy can run from alone; whole or not at all, mode 0600.

    Raises SnapshotFileError.
    """
    beside = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        with suppress(FileNotFoundError):
            beside.unlink()
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(full(snapshot))
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            beside.unlink()
        raise SnapshotFileError(str(path), f"it cannot be written ({error.strerror})") from error


def load_snapshot(path: Path) -> Snapshot | None:
    """The saved snapshot, None when there is none. Raises SnapshotFileError when it is damaged or newer."""
    try:
        if path.stat().st_size > FILE_MAX_BYTES:
            raise SnapshotFileError(str(path), f"it has more than {FILE_MAX_BYTES:,} bytes")
        document = path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise SnapshotFileError(str(path), f"it cannot be read ({error.strerror})") from error
    try:
        return snapshot_from_document(document)
    except ValueError as error:
        raise SnapshotFileError(str(path), str(error)) from error


def _different(
    before: Mapping[str, Resource], after: Mapping[str, Resource], names: Collection[str] | None
) -> dict[str, Resource]:
    """What is new or another, of those with these names; None: of all."""
    return {
        name: resource
        for name in (after if names is None else names)
        if (resource := after.get(name)) is not None
        and (old := before.get(name)) is not resource
        and old != resource
    }


def _has_form(resources: Any) -> TypeGuard[Resources]:
    """Whether these are known collections of named resources; the proxy judges the resources themselves."""
    return isinstance(resources, dict) and all(
        collection in COLLECTIONS
        and isinstance(members, dict)
        and all(isinstance(resource, dict) for resource in members.values())
        for collection, members in resources.items()
    )


def _sync_folder(folder: Path) -> None:
    """The new name itself must reach the disk, or a power cut brings the old file back."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
