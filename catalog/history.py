"""What stands under `meshnode/history/<revision>`: what one look at `mesh/` found changed. The document, signed and read; pure."""

from __future__ import annotations

import contextlib
import hashlib
from base64 import b64decode, b64encode
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from .fields import canonical, count_of, text_of
from .model import KvEntry

HISTORY_PREFIX = "meshnode/history/"
SCHEMA = 1
SECRETS = "mesh/tls/"
"""Of what stands here only the hash is kept."""
VALUE_MAX_BYTES = 64 * 1024
"""A longer value is kept by its hash alone: old and new, escaped and in base64, fit into one transaction (512 KiB)."""

_CONTROLS = frozenset(range(32)) - frozenset(b"\t\n\r")


@dataclass(frozen=True, slots=True)
class Value:
    """What a key held since `index`, its ModifyIndex. `data` is None where only the hash is kept."""

    index: int
    sha256: str
    data: bytes | None

    @classmethod
    def of(cls, entry: KvEntry) -> Value:
        is_kept = len(entry.value) <= VALUE_MAX_BYTES and not entry.key.startswith(SECRETS)
        digest = hashlib.sha256(entry.value).hexdigest()
        return cls(entry.modify_index, digest, entry.value if is_kept else None)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the nodes made of a change, counted; `message` is the first problem they had with it."""

    accepted: int
    refused: int
    waiting: int
    message: str = ""


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One key's change.

    `index` is the ModifyIndex of what was put; a deletion has none of its own, so X-Consul-Index of the reading that
    did not have the key any more. `old` is None where nothing stood before, or where `is_old_known` is False:
    nobody had seen what did. `new` is None for a deletion.
    """

    key: str
    index: int
    old: Value | None
    new: Value | None
    is_old_known: bool = True
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Effect:
    """Requests and errors on the writer's own node in the minute before and the minute after."""

    requests_before: int
    errors_before: int
    requests_after: int
    errors_after: int


@dataclass(frozen=True, slots=True)
class Revision:
    """All that one look found changed.

    `name` sorts by time: X-Consul-Index of the look, and a part's number where one entry could not hold it.
    `first` is the node that saw it first, as far as its statuses told; `writer` the node that wrote it.
    """

    name: str
    seen_unix_ms: int
    first: str
    writer: str
    changes: tuple[KeyChange, ...]
    effect: Effect | None = None

    @property
    def key(self) -> str:
        return HISTORY_PREFIX + self.name


@dataclass(frozen=True, slots=True)
class SignedRevision:
    """An entry as it stood in Consul: nothing about it is checked yet."""

    revision: Revision
    message: bytes
    chain: str
    signature: str


def revision_name(consul_index: int, part: int = 0) -> str:
    """Twelve digits hold what Consul can count at 1,000 writes a second in thirty years."""
    return f"{consul_index:012d}" + (f"-{part:04d}" if part else "")


def to_json(revision: Revision) -> dict[str, Any]:
    """The document without certificate and signature; also what `--json` shows."""
    effect = revision.effect
    return {
        "schema": SCHEMA,
        "revision": revision.name,
        "seen_unix_ms": revision.seen_unix_ms,
        "first": revision.first,
        "writer": revision.writer,
        "changes": [change_to_json(change) for change in revision.changes],
        "effect": None
        if effect is None
        else {name: getattr(effect, name) for name in effect.__slots__},
    }


def change_to_json(change: KeyChange) -> dict[str, Any]:
    outcome = change.outcome
    return {
        "key": change.key,
        "index": change.index,
        "old": _value_to_json(change.old),
        "new": _value_to_json(change.new),
        "is_old_known": change.is_old_known,
        "outcome": None
        if outcome is None
        else {name: getattr(outcome, name) for name in outcome.__slots__},
    }


def message_of(revision: Revision, chain: str) -> bytes:
    """What is signed: canonical JSON with the certificate."""
    return canonical({**to_json(revision), "chain": chain})


def signed_value(message: bytes, signature: str) -> bytes:
    """The value to be put."""
    return canonical({**orjson.loads(message), "signature": signature})


def read_revision(entry: KvEntry) -> SignedRevision:
    """The revision in a key. Raises ValueError with a sentence."""
    try:
        document = orjson.loads(entry.value)
        _check_schema(document["schema"])
        signature = document.pop("signature")
        revision = _revision(document)
        chain = document["chain"]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"it is no entry of history ({error})") from error
    if entry.key != revision.key:
        raise ValueError(f"the entry {revision.name} stands at another key")
    if not isinstance(chain, str) or not isinstance(signature, str):
        raise ValueError("it is not signed")  # noqa: TRY004 (one kind of error for one document)
    return SignedRevision(revision, canonical(document), chain, signature)


def _check_schema(schema: Any) -> None:
    if schema != SCHEMA:
        raise ValueError(f"it is of schema {schema}; this version reads {SCHEMA}")


def _revision(document: Mapping[str, Any]) -> Revision:
    effect = document["effect"]
    return Revision(
        name=text_of(document["revision"]),
        seen_unix_ms=count_of(document["seen_unix_ms"]),
        first=text_of(document["first"]),
        writer=text_of(document["writer"]),
        changes=tuple(map(_change, document["changes"])),
        effect=None
        if effect is None
        else Effect(*(count_of(effect[name]) for name in Effect.__slots__)),
    )


def _change(document: Mapping[str, Any]) -> KeyChange:
    outcome = document["outcome"]
    return KeyChange(
        key=text_of(document["key"]),
        index=count_of(document["index"]),
        old=_value(document["old"]),
        new=_value(document["new"]),
        is_old_known=document["is_old_known"] is True,
        outcome=None
        if outcome is None
        else Outcome(
            count_of(outcome["accepted"]),
            count_of(outcome["refused"]),
            count_of(outcome["waiting"]),
            text_of(outcome["message"]),
        ),
    )


def _value_to_json(value: Value | None) -> dict[str, Any] | None:
    """Text as it is, so that `consul kv get` shows it; other bytes in base64."""
    if value is None:
        return None
    document: dict[str, Any] = {"index": value.index, "sha256": value.sha256}
    if value.data is None:
        return document
    # A control character would take six bytes in JSON; no more than double the length is counted on.
    if _CONTROLS.isdisjoint(value.data):
        with contextlib.suppress(UnicodeDecodeError):
            return {**document, "text": value.data.decode()}
    return {**document, "base64": b64encode(value.data).decode("ascii")}


def _value(document: Mapping[str, Any] | None) -> Value | None:
    if document is None:
        return None
    data: bytes | None = None
    if "text" in document:
        data = text_of(document["text"]).encode()
    elif "base64" in document:
        data = b64decode(text_of(document["base64"]), validate=True)
    return Value(count_of(document["index"]), text_of(document["sha256"]), data)
